/*
 * calendar.c - dates, against the C library's where it has them.
 */
#include <time.h>

#include "core/calendar.h"
#include "tests/test.h"

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
	int64_t back;
	size_t i;

	assert_non_null(gmtime_r(&t, &tm));
	assert_true(calendar_seconds(&tm, &back));
	assert_int_equal(back, seconds);
	for (i = 0; i < sizeof form / sizeof *form; i++) {
		assert_true(strftime(theirs, sizeof theirs, form[i].format,
		    &tm) > 0);
		assert_string_equal(calendar_text(seconds, form[i].form, ours),
		    theirs);
	}
}

/* Every day from 1900 to 2262 is tried, at another second each. */
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

/* The calendar is the proleptic Gregorian one with a year 0 (ISO 8601).  Such
 * dates come of a clock that is far off. */
static void
knows_the_days_of_all_years(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} table[] = {
		{ -62167219201, "Fri Dec 31 23:59:59 UTC -1" },
		{ -62167219200, "Sat Jan  1 00:00:00 UTC 0" },
		{ -62162121600, "Tue Feb 29 00:00:00 UTC 0" },
		{ -74784297600, "Tue Mar  7 00:00:00 UTC -400" },
		{ 253402300800, "Sat Jan  1 00:00:00 UTC 10000" }
	};
	char out[CALENDAR_TEXT];
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++)
		assert_string_equal(calendar_text(table[i].seconds,
		    CALENDAR_LOG, out), table[i].text);
}

static void
knows_every_day(void **state)
{
	static const int length[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};
	int64_t expect = -719162, got;	/* days from 1970 to 0001-01-01 */

	(void)state;
	for (int year = 1; year <= 9999; year++)
		for (int month = 0; month < 12; month++) {
			bool leap = year % 4 == 0 &&
			    (year % 100 != 0 || year % 400 == 0);
			int days = length[month] + (month == 1 && leap);
			struct tm tm = { .tm_year = year - 1900,
			    .tm_mon = month, .tm_mday = 1 };

			assert_true(calendar_seconds(&tm, &got));
			assert_int_equal(got, expect * 86400);
			assert_false(calendar_last_day(got));
			tm.tm_mday = days - 1;
			assert_true(calendar_seconds(&tm, &got));
			assert_false(calendar_last_day(got + 86399));
			tm.tm_mday = days;
			assert_true(calendar_seconds(&tm, &got));
			assert_true(calendar_last_day(got));
			assert_true(calendar_last_day(got + 86399));
			tm.tm_mday = days + 1;
			assert_false(calendar_seconds(&tm, &got));
			expect += days;
		}
}

static void
knows_no_other_date(void **state)
{
	static const struct tm good = { .tm_year = 124, .tm_mon = 1,
	    .tm_mday = 29, .tm_hour = 23, .tm_min = 59, .tm_sec = 60 };
	static const struct tm last = { .tm_year = 9999 - 1900, .tm_mon = 11,
	    .tm_mday = 31, .tm_hour = 23, .tm_min = 59, .tm_sec = 59 };
	static const struct tm bad[] = {
		{ .tm_year = -1900, .tm_mday = 1 },
		{ .tm_year = 10000 - 1900, .tm_mday = 1 },
		{ .tm_mon = -1, .tm_mday = 1 },
		{ .tm_mon = 12, .tm_mday = 1 },
		{ .tm_mday = 0 },
		{ .tm_mday = 32 },
		{ .tm_mday = 1, .tm_hour = -1 },
		{ .tm_mday = 1, .tm_hour = 24 },
		{ .tm_mday = 1, .tm_min = -1 },
		{ .tm_mday = 1, .tm_min = 60 },
		{ .tm_mday = 1, .tm_sec = -1 },
		{ .tm_mday = 1, .tm_sec = 61 },
	};
	int64_t got = 12345;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(calendar_seconds(&bad[i], &got));
	assert_int_equal(got, 12345);
	assert_true(calendar_seconds(&good, &got));
	assert_int_equal(got, 1709251200); /* 2024-03-01 00:00:00 */
	assert_true(calendar_seconds(&last, &got));
	assert_int_equal(got, 253402300799);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_library),
		cmocka_unit_test(prints_openntpds_example),
		cmocka_unit_test(knows_the_days_of_all_years),
		cmocka_unit_test(knows_every_day),
		cmocka_unit_test(knows_no_other_date)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
