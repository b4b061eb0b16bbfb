/* Rows become structs, tables, handlers and JSON. */
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
#define ROWS_HANDLER(id) test_##id
#include "schema/tables.inc"

int test_everything(struct tester *tester, const struct everything_args *args, struct everything_reply *reply,
	struct error *err)
{
	(void)err;
	tester->calls++;
	reply->text = args->newHostname;
	return 0;
}

int test_nothing(struct tester *tester, const struct nothing_args *args, struct nothing_reply *reply,
	struct error *err)
{
	(void)tester, (void)args, (void)reply;
	return err_say(err, ERR_UNSUPPORTED, "nothing");
}

int test_formats(struct tester *tester, const struct formats_args *args, struct formats_reply *reply,
	struct error *err)
{
	(void)tester, (void)args, (void)reply, (void)err;
	return 0;
}

static void tables_say_what_the_rows_say(void **state)
{
	(void)state;
	assert_int_equal(ARRAY_LEN(rows), 3);
	const struct call_row *row = &rows[0];
	assert_string_equal(row->name, "everything");
	assert_string_equal(row->wire, "every/thing");
	assert_int_equal(row->options.points, 3);
	assert_int_equal(row->options.flags, CALL_CHANGES | CALL_NODE);
	assert_int_equal(row->options.timeout_ms, 7);
	assert_string_equal(row->options.doc, "All kinds.");
	assert_int_equal(row->args.count, 12);
	assert_int_equal(row->reply.count, 15);
	assert_int_equal(row->args.size, sizeof(struct everything_args));
	assert_string_equal(row->args.fields[0].name, "newHostname");
	assert_int_equal(row->args.fields[4].options.fallback, 42);
	assert_string_equal(field_wire(&row->reply.fields[6]), "is-ready");
	assert_int_equal(row->args.fields[11].type, FIELD_LIST);
	assert_int_equal(row->reply.fields[13].type, FIELD_SPREAD);
	assert_int_equal(rows[1].args.count, 0);
	assert_int_equal(rows[1].reply.count, 0);
}

static void rows_are_found_by_their_exact_name(void **state)
{
	(void)state;
	assert_ptr_equal(call_row_find(rows, ARRAY_LEN(rows), "every/thing"), &rows[0]);
	assert_ptr_equal(call_row_find(rows, ARRAY_LEN(rows), "formats"), &rows[2]);
	static const char *const none[] = {
		"", "everything", "Every/thing", "every/thing/", "nothin", "nothing2"};
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_null(call_row_find(rows, ARRAY_LEN(rows), none[i]));
}

static void handlers_are_reached_through_the_row(void **state)
{
	(void)state;
	struct tester tester = {0};
	struct everything_args args = {.newHostname = "web"};
	struct everything_reply reply = {0};
	struct error err = {0};
	assert_int_equal(rows[0].run(&tester, &args, &reply, &err), 0);
	assert_int_equal(tester.calls, 1);
	assert_string_equal(reply.text, "web");
	assert_int_equal(rows[1].run(&tester, &args, &reply, &err), -ERR_UNSUPPORTED);
}

static void expect_reply(const struct everything_reply *reply, const char *expected)
{
	owned_in(buffer_done) struct buffer out = BUFFER_INIT(0);
	struct json_writer writer = JSON_WRITER(&out);
	json_open_object(&writer, NULL);
	record_write(&rows[0].reply, reply, &writer);
	json_close_object(&writer);
	assert_string_equal(out.data, expected);
}

static void a_full_reply_in_the_order_of_the_rows(void **state)
{
	(void)state;
	struct leaf_record leaves[] = {{"l1", 1}, {"l2", FIELD_ABSENT}};
	struct branch_record branches[] = {
		{.label = "b", .lit = true, .leaves = {leaves, 2}}, {.label = "c"}};
	const char *names[] = {"x/y", "\xc3\xa4"};
	struct field_pair pairs[] = {{"192.0.2.1", NULL}, {"2001:db8::", ""}};
	struct everything_reply reply = {.error = 0,
		.text = "t",
		.perhaps = "p",
		.output = {"a\0b", 3},
		.port = 22,
		.bytes = 1ll << 40,
		.ready = true,
		.names = {names, 2},
		.ptr = {pairs, 2},
		.raw = "[]",
		.branches = {branches, 2},
		.one = {"o", 5},
		.none = {"n", 6},
		.spread = {"s", 7},
		.missing = {.label = "m"}};
	expect_reply(&reply,
		"{\"error\":0,\"text\":\"t\",\"perhaps\":\"p\",\"output\":\"a\\u0000b\",\"port\":22,"
		"\"bytes\":1099511627776,\"is-ready\":true,\"names\":[\"x\\/y\",\"\\u00e4\"],"
		"\"ptr\":{\"192.0.2.1\":null,\"2001:db8::\":\"\"},\"raw\":[],"
		"\"branches\":[{\"label\":\"b\",\"is-lit\":true,\"leaves\":[{\"name\":\"l1\",\"count\":1},"
		"{\"name\":\"l2\"}]},{\"label\":\"c\",\"is-lit\":false,\"leaves\":[]}],"
		"\"one\":{\"name\":\"o\",\"count\":5},\"none\":{\"name\":\"n\",\"count\":6},"
		"\"name\":\"s\",\"count\":7,\"label\":\"m\",\"is-lit\":false,\"leaves\":[]}");
}

static void an_empty_reply_has_no_null(void **state)
{
	(void)state;
	struct everything_reply reply = {.port = FIELD_ABSENT, .raw = "{}"};
	expect_reply(&reply,
		"{\"error\":0,\"text\":\"\",\"output\":\"\",\"bytes\":0,\"is-ready\":false,\"names\":[],"
		"\"ptr\":{},\"raw\":{},\"branches\":[],\"one\":{\"name\":\"\",\"count\":0},"
		"\"name\":\"\",\"count\":0}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_say_what_the_rows_say),
		cmocka_unit_test(rows_are_found_by_their_exact_name),
		cmocka_unit_test(handlers_are_reached_through_the_row),
		cmocka_unit_test(a_full_reply_in_the_order_of_the_rows),
		cmocka_unit_test(an_empty_reply_has_no_null),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
