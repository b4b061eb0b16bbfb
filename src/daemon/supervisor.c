/* Runs one api and one node process, brings back the one that ends, and passes signals on. It opens the
 * listening sockets once, so a child that is restarted misses no connection and the api process needs no root
 * for low ports. */
#include "daemon/app.h"
#include "daemon/service.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CHILD_COUNT = 2,
	FIRST_FD = 3,
	PAUSE_MS = 200,
	PAUSE_MAX_MS = 5000,
	STABLE_MS = 10000,
	STOP_MS = 90000
};

struct child {
	const char *word;
	int sockets[SOCKET_COUNT]; /* which of the sockets it gets; ends with -1 */
	bool as_api_user;
	pid_t pid;
	int64_t started_ms;
	int pause_ms; /* before it is started again */
	bool was_ready;
	int ready_fd; /* our end of its pipe, -1 once it told */
};

struct supervisor {
	struct app *app;
	unsigned uid, gid;
	int fds[SOCKET_COUNT];
	struct child children[CHILD_COUNT];
	bool told_ready;
};

/* In the child: the sockets move to 3, 4, … and are named, as systemd does it. */
static void pass_sockets(struct supervisor *supervisor, const struct child *child)
{
	int moved[SOCKET_COUNT], count = 0;
	char names[64] = "", count_text[16], pid_text[16];
	size_t used = 0;
	for (int i = 0; child->sockets[i] >= 0; i++) {
		int fd = supervisor->fds[child->sockets[i]];
		if (fd < 0)
			continue;
		moved[count++] = fcntl(fd, F_DUPFD, 64);
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ":" : "",
			socket_name(child->sockets[i]));
	}
	int ready_fd = fcntl(child->ready_fd, F_DUPFD, 64);
	for (int i = 0; i < count; i++)
		dup2(moved[i], FIRST_FD + i);
	snprintf(count_text, sizeof(count_text), "%d", count);
	snprintf(pid_text, sizeof(pid_text), "%d", (int)getpid());
	setenv("LISTEN_FDS", count_text, 1);
	setenv("LISTEN_PID", pid_text, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	dup2(ready_fd, FIRST_FD + count);
	snprintf(count_text, sizeof(count_text), "%d", FIRST_FD + count);
	setenv(READY_FD_ENV, count_text, 1);
	close_range((unsigned)(FIRST_FD + count + 1), ~0u, 0);
}

static _Noreturn void become_child(struct supervisor *supervisor, const struct child *child)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	unsetenv("NOTIFY_SOCKET");
	pass_sockets(supervisor, child);
	if (child->as_api_user && geteuid() == 0 &&
		(setgroups(0, NULL) < 0 || setgid(supervisor->gid) < 0 || setuid(supervisor->uid) < 0))
		_exit(EXIT_FAILURE);
	/* Children do not outlive a supervisor that was killed: the next one starts its own. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	const char *argv[] = {"moad", child->word, NULL, NULL, NULL};
	if (supervisor->app->config_path) {
		argv[2] = "-c";
		argv[3] = supervisor->app->config_path;
	}
	execv("/proc/self/exe", (char *const *)argv);
	_exit(EXIT_FAILURE);
}

static void start_child(struct supervisor *supervisor, struct child *child)
{
	int ready[2];
	if (pipe2(ready, O_CLOEXEC) < 0) {
		log_error("pipe for moad %s: errno %d", child->word, errno);
		return;
	}
	child->started_ms = clock_monotonic_ms();
	child->ready_fd = ready[1];
	child->pid = fork();
	if (child->pid == 0)
		become_child(supervisor, child);
	close(ready[1]);
	child->ready_fd = ready[0];
	if (child->pid < 0)
		log_error("moad %s cannot be started: errno %d", child->word, errno);
	else
		log_info("moad %s runs as pid %d", child->word, (int)child->pid);
}

static void note_end(struct child *child, int status)
{
	bool was_stable = clock_monotonic_ms() - child->started_ms > STABLE_MS;
	child->pause_ms = was_stable || !child->pause_ms ? PAUSE_MS : 2 * child->pause_ms;
	if (child->pause_ms > PAUSE_MAX_MS)
		child->pause_ms = PAUSE_MAX_MS;
	if (WIFSIGNALED(status))
		log_error("moad %s was ended by signal %d; starting it again", child->word, WTERMSIG(status));
	else
		log_error(
			"moad %s ended with status %d; starting it again", child->word, WEXITSTATUS(status));
	child->pid = 0;
	fd_close_owned(&child->ready_fd);
	child->ready_fd = -1;
}

/* True when a child ended. */
static bool reap(struct supervisor *supervisor)
{
	bool ended = false;
	for (int i = 0; i < CHILD_COUNT; i++) {
		struct child *child = &supervisor->children[i];
		int status;
		if (child->pid <= 0 || waitpid(child->pid, &status, WNOHANG) != child->pid)
			continue;
		note_end(child, status);
		ended = true;
	}
	return ended;
}

static void send_all(struct supervisor *supervisor, int number)
{
	for (int i = 0; i < CHILD_COUNT; i++)
		if (supervisor->children[i].pid > 0)
			kill(supervisor->children[i].pid, number);
}

static void look_for_ready(struct supervisor *supervisor)
{
	bool all = true;
	for (int i = 0; i < CHILD_COUNT; i++) {
		struct child *child = &supervisor->children[i];
		struct pollfd ready = {.fd = child->ready_fd, .events = POLLIN};
		if (child->ready_fd >= 0 && poll(&ready, 1, 0) == 1 && (ready.revents & POLLIN)) {
			child->was_ready = true;
			close(fd_take(child->ready_fd));
		}
		all = all && child->was_ready;
	}
	if (!all || supervisor->told_ready)
		return;
	supervisor->told_ready = true;
	log_info("ready");
	service_ready();
}

static void start_missing(struct supervisor *supervisor)
{
	for (int i = 0; i < CHILD_COUNT; i++) {
		struct child *child = &supervisor->children[i];
		if (child->pid <= 0 && clock_monotonic_ms() >= child->started_ms + child->pause_ms)
			start_child(supervisor, child);
	}
}

static void stop_all(struct supervisor *supervisor)
{
	int64_t deadline_ms = clock_monotonic_ms() + STOP_MS;
	send_all(supervisor, SIGTERM);
	for (;;) {
		bool any = false;
		for (int i = 0; i < CHILD_COUNT; i++) {
			struct child *child = &supervisor->children[i];
			if (child->pid > 0 && waitpid(child->pid, NULL, WNOHANG) == child->pid)
				child->pid = 0;
			any = any || child->pid > 0;
		}
		if (!any)
			return;
		if (clock_monotonic_ms() > deadline_ms)
			send_all(supervisor, SIGKILL);
		signals_wait(100);
	}
}

static void supervise(struct supervisor *supervisor)
{
	for (;;) {
		start_missing(supervisor);
		/* Until both are ready and while one is down there is something to look for. */
		bool busy = !supervisor->told_ready;
		for (int i = 0; i < CHILD_COUNT; i++)
			busy = busy || supervisor->children[i].pid <= 0;
		int number = signals_wait(busy ? 50 : 60000);
		if (number == SIGTERM || number == SIGINT)
			break;
		if (number == SIGHUP && supervisor->children[0].pid > 0)
			kill(supervisor->children[0].pid, SIGHUP);
		reap(supervisor);
		look_for_ready(supervisor);
	}
	log_info("stopping");
	stop_all(supervisor);
}

static int open_sockets(struct supervisor *supervisor, struct error *err)
{
	int rc = 0;
	for (int which = 0; rc == 0 && which < SOCKET_COUNT; which++)
		rc = socket_take(supervisor->app, which, &supervisor->fds[which], err);
	return rc < 0 ? rc : socket_share_node(supervisor->app, supervisor->gid, err);
}

int run_supervisor(struct app *app)
{
	struct supervisor supervisor = {
		.app = app,
		.fds = {-1, -1, -1, -1},
		.children = {{.word = "api",
				     .sockets = {SOCKET_HTTP, SOCKET_HTTPS, SOCKET_ADMIN, -1},
				     .as_api_user = true,
				     .ready_fd = -1},
			{.word = "node", .sockets = {SOCKET_NODE, -1}, .ready_fd = -1}},
	};
	struct error err;
	int rc = folders_make(app, &err);
	if (rc == 0)
		rc = api_user(app, &supervisor.uid, &supervisor.gid, &err);
	if (rc == 0)
		rc = open_sockets(&supervisor, &err);
	if (rc < 0) {
		log_error("%s", err.message);
		return EXIT_FAILURE;
	}
	supervise(&supervisor);
	return EXIT_SUCCESS;
}
