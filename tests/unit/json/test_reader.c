/* What the reader takes and what it refuses. */
#include "base/memory.h"
#include "json/reader.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static struct json *parse(const char *text)
{
	struct json *json = NULL;
	struct error err = {0};
	if (json_parse(text, strlen(text), &json, &err) < 0)
		fail_msg("%s: %s", text, err.message);
	return json;
}

static void members(void **state)
{
	(void)state;
	owned(json_free) struct json *json = parse(
		"{\"text\":\"a\\/b\",\"int\":-7,\"yes\":true,\"null\":null,\"list\":[1,\"x\"],\"real\":1.5}");
	assert_true(json_is_object(json));
	assert_string_equal(json_get_text(json, "text", "no"), "a/b");
	assert_int_equal(json_get_int(json, "int", 0), -7);
	assert_true(json_get_bool(json, "yes", false));
	assert_true(json_is_null(json_get(json, "null")));
	assert_true(json_is_null(json_get(json, "absent")));
	assert_int_equal(json_count(json_get(json, "list")), 2);
	assert_string_equal(json_text(json_at(json_get(json, "list"), 1), ""), "x");
	assert_null(json_at(json_get(json, "list"), 2));
	assert_false(json_is_int(json_get(json, "real")));
}

static void another_type_is_the_fallback(void **state)
{
	(void)state;
	owned(json_free) struct json *json = parse("{\"text\":5,\"int\":\"5\",\"bool\":1,\"list\":{}}");
	assert_string_equal(json_get_text(json, "text", "fallback"), "fallback");
	assert_int_equal(json_get_int(json, "int", -1), -1);
	assert_true(json_get_bool(json, "bool", true));
	assert_int_equal(json_count(json_get(json, "list")), 0);
	assert_null(json_get(json_get(json, "int"), "x"));
	assert_null(json_get(NULL, "x"));
	assert_int_equal(json_text_len(json_get(json, "text")), 0);
}

static void refusals(void **state)
{
	(void)state;
	static const char *const bad[] = {"", " ", "{", "{\"a\":1", "{\"a\":1}}", "{\"a\":1} x",
		"{\"a\":1,\"a\":2}", "{a:1}", "[1,]", "{\"a\":1,}", "'x'", "nul", "01", "+1", "1e999",
		"99999999999999999999", "\"\\x\"", "\"\\ud800\"", "\"a\nb\"", "\"\xff\"", "\"\xc0\xaf\"",
		"{\"a\\u0000b\":1}", "[1 2]", "NaN", "/**/1"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct json *json = NULL;
		struct error err = {0};
		if (json_parse(bad[i], strlen(bad[i]), &json, &err) != -ERR_INVALID)
			fail_msg("taken: %s", bad[i]);
		assert_null(json);
		assert_string_equal(err.said, "");
	}
}

static void depth_is_bounded(void **state)
{
	(void)state;
	enum { DEPTH = 100000 };
	owned_mem char *text = mem_alloc(1, DEPTH + 1);
	memset(text, '[', DEPTH);
	struct json *json = NULL;
	assert_int_equal(json_parse(text, DEPTH, &json, NULL), -ERR_INVALID);
}

static void a_nul_is_kept(void **state)
{
	(void)state;
	owned(json_free) struct json *json = parse("\"a\\u0000b\"");
	assert_int_equal(json_text_len(json), 3);
	assert_memory_equal(json_text(json, ""), "a\0b", 4);
	struct json *none = NULL;
	assert_int_equal(json_parse("1\0002", 3, &none, NULL), -ERR_INVALID);
}

static void add_key(void *context, const char *key, const struct json *value)
{
	char *keys = context;
	strcat(keys, key);
	strcat(keys, json_is_int(value) ? "i" : "o");
}

static void each_keeps_the_order(void **state)
{
	(void)state;
	char keys[64] = "";
	owned(json_free) struct json *json = parse("{\"z\":1,\"a\":2,\"m\":\"x\",\"b\":{}}");
	json_each(json, add_key, keys);
	assert_string_equal(keys, "ziaimobo");
	owned(json_free) struct json *list = parse("[1]");
	json_each(list, add_key, keys);
	json_each(NULL, add_key, keys);
	assert_string_equal(keys, "ziaimobo");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members),
		cmocka_unit_test(another_type_is_the_fallback),
		cmocka_unit_test(refusals),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(a_nul_is_kept),
		cmocka_unit_test(each_keeps_the_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
