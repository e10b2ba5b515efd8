/*
 * discipline.c - from what is known of the time to what the kernel is told.
 *
 * The election says where the true time is against the raw clock, and how fast
 * the raw clock runs. adjtimex(2) steers the system clock there: its frequency
 * is set to the estimate.  What is still missing is given to the kernel's
 * phase-locked loop with STA_FREQHOLD.  Each second that takes off
 * 1/2^(2+constant) of the rest, and it stops by itself, also when this program
 * dies.
 *
 * An idle kernel does its sums late: while it sleeps, it goes on with the last
 * second's share.  So a fast constant overshoots, up to 8 times.  Therefore
 * the constant is never below 4 (64 s) in the quiet state.  An offset that
 * exceeds the noise is taken off with constant 2, or with 0 from a millisecond
 * on, while this program wakes up just after full seconds: waking alone makes
 * the kernel do its sums.
 */
#include <math.h>

#include "core/discipline.h"
#include "core/ntp.h"

/* In sd of the estimate: what is less is noise, and what is more is taken off
 * fast. */
static const double NOISE_SDS = 4;
/* s: the largest offset that is given to the kernel, which cuts them at 0.5
 * s.  With constant 0 it changes the speed by 8 %. */
static const double MOST_PHASE = 0.32;
/* s: an offset beyond this and beyond the noise is slewed with constant 0, by
 * orders that are renewed each second until this is left.  A start with 10 ms
 * would have 3 ms of them left after 20 s otherwise. */
static const double SLEWN = 1e-3;
/* The kernel's time constants: the fastest one, the one while awake, and the
 * range of those asleep. */
enum { CONSTANT_SLEW = 0, CONSTANT_AWAKE = 2, CONSTANT_LEAST = 4,
	CONSTANT_MOST = 10 };
/* So long we stay awake: three times the 16 s of CONSTANT_AWAKE. */
static const int64_t AWAKE = 48 * NS_PER_S;
/* ns from one order to the next while we stay awake.  Each corrects the share of
 * one second, and is in force for four.  In all that overshoots by 10 % of the
 * offset. */
static const int64_t AWAKE_EVERY = 4 * NS_PER_S;
/* Within the noise a slow slew is begun for more than the whole offset.  With
 * the usual 64 s between updates and a time constant of 64 s, 1 - 1/e of it is
 * done when the next update replaces the rest. */
static const double EAGER = 1.6;
/* ns after a full second of CLOCK_REALTIME, when the kernel's sum is due. */
static const int64_t AFTER_SECOND = 5000000;
/* The bound grows by so many sd of the frequency, and by this ratio for what
 * temperature may change it by.  That is half of chrony's maxclockerror, since
 * what the oscillator does by itself is in freq_sd already.  FREQ_AGING is
 * added for an outage. */
static const double FREQ_SDS = 3, ALLOWANCE = 0.5e-6;
/* After n samples the sds of a filter are too small by up to this, divided by
 * n.  It is divided by DOUBT_FROM at least, since of fewer samples little has
 * been learnt that could be wrong. */
static const double DOUBT = 28, DOUBT_FROM = 4;
/* The sd of the frequency at start: a crystal's tolerance, or what a restart
 * may change it by. */
static const double UNKNOWN_FREQ = 100e-6, KNOWN_FREQ = 1e-6;

double
discipline_freq(const struct discipline *d)
{
	return fmax(-d->freq_most, fmin(d->freq_most, d->freq));
}

void
discipline_limit(struct discipline *d, double freq_most)
{
	d->freq_most = freq_most;
}

void
discipline_start(struct discipline *d, double freq, bool known)
{
	*d = (struct discipline){
		.freq = known || fabs(freq) <= UNKNOWN_FREQ ? freq : 0,
		.freq_sd = known ? KNOWN_FREQ : UNKNOWN_FREQ,
		.freq_most = FREQ_USUAL,
		.due = NEVER,
	};
	filter_reset(&d->joint, d->freq, d->freq_sd);
}

void
discipline_forget(struct discipline *d)
{
	d->have = d->slewing = false;
	filter_reset(&d->joint, d->freq, d->freq_sd);
	d->due = NEVER;
	d->awake_until = 0;
}

void
discipline_hold(struct discipline *d, double freq, double freq_sd,
    const struct instant *now)
{
	double t = (double)(now->raw - d->raw);

	/* The forecast for this moment stays what it is. */
	if (d->have)
		d->ahead += llrint((discipline_freq(d) - freq) * t);
	freq_sd = fmax(freq_sd, fabs(d->freq - freq) / FREQ_SDS);
	d->freq = freq;
	d->freq_sd = fmax(d->freq_sd, freq_sd);
	filter_reset(&d->joint, d->freq, d->freq_sd);
	discipline_again(d); /* new orders at once */
}

void
discipline_stepped(struct discipline *d)
{
	d->slewing = false;
	d->awake_until = 0;
	d->due = NEVER;
}

void
discipline_rest(struct discipline *d)
{
	d->due = NEVER;
}

void
discipline_again(struct discipline *d)
{
	d->due = d->have ? d->raw : NEVER;
}

void
discipline_leapt(struct discipline *d, int64_t ns)
{
	filter_shift(&d->joint, ns);
	d->ahead += ns;
	d->leap = LEAP_NONE;
}

void
discipline_learn_time(struct discipline *d, const struct verdict *v)
{
	double doubt = DOUBT / fmax(DOUBT_FROM, v->samples);

	d->have = true;
	d->raw = v->raw;
	d->ahead = v->ahead;
	d->heard = v->heard;
	d->sd = v->sd;
	d->distance = v->distance + doubt * v->sd;
	d->path = v->path + doubt * v->sd;
	d->leap = v->leap;
	d->due = v->raw; /* new orders at once */
}

void
discipline_learn(struct discipline *d, const struct verdict *v, double interval)
{
	discipline_learn_time(d, v);
	d->freq = v->freq;
	d->freq_sd = v->freq_sd * (1 + DOUBT / fmax(DOUBT_FROM, v->samples));
	d->interval = interval;
}

int64_t
discipline_offset(const struct discipline *d, const struct instant *now)
{
	if (!d->have)
		return 0;
	return d->ahead +
	    llrint(discipline_freq(d) * (double)(now->raw - d->raw)) -
	    (now->real - now->raw);
}

double
discipline_growth(const struct discipline *d)
{
	return FREQ_SDS * d->freq_sd + ALLOWANCE +
	    fabs(d->freq - discipline_freq(d));
}

/* What the estimate itself may be wrong by at raw, s.  It grows from the
 * newest sample on: an election without news makes nothing surer. */
static double
uncertainty(const struct discipline *d, int64_t raw)
{
	double t = fmax(0, (double)(raw - d->heard) * 1e-9);

	return d->distance +
	    t * (discipline_growth(d) + fmin(FREQ_AGING_MOST, FREQ_AGING * t));
}

double
discipline_bound(const struct discipline *d, const struct instant *now)
{
	if (!d->have)
		return HUGE_VAL;
	return uncertainty(d, now->raw) +
	    fabs((double)discipline_offset(d, now)) * 1e-9;
}

/* Raw time of the next moment just after a full second of CLOCK_REALTIME. */
static int64_t
next_second(const struct instant *now)
{
	return now->raw + NS_PER_S - now->real % NS_PER_S + AFTER_SECOND;
}

/* The kernel's time constant for an offset within the noise: as slow as
 * updates come, which keeps the frequency calm. */
static int
calm_constant(double interval)
{
	int c = (int)lrint(log(fmax(1, interval)) * M_LOG2E) - 2;

	return c < CONSTANT_LEAST ? CONSTANT_LEAST :
	    c > CONSTANT_MOST	  ? CONSTANT_MOST :
				    c;
}

struct orders
discipline_step(const struct discipline *d, const struct instant *now)
{
	return (struct orders){
		.act = true,
		.step = discipline_offset(d, now),
		.freq = discipline_freq(d),
		.constant = CONSTANT_SLEW, /* nothing is slewed */
		.max_error = d->distance,  /* without the offset */
		.est_error = d->sd,
		.leap = d->leap,
		.synced = true,
	};
}

struct orders
discipline_turn(struct discipline *d, const struct instant *now)
{
	struct orders o = { .act = false };
	double error, noise, eager = 1;
	bool learnt;

	if (!d->have || now->raw < d->due)
		return o;
	learnt = d->due == d->raw;
	d->due = NEVER;
	if (!learnt && !d->slewing) { /* it only had to be awake */
		if (now->raw < d->awake_until)
			d->due = next_second(now) + AWAKE_EVERY - NS_PER_S;
		return o;
	}
	error = (double)discipline_offset(d, now) * 1e-9;
	noise = NOISE_SDS *
	    hypot(d->sd, d->freq_sd * ((double)(now->raw - d->raw) * 1e-9));
	o.act = true;
	o.freq = discipline_freq(d);
	o.constant = calm_constant(d->interval);
	if (fabs(error) > (d->slewing ? SLEWN : fmax(SLEWN, noise))) {
		d->slewing = true;
		o.constant = CONSTANT_SLEW;
	} else {
		/* A fast share is in force until the kernel's next sum, so be
		 * awake then once more. */
		d->awake_until =
		    d->slewing || now->raw < d->awake_until ? now->raw + 1 : 0;
		d->slewing = false;
		if (fabs(error) > noise) {
			o.constant = CONSTANT_AWAKE;
			d->awake_until = now->raw + AWAKE;
		} else
			eager = EAGER;
	}
	if (d->slewing || now->raw < d->awake_until)
		d->due = next_second(now);
	o.phase =
	    llrint(fmax(-MOST_PHASE, fmin(MOST_PHASE, eager * error)) * 1e9);
	o.max_error = discipline_bound(d, now);
	o.est_error = d->sd + fabs(error);
	o.leap = d->leap;
	o.synced = true;
	return o;
}
