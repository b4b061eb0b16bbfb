/* Templates: listing, replacing, incomplete ones, and building with a script that stands in for the real one.
 */
#include "support.h"
#include "base/fd.h"
#include "base/text.h"
#include <string.h>
#include <sys/stat.h>

enum { MIB = 1 << 20 };

static void count(void *context, const struct template_info *info)
{
	assert_true(info->has_kvm || info->has_ovz);
	++*(int *)context;
}

static int listed(struct fixture *fixture)
{
	int found = 0;
	struct error err = {0};
	assert_ok(template_list(fixture->pool, count, &found, &err), err);
	return found;
}

static void test_list_get_remove(void **state)
{
	struct fixture *fixture = *state;
	struct template_info info;
	struct error err = {0};
	assert_int_equal(listed(fixture), 0);
	add_template(fixture, "a", VPS_KVM, "kvm", MIB, false);
	add_template(fixture, "b", VPS_OVZ, "ovz", MIB, false);
	assert_int_equal(listed(fixture), 2);
	assert_ok(template_get(fixture->pool, "a", &info, &err), err);
	assert_true(info.has_kvm);
	assert_false(info.has_ovz);
	assert_int_equal(info.created_s, 1700000000);
	assert_in_range(info.size_bytes, 1, 64 << 10);
	assert_ok(template_remove(fixture->pool, "a", &err), err);
	assert_int_equal(template_remove(fixture->pool, "a", &err), -ERR_NOT_FOUND);
	assert_int_equal(template_get(fixture->pool, "a", &info, &err), -ERR_NOT_FOUND);
	assert_int_equal(template_get(fixture->pool, "../b", &info, &err), -ERR_INVALID);
	assert_int_equal(template_remove(fixture->pool, "../vps", &err), -ERR_INVALID);
	assert_int_equal(listed(fixture), 1);
}

static void test_new_image_keeps_the_other(void **state)
{
	struct fixture *fixture = *state;
	struct template_info info;
	struct error err = {0};
	char path[PATH_MAX];
	add_template(fixture, "a", VPS_KVM, "first", MIB, false);
	add_template(fixture, "a", VPS_OVZ, "ovz", 2 * MIB, false);
	assert_ok(template_get(fixture->pool, "a", &info, &err), err);
	assert_true(info.has_kvm && info.has_ovz);
	add_template(fixture, "a", VPS_KVM, "second", 3 * MIB, false);
	assert_ok(template_image_path(fixture->pool, "a", VPS_KVM, path, &err), err);
	assert_int_equal(file_size(path), 3 * MIB);
	assert_ok(template_image_path(fixture->pool, "a", VPS_OVZ, path, &err), err);
	assert_int_equal(file_size(path), 2 * MIB);
	assert_int_equal(count_entries(fixture, "tmp"), 0);
}

static void put_manifest(struct fixture *fixture, const char *name, const char *text)
{
	char path[PATH_MAX];
	pool_path(fixture->pool, path, NULL, "templates/%s", name);
	if (file_size(path) < 0)
		assert_int_equal(mkdir(path, 0700), 0);
	pool_path(fixture->pool, path, NULL, "templates/%s/kvm.raw", name);
	write_file(path, "image", 5);
	pool_path(fixture->pool, path, NULL, "templates/%s/manifest.json", name);
	if (text)
		write_file(path, text, strlen(text));
}

static void test_broken_manifests(void **state)
{
	struct fixture *fixture = *state;
	static const char *const broken[] = {"", "{",
		"{\"version\":1,\"name\":\"b\",\"created\":5,\"images\":{\"kvm\":", "[]",
		"{\"version\":9,\"name\":\"b\",\"created\":5,\"images\":{\"kvm\":{}}}",
		"{\"version\":1,\"name\":\"other\",\"created\":5,\"images\":{\"kvm\":{}}}",
		"{\"version\":1,\"name\":\"b\",\"created\":5,\"images\":{\"ovz\":{}}}"};
	struct template_info info;
	struct error err = {0};
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		put_manifest(fixture, "b", broken[i]);
		assert_int_equal(listed(fixture), 0);
		assert_int_equal(template_get(fixture->pool, "b", &info, &err), -ERR_NOT_FOUND);
		assert_int_equal(
			disk_create(fixture->pool, VEID_FIRST, "b", VPS_KVM, MIB, &err), -ERR_NOT_FOUND);
	}
	put_manifest(fixture, "b", "{\"version\":1,\"name\":\"b\",\"created\":5,\"images\":{\"kvm\":{}}}");
	assert_int_equal(listed(fixture), 1);
}

static void test_unfinished_goes(void **state)
{
	struct fixture *fixture = *state;
	put_manifest(fixture, "unfinished", NULL);
	put_manifest(fixture, "unreadable", "{");
	add_template(fixture, "good", VPS_KVM, "x", MIB, false);
	fixture_reopen(fixture);
	assert_int_equal(count_entries(fixture, "templates"), 2);
	assert_int_equal(listed(fixture), 1);
}

struct heard {
	int last_percent, count;
};

static void hear(void *context, int percent, const char *message)
{
	struct heard *heard = context;
	assert_true(percent >= heard->last_percent);
	assert_true(message[0] && message[0] != ' ');
	heard->last_percent = percent;
	heard->count++;
}

static int build(struct fixture *fixture, const char *script, struct heard *heard, struct error *err)
{
	char path[PATH_MAX];
	text_format(path, sizeof(path), "%s/script", fixture->base);
	write_file(path, script, strlen(script));
	assert_int_equal(chmod(path, 0700), 0);
	const struct template_build request = {.name = "debian-12-x86_64",
		.kvm = true,
		.script_path = path,
		.progress = hear,
		.context = heard};
	return template_build(fixture->pool, &request, err);
}

static void test_build(void **state)
{
	struct fixture *fixture = *state;
	struct heard heard = {0};
	struct error err = {0};
	assert_ok(build(fixture,
			  "#!/bin/sh\necho progress 10 Starting\necho noise\n[ \"$1\" = debian-12-x86_64 ] "
			  "|| exit 3\n"
			  "[ \"$3\" = --kvm ] && [ $# = 3 ] || exit 4\necho image >$2/kvm.raw\n"
			  "echo 'bash 5.2' >$2/packages\necho progress 1000 nonsense\necho progress 90 "
			  "Nearly\n",
			  &heard, &err),
		err);
	assert_int_equal(heard.count, 2);
	assert_int_equal(heard.last_percent, 90);
	owned_in(manifest_done) struct manifest manifest = {0};
	char path[PATH_MAX];
	pool_path(fixture->pool, path, NULL, "templates/debian-12-x86_64");
	assert_ok(manifest_read(path, "debian-12-x86_64", &manifest, &err), err);
	assert_string_equal(manifest.packages, "bash 5.2\n");
	assert_string_equal(manifest.info.sha256, "");
	assert_int_equal(count_entries(fixture, "tmp"), 0);
}

/* A build that fails, says nothing or fills the disk leaves the older template alone. */
static void test_failed_builds(void **state)
{
	struct fixture *fixture = *state;
	struct heard heard = {0};
	struct error err = {0};
	add_template(fixture, "debian-12-x86_64", VPS_KVM, "older", MIB, false);
	assert_int_equal(
		build(fixture, "#!/bin/sh\necho x >$2/kvm.raw\necho 'E: no mirror'\nexit 1\n", &heard, &err),
		-ERR_IO);
	assert_non_null(strstr(err.message, "no mirror"));
	assert_true(build(fixture, "#!/bin/sh\nexit 0\n", &heard, &err) < 0);
	assert_true(build(fixture, "#!/bin/sh\n: >$2/packages\n", &heard, &err) < 0);
	assert_int_equal(
		build(fixture, "#!/bin/sh\necho 'cp: No space left on device'\nexit 1\n", &heard, &err),
		-ERR_CAPACITY);
	char path[PATH_MAX];
	assert_ok(template_image_path(fixture->pool, "debian-12-x86_64", VPS_KVM, path, &err), err);
	assert_int_equal(file_size(path), MIB);
	assert_int_equal(count_entries(fixture, "tmp"), 0);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {CASE(test_list_get_remove), CASE(test_new_image_keeps_the_other),
		CASE(test_broken_manifests), CASE(test_unfinished_goes), CASE(test_build),
		CASE(test_failed_builds)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
