#include "json/writer.h"
#include <string.h>

static void add_escape(struct buffer *out, unsigned unit)
{
	static const char digits[] = "0123456789abcdef";
	char text[6] = {'\\', 'u', digits[unit >> 12 & 15], digits[unit >> 8 & 15], digits[unit >> 4 & 15],
		digits[unit & 15]};
	buffer_add(out, text, sizeof(text));
}

static void add_code_point(struct buffer *out, unsigned code_point)
{
	if (code_point < 0x10000) {
		add_escape(out, code_point);
		return;
	}
	add_escape(out, 0xd800 + ((code_point - 0x10000) >> 10));
	add_escape(out, 0xdc00 + ((code_point - 0x10000) & 0x3ff));
}

/* Decodes one sequence of RFC 3629; returns its length, 1 with U+FFFD for a byte that starts none. */
static size_t decode_utf8(const unsigned char *text, size_t len, unsigned *ret)
{
	static const struct {
		unsigned char mask, lead;
		unsigned min;
	} forms[] = {{0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
	*ret = 0xfffd;
	for (size_t more = 1; more <= 3; more++) {
		if ((text[0] & forms[more - 1].mask) != forms[more - 1].lead)
			continue;
		if (more >= len)
			return 1;
		unsigned code_point = text[0] & (unsigned char)~forms[more - 1].mask;
		for (size_t i = 1; i <= more; i++) {
			if ((text[i] & 0xc0) != 0x80)
				return 1;
			code_point = code_point << 6 | (text[i] & 0x3f);
		}
		bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
		if (code_point < forms[more - 1].min || code_point > 0x10ffff || surrogate)
			return 1;
		*ret = code_point;
		return more + 1;
	}
	return 1;
}

/* What stands after the backslash for characters with a short escape, 0 for the others. */
static char short_escape(unsigned char byte)
{
	switch (byte) {
	case '"':
	case '\\':
	case '/':
		return (char)byte;
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return 0;
	}
}

static bool is_plain(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\' && byte != '/';
}

/* What stands for one byte, or one sequence, that is not plain; returns how many bytes that was. */
static size_t add_special(struct buffer *out, const unsigned char *text, size_t len)
{
	char escape = short_escape(text[0]);
	unsigned code_point = text[0];
	size_t used = 1;
	if (escape) {
		buffer_add(out, (char[]){'\\', escape}, 2);
		return 1;
	}
	if (text[0] == 0x7f) {
		buffer_add_byte(out, 0x7f); /* json_encode leaves DEL as it is */
		return 1;
	}
	if (text[0] >= 0x80)
		used = decode_utf8(text, len, &code_point);
	add_code_point(out, code_point);
	return used;
}

static size_t plain_run(const unsigned char *text, size_t len)
{
	size_t run = 0;
	while (run < len && is_plain(text[run]))
		run++;
	return run;
}

static void add_quoted(struct buffer *out, const char *bytes, size_t len)
{
	const unsigned char *text = (const unsigned char *)bytes;
	size_t run = plain_run(text, len);
	char *place = run == len ? buffer_reserve(out, len + 2) : NULL;
	/* Most texts are plain and go in at once. */
	if (place) {
		place[0] = '"';
		if (len) /* bytes may be NULL then */
			memcpy(place + 1, bytes, len);
		place[len + 1] = '"';
		buffer_commit(out, len + 2);
		return;
	}
	buffer_add_byte(out, '"');
	for (size_t i = 0; i < len;) {
		run = plain_run(text + i, len - i);
		buffer_add(out, bytes + i, run);
		i += run;
		if (i < len)
			i += add_special(out, text + i, len - i);
	}
	buffer_add_byte(out, '"');
}

static void begin_value(struct json_writer *writer, const char *key)
{
	if (writer->comma)
		buffer_add_byte(writer->out, ',');
	if (key) {
		add_quoted(writer->out, key, strlen(key));
		buffer_add_byte(writer->out, ':');
	}
	writer->comma = true;
}

void json_add_key(struct json_writer *writer, const char *quoted, size_t len)
{
	size_t comma_len = writer->comma;
	char *place = buffer_reserve(writer->out, comma_len + len);
	if (!place)
		return;
	place[0] = ',';
	memcpy(place + comma_len, quoted, len);
	buffer_commit(writer->out, comma_len + len);
	writer->comma = false;
}

static void open_with(struct json_writer *writer, const char *key, char bracket)
{
	begin_value(writer, key);
	buffer_add_byte(writer->out, bracket);
	writer->comma = false;
}

static void close_with(struct json_writer *writer, char bracket)
{
	buffer_add_byte(writer->out, bracket);
	writer->comma = true;
}

void json_open_object(struct json_writer *writer, const char *key)
{
	open_with(writer, key, '{');
}

void json_close_object(struct json_writer *writer)
{
	close_with(writer, '}');
}

void json_open_array(struct json_writer *writer, const char *key)
{
	open_with(writer, key, '[');
}

void json_close_array(struct json_writer *writer)
{
	close_with(writer, ']');
}

void json_add_bytes(struct json_writer *writer, const char *key, const char *bytes, size_t len)
{
	begin_value(writer, key);
	add_quoted(writer->out, bytes, len);
}

void json_add_text(struct json_writer *writer, const char *key, const char *text)
{
	if (text)
		json_add_bytes(writer, key, text, strlen(text));
	else
		json_add_null(writer, key);
}

void json_add_int(struct json_writer *writer, const char *key, int64_t number)
{
	char digits[24];
	char *at = digits + sizeof(digits);
	uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
	do
		*--at = (char)('0' + left % 10);
	while (left /= 10);
	if (number < 0)
		*--at = '-';
	begin_value(writer, key);
	buffer_add(writer->out, at, (size_t)(digits + sizeof(digits) - at));
}

void json_add_bool(struct json_writer *writer, const char *key, bool value)
{
	begin_value(writer, key);
	buffer_add_text(writer->out, value ? "true" : "false");
}

void json_add_null(struct json_writer *writer, const char *key)
{
	begin_value(writer, key);
	buffer_add_text(writer->out, "null");
}

void json_add_raw(struct json_writer *writer, const char *key, const char *json, size_t len)
{
	begin_value(writer, key);
	buffer_add(writer->out, json, len);
}
