/*
 * clock.h - the only room that can change time.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include "core/discipline.h"
#include "sys/sandbox.h"

#include <stdbool.h>
#include <stdint.h>

/* What its frequency word holds; clock_obey sets the tick for what is beyond. */
#define CLOCK_FREQ_MOST 500e-6

/* What the kernel says of its clock; see adjtimex(2). */
struct clock_kernel {
	double freq; /* ratio, tick included */
	bool synced; /* STA_UNSYNC is off */
};

struct clock {
	enum clock_permission permission;
	int error;	    /* errno of the refused write */
	char remedy[128];   /* for it, see clock_denied */
	struct orders last; /* carried out last; before, its freq is
					   the kernel's */
	bool given;	    /* there were any */
	int64_t slept;	    /* BOOTTIME - MONOTONIC at last look */
	bool has_boottime;
	int timer;		 /* cancel-on-set timerfd, or -1 */
	double precision;	 /* s, of reading the clocks */
	uint64_t steps;
};

/* Open the cancel-on-set timer, measure the precision; then, unless measure
 * only, learn by one harmless write whether time may be set. */
void clock_start(struct clock *, bool measure);

/* Read the kernel's state; false with errno if even that is refused. */
bool clock_kernel(struct clock_kernel *);

/* Carry out orders (one adjtimex(2) call); 0, or -1 with errno.  In measure
 * or denied mode nothing is done and 0 is returned. */
int clock_obey(struct clock *, const struct orders *);

/* A write was refused (its errno is in error): from now on only measure.  Looks
 * once where we run, and puts the remedy that fits there into remedy, one line. */
void clock_denied(struct clock *);

/* Before the first orders: end what a predecessor is still slewing and set the
 * frequency. */
void clock_begin(struct clock *, double freq);

/* Tell the kernel that the clock is not synchronised any longer. */
void clock_unsync(const struct clock *);

/* Seconds the machine slept since the last call (0: none). */
double clock_slept(struct clock *);

/* The timer fired: true if somebody else set the clock. */
bool clock_was_set(struct clock *);

/* End a slew that is under way; the frequency stays, and so does a leap second
 * that is due. */
void clock_end(struct clock *);

#endif
