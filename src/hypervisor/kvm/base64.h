/* Base64 (RFC 4648, section 4) as the guest agent's protocol wants it. What is decoded comes from a hostile
 * guest. */
#pragma once
#include "base/buffer.h"
#include <stdbool.h>
#include <stddef.h>

/* Appends LEN bytes as base64, with padding. */
void agent_base64_encode(const void *bytes, size_t len, struct buffer *out);
/* Appends what TEXT decodes to, at most KEEP bytes of it; *truncated becomes true when there was more. False,
 * with OUT as it was, for anything that is not whole, padded base64 without spaces. */
bool agent_base64_decode(const char *text, size_t keep, struct buffer *out, bool *truncated);
