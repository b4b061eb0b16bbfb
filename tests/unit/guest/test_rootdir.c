/* The seed in a root file system whose owner means harm. */
#include "base/fd.h"
#include "base/memory.h"
#include "base/owned.h"
#include "guest/guest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SEED "var/lib/cloud/seed/nocloud"
static const struct seed seed = {(char *)"meta", (char *)"user", (char *)"net"};

/* A root below TOP, and beside it the host's files that must stay as they are. */
struct place {
	char top[32];
	int root_fd;
};

static char *path_of(const struct place *place, const char *name)
{
	return mem_printf("%s/%s", place->top, name);
}

static void make_folder(const struct place *place, const char *name)
{
	owned_mem char *path = path_of(place, name);
	assert_int_equal(dir_make(path, 0755, NULL), 0);
}

static void make_file(const struct place *place, const char *name, const char *text)
{
	owned_mem char *path = path_of(place, name);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, NULL), 0);
}

static void make_link(const struct place *place, const char *to, const char *name)
{
	owned_mem char *path = path_of(place, name);
	assert_int_equal(symlink(to, path), 0);
}

static void make_node(const struct place *place, const char *name, mode_t mode, dev_t device)
{
	owned_mem char *path = path_of(place, name);
	assert_int_equal(mknod(path, mode, device), 0);
}

static void assert_file(const struct place *place, const char *name, const char *text)
{
	owned_mem char *path = path_of(place, name), *now = NULL;
	struct stat st;
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(file_read(path, 4096, &now, NULL, NULL), 0);
	assert_string_equal(now, text);
}

static void assert_seed(const struct place *place)
{
	owned_mem char *path = path_of(place, "root/" SEED "/user-data");
	struct error err = {0};
	struct stat st;
	if (seed_write_dir(&seed, place->root_fd, &err) < 0)
		fail_msg("%s", err.message);
	assert_file(place, "root/" SEED "/meta-data", "meta");
	assert_file(place, "root/" SEED "/user-data", "user");
	assert_file(place, "root/" SEED "/network-config", "net");
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_gid, 0);
	assert_file(place, "host/user-data", "precious");
}

static void an_empty_root(void **state)
{
	assert_seed(*state);
	assert_seed(*state);
}

static void files_are_links(void **state)
{
	struct place *place = *state;
	make_folder(place, "root/" SEED);
	make_link(place, "../../../../../../host/user-data", "root/" SEED "/user-data");
	make_link(place, "/proc/self/root/etc/passwd", "root/" SEED "/meta-data");
	make_link(place, "network-config", "root/" SEED "/network-config");
	assert_seed(place);
}

static void folders_are_links_out(void **state)
{
	struct place *place = *state;
	make_folder(place, "root/var/lib/cloud/seed");
	make_folder(place, "host/kept");
	make_link(place, "../../../../../host", "root/" SEED);
	assert_seed(place);
	assert_file(place, "host/user-data", "precious");
}

/* A link that stays inside when the root is the root is followed there. */
static void folders_are_links_inside(void **state)
{
	struct place *place = *state;
	make_folder(place, "root/var/lib");
	make_folder(place, "root/data/cloud");
	make_link(place, "/data/cloud", "root/var/lib/cloud");
	assert_int_equal(seed_write_dir(&seed, place->root_fd, NULL), 0);
	assert_file(place, "root/data/cloud/seed/nocloud/user-data", "user");
}

static void folders_are_absolute_links_out(void **state)
{
	struct place *place = *state;
	owned_mem char *host = path_of(place, "host");
	make_folder(place, "root/var/lib/cloud/seed");
	make_link(place, host, "root/" SEED);
	assert_seed(place);
}

static void folders_are_loops(void **state)
{
	struct place *place = *state;
	make_folder(place, "root/var/lib");
	make_link(place, "cloud", "root/var/lib/cloud");
	assert_seed(place);
}

static void folders_are_magic(void **state)
{
	struct place *place = *state;
	make_folder(place, "root/var/lib/cloud");
	make_link(place, "/proc/self/cwd", "root/var/lib/cloud/seed");
	assert_seed(place);
}

static void pipes_and_devices_are_in_the_way(void **state)
{
	struct place *place = *state;
	make_folder(place, "root/" SEED);
	make_node(place, "root/" SEED "/user-data", S_IFIFO | 0644, 0);
	make_node(place, "root/" SEED "/meta-data", S_IFCHR | 0644, makedev(1, 7));
	make_node(place, "root/" SEED "/network-config", S_IFSOCK | 0644, 0);
	assert_seed(place);
}

static void a_pipe_is_a_folder(void **state)
{
	struct place *place = *state;
	make_folder(place, "root/var/lib/cloud");
	make_node(place, "root/var/lib/cloud/seed", S_IFIFO | 0644, 0);
	assert_seed(place);
}

static void a_file_is_a_folder(void **state)
{
	struct place *place = *state;
	make_folder(place, "root/var/lib");
	make_file(place, "root/var/lib/cloud", "in the way");
	assert_seed(place);
}

static void folders_are_files(void **state)
{
	struct place *place = *state;
	make_folder(place, "root/" SEED "/user-data/deep/er");
	make_file(place, "root/" SEED "/user-data/deep/er/file", "x");
	make_folder(place, "root/" SEED "/meta-data");
	assert_seed(place);
}

static void hard_links_are_let_go(void **state)
{
	struct place *place = *state;
	make_folder(place, "root/" SEED);
	owned_mem char *from = path_of(place, "host/user-data"),
		       *to = path_of(place, "root/" SEED "/user-data");
	assert_int_equal(link(from, to), 0);
	assert_seed(place);
}

static int set_up(void **state)
{
	struct place *place = mem_new(struct place);
	strcpy(place->top, "/tmp/moa-rootdir-XXXXXX");
	assert_non_null(mkdtemp(place->top));
	make_folder(place, "root");
	make_folder(place, "host");
	make_file(place, "host/user-data", "precious");
	owned_mem char *root = path_of(place, "root");
	place->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(place->root_fd >= 0);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	close(place->root_fd);
	int rc = dir_remove_tree(place->top, NULL);
	free(place);
	return rc;
}

#define IN_ROOT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	if (geteuid() != 0) {
		print_message("SKIP: needs root\n");
		return 77;
	}
	const struct CMUnitTest tests[] = {
		IN_ROOT(an_empty_root),
		IN_ROOT(files_are_links),
		IN_ROOT(folders_are_links_out),
		IN_ROOT(folders_are_links_inside),
		IN_ROOT(folders_are_absolute_links_out),
		IN_ROOT(folders_are_loops),
		IN_ROOT(folders_are_magic),
		IN_ROOT(pipes_and_devices_are_in_the_way),
		IN_ROOT(a_pipe_is_a_folder),
		IN_ROOT(a_file_is_a_folder),
		IN_ROOT(folders_are_files),
		IN_ROOT(hard_links_are_let_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
