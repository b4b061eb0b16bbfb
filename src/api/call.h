/* What a handler of a call gets: checked arguments and a loaded VPS. One function a row: call_<id> for
 * api/calls.def, admin_<id> for api/admin.def. A handler fills the reply and returns 0, or an error; it holds
 * no look-up code. */
#pragma once
#include "api/api.h"
#include "model/vps.h"
#include "schema/rows.h"

struct call {
	struct api *api;
	struct db *db;
	const struct call_row *row;
	struct vps *vps; /* NULL for admin calls */
	struct arena *arena;
};

#define ROWS_FILE "api/calls.def"
#include "schema/structs.inc"
#undef ROWS_FILE
#define ROWS_FILE "api/admin.def"
#include "schema/structs.inc"
#undef ROWS_FILE

#define RECORD(id, ...)
#define CALL(id, ...) \
	int call_##id(struct call *call, const struct id##_args *args, struct id##_reply *reply, \
		struct error *err);
#include "api/calls.def"
#undef CALL
#define CALL(id, ...) \
	int admin_##id(struct call *call, const struct id##_args *args, struct id##_reply *reply, \
		struct error *err);
#include "api/admin.def"
#undef CALL
#undef RECORD

/* Asks the VPS's node. */
int call_ask(struct call *call, enum node_message message, const void *args, void *reply, struct error *err);
/* Asks a node that is not the VPS's. */
int call_ask_node(struct call *call, const char *endpoint, enum node_message message, const void *args,
	void *reply, struct error *err);
/* Points left in the running windows. */
int call_points_left(struct call *call, int64_t *ret_15min, int64_t *ret_24h, struct error *err);
/* A fresh key of the customer's form and its hash in the store. KEY holds KEY_SIZE bytes. */
enum { KEY_SIZE = 33 }; /* "private_", 24 alphanumerics, NUL */
void call_new_key(struct call *call, char key[KEY_SIZE], unsigned char hash[32]);
const char *call_node_endpoint(const struct call *call);

/* The tables, with handlers. */
extern const struct call_row *const call_rows, *const admin_rows;
extern const size_t call_row_count, admin_row_count;
