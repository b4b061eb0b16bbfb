#include "hypervisor/ovz/cgroup.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/owned.h"
#include "base/text.h"
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILE_MAX = 256 << 10, WALK_FDS = 16, REMOVE_ROUNDS = 40, REMOVE_PAUSE_US = 5000 };

static const char *const controller_names[CGROUP_COUNT] = {
	[CGROUP_MEMORY] = "memory",
	[CGROUP_CPU] = "cpu",
	[CGROUP_CPUACCT] = "cpuacct",
	[CGROUP_PIDS] = "pids",
	[CGROUP_DEVICES] = "devices",
	[CGROUP_FREEZER] = "freezer",
	[CGROUP_BLKIO] = "blkio",
};

const char *cgroup_controller_name(enum cgroup_controller controller)
{
	return controller_names[controller];
}

/* Whether WORD is one of LIST's words, which any of SEPARATORS divides. */
static bool list_has(const char *list, const char *separators, const char *word)
{
	size_t word_len = strlen(word);
	while (*list) {
		size_t len = strcspn(list, separators);
		if (len == word_len && strncmp(list, word, len) == 0)
			return true;
		list += len + (list[len] != '\0');
	}
	return false;
}

struct mount_line {
	char path[CGROUP_PATH_MAX], type[16], options[512];
};

/* Reads the line at TEXT; false when it is not one of ours. */
static bool read_mount(const char *text, struct mount_line *line)
{
	if (sscanf(text, "%*s %255s %15s %511s", line->path, line->type, line->options) != 3)
		return false;
	return text_starts(line->type, "cgroup") && !strchr(line->path, '\\');
}

/* The mount of CONTROLLER, or of v2 when that is "". */
static bool find_mount(const char *mounts, const char *controller, char place[CGROUP_PATH_MAX])
{
	struct mount_line line;
	for (const char *text = mounts; text; text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL) {
		if (!read_mount(text, &line))
			continue;
		bool is_v2 = text_equal(line.type, "cgroup2");
		if (controller[0] ? !is_v2 && list_has(line.options, ",", controller) : is_v2)
			return text_copy(place, CGROUP_PATH_MAX, line.path);
	}
	return false;
}

/* One line of /proc/1/cgroup ("4:memory:/init.scope"). liblxc starts below the group of the host's first
 * process too. */
struct group_line {
	char controllers[128], path[CGROUP_PATH_MAX];
};

static bool read_group(const char *text, struct group_line *line)
{
	static const char pruned[] = "/init.scope";
	const char *controllers = strchr(text, ':');
	const char *path = controllers ? strchr(controllers + 1, ':') : NULL;
	if (!path)
		return false;
	size_t len = (size_t)(path - controllers - 1), path_len = strcspn(path + 1, "\n");
	if (len >= sizeof(line->controllers) || path_len >= sizeof(line->path))
		return false;
	memcpy(line->controllers, controllers + 1, len);
	line->controllers[len] = '\0';
	memcpy(line->path, path + 1, path_len);
	line->path[path_len] = '\0';
	if (text_ends(line->path, pruned))
		line->path[path_len - strlen(pruned)] = '\0';
	if (text_equal(line->path, "/"))
		line->path[0] = '\0';
	return true;
}

static void take_v1(struct cgroup_layout *layout, const struct group_line *line, const char *dir)
{
	for (int i = 0; i < CGROUP_COUNT; i++) {
		if (!list_has(line->controllers, ",", controller_names[i]))
			continue;
		layout->has[i] = true;
		text_copy(layout->dir[i], CGROUP_PATH_MAX, dir);
	}
}

static int take_v2(struct cgroup_layout *layout, const char *dir, const char *root, struct error *err)
{
	char path[CGROUP_PATH_MAX * 2];
	owned_mem char *controllers = NULL;
	if (!text_format(path, sizeof(path), "%s%s/cgroup.controllers", root, dir))
		return err_set(err, ERR_UNSUPPORTED, "control groups: path too long");
	if (file_read(path, FILE_MAX, &controllers, NULL, NULL) < 0 ||
		!list_has(controllers, " \n", "memory"))
		return 0;
	layout->unified = true;
	for (int i = 0; i < CGROUP_COUNT; i++) {
		const char *name = i == CGROUP_BLKIO ? "io" : controller_names[i];
		bool is_built_in = i == CGROUP_CPUACCT || i == CGROUP_DEVICES || i == CGROUP_FREEZER;
		layout->has[i] = is_built_in || list_has(controllers, " \n", name);
		text_copy(layout->dir[i], CGROUP_PATH_MAX, dir);
	}
	return 0;
}

static int take_group(struct cgroup_layout *layout, const char *mounts, const char *root, const char *text,
	struct error *err)
{
	struct group_line line;
	char mount[CGROUP_PATH_MAX], dir[CGROUP_PATH_MAX], first[128];
	if (!read_group(text, &line))
		return 0;
	text_copy(first, sizeof(first), line.controllers);
	first[strcspn(first, ",")] = '\0';
	if (!find_mount(mounts, first, mount))
		return 0;
	if (!text_format(dir, sizeof(dir), "%s%s", mount, line.path))
		return err_set(err, ERR_UNSUPPORTED, "control groups: path too long");
	if (layout->tree_count < CGROUP_TREES_MAX)
		text_copy(layout->trees[layout->tree_count++], CGROUP_PATH_MAX, dir);
	if (!line.controllers[0])
		return take_v2(layout, dir, root, err);
	take_v1(layout, &line, dir);
	return 0;
}

static bool find_swap(const struct cgroup_layout *layout, const char *root)
{
	char path[CGROUP_PATH_MAX * 2];
	if (layout->unified)
		text_format(path, sizeof(path), "%s/proc/swaps", root);
	else
		text_format(path, sizeof(path), "%s%s/memory.memsw.limit_in_bytes", root,
			layout->dir[CGROUP_MEMORY]);
	return access(path, F_OK) == 0;
}

int cgroup_layout_parse(const char *mounts, const char *groups, const char *root, struct cgroup_layout *ret,
	struct error *err)
{
	owned_mem struct cgroup_layout *layout = mem_new(struct cgroup_layout);
	for (const char *text = groups; text; text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL) {
		int rc = take_group(layout, mounts, root, text, err);
		if (rc < 0)
			return rc;
	}
	if (!layout->has[CGROUP_MEMORY])
		return err_say(err, ERR_UNSUPPORTED, "no memory control groups are mounted");
	layout->has_swap = find_swap(layout, root);
	*ret = *layout;
	return 0;
}

int cgroup_layout_read(struct cgroup_layout *ret, struct error *err)
{
	owned_mem char *mounts = NULL, *groups = NULL;
	int rc = file_read("/proc/self/mounts", 16 << 20, &mounts, NULL, err);
	if (rc >= 0)
		rc = file_read("/proc/1/cgroup", FILE_MAX, &groups, NULL, err);
	return rc < 0 ? rc : cgroup_layout_parse(mounts, groups, "", ret, err);
}

bool cgroup_path(const struct cgroup_layout *layout, enum cgroup_controller controller, const char *folder,
	const char *name, const char *file, char place[CGROUP_PATH_MAX * 2])
{
	return layout->has[controller] && text_format(place, CGROUP_PATH_MAX * 2, "%s/%s/%s/%s",
						  layout->dir[controller], folder, name, file);
}

/* Reads decimal numbers divided by white space. */
static size_t read_pids(const char *path, pid_t pids[CGROUP_PIDS_MAX])
{
	owned_mem char *text = NULL;
	size_t count = 0;
	if (file_read(path, FILE_MAX, &text, NULL, NULL) < 0)
		return 0;
	for (char *next = text, *end; count < CGROUP_PIDS_MAX; next = end) {
		long pid = strtol(next, &end, 10);
		if (end == next)
			break;
		if (pid > 0)
			pids[count++] = (pid_t)pid;
	}
	return count;
}

static bool is_in_guest(pid_t pid, const char *name)
{
	char path[64], group[CGROUP_PATH_MAX];
	owned_mem char *text = NULL;
	text_format(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	if (!text_format(group, sizeof(group), "/" CGROUP_GUESTS "/%s", name) ||
		file_read(path, FILE_MAX, &text, NULL, NULL) < 0)
		return false;
	size_t len = strlen(group);
	for (const char *found = strstr(text, group); found; found = strstr(found + 1, group))
		if (found[len] == '/' || found[len] == '\n')
			return true;
	return false;
}

pid_t cgroup_init(pid_t monitor, const char *name)
{
	char path[64];
	pid_t pids[CGROUP_PIDS_MAX];
	text_format(path, sizeof(path), "/proc/%d/task/%d/children", (int)monitor, (int)monitor);
	size_t count = read_pids(path, pids);
	for (size_t i = 0; i < count; i++)
		if (is_in_guest(pids[i], name))
			return pids[i];
	return 0;
}

bool cgroup_has_monitor(const struct cgroup_layout *layout, const char *name)
{
	char path[CGROUP_PATH_MAX * 2];
	pid_t pids[CGROUP_PIDS_MAX];
	return cgroup_path(layout, CGROUP_MEMORY, CGROUP_MONITORS, name, "cgroup.procs", path) &&
	       read_pids(path, pids) > 0;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");
	if (!file)
		return;
	fputs(text, file);
	fclose(file);
}

static int thaw_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	char file[CGROUP_PATH_MAX * 4];
	(void)st, (void)walk;
	if (type != FTW_D)
		return 0;
	if (text_format(file, sizeof(file), "%s/freezer.state", path))
		write_file(file, "THAWED");
	if (text_format(file, sizeof(file), "%s/cgroup.freeze", path))
		write_file(file, "0");
	return 0;
}

void cgroup_thaw(const struct cgroup_layout *layout, const char *name)
{
	char path[CGROUP_PATH_MAX * 2];
	if (cgroup_path(layout, CGROUP_FREEZER, CGROUP_GUESTS, name, "", path))
		nftw(path, thaw_one, WALK_FDS, FTW_PHYS | FTW_MOUNT);
}

static int kill_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	char file[CGROUP_PATH_MAX * 4];
	pid_t pids[CGROUP_PIDS_MAX];
	(void)st, (void)walk;
	if (type != FTW_D || !text_format(file, sizeof(file), "%s/cgroup.procs", path))
		return 0;
	size_t count = read_pids(file, pids);
	for (size_t i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st, (void)walk;
	if (type == FTW_DP)
		rmdir(path);
	return 0;
}

/* Processes that were killed need a moment to leave their group. */
static void remove_group(const char *path)
{
	for (int i = 0; i < REMOVE_ROUNDS && access(path, F_OK) == 0; i++) {
		if (i > 0)
			usleep(REMOVE_PAUSE_US);
		nftw(path, kill_one, WALK_FDS, FTW_PHYS | FTW_MOUNT);
		nftw(path, remove_one, WALK_FDS, FTW_PHYS | FTW_MOUNT | FTW_DEPTH);
	}
}

void cgroup_remove(const struct cgroup_layout *layout, const char *name)
{
	static const char *const folders[] = {CGROUP_GUESTS, CGROUP_MONITORS};
	char path[CGROUP_PATH_MAX * 2];
	cgroup_thaw(layout, name);
	for (size_t i = 0; i < layout->tree_count; i++)
		for (size_t k = 0; k < ARRAY_LEN(folders); k++)
			if (text_format(path, sizeof(path), "%s/%s/%s", layout->trees[i], folders[k], name))
				remove_group(path);
}
