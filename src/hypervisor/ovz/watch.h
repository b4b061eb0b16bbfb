/* Which containers run, and who is told when one ends: one thread waits on a pidfd of each container's
 * monitor, the process that lives exactly as long as its container, also through reboots from inside. */
#pragma once
#include "base/error.h"
#include "hypervisor/hypervisor.h"
#include <stdbool.h>
#include <sys/types.h>

struct watch;

/* EVENT may be NULL. It is called on the watching thread only, without a lock of this file held. */
int watch_new(hypervisor_event *event, void *context, struct watch **ret, struct error *err);
void watch_free(struct watch *watch); /* containers are left alone */
/* Takes note that NAME runs under the process MONITOR, whose PIDFD it owns from here on, also on error. With
 * ANNOUNCE the event RUNNING is sent, before any STOPPED. Replaces what was known of NAME. */
int watch_add(
	struct watch *watch, const char *name, pid_t monitor, int pidfd, bool announce, struct error *err);
/* The monitor of NAME, or 0 when it does not run. */
pid_t watch_monitor(struct watch *watch, const char *name);
/* Waits until NAME no longer runs: true, or false when TIMEOUT_MS passed first. */
bool watch_wait_gone(struct watch *watch, const char *name, int timeout_ms);
/* The names of all that run, ended by NULL; the caller frees the array and each name. */
char **watch_names(struct watch *watch);
