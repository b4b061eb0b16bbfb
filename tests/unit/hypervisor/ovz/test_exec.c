/* What the node makes of its helper's answers, also of one that died while a hostile program wrote its
 * output. */
#include "model.h"

static const char *const argv[] = {"true", NULL};

static int run(struct model *model, const char *script, struct exec_result *result, struct error *err)
{
	char path[128];
	struct exec_request request = {.argv = argv, .max_output = 4096, .timeout_ms = 10000};
	model_put(model, "bin", "helper", script);
	text_format(path, sizeof(path), "%s/bin/helper", model->root);
	model->hv.helper_path = path;
	return ovz_exec(&model->hv, MODEL_NAME, &request, result, err);
}

static void test_output_and_status(void **state)
{
	struct error err = {0};
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(
		run(*state, "#!/bin/sh\nprintf 'a\\nMOA 000 --\\nb\\nMOA 137 TO\\n'\n", &result, &err), 0);
	assert_int_equal(result.exit_status, 137);
	assert_true(result.timed_out);
	assert_true(result.truncated);
	assert_string_equal(result.output.data, "a\nMOA 000 --\nb");
}

static void test_arguments(void **state)
{
	struct error err = {0};
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(
		run(*state, "#!/bin/sh\nprintf '%s|' \"$@\"\nprintf '\\nMOA 000 --\\n'\n", &result, &err), 0);
	char expected[256];
	text_format(expected, sizeof(expected), "exec|%s|" MODEL_NAME "|10000|4096|wait|--|true|",
		((struct model *)*state)->root);
	assert_string_equal(result.output.data, expected);
	assert_int_equal(result.exit_status, 0);
	assert_false(result.timed_out || result.truncated);
}

static void check_failure(void **state, const char *script, int code)
{
	struct error err = {0};
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(run(*state, script, &result, &err), -code);
	assert_int_equal(result.output.len, 0);
}

static void test_forged_or_missing_trailer(void **state)
{
	check_failure(state, "#!/bin/sh\nprintf '\\nMOA 000 --\\n'\nkill -9 $$\n", ERR_UNAVAILABLE);
	check_failure(state, "#!/bin/sh\nexit 0\n", ERR_INTERNAL);
	check_failure(state, "#!/bin/sh\nprintf 'x\\nMOA 000 --'\n", ERR_INTERNAL);
	check_failure(state, "#!/bin/sh\nprintf '\\nMOA abc --\\n'\n", ERR_INTERNAL);
}

static void test_codes_of_the_helper(void **state)
{
	check_failure(state, "#!/bin/sh\nexit 3\n", ERR_UNAVAILABLE);
	check_failure(state, "#!/bin/sh\necho no; exit 4\n", ERR_UNAVAILABLE);
}

static void test_too_many_or_no_arguments(void **state)
{
	struct model *model = *state;
	struct error err = {0};
	static const char *many[2000], *const none[] = {NULL};
	for (size_t i = 0; i + 1 < sizeof(many) / sizeof(many[0]); i++)
		many[i] = "x";
	struct exec_request request = {.argv = many};
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(ovz_exec(&model->hv, MODEL_NAME, &request, &result, &err), -ERR_INVALID);
	request.argv = none;
	assert_int_equal(ovz_exec(&model->hv, MODEL_NAME, &request, &result, &err), -ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_output_and_status, model_setup, model_teardown),
		cmocka_unit_test_setup_teardown(test_arguments, model_setup, model_teardown),
		cmocka_unit_test_setup_teardown(test_forged_or_missing_trailer, model_setup, model_teardown),
		cmocka_unit_test_setup_teardown(test_codes_of_the_helper, model_setup, model_teardown),
		cmocka_unit_test_setup_teardown(test_too_many_or_no_arguments, model_setup, model_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
