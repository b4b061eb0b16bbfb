/* Commands to the guest agent and what its replies say. A program runs in a session of its own below a few
 * lines of shell, which join its two outputs, pass on no more than is wanted and leave one process group to
 * kill. */
#include "hypervisor/kvm/agent_json.h"
#include "base/memory.h"
#include "base/owned.h"
#include "base/text.h"
#include "hypervisor/kvm/base64.h"
#include "json/reader.h"
#include "json/writer.h"
#include <inttypes.h>
#include <string.h>

/* The outer shell becomes the leader of a new session where the guest has setsid(1), and keeps its process
 * id. One that leads a group already stays as it is, because setsid would fork then. $0 is the inner script.
 */
static const char session_script[] = "{ read -r _ _ _ _ group _ </proc/$$/stat; } 2>/dev/null\n"
				     "[ \"$group\" = $$ ] || ! command -v setsid >/dev/null 2>&1 ||\n"
				     "\texec setsid /bin/sh -c \"$0\" sh \"$@\"\n"
				     "exec /bin/sh -c \"$0\" sh \"$@\"";
/* $1 is the number of bytes to pass on, the rest the program. Descriptor 4 is the way out, 3 carries the exit
 * status past the pipe. What is over is read and thrown away, so that the program is not stopped by it. What
 * the outer shell remarks ("Terminated") is not wanted. The reader outlives a first signal to the group, so
 * that what it has read is not lost. */
static const char bounded_script[] =
	"keep=$1; shift; exec 4>&1 2>/dev/null\n"
	"status=$({ { /bin/sh -c 'exec \"$@\" 2>&1' sh \"$@\" 3>&- 4>&-; echo $? >&3; } |\n"
	"\t{ trap '' TERM; head -c \"$keep\"; exec cat >/dev/null; } 3>&- >&4; } 3>&1)\n"
	"exit \"$status\"";

static int check(const struct exec_request *request, struct error *err)
{
	size_t count = 0;
	if (!request->argv || !request->argv[0] || !*request->argv[0])
		return err_set(err, ERR_INVALID, "nothing to run");
	while (request->argv[count])
		if (!text_is_utf8(request->argv[count], strlen(request->argv[count])))
			return err_set(err, ERR_INVALID, "argument %zu is not valid UTF-8", count);
		else if (++count > AGENT_ARGUMENT_MAX)
			return err_set(err, ERR_TOO_LARGE, "more than %d arguments", AGENT_ARGUMENT_MAX);
	if (request->input && request->input_len > AGENT_INPUT_MAX)
		return err_set(err, ERR_TOO_LARGE, "the input is over %d bytes", AGENT_INPUT_MAX);
	return 0;
}

static void add_arguments(struct json_writer *writer, const struct exec_request *request, size_t keep)
{
	char number[24];
	text_format(number, sizeof(number), "%zu", keep + 1);
	json_open_array(writer, "arg");
	if (!request->detached) {
		json_add_text(writer, NULL, "-c");
		json_add_text(writer, NULL, session_script);
		json_add_text(writer, NULL, bounded_script);
		json_add_text(writer, NULL, number);
		json_add_text(writer, NULL, request->argv[0]);
	}
	for (size_t i = 1; request->argv[i]; i++)
		json_add_text(writer, NULL, request->argv[i]);
	json_close_array(writer);
}

static void add_input(struct json_writer *writer, const struct exec_request *request)
{
	owned_in(buffer_done) struct buffer base64 = BUFFER_INIT(AGENT_COMMAND_MAX);
	agent_base64_encode(request->input, request->input_len, &base64);
	json_add_text(writer, "input-data", base64.data);
	mem_wipe(base64.data, base64.len);
}

int agent_write_exec(const struct exec_request *request, size_t keep, struct buffer *out, struct error *err)
{
	int rc = check(request, err);
	if (rc < 0)
		return rc;
	struct json_writer writer = JSON_WRITER(out);
	json_open_object(&writer, NULL);
	json_add_text(&writer, "execute", "guest-exec");
	json_open_object(&writer, "arguments");
	json_add_text(&writer, "path", request->detached ? request->argv[0] : "/bin/sh");
	add_arguments(&writer, request, keep);
	if (request->input)
		add_input(&writer, request);
	json_add_bool(&writer, "capture-output", !request->detached);
	json_close_object(&writer);
	json_close_object(&writer);
	if (out->overflowed || out->len > AGENT_COMMAND_MAX)
		return err_set(err, ERR_TOO_LARGE, "the command is over %d bytes", AGENT_COMMAND_MAX);
	return 0;
}

void agent_write_status(int64_t pid, struct buffer *out)
{
	buffer_addf(out, "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":%" PRId64 "}}", pid);
}

/* Without "--": dash takes it for a number. */
void agent_write_kill(int64_t pid, struct buffer *out)
{
	buffer_addf(out,
		"{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"/bin/sh\",\"arg\":[\"-c\","
		"\"kill -TERM -$0 || kill -TERM $0; sleep %d; kill -KILL -$0 || kill -KILL "
		"$0\",\"%" PRId64 "\"],\"capture-output\":false}}",
		AGENT_KILL_AFTER_S, pid);
}

int agent_read_pid(const char *reply, size_t len, int64_t *ret, struct error *err)
{
	owned(json_free) struct json *root = NULL;
	if (json_parse(reply, len, &root, err) < 0)
		return err_set(err, ERR_PROTOCOL, "the agent's answer to guest-exec is not JSON");
	int64_t pid = json_get_int(json_get(root, "return"), "pid", 0);
	if (pid < 1 || pid > INT32_MAX)
		return err_set(err, ERR_PROTOCOL, "the agent's answer to guest-exec has no process id");
	*ret = pid;
	return 0;
}

/* Appends one of the two outputs, if it is there. */
static int read_output(const struct json *status, const char *key, const char *truncated_key, size_t keep,
	struct exec_result *result, struct error *err)
{
	const struct json *value = json_get(status, key);
	size_t room = keep > result->output.len ? keep - result->output.len : 0;
	if (value && !agent_base64_decode(json_text(value, "?"), room, &result->output, &result->truncated))
		return err_set(err, ERR_PROTOCOL, "the agent sent output that is not base64");
	if (json_get_bool(status, truncated_key, false))
		result->truncated = true;
	return 0;
}

int agent_read_status(const char *reply, size_t len, size_t keep, bool *exited, struct exec_result *result,
	struct error *err)
{
	owned(json_free) struct json *root = NULL;
	if (json_parse(reply, len, &root, err) < 0)
		return err_set(err, ERR_PROTOCOL, "the agent's answer to guest-exec-status is not JSON");
	const struct json *status = json_get(root, "return");
	if (!json_is_bool(json_get(status, "exited")))
		return err_set(err, ERR_PROTOCOL, "the agent's answer to guest-exec-status says nothing");
	if (!json_get_bool(status, "exited", false)) {
		*exited = false;
		return 0;
	}
	int64_t exit_code = json_get_int(status, "exitcode", -1), signal = json_get_int(status, "signal", 0);
	if (signal >= 1 && signal <= 127)
		exit_code = 128 + signal;
	if (exit_code < 0 || exit_code > 255)
		return err_set(
			err, ERR_PROTOCOL, "the agent's answer to guest-exec-status has no exit status");
	int rc = read_output(status, "out-data", "out-truncated", keep, result, err);
	if (rc == 0)
		rc = read_output(status, "err-data", "err-truncated", keep, result, err);
	if (rc < 0)
		return rc;
	result->exit_status = (int)exit_code;
	*exited = true;
	return 0;
}
