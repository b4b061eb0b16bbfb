/* Columns and readers of the structs that more than one query gives: a reader takes exactly the columns of
 * its list, in their order. The letters are the tables' names in every query that uses them. */
#pragma once
#include "db/query.h"

#define ACCOUNT_COLUMNS "c.id, c.email, c.ssh_keys, c.created_s"
#define LOCATION_COLUMNS "l.id, l.name, l.datacenter, l.ipv6_ready, l.private_network"
#define NODE_COLUMNS "n.id, n.alias, n.location_id, n.ip, n.endpoint, n.port_first, n.port_last"
#define PLAN_COLUMNS \
	"p.id, p.name, p.disk_bytes, p.ram_bytes, p.swap_bytes, p.cpu_percent, p.process_max, " \
	"p.monthly_data_bytes, p.data_multiplier, p.ipv6_max, p.private_network, p.abuse_points_max"
enum { ACCOUNT_WIDTH = 4, LOCATION_WIDTH = 5, NODE_WIDTH = 7, PLAN_WIDTH = 12 };

void account_read(struct query *query, struct arena *arena, void *account);
void location_read(struct query *query, struct arena *arena, void *location);
void node_read(struct query *query, struct arena *arena, void *node);
void plan_read(struct query *query, struct arena *arena, void *plan);
enum vps_type vps_type_read(struct query *query);
