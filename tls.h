/*
 * tls.h - one question over TLS; runs in a child.
 */
#ifndef TLS_H
#define TLS_H

#include "core/address.h"
#include "core/constraint.h"

#include <stdbool.h>
#include <stdint.h>

/* Seconds for connect, handshake and headers together.  The parent ends the
 * child a second later. */
enum { TLS_PATIENCE = 10, TLS_REASON = 160 };

/* What became of a question.  The log line of a failure is OpenNTPD's,
 * "%s: %s (%s): %s" of tls_words[said], address, host, reason; at class debug
 * for TLS_CONNECT and warn for the others. */
enum tls_said {
	TLS_DATE,
	TLS_CONNECT,   /* no connection */
	TLS_HANDSHAKE, /* TLS or the certificates failed */
	TLS_EARLY,
	TLS_LATE, /* certificate's dates */
	TLS_READ, /* no complete answer */
	TLS_FORMAT,
	TLS_LENGTH, /* the answer has no date of use */
	TLS_BUILD,  /* a date before the build */
	TLS_STORED, /* a cache's answer: the date is of some time ago; error
		       then includes half of its age, or is 0 where the age is
		       not known */
	TLS_SAYS
};
extern const char *const tls_words[TLS_SAYS];

struct trust_roots;

struct tls_question {
	const char *host, *path; /* as in struct conf_constraint */
	uint16_t port;
	struct address numeric; /* if the host is one, else family 0 */
	struct address address; /* to connect to */
	int64_t earliest;	/* real: no date before it is taken */
	bool synced;		/* the system clock is right: certificates
					   must be valid by it as well */
	const struct trust_roots *roots;
};

struct tls_answer {
	enum tls_said said;
	int64_t raw, real;	 /* when the Date line was complete */
	int64_t date;		 /* real: what it said, a whole second */
	double error;		 /* s: half width, half of the Age
				    included; see tls_constraint_answer */
	char reason[TLS_REASON]; /* of a failure: likely cause, remedy */
};

/* Ask one server: a struct tls_question becomes a struct tls_answer.  Work for
 * a child (struct helper_job); blocks up to TLS_PATIENCE, leaves its state
 * behind. */
void tls_ask(const void *question, void *answer);

/* Is this what a child can have sent that was asked at raw "asked", now being
 * "now"?  Ends reason with a zero byte and cleans it. */
bool tls_sane(struct tls_answer *, int64_t asked, int64_t now);

/* As constraint_reply wants it.  The Date is cut to its second and was made
 * between our sending and the reading of the line, so at raw the server's clock
 * was between date and date + 1 s + round trip (and the answer's Age): the
 * middle is date + error, with error half of that. */
struct constraint_answer tls_constraint_answer(const struct tls_answer *);

#endif
