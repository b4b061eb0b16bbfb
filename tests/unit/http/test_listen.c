/* Addresses of http_listen, and what a server knows of its peer. */
#include "client.h"
#include "base/fd.h"
#include "base/memory.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* More than the 107 bytes a socket address has room for. */
#define TEN "0123456789"
#define TOO_LONG "unix:/tmp/x" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static char folder[] = "/tmp/moa-http-listen-XXXXXX";

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return dir_remove_tree(folder, NULL);
}

static void refuses_bad_addresses(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "80", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
		"127.0.0.1:-1", "127.0.0.1:8x", "host:80", "::1:80", "[::1:80", "[::1]80", "[zz]:80",
		"unix:", TOO_LONG};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct error err = {0};
		int fd = -1;
		assert_int_equal(http_listen(bad[i], 0600, &fd, &err), -ERR_INVALID);
		assert_int_equal(fd, -1);
		assert_true(err.message[0]);
	}
}

static int family_of(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	return address.ss_family;
}

static void listens_on_tcp(void **state)
{
	(void)state;
	struct error err = {0};
	owned_fd int v4 = -1;
	owned_fd int both = -1;
	owned_fd int v6 = -1;
	assert_int_equal(http_listen("127.0.0.1:0", 0, &v4, &err), 0);
	assert_int_equal(family_of(v4), AF_INET);
	assert_int_equal(http_listen("*:0", 0, &both, &err), 0);
	int only = 1;
	socklen_t len = sizeof(only);
	if (family_of(both) == AF_INET6) {
		assert_int_equal(getsockopt(both, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len), 0);
		assert_int_equal(only, 0);
		assert_int_equal(http_listen("[::1]:0", 0, &v6, &err), 0);
		assert_int_equal(family_of(v6), AF_INET6);
	}
}

static void refuses_a_taken_port(void **state)
{
	(void)state;
	struct error err = {0};
	char address[32];
	int fd = -1;
	struct http_server *server = server_start((struct http_server_config){0});
	snprintf(address, sizeof(address), "127.0.0.1:%d", http_server_port(server));
	assert_true(http_listen(address, 0, &fd, &err) < 0);
	assert_int_equal(fd, -1);
	http_server_stop(server, 0);
}

static void answers_both_families(void **state)
{
	(void)state;
	struct error err = {0};
	struct http_server_config config = {0};
	assert_int_equal(http_listen("*:0", 0, &config.listen_fd, &err), 0);
	struct http_server *server = server_start(config);
	assert_int_equal(client_ask(server, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")->status, 200);
	http_server_stop(server, 0);
}

static void tell_peer(struct http_request *request)
{
	char address[INET6_ADDRSTRLEN];
	inet_ntop(AF_INET6, &request->source, address, sizeof(address));
	char *text =
		arena_printf(&request->arena, "%s %d %d", address, (int)request->peer_uid, request->is_tls);
	http_reply(request, 200, NULL, text, strlen(text), NULL);
}

static void knows_its_peer(void **state)
{
	(void)state;
	struct http_server *server = server_start((struct http_server_config){.handler = tell_peer});
	assert_string_equal(
		client_ask(server, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")->body, "::ffff:127.0.0.1 -1 0");
	http_server_stop(server, 0);
}

static void serves_a_unix_socket(void **state)
{
	(void)state;
	struct error err = {0};
	static struct reply reply;
	struct stat st;
	char expected[64];
	owned_mem char *path = mem_printf("%s/s", folder);
	owned_mem char *address = mem_printf("unix:%s", path);
	struct http_server_config config = {.is_unix = true, .handler = tell_peer};
	assert_int_equal(http_listen(address, 0660, &config.listen_fd, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	struct http_server *server = server_start(config);
	owned_fd int fd = client_connect_unix(path);
	client_say(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	client_read(fd, &reply, false);
	snprintf(expected, sizeof(expected), ":: %d 0", (int)getuid());
	assert_string_equal(reply.body, expected);
	/* Alive: refused. Dead: replaced. */
	int second = -1;
	assert_int_equal(http_listen(address, 0600, &second, &err), -ERR_EXISTS);
	http_server_stop(server, 0);
	assert_int_equal(http_listen(address, 0600, &second, &err), 0);
	close(second);
}

static void leaves_other_files_alone(void **state)
{
	(void)state;
	struct error err = {0};
	int fd = -1;
	owned_mem char *path = mem_printf("%s/file", folder);
	owned_mem char *address = mem_printf("unix:%s", path);
	assert_int_equal(file_write_atomic(path, "x", 1, 0600, &err), 0);
	assert_int_equal(http_listen(address, 0600, &fd, &err), -ERR_EXISTS);
	assert_int_equal(access(path, F_OK), 0);
}

/* A peer may bind its own end to a name longer than the library has room for. */
static void takes_a_named_peer(void **state)
{
	(void)state;
	struct error err = {0};
	static struct reply reply;
	owned_mem char *path = mem_printf("%s/named", folder);
	owned_mem char *address = mem_printf("unix:%s", path);
	struct http_server_config config = {.is_unix = true};
	assert_int_equal(http_listen(address, 0600, &config.listen_fd, &err), 0);
	struct http_server *server = server_start(config);
	struct sockaddr_un own = {.sun_family = AF_UNIX}, peer = {.sun_family = AF_UNIX};
	snprintf(own.sun_path, sizeof(own.sun_path), "%s/%064d", folder, 0);
	snprintf(peer.sun_path, sizeof(peer.sun_path), "%s", path);
	owned_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&peer, sizeof(peer)), 0);
	client_say(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	client_read(fd, &reply, false);
	assert_int_equal(reply.status, 200);
	http_server_stop(server, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_bad_addresses),
		cmocka_unit_test(listens_on_tcp),
		cmocka_unit_test(refuses_a_taken_port),
		cmocka_unit_test(answers_both_families),
		cmocka_unit_test(knows_its_peer),
		cmocka_unit_test(serves_a_unix_socket),
		cmocka_unit_test(leaves_other_files_alone),
		cmocka_unit_test(takes_a_named_peer),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
