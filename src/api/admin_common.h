/* What the operator's handlers share: finding the node and the VPS they speak of, and queueing work. */
#pragma once
#include "api/call.h"
#include "json/writer.h"

/* The node of that name, or the only one when ALIAS is NULL. */
int admin_find_node(struct call *call, const char *alias, struct node *ret, struct error *err);
/* The VPS, deleted ones included. */
int admin_find_vps(struct call *call, int64_t veid, struct vps *ret, struct error *err);
/* "creating", "active", "suspended", "failed" or "deleted". */
const char *admin_state_name(const struct vps *vps);
/* Puts work into the store and tells the node; a node that is away finds it later. ARGS_JSON is a JSON
 * object. */
int admin_queue(struct call *call, const struct node *node, int64_t veid, const char *kind, const char *title,
	const char *args_json, int64_t *ret_work, struct error *err);
void admin_poke(struct call *call, const struct node *node);
