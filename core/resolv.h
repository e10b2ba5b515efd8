/*
 * resolv.h - what a name lookup is made of: files, questions, answers, and what
 * comes next.  This room is pure; dns.c has the sockets.
 */
#ifndef RESOLV_H
#define RESOLV_H

#include "core/address.h"

#include <stddef.h>

enum {
	RESOLV_NAME = 254,	  /* bytes of a name's text, RFC 1035 §2.3.4 */
	RESOLV_SERVERS = 3,	  /* as other resolvers take (MAXNS) */
	RESOLV_NAMES = 17,	  /* candidates: 16 search domains, the name */
	RESOLV_QUERY = 12 + 255 + 4, /* longest: header, name, type and class */
	RESOLV_HALVES = 2,	  /* A and AAAA */
	RESOLV_PATIENCE = 20	  /* s: no lookup takes longer */
};

/* What /etc/resolv.conf says; see resolv.conf(5). */
struct resolv_conf {
	char server[RESOLV_SERVERS][ADDRESS_TEXT]; /* as written */
	int servers; /* at least one */
	bool named;  /* some were in the file */
	char search[RESOLV_NAMES - 1][RESOLV_NAME];
	int searches;
	int ndots, timeout, attempts;
	bool rotate, tcp;
};

/* Parse size bytes of that file (0: there is none).  What is not understood is
 * left out, as other resolvers do. */
void resolv_conf(const char *text, size_t size, struct resolv_conf *);

/* Does this line of a hosts file (without its end) name the host?  Then its
 * address is copied, as it is written. */
bool resolv_hosts(const char *line, size_t size, const char *name,
    char address[static ADDRESS_TEXT]);

/* Why DNS cannot be asked for this name, or NULL. */
const char *resolv_fault(const char *name);

/* Is it "localhost" or a name below it?  Then it is this host, whatever DNS
 * says (RFC 6761 §6.3). */
bool resolv_localhost(const char *name);

/* What a server said to a query. */
enum resolv_said {
	RESOLV_SILENT, /* none yet */
	RESOLV_FOUND,
	RESOLV_CUT, /* truncated: to be asked by TCP */
	RESOLV_NODATA,
	RESOLV_NXDOMAIN,
	RESOLV_FORMERR,
	RESOLV_SERVFAIL,
	RESOLV_NOTIMP,
	RESOLV_REFUSED,
	RESOLV_RCODE, /* another one */
	RESOLV_MALFORMED,
	RESOLV_BROKEN,	/* the socket says no: errno is with dns.c */
	RESOLV_FOREIGN, /* no answer to this query: go on waiting */
	RESOLV_SAYS
};
extern const char resolv_words[]; /* for word_at: RESOLV_SAYS of them */

/* The addresses of one half of a name. */
struct resolv_found {
	int addresses;
	bool distant; /* dns.c: this host has no way to any of them */
	struct address address[POOL_MAX];
};

/* Make the query for half 0 (A) or 1 (AAAA) of a name without fault; returns
 * its size. */
size_t resolv_query(
    const char *name, int half, uint16_t id, uint8_t out[static RESOLV_QUERY]);

/* What size bytes say to this query.  Addresses are found by following aliases
 * (CNAME) within the answer, also in a truncated one; only RESOLV_FOUND means
 * that these are all. */
enum resolv_said resolv_answer(const uint8_t *bytes, size_t size,
    const uint8_t *query, size_t query_size, struct resolv_found *);

/* One name server that is asked for one half of one candidate. */
struct resolv_probe {
	enum resolv_said said;
	int sends;
	int64_t sent; /* the last one */
};

struct resolv_name {
	char text[RESOLV_NAME];
	int64_t begun; /* NEVER: not yet asked for */
	/* When the first addresses came, or later if they are distant; NEVER:
	 * there are none. */
	int64_t good;
	struct resolv_found found[RESOLV_HALVES];
	struct resolv_probe probe[RESOLV_HALVES][RESOLV_SERVERS];
};

/* A lookup that is under way.  Its candidates are in order of preference: of
 * two that have addresses the first counts.  Times are of any one clock, in
 * ns. */
struct resolv {
	int names, servers;
	int sends;  /* of one query to a silent server */
	bool turns; /* a candidate waits for the end of the one before it */
	int64_t began, again; /* again: ns to the repetition of a query */
	struct resolv_name name[RESOLV_NAMES];
};

/* Begin with all candidates of a name without fault.  They are those of RFC
 * 1034 §3.6.2's search: a name with ndots dots is tried as it is first,
 * another one last. failures is how often this lookup has failed already.
 * After the first failure the name servers are spared: each query is sent
 * once, and a candidate is asked for only when the one before it has ended,
 * except every fourth time. */
void resolv_begin(struct resolv *, const struct resolv_conf *,
    const char *name, int failures, int64_t now);

/* What comes next: a query is to be sent (and counts as sent), there is
 * nothing to do but wait until due, or the lookup is over. */
enum resolv_want { RESOLV_WAIT, RESOLV_ASK, RESOLV_DONE };
struct resolv_step {
	int name, half, server;
	int64_t due;
};
enum resolv_want
resolv_next(struct resolv *, int64_t now, struct resolv_step *);

/* An answer came, or the socket broke. */
void resolv_heard(struct resolv *, const struct resolv_step *, enum resolv_said,
    const struct resolv_found *, int64_t now);

/* After RESOLV_DONE: the candidate whose addresses count, or NULL.  Then *why
 * is the probe that tells best what was wrong. */
const struct resolv_name *resolv_result(
    const struct resolv *, struct resolv_step *why);

#endif
