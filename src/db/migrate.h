/* Migrations: the store's schema as a row of steps that is only ever appended to. */
#pragma once
#include "db/connection.h"

struct migration {
	const char *name; /* of its subject, for messages */
	const char *sql;  /* DDL with the tokens of struct ddl_words */
};

extern const struct migration migrations[];
extern const size_t migration_count;

/* Brings the store to the newest version, each migration in a transaction of its own. Several openers at once
 * are fine: one migrates, the others wait and find it done. ERR_UNSUPPORTED when the store is newer than this
 * binary, ERR_INTERNAL when a migration it has had is not the one this binary holds. */
int migrate_store(struct connection *connection, struct error *err);
/* The same with another row of steps; for tests. */
int migrate_with(
	struct connection *connection, const struct migration *steps, size_t count, struct error *err);
