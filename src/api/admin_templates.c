/* Templates, and work as such. */
#include "api/admin_common.h"

/* A JSON object of texts; NULL values are left out. Ends with a NULL key. */
static const char *json_of(struct call *call, const char *const *pairs)
{
	owned_in(buffer_done) struct buffer body = BUFFER_INIT(0);
	struct json_writer writer = JSON_WRITER(&body);
	json_open_object(&writer, NULL);
	for (; pairs[0]; pairs += 2)
		if (pairs[1])
			json_add_text(&writer, pairs[0], pairs[1]);
	json_close_object(&writer);
	return arena_strdup(call->arena, body.data);
}

static int queue_on_node(struct call *call, const char *alias, const char *kind, const char *title,
	const char *const *pairs, int64_t *ret_work, struct error *err)
{
	struct node node;
	int rc = admin_find_node(call, alias, &node, err);
	return rc < 0 ? rc : admin_queue(call, &node, 0, kind, title, json_of(call, pairs), ret_work, err);
}

int admin_template_build(struct call *call, const struct template_build_args *args,
	struct template_build_reply *reply, struct error *err)
{
	const char *pairs[] = {"name", args->name, "type", args->type, "mirror", args->mirror, NULL};
	return queue_on_node(call, args->node, "template_build",
		arena_printf(call->arena, "Template build: %s", args->name), pairs, &reply->work, err);
}

int admin_template_import(struct call *call, const struct template_import_args *args,
	struct template_import_reply *reply, struct error *err)
{
	const char *pairs[] = {
		"name", args->name, "type", args->type, "file", args->file, "sha256", args->sha256, NULL};
	return queue_on_node(call, args->node, "template_import",
		arena_printf(call->arena, "Template import: %s", args->name), pairs, &reply->work, err);
}

int admin_template_remove(struct call *call, const struct template_remove_args *args,
	struct template_remove_reply *reply, struct error *err)
{
	const char *pairs[] = {"name", args->name, NULL};
	return queue_on_node(call, args->node, "template_remove",
		arena_printf(call->arena, "Template removal: %s", args->name), pairs, &reply->work, err);
}

static const char *alias_of(const struct node *nodes, size_t count, int64_t id)
{
	for (size_t i = 0; i < count; i++)
		if (nodes[i].id == id)
			return nodes[i].alias;
	return "";
}

int admin_template_list(struct call *call, const struct template_list_args *args,
	struct template_list_reply *reply, struct error *err)
{
	(void)args;
	struct template_row *rows;
	struct node *nodes;
	size_t count, node_count;
	int rc = db_template_list(call->db, 0, NULL, call->arena, &rows, &count, err);
	if (rc == 0)
		rc = db_node_list(call->db, call->arena, &nodes, &node_count, err);
	if (rc < 0)
		return rc;
	reply->templates.items = arena_array(call->arena, count, struct template_entry_record);
	reply->templates.count = count;
	for (size_t i = 0; i < count; i++)
		reply->templates.items[i] = (struct template_entry_record){.name = rows[i].name,
			.type = vps_type_name(rows[i].type),
			.node = alias_of(nodes, node_count, rows[i].node_id),
			.size = rows[i].size_bytes,
			.created = rows[i].created_s};
	return 0;
}

/* ---- work ---- */

enum { WORK_LIST_MAX = 200 };

int admin_work_list(struct call *call, const struct work_list_args *args, struct work_list_reply *reply,
	struct error *err)
{
	struct work *works;
	size_t count;
	int rc = db_work_list(call->db, !args->all, WORK_LIST_MAX, call->arena, &works, &count, err);
	if (rc < 0)
		return rc;
	reply->works.items = arena_array(call->arena, count, struct work_entry_record);
	reply->works.count = count;
	for (size_t i = 0; i < count; i++)
		reply->works.items[i] = (struct work_entry_record){.id = works[i].id,
			.kind = works[i].kind,
			.veid = works[i].veid,
			.state = work_state_name(works[i].state),
			.percent = works[i].percent,
			.message = works[i].message,
			.error = works[i].error,
			.created = works[i].created_s,
			.updated = works[i].updated_s};
	return 0;
}

int admin_work_show(struct call *call, const struct work_show_args *args, struct work_show_reply *reply,
	struct error *err)
{
	struct work work;
	int rc = db_work_get(call->db, args->id, call->arena, &work, err);
	if (rc == -ERR_NOT_FOUND)
		return err_say(err, ERR_NOT_FOUND, "There is no work %lld", (long long)args->id);
	if (rc < 0)
		return rc;
	*reply = (struct work_show_reply){.id = work.id,
		.kind = work.kind,
		.veid = work.veid,
		.state = work_state_name(work.state),
		.percent = work.percent,
		.message = work.message,
		.work_error = work.error};
	return 0;
}
