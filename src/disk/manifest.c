/* manifest.json of a template: written last, so its presence says that the images beside it are whole. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/text.h"
#include "disk/internal.h"
#include "json/reader.h"
#include "json/writer.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { MANIFEST_MAX = 1 << 20, MANIFEST_VERSION = 1 };

void manifest_done(struct manifest *manifest)
{
	free(take(manifest->packages));
}

/* Mapped bytes and whether the image the manifest speaks of is there at all. */
static bool measure_image(const char *dir, const char *file, int64_t *bytes)
{
	char path[PATH_MAX];
	struct stat st;
	if (!text_format(path, sizeof(path), "%s/%s", dir, file) || lstat(path, &st) < 0 ||
		!S_ISREG(st.st_mode))
		return false;
	*bytes += (int64_t)st.st_blocks * 512;
	return true;
}

static int fill(
	const struct json *root, const char *dir, const char *name, struct manifest *ret, struct error *err)
{
	struct manifest read = {.info.created_s = json_get_int(root, "created", -1)};
	if (json_get_int(root, "version", -1) != MANIFEST_VERSION || read.info.created_s < 0 ||
		!text_equal(json_get_text(root, "name", ""), name))
		return err_set(err, ERR_INTERNAL, "the manifest is of something else");
	const struct json *images = json_get(root, "images");
	read.info.has_kvm = json_get(images, "kvm") && measure_image(dir, "kvm.raw", &read.info.size_bytes);
	read.info.has_ovz = json_get(images, "ovz") && measure_image(dir, "ovz.raw", &read.info.size_bytes);
	if (!read.info.has_kvm && !read.info.has_ovz)
		return err_set(err, ERR_INTERNAL, "the manifest's images are missing");
	text_copy(read.info.name, sizeof(read.info.name), name);
	text_copy(read.info.sha256, sizeof(read.info.sha256), json_get_text(root, "sha256", ""));
	read.packages = mem_strdup(json_get_text(root, "packages", ""));
	*ret = read;
	return 0;
}

int manifest_read(const char *dir, const char *name, struct manifest *ret, struct error *err)
{
	char path[PATH_MAX];
	owned_mem char *text = NULL;
	size_t len;
	if (!text_format(path, sizeof(path), "%s/manifest.json", dir))
		return err_set(err, ERR_INVALID, "path too long");
	int rc = file_read(path, MANIFEST_MAX, &text, &len, err);
	if (rc < 0)
		return rc;
	owned(json_free) struct json *root = NULL;
	rc = json_parse(text, len, &root, err);
	if (rc == 0)
		rc = fill(root, dir, name, ret, err);
	return rc < 0 ? err_wrap(err, "%s", path) : 0;
}

static void add_image(struct json_writer *writer, const char *dir, const char *type)
{
	char path[PATH_MAX];
	struct stat st;
	if (!text_format(path, sizeof(path), "%s/%s.raw", dir, type) || lstat(path, &st) < 0)
		return;
	json_open_object(writer, type);
	json_add_int(writer, "size", st.st_size);
	json_add_int(writer, "mapped", (int64_t)st.st_blocks * 512);
	json_close_object(writer);
}

int manifest_write(const char *dir, const struct manifest *manifest, struct error *err)
{
	owned_in(buffer_done) struct buffer text = BUFFER_INIT(MANIFEST_MAX);
	struct json_writer writer = JSON_WRITER(&text);
	json_open_object(&writer, NULL);
	json_add_int(&writer, "version", MANIFEST_VERSION);
	json_add_text(&writer, "name", manifest->info.name);
	json_add_int(&writer, "created", manifest->info.created_s);
	json_open_object(&writer, "images");
	add_image(&writer, dir, "kvm");
	add_image(&writer, dir, "ovz");
	json_close_object(&writer);
	json_add_text(&writer, "sha256", manifest->info.sha256);
	json_add_text(&writer, "packages", manifest->packages ? manifest->packages : "");
	json_close_object(&writer);
	if (text.overflowed)
		return err_set(err, ERR_TOO_LARGE, "the manifest is too large");
	char path[PATH_MAX];
	if (!text_format(path, sizeof(path), "%s/manifest.json", dir))
		return err_set(err, ERR_INVALID, "path too long");
	return file_write_atomic(path, text.data, text.len, 0600, err);
}
