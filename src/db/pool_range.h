/* The arithmetic of address pools. An IPv4 address is a number as it is; IPv6 is handed out as /64s, whose
 * number is the upper half of the address with the sign turned, so that numbers sort as addresses do. Pure:
 * no store. */
#pragma once
#include "db/db.h"
#include "db/ranges.h"

struct pool_range {
	int family;	/* 4 or 6 */
	int prefix_len; /* of the network, as written */
	struct number_bounds bounds;
	int64_t network_first, network_last; /* all of the network */
};

/* What POOL hands out; ERR_INVALID says what is wrong with it. */
int pool_range_of(const struct address_pool *pool, struct pool_range *ret, struct error *err);
int64_t pool_range_count(const struct pool_range *range);
/* The canonical text of an address; PLACE holds POOL_TEXT_SIZE bytes. */
enum { POOL_TEXT_SIZE = 46 };
void pool_number_text(int family, int64_t number, char place[POOL_TEXT_SIZE]);
