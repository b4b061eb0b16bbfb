/* Reading VPSs with everything they belong to. */
#pragma once
#include "db/rows.h"

/* "SELECT … FROM vps v …": to be followed by a WHERE clause and VPS_ORDER. A VPS comes as one row an address,
 * at least one. */
#define VPS_SELECT \
	"SELECT v.veid, v.type, v.state, v.hostname, v.os, v.mac, v.ssh_port, " \
	"v.wanted_running, v.suspended, v.suspension_count, v.abuse_points, v.data_counter_bytes, " \
	"v.data_next_reset_s, " \
	"v.created_s, v.purge_at_s, v.ssh_keys, v.password_hash, " ACCOUNT_COLUMNS ", " NODE_COLUMNS \
	", " LOCATION_COLUMNS ", " PLAN_COLUMNS ", a.address, o.prefix_len, o.gateway, a.ptr FROM vps v " \
	"JOIN account c ON c.id = v.account_id JOIN node n ON n.id = v.node_id " \
	"JOIN location l ON l.id = n.location_id JOIN plan p ON p.id = v.plan_id " \
	"LEFT JOIN address a ON a.veid = v.veid LEFT JOIN pool o ON o.id = a.pool_id "
#define VPS_ORDER " ORDER BY v.veid, a.family, a.number"
enum { VPS_WIDTH = 17 };
#define VPS_JOINED_WIDTH (VPS_WIDTH + ACCOUNT_WIDTH + NODE_WIDTH + LOCATION_WIDTH + PLAN_WIDTH)

/* The one VPS a query gives; returns 0 when it gives none, else 1. */
int vps_read_one(struct query *query, struct arena *arena, struct vps *ret, struct error *err);
/* All it gives, as an array in ARENA. */
int vps_read_all(
	struct query *query, struct arena *arena, struct vps **ret, size_t *ret_count, struct error *err);
