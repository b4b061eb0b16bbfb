/* Importing hostile files for real: qemu-img and libarchive in their children, on a pool with reflinks. Needs
 * root and loops. */
#include "support.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/text.h"
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

enum { MIB = 1 << 20 };

static void hash_of(const char *path, char hex[65])
{
	crypto_hash_sha256_state state;
	unsigned char block[4096], hash[32];
	owned_fd int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	crypto_hash_sha256_init(&state);
	for (ssize_t got; (got = read(fd, block, sizeof(block))) > 0;)
		crypto_hash_sha256_update(&state, block, (unsigned long long)got);
	crypto_hash_sha256_final(&state, hash);
	text_hex(hash, sizeof(hash), hex);
}

static int import(struct fixture *fixture, const char *path, enum vps_type type, struct error *err)
{
	char hex[65];
	hash_of(path, hex);
	const struct template_import request = {
		.name = "imported", .type = type, .path = path, .sha256 = hex};
	int rc = template_import(fixture->pool, &request, err);
	assert_int_equal(count_entries(fixture, "tmp"), 0);
	assert_int_equal(count_loops(fixture), 1);
	return rc;
}

static void assert_nothing_imported(struct fixture *fixture)
{
	assert_int_equal(count_entries(fixture, "templates"), 0);
}

static const char *in_base(struct fixture *fixture, const char *name)
{
	static char path[4][128];
	static int turn;
	char *place = path[turn++ % 4];
	assert_true(text_format(place, 128, "%s/%s", fixture->base, name));
	return place;
}

static void qemu_img(const char *const *argv)
{
	struct error err = {0};
	assert_ok(process_check(argv, 60000, &err), err);
}

static void test_raw(void **state)
{
	struct fixture *fixture = fixture_or_skip(state);
	struct error err = {0};
	struct template_info info;
	const char *path = in_base(fixture, "raw");
	static char disk[2 * MIB];
	disk[510] = 0x55, disk[511] = (char)0xaa, disk[MIB] = 'x';
	write_file(path, disk, sizeof(disk));
	assert_ok(import(fixture, path, VPS_KVM, &err), err);
	assert_ok(template_get(fixture->pool, "imported", &info, &err), err);
	assert_int_equal(strlen(info.sha256), 64);
	assert_in_range(info.size_bytes, 1, MIB);
	assert_int_equal(import(fixture, path, VPS_OVZ, &err), -ERR_INVALID);
	char image[PATH_MAX], byte = 0;
	assert_ok(template_image_path(fixture->pool, "imported", VPS_KVM, image, &err), err);
	owned_fd int fd = open(image, O_RDONLY);
	assert_int_equal(pread(fd, &byte, 1, MIB), 1);
	assert_int_equal(byte, 'x');
}

static void test_refused(void **state)
{
	struct fixture *fixture = fixture_or_skip(state);
	struct error err = {0};
	const char *path = in_base(fixture, "file");
	write_file(path, "KDMV and more", 13);
	assert_int_equal(import(fixture, path, VPS_KVM, &err), -ERR_INVALID);
	const struct template_import wrong = {.name = "imported",
		.type = VPS_KVM,
		.path = path,
		.sha256 = "0000000000000000000000000000000000000000000000000000000000000000"};
	assert_int_equal(template_import(fixture->pool, &wrong, &err), -ERR_INVALID);
	assert_non_null(strstr(err.said, "SHA-256"));
	const struct template_import folder = {
		.name = "imported", .type = VPS_KVM, .path = fixture->base, .sha256 = wrong.sha256};
	assert_int_equal(template_import(fixture->pool, &folder, &err), -ERR_INVALID);
	const struct template_import unhashed = {
		.name = "imported", .type = VPS_KVM, .path = path, .sha256 = "12"};
	assert_int_equal(template_import(fixture->pool, &unhashed, &err), -ERR_INVALID);
	const struct template_import named = {
		.name = "../x", .type = VPS_KVM, .path = path, .sha256 = wrong.sha256};
	assert_int_equal(template_import(fixture->pool, &named, &err), -ERR_INVALID);
	assert_nothing_imported(fixture);
}

static void test_qcow2(void **state)
{
	struct fixture *fixture = fixture_or_skip(state);
	struct error err = {0};
	const char *raw = in_base(fixture, "raw"), *image = in_base(fixture, "image");
	static char disk[4 * MIB];
	memset(disk + MIB, 'q', MIB);
	write_file(raw, disk, sizeof(disk));
	qemu_img((const char *[]){"qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", raw, image, NULL});
	assert_ok(import(fixture, image, VPS_KVM, &err), err);
	char path[PATH_MAX];
	static char back[sizeof(disk)];
	struct stat st;
	assert_ok(template_image_path(fixture->pool, "imported", VPS_KVM, path, &err), err);
	owned_fd int fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, back, sizeof(back)), (ssize_t)sizeof(back));
	assert_memory_equal(back, disk, sizeof(disk));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* Files as real tools make them, whose reader would open a file of the host. */
static void test_qcow2_that_reaches_out(void **state)
{
	struct fixture *fixture = fixture_or_skip(state);
	struct error err = {0};
	const char *backed = in_base(fixture, "backed"), *split = in_base(fixture, "split");
	const char *data = in_base(fixture, "data");
	char option[256];
	qemu_img((const char *[]){"qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", "/etc/shadow", "-F",
		"raw", backed, "1M", NULL});
	assert_int_equal(import(fixture, backed, VPS_KVM, &err), -ERR_INVALID);
	assert_non_null(strstr(err.said, "backing file"));
	assert_true(text_format(option, sizeof(option), "data_file=%s", data));
	qemu_img(
		(const char *[]){"qemu-img", "create", "-q", "-f", "qcow2", "-o", option, split, "1M", NULL});
	assert_int_equal(import(fixture, split, VPS_KVM, &err), -ERR_INVALID);
	assert_nothing_imported(fixture);
}

static void test_qcow2_damaged(void **state)
{
	struct fixture *fixture = fixture_or_skip(state);
	struct error err = {0};
	const char *image = in_base(fixture, "image");
	qemu_img((const char *[]){"qemu-img", "create", "-q", "-f", "qcow2", image, "16M", NULL});
	owned_fd int fd = open(image, O_RDWR);
	assert_int_equal(pwrite(fd, "\x7f\xff\xff\xff\xff\xff\xff\x00", 8, 40), 8);
	assert_true(import(fixture, image, VPS_KVM, &err) < 0);
	assert_nothing_imported(fixture);
}

/* ---- archives ---- */

struct file {
	const char *path, *link, *hardlink;
	int type, mode, uid;
	const char *text;
};

static void make_tar(const char *path, const struct file *files, size_t count, bool gzip)
{
	struct archive *archive = archive_write_new();
	archive_write_set_format_pax_restricted(archive);
	if (gzip)
		archive_write_add_filter_gzip(archive);
	assert_int_equal(archive_write_open_filename(archive, path), ARCHIVE_OK);
	for (size_t i = 0; i < count; i++) {
		struct archive_entry *entry = archive_entry_new();
		archive_entry_set_pathname(entry, files[i].path);
		archive_entry_set_filetype(entry, (unsigned)files[i].type);
		archive_entry_set_perm(entry, (unsigned)files[i].mode);
		archive_entry_set_uid(entry, files[i].uid);
		archive_entry_set_gid(entry, files[i].uid);
		if (files[i].link)
			archive_entry_set_symlink(entry, files[i].link);
		if (files[i].hardlink)
			archive_entry_set_hardlink(entry, files[i].hardlink);
		archive_entry_set_rdev(entry, 0x701);
		size_t len = files[i].text ? strlen(files[i].text) : 0;
		archive_entry_set_size(entry, (la_int64_t)len);
		assert_true(archive_write_header(archive, entry) >= ARCHIVE_WARN);
		if (len)
			assert_int_equal(archive_write_data(archive, files[i].text, len), (la_ssize_t)len);
		archive_entry_free(entry);
	}
	archive_write_free(archive);
}

static const struct file good_files[] = {{"./usr/sbin", NULL, NULL, AE_IFDIR, 0755, 0, NULL},
	{"./sbin", "usr/sbin", NULL, AE_IFLNK, 0777, 0, NULL},
	{"./usr/sbin/init", NULL, NULL, AE_IFREG, 0755, 0, "#!"},
	{"./usr/bin/sudo", NULL, NULL, AE_IFREG, 04755, 0, "setuid"},
	{"./home/u/f", NULL, NULL, AE_IFREG, 0640, 1000, "mine"},
	{"./home/u/h", NULL, "./home/u/f", AE_IFREG, 0640, 1000, NULL},
	{"./abs", "/etc/shadow", NULL, AE_IFLNK, 0777, 0, NULL},
	{"./dev/disk", NULL, NULL, AE_IFBLK, 0666, 0, NULL},
	{"./dev/null", NULL, NULL, AE_IFCHR, 0666, 0, NULL},
	{"./run/pipe", NULL, NULL, AE_IFIFO, 0666, 0, NULL}};

static void test_tar(void **state)
{
	struct fixture *fixture = fixture_or_skip(state);
	struct error err = {0};
	struct stat st;
	const char *tar = in_base(fixture, "root.tar.gz");
	make_tar(tar, good_files, sizeof(good_files) / sizeof(good_files[0]), true);
	assert_ok(import(fixture, tar, VPS_OVZ, &err), err);
	char point[PATH_MAX];
	owned_fd int root = -1;
	assert_ok(disk_create(fixture->pool, VEID_FIRST, "imported", VPS_OVZ, 300 * MIB, &err), err);
	assert_ok(disk_mount(fixture->pool, VEID_FIRST, point, sizeof(point), &err), err);
	root = open(point, O_RDONLY | O_DIRECTORY);
	assert_int_equal(fstatat(root, "usr/bin/sudo", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 04755);
	assert_int_equal(fstatat(root, "home/u/f", &st, 0), 0);
	assert_int_equal(st.st_uid, 1000);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(fstatat(root, "abs", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(fstatat(root, "dev/disk", &st, 0), -1);
	assert_int_equal(fstatat(root, "dev/null", &st, 0), -1);
	assert_int_equal(fstatat(root, "run/pipe", &st, 0), -1);
	close(fd_take(root));
	assert_ok(disk_unmount(fixture->pool, VEID_FIRST, &err), err);
	assert_int_equal(import(fixture, tar, VPS_KVM, &err), -ERR_INVALID);
}

static void test_hostile_tars(void **state)
{
	struct fixture *fixture = fixture_or_skip(state);
	struct error err = {0};
	const char *tar = in_base(fixture, "bad.tar");
	const struct file dots[] = {good_files[0], {"../../escaped", NULL, NULL, AE_IFREG, 0644, 0, "x"}};
	const struct file absolute[] = {
		good_files[0], {"/etc/moa-escaped", NULL, NULL, AE_IFREG, 0644, 0, "x"}};
	const struct file through[] = {{"./d", "/etc", NULL, AE_IFLNK, 0777, 0, NULL},
		{"./d/moa-escaped", NULL, NULL, AE_IFREG, 0644, 0, "x"}};
	const struct file no_init[] = {{"./etc", NULL, NULL, AE_IFDIR, 0755, 0, NULL}};
	const struct {
		const struct file *files;
		size_t count;
	} bad[] = {{dots, 2}, {absolute, 2}, {through, 2}, {no_init, 1}};
	for (size_t i = 0; i < 4; i++) {
		make_tar(tar, bad[i].files, bad[i].count, false);
		assert_int_equal(import(fixture, tar, VPS_OVZ, &err), -ERR_INVALID);
	}
	assert_int_equal(file_size("/etc/moa-escaped"), -1);
	assert_int_equal(file_size(in_base(fixture, "escaped")), -1);
	write_file(tar, "\x1f\x8b\x08 and then nonsense", 21);
	assert_int_equal(import(fixture, tar, VPS_OVZ, &err), -ERR_INVALID);
	assert_nothing_imported(fixture);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, fixture_setup_xfs, fixture_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {CASE(test_raw), CASE(test_refused), CASE(test_qcow2),
		CASE(test_qcow2_that_reaches_out), CASE(test_qcow2_damaged), CASE(test_tar),
		CASE(test_hostile_tars)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
