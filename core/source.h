/*
 * source.h - one server.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "core/constraint.h"
#include "core/instant.h"
#include "core/ntp.h"
#include "core/select.h"

#define SOURCE_POLL_LEAST 64.0	/* s: shortest, unless "poll" says less */
#define SOURCE_POLL_MOST 1024.0 /* s: longest, unless it says more */

enum source_state {
	SOURCE_UNRESOLVED, /* no address */
	SOURCE_IDLE,	   /* waits for its next request */
	SOURCE_WAITING,	   /* a request is under way */
	SOURCE_STOPPED,	   /* told to stop: until names are resolved */
	SOURCE_STATES
};
enum source_want { WANT_NOTHING, WANT_SEND, WANT_TIMEOUT };

/* What became of a reply; the first that applies. */
enum source_said {
	SAID_ACCEPTED,
	SAID_SHORT,	/* below 48 bytes */
	SAID_ORIGIN,	/* not an answer to our request */
	SAID_DUPLICATE, /* nothing was asked */
	SAID_MODE, SAID_VERSION,
	SAID_RATE, SAID_DENY, /* kiss-o'-death with the right origin */
	SAID_KISS,	      /* another kiss */
	SAID_ALARM, SAID_STRATUM,
	SAID_STAMPS, /* zero, or transmit before receive */
	SAID_DELAY,  /* negative, or too long */
	SAID_ROOT,   /* root delay or dispersion not sane */
	SAID_BUILD,  /* date before the build */
	SAID_BOUND,  /* outside of the constraint */
	SAID_SELF,   /* no reply: the request came to ourselves */
	SAID_LOOP,   /* it follows us (RFC 5905 §A.5.5.1: refid) */
	SAID_DATES,  /* outside of the dates of its certificates */
	SAID_SAYS
};
extern const char source_words[]; /* for word_at: SAID_SAYS of them */

enum { TRUST_START = 2, TRUST_VALID = 6, TRUST_MAX = 10, SOURCE_RECENT = 8,
	SILENT_MOVE = 2 }; /* lost replies: less trust, another address */

/* The owner sets the first group of fields; the others are source.c's, and
 * others may read them. */
struct source {
	int line; /* index into the configuration's servers, or sensors */
	const char *device; /* of a sensor; NULL: it is a server */
	uint32_t refid;	    /* of a sensor */
	bool follows, trusted, authentic; /* see struct candidate */
	bool interleaved;	      /* ask in that mode, see source_query */
	int weight;
	double poll_least, poll_most; /* s */
	double distance_most;	      /* s: of its root; 0: the default */
	int crowd;    /* silent servers take turns: so many; 0: one, */
	double phase; /* and where this one stands, in [0, 1) */
	enum select_said selected; /* by the last election */
	bool named, far_said; /* the log calls it a falseticker; too far away */
	bool explained; /* it is known why this request got no reply */

	/* the exchange */
	struct address address; /* family 0: none */
	enum source_state state;
	int64_t due;	    /* raw: of the next request or time-out */
	int64_t first_sent; /* raw: of this address; 0: never */
	int64_t sent;	    /* raw: of the last request */
	int64_t learnt;	    /* raw: of the last sample that was not strange */
	uint64_t nonce;
	double interval;  /* s: between requests */
	double slowest;	  /* s: least interval after kiss code RATE */
	int patient;	  /* good replies since then, or since it was halved */
	int burst;	  /* quick exchanges still to make */
	int silent, failed; /* requests without reply in a row; of them unsent */
	struct pace pace; /* of requests since the last good reply */
	struct pace quick; /* of intervals below the shortest one */
	int moves;	  /* to other addresses since that reply */
	int lost;	  /* as silent, but a new network does not end it */
	int denied;	  /* kiss codes DENY or RSTR in a row */
	uint8_t reach;	  /* the last eight requests, the newest lowest */
	int trust;	  /* 0..10, as OpenNTPD shows it; valid from 6 */
	int doubted;	  /* polls in a row outside of the majority or bound */
	bool unreachable; /* an unheard address failed, or it did for minutes */
	bool loops;	  /* it follows us, and is not used while it does */
	struct sample far; /* the last one too far from its root; raw 0: none */

	/* what it said last */
	enum source_said said;
	double refused; /* what was wrong: delay or root distance, s; stratum */
	struct ntp_packet last; /* receive 0: nothing more is told of it */
	struct stamps at;	/* ours of that reply; of a sensor: got only */
	bool woven;		/* it was one of interleaved mode */
	struct sample sample;
	double recent_delay[SOURCE_RECENT]; /* for source_jitter */
	int jitter_head;		    /* exchanges in the above */
	struct filter filter;
	uint64_t requests, replies, rejected[SAID_SAYS];
};

/* Ask this address, first in delay s.  freq is the raw clock's frequency. */
void source_start(struct source *, const struct address *, int64_t raw,
    double delay, double freq, double freq_sd);

/* Start it at another address of its name, due then.  Its silence goes on.
 * Once for each of the "of" addresses of the name, it may be sent as many
 * requests in vain as at first. */
void source_move(struct source *, const struct address *, int of, int64_t due,
    double freq, double freq_sd);

/* What it wants at raw: WANT_SEND (then call source_sent or source_failed) or
 * WANT_TIMEOUT (no reply came; the state is updated). starting: the clock is
 * not synchronised yet, so ask again soon. random is in [0, 1). */
enum source_want
source_turn(struct source *, int64_t raw, bool starting, double random);

/* source_query: make the next request.  On an interleaved line it asks when the
 * last reply really left (RFC 9769 §2), but not in the burst at the start, nor
 * after several lost replies.  source_sent: one with this nonce has left. */
void source_query(const struct source *, uint64_t, uint8_t[static NTP_SIZE]);
void source_sent(struct source *, int64_t raw, uint64_t nonce, bool starting);

/* The request has not left.  source_failed: connect or send failed, so that the
 * address cannot be reached now.  source_delayed: a descriptor or a buffer was
 * missing, which says nothing about it.  source_waits: keys are, until then. */
void source_failed(struct source *, int64_t raw, bool starting, double random);
void source_delayed(struct source *, int64_t raw, double random);
void source_waits(struct source *, int64_t due);

/* What a reply is judged by, beside itself. */
struct judgement {
	const struct bound *bound; /* of constraints; also the earliest date */
	int64_t pivot;		   /* real: era of the stamps */
	double random;		   /* [0, 1) */
	const uint32_t *ours; /* reference ids by which others know this host */
	int count;	      /* of them */
	int64_t from, until;  /* s since 1970: of certificates; until 0: any */
};

/* A datagram came.  Unless it is SAID_ACCEPTED, _RATE, _DENY, _BOUND, _LOOP or
 * _DATES, it changes nothing but counters.  See RFC 5905 §8. */
enum source_said source_reply(struct source *, const uint8_t *bytes,
    size_t size, const struct stamps *, const struct judgement *);

/* A sensor was read.  source_sensed: that is a sample, as of a reply that was
 * accepted.  source_unsensed: it is none, and why. */
void source_sensed(struct source *, const struct sample *, double random);
void source_unsensed(struct source *, enum source_said, int64_t raw);

/* Its request came to this daemon itself, which is no source of time.  It is
 * not asked again until names are resolved.  True if that is news. */
bool source_self(struct source *);

/* What it says in an election at raw; false if it has nothing to say. */
bool source_candidate(const struct source *, int64_t raw, struct candidate *);

/* The last resort at the start: the same by a sample of the last minute that was
 * refused for its root distance alone. */
bool source_resort(const struct source *, int64_t raw, struct candidate *);

/* The root distance that it may have, s.  source_limit: obey another "poll". */
double source_distance_most(const struct source *);
void source_limit(struct source *);

/* source_forget: the raw clock had a gap, so samples are void; ask soon.
 * source_leapt: a leap second has moved the server's time by so many ns.
 * source_hurry: the system clock was set; keep samples, ask soon in a burst. */
void source_forget(struct source *, int64_t raw, double freq, double freq_sd);
void source_leapt(struct source *, int64_t ns);
void source_hurry(struct source *, int64_t raw);

/* Ask at once, if it was silent (since the network is back: another one has
 * replied), or if it is due soon (since we are awake for another reason). */
void source_nudge(struct source *, int64_t raw);
void source_early(struct source *, int64_t raw);

/* The lookup found this address again.  False if it was not told to stop. */
bool source_resume(struct source *, int64_t raw, double freq, double freq_sd);

/* While it does not answer, it may be sent a few requests at once.
 * source_spent: how many of these are used up (below 0: none).  source_renew:
 * the network is another one, so it may be sent all of them again. */
double source_spent(const struct source *, int64_t raw);
void source_renew(struct source *);

/* source_retry: seconds until an address that cannot be reached is tried again.
 * source_jitter: root mean square of the last delays above their least, s. */
double source_retry(const struct source *, bool starting);
double source_jitter(const struct source *);

/* source_doubted: it was a falseticker, or outside of a bound, at eight polls
 * in a row.  Then it makes room if its name has another address.  source_valid:
 * it has been trusted long enough to be called valid. */
bool source_doubted(const struct source *);
bool source_valid(const struct source *);

#endif
