/* Whether containers can run on this host, in words for its operator. */
#include "hypervisor/ovz/ovz.h"
#include "base/fd.h"
#include "base/owned.h"
#include "base/text.h"
#include "hypervisor/ovz/helper.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { CHECK_TIMEOUT_MS = 10000 };

static int check_user_namespaces(struct error *err)
{
	owned_mem char *text = NULL;
	if (access("/proc/self/ns/user", F_OK) < 0)
		return err_say(err, ERR_UNSUPPORTED, "no containers: this kernel has no user namespaces");
	if (file_read("/proc/sys/user/max_user_namespaces", 64, &text, NULL, NULL) == 0 && atoll(text) <= 0)
		return err_say(err, ERR_UNSUPPORTED,
			"no containers: user namespaces are switched off (sysctl user.max_user_namespaces is "
			"0)");
	return 0;
}

/* The call and the mapping of mounted disks came with the same kernel (5.12). */
static int check_idmapped_mounts(struct error *err)
{
	if (syscall(SYS_mount_setattr, -1, NULL, 0, NULL, 0) < 0 && errno == ENOSYS)
		return err_say(err, ERR_UNSUPPORTED,
			"no containers: this kernel cannot map the owners of a mounted disk (5.12 or newer "
			"can)");
	return 0;
}

static int check_controllers(const struct cgroup_layout *layout, struct error *err)
{
	static const enum cgroup_controller needed[] = {CGROUP_CPU, CGROUP_PIDS, CGROUP_DEVICES};
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!layout->has[needed[i]])
			return err_say(err, ERR_UNSUPPORTED,
				"no containers: the control group of %s is not mounted",
				cgroup_controller_name(needed[i]));
	return 0;
}

/* Every folder on the way to the containers' must let their roots, who are strangers here, pass. */
static int check_way(const char *dir, struct error *err)
{
	char path[OVZ_PATH_MAX];
	struct stat st;
	if (!text_copy(path, sizeof(path), dir))
		return err_set(err, ERR_INVALID, "path too long");
	for (char *slash = strrchr(path, '/'); slash && slash != path; slash = strrchr(path, '/')) {
		if (stat(path, &st) < 0)
			return err_errno(err, errno, "stat %s", path);
		if (!(st.st_mode & S_IXOTH))
			return err_set(err, ERR_UNSUPPORTED, "no containers: chmod o+x %s is needed", path);
		*slash = '\0';
	}
	return 0;
}

/* Loads liblxc and makes a user namespace, in the helper. VERSION is "liblxc 5.0.2". */
static int check_helper(struct hypervisor *hv, char version[64], struct error *err)
{
	const char *argv[] = {hv->helper_path, "check", NULL};
	struct process_request request = {.argv = argv, .timeout_ms = CHECK_TIMEOUT_MS, .max_output = 512};
	owned_in(process_result_done) struct process_result result;
	if (process_run(&request, &result, err) < 0)
		return err_say(err, ERR_UNSUPPORTED, "no containers: the program moa-container is missing");
	result.output.data[strcspn(result.output.data, "\n")] = '\0';
	if (result.exit_status != HELPER_OK)
		return err_say(err, ERR_UNSUPPORTED, "no containers: moa-container fails: %.120s",
			result.output.data);
	text_format(version, 64, "%.60s", result.output.data);
	return 0;
}

int ovz_probe(struct hypervisor *hv, char *says, size_t size, struct error *err)
{
	struct error local = {0};
	char version[64] = "";
	int rc = check_user_namespaces(&local);
	if (rc == 0)
		rc = check_idmapped_mounts(&local);
	if (rc == 0)
		rc = check_controllers(&hv->cgroups, &local);
	if (rc == 0)
		rc = check_way(hv->state_dir, &local);
	if (rc == 0)
		rc = check_helper(hv, version, &local);
	if (rc < 0) {
		text_format(says, size, "%s", err_text(&local));
		if (err)
			*err = local;
		return rc;
	}
	text_format(says, size, "containers work (%s, control groups %s%s%s)", version,
		hv->cgroups.unified ? "v2" : "v1", hv->cgroups.has_swap ? "" : ", swap is not limited",
		hv->cgroups.has[CGROUP_BLKIO] ? "" : ", disk transfers are not counted");
	return 0;
}
