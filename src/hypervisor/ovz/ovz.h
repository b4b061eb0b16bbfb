/* The inside of the container back end, shared by its files. */
#pragma once
#include "base/process.h"
#include "hypervisor/hypervisor.h"
#include "hypervisor/ovz/cgroup.h"
#include "hypervisor/ovz/watch.h"

struct hypervisor {
	char *state_dir, *run_dir, *name_prefix, *helper_path;
	char *seccomp_path;
	struct cgroup_layout cgroups;
	struct watch *watch;
};

enum { OVZ_PATH_MAX = 512, OVZ_LOG_MAX = 64 << 10 };

/* Refuses names that are not ours or could leave the folder. */
int ovz_name_check(const struct hypervisor *hv, const char *name, struct error *err);
/* <state_dir>/<name>/<file>, <run_dir>/<name>.log. */
int ovz_config_path(
	const struct hypervisor *hv, const char *name, char place[OVZ_PATH_MAX], struct error *err);
int ovz_log_path(const struct hypervisor *hv, const char *name, char place[OVZ_PATH_MAX], struct error *err);
/* 0, ERR_NOT_FOUND when NAME is neither defined nor running. */
int ovz_known_check(const struct hypervisor *hv, const char *name, struct error *err);
/* Looks whether NAME runs though nobody here started it, and watches it then. */
int ovz_adopt(struct hypervisor *hv, const char *name, bool announce, struct error *err);
/* Removes what an earlier container of that name left in the control groups; it must not run. ERR_EXISTS when
 * the groups are in use by a node with another state folder. */
int ovz_clear(struct hypervisor *hv, const char *name, struct error *err);

int ovz_start(struct hypervisor *hv, const char *name, struct error *err);
int ovz_stop(struct hypervisor *hv, const char *name, int timeout_ms, struct error *err);
int ovz_kill(struct hypervisor *hv, const char *name, struct error *err);
int ovz_usage(struct hypervisor *hv, const char *name, struct guest_usage *ret, struct error *err);
int ovz_exec(struct hypervisor *hv, const char *name, const struct exec_request *request,
	struct exec_result *result, struct error *err);
int ovz_probe(struct hypervisor *hv, char *says, size_t size, struct error *err);
