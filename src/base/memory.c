#include "base/memory.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void out_of_memory(void)
{
	fputs("moa: out of memory\n", stderr);
	abort();
}

void *mem_alloc(size_t count, size_t size)
{
	void *block = calloc(count ? count : 1, size ? size : 1);
	if (!block)
		out_of_memory();
	return block;
}

void *mem_resize(void *block, size_t count, size_t size)
{
	void *grown = reallocarray(block, count ? count : 1, size ? size : 1);
	if (!grown)
		out_of_memory();
	return grown;
}

char *mem_strdup(const char *text)
{
	if (!text)
		return NULL;
	char *copy = strdup(text);
	if (!copy)
		out_of_memory();
	return copy;
}

char *mem_printf(const char *format, ...)
{
	va_list args;
	char *text = NULL;
	va_start(args, format);
	int len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		out_of_memory();
	return text;
}

void mem_wipe(void *block, size_t size)
{
	if (size)
		explicit_bzero(block, size);
}
