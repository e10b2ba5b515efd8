/*
 * request.h - an HTTP request, byte by byte.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "serve/status.h"

enum {
	REQUEST_LINE = 256, /* bytes of the longest request line; the longest
			       path has 15, but a proxy puts more before it */
	REQUEST_MAX = 8192  /* bytes of request line and headers together, as
			       other servers limit them */
};

/* A request of HTTP/1.x while it is being read; all zero at first.  Once code
 * is set, code, head and view are public. */
struct request {
	int code;  /* 0: not complete; 200: asks for view; else a refusal */
	bool head; /* HEAD: the caller wants no body */
	enum status_view view; /* if code is 200 */

	bool begun;	      /* the request line is complete */
	bool http10;	      /* it is a request of HTTP/1.0 */
	bool openmetrics;     /* the client takes OpenMetrics */
	int refusal;	      /* code to be given at the end, 0: none */
	int hosts;	      /* lines of Host */
	unsigned used, taken; /* bytes of this line, of all */
	char line[REQUEST_LINE];
};

/* Take the next bytes of a request.  Bytes behind its end are not looked at. */
void request_take(struct request *, const char *bytes, size_t size);

#endif
