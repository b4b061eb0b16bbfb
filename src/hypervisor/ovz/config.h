/* The text liblxc reads for one container: pure, the same spec gives the same bytes. Every value is checked
 * against the few characters it may hold, so none can add a line. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include "hypervisor/ovz/cgroup.h"
#include "model/guest.h"

/* What of the host shows in the text. Strings are borrowed. */
struct config_host {
	const struct cgroup_layout *cgroups;
	const char *seccomp_path; /* the profile of seccomp.c */
	const char *log_path;	  /* liblxc's errors */
	bool apparmor;		  /* the host confines with AppArmor */
};

/* Adds the configuration to TEXT. ERR_INVALID names the value that is refused. */
int config_text(const struct guest_spec *spec, const struct config_host *host, struct buffer *text,
	struct error *err);
/* Whether PATH is absolute and plain enough to stand in the text: no "..", letters, digits and "/._-" only.
 */
bool config_path_is_plain(const char *path);
