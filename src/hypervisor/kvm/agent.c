/* Programs run through the guest agent. Each message is a request of its own with a short time limit: no
 * connection and no lock is held between two of them, and libvirt locks nothing but this guest's agent during
 * one. */
#include "hypervisor/kvm/agent.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
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
	AGENT_BYTES_PER_MS = 200,		       /* an emulated guest reads no faster */
	COLLECT_MS = AGENT_KILL_AFTER_S * 1000 + 1500, /* for the output of a program over its time */
	MUTE_FIRST_MS = 5000,
	MUTE_MAX_MS = 20000,
	DEFAULT_TIMEOUT_MS = 30000,
	DEFAULT_MAX_OUTPUT = 64 << 10,
};

/* One program in one guest. */
struct talk {
	struct agents *agents; /* NULL where silence is no offence */
	struct virt_connections *connections;
	const char *name;
	int64_t deadline_ms;
	size_t keep;
};

void agents_init(struct agents *agents)
{
	memset(agents, 0, sizeof(*agents));
	pthread_mutex_init(&agents->lock, NULL);
}

void agents_done(struct agents *agents)
{
	pthread_mutex_destroy(&agents->lock);
}

static struct mute *mute_of(struct agents *agents, const char *name)
{
	uint32_t hash = 2166136261u;
	for (const char *at = name; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619u;
	return &agents->mutes[hash % AGENT_REMEMBERED];
}

void agents_forget(struct agents *agents, const char *name)
{
	pthread_mutex_lock(&agents->lock);
	struct mute *mute = mute_of(agents, name);
	if (text_equal(mute->name, name))
		*mute = (struct mute){0};
	pthread_mutex_unlock(&agents->lock);
}

static bool is_mute(struct agents *agents, const char *name)
{
	pthread_mutex_lock(&agents->lock);
	const struct mute *mute = mute_of(agents, name);
	bool mutes = text_equal(mute->name, name) && clock_monotonic_ms() < mute->until_ms;
	pthread_mutex_unlock(&agents->lock);
	return mutes;
}

static void strike(struct agents *agents, const char *name)
{
	pthread_mutex_lock(&agents->lock);
	struct mute *mute = mute_of(agents, name);
	if (!text_equal(mute->name, name)) {
		*mute = (struct mute){0};
		text_copy(mute->name, sizeof(mute->name), name);
	}
	int64_t pause_ms = (int64_t)MUTE_FIRST_MS << (mute->strikes < 8 ? mute->strikes++ : 8);
	mute->until_ms = clock_monotonic_ms() + (pause_ms < MUTE_MAX_MS ? pause_ms : MUTE_MAX_MS);
	pthread_mutex_unlock(&agents->lock);
}

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
	if (talk->agents && rc == -ERR_UNAVAILABLE && took_ms >= timeout_s_of(timeout_ms) * 1000)
		strike(talk->agents, talk->name);
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
	owned_in(virt_lease_done) struct virt_lease lease = {0};
	int64_t place_ms = clock_monotonic_ms() + PLACE_TIMEOUT_MS;
	int rc = virt_connections_take(talk->connections, LINK_AGENT,
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
static int64_t left_ms(const struct talk *talk, size_t command_len)
{
	int64_t left = talk->deadline_ms - clock_monotonic_ms(),
		honest = COMMAND_TIMEOUT_MS + (int64_t)command_len / AGENT_BYTES_PER_MS;
	return left < honest ? left : honest;
}

/* Starts the program; its process id in *PID. The command may hold a password. */
static int start_program(
	const struct talk *talk, const struct exec_request *request, int64_t *pid, struct error *err)
{
	owned_in(buffer_done) struct buffer command = BUFFER_INIT(AGENT_COMMAND_MAX + 1);
	owned_mem char *reply = NULL;
	int rc = agent_write_exec(request, talk->keep, &command, err);
	if (rc == 0)
		rc = send_command(talk, &command, left_ms(talk, command.len), &reply, err);
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
		int64_t left = left_ms(talk, 0);
		if (left <= 0)
			return 0;
		poll(NULL, 0, pause_ms < left ? pause_ms : (int)left);
		pause_ms = pause_ms * 3 / 2 < POLL_MAX_MS ? pause_ms * 3 / 2 : POLL_MAX_MS;
		left = left_ms(talk, 0);
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
	int rc = send_command(talk, &command, left_ms(talk, 0), &reply, &why);
	if (rc == 0)
		rc = await_program(talk, pid, &exited, result, &why);
	if (rc < 0 || !exited)
		log_warning(
			"a program in %s is over its time and may still run: %s", talk->name, why.message);
	result->exit_status = 128 + 9;
	result->timed_out = true;
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
	if (is_mute(agents, name))
		return err_set(err, ERR_UNAVAILABLE, "the agent in %s did not answer lately", name);
	int64_t pid = 0;
	bool exited = false;
	int rc = start_program(&talk, request, &pid, err);
	if (rc == 0 && request->detached) {
		agents_forget(agents, name);
		return 0;
	}
	if (rc == 0)
		rc = await_program(&talk, pid, &exited, result, err);
	if (rc < 0)
		return rc;
	agents_forget(agents, name);
	if (!exited)
		end_program(&talk, pid, result);
	return 0;
}

void agent_shutdown(struct agents *agents, struct virt_connections *connections, const char *name)
{
	static char words[] = "{\"execute\":\"guest-shutdown\"}";
	struct buffer command = {.data = words, .len = sizeof(words) - 1};
	struct talk talk = {.connections = connections,
		.name = name,
		.deadline_ms = clock_monotonic_ms() + SHUTDOWN_TIMEOUT_MS};
	owned_mem char *reply = NULL;
	if (!is_mute(agents, name))
		send_command(&talk, &command, SHUTDOWN_TIMEOUT_MS, &reply, NULL);
}
