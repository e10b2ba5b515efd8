/*
 * detach.h - becoming a daemon, in two steps.
 */
#ifndef DETACH_H
#define DETACH_H

/* Open those of the descriptors 0 to 2 that are closed.  Otherwise a socket
 * could become standard error. */
void detach_descriptors(void);

/* What the second step needs, opened before the sandbox forbids it. */
struct detach {
	int caller;  /* a pipe to the process that waits */
	int nothing; /* /dev/null, or what stands for it */
	int pid;     /* the file of the process id, or -1 */
};

/* The first step: fork.  Only the child returns.  The caller waits, and exits
 * with 0 once the second step is done, or with the status of a start that
 * failed.  Whoever ends the caller ends the child. */
void detach_begin(struct detach *);

/* Open the file for the process id, which is written by the second step.  If
 * that is not possible, the program ends with a message. */
void detach_pid(struct detach *, const char *path);

/* The second step: write the process id, leave the terminal, send the log to
 * syslog, and let the caller exit. */
void detach_end(const struct detach *);

#endif
