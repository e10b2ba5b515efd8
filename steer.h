/*
 * steer.h - what the clock is told.
 */
#ifndef STEER_H
#define STEER_H

#include "core/instant.h"
#include "daemon.h"

/* The frequency to begin with. */
void steer_start(struct daemon *);

/* Did the machine sleep, did somebody else set the clock? */
void steer_notice(struct daemon *, const struct instant *);

/* Elect when there is something new, set or slew the clock, say what changed,
 * keep the drift file. */
void steer_turn(struct daemon *, const struct instant *);

/* Leave the kernel clock in good order. */
void steer_end(struct daemon *, const struct instant *);

#endif
