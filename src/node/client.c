#include "node/client.h"
#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "json/reader.h"
#include "json/writer.h"
#include <curl/curl.h>
#include <pthread.h>
#include <string.h>

enum { IDLE_MAX = 4, ANSWER_MAX = 16 << 20, DEFAULT_TIMEOUT_MS = 10000, CONNECT_TIMEOUT_MS = 3000 };

/* Idle handles keep their connection, so that asking again costs one round trip. */
struct node_client {
	pthread_mutex_t lock;
	CURL *idle[IDLE_MAX];
	size_t idle_count;
};

struct node_client *node_client_new(void)
{
	curl_global_init(CURL_GLOBAL_NOTHING);
	struct node_client *client = mem_new(struct node_client);
	pthread_mutex_init(&client->lock, NULL);
	return client;
}

void node_client_free(struct node_client *client)
{
	for (size_t i = 0; i < client->idle_count; i++)
		curl_easy_cleanup(client->idle[i]);
	pthread_mutex_destroy(&client->lock);
	free(client);
}

static CURL *handle_get(struct node_client *client)
{
	pthread_mutex_lock(&client->lock);
	CURL *curl = client->idle_count ? client->idle[--client->idle_count] : NULL;
	pthread_mutex_unlock(&client->lock);
	return curl ? curl : curl_easy_init();
}

static void handle_put(struct node_client *client, CURL *curl)
{
	curl_easy_reset(curl);
	pthread_mutex_lock(&client->lock);
	bool kept = client->idle_count < IDLE_MAX;
	if (kept)
		client->idle[client->idle_count++] = curl;
	pthread_mutex_unlock(&client->lock);
	if (!kept)
		curl_easy_cleanup(curl);
}

static size_t take_answer(char *bytes, size_t size, size_t count, void *context)
{
	struct buffer *answer = context;
	buffer_add(answer, bytes, size * count);
	return answer->overflowed ? 0 : size * count;
}

static int translate(CURLcode code, struct error *err)
{
	if (code == CURLE_OPERATION_TIMEDOUT)
		return err_set(err, ERR_TIMEOUT, "the node did not answer in time");
	return err_set(err, ERR_UNAVAILABLE, "the node does not answer: %s", curl_easy_strerror(code));
}

static int post(struct node_client *client, const char *socket_path, const struct call_row *row,
	const struct buffer *question, struct buffer *answer, struct error *err)
{
	CURL *curl = handle_get(client);
	if (!curl)
		return err_set(err, ERR_INTERNAL, "no curl handle");
	char url[128], id_header[64];
	text_format(url, sizeof(url), "http://node" NODE_PATH "%s", row->wire);
	text_format(id_header, sizeof(id_header), "X-Request-Id: %s", log_id());
	struct curl_slist type = { .data = (char *)"Content-Type: application/json", .next = NULL };
	struct curl_slist headers = { .data = id_header, .next = &type };
	long timeout_ms = row->options.timeout_ms ? row->options.timeout_ms : DEFAULT_TIMEOUT_MS;
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, &headers);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)question->len);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, question->data);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	CURLcode code = curl_easy_perform(curl);
	handle_put(client, curl);
	return code == CURLE_OK ? 0 : translate(code, err);
}

static int read_answer(const struct call_row *row, const struct buffer *answer, void *reply, struct arena *arena,
	struct error *err)
{
	owned(json_free) struct json *json = NULL;
	int rc = json_parse(answer->data, answer->len, &json, err);
	if (rc < 0)
		return err_set(err, ERR_PROTOCOL, "the node answered no JSON");
	const char *name = json_get_text(json, "error", "protocol");
	if (text_equal(name, "none"))
		return record_from_json(&row->reply, json, arena, reply, err);
	const char *message = json_get_text(json, "message", ""), *said = json_get_text(json, "said", "");
	enum err_code code = (enum err_code)err_code_from_name(name);
	rc = err_set(err, code, "node: %s", message);
	if (err)
		text_copy(err->said, sizeof(err->said), said);
	return rc;
}

int node_ask(struct node_client *client, const char *endpoint, enum node_message message, const void *args, void *reply,
	struct arena *arena, struct error *err)
{
	const struct call_row *row = &node_messages[message];
	if (!text_starts(endpoint, "unix:"))
		return err_set(err, ERR_UNSUPPORTED, "node endpoint %s is not unix:/path", endpoint);
	owned_in(buffer_done) struct buffer question = BUFFER_INIT(0), answer = BUFFER_INIT(ANSWER_MAX);
	struct json_writer writer = JSON_WRITER(&question);
	json_open_object(&writer, NULL);
	record_write(&row->args, args, &writer);
	json_close_object(&writer);
	int rc = post(client, endpoint + strlen("unix:"), row, &question, &answer, err);
	mem_wipe(question.data, question.len);
	if (rc == 0)
		rc = read_answer(row, &answer, reply, arena, err);
	return rc < 0 ? err_wrap(err, "asking %s", row->wire) : 0;
}
