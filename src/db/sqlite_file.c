/* Makes the file of an SQLite store before SQLite opens it, because SQLite would make it readable to all and
 * root's. The -wal and -shm files SQLite makes later take mode and owner of this one. The store's folder may
 * belong to a user who is not trusted as much as the process: nothing here follows a link in it. */
#include "db/sqlite_file.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/owned.h"
#include "base/random.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The owner is set before the file gets its name, so nobody meets one that is half made; and the descriptor
 * is closed before too: closing one drops every lock this process has on the file. */
static int make_named(int folder, const char *name, const struct stat *owner, struct error *err)
{
	owned_fd int fd = openat(folder, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(err, errno, "making the store's file");
	if (geteuid() == 0 && fchown(fd, owner->st_uid, owner->st_gid) < 0)
		return err_errno(err, errno, "giving the store's file to the owner of its folder");
	return 0;
}

static int make_file(int folder, const char *name, struct error *err)
{
	struct stat owner;
	if (fstat(folder, &owner) < 0)
		return err_errno(err, errno, "looking at the store's folder");
	char draft[sizeof(".moa-") + 16], suffix[17];
	random_text(suffix, 16, "0123456789abcdef");
	snprintf(draft, sizeof(draft), ".moa-%s", suffix);
	int rc = make_named(folder, draft, &owner, err);
	if (rc == 0 && linkat(folder, draft, folder, name, 0) < 0 && errno != EEXIST)
		rc = err_errno(err, errno, "naming the store's file");
	unlinkat(folder, draft, 0);
	return rc;
}

static int check_file(int folder, const char *name, struct error *err)
{
	struct stat found;
	if (fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? make_file(folder, name, err)
				       : err_errno(err, errno, "looking at the store's file");
	if (!S_ISREG(found.st_mode))
		return err_set(err, ERR_DENIED, "the store's file is not a regular file");
	return 0;
}

int sqlite_file_prepare(const char *path, char **ret, struct error *err)
{
	const char *slash = strrchr(path, '/');
	if (!slash || !slash[1])
		return err_set(err, ERR_INVALID, "\"%s\" is not the absolute path of a file", path);
	owned_mem char *folder_path = mem_strdup(path);
	folder_path[slash == path ? 1 : slash - path] = '\0';
	owned_mem char *real_path = realpath(folder_path, NULL);
	if (!real_path)
		return err_errno(err, errno, "opening the store's folder %s", folder_path);
	owned_fd int folder = open(real_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return err_errno(err, errno, "opening the store's folder %s", folder_path);
	int rc = check_file(folder, slash + 1, err);
	if (rc < 0)
		return err_wrap(err, "%s", path);
	*ret = mem_printf("%s/%s", real_path, slash + 1);
	return 0;
}
