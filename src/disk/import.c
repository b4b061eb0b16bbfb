/* Templates from files that anybody may have made. The file is copied into the pool while its checksum is
 * computed, and only that copy is looked at afterwards, so nobody can exchange it in between. Its first bytes
 * say what it is; conversion and unpacking happen in children without privileges. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/text.h"
#include "disk/internal.h"
#include "model/name.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

enum { COPY_BLOCK = 65536, CONVERT_TIMEOUT_MS = 1800000 };
static const int64_t convert_memory_bytes = (int64_t)2 << 30, image_slack_bytes = (int64_t)128 << 20,
		     step_bytes = (int64_t)256 << 20;

enum format { FORMAT_UNKNOWN, FORMAT_RAW, FORMAT_QCOW2, FORMAT_TAR };

struct importing {
	struct pool *pool;
	const struct template_import *import;
	char work[PATH_MAX];   /* of the stage, the child's working directory */
	char source[PATH_MAX]; /* our copy */
	char image[PATH_MAX];  /* what it becomes */
	unsigned char head[QCOW2_HEADER_MAX];
	size_t head_len;
	int64_t source_bytes;
};

static void tell(const struct template_import *import, int percent, const char *message)
{
	if (import->progress)
		import->progress(import->context, percent, message);
}

/* ---- copy and checksum ---- */

static bool is_zero(const unsigned char *block, size_t len)
{
	return block[0] == 0 && memcmp(block, block + 1, len - 1) == 0;
}

static int hash_and_copy(int from, int to, int64_t bytes_max, crypto_hash_sha256_state *state, int64_t *total,
	struct error *err)
{
	unsigned char block[COPY_BLOCK];
	for (*total = 0;;) {
		ssize_t got = read(from, block, sizeof(block));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(err, errno, "read");
		if (got == 0)
			return ftruncate(to, *total) < 0 ? err_errno(err, errno, "set the size") : 0;
		*total += got;
		if (*total > bytes_max)
			return err_say(err, ERR_CAPACITY, "The file grew while it was read.");
		crypto_hash_sha256_update(state, block, (unsigned long long)got);
		int rc = is_zero(block, (size_t)got)
				 ? (lseek(to, got, SEEK_CUR) < 0 ? err_errno(err, errno, "seek") : 0)
				 : fd_write_all(to, block, (size_t)got, err);
		if (rc < 0)
			return rc;
	}
}

static bool is_sha256(const char *text)
{
	return text && strlen(text) == 64 && text_only(text, TEXT_DIGITS "abcdefABCDEF");
}

static int copy_source(struct importing *job, int from, struct error *err)
{
	struct stat st;
	if (fstat(from, &st) < 0 || !S_ISREG(st.st_mode))
		return err_say(err, ERR_INVALID, "Only a regular file can be imported.");
	int rc = pool_check_room(job->pool, st.st_size, err);
	if (rc < 0)
		return rc;
	owned_fd int to = open(job->source, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to < 0)
		return err_errno(err, errno, "create %s", job->source);
	crypto_hash_sha256_state state;
	unsigned char hash[crypto_hash_sha256_BYTES];
	char hex[2 * sizeof(hash) + 1];
	crypto_hash_sha256_init(&state);
	rc = hash_and_copy(from, to, st.st_size, &state, &job->source_bytes, err);
	if (rc < 0)
		return rc;
	crypto_hash_sha256_final(&state, hash);
	text_hex(hash, sizeof(hash), hex);
	if (strcasecmp(hex, job->import->sha256) != 0)
		return err_say(err, ERR_INVALID, "The file's SHA-256 is another one: %s.", hex);
	ssize_t got = pread(to, job->head, sizeof(job->head), 0);
	if (got < 0)
		return err_errno(err, errno, "read");
	job->head_len = (size_t)got;
	/* The child runs under an id of its own and must be able to read it. */
	return fchown(to, CHILD_UID, CHILD_UID) < 0 && geteuid() == 0 ? err_errno(err, errno, "chown") : 0;
}

/* ---- what it is ---- */

static bool begins(const struct importing *job, size_t at, const void *bytes, size_t len)
{
	return job->head_len >= at + len && memcmp(job->head + at, bytes, len) == 0;
}

static enum format find_format(const struct importing *job)
{
	if (begins(job, 0, "QFI\xfb", 4))
		return FORMAT_QCOW2;
	if (begins(job, 257, "ustar", 5) || begins(job, 0, "\x1f\x8b", 2) ||
		begins(job, 0,
			"\xfd"
			"7zXZ",
			6) ||
		begins(job, 0, "\x28\xb5\x2f\xfd", 4) || begins(job, 0, "BZh", 3))
		return FORMAT_TAR;
	if (begins(job, 510, "\x55\xaa", 2))
		return FORMAT_RAW;
	return FORMAT_UNKNOWN;
}

/* ---- disks ---- */

static int take_raw(struct importing *job, struct error *err)
{
	if (job->source_bytes % 512)
		return err_say(err, ERR_INVALID, "The disk image does not end with a whole sector.");
	return rename(job->source, job->image) < 0 ? err_errno(err, errno, "rename to %s", job->image) : 0;
}

static int exec_convert(void *context, int64_t result[2], struct error *err)
{
	(void)context, (void)result;
	char *const argv[] = {(char *)"qemu-img", (char *)"convert", (char *)"-f", (char *)"qcow2",
		(char *)"-O", (char *)"raw", (char *)"source", (char *)"disk.raw", NULL};
	char *const env[] = {(char *)"PATH=/usr/bin:/bin", (char *)"LC_ALL=C", NULL};
	execve("/usr/bin/qemu-img", argv, env);
	return err_errno(err, errno, "start qemu-img");
}

static int take_qcow2(struct importing *job, struct error *err)
{
	int64_t bytes;
	int rc = qcow2_check(job->head, job->head_len, &bytes, err);
	if (rc < 0)
		return rc;
	tell(job->import, 40, "Converting the image");
	const struct child child = {.rights = CHILD_NOBODY,
		.dir = job->work,
		.keep_fd = -1,
		.run = exec_convert,
		.timeout_ms = CONVERT_TIMEOUT_MS,
		.file_bytes_max = bytes,
		.memory_bytes_max = convert_memory_bytes};
	rc = child_run(&child, NULL, err);
	if (rc < 0)
		return rc;
	char made[PATH_MAX];
	struct stat st;
	if (!text_format(made, sizeof(made), "%s/disk.raw", job->work) || lstat(made, &st) < 0 ||
		!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_size != bytes)
		return err_set(err, ERR_PROTOCOL, "the conversion left something else than the disk");
	return rename(made, job->image) < 0 ? err_errno(err, errno, "rename to %s", job->image) : 0;
}

/* ---- root file systems ---- */

/* Contents, an inode and a directory entry each, and what the file system itself takes. */
static int64_t image_size_for(const struct archive_size *size)
{
	int64_t bytes = size->bytes + size->entries * 512;
	bytes += bytes / 8 + image_slack_bytes;
	return (bytes + step_bytes - 1) / step_bytes * step_bytes;
}

static int take_tar(struct importing *job, struct error *err)
{
	struct archive_size size;
	char point[PATH_MAX];
	tell(job->import, 30, "Measuring the archive");
	int rc = archive_measure(job->source, &size, err);
	if (rc == 0)
		rc = pool_check_room(job->pool, size.bytes, err);
	if (rc < 0)
		return rc;
	if (!text_format(point, sizeof(point), "%s/root", job->work) || mkdir(point, 0700) < 0)
		return err_errno(err, errno, "mkdir %s", point);
	rc = ext4_make(job->image, image_size_for(&size), err);
	if (rc < 0)
		return rc;
	tell(job->import, 50, "Unpacking the archive");
	return archive_unpack(job->source, job->image, point, err);
}

static int convert(struct importing *job, struct error *err)
{
	enum format format = find_format(job);
	bool wants_tar = job->import->type == VPS_OVZ;
	if (format == FORMAT_UNKNOWN)
		return err_say(
			err, ERR_INVALID, "The file is neither a disk image nor an archive that is known.");
	if (wants_tar != (format == FORMAT_TAR))
		return err_say(err, ERR_INVALID,
			wants_tar ? "A container template is imported from a tar archive."
				  : "A KVM template is imported from a raw or qcow2 disk.");
	switch (format) {
	case FORMAT_RAW:
		return take_raw(job, err);
	case FORMAT_QCOW2:
		return take_qcow2(job, err);
	case FORMAT_TAR:
		return take_tar(job, err);
	case FORMAT_UNKNOWN:
		break;
	}
	return err_set(err, ERR_INTERNAL, "no such format");
}

/* ---- the whole ---- */

static int prepare_work(struct importing *job, const struct template_stage *stage, struct error *err)
{
	if (!text_format(job->work, sizeof(job->work), "%s/work", stage->dir) ||
		!text_format(job->source, sizeof(job->source), "%s/work/source", stage->dir) ||
		!text_format(job->image, sizeof(job->image), "%s/%s.raw", stage->dir,
			vps_type_name(job->import->type)))
		return err_set(err, ERR_INVALID, "path too long");
	if (mkdir(job->work, 0700) < 0)
		return err_errno(err, errno, "mkdir %s", job->work);
	return chown(job->work, CHILD_UID, CHILD_UID) < 0 && geteuid() == 0 ? err_errno(err, errno, "chown")
									    : 0;
}

static int run_import(struct importing *job, struct template_stage *stage, int from, struct error *err)
{
	int rc = template_stage_begin(job->pool, job->import->name, stage, err);
	if (rc == 0)
		rc = prepare_work(job, stage, err);
	if (rc < 0)
		return rc;
	tell(job->import, 5, "Copying and checking the file");
	rc = copy_source(job, from, err);
	if (rc == 0)
		rc = convert(job, err);
	return rc < 0 ? rc : dir_remove_tree(job->work, err);
}

int template_import(struct pool *pool, const struct template_import *import, struct error *err)
{
	if (!is_sha256(import->sha256))
		return err_say(err, ERR_INVALID, "The SHA-256 must be 64 hexadecimal digits.");
	owned_fd int from = open(import->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (from < 0)
		return err_errno(err, errno, "open %s", import->path);
	owned_in(template_stage_done) struct template_stage stage = {0};
	owned_mem struct importing *job = mem_new(struct importing);
	*job = (struct importing){.pool = pool, .import = import};
	int rc = run_import(job, &stage, from, err);
	if (rc < 0)
		return err_wrap(err, "import %s", import->name);
	tell(import, 95, "Putting the template in place");
	struct manifest manifest = {.info.created_s = clock_unix_s()};
	text_copy(manifest.info.name, sizeof(manifest.info.name), import->name);
	text_copy(manifest.info.sha256, sizeof(manifest.info.sha256), import->sha256);
	rc = template_stage_commit(&stage, &manifest, err);
	if (rc == 0)
		tell(import, 100, "Done");
	return rc;
}
