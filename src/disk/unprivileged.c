/* Running something on hostile files where it can do little: a child in namespaces of its own (mounts,
 * processes, network, IPC), without privileges, bounded in time, processor time, memory and file size. What
 * is run is import.c's and unpack.c's business.
 *
 * Two processes: the outer one enters the namespaces, the inner one is the first process in the new process
 * namespace and does the work. When either ends everything inside ends and every mount made there is gone. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "disk/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { CPU_SECONDS_MAX = 1800, OUTPUT_MAX = 4096, LAST_CAPABILITY = 63 };

struct report {
	int rc;
	int64_t result[2];
	struct error err;
};

static const int unpacker_capabilities[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_SETFCAP};

/* ---- in the child ---- */

static int limit(int resource, rlim_t most)
{
	const struct rlimit bound = {most, most};
	return setrlimit((__rlimit_resource_t)resource, &bound);
}

static int set_limits(const struct child *child, struct error *err)
{
	signal(SIGXFSZ, SIG_IGN);
	if (limit(RLIMIT_CORE, 0) < 0 || limit(RLIMIT_CPU, CPU_SECONDS_MAX) < 0 ||
		limit(RLIMIT_NOFILE, 64) < 0 || limit(RLIMIT_NPROC, 64) < 0 ||
		limit(RLIMIT_FSIZE, (rlim_t)child->file_bytes_max) < 0 ||
		limit(RLIMIT_AS, (rlim_t)child->memory_bytes_max) < 0)
		return err_errno(err, errno, "set limits");
	return 0;
}

static bool is_kept(enum child_rights rights, int capability)
{
	for (size_t i = 0; rights == CHILD_UNPACKER && i < sizeof(unpacker_capabilities) / sizeof(int); i++)
		if (unpacker_capabilities[i] == capability)
			return true;
	return false;
}

static int set_capabilities(enum child_rights rights, struct error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	for (int i = 0; i <= LAST_CAPABILITY; i++) {
		if (!is_kept(rights, i))
			prctl(PR_CAPBSET_DROP, i, 0, 0,
				0); /* fails for numbers this kernel has no capability for */
		else
			data[i / 32].effective = data[i / 32].permitted |= 1u << (i % 32);
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, data) < 0)
		return err_errno(err, errno, "drop capabilities");
	return 0;
}

/* Raw calls: the library's would try to change threads that do not exist here. */
static int drop_ids(struct error *err)
{
	if (syscall(SYS_setgroups, 0, NULL) < 0 ||
		syscall(SYS_setresgid, CHILD_UID, CHILD_UID, CHILD_UID) < 0 ||
		syscall(SYS_setresuid, CHILD_UID, CHILD_UID, CHILD_UID) < 0)
		return err_errno(err, errno, "change the user id");
	return 0;
}

static int confine(const struct child *child, struct error *err)
{
	int rc = set_limits(child, err);
	if (rc < 0)
		return rc;
	if (chdir(child->dir) < 0)
		return err_errno(err, errno, "enter %s", child->dir);
	if (child->rights == CHILD_UNPACKER && (chroot(".") < 0 || syscall(SYS_setgroups, 0, NULL) < 0))
		return err_errno(err, errno, "chroot to %s", child->dir);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(err, errno, "no new privileges");
	/* The bounding set can only be emptied while there still are capabilities. */
	if (child->rights == CHILD_UNPACKER)
		return set_capabilities(child->rights, err);
	for (int i = 0; i <= LAST_CAPABILITY; i++)
		prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	rc = drop_ids(err);
	return rc < 0 ? rc : set_capabilities(child->rights, err);
}

/* Everything above standard error but these two, either of which may be -1. */
static void close_all_but(int one, int other)
{
	const int kept[2] = {one < other ? one : other, one < other ? other : one};
	int next = STDERR_FILENO + 1;
	for (int i = 0; i < 2; i++) {
		if (kept[i] < next)
			continue;
		if (kept[i] > next)
			close_range((unsigned)next, (unsigned)kept[i] - 1, 0);
		next = kept[i] + 1;
	}
	close_range((unsigned)next, ~0u, 0);
}

static void inner(const struct child *child, int report_fd)
{
	struct report report = {0};
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		report.rc = err_errno(&report.err, errno, "make mounts private");
	if (report.rc == 0 && child->prepare)
		report.rc = child->prepare(child->context, &report.err);
	close_all_but(report_fd, child->keep_fd);
	if (report.rc == 0)
		report.rc = confine(child, &report.err);
	/* Another user id has taken the death signal away. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (report.rc == 0)
		report.rc = child->run(child->context, report.result, &report.err);
	bool told = write(report_fd, &report, sizeof(report)) == (ssize_t)sizeof(report);
	_exit(told ? 0 : 1);
}

static void outer(const struct child *child, int report_fd)
{
	int status = 0;
	struct report report = {0};
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0) {
		report.rc = err_errno(&report.err, errno, "make namespaces");
		_exit(write(report_fd, &report, sizeof(report)) == (ssize_t)sizeof(report) ? 0 : 1);
	}
	pid_t pid = fork();
	if (pid == 0)
		inner(child, report_fd);
	close(report_fd);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		_exit(1);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* ---- in the parent ---- */

struct running {
	pid_t pid;
	int report_fd, output_fd;
	size_t report_len, output_len;
	struct report report;
	char output[OUTPUT_MAX];
};

static void child_side(const struct child *child, int report_fd, int output_fd)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(output_fd, STDOUT_FILENO) < 0 ||
		dup2(output_fd, STDERR_FILENO) < 0)
		_exit(1);
	outer(child, report_fd);
}

static int start(const struct child *child, struct running *run, struct error *err)
{
	int report[2], output[2];
	if (pipe2(report, O_CLOEXEC) < 0)
		return err_errno(err, errno, "pipe");
	owned_fd int report_in = report[1];
	run->report_fd = report[0];
	if (pipe2(output, O_CLOEXEC) < 0)
		return err_errno(err, errno, "pipe");
	owned_fd int output_in = output[1];
	run->output_fd = output[0];
	run->pid = fork();
	if (run->pid == 0)
		child_side(child, report_in, output_in);
	return run->pid < 0 ? err_errno(err, errno, "fork") : 0;
}

/* Reads into the room that is left, and past it to nowhere; false at the end. */
static bool drain(int fd, void *place, size_t size, size_t *len)
{
	char rest[512];
	bool full = *len >= size;
	ssize_t got = read(fd, full ? rest : (char *)place + *len, full ? sizeof(rest) : size - *len);
	if (got < 0)
		return errno == EINTR;
	if (!full)
		*len += (size_t)got;
	return got > 0;
}

static int pump(struct running *run, int timeout_ms, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	struct pollfd fds[2] = {
		{.fd = run->report_fd, .events = POLLIN}, {.fd = run->output_fd, .events = POLLIN}};
	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		int64_t left_ms = deadline_ms - clock_monotonic_ms();
		if (left_ms <= 0)
			return err_set(err, ERR_TIMEOUT, "the child did not end within %d ms", timeout_ms);
		if (poll(fds, 2, left_ms > 60000 ? 60000 : (int)left_ms) < 0 && errno != EINTR)
			return err_errno(err, errno, "poll");
		if (fds[0].revents &&
			!drain(run->report_fd, &run->report, sizeof(run->report), &run->report_len))
			fds[0].fd = -1;
		if (fds[1].revents &&
			!drain(run->output_fd, run->output, sizeof(run->output) - 1, &run->output_len))
			fds[1].fd = -1;
	}
	return 0;
}

/* A program's own words, when it left without a report of ours. */
static int judge_exit(const struct running *run, int status, struct error *err)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (strstr(run->output, "No space left on device"))
		return err_say(err, ERR_CAPACITY, "The storage pool is full.");
	return err_set(err, ERR_IO, "the child ended with %d: %.300s",
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), run->output);
}

int child_run(const struct child *child, int64_t result[2], struct error *err)
{
	struct running run = {.pid = -1, .report_fd = -1, .output_fd = -1};
	int status = 0;
	int rc = start(child, &run, err);
	if (rc == 0)
		rc = pump(&run, child->timeout_ms, err);
	if (rc < 0 && run.pid > 0)
		kill(run.pid, SIGKILL);
	while (run.pid > 0 && waitpid(run.pid, &status, 0) < 0 && errno == EINTR)
		;
	fd_close_owned(&run.report_fd);
	fd_close_owned(&run.output_fd);
	if (rc < 0)
		return rc;
	if (run.report_len != sizeof(run.report))
		return judge_exit(&run, status, err);
	if (run.report.rc < 0) {
		/* The child read hostile bytes: what it tells is bounded, whatever it is. */
		run.report.err.message[sizeof(run.report.err.message) - 1] = '\0';
		run.report.err.said[sizeof(run.report.err.said) - 1] = '\0';
		int code = run.report.err.code;
		run.report.err.code = code >= ERR_INVALID && code <= ERR_INTERNAL ? code : ERR_INTERNAL;
		if (err)
			*err = run.report.err;
		return -run.report.err.code;
	}
	for (int i = 0; i < 2 && result; i++)
		result[i] = run.report.result[i];
	return 0;
}
