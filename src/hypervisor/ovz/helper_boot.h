/* Running a container, for moa-container. */
#pragma once
#include <lxc/lxccontainer.h>

/* Starts it under a process of its own, the monitor, and returns when it runs. Returns enum helper_status. */
int boot_start(struct lxc_container *container, const char *state_dir, const char *name);
/* Is the monitor, which holds the descriptor LOCK of monitor_lock.h: runs the container to its end, and again
 * after each reboot from inside. */
int boot_run(struct lxc_container *container, const char *state_dir, const char *name, int lock);
