/* Recognising a host's control groups from its mounts, in all the layouts that are met. */
#include "check.h"
#include "base/fd.h"
#include "base/owned.h"
#include "base/text.h"
#include "hypervisor/ovz/cgroup.h"
#include <stdlib.h>
#include <string.h>

static char root[64];

static int make_root(void **state)
{
	(void)state;
	text_copy(root, sizeof(root), "/tmp/moa-cgroup-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	(void)state;
	return dir_remove_tree(root, NULL);
}

static void put_file(const char *dir, const char *file, const char *text)
{
	char path[256];
	text_format(path, sizeof(path), "%s%s", root, dir);
	assert_int_equal(dir_make(path, 0700, NULL), 0);
	text_format(path, sizeof(path), "%s%s/%s", root, dir, file);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, NULL), 0);
}

static void test_v2(void **state)
{
	(void)state;
	struct cgroup_layout layout;
	struct error err = {0};
	put_file("/sys/fs/cgroup", "cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc\n");
	put_file("/proc", "swaps", "");
	assert_int_equal(
		cgroup_layout_parse("proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n",
			"0::/init.scope\n", root, &layout, &err),
		0);
	assert_true(layout.unified);
	assert_true(layout.has_swap);
	for (int i = 0; i < CGROUP_COUNT; i++) {
		assert_true(layout.has[i]);
		assert_string_equal(layout.dir[i], "/sys/fs/cgroup");
	}
	assert_int_equal(layout.tree_count, 1);
	char path[CGROUP_PATH_MAX * 2];
	assert_true(cgroup_path(&layout, CGROUP_PIDS, CGROUP_GUESTS, "moa-1", "pids.current", path));
	assert_string_equal(path, "/sys/fs/cgroup/moa.guest/moa-1/pids.current");
}

static void test_v2_without_controllers(void **state)
{
	(void)state;
	struct cgroup_layout layout;
	struct error err = {0};
	put_file("/sys/fs/cgroup", "cgroup.controllers", "memory_x cpu\n");
	assert_int_equal(
		cgroup_layout_parse("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", "0::/\n", root, &layout, &err),
		-ERR_UNSUPPORTED);
	assert_non_null(strstr(err.said, "memory"));
}

static const char hybrid_mounts[] = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n"
				    "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n"
				    "cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0\n"
				    "cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n"
				    "cgroup /sys/fs/cgroup/devices cgroup rw,relatime,devices 0 0\n"
				    "cgroup /sys/fs/cgroup/freezer cgroup rw,relatime,freezer 0 0\n"
				    "cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0\n"
				    "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n";

static void test_hybrid(void **state)
{
	(void)state;
	struct cgroup_layout layout;
	struct error err = {0};
	put_file("/sys/fs/cgroup/unified", "cgroup.controllers", "hugetlb\n");
	assert_int_equal(
		cgroup_layout_parse(hybrid_mounts,
			"7:freezer:/\n6:devices:/\n5:memory:/base/of/init\n4:cpuset:/\n3:cpu,cpuacct:/\n"
			"1:name=systemd:/init.scope\n0::/init.scope\n9:pids:/\n",
			root, &layout, &err),
		0);
	assert_false(layout.unified);
	assert_false(layout.has_swap);
	assert_false(layout.has[CGROUP_PIDS]); /* named, but not mounted */
	assert_false(layout.has[CGROUP_BLKIO]);
	assert_string_equal(layout.dir[CGROUP_MEMORY], "/sys/fs/cgroup/memory/base/of/init");
	assert_string_equal(layout.dir[CGROUP_CPU], "/sys/fs/cgroup/cpu,cpuacct");
	assert_string_equal(layout.dir[CGROUP_CPUACCT], "/sys/fs/cgroup/cpu,cpuacct");
	assert_int_equal(layout.tree_count, 7);
	assert_string_equal(layout.trees[5], "/sys/fs/cgroup/systemd");
	char path[CGROUP_PATH_MAX * 2];
	assert_false(cgroup_path(&layout, CGROUP_PIDS, CGROUP_GUESTS, "moa-1", "pids.current", path));
}

static void test_swap_of_v1(void **state)
{
	(void)state;
	struct cgroup_layout layout;
	struct error err = {0};
	put_file("/sys/fs/cgroup/memory", "memory.memsw.limit_in_bytes", "1\n");
	assert_int_equal(cgroup_layout_parse(hybrid_mounts, "5:memory:/\n", root, &layout, &err), 0);
	assert_true(layout.has_swap);
}

static void test_nonsense(void **state)
{
	(void)state;
	struct cgroup_layout layout;
	struct error err = {0};
	assert_int_equal(cgroup_layout_parse("", "", root, &layout, &err), -ERR_UNSUPPORTED);
	assert_int_equal(
		cgroup_layout_parse("cgroup\ncgroup /x\n\n\n", "::::\n\n5\n5:memory\n", root, &layout, &err),
		-ERR_UNSUPPORTED);
}

static void test_this_host(void **state)
{
	(void)state;
	struct cgroup_layout layout;
	struct error err = {0};
	int rc = cgroup_layout_read(&layout, &err);
	if (rc == -ERR_UNSUPPORTED)
		skip();
	assert_int_equal(rc, 0);
	assert_int_equal(access(layout.dir[CGROUP_MEMORY], X_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_v2, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_v2_without_controllers, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_hybrid, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_swap_of_v1, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_nonsense, make_root, remove_root),
		cmocka_unit_test(test_this_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
