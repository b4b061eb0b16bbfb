/* The parser of application/x-www-form-urlencoded text, for queries and bodies, after the URL standard: pairs
 * between
 * '&', the first '=' ends the name, '+' is a space, %XX a byte, and a '%' without two hex digits stands for
 * itself. Values may hold NUL bytes; a %00 in a name stays literal, since a name is a C string and "key%00x"
 * must not pass for "key". Which parameters mean what is for others. */
#include "http/internal.h"
#include <string.h>

enum { FIRST_CAPACITY = 16 };

static int hex_digit(unsigned char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit |= 0x20;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Decodes in place and terminates: there is always a byte behind the text. Returns the new length. */
static size_t decode(char *text, size_t len, bool keeps_nul)
{
	char *to = text;
	for (size_t i = 0; i < len; i++) {
		int high, low;
		if (text[i] == '+') {
			*to++ = ' ';
		} else if (text[i] == '%' && len - i > 2 &&
			   (high = hex_digit((unsigned char)text[i + 1])) >= 0 &&
			   (low = hex_digit((unsigned char)text[i + 2])) >= 0 && (high | low || keeps_nul)) {
			*to++ = (char)(high << 4 | low);
			i += 2;
		} else {
			*to++ = text[i];
		}
	}
	*to = '\0';
	return (size_t)(to - text);
}

bool params_add(
	struct arena *arena, struct param_list *list, const char *name, const char *value, size_t value_len)
{
	if (list->count == list->limit)
		return false;
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : FIRST_CAPACITY;
		struct http_param *items = arena_array(arena, capacity, struct http_param);
		if (list->count)
			memcpy(items, list->items, list->count * sizeof(*items));
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count++] = (struct http_param){name, value, value_len};
	return true;
}

/* A raw NUL cannot be told from the end of a name, so a name ends there. */
static bool add_pair(struct arena *arena, struct param_list *list, char *pair, size_t len)
{
	char *equals = memchr(pair, '=', len);
	size_t name_len = equals ? (size_t)(equals - pair) : len;
	char *value = equals ? equals + 1 : pair + len;
	size_t value_len = decode(value, (size_t)(pair + len - value), true);
	decode(pair, name_len, false);
	return params_add(arena, list, pair, value, value_len);
}

bool params_parse(struct arena *arena, struct param_list *list, const char *text, size_t len)
{
	if (!len)
		return true;
	char *next = arena_strndup(arena, text, len), *end = next + len;
	while (next < end) {
		char *amper = memchr(next, '&', (size_t)(end - next));
		size_t pair_len = (size_t)((amper ? amper : end) - next);
		if (pair_len && !add_pair(arena, list, next, pair_len))
			return false;
		next += pair_len + 1;
	}
	return true;
}

bool http_add_params(struct http_request *request, const char *text, size_t len)
{
	struct exchange *exchange = exchange_of(request);
	bool is_within = params_parse(&request->arena, &exchange->params, text, len);
	request->params = exchange->params.items;
	request->param_count = exchange->params.count;
	return is_within;
}
