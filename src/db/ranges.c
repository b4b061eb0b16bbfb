/* Free numbers as ranges that neither overlap nor touch. */
#include "db/ranges.h"
#include "db/query.h"

#define OWNER AS_TEXT(owner->kind), AS_INT(owner->id)

bool bounds_hold(const struct number_bounds *bounds, int64_t number)
{
	return number >= bounds->first && number <= bounds->last && number != bounds->hole;
}

static int add_range(struct connection *connection, const struct number_owner *owner, int64_t first,
	int64_t last, struct error *err)
{
	int rc = query_exec(connection,
		"INSERT INTO free_range (kind, owner_id, first, last) VALUES ($1, $2, $3, $4)",
		BIND(OWNER, AS_INT(first), AS_INT(last)), err);
	return rc < 0 ? rc : 0;
}

/* The last number of the range that starts with FIRST, which is gone then; returns 0 when there is none,
 * else 1. */
static int cut_range(struct connection *connection, const struct number_owner *owner, int64_t first,
	int64_t *ret_last, struct error *err)
{
	return query_maybe_number(connection,
		"DELETE FROM free_range WHERE kind = $1 AND owner_id = $2 AND first = $3 RETURNING last",
		BIND(OWNER, AS_INT(first)), ret_last, err);
}

int ranges_lowest(
	struct connection *connection, const struct number_owner *owner, int64_t *ret, struct error *err)
{
	return query_number(connection,
		"SELECT first FROM free_range WHERE kind = $1 AND owner_id = $2 ORDER BY first LIMIT 1",
		BIND(OWNER), ret, err);
}

int ranges_take_lowest(
	struct connection *connection, const struct number_owner *owner, int64_t *ret, struct error *err)
{
	int64_t first, last;
	int rc = ranges_lowest(connection, owner, &first, err);
	if (rc == 0)
		rc = cut_range(connection, owner, first, &last, err);
	if (rc > 0 && first < last)
		rc = add_range(connection, owner, first + 1, last, err);
	if (rc < 0)
		return rc;
	*ret = first;
	return 0;
}

/* Where the range that ends just before NUMBER starts; NUMBER itself when there is none. */
static int range_before(struct connection *connection, const struct number_owner *owner, int64_t number,
	int64_t *ret_first, struct error *err)
{
	owned_in(query_done) struct query query = QUERY_INIT;
	*ret_first = number;
	int rc = query_start(&query, connection,
		"SELECT first, last FROM free_range WHERE kind = $1 AND owner_id = $2 AND first < $3"
		" ORDER BY first DESC LIMIT 1",
		BIND(OWNER, AS_INT(number)), err);
	if (rc >= 0)
		rc = query_next(&query, err);
	if (rc <= 0)
		return rc;
	int64_t first = query_int(&query);
	if (query_int(&query) == number - 1)
		*ret_first = first;
	return 0;
}

int ranges_give_back(
	struct connection *connection, const struct number_owner *owner, int64_t number, struct error *err)
{
	int64_t first, last, ignored;
	int rc = range_before(connection, owner, number, &first, err);
	if (rc == 0 && first < number)
		rc = cut_range(connection, owner, first, &ignored, err);
	if (rc < 0)
		return rc;
	rc = cut_range(connection, owner, number + 1, &last, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		last = number;
	return add_range(connection, owner, first, last, err);
}

/* FIRST to LAST without the hole. */
static int add_around(struct connection *connection, const struct number_owner *owner, int64_t first,
	int64_t last, int64_t hole, struct error *err)
{
	int rc = 0;
	if (hole >= first && hole <= last) {
		if (hole > first)
			rc = add_range(connection, owner, first, hole - 1, err);
		first = hole + 1;
	}
	if (rc == 0 && first <= last)
		rc = add_range(connection, owner, first, last, err);
	return rc;
}

int ranges_rebuild(struct connection *connection, const struct number_owner *owner,
	const struct number_bounds *bounds, const char *used_sql, struct error *err)
{
	owned_in(query_done) struct query query = QUERY_INIT;
	int64_t next = bounds->first;
	int rc = ranges_remove(connection, owner, err);
	if (rc == 0)
		rc = query_start(&query, connection, used_sql, BIND(AS_INT(owner->id)), err);
	while (rc >= 0 && (rc = query_next(&query, err)) > 0) {
		int64_t used = query_int(&query);
		if (used < next || used > bounds->last)
			continue;
		rc = add_around(connection, owner, next, used - 1, bounds->hole, err);
		next = used + 1;
	}
	return rc < 0 ? rc : add_around(connection, owner, next, bounds->last, bounds->hole, err);
}

int ranges_remove(struct connection *connection, const struct number_owner *owner, struct error *err)
{
	int rc = query_exec(
		connection, "DELETE FROM free_range WHERE kind = $1 AND owner_id = $2", BIND(OWNER), err);
	return rc < 0 ? rc : 0;
}
