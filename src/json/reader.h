/* Reads JSON that somebody else wrote. Documents are bounded in size by the caller and in depth here;
 * duplicate keys and trailing bytes are refused; a NUL in a string is kept, so check json_text_len where it
 * matters. Values are borrowed from the document and live until json_free. */
#pragma once
#include "base/error.h"
#include "base/owned.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json; /* a value of a document */

/* The document's root in *ret, to be freed with json_free; ERR_INVALID says where it breaks. */
int json_parse(const char *text, size_t len, struct json **ret, struct error *err);
void json_free(struct json *root);
OWNED_DEFINE(struct json, json_free);

bool json_is_object(const struct json *value);
bool json_is_array(const struct json *value);
bool json_is_string(const struct json *value);
bool json_is_int(const struct json *value);
bool json_is_bool(const struct json *value);
bool json_is_null(const struct json *value); /* null, or NULL */

/* The member of an object, or NULL when it is absent or VALUE is no object. */
const struct json *json_get(const struct json *value, const char *key);
/* Members as a C type, or the fallback when absent or of another type. */
const char *json_get_text(const struct json *value, const char *key, const char *fallback);
int64_t json_get_int(const struct json *value, const char *key, int64_t fallback);
bool json_get_bool(const struct json *value, const char *key, bool fallback);
/* The value itself. */
const char *json_text(const struct json *value, const char *fallback);
size_t json_text_len(const struct json *value); /* bytes, NULs inside included; 0 for anything but a string */
int64_t json_int(const struct json *value, int64_t fallback);
bool json_bool(const struct json *value, bool fallback);
/* Members of an array (0 for anything else). */
size_t json_count(const struct json *value);
const struct json *json_at(const struct json *value, size_t index);
/* Calls VISIT for each member of an object in the order they stand. */
void json_each(const struct json *object,
	void (*visit)(void *context, const char *key, const struct json *value), void *context);
