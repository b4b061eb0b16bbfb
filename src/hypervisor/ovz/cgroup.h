/* Where the host keeps the control groups of containers, in both layouts: one tree (v2) or a tree a
 * controller (v1, also when v2 is mounted beside it without controllers). liblxc makes and removes the groups
 * of a container; here they are found, read and, when a monitor died without cleaning, removed. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The folders of our groups below the host's own, one entry a container in each. */
#define CGROUP_GUESTS "moa.guest"
#define CGROUP_MONITORS "moa.monitor"
#define CGROUP_PIVOT "moa.pivot"

enum cgroup_controller {
	CGROUP_MEMORY,
	CGROUP_CPU,
	CGROUP_CPUACCT,
	CGROUP_PIDS,
	CGROUP_DEVICES,
	CGROUP_FREEZER,
	CGROUP_BLKIO,
	CGROUP_COUNT
};
enum { CGROUP_PATH_MAX = 256, CGROUP_TREES_MAX = 24, CGROUP_PIDS_MAX = 64 };

struct cgroup_layout {
	bool unified;		/* limits are set and read through v2 */
	bool has[CGROUP_COUNT]; /* on v2 cpuacct, devices and freezer are always there */
	bool has_swap;		/* swap can be limited */
	char dir[CGROUP_COUNT]
		[CGROUP_PATH_MAX]; /* below which our groups of that controller are; v2: all the same */
	char trees[CGROUP_TREES_MAX][CGROUP_PATH_MAX]; /* every tree, for cleaning */
	size_t tree_count;
};

/* Reads the host's layout. ERR_UNSUPPORTED when no memory controller is mounted. */
int cgroup_layout_read(struct cgroup_layout *ret, struct error *err);
/* The same from given texts: MOUNTS as /proc/self/mounts, GROUPS as /proc/1/cgroup; v2's controllers and the
 * swap file are looked up below ROOT ("" on a host), which tests use. */
int cgroup_layout_parse(const char *mounts, const char *groups, const char *root, struct cgroup_layout *ret,
	struct error *err);
const char *cgroup_controller_name(enum cgroup_controller controller);

/* The path of FILE in the group FOLDER/NAME of CONTROLLER; false when it does not fit. */
bool cgroup_path(const struct cgroup_layout *layout, enum cgroup_controller controller, const char *folder,
	const char *name, const char *file, char place[CGROUP_PATH_MAX * 2]);
/* The container's first process, a child of MONITOR, or 0 while there is none (between two boots). */
pid_t cgroup_init(pid_t monitor, const char *name);
/* Undoes a freeze of the container, also one it made itself, so that it can be killed. */
void cgroup_thaw(const struct cgroup_layout *layout, const char *name);
/* Whether a process runs in the group of container NAME's monitor. */
bool cgroup_has_monitor(const struct cgroup_layout *layout, const char *name);
/* Kills what is left in the groups of a container whose monitor is gone and removes them. Best effort. */
void cgroup_remove(const struct cgroup_layout *layout, const char *name);
