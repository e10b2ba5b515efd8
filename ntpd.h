/*
 * ntpd.h - what the owners tell and wish each other.
 *
 * These two functions of ntpd.c are all the talk between peers, sensors,
 * constraints and steer.  The loop calls them; a program that has no loop of
 * its own, as the fuzzer of the whole daemon, calls them in its place.
 */
#ifndef NTPD_H
#define NTPD_H

#include "constraints.h"
#include "peers.h"
#include "sensors.h"
#include "steer.h"

/* Copy to each owner the values that it must know of the others. */
void tell(struct peers *, struct sensors *, struct constraints *,
    struct steer *);

/* Fulfil what the owners wish, and tell them what has come of it.  To be called
 * whenever one of them has done something.  True if the names that are listened
 * on should be looked up too, since the network may be another one. */
bool grant(struct peers *, struct sensors *, struct constraints *,
    struct steer *, int64_t raw);

#endif
