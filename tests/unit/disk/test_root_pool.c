/* The pool on a real XFS file: reflinks, mounting again after a reboot, a full pool, container mounts. Needs
 * root and loops. */
#include "support.h"
#include "base/fd.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum { VEID = 1000001, MIB = 1 << 20 };

static void test_clones_share_blocks(void **state)
{
	struct fixture *fixture = fixture_or_skip(state);
	struct error err = {0};
	struct pool_space before, after;
	assert_true(fixture->pool->reflinks);
	static char data[32 * MIB];
	memset(data, 'x', sizeof(data) - 1);
	add_template(fixture, "a", VPS_KVM, data, 64 * MIB, false);
	assert_ok(pool_space(fixture->pool, &before, &err), err);
	for (int i = 0; i < 20; i++)
		assert_ok(disk_create(fixture->pool, VEID + i, "a", VPS_KVM, 100 * MIB, &err), err);
	assert_ok(pool_space(fixture->pool, &after, &err), err);
	/* Twenty copies of 32 MiB would not even fit. */
	assert_true(before.free_bytes - after.free_bytes < 16 * MIB);
	char path[PATH_MAX], text[2] = "";
	assert_ok(disk_path(fixture->pool, VEID + 19, path, sizeof(path), &err), err);
	assert_int_equal(file_size(path), 100 * MIB);
	owned_fd int fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, text, 1, 31 * MIB), 1);
	assert_string_equal(text, "x");
}

static void test_reboot(void **state)
{
	struct fixture *fixture = fixture_or_skip(state);
	struct error err = {0};
	struct stat before, after;
	add_template(fixture, "a", VPS_KVM, "t", MIB, false);
	assert_ok(disk_create(fixture->pool, VEID, "a", VPS_KVM, 2 * MIB, &err), err);
	assert_int_equal(stat(fixture->image, &before), 0);
	pool_close(take(fixture->pool));
	assert_ok(pool_unmount(&fixture->config, &err), err);
	assert_int_equal(count_loops(fixture), 0);
	assert_ok(pool_unmount(&fixture->config, &err), err);
	assert_ok(pool_open(&fixture->config, &fixture->pool, &err), err);
	assert_int_equal(stat(fixture->image, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	char path[PATH_MAX];
	assert_ok(disk_path(fixture->pool, VEID, path, sizeof(path), &err), err);
	assert_int_equal(file_size(path), 2 * MIB);
	fixture_reopen(fixture);
	assert_int_equal(count_loops(fixture), 1);
}

/* What a crash in the middle of formatting leaves is no pool, and is made anew; a file that is no XFS is
 * never formatted. */
static void test_half_made_file(void **state)
{
	struct fixture *fixture = fixture_or_skip(state);
	struct error err = {0};
	char unfinished[128], text[8] = "";
	pool_close(take(fixture->pool));
	assert_ok(pool_unmount(&fixture->config, &err), err);
	assert_int_equal(unlink(fixture->image), 0);
	text_format(unfinished, sizeof(unfinished), "%s.new", fixture->image);
	write_file(unfinished, "half", 4);
	assert_ok(pool_open(&fixture->config, &fixture->pool, &err), err);
	assert_int_equal(file_size(unfinished), -1);
	pool_close(take(fixture->pool));
	assert_ok(pool_unmount(&fixture->config, &err), err);
	write_file(fixture->image, "precious", 8);
	struct pool *pool = NULL;
	assert_true(pool_open(&fixture->config, &pool, &err) < 0);
	owned_fd int fd = open(fixture->image, O_RDONLY);
	assert_int_equal(read(fd, text, 8), 8);
	assert_memory_equal(text, "precious", 8);
	assert_int_equal(unlink(fixture->image), 0);
	assert_int_equal(count_loops(fixture), 0);
	assert_ok(pool_open(&fixture->config, &fixture->pool, &err), err);
}

static void fill(struct fixture *fixture, const char *name)
{
	static char block[MIB];
	char path[PATH_MAX];
	memset(block, 7, sizeof(block));
	pool_path(fixture->pool, path, NULL, "%s", name);
	owned_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	size_t len = sizeof(block);
	while (len >= 4096) {
		ssize_t wrote = write(fd, block, len);
		if (wrote < 0) {
			assert_int_equal(errno, ENOSPC);
			len /= 2;
		}
	}
	fsync(fd);
}

static void test_full_pool(void **state)
{
	struct fixture *fixture = fixture_or_skip(state);
	struct error err = {0};
	char from[PATH_MAX], to[PATH_MAX];
	add_template(fixture, "a", VPS_KVM, "t", MIB, false);
	assert_ok(disk_create(fixture->pool, VEID, "a", VPS_KVM, 2 * MIB, &err), err);
	fill(fixture, "filler");
	assert_int_equal(disk_create(fixture->pool, VEID + 1, "a", VPS_KVM, 2 * MIB, &err), -ERR_CAPACITY);
	/* Past the check of free space, where another one took it meanwhile: the copy itself runs out of
	 * room. */
	fixture->pool->reflinks = false;
	static char data[8 * MIB];
	memset(data, 'x', sizeof(data));
	text_format(from, sizeof(from), "%s/outside", fixture->base);
	write_file(from, data, sizeof(data));
	pool_path(fixture->pool, to, NULL, "tmp/copy");
	assert_int_equal(clone_file(fixture->pool, from, to, 0, &err), -ERR_CAPACITY);
	assert_int_equal(file_size(to), -1);
	fixture->pool->reflinks = true;
	assert_int_equal(count_entries(fixture, "tmp"), 0);
	assert_int_equal(count_entries(fixture, "vps"), 1);
	/* A full pool can still be emptied. */
	assert_ok(disk_delete(fixture->pool, VEID, &err), err);
	pool_path(fixture->pool, to, NULL, "filler");
	assert_int_equal(unlink(to), 0);
	assert_ok(disk_create(fixture->pool, VEID + 1, "a", VPS_KVM, 2 * MIB, &err), err);
}

static void test_mount(void **state)
{
	struct fixture *fixture = fixture_or_skip(state);
	struct error err = {0};
	struct disk_usage usage;
	struct statvfs st;
	char point[PATH_MAX], again[PATH_MAX];
	add_template(fixture, "a", VPS_OVZ, NULL, 64 * MIB, true);
	assert_ok(disk_create(fixture->pool, VEID, "a", VPS_OVZ, 256 * MIB, &err), err);
	assert_int_equal(disk_mounted_usage(fixture->pool, VEID, &usage, &err), -ERR_NOT_FOUND);
	assert_ok(disk_mount(fixture->pool, VEID, point, sizeof(point), &err), err);
	assert_ok(disk_mount(fixture->pool, VEID, again, sizeof(again), &err), err);
	assert_string_equal(point, again);
	assert_int_equal(count_loops(fixture), 2);
	assert_ok(disk_mounted_usage(fixture->pool, VEID, &usage, &err), err);
	assert_in_range(usage.total_bytes, 200 * MIB, 256 * MIB);
	assert_in_range(usage.used_inodes, 1, 100);
	assert_int_equal(statvfs(point, &st), 0);
	assert_true(st.f_flag & ST_NODEV);
	assert_false(st.f_flag & ST_NOSUID);
	assert_int_equal(disk_trash(fixture->pool, VEID, 5, &err), -ERR_RUNNING);
	assert_int_equal(disk_delete(fixture->pool, VEID, &err), -ERR_RUNNING);
	assert_ok(disk_unmount(fixture->pool, VEID, &err), err);
	assert_ok(disk_unmount(fixture->pool, VEID, &err), err);
	assert_int_equal(count_loops(fixture), 1);
}

/* The kernel lets only CAP_SYS_RESOURCE grow a mounted file system. */
static bool can_grow_online(void)
{
	owned_mem char *status = NULL;
	assert_int_equal(file_read("/proc/self/status", 16384, &status, NULL, NULL), 0);
	const char *line = strstr(status, "CapEff:");
	assert_non_null(line);
	return strtoull(line + strlen("CapEff:"), NULL, 16) >> CAP_SYS_RESOURCE & 1;
}

static void test_grows_while_mounted(void **state)
{
	struct fixture *fixture = fixture_or_skip(state);
	if (!can_grow_online()) {
		print_message("SKIP: this machine withholds CAP_SYS_RESOURCE\n");
		skip();
	}
	struct error err = {0};
	struct disk_usage before, after;
	char point[PATH_MAX], path[PATH_MAX];
	add_template(fixture, "a", VPS_OVZ, NULL, 64 * MIB, true);
	assert_ok(disk_create(fixture->pool, VEID, "a", VPS_OVZ, 128 * MIB, &err), err);
	assert_ok(disk_mount(fixture->pool, VEID, point, sizeof(point), &err), err);
	assert_ok(disk_mounted_usage(fixture->pool, VEID, &before, &err), err);
	assert_ok(disk_path(fixture->pool, VEID, path, sizeof(path), &err), err);
	assert_int_equal(truncate(path, 256 * MIB), 0);
	assert_ok(disk_mount(fixture->pool, VEID, point, sizeof(point), &err), err);
	assert_ok(disk_mounted_usage(fixture->pool, VEID, &after, &err), err);
	assert_true(after.total_bytes > before.total_bytes + 100 * MIB);
	assert_ok(disk_unmount(fixture->pool, VEID, &err), err);
}

static void test_mount_refuses(void **state)
{
	struct fixture *fixture = fixture_or_skip(state);
	struct error err = {0};
	char point[PATH_MAX], path[PATH_MAX];
	add_template(fixture, "a", VPS_OVZ, NULL, 64 * MIB, true);
	add_template(fixture, "k", VPS_KVM, "no file system", MIB, false);
	assert_ok(disk_create(fixture->pool, VEID, "k", VPS_KVM, 2 * MIB, &err), err);
	assert_int_equal(disk_mount(fixture->pool, VEID, point, sizeof(point), &err), -ERR_INVALID);
	assert_int_equal(disk_mount(fixture->pool, VEID + 9, point, sizeof(point), &err), -ERR_NOT_FOUND);
	assert_int_equal(count_loops(fixture), 1);
	/* The image was exchanged under a mount, as a reinstall would without unmounting. */
	assert_ok(disk_create(fixture->pool, VEID + 1, "a", VPS_OVZ, 64 * MIB, &err), err);
	assert_ok(disk_mount(fixture->pool, VEID + 1, point, sizeof(point), &err), err);
	assert_ok(disk_path(fixture->pool, VEID + 1, path, sizeof(path), &err), err);
	assert_int_equal(unlink(path), 0);
	assert_ok(disk_create(fixture->pool, VEID + 1, "a", VPS_OVZ, 64 * MIB, &err), err);
	assert_int_equal(disk_mount(fixture->pool, VEID + 1, point, sizeof(point), &err), -ERR_RUNNING);
	assert_ok(disk_unmount(fixture->pool, VEID + 1, &err), err);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, fixture_setup_xfs, fixture_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {CASE(test_clones_share_blocks), CASE(test_reboot),
		CASE(test_half_made_file), CASE(test_full_pool), CASE(test_mount),
		CASE(test_grows_while_mounted), CASE(test_mount_refuses)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
