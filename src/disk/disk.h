/* The pool: a folder on a file system with reflinks that holds templates and the raw image of every VPS. Each
 * operation is whole or not done, and leaves nothing behind when it fails (a full disk is an ordinary error:
 * ERR_CAPACITY). Layout below the pool: templates/<name>/<type>.raw  and  templates/<name>/manifest.json
 *     vps/<veid>/disk.raw, vps/<veid>/seed.iso
 *     trash/<veid>-<unix seconds>/      deleted VPSs until their undo window ends
 *     tmp/                              what is being made; emptied at start
 * Names are checked here again (model/name.h): the store is not trusted with paths. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include "base/owned.h"
#include "model/vps.h"
#include <stdint.h>

struct pool;

struct pool_config {
	const char *dir;	/* "/var/lib/moa/pool" */
	const char *image_path; /* where dir has no reflinks: the XFS file that is mounted there; NULL to
				   refuse */
	int64_t image_bytes;	/* its (sparse) size when it is made */
	const char *mount_dir;	/* where container images are mounted: "/var/lib/moa/node/mnt" */
	bool reflinks_required; /* false only for sim and unit tests: a clone then is a sparse copy */
};

/* Opens (making folders, and the loop file when needed), proves that FICLONE works, and empties tmp. Safe to
 * run again. */
int pool_open(const struct pool_config *config, struct pool **ret, struct error *err);
void pool_close(struct pool *pool);
OWNED_DEFINE(struct pool, pool_close);
/* Unmounts what pool_open mounted; for --remove and tests. */
int pool_unmount(const struct pool_config *config, struct error *err);

struct pool_space {
	int64_t total_bytes, free_bytes;
};
int pool_space(struct pool *pool, struct pool_space *ret, struct error *err);

/* ---- disks of VPSs ---- */

/* vps/<veid>/disk.raw becomes a reflink clone of the template, grown to SIZE_BYTES (sparse). Constant time.
 * One that exists already is replaced only when it is not complete (made under tmp and renamed). Refuses to
 * make a disk larger than what is free minus a reserve of 5 %: ERR_CAPACITY is for the operator, nothing is
 * left. */
int disk_create(struct pool *pool, int64_t veid, const char *template, enum vps_type type, int64_t size_bytes,
	struct error *err);
/* Moves vps/<veid> to trash; a missing one is fine. */
int disk_trash(struct pool *pool, int64_t veid, int64_t now_s, struct error *err);
/* Brings the newest trash of this VPS back; ERR_NOT_FOUND when there is none. */
int disk_untrash(struct pool *pool, int64_t veid, struct error *err);
/* Removes vps/<veid> and all its trash for good; missing is fine. */
int disk_delete(struct pool *pool, int64_t veid, struct error *err);
/* Absolute path of a VPS's image or seed ISO into PLACE; the file need not exist. */
int disk_path(struct pool *pool, int64_t veid, char *place, size_t size, struct error *err);
int disk_seed_path(struct pool *pool, int64_t veid, char *place, size_t size, struct error *err);
/* Mapped bytes of the image (what it really takes), from the file's blocks. */
int disk_used(struct pool *pool, int64_t veid, int64_t *ret_bytes, struct error *err);
/* The same from inside a mounted container file system. */
struct disk_usage {
	int64_t used_bytes, total_bytes, used_inodes, total_inodes;
};
int disk_mounted_usage(struct pool *pool, int64_t veid, struct disk_usage *ret, struct error *err);

/* ---- container images on the host ---- */

/* Loop-mounts the image at <mount_dir>/<veid> (nodev, noatime, ext4), growing the file system to the image's
 * size (online). Not nosuid, as a container needs its setuid programs: <mount_dir> itself is closed to all
 * but root (0700) instead. Safe when mounted already; ERR_RUNNING when another image is mounted there. PLACE
 * gets the mount point. The image comes from a template of ours, never from a customer, yet is checked to be
 * ext4. */
int disk_mount(struct pool *pool, int64_t veid, char *place, size_t size, struct error *err);
/* Unmounts it and frees its loop device; not mounted is fine. */
int disk_unmount(struct pool *pool, int64_t veid, struct error *err);

/* ---- templates ---- */

struct template_info {
	char name[64];
	bool has_kvm, has_ovz;
	int64_t size_bytes; /* mapped bytes of both images */
	int64_t created_s;
	char sha256[65]; /* of what it was imported from; "" for a built one */
};
/* Calls FOUND for each complete template. */
int template_list(struct pool *pool, void (*found)(void *context, const struct template_info *info),
	void *context, struct error *err);
int template_get(struct pool *pool, const char *name, struct template_info *ret, struct error *err);
int template_remove(struct pool *pool, const char *name, struct error *err);

typedef void template_progress(void *context, int percent, const char *message);
struct template_build {
	const char *name;   /* "debian-12-x86_64" or "ubuntu-24.04-x86_64": says distribution and release */
	bool kvm, ovz;	    /* which images to make */
	const char *mirror; /* NULL: the host's own apt sources */
	const char *script_path; /* template-build, see dist/ */
	template_progress *progress;
	void *context;
};
/* Builds with mmdebstrap in a child; takes a minute or two. Replaces an older one of that name only when
 * whole. */
int template_build(struct pool *pool, const struct template_build *build, struct error *err);

struct template_import {
	const char *name;
	enum vps_type type;
	const char *path;   /* a local file the operator names: raw or qcow2 disk (kvm), tar archive of a root
			       (ovz) */
	const char *sha256; /* 64 hex digits, required */
	template_progress *progress;
	void *context;
};
/* The file is hostile: the format is what its first bytes say and must be what the type takes, qcow2 with a
 * backing file, an external data file or encryption is refused, conversion and unpacking run in an
 * unprivileged child with limits. */
int template_import(struct pool *pool, const struct template_import *import, struct error *err);
