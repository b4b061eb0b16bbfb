/* Handing out addresses and taking them back. */
#include "db/addresses.h"
#include "db/pool_range.h"
#include "db/query.h"

/* The pool of the node with the lowest free IPv4 address. */
static int choose_pool(
	struct connection *connection, int64_t node_id, struct number_owner *ret, struct error *err)
{
	owned_in(query_done) struct query query = QUERY_INIT;
	int64_t lowest = INT64_MAX;
	ret->kind = NULL;
	int rc = query_start(&query, connection,
		"SELECT o.id, (SELECT coalesce(min(r.first), -1) FROM free_range r WHERE r.kind = 'pool'"
		" AND r.owner_id = o.id) FROM pool o WHERE o.node_id = $1 AND o.family = 4",
		BIND(AS_INT(node_id)), err);
	while (rc >= 0 && (rc = query_next(&query, err)) > 0) {
		int64_t id = query_int(&query), first = query_int(&query);
		if (first < 0 || first >= lowest)
			continue;
		lowest = first;
		*ret = (struct number_owner){.kind = "pool", .id = id};
	}
	return rc;
}

static int say_none_free(struct connection *connection, int64_t node_id, struct error *err)
{
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	owned_in(query_done) struct query query = QUERY_INIT;
	int rc = query_start(
		&query, connection, "SELECT alias FROM node WHERE id = $1", BIND(AS_INT(node_id)), err);
	if (rc >= 0)
		rc = query_next(&query, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_say(err, ERR_NOT_FOUND, "no such node");
	return err_say(err, ERR_CAPACITY, "no free IPv4 address on node %s", query_text(&query, &arena));
}

int address_assign(struct connection *connection, int64_t veid, int64_t node_id, struct error *err)
{
	struct number_owner owner;
	int64_t number;
	char text[POOL_TEXT_SIZE];
	int rc = choose_pool(connection, node_id, &owner, err);
	if (rc < 0)
		return rc;
	if (!owner.kind)
		return say_none_free(connection, node_id, err);
	rc = ranges_take_lowest(connection, &owner, &number, err);
	if (rc < 0)
		return rc;
	pool_number_text(4, number, text);
	rc = query_exec(connection,
		"INSERT INTO address (veid, family, number, address, pool_id) VALUES ($1, 4, $2, $3, $4)",
		BIND(AS_INT(veid), AS_INT(number), AS_TEXT(text), AS_INT(owner.id)), err);
	return rc < 0 ? rc : 0;
}

/* Back to the pool, if the pool still hands it out: its range may have changed meanwhile. */
static int release_number(struct connection *connection, int64_t pool_id, int64_t number, struct error *err)
{
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	owned_in(query_done) struct query query = QUERY_INIT;
	struct pool_range range;
	int rc = query_start(&query, connection, "SELECT cidr, gateway, first, last FROM pool WHERE id = $1",
		BIND(AS_INT(pool_id)), err);
	if (rc >= 0)
		rc = query_next(&query, err);
	if (rc <= 0)
		return rc;
	struct address_pool pool = {.name = ""};
	pool.cidr = query_text(&query, &arena);
	pool.gateway = query_text(&query, &arena);
	pool.first = query_text(&query, &arena);
	pool.last = query_text(&query, &arena);
	rc = pool_range_of(&pool, &range, err);
	if (rc < 0 || !bounds_hold(&range.bounds, number))
		return rc;
	return ranges_give_back(connection, &(struct number_owner){"pool", pool_id}, number, err);
}

int addresses_release(struct connection *connection, int64_t veid, struct error *err)
{
	owned_in(query_done) struct query query = QUERY_INIT;
	int rc = query_start(&query, connection, "SELECT pool_id, number FROM address WHERE veid = $1",
		BIND(AS_INT(veid)), err);
	while (rc >= 0 && (rc = query_next(&query, err)) > 0) {
		int64_t pool_id = query_int(&query);
		rc = release_number(connection, pool_id, query_int(&query), err);
	}
	if (rc >= 0)
		rc = query_exec(connection, "DELETE FROM address WHERE veid = $1", BIND(AS_INT(veid)), err);
	return rc < 0 ? rc : 0;
}
