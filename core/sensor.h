/*
 * sensor.h - one hardware clock as a source of time.
 */
#ifndef SENSOR_H
#define SENSOR_H

#include "core/source.h"

/* One reading: the device showed "time" (ns since 1970) when the raw clock
 * showed "raw", give or take half of the width. */
struct sensed {
	int64_t raw, time;
	double width; /* s */
	double error; /* s: what the device says it may be wrong by; NAN: it
			 does not say */
};

/* What became of a reading; the first that applies. */
enum sensor_said {
	SENSOR_GOOD,
	SENSOR_UNREAD, /* the device could not be read */
	SENSOR_WIDE,   /* reading it took too long, or it admits too much */
	SENSOR_FROZEN, /* it shows the same time as before */
	SENSOR_BUILD,  /* a date before the build */
	SENSOR_BOUND,  /* outside of the constraints */
	SENSOR_SAYS
};
extern const char sensor_words[]; /* for word_at: SENSOR_SAYS of them */

/* What else is known of the time: it is "ahead" of the raw clock, give or take
 * the error (s).  HUGE_VAL: nothing is known. */
struct known {
	int64_t ahead;
	double error;
};

/* s: by what TAI is ahead of UTC since 2017 (IERS Bulletin C 52).  A kernel
 * that knows of more leap seconds says so, of some at most. */
enum { TAI_AHEAD = 37, TAI_MOST = 60 };

/* The owner sets the first group of fields; the others are sensor.c's. */
struct sensor {
	int64_t correction; /* ns, to be added to what the device shows */
	double error;	    /* s: what it may be wrong by if it does not say */
	bool tai_told;	    /* it shows TAI, by the configuration */
	char refid[5];	    /* that clients are told */
	int tai; /* s by which it is ahead of UTC: 0 if it shows UTC */

	enum sensor_said said; /* of the last reading */
	struct sensed last;    /* the last one that could be made */
	uint64_t readings, failures;
};

/* Judge a reading (NULL: the device could not be read).  SENSOR_GOOD: it became
 * a sample of UTC.  trusted: no constraint judges it. */
enum sensor_said sensor_judge(struct sensor *, const struct sensed *,
    const struct bound *, bool trusted, struct sample *);

/* Find out whether it shows TAI, by what else is known; "tai" is by what TAI is
 * ahead at present, s.  True if that is news: then its samples are void. */
bool sensor_scale(
    struct sensor *, const struct sensed *, const struct known *, int tai);

/* By how many seconds the sample has jumped against what the source said
 * before; 0: no more than any clock may drift. */
double sensor_jump(const struct source *, const struct sample *);

/* Is the clock that the configuration calls "name" this device ("ptp0"), whose
 * driver calls its clock so ("KVM virtual PTP")?  The beginning of the latter
 * is enough, in any case; "ptp_" or "/dev/" may stand before it. */
bool sensor_named(const char *name, const char *device, const char *clock);

#endif
