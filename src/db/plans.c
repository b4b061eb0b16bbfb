/* Plans: what a VPS gets. Changing one changes it for the VPSs that have it. */
#include "db/rows.h"

void plan_read(struct query *query, struct arena *arena, void *place)
{
	struct plan *plan = place;
	plan->id = query_int(query);
	plan->name = query_text(query, arena);
	plan->disk_bytes = query_int(query);
	plan->ram_bytes = query_int(query);
	plan->swap_bytes = query_int(query);
	plan->cpu_percent = query_int(query);
	plan->process_max = query_int(query);
	plan->monthly_data_bytes = query_int(query);
	plan->data_multiplier = query_int(query);
	plan->ipv6_max = query_int(query);
	plan->private_network = query_bool(query);
	plan->abuse_points_max = query_int(query);
}

static const struct row_reader reader = {sizeof(struct plan), plan_read};

int db_plan_set(struct db *db, const struct plan *plan, int64_t *ret_id, struct error *err)
{
	static const char sql[] =
		"INSERT INTO plan (name, disk_bytes, ram_bytes, swap_bytes, cpu_percent, process_max,"
		" monthly_data_bytes, data_multiplier, ipv6_max, private_network, abuse_points_max)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (name) DO UPDATE SET"
		" disk_bytes = excluded.disk_bytes, ram_bytes = excluded.ram_bytes,"
		" swap_bytes = excluded.swap_bytes, cpu_percent = excluded.cpu_percent,"
		" process_max = excluded.process_max, monthly_data_bytes = excluded.monthly_data_bytes,"
		" data_multiplier = excluded.data_multiplier, ipv6_max = excluded.ipv6_max,"
		" private_network = excluded.private_network, abuse_points_max = excluded.abuse_points_max"
		" RETURNING id";
	return db_number(db, sql,
		BIND(AS_TEXT(plan->name), AS_INT(plan->disk_bytes), AS_INT(plan->ram_bytes),
			AS_INT(plan->swap_bytes), AS_INT(plan->cpu_percent), AS_INT(plan->process_max),
			AS_INT(plan->monthly_data_bytes), AS_INT(plan->data_multiplier),
			AS_INT(plan->ipv6_max), AS_INT(plan->private_network),
			AS_INT(plan->abuse_points_max)),
		ret_id, err);
}

int db_plan_list(struct db *db, struct arena *arena, struct plan **ret, size_t *ret_count, struct error *err)
{
	return db_all(db, "SELECT " PLAN_COLUMNS " FROM plan p ORDER BY p.name", BIND_NONE, &reader, arena,
		(void **)ret, ret_count, err);
}

int db_plan_by_name(struct db *db, const char *name, struct arena *arena, struct plan *ret, struct error *err)
{
	int rc = db_one(db, "SELECT " PLAN_COLUMNS " FROM plan p WHERE p.name = $1", BIND(AS_TEXT(name)),
		&reader, arena, ret, err);
	if (rc == -ERR_NOT_FOUND)
		return err_say(err, ERR_NOT_FOUND, "no plan %s", name);
	return rc;
}

int db_plan_remove(struct db *db, const char *name, struct error *err)
{
	int rc = db_exec(db, "DELETE FROM plan WHERE name = $1", BIND(AS_TEXT(name)), err);
	if (rc == -ERR_NOT_FOUND)
		return err_say(err, ERR_EXISTS, "plan %s is in use", name);
	if (rc == 0)
		return err_say(err, ERR_NOT_FOUND, "no plan %s", name);
	return rc < 0 ? rc : 0;
}
