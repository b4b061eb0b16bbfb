/* Loop devices: attaching an image so that the kernel frees the device with the mount, and finding it again.
 * There may be no udev: a missing device node is made. Decides nothing about what is mounted where. */
#include "base/fd.h"
#include "base/text.h"
#include "disk/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { LOOP_MAJOR = 7, ATTACH_TRIES = 64 };

static int open_node(int number, char name[32])
{
	snprintf(name, 32, "/dev/loop%d", number);
	int fd = open(name, O_RDWR | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (mknod(name, S_IFBLK | 0600, makedev(LOOP_MAJOR, (unsigned)number)) < 0 && errno != EEXIST)
		return -1;
	return open(name, O_RDWR | O_CLOEXEC);
}

static int configure(int loop_fd, int image_fd, bool direct_io)
{
	struct loop_config config = {.fd = (unsigned)image_fd, .info.lo_flags = LO_FLAGS_AUTOCLEAR};
	if (direct_io)
		config.info.lo_flags |= LO_FLAGS_DIRECT_IO;
	if (ioctl(loop_fd, LOOP_CONFIGURE, &config) == 0)
		return 0;
	/* Not every file system below can do direct I/O; buffered works everywhere. */
	if (direct_io && errno == EINVAL) {
		config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
		return ioctl(loop_fd, LOOP_CONFIGURE, &config);
	}
	return -1;
}

/* Another process may take the free device first, hence the tries. */
int loop_attach(int image_fd, bool direct_io, int *ret_fd, char name[32], struct error *err)
{
	owned_fd int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return err_errno(err, errno, "open /dev/loop-control");
	for (int i = 0; i < ATTACH_TRIES; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0)
			return err_errno(err, errno, "find a free loop device");
		owned_fd int loop = open_node(number, name);
		if (loop < 0)
			return err_errno(err, errno, "open %s", name);
		if (configure(loop, image_fd, direct_io) == 0) {
			*ret_fd = fd_take(loop);
			return 0;
		}
		if (errno != EBUSY)
			return err_errno(err, errno, "attach to %s", name);
	}
	return err_set(err, ERR_UNAVAILABLE, "every loop device was taken before it could be attached");
}

bool path_is_mount(const char *path)
{
	struct statx st;
	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st) < 0)
		return false;
	return (st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) &&
	       (st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

int loop_open_mounted(const char *path, const char *image_path)
{
	struct stat mounted, image;
	struct loop_info64 info;
	char name[32];
	if (stat(path, &mounted) < 0 || stat(image_path, &image) < 0 || major(mounted.st_dev) != LOOP_MAJOR)
		return -1;
	owned_fd int loop = open_node((int)minor(mounted.st_dev), name);
	if (loop < 0 || ioctl(loop, LOOP_GET_STATUS64, &info) < 0)
		return -1;
	if (info.lo_inode != image.st_ino || info.lo_device != image.st_dev)
		return -1;
	return fd_take(loop);
}

int loop_mount(const char *image_path, const char *at, const char *type, unsigned long flags,
	const char *options, bool direct_io, struct error *err)
{
	owned_fd int image = open(image_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (image < 0)
		return err_errno(err, errno, "open %s", image_path);
	owned_fd int loop = -1;
	char name[32];
	int rc = loop_attach(image, direct_io, &loop, name, err);
	if (rc < 0)
		return rc;
	if (mount(name, at, type, flags, options) < 0)
		return err_errno(err, errno, "mount %s at %s", image_path, at);
	return 0;
}
