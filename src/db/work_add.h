/* Adding a work inside somebody else's transaction. */
#pragma once
#include "db/connection.h"

/* ERR_LOCKED when the VPS has unfinished work. */
int work_add(struct connection *connection, const struct work *work, int64_t *ret_id, struct error *err);
