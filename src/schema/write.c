/* From the typed struct of a row to JSON, in the order of its rows. */
#include "schema/schema.h"
#include "base/text.h"
#include <string.h>

enum { QUOTED_MAX = 64 };

static const void *place_of(const struct field *field, const void *data)
{
	return (const char *)data + field->offset;
}

static void write_list(const struct record *record, const struct field_list *list, struct json_writer *writer)
{
	json_open_array(writer, NULL);
	for (size_t i = 0; i < list->count; i++) {
		json_open_object(writer, NULL);
		record_write(record, (const char *)list->items + i * record->size, writer);
		json_close_object(writer);
	}
	json_close_array(writer);
}

static void write_texts(const struct field_texts *texts, struct json_writer *writer)
{
	json_open_array(writer, NULL);
	for (size_t i = 0; i < texts->count; i++)
		json_add_text(writer, NULL, texts->items[i]);
	json_close_array(writer);
}

static void write_map(const struct field_map *map, struct json_writer *writer)
{
	json_open_object(writer, NULL);
	for (size_t i = 0; i < map->count; i++)
		json_add_text(writer, map->items[i].key, map->items[i].value);
	json_close_object(writer);
}

static bool is_absent(const struct field *field, const void *place)
{
	switch (field->type) {
	case FIELD_TEXT:
	case FIELD_RAW:
		return *(const char *const *)place == NULL;
	case FIELD_BYTES:
		return ((const struct field_bytes *)place)->data == NULL;
	case FIELD_INT:
	case FIELD_SIZE:
		return *(const int64_t *)place == FIELD_ABSENT;
	case FIELD_TEXTS:
		return ((const struct field_texts *)place)->items == NULL;
	case FIELD_MAP:
		return ((const struct field_map *)place)->items == NULL;
	case FIELD_LIST:
		return ((const struct field_list *)place)->items == NULL;
	case FIELD_OBJECT:
	case FIELD_SPREAD:
		/* A record is there when its first key is. */
		return is_absent(field->record->fields, place_of(field->record->fields, place));
	case FIELD_BOOL:
		break;
	}
	return false;
}

static void write_key(const struct field *field, struct json_writer *writer)
{
	char quoted[QUOTED_MAX];
	if (!field->options.wire) {
		json_add_key(writer, field->quoted, field->quoted_len);
		return;
	}
	text_format(quoted, sizeof(quoted), "\"%s\":", field->options.wire);
	json_add_key(writer, quoted, strlen(quoted));
}

static void write_value(const struct field *field, const void *place, struct json_writer *writer)
{
	const char *text;
	const struct field_bytes *bytes = place;
	switch (field->type) {
	case FIELD_TEXT:
		text = *(const char *const *)place;
		/* Never null where wire.md does not say so: an unset text is empty. */
		json_add_text(writer, NULL, text ? text : "");
		break;
	case FIELD_BYTES:
		json_add_bytes(writer, NULL, bytes->data, bytes->len);
		break;
	case FIELD_INT:
	case FIELD_SIZE:
		json_add_int(writer, NULL, *(const int64_t *)place);
		break;
	case FIELD_BOOL:
		json_add_bool(writer, NULL, *(const bool *)place);
		break;
	case FIELD_TEXTS:
		write_texts(place, writer);
		break;
	case FIELD_MAP:
		write_map(place, writer);
		break;
	case FIELD_RAW:
		text = *(const char *const *)place;
		json_add_raw(writer, NULL, text, strlen(text));
		break;
	case FIELD_LIST:
		write_list(field->record, place, writer);
		break;
	case FIELD_OBJECT:
		json_open_object(writer, NULL);
		record_write(field->record, place, writer);
		json_close_object(writer);
		break;
	case FIELD_SPREAD:
		record_write(field->record, place, writer);
		break;
	}
}

void record_write(const struct record *record, const void *data, struct json_writer *writer)
{
	for (size_t i = 0; i < record->count; i++) {
		const struct field *field = &record->fields[i];
		const void *place = place_of(field, data);
		if ((field->options.flags & OMIT) && is_absent(field, place))
			continue;
		if (field->type != FIELD_SPREAD)
			write_key(field, writer);
		write_value(field, place, writer);
	}
}
