#include "api/counters.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include <pthread.h>
#include <string.h>
#include <time.h>

enum { FIRST_CAPACITY = 256, FLUSH_EVERY_MS = 500, BATCH = 512 };

struct counter {
	struct counter_key key;
	int64_t window_s[COUNTER_WINDOWS]; /* start of the window the counts belong to */
	int64_t known[COUNTER_WINDOWS];	   /* what the store said, this process's written counts included */
	int64_t pending;		   /* not in the store yet */
	int64_t flying;			   /* being written */
	bool is_asked;			   /* its totals are on their way from the store */
	bool in_use;
};

/* An open-addressing hash table; it grows, and forgets what is past every window when it does. */
struct counters {
	int64_t length_s[COUNTER_WINDOWS];
	counters_flush *flush;
	void *context;
	pthread_mutex_t lock;
	pthread_cond_t closing_changed;
	bool closing;
	bool store_is_away; /* said so in the log */
	struct counter *slots;
	size_t capacity, used, pending_count;
	pthread_t thread;
};

static size_t hash_of(const struct counter_key *key)
{
	uint64_t halves[2];
	memcpy(halves, key->bytes, sizeof(halves));
	uint64_t mixed = (halves[0] ^ halves[1] * 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
	return (size_t)(mixed ^ mixed >> 29);
}

static struct counter *slot_of(struct counter *slots, size_t capacity, const struct counter_key *key)
{
	size_t at = hash_of(key) & (capacity - 1);
	while (slots[at].in_use && memcmp(&slots[at].key, key, sizeof(*key)) != 0)
		at = (at + 1) & (capacity - 1);
	return &slots[at];
}

static bool is_worth_keeping(const struct counters *counters, const struct counter *counter, int64_t now_s)
{
	if (counter->pending || counter->is_asked)
		return true;
	for (int i = 0; i < COUNTER_WINDOWS; i++)
		if (counter->known[i] && counter->window_s[i] + counters->length_s[i] > now_s)
			return true;
	return false;
}

static void grow(struct counters *counters, int64_t now_s)
{
	size_t kept = 0;
	for (size_t i = 0; i < counters->capacity; i++)
		kept += counters->slots[i].in_use && is_worth_keeping(counters, &counters->slots[i], now_s);
	size_t capacity = FIRST_CAPACITY;
	while (capacity < 4 * kept)
		capacity *= 2;
	struct counter *slots = mem_alloc(capacity, sizeof(*slots));
	for (size_t i = 0; i < counters->capacity; i++) {
		struct counter *counter = &counters->slots[i];
		if (counter->in_use && is_worth_keeping(counters, counter, now_s))
			*slot_of(slots, capacity, &counter->key) = *counter;
	}
	free(counters->slots);
	counters->slots = slots;
	counters->capacity = capacity;
	counters->used = kept;
}

/* With the lock held: the key's counter, its windows turned to NOW_S. */
static struct counter *counter_of(struct counters *counters, const struct counter_key *key, int64_t now_s)
{
	if (2 * counters->used >= counters->capacity)
		grow(counters, now_s);
	struct counter *counter = slot_of(counters->slots, counters->capacity, key);
	if (!counter->in_use) {
		counter->in_use = true;
		counter->key = *key;
		counters->used++;
	}
	for (int i = 0; i < COUNTER_WINDOWS; i++) {
		int64_t start = now_s - now_s % counters->length_s[i];
		if (counter->window_s[i] == start)
			continue;
		counter->window_s[i] = start;
		counter->known[i] = 0;
	}
	return counter;
}

bool counters_spend(struct counters *counters, struct counter_key key, int64_t cost,
	const int64_t budget[COUNTER_WINDOWS], int64_t now_s, int64_t *ret_wait_s)
{
	bool fits = true;
	pthread_mutex_lock(&counters->lock);
	struct counter *counter = counter_of(counters, &key, now_s);
	for (int i = 0; i < COUNTER_WINDOWS; i++) {
		if (counter->known[i] + counter->flying + counter->pending + cost <= budget[i])
			continue;
		fits = false;
		*ret_wait_s = counter->window_s[i] + counters->length_s[i] - now_s;
	}
	if (fits && cost) {
		counters->pending_count += counter->pending == 0;
		counter->pending += cost;
	}
	pthread_mutex_unlock(&counters->lock);
	return fits;
}

void counters_used(
	struct counters *counters, struct counter_key key, int64_t now_s, int64_t used[COUNTER_WINDOWS])
{
	pthread_mutex_lock(&counters->lock);
	struct counter *counter = counter_of(counters, &key, now_s);
	for (int i = 0; i < COUNTER_WINDOWS; i++)
		used[i] = counter->known[i] + counter->flying + counter->pending;
	pthread_mutex_unlock(&counters->lock);
}

/* With the lock held: DELTA is on its way to the store. */
static struct counter_change take_off(struct counter *counter, int64_t delta)
{
	struct counter_change change = {.key = counter->key, .delta = delta};
	memcpy(change.window_s, counter->window_s, sizeof(change.window_s));
	counter->flying = delta;
	counter->is_asked = true;
	return change;
}

/* Takes up to BATCH pending counts; with the lock held. */
static size_t take_pending(struct counters *counters, struct counter_change *changes)
{
	size_t count = 0;
	for (size_t i = 0; counters->pending_count && i < counters->capacity && count < BATCH; i++) {
		struct counter *counter = &counters->slots[i];
		if (!counter->in_use || !counter->pending || counter->is_asked)
			continue;
		changes[count++] = take_off(counter, counter->pending);
		counter->pending = 0;
		counters->pending_count--;
	}
	return count;
}

/* With the lock held. */
static void settle(struct counters *counters, const struct counter_change *change, bool written)
{
	struct counter *counter = slot_of(counters->slots, counters->capacity, &change->key);
	counter->flying = 0;
	counter->is_asked = false;
	for (int i = 0; written && i < COUNTER_WINDOWS; i++)
		if (counter->window_s[i] == change->window_s[i])
			counter->known[i] = change->total[i];
	if (written || !change->delta)
		return;
	counters->pending_count += counter->pending == 0;
	counter->pending += change->delta;
}

/* Once when the store goes away and once when it is back, not twice a second. */
static void tell_store(struct counters *counters, bool written, const struct error *err)
{
	if (written && counters->store_is_away)
		log_info("counts are written again");
	if (!written && !counters->store_is_away)
		log_warning("counts are kept in memory for now: %s", err->message);
	counters->store_is_away = !written;
}

static void flush_all(struct counters *counters)
{
	struct counter_change *changes = mem_alloc(BATCH, sizeof(*changes));
	struct error err;
	for (;;) {
		pthread_mutex_lock(&counters->lock);
		size_t count = take_pending(counters, changes);
		pthread_mutex_unlock(&counters->lock);
		if (!count)
			break;
		bool written = counters->flush(counters->context, changes, count, &err) == 0;
		pthread_mutex_lock(&counters->lock);
		for (size_t i = 0; i < count; i++)
			settle(counters, &changes[i], written);
		tell_store(counters, written, &err);
		pthread_mutex_unlock(&counters->lock);
		if (!written)
			break;
	}
	free(changes);
}

int counters_read(struct counters *counters, struct counter_key key, int64_t now_s,
	int64_t used[COUNTER_WINDOWS], struct error *err)
{
	int rc = 0;
	pthread_mutex_lock(&counters->lock);
	struct counter *counter = counter_of(counters, &key, now_s);
	/* One that is on its way comes back with the totals in a moment. */
	if (!counter->is_asked) {
		struct counter_change change = take_off(counter, 0);
		pthread_mutex_unlock(&counters->lock);
		rc = counters->flush(counters->context, &change, 1, err);
		pthread_mutex_lock(&counters->lock);
		settle(counters, &change, rc == 0);
	}
	pthread_mutex_unlock(&counters->lock);
	counters_used(counters, key, now_s, used);
	return rc;
}

static void *flush_regularly(void *argument)
{
	struct counters *counters = argument;
	pthread_mutex_lock(&counters->lock);
	while (!counters->closing) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += FLUSH_EVERY_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&counters->closing_changed, &counters->lock, &until);
		bool pending = counters->pending_count > 0;
		pthread_mutex_unlock(&counters->lock);
		if (pending)
			flush_all(counters);
		pthread_mutex_lock(&counters->lock);
	}
	pthread_mutex_unlock(&counters->lock);
	return NULL;
}

int counters_new(const int64_t window_s[COUNTER_WINDOWS], counters_flush *flush, void *context,
	struct counters **ret, struct error *err)
{
	struct counters *counters = mem_new(struct counters);
	memcpy(counters->length_s, window_s, sizeof(counters->length_s));
	counters->flush = flush;
	counters->context = context;
	pthread_mutex_init(&counters->lock, NULL);
	pthread_cond_init(&counters->closing_changed, NULL);
	grow(counters, 0);
	int rc = pthread_create(&counters->thread, NULL, flush_regularly, counters);
	if (rc) {
		free(counters->slots);
		free(counters);
		return err_errno(err, rc, "start the counters' thread");
	}
	*ret = counters;
	return 0;
}

void counters_free(struct counters *counters)
{
	pthread_mutex_lock(&counters->lock);
	counters->closing = true;
	pthread_cond_signal(&counters->closing_changed);
	pthread_mutex_unlock(&counters->lock);
	pthread_join(counters->thread, NULL);
	flush_all(counters);
	pthread_cond_destroy(&counters->closing_changed);
	pthread_mutex_destroy(&counters->lock);
	free(counters->slots);
	free(counters);
}
