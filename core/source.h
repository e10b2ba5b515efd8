/*
 * source.h - one server.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "core/address.h"
#include "core/calm.h"
#include "core/constraint.h"
#include "core/filter.h"
#include "core/ntp.h"
#include "core/select.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOURCE_POLL_MOST 1024.0 /* s: longest interval, unless "poll" says more */

/* Times in ns of one exchange: sent and got on the raw axis. */
struct stamps {
	int64_t sent, got;
	double precision; /* s: uncertainty of the two */
};

enum source_state {
	SOURCE_UNRESOLVED, /* no address */
	SOURCE_IDLE,	   /* waits for its next request */
	SOURCE_WAITING,	   /* a request is under way */
	SOURCE_STOPPED,	   /* told to stop: until names are resolved */
	SOURCE_STATES
};

enum { SOURCE_RECENT = 8 };

enum source_want { WANT_NOTHING, WANT_SEND, WANT_TIMEOUT };

/* What became of a reply; the first that applies. */
enum source_said {
	SAID_ACCEPTED,
	SAID_SHORT,	/* below 48 bytes */
	SAID_ORIGIN,	/* not an answer to our request */
	SAID_DUPLICATE, /* nothing was asked */
	SAID_MODE,
	SAID_VERSION,
	SAID_RATE,
	SAID_DENY, /* kiss-o'-death with the right origin */
	SAID_KISS, /* another kiss */
	SAID_ALARM,
	SAID_STRATUM,
	SAID_STAMPS, /* zero, or transmit before receive */
	SAID_DELAY,  /* negative, or too long */
	SAID_ROOT,   /* root delay or dispersion not sane */
	SAID_BUILD,  /* date before the build */
	SAID_BOUND,  /* outside of the constraint */
	SAID_SELF,   /* none: the request came to ourselves */
	SAID_LOOP,   /* it follows us (RFC 5905 §A.5.5.1: refid) */
	SAID_SAYS
};
extern const char *const source_words[SAID_SAYS];

struct source {
	/* who: set by the owner */
	int line; /* index into the configuration's servers */
	bool trusted;
	int weight;
	double poll_least, poll_most; /* s */
	double distance_most;	      /* s: of its root; 0: the default */
	struct address address;	      /* family 0: none */
	/* Silent ones take turns: how many there are (0: one), and where this
	 * one stands among them, in [0, 1). */
	int crowd;
	double phase;

	/* the exchange */
	enum source_state state;
	int64_t due;	    /* raw: next request or time-out */
	int64_t first_sent; /* raw: of this address, 0: never */
	int64_t sent;	    /* raw: last request */
	uint64_t nonce;
	double interval;  /* s: the poll interval asked for */
	double slowest;	  /* s: floor after KoD RATE */
	int patient;	  /* good replies since then or its halving */
	int burst;	  /* quick exchanges still to make */
	int silent;	  /* requests in a row without reply, or failed */
	int failed;	  /* of these: could not be sent */
	struct pace pace; /* of requests since the last good reply */
	int moves;	  /* to other addresses since that reply */
	bool explained;	  /* why this request got no reply is known */
	int denied;	  /* DENY or RSTR in a row */
	uint8_t reach;	  /* last eight requests, newest lowest */
	int trust;	  /* 0..10, as OpenNTPD shows it; valid from 6 */
	bool unreachable; /* connect or send failed on this address, which
			     never answered, or it fails for minutes */
	bool loops;	  /* it follows us: not used while it does */
	struct sample far; /* the last one that was refused for its root
			      distance; raw 0: none since a good reply */

	/* what it said last */
	enum source_said said;
	double refused; /* what was wrong with it: its delay or root distance
			   in s, or stratum */
	struct ntp_packet last;
	struct sample sample;
	enum select_said selected;
	double recent_delay[SOURCE_RECENT]; /* last ones, for ntpctl */
	int jitter_head;		    /* exchanges in the above */
	bool named;	   /* the log has called it a falseticker */
	int doubted;	   /* polls in a row as such, or outside of the bound */
	bool far_said;	   /* the log has said that it is too far from its
			      root */
	struct filter filter;
	uint64_t requests, replies, rejected[SAID_SAYS];
};

/* Lost replies after which it loses trust and may go to another address. */
enum { SILENT_MOVE = 2 };
enum { TRUST_START = 2, TRUST_VALID = 6, TRUST_MAX = 10 };

/* Begin with this address; the first request is due after delay seconds. */
void source_start(struct source *, const struct address *, int64_t raw,
    double delay, double freq, double freq_sd);

/* What it wants at raw: WANT_SEND (then call source_sent or source_failed) or
 * WANT_TIMEOUT (a request went unanswered; state is updated already).
 * starting: the clock is not synchronised yet, so ask again soon.  random is
 * in [0, 1). */
enum source_want
source_turn(struct source *, int64_t raw, bool starting, double random);

/* The request with this nonce has left. */
void source_sent(struct source *, int64_t raw, uint64_t nonce, bool starting);

/* connect or send failed: this address cannot be reached at present. */
void source_failed(struct source *, int64_t raw, bool starting, double random);

/* It could not be asked for a reason that is not its own (no descriptor, no
 * buffer): later. */
void source_delayed(struct source *, int64_t raw, double random);

/* What a reply is judged by, beside itself. */
struct judgement {
	const struct bound *bound; /* constraint; also the earliest date */
	int64_t pivot;		   /* real: era of the stamps */
	double random;		   /* [0, 1) */
	const uint32_t *ours; /* reference ids that name this host to others,
				 the caller's */
	int count;	      /* of them */
};

/* A datagram came.  What is not SAID_ACCEPTED, _RATE, _DENY, _BOUND or _LOOP
 * leaves everything as it was, but for the counters.  See RFC 5905 §8. */
enum source_said source_reply(struct source *, const uint8_t *bytes,
    size_t size, const struct stamps *, const struct judgement *);

/* The request that is under way came to this daemon itself: this is no source of
 * time.  It is not asked again until names are resolved.  True if that is news. */
bool source_self(struct source *);

/* Its candidacy at raw; false if it has nothing to say. */
bool source_candidate(const struct source *, int64_t raw, struct candidate *);

/* Its candidacy at raw by a sample that was refused for its root distance alone.
 * That is better than nothing where the clock is to be set and nobody else is
 * there.  False: there is none of the last minute. */
bool source_resort(const struct source *, int64_t raw, struct candidate *);

/* The root distance up to which it is used, s. */
double source_distance_most(const struct source *);

/* Time had a gap: samples are void, ask at once. */
void source_forget(struct source *, int64_t raw, double freq, double freq_sd);

/* Ask soon, with a burst, but keep the samples: the system clock was set. */
void source_hurry(struct source *, int64_t raw);

/* How many requests have been used up of those that it may be sent at once while
 * it does not answer; below 0: none. */
double source_spent(const struct source *, int64_t raw);

/* Another server's reply tells that the network is back: ask at once if this one
 * was silent. */
void source_nudge(struct source *, int64_t raw);

/* Its name was resolved anew and this is still its address: ask again, if it was
 * told to stop (else false). */
bool source_resume(struct source *, int64_t raw, double freq, double freq_sd);

/* A leap second moved the server's time by so many ns; it is announced no
 * longer. */
void source_leapt(struct source *, int64_t ns);

/* Root mean square of the last delays above their least, s (ntpctl). */
double source_jitter(const struct source *);

/* The pivot of the era of NTP stamps: real while synchronised, else a date near
 * the build that allows for 68 years either way. */
int64_t source_pivot(bool synced, int64_t real, int64_t build);

static inline bool
source_valid(const struct source *s)
{
	return s->trust >= TRUST_VALID;
}

/* Was it a falseticker, or outside of the constraints' bound, at eight polls in
 * a row?  Then it makes room if its name has another address. */
bool source_doubted(const struct source *);

/* Start it at another address of its name, due then.  Its silence goes on, and the
 * requests that it may be sent in vain begin anew once for each of the "of"
 * addresses that the name has. */
void source_move(struct source *, const struct address *, int of, int64_t due,
    double freq, double freq_sd);

/* Seconds until an address that cannot be reached is tried again. */
double source_retry(const struct source *, bool starting);

#endif
