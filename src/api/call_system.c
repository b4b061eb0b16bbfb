/* The system inside: templates on offer, root password, host name, SSH keys. */
#include "api/call.h"
#include "base/memory.h"
#include "guest/guest.h"

int call_getAvailableOS(struct call *call, const struct getAvailableOS_args *args,
	struct getAvailableOS_reply *reply, struct error *err)
{
	(void)args;
	struct template_row *rows;
	size_t count;
	int rc = db_template_list(
		call->db, call->vps->node.id, &call->vps->type, call->arena, &rows, &count, err);
	if (rc < 0)
		return rc;
	reply->installed = call->vps->os;
	reply->templates.items = arena_array(call->arena, count, const char *);
	reply->templates.count = count;
	for (size_t i = 0; i < count; i++)
		reply->templates.items[i] = rows[i].name;
	return 0;
}

int call_resetRootPassword(struct call *call, const struct resetRootPassword_args *args,
	struct resetRootPassword_reply *reply, struct error *err)
{
	(void)args;
	char *password = arena_alloc(call->arena, 13);
	password_make(password);
	struct guest_password_args ask = {.veid = call->vps->veid, .password = password};
	struct guest_password_reply answer;
	reply->password = password;
	return call_ask(call, NODE_guest_password, &ask, &answer, err);
}

/* The guest first: when it refuses, nothing has changed. */
int call_setHostname(struct call *call, const struct setHostname_args *args, struct setHostname_reply *reply,
	struct error *err)
{
	(void)reply;
	struct guest_hostname_args ask = {.veid = call->vps->veid, .hostname = args->newHostname};
	struct guest_hostname_reply answer;
	int rc = call_ask(call, NODE_guest_hostname, &ask, &answer, err);
	return rc < 0 ? rc : db_vps_set_hostname(call->db, call->vps->veid, args->newHostname, err);
}

int call_updateSshKeys(struct call *call, const struct updateSshKeys_args *args,
	struct updateSshKeys_reply *reply, struct error *err)
{
	(void)reply;
	const char *keys;
	int rc = ssh_keys_parse(args->ssh_keys, call->arena, &keys, err);
	return rc < 0 ? rc : db_vps_set_ssh_keys(call->db, call->vps->veid, keys, err);
}

int call_getSshKeys(struct call *call, const struct getSshKeys_args *args, struct getSshKeys_reply *reply,
	struct error *err)
{
	(void)args, (void)err;
	reply->ssh_keys_veid = call->vps->ssh_keys;
	reply->ssh_keys_user = call->vps->account.ssh_keys;
	reply->ssh_keys_preferred = vps_preferred_ssh_keys(call->vps);
	reply->shortened_ssh_keys_veid = ssh_keys_shorten(reply->ssh_keys_veid, call->arena);
	reply->shortened_ssh_keys_user = ssh_keys_shorten(reply->ssh_keys_user, call->arena);
	reply->shortened_ssh_keys_preferred = ssh_keys_shorten(reply->ssh_keys_preferred, call->arena);
	return 0;
}
