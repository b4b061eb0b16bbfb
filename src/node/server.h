/* Answers the node protocol on the node's unix socket, for the peers that may ask: root and the user of the
 * api process. */
#pragma once
#include "base/error.h"
#include "core/host.h"
#include "http/http.h"
#include <sys/types.h>

struct node_server_config {
	int listen_fd;	   /* owned from node_server_start on */
	uid_t api_uid;	   /* besides root */
	struct host *host; /* borrowed */
};

struct node_server;
int node_server_start(const struct node_server_config *config, struct node_server **ret, struct error *err);
void node_server_stop(struct node_server *server);
