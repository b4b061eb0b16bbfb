/* Makes reading cheaper while there is much of it, for drivers where starting to read costs system calls: see
 * anchor.c. */
#pragma once
#include <stdint.h>

struct anchor;

/* URL is borrowed as long as the anchor lives. */
struct anchor *anchor_new(const char *url);
void anchor_free(struct anchor *anchor);
/* Counts one look-up; the first busy moment starts the thread. */
void anchor_count(struct anchor *anchor);
