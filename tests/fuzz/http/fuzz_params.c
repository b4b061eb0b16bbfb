/* libFuzzer target for the parser of urlencoded text: whatever comes, each parameter is terminated where it
 * says and nothing grows. */
#include "http/internal.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct param_list list = {.limit = 256};
	bool is_within = params_parse(&arena, &list, (const char *)bytes, len);
	size_t total = 0;
	assert(list.count <= list.limit && (is_within || list.count == list.limit));
	for (size_t i = 0; i < list.count; i++) {
		assert(list.items[i].value[list.items[i].value_len] == '\0');
		total += strlen(list.items[i].name) + list.items[i].value_len;
	}
	assert(total <= len);
	return 0;
}
