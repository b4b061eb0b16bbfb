/* The shells guests have: Debian's, bash, and busybox's. */
#include "shells.h"
#include "base/memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const char *const plain[] = {"/bin/sh", NULL};
static const char *const dash[] = {"dash", NULL};
static const char *const bash[] = {"bash", NULL};
static const char *const busybox[] = {"busybox", "sh", NULL};
const char *const *const shells[] = {plain, dash, bash, busybox, NULL};

void run_request(const char *const *prefix, const struct exec_request *request, struct process_result *result)
{
	const char *argv[32] = {NULL};
	size_t count = 0;
	struct error err = {0};
	while (*prefix)
		argv[count++] = *prefix++;
	for (const char *const *arg = request->argv + 1; *arg; arg++)
		argv[count++] = *arg;
	assert_true(count < ARRAY_LEN(argv));
	struct process_request process = {.argv = argv,
		.input = request->input,
		.input_len = request->input_len,
		.max_output = request->max_output,
		.timeout_ms = request->timeout_ms};
	if (process_run(&process, result, &err) < 0)
		fail_msg("%s", err.message);
	assert_false(result->timed_out);
}
