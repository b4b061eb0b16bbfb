/* Parts of the program that are loaded only where they are needed (the node's hypervisors, PostgreSQL), so
 * that a process does not pay for libraries it never calls. Found through the executable's run path. */
#pragma once
#include "base/error.h"

/* The symbol NAME of the module FILE ("moa-node.so"), which stays loaded for good; NULL with ERR_UNAVAILABLE
 * otherwise. */
void *module_symbol(const char *file, const char *name, struct error *err);
