/*
 * instant.h - what the clocks of this machine say.
 */
#ifndef SYS_INSTANT_H
#define SYS_INSTANT_H

#include "core/instant.h"

#include <time.h>

static inline int64_t
nanoseconds(const struct timespec *t)
{
	return (int64_t)t->tv_sec * NS_PER_S + t->tv_nsec;
}

/* Read one clock, in ns.  It must be one that every kernel has: CLOCK_REALTIME,
 * CLOCK_MONOTONIC or CLOCK_MONOTONIC_RAW. */
int64_t clock_now(clockid_t);

/* Read both clocks close together: the best of a few tries. */
struct instant clock_read(void);

#endif
