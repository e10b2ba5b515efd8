/*
 * sensor.c - one hardware clock as a source of time: whether to believe what it
 * shows.
 *
 * A hypervisor's clock shows UTC.  That of a network card may show UTC or TAI,
 * which is 37 s ahead, or whatever it had when its driver was loaded, and
 * nothing in it says which.  So the difference is told by other evidence, such
 * as servers or constraints; without any the device is taken at its word.
 *
 * A reading becomes a sample like that of a server with a very short path.  So
 * the filter, the election and the bound treat both alike.
 */
#include <math.h>
#include <string.h>

#include "core/sensor.h"

/* s: a longer reading was interrupted, and a device that may be wrong by more
 * is of no use. */
#define WIDTH_MOST 0.1
#define ERROR_MOST 1.0
/* ns of raw time in which every clock moves. */
#define MOVES 1000000
/* s: other evidence must be surer than the first to tell two time scales
 * apart, and then the device may be wrong by the second. */
#define SCALE_SURE 10.0
#define SCALE_NEAR 1.0
/* s: a smaller jump is left to the filter. */
#define JUMP_LEAST 1.0

/* In the order of enum sensor_said. */
const char sensor_words[] =
    "good\0"
    "cannot be read\0"
    "not precise\0"
    "frozen\0"
    "date before the build\0"
    "constraint check failed";

/* Does the text begin so, whatever the case of its letters? */
static bool
begins(const char *text, const char *with)
{
	for (; *with != '\0'; text++, with++)
		if (*text != *with &&
		    ((*text ^ *with) != ' ' || (*with | ' ') < 'a' ||
			(*with | ' ') > 'z'))
			return false;
	return true;
}

static int64_t
ahead_of(const struct sensor *s, const struct sensed *r)
{
	return r->time - r->raw + s->correction;
}

static enum sensor_said
judge(const struct sensor *s, const struct sensed *r, const struct bound *b,
    bool trusted, struct sample *out)
{
	double error = isnan(r->error) ? s->error : r->error;

	/* Written so that a NaN is refused as well. */
	if (!(r->width >= 0 && r->width <= WIDTH_MOST) ||
	    !(error >= 0 && error <= ERROR_MOST))
		return SENSOR_WIDE;
	if (r->time == s->last.time && r->raw - s->last.raw > MOVES)
		return SENSOR_FROZEN;
	/* No number of a device may be too large for the sums below. */
	if (r->time < b->earliest || r->time > INT64_MAX / 2)
		return SENSOR_BUILD;
	*out = (struct sample){
		.raw = r->raw,
		.ahead = ahead_of(s, r) - s->tai * NS_PER_S,
		.delay = r->width,
		.error = error,
	};
	switch (bound_check(b, out->raw, out->ahead)) {
	case BOUND_BUILD: return SENSOR_BUILD;
	case BOUND_BROKEN: return trusted ? SENSOR_GOOD : SENSOR_BOUND;
	default: return SENSOR_GOOD;
	}
}

enum sensor_said
sensor_judge(struct sensor *s, const struct sensed *r, const struct bound *b,
    bool trusted, struct sample *out)
{
	s->readings++;
	s->said = r != NULL ? judge(s, r, b, trusted, out) : SENSOR_UNREAD;
	s->failures += s->said != SENSOR_GOOD;
	if (r != NULL)
		s->last = *r;
	return s->said;
}

bool
sensor_scale(struct sensor *s, const struct sensed *r, const struct known *k,
    int tai)
{
	double ahead = ((double)ahead_of(s, r) - (double)k->ahead) * 1e-9;
	double near = k->error + SCALE_NEAR;
	int was = s->tai;

	if (s->tai_told || !(k->error < SCALE_SURE))
		return false;
	if (fabs(ahead - tai) <= near)
		s->tai = tai;
	else if (fabs(ahead) <= near)
		s->tai = 0;
	return s->tai != was;
}

double
sensor_jump(const struct source *s, const struct sample *new)
{
	struct estimate e;
	double jump;

	if (!filter_estimate(&s->filter, new->raw, &e))
		return 0;
	jump = ((double)new->ahead - (double)e.ahead) * 1e-9;
	return fabs(jump) > JUMP_LEAST +
		    FREQ_FAR * seconds(new->raw - s->sample.raw) ?
	    jump :
	    0;
}

bool
sensor_named(const char *name, const char *device, const char *clock)
{
	if (strncmp(name, "/dev/", 5) == 0)
		name += 5;
	if (strcmp(name, device) == 0)
		return true;
	if (strncmp(name, "ptp_", 4) == 0)
		name += 4;
	if (strncmp(clock, "ptp_", 4) == 0)
		clock += 4;
	return *name != '\0' && begins(clock, name);
}
