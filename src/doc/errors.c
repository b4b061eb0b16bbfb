/* The numbers an answer's "error" can have, in Markdown. */
#include "doc/doc.h"
#include "base/memory.h"
#include "base/text.h"

static const struct {
	int wire, status;
	const char *sentence;
} errors[] = {
#define ERROR(code, wire_number, http_status, words) {wire_number, http_status, words},
#include "api/errors.def"
#undef ERROR
};

/* Several causes may look the same on the wire. */
static bool is_repeated(size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (errors[i].wire == errors[index].wire &&
			text_equal(errors[i].sentence, errors[index].sentence))
			return true;
	return false;
}

void doc_write_errors(FILE *out)
{
	fputs("| error | HTTP | message when there is no better one |\n| --- | --- | --- |\n", out);
	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		if (!is_repeated(i))
			fprintf(out, "| %d | %d | %s |\n", errors[i].wire, errors[i].status,
				errors[i].sentence);
}
