/* The operator's calls: POST /admin/<call> with a JSON object, on a socket only root (and the daemon's own
 * user) can open. */
#include "api/inner.h"
#include "base/log.h"
#include "base/text.h"
#include <string.h>
#include <unistd.h>

static const char prefix[] = "/admin/";

static void serve(struct http_request *request)
{
	struct api *api = request->context;
	const struct call_row *row = request->state;
	struct error err = {0};
	struct param *params;
	size_t count;
	void *args = arena_alloc(&request->arena, row->args.size + 1);
	void *reply = arena_alloc(&request->arena, row->reply.size + 1);
	struct call call = {.api = api, .db = api->db, .row = row, .arena = &request->arena};
	int rc = params_collect(request, &params, &count, &err);
	if (rc == 0)
		rc = record_from_params(&row->args, params, count, &request->arena, args, &err);
	if (rc == 0)
		rc = row->run(&call, args, reply, &err);
	if (rc == 0) {
		log_write(row->options.flags & CALL_READS ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, "operator: %s",
			row->wire);
		answer_reply(request, row, reply);
		return;
	}
	log_info("operator: %s failed: %s", row->wire, err.message);
	answer_operator_error(request, &err);
}

void api_serve_operator(struct http_request *request)
{
	struct error err = {0};
	bool allowed = request->peer_uid == 0 || request->peer_uid == geteuid();
	bool is_admin = text_starts(request->path, prefix);
	const struct call_row *row =
		is_admin ? call_row_find(admin_rows, admin_row_count, request->path + strlen(prefix)) : NULL;
	if (!allowed)
		err_say(&err, ERR_DENIED, "Only root may do this");
	else if (!row)
		err_say(&err, ERR_UNKNOWN_CALL, "Unknown call: %.100s", request->path);
	if (err.code) {
		answer_operator_error(request, &err);
		return;
	}
	request->state = (void *)row;
	http_defer(request, serve);
}
