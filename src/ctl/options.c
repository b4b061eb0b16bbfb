#include "ctl/ctl.h"
#include "base/buffer.h"
#include "base/fd.h"
#include "base/text.h"
#include "json/writer.h"
#include <string.h>

enum { VALUE_FILE_MAX = 1 << 20 };

const char *ctl_option_name(const struct field *field, char place[64])
{
	text_format(place, 64, "--%s", field->name);
	for (char *at = place; *at; at++)
		if (*at == '_')
			*at = '-';
	return place;
}

static const struct field *field_of_option(const struct call_row *row, const char *option, size_t len)
{
	for (size_t i = 0; i < row->args.count; i++) {
		char name[64];
		ctl_option_name(&row->args.fields[i], name);
		if (strlen(name) == len && strncmp(name, option, len) == 0)
			return &row->args.fields[i];
	}
	return NULL;
}

/* The first plain argument goes to the first positional field, and so on. */
static const struct field *positional_field(const struct call_row *row, size_t number)
{
	for (size_t i = 0; i < row->args.count; i++)
		if ((row->args.fields[i].options.flags & POSITIONAL) && number-- == 0)
			return &row->args.fields[i];
	return NULL;
}

bool ctl_take_common(struct ctl *ctl, const char *option, bool *ret_help)
{
	if (text_equal(option, "--json"))
		return ctl->json = true;
	if (text_equal(option, "--yes") || text_equal(option, "-y"))
		return ctl->yes = true;
	if (text_equal(option, "--no-wait"))
		return ctl->no_wait = true;
	if (text_equal(option, "--quiet") || text_equal(option, "-q"))
		return ctl->quiet = true;
	if (text_equal(option, "--help") || text_equal(option, "-h"))
		return *ret_help = true;
	return false;
}

struct options {
	struct ctl *ctl;
	const struct call_row *row;
	struct json_writer writer;
	const struct field *seen[64];
	size_t seen_count, positional_count;
};

/* A value that starts with "@" is a file's content, so that keys need not be typed. */
static int add_value(struct options *options, const struct field *field, const char *value, struct error *err)
{
	for (size_t i = 0; i < options->seen_count; i++)
		if (options->seen[i] == field)
			return err_say(err, ERR_INVALID, "%s is given twice", field->name);
	if (options->seen_count < sizeof(options->seen) / sizeof(options->seen[0]))
		options->seen[options->seen_count++] = field;
	if (value[0] != '@') {
		json_add_text(&options->writer, field_wire(field), value);
		return 0;
	}
	owned_mem char *content = NULL;
	size_t len;
	if (file_read(value + 1, VALUE_FILE_MAX, &content, &len, err) < 0)
		return err_say(
			err, ERR_INVALID, "%s: the file %.150s cannot be read", field->name, value + 1);
	json_add_bytes(&options->writer, field_wire(field), content, len);
	return 0;
}

/* One option; *INDEX moves past its value when it has one. */
static int take_option(struct options *options, int argc, char **argv, int *index, struct error *err)
{
	const char *option = argv[*index];
	size_t len = strcspn(option, "=");
	const struct field *field = field_of_option(options->row, option, len);
	if (!field)
		return err_say(err, ERR_INVALID, "there is no option %.60s; see --help", option);
	if (option[len] == '=')
		return add_value(options, field, option + len + 1, err);
	if (field->type == FIELD_BOOL)
		return add_value(options, field, "1", err);
	if (*index + 1 >= argc)
		return err_say(err, ERR_MISSING, "%.60s needs a value", option);
	return add_value(options, field, argv[++*index], err);
}

static int check_required(const struct options *options, struct error *err)
{
	for (size_t i = 0; i < options->row->args.count; i++) {
		const struct field *field = &options->row->args.fields[i];
		bool given = field->options.flags & OPTIONAL;
		for (size_t k = 0; k < options->seen_count; k++)
			given = given || options->seen[k] == field;
		char name[64], takes[160];
		if (given)
			continue;
		bool plain = field->options.flags & POSITIONAL;
		return err_say(err, ERR_MISSING, "%s is missing: it takes %s",
			plain ? field->name : ctl_option_name(field, name),
			field_takes(field, takes, sizeof(takes)));
	}
	return 0;
}

int ctl_read_options(struct ctl *ctl, const struct call_row *row, int argc, char **argv,
	const char **ret_json, bool *ret_help, struct error *err)
{
	owned_in(buffer_done) struct buffer body = BUFFER_INIT(0);
	struct options options = {.ctl = ctl, .row = row, .writer = JSON_WRITER(&body)};
	json_open_object(&options.writer, NULL);
	for (int i = 0; i < argc; i++) {
		const struct field *field;
		int rc = 0;
		if (ctl_take_common(ctl, argv[i], ret_help))
			continue;
		if (argv[i][0] == '-' && argv[i][1])
			rc = take_option(&options, argc, argv, &i, err);
		else if ((field = positional_field(row, options.positional_count++)))
			rc = add_value(&options, field, argv[i], err);
		else
			rc = err_say(
				err, ERR_INVALID, "\"%.60s\" is one argument too many; see --help", argv[i]);
		if (rc < 0)
			return rc;
	}
	json_close_object(&options.writer);
	*ret_json = arena_strdup(&ctl->arena, body.data);
	return *ret_help ? 0 : check_required(&options, err);
}
