/*
 * detach.h - becoming a daemon, in two steps.
 */
#ifndef DETACH_H
#define DETACH_H

#include <sys/types.h>

/* Open those of the descriptors 0 to 2 that are closed.  Otherwise a socket
 * could become standard error. */
void detach_descriptors(void);

/* What the second step needs, opened before the sandbox forbids it. */
struct detach {
	int caller;   /* a pipe to the process that waits */
	pid_t parent; /* that process */
	int nothing;  /* /dev/null, or what stands for it */
	int pid;      /* the file of the process id, or -1 */
};

/* The first step: fork.  Only the child returns.  The caller waits, and exits
 * with 0 once the second step is done, or with the status of a start that
 * failed.  Whoever ends the caller ends the child. */
void detach_begin(struct detach *);

/* End with whoever waits.  The kernel forgets this when the user changes. */
void detach_follow(const struct detach *);

/* Write the process id to this file.  If that is not possible, the program ends
 * with a message. */
void detach_pid(struct detach *, const char *path);

/* The daemon ends: remove the file of the process id, or, in a directory where
 * it may not remove files, empty it. */
void detach_forget(const struct detach *, const char *path);

/* The second step: leave the terminal, send the log to syslog, and let the
 * caller exit. */
void detach_end(const struct detach *);

#endif
