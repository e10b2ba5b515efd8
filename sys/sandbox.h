/*
 * sandbox.h - rights.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stddef.h>

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

/* The clock could not be set: what gives this process the right where it runs,
 * in one line.  Looks around once, so ask it once. */
void sandbox_remedy(char *text, size_t size);

#endif
