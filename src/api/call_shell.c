/* basicShell and shellScript. */
#include "api/call.h"
#include "base/random.h"
#include "base/text.h"

int call_basicShell_cd(struct call *call, const struct basicShell_cd_args *args,
	struct basicShell_cd_reply *reply, struct error *err)
{
	struct guest_cd_args ask = {
		.veid = call->vps->veid, .current_dir = args->currentDir, .new_dir = args->newDir};
	struct guest_cd_reply answer;
	int rc = call_ask(call, NODE_guest_cd, &ask, &answer, err);
	if (rc == 0)
		reply->pwd = answer.pwd;
	return rc;
}

int call_basicShell_exec(struct call *call, const struct basicShell_exec_args *args,
	struct basicShell_exec_reply *reply, struct error *err)
{
	struct guest_exec_args ask = {.veid = call->vps->veid, .command = args->command};
	struct guest_exec_reply answer;
	int rc = call_ask(call, NODE_guest_exec, &ask, &answer, err);
	if (rc < 0)
		return rc;
	reply->error = answer.exit_status;
	reply->message = answer.output;
	return 0;
}

int call_shellScript_exec(struct call *call, const struct shellScript_exec_args *args,
	struct shellScript_exec_reply *reply, struct error *err)
{
	char *id = arena_alloc(call->arena, 17);
	random_text(id, 16, TEXT_DIGITS TEXT_LOWER);
	reply->output_stream_id = id;
	reply->log = arena_printf(call->arena, "/root/moa-script-%s.log", id);
	struct guest_script_args ask = {
		.veid = call->vps->veid, .script = args->script, .log_path = reply->log};
	struct guest_script_reply answer;
	return call_ask(call, NODE_guest_script, &ask, &answer, err);
}
