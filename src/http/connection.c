/* Who may connect, and for how long. Every connection of a loop has a deadline for what it is doing: the loop
 * looks at all of them every tick and shuts down the sockets that are late, which a client that sends a byte
 * now and then cannot push out. libmicrohttpd then finds the socket closed and cleans up. What is sent over
 * the connection is for request.c and exchange.c. */
#include "base/clock.h"
#include "base/memory.h"
#include "http/internal.h"
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool address_read(const struct sockaddr *address, socklen_t len, struct in6_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (address->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
		*ret = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
		return true;
	}
	if (address->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
		memcpy(ret->s6_addr + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
		return true;
	}
	return false;
}

/* An admission is the counting of one connection; connection_notify takes it over a moment later on this
 * thread, unless libmicrohttpd fails in between: then the next one finds it still here. */
static void admission_drop(struct loop *loop)
{
	if (!loop->is_admitted)
		return;
	if (loop->admitted)
		source_leave(loop->server->sources, take(loop->admitted));
	atomic_fetch_sub(&loop->server->connections, 1);
	loop->is_admitted = false;
}

enum MHD_Result connection_admit(void *context, const struct sockaddr *address, socklen_t len)
{
	struct loop *loop = context;
	struct http_server *server = loop->server;
	loop->now_ms = clock_monotonic_ms();
	admission_drop(loop);
	if (atomic_fetch_add(&server->connections, 1) >= server->config.limits.connections) {
		atomic_fetch_sub(&server->connections, 1);
		return MHD_NO;
	}
	loop->is_admitted = true;
	loop->admitted = NULL;
	memset(&loop->admitted_address, 0, sizeof(loop->admitted_address));
	if (server->config.is_unix)
		return MHD_YES;
	if (address_read(address, len, &loop->admitted_address))
		loop->admitted = source_enter(server->sources, &loop->admitted_address);
	if (loop->admitted)
		return MHD_YES;
	admission_drop(loop);
	return MHD_NO;
}

void connection_set_deadline(struct connection *connection, unsigned timeout_s)
{
	/* now_ms may be as old as one tick: better a tick late than early. */
	connection->deadline_ms = connection->loop->now_ms + LOOP_TICK_MS + (int64_t)timeout_s * 1000;
}

static uid_t peer_uid(int fd)
{
	struct ucred credentials;
	socklen_t len = sizeof(credentials);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) < 0)
		return (uid_t)-1;
	return credentials.uid;
}

static struct connection *connection_open(struct loop *loop, struct MHD_Connection *mhd)
{
	struct connection *connection = mem_new(struct connection);
	connection->loop = loop;
	connection->mhd = mhd;
	connection->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	connection->source = take(loop->admitted);
	connection->address = loop->admitted_address;
	loop->is_admitted = false;
	connection->peer_uid = loop->server->config.is_unix ? peer_uid(connection->fd) : (uid_t)-1;
	connection_set_deadline(connection, loop->server->config.limits.header_timeout_s);
	connection->next = loop->connections;
	if (connection->next)
		connection->next->previous = connection;
	loop->connections = connection;
	return connection;
}

static void connection_close(struct connection *connection)
{
	struct loop *loop = connection->loop;
	if (connection->next)
		connection->next->previous = connection->previous;
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		loop->connections = connection->next;
	if (connection->source)
		source_leave(loop->server->sources, connection->source);
	atomic_fetch_sub(&loop->server->connections, 1);
	if (connection->exchange)
		exchange_free(connection->exchange);
	if (connection->identity)
		tls_identity_release(connection->identity);
	free(connection);
}

void connection_notify(
	void *loop, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code)
{
	switch (code) {
	case MHD_CONNECTION_NOTIFY_STARTED:
		*context = connection_open(loop, mhd);
		break;
	case MHD_CONNECTION_NOTIFY_CLOSED:
		connection_close(take(*context));
		break;
	}
}

struct connection *connection_of(struct MHD_Connection *mhd)
{
	return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static bool is_idle(const struct connection *connection)
{
	return !connection->exchange || connection->exchange->stage == STAGE_IDLE;
}

static void connection_shut(struct connection *connection)
{
	shutdown(connection->fd, SHUT_RDWR);
	connection->deadline_ms = 0;
}

void connections_tick(struct loop *loop)
{
	int64_t trim_before_ms =
		loop->now_ms + ((int64_t)loop->server->config.limits.header_timeout_s - 2) * 1000;
	for (struct connection *connection = loop->connections; connection; connection = connection->next) {
		if (!connection->deadline_ms)
			continue;
		if (loop->now_ms >= connection->deadline_ms)
			connection_shut(connection);
		else if (connection->exchange && is_idle(connection) &&
			 connection->deadline_ms < trim_before_ms)
			exchange_free(take(connection->exchange));
	}
}

void connections_close_idle(struct loop *loop)
{
	for (struct connection *connection = loop->connections; connection; connection = connection->next)
		if (is_idle(connection) && connection->deadline_ms)
			connection_shut(connection);
}

/* The exchange stays with whoever still works on it; the connection is resumed to be closed. */
static void connection_abandon(struct connection *connection)
{
	struct exchange *exchange = connection->exchange;
	if (!exchange || exchange->stage != STAGE_HANDLED)
		return;
	pthread_mutex_lock(&exchange->gate->mutex);
	if (exchange->is_suspended && !exchange->is_answered) {
		exchange->is_abandoned = true;
		connection->exchange = NULL;
		MHD_resume_connection(connection->mhd);
	}
	pthread_mutex_unlock(&exchange->gate->mutex);
}

void connections_abandon(struct loop *loop)
{
	for (struct connection *connection = loop->connections; connection; connection = connection->next) {
		connection_shut(connection);
		connection_abandon(connection);
	}
}
