#include "node/handlers.h"
#include "base/clock.h"
#include "base/memory.h"

enum { OUTPUT_MAX = 1 << 20, PROGRAM_TIMEOUT_MS = 30000 };

int node_do_ping(
	struct node_call *call, const struct ping_args *args, struct ping_reply *reply, struct error *err)
{
	(void)args, (void)err;
	reply->version = MOA_VERSION;
	reply->uptime_s = clock_monotonic_ms() / 1000 - call->started_s;
	return 0;
}

int node_do_work_added(struct node_call *call, const struct work_added_args *args,
	struct work_added_reply *reply, struct error *err)
{
	(void)args, (void)reply, (void)err;
	host_poke(call->host);
	return 0;
}

int node_do_guest_start(struct node_call *call, const struct guest_start_args *args,
	struct guest_start_reply *reply, struct error *err)
{
	(void)reply;
	return host_start(call->host, args->veid, err);
}

int node_do_guest_stop(struct node_call *call, const struct guest_stop_args *args,
	struct guest_stop_reply *reply, struct error *err)
{
	(void)reply;
	return host_stop(call->host, args->veid, err);
}

int node_do_guest_restart(struct node_call *call, const struct guest_restart_args *args,
	struct guest_restart_reply *reply, struct error *err)
{
	(void)reply;
	return host_restart(call->host, args->veid, err);
}

int node_do_guest_kill(struct node_call *call, const struct guest_kill_args *args,
	struct guest_kill_reply *reply, struct error *err)
{
	(void)reply;
	return host_kill(call->host, args->veid, err);
}

int node_do_guest_state(struct node_call *call, const struct guest_state_args *args,
	struct guest_state_reply *reply, struct error *err)
{
	enum guest_state state = GUEST_STOPPED;
	int rc = host_state(call->host, args->veid, &state, err);
	reply->state = guest_state_name(state);
	return rc;
}

int node_do_guest_live(struct node_call *call, const struct guest_live_args *args,
	struct guest_live_reply *reply, struct error *err)
{
	struct host_live live;
	int rc = host_live(call->host, args->veid, args->screenshot, call->arena, &live, err);
	if (rc < 0)
		return rc;
	*reply = (struct guest_live_reply){
		.state = guest_state_name(live.state),
		.used_disk_bytes = live.disk.total_bytes ? live.disk.used_bytes : live.disk_bytes,
		.total_disk_bytes = live.disk.total_bytes,
		.used_inodes = live.disk.used_inodes,
		.total_inodes = live.disk.total_inodes,
		.memory_bytes = live.usage.memory_bytes,
		.swap_bytes = live.usage.swap_bytes,
		.kernel_memory_bytes = live.usage.kernel_memory_bytes,
		.process_count = live.usage.process_count,
		.failcnt = live.usage.failcnt,
		.hostname = live.inside.hostname,
		.load_average = live.inside.load_average,
		.mem_available_kb = live.inside.mem_available_kb,
		.swap_total_kb = live.inside.swap_total_kb,
		.swap_available_kb = live.inside.swap_available_kb,
		.tcp_sockets = live.inside.tcp_sockets,
		.open_files = live.inside.open_files,
		.screenshot_base64 = live.screenshot_base64,
	};
	return 0;
}

/* Runs REQUEST and copies its output into the arena. */
static int run(struct node_call *call, int64_t veid, struct exec_request *request, int *ret_status,
	struct field_bytes *ret_output, struct error *err)
{
	owned_in(exec_result_done) struct exec_result result = {.output = BUFFER_INIT(0)};
	request->timeout_ms = PROGRAM_TIMEOUT_MS;
	request->max_output = OUTPUT_MAX;
	int rc = host_exec(call->host, veid, request, &result, err);
	if (rc < 0)
		return rc;
	if (result.timed_out)
		return err_say(err, ERR_TIMEOUT, "The command was killed after %d seconds",
			PROGRAM_TIMEOUT_MS / 1000);
	*ret_status = result.exit_status;
	*ret_output = (struct field_bytes){
		arena_strndup(call->arena, result.output.data, result.output.len), result.output.len};
	return 0;
}

int node_do_guest_exec(struct node_call *call, const struct guest_exec_args *args,
	struct guest_exec_reply *reply, struct error *err)
{
	struct exec_request request;
	int status = 0;
	guest_shell_request(args->command, call->arena, &request);
	int rc = run(call, args->veid, &request, &status, &reply->output, err);
	reply->exit_status = status;
	return rc;
}

int node_do_guest_cd(struct node_call *call, const struct guest_cd_args *args, struct guest_cd_reply *reply,
	struct error *err)
{
	struct exec_request request;
	struct field_bytes output;
	int status = 0;
	guest_cd_request(args->current_dir, args->new_dir, call->arena, &request);
	int rc = run(call, args->veid, &request, &status, &output, err);
	if (rc < 0)
		return rc;
	char *text = arena_strndup(call->arena, output.data, output.len);
	if (output.len && text[output.len - 1] == '\n')
		text[output.len - 1] = '\0';
	if (status)
		return err_say(err, ERR_SHELL, "%.200s", text[0] ? text : "Unable to change directory");
	reply->pwd = text;
	return 0;
}

int node_do_guest_script(struct node_call *call, const struct guest_script_args *args,
	struct guest_script_reply *reply, struct error *err)
{
	(void)reply;
	struct exec_request request;
	struct field_bytes output;
	int status = 0;
	guest_script_request(args->script, args->log_path, call->arena, &request);
	int rc = run(call, args->veid, &request, &status, &output, err);
	if (rc == 0 && status)
		return err_say(err, ERR_UNSUPPORTED, "The script could not be started inside the VPS");
	return rc;
}

int node_do_guest_password(struct node_call *call, const struct guest_password_args *args,
	struct guest_password_reply *reply, struct error *err)
{
	(void)reply;
	return host_set_password(call->host, args->veid, args->password, err);
}

int node_do_guest_hostname(struct node_call *call, const struct guest_hostname_args *args,
	struct guest_hostname_reply *reply, struct error *err)
{
	(void)reply;
	return host_set_hostname(call->host, args->veid, args->hostname, err);
}

int node_do_host_check(struct node_call *call, const struct host_check_args *args,
	struct host_check_reply *reply, struct error *err)
{
	(void)args, (void)err;
	struct host_check *checks;
	size_t count;
	host_check(call->host, call->arena, &checks, &count);
	reply->checks.items = arena_array(call->arena, count, struct check_result_record);
	reply->checks.count = count;
	for (size_t i = 0; i < count; i++)
		reply->checks.items[i] = (struct check_result_record){.name = checks[i].name,
			.ok = checks[i].ok,
			.required = checks[i].required,
			.says = checks[i].says};
	return 0;
}

#define ROWS_FILE "api/node.def"
#define ROWS_TABLE rows
#define ROWS_HANDLER(id) node_do_##id
#include "schema/tables.inc"

const struct call_row *const node_handler_rows = rows;
