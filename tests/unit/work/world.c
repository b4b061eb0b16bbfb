#include "world.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { AWAIT_MS = 30000 };

static void note(struct world *world, const char *word)
{
	owned_mem char *path = mem_printf("%s/log", world->folder);
	owned_fd int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	owned_mem char *line = mem_printf("%s ", word);
	fd_write_all(fd, line, strlen(line), NULL);
}

static char *file_of(struct work_context *context, const char *name)
{
	struct world *world = context->owner;
	return mem_printf("%s/%s", world->folder, name);
}

static int do_step(struct work_context *context, const char *name, struct error *err)
{
	owned_mem char *path = file_of(context, name);
	note(context->owner, name);
	return file_write_atomic(path, "", 0, 0600, err);
}

static int undo_step(struct work_context *context, const char *name)
{
	owned_mem char *path = file_of(context, name), *word = mem_printf("-%s", name);
	note(context->owner, word);
	unlink(path);
	return 0;
}

#define STEP(name) \
	static int run_##name(struct work_context *context, struct error *err) \
	{ \
		return do_step(context, #name, err); \
	} \
	static int undo_##name(struct work_context *context, struct error *err) \
	{ \
		(void)err; \
		return undo_step(context, #name); \
	}
STEP(one)
STEP(two)
STEP(three)

static int break_three(struct work_context *context, struct error *err)
{
	int rc = do_step(context, "three", err);
	return rc < 0 ? rc : err_say(err, ERR_CAPACITY, "There is no room");
}

static int flicker(struct work_context *context, struct error *err)
{
	owned_mem char *path = file_of(context, "flicker");
	bool first = access(path, F_OK) != 0;
	int rc = do_step(context, "flicker", err);
	if (rc == 0 && first)
		rc = err_set(err, ERR_UNAVAILABLE, "the service is away");
	return rc;
}

static const struct work_step works_steps[] = {{"one", 10, "First", run_one, undo_one},
	{"two", 50, "Second", run_two, undo_two}, {"three", 90, "Third", run_three, undo_three}};
static const struct work_step breaks_steps[] = {{"one", 10, "First", run_one, undo_one},
	{"two", 50, "Second", run_two, undo_two}, {"three", 90, "Third", break_three, undo_three}};
static const struct work_step flickers_steps[] = {{"flicker", 10, "Waiting", flicker, NULL}};
const struct work_kind kind_works = {"works", works_steps, ARRAY_LEN(works_steps)};
const struct work_kind kind_breaks = {"breaks", breaks_steps, ARRAY_LEN(breaks_steps)};
const struct work_kind kind_flickers = {"flickers", flickers_steps, ARRAY_LEN(flickers_steps)};
const struct work_kind *const world_kinds[] = {&kind_works, &kind_breaks, &kind_flickers, NULL};

static int add_node(struct world *world)
{
	owned(db_close) struct db *db = world_open(world);
	struct location location = {.id = "TEST_1", .name = "Test", .datacenter = "Test"};
	struct node node = {.alias = "node1",
		.location_id = "TEST_1",
		.ip = "192.0.2.9",
		.endpoint = "unix:/nowhere",
		.port_first = 20000,
		.port_last = 20100};
	int rc = db_location_set(db, &location, NULL);
	return rc < 0 ? rc : db_node_set(db, &node, &world->node_id, NULL);
}

int world_make(void **state)
{
	struct world *world = mem_new(struct world);
	log_open(LOG_LEVEL_ERROR, "unit");
	text_copy(world->folder, sizeof(world->folder), "/tmp/moa-work-XXXXXX");
	if (!mkdtemp(world->folder))
		return -1;
	text_format(world->url, sizeof(world->url), "sqlite:%s/moa.db", world->folder);
	*state = world;
	return add_node(world);
}

int world_remove(void **state)
{
	struct world *world = *state;
	unsetenv("MOA_FAULT");
	int rc = dir_remove_tree(world->folder, NULL);
	free(world);
	return rc;
}

struct db *world_open(struct world *world)
{
	struct db *db = NULL;
	struct error err = {0};
	if (db_open(world->url, &db, &err) < 0)
		fail_msg("%s", err.message);
	return db;
}

int64_t world_add(struct world *world, struct db *db, int64_t veid, const char *kind)
{
	struct work work = {.node_id = world->node_id,
		.veid = veid,
		.kind = kind,
		.args = "{}",
		.state = WORK_RUNNING,
		.title = "A test",
		.message = "Waiting",
		.error = "",
		.created_s = clock_unix_s(),
		.updated_s = clock_unix_s()};
	int64_t id = 0;
	struct error err = {0};
	if (db_work_add(db, &work, &id, &err) < 0)
		fail_msg("%s", err.message);
	return id;
}

void world_await(struct db *db, int64_t id, struct arena *arena, struct work *ret)
{
	struct error err = {0};
	for (int64_t until_ms = clock_monotonic_ms() + AWAIT_MS; clock_monotonic_ms() < until_ms;
		poll(NULL, 0, 5)) {
		if (db_work_get(db, id, arena, ret, &err) < 0)
			fail_msg("%s", err.message);
		if (!work_is_unfinished(ret->state))
			return;
	}
	fail_msg("work %lld does not end: %s at step %lld", (long long)id, work_state_name(ret->state),
		(long long)ret->step);
}

void world_run(struct world *world, struct db *db, int64_t id, unsigned threads)
{
	struct work_runner_config config = {.db = db,
		.node_id = world->node_id,
		.kinds = world_kinds,
		.threads = threads,
		.owner = world};
	struct work_runner *runner = NULL;
	struct error err = {0};
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct work work;
	if (work_runner_start(&config, &runner, &err) < 0)
		fail_msg("%s", err.message);
	world_await(db, id, &arena, &work);
	work_runner_stop(runner);
}

const char *world_files(struct world *world, char place[256])
{
	static const char *const names[] = {"flicker", "one", "three", "two"};
	place[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		owned_mem char *path = mem_printf("%s/%s", world->folder, names[i]);
		if (access(path, F_OK) == 0)
			snprintf(place + strlen(place), 256 - strlen(place), "%s ", names[i]);
	}
	return place;
}

const char *world_log(struct world *world, char place[1024])
{
	owned_mem char *path = mem_printf("%s/log", world->folder), *text = NULL;
	place[0] = '\0';
	if (file_read(path, 1023, &text, NULL, NULL) == 0)
		text_copy(place, 1024, text);
	return place;
}
