/*
 * filter.c - one server's clock against the raw clock.
 *
 * A sample says by how much the server is "ahead" of our raw clock, give or
 * take half of what its delay exceeds the least possible one.  That is not a
 * value with normal noise but an interval: a packet can be late but never
 * early, so the truth is certainly inside.  The state (offset, frequency,
 * their covariance) is kept normal: after each sample it is replaced by a
 * normal distribution with the mean and variance of its truncation to the
 * interval (moment matching).  That costs two erfc() and is within a few per
 * cent of the exact Bayesian answer.
 *
 * Nobody knows beforehand how much the oscillator wanders, in which direction
 * packets queue and how noisy the stamps are.  So there is a bank of small
 * filters, one for each combination, and their estimates are mixed by how well
 * each of them foretold the recent samples.  After a step of the frequency the
 * models that expect much wander win within two samples, and lose again
 * afterwards.
 *
 * Nothing here depends on what is done to the system clock: all times are on
 * the raw axis, relative to the first sample, so that doubles are fine
 * enough.  RFC 5905's clock filter (§10), poll process (§13) and their
 * constants are not used. docs/discipline.md tells the formulas, and
 * docs/constants.md what each constant is worth.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/filter.h"

/* With each new sample the likelihoods of all earlier ones keep this share of
 * their weight, so that about fifty samples count. */
static const double FORGET = 0.98;
/* In log likelihood: a model that falls further behind the best one is
 * replaced by it, so that it can win again within a few samples when the world
 * changes. */
static const double BEHIND = 10;
/* In log likelihood: one sample costs a model at most this, which is 5 sd. */
static const double CLIP = 12.5;
/* In medians of the excess delay: a sample that is later than this is a heavy
 * tail that no model describes.  It does not change their likelihoods, and
 * all models take it for an interval that is alike both ways. */
static const double LATE = 4;
/* The noise of such a sample, as a share of what it is late beyond that
 * limit.  It waited in one queue, so the truth is at one edge of its interval,
 * and a hard edge would push the estimate a little with each such sample. */
static const double SOFT = 0.03;
/* In variances: a sample that is outside of its interval by more than this is
 * strange.  It is 10 sd, which chance never reaches.  Among the first samples
 * 5 sd are enough, since 5 sd of an unknown frequency are FREQ_USUAL.  They
 * are also enough after another strange sample: what is expected becomes less
 * sure with time, and a jump must not become a frequency just by waiting. */
static const double STRANGE = 100, STRANGE_SOON = 25;
/* So many strange samples in a row are the new truth.  Fewer are enough when
 * they outnumber all that were learnt before. */
static const int STRANGERS = 4;
/* s: no stamp is better than this, whatever the resolution of the clock. */
static const double FINEST = 1e-7;
/* The uncertainty of the frequency (a ratio) after a jump; and the number of
 * samples from which on the frequency that they taught is better than the one
 * that was known before them. */
static const double JUMP_FREQ = 1e-5;
static const int SETTLED = 16;
/* In medians of the excess delay: a route is taken for longer when sixteen
 * samples in a row exceed the old least delay by the first number and most of
 * them lie within the second of each other.  In the first quarter of an hour
 * (s) it may still be a queue. */
static const double ROUTE_FAR = 1.5, ROUTE_NEAR = 3, ROUTE_TIME = 900;
enum { ROUTE = 16 };
/* While there are few samples, the excess delay is guessed to be this share of
 * the least delay, since networks jitter by such a share, and the first
 * requests wait in one queue that hides it.  The guess falls with 1/n^2.  But it
 * does not fall within QUEUE seconds, and then with 1/t^4 at most, since samples
 * that wait in one queue tell the same.  After a change of the route it is what
 * the excess was before.  Where the frequency is said to be known (see
 * RAMP_FREQ) the share is GUESS_KNOWN: the less the samples count, the later a
 * wrong drift file is noticed. */
static const double GUESS = 0.3, GUESS_KNOWN = 0.15, QUEUE = 16;
/* s: hosts add this, however short the path is. */
static const double GUESS_HOST = 20e-6;
/* The least of n delays exceeds the least possible one by some share (see
 * shapes) of this many medians of the excess: 1/sqrt(n) + LEAST_FEW/n.  The
 * second term is there because the median is too small by as much. */
static const double LEAST_FEW = 6;
/* An interval becomes longer than the least one only while the predicted sd
 * stays below this share of the usual one.  An sd below LEAST_SD (s) is always
 * good enough, since stamps are the limit there, and beyond MOST_SD everything
 * is poor. */
static const double GROWTH = 0.7, LEAST_SD = 2e-6, MOST_SD = 1e-3;
/* The weight of the newest sample in the usual variance; and the number of
 * samples before which there is no usual variance. */
static const double USUAL = 0.1;
static const int FIRST_SAMPLES = 8, QUICK_SAMPLES = 4;
static const double QUICK = 2; /* s between the first ones */
/* The sd of the frequency (a ratio) above which intervals grow from QUICK by
 * this factor instead of beginning with the least one.  A value from the drift
 * file is better than that.  By doubling there would be 14 samples fewer in the
 * first minutes, and the error of the first hour would be larger. */
static const double RAMP_FREQ = 2e-6, RAMP = 1.2;
/* A source with this share of all influence is asked as often as if it were
 * the only one.  Below that it is asked less often in proportion, at most RARE
 * times more rarely.  Several sources of a kind together send 1.5 times the
 * requests of one: 85 an hour. */
static const double SHARE = 0.66, RARE = 6;
/* The bias of a server is averaged over so many samples at most, because paths
 * change. */
static const double BIAS = 64;

/* Where queues are mostly on one side, the offset goes along a line with the
 * excess delay, and strays from it by some share of the excess.  Below
 * LINE_NEAR medians of the excess that noise does not shrink any more.  The
 * share is between LINE_LEAST and LINE_MOST: what strays more is no line, and
 * the interval describes it better.  ANY is the share where every place in the
 * interval is equally likely; LINE_FEW samples are taken to have said so before
 * the first one.  LINE_FLAT is the weight of the opinion that there is no
 * slope, in samples.  LINE_FORGET is the weight that older samples keep. */
static const double LINE_FORGET = 0.99, LINE_NEAR = 0.3;
static const double LINE_LEAST = 0.03, LINE_MOST = 0.13;
static const double ANY = 0.29, LINE_FEW = 4, LINE_FLAT = 1;
enum { LEARNT = -1 };

/* What share of the excess delay arises on the way to the server (0: the delay
 * says nothing about the offset; LEARNT: what its samples say); the noise that
 * is always there, in medians of the excess delay; the log likelihood at the
 * start; and by what the least delay is too long.  For the sum of two
 * exponentials that is 0.75/sqrt(n) medians at most; for a single one, of which
 * n samples come much closer to zero, it is 1.4/n. */
static const struct shape {
	double out, floor, prior, least;
} shapes[FILTER_SHAPES] = {
	{ 0.5, 0.0075, 0, 0.4 }, /* both ways alike: most networks */
	{ 0.5, 0.1, 0, 0.4 },	 /* the same with noisier stamps */
	{ 0.02, 0.0075, -3, 0.3 }, /* queues on the way back only, and */
	{ 0.98, 0.0075, -3, 0.3 }, /* out only: bold, so 5 % at first */
	{ LEARNT, 0, -2, 0 },	   /* mostly on one side */
	{ 0, 0.2, 0, 0.4 },	   /* noise that the delay does not show */
};

/* How late a sample is, s: what its delay exceeds the least delay by, what
 * that one may be too long by (times shape.least), and the usual excess. */
struct late {
	double excess, spread, usual;
	double drop; /* it is the shortest ever by this */
	double slope, stray; /* offset for each s of excess; the sd around */
};

/* What a sample says of the offset, and the noise of its stamps, s. */
struct reading {
	double x, noise;
};

/* The expected random walk of the frequency: its variance per second.  From
 * 1e-10 per sqrt(s) (an oven) to 1e-7 (a crystal in the wind) in half decades. */
static const double wander2[FILTER_WANDERS] = { 1e-20, 1e-19, 1e-18, 1e-17,
	1e-16, 1e-15, 1e-14 };

/* Which wander and which shape model i of the bank has. */
static double
wander_of(int i)
{
	return wander2[i % FILTER_WANDERS];
}

static const struct shape *
shape_of(int i)
{
	return &shapes[i / FILTER_WANDERS];
}

/* The width of a sample's interval, s: the truth may be half of this away from
 * the sample. */
static double
excess_of(const struct shape *shape, const struct late *late)
{
	return late->excess + shape->least * late->spread;
}

/* The standard deviation of what the stamps themselves are wrong by, s. */
static double
noise_of(int i, const struct sample *s, double usual)
{
	return fmax(FINEST, s->precision) + shape_of(i)->floor * usual;
}

static int
ascending(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

/* The logarithm of the mass of the normal distribution in [a, b], where a + b
 * >= 0, and the mean and variance of the part inside. */
static double
inside_upper(double a, double b, double *mean, double *var)
{
	static const double root2pi = 2.5066282746310002;
	double at_a, at_b, mass, rate, length, e;

	if (a < 4 && b - a < 1e-3) { /* as good as uniform */
		*mean = (a + b) / 2;
		*var = (b - a) * (b - a) / 12;
		return -*mean * *mean / 2 + log((b - a) / root2pi);
	}
	if (a < 4) {
		mass = (erfc(a * M_SQRT1_2) - erfc(b * M_SQRT1_2)) / 2;
		if (mass > 1e-6 * fmin(1, b - a)) {
			at_a = exp(-a * a / 2) / root2pi;
			at_b = exp(-b * b / 2) / root2pi;
			*mean = (at_a - at_b) / mass;
			*var = fmax(1e-9,
			    1 + (a * at_a - b * at_b) / mass - *mean * *mean);
			return log(mass);
		}
	}
	/* Far out the density falls like an exponential of this rate. */
	rate = (a + sqrt(a * a + 4)) / 2;
	length = fmin(rate * (b - a), 40);
	e = length < 1e-6 ? 1 : length / expm1(length);
	*mean = a + (1 - e) / rate;
	*var =
	    (length < 0.01 ? length * length / 12 : 1 - e * e * exp(length)) /
	    (rate * rate);
	return -a * a / 2 - log(root2pi * rate) + log(-expm1(-length));
}

static double
inside(double a, double b, double *mean, double *var)
{
	double mass;

	if (a + b >= 0)
		return inside_upper(a, b, mean, var);
	mass = inside_upper(-b, -a, mean, var);
	*mean = -*mean;
	return mass;
}

/* No clock runs further off than FREQ_FAR; whoever asks for more is a liar. */
static double
within(double freq)
{
	return fmax(-FREQ_FAR, fmin(FREQ_FAR, freq));
}

/* All models start at the same place. */
static void
start(struct filter *f, struct filter_model m)
{
	for (int i = 0; i < FILTER_MODELS; i++) {
		m.fit = shape_of(i)->prior;
		f->model[i] = m;
	}
}

/* Let t seconds pass: the frequency moves the offset, and walks at random. */
static void
predict(struct filter *f, double t)
{
	struct filter_model *m;

	for (int i = 0; i < FILTER_MODELS; i++) {
		double q = wander_of(i);

		m = &f->model[i];
		m->x += m->f * t;
		m->xx += t * (2 * m->xf + t * (m->ff + q * t / 3));
		m->xf += t * (m->ff + q * t / 2);
		m->ff += q * t;
	}
	f->at += t;
}

/* The common opinion of the models, each weighted by its likelihood. */
static void
mix(struct filter *f)
{
	double weight[FILTER_MODELS], best = -HUGE_VAL, sum = 0, w, dx, df;
	const struct filter_model *m = f->model;

	for (int i = 0; i < FILTER_MODELS; i++)
		best = fmax(best, m[i].fit);
	for (int i = 0; i < FILTER_MODELS; i++)
		sum += weight[i] = exp(m[i].fit - best);
	f->x = f->f = f->xx = f->xf = f->ff = f->q = 0;
	for (int i = 0; i < FILTER_MODELS; i++) {
		weight[i] /= sum;
		f->x += weight[i] * m[i].x;
		f->f += weight[i] * m[i].f;
	}
	for (int i = 0; i < FILTER_MODELS; i++) {
		w = weight[i];
		dx = m[i].x - f->x;
		df = m[i].f - f->f;
		f->xx += w * (m[i].xx + dx * dx);
		f->xf += w * (m[i].xf + dx * df);
		f->ff += w * (m[i].ff + df * df);
		f->q += w * wander_of(i);
	}
}

/* Correct one model by one sample at r.x. Returns how likely the sample was (a
 * logarithm).  "left" is the share of the expected variance that the interval
 * leaves, and "tied" is the part of the frequency's variance that is the
 * offset's as well.  Both are only ever multiplied by a positive number and
 * never subtracted from each other, so that no rounding makes a variance
 * negative. */
static double
correct(struct filter_model *m, const struct shape *shape,
    const struct late *late, struct reading r)
{
	double x = r.x, noise = r.noise, usual = late->usual;
	bool tail = late->excess > LATE * usual;
	/* A narrower interval would make no sense beside the noise. */
	double excess = fmax(excess_of(shape, late), 0.01 * usual);
	bool line = shape->out < 0 && !tail;
	double var, sd, move, left, fit, out, back, tilt, mean, keep, tied;

	if (line) {
		x -= late->slope * late->excess;
		noise = hypot(noise, late->stray);
	}
	var = m->xx + noise * noise;
	sd = sqrt(var);
	if (shape->out <= 0 && !tail) {
		/* This is a plain Kalman update.  The delay is taken to be
		 * gamma distributed as for the other shapes, so that the
		 * likelihoods can be compared. */
		move = x - m->x;
		left = 0;
		fit = log(4 * excess / (usual * usual)) - 2 * excess / usual -
		    log(2 * M_PI * var) / 2 - move * move / var / 2;
	} else {
		/* The delays are exponential, with the means out and back.  So
		 * the density is tilted inside of the interval, which shifts
		 * the normal distribution before it is cut. */
		out = (shape->out > 0 && !tail ? shape->out : 0.5) * usual;
		back = usual - out;
		tilt = 1 / out - 1 / back;
		mean = m->x + tilt * var;
		fit = inside((x - excess / 2 - mean) / sd,
		    (x + excess / 2 - mean) / sd, &move, &left);
		fit += tilt * (m->x - x) + tilt * tilt * var / 2 -
		    excess / 2 * (1 / out + 1 / back) - log(out * back);
		/* Where the interval is tiny beside what was expected,
		 * rounding must not lead out of it. */
		move = fmax(x - excess / 2,
			   fmin(x + excess / 2, mean + move * sd)) -
		    m->x;
		left = fmax(0, fmin(1, left));
	}
	keep = (noise * noise + m->xx * left) / var;
	tied = m->xf * m->xf / m->xx;
	m->x += m->xx / var * move;
	m->f = within(m->f + m->xf / var * move);
	m->xx *= keep;
	m->xf *= keep;
	m->ff = fmax(0, m->ff - tied) + tied * keep;
	return fit;
}

/* Is the sample outside of what every model can explain? */
static bool
is_strange(const struct filter *f, const struct sample *s, double x,
    const struct late *late)
{
	bool sharp = f->strange > 0 || f->samples < QUICK_SAMPLES;
	double most = sharp ? STRANGE_SOON : STRANGE, off, noise;

	for (int i = 0; i < FILTER_MODELS; i++) {
		off = fmax(0, fabs(x - f->model[i].x) -
			excess_of(shape_of(i), late) / 2);
		noise = noise_of(i, s, late->usual);
		if (off * off < most * (f->model[i].xx + noise * noise))
			return false;
	}
	return true;
}

static void
correct_all(
    struct filter *f, const struct sample *s, double x, const struct late *late)
{
	double beyond = fmax(0, late->excess - LATE * late->usual);
	double fit[FILTER_MODELS], top = -HUGE_VAL;
	struct filter_model *m = f->model, *best = m;

	for (int i = 0; i < FILTER_MODELS; i++) {
		fit[i] = correct(&m[i], shape_of(i), late,
		    (struct reading){ x,
			noise_of(i, s, late->usual) + SOFT * beyond });
		top = fmax(top, fit[i]);
	}
	for (int i = 0; i < FILTER_MODELS; i++) {
		if (beyond <= 0)
			m[i].fit =
			    FORGET * m[i].fit + fmax(fit[i] - top, -CLIP);
		if (m[i].fit > best->fit)
			best = &m[i];
	}
	/* A model that has lost track goes on from where the best one is. */
	for (int i = 0; i < FILTER_MODELS; i++)
		if (m[i].fit < best->fit - BEHIND) {
			m[i] = *best;
			m[i].fit -= BEHIND;
		}
}

/* The newest delays agree on a longer route: forget the others. */
static void
reroute(struct filter *f, float recent)
{
	int last = f->delays - 1, k;

	for (k = 0; k < FILTER_GROUPS; k++)
		f->low[k] = recent;
	for (k = ROUTE; k < FILTER_DELAYS; k++)
		f->delay[(last - k + FILTER_DELAYS) % FILTER_DELAYS] =
		    f->delay[(last - k % ROUTE + FILTER_DELAYS) %
			FILTER_DELAYS];
	f->least = recent;
}

/* Learn a delay: the least one of the last 512 (as minima of groups), and the
 * median of what the last 64 exceed their least one by. */
static void
remember_delay(struct filter *f, float delay, int64_t raw)
{
	float sorted[FILTER_DELAYS], recent = delay;
	double young = 2 / (1 + (double)(raw - f->raw0) * 1e-9 / QUEUE);
	double few, guess, far = ROUTE_FAR * f->excess;
	int n, group, near = 0, k;

	f->drop = f->delays > 0 ? fmax(0, (double)(f->least - delay)) : 0;
	/* Either the route is shorter now, or a queue has gone that stood so
	 * long that it was taken for the route.  Older delays tell nothing of
	 * that. */
	if (f->delays < ROUTE)
		far = (double)f->least / 2;
	if ((double)f->least - (double)delay > far) {
		if (f->delays >= ROUTE)
			f->before = f->excess;
		f->delays = 0;
	}
	n = f->delays++;
	group = n / FILTER_GROUP;
	f->delay[n % FILTER_DELAYS] = delay;
	k = group % FILTER_GROUPS;
	if (n % FILTER_GROUP == 0 || delay < f->low[k])
		f->low[k] = delay;
	f->least = delay;
	for (k = 0; k < FILTER_GROUPS && k <= group; k++)
		f->least = fminf(f->least, f->low[k]);

	if ((double)delay <= (double)f->least + ROUTE_FAR * f->excess)
		f->short_at = raw;
	if (n >= 2 * ROUTE && (double)(raw - f->short_at) * 1e-9 > ROUTE_TIME) {
		for (k = 0; k < ROUTE; k++)
			recent =
			    fminf(recent, f->delay[(n - k) % FILTER_DELAYS]);
		for (k = 0; k < ROUTE; k++)
			near += (double)f->delay[(n - k) % FILTER_DELAYS] <
			    (double)recent + ROUTE_NEAR * f->excess;
		if (near > ROUTE / 2 &&
		    (double)recent > (double)f->least + ROUTE_FAR * f->excess)
			reroute(f, recent);
	}

	n = f->delays < FILTER_DELAYS ? f->delays : FILTER_DELAYS;
	memcpy(sorted, f->delay, (size_t)n * sizeof(*sorted));
	qsort(sorted, (size_t)n, sizeof(*sorted), ascending);
	few = fmin(1, fmax((double)QUICK_SAMPLES / n, young * young));
	guess = f->ff0 < RAMP_FREQ * RAMP_FREQ ? GUESS_KNOWN : GUESS;
	guess = GUESS_HOST + guess * (double)sorted[0];
	f->excess = fmax((double)(sorted[n / 2] - sorted[0]),
	    few * few * (f->before > 0 ? f->before : guess));
}

void
filter_reset(struct filter *f, double freq, double freq_sd)
{
	memset(f, 0, sizeof(*f));
	freq_sd = fmin(freq_sd, FREQ_FAR);
	f->f = f->freq0 = within(freq);
	f->ff = f->ff0 = freq_sd * freq_sd;
	f->share = 1;
}

void
filter_shift(struct filter *f, int64_t ns)
{
	f->ahead0 += ns;
}

/* The slope of the line that the offsets of recent samples lie on, and what a
 * sample of this excess strays from it. */
static void
lean(const struct filter_lean *s, struct late *l)
{
	double w = fmax(s->w, 1e-30), near = LINE_NEAR * l->usual;
	double ee = s->ee - s->e * s->e / w + LINE_FLAT;
	double er = s->er - s->e * s->r / w;
	double slope = fmax(-0.5, fmin(0.5, er / ee)), rest;

	rest = s->rr - s->r * s->r / w - slope * (2 * er - slope * ee);
	rest = (fmax(0, rest) + LINE_FEW * ANY * ANY) / (s->n + LINE_FEW);
	rest = fmax(LINE_LEAST, fmin(LINE_MOST, sqrt(rest)));
	l->slope = slope;
	l->stray = rest * hypot(near, l->excess * sqrt(1 + 1 / ee));
}

/* A sample that was so late was off the forecast by r, s.  Heavy tails and
 * jumps do not count, since they would outweigh the rest. */
static void
lean_learn(struct filter_lean *s, const struct late *l, double r)
{
	double e = l->excess, near = LINE_NEAR * l->usual;
	double w = 1 / (e * e + near * near);

	if (fmax(e, fabs(r)) > LATE * l->usual)
		return;
	*s = (struct filter_lean){
		.n = LINE_FORGET * s->n + 1,
		.w = LINE_FORGET * s->w + w,
		.e = LINE_FORGET * s->e + w * e,
		.r = LINE_FORGET * s->r + w * r,
		.ee = LINE_FORGET * s->ee + w * e * e,
		.er = LINE_FORGET * s->er + w * e * r,
		.rr = LINE_FORGET * s->rr + w * r * r,
	};
}

/* How late a sample is that belongs to the source which f follows. */
static struct late
lateness(const struct filter *f, const struct sample *s)
{
	struct late l = {
		.excess = fmax(0, s->delay - (double)f->least),
		.spread = filter_spread(f),
		.usual = fmax(f->excess, FINEST),
		.drop = f->drop,
	};

	lean(&f->lean, &l);
	return l;
}

/* Begin again at x. A frequency that only a few samples taught may itself come
 * from the jump, so it returns to the one that was known before them.  If some
 * frequency explains the jump, that may be the truth as well, so the new
 * frequency is as uncertain as that. */
static void
restart(struct filter *f, double x, const struct late *late)
{
	double rate = fabs(x - f->x) / (f->at - f->good);
	double freq = f->f, ff = JUMP_FREQ * JUMP_FREQ;

	if (f->samples < SETTLED) {
		freq = f->freq0;
		ff = f->ff0;
		rate += fabs(f->f - freq);
	}
	if (rate < FREQ_FAR)
		ff += rate * rate;
	start(f,
	    (struct filter_model){ .x = x,
		.f = freq,
		.xx = late->usual * late->usual + late->excess * late->excess,
		.ff = ff });
	f->samples = 0;
}

/* The least delay was too long by "drop", so everything that was learnt before
 * may be wrong by half of that.  It says nothing about the frequency. */
static void
widen(struct filter *f, double drop)
{
	for (int i = 0; i < FILTER_MODELS; i++)
		f->model[i].xx += drop * drop / 12;
}

static enum filter_said
learn(struct filter *f, const struct sample *s, const struct late *late)
{
	double x, rate;

	if (f->samples == 0) {
		f->raw0 = s->raw;
		f->ahead0 = s->ahead;
		f->at = 0;
		start(f,
		    (struct filter_model){
			.f = f->f,
			.xx = s->delay * s->delay / 16 +
			    s->precision * s->precision + FINEST * FINEST,
			.ff = f->ff });
	} else {
		x = (double)(s->ahead - f->ahead0) * 1e-9;
		predict(f, fmax(0, (double)(s->raw - f->raw0) * 1e-9 - f->at));
		widen(f, late->drop);
		if (is_strange(f, s, x, late)) {
			mix(f);
			if (++f->strange <= f->samples &&
			    f->strange < STRANGERS)
				return FILTER_STRANGE;
			restart(f, x, late);
		} else
			correct_all(f, s, x, late);
	}
	f->strange = 0;
	f->samples++;
	f->good = f->at;
	mix(f);
	rate = f->samples <= FIRST_SAMPLES ? 1 : USUAL;
	f->usual += rate * (log(f->xx) - f->usual);
	return FILTER_USED;
}

enum filter_said
filter_learn(struct filter *f, const struct sample *s)
{
	struct late late;
	struct estimate before;
	enum filter_said said;

	(void)filter_estimate(f, s->raw, &before);
	remember_delay(f, (float)s->delay, s->raw);
	late = lateness(f, s);
	said = learn(f, s, &late);
	if (said == FILTER_USED && f->samples > 1) /* so there was a forecast */
		lean_learn(&f->lean, &late,
		    (double)(s->ahead - before.ahead) * 1e-9);
	return said;
}

/* The variance of the offset, t seconds after the last sample. */
static double
variance(const struct filter *f, double t)
{
	return fmax(FINEST * FINEST,
	    f->xx + t * (2 * f->xf + t * (f->ff + f->q * t / 3)));
}

bool
filter_estimate(const struct filter *f, int64_t raw, struct estimate *e)
{
	double t = (double)(raw - f->raw0) * 1e-9 - f->at;

	if (f->samples == 0)
		return false;
	t = fmax(0, t);
	e->raw = raw;
	e->ahead = f->ahead0 + llrint((f->x + f->f * t) * 1e9);
	e->sd = sqrt(variance(f, t));
	e->freq = f->f;
	e->freq_sd = sqrt(f->ff + f->q * t);
	return true;
}

double
filter_interval(
    const struct filter *f, double previous, double least, double most)
{
	double limit, t;

	if (f->strange || f->samples < QUICK_SAMPLES)
		return QUICK;
	/* Several sources share the work, each as much as it is worth. */
	least = fmin(most, least * fmax(1, fmin(RARE, SHARE / f->share)));
	/* This compares with the usual variance and not with the present one:
	 * so a lucky sample earns a longer interval, and a poor one a shorter
	 * one. */
	limit = GROWTH * GROWTH *
	    fmin(MOST_SD * MOST_SD, fmax(LEAST_SD * LEAST_SD, exp(f->usual)));
	for (t = most; t > least; t /= 2)
		if (variance(f, t) < limit)
			break;
	/* Otherwise there would be a millisecond of error until then after a
	 * start with an unknown frequency. */
	if (f->ff < RAMP_FREQ * RAMP_FREQ)
		return fmin(fmax(t, least), 2 * fmax(previous, least));
	return fmin(fmax(t, least), RAMP * fmax(previous, QUICK));
}

double
filter_least(const struct filter *f)
{
	return f->least;
}

double
filter_spread(const struct filter *f)
{
	double n = fmin(f->delays, FILTER_GROUP * FILTER_GROUPS);

	return f->excess * (1 / sqrt(n) + LEAST_FEW / n);
}

/* What f says of the time at raw, less what the joint filter says, s. */
static double
apart(const struct filter *f, const struct filter *joint, int64_t raw)
{
	struct estimate own, all;

	if (!filter_estimate(f, raw, &own) ||
	    !filter_estimate(joint, raw, &all))
		return 0;
	return (double)(own.ahead - all.ahead) * 1e-9;
}

void
filter_share(struct filter *f, double share)
{
	f->share = share;
}

void
filter_join(struct filter *joint, struct filter *f, const struct sample *s)
{
	struct sample moved = *s;
	struct late late = lateness(f, s);
	double rate;

	if (s->raw == f->joined_at || f->strange > 0)
		return;
	f->joined_at = s->raw;
	if (f->joined == 0 || joint->samples == 0) {
		f->bias = apart(f, joint, s->raw);
		f->bias_var = f->xx;
	}
	f->bias_var += late.drop * late.drop / 12;
	late.drop *= f->share;
	moved.ahead -= llrint(f->bias * 1e9);
	moved.precision += (1 - f->share) * sqrt(f->bias_var);
	if (learn(joint, &moved, &late) == FILTER_STRANGE) {
		/* The bias has changed, so it is measured anew. */
		joint->strange = 0;
		f->joined = 0;
		return;
	}
	rate = f->joined++ == 0 ?
	    1 :
	    fmax(1 / BIAS, f->bias_var / (f->bias_var + f->xx));
	f->bias_var = rate * f->xx;
	f->bias += rate * (apart(f, joint, s->raw) - f->bias);
}

void
filter_leave(struct filter *f)
{
	f->joined = 0;
}

bool
filter_bias(const struct filter *f, double *bias)
{
	*bias = f->bias;
	return f->joined > 0;
}

void
filter_anchor(struct filter *f, double zero)
{
	f->bias -= zero;
}
