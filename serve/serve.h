/*
 * serve.h - answers to NTP clients.
 */
#ifndef SERVE_H
#define SERVE_H

#include "core/ntp.h"
#include "serve/listen.h"

/* Why a request got no reply. */
enum serve_drop {
	DROP_LENGTH,
	DROP_MODE,
	DROP_VERSION, /* these three as in enum ntp_refusal */
	DROP_ADDRESS, /* it was sent to a group, or from port 0 */
	DROP_ACCESS,  /* "allow from" does not name its sender */
	DROP_RATE,    /* the sender's network asks too often */
	DROP_SEND,    /* the kernel did not take the reply */
	DROP_OWN,     /* it is a request of our own */
	DROP_KEY,     /* its key is not known, or its MAC is wrong */
	DROPS	      /* their number; as a result: it is not dropped */
};
extern const char serve_words[]; /* for word_at: DROPS of them */

struct server_counters {
	uint64_t requests, replies, dropped[DROPS];
};

enum {
	SERVE_OWN = 256, /* our own requests that are remembered: more than
			    are under way at a time; a power of two */
	SERVE_AT = 8,	 /* addresses that are remembered: see asked_at */
	SERVE_KEPT = 512, /* clients of interleaved mode that are remembered */
	RATE_SETS = 256, /* the table remembers the networks that ask, */
	RATE_WAYS = 4	 /* so many in each of its sets */
};

/* The token bucket of a network. */
struct rate_entry {
	uint64_t network; /* 0: this entry is free */
	int64_t full;	  /* raw: it will be full again then */
};

struct rate_table {
	int64_t interval;  /* ns: in which a token comes */
	int64_t allowance; /* ns: in which those of a burst come */
	uint64_t seed[2];  /* a secret: see set_of */
	struct rate_entry set[RATE_SETS][RATE_WAYS];
};

/* When the last reply to a client of interleaved mode left: stamps of NTP.
 * Transmit is 0 until it has left. */
struct kept {
	uint64_t receive, transmit;
};

/* All zero before the first serve_start.  The counters are public. */
struct server {
	const struct conf *conf;
	const struct listening *listening; /* it has our addresses */
	int64_t trusted_from; /* real: receive stamps before it are void */
	int64_t ahead;	      /* ns: real - raw at the last look */
	int64_t looked;	      /* raw: of that look */
	struct rate_table rate;
	struct server_counters counters;
	uint64_t own[SERVE_OWN]; /* nonces, by their last bits; 0: none */
	bool back[SERVE_OWN];	 /* the request of that nonce came to us */
	bool echo;		 /* one did since serve_echo was asked */
	struct address asked_at[SERVE_AT]; /* where "*" was asked lately */
	unsigned asked_count;		   /* all that were written there */
	struct kept kept[SERVE_KEPT];
	unsigned kept_count;		   /* all clients that came there */
};

/* Begin to serve whom the configuration allows.  The configuration and the
 * listeners are not copied: both must stay where they are. */
void serve_start(
    struct server *, const struct conf *, const struct listening *);

/* The configuration is another one.  What is known of networks and addresses
 * stays. */
void serve_reload(struct server *, const struct conf *);

/* Answer what came by those of the descriptors p that are ready, for a few
 * milliseconds at most: what is left is ready at the next turn.  Call it each
 * turn, even if none is ready, since it also looks whether the clock was
 * set. */
void serve_deliver(
    struct server *, const struct pollfd p[], int n, const struct serving *);

/* We send a request with this nonce.  Nobody can guess it.  So if a request
 * with it comes to our server, it is that one. */
void serve_asks(struct server *, uint64_t nonce);

/* Has the request with this nonce come back to us? */
bool serve_echoed(const struct server *, uint64_t nonce);

/* Has any come back since this was asked last? */
bool serve_echo(struct server *);

/* The reference ids by which clients of ours name us: those of the addresses
 * that are listened on, or at which "*" was asked lately.  Loopback addresses
 * are left out unless loopback is true, because every host has them.  Returns
 * how many were written, at most max. */
int serve_ours(
    const struct server *, bool loopback, uint32_t refid[], int max);

/* Is it in 127.0.0.0/8, or ::1? */
bool serve_loopback(const struct address *);

/* What follows is called by serve.c and its tests only.  A network may ask rate
 * times a second, and burst times at once. */
void serve_rate_set(struct rate_table *, double rate, int burst);

/* Count a request at raw.  Is the network of its sender (the /24, or the /56)
 * within its rate?  Loopback always is. */
bool serve_rate(struct rate_table *, const struct address *, int64_t raw);

/* Is the address in one of the networks?  If there are none, every address
 * is. */
bool serve_allowed(const struct conf_allow[], int n, const struct address *);

#endif
