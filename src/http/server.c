/* Starting and stopping a server: its limits, its loops and the descriptor they accept from. */
#include "base/clock.h"
#include "base/memory.h"
#include "http/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

const struct http_limits http_default_limits = {
	.header_bytes = 16 << 10,
	.body_bytes = 2 << 20,
	.param_count = 256,
	.connections = 4096,
	.connections_per_source = 256,
	.header_timeout_s = 30,
	.body_timeout_s = 60,
	.answer_timeout_s = 60,
};

/* A limit left at 0 is the default one. */
#define DEFAULT_LIMIT(limits, field) \
	((limits)->field = (limits)->field ? (limits)->field : http_default_limits.field)

static void complete_limits(struct http_limits *limits)
{
	DEFAULT_LIMIT(limits, header_bytes);
	DEFAULT_LIMIT(limits, body_bytes);
	DEFAULT_LIMIT(limits, param_count);
	DEFAULT_LIMIT(limits, connections);
	DEFAULT_LIMIT(limits, connections_per_source);
	DEFAULT_LIMIT(limits, header_timeout_s);
	DEFAULT_LIMIT(limits, body_timeout_s);
	DEFAULT_LIMIT(limits, answer_timeout_s);
}

static int port_of(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return 0;
	if (address.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
	return address.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&address)->sin_port) : 0;
}

static struct http_server *server_new(const struct http_server_config *config)
{
	unsigned loop_count = config->threads ? config->threads : 1;
	struct http_server *server = mem_alloc(1, sizeof(*server) + loop_count * sizeof(server->loops[0]));
	server->config = *config;
	complete_limits(&server->config.limits);
	server->sources = source_table_new(server->config.limits.connections_per_source);
	server->port = port_of(config->listen_fd);
	workers_open(config->workers);
	return server;
}

void http_server_stop(struct http_server *server, int grace_ms)
{
	atomic_store(&server->stop_at_ms, clock_monotonic_ms() + (grace_ms > 0 ? grace_ms : 0));
	for (unsigned i = 0; i < server->loop_count; i++)
		loop_wake(&server->loops[i]);
	close(server->config.listen_fd);
	for (unsigned i = 0; i < server->loop_count; i++)
		loop_stop(&server->loops[i]);
	source_table_free(server->sources);
	workers_close();
	free(server);
}

int http_server_start(const struct http_server_config *config, struct http_server **ret, struct error *err)
{
	if (config->tls && !tls_is_loaded()) {
		close(config->listen_fd);
		return err_set(err, ERR_INVALID, "no certificate is loaded");
	}
	struct http_server *server = server_new(config);
	int flags = fcntl(config->listen_fd, F_GETFL), rc = 0;
	if (flags < 0 || fcntl(config->listen_fd, F_SETFL, flags | O_NONBLOCK) < 0)
		rc = err_errno(err, errno, "listening socket");
	for (unsigned wanted = config->threads ? config->threads : 1;
		rc == 0 && server->loop_count < wanted;) {
		rc = loop_start(&server->loops[server->loop_count], server, err);
		if (rc == 0)
			server->loop_count++;
	}
	if (rc < 0) {
		http_server_stop(server, 0);
		return rc;
	}
	*ret = server;
	return 0;
}

int http_server_port(const struct http_server *server)
{
	return server->port;
}
