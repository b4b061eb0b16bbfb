#include "node/server.h"
#include "node/handlers.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include <string.h>

struct node_server {
	struct http_server *http;
	struct host *host;
	uid_t api_uid;
	int64_t started_s;
};

static void reply_error(struct http_request *request, const struct error *err)
{
	owned_in(buffer_done) struct buffer body = BUFFER_INIT(0);
	struct json_writer writer = JSON_WRITER(&body);
	json_open_object(&writer, NULL);
	json_add_text(&writer, "error", err_code_name(err->code));
	json_add_text(&writer, "message", err->message);
	json_add_text(&writer, "said", err->said);
	json_close_object(&writer);
	http_reply(request, 200, "application/json", body.data, body.len, NULL);
}

static void reply_data(struct http_request *request, const struct call_row *row, const void *data)
{
	owned_in(buffer_done) struct buffer body = BUFFER_INIT(0);
	struct json_writer writer = JSON_WRITER(&body);
	json_open_object(&writer, NULL);
	json_add_text(&writer, "error", "none");
	record_write(&row->reply, data, &writer);
	json_close_object(&writer);
	http_reply(request, 200, "application/json", body.data, body.len, NULL);
	mem_wipe(body.data, body.len);
}

static int answer(struct http_request *request, const struct call_row *row, void *reply, struct error *err)
{
	struct node_server *server = request->context;
	owned(json_free) struct json *json = NULL;
	void *args = arena_alloc(&request->arena, row->args.size + 1);
	int rc = json_parse(request->body ? request->body : "", request->body_len, &json, err);
	if (rc == 0)
		rc = record_from_json(&row->args, json, &request->arena, args, err);
	if (rc < 0)
		return rc;
	struct node_call call = {
		.host = server->host, .arena = &request->arena, .started_s = server->started_s};
	return row->run(&call, args, reply, err);
}

/* On a worker thread: may block. */
static void serve(struct http_request *request)
{
	struct error err = {0};
	const struct call_row *row =
		call_row_find(node_handler_rows, NODE_MESSAGE_COUNT, request->path + strlen(NODE_PATH));
	if (!row) {
		err_set(&err, ERR_UNKNOWN_CALL, "no message of that name");
		reply_error(request, &err);
		return;
	}
	void *reply = arena_alloc(&request->arena, row->reply.size + 1);
	if (answer(request, row, reply, &err) < 0)
		reply_error(request, &err);
	else
		reply_data(request, row, reply);
}

static void receive(struct http_request *request)
{
	const struct node_server *server = request->context;
	bool allowed = request->peer_uid == 0 || request->peer_uid == server->api_uid;
	if (!allowed || !text_starts(request->path, NODE_PATH) || !text_equal(request->method, "POST")) {
		struct error err = {0};
		err_set(&err, ERR_DENIED, "not a peer of this node");
		log_warning("uid %d asked this node and was refused", (int)request->peer_uid);
		reply_error(request, &err);
		return;
	}
	http_defer(request, serve);
}

int node_server_start(const struct node_server_config *config, struct node_server **ret, struct error *err)
{
	struct node_server *server = mem_new(struct node_server);
	*server = (struct node_server){
		.host = config->host, .api_uid = config->api_uid, .started_s = clock_monotonic_ms() / 1000};
	struct http_server_config http = {.listen_fd = config->listen_fd,
		.is_unix = true,
		.threads = 1,
		.workers = 64,
		.limits = http_default_limits,
		.handler = receive,
		.context = server};
	/* A script or command of 1 MiB, with every byte escaped. */
	http.limits.body_bytes = 8 << 20;
	int rc = http_server_start(&http, &server->http, err);
	if (rc < 0) {
		free(server);
		return err_wrap(err, "node protocol");
	}
	*ret = server;
	return 0;
}

void node_server_stop(struct node_server *server)
{
	http_server_stop(server->http, 15000);
	free(server);
}
