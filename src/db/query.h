/* Running statements: parameters in, rows out. A row is read from its first column to its last, so a struct's
 * columns and its reader stand side by side and neither counts positions. */
#pragma once
#include "base/arena.h"
#include "db/connection.h"

#define AS_INT(number_) \
	{ \
		.kind = VALUE_INT, .number = (number_) \
	}
#define AS_TEXT(text_) \
	{ \
		.kind = VALUE_TEXT, .bytes = (text_) \
	}
#define AS_BLOB(bytes_, len_) \
	{ \
		.kind = VALUE_BLOB, .bytes = (bytes_), .len = (len_) \
	}
/* The parameters of a statement: two arguments, the values and their count. */
#define BIND(...) \
	(const struct value[]){__VA_ARGS__}, \
		sizeof((const struct value[]){__VA_ARGS__}) / sizeof(struct value)
#define BIND_NONE NULL, 0

struct query {
	const struct driver *driver;
	struct connection *connection;
	struct db *lender; /* gets the connection back; NULL when it was the caller's */
	struct statement *statement;
	int column;	/* to be read next */
	bool is_broken; /* a column held what no version of Moa writes */
};

enum { QUERY_WORD_SIZE = 16 };
#define QUERY_INIT \
	{ \
		.driver = NULL \
	}

/* Starts SQL on a connection of its own, or inside the caller's transaction. query_done() ends it in any
 * case. */
int db_query(struct query *query, struct db *db, const char *sql, const struct value *values, size_t count,
	struct error *err);
int query_start(struct query *query, struct connection *connection, const char *sql,
	const struct value *values, size_t count, struct error *err);
int query_next(struct query *query, struct error *err); /* 1: at a row, 0: no more */
void query_done(struct query *query);

/* The next column of the row. Text is copied into ARENA; NULL for SQL's NULL. */
int64_t query_int(struct query *query);
int64_t query_peek_int(const struct query *query); /* and stays there */
bool query_bool(struct query *query);
const char *query_text(struct query *query, struct arena *arena);
void query_blob(struct query *query, void *place, size_t len); /* exactly LEN bytes, or the row is broken */
void query_skip(struct query *query, int columns);
/* A short text without an arena: the name of an enum's value. One that does not fit breaks the row. */
void query_word(struct query *query, char place[QUERY_WORD_SIZE]);
/* 0, or ERR_INTERNAL when a column of any row so far was broken. */
int query_check(const struct query *query, struct error *err);

/* Runs a statement to its end and tells how many rows it wrote. */
int query_exec(struct connection *connection, const char *sql, const struct value *values, size_t count,
	struct error *err);
/* The number in the first column of its first row. No row: 0 (and 1 for one) from the first, ERR_NOT_FOUND
 * from the second. */
int query_maybe_number(struct connection *connection, const char *sql, const struct value *values,
	size_t count, int64_t *ret, struct error *err);
int query_number(struct connection *connection, const char *sql, const struct value *values, size_t count,
	int64_t *ret, struct error *err);

/* Both in a transaction of their own. */
int db_exec(struct db *db, const char *sql, const struct value *values, size_t count, struct error *err);
int db_number(struct db *db, const char *sql, const struct value *values, size_t count, int64_t *ret,
	struct error *err);

/* How rows become structs of one kind. */
struct row_reader {
	size_t size;
	void (*read)(struct query *query, struct arena *arena, void *place);
};
/* The one row there is, or ERR_NOT_FOUND; all rows as an array in ARENA. */
int db_one(struct db *db, const char *sql, const struct value *values, size_t count,
	const struct row_reader *reader, struct arena *arena, void *place, struct error *err);
int db_all(struct db *db, const char *sql, const struct value *values, size_t count,
	const struct row_reader *reader, struct arena *arena, void **ret, size_t *ret_count,
	struct error *err);

/* An array that grows, for rows whose number is not known before the last. */
struct list {
	char *items;
	size_t count, capacity, size;
};
#define LIST_OF(type) \
	{ \
		.size = sizeof(type) \
	}
void *list_add(struct list *list); /* a zeroed item; its place changes with the next */
void list_done(struct list *list);
void *list_copy(const struct list *list, struct arena *arena);
