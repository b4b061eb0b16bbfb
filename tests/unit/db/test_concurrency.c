/* Several processes, and several threads, on one store. */
#include "store.h"
#include "base/memory.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { PROCESSES = 2, THREADS = 4 };

static void widen(struct store *store)
{
	int64_t id;
	struct node node = {.alias = "v1",
		.location_id = "USCA_1",
		.ip = "",
		.endpoint = "",
		.port_first = 20000,
		.port_last = 20999};
	struct address_pool pool = {.name = "wide", .node_alias = "v1", .cidr = "10.9.0.0/16", .gateway = ""};
	assert_good(db_node_set(store->db, &node, &id, &store->err));
	assert_good(db_pool_set(store->db, &pool, &store->err));
}

static void check_distinct(struct store *store, size_t expected)
{
	struct vps *all;
	size_t count;
	assert_good(db_vps_list(store->db, 0, &store->arena, &all, &count, &store->err));
	assert_int_equal(count, expected);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(all[i].address_count, 1);
		for (size_t j = 0; j < i; j++) {
			assert_int_not_equal(all[i].veid, all[j].veid);
			assert_int_not_equal(all[i].ssh_port, all[j].ssh_port);
			assert_string_not_equal(all[i].addresses[0].address, all[j].addresses[0].address);
			assert_string_not_equal(all[i].mac, all[j].mac);
		}
	}
	struct address_pool *pools;
	size_t pool_count;
	int64_t used = 0;
	assert_good(db_pool_list(store->db, &store->arena, &pools, &pool_count, &store->err));
	for (size_t i = 0; i < pool_count; i++)
		used += pools[i].used_count;
	assert_int_equal(used, expected);
}

static void test_processes_make_vpss(void **state)
{
	struct store *store = *state;
	pid_t pids[PROCESSES];
	widen(store);
	for (int i = 0; i < PROCESSES; i++)
		pids[i] = store_spawn(store, "make", 0, "", -1);
	for (int i = 0; i < PROCESSES; i++)
		store_await(pids[i]);
	check_distinct(store, PROCESSES * STORE_HELPER_MAKES);
}

struct reader {
	struct store *store;
	int64_t veid;
	int failures;
};

/* Each thread writes its VPS and must read what it wrote at once, whichever connection it gets. */
static void *write_and_read(void *context)
{
	struct reader *reader = context;
	struct db *db = reader->store->db;
	struct error err;
	struct arena arena = ARENA_INIT;
	unsigned char key[32];
	memset(key, (int)(reader->veid & 0xff), sizeof(key));
	for (int i = 0; i < 60; i++) {
		struct vps vps;
		char hostname[32];
		struct points_used used;
		struct points_delta delta = {reader->veid, 900, 900, 1};
		snprintf(hostname, sizeof(hostname), "h%d.example.com", i);
		if (db_vps_set_hostname(db, reader->veid, hostname, &err) < 0 ||
			db_vps_by_key(db, reader->veid, key, &arena, &vps, &err) < 0 ||
			db_points_add(db, &delta, 1, &used, &err) < 0) {
			fprintf(stderr, "thread: %s\n", err.message);
			reader->failures++;
			break;
		}
		reader->failures += strcmp(vps.hostname, hostname) != 0;
		reader->failures += used.used_24h != i + 1;
		arena_reset(&arena);
	}
	arena_done(&arena);
	return NULL;
}

static void test_threads_read_what_they_wrote(void **state)
{
	struct store *store = *state;
	pthread_t threads[THREADS];
	struct reader readers[THREADS];
	for (int i = 0; i < THREADS; i++) {
		int64_t veid = VEID_FIRST + i;
		readers[i] = (struct reader){store, store_make_vps(store, (unsigned char)(veid & 0xff)), 0};
		assert_int_equal(readers[i].veid, veid);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_and_read, &readers[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(readers[i].failures, 0);
}

/* What one process commits, another sees at its next look. */
static void test_other_process_is_seen(void **state)
{
	struct store *store = *state;
	struct vps vps;
	unsigned char key[32];
	int64_t veid = store_make_vps(store, 1);
	memset(key, 1, sizeof(key));
	for (int i = 0; i < 20; i++) {
		char hostname[32];
		snprintf(hostname, sizeof(hostname), "h%d.example.com", i);
		for (int j = 0; j < 100; j++)
			assert_good(db_vps_by_key(store->db, veid, key, &store->arena, &vps, &store->err));
		store_await(store_spawn(store, "rename", veid, hostname, -1));
		assert_good(db_vps_by_key(store->db, veid, key, &store->arena, &vps, &store->err));
		assert_string_equal(vps.hostname, hostname);
		arena_reset(&store->arena);
	}
}

int run_concurrency_tests(void)
{
	const struct CMUnitTest tests[] = {
		FURNISHED_TEST(test_processes_make_vpss),
		FURNISHED_TEST(test_threads_read_what_they_wrote),
		FURNISHED_TEST(test_other_process_is_seen),
	};
	return cmocka_run_group_tests_name("concurrency", tests, NULL, NULL);
}
