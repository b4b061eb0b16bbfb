/* The way of a request through libmicrohttpd's callbacks: the request line as sent, the header, the pieces of
 * the body, then the handler, perhaps a pause until another thread has answered, and the answer. Requests
 * that break a limit or the protocol are answered here and never reach the handler. */
#include "http/internal.h"
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
	ANSWER_MIN_BYTES_PER_S = 1024, /* a client that reads slower than this for long is cut off */
	LARGE_ANSWER = 65536,	       /* more than surely fits into a socket's buffer: progress is watched */
};

/* The path of "http://host/path", which clients send to proxies, begins behind the host. */
static const char *skip_authority(const char *target)
{
	if (strncmp(target, "http://", 7) != 0 && strncmp(target, "https://", 8) != 0)
		return target;
	target = strstr(target, "://") + 3;
	return target + strcspn(target, "/?");
}

/* The text is libmicrohttpd's own receive buffer, which it goes on to take apart into argument records from
 * the connection's small pool: 200 of them fill it. We parse a copy, so the original gets an empty query. */
static void hide_query(const char *mark)
{
	if (mark[1])
		((char *)(uintptr_t)mark)[1] = '\0';
}

static void keep_target(struct exchange *exchange, const char *uri)
{
	struct arena *arena = &exchange->request.arena;
	exchange->target_len = strlen(uri);
	const char *end = uri + exchange->target_len;
	const char *mark = memchr(uri, '?', exchange->target_len);
	const char *path = skip_authority(uri), *path_end = mark ? mark : end;
	exchange->request.path =
		path < path_end ? arena_strndup(arena, path, (size_t)(path_end - path)) : "/";
	if (!mark)
		return;
	exchange->query_len = (size_t)(end - mark - 1);
	exchange->query = arena_strndup(arena, mark + 1, exchange->query_len);
	hide_query(mark);
}

void *request_line(void *context, const char *uri, struct MHD_Connection *mhd)
{
	struct loop *loop = context;
	struct connection *connection = connection_of(mhd);
	if (!connection->exchange)
		connection->exchange = exchange_new(loop, mhd);
	struct exchange *exchange = connection->exchange;
	exchange->stage = STAGE_HEADER;
	keep_target(exchange, uri ? uri : "");
	return connection;
}

static enum MHD_Result answer_refusal(struct exchange *exchange)
{
	char text[64];
	const char *phrase = MHD_get_reason_phrase_for(exchange->refusal);
	int len = snprintf(text, sizeof(text), "%u %s\n", exchange->refusal, phrase ? phrase : "");
	struct MHD_Response *response =
		MHD_create_response_from_buffer((size_t)len, text, MHD_RESPMEM_MUST_COPY);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	exchange->stage = STAGE_SENDING;
	connection_set_deadline(
		connection_of(exchange->mhd), exchange->loop->server->config.limits.answer_timeout_s);
	enum MHD_Result is_queued = MHD_queue_response(exchange->mhd, exchange->refusal, response);
	MHD_destroy_response(response);
	return is_queued;
}

static enum MHD_Result begin(
	struct exchange *exchange, const char *url, const char *method, const char *version)
{
	const struct http_limits *limits = &exchange->loop->server->config.limits;
	bool has_body = false;
	exchange->refusal = header_read(exchange, method, version, url, &has_body);
	if (exchange->refusal)
		return answer_refusal(exchange);
	exchange->params.limit = limits->param_count;
	exchange->stage = STAGE_BODY;
	if (has_body)
		connection_set_deadline(connection_of(exchange->mhd), limits->body_timeout_s);
	return MHD_YES;
}

/* While a body still comes libmicrohttpd takes no answer, so these bytes go past it, and then the connection
 * ends. */
static enum MHD_Result cut_off(struct exchange *exchange)
{
	static const char answer[] =
		"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(exchange->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (info && info->tls_session)
		gnutls_record_send((gnutls_session_t)info->tls_session, answer, sizeof(answer) - 1);
	else
		send(connection_of(exchange->mhd)->fd, answer, sizeof(answer) - 1,
			MSG_NOSIGNAL | MSG_DONTWAIT);
	return MHD_NO;
}

static enum MHD_Result add_body(struct exchange *exchange, const char *data, size_t *size)
{
	size_t max = exchange->loop->server->config.limits.body_bytes;
	exchange->body_seen += *size;
	if (exchange->body_seen > 2 * max)
		return cut_off(exchange);
	if (exchange->body_seen > max)
		exchange->refusal = MHD_HTTP_CONTENT_TOO_LARGE;
	else
		buffer_add(&exchange->body, data, *size);
	*size = 0;
	return MHD_YES;
}

static unsigned read_params(struct exchange *exchange)
{
	struct http_request *request = &exchange->request;
	if (!params_parse(&request->arena, &exchange->params, exchange->query, exchange->query_len))
		return MHD_HTTP_BAD_REQUEST;
	unsigned refusal = 0;
	request->body = "";
	switch (exchange->form) {
	case FORM_NONE:
		request->body = exchange->body.data;
		request->body_len = exchange->body.len;
		break;
	case FORM_URLENCODED:
		if (!params_parse(
			    &request->arena, &exchange->params, exchange->body.data, exchange->body.len))
			refusal = MHD_HTTP_BAD_REQUEST;
		break;
	case FORM_MULTIPART:
		refusal = exchange->body.len ? form_read(exchange) : 0;
		break;
	}
	request->params = exchange->params.items;
	request->param_count = exchange->params.count;
	return refusal;
}

static enum MHD_Result send_answer(struct exchange *exchange, struct connection *connection)
{
	const struct http_limits *limits = &exchange->loop->server->config.limits;
	size_t len = exchange->answer.len;
	exchange->stage = STAGE_SENDING;
	connection_set_deadline(
		connection, limits->answer_timeout_s + (unsigned)(len / ANSWER_MIN_BYTES_PER_S));
	if (len > LARGE_ANSWER) {
		MHD_set_connection_option(
			exchange->mhd, MHD_CONNECTION_OPTION_TIMEOUT, limits->answer_timeout_s);
		connection->has_own_timeout = true;
	}
	if (exchange->loop->is_closing)
		MHD_add_response_header(exchange->response, MHD_HTTP_HEADER_CONNECTION, "close");
	enum MHD_Result is_queued = MHD_queue_response(exchange->mhd, exchange->status, exchange->response);
	MHD_destroy_response(take(exchange->response));
	return is_queued;
}

/* The handler has answered, or some thread will: then the connection sleeps until http_reply wakes it. */
static enum MHD_Result dispatch(struct exchange *exchange, struct connection *connection)
{
	struct http_request *request = &exchange->request;
	const struct http_server_config *config = &exchange->loop->server->config;
	if (!exchange->refusal)
		exchange->refusal = read_params(exchange);
	if (exchange->refusal)
		return answer_refusal(exchange);
	request->source = connection->address;
	request->peer_uid = connection->peer_uid;
	request->is_tls = config->tls;
	request->context = config->context;
	connection->deadline_ms = 0;
	exchange->stage = STAGE_HANDLED;
	exchange->thread = pthread_self();
	exchange->is_in_handler = true;
	config->handler(request);
	exchange->is_in_handler = false;
	if (exchange->is_answered_here)
		return send_answer(exchange, connection);
	pthread_mutex_lock(&exchange->gate->mutex);
	bool is_answered = exchange->is_answered;
	if (!is_answered) {
		exchange->is_suspended = true;
		MHD_suspend_connection(exchange->mhd);
	}
	pthread_mutex_unlock(&exchange->gate->mutex);
	return is_answered ? send_answer(exchange, connection) : MHD_YES;
}

static bool is_answered(struct exchange *exchange)
{
	pthread_mutex_lock(&exchange->gate->mutex);
	bool is = exchange->is_answered;
	pthread_mutex_unlock(&exchange->gate->mutex);
	return is;
}

enum MHD_Result request_proceed(void *loop, struct MHD_Connection *mhd, const char *url, const char *method,
	const char *version, const char *upload, size_t *upload_size, void **context)
{
	struct connection *connection = *context;
	struct exchange *exchange = connection ? connection->exchange : NULL;
	(void)loop, (void)mhd;
	if (!exchange)
		return MHD_NO; /* abandoned */
	switch (exchange->stage) {
	case STAGE_HEADER:
		return begin(exchange, url, method, version);
	case STAGE_BODY:
		return *upload_size ? add_body(exchange, upload, upload_size)
				    : dispatch(exchange, connection);
	case STAGE_HANDLED:
		return is_answered(exchange) ? send_answer(exchange, connection) : MHD_NO;
	case STAGE_IDLE:
	case STAGE_SENDING:
		break;
	}
	return MHD_NO;
}

void request_completed(void *context, struct MHD_Connection *mhd, void **request_context,
	enum MHD_RequestTerminationCode code)
{
	struct loop *loop = context;
	struct connection *connection = *request_context;
	(void)code;
	if (!connection)
		return;
	if (connection->exchange)
		exchange_reset(connection->exchange);
	if (connection->has_own_timeout)
		MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
	connection->has_own_timeout = false;
	connection_set_deadline(connection, loop->server->config.limits.header_timeout_s);
}
