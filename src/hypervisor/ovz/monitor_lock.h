/* Which process runs a container: the one that holds a lock on a file in the container's folder. The kernel
 * drops the lock with the process and keeps it through the container's reboots, so no pid file can be stale.
 */
#pragma once
#include "base/error.h"
#include <sys/types.h>

#define MONITOR_LOCK_FILE "running"

/* Takes the lock of <state_dir>/<name> for the calling process, whose descriptor it returns; it must stay
 * open. ERR_EXISTS when another process has it. */
int monitor_lock_take(const char *state_dir, const char *name, struct error *err);
/* The process that holds it, or 0. */
pid_t monitor_lock_holder(const char *state_dir, const char *name);
