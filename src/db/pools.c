/* Address pools as the operator edits them. Which address a VPS gets is addresses.c's. */
#include "db/pool_range.h"
#include "db/query.h"
#include "base/text.h"
#include <string.h>

#define POOL_COLUMNS \
	"o.name, n.alias, o.cidr, o.gateway, o.first, o.last, " \
	"(SELECT count(*) FROM address a WHERE a.pool_id = o.id)"
#define POOL_FROM " FROM pool o JOIN node n ON n.id = o.node_id"

static void pool_read(struct query *query, struct arena *arena, void *place)
{
	struct address_pool *pool = place;
	struct pool_range range;
	pool->name = query_text(query, arena);
	pool->node_alias = query_text(query, arena);
	pool->cidr = query_text(query, arena);
	pool->gateway = query_text(query, arena);
	pool->first = query_text(query, arena);
	pool->last = query_text(query, arena);
	pool->used_count = query_int(query);
	if (pool_range_of(pool, &range, NULL) < 0)
		query->is_broken = true;
	else
		pool->total_count = pool_range_count(&range);
}

static const struct row_reader reader = {sizeof(struct address_pool), pool_read};

struct pool_change {
	const struct address_pool *pool;
	struct pool_range range;
	int64_t id, node_id;
};

/* No address may be in two pools. The networks may overlap: one /24 can serve two nodes. */
static int check_overlap(struct connection *connection, const struct pool_change *change, struct error *err)
{
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	owned_in(query_done) struct query query = QUERY_INIT;
	const struct number_bounds *mine = &change->range.bounds;
	int rc = query_start(&query, connection, "SELECT " POOL_COLUMNS POOL_FROM " WHERE o.name <> $1",
		BIND(AS_TEXT(change->pool->name)), err);
	while (rc >= 0 && (rc = query_next(&query, err)) > 0) {
		struct address_pool other;
		struct pool_range range;
		pool_read(&query, &arena, &other);
		rc = pool_range_of(&other, &range, err);
		if (rc < 0)
			return err_wrap(err, "pool %s", other.name);
		if (range.family == change->range.family && range.bounds.first <= mine->last &&
			mine->first <= range.bounds.last)
			return err_say(
				err, ERR_INVALID, "the range overlaps with the one of pool %s", other.name);
	}
	return rc;
}

/* Addresses in use keep pool, node and network. */
static int check_used(struct connection *connection, const struct pool_change *change, struct error *err)
{
	int64_t id, blocked;
	const struct pool_range *range = &change->range;
	int rc = query_maybe_number(connection, "SELECT id FROM pool WHERE name = $1",
		BIND(AS_TEXT(change->pool->name)), &id, err);
	if (rc <= 0)
		return rc;
	rc = query_number(connection,
		"SELECT count(*) FROM address a JOIN pool o ON o.id = a.pool_id WHERE a.pool_id = $1 AND"
		" (a.family <> $2 OR o.node_id <> $3 OR a.number < $4 OR a.number > $5 OR a.number = $6"
		" OR o.prefix_len <> $7)",
		BIND(AS_INT(id), AS_INT(range->family), AS_INT(change->node_id), AS_INT(range->network_first),
			AS_INT(range->network_last), AS_INT(range->bounds.hole),
			AS_INT(range->family == 4 ? range->prefix_len : 64)),
		&blocked, err);
	if (rc < 0)
		return rc;
	if (blocked > 0)
		return err_say(err, ERR_EXISTS,
			"addresses of pool %s are in use: its node and network stay, and its gateway must be "
			"free",
			change->pool->name);
	return 0;
}

static int write_pool(struct connection *connection, struct pool_change *change, struct error *err)
{
	const struct address_pool *pool = change->pool;
	const struct pool_range *range = &change->range;
	return query_number(connection,
		"INSERT INTO pool (name, node_id, family, prefix_len, cidr, gateway, first, last)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO UPDATE SET"
		" node_id = excluded.node_id, family = excluded.family, prefix_len = excluded.prefix_len,"
		" cidr = excluded.cidr, gateway = excluded.gateway, first = excluded.first,"
		" last = excluded.last RETURNING id",
		BIND(AS_TEXT(pool->name), AS_INT(change->node_id), AS_INT(range->family),
			AS_INT(range->family == 4 ? range->prefix_len : 64), AS_TEXT(pool->cidr),
			AS_TEXT(pool->gateway ? pool->gateway : ""), AS_TEXT(pool->first ? pool->first : ""),
			AS_TEXT(pool->last ? pool->last : "")),
		&change->id, err);
}

static int set_pool(struct connection *connection, void *context, struct error *err)
{
	static const char used_numbers[] = "SELECT number FROM address WHERE pool_id = $1 ORDER BY number";
	struct pool_change *change = context;
	int rc = connection_lock_numbers(connection, err);
	if (rc < 0)
		return rc;
	rc = query_number(connection, "SELECT id FROM node WHERE alias = $1",
		BIND(AS_TEXT(change->pool->node_alias)), &change->node_id, err);
	if (rc == -ERR_NOT_FOUND)
		return err_say(err, ERR_NOT_FOUND, "no node %s", change->pool->node_alias);
	if (rc == 0)
		rc = check_overlap(connection, change, err);
	if (rc == 0)
		rc = check_used(connection, change, err);
	if (rc == 0)
		rc = write_pool(connection, change, err);
	if (rc < 0)
		return rc;
	struct number_owner owner = {.kind = "pool", .id = change->id};
	return ranges_rebuild(connection, &owner, &change->range.bounds, used_numbers, err);
}

int db_pool_set(struct db *db, const struct address_pool *pool, struct error *err)
{
	struct pool_change change = {.pool = pool};
	int rc = pool_range_of(pool, &change.range, err);
	return rc < 0 ? rc : db_transact(db, set_pool, &change, err);
}

int db_pool_list(
	struct db *db, struct arena *arena, struct address_pool **ret, size_t *ret_count, struct error *err)
{
	return db_all(db, "SELECT " POOL_COLUMNS POOL_FROM " ORDER BY o.name", BIND_NONE, &reader, arena,
		(void **)ret, ret_count, err);
}

static int remove_pool(struct connection *connection, void *context, struct error *err)
{
	const char *name = context;
	int64_t id;
	int rc = connection_lock_numbers(connection, err);
	if (rc == 0)
		rc = query_number(
			connection, "SELECT id FROM pool WHERE name = $1", BIND(AS_TEXT(name)), &id, err);
	if (rc == -ERR_NOT_FOUND)
		return err_say(err, ERR_NOT_FOUND, "no pool %s", name);
	if (rc == 0)
		rc = ranges_remove(connection, &(struct number_owner){"pool", id}, err);
	if (rc == 0)
		rc = query_exec(connection, "DELETE FROM pool WHERE id = $1", BIND(AS_INT(id)), err);
	if (rc == -ERR_NOT_FOUND)
		return err_say(err, ERR_EXISTS, "addresses of pool %s are in use", name);
	return rc < 0 ? rc : 0;
}

int db_pool_remove(struct db *db, const char *name, struct error *err)
{
	return db_transact(db, remove_pool, (void *)name, err);
}
