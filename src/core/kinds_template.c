/* The works of templates: build, import, remove. */
#include "core/inner.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/stat.h>

enum { NOBODY = 65534 };

static struct host *host_of(struct work_context *context)
{
	return context->owner;
}

static const char *text_arg(struct work_context *context, const char *key)
{
	return json_get_text(context->args, key, "");
}

static int refuse_simulated(struct work_context *context, struct error *err)
{
	if (!host_of(context)->config.simulated)
		return 0;
	return err_say(err, ERR_UNSUPPORTED, "A node that only simulates has no templates of its own");
}

static void show_progress(void *context, int percent, const char *message)
{
	work_progress(context, percent * 95 / 100, message);
}

static int build(struct work_context *context, struct error *err)
{
	int rc = refuse_simulated(context, err);
	if (rc < 0)
		return rc;
	const char *type = text_arg(context, "type"), *mirror = text_arg(context, "mirror");
	struct template_build request = {
		.name = text_arg(context, "name"),
		.kvm = !text_equal(type, "ovz"),
		.ovz = !text_equal(type, "kvm"),
		.mirror = mirror[0] ? mirror : NULL,
		.script_path = host_of(context)->config.template_script,
		.progress = show_progress,
		.context = context,
	};
	return template_build(host_of(context)->pool, &request, err);
}

static int sync_store(struct work_context *context, struct error *err)
{
	return host_sync_templates(host_of(context), err);
}

static const struct work_step build_steps[] = {
	{"build", 0, "Building", build, NULL},
	{"record", 98, "Recording", sync_store, NULL},
};
const struct work_kind work_template_build = {"template_build", build_steps, ARRAY_LEN(build_steps)};

/* The node runs as root but opens an operator's file as nobody, so that the api process cannot make it read
 * what is root's alone. */
static int open_as_nobody(const char *path, struct error *err)
{
	int uid = setfsuid(NOBODY), gid = setfsgid(NOBODY);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int open_errno = errno;
	setfsgid((gid_t)gid);
	setfsuid((uid_t)uid);
	if (fd >= 0)
		return fd;
	if (open_errno == EACCES)
		return err_say(err, ERR_DENIED, "The file must be readable by everyone");
	return err_say(err, ERR_NOT_FOUND, "The file cannot be opened");
}

static int import(struct work_context *context, struct error *err)
{
	int rc = refuse_simulated(context, err);
	if (rc < 0)
		return rc;
	owned_fd int fd = open_as_nobody(text_arg(context, "file"), err);
	if (fd < 0)
		return fd;
	struct stat status;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return err_say(err, ERR_INVALID, "file takes a regular file");
	char path[64];
	text_format(path, sizeof(path), "/proc/self/fd/%d", fd);
	struct template_import request = {.name = text_arg(context, "name"),
		.path = path,
		.sha256 = text_arg(context, "sha256"),
		.progress = show_progress,
		.context = context};
	if (!vps_type_from_name(text_arg(context, "type"), &request.type))
		return err_say(err, ERR_INVALID, "type takes kvm or ovz");
	return template_import(host_of(context)->pool, &request, err);
}

static const struct work_step import_steps[] = {
	{"import", 0, "Importing", import, NULL},
	{"record", 98, "Recording", sync_store, NULL},
};
const struct work_kind work_template_import = {"template_import", import_steps, ARRAY_LEN(import_steps)};

static int remove_template(struct work_context *context, struct error *err)
{
	int rc = refuse_simulated(context, err);
	if (rc < 0)
		return rc;
	rc = template_remove(host_of(context)->pool, text_arg(context, "name"), err);
	return rc == -ERR_NOT_FOUND ? 0 : rc;
}

static const struct work_step remove_steps[] = {
	{"remove", 0, "Removing", remove_template, NULL},
	{"record", 98, "Recording", sync_store, NULL},
};
const struct work_kind work_template_remove = {"template_remove", remove_steps, ARRAY_LEN(remove_steps)};
