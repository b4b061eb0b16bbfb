/* Text and numbers of addresses and networks, and which addresses of a network are handed out. */
#include "db/pool_range.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

enum { IPV6_SHORTEST = 16, IPV6_LONGEST = 64 }; /* a /64 is the least there is to hand out */

static const uint64_t sign_bit = UINT64_C(1) << 63;

static bool number_of(const char *text, int family, int64_t *ret)
{
	struct in_addr four;
	struct in6_addr six;
	uint64_t upper;
	if (family == 4) {
		if (inet_pton(AF_INET, text, &four) != 1)
			return false;
		*ret = ntohl(four.s_addr);
		return true;
	}
	if (inet_pton(AF_INET6, text, &six) != 1)
		return false;
	memcpy(&upper, &six, sizeof(upper));
	*ret = (int64_t)(be64toh(upper) ^ sign_bit);
	return true;
}

void pool_number_text(int family, int64_t number, char place[POOL_TEXT_SIZE])
{
	struct in_addr four = {.s_addr = htonl((uint32_t)number)};
	struct in6_addr six = {0};
	uint64_t upper = htobe64((uint64_t)number ^ sign_bit);
	memcpy(&six, &upper, sizeof(upper));
	if (family == 4)
		inet_ntop(AF_INET, &four, place, POOL_TEXT_SIZE);
	else
		inet_ntop(AF_INET6, &six, place, POOL_TEXT_SIZE);
}

/* Whether an IPv6 prefix has anything below its /64s. */
static bool has_lower_half(const char *text)
{
	struct in6_addr six;
	uint64_t lower;
	if (inet_pton(AF_INET6, text, &six) != 1)
		return false;
	memcpy(&lower, &six.s6_addr[8], sizeof(lower));
	return lower != 0;
}

static int parse_network(const char *cidr, struct pool_range *range, struct error *err)
{
	char network[POOL_TEXT_SIZE];
	int64_t prefix_len;
	size_t network_len = strcspn(cidr, "/");
	range->family = strchr(cidr, ':') ? 6 : 4;
	int width = range->family == 4 ? 32 : IPV6_LONGEST;
	if (network_len >= sizeof(network) || cidr[network_len] != '/')
		return err_say(err, ERR_INVALID, "a pool's network must be written like 10.77.0.0/16");
	memcpy(network, cidr, network_len);
	network[network_len] = '\0';
	if (!number_of(network, range->family, &range->network_first) || has_lower_half(network))
		return err_say(err, ERR_INVALID, "%s is not a network", network);
	if (!text_to_int64(
		    cidr + network_len + 1, range->family == 4 ? 0 : IPV6_SHORTEST, width, &prefix_len))
		return err_say(err, ERR_INVALID, "the prefix length of %s must be %d to %d", network,
			range->family == 4 ? 0 : IPV6_SHORTEST, width);
	int64_t host_mask = (INT64_C(1) << (width - prefix_len)) - 1;
	if (range->network_first & host_mask)
		return err_say(err, ERR_INVALID, "%s is not the first address of its network", network);
	range->prefix_len = (int)prefix_len;
	range->network_last = range->network_first + host_mask;
	return 0;
}

/* One end of the range: as written, or FALLBACK. */
static int parse_end(
	const struct pool_range *range, const char *text, int64_t fallback, int64_t *ret, struct error *err)
{
	*ret = fallback;
	if (!text || !text[0])
		return 0;
	if (!number_of(text, range->family, ret))
		return err_say(err, ERR_INVALID, "%s is not an IPv%d address", text, range->family);
	if (*ret < range->network_first || *ret > range->network_last)
		return err_say(err, ERR_INVALID, "%s is not in the pool's network", text);
	return 0;
}

int pool_range_of(const struct address_pool *pool, struct pool_range *ret, struct error *err)
{
	struct pool_range range = {.bounds.hole = NUMBER_NONE};
	int rc = parse_network(pool->cidr, &range, err);
	if (rc < 0)
		return rc;
	if (pool->gateway && pool->gateway[0] && !number_of(pool->gateway, range.family, &range.bounds.hole))
		return err_say(err, ERR_INVALID, "the gateway %s is not an IPv%d address", pool->gateway,
			range.family);
	/* A network of one or two addresses, and any of IPv6, has no broadcast address (RFC 3021). */
	int edge = range.family == 4 && range.prefix_len < 31;
	rc = parse_end(&range, pool->first, range.network_first + edge, &range.bounds.first, err);
	if (rc == 0)
		rc = parse_end(&range, pool->last, range.network_last - edge, &range.bounds.last, err);
	if (rc < 0)
		return rc;
	if (range.bounds.last < range.bounds.first || pool_range_count(&range) == 0)
		return err_say(err, ERR_INVALID, "the pool's range holds no address to hand out");
	*ret = range;
	return 0;
}

int64_t pool_range_count(const struct pool_range *range)
{
	int64_t count = range->bounds.last - range->bounds.first + 1;
	return bounds_hold(&(struct number_bounds){range->bounds.first, range->bounds.last, NUMBER_NONE},
		       range->bounds.hole)
		       ? count - 1
		       : count;
}
