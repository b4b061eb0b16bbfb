/* What connection.c (who opens and closes), events.c (what libvirt tells) and lease.c (who uses) share. */
#pragma once
#include "hypervisor/kvm/connection.h"
#include <pthread.h>
#include <stdatomic.h>

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
	bool hurry, closing, ended;
	char last_error[256]; /* why the last attempt failed */
	/* Held around the config's functions, so that news arrive in order and none after `silent` was set.
	 */
	pthread_mutex_t telling;
	bool silent;
};

/* Gives back one reference. */
void virt_drop_reference(void *connections);
/* Waits on CONDITION with `lock` held; false once DEADLINE_MS has passed. */
bool virt_wait_until(struct virt_connections *connections, pthread_cond_t *condition, int64_t deadline_ms);

/* Registers for lifecycle events at the connection of LINK_EVENTS. */
void virt_ask_for_events(struct virt_connections *connections, virConnectPtr conn);
/* What the events of a lost connection would have said: the state of every guest as it is now. */
void virt_tell_all(struct virt_connections *connections, virConnectPtr conn);
/* libvirt's close callback: CONN ended. */
void virt_on_close(virConnectPtr conn, int reason, void *connections);
