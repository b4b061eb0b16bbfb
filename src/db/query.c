/* Statements and rows over whichever driver a connection has. Transactions are connection.c's. */
#include "db/query.h"
#include "base/memory.h"
#include <limits.h>
#include <string.h>

int query_start(struct query *query, struct connection *connection, const char *sql,
	const struct value *values, size_t count, struct error *err)
{
	query->connection = connection;
	query->driver = connection->driver;
	int rc = connection_statement(connection, sql, &query->statement, err);
	if (rc < 0)
		return rc;
	return query->driver->start(query->statement, values, count, err);
}

int db_query(struct query *query, struct db *db, const char *sql, const struct value *values, size_t count,
	struct error *err)
{
	struct connection *connection;
	int rc = db_borrow(db, &connection, err);
	if (rc < 0)
		return rc;
	query->lender = db;
	return query_start(query, connection, sql, values, count, err);
}

int query_next(struct query *query, struct error *err)
{
	query->column = 0;
	return query->driver->step(query->statement, err);
}

void query_done(struct query *query)
{
	if (query->statement)
		query->driver->reset(query->statement);
	if (query->lender)
		db_give_back(query->lender, query->connection);
	*query = (struct query)QUERY_INIT;
}

int64_t query_int(struct query *query)
{
	return query->driver->column_int(query->statement, query->column++);
}

int64_t query_peek_int(const struct query *query)
{
	return query->driver->column_int(query->statement, query->column);
}

bool query_bool(struct query *query)
{
	return query_int(query) != 0;
}

const char *query_text(struct query *query, struct arena *arena)
{
	size_t len;
	const char *text = query->driver->column_bytes(query->statement, query->column++, &len);
	if (!text)
		return NULL;
	return len ? arena_strndup(arena, text, len) : "";
}

void query_blob(struct query *query, void *place, size_t len)
{
	size_t found;
	const void *bytes = query->driver->column_bytes(query->statement, query->column++, &found);
	if (bytes && found == len)
		memcpy(place, bytes, len);
	else
		query->is_broken = true;
}

void query_skip(struct query *query, int columns)
{
	query->column += columns;
}

void query_word(struct query *query, char place[QUERY_WORD_SIZE])
{
	size_t len;
	const char *text = query->driver->column_bytes(query->statement, query->column++, &len);
	if (!text || len >= QUERY_WORD_SIZE) {
		query->is_broken = true;
		len = 0;
	}
	if (len)
		memcpy(place, text, len);
	place[len] = '\0';
}

int query_check(const struct query *query, struct error *err)
{
	if (!query->is_broken)
		return 0;
	return err_set(err, ERR_INTERNAL, "a row of the store holds a value no version of Moa writes");
}

int query_exec(struct connection *connection, const char *sql, const struct value *values, size_t count,
	struct error *err)
{
	owned_in(query_done) struct query query = QUERY_INIT;
	int rc = query_start(&query, connection, sql, values, count, err);
	while (rc >= 0 && (rc = query_next(&query, err)) > 0)
		;
	if (rc < 0)
		return rc;
	int64_t changes = query.driver->changes(query.statement);
	return changes > INT_MAX ? INT_MAX : (int)changes;
}

int query_maybe_number(struct connection *connection, const char *sql, const struct value *values,
	size_t count, int64_t *ret, struct error *err)
{
	owned_in(query_done) struct query query = QUERY_INIT;
	int rc = query_start(&query, connection, sql, values, count, err);
	if (rc >= 0)
		rc = query_next(&query, err);
	if (rc <= 0)
		return rc;
	int64_t number = query_int(&query);
	/* A change that returns rows is only complete, and only fails, at its end. */
	while ((rc = query_next(&query, err)) > 0)
		;
	if (rc < 0)
		return rc;
	*ret = number;
	return 1;
}

int query_number(struct connection *connection, const char *sql, const struct value *values, size_t count,
	int64_t *ret, struct error *err)
{
	int rc = query_maybe_number(connection, sql, values, count, ret, err);
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "no such row");
	return rc < 0 ? rc : 0;
}

struct single {
	const char *sql;
	const struct value *values;
	size_t count;
	int64_t number;
};

static int run_exec(struct connection *connection, void *context, struct error *err)
{
	struct single *single = context;
	return query_exec(connection, single->sql, single->values, single->count, err);
}

int db_exec(struct db *db, const char *sql, const struct value *values, size_t count, struct error *err)
{
	struct single single = {.sql = sql, .values = values, .count = count};
	return db_transact(db, run_exec, &single, err);
}

static int run_number(struct connection *connection, void *context, struct error *err)
{
	struct single *single = context;
	return query_number(connection, single->sql, single->values, single->count, &single->number, err);
}

int db_number(struct db *db, const char *sql, const struct value *values, size_t count, int64_t *ret,
	struct error *err)
{
	struct single single = {.sql = sql, .values = values, .count = count};
	int rc = db_transact(db, run_number, &single, err);
	if (rc < 0)
		return rc;
	*ret = single.number;
	return 0;
}

int db_one(struct db *db, const char *sql, const struct value *values, size_t count,
	const struct row_reader *reader, struct arena *arena, void *place, struct error *err)
{
	owned_in(query_done) struct query query = QUERY_INIT;
	int rc = db_query(&query, db, sql, values, count, err);
	if (rc >= 0)
		rc = query_next(&query, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "no such row");
	reader->read(&query, arena, place);
	return query_check(&query, err);
}

int db_all(struct db *db, const char *sql, const struct value *values, size_t count,
	const struct row_reader *reader, struct arena *arena, void **ret, size_t *ret_count,
	struct error *err)
{
	owned_in(list_done) struct list list = {.size = reader->size};
	owned_in(query_done) struct query query = QUERY_INIT;
	int rc = db_query(&query, db, sql, values, count, err);
	while (rc >= 0 && (rc = query_next(&query, err)) > 0)
		reader->read(&query, arena, list_add(&list));
	if (rc >= 0)
		rc = query_check(&query, err);
	if (rc < 0)
		return rc;
	*ret = list_copy(&list, arena);
	*ret_count = list.count;
	return 0;
}

void *list_add(struct list *list)
{
	if (list->count == list->capacity) {
		list->capacity = list->capacity ? list->capacity * 2 : 16;
		list->items = mem_resize(list->items, list->capacity, list->size);
	}
	return memset(list->items + list->count++ * list->size, 0, list->size);
}

void list_done(struct list *list)
{
	free(list->items);
}

void *list_copy(const struct list *list, struct arena *arena)
{
	char *items = arena_alloc(arena, list->count * list->size);
	return list->count ? memcpy(items, list->items, list->count * list->size) : items;
}
