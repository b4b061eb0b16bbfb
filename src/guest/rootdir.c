/* The seed as files in a container's root file system, which may be full of traps: links to the host's files,
 * pipes that never open, folders where files belong. The kernel resolves every path inside the root and
 * refuses magic links and other mounts (openat2); files are made anew under a random name and renamed into
 * place, so nothing that lies there is ever opened or followed. */
#include "guest/seed_files.h"
#include "base/fd.h"
#include "base/random.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RANDOM_LEN = 16, NAME_SIZE = 64 };

static int open_inside(int root_fd, const char *path, int flags)
{
	struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
	return (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
}

static void random_name(const char *prefix, char place[NAME_SIZE])
{
	char letters[RANDOM_LEN + 1];
	random_text(letters, RANDOM_LEN, TEXT_LOWER TEXT_DIGITS);
	text_format(place, NAME_SIZE, "%s%s", prefix, letters);
}

/* Something other than a folder is at NAME, or a link that leads nowhere: it goes. Nothing of it is opened.
 */
static int make_folder(int parent_fd, const char *name, struct error *err)
{
	if (mkdirat(parent_fd, name, 0755) == 0)
		return 0;
	if (errno != EEXIST)
		return err_errno(err, errno, "make %s", name);
	if (unlinkat(parent_fd, name, 0) < 0 && errno != ENOENT)
		return err_errno(err, errno, "clear %s", name);
	if (mkdirat(parent_fd, name, 0755) < 0)
		return err_errno(err, errno, "make %s", name);
	return 0;
}

/* Opens the folder PATH inside the root; its last part is made when it is missing. Parents exist. */
static int open_folder(int root_fd, int parent_fd, const char *path, int *ret, struct error *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	*ret = open_inside(root_fd, path, O_RDONLY | O_DIRECTORY);
	if (*ret >= 0)
		return 0;
	if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP && errno != EXDEV)
		return err_errno(err, errno, "open %s", path);
	int rc = make_folder(parent_fd, name, err);
	if (rc < 0)
		return rc;
	*ret = open_inside(root_fd, path, O_RDONLY | O_DIRECTORY);
	return *ret < 0 ? err_errno(err, errno, "open %s", path) : 0;
}

static int open_seed_folder(int root_fd, int *ret, struct error *err)
{
	static const char whole[] = "var/lib/cloud/seed/nocloud";
	char path[sizeof(whole)];
	owned_fd int parent = open_inside(root_fd, ".", O_RDONLY | O_DIRECTORY);
	if (parent < 0)
		return err_errno(err, errno, "open the root");
	for (size_t len = 0; len < sizeof(whole) - 1;) {
		int next = -1;
		len += strcspn(whole + len, "/");
		memcpy(path, whole, len);
		path[len] = '\0';
		int rc = open_folder(root_fd, parent, path, &next, err);
		if (rc < 0)
			return rc;
		close(parent);
		parent = next;
		if (whole[len] == '/')
			len++;
	}
	*ret = fd_take(parent);
	return 0;
}

/* A folder that lies where the file goes is moved aside: emptying it would mean walking what a stranger
 * built. */
static int put_in_place(int folder_fd, const char *temporary, const char *name, struct error *err)
{
	char aside[NAME_SIZE];
	if (renameat(folder_fd, temporary, folder_fd, name) == 0)
		return 0;
	if (errno != EISDIR && errno != ENOTEMPTY && errno != EEXIST)
		return err_errno(err, errno, "rename to %s", name);
	random_name(".moa-aside-", aside);
	if (renameat(folder_fd, name, folder_fd, aside) < 0 ||
		renameat(folder_fd, temporary, folder_fd, name) < 0)
		return err_errno(err, errno, "rename to %s", name);
	return 0;
}

static int write_file(int folder_fd, const char *temporary, const char *content, struct error *err)
{
	owned_fd int fd =
		openat(folder_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(err, errno, "create");
	int rc = fd_write_all(fd, content, strlen(content), err);
	if (rc == 0 && (fchown(fd, 0, 0) < 0 || fchmod(fd, 0600) < 0 || fsync(fd) < 0))
		rc = err_errno(err, errno, "sync");
	return rc;
}

static int put_file(int folder_fd, const struct seed_file *file, struct error *err)
{
	char temporary[NAME_SIZE];
	random_name(".moa-new-", temporary);
	int rc = write_file(folder_fd, temporary, file->content, err);
	if (rc == 0)
		rc = put_in_place(folder_fd, temporary, file->name, err);
	if (rc < 0)
		unlinkat(folder_fd, temporary, 0);
	return rc;
}

int seed_write_dir(const struct seed *seed, int rootfs_fd, struct error *err)
{
	struct seed_file files[SEED_FILES];
	owned_fd int folder = -1;
	seed_files(seed, files);
	int rc = open_seed_folder(rootfs_fd, &folder, err);
	for (size_t i = 0; i < SEED_FILES && rc == 0; i++)
		rc = put_file(folder, &files[i], err);
	if (rc == 0 && fsync(folder) < 0)
		rc = err_errno(err, errno, "sync");
	if (rc < 0)
		err_wrap(err, "seed files");
	return rc;
}
