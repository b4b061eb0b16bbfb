/* Programs inside a container, run by the helper, which bounds their time and output and ends its own output
 * with the trailer of helper.h. */
#include "hypervisor/ovz/ovz.h"
#include "base/memory.h"
#include "base/owned.h"
#include "base/text.h"
#include "hypervisor/ovz/helper.h"
#include <stdio.h>
#include <string.h>

enum {
	TIMEOUT_DEFAULT_MS = 10000,
	TIMEOUT_GRACE_MS = 5000,
	OUTPUT_DEFAULT = 64 << 10,
	OUTPUT_MIN = 1024,
	ARGS_MAX = 1024,
	FIXED_ARGS = 8
};

/* The helper's argument vector; ARGV's strings are borrowed, the caller frees the array. */
static const char **helper_argv(const char *const fixed[FIXED_ARGS], const char *const *argv)
{
	size_t count = 0;
	while (argv[count] && count < ARGS_MAX)
		count++;
	if (count == 0 || argv[count])
		return NULL;
	const char **all = mem_alloc(FIXED_ARGS + count + 1, sizeof(*all));
	memcpy(all, fixed, FIXED_ARGS * sizeof(*all));
	memcpy(all + FIXED_ARGS, argv, count * sizeof(*all));
	return all;
}

static int read_trailer(struct buffer *output, struct exec_result *result, struct error *err)
{
	int status, used = 0;
	char timed_out, truncated;
	if (output->len < HELPER_TRAILER_LEN)
		return err_set(err, ERR_INTERNAL, "the container helper left no trailer");
	char *trailer = output->data + output->len - HELPER_TRAILER_LEN;
	if (sscanf(trailer, "\nMOA %3d %c%c\n%n", &status, &timed_out, &truncated, &used) != 3 ||
		used != HELPER_TRAILER_LEN)
		return err_set(err, ERR_INTERNAL, "the container helper left a bad trailer");
	output->len -= HELPER_TRAILER_LEN;
	output->data[output->len] = '\0';
	result->exit_status = status;
	result->timed_out = timed_out == 'T';
	result->truncated = truncated == 'O';
	return 0;
}

/* A container that reboots is watched as running while liblxc knows no first process to join. */
static int not_running(struct hypervisor *hv, const char *name, struct error *err)
{
	if (watch_monitor(hv->watch, name))
		return err_set(err, ERR_UNAVAILABLE, "container %s is between two boots", name);
	return err_set(err, ERR_NOT_RUNNING, "container %s does not run", name);
}

static int read_result(struct hypervisor *hv, const char *name, struct process_result *ran,
	struct exec_result *result, struct error *err)
{
	if (ran->timed_out)
		return err_set(err, ERR_TIMEOUT, "container %s: the helper did not end", name);
	if (ran->exit_status == HELPER_NOT_RUNNING)
		return not_running(hv, name, err);
	if (ran->exit_status != HELPER_OK)
		return err_set(err, ERR_UNAVAILABLE, "container %s: exec failed (%d): %.200s", name,
			ran->exit_status, ran->output.data);
	int rc = read_trailer(&ran->output, result, err);
	if (rc < 0)
		return rc;
	result->output = ran->output;
	ran->output = (struct buffer)BUFFER_INIT(0);
	return 0;
}

static int run_helper(struct hypervisor *hv, const char *name, const struct exec_request *request,
	struct exec_result *result, struct error *err)
{
	char timeout[16], max[24];
	int timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : TIMEOUT_DEFAULT_MS;
	size_t max_output = request->max_output ? request->max_output : OUTPUT_DEFAULT;
	text_format(timeout, sizeof(timeout), "%d", timeout_ms);
	text_format(max, sizeof(max), "%zu", max_output);
	const char *fixed[FIXED_ARGS] = {hv->helper_path, "exec", hv->state_dir, name, timeout, max,
		request->detached ? "detach" : "wait", "--"};
	owned_mem const char **argv = helper_argv(fixed, request->argv);
	if (!argv)
		return err_set(err, ERR_INVALID, "bad argument list");
	struct process_request process = {.argv = argv,
		.input = request->input,
		.input_len = request->input_len,
		.timeout_ms =
			timeout_ms < INT32_MAX - TIMEOUT_GRACE_MS ? timeout_ms + TIMEOUT_GRACE_MS : INT32_MAX,
		.max_output = (max_output > OUTPUT_MIN ? max_output : OUTPUT_MIN) + HELPER_TRAILER_LEN};
	owned_in(process_result_done) struct process_result ran;
	int rc = process_run(&process, &ran, err);
	return rc < 0 ? rc : read_result(hv, name, &ran, result, err);
}

int ovz_exec(struct hypervisor *hv, const char *name, const struct exec_request *request,
	struct exec_result *result, struct error *err)
{
	*result = (struct exec_result){.output = BUFFER_INIT(request->max_output)};
	int rc = ovz_known_check(hv, name, err);
	if (rc < 0)
		return rc;
	if (!watch_monitor(hv->watch, name))
		return err_set(err, ERR_NOT_RUNNING, "container %s does not run", name);
	return run_helper(hv, name, request, result, err);
}
