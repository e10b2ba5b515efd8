/*
 * calendar.c - seconds since 1970 become a UTC date, and a date becomes
 * seconds.
 *
 * The C library's strftime(3) with its time zones would be 8 KB of the binary,
 * and an image made from scratch knows no zone but UTC.
 */
#include <stdio.h>
#include <time.h>

#include "core/calendar.h"
#include "core/instant.h"

struct civil {
	int64_t year;
	int month, day, hour, minute, second, weekday;
};

/* Days are counted from 1 March of a year 0, so that the leap day is the last
 * one of its year.  After 400 years, which are 146097 days, the calendar
 * repeats itself (ISO 8601). 1970-01-01 was a Thursday. */
static struct civil
civil(int64_t seconds)
{
	int64_t days = seconds / 86400, era, of_era, year, of_year;
	int rest = (int)(seconds % 86400), m;
	struct civil c;

	if (rest < 0) {
		rest += 86400;
		days--;
	}
	c.weekday = (int)((days % 7 + 11) % 7);
	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	of_era = days - era * 146097;
	year =
	    (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * year + year / 4 - year / 100);
	m = (int)((5 * of_year + 2) / 153);
	c.day = (int)(of_year - (153 * m + 2) / 5) + 1;
	c.month = m < 10 ? m + 3 : m - 9;
	c.year = year + era * 400 + (c.month <= 2);
	c.hour = rest / 3600;
	c.minute = rest / 60 % 60;
	c.second = rest % 60;
	return c;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar.  The year is taken
 * to begin in March, so that the leap day is its last one.  Then (153 m + 2) /
 * 5 is the number of days before month m. */
static int64_t
days(int year, int month, int day)
{
	int64_t y = year - (month < 3), m = (month + 9) % 12;

	return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day -
	    1 - 719468;
}

bool
calendar_seconds(const struct tm *tm, int64_t *seconds)
{
	static const uint8_t length[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30,
		31, 30, 31 };
	int year = tm->tm_year + 1900, month = tm->tm_mon + 1;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (year < 1 || year > 9999 || month < 1 || month > 12 ||
	    tm->tm_mday < 1 ||
	    tm->tm_mday > length[month - 1] + (month == 2 && leap) ||
	    tm->tm_hour < 0 || tm->tm_hour > 23 || tm->tm_min < 0 ||
	    tm->tm_min > 59 || tm->tm_sec < 0 || tm->tm_sec > 60)
		return false;
	*seconds = days(year, month, tm->tm_mday) * 86400 + tm->tm_hour * 3600 +
	    tm->tm_min * 60 + tm->tm_sec;
	return true;
}

bool
calendar_last_day(int64_t seconds)
{
	return civil(seconds + 86400).day == 1;
}

const char *
calendar_text(
    int64_t seconds, enum calendar_form form, char out[static CALENDAR_TEXT])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct civil c = civil(seconds);
	const char *day = days + 3 * c.weekday,
		   *month = months + 3 * c.month - 3;
	long long year = c.year;

	switch (form) {
	case CALENDAR_LOG:
		(void)snprintf(out, CALENDAR_TEXT,
		    "%.3s %.3s %2d %02d:%02d:%02d UTC %lld", day, month, c.day,
		    c.hour, c.minute, c.second, year);
		break;
	case CALENDAR_HTTP:
		(void)snprintf(out, CALENDAR_TEXT,
		    "%.3s, %02d %.3s %04lld %02d:%02d:%02d GMT", day, c.day,
		    month, year, c.hour, c.minute, c.second);
		break;
	case CALENDAR_SYSLOG:
		(void)snprintf(out, CALENDAR_TEXT, "%.3s %2d %02d:%02d:%02d",
		    month, c.day, c.hour, c.minute, c.second);
		break;
	case CALENDAR_DAY:
		(void)snprintf(out, CALENDAR_TEXT, "%04lld-%02d-%02d", year,
		    c.month, c.day);
		break;
	case CALENDAR_TIME:
		(void)snprintf(out, CALENDAR_TEXT,
		    "%04lld-%02d-%02d %02d:%02d:%02d UTC", year, c.month, c.day,
		    c.hour, c.minute, c.second);
		break;
	}
	return out;
}
