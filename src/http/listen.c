/* Listening sockets from their written form: "ADDRESS:PORT" with numeric addresses, "*:PORT" for every
 * address of both families, "unix:PATH". */
#include "base/fd.h"
#include "base/text.h"
#include "http/http.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { BACKLOG = 1024, SOCKET_FLAGS = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK };

union tcp_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int bind_tcp(
	const union tcp_address *address, bool is_v6_only, int *ret_fd, const char *text, struct error *err)
{
	bool is_v6 = address->any.sa_family == AF_INET6;
	int on = 1, only = is_v6_only;
	owned_fd int fd = socket(address->any.sa_family, SOCKET_FLAGS, 0);
	if (fd < 0)
		return err_errno(err, errno, "socket for %s", text);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (is_v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) < 0)
		return err_errno(err, errno, "IPV6_V6ONLY for %s", text);
	if (bind(fd, &address->any, is_v6 ? sizeof(address->v6) : sizeof(address->v4)) < 0)
		return err_errno(err, errno, "bind %s", text);
	if (listen(fd, BACKLOG) < 0)
		return err_errno(err, errno, "listen on %s", text);
	*ret_fd = fd_take(fd);
	return 0;
}

/* A kernel without IPv6, or with IPv6 switched off, does not let us have ::, whatever the port. */
static bool has_ipv6(void)
{
	const struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	owned_fd int fd = socket(AF_INET6, SOCKET_FLAGS, 0);
	return fd >= 0 && bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0;
}

static int listen_everywhere(in_port_t port, int *ret_fd, const char *text, struct error *err)
{
	const union tcp_address v6 = {.v6 = {.sin6_family = AF_INET6, .sin6_port = port}};
	const union tcp_address v4 = {.v4 = {.sin_family = AF_INET, .sin_port = port}};
	return bind_tcp(has_ipv6() ? &v6 : &v4, false, ret_fd, text, err);
}

static int listen_tcp(const char *text, int *ret_fd, struct error *err)
{
	char host[INET6_ADDRSTRLEN + 2];
	const char *colon = strrchr(text, ':');
	int64_t port;
	if (!colon || !text_to_int64(colon + 1, 0, 65535, &port) ||
		!text_format(host, sizeof(host), "%.*s", (int)(colon - text), text))
		return err_set(err, ERR_INVALID, "%s is not ADDRESS:PORT", text);
	in_port_t wire_port = htons((in_port_t)port);
	if (text_equal(host, "*"))
		return listen_everywhere(wire_port, ret_fd, text, err);
	union tcp_address address = {.v4 = {.sin_family = AF_INET, .sin_port = wire_port}};
	if (inet_pton(AF_INET, host, &address.v4.sin_addr) == 1)
		return bind_tcp(&address, true, ret_fd, text, err);
	address = (union tcp_address){.v6 = {.sin6_family = AF_INET6, .sin6_port = wire_port}};
	size_t len = strlen(host);
	if (len < 2 || host[0] != '[' || host[len - 1] != ']')
		return err_set(
			err, ERR_INVALID, "%s: not an IP address (IPv6 goes in brackets), nor *", text);
	host[len - 1] = '\0';
	if (inet_pton(AF_INET6, host + 1, &address.v6.sin6_addr) != 1)
		return err_set(err, ERR_INVALID, "%s: not an IPv6 address", text);
	return bind_tcp(&address, true, ret_fd, text, err);
}

/* A socket file outlives its process; it is stale when nobody answers. */
static int remove_stale(const struct sockaddr_un *address, struct error *err)
{
	struct stat st;
	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "stat %s", address->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_EXISTS, "%s exists and is not a socket", address->sun_path);
	owned_fd int fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
	if (fd < 0)
		return err_errno(err, errno, "socket");
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno != ECONNREFUSED)
		return err_set(err, ERR_EXISTS, "%s is in use by another process", address->sun_path);
	if (unlink(address->sun_path) < 0 && errno != ENOENT)
		return err_errno(err, errno, "remove %s", address->sun_path);
	return 0;
}

static int listen_unix(const char *path, mode_t mode, int *ret_fd, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (!path[0] || !text_copy(address.sun_path, sizeof(address.sun_path), path))
		return err_set(err, ERR_INVALID, "socket path is empty or longer than %zu bytes: %s",
			sizeof(address.sun_path) - 1, path);
	int rc = remove_stale(&address, err);
	if (rc < 0)
		return rc;
	owned_fd int fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
	/* The mode of the descriptor, less the umask, is the file's from its first moment on: never wider
	 * than MODE. */
	if (fd < 0 || fchmod(fd, mode) < 0)
		return err_errno(err, errno, "socket for %s", path);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return err_errno(err, errno, "bind %s", path);
	if (chmod(path, mode) < 0 || listen(fd, BACKLOG) < 0) {
		rc = err_errno(err, errno, "listen on %s", path);
		unlink(path);
		return rc;
	}
	*ret_fd = fd_take(fd);
	return 0;
}

int http_listen(const char *address, mode_t mode, int *ret_fd, struct error *err)
{
	if (text_starts(address, "unix:"))
		return listen_unix(address + strlen("unix:"), mode, ret_fd, err);
	return listen_tcp(address, ret_fd, err);
}
