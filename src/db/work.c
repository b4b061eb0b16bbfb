/* Work as rows. A runner asks for the next id above the last it saw, so ids must appear in their order: they
 * come from a row of `sequence`, whose lock is held until the new work is visible. */
#include "db/query.h"
#include "db/work_add.h"

#define WORK_SELECT \
	"SELECT id, node_id, veid, kind, args, state, step, percent, title, message, error, created_s, " \
	"updated_s " \
	"FROM work "
/* As in the indexes of schema.c, which these words must match to be used. */
#define UNFINISHED "state IN ('running', 'undoing')"

static void work_read(struct query *query, struct arena *arena, void *place)
{
	struct work *work = place;
	char state[QUERY_WORD_SIZE];
	work->id = query_int(query);
	work->node_id = query_int(query);
	work->veid = query_int(query);
	work->kind = query_text(query, arena);
	work->args = query_text(query, arena);
	query_word(query, state);
	if (!work_state_from_name(state, &work->state))
		query->is_broken = true;
	work->step = query_int(query);
	work->percent = query_int(query);
	work->title = query_text(query, arena);
	work->message = query_text(query, arena);
	work->error = query_text(query, arena);
	work->created_s = query_int(query);
	work->updated_s = query_int(query);
}

static const struct row_reader reader = {sizeof(struct work), work_read};

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static int locked(int64_t veid, struct error *err)
{
	return err_say(err, ERR_LOCKED, "VPS %lld has unfinished work", (long long)veid);
}

int work_add(struct connection *connection, const struct work *work, int64_t *ret_id, struct error *err)
{
	int64_t id;
	int rc = query_number(connection,
		"UPDATE sequence SET value = value + 1 WHERE name = 'work' RETURNING value", BIND_NONE, &id,
		err);
	if (rc < 0)
		return rc;
	rc = query_exec(connection,
		"INSERT INTO work (id, node_id, veid, kind, args, state, step, percent, title, message, "
		"error,"
		" created_s, updated_s) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
		BIND(AS_INT(id), AS_INT(work->node_id), AS_INT(work->veid), AS_TEXT(work->kind),
			AS_TEXT(or_empty(work->args)), AS_TEXT(work_state_name(work->state)),
			AS_INT(work->step), AS_INT(work->percent), AS_TEXT(or_empty(work->title)),
			AS_TEXT(or_empty(work->message)), AS_TEXT(or_empty(work->error)),
			AS_INT(work->created_s), AS_INT(work->updated_s)),
		err);
	if (rc == -ERR_EXISTS)
		return locked(work->veid, err);
	if (rc == -ERR_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "no node %lld", (long long)work->node_id);
	if (rc < 0)
		return rc;
	*ret_id = id;
	return 0;
}

struct addition {
	const struct work *work;
	int64_t id;
};

static int add_work(struct connection *connection, void *context, struct error *err)
{
	struct addition *addition = context;
	return work_add(connection, addition->work, &addition->id, err);
}

int db_work_add(struct db *db, const struct work *work, int64_t *ret_id, struct error *err)
{
	struct addition addition = {.work = work};
	int rc = db_transact(db, add_work, &addition, err);
	if (rc < 0)
		return rc;
	*ret_id = addition.id;
	return 0;
}

int db_work_next(struct db *db, int64_t node_id, int64_t after_id, struct arena *arena, struct work *ret,
	struct error *err)
{
	return db_one(db, WORK_SELECT "WHERE node_id = $1 AND id > $2 AND " UNFINISHED " ORDER BY id LIMIT 1",
		BIND(AS_INT(node_id), AS_INT(after_id)), &reader, arena, ret, err);
}

int db_work_get(struct db *db, int64_t id, struct arena *arena, struct work *ret, struct error *err)
{
	return db_one(db, WORK_SELECT "WHERE id = $1", BIND(AS_INT(id)), &reader, arena, ret, err);
}

int db_work_of_vps(struct db *db, int64_t veid, struct arena *arena, struct work *ret, struct error *err)
{
	return db_one(db, WORK_SELECT "WHERE veid = $1 AND veid <> 0 AND " UNFINISHED, BIND(AS_INT(veid)),
		&reader, arena, ret, err);
}

int db_work_list(struct db *db, bool unfinished_only, int limit, struct arena *arena, struct work **ret,
	size_t *ret_count, struct error *err)
{
	if (unfinished_only)
		return db_all(db, WORK_SELECT "WHERE " UNFINISHED " ORDER BY id DESC LIMIT $1",
			BIND(AS_INT(limit)), &reader, arena, (void **)ret, ret_count, err);
	return db_all(db, WORK_SELECT "ORDER BY id DESC LIMIT $1", BIND(AS_INT(limit)), &reader, arena,
		(void **)ret, ret_count, err);
}

int db_work_update(struct db *db, const struct work *work, struct error *err)
{
	int rc = db_exec(db,
		"UPDATE work SET step = $2, state = $3, percent = $4, message = $5, error = $6,"
		" updated_s = $7 WHERE id = $1",
		BIND(AS_INT(work->id), AS_INT(work->step), AS_TEXT(work_state_name(work->state)),
			AS_INT(work->percent), AS_TEXT(or_empty(work->message)),
			AS_TEXT(or_empty(work->error)), AS_INT(work->updated_s)),
		err);
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "no work %lld", (long long)work->id);
	if (rc == -ERR_EXISTS)
		return locked(work->veid, err);
	return rc < 0 ? rc : 0;
}
