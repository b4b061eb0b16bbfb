/* Writes JSON as PHP's json_encode prints it, which is the wire's form (wire.md 1): no spaces, "/" as "\/",
 * non-ASCII as \uXXXX, keys in the order they are written. Bytes that are no UTF-8 become U+FFFD, so hostile
 * output stays valid JSON. Commas are the writer's business. In an object pass a key, in an array NULL. */
#pragma once
#include "base/buffer.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_writer {
	struct buffer *out; /* borrowed */
	bool comma;	    /* a comma is due before the next value */
};

#define JSON_WRITER(buffer) \
	{ \
		.out = (buffer), .comma = false \
	}

/* A key that is quoted already, with its colon ("\"error\":"): for keys known when the program is built.
 * Follow it with a value whose key is NULL. */
void json_add_key(struct json_writer *writer, const char *quoted, size_t len);
void json_open_object(struct json_writer *writer, const char *key);
void json_close_object(struct json_writer *writer);
void json_open_array(struct json_writer *writer, const char *key);
void json_close_array(struct json_writer *writer);
void json_add_text(struct json_writer *writer, const char *key, const char *text); /* NULL writes null */
void json_add_bytes(struct json_writer *writer, const char *key, const char *bytes, size_t len);
void json_add_int(struct json_writer *writer, const char *key, int64_t number);
void json_add_bool(struct json_writer *writer, const char *key, bool value);
void json_add_null(struct json_writer *writer, const char *key);
/* JSON written before, by this writer: goes in as it is. */
void json_add_raw(struct json_writer *writer, const char *key, const char *json, size_t len);
