/* Secrets of the store: random bytes made once, whoever asks first. */
#include "base/memory.h"
#include "base/random.h"
#include "db/query.h"
#include <string.h>

struct secret {
	const char *name;
	unsigned char bytes[32];
};

static int read_secret(struct connection *connection, struct secret *secret, struct error *err)
{
	owned_in(query_done) struct query query = QUERY_INIT;
	int rc = query_start(&query, connection, "SELECT value FROM secret WHERE name = $1",
		BIND(AS_TEXT(secret->name)), err);
	if (rc >= 0)
		rc = query_next(&query, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "no secret %s", secret->name);
	query_blob(&query, secret->bytes, sizeof(secret->bytes));
	return query_check(&query, err);
}

static int make_secret(struct connection *connection, void *context, struct error *err)
{
	struct secret *secret = context;
	random_bytes(secret->bytes, sizeof(secret->bytes));
	int rc = query_exec(connection,
		"INSERT INTO secret (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
		BIND(AS_TEXT(secret->name), AS_BLOB(secret->bytes, sizeof(secret->bytes))), err);
	return rc < 0 ? rc : read_secret(connection, secret, err);
}

int db_secret(struct db *db, const char *name, unsigned char ret[32], struct error *err)
{
	struct secret secret = {.name = name};
	int rc = db_transact(db, make_secret, &secret, err);
	if (rc == 0)
		memcpy(ret, secret.bytes, sizeof(secret.bytes));
	mem_wipe(secret.bytes, sizeof(secret.bytes));
	return rc;
}
