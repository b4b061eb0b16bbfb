/* First-boot data: read back as JSON, and from the image as cloud-init would find it. */
#include "base/fd.h"
#include "base/memory.h"
#include "base/owned.h"
#include "base/text.h"
#include "guest/guest.h"
#include "json/reader.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL/0nOasnKtlntii9x+ThhnbQRi030bEsXR+FYHlWBve me/you"
#define HASH "$6$rounds=50000$salt$abc./DEF"

static const struct address addresses[] = {{"10.77.0.5", 16, "10.77.0.1", NULL},
	{"2001:db8:1:2::", 64, "fe80::1", NULL}, {"203.0.113.9", 32, "10.77.0.1", NULL}};
static const char *const dns[] = {"192.0.2.53", "2001:db8::53", NULL};

static struct seed_spec spec_of(void)
{
	return (struct seed_spec){.veid = 1000001,
		.instance_id = "moa-1000001-1",
		.hostname = "web.example.com",
		.password_hash = HASH,
		.ssh_keys = KEY,
		.mac = "02:00:00:00:00:01",
		.addresses = addresses,
		.address_count = 3,
		.dns = dns};
}

static void build(const struct seed_spec *spec, struct seed *ret)
{
	struct error err = {0};
	if (seed_build(spec, ret, &err) < 0)
		fail_msg("%s", err.message);
}

static struct json *parse(const char *text)
{
	struct json *root = NULL;
	struct error err = {0};
	if (json_parse(text, strlen(text), &root, &err) < 0)
		fail_msg("%s", err.message);
	return root;
}

static const struct json *get(const struct json *value, const char *first, ...)
{
	va_list args;
	va_start(args, first);
	for (const char *key = first; key; key = va_arg(args, const char *))
		value = key[0] >= '0' && key[0] <= '9' ? json_at(value, (size_t)(key[0] - '0'))
						       : json_get(value, key);
	va_end(args);
	return value;
}

static void assert_text(const struct json *value, const char *expected)
{
	assert_string_equal(json_text(value, "(none)"), expected);
}

static void meta_data(void **state)
{
	(void)state;
	struct seed_spec spec = spec_of();
	owned_in(seed_done) struct seed seed = {0};
	build(&spec, &seed);
	owned(json_free) struct json *root = parse(seed.meta_data);
	assert_text(json_get(root, "instance-id"), "moa-1000001-1");
	assert_text(json_get(root, "local-hostname"), "web.example.com");
}

static void user_data(void **state)
{
	(void)state;
	struct seed_spec spec = spec_of();
	owned_in(seed_done) struct seed seed = {0};
	build(&spec, &seed);
	assert_true(text_starts(seed.user_data, "#cloud-config\n{"));
	assert_null(strstr(seed.user_data, "\\/"));
	owned(json_free) struct json *root = parse(strchr(seed.user_data, '{'));
	assert_text(json_get(root, "hostname"), "web.example.com");
	assert_text(json_get(root, "fqdn"), "web.example.com");
	assert_false(json_get_bool(root, "disable_root", true));
	assert_true(json_get_bool(root, "ssh_pwauth", false));
	assert_text(get(root, "ssh_authorized_keys", "0", NULL), KEY);
	assert_int_equal(json_count(get(root, "users", NULL)), 1);
	assert_text(get(root, "users", "0", "hashed_passwd", NULL), HASH);
	assert_false(json_get_bool(get(root, "users", "0", NULL), "lock_passwd", true));
	assert_text(get(root, "chpasswd", "users", "0", "password", NULL), HASH);
	assert_text(get(root, "chpasswd", "users", "0", "type", NULL), "hash");
	assert_false(json_get_bool(json_get(root, "chpasswd"), "expire", true));
	assert_text(get(root, "write_files", "0", "path", NULL), "/etc/hosts");
	assert_non_null(strstr(json_text(get(root, "write_files", "0", "content", NULL), ""),
		"\n127.0.1.1 web.example.com web\n"));
	assert_non_null(strstr(
		json_text(get(root, "write_files", "1", "content", NULL), ""), "PermitRootLogin yes\n"));
}

/* What user data says wins over files in the guest, where a later change of the name must hold. */
static void the_name_is_not_managed(void **state)
{
	(void)state;
	struct seed_spec spec = spec_of();
	owned_in(seed_done) struct seed seed = {0};
	build(&spec, &seed);
	assert_null(strstr(seed.user_data, "manage_etc_hosts"));
	assert_null(strstr(seed.user_data, "preserve_hostname"));
}

static void without_a_password(void **state)
{
	(void)state;
	struct seed_spec spec = spec_of();
	spec.password_hash = "";
	spec.ssh_keys = "";
	owned_in(seed_done) struct seed seed = {0};
	build(&spec, &seed);
	owned(json_free) struct json *root = parse(strchr(seed.user_data, '{'));
	assert_true(json_get_bool(get(root, "users", "0", NULL), "lock_passwd", false));
	assert_false(json_get_bool(root, "ssh_pwauth", true));
	assert_null(json_get(root, "chpasswd"));
	assert_null(json_get(root, "ssh_authorized_keys"));
}

static void network(void **state)
{
	(void)state;
	struct seed_spec spec = spec_of();
	owned_in(seed_done) struct seed seed = {0};
	build(&spec, &seed);
	owned(json_free) struct json *root = parse(seed.network_config);
	const struct json *link = get(root, "ethernets", "eth0", NULL);
	assert_int_equal(json_get_int(root, "version", 0), 2);
	assert_text(get(link, "match", "macaddress", NULL), "02:00:00:00:00:01");
	assert_text(get(link, "addresses", "0", NULL), "10.77.0.5/16");
	assert_text(get(link, "addresses", "1", NULL), "2001:db8:1:2::1/64");
	assert_text(get(link, "addresses", "2", NULL), "203.0.113.9/32");
	assert_int_equal(json_count(json_get(link, "routes")), 1);
	assert_text(get(link, "routes", "0", "via", NULL), "10.77.0.1");
	assert_null(get(link, "routes", "0", "on-link", NULL));
	assert_text(json_get(link, "gateway6"), "fe80::1");
	assert_int_equal(json_count(get(link, "nameservers", "addresses", NULL)), 2);
}

static void gateways_outside_and_inside(void **state)
{
	(void)state;
	struct seed_spec spec = spec_of();
	const struct address own[] = {addresses[2], {"2001:db8:1:2::", 64, "2001:db8:1:2::1", NULL}};
	spec.addresses = own;
	spec.address_count = 2;
	owned_in(seed_done) struct seed seed = {0};
	build(&spec, &seed);
	owned(json_free) struct json *root = parse(seed.network_config);
	const struct json *link = get(root, "ethernets", "eth0", NULL);
	assert_true(json_bool(get(link, "routes", "0", "on-link", NULL), false));
	assert_text(get(link, "addresses", "1", NULL), "2001:db8:1:2::2/64");
}

static void long_names_run_as_their_first_label(void **state)
{
	(void)state;
	struct seed_spec spec = spec_of();
	spec.hostname = "a-rather-long-label.another-quite-long-label.and-one-more-to-be-sure.example.com";
	owned_in(seed_done) struct seed seed = {0};
	build(&spec, &seed);
	owned(json_free) struct json *root = parse(strchr(seed.user_data, '{'));
	assert_text(json_get(root, "hostname"), "a-rather-long-label");
	assert_text(json_get(root, "fqdn"), spec.hostname);
	assert_non_null(strstr(seed.user_data, ".example.com a-rather-long-label\\n"));
}

static void assert_refused(const struct seed_spec *spec)
{
	struct seed seed = {0};
	assert_int_equal(seed_build(spec, &seed, NULL), -ERR_INVALID);
	assert_null(seed.user_data);
}

static void bad_values_are_refused(void **state)
{
	(void)state;
	static const char *const names[] = {"", "a b", "a\nroot: x", "x\"", "-a", "\xc3\xa9"};
	static const char *const bad_dns[] = {"192.0.2.53 }", NULL};
	static const char *const hashes[] = {"plain", "$6$a\nb", "$6$a\"b", "$6$a:b"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct seed_spec spec = spec_of();
		spec.hostname = names[i];
		assert_refused(&spec);
		spec = spec_of();
		spec.instance_id = names[i];
		assert_refused(&spec);
		spec = spec_of();
		spec.mac = names[i];
		assert_refused(&spec);
		spec = spec_of();
		struct address address = {names[i], 16, "", NULL};
		spec.addresses = &address;
		spec.address_count = 1;
		assert_refused(&spec);
	}
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
		struct seed_spec spec = spec_of();
		spec.password_hash = hashes[i];
		assert_refused(&spec);
	}
	struct seed_spec spec = spec_of();
	spec.dns = bad_dns;
	assert_refused(&spec);
	spec = spec_of();
	spec.ssh_keys = "command=\"x\" " KEY;
	assert_refused(&spec);
	spec = spec_of();
	struct address mixed = {"10.77.0.5", 16, "fe80::1", NULL};
	spec.addresses = &mixed;
	spec.address_count = 1;
	assert_refused(&spec);
}

/* ---- the image ---- */

static int in_a_folder(void **state)
{
	char *folder = mem_strdup("/tmp/moa-seed-XXXXXX");
	assert_non_null(mkdtemp(folder));
	*state = folder;
	return 0;
}

static int out_of_the_folder(void **state)
{
	int rc = dir_remove_tree(*state, NULL);
	free(*state);
	return rc;
}

static void assert_content(struct archive *reader, const char *expected)
{
	char content[16384];
	la_ssize_t len = archive_read_data(reader, content, sizeof(content) - 1);
	assert_true(len >= 0);
	content[len] = '\0';
	assert_string_equal(content, expected);
}

static void assert_image(const char *path, const struct seed *seed)
{
	struct archive *reader = archive_read_new();
	struct archive_entry *entry;
	int files = 0;
	assert_int_equal(archive_read_support_format_iso9660(reader), ARCHIVE_OK);
	assert_int_equal(archive_read_open_filename(reader, path, 10240), ARCHIVE_OK);
	while (archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(entry);
		if (archive_entry_filetype(entry) != AE_IFREG)
			continue;
		files++;
		if (text_equal(name, "meta-data"))
			assert_content(reader, seed->meta_data);
		else if (text_equal(name, "user-data"))
			assert_content(reader, seed->user_data);
		else if (text_equal(name, "network-config"))
			assert_content(reader, seed->network_config);
		else
			fail_msg("%s in the image", name);
	}
	assert_int_equal(files, 3);
	archive_read_free(reader);
}

/* The label stands at byte 40 of the primary descriptor, in sector 16 (ECMA-119 8.4.7), and in Joliet's as
 * UCS-2. */
static void the_image_can_be_read(void **state)
{
	struct seed_spec spec = spec_of();
	owned_in(seed_done) struct seed seed = {0};
	owned_mem char *path = mem_printf("%s/seed.iso", (char *)*state), *image = NULL;
	size_t len = 0;
	struct stat st;
	build(&spec, &seed);
	assert_int_equal(seed_write_iso(&seed, path, 0640, NULL), 0);
	assert_image(path, &seed);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(file_read(path, 4 << 20, &image, &len, NULL), 0);
	assert_memory_equal(image + 16 * 2048 + 40, "cidata ", 7);
	assert_memory_equal(image + 17 * 2048 + 40, "\0c\0i\0d\0a\0t\0a\0 ", 14);
}

/* Nothing in an image tells when it was made: the clock of this process says the year, and no date holds it.
 */
static void the_image_is_the_same_each_time(void **state)
{
	struct seed_spec spec = spec_of();
	owned_in(seed_done) struct seed seed = {0};
	owned_mem char *path = mem_printf("%s/seed.iso", (char *)*state), *first = NULL, *second = NULL;
	size_t len = 0, again_len = 0;
	build(&spec, &seed);
	assert_int_equal(seed_write_iso(&seed, path, 0600, NULL), 0);
	assert_int_equal(file_read(path, 4 << 20, &first, &len, NULL), 0);
	assert_int_equal(seed_write_iso(&seed, path, 0600, NULL), 0);
	assert_int_equal(file_read(path, 4 << 20, &second, &again_len, NULL), 0);
	assert_int_equal(len, again_len);
	assert_memory_equal(first, second, len);
	time_t now = time(NULL);
	struct tm today;
	gmtime_r(&now, &today);
	const char date[] = {(char)today.tm_year, (char)(today.tm_mon + 1), (char)today.tm_mday};
	char digits[9];
	strftime(digits, sizeof(digits), "%Y%m%d", &today);
	assert_null(memmem(first, len, date, sizeof(date)));
	assert_null(memmem(first, len, digits, 8));
}

static void a_failed_image_leaves_nothing(void **state)
{
	struct seed_spec spec = spec_of();
	owned_in(seed_done) struct seed seed = {0};
	owned_mem char *path = mem_printf("%s/missing/seed.iso", (char *)*state);
	build(&spec, &seed);
	assert_true(seed_write_iso(&seed, path, 0600, NULL) < 0);
	assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(meta_data),
		cmocka_unit_test(user_data),
		cmocka_unit_test(the_name_is_not_managed),
		cmocka_unit_test(without_a_password),
		cmocka_unit_test(network),
		cmocka_unit_test(gateways_outside_and_inside),
		cmocka_unit_test(long_names_run_as_their_first_label),
		cmocka_unit_test(bad_values_are_refused),
		cmocka_unit_test_setup_teardown(the_image_can_be_read, in_a_folder, out_of_the_folder),
		cmocka_unit_test_setup_teardown(
			the_image_is_the_same_each_time, in_a_folder, out_of_the_folder),
		cmocka_unit_test_setup_teardown(
			a_failed_image_leaves_nothing, in_a_folder, out_of_the_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
