#include "base/text.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool text_equal(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

bool text_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *text, const char *suffix)
{
	size_t len = strlen(text), suffix_len = strlen(suffix);
	return len >= suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

int text_index(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (text_equal(name, names[i]))
			return (int)i;
	return -1;
}

bool text_copy(char *place, size_t size, const char *text)
{
	size_t len = strlen(text);
	if (len >= size) {
		place[0] = '\0';
		return false;
	}
	memcpy(place, text, len + 1);
	return true;
}

bool text_format(char *place, size_t size, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int len = vsnprintf(place, size, format, args);
	va_end(args);
	if (len >= 0 && (size_t)len < size)
		return true;
	place[0] = '\0';
	return false;
}

bool text_to_int64(const char *text, int64_t min, int64_t max, int64_t *ret)
{
	const char *digits = text[0] == '-' ? text + 1 : text;
	if (!digits[0] || !text_only(digits, TEXT_DIGITS))
		return false;
	errno = 0;
	long long number = strtoll(text, NULL, 10);
	if (errno || number < min || number > max)
		return false;
	*ret = number;
	return true;
}

void text_hex(const void *bytes, size_t len, char *place)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *byte = bytes;
	for (size_t i = 0; i < len; i++) {
		place[2 * i] = digits[byte[i] >> 4];
		place[2 * i + 1] = digits[byte[i] & 15];
	}
	place[2 * len] = '\0';
}

bool text_only(const char *text, const char *allowed)
{
	return text[strspn(text, allowed)] == '\0';
}

/* The length of the valid sequence at TEXT, 0 when there is none. */
static size_t utf8_sequence(const unsigned char *text, size_t len)
{
	static const struct {
		unsigned char first_min, first_max, second_min, second_max;
		size_t len;
	} forms[] = {
		{0x00, 0x7f, 0x00, 0xff, 1},
		{0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (text[0] < forms[i].first_min || text[0] > forms[i].first_max)
			continue;
		if (forms[i].len > len)
			return 0;
		if (forms[i].len > 1 && (text[1] < forms[i].second_min || text[1] > forms[i].second_max))
			return 0;
		for (size_t k = 2; k < forms[i].len; k++)
			if ((text[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

bool text_is_utf8(const char *text, size_t len)
{
	while (len) {
		size_t step = utf8_sequence((const unsigned char *)text, len);
		if (!step)
			return false;
		text += step;
		len -= step;
	}
	return true;
}

static const char units[] = "KMGTP";

const char *text_bytes(uint64_t bytes, char place[24])
{
	double number = (double)bytes;
	int unit = -1;
	while (number >= 1024 && unit < 4) {
		number /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(place, 24, "%u B", (unsigned)bytes);
	else
		snprintf(place, 24, number < 10 ? "%.1f %ciB" : "%.0f %ciB", number, units[unit]);
	return place;
}

bool text_to_bytes(const char *text, uint64_t *ret)
{
	/* strtod also takes "0x10" and "1e3", which nobody means as a size. */
	char digits[32], *end;
	size_t len = strspn(text, TEXT_DIGITS ".");
	if (text[0] < '0' || text[0] > '9' || len >= sizeof(digits))
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	double number = strtod(digits, &end);
	if (*end)
		return false;
	text += len;
	const char *unit = *text && *text != ' ' ? strchr(units, *text & ~0x20) : NULL;
	for (int i = 0; unit && i <= unit - units; i++)
		number *= 1024;
	text += unit != NULL;
	bool ended = !*text || text_equal(text, "B") || (unit && text_equal(text, "iB"));
	if (!ended || number > 9e15)
		return false;
	*ret = (uint64_t)number;
	return true;
}
