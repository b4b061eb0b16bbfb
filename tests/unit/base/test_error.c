/* The error convention: what is written, what a customer may read of it, and that a caller may want no words.
 */
#include "base/error.h"
#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

static void set_says_nothing_to_the_customer(void **state)
{
	(void)state;
	struct error err = {0};
	assert_int_equal(err_set(&err, ERR_NOT_FOUND, "no VPS %u", 7u), -ERR_NOT_FOUND);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_string_equal(err.message, "no VPS 7");
	assert_string_equal(err.said, "");
	assert_string_equal(err_text(&err), "no VPS 7");
}

static void say_is_for_both(void **state)
{
	(void)state;
	struct error err = {0};
	assert_int_equal(err_say(&err, ERR_INVALID, "%s takes 1 or 0", "sticky"), -ERR_INVALID);
	assert_string_equal(err.message, "sticky takes 1 or 0");
	assert_string_equal(err.said, "sticky takes 1 or 0");
}

static void a_later_error_forgets_what_was_said(void **state)
{
	(void)state;
	struct error err = {0};
	err_say(&err, ERR_INVALID, "safe");
	err_set(&err, ERR_IO, "/secret/path");
	assert_string_equal(err.said, "");
}

static void wrap_adds_context_and_keeps_the_rest(void **state)
{
	(void)state;
	struct error err = {0};
	err_say(&err, ERR_CAPACITY, "disk full");
	assert_int_equal(err_wrap(&err, "creating %s", "disk.raw"), -ERR_CAPACITY);
	assert_string_equal(err.message, "creating disk.raw: disk full");
	assert_string_equal(err.said, "disk full");
	assert_string_equal(err_text(&err), "disk full");
}

static void errno_picks_the_code(void **state)
{
	(void)state;
	static const struct {
		int number, code;
	} rows[] = {{ENOENT, ERR_NOT_FOUND}, {EEXIST, ERR_EXISTS}, {EACCES, ERR_DENIED},
		{ENOSPC, ERR_CAPACITY}, {EDQUOT, ERR_CAPACITY}, {ETIMEDOUT, ERR_TIMEOUT},
		{ECONNREFUSED, ERR_UNAVAILABLE}, {ENOSYS, ERR_UNSUPPORTED}, {EIO, ERR_IO}, {EBADF, ERR_IO}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = {0};
		assert_int_equal(err_errno(&err, rows[i].number, "open %s", "x"), -rows[i].code);
		assert_true(text_starts(err.message, "open x: "));
		assert_true(text_ends(err.message, strerror(rows[i].number)));
		assert_string_equal(err.said, "");
	}
}

static void words_may_be_unwanted(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ERR_IO, "x"), -ERR_IO);
	assert_int_equal(err_say(NULL, ERR_EXISTS, "x"), -ERR_EXISTS);
	assert_int_equal(err_errno(NULL, ENOENT, "x"), -ERR_NOT_FOUND);
	assert_true(err_wrap(NULL, "x") < 0);
}

static void long_messages_are_cut(void **state)
{
	(void)state;
	struct error err = {0};
	char big[2000];
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	err_say(&err, ERR_IO, "%s", big);
	assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
	assert_int_equal(strlen(err.said), sizeof(err.said) - 1);
	for (int i = 0; i < 3; i++)
		err_wrap(&err, "%.300s", big);
	assert_int_equal(strnlen(err.message, sizeof(err.message)), sizeof(err.message) - 1);
	err_errno(&err, EIO, "%s", big);
	assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
}

static void code_names_go_both_ways(void **state)
{
	(void)state;
	for (int code = 1; code <= ERR_INTERNAL; code++)
		assert_int_equal(err_code_from_name(err_code_name(code)), code);
	assert_string_equal(err_code_name(ERR_NOT_FOUND), "not_found");
	assert_string_equal(err_code_name(-1), "internal");
	assert_string_equal(err_code_name(10000), "internal");
	assert_int_equal(err_code_from_name("nonsense"), ERR_INTERNAL);
	assert_int_equal(err_code_from_name("none"), ERR_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_says_nothing_to_the_customer),
		cmocka_unit_test(say_is_for_both),
		cmocka_unit_test(a_later_error_forgets_what_was_said),
		cmocka_unit_test(wrap_adds_context_and_keeps_the_rest),
		cmocka_unit_test(errno_picks_the_code),
		cmocka_unit_test(words_may_be_unwanted),
		cmocka_unit_test(long_messages_are_cut),
		cmocka_unit_test(code_names_go_both_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
