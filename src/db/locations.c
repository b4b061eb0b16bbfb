/* Locations: where nodes stand, as customers read it. */
#include "db/rows.h"

void location_read(struct query *query, struct arena *arena, void *place)
{
	struct location *location = place;
	location->id = query_text(query, arena);
	location->name = query_text(query, arena);
	location->datacenter = query_text(query, arena);
	location->ipv6_ready = query_bool(query);
	location->private_network = query_bool(query);
}

static const struct row_reader reader = {sizeof(struct location), location_read};

int db_location_set(struct db *db, const struct location *location, struct error *err)
{
	int rc = db_exec(db,
		"INSERT INTO location (id, name, datacenter, ipv6_ready, private_network)"
		" VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET"
		" name = excluded.name, datacenter = excluded.datacenter,"
		" ipv6_ready = excluded.ipv6_ready, private_network = excluded.private_network",
		BIND(AS_TEXT(location->id), AS_TEXT(location->name), AS_TEXT(location->datacenter),
			AS_INT(location->ipv6_ready), AS_INT(location->private_network)),
		err);
	return rc < 0 ? rc : 0;
}

int db_location_list(
	struct db *db, struct arena *arena, struct location **ret, size_t *ret_count, struct error *err)
{
	return db_all(db, "SELECT " LOCATION_COLUMNS " FROM location l ORDER BY l.id", BIND_NONE, &reader,
		arena, (void **)ret, ret_count, err);
}

int db_location_remove(struct db *db, const char *id, struct error *err)
{
	int rc = db_exec(db, "DELETE FROM location WHERE id = $1", BIND(AS_TEXT(id)), err);
	if (rc == -ERR_NOT_FOUND)
		return err_say(err, ERR_EXISTS, "location %s still has a node", id);
	if (rc == 0)
		return err_say(err, ERR_NOT_FOUND, "no location %s", id);
	return rc < 0 ? rc : 0;
}
