/* VPSs as the operator handles them: created, listed, deleted, suspended. */
#include "api/admin_common.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "guest/guest.h"

enum { PASSWORD_SIZE = 13, HASH_TEXT_SIZE = 128 };

/* Whether the node has that template for that type; the message lists what there is. */
static int check_template(
	struct call *call, const struct node *node, enum vps_type type, const char *os, struct error *err)
{
	struct template_row *rows;
	size_t count;
	int rc = db_template_list(call->db, node->id, &type, call->arena, &rows, &count, err);
	if (rc < 0)
		return rc;
	const char *names = "";
	for (size_t i = 0; i < count; i++) {
		if (text_equal(rows[i].name, os))
			return 0;
		names = arena_printf(call->arena, "%s%s%s", names, i ? ", " : "", rows[i].name);
	}
	return err_say(err, ERR_NOT_FOUND, "os takes one of: %.160s", count ? names : "(no template yet)");
}

static int find_parts(struct call *call, const struct vps_create_args *args, struct vps_create *create,
	struct node *node, struct error *err)
{
	struct account account;
	struct plan plan;
	int rc = db_account_by_email(call->db, args->account, call->arena, &account, err);
	if (rc == -ERR_NOT_FOUND)
		return err_say(err, ERR_NOT_FOUND, "There is no account %s: add it with moactl account add",
			args->account);
	if (rc == 0)
		rc = db_plan_by_name(call->db, args->plan, call->arena, &plan, err);
	if (rc == -ERR_NOT_FOUND)
		return err_say(
			err, ERR_NOT_FOUND, "There is no plan %s: add it with moactl plan set", args->plan);
	if (rc == 0)
		rc = admin_find_node(call, args->node, node, err);
	if (rc < 0)
		return rc;
	vps_type_from_name(args->type, &create->type);
	create->account_id = account.id;
	create->plan_id = plan.id;
	create->node_id = node->id;
	return check_template(call, node, create->type, args->os, err);
}

static int fill_reply(struct call *call, int64_t veid, struct vps_create_reply *reply, struct error *err)
{
	struct vps vps;
	int rc = admin_find_vps(call, veid, &vps, err);
	if (rc < 0)
		return rc;
	reply->veid = veid;
	reply->ip = vps.address_count ? vps.addresses[0].address : "";
	reply->ssh_port = vps.ssh_port;
	return 0;
}

int admin_vps_create(struct call *call, const struct vps_create_args *args, struct vps_create_reply *reply,
	struct error *err)
{
	struct node node;
	struct vps_create create = {.hostname = args->hostname,
		.os = args->os,
		.ssh_keys = "",
		.wanted_running = !args->stopped,
		.forward_ssh = true,
		.now_s = clock_unix_s(),
		.work_args = "{}"};
	int rc = find_parts(call, args, &create, &node, err);
	if (rc == 0 && args->ssh_keys)
		rc = ssh_keys_parse(args->ssh_keys, call->arena, &create.ssh_keys, err);
	char *key = arena_alloc(call->arena, KEY_SIZE), *password = arena_alloc(call->arena, PASSWORD_SIZE);
	char hash[HASH_TEXT_SIZE];
	password_make(password);
	call_new_key(call, key, create.key_hash);
	if (rc == 0)
		rc = password_hash(password, hash, err);
	create.password_hash = hash;
	int64_t veid;
	if (rc == 0)
		rc = db_vps_create(call->db, &create, &veid, &reply->work, err);
	if (rc < 0)
		return rc;
	admin_poke(call, &node);
	reply->api_key = key;
	reply->root_password = password;
	return fill_reply(call, veid, reply, err);
}

int admin_vps_list(
	struct call *call, const struct vps_list_args *args, struct vps_list_reply *reply, struct error *err)
{
	struct vps *all;
	size_t count;
	int rc = db_vps_list(call->db, 0, call->arena, &all, &count, err);
	if (rc < 0)
		return rc;
	reply->vps.items = arena_array(call->arena, count, struct vps_entry_record);
	for (size_t i = 0; i < count; i++) {
		if (args->account && !text_equal(args->account, all[i].account.email))
			continue;
		reply->vps.items[reply->vps.count++] = (struct vps_entry_record){.veid = all[i].veid,
			.type = vps_type_name(all[i].type),
			.hostname = all[i].hostname,
			.ip = all[i].address_count ? all[i].addresses[0].address : "",
			.plan = all[i].plan.name,
			.node = all[i].node.alias,
			.account = all[i].account.email,
			.os = all[i].os,
			.ssh_port = all[i].ssh_port,
			.state = admin_state_name(&all[i])};
	}
	return 0;
}

static const char *power_of(struct call *call, const struct vps *vps)
{
	struct guest_state_args args = {.veid = vps->veid};
	struct guest_state_reply reply;
	struct error err;
	if (call_ask_node(call, vps->node.endpoint, NODE_guest_state, &args, &reply, &err) == 0)
		return reply.state;
	return arena_printf(call->arena, "unknown: %s", err.message);
}

static const char *work_of(struct call *call, int64_t veid)
{
	struct work work;
	if (db_work_of_vps(call->db, veid, call->arena, &work, NULL) < 0)
		return "";
	return arena_printf(call->arena, "%lld %s %lld %% %s", (long long)work.id, work.kind,
		(long long)work.percent, work.message);
}

int admin_vps_show(
	struct call *call, const struct vps_show_args *args, struct vps_show_reply *reply, struct error *err)
{
	struct vps vps;
	int rc = admin_find_vps(call, args->veid, &vps, err);
	if (rc < 0)
		return rc;
	*reply = (struct vps_show_reply){.veid = vps.veid,
		.type = vps_type_name(vps.type),
		.state = admin_state_name(&vps),
		.power = power_of(call, &vps),
		.hostname = vps.hostname,
		.mac = vps.mac,
		.node = vps.node.alias,
		.node_ip = vps.node.ip,
		.ssh_port = vps.ssh_port,
		.plan = vps.plan.name,
		.account = vps.account.email,
		.os = vps.os,
		.disk = vps.plan.disk_bytes,
		.ram = vps.plan.ram_bytes,
		.created = vps.created_s,
		.purge_at = vps.purge_at_s,
		.work = work_of(call, vps.veid)};
	reply->ip_addresses.items = arena_array(call->arena, vps.address_count, const char *);
	reply->ip_addresses.count = vps.address_count;
	for (size_t i = 0; i < vps.address_count; i++)
		reply->ip_addresses.items[i] = vps.addresses[i].address;
	return 0;
}

int admin_vps_delete(struct call *call, const struct vps_delete_args *args, struct vps_delete_reply *reply,
	struct error *err)
{
	struct vps vps;
	int rc = admin_find_vps(call, args->veid, &vps, err);
	if (rc < 0)
		return rc;
	if (vps.state == VPS_DELETED && !args->now)
		return err_say(err, ERR_EXISTS, "VPS %lld is deleted already; --now destroys its disk",
			(long long)vps.veid);
	return admin_queue(call, &vps.node, vps.veid, "vps_delete", "Deleting",
		args->now ? "{\"now\":true}" : "{}", &reply->work, err);
}

int admin_vps_undelete(struct call *call, const struct vps_undelete_args *args,
	struct vps_undelete_reply *reply, struct error *err)
{
	struct vps vps;
	int rc = admin_find_vps(call, args->veid, &vps, err);
	if (rc < 0)
		return rc;
	if (vps.state != VPS_DELETED)
		return err_say(err, ERR_EXISTS, "VPS %lld is not deleted", (long long)vps.veid);
	return admin_queue(
		call, &vps.node, vps.veid, "vps_undelete", "Bringing back", "{}", &reply->work, err);
}
