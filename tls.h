/*
 * tls.h - one question over TLS, for a date or for keys; runs in a child.
 */
#ifndef TLS_H
#define TLS_H

#include "core/constraint.h"
#include "core/nts.h"

/* s for the connection, the handshake and the answer together.  The parent
 * ends the child a second later. */
enum { TLS_PATIENCE = 10, TLS_REASON = 160 };

/* What became of a question.  A failure is logged in OpenNTPD's words, as "%s:
 * %s (%s): %s" of word_at(tls_words, said), address, host and reason.  Its class
 * is debug for TLS_CONNECT, and warn for the others. */
enum tls_said {
	TLS_DATE,
	TLS_CONNECT,   /* there is no connection */
	TLS_HANDSHAKE, /* TLS or the certificates failed */
	TLS_EARLY,     /* a certificate is not valid yet */
	TLS_LATE,      /* or not any longer */
	TLS_READ,      /* the answer is not complete */
	TLS_FORMAT,    /* the answer has no date that can be read */
	TLS_LENGTH,    /* or none within the bytes that are read */
	TLS_BUILD,     /* the date is before the build of the program */
	TLS_STORED,    /* the answer comes out of a cache, so its date is of
			  some time ago.  error includes half of its age, or is
			  0 where the age is not known. */
	TLS_SAYS
};
extern const char tls_words[]; /* for word_at: TLS_SAYS of them */

struct trust_roots;

struct tls_question {
	const char *host, *path; /* as in struct conf_constraint */
	uint16_t port;
	struct address numeric; /* if the host is one, else family 0 */
	struct address address; /* to connect to */
	/* Neither path nor the next two are for tls_exchange. */
	int64_t earliest;	/* real: an earlier date is not believed */
	int64_t aim;		/* raw: send the request then, or whole seconds
				   later; 0: at once */
	bool synced;		/* the system clock is right, so that
				   certificates must be valid by it, too */
	const struct trust_roots *roots;
};

struct tls_answer {
	enum tls_said said;
	int64_t raw, real;	 /* when the Date line was complete */
	int64_t date;		 /* real: what that line said, a whole second */
	double error;		 /* s: half width, with half of the Age; see
				    tls_constraint_answer */
	char reason[TLS_REASON]; /* of a failure: its likely cause, a remedy */
};

/* What a key exchange for NTS brings. */
struct tls_keys {
	bool ok;
	/* In s since 1970: in between all certificates of the path hold.  They
	 * may lie far outside of what fits into nanoseconds. */
	int64_t from, until;
	struct nts_grant grant;
	char reason[TLS_REASON]; /* of a failure: its likely cause, a remedy */
};

/* Ask one server: make a struct tls_answer of a struct tls_question.  This is
 * work for a child (struct helper_job), since it blocks for up to TLS_PATIENCE
 * and leaves its state behind. */
void tls_ask(const void *question, void *answer);

/* Could a child that was asked at the raw time "asked" have sent this until
 * "now"? Also ends the reason with a zero byte, and replaces its control
 * characters. */
bool tls_sane(struct tls_answer *, int64_t asked, int64_t now);

/* Exchange keys for NTS (RFC 8915 §4) with one server: make a struct tls_keys
 * of a struct tls_question.  This is work for a child as well.  Only a clock
 * that is synced is compared with the certificates.  Otherwise the caller
 * compares the first time that comes with these keys with from and until. */
void tls_exchange(const void *question, void *keys);

/* Could a child have sent these? Cleans the reason as tls_sane does. */
bool tls_keys_sane(struct tls_keys *);

/* The answer as constraint_reply wants it.  The Date is cut to a whole second,
 * and it was made after the request was sent and before its line was read.  So
 * at raw the server's clock was between date and date + 1 s + round trip (+ the
 * answer's Age).  The middle of that is date + error, where error is half of
 * the width. */
struct constraint_answer tls_constraint_answer(const struct tls_answer *);

#endif
