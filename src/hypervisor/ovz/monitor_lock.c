/* POSIX record locks (fcntl(2)): unlike the others they name their holder, are not shared with forked
 * children, and survive execve. */
#include "hypervisor/ovz/monitor_lock.h"
#include "base/fd.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

static int open_lock(const char *state_dir, const char *name, int flags)
{
	char path[PATH_MAX];
	if (!text_format(path, sizeof(path), "%s/%s/" MONITOR_LOCK_FILE, state_dir, name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

int monitor_lock_take(const char *state_dir, const char *name, struct error *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	owned_fd int fd = open_lock(state_dir, name, O_RDWR | O_CREAT);
	if (fd < 0)
		return err_errno(err, errno, "lock of %s", name);
	if (fcntl(fd, F_SETLK, &lock) < 0) {
		if (errno == EAGAIN || errno == EACCES)
			return err_set(err, ERR_EXISTS, "container %s runs already", name);
		return err_errno(err, errno, "lock of %s", name);
	}
	return fd_take(fd);
}

pid_t monitor_lock_holder(const char *state_dir, const char *name)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	owned_fd int fd = open_lock(state_dir, name, O_RDWR);
	if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK || lock.l_pid < 0)
		return 0;
	return lock.l_pid;
}
