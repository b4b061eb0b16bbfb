/* Stores for the tests. The server of PostgreSQL is private to this program and ends with it. */
#include "store.h"
#include "base/buffer.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "db/connection.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	bool is_sqlite;
	char server[64];
	char url[128];
} stores;

static int start_server(void)
{
	struct error err;
	char pid[16];
	struct process_result result = {0};
	snprintf(stores.server, sizeof(stores.server), "/tmp/moa-test-pg-XXXXXX");
	if (!mkdtemp(stores.server))
		return 1;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	struct process_request request = {
		.argv = (const char *const[]){PRIVATE_POSTGRES, "start", stores.server, pid, NULL},
		.max_output = 16384,
		.timeout_ms = 60000};
	int rc = process_run(&request, &result, &err);
	int status = rc < 0 ? 1 : result.exit_status;
	if (rc < 0)
		fprintf(stderr, "%s\n", err.message);
	else if (status != 0)
		fprintf(stderr, "SKIP or failure: %s\n", result.output.data);
	else
		text_format(stores.url, sizeof(stores.url), "%.*s", (int)strcspn(result.output.data, "\n"),
			result.output.data);
	if (rc >= 0)
		process_result_done(&result);
	return status;
}

int stores_begin(const char *kind)
{
	stores.is_sqlite = strcmp(kind, "sqlite") == 0;
	return stores.is_sqlite ? 0 : start_server();
}

void stores_end(void)
{
	struct error err;
	if (stores.is_sqlite)
		return;
	if (process_check((const char *const[]){PRIVATE_POSTGRES, "stop", stores.server, NULL}, 30000, &err) <
		0)
		fprintf(stderr, "%s\n", err.message);
	dir_remove_tree(stores.server, NULL);
}

bool stores_are_sqlite(void)
{
	return stores.is_sqlite;
}

void store_sql(const char *url, const char *sql)
{
	struct error err;
	struct connection *connection;
	if (connection_open(url, &connection, &err) < 0)
		fail_msg("%s", err.message);
	int rc = connection->driver->script(connection->session, sql, &err);
	connection_close(connection);
	if (rc < 0)
		fail_msg("%s: %s", sql, err.message);
}

static void make_empty(struct store *store)
{
	if (stores.is_sqlite) {
		snprintf(store->folder, sizeof(store->folder), "/tmp/moa-test-db-XXXXXX");
		assert_non_null(mkdtemp(store->folder));
		snprintf(store->url, sizeof(store->url), "sqlite:%s/moa.db", store->folder);
		return;
	}
	snprintf(store->url, sizeof(store->url), "%s", stores.url);
	store_sql(store->url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
}

int store_setup(void **state)
{
	struct store *store = mem_new(struct store);
	*state = store;
	make_empty(store);
	assert_good(db_open(store->url, &store->db, &store->err));
	return 0;
}

int store_setup_furnished(void **state)
{
	store_setup(state);
	struct store *store = *state;
	struct location location = {
		.id = "USCA_1", .name = "US, California", .datacenter = "DC1", .ipv6_ready = true};
	struct node node = {.alias = "v1",
		.location_id = "USCA_1",
		.ip = "192.0.2.9",
		.endpoint = "unix:/run/moa/node.sock",
		.port_first = 20000,
		.port_last = 20004};
	struct plan plan = {.name = "small", .disk_bytes = 10, .ram_bytes = 20, .data_multiplier = 1};
	struct address_pool pool = {
		.name = "nat", .node_alias = "v1", .cidr = "10.0.0.0/29", .gateway = "10.0.0.1"};
	assert_good(db_account_add(store->db, "owner@example.com", 1000, &store->account_id, &store->err));
	assert_good(db_location_set(store->db, &location, &store->err));
	assert_good(db_node_set(store->db, &node, &store->node_id, &store->err));
	assert_good(db_plan_set(store->db, &plan, &store->plan_id, &store->err));
	assert_good(db_pool_set(store->db, &pool, &store->err));
	return 0;
}

int store_teardown(void **state)
{
	struct store *store = *state;
	if (store->db)
		db_close(store->db);
	if (store->folder[0])
		assert_good(dir_remove_tree(store->folder, &store->err));
	arena_done(&store->arena);
	free(store);
	return 0;
}

struct vps_create store_vps(const struct store *store, unsigned char key)
{
	struct vps_create create = {.account_id = store->account_id,
		.node_id = store->node_id,
		.plan_id = store->plan_id,
		.type = VPS_OVZ,
		.hostname = "one.example.com",
		.os = "debian-12-x86_64",
		.password_hash = "$6$salt$hash",
		.ssh_keys = "ssh-ed25519 AAAA one",
		.wanted_running = true,
		.forward_ssh = true,
		.now_s = 1706706000, /* 2024-01-31 13:00:00 UTC */
		.work_args = "{\"a\":1}"};
	memset(create.key_hash, key, sizeof(create.key_hash));
	return create;
}

int64_t store_make_vps(struct store *store, unsigned char key)
{
	struct vps_create create = store_vps(store, key);
	int64_t veid = 0, work_id = 0;
	assert_good(db_vps_create(store->db, &create, &veid, &work_id, &store->err));
	return veid;
}

void store_settle(struct store *store, int64_t veid, enum vps_state state)
{
	struct work work;
	assert_good(db_work_of_vps(store->db, veid, &store->arena, &work, &store->err));
	work.state = WORK_DONE;
	assert_good(db_work_update(store->db, &work, &store->err));
	assert_good(db_vps_set_state(store->db, veid, state, state == VPS_DELETED ? 5000 : 0, &store->err));
}
