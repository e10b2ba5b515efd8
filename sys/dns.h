/*
 * dns.h - name lookups, in a child.
 */
#ifndef DNS_H
#define DNS_H

#include "core/address.h"
#include "core/resolv.h"
#include "sys/helper.h"

#include <stdbool.h>

enum { NAME_MAX_TEXT = 256 };

/* s of a lookup: a name server that needs 7 s can still be heard, also behind a
 * search list.  The parent ends the child a second later. */
enum { DNS_PATIENCE = RESOLV_PATIENCE, DNS_REASON = 120 };

/* A name to be looked up, and how often that has failed: from the second time on
 * the name servers are spared. */
struct dns_question {
	const char *name;
	int failures;
};

/* The answer to a name lookup. */
struct dns_answer {
	int addresses; /* 0: none, and reason says why */
	int questions; /* sent to name servers */
	struct address address[POOL_MAX];
	char reason[DNS_REASON];
};

/* Look up a host name: numeric, in /etc/hosts, by DNS.  Work for a child (struct
 * helper_job, whose question is a struct dns_question); blocks up to DNS_PATIENCE,
 * leaves its state behind. */
void dns_ask(const void *question, void *answer);

/* What a child has answered, checked like a stranger's packet, into *answer.
 * Addresses that are no single host's are left out, and one line about name says
 * so: of class debug if it is news, of class detail if the name failed before. */
void dns_take(const struct helper_result *, const char *name, bool news,
    struct dns_answer *answer);

#endif
