/* Address pools, which address comes next, and the ranges of free numbers. */
#include "store.h"
#include "base/memory.h"
#include "db/pool_range.h"
#include "db/query.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_pool_forms(void **state)
{
	static const struct {
		const char *cidr, *gateway, *first, *last;
		int64_t count; /* 0: refused */
	} forms[] = {
		{"10.77.0.0/16", "10.77.0.1", "", "", 65533},
		{"10.77.0.0/16", "", "", "", 65534},
		{"10.0.0.0/8", "10.0.0.1", "10.0.1.0", "10.0.1.255", 256},
		{"192.0.2.0/31", "", "", "", 2},
		{"192.0.2.7/32", "", "", "", 1},
		{"192.0.2.7/32", "192.0.2.1", "", "", 1},
		{"192.0.2.0/24", "192.0.2.1", "192.0.2.0", "192.0.2.255", 255},
		{"0.0.0.0/0", "", "", "", INT64_C(4294967294)},
		{"2001:db8::/48", "2001:db8::1", "", "", 65535},
		{"2001:db8::/32", "fe80::1", "2001:db8:0:5::", "2001:db8:0:6::", 2},
		{"fd00::/64", "fe80::1", "", "", 1},
		{"192.0.2.7/32", "192.0.2.7", "", "", 0},
		{"fd00::/64", "fd00::1", "", "", 0},
		{"10.77.0.1/16", "", "", "", 0},
		{"10.77.0.0", "", "", "", 0},
		{"10.77.0.0/", "", "", "", 0},
		{"10.77.0.0/33", "", "", "", 0},
		{"10.77.0.0/-1", "", "", "", 0},
		{"10.77.0/16", "", "", "", 0},
		{"10.77.0.0/16 ", "", "", "", 0},
		{"/16", "", "", "", 0},
		{"", "", "", "", 0},
		{"10.77.0.0/16", "fd00::1", "", "", 0},
		{"10.77.0.0/16", "gate", "", "", 0},
		{"10.77.0.0/16", "", "10.78.0.1", "", 0},
		{"10.77.0.0/16", "", "10.77.0.9", "10.77.0.8", 0},
		{"10.77.0.0/16", "", "fd00::", "", 0},
		{"2001:db8::/65", "", "", "", 0},
		{"2001:db8::1/64", "", "", "", 0},
		{"2001::/8", "", "", "", 0},
		{"2001:db8:1::/32", "", "", "", 0},
		{"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb/64", "", "", "", 0},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct error err = {0};
		struct pool_range range;
		struct address_pool pool = {.cidr = forms[i].cidr,
			.gateway = forms[i].gateway,
			.first = forms[i].first,
			.last = forms[i].last};
		int rc = pool_range_of(&pool, &range, &err);
		if (forms[i].count == 0) {
			assert_int_equal(rc, -ERR_INVALID);
			assert_string_not_equal(err.said, "");
			continue;
		}
		if (rc < 0)
			fail_msg("%s: %s", forms[i].cidr, err.message);
		assert_int_equal(pool_range_count(&range), forms[i].count);
	}
}

/* Numbers sort as addresses do, across the sign too, and become the same text again. */
static void test_number_texts(void **state)
{
	static const char *const four[] = {"0.0.0.0", "10.77.0.5", "128.0.0.0", "255.255.255.255"};
	static const char *const six[] = {"2001:db8:1:2::", "7fff::", "8000::", "fd00::"};
	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		int64_t before = INT64_MIN;
		for (size_t i = 0; i < ARRAY_LEN(four); i++) {
			const char *expected = family == 4 ? four[i] : six[i];
			char cidr[64], text[POOL_TEXT_SIZE];
			struct pool_range range;
			snprintf(cidr, sizeof(cidr), "%s/%d", expected, family == 4 ? 32 : 64);
			assert_int_equal(
				pool_range_of(&(struct address_pool){.cidr = cidr}, &range, NULL), 0);
			assert_int_equal(range.family, family);
			assert_true(range.network_first > before);
			before = range.network_first;
			pool_number_text(family, range.network_first, text);
			assert_string_equal(text, expected);
		}
	}
}

static const char *address_of(struct store *store, int64_t veid)
{
	struct vps vps;
	assert_good(db_vps_get(store->db, veid, true, &store->arena, &vps, &store->err));
	assert_int_equal(vps.address_count, 1);
	return vps.addresses[0].address;
}

static void set_pool(
	struct store *store, const char *name, const char *cidr, const char *first, const char *last)
{
	struct address_pool pool = {
		.name = name, .node_alias = "v1", .cidr = cidr, .gateway = "", .first = first, .last = last};
	assert_good(db_pool_set(store->db, &pool, &store->err));
}

/* Without a port, which would run out first. */
static int make_without_port(struct store *store, int64_t *veid)
{
	int64_t work_id;
	struct vps_create create = store_vps(store, 7);
	create.forward_ssh = false;
	return db_vps_create(store->db, &create, veid, &work_id, &store->err);
}

static void purge(struct store *store, int64_t veid)
{
	store_settle(store, veid, VPS_DELETED);
	assert_good(db_vps_purge(store->db, veid, &store->err));
}

static void test_lowest_address_first(void **state)
{
	struct store *store = *state;
	int64_t veids[5], next;
	/* 10.0.0.0/29 with gateway .1 hands out .2 to .6. */
	for (int i = 0; i < 5; i++) {
		char expected[16];
		snprintf(expected, sizeof(expected), "10.0.0.%d", i + 2);
		assert_good(make_without_port(store, &veids[i]));
		assert_string_equal(address_of(store, veids[i]), expected);
	}
	assert_fails(ERR_CAPACITY, make_without_port(store, &next));
	assert_string_equal(store->err.said, "no free IPv4 address on node v1");
	purge(store, veids[3]);
	purge(store, veids[1]);
	assert_good(make_without_port(store, &next));
	assert_string_equal(address_of(store, next), "10.0.0.3");
	assert_good(make_without_port(store, &next));
	assert_string_equal(address_of(store, next), "10.0.0.5");
	assert_fails(ERR_CAPACITY, make_without_port(store, &next));
}

static void test_pools_of_a_node_together(void **state)
{
	struct store *store = *state;
	int64_t veid;
	set_pool(store, "high", "192.0.2.0/24", "192.0.2.10", "192.0.2.11");
	set_pool(store, "low", "10.0.0.0/24", "10.0.0.200", "10.0.0.200");
	set_pool(store, "six", "2001:db8::/48", "", "");
	static const char *const expected[] = {"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6",
		"10.0.0.200", "192.0.2.10", "192.0.2.11"};
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_good(make_without_port(store, &veid));
		assert_string_equal(address_of(store, veid), expected[i]);
	}
	assert_fails(ERR_CAPACITY, make_without_port(store, &veid));
	struct address_pool *pools;
	size_t count;
	assert_good(db_pool_list(store->db, &store->arena, &pools, &count, &store->err));
	assert_int_equal(count, 4);
	assert_string_equal(pools[0].name, "high");
	assert_string_equal(pools[0].node_alias, "v1");
	assert_string_equal(pools[0].cidr, "192.0.2.0/24");
	assert_string_equal(pools[0].first, "192.0.2.10");
	assert_int_equal(pools[0].used_count, 2);
	assert_int_equal(pools[0].total_count, 2);
	assert_string_equal(pools[2].name, "nat");
	assert_string_equal(pools[2].gateway, "10.0.0.1");
	assert_int_equal(pools[2].total_count, 5);
	assert_int_equal(pools[3].used_count, 0);
	assert_int_equal(pools[3].total_count, 65536);
}

static void test_pool_changes(void **state)
{
	struct store *store = *state;
	int64_t first, second, id;
	struct node node = {.alias = "v2", .location_id = "USCA_1", .ip = "", .endpoint = ""};
	struct address_pool pool = {
		.name = "nat", .node_alias = "v1", .cidr = "10.0.0.0/29", .gateway = "10.0.0.1"};
	assert_good(db_node_set(store->db, &node, &id, &store->err));
	assert_good(make_without_port(store, &first)); /* .2 */
	pool.first = "10.0.0.4";
	assert_good(db_pool_set(store->db, &pool, &store->err));
	assert_good(make_without_port(store, &second));
	assert_string_equal(address_of(store, second), "10.0.0.4");
	/* What was taken before the range changed does not come back into it. */
	purge(store, first);
	assert_good(make_without_port(store, &first));
	assert_string_equal(address_of(store, first), "10.0.0.5");

	struct address_pool bad = pool;
	bad.gateway = "10.0.0.4";
	assert_fails(ERR_EXISTS, db_pool_set(store->db, &bad, &store->err));
	bad = pool;
	bad.node_alias = "v2";
	assert_fails(ERR_EXISTS, db_pool_set(store->db, &bad, &store->err));
	bad = pool;
	bad.cidr = "10.0.1.0/24";
	bad.first = "";
	assert_fails(ERR_EXISTS, db_pool_set(store->db, &bad, &store->err));
	bad.node_alias = "v3";
	assert_fails(ERR_NOT_FOUND, db_pool_set(store->db, &bad, &store->err));
	bad = (struct address_pool){
		.name = "second", .node_alias = "v2", .cidr = "10.0.0.0/24", .gateway = ""};
	assert_fails(ERR_INVALID, db_pool_set(store->db, &bad, &store->err));
	assert_non_null(strstr(store->err.said, "nat"));
	bad.first = "10.0.0.7";
	assert_good(db_pool_set(store->db, &bad, &store->err));

	assert_fails(ERR_EXISTS, db_pool_remove(store->db, "nat", &store->err));
	assert_good(db_pool_remove(store->db, "second", &store->err));
	assert_fails(ERR_NOT_FOUND, db_pool_remove(store->db, "second", &store->err));
	purge(store, first);
	purge(store, second);
	assert_good(db_pool_remove(store->db, "nat", &store->err));
	assert_fails(ERR_CAPACITY, make_without_port(store, &first));
}

enum { NUMBERS = 60 };

/* The free ranges and a plain table of numbers take the same random steps. */
static int walk(struct connection *connection, void *context, struct error *err)
{
	bool *is_free = context;
	struct number_owner owner = {.kind = "port", .id = 1};
	struct number_bounds bounds = {.first = 0, .last = NUMBERS - 1, .hole = 17};
	unsigned seed = 4711;
	assert_int_equal(ranges_rebuild(connection, &owner, &bounds, "SELECT $1 + 1 LIMIT 1", err), 0);
	for (int i = 0; i < NUMBERS; i++)
		is_free[i] = i != 17 && i != 2; /* 1 + 1 was said to be used */
	for (int step = 0; step < 600; step++) {
		int64_t got = -1, lowest = 0;
		int number = rand_r(&seed) % NUMBERS;
		while (lowest < NUMBERS && !is_free[lowest])
			lowest++;
		if (step % 100 < 55) {
			int rc = ranges_take_lowest(connection, &owner, &got, err);
			assert_int_equal(rc, lowest < NUMBERS ? 0 : -ERR_NOT_FOUND);
			if (rc == 0) {
				assert_int_equal(got, lowest);
				is_free[got] = false;
			}
		} else if (!is_free[number]) {
			assert_int_equal(ranges_give_back(connection, &owner, number, err), 0);
			is_free[number] = true;
		}
	}
	return 0;
}

/* Ranges that touch would be two rows for one; counting rows shows they are joined. */
static int count_ranges(struct connection *connection, void *context, struct error *err)
{
	const bool *is_free = context;
	int64_t rows, expected = 0;
	for (int i = 0; i < NUMBERS; i++)
		expected += is_free[i] && (i == 0 || !is_free[i - 1]);
	int rc = query_number(connection,
		"SELECT count(*) FROM free_range WHERE kind = 'port' AND owner_id = 1", BIND_NONE, &rows,
		err);
	assert_int_equal(rows, expected);
	return rc;
}

static void test_ranges(void **state)
{
	struct store *store = *state;
	bool is_free[NUMBERS];
	assert_good(db_transact(store->db, walk, is_free, &store->err));
	assert_good(db_transact(store->db, count_ranges, is_free, &store->err));
}

int run_pool_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pool_forms),
		cmocka_unit_test(test_number_texts),
		FURNISHED_TEST(test_lowest_address_first),
		FURNISHED_TEST(test_pools_of_a_node_together),
		FURNISHED_TEST(test_pool_changes),
		TEST(test_ranges),
	};
	return cmocka_run_group_tests_name("pools", tests, NULL, NULL);
}
