/* Start, stop, restart, kill. */
#include "core/inner.h"
#include "base/log.h"

int guest_is_running(struct guest *guest, bool *ret, struct error *err)
{
	enum guest_state state;
	int rc = guest->ops->state(guest->hv, guest->name, &state, err);
	if (rc == 0)
		*ret = state != GUEST_STOPPED;
	return rc;
}

static int mount_disk(struct guest *guest, struct error *err)
{
	char place[PATH_SIZE];
	if (guest->vps.type != VPS_OVZ || guest->host->config.simulated)
		return 0;
	return disk_mount(guest->host->pool, guest->vps.veid, place, sizeof(place), err);
}

int guest_start(struct guest *guest, struct error *err)
{
	bool running = false;
	int rc = guest_is_running(guest, &running, err);
	if (rc < 0 && rc != -ERR_NOT_FOUND)
		return rc;
	if (running)
		return 0;
	/* Telling libvirt what it knows costs as much as starting: only what changed is told again. */
	bool known = guest_is_prepared(guest);
	rc = known ? mount_disk(guest, err) : guest_prepare(guest, err);
	if (rc == 0)
		rc = guest->ops->start(guest->hv, guest->name, err);
	if (rc == -ERR_NOT_FOUND && known) {
		rc = guest_prepare(guest, err);
		if (rc == 0)
			rc = guest->ops->start(guest->hv, guest->name, err);
	}
	/* A container that did not start leaves no mount behind. */
	if (rc < 0)
		guest_release_disk(guest, NULL);
	return rc;
}

int guest_release_disk(struct guest *guest, struct error *err)
{
	if (guest->vps.type != VPS_OVZ || guest->host->config.simulated)
		return 0;
	return disk_unmount(guest->host->pool, guest->vps.veid, err);
}

int guest_kill(struct guest *guest, struct error *err)
{
	int rc = guest->ops->kill(guest->hv, guest->name, err);
	if (rc < 0 && rc != -ERR_NOT_FOUND)
		return rc;
	return guest_release_disk(guest, err);
}

int guest_stop(struct guest *guest, struct error *err)
{
	int rc = guest->ops->stop(guest->hv, guest->name, guest->host->config.stop_timeout_ms, err);
	if (rc == -ERR_TIMEOUT) {
		log_info("VPS %lld did not shut down in time: killing it", (long long)guest->vps.veid);
		return guest_kill(guest, err);
	}
	if (rc < 0 && rc != -ERR_NOT_FOUND)
		return rc;
	return guest_release_disk(guest, err);
}

/* ---- by number ---- */

static int want_running(struct guest *guest, bool wanted, struct error *err)
{
	if (guest->vps.wanted_running == wanted)
		return 0;
	return db_vps_set_wanted_running(guest->host->db, guest->vps.veid, wanted, err);
}

static int lock_runnable(struct host *host, int64_t veid, struct guest *guest, struct error *err)
{
	int rc = guest_lock(host, veid, false, guest, err);
	if (rc == 0 && guest->vps.suspended)
		rc = err_set(err, ERR_SUSPENDED, "VPS %lld is suspended", (long long)veid);
	return rc;
}

int host_start(struct host *host, int64_t veid, struct error *err)
{
	owned_in(guest_done) struct guest guest;
	int rc = lock_runnable(host, veid, &guest, err);
	if (rc == 0)
		rc = guest_start(&guest, err);
	return rc < 0 ? rc : want_running(&guest, true, err);
}

int host_stop(struct host *host, int64_t veid, struct error *err)
{
	owned_in(guest_done) struct guest guest;
	int rc = guest_lock(host, veid, false, &guest, err);
	if (rc == 0)
		rc = guest_stop(&guest, err);
	return rc < 0 ? rc : want_running(&guest, false, err);
}

int host_restart(struct host *host, int64_t veid, struct error *err)
{
	owned_in(guest_done) struct guest guest;
	int rc = lock_runnable(host, veid, &guest, err);
	if (rc == 0)
		rc = guest_stop(&guest, err);
	if (rc == 0)
		rc = guest_start(&guest, err);
	return rc < 0 ? rc : want_running(&guest, true, err);
}

int host_kill(struct host *host, int64_t veid, struct error *err)
{
	owned_in(guest_done) struct guest guest;
	int rc = guest_lock(host, veid, false, &guest, err);
	if (rc == 0)
		rc = guest_kill(&guest, err);
	return rc < 0 ? rc : want_running(&guest, false, err);
}

int host_state(struct host *host, int64_t veid, enum guest_state *ret, struct error *err)
{
	owned_in(guest_done) struct guest guest;
	int rc = guest_load(host, veid, &guest, err);
	if (rc == 0)
		rc = guest.ops->state(guest.hv, guest.name, ret, err);
	if (rc != -ERR_NOT_FOUND)
		return rc;
	*ret = GUEST_STOPPED;
	return 0;
}
