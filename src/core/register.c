/* Writes this node into the store: on a fresh installation with a location and a pool of NAT addresses, so
 * that Moa works on its embedded defaults; later only what the pool has on offer. */
#include "core/inner.h"
#include "base/log.h"
#include "base/clock.h"
#include "base/memory.h"

enum { FIRST_PORT = 20000, LAST_PORT = 32767 };

/* The templates a simulated node says it has. */
static const char *const simulated_templates[] = {"debian-12-x86_64", "ubuntu-24.04-x86_64"};

static int add_node(struct host *host, struct node *node, struct error *err)
{
	char address[46];
	net_host_address(address);
	struct location location = {.id = "HOME_1",
		.name = "This machine",
		.datacenter = "This machine (DC1)",
		.ipv6_ready = false};
	struct location *locations;
	size_t count;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	int rc = db_location_list(host->db, &arena, &locations, &count, err);
	if (rc == 0 && count == 0)
		rc = db_location_set(host->db, &location, err);
	*node = (struct node){.alias = host->config.alias,
		.location_id = rc == 0 && count ? locations[0].id : location.id,
		.ip = address,
		.endpoint = host->config.endpoint,
		.port_first = FIRST_PORT,
		.port_last = LAST_PORT};
	if (rc == 0)
		rc = db_node_set(host->db, node, &host->node_id, err);
	if (rc < 0 || !host->config.network[0])
		return rc;
	struct address_pool pool = {.name = arena_printf(&arena, "%s-nat", host->config.alias),
		.node_alias = host->config.alias,
		.cidr = host->config.network,
		.gateway = host->config.net.gateway,
		.first = "",
		.last = ""};
	return db_pool_set(host->db, &pool, err);
}

int host_register(struct host *host, struct error *err)
{
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct node node;
	int rc = db_node_by_alias(host->db, host->config.alias, &arena, &node, err);
	if (rc == -ERR_NOT_FOUND) {
		log_info("adding this machine to the store as node %s", host->config.alias);
		rc = add_node(host, &node, err);
	} else if (rc == 0) {
		host->node_id = node.id;
	}
	return rc < 0 ? err_wrap(err, "registering the node") : 0;
}

struct template_rows {
	struct arena *arena;
	struct template_row *rows;
	size_t count, capacity;
	int64_t node_id;
};

static void add_row(struct template_rows *list, const char *name, enum vps_type type, int64_t size_bytes,
	int64_t created_s)
{
	if (list->count == list->capacity) {
		list->capacity = list->capacity ? 2 * list->capacity : 16;
		list->rows = mem_resize(list->rows, list->capacity, sizeof(*list->rows));
	}
	list->rows[list->count++] = (struct template_row){.name = arena_strdup(list->arena, name),
		.type = type,
		.node_id = list->node_id,
		.size_bytes = size_bytes,
		.created_s = created_s};
}

static void found_template(void *context, const struct template_info *info)
{
	if (info->has_kvm)
		add_row(context, info->name, VPS_KVM, info->size_bytes, info->created_s);
	if (info->has_ovz)
		add_row(context, info->name, VPS_OVZ, info->size_bytes, info->created_s);
}

int host_sync_templates(struct host *host, struct error *err)
{
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct template_rows list = {.arena = &arena, .node_id = host->node_id};
	int rc = 0;
	if (!host->config.simulated)
		rc = template_list(host->pool, found_template, &list, err);
	for (size_t i = 0; host->config.simulated && i < ARRAY_LEN(simulated_templates); i++) {
		add_row(&list, simulated_templates[i], VPS_KVM, 0, clock_unix_s());
		add_row(&list, simulated_templates[i], VPS_OVZ, 0, clock_unix_s());
	}
	if (rc == 0)
		rc = db_template_replace(host->db, host->node_id, list.rows, list.count, err);
	free(list.rows);
	return rc;
}
