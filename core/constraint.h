/*
 * constraint.h - what HTTPS servers' dates say of the time.
 */
#ifndef CONSTRAINT_H
#define CONSTRAINT_H

#include "core/address.h"
#include "core/calm.h"
#include "core/conf.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * How the loop uses this room.  One struct constraint per line of the
 * configuration; c.due (raw) says when constraint_turn wants to be called.
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
 * Where it takes a random number, that is in [0, 1).
 */
enum { CONSTRAINT_REASON = 160 };

enum constraint_want { CONSTRAINT_REST, CONSTRAINT_RESOLVE, CONSTRAINT_ASK };

/* One answer: at raw the server's clock was "ahead" of the raw clock. */
struct constraint_answer {
	int64_t raw, ahead;
	double error; /* half width at raw, s */
};

/* One address of a line. */
struct constraint_vote {
	struct address address;
	bool asked; /* a question is under way */
	bool stale; /* ... but its answer will be void */
	bool tried; /* in this round */
	bool have;  /* the answer below, since the last lookup */
	struct constraint_answer answer;
};

#define CONSTRAINT_RETRY_MOST 900.0 /* s: OpenNTPD's only interval */

/* One "constraint" or "constraints" line.  Fields below "life" are
 * constraint.c's; the last group may be read for status. */
struct constraint {
	/* who: set by constraint_start */
	int line;   /* index into the configuration's */
	bool pool;  /* "constraints": every address votes */
	bool fixed; /* addresses known; never looked up */
	/* s, the longest between tries in vain; the caller's to set, and
	 * 0 stands for CONSTRAINT_RETRY_MOST */
	double retry_most;

	/* life */
	bool resolving, round;
	bool resolve; /* the next round begins with a lookup */
	bool settled; /* the first round is over */
	int addresses;
	struct constraint_vote vote[CONSTRAINT_ADDRESSES];
	struct constraint_answer kept[CONSTRAINT_ADDRESSES]; /* former */
	int keeps;
	int64_t begun;	    /* raw: first question; NEVER: not yet */
	int64_t next;	    /* raw: of the next round */
	int64_t refresh;    /* raw: when answers are to be renewed */
	int64_t second;	    /* raw: when the next address may be asked
					   though the last is silent */
	int64_t reset;	    /* raw: last constraint_reset, or NEVER */
	int tries, lookups; /* in a row without success */
	struct pace hurried; /* of constraint_hurry that had an effect */

	/* for the loop and for status */
	int64_t due; /* raw: call constraint_turn then */
	char reason
	    [CONSTRAINT_REASON]; /* of the last failure, "" after success */
	uint64_t queries, failures;
	bool answered; /* since the start or a gap, as follows: */
	struct address last_address;
	struct constraint_answer last;
	bool stored; /* likewise, but the answer came out of a cache: */
	struct constraint_answer store;
};

/* What the HTTPS servers' dates say of the time: at raw their median was
 * "ahead" of the raw clock.  votes 0: no bound. */
struct bound {
	int votes;
	int64_t raw, ahead;
	int64_t made;	  /* raw: of the (older) answer in the middle */
	double error;	  /* half width at raw, s; grows with age */
	double width;	  /* s: the part of it that is the answers' own error */
	int64_t earliest; /* real: never before this (build date) */
	bool wanted;	  /* constraints are configured */
	int answers;	  /* more than votes: some disagree */
	bool asking;	  /* some are being asked */
	bool tried;	  /* each has had a try since the start or a gap */
	bool stored;	  /* made of caches' answers, as there are no others */
};

enum bound_said { BOUND_OK, BOUND_BROKEN, BOUND_MISSING, BOUND_BUILD };

/* Is a server that is "ahead" at raw inside the bound?  BOUND_MISSING: none
 * yet, though wanted; BOUND_BUILD: before the build date. */
enum bound_said bound_check(const struct bound *, int64_t raw, int64_t ahead);

/* Its half width at raw, s. */
double bound_error(const struct bound *, int64_t raw);

/* Begin with this line, which has that index in the configuration; due at raw.  Its
 * host is looked up unless it is numeric or addresses follow the URL. */
void constraint_start(struct constraint *, const struct conf_constraint *,
    int line, int64_t raw);

/* What it wants at raw.  Call again until CONSTRAINT_REST. */
enum constraint_want
constraint_turn(struct constraint *, int64_t raw, int *index);

/* The lookup's result, in the resolver's order; n 0: it failed, and reason
 * (copied) says why. */
void constraint_resolved(struct constraint *, const struct address[], int n,
    const char *reason, int64_t raw, double random);

/* The server at vote[index] gave an answer.  False: it is void, asked before
 * the raw clock had a gap; the address is asked again. */
bool constraint_reply(struct constraint *, int index,
    const struct constraint_answer *, int64_t raw, double random);

/* It gave none; reason is copied.  Returns the seconds to the next question of
 * this line: 0 when another address is asked at once. */
double constraint_failed(struct constraint *, int index, const char *reason,
    int64_t raw, double random);

/* What it gave came out of a cache (constraint_failed is to follow): the time is
 * somewhere in the answer's width, which is the answer's age.  That makes a bound
 * only while no constraint has anything better. */
void constraint_stored(
    struct constraint *, int index, const struct constraint_answer *);

/* The child for vote[index], or the lookup (index -1), could not be started now:
 * in a second.  reason is copied; NULL: only the table is full. */
void constraint_busy(
    struct constraint *, int index, const char *reason, int64_t raw);

/* All answers are void, ask at once. */
void constraint_forget(struct constraint *, int64_t raw);

/* The network is back or another one: ask now, if it has been failing. */
void constraint_hurry(struct constraint *, int64_t raw);

/* Every source breaks the bound, or the answers disagree: ask all again, but at
 * most once in 15 minutes.  What they said counts until they have answered.
 * True if that was done ("Reset constraint info"). */
bool constraint_reset(struct constraint[], int n, int64_t raw);

/* The bound of all answers at raw; touches all but earliest.  Returns when it
 * should be asked for again though nothing happens (raw), or NEVER. */
int64_t
constraint_bound(const struct constraint[], int n, int64_t raw, struct bound *);

/* While the bound is missing: the line whose answer is waited for (its reason
 * may still be ""), or NULL if all have answered, but disagree. */
const struct constraint *constraint_blamed(const struct constraint[], int n);

#endif
