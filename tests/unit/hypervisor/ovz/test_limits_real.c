/* Limits hold against a guest that tries, and usage shows it. */
#include "fixture.h"
#include "base/fd.h"
#include "base/owned.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

static int start_one(void **state)
{
	if (fixture_setup(state) < 0)
		return -1;
	fixture_start(*state, 0);
	return 0;
}

static struct guest_usage usage_of(struct fixture *fixture)
{
	struct guest_usage usage = {0};
	struct error err = {0};
	assert_int_equal(hypervisor_ovz.usage(fixture->hv, fixture->names[0], &usage, &err), 0);
	return usage;
}

static void test_memory(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	owned_in(exec_result_done) struct exec_result small, large;
	assert_int_equal(
		fixture_shell(fixture, 0, "dd if=/dev/zero of=/dev/null bs=20M count=1", &small, &err), 0);
	assert_int_equal(small.exit_status, 0);
	struct guest_usage before = usage_of(fixture);
	assert_int_equal(
		fixture_shell(fixture, 0, "dd if=/dev/zero of=/dev/null bs=200M count=1", &large, &err), 0);
	assert_int_equal(large.exit_status, 137);
	assert_true(usage_of(fixture).failcnt > before.failcnt);
	fixture_says(fixture, 0, "echo alive", "alive\n");
}

/* Memory behind a tmpfs counts too. */
static void test_memory_of_files(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	owned_in(exec_result_done) struct exec_result result;
	fixture_says(fixture, 0, "mkdir /tmp/t && mount -t tmpfs -o size=1g none /tmp/t", "");
	assert_int_equal(
		fixture_shell(fixture, 0, "dd if=/dev/zero of=/tmp/t/f bs=1M count=200", &result, &err), 0);
	assert_int_not_equal(result.exit_status, 0);
	assert_true(usage_of(fixture).memory_bytes <= 64 << 20);
}

static void test_processes(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(fixture_shell(fixture, 0,
				 "i=0; while [ $i -lt 300 ]; do sleep 1000 & i=$((i+1)); done; echo all",
				 &result, &err),
		0);
	assert_null(strstr(result.output.data, "all\n"));
	struct guest_usage usage = usage_of(fixture);
	assert_in_range(usage.process_count, 40, 60);
	assert_int_equal(hypervisor_ovz.kill(fixture->hv, fixture->names[0], &err), 0);
}

static void test_fork_bomb_can_be_killed(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	const char *argv[] = {"/bin/sh", "-c", "b() { b | b & }; b; sleep 1000", NULL};
	struct exec_request request = {.argv = argv, .timeout_ms = 1000, .detached = true};
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(hypervisor_ovz.exec(fixture->hv, fixture->names[0], &request, &result, &err), 0);
	for (int i = 0; i < 20; i++)
		assert_in_range(usage_of(fixture).process_count, 0, 60);
	assert_int_equal(hypervisor_ovz.kill(fixture->hv, fixture->names[0], &err), 0);
	fixture_expect(fixture, 0, GUEST_STOPPED);
}

static void test_cpu(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	char path[CGROUP_PATH_MAX * 2];
	owned_mem char *text = NULL;
	const char *file = fixture->cgroups.unified ? "cpu.max" : "cpu.cfs_quota_us";
	assert_true(cgroup_path(&fixture->cgroups, CGROUP_CPU, CGROUP_GUESTS, fixture->names[0], file, path));
	assert_int_equal(file_read(path, 64, &text, NULL, &err), 0);
	assert_string_equal(text, fixture->cgroups.unified ? "50000 100000\n" : "50000\n");
}

/* Its own processes stay in its groups, so do those run by exec, wherever they came from. */
static void test_exec_is_inside_the_groups(void **state)
{
	struct fixture *fixture = *state;
	int64_t before = usage_of(fixture).cpu_time_ns;
	fixture_says(fixture, 0, "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done", "");
	struct guest_usage after = usage_of(fixture);
	assert_true(after.cpu_time_ns > before);
	assert_true(after.memory_bytes > 0);
	assert_true(after.kernel_memory_bytes > 0);
}

/* A guest may not raise its own limits. */
static void test_limits_are_the_hosts(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(
		fixture_shell(fixture, 0,
			"mkdir /tmp/c; mount -t cgroup -o memory none /tmp/c || mount -t cgroup2 none /tmp/c;"
			"for f in /tmp/c /sys/fs/cgroup /sys/fs/cgroup/memory; do"
			" for n in memory.limit_in_bytes memory.max; do"
			" [ -e $f/$n ] && echo 999999999 > $f/$n && echo raised; done; done; true",
			&result, &err),
		0);
	assert_null(strstr(result.output.data, "raised"));
	char path[CGROUP_PATH_MAX * 2];
	owned_mem char *text = NULL;
	const char *file = fixture->cgroups.unified ? "memory.max" : "memory.limit_in_bytes";
	assert_true(
		cgroup_path(&fixture->cgroups, CGROUP_MEMORY, CGROUP_GUESTS, fixture->names[0], file, path));
	assert_int_equal(file_read(path, 64, &text, NULL, &err), 0);
	assert_string_equal(text, "67108864\n");
}

static void test_devices(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	owned_in(exec_result_done) struct exec_result result;
	fixture_says(fixture, 0, "head -c 3 /dev/zero | wc -c; echo x > /dev/null", "3\n");
	assert_int_equal(fixture_shell(fixture, 0,
				 "ls /dev | grep -c 'loop\\|mem\\|kmsg\\|sd[a-z]\\|vd[a-z]'", &result, &err),
		0);
	assert_string_equal(result.output.data, "0\n");
}

static int all_tests(struct fixture *fixture)
{
	(void)fixture;
#define TEST(function) cmocka_unit_test_setup_teardown(function, start_one, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_memory),
		TEST(test_memory_of_files),
		TEST(test_processes),
		TEST(test_fork_bomb_can_be_killed),
		TEST(test_cpu),
		TEST(test_exec_is_inside_the_groups),
		TEST(test_limits_are_the_hosts),
		TEST(test_devices),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return fixture_main(all_tests);
}
