/* The programs that change nothing outside a folder, really run under each shell. */
#include "base/fd.h"
#include "base/memory.h"
#include "base/owned.h"
#include "base/text.h"
#include "guest/guest.h"
#include "shells.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

struct outcome {
	struct arena arena;
	struct process_result result;
};

static void outcome_done(struct outcome *outcome)
{
	process_result_done(&outcome->result);
	arena_done(&outcome->arena);
}

static struct outcome run_shell(const char *const *shell, const char *command)
{
	struct outcome outcome = {.arena = ARENA_INIT};
	struct exec_request request;
	guest_shell_request(command, &outcome.arena, &request);
	run_request(shell, &request, &outcome.result);
	return outcome;
}

static void assert_shell(const char *command, int status, const char *output)
{
	for (size_t i = 0; shells[i]; i++) {
		owned_in(outcome_done) struct outcome outcome = run_shell(shells[i], command);
		assert_string_equal(outcome.result.output.data, output);
		assert_int_equal(outcome.result.exit_status, status);
	}
}

static void commands(void **state)
{
	(void)state;
	assert_shell("echo hello", 0, "hello\n");
	assert_shell("printf 'no newline'", 0, "no newline");
	assert_shell("printf 'two\\n\\n'", 0, "two\n\n");
	assert_shell("exit 3", 3, "");
	assert_shell("false", 1, "");
	assert_shell("exit 255", 255, "");
	assert_shell("echo out; echo err >&2", 0, "out\nerr\n");
	assert_shell("a='x y'\nfor i in 1 2\ndo echo \"$a\" '$i' $i\ndone\n", 0, "x y $i 1\nx y $i 2\n");
	assert_shell("cat <<END\n`echo \"quoted\"`\nEND\n", 0, "quoted\n");
	assert_shell("# only a comment", 0, "");
	assert_shell("", 0, "");
	assert_shell("echo \"$#\"", 0, "0\n");
	assert_shell("trap 'echo bye' EXIT; echo hi", 0, "hi\nbye\n");
	assert_shell("exec echo replaced", 0, "replaced\n");
	assert_shell("echo \\\\n 'it'\"'\"'s' $((1+1)) \"$(echo sub)\"", 0, "\\n it's 2 sub\n");
}

static void commands_read_nothing(void **state)
{
	(void)state;
	assert_shell("cat; echo end", 0, "end\n");
	assert_shell("read -r line || echo nothing", 0, "nothing\n");
}

static void the_environment_is_a_login(void **state)
{
	(void)state;
	setenv("MOA_TEST_SECRET", "x", 1);
	assert_shell("echo $HOME $USER $LOGNAME $TERM; pwd; env | grep -c MOA_TEST", 1,
		"/root root root dumb\n/root\n0\n");
	unsetenv("MOA_TEST_SECRET");
}

static void errors_are_the_shells_words(void **state)
{
	(void)state;
	for (size_t i = 0; shells[i]; i++) {
		owned_in(outcome_done) struct outcome missing = run_shell(shells[i], "no-such-program");
		assert_int_equal(missing.result.exit_status, 127);
		assert_non_null(strstr(missing.result.output.data, "no-such-program"));
		owned_in(outcome_done) struct outcome syntax = run_shell(shells[i], "if then ((");
		assert_int_not_equal(syntax.result.exit_status, 0);
		assert_true(syntax.result.output.len > 0);
	}
}

/* More than one argument may hold (128 KiB on Linux). */
static void long_commands(void **state)
{
	(void)state;
	owned_in(buffer_done) struct buffer command = BUFFER_INIT(2 << 20);
	buffer_add_text(&command, "text='");
	while (command.len < 1 << 20)
		buffer_add_text(&command, "0123456789abcdef");
	buffer_add_text(&command, "'\necho ${#text}\n");
	owned_mem char *expected = mem_printf("%zu\n", command.len - strlen("text='"
									    "'\necho ${#text}\n"));
	assert_shell(command.data, 0, expected);
}

static int in_a_folder(void **state)
{
	char *folder = mem_strdup("/tmp/moa-programs-XXXXXX");
	assert_non_null(mkdtemp(folder));
	*state = folder;
	return 0;
}

static int out_of_the_folder(void **state)
{
	int rc = dir_remove_tree(*state, NULL);
	free(*state);
	return rc;
}

static void assert_cd(const char *from, const char *to, const char *where)
{
	for (size_t i = 0; shells[i]; i++) {
		owned_in(outcome_done) struct outcome outcome = {.arena = ARENA_INIT};
		struct exec_request request;
		guest_cd_request(from, to, &outcome.arena, &request);
		run_request(shells[i], &request, &outcome.result);
		if (where) {
			owned_mem char *line = mem_printf("%s\n", where);
			assert_string_equal(outcome.result.output.data, line);
			assert_int_equal(outcome.result.exit_status, 0);
		} else {
			assert_int_not_equal(outcome.result.exit_status, 0);
			assert_true(outcome.result.output.len > 0);
		}
	}
}

static void changing_folders(void **state)
{
	const char *folder = *state;
	owned_mem char *odd = mem_printf("%s/a b'\"$(x)", folder), *dash = mem_printf("%s/-", folder),
		       *option = mem_printf("%s/-P", folder);
	const char *const made[] = {odd, dash, option};
	for (size_t i = 0; i < ARRAY_LEN(made); i++)
		assert_int_equal(dir_make(made[i], 0755, NULL), 0);
	assert_cd("/", folder, folder);
	assert_cd(folder, "a b'\"$(x)", odd);
	assert_cd(odd, "..", folder);
	assert_cd(folder, "-", dash);
	assert_cd(folder, "-P", option);
	assert_cd(folder, ".", folder);
	assert_cd(folder, "missing", NULL);
	assert_cd("/missing", "/", NULL);
	assert_cd(folder, "/etc/passwd", NULL);
	assert_cd(folder, "~", "/root");
	assert_cd("/root", "", "/root");
	owned_in(buffer_done) struct buffer endless = BUFFER_INIT(0);
	while (endless.len < 1 << 20)
		buffer_add_text(&endless, "abcdefg/");
	assert_cd(folder, endless.data, NULL);
}

static char *wait_for(const char *path, const char *word)
{
	for (;;) {
		char *text = NULL;
		if (file_read(path, 1 << 20, &text, NULL, NULL) == 0 && strstr(text, word))
			return text;
		free(text);
		usleep(2000);
	}
}

static void wait_until_gone(const char *path)
{
	while (access(path, F_OK) == 0)
		usleep(2000);
}

static void assert_script(
	const char *const *shell, const char *folder, const char *script, const char *output)
{
	owned_in(outcome_done) struct outcome outcome = {.arena = ARENA_INIT};
	struct exec_request request;
	owned_mem char *log = mem_printf("%s/logs/run.log", folder),
		       *stored = mem_printf("%s/logs/run.sh", folder);
	guest_script_request(script, log, &outcome.arena, &request);
	run_request(shell, &request, &outcome.result);
	assert_int_equal(outcome.result.exit_status, 0);
	assert_string_equal(outcome.result.output.data, "");
	owned_mem char *text = wait_for(log, "end\n");
	assert_string_equal(text, output);
	wait_until_gone(stored);
	assert_int_equal(unlink(log), 0);
}

static void scripts(void **state)
{
	for (size_t i = 0; shells[i]; i++) {
		assert_script(shells[i], *state, "echo one\necho two >&2\npwd\necho end\n",
			"one\ntwo\n/root\nend\n");
		assert_script(shells[i], *state, "#!/bin/cat\nend\n", "#!/bin/cat\nend\n");
		assert_script(shells[i], *state, "#!/usr/bin/env sh\ncat\necho \"$HOME\" end", "/root end\n");
	}
}

static void a_script_without_a_place_is_an_error(void **state)
{
	(void)state;
	owned_in(outcome_done) struct outcome outcome = {.arena = ARENA_INIT};
	struct exec_request request;
	guest_script_request("echo", "/proc/none/run.log", &outcome.arena, &request);
	run_request(shells[0], &request, &outcome.result);
	assert_int_not_equal(outcome.result.exit_status, 0);
	assert_true(outcome.result.output.len > 0);
}

static void a_password_is_no_argument(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct exec_request request;
	guest_password_request("Ab3dEf5hJk7m", &arena, &request);
	for (const char *const *arg = request.argv; *arg; arg++)
		assert_null(strstr(*arg, "Ab3dEf5hJk7m"));
	assert_int_equal(request.input_len, strlen("root:Ab3dEf5hJk7m\n"));
	assert_memory_equal(request.input, "root:Ab3dEf5hJk7m\n", request.input_len);
}

static void limits_follow_the_wire(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct exec_request request;
	guest_shell_request("x", &arena, &request);
	assert_int_equal(request.timeout_ms, 30000);
	guest_live_request(&arena, &request);
	assert_true(request.timeout_ms > 0 && request.timeout_ms <= 15000);
	assert_true(request.max_output > 0);
}

int main(void)
{
	if (geteuid() != 0) {
		print_message("SKIP: the programs run as root inside a guest\n");
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands),
		cmocka_unit_test(commands_read_nothing),
		cmocka_unit_test(the_environment_is_a_login),
		cmocka_unit_test(errors_are_the_shells_words),
		cmocka_unit_test(long_commands),
		cmocka_unit_test_setup_teardown(changing_folders, in_a_folder, out_of_the_folder),
		cmocka_unit_test_setup_teardown(scripts, in_a_folder, out_of_the_folder),
		cmocka_unit_test(a_script_without_a_place_is_an_error),
		cmocka_unit_test(a_password_is_no_argument),
		cmocka_unit_test(limits_follow_the_wire),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
