/*
 * detach.h - becoming a daemon, in two steps.
 */
#ifndef DETACH_H
#define DETACH_H

/* Open those of the descriptors 0 to 2 that are closed.  Otherwise a socket
 * could become standard error. */
void detach_descriptors(void);

/* The first step: fork.  Only the child returns, with a descriptor for the
 * second step.  The caller waits, and exits with 0 once that step is done, or
 * with the status of a start that failed.  Whoever ends the caller ends the
 * child. */
int detach_begin(void);

/* The second step: write the process id to the file "pid" if that is not NULL,
 * leave the terminal, send the log to syslog, and let the caller exit.  If the
 * file cannot be written the program ends with a message. */
void detach_end(int caller, const char *pid);

#endif
