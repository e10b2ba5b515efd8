/*
 * calm.h - how often something may be done or said.
 */
#ifndef CALM_H
#define CALM_H

#include <stdbool.h>
#include <stdint.h>

/* A pace says how often something may be done: "most" times at once, then once
 * in "every" seconds.  It is all zero at first.  pace_next returns the raw time
 * from which on it may be done again; pace_take notes that it is done now. */
struct pace {
	int64_t full; /* raw: when all of "most" are free again */
};
int64_t pace_next(const struct pace *, int most, double every);
void pace_take(struct pace *, int64_t raw, double every);
/* May one more be done at raw?  If so, it counts as done. */
bool pace_may(struct pace *, int64_t raw, int most, double every);

/* s after the first request: from then on the answers that have come are
 * enough, and nobody waits for a server that is still silent. */
#define FIRST_WAIT 2.5

/* How often, while the daemon starts, a server that does not answer is asked
 * and a name that is not found is looked up.  START_TRIES times in a row they
 * are tried again after RETRY_START, so that one that comes back is noticed
 * within 15 s; from then on after RETRY_LATER, because it may take long. */
enum { START_TRIES = 15 };
#define RETRY_START 14.0 /* s */
#define RETRY_LATER 64.0 /* s */
/* s: whatever hurries them, they are tried a few times at once and then once
 * in this time. */
#define ASK_EVERY 44.0
/* s: between requests to all silent servers together, or between lookups of
 * all names.  That makes 7200 a day. */
#define CROWD_EVERY 12.0

/* s from one such request to the next where "crowd" subjects take turns:
 * "each" for each of them, but at least "least". */
double pace_crowded(int crowd, double least, double each);

/* One subject of the log: a server, a constraint, the clock.  State 0 means
 * that all is well; other states are the caller's.  It is all zero at first. */
struct said {
	int state, told;  /* of the last look; of the last line */
	int64_t since;	  /* raw: of that state */
	int64_t told_at;  /* raw: of that line */
	unsigned changes; /* of the state since that line */
	unsigned held;	  /* changes before that line that were not told */
	struct pace pace;
};
#define SAID_STILL 3600.0 /* s: a state that stays is told so often */

/* Look at the state.  True: say so now, because the state differs from what
 * was told last, and this subject has not said too much.  Call it again while
 * the state lasts: what is held back now is told later, if it is still true. */
bool said_news(struct said *, int state, int64_t raw);

/* The state is 0 again, and that is not worth a line. */
void said_well(struct said *);

/* True once an hour while the state is not 0.  *lasted is how long it has
 * lasted, s. */
bool said_still(struct said *, int64_t raw, double *lasted);

/* The budget of all lines: 60 in the first five minutes, then 12 an hour.
 * Debug lines leave some of it to news, and both leave some to the hourly
 * state. */
enum calm_rank { CALM_DEBUG, CALM_NEWS, CALM_STATE };
enum {
	CALM_KINDS = 96, /* kinds of lines that are told apart */
	CALM_LINES = 12	 /* in an hour */
};
struct calm {
	bool on, started;    /* it began; its first five minutes are over */
	int64_t began, note; /* raw: the begin; when held lines are told */
	int lines;	     /* in the first five minutes */
	unsigned held;	     /* since the last note */
	int64_t at[CALM_LINES]; /* raw: of the last lines; 0: none */
	int next;		/* the oldest of them */
	struct calm_kind {
		const void *is; /* the format's address tells kinds apart */
		int lines;
		struct pace pace;
	} kind[CALM_KINDS];
};

/* The budget begins; before that everything may be said. */
void calm_start(struct calm *, int64_t raw);

/* May this line be written?  It is counted in either case. */
bool calm_may(struct calm *, const void *kind, enum calm_rank, int64_t raw);

/* How many lines were held back, if it is time to say so (once an hour) and
 * that line may be written now; otherwise 0. calm_due tells when to ask, or
 * NEVER. */
unsigned calm_held(struct calm *, int64_t raw);
int64_t calm_due(const struct calm *);

#endif
