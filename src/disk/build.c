/* Building a template from a distribution's packages: runs template-build on a folder below tmp/ and puts the
 * outcome in place. What goes into the images is the script's business. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "disk/internal.h"
#include <stdlib.h>
#include <string.h>

enum { BUILD_TIMEOUT_MS = 3600000, PACKAGES_MAX = 512 << 10, WORDS_MAX = 8, OUTPUT_KEPT = 1 << 20 };
static const int64_t build_bytes = (int64_t)3 << 30; /* trees and images together, at their largest */

struct listener {
	const struct template_build *build;
	char failure[256]; /* the last line that names one */
};

static void hear_progress(const struct template_build *build, const char *text)
{
	char *message;
	long percent = strtol(text, &message, 10);
	if (message == text || percent < 0 || percent > 100 || !build->progress)
		return;
	build->progress(build->context, (int)percent, message + strspn(message, " "));
}

static void hear_line(void *context, const char *line)
{
	struct listener *listener = context;
	if (text_starts(line, "progress "))
		hear_progress(listener->build, line + strlen("progress "));
	else if (text_starts(line, "E: ") || text_starts(line, "template-build: "))
		text_format(listener->failure, sizeof(listener->failure), "%.200s", line);
}

static int run_script(const struct template_build *build, const char *dir, struct error *err)
{
	const char *argv[WORDS_MAX] = {build->script_path, build->name, dir};
	size_t count = 3;
	if (build->kvm)
		argv[count++] = "--kvm";
	if (build->ovz)
		argv[count++] = "--ovz";
	if (build->mirror) {
		argv[count++] = "--mirror";
		argv[count++] = build->mirror;
	}
	struct listener listener = {.build = build};
	const struct process_request request = {.argv = argv,
		.timeout_ms = BUILD_TIMEOUT_MS,
		.max_output = OUTPUT_KEPT,
		.line = hear_line,
		.context = &listener};
	owned_in(process_result_done) struct process_result result;
	int rc = process_run(&request, &result, err);
	if (rc < 0)
		return rc;
	if (result.timed_out)
		return err_set(err, ERR_TIMEOUT, "building %s took too long", build->name);
	if (!result.exit_status)
		return 0;
	if (strstr(result.output.data, "No space left on device"))
		return err_say(err, ERR_CAPACITY, "The storage pool is full.");
	return err_set(err, ERR_IO, "building %s failed (%d): %s", build->name, result.exit_status,
		listener.failure);
}

static int read_packages(const char *dir, char **ret, struct error *err)
{
	char path[PATH_MAX];
	if (!text_format(path, sizeof(path), "%s/packages", dir))
		return err_set(err, ERR_INVALID, "path too long");
	int rc = file_read(path, PACKAGES_MAX, ret, NULL, err);
	if (rc == 0)
		unlink(path);
	return rc;
}

static int check_request(struct pool *pool, const struct template_build *build, struct error *err)
{
	if (!build->kvm && !build->ovz)
		return err_set(err, ERR_INVALID, "neither image is asked for");
	if (build->mirror && !text_starts(build->mirror, "http://") &&
		!text_starts(build->mirror, "https://") && !text_starts(build->mirror, "file:///"))
		return err_say(err, ERR_INVALID, "The mirror must be an http, https or file URL.");
	if (build->mirror && strpbrk(build->mirror, " \t\r\n"))
		return err_say(err, ERR_INVALID, "The mirror's URL has a space in it.");
	return pool_check_room(pool, build_bytes, err);
}

int template_build(struct pool *pool, const struct template_build *build, struct error *err)
{
	int rc = check_request(pool, build, err);
	if (rc < 0)
		return rc;
	owned_in(template_stage_done) struct template_stage stage = {0};
	owned_in(manifest_done) struct manifest manifest = {.info.created_s = clock_unix_s()};
	rc = template_stage_begin(pool, build->name, &stage, err);
	if (rc == 0)
		rc = run_script(build, stage.dir, err);
	if (rc == 0)
		rc = read_packages(stage.dir, &manifest.packages, err);
	if (rc < 0)
		return rc;
	text_copy(manifest.info.name, sizeof(manifest.info.name), build->name);
	return template_stage_commit(&stage, &manifest, err);
}
