/*
 * confidence.c - which frequency the clock may run at, and which one it
 * returns to when nobody is believed any longer.
 *
 * A frequency is an order that goes on when everybody has fallen silent.  So a
 * liar who is believed for minutes could keep the clock wrong for days.
 * Therefore there are two rules.  A frequency that no crystal needs (beyond
 * FREQ_USUAL) is ordered only after ten minutes of a majority and, where
 * constraints are configured, only if two of their answers do not contradict
 * it.  And a frequency counts as confirmed only when a majority has kept to it
 * for an hour: that one stays when the majority is gone.
 *
 * Nothing here reads a clock or gives an order; steer.c tells what happened.
 */
#include <math.h>
#include <string.h>

#include "core/confidence.h"

/* s: a majority that has lasted so long may order more than FREQ_USUAL
 * (MAXFREQ of RFC 5905 §7.2).  The worst queue of a network lasts a tenth of
 * that. */
static const double FAR_AFTER = 600;
/* s: an answer that is not older than this still tells how things were when
 * the far frequency began. */
static const double FAR_BEGIN = 120;
/* s: a majority that kept to a frequency for so long confirms it.  So a liar
 * of less than an hour does not steer the clock through an outage. */
static const double CONFIRM_AFTER = 3600;
/* Ratio: a frequency is the same one if it stays for the hour within this, and
 * within three standard deviations, of where it was.  Estimates over the paths
 * of the Internet differ by that much. */
static const double TRIAL = 4e-6, TRIAL_SDS = 3;
/* Ratio: a confirmed frequency may change by this at once, because the room
 * becomes warmer or colder. */
static const double SAME = 2e-6;
/* Ratio: a frequency must be known this well to be confirmed. */
static const double CONFIRM_SD = 1e-6;
/* Ratio: a frequency that nothing has confirmed is kept within this of the one
 * that the clock began with.  It is the tolerance of a cheap crystal. */
static const double CRYSTAL = 100e-6;

void
confidence_start(
    struct confidence *c, double freq, bool known, int64_t raw)
{
	memset(c, 0, sizeof *c);
	c->confirmed_at = raw;
	c->confirmed = freq;
	c->known = known;
	c->far = known && fabs(freq) > FREQ_USUAL;
}

void
confidence_gap(struct confidence *c)
{
	c->trial_since = c->beyond_since = 0;
	c->begin.votes = c->trial_begin.votes = 0;
	/* The majority of an hour vouches for more than a gap can take away. */
	c->far = c->known && fabs(c->confirmed) > FREQ_USUAL;
}

void
confidence_leapt(struct confidence *c, int64_t ns)
{
	c->begin.ahead += ns;
	c->trial_begin.ahead += ns;
}

/* Do the constraints' answers exclude that the raw clock ran at this frequency
 * from the first to the last?  They may differ by no more than both may be
 * wrong. */
static bool
contradicts(const struct bound *first, const struct bound *last, double freq)
{
	double t = (double)(last->made - first->made) * 1e-9;
	double moved = (double)(last->ahead - first->ahead) * 1e-9;

	return first->votes > 0 && last->votes > 0 && t > 0 &&
	    fabs(moved - freq * t) > first->width + last->width;
}

/* See whether the majority keeps to its frequency.  If it has done so for long
 * enough, the frequency is confirmed; if not, the time begins anew. */
static void
try_frequency(struct confidence *c, const struct verdict *v,
    const struct bound *b)
{
	if (c->trial_since == 0 ||
	    fabs(v->freq - c->trial) > TRIAL + TRIAL_SDS * v->freq_sd ||
	    contradicts(&c->trial_begin, b, v->freq)) {
		c->trial = v->freq;
		c->trial_since = v->raw;
		c->trial_begin = *b;
		return;
	}
	if (c->trial_begin.votes == 0)
		c->trial_begin = *b;
	if ((double)(v->raw - c->trial_since) * 1e-9 < CONFIRM_AFTER ||
	    v->freq_sd > CONFIRM_SD || fabs(v->freq) > confidence_most(c))
		return;
	c->confirmed = v->freq;
	c->confirmed_at = v->raw;
	c->known = true;
}

/* May the majority have more than FREQ_USUAL?  True if the constraints must be
 * asked again to tell. */
static bool
try_far(struct confidence *c, const struct verdict *v, const struct bound *b)
{
	double t;

	if (fabs(v->freq) <= FREQ_USUAL) {
		c->far = false;
		confidence_doubt(c);
		return false;
	}
	if (c->beyond_since == 0)
		c->beyond_since = v->raw;
	t = (double)(v->raw - c->beyond_since) * 1e-9;
	if (!b->wanted) {
		c->far |= t >= FAR_AFTER;
		return false;
	}
	if (contradicts(&c->begin, b, v->freq)) {
		c->beyond_since = v->raw;
		c->begin = *b;
		c->far = false;
		return false;
	}
	if (c->begin.votes == 0) {
		if (b->votes == 0 ||
		    (double)(c->beyond_since - b->made) * 1e-9 > FAR_BEGIN)
			return true;
		c->begin = *b;
	}
	if (c->far || t < FAR_AFTER ||
	    (double)(v->raw - c->begin.made) * 1e-9 < FAR_AFTER)
		return false;
	/* Constraints that disagree are no second answer. */
	if (b->votes == 0 ||
	    (double)(b->made - c->begin.made) * 1e-9 < FAR_AFTER)
		return true;
	c->far = true;
	return false;
}

bool
confidence_vote(
    struct confidence *c, const struct verdict *v, const struct bound *b)
{
	bool ask = try_far(c, v, b);

	try_frequency(c, v, b);
	c->fell_back = false;
	return ask;
}

void
confidence_doubt(struct confidence *c)
{
	if (c->far)
		return;
	c->beyond_since = 0;
	c->begin.votes = 0;
}

double
confidence_most(const struct confidence *c)
{
	return c->far ? FREQ_FAR : FREQ_USUAL;
}

double
confidence_fallback(struct confidence *c, double freq, int64_t raw)
{
	double t = (double)(raw - c->confirmed_at) * 1e-9;
	double aged = fmin(FREQ_AGING_MOST, FREQ_AGING * t);
	double kept = c->known ? SAME + aged : CRYSTAL;

	confidence_gap(c);
	c->fell_back = true;
	return fmax(c->confirmed - kept, fmin(c->confirmed + kept, freq));
}
