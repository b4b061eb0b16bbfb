/* Rate points of VPSs and guesses of sources, summed over all api processes. Rows are written in the order of
 * their keys, whatever the caller's order: two processes that lock rows crosswise would wait for each other.
 */
#include "base/memory.h"
#include "db/query.h"
#include <string.h>

enum { DAY_S = 86400, SOURCE_MAX = 45 };

struct points_batch {
	const struct points_delta *deltas;
	struct points_used *used;
	const size_t *order;
	size_t count;
};

static int compare_veids(const void *a, const void *b, void *deltas_)
{
	const struct points_delta *deltas = deltas_;
	int64_t left = deltas[*(const size_t *)a].veid, right = deltas[*(const size_t *)b].veid;
	return (left > right) - (left < right);
}

/* Places of an array in the order COMPARE gives them. */
static size_t *order_of(
	size_t count, int (*compare)(const void *a, const void *b, void *rows), const void *rows)
{
	size_t *order = mem_alloc(count, sizeof(*order));
	for (size_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), compare, (void *)rows);
	return order;
}

/* A window the store knows counts on, a newer one starts at the delta's points; the store's is kept when it
 * is the newer one: another process has just turned the page. */
static const char add_sql[] =
	"INSERT INTO points (veid, window_15min_s, used_15min, window_24h_s, used_24h)"
	" VALUES ($1, $2, $4, $3, $4) ON CONFLICT (veid) DO UPDATE SET"
	" used_15min = excluded.used_15min + CASE WHEN points.window_15min_s >= excluded.window_15min_s"
	" THEN points.used_15min ELSE 0 END,"
	" used_24h = excluded.used_24h + CASE WHEN points.window_24h_s >= excluded.window_24h_s"
	" THEN points.used_24h ELSE 0 END,"
	" window_15min_s = CASE WHEN points.window_15min_s >= excluded.window_15min_s"
	" THEN points.window_15min_s ELSE excluded.window_15min_s END,"
	" window_24h_s = CASE WHEN points.window_24h_s >= excluded.window_24h_s"
	" THEN points.window_24h_s ELSE excluded.window_24h_s END"
	" RETURNING used_15min, used_24h";

static const char read_sql[] =
	"SELECT CASE WHEN window_15min_s >= $2 THEN used_15min ELSE 0 END,"
	" CASE WHEN window_24h_s >= $3 THEN used_24h ELSE 0 END FROM points WHERE veid = $1";

static int add_points(struct connection *connection, const struct points_delta *delta,
	struct points_used *used, struct error *err)
{
	owned_in(query_done) struct query query = QUERY_INIT;
	*used = (struct points_used){0};
	int rc = delta->points ? query_start(&query, connection, add_sql,
					 BIND(AS_INT(delta->veid), AS_INT(delta->window_15min_s),
						 AS_INT(delta->window_24h_s), AS_INT(delta->points)),
					 err)
			       : query_start(&query, connection, read_sql,
					 BIND(AS_INT(delta->veid), AS_INT(delta->window_15min_s),
						 AS_INT(delta->window_24h_s)),
					 err);
	while (rc >= 0 && (rc = query_next(&query, err)) > 0) {
		used->used_15min = query_int(&query);
		used->used_24h = query_int(&query);
	}
	return rc;
}

static int add_points_batch(struct connection *connection, void *context, struct error *err)
{
	const struct points_batch *batch = context;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < batch->count; i++) {
		size_t place = batch->order[i];
		rc = add_points(connection, &batch->deltas[place], &batch->used[place], err);
	}
	return rc;
}

int db_points_add(struct db *db, const struct points_delta *deltas, size_t count, struct points_used *used,
	struct error *err)
{
	owned_mem size_t *order = order_of(count, compare_veids, deltas);
	struct points_batch batch = {.deltas = deltas, .used = used, .order = order, .count = count};
	return db_transact(db, add_points_batch, &batch, err);
}

struct guess_batch {
	const struct guess_delta *deltas;
	int64_t *totals;
	const size_t *order;
	size_t count;
	int64_t newest_s;
};

static int compare_sources(const void *a, const void *b, void *deltas_)
{
	const struct guess_delta *deltas = deltas_;
	return strcmp(deltas[*(const size_t *)a].source, deltas[*(const size_t *)b].source);
}

static int add_guesses(
	struct connection *connection, const struct guess_delta *delta, int64_t *total, struct error *err)
{
	static const char sql[] =
		"INSERT INTO guess (source, window_s, total) VALUES ($1, $2, $3)"
		" ON CONFLICT (source) DO UPDATE SET total = excluded.total"
		" + CASE WHEN guess.window_s >= excluded.window_s THEN guess.total ELSE 0 END,"
		" window_s = CASE WHEN guess.window_s >= excluded.window_s"
		" THEN guess.window_s ELSE excluded.window_s END RETURNING total";
	*total = 0;
	int rc =
		delta->count
			? query_maybe_number(connection, sql,
				  BIND(AS_TEXT(delta->source), AS_INT(delta->window_s), AS_INT(delta->count)),
				  total, err)
			: query_maybe_number(connection,
				  "SELECT total FROM guess WHERE source = $1 AND window_s >= $2",
				  BIND(AS_TEXT(delta->source), AS_INT(delta->window_s)), total, err);
	return rc < 0 ? rc : 0;
}

static int add_guesses_batch(struct connection *connection, void *context, struct error *err)
{
	const struct guess_batch *batch = context;
	for (size_t i = 0; i < batch->count; i++) {
		size_t place = batch->order[i];
		int rc = add_guesses(connection, &batch->deltas[place], &batch->totals[place], err);
		if (rc < 0)
			return rc;
	}
	int rc = query_exec(connection, "DELETE FROM guess WHERE window_s < $1",
		BIND(AS_INT(batch->newest_s - DAY_S)), err);
	return rc < 0 ? rc : 0;
}

int db_guesses_add(
	struct db *db, const struct guess_delta *deltas, size_t count, int64_t *totals, struct error *err)
{
	struct guess_batch batch = {.deltas = deltas, .totals = totals, .count = count};
	for (size_t i = 0; i < count; i++) {
		if (strlen(deltas[i].source) > SOURCE_MAX)
			return err_set(err, ERR_INVALID, "a source of guesses is an address");
		if (deltas[i].window_s > batch.newest_s)
			batch.newest_s = deltas[i].window_s;
	}
	owned_mem size_t *order = order_of(count, compare_sources, deltas);
	batch.order = order;
	return db_transact(db, add_guesses_batch, &batch, err);
}
