/*
 * select.h - the election.
 */
#ifndef SELECT_H
#define SELECT_H

#include "core/filter.h"

enum select_said {
	SELECT_NONE,	/* took no part */
	SELECT_FALSE,	/* outside of the majority's interval */
	SELECT_OUTLIER, /* inside, but its frequency stands apart; or outside,
			   and our own oscillator may be the reason; or it
			   only touches what is authenticated */
	SELECT_USED,
	SELECT_SYSTEM, /* used, and the best one */
	SELECT_SAYS
};
extern const char select_words[]; /* for word_at: SELECT_SAYS of them */

/* One source as it stands for election.  All are at the same raw time. */
struct candidate {
	int index; /* the caller's, given back in verdict */
	int64_t raw, ahead;
	int64_t heard; /* raw: of its newest sample that is not strange */
	double sd, freq, freq_sd;
	double distance; /* half width of its interval: delay/2 + root delay/2
			    + dispersions + noise + how far it is outside of the
			    newest sample's own interval */
	double doubt;	 /* added to distance for the vote, but not for the
			    weight: uncertainty that says nothing about this
			    path */
	double path;	 /* distance without the server's own root distance */
	double delay, root_delay, root_dispersion; /* root_*: server's own */
	int weight; /* 1..10, multiplies its influence */
	bool trusted;
	bool authentic; /* each of its replies proves who sent it */
	bool follows; /* it has no vote: it is used if it agrees with those who
			 have one, and makes the distance no smaller */
	bool outside; /* it was no part of the last majority, or there was
			 none */
	bool fresh;   /* the caller's: it was heard since the last disruption,
			 or nobody waits for that */
	uint8_t stratum, leap;
	uint32_t refid; /* that names this server to our clients */
	int samples;
	struct filter *filter;	     /* the caller's, for select_join */
	const struct sample *sample; /* its newest */
	enum select_said said;	     /* out */
	bool votes;		     /* out: it was asked who is right */
};

struct verdict {
	int64_t raw, ahead; /* the agreed time, as in struct sample */
	int64_t heard;	    /* raw: of the newest sample in it */
	double sd;	    /* of ahead: noise */
	double distance;    /* bound of ahead's error */
	double path;	    /* of distance, what the way to the servers
			       explains: an offset beyond it is our clock's */
	double freq, freq_sd;
	bool authentic;	    /* only candidates decided that are */
	int agree, of; /* votes inside the interval, of all */
	int system;    /* index of the best candidate */
	int samples;   /* of the system source */
	double root_delay, root_dispersion; /* ours, through the best one */
	uint8_t stratum, leap; /* leap by majority; ours, so best + 1 */
	uint32_t refid;
};

/* Find the intersection of the candidates' intervals (RFC 5905 §11.2.1, one
 * vote each) that holds more than half of them, and within it the
 * combination.  If more than half of the authentic candidates have one in
 * common, only these vote, and the others are used where they lie within it,
 * however many they are.  This fills said of every candidate.  One whose
 * numbers are not finite and positive does not stand (SELECT_NONE) and is not
 * counted.  False: there is no majority, and the verdict has agree and of
 * only. */
bool select_vote(struct candidate[], int n, struct verdict *);

/* After a vote that succeeded: all used sources watch one oscillator.  So their
 * samples go to one filter, each less its server's bias; this also writes to
 * the candidates' own filters.  What that filter
 * says of the time and the frequency replaces the verdict's. */
void
select_join(struct filter *joint, struct candidate[], int n, struct verdict *);

/* May the clock be set at start?  counted: sources that can be asked (their
 * connect succeeded); answered: how many of those; agree: how many are in the
 * majority; waited: seconds since the first request.  More than half of
 * counted must have answered and agree (both of two).  From FIRST_WAIT on, the
 * majority of those that answered is enough. */
bool select_first(int counted, int answered, int agree, double waited);

#endif
