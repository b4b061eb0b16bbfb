/* Archives of root file systems, which anybody may have made. One pass in a child without privileges measures
 * what it holds, a second one unpacks it into an image that fits. The second needs to give files their
 * owners, so it is root, but with hardly a capability, in a root directory that is the image, in namespaces
 * of its own. Devices are left out. */
#include "base/fd.h"
#include "disk/internal.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

enum {
	ENTRIES_MAX = 2000000,
	MEASURE_TIMEOUT_MS = 900000,
	UNPACK_TIMEOUT_MS = 1800000,
	READ_BLOCK = 1 << 18
};
static const int64_t bytes_max = (int64_t)32 << 30, memory_bytes_max = (int64_t)2 << 30;

struct job {
	int fd;
	const char *image_path, *mount_point; /* of the second pass */
};

static int read_failure(struct archive *archive, struct error *err)
{
	return err_say(err, ERR_INVALID, "The archive cannot be read: %.120s", archive_error_string(archive));
}

/* Only the formats of tar and the filters that are compiled in: some others would start programs. */
static int open_archive(int fd, struct archive **ret, struct error *err)
{
	struct archive *archive = archive_read_new();
	if (!archive)
		return err_set(err, ERR_INTERNAL, "no archive reader");
	archive_read_support_filter_gzip(archive);
	archive_read_support_filter_xz(archive);
	archive_read_support_filter_zstd(archive);
	archive_read_support_filter_bzip2(archive);
	archive_read_support_format_tar(archive);
	archive_read_set_options(archive, "hdrcharset=BINARY");
	if (archive_read_open_fd(archive, fd, READ_BLOCK) != ARCHIVE_OK) {
		int rc = read_failure(archive, err);
		archive_read_free(archive);
		return rc;
	}
	*ret = archive;
	return 0;
}

static void reader_close(struct archive **archive)
{
	if (*archive)
		archive_read_free(*archive);
}

static void writer_close(struct archive **archive)
{
	if (*archive)
		archive_write_free(*archive);
}

static bool is_wanted(struct archive_entry *entry)
{
	mode_t type = archive_entry_filetype(entry);
	return archive_entry_hardlink(entry) || type == AE_IFREG || type == AE_IFDIR || type == AE_IFLNK;
}

/* ---- measuring ---- */

static int measure(void *context, int64_t result[2], struct error *err)
{
	const struct job *job = context;
	owned_in(reader_close) struct archive *archive = NULL;
	struct archive_entry *entry;
	int rc = open_archive(job->fd, &archive, err);
	if (rc < 0)
		return rc;
	while ((rc = archive_read_next_header(archive, &entry)) == ARCHIVE_OK || rc == ARCHIVE_WARN) {
		int64_t size = archive_entry_size(entry);
		if (size < 0 || size > bytes_max || ++result[1] > ENTRIES_MAX)
			return err_say(err, ERR_TOO_LARGE, "The archive holds too much.");
		result[0] += (size + 4095) / 4096 * 4096;
		if (result[0] > bytes_max)
			return err_say(err, ERR_TOO_LARGE, "The archive holds too much.");
	}
	return rc == ARCHIVE_EOF ? 0 : read_failure(archive, err);
}

int archive_measure(const char *path, struct archive_size *ret, struct error *err)
{
	owned_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	struct job job = {.fd = fd};
	const struct child child = {.rights = CHILD_NOBODY,
		.dir = "/",
		.keep_fd = fd,
		.run = measure,
		.context = &job,
		.timeout_ms = MEASURE_TIMEOUT_MS,
		.file_bytes_max = 0,
		.memory_bytes_max = memory_bytes_max};
	int64_t result[2];
	int rc = child_run(&child, result, err);
	if (rc == 0)
		*ret = (struct archive_size){.bytes = result[0], .entries = result[1]};
	return rc;
}

/* ---- unpacking ---- */

static int write_failure(struct archive *disk, struct error *err)
{
	if (archive_errno(disk) == ENOSPC)
		return err_say(err, ERR_CAPACITY, "The storage pool is full.");
	return err_say(
		err, ERR_INVALID, "The archive cannot be unpacked: %.120s", archive_error_string(disk));
}

/* Counts the bytes really written: the entry's own size may lie. */
static int copy_data(struct archive *archive, struct archive *disk, int64_t *total, struct error *err)
{
	const void *block;
	size_t len;
	la_int64_t offset;
	for (;;) {
		int rc = archive_read_data_block(archive, &block, &len, &offset);
		if (rc == ARCHIVE_EOF)
			return 0;
		if (rc < ARCHIVE_WARN)
			return read_failure(archive, err);
		*total += (int64_t)len;
		if (*total > bytes_max)
			return err_say(err, ERR_TOO_LARGE, "The archive holds too much.");
		if (archive_write_data_block(disk, block, len, offset) < ARCHIVE_WARN)
			return write_failure(disk, err);
	}
}

static int unpack_entry(struct archive *archive, struct archive *disk, struct archive_entry *entry,
	int64_t *total, struct error *err)
{
	if (!is_wanted(entry))
		return 0;
	if (archive_write_header(disk, entry) < ARCHIVE_WARN)
		return write_failure(disk, err);
	int rc = archive_entry_size(entry) > 0 ? copy_data(archive, disk, total, err) : 0;
	if (rc == 0 && archive_write_finish_entry(disk) < ARCHIVE_WARN)
		rc = write_failure(disk, err);
	return rc;
}

static int unpack_all(struct archive *archive, struct archive *disk, int64_t result[2], struct error *err)
{
	struct archive_entry *entry;
	int rc;
	while ((rc = archive_read_next_header(archive, &entry)) == ARCHIVE_OK || rc == ARCHIVE_WARN) {
		if (++result[1] > ENTRIES_MAX)
			return err_say(err, ERR_TOO_LARGE, "The archive holds too much.");
		rc = unpack_entry(archive, disk, entry, &result[0], err);
		if (rc < 0)
			return rc;
	}
	if (rc != ARCHIVE_EOF)
		return read_failure(archive, err);
	return archive_write_close(disk) < ARCHIVE_WARN ? write_failure(disk, err) : 0;
}

static int unpack(void *context, int64_t result[2], struct error *err)
{
	const struct job *job = context;
	owned_in(reader_close) struct archive *archive = NULL;
	owned_in(writer_close) struct archive *disk = archive_write_disk_new();
	umask(0);
	int rc = open_archive(job->fd, &archive, err);
	if (rc < 0)
		return rc;
	archive_write_disk_set_options(disk,
		ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_ACL |
			ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_UNLINK | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
			ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS);
	rc = unpack_all(archive, disk, result, err);
	struct stat st;
	if (rc == 0 && lstat("/sbin/init", &st) < 0)
		return err_say(err, ERR_INVALID, "The archive is no root file system: it has no /sbin/init.");
	if (rc == 0 && syncfs(job->fd) < 0)
		return err_errno(err, errno, "sync");
	return rc;
}

static int mount_inside(void *context, struct error *err)
{
	const struct job *job = context;
	return loop_mount(job->image_path, job->mount_point, "ext4",
		MS_NODEV | MS_NOSUID | MS_NOEXEC | MS_NOATIME, NULL, false, err);
}

int archive_unpack(const char *path, const char *image_path, const char *mount_point, struct error *err)
{
	owned_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	struct job job = {.fd = fd, .image_path = image_path, .mount_point = mount_point};
	const struct child child = {.rights = CHILD_UNPACKER,
		.dir = mount_point,
		.keep_fd = fd,
		.prepare = mount_inside,
		.run = unpack,
		.context = &job,
		.timeout_ms = UNPACK_TIMEOUT_MS,
		.file_bytes_max = bytes_max,
		.memory_bytes_max = memory_bytes_max};
	int64_t result[2];
	return child_run(&child, result, err);
}
