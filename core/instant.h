/*
 * instant.h - points in time and lengths of it.
 *
 * A point in time is an int64_t of nanoseconds, named after its clock: raw is
 * CLOCK_MONOTONIC_RAW, and real is CLOCK_REALTIME (since 1970).  A length is a
 * double of seconds.  A frequency is a plain ratio (1e-6 is one ppm); it is
 * positive when the raw clock must be sped up to agree.
 */
#ifndef INSTANT_H
#define INSTANT_H

#include <stdint.h>

#define NS_PER_S 1000000000LL
#define NEVER INT64_MAX /* a time that does not come */

/* One reading of both clocks. */
struct instant {
	int64_t raw, real;
};

/* When a request was sent and its reply came: raw. */
struct stamps {
	int64_t sent, got;
	double precision; /* s: uncertainty of the two */
};

/* A length in ns as seconds, and the way back. */
static inline double
seconds(int64_t ns)
{
	return (double)ns / (double)NS_PER_S;
}

static inline int64_t
ns(double s)
{
	return (int64_t)(s * (double)NS_PER_S);
}

/* The point that lies s seconds after another one. */
static inline int64_t
later(int64_t raw, double s)
{
	return raw + ns(s);
}

/* The earlier one of two points. */
static inline int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* A number in [0, 1), made of random bits. */
static inline double
fraction(uint64_t bits)
{
	return (double)(bits >> 11) * 0x1p-53;
}

#endif
