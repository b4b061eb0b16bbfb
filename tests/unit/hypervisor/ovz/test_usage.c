/* Figures out of control group files as both layouts have them. */
#include "model.h"

static void test_v1(void **state)
{
	struct model *model = *state;
	struct guest_usage usage;
	struct error err = {0};
	const char *dir = "moa.guest/" MODEL_NAME;
	model_put(model, dir, "memory.usage_in_bytes", "1000000\n");
	model_put(model, dir, "memory.stat",
		"cache 5\ninactive_file 1\ntotal_inactive_file 300000\ntotal_swap 77\n");
	model_put(model, dir, "memory.kmem.usage_in_bytes", "4096\n");
	model_put(model, dir, "memory.failcnt", "3\n");
	model_put(model, dir, "cpuacct.usage", "123456789012\n");
	model_put(model, dir, "pids.current", "12\n");
	model_put(model, dir, "blkio.throttle.io_service_bytes_recursive",
		"254:0 Read 999\n254:0 Write 999\n7:0 Read 4096\n7:0 Write 8192\n7:1 Read 1\n7:1 Total "
		"99\nTotal 99\n");
	assert_int_equal(ovz_usage(&model->hv, MODEL_NAME, &usage, &err), 0);
	assert_int_equal(usage.memory_bytes, 700000);
	assert_int_equal(usage.swap_bytes, 77);
	assert_int_equal(usage.kernel_memory_bytes, 4096);
	assert_int_equal(usage.failcnt, 3);
	assert_int_equal(usage.cpu_time_ns, 123456789012);
	assert_int_equal(usage.process_count, 12);
	assert_int_equal(usage.disk_read_bytes, 4097);
	assert_int_equal(usage.disk_write_bytes, 8192);
}

static void test_v2(void **state)
{
	struct model *model = *state;
	struct guest_usage usage;
	struct error err = {0};
	const char *dir = "moa.guest/" MODEL_NAME;
	model->hv.cgroups.unified = true;
	model_put(model, dir, "memory.current", "1000000\n");
	model_put(model, dir, "memory.swap.current", "88\n");
	model_put(model, dir, "memory.stat", "anon 5\nkernel 4444\nkernel_stack 1\ninactive_file 2000000\n");
	model_put(model, dir, "memory.events", "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\n");
	model_put(model, dir, "cpu.stat", "usage_usec 5000001\nuser_usec 3\n");
	model_put(model, dir, "pids.current", "2\n");
	model_put(model, dir, "io.stat", "254:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n");
	assert_int_equal(ovz_usage(&model->hv, MODEL_NAME, &usage, &err), 0);
	assert_int_equal(usage.memory_bytes, 0);
	assert_int_equal(usage.swap_bytes, 88);
	assert_int_equal(usage.kernel_memory_bytes, 4444);
	assert_int_equal(usage.failcnt, 9);
	assert_int_equal(usage.cpu_time_ns, 5000001000);
	assert_int_equal(usage.process_count, 2);
	assert_int_equal(usage.disk_read_bytes, 10);
	assert_int_equal(usage.disk_write_bytes, 20);
}

static void test_stopped_and_unknown(void **state)
{
	struct model *model = *state;
	struct guest_usage usage;
	struct error err = {0};
	assert_int_equal(ovz_usage(&model->hv, "moa-2", &usage, &err), -ERR_NOT_FOUND);
	model_put(model, "moa-2", "config", "");
	assert_int_equal(ovz_usage(&model->hv, "moa-2", &usage, &err), -ERR_NOT_RUNNING);
	assert_int_equal(ovz_usage(&model->hv, "../moa-2", &usage, &err), -ERR_INVALID);
	assert_int_equal(ovz_usage(&model->hv, "moa-/../x", &usage, &err), -ERR_INVALID);
	assert_int_equal(ovz_usage(&model->hv, "other", &usage, &err), -ERR_INVALID);
}

static void test_log_is_bounded(void **state)
{
	struct model *model = *state;
	struct guest_usage usage;
	char path[OVZ_PATH_MAX];
	owned_mem char *text = calloc(1, OVZ_LOG_MAX + 2);
	struct error err = {0};
	memset(text, 'x', OVZ_LOG_MAX + 1);
	model_put(model, "", MODEL_NAME ".log", text);
	text_format(path, sizeof(path), "%s/%s.log", model->root, MODEL_NAME);
	assert_int_equal(ovz_usage(&model->hv, MODEL_NAME, &usage, &err), 0);
	owned_mem char *left = NULL;
	assert_int_equal(file_read(path, 16, &left, NULL, &err), 0);
	assert_string_equal(left, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_v1, model_setup, model_teardown),
		cmocka_unit_test_setup_teardown(test_v2, model_setup, model_teardown),
		cmocka_unit_test_setup_teardown(test_stopped_and_unknown, model_setup, model_teardown),
		cmocka_unit_test_setup_teardown(test_log_is_bounded, model_setup, model_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
