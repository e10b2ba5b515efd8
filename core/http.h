/*
 * http.h - the little of HTTP that a Date needs.
 */
#ifndef HTTP_H
#define HTTP_H

#include "core/instant.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	HTTP_HEAD_MAX = 8192,	  /* bytes of headers, as OpenNTPD */
	HTTP_AGE_MOST = 366 * 86400 /* s: older than any cache keeps (RFC 9111
				       has one year) */
};

enum http_said {
	HTTP_MORE, /* good so far, read on */
	HTTP_DATE,
	HTTP_ALIEN,	/* does not begin with HTTP/1. */
	HTTP_NONE,	/* the headers end without a Date */
	HTTP_MALFORMED, /* a Date, but not an IMF-fixdate */
	HTTP_LONG,	/* HTTP_HEAD_MAX bytes without a Date */
	HTTP_NUL,	/* a byte of the headers is zero */
	HTTP_STORED,	/* a cache's: its Date is of some time ago */
	HTTP_GAVE_UP,	/* no answer to the question: its Date may be older */
	HTTP_SAYS
};
extern const char http_words[]; /* for word_at: HTTP_SAYS of them */

/* Read an IMF-fixdate (RFC 9110 §5.6.7) of exactly size bytes, of the years
 * 1970 to 2261, whose weekday is right. */
bool http_date(const char *text, size_t size, int64_t *real);

/* What the headers say of the time. */
struct http_time {
	int64_t real; /* the Date */
	size_t dated; /* bytes up to the end of its line; 0: none yet */
	int64_t age;  /* s in a cache; -1: not said */
	bool hit;     /* a cache says that it had the answer */
	bool stale;   /* a Warning header says that, whatever the age */
};

/* Read the beginning of an answer, which is all that has come so far.
 * HTTP_DATE: the headers are complete, or as long as they may be, and nothing
 * in them says that a cache had the answer (lines come in any order).  dated is
 * set sooner, so that the caller can note when the Date came. */
enum http_said http_head(const char *bytes, size_t size, struct http_time *);

/* Make the HEAD request, which forbids caches to answer.  Returns its size, or
 * 0 if it does not fit or if host or path hold what cannot be sent. */
size_t http_request(const char *host, uint16_t port, const char *path,
    char *out, size_t capacity);

#endif
