/* Opening the pool: its folders, the proof that clones work, the XFS file that is mounted where the host's
 * own file system has none, and its space. What lies in it is for disk.c and template.c. */
#include "disk/internal.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/random.h"
#include "base/text.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum { RESERVE_PERCENT = 5, MKFS_TIMEOUT_MS = 120000 };

int pool_path(const struct pool *pool, char *place, struct error *err, const char *format, ...)
{
	size_t used = strlen(pool->dir);
	memcpy(place, pool->dir, used);
	place[used++] = '/';
	va_list args;
	va_start(args, format);
	int len = vsnprintf(place + used, PATH_MAX - used, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= PATH_MAX - used)
		return err_set(err, ERR_INVALID, "path too long");
	return 0;
}

int pool_temporary(const struct pool *pool, const char *stem, char place[PATH_MAX], struct error *err)
{
	char suffix[13];
	random_text(suffix, sizeof(suffix) - 1, TEXT_LOWER TEXT_DIGITS);
	return pool_path(pool, place, err, "tmp/%s-%s", stem, suffix);
}

int pool_discard(const struct pool *pool, const char *path, struct error *err)
{
	char doomed[PATH_MAX];
	int rc = pool_temporary(pool, "discard", doomed, err);
	if (rc < 0)
		return rc;
	if (rename(path, doomed) < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "move %s", path);
	rc = dir_sync_of(path, err);
	return rc < 0 ? rc : dir_remove_tree(doomed, err);
}

/* ---- the XFS file ---- */

/* Made under another name and renamed when it is formatted: an existing file is never formatted again. */
static int make_image(const char *path, int64_t bytes, struct error *err)
{
	owned_mem char *unfinished = mem_printf("%s.new", path);
	if (unlink(unfinished) < 0 && errno != ENOENT)
		return err_errno(err, errno, "remove %s", unfinished);
	owned_fd int fd = open(unfinished, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(err, errno, "create %s", unfinished);
	const char *const argv[] = {"mkfs.xfs", "-q", "-m", "reflink=1", unfinished, NULL};
	int rc = ftruncate(fd, bytes) < 0 ? err_errno(err, errno, "size of %s", unfinished)
					  : process_check(argv, MKFS_TIMEOUT_MS, err);
	if (rc == 0 && (fsync(fd) < 0 || rename(unfinished, path) < 0))
		rc = err_errno(err, errno, "finish %s", path);
	if (rc < 0) {
		unlink(unfinished);
		return rc;
	}
	return dir_sync_of(path, err);
}

static bool image_is_mounted(const char *dir, const char *image_path)
{
	if (!path_is_mount(dir))
		return false;
	owned_fd int loop = loop_open_mounted(dir, image_path);
	return loop >= 0;
}

static int mount_image(const struct pool_config *config, struct error *err)
{
	if (image_is_mounted(config->dir, config->image_path))
		return 0;
	int rc = access(config->image_path, F_OK) == 0
			 ? 0
			 : make_image(config->image_path, config->image_bytes, err);
	if (rc == 0)
		rc = loop_mount(config->image_path, config->dir, "xfs", MS_NOATIME | MS_NODEV | MS_NOSUID,
			"discard", true, err);
	return rc < 0 ? err_wrap(err, "the pool's file") : 0;
}

/* A full disk proves nothing, and the VPSs on it must be served all the same: then what was proven when the
 * pool was made still holds, and where it does not each clone says so. */
static int probe(const char *dir, bool *ret, struct error *err)
{
	int rc = clone_probe(dir, ret, err);
	if (rc != -ERR_CAPACITY)
		return rc;
	*ret = true;
	return 0;
}

/* A file made before is used even where the folder has learnt reflinks since: the disks are in it. */
static int find_reflinks(const struct pool_config *config, struct pool *pool, struct error *err)
{
	bool has_image = config->image_path && access(config->image_path, F_OK) == 0;
	int rc = has_image ? mount_image(config, err) : 0;
	if (rc == 0)
		rc = probe(config->dir, &pool->reflinks, err);
	if (rc == 0 && !pool->reflinks && config->image_path && !has_image) {
		rc = mount_image(config, err);
		if (rc == 0)
			rc = probe(config->dir, &pool->reflinks, err);
	}
	if (rc < 0)
		return rc;
	if (!pool->reflinks && config->reflinks_required)
		return err_say(err, ERR_UNSUPPORTED, "The file system of the pool has no reflinks.");
	if (config->image_path && image_is_mounted(config->dir, config->image_path))
		text_copy(pool->image_path, sizeof(pool->image_path), config->image_path);
	return 0;
}

/* ---- what is in it ---- */

static int make_folders(const struct pool *pool, const char *mount_dir, struct error *err)
{
	static const struct {
		const char *name;
		mode_t mode;
	} folders[] = {{"templates", 0700}, {"vps", 0711}, {"trash", 0700}, {"tmp", 0700}};
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		char path[PATH_MAX];
		int rc = pool_path(pool, path, err, "%s", folders[i].name);
		if (rc == 0)
			rc = dir_make(path, folders[i].mode, err);
		if (rc < 0)
			return rc;
		if (chmod(path, folders[i].mode) < 0)
			return err_errno(err, errno, "mode of %s", path);
	}
	int rc = dir_make(mount_dir, 0755, err);
	if (rc < 0)
		return rc;
	/* Files in there keep their setuid bits, so nobody else may reach them. */
	return chmod(mount_dir, 0700) < 0 ? err_errno(err, errno, "mode of %s", mount_dir) : 0;
}

static int remove_entries(const char *folder, struct error *err)
{
	DIR *dir = opendir(folder);
	if (!dir)
		return err_errno(err, errno, "open %s", folder);
	int rc = 0;
	for (struct dirent *entry; rc == 0 && (entry = readdir(dir));) {
		char path[PATH_MAX];
		if (text_equal(entry->d_name, ".") || text_equal(entry->d_name, ".."))
			continue;
		if (text_format(path, sizeof(path), "%s/%s", folder, entry->d_name))
			rc = dir_remove_tree(path, err);
	}
	closedir(dir);
	return rc;
}

/* What an ended process left in tmp goes, unless another one has the pool open and may be using it. */
static int take_lock_and_tidy(struct pool *pool, struct error *err)
{
	char path[PATH_MAX], tmp[PATH_MAX];
	int rc = pool_path(pool, path, err, ".lock");
	if (rc == 0)
		rc = pool_path(pool, tmp, err, "tmp");
	if (rc < 0)
		return rc;
	pool->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (pool->lock_fd < 0)
		return err_errno(err, errno, "open %s", path);
	if (flock(pool->lock_fd, LOCK_EX | LOCK_NB) == 0) {
		rc = remove_entries(tmp, err);
		if (rc == 0)
			rc = template_tidy(pool, err);
	}
	if (rc == 0 && flock(pool->lock_fd, LOCK_SH) < 0)
		rc = err_errno(err, errno, "lock %s", path);
	return rc;
}

int pool_open(const struct pool_config *config, struct pool **ret, struct error *err)
{
	owned(pool_close) struct pool *pool = mem_new(struct pool);
	pool->lock_fd = -1;
	pthread_mutex_init(&pool->mount_lock, NULL);
	if (!text_copy(pool->dir, sizeof(pool->dir), config->dir) ||
		!text_copy(pool->mount_dir, sizeof(pool->mount_dir), config->mount_dir))
		return err_set(err, ERR_INVALID, "path too long");
	int rc = dir_make(config->dir, 0755, err);
	if (rc == 0)
		rc = find_reflinks(config, pool, err);
	if (rc == 0 && chmod(config->dir, 0711) < 0)
		rc = err_errno(err, errno, "mode of %s", config->dir);
	if (rc == 0)
		rc = make_folders(pool, config->mount_dir, err);
	if (rc == 0)
		rc = take_lock_and_tidy(pool, err);
	if (rc < 0)
		return err_wrap(err, "pool %s", config->dir);
	*ret = take(pool);
	return 0;
}

void pool_close(struct pool *pool)
{
	if (!pool)
		return;
	if (pool->lock_fd >= 0)
		close(pool->lock_fd);
	pthread_mutex_destroy(&pool->mount_lock);
	free(pool);
}

/* Only our own file: a pool on a file system of the operator's stays mounted. */
int pool_unmount(const struct pool_config *config, struct error *err)
{
	if (!config->image_path || !image_is_mounted(config->dir, config->image_path))
		return 0;
	if (umount2(config->dir, UMOUNT_NOFOLLOW) < 0) {
		if (errno == EBUSY)
			return err_say(err, ERR_RUNNING, "The pool is still in use.");
		return err_errno(err, errno, "unmount %s", config->dir);
	}
	return 0;
}

/* ---- space ---- */

/* The pool's file is sparse: what is free in it may not be free below it, where writing would fail as an I/O
 * error. */
static int limit_to_host(const struct pool *pool, struct pool_space *space, struct error *err)
{
	struct statvfs host;
	if (!pool->image_path[0])
		return 0;
	if (statvfs(pool->image_path, &host) < 0)
		return err_errno(err, errno, "space of %s", pool->image_path);
	int64_t host_free = (int64_t)(host.f_bavail * host.f_frsize);
	if (host_free < space->free_bytes)
		space->free_bytes = host_free;
	return 0;
}

int pool_space(struct pool *pool, struct pool_space *ret, struct error *err)
{
	struct statvfs st;
	if (statvfs(pool->dir, &st) < 0)
		return err_errno(err, errno, "space of %s", pool->dir);
	struct pool_space space = {.total_bytes = (int64_t)(st.f_blocks * st.f_frsize),
		.free_bytes = (int64_t)(st.f_bavail * st.f_frsize)};
	int rc = limit_to_host(pool, &space, err);
	if (rc == 0)
		*ret = space;
	return rc;
}

/* XFS gives the blocks of removed files back in the background; syncing makes it do so now. */
static int settle(const struct pool *pool, struct error *err)
{
	owned_fd int fd = open(pool->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || syncfs(fd) < 0)
		return err_errno(err, errno, "sync %s", pool->dir);
	return 0;
}

int pool_check_room(struct pool *pool, int64_t size_bytes, struct error *err)
{
	for (int tries = 0; tries < 2; tries++) {
		struct pool_space space;
		int rc = tries ? settle(pool, err) : 0;
		if (rc == 0)
			rc = pool_space(pool, &space, err);
		if (rc < 0)
			return rc;
		if (size_bytes <= space.free_bytes - space.total_bytes / 100 * RESERVE_PERCENT)
			return 0;
	}
	return err_say(err, ERR_CAPACITY, "The storage pool has no room for this.");
}
