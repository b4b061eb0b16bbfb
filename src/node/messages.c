/* The rows of the node protocol, for both its sides. */
#include "node/messages.h"
#include "base/memory.h"

#define ROWS_FILE "api/node.def"
#define ROWS_TABLE rows
#include "schema/tables.inc"

const struct call_row *const node_messages = rows;
