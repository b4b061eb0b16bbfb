/* The container back end of hypervisor.h: definitions, lists and states. What starts and ends is power.c,
 * what runs inside exec.c. liblxc itself is only in the helper program: it forks, and guests must outlive the
 * node. */
#include "hypervisor/ovz/ovz.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/owned.h"
#include "base/text.h"
#include "hypervisor/ovz/config.h"
#include "hypervisor/ovz/seccomp.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* liblxc leaves a lock file a container here. */
#define LIBLXC_LOCKS "/run/lxc/lock"

enum { CONFIG_MAX = 32 << 10, NAME_MAX_LEN = 63 };

static inline void closedir_owned(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool is_ours(const struct hypervisor *hv, const char *name)
{
	size_t len = strlen(name);
	return text_starts(name, hv->name_prefix) && len <= NAME_MAX_LEN && len > strlen(hv->name_prefix) &&
	       name[0] != '.' && name[0] != '-' && text_only(name, TEXT_ALNUM "._-");
}

int ovz_name_check(const struct hypervisor *hv, const char *name, struct error *err)
{
	return name && is_ours(hv, name) ? 0 : err_set(err, ERR_INVALID, "bad container name");
}

int ovz_config_path(
	const struct hypervisor *hv, const char *name, char place[OVZ_PATH_MAX], struct error *err)
{
	int rc = ovz_name_check(hv, name, err);
	if (rc == 0 && !text_format(place, OVZ_PATH_MAX, "%s/%s/config", hv->state_dir, name))
		rc = err_set(err, ERR_INVALID, "path too long");
	return rc;
}

int ovz_log_path(const struct hypervisor *hv, const char *name, char place[OVZ_PATH_MAX], struct error *err)
{
	if (!text_format(place, OVZ_PATH_MAX, "%s/%s.log", hv->run_dir, name))
		return err_set(err, ERR_INVALID, "path too long");
	return 0;
}

int ovz_known_check(const struct hypervisor *hv, const char *name, struct error *err)
{
	char path[OVZ_PATH_MAX];
	int rc = ovz_config_path(hv, name, path, err);
	if (rc < 0 || watch_monitor(hv->watch, name) || access(path, F_OK) == 0)
		return rc;
	return err_set(err, ERR_NOT_FOUND, "container %s is not defined", name);
}

static void hypervisor_free(struct hypervisor *hv)
{
	watch_free(hv->watch);
	free(hv->state_dir);
	free(hv->run_dir);
	free(hv->name_prefix);
	free(hv->helper_path);
	free(hv->seccomp_path);
	free(hv);
}
OWNED_DEFINE(struct hypervisor, hypervisor_free);

/* Calls VISIT for every definition with our prefix. */
static int each_defined(struct hypervisor *hv,
	int (*visit)(struct hypervisor *, const char *, void *, struct error *), void *context,
	struct error *err)
{
	char path[OVZ_PATH_MAX];
	__attribute__((cleanup(closedir_owned))) DIR *dir = opendir(hv->state_dir);
	if (!dir)
		return err_errno(err, errno, "open %s", hv->state_dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (!is_ours(hv, entry->d_name) || ovz_config_path(hv, entry->d_name, path, NULL) < 0 ||
			access(path, F_OK) < 0)
			continue;
		int rc = visit(hv, entry->d_name, context, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int adopt_one(struct hypervisor *hv, const char *name, void *context, struct error *err)
{
	(void)context;
	return ovz_adopt(hv, name, false, err);
}

static int check_paths(const struct hypervisor_config *config, struct error *err)
{
	if (!config_path_is_plain(config->state_dir) || !config_path_is_plain(config->run_dir))
		return err_set(
			err, ERR_INVALID, "containers: the folders must be absolute and of plain characters");
	if (!config->helper_path || config->helper_path[0] != '/')
		return err_set(err, ERR_INVALID, "containers: the helper's path must be absolute");
	return 0;
}

static int ovz_open(const struct hypervisor_config *config, struct hypervisor **ret, struct error *err)
{
	int rc = check_paths(config, err);
	if (rc < 0)
		return rc;
	owned(hypervisor_free) struct hypervisor *hv = mem_new(struct hypervisor);
	hv->state_dir = mem_strdup(config->state_dir);
	hv->run_dir = mem_strdup(config->run_dir);
	hv->name_prefix = mem_strdup(config->name_prefix ? config->name_prefix : "moa-");
	hv->helper_path = mem_strdup(config->helper_path);
	hv->seccomp_path = mem_printf("%s/seccomp", config->state_dir);
	rc = cgroup_layout_read(&hv->cgroups, err);
	/* liblxc insists that a container's root can pass through; what is inside stays closed to it. */
	if (rc == 0 && chmod(hv->state_dir, 0711) < 0)
		rc = err_errno(err, errno, "chmod %s", hv->state_dir);
	if (rc == 0)
		rc = file_write_atomic(hv->seccomp_path, seccomp_profile, strlen(seccomp_profile), 0600, err);
	if (rc == 0)
		rc = watch_new(config->event, config->event_context, &hv->watch, err);
	if (rc == 0)
		rc = each_defined(hv, adopt_one, NULL, err);
	if (rc == 0)
		*ret = take(hv);
	return rc;
}

static bool host_has_apparmor(void)
{
	owned_mem char *text = NULL;
	return file_read("/sys/module/apparmor/parameters/enabled", 16, &text, NULL, NULL) == 0 &&
	       text[0] == 'Y';
}

static int write_config(
	struct hypervisor *hv, const struct guest_spec *spec, const char *path, struct error *err)
{
	char log_path[OVZ_PATH_MAX], dir[OVZ_PATH_MAX];
	owned_in(buffer_done) struct buffer text = BUFFER_INIT(CONFIG_MAX);
	int rc = ovz_log_path(hv, spec->name, log_path, err);
	if (rc < 0)
		return rc;
	struct config_host host = {.cgroups = &hv->cgroups,
		.seccomp_path = hv->seccomp_path,
		.log_path = log_path,
		.apparmor = host_has_apparmor()};
	rc = config_text(spec, &host, &text, err);
	if (rc < 0)
		return rc;
	text_format(dir, sizeof(dir), "%s/%s", hv->state_dir, spec->name);
	rc = dir_make(dir, 0700, err);
	return rc < 0 ? rc : file_write_atomic(path, text.data, text.len, 0600, err);
}

static int ovz_define(struct hypervisor *hv, const struct guest_spec *spec, struct error *err)
{
	char path[OVZ_PATH_MAX];
	int rc = ovz_config_path(hv, spec->name, path, err);
	if (rc == 0)
		rc = write_config(hv, spec, path, err);
	return rc < 0 ? err_wrap(err, "defining a container") : 0;
}

static int ovz_undefine(struct hypervisor *hv, const char *name, struct error *err)
{
	char path[OVZ_PATH_MAX];
	int rc = ovz_name_check(hv, name, err);
	if (rc < 0)
		return rc;
	if (watch_monitor(hv->watch, name))
		return err_set(err, ERR_RUNNING, "container %s still runs", name);
	ovz_clear(hv, name, NULL);
	if (ovz_log_path(hv, name, path, NULL) == 0)
		unlink(path);
	if (text_format(path, sizeof(path), LIBLXC_LOCKS "%s/.%s", hv->state_dir, name))
		unlink(path);
	if (!text_format(path, sizeof(path), "%s/%s", hv->state_dir, name))
		return err_set(err, ERR_INVALID, "path too long");
	return dir_remove_tree(path, err);
}

static int ovz_state(struct hypervisor *hv, const char *name, enum guest_state *ret, struct error *err)
{
	int rc = ovz_known_check(hv, name, err);
	if (rc == 0)
		*ret = watch_monitor(hv->watch, name) ? GUEST_RUNNING : GUEST_STOPPED;
	return rc;
}

struct listing {
	void (*found)(void *context, const char *name, enum guest_state state);
	void *context;
};

static int list_stopped(struct hypervisor *hv, const char *name, void *context, struct error *err)
{
	struct listing *listing = context;
	(void)err;
	if (!watch_monitor(hv->watch, name))
		listing->found(listing->context, name, GUEST_STOPPED);
	return 0;
}

static int ovz_list(struct hypervisor *hv,
	void (*found)(void *context, const char *name, enum guest_state state), void *context,
	struct error *err)
{
	struct listing listing = {found, context};
	char **names = watch_names(hv->watch);
	for (size_t i = 0; names[i]; i++) {
		found(context, names[i], GUEST_RUNNING);
		free(names[i]);
	}
	free(names);
	return each_defined(hv, list_stopped, &listing, err);
}

static int ovz_screenshot(
	struct hypervisor *hv, const char *name, int timeout_ms, struct buffer *png, struct error *err)
{
	(void)hv, (void)name, (void)timeout_ms, (void)png;
	return err_say(err, ERR_UNSUPPORTED, "a container has no screen");
}

static void ovz_close(struct hypervisor *hv)
{
	if (hv)
		hypervisor_free(hv);
}

const struct hypervisor_ops hypervisor_ovz = {
	.name = "ovz",
	.open = ovz_open,
	.close = ovz_close,
	.define = ovz_define,
	.undefine = ovz_undefine,
	.start = ovz_start,
	.stop = ovz_stop,
	.kill = ovz_kill,
	.state = ovz_state,
	.list = ovz_list,
	.usage = ovz_usage,
	.exec = ovz_exec,
	.screenshot = ovz_screenshot,
	.probe = ovz_probe,
};
