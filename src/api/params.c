/* All the ways parameters come: query, forms, a JSON object (wire.md 1). What comes later wins, and the body
 * comes last. */
#include "api/inner.h"
#include "base/text.h"
#include <string.h>

struct collector {
	struct arena *arena;
	struct param *params;
	size_t count, capacity;
};

static void add_member(void *context, const char *key, const struct json *value)
{
	struct collector *collector = context;
	const char *text = json_text(value, NULL);
	size_t len = json_text_len(value);
	if (json_is_int(value))
		text = arena_printf(collector->arena, "%lld", (long long)json_int(value, 0));
	else if (json_is_bool(value))
		text = json_bool(value, false) ? "1" : "0";
	if (!text || collector->count == collector->capacity)
		return;
	if (!json_is_string(value))
		len = strlen(text);
	collector->params[collector->count++] = (struct param){
		arena_strdup(collector->arena, key), arena_strndup(collector->arena, text, len), len};
}

enum { JSON_MEMBERS_MAX = 64 };

static bool has_json_body(const struct http_request *request)
{
	return request->body_len && text_equal(request->content_type, "application/json");
}

int params_collect(struct http_request *request, struct param **ret, size_t *ret_count, struct error *err)
{
	bool with_json = has_json_body(request);
	struct collector collector = {.arena = &request->arena,
		.capacity = request->param_count + (with_json ? JSON_MEMBERS_MAX : 0)};
	collector.params = arena_array(&request->arena, collector.capacity + 1, struct param);
	for (size_t i = 0; i < request->param_count; i++) {
		const struct http_param *param = &request->params[i];
		collector.params[collector.count++] =
			(struct param){param->name, param->value, param->value_len};
	}
	if (with_json) {
		owned(json_free) struct json *json = NULL;
		if (json_parse(request->body, request->body_len, &json, err) < 0 || !json_is_object(json))
			return err_say(err, ERR_INVALID, "The body takes a JSON object");
		json_each(json, add_member, &collector);
	}
	*ret = collector.params;
	*ret_count = collector.count;
	return 0;
}
