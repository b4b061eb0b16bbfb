/* Programs run through the guest agent. Each message is a request of its own with a short time limit: no
 * connection and no lock is held between two of them, and libvirt locks nothing but this guest's agent during
 * one. */
#include "hypervisor/kvm/agent.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include "hypervisor/kvm/agent_json.h"
#include <libvirt/libvirt-qemu.h>
#include <poll.h>
#include <string.h>

enum {
	COMMAND_TIMEOUT_MS = 5000,
	SHUTDOWN_TIMEOUT_MS = 2000,
	PLACE_TIMEOUT_MS = 10000, /* for one of the places libvirtd has for agents */
	POLL_FIRST_MS = 5,
	POLL_MAX_MS = 250,
	COLLECT_MS = AGENT_KILL_AFTER_S * 1000 + 1500, /* for the output of a program over its time */
	DEFAULT_TIMEOUT_MS = 30000,
	DEFAULT_MAX_OUTPUT = 64 << 10,
	STAGED_INPUT_MAX = 4 << 20,
	STAGE_PATH_SIZE = 64,
	STAGE_OUTPUT_MAX = 256,
};

/* One program in one guest. */
struct talk {
	struct agents *agents;
	struct virt_connections *connections;
	const char *name;
	int64_t deadline_ms;
	size_t keep;
	bool forgiving; /* silence is no offence */
};

/* libvirt's time limit is in whole seconds, and it may spend it twice: once to find the agent in step. */
static int timeout_s_of(int64_t timeout_ms)
{
	return timeout_ms < 2000 ? 1 : (int)(timeout_ms / 1000);
}

static int command_failed(const struct talk *talk, int64_t took_ms, int64_t timeout_ms, struct error *err)
{
	int rc = virt_error(err, "the agent in %s", talk->name);
	/* An agent that is not there is refused at once; one that is there and silent costs the whole time.
	 */
	if (!talk->forgiving && rc == -ERR_UNAVAILABLE && took_ms >= timeout_s_of(timeout_ms) * 1000)
		agents_strike(talk->agents, talk->name);
	/* What is left is its own "error" or an answer libvirt could not read. */
	if (rc == -ERR_IO)
		return err_set(
			err, ERR_PROTOCOL, "the agent in %s: %s", talk->name, virGetLastErrorMessage());
	return rc;
}

/* Sends one command; its answer in *REPLY is the caller's to free. */
static int send_command(const struct talk *talk, const struct buffer *command, int64_t timeout_ms,
	char **reply, struct error *err)
{
	owned_in(agents_end_turn) struct agent_turn turn = {0};
	owned_in(virt_lease_done) struct virt_lease lease = {0};
	int rc = agents_take_turn(talk->agents, talk->name, talk->deadline_ms, &turn, err);
	if (rc < 0)
		return rc;
	int64_t place_ms = clock_monotonic_ms() + PLACE_TIMEOUT_MS;
	rc = virt_connections_take(talk->connections, LINK_AGENT,
		place_ms < talk->deadline_ms ? place_ms : talk->deadline_ms, &lease, err);
	if (rc < 0)
		return rc;
	owned(virt_domain_free) virDomainPtr domain = virDomainLookupByName(lease.conn, talk->name);
	if (!domain)
		return virt_error(err, "find %s", talk->name);
	int64_t began_ms = clock_monotonic_ms();
	char *answer = virDomainQemuAgentCommand(domain, command->data, timeout_s_of(timeout_ms), 0);
	if (!answer)
		return command_failed(talk, clock_monotonic_ms() - began_ms, timeout_ms, err);
	*reply = answer;
	return 0;
}

/* The time limit of one command: what is left of the whole, and not more than it can honestly take. */
static int64_t left_ms(const struct talk *talk)
{
	int64_t left = talk->deadline_ms - clock_monotonic_ms();
	return left < COMMAND_TIMEOUT_MS ? left : COMMAND_TIMEOUT_MS;
}

/* Starts the program; its process id in *PID. The command may hold a password. */
static int start_program(
	const struct talk *talk, const struct exec_request *request, int64_t *pid, struct error *err)
{
	owned_in(buffer_done) struct buffer command = BUFFER_INIT(AGENT_COMMAND_MAX + 1);
	owned_mem char *reply = NULL;
	int rc = agent_write_exec(request, talk->keep, &command, err);
	if (rc == 0)
		rc = send_command(talk, &command, left_ms(talk), &reply, err);
	mem_wipe(command.data, command.len);
	return rc < 0 ? rc : agent_read_pid(reply, strlen(reply), pid, err);
}

static int ask_status(const struct talk *talk, int64_t pid, int64_t timeout_ms, bool *exited,
	struct exec_result *result, struct error *err)
{
	owned_in(buffer_done) struct buffer command = BUFFER_INIT(256);
	owned_mem char *reply = NULL;
	agent_write_status(pid, &command);
	int rc = send_command(talk, &command, timeout_ms, &reply, err);
	return rc < 0 ? rc : agent_read_status(reply, strlen(reply), talk->keep, exited, result, err);
}

/* Asks until the program has ended or the time is up; the agent has no event for it. */
static int await_program(
	const struct talk *talk, int64_t pid, bool *exited, struct exec_result *result, struct error *err)
{
	int pause_ms = POLL_FIRST_MS;
	while (!*exited) {
		int64_t left = left_ms(talk);
		if (left <= 0)
			return 0;
		poll(NULL, 0, pause_ms < left ? pause_ms : (int)left);
		pause_ms = pause_ms * 3 / 2 < POLL_MAX_MS ? pause_ms * 3 / 2 : POLL_MAX_MS;
		left = left_ms(talk);
		int rc = ask_status(talk, pid, left > 0 ? left : 0, exited, result, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Ends the program and takes what it had written. */
static void end_program(struct talk *talk, int64_t pid, struct exec_result *result)
{
	owned_in(buffer_done) struct buffer command = BUFFER_INIT(512);
	owned_mem char *reply = NULL;
	struct error why = {0};
	bool exited = false;
	talk->deadline_ms = clock_monotonic_ms() + COLLECT_MS;
	agent_write_kill(pid, &command);
	int rc = send_command(talk, &command, left_ms(talk), &reply, &why);
	if (rc == 0)
		rc = await_program(talk, pid, &exited, result, &why);
	if (rc < 0 || !exited)
		log_warning(
			"a program in %s is over its time and may still run: %s", talk->name, why.message);
	result->exit_status = 128 + 9;
	result->timed_out = true;
}

/* Runs a program to its end, or only starts a detached one. */
static int run_program(
	struct talk *talk, const struct exec_request *request, struct exec_result *result, struct error *err)
{
	int64_t pid = 0;
	bool exited = false;
	int rc = start_program(talk, request, &pid, err);
	if (rc < 0 || request->detached)
		return rc;
	rc = await_program(talk, pid, &exited, result, err);
	if (rc == 0 && !exited)
		end_program(talk, pid, result);
	return rc;
}

/* Puts input that does not fit in one command into a file only root can read, piece by piece. Its name is
 * random, so nothing of a name that could be known lies in wait there. */
static int stage_input(
	struct talk *talk, const struct exec_request *request, char path[STAGE_PATH_SIZE], struct error *err)
{
	char name[33];
	random_text(name, sizeof(name) - 1, TEXT_LOWER TEXT_DIGITS);
	text_format(path, STAGE_PATH_SIZE, "/run/moa-input-%s", name);
	const char *const argv[] = {"/bin/sh", "-c", "umask 077; exec cat >>\"$0\"", path, NULL};
	for (size_t at = 0; at < request->input_len; at += AGENT_INPUT_MAX) {
		size_t left = request->input_len - at;
		struct exec_request piece = {.argv = argv,
			.input = (const char *)request->input + at,
			.input_len = left < AGENT_INPUT_MAX ? left : AGENT_INPUT_MAX};
		owned_in(exec_result_done) struct exec_result result = {
			.output = BUFFER_INIT(STAGE_OUTPUT_MAX)};
		int rc = run_program(talk, &piece, &result, err);
		if (rc < 0)
			return rc;
		if (result.timed_out)
			return err_set(err, ERR_TIMEOUT, "%s took its input too slowly", talk->name);
		if (result.exit_status)
			return err_set(err, ERR_IO, "%s did not take its input", talk->name);
	}
	return 0;
}

/* The program with its input from a file, which is gone before the program begins. */
static int run_staged(
	struct talk *talk, const struct exec_request *request, struct exec_result *result, struct error *err)
{
	char path[STAGE_PATH_SIZE];
	const char *argv[AGENT_ARGUMENT_MAX + 1] = {
		"/bin/sh", "-c", "exec <\"$0\" && rm -f \"$0\" && exec \"$@\"", path};
	size_t count = 4;
	for (size_t i = 0; request->argv[i]; i++) {
		if (count == AGENT_ARGUMENT_MAX)
			return err_set(err, ERR_TOO_LARGE, "more than %d arguments", AGENT_ARGUMENT_MAX);
		argv[count++] = request->argv[i];
	}
	if (request->input_len > STAGED_INPUT_MAX)
		return err_set(err, ERR_TOO_LARGE, "the input is over %d bytes", STAGED_INPUT_MAX);
	int rc = stage_input(talk, request, path, err);
	if (rc < 0)
		return rc;
	struct exec_request staged = *request;
	staged.argv = argv;
	staged.input = NULL;
	return run_program(talk, &staged, result, err);
}

int agent_exec(struct agents *agents, struct virt_connections *connections, const char *name,
	const struct exec_request *request, struct exec_result *result, struct error *err)
{
	size_t keep = request->max_output ? request->max_output : DEFAULT_MAX_OUTPUT;
	struct talk talk = {.agents = agents,
		.connections = connections,
		.name = name,
		.keep = keep < AGENT_OUTPUT_MAX ? keep : AGENT_OUTPUT_MAX};
	talk.deadline_ms =
		clock_monotonic_ms() + (request->timeout_ms > 0 ? request->timeout_ms : DEFAULT_TIMEOUT_MS);
	*result = (struct exec_result){.output = BUFFER_INIT(talk.keep)};
	bool fits = !request->input || request->input_len <= AGENT_INPUT_MAX;
	int rc = (fits ? run_program : run_staged)(&talk, request, result, err);
	if (rc == 0)
		agents_forget(agents, name);
	return rc;
}

void agent_shutdown(struct agents *agents, struct virt_connections *connections, const char *name)
{
	static char words[] = "{\"execute\":\"guest-shutdown\"}";
	struct buffer command = {.data = words, .len = sizeof(words) - 1};
	struct talk talk = {.agents = agents,
		.connections = connections,
		.name = name,
		.forgiving = true,
		.deadline_ms = clock_monotonic_ms() + SHUTDOWN_TIMEOUT_MS};
	owned_mem char *reply = NULL;
	send_command(&talk, &command, SHUTDOWN_TIMEOUT_MS, &reply, NULL);
}
