/*
 * control.c - any bytes as a request, any texts in a struct status.
 *
 * The first byte says where the request is cut in two; the rest is the request,
 * and also the names and addresses of sources that are then shown.  It must
 * not matter where a request is cut, an answer must have the length it says,
 * and text from outside must not get out of its quotes.
 */
#include <math.h>

#include "serve/request.h"
#include "serve/status.h"
#include "tests/blank.h"
#include "tests/fuzz/fuzz.h"

enum { NAME = 100 };

static void
take(struct request *r, const char *bytes, size_t size)
{
	int code;

	request_take(r, bytes, size);
	code = r->code;
	CHECK(code == 0 || code == 200 || code == 400 || code == 404 ||
	    code == 405 || code == 414 || code == 431 || code == 505);
	CHECK(code != 200 || r->view < STATUS_VIEWS);
	CHECK(r->taken <= REQUEST_MAX + 1 && r->used < sizeof r->line);
}

static void
fuzz_request(const char *bytes, size_t size, size_t cut)
{
	struct request whole = { 0 }, parts = { 0 }, single = { 0 };
	size_t i;

	cut = size > 0 ? cut % size : 0;
	take(&whole, bytes, size);
	take(&parts, bytes, cut);
	take(&parts, bytes + cut, size - cut);
	for (i = 0; i < size; i++)
		take(&single, bytes + i, 1);
	CHECK(whole.code == parts.code && whole.code == single.code);
	if (whole.code == 200)
		CHECK(whole.view == parts.view && whole.view == single.view &&
		    whole.head == single.head);
}

/* The text is printable ASCII and newlines, with an even number of quotes on
 * every line. */
static void
check_text(const char *text, size_t size)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < size; i++) {
		CHECK(text[i] == '\n' || (text[i] >= ' ' && text[i] < 0x7f));
		if (text[i] == '\\' && quoted)
			CHECK(++i < size);
		else if (text[i] == '"')
			quoted = !quoted;
		else if (text[i] == '\n')
			CHECK(!quoted);
	}
	CHECK(size > 0 && text[size - 1] == '\n');
}

static void
fuzz_status(const char *bytes, size_t size)
{
	static const char words[SAID_SAYS + DROPS + SELECT_SAYS]; /* all "" */
	static uint64_t rejected[SAID_SAYS];
	char *name = malloc(size + 1), *out;
	struct status_source source[2] = {
		{ BLANK_SOURCE, .pool = true, .offset = NAN, .delay = INFINITY, .next = -1,
		  .poll = NAN, .rejected = rejected, .valid = true },
		{ BLANK_SOURCE, .offset = -1e300, .weight = 10, .selected = SELECT_USED }
	};
	struct status s = {
		BLANK_STATUS, .version = "v", .source = source, .sources = 2,
		.selected_words = words, .said_words = words,
		.dropped_words = words, .bound = HUGE_VAL, .synced = true
	};
	double number = 0;
	size_t n;

	CHECK(name != NULL);
	memcpy(name, bytes, size);
	name[size] = '\0';
	source[0].name = source[1].name = name;
	snprintf(source[0].address, sizeof source[0].address, "%s", name);
	snprintf(s.not_ready, sizeof s.not_ready, "%s", name);
	snprintf(s.waiting, sizeof s.waiting, "%s", name);
	snprintf(s.sandbox, sizeof s.sandbox, "%s", name);
	s.conf_why = s.unauthentic = source[0].nts_reason = name;
	if (size >= sizeof number)
		memcpy(&number, bytes, sizeof number);
	source[1].offset = source[0].jitter = s.freq = s.offset = number;
	s.synced = size % 2;
	for (int view = 0; view < STATUS_VIEWS; view++) {
		n = status_render((enum status_view)view, &s, NULL, 0);
		out = malloc(n);
		CHECK(out != NULL);
		CHECK(status_render((enum status_view)view, &s, out, n) == n);
		if (view >= VIEW_STATUS_JSON && view != VIEW_READY &&
		    view != VIEW_SCREEN)
			check_text(out, n);
		CHECK(view != VIEW_READY || n <= STATUS_LINE + 1);
		free(out);
	}
	free(name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	fuzz_request((const char *)data + 1, size - 1, data[0]);
	/* Much slower, so not each time; and a name is repeated in hundreds
	 * of lines: keep it short. */
	if (data[0] % 8 == 2)
		fuzz_status((const char *)data + 1,
		    size <= NAME ? size - 1 : NAME);
	return 0;
}
