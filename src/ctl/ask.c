#include "ctl/ctl.h"
#include "base/buffer.h"
#include "base/text.h"
#include <curl/curl.h>

enum { ANSWER_MAX = 256 << 20, TIMEOUT_MS = 180000 };

static size_t take_answer(char *bytes, size_t size, size_t count, void *context)
{
	struct buffer *answer = context;
	buffer_add(answer, bytes, size * count);
	return answer->overflowed ? 0 : size * count;
}

static int post(struct ctl *ctl, const char *wire, const char *body, struct buffer *answer, struct error *err)
{
	CURL *curl = curl_easy_init();
	if (!curl)
		return err_say(err, ERR_INTERNAL, "libcurl does not start");
	char url[256];
	text_format(url, sizeof(url), "http://moad/admin/%s", wire);
	struct curl_slist type = { .data = (char *)"Content-Type: application/json", .next = NULL };
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, ctl->socket_path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, &type);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	CURLcode code = curl_easy_perform(curl);
	curl_easy_cleanup(curl);
	if (code == CURLE_OK)
		return 0;
	return err_say(err, ERR_UNAVAILABLE,
		"moad does not answer on %s (%s). Does it run (moad, or systemctl start moad), and are you root?",
		ctl->socket_path, curl_easy_strerror(code));
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
		enum err_code code = (enum err_code)err_code_from_name(json_get_text(json, "kind", "internal"));
		return err_say(err, code, "%s", json_get_text(json, "message", "moad gave no reason"));
	}
	*ret = take(json);
	return 0;
}
