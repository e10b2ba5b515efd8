/*
 * rival.h - does another program steer the clock?
 */
#ifndef RIVAL_H
#define RIVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/conf.h"

/* What stands in the kernel, in the units of adjtimex(2). */
struct words {
	int64_t raw; /* when it was read */
	long freq, tick, constant;
	long offset;		   /* what the PLL has left to slew */
	long left;		   /* ... and what adjtime(3) has; us */
	long max_error, est_error; /* us */
	int status;
};

/* Who may have written it.  rival_name has its name, and rival_stop the command
 * that stops it. */
enum rival_who {
	RIVAL_NONE,
	RIVAL_CHRONYD,
	RIVAL_TIMESYNCD,
	RIVAL_NTPD, /* the reference implementation, or NTPsec */
	RIVAL_OPENNTPD,
	RIVAL_BUSYBOX,
	RIVAL_TWIN,  /* another ntpd as this one */
	RIVAL_OTHER, /* a frequency or slew alone: phc2sys, or tools of a
			hypervisor */
	RIVAL_STEP,  /* the time was set: likewise, or a job with ntpdate */
	RIVAL_VMWARE,
	RIVAL_VIRTUALBOX,
	RIVAL_HYPERV
};
const char *rival_name(enum rival_who);
const char *rival_stop(enum rival_who);

/* What a look has found. */
enum rival_news {
	RIVAL_QUIET,   /* all as it was left */
	RIVAL_WROTE,   /* somebody else wrote, so our orders are lost */
	RIVAL_STEERS,  /* the same, and again: with OWNER_YIELD, stand down */
	RIVAL_IS_GONE  /* nobody has written for long: steer again */
};

/* All fields are rival.c's; others may read seen, who and yielded. */
struct rival {
	enum clock_owner owner;
	enum rival_who tools; /* of the hypervisor that we run on, if known */
	uint64_t seen;	      /* writes of others that were noticed */
	enum rival_who who;   /* who it is, by the most telling of the writes
				 that count */
	bool yielded;	      /* we stand down */

	int64_t began;	   /* raw: of this program */
	struct words last; /* what the next look expects */
	bool known;	   /* there is such a one */
	uint32_t luck;	   /* which of two equal ones stands down */
	int hits;	   /* writes that count */
	int64_t hit_at;	   /* raw: of the last one; 0: none */
	int64_t back_at;   /* raw: when we came back; 0: never */
	double longest;	   /* s: the longest silence between two of them,
			      since we stood down */
	bool said;	   /* OWNER_FIGHT: RIVAL_STEERS was returned */
};

enum {
	/* The lowest bits of the frequency word that this program writes say
	 * how old it is, so that of two on one machine each knows which is the
	 * younger.  They change the frequency by at most 2e-9. */
	RIVAL_MARK = 255
};

/* Begin.  luck is a random number. */
void rival_start(
    struct rival *, enum clock_owner, uint32_t luck, int64_t raw);

/* The frequency word next to freq that carries our mark. */
long rival_mark(const struct rival *, long freq, int64_t raw);

/* What differs between two readings that the kernel does not do by itself?
 * Returns who may have written it. */
enum rival_who rival_changed(const struct words *old, const struct words *now);

/* The kernel was read. */
enum rival_news rival_look(struct rival *, const struct words *now);

/* The kernel was read after we had written: this is what the next look
 * expects. */
void rival_wrote(struct rival *, const struct words *);

/* The machine slept or the kernel could not be read, so the next look has
 * nothing to compare with. */
void rival_forget(struct rival *, int64_t raw);

/* The raw time of the next look, for which we wake up if need be; and may one
 * be made already, since we are awake?  NEVER with OWNER_IGNORE. */
int64_t rival_due(const struct rival *);
bool rival_may_look(const struct rival *, int64_t raw);

#endif
