/* The disks of VPSs: made as clones, moved to trash and back, removed. Each step is one rename of something
 * complete, so a crash leaves the state before or after it. Mounting is mount.c's. */
#include "base/fd.h"
#include "base/text.h"
#include "disk/internal.h"
#include "model/name.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { TRASH_SECONDS_TRIED = 60 };

static int check_veid(int64_t veid, struct error *err)
{
	if (veid < VEID_FIRST || veid > VEID_MAX)
		return err_set(err, ERR_INVALID, "no VPS can have the number %lld", (long long)veid);
	return 0;
}

static int vps_path(const struct pool *pool, int64_t veid, const char *file, char *place, struct error *err)
{
	int rc = check_veid(veid, err);
	return rc < 0 ? rc : pool_path(pool, place, err, "vps/%lld%s", (long long)veid, file);
}

static int path_into(
	struct pool *pool, int64_t veid, const char *file, char *place, size_t size, struct error *err)
{
	char path[PATH_MAX];
	int rc = vps_path(pool, veid, file, path, err);
	if (rc == 0 && !text_copy(place, size, path))
		rc = err_set(err, ERR_INVALID, "path too long");
	return rc;
}

int disk_path(struct pool *pool, int64_t veid, char *place, size_t size, struct error *err)
{
	return path_into(pool, veid, "/disk.raw", place, size, err);
}

int disk_seed_path(struct pool *pool, int64_t veid, char *place, size_t size, struct error *err)
{
	return path_into(pool, veid, "/seed.iso", place, size, err);
}

/* ---- create ---- */

static int check_size(struct pool *pool, const char *image, int64_t size_bytes, struct error *err)
{
	struct stat st;
	if (stat(image, &st) < 0)
		return err_errno(err, errno, "stat %s", image);
	if (size_bytes < st.st_size)
		return err_say(err, ERR_INVALID, "The disk is smaller than the template.");
	return pool_check_room(pool, size_bytes, err);
}

/* Another thread may have put one there meanwhile, which is as good as ours. */
static int put_in_place(const char *made, const char *folder, const char *disk, struct error *err)
{
	if (mkdir(folder, 0711) < 0 && errno != EEXIST)
		return err_errno(err, errno, "mkdir %s", folder);
	if (chmod(folder, 0711) < 0)
		return err_errno(err, errno, "mode of %s", folder);
	if (renameat2(AT_FDCWD, made, AT_FDCWD, disk, RENAME_NOREPLACE) < 0 && errno != EEXIST) {
		int why = errno;
		rmdir(folder);
		return err_errno(err, why, "rename to %s", disk);
	}
	int rc = dir_sync_of(disk, err);
	return rc < 0 ? rc : dir_sync_of(folder, err);
}

int disk_create(struct pool *pool, int64_t veid, const char *template, enum vps_type type, int64_t size_bytes,
	struct error *err)
{
	char folder[PATH_MAX], disk[PATH_MAX], made[PATH_MAX], image[PATH_MAX];
	int rc = vps_path(pool, veid, "", folder, err);
	if (rc == 0)
		rc = vps_path(pool, veid, "/disk.raw", disk, err);
	if (rc < 0 || access(disk, F_OK) == 0)
		return rc;
	rc = template_image_path(pool, template, type, image, err);
	if (rc == 0)
		rc = check_size(pool, image, size_bytes, err);
	if (rc == 0)
		rc = pool_temporary(pool, "disk", made, err);
	if (rc == 0)
		rc = clone_file(pool, image, made, size_bytes, err);
	if (rc < 0)
		return rc;
	rc = put_in_place(made, folder, disk, err);
	unlink(made);
	return rc;
}

/* ---- trash and delete ---- */

static int refuse_mounted(const struct pool *pool, int64_t veid, struct error *err)
{
	char point[PATH_MAX];
	if (text_format(point, sizeof(point), "%s/%lld", pool->mount_dir, (long long)veid) &&
		path_is_mount(point))
		return err_set(err, ERR_RUNNING, "the disk of VPS %lld is still mounted", (long long)veid);
	return 0;
}

static int move_durably(const char *from, const char *to, struct error *err)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0)
		return err_errno(err, errno, "move %s to %s", from, to);
	int rc = dir_sync_of(to, err);
	return rc < 0 ? rc : dir_sync_of(from, err);
}

int disk_trash(struct pool *pool, int64_t veid, int64_t now_s, struct error *err)
{
	char from[PATH_MAX], to[PATH_MAX];
	int rc = vps_path(pool, veid, "", from, err);
	if (rc == 0)
		rc = refuse_mounted(pool, veid, err);
	if (rc < 0 || access(from, F_OK) < 0)
		return rc;
	/* Two of one second get neighbouring names, so that the newer one stays the newest. */
	for (int i = 0; i < TRASH_SECONDS_TRIED; i++) {
		rc = pool_path(pool, to, err, "trash/%lld-%lld", (long long)veid, (long long)now_s + i);
		if (rc == 0)
			rc = move_durably(from, to, err);
		if (rc != -ERR_EXISTS)
			break;
	}
	return rc;
}

/* The time in the name of a piece of trash of this VPS, or -1. */
static int64_t trash_time(const char *name, int64_t veid)
{
	char prefix[32];
	int64_t time_s;
	snprintf(prefix, sizeof(prefix), "%lld-", (long long)veid);
	if (!text_starts(name, prefix) || !text_to_int64(name + strlen(prefix), 0, INT64_MAX, &time_s))
		return -1;
	return time_s;
}

/* The time of the newest trash of this VPS, or -1. */
static int newest_trash(const struct pool *pool, int64_t veid, int64_t *ret, struct error *err)
{
	char folder[PATH_MAX];
	int rc = pool_path(pool, folder, err, "trash");
	if (rc < 0)
		return rc;
	DIR *dir = opendir(folder);
	if (!dir)
		return err_errno(err, errno, "open %s", folder);
	*ret = -1;
	for (struct dirent *entry; (entry = readdir(dir));) {
		int64_t time_s = trash_time(entry->d_name, veid);
		if (time_s > *ret)
			*ret = time_s;
	}
	closedir(dir);
	return 0;
}

int disk_untrash(struct pool *pool, int64_t veid, struct error *err)
{
	char from[PATH_MAX], to[PATH_MAX];
	int64_t time_s;
	int rc = vps_path(pool, veid, "", to, err);
	if (rc == 0)
		rc = newest_trash(pool, veid, &time_s, err);
	if (rc < 0)
		return rc;
	if (time_s < 0)
		return err_set(err, ERR_NOT_FOUND, "VPS %lld has no trash", (long long)veid);
	rc = pool_path(pool, from, err, "trash/%lld-%lld", (long long)veid, (long long)time_s);
	return rc < 0 ? rc : move_durably(from, to, err);
}

int disk_delete(struct pool *pool, int64_t veid, struct error *err)
{
	char path[PATH_MAX];
	int rc = vps_path(pool, veid, "", path, err);
	if (rc == 0)
		rc = refuse_mounted(pool, veid, err);
	if (rc == 0)
		rc = pool_discard(pool, path, err);
	for (int64_t time_s = 0; rc == 0;) {
		rc = newest_trash(pool, veid, &time_s, err);
		if (rc < 0 || time_s < 0)
			return rc;
		rc = pool_path(pool, path, err, "trash/%lld-%lld", (long long)veid, (long long)time_s);
		if (rc == 0)
			rc = pool_discard(pool, path, err);
	}
	return rc;
}

int disk_used(struct pool *pool, int64_t veid, int64_t *ret_bytes, struct error *err)
{
	char path[PATH_MAX];
	struct stat st;
	int rc = vps_path(pool, veid, "/disk.raw", path, err);
	if (rc < 0)
		return rc;
	if (stat(path, &st) < 0)
		return err_errno(err, errno, "stat %s", path);
	*ret_bytes = (int64_t)st.st_blocks * 512;
	return 0;
}
