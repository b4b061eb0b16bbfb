/* The store, in model terms; the only SQL. Two drivers, chosen by URL: "sqlite:/path/moa.db" (WAL, STRICT
 * tables) and "postgresql://…" (libpq's URL). Any thread may call: each call borrows a connection of its own.
 * A compound change is one function here and one transaction there. Strings that come out live in the
 * caller's arena. Errors: ERR_NOT_FOUND, ERR_EXISTS (a unique thing is taken; `said` names which),
 * ERR_UNAVAILABLE (store away or busy), ERR_CAPACITY (disk full, no address or port left), ERR_INTERNAL
 * (broken row). */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "base/owned.h"
#include "model/vps.h"
#include "model/work.h"
#include <stdint.h>

struct db;

/* Opens and migrates (append-only migrations, embedded, checksummed, one transaction each). A store newer
 * than the binary or with a changed migration is refused. For SQLite the file is made with mode 0600 in a
 * folder that exists; opened without following a link. When a root process opens a store of another owner,
 * files it makes get that owner. */
int db_open(const char *url, struct db **ret, struct error *err);
/* Loads the driver of this URL, for a process that cannot open its module later. */
int db_prepare(const char *url, struct error *err);
void db_close(struct db *db);
OWNED_DEFINE(struct db, db_close);
/* A cheap round trip; for health checks. */
int db_ping(struct db *db, struct error *err);
/* A secret of this store (32 bytes), made at first use: the key of the key hashes. */
int db_secret(struct db *db, const char *name, unsigned char ret[32], struct error *err);

/* ---- accounts, locations, nodes, plans: small tables an operator edits ---- */

int db_account_add(struct db *db, const char *email, int64_t now_s, int64_t *ret_id, struct error *err);
int db_account_list(
	struct db *db, struct arena *arena, struct account **ret, size_t *ret_count, struct error *err);
int db_account_by_email(
	struct db *db, const char *email, struct arena *arena, struct account *ret, struct error *err);
int db_account_set_ssh_keys(struct db *db, int64_t id, const char *keys, struct error *err);
/* ERR_EXISTS while it owns a VPS that is not purged. */
int db_account_remove(struct db *db, const char *email, struct error *err);

int db_location_set(struct db *db, const struct location *location, struct error *err); /* adds or replaces */
int db_location_list(
	struct db *db, struct arena *arena, struct location **ret, size_t *ret_count, struct error *err);
int db_location_remove(
	struct db *db, const char *id, struct error *err); /* ERR_EXISTS while a node is there */

int db_node_set(struct db *db, const struct node *node, int64_t *ret_id, struct error *err); /* by alias */
int db_node_list(struct db *db, struct arena *arena, struct node **ret, size_t *ret_count, struct error *err);
int db_node_by_alias(
	struct db *db, const char *alias, struct arena *arena, struct node *ret, struct error *err);
int db_node_remove(struct db *db, const char *alias, struct error *err); /* ERR_EXISTS while a VPS is there */

int db_plan_set(struct db *db, const struct plan *plan, int64_t *ret_id, struct error *err); /* by name */
int db_plan_list(struct db *db, struct arena *arena, struct plan **ret, size_t *ret_count, struct error *err);
int db_plan_by_name(
	struct db *db, const char *name, struct arena *arena, struct plan *ret, struct error *err);
int db_plan_remove(struct db *db, const char *name, struct error *err); /* ERR_EXISTS while in use */

/* ---- address pools ---- */

struct address_pool {
	const char *name;
	const char *node_alias;
	const char *cidr;	  /* "10.77.0.0/16": family by form */
	const char *gateway;	  /* never handed out */
	const char *first, *last; /* the range handed out; "" means all but network, gateway and broadcast */
	int64_t used_count, total_count; /* filled by list */
};
int db_pool_set(struct db *db, const struct address_pool *pool,
	struct error *err); /* by name; ERR_INVALID says what is wrong */
int db_pool_list(
	struct db *db, struct arena *arena, struct address_pool **ret, size_t *ret_count, struct error *err);
int db_pool_remove(
	struct db *db, const char *name, struct error *err); /* ERR_EXISTS while an address is in use */

/* ---- templates a node has ---- */

struct template_row {
	const char *name;
	enum vps_type type;
	int64_t node_id;
	int64_t size_bytes, created_s;
};
/* Replaces the list of one node. */
int db_template_replace(
	struct db *db, int64_t node_id, const struct template_row *rows, size_t count, struct error *err);
/* Sorted by name; node_id 0 for all nodes. TYPE may be NULL for both. */
int db_template_list(struct db *db, int64_t node_id, const enum vps_type *type, struct arena *arena,
	struct template_row **ret, size_t *ret_count, struct error *err);

/* ---- VPSs ---- */

struct vps_create {
	int64_t account_id, node_id, plan_id;
	enum vps_type type;
	const char *hostname, *os, *password_hash, *ssh_keys;
	bool wanted_running;
	bool forward_ssh; /* take a free port of the node's range (else ssh_port is 22) */
	unsigned char key_hash[32];
	int64_t now_s;
	const char *work_args; /* JSON of the first work, kind "vps_create" */
};
/* One transaction: the VPS with a fresh veid (VEID_FIRST and up, never used again) and MAC (02:…, from the
 * veid, so unique), the lowest free IPv4 of the node's pools, a port, the key, data_next_reset a month ahead,
 * and the first work. ERR_CAPACITY names what ran out. */
int db_vps_create(struct db *db, const struct vps_create *create, int64_t *ret_veid, int64_t *ret_work_id,
	struct error *err);
/* The VPS with everything joined (account, location, node, plan, addresses). ERR_NOT_FOUND also for deleted
 * and purged ones unless INCLUDE_DELETED. */
int db_vps_get(struct db *db, int64_t veid, bool include_deleted, struct arena *arena, struct vps *ret,
	struct error *err);
/* The hot path: the same for the VPS whose key has this hash, when it is VEID's; ERR_DENIED otherwise. One
 * statement, prepared once a connection, or two. */
int db_vps_by_key(struct db *db, int64_t veid, const unsigned char key_hash[32], struct arena *arena,
	struct vps *ret, struct error *err);
/* All that are not purged, by veid; node_id 0 for all nodes. */
int db_vps_list(struct db *db, int64_t node_id, struct arena *arena, struct vps **ret, size_t *ret_count,
	struct error *err);
int db_vps_set_hostname(struct db *db, int64_t veid, const char *hostname, struct error *err);
int db_vps_set_ssh_keys(struct db *db, int64_t veid, const char *keys, struct error *err);
int db_vps_set_wanted_running(struct db *db, int64_t veid, bool wanted, struct error *err);
int db_vps_set_suspended(
	struct db *db, int64_t veid, bool suspended, struct error *err); /* counts suspensions */
int db_vps_set_state(
	struct db *db, int64_t veid, enum vps_state state, int64_t purge_at_s, struct error *err);
int db_vps_clear_password_hash(struct db *db, int64_t veid, struct error *err);
/* Frees addresses, port, keys and the row of a deleted or failed VPS. The veid is never given again. */
int db_vps_purge(struct db *db, int64_t veid, struct error *err);
/* Deleted VPSs of the node whose purge_at_s has come. */
int db_vps_due_for_purge(struct db *db, int64_t node_id, int64_t now_s, struct arena *arena, int64_t **ret,
	size_t *ret_count, struct error *err);
/* Adds an API key to a VPS; REPLACE ends the ones it had. */
int db_key_add(struct db *db, int64_t veid, const unsigned char key_hash[32], bool replace, int64_t now_s,
	struct error *err);

/* ---- rate limits ---- */

struct points_delta {
	int64_t veid;
	int64_t window_15min_s, window_24h_s; /* the starts of the windows the points belong to */
	int64_t points;			      /* to add; 0 only reads */
};
struct points_used {
	int64_t used_15min, used_24h; /* in those windows, over all api processes, after the add */
};
/* Adds all in one transaction and tells the totals; USED has COUNT places. A stored older window starts again
 * at the new one. */
int db_points_add(struct db *db, const struct points_delta *deltas, size_t count, struct points_used *used,
	struct error *err);

struct guess_delta {
	const char *source; /* an address, at most 45 bytes */
	int64_t window_s;
	int64_t count;
};
/* The same for wrong keys; TOTALS has COUNT places. Rows of windows older than a day are removed on the way.
 */
int db_guesses_add(
	struct db *db, const struct guess_delta *deltas, size_t count, int64_t *totals, struct error *err);

/* ---- work (model/work.h) ---- */

/* ERR_LOCKED when the VPS has unfinished work: enforced by the store, not by looking first. veid 0: work of
 * the node itself. */
int db_work_add(struct db *db, const struct work *work, int64_t *ret_id, struct error *err);
/* The oldest unfinished work of the node whose id is above AFTER_ID; ERR_NOT_FOUND when there is none. */
int db_work_next(struct db *db, int64_t node_id, int64_t after_id, struct arena *arena, struct work *ret,
	struct error *err);
int db_work_get(struct db *db, int64_t id, struct arena *arena, struct work *ret, struct error *err);
/* The VPS's unfinished work: its lock. ERR_NOT_FOUND when it is not locked. */
int db_work_of_vps(struct db *db, int64_t veid, struct arena *arena, struct work *ret, struct error *err);
int db_work_list(struct db *db, bool unfinished_only, int limit, struct arena *arena, struct work **ret,
	size_t *ret_count, struct error *err);
/* Records where it stands; only step, state, percent, message, error and updated_s are written. */
int db_work_update(struct db *db, const struct work *work, struct error *err);
