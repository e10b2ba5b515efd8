/*
 * calendar.h - dates in UTC.
 */
#ifndef CALENDAR_H
#define CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

enum calendar_form {
	CALENDAR_LOG,	 /* Tue Mar  3 20:18:48 UTC 2020 */
	CALENDAR_HTTP,	 /* Tue, 03 Mar 2020 20:18:48 GMT */
	CALENDAR_SYSLOG, /* Mar  3 20:18:48 (RFC 3164 §4.1.2) */
	CALENDAR_DAY,	 /* 2020-03-03 */
	CALENDAR_TIME	 /* 2020-03-03 20:18:48 UTC */
};
enum { CALENDAR_TEXT = 64 };

struct tm;

/* Seconds since 1970 as text of that form, in UTC; returns out. */
const char *calendar_text(
    int64_t seconds, enum calendar_form, char out[static CALENDAR_TEXT]);

/* Seconds since 1970 of a UTC date between the years 1 and 9999.  False: there
 * is no such day or time.  Second 60 is the next minute's 0. */
bool calendar_seconds(const struct tm *, int64_t *seconds);

/* Is that moment in the last day of its month, in UTC? */
bool calendar_last_day(int64_t seconds);

#endif
