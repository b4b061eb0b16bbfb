/* One work from where it stands to its end: forward, back, again when a service is away, and stopped between
 * steps. */
#include "world.h"
#include "base/owned.h"
#include "work/run.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static bool never(void *runner)
{
	(void)runner;
	return false;
}

/* RUNNER counts down the steps that may still begin. */
static bool after_some(void *runner)
{
	int *left = runner;
	return (*left)-- == 0;
}

static void run(struct world *world, struct db *db, int64_t id, const struct work_kind *kind,
	bool (*stopping)(void *runner), void *runner)
{
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct work_context context = {.owner = world, .db = db, .arena = &arena};
	assert_int_equal(db_work_get(db, id, &arena, &context.work, NULL), 0);
	work_run(&context, kind, stopping, runner);
}

static void forward(void **state)
{
	struct world *world = *state;
	owned(db_close) struct db *db = world_open(world);
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	int64_t id = world_add(world, db, 1000001, "works");
	char place[1024];
	struct work work;
	run(world, db, id, &kind_works, never, NULL);
	assert_int_equal(db_work_get(db, id, &arena, &work, NULL), 0);
	assert_int_equal(work.state, WORK_DONE);
	assert_int_equal(work.percent, 100);
	assert_string_equal(work.error, "");
	assert_string_equal(world_log(world, place), "one two three ");
	assert_int_equal(db_work_of_vps(db, 1000001, &arena, &work, NULL), -ERR_NOT_FOUND);
}

static void back_in_reverse_with_the_sentence(void **state)
{
	struct world *world = *state;
	owned(db_close) struct db *db = world_open(world);
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	int64_t id = world_add(world, db, 1000001, "breaks");
	char place[1024];
	struct work work;
	run(world, db, id, &kind_breaks, never, NULL);
	assert_int_equal(db_work_get(db, id, &arena, &work, NULL), 0);
	assert_int_equal(work.state, WORK_FAILED);
	assert_string_equal(work.error, "There is no room");
	/* The step that failed may have done half of its work: it is undone as well. */
	assert_string_equal(world_log(world, place), "one two three -three -two -one ");
	assert_string_equal(world_files(world, place), "");
	assert_int_equal(db_work_of_vps(db, 1000001, &arena, &work, NULL), -ERR_NOT_FOUND);
}

static void a_service_that_is_away_is_waited_for(void **state)
{
	struct world *world = *state;
	owned(db_close) struct db *db = world_open(world);
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	int64_t id = world_add(world, db, 0, "flickers");
	char place[1024];
	struct work work;
	run(world, db, id, &kind_flickers, never, NULL);
	assert_int_equal(db_work_get(db, id, &arena, &work, NULL), 0);
	assert_int_equal(work.state, WORK_DONE);
	assert_string_equal(world_log(world, place), "flicker flicker ");
}

static void stopped_between_steps_and_continued(void **state)
{
	struct world *world = *state;
	owned(db_close) struct db *db = world_open(world);
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	int64_t id = world_add(world, db, 1000001, "works");
	char place[1024];
	struct work work;
	int left = 2;
	run(world, db, id, &kind_works, after_some, &left);
	assert_int_equal(db_work_get(db, id, &arena, &work, NULL), 0);
	assert_int_equal(work.state, WORK_RUNNING);
	assert_string_equal(world_files(world, place), "one two ");
	assert_int_equal(db_work_of_vps(db, 1000001, &arena, &work, NULL), 0);
	run(world, db, id, &kind_works, never, NULL);
	assert_int_equal(db_work_get(db, id, &arena, &work, NULL), 0);
	assert_int_equal(work.state, WORK_DONE);
	assert_string_equal(world_files(world, place), "one three two ");
}

static int64_t seen_percent;
static char seen_message[64];

static int tell_progress(struct work_context *context, struct error *err)
{
	(void)err;
	struct work work;
	/* As if the step had begun a while ago: at most one record a second is written. */
	context->work.updated_s -= 5;
	work_progress(context, 33, "A third");
	work_progress(context, 66, "Too soon to be written");
	assert_int_equal(db_work_get(context->db, context->work.id, context->arena, &work, NULL), 0);
	seen_percent = work.percent;
	snprintf(seen_message, sizeof(seen_message), "%s", work.message);
	return 0;
}

static void progress_reaches_the_store(void **state)
{
	static const struct work_step steps[] = {{"tell", 10, "Beginning", tell_progress, NULL}};
	static const struct work_kind kind = {"tells", steps, 1};
	struct world *world = *state;
	owned(db_close) struct db *db = world_open(world);
	int64_t id = world_add(world, db, 0, "tells");
	run(world, db, id, &kind, never, NULL);
	assert_true(seen_percent == 33 || seen_percent == 66); /* 66 when the second turned in between */
	assert_true(strcmp(seen_message, "Beginning") != 0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, world_make, world_remove)
	const struct CMUnitTest tests[] = {
		TEST(forward),
		TEST(back_in_reverse_with_the_sentence),
		TEST(a_service_that_is_away_is_waited_for),
		TEST(stopped_between_steps_and_continued),
		TEST(progress_reaches_the_store),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
