/* Migrations: history, refusals, and openers at the same time. */
#include "store.h"
#include "base/memory.h"
#include "db/migrate.h"
#include "db/query.h"
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

static int reopen(struct store *store)
{
	struct db *db = NULL;
	int rc = db_open(store->url, &db, &store->err);
	if (rc == 0)
		db_close(db);
	return rc;
}

static void test_open_again(void **state)
{
	struct store *store = *state;
	assert_good(reopen(store));
	assert_good(db_ping(store->db, &store->err));
}

static void test_newer_store_is_refused(void **state)
{
	struct store *store = *state;
	store_sql(store->url, "INSERT INTO migration (version, checksum, applied_s)"
			      " SELECT max(version) + 1, 'x', 0 FROM migration");
	assert_fails(ERR_UNSUPPORTED, reopen(store));
	assert_non_null(strstr(store->err.said, "newer"));
}

static void test_changed_migration_is_refused(void **state)
{
	struct store *store = *state;
	store_sql(store->url, "UPDATE migration SET checksum = '0000000000000000' WHERE version = 2");
	assert_fails(ERR_INTERNAL, reopen(store));
	assert_non_null(strstr(store->err.said, "schema 2"));
}

static void test_missing_migration_is_refused(void **state)
{
	struct store *store = *state;
	store_sql(store->url, "DELETE FROM migration WHERE version = 1");
	assert_fails(ERR_INTERNAL, reopen(store));
}

static struct connection *bare_connection(struct store *store)
{
	struct connection *connection;
	db_close(take(store->db));
	if (stores_are_sqlite()) {
		char path[128];
		snprintf(path, sizeof(path), "%s/moa.db", store->folder);
		assert_int_equal(unlink(path), 0);
	} else {
		store_sql(store->url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
	}
	assert_good(connection_open(store->url, &connection, &store->err));
	return connection;
}

static int64_t number(struct store *store, struct connection *connection, const char *sql)
{
	int64_t found = -1;
	assert_good(query_number(connection, sql, BIND_NONE, &found, &store->err));
	return found;
}

static void test_steps_are_one_transaction_each(void **state)
{
	static const struct migration steps[] = {
		{"first", "CREATE TABLE a (id {id}, t {text}, b {blob}, n {int}){rows}"},
		{"second", "CREATE TABLE b (k {text} NOT NULL PRIMARY KEY){keyed}; INSERT INTO b (k) VALUES "
			   "('{x} {int')"},
		{"third", "CREATE TABLE c (n {int}); INSERT INTO missing VALUES (1)"},
	};
	struct store *store = *state;
	struct connection *connection = bare_connection(store);
	assert_good(migrate_with(connection, steps, 1, &store->err));
	assert_good(migrate_with(connection, steps, 2, &store->err));
	assert_true(migrate_with(connection, steps, 3, &store->err) < 0);
	assert_non_null(strstr(store->err.message, "schema 3 (third)"));
	assert_int_equal(number(store, connection, "SELECT count(*) FROM migration"), 2);
	assert_int_equal(number(store, connection, "SELECT count(*) FROM b WHERE k = '{x} {int'"), 1);
	/* The third one's table went with it, so another third can make it. */
	static const struct migration other[] = {
		{"first", "CREATE TABLE a (id {id}, t {text}, b {blob}, n {int}){rows}"},
		{"second", "CREATE TABLE b (k {text} NOT NULL PRIMARY KEY){keyed}; INSERT INTO b (k) VALUES "
			   "('{x} {int')"},
		{"third", "CREATE TABLE c (n {int}); INSERT INTO c VALUES (5)"}};
	assert_good(migrate_with(connection, other, 3, &store->err));
	assert_int_equal(number(store, connection, "SELECT n FROM c"), 5);
	assert_fails(ERR_UNSUPPORTED, migrate_with(connection, other, 2, &store->err));
	connection_close(connection);
}

/* Processes that all open a store that does not exist yet, at the same moment. */
static void test_openers_at_once(void **state)
{
	enum { OPENERS = 6 };
	struct store *store = *state;
	pid_t pids[OPENERS];
	int gate[2];
	connection_close(bare_connection(store));
	if (stores_are_sqlite()) {
		char path[128];
		snprintf(path, sizeof(path), "%s/moa.db", store->folder);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	for (int i = 0; i < OPENERS; i++)
		pids[i] = store_spawn(store, "open", 0, "", gate[0]);
	close(gate[0]);
	close(gate[1]); /* off they go */
	for (int i = 0; i < OPENERS; i++)
		store_await(pids[i]);
	assert_good(db_open(store->url, &store->db, &store->err));
}

static void test_urls(void **state)
{
	static const char *const bad[] = {"", "moa.db", "sqlite:moa.db", "sqlite:", "mysql://x/y"};
	struct store *store = *state;
	struct db *db = NULL;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_fails(ERR_INVALID, db_open(bad[i], &db, &store->err));
	assert_fails(ERR_INVALID, db_open("sqlite:/", &db, &store->err));
	assert_fails(ERR_NOT_FOUND, db_open("sqlite:/nonexistent/moa.db", &db, &store->err));
	assert_fails(ERR_UNAVAILABLE, db_open("postgresql:///x?host=/nonexistent", &db, &store->err));
	assert_null(db);
}

int run_migrate_tests(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_open_again),
		TEST(test_newer_store_is_refused),
		TEST(test_changed_migration_is_refused),
		TEST(test_missing_migration_is_refused),
		TEST(test_steps_are_one_transaction_each),
		TEST(test_openers_at_once),
		TEST(test_urls),
	};
	return cmocka_run_group_tests_name("migrations", tests, NULL, NULL);
}
