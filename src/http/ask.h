/* Asks a program on this machine over its unix socket: one HTTP/1.1 request, one answer, one connection. For
 * the node protocol and the admin socket, whose servers are ours; a general client (redirects, proxies, TLS)
 * is libcurl's business. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"

struct http_ask {
	const char *socket_path;
	const char *target;	/* "/admin/vps/list" */
	const char *request_id; /* sent as X-Request-Id; NULL or "" for none */
	const void *body;	/* a JSON document */
	size_t body_len;
	int timeout_ms; /* for the whole exchange */
};

/* Posts the body and fills ANSWER with the answer's, up to its maximum. ERR_UNAVAILABLE when nobody listens
 * or the connection breaks, ERR_TIMEOUT, ERR_TOO_LARGE, ERR_PROTOCOL for anything but a whole "200" answer
 * with a length. */
int http_ask(const struct http_ask *ask, struct buffer *answer, struct error *err);
