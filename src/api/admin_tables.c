/* The rows of the operator's calls, tied to their handlers. */
#include "api/call.h"
#include "base/memory.h"

#define ROWS_FILE "api/admin.def"
#define ROWS_TABLE rows
#define ROWS_HANDLER(id) admin_##id
#include "schema/tables.inc"

const struct call_row *const admin_rows = rows;
const size_t admin_row_count = ARRAY_LEN(rows);
