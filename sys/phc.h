/*
 * phc.h - the kernel's hardware clocks, /dev/ptp0 and so on.
 */
#ifndef PHC_H
#define PHC_H

#include "core/sensor.h"

enum {
	PHC_MOST = 64, /* devices: a machine with sixteen cards of four ports */
	PHC_CLOCK = 40 /* bytes of a clock's name */
};

/* One device.  Others may read its names. */
struct phc {
	char device[8];		/* "ptp0" */
	char clock[PHC_CLOCK];	/* as its driver calls it, or "" */
	int fd, bound;		/* of the device and of its error bound, or -1 */
	int way;		/* how it was read last */
};

/* Open number n of the machine's devices.  0, or -1 with errno. */
int phc_open(struct phc *, int n);
void phc_close(struct phc *);

/* Read it: the closest of five readings.  0, or -1 with errno. */
int phc_read(struct phc *, struct sensed *);

/* By how many seconds TAI is ahead of UTC, by the kernel's word if it knows. */
int phc_tai(void);

#endif
