/* An event loop: a thread that polls one libmicrohttpd daemon, ticks the deadlines of its connections, and
 * winds down when the server stops. The daemon is polled from outside rather than by a thread of its own, so
 * that everything about a connection happens on one thread and needs no lock. */
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	STACK_BYTES = 512 * 1024,
	POOL_MIN = 32 * 1024,
	LAST_TURNS = 100, /* of 10 ms, for sockets that were shut down to be noticed */
};

__attribute__((format(printf, 2, 0))) static void log_library(void *context, const char *format, va_list args)
{
	char line[512];
	(void)context;
	int len = vsnprintf(line, sizeof(line), format, args);
	if (len > 0 && (size_t)len < sizeof(line) && line[len - 1] == '\n')
		line[len - 1] = '\0';
	log_debug("libmicrohttpd: %s", line);
}

/* Percent escapes are not the library's business: the path goes on as sent and parameters are parsed from a
 * copy. */
static size_t leave_escaped(void *context, struct MHD_Connection *mhd, char *text)
{
	(void)context, (void)mhd;
	return strlen(text);
}

static struct MHD_Daemon *daemon_new(struct loop *loop)
{
	const struct http_server_config *config = &loop->server->config;
	size_t pool = 2 * config->limits.header_bytes;
	/* clang-format off */
	struct MHD_OptionItem options[] = {
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)(pool < POOL_MIN ? POOL_MIN : pool), NULL },
		/* One more than admitted, so that the one too many is refused instead of left in the queue. */
		{ MHD_OPTION_CONNECTION_LIMIT, (intptr_t)config->limits.connections + 1, NULL },
		{ MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)connection_notify, loop },
		{ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)request_completed, loop },
		{ MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)request_line, loop },
		{ MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escaped, NULL },
#if MHD_VERSION >= 0x00097701
		{ MHD_OPTION_CLIENT_DISCIPLINE_LVL, 2, NULL },
#else
		{ MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL },
#endif
		{ config->tls ? MHD_OPTION_HTTPS_CERT_CALLBACK : MHD_OPTION_END, 0,
			config->tls ? tls_certificate_callback() : NULL },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES },
		{ MHD_OPTION_END, 0, NULL },
	};
	/* clang-format on */
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
			 (config->tls ? MHD_USE_TLS : 0);
	return MHD_start_daemon(flags, 0, connection_admit, loop, request_proceed, loop,
		MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL, MHD_OPTION_LISTEN_SOCKET, loop->listen_fd,
		MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

/* With this mode of polling the library has no way to be woken, so its epoll set gets one: an event without
 * data is one it passes over, and as an edge it needs no reading. */
static int add_wake(struct loop *loop, struct error *err)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0)
		return err_errno(err, errno, "eventfd");
	int epoll_fd = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) < 0)
		return err_errno(err, errno, "epoll_ctl");
	return 0;
}

void loop_wake(struct loop *loop)
{
	eventfd_write(loop->wake_fd, 1);
}

static void turn(struct loop *loop, int64_t wait_ms)
{
	MHD_run_wait(loop->daemon, (int32_t)wait_ms);
	loop->now_ms = clock_monotonic_ms();
	if (loop->now_ms < loop->next_tick_ms)
		return;
	loop->next_tick_ms = loop->now_ms + LOOP_TICK_MS;
	connections_tick(loop);
}

static void wind_down(struct loop *loop, int64_t stop_at_ms)
{
	turn(loop, 0); /* takes in what has arrived */
	MHD_quiesce_daemon(loop->daemon);
	close(loop->listen_fd);
	loop->listen_fd = -1;
	turn(loop, 0);
	loop->is_closing = true;
	connections_close_idle(loop);
	while (loop->connections && loop->now_ms < stop_at_ms) {
		int64_t left_ms = stop_at_ms - loop->now_ms;
		turn(loop, left_ms < LOOP_TICK_MS ? left_ms : LOOP_TICK_MS);
		connections_close_idle(loop);
	}
	connections_abandon(loop);
	for (int i = 0; loop->connections && i < LAST_TURNS; i++)
		turn(loop, 10);
}

static void *loop_run(void *context)
{
	struct loop *loop = context;
	int64_t stop_at_ms;
	while (!(stop_at_ms = atomic_load(&loop->server->stop_at_ms)))
		turn(loop, loop->connections ? LOOP_TICK_MS : -1);
	wind_down(loop, stop_at_ms);
	return NULL;
}

static void loop_free(struct loop *loop)
{
	if (loop->daemon) {
		MHD_quiesce_daemon(loop->daemon); /* or it would close the descriptor too */
		MHD_stop_daemon(loop->daemon);
	}
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	if (loop->listen_fd >= 0)
		close(loop->listen_fd);
	gate_release(loop->gate);
}

static int loop_open(struct loop *loop, struct error *err)
{
	loop->listen_fd = fcntl(loop->server->config.listen_fd, F_DUPFD_CLOEXEC, 3);
	if (loop->listen_fd < 0)
		return err_errno(err, errno, "listening socket");
	loop->daemon = daemon_new(loop);
	if (!loop->daemon)
		return err_set(err, ERR_INTERNAL, "libmicrohttpd does not start");
	int rc = add_wake(loop, err);
	if (rc < 0)
		return rc;
	int error_number = thread_start(&loop->thread, STACK_BYTES, false, loop_run, loop);
	return error_number ? err_errno(err, error_number, "thread of the HTTP server") : 0;
}

int loop_start(struct loop *loop, struct http_server *server, struct error *err)
{
	*loop = (struct loop){
		.server = server, .listen_fd = -1, .wake_fd = -1, .now_ms = clock_monotonic_ms()};
	loop->gate = gate_new();
	int rc = loop_open(loop, err);
	if (rc < 0)
		loop_free(loop);
	return rc;
}

void loop_stop(struct loop *loop)
{
	pthread_join(loop->thread, NULL);
	/* A thread that has just answered may still be waking the connection. */
	pthread_mutex_lock(&loop->gate->mutex);
	pthread_mutex_unlock(&loop->gate->mutex);
	loop_free(loop);
}
