#include "work/run.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A service that is away for a moment (libvirtd restarted, the store failing over) is waited for. */
enum { TRIES = 6, RETRY_MS = 2000 };

/* Whether MOA_FAULT, a comma-separated list, names this point. */
static bool is_wanted(const struct work_kind *kind, const struct work_step *step, const char *point)
{
	const char *wanted = getenv("MOA_FAULT");
	char here[128];
	if (!wanted || !text_format(here, sizeof(here), "%s:%s:%s", kind->name, step->name, point))
		return false;
	size_t len = strlen(here);
	for (const char *at = wanted; (at = strstr(at, here)); at += len)
		if ((at == wanted || at[-1] == ',') && (at[len] == ',' || !at[len]))
			return true;
	return false;
}

/* Tests end the process here to prove that every border survives it. */
static void fault_point(const struct work_kind *kind, const struct work_step *step, const char *border)
{
	if (is_wanted(kind, step, border))
		kill(getpid(), SIGKILL);
}

/* Writing where it stands is what makes the work durable: without the store there is nothing to do but try
 * again. */
static void record(struct work_context *context)
{
	struct error err;
	context->work.updated_s = clock_unix_s();
	for (int i = 0; i < TRIES; i++) {
		if (db_work_update(context->db, &context->work, &err) == 0)
			return;
		poll(NULL, 0, RETRY_MS);
	}
	log_error("work %lld: its state cannot be recorded: %s", (long long)context->work.id, err.message);
}

void work_progress(struct work_context *context, int percent, const char *message)
{
	if (clock_unix_s() == context->work.updated_s)
		return;
	context->work.percent = percent;
	context->work.message = arena_strdup(context->arena, message);
	record(context);
}

typedef int step_function(struct work_context *context, struct error *err);

static int try_step(struct work_context *context, step_function *function, struct error *err)
{
	int rc = 0;
	for (int i = 0; i < TRIES; i++) {
		rc = function(context, err);
		if (rc != -ERR_UNAVAILABLE)
			return rc;
		log_warning("waiting: %s", err->message);
		poll(NULL, 0, RETRY_MS);
	}
	return rc;
}

/* A step's work, or the failure a test wants in its place once it is done: the undo has the most to undo
 * then. */
static int run_step(struct work_context *context, const struct work_kind *kind, const struct work_step *step,
	struct error *err)
{
	int rc = try_step(context, step->run, err);
	if (rc == 0 && is_wanted(kind, step, "fail"))
		return err_set(err, ERR_IO, "MOA_FAULT wants it");
	return rc;
}

/* What the operator reads where the failing part had no safe sentence of its own. */
static const char *sentence_of(const struct error *err)
{
	if (err->said[0])
		return err->said;
	if (err->code == ERR_UNAVAILABLE)
		return "A service the node needs, such as libvirtd, does not answer; moactl doctor says "
		       "which.";
	if (err->code == ERR_TIMEOUT)
		return "It took too long; the node's log says what.";
	return "It failed for a reason inside the node; its log says why.";
}

static void begin_undo(struct work_context *context, const struct error *err)
{
	log_error(
		"%s of VPS %lld failed: %s", context->work.kind, (long long)context->work.veid, err->message);
	context->work.state = WORK_UNDOING;
	context->work.message = "Undoing";
	context->work.error = sentence_of(err);
	record(context);
}

static void go_back(struct work_context *context, const struct work_kind *kind)
{
	struct error err;
	for (;;) {
		const struct work_step *step = &kind->steps[context->work.step];
		fault_point(kind, step, "undo-before");
		if (step->undo && try_step(context, step->undo, &err) < 0)
			log_error("undoing %s of %s: %s", step->name, kind->name, err.message);
		fault_point(kind, step, "undo-after");
		if (context->work.step == 0)
			break;
		context->work.step--;
		record(context);
	}
	context->work.state = WORK_FAILED;
	record(context);
}

void work_run(struct work_context *context, const struct work_kind *kind, bool (*stopping)(void *runner),
	void *runner)
{
	struct work *work = &context->work;
	struct error err;
	while (work->state == WORK_RUNNING && work->step < (int64_t)kind->step_count) {
		if (stopping(runner))
			return;
		const struct work_step *step = &kind->steps[work->step];
		work->percent = step->percent;
		work->message = step->message;
		record(context);
		fault_point(kind, step, "before");
		if (run_step(context, kind, step, &err) < 0) {
			begin_undo(context, &err);
			break;
		}
		fault_point(kind, step, "after");
		work->step++;
	}
	if (work->state == WORK_UNDOING) {
		go_back(context, kind);
		return;
	}
	work->state = WORK_DONE;
	work->percent = 100;
	work->message = "Done";
	record(context);
}
