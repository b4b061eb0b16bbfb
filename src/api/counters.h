/* Counts that must not cost a durable write a request: points of VPSs and wrong keys of addresses. Kept in
 * memory, added to the store every half second, where the counts of all api processes meet: they agree within
 * a second. */
#pragma once
#include "base/error.h"
#include "base/owned.h"
#include <stdbool.h>
#include <stdint.h>

enum { COUNTER_WINDOWS = 2 };

struct counter_key {
	unsigned char bytes[16];
};

/* One key's change on its way to the store, and the totals that came back. */
struct counter_change {
	struct counter_key key;
	int64_t window_s[COUNTER_WINDOWS]; /* starts of the windows it belongs to */
	int64_t delta;
	int64_t total[COUNTER_WINDOWS];
};
/* Adds the changes to the store and fills the totals; a delta of 0 only asks for them. */
typedef int counters_flush(void *context, struct counter_change *changes, size_t count, struct error *err);

struct counters;
/* WINDOW_S are the lengths of the windows in seconds. */
int counters_new(const int64_t window_s[COUNTER_WINDOWS], counters_flush *flush, void *context,
	struct counters **ret, struct error *err);
/* Writes what is left. */
void counters_free(struct counters *counters);
OWNED_DEFINE(struct counters, counters_free);

/* Adds COST when no window would go over its budget; false otherwise, with the seconds until it can in
 * *RET_WAIT_S. */
bool counters_spend(struct counters *counters, struct counter_key key, int64_t cost,
	const int64_t budget[COUNTER_WINDOWS], int64_t now_s, int64_t *ret_wait_s);
/* What the running windows hold as far as this process knows; what others spent is known half a second after
 * this one spent. */
void counters_used(
	struct counters *counters, struct counter_key key, int64_t now_s, int64_t used[COUNTER_WINDOWS]);
/* The same after asking the store, so what other processes have written counts. USED is filled on an error
 * too. */
int counters_read(struct counters *counters, struct counter_key key, int64_t now_s,
	int64_t used[COUNTER_WINDOWS], struct error *err);
