/* What is said to a guest's agent, and what hostile agents answer. */
#include "base/owned.h"
#include "base/text.h"
#include "hypervisor/kvm/agent_json.h"
#include "hypervisor/kvm/base64.h"
#include "base/process.h"
#include "json/reader.h"
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define STATUS(members) "{\"return\":{" members "}}"

struct status_row {
	const char *reply;
	int rc;
	bool exited, truncated;
	int exit_status;
	const char *output;
};

static const struct status_row status_rows[] = {
	{STATUS("\"exited\":false"), 0, false, false, 0, ""},
	{STATUS("\"exited\":true,\"exitcode\":0"), 0, true, false, 0, ""},
	{STATUS("\"exited\":true,\"exitcode\":3,\"out-data\":\"aGk=\""), 0, true, false, 3, "hi"},
	{STATUS("\"exited\":true,\"exitcode\":0,\"out-data\":\"aGk=\",\"err-data\":\"aG8=\""), 0, true, false,
		0, "hiho"},
	{STATUS("\"exited\":true,\"signal\":9"), 0, true, false, 137, ""},
	{STATUS("\"exited\":true,\"exitcode\":0,\"out-data\":\"\",\"out-truncated\":true"), 0, true, true, 0,
		""},
	{STATUS("\"exited\":true,\"exitcode\":0,\"out-data\":\"MDEyMzQ1Njc4OWFiY2RlZg==\""), 0, true, true, 0,
		"01234567"},
	{STATUS("\"exited\":true,\"exitcode\":0,\"out-data\":\"MDEyMzQ1Njc4\",\"err-data\":\"eA==\""), 0,
		true, true, 0, "01234567"},
	{STATUS("\"exited\":false,\"out-data\":\"%%%%\""), 0, false, false, 0, ""},
	{STATUS("\"exited\":true,\"exitcode\":0,\"out-data\":\"aGk\""), -ERR_PROTOCOL, false, false, 0, NULL},
	{STATUS("\"exited\":true,\"exitcode\":0,\"out-data\":\"aG=k\""), -ERR_PROTOCOL, false, false, 0,
		NULL},
	{STATUS("\"exited\":true,\"exitcode\":0,\"out-data\":\"====\""), -ERR_PROTOCOL, false, false, 0,
		NULL},
	{STATUS("\"exited\":true,\"exitcode\":0,\"out-data\":\"a k=\""), -ERR_PROTOCOL, false, false, 0,
		NULL},
	{STATUS("\"exited\":true,\"exitcode\":0,\"out-data\":7"), -ERR_PROTOCOL, false, false, 0, NULL},
	{STATUS("\"exited\":true,\"exitcode\":256"), -ERR_PROTOCOL, false, false, 0, NULL},
	{STATUS("\"exited\":true,\"exitcode\":-1"), -ERR_PROTOCOL, false, false, 0, NULL},
	{STATUS("\"exited\":true,\"exitcode\":\"0\""), -ERR_PROTOCOL, false, false, 0, NULL},
	{STATUS("\"exited\":true,\"signal\":4096"), -ERR_PROTOCOL, false, false, 0, NULL},
	{STATUS("\"exited\":true"), -ERR_PROTOCOL, false, false, 0, NULL},
	{STATUS("\"exited\":1,\"exitcode\":0"), -ERR_PROTOCOL, false, false, 0, NULL},
	{STATUS(""), -ERR_PROTOCOL, false, false, 0, NULL},
	{"{\"return\":[]}", -ERR_PROTOCOL, false, false, 0, NULL},
	{"[]", -ERR_PROTOCOL, false, false, 0, NULL},
	{"null", -ERR_PROTOCOL, false, false, 0, NULL},
	{"", -ERR_PROTOCOL, false, false, 0, NULL},
	{"{\"return\":{\"exited\":true", -ERR_PROTOCOL, false, false, 0, NULL},
	{"{\"return\":{\"exited\":true,\"exited\":false}}", -ERR_PROTOCOL, false, false, 0, NULL},
};

static void test_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(status_rows) / sizeof(status_rows[0]); i++) {
		const struct status_row *row = &status_rows[i];
		owned_in(exec_result_done) struct exec_result result = {.output = BUFFER_INIT(8)};
		bool exited = false;
		struct error err = {0};
		int rc = agent_read_status(row->reply, strlen(row->reply), 8, &exited, &result, &err);
		if (rc != row->rc || exited != row->exited)
			fail_msg("row %zu: %s gives %d", i, row->reply, rc);
		if (rc < 0)
			continue;
		assert_string_equal(result.output.data, row->output);
		assert_int_equal(result.exit_status, row->exit_status);
		assert_int_equal(result.truncated, row->truncated);
	}
}

static void test_pid(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "{}", "{\"return\":{}}", "{\"return\":{\"pid\":0}}",
		"{\"return\":{\"pid\":-1}}", "{\"return\":{\"pid\":\"1\"}}", "{\"return\":{\"pid\":1.5}}",
		"{\"return\":{\"pid\":4294967296}}", "{\"return\":{\"pid\":99999999999999999999}}",
		"{\"return\":7}", "{\"error\":{\"class\":\"GenericError\"}}"};
	int64_t pid = 0;
	struct error err = {0};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(agent_read_pid(wrong[i], strlen(wrong[i]), &pid, &err), -ERR_PROTOCOL);
	assert_int_equal(pid, 0);
	assert_int_equal(agent_read_pid("{\"return\":{\"pid\":77}}", 21, &pid, &err), 0);
	assert_int_equal(pid, 77);
}

static void test_deep_nesting_is_refused(void **state)
{
	(void)state;
	enum { DEPTH = 200000 };
	owned_mem char *deep = malloc(DEPTH + 1);
	assert_non_null(deep);
	memset(deep, '[', DEPTH);
	deep[DEPTH] = '\0';
	int64_t pid = 0;
	assert_int_equal(agent_read_pid(deep, DEPTH, &pid, NULL), -ERR_PROTOCOL);
}

static void test_detached_command(void **state)
{
	(void)state;
	static const char *const argv[] = {"/bin/true", "a\"b", NULL};
	owned_in(buffer_done) struct buffer command = BUFFER_INIT(0);
	struct exec_request request = {.argv = argv, .input = "hi\n", .input_len = 3, .detached = true};
	assert_int_equal(agent_write_exec(&request, 10, &command, NULL), 0);
	assert_string_equal(command.data,
		"{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"\\/bin\\/true\",\"arg\":[\"a\\\"b\"],"
		"\"input-data\":\"aGkK\",\"capture-output\":false}}");
}

static void test_refuses_commands(void **state)
{
	(void)state;
	static const char *const none[] = {NULL}, *const empty[] = {"", NULL},
				 *const bytes[] = {"a\xff", NULL}, *const fine[] = {"/bin/true", NULL};
	static const char big[AGENT_INPUT_MAX + 1];
	const char *many[400] = {0};
	for (size_t i = 0; i < 399; i++)
		many[i] = "x";
	const struct {
		struct exec_request request;
		int rc;
	} rows[] = {
		{{.argv = none}, -ERR_INVALID},
		{{.argv = empty}, -ERR_INVALID},
		{{.argv = bytes}, -ERR_INVALID},
		{{.argv = many}, -ERR_TOO_LARGE},
		{{.argv = fine, .input = big, .input_len = sizeof(big)}, -ERR_TOO_LARGE},
		{{.argv = fine, .input = big, .input_len = sizeof(big) - 1}, 0},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		owned_in(buffer_done) struct buffer command = BUFFER_INIT(AGENT_COMMAND_MAX + 1);
		assert_int_equal(agent_write_exec(&rows[i].request, 10, &command, NULL), rows[i].rc);
	}
}

/* Does what an honest agent does with the command: runs path with arg and input-data. */
static void run_as_agent(const struct exec_request *request, size_t keep, struct process_result *result)
{
	const char *argv[32] = {0};
	struct error err = {0};
	owned_in(buffer_done) struct buffer command = BUFFER_INIT(AGENT_COMMAND_MAX);
	owned_in(buffer_done) struct buffer input = BUFFER_INIT(AGENT_COMMAND_MAX);
	owned(json_free) struct json *root = NULL;
	assert_int_equal(agent_write_exec(request, keep, &command, &err), 0);
	assert_int_equal(json_parse(command.data, command.len, &root, &err), 0);
	const struct json *arguments = json_get(root, "arguments"), *list = json_get(arguments, "arg");
	argv[0] = json_get_text(arguments, "path", "");
	for (size_t i = 0; i < json_count(list) && i < 30; i++)
		argv[i + 1] = json_text(json_at(list, i), "");
	bool truncated = false;
	assert_true(
		agent_base64_decode(json_get_text(arguments, "input-data", ""), 1 << 20, &input, &truncated));
	struct process_request process = {
		.argv = argv, .input = input.data, .input_len = input.len, .max_output = 1 << 20};
	if (process_run(&process, result, &err) < 0)
		fail_msg("%s", err.message);
}

static void expect_run(
	const char *script, const char *input, size_t keep, int exit_status, const char *output)
{
	const char *const argv[] = {"/bin/sh", "-c", script, "sh", "a b", "'\"$x", NULL};
	struct exec_request request = {.argv = argv, .input = input, .input_len = input ? strlen(input) : 0};
	owned_in(process_result_done) struct process_result result = {.output = BUFFER_INIT(0)};
	run_as_agent(&request, keep, &result);
	assert_string_equal(result.output.data, output);
	assert_int_equal(result.exit_status, exit_status);
}

static void test_wrapped_program(void **state)
{
	(void)state;
	expect_run("echo one; echo two >&2; echo three; exit 5", NULL, 100, 5, "one\ntwo\nthree\n");
	expect_run("printf '%s|%s' \"$1\" \"$2\"", NULL, 100, 0, "a b|'\"$x");
	expect_run("cat; echo", "from input", 100, 0, "from input\n");
	expect_run("kill -TERM $$", NULL, 100, 143, "");
	expect_run("true", NULL, 100, 0, "");
	/* One byte more than is kept, so that the reader sees that there was more; the program runs to its
	 * end. */
	expect_run("i=0; while [ $i -lt 20000 ]; do echo 123456789; i=$((i+1)); done; exit 7", NULL, 4, 7,
		"12345");
}

static void test_missing_program(void **state)
{
	(void)state;
	static const char *const argv[] = {"/nonexistent/program", NULL};
	struct exec_request request = {.argv = argv};
	owned_in(process_result_done) struct process_result result = {.output = BUFFER_INIT(0)};
	run_as_agent(&request, 1000, &result);
	assert_int_equal(result.exit_status, 127);
	assert_non_null(strstr(result.output.data, "/nonexistent/program"));
}

static void test_base64_both_ways(void **state)
{
	(void)state;
	static const char *const rows[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
		{"foob", "Zm9vYg=="}, {"\xfb\xff\xfe", "+//+"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		owned_in(buffer_done) struct buffer text = BUFFER_INIT(0), back = BUFFER_INIT(0);
		bool truncated = false;
		agent_base64_encode(rows[i][0], strlen(rows[i][0]), &text);
		assert_string_equal(text.data, rows[i][1]);
		assert_true(agent_base64_decode(text.data, 100, &back, &truncated));
		assert_string_equal(back.data, rows[i][0]);
		assert_false(truncated);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_pid),
		cmocka_unit_test(test_deep_nesting_is_refused),
		cmocka_unit_test(test_detached_command),
		cmocka_unit_test(test_refuses_commands),
		cmocka_unit_test(test_wrapped_program),
		cmocka_unit_test(test_missing_program),
		cmocka_unit_test(test_base64_both_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
