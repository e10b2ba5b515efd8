/*
 * link.h - links and addresses that come and go.
 */
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stdint.h>

/* A listener to changes of the network. */
struct link {
	int fd;	      /* -1: changes cannot be heard here */
	int64_t due;  /* raw: when to tell of a change; NEVER: there is none */
	int64_t next; /* raw: no change is told before that */
};

/* Begin to listen.  Where that is refused, fd is -1 and nothing is logged. */
void link_open(struct link *);

/* The descriptor is ready: take what it has, which is a change. */
void link_read(struct link *, int64_t raw);

/* Is it time to ask the servers anew?  That is a second after a change, and at
 * most every 15 s. */
bool link_changed(struct link *, int64_t raw);

#endif
