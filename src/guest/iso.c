/* The seed as an ISO 9660 image, for guests with a CD drive. The only user of libarchive in this folder. The
 * same seed gives the same bytes: the times libarchive puts in for itself are overwritten. */
#include "guest/seed_files.h"
#include "base/fd.h"
#include "base/owned.h"
#include <archive.h>
#include <archive_entry.h>
#include <string.h>

enum { ISO_MAX = 4 << 20, SECTOR = 2048, FIRST_DESCRIPTOR = 16 };
/* ECMA-119 section 8: kinds of volume descriptors, and where they hold label, root folder and four dates.
 * Section 9: the record of a file or folder, its date, and its least length. */
enum { PRIMARY = 1, SUPPLEMENTARY = 2, LAST = 255, LABEL_AT = 40, ROOT_AT = 156 };
enum { DATES_AT = 813, DATE_LEN = 17, DATE_COUNT = 4, RECORD_DATE_AT = 18, RECORD_MIN = 34 };
static const unsigned char short_date[7] = {70, 1, 1, 0, 0, 0, 0};

static void writer_free(struct archive *writer)
{
	archive_write_free(writer);
}
OWNED_DEFINE(struct archive, writer_free);

static void entry_free(struct archive_entry *entry)
{
	archive_entry_free(entry);
}
OWNED_DEFINE(struct archive_entry, entry_free);

static la_ssize_t append(struct archive *writer, void *context, const void *bytes, size_t len)
{
	struct buffer *out = context;
	buffer_add(out, bytes, len);
	if (!out->overflowed)
		return (la_ssize_t)len;
	archive_set_error(writer, ARCHIVE_FATAL, "image too large");
	return -1;
}

static int archive_error(struct archive *writer, const char *what, struct error *err)
{
	const char *says = archive_error_string(writer);
	return err_set(err, ERR_IO, "seed image: %s: %s", what, says ? says : "failed");
}

static int add_entry(struct archive *writer, const char *name, const char *content, struct error *err)
{
	owned(entry_free) struct archive_entry *entry = archive_entry_new();
	size_t len = strlen(content);
	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0444);
	archive_entry_set_size(entry, (la_int64_t)len);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_atime(entry, 0, 0);
	archive_entry_set_ctime(entry, 0, 0);
	archive_entry_set_birthtime(entry, 0, 0);
	if (archive_write_header(writer, entry) < ARCHIVE_OK ||
		archive_write_data(writer, content, len) != (la_ssize_t)len)
		return archive_error(writer, name, err);
	return 0;
}

static int write_image(const struct seed *seed, struct buffer *out, struct error *err)
{
	struct seed_file files[SEED_FILES];
	owned(writer_free) struct archive *writer = archive_write_new();
	seed_files(seed, files);
	if (archive_write_set_format_iso9660(writer) != ARCHIVE_OK ||
		archive_write_set_options(writer, "volume-id=cidata,joliet,rockridge=useful") != ARCHIVE_OK ||
		archive_write_set_bytes_per_block(writer, SECTOR) != ARCHIVE_OK ||
		archive_write_open(writer, out, NULL, append, NULL) != ARCHIVE_OK)
		return archive_error(writer, "start", err);
	int rc = 0;
	for (size_t i = 0; i < SEED_FILES && rc == 0; i++)
		rc = add_entry(writer, files[i].name, files[i].content, err);
	if (rc == 0 && archive_write_close(writer) != ARCHIVE_OK)
		rc = archive_error(writer, "end", err);
	return rc;
}

/* A folder's records for itself and its parent, with the Rock Ridge times (RRIP 4.1.6, short form) behind
 * them. */
static void overwrite_folder(unsigned char *folder)
{
	size_t at = 0;
	for (int record = 0; record < 2; record++) {
		size_t len = folder[at];
		if (len < RECORD_MIN || at + len > SECTOR)
			return;
		memcpy(folder + at + RECORD_DATE_AT, short_date, sizeof(short_date));
		for (size_t i = at + RECORD_MIN; i + 5 <= at + len; i++) {
			if (memcmp(folder + i, "TF", 2) != 0 || folder[i + 3] != 1)
				continue;
			size_t end = i + folder[i + 2] < at + len ? i + folder[i + 2] : at + len;
			for (size_t k = i + 5; k + sizeof(short_date) <= end; k += sizeof(short_date))
				memcpy(folder + k, short_date, sizeof(short_date));
		}
		at += len;
	}
}

/* The label's case is kept, as other tools that make such seeds do. */
static void overwrite_descriptor(struct buffer *image, unsigned char *descriptor)
{
	for (size_t i = 0; i < DATE_COUNT; i++)
		memcpy(descriptor + DATES_AT + i * DATE_LEN, "1970010100000000", DATE_LEN);
	memcpy(descriptor + ROOT_AT + RECORD_DATE_AT, short_date, sizeof(short_date));
	if (descriptor[0] == PRIMARY)
		memcpy(descriptor + LABEL_AT, "cidata", 6);
	const unsigned char *extent = descriptor + ROOT_AT + 2;
	size_t root = extent[0] | (size_t)extent[1] << 8 | (size_t)extent[2] << 16;
	if ((root + 1) * SECTOR <= image->len)
		overwrite_folder((unsigned char *)image->data + root * SECTOR);
}

/* Behind the last descriptor libarchive leaves a note of when and how it was called. */
static void overwrite_dates(struct buffer *image)
{
	for (size_t sector = FIRST_DESCRIPTOR; (sector + 2) * SECTOR <= image->len; sector++) {
		unsigned char *descriptor = (unsigned char *)image->data + sector * SECTOR;
		if (descriptor[0] == PRIMARY || descriptor[0] == SUPPLEMENTARY)
			overwrite_descriptor(image, descriptor);
		if (descriptor[0] != LAST)
			continue;
		if (memcmp(descriptor + SECTOR, "INFO ", 5) == 0)
			memset(descriptor + SECTOR, 0, SECTOR);
		return;
	}
}

int seed_write_iso(const struct seed *seed, const char *path, mode_t mode, struct error *err)
{
	owned_in(buffer_done) struct buffer image = BUFFER_INIT(ISO_MAX);
	int rc = write_image(seed, &image, err);
	if (rc < 0)
		return rc;
	overwrite_dates(&image);
	return file_write_atomic(path, image.data, image.len, mode, err);
}
