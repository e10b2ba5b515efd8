/*
 * seccomp.h - which system calls each role may use.
 */
#ifndef SECCOMP_H
#define SECCOMP_H

#include <stdbool.h>

struct sock_filter;

enum seccomp_role { SECCOMP_DAEMON, SECCOMP_DNS, SECCOMP_HTTPS };

enum { SECCOMP_MOST = 512 }; /* instructions: room for every program */

/* Calls that were refused since the filter is in force.  What the children
 * count is their word: one that strangers have taken over may write any number
 * there, but not into the daemon's. */
struct seccomp_refused {
	unsigned long daemon, children;
	int last; /* the number of the last one, by the same word */
};

/* Write the filter's program.  Returns the number of its instructions; 0: they
 * are more than "room", or this architecture has no table. */
int seccomp_program(enum seccomp_role, struct sock_filter *out, int room);

/* From now on this process and its children may only do what the role may.  A
 * call that is refused fails with EPERM and is counted.  A child's filter comes
 * on top of the daemon's.  The caller has set no_new_privs.  SIGSYS becomes
 * ours: its handler counts, and it must not be blocked from here on, since the
 * kernel would end the process instead.  False with errno: the kernel has no
 * filters, or somebody forbids them. */
bool seccomp_install(enum seccomp_role);

void seccomp_refused(struct seccomp_refused *out);

#endif
