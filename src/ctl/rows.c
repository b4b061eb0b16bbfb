/* The rows of the operator's calls, as data. */
#include "ctl/ctl.h"
#include "schema/rows.h"
#include "base/memory.h"

#define ROWS_FILE "api/admin.def"
#define ROWS_TABLE rows
#include "schema/structs.inc"
#include "schema/tables.inc"

const struct call_row *const ctl_rows = rows;
const size_t ctl_row_count = ARRAY_LEN(rows);
