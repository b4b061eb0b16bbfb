#include "api/admin_common.h"
#include "base/clock.h"
#include "base/log.h"

int admin_find_node(struct call *call, const char *alias, struct node *ret, struct error *err)
{
	if (alias) {
		int rc = db_node_by_alias(call->db, alias, call->arena, ret, err);
		return rc == -ERR_NOT_FOUND ? err_say(err, ERR_NOT_FOUND, "There is no node %s", alias) : rc;
	}
	struct node *nodes;
	size_t count;
	int rc = db_node_list(call->db, call->arena, &nodes, &count, err);
	if (rc < 0)
		return rc;
	if (count != 1)
		return err_say(err, ERR_MISSING, "node is missing: there are %zu nodes", count);
	*ret = nodes[0];
	return 0;
}

int admin_find_vps(struct call *call, int64_t veid, struct vps *ret, struct error *err)
{
	int rc = db_vps_get(call->db, veid, true, call->arena, ret, err);
	return rc == -ERR_NOT_FOUND ? err_say(err, ERR_NOT_FOUND, "There is no VPS %lld", (long long)veid)
				    : rc;
}

const char *admin_state_name(const struct vps *vps)
{
	return vps->state == VPS_ACTIVE && vps->suspended ? "suspended" : vps_state_name(vps->state);
}

void admin_poke(struct call *call, const struct node *node)
{
	struct work_added_args args;
	struct work_added_reply reply;
	struct error err;
	if (call_ask_node(call, node->endpoint, NODE_work_added, &args, &reply, &err) < 0)
		log_warning("node %s will find its work later: %s", node->alias, err.message);
}

int admin_queue(struct call *call, const struct node *node, int64_t veid, const char *kind, const char *title,
	const char *args_json, int64_t *ret_work, struct error *err)
{
	struct work work = {.node_id = node->id,
		.veid = veid,
		.kind = kind,
		.args = args_json,
		.state = WORK_RUNNING,
		.title = title,
		.message = "Waiting",
		.error = "",
		.created_s = clock_unix_s(),
		.updated_s = clock_unix_s()};
	int rc = db_work_add(call->db, &work, ret_work, err);
	if (rc == -ERR_LOCKED)
		return err_say(err, ERR_LOCKED, "VPS %lld has unfinished work: see moactl work list",
			(long long)veid);
	if (rc == 0)
		admin_poke(call, node);
	return rc;
}
