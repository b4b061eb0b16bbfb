#include "model/work.h"
#include "base/memory.h"
#include "base/text.h"

static const char *const state_names[] = {[WORK_RUNNING] = "running",
	[WORK_UNDOING] = "undoing",
	[WORK_DONE] = "done",
	[WORK_FAILED] = "failed"};

const char *work_state_name(enum work_state state)
{
	return state_names[state];
}

bool work_state_from_name(const char *name, enum work_state *ret)
{
	int index = text_index(name, state_names, ARRAY_LEN(state_names));
	if (index >= 0)
		*ret = (enum work_state)index;
	return index >= 0;
}

bool work_is_unfinished(enum work_state state)
{
	return state == WORK_RUNNING || state == WORK_UNDOING;
}
