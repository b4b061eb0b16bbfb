/* The calls of the customers' API, in Markdown. */
#include "doc/doc.h"
#include "schema/rows.h"
#include "base/memory.h"
#include "base/text.h"

#define ROWS_FILE "api/calls.def"
#define ROWS_TABLE rows
#include "schema/structs.inc"
#include "schema/tables.inc"

static const char *type_name(enum field_type type)
{
	switch (type) {
	case FIELD_TEXT:
	case FIELD_BYTES:
		return "string";
	case FIELD_INT:
	case FIELD_SIZE:
		return "integer";
	case FIELD_BOOL:
		return "boolean";
	case FIELD_TEXTS:
		return "array of strings";
	case FIELD_MAP:
		return "object of strings";
	case FIELD_RAW:
		return "array or object";
	case FIELD_LIST:
		return "array of objects";
	case FIELD_OBJECT:
	case FIELD_SPREAD:
		return "object";
	}
	return "";
}

static void put_parameter(FILE *out, const struct field *field)
{
	char takes[160];
	fprintf(out, "| `%s` | %s | ", field_wire(field), field->options.flags & OPTIONAL ? "no" : "yes");
	doc_put_cell(out, doc_takes(field, takes, sizeof(takes)));
	fputs(" | ", out);
	doc_put_cell(out, field->options.doc);
	if (field->options.flags & EMPTY_OK)
		fputs(" May be empty.", out);
	if (field->options.alias)
		fprintf(out, " Also taken as `%s`.", field->options.alias);
	fputs(" |\n", out);
}

static void put_parameters(FILE *out, const struct record *args)
{
	if (!args->count) {
		fputs("No parameters besides `veid` and `api_key`.\n\n", out);
		return;
	}
	fputs("| parameter | required | takes | what it is |\n| --- | --- | --- | --- |\n", out);
	for (size_t i = 0; i < args->count; i++)
		put_parameter(out, &args->fields[i]);
	fputc('\n', out);
}

static void put_key(FILE *out, const struct field *field)
{
	fprintf(out, "| `%s` | %s | ", field_wire(field), type_name(field->type));
	doc_put_cell(out, field->options.doc);
	fputs(field->options.flags & OMIT ? " May be absent. |\n" : " |\n", out);
}

/* A record whose keys stand among the parent's is named, not repeated: three calls share one. */
static void put_spread(FILE *out, const struct field *field)
{
	fprintf(out, "| *keys of [%s](#record-%s)* | | %s |\n", field->record->name, field->record->name,
		field->options.flags & OMIT ? "Only for that type of VPS." : "");
}

static void put_keys(FILE *out, const struct record *record)
{
	fputs("| key | type | what it is |\n| --- | --- | --- |\n", out);
	for (size_t i = 0; i < record->count; i++) {
		if (record->fields[i].type == FIELD_SPREAD)
			put_spread(out, &record->fields[i]);
		else
			put_key(out, &record->fields[i]);
	}
	fputc('\n', out);
}

static void put_properties(FILE *out, const struct call_row *row)
{
	unsigned flags = row->options.flags;
	fprintf(out, "Costs %lld point%s.", (long long)row->options.points,
		row->options.points == 1 ? "" : "s");
	if (flags & CALL_CHANGES)
		fputs(" Refused while the VPS is suspended, and while work on it is unfinished.", out);
	else if (flags & CALL_LIVE)
		fputs(" Refused while work on the VPS is unfinished.", out);
	fputs("\n\n", out);
}

void doc_write_calls(FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		fprintf(out, "### %s\n\n%s ", rows[i].wire, rows[i].options.doc);
		put_properties(out, &rows[i]);
		put_parameters(out, &rows[i].args);
		put_keys(out, &rows[i].reply);
	}
#define RECORD(id, ...) \
	fprintf(out, "### Record %s\n\n", id##_record_table.name); \
	put_keys(out, &id##_record_table);
#define CALL(...)
#include "api/calls.def"
#undef RECORD
#undef CALL
}
