#include "daemon/service.h"
#include "base/fd.h"
#include "base/text.h"
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_FD = 3, FDS_MAX = 64 };

static bool env_number(const char *name, int64_t min, int64_t max, int64_t *ret)
{
	const char *text = getenv(name);
	return text && text_to_int64(text, min, max, ret);
}

int service_socket(const char *name)
{
	int64_t pid, count;
	const char *names = getenv("LISTEN_FDNAMES");
	if (!names || !env_number("LISTEN_PID", 1, INT32_MAX, &pid) || pid != getpid() ||
		!env_number("LISTEN_FDS", 1, FDS_MAX, &count))
		return -1;
	for (int fd = FIRST_FD; fd < FIRST_FD + count; fd++) {
		size_t len = strcspn(names, ":");
		if (len == strlen(name) && strncmp(names, name, len) == 0)
			return fd;
		names += len + (names[len] == ':');
	}
	return -1;
}

static void tell_systemd(const char *path)
{
	static const char word[] = "READY=1";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if ((path[0] != '/' && path[0] != '@') ||
		!text_copy(address.sun_path, sizeof(address.sun_path), path))
		return;
	/* "@" stands for the NUL of an abstract name. */
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	owned_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (fd >= 0)
		sendto(fd, word, strlen(word), MSG_NOSIGNAL, (const struct sockaddr *)&address, len);
}

void service_ready(void)
{
	int64_t fd;
	const char *path = getenv("NOTIFY_SOCKET");
	if (env_number(READY_FD_ENV, FIRST_FD, INT32_MAX, &fd)) {
		fd_write_all((int)fd, "R", 1, NULL);
		close((int)fd);
		unsetenv(READY_FD_ENV);
	} else if (path) {
		tell_systemd(path);
	}
}
