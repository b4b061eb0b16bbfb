/* Keys as anybody may paste them. What is accepted is printable, and accepted again without a change. */
#include "guest/guest.h"
#include "base/memory.h"
#include "base/owned.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t len);

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t len)
{
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct error err = {0};
	const char *keys = NULL, *again = NULL;
	char *text = arena_strndup(&arena, (const char *)bytes, len);
	if (ssh_keys_parse(text, &arena, &keys, &err) < 0) {
		assert(err.said[0] && !keys);
		return 0;
	}
	for (const char *byte = keys; *byte; byte++)
		assert(*byte == '\n' || (*byte >= 0x20 && *byte <= 0x7e));
	if (strlen(keys) <= 64 << 10) {
		assert(ssh_keys_parse(keys, &arena, &again, &err) == 0);
		assert(strcmp(keys, again) == 0);
	}
	assert(ssh_keys_shorten(keys, &arena));
	return 0;
}
