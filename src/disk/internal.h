/* What the files of this folder share and nobody else sees: the open pool, names below it, cloning, loop
 * devices and children without privileges. */
#pragma once
#include "disk/disk.h"
#include <limits.h>
#include <pthread.h>
#include <sys/types.h>

struct pool {
	char dir[PATH_MAX - 256]; /* room for every name below it */
	char mount_dir[PATH_MAX - 256];
	char image_path[PATH_MAX]; /* "" where dir is on a file system of the host's */
	bool reflinks;
	int lock_fd;		    /* shared lock: tmp is in use */
	pthread_mutex_t mount_lock; /* looking whether it is mounted and mounting is one step */
};

/* ---- pool.c ---- */

/* DIR/FORMAT... into PLACE of PATH_MAX bytes. */
int pool_path(const struct pool *pool, char *place, struct error *err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* A fresh name below tmp/ that starts with STEM. */
int pool_temporary(const struct pool *pool, const char *stem, char place[PATH_MAX], struct error *err);
/* Moves PATH below tmp/ in one step, so that nobody sees it half removed, and removes it there. Missing is
 * fine. */
int pool_discard(const struct pool *pool, const char *path, struct error *err);
/* ERR_CAPACITY when SIZE_BYTES do not fit into what is free minus the reserve. */
int pool_check_room(struct pool *pool, int64_t size_bytes, struct error *err);

/* ---- clone.c ---- */

/* Makes TO (which must not exist, mode 0600) a clone of FROM and syncs it; SIZE_BYTES 0 keeps the size. Where
 * the pool has no reflinks it copies what is no hole. Removes TO when it fails. */
int clone_file(
	const struct pool *pool, const char *from, const char *to, int64_t size_bytes, struct error *err);
/* Whether files of DIR can share blocks: tried with two files that are gone afterwards. */
int clone_probe(const char *dir, bool *ret, struct error *err);

/* ---- loop.c ---- */

/* Attaches the file to a free loop device that frees itself after its last use. *ret_fd keeps it until it is
 * mounted; NAME gets "/dev/loopN". */
int loop_attach(int image_fd, bool direct_io, int *ret_fd, char name[32], struct error *err);
/* The loop device below the file system mounted at PATH, when its backing file is IMAGE_PATH: an open fd, or
 * -1. */
int loop_open_mounted(const char *path, const char *image_path);
bool path_is_mount(const char *path);
/* Loop-mounts the image with the given type, flags and options. */
int loop_mount(const char *image_path, const char *at, const char *type, unsigned long flags,
	const char *options, bool direct_io, struct error *err);

/* ---- ext4.c ---- */

struct ext4_shape {
	int64_t block_bytes, block_count;
};
/* From the superblock; ERR_INVALID when the image holds no ext4. */
int ext4_read_shape(int image_fd, struct ext4_shape *ret, struct error *err);
/* Grows the mounted file system to IMAGE_BYTES; ERR_DENIED where this process lacks CAP_SYS_RESOURCE, as in
 * some containers and confined services. */
int ext4_grow(const char *mount_point, int image_fd, int64_t image_bytes, struct error *err);
/* Grows one that is not mounted to the size of its image. */
int ext4_grow_offline(const char *image_path, struct error *err);
/* Makes an empty file system for a template in the new file PATH. */
int ext4_make(const char *path, int64_t size_bytes, struct error *err);

/* ---- manifest.c ---- */

struct manifest {
	struct template_info info;
	char *packages; /* "name version" lines, "" for none; owned */
};
void manifest_done(struct manifest *manifest);
/* Reads DIR/manifest.json; an error when it is missing or not whole. Sizes are measured, not read. */
int manifest_read(const char *dir, const char *name, struct manifest *ret, struct error *err);
int manifest_write(const char *dir, const struct manifest *manifest, struct error *err);

/* ---- template.c ---- */

/* A template being made: a folder below tmp/ that becomes templates/<name> in one step. */
struct template_stage {
	struct pool *pool;
	char dir[PATH_MAX]; /* "" once it is in place */
};
void template_stage_done(struct template_stage *stage);
int template_stage_begin(struct pool *pool, const char *name, struct template_stage *ret, struct error *err);
/* DIR/<kvm|ovz>.raw of the stage are there, complete. Keeps the other type's image of an older template of
 * that name, writes the manifest and replaces the older one. */
int template_stage_commit(struct template_stage *stage, struct manifest *manifest, struct error *err);
/* Removes templates that were never finished. Only where nobody else has the pool open. */
int template_tidy(struct pool *pool, struct error *err);
int template_image_path(const struct pool *pool, const char *name, enum vps_type type, char place[PATH_MAX],
	struct error *err);

/* ---- qcow2.c ---- */

enum { QCOW2_HEADER_MAX = 65536 };
/* Checks the first LEN bytes of a qcow2 file (at most QCOW2_HEADER_MAX are needed): refuses whatever makes a
 * reader open another file or trust a key, and features it does not know. *ret_bytes is the size of the disk
 * inside. */
int qcow2_check(const unsigned char *bytes, size_t len, int64_t *ret_bytes, struct error *err);

/* ---- unpack.c ---- */

struct archive_size {
	int64_t bytes, entries; /* bytes as whole blocks */
};
/* Reads the whole archive in a child without privileges and says what it would take. */
int archive_measure(const char *path, struct archive_size *ret, struct error *err);
/* Unpacks it into the ext4 image, in a child that sees nothing else. */
int archive_unpack(const char *path, const char *image_path, const char *mount_point, struct error *err);

/* ---- unprivileged.c ---- */

enum child_rights {
	CHILD_NOBODY,	/* a user id of its own, no capabilities */
	CHILD_UNPACKER, /* root with only what giving files owners and modes takes; chrooted to DIR */
};
struct child {
	enum child_rights rights;
	const char *dir; /* working directory, entered after PREPARE */
	int keep_fd;	 /* the one file it may read; -1 for none */
	int timeout_ms;
	int64_t file_bytes_max, memory_bytes_max;
	/* Runs in the child while it still is root, in namespaces of its own: its mounts vanish with it. May
	 * be NULL. */
	int (*prepare)(void *context, struct error *err);
	/* Runs confined. Numbers for the parent go to RESULT. May exec. */
	int (*run)(void *context, int64_t result[2], struct error *err);
	void *context;
};
/* The child's result or its error. What it prints on standard error is in the message when it exits
 * otherwise. */
int child_run(const struct child *child, int64_t result[2], struct error *err);
enum { CHILD_UID = 65533 }; /* reserved by Debian's policy, so nothing else runs under it */
