/*
 * tell.h - what is told of the clock: to the log, in the status, to clients
 * and programs.
 */
#ifndef TELL_H
#define TELL_H

#include "steer.h"
#include "sys/clockbound.h"

/* What was said last.  All zero at the start; nobody else reads it. */
struct tell {
	struct said sync;      /* 1 synced, 2 not */
	unsigned gaps;	       /* of steer, when that was said */
	struct said authentic; /* 1: the time is not */
	int64_t authentic_at;  /* raw: it last was */
	struct said still;     /* what is not well: see tell_still */
	bool missed;	       /* why the clock was not set at the start */
	bool filtered;	       /* UDP 123 seems to be: requests are lost, while
				  DNS or HTTPS works */
	bool filtered_said;    /* since a server was heard last */
};

/* Log what has changed and what has been wrong for an hour.  To be called when
 * the wishes of steer_turn have been granted. */
void tell_log(
    struct tell *, const struct steer *, const struct instant *now);

/* Fill in the part of the status that is about the clock. */
void tell_status(const struct tell *, const struct steer *,
    const struct instant *now, struct status *);

/* What NTP clients are told. */
void tell_clients(
    const struct steer *, const struct instant *now, struct serving *);

/* What is promised to programs of this machine; vmclock is left to the caller. */
void tell_programs(const struct steer *, const struct instant *now,
    struct clockbound_promise *);

#endif
