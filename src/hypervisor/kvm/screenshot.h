/* hypervisor_ops.screenshot: fetches the picture from libvirt. Leaves what is in it to picture.c. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include "hypervisor/kvm/connection.h"

int kvm_screenshot_take(struct virt_connections *connections, const char *name, int timeout_ms,
	struct buffer *png, struct error *err);
