/* A server with an echoing handler, and a client that sends raw bytes, for the tests of this folder. Reads
 * give up after 30 s, so a server that does not answer or close fails its test instead of hanging it. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/owned.h"
#include "http/http.h"

enum { REPLY_MAX = 256 * 1024 };

struct reply {
	int status;	      /* 0 when the connection ended without one */
	char text[REPLY_MAX]; /* head and body */
	size_t len;
	const char *body;
	size_t body_len;
};

struct http_server *server_start(struct http_server_config config);
/* Writes "METHOD PATH [type] name=value;name=value;|body" with bytes outside of print as \xXX. */
void echo(struct http_request *request);
/* Echoes from a worker thread. */
void echo_deferred(struct http_request *request);

int client_connect(const struct http_server *server);
int client_connect_unix(const char *path);
void client_send(int fd, const void *bytes, size_t len);
void client_say(int fd, const char *text);
/* The next whole answer; what comes behind it stays unread. */
void client_read(int fd, struct reply *reply, bool is_head);
/* Whether the other side closes without a further byte. */
bool client_is_closed(int fd);
/* One request on a connection of its own; the reply is static. */
struct reply *client_ask(const struct http_server *server, const char *text);
struct reply *client_ask_bytes(const struct http_server *server, const void *bytes, size_t len);
