/*
 * request.c - an HTTP request, byte by byte.
 *
 * It becomes the name of a view, or the code of a refusal.  This room owns
 * nothing and knows no socket.
 */
#include "serve/request.h"

#include <string.h>

/* How many of the first characters may be in the name of a method or of a
 * header (RFC 9110 §5.6.2). */
static size_t
token(const char *s)
{
	return strspn(s,
	    "!#$%&'*+-.^_`|~0123456789"
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* Does s begin with this word?  The word is in lower case; s may be in any. */
static bool
begins(const char *s, const char *lower)
{
	for (; *lower != '\0'; s++, lower++) {
		char c = *s >= 'A' && *s <= 'Z' ? (char)(*s | 0x20) : *s;

		if (c != *lower)
			return false;
	}
	return true;
}

/* The view of this path, which ends at a '?' or at a NUL. */
static enum status_view
view_of(const char *path)
{
	size_t n = strcspn(path, "?");
	const char *p;

	for (int i = 0; i < VIEW_OPENMETRICS; i++) {
		p = status_path((enum status_view)i);
		if (strlen(p) == n && memcmp(p, path, n) == 0)
			return (enum status_view)i;
	}
	return STATUS_VIEWS;
}

/* METHOD SP TARGET SP VERSION (RFC 9112 §3).  0, or the code of a refusal that
 * is given at once.  One that can wait for the end of the headers goes to
 * r->refusal. */
static int
request_line(struct request *r)
{
	char *target, *version;
	size_t n = token(r->line);

	if (n == 0 || r->line[n] != ' ')
		return 400;
	r->line[n] = '\0';
	target = r->line + n + 1;
	version = strchr(target, ' ');
	if (version == NULL || version == target)
		return 400;
	*version++ = '\0';
	if (strncmp(version, "HTTP/", 5) != 0 || strlen(version) != 8 ||
	    version[5] < '0' || version[5] > '9' || version[6] != '.' ||
	    version[7] < '0' || version[7] > '9')
		return 400;
	if (version[5] != '1')
		return 505;
	r->http10 = version[7] == '0';
	r->head = strcmp(r->line, "HEAD") == 0;
	if (!r->head && strcmp(r->line, "GET") != 0)
		r->refusal = 405;
	/* Proxies are sent the absolute form of the target, but a server has to
	 * understand it as well (RFC 9112 §3.2.2). */
	if (begins(target, "http://"))
		target = strchr(target + 7, '/');
	if (target == NULL)
		return 400;
	r->view = view_of(target);
	if (r->view == STATUS_VIEWS && r->refusal == 0)
		r->refusal = 404;
	r->begun = true;
	return 0;
}

/* NAME ":" VALUE.  Only two headers mean anything here.  A client that accepts
 * OpenMetrics is given it, and a request of HTTP/1.1 has exactly one Host. */
static int
header_line(struct request *r)
{
	const char *s = r->line;
	size_t n = token(s);

	if (n == 0 || s[n] != ':')
		return 400;
	if (begins(s, "host:"))
		r->hosts++;
	if (begins(s, "accept:"))
		for (; *s != '\0'; s++)
			if (begins(s, "application/openmetrics-text"))
				r->openmetrics = true;
	return 0;
}

static int
request_end(struct request *r)
{
	if (r->hosts > 1 || (r->hosts == 0 && !r->http10))
		return 400;
	if (r->view == VIEW_METRICS && r->openmetrics)
		r->view = VIEW_OPENMETRICS;
	return r->refusal != 0 ? r->refusal : 200;
}

/* A line is complete.  Its end is taken away, and a NUL put there.  LF alone
 * ends a line like CRLF (RFC 9112 §2.2), but CR alone is an error. */
static int
take_line(struct request *r)
{
	if (r->used > 0 && r->line[r->used - 1] == '\r')
		r->used--;
	r->line[r->used] = '\0';
	if (strchr(r->line, '\r') != NULL)
		return 400;
	if (!r->begun)
		/* An empty line before the request is to be ignored.  How many
		 * there may be is limited by REQUEST_MAX. */
		return r->used == 0 ? 0 : request_line(r);
	return r->used == 0 ? request_end(r) : header_line(r);
}

void
request_take(struct request *r, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size && r->code == 0; i++) {
		if (++r->taken > REQUEST_MAX)
			r->code = 431;
		else if (bytes[i] == '\0')
			r->code = 400;
		else if (bytes[i] == '\n') {
			r->code = take_line(r);
			r->used = 0;
		} else if (r->used < sizeof r->line - 1)
			r->line[r->used++] = bytes[i];
		else if (!r->begun)
			r->code = 414;
		/* else it is a long header, whose beginning is enough */
	}
}
