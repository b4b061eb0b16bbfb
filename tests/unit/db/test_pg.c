/* What is PostgreSQL's alone: connections that go away, and transactions that get in each other's way. */
#include "store.h"
#include "base/memory.h"
#include "db/query.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Ends every other session of the server. */
static void cut_connections(struct store *store)
{
	store_sql(store->url, "DO $$ DECLARE p int; BEGIN"
			      " FOR p IN SELECT pid FROM pg_stat_activity WHERE application_name = 'moa' AND "
			      "pid <> pg_backend_pid() LOOP"
			      " PERFORM pg_terminate_backend(p, 10000); END LOOP; END $$");
}

static void test_lost_connection(void **state)
{
	struct store *store = *state;
	struct connection *first, *second;
	struct account *all;
	size_t count;
	int64_t id;
	/* Two idle ones: the loss of one is the loss of both. */
	assert_good(db_borrow(store->db, &first, &store->err));
	assert_good(db_borrow(store->db, &second, &store->err));
	db_give_back(store->db, first);
	db_give_back(store->db, second);
	cut_connections(store);
	assert_fails(ERR_UNAVAILABLE, db_account_list(store->db, &store->arena, &all, &count, &store->err));
	assert_good(db_account_list(store->db, &store->arena, &all, &count, &store->err));
	cut_connections(store);
	assert_fails(ERR_UNAVAILABLE, db_account_add(store->db, "a@example.com", 1, &id, &store->err));
	assert_good(db_account_add(store->db, "a@example.com", 1, &id, &store->err));
}

struct cross {
	struct db *db;
	pthread_barrier_t *barrier;
	const char *first, *second;
	int attempts, rc;
};

/* Two of these lock two rows in opposite order: one is chosen to fail, and must do it again by itself. */
static int lock_crosswise(struct connection *connection, void *context, struct error *err)
{
	static const char sql[] = "UPDATE sequence SET value = value + 1 WHERE name = $1";
	struct cross *cross = context;
	cross->attempts++;
	int rc = query_exec(connection, sql, BIND(AS_TEXT(cross->first)), err);
	if (cross->attempts == 1)
		pthread_barrier_wait(cross->barrier);
	return rc < 0 ? rc : query_exec(connection, sql, BIND(AS_TEXT(cross->second)), err);
}

static void *run_cross(void *context)
{
	struct cross *cross = context;
	struct error err;
	cross->rc = db_transact(cross->db, lock_crosswise, cross, &err);
	return NULL;
}

static void test_deadlock_is_retried(void **state)
{
	struct store *store = *state;
	pthread_barrier_t barrier;
	pthread_t thread;
	pthread_barrier_init(&barrier, NULL, 2);
	struct cross one = {store->db, &barrier, "veid", "work", 0, 0};
	struct cross two = {store->db, &barrier, "work", "veid", 0, 0};
	assert_int_equal(pthread_create(&thread, NULL, run_cross, &one), 0);
	run_cross(&two);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&barrier);
	assert_int_equal(one.rc, 1);
	assert_int_equal(two.rc, 1);
	/* The one that failed may meet the other again before it has gone on. */
	assert_true(one.attempts + two.attempts >= 3);
	store_sql(store->url,
		"DO $$ BEGIN IF (SELECT min(value) FROM sequence) <> 2 THEN RAISE 'twice'; END IF; END $$");
}

static void test_serialization_failure_is_retried(void **state)
{
	struct store *store = *state;
	int64_t id;
	store_sql(store->url,
		"CREATE SEQUENCE tries;"
		"CREATE FUNCTION balk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
		" IF nextval('tries') < 3 THEN RAISE 'again' USING ERRCODE = '40001'; END IF; RETURN NEW; "
		"END $$;"
		"CREATE TRIGGER balk BEFORE INSERT ON account FOR EACH ROW EXECUTE FUNCTION balk()");
	assert_good(db_account_add(store->db, "a@example.com", 1, &id, &store->err));
	store_sql(store->url, "ALTER SEQUENCE tries INCREMENT BY -1; SELECT setval('tries', 1)");
	store_sql(store->url, "ALTER SEQUENCE tries MINVALUE -100");
	assert_fails(ERR_UNAVAILABLE, db_account_add(store->db, "b@example.com", 1, &id, &store->err));
	store_sql(store->url, "DROP TRIGGER balk ON account");
	assert_good(db_account_add(store->db, "b@example.com", 1, &id, &store->err));
}

static void test_error_codes(void **state)
{
	static const struct {
		const char *state;
		int code;
	} codes[] = {{"53100", ERR_CAPACITY}, {"53300", ERR_CAPACITY}, {"58030", ERR_IO},
		{"55P03", ERR_UNAVAILABLE}, {"22P02", ERR_INVALID}, {"23502", ERR_INVALID},
		{"42501", ERR_INTERNAL}, {"XX001", ERR_INTERNAL}};
	struct store *store = *state;
	struct connection *connection;
	assert_good(db_borrow(store->db, &connection, &store->err));
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		char sql[96];
		snprintf(sql, sizeof(sql), "DO $$ BEGIN RAISE 'no' USING ERRCODE = '%s'; END $$",
			codes[i].state);
		assert_fails(
			codes[i].code, connection->driver->script(connection->session, sql, &store->err));
		assert_string_equal(store->err.said, "");
	}
	db_give_back(store->db, connection);
	int64_t id;
	assert_fails(ERR_INVALID, db_account_add(store->db, "\xff\xfe", 1, &id, &store->err));
}

int run_pg_tests(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lost_connection),
		TEST(test_deadlock_is_retried),
		TEST(test_serialization_failure_is_retried),
		TEST(test_error_codes),
	};
	return cmocka_run_group_tests_name("PostgreSQL", tests, NULL, NULL);
}
