/* Rows read from JSON, as the node protocol and the admin socket carry them. */
#include "rows.h"
#include "base/owned.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#define ROWS_FILE "rows.def"
#define ROWS_TABLE rows
#include "schema/tables.inc"

static int read_json(
	const struct record *record, const char *text, struct arena *arena, void *ret, struct error *err)
{
	owned(json_free) struct json *json = NULL;
	memset(ret, 0, record->size);
	*err = (struct error){0};
	if (json_parse(text, strlen(text), &json, err) < 0)
		fail_msg("%s", err->message);
	return record_from_json(record, json, arena, ret, err);
}

/* The texts must outlive the document they came from. */
static void parameters_of_every_kind(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct everything_args args;
	struct error err;
	const char *text = "{\"newHostname\":\"web\",\"ssh_keys\":\"k\",\"blob\":\"a\\u0000b\",\"number\":7,"
			   "\"disk\":\"2G\",\"sticky\":false,\"off\":\"1\",\"list\":[\"a\",\"b,c\"],"
			   "\"leaves\":[{\"name\":\"l1\",\"count\":3},{\"name\":\"l2\"}],\"unknown\":{}}";
	if (read_json(&rows[0].args, text, &arena, &args, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(args.newHostname, "web");
	assert_string_equal(args.ssh_keys, "k");
	assert_int_equal(args.blob.len, 3);
	assert_memory_equal(args.blob.data, "a\0b", 3);
	assert_int_equal(args.number, 7);
	assert_int_equal(args.disk, 2ll << 30);
	assert_false(args.sticky);
	assert_true(args.off);
	assert_int_equal(args.list.count, 2);
	assert_string_equal(args.list.items[1], "b,c");
	assert_int_equal(args.leaves.count, 2);
	assert_string_equal(args.leaves.items[0].name, "l1");
	assert_int_equal(args.leaves.items[0].count, 3);
	assert_int_equal(args.leaves.items[1].count, FIELD_ABSENT);
	assert_null(args.snapshot);
}

static void what_was_written_is_read_again(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	owned_in(buffer_done) struct buffer out = BUFFER_INIT(0);
	struct leaf_record leaves[] = {{"x", 1}};
	struct everything_args before = {.newHostname = "web",
		.ssh_keys = "a\nb\"\\\xc3\xa4",
		.blob = {"\0\x01\x7f", 3},
		.number = -5,
		.unbounded = INT64_MAX,
		.disk = 1024,
		.off = true,
		.maybe = FIELD_ABSENT,
		.leaves = {leaves, 1}};
	struct json_writer writer = JSON_WRITER(&out);
	json_open_object(&writer, NULL);
	record_write(&rows[0].args, &before, &writer);
	json_close_object(&writer);
	/* An absent text travels as "", which snapshot, of two bytes and more, does not take. */
	owned_mem char *text = mem_strdup(out.data);
	char *snapshot = strstr(text, "\"snapshot\":\"\"");
	assert_non_null(snapshot);
	memcpy(snapshot, "\"ignored\":   ", strlen("\"snapshot\":"));
	memcpy(snapshot + strlen("\"snapshot\":"), "\"\"", 2);
	struct everything_args after;
	struct error err;
	if (read_json(&rows[0].args, text, &arena, &after, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(after.ssh_keys, before.ssh_keys);
	assert_int_equal(after.blob.len, 3);
	assert_memory_equal(after.blob.data, before.blob.data, 3);
	assert_int_equal(after.number, -5);
	assert_int_equal(after.unbounded, INT64_MAX);
	assert_false(after.sticky);
	assert_true(after.off);
	assert_int_equal(after.maybe, FIELD_ABSENT);
	assert_int_equal(after.leaves.items[0].count, 1);
}

static void refusals(void **state)
{
	(void)state;
	static const struct {
		const char *text, *said;
		int code;
	} cases[] = {
		{"[]", "a JSON object is expected", ERR_INVALID},
		{"5", "a JSON object is expected", ERR_INVALID},
		{"{}", "newHostname is missing", ERR_MISSING},
		{"{\"newHostname\":null,\"ssh_keys\":\"\"}", "newHostname is missing", ERR_MISSING},
		{"{\"newHostname\":\"web\",\"ssh_keys\":{}}", "ssh_keys takes a text of at most 65536 bytes",
			ERR_INVALID},
		{"{\"newHostname\":[\"web\"],\"ssh_keys\":\"\"}",
			"newHostname takes a host name (letters, digits, hyphens and dots) of at most 253 "
			"bytes",
			ERR_INVALID},
		{"{\"newHostname\":\"w\\u0000x\",\"ssh_keys\":\"\"}",
			"newHostname takes a host name (letters, digits, hyphens and dots) of at most 253 "
			"bytes",
			ERR_INVALID},
		{"{\"newHostname\":\"web\",\"ssh_keys\":\"\",\"number\":101}",
			"number takes a whole number from -5 to 100", ERR_INVALID},
		{"{\"newHostname\":\"web\",\"ssh_keys\":\"\",\"number\":1.5}",
			"number takes a whole number from -5 to 100", ERR_INVALID},
		{"{\"newHostname\":\"web\",\"ssh_keys\":\"\",\"sticky\":7}", "sticky takes 1 or 0",
			ERR_INVALID},
		{"{\"newHostname\":\"web\",\"ssh_keys\":\"\",\"leaves\":[5]}", "a JSON object is expected",
			ERR_INVALID},
		{"{\"newHostname\":\"web\",\"ssh_keys\":\"\",\"leaves\":[{}]}", "name is missing",
			ERR_MISSING},
		{"{\"newHostname\":\"web\",\"ssh_keys\":\"\",\"leaves\":\"x\"}", "leaves takes JSON",
			ERR_INVALID},
		{"{\"newHostname\":\"web\",\"ssh_keys\":\"\",\"list\":[5]}", "list takes JSON", ERR_INVALID},
		{"{\"newHostname\":\"web\",\"ssh_keys\":\"\",\"list\":{}}", "list takes JSON", ERR_INVALID},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		owned_in(arena_done) struct arena arena = ARENA_INIT;
		struct everything_args args;
		struct error err;
		if (read_json(&rows[0].args, cases[i].text, &arena, &args, &err) != -cases[i].code)
			fail_msg("%s: %d %s", cases[i].text, err.code, err.message);
		assert_string_equal(err.said, cases[i].said);
	}
}

/* Only exact names: both sides are ours. */
static void names_are_exact(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct everything_args args;
	struct error err;
	assert_int_equal(
		read_json(&rows[0].args, "{\"NewHostname\":\"web\",\"ssh_keys\":\"\"}", &arena, &args, &err),
		-ERR_MISSING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_of_every_kind),
		cmocka_unit_test(what_was_written_is_read_again),
		cmocka_unit_test(refusals),
		cmocka_unit_test(names_are_exact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
