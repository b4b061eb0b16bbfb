/* The ext4 file systems inside container images: recognising one, making one for a template, and growing a
 * mounted one. Layout of the superblock: Documentation/filesystems/ext4/super.rst of the kernel. */
#include "base/fd.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "disk/internal.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

enum { SUPER_OFFSET = 1024, SUPER_BYTES = 1024 };
enum {
	AT_BLOCKS_LO = 4,
	AT_LOG_BLOCK = 24,
	AT_MAGIC = 56,
	AT_COMPAT = 92,
	AT_INCOMPAT = 96,
	AT_BLOCKS_HI = 336
};
enum {
	MAGIC = 0xef53,
	COMPAT_JOURNAL = 4,
	INCOMPAT_EXTENTS = 0x40,
	INCOMPAT_64BIT = 0x80,
	LOG_BLOCK_MAX = 6
};

/* fs/ext4/ext4.h keeps it to itself: the new size in blocks, growing online. */
#define EXT4_IOC_RESIZE_FS _IOW('f', 16, uint64_t)

/* What every kernel since 4.x mounts and GRUB reads; also in dist/template-build. */
static const char features[] =
	"none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,"
	"sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum";

static uint32_t number_at(const unsigned char *super, size_t at)
{
	uint32_t number;
	memcpy(&number, super + at, sizeof(number));
	return le32toh(number);
}

int ext4_read_shape(int image_fd, struct ext4_shape *ret, struct error *err)
{
	unsigned char super[SUPER_BYTES];
	ssize_t got = pread(image_fd, super, sizeof(super), SUPER_OFFSET);
	if (got < 0)
		return err_errno(err, errno, "read the superblock");
	if (got != (ssize_t)sizeof(super) || (number_at(super, AT_MAGIC) & 0xffff) != MAGIC)
		return err_set(err, ERR_INVALID, "the image holds no ext4 file system");
	uint32_t incompat = number_at(super, AT_INCOMPAT), log_block = number_at(super, AT_LOG_BLOCK);
	if (!(incompat & INCOMPAT_EXTENTS) || !(number_at(super, AT_COMPAT) & COMPAT_JOURNAL))
		return err_set(err, ERR_INVALID, "the image's file system is older than ext4");
	uint64_t blocks = number_at(super, AT_BLOCKS_LO);
	if (incompat & INCOMPAT_64BIT)
		blocks |= (uint64_t)number_at(super, AT_BLOCKS_HI) << 32;
	if (log_block > LOG_BLOCK_MAX || blocks > (uint64_t)(INT64_MAX >> (10 + log_block)))
		return err_set(err, ERR_INVALID, "the image's superblock is damaged");
	*ret = (struct ext4_shape){.block_bytes = 1024 << log_block, .block_count = (int64_t)blocks};
	return 0;
}

int ext4_grow(const char *mount_point, int image_fd, int64_t image_bytes, struct error *err)
{
	struct ext4_shape shape;
	int rc = ext4_read_shape(image_fd, &shape, err);
	if (rc < 0)
		return rc;
	uint64_t wanted = (uint64_t)(image_bytes / shape.block_bytes);
	if (wanted <= (uint64_t)shape.block_count)
		return 0;
	owned_fd int root = open(mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_errno(err, errno, "open %s", mount_point);
	if (ioctl(root, EXT4_IOC_RESIZE_FS, &wanted) < 0)
		return err_errno(err, errno, "grow the file system at %s", mount_point);
	return 0;
}

/* resize2fs would first want a check of the whole file system; the kernel has just mounted it and replayed
 * its journal. */
int ext4_grow_offline(const char *image_path, struct error *err)
{
	const char *const argv[] = {"resize2fs", "-f", image_path, NULL};
	return process_check(argv, 120000, err);
}

int ext4_make(const char *path, int64_t size_bytes, struct error *err)
{
	owned_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(err, errno, "create %s", path);
	if (ftruncate(fd, size_bytes) < 0)
		return err_errno(err, errno, "set the size of %s", path);
	const char *const argv[] = {"mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-m", "1",
		"-L", "root", "-O", features, "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", path,
		NULL};
	return process_check(argv, 120000, err);
}
