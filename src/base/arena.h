/* Memory that is freed all at once: one arena a request and one a work step. Everything returned lives until
 * arena_done or arena_reset. */
#pragma once
#include <stddef.h>

struct arena_block;
struct arena {
	struct arena_block *blocks;
	size_t used; /* bytes used in the newest block */
};

#define ARENA_INIT \
	{ \
		NULL, 0 \
	}

void arena_done(struct arena *arena);
/* Frees all but one block, so a thread that serves many requests allocates seldom. */
void arena_reset(struct arena *arena);
void *arena_alloc(struct arena *arena, size_t size)
	__attribute__((returns_nonnull));		   /* zeroed, aligned to 16 */
char *arena_strdup(struct arena *arena, const char *text); /* NULL gives NULL */
char *arena_strndup(struct arena *arena, const char *text, size_t len) __attribute__((returns_nonnull));
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3), returns_nonnull));

#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define arena_array(arena, count, type) ((type *)arena_alloc((arena), (count) * sizeof(type)))
