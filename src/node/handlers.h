/* What each message of the node protocol does: one function a row of api/node.def, called node_do_<id>. */
#pragma once
#include "core/host.h"
#include "node/messages.h"

struct node_call {
	struct host *host;
	struct arena *arena; /* of the answer's texts */
	int64_t started_s;   /* when this node started, monotonic seconds */
};

#define RECORD(id, ...)
#define CALL(id, ...) \
	int node_do_##id(struct node_call *call, const struct id##_args *args, struct id##_reply *reply, \
		struct error *err);
#include "api/node.def"
#undef RECORD
#undef CALL

/* The rows with their handlers. */
extern const struct call_row *const node_handler_rows;
