/*
 * request.c - HTTP requests that are taken or refused.
 */
#include "serve/request.h"
#include "serve/status.h"
#include "tests/test.h"

#define HOST "Host: x\r\n"

static const struct {
	const char *text;
	int code;
	enum status_view view;
	bool head;
} requests[] = {
	{ "GET /metrics HTTP/1.1\r\n" HOST "\r\n", 200, VIEW_METRICS, false },
	{ "HEAD /metrics HTTP/1.1\r\n" HOST "\r\n", 200, VIEW_METRICS, true },
	{ "GET /healthz HTTP/1.0\r\n\r\n", 200, VIEW_LIVE, false },
	{ "GET /readyz HTTP/1.1\r\nhOsT:\r\nA: b\r\n\r\n", 200, VIEW_READY,
	    false },
	{ "\r\nGET /status HTTP/1.1\n" HOST "\n", 200, VIEW_JSON, false },
	{ "GET /status?a=/b HTTP/1.1\r\n" HOST "\r\n", 200, VIEW_JSON, false },
	{ "GET http://h:1/ntpctl/all HTTP/1.1\r\n" HOST "\r\n", 200, VIEW_ALL,
	    false },
	{ "GET /ntpctl/Sensors HTTP/1.0\r\n\r\n", 200, VIEW_SENSORS, false },
	{ "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;"
	    "version=1.0.0,text/plain;q=0.5\r\n" HOST "\r\n", 200,
	    VIEW_OPENMETRICS, false },
	{ "GET /metrics HTTP/1.1\r\n" HOST "aCCept: text/plain, "
	    "Application/OpenMetrics-Text\r\n\r\n", 200, VIEW_OPENMETRICS,
	    false },
	{ "GET /status HTTP/1.1\r\n" HOST
	    "Accept: application/openmetrics-text\r\n\r\n", 200, VIEW_JSON,
	    false },
	{ "GET /metrics HTTP/1.9\r\n" HOST "\r\nGET /x", 200, VIEW_METRICS,
	    false },
	/* incomplete */
	{ "", 0, 0, false },
	{ "GET /metrics HTTP/1.1", 0, 0, false },
	{ "GET /metrics HTTP/1.1\r\n" HOST, 0, 0, false },
	/* refused */
	{ "GET /metrics HTTP/1.1\r\n\r\n", 400, 0, false },
	{ "GET /metrics HTTP/1.1\r\n" HOST HOST "\r\n", 400, 0, false },
	{ "GET /metrics\r\n", 400, 0, false },
	{ "GET  HTTP/1.1\r\n", 400, 0, false },
	{ "GET\r\n", 400, 0, false },
	{ " GET /metrics HTTP/1.1\r\n", 400, 0, false },
	{ "GET /metrics HTTP/1.1 \r\n", 400, 0, false },
	{ "GET /metrics http/1.1\r\n", 400, 0, false },
	{ "GET /metrics HTTP/x.1\r\n", 400, 0, false },
	{ "GET http://host HTTP/1.1\r\n", 400, 0, false },
	{ "GET /metrics HTTP/1.1\r\nno colon\r\n", 400, 0, false },
	{ "GET /metrics HTTP/1.1\r\nHost : x\r\n", 400, 0, false },
	{ "GET /metrics HTTP/1.1\r\n" HOST " folded\r\n", 400, 0, false },
	{ "GET /me\rtrics HTTP/1.1\r\n", 400, 0, false },
	{ "\x16\x03\x01\x02\x01\x01\n", 400, 0, false },
	{ "GET / HTTP/1.1\r\n" HOST "\r\n", 404, 0, false },
	{ "GET /metric HTTP/1.1\r\n" HOST "\r\n", 404, 0, false },
	{ "GET /metricsx HTTP/1.1\r\n" HOST "\r\n", 404, 0, false },
	{ "GET /../etc/passwd HTTP/1.1\r\n" HOST "\r\n", 404, 0, false },
	{ "GET * HTTP/1.1\r\n" HOST "\r\n", 404, 0, false },
	{ "HEAD /none HTTP/1.1\r\n" HOST "\r\n", 404, 0, true },
	{ "POST /metrics HTTP/1.1\r\n" HOST "\r\n", 405, 0, false },
	{ "get /metrics HTTP/1.1\r\n" HOST "\r\n", 405, 0, false },
	{ "GET HTTP://h/metrics HTTP/1.0\r\n\r\n", 200, VIEW_METRICS, false },
	{ "GET http://h/none HTTP/1.0\r\n\r\n", 404, 0, false },
	{ "GET ittp://h/metrics HTTP/1.0\r\n\r\n", 404, 0, false },
	{ "POST /none HTTP/1.0\r\n\r\n", 405, 0, false },
	{ "M-S+EARCH /none HTTP/1.0\r\n\r\n", 405, 0, false },
	{ "G@T /metrics HTTP/1.0\r\n\r\n", 400, 0, false },
	{ "GET /metrics HTTP/1.0\r\nxhost: a\r\nHost: b\r\n\r\n", 200,
	    VIEW_METRICS, false },
	{ "GET /metrics HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", 400, 0,
	    false },
	{ "GET /metrics HTTP/1.0\r\nX-Accept: application/openmetrics-text"
	    "\r\n\r\n", 200, VIEW_METRICS, false },
	{ "GET /metrics HTTP/1.0\r\nAccept: text/plain\r\n\r\n", 200,
	    VIEW_METRICS, false },
	{ "GET /metrics HTTP/1.0\r\n: x\r\n\r\n", 400, 0, false },
	{ "GET /metrics HTTP/1.0\r\nA:\rb\r\n\r\n", 400, 0, false },
	{ "GET /metrics HTTP/1.0\r\r\n", 400, 0, false },
	{ "GET /metrics HTTP/0.0\r\n", 505, 0, false },
	{ "GET /metrics HTTP/9.9\r\n", 505, 0, false },
	{ "GET /metrics HTTP//.1\r\n", 400, 0, false },
	{ "GET /metrics HTTP/:.1\r\n", 400, 0, false },
	{ "GET /metrics HTTP/1./\r\n", 400, 0, false },
	{ "GET /metrics HTTP/1.:\r\n", 400, 0, false },
	{ "GET /metrics HTTP/1x1\r\n", 400, 0, false },
	{ "GET /metrics HTTP/1.\r\n", 400, 0, false },
	{ "GET /metrics HTTP/1.11\r\n", 400, 0, false },
	{ "GET /metrics HTTP/2.0\r\n", 505, 0, false },
	{ "GET /metrics HTTP/0.9\r\n", 505, 0, false },
};

static void
requests_are_taken_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(requests); i++) {
		struct request r = { 0 };

		request_take(&r, requests[i].text, strlen(requests[i].text));
		if (r.code != requests[i].code ||
		    (r.code == 200 && r.view != requests[i].view) ||
		    r.head != requests[i].head)
			fail_msg("%d, view %d, head %d: %s", r.code, r.view,
			    r.head, requests[i].text);
	}
}

static void
requests_may_come_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(requests); i++) {
		struct request r = { 0 };

		for (const char *p = requests[i].text; *p != '\0'; p++)
			request_take(&r, p, 1);
		assert_int_equal(r.code, requests[i].code);
		if (r.code == 200)
			assert_int_equal(r.view, requests[i].view);
	}
}

/* Fill a request up to n bytes with this character; the code. */
static int
filled(const char *begin, char c, size_t n, const char *end)
{
	struct request r = { 0 };
	size_t i;

	request_take(&r, begin, strlen(begin));
	for (i = strlen(begin); i < n && r.code == 0; i++)
		request_take(&r, &c, 1);
	assert_true(r.taken <= REQUEST_MAX + 1);
	request_take(&r, end, strlen(end));
	return r.code;
}

static void
requests_are_bounded(void **state)
{
	(void)state;
	/* a line of 255 bytes, its CR included, is the longest */
	assert_int_equal(filled("GET /", 'a', REQUEST_LINE - 11,
	    " HTTP/1.0\r\n\r\n"), 404);
	assert_int_equal(filled("GET /", 'a', REQUEST_LINE - 10,
	    " HTTP/1.0\r\n\r\n"), 414);
	assert_int_equal(filled("GET /", 'a', 1 << 20, ""), 414);
	/* of a long header the beginning counts */
	assert_int_equal(filled("GET /metrics HTTP/1.0\r\nA: ", 'a', 4000,
	    "\r\n\r\n"), 200);
	assert_int_equal(filled("GET /metrics HTTP/1.0\r\nA: ", 'a', 1 << 20,
	    "\r\n\r\n"), 431);
	assert_int_equal(filled("GET /metrics HTTP/1.0\r\n", 'a', 4000,
	    ": b\r\n\r\n"), 400);
	assert_int_equal(filled("", '\n', 1 << 20, ""), 431);
	assert_int_equal(filled("GET /metrics HTTP/1.0\r\n", '\0', 1 << 20,
	    ""), 400);
}

/* All bytes of a request count, and its empty lines do as well. */
static void
requests_end_at_their_limit(void **state)
{
	static const char end[] = "\r\n\r\n";
	size_t n = REQUEST_MAX - strlen(end);

	(void)state;
	assert_int_equal(filled("GET /metrics HTTP/1.0\r\nA: ", 'a', n, end),
	    200);
	assert_int_equal(filled("GET /metrics HTTP/1.0\r\nA: ", 'a', n + 1,
	    end), 431);
}

static void
every_view_has_a_path_and_a_type(void **state)
{
	(void)state;
	for (int i = 0; i < STATUS_VIEWS; i++) {
		enum status_view view = (enum status_view)i;
		struct request r = { 0 };
		char text[64];

		assert_non_null(strchr(status_type(view), '/'));
		if (view == VIEW_OPENMETRICS) {
			assert_null(status_path(view));
			continue;
		}
		snprintf(text, sizeof text, "GET %s HTTP/1.0\r\n\r\n",
		    status_path(view));
		request_take(&r, text, strlen(text));
		assert_int_equal(r.code, 200);
		assert_int_equal(r.view, view);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_taken_or_refused),
		cmocka_unit_test(requests_may_come_in_pieces),
		cmocka_unit_test(requests_are_bounded),
		cmocka_unit_test(requests_end_at_their_limit),
		cmocka_unit_test(every_view_has_a_path_and_a_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
