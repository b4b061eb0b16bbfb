/* Small helpers on C strings and the few text forms every folder needs. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool text_equal(const char *a, const char *b); /* NULL equals only NULL */
bool text_starts(const char *text, const char *prefix);
bool text_ends(const char *text, const char *suffix);
/* Where NAME stands in NAMES, or -1. */
int text_index(const char *name, const char *const *names, size_t count);
/* Copies into a fixed place; false, and "" there, when it does not fit. */
bool text_copy(char *place, size_t size, const char *text);
/* printf into a fixed place; false, and "" there, when it does not fit. */
bool text_format(char *place, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A whole decimal number, with nothing before or behind it, from MIN to MAX. */
bool text_to_int64(const char *text, int64_t min, int64_t max, int64_t *ret);
/* Writes 2*LEN lower-case hex digits and a NUL. */
void text_hex(const void *bytes, size_t len, char *place);
/* Whether every byte of TEXT is in ALLOWED. */
bool text_only(const char *text, const char *allowed);
/* Whether LEN bytes are valid UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool text_is_utf8(const char *text, size_t len);
/* Bytes as "20 GiB" for people, into PLACE of at least 24 bytes; returns PLACE. */
const char *text_bytes(uint64_t bytes, char place[24]);
/* "512M", "20G", "1.5T" or plain bytes (powers of 1024) into bytes. */
bool text_to_bytes(const char *text, uint64_t *ret);

#define TEXT_DIGITS "0123456789"
#define TEXT_LOWER "abcdefghijklmnopqrstuvwxyz"
#define TEXT_UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define TEXT_ALNUM TEXT_DIGITS TEXT_LOWER TEXT_UPPER
