/* What `moactl doctor` asks of a node: can this host do the work, and if not, what is to be done. The proof
 * is the smallest guest of each type, really started. */
#include "core/inner.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SAYS_SIZE = 512, CHECKS_MAX = 16, TINY_RAM = 64 << 20, TINY_DISK = 1 << 20, SECTOR = 512 };

struct checkup {
	struct host *host;
	struct arena *arena;
	struct host_check *checks;
	size_t count;
};

static void add_check(struct checkup *checkup, const char *name, bool ok, bool required, const char *says)
{
	if (checkup->count < CHECKS_MAX)
		checkup->checks[checkup->count++] =
			(struct host_check){name, ok, required, arena_strdup(checkup->arena, says)};
}

static void check_pool(struct checkup *checkup)
{
	struct pool_space space;
	struct error err;
	char free_text[24], total_text[24];
	if (pool_space(checkup->host->pool, &space, &err) < 0) {
		add_check(checkup, "pool", false, true, err.message);
		return;
	}
	bool ok = space.free_bytes > space.total_bytes / 20;
	add_check(checkup, "pool", ok, true,
		arena_printf(checkup->arena, "reflinks work; %s of %s free%s",
			text_bytes((uint64_t)space.free_bytes, free_text),
			text_bytes((uint64_t)space.total_bytes, total_text),
			ok ? "" : ": make room, or creating VPSs will be refused"));
}

static void check_probe(struct checkup *checkup, enum vps_type type)
{
	struct host *host = checkup->host;
	char says[SAYS_SIZE];
	if (!host->hypervisors[type]) {
		add_check(checkup, vps_type_name(type), false, true, host->hypervisor_errors[type].message);
		return;
	}
	bool ok = host->ops[type]->probe(host->hypervisors[type], says, sizeof(says), NULL) == 0;
	add_check(checkup, vps_type_name(type), ok, true, says);
}

/* A boot sector that halts: enough to see a machine run. */
static int make_boot_disk(const char *path, struct error *err)
{
	unsigned char disk[SECTOR] = {0xfa, 0xf4, 0xeb, 0xfd};
	disk[SECTOR - 2] = 0x55;
	disk[SECTOR - 1] = 0xaa;
	int rc = file_write_atomic(path, disk, sizeof(disk), 0600, err);
	if (rc == 0 && truncate(path, TINY_DISK) < 0)
		rc = err_set(err, ERR_IO, "no room for a disk of 1 MiB");
	return rc;
}

/* A root file system of one program that waits. */
static int make_tiny_root(struct host *host, const char *path, struct error *err)
{
	static const char *const folders[] = {"dev", "proc", "sys", "sbin", "etc", "tmp", "run"};
	owned_mem char *init = NULL;
	size_t len;
	int rc = file_read(host->config.pause_helper, 8 << 20, &init, &len, err);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(folders); i++) {
		owned_mem char *folder = mem_printf("%s/%s", path, folders[i]);
		rc = dir_make(folder, 0755, err);
	}
	owned_mem char *target = mem_printf("%s/sbin/init", path);
	return rc < 0 ? rc : file_write_atomic(target, init, len, 0755, err);
}

static int start_and_kill(struct host *host, const struct guest_spec *spec, struct error *err)
{
	const struct hypervisor_ops *ops = host->ops[spec->type];
	struct hypervisor *hv = host->hypervisors[spec->type];
	enum guest_state state = GUEST_STOPPED;
	int rc = ops->define(hv, spec, err);
	if (rc == 0)
		rc = ops->start(hv, spec->name, err);
	if (rc == 0)
		rc = ops->state(hv, spec->name, &state, err);
	if (rc == 0 && state == GUEST_STOPPED)
		rc = err_set(err, ERR_IO, "it started and ended at once");
	ops->kill(hv, spec->name, NULL);
	ops->undefine(hv, spec->name, NULL);
	return rc;
}

static void check_guest(struct checkup *checkup, enum vps_type type)
{
	struct host *host = checkup->host;
	if (!host->hypervisors[type])
		return;
	owned_mem char *folder = mem_printf("%s/node/doctor-%s", host->config.state_dir, vps_type_name(type));
	owned_mem char *disk = mem_printf("%s/disk.raw", folder);
	owned_mem char *name = mem_printf("%s-doctor-%s", host->config.name_prefix, vps_type_name(type));
	char interface[16];
	text_format(interface, sizeof(interface), "%sdr%s", host->config.name_prefix, vps_type_name(type));
	struct guest_spec spec = {.name = name,
		.type = type,
		.uuid = type == VPS_KVM ? "6d6f6100-0000-8000-8000-00000000d0c0"
					: "6d6f6100-0000-8000-8000-00000000d0c1",
		.hostname = "doctor",
		.ram_bytes = TINY_RAM,
		.cpu_percent = 100,
		.process_max = 32,
		.disk_path = disk,
		.rootfs_path = folder,
		.id_base = host->config.id_base,
		.bridge = host->config.net.bridge,
		.interface = interface,
		.mac = "02:00:00:00:d0:c0"};
	struct error err;
	const char *check = type == VPS_KVM ? "kvm guest" : "ovz guest";
	int rc = dir_make(folder, 0711, &err);
	if (rc == 0)
		rc = type == VPS_KVM ? make_boot_disk(disk, &err) : make_tiny_root(host, folder, &err);
	if (rc == 0)
		rc = start_and_kill(host, &spec, &err);
	add_check(checkup, check, rc == 0, true, rc == 0 ? "the smallest guest starts" : err.message);
	dir_remove_tree(folder, NULL);
}

void host_check(struct host *host, struct arena *arena, struct host_check **ret, size_t *ret_count)
{
	struct checkup checkup = {.host = host, .arena = arena};
	checkup.checks = arena_array(arena, CHECKS_MAX, struct host_check);
	struct error err;
	bool store_ok = db_ping(host->db, &err) == 0;
	add_check(&checkup, "store", store_ok, true, store_ok ? "answers" : err.message);
	if (host->config.simulated) {
		add_check(&checkup, "hypervisor", true, true, "simulated: guests exist in memory only");
	} else {
		check_pool(&checkup);
		check_probe(&checkup, VPS_KVM);
		check_guest(&checkup, VPS_KVM);
		check_probe(&checkup, VPS_OVZ);
		check_guest(&checkup, VPS_OVZ);
	}
	*ret = checkup.checks;
	*ret_count = checkup.count;
}
