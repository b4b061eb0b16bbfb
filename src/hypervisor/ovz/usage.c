/* What a container uses, from its control groups. Page cache the kernel would drop at once does not count as
 * used. A guest's disk is a loop device whose transfers the kernel books twice, on the loop device and on the
 * disk below it; so where there are loop devices only they count. */
#include "hypervisor/ovz/ovz.h"
#include "base/fd.h"
#include "base/owned.h"
#include "base/text.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TEXT_MAX = 256 << 10, LOOP_MAJOR = 7 };

struct reading {
	const struct cgroup_layout *layout;
	const char *name;
};

/* The text of a file, or NULL. */
static char *read_text(const struct reading *from, enum cgroup_controller controller, const char *file)
{
	char path[CGROUP_PATH_MAX * 2];
	char *text = NULL;
	if (cgroup_path(from->layout, controller, CGROUP_GUESTS, from->name, file, path))
		file_read(path, TEXT_MAX, &text, NULL, NULL);
	return text;
}

static int64_t read_number(const struct reading *from, enum cgroup_controller controller, const char *file)
{
	owned_mem char *text = read_text(from, controller, file);
	return text ? strtoll(text, NULL, 10) : 0;
}

/* The number behind KEY at the start of a line. */
static int64_t keyed(const char *text, const char *key)
{
	size_t len = strlen(key);
	for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, key, len) == 0 && line[len] == ' ')
			return strtoll(line + len, NULL, 10);
	return 0;
}

static int64_t keyed_in(
	const struct reading *from, enum cgroup_controller controller, const char *file, const char *key)
{
	owned_mem char *text = read_text(from, controller, file);
	return text ? keyed(text, key) : 0;
}

static void set_memory(struct guest_usage *usage, int64_t all, int64_t cache)
{
	usage->memory_bytes = all > cache ? all - cache : 0;
}

struct io_sum {
	int64_t read_bytes, write_bytes;
};

/* "7:0 rbytes=1 wbytes=2 ..." (v2) and "7:0 Read 1" (v1). */
static void add_io_line(const char *line, int64_t *read_bytes, int64_t *write_bytes)
{
	unsigned long long read_count = 0, write_count = 0;
	if (sscanf(line, "%*u:%*u rbytes=%llu wbytes=%llu", &read_count, &write_count) < 2 &&
		sscanf(line, "%*u:%*u Read %llu", &read_count) < 1 &&
		sscanf(line, "%*u:%*u Write %llu", &write_count) < 1)
		return;
	*read_bytes += (int64_t)read_count;
	*write_bytes += (int64_t)write_count;
}

static void set_io(struct guest_usage *usage, const char *text)
{
	struct io_sum loops = {0}, others = {0};
	bool has_loop = false;
	for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		bool is_loop = atoi(line) == LOOP_MAJOR;
		struct io_sum *sum = is_loop ? &loops : &others;
		has_loop = has_loop || is_loop;
		add_io_line(line, &sum->read_bytes, &sum->write_bytes);
	}
	usage->disk_read_bytes = has_loop ? loops.read_bytes : others.read_bytes;
	usage->disk_write_bytes = has_loop ? loops.write_bytes : others.write_bytes;
}

/* A guest without swap hits the other of two limits, which newer kernels no longer count; they count what
 * they kill. */
static int64_t failcnt_v1(const struct reading *from)
{
	int64_t hits = read_number(from, CGROUP_MEMORY, "memory.failcnt") +
		       read_number(from, CGROUP_MEMORY, "memory.memsw.failcnt");
	int64_t kills = keyed_in(from, CGROUP_MEMORY, "memory.oom_control", "oom_kill");
	return hits > kills ? hits : kills;
}

static void read_v1(const struct reading *from, struct guest_usage *usage)
{
	owned_mem char *memory = read_text(from, CGROUP_MEMORY, "memory.stat");
	owned_mem char *io = read_text(from, CGROUP_BLKIO, "blkio.throttle.io_service_bytes_recursive");
	set_memory(usage, read_number(from, CGROUP_MEMORY, "memory.usage_in_bytes"),
		memory ? keyed(memory, "total_inactive_file") : 0);
	usage->swap_bytes = memory ? keyed(memory, "total_swap") : 0;
	usage->kernel_memory_bytes = read_number(from, CGROUP_MEMORY, "memory.kmem.usage_in_bytes");
	usage->failcnt = failcnt_v1(from);
	usage->cpu_time_ns = read_number(from, CGROUP_CPUACCT, "cpuacct.usage");
	set_io(usage, io);
}

static void read_v2(const struct reading *from, struct guest_usage *usage)
{
	owned_mem char *memory = read_text(from, CGROUP_MEMORY, "memory.stat");
	owned_mem char *io = read_text(from, CGROUP_BLKIO, "io.stat");
	set_memory(usage, read_number(from, CGROUP_MEMORY, "memory.current"),
		memory ? keyed(memory, "inactive_file") : 0);
	usage->swap_bytes = read_number(from, CGROUP_MEMORY, "memory.swap.current");
	usage->kernel_memory_bytes = memory ? keyed(memory, "kernel") : 0;
	usage->failcnt = keyed_in(from, CGROUP_MEMORY, "memory.events", "max");
	usage->cpu_time_ns = keyed_in(from, CGROUP_CPUACCT, "cpu.stat", "usage_usec") * 1000;
	set_io(usage, io);
}

/* liblxc keeps the log open for as long as the container runs, and appends. */
static void bound_log(const struct hypervisor *hv, const char *name)
{
	char path[OVZ_PATH_MAX];
	struct stat st;
	if (ovz_log_path(hv, name, path, NULL) == 0 && stat(path, &st) == 0 && st.st_size > OVZ_LOG_MAX &&
		truncate(path, 0) < 0)
		unlink(path);
}

int ovz_usage(struct hypervisor *hv, const char *name, struct guest_usage *ret, struct error *err)
{
	struct reading from = {&hv->cgroups, name};
	struct guest_usage usage = {0};
	int rc = ovz_known_check(hv, name, err);
	if (rc < 0)
		return rc;
	if (!watch_monitor(hv->watch, name))
		return err_set(err, ERR_NOT_RUNNING, "container %s does not run", name);
	if (hv->cgroups.unified)
		read_v2(&from, &usage);
	else
		read_v1(&from, &usage);
	usage.process_count = read_number(&from, CGROUP_PIDS, "pids.current");
	bound_log(hv, name);
	*ret = usage;
	return 0;
}
