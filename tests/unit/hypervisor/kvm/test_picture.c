/* Pictures as QEMU sends them, and as nobody should. */
#include "base/owned.h"
#include "hypervisor/kvm/picture.h"
#include <png.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_pixels_survive(void **state)
{
	(void)state;
	static const char ppm[] = "P6\n# made by hand\n3 2\n255\n\xff\0\0\0\xff\0\0\0\xff"
				  "\x01\x02\x03\x04\x05\x06\x07\x08\x09";
	owned_in(buffer_done) struct buffer png = BUFFER_INIT(1 << 20);
	struct error err = {0};
	assert_int_equal(kvm_picture_to_png(ppm, sizeof(ppm) - 1, &png, &err), 0);
	png_image image = {.version = PNG_IMAGE_VERSION};
	assert_int_equal(png_image_begin_read_from_memory(&image, png.data, png.len), 1);
	assert_int_equal(image.width, 3);
	assert_int_equal(image.height, 2);
	image.format = PNG_FORMAT_RGB;
	unsigned char pixels[18];
	assert_int_equal(png_image_finish_read(&image, NULL, pixels, 0, NULL), 1);
	assert_memory_equal(pixels, ppm + sizeof(ppm) - 1 - 18, 18);
}

static void test_png_passes(void **state)
{
	(void)state;
	static const char bytes[] = "\x89PNG\r\n\x1a\nwhatever";
	owned_in(buffer_done) struct buffer png = BUFFER_INIT(1 << 20);
	assert_int_equal(kvm_picture_to_png(bytes, sizeof(bytes) - 1, &png, NULL), 0);
	assert_int_equal(png.len, sizeof(bytes) - 1);
	assert_memory_equal(png.data, bytes, png.len);
}

static void test_refuses(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "P", "P6", "P6\n", "P5\n1 1\n255\nabc", "P6\n1 1\n255\nab",
		"P6\n0 1\n255\nabc", "P6\n1 0\n255\nabc", "P6\n1 1\n65535\nabcdef", "P6\n-1 1\n255\nabc",
		"P6\n4097 1\n255\nabc", "P6\n65536 65536\n255\nabc", "P6\n99999999999999999999 1\n255\nabc",
		"P6\n4096 4096\n255\nabc", "P6\n1 1\n255", "P6 # no end", "\x89PNG"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		owned_in(buffer_done) struct buffer png = BUFFER_INIT(1 << 20);
		assert_int_equal(kvm_picture_to_png(wrong[i], strlen(wrong[i]), &png, NULL), -ERR_PROTOCOL);
		assert_int_equal(png.len, 0);
	}
}

/* Noise does not compress: a guest can make its screen as large as this. */
static void test_noise_is_too_large(void **state)
{
	(void)state;
	static const char head[] = "P6\n1600 1200\n255\n";
	size_t len = sizeof(head) - 1 + 1600 * 1200 * 3;
	owned_mem char *ppm = malloc(len);
	assert_non_null(ppm);
	memcpy(ppm, head, sizeof(head) - 1);
	unsigned seed = 1;
	for (size_t i = sizeof(head) - 1; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		ppm[i] = (char)(seed >> 24);
	}
	owned_in(buffer_done) struct buffer png = BUFFER_INIT(16 << 20);
	assert_int_equal(kvm_picture_to_png(ppm, len, &png, NULL), -ERR_TOO_LARGE);
	assert_int_equal(png.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pixels_survive),
		cmocka_unit_test(test_png_passes),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_noise_is_too_large),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
