#include "base/buffer.h"
#include "base/memory.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 128 };

static size_t max_len(const struct buffer *buffer)
{
	return buffer->max_len ? buffer->max_len : BUFFER_DEFAULT_MAX;
}

void buffer_done(struct buffer *buffer)
{
	if (buffer->capacity)
		free(buffer->data);
	*buffer = (struct buffer)BUFFER_INIT(buffer->max_len);
}

void buffer_clear(struct buffer *buffer)
{
	buffer->len = 0;
	buffer->overflowed = false;
	if (buffer->capacity)
		buffer->data[0] = '\0';
}

char *buffer_grow(struct buffer *buffer, size_t len)
{
	size_t most = max_len(buffer);
	if (len > most - buffer->len) {
		buffer->overflowed = true;
		return NULL;
	}
	size_t needed = buffer->len + len + 1,
	       capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
	while (capacity < needed)
		capacity *= 2;
	if (capacity > most + 1)
		capacity = most + 1;
	buffer->data = mem_resize(buffer->capacity ? buffer->data : NULL, capacity, 1);
	buffer->capacity = capacity;
	buffer->data[buffer->len] = '\0';
	return buffer->data + buffer->len;
}

void buffer_add_text(struct buffer *buffer, const char *text)
{
	buffer_add(buffer, text, strlen(text));
}

void buffer_add_byte(struct buffer *buffer, char byte)
{
	buffer_add(buffer, &byte, 1);
}

void buffer_vaddf(struct buffer *buffer, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len <= 0 || buffer->overflowed)
		return;
	char *place = buffer_reserve(buffer, (size_t)len);
	if (!place)
		return;
	vsnprintf(place, (size_t)len + 1, format, args);
	buffer_commit(buffer, (size_t)len);
}

void buffer_addf(struct buffer *buffer, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	buffer_vaddf(buffer, format, args);
	va_end(args);
}

char *buffer_take(struct buffer *buffer)
{
	char *text = buffer->capacity ? buffer->data : mem_strdup("");
	size_t max = buffer->max_len;
	*buffer = (struct buffer)BUFFER_INIT(max);
	return text;
}
