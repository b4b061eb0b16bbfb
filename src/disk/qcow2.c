/* The header of a qcow2 file, read by ourselves before any other program opens it: a file that names a
 * backing file or an external data file would make its reader open whatever it names. Format:
 * docs/interop/qcow2.txt of QEMU. */
#include "disk/internal.h"
#include <endian.h>
#include <string.h>

enum { V2_BYTES = 72, V3_BYTES = 104, EXTENSIONS_MAX = 64 };
enum { CLUSTER_BITS_MIN = 9, CLUSTER_BITS_MAX = 21, TABLE_ENTRIES_MAX = 4 << 20, SNAPSHOTS_MAX = 1024 };
static const int64_t virtual_bytes_max = (int64_t)2 << 40;

/* Bits of incompatible_features that name nothing outside the file and leave it whole. */
enum { FEATURE_COMPRESSION = 1 << 3, FEATURE_EXTENDED_L2 = 1 << 4 };
static const uint64_t known_features = FEATURE_COMPRESSION | FEATURE_EXTENDED_L2;

enum { EXTENSION_END = 0, EXTENSION_DATA_FILE = 0x44415441, EXTENSION_ENCRYPTION = 0x0537be77 };
static const uint32_t extension_backing_format = 0xe2792aca;

static uint32_t word(const unsigned char *bytes, size_t at)
{
	uint32_t number;
	memcpy(&number, bytes + at, sizeof(number));
	return be32toh(number);
}

static uint64_t long_word(const unsigned char *bytes, size_t at)
{
	uint64_t number;
	memcpy(&number, bytes + at, sizeof(number));
	return be64toh(number);
}

static int check_extensions(const unsigned char *bytes, size_t len, size_t at, struct error *err)
{
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		if (at > len || len - at < 8)
			return err_say(err, ERR_INVALID, "The image's header is damaged.");
		uint32_t type = word(bytes, at), size = word(bytes, at + 4);
		if (type == EXTENSION_END)
			return 0;
		if (type == EXTENSION_DATA_FILE || type == extension_backing_format ||
			type == EXTENSION_ENCRYPTION)
			return err_say(
				err, ERR_INVALID, "The image depends on another file or is encrypted.");
		at += 8;
		if (size > len - at)
			return err_say(err, ERR_INVALID, "The image's header is damaged.");
		at += (size + 7u) & ~(size_t)7;
	}
	return err_say(err, ERR_INVALID, "The image's header is too long.");
}

static int check_version_3(const unsigned char *bytes, size_t len, struct error *err)
{
	if (len < V3_BYTES || word(bytes, 100) < V3_BYTES || word(bytes, 100) > len)
		return err_say(err, ERR_INVALID, "The image's header is damaged.");
	if (long_word(bytes, 72) & ~known_features)
		return err_say(err, ERR_INVALID, "The image is damaged, in use, split, or of a newer kind.");
	return check_extensions(bytes, len, word(bytes, 100), err);
}

static int check_bounds(const unsigned char *bytes, struct error *err)
{
	uint32_t cluster_bits = word(bytes, 20);
	uint64_t size = long_word(bytes, 24);
	if (cluster_bits < CLUSTER_BITS_MIN || cluster_bits > CLUSTER_BITS_MAX || size == 0 || size % 512 ||
		word(bytes, 36) > TABLE_ENTRIES_MAX || word(bytes, 60) > SNAPSHOTS_MAX)
		return err_say(err, ERR_INVALID, "The image's header is damaged.");
	if (size > (uint64_t)virtual_bytes_max)
		return err_say(err, ERR_TOO_LARGE, "The image is too large.");
	return 0;
}

int qcow2_check(const unsigned char *bytes, size_t len, int64_t *ret_bytes, struct error *err)
{
	if (len < V2_BYTES || memcmp(bytes, "QFI\xfb", 4) != 0)
		return err_say(err, ERR_INVALID, "The file is no qcow2 image.");
	uint32_t version = word(bytes, 4);
	if (version != 2 && version != 3)
		return err_say(err, ERR_INVALID, "The image is of an unknown version.");
	if (long_word(bytes, 8) || word(bytes, 16))
		return err_say(err, ERR_INVALID, "The image depends on a backing file.");
	if (word(bytes, 32))
		return err_say(err, ERR_INVALID, "The image is encrypted.");
	int rc = check_bounds(bytes, err);
	if (rc == 0)
		rc = version == 3 ? check_version_3(bytes, len, err)
				  : check_extensions(bytes, len, V2_BYTES, err);
	if (rc == 0)
		*ret_bytes = (int64_t)long_word(bytes, 24);
	return rc;
}
