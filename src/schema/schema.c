/* Finding rows and parameters by name. */
#include "schema/schema.h"
#include "base/text.h"
#include <string.h>

const char *field_wire(const struct field *field)
{
	return field->options.wire ? field->options.wire : field->name;
}

const struct call_row *call_row_find(const struct call_row *rows, size_t count, const char *wire)
{
	for (size_t i = 0; i < count; i++)
		if (text_equal(rows[i].wire, wire))
			return &rows[i];
	return NULL;
}

static char folded(const char **at)
{
	while (**at == '_')
		(*at)++;
	char byte = **at;
	if (byte)
		(*at)++;
	return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

/* wire.md 1: names match without regard to case and "_", for clients that send NewHostname or sshKeys. */
static bool same_loosely(const char *a, const char *b)
{
	for (;;) {
		char left = folded(&a), right = folded(&b);
		if (left != right)
			return false;
		if (!left)
			return true;
	}
}

static const struct param *last_match(const struct param *params, size_t count, const char *name,
	bool (*same)(const char *a, const char *b))
{
	for (size_t i = count; i-- > 0;)
		if (same(params[i].name, name))
			return &params[i];
	return NULL;
}

const struct param *param_find(const struct param *params, size_t count, const char *name, const char *alias)
{
	const struct param *found = last_match(params, count, name, text_equal);
	if (!found)
		found = last_match(params, count, name, same_loosely);
	if (!found && alias)
		found = last_match(params, count, alias, text_equal);
	return found;
}
