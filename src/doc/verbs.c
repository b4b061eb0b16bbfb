/* The verbs of moactl for its man page. */
#include "doc/doc.h"
#include "schema/rows.h"
#include "base/memory.h"
#include "base/text.h"
#include <inttypes.h>
#include <string.h>

#define ROWS_FILE "api/admin.def"
#define ROWS_TABLE rows
#include "schema/structs.inc"
#include "schema/tables.inc"

static size_t noun_len(const struct call_row *row)
{
	return strcspn(row->wire, "/");
}

static bool starts_noun(size_t index)
{
	if (index == 0 || noun_len(&rows[index]) != noun_len(&rows[index - 1]))
		return true;
	return strncmp(rows[index].wire, rows[index - 1].wire, noun_len(&rows[index])) != 0;
}

/* "ssh_keys" is --ssh-keys. */
static void put_option_name(FILE *out, const struct field *field)
{
	fputs("--", out);
	for (const char *at = field->name; *at; at++)
		fputc(*at == '_' ? '-' : *at, out);
}

static void put_synopsis(FILE *out, const struct call_row *row)
{
	char words[64];
	text_copy(words, sizeof(words), row->wire);
	char *slash = strchr(words, '/');
	if (slash)
		*slash = ' ';
	fprintf(out, "*%s*", words);
	for (size_t i = 0; i < row->args.count; i++) {
		const struct field *field = &row->args.fields[i];
		if (!(field->options.flags & POSITIONAL))
			continue;
		fputs(" _", out);
		doc_put_scdoc(out, field->name);
		fputc('_', out);
	}
	if (row->args.count)
		fputs(" [option]...", out);
	fputc('\n', out);
}

static void put_default(FILE *out, const struct field *field)
{
	char size[24];
	if (!field->options.fallback)
		return;
	if (field->type == FIELD_SIZE)
		fprintf(out, "; %s when left out", doc_size(field->options.fallback, size));
	else
		fprintf(out, "; %" PRId64 " when left out", field->options.fallback);
}

static void put_argument(FILE *out, const struct field *field)
{
	char takes[160];
	unsigned flags = field->options.flags;
	fputs("\t*", out);
	if (flags & POSITIONAL)
		doc_put_scdoc(out, field->name);
	else
		put_option_name(out, field);
	fputs("*\n\t\t", out);
	doc_put_scdoc(out, field->options.doc);
	fprintf(out, " %s: ", flags & OPTIONAL ? "Optional" : "Required");
	doc_put_scdoc(out, doc_takes(field, takes, sizeof(takes)));
	put_default(out, field);
	fputs(".\n\n", out);
}

static void put_verb(FILE *out, const struct call_row *row)
{
	put_synopsis(out, row);
	fputc('\t', out);
	doc_put_scdoc(out, row->options.doc);
	if (row->options.flags & CALL_CONFIRM)
		fputs(" Asks first, unless *--yes*.", out);
	if (row->options.flags & CALL_WAITS)
		fputs(" Waits for the work to end, unless *--no-wait*.", out);
	fputs("\n\n", out);
	for (size_t i = 0; i < row->args.count; i++)
		put_argument(out, &row->args.fields[i]);
}

void doc_write_verbs(FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (starts_noun(i))
			fprintf(out, "## %.*s\n\n", (int)noun_len(&rows[i]), rows[i].wire);
		put_verb(out, &rows[i]);
	}
}
