/*
 * jar.h - the cookies of one server of NTS: when new ones are exchanged, and
 * what is known of the last exchange.
 */
#ifndef JAR_H
#define JAR_H

#include "core/address.h"
#include "core/calm.h"
#include "core/nts.h"

enum { JAR_REASON = 160 }; /* bytes of text */

/* One server.  Its owner sets the first group; the others are jar.c's, and
 * others may read them.  It is all zero at first. */
struct jar {
	struct said said;	  /* what is wrong with its exchanges */
	struct address address;	  /* where its NTP goes; family 0: to the one
				     that exchanges the keys, or, if there is
				     a server, to nobody yet */
	char reason[JAR_REASON];  /* why the last exchange failed, or "" */

	struct nts nts;
	char server[NTS_SERVER_MOST + 1]; /* whose address is to be looked up */
	uint16_t port;			  /* of NTP, UDP */
	bool asking;	     /* an exchange, or the lookup after it */
	bool nak;	     /* our cookie was called unknown, and no good reply
				came since */
	bool proven;	     /* a time that its certificates allow was told
				since the last exchange */
	int lost;	     /* requests in a row without authentic reply */
	int heard;	     /* authentic replies since the last lost request */
	int tries;	     /* exchanges since the last authentic reply */
	int64_t due;	     /* raw: no exchange begins before */
	int64_t done;	     /* raw: of the last good exchange; 0: never */
	int64_t from, until; /* s since 1970: when its certificates are valid */
	struct pace hurried; /* of jar_hurry */
	struct pace renewed; /* of exchanges while there were cookies */
	/* Exchanges that began and that were good, replies without proof, and
	 * those that called our cookie unknown. */
	uint64_t exchanges, good, forged, naks;
};

/* Begin with another server, whose keys may be exchanged after so many seconds;
 * below 0: when its turn comes, since all addresses of the name have failed.
 * How often it was tried in vain counts on. */
void jar_start(struct jar *, int64_t raw, double wait);

/* s after the start to wait for the server of this index: some, so that not all
 * machines of a fleet exchange keys at once, but none for the first two, by
 * which the clock is set.  random is in [0, 1). */
double jar_wait(int index, double random);

/* Is an exchange due?  Then call jar_asked.  The cookies that there are may be
 * used until it has succeeded. */
bool jar_wants(const struct jar *, int64_t raw);

/* The exchange has begun.  jar_failed, jar_granted: this is what came of it.
 * The grant has its keys.  If it names a server that is no address, that one is
 * to be looked up, and jar_found called with its addresses. */
void jar_asked(struct jar *, int64_t raw);
void jar_failed(struct jar *, int64_t raw, double random);
void jar_granted(struct jar *, const struct nts_grant *, int64_t from,
    int64_t until, int64_t raw, double random);
void jar_found(struct jar *, const struct address[], int n);

/* May requests be sent?  jar_sent: one has been. */
bool jar_ready(const struct jar *);
void jar_sent(struct jar *);

/* nts_reply said so about a datagram.  jar_proved: the time that it told lies
 * within the dates of the certificates. */
void jar_heard(struct jar *, enum nts_said);
void jar_proved(struct jar *);

/* What was wrong may be well now: if exchanges have failed, the next one may
 * begin now.  That is done a few times at once and then four times an hour. */
void jar_hurry(struct jar *, int64_t raw);

#endif
