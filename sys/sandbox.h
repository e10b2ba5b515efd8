/*
 * sandbox.h - what each role may still do.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stddef.h>

enum clock_permission {
	CLOCK_MAY,    /* a write succeeded */
	CLOCK_DENIED, /* EPERM, ENOSYS ... */
	CLOCK_MEASURE /* -x: not asked for */
};

/* For the daemon: use what a file capability permits, and gain no other
 * right. */
void sandbox_daemon(void);

/* For a child, which has closed its descriptors: no capability, no priority
 * above other processes, and small limits.  It has 3 s of processor time, 64 MB
 * and few descriptors, and it can write no file, start no process and leave no
 * core. */
void sandbox_child(void);

/* The clock could not be set: write in one line what would give this process
 * the right in the place where it runs.  This looks at files, so ask it only
 * once. */
void sandbox_remedy(char *text, size_t size);

#endif
