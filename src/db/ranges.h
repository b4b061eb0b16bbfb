/* Free numbers: addresses of a pool, ports of a node. They are kept as ranges, so the lowest free one is
 * found, and one is given back, in a few look-ups however many there are. Callers hold
 * connection_lock_numbers() or an equal lock. */
#pragma once
#include "db/connection.h"

struct number_owner {
	const char *kind; /* "pool" or "port" */
	int64_t id;
};

/* ERR_NOT_FOUND when none is free. */
int ranges_lowest(
	struct connection *connection, const struct number_owner *owner, int64_t *ret, struct error *err);
/* The same, and it is free no more. */
int ranges_take_lowest(
	struct connection *connection, const struct number_owner *owner, int64_t *ret, struct error *err);
int ranges_give_back(
	struct connection *connection, const struct number_owner *owner, int64_t number, struct error *err);

struct number_bounds {
	int64_t first, last; /* none at all when last is below first */
	int64_t hole;	     /* never handed out; NUMBER_NONE when there is no such number */
};
#define NUMBER_NONE INT64_MIN
/* Whether BOUNDS hand NUMBER out. */
bool bounds_hold(const struct number_bounds *bounds, int64_t number);

/* Makes all of BOUNDS free but those USED_SQL gives: numbers in ascending order, $1 is the owner's id. */
int ranges_rebuild(struct connection *connection, const struct number_owner *owner,
	const struct number_bounds *bounds, const char *used_sql, struct error *err);
int ranges_remove(struct connection *connection, const struct number_owner *owner, struct error *err);
