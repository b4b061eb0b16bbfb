/* Time: unix seconds for the wire and the store, monotonic milliseconds for waiting. */
#pragma once
#include <stdint.h>

int64_t clock_unix_s(void);
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);
