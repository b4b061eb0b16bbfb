/* VPSs: reading them, their settings, and their end. Making one is vps_create.c's. */
#include "db/addresses.h"
#include "db/ranges.h"
#include "db/vps_read.h"

static int no_vps(int64_t veid, struct error *err)
{
	return err_say(err, ERR_NOT_FOUND, "no VPS %lld", (long long)veid);
}

int db_vps_get(struct db *db, int64_t veid, bool include_deleted, struct arena *arena, struct vps *ret,
	struct error *err)
{
	owned_in(query_done) struct query query = QUERY_INIT;
	int rc = db_query(&query, db,
		VPS_SELECT "WHERE v.veid = $1 AND (v.state <> 'deleted' OR $2 <> 0)" VPS_ORDER,
		BIND(AS_INT(veid), AS_INT(include_deleted)), err);
	if (rc >= 0)
		rc = vps_read_one(&query, arena, ret, err);
	if (rc == 0)
		return no_vps(veid, err);
	return rc < 0 ? rc : 0;
}

int db_vps_list(struct db *db, int64_t node_id, struct arena *arena, struct vps **ret, size_t *ret_count,
	struct error *err)
{
	owned_in(query_done) struct query query = QUERY_INIT;
	int rc = node_id ? db_query(&query, db, VPS_SELECT "WHERE v.node_id = $1" VPS_ORDER,
				   BIND(AS_INT(node_id)), err)
			 : db_query(&query, db, VPS_SELECT VPS_ORDER, BIND_NONE, err);
	return rc < 0 ? rc : vps_read_all(&query, arena, ret, ret_count, err);
}

/* An UPDATE of the one VPS in $1. */
static int update_vps(
	struct db *db, const char *sql, const struct value *values, size_t count, struct error *err)
{
	int rc = db_exec(db, sql, values, count, err);
	if (rc == 0)
		return no_vps(values[0].number, err);
	return rc < 0 ? rc : 0;
}

int db_vps_set_hostname(struct db *db, int64_t veid, const char *hostname, struct error *err)
{
	return update_vps(db, "UPDATE vps SET hostname = $2 WHERE veid = $1",
		BIND(AS_INT(veid), AS_TEXT(hostname)), err);
}

int db_vps_set_ssh_keys(struct db *db, int64_t veid, const char *keys, struct error *err)
{
	return update_vps(
		db, "UPDATE vps SET ssh_keys = $2 WHERE veid = $1", BIND(AS_INT(veid), AS_TEXT(keys)), err);
}

int db_vps_set_wanted_running(struct db *db, int64_t veid, bool wanted, struct error *err)
{
	return update_vps(db, "UPDATE vps SET wanted_running = $2 WHERE veid = $1",
		BIND(AS_INT(veid), AS_INT(wanted)), err);
}

int db_vps_set_suspended(struct db *db, int64_t veid, bool suspended, struct error *err)
{
	return update_vps(db,
		"UPDATE vps SET suspended = $2, suspension_count = suspension_count"
		" + CASE WHEN $2 > suspended THEN 1 ELSE 0 END WHERE veid = $1",
		BIND(AS_INT(veid), AS_INT(suspended)), err);
}

int db_vps_set_state(struct db *db, int64_t veid, enum vps_state state, int64_t purge_at_s, struct error *err)
{
	return update_vps(db, "UPDATE vps SET state = $2, purge_at_s = $3 WHERE veid = $1",
		BIND(AS_INT(veid), AS_TEXT(vps_state_name(state)), AS_INT(purge_at_s)), err);
}

int db_vps_clear_password_hash(struct db *db, int64_t veid, struct error *err)
{
	return update_vps(db, "UPDATE vps SET password_hash = '' WHERE veid = $1", BIND(AS_INT(veid)), err);
}

/* Where the port goes back to, and whether VEID may be purged at all. */
struct purge {
	int64_t veid, node_id, ssh_port;
	bool is_in_range; /* of the node's ports, which may have changed since it was taken */
};

static int read_purge(struct connection *connection, struct purge *purge, struct error *err)
{
	owned_in(query_done) struct query query = QUERY_INIT;
	int rc = query_start(&query, connection,
		"SELECT CASE WHEN v.state IN ('deleted', 'failed') THEN 1 ELSE 0 END, v.node_id, v.ssh_port,"
		" CASE WHEN v.ssh_port BETWEEN n.port_first AND n.port_last THEN 1 ELSE 0 END"
		" FROM vps v JOIN node n ON n.id = v.node_id WHERE v.veid = $1",
		BIND(AS_INT(purge->veid)), err);
	if (rc >= 0)
		rc = query_next(&query, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return no_vps(purge->veid, err);
	if (!query_bool(&query))
		return err_say(err, ERR_EXISTS, "VPS %lld is not deleted", (long long)purge->veid);
	purge->node_id = query_int(&query);
	purge->ssh_port = query_int(&query);
	purge->is_in_range = query_bool(&query);
	return 0;
}

static int remove_rows(struct connection *connection, int64_t veid, struct error *err)
{
	int rc = query_exec(connection, "DELETE FROM api_key WHERE veid = $1", BIND(AS_INT(veid)), err);
	if (rc >= 0)
		rc = query_exec(connection, "DELETE FROM points WHERE veid = $1", BIND(AS_INT(veid)), err);
	if (rc >= 0)
		rc = query_exec(connection, "DELETE FROM vps WHERE veid = $1", BIND(AS_INT(veid)), err);
	return rc < 0 ? rc : 0;
}

static int purge_vps(struct connection *connection, void *context, struct error *err)
{
	struct purge *purge = context;
	int rc = connection_lock_numbers(connection, err);
	if (rc == 0)
		rc = read_purge(connection, purge, err);
	if (rc == 0)
		rc = addresses_release(connection, purge->veid, err);
	if (rc == 0 && purge->is_in_range)
		rc = ranges_give_back(
			connection, &(struct number_owner){"port", purge->node_id}, purge->ssh_port, err);
	return rc < 0 ? rc : remove_rows(connection, purge->veid, err);
}

int db_vps_purge(struct db *db, int64_t veid, struct error *err)
{
	struct purge purge = {.veid = veid};
	return db_transact(db, purge_vps, &purge, err);
}

static void veid_read(struct query *query, struct arena *arena, void *place)
{
	(void)arena;
	*(int64_t *)place = query_int(query);
}

int db_vps_due_for_purge(struct db *db, int64_t node_id, int64_t now_s, struct arena *arena, int64_t **ret,
	size_t *ret_count, struct error *err)
{
	static const struct row_reader reader = {sizeof(int64_t), veid_read};
	return db_all(db,
		"SELECT veid FROM vps WHERE node_id = $1 AND state = 'deleted' AND purge_at_s <= $2"
		" ORDER BY purge_at_s, veid",
		BIND(AS_INT(node_id), AS_INT(now_s)), &reader, arena, (void **)ret, ret_count, err);
}
