/* Locals that free themselves. `owned(x_free) struct x *x = NULL;` calls x_free(x) at the end of the scope
 * when x is not NULL; `owned_in(x_done) struct x x;` calls x_done(&x). take(p) hands a pointer over and
 * clears it. */
#pragma once
#include <stdlib.h>

/* Makes FREE usable in owned(): FREE takes a TYPE pointer. */
#define OWNED_DEFINE(type, free_function) \
	static inline void free_function##_owned(type **pointer) \
	{ \
		if (*pointer) \
			free_function(*pointer); \
	} \
	struct owned_needs_semicolon

#define owned(free_function) __attribute__((cleanup(free_function##_owned)))
#define owned_in(done_function) __attribute__((cleanup(done_function)))

/* The value of POINTER, which becomes NULL: the caller owns it from here on. */
#define take(pointer) \
	({ \
		__typeof__(pointer) taken_ = (pointer); \
		(pointer) = NULL; \
		taken_; \
	})

static inline void free_owned(void *pointer)
{
	free(*(void **)pointer);
}
/* `owned_mem char *text` is free()d at the end of the scope. */
#define owned_mem __attribute__((cleanup(free_owned)))
