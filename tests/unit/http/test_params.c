/* The parser of urlencoded text, on its own and over the fuzzer's corpus. */
#include "client.h"
#include "base/fd.h"
#include "base/memory.h"
#include "http/internal.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *text, *expected;
} cases[] = {
	{"", ""},
	{"a=1", "a=1;"},
	{"a=1&b=2", "a=1;b=2;"},
	{"&&a=1&&&b=2&", "a=1;b=2;"},
	{"a", "a=;"},
	{"a=", "a=;"},
	{"=1", "=1;"},
	{"=", "=;"},
	{"a=b=c", "a=b=c;"},
	{"a+b=c+d", "a b=c d;"},
	{"a%20b=%41%2b%26%3D", "a b=A+&=;"},
	{"a=%zz%4&b=%&c=%4", "a=%zz%4;b=%;c=%4;"},
	{"a=%%41", "a=%A;"},
	{"a=%c3%BC", "a=\xc3\xbc;"},
	{"key%00x=1", "key%00x=1;"},
	{"a=1&a=2", "a=1;a=2;"},
	{"ssh_keys=a%0Ab", "ssh_keys=a\nb;"},
};

static void parses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		owned_in(arena_done) struct arena arena = ARENA_INIT;
		owned_in(buffer_done) struct buffer text = BUFFER_INIT(0);
		struct param_list list = {.limit = 10};
		assert_true(params_parse(&arena, &list, cases[i].text, strlen(cases[i].text)));
		for (size_t k = 0; k < list.count; k++)
			buffer_addf(&text, "%s=%s;", list.items[k].name, list.items[k].value);
		assert_string_equal(text.data, cases[i].expected);
	}
}

static void keeps_nul_in_values(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct param_list list = {.limit = 10};
	assert_true(params_parse(&arena, &list, "a=x%00y", 7));
	assert_int_equal(list.items[0].value_len, 3);
	assert_memory_equal(list.items[0].value, "x\0y", 4);
}

static void stops_at_the_limit(void **state)
{
	(void)state;
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct param_list list = {.limit = 40};
	for (int i = 0; i < 40; i++)
		assert_true(params_parse(&arena, &list, "n=v", 3));
	assert_false(params_parse(&arena, &list, "n=v", 3));
	assert_int_equal(list.count, 40);
	for (int i = 0; i < 40; i++)
		assert_string_equal(list.items[i].name, "n");
}

static void check_file(const char *path)
{
	struct error err = {0};
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	owned_mem char *text = NULL;
	size_t len, total = 0;
	assert_int_equal(file_read(path, 1 << 20, &text, &len, &err), 0);
	struct param_list list = {.limit = 256};
	params_parse(&arena, &list, text, len);
	for (size_t i = 0; i < list.count; i++) {
		assert_int_equal(list.items[i].value[list.items[i].value_len], '\0');
		total += strlen(list.items[i].name) + list.items[i].value_len;
	}
	assert_true(total <= len);
}

static void survives_the_corpus(void **state)
{
	(void)state;
	const char *folder = getenv("HTTP_CORPUS");
	assert_non_null(folder);
	DIR *dir = opendir(folder);
	assert_non_null(dir);
	int count = 0;
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		owned_mem char *path = mem_printf("%s/%s", folder, entry->d_name);
		check_file(path);
		count++;
	}
	closedir(dir);
	assert_true(count >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(keeps_nul_in_values),
		cmocka_unit_test(stops_at_the_limit),
		cmocka_unit_test(survives_the_corpus),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
