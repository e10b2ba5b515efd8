/*
 * hostile.c - what filter.c, select.c and discipline.c promise together:
 * no samples, however bad, lead to orders that are not finite and within their
 * limits, and when honest ones follow, all is right again.
 */
#include "core/discipline.h"
#include "core/filter.h"
#include "core/select.h"
#include "core/source.h"
#include "tests/test.h"

#define T0 (5000 * S)			/* raw, when a run begins */
#define AHEAD (1790000000 * S)		/* of true time before the raw clock */
#define FREQ (25 * PPM)			/* what the raw clock loses */
#define DELAY 2e-3			/* least round trip of honest servers */

enum { SERVERS = 4 };

static int seeds = 40;			/* argument: more of them */

struct world {
	uint64_t seed;
	double t;			/* s since T0 */
	struct source source[SERVERS];
	struct discipline d;
	double lie[SERVERS], ramp[SERVERS];	/* s, s per s */
	struct verdict v;
	bool elected;
};

/* Of any size between 1e-9 and 1e8, and of any sign. */
static double
anything(struct world *w)
{
	double size = pow(10, -9 + 17 * uniform(&w->seed));

	return uniform(&w->seed) < 0.5 ? -size : size;
}

static struct instant
now(const struct world *w)
{
	/* the system clock is left alone, 0.2 s behind */
	return (struct instant){ T0 + llrint(w->t * 1e9),
	    T0 + AHEAD + llrint(w->t * 1e9) - S / 5 };
}

static struct sample
honest(struct world *w)
{
	double out = -100e-6 * log(uniform(&w->seed));
	double back = -100e-6 * log(uniform(&w->seed));

	return (struct sample){ .raw = T0 + llrint(w->t * 1e9),
	    .ahead = AHEAD + llrint((FREQ * w->t + (out - back) / 2) * 1e9),
	    .delay = DELAY + out + back, .error = 1e-3, .precision = 1e-6 };
}

/* All that a server, or who forwards its packets, can make us see. */
static struct sample
hostile(struct world *w, int i)
{
	struct sample s = honest(w);
	double kind = uniform(&w->seed);

	if (kind < 0.05)
		w->lie[i] = anything(w);
	else if (kind < 0.10)
		w->ramp[i] = anything(w) * 1e-3;
	else if (kind < 0.15)
		w->lie[i] = w->ramp[i] = 0;
	w->lie[i] = fmax(-1e9, fmin(1e9, w->lie[i] + 2 * w->ramp[i]));
	s.ahead += llrint(w->lie[i] * 1e9);
	if (uniform(&w->seed) < 0.3)
		s.delay = fmin(8, fabs(anything(w)));
	if (uniform(&w->seed) < 0.1)
		s.error = 16 * uniform(&w->seed);
	if (uniform(&w->seed) < 0.1)
		s.precision = uniform(&w->seed) < 0.5 ? 1e-9 : 0.5;
	return s;
}

/* Orders and estimates are numbers, within their limits. */
static void
is_sane(struct world *w)
{
	struct instant i = now(w);
	struct orders o = discipline_turn(&w->d, &i);
	double bound = discipline_bound(&w->d, &i);

	assert_true(bound >= 0);
	assert_true(isfinite(discipline_growth(&w->d)));
	if (!w->elected)
		return;
	assert_true(isfinite(bound));
	assert_true(w->v.sd > 0 && isfinite(w->v.sd));
	assert_true(w->v.distance > 0 && isfinite(w->v.distance));
	assert_true(fabs(w->v.freq) <= FREQ_FAR);
	assert_true(w->v.freq_sd >= 0 && w->v.freq_sd < 1);
	if (!o.act)
		return;
	assert_true(fabs(o.freq) <= w->d.freq_most);
	assert_true(llabs(o.phase) <= S / 2);
	assert_true(o.constant >= 0 && o.constant <= 10);
	assert_true(o.max_error >= 0 && isfinite(o.max_error));
	assert_true(o.est_error >= 0 && isfinite(o.est_error));
}

static void
elect(struct world *w, double interval)
{
	struct candidate c[SERVERS];
	int i, n = 0;

	for (i = 0; i < SERVERS; i++) {
		bool outside = w->source[i].selected < SELECT_OUTLIER;

		w->source[i].selected = SELECT_NONE;
		if (!source_candidate(&w->source[i], now(w).raw, &c[n]))
			continue;
		c[n].outside = outside;
		c[n].index = i;
		c[n].filter = &w->source[i].filter;
		c[n++].sample = &w->source[i].sample;
	}
	w->elected = select_vote(c, n, &w->v);
	for (i = 0; i < n; i++)
		w->source[c[i].index].selected = c[i].said;
	if (w->elected) {
		select_join(&w->d.joint, c, n, &w->v);
		discipline_learn(&w->d, &w->v, interval);
	}
	is_sane(w);
}

/* One exchange with server i. */
static double
ask(struct world *w, int i, bool lies)
{
	struct source *s = &w->source[i];
	double interval;

	s->sample = lies ? hostile(w, i) : honest(w);
	s->at.got = s->sample.raw;
	(void)filter_learn(&s->filter, &s->sample);
	interval = filter_interval(&s->filter, s->interval, 64, 1024);
	assert_true(interval >= 2 && interval <= 1024);
	s->interval = interval;
	elect(w, interval);
	return interval;
}

static void
begin(struct world *w, uint64_t seed)
{
	int i;

	memset(w, 0, sizeof *w);
	w->seed = seed;
	discipline_start(&w->d, 0, uniform(&w->seed) < 0.5);
	if (uniform(&w->seed) < 0.5)
		discipline_limit(&w->d, FREQ_FAR);
	for (i = 0; i < SERVERS; i++) {
		w->source[i].weight = 1;
		w->source[i].reach = 1;
		w->source[i].state = SOURCE_IDLE;
		w->source[i].interval = 2;
		filter_reset(&w->source[i].filter, w->d.freq, w->d.freq_sd);
	}
}

/* For so many seconds, the first "liars" servers lie. */
static void
run(struct world *w, double seconds, int liars, bool silences)
{
	double due[SERVERS], end = w->t + seconds;
	int i, next;

	for (i = 0; i < SERVERS; i++)
		due[i] = w->t + 0.01 * i;
	for (;;) {
		for (next = 0, i = 1; i < SERVERS; i++)
			if (due[i] < due[next])
				next = i;
		if (due[next] > end)
			break;
		w->t = fmax(w->t, due[next]);
		due[next] = w->t + ask(w, next, next < liars);
		/* hours without a reply, or many in no time */
		if (silences && uniform(&w->seed) < 0.02)
			due[next] += fabs(anything(w)) < 1 ? 1e5 * uniform(&w->seed) :
							     0;
		if (silences && uniform(&w->seed) < 0.02)
			due[next] = w->t;
	}
	w->t = end;
}

/* s the estimate is off at the end, and the frequency's error. */
static double
wrong(struct world *w)
{
	struct instant i = now(w);

	return (double)(discipline_offset(&w->d, &i) - S / 5) * 1e-9 -
	    FREQ * w->t;
}

static void
orders_stay_sane_and_the_state_heals(void **state)
{
	int seed, liars;

	(void)state;
	for (seed = 1; seed <= seeds; seed++)
		for (liars = 1; liars <= SERVERS; liars++) {
			struct world w;

			begin(&w, (uint64_t)seed * 16 + liars);
			run(&w, 6 * 3600, liars, true);
			run(&w, 3600, 0, false);
			if (!w.elected || fabs(wrong(&w)) > 2e-3 ||
			    fabs(w.d.freq - FREQ) > 5 * PPM)
				fail_msg("seed %d, %d liars: %s, off by %g s "
				    "and %g ppm an hour later", seed, liars,
				    w.elected ? "elected" : "no majority",
				    wrong(&w), (w.d.freq - FREQ) / PPM);
		}
}

static void
one_liar_of_four_moves_nothing(void **state)
{
	int seed, k;

	(void)state;
	for (seed = 1; seed <= seeds; seed++) {
		struct world w;

		begin(&w, (uint64_t)seed * 16);
		run(&w, 600, 0, false);
		for (k = 0; k < 200; k++) {
			run(&w, 100, 1, false);
			/* what is inside of all honest intervals is no lie */
			if (fabs(wrong(&w)) > DELAY / 2 + 1.5e-3)
				fail_msg("seed %d: off by %g s after %g s",
				    seed, wrong(&w), w.t);
		}
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_stay_sane_and_the_state_heals),
		cmocka_unit_test(one_liar_of_four_moves_nothing),
	};

	if (argc > 1)
		seeds = atoi(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
