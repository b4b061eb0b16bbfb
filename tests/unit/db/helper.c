/* Other processes for the tests: this program once more, with a task. */
#include "store.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t store_spawn(const struct store *store, const char *task, int64_t veid, const char *text, int gate)
{
	char number[24], ids[80];
	snprintf(number, sizeof(number), "%lld", (long long)veid);
	snprintf(ids, sizeof(ids), "%lld %lld %lld", (long long)store->account_id, (long long)store->node_id,
		(long long)store->plan_id);
	char *argv[] = {(char *)"test_db", (char *)"helper", (char *)task, (char *)store->url, number,
		(char *)text, ids, NULL};
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	if (gate >= 0)
		dup2(gate, 0);
	else
		dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
	execv("/proc/self/exe", argv);
	_exit(127);
}

void store_await(pid_t pid)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Makes VPSs, and purges every third. */
static int make_many(struct db *db, const struct store *store, struct error *err)
{
	int rc = 0;
	for (int i = 0; rc >= 0 && i < 40; i++) {
		struct vps_create create = store_vps(store, (unsigned char)i);
		struct work work = {.state = WORK_DONE};
		int64_t veid;
		rc = db_vps_create(db, &create, &veid, &work.id, err);
		if (rc < 0 || i % 3 != 0)
			continue;
		rc = db_work_update(db, &work, err);
		if (rc == 0)
			rc = db_vps_set_state(db, veid, VPS_DELETED, 1, err);
		if (rc == 0)
			rc = db_vps_purge(db, veid, err);
	}
	return rc;
}

int store_helper(int argc, char **argv)
{
	struct store store = {0};
	struct error err;
	char byte;
	long long ids[3];
	if (argc != 7 || sscanf(argv[6], "%lld %lld %lld", &ids[0], &ids[1], &ids[2]) != 3 ||
		read(0, &byte, 1) != 0)
		return 2;
	store.account_id = ids[0], store.node_id = ids[1], store.plan_id = ids[2];
	int rc = db_open(argv[3], &store.db, &err);
	if (rc == 0 && strcmp(argv[2], "make") == 0)
		rc = make_many(store.db, &store, &err);
	else if (rc == 0 && strcmp(argv[2], "rename") == 0)
		rc = db_vps_set_hostname(store.db, atoll(argv[4]), argv[5], &err);
	if (rc < 0)
		fprintf(stderr, "helper %s: %s\n", argv[2], err.message);
	if (store.db)
		db_close(store.db);
	return rc < 0;
}
