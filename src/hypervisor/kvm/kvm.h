/* What the files of this folder share: the back end's state. Leaves the public face to
 * hypervisor/hypervisor.h. */
#pragma once
#include "hypervisor/hypervisor.h"
#include "hypervisor/kvm/agent.h"
#include "hypervisor/kvm/connection.h"
#include "hypervisor/kvm/probe.h"
#include <pthread.h>

struct hypervisor {
	char *name_prefix;
	hypervisor_event *event; /* may be NULL */
	void *event_context;
	bool allow_kvm;
	struct virt_connections *connections;
	struct agents agents;
	pthread_mutex_t probe_lock; /* held while probing, so that it happens once */
	bool probed;
	struct acceleration acceleration;
};
