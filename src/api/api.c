/* Opening the API, and what handlers ask of it. */
#include "api/inner.h"
#include "base/memory.h"
#include <sodium.h>

int api_open(const struct api_config *config, struct db *db, struct api **ret, struct error *err)
{
	owned(api_close) struct api *api = mem_new(struct api);
	api->config = *config;
	api->db = db;
	if (sodium_init() < 0)
		return err_set(err, ERR_INTERNAL, "libsodium does not start");
	int rc = db_secret(db, "api_key_hash", api->key_secret, err);
	if (rc == 0)
		rc = limits_open(api, err);
	if (rc < 0)
		return rc;
	*ret = take(api);
	return 0;
}

void api_close(struct api *api)
{
	if (api->points)
		counters_free(api->points);
	if (api->guesses)
		counters_free(api->guesses);
	mem_wipe(api->key_secret, sizeof(api->key_secret));
	free(api);
}

int call_ask_node(struct call *call, const char *endpoint, enum node_message message, const void *args,
	void *reply, struct error *err)
{
	return node_ask(endpoint, message, args, reply, call->arena, err);
}

int call_ask(struct call *call, enum node_message message, const void *args, void *reply, struct error *err)
{
	return call_ask_node(call, call->vps->node.endpoint, message, args, reply, err);
}

int call_points_left(struct call *call, int64_t *ret_15min, int64_t *ret_24h, struct error *err)
{
	int64_t used[COUNTER_WINDOWS];
	int rc = limits_points_used(call->api, call->vps->veid, used, err);
	if (rc < 0)
		return rc;
	*ret_15min = used[0] < call->api->config.points_15min ? call->api->config.points_15min - used[0] : 0;
	*ret_24h = used[1] < call->api->config.points_24h ? call->api->config.points_24h - used[1] : 0;
	return 0;
}

const char *call_node_endpoint(const struct call *call)
{
	return call->api->config.node_endpoint;
}
