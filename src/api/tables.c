/* The rows of the customers' calls, tied to their handlers. */
#include "api/call.h"
#include "base/memory.h"

#define ROWS_FILE "api/calls.def"
#define ROWS_TABLE rows
#define ROWS_HANDLER(id) call_##id
#include "schema/tables.inc"

const struct call_row *const call_rows = rows;
const size_t call_row_count = ARRAY_LEN(rows);
