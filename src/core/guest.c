/* A VPS as this host sees it: loading, locking, and what its hypervisor, network and first boot are told. */
#include "core/inner.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_WAIT_S = 90, DNS_MAX = 4, ID_RANGE = 65536 };

static bool is_busy(const struct host *host, int64_t veid)
{
	for (size_t i = 0; i < host->busy_count; i++)
		if (host->busy[i] == veid)
			return true;
	return false;
}

static int lock_veid(struct host *host, int64_t veid, struct error *err)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LOCK_WAIT_S;
	pthread_mutex_lock(&host->lock);
	int rc = 0;
	while (rc == 0 && is_busy(host, veid))
		rc = pthread_cond_timedwait(&host->changed, &host->lock, &until);
	if (rc == 0) {
		if (host->busy_count == host->busy_capacity) {
			host->busy_capacity = host->busy_capacity ? 2 * host->busy_capacity : 16;
			host->busy = mem_resize(host->busy, host->busy_capacity, sizeof(*host->busy));
		}
		host->busy[host->busy_count++] = veid;
	}
	pthread_mutex_unlock(&host->lock);
	return rc ? err_set(err, ERR_LOCKED, "VPS %lld is busy", (long long)veid) : 0;
}

static void unlock_veid(struct host *host, int64_t veid)
{
	pthread_mutex_lock(&host->lock);
	for (size_t i = 0; i < host->busy_count; i++) {
		if (host->busy[i] != veid)
			continue;
		host->busy[i] = host->busy[--host->busy_count];
		break;
	}
	pthread_cond_broadcast(&host->changed);
	pthread_mutex_unlock(&host->lock);
}

int guest_load(struct host *host, int64_t veid, struct guest *guest, struct error *err)
{
	*guest = (struct guest){ .host = host };
	int rc = db_vps_get(host->db, veid, true, &guest->arena, &guest->vps, err);
	if (rc < 0)
		return rc;
	if (guest->vps.node.id != host->node_id)
		return err_set(err, ERR_NOT_FOUND, "VPS %lld is on another node", (long long)veid);
	text_format(guest->name, sizeof(guest->name), "%s-%lld", host->config.name_prefix, (long long)veid);
	guest->ops = host->ops[guest->vps.type];
	guest->hv = host->hypervisors[guest->vps.type];
	if (guest->hv)
		return 0;
	const struct error *why = &host->hypervisor_errors[guest->vps.type];
	return err_set(err, ERR_UNAVAILABLE, "%s: %s", guest->ops->name, why->message);
}

static int refuse_locked(struct guest *guest, struct error *err)
{
	struct work work;
	int rc = db_work_of_vps(guest->host->db, guest->vps.veid, &guest->arena, &work, err);
	if (rc == -ERR_NOT_FOUND)
		return 0;
	return rc < 0 ? rc : err_set(err, ERR_LOCKED, "work %lld is under way", (long long)work.id);
}

int guest_lock(struct host *host, int64_t veid, bool allow_work, struct guest *guest, struct error *err)
{
	*guest = (struct guest){ .host = host };
	int rc = lock_veid(host, veid, err);
	if (rc < 0)
		return rc;
	rc = guest_load(host, veid, guest, err);
	guest->locked = true;
	guest->vps.veid = veid;
	if (rc == 0 && !allow_work)
		rc = refuse_locked(guest, err);
	if (rc == 0 && !allow_work && guest->vps.state != VPS_ACTIVE)
		rc = err_set(err, ERR_NOT_FOUND, "VPS %lld is %s", (long long)veid, vps_state_name(guest->vps.state));
	return rc;
}

void guest_done(struct guest *guest)
{
	if (guest->locked)
		unlock_veid(guest->host, guest->vps.veid);
	guest->locked = false;
	arena_done(&guest->arena);
}

/* ---- what the others are told ---- */

static const char **name_servers(struct guest *guest)
{
	const char **dns = arena_array(&guest->arena, DNS_MAX + 1, const char *);
	const char *list = guest->host->config.dns;
	for (size_t count = 0; count < DNS_MAX && *list;) {
		size_t len = strcspn(list, ", ");
		if (len)
			dns[count++] = arena_strndup(&guest->arena, list, len);
		list += len + (list[len] != '\0');
	}
	return dns;
}

static struct seed_spec seed_spec(struct guest *guest)
{
	const struct vps *vps = &guest->vps;
	return (struct seed_spec){
		.veid = vps->veid,
		.instance_id = arena_printf(&guest->arena, "%s-%lld", guest->name, (long long)vps->created_s),
		.hostname = vps->hostname,
		.password_hash = vps->password_hash,
		.ssh_keys = vps_preferred_ssh_keys(vps),
		.mac = vps->mac,
		.addresses = vps->addresses,
		.address_count = vps->address_count,
		.dns = name_servers(guest),
	};
}

static struct net_vps net_spec(struct guest *guest)
{
	const struct vps *vps = &guest->vps;
	char *interface = arena_alloc(&guest->arena, 16);
	net_interface_name(guest->host->config.name_prefix, vps->veid, interface);
	return (struct net_vps){
		.veid = vps->veid,
		.interface = interface,
		.mac = vps->mac,
		.addresses = vps->addresses,
		.address_count = vps->address_count,
		.ssh_port = vps->ssh_port == 22 ? 0 : (int)vps->ssh_port,
	};
}

int host_net_all(struct host *host, struct arena *arena, struct net_vps **ret, size_t *ret_count, struct error *err)
{
	struct vps *all;
	size_t count;
	int rc = db_vps_list(host->db, host->node_id, arena, &all, &count, err);
	if (rc < 0)
		return rc;
	struct net_vps *list = arena_array(arena, count, struct net_vps);
	*ret_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct guest guest = { .host = host, .vps = all[i], .arena = *arena };
		if (all[i].state == VPS_ACTIVE || all[i].state == VPS_CREATING)
			list[(*ret_count)++] = net_spec(&guest);
		*arena = guest.arena;
	}
	*ret = list;
	return 0;
}

/* A UUID (RFC 4122 version 8 in form) that is the same each time this VPS is defined. */
static const char *uuid_of(struct guest *guest)
{
	return arena_printf(&guest->arena, "6d6f6100-%04llx-8%03llx-8000-%012llx",
		(unsigned long long)(guest->vps.created_s >> 12 & 0xffff),
		(unsigned long long)(guest->vps.created_s & 0xfff), (unsigned long long)guest->vps.veid);
}

static int guest_spec(struct guest *guest, struct guest_spec *ret, struct error *err)
{
	struct host *host = guest->host;
	const struct vps *vps = &guest->vps;
	struct net_vps net = net_spec(guest);
	*ret = (struct guest_spec){
		.name = guest->name,
		.veid = vps->veid,
		.type = vps->type,
		.uuid = uuid_of(guest),
		.hostname = vps->hostname,
		.ram_bytes = vps->plan.ram_bytes,
		.swap_bytes = vps->plan.swap_bytes,
		.cpu_percent = vps->plan.cpu_percent,
		.process_max = vps->plan.process_max,
		.id_base = host->config.id_base + (uint32_t)(vps->veid - VEID_FIRST) % 30000 * ID_RANGE,
		.bridge = host->config.net.bridge,
		.interface = net.interface,
		.mac = vps->mac,
		.addresses = vps->addresses,
		.address_count = vps->address_count,
	};
	if (host->config.simulated)
		return 0;
	char *disk = arena_alloc(&guest->arena, PATH_SIZE), *seed = arena_alloc(&guest->arena, PATH_SIZE);
	int rc = disk_path(host->pool, vps->veid, disk, PATH_SIZE, err);
	if (rc == 0)
		rc = disk_seed_path(host->pool, vps->veid, seed, PATH_SIZE, err);
	ret->disk_path = disk;
	ret->seed_path = seed;
	ret->rootfs_path = arena_printf(&guest->arena, "%s/%lld", host->config.pool.mount_dir, (long long)vps->veid);
	return rc;
}

/* ---- preparing and forgetting ---- */

static int write_seed_inside(struct guest *guest, const struct seed *seed, struct error *err)
{
	char place[PATH_SIZE];
	int rc = disk_mount(guest->host->pool, guest->vps.veid, place, sizeof(place), err);
	if (rc < 0)
		return rc;
	owned_fd int rootfs = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rootfs < 0)
		return err_errno(err, errno, "open the root file system");
	return seed_write_dir(seed, rootfs, err);
}

static int write_seed(struct guest *guest, struct error *err)
{
	owned_in(seed_done) struct seed seed = { 0 };
	struct seed_spec spec = seed_spec(guest);
	int rc = seed_build(&spec, &seed, err);
	if (rc < 0)
		return rc;
	if (guest->vps.type == VPS_OVZ)
		return write_seed_inside(guest, &seed, err);
	char path[PATH_SIZE];
	rc = disk_seed_path(guest->host->pool, guest->vps.veid, path, sizeof(path), err);
	return rc < 0 ? rc : seed_write_iso(&seed, path, 0600, err);
}

int guest_prepare(struct guest *guest, struct error *err)
{
	struct guest_spec spec;
	int rc = guest_spec(guest, &spec, err);
	if (rc == 0 && !guest->host->config.simulated) {
		struct net_vps net = net_spec(guest);
		rc = net_vps_set(guest->host->net, &net, err);
		if (rc == 0)
			rc = write_seed(guest, err);
	}
	return rc < 0 ? rc : guest->ops->define(guest->hv, &spec, err);
}

int guest_forget(struct guest *guest, struct error *err)
{
	int rc = guest->ops->undefine(guest->hv, guest->name, err);
	if (rc < 0 || guest->host->config.simulated)
		return rc;
	rc = disk_unmount(guest->host->pool, guest->vps.veid, err);
	return rc < 0 ? rc : net_vps_remove(guest->host->net, guest->vps.veid, err);
}
