/* Answers for people: tables for lists, "key: value" for the rest. */
#include "ctl/ctl.h"
#include "base/memory.h"
#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CELL_SIZE = 256, COLUMNS_MAX = 16 };

static bool is_time(const char *name)
{
	return text_equal(name, "created") || text_equal(name, "updated") || text_equal(name, "purge_at");
}

static void join(const struct json *array, char cell[CELL_SIZE])
{
	size_t used = 0;
	cell[0] = '\0';
	for (size_t i = 0; i < json_count(array) && used < CELL_SIZE - 1; i++)
		used += (size_t)snprintf(cell + used, CELL_SIZE - used, "%s%s", i ? ", " : "",
			json_text(json_at(array, i), ""));
}

/* What a value looks like to a person. */
static void format_cell(const struct field *field, const struct json *value, char cell[CELL_SIZE])
{
	int64_t number = json_int(value, 0);
	time_t seconds = number;
	struct tm parts;
	if (field->type == FIELD_SIZE)
		text_bytes((uint64_t)number, cell);
	else if (field->type == FIELD_BOOL)
		text_copy(cell, CELL_SIZE, json_bool(value, false) ? "yes" : "no");
	else if (field->type == FIELD_TEXTS)
		join(value, cell);
	else if (field->type == FIELD_INT && is_time(field->name))
		strftime(cell, CELL_SIZE, number ? "%Y-%m-%d %H:%M:%S" : "-", localtime_r(&seconds, &parts));
	else if (field->type == FIELD_INT)
		snprintf(cell, CELL_SIZE, "%lld", (long long)number);
	else
		snprintf(cell, CELL_SIZE, "%.*s", CELL_SIZE - 1, json_text(value, ""));
	/* A name from the store must not drive the terminal. */
	for (char *at = cell; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
}

static size_t width_of(const char *text)
{
	size_t width = 0;
	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

static void measure(const struct record *record, const struct json *list, size_t widths[COLUMNS_MAX])
{
	char cell[CELL_SIZE];
	for (size_t column = 0; column < record->count && column < COLUMNS_MAX; column++) {
		widths[column] = strlen(record->fields[column].name);
		for (size_t i = 0; i < json_count(list); i++) {
			const struct field *field = &record->fields[column];
			format_cell(field, json_get(json_at(list, i), field_wire(field)), cell);
			if (width_of(cell) > widths[column])
				widths[column] = width_of(cell);
		}
	}
}

static void print_cell(const struct field *field, const char *cell, size_t width, bool last)
{
	int gap = (int)(width - width_of(cell));
	bool right = field->type == FIELD_INT || field->type == FIELD_SIZE;
	if (right)
		printf("%*s%s", gap, "", cell);
	else
		printf("%s%*s", cell, last ? 0 : gap, "");
	fputs(last ? "\n" : "  ", stdout);
}

static void print_heading(const struct record *record, const size_t widths[COLUMNS_MAX])
{
	for (size_t column = 0; column < record->count && column < COLUMNS_MAX; column++) {
		char name[64];
		text_copy(name, sizeof(name), record->fields[column].name);
		for (char *at = name; *at; at++)
			*at = *at == '_' ? ' ' : (char)(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at);
		print_cell(&record->fields[column], name, widths[column], column + 1 == record->count);
	}
}

static void print_table(const struct field *field, const struct json *list)
{
	const struct record *record = field->record;
	size_t widths[COLUMNS_MAX] = {0};
	char cell[CELL_SIZE];
	if (!json_count(list)) {
		printf("No %s.\n", field->name);
		return;
	}
	measure(record, list, widths);
	print_heading(record, widths);
	for (size_t i = 0; i < json_count(list); i++)
		for (size_t column = 0; column < record->count && column < COLUMNS_MAX; column++) {
			const struct field *cell_field = &record->fields[column];
			format_cell(cell_field, json_get(json_at(list, i), field_wire(cell_field)), cell);
			print_cell(cell_field, cell, widths[column], column + 1 == record->count);
		}
}

void ctl_print(const struct call_row *row, const struct json *answer)
{
	char cell[CELL_SIZE];
	bool any = false;
	for (size_t i = 0; i < row->reply.count; i++) {
		const struct field *field = &row->reply.fields[i];
		const struct json *value = json_get(answer, field_wire(field));
		if (text_equal(field->name, "error"))
			continue;
		any = true;
		if (field->type == FIELD_LIST) {
			print_table(field, value);
			continue;
		}
		format_cell(field, value, cell);
		if (cell[0])
			printf("%-14s %s\n", field->name, cell);
	}
	if (!any)
		puts("Done.");
}

/* The CSV that KiwiVM clients import (wire.md 1). No field can hold a comma or quote. */
void ctl_print_keys(const struct json *answer)
{
	const struct json *keys = json_get(answer, "keys");
	puts("VEID,VM_TYPE,HOSTNAME,PRIMARY_IP,IS_TERMINATED,IS_2FA_ENABLED,API_KEY");
	for (size_t i = 0; i < json_count(keys); i++) {
		const struct json *key = json_at(keys, i);
		printf("%lld,%s,%s,%s,%d,0,%s\n", (long long)json_get_int(key, "veid", 0),
			json_get_text(key, "vm_type", ""), json_get_text(key, "hostname", ""),
			json_get_text(key, "primary_ip", ""), json_get_bool(key, "is_terminated", false),
			json_get_text(key, "api_key", ""));
	}
}
