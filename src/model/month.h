/* The traffic month of a VPS: it turns on the day of its own anniversary, at the same time of day, in UTC.
 * Pure rules. */
#pragma once
#include <stdint.h>

/* The day of the month, 1 to 31. */
int month_day(int64_t time_s);
/* The same time of day on day DAY of the month after TIME_S, or on that month's last day if it is shorter.
 * Pass the day the VPS was made on, not that of the last turn, and a month that was cut short does not pull
 * the later ones with it. */
int64_t month_next_s(int64_t time_s, int day);
