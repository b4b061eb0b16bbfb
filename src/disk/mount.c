/* The file systems of containers on the host: <mount_dir>/<veid> is the image of that VPS, as large as the
 * image is. The loop device goes with the mount. Id maps are the hypervisor's business. */
#include "base/fd.h"
#include "base/text.h"
#include "disk/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

struct place {
	char image[PATH_MAX], point[PATH_MAX];
};

static int find_place(struct pool *pool, int64_t veid, struct place *ret, struct error *err)
{
	int rc = disk_path(pool, veid, ret->image, sizeof(ret->image), err);
	if (rc < 0)
		return rc;
	if (!text_format(ret->point, sizeof(ret->point), "%s/%lld", pool->mount_dir, (long long)veid))
		return err_set(err, ERR_INVALID, "path too long");
	return 0;
}

static int mount_new(const struct place *place, struct error *err)
{
	if (mkdir(place->point, 0700) < 0 && errno != EEXIST)
		return err_errno(err, errno, "mkdir %s", place->point);
	int rc = loop_mount(
		place->image, place->point, "ext4", MS_NODEV | MS_NOATIME, "errors=remount-ro", true, err);
	if (rc < 0)
		rmdir(place->point);
	return rc;
}

/* What is mounted there must be this image, not the one before a reinstall. Tells the loop device its file
 * may have grown. */
static int adopt_mount(const struct place *place, struct error *err)
{
	owned_fd int loop = loop_open_mounted(place->point, place->image);
	if (loop < 0)
		return err_set(err, ERR_RUNNING, "another image is still mounted at %s", place->point);
	if (ioctl(loop, LOOP_SET_CAPACITY, 0) < 0)
		return err_errno(err, errno, "size of the loop device at %s", place->point);
	return 0;
}

static void unmount_new(const struct place *place)
{
	if (umount2(place->point, UMOUNT_NOFOLLOW) == 0)
		rmdir(place->point);
}

/* A fresh mount that could not be grown online is taken away, grown as a file and mounted again. */
static int grow_new(const struct place *place, int image, int64_t image_bytes, struct error *err)
{
	int rc = ext4_grow(place->point, image, image_bytes, err);
	if (rc == 0)
		return 0;
	unmount_new(place);
	if (rc != -ERR_DENIED)
		return rc;
	rc = ext4_grow_offline(place->image, err);
	return rc < 0 ? rc : mount_new(place, err);
}

static int mount_and_grow(const struct place *place, struct error *err)
{
	owned_fd int image = open(place->image, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	if (image < 0 || fstat(image, &st) < 0)
		return err_errno(err, errno, "open %s", place->image);
	struct ext4_shape shape;
	int rc = ext4_read_shape(image, &shape, err);
	if (rc < 0)
		return rc;
	if (path_is_mount(place->point)) {
		rc = adopt_mount(place, err);
		return rc < 0 ? rc : ext4_grow(place->point, image, st.st_size, err);
	}
	rc = mount_new(place, err);
	return rc < 0 ? rc : grow_new(place, image, st.st_size, err);
}

int disk_mount(struct pool *pool, int64_t veid, char *place, size_t size, struct error *err)
{
	struct place at;
	int rc = find_place(pool, veid, &at, err);
	if (rc < 0)
		return rc;
	if (!text_copy(place, size, at.point))
		return err_set(err, ERR_INVALID, "path too long");
	pthread_mutex_lock(&pool->mount_lock);
	rc = mount_and_grow(&at, err);
	pthread_mutex_unlock(&pool->mount_lock);
	return rc < 0 ? err_wrap(err, "mount VPS %lld", (long long)veid) : 0;
}

static int unmount_at(const char *point, struct error *err)
{
	if (path_is_mount(point) && umount2(point, UMOUNT_NOFOLLOW) < 0) {
		if (errno == EBUSY)
			return err_set(err, ERR_RUNNING, "%s is in use", point);
		return err_errno(err, errno, "unmount %s", point);
	}
	if (rmdir(point) < 0 && errno != ENOENT)
		return err_errno(err, errno, "remove %s", point);
	return 0;
}

int disk_unmount(struct pool *pool, int64_t veid, struct error *err)
{
	struct place at;
	int rc = find_place(pool, veid, &at, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&pool->mount_lock);
	rc = unmount_at(at.point, err);
	pthread_mutex_unlock(&pool->mount_lock);
	return rc;
}

int disk_mounted_usage(struct pool *pool, int64_t veid, struct disk_usage *ret, struct error *err)
{
	struct place at;
	struct statvfs st;
	int rc = find_place(pool, veid, &at, err);
	if (rc < 0)
		return rc;
	if (!path_is_mount(at.point))
		return err_set(err, ERR_NOT_FOUND, "the disk of VPS %lld is not mounted", (long long)veid);
	if (statvfs(at.point, &st) < 0)
		return err_errno(err, errno, "space of %s", at.point);
	*ret = (struct disk_usage){.total_bytes = (int64_t)(st.f_blocks * st.f_frsize),
		.used_bytes = (int64_t)((st.f_blocks - st.f_bfree) * st.f_frsize),
		.total_inodes = (int64_t)st.f_files,
		.used_inodes = (int64_t)(st.f_files - st.f_ffree)};
	return 0;
}
