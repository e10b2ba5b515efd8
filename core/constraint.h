/*
 * constraint.h - what HTTPS servers' dates say of the time.
 */
#ifndef CONSTRAINT_H
#define CONSTRAINT_H

#include "core/calm.h"
#include "core/conf.h"

/*
 * How the loop uses this room.  There is one struct constraint for each line of
 * the configuration; c.due (raw) says when constraint_turn wants to be called.
 *
 *	constraint_start	once, and for new lines of a reload
 *	constraint_turn		when due, until it says CONSTRAINT_REST:
 *	    CONSTRAINT_RESOLVE	look the host up; then constraint_resolved
 *	    CONSTRAINT_ASK	start a child for c.vote[*index].address; then
 *				constraint_reply, _failed or _busy with index
 *	constraint_bound	after any of these, and at the time it returns
 *	constraint_reset	when every source breaks the bound, or the
 *				answers disagree
 *	constraint_forget	for each, when the raw clock had a gap
 *	constraint_hurry	for each, when the network may be well again
 *
 * All random numbers are in [0, 1).
 */
enum { CONSTRAINT_REASON = 160 };

enum constraint_want { CONSTRAINT_REST, CONSTRAINT_RESOLVE, CONSTRAINT_ASK };

/* One answer: at raw the server's clock was "ahead" of the raw clock, ns. */
struct constraint_answer {
	int64_t raw, ahead;
	double error; /* half width at raw, s */
};

/* One address of a line. */
struct constraint_vote {
	struct address address;
	bool asked; /* a question is under way */
	bool stale; /* its answer will be void */
	bool tried; /* in this round */
	bool have;  /* there is an answer since the last lookup: */
	struct constraint_answer answer;
};

#define CONSTRAINT_RETRY_MOST 900.0 /* s: OpenNTPD's only interval */

/* One "constraint" or "constraints" line.  Its fields are constraint.c's;
 * others may set retry_most and read the last group. */
struct constraint {
	/* set by constraint_start */
	int line;   /* index into the configuration's */
	bool pool;  /* "constraints": every address votes */
	bool fixed; /* its addresses are known, and never looked up */
	/* s: the longest time between tries in vain; 0 stands for
	 * CONSTRAINT_RETRY_MOST */
	double retry_most;

	/* what it does */
	bool resolving; /* a lookup is under way */
	bool round;   /* a round is under way */
	bool resolve; /* the next round begins with a lookup */
	bool settled; /* the first round is over */
	int addresses;
	struct constraint_vote vote[CONSTRAINT_ADDRESSES];
	/* Answers of an earlier round, which count until there are new ones. */
	struct constraint_answer kept[CONSTRAINT_ADDRESSES];
	int keeps;
	int64_t begun;	    /* raw: first question; NEVER: not yet */
	int64_t next;	    /* raw: of the next round */
	int64_t refresh;    /* raw: when answers are to be renewed */
	int64_t second;	    /* raw: when the next address may be asked although
			       the last one is silent */
	int64_t reset;	    /* raw: last constraint_reset, or NEVER */
	int tries, lookups; /* in a row, without success */
	struct pace hurried; /* of constraint_hurry that had an effect */

	/* for the loop and for status */
	int64_t due; /* raw: call constraint_turn then */
	char reason[CONSTRAINT_REASON]; /* of the last failure, or "" */
	uint64_t queries, failures;
	bool answered; /* since the start or a gap, with: */
	struct address last_address;
	struct constraint_answer last;
	bool stored; /* likewise, but by an answer out of a cache: */
	struct constraint_answer store;
};

/* What the dates of HTTPS servers say of the time: at raw their median was
 * "ahead" of the raw clock.  votes 0: there is no bound. */
struct bound {
	int votes;
	int64_t raw, ahead;
	int64_t made;	  /* raw: of the answer in the middle (the older) */
	double error;	  /* half width at raw, s; grows with age */
	double width;	  /* s: the part that is the answers' own error */
	int64_t earliest; /* real: never before this (build date) */
	bool wanted;	  /* constraints are configured */
	int answers;	  /* if more than votes, some disagree */
	bool asking;	  /* some are being asked */
	bool tried;	  /* each has had a try since the start or a gap */
	bool stored;	  /* it is made of caches' answers: no others came */
};

enum bound_said { BOUND_OK, BOUND_BROKEN, BOUND_MISSING, BOUND_BUILD };

/* Is a server that is "ahead" at raw inside the bound?  BOUND_MISSING: there
 * is no bound, though it is wanted.  BOUND_BUILD: the server's time is before
 * the build date. */
enum bound_said bound_check(const struct bound *, int64_t raw, int64_t ahead);

/* The half width of the bound at raw, s. */
double bound_error(const struct bound *, int64_t raw);

/* Begin with this line, which has that index in the configuration; due at
 * raw.  Its host is looked up unless it is numeric or addresses follow the
 * URL. */
void constraint_start(struct constraint *, const struct conf_constraint *,
    int line, int64_t raw);

/* What it wants at raw.  Call it again until it says CONSTRAINT_REST. */
enum constraint_want
constraint_turn(struct constraint *, int64_t raw, int *index);

/* The result of the lookup, in the resolver's order.  n 0: it failed, and
 * reason (which is copied) says why. */
void constraint_resolved(struct constraint *, const struct address[], int n,
    const char *reason, int64_t raw, double random);

/* The server at vote[index] gave an answer.  False: it is void, since it was
 * asked before the raw clock had a gap; the address is asked again. */
bool constraint_reply(struct constraint *, int index,
    const struct constraint_answer *, int64_t raw, double random);

/* It gave none; reason is copied.  Returns the seconds to the next question of
 * this line: 0 when another address is asked at once. */
double constraint_failed(struct constraint *, int index, const char *reason,
    int64_t raw, double random);

/* Its answer came out of a cache (constraint_failed is to follow).  The time
 * lies within the width of the answer, which is its age.  That makes a bound
 * only while no constraint has anything better. */
void constraint_stored(
    struct constraint *, int index, const struct constraint_answer *);

/* The child for vote[index], or for the lookup (index -1), could not be
 * started now; it is tried again in a second.  reason is copied; NULL: only the
 * table of children is full. */
void constraint_busy(
    struct constraint *, int index, const char *reason, int64_t raw);

/* All answers are void: ask at once. */
void constraint_forget(struct constraint *, int64_t raw);

/* The network is back, or it is another one: ask now if it has been failing. */
void constraint_hurry(struct constraint *, int64_t raw);

/* Every source breaks the bound, or the answers disagree: ask all again, but
 * at most once in 15 minutes.  Until they have answered, what they said
 * counts.  True if that was done ("Reset constraint info"). */
bool constraint_reset(struct constraint[], int n, int64_t raw);

/* The bound that all answers make at raw; sets all its fields but earliest.
 * Returns the raw time at which it should be asked for again even if nothing
 * happens, or NEVER. */
int64_t
constraint_bound(const struct constraint[], int n, int64_t raw, struct bound *);

/* The line whose answer is waited for while the bound is missing; its reason
 * may still be "".  NULL: all have answered, but disagree. */
const struct constraint *constraint_blamed(const struct constraint[], int n);

#endif
