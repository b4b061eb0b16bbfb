#include "base/process.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/owned.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const char *const default_env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"LC_ALL=C.UTF-8", "HOME=/root", "DEBIAN_FRONTEND=noninteractive", NULL};

enum { DEFAULT_TIMEOUT_MS = 10000, DEFAULT_MAX_OUTPUT = 64 << 10, LINE_MAX_LEN = 512 };

struct run {
	const struct process_request *request;
	struct process_result *result;
	pid_t pid;
	int input_fd, output_fd; /* owned; -1 when closed */
	size_t input_sent;
	char line[LINE_MAX_LEN];
	size_t line_len;
};

void process_result_done(struct process_result *result)
{
	buffer_done(&result->output);
}

static int spawn_child(struct run *run, int child_in, int child_out, struct error *err)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, defaults;
	sigemptyset(&none);
	sigfillset(&defaults);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, child_in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, child_out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, child_out, STDERR_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(
		&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	const char *const *env = run->request->env ? run->request->env : default_env;
	int rc = posix_spawnp(&run->pid, run->request->argv[0], &actions, &attributes,
		(char *const *)run->request->argv, (char *const *)env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return rc ? err_errno(err, rc, "start %s", run->request->argv[0]) : 0;
}

static int start_child(struct run *run, struct error *err)
{
	int in[2], out[2];
	if (pipe2(in, O_CLOEXEC) < 0)
		return err_errno(err, errno, "pipe");
	owned_fd int child_in = in[0];
	run->input_fd = in[1];
	if (pipe2(out, O_CLOEXEC) < 0)
		return err_errno(err, errno, "pipe");
	owned_fd int child_out = out[1];
	run->output_fd = out[0];
	fcntl(run->input_fd, F_SETFL, O_NONBLOCK);
	return spawn_child(run, child_in, child_out, err);
}

static void close_input(struct run *run)
{
	close(fd_take(run->input_fd));
}

static void send_input(struct run *run)
{
	const struct process_request *request = run->request;
	size_t left = request->input ? request->input_len - run->input_sent : 0;
	if (left) {
		ssize_t sent = write(run->input_fd, (const char *)request->input + run->input_sent, left);
		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (sent > 0) {
			run->input_sent += (size_t)sent;
			return;
		}
	}
	close_input(run);
}

static void split_lines(struct run *run, const char *bytes, size_t len)
{
	for (size_t i = 0; run->request->line && i < len; i++) {
		if (bytes[i] == '\n' || bytes[i] == '\r' || run->line_len == LINE_MAX_LEN - 1) {
			run->line[run->line_len] = '\0';
			if (run->line_len)
				run->request->line(run->request->context, run->line);
			run->line_len = 0;
		}
		if (bytes[i] != '\n' && bytes[i] != '\r')
			run->line[run->line_len++] = bytes[i];
	}
}

/* Takes what the child wrote; false at the end. */
static bool take_output(struct run *run)
{
	char chunk[16384];
	ssize_t got = read(run->output_fd, chunk, sizeof(chunk));
	if (got < 0)
		return errno == EINTR || errno == EAGAIN;
	if (got == 0)
		return false;
	if (run->request->log_fd > 0)
		fd_write_all(run->request->log_fd, chunk, (size_t)got, NULL);
	split_lines(run, chunk, (size_t)got);
	struct buffer *output = &run->result->output;
	size_t room = output->max_len - output->len, kept = (size_t)got < room ? (size_t)got : room;
	buffer_add(output, chunk, kept);
	if (kept < (size_t)got)
		run->result->truncated = true;
	return true;
}

static void pump(struct run *run, int64_t deadline_ms)
{
	for (;;) {
		int64_t left_ms = deadline_ms - clock_monotonic_ms();
		if (left_ms <= 0) {
			run->result->timed_out = true;
			kill(-run->pid, SIGKILL);
			return;
		}
		struct pollfd fds[2] = {
			{.fd = run->output_fd, .events = POLLIN}, {.fd = run->input_fd, .events = POLLOUT}};
		if (poll(fds, 2, left_ms > 1000 ? 1000 : (int)left_ms) < 0 && errno != EINTR)
			return;
		if (run->input_fd >= 0 && fds[1].revents)
			send_input(run);
		if (fds[0].revents && !take_output(run))
			return;
	}
}

/* Waits for the child, and kills its group when it closed its output but does not end in time. */
static void reap(struct run *run, int64_t deadline_ms)
{
	int status = 0;
	for (;;) {
		pid_t pid = waitpid(run->pid, &status, WNOHANG);
		if (pid == run->pid || (pid < 0 && errno != EINTR))
			break;
		if (clock_monotonic_ms() >= deadline_ms) {
			run->result->timed_out = true;
			kill(-run->pid, SIGKILL);
		}
		poll(NULL, 0, 2);
	}
	run->result->exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int process_run(const struct process_request *request, struct process_result *result, struct error *err)
{
	size_t max_output = request->max_output ? request->max_output : DEFAULT_MAX_OUTPUT;
	*result = (struct process_result){.output = BUFFER_INIT(max_output)};
	struct run run = {.request = request, .result = result, .input_fd = -1, .output_fd = -1};
	int rc = start_child(&run, err);
	if (rc == 0) {
		int64_t deadline_ms = clock_monotonic_ms() +
				      (request->timeout_ms ? request->timeout_ms : DEFAULT_TIMEOUT_MS);
		if (request->started)
			request->started(request->context, run.pid);
		pump(&run, deadline_ms);
		reap(&run, deadline_ms);
	}
	fd_close_owned(&run.input_fd);
	fd_close_owned(&run.output_fd);
	return rc;
}

/* The last line of output that says something. */
static const char *last_line(struct buffer *output)
{
	while (output->len && (output->data[output->len - 1] == '\n' || output->data[output->len - 1] == ' '))
		output->data[--output->len] = '\0';
	const char *newline = strrchr(output->data, '\n');
	return newline ? newline + 1 : output->data;
}

int process_check(const char *const *argv, int timeout_ms, struct error *err)
{
	owned_in(process_result_done) struct process_result result;
	struct process_request request = {.argv = argv, .timeout_ms = timeout_ms};
	int rc = process_run(&request, &result, err);
	if (rc < 0)
		return rc;
	if (result.timed_out)
		return err_set(err, ERR_TIMEOUT, "%s did not end within %d ms", argv[0], timeout_ms);
	if (result.exit_status)
		return err_set(err, ERR_IO, "%s failed (%d): %.200s", argv[0], result.exit_status,
			last_line(&result.output));
	return 0;
}
