/* Talks to the agent inside a guest, which may say anything, or nothing. Leaves the text of messages to
 * agent_json.c. */
#pragma once
#include "base/error.h"
#include "hypervisor/kvm/connection.h"
#include "model/guest.h"
#include <pthread.h>
#include <stdint.h>

enum { AGENT_REMEMBERED = 256, AGENT_NAME_SIZE = 64 };

/* Agents that let us wait: a question to one is refused for a while, so that a few mute guests do not hold up
 * the others. Guests share a place by the hash of their name; the last one counts. */
struct agents {
	pthread_mutex_t lock;
	struct mute {
		char name[AGENT_NAME_SIZE];
		unsigned strikes;
		int64_t until_ms;
	} mutes[AGENT_REMEMBERED];
};

void agents_init(struct agents *agents);
void agents_done(struct agents *agents);
/* The agent of NAME came or went: it starts afresh. */
void agents_forget(struct agents *agents, const char *name);

/* hypervisor_ops.exec. RESULT is initialised. */
int agent_exec(struct agents *agents, struct virt_connections *connections, const char *name,
	const struct exec_request *request, struct exec_result *result, struct error *err);
/* Asks the system inside to power off; whether it heard shows only in its doing so. Waits at most two
 * seconds. */
void agent_shutdown(struct agents *agents, struct virt_connections *connections, const char *name);
