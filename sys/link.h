/*
 * link.h - links and addresses that come and go.
 */
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stdint.h>

/* Hears of links and addresses that come and go. */
struct link {
	int fd;	     /* -1: cannot be heard here */
	int64_t due;  /* raw: a change is to be told; NEVER: there is none */
	int64_t next; /* raw: no change is told before */
};

/* Begin to listen.  Where that is refused nothing is said, and fd is -1. */
void link_open(struct link *);

/* The descriptor is ready. */
void link_read(struct link *, int64_t raw);

/* Is it time to ask anew?  A second after a change, at most each 15 s. */
bool link_changed(struct link *, int64_t raw);

#endif
