/* Finds unfinished work of this node and gives it to threads, oldest first. */
#include "work/work.h"
#include "work/run.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include <pthread.h>
#include <string.h>
#include <stdio.h>
#include <time.h>

enum { LOOK_AGAIN_S = 10, THREADS_MAX = 64 };

struct work_runner {
	struct work_runner_config config;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping;
	bool look;			/* there may be new work */
	int64_t under_way[THREADS_MAX]; /* work ids, by thread; 0 for none */
	pthread_t threads[THREADS_MAX];
	unsigned thread_count;
};

static bool is_stopping(void *context)
{
	struct work_runner *runner = context;
	pthread_mutex_lock(&runner->lock);
	bool stopping = runner->stopping;
	pthread_mutex_unlock(&runner->lock);
	return stopping;
}

/* With the lock held. */
static bool is_under_way(const struct work_runner *runner, int64_t id)
{
	for (unsigned i = 0; i < runner->thread_count; i++)
		if (runner->under_way[i] == id)
			return true;
	return false;
}

/* The oldest unfinished work no thread has; with the lock held. */
static bool find_work(struct work_runner *runner, struct arena *arena, struct work *ret)
{
	struct error err;
	int64_t after_id = 0;
	for (;;) {
		int rc = db_work_next(runner->config.db, runner->config.node_id, after_id, arena, ret, &err);
		if (rc < 0 && rc != -ERR_NOT_FOUND)
			log_warning("looking for work: %s", err.message);
		if (rc < 0)
			return false;
		if (!is_under_way(runner, ret->id))
			return true;
		after_id = ret->id;
	}
}

static const struct work_kind *kind_of(const struct work_runner *runner, const char *name)
{
	for (size_t i = 0; runner->config.kinds[i]; i++)
		if (text_equal(runner->config.kinds[i]->name, name))
			return runner->config.kinds[i];
	return NULL;
}

static void give_up(struct work_runner *runner, struct work *work, const char *why)
{
	log_error("work %lld (%s): %s", (long long)work->id, work->kind, why);
	work->state = WORK_FAILED;
	work->error = why;
	db_work_update(runner->config.db, work, NULL);
}

/* Whether it stands at a step of its kind. */
static bool is_sound(const struct work *work, const struct work_kind *kind)
{
	int64_t end = (int64_t)kind->step_count;
	return work->step >= 0 && (work->state == WORK_UNDOING ? work->step < end : work->step <= end);
}

static void do_work(struct work_runner *runner, struct work *work, struct arena *arena)
{
	const struct work_kind *kind = kind_of(runner, work->kind);
	owned(json_free) struct json *args = NULL;
	if (!kind) {
		give_up(runner, work, "this node does not know this kind of work");
		return;
	}
	if (json_parse(work->args, strlen(work->args), &args, NULL) < 0 || !is_sound(work, kind)) {
		give_up(runner, work, "its record is broken");
		return;
	}
	struct work_context context = {.owner = runner->config.owner,
		.db = runner->config.db,
		.work = *work,
		.args = args,
		.arena = arena};
	work_run(&context, kind, is_stopping, runner);
}

/* Waits until there may be work; with the lock held. */
static void wait_for_work(struct work_runner *runner)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LOOK_AGAIN_S;
	while (!runner->look && !runner->stopping)
		if (pthread_cond_timedwait(&runner->changed, &runner->lock, &until) != 0)
			return;
}

struct thread_start {
	struct work_runner *runner;
	unsigned index;
};

static void *serve(void *argument)
{
	struct thread_start start = *(struct thread_start *)argument;
	free(argument);
	struct work_runner *runner = start.runner;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct work work;
	pthread_mutex_lock(&runner->lock);
	while (!runner->stopping) {
		if (!find_work(runner, &arena, &work)) {
			runner->look = false;
			wait_for_work(runner);
		} else {
			runner->under_way[start.index] = work.id;
			pthread_mutex_unlock(&runner->lock);
			char id[32];
			snprintf(id, sizeof(id), "work %lld", (long long)work.id);
			log_id_set(id);
			do_work(runner, &work, &arena);
			log_id_set(NULL);
			pthread_mutex_lock(&runner->lock);
			runner->under_way[start.index] = 0;
		}
		arena_reset(&arena);
	}
	pthread_mutex_unlock(&runner->lock);
	return NULL;
}

int work_runner_start(const struct work_runner_config *config, struct work_runner **ret, struct error *err)
{
	struct work_runner *runner = mem_new(struct work_runner);
	runner->config = *config;
	runner->look = true;
	pthread_mutex_init(&runner->lock, NULL);
	pthread_cond_init(&runner->changed, NULL);
	unsigned wanted = config->threads < THREADS_MAX ? config->threads : THREADS_MAX;
	for (unsigned i = 0; i < wanted; i++) {
		struct thread_start *start = mem_new(struct thread_start);
		*start = (struct thread_start){runner, i};
		pthread_mutex_lock(&runner->lock);
		int rc = pthread_create(&runner->threads[i], NULL, serve, start);
		runner->thread_count += rc == 0;
		pthread_mutex_unlock(&runner->lock);
		if (rc) {
			free(start);
			work_runner_stop(runner);
			return err_errno(err, rc, "start a work thread");
		}
	}
	*ret = runner;
	return 0;
}

void work_runner_poke(struct work_runner *runner)
{
	pthread_mutex_lock(&runner->lock);
	runner->look = true;
	pthread_cond_broadcast(&runner->changed);
	pthread_mutex_unlock(&runner->lock);
}

void work_runner_stop(struct work_runner *runner)
{
	pthread_mutex_lock(&runner->lock);
	runner->stopping = true;
	pthread_cond_broadcast(&runner->changed);
	pthread_mutex_unlock(&runner->lock);
	for (unsigned i = 0; i < runner->thread_count; i++)
		pthread_join(runner->threads[i], NULL);
	pthread_cond_destroy(&runner->changed);
	pthread_mutex_destroy(&runner->lock);
	free(runner);
}
