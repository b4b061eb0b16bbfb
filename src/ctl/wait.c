#include "ctl/ctl.h"
#include "base/text.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ASK_EVERY_MS = 200, LINE_WIDTH = 76 };

struct progress {
	bool on_terminal;
	char last[256];
};

/* A terminal sees one line that changes, a log a line for each thing that changes. */
static void show(struct progress *progress, const struct json *work)
{
	char line[256];
	snprintf(line, sizeof(line), "%3lld %% %.200s", (long long)json_get_int(work, "percent", 0),
		json_get_text(work, "message", ""));
	if (text_equal(line, progress->last))
		return;
	text_copy(progress->last, sizeof(progress->last), line);
	if (progress->on_terminal)
		fprintf(stderr, "\r%-*.*s", LINE_WIDTH, LINE_WIDTH, line);
	else
		fprintf(stderr, "%s\n", line);
	fflush(stderr);
}

static enum ctl_exit finish(struct progress *progress, bool quiet, const struct json *work)
{
	bool done = text_equal(json_get_text(work, "state", ""), "done");
	if (!quiet && progress->on_terminal)
		fprintf(stderr, "\r%-*s\r", LINE_WIDTH, "");
	if (done)
		return CTL_OK;
	fprintf(stderr, "moactl: it failed and was undone: %s\n", json_get_text(work, "work_error", ""));
	return CTL_FAILED;
}

enum ctl_exit ctl_wait(struct ctl *ctl, int64_t work_id)
{
	struct progress progress = {.on_terminal = isatty(STDERR_FILENO)};
	const char *body = arena_printf(&ctl->arena, "{\"id\":%lld}", (long long)work_id);
	for (;;) {
		owned(json_free) struct json *work = NULL;
		const char *text;
		struct error err;
		if (ctl_ask(ctl, "work/show", body, &work, &text, &err) < 0) {
			fprintf(stderr, "moactl: work %lld goes on, but: %s\n", (long long)work_id,
				err_text(&err));
			return CTL_UNREACHABLE;
		}
		const char *state = json_get_text(work, "state", "");
		if (text_equal(state, "done") || text_equal(state, "failed"))
			return finish(&progress, ctl->quiet, work);
		if (!ctl->quiet)
			show(&progress, work);
		poll(NULL, 0, ASK_EVERY_MS);
	}
}
