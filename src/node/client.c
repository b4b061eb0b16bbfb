#include "node/client.h"
#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "http/ask.h"
#include "json/reader.h"
#include "json/writer.h"
#include <string.h>

enum { ANSWER_MAX = 16 << 20, DEFAULT_TIMEOUT_MS = 10000 };

static int read_answer(const struct call_row *row, const struct buffer *answer, void *reply,
	struct arena *arena, struct error *err)
{
	owned(json_free) struct json *json = NULL;
	int rc = json_parse(answer->data, answer->len, &json, err);
	if (rc < 0)
		return err_set(err, ERR_PROTOCOL, "the node answered no JSON");
	const char *name = json_get_text(json, "error", "protocol");
	if (text_equal(name, "none"))
		return record_from_json(&row->reply, json, arena, reply, err);
	const char *message = json_get_text(json, "message", ""), *said = json_get_text(json, "said", "");
	rc = err_set(err, (enum err_code)err_code_from_name(name), "node: %s", message);
	if (err)
		text_copy(err->said, sizeof(err->said), said);
	return rc;
}

static int post(const char *endpoint, const struct call_row *row, const struct buffer *question,
	struct buffer *answer, struct error *err)
{
	char target[128];
	text_format(target, sizeof(target), NODE_PATH "%s", row->wire);
	struct http_ask ask = {.socket_path = endpoint + strlen(NODE_UNIX),
		.target = target,
		.request_id = log_id(),
		.body = question->data,
		.body_len = question->len,
		.timeout_ms = row->options.timeout_ms ? row->options.timeout_ms : DEFAULT_TIMEOUT_MS};
	return http_ask(&ask, answer, err);
}

int node_ask(const char *endpoint, enum node_message message, const void *args, void *reply,
	struct arena *arena, struct error *err)
{
	const struct call_row *row = &node_messages[message];
	if (!text_starts(endpoint, NODE_UNIX))
		return err_set(err, ERR_UNSUPPORTED, "node endpoint %s is not unix:/path", endpoint);
	owned_in(buffer_done) struct buffer question = BUFFER_INIT(0), answer = BUFFER_INIT(ANSWER_MAX);
	struct json_writer writer = JSON_WRITER(&question);
	json_open_object(&writer, NULL);
	record_write(&row->args, args, &writer);
	json_close_object(&writer);
	int rc = post(endpoint, row, &question, &answer, err);
	mem_wipe(question.data, question.len);
	if (rc == 0)
		rc = read_answer(row, &answer, reply, arena, err);
	return rc < 0 ? err_wrap(err, "asking %s", row->wire) : 0;
}
