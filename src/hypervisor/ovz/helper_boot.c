/* The monitor of a container is this program: liblxc's start in the foreground, in a process that stays the
 * same through reboots. liblxc would reboot by itself, but then mounts the root file system without its id
 * map (5.0), so that everything inside belongs to nobody. So its post-stop hook is one that fails (config.c),
 * which makes liblxc end instead, and the monitor executes itself anew for the next boot. */
#include "hypervisor/ovz/helper_boot.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/owned.h"
#include "base/text.h"
#include "hypervisor/ovz/helper.h"
#include "hypervisor/ovz/helper_link.h"
#include "hypervisor/ovz/monitor_lock.h"
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
	LOG_PATH_MAX = 512,
	LOG_READ_MAX = 64 << 10,
	IOPRIO_WHO_PROCESS = 1,
	NOFILE_SOFT = 1024,
	NOFILE_HARD = 524288,
	START_WAIT_US = 500,
	START_TIMEOUT_MS = 45000,
	BOOT_SHORT_MS = 3000,
	BOOT_PAUSE_MS = 1000
};

static bool log_path(struct lxc_container *container, char place[LOG_PATH_MAX])
{
	int len = container->get_config_item(container, "lxc.log.file", place, LOG_PATH_MAX);
	return len > 0 && len < LOG_PATH_MAX;
}

static void clear_log(struct lxc_container *container)
{
	char path[LOG_PATH_MAX];
	if (log_path(container, path) && truncate(path, 0) < 0 && errno != ENOENT)
		perror("log");
}

/* liblxc's own words: the first error it logged is the cause, "... ERROR    conf - file:line - words". */
static void print_cause(struct lxc_container *container)
{
	char path[LOG_PATH_MAX];
	owned_mem char *text = NULL;
	const char *words = NULL;
	if (log_path(container, path) && file_read(path, LOG_READ_MAX, &text, NULL, NULL) == 0)
		words = strstr(text, " ERROR ");
	for (int i = 0; words && i < 2; i++)
		words = strstr(words + 1, " - ");
	if (words)
		printf("%.*s\n", (int)strcspn(words + 3, "\n"), words + 3);
	else
		printf("liblxc did not say why\n");
}

/* A guest must not inherit the priorities of whichever thread of the node started it. PATH leaves out
 * newuidmap: with it liblxc would ask /etc/subuid for ids that are the node's to give. */
static void reset_inherited(void)
{
	struct rlimit files = {NOFILE_SOFT, NOFILE_HARD}, now;
	if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_max < files.rlim_max)
		files.rlim_max = now.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	setpriority(PRIO_PROCESS, 0, 0);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0);
	umask(022);
	setenv("PATH", "/usr/sbin:/sbin", 1);
	if (chdir("/") < 0)
		perror("chdir");
}

/* ---- the monitor ---- */

/* What the last boot left of the network under the name this one needs. */
static void remove_stale_link(struct lxc_container *container)
{
	char link[IF_NAMESIZE];
	int len = container->get_config_item(container, "lxc.net.0.veth.pair", link, sizeof(link));
	if (len > 0 && len < (int)sizeof(link))
		link_remove(link);
}

/* The lock stays open over the execution. Signals liblxc blocked are let in again, so that a container that
 * does nothing but reboot can be ended in its pause. */
static int run_again(const char *state_dir, const char *name, int lock, int64_t booted_ms)
{
	char lock_text[16];
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (clock_monotonic_ms() - booted_ms < BOOT_SHORT_MS) {
		prctl(PR_SET_NAME, HELPER_PAUSE_NAME);
		poll(NULL, 0, BOOT_PAUSE_MS);
	}
	text_format(lock_text, sizeof(lock_text), "%d", lock);
	close_range((unsigned)lock + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	fcntl(lock, F_SETFD, 0);
	execl("/proc/self/exe", "moa-container", "run", state_dir, name, lock_text, NULL);
	return HELPER_FAILED;
}

/* The kernel ends the first process with SIGHUP when it asked for a reboot (reboot(2)). liblxc 5.0 gives that
 * the form of a stopped process. A container that could not be started has the plain status 1, which is no
 * signal. */
static bool wants_reboot(int status)
{
	return WIFSIGNALED(status) ? WTERMSIG(status) == SIGHUP
				   : WIFSTOPPED(status) && WSTOPSIG(status) == SIGHUP;
}

int boot_run(struct lxc_container *container, const char *state_dir, const char *name, int lock)
{
	int64_t booted_ms = clock_monotonic_ms();
	fcntl(lock, F_SETFD, FD_CLOEXEC);
	prctl(PR_SET_NAME, "moa-container");
	clear_log(container); /* here, so that a container that does nothing but reboot cannot fill it */
	remove_stale_link(container);
	container->want_daemonize(container, false);
	container->want_close_all_fds(container, false); /* the lock is one; all are closed on execution */
	bool ended_well = container->start(container, 0, NULL);
	if (ended_well && wants_reboot(container->error_num))
		return run_again(state_dir, name, lock, booted_ms);
	return ended_well ? HELPER_OK : HELPER_FAILED;
}

/* ---- starting it ---- */

/* In the child: a session of its own, nothing of the node's. */
static int become_monitor(struct lxc_container *container, const char *state_dir, const char *name)
{
	struct error err = {0};
	setsid();
	reset_inherited();
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int lock = monitor_lock_take(state_dir, name, &err);
	if (lock < 0)
		return err.code == ERR_EXISTS ? HELPER_OK : HELPER_FAILED;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(null_fd, fd);
	return boot_run(container, state_dir, name, lock);
}

/* Asked before the monitor listens, liblxc answers at once; later it answers when the container runs. */
static bool wait_until_it_runs(struct lxc_container *container, pid_t monitor, int *status)
{
	int64_t deadline_ms = clock_monotonic_ms() + START_TIMEOUT_MS;
	while (clock_monotonic_ms() < deadline_ms) {
		if (text_equal(container->state(container), "RUNNING"))
			return true;
		if (waitpid(monitor, status, WNOHANG) == monitor)
			return false;
		usleep(START_WAIT_US);
	}
	kill(monitor, SIGKILL);
	waitpid(monitor, status, 0);
	return false;
}

int boot_start(struct lxc_container *container, const char *state_dir, const char *name)
{
	int status = 0;
	if (container->is_running(container))
		return HELPER_OK;
	fflush(stdout);
	pid_t monitor = fork();
	if (monitor < 0) {
		printf("fork: %s\n", strerror(errno));
		return HELPER_FAILED;
	}
	if (monitor == 0)
		_exit(become_monitor(container, state_dir, name));
	if (wait_until_it_runs(container, monitor, &status) ||
		(WIFEXITED(status) && WEXITSTATUS(status) == HELPER_OK))
		return HELPER_OK;
	print_cause(container);
	return HELPER_FAILED;
}
