/* What the api's files share with each other and with no handler. */
#pragma once
#include "api/call.h"
#include "api/counters.h"

enum { HASH_SIZE = 32, WINDOW_15MIN_S = 900, WINDOW_24H_S = 86400 };

struct api {
	struct api_config config;
	struct db *db; /* borrowed */
	struct counters *points, *guesses;
	unsigned char key_secret[HASH_SIZE];
};

/* limits.c: opens both counters. */
int limits_open(struct api *api, struct error *err);
/* Charges a call's points; ERR_RATE_LIMIT with the seconds to wait. */
int limits_charge(struct api *api, int64_t veid, int64_t points, int64_t *ret_wait_s, struct error *err);
/* Over all api processes, as the store has it. */
int limits_points_used(struct api *api, int64_t veid, int64_t used[COUNTER_WINDOWS], struct error *err);
/* Whether this source has guesses left; limits_guessed counts a wrong one. */
int limits_check_source(
	struct api *api, const struct in6_addr *source, int64_t *ret_wait_s, struct error *err);
void limits_guessed(struct api *api, const struct in6_addr *source);

/* keys.c: a keyed hash; keys are high-entropy, so it needs no stretching. */
void key_hash(const struct api *api, const char *key, size_t len, unsigned char hash[HASH_SIZE]);

/* answer.c */
void answer_error(struct http_request *request, const struct error *err, int64_t wait_s);
/* 788888 with what is under way (wire.md 4.2). */
void answer_locked(struct http_request *request, const struct work *work);
void answer_reply(struct http_request *request, const struct call_row *row, const void *reply);
/* An operator sees the whole message. */
void answer_operator_error(struct http_request *request, const struct error *err);

/* params.c: the request's parameters, with a JSON object's members behind them. */
int params_collect(struct http_request *request, struct param **ret, size_t *ret_count, struct error *err);
