/* A VPS as this host sees it: loading it and locking it. */
#include "core/inner.h"
#include "base/memory.h"
#include "base/text.h"
#include <time.h>

enum { LOCK_WAIT_S = 90 };

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
	*guest = (struct guest){.host = host};
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
	*guest = (struct guest){.host = host};
	int rc = lock_veid(host, veid, err);
	if (rc < 0)
		return rc;
	rc = guest_load(host, veid, guest, err);
	guest->locked = true;
	guest->vps.veid = veid;
	if (rc == 0 && !allow_work)
		rc = refuse_locked(guest, err);
	if (rc == 0 && !allow_work && guest->vps.state != VPS_ACTIVE)
		rc = err_set(err, ERR_NOT_FOUND, "VPS %lld is %s", (long long)veid,
			vps_state_name(guest->vps.state));
	return rc;
}

void guest_done(struct guest *guest)
{
	if (guest->locked)
		unlock_veid(guest->host, guest->vps.veid);
	guest->locked = false;
	arena_done(&guest->arena);
}
