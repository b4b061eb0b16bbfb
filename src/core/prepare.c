/* What hypervisor, network and first boot are told of a VPS, and when they have to be told again. */
#include "core/inner.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>

enum { DNS_MAX = 4, ID_RANGE = 65536 };

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

int host_net_all(
	struct host *host, struct arena *arena, struct net_vps **ret, size_t *ret_count, struct error *err)
{
	struct vps *all;
	size_t count;
	int rc = db_vps_list(host->db, host->node_id, arena, &all, &count, err);
	if (rc < 0)
		return rc;
	struct net_vps *list = arena_array(arena, count, struct net_vps);
	*ret_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct guest guest = {.host = host, .vps = all[i], .arena = *arena};
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
	ret->rootfs_path =
		arena_printf(&guest->arena, "%s/%lld", host->config.pool.mount_dir, (long long)vps->veid);
	return rc;
}

/* ---- the first boot ---- */

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
	owned_in(seed_done) struct seed seed = {0};
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

/* ---- what was told last ---- */

struct prepared {
	int64_t veid;
	unsigned char fingerprint[PREPARED_SIZE];
};

/* A hash over all that definition, rules and seed are made of. */
static void fingerprint(const struct guest *guest, unsigned char place[PREPARED_SIZE])
{
	const struct vps *vps = &guest->vps;
	const struct plan *plan = &vps->plan;
	owned_in(buffer_done) struct buffer text = BUFFER_INIT(0);
	buffer_addf(&text, "%s|%s|%s|%s|%s|%lld|%lld", vps->hostname, vps->os, vps->mac,
		vps_preferred_ssh_keys(vps), vps->password_hash, (long long)vps->ssh_port,
		(long long)vps->created_s);
	buffer_addf(&text, "|%lld|%lld|%lld|%lld|%lld", (long long)plan->disk_bytes,
		(long long)plan->ram_bytes, (long long)plan->swap_bytes, (long long)plan->cpu_percent,
		(long long)plan->process_max);
	for (size_t i = 0; i < vps->address_count; i++)
		buffer_addf(&text, "|%s/%d %s", vps->addresses[i].address, vps->addresses[i].prefix_len,
			vps->addresses[i].gateway);
	crypto_generichash(place, PREPARED_SIZE, (const unsigned char *)text.data, text.len, NULL, 0);
}

/* With the lock held. */
static struct prepared *find_prepared(struct host *host, int64_t veid)
{
	for (size_t i = 0; i < host->prepared_count; i++)
		if (host->prepared[i].veid == veid)
			return &host->prepared[i];
	return NULL;
}

static void remember_prepared(struct guest *guest)
{
	struct host *host = guest->host;
	pthread_mutex_lock(&host->lock);
	struct prepared *entry = find_prepared(host, guest->vps.veid);
	if (!entry) {
		host->prepared =
			mem_resize(host->prepared, host->prepared_count + 1, sizeof(*host->prepared));
		entry = &host->prepared[host->prepared_count++];
		entry->veid = guest->vps.veid;
	}
	fingerprint(guest, entry->fingerprint);
	pthread_mutex_unlock(&host->lock);
}

static void forget_prepared(struct host *host, int64_t veid)
{
	pthread_mutex_lock(&host->lock);
	struct prepared *entry = find_prepared(host, veid);
	if (entry)
		*entry = host->prepared[--host->prepared_count];
	pthread_mutex_unlock(&host->lock);
}

bool guest_is_prepared(struct guest *guest)
{
	struct host *host = guest->host;
	unsigned char now[PREPARED_SIZE];
	fingerprint(guest, now);
	pthread_mutex_lock(&host->lock);
	struct prepared *entry = find_prepared(host, guest->vps.veid);
	bool same = entry && memcmp(entry->fingerprint, now, PREPARED_SIZE) == 0;
	pthread_mutex_unlock(&host->lock);
	return same;
}

/* ---- preparing and forgetting ---- */

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
	if (rc == 0)
		rc = guest->ops->define(guest->hv, &spec, err);
	if (rc == 0)
		remember_prepared(guest);
	return rc;
}

int guest_forget(struct guest *guest, struct error *err)
{
	forget_prepared(guest->host, guest->vps.veid);
	int rc = guest->ops->undefine(guest->hv, guest->name, err);
	if (rc < 0 || guest->host->config.simulated)
		return rc;
	rc = disk_unmount(guest->host->pool, guest->vps.veid, err);
	return rc < 0 ? rc : net_vps_remove(guest->host->net, guest->vps.veid, err);
}
