#include "ctl/ctl.h"
#include "base/buffer.h"
#include "base/text.h"
#include "http/ask.h"
#include <string.h>

enum { ANSWER_MAX = 256 << 20, TIMEOUT_MS = 180000 };

static int post(struct ctl *ctl, const char *wire, const char *body, struct buffer *answer, struct error *err)
{
	char target[128];
	text_format(target, sizeof(target), "/admin/%s", wire);
	struct http_ask ask = {.socket_path = ctl->socket_path,
		.target = target,
		.body = body,
		.body_len = strlen(body),
		.timeout_ms = TIMEOUT_MS};
	struct error why;
	int rc = http_ask(&ask, answer, &why);
	if (rc == 0)
		return 0;
	return err_say(err, ERR_UNAVAILABLE,
		"moad does not answer (%s). Does it run (moad, or systemctl start moad), and are you root?",
		why.message);
}

int ctl_ask(struct ctl *ctl, const char *wire, const char *body, struct json **ret, const char **ret_text,
	struct error *err)
{
	owned_in(buffer_done) struct buffer answer = BUFFER_INIT(ANSWER_MAX);
	int rc = post(ctl, wire, body, &answer, err);
	if (rc < 0)
		return rc;
	owned(json_free) struct json *json = NULL;
	if (json_parse(answer.data, answer.len, &json, err) < 0)
		return err_say(err, ERR_PROTOCOL, "moad answered something that is not JSON");
	*ret_text = arena_strdup(&ctl->arena, answer.data);
	if (json_get_int(json, "error", -1) != 0) {
		enum err_code code =
			(enum err_code)err_code_from_name(json_get_text(json, "kind", "internal"));
		return err_say(err, code, "%s", json_get_text(json, "message", "moad gave no reason"));
	}
	*ret = take(json);
	return 0;
}
