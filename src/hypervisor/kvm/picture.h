/* The console's picture as PNG. What QEMU delivers is the guest's to choose, and QEMU itself may be in a
 * guest's hands: sizes are checked before anything is read. Pure. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include <stddef.h>

enum { PICTURE_PNG_MAX = 4 << 20, PICTURE_RAW_MAX = 32 << 20, PICTURE_SIDE_MAX = 4096 };

/* BYTES are a binary PPM ("P6", 8 bits a sample) or already a PNG; PNG gets a PNG of at most PICTURE_PNG_MAX
 * bytes. */
int kvm_picture_to_png(const char *bytes, size_t len, struct buffer *png, struct error *err);
