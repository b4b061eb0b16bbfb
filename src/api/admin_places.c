/* Locations, nodes and pools of addresses. */
#include "api/call.h"

int admin_location_set(struct call *call, const struct location_set_args *args,
	struct location_set_reply *reply, struct error *err)
{
	(void)reply;
	struct location location = {.id = args->id,
		.name = args->name,
		.datacenter = args->datacenter ? args->datacenter : args->name,
		.ipv6_ready = args->ipv6,
		.private_network = args->private_network};
	return db_location_set(call->db, &location, err);
}

int admin_location_list(struct call *call, const struct location_list_args *args,
	struct location_list_reply *reply, struct error *err)
{
	(void)args;
	struct location *locations;
	size_t count;
	int rc = db_location_list(call->db, call->arena, &locations, &count, err);
	if (rc < 0)
		return rc;
	reply->locations.items = arena_array(call->arena, count, struct location_entry_record);
	reply->locations.count = count;
	for (size_t i = 0; i < count; i++)
		reply->locations.items[i] = (struct location_entry_record){.id = locations[i].id,
			.name = locations[i].name,
			.datacenter = locations[i].datacenter,
			.ipv6_ready = locations[i].ipv6_ready,
			.private_network = locations[i].private_network};
	return 0;
}

int admin_location_remove(struct call *call, const struct location_remove_args *args,
	struct location_remove_reply *reply, struct error *err)
{
	(void)reply;
	return db_location_remove(call->db, args->id, err);
}

int admin_node_set(
	struct call *call, const struct node_set_args *args, struct node_set_reply *reply, struct error *err)
{
	(void)reply;
	struct node node = {.alias = args->alias,
		.location_id = args->location,
		.ip = args->ip,
		.endpoint = args->endpoint ? args->endpoint : call_node_endpoint(call),
		.port_first = args->port_first,
		.port_last = args->port_last};
	if (node.port_first > node.port_last)
		return err_say(err, ERR_INVALID, "port_first takes a port that is not above port_last");
	int64_t id;
	return db_node_set(call->db, &node, &id, err);
}

static const char *state_of(struct call *call, const struct node *node)
{
	struct ping_args args;
	struct ping_reply reply;
	struct error err;
	if (call_ask_node(call, node->endpoint, NODE_ping, &args, &reply, &err) == 0)
		return "up";
	return arena_printf(call->arena, "down: %s", err.message);
}

int admin_node_list(struct call *call, const struct node_list_args *args, struct node_list_reply *reply,
	struct error *err)
{
	(void)args;
	struct node *nodes;
	size_t count;
	int rc = db_node_list(call->db, call->arena, &nodes, &count, err);
	if (rc < 0)
		return rc;
	reply->nodes.items = arena_array(call->arena, count, struct node_entry_record);
	reply->nodes.count = count;
	for (size_t i = 0; i < count; i++)
		reply->nodes.items[i] = (struct node_entry_record){.alias = nodes[i].alias,
			.location = nodes[i].location_id,
			.ip = nodes[i].ip,
			.endpoint = nodes[i].endpoint,
			.ports = arena_printf(call->arena, "%lld-%lld", (long long)nodes[i].port_first,
				(long long)nodes[i].port_last),
			.state = state_of(call, &nodes[i])};
	return 0;
}

int admin_node_remove(struct call *call, const struct node_remove_args *args, struct node_remove_reply *reply,
	struct error *err)
{
	(void)reply;
	return db_node_remove(call->db, args->alias, err);
}

int admin_pool_set(
	struct call *call, const struct pool_set_args *args, struct pool_set_reply *reply, struct error *err)
{
	(void)reply;
	struct address_pool pool = {.name = args->name,
		.node_alias = args->node,
		.cidr = args->cidr,
		.gateway = args->gateway ? args->gateway : "",
		.first = args->first ? args->first : "",
		.last = args->last ? args->last : ""};
	return db_pool_set(call->db, &pool, err);
}

int admin_pool_list(struct call *call, const struct pool_list_args *args, struct pool_list_reply *reply,
	struct error *err)
{
	(void)args;
	struct address_pool *pools;
	size_t count;
	int rc = db_pool_list(call->db, call->arena, &pools, &count, err);
	if (rc < 0)
		return rc;
	reply->pools.items = arena_array(call->arena, count, struct pool_entry_record);
	reply->pools.count = count;
	for (size_t i = 0; i < count; i++) {
		bool whole = !pools[i].first[0] && !pools[i].last[0];
		reply->pools.items[i] = (struct pool_entry_record){.name = pools[i].name,
			.node = pools[i].node_alias,
			.cidr = pools[i].cidr,
			.gateway = pools[i].gateway,
			.range = whole ? "all"
				       : arena_printf(call->arena, "%s-%s", pools[i].first, pools[i].last),
			.used = pools[i].used_count,
			.total = pools[i].total_count};
	}
	return 0;
}

int admin_pool_remove(struct call *call, const struct pool_remove_args *args, struct pool_remove_reply *reply,
	struct error *err)
{
	(void)reply;
	return db_pool_remove(call->db, args->name, err);
}
