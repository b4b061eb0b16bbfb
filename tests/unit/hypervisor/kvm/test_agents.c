/* Turns at agents, and mute ones. */
#include "base/clock.h"
#include "base/owned.h"
#include "hypervisor/kvm/agents.h"
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { LONG_MS = 60000 };

static struct agents agents;

static int turn_of(const char *name, int64_t wait_ms, struct agent_turn *turn)
{
	struct error err = {0};
	return agents_take_turn(&agents, name, clock_monotonic_ms() + wait_ms, turn, &err);
}

static void test_one_at_a_time(void **state)
{
	(void)state;
	struct agent_turn first = {0}, second = {0}, other = {0};
	assert_int_equal(turn_of("a", LONG_MS, &first), 0);
	assert_int_equal(turn_of("a", 1, &second), -ERR_UNAVAILABLE);
	agents_end_turn(&second); /* was nobody's */
	assert_int_equal(turn_of("b", LONG_MS, &other), 0);
	agents_end_turn(&first);
	assert_int_equal(turn_of("a", LONG_MS, &second), 0);
	agents_end_turn(&second);
	agents_end_turn(&other);
	assert_null(agents.turns);
}

static void *wait_for_turn(void *opaque)
{
	(void)opaque;
	struct agent_turn turn = {0};
	int rc = turn_of("c", LONG_MS, &turn);
	agents_end_turn(&turn);
	return (void *)(intptr_t)rc;
}

static void test_waits_for_its_turn(void **state)
{
	(void)state;
	struct agent_turn turn = {0};
	pthread_t thread;
	void *rc = NULL;
	assert_int_equal(turn_of("c", LONG_MS, &turn), 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_turn, NULL), 0);
	agents_end_turn(&turn);
	assert_int_equal(pthread_join(thread, &rc), 0);
	assert_int_equal((intptr_t)rc, 0);
}

/* Whoever waits for an agent that turns out to be mute goes at once. */
static void test_mute(void **state)
{
	(void)state;
	struct agent_turn turn = {0};
	pthread_t thread;
	void *rc = NULL;
	assert_int_equal(turn_of("c", LONG_MS, &turn), 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_turn, NULL), 0);
	agents_strike(&agents, "c");
	agents_end_turn(&turn);
	assert_int_equal(pthread_join(thread, &rc), 0);
	assert_int_equal((intptr_t)rc, -ERR_UNAVAILABLE);
	assert_int_equal(turn_of("c", LONG_MS, &turn), -ERR_UNAVAILABLE);
	agents_forget(&agents, "another");
	assert_int_equal(turn_of("c", LONG_MS, &turn), -ERR_UNAVAILABLE);
	agents_forget(&agents, "c");
	assert_int_equal(turn_of("c", LONG_MS, &turn), 0);
	agents_end_turn(&turn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_waits_for_its_turn),
		cmocka_unit_test(test_mute),
	};
	agents_init(&agents);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	agents_done(&agents);
	return rc;
}
