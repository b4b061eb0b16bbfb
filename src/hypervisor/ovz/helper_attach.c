/* What runs inside is hostile. It gets three pipes and no other descriptor, a session and an environment of
 * its own, and as much time and output as was said. It shares no pipe with the node but its input: output
 * goes through this process, so that a program left behind inside cannot keep the node waiting. */
#include "hypervisor/ovz/helper_attach.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/owned.h"
#include "hypervisor/ovz/helper.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lxc/attach_options.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
	PIPE_BYTES = 64 << 10,
	PROCESSES_MAX = 1 << 16,
	KILL_ROUNDS = 3,
	MARK_PASSES = 4,
	KILL_WAIT_MS = 2000
};

/* ---- inside the container ---- */

static void execute(const struct attach_request *request)
{
	prctl(PR_SET_DUMPABLE, 0); /* until execvp nobody inside may look into this process */
	setsid();
	umask(022);
	close_range(STDERR_FILENO + 1, ~0u, 0);
	execvp(request->argv[0], request->argv);
	int error_number = errno;
	dprintf(STDERR_FILENO, "%s: %s\n", request->argv[0], strerror(error_number));
	_exit(error_number == ENOENT ? 127 : 126);
}

/* Forked once more when detached, so that the container's init becomes its parent. */
static int run_inside(void *payload)
{
	const struct attach_request *request = payload;
	if (request->detached) {
		pid_t pid = fork();
		if (pid != 0)
			_exit(pid < 0);
	}
	execute(request);
	return 1;
}

/* ---- outside ---- */

struct run {
	const struct attach_request *request;
	pid_t pid;
	int64_t deadline_ms;
	size_t passed_on;
	bool truncated;
};

static int64_t left_ms(const struct run *run)
{
	int64_t left = run->deadline_ms - clock_monotonic_ms();
	return left > 0 ? left : 0;
}

/* Passes on what came, up to the maximum; the rest is dropped so that the program can end. False at the end.
 */
static bool pass_output(struct run *run, int fd)
{
	char chunk[16384];
	ssize_t got = read(fd, chunk, sizeof(chunk));
	if (got < 0)
		return errno == EINTR;
	size_t room = run->request->max_output - run->passed_on,
	       kept = (size_t)got < room ? (size_t)got : room;
	if (kept < (size_t)got)
		run->truncated = true;
	if (kept && fd_write_all(STDOUT_FILENO, chunk, kept, NULL) < 0)
		exit(HELPER_FAILED); /* the node is gone */
	run->passed_on += kept;
	return got > 0;
}

/* Until the program ended (true) or its time is over. Its output may end before it, and go on after it. */
static bool wait_for_end(struct run *run, int output, int pidfd)
{
	struct pollfd fds[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = output, .events = POLLIN}};
	while (left_ms(run) > 0) {
		int count = poll(fds, 2, (int)left_ms(run));
		if (count < 0 && errno != EINTR)
			return false;
		if (count > 0 && fds[1].revents && !pass_output(run, output) && errno != EAGAIN)
			fds[1].fd = -1;
		if (count > 0 && fds[0].revents)
			return true;
	}
	return false;
}

struct process_info {
	pid_t pid, parent, session;
	bool is_marked;
};

static bool read_process(const char *pid_text, struct process_info *ret)
{
	char path[300], text[512];
	if (pid_text[0] < '1' || pid_text[0] > '9')
		return false;
	snprintf(path, sizeof(path), "/proc/%s/stat", pid_text);
	owned_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (got <= 0)
		return false;
	text[got] = '\0';
	const char *rest = strrchr(text, ')');
	*ret = (struct process_info){.pid = atoi(pid_text)};
	return rest && sscanf(rest, ") %*c %d %*d %d", &ret->parent, &ret->session) == 2;
}

static size_t read_processes(struct process_info *list)
{
	size_t count = 0;
	DIR *dir = opendir("/proc");
	for (struct dirent *entry; dir && count < PROCESSES_MAX && (entry = readdir(dir));)
		if (read_process(entry->d_name, &list[count]))
			count++;
	if (dir)
		closedir(dir);
	return count;
}

/* /proc lists its processes in the order of their ids. */
static const struct process_info *find_process(const struct process_info *list, size_t count, pid_t pid)
{
	size_t first = 0;
	while (count > 0) {
		size_t half = count / 2;
		if (list[first + half].pid == pid)
			return &list[first + half];
		if (list[first + half].pid < pid) {
			first += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return NULL;
}

/* Marks the process ROOT, its session, and all that descend from these; kills them. Most parents come before
 * their children, so a few passes reach everything. */
static void kill_marked(struct process_info *list, size_t count, pid_t root)
{
	for (size_t i = 0; i < count; i++)
		list[i].is_marked = list[i].pid == root || list[i].session == root;
	for (int pass = 0; pass < MARK_PASSES; pass++) {
		for (size_t i = 0; i < count; i++) {
			const struct process_info *parent = find_process(list, count, list[i].parent);
			list[i].is_marked = list[i].is_marked || (parent && parent->is_marked);
		}
	}
	for (size_t i = 0; i < count; i++)
		if (list[i].is_marked)
			kill(list[i].pid, SIGKILL);
}

/* What made itself a session of its own and lost its parent has become a daemon of the guest and lives on. */
static void kill_tree(pid_t root)
{
	struct process_info *list = mem_alloc(PROCESSES_MAX, sizeof(*list));
	for (int i = 0; i < KILL_ROUNDS; i++)
		kill_marked(list, read_processes(list), root);
	free(list);
}

static int write_trailer(const struct run *run, int wait_status, bool timed_out)
{
	char trailer[HELPER_TRAILER_LEN + 8];
	int status = WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
	snprintf(trailer, sizeof(trailer), HELPER_TRAILER_FORMAT, status, timed_out ? 'T' : '-',
		run->truncated ? 'O' : '-');
	return fd_write_all(STDOUT_FILENO, trailer, HELPER_TRAILER_LEN, NULL) < 0 ? HELPER_FAILED : HELPER_OK;
}

/* The status of the ended process; one that does not even die is given up. */
static int reap(const struct run *run, int pidfd)
{
	struct pollfd fds = {.fd = pidfd, .events = POLLIN};
	int status = SIGKILL;
	if (poll(&fds, 1, KILL_WAIT_MS) > 0)
		waitpid(run->pid, &status, 0);
	return status;
}

static int follow(struct run *run, int output)
{
	owned_fd int pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
	if (pidfd < 0)
		return HELPER_FAILED;
	fcntl(output, F_SETFL, O_NONBLOCK);
	bool ended = wait_for_end(run, output, pidfd);
	if (!ended)
		kill_tree(run->pid);
	int status = reap(run, pidfd);
	/* What was written before the end is in the pipe. More than it holds is of someone who still writes.
	 */
	for (size_t i = 0; i < PIPE_BYTES / 4096 && pass_output(run, output); i++)
		;
	return write_trailer(run, status, !ended);
}

/* Hands the whole input over to the detached program, as long as it takes it in time. */
static int hand_over_input(struct run *run, int input)
{
	char chunk[16384];
	ssize_t got;
	signal(SIGPIPE, SIG_IGN);
	while ((got = read(STDIN_FILENO, chunk, sizeof(chunk))) > 0) {
		for (ssize_t sent = 0; sent < got;) {
			struct pollfd fds = {.fd = input, .events = POLLOUT};
			if (left_ms(run) == 0 || poll(&fds, 1, (int)left_ms(run)) < 0)
				return write_trailer(run, 0, true);
			ssize_t written = write(input, chunk + sent, (size_t)(got - sent));
			if (written < 0 && errno != EAGAIN && errno != EINTR)
				return write_trailer(run, 0, false);
			sent += written > 0 ? written : 0;
		}
	}
	return write_trailer(run, 0, false);
}

static int attach(struct lxc_container *container, struct run *run, int input, int output, int errors)
{
	char *environment[] = {(char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		(char *)"HOME=/root", (char *)"USER=root", (char *)"LOGNAME=root", (char *)"SHELL=/bin/sh",
		(char *)"TERM=dumb", (char *)"LANG=C.UTF-8", NULL};
	lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
	options.env_policy = LXC_ATTACH_CLEAR_ENV;
	options.extra_env_vars = environment;
	options.initial_cwd = (char *)"/root";
	options.uid = 0;
	options.gid = 0;
	options.stdin_fd = input;
	options.stdout_fd = output;
	options.stderr_fd = errors;
	if (container->attach(container, run_inside, (void *)run->request, &options, &run->pid) == 0)
		return HELPER_OK;
	if (!container->is_running(container))
		return HELPER_NOT_RUNNING;
	printf("liblxc could not enter the container\n");
	return HELPER_FAILED;
}

static int run_detached(struct lxc_container *container, struct run *run)
{
	int ends[2], status = 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return HELPER_FAILED;
	owned_fd int input = ends[0], feed = ends[1];
	owned_fd int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int rc = attach(container, run, input, null_fd, null_fd);
	if (rc != HELPER_OK)
		return rc;
	close(fd_take(input));
	waitpid(run->pid, &status, 0);
	if (status != 0) {
		printf("the container has no room for another process\n");
		return HELPER_FAILED;
	}
	fcntl(feed, F_SETFL, O_NONBLOCK);
	return hand_over_input(run, feed);
}

static int run_and_wait(struct lxc_container *container, struct run *run)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return HELPER_FAILED;
	owned_fd int output = ends[0], end_inside = ends[1];
	int rc = attach(container, run, STDIN_FILENO, end_inside, end_inside);
	if (rc != HELPER_OK)
		return rc;
	close(fd_take(end_inside));
	return follow(run, output);
}

int attach_run(struct lxc_container *container, const struct attach_request *request)
{
	struct run run = {.request = request, .deadline_ms = clock_monotonic_ms() + request->timeout_ms};
	return request->detached ? run_detached(container, &run) : run_and_wait(container, &run);
}
