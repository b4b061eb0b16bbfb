/* The node's own chores, on one thread: unmounting containers that stopped by themselves, and purging what is
 * past its undo window. */
#include "core/inner.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include <malloc.h>
#include <string.h>
#include <time.h>

enum { ROUND_S = 60 };

void keeper_guest_stopped(struct host *host, const char *name)
{
	int64_t veid;
	size_t prefix_len = strlen(host->config.name_prefix);
	if (!text_starts(name, host->config.name_prefix) || name[prefix_len] != '-' ||
		!text_to_int64(name + prefix_len + 1, 1, VEID_MAX, &veid))
		return;
	pthread_mutex_lock(&host->lock);
	if (host->stopped_count == host->stopped_capacity) {
		host->stopped_capacity = host->stopped_capacity ? 2 * host->stopped_capacity : 16;
		host->stopped = mem_resize(host->stopped, host->stopped_capacity, sizeof(*host->stopped));
	}
	host->stopped[host->stopped_count++] = veid;
	pthread_cond_broadcast(&host->changed);
	pthread_mutex_unlock(&host->lock);
}

static void release_stopped(struct host *host, int64_t veid)
{
	struct error err;
	bool running = true;
	owned_in(guest_done) struct guest guest;
	/* Locked by somebody else or in work: whoever has it releases the disk. */
	if (guest_lock(host, veid, false, &guest, &err) < 0 || guest_is_running(&guest, &running, &err) < 0 ||
		running)
		return;
	log_debug("VPS %lld has stopped: its disk is let go", (long long)veid);
	if (guest_release_disk(&guest, &err) < 0)
		log_warning("VPS %lld: %s", (long long)veid, err.message);
}

/* Its owner may have it brought back at the last moment; that work takes the lock for its first step too. */
static bool is_in_work(struct guest *guest)
{
	struct work work;
	return db_work_of_vps(guest->host->db, guest->vps.veid, &guest->arena, &work, NULL) != -ERR_NOT_FOUND;
}

static void purge_one(struct host *host, int64_t veid)
{
	struct error err;
	owned_in(guest_done) struct guest guest;
	if (guest_lock(host, veid, true, &guest, &err) < 0 || guest.vps.state != VPS_DELETED ||
		is_in_work(&guest))
		return;
	int rc = host->config.simulated ? 0 : disk_delete(host->pool, veid, &err);
	if (rc == 0)
		rc = db_vps_purge(host->db, veid, &err);
	if (rc < 0)
		log_warning("purging VPS %lld: %s", (long long)veid, err.message);
	else
		log_info("VPS %lld is purged", (long long)veid);
}

static void purge_due(struct host *host)
{
	struct error err;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	int64_t *due;
	size_t count;
	if (db_vps_due_for_purge(host->db, host->node_id, clock_unix_s(), &arena, &due, &count, &err) < 0) {
		log_warning("looking for what to purge: %s", err.message);
		return;
	}
	for (size_t i = 0; i < count; i++)
		purge_one(host, due[i]);
}

/* Waits for a stopped guest or the next round; with the lock held. */
static void wait_for_chore(struct host *host, int64_t next_round_s)
{
	struct timespec until = {.tv_sec = next_round_s};
	while (!host->closing && !host->stopped_count)
		if (pthread_cond_timedwait(&host->changed, &host->lock, &until) != 0)
			return;
}

static void *keep(void *argument)
{
	struct host *host = argument;
	log_id_set("keeper");
	int64_t next_round_s = clock_unix_s();
	pthread_mutex_lock(&host->lock);
	while (!host->closing) {
		wait_for_chore(host, next_round_s);
		int64_t veid = host->stopped_count ? host->stopped[--host->stopped_count] : 0;
		bool closing = host->closing;
		pthread_mutex_unlock(&host->lock);
		if (veid && !closing)
			release_stopped(host, veid);
		if (!closing && clock_unix_s() >= next_round_s) {
			purge_due(host);
			/* What builds, imports and rule changes took is not needed until the next one. */
			malloc_trim(0);
			next_round_s = clock_unix_s() + ROUND_S;
		}
		pthread_mutex_lock(&host->lock);
	}
	pthread_mutex_unlock(&host->lock);
	return NULL;
}

int keeper_start(struct host *host, struct error *err)
{
	int rc = pthread_create(&host->keeper, NULL, keep, host);
	if (rc)
		return err_errno(err, rc, "start the keeper");
	host->keeper_started = true;
	return 0;
}

void keeper_stop(struct host *host)
{
	pthread_mutex_lock(&host->lock);
	host->closing = true;
	pthread_cond_broadcast(&host->changed);
	pthread_mutex_unlock(&host->lock);
	if (host->keeper_started)
		pthread_join(host->keeper, NULL);
	host->keeper_started = false;
}
