/*
 * machine.h - what a virtual machine is told of itself.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#define VMCLOCK "/dev/vmclock0"

/* What has happened to this machine. */
enum machine_said {
	MACHINE_SAME,
	MACHINE_MOVED,	 /* it runs on another host, with another counter */
	MACHINE_RESTORED /* it goes on from a snapshot, so time was lost */
};

enum { MACHINE_WATCHED = 2 }; /* the most descriptors */

/* All fields are machine.c's; known and disruption may be read. */
struct machine {
	const struct vmclock *page; /* of the device; NULL: there is none */
	int device, uevents;	    /* descriptors, or -1 */
	bool known;		    /* the counters were read once */
	uint64_t disruption, generation; /* counters at the last look */
	int idle;  /* times that the device was ready without news */
	bool told; /* a uevent told of a new generation */
};

/* Begin to listen: to the device of that path, which is VMCLOCK but in tests, or
 * where there is none, to the kernel's events.  What is missing or refused is
 * left out, and nothing is logged. */
void machine_open(struct machine *, const char *path);

/* What has happened since the last call.  Of two events the graver one is told.
 * This reads memory only, so that it can be asked whenever the loop wakes up. */
enum machine_said machine_look(struct machine *);

/* The descriptors to wait for, if any; returns how many.  When one of them is
 * ready, call machine_read and then machine_look. */
int machine_watch(const struct machine *, struct pollfd[MACHINE_WATCHED]);
void machine_read(struct machine *);

#endif
