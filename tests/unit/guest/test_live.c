/* What is read from a guest's figures. */
#include "base/owned.h"
#include "guest/guest.h"
#include "shells.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

static struct guest_live parse(const char *text, struct arena *arena)
{
	struct guest_live live;
	guest_live_parse(text, strlen(text), arena, &live);
	return live;
}

static void plain_figures(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct guest_live live =
		parse("hostname web.example.com\nload 0.00 0.01 0.05 1/147 6101\nMemTotal: 2048000\n"
		      "MemAvailable: 1864624\nSwapTotal: 558076\nSwapFree: 558075\nconntrack 40\n"
		      "files 1024\t0\t99\ntcp 17",
			&arena);
	assert_string_equal(live.hostname, "web.example.com");
	assert_string_equal(live.load_average, "0.00 0.01 0.05 1/147 6101");
	assert_int_equal(live.mem_total_kb, 2048000);
	assert_int_equal(live.mem_available_kb, 1864624);
	assert_int_equal(live.swap_total_kb, 558076);
	assert_int_equal(live.swap_available_kb, 558075);
	assert_int_equal(live.conntrack_count, 40);
	assert_int_equal(live.open_files, 1024);
	assert_int_equal(live.tcp_sockets, 17);
}

static void nonsense_is_nothing(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct guest_live live =
		parse("load $(reboot)\nMemTotal: -5\nMemAvailable: 99999999999999999999\nSwapTotal: 1e9\n"
		      "SwapFree: 12kB\ntcp\nfiles  7\nconntrack 0x10\nMemTotal 7\n",
			&arena);
	assert_string_equal(live.hostname, "");
	assert_string_equal(live.load_average, "");
	assert_int_equal(live.mem_total_kb, 0);
	assert_int_equal(live.mem_available_kb, 0);
	assert_int_equal(live.swap_total_kb, 0);
	assert_int_equal(live.swap_available_kb, 0);
	assert_int_equal(live.tcp_sockets, 0);
	assert_int_equal(live.open_files, 0);
	assert_int_equal(live.conntrack_count, 0);
}

static void names_become_printable_and_short(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	char text[1024] = "hostname ";
	memset(text + 9, 'a', 900);
	assert_int_equal(strlen(parse(text, &arena).hostname), 253);
	assert_string_equal(parse("hostname a\x1b[2J\xff", &arena).hostname, "a?[2J?");
	assert_string_equal(parse("hostname first\nhostname second\n", &arena).hostname, "first");
}

static void this_machine_answers(void **state)
{
	(void)state;
	for (size_t i = 0; shells[i]; i++) {
		owned_in(arena_done) struct arena arena = ARENA_INIT;
		owned_in(process_result_done) struct process_result result;
		struct exec_request request;
		char name[256];
		guest_live_request(&arena, &request);
		run_request(shells[i], &request, &result);
		assert_int_equal(result.exit_status, 0);
		assert_false(result.truncated);
		struct guest_live live;
		guest_live_parse(result.output.data, result.output.len, &arena, &live);
		assert_int_equal(gethostname(name, sizeof(name)), 0);
		assert_string_equal(live.hostname, name);
		assert_non_null(strchr(live.load_average, '/'));
		assert_true(live.mem_total_kb > 0 && live.mem_available_kb > 0);
		assert_true(live.open_files > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_figures),
		cmocka_unit_test(nonsense_is_nothing),
		cmocka_unit_test(names_become_printable_and_short),
		cmocka_unit_test(this_machine_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
