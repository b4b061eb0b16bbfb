/* Opening and closing a node. */
#include "core/inner.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include <string.h>

static const struct work_kind *const kinds[] = {&work_vps_create, &work_vps_delete, &work_vps_undelete,
	&work_template_build, &work_template_import, &work_template_remove, NULL};

/* On a thread of the hypervisor: only notes it down. */
static void guest_changed(void *context, const char *name, enum guest_state state)
{
	if (state == GUEST_STOPPED)
		keeper_guest_stopped(context, name);
}

static int open_hypervisor(struct host *host, enum vps_type type, struct error *err)
{
	owned_mem char *state_dir = mem_printf("%s/node/%s", host->config.state_dir, vps_type_name(type));
	owned_mem char *run_dir = mem_printf("%s/%s", host->config.run_dir, vps_type_name(type));
	owned_mem char *prefix = mem_printf("%s-", host->config.name_prefix);
	int rc = dir_make(state_dir, 0700, err);
	if (rc == 0)
		rc = dir_make(run_dir, 0711, err);
	if (rc < 0)
		return rc;
	struct hypervisor_config config = {.state_dir = state_dir,
		.run_dir = run_dir,
		.name_prefix = prefix,
		.libvirt_uri = host->config.libvirt_uri,
		.helper_path = host->config.container_helper,
		.allow_kvm = host->config.accelerate,
		.event = guest_changed,
		.event_context = host};
	return host->ops[type]->open(&config, &host->hypervisors[type], err);
}

/* A host that cannot run one type still runs the other; calls on the missing one say why. */
static void open_hypervisors(struct host *host)
{
	host->ops[VPS_KVM] = host->config.simulated ? &hypervisor_sim : &hypervisor_kvm;
	host->ops[VPS_OVZ] = host->config.simulated ? &hypervisor_sim : &hypervisor_ovz;
	for (int type = 0; type < HYPERVISOR_COUNT; type++) {
		struct error *err = &host->hypervisor_errors[type];
		if (open_hypervisor(host, (enum vps_type)type, err) < 0)
			log_error("no %s guests: %s", vps_type_name((enum vps_type)type), err->message);
	}
}

static int open_network(struct host *host, struct error *err)
{
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct net_vps *all;
	size_t count;
	int rc = host_net_all(host, &arena, &all, &count, err);
	return rc < 0 ? rc : net_open(&host->config.net, all, count, &host->net, err);
}

/* Whether the machine was started anew since this was last asked. */
static bool is_new_boot(const struct host *host)
{
	owned_mem char *path = mem_printf("%s/node/boot_id", host->config.state_dir);
	owned_mem char *now = NULL, *before = NULL;
	if (file_read("/proc/sys/kernel/random/boot_id", 64, &now, NULL, NULL) < 0)
		return false;
	bool same = file_read(path, 64, &before, NULL, NULL) == 0 && text_equal(before, now);
	if (!same)
		file_write_atomic(path, now, strlen(now), 0600, NULL);
	return !same;
}

/* Starts what ran before the machine went down. */
static void start_wanted(struct host *host)
{
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct error err;
	struct vps *all;
	size_t count;
	if (db_vps_list(host->db, host->node_id, &arena, &all, &count, &err) < 0) {
		log_error("after a reboot: %s", err.message);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (all[i].state != VPS_ACTIVE || !all[i].wanted_running || all[i].suspended)
			continue;
		if (host_start(host, all[i].veid, &err) < 0)
			log_error("VPS %lld does not start: %s", (long long)all[i].veid, err.message);
	}
}

static void found_guest(void *context, const char *name, enum guest_state state)
{
	if (state == GUEST_STOPPED)
		keeper_guest_stopped(context, name);
}

/* Containers that stopped while no node ran still have their disks mounted. */
static void note_stopped(struct host *host)
{
	struct error err;
	struct hypervisor *hv = host->hypervisors[VPS_OVZ];
	if (hv && !host->config.simulated && host->ops[VPS_OVZ]->list(hv, found_guest, host, &err) < 0)
		log_warning("looking for stopped containers: %s", err.message);
}

static int open_parts(struct host *host, struct error *err)
{
	int rc = host_register(host, err);
	if (rc == 0 && !host->config.simulated)
		rc = pool_open(&host->config.pool, &host->pool, err);
	if (rc == 0 && !host->config.simulated)
		rc = open_network(host, err);
	if (rc == 0)
		rc = host_sync_templates(host, err);
	if (rc < 0)
		return rc;
	open_hypervisors(host);
	rc = keeper_start(host, err);
	if (rc < 0)
		return rc;
	if (is_new_boot(host))
		start_wanted(host);
	note_stopped(host);
	struct work_runner_config runner = {.db = host->db,
		.node_id = host->node_id,
		.kinds = kinds,
		.threads = host->config.work_threads,
		.owner = host};
	return work_runner_start(&runner, &host->runner, err);
}

int host_open(const struct host_config *config, struct db *db, struct host **ret, struct error *err)
{
	owned(host_close) struct host *host = mem_new(struct host);
	host->config = *config;
	host->db = db;
	pthread_mutex_init(&host->lock, NULL);
	pthread_cond_init(&host->changed, NULL);
	owned_mem char *state_dir = mem_printf("%s/node", config->state_dir);
	int rc = dir_make(state_dir, 0711, err);
	if (rc == 0)
		rc = open_parts(host, err);
	if (rc < 0)
		return rc;
	*ret = take(host);
	return 0;
}

void host_close(struct host *host)
{
	if (host->runner)
		work_runner_stop(host->runner);
	keeper_stop(host);
	for (int type = 0; type < HYPERVISOR_COUNT; type++)
		if (host->hypervisors[type])
			host->ops[type]->close(host->hypervisors[type]);
	if (host->net)
		net_close(host->net);
	if (host->pool)
		pool_close(host->pool);
	free(host->busy);
	free(host->stopped);
	free(host->prepared);
	pthread_cond_destroy(&host->changed);
	pthread_mutex_destroy(&host->lock);
	free(host);
}

void host_poke(struct host *host)
{
	work_runner_poke(host->runner);
}
