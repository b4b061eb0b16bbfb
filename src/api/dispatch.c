/* From a request to a handler and back, the same way for every call: name, parameters, key, points,
 * arguments, lock. */
#include "api/inner.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include <string.h>

/* A customer's call on its way. Lives in the request's arena. */
struct dispatch {
	struct call call;
	struct vps vps;
	void *args, *reply;
	int64_t wait_s; /* for Retry-After */
};

/* The name of the call in "/v1/start", "//v1/start", "/v1/start/" or "/v1/start&veid=1", whose rest becomes
 * parameters; NULL when it is no path of the API. */
static const char *call_name(struct http_request *request)
{
	const char *path = request->path + strspn(request->path, "/");
	if (!text_starts(path, "v1/"))
		return NULL;
	path += strlen("v1/");
	path += strspn(path, "/");
	size_t len = strcspn(path, "&");
	if (path[len] && !http_add_params(request, path + len + 1, strlen(path + len + 1)))
		return NULL;
	while (len && path[len - 1] == '/')
		len--;
	return arena_strndup(&request->arena, path, len);
}

static int read_credentials(const struct param *params, size_t count, int64_t *ret_veid,
	const struct param **ret_key, struct error *err)
{
	const struct param *veid = param_find(params, count, "veid", NULL);
	*ret_key = param_find(params, count, "api_key", NULL);
	if (!veid || !veid->value_len)
		return err_say(err, ERR_MISSING, "veid is missing");
	if (!*ret_key || !(*ret_key)->value_len)
		return err_say(err, ERR_MISSING, "api_key is missing");
	/* A veid that is no number is as wrong as any other. */
	if (strlen(veid->value) != veid->value_len || !text_to_int64(veid->value, 0, INT64_MAX, ret_veid))
		*ret_veid = 0;
	return 0;
}

/* wire.md 4.1: wrong key and wrong veid look the same, and take the same way through the store. */
static int authenticate(struct http_request *request, struct dispatch *dispatch, const struct param *params,
	size_t count, struct error *err)
{
	struct api *api = request->context;
	const struct param *key;
	int64_t veid;
	int rc = read_credentials(params, count, &veid, &key, err);
	if (rc == 0)
		rc = limits_check_source(api, &request->source, &dispatch->wait_s, err);
	if (rc < 0)
		return rc;
	unsigned char hash[HASH_SIZE];
	key_hash(api, key->value, key->value_len, hash);
	rc = db_vps_by_key(api->db, veid, hash, &request->arena, &dispatch->vps, err);
	bool gone = rc == 0 && (dispatch->vps.state == VPS_DELETED || dispatch->vps.state == VPS_FAILED);
	if (gone)
		rc = err_set(err, ERR_DENIED, "VPS %lld is deleted", (long long)veid);
	if (rc == -ERR_DENIED || rc == -ERR_NOT_FOUND) {
		limits_guessed(api, &request->source);
		rc = err_set(err, ERR_DENIED, "wrong key or veid");
	}
	return rc;
}

static int prepare(struct http_request *request, struct dispatch *dispatch, struct error *err)
{
	struct api *api = request->context;
	const struct call_row *row = dispatch->call.row;
	struct param *params;
	size_t count;
	int rc = params_collect(request, &params, &count, err);
	if (rc == 0)
		rc = authenticate(request, dispatch, params, count, err);
	if (rc == 0)
		rc = limits_charge(api, dispatch->vps.veid, row->options.points, &dispatch->wait_s, err);
	if (rc == 0)
		rc = record_from_params(&row->args, params, count, &request->arena, dispatch->args, err);
	if (rc == 0 && (row->options.flags & CALL_CHANGES) && dispatch->vps.suspended)
		rc = err_set(err, ERR_SUSPENDED, "VPS %lld is suspended", (long long)dispatch->vps.veid);
	return rc;
}

/* True when the request was answered because of unfinished work. */
static bool stopped_by_lock(struct http_request *request, struct dispatch *dispatch)
{
	struct work work;
	struct error err;
	if (!(dispatch->call.row->options.flags & (CALL_CHANGES | CALL_LIVE)))
		return false;
	if (db_work_of_vps(dispatch->call.db, dispatch->vps.veid, &request->arena, &work, &err) < 0)
		return false;
	answer_locked(request, &work);
	return true;
}

static void run(struct http_request *request)
{
	struct dispatch *dispatch = request->state;
	const struct call_row *row = dispatch->call.row;
	struct error err = {0};
	if (stopped_by_lock(request, dispatch))
		return;
	if (row->run(&dispatch->call, dispatch->args, dispatch->reply, &err) == 0) {
		answer_reply(request, row, dispatch->reply);
		return;
	}
	/* Work began between the look and the call. */
	if (err.code == ERR_LOCKED && stopped_by_lock(request, dispatch))
		return;
	answer_error(request, &err, 0);
}

static void run_deferred(struct http_request *request)
{
	char id[16];
	random_text(id, 10, TEXT_DIGITS TEXT_LOWER);
	log_id_set(id);
	run(request);
	log_id_set(NULL);
}

static void refuse_unknown(struct http_request *request, const char *name)
{
	struct error err = {0};
	err_say(&err, ERR_UNKNOWN_CALL, "Unknown API call: %.100s", name ? name : "");
	answer_error(request, &err, 0);
}

void api_serve_customer(struct http_request *request)
{
	struct api *api = request->context;
	struct error err = {0};
	const char *name = call_name(request);
	const struct call_row *row = name ? call_row_find(call_rows, call_row_count, name) : NULL;
	if (!row) {
		refuse_unknown(request, name);
		return;
	}
	struct dispatch *dispatch = arena_new(&request->arena, struct dispatch);
	dispatch->call = (struct call){
		.api = api, .db = api->db, .row = row, .vps = &dispatch->vps, .arena = &request->arena};
	dispatch->args = arena_alloc(&request->arena, row->args.size + 1);
	dispatch->reply = arena_alloc(&request->arena, row->reply.size + 1);
	request->state = dispatch;
	if (prepare(request, dispatch, &err) < 0)
		answer_error(request, &err, dispatch->wait_s);
	else if (row->options.flags & CALL_NODE)
		http_defer(request, run_deferred);
	else
		run(request);
}
