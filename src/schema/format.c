/* What a parameter takes: the rule of each format and the sentence that tells it, side by side. */
#include "schema/schema.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/name.h"
#include "model/vps.h"
#include <stdio.h>
#include <string.h>

static bool is_any(const char *text)
{
	(void)text;
	return true;
}

static bool is_ip(const char *text)
{
	return name_is_ipv4(text) || name_is_ipv6(text);
}

static bool is_vps_type(const char *text)
{
	enum vps_type ignored;
	return vps_type_from_name(text, &ignored);
}

static bool is_sha256(const char *text)
{
	return strlen(text) == 64 && text_only(text, TEXT_DIGITS "abcdef");
}

static bool is_absolute_path(const char *text)
{
	return text[0] == '/';
}

static const struct {
	bool (*is)(const char *text);
	const char *takes;
	bool is_short; /* the form itself bounds its length */
} formats[] = {
	[FORMAT_ANY] = {is_any, "a text"},
	[FORMAT_HOSTNAME] = {name_is_hostname, "a host name (letters, digits, hyphens and dots)"},
	[FORMAT_TEMPLATE] = {name_is_template, "a template's name such as debian-12-x86_64"},
	[FORMAT_IDENTIFIER] = {name_is_identifier, "a name (letters, digits, dots, hyphens, underscores)"},
	[FORMAT_LOCATION] = {name_is_location, "a location such as USCA_1", true},
	[FORMAT_EMAIL] = {name_is_email, "an email address", true},
	[FORMAT_IPV4] = {name_is_ipv4, "an IPv4 address", true},
	[FORMAT_IP] = {is_ip, "an IP address", true},
	[FORMAT_VPS_TYPE] = {is_vps_type, "kvm or ovz", true},
	[FORMAT_SHA256] = {is_sha256, "a SHA-256 checksum of 64 lower-case hex digits", true},
	[FORMAT_PATH] = {is_absolute_path, "an absolute path"},
};

enum { TEXT_DEFAULT_MAX = 255 };

static int64_t text_max(const struct field *field)
{
	return field->options.max ? field->options.max : TEXT_DEFAULT_MAX;
}

static void size_takes(const struct field *field, char *place, size_t size)
{
	char min[24];
	if (field->options.min)
		snprintf(place, size, "a size such as 512M or 20G, of at least %s",
			text_bytes((uint64_t)field->options.min, min));
	else
		snprintf(place, size, "a size such as 512M or 20G");
}

static void text_takes(const struct field *field, char *place, size_t size)
{
	const char *takes = formats[field->options.format].takes;
	if (formats[field->options.format].is_short)
		snprintf(place, size, "%s", takes);
	else if (field->options.min)
		snprintf(place, size, "%s of %lld to %lld bytes", takes, (long long)field->options.min,
			(long long)text_max(field));
	else
		snprintf(place, size, "%s of at most %lld bytes", takes, (long long)text_max(field));
}

const char *field_takes(const struct field *field, char *place, size_t size)
{
	switch (field->type) {
	case FIELD_INT:
		snprintf(place, size, "a whole number from %lld to %lld", (long long)field->options.min,
			(long long)(field->options.max ? field->options.max : INT64_MAX));
		break;
	case FIELD_SIZE:
		size_takes(field, place, size);
		break;
	case FIELD_BOOL:
		snprintf(place, size, "1 or 0");
		break;
	case FIELD_TEXT:
	case FIELD_BYTES:
		text_takes(field, place, size);
		break;
	case FIELD_TEXTS:
	case FIELD_MAP:
	case FIELD_RAW:
	case FIELD_LIST:
	case FIELD_OBJECT:
	case FIELD_SPREAD:
		snprintf(place, size, "JSON");
		break;
	}
	return place;
}

int field_check_text(const struct field *field, const char *value, size_t len, struct error *err)
{
	bool fits = len <= (size_t)text_max(field) && (int64_t)len >= field->options.min;
	bool whole = field->type == FIELD_BYTES || memchr(value, '\0', len) == NULL;
	if (fits && whole && formats[field->options.format].is(value))
		return 0;
	char takes[160];
	return err_say(
		err, ERR_INVALID, "%s takes %s", field_wire(field), field_takes(field, takes, sizeof(takes)));
}
