/* A fresh store for each test, of the kind the program was started for: "sqlite" in a new folder,
 * "postgresql" as an empty schema of a private server. */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "db/db.h"
#include <sys/types.h>

struct store {
	char url[256];
	char folder[64]; /* of the SQLite file; "" for PostgreSQL */
	struct db *db;
	struct arena arena;
	struct error err;
	int64_t account_id, node_id, plan_id; /* once furnished */
};

/* Starts what the kind needs; 77 and a reason when this machine has no such server. */
int stores_begin(const char *kind);
void stores_end(void);
bool stores_are_sqlite(void);

int store_setup(void **state); /* an open, empty store */
int store_setup_furnished(
	void **state); /* with an account, location, node (ports 20000-20004), plan and pool 10.0.0.0/29 */
int store_teardown(void **state);
/* Runs SQL of the driver's own dialect. */
void store_sql(const char *url, const char *sql);

/* A VPS to make, all fields set; its key hash is filled with KEY. */
struct vps_create store_vps(const struct store *store, unsigned char key);
int64_t store_make_vps(struct store *store, unsigned char key);
/* The work that made the VPS is done, the VPS has STATE. */
void store_settle(struct store *store, int64_t veid, enum vps_state state);

/* Another process with a store handle of its own, because SQLite's locks do not survive a fork: this program
 * again, which opens URL, does TASK on VPS number VEID ("open", "make", "rename") and exits with 0 when it
 * could. When GATE is 0 or more it starts once the other end is closed. */
enum { STORE_HELPER_MAKES = 26 }; /* VPSs "make" leaves: of 40, every third is purged again */
pid_t store_spawn(const struct store *store, const char *task, int64_t veid, const char *text, int gate);
void store_await(pid_t pid);
/* The other side of it. */
int store_helper(int argc, char **argv);

#define assert_good(call_) \
	do { \
		int rc_ = (call_); \
		if (rc_ < 0) \
			fail_msg("%s: %s (%d)", #call_, store->err.message, rc_); \
	} while (0)
#define assert_fails(code_, call_) assert_int_equal((call_), -(code_))
#define TEST(function_) cmocka_unit_test_setup_teardown(function_, store_setup, store_teardown)
#define FURNISHED_TEST(function_) \
	cmocka_unit_test_setup_teardown(function_, store_setup_furnished, store_teardown)

int run_table_tests(void);
int run_pool_tests(void);
int run_vps_tests(void);
int run_work_tests(void);
int run_points_tests(void);
int run_migrate_tests(void);
int run_concurrency_tests(void);
int run_sqlite_tests(void);
int run_pg_tests(void);
