/* Words and escapes the tables share. */
#include "doc/doc.h"
#include <inttypes.h>
#include <string.h>

const char *doc_takes(const struct field *field, char *place, size_t size)
{
	const struct field_options *options = &field->options;
	bool unbounded = !options->max || options->max == INT64_MAX;
	if (field->type == FIELD_INT && unbounded && options->min == 0)
		snprintf(place, size, "a whole number");
	else if (field->type == FIELD_INT && unbounded)
		snprintf(place, size, "a whole number of at least %" PRId64, options->min);
	else
		field_takes(field, place, size);
	return place;
}

const char *doc_size(int64_t bytes, char place[24])
{
	static const char units[] = "KMGT";
	int unit = -1;
	while (bytes && bytes % 1024 == 0 && unit < 3) {
		bytes /= 1024;
		unit++;
	}
	snprintf(place, 24, "%" PRId64 "%.*s", bytes, unit < 0 ? 0 : 1, unit < 0 ? "" : units + unit);
	return place;
}

void doc_put_scdoc(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("*_\\#[]|<>", *text))
			fputc('\\', out);
		fputc(*text, out);
	}
}

void doc_put_cell(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("|*_<>\\", *text))
			fputc('\\', out);
		fputc(*text, out);
	}
}
