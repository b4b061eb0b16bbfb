/* See support.h. */
#include "support.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/text.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

enum { XFS_BYTES = 512 << 20 };

static struct fixture *new_fixture(bool xfs)
{
	struct fixture *fixture = mem_new(struct fixture);
	strcpy(fixture->base, "/tmp/moa-disk-XXXXXX");
	assert_non_null(mkdtemp(fixture->base));
	text_format(fixture->dir, sizeof(fixture->dir), "%s/pool", fixture->base);
	text_format(fixture->mounts, sizeof(fixture->mounts), "%s/mnt", fixture->base);
	text_format(fixture->image, sizeof(fixture->image), "%s/pool.xfs", fixture->base);
	fixture->config = (struct pool_config){.dir = fixture->dir,
		.mount_dir = fixture->mounts,
		.image_path = xfs ? fixture->image : NULL,
		.image_bytes = XFS_BYTES,
		.reflinks_required = xfs};
	return fixture;
}

int fixture_setup(void **state)
{
	struct fixture *fixture = new_fixture(false);
	*state = fixture;
	return pool_open(&fixture->config, &fixture->pool, NULL);
}

int fixture_setup_xfs(void **state)
{
	*state = NULL;
	if (geteuid() != 0 || access("/dev/loop-control", R_OK | W_OK) < 0) {
		print_message("SKIP: needs root and loop devices\n");
		return 0;
	}
	struct fixture *fixture = new_fixture(true);
	*state = fixture;
	struct error err = {0};
	if (pool_open(&fixture->config, &fixture->pool, &err) < 0) {
		print_message("%s\n", err.message);
		return -1;
	}
	return 0;
}

int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;
	if (!fixture)
		return 0;
	DIR *dir = opendir(fixture->mounts);
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		char path[PATH_MAX];
		if (entry->d_name[0] != '.' &&
			text_format(path, sizeof(path), "%s/%s", fixture->mounts, entry->d_name))
			umount2(path, MNT_DETACH);
	}
	if (dir)
		closedir(dir);
	pool_close(fixture->pool);
	struct error err = {0};
	if (pool_unmount(&fixture->config, &err) < 0)
		umount2(fixture->dir, MNT_DETACH);
	int rc = dir_remove_tree(fixture->base, &err);
	free(fixture);
	return rc;
}

struct fixture *fixture_or_skip(void **state)
{
	if (!*state)
		skip();
	return *state;
}

void fixture_reopen(struct fixture *fixture)
{
	struct error err = {0};
	pool_close(take(fixture->pool));
	assert_ok(pool_open(&fixture->config, &fixture->pool, &err), err);
}

void write_file(const char *path, const void *bytes, size_t len)
{
	owned_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, bytes, len, NULL), 0);
}

void add_template(struct fixture *fixture, const char *name, enum vps_type type, const char *text,
	int64_t size, bool make_ext4)
{
	struct error err = {0};
	owned_in(template_stage_done) struct template_stage stage = {0};
	assert_ok(template_stage_begin(fixture->pool, name, &stage, &err), err);
	char path[PATH_MAX];
	assert_true(text_format(path, sizeof(path), "%s/%s.raw", stage.dir, vps_type_name(type)));
	if (make_ext4) {
		assert_ok(ext4_make(path, size, &err), err);
	} else {
		write_file(path, text, strlen(text));
		assert_int_equal(truncate(path, size), 0);
	}
	struct manifest manifest = {.info.created_s = 1700000000};
	text_copy(manifest.info.name, sizeof(manifest.info.name), name);
	assert_ok(template_stage_commit(&stage, &manifest, &err), err);
}

int count_entries(struct fixture *fixture, const char *folder)
{
	char path[PATH_MAX];
	int count = 0;
	assert_int_equal(pool_path(fixture->pool, path, NULL, "%s", folder), 0);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

int64_t file_size(const char *path)
{
	struct stat st;
	return stat(path, &st) < 0 ? -1 : (int64_t)st.st_size;
}

int count_loops(const struct fixture *fixture)
{
	int count = 0;
	DIR *dir = opendir("/sys/block");
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		char path[PATH_MAX];
		owned_mem char *backing = NULL;
		if (!text_starts(entry->d_name, "loop") ||
			!text_format(path, sizeof(path), "/sys/block/%s/loop/backing_file", entry->d_name) ||
			file_read(path, PATH_MAX, &backing, NULL, NULL) < 0)
			continue;
		count += strstr(backing, fixture->base + strlen("/tmp/")) != NULL;
	}
	if (dir)
		closedir(dir);
	return count;
}
