/* The process is killed at every border of every step, forward and back; the next one ends the work the same
 * way. */
#include "world.h"
#include "base/owned.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs the work in a child that dies at POINT. */
static void run_until_killed(struct world *world, int64_t id, const char *point)
{
	pid_t pid = fork();
	if (pid == 0) {
		setenv("MOA_FAULT", point, 1);
		alarm(20);
		owned(db_close) struct db *db = world_open(world);
		world_run(world, db, id, 1);
		_exit(1);
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail_msg("%s was not reached: status %d", point, status);
}

static void end_it(struct world *world, int64_t id, struct arena *arena, struct work *ret)
{
	owned(db_close) struct db *db = world_open(world);
	assert_int_equal(db_work_get(db, id, arena, ret, NULL), 0);
	assert_true(work_is_unfinished(ret->state));
	assert_int_equal(db_work_of_vps(db, 1000001, arena, ret, NULL), 0);
	world_run(world, db, id, 1);
	assert_int_equal(db_work_get(db, id, arena, ret, NULL), 0);
}

static void try_point(
	const char *kind, const char *point, enum work_state end, const char *files, const char *sentence)
{
	void *state = NULL;
	assert_int_equal(world_make(&state), 0);
	struct world *world = state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct work work;
	char place[256];
	int64_t id;
	{
		owned(db_close) struct db *db = world_open(world);
		id = world_add(world, db, 1000001, kind);
	}
	run_until_killed(world, id, point);
	end_it(world, id, &arena, &work);
	if (work.state != end || strcmp(world_files(world, place), files) != 0 ||
		strcmp(work.error, sentence) != 0)
		fail_msg("%s: %s, files \"%s\", error \"%s\"", point, work_state_name(work.state),
			world_files(world, place), work.error);
	assert_int_equal(world_remove(&state), 0);
}

static void forward(void **state)
{
	(void)state;
	static const char *const points[] = {"works:one:before", "works:one:after", "works:two:before",
		"works:two:after", "works:three:before", "works:three:after"};
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		try_point("works", points[i], WORK_DONE, "one three two ", "");
}

static void on_the_way_to_the_failure(void **state)
{
	(void)state;
	static const char *const points[] = {"breaks:one:before", "breaks:one:after", "breaks:two:before",
		"breaks:two:after", "breaks:three:before"};
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		try_point("breaks", points[i], WORK_FAILED, "", "There is no room");
}

static void on_the_way_back(void **state)
{
	(void)state;
	static const char *const points[] = {"breaks:three:undo-before", "breaks:three:undo-after",
		"breaks:two:undo-before", "breaks:two:undo-after", "breaks:one:undo-before",
		"breaks:one:undo-after"};
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		try_point("breaks", points[i], WORK_FAILED, "", "There is no room");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forward),
		cmocka_unit_test(on_the_way_to_the_failure),
		cmocka_unit_test(on_the_way_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
