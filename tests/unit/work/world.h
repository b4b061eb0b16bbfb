/* What the engine's tests act on: a folder with a store of its own, and kinds of work whose steps leave a
 * file each, so that the end of a work can be seen from outside whatever process did it. */
#pragma once
#include "work/work.h"

struct world {
	char folder[64];
	char url[96];
	int64_t node_id;
};

/* cmocka's set-up and tear-down; *state is the world. */
int world_make(void **state);
int world_remove(void **state);

/* Steps one, two and three each make a file of their name; undoing takes it away. In "breaks" the third fails
 * with a sentence for the customer. "flickers" is one step whose service is away the first time. */
extern const struct work_kind kind_works, kind_breaks, kind_flickers;
extern const struct work_kind *const world_kinds[];

struct db *world_open(struct world *world);
int64_t world_add(struct world *world, struct db *db, int64_t veid, const char *kind);
/* Waits until the work has ended, half a minute at most. */
void world_await(struct db *db, int64_t id, struct arena *arena, struct work *ret);
/* Runs everything unfinished to its end in this process, with THREADS threads. */
void world_run(struct world *world, struct db *db, int64_t id, unsigned threads);
/* The files there are, sorted: "one two ". In PLACE, returned. */
const char *world_files(struct world *world, char place[256]);
/* What the steps did, in order: "one two three ". In PLACE, returned. */
const char *world_log(struct world *world, char place[1024]);
