/* How many API look-ups a second one thread gets from a store of N VPSs: bench_db_lookup URL N [SECONDS]. The
 * store stays, and is used again when it holds N VPSs already. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "db/db.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static _Noreturn void stop(const char *what, const struct error *err)
{
	fprintf(stderr, "%s: %s\n", what, err->message);
	exit(1);
}

static void key_of(int64_t veid, unsigned char key[32])
{
	memset(key, 0x5a, 32);
	memcpy(key, &veid, sizeof(veid));
}

/* What a VPS belongs to, with texts as long as real ones. */
static struct vps_create prepare(struct db *db, struct error *err)
{
	struct location location = {.id = "USCA_1",
		.name = "US, California",
		.datacenter = "US: Los Angeles, California (DC1 W7C CN2GIA-U, CMIN2, CUP)"};
	struct node node = {.alias = "v6617",
		.location_id = "USCA_1",
		.ip = "192.0.2.1",
		.endpoint = "unix:/run/moa/node.sock"};
	struct plan plan = {.name = "kvmv5-megabox-pro-40g-2048m-2000g-dc1", .disk_bytes = 44023414784};
	struct address_pool pool = {
		.name = "bench", .node_alias = "v6617", .cidr = "10.0.0.0/8", .gateway = "10.0.0.1"};
	struct vps_create create = {.hostname = "test-hostname",
		.os = "debian-12-x86_64",
		.ssh_keys = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJlbmNobWFya2JlbmNobWFya2JlbmNobWFy "
			    "bench@example.com",
		.work_args = "{}",
		.now_s = clock_unix_s()};
	struct account account;
	struct arena arena = ARENA_INIT;
	if (db_location_set(db, &location, err) < 0 || db_node_set(db, &node, &create.node_id, err) < 0 ||
		db_plan_set(db, &plan, &create.plan_id, err) < 0 || db_pool_set(db, &pool, err) < 0)
		stop("preparing", err);
	if (db_account_by_email(db, "test@example.com", &arena, &account, err) == 0)
		create.account_id = account.id;
	else if (db_account_add(db, "test@example.com", create.now_s, &create.account_id, err) < 0)
		stop("adding the account", err);
	arena_done(&arena);
	return create;
}

static void fill(struct db *db, int64_t count)
{
	struct error err;
	struct vps existing;
	struct arena arena = ARENA_INIT;
	int64_t veid = 0, work_id;
	if (db_vps_get(db, VEID_FIRST + count - 1, true, &arena, &existing, &err) == 0) {
		arena_done(&arena);
		return;
	}
	struct vps_create create = prepare(db, &err);
	while (veid < VEID_FIRST + count - 1) {
		key_of(veid ? veid + 1 : VEID_FIRST, create.key_hash);
		if (db_vps_create(db, &create, &veid, &work_id, &err) < 0)
			stop("making a VPS", &err);
	}
	arena_done(&arena);
}

static int64_t look_up_for(struct db *db, int64_t count, int64_t duration_us)
{
	struct error err;
	struct arena arena = ARENA_INIT;
	int64_t done = 0, end_us = clock_monotonic_us() + duration_us;
	uint64_t draw = 88172645463325252u;
	do {
		for (int i = 0; i < 256; i++, done++) {
			unsigned char key[32];
			struct vps vps;
			draw ^= draw << 13, draw ^= draw >> 7, draw ^= draw << 17;
			int64_t veid = VEID_FIRST + (int64_t)(draw % (uint64_t)count);
			key_of(veid, key);
			if (db_vps_by_key(db, veid, key, &arena, &vps, &err) < 0)
				stop("looking up", &err);
			arena_reset(&arena);
		}
	} while (clock_monotonic_us() < end_us);
	arena_done(&arena);
	return done;
}

/* Of this process: on a machine that does other things too, that is what tells two builds apart. */
static int64_t cpu_time_us(void)
{
	struct timespec time;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static long resident_kib(void)
{
	long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	if (!file || fscanf(file, "%*s %ld", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return pages * 4;
}

int main(int argc, char **argv)
{
	struct error err;
	int64_t count = 0, seconds = 3;
	if (argc < 3 || !text_to_int64(argv[2], 1, 8000000, &count) ||
		(argc > 3 && !text_to_int64(argv[3], 1, 3600, &seconds))) {
		fprintf(stderr, "usage: bench_db_lookup URL VPSS [SECONDS]\n");
		return 2;
	}
	owned(db_close) struct db *db = NULL;
	if (db_open(argv[1], &db, &err) < 0)
		stop("opening", &err);
	fill(db, count);
	/* A store in use has a write-ahead log that is not empty, and reads it. */
	if (db_vps_set_hostname(db, VEID_FIRST, "another-hostname", &err) < 0 ||
		db_vps_set_hostname(db, VEID_FIRST, "test-hostname", &err) < 0)
		stop("writing", &err);
	look_up_for(db, count, 200000); /* warm up */
	int64_t start_us = clock_monotonic_us(), start_cpu_us = cpu_time_us();
	int64_t done = look_up_for(db, count, seconds * 1000000);
	double took_us = (double)(clock_monotonic_us() - start_us),
	       cpu_us = (double)(cpu_time_us() - start_cpu_us);
	printf("%lld VPSs: %.0f look-ups/s, %.2f us of processor time each, %ld KiB resident\n",
		(long long)count, (double)done * 1e6 / took_us, cpu_us / (double)done, resident_kib());
	return 0;
}
