/*
 * edge.h - the time, found at the edges of HTTPS servers' seconds.
 */
#ifndef EDGE_H
#define EDGE_H

#include "core/constraint.h"
#include "core/select.h"

enum {
	EDGE_ANSWERS = 24, /* kept of a server: hours, for its frequency */
	EDGES = 5	   /* servers: more would be asked too rarely each */
};

/* What one server's dates say of the time.  All fields are edge.c's; others may
 * read answers. */
struct edge {
	struct constraint_answer answer[EDGE_ANSWERS]; /* the oldest first */
	int answers;
	double slack; /* s: by so much the answers contradict each other */
	double freq, spread; /* ratios: the frequency that the raw clock has to
				be given, and what it may be off by */
	bool failed; /* its last request did; the owner's */
};

/* The servers that keep the time.  All zero at first. */
struct edges {
	struct edge edge[EDGES];
	int n;	       /* those in use; the owner's */
	int asked;     /* requests until now */
	int64_t begun; /* raw: of the first request; 0: none yet */
	int64_t last, due; /* raw: of the last request; of the next one */
};

/* Which server is to be asked now?  -1: none.  At the first start each gets
 * eight requests, 5 s apart; from then on all together get 18 an hour. */
int edges_turn(struct edges *, int64_t raw);

/* Another constraint, or one of them, was asked for its date: that counts as
 * well, but in the long run it cannot keep these from being asked. */
void edges_asked(struct edges *, int64_t raw);

/* Forget all.  From now on the frequency is within "spread" of freq. */
void edge_start(struct edge *, double freq, double spread);

/* An answer of this server; it must be newer than those before. */
void edge_take(struct edge *, const struct constraint_answer *);

/* The raw time, at "from" or within a second after it, at which a request
 * halves what is not known yet: it meets the expected edge of the server's
 * second. */
int64_t edge_aim(const struct edge *, int64_t from);

/* What these servers together say of the time at raw, by the vote of select.h.
 * Its distance holds even if a minority of them is wrong.  False: there is no
 * majority of those that answer or have not been heard yet.  The verdict's
 * system is the index of an edge, and its stratum is 15. */
bool edges_vote(const struct edges *, int64_t raw, struct verdict *);

#endif
