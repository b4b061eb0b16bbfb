/* moactl: the operator's command. */
#include "ctl/ctl.h"
#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char default_socket[] = "/run/moa/admin.sock";

static enum ctl_exit exit_of(const struct error *err)
{
	switch (err->code) {
	case ERR_INVALID:
	case ERR_MISSING:
	case ERR_UNKNOWN_CALL:
		return CTL_USAGE;
	case ERR_UNAVAILABLE:
		return CTL_UNREACHABLE;
	case ERR_NOT_FOUND:
		return CTL_NOT_FOUND;
	case ERR_LOCKED:
		return CTL_LOCKED;
	default:
		return CTL_FAILED;
	}
}

static enum ctl_exit fail(const struct error *err)
{
	fprintf(stderr, "moactl: %s\n", err_text(err));
	return exit_of(err);
}

/* The row of "vps create …" or of "doctor …"; *USED is how many words its name took. */
static const struct call_row *find_row(int argc, char **argv, int *used)
{
	char wire[64];
	*used = 2;
	if (argc >= 2 && text_format(wire, sizeof(wire), "%s/%s", argv[0], argv[1])) {
		const struct call_row *row = call_row_find(ctl_rows, ctl_row_count, wire);
		if (row)
			return row;
	}
	*used = 1;
	return call_row_find(ctl_rows, ctl_row_count, argv[0]);
}

static bool is_confirmed(const struct ctl *ctl, const struct call_row *row)
{
	if (!(row->options.flags & CALL_CONFIRM) || ctl->yes)
		return true;
	if (!isatty(STDIN_FILENO)) {
		fputs("moactl: this needs --yes when nobody can be asked\n", stderr);
		return false;
	}
	fprintf(stderr, "%s\nGo on? [y/N] ", row->options.doc);
	char answer[16] = "";
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static enum ctl_exit print_answer(
	struct ctl *ctl, const struct call_row *row, const struct json *answer, const char *text)
{
	bool export = text_equal(row->wire, "export-keys");
	if (ctl->json)
		puts(text);
	else if (export)
		ctl_print_keys(answer);
	else
		ctl_print(row, answer);
	/* A check that failed is a failure for scripts. */
	const struct json *checks = json_get(answer, "checks");
	for (size_t i = 0; i < json_count(checks); i++)
		if (text_equal(json_get_text(json_at(checks, i), "state", ""), "failed"))
			return CTL_FAILED;
	return CTL_OK;
}

static enum ctl_exit run_row(struct ctl *ctl, const struct call_row *row, int argc, char **argv)
{
	struct error err;
	const char *body, *text;
	bool help = false;
	if (ctl_read_options(ctl, row, argc, argv, &body, &help, &err) < 0)
		return fail(&err);
	if (help) {
		ctl_print_verb(row);
		return CTL_OK;
	}
	if (!is_confirmed(ctl, row))
		return CTL_USAGE;
	owned(json_free) struct json *answer = NULL;
	if (ctl_ask(ctl, row->wire, body, &answer, &text, &err) < 0)
		return fail(&err);
	/* First what is shown only once, such as a new key: whoever ends the waiting has it. */
	enum ctl_exit printed = print_answer(ctl, row, answer, text);
	fflush(stdout);
	int64_t work = json_get_int(answer, "work", 0);
	bool waits = (row->options.flags & CALL_WAITS) && work && !ctl->no_wait;
	enum ctl_exit waited = waits ? ctl_wait(ctl, work) : CTL_OK;
	return waited ? waited : printed;
}

static enum ctl_exit unknown(int argc, char **argv)
{
	if (ctl_has_noun(argv[0]) && argc < 2) {
		ctl_print_noun(argv[0]);
		return CTL_USAGE;
	}
	if (ctl_has_noun(argv[0]) && (text_equal(argv[1], "--help") || text_equal(argv[1], "-h"))) {
		ctl_print_noun(argv[0]);
		return CTL_OK;
	}
	fprintf(stderr, "moactl: there is no \"%s%s%s\"; see moactl --help\n", argv[0], argc > 1 ? " " : "",
		argc > 1 ? argv[1] : "");
	return CTL_USAGE;
}

/* Options before the noun; returns the index of the first word, or -1 with *RET_EXIT set. */
static int read_global(struct ctl *ctl, int argc, char **argv, enum ctl_exit *ret_exit)
{
	int i = 1;
	for (; i < argc && argv[i][0] == '-'; i++) {
		bool help = false;
		if (ctl_take_common(ctl, argv[i], &help)) {
			if (!help)
				continue;
			ctl_print_usage();
			return -1;
		} else if ((text_equal(argv[i], "-s") || text_equal(argv[i], "--socket")) && i + 1 < argc) {
			ctl->socket_path = argv[++i];
		} else if (text_equal(argv[i], "-V") || text_equal(argv[i], "--version")) {
			puts("moactl " MOA_VERSION);
			return -1;
		} else {
			fprintf(stderr, "moactl: there is no option %s; see moactl --help\n", argv[i]);
			*ret_exit = CTL_USAGE;
			return -1;
		}
	}
	return i;
}

int main(int argc, char **argv)
{
	const char *socket_path = getenv("MOA_ADMIN_SOCKET");
	struct ctl ctl = {.socket_path = socket_path ? socket_path : default_socket};
	enum ctl_exit status = CTL_OK;
	int first = read_global(&ctl, argc, argv, &status);
	if (first < 0)
		return (int)status;
	if (first == argc) {
		ctl_print_usage();
		return CTL_USAGE;
	}
	int used;
	const struct call_row *row = find_row(argc - first, argv + first, &used);
	status = row ? run_row(&ctl, row, argc - first - used, argv + first + used)
		     : unknown(argc - first, argv + first);
	arena_done(&ctl.arena);
	return (int)status;
}
