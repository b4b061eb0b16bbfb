/* Base64 both ways. Leaves bounds on the input to its callers, and keeps the one on the output. */
#include "hypervisor/kvm/base64.h"
#include "base/text.h"
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

static const char alphabet[] = TEXT_UPPER TEXT_LOWER TEXT_DIGITS "+/";

void agent_base64_encode(const void *bytes, size_t len, struct buffer *out)
{
	const uint8_t *in = bytes;
	for (size_t i = 0; i < len; i += 3) {
		size_t some = len - i < 3 ? len - i : 3;
		uint32_t group = (uint32_t)in[i] << 16;
		if (some > 1)
			group |= (uint32_t)in[i + 1] << 8;
		if (some > 2)
			group |= in[i + 2];
		char four[4] = {alphabet[group >> 18], alphabet[group >> 12 & 63],
			some > 1 ? alphabet[group >> 6 & 63] : '=', some > 2 ? alphabet[group & 63] : '='};
		buffer_add(out, four, sizeof(four));
	}
}

static int value_of(char digit)
{
	if (digit >= 'A' && digit <= 'Z')
		return digit - 'A';
	if (digit >= 'a' && digit <= 'z')
		return digit - 'a' + 26;
	if (digit >= '0' && digit <= '9')
		return digit - '0' + 52;
	return digit == '+' ? 62 : digit == '/' ? 63 : -1;
}

/* Digits in front of the padding, or -1 when TEXT is no base64. */
static ssize_t count_digits(const char *text, size_t len)
{
	size_t digits = len;
	while (digits && len - digits < 2 && text[digits - 1] == '=')
		digits--;
	if (len % 4)
		return -1;
	for (size_t i = 0; i < digits; i++)
		if (value_of(text[i]) < 0)
			return -1;
	return (ssize_t)digits;
}

bool agent_base64_decode(const char *text, size_t keep, struct buffer *out, bool *truncated)
{
	ssize_t digits = count_digits(text, strlen(text));
	if (digits < 0)
		return false;
	uint32_t bits = 0;
	int bit_count = 0;
	size_t kept = 0;
	for (ssize_t i = 0; i < digits; i++) {
		bits = bits << 6 | (uint32_t)value_of(text[i]);
		bit_count += 6;
		if (bit_count < 8)
			continue;
		bit_count -= 8;
		if (kept++ == keep) {
			*truncated = true;
			break;
		}
		buffer_add_byte(out, (char)(bits >> bit_count & 0xff));
	}
	return true;
}
