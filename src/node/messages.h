/* The node protocol (api/node.def): what an api process may ask of a node. Here are its structs and rows;
 * client.h asks, server.h answers. A message is POST /node/v1/<name> with a JSON object; the answer is
 * {"error":"none",…} or
 * {"error":"<code name>","message":"…","said":"…"}. */
#pragma once
#include "schema/rows.h"

#define ROWS_FILE "api/node.def"
#include "schema/structs.inc"
#undef ROWS_FILE

enum node_message {
#define RECORD(id, ...)
#define CALL(id, ...) NODE_##id,
#include "api/node.def"
#undef RECORD
#undef CALL
	NODE_MESSAGE_COUNT,
};

/* The rows, without handlers, by enum node_message. */
extern const struct call_row *const node_messages;
#define NODE_PATH "/node/v1/"
