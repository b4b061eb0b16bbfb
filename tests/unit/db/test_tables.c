/* The small tables an operator edits, templates and secrets. */
#include "store.h"
#include "base/memory.h"
#include <string.h>

static void test_accounts(void **state)
{
	struct store *store = *state;
	struct account account, *all;
	size_t count;
	int64_t first, second;
	assert_good(db_account_add(store->db, "Zoe@example.com", 1000, &first, &store->err));
	assert_good(db_account_add(store->db, "adam@example.com", 2000, &second, &store->err));
	assert_int_not_equal(first, second);
	assert_fails(ERR_EXISTS, db_account_add(store->db, "zoe@Example.com", 3000, &second, &store->err));
	assert_non_null(strstr(store->err.said, "zoe@Example.com"));

	assert_good(db_account_set_ssh_keys(store->db, first, "ssh-rsa A\nssh-rsa B", &store->err));
	assert_good(db_account_by_email(store->db, "zoe@example.com", &store->arena, &account, &store->err));
	assert_int_equal(account.id, first);
	assert_string_equal(account.email, "Zoe@example.com");
	assert_string_equal(account.ssh_keys, "ssh-rsa A\nssh-rsa B");
	assert_int_equal(account.created_s, 1000);

	assert_good(db_account_list(store->db, &store->arena, &all, &count, &store->err));
	assert_int_equal(count, 2);
	assert_string_equal(all[0].email, "Zoe@example.com"); /* by byte, in both stores */
	assert_string_equal(all[1].email, "adam@example.com");
	assert_string_equal(all[1].ssh_keys, "");

	assert_good(db_account_remove(store->db, "ZOE@example.com", &store->err));
	assert_fails(ERR_NOT_FOUND, db_account_remove(store->db, "zoe@example.com", &store->err));
	assert_fails(ERR_NOT_FOUND,
		db_account_by_email(store->db, "zoe@example.com", &store->arena, &account, &store->err));
	assert_fails(ERR_NOT_FOUND, db_account_set_ssh_keys(store->db, first, "", &store->err));
	/* An id is not given again: something may still speak of it. */
	int64_t third;
	assert_good(db_account_add(store->db, "new@example.com", 1, &third, &store->err));
	assert_true(third > first && third > second);
}

static void test_account_with_vps_stays(void **state)
{
	struct store *store = *state;
	int64_t veid = store_make_vps(store, 1);
	assert_fails(ERR_EXISTS, db_account_remove(store->db, "owner@example.com", &store->err));
	assert_non_null(strstr(store->err.said, "VPS"));
	store_settle(store, veid, VPS_DELETED);
	assert_fails(ERR_EXISTS, db_account_remove(store->db, "owner@example.com", &store->err));
	assert_good(db_vps_purge(store->db, veid, &store->err));
	assert_good(db_account_remove(store->db, "owner@example.com", &store->err));
}

static void test_locations(void **state)
{
	struct store *store = *state;
	struct location *all;
	size_t count;
	struct location other = {.id = "EU_1", .name = "EU", .datacenter = "DC9", .private_network = true};
	assert_good(db_location_set(store->db, &other, &store->err));
	other.name = "Europe";
	assert_good(db_location_set(store->db, &other, &store->err));
	assert_good(db_location_list(store->db, &store->arena, &all, &count, &store->err));
	assert_int_equal(count, 2);
	assert_string_equal(all[0].id, "EU_1");
	assert_string_equal(all[0].name, "Europe");
	assert_string_equal(all[0].datacenter, "DC9");
	assert_true(all[0].private_network && !all[0].ipv6_ready);
	assert_true(all[1].ipv6_ready && !all[1].private_network);
	assert_good(db_location_remove(store->db, "EU_1", &store->err));
	assert_fails(ERR_NOT_FOUND, db_location_remove(store->db, "EU_1", &store->err));
	assert_fails(ERR_EXISTS, db_location_remove(store->db, "USCA_1", &store->err));
}

static void test_nodes(void **state)
{
	struct store *store = *state;
	struct node found, *all;
	size_t count;
	int64_t id;
	struct node node = {.alias = "v0",
		.location_id = "USCA_1",
		.ip = "198.51.100.1",
		.endpoint = "unix:/a",
		.port_first = 1024,
		.port_last = 32767};
	assert_good(db_node_set(store->db, &node, &id, &store->err));
	assert_int_not_equal(id, store->node_id);
	int64_t same;
	node.ip = "198.51.100.2";
	node.port_first = node.port_last = 0;
	assert_good(db_node_set(store->db, &node, &same, &store->err));
	assert_int_equal(id, same);
	assert_good(db_node_by_alias(store->db, "v0", &store->arena, &found, &store->err));
	assert_int_equal(found.id, id);
	assert_string_equal(found.ip, "198.51.100.2");
	assert_string_equal(found.endpoint, "unix:/a");
	assert_string_equal(found.location_id, "USCA_1");
	assert_int_equal(found.port_last, 0);
	assert_good(db_node_list(store->db, &store->arena, &all, &count, &store->err));
	assert_int_equal(count, 2);
	assert_string_equal(all[0].alias, "v0");
	assert_int_equal(all[1].port_first, 20000);
	node.location_id = "MOON_1";
	assert_fails(ERR_NOT_FOUND, db_node_set(store->db, &node, &same, &store->err));
	assert_string_equal(store->err.said, "no location MOON_1");
	assert_good(db_node_remove(store->db, "v0", &store->err));
	assert_fails(ERR_NOT_FOUND, db_node_remove(store->db, "v0", &store->err));
	assert_fails(ERR_NOT_FOUND, db_node_by_alias(store->db, "v0", &store->arena, &found, &store->err));
}

static void test_node_ports_are_checked(void **state)
{
	static const int64_t bad[][2] = {{0, 5000}, {80, 5000}, {5000, 4999}, {5000, 32768}, {5000, 0}};
	struct store *store = *state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t id;
		struct node node = {.alias = "bad",
			.location_id = "USCA_1",
			.ip = "",
			.endpoint = "",
			.port_first = bad[i][0],
			.port_last = bad[i][1]};
		assert_fails(ERR_INVALID, db_node_set(store->db, &node, &id, &store->err));
	}
}

static void test_node_with_vps_stays(void **state)
{
	struct store *store = *state;
	struct address_pool *pools;
	size_t count;
	int64_t veid = store_make_vps(store, 1);
	assert_fails(ERR_EXISTS, db_node_remove(store->db, "v1", &store->err));
	store_settle(store, veid, VPS_FAILED);
	assert_good(db_vps_purge(store->db, veid, &store->err));
	/* Its pool and works go with it. */
	assert_good(db_node_remove(store->db, "v1", &store->err));
	assert_good(db_pool_list(store->db, &store->arena, &pools, &count, &store->err));
	assert_int_equal(count, 0);
}

static void test_plans(void **state)
{
	struct store *store = *state;
	struct plan found, *all;
	size_t count;
	int64_t id, same;
	struct plan plan = {.name = "big",
		.disk_bytes = INT64_C(44023414784),
		.ram_bytes = 2,
		.swap_bytes = 3,
		.cpu_percent = 400,
		.process_max = 5,
		.monthly_data_bytes = INT64_MAX,
		.data_multiplier = 7,
		.ipv6_max = 8,
		.private_network = true,
		.abuse_points_max = 9};
	assert_good(db_plan_set(store->db, &plan, &id, &store->err));
	plan.ram_bytes = 22;
	assert_good(db_plan_set(store->db, &plan, &same, &store->err));
	assert_int_equal(id, same);
	assert_good(db_plan_by_name(store->db, "big", &store->arena, &found, &store->err));
	plan.id = id;
	plan.name = found.name;
	assert_memory_equal(&found.disk_bytes, &plan.disk_bytes,
		offsetof(struct plan, private_network) - offsetof(struct plan, disk_bytes));
	assert_true(found.private_network);
	assert_int_equal(found.abuse_points_max, 9);
	assert_good(db_plan_list(store->db, &store->arena, &all, &count, &store->err));
	assert_int_equal(count, 2);
	assert_string_equal(all[0].name, "big");
	assert_good(db_plan_remove(store->db, "big", &store->err));
	assert_fails(ERR_NOT_FOUND, db_plan_remove(store->db, "big", &store->err));
	assert_fails(ERR_NOT_FOUND, db_plan_by_name(store->db, "big", &store->arena, &found, &store->err));
	store_make_vps(store, 1);
	assert_fails(ERR_EXISTS, db_plan_remove(store->db, "small", &store->err));
}

static void test_templates(void **state)
{
	struct store *store = *state;
	struct template_row *all;
	size_t count;
	struct template_row rows[] = {{"ubuntu-24.04-x86_64", VPS_KVM, 0, 100, 1},
		{"debian-12-x86_64", VPS_KVM, 0, 200, 2}, {"debian-12-x86_64", VPS_OVZ, 0, 300, 3}};
	enum vps_type ovz = VPS_OVZ;
	assert_good(db_template_replace(store->db, store->node_id, rows, 3, &store->err));
	assert_good(db_template_list(store->db, 0, NULL, &store->arena, &all, &count, &store->err));
	assert_int_equal(count, 3);
	assert_string_equal(all[0].name, "debian-12-x86_64");
	assert_int_equal(all[0].type, VPS_KVM);
	assert_string_equal(all[2].name, "ubuntu-24.04-x86_64");
	assert_int_equal(all[2].node_id, store->node_id);
	assert_good(
		db_template_list(store->db, store->node_id, &ovz, &store->arena, &all, &count, &store->err));
	assert_int_equal(count, 1);
	assert_int_equal(all[0].size_bytes, 300);
	assert_int_equal(all[0].created_s, 3);
	assert_good(db_template_list(
		store->db, store->node_id + 1, NULL, &store->arena, &all, &count, &store->err));
	assert_int_equal(count, 0);
	/* A list that cannot be stored leaves the one before. */
	struct template_row twice[] = {rows[0], rows[0]};
	assert_fails(ERR_EXISTS, db_template_replace(store->db, store->node_id, twice, 2, &store->err));
	assert_good(db_template_list(store->db, 0, NULL, &store->arena, &all, &count, &store->err));
	assert_int_equal(count, 3);
	assert_fails(ERR_NOT_FOUND, db_template_replace(store->db, 999, rows, 1, &store->err));
	assert_good(db_template_replace(store->db, store->node_id, NULL, 0, &store->err));
	assert_good(db_template_list(store->db, 0, NULL, &store->arena, &all, &count, &store->err));
	assert_int_equal(count, 0);
}

static void test_secret_is_made_once(void **state)
{
	struct store *store = *state;
	unsigned char first[32], again[32], other[32];
	assert_good(db_ping(store->db, &store->err));
	assert_good(db_secret(store->db, "keys", first, &store->err));
	assert_good(db_secret(store->db, "other", other, &store->err));
	db_close(take(store->db));
	assert_good(db_open(store->url, &store->db, &store->err));
	assert_good(db_secret(store->db, "keys", again, &store->err));
	assert_memory_equal(first, again, 32);
	assert_memory_not_equal(first, other, 32);
}

static void test_broken_row(void **state)
{
	struct store *store = *state;
	struct template_row row = {"debian", VPS_KVM, 0, 1, 1}, *all;
	size_t count;
	assert_good(db_template_replace(store->db, store->node_id, &row, 1, &store->err));
	store_sql(store->url, "UPDATE template SET type = 'vax'");
	assert_fails(
		ERR_INTERNAL, db_template_list(store->db, 0, NULL, &store->arena, &all, &count, &store->err));
	assert_string_equal(store->err.said, "");
}

int run_table_tests(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_accounts),
		FURNISHED_TEST(test_account_with_vps_stays),
		FURNISHED_TEST(test_locations),
		FURNISHED_TEST(test_nodes),
		FURNISHED_TEST(test_node_ports_are_checked),
		FURNISHED_TEST(test_node_with_vps_stays),
		FURNISHED_TEST(test_plans),
		FURNISHED_TEST(test_templates),
		TEST(test_secret_is_made_once),
		FURNISHED_TEST(test_broken_row),
	};
	return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
