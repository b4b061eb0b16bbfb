/* The header of qcow2 files: what is accepted, and everything that must be refused before another program
 * sees the file. */
#include "support.h"
#include <endian.h>
#include <string.h>

enum { LEN = 512 };

static void put32(unsigned char *bytes, size_t at, uint32_t number)
{
	number = htobe32(number);
	memcpy(bytes + at, &number, sizeof(number));
}

static void put64(unsigned char *bytes, size_t at, uint64_t number)
{
	number = htobe64(number);
	memcpy(bytes + at, &number, sizeof(number));
}

static void good_header(unsigned char bytes[LEN])
{
	memset(bytes, 0, LEN);
	memcpy(bytes, "QFI\xfb", 4);
	put32(bytes, 4, 3);
	put32(bytes, 20, 16);
	put64(bytes, 24, 10 << 20);
	put32(bytes, 36, 1);
	put32(bytes, 100, 104);
}

static int check(const unsigned char *bytes, size_t len)
{
	int64_t size;
	return qcow2_check(bytes, len, &size, NULL);
}

static void test_good(void **state)
{
	(void)state;
	unsigned char bytes[LEN];
	int64_t size = 0;
	struct error err = {0};
	good_header(bytes);
	assert_ok(qcow2_check(bytes, LEN, &size, &err), err);
	assert_int_equal(size, 10 << 20);
	put32(bytes, 4, 2);
	put32(bytes, 100, 0);
	assert_ok(qcow2_check(bytes, LEN, &size, &err), err);
}

static void test_refused_fields(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint32_t number;
	} bad[] = {{0, 0x51464900}, {4, 1}, {4, 4}, {12, 300}, {8, 1}, {16, 20}, {20, 8}, {20, 22}, {28, 511},
		{32, 1}, {32, 2}, {36, 0xffffffff}, {60, 70000}, {76, 1}, {76, 2}, {76, 4}, {76, 32}, {72, 1},
		{100, 0}, {100, 0xffffffff}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unsigned char bytes[LEN];
		good_header(bytes);
		put32(bytes, bad[i].at, bad[i].number);
		if (check(bytes, LEN) >= 0)
			fail_msg("field at %zu with %u was accepted", bad[i].at, bad[i].number);
	}
}

static void test_refused_extensions(void **state)
{
	(void)state;
	static const uint32_t types[] = {0x44415441, 0xe2792aca, 0x0537be77};
	for (size_t i = 0; i < 3; i++) {
		unsigned char bytes[LEN];
		good_header(bytes);
		put32(bytes, 104, 0x6803f857); /* feature names: harmless */
		put32(bytes, 108, 3);
		assert_int_equal(check(bytes, LEN), 0);
		put32(bytes, 120, types[i]);
		put32(bytes, 124, 8);
		assert_int_equal(check(bytes, LEN), -ERR_INVALID);
	}
}

static void test_lengths_are_bounded(void **state)
{
	(void)state;
	unsigned char bytes[LEN];
	good_header(bytes);
	for (size_t len = 0; len < 112; len++)
		assert_int_equal(check(bytes, len), -ERR_INVALID);
	assert_int_equal(check(bytes, 112), 0);
	put32(bytes, 104, 7);
	put32(bytes, 108, 0xfffffff9);
	assert_int_equal(check(bytes, LEN), -ERR_INVALID);
}

static void test_too_large(void **state)
{
	(void)state;
	unsigned char bytes[LEN];
	good_header(bytes);
	put64(bytes, 24, (uint64_t)3 << 40);
	assert_int_equal(check(bytes, LEN), -ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_refused_fields),
		cmocka_unit_test(test_refused_extensions), cmocka_unit_test(test_lengths_are_bounded),
		cmocka_unit_test(test_too_large)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
