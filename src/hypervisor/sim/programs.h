/* What programs say inside a simulated guest. */
#pragma once
#include "base/buffer.h"
#include "model/guest.h"

/* What a guest knows of itself. */
struct sim_inside {
	char *hostname; /* owned */
	int64_t ram_bytes;
	int64_t up_s;
};

/* Adds the output of REQUEST's program to OUTPUT and returns its exit status. May change the host name. */
int sim_program_run(struct sim_inside *inside, const struct exec_request *request, struct buffer *output);
