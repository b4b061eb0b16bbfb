#include "fixture.h"
#include "base/fd.h"
#include "base/owned.h"
#include "base/process.h"
#include "base/memory.h"
#include "base/text.h"
#include "hypervisor/ovz/ovz.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { SKIPPED = 77, TOOL_TIMEOUT_MS = 30000 };

/* cmocka gives setup functions no argument. */
static struct fixture *current;

struct fixture *fixture_get(void)
{
	return current;
}

static int run(const char *const *argv)
{
	struct error err = {0};
	int rc = process_check(argv, TOOL_TIMEOUT_MS, &err);
	if (rc < 0)
		fprintf(stderr, "%s\n", err.message);
	return rc;
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static int skip_because(const char *why)
{
	printf("SKIP: %s\n", why);
	return SKIPPED;
}

/* ---- the guests' disk ---- */

static const char *const applets[] = {"sh", "ls", "cat", "dd", "sleep", "id", "ps", "kill", "hostname", "ip",
	"reboot", "poweroff", "yes", "true", "false", "head", "wc", "grep", "env", "mount", "setsid", "stat",
	"mkdir", "echo", "tr", "readlink", "tunctl", "pwd", "touch", "date", "dmesg"};

static const char inittab[] = "::sysinit:/bin/mkdir -p /run/boots\n"
			      "::sysinit:/bin/touch /booted\n"
			      "::respawn:/bin/sleep 1000000\n";

static int make_tree(const char *tree)
{
	static const char *const dirs[] = {"bin", "sbin", "dev", "proc", "sys", "etc", "root", "tmp", "run"};
	char path[256];
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		text_format(path, sizeof(path), "%s/%s", tree, dirs[i]);
		if (dir_make(path, 0755, NULL) < 0)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(applets); i++) {
		text_format(path, sizeof(path), "%s/bin/%s", tree, applets[i]);
		if (symlink("busybox", path) < 0)
			return -1;
	}
	text_format(path, sizeof(path), "%s/sbin/init", tree);
	if (symlink("../bin/busybox", path) < 0)
		return -1;
	text_format(path, sizeof(path), "%s/etc/inittab", tree);
	if (file_write_atomic(path, inittab, strlen(inittab), 0644, NULL) < 0)
		return -1;
	text_format(path, sizeof(path), "%s/bin", tree);
	return RUN("cp", "/bin/busybox", path);
}

static int make_disk(struct fixture *fixture, int index, const char *tree)
{
	char image[128];
	text_format(image, sizeof(image), "%s/%d.img", fixture->dir, index);
	text_format(
		fixture->rootfs[index], sizeof(fixture->rootfs[index]), "%s/disks/%d", fixture->dir, index);
	text_format(fixture->names[index], sizeof(fixture->names[index]), "%s%d", fixture->prefix, index);
	text_format(fixture->links[index], sizeof(fixture->links[index]), "mt%dv%d", (int)getpid(), index);
	if (dir_make(fixture->rootfs[index], 0755, NULL) < 0 || RUN("truncate", "-s", "64M", image) < 0)
		return -1;
	if (RUN("mkfs.ext4", "-q", "-F", "-d", tree, image) < 0)
		return -1;
	return RUN("mount", "-o", "loop", image, fixture->rootfs[index]);
}

/* ---- the whole fixture ---- */

static int make(struct fixture *fixture)
{
	char tree[96], disks[96];
	text_format(fixture->prefix, sizeof(fixture->prefix), "moat%d-", (int)getpid());
	text_format(fixture->bridge, sizeof(fixture->bridge), "mt%d", (int)getpid());
	text_format(fixture->state_dir, sizeof(fixture->state_dir), "%s/state", fixture->dir);
	text_format(fixture->run_dir, sizeof(fixture->run_dir), "%s/run", fixture->dir);
	text_format(tree, sizeof(tree), "%s/tree", fixture->dir);
	text_format(disks, sizeof(disks), "%s/disks", fixture->dir);
	/* Open to pass through as a node's folders are; the one with the disks is not. */
	if (chmod(fixture->dir, 0755) < 0 || dir_make(fixture->state_dir, 0700, NULL) < 0 ||
		dir_make(fixture->run_dir, 0700, NULL) < 0 || dir_make(disks, 0700, NULL) < 0 ||
		make_tree(tree) < 0)
		return skip_because("no root file system can be made");
	if (RUN("chroot", tree, "/bin/busybox", "true") < 0)
		return skip_because("busybox is not static (package busybox-static)");
	if (cgroup_layout_read(&fixture->cgroups, NULL) < 0)
		return skip_because("no memory control groups");
	for (int i = 0; i < FIXTURE_GUESTS; i++)
		if (make_disk(fixture, i, tree) < 0)
			return skip_because("no loop mounts");
	if (RUN("ip", "link", "add", fixture->bridge, "type", "bridge") < 0 ||
		RUN("ip", "link", "set", fixture->bridge, "up") < 0)
		return skip_because("no bridges");
	return 0;
}

static void remove_groups(struct fixture *fixture)
{
	/* liblxc makes one more below the pivot. */
	static const char *const folders[] = {
		CGROUP_GUESTS, CGROUP_MONITORS, CGROUP_PIVOT "/lxc.pivot", CGROUP_PIVOT};
	char path[CGROUP_PATH_MAX * 2];
	for (size_t i = 0; i < fixture->cgroups.tree_count; i++) {
		for (size_t k = 0; k < ARRAY_LEN(folders); k++) {
			text_format(path, sizeof(path), "%s/%s", fixture->cgroups.trees[i], folders[k]);
			rmdir(path); /* stays while others run containers */
		}
	}
}

static void destroy(struct fixture *fixture)
{
	char path[256];
	for (int i = 0; i < FIXTURE_GUESTS; i++)
		if (fixture->names[i][0])
			cgroup_remove(&fixture->cgroups, fixture->names[i]);
	for (int i = 0; i < FIXTURE_GUESTS; i++) {
		if (fixture->rootfs[i][0])
			process_check((const char *const[]){"umount", "-l", fixture->rootfs[i], NULL},
				TOOL_TIMEOUT_MS, NULL);
		text_format(path, sizeof(path), "/run/lxc/lock%s/.%s", fixture->state_dir, fixture->names[i]);
		unlink(path);
	}
	text_format(path, sizeof(path), "/run/lxc/lock%s", fixture->state_dir);
	for (char *slash; strlen(path) > strlen("/run/lxc/lock") && rmdir(path) == 0; *slash = '\0')
		slash = strrchr(path, '/');
	if (fixture->bridge[0])
		process_check((const char *const[]){"ip", "link", "del", fixture->bridge, NULL},
			TOOL_TIMEOUT_MS, NULL);
	remove_groups(fixture);
	dir_remove_tree(fixture->dir, NULL);
}

static int wait_child(pid_t pid)
{
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int fixture_main(int (*tests)(struct fixture *fixture))
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	if (geteuid() != 0)
		return skip_because("needs root");
	if (!getenv("MOA_CONTAINER"))
		return skip_because("MOA_CONTAINER does not name the helper program");
	text_copy(fixture->dir, sizeof(fixture->dir), "/tmp/moa-ovz-XXXXXX");
	if (!mkdtemp(fixture->dir))
		return skip_because("no folder");
	pthread_mutex_init(&fixture->lock, NULL);
	pthread_cond_init(&fixture->changed, NULL);
	current = fixture;
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	int rc = make(fixture);
	pid_t pid = rc == 0 ? fork() : -1;
	if (pid == 0) {
		signal(SIGTERM, SIG_DFL);
		exit(tests(fixture));
	}
	if (pid > 0)
		rc = wait_child(pid);
	destroy(fixture);
	free(fixture);
	return rc;
}

/* ---- what tests use ---- */

static void note(void *context, const char *name, enum guest_state state)
{
	struct fixture *fixture = context;
	pthread_mutex_lock(&fixture->lock);
	if (fixture->event_count < FIXTURE_EVENTS) {
		struct fixture_event *event = &fixture->events[fixture->event_count++];
		text_copy(event->name, sizeof(event->name), name);
		event->state = state;
	}
	pthread_cond_broadcast(&fixture->changed);
	pthread_mutex_unlock(&fixture->lock);
}

int fixture_open(struct fixture *fixture)
{
	struct error err = {0};
	struct hypervisor_config config = {.state_dir = fixture->state_dir,
		.run_dir = fixture->run_dir,
		.name_prefix = fixture->prefix,
		.helper_path = getenv("MOA_CONTAINER"),
		.event = note,
		.event_context = fixture};
	int rc = hypervisor_ovz.open(&config, &fixture->hv, &err);
	if (rc < 0)
		fprintf(stderr, "%s\n", err.message);
	return rc;
}

void fixture_close(struct fixture *fixture)
{
	hypervisor_ovz.close(fixture->hv);
	fixture->hv = NULL;
}

struct guest_spec fixture_spec(struct fixture *fixture, int index)
{
	static const char *const macs[] = {"02:00:00:00:77:01", "02:00:00:00:77:02"};
	static const struct address addresses[] = {
		{.address = "10.199.77.2", .prefix_len = 24, .gateway = "10.199.77.1"},
		{.address = "10.199.77.3", .prefix_len = 24, .gateway = "10.199.77.1"},
	};
	return (struct guest_spec){.name = fixture->names[index],
		.type = VPS_OVZ,
		.hostname = index ? "second.example" : "first.example",
		.ram_bytes = 64 << 20,
		.cpu_percent = 50,
		.process_max = 60,
		.rootfs_path = fixture->rootfs[index],
		.id_base = 3000000000u + (uint32_t)index * 65536,
		.bridge = fixture->bridge,
		.interface = fixture->links[index],
		.mac = macs[index],
		.addresses = &addresses[index],
		.address_count = 1};
}

void fixture_start(struct fixture *fixture, int index)
{
	struct guest_spec spec = fixture_spec(fixture, index);
	struct error err = {0};
	if (hypervisor_ovz.define(fixture->hv, &spec, &err) < 0 ||
		hypervisor_ovz.start(fixture->hv, spec.name, &err) < 0)
		fail_msg("%s", err.message);
	fixture_expect(fixture, index, GUEST_RUNNING);
}

int fixture_setup(void **state)
{
	*state = current;
	current->event_count = 0;
	return fixture_open(current);
}

int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;
	int failed = 0;
	if (!fixture->hv && fixture_open(fixture) < 0)
		return -1;
	for (int i = 0; i < FIXTURE_GUESTS; i++) {
		struct error err = {0};
		int rc = hypervisor_ovz.kill(fixture->hv, fixture->names[i], &err);
		if (rc == 0)
			rc = hypervisor_ovz.undefine(fixture->hv, fixture->names[i], &err);
		failed = failed || (rc < 0 && rc != -ERR_NOT_FOUND);
	}
	fixture_close(fixture);
	return failed ? -1 : 0;
}

void fixture_expect(struct fixture *fixture, int index, enum guest_state state)
{
	struct timespec deadline;
	int rc = 0;
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 60;
	pthread_mutex_lock(&fixture->lock);
	while (fixture->event_count == 0 && rc == 0)
		rc = pthread_cond_timedwait(&fixture->changed, &fixture->lock, &deadline);
	struct fixture_event event = fixture->events[0];
	bool came = fixture->event_count > 0;
	if (came)
		memmove(fixture->events, fixture->events + 1, --fixture->event_count * sizeof(event));
	pthread_mutex_unlock(&fixture->lock);
	assert_true(came);
	assert_string_equal(event.name, fixture->names[index]);
	assert_string_equal(guest_state_name(event.state), guest_state_name(state));
}

int fixture_shell(struct fixture *fixture, int index, const char *command, struct exec_result *result,
	struct error *err)
{
	const char *argv[] = {"/bin/sh", "-c", command, NULL};
	struct exec_request request = {.argv = argv, .timeout_ms = 30000, .max_output = 16384};
	return hypervisor_ovz.exec(fixture->hv, fixture->names[index], &request, result, err);
}

void fixture_says(struct fixture *fixture, int index, const char *command, const char *expected)
{
	struct error err = {0};
	owned_in(exec_result_done) struct exec_result result;
	if (fixture_shell(fixture, index, command, &result, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(result.output.data, expected);
	assert_int_equal(result.exit_status, 0);
}
