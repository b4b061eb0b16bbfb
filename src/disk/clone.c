/* Copies of image files: reflinks, which take constant time whatever the size, and for tests and the
 * simulator a copy that skips holes. What the copies are for is disk.c's and template.c's business. */
#include "base/fd.h"
#include "disk/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static int copy_range(int from, int to, off_t start, off_t end, struct error *err)
{
	off_t out = start;
	while (start < end) {
		ssize_t copied = copy_file_range(from, &start, to, &out, (size_t)(end - start), 0);
		if (copied < 0 && errno == EINTR)
			continue;
		if (copied < 0)
			return err_errno(err, errno, "copy");
		if (copied == 0)
			return err_set(err, ERR_IO, "the file became shorter while it was copied");
	}
	return 0;
}

static int copy_data(int from, int to, struct error *err)
{
	for (off_t end = 0;;) {
		off_t start = lseek(from, end, SEEK_DATA);
		if (start < 0 && errno == ENXIO)
			return 0;
		if (start < 0 || (end = lseek(from, start, SEEK_HOLE)) < 0)
			return err_errno(err, errno, "seek");
		int rc = copy_range(from, to, start, end, err);
		if (rc < 0)
			return rc;
	}
}

static int fill_clone(const struct pool *pool, int from, int to, int64_t size_bytes, struct error *err)
{
	struct stat st;
	if (fstat(from, &st) < 0)
		return err_errno(err, errno, "stat");
	if (size_bytes && size_bytes < st.st_size)
		return err_set(err, ERR_INVALID, "a clone cannot be smaller than its origin");
	if (pool->reflinks) {
		if (ioctl(to, FICLONE, from) < 0)
			return err_errno(err, errno, "FICLONE");
	} else {
		int rc = copy_data(from, to, err);
		if (rc < 0)
			return rc;
	}
	if (ftruncate(to, size_bytes ? size_bytes : st.st_size) < 0)
		return err_errno(err, errno, "set the size");
	if (fsync(to) < 0)
		return err_errno(err, errno, "fsync");
	return 0;
}

int clone_file(
	const struct pool *pool, const char *from, const char *to, int64_t size_bytes, struct error *err)
{
	owned_fd int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (in < 0)
		return err_errno(err, errno, "open %s", from);
	owned_fd int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out < 0)
		return err_errno(err, errno, "create %s", to);
	int rc = fill_clone(pool, in, out, size_bytes, err);
	if (rc < 0) {
		unlink(to);
		return err_wrap(err, "clone %s to %s", from, to);
	}
	return 0;
}

/* errno is ENOSPC when it did not come to the proof. */
static bool shares_blocks(int from, int to)
{
	static const char block[65536] = {1};
	ssize_t written = write(from, block, sizeof(block));
	if (written >= 0 && written < (ssize_t)sizeof(block))
		errno = ENOSPC;
	return written == (ssize_t)sizeof(block) && fsync(from) == 0 && ioctl(to, FICLONE, from) == 0;
}

int clone_probe(const char *dir, bool *ret, struct error *err)
{
	owned_fd int from = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	owned_fd int to = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (from < 0 || to < 0) {
		if (errno != EOPNOTSUPP && errno != EISDIR)
			return err_errno(err, errno, "make a file in %s", dir);
		*ret = false;
		return 0;
	}
	*ret = shares_blocks(from, to);
	if (!*ret && errno == ENOSPC)
		return err_errno(err, errno, "write to a file in %s", dir);
	return 0;
}
