/* Containers that start, end, reboot and outlive the back end. */
#include "fixture.h"
#include "base/fd.h"
#include "base/owned.h"
#include "base/text.h"
#include "hypervisor/ovz/helper.h"
#include "hypervisor/ovz/monitor_lock.h"
#include "hypervisor/ovz/ovz.h"
#include <string.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

static void check_state(struct fixture *fixture, int index, enum guest_state expected)
{
	enum guest_state state;
	struct error err = {0};
	assert_int_equal(hypervisor_ovz.state(fixture->hv, fixture->names[index], &state, &err), 0);
	assert_string_equal(guest_state_name(state), guest_state_name(expected));
}

static void test_start_and_kill(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	fixture_start(fixture, 0);
	check_state(fixture, 0, GUEST_RUNNING);
	assert_int_equal(hypervisor_ovz.start(fixture->hv, fixture->names[0], &err), 0);
	assert_int_equal(hypervisor_ovz.undefine(fixture->hv, fixture->names[0], &err), -ERR_RUNNING);
	assert_int_equal(hypervisor_ovz.kill(fixture->hv, fixture->names[0], &err), 0);
	check_state(fixture, 0, GUEST_STOPPED);
	fixture_expect(fixture, 0, GUEST_STOPPED);
	assert_int_equal(hypervisor_ovz.kill(fixture->hv, fixture->names[0], &err), 0);
	assert_int_equal(hypervisor_ovz.stop(fixture->hv, fixture->names[0], 1000, &err), 0);
	assert_int_equal(hypervisor_ovz.undefine(fixture->hv, fixture->names[0], &err), 0);
	assert_int_equal(hypervisor_ovz.undefine(fixture->hv, fixture->names[0], &err), 0);
	assert_int_equal(hypervisor_ovz.start(fixture->hv, fixture->names[0], &err), -ERR_NOT_FOUND);
}

static void test_stop(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	fixture_start(fixture, 0);
	assert_int_equal(hypervisor_ovz.stop(fixture->hv, fixture->names[0], 60000, &err), 0);
	check_state(fixture, 0, GUEST_STOPPED);
	fixture_expect(fixture, 0, GUEST_STOPPED);
	fixture_start(fixture, 0);
	assert_int_equal(hypervisor_ovz.stop(fixture->hv, fixture->names[0], 1, &err), -ERR_TIMEOUT);
	assert_string_not_equal(err.said, "");
}

static void test_poweroff_inside(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	owned_in(exec_result_done) struct exec_result result;
	fixture_start(fixture, 0);
	fixture_shell(fixture, 0, "poweroff -f", &result, &err);
	fixture_expect(fixture, 0, GUEST_STOPPED);
	check_state(fixture, 0, GUEST_STOPPED);
	assert_int_equal(monitor_lock_holder(fixture->state_dir, fixture->names[0]), 0);
}

/* The first process of the next boot, or 0. */
static pid_t wait_for_next_init(struct fixture *fixture, pid_t monitor, pid_t init)
{
	pid_t next = init;
	for (int i = 0; i < 30000 && (next == 0 || next == init); i++) {
		poll(NULL, 0, 1);
		next = cgroup_init(monitor, fixture->names[0]);
	}
	return next == init ? 0 : next;
}

/* Runs COMMAND as soon as the container answers again. */
static void says_when_up(struct fixture *fixture, const char *command, const char *expected)
{
	struct error err = {0};
	int rc = -ERR_UNAVAILABLE;
	for (int i = 0; i < 3000 && rc == -ERR_UNAVAILABLE; i++) {
		owned_in(exec_result_done) struct exec_result result;
		rc = fixture_shell(fixture, 0, "true", &result, &err);
	}
	assert_int_equal(rc, 0);
	fixture_says(fixture, 0, command, expected);
}

static void reboot_once(struct fixture *fixture, pid_t monitor)
{
	struct error err = {0};
	owned_in(exec_result_done) struct exec_result result;
	pid_t init = cgroup_init(monitor, fixture->names[0]);
	assert_int_not_equal(init, 0);
	fixture_says(fixture, 0, "touch /dev/mark; ls /dev/mark", "/dev/mark\n");
	fixture_shell(fixture, 0, "reboot -f", &result, &err);
	assert_int_not_equal(wait_for_next_init(fixture, monitor, init), 0);
	assert_int_equal(monitor_lock_holder(fixture->state_dir, fixture->names[0]), monitor);
	check_state(fixture, 0, GUEST_RUNNING);
	/* /dev is made anew; the disk still has its owners, and the network its name. */
	says_when_up(fixture,
		"while ! [ -d /run/boots ]; do sleep 0.1; done; ls /dev | grep -c mark; touch /again && stat "
		"-c %u / /again",
		"0\n0\n0\n");
	fixture_says(fixture, 0, "ip route | grep -c default", "1\n");
}

static void test_reboot_inside(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	fixture_start(fixture, 0);
	pid_t monitor = monitor_lock_holder(fixture->state_dir, fixture->names[0]);
	for (int i = 0; i < 3; i++)
		reboot_once(fixture, monitor);
	fixture_close(fixture);
	assert_int_equal(fixture_open(fixture), 0);
	check_state(fixture, 0, GUEST_RUNNING);
	assert_int_equal(fixture->event_count, 0);
	assert_int_equal(hypervisor_ovz.kill(fixture->hv, fixture->names[0], &err), 0);
	fixture_expect(fixture, 0, GUEST_STOPPED);
}

/* The monitor pauses between the boots of a container that does nothing but reboot. */
static void wait_for_pause(struct fixture *fixture)
{
	char path[64];
	bool pauses = false;
	text_format(path, sizeof(path), "/proc/%d/comm",
		(int)monitor_lock_holder(fixture->state_dir, fixture->names[0]));
	for (int i = 0; i < 30000 && !pauses; i++) {
		owned_mem char *name = NULL;
		pauses = file_read(path, 64, &name, NULL, NULL) == 0 &&
			 text_equal(name, HELPER_PAUSE_NAME "\n");
		poll(NULL, 0, 1);
	}
	assert_true(pauses);
}

/* One that never stops rebooting can still be killed. */
static void test_kill_of_a_reboot_loop(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	char path[256];
	owned_in(exec_result_done) struct exec_result result;
	text_format(path, sizeof(path), "%s/etc/inittab", fixture->rootfs[0]);
	owned_mem char *saved = NULL;
	size_t len;
	assert_int_equal(file_read(path, 4096, &saved, &len, &err), 0);
	fixture_start(fixture, 0);
	static const char looping[] = "::sysinit:/bin/reboot -f\n";
	assert_int_equal(file_write_atomic(path, looping, strlen(looping), 0644, &err), 0);
	fixture_shell(fixture, 0, "reboot -f", &result, &err);
	wait_for_pause(fixture);
	int rc = hypervisor_ovz.kill(fixture->hv, fixture->names[0], &err);
	assert_int_equal(file_write_atomic(path, saved, len, 0644, NULL), 0);
	assert_int_equal(rc, 0);
	fixture_expect(fixture, 0, GUEST_STOPPED);
}

static void count_one(void *context, const char *name, enum guest_state state)
{
	char *text = context;
	size_t used = strlen(text);
	text_format(text + used, 256 - used, "%s=%s ", name, guest_state_name(state));
}

static void test_outlives_the_back_end(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	struct guest_spec second = fixture_spec(fixture, 1);
	char listed[256] = "", expected[256];
	fixture_start(fixture, 0);
	assert_int_equal(hypervisor_ovz.define(fixture->hv, &second, &err), 0);
	fixture_says(fixture, 0, "touch /dev/mark", "");
	fixture_close(fixture);
	assert_int_equal(fixture_open(fixture), 0);
	check_state(fixture, 0, GUEST_RUNNING);
	check_state(fixture, 1, GUEST_STOPPED);
	fixture_says(fixture, 0, "ls /dev/mark", "/dev/mark\n");
	assert_int_equal(hypervisor_ovz.list(fixture->hv, count_one, listed, &err), 0);
	text_format(
		expected, sizeof(expected), "%s=running %s=stopped ", fixture->names[0], fixture->names[1]);
	assert_string_equal(listed, expected);
	assert_int_equal(hypervisor_ovz.kill(fixture->hv, fixture->names[0], &err), 0);
	fixture_expect(fixture, 0, GUEST_STOPPED);
}

static void test_two_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	fixture_start(fixture, 0);
	fixture_start(fixture, 1);
	fixture_says(fixture, 0, "hostname", "first.example\n");
	fixture_says(fixture, 1, "hostname", "second.example\n");
	fixture_says(fixture, 1, "while ! [ -e /booted ]; do sleep 0.1; done; touch /only-second", "");
	fixture_says(fixture, 0, "ls / | grep -c only; true", "0\n");
	assert_int_equal(hypervisor_ovz.kill(fixture->hv, fixture->names[0], &err), 0);
	fixture_expect(fixture, 0, GUEST_STOPPED);
	check_state(fixture, 1, GUEST_RUNNING);
	fixture_says(fixture, 1, "echo alive", "alive\n");
}

/* A dead monitor leaves its groups behind; the next start removes them. */
static void test_monitor_killed(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	fixture_start(fixture, 0);
	assert_int_equal(kill(monitor_lock_holder(fixture->state_dir, fixture->names[0]), SIGKILL), 0);
	fixture_expect(fixture, 0, GUEST_STOPPED);
	fixture_start(fixture, 0);
	fixture_says(fixture, 0, "echo again", "again\n");
	assert_int_equal(hypervisor_ovz.kill(fixture->hv, fixture->names[0], &err), 0);
}

static void make_group(struct fixture *fixture, const char *folder, const char *name)
{
	char path[CGROUP_PATH_MAX * 2];
	assert_true(cgroup_path(&fixture->cgroups, CGROUP_MEMORY, folder, name, "", path));
	path[strlen(path) - 1] = '\0';
	assert_int_equal(dir_make(path, 0755, NULL), 0);
}

static void enter_group(struct fixture *fixture, const char *folder, const char *name, pid_t pid)
{
	char path[CGROUP_PATH_MAX * 2];
	assert_true(cgroup_path(&fixture->cgroups, CGROUP_MEMORY, folder, name, "cgroup.procs", path));
	FILE *procs = fopen(path, "w");
	assert_non_null(procs);
	fprintf(procs, "%d", (int)pid);
	assert_int_equal(fclose(procs), 0);
}

/* A container of the same name that runs for another node of this host is not touched. */
static void test_strangers_are_left_alone(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	struct guest_spec spec = fixture_spec(fixture, 0);
	make_group(fixture, CGROUP_MONITORS, spec.name);
	make_group(fixture, CGROUP_GUESTS, spec.name);
	pid_t monitor = fork(), guest = monitor ? fork() : 0;
	if (monitor == 0 || guest == 0) {
		pause();
		_exit(0);
	}
	enter_group(fixture, CGROUP_MONITORS, spec.name, monitor);
	enter_group(fixture, CGROUP_GUESTS, spec.name, guest);
	int rc = hypervisor_ovz.define(fixture->hv, &spec, &err);
	if (rc == 0)
		rc = hypervisor_ovz.start(fixture->hv, spec.name, &err);
	int undefined = hypervisor_ovz.undefine(fixture->hv, spec.name, &err);
	pid_t ended = waitpid(-1, NULL, WNOHANG);
	kill(monitor, SIGKILL);
	kill(guest, SIGKILL);
	waitpid(monitor, NULL, 0);
	waitpid(guest, NULL, 0);
	cgroup_remove(&fixture->cgroups, spec.name);
	assert_int_equal(rc, -ERR_EXISTS);
	assert_int_equal(undefined, 0);
	assert_int_equal(ended, 0);
}

static void test_frozen_can_be_killed(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	char path[CGROUP_PATH_MAX * 2];
	fixture_start(fixture, 0);
	const char *file = fixture->cgroups.unified ? "cgroup.freeze" : "freezer.state";
	const char *value = fixture->cgroups.unified ? "1" : "FROZEN";
	assert_true(
		cgroup_path(&fixture->cgroups, CGROUP_FREEZER, CGROUP_GUESTS, fixture->names[0], file, path));
	FILE *freezer = fopen(path, "w");
	assert_non_null(freezer);
	fputs(value, freezer);
	assert_int_equal(fclose(freezer), 0);
	assert_int_equal(hypervisor_ovz.stop(fixture->hv, fixture->names[0], 300, &err), -ERR_TIMEOUT);
	assert_int_equal(hypervisor_ovz.kill(fixture->hv, fixture->names[0], &err), 0);
	fixture_expect(fixture, 0, GUEST_STOPPED);
}

static void test_failed_start_says_why(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	struct guest_spec spec = fixture_spec(fixture, 0);
	spec.bridge = "nosuchbridge";
	assert_int_equal(hypervisor_ovz.define(fixture->hv, &spec, &err), 0);
	assert_int_equal(hypervisor_ovz.start(fixture->hv, spec.name, &err), -ERR_IO);
	assert_non_null(strstr(err.message, "nosuchbridge"));
	assert_string_equal(err.said, "");
	check_state(fixture, 0, GUEST_STOPPED);
	fixture_start(fixture, 0);
}

static void test_probe(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	char says[256];
	int rc = hypervisor_ovz.probe(fixture->hv, says, sizeof(says), &err);
	printf("%s\n", says);
	assert_int_equal(rc, 0);
	assert_non_null(strstr(says, "liblxc"));
}

static int all_tests(struct fixture *fixture)
{
	(void)fixture;
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_probe),
		TEST(test_start_and_kill),
		TEST(test_stop),
		TEST(test_poweroff_inside),
		TEST(test_reboot_inside),
		TEST(test_kill_of_a_reboot_loop),
		TEST(test_outlives_the_back_end),
		TEST(test_two_at_once),
		TEST(test_monitor_killed),
		TEST(test_strangers_are_left_alone),
		TEST(test_frozen_can_be_killed),
		TEST(test_failed_start_says_why),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return fixture_main(all_tests);
}
