#include "json/reader.h"
#include <jansson.h>

/* jansson defines these as macros; here they are our functions. */
#undef json_is_object
#undef json_is_array
#undef json_is_string
#undef json_is_null

/* struct json is jansson's json_t under another name, so that nobody above needs its header. */
static const json_t *inner(const struct json *value)
{
	return (const json_t *)(const void *)value;
}

static struct json *outer(json_t *value)
{
	return (struct json *)(void *)value;
}

static bool has_type(const struct json *value, json_type type)
{
	return value && json_typeof(inner(value)) == type;
}

int json_parse(const char *text, size_t len, struct json **ret, struct error *err)
{
	json_error_t why;
	/* jansson itself stops at 2,048 levels (JSON_PARSER_MAX_DEPTH). */
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
	if (!root)
		return err_set(err, ERR_INVALID, "not JSON: %s at byte %d", why.text, why.position);
	*ret = outer(root);
	return 0;
}

void json_free(struct json *root)
{
	json_decref((json_t *)(void *)root);
}

bool json_is_object(const struct json *value)
{
	return has_type(value, JSON_OBJECT);
}

bool json_is_array(const struct json *value)
{
	return has_type(value, JSON_ARRAY);
}

bool json_is_string(const struct json *value)
{
	return has_type(value, JSON_STRING);
}

bool json_is_int(const struct json *value)
{
	return has_type(value, JSON_INTEGER);
}

bool json_is_bool(const struct json *value)
{
	return has_type(value, JSON_TRUE) || has_type(value, JSON_FALSE);
}

bool json_is_null(const struct json *value)
{
	return !value || has_type(value, JSON_NULL);
}

const struct json *json_get(const struct json *value, const char *key)
{
	return json_is_object(value) ? outer(json_object_get(inner(value), key)) : NULL;
}

const char *json_text(const struct json *value, const char *fallback)
{
	return json_is_string(value) ? json_string_value(inner(value)) : fallback;
}

size_t json_text_len(const struct json *value)
{
	return json_is_string(value) ? json_string_length(inner(value)) : 0;
}

int64_t json_int(const struct json *value, int64_t fallback)
{
	return json_is_int(value) ? json_integer_value(inner(value)) : fallback;
}

bool json_bool(const struct json *value, bool fallback)
{
	return json_is_bool(value) ? has_type(value, JSON_TRUE) : fallback;
}

const char *json_get_text(const struct json *value, const char *key, const char *fallback)
{
	return json_text(json_get(value, key), fallback);
}

int64_t json_get_int(const struct json *value, const char *key, int64_t fallback)
{
	return json_int(json_get(value, key), fallback);
}

bool json_get_bool(const struct json *value, const char *key, bool fallback)
{
	return json_bool(json_get(value, key), fallback);
}

size_t json_count(const struct json *value)
{
	return json_is_array(value) ? json_array_size(inner(value)) : 0;
}

const struct json *json_at(const struct json *value, size_t index)
{
	return json_is_array(value) ? outer(json_array_get(inner(value), index)) : NULL;
}

void json_each(const struct json *object,
	void (*visit)(void *context, const char *key, const struct json *value), void *context)
{
	if (!json_is_object(object))
		return;
	json_t *members = (json_t *)(void *)object;
	for (void *at = json_object_iter(members); at; at = json_object_iter_next(members, at))
		visit(context, json_object_iter_key(at), outer(json_object_iter_value(at)));
}
