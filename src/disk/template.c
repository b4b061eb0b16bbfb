/* Templates: what there is, taking one away, and putting a new one in the place of an older one at once. How
 * images come about is for build.c and import.c. */
#include "base/fd.h"
#include "base/text.h"
#include "disk/internal.h"
#include "model/name.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static int template_dir(const struct pool *pool, const char *name, char place[PATH_MAX], struct error *err)
{
	if (!name_is_template(name))
		return err_say(err, ERR_INVALID, "That is no name of a template.");
	return pool_path(pool, place, err, "templates/%s", name);
}

static int read_info(const struct pool *pool, const char *name, struct template_info *ret, struct error *err)
{
	char dir[PATH_MAX];
	int rc = template_dir(pool, name, dir, err);
	if (rc < 0)
		return rc;
	owned_in(manifest_done) struct manifest manifest = {0};
	rc = manifest_read(dir, name, &manifest, err);
	if (rc == 0)
		*ret = manifest.info;
	return rc;
}

int template_get(struct pool *pool, const char *name, struct template_info *ret, struct error *err)
{
	struct error why;
	int rc = read_info(pool, name, ret, &why);
	if (rc == 0)
		return 0;
	if (rc == -ERR_INVALID && !name_is_template(name))
		return err_say(err, ERR_INVALID, "That is no name of a template.");
	err_say(err, ERR_NOT_FOUND, "There is no template of that name.");
	return -ERR_NOT_FOUND;
}

int template_list(struct pool *pool, void (*found)(void *context, const struct template_info *info),
	void *context, struct error *err)
{
	char folder[PATH_MAX];
	int rc = pool_path(pool, folder, err, "templates");
	if (rc < 0)
		return rc;
	DIR *dir = opendir(folder);
	if (!dir)
		return err_errno(err, errno, "open %s", folder);
	for (struct dirent *entry; (entry = readdir(dir));) {
		struct template_info info;
		if (name_is_template(entry->d_name) && read_info(pool, entry->d_name, &info, NULL) == 0)
			found(context, &info);
	}
	closedir(dir);
	return 0;
}

/* Disks made from it are files of their own, so nothing depends on a template. */
int template_remove(struct pool *pool, const char *name, struct error *err)
{
	char dir[PATH_MAX];
	int rc = template_dir(pool, name, dir, err);
	if (rc < 0)
		return rc;
	if (access(dir, F_OK) < 0)
		return err_say(err, ERR_NOT_FOUND, "There is no template of that name.");
	return pool_discard(pool, dir, err);
}

int template_image_path(const struct pool *pool, const char *name, enum vps_type type, char place[PATH_MAX],
	struct error *err)
{
	struct template_info info;
	int rc = template_get((struct pool *)pool, name, &info, err);
	if (rc < 0)
		return rc;
	if (!(type == VPS_KVM ? info.has_kvm : info.has_ovz))
		return err_say(err, ERR_NOT_FOUND, "That template is not for this type of VPS.");
	return pool_path(pool, place, err, "templates/%s/%s.raw", name, vps_type_name(type));
}

/* The manifest is written last: a folder without one is what an older version or a broken restore left half
 * made. One with a manifest that cannot be read stays, for the operator to look at. */
int template_tidy(struct pool *pool, struct error *err)
{
	char folder[PATH_MAX], manifest[PATH_MAX];
	int rc = pool_path(pool, folder, err, "templates");
	if (rc < 0)
		return rc;
	DIR *dir = opendir(folder);
	if (!dir)
		return err_errno(err, errno, "open %s", folder);
	for (struct dirent *entry; rc == 0 && (entry = readdir(dir));) {
		if (!name_is_template(entry->d_name))
			continue;
		rc = pool_path(pool, manifest, err, "templates/%s/manifest.json", entry->d_name);
		if (rc < 0 || access(manifest, F_OK) == 0 || errno != ENOENT)
			continue;
		rc = pool_path(pool, manifest, err, "templates/%s", entry->d_name);
		if (rc == 0)
			rc = pool_discard(pool, manifest, err);
	}
	closedir(dir);
	return rc;
}

/* ---- a new one ---- */

int template_stage_begin(struct pool *pool, const char *name, struct template_stage *ret, struct error *err)
{
	char dir[PATH_MAX];
	int rc = template_dir(pool, name, dir, err);
	if (rc == 0)
		rc = pool_temporary(pool, "template", dir, err);
	if (rc == 0 && mkdir(dir, 0700) < 0)
		rc = err_errno(err, errno, "mkdir %s", dir);
	if (rc < 0)
		return rc;
	ret->pool = pool;
	text_copy(ret->dir, sizeof(ret->dir), dir);
	return 0;
}

void template_stage_done(struct template_stage *stage)
{
	if (stage->dir[0])
		dir_remove_tree(stage->dir, NULL);
	stage->dir[0] = '\0';
}

/* Syncs an image and gives it its owner and mode; *ret says whether there is one. */
static int settle_image(const char *dir, const char *type, bool *ret, struct error *err)
{
	char path[PATH_MAX];
	*ret = false;
	if (!text_format(path, sizeof(path), "%s/%s.raw", dir, type))
		return err_set(err, ERR_INVALID, "path too long");
	owned_fd int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "open %s", path);
	if (fchown(fd, geteuid(), getegid()) < 0 || fchmod(fd, 0600) < 0 || fsync(fd) < 0)
		return err_errno(err, errno, "sync %s", path);
	*ret = true;
	return 0;
}

static int keep_older(
	const struct template_stage *stage, const char *older, const char *type, struct error *err)
{
	char from[PATH_MAX], to[PATH_MAX];
	if (!text_format(from, sizeof(from), "%s/%s.raw", older, type) ||
		!text_format(to, sizeof(to), "%s/%s.raw", stage->dir, type))
		return err_set(err, ERR_INVALID, "path too long");
	return clone_file(stage->pool, from, to, 0, err);
}

/* Both images of a template that was made before, unless the new one brings its own. */
static int gather_images(const struct template_stage *stage, const struct manifest *manifest,
	const char *older, struct error *err)
{
	bool has_kvm, has_ovz;
	owned_in(manifest_done) struct manifest before = {0};
	int rc = settle_image(stage->dir, "kvm", &has_kvm, err);
	if (rc == 0)
		rc = settle_image(stage->dir, "ovz", &has_ovz, err);
	if (rc < 0)
		return rc;
	if (!has_kvm && !has_ovz)
		return err_set(err, ERR_INTERNAL, "a template without an image");
	if (manifest_read(older, manifest->info.name, &before, NULL) < 0)
		return 0;
	if (before.info.has_kvm && !has_kvm)
		rc = keep_older(stage, older, "kvm", err);
	if (rc == 0 && before.info.has_ovz && !has_ovz)
		rc = keep_older(stage, older, "ovz", err);
	return rc;
}

int template_stage_commit(struct template_stage *stage, struct manifest *manifest, struct error *err)
{
	char final[PATH_MAX];
	int rc = template_dir(stage->pool, manifest->info.name, final, err);
	if (rc == 0)
		rc = gather_images(stage, manifest, final, err);
	if (rc == 0)
		rc = manifest_write(stage->dir, manifest, err);
	if (rc < 0)
		return rc;
	bool replaces = access(final, F_OK) == 0;
	if (renameat2(AT_FDCWD, stage->dir, AT_FDCWD, final, replaces ? RENAME_EXCHANGE : RENAME_NOREPLACE) <
		0)
		return err_errno(err, errno, "put %s in place", final);
	/* After an exchange the stage holds the older template, which template_stage_done removes. */
	if (!replaces)
		stage->dir[0] = '\0';
	return dir_sync_of(final, err);
}
