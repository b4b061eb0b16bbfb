/* The works of a VPS's life: create, delete, bring back. Each step may run again after a crash. */
#include "core/inner.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

static struct host *host_of(struct work_context *context)
{
	return context->owner;
}

/* Locks the VPS of the work. */
static int lock_own(struct work_context *context, struct guest *guest, struct error *err)
{
	return guest_lock(host_of(context), context->work.veid, true, guest, err);
}

/* Takes the row away; the store only parts with one that is marked as of no more use. */
static int purge_row(struct host *host, int64_t veid, enum vps_state mark, struct error *err)
{
	int rc = db_vps_set_state(host->db, veid, mark, 0, err);
	if (rc == 0)
		rc = db_vps_purge(host->db, veid, err);
	return rc == -ERR_NOT_FOUND ? 0 : rc;
}

/* A node that comes up in the middle of a work lets the VPS into the network again: the work's last step
 * takes it out. */
static int leave_network(struct host *host, int64_t veid, struct error *err)
{
	return host->config.simulated ? 0 : net_vps_remove(host->net, veid, err);
}

/* ---- create ---- */

static int create_disk(struct work_context *context, struct error *err)
{
	owned_in(guest_done) struct guest guest;
	int rc = lock_own(context, &guest, err);
	if (rc < 0 || host_of(context)->config.simulated)
		return rc;
	return disk_create(host_of(context)->pool, guest.vps.veid, guest.vps.os, guest.vps.type,
		guest.vps.plan.disk_bytes, err);
}

static int create_undo_disk(struct work_context *context, struct error *err)
{
	struct host *host = host_of(context);
	int rc = host->config.simulated ? 0 : disk_delete(host->pool, context->work.veid, err);
	if (rc == 0)
		rc = leave_network(host, context->work.veid, err);
	return rc < 0 ? rc : purge_row(host, context->work.veid, VPS_FAILED, err);
}

static int create_prepare(struct work_context *context, struct error *err)
{
	owned_in(guest_done) struct guest guest;
	int rc = lock_own(context, &guest, err);
	return rc < 0 ? rc : guest_prepare(&guest, err);
}

static int create_undo_prepare(struct work_context *context, struct error *err)
{
	owned_in(guest_done) struct guest guest;
	int rc = lock_own(context, &guest, err);
	if (rc == -ERR_NOT_FOUND)
		return 0;
	if (rc == 0)
		rc = guest_kill(&guest, err);
	if (rc == 0)
		rc = guest_forget(&guest, err);
	/* The row goes with the disk, as the next undo step; nobody sees a half-made VPS meanwhile. */
	return rc < 0 ? rc : db_vps_set_state(guest.host->db, guest.vps.veid, VPS_FAILED, 0, err);
}

static int create_start(struct work_context *context, struct error *err)
{
	owned_in(guest_done) struct guest guest;
	int rc = lock_own(context, &guest, err);
	if (rc < 0 || !guest.vps.wanted_running)
		return rc;
	return guest_start(&guest, err);
}

static int create_finish(struct work_context *context, struct error *err)
{
	struct host *host = host_of(context);
	int rc = db_vps_set_state(host->db, context->work.veid, VPS_ACTIVE, 0, err);
	return rc < 0 ? rc : db_vps_clear_password_hash(host->db, context->work.veid, err);
}

static const struct work_step create_steps[] = {
	{"disk", 10, "Cloning the template", create_disk, create_undo_disk},
	{"prepare", 40, "Preparing network and first boot", create_prepare, create_undo_prepare},
	{"start", 70, "Starting VM", create_start, NULL},
	{"finish", 95, "Finishing", create_finish, NULL},
};
const struct work_kind work_vps_create = {"vps_create", create_steps, ARRAY_LEN(create_steps)};

/* ---- delete ---- */

static int delete_stop(struct work_context *context, struct error *err)
{
	owned_in(guest_done) struct guest guest;
	int rc = lock_own(context, &guest, err);
	if (rc == 0)
		rc = guest_kill(&guest, err);
	return rc < 0 ? rc : guest_forget(&guest, err);
}

static int delete_disk(struct work_context *context, struct error *err)
{
	struct host *host = host_of(context);
	if (host->config.simulated)
		return 0;
	if (json_get_bool(context->args, "now", false))
		return disk_delete(host->pool, context->work.veid, err);
	return disk_trash(host->pool, context->work.veid, context->work.created_s, err);
}

static int delete_record(struct work_context *context, struct error *err)
{
	struct host *host = host_of(context);
	int rc = leave_network(host, context->work.veid, err);
	if (rc < 0)
		return rc;
	if (json_get_bool(context->args, "now", false))
		return purge_row(host, context->work.veid, VPS_DELETED, err);
	rc = db_vps_set_state(
		host->db, context->work.veid, VPS_DELETED, clock_unix_s() + host->config.undo_window_s, err);
	return rc == -ERR_NOT_FOUND ? 0 : rc;
}

static const struct work_step delete_steps[] = {
	{"stop", 10, "Stopping VM", delete_stop, NULL},
	{"disk", 50, "Moving the disk away", delete_disk, NULL},
	{"record", 90, "Finishing", delete_record, NULL},
};
const struct work_kind work_vps_delete = {"vps_delete", delete_steps, ARRAY_LEN(delete_steps)};

/* ---- undelete ---- */

static int undelete_disk(struct work_context *context, struct error *err)
{
	struct host *host = host_of(context);
	owned_in(guest_done) struct guest guest;
	int rc = lock_own(context, &guest, err);
	if (rc < 0 || host->config.simulated)
		return rc;
	rc = disk_untrash(host->pool, context->work.veid, err);
	if (rc != -ERR_NOT_FOUND)
		return rc;
	/* Done before a crash: then the disk is in its place. */
	int64_t used_bytes;
	return disk_used(host->pool, context->work.veid, &used_bytes, err);
}

static int undelete_undo_disk(struct work_context *context, struct error *err)
{
	struct host *host = host_of(context);
	return host->config.simulated
		       ? 0
		       : disk_trash(host->pool, context->work.veid, context->work.created_s, err);
}

static int undelete_record(struct work_context *context, struct error *err)
{
	return db_vps_set_state(host_of(context)->db, context->work.veid, VPS_ACTIVE, 0, err);
}

/* Kept for a whole undo window again, so that there is time to try once more. */
static int undelete_undo_record(struct work_context *context, struct error *err)
{
	struct host *host = host_of(context);
	return db_vps_set_state(
		host->db, context->work.veid, VPS_DELETED, clock_unix_s() + host->config.undo_window_s, err);
}

static const struct work_step undelete_steps[] = {
	{"disk", 10, "Bringing the disk back", undelete_disk, undelete_undo_disk},
	{"prepare", 40, "Preparing network", create_prepare, delete_stop},
	{"record", 60, "Recording", undelete_record, undelete_undo_record},
	{"start", 80, "Starting VM", create_start, NULL},
};
const struct work_kind work_vps_undelete = {"vps_undelete", undelete_steps, ARRAY_LEN(undelete_steps)};
