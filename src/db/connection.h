/* Connections to the store and transactions on them. struct db keeps the connections nobody uses right now;
 * each call borrows one and gives it back. What a statement means is for the files by subject. */
#pragma once
#include "db/db.h"
#include "db/driver.h"

struct connection {
	const struct driver *driver;
	struct session *session;
	struct statement_slot {
		const char *sql; /* the text's address is its identity */
		struct statement *statement;
	} * statements;
	size_t statement_count, statement_capacity;
	struct connection *next; /* in the list of idle ones */
	int64_t idle_since_ms;
};

int connection_open(const char *url, struct connection **ret, struct error *err);
void connection_close(struct connection *connection);
OWNED_DEFINE(struct connection, connection_close);

/* The statement of SQL, prepared at most once a connection. SQL is a string literal: its address is kept. */
int connection_statement(
	struct connection *connection, const char *sql, struct statement **ret, struct error *err);

/* A connection of the caller's own until it is given back. */
int db_borrow(struct db *db, struct connection **ret, struct error *err);
void db_give_back(struct db *db, struct connection *connection);

/* Calls CHANGE in a transaction, which is committed when it returns 0 or more and rolled back otherwise;
 * again, a few times, when another transaction got in the way: so CHANGE only changes the store and CONTEXT,
 * and starts afresh each time. Returns what CHANGE returned. */
int db_transact(struct db *db, int (*change)(struct connection *connection, void *context, struct error *err),
	void *context, struct error *err);
/* Until the end of the transaction nobody else makes or purges VPSs or edits pools and nodes. */
int connection_lock_numbers(struct connection *connection, struct error *err);
/* Tells that the most frequent kind of read starts, so that it can be made cheaper when there are many. */
void db_count_lookup(struct db *db);
