/*
 * calendar.h - seconds since 1970 as text.
 */
#ifndef CALENDAR_H
#define CALENDAR_H

#include "core/instant.h"

#include <stdint.h>

enum calendar_form {
	CALENDAR_LOG,	 /* Tue Mar  3 20:18:48 UTC 2020 */
	CALENDAR_HTTP,	 /* Tue, 03 Mar 2020 20:18:48 GMT */
	CALENDAR_SYSLOG, /* Mar  3 20:18:48 (RFC 3164 §4.1.2) */
	CALENDAR_DAY,	 /* 2020-03-03 */
	CALENDAR_TIME	 /* 2020-03-03 20:18:48 UTC */
};
enum { CALENDAR_TEXT = 64 };

/* Seconds since 1970 as text of that form, in UTC; returns out. */
const char *calendar_text(
    int64_t seconds, enum calendar_form, char out[static CALENDAR_TEXT]);

#endif
