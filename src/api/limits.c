/* Points a VPS may spend, and wrong keys a source may try (wire.md 4.3). */
#include "api/inner.h"
#include "base/clock.h"
#include "base/memory.h"
#include <arpa/inet.h>
#include <string.h>

static const int64_t window_lengths_s[COUNTER_WINDOWS] = {WINDOW_15MIN_S, WINDOW_24H_S};

static struct counter_key key_of_veid(int64_t veid)
{
	struct counter_key key = {{0}};
	memcpy(key.bytes, &veid, sizeof(veid));
	return key;
}

static int64_t veid_of_key(const struct counter_key *key)
{
	int64_t veid;
	memcpy(&veid, key->bytes, sizeof(veid));
	return veid;
}

static int flush_points(void *context, struct counter_change *changes, size_t count, struct error *err)
{
	struct api *api = context;
	struct points_delta *deltas = mem_alloc(count, sizeof(*deltas));
	struct points_used *used = mem_alloc(count, sizeof(*used));
	for (size_t i = 0; i < count; i++)
		deltas[i] = (struct points_delta){.veid = veid_of_key(&changes[i].key),
			.window_15min_s = changes[i].window_s[0],
			.window_24h_s = changes[i].window_s[1],
			.points = changes[i].delta};
	int rc = db_points_add(api->db, deltas, count, used, err);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		changes[i].total[0] = used[i].used_15min;
		changes[i].total[1] = used[i].used_24h;
	}
	free(deltas);
	free(used);
	return rc;
}

/* One customer's IPv6 addresses are a /64: they count as one source. */
static struct counter_key key_of_source(const struct in6_addr *source)
{
	struct counter_key key;
	memcpy(key.bytes, source->s6_addr, sizeof(key.bytes));
	if (!IN6_IS_ADDR_V4MAPPED(source))
		memset(key.bytes + 8, 0, 8);
	return key;
}

static int flush_guesses(void *context, struct counter_change *changes, size_t count, struct error *err)
{
	struct api *api = context;
	struct guess_delta *deltas = mem_alloc(count, sizeof(*deltas));
	int64_t *totals = mem_alloc(count, sizeof(*totals));
	char(*sources)[INET6_ADDRSTRLEN] = mem_alloc(count, sizeof(*sources));
	for (size_t i = 0; i < count; i++) {
		inet_ntop(AF_INET6, changes[i].key.bytes, sources[i], sizeof(sources[i]));
		deltas[i] = (struct guess_delta){
			.source = sources[i], .window_s = changes[i].window_s[0], .count = changes[i].delta};
	}
	int rc = db_guesses_add(api->db, deltas, count, totals, err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		changes[i].total[0] = totals[i];
	free(deltas);
	free(totals);
	free(sources);
	return rc;
}

int limits_open(struct api *api, struct error *err)
{
	int rc = counters_new(window_lengths_s, flush_points, api, &api->points, err);
	return rc < 0 ? rc : counters_new(window_lengths_s, flush_guesses, api, &api->guesses, err);
}

static int refuse(int64_t wait_s, struct error *err)
{
	return err_say(err, ERR_RATE_LIMIT,
		"Rate limit exceeded: too many requests, try again in %lld seconds", (long long)wait_s);
}

int limits_charge(struct api *api, int64_t veid, int64_t points, int64_t *ret_wait_s, struct error *err)
{
	const int64_t budget[COUNTER_WINDOWS] = {api->config.points_15min, api->config.points_24h};
	if (!points ||
		counters_spend(api->points, key_of_veid(veid), points, budget, clock_unix_s(), ret_wait_s))
		return 0;
	return refuse(*ret_wait_s, err);
}

int limits_points_used(struct api *api, int64_t veid, int64_t used[COUNTER_WINDOWS], struct error *err)
{
	return counters_read(api->points, key_of_veid(veid), clock_unix_s(), used, err);
}

/* Only the window of a quarter of an hour bounds guesses. */
int limits_check_source(
	struct api *api, const struct in6_addr *source, int64_t *ret_wait_s, struct error *err)
{
	int64_t used[COUNTER_WINDOWS], now_s = clock_unix_s();
	counters_used(api->guesses, key_of_source(source), now_s, used);
	if (used[0] < api->config.guesses_15min)
		return 0;
	*ret_wait_s = WINDOW_15MIN_S - now_s % WINDOW_15MIN_S;
	return refuse(*ret_wait_s, err);
}

void limits_guessed(struct api *api, const struct in6_addr *source)
{
	static const int64_t unlimited[COUNTER_WINDOWS] = {INT64_MAX, INT64_MAX};
	int64_t ignored;
	counters_spend(api->guesses, key_of_source(source), 1, unlimited, clock_unix_s(), &ignored);
}
