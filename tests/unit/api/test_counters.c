/* Counts behind a store: windows, budgets, a store that is away, and several processes on one store. The
 * store is a small table here, whose answers a test can hold back. */
#include "api/counters.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

enum { ROWS_MAX = 4096, SHORT_S = 900, LONG_S = 86400, NOON = 1800000000 / LONG_S * LONG_S + LONG_S / 2 };

static const int64_t lengths[COUNTER_WINDOWS] = {SHORT_S, LONG_S};

struct row {
	struct counter_key key;
	int64_t window_s[COUNTER_WINDOWS], total[COUNTER_WINDOWS];
};

struct store {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct row rows[ROWS_MAX];
	size_t count;
	int writes;   /* changes with a count */
	int attempts; /* flushes, failed ones too */
	bool is_away; /* answers with an error */
	bool is_slow; /* lets flushes wait */
	int waiting;  /* flushes that do */
};

static struct row *row_of(struct store *store, const struct counter_key *key)
{
	for (size_t i = 0; i < store->count; i++)
		if (memcmp(&store->rows[i].key, key, sizeof(*key)) == 0)
			return &store->rows[i];
	assert_true(store->count < ROWS_MAX);
	store->rows[store->count].key = *key;
	return &store->rows[store->count++];
}

static void apply(struct store *store, struct counter_change *change)
{
	struct row *row = row_of(store, &change->key);
	store->writes += change->delta != 0;
	for (int i = 0; i < COUNTER_WINDOWS; i++) {
		if (row->window_s[i] < change->window_s[i]) {
			row->window_s[i] = change->window_s[i];
			row->total[i] = 0;
		}
		row->total[i] += change->delta;
		change->total[i] = row->total[i];
	}
}

static int flush(void *context, struct counter_change *changes, size_t count, struct error *err)
{
	struct store *store = context;
	pthread_mutex_lock(&store->lock);
	store->attempts++;
	store->waiting++;
	pthread_cond_broadcast(&store->changed);
	while (store->is_slow)
		pthread_cond_wait(&store->changed, &store->lock);
	store->waiting--;
	bool away = store->is_away;
	for (size_t i = 0; !away && i < count; i++)
		apply(store, &changes[i]);
	pthread_cond_broadcast(&store->changed);
	pthread_mutex_unlock(&store->lock);
	return away ? err_set(err, ERR_UNAVAILABLE, "the store is away") : 0;
}

static int open_store(void **state)
{
	struct store *store = mem_new(struct store);
	pthread_mutex_init(&store->lock, NULL);
	pthread_cond_init(&store->changed, NULL);
	log_open(LOG_LEVEL_ERROR, "unit");
	*state = store;
	return 0;
}

static int close_store(void **state)
{
	struct store *store = *state;
	pthread_cond_destroy(&store->changed);
	pthread_mutex_destroy(&store->lock);
	free(store);
	return 0;
}

static struct counters *open_counters(struct store *store)
{
	struct counters *counters = NULL;
	assert_int_equal(counters_new(lengths, flush, store, &counters, NULL), 0);
	return counters;
}

static struct counter_key key(unsigned char number)
{
	return (struct counter_key){{number}};
}

static int64_t total(struct store *store, unsigned char number)
{
	struct counter_key wanted = key(number);
	pthread_mutex_lock(&store->lock);
	int64_t found = row_of(store, &wanted)->total[1];
	pthread_mutex_unlock(&store->lock);
	return found;
}

/* Half a minute at most; flushes come every half second. */
#define AWAIT(condition) \
	do { \
		int64_t until_ms_ = clock_monotonic_ms() + 30000; \
		while (!(condition) && clock_monotonic_ms() < until_ms_) \
			poll(NULL, 0, 5); \
		assert_true(condition); \
	} while (0)

static bool spend(struct counters *counters, unsigned char number, int64_t cost, int64_t now_s)
{
	static const int64_t budget[COUNTER_WINDOWS] = {100, 250};
	int64_t wait_s = -1;
	return counters_spend(counters, key(number), cost, budget, now_s, &wait_s);
}

static void a_budget_is_kept_to_the_point(void **state)
{
	owned(counters_free) struct counters *counters = open_counters(*state);
	const int64_t budget[COUNTER_WINDOWS] = {100, 250};
	int64_t wait_s = -1, used[COUNTER_WINDOWS];
	assert_true(spend(counters, 1, 99, NOON));
	assert_false(spend(counters, 1, 2, NOON));
	assert_true(spend(counters, 1, 1, NOON));
	assert_false(counters_spend(counters, key(1), 1, budget, NOON + 10, &wait_s));
	assert_int_equal(wait_s, SHORT_S - 10);
	assert_true(spend(counters, 1, 0, NOON));
	assert_true(spend(counters, 2, 100, NOON));
	counters_used(counters, key(1), NOON, used);
	assert_int_equal(used[0], 100);
	assert_int_equal(used[1], 100);
}

static void windows_turn_each_at_its_time(void **state)
{
	owned(counters_free) struct counters *counters = open_counters(*state);
	const int64_t budget[COUNTER_WINDOWS] = {100, 250};
	int64_t used[COUNTER_WINDOWS], wait_s = -1;
	struct store *store = *state;
	assert_true(spend(counters, 1, 100, NOON));
	AWAIT(total(store, 1) == 100);
	assert_false(spend(counters, 1, 1, NOON + SHORT_S - 1));
	assert_true(spend(counters, 1, 100, NOON + SHORT_S));
	AWAIT(total(store, 1) == 200);
	counters_used(counters, key(1), NOON + SHORT_S, used);
	assert_int_equal(used[0], 100);
	assert_int_equal(used[1], 200);
	assert_true(spend(counters, 1, 50, NOON + 2 * SHORT_S));
	/* Now the day is full: the wait is to its end. */
	assert_false(counters_spend(counters, key(1), 1, budget, NOON + 2 * SHORT_S, &wait_s));
	assert_int_equal(wait_s, LONG_S / 2 - 2 * SHORT_S);
	/* What is not written yet would count in the new day. */
	AWAIT(total(store, 1) == 250);
	assert_true(spend(counters, 1, 100, NOON + LONG_S));
}

static void counts_reach_the_store_and_come_back_together(void **state)
{
	struct store *store = *state;
	owned(counters_free) struct counters *one = open_counters(store), *other = open_counters(store);
	int64_t used[COUNTER_WINDOWS];
	assert_true(spend(one, 1, 60, NOON));
	AWAIT(total(store, 1) == 60);
	/* The other process learns it with its own first count. */
	assert_true(spend(other, 1, 1, NOON));
	AWAIT((counters_used(other, key(1), NOON, used), used[0] == 61));
	assert_false(spend(other, 1, 40, NOON));
	assert_true(spend(other, 1, 39, NOON));
	assert_true(spend(one, 2, 1, NOON));
	AWAIT(total(store, 1) == 100);
}

static void reading_asks_the_store(void **state)
{
	struct store *store = *state;
	owned(counters_free) struct counters *one = open_counters(store), *other = open_counters(store);
	int64_t used[COUNTER_WINDOWS];
	assert_true(spend(one, 1, 60, NOON));
	AWAIT(total(store, 1) == 60);
	int writes = store->writes;
	assert_int_equal(counters_read(other, key(1), NOON, used, NULL), 0);
	assert_int_equal(used[0], 60);
	assert_int_equal(used[1], 60);
	assert_int_equal(store->writes, writes);
	/* What is not written yet counts as well. */
	assert_true(spend(other, 1, 5, NOON));
	assert_int_equal(counters_read(other, key(1), NOON, used, NULL), 0);
	assert_int_equal(used[0], 65);
}

static void an_asked_store_that_is_away_changes_nothing(void **state)
{
	struct store *store = *state;
	owned(counters_free) struct counters *counters = open_counters(store);
	int64_t used[COUNTER_WINDOWS];
	struct error err = {0};
	assert_true(spend(counters, 1, 7, NOON));
	AWAIT(total(store, 1) == 7);
	store->is_away = true;
	assert_int_equal(counters_read(counters, key(1), NOON, used, &err), -ERR_UNAVAILABLE);
	assert_int_equal(used[0], 7);
	store->is_away = false;
	assert_int_equal(counters_read(counters, key(1), NOON, used, &err), 0);
	assert_int_equal(used[0], 7);
}

static void nothing_is_lost_while_the_store_is_away(void **state)
{
	struct store *store = *state;
	owned(counters_free) struct counters *counters = open_counters(store);
	int64_t used[COUNTER_WINDOWS];
	store->is_away = true;
	assert_true(spend(counters, 1, 40, NOON));
	AWAIT(store->attempts >= 1);
	assert_true(spend(counters, 1, 40, NOON));
	AWAIT(store->attempts >= 3);
	counters_used(counters, key(1), NOON, used);
	assert_int_equal(used[0], 80);
	assert_false(spend(counters, 1, 21, NOON));
	store->is_away = false;
	AWAIT(total(store, 1) == 80);
	AWAIT((counters_used(counters, key(1), NOON, used), used[0] == 80));
	assert_int_equal(store->writes, 1);
}

static void a_count_on_its_way_is_counted_once(void **state)
{
	struct store *store = *state;
	owned(counters_free) struct counters *counters = open_counters(store);
	int64_t used[COUNTER_WINDOWS];
	store->is_slow = true;
	assert_true(spend(counters, 1, 60, NOON));
	AWAIT(store->waiting == 1);
	assert_true(spend(counters, 1, 30, NOON));
	assert_false(spend(counters, 1, 11, NOON));
	/* A reader does not wait for what is on its way. */
	assert_int_equal(counters_read(counters, key(1), NOON, used, NULL), 0);
	assert_int_equal(used[0], 90);
	pthread_mutex_lock(&store->lock);
	store->is_slow = false;
	pthread_cond_broadcast(&store->changed);
	pthread_mutex_unlock(&store->lock);
	AWAIT(total(store, 1) == 90);
	counters_used(counters, key(1), NOON, used);
	assert_int_equal(used[0], 90);
}

static void the_end_writes_what_is_left(void **state)
{
	struct store *store = *state;
	struct counters *counters = open_counters(store);
	for (unsigned char i = 0; i < 200; i++)
		assert_true(spend(counters, i, i + 1 > 100 ? 100 : i + 1, NOON));
	counters_free(counters);
	for (unsigned char i = 0; i < 200; i++)
		assert_int_equal(total(store, i), i + 1 > 100 ? 100 : i + 1);
}

static struct counter_key many_key(uint32_t number)
{
	struct counter_key many = {{0}};
	memcpy(many.bytes, &number, sizeof(number));
	return many;
}

/* More keys than the table begins with and than one flush takes: it grows and forgets nobody. */
static void many_keys(void **state)
{
	enum { KEYS = 3000 };
	struct store *store = *state;
	owned(counters_free) struct counters *counters = open_counters(store);
	const int64_t budget[COUNTER_WINDOWS] = {5, 5};
	int64_t wait_s, used[COUNTER_WINDOWS];
	for (int round = 0; round < 5; round++)
		for (uint32_t i = 0; i < KEYS; i++)
			assert_true(counters_spend(counters, many_key(i), 1, budget, NOON, &wait_s));
	/* Whoever only looks takes no room for long. */
	for (uint32_t i = KEYS; i < 20 * KEYS; i++)
		counters_used(counters, many_key(i), NOON, used);
	for (uint32_t i = 0; i < KEYS; i++)
		assert_false(counters_spend(counters, many_key(i), 1, budget, NOON, &wait_s));
}

struct crowd {
	struct counters *counters;
	int fitted;
};

static void *spend_in_a_crowd(void *argument)
{
	struct crowd *crowd = argument;
	const int64_t budget[COUNTER_WINDOWS] = {1000, 1000};
	int64_t wait_s;
	for (int i = 0; i < 1000; i++)
		crowd->fitted += counters_spend(crowd->counters, key(9), 1, budget, NOON, &wait_s);
	return NULL;
}

static void threads_together_get_the_budget_and_no_more(void **state)
{
	struct store *store = *state;
	owned(counters_free) struct counters *counters = open_counters(store);
	struct crowd crowds[4];
	pthread_t threads[4];
	int fitted = 0;
	for (int i = 0; i < 4; i++) {
		crowds[i] = (struct crowd){counters, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, spend_in_a_crowd, &crowds[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		fitted += crowds[i].fitted;
	}
	assert_int_equal(fitted, 1000);
	AWAIT(total(store, 9) == 1000);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)
	const struct CMUnitTest tests[] = {
		TEST(a_budget_is_kept_to_the_point),
		TEST(windows_turn_each_at_its_time),
		TEST(counts_reach_the_store_and_come_back_together),
		TEST(reading_asks_the_store),
		TEST(an_asked_store_that_is_away_changes_nothing),
		TEST(nothing_is_lost_while_the_store_is_away),
		TEST(a_count_on_its_way_is_counted_once),
		TEST(the_end_writes_what_is_left),
		TEST(many_keys),
		TEST(threads_together_get_the_budget_and_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
