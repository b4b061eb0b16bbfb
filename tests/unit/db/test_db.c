/* Every function of db.h against one kind of store: test_db sqlite, test_db postgresql. */
#include "store.h"
#include <stdio.h>

int main(int argc, char **argv)
{
	if (argc > 2)
		return store_helper(argc, argv);
	if (argc != 2) {
		fprintf(stderr, "usage: test_db sqlite|postgresql\n");
		return 2;
	}
	int status = stores_begin(argv[1]);
	if (status != 0) {
		stores_end();
		return status;
	}
	int failed = run_table_tests() + run_pool_tests() + run_vps_tests() + run_work_tests() +
		     run_points_tests() + run_migrate_tests() + run_concurrency_tests();
	failed += stores_are_sqlite() ? run_sqlite_tests() : run_pg_tests();
	stores_end();
	return failed ? 1 : 0;
}
