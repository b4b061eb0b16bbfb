/* Connections to libvirtd. One keeper thread opens them, because opening may block for as long as libvirtd is
 * stuck; a caller only ever waits a moment for it. libvirt reads its sockets on one thread of the process,
 * which runs for good from the first use on. Leaves what is said over a connection to the others. */
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "hypervisor/kvm/connection_state.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	RETRY_FIRST_MS = 100,
	RETRY_MAX_MS = 2000,
	CLOSE_WAIT_MS = 5000,	  /* for the keeper, which a stuck libvirtd may hold */
	KEEPALIVE_INTERVAL_S = 5, /* three unanswered in a row end a connection */
	KEEPALIVE_COUNT = 3,
	EVENT_RETRY_MS = 1000,
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
		if (virEventRunDefaultImpl() < 0) {
			log_error("libvirt's event loop: %s", virGetLastErrorMessage());
			poll(NULL, 0, EVENT_RETRY_MS);
		}
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

void virt_drop_reference(void *opaque)
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

bool virt_wait_until(struct virt_connections *connections, pthread_cond_t *condition, int64_t deadline_ms)
{
	struct timespec until = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
	return pthread_cond_timedwait(condition, &connections->lock, &until) == 0;
}

static void close_link(struct virt_connections *connections, size_t index, virConnectPtr conn)
{
	for (size_t i = 0; index == LINK_EVENTS && i < CALLBACK_COUNT; i++)
		if (connections->callbacks[i] >= 0)
			virConnectDomainEventDeregisterAny(conn, connections->callbacks[i]);
	virConnectUnregisterCloseCallback(conn, virt_on_close);
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
	if (virConnectRegisterCloseCallback(conn, virt_on_close, connections, virt_drop_reference) < 0)
		virt_drop_reference(connections);
	if (index == LINK_EVENTS) {
		virt_ask_for_events(connections, conn);
		if (tell)
			virt_tell_all(connections, conn);
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
			if (!virt_wait_until(connections, &connections->wanted, next_ms))
				break;
	}
	drop_broken(connections);
	connections->ended = true;
	pthread_cond_broadcast(&connections->changed);
	pthread_mutex_unlock(&connections->lock);
	virt_drop_reference(connections);
	return NULL;
}

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
	int64_t deadline_ms = clock_monotonic_ms() + CLOSE_WAIT_MS;
	while (!connections->ended && virt_wait_until(connections, &connections->changed, deadline_ms))
		;
	bool ended = connections->ended;
	pthread_mutex_unlock(&connections->lock);
	if (ended)
		pthread_join(connections->keeper, NULL);
	else
		pthread_detach(connections->keeper);
	virt_drop_reference(connections);
}
