/* The settings for the man page of moad.conf. */
#include "doc/doc.h"
#include "base/memory.h"
#include "base/text.h"
#include <inttypes.h>

struct setting {
	const char *section, *key; /* key NULL: the heading of a section */
	const char *kind, *doc;
	const char *text;
	int64_t number;
};

#define DEFAULT_text(value) .text = value
#define DEFAULT_int(value) .number = value
#define DEFAULT_size(value) .number = value
#define DEFAULT_flag(value) .number = value
#define SECTION(name, words) {.section = #name, .doc = words},
#define SETTING(name, setting_key, setting_kind, fallback, words) \
	{.section = #name, \
		.key = #setting_key, \
		.kind = #setting_kind, \
		.doc = words, \
		DEFAULT_##setting_kind(fallback)},
static const struct setting settings[] = {
#include "api/config.def"
};
#undef SECTION
#undef SETTING

static const char *takes(const struct setting *setting)
{
	if (text_equal(setting->kind, "int"))
		return "whole number";
	if (text_equal(setting->kind, "size"))
		return "size such as 512M or 20G";
	return text_equal(setting->kind, "flag") ? "yes or no" : "text";
}

static void put_default(FILE *out, const struct setting *setting)
{
	char size[24];
	if (text_equal(setting->kind, "flag"))
		fputs(setting->number ? "yes" : "no", out);
	else if (text_equal(setting->kind, "size"))
		fputs(doc_size(setting->number, size), out);
	else if (text_equal(setting->kind, "int"))
		fprintf(out, "%" PRId64, setting->number);
	else
		doc_put_scdoc(out, setting->text[0] ? setting->text : "empty");
}

static void put_setting(FILE *out, const struct setting *setting)
{
	fputc('*', out);
	doc_put_scdoc(out, setting->key);
	fprintf(out, "* = _%s_\n\t", takes(setting));
	doc_put_scdoc(out, setting->doc);
	fputs(" Default: ", out);
	put_default(out, setting);
	fputs(".\n\n", out);
}

void doc_write_settings(FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		const struct setting *setting = &settings[i];
		if (setting->key)
			put_setting(out, setting);
		else
			fprintf(out, "# SECTION [%s]\n\n%s\n\n", setting->section, setting->doc);
	}
}
