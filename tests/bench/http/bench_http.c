/* What http.h costs on top of libmicrohttpd: `bench_http bare [LENGTH]` answers every request with a constant body,
 * from the library alone; `bench_http ours` answers the same through http.h, with the query's two parameters
 * looked up. One event loop each, on 127.0.0.1 and a port of the kernel's choice, which is printed; ends when
 * standard input does. run.sh measures both in turn. */
#include "base/owned.h"
#include "base/text.h"
#include "http/http.h"
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BODY_MAX = 65536 };

static char body[BODY_MAX];
static size_t body_len = 1400;

static void wait_for_end(int port)
{
	char byte;
	printf("%d\n", port);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
}

static enum MHD_Result bare_answer(void *response, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size, void **context)
{
	static int seen;
	(void)url, (void)method, (void)version, (void)upload, (void)upload_size;
	if (!*context) {
		*context = &seen;
		return MHD_YES;
	}
	return MHD_queue_response(connection, MHD_HTTP_OK, response);
}

static int run_bare(void)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(body_len, body, MHD_RESPMEM_PERSISTENT);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain;charset=UTF-8");
	struct MHD_Daemon *daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, bare_answer, response, MHD_OPTION_END);
	if (!daemon)
		return 1;
	wait_for_end(MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	MHD_stop_daemon(daemon);
	MHD_destroy_response(response);
	return 0;
}

static const char *param(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->param_count; i++)
		if (strcmp(request->params[i].name, name) == 0)
			return request->params[i].value;
	return "";
}

static void our_answer(struct http_request *request)
{
	bool is_known = strcmp(param(request, "veid"), "1") == 0 &&
			strncmp(param(request, "api_key"), "private_", 8) == 0;
	http_reply(request, is_known ? 200 : 403, "text/plain;charset=UTF-8", body, body_len, NULL);
}

static int run_ours(void)
{
	struct error err = {0};
	struct http_server_config config = {.threads = 1, .workers = 1, .handler = our_answer};
	struct http_server *server;
	if (http_listen("127.0.0.1:0", 0, &config.listen_fd, &err) < 0 ||
		http_server_start(&config, &server, &err) < 0) {
		fprintf(stderr, "%s\n", err_text(&err));
		return 1;
	}
	wait_for_end(http_server_port(server));
	http_server_stop(server, 1000);
	return 0;
}

int main(int argc, char **argv)
{
	int64_t length = (int64_t)body_len;
	memset(body, 'x', sizeof(body));
	bool is_given = argc == 3 && text_to_int64(argv[2], 1, BODY_MAX, &length);
	body_len = (size_t)length;
	if ((argc == 2 || is_given) && strcmp(argv[1], "bare") == 0)
		return run_bare();
	if ((argc == 2 || is_given) && strcmp(argv[1], "ours") == 0)
		return run_ours();
	fprintf(stderr, "usage: bench_http bare|ours [LENGTH]\n");
	return 2;
}
