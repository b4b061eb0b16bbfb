/* Takes one work from where it stands to its end. */
#pragma once
#include "work/work.h"
#include <stdbool.h>

/* Runs the steps that are left. STOPPING is asked between steps: when it says so the work stays where it is.
 */
void work_run(struct work_context *context, const struct work_kind *kind, bool (*stopping)(void *runner),
	void *runner);
