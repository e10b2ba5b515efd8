/*
 * confidence.h - which frequency the clock may run at.
 */
#ifndef CONFIDENCE_H
#define CONFIDENCE_H

#include "core/constraint.h"
#include "core/select.h"

/* Which frequency (a ratio) the clock may run at, and which one it returns
 * to.  All fields are confidence.c's; others may read confirmed, known,
 * far and fell_back. */
struct confidence {
	double confirmed;	  /* the last one that was confirmed */
	int64_t confirmed_at;	  /* raw */
	bool known;		  /* false: confirmed is only a first guess */
	double trial;		  /* the one that is being confirmed */
	int64_t trial_since;	  /* raw; 0: none */
	struct bound trial_begin; /* what the constraints said then */
	int64_t beyond_since;	  /* raw: since when the majority wants more
				     than FREQ_USUAL; 0: it does not */
	struct bound begin;	  /* what the constraints said then */
	bool far;		  /* up to FREQ_FAR is granted */
	bool fell_back;		  /* confidence_fallback came after the last
				     vote */
};

/* Begin with this frequency.  known: the kernel or the drift file vouches for
 * it. */
void confidence_start(
    struct confidence *, double freq, bool known, int64_t raw);

/* An election succeeded.  True: the constraints must be asked anew before the
 * frequency that it found can be granted. */
bool confidence_vote(
    struct confidence *, const struct verdict *, const struct bound *);

/* An election failed.  The ten minutes for a frequency beyond FREQ_USUAL begin
 * anew, but one that has been granted stays. */
void confidence_doubt(struct confidence *);

/* The raw clock had a gap, so answers from before it tell nothing of its
 * speed.  What was granted without being confirmed must be granted again. */
void confidence_gap(struct confidence *);

/* A leap second moved the servers' time by so many ns. */
void confidence_leapt(struct confidence *, int64_t ns);

/* The most that may be ordered: FREQ_USUAL or FREQ_FAR. */
double confidence_most(const struct confidence *);

/* Nobody is believed any longer.  Returns the frequency to go on with: the one
 * nearest to freq for which what was confirmed vouches.  Whatever was granted
 * without being confirmed, or was being confirmed, begins anew. */
double confidence_fallback(struct confidence *, double freq, int64_t raw);

#endif
