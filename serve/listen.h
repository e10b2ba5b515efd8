/*
 * listen.h - the sockets of "listen on" and "metrics on".
 */
#ifndef LISTEN_H
#define LISTEN_H

#include "core/conf.h"

#include <poll.h>

struct helper_result;
struct helpers;

/* What is served at a listener: NTP by UDP, metrics by TCP. */
enum listen_service { LISTEN_NTP, LISTEN_METRICS, LISTEN_SERVICES };

enum {
	LISTEN_NTP_MOST = 128,	 /* addresses of all "listen on" together */
	LISTEN_METRICS_MOST = 8, /* addresses of all "metrics on" together */
	LISTENERS_MOST = LISTEN_NTP_MOST + LISTEN_METRICS_MOST
};

/* One address that is, or is to be, listened on. */
struct listener {
	enum listen_service service;
	struct address address;
	uint16_t port;
	bool any;      /* "*" wants it */
	int line;      /* private: the line that wants it, -1: none */
	int fd;	       /* -1: not bound */
	int error;     /* errno of the last try, 0: none */
	int64_t retry; /* raw: of the next try; NEVER: it is bound, or no try
			  would succeed */
};

/* All zero before the first listen_open.  Others may read the listeners and
 * their number by service. */
struct listening {
	struct listener listener[LISTENERS_MOST];
	int listeners, count[LISTEN_SERVICES];
	bool crowded[LISTEN_SERVICES]; /* it was said that there are too many */
	struct listen_line *line;      /* private: those of the configuration */
	int lines;
};

/* A listener as status shows it. */
struct status_listener {
	char address[ADDRESS_TEXT]; /* or the name that has no address yet */
	const char *service;	    /* "ntp" or "metrics" */
	bool bound;		    /* else it is being retried */
	char reason[64];
};

/* Make the listeners agree with the configuration, which is not copied.
 * Numeric addresses and "*" are bound at once; what cannot be bound is logged
 * and tried again.  Names are looked up by listen_turn.  Exits without memory. */
void listen_open(struct listening *, const struct conf *, int64_t raw);

/* The same for a configuration that takes the place of another one, which still
 * exists.  Listeners that are still wanted stay open, and so do those of a name
 * that stays; its lookup goes on under a new number.  False without memory:
 * then nothing has changed. */
bool listen_reload(struct listening *, const struct conf *, struct helpers *,
    int64_t raw);

/* Start the lookups that are due, and try to bind the addresses that are
 * due. */
void listen_turn(struct listening *, struct helpers *, int64_t raw);

/* Take the answer of a lookup (HELPER_LISTEN_NAME).  Its addresses replace
 * those that the name had; if there are none, nothing changes. */
void listen_named(
    struct listening *, const struct helper_result *, int64_t raw);

/* The network changed: look names up again soon. */
void listen_hurry(struct listening *, int64_t raw);

/* The raw time at which listen_turn has something to do, or NEVER. */
int64_t listen_due(const struct listening *);

/* The descriptors of a service to wait for, at most max; returns how many. */
int listen_watch(const struct listening *, enum listen_service,
    struct pollfd[], int max);

/* One entry for each listener of the service, and one for each "listen on" of a
 * name that has no address.  Returns how many were written, at most max. */
int listen_status(const struct listening *, enum listen_service,
    struct status_listener[], int max);

/* Close all listeners, and forget the configuration. */
void listen_close(struct listening *);

#endif
