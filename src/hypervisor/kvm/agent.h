/* Talks to the agent inside a guest, which may say anything, or nothing. Leaves the text of messages to
 * agent_json.c. */
#pragma once
#include "base/error.h"
#include "hypervisor/kvm/agents.h"
#include "hypervisor/kvm/connection.h"
#include "model/guest.h"

/* hypervisor_ops.exec. RESULT is initialised. */
int agent_exec(struct agents *agents, struct virt_connections *connections, const char *name,
	const struct exec_request *request, struct exec_result *result, struct error *err);
/* Asks the system inside to power off; whether it heard shows only in its doing so. Waits at most two
 * seconds. */
void agent_shutdown(struct agents *agents, struct virt_connections *connections, const char *name);
