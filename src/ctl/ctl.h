/* moactl's parts. Verbs, options and tables come from the rows of api/admin.def; only waiting for work, the
 * key export and asking before something is destroyed are written here. */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "json/reader.h"
#include "schema/schema.h"
#include <stdbool.h>

enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_UNREACHABLE = 3,
	CTL_NOT_FOUND = 4,
	CTL_LOCKED = 5
};

extern const struct call_row *const ctl_rows;
extern const size_t ctl_row_count;

struct ctl {
	const char *socket_path;
	bool json;    /* print what moad answers, for programs */
	bool yes;     /* do not ask */
	bool no_wait; /* do not wait for work */
	bool quiet;   /* no progress */
	struct arena arena;
};

/* options.c: arguments of a verb into the JSON object of its parameters (in the arena); ERR_INVALID or
 * ERR_MISSING say what is wrong. */
int ctl_read_options(struct ctl *ctl, const struct call_row *row, int argc, char **argv,
	const char **ret_json, bool *ret_help, struct error *err);
/* Takes an option every verb has: --json, --yes, --no-wait, --quiet, --help. */
bool ctl_take_common(struct ctl *ctl, const char *option, bool *ret_help);
/* The option of a field: "ssh_keys" is --ssh-keys. PLACE holds 64 bytes. */
const char *ctl_option_name(const struct field *field, char place[64]);

/* ask.c: the answer in *RET (json_free), and its text in the arena. ERR_UNAVAILABLE when moad is not there.
 */
int ctl_ask(struct ctl *ctl, const char *wire, const char *body, struct json **ret, const char **ret_text,
	struct error *err);

/* print.c */
void ctl_print(const struct call_row *row, const struct json *answer);
void ctl_print_keys(const struct json *answer);

/* help.c */
void ctl_print_usage(void);
void ctl_print_noun(const char *noun);
void ctl_print_verb(const struct call_row *row);
bool ctl_has_noun(const char *noun);

/* wait.c: shows the work's progress until it ends; CTL_OK or CTL_FAILED. */
enum ctl_exit ctl_wait(struct ctl *ctl, int64_t work_id);
