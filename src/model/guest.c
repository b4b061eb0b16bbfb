#include "model/guest.h"

const char *guest_state_name(enum guest_state state)
{
	switch (state) {
	case GUEST_STARTING:
		return "starting";
	case GUEST_RUNNING:
		return "running";
	case GUEST_STOPPED:
		break;
	}
	return "stopped";
}

void exec_result_done(struct exec_result *result)
{
	buffer_done(&result->output);
}
