/* Starting and ending containers. The first process inside gets signals through a pidfd that is checked after
 * it was opened, so a reused pid never gets them; every wait has an end, whatever the guest does. */
#include "hypervisor/ovz/ovz.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/owned.h"
#include "base/text.h"
#include "hypervisor/ovz/helper.h"
#include "hypervisor/ovz/monitor_lock.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

enum { START_TIMEOUT_MS = 60000, KILL_TIMEOUT_MS = 30000, RETRY_MS = 100, RESEND_MS = 1000 };

static int pidfd_of(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int ovz_adopt(struct hypervisor *hv, const char *name, bool announce, struct error *err)
{
	pid_t monitor = monitor_lock_holder(hv->state_dir, name);
	if (!monitor)
		return 0;
	owned_fd int pidfd = pidfd_of(monitor);
	if (pidfd < 0)
		return errno == ESRCH ? 0 : err_errno(err, errno, "watching %s", name);
	if (monitor_lock_holder(hv->state_dir, name) != monitor)
		return 0;
	int rc = watch_add(hv->watch, name, monitor, fd_take(pidfd), announce, err);
	return rc < 0 ? rc : 1;
}

static int run_start(struct hypervisor *hv, const char *name, struct error *err)
{
	const char *argv[] = {hv->helper_path, "start", hv->state_dir, name, NULL};
	struct process_request request = {.argv = argv, .timeout_ms = START_TIMEOUT_MS, .max_output = 1024};
	owned_in(process_result_done) struct process_result result;
	int rc = process_run(&request, &result, err);
	if (rc < 0)
		return err_wrap(err, "starting %s", name);
	if (result.timed_out)
		return err_set(err, ERR_TIMEOUT, "starting %s took too long", name);
	if (result.exit_status != HELPER_OK)
		return err_set(err, ERR_IO, "starting %s: %.300s", name, result.output.data);
	return 0;
}

int ovz_clear(struct hypervisor *hv, const char *name, struct error *err)
{
	if (!monitor_lock_holder(hv->state_dir, name) && cgroup_has_monitor(&hv->cgroups, name))
		return err_set(err, ERR_EXISTS, "another node of this host runs a container %s", name);
	cgroup_remove(&hv->cgroups, name);
	return 0;
}

int ovz_start(struct hypervisor *hv, const char *name, struct error *err)
{
	char path[OVZ_PATH_MAX];
	int rc = ovz_config_path(hv, name, path, err);
	if (rc < 0)
		return rc;
	if (watch_monitor(hv->watch, name))
		return 0;
	if (access(path, F_OK) < 0)
		return err_set(err, ERR_NOT_FOUND, "container %s is not defined", name);
	rc = ovz_adopt(hv, name, true, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = ovz_clear(hv, name, err);
	if (rc < 0)
		return rc;
	rc = run_start(hv, name, err);
	if (rc < 0) {
		ovz_clear(hv, name, NULL);
		return rc;
	}
	rc = ovz_adopt(hv, name, true, err);
	if (rc == 0)
		return err_say(err, ERR_UNAVAILABLE, "the system inside ended as soon as it was started");
	return rc < 0 ? rc : 0;
}

/* A pidfd of the container's first process, or -1 when it has none at this moment. */
static int open_init(pid_t monitor, const char *name, pid_t *ret_pid)
{
	pid_t init = cgroup_init(monitor, name);
	owned_fd int pidfd = init ? pidfd_of(init) : -1;
	if (pidfd < 0 || cgroup_init(monitor, name) != init)
		return -1;
	*ret_pid = init;
	return fd_take(pidfd);
}

static uint64_t signals_of(const char *status, const char *key)
{
	const char *found = strstr(status, key);
	return found ? strtoull(found + strlen(key), NULL, 16) : 0;
}

/* How the init inside is asked to power off the ROUND-th time. systemd's signal is seen to be waited for.
 * Others' are not, as busybox waits with sigtimedwait(2); so theirs are sent in turns, and the kernel drops
 * those such a process has no handler for: System V's, OpenRC's and newer busybox's, then older busybox's. */
static int halt_signal(pid_t init, int round)
{
	int systemd = SIGRTMIN + 3;
	char path[64];
	owned_mem char *status = NULL;
	text_format(path, sizeof(path), "/proc/%d/status", (int)init);
	if (file_read(path, 16384, &status, NULL, NULL) < 0)
		return 0;
	uint64_t heard = signals_of(status, "\nSigBlk:") | signals_of(status, "\nSigCgt:");
	if (heard >> (systemd - 1) & 1)
		return systemd;
	return round % 2 ? SIGUSR2 : SIGPWR;
}

static void send_halt(pid_t monitor, const char *name, int round)
{
	pid_t init = 0;
	owned_fd int pidfd = open_init(monitor, name, &init);
	int signal_number = pidfd < 0 ? 0 : halt_signal(init, round);
	if (signal_number)
		syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0);
}

static int min_ms(int64_t a, int64_t b)
{
	return (int)(a < b ? a : b);
}

/* The signal is sent again from time to time: one that comes while the first process is still on its way to
 * its own program is lost, and another does no harm. */
int ovz_stop(struct hypervisor *hv, const char *name, int timeout_ms, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms, left_ms;
	int rc = ovz_known_check(hv, name, err);
	if (rc < 0)
		return rc;
	for (int round = 0; (left_ms = deadline_ms - clock_monotonic_ms()) > 0; round++) {
		pid_t monitor = watch_monitor(hv->watch, name);
		if (!monitor)
			return 0;
		send_halt(monitor, name, round);
		if (watch_wait_gone(hv->watch, name, min_ms(left_ms, RESEND_MS)))
			return 0;
	}
	if (!watch_monitor(hv->watch, name))
		return 0;
	return err_say(err, ERR_TIMEOUT, "the system inside did not shut down in time");
}

static bool is_pausing(pid_t monitor)
{
	char path[64];
	owned_mem char *name = NULL;
	text_format(path, sizeof(path), "/proc/%d/comm", (int)monitor);
	return file_read(path, 64, &name, NULL, NULL) == 0 && text_equal(name, HELPER_PAUSE_NAME "\n");
}

/* The first process of the container, or, while there is none and no boot under way, its monitor. */
static void send_kill(struct hypervisor *hv, pid_t monitor, const char *name)
{
	pid_t init = 0;
	owned_fd int pidfd = open_init(monitor, name, &init);
	if (pidfd < 0 && is_pausing(monitor))
		pidfd = pidfd_of(monitor);
	if (pidfd >= 0 && monitor_lock_holder(hv->state_dir, name) == monitor)
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

/* Again and again, for a container between two boots has no process to kill yet. The monitor is left alone:
 * as long as it waits, something inside still holds the disk. */
int ovz_kill(struct hypervisor *hv, const char *name, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + KILL_TIMEOUT_MS;
	int rc = ovz_known_check(hv, name, err);
	if (rc < 0)
		return rc;
	for (;;) {
		pid_t monitor = watch_monitor(hv->watch, name);
		if (!monitor)
			return 0;
		cgroup_thaw(&hv->cgroups, name);
		send_kill(hv, monitor, name);
		if (watch_wait_gone(hv->watch, name, RETRY_MS))
			return 0;
		if (clock_monotonic_ms() >= deadline_ms)
			return err_set(err, ERR_TIMEOUT, "container %s does not end", name);
	}
}
