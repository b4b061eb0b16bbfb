/* Programs run inside, and what a container's root can see of the host. */
#include "fixture.h"
#include "base/fd.h"
#include "base/owned.h"
#include "base/text.h"
#include "hypervisor/ovz/monitor_lock.h"
#include "hypervisor/ovz/ovz.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int start_one(void **state)
{
	if (fixture_setup(state) < 0)
		return -1;
	fixture_start(*state, 0);
	return 0;
}

static int exec_request(
	struct fixture *fixture, const struct exec_request *request, struct exec_result *result)
{
	struct error err = {0};
	int rc = hypervisor_ovz.exec(fixture->hv, fixture->names[0], request, result, &err);
	if (rc < 0)
		fprintf(stderr, "%s\n", err.message);
	return rc;
}

static void test_status_and_output(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(fixture_shell(fixture, 0, "echo out; echo err >&2; exit 42", &result, &err), 0);
	assert_int_equal(result.exit_status, 42);
	assert_string_equal(result.output.data, "out\nerr\n");
	assert_false(result.timed_out || result.truncated);
	fixture_says(fixture, 0, "id -u; pwd; echo $HOME $PATH",
		"0\n/root\n/root /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
}

static void check_status(struct fixture *fixture, const char *const *argv, int expected)
{
	struct exec_request request = {.argv = argv, .timeout_ms = 20000, .max_output = 4096};
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(exec_request(fixture, &request, &result), 0);
	assert_int_equal(result.exit_status, expected);
}

static void test_status_of_failures(void **state)
{
	struct fixture *fixture = *state;
	check_status(fixture, (const char *const[]){"no-such-program", NULL}, 127);
	check_status(fixture, (const char *const[]){"/etc/inittab", NULL}, 126);
	check_status(fixture, (const char *const[]){"sh", "-c", "kill -9 $$", NULL}, 137);
}

static void test_input(void **state)
{
	struct fixture *fixture = *state;
	const char *argv[] = {"wc", "-c", NULL};
	owned_mem char *input = calloc(1, 300000);
	struct exec_request request = {
		.argv = argv, .input = input, .input_len = 300000, .timeout_ms = 30000, .max_output = 4096};
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(exec_request(fixture, &request, &result), 0);
	assert_string_equal(result.output.data, "300000\n");
}

static void test_arguments_are_not_a_shells(void **state)
{
	struct fixture *fixture = *state;
	const char *argv[] = {"echo", "$(id)", "a b", "", "--", "'\"", NULL};
	struct exec_request request = {.argv = argv, .timeout_ms = 30000, .max_output = 4096};
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(exec_request(fixture, &request, &result), 0);
	assert_string_equal(result.output.data, "$(id) a b  -- '\"\n");
}

/* It and everything of its session is gone afterwards. */
static void test_timeout_ends_the_tree(void **state)
{
	struct fixture *fixture = *state;
	const char *argv[] = {
		"sh", "-c", "sleep 7771 & (sleep 7772 & sleep 7773); (setsid sleep 7774); wait", NULL};
	struct exec_request request = {.argv = argv, .timeout_ms = 1000, .max_output = 4096};
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(exec_request(fixture, &request, &result), 0);
	assert_true(result.timed_out);
	assert_int_equal(result.exit_status, 137);
	fixture_says(fixture, 0, "ps | grep -c 'sleep 777[0-9]'; true", "0\n");
}

static void test_endless_output(void **state)
{
	struct fixture *fixture = *state;
	const char *argv[] = {"yes", NULL};
	struct exec_request request = {.argv = argv, .timeout_ms = 1000, .max_output = 5000};
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(exec_request(fixture, &request, &result), 0);
	assert_true(result.timed_out);
	assert_true(result.truncated);
	assert_int_equal(result.output.len, 5000);
}

static void test_huge_output_ends_well(void **state)
{
	struct fixture *fixture = *state;
	const char *argv[] = {"sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; exit 3", NULL};
	struct exec_request request = {.argv = argv, .timeout_ms = 30000, .max_output = 1000000};
	owned_in(exec_result_done) struct exec_result result, whole;
	assert_int_equal(exec_request(fixture, &request, &result), 0);
	assert_int_equal(result.exit_status, 3);
	assert_true(result.truncated);
	assert_int_equal(result.output.len, 1000000);
	request.max_output = 4000000;
	assert_int_equal(exec_request(fixture, &request, &whole), 0);
	assert_false(whole.truncated);
	assert_int_equal(whole.output.len, 3000000);
}

/* Someone left behind who still holds the pipe keeps nobody waiting: no timeout is reached. */
static void test_background_child_is_not_waited_for(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(fixture_shell(fixture, 0, "sleep 1000 & echo started", &result, &err), 0);
	assert_string_equal(result.output.data, "started\n");
	assert_false(result.timed_out);
}

static void test_detached(void **state)
{
	struct fixture *fixture = *state;
	static const char script[] =
		"echo $0 > /dev/told; ps -o pid,ppid | grep \"^ *$$ \" | tr -s ' ' >> /dev/told\n"
		"touch /dev/done; sleep 8881\n";
	const char *argv[] = {"/bin/sh", NULL};
	struct exec_request request = {.argv = argv,
		.input = script,
		.input_len = strlen(script),
		.timeout_ms = 20000,
		.detached = true};
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(exec_request(fixture, &request, &result), 0);
	assert_int_equal(result.exit_status, 0);
	assert_false(result.timed_out);
	assert_int_equal(result.output.len, 0);
	fixture_says(
		fixture, 0, "while ! [ -e /dev/done ]; do sleep 0.1; done; head -n 1 /dev/told", "/bin/sh\n");
	fixture_says(fixture, 0, "ps | grep -c 'sleep 888[1]'", "1\n");
	fixture_says(fixture, 0, "grep -c ' 1$' /dev/told", "1\n");
}

static void test_stopped(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	struct guest_usage usage;
	owned_in(exec_result_done) struct exec_result result, other;
	assert_int_equal(hypervisor_ovz.kill(fixture->hv, fixture->names[0], &err), 0);
	assert_int_equal(fixture_shell(fixture, 0, "true", &result, &err), -ERR_NOT_RUNNING);
	assert_int_equal(
		hypervisor_ovz.usage(fixture->hv, fixture->names[0], &usage, &err), -ERR_NOT_RUNNING);
	assert_int_equal(fixture_shell(fixture, 1, "true", &other, &err), -ERR_NOT_FOUND);
}

static void test_container_ends_during_exec(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	owned_in(exec_result_done) struct exec_result result;
	int rc = fixture_shell(fixture, 0, "poweroff -f; sleep 100", &result, &err);
	assert_true(rc == 0 ? result.exit_status == 137 && !result.timed_out : rc == -ERR_NOT_RUNNING);
}

/* Init's descriptors, and those of what runs beside it: no file, folder or socket of the host. */
static void test_no_host_descriptors(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	owned_in(exec_result_done) struct exec_result result;
	fixture_says(fixture, 0, "ls /proc/1/fd; for f in /proc/1/fd/*; do readlink $f; done",
		"0\n1\n2\n/dev/null\n/dev/null\n/dev/null\n");
	assert_int_equal(
		fixture_shell(fixture, 0, "ls /proc/self/fd | wc -l; ls -l /proc/self/fd", &result, &err), 0);
	/* 0, 1 and 2 are pipes, 3 is the folder ls reads. */
	assert_true(text_starts(result.output.data, "4\n"));
	int pipes = 0;
	for (const char *at = result.output.data; (at = strstr(at, "pipe:")); at++)
		pipes++;
	assert_int_equal(pipes, 3);
}

static void test_ids_are_in_the_range(void **state)
{
	struct fixture *fixture = *state;
	char path[128];
	struct stat st;
	struct guest_spec spec = fixture_spec(fixture, 0);
	pid_t init =
		cgroup_init(monitor_lock_holder(fixture->state_dir, fixture->names[0]), fixture->names[0]);
	text_format(path, sizeof(path), "/proc/%d", (int)init);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, spec.id_base);
	assert_int_equal(st.st_gid, spec.id_base);
	/* On the disk the owner is 0: the mount maps it. */
	fixture_says(fixture, 0, "touch /made && stat -c %u:%g /made", "0:0\n");
	text_format(path, sizeof(path), "%s/made", fixture->rootfs[0]);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
	fixture_says(fixture, 0, "cat /proc/self/uid_map | tr -s ' '", " 0 3000000000 65536\n");
}

static void check_fails_inside(struct fixture *fixture, const char *command)
{
	struct error err = {0};
	owned_in(exec_result_done) struct exec_result result;
	assert_int_equal(fixture_shell(fixture, 0, command, &result, &err), 0);
	if (result.exit_status == 0)
		fail_msg("%s succeeded: %s", command, result.output.data);
}

static void test_the_host_is_out_of_sight(void **state)
{
	struct fixture *fixture = *state;
	char command[256];
	fixture_says(fixture, 0, "ps -o comm | grep -c 'lxc\\|moa-con'; true", "0\n");
	text_format(command, sizeof(command), "ls %s", fixture->state_dir);
	check_fails_inside(fixture, command);
	text_format(command, sizeof(command), "grep -q ' %s' /proc/mounts", fixture->dir);
	check_fails_inside(fixture, command);
	check_fails_inside(fixture, "echo 1 > /proc/sys/kernel/panic");
	check_fails_inside(fixture, "echo c > /proc/sysrq-trigger");
	check_fails_inside(fixture, "echo /x > /sys/kernel/uevent_helper");
	check_fails_inside(fixture, "dmesg");
	fixture_says(fixture, 0, "date -s 2001-01-01 2>&1 | grep -o permitted", "permitted\n");
	check_fails_inside(fixture, "dd if=/proc/kcore of=/dev/null bs=1 count=1");
	check_fails_inside(fixture, "mount -t ext4 /dev/loop0 /tmp");
	check_fails_inside(fixture, "cat /dev/mem");
}

static void test_network(void **state)
{
	struct fixture *fixture = *state;
	fixture_says(fixture, 0, "ip -4 -o addr show eth0 | tr -s ' ' | grep -o 'inet.*eth0'",
		"inet 10.199.77.2/24 brd 10.199.77.255 scope global eth0\n");
	fixture_says(fixture, 0, "ip route | grep default", "default via 10.199.77.1 dev eth0 \n");
	fixture_says(fixture, 0, "cat /sys/class/net/eth0/address", "02:00:00:00:77:01\n");
	char path[128];
	text_format(path, sizeof(path), "/sys/class/net/%s/master", fixture->links[0]);
	assert_int_equal(access(path, F_OK), 0);
}

static void test_tun(void **state)
{
	struct fixture *fixture = *state;
	struct stat st;
	/* udev opens it to everybody; a host without udev does not. */
	if (stat("/dev/net/tun", &st) < 0 || !(st.st_mode & S_IWOTH)) {
		printf("SKIP: /dev/net/tun is closed on this host\n");
		skip();
	}
	fixture_says(fixture, 0, "tunctl -t vpn0 >/dev/null && ls -d /sys/class/net/vpn0",
		"/sys/class/net/vpn0\n");
}

static int all_tests(struct fixture *fixture)
{
	(void)fixture;
#define TEST(function) cmocka_unit_test_setup_teardown(function, start_one, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_status_and_output),
		TEST(test_status_of_failures),
		TEST(test_input),
		TEST(test_arguments_are_not_a_shells),
		TEST(test_timeout_ends_the_tree),
		TEST(test_endless_output),
		TEST(test_huge_output_ends_well),
		TEST(test_background_child_is_not_waited_for),
		TEST(test_detached),
		TEST(test_stopped),
		TEST(test_container_ends_during_exec),
		TEST(test_no_host_descriptors),
		TEST(test_ids_are_in_the_range),
		TEST(test_the_host_is_out_of_sight),
		TEST(test_network),
		TEST(test_tun),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return fixture_main(all_tests);
}
