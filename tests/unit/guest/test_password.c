/* Passwords and their hashes. */
#include "base/text.h"
#include "guest/guest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <crypt.h>
#include <string.h>

static void a_hash_accepts_its_password_only(void **state)
{
	(void)state;
	char hash[128];
	struct crypt_data data = {0};
	assert_int_equal(password_hash("Ab3dEf5hJk7m", hash, NULL), 0);
	assert_true(text_starts(hash, "$6$"));
	assert_string_equal(crypt_r("Ab3dEf5hJk7m", hash, &data), hash);
	assert_string_not_equal(crypt_r("Ab3dEf5hJk7n", hash, &data), hash);
}

static void salts_differ(void **state)
{
	(void)state;
	char first[128], second[128];
	assert_int_equal(password_hash("same", first, NULL), 0);
	assert_int_equal(password_hash("same", second, NULL), 0);
	assert_string_not_equal(first, second);
}

static void bad_passwords_are_refused(void **state)
{
	(void)state;
	char hash[128], endless[200];
	struct error err = {0};
	memset(endless, 'a', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	const char *const bad[] = {"", "a\nroot:b", "tab\t", "\x7f", endless};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(password_hash(bad[i], hash, &err), -ERR_INVALID);
		assert_true(err.said[0]);
	}
}

static void made_passwords_are_clear(void **state)
{
	(void)state;
	char first[13], second[13];
	password_make(first);
	password_make(second);
	assert_int_equal(strlen(first), 12);
	assert_true(text_only(first, TEXT_ALNUM));
	assert_null(strpbrk(first, "0O1lI"));
	assert_string_not_equal(first, second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hash_accepts_its_password_only),
		cmocka_unit_test(salts_differ),
		cmocka_unit_test(bad_passwords_are_refused),
		cmocka_unit_test(made_passwords_are_clear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
