/* Running a program inside a container, for moa-container. */
#pragma once
#include <lxc/lxccontainer.h>
#include <stdbool.h>
#include <stddef.h>

struct attach_request {
	char *const *argv;
	int timeout_ms;
	size_t max_output;
	bool detached; /* standard input is handed over whole, then the program is left alone */
};

/* Runs it, passes its output on to standard output and adds the trailer of helper.h. Returns enum
 * helper_status. */
int attach_run(struct lxc_container *container, const struct attach_request *request);
