/*
 * phc.c - the kernel's hardware clocks: PTP clocks of network cards, and those
 * by which a hypervisor shows its time to a guest (linux/ptp_clock.h).
 *
 * There are three ways to read one, and each driver knows some of them.  The
 * best is one reading of device and raw clock by the hardware itself (PRECISE).
 * Otherwise the kernel reads the device between two readings of the system
 * clock, close to it (EXTENDED) or not (plain).  Of five such readings the
 * closest counts.
 *
 * Devices stay open, since the sandbox lets none be opened later.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ptp_clock.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/phc.h"
#include "sys/file.h"
#include "sys/instant.h"

enum { READINGS = 5, WAYS = 3 };

/* s: if the system clock moves by more against the raw one during a reading,
 * somebody has set it. */
#define MOVED 1e-3
/* ns: all bits set, which is how a driver says that it does not know its error
 * bound.  Amazon's ENA tells it in the file phc_error_bound. */
#define UNKNOWN_BOUND 0xffffffffu

int
phc_open(struct phc *p, int n)
{
	char path[64];
	struct stat st;
	size_t end;

	*p = (struct phc){ .fd = -1, .bound = -1 };
	(void)snprintf(p->device, sizeof p->device, "ptp%d", n);
	(void)snprintf(path, sizeof path, "/dev/%s", p->device);
	p->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (p->fd < 0)
		return -1;
	if (fstat(p->fd, &st) < 0 || !S_ISCHR(st.st_mode)) {
		phc_close(p);
		errno = ENOTTY;
		return -1;
	}
	(void)snprintf(
	    path, sizeof path, "/sys/class/ptp/%s/clock_name", p->device);
	if (file_text(path, p->clock, sizeof p->clock) < 0)
		p->clock[0] = '\0';
	end = strcspn(p->clock, "\n");
	p->clock[end] = '\0';
	(void)snprintf(path, sizeof path,
	    "/sys/class/ptp/%s/device/phc_error_bound", p->device);
	p->bound = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return 0;
}

void
phc_close(struct phc *p)
{
	if (p->fd >= 0)
		(void)close(p->fd);
	if (p->bound >= 0)
		(void)close(p->bound);
	p->fd = p->bound = -1;
}

/* A device may hold any number.  One that does not fit becomes a time that
 * sensor.c refuses. */
static int64_t
ns_of(const struct ptp_clock_time *t)
{
	if (t->sec < 0 || t->sec >= INT64_MAX / NS_PER_S)
		return INT64_MAX;
	return t->sec * NS_PER_S + t->nsec;
}

static int
precise(int fd, struct sensed *r)
{
	struct ptp_sys_offset_precise p = { 0 };

	if (ioctl(fd, PTP_SYS_OFFSET_PRECISE, &p) < 0)
		return -1;
	r->raw = ns_of(&p.sys_monoraw);
	r->time = ns_of(&p.device);
	r->width = 0;
	return 0;
}

/* The closest of five readings, each between two of the system clock: r->raw
 * becomes the time of the system clock. */
static void
closest(const struct ptp_clock_time *t, int stride, struct sensed *r)
{
	r->width = HUGE_VAL;
	for (int i = 0; i < READINGS; i++, t += stride) {
		int64_t before = ns_of(&t[0]), after = ns_of(&t[2]);

		if (after < before || seconds(after - before) >= r->width)
			continue;
		r->width = seconds(after - before);
		r->raw = before + (after - before) / 2;
		r->time = ns_of(&t[1]);
	}
}

static int
bracketed(int fd, bool extended, struct sensed *r)
{
	union {
		struct ptp_sys_offset_extended close;
		struct ptp_sys_offset plain;
	} u;
	struct instant before = clock_read(), after;
	double moved;

	memset(&u, 0, sizeof u);
	u.plain.n_samples = READINGS; /* the first member of both */
	if (ioctl(fd, extended ? PTP_SYS_OFFSET_EXTENDED : PTP_SYS_OFFSET, &u) <
	    0)
		return -1;
	after = clock_read();
	if (extended)
		closest(u.close.ts[0], 3, r);
	else
		closest(u.plain.ts, 2, r);
	moved = fabs(seconds(
	    (after.real - after.raw) - (before.real - before.raw)));
	if (moved > MOVED || isinf(r->width)) {
		errno = EAGAIN;
		return -1;
	}
	r->raw -= after.real - after.raw;
	r->width += moved;
	return 0;
}

/* What the device says that it may be wrong by, s; NAN: nothing. */
static double
error_bound(const struct phc *p)
{
	char text[24] = "", *end;
	unsigned long bound;
	ssize_t n = -1;

	if (p->bound >= 0)
		n = pread(p->bound, text, sizeof text - 1, 0);
	bound = n > 0 ? strtoul(text, &end, 10) : UNKNOWN_BOUND;
	return n <= 0 || end == text || bound >= UNKNOWN_BOUND ?
	    NAN :
	    (double)bound * 1e-9;
}

int
phc_read(struct phc *p, struct sensed *r)
{
	for (int i = 0; i < WAYS; i++) {
		int way = (p->way + i) % WAYS;

		if ((way == 0 ? precise(p->fd, r) :
			    bracketed(p->fd, way == 1, r)) == 0) {
			p->way = way;
			r->error = error_bound(p);
			return 0;
		}
	}
	return -1;
}

int
phc_tai(void)
{
	int64_t ahead = clock_now(CLOCK_TAI) - clock_now(CLOCK_REALTIME);
	int tai = (int)((ahead + NS_PER_S / 2) / NS_PER_S);

	return tai > TAI_AHEAD && tai < TAI_MOST ? tai : TAI_AHEAD;
}
