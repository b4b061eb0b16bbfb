#include "base/fd.h"
#include "base/memory.h"
#include "base/owned.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int fd_write_all(int fd, const void *bytes, size_t len, struct error *err)
{
	const char *next = bytes;
	while (len) {
		ssize_t written = write(fd, next, len);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return err_errno(err, errno, "write");
		next += written;
		len -= (size_t)written;
	}
	return 0;
}

int fd_read_all(int fd, struct buffer *buffer, struct error *err)
{
	char chunk[16384];
	for (;;) {
		ssize_t got = read(fd, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(err, errno, "read");
		if (got == 0)
			return 0;
		buffer_add(buffer, chunk, (size_t)got);
		if (buffer->overflowed)
			return err_set(err, ERR_TOO_LARGE, "more than %zu bytes", buffer->max_len);
	}
}

int file_read(const char *path, size_t max_len, char **ret, size_t *ret_len, struct error *err)
{
	owned_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	owned_in(buffer_done) struct buffer buffer = BUFFER_INIT(max_len);
	int rc = fd_read_all(fd, &buffer, err);
	if (rc < 0)
		return err_wrap(err, "%s", path);
	if (ret_len)
		*ret_len = buffer.len;
	*ret = buffer_take(&buffer);
	return 0;
}

int dir_sync_of(const char *path, struct error *err)
{
	char folder[PATH_MAX];
	if (!text_copy(folder, sizeof(folder), path))
		return err_set(err, ERR_INVALID, "path too long");
	char *slash = strrchr(folder, '/');
	if (!slash)
		return err_set(err, ERR_INVALID, "%s is not absolute", path);
	slash[slash == folder ? 1 : 0] = '\0';
	owned_fd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return err_errno(err, errno, "fsync %s", folder);
	return 0;
}

static int write_and_sync(const char *path, const void *bytes, size_t len, mode_t mode, struct error *err)
{
	owned_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(err, errno, "create %s", path);
	int rc = fd_write_all(fd, bytes, len, err);
	if (rc < 0)
		return err_wrap(err, "%s", path);
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return err_errno(err, errno, "sync %s", path);
	return 0;
}

int file_write_atomic(const char *path, const void *bytes, size_t len, mode_t mode, struct error *err)
{
	owned_mem char *temporary = mem_printf("%s.%d.%p.new", path, (int)getpid(), (void *)&temporary);
	unlink(temporary);
	int rc = write_and_sync(temporary, bytes, len, mode, err);
	if (rc == 0 && rename(temporary, path) < 0)
		rc = err_errno(err, errno, "rename to %s", path);
	if (rc < 0) {
		unlink(temporary);
		return rc;
	}
	return dir_sync_of(path, err);
}

int dir_make(const char *path, mode_t mode, struct error *err)
{
	char partial[PATH_MAX];
	if (!path[0] || !text_copy(partial, sizeof(partial), path))
		return err_set(err, ERR_INVALID, "path empty or too long");
	for (char *slash = strchr(partial + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(partial, mode) < 0 && errno != EEXIST)
			return err_errno(err, errno, "mkdir %s", partial);
		if (!slash)
			return 0;
		*slash = '/';
	}
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st, (void)type, (void)walk;
	return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

int dir_remove_tree(const char *path, struct error *err)
{
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
		return err_errno(err, errno, "remove %s", path);
	return 0;
}
