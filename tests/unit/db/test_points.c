/* Rate points and guesses. */
#include "store.h"
#include "base/memory.h"
#include <string.h>

static void test_points(void **state)
{
	static const struct {
		int64_t veid, window_15min_s, window_24h_s, points, used_15min, used_24h;
	} steps[] = {
		{5, 900, 86400, 0, 0, 0},
		{5, 900, 86400, 3, 3, 3},
		{5, 900, 86400, 4, 7, 7},
		{6, 900, 86400, 1, 1, 1},
		{5, 900, 86400, 0, 7, 7},
		{5, 1800, 86400, 0, 0, 7},
		{5, 1800, 86400, 2, 2, 9},
		{5, 900, 86400, 5, 7, 14}, /* late: counts in the window the store has */
		{5, 1800, 172800, 1, 8, 1},
		{5, 2700, 172800, 0, 0, 1},
	};
	struct store *store = *state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct points_used used;
		struct points_delta delta = {
			steps[i].veid, steps[i].window_15min_s, steps[i].window_24h_s, steps[i].points};
		assert_good(db_points_add(store->db, &delta, 1, &used, &store->err));
		assert_int_equal(used.used_15min, steps[i].used_15min);
		assert_int_equal(used.used_24h, steps[i].used_24h);
	}
}

static void test_points_batch(void **state)
{
	struct store *store = *state;
	struct points_used used[4] = {0};
	struct points_delta deltas[] = {
		{9, 900, 900, 1}, {3, 900, 900, 2}, {9, 900, 900, 4}, {1, 900, 900, 0}};
	assert_good(db_points_add(store->db, deltas, 4, used, &store->err));
	/* The same VPS twice: whichever came first, the later one has the sum. */
	assert_int_equal(used[0].used_24h > used[2].used_24h ? used[0].used_24h : used[2].used_24h, 5);
	assert_int_equal(used[1].used_15min, 2);
	assert_int_equal(used[3].used_15min, 0);
	deltas[0].points = 0;
	assert_good(db_points_add(store->db, deltas, 1, used, &store->err));
	assert_int_equal(used[0].used_15min, 5);
	assert_good(db_points_add(store->db, NULL, 0, NULL, &store->err));
}

static void test_guesses(void **state)
{
	struct store *store = *state;
	int64_t totals[3];
	struct guess_delta deltas[] = {
		{"2001:db8::1", 1000, 2}, {"192.0.2.1", 1000, 3}, {"192.0.2.2", 1000, 0}};
	assert_good(db_guesses_add(store->db, deltas, 3, totals, &store->err));
	assert_int_equal(totals[0], 2);
	assert_int_equal(totals[1], 3);
	assert_int_equal(totals[2], 0);
	assert_good(db_guesses_add(store->db, deltas, 2, totals, &store->err));
	assert_int_equal(totals[0], 4);
	assert_int_equal(totals[1], 6);
	struct guess_delta newer = {"192.0.2.1", 2000, 1};
	assert_good(db_guesses_add(store->db, &newer, 1, totals, &store->err));
	assert_int_equal(totals[0], 1);
	/* A day and more later the others are gone; a late delta would still count on them otherwise. */
	struct guess_delta last = {"192.0.2.9", 2000 + 86400, 1};
	assert_good(db_guesses_add(store->db, &last, 1, totals, &store->err));
	deltas[0].count = 0;
	assert_good(db_guesses_add(store->db, deltas, 1, totals, &store->err));
	assert_int_equal(totals[0], 0);
	newer.count = 0;
	assert_good(db_guesses_add(store->db, &newer, 1, totals, &store->err));
	assert_int_equal(totals[0], 1); /* exactly a day old: kept */
	struct guess_delta long_source = {"1111:2222:3333:4444:5555:6666:7777:8888:9999:0", 1, 1};
	assert_fails(ERR_INVALID, db_guesses_add(store->db, &long_source, 1, totals, &store->err));
}

int run_points_tests(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_points),
		TEST(test_points_batch),
		TEST(test_guesses),
	};
	return cmocka_run_group_tests_name("points", tests, NULL, NULL);
}
