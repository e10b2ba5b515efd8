/*
 * serve.h - answers to NTP clients.
 */
#ifndef SERVE_H
#define SERVE_H

#include "core/address.h"
#include "core/conf.h"
#include "core/ntp.h"
#include "serve/listen.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* Why a request got no reply. */
enum serve_drop {
	DROP_LENGTH,
	DROP_MODE,
	DROP_VERSION, /* as enum ntp_refusal */
	DROP_ADDRESS, /* to a group address, or from port 0 */
	DROP_ACCESS,  /* "allow from" does not name it */
	DROP_RATE,    /* its network asks too much */
	DROP_SEND,    /* the kernel refused the reply */
	DROP_OWN,     /* our own request came back to us */
	DROPS	      /* their number, and: not dropped */
};
extern const char *const serve_words[DROPS];

struct server_counters {
	uint64_t requests, replies, dropped[DROPS];
};

enum {
	SERVE_OWN = 256, /* requests of ours remembered, a power of two */
	SERVE_AT = 8,	 /* addresses remembered that "*" was asked at */
	RATE_SETS = 256,
	RATE_WAYS = 4 /* networks remembered: see serve.c */
};

/* A network's token bucket: the raw time at which it will be full again. */
struct rate_entry {
	uint64_t network; /* 0: free */
	int64_t full;
};

struct rate_table {
	int64_t interval, allowance; /* ns: of one request, of a burst */
	uint64_t seed[2];
	struct rate_entry set[RATE_SETS][RATE_WAYS];
};

/* All of it zero before the first serve_start. */
struct server {
	const struct conf *conf;
	const struct listening *listening; /* what it is called by */
	int64_t trusted_from;  /* real: no receive stamp before this */
	int64_t ahead, looked; /* real - raw, and when (raw) */
	struct rate_table rate;
	struct server_counters counters;
	uint64_t own[SERVE_OWN]; /* by their last bits; 0: none */
	bool back[SERVE_OWN];	 /* ... and it came back */
	bool echo;		 /* some did since serve_echo was asked */
	struct address asked_at[SERVE_AT]; /* of ours */
	unsigned asked_count;		   /* written there, ever */
};

/* Take what the configuration says of clients; at start, and again after a reload.
 * Both are kept until the next call. */
void serve_start(
    struct server *, const struct conf *, const struct listening *);

/* Answer what came on those of p that are ready, for a few milliseconds at
 * most: what is left is ready at the next turn.  To be called each turn, with
 * none ready too, because it watches for a clock that was set. */
void serve_deliver(
    struct server *, const struct pollfd p[], int n, const struct serving *);

/* A request with this nonce leaves.  Nobody can guess it, so a request that comes
 * to us with it came from us. */
void serve_asks(struct server *, uint64_t nonce);

/* Has the request with this nonce come back to us? */
bool serve_echoed(const struct server *, uint64_t nonce);

/* Did any come back since this was asked last? */
bool serve_echo(struct server *);

/* The reference ids that name us to those who follow us: of the addresses that
 * are listened on, or at which "*" was asked lately.  Returns how many were
 * written, at most max.  Every host has loopback addresses: they count only if
 * loopback is true. */
int serve_ours(
    const struct server *, bool loopback, uint32_t refid[], int max);

/* 127.0.0.0/8 or ::1? */
bool serve_loopback(const struct address *);

/* The parts that decide, apart for their tests.  Is the network of this address
 * (its /24 or /56) within its rate at raw?  Counts the request.  Loopback
 * always is. */
void serve_rate_set(struct rate_table *, double rate, int burst);
bool serve_rate(struct rate_table *, const struct address *, int64_t raw);

/* Does the list hold the address?  An empty one holds all. */
bool serve_allowed(const struct conf_allow[], int n, const struct address *);

#endif
