/* Answers as the wire wants them: 200 for success and for errors alike, text/plain, one line (wire.md 1). */
#include "api/inner.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"

static const char content_type[] = "text/plain;charset=UTF-8";
/* A list of 100,000 VPSs is 30 MiB. */
enum { ANSWER_MAX = 256 << 20 };

struct wire_error {
	int64_t code;
	unsigned status;
	const char *sentence;
};

static struct wire_error wire_error_of(int code)
{
	switch (code) {
#define ERROR(name, wire, http_status, text) \
	case name: \
		return (struct wire_error){wire, http_status, text};
#include "api/errors.def"
#undef ERROR
	default:
		return wire_error_of(ERR_INTERNAL);
	}
}

static bool is_internal(int code)
{
	return wire_error_of(code).code == wire_error_of(ERR_INTERNAL).code;
}

/* What the customer may read. */
static const char *sentence_of(struct http_request *request, const struct error *err)
{
	struct wire_error wire = wire_error_of(err->code);
	if (err->said[0])
		return err->said;
	if (is_internal(err->code))
		return arena_printf(&request->arena, "%s, please quote request %s", wire.sentence, log_id());
	return wire.sentence;
}

static void send_json(
	struct http_request *request, const struct buffer *body, const char *const *headers, unsigned status)
{
	http_reply(request, status, content_type, body->data, body->len, headers);
}

void answer_error(struct http_request *request, const struct error *err, int64_t wait_s)
{
	owned_in(buffer_done) struct buffer body = BUFFER_INIT(0);
	struct json_writer writer = JSON_WRITER(&body);
	struct wire_error wire = wire_error_of(err->code);
	bool is_nameless = is_internal(err->code) && !log_id()[0];
	if (is_nameless) {
		char id[16];
		random_text(id, 10, TEXT_DIGITS TEXT_LOWER);
		log_id_set(id);
	}
	if (is_internal(err->code))
		log_error("%.64s: %s", request->path, err->message);
	json_open_object(&writer, NULL);
	json_add_int(&writer, "error", wire.code);
	json_add_text(&writer, "message", sentence_of(request, err));
	json_close_object(&writer);
	const char *headers[] = {
		"Retry-After", arena_printf(&request->arena, "%lld", (long long)wait_s), NULL};
	send_json(request, &body, wire.status == 429 ? headers : NULL, wire.status);
	if (is_nameless)
		log_id_set(NULL);
}

void answer_locked(struct http_request *request, const struct work *work)
{
	owned_in(buffer_done) struct buffer body = BUFFER_INIT(0);
	struct json_writer writer = JSON_WRITER(&body);
	struct wire_error wire = wire_error_of(ERR_LOCKED);
	json_open_object(&writer, NULL);
	json_add_int(&writer, "error", wire.code);
	json_add_text(&writer, "message", wire.sentence);
	json_add_text(&writer, "additionalErrorInfo", work->title);
	json_open_object(&writer, "additionalLockingInfo");
	json_add_int(&writer, "last_status_update_s_ago", clock_unix_s() - work->updated_s);
	json_add_int(&writer, "completed_percent", work->percent);
	json_add_text(&writer, "friendly_progress_message", work->message);
	json_close_object(&writer);
	json_close_object(&writer);
	send_json(request, &body, NULL, wire.status);
}

void answer_reply(struct http_request *request, const struct call_row *row, const void *reply)
{
	/* One buffer a thread: the memory of the last answer serves the next. */
	static _Thread_local struct buffer body = BUFFER_INIT(ANSWER_MAX);
	buffer_clear(&body);
	struct json_writer writer = JSON_WRITER(&body);
	json_open_object(&writer, NULL);
	record_write(&row->reply, reply, &writer);
	json_close_object(&writer);
	if (body.overflowed) {
		struct error err = {0};
		err_set(&err, ERR_TOO_LARGE, "%s answers more than %d bytes", row->wire, ANSWER_MAX);
		answer_error(request, &err, 0);
	} else {
		send_json(request, &body, NULL, 200);
	}
	if (body.capacity > 65536)
		buffer_done(&body);
}

void answer_operator_error(struct http_request *request, const struct error *err)
{
	owned_in(buffer_done) struct buffer body = BUFFER_INIT(0);
	struct json_writer writer = JSON_WRITER(&body);
	json_open_object(&writer, NULL);
	json_add_int(&writer, "error", wire_error_of(err->code).code);
	json_add_text(&writer, "kind", err_code_name(err->code));
	json_add_text(&writer, "message", err_text(err));
	json_close_object(&writer);
	send_json(request, &body, NULL, 200);
}
