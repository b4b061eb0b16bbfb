/* The writer against what PHP's json_encode prints for the same value. */
#include "base/owned.h"
#include "json/reader.h"
#include "json/writer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#define EXPECT_TEXT(bytes, expected) expect_text(bytes, sizeof(bytes) - 1, expected)

static void expect_text(const char *bytes, size_t len, const char *expected)
{
	owned_in(buffer_done) struct buffer out = BUFFER_INIT(0);
	struct json_writer writer = JSON_WRITER(&out);
	json_add_bytes(&writer, NULL, bytes, len);
	assert_string_equal(out.data, expected);
}

static void escapes(void **state)
{
	(void)state;
	EXPECT_TEXT("", "\"\"");
	EXPECT_TEXT("plain text", "\"plain text\"");
	EXPECT_TEXT("/proc/loadavg", "\"\\/proc\\/loadavg\"");
	EXPECT_TEXT("a\"b\\c", "\"a\\\"b\\\\c\"");
	EXPECT_TEXT("\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"");
	EXPECT_TEXT("\x01\x1f\x0b", "\"\\u0001\\u001f\\u000b\"");
	EXPECT_TEXT("a\0b", "\"a\\u0000b\"");
	EXPECT_TEXT("\x7f", "\"\x7f\"");
	EXPECT_TEXT("<>&'", "\"<>&'\"");
}

static void unicode(void **state)
{
	(void)state;
	EXPECT_TEXT("\xc3\xa4", "\"\\u00e4\"");
	EXPECT_TEXT("\xe2\x82\xac!", "\"\\u20ac!\"");
	EXPECT_TEXT("\xf0\x9f\x98\x80", "\"\\ud83d\\ude00\"");
	EXPECT_TEXT("\xef\xbf\xbf", "\"\\uffff\"");
	EXPECT_TEXT("\xf4\x8f\xbf\xbf", "\"\\udbff\\udfff\"");
}

static void what_is_no_utf8_becomes_the_replacement(void **state)
{
	(void)state;
	EXPECT_TEXT("\x80", "\"\\ufffd\"");
	EXPECT_TEXT("a\xff"
		    "b",
		"\"a\\ufffdb\"");
	EXPECT_TEXT("\xc0\xaf", "\"\\ufffd\\ufffd\"");
	EXPECT_TEXT("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");
	EXPECT_TEXT("\xf5\x80\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
	EXPECT_TEXT("\xe2\x82", "\"\\ufffd\\ufffd\"");
	EXPECT_TEXT("\xe2\"x", "\"\\ufffd\\\"x\"");
	EXPECT_TEXT("\xf0\x9f\x98", "\"\\ufffd\\ufffd\\ufffd\"");
}

static void values_and_commas(void **state)
{
	(void)state;
	owned_in(buffer_done) struct buffer out = BUFFER_INIT(0);
	struct json_writer writer = JSON_WRITER(&out);
	json_open_object(&writer, NULL);
	json_add_int(&writer, "error", 0);
	json_add_text(&writer, "a/b", "x");
	json_add_text(&writer, "none", NULL);
	json_add_bool(&writer, "yes", true);
	json_add_bool(&writer, "no", false);
	json_add_null(&writer, "null");
	json_open_array(&writer, "list");
	json_add_int(&writer, NULL, 1);
	json_open_object(&writer, NULL);
	json_close_object(&writer);
	json_open_array(&writer, NULL);
	json_close_array(&writer);
	json_add_text(&writer, NULL, "z");
	json_close_array(&writer);
	json_add_raw(&writer, "raw", "[]", 2);
	json_open_object(&writer, "empty");
	json_close_object(&writer);
	json_close_object(&writer);
	assert_string_equal(out.data, "{\"error\":0,\"a\\/b\":\"x\",\"none\":null,\"yes\":true,\"no\":false,"
				      "\"null\":null,\"list\":[1,{},[],\"z\"],\"raw\":[],\"empty\":{}}");
}

static void quoted_keys(void **state)
{
	(void)state;
	owned_in(buffer_done) struct buffer out = BUFFER_INIT(0);
	struct json_writer writer = JSON_WRITER(&out);
	json_open_object(&writer, NULL);
	json_add_key(&writer, "\"a\":", 4);
	json_add_int(&writer, NULL, 1);
	json_add_key(&writer, "\"b\":", 4);
	json_open_array(&writer, NULL);
	json_add_text(&writer, NULL, "x");
	json_add_text(&writer, NULL, "y");
	json_close_array(&writer);
	json_add_key(&writer, "\"c\":", 4);
	json_add_bytes(&writer, NULL, NULL, 0);
	json_add_text(&writer, "d", NULL);
	json_close_object(&writer);
	assert_string_equal(out.data, "{\"a\":1,\"b\":[\"x\",\"y\"],\"c\":\"\",\"d\":null}");
}

static void numbers(void **state)
{
	(void)state;
	owned_in(buffer_done) struct buffer out = BUFFER_INIT(0);
	struct json_writer writer = JSON_WRITER(&out);
	json_open_array(&writer, NULL);
	json_add_int(&writer, NULL, 2147483648000);
	json_add_int(&writer, NULL, INT64_MIN);
	json_add_int(&writer, NULL, INT64_MAX);
	json_add_int(&writer, NULL, -1);
	json_close_array(&writer);
	assert_string_equal(out.data, "[2147483648000,-9223372036854775808,9223372036854775807,-1]");
}

/* Whatever bytes go in, JSON comes out, and it is one line of ASCII. */
static void every_pair_of_bytes_is_json(void **state)
{
	(void)state;
	owned_in(buffer_done) struct buffer out = BUFFER_INIT(0);
	for (unsigned first = 0; first < 256; first++) {
		for (unsigned second = 0; second < 256; second++) {
			char bytes[] = {(char)first, (char)second, 'x'};
			buffer_clear(&out);
			struct json_writer writer = JSON_WRITER(&out);
			json_add_bytes(&writer, NULL, bytes, sizeof(bytes));
			for (size_t i = 0; i < out.len; i++)
				assert_true(out.data[i] >= 0x20);
			owned(json_free) struct json *json = NULL;
			assert_int_equal(json_parse(out.data, out.len, &json, NULL), 0);
			size_t len = json_text_len(json);
			assert_int_equal(json_text(json, "")[len - 1], 'x');
		}
	}
}

static void an_overflow_is_noted(void **state)
{
	(void)state;
	owned_in(buffer_done) struct buffer out = BUFFER_INIT(10);
	struct json_writer writer = JSON_WRITER(&out);
	json_open_object(&writer, NULL);
	json_add_text(&writer, "key", "a long value");
	assert_true(out.overflowed);
	assert_true(out.len <= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes),
		cmocka_unit_test(unicode),
		cmocka_unit_test(what_is_no_utf8_becomes_the_replacement),
		cmocka_unit_test(values_and_commas),
		cmocka_unit_test(quoted_keys),
		cmocka_unit_test(numbers),
		cmocka_unit_test(every_pair_of_bytes_is_json),
		cmocka_unit_test(an_overflow_is_noted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
