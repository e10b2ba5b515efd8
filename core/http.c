/*
 * http.c - one HTTP question and the Date in its answer, as bytes.
 *
 * Here are the request that constraints send, and the reader of what comes
 * back: status line and headers (RFC 9110 §6.6.1, RFC 9112).  The body is
 * never looked at, since a Date in it is not one.  Any status will do: 301,
 * 403 and 500 come with a Date as 200 does.  Only 408 (RFC 9110 §15.5.9) comes
 * without a request: if somebody holds back the end of the handshake, its Date
 * is older than the request, and would be taken for a new one.
 *
 * A cache on the way hands out the Date of the day on which it asked.  The
 * request forbids that, but not all caches obey.  So the headers are read to
 * their end to find an Age (RFC 9111 §5.1) and other signs of a stored
 * answer.  The first Date alone is not enough, because an Age may follow it,
 * or be cut off.
 *
 * The reader has no state: it is given all bytes that have come so far, and
 * says whether they are enough.  That costs a second look at a few hundred
 * bytes, and makes the reader a function that a fuzzer can call.
 */
#include "core/http.h"
#include "core/calendar.h"

#include <string.h>
#include <time.h>

enum {
	FIXDATE_SIZE = 29, /* "Sun, 06 Nov 1994 08:49:37 GMT" */
	AGE_MOST = 5,	   /* s: so long in a cache does no harm */
	LAST_YEAR = 2261   /* int64 nanoseconds end in April 2262 */
};

/* In the order of enum http_said. */
const char http_words[] =
    "connection closed before the headers were complete\0"
    "date received\0"
    "answer is not HTTP/1\0"
    "answer has no Date header\0"
    "Date header is not an IMF-fixdate\0"
    "no Date header in the first 8192 bytes\0"
    "zero byte in the headers\0"
    "from a cache, its Date is not of now\0"
    "server gave up before the request came (status 408)";

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The number that n digits stand for, or -1. */
static int
number(const char *text, int n)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		if (!digit(text[i]))
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

/* The place of a three-letter word in a row of such words, or -1. */
static int
word(const char *text, const char *row)
{
	for (int i = 0; row[i * 3] != '\0'; i++)
		if (memcmp(text, row + i * 3, 3) == 0)
			return i;
	return -1;
}

bool
http_date(const char *text, size_t size, int64_t *real)
{
	struct tm tm = { 0 };
	int64_t seconds;

	if (size != FIXDATE_SIZE || memcmp(text + 3, ", ", 2) != 0 ||
	    text[7] != ' ' || text[11] != ' ' || text[16] != ' ' ||
	    text[19] != ':' || text[22] != ':' ||
	    memcmp(text + 25, " GMT", 4) != 0)
		return false;
	tm.tm_mday = number(text + 5, 2);
	tm.tm_mon = word(text + 8, "JanFebMarAprMayJunJulAugSepOctNovDec");
	tm.tm_year = number(text + 12, 4) - 1900;
	tm.tm_hour = number(text + 17, 2);
	tm.tm_min = number(text + 20, 2);
	tm.tm_sec = number(text + 23, 2);
	if (tm.tm_year < 70 || tm.tm_year > LAST_YEAR - 1900 ||
	    !calendar_seconds(&tm, &seconds))
		return false;
	/* 1970-01-01 was a Thursday.  A leap second belongs to the day before
	 * it, although its number of seconds is the next day's. */
	if (word(text, "ThuFriSatSunMonTueWed") !=
	    (int)((seconds - tm.tm_sec) / 86400 % 7))
		return false;
	*real = seconds * NS_PER_S;
	return true;
}

/* Does the text begin with these letters, large or small?  "with" is in small
 * letters. */
static bool
begins(const char *text, size_t size, const char *with)
{
	size_t n = strlen(with), i = 0;

	while (size >= n && i < n && lower(text[i]) == with[i])
		i++;
	return i == n;
}

static bool
letter(char c)
{
	return lower(c) >= 'a' && lower(c) <= 'z';
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A part of the bytes. */
struct part {
	const char *at;
	size_t size;
};

/* Is it a header line with this name, which ends in its colon?  Then *value is
 * what follows, without the white space around it; it may be folded. */
static bool
is_field(struct part line, const char *name, struct part *value)
{
	size_t i = strlen(name);

	if (!begins(line.at, line.size, name))
		return false;
	while (i < line.size && blank(line.at[i]))
		i++;
	while (line.size > i && blank(line.at[line.size - 1]))
		line.size--;
	*value = (struct part){ line.at + i, line.size - i };
	return true;
}

/* The largest number in a value, which is the oldest of several ages; -1 if
 * there is none. */
static int64_t
largest(struct part value)
{
	int64_t most = -1, n = -1;

	for (size_t i = 0; i < value.size; i++) {
		char c = value.at[i];

		n = !digit(c)	       ? -1 :
		    n < 0	       ? c - '0' :
		    n >= HTTP_AGE_MOST ? n :
					 n * 10 + (c - '0');
		if (n > most)
			most = n;
	}
	return most < HTTP_AGE_MOST ? most : HTTP_AGE_MOST;
}

/* Does a cache say in this value that it had the answer?  "HIT from ...",
 * "Name; hit; ttl=5" and "TCP_HIT" say so; "hit=?0" and "MISS from white" do
 * not. */
static bool
says_hit(struct part value)
{
	const char *at = value.at;

	for (size_t i = 0; i < value.size; i++)
		if (begins(at + i, value.size - i, "hit") &&
		    (i == 0 || !letter(at[i - 1])) &&
		    (i + 3 == value.size ||
			(at[i + 3] != '=' && !letter(at[i + 3]))))
			return true;
	return false;
}

/* Do the warn-codes of RFC 7234 §5.5 tell of a stored answer: 110 stale, 111
 * not revalidated, 112 disconnected, 113 guessed fresh? */
static bool
warns(struct part value)
{
	return value.size >= 3 && memcmp(value.at, "11", 2) == 0 &&
	    value.at[2] >= '0' && value.at[2] <= '3';
}

/* Take a header line, which ends "end" bytes behind the beginning of the
 * answer.  False: it is a Date that is malformed. */
static bool
take_line(struct part line, size_t end, struct http_time *t)
{
	struct part value;
	int64_t age;

	if (is_field(line, "date:", &value) && t->dated == 0) {
		t->dated = end;
		return http_date(value.at, value.size, &t->real);
	}
	if (is_field(line, "age:", &value)) {
		age = largest(value);
		if (age > t->age)
			t->age = age;
	} else if (is_field(line, "x-cache:", &value) ||
	    is_field(line, "cache-status:", &value))
		t->hit |= says_hit(value);
	else if (is_field(line, "warning:", &value))
		t->stale |= warns(value);
	return true;
}

/* What the headers say, when they are complete or as long as they may be.
 * undated is the word for headers without a Date. */
static enum http_said
conclude(const struct http_time *t, enum http_said undated)
{
	/* A hit is harmless when its age is told and short. */
	return t->dated == 0 ? undated :
	    t->stale || t->age > AGE_MOST || (t->hit && t->age < 0) ?
			       HTTP_STORED :
			       HTTP_DATE;
}

/* Does this beginning of an answer start with "HTTP/1."? */
static bool
speaks_http(const char *bytes, size_t size)
{
	static const char start[] = "HTTP/1.";
	size_t n = sizeof(start) - 1;

	return memcmp(bytes, start, size < n ? size : n) == 0;
}

enum http_said
http_head(const char *bytes, size_t size, struct http_time *t)
{
	const char *end;
	size_t at = 0, field = 0, line;
	bool status = true, interim = false;

	*t = (struct http_time){ .age = -1 };
	if (size > HTTP_HEAD_MAX)
		size = HTTP_HEAD_MAX;
	while ((end = memchr(bytes + at, '\n', size - at)) != NULL) {
		line = (size_t)(end - (bytes + at));
		if (line > 0 && bytes[at + line - 1] == '\r')
			line--;
		if (memchr(bytes + at, '\0', line) != NULL)
			return HTTP_NUL;
		if (status) {
			if (line < 7 || !speaks_http(bytes + at, line))
				return HTTP_ALIEN;
			/* After a 1xx the answer proper follows, RFC 9110
			 * §15.2. */
			interim = line >= 12 && bytes[at + 8] == ' ' &&
			    bytes[at + 9] == '1';
			if (line >= 12 &&
			    memcmp(bytes + at + 8, " 408", 4) == 0)
				return HTTP_GAVE_UP;
			status = false;
			field = at;
		} else if (line == 0) {
			if (!interim)
				return conclude(t, HTTP_NONE);
			*t = (struct http_time){ .age = -1 };
			status = true;
		} else {
			/* A line that begins with a blank continues the field
			 * before it, RFC 9112 §5.2. */
			if (!blank(bytes[at]))
				field = at;
			if (!take_line((struct part){ bytes + field,
					   at + line - field },
				(size_t)(end - bytes) + 1, t))
				return HTTP_MALFORMED;
		}
		at = (size_t)(end - bytes) + 1;
	}
	/* The last line is not complete: refuse at once what cannot become
	 * better. */
	if (memchr(bytes + at, '\0', size - at) != NULL)
		return HTTP_NUL;
	if (status && !speaks_http(bytes + at, size - at))
		return HTTP_ALIEN;
	return size == HTTP_HEAD_MAX ? conclude(t, HTTP_LONG) : HTTP_MORE;
}

/* A request that is being put together.  What does not fit is left out, and so
 * is all that follows it. */
struct request {
	char *out;
	size_t capacity, size;
	bool bad;
};

static void
append(struct request *r, const char *text)
{
	size_t n = strlen(text);

	r->bad |= n > r->capacity - r->size;
	if (r->bad)
		return;
	memcpy(r->out + r->size, text, n);
	r->size += n;
}

/* The same for text of the configuration.  It may hold bytes that have no
 * place in a request line or header (RFC 9112 §3.2, §2.2). */
static void
append_checked(struct request *r, const char *text)
{
	for (const char *s = text; *s != '\0'; s++)
		r->bad |= *s <= ' ' || *s > '~';
	append(r, text);
}

size_t
http_request(const char *host, uint16_t port, const char *path, char *out,
    size_t capacity)
{
	bool brackets = strchr(host, ':') != NULL; /* RFC 3986 §3.2.2 */
	struct request r = { out, capacity, 0, false };
	char number_text[8];
	size_t at = sizeof(number_text) - 1;
	unsigned rest = port;

	number_text[at] = '\0';
	do {
		number_text[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	number_text[--at] = ':';
	if (*host == '\0' || *path != '/')
		return 0;
	append(&r, "HEAD ");
	append_checked(&r, path);
	append(&r, " HTTP/1.1\r\nHost: ");
	append(&r, brackets ? "[" : "");
	append_checked(&r, host);
	append(&r, brackets ? "]" : "");
	append(&r, port == 443 ? "" : number_text + at);
	append(&r,
	    "\r\nConnection: close\r\nCache-Control: no-cache, no-store\r\n"
	    "Pragma: no-cache\r\n\r\n");
	return r.bad ? 0 : r.size;
}
