/* Pictures of a console whose QEMU may be in a guest's hands. */
#include "hypervisor/kvm/picture.h"
#include "base/owned.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	owned_in(buffer_done) struct buffer png = BUFFER_INIT(PICTURE_PNG_MAX);
	struct error err = {0};
	int rc = kvm_picture_to_png((const char *)bytes, len, &png, &err);
	assert((rc == 0) == (png.len > 0));
	return 0;
}
