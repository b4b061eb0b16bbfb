/* multipart/form-data (RFC 7578), as PHP's cURL and browsers send it, taken apart by libmicrohttpd's post
 * processor. Each part is a parameter; file names and types of parts are ignored. */
#include "http/internal.h"

enum { PROCESSOR_BUFFER = 4096 };

struct form {
	struct exchange *exchange;
	const char *name; /* of the part being read, in the arena; NULL before the first */
	struct buffer value;
	bool has_too_many;
};

static bool finish_part(struct form *form)
{
	if (!form->name)
		return true;
	struct arena *arena = &form->exchange->request.arena;
	const char *value = arena_strndup(arena, form->value.data, form->value.len);
	form->has_too_many = !params_add(arena, &form->exchange->params, form->name, value, form->value.len);
	form->name = NULL;
	buffer_clear(&form->value);
	return !form->has_too_many;
}

/* A part comes in pieces; the one at offset 0 begins it. */
static enum MHD_Result form_piece(void *context, enum MHD_ValueKind kind, const char *name,
	const char *file_name, const char *type, const char *encoding, const char *data, uint64_t offset,
	size_t size)
{
	struct form *form = context;
	(void)kind, (void)file_name, (void)type, (void)encoding;
	if (offset == 0) {
		if (!finish_part(form))
			return MHD_NO;
		form->name = arena_strdup(&form->exchange->request.arena, name ? name : "");
	}
	buffer_add(&form->value, data, size);
	return MHD_YES;
}

static bool process(struct form *form, const struct buffer *body)
{
	struct MHD_PostProcessor *processor =
		MHD_create_post_processor(form->exchange->mhd, PROCESSOR_BUFFER, form_piece, form);
	if (!processor)
		return false;
	enum MHD_Result is_parsed = MHD_post_process(processor, body->data, body->len);
	enum MHD_Result is_whole = MHD_destroy_post_processor(processor);
	return is_parsed == MHD_YES && is_whole == MHD_YES && !form->has_too_many && finish_part(form);
}

unsigned form_read(struct exchange *exchange)
{
	struct form form = {.exchange = exchange, .value = BUFFER_INIT(exchange->body.len + 1)};
	bool is_good = process(&form, &exchange->body);
	buffer_done(&form.value);
	return is_good ? 0 : MHD_HTTP_BAD_REQUEST;
}
