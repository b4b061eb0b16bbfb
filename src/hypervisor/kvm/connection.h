/* The way to libvirtd: a few connections that come back by themselves when the daemon was away, and its
 * lifecycle events. libvirtd serves only five requests of one connection at a time, so quick questions, slow
 * work and guest agents (hostile, they may hold a request for seconds) each have connections of their own. */
#pragma once
#include "base/error.h"
#include "hypervisor/kvm/virt.h"
#include <stdint.h>

enum link_kind {
	LINK_QUICK, /* answers from memory: state, usage */
	LINK_WORK,  /* define, start, kill, pictures */
	LINK_AGENT, /* the guest agent; the number under way is limited */
};

struct virt_connections;

struct virt_connections_config {
	const char *uri; /* NULL for qemu:///system; copied */
	/* A domain of any name changed its state, or may have while libvirtd was away. Runs on a thread of
	 * its own kind, one call at a time. */
	void (*changed)(void *context, const char *name, enum guest_state state);
	/* The agent inside a domain came or went. */
	void (*agent_changed)(void *context, const char *name);
	void *context;
};

/* Never fails: what is not reachable now will be looked for until virt_connections_free. */
struct virt_connections *virt_connections_new(const struct virt_connections_config *config);
void virt_connections_free(struct virt_connections *connections);
OWNED_DEFINE(struct virt_connections, virt_connections_free);

/* A connection in use; given back by virt_lease_done. */
struct virt_lease {
	struct virt_connections *connections; /* NULL when nothing is held */
	size_t link;
	virConnectPtr conn; /* owned reference */
};

/* Takes a connection of this kind. Waits only for a free place at LINK_AGENT, until DEADLINE_MS of the
 * monotonic clock. ERR_UNAVAILABLE when libvirtd is away. */
int virt_connections_take(struct virt_connections *connections, enum link_kind kind, int64_t deadline_ms,
	struct virt_lease *ret, struct error *err);
void virt_lease_done(struct virt_lease *lease);

/* How often guests changed their state so far; coming back to libvirtd counts too. */
uint64_t virt_connections_count(struct virt_connections *connections);
/* Waits until that is no longer SEEN or DEADLINE_MS has passed, and returns it. */
uint64_t virt_connections_wait(struct virt_connections *connections, uint64_t seen, int64_t deadline_ms);
