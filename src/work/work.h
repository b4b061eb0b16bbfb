/* The work engine: slow work as rows of the store, done step by step, continued after a crash at the recorded
 * step or undone. A kind is a table of steps; each step and each undo may run again after a crash, so both
 * are idempotent. Every border between steps is a fault point: MOA_FAULT=kind:step:before|after (undo steps:
 * kind:step:undo-before|undo-after) ends the process there, and kind:step:fail makes a step fail after it
 * ran; a list of them is separated by commas. */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "db/db.h"
#include "json/reader.h"
#include "model/work.h"

/* One run of a work; lives on the runner's thread. */
struct work_context {
	void *owner; /* work_runner_config.owner */
	struct db *db;
	struct work work;
	const struct json *args; /* work.args, parsed */
	struct arena *arena;	 /* of this step */
};

struct work_step {
	const char *name;
	int percent;	     /* completed_percent when it begins */
	const char *message; /* friendly_progress_message while it runs */
	int (*run)(struct work_context *context, struct error *err);
	int (*undo)(struct work_context *context, struct error *err); /* NULL: nothing to undo */
};

struct work_kind {
	const char *name;
	const struct work_step *steps;
	size_t step_count;
};

/* Shows that a long step goes on: percent of the whole work and what it is at. Written to the store at most
 * once a second. */
void work_progress(struct work_context *context, int percent, const char *message);

struct work_runner_config {
	struct db *db;
	int64_t node_id;
	const struct work_kind *const *kinds; /* ends with NULL */
	unsigned threads;
	void *owner;
};

struct work_runner;
int work_runner_start(const struct work_runner_config *config, struct work_runner **ret, struct error *err);
/* Looks for new work now. Any thread. */
void work_runner_poke(struct work_runner *runner);
/* No further steps begin; those under way end; the rest is continued by the next start. */
void work_runner_stop(struct work_runner *runner);
