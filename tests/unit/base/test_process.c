/* Programs run with bounds: exit status, output, time, and the whole group when it is killed. */
#include "base/memory.h"
#include "base/owned.h"
#include "base/process.h"
#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct process_result run_shell(const char *script, struct process_request request)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	struct process_result result;
	struct error err = {0};
	request.argv = argv;
	if (process_run(&request, &result, &err) < 0)
		fail_msg("%s", err.message);
	return result;
}

static void exit_status_and_output(void **state)
{
	(void)state;
	owned_in(process_result_done) struct process_result result =
		run_shell("echo out; echo err >&2; exit 3", (struct process_request){0});
	assert_int_equal(result.exit_status, 3);
	assert_string_equal(result.output.data, "out\nerr\n");
	assert_false(result.timed_out);
	assert_false(result.truncated);
}

static void death_by_signal(void **state)
{
	(void)state;
	owned_in(process_result_done) struct process_result result =
		run_shell("kill -TERM $$", (struct process_request){0});
	assert_int_equal(result.exit_status, 128 + SIGTERM);
	assert_false(result.timed_out);
}

static void a_missing_program_is_an_error(void **state)
{
	(void)state;
	const char *argv[] = {"/nonexistent/program", NULL};
	struct process_request request = {.argv = argv};
	struct process_result result;
	struct error err = {0};
	assert_int_equal(process_run(&request, &result, &err), -ERR_NOT_FOUND);
	process_result_done(&result);
	assert_int_equal(process_check(argv, 1000, &err), -ERR_NOT_FOUND);
}

static void input_is_given_and_ends(void **state)
{
	(void)state;
	owned_mem char *big = mem_alloc(1, 300000);
	memset(big, 'i', 300000);
	owned_in(process_result_done) struct process_result result =
		run_shell("wc -c", (struct process_request){.input = big, .input_len = 300000});
	assert_string_equal(result.output.data, "300000\n");
	owned_in(process_result_done) struct process_result none =
		run_shell("wc -c", (struct process_request){0});
	assert_string_equal(none.output.data, "0\n");
}

static void input_nobody_reads_is_no_failure(void **state)
{
	(void)state;
	owned_mem char *big = mem_alloc(1, 300000);
	owned_in(process_result_done) struct process_result result =
		run_shell("exec <&-; echo fine", (struct process_request){.input = big, .input_len = 300000});
	assert_int_equal(result.exit_status, 0);
	assert_string_equal(result.output.data, "fine\n");
}

static void output_is_capped(void **state)
{
	(void)state;
	owned_in(process_result_done) struct process_result result =
		run_shell("head -c 1000000 /dev/zero | tr '\\0' x; exit 4",
			(struct process_request){.max_output = 1000});
	assert_int_equal(result.output.len, 1000);
	assert_true(result.truncated);
	assert_false(result.timed_out);
	assert_int_equal(result.exit_status, 4);
}

static void the_environment_is_small(void **state)
{
	(void)state;
	setenv("MOA_TEST_SECRET", "leaks", 1);
	owned_in(process_result_done) struct process_result result =
		run_shell("env", (struct process_request){0});
	assert_null(strstr(result.output.data, "MOA_TEST_SECRET"));
	assert_non_null(strstr(result.output.data, "LC_ALL=C.UTF-8"));
	const char *env[] = {"ONLY=this", "PATH=/usr/bin:/bin", NULL};
	owned_in(process_result_done) struct process_result own =
		run_shell("echo \"$ONLY\"", (struct process_request){.env = env});
	assert_string_equal(own.output.data, "this\n");
}

static void no_descriptor_leaks_into_the_child(void **state)
{
	(void)state;
	int pipes[2];
	assert_int_equal(pipe(pipes), 0);
	owned_in(process_result_done) struct process_result result =
		run_shell("ls /proc/self/fd | wc -l", (struct process_request){0});
	/* 0, 1, 2 and the folder ls reads. */
	assert_string_equal(result.output.data, "4\n");
	close(pipes[0]);
	close(pipes[1]);
}

struct lines {
	char text[4096];
	int count;
	pid_t started;
};

static void note_line(void *context, const char *line)
{
	struct lines *lines = context;
	lines->count++;
	size_t used = strlen(lines->text);
	snprintf(lines->text + used, sizeof(lines->text) - used, "<%.60s>", line);
}

static void note_start(void *context, pid_t pid)
{
	((struct lines *)context)->started = pid;
}

static void lines_come_whole(void **state)
{
	(void)state;
	struct lines lines = {.text = ""};
	owned_in(process_result_done) struct process_result result = run_shell(
		"printf 'one\\ntw'; printf 'o\\n\\n50%%\\rthree\\nunfinished'",
		(struct process_request){.line = note_line, .started = note_start, .context = &lines});
	assert_int_equal(result.exit_status, 0);
	assert_string_equal(lines.text, "<one><two><50%><three>");
	assert_true(lines.started > 0);
	struct lines endless = {.text = ""};
	owned_in(process_result_done) struct process_result long_result =
		run_shell("head -c 2000 /dev/zero | tr '\\0' x",
			(struct process_request){.line = note_line, .context = &endless});
	assert_int_equal(long_result.output.len, 2000);
	assert_int_equal(endless.count, 3);
}

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

/* The group is killed: the shell's own child too, which would live for a minute. */
static void time_is_up_for_the_whole_group(void **state)
{
	(void)state;
	owned_in(process_result_done) struct process_result result =
		run_shell("sleep 60 & echo $!; wait", (struct process_request){.timeout_ms = 300});
	assert_true(result.timed_out);
	assert_int_equal(result.exit_status, 128 + SIGKILL);
	int64_t grandchild;
	result.output.data[strcspn(result.output.data, "\n")] = '\0';
	assert_true(text_to_int64(result.output.data, 1, INT32_MAX, &grandchild));
	/* Whoever adopts it reaps it in a moment. */
	for (int i = 0; i < 500 && !is_gone((pid_t)grandchild); i++)
		poll(NULL, 0, 10);
	char path[64], stat_line[256] = "";
	snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)grandchild);
	FILE *file = fopen(path, "re");
	if (file && fgets(stat_line, sizeof(stat_line), file))
		assert_non_null(strstr(stat_line, ") Z"));
	if (file)
		fclose(file);
}

static void closed_output_does_not_escape_the_limit(void **state)
{
	(void)state;
	owned_in(process_result_done) struct process_result result =
		run_shell("exec >&- 2>&-; sleep 60", (struct process_request){.timeout_ms = 300});
	assert_true(result.timed_out);
	assert_int_equal(result.exit_status, 128 + SIGKILL);
}

static void endless_output_does_not_escape_the_limit(void **state)
{
	(void)state;
	owned_in(process_result_done) struct process_result result =
		run_shell("yes", (struct process_request){.timeout_ms = 300, .max_output = 100});
	assert_true(result.timed_out);
	assert_true(result.truncated);
	assert_int_equal(result.output.len, 100);
}

static void signals_are_as_usual_in_the_child(void **state)
{
	(void)state;
	sigset_t set, before;
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, &before);
	owned_in(process_result_done) struct process_result result =
		run_shell("grep -E '^Sig(Blk|Ign)' /proc/self/status | cut -f2", (struct process_request){0});
	sigprocmask(SIG_SETMASK, &before, NULL);
	/* 32 and 33 are the C library's own: posix_spawn leaves them ignored. */
	assert_true(text_starts(result.output.data, "0000000000000000\n"));
	unsigned long long ignored = strtoull(result.output.data + 17, NULL, 16);
	assert_int_equal(ignored & ~(3ull << 31), 0);
}

static void check_tells_the_last_line(void **state)
{
	(void)state;
	struct error err = {0};
	const char *good[] = {"true", NULL};
	const char *bad[] = {"sh", "-c", "echo first; echo the reason; echo; exit 9", NULL};
	const char *slow[] = {"sleep", "60", NULL};
	assert_int_equal(process_check(good, 5000, &err), 0);
	assert_int_equal(process_check(bad, 5000, &err), -ERR_IO);
	assert_string_equal(err.message, "sh failed (9): the reason");
	assert_string_equal(err.said, "");
	assert_int_equal(process_check(slow, 100, &err), -ERR_TIMEOUT);
}

int main(void)
{
	/* As every daemon does. */
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_status_and_output),
		cmocka_unit_test(death_by_signal),
		cmocka_unit_test(a_missing_program_is_an_error),
		cmocka_unit_test(input_is_given_and_ends),
		cmocka_unit_test(input_nobody_reads_is_no_failure),
		cmocka_unit_test(output_is_capped),
		cmocka_unit_test(the_environment_is_small),
		cmocka_unit_test(no_descriptor_leaks_into_the_child),
		cmocka_unit_test(lines_come_whole),
		cmocka_unit_test(time_is_up_for_the_whole_group),
		cmocka_unit_test(closed_output_does_not_escape_the_limit),
		cmocka_unit_test(endless_output_does_not_escape_the_limit),
		cmocka_unit_test(signals_are_as_usual_in_the_child),
		cmocka_unit_test(check_tells_the_last_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
