/* Asks a node, over its unix socket. Each ask is one request on a connection of its own, taken from a small pool; any thread
 * may ask. Errors are the node's own, or ERR_UNAVAILABLE when it does not answer (the customer reads "Temporarily unavailable"),
 * ERR_TIMEOUT when it takes longer than its row allows. */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "base/owned.h"
#include "node/messages.h"

struct node_client;
struct node_client *node_client_new(void);
void node_client_free(struct node_client *client);
OWNED_DEFINE(struct node_client, node_client_free);

/* ENDPOINT is "unix:/path". ARGS and REPLY are the structs of the message; REPLY's texts live in ARENA. */
int node_ask(struct node_client *client, const char *endpoint, enum node_message message, const void *args, void *reply,
	struct arena *arena, struct error *err);
