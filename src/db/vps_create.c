/* Making a VPS: numbers, address, port, key and first work, all or nothing. The veid is taken first, which
 * also makes creates of all processes queue up behind each other. */
#include "base/text.h"
#include "db/addresses.h"
#include "db/query.h"
#include "db/ranges.h"
#include "db/work_add.h"
#include "model/month.h"

enum { SSH_PORT = 22 };

struct creation {
	const struct vps_create *create;
	int64_t veid, ssh_port, work_id;
};

static int take_veid(struct connection *connection, int64_t *ret, struct error *err)
{
	int rc = query_number(connection,
		"UPDATE sequence SET value = value + 1 WHERE name = 'veid' RETURNING value", BIND_NONE, ret,
		err);
	if (rc == 0 && *ret > VEID_MAX)
		return err_say(err, ERR_CAPACITY, "no VPS number is left");
	return rc;
}

static int take_port(
	struct connection *connection, const struct vps_create *create, int64_t *ret, struct error *err)
{
	*ret = SSH_PORT;
	if (!create->forward_ssh)
		return 0;
	struct number_owner owner = {.kind = "port", .id = create->node_id};
	int rc = ranges_take_lowest(connection, &owner, ret, err);
	if (rc == -ERR_NOT_FOUND)
		return err_say(err, ERR_CAPACITY, "no free SSH port on the node");
	return rc;
}

static int insert_vps(struct connection *connection, const struct creation *creation, struct error *err)
{
	const struct vps_create *create = creation->create;
	char mac[18];
	unsigned veid = (unsigned)creation->veid;
	text_format(mac, sizeof(mac), "02:00:%02x:%02x:%02x:%02x", veid >> 24, veid >> 16 & 0xff,
		veid >> 8 & 0xff, veid & 0xff);
	int rc = query_exec(connection,
		"INSERT INTO vps (veid, account_id, node_id, plan_id, type, state, hostname, os, mac,"
		" ssh_port, wanted_running, data_next_reset_s, created_s, ssh_keys, password_hash, key_hash,"
		" suspended, suspension_count, abuse_points, data_counter_bytes, purge_at_s) VALUES"
		" ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0, 0, 0, 0, 0)",
		BIND(AS_INT(creation->veid), AS_INT(create->account_id), AS_INT(create->node_id),
			AS_INT(create->plan_id), AS_TEXT(vps_type_name(create->type)),
			AS_TEXT(vps_state_name(VPS_CREATING)), AS_TEXT(create->hostname), AS_TEXT(create->os),
			AS_TEXT(mac), AS_INT(creation->ssh_port), AS_INT(create->wanted_running),
			AS_INT(month_next_s(create->now_s, month_day(create->now_s))), AS_INT(create->now_s),
			AS_TEXT(create->ssh_keys ? create->ssh_keys : ""),
			AS_TEXT(create->password_hash ? create->password_hash : ""),
			AS_BLOB(create->key_hash, sizeof(create->key_hash))),
		err);
	if (rc == -ERR_NOT_FOUND)
		return err_say(err, ERR_NOT_FOUND, "no such account, node or plan");
	return rc < 0 ? rc : 0;
}

static int add_first_work(struct connection *connection, struct creation *creation, struct error *err)
{
	const struct vps_create *create = creation->create;
	char title[96];
	text_format(title, sizeof(title), "VPS Setup: %.63s", create->os);
	struct work work = {.node_id = create->node_id,
		.veid = creation->veid,
		.kind = "vps_create",
		.args = create->work_args,
		.state = WORK_RUNNING,
		.title = title,
		.message = "Waiting to start",
		.created_s = create->now_s,
		.updated_s = create->now_s};
	return work_add(connection, &work, &creation->work_id, err);
}

static int create_vps(struct connection *connection, void *context, struct error *err)
{
	struct creation *creation = context;
	int rc = take_veid(connection, &creation->veid, err);
	if (rc == 0)
		rc = take_port(connection, creation->create, &creation->ssh_port, err);
	if (rc == 0)
		rc = insert_vps(connection, creation, err);
	if (rc == 0)
		rc = address_assign(connection, creation->veid, creation->create->node_id, err);
	return rc < 0 ? rc : add_first_work(connection, creation, err);
}

int db_vps_create(struct db *db, const struct vps_create *create, int64_t *ret_veid, int64_t *ret_work_id,
	struct error *err)
{
	struct creation creation = {.create = create};
	int rc = db_transact(db, create_vps, &creation, err);
	if (rc < 0)
		return rc;
	*ret_veid = creation.veid;
	*ret_work_id = creation.work_id;
	return 0;
}
