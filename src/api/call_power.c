/* start, stop, restart, kill. */
#include "api/call.h"

int call_start(struct call *call, const struct start_args *args, struct start_reply *reply, struct error *err)
{
	(void)args;
	struct guest_start_args ask = {.veid = call->vps->veid};
	struct guest_start_reply answer;
	reply->is_mounted = call->vps->type == VPS_OVZ ? 1 : FIELD_ABSENT;
	return call_ask(call, NODE_guest_start, &ask, &answer, err);
}

int call_stop(struct call *call, const struct stop_args *args, struct stop_reply *reply, struct error *err)
{
	(void)args, (void)reply;
	struct guest_stop_args ask = {.veid = call->vps->veid};
	struct guest_stop_reply answer;
	return call_ask(call, NODE_guest_stop, &ask, &answer, err);
}

int call_restart(
	struct call *call, const struct restart_args *args, struct restart_reply *reply, struct error *err)
{
	(void)args, (void)reply;
	struct guest_restart_args ask = {.veid = call->vps->veid};
	struct guest_restart_reply answer;
	return call_ask(call, NODE_guest_restart, &ask, &answer, err);
}

int call_kill(struct call *call, const struct kill_args *args, struct kill_reply *reply, struct error *err)
{
	(void)args, (void)reply;
	struct guest_kill_args ask = {.veid = call->vps->veid};
	struct guest_kill_reply answer;
	return call_ask(call, NODE_guest_kill, &ask, &answer, err);
}
