#include "base/arena.h"
#include "base/memory.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 8192, ALIGNMENT = 16 };

struct arena_block {
	struct arena_block *next;
	size_t size;
	_Alignas(ALIGNMENT) char bytes[];
};

void arena_done(struct arena *arena)
{
	while (arena->blocks) {
		struct arena_block *next = arena->blocks->next;
		free(arena->blocks);
		arena->blocks = next;
	}
	arena->used = 0;
}

void arena_reset(struct arena *arena)
{
	struct arena_block *kept = NULL;
	while (arena->blocks) {
		struct arena_block *block = arena->blocks;
		arena->blocks = block->next;
		if (!kept && block->size == BLOCK_SIZE)
			kept = block;
		else
			free(block);
	}
	if (kept)
		kept->next = NULL;
	arena->blocks = kept;
	arena->used = 0;
}

static void *take_room(struct arena *arena, size_t size)
{
	size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (!arena->blocks || size > arena->blocks->size - arena->used) {
		size_t block_size = size > BLOCK_SIZE ? size : BLOCK_SIZE;
		struct arena_block *block = mem_resize(NULL, 1, sizeof(*block) + block_size);
		block->next = arena->blocks;
		block->size = block_size;
		arena->blocks = block;
		arena->used = 0;
	}
	void *place = arena->blocks->bytes + arena->used;
	arena->used += size;
	return place;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	return memset(take_room(arena, size), 0, size);
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
	char *copy = take_room(arena, len + 1);
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return text ? arena_strndup(arena, text, strlen(text)) : NULL;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	char *text = arena_alloc(arena, (size_t)(len < 0 ? 0 : len) + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)(len < 0 ? 0 : len) + 1, format, args);
	va_end(args);
	return text;
}
