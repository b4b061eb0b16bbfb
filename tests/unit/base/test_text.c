/* Texts and numbers as people and the wire write them. */
#include "base/text.h"
#include "base/memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void equality_knows_null(void **state)
{
	(void)state;
	assert_true(text_equal("a", "a"));
	assert_false(text_equal("a", "b"));
	assert_false(text_equal(NULL, "a"));
	assert_false(text_equal("a", NULL));
	assert_true(text_equal(NULL, NULL));
}

static void beginnings_and_ends(void **state)
{
	(void)state;
	assert_true(text_starts("unix:/x", "unix:"));
	assert_false(text_starts("un", "unix:"));
	assert_true(text_ends("a.tar.gz", ".gz"));
	assert_false(text_ends("gz", ".gz"));
	assert_true(text_ends("x", ""));
}

static void copies_fit_or_are_empty(void **state)
{
	(void)state;
	char place[4] = "xyz";
	assert_true(text_copy(place, sizeof(place), "abc"));
	assert_string_equal(place, "abc");
	assert_false(text_copy(place, sizeof(place), "abcd"));
	assert_string_equal(place, "");
	assert_true(text_format(place, sizeof(place), "%d", 123));
	assert_string_equal(place, "123");
	assert_false(text_format(place, sizeof(place), "%d", 1234));
	assert_string_equal(place, "");
}

static void whole_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t number;
	} good[] = {{"0", 0}, {"007", 7}, {"-5", -5}, {"9223372036854775807", INT64_MAX},
		{"-9223372036854775808", INT64_MIN}};
	static const char *const bad[] = {
		"", "-", "+5", " 5", "5 ", "5x", "0x10", "1e3", "5.0", "9223372036854775808", "--5"};
	int64_t number;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(text_to_int64(good[i].text, INT64_MIN, INT64_MAX, &number));
		assert_int_equal(number, good[i].number);
	}
	number = 42;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(text_to_int64(bad[i], INT64_MIN, INT64_MAX, &number));
	assert_false(text_to_int64("0", 1, 10, &number));
	assert_false(text_to_int64("11", 1, 10, &number));
	assert_int_equal(number, 42);
	assert_true(text_to_int64("10", 1, 10, &number));
}

static void sizes(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {{"0", 0}, {"512", 512}, {"1K", 1024}, {"512M", 512ull << 20}, {"20G", 20ull << 30},
		{"20g", 20ull << 30}, {"1.5T", 3ull << 39}, {"1GiB", 1ull << 30}, {"1GB", 1ull << 30},
		{"7B", 7}, {"1P", 1ull << 50}, {"9000000000000000", 9000000000000000ull}};
	static const char *const bad[] = {"", "G", "-1G", "+1G", " 1G", "1 G", "1X", "1GG", "1Gi", "0x10",
		"1e3", "1e3G", "1.5.5G", "nan", "inf", "1P1", "9P1P", "99999999999999999999", "1G\n", ".5G",
		".", "0 ", "0\x20G"};
	uint64_t bytes;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (!text_to_bytes(good[i].text, &bytes))
			fail_msg("%s is refused", good[i].text);
		assert_int_equal(bytes, good[i].bytes);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (text_to_bytes(bad[i], &bytes))
			fail_msg("\"%s\" is taken", bad[i]);
}

static void sizes_for_people(void **state)
{
	(void)state;
	char place[24];
	assert_string_equal(text_bytes(0, place), "0 B");
	assert_string_equal(text_bytes(1023, place), "1023 B");
	assert_string_equal(text_bytes(1536, place), "1.5 KiB");
	assert_string_equal(text_bytes(20ull << 30, place), "20 GiB");
	assert_string_equal(text_bytes(UINT64_MAX, place), "16384 PiB");
}

static void hex(void **state)
{
	(void)state;
	char place[7];
	text_hex("\x00\xfa\x10", 3, place);
	assert_string_equal(place, "00fa10");
	text_hex("", 0, place);
	assert_string_equal(place, "");
}

static void allowed_bytes(void **state)
{
	(void)state;
	assert_true(text_only("abc09", TEXT_LOWER TEXT_DIGITS));
	assert_true(text_only("", TEXT_LOWER));
	assert_false(text_only("abC", TEXT_LOWER));
}

static void utf8(void **state)
{
	(void)state;
	static const char *const good[] = {"", "abc", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
		"\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\x80", "\xc3", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf",
		"\xed\xa0\x80", "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
		"a\xe2\x82", "\xe2\x28\xa1"};
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(text_is_utf8(good[i], strlen(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (text_is_utf8(bad[i], strlen(bad[i])))
			fail_msg("bad sequence %zu is taken", i);
	assert_true(text_is_utf8("a\0b", 3));
	assert_false(text_is_utf8("\xe2\x82\xac", 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equality_knows_null),
		cmocka_unit_test(beginnings_and_ends),
		cmocka_unit_test(copies_fit_or_are_empty),
		cmocka_unit_test(whole_numbers),
		cmocka_unit_test(sizes),
		cmocka_unit_test(sizes_for_people),
		cmocka_unit_test(hex),
		cmocka_unit_test(allowed_bytes),
		cmocka_unit_test(utf8),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
