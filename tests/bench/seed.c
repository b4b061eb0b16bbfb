/* Fills a store with N VPSs whose keys are known, for load tests: bench_seed URL N. The key of a VPS is "private_" and its veid in 24
 * digits. A store that holds them already is left alone. */
#include "base/clock.h"
#include "base/text.h"
#include "db/db.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_SIZE = 32, KEY_SIZE = 33 };

static _Noreturn void stop(const char *what, const struct error *err)
{
	fprintf(stderr, "bench_seed: %s: %s\n", what, err->message);
	exit(EXIT_FAILURE);
}

static void hash_key(int64_t veid, const unsigned char secret[HASH_SIZE], unsigned char hash[HASH_SIZE])
{
	char key[KEY_SIZE];
	snprintf(key, sizeof(key), "private_%024lld", (long long)veid);
	crypto_generichash(hash, HASH_SIZE, (const unsigned char *)key, strlen(key), secret, HASH_SIZE);
}

/* What a VPS belongs to, with texts as long as real ones. */
static void prepare(struct db *db, struct vps_create *create)
{
	struct error err;
	struct location location = { .id = "USCA_1",
		.name = "US, California",
		.datacenter = "US: Los Angeles, California (DC1 W7C CN2GIA-U, CMIN2, CUP)" };
	struct node node = { .alias = "v6617",
		.location_id = "USCA_1",
		.ip = "192.0.2.1",
		.endpoint = "unix:/run/moa/node.sock" };
	struct plan plan = { .name = "kvmv5-megabox-pro-40g-2048m-2000g-dc1", .disk_bytes = 44023414784 };
	struct address_pool pool = {
		.name = "bench", .node_alias = "v6617", .cidr = "172.16.0.0/12", .gateway = "172.16.0.1", .first = "", .last = ""
	};
	if (db_location_set(db, &location, &err) < 0 || db_node_set(db, &node, &create->node_id, &err) < 0 ||
		db_plan_set(db, &plan, &create->plan_id, &err) < 0 || db_pool_set(db, &pool, &err) < 0 ||
		db_account_add(db, "test@example.com", create->now_s, &create->account_id, &err) < 0)
		stop("preparing", &err);
}

static void fill(struct db *db, int64_t count)
{
	struct error err;
	unsigned char secret[HASH_SIZE];
	int64_t veid = 0, work;
	struct vps_create create = { .type = VPS_KVM,
		.hostname = "test-hostname",
		.os = "ubuntu-24.04-x86_64",
		.password_hash = "",
		.ssh_keys = "",
		.work_args = "{}",
		.now_s = clock_unix_s() };
	prepare(db, &create);
	if (db_secret(db, "api_key_hash", secret, &err) < 0)
		stop("the key of the hashes", &err);
	for (int64_t i = 0; i < count; i++) {
		hash_key(VEID_FIRST + i, secret, create.key_hash);
		if (db_vps_create(db, &create, &veid, &work, &err) < 0)
			stop("making a VPS", &err);
		if (db_vps_set_state(db, veid, VPS_ACTIVE, 0, &err) < 0)
			stop("activating a VPS", &err);
	}
}

int main(int argc, char **argv)
{
	struct error err;
	int64_t count;
	if (argc != 3 || !text_to_int64(argv[2], 1, 8000000, &count)) {
		fputs("usage: bench_seed URL VPSS\n", stderr);
		return 2;
	}
	owned(db_close) struct db *db = NULL;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct vps last;
	if (db_open(argv[1], &db, &err) < 0)
		stop("opening the store", &err);
	if (db_vps_get(db, VEID_FIRST + count - 1, true, &arena, &last, &err) < 0)
		fill(db, count);
	return EXIT_SUCCESS;
}
