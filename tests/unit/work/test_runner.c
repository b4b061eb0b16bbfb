/* The runner: who takes which work, what it gives up, and that it looks when it is poked. */
#include "world.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/owned.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static void each_work_is_done_once(void **state)
{
	enum { WORKS = 12 };
	struct world *world = *state;
	owned(db_close) struct db *db = world_open(world);
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	int64_t ids[WORKS];
	struct work work;
	char place[1024];
	for (int i = 0; i < WORKS; i++)
		ids[i] = world_add(world, db, 1000001 + i, "works");
	for (int i = 0; i < WORKS; i++)
		world_run(world, db, ids[i], 4);
	for (int i = 0; i < WORKS; i++) {
		assert_int_equal(db_work_get(db, ids[i], &arena, &work, NULL), 0);
		assert_int_equal(work.state, WORK_DONE);
	}
	int steps = 0;
	for (const char *at = world_log(world, place); *at; at++)
		steps += *at == ' ';
	/* A step may run again where the runner was stopped at its border. */
	assert_in_range(steps, 3 * WORKS, 3 * WORKS + 4 * (WORKS - 1));
}

static void poked_it_looks(void **state)
{
	struct world *world = *state;
	owned(db_close) struct db *db = world_open(world);
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct work_runner_config config = {
		.db = db, .node_id = world->node_id, .kinds = world_kinds, .threads = 2, .owner = world};
	struct work_runner *runner = NULL;
	struct work work;
	assert_int_equal(work_runner_start(&config, &runner, NULL), 0);
	for (int i = 0; i < 3; i++) {
		int64_t id = world_add(world, db, 1000001, "works");
		work_runner_poke(runner);
		world_await(db, id, &arena, &work);
		assert_int_equal(work.state, WORK_DONE);
	}
	work_runner_stop(runner);
}

static void other_nodes_work_is_left_alone(void **state)
{
	struct world *world = *state;
	owned(db_close) struct db *db = world_open(world);
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct node other = {.alias = "node2",
		.location_id = "TEST_1",
		.ip = "192.0.2.10",
		.endpoint = "unix:/nowhere2",
		.port_first = 20000,
		.port_last = 20100};
	struct world elsewhere = *world;
	struct work work;
	assert_int_equal(db_node_set(db, &other, &elsewhere.node_id, NULL), 0);
	int64_t theirs = world_add(&elsewhere, db, 1000001, "works");
	int64_t ours = world_add(world, db, 1000002, "works");
	world_run(world, db, ours, 2);
	assert_int_equal(db_work_get(db, theirs, &arena, &work, NULL), 0);
	assert_int_equal(work.state, WORK_RUNNING);
	assert_int_equal(work.step, 0);
}

/* Adds a work as given, runs it, and tells how it ended. */
static void given_up(struct world *world, struct work work, const char *sentence)
{
	owned(db_close) struct db *db = world_open(world);
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct work end;
	int64_t id = 0;
	work.node_id = world->node_id;
	work.title = work.message = work.error = "";
	assert_int_equal(db_work_add(db, &work, &id, NULL), 0);
	work.id = id;
	assert_int_equal(db_work_update(db, &work, NULL), 0);
	world_run(world, db, id, 1);
	assert_int_equal(db_work_get(db, id, &arena, &end, NULL), 0);
	assert_int_equal(end.state, WORK_FAILED);
	assert_string_equal(end.error, sentence);
}

static void broken_records_are_given_up(void **state)
{
	struct world *world = *state;
	static const char unknown[] = "this node does not know this kind of work",
			  broken[] = "its record is broken";
	char place[1024];
	given_up(world, (struct work){.veid = 1000001, .kind = "nonsense", .args = "{}"}, unknown);
	given_up(world, (struct work){.veid = 1000001, .kind = "works", .args = "{"}, broken);
	given_up(world, (struct work){.veid = 1000001, .kind = "works", .args = "{}", .step = -1}, broken);
	given_up(world, (struct work){.veid = 1000001, .kind = "works", .args = "{}", .step = 4}, broken);
	given_up(world,
		(struct work){
			.veid = 1000001, .kind = "works", .args = "{}", .step = 3, .state = WORK_UNDOING},
		broken);
	assert_string_equal(world_log(world, place), "");
}

static void the_vps_is_locked_meanwhile(void **state)
{
	struct world *world = *state;
	owned(db_close) struct db *db = world_open(world);
	int64_t id = world_add(world, db, 1000001, "works");
	struct work second = {.node_id = world->node_id,
		.veid = 1000001,
		.kind = "works",
		.args = "{}",
		.title = "",
		.message = "",
		.error = ""};
	int64_t ignored;
	assert_int_equal(db_work_add(db, &second, &ignored, NULL), -ERR_LOCKED);
	world_run(world, db, id, 1);
	assert_int_equal(db_work_add(db, &second, &ignored, NULL), 0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, world_make, world_remove)
	const struct CMUnitTest tests[] = {
		TEST(each_work_is_done_once),
		TEST(poked_it_looks),
		TEST(other_nodes_work_is_left_alone),
		TEST(broken_records_are_given_up),
		TEST(the_vps_is_locked_meanwhile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
