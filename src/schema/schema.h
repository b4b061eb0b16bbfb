/* Rows of the files in api/ at run time: what a call takes and answers, and the readers and writers that work
 * from it. The rows are data; who may call what, points and locks are for src/api to act on. See
 * schema/rows.h for how a row becomes these tables. */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "json/reader.h"
#include "json/writer.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_type {
	FIELD_TEXT,   /* const char *, NULL when absent */
	FIELD_BYTES,  /* struct field_bytes: text that may hold anything */
	FIELD_INT,    /* int64_t */
	FIELD_SIZE,   /* int64_t bytes; a parameter may be "512M" */
	FIELD_BOOL,   /* bool */
	FIELD_TEXTS,  /* struct field_texts */
	FIELD_MAP,    /* struct field_map: text or null by key, in order */
	FIELD_RAW,    /* const char *: JSON as it is, made by json/writer.h */
	FIELD_LIST,   /* array of records */
	FIELD_OBJECT, /* a record */
	FIELD_SPREAD, /* a record whose keys stand among the parent's */
};

struct field_bytes {
	const char *data;
	size_t len;
};
struct field_texts {
	const char **items;
	size_t count;
};
struct field_pair {
	const char *key, *value; /* value NULL is null */
};
struct field_map {
	struct field_pair *items;
	size_t count;
};
/* What a list's member looks like whatever its record. */
struct field_list {
	void *items;
	size_t count;
};

/* What a text must look like; format.c holds the rule and the sentence that tells it. */
enum field_format {
	FORMAT_ANY,
	FORMAT_HOSTNAME,
	FORMAT_TEMPLATE,
	FORMAT_IDENTIFIER,
	FORMAT_LOCATION,
	FORMAT_EMAIL,
	FORMAT_IPV4,
	FORMAT_IP,
	FORMAT_VPS_TYPE,
	FORMAT_SHA256,
	FORMAT_PATH, /* an operator's local file: absolute */
};

enum field_flag {
	OPTIONAL = 1,	/* may be absent; an empty one counts as absent */
	EMPTY_OK = 2,	/* required, but may be empty */
	SECRET = 4,	/* never in a log; a command reads it from a prompt or file, not an argument */
	OMIT = 8,	/* of an answer: left out when NULL, or FIELD_ABSENT for a number */
	POSITIONAL = 16 /* a command takes it as a plain argument */
};
#define FIELD_ABSENT INT64_MIN

struct field_options {
	unsigned flags;
	int64_t min, max; /* of a number; of a text its bytes. max 0: 255 bytes, or INT64_MAX */
	int64_t fallback; /* of an absent number or bool */
	enum field_format format;
	const char *wire;  /* when the name on the wire is no C identifier */
	const char *alias; /* another accepted name */
	const char *doc;
};

struct record;
struct field {
	const char *name;
	const char *quoted; /* "\"name\":", for the writer */
	size_t quoted_len;
	enum field_type type;
	size_t offset;
	const struct record *record; /* of FIELD_LIST, FIELD_OBJECT, FIELD_SPREAD */
	struct field_options options;
};

struct record {
	const char *name;
	size_t size;
	const struct field *fields;
	size_t count;
};

enum call_flag {
	CALL_CHANGES = 1, /* refused while the VPS is suspended or locked */
	CALL_NODE = 2,	  /* asks a node, so it may block: runs on a worker thread */
	CALL_LIVE = 4,	  /* reads the guest: refused while locked */
	CALL_CONFIRM = 8, /* a command asks before it, unless --yes */
	CALL_WAITS = 16,  /* answers with a work id; a command waits for its end unless --no-wait */
	CALL_READS = 32,  /* of an operator: changes nothing, so it is not worth a line in the log */
};

struct call_options {
	int64_t points;
	unsigned flags;
	int timeout_ms;	 /* of asking the node; 0 for the default */
	const char *doc; /* one sentence */
};

struct call_row {
	const char *name; /* C identifier */
	const char *wire;
	int (*run)(void *context, const void *args, void *reply, struct error *err);
	struct call_options options;
	struct record args, reply;
};

/* The name of a field on the wire. */
const char *field_wire(const struct field *field);
/* Finds a row by its exact wire name, or NULL. */
const struct call_row *call_row_find(const struct call_row *rows, size_t count, const char *wire);

/* One parameter as it came. */
struct param {
	const char *name, *value;
	size_t value_len;
};
/* The last parameter that means this field: its exact name, else the name without regard to case and "_",
 * else its alias. */
const struct param *param_find(const struct param *params, size_t count, const char *name, const char *alias);
/* Fills ARGS (zeroed, record->size bytes) from parameters. ERR_MISSING "<parameter> is missing"; ERR_INVALID
 * names the parameter and what it takes. Texts live in ARENA or in the parameters. Lists cannot come as
 * parameters. */
int record_from_params(const struct record *record, const struct param *params, size_t count,
	struct arena *arena, void *args, struct error *err);
/* The same from a JSON object, as the node protocol and the admin socket carry it; unknown keys are ignored.
 */
int record_from_json(const struct record *record, const struct json *json, struct arena *arena, void *args,
	struct error *err);
/* Writes the keys in the order of their rows, without the braces. */
void record_write(const struct record *record, const void *data, struct json_writer *writer);
/* Checks a text against the field's bounds and format. */
int field_check_text(const struct field *field, const char *value, size_t len, struct error *err);
/* What a field takes, for messages and manuals: "a host name of 1 to 253 bytes". Into PLACE, returned. */
const char *field_takes(const struct field *field, char *place, size_t size);
