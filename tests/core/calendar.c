/*
 * calendar.c - dates against the C library's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "core/calendar.h"
#include "core/instant.h"

static const struct {
	enum calendar_form form;
	const char *format;
} form[] = {
	{ CALENDAR_LOG, "%a %b %e %H:%M:%S UTC %Y" },
	{ CALENDAR_HTTP, "%a, %d %b %Y %H:%M:%S GMT" },
	{ CALENDAR_SYSLOG, "%b %e %H:%M:%S" },
	{ CALENDAR_DAY, "%Y-%m-%d" },
	{ CALENDAR_TIME, "%Y-%m-%d %H:%M:%S UTC" }
};

static void
compare(int64_t seconds)
{
	char ours[CALENDAR_TEXT], theirs[64];
	time_t t = (time_t)seconds;
	struct tm tm;
	size_t i;

	assert_non_null(gmtime_r(&t, &tm));
	for (i = 0; i < sizeof form / sizeof *form; i++) {
		assert_true(strftime(theirs, sizeof theirs, form[i].format,
		    &tm) > 0);
		assert_string_equal(calendar_text(seconds, form[i].form, ours),
		    theirs);
	}
}

/* every day from 1900 to 2262, at a different second each */
static void
agrees_with_the_library(void **state)
{
	int64_t day;

	(void)state;
	for (day = -25567; day < 106752; day++)
		compare(day * 86400 + (day * 7919 % 86400 + 86400) % 86400);
}

static void
prints_openntpds_example(void **state)
{
	char out[CALENDAR_TEXT];

	(void)state;
	assert_string_equal(calendar_text(1583266728, CALENDAR_LOG, out),
	    "Tue Mar  3 20:18:48 UTC 2020");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_library),
		cmocka_unit_test(prints_openntpds_example)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
