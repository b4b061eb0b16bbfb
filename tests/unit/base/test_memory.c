/* Buffers, arenas, ownership and randomness. */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "base/owned.h"
#include "base/random.h"
#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void an_empty_buffer_is_a_string(void **state)
{
	(void)state;
	owned_in(buffer_done) struct buffer buffer = BUFFER_INIT(0);
	assert_string_equal(buffer.data, "");
	buffer_clear(&buffer);
	buffer_add(&buffer, "", 0);
	assert_string_equal(buffer.data, "");
	owned_mem char *text = buffer_take(&buffer);
	assert_string_equal(text, "");
}

static void buffers_grow(void **state)
{
	(void)state;
	owned_in(buffer_done) struct buffer buffer = BUFFER_INIT(0);
	for (int i = 0; i < 10000; i++) {
		buffer_add_byte(&buffer, (char)('a' + i % 26));
		buffer_addf(&buffer, "%d", i % 10);
		buffer_add_text(&buffer, "-");
	}
	assert_int_equal(buffer.len, 30000);
	assert_int_equal(strlen(buffer.data), 30000);
	assert_memory_equal(buffer.data + 3 * 27, "b7-", 3);
	assert_false(buffer.overflowed);
}

static void over_the_maximum_is_noted_and_dropped(void **state)
{
	(void)state;
	owned_in(buffer_done) struct buffer buffer = BUFFER_INIT(8);
	buffer_add(&buffer, "12345678", 8);
	assert_false(buffer.overflowed);
	buffer_add_byte(&buffer, '9');
	assert_true(buffer.overflowed);
	assert_string_equal(buffer.data, "12345678");
	buffer_clear(&buffer);
	assert_false(buffer.overflowed);
	buffer_addf(&buffer, "%s", "123456789");
	assert_true(buffer.overflowed);
	buffer_add(&buffer, "1", 1);
	assert_string_equal(buffer.data, "");
	assert_null(buffer_reserve(&buffer, SIZE_MAX));
	assert_null(buffer_reserve(&buffer, 9));
	assert_non_null(buffer_reserve(&buffer, 8));
}

static void buffers_hold_nul_bytes(void **state)
{
	(void)state;
	owned_in(buffer_done) struct buffer buffer = BUFFER_INIT(0);
	buffer_add(&buffer, "a\0b", 3);
	assert_int_equal(buffer.len, 3);
	assert_memory_equal(buffer.data, "a\0b", 4);
	owned_mem char *taken = buffer_take(&buffer);
	assert_memory_equal(taken, "a\0b", 4);
	assert_int_equal(buffer.len, 0);
	assert_string_equal(buffer.data, "");
}

static void arena_memory_is_zeroed_aligned_and_stays(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	static const size_t sizes[] = {1, 15, 16, 17, 4000, 8192, 8193, 100000, 0, 3};
	unsigned char *places[ARRAY_LEN(sizes)];
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			places[i] = arena_alloc(&arena, sizes[i]);
			assert_int_equal((uintptr_t)places[i] % 16, 0);
			for (size_t k = 0; k < sizes[i]; k++)
				assert_int_equal(places[i][k], 0);
			memset(places[i], (int)i + 1, sizes[i]);
		}
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
			for (size_t k = 0; k < sizes[i]; k++)
				assert_int_equal(places[i][k], i + 1);
		arena_reset(&arena);
	}
}

static void arena_texts(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	assert_null(arena_strdup(&arena, NULL));
	assert_string_equal(arena_strdup(&arena, "abc"), "abc");
	assert_string_equal(arena_strndup(&arena, "abcdef", 3), "abc");
	assert_string_equal(arena_printf(&arena, "%s-%d", "x", 5), "x-5");
	assert_string_equal(arena_printf(&arena, "%s", ""), "");
	char big[20000];
	memset(big, 'y', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_string_equal(arena_printf(&arena, "%s", big), big);
}

static void take_clears(void **state)
{
	(void)state;
	owned_mem char *mine = mem_strdup("x");
	owned_mem char *yours = take(mine);
	assert_null(mine);
	assert_string_equal(yours, "x");
	assert_null(mem_strdup(NULL));
	owned_mem char *printed = mem_printf("%05d", 42);
	assert_string_equal(printed, "00042");
}

static void wiped_is_zero(void **state)
{
	(void)state;
	char secret[8] = "geheim!";
	mem_wipe(secret, sizeof(secret));
	for (size_t i = 0; i < sizeof(secret); i++)
		assert_int_equal(secret[i], 0);
	mem_wipe(NULL, 0);
}

/* 62 characters from 6,200 draws: that one is missing has a chance of 62 e^-100. */
static void random_texts_use_the_whole_alphabet(void **state)
{
	(void)state;
	char text[6201];
	random_text(text, 6200, TEXT_ALNUM);
	assert_int_equal(strlen(text), 6200);
	assert_true(text_only(text, TEXT_ALNUM));
	for (const char *at = TEXT_ALNUM; *at; at++)
		assert_non_null(strchr(text, *at));
	char first[33], second[33];
	random_text(first, 32, TEXT_ALNUM);
	random_text(second, 32, TEXT_ALNUM);
	assert_string_not_equal(first, second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buffer_is_a_string),
		cmocka_unit_test(buffers_grow),
		cmocka_unit_test(over_the_maximum_is_noted_and_dropped),
		cmocka_unit_test(buffers_hold_nul_bytes),
		cmocka_unit_test(arena_memory_is_zeroed_aligned_and_stays),
		cmocka_unit_test(arena_texts),
		cmocka_unit_test(take_clears),
		cmocka_unit_test(wiped_is_zero),
		cmocka_unit_test(random_texts_use_the_whole_alphabet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
