/* What a store must be able to do, as a table of functions: sqlite.c and pg.c each fill one. Everything above
 * (pool of connections, transactions, queries) is written once over it. A session is used by one thread at a
 * time. Errors of the library are translated here: a unique violation is ERR_EXISTS, a row that refers to
 * nothing, or is still referred to, ERR_NOT_FOUND; a store that is away or busy ERR_UNAVAILABLE; a full disk
 * ERR_CAPACITY. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;	  /* one connection of the library */
struct statement; /* one prepared statement of a session, and its current row */

enum value_kind { VALUE_INT, VALUE_TEXT, VALUE_BLOB };

/* A parameter. Bytes are borrowed until the statement is reset; NULL bytes are SQL's NULL. */
struct value {
	enum value_kind kind;
	int64_t number;
	const void *bytes;
	size_t len;
};

enum { VALUE_MAX = 32 }; /* parameters of one statement */

enum transaction_kind {
	TRANSACTION_WRITE,
	TRANSACTION_ALONE, /* no other opener migrates meanwhile; waits longer */
};

enum session_health {
	SESSION_GOOD,
	SESSION_RETRY, /* the transaction lost a race: the same again may work */
	SESSION_LOST,  /* close it and open another */
};

/* What the tokens {int} {text} {blob} {id} {rows} {keyed} of a migration become. */
struct ddl_words {
	const char *integer, *text, *blob;
	const char *identity; /* the whole column type of an id the store gives */
	const char *rows;     /* behind the closing bracket of a table */
	const char *keyed;    /* the same for a table stored in its primary key */
};

struct driver {
	const char *url_prefix;
	struct ddl_words ddl;
	bool one_writer;   /* writers of one process queue up before they ask the store */
	bool wants_anchor; /* see anchor.h */
	int (*open)(const char *url, struct session **ret, struct error *err);
	void (*close)(struct session *session);
	/* Of the last failure. */
	enum session_health (*health)(struct session *session);
	/* SQL in the common subset with $1… parameters. */
	int (*prepare)(struct session *session, const char *sql, struct statement **ret, struct error *err);
	void (*finalize)(struct statement *statement);
	/* Binds VALUES, all of them, and starts from the beginning. */
	int (*start)(
		struct statement *statement, const struct value *values, size_t count, struct error *err);
	int (*step)(struct statement *statement, struct error *err); /* 1: there is a row, 0: no more */
	void (*reset)(struct statement *statement);		     /* lets go of rows and read locks */
	int64_t (*changes)(struct statement *statement);	     /* rows written, once step gave 0 */
	int64_t (*column_int)(struct statement *statement, int column);
	/* Borrowed until the next step; NULL for SQL's NULL. Text is not NUL-terminated. */
	const void *(*column_bytes)(struct statement *statement, int column, size_t *ret_len);
	/* Several statements without parameters or rows. */
	int (*script)(struct session *session, const char *sql, struct error *err);
	int (*begin)(struct session *session, enum transaction_kind kind, struct error *err);
	int (*commit)(struct session *session, struct error *err); /* a failed one still needs rollback */
	void (*rollback)(struct session *session);
};

extern const struct driver sqlite_driver;
/* In the module moa-pg.so, unless the program links it. */
extern const struct driver pg_driver __attribute__((weak));
#define PG_URL_PREFIX "postgresql://"
