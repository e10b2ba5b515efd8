/*
 * discipline.h - what the kernel clock is told.
 */
#ifndef DISCIPLINE_H
#define DISCIPLINE_H

#include "core/instant.h"
#include "core/select.h"

/* What is to be done to the kernel clock by one adjtimex(2) call. */
struct orders {
	bool act;		     /* false: nothing to do */
	int64_t step;		     /* ns to add at once, 0: no step */
	double freq;		     /* ratio, may exceed FREQ_USUAL */
	int64_t phase;		     /* ns to slew by the kernel's PLL */
	int constant;		     /* its time constant, 0..10 */
	double max_error, est_error; /* s, for maxerror and esterror */
	uint8_t leap;		     /* LEAP_NONE, _INSERT or _DELETE */
	bool synced;		     /* clear STA_UNSYNC */
};

/* All fields are discipline.c's; others may read them. */
struct discipline {
	bool have;	    /* there is an estimate */
	int64_t raw, ahead; /* the estimate and when it held */
	int64_t heard;	    /* raw: of the newest sample in it */
	double sd, distance, path; /* as in struct verdict */
	double freq, freq_sd;
	double freq_most;    /* no order and no forecast goes beyond it */
	struct filter joint; /* for select_join */
	int64_t due;	     /* raw: when to be called again */
	int64_t awake_until; /* raw: extra wake-ups until then */
	double interval;     /* s, poll of the system source */
	uint8_t leap;
	bool slewing; /* a large offset is being slewed */
};

/* Begin.  freq is the kernel's or the drift file's, and known says whether
 * anything vouches for it.  An unknown one may still be that of a predecessor:
 * if a crystal can need it, the estimate begins there, with a crystal's
 * uncertainty. */
void discipline_start(struct discipline *, double freq, bool known);

/* From now on no order and no forecast goes beyond freq_most (a ratio):
 * FREQ_USUAL at the start, FREQ_FAR when confidence_most grants it.  If the
 * estimate is beyond that, the rest shows as an offset at each reply, which is
 * slewed, and the bound grows faster. */
void discipline_limit(struct discipline *, double freq_most);

/* The frequency that may be ordered: the estimate within that limit. */
double discipline_freq(const struct discipline *);

/* Take a verdict; interval is the poll interval of its system source. */
void
discipline_learn(struct discipline *, const struct verdict *, double interval);

/* Take the time of a verdict that says nothing of the frequency. */
void discipline_learn_time(struct discipline *, const struct verdict *);

/* What the kernel clock should be told at this instant.  Call it after
 * discipline_learn, and when raw reaches due.  It never orders a step: the
 * caller decides about those by discipline_offset. */
struct orders discipline_turn(struct discipline *, const struct instant *);

/* The raw clock had a gap (suspend), or the time must not be trusted: keep the
 * frequency and forget the rest. */
void discipline_forget(struct discipline *);

/* Nobody is believed any longer: go on at this frequency (a ratio) from now
 * on; new orders are due at once.  freq_sd is what it may be wrong by; 0: no
 * more than the present one.  The bound grows by the difference to the
 * estimate, since either may be the truth. */
void discipline_hold(struct discipline *, double freq, double freq_sd,
    const struct instant *now);

/* The orders to step the clock by the estimate, which there must be.  When
 * they have been obeyed, discipline_stepped says that nothing is left to
 * slew. */
struct orders discipline_step(
    const struct discipline *, const struct instant *);
void discipline_stepped(struct discipline *);

/* Give no orders until the next discipline_learn; or give them once more at
 * once, since the kernel has lost the last ones. */
void discipline_rest(struct discipline *);
void discipline_again(struct discipline *);

/* A leap second moved the true time by so many ns; it is announced no
 * longer. */
void discipline_leapt(struct discipline *, int64_t ns);

/* How many ns the system clock should gain at that instant; 0 without an
 * estimate. */
int64_t discipline_offset(const struct discipline *, const struct instant *);

/* The bound of the system clock's error at that instant, s: the distance of
 * the verdict, what the frequency may have been wrong by since, and the offset
 * that is still to be slewed.  HUGE_VAL without an estimate. */
double discipline_bound(const struct discipline *, const struct instant *);

/* How fast that bound grows without new samples (a ratio). */
double discipline_growth(const struct discipline *);

#endif
