/*
 * sensors.h - the hardware clocks of the configuration.
 */
#ifndef SENSORS_H
#define SENSORS_H

#include "core/sensor.h"
#include "serve/status.h"
#include "sys/log.h"
#include "sys/phc.h"

/* What the other owners know.  The loop keeps it up to date. */
struct sensors_told {
	double freq, freq_sd; /* ratios: what a new filter begins with */
	struct known known;   /* what anybody says of the time */
};

/* What the other owners shall do.  The loop sees to it, and clears it. */
struct sensors_wishes {
	bool elect; /* something new is known: hold an election */
	double jumped; /* s: the time jumped, by the word of a trusted sensor;
			  0: it did not */
};

enum { SENSORS_MOST = 16 }; /* devices that are used */

/* The hardware clocks of the configuration.  The first group is set before
 * sensors_open.  Of the rest source, sensors and last_heard may be read. */
struct sensors {
	const struct conf *conf;
	const struct bound *bound; /* what the constraints say */

	struct sensors_told told;
	struct sensors_wishes wish;

	/* Entries that are not used cost no memory. */
	struct source source[SENSORS_MOST];
	struct sensor sensor[SENSORS_MOST];
	struct phc phc[SENSORS_MOST];
	struct said said[SENSORS_MOST]; /* what is wrong, for the log */
	int sensors;
	struct pace jumps; /* of wish.jumped */
	int64_t last_heard; /* raw: of the last good reading of one that has a
			       vote; 0: never */
};

/* Open what the configuration names and the machine has; say what is missing.
 * To be called before the sandbox. */
void sensors_open(struct sensors *, int64_t raw);

/* The configuration has changed.  A device that is not open cannot be opened any
 * more, which is said as if it were missing. */
void sensors_reload(struct sensors *, int64_t raw);

/* Read those that are due.  sensors_due is the raw time when that is to be done
 * again. */
void sensors_turn(struct sensors *, int64_t raw);
int64_t sensors_due(const struct sensors *);

/* The raw clock had a gap, so what they said is void: read them at once.
 * sensors_again: the clock was set; read them at once. */
void sensors_forget(struct sensors *, int64_t raw);
void sensors_again(struct sensors *, int64_t raw);

/* A leap second moved everybody's time by so many ns. */
void sensors_leapt(struct sensors *, int64_t ns);

/* An election said this of the n sources that stood for it.  The sensors'
 * indices begin with "first".  sensors_called: the log has called those that
 * lost falsetickers. */
void sensors_elected(
    struct sensors *, const struct candidate[], int n, int first);
void sensors_called(
    struct sensors *, const struct candidate[], int n, int first);

/* What the sensor that "constraint from sensor" calls so says of the time, as
 * an answer; NULL, or why there is none. */
const char *sensors_bound(
    const struct sensors *, const char *name, struct constraint_answer *);

/* Fill in the part of the status that is about sensors.  sensor has room for
 * all of them, and is kept by the status. */
void sensors_show(const struct sensors *, const struct instant *,
    struct status_sensor sensor[], struct status *);

#endif
