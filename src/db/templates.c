/* Templates: which systems a node can install. The files are disk/'s; a node tells here what it has. */
#include "db/rows.h"

static void template_read(struct query *query, struct arena *arena, void *place)
{
	struct template_row *row = place;
	row->name = query_text(query, arena);
	row->type = vps_type_read(query);
	row->node_id = query_int(query);
	row->size_bytes = query_int(query);
	row->created_s = query_int(query);
}

static const struct row_reader reader = {sizeof(struct template_row), template_read};

struct replacement {
	int64_t node_id;
	const struct template_row *rows;
	size_t count;
};

static int replace_templates(struct connection *connection, void *context, struct error *err)
{
	const struct replacement *replacement = context;
	int rc = query_exec(connection, "DELETE FROM template WHERE node_id = $1",
		BIND(AS_INT(replacement->node_id)), err);
	for (size_t i = 0; rc >= 0 && i < replacement->count; i++) {
		const struct template_row *row = &replacement->rows[i];
		rc = query_exec(connection,
			"INSERT INTO template (node_id, name, type, size_bytes, created_s) VALUES ($1, $2, "
			"$3, $4, $5)",
			BIND(AS_INT(replacement->node_id), AS_TEXT(row->name),
				AS_TEXT(vps_type_name(row->type)), AS_INT(row->size_bytes),
				AS_INT(row->created_s)),
			err);
	}
	return rc < 0 ? rc : 0;
}

int db_template_replace(
	struct db *db, int64_t node_id, const struct template_row *rows, size_t count, struct error *err)
{
	struct replacement replacement = {.node_id = node_id, .rows = rows, .count = count};
	return db_transact(db, replace_templates, &replacement, err);
}

int db_template_list(struct db *db, int64_t node_id, const enum vps_type *type, struct arena *arena,
	struct template_row **ret, size_t *ret_count, struct error *err)
{
	return db_all(db,
		"SELECT name, type, node_id, size_bytes, created_s FROM template"
		" WHERE (node_id = $1 OR $1 = 0) AND (type = $2 OR $2 = '') ORDER BY name, type, node_id",
		BIND(AS_INT(node_id), AS_TEXT(type ? vps_type_name(*type) : "")), &reader, arena,
		(void **)ret, ret_count, err);
}
