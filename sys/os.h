/*
 * os.h - system calls that the simulator answers.
 */
#ifndef OS_H
#define OS_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Wait until one of n descriptors is ready or ns nanoseconds have passed
 * (NEVER: for ever); signals arrive only in here.  As ppoll(2). */
int wait_for(struct pollfd *, int n, int64_t ns);

/* A timer that is cancelled when somebody sets CLOCK_REALTIME: make it (-1:
 * none here), arm it, ask and rearm. */
int wait_timer(void);
int wait_arm(int fd);
bool wait_cancelled(int fd);

/* Send n messages, as sendmmsg(2): how many were, or -1 with errno. */
int wait_send(int fd, struct mmsghdr *, unsigned n);

#endif
