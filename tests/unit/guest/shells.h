/* Runs a request's program under a shell of choice, in place of /bin/sh. */
#pragma once
#include "base/process.h"
#include "model/guest.h"

/* {"dash", NULL} and so on; ends with NULL. */
extern const char *const *const shells[];
/* PREFIX takes the place of the request's argv[0]; the result is the caller's to end. */
void run_request(
	const char *const *prefix, const struct exec_request *request, struct process_result *result);
