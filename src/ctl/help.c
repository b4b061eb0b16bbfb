/* Help, from the rows. */
#include "ctl/ctl.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>

static size_t noun_len(const struct call_row *row)
{
	return strcspn(row->wire, "/");
}

static bool is_of_noun(const struct call_row *row, const char *noun)
{
	return noun_len(row) == strlen(noun) && text_starts(row->wire, noun);
}

bool ctl_has_noun(const char *noun)
{
	for (size_t i = 0; i < ctl_row_count; i++)
		if (is_of_noun(&ctl_rows[i], noun))
			return true;
	return false;
}

static void print_line(const struct call_row *row)
{
	char verb[64];
	text_copy(verb, sizeof(verb), row->wire);
	char *slash = strchr(verb, '/');
	if (slash)
		*slash = ' ';
	printf("  %-18s %s\n", verb, row->options.doc);
}

void ctl_print_noun(const char *noun)
{
	printf("Usage: moactl %s VERB [ARGUMENT]…\n\n", noun);
	for (size_t i = 0; i < ctl_row_count; i++)
		if (is_of_noun(&ctl_rows[i], noun))
			print_line(&ctl_rows[i]);
	printf("\nmoactl %s VERB --help tells more.\n", noun);
}

void ctl_print_usage(void)
{
	fputs("Usage: moactl [OPTION]… NOUN [VERB] [ARGUMENT]…\n\n"
	      "Runs this Moa installation: moad must be up, and you must be root.\n\n",
		stdout);
	for (size_t i = 0; i < ctl_row_count; i++) {
		bool first_of_noun =
			i == 0 || noun_len(&ctl_rows[i]) != noun_len(&ctl_rows[i - 1]) ||
			strncmp(ctl_rows[i].wire, ctl_rows[i - 1].wire, noun_len(&ctl_rows[i])) != 0;
		if (first_of_noun && i)
			putchar('\n');
		print_line(&ctl_rows[i]);
	}
	fputs("\n"
	      "  -s, --socket PATH  admin socket (/run/moa/admin.sock, or MOA_ADMIN_SOCKET)\n"
	      "      --json         print the answer as JSON\n"
	      "  -y, --yes          do not ask before something is destroyed\n"
	      "      --no-wait      do not wait for queued work\n"
	      "  -q, --quiet        show no progress\n"
	      "  -h, --help         show help, also for a noun or a verb\n"
	      "  -V, --version      show the version\n\n"
	      "Exit status: 0 done, 1 failed, 2 wrong usage, 3 moad does not answer, 4 no such thing, 5 "
	      "locked.\n"
	      "See moactl(8).\n",
		stdout);
}

void ctl_print_verb(const struct call_row *row)
{
	char verb[64], name[64], takes[160];
	text_copy(verb, sizeof(verb), row->wire);
	char *slash = strchr(verb, '/');
	if (slash)
		*slash = ' ';
	printf("Usage: moactl %s", verb);
	for (size_t i = 0; i < row->args.count; i++)
		if (row->args.fields[i].options.flags & POSITIONAL)
			printf(" %s", row->args.fields[i].name);
	printf("%s\n\n%s\n", row->args.count ? " [OPTION]…" : "", row->options.doc);
	if (row->args.count)
		putchar('\n');
	for (size_t i = 0; i < row->args.count; i++) {
		const struct field *field = &row->args.fields[i];
		unsigned flags = field->options.flags;
		printf("  %-18s %s\n", flags & POSITIONAL ? field->name : ctl_option_name(field, name),
			field->options.doc);
		printf("  %-18s %s: %s\n", "", flags & OPTIONAL ? "optional" : "required",
			field_takes(field, takes, sizeof(takes)));
	}
	if (row->args.count)
		puts("\nA value @FILE is read from that file.");
}
