/* Power, suspension and keys, by the operator; and what the host can do. */
#include "api/admin_common.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

/* Every power message takes a veid and answers nothing. */
static int ask_power(struct call *call, int64_t veid, enum node_message message, struct error *err)
{
	struct vps vps;
	int rc = admin_find_vps(call, veid, &vps, err);
	if (rc < 0)
		return rc;
	struct guest_start_args args = {.veid = veid};
	struct guest_start_reply reply;
	return call_ask_node(call, vps.node.endpoint, message, &args, &reply, err);
}

int admin_vps_start(struct call *call, const struct vps_start_args *args, struct vps_start_reply *reply,
	struct error *err)
{
	(void)reply;
	return ask_power(call, args->veid, NODE_guest_start, err);
}

int admin_vps_stop(
	struct call *call, const struct vps_stop_args *args, struct vps_stop_reply *reply, struct error *err)
{
	(void)reply;
	return ask_power(call, args->veid, NODE_guest_stop, err);
}

int admin_vps_restart(struct call *call, const struct vps_restart_args *args, struct vps_restart_reply *reply,
	struct error *err)
{
	(void)reply;
	return ask_power(call, args->veid, NODE_guest_restart, err);
}

int admin_vps_kill(
	struct call *call, const struct vps_kill_args *args, struct vps_kill_reply *reply, struct error *err)
{
	(void)reply;
	return ask_power(call, args->veid, NODE_guest_kill, err);
}

/* The store first, so that the owner cannot start it again in between; what it wanted stays recorded for the
 * day it is lifted. */
int admin_vps_suspend(struct call *call, const struct vps_suspend_args *args, struct vps_suspend_reply *reply,
	struct error *err)
{
	(void)reply;
	struct vps vps;
	int rc = admin_find_vps(call, args->veid, &vps, err);
	if (rc < 0)
		return rc;
	if (vps.suspended)
		return err_say(err, ERR_EXISTS, "VPS %lld is suspended already", (long long)vps.veid);
	rc = db_vps_set_suspended(call->db, vps.veid, true, err);
	if (rc == 0)
		rc = ask_power(call, vps.veid, NODE_guest_stop, err);
	return rc < 0 ? rc : db_vps_set_wanted_running(call->db, vps.veid, vps.wanted_running, err);
}

int admin_vps_unsuspend(struct call *call, const struct vps_unsuspend_args *args,
	struct vps_unsuspend_reply *reply, struct error *err)
{
	(void)reply;
	struct vps vps;
	int rc = admin_find_vps(call, args->veid, &vps, err);
	if (rc < 0)
		return rc;
	if (!vps.suspended)
		return err_say(err, ERR_EXISTS, "VPS %lld is not suspended", (long long)vps.veid);
	rc = db_vps_set_suspended(call->db, vps.veid, false, err);
	if (rc < 0 || !vps.wanted_running)
		return rc;
	return ask_power(call, vps.veid, NODE_guest_start, err);
}

/* ---- keys ---- */

static const char *give_key(struct call *call, int64_t veid, bool replace, struct error *err)
{
	unsigned char hash[32];
	char *key = arena_alloc(call->arena, KEY_SIZE);
	call_new_key(call, key, hash);
	return db_key_add(call->db, veid, hash, replace, clock_unix_s(), err) < 0 ? NULL : key;
}

int admin_vps_key(
	struct call *call, const struct vps_key_args *args, struct vps_key_reply *reply, struct error *err)
{
	struct vps vps;
	int rc = admin_find_vps(call, args->veid, &vps, err);
	if (rc < 0)
		return rc;
	reply->api_key = give_key(call, vps.veid, true, err);
	return reply->api_key ? 0 : -err->code;
}

int admin_export_keys(struct call *call, const struct export_keys_args *args, struct export_keys_reply *reply,
	struct error *err)
{
	struct vps *all;
	size_t count;
	int rc = db_vps_list(call->db, 0, call->arena, &all, &count, err);
	if (rc < 0)
		return rc;
	reply->keys.items = arena_array(call->arena, count, struct key_entry_record);
	for (size_t i = 0; i < count; i++) {
		if (args->account && !text_equal(args->account, all[i].account.email))
			continue;
		const char *key = give_key(call, all[i].veid, false, err);
		if (!key)
			return -err->code;
		reply->keys.items[reply->keys.count++] = (struct key_entry_record){.veid = all[i].veid,
			.vm_type = vps_type_name(all[i].type),
			.hostname = all[i].hostname,
			.primary_ip = all[i].address_count ? all[i].addresses[0].address : "",
			.is_terminated = all[i].state == VPS_DELETED,
			.api_key = key};
	}
	return 0;
}

/* ---- the hosts ---- */

static const char *check_state(const struct check_result_record *check)
{
	if (check->ok)
		return "ok";
	return check->required ? "failed" : "warning";
}

static size_t check_node(
	struct call *call, const struct node *node, struct doctor_entry_record *entries, size_t room)
{
	struct host_check_args args;
	struct host_check_reply answer = {0};
	struct error err;
	if (call_ask_node(call, node->endpoint, NODE_host_check, &args, &answer, &err) < 0) {
		entries[0] = (struct doctor_entry_record){
			node->alias, "node", "failed", arena_strdup(call->arena, err.message)};
		return 1;
	}
	size_t count = 0;
	for (; count < answer.checks.count && count < room; count++) {
		const struct check_result_record *check = &answer.checks.items[count];
		entries[count] = (struct doctor_entry_record){
			node->alias, check->name, check_state(check), check->says};
	}
	return count;
}

enum { CHECKS_OF_A_NODE = 16 };

int admin_doctor(
	struct call *call, const struct doctor_args *args, struct doctor_reply *reply, struct error *err)
{
	(void)args;
	struct node *nodes;
	size_t count;
	int rc = db_node_list(call->db, call->arena, &nodes, &count, err);
	if (rc < 0)
		return rc;
	reply->checks.items = arena_array(call->arena, count * CHECKS_OF_A_NODE, struct doctor_entry_record);
	for (size_t i = 0; i < count; i++)
		reply->checks.count += check_node(
			call, &nodes[i], reply->checks.items + reply->checks.count, CHECKS_OF_A_NODE);
	return 0;
}
