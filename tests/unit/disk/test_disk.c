/* Disks of VPSs in a pool without reflinks: creating, trash, deleting, and what a killed process leaves. */
#include "support.h"
#include "base/fd.h"
#include "base/text.h"
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { VEID = 1000001, MIB = 1 << 20 };

static const char *disk_of(struct fixture *fixture, int64_t veid)
{
	static char path[PATH_MAX];
	assert_int_equal(disk_path(fixture->pool, veid, path, sizeof(path), NULL), 0);
	return path;
}

static void create(struct fixture *fixture, int64_t veid)
{
	struct error err = {0};
	assert_ok(disk_create(fixture->pool, veid, "debian-12-x86_64", VPS_KVM, 8 * MIB, &err), err);
}

static void test_create(void **state)
{
	struct fixture *fixture = *state;
	add_template(fixture, "debian-12-x86_64", VPS_KVM, "the template", 4 * MIB, false);
	create(fixture, VEID);
	assert_int_equal(file_size(disk_of(fixture, VEID)), 8 * MIB);
	char text[13] = "";
	owned_fd int fd = open(disk_of(fixture, VEID), O_RDWR);
	assert_int_equal(read(fd, text, 12), 12);
	assert_string_equal(text, "the template");
	assert_int_equal(count_entries(fixture, "tmp"), 0);
	/* Again is fine and leaves what is there. */
	assert_int_equal(pwrite(fd, "X", 1, 0), 1);
	create(fixture, VEID);
	assert_int_equal(pread(fd, text, 1, 0), 1);
	assert_int_equal(text[0], 'X');
	int64_t used = -1;
	assert_int_equal(disk_used(fixture->pool, VEID, &used, NULL), 0);
	assert_in_range(used, 4096, 64 << 10);
}

static void test_modes(void **state)
{
	struct fixture *fixture = *state;
	struct stat st;
	add_template(fixture, "debian-12-x86_64", VPS_KVM, "t", MIB, false);
	mode_t before = umask(0077);
	create(fixture, VEID);
	umask(before);
	char path[PATH_MAX];
	pool_path(fixture->pool, path, NULL, "vps/%d", VEID);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_int_equal(stat(disk_of(fixture, VEID), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(fixture->mounts, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_create_refuses(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	add_template(fixture, "debian-12-x86_64", VPS_KVM, "t", 4 * MIB, false);
	assert_int_equal(
		disk_create(fixture->pool, VEID, "debian-12-x86_64", VPS_OVZ, 8 * MIB, &err), -ERR_NOT_FOUND);
	assert_int_equal(
		disk_create(fixture->pool, VEID, "debian-99-x86_64", VPS_KVM, 8 * MIB, &err), -ERR_NOT_FOUND);
	assert_int_equal(disk_create(fixture->pool, VEID, "../x", VPS_KVM, 8 * MIB, &err), -ERR_INVALID);
	assert_int_equal(
		disk_create(fixture->pool, VEID, "debian-12-x86_64", VPS_KVM, MIB, &err), -ERR_INVALID);
	assert_int_equal(
		disk_create(fixture->pool, 12, "debian-12-x86_64", VPS_KVM, 8 * MIB, &err), -ERR_INVALID);
	assert_int_equal(disk_create(fixture->pool, VEID, "debian-12-x86_64", VPS_KVM, INT64_MAX / 2, &err),
		-ERR_CAPACITY);
	assert_non_null(strstr(err.said, "no room"));
	assert_null(strchr(err.said, '/'));
	assert_int_equal(count_entries(fixture, "vps"), 0);
	assert_int_equal(count_entries(fixture, "tmp"), 0);
}

static void test_trash_and_back(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	add_template(fixture, "debian-12-x86_64", VPS_KVM, "t", MIB, false);
	assert_ok(disk_trash(fixture->pool, VEID, 100, &err), err);
	assert_int_equal(disk_untrash(fixture->pool, VEID, &err), -ERR_NOT_FOUND);
	create(fixture, VEID);
	write_file(disk_of(fixture, VEID), "older", 5);
	assert_ok(disk_trash(fixture->pool, VEID, 100, &err), err);
	create(fixture, VEID);
	write_file(disk_of(fixture, VEID), "newest", 6);
	assert_ok(disk_trash(fixture->pool, VEID, 100, &err), err);
	create(fixture, VEID + 1);
	assert_ok(disk_trash(fixture->pool, VEID + 1, 900, &err), err);
	assert_ok(disk_untrash(fixture->pool, VEID, &err), err);
	assert_int_equal(file_size(disk_of(fixture, VEID)), 6);
	assert_int_equal(disk_untrash(fixture->pool, VEID, &err), -ERR_EXISTS);
	assert_int_equal(count_entries(fixture, "trash"), 2);
}

static void test_delete(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	add_template(fixture, "debian-12-x86_64", VPS_KVM, "t", MIB, false);
	assert_ok(disk_delete(fixture->pool, VEID, &err), err);
	for (int i = 0; i < 3; i++) {
		create(fixture, VEID);
		assert_ok(disk_trash(fixture->pool, VEID, 100, &err), err);
	}
	create(fixture, VEID);
	create(fixture, VEID + 1);
	assert_ok(disk_trash(fixture->pool, VEID + 1, 100, &err), err);
	assert_ok(disk_delete(fixture->pool, VEID, &err), err);
	assert_int_equal(count_entries(fixture, "vps"), 0);
	assert_int_equal(count_entries(fixture, "trash"), 1);
	assert_int_equal(count_entries(fixture, "tmp"), 0);
}

struct racer {
	struct fixture *fixture;
	int64_t veid;
	int rc;
};

static void *race(void *context)
{
	struct racer *racer = context;
	racer->rc =
		disk_create(racer->fixture->pool, racer->veid, "debian-12-x86_64", VPS_KVM, 8 * MIB, NULL);
	return NULL;
}

static void test_concurrent_creates(void **state)
{
	struct fixture *fixture = *state;
	enum { COUNT = 16 };
	struct racer racers[COUNT];
	pthread_t threads[COUNT];
	add_template(fixture, "debian-12-x86_64", VPS_KVM, "t", 4 * MIB, false);
	for (int i = 0; i < COUNT; i++) {
		racers[i] = (struct racer){.fixture = fixture, .veid = VEID + i / 4};
		assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
	}
	for (int i = 0; i < COUNT; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(racers[i].rc, 0);
		assert_int_equal(file_size(disk_of(fixture, racers[i].veid)), 8 * MIB);
	}
	assert_int_equal(count_entries(fixture, "vps"), COUNT / 4);
	assert_int_equal(count_entries(fixture, "tmp"), 0);
}

static void leave_remains(struct fixture *fixture)
{
	char path[PATH_MAX];
	pool_path(fixture->pool, path, NULL, "tmp/disk-abc");
	write_file(path, "half", 4);
	pool_path(fixture->pool, path, NULL, "tmp/template-abc");
	assert_int_equal(mkdir(path, 0700), 0);
	pool_path(fixture->pool, path, NULL, "tmp/template-abc/kvm.raw");
	write_file(path, "half", 4);
}

static void test_remains_go(void **state)
{
	struct fixture *fixture = *state;
	leave_remains(fixture);
	fixture_reopen(fixture);
	assert_int_equal(count_entries(fixture, "tmp"), 0);
}

/* A second opening, as of a tool beside the daemon, must not take away what the first works on. */
static void test_remains_stay_while_open(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	leave_remains(fixture);
	owned(pool_close) struct pool *second = NULL;
	assert_ok(pool_open(&fixture->config, &second, &err), err);
	assert_int_equal(count_entries(fixture, "tmp"), 2);
}

static void test_reflinks_required(void **state)
{
	struct fixture *fixture = *state;
	struct pool_config config = fixture->config;
	struct error err = {0};
	struct pool *pool = NULL;
	if (fixture->pool->reflinks)
		skip();
	config.reflinks_required = true;
	assert_int_equal(pool_open(&config, &pool, &err), -ERR_UNSUPPORTED);
	assert_null(pool);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {CASE(test_create), CASE(test_modes), CASE(test_create_refuses),
		CASE(test_trash_and_back), CASE(test_delete), CASE(test_concurrent_creates),
		CASE(test_remains_go), CASE(test_remains_stay_while_open), CASE(test_reflinks_required)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
