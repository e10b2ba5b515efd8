/*
 * serve.h - answers to NTP clients.
 */
#ifndef SERVE_H
#define SERVE_H

#include "core/address.h"
#include "core/conf.h"
#include "core/ntp.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* A listening socket, of the server or of the metrics, as status shows it. */
struct status_listener {
	char address[ADDRESS_TEXT];
	const char *service; /* "ntp" or "metrics" */
	bool bound;	     /* else it is being retried */
	char reason[64];
};

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
	SERVE_LISTENERS = 128, /* sockets of all "listen on" together */
	SERVE_RETRY = 30,      /* s between tries to bind */
	SERVE_OWN = 256, /* requests of ours remembered, a power of two */
	SERVE_AT = 8,	 /* addresses remembered that "*" was asked at */
	RATE_SETS = 256,
	RATE_WAYS = 4 /* networks remembered: see serve.c */
};

/* One socket to be, or being, listened on. */
struct listener {
	struct address address; /* all zero bytes: any of its family */
	bool any;
	int fd;	    /* -1: not bound */
	int error;  /* errno of the last try, 0: none yet */
	int listen; /* its line: index into conf.listen */
	uint16_t port;
	int64_t retry; /* raw; NEVER while bound */
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

/* All of it zero before the first serve_open. */
struct server {
	const struct conf *conf;
	struct listener listener[SERVE_LISTENERS];
	int listeners;
	bool crowded;	       /* that there are too many was said */
	int64_t trusted_from;  /* real: no receive stamp before this */
	int64_t ahead, looked; /* real - raw, and when (raw) */
	struct rate_table rate;
	struct server_counters counters;
	uint64_t own[SERVE_OWN]; /* by their last bits; 0: none */
	bool back[SERVE_OWN];	 /* ... and it came back */
	bool echo;		 /* some did since serve_echoed was asked */
	struct address at[SERVE_AT];
	unsigned ats; /* written there, ever */
};

/* Make the sockets agree with the configuration: at start, and again after a
 * reload, when sockets that are still wanted stay open.  Numeric addresses and
 * "*" are bound at once; what cannot be bound is logged and tried again.  conf
 * is kept until the next call; the one before must still be there during it. */
void serve_open(struct server *, const struct conf *, int64_t raw);

/* The addresses of conf.listen[listen], whose name was looked up; replaces what
 * it had before unless n is 0. */
void serve_resolved(
    struct server *, int listen, const struct address[], int n, int64_t raw);

/* Try again what is due; serve_due: when (raw), or NEVER. */
void serve_turn(struct server *, int64_t raw);
int64_t serve_due(const struct server *);

/* The descriptors to wait for, at most max; returns how many. */
int serve_watch(const struct server *, struct pollfd[], int max);

/* Answer what came on those of p that are ready, for a few milliseconds at
 * most: what is left is ready at the next turn.  To be called each turn, with
 * none ready too, because it watches for a clock that was set. */
void serve_deliver(
    struct server *, const struct pollfd p[], int n, const struct serving *);

/* One entry for each socket, and one for each name without an address. */
int serve_status(const struct server *, struct status_listener *, int max);

void serve_close(struct server *);

/* A request with this nonce leaves.  Nobody can guess it, so a request that comes
 * to us with it came from us. */
void serve_asks(struct server *, uint64_t nonce);

/* Has the request with this nonce come back to us? */
bool serve_echoed(const struct server *, uint64_t nonce);

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
