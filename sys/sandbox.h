/*
 * sandbox.h - rights.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdbool.h>

enum clock_permission {
	CLOCK_MAY,    /* a write succeeded */
	CLOCK_DENIED, /* EPERM, ENOSYS ... */
	CLOCK_MEASURE /* -x: not asked for */
};

/* The daemon: raise what a file capability permits, gain nothing more. */
void sandbox_daemon(void);

/* A child: no capability at all, small limits (processor time 3 s, 64 MB, few
 * descriptors, no file written, no process, no core), no priority above others.
 * Its descriptors are closed already. */
void sandbox_child(void);

/* Does this process hold CAP_SYS_TIME, and could root hold it here (the
 * bounding set)?  Only to word a remedy. */
bool sandbox_may_set_time(void);
bool sandbox_could_set_time(void);

#endif
