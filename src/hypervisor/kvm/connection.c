/* Connections to libvirtd. One keeper thread opens them, because opening may block for as long as libvirtd is
 * stuck; a caller only ever waits a moment for it. libvirt reads its sockets on one thread of the process,
 * which runs for good from the first use on. Leaves what is said over a connection to the others. */
#include "hypervisor/kvm/connection.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	RETRY_FIRST_MS = 100,
	RETRY_MAX_MS = 2000,
	CALLER_WAIT_MS = 3000, /* for a libvirtd that is there but slow; one that is away is known at once */
	CLOSE_WAIT_MS = 5000,  /* for the keeper, which a stuck libvirtd may hold */
	KEEPALIVE_INTERVAL_S = 5, /* three unanswered in a row end a connection */
	KEEPALIVE_COUNT = 3,
	AGENT_PLACES = 4, /* a link; below libvirtd's five */
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
enum { LINK_COUNT = 6, LINK_EVENTS = 0, CALLBACK_COUNT = 2 };

struct link {
	virConnectPtr conn; /* NULL while away */
	bool broken;	    /* libvirt said that it ended */
	unsigned in_use;
};

/* Shared by its owner, the keeper and the callbacks libvirt holds: the last of them frees it. */
struct virt_connections {
	atomic_int references;
	char *uri;
	struct virt_connections_config config;
	pthread_t keeper;
	int callbacks[CALLBACK_COUNT]; /* the keeper's: of LINK_EVENTS */
	pthread_mutex_t lock;	       /* everything below */
	pthread_cond_t changed;	       /* an event, a link that came or went, a place that got free */
	pthread_cond_t wanted;	       /* wakes the keeper */
	struct link links[LINK_COUNT];
	uint64_t events;
	uint64_t attempts; /* times the keeper tried to connect */
	bool hurry, closing;
	char last_error[256]; /* why the last attempt failed */
	pthread_mutex_t
		telling; /* held around the config's functions: news arrive in order, none after closing */
	bool silent;	 /* under `telling` */
};

static void stay_silent(void *context, virErrorPtr error)
{
	(void)context;
	(void)error;
}

static void *run_events(void *unused)
{
	(void)unused;
	for (;;)
		if (virEventRunDefaultImpl() < 0)
			log_error("libvirt's event loop: %s", virGetLastErrorMessage());
	return NULL;
}

/* libvirt has one event loop a process, and it must be registered before the first connection. */
static void start_libvirt(void)
{
	pthread_t thread;
	virSetErrorFunc(NULL, stay_silent);
	if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0) {
		log_error("libvirt cannot be used: %s", virGetLastErrorMessage());
		return;
	}
	int rc = pthread_create(&thread, NULL, run_events, NULL);
	if (rc)
		log_error("libvirt's event thread: %s", strerror(rc));
	else
		pthread_detach(thread);
}

static void drop_reference(void *opaque)
{
	struct virt_connections *connections = opaque;
	if (atomic_fetch_sub(&connections->references, 1) > 1)
		return;
	pthread_mutex_destroy(&connections->lock);
	pthread_mutex_destroy(&connections->telling);
	pthread_cond_destroy(&connections->changed);
	pthread_cond_destroy(&connections->wanted);
	free(connections->uri);
	free(connections);
}

static struct timespec timespec_of(int64_t ms)
{
	return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
}

/* Waits on CONDITION with `lock` held; false once DEADLINE_MS has passed. */
static bool wait_until(struct virt_connections *connections, pthread_cond_t *condition, int64_t deadline_ms)
{
	struct timespec until = timespec_of(deadline_ms);
	return pthread_cond_timedwait(condition, &connections->lock, &until) == 0;
}

/* ---- events, on libvirt's thread ---- */

static void count_event(struct virt_connections *connections)
{
	pthread_mutex_lock(&connections->lock);
	connections->events++;
	pthread_cond_broadcast(&connections->changed);
	pthread_mutex_unlock(&connections->lock);
}

static int on_lifecycle(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
	(void)conn;
	(void)detail;
	struct virt_connections *connections = opaque;
	if (event != VIR_DOMAIN_EVENT_STARTED && event != VIR_DOMAIN_EVENT_STOPPED)
		return 0;
	pthread_mutex_lock(&connections->telling);
	if (!connections->silent)
		connections->config.changed(connections->config.context, virDomainGetName(domain),
			event == VIR_DOMAIN_EVENT_STARTED ? GUEST_RUNNING : GUEST_STOPPED);
	pthread_mutex_unlock(&connections->telling);
	count_event(connections);
	return 0;
}

static void on_agent(virConnectPtr conn, virDomainPtr domain, int state, int reason, void *opaque)
{
	(void)conn;
	(void)state;
	(void)reason;
	struct virt_connections *connections = opaque;
	pthread_mutex_lock(&connections->telling);
	if (!connections->silent)
		connections->config.agent_changed(connections->config.context, virDomainGetName(domain));
	pthread_mutex_unlock(&connections->telling);
}

static void on_close(virConnectPtr conn, int reason, void *opaque)
{
	(void)reason;
	struct virt_connections *connections = opaque;
	pthread_mutex_lock(&connections->lock);
	for (size_t i = 0; i < LINK_COUNT; i++)
		if (connections->links[i].conn == conn)
			connections->links[i].broken = true;
	pthread_cond_signal(&connections->wanted);
	pthread_cond_broadcast(&connections->changed);
	pthread_mutex_unlock(&connections->lock);
}

/* What the events of a lost connection would have said: the state of every guest as it is now. Each is asked
 * for with `telling` held, so that a later event is told later. */
static void tell_all(struct virt_connections *connections, virConnectPtr conn)
{
	virDomainPtr *domains = NULL;
	int count = virConnectListAllDomains(conn, &domains, 0);
	for (int i = 0; i < count; i++) {
		int state = 0;
		pthread_mutex_lock(&connections->telling);
		if (virDomainGetState(domains[i], &state, NULL, 0) == 0 && !connections->silent)
			connections->config.changed(
				connections->config.context, virDomainGetName(domains[i]), virt_state(state));
		pthread_mutex_unlock(&connections->telling);
		virDomainFree(domains[i]);
	}
	free(domains);
	count_event(connections);
}

/* ---- the keeper ---- */

static void ask_for_events(struct virt_connections *connections, virConnectPtr conn)
{
	static const struct {
		int id;
		virConnectDomainEventGenericCallback callback;
	} wanted[CALLBACK_COUNT] = {
		{VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle)},
		{VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_agent)},
	};
	for (size_t i = 0; i < CALLBACK_COUNT; i++) {
		atomic_fetch_add(&connections->references, 1);
		connections->callbacks[i] = virConnectDomainEventRegisterAny(
			conn, NULL, wanted[i].id, wanted[i].callback, connections, drop_reference);
		if (connections->callbacks[i] >= 0)
			continue;
		log_error("libvirt gives no events: %s", virGetLastErrorMessage());
		drop_reference(connections);
	}
}

static void close_link(struct virt_connections *connections, size_t index, virConnectPtr conn)
{
	for (size_t i = 0; index == LINK_EVENTS && i < CALLBACK_COUNT; i++)
		if (connections->callbacks[i] >= 0)
			virConnectDomainEventDeregisterAny(conn, connections->callbacks[i]);
	virConnectUnregisterCloseCallback(conn, on_close);
	virConnectClose(conn);
}

/* Opens one link; false when libvirtd is not there. */
static bool open_link(struct virt_connections *connections, size_t index, bool tell)
{
	virConnectPtr conn = virConnectOpen(connections->uri);
	if (!conn) {
		pthread_mutex_lock(&connections->lock);
		snprintf(connections->last_error, sizeof(connections->last_error), "%s",
			virGetLastErrorMessage());
		pthread_mutex_unlock(&connections->lock);
		return false;
	}
	virConnectSetKeepAlive(conn, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT);
	pthread_mutex_lock(&connections->lock);
	connections->links[index].conn = conn;
	connections->links[index].broken = false;
	pthread_mutex_unlock(&connections->lock);
	atomic_fetch_add(&connections->references, 1);
	if (virConnectRegisterCloseCallback(conn, on_close, connections, drop_reference) < 0)
		drop_reference(connections);
	if (index == LINK_EVENTS) {
		ask_for_events(connections, conn);
		if (tell)
			tell_all(connections, conn);
	}
	return true;
}

/* Takes a link that ended out of use; callers that still hold it have references of their own. */
static void drop_broken(struct virt_connections *connections)
{
	for (size_t i = 0; i < LINK_COUNT; i++) {
		virConnectPtr conn = connections->links[i].conn;
		if (!conn || !(connections->links[i].broken || connections->closing))
			continue;
		connections->links[i].conn = NULL;
		pthread_mutex_unlock(&connections->lock);
		close_link(connections, i, conn);
		pthread_mutex_lock(&connections->lock);
	}
}

/* Opens what is missing, with `lock` held now and then; false when libvirtd is not there. */
static bool open_missing(struct virt_connections *connections)
{
	bool opened = true, tell = connections->attempts > 0;
	for (size_t i = 0; opened && i < LINK_COUNT && !connections->closing; i++) {
		if (connections->links[i].conn)
			continue;
		pthread_mutex_unlock(&connections->lock);
		opened = open_link(connections, i, tell);
		pthread_mutex_lock(&connections->lock);
	}
	return opened;
}

static bool is_link_broken(const struct virt_connections *connections)
{
	for (size_t i = 0; i < LINK_COUNT; i++)
		if (connections->links[i].broken)
			return true;
	return false;
}

static void *keep(void *opaque)
{
	struct virt_connections *connections = opaque;
	int64_t pause_ms = RETRY_FIRST_MS;
	pthread_mutex_lock(&connections->lock);
	while (!connections->closing) {
		drop_broken(connections);
		bool opened = open_missing(connections);
		connections->attempts++;
		connections->hurry = false;
		pthread_cond_broadcast(&connections->changed);
		int64_t next_ms = opened ? INT64_MAX / 2 : clock_monotonic_ms() + pause_ms;
		pause_ms = opened			 ? RETRY_FIRST_MS
			   : pause_ms * 2 < RETRY_MAX_MS ? pause_ms * 2
							 : RETRY_MAX_MS;
		while (!connections->closing && !connections->hurry && !is_link_broken(connections))
			if (!wait_until(connections, &connections->wanted, next_ms))
				break;
	}
	drop_broken(connections);
	pthread_mutex_unlock(&connections->lock);
	drop_reference(connections);
	return NULL;
}

/* ---- for callers ---- */

struct virt_connections *virt_connections_new(const struct virt_connections_config *config)
{
	static pthread_once_t started = PTHREAD_ONCE_INIT;
	pthread_once(&started, start_libvirt);
	struct virt_connections *connections = mem_new(struct virt_connections);
	connections->references = 2;
	connections->config = *config;
	connections->uri = mem_strdup(config->uri ? config->uri : "qemu:///system");
	connections->config.uri = connections->uri;
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&connections->changed, &attributes);
	pthread_cond_init(&connections->wanted, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&connections->lock, NULL);
	pthread_mutex_init(&connections->telling, NULL);
	int rc = pthread_create(&connections->keeper, NULL, keep, connections);
	if (rc) {
		log_error("libvirt's keeper thread: %s", strerror(rc));
		abort();
	}
	return connections;
}

void virt_connections_free(struct virt_connections *connections)
{
	pthread_mutex_lock(&connections->telling);
	connections->silent = true;
	pthread_mutex_unlock(&connections->telling);
	pthread_mutex_lock(&connections->lock);
	connections->closing = true;
	pthread_cond_signal(&connections->wanted);
	pthread_mutex_unlock(&connections->lock);
	struct timespec until = timespec_of(clock_monotonic_ms() + CLOSE_WAIT_MS);
	if (pthread_clockjoin_np(connections->keeper, NULL, CLOCK_MONOTONIC, &until))
		pthread_detach(connections->keeper);
	drop_reference(connections);
}

/* The least used live link of a kind, or NULL. One that died unnoticed is left to the keeper. */
static struct link *best_link(struct virt_connections *connections, enum link_kind kind)
{
	struct link *best = NULL;
	for (size_t i = 0; i < link_ranges[kind].count; i++) {
		struct link *link = &connections->links[link_ranges[kind].first + i];
		if (!link->conn || link->broken)
			continue;
		if (virConnectIsAlive(link->conn) != 1)
			link->broken = true;
		else if (!best || link->in_use < best->in_use)
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
		bool in_time = wait_until(connections, &connections->changed, until_ms);
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
		if (!wait_until(connections, &connections->changed, deadline_ms))
			return err_set(err, ERR_UNAVAILABLE, "too many guest agents are being waited for");
	}
}

int virt_connections_take(struct virt_connections *connections, enum link_kind kind, int64_t deadline_ms,
	struct virt_lease *ret, struct error *err)
{
	*ret = (struct virt_lease){0};
	pthread_mutex_lock(&connections->lock);
	int rc = take_locked(connections, kind, deadline_ms, ret, err);
	pthread_mutex_unlock(&connections->lock);
	return rc;
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
	while (connections->events == seen && wait_until(connections, &connections->changed, deadline_ms))
		;
	uint64_t count = connections->events;
	pthread_mutex_unlock(&connections->lock);
	return count;
}
