/* moa-doc FILE: prints FILE with its marked lines ("@verbs@") replaced by tables from the rows of api/. The
 * pages themselves stand in src/doc as .in files; what it prints is kept in docs/, and
 * tests/lib/check-generated compares the two. */
#include "doc/doc.h"
#include "base/memory.h"
#include "base/owned.h"
#include "base/fd.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

enum { PAGE_MAX = 1 << 20, EXIT_USAGE = 2 };

static const struct mark {
	const char *line;
	void (*write)(FILE *out);
} marks[] = {
	{"@verbs@", doc_write_verbs},
	{"@settings@", doc_write_settings},
	{"@calls@", doc_write_calls},
	{"@errors@", doc_write_errors},
};

static const struct mark *find_mark(const char *line)
{
	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (text_equal(marks[i].line, line))
			return &marks[i];
	return NULL;
}

static int put_line(const char *path, const char *line)
{
	const struct mark *mark = find_mark(line);
	if (mark) {
		mark->write(stdout);
	} else if (line[0] == '@') {
		fprintf(stderr, "moa-doc: %s: there is no table %s\n", path, line);
		return EXIT_FAILURE;
	} else {
		puts(line);
	}
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct error err;
	owned_mem char *page = NULL;
	if (argc != 2) {
		fputs("Usage: moa-doc FILE\n", stderr);
		return EXIT_USAGE;
	}
	if (file_read(argv[1], PAGE_MAX, &page, NULL, &err) < 0) {
		fprintf(stderr, "moa-doc: %s\n", err.message);
		return EXIT_FAILURE;
	}
	char *rest = page, *line;
	int status = EXIT_SUCCESS;
	while (status == EXIT_SUCCESS && (line = strsep(&rest, "\n")) && (rest || line[0]))
		status = put_line(argv[1], line);
	return fflush(stdout) == 0 ? status : EXIT_FAILURE;
}
