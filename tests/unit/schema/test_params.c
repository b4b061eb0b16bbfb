/* From parameters as clients send them to the typed struct: names, absence, bounds, and the sentences of
 * refusals. */
#include "rows.h"
#include "base/owned.h"
#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#define ROWS_FILE "rows.def"
#define ROWS_TABLE rows
#include "schema/tables.inc"

#define PARAM(name, text) \
	{ \
		name, text, sizeof(text) - 1 \
	}
/* What a call with all that is required starts with. */
#define REQUIRED PARAM("newHostname", "web"), PARAM("ssh_keys", "")

static struct arena arena = ARENA_INIT;
static struct error err;

static int empty_arena(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

static int read_params(const struct param *params, size_t count, struct everything_args *args)
{
	memset(args, 0, sizeof(*args));
	err = (struct error){0};
	return record_from_params(&rows[0].args, params, count, &arena, args, &err);
}

#define READ(args, ...) \
	({ \
		struct param params_[] = {__VA_ARGS__}; \
		read_params(params_, ARRAY_LEN(params_), args); \
	})

static void absent_ones_have_their_defaults(void **state)
{
	(void)state;
	struct everything_args args;
	assert_int_equal(READ(&args, REQUIRED), 0);
	assert_string_equal(args.newHostname, "web");
	assert_null(args.snapshot);
	assert_string_equal(args.ssh_keys, "");
	assert_null(args.blob.data);
	assert_int_equal(args.number, 42);
	assert_int_equal(args.disk, 4096);
	assert_true(args.sticky);
	assert_false(args.off);
	assert_int_equal(args.list.count, 0);
	assert_int_equal(args.maybe, FIELD_ABSENT);
	assert_int_equal(args.leaves.count, 0);
}

static void all_kinds_are_read(void **state)
{
	(void)state;
	struct everything_args args;
	assert_int_equal(READ(&args, REQUIRED, PARAM("snapshot", "snap"), PARAM("blob", "a\0b"),
				 PARAM("number", "-5"), PARAM("unbounded", "-9223372036854775808"),
				 PARAM("disk", "1.5G"), PARAM("sticky", "0"), PARAM("off", "yes"),
				 PARAM("list", "a,,b"), PARAM("maybe", "7")),
		0);
	assert_string_equal(args.snapshot, "snap");
	assert_int_equal(args.blob.len, 3);
	assert_memory_equal(args.blob.data, "a\0b", 3);
	assert_int_equal(args.number, -5);
	assert_int_equal(args.unbounded, INT64_MIN);
	assert_int_equal(args.disk, 3ll << 29);
	assert_false(args.sticky);
	assert_true(args.off);
	assert_int_equal(args.list.count, 3);
	assert_string_equal(args.list.items[0], "a");
	assert_string_equal(args.list.items[1], "");
	assert_string_equal(args.list.items[2], "b");
	assert_int_equal(args.maybe, 7);
}

static void names_without_case_and_underscore(void **state)
{
	(void)state;
	static const char *const good[] = {"newHostname", "NewHostname", "newhostname", "NEW_HOSTNAME",
		"new_hostname", "_new__hostname_"};
	static const char *const bad[] = {
		"newHostnam", "newHostnames", "new-hostname", "new hostname", "hostname", ""};
	struct everything_args args;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (READ(&args, {good[i], "web", 3}, PARAM("sshKeys", "k")) < 0)
			fail_msg("%s is not known", good[i]);
	assert_string_equal(args.ssh_keys, "k");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (READ(&args, {bad[i], "web", 3}, PARAM("sshKeys", "k")) != -ERR_MISSING)
			fail_msg("%s is known", bad[i]);
}

static void the_exact_name_beats_a_loose_one_and_both_beat_the_alias(void **state)
{
	(void)state;
	struct everything_args args;
	READ(&args, REQUIRED, PARAM("snapshot", "exact"), PARAM("Snapshot", "loose"),
		PARAM("fileName", "alias"));
	assert_string_equal(args.snapshot, "exact");
	READ(&args, REQUIRED, PARAM("Snapshot", "loose"), PARAM("fileName", "alias"));
	assert_string_equal(args.snapshot, "loose");
	READ(&args, REQUIRED, PARAM("fileName", "alias"));
	assert_string_equal(args.snapshot, "alias");
}

static void the_last_one_wins(void **state)
{
	(void)state;
	struct everything_args args;
	READ(&args, REQUIRED, PARAM("snapshot", "query"), PARAM("snapshot", "body"));
	assert_string_equal(args.snapshot, "body");
	READ(&args, REQUIRED, PARAM("SNAPSHOT", "first"), PARAM("snap_shot", "second"));
	assert_string_equal(args.snapshot, "second");
}

static void unknown_ones_are_ignored(void **state)
{
	(void)state;
	struct everything_args args;
	assert_int_equal(READ(&args, PARAM("x", "y"), REQUIRED, PARAM("", ""), PARAM("veid", "1")), 0);
}

static void empty_ones_count_as_absent(void **state)
{
	(void)state;
	struct everything_args args;
	assert_int_equal(
		READ(&args, REQUIRED, PARAM("snapshot", ""), PARAM("number", ""), PARAM("disk", ""),
			PARAM("sticky", ""), PARAM("list", ""), PARAM("blob", ""), PARAM("maybe", "")),
		0);
	assert_null(args.snapshot);
	assert_int_equal(args.number, 42);
	assert_int_equal(args.disk, 4096);
	assert_true(args.sticky);
	assert_int_equal(args.list.count, 0);
	assert_int_equal(args.maybe, FIELD_ABSENT);
	assert_int_equal(READ(&args, PARAM("newHostname", ""), PARAM("ssh_keys", "")), -ERR_MISSING);
	assert_string_equal(err.said, "newHostname is missing");
}

static void missing_ones_are_named(void **state)
{
	(void)state;
	struct everything_args args;
	assert_int_equal(READ(&args, PARAM("ssh_keys", "")), -ERR_MISSING);
	assert_string_equal(err.said, "newHostname is missing");
	assert_int_equal(READ(&args, PARAM("newHostname", "web")), -ERR_MISSING);
	assert_string_equal(err.said, "ssh_keys is missing");
	assert_int_equal(read_params(NULL, 0, &args), -ERR_MISSING);
}

#define REFUSED(name, text, sentence) \
	do { \
		struct everything_args args_; \
		assert_int_equal(READ(&args_, REQUIRED, PARAM(name, text)), -ERR_INVALID); \
		assert_string_equal(err.said, sentence); \
	} while (0)

static void bounds_and_their_sentences(void **state)
{
	(void)state;
	const char *number = "number takes a whole number from -5 to 100";
	REFUSED("number", "-6", number);
	REFUSED("number", "101", number);
	REFUSED("number", "1.0", number);
	REFUSED("number", "0x1", number);
	REFUSED("number", "99999999999999999999", number);
	REFUSED("snapshot", "a", "snapshot takes a text of 2 to 8 bytes");
	REFUSED("snapshot", "123456789", "snapshot takes a text of 2 to 8 bytes");
	REFUSED("disk", "1023", "disk takes a size such as 512M or 20G, of at least 1.0 KiB");
	REFUSED("disk", "2T", "disk takes a size such as 512M or 20G, of at least 1.0 KiB");
	REFUSED("disk", "much", "disk takes a size such as 512M or 20G, of at least 1.0 KiB");
	REFUSED("sticky", "2", "sticky takes 1 or 0");
	REFUSED("sticky", "TRUE", "sticky takes 1 or 0");
	REFUSED("blob", "12345678901234567", "blob takes a text of at most 16 bytes");
	REFUSED("newHostname", "bad name",
		"newHostname takes a host name (letters, digits, hyphens and dots) of at most 253 bytes");
	REFUSED("unbounded", "x",
		"unbounded takes a whole number from -9223372036854775808 to 9223372036854775807");
}

static void a_nul_is_refused_except_in_bytes(void **state)
{
	(void)state;
	REFUSED("newHostname", "web\0evil",
		"newHostname takes a host name (letters, digits, hyphens and dots) of at most 253 bytes");
	REFUSED("snapshot", "ab\0c", "snapshot takes a text of 2 to 8 bytes");
	REFUSED("number", "5\0", "number takes a whole number from -5 to 100");
	REFUSED("disk", "5G\0x", "disk takes a size such as 512M or 20G, of at least 1.0 KiB");
	REFUSED("sticky", "1\0x", "sticky takes 1 or 0");
	REFUSED("list", "a\0,b", "list takes JSON");
}

static void lists_of_records_are_no_parameters(void **state)
{
	(void)state;
	struct everything_args args;
	assert_int_equal(READ(&args, REQUIRED, PARAM("leaves", "[]")), -ERR_INTERNAL);
	assert_string_equal(err.said, "");
}

static void formats(void **state)
{
	(void)state;
	static const struct {
		const char *name, *good, *bad, *sentence;
	} cases[] = {
		{"hostname", "web-1.example.com", "-a",
			"a host name (letters, digits, hyphens and dots) of at most 255 bytes"},
		{"template", "debian-12-x86_64", "../x",
			"a template's name such as debian-12-x86_64 of at most 255 bytes"},
		{"identifier", "Plan.1", "a/b",
			"a name (letters, digits, dots, hyphens, underscores) of at most 255 bytes"},
		{"location", "USCA_1", "usca", "a location such as USCA_1"},
		{"email", "a@b.c", "a", "an email address"},
		{"ipv4", "192.0.2.1", "::1", "an IPv4 address"},
		{"ip", "2001:db8::1", "192.0.2", "an IP address"},
		{"type", "ovz", "xen", "kvm or ovz"},
		{"sha256", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "0123",
			"a SHA-256 checksum of 64 lower-case hex digits"},
		{"path", "/tmp/x", "tmp/x", "an absolute path of at most 255 bytes"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct formats_args args = {0};
		struct param param = {cases[i].name, cases[i].good, strlen(cases[i].good)};
		if (record_from_params(&rows[2].args, &param, 1, &arena, &args, &err) < 0)
			fail_msg("%s: %s", cases[i].name, err.message);
		param.value = cases[i].bad;
		param.value_len = strlen(cases[i].bad);
		assert_int_equal(
			record_from_params(&rows[2].args, &param, 1, &arena, &args, &err), -ERR_INVALID);
		char expected[200];
		text_format(expected, sizeof(expected), "%s takes %s", cases[i].name, cases[i].sentence);
		assert_string_equal(err.said, expected);
	}
}

int main(void)
{
#define TEST(test) cmocka_unit_test_teardown(test, empty_arena)
	const struct CMUnitTest tests[] = {
		TEST(absent_ones_have_their_defaults),
		TEST(all_kinds_are_read),
		TEST(names_without_case_and_underscore),
		TEST(the_exact_name_beats_a_loose_one_and_both_beat_the_alias),
		TEST(the_last_one_wins),
		TEST(unknown_ones_are_ignored),
		TEST(empty_ones_count_as_absent),
		TEST(missing_ones_are_named),
		TEST(bounds_and_their_sentences),
		TEST(a_nul_is_refused_except_in_bytes),
		TEST(lists_of_records_are_no_parameters),
		TEST(formats),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
