/*
 * detach.h - becoming a daemon, in two steps.
 */
#ifndef DETACH_H
#define DETACH_H

/* Open what is closed of the descriptors 0 to 2, lest a socket become stderr. */
void detach_descriptors(void);

/* The first step: fork.  Only the child returns, with a descriptor for the second
 * step.  The caller waits and exits: with 0 once that step is done, or with the
 * status of a start that failed.  Who ends the caller ends the child. */
int detach_begin(void);

/* The second step: write the process id to the file "pid" (NULL: to none; a
 * message and exit status 1 if that fails), leave the terminal, let the log go to
 * syslog, and let the caller exit. */
void detach_end(int caller, const char *pid);

#endif
