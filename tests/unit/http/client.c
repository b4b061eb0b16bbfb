#include "client.h"
#include "base/fd.h"
#include "base/memory.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct http_server *server_start(struct http_server_config config)
{
	struct error err = {0};
	struct http_server *server = NULL;
	if (!config.listen_fd && http_listen("127.0.0.1:0", 0, &config.listen_fd, &err) < 0)
		fail_msg("%s", err.message);
	if (!config.handler)
		config.handler = echo;
	if (http_server_start(&config, &server, &err) < 0)
		fail_msg("%s", err.message);
	return server;
}

static void add_printable(struct buffer *text, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (isprint((unsigned char)bytes[i]))
			buffer_add_byte(text, bytes[i]);
		else
			buffer_addf(text, "\\x%02x", (unsigned char)bytes[i]);
}

void echo(struct http_request *request)
{
	owned_in(buffer_done) struct buffer text = BUFFER_INIT(0);
	buffer_addf(&text, "%s %s [%s] ", request->method, request->path, request->content_type);
	for (size_t i = 0; i < request->param_count; i++) {
		add_printable(&text, request->params[i].name, strlen(request->params[i].name));
		buffer_add_byte(&text, '=');
		add_printable(&text, request->params[i].value, request->params[i].value_len);
		buffer_add_byte(&text, ';');
	}
	buffer_add_byte(&text, '|');
	add_printable(&text, request->body, request->body_len);
	static const char *const headers[] = {"X-One", "1", NULL};
	http_reply(request, 200, "text/plain;charset=UTF-8", text.data, text.len, headers);
}

void echo_deferred(struct http_request *request)
{
	http_defer(request, echo);
}

static int with_timeout(int fd)
{
	struct timeval limit = {.tv_sec = 30};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return fd;
}

int client_connect(const struct http_server *server)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons((in_port_t)http_server_port(server))};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return with_timeout(fd);
}

int client_connect_unix(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return with_timeout(fd);
}

/* The server may well close before it has read all: that shows in what it answers. */
void client_send(int fd, const void *bytes, size_t len)
{
	for (size_t sent = 0; sent < len;) {
		ssize_t now = send(fd, (const char *)bytes + sent, len - sent, MSG_NOSIGNAL);
		if (now < 0)
			return;
		sent += (size_t)now;
	}
}

void client_say(int fd, const char *text)
{
	client_send(fd, text, strlen(text));
}

static bool read_more(int fd, struct reply *reply, size_t wanted)
{
	assert_true(reply->len + wanted < REPLY_MAX);
	ssize_t got = recv(fd, reply->text + reply->len, wanted, 0);
	if (got < 0)
		assert_int_equal(errno, ECONNRESET);
	if (got <= 0)
		return false;
	reply->len += (size_t)got;
	reply->text[reply->len] = '\0';
	return true;
}

static size_t body_length(const struct reply *reply)
{
	const char *header = strcasestr(reply->text, "\r\nContent-Length:");
	return header ? strtoul(header + strlen("\r\nContent-Length:"), NULL, 10) : 0;
}

void client_read(int fd, struct reply *reply, bool is_head)
{
	reply->len = reply->body_len = 0;
	reply->status = 0;
	reply->text[0] = '\0';
	reply->body = reply->text;
	while (!strstr(reply->text, "\r\n\r\n"))
		if (!read_more(fd, reply, 1))
			return;
	assert_int_equal(sscanf(reply->text, "HTTP/1.1 %d ", &reply->status), 1);
	reply->body = reply->text + reply->len;
	size_t len = is_head || reply->status == 100 ? 0 : body_length(reply);
	while (reply->body_len < len && read_more(fd, reply, len - reply->body_len))
		reply->body_len = (size_t)(reply->text + reply->len - reply->body);
}

bool client_is_closed(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, 0);
	return got == 0 || (got < 0 && errno == ECONNRESET);
}

struct reply *client_ask_bytes(const struct http_server *server, const void *bytes, size_t len)
{
	static struct reply reply;
	owned_fd int fd = client_connect(server);
	client_send(fd, bytes, len);
	shutdown(fd, SHUT_WR);
	client_read(fd, &reply, false);
	return &reply;
}

struct reply *client_ask(const struct http_server *server, const char *text)
{
	return client_ask_bytes(server, text, strlen(text));
}
