/* Nodes: the machines VPSs run on, and the ports each forwards. */
#include "db/ranges.h"
#include "db/rows.h"

enum { PORT_MIN = 1024, PORT_MAX = 32767 }; /* above it the kernel picks ports for outgoing connections */

void node_read(struct query *query, struct arena *arena, void *place)
{
	struct node *node = place;
	node->id = query_int(query);
	node->alias = query_text(query, arena);
	node->location_id = query_text(query, arena);
	node->ip = query_text(query, arena);
	node->endpoint = query_text(query, arena);
	node->port_first = query_int(query);
	node->port_last = query_int(query);
}

static const struct row_reader reader = {sizeof(struct node), node_read};

struct node_change {
	const struct node *node;
	int64_t id;
};

static int set_node(struct connection *connection, void *context, struct error *err)
{
	static const char used_ports[] =
		"SELECT ssh_port FROM vps WHERE node_id = $1 AND ssh_port <> 22 ORDER BY ssh_port";
	struct node_change *change = context;
	const struct node *node = change->node;
	int rc = connection_lock_numbers(connection, err);
	if (rc == 0)
		rc = query_number(connection,
			"INSERT INTO node (alias, location_id, ip, endpoint, port_first, port_last)"
			" VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (alias) DO UPDATE SET"
			" location_id = excluded.location_id, ip = excluded.ip, endpoint = excluded.endpoint,"
			" port_first = excluded.port_first, port_last = excluded.port_last RETURNING id",
			BIND(AS_TEXT(node->alias), AS_TEXT(node->location_id), AS_TEXT(node->ip),
				AS_TEXT(node->endpoint), AS_INT(node->port_first), AS_INT(node->port_last)),
			&change->id, err);
	if (rc == -ERR_NOT_FOUND)
		return err_say(err, ERR_NOT_FOUND, "no location %s", node->location_id);
	if (rc < 0)
		return rc;
	struct number_owner owner = {.kind = "port", .id = change->id};
	struct number_bounds bounds = {
		.first = node->port_first, .last = node->port_last, .hole = NUMBER_NONE};
	if (node->port_first == 0)
		bounds.last = -1;
	return ranges_rebuild(connection, &owner, &bounds, used_ports, err);
}

int db_node_set(struct db *db, const struct node *node, int64_t *ret_id, struct error *err)
{
	bool has_ports = node->port_first != 0 || node->port_last != 0;
	if (has_ports && (node->port_first < PORT_MIN || node->port_last > PORT_MAX ||
				 node->port_last < node->port_first))
		return err_say(err, ERR_INVALID,
			"the ports of a node must be a range within %d to %d, or 0 for none", PORT_MIN,
			PORT_MAX);
	struct node_change change = {.node = node};
	int rc = db_transact(db, set_node, &change, err);
	if (rc < 0)
		return rc;
	*ret_id = change.id;
	return 0;
}

int db_node_list(struct db *db, struct arena *arena, struct node **ret, size_t *ret_count, struct error *err)
{
	return db_all(db, "SELECT " NODE_COLUMNS " FROM node n ORDER BY n.alias", BIND_NONE, &reader, arena,
		(void **)ret, ret_count, err);
}

int db_node_by_alias(
	struct db *db, const char *alias, struct arena *arena, struct node *ret, struct error *err)
{
	int rc = db_one(db, "SELECT " NODE_COLUMNS " FROM node n WHERE n.alias = $1", BIND(AS_TEXT(alias)),
		&reader, arena, ret, err);
	if (rc == -ERR_NOT_FOUND)
		return err_say(err, ERR_NOT_FOUND, "no node %s", alias);
	return rc;
}

/* Its pools, templates and works go with it; its VPSs keep it. */
static int remove_node(struct connection *connection, void *context, struct error *err)
{
	const char *alias = context;
	int64_t id;
	int rc = connection_lock_numbers(connection, err);
	if (rc == 0)
		rc = query_number(
			connection, "SELECT id FROM node WHERE alias = $1", BIND(AS_TEXT(alias)), &id, err);
	if (rc == -ERR_NOT_FOUND)
		return err_say(err, ERR_NOT_FOUND, "no node %s", alias);
	if (rc == 0)
		rc = query_exec(connection,
			"DELETE FROM free_range WHERE (kind = 'port' AND owner_id = $1) OR"
			" (kind = 'pool' AND owner_id IN (SELECT id FROM pool WHERE node_id = $1))",
			BIND(AS_INT(id)), err);
	if (rc >= 0)
		rc = query_exec(connection, "DELETE FROM node WHERE id = $1", BIND(AS_INT(id)), err);
	if (rc == -ERR_NOT_FOUND)
		return err_say(err, ERR_EXISTS, "node %s still has a VPS", alias);
	return rc < 0 ? rc : 0;
}

int db_node_remove(struct db *db, const char *alias, struct error *err)
{
	return db_transact(db, remove_node, (void *)alias, err);
}
