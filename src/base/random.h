/* Randomness from the kernel, for keys, passwords and names. */
#pragma once
#include <stddef.h>

void random_bytes(void *place, size_t len);
/* LEN characters drawn evenly from ALPHABET, and a NUL: PLACE holds LEN + 1 bytes. */
void random_text(char *place, size_t len, const char *alphabet);
