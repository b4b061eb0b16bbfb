/* VPSs from their making to their end, and their keys. */
#include "store.h"
#include "base/memory.h"
#include "db/query.h"
#include <stdio.h>
#include <string.h>

static void test_create_fills_everything(void **state)
{
	struct store *store = *state;
	struct vps_create create = store_vps(store, 1);
	struct vps vps;
	struct work work;
	int64_t veid, work_id;
	assert_good(db_vps_create(store->db, &create, &veid, &work_id, &store->err));
	assert_int_equal(veid, VEID_FIRST);
	assert_good(db_vps_get(store->db, veid, false, &store->arena, &vps, &store->err));
	assert_int_equal(vps.veid, veid);
	assert_int_equal(vps.type, VPS_OVZ);
	assert_int_equal(vps.state, VPS_CREATING);
	assert_string_equal(vps.hostname, "one.example.com");
	assert_string_equal(vps.os, "debian-12-x86_64");
	assert_string_equal(vps.mac, "02:00:00:0f:42:41");
	assert_int_equal(vps.ssh_port, 20000);
	assert_true(vps.wanted_running && !vps.suspended);
	assert_int_equal(
		vps.suspension_count + vps.abuse_points + vps.data_counter_bytes + vps.purge_at_s, 0);
	assert_int_equal(vps.data_next_reset_s, 1709211600); /* 2024-02-29 13:00:00 UTC */
	assert_int_equal(vps.created_s, create.now_s);
	assert_string_equal(vps.ssh_keys, "ssh-ed25519 AAAA one");
	assert_string_equal(vps.password_hash, "$6$salt$hash");
	assert_int_equal(vps.account.id, store->account_id);
	assert_string_equal(vps.account.email, "owner@example.com");
	assert_string_equal(vps.location.datacenter, "DC1");
	assert_string_equal(vps.node.alias, "v1");
	assert_int_equal(vps.node.port_last, 20004);
	assert_string_equal(vps.plan.name, "small");
	assert_int_equal(vps.plan.ram_bytes, 20);
	assert_int_equal(vps.address_count, 1);
	assert_string_equal(vps.addresses[0].address, "10.0.0.2");
	assert_int_equal(vps.addresses[0].prefix_len, 29);
	assert_string_equal(vps.addresses[0].gateway, "10.0.0.1");
	assert_null(vps.addresses[0].ptr);

	assert_good(db_work_of_vps(store->db, veid, &store->arena, &work, &store->err));
	assert_int_equal(work.id, work_id);
	assert_int_equal(work.node_id, store->node_id);
	assert_string_equal(work.kind, "vps_create");
	assert_string_equal(work.args, "{\"a\":1}");
	assert_int_equal(work.state, WORK_RUNNING);
}

static void test_create_leaves_nothing_when_it_fails(void **state)
{
	struct store *store = *state;
	struct vps_create create = store_vps(store, 1);
	struct vps *all;
	size_t count;
	int64_t veid, work_id, first_veid = store_make_vps(store, 2);
	create.account_id = 999;
	assert_fails(ERR_NOT_FOUND, db_vps_create(store->db, &create, &veid, &work_id, &store->err));
	create.account_id = store->account_id;
	create.node_id = 999;
	create.forward_ssh = false;
	assert_fails(ERR_NOT_FOUND, db_vps_create(store->db, &create, &veid, &work_id, &store->err));
	assert_good(db_vps_list(store->db, 0, &store->arena, &all, &count, &store->err));
	assert_int_equal(count, 1);
	/* Port and address that the failed ones had taken are the next one's. */
	assert_int_equal(store_make_vps(store, 3), first_veid + 1);
	struct vps vps;
	assert_good(db_vps_get(store->db, first_veid + 1, false, &store->arena, &vps, &store->err));
	assert_int_equal(vps.ssh_port, 20001);
	assert_string_equal(vps.addresses[0].address, "10.0.0.3");
}

static void test_ports_run_out_and_come_back(void **state)
{
	struct store *store = *state;
	struct vps_create create = store_vps(store, 1);
	struct vps vps;
	int64_t veids[5], veid, work_id, id;
	struct address_pool more = {.name = "more", .node_alias = "v1", .cidr = "10.1.0.0/24", .gateway = ""};
	assert_good(db_pool_set(store->db, &more, &store->err));
	for (int i = 0; i < 5; i++)
		veids[i] = store_make_vps(store, 1);
	assert_fails(ERR_CAPACITY, db_vps_create(store->db, &create, &veid, &work_id, &store->err));
	assert_string_equal(store->err.said, "no free SSH port on the node");
	create.forward_ssh = false;
	for (int i = 0; i < 2; i++) { /* any number may have 22 */
		assert_good(db_vps_create(store->db, &create, &veid, &work_id, &store->err));
		assert_good(db_vps_get(store->db, veid, false, &store->arena, &vps, &store->err));
		assert_int_equal(vps.ssh_port, 22);
	}
	store_settle(store, veids[2], VPS_DELETED);
	assert_good(db_vps_purge(store->db, veids[2], &store->err));
	assert_good(db_vps_get(store->db, store_make_vps(store, 2), false, &store->arena, &vps, &store->err));
	assert_int_equal(vps.ssh_port, 20002);
	/* A port outside the new range is not given back into it. */
	struct node node = {.alias = "v1",
		.location_id = "USCA_1",
		.ip = "",
		.endpoint = "",
		.port_first = 20003,
		.port_last = 20005};
	assert_good(db_node_set(store->db, &node, &id, &store->err));
	store_settle(store, veids[0], VPS_FAILED);
	assert_good(db_vps_purge(store->db, veids[0], &store->err));
	assert_good(db_vps_get(store->db, store_make_vps(store, 3), false, &store->arena, &vps, &store->err));
	assert_int_equal(vps.ssh_port, 20005);
}

static void test_keys(void **state)
{
	struct store *store = *state;
	unsigned char one[32], two[32], three[32];
	struct vps vps = {0};
	int64_t veid = store_make_vps(store, 1), other = store_make_vps(store, 2);
	memset(one, 1, 32);
	memset(two, 2, 32);
	memset(three, 3, 32);
	assert_good(db_vps_by_key(store->db, veid, one, &store->arena, &vps, &store->err));
	assert_int_equal(vps.veid, veid);
	assert_string_equal(vps.account.email, "owner@example.com");
	assert_string_equal(vps.addresses[0].address, "10.0.0.2");
	assert_fails(ERR_DENIED, db_vps_by_key(store->db, veid, two, &store->arena, &vps, &store->err));
	assert_fails(ERR_DENIED, db_vps_by_key(store->db, other, one, &store->arena, &vps, &store->err));
	assert_fails(ERR_DENIED, db_vps_by_key(store->db, 1, one, &store->arena, &vps, &store->err));

	assert_good(db_key_add(store->db, veid, three, false, 5, &store->err));
	assert_good(db_vps_by_key(store->db, veid, one, &store->arena, &vps, &store->err));
	assert_good(db_vps_by_key(store->db, veid, three, &store->arena, &vps, &store->err));
	assert_int_equal(vps.address_count, 1);
	assert_fails(ERR_EXISTS, db_key_add(store->db, veid, three, false, 5, &store->err));
	assert_fails(ERR_EXISTS, db_key_add(store->db, veid, one, false, 5, &store->err));
	assert_good(db_key_add(store->db, veid, two, true, 5, &store->err));
	assert_fails(ERR_DENIED, db_vps_by_key(store->db, veid, one, &store->arena, &vps, &store->err));
	assert_fails(ERR_DENIED, db_vps_by_key(store->db, veid, three, &store->arena, &vps, &store->err));
	assert_good(db_vps_by_key(store->db, veid, two, &store->arena, &vps, &store->err));
	assert_good(db_key_add(store->db, veid, two, true, 6, &store->err));
	assert_fails(ERR_NOT_FOUND, db_key_add(store->db, 1, one, false, 5, &store->err));
	assert_fails(ERR_NOT_FOUND, db_key_add(store->db, 1, one, true, 5, &store->err));

	store_settle(store, veid, VPS_DELETED);
	assert_fails(ERR_DENIED, db_vps_by_key(store->db, veid, two, &store->arena, &vps, &store->err));
}

static void test_addresses_are_joined_in_order(void **state)
{
	struct store *store = *state;
	struct vps vps, *all;
	size_t count;
	unsigned char key[32];
	int64_t veid = store_make_vps(store, 1), second = store_make_vps(store, 2);
	struct address_pool six = {
		.name = "six", .node_alias = "v1", .cidr = "2001:db8::/48", .gateway = "fe80::1"};
	memset(key, 1, 32);
	assert_good(db_pool_set(store->db, &six, &store->err));
	store_sql(store->url, "INSERT INTO address (veid, family, number, address, pool_id, ptr)"
			      " SELECT 1000001, 6, n.value, '2001:db8:0:' || n.value || '::', p.id, "
			      "'host.example.com' FROM pool p,"
			      " (SELECT 1 AS value UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT "
			      "5) n WHERE p.name = 'six'");
	assert_good(db_vps_by_key(store->db, veid, key, &store->arena, &vps, &store->err));
	for (int turn = 0; turn < 2; turn++) {
		assert_int_equal(vps.address_count, 6);
		assert_string_equal(vps.addresses[0].address, "10.0.0.2");
		for (int i = 1; i < 6; i++) {
			char text[32];
			snprintf(text, sizeof(text), "2001:db8:0:%d::", i);
			assert_string_equal(vps.addresses[i].address, text);
		}
		assert_int_equal(vps.addresses[5].prefix_len, 64);
		assert_string_equal(vps.addresses[5].gateway, "fe80::1");
		assert_string_equal(vps.addresses[5].ptr, "host.example.com");
		assert_good(db_vps_list(store->db, 0, &store->arena, &all, &count, &store->err));
		assert_int_equal(count, 2);
		vps = all[0];
	}
	assert_int_equal(all[1].veid, second);
	assert_int_equal(all[1].address_count, 1);
	store_sql(store->url, "DELETE FROM address WHERE veid = 1000001");
	assert_good(db_vps_by_key(store->db, veid, key, &store->arena, &vps, &store->err));
	assert_int_equal(vps.address_count, 0);
}

static void test_list(void **state)
{
	struct store *store = *state;
	struct vps *all;
	size_t count;
	int64_t other_id, other_account, work_id, veids[3];
	struct node node = {.alias = "v2", .location_id = "USCA_1", .ip = "203.0.113.1", .endpoint = ""};
	struct address_pool pool = {.name = "v2", .node_alias = "v2", .cidr = "10.2.0.0/24", .gateway = ""};
	assert_good(db_node_set(store->db, &node, &other_id, &store->err));
	assert_good(db_pool_set(store->db, &pool, &store->err));
	assert_good(db_account_add(store->db, "second@example.com", 1, &other_account, &store->err));
	veids[0] = store_make_vps(store, 1);
	struct vps_create create = store_vps(store, 2);
	create.node_id = other_id;
	create.account_id = other_account;
	create.forward_ssh = false;
	assert_good(db_vps_create(store->db, &create, &veids[1], &work_id, &store->err));
	veids[2] = store_make_vps(store, 3);
	store_settle(store, veids[2], VPS_DELETED);

	assert_good(db_vps_list(store->db, 0, &store->arena, &all, &count, &store->err));
	assert_int_equal(count, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(all[i].veid, veids[i]);
	assert_string_equal(all[0].node.alias, "v1");
	assert_string_equal(all[1].node.alias, "v2");
	assert_string_equal(all[1].account.email, "second@example.com");
	assert_string_equal(all[2].node.alias, "v1");
	assert_string_equal(all[2].location.id, "USCA_1");
	assert_string_equal(all[2].account.email, "owner@example.com");
	assert_string_equal(all[2].plan.name, "small");
	assert_int_equal(all[2].state, VPS_DELETED);
	assert_string_equal(all[2].addresses[0].address, "10.0.0.3");
	assert_good(db_vps_list(store->db, other_id, &store->arena, &all, &count, &store->err));
	assert_int_equal(count, 1);
	assert_int_equal(all[0].veid, veids[1]);
	assert_good(db_vps_list(store->db, 999, &store->arena, &all, &count, &store->err));
	assert_int_equal(count, 0);
}

static void test_settings(void **state)
{
	struct store *store = *state;
	struct vps vps;
	int64_t veid = store_make_vps(store, 1), untouched = store_make_vps(store, 2);
	assert_good(db_vps_set_hostname(store->db, veid, "h\xc3\xb6st.example.com", &store->err));
	assert_good(db_vps_set_ssh_keys(store->db, veid, "", &store->err));
	assert_good(db_vps_set_wanted_running(store->db, veid, false, &store->err));
	assert_good(db_vps_clear_password_hash(store->db, veid, &store->err));
	assert_good(db_vps_set_state(store->db, veid, VPS_ACTIVE, 0, &store->err));
	for (int i = 0; i < 2; i++)
		assert_good(db_vps_set_suspended(store->db, veid, true, &store->err));
	assert_good(db_vps_get(store->db, veid, false, &store->arena, &vps, &store->err));
	assert_string_equal(vps.hostname, "h\xc3\xb6st.example.com");
	assert_string_equal(vps.ssh_keys, "");
	assert_string_equal(vps.password_hash, "");
	assert_int_equal(vps.state, VPS_ACTIVE);
	assert_true(vps.suspended && !vps.wanted_running);
	assert_int_equal(vps.suspension_count, 1);
	assert_good(db_vps_set_suspended(store->db, veid, false, &store->err));
	assert_good(db_vps_set_suspended(store->db, veid, true, &store->err));
	assert_good(db_vps_get(store->db, veid, false, &store->arena, &vps, &store->err));
	assert_int_equal(vps.suspension_count, 2);
	assert_good(db_vps_get(store->db, untouched, false, &store->arena, &vps, &store->err));
	assert_string_equal(vps.hostname, "one.example.com");
	assert_true(vps.wanted_running && !vps.suspended);
	assert_fails(ERR_NOT_FOUND, db_vps_set_hostname(store->db, 1, "x", &store->err));
	assert_fails(ERR_NOT_FOUND, db_vps_set_suspended(store->db, 1, true, &store->err));
	assert_fails(ERR_NOT_FOUND, db_vps_set_state(store->db, 1, VPS_ACTIVE, 0, &store->err));
	assert_string_equal(store->err.said, "no VPS 1");
}

static void test_end_of_a_vps(void **state)
{
	struct store *store = *state;
	struct vps vps;
	int64_t *due;
	size_t count;
	int64_t veid = store_make_vps(store, 1), failed = store_make_vps(store, 2);
	struct points_used used;
	struct points_delta delta = {.veid = veid, .window_15min_s = 900, .window_24h_s = 86400, .points = 5};
	assert_good(db_points_add(store->db, &delta, 1, &used, &store->err));
	assert_fails(ERR_EXISTS, db_vps_purge(store->db, veid, &store->err));
	store_settle(store, veid, VPS_DELETED); /* to be purged at 5000 */
	assert_fails(ERR_NOT_FOUND, db_vps_get(store->db, veid, false, &store->arena, &vps, &store->err));
	assert_good(db_vps_get(store->db, veid, true, &store->arena, &vps, &store->err));
	assert_int_equal(vps.purge_at_s, 5000);

	assert_good(db_vps_due_for_purge(
		store->db, store->node_id, 4999, &store->arena, &due, &count, &store->err));
	assert_int_equal(count, 0);
	assert_good(db_vps_due_for_purge(
		store->db, store->node_id + 1, 5000, &store->arena, &due, &count, &store->err));
	assert_int_equal(count, 0);
	assert_good(db_vps_due_for_purge(
		store->db, store->node_id, 5000, &store->arena, &due, &count, &store->err));
	assert_int_equal(count, 1);
	assert_int_equal(due[0], veid);

	assert_good(db_vps_purge(store->db, veid, &store->err));
	assert_fails(ERR_NOT_FOUND, db_vps_purge(store->db, veid, &store->err));
	assert_fails(ERR_NOT_FOUND, db_vps_get(store->db, veid, true, &store->arena, &vps, &store->err));
	delta.points = 0;
	assert_good(db_points_add(store->db, &delta, 1, &used, &store->err));
	assert_int_equal(used.used_24h, 0);
	store_settle(store, failed, VPS_FAILED);
	assert_good(db_vps_purge(store->db, failed, &store->err));
	/* Not even the newest number comes again, also after a restart. */
	db_close(take(store->db));
	assert_good(db_open(store->url, &store->db, &store->err));
	assert_int_equal(store_make_vps(store, 1), failed + 1);
}

static void test_numbers_end(void **state)
{
	struct store *store = *state;
	struct vps_create create = store_vps(store, 1);
	int64_t veid, work_id;
	store_sql(store->url, "UPDATE sequence SET value = 9999998 WHERE name = 'veid'");
	assert_int_equal(store_make_vps(store, 1), VEID_MAX);
	assert_fails(ERR_CAPACITY, db_vps_create(store->db, &create, &veid, &work_id, &store->err));
}

/* The request path must not walk a table, however many VPSs there are. */
static int explain(struct connection *connection, void *context, struct error *err)
{
	owned_in(query_done) struct query query = QUERY_INIT;
	struct arena *arena = context;
	static const char *const sqls[] = {
		"EXPLAIN QUERY PLAN SELECT * FROM work WHERE veid = $1 AND veid <> 0 AND state IN "
		"('running', 'undoing')",
		"EXPLAIN QUERY PLAN SELECT * FROM work WHERE node_id = $1 AND id > 3 AND state IN "
		"('running', 'undoing') ORDER BY id LIMIT 1",
		"EXPLAIN QUERY PLAN SELECT veid FROM vps WHERE node_id = $1 AND state = 'deleted' AND "
		"purge_at_s <= 5 ORDER BY purge_at_s, veid",
	};
	for (size_t i = 0; i < ARRAY_LEN(sqls); i++) {
		int rc = query_start(&query, connection, sqls[i], BIND(AS_INT(1)), err);
		while (rc >= 0 && (rc = query_next(&query, err)) > 0) {
			query_skip(&query, 3);
			const char *detail = query_text(&query, arena);
			assert_non_null(strstr(detail, "USING"));
			assert_null(strstr(detail, "TEMP B-TREE"));
		}
		assert_int_equal(rc, 0);
		query_done(&query);
	}
	return 0;
}

static void test_queries_use_their_indexes(void **state)
{
	struct store *store = *state;
	if (!stores_are_sqlite()) {
		print_message("SKIP: PostgreSQL's planner chooses by the number of rows\n");
		skip();
	}
	assert_good(db_transact(store->db, explain, &store->arena, &store->err));
}

int run_vps_tests(void)
{
	const struct CMUnitTest tests[] = {
		FURNISHED_TEST(test_create_fills_everything),
		FURNISHED_TEST(test_create_leaves_nothing_when_it_fails),
		FURNISHED_TEST(test_ports_run_out_and_come_back),
		FURNISHED_TEST(test_keys),
		FURNISHED_TEST(test_addresses_are_joined_in_order),
		FURNISHED_TEST(test_list),
		FURNISHED_TEST(test_settings),
		FURNISHED_TEST(test_end_of_a_vps),
		FURNISHED_TEST(test_numbers_end),
		FURNISHED_TEST(test_queries_use_their_indexes),
	};
	return cmocka_run_group_tests_name("VPSs", tests, NULL, NULL);
}
