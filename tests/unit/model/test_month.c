/* The anniversary rule of traffic months. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/memory.h"
#include "model/month.h"
#include <stdio.h>
#include <time.h>

static int64_t seconds(const char *text)
{
	struct tm parts = {0};
	assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &parts));
	return timegm(&parts);
}

static void test_next_month(void **state)
{
	static const struct {
		const char *from;
		int day;
		const char *next;
	} rows[] = {
		{"2024-03-15 10:20:30", 15, "2024-04-15 10:20:30"},
		{"2024-01-31 13:00:00", 31, "2024-02-29 13:00:00"},
		{"2023-01-31 00:00:00", 31, "2023-02-28 00:00:00"},
		{"2023-02-28 00:00:00", 31, "2023-03-31 00:00:00"},
		{"2024-03-31 23:59:59", 31, "2024-04-30 23:59:59"},
		{"2024-12-31 23:59:59", 31, "2025-01-31 23:59:59"},
		{"2024-12-01 00:00:00", 1, "2025-01-01 00:00:00"},
		{"2100-01-30 12:00:00", 30, "2100-02-28 12:00:00"},
		{"2000-01-30 12:00:00", 30, "2000-02-29 12:00:00"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(month_next_s(seconds(rows[i].from), rows[i].day), seconds(rows[i].next));
}

static void test_day(void **state)
{
	(void)state;
	assert_int_equal(month_day(seconds("2024-02-29 23:59:59")), 29);
	assert_int_equal(month_day(seconds("2024-03-01 00:00:00")), 1);
	assert_int_equal(month_day(0), 1);
}

/* A year of turns ends on the day it started, whatever months lay between. */
static void test_short_months_do_not_pull(void **state)
{
	(void)state;
	for (int day = 1; day <= 31; day++) {
		char from[32], to[32];
		snprintf(from, sizeof(from), "2023-01-%02d 05:06:07", day);
		snprintf(to, sizeof(to), "2024-01-%02d 05:06:07", day);
		int64_t time = seconds(from);
		for (int i = 0; i < 12; i++) {
			int64_t next = month_next_s(time, day);
			assert_true(next - time >= 28 * 86400 && next - time <= 31 * 86400);
			time = next;
		}
		assert_int_equal(time, seconds(to));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next_month),
		cmocka_unit_test(test_day),
		cmocka_unit_test(test_short_months_do_not_pull),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
