#include "http/ask.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/owned.h"
#include "base/text.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { HEADER_MAX = 16384, CHUNK = 16384 };

static int connect_to(const char *path, int *ret, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (!text_copy(address.sun_path, sizeof(address.sun_path), path))
		return err_set(err, ERR_INVALID, "the socket's path is too long");
	owned_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(err, errno, "socket");
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return err_set(err, ERR_UNAVAILABLE, "nobody answers on %s: %s", path, strerror(errno));
	*ret = fd_take(fd);
	return 0;
}

/* Waits until the socket is ready for EVENTS. */
static int wait_for(int fd, short events, int64_t deadline_ms, struct error *err)
{
	for (;;) {
		int64_t left_ms = deadline_ms - clock_monotonic_ms();
		struct pollfd ready = {.fd = fd, .events = events};
		int rc = left_ms > 0 ? poll(&ready, 1, (int)left_ms) : 0;
		if (rc > 0)
			return 0;
		if (rc == 0)
			return err_set(err, ERR_TIMEOUT, "no answer in time");
		if (errno != EINTR)
			return err_errno(err, errno, "poll");
	}
}

static int send_all(int fd, const char *bytes, size_t len, int64_t deadline_ms, struct error *err)
{
	while (len) {
		int rc = wait_for(fd, POLLOUT, deadline_ms, err);
		if (rc < 0)
			return rc;
		ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (sent < 0)
			return err_set(err, ERR_UNAVAILABLE, "the connection broke: %s", strerror(errno));
		bytes += sent;
		len -= (size_t)sent;
	}
	return 0;
}

/* More of the answer into BUFFER; 0 at its end, 1 otherwise. */
static int receive_more(int fd, struct buffer *buffer, int64_t deadline_ms, struct error *err)
{
	char chunk[CHUNK];
	int rc = wait_for(fd, POLLIN, deadline_ms, err);
	if (rc < 0)
		return rc;
	ssize_t got = recv(fd, chunk, sizeof(chunk), 0);
	if (got < 0 && errno == EINTR)
		return 1;
	if (got < 0)
		return err_set(err, ERR_UNAVAILABLE, "the connection broke: %s", strerror(errno));
	buffer_add(buffer, chunk, (size_t)got);
	if (buffer->overflowed)
		return err_set(err, ERR_TOO_LARGE, "an answer of more than %zu bytes", buffer->max_len);
	return got > 0;
}

/* The value of Content-Length in the header, or -1. */
static int64_t content_length(const char *header)
{
	static const char name[] = "\r\nContent-Length:";
	const char *line = strcasestr(header, name);
	char digits[24];
	int64_t length;
	if (!line)
		return -1;
	line += strlen(name);
	line += strspn(line, " ");
	size_t len = strcspn(line, "\r");
	if (!text_format(digits, sizeof(digits), "%.*s", (int)len, line) ||
		!text_to_int64(digits, 0, INT64_MAX, &length))
		return -1;
	return length;
}

static int send_request(int fd, const struct http_ask *ask, int64_t deadline_ms, struct error *err)
{
	owned_in(buffer_done) struct buffer header = BUFFER_INIT(HEADER_MAX);
	buffer_addf(&header,
		"POST %s HTTP/1.1\r\nHost: moa\r\nConnection: close\r\nContent-Type: application/json\r\n",
		ask->target);
	if (ask->request_id && ask->request_id[0])
		buffer_addf(&header, "X-Request-Id: %s\r\n", ask->request_id);
	buffer_addf(&header, "Content-Length: %zu\r\n\r\n", ask->body_len);
	int rc = send_all(fd, header.data, header.len, deadline_ms, err);
	return rc < 0 ? rc : send_all(fd, ask->body, ask->body_len, deadline_ms, err);
}

/* The header up to and with the empty line; what came behind it goes into ANSWER. */
static int receive_header(
	int fd, struct buffer *answer, int64_t deadline_ms, int64_t *ret_length, struct error *err)
{
	owned_in(buffer_done) struct buffer header = BUFFER_INIT(HEADER_MAX + CHUNK);
	const char *end = NULL;
	while (!end) {
		int rc = receive_more(fd, &header, deadline_ms, err);
		if (rc < 0)
			return rc;
		end = strstr(header.data, "\r\n\r\n");
		if (!end && rc == 0)
			return err_set(err, ERR_UNAVAILABLE, "the connection ended before the answer");
	}
	end += strlen("\r\n\r\n");
	buffer_add(answer, end, header.len - (size_t)(end - header.data));
	header.data[end - header.data - 2] = '\0';
	*ret_length = content_length(header.data);
	if (!text_starts(header.data, "HTTP/1.1 200 ") || *ret_length < 0)
		return err_set(
			err, ERR_PROTOCOL, "an answer that is not 200 with a length: %.40s", header.data);
	return 0;
}

int http_ask(const struct http_ask *ask, struct buffer *answer, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + ask->timeout_ms, length = 0;
	owned_fd int fd = -1;
	int rc = connect_to(ask->socket_path, &fd, err);
	if (rc == 0)
		rc = send_request(fd, ask, deadline_ms, err);
	if (rc == 0)
		rc = receive_header(fd, answer, deadline_ms, &length, err);
	while (rc == 0 && (int64_t)answer->len < length) {
		rc = receive_more(fd, answer, deadline_ms, err);
		if (rc == 0)
			return err_set(err, ERR_UNAVAILABLE, "the connection ended within the answer");
		rc = rc < 0 ? rc : 0;
	}
	return rc;
}
