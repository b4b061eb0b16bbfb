/* PPM to PNG. Older pairs of libvirt and QEMU send a PPM, newer ones a PNG. */
#include "hypervisor/kvm/picture.h"
#include "base/owned.h"
#include <png.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { NUMBER_MAX = 65535, COMPRESSION = 3 };
static const char png_signature[8] = "\x89PNG\r\n\x1a\n";

struct ppm {
	uint32_t width, height;
	const uint8_t *pixels; /* three bytes each */
};

struct cursor {
	const char *at, *end;
};

static bool is_space(char byte)
{
	return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* A number and the one space behind it; comments may stand in front. */
static bool read_number(struct cursor *cursor, uint32_t *ret)
{
	while (cursor->at < cursor->end && (is_space(*cursor->at) || *cursor->at == '#')) {
		if (*cursor->at++ != '#')
			continue;
		while (cursor->at < cursor->end && *cursor->at != '\n')
			cursor->at++;
	}
	uint32_t number = 0;
	const char *first = cursor->at;
	for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
		number = number * 10 + (uint32_t)(*cursor->at - '0');
		if (number > NUMBER_MAX)
			return false;
	}
	if (cursor->at == first || cursor->at == cursor->end || !is_space(*cursor->at))
		return false;
	cursor->at++;
	*ret = number;
	return true;
}

static bool read_ppm(const char *bytes, size_t len, struct ppm *ppm)
{
	struct cursor cursor = {bytes, bytes + len};
	uint32_t top;
	if (len < 3 || memcmp(bytes, "P6", 2) != 0 || !is_space(bytes[2]))
		return false;
	cursor.at += 2;
	if (!read_number(&cursor, &ppm->width) || !read_number(&cursor, &ppm->height) ||
		!read_number(&cursor, &top))
		return false;
	if (!ppm->width || !ppm->height || ppm->width > PICTURE_SIDE_MAX || ppm->height > PICTURE_SIDE_MAX ||
		top != 255)
		return false;
	ppm->pixels = (const uint8_t *)cursor.at;
	return (size_t)(cursor.end - cursor.at) >= (size_t)ppm->width * ppm->height * 3;
}

static void on_write(png_structp writer, png_bytep bytes, size_t len)
{
	buffer_add(png_get_io_ptr(writer), bytes, len);
}

static void on_flush(png_structp writer)
{
	(void)writer;
}

static void on_error(png_structp writer, png_const_charp words)
{
	(void)words;
	longjmp(png_jmpbuf(writer), 1);
}

static void on_warning(png_structp writer, png_const_charp words)
{
	(void)writer;
	(void)words;
}

/* libpng leaves by longjmp when something is wrong, so nothing here owns anything but the writer itself. */
static bool write_rows(png_structp writer, png_infop info, const struct ppm *ppm)
{
	if (setjmp(png_jmpbuf(writer)))
		return false;
	png_set_IHDR(writer, info, ppm->width, ppm->height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
		PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	png_set_compression_level(writer, COMPRESSION);
	png_write_info(writer, info);
	for (uint32_t row = 0; row < ppm->height; row++)
		png_write_row(writer, ppm->pixels + (size_t)row * ppm->width * 3);
	png_write_end(writer, NULL);
	return true;
}

static bool write_png(const struct ppm *ppm, struct buffer *png)
{
	png_structp writer = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
	png_infop info = writer ? png_create_info_struct(writer) : NULL;
	bool written = false;
	if (info) {
		png_set_write_fn(writer, png, on_write, on_flush);
		written = write_rows(writer, info, ppm);
	}
	png_destroy_write_struct(&writer, &info);
	return written;
}

int kvm_picture_to_png(const char *bytes, size_t len, struct buffer *png, struct error *err)
{
	struct ppm ppm;
	owned_in(buffer_done) struct buffer out = BUFFER_INIT(PICTURE_PNG_MAX);
	if (len > sizeof(png_signature) && memcmp(bytes, png_signature, sizeof(png_signature)) == 0)
		buffer_add(&out, bytes, len);
	else if (!read_ppm(bytes, len, &ppm))
		return err_set(err, ERR_PROTOCOL, "the console's picture is none");
	else if (!write_png(&ppm, &out))
		return err_set(err, ERR_INTERNAL, "libpng failed");
	if (out.overflowed)
		return err_set(
			err, ERR_TOO_LARGE, "the console's picture is over %d bytes as PNG", PICTURE_PNG_MAX);
	buffer_add(png, out.data, out.len);
	return png->overflowed ? err_set(err, ERR_TOO_LARGE, "the console's picture does not fit") : 0;
}
