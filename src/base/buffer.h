/* A growing run of bytes with a stated maximum. Going over it sets `overflowed` and drops the rest, so a
 * writer checks once at the end. Always NUL-terminated, so `data` of a text buffer is a C string. */
#pragma once
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

struct buffer {
	char *data; /* "" until the first byte; owned */
	size_t len; /* bytes, without the NUL */
	size_t capacity;
	size_t max_len; /* 0 means BUFFER_DEFAULT_MAX */
	bool overflowed;
};

#define BUFFER_DEFAULT_MAX (16u << 20)
#define BUFFER_INIT(max_bytes) \
	{ \
		.data = (char *)"", .max_len = (max_bytes) \
	}

void buffer_done(struct buffer *buffer);
void buffer_clear(struct buffer *buffer); /* keeps the memory */
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_add_byte(struct buffer *buffer, char byte);
void buffer_addf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buffer_vaddf(struct buffer *buffer, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
/* Room for LEN more bytes in fresh memory, or NULL when that is over the maximum: what buffer_reserve does
 * when there is none left. */
char *buffer_grow(struct buffer *buffer, size_t len);
/* The bytes as a C string the caller frees; the buffer is empty afterwards. */
char *buffer_take(struct buffer *buffer);

/* The hot ones, in place. The capacity never passes the maximum, so one comparison checks both. */

/* Room for LEN more bytes at the returned place, or NULL when that is over the maximum. Follow with
 * buffer_commit. */
static inline char *buffer_reserve(struct buffer *buffer, size_t len)
{
	if (len < buffer->capacity - buffer->len)
		return buffer->data + buffer->len;
	return buffer_grow(buffer, len);
}

static inline void buffer_commit(struct buffer *buffer, size_t len)
{
	buffer->len += len;
	buffer->data[buffer->len] = '\0';
}

static inline void buffer_add(struct buffer *buffer, const void *bytes, size_t len)
{
	char *place = len && !buffer->overflowed ? buffer_reserve(buffer, len) : NULL;
	if (!place)
		return;
	memcpy(place, bytes, len);
	buffer_commit(buffer, len);
}
