/* The life of an exchange: made with the first request of a connection, reset between requests, and answered
 * by http_reply from whichever thread. An answer from the loop's own handler needs no lock; any other is
 * given under the gate, and wakes the connection, unless that is gone: then the exchange ends here. What a
 * request holds is for request.c. */
#include "base/log.h"
#include "base/memory.h"
#include "http/internal.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_BUFFER = 16384 }; /* bytes an idle connection may keep for its next body or answer */

struct gate *gate_new(void)
{
	struct gate *gate = mem_new(struct gate);
	pthread_mutex_init(&gate->mutex, NULL);
	atomic_init(&gate->holders, 1);
	return gate;
}

struct gate *gate_hold(struct gate *gate)
{
	atomic_fetch_add(&gate->holders, 1);
	return gate;
}

void gate_release(struct gate *gate)
{
	if (atomic_fetch_sub(&gate->holders, 1) > 1)
		return;
	pthread_mutex_destroy(&gate->mutex);
	free(gate);
}

struct exchange *exchange_new(struct loop *loop, struct MHD_Connection *mhd)
{
	struct exchange *exchange = mem_new(struct exchange);
	exchange->gate = gate_hold(loop->gate);
	exchange->loop = loop;
	exchange->mhd = mhd;
	exchange->body = (struct buffer)BUFFER_INIT(loop->server->config.limits.body_bytes);
	exchange->answer = (struct buffer)BUFFER_INIT(SIZE_MAX / 2);
	return exchange;
}

void exchange_free(struct exchange *exchange)
{
	if (exchange->response)
		MHD_destroy_response(exchange->response);
	arena_done(&exchange->request.arena);
	buffer_done(&exchange->body);
	buffer_done(&exchange->answer);
	gate_release(exchange->gate);
	free(exchange);
}

static void buffer_recycle(struct buffer *buffer)
{
	if (buffer->capacity > KEPT_BUFFER)
		buffer_done(buffer);
	else
		buffer_clear(buffer);
}

void exchange_reset(struct exchange *exchange)
{
	struct exchange kept = *exchange;
	if (kept.response)
		MHD_destroy_response(kept.response);
	arena_reset(&kept.request.arena);
	buffer_recycle(&kept.body);
	buffer_recycle(&kept.answer);
	*exchange = (struct exchange){
		.request.arena = kept.request.arena,
		.gate = kept.gate,
		.loop = kept.loop,
		.mhd = kept.mhd,
		.body = kept.body,
		.answer = kept.answer,
	};
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
	if (header_name_is_valid(name, strlen(name)) && header_value_is_valid(value, strlen(value)) &&
		MHD_add_response_header(response, name, value) == MHD_YES)
		return;
	log_error("a reply's header %s is not fit to be sent, left out", name);
}

static struct MHD_Response *response_new(struct buffer *body)
{
#if MHD_VERSION >= 0x00097701
	struct MHD_Response *response = MHD_create_response_from_buffer_static(body->len, body->data);
#else
	struct MHD_Response *response =
		MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_PERSISTENT);
#endif
	if (!response)
		abort(); /* only for want of memory */
	return response;
}

static void exchange_fill(struct exchange *exchange, unsigned status, const char *content_type,
	const void *body, size_t body_len, const char *const *headers)
{
	assert(!exchange->response);
	buffer_add(&exchange->answer, body, body_len);
	exchange->response = response_new(&exchange->answer);
	exchange->status = status;
	if (content_type)
		add_header(exchange->response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	for (; headers && headers[0]; headers += 2)
		add_header(exchange->response, headers[0], headers[1]);
}

void http_reply(struct http_request *request, unsigned status, const char *content_type, const void *body,
	size_t body_len, const char *const *headers)
{
	struct exchange *exchange = exchange_of(request);
	exchange_fill(exchange, status, content_type, body, body_len, headers);
	if (pthread_equal(exchange->thread, pthread_self()) && exchange->is_in_handler) {
		exchange->is_answered_here = true;
		return;
	}
	struct gate *gate = gate_hold(exchange->gate);
	pthread_mutex_lock(&gate->mutex);
	bool is_abandoned = exchange->is_abandoned;
	exchange->is_answered = true;
	if (exchange->is_suspended && !is_abandoned) {
		MHD_resume_connection(exchange->mhd);
		loop_wake(exchange->loop);
	}
	pthread_mutex_unlock(&gate->mutex);
	gate_release(gate);
	if (is_abandoned)
		exchange_free(exchange);
}
