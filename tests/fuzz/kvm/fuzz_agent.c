/* Answers of a hostile guest agent: both readers see every input. */
#include "hypervisor/kvm/agent_json.h"
#include "base/owned.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	enum { KEEP = 64 };
	owned_in(exec_result_done) struct exec_result result = {.output = BUFFER_INIT(KEEP)};
	struct error err = {0};
	bool exited = false;
	int64_t pid = 0;
	if (agent_read_pid((const char *)bytes, len, &pid, &err) == 0)
		assert(pid >= 1 && pid <= INT32_MAX);
	if (agent_read_status((const char *)bytes, len, KEEP, &exited, &result, &err) == 0 && exited)
		assert(result.exit_status >= 0 && result.exit_status <= 255);
	assert(result.output.len <= KEEP && !result.output.overflowed);
	return 0;
}
