/* Requests as real clients, odd clients and attackers send them, over raw sockets. */
#include "client.h"
#include "base/fd.h"
#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HOST "Host: h\r\n"
#define GET(target) "GET " target " HTTP/1.1\r\n" HOST "\r\n"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"

static struct http_server *server;

static int start(void **state)
{
	(void)state;
	/* An end of input right behind incomplete data goes unnoticed until the deadline. */
	server = server_start((struct http_server_config){.workers = 2, .limits = {.body_timeout_s = 2}});
	return 0;
}

static int stop(void **state)
{
	(void)state;
	http_server_stop(server, 1000);
	return 0;
}

static const struct {
	const char *text, *body;
} good[] = {
	{GET("/v1/start?veid=1&api_key=k"), "GET /v1/start [] veid=1;api_key=k;|"},
	{GET("//v1/start?veid=1"), "GET //v1/start [] veid=1;|"},
	{GET("/v1/start/"), "GET /v1/start/ [] |"},
	{GET("/v1/call&veid=1&api_key=k"), "GET /v1/call&veid=1&api_key=k [] |"},
	{GET("/a%2fb%41%zz+c?x=%41+%zz%00y"), "GET /a%2fb%41%zz+c [] x=A %zz\\x00y;|"},
	{GET("/?"), "GET / [] |"},
	{GET("/??a=1?b"), "GET / [] ?a=1?b;|"},
	{GET("http://h:1/v1/x?a=1"), "GET /v1/x [] a=1;|"},
	{GET("http://h?a=1"), "GET / [] a=1;|"},
	{"GET / HTTP/1.0\r\n\r\n", "GET / [] |"},
	{"\r\n" GET("/after-an-empty-line"), "GET /after-an-empty-line [] |"},
	{"DELETE /x HTTP/1.1\r\n" HOST "\r\n", "DELETE /x [] |"},
	{"GET /x?a=1 HTTP/1.1\r\n" HOST "Content-Type: application/json\r\n\r\n",
		"GET /x [application/json] a=1;|"},
	{"POST /x?a=1 HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "POST /x [] a=1;|"},
	{"POST /x?a=1 HTTP/1.1\r\n" HOST FORM "Content-Length: 0\r\n\r\n",
		"POST /x [application/x-www-form-urlencoded] a=1;|"},
	{"POST /x?a=1 HTTP/1.1\r\n" HOST "\r\n", "POST /x [] a=1;|"},
	{"POST /x?a=1&b=2 HTTP/1.1\r\n" HOST FORM "Content-Length: 11\r\n\r\na=3&c=4+%41",
		"POST /x [application/x-www-form-urlencoded] a=1;b=2;a=3;c=4 A;|"},
	{"POST /x HTTP/1.1\r\n" HOST
	 "Content-Type: Application/X-WWW-Form-URLencoded; charset=UTF-8\r\nContent-Length: 3\r\n\r\na=1",
		"POST /x [application/x-www-form-urlencoded] a=1;|"},
	{"POST /x?q=1 HTTP/1.1\r\n" HOST
	 "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
		"POST /x [application/json] q=1;|{\"a\":1}"},
	{"PUT /x HTTP/1.1\r\n" HOST
	 "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\n\r\n",
		"PUT /x [] |abcde"},
	{"POST /x HTTP/1.1\r\n" HOST FORM
	 "Transfer-Encoding: chunked\r\n\r\n2\r\na=\r\n1\r\n1\r\n0\r\nT: 1\r\n\r\n",
		"POST /x [application/x-www-form-urlencoded] a=1;|"},
};

static void answers_good_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct reply *reply = client_ask(server, good[i].text);
		if (reply->status != 200)
			print_error("%s\n", good[i].text);
		assert_int_equal(reply->status, 200);
		assert_string_equal(reply->body, good[i].body);
		assert_non_null(strstr(reply->text, "\r\nContent-Type: text/plain;charset=UTF-8\r\n"));
		assert_non_null(strstr(reply->text, "\r\nX-One: 1\r\n"));
	}
}

#define BYTES(text) text, sizeof(text) - 1
static const struct {
	const char *text;
	size_t len;
	int status; /* 0: closed without a word */
} bad[] = {
	{BYTES("GET /\r\n\r\n"), 400},
	{BYTES("NONSENSE\r\n\r\n"), 0},
	{BYTES("GET / HTTP/1.1\r\n\r\n"), 400},
	{BYTES("GET / HTTP/1.1\r\n" HOST HOST "\r\n"), 400},
	{BYTES("GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n"), 400},
	{BYTES("GET / HTTP/1.1\r\n" HOST "Space : 1\r\n\r\n"), 400},
	{BYTES("GET / HTTP/1.1\r\n: 1\r\n" HOST "\r\n"), 400},
	{BYTES("GET / HTTP/1.1\r\n" HOST "N\0ul: 1\r\n\r\n"), 400},
	{BYTES("GET /v1/start\0/../x HTTP/1.1\r\n" HOST "\r\n"), 400},
	{BYTES("GET /x?a=1\0b HTTP/1.1\r\n" HOST "\r\n"), 400},
	{BYTES("GET / HTTP/1.1\r\n" HOST "A: \x01\r\n\r\n"), 400},
	{BYTES("PATCH / HTTP/1.1\r\n" HOST "\r\n"), 501},
	{BYTES("get / HTTP/1.1\r\n" HOST "\r\n"), 501},
	{BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), 400},
	{BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"), 400},
	{BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n\r\nabc"), 400},
	{BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n"), 400},
	{BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length: +3\r\n\r\nabc"), 400},
	{BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length: 0x3\r\n\r\nabc"), 400},
	{BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n\r\n"), 413},
	{BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		400},
	{BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 501},
	{BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\nabc"), 501},
	{BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n"), 400},
	{BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n"), 400},
	{BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n"), 400},
	{BYTES("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc"), 413},
	{BYTES("POST / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabc"), 0},
	{BYTES("POST / HTTP/1.1\r\n" HOST
	       "Content-Type: multipart/form-data\r\nContent-Length: 3\r\n\r\nabc"),
		400},
};

static void refuses_bad_requests(void **state)
{
	(void)state;
	int wrong = 0;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct reply *reply = client_ask_bytes(server, bad[i].text, bad[i].len);
		if (reply->status == bad[i].status)
			continue;
		print_error("%d instead of %d: %s\n", reply->status, bad[i].status, bad[i].text);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static const char multipart[] =
	"--B0undary\r\nContent-Disposition: form-data; name=\"veid\"\r\n\r\n1\r\n"
	"--B0undary\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n"
	"--B0undary\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\na\r\nb%41+=&\r\n"
	"--B0undary\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n"
	"Content-Type: text/plain\r\n\r\ninside\r\n--B0undary--\r\n";

static void reads_multipart(void **state)
{
	(void)state;
	owned_mem char *text = mem_printf("POST /x?q=1 HTTP/1.1\r\n" HOST
					  "Content-Type: multipart/form-data; boundary=B0undary\r\n"
					  "Content-Length: %zu\r\n\r\n%s",
		sizeof(multipart) - 1, multipart);
	struct reply *reply = client_ask(server, text);
	assert_int_equal(reply->status, 200);
	assert_string_equal(reply->body,
		"POST /x [multipart/form-data] q=1;veid=1;empty=;text=a\\x0d\\x0ab%41+=&;file=inside;|");
}

static void reads_a_large_part(void **state)
{
	(void)state;
	owned_in(buffer_done) struct buffer body = BUFFER_INIT(0);
	owned_in(buffer_done) struct buffer text = BUFFER_INIT(0);
	buffer_add_text(&body, "--B0undary\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n");
	size_t begin = body.len;
	for (int i = 0; i < 50000; i++)
		buffer_add_byte(&body, (char)('a' + i % 26));
	size_t len = body.len - begin;
	buffer_add_text(&body, "\r\n--B0undary--\r\n");
	buffer_addf(&text,
		"POST / HTTP/1.1\r\n" HOST "Content-Type: multipart/form-data; boundary=B0undary\r\n"
		"Content-Length: %zu\r\n\r\n",
		body.len);
	buffer_add(&text, body.data, body.len);
	struct reply *reply = client_ask_bytes(server, text.data, text.len);
	assert_int_equal(reply->status, 200);
	const char *value = strstr(reply->body, "a=");
	assert_non_null(value);
	assert_memory_equal(value + 2, body.data + begin, len);
	assert_string_equal(value + 2 + len, ";|");
}

static void answers_head_without_body(void **state)
{
	(void)state;
	static struct reply reply;
	owned_fd int fd = client_connect(server);
	client_say(fd, "HEAD /x?a=1 HTTP/1.1\r\n" HOST "\r\n" GET("/second"));
	client_read(fd, &reply, true);
	assert_int_equal(reply.status, 200);
	assert_non_null(strstr(reply.text, "\r\nContent-Length: 16\r\n"));
	client_read(fd, &reply, false);
	assert_string_equal(reply.body, "GET /second [] |");
}

static void answers_pipelined_requests_in_order(void **state)
{
	(void)state;
	static struct reply reply;
	owned_fd int fd = client_connect(server);
	for (int i = 0; i < 50; i++) {
		char text[160];
		snprintf(text, sizeof(text),
			"POST /%d?a=1 HTTP/1.1\r\n" HOST FORM "Content-Length: 3\r\n\r\nb=2", i);
		client_say(fd, text);
	}
	for (int i = 0; i < 50; i++) {
		char body[100];
		snprintf(body, sizeof(body), "POST /%d [application/x-www-form-urlencoded] a=1;b=2;|", i);
		client_read(fd, &reply, false);
		assert_string_equal(reply.body, body);
	}
}

static void keeps_nothing_between_requests(void **state)
{
	(void)state;
	static struct reply reply;
	owned_fd int fd = client_connect(server);
	client_say(
		fd, "POST /a?x=1 HTTP/1.1\r\n" HOST "Content-Type: text/x\r\nContent-Length: 3\r\n\r\nabc");
	client_read(fd, &reply, false);
	assert_string_equal(reply.body, "POST /a [text/x] x=1;|abc");
	client_say(fd, GET("/b"));
	client_read(fd, &reply, false);
	assert_string_equal(reply.body, "GET /b [] |");
}

static void continues_when_expected_to(void **state)
{
	(void)state;
	static struct reply reply;
	owned_fd int fd = client_connect(server);
	client_say(fd, "POST /x HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	client_read(fd, &reply, false);
	assert_int_equal(reply.status, 100);
	client_say(fd, "abc");
	client_read(fd, &reply, false);
	assert_string_equal(reply.body, "POST /x [] |abc");
}

static void closes_when_asked_to(void **state)
{
	(void)state;
	static struct reply reply;
	owned_fd int fd = client_connect(server);
	client_say(fd, "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	client_read(fd, &reply, false);
	assert_int_equal(reply.status, 200);
	assert_true(client_is_closed(fd));
}

static void takes_bytes_one_by_one(void **state)
{
	(void)state;
	static struct reply reply;
	static const char text[] = "POST /x?a=%41 HTTP/1.1\r\n" HOST FORM
				   "Transfer-Encoding: chunked\r\n\r\n3\r\nb=1\r\n0\r\n\r\n";
	owned_fd int fd = client_connect(server);
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		client_send(fd, text + i, 1);
	client_read(fd, &reply, false);
	assert_string_equal(reply.body, "POST /x [application/x-www-form-urlencoded] a=A;b=1;|");
}

static void add_and_echo(struct http_request *request)
{
	bool is_within = http_add_params(request, "b=2&c=%33", 9);
	static const char *const headers[] = {
		"X-Split", "a\r\nX-Evil: 1", "Bad Name", "1", "X-Fine", "1", NULL};
	char *text = arena_printf(&request->arena, "%d %zu %s", is_within, request->param_count,
		request->params[request->param_count - 1].value);
	http_reply(request, 404, "text/html", text, strlen(text), headers);
}

static void adds_params_and_checks_headers(void **state)
{
	(void)state;
	struct http_server *other = server_start((struct http_server_config){.handler = add_and_echo});
	struct reply *reply = client_ask(other, GET("/?a=1"));
	assert_int_equal(reply->status, 404);
	assert_string_equal(reply->body, "1 3 3");
	assert_non_null(strstr(reply->text, "\r\nX-Fine: 1\r\n"));
	assert_null(strstr(reply->text, "X-Evil"));
	assert_null(strstr(reply->text, "Bad Name"));
	http_server_stop(other, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_good_requests),
		cmocka_unit_test(refuses_bad_requests),
		cmocka_unit_test(reads_multipart),
		cmocka_unit_test(reads_a_large_part),
		cmocka_unit_test(answers_head_without_body),
		cmocka_unit_test(answers_pipelined_requests_in_order),
		cmocka_unit_test(keeps_nothing_between_requests),
		cmocka_unit_test(continues_when_expected_to),
		cmocka_unit_test(closes_when_asked_to),
		cmocka_unit_test(takes_bytes_one_by_one),
		cmocka_unit_test(adds_params_and_checks_headers),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
