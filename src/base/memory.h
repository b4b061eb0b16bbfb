/* Allocation that cannot fail. The daemon ends when memory runs out (work resumes from the store), so no
 * caller below carries an "out of memory" branch. libmoa does not use this header. */
#pragma once
#include <stddef.h>

/* Zeroed memory for COUNT objects of SIZE bytes; ends the process when there is none. Free with free(). */
void *mem_alloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
/* realloc() that ends the process instead of failing; the old block is gone. */
void *mem_resize(void *block, size_t count, size_t size) __attribute__((returns_nonnull));
/* A copy of TEXT the caller frees; NULL gives NULL. */
char *mem_strdup(const char *text);
/* printf into fresh memory the caller frees. */
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2), malloc, returns_nonnull));
/* Overwrites SIZE bytes in a way the compiler keeps: for passwords and keys. */
void mem_wipe(void *block, size_t size);

#define mem_new(type) ((type *)mem_alloc(1, sizeof(type)))
#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))
