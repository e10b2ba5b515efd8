/*
 * os.h - system calls that the simulator clknetsim does not have; its build has
 * tests/clknetsim/sim-os.c in their place.
 */
#ifndef OS_H
#define OS_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Wait until one of n descriptors is ready, or until ns nanoseconds have passed
 * (NEVER: for ever).  Signals arrive only in here.  The result is
 * ppoll(2)'s. */
int wait_for(struct pollfd *, int n, int64_t ns);

/* A timer that is cancelled when somebody sets CLOCK_REALTIME: make it (-1
 * where there is none), arm it, and ask whether it was cancelled. */
int wait_timer(void);
int wait_arm(int fd);
bool wait_cancelled(int fd);

/* A descriptor of inotify(7), or -1 where there is none. */
int wait_changes(void);

/* Send n messages, as sendmmsg(2) does.  How many were sent, or -1 with
 * errno. */
int wait_send(int fd, struct mmsghdr *, unsigned n);

#endif
