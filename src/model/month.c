/* Calendar months, in UTC. */
#include "model/month.h"
#include <stdbool.h>
#include <time.h>

static struct tm utc_of(int64_t time_s)
{
	time_t time = (time_t)time_s;
	struct tm parts;
	gmtime_r(&time, &parts);
	return parts;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month == 1 && is_leap ? 29 : days[month];
}

int month_day(int64_t time_s)
{
	return utc_of(time_s).tm_mday;
}

int64_t month_next_s(int64_t time_s, int day)
{
	struct tm parts = utc_of(time_s);
	parts.tm_mon++;
	if (parts.tm_mon == 12) {
		parts.tm_mon = 0;
		parts.tm_year++;
	}
	int last = days_in_month(parts.tm_year + 1900, parts.tm_mon);
	parts.tm_mday = day < last ? day : last;
	return timegm(&parts);
}
