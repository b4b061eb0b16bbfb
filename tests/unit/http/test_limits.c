/* Sizes, counts and deadlines. Slow clients are given timeouts of a second and must see the connection end;
 * how long it took is not asserted. */
#include "client.h"
#include "base/fd.h"
#include "base/memory.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HOST "Host: h\r\n"

static const struct http_limits tight = {
	.body_bytes = 1000,
	.param_count = 20,
	.header_timeout_s = 1,
	.body_timeout_s = 1,
	.answer_timeout_s = 1,
};

static struct http_server *server;

static int start(void **state)
{
	(void)state;
	server = server_start((struct http_server_config){.limits = tight});
	return 0;
}

static int stop(void **state)
{
	(void)state;
	http_server_stop(server, 1000);
	return 0;
}

static struct reply *post(size_t len, const char *more)
{
	owned_mem char *body = mem_alloc(len + 1, 1);
	memset(body, 'x', len);
	owned_mem char *text =
		mem_printf("POST / HTTP/1.1\r\n" HOST "%sContent-Length: %zu\r\n\r\n%s", more, len, body);
	return client_ask(server, text);
}

static void refuses_large_bodies(void **state)
{
	(void)state;
	assert_int_equal(post(1000, "")->status, 200);
	assert_int_equal(post(1001, "")->status, 413);
	assert_int_equal(post(2000, "")->status, 413);
	assert_int_equal(post(2001, "")->status, 413);
}

static void refuses_before_the_body_comes(void **state)
{
	(void)state;
	static struct reply reply;
	owned_fd int fd = client_connect(server);
	client_say(fd, "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n");
	client_read(fd, &reply, false);
	assert_int_equal(reply.status, 413);
	assert_true(client_is_closed(fd));
}

/* Sends chunks for as long as they are taken; the reset may overtake the answer, but the end must come. */
static void ends_an_endless_body(void **state)
{
	(void)state;
	owned_fd int fd = client_connect(server);
	client_say(fd, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	while (send(fd, "1\r\nx\r\n", 6, MSG_NOSIGNAL) == 6)
		continue;
}

static void answers_413_to_large_chunks(void **state)
{
	(void)state;
	static struct reply reply;
	char text[3000];
	memset(text, 'x', sizeof(text));
	owned_fd int fd = client_connect(server);
	client_say(fd, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nbb8\r\n");
	client_send(fd, text, sizeof(text));
	client_read(fd, &reply, false);
	assert_int_equal(reply.status, 413);
	assert_true(client_is_closed(fd));
}

static struct reply *get_with_params(unsigned count)
{
	owned_in(buffer_done) struct buffer text = BUFFER_INIT(0);
	buffer_add_text(&text, "GET /?");
	for (unsigned i = 0; i < count; i++)
		buffer_addf(&text, "p%u=%u&", i, i);
	buffer_add_text(&text, " HTTP/1.1\r\n" HOST "\r\n");
	return client_ask(server, text.data);
}

static void limits_parameters(void **state)
{
	(void)state;
	assert_int_equal(get_with_params(20)->status, 200);
	assert_int_equal(get_with_params(21)->status, 400);
	assert_int_equal(get_with_params(1000)->status, 400);
	struct http_server *other = server;
	server = server_start((struct http_server_config){0});
	assert_int_equal(get_with_params(256)->status, 200);
	assert_int_equal(get_with_params(257)->status, 400);
	assert_int_equal(get_with_params(1000)->status, 400);
	http_server_stop(server, 0);
	server = other;
}

static int get_with_header(size_t len)
{
	owned_mem char *value = mem_alloc(len + 1, 1);
	memset(value, 'x', len);
	owned_mem char *text = mem_printf("GET / HTTP/1.1\r\n" HOST "X: %s\r\n\r\n", value);
	return client_ask(server, text)->status;
}

static void limits_the_header(void **state)
{
	(void)state;
	assert_int_equal(get_with_header(16000), 200);
	assert_int_equal(get_with_header(16500), 431);
	int status = get_with_header(1 << 20); /* a reset may overtake the answer */
	assert_true(status == 431 || status == 0);
	owned_in(buffer_done) struct buffer text = BUFFER_INIT(0);
	buffer_add_text(&text, "GET / HTTP/1.1\r\n" HOST);
	for (int i = 0; i < 3000; i++)
		buffer_add_text(&text, "a:\r\n");
	buffer_add_text(&text, "\r\n");
	assert_int_equal(client_ask(server, text.data)->status, 431);
}

static void closes_who_says_nothing(void **state)
{
	(void)state;
	owned_fd int fd = client_connect(server);
	assert_true(client_is_closed(fd));
}

static void closes_an_idle_connection(void **state)
{
	(void)state;
	static struct reply reply;
	owned_fd int fd = client_connect(server);
	client_say(fd, "GET / HTTP/1.1\r\n" HOST "\r\n");
	client_read(fd, &reply, false);
	assert_int_equal(reply.status, 200);
	assert_true(client_is_closed(fd));
}

/* A byte every 100 ms, until the server has enough. */
static void drip(int fd)
{
	struct pollfd ended = {.fd = fd, .events = POLLIN};
	while (poll(&ended, 1, 100) == 0)
		client_send(fd, "x", 1);
	assert_true(client_is_closed(fd));
}

static void closes_drip_feeders(void **state)
{
	(void)state;
	static const char *const begins[] = {"G", "GET / HTTP/1.1\r\nHost: h",
		"GET / HTTP/1.1\r\n" HOST "A: ", "POST / HTTP/1.1\r\n" HOST "Content-Length: 900\r\n\r\n",
		"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n384\r\n"};
	for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
		owned_fd int fd = client_connect(server);
		client_say(fd, begins[i]);
		drip(fd);
	}
}

static void answer_much(struct http_request *request)
{
	enum { MUCH = 32 << 20 };
	owned_mem char *body = mem_alloc(MUCH, 1);
	http_reply(request, 200, NULL, body, strcmp(request->path, "/much") == 0 ? MUCH : 1, NULL);
}

/* The one connection there may be is taken by a client that does not read, until the server ends it. */
static void closes_who_does_not_read(void **state)
{
	(void)state;
	struct http_limits limits = tight;
	limits.connections = 1;
	struct http_server *other =
		server_start((struct http_server_config){.limits = limits, .handler = answer_much});
	char byte;
	owned_fd int fd = client_connect(other);
	client_say(fd, "GET /much HTTP/1.1\r\n" HOST "\r\n");
	assert_int_equal(recv(fd, &byte, 1, MSG_PEEK), 1);
	while (client_ask(other, "GET / HTTP/1.1\r\n" HOST "\r\n")->status != 200)
		continue;
	http_server_stop(other, 0);
}

static void limits_connections(void **state)
{
	(void)state;
	static struct reply reply;
	static const struct http_limits few[] = {{.connections = 3}, {.connections_per_source = 3}};
	for (size_t i = 0; i < ARRAY_LEN(few); i++) {
		struct http_server *other =
			server_start((struct http_server_config){.limits = few[i], .threads = 2});
		int fds[3];
		for (int k = 0; k < 3; k++) {
			fds[k] = client_connect(other);
			client_say(fds[k], "GET / HTTP/1.1\r\n" HOST "\r\n");
			client_read(fds[k], &reply, false);
			assert_int_equal(reply.status, 200);
		}
		owned_fd int refused = client_connect(other);
		assert_true(client_is_closed(refused));
		for (int k = 0; k < 3; k++)
			close(fds[k]);
		while (client_ask(other, "GET / HTTP/1.1\r\n" HOST "\r\n")->status != 200)
			continue; /* until it has noticed */
		http_server_stop(other, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_large_bodies),
		cmocka_unit_test(refuses_before_the_body_comes),
		cmocka_unit_test(ends_an_endless_body),
		cmocka_unit_test(answers_413_to_large_chunks),
		cmocka_unit_test(limits_parameters),
		cmocka_unit_test(limits_the_header),
		cmocka_unit_test(closes_who_says_nothing),
		cmocka_unit_test(closes_an_idle_connection),
		cmocka_unit_test(closes_drip_feeders),
		cmocka_unit_test(closes_who_does_not_read),
		cmocka_unit_test(limits_connections),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
