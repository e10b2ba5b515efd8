/*
 * http.c - what http.c promises: dates to the letter, headers by the byte,
 * requests that hold nothing they should not.
 */
#include <time.h>

#include "core/http.h"
#include "core/word.h"
#include "tests/test.h"


/* seconds -1: no date */
static const struct {
	const char *text;
	int64_t seconds;
} dates[] = {
	{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },	/* RFC 9110 */
	{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
	{ "Thu, 29 Feb 2024 23:59:59 GMT", 1709251199 },
	{ "Tue, 29 Feb 2000 12:00:00 GMT", 951825600 },
	{ "Mon, 01 Mar 2100 00:00:00 GMT", 4107542400 },
	{ "Tue, 19 Jan 2038 03:14:08 GMT", 2147483648 },
	{ "Thu, 07 Feb 2036 06:28:16 GMT", 2085978496 },
	{ "Sun, 07 Feb 2106 06:28:16 GMT", 4294967296 },
	{ "Tue, 29 Feb 2028 23:59:59 GMT", 1835481599 },
	{ "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800 },
	{ "Tue, 31 Dec 2261 23:59:59 GMT", 9214646399 },
	{ "Wed, 01 Jan 2262 00:00:00 GMT", -1 },
	{ "Wed, 31 Dec 1969 23:59:59 GMT", -1 },
	{ "Thu, 25 Dec 1969 00:00:00 GMT", -1 },
	{ "Mon, 06 Nov 1994 08:49:37 GMT", -1 },	/* it was a Sunday */
	{ "sun, 06 Nov 1994 08:49:37 GMT", -1 },
	{ "Sun, 06 nov 1994 08:49:37 GMT", -1 },
	{ "Sun, 06 Nov 1994 08:49:37 UTC", -1 },
	{ "Sun, 06 Nov 1994 08:49:37 gmt", -1 },
	{ "Sun, 06 Nov 1994 08:49:37 GMT ", -1 },
	{ " Sun, 06 Nov 1994 08:49:37 GMT", -1 },
	{ "Sun, 06 Nov 1994 08:49:37", -1 },
	{ "Sun, 6 Nov 1994 08:49:37 GMT", -1 },
	{ "Sun,  6 Nov 1994 08:49:37 GMT", -1 },
	{ "Sun, 06 Nov 1994  8:49:37 GMT", -1 },
	{ "Sun, 06-Nov-1994 08:49:37 GMT", -1 },
	{ "Sun. 06 Nov 1994 08:49:37 GMT", -1 },
	{ "Sunday, 06-Nov-94 08:49:37 GMT", -1 },
	{ "Sun Nov  6 08:49:37 1994", -1 },
	{ "Thu, 29 Feb 2023 00:00:00 GMT", -1 },
	{ "Mon, 29 Feb 2100 00:00:00 GMT", -1 },
	{ "Sun, 31 Apr 1994 08:49:37 GMT", -1 },
	{ "Sun, 00 Nov 1994 08:49:37 GMT", -1 },
	{ "Sun, 06 Nov 1994 24:00:00 GMT", -1 },
	{ "Sun, 06 Nov 1994 08:60:00 GMT", -1 },
	{ "Sun, 06 Nov 1994 08:49:61 GMT", -1 },
	{ "Sun, 06 Nov 1994 08:49:+7 GMT", -1 },
	{ "Sun, 06 Nov 1994 08:49:-7 GMT", -1 },
	{ "Sun, 06 Nov -994 08:49:37 GMT", -1 },
	{ "Sun, 0x Nov 1994 08:49:37 GMT", -1 },
	{ "", -1 },
};

static void
reads_dates_to_the_letter(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(dates); i++) {
		int64_t real = 12345;
		bool ok = http_date(dates[i].text, strlen(dates[i].text),
		    &real);

		if (ok != (dates[i].seconds >= 0))
			fail_msg("%s", dates[i].text);
		if (ok)
			assert_int_equal(real, dates[i].seconds * NS_PER_S);
		else
			assert_int_equal(real, 12345);
	}
}

static void
every_second_of_some_days_comes_back(void **state)
{
	char text[64];

	(void)state;
	/* a prime number of seconds, so that all fields move */
	for (time_t t = 0; t < 9214646400; t += 8641813) {
		struct tm tm;
		int64_t real;

		assert_non_null(gmtime_r(&t, &tm));
		(void)strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT",
		    &tm);
		assert_true(http_date(text, strlen(text), &real));
		assert_int_equal(real, t * NS_PER_S);
	}
}

static void
one_changed_byte_is_another_date_or_none(void **state)
{
	const char *good = "Sun, 06 Nov 1994 08:49:37 GMT";
	char text[30];
	int64_t real;

	(void)state;
	for (size_t i = 0; i < 29; i++)
		for (int c = 0; c < 256; c++) {
			memcpy(text, good, 30);
			text[i] = (char)c;
			if (!http_date(text, 29, &real) || c == good[i])
				continue;
			assert_int_not_equal(real, 784111777 * NS_PER_S);
			/* Only another digit makes it another date. */
			assert_in_range(c, '0', '9');
		}
}

#define OK "HTTP/1.1 200 OK\r\n"
#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT"

static const struct {
	const char *bytes;
	enum http_said said;
} heads[] = {
	{ "HTTP/1.1 200 OK\r\n" DATE "\r\n\r\n", HTTP_DATE },
	{ "HTTP/1.0 500 x\r\nA: b\r\n" DATE "\r\n\r\nbody", HTTP_DATE },
	{ "HTTP/1.1 200 OK\n" DATE "\n\n", HTTP_DATE },
	{ "HTTP/1.1 200 OK\n" DATE "\n\r\n", HTTP_DATE },
	{ "HTTP/1.1 200 OK\r\n" DATE "\r\n\n", HTTP_DATE },
	{ "HTTP/1.\r\n" DATE "\r\n\r\n", HTTP_DATE },
	{ "HTTP/1.1 200\r\nDate: \t Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
	    HTTP_DATE },
	{ "HTTP/1.1 200\r\ndAtE:Sun, 06 Nov 1994 08:49:37 GMT\t \r\n\r\n",
	    HTTP_DATE },
	{ "HTTP/1.1 200 OK\r\nX-" DATE "\r\n" DATE "\r\n\r\n", HTTP_DATE },
	{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n" DATE "\r\n\r\n",
	    HTTP_DATE },
	{ "HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n" DATE
	    "\r\n\r\n", HTTP_DATE },
	/* Not before the headers end, since an Age may come behind the Date. */
	{ OK DATE "\r\n", HTTP_MORE },
	{ "HTTP/1.1 408 Request Timeout\r\n" DATE "\r\n\r\n", HTTP_GAVE_UP },
	{ "HTTP/1.0 408\r\n" DATE "\r\n\r\n", HTTP_GAVE_UP },
	{ "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 408 x\r\n" DATE "\r\n\r\n",
	    HTTP_GAVE_UP },
	{ "HTTP/1.1 404 408\r\n" DATE "\r\n\r\n", HTTP_DATE },
	{ OK DATE "\r\nAge: 86400\r\n\r\n", HTTP_STORED },
	{ OK "Age: 86400\r\n" DATE "\r\n\r\n", HTTP_STORED },
	{ OK "aGE:6\r\n" DATE "\r\n\r\n", HTTP_STORED },
	{ OK DATE "\r\nAge: 99999999999999999999\r\n\r\n", HTTP_STORED },
	{ OK DATE "\r\nAge: 0, 3600\r\n\r\n", HTTP_STORED },
	{ OK DATE "\r\nAge: 0\r\nAge: 3600\r\n\r\n", HTTP_STORED },
	{ OK "Age: 86400\r\n\r\n", HTTP_NONE },
	{ OK DATE "\r\nAge: 5\r\n\r\n", HTTP_DATE },
	{ OK DATE "\r\nAge: \t \r\nX: 86400\r\n\r\n", HTTP_DATE },
	{ OK DATE "\r\nAge: 0\r\nX-Cache: MISS, HIT\r\n\r\n", HTTP_DATE },
	{ OK DATE "\r\nX-Age: 86400\r\nAge\r\nAge:\r\n\r\n", HTTP_DATE },
	{ OK DATE "\r\nX-Cache: HIT from proxy:3128\r\n\r\n", HTTP_STORED },
	{ OK "x-cache: Hit\r\n" DATE "\r\n\r\n", HTTP_STORED },
	{ OK DATE "\r\nX-Cache: MISS from proxy\r\n\r\n", HTTP_DATE },
	{ OK DATE "\r\nCache-Status: Here; hit; ttl=9\r\n\r\n", HTTP_STORED },
	{ OK DATE "\r\nCache-Status: A; hit=?0; fwd=miss\r\n\r\n", HTTP_DATE },
	{ OK DATE "\r\nWarning: 110 - \"Response is Stale\"\r\n\r\n", HTTP_STORED },
	{ OK DATE "\r\nWarning: 113 proxy \"guessed\"\r\nAge: 1\r\n\r\n", HTTP_STORED },
	{ OK DATE "\r\nWarning: 110\r\n\r\n", HTTP_STORED },
	{ OK DATE "\r\nWarning: 199 - \"x\"\r\n\r\n", HTTP_DATE },
	{ OK DATE "\r\nWarning: 114 - \"x\"\r\n\r\n", HTTP_DATE },
	{ OK DATE "\r\nWarning: 119 - \"x\"\r\n\r\n", HTTP_DATE },
	{ OK DATE "\r\nWarning: 210 - \"x\"\r\n\r\n", HTTP_DATE },
	{ OK DATE "\r\nWarning: 11\r\n\r\n", HTTP_DATE },
	{ OK DATE "\r\nX-Cache: MISS from white-architecture\r\n\r\n", HTTP_DATE },
	{ OK DATE "\r\nX-Cache: TCP_HIT\r\n\r\n", HTTP_STORED },
	{ OK DATE "\r\nX-Cache: MISS from whit\r\n\r\n", HTTP_DATE },
	{ OK DATE "\r\nX-Cache: ahit zhit AHIT ZHIT\r\n\r\n", HTTP_DATE },
	{ OK DATE "\r\nX-Cache: hita hitz HITA HITZ\r\n\r\n", HTTP_DATE },
	{ OK DATE "\r\nX-Cache: @hit\r\n\r\n", HTTP_STORED },
	{ OK DATE "\r\nX-Cache: hit[\r\n\r\n", HTTP_STORED },
	{ OK DATE "\r\nCache-Status: A; hit=?0, B; hit\r\n\r\n", HTTP_STORED },
	/* folded lines */
	{ OK DATE "\r\nAge:\r\n 86400\r\n\r\n", HTTP_STORED },
	{ OK DATE "\r\nX-Cache: MISS,\r\n\tHIT\r\n\r\n", HTTP_STORED },
	{ OK DATE "\r\nWarning:\r\n 110 - \"x\"\r\n\r\n", HTTP_STORED },
	{ OK DATE "\r\nA: b\r\n Age: 86400\r\n\r\n", HTTP_DATE },
	{ OK " Age: 86400\r\n" DATE "\r\n\r\n", HTTP_DATE },
	{ OK DATE "\r\n 86400\r\n\r\n", HTTP_DATE },
	{ "HTTP/1.1 103 Hints\r\n" DATE "\r\nX-Cache: HIT\r\n\r\n" OK DATE
	    "\r\n\r\n", HTTP_DATE },
	{ "HTTP/1.1 103 Hints\r\n" DATE "\r\n\r\n" OK "\r\n", HTTP_NONE },
	{ "HTTP/1.1 103\r\n\r\n" OK DATE "\r\n\r\n", HTTP_DATE },
	{ "HTTP/1.1 100 Continue\r\n\r\n\r\n", HTTP_ALIEN },
	{ "HTTP/1.1 200 OK\r\n\r\n" DATE "\r\n", HTTP_NONE },
	{ "HTTP/1.1 200 OK\r\nDate: now\r\n", HTTP_MALFORMED },
	{ "HTTP/1.1 200 OK\r\nDate:\r\n" DATE "\r\n", HTTP_MALFORMED },
	{ "HTTP/1.1 200 OK\r\nDate : x\r\n\r\n", HTTP_NONE },
	{ "HTTP/1.1 200 OK\r\nDate\r\n\r\n", HTTP_NONE },
	{ "HTTP/1.1 200 OK\r\nDat\r\n\r\n", HTTP_NONE },
	{ DATE "\r\n", HTTP_ALIEN },
	{ "HTTP/2 200\r\n", HTTP_ALIEN },
	{ "HTTP/1\r\n", HTTP_ALIEN },
	{ "HTTP/12 200 OK\r\n", HTTP_ALIEN },
	{ "http/1.1 200 OK\r\n", HTTP_ALIEN },
	{ "\r\nHTTP/1.1 200 OK\r\n", HTTP_ALIEN },
	{ "\r\n", HTTP_ALIEN },
	{ "SSH-2.0-x\r\n", HTTP_ALIEN },
};

/* Byte by byte: no opinion until the last byte that matters, and none that
 * changes later. */
static void
reads_headers_by_the_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(heads); i++) {
		size_t size = strlen(heads[i].bytes);
		enum http_said said = HTTP_MORE, before;
		struct http_time t = { 0 };

		for (size_t n = 0; n <= size; n++) {
			/* exactly n bytes, so that a sanitizer sees more */
			char *part = malloc(n + 1);

			assert_non_null(part);
			memcpy(part, heads[i].bytes, n);
			part[n] = '\0';
			part = realloc(part, n > 0 ? n : 1);
			before = said;
			said = http_head(part, n, &t);
			free(part);
			if (before != HTTP_MORE && said != before)
				fail_msg("%zu: %d after %d", i, said, before);
		}
		if (said != heads[i].said)
			fail_msg("%zu: %s", i, word_at(http_words, said));
		if (said == HTTP_DATE)
			assert_int_equal(t.real, 784111777 * NS_PER_S);
	}
}

/* dated tells when the Date itself was there, whatever is still to come. */
static void
tells_when_the_date_was_there(void **state)
{
	const char *text = OK "A: b\r\n" DATE "\r\nC: d\r\n\r\n";
	size_t line = strlen(OK "A: b\r\n" DATE "\r\n"), n;
	struct http_time t;

	(void)state;
	for (n = 0; n <= strlen(text); n++) {
		(void)http_head(text, n, &t);
		assert_int_equal(t.dated, n < line ? 0 : line);
	}
}

static void
tells_the_age_in_caches(void **state)
{
	static const struct {
		const char *lines;
		int64_t age; /* s, -1: not said */
	} table[] = {
		{ "", -1 },
		{ "Age: \r\n", -1 },
		{ "Age: x\r\n", -1 },
		{ "Age: 0\r\n", 0 },
		{ "Age: 1234567\r\n", 1234567 },
		{ "Age: 007\r\n", 7 },
		/* The oldest counts. */
		{ "Age: 12, 345, 6\r\n", 345 },
		{ "Age: 12\r\nAge: 345\r\nAge: 6\r\n", 345 },
		{ "Age: 31622399\r\n", HTTP_AGE_MOST - 1 },
		{ "Age: 31622401\r\n", HTTP_AGE_MOST },
		{ "Age: 99999999999999999999\r\n", HTTP_AGE_MOST },
	};
	struct http_time t;
	char text[200];

	(void)state;
	for (size_t i = 0; i < LEN(table); i++) {
		(void)snprintf(text, sizeof text, OK DATE "\r\n%s\r\n",
		    table[i].lines);
		(void)http_head(text, strlen(text), &t);
		assert_int_equal(t.age, table[i].age);
	}
}

static void
does_not_wait_for_what_cannot_come_right(void **state)
{
	struct http_time t;

	(void)state;
	assert_int_equal(http_head("X", 1, &t), HTTP_ALIEN);
	assert_int_equal(http_head("HTTP/2", 6, &t), HTTP_ALIEN);
	assert_int_equal(http_head("HTTP/1.1 200\r\n\0", 15, &t), HTTP_NUL);
	assert_int_equal(http_head("", 0, &t), HTTP_MORE);
	assert_int_equal(http_head("HTTP/1", 6, &t), HTTP_MORE);
}

static void
reads_8192_bytes_and_no_more(void **state)
{
	static char bytes[HTTP_HEAD_MAX * 2];
	const char *end = "\r\n" DATE "\r\n";
	size_t at;
	struct http_time t;

	(void)state;
	memset(bytes, 'x', sizeof bytes);
	memcpy(bytes, "HTTP/1.1 200 OK\r\nA:", 19);
	assert_int_equal(http_head(bytes, HTTP_HEAD_MAX - 1, &t), HTTP_MORE);
	assert_int_equal(http_head(bytes, HTTP_HEAD_MAX, &t), HTTP_LONG);
	assert_int_equal(http_head(bytes, sizeof bytes, &t), HTTP_LONG);

	at = HTTP_HEAD_MAX - strlen(end);
	memcpy(bytes + at, end, strlen(end));
	assert_int_equal(http_head(bytes, HTTP_HEAD_MAX, &t), HTTP_DATE);
	assert_int_equal(http_head(bytes, sizeof bytes, &t), HTTP_DATE);
	memset(bytes + at, 'x', strlen(end));
	memcpy(bytes + at + 1, end, strlen(end));
	assert_int_equal(http_head(bytes, HTTP_HEAD_MAX + 1, &t), HTTP_LONG);
}

#define CLOSE "Connection: close\r\n" \
	"Cache-Control: no-cache, no-store\r\nPragma: no-cache\r\n\r\n"

static void
asks_as_openntpd_does_and_no_cache(void **state)
{
	char out[200];
	size_t n = http_request("www.example.com", 443, "/", out, sizeof out);
	const char *want = "HEAD / HTTP/1.1\r\nHost: www.example.com\r\n"
	    CLOSE;

	(void)state;
	assert_int_equal(n, strlen(want));
	assert_memory_equal(out, want, n);

	want = "HEAD /a?b HTTP/1.1\r\nHost: [2620:fe::fe]:8443\r\n"
	    CLOSE;
	n = http_request("2620:fe::fe", 8443, "/a?b", out, sizeof out);
	assert_int_equal(n, strlen(want));
	assert_memory_equal(out, want, n);

	want = "HEAD /!~ HTTP/1.1\r\nHost: h:65535\r\n" CLOSE;
	n = http_request("h", 65535, "/!~", out, sizeof out);
	assert_int_equal(n, strlen(want));
	assert_memory_equal(out, want, n);
}

static void
asks_nothing_that_would_break_the_request(void **state)
{
	char out[120];

	(void)state;
	assert_int_equal(http_request("", 443, "/", out, sizeof out), 0);
	assert_int_equal(http_request("h", 443, "", out, sizeof out), 0);
	assert_int_equal(http_request("h", 443, "a", out, sizeof out), 0);
	assert_int_equal(http_request("h", 443, "/ a", out, sizeof out), 0);
	assert_int_equal(http_request("h", 443, "/\r\nX: y", out, sizeof out),
	    0);
	assert_int_equal(http_request("h\n", 443, "/", out, sizeof out), 0);
	assert_int_equal(http_request("h", 443, "/\x7f", out, sizeof out), 0);
	assert_int_equal(http_request("h", 443, "/\xc3\xa9", out, sizeof out),
	    0);
	/* 100 bytes */
	assert_int_equal(http_request("h", 443, "/", out, 100), 100);
	assert_int_equal(http_request("h", 443, "/", out, 99), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_dates_to_the_letter),
		cmocka_unit_test(every_second_of_some_days_comes_back),
		cmocka_unit_test(one_changed_byte_is_another_date_or_none),
		cmocka_unit_test(reads_headers_by_the_byte),
		cmocka_unit_test(tells_when_the_date_was_there),
		cmocka_unit_test(tells_the_age_in_caches),
		cmocka_unit_test(does_not_wait_for_what_cannot_come_right),
		cmocka_unit_test(reads_8192_bytes_and_no_more),
		cmocka_unit_test(asks_as_openntpd_does_and_no_cache),
		cmocka_unit_test(asks_nothing_that_would_break_the_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
