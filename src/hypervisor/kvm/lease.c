/* Connections in use: who gets which. Leaves opening them to the keeper of connection.c. */
#include "base/clock.h"
#include "hypervisor/kvm/connection_state.h"

enum {
	CALLER_WAIT_MS = 3000, /* for a libvirtd that is there but slow; one that is away is known at once */
	AGENT_PLACES = 4,      /* a link; below libvirtd's five */
};

/* Which links are of which kind. */
static const struct {
	size_t first, count;
	unsigned places; /* a link; 0 for no limit */
} link_ranges[] = {
	[LINK_QUICK] = {0, 1, 0},
	[LINK_WORK] = {1, 2, 0},
	[LINK_AGENT] = {3, 3, AGENT_PLACES},
};

/* The least used link of a kind, or NULL. */
static struct link *best_link(struct virt_connections *connections, enum link_kind kind)
{
	struct link *best = NULL;
	for (size_t i = 0; i < link_ranges[kind].count; i++) {
		struct link *link = &connections->links[link_ranges[kind].first + i];
		if (link->conn && !link->broken && (!best || link->in_use < best->in_use))
			best = link;
	}
	return best;
}

/* Sees to an attempt to connect and waits a moment for it. */
static struct link *await_link(struct virt_connections *connections, enum link_kind kind)
{
	struct link *link = best_link(connections, kind);
	int64_t until_ms = clock_monotonic_ms() + CALLER_WAIT_MS;
	/* The attempt under way may have begun before libvirtd was there; one more has not. */
	uint64_t enough = connections->attempts + 2;
	while (!link && connections->attempts < enough) {
		connections->hurry = true;
		pthread_cond_signal(&connections->wanted);
		bool in_time = virt_wait_until(connections, &connections->changed, until_ms);
		link = best_link(connections, kind);
		if (!in_time)
			break;
	}
	return link;
}

static int take_locked(struct virt_connections *connections, enum link_kind kind, int64_t deadline_ms,
	struct virt_lease *ret, struct error *err)
{
	for (;;) {
		struct link *link = await_link(connections, kind);
		if (!link)
			return err_set(err, ERR_UNAVAILABLE, "libvirtd is away: %s",
				*connections->last_error ? connections->last_error : "no connection yet");
		if (!link_ranges[kind].places || link->in_use < link_ranges[kind].places) {
			link->in_use++;
			virConnectRef(link->conn);
			*ret = (struct virt_lease){
				connections, (size_t)(link - connections->links), link->conn};
			return 0;
		}
		if (!virt_wait_until(connections, &connections->changed, deadline_ms))
			return err_set(err, ERR_UNAVAILABLE, "too many guest agents are being waited for");
	}
}

/* Whether the connection lives as far as this process knows. libvirt takes locks for that under which it also
 * calls virt_on_close, so ours must not be held here. */
static bool lives(struct virt_connections *connections, const struct virt_lease *lease)
{
	if (virConnectIsAlive(lease->conn) == 1)
		return true;
	virt_on_close(lease->conn, VIR_CONNECT_CLOSE_REASON_ERROR, connections);
	return false;
}

int virt_connections_take(struct virt_connections *connections, enum link_kind kind, int64_t deadline_ms,
	struct virt_lease *ret, struct error *err)
{
	/* Every link may have died unnoticed, and the one opened in its place once more. */
	for (int tries = 0; tries < 2 * LINK_COUNT; tries++) {
		struct virt_lease lease = {0};
		pthread_mutex_lock(&connections->lock);
		int rc = take_locked(connections, kind, deadline_ms, &lease, err);
		pthread_mutex_unlock(&connections->lock);
		if (rc < 0)
			return rc;
		if (lives(connections, &lease)) {
			*ret = lease;
			return 0;
		}
		virt_lease_done(&lease);
	}
	return err_set(err, ERR_UNAVAILABLE, "connections to libvirtd do not last");
}

void virt_lease_done(struct virt_lease *lease)
{
	struct virt_connections *connections = lease->connections;
	if (!connections)
		return;
	virConnectClose(lease->conn);
	pthread_mutex_lock(&connections->lock);
	connections->links[lease->link].in_use--;
	pthread_cond_broadcast(&connections->changed);
	pthread_mutex_unlock(&connections->lock);
	lease->connections = NULL;
}

uint64_t virt_connections_count(struct virt_connections *connections)
{
	pthread_mutex_lock(&connections->lock);
	uint64_t count = connections->events;
	pthread_mutex_unlock(&connections->lock);
	return count;
}

uint64_t virt_connections_wait(struct virt_connections *connections, uint64_t seen, int64_t deadline_ms)
{
	pthread_mutex_lock(&connections->lock);
	while (connections->events == seen &&
		virt_wait_until(connections, &connections->changed, deadline_ms))
		;
	uint64_t count = connections->events;
	pthread_mutex_unlock(&connections->lock);
	return count;
}
