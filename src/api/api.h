/* The API as a whole: takes HTTP requests for the customers' calls and the operator's, and answers them from
 * the store and the nodes. Holds no state another api process would need: points and locks are in the store.
 */
#pragma once
#include "base/error.h"
#include "base/owned.h"
#include "db/db.h"
#include "http/http.h"
#include "node/client.h"
#include <stdint.h>

struct api_config {
	int64_t points_15min, points_24h; /* budgets of a VPS */
	int64_t guesses_15min;		  /* wrong keys of one source */
	const char *node_endpoint;	  /* for nodes an operator adds without one */
};

struct api;
/* DB is borrowed. */
int api_open(const struct api_config *config, struct db *db, struct api **ret, struct error *err);
void api_close(struct api *api);
OWNED_DEFINE(struct api, api_close);

/* http_handler functions; http_server_config.context is the struct api. */
void api_serve_customer(struct http_request *request); /* {base}/v1/<call> */
void api_serve_operator(struct http_request *request); /* /admin/<call> on the admin socket */
