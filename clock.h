/*
 * clock.h - the only room that can change time.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include "core/discipline.h"
#include "core/rival.h"
#include "sys/rights.h"

/* A ratio: the most that the kernel's frequency word can hold.  What is beyond
 * it, clock_obey adds with the tick. */
#define CLOCK_FREQ_MOST 500e-6

/* What the kernel says about its clock; see adjtimex(2). */
struct clock_kernel {
	double freq; /* a ratio, with what the tick adds */
	bool synced; /* STA_UNSYNC is off, and maxerror is below its limit */
};

struct clock {
	enum clock_permission permission;
	struct rights rights; /* as they were at the start */
	int error;	      /* errno of the write that was refused */
	char remedy[192];     /* what would allow it; see clock_denied */
	struct orders last; /* the last ones that were carried out; before
			       there are any, its freq is the kernel's */
	bool given;	    /* some were carried out */
	int64_t slept;	    /* BOOTTIME - MONOTONIC at last look */
	bool has_boottime;
	int timer;		 /* cancel-on-set timerfd, or -1 */
	double precision;	 /* s, of reading the clocks */
	uint64_t steps;
	struct rival rival; /* who else writes; its seen may be read */
	enum rival_news news; /* of the looks since clock_news; see there */
};

/* Look at the process's rights, open the cancel-on-set timer and measure the
 * precision.  Unless "measure" says that the time is not to be set, find out
 * whether it may be, by one write that changes nothing.  From then on it is
 * watched whether others write; the owner says what follows from that. */
void clock_start(struct clock *, bool measure, enum clock_owner);

/* The configuration is another one.  If "clock owner" differs, others are watched
 * for anew, and who had stood down steers the clock again. */
void clock_reload(struct clock *, enum clock_owner);

/* Read the kernel's state.  False with errno if even that is refused. */
bool clock_kernel(struct clock_kernel *);

/* Carry out orders by one call of adjtimex(2).  0, or -1 with errno.  If the
 * time may not be set, nothing is done and 0 is returned. */
int clock_obey(struct clock *, const struct orders *);

/* A write was refused, and "error" says why: from now on the clock is only
 * measured.  "remedy" becomes what would help where we run, in one line. */
void clock_denied(struct clock *);

/* Before the first orders: set the frequency, and end a slew that an earlier
 * program has begun. */
void clock_begin(struct clock *, double freq);

/* Tell the kernel that the clock is not synchronised any longer, whoever has
 * called it so. */
void clock_unsync(struct clock *);

/* How many seconds the machine has slept since the last call; 0: it has not. */
double clock_slept(struct clock *);

/* Compare what stands in the kernel with what we left there, unless that was
 * just done.  Every write here does so as well.  Returns the weightiest of what
 * was found since the last call, and changes permission accordingly.
 * clock_due is the raw time of the next call. */
enum rival_news clock_news(struct clock *, int64_t raw);
int64_t clock_due(const struct clock *);

/* Ask the timer: has somebody else set the clock? */
bool clock_was_set(struct clock *);

/* End our own slew.  The frequency stays, and so does a leap second that is
 * due. */
void clock_end(struct clock *);

#endif
