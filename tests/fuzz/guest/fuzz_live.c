/* What a guest prints for the live program, whatever it is: no text that is not printable, no number out of
 * bounds. */
#include "guest/guest.h"
#include "base/owned.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t len);

static void assert_printable(const char *text, size_t max_len)
{
	assert(strlen(text) <= max_len);
	for (; *text; text++)
		assert(*text >= 0x20 && *text <= 0x7e);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t len)
{
	owned_in(arena_done) struct arena arena = ARENA_INIT;
	struct guest_live live;
	guest_live_parse((const char *)bytes, len, &arena, &live);
	assert_printable(live.hostname, 253);
	assert_printable(live.load_average, 64);
	const int64_t numbers[] = {live.mem_total_kb, live.mem_available_kb, live.swap_total_kb,
		live.swap_available_kb, live.conntrack_count, live.tcp_sockets, live.open_files};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		assert(numbers[i] >= 0 && numbers[i] <= (int64_t)1 << 53);
	return 0;
}
