/* Asks a node, over its unix socket. Any thread may ask. Errors are the node's own, or ERR_UNAVAILABLE when
 * it does not answer (the customer reads "Temporarily unavailable"), ERR_TIMEOUT when it takes longer than
 * its row allows. */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "node/messages.h"

#define NODE_UNIX "unix:"

/* ENDPOINT is "unix:/path". ARGS and REPLY are the structs of the message; REPLY's texts live in ARENA. */
int node_ask(const char *endpoint, enum node_message message, const void *args, void *reply,
	struct arena *arena, struct error *err);
