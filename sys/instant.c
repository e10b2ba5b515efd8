/*
 * instant.c - reads the clocks of this machine, and both of them together.
 *
 * Whether they can be read is checked once, at the start (clock.c).
 */
#include "sys/instant.h"

#define READS 4	  /* pairs of readings; the closest counts */
#define CLOSE 200 /* ns: a pair as close as that is good enough */

int64_t
clock_now(clockid_t clock)
{
	struct timespec t = { 0 };

	(void)clock_gettime(clock, &t);
	return nanoseconds(&t);
}

struct instant
clock_read(void)
{
	struct instant best = { 0, 0 };
	int64_t width = INT64_MAX, before, real, after;

	/* The real clock is read between two readings of the raw one.  The
	 * closer these are, the better is the pair. */
	for (int i = 0; i < READS && width > CLOSE; i++) {
		before = clock_now(CLOCK_MONOTONIC_RAW);
		real = clock_now(CLOCK_REALTIME);
		after = clock_now(CLOCK_MONOTONIC_RAW);
		if (after - before >= width)
			continue;
		width = after - before;
		best.raw = before + width / 2;
		best.real = real;
	}
	return best;
}
