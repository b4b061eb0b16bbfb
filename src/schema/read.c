/* From parameters, or from JSON, to the typed struct of a row. */
#include "schema/schema.h"
#include "base/memory.h"
#include "base/text.h"
#include <string.h>

static void *place_of(const struct field *field, void *data)
{
	return (char *)data + field->offset;
}

static int refuse(const struct field *field, struct error *err)
{
	char takes[160];
	return err_say(
		err, ERR_INVALID, "%s takes %s", field_wire(field), field_takes(field, takes, sizeof(takes)));
}

static int64_t number_max(const struct field *field)
{
	return field->options.max ? field->options.max : INT64_MAX;
}

static int store_number(const struct field *field, int64_t number, void *place, struct error *err)
{
	if (number < field->options.min || number > number_max(field))
		return refuse(field, err);
	*(int64_t *)place = number;
	return 0;
}

static bool to_bool(const char *text, bool *ret)
{
	static const char *const yes[] = {"1", "true", "yes", "on"}, *const no[] = {
									     "0", "false", "no", "off"};
	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (!text_equal(text, yes[i]) && !text_equal(text, no[i]))
			continue;
		*ret = text_equal(text, yes[i]);
		return true;
	}
	return false;
}

static int store_texts(const char *value, struct arena *arena, struct field_texts *ret)
{
	size_t count = 1;
	for (const char *at = value; *at; at++)
		count += *at == ',';
	ret->items = arena_array(arena, count, const char *);
	for (ret->count = 0; ret->count < count; ret->count++) {
		size_t len = strcspn(value, ",");
		ret->items[ret->count] = arena_strndup(arena, value, len);
		value += len + 1;
	}
	return 0;
}

static int from_param(const struct field *field, const struct param *param, struct arena *arena, void *place,
	struct error *err)
{
	int64_t number;
	uint64_t size;
	int rc;
	if (field->type != FIELD_BYTES && memchr(param->value, '\0', param->value_len))
		return refuse(field, err);
	switch (field->type) {
	case FIELD_TEXT:
		rc = field_check_text(field, param->value, param->value_len, err);
		*(const char **)place = param->value;
		return rc;
	case FIELD_BYTES:
		rc = field_check_text(field, param->value, param->value_len, err);
		*(struct field_bytes *)place = (struct field_bytes){param->value, param->value_len};
		return rc;
	case FIELD_INT:
		if (!text_to_int64(param->value, INT64_MIN, INT64_MAX, &number))
			return refuse(field, err);
		return store_number(field, number, place, err);
	case FIELD_SIZE:
		if (!text_to_bytes(param->value, &size))
			return refuse(field, err);
		return store_number(field, (int64_t)size, place, err);
	case FIELD_BOOL:
		return to_bool(param->value, place) ? 0 : refuse(field, err);
	case FIELD_TEXTS:
		return store_texts(param->value, arena, place);
	case FIELD_MAP:
	case FIELD_RAW:
	case FIELD_LIST:
	case FIELD_OBJECT:
	case FIELD_SPREAD:
		break;
	}
	return err_set(err, ERR_INTERNAL, "%s cannot be a parameter", field->name);
}

static int absent(const struct field *field, void *place, struct error *err)
{
	if (!(field->options.flags & (OPTIONAL | OMIT)))
		return err_say(err, ERR_MISSING, "%s is missing", field_wire(field));
	if (field->type == FIELD_INT || field->type == FIELD_SIZE)
		*(int64_t *)place = field->options.flags & OMIT ? FIELD_ABSENT : field->options.fallback;
	else if (field->type == FIELD_BOOL)
		*(bool *)place = field->options.fallback != 0;
	return 0;
}

int record_from_params(const struct record *record, const struct param *params, size_t count,
	struct arena *arena, void *args, struct error *err)
{
	for (size_t i = 0; i < record->count; i++) {
		const struct field *field = &record->fields[i];
		const struct param *param =
			param_find(params, count, field_wire(field), field->options.alias);
		bool given = param && (param->value_len || (field->options.flags & EMPTY_OK));
		void *place = place_of(field, args);
		int rc = given ? from_param(field, param, arena, place, err) : absent(field, place, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int list_from_json(const struct field *field, const struct json *json, struct arena *arena,
	void *place, struct error *err)
{
	struct field_list *list = place;
	size_t count = json_count(json);
	if (!json_is_array(json))
		return refuse(field, err);
	list->items = arena_alloc(arena, count * field->record->size);
	for (list->count = 0; list->count < count; list->count++) {
		void *item = (char *)list->items + list->count * field->record->size;
		int rc = record_from_json(field->record, json_at(json, list->count), arena, item, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int texts_from_json(const struct field *field, const struct json *json, struct arena *arena,
	struct field_texts *ret, struct error *err)
{
	size_t count = json_count(json);
	if (!json_is_array(json))
		return refuse(field, err);
	ret->items = arena_array(arena, count, const char *);
	for (ret->count = 0; ret->count < count; ret->count++) {
		const char *text = json_text(json_at(json, ret->count), NULL);
		if (!text)
			return refuse(field, err);
		ret->items[ret->count] = arena_strdup(arena, text);
	}
	return 0;
}

/* A JSON value as a command line or a form would send it, so that one set of rules checks both. */
static int scalar_from_json(const struct field *field, const struct json *json, struct arena *arena,
	void *place, struct error *err)
{
	const char *text = json_text(json, NULL);
	size_t len = json_text_len(json);
	if (json_is_int(json))
		text = arena_printf(arena, "%lld", (long long)json_int(json, 0));
	else if (json_is_bool(json))
		text = json_bool(json, false) ? "1" : "0";
	if (!text)
		return refuse(field, err);
	if (!json_is_string(json))
		len = strlen(text);
	struct param param = {field_wire(field), arena_strndup(arena, text, len), len};
	return from_param(field, &param, arena, place, err);
}

static int from_json(const struct field *field, const struct json *json, struct arena *arena, void *place,
	struct error *err)
{
	switch (field->type) {
	case FIELD_TEXT:
	case FIELD_BYTES:
	case FIELD_INT:
	case FIELD_SIZE:
	case FIELD_BOOL:
		return scalar_from_json(field, json, arena, place, err);
	case FIELD_TEXTS:
		return texts_from_json(field, json, arena, place, err);
	case FIELD_LIST:
		return list_from_json(field, json, arena, place, err);
	case FIELD_OBJECT:
		return record_from_json(field->record, json, arena, place, err);
	case FIELD_MAP:
	case FIELD_RAW:
	case FIELD_SPREAD:
		break;
	}
	return err_set(err, ERR_INTERNAL, "%s is not read from JSON", field->name);
}

int record_from_json(const struct record *record, const struct json *json, struct arena *arena, void *args,
	struct error *err)
{
	if (!json_is_object(json))
		return err_say(err, ERR_INVALID, "a JSON object is expected");
	for (size_t i = 0; i < record->count; i++) {
		const struct field *field = &record->fields[i];
		const struct json *value = json_get(json, field_wire(field));
		void *place = place_of(field, args);
		int rc = json_is_null(value) ? absent(field, place, err)
					     : from_json(field, value, arena, place, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}
