/* Reads what the live program printed inside a guest. The guest is hostile: every number is bounded, every
 * text is cut and made of printable ASCII, and nothing it prints is an error. */
#include "guest/guest.h"
#include "base/memory.h"
#include "base/text.h"
#include <stddef.h>
#include <string.h>

enum { HOSTNAME_MAX = 253, LOAD_MAX = 64 };
/* Numbers stay exact in JSON readers that know only doubles. */
#define NUMBER_MAX ((int64_t)1 << 53)

struct line {
	const char *key, *value;
	size_t key_len, value_len;
};

static bool take_line(const char **at, const char *end, struct line *ret)
{
	if (*at >= end)
		return false;
	const char *newline = memchr(*at, '\n', (size_t)(end - *at)), *stop = newline ? newline : end;
	const char *space = memchr(*at, ' ', (size_t)(stop - *at)), *key_stop = space ? space : stop;
	const char *value = space ? space + 1 : stop;
	*ret = (struct line){*at, value, (size_t)(key_stop - *at), (size_t)(stop - value)};
	*at = newline ? newline + 1 : end;
	return true;
}

/* The number VALUE starts with: digits, then a space or the end. */
static int64_t number_of(const char *value, size_t len)
{
	int64_t number = 0;
	size_t i = 0;
	for (; i < len && value[i] >= '0' && value[i] <= '9'; i++) {
		number = 10 * number + (value[i] - '0');
		if (number > NUMBER_MAX)
			return 0;
	}
	return i && (i == len || value[i] == ' ' || value[i] == '\t') ? number : 0;
}

static const char *printable(struct arena *arena, const char *value, size_t len)
{
	char *text = arena_strndup(arena, value, len < HOSTNAME_MAX ? len : HOSTNAME_MAX);
	for (char *byte = text; *byte; byte++)
		if (*byte < 0x20 || *byte > 0x7e)
			*byte = '?';
	return text;
}

static const char *load_of(struct arena *arena, const char *value, size_t len)
{
	if (len > LOAD_MAX)
		return "";
	const char *text = arena_strndup(arena, value, len);
	return strlen(text) == len && text_only(text, TEXT_DIGITS "./ ") ? text : "";
}

static const struct {
	const char *key;
	size_t offset;
} numbers[] = {
	{"MemTotal:", offsetof(struct guest_live, mem_total_kb)},
	{"MemAvailable:", offsetof(struct guest_live, mem_available_kb)},
	{"SwapTotal:", offsetof(struct guest_live, swap_total_kb)},
	{"SwapFree:", offsetof(struct guest_live, swap_available_kb)},
	{"conntrack", offsetof(struct guest_live, conntrack_count)},
	{"tcp", offsetof(struct guest_live, tcp_sockets)},
	{"files", offsetof(struct guest_live, open_files)},
};

static bool key_is(const struct line *line, const char *key)
{
	return line->key_len == strlen(key) && memcmp(line->key, key, line->key_len) == 0;
}

static void take_value(const struct line *line, struct arena *arena, struct guest_live *ret)
{
	if (key_is(line, "hostname") && !ret->hostname[0])
		ret->hostname = printable(arena, line->value, line->value_len);
	if (key_is(line, "load") && !ret->load_average[0])
		ret->load_average = load_of(arena, line->value, line->value_len);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		int64_t number = number_of(line->value, line->value_len);
		if (key_is(line, numbers[i].key))
			memcpy((char *)ret + numbers[i].offset, &number, sizeof(number));
	}
}

/* Output past its bound is not looked at, so a long one does not fill the arena. */
void guest_live_parse(const char *output, size_t len, struct arena *arena, struct guest_live *ret)
{
	enum { OUTPUT_MAX = 64 << 10 };
	const char *end = output + (len < OUTPUT_MAX ? len : OUTPUT_MAX);
	*ret = (struct guest_live){.hostname = "", .load_average = ""};
	struct line line;
	for (const char *at = output; take_line(&at, end, &line);)
		take_value(&line, arena, ret);
}
