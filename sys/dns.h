/*
 * dns.h - name lookups, in a child.
 */
#ifndef DNS_H
#define DNS_H

#include "core/resolv.h"
#include "sys/helper.h"

enum { NAME_MAX_TEXT = 256 };

/* s that a lookup may take.  A name server that needs 7 s can still be heard,
 * also if there is a search list.  The parent ends the child a second later. */
enum { DNS_PATIENCE = RESOLV_PATIENCE, DNS_REASON = 120 };

/* A name to be looked up, and how often that has failed.  From the second time
 * on the name servers are asked less.  If the time is not known either, they are
 * told at each second try not to check signatures (DNSSEC), since those that have
 * our wrong clock refuse good ones.  Not at each, since some refuse such queries. */
struct dns_question {
	const char *name;
	int failures;
	bool starting;
};

/* The answer to a name lookup. */
struct dns_answer {
	int addresses; /* 0: none, and reason says why */
	int questions; /* sent to name servers */
	struct address address[POOL_MAX];
	char reason[DNS_REASON];
};

/* Look up a host: as a numeric address, in /etc/hosts, by DNS.  It makes a
 * struct dns_answer of a struct dns_question.  This is work for a child (struct
 * helper_job), since it blocks for up to DNS_PATIENCE and leaves its state
 * behind. */
void dns_ask(const void *question, void *answer);

/* Check what a child has answered like a stranger's packet, and copy it to
 * *answer.  Addresses that do not belong to a single host are left out.  One
 * line about the name says so: of class debug if that is news, else of class
 * detail. */
void dns_take(const struct helper_result *, const char *name, bool news,
    struct dns_answer *answer);

#endif
