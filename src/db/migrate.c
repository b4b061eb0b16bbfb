/* Runs migrations and checks those that ran before: the table `migration` holds the checksum of each one's
 * text as it was when it ran. The steps themselves are in schema.c. */
#include "db/migrate.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "db/query.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SQL_MAX = 1 << 18, CHECKSUM_LEN = 16 };

/* FNV-1a. It is there for a text changed by mistake; who can write the store has no need to cheat it. */
static void checksum_of(const char *text, char place[CHECKSUM_LEN + 1])
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	for (; *text; text++)
		sum = (sum ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	snprintf(place, CHECKSUM_LEN + 1, "%016" PRIx64, sum);
}

/* SQL with its tokens replaced by the driver's words. */
static void write_ddl(struct buffer *out, const struct ddl_words *words, const char *sql)
{
	const struct {
		const char *token, *word;
	} table[] = {{"{int}", words->integer}, {"{text}", words->text}, {"{blob}", words->blob},
		{"{id}", words->identity}, {"{rows}", words->rows}, {"{keyed}", words->keyed}};
	while (*sql) {
		size_t plain_len = strcspn(sql, "{"), i = 0;
		buffer_add(out, sql, plain_len);
		sql += plain_len;
		while (i < ARRAY_LEN(table) && !text_starts(sql, table[i].token))
			i++;
		if (i < ARRAY_LEN(table)) {
			buffer_add_text(out, table[i].word);
			sql += strlen(table[i].token);
		} else if (*sql) {
			buffer_add_byte(out, *sql++);
		}
	}
}

static int run_ddl(struct connection *connection, const char *sql, struct error *err)
{
	owned_in(buffer_done) struct buffer ddl = BUFFER_INIT(SQL_MAX);
	write_ddl(&ddl, &connection->driver->ddl, sql);
	if (ddl.overflowed)
		return err_set(err, ERR_INTERNAL, "a migration is longer than %d bytes", SQL_MAX);
	return connection->driver->script(connection->session, ddl.data, err);
}

/* Tells in *ret_done how many of STEPS the store has had. */
static int check_history(struct connection *connection, const struct migration *steps, size_t count,
	size_t *ret_done, struct error *err)
{
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	owned_in(query_done) struct query query = QUERY_INIT;
	size_t done = 0;
	int rc = query_start(&query, connection, "SELECT version, checksum FROM migration ORDER BY version",
		BIND_NONE, err);
	for (; rc >= 0 && (rc = query_next(&query, err)) > 0; done++) {
		int64_t version = query_int(&query);
		const char *found = query_text(&query, &arena);
		char expected[CHECKSUM_LEN + 1];
		if (version > (int64_t)count)
			return err_say(err, ERR_UNSUPPORTED,
				"the store was written by a newer version of Moa (schema %" PRId64
				", this one knows %zu)",
				version, count);
		if (version == (int64_t)done + 1)
			checksum_of(steps[done].sql, expected);
		if (version != (int64_t)done + 1 || !text_equal(found, expected))
			return err_say(err, ERR_INTERNAL,
				"the store's schema %" PRId64 " is not the one this version of Moa knows",
				version);
	}
	if (rc < 0)
		return rc;
	*ret_done = done;
	return 0;
}

static int run_next(struct connection *connection, const struct migration *steps, size_t count,
	size_t *ret_done, struct error *err)
{
	static const char history[] = "CREATE TABLE IF NOT EXISTS migration ("
				      "version {int} NOT NULL PRIMARY KEY, checksum {text} NOT NULL,"
				      "applied_s {int} NOT NULL){rows}";
	size_t done = 0;
	int rc = run_ddl(connection, history, err);
	if (rc == 0)
		rc = check_history(connection, steps, count, &done, err);
	if (rc < 0)
		return rc;
	if (done < count) {
		char checksum[CHECKSUM_LEN + 1];
		checksum_of(steps[done].sql, checksum);
		rc = run_ddl(connection, steps[done].sql, err);
		if (rc == 0)
			rc = query_exec(connection,
				"INSERT INTO migration (version, checksum, applied_s) VALUES ($1, $2, $3)",
				BIND(AS_INT((int64_t)done + 1), AS_TEXT(checksum), AS_INT(clock_unix_s())),
				err);
		if (rc < 0)
			return err_wrap(
				err, "migrating the store to schema %zu (%s)", done + 1, steps[done].name);
		done++;
	}
	*ret_done = done;
	return 0;
}

static int run_next_alone(struct connection *connection, const struct migration *steps, size_t count,
	size_t *ret_done, struct error *err)
{
	const struct driver *driver = connection->driver;
	int rc = driver->begin(connection->session, TRANSACTION_ALONE, err);
	if (rc == 0)
		rc = run_next(connection, steps, count, ret_done, err);
	if (rc == 0)
		rc = driver->commit(connection->session, err);
	if (rc < 0)
		driver->rollback(connection->session);
	return rc;
}

int migrate_with(
	struct connection *connection, const struct migration *steps, size_t count, struct error *err)
{
	size_t done = 0;
	do {
		int rc = run_next_alone(connection, steps, count, &done, err);
		if (rc < 0)
			return rc;
	} while (done < count);
	return 0;
}

int migrate_store(struct connection *connection, struct error *err)
{
	return migrate_with(connection, migrations, migration_count, err);
}
