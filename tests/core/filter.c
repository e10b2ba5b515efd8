/*
 * filter.c - what filter.c promises: how one server's samples become a
 * time, a frequency and a next interval.
 */
#include "core/filter.h"
#include "tests/test.h"

#define T0 (5000 * S)			/* raw, when a test begins */
#define AHEAD (1790000000 * S)		/* of true time before the raw clock */
#define DELAY 10e-3			/* least round trip of these tests */
#define JITTER 200e-6			/* mean of each way's queue */

/* What an honest server says t seconds after the start, when the raw clock is
 * slow by freq: late by out and back. */
static struct sample
honest(double t, double freq, double out, double back)
{
	return (struct sample){
		.raw = T0 + llrint(t * 1e9),
		.ahead = AHEAD + llrint((freq * t + (out - back) / 2) * 1e9),
		.delay = DELAY + out + back, .precision = 1e-7
	};
}

/* The next of many, with queues both ways. */
static struct sample
jittery(double t, double freq, uint64_t *seed)
{
	double out = -JITTER * log(uniform(seed));
	double back = -JITTER * log(uniform(seed));

	return honest(t, freq, out, back);
}

/* How wrong the filter is at t, s. */
static double
wrong(const struct filter *f, double t, double freq)
{
	struct estimate e;

	assert_true(filter_estimate(f, T0 + llrint(t * 1e9), &e));
	return (double)(e.ahead - AHEAD) * 1e-9 - freq * t;
}

/* A filter that has seen n samples 64 s apart; *t is the time of the last. */
static struct filter
settled(int n, double freq, double *t, uint64_t seed)
{
	struct filter f;
	int i;

	filter_reset(&f, 0, 100 * PPM);
	for (i = 0; i < n; i++) {
		struct sample s = jittery(*t = 64.0 * i, freq, &seed);

		assert_int_equal(filter_learn(&f, &s), FILTER_USED);
	}
	return f;
}

static void
has_nothing_to_say_without_samples(void **state)
{
	struct filter f;
	struct estimate e;

	(void)state;
	filter_reset(&f, 0, 100 * PPM);
	assert_false(filter_estimate(&f, T0, &e));
}

static void
first_sample_is_the_time(void **state)
{
	struct filter f;
	struct estimate e;
	struct sample s = honest(0, 0, 0, 0);

	(void)state;
	filter_reset(&f, 47 * PPM, 1 * PPM);
	assert_int_equal(filter_learn(&f, &s), FILTER_USED);
	assert_true(filter_estimate(&f, s.raw, &e));
	assert_true(e.ahead == s.ahead);
	assert_true(e.sd >= DELAY / 4);		/* it may all be on one way */
	/* the drift file's frequency is in force at once */
	assert_true(fabs(e.freq - 47 * PPM) < 1e-12);
	assert_true(fabs(e.freq_sd - 1 * PPM) < 1e-9);
}

static void
learns_the_frequency(void **state)
{
	static const double freq[] = { 0, 37 * PPM, -480 * PPM };
	size_t i;

	(void)state;
	for (i = 0; i < LEN(freq); i++) {
		double t;
		struct filter f = settled(60, freq[i], &t, i);

		assert_true(fabs(f.f - freq[i]) < 0.1 * PPM);
		assert_true(fabs(wrong(&f, t, freq[i])) < 100e-6);
		assert_true(fabs(wrong(&f, t + 600, freq[i])) < 200e-6);
	}
}

static void
error_is_within_its_own_estimate(void **state)
{
	int far = 0, seed;

	(void)state;
	for (seed = 0; seed < 200; seed++) {
		double t;
		struct filter f = settled(30, 20 * PPM, &t, (uint64_t)seed);
		struct estimate e;

		assert_true(filter_estimate(&f, T0 + (int64_t)t * S, &e));
		far += fabs(wrong(&f, t, 20 * PPM)) > 3 * e.sd;
		assert_true(e.sd < 200e-6);
	}
	assert_true(far <= 4);
}

static void
uncertainty_grows_with_age(void **state)
{
	double t;
	struct filter f = settled(50, 0, &t, 1);
	struct estimate soon, later;

	(void)state;
	assert_true(filter_estimate(&f, T0 + (int64_t)t * S, &soon));
	assert_true(filter_estimate(&f, T0 + (int64_t)(t + 5000) * S, &later));
	assert_true(later.sd > 3 * soon.sd);
	assert_true(later.freq_sd > soon.freq_sd);
}

static void
late_packet_hardly_counts(void **state)
{
	static const double late[] = { 3e-3, 20e-3, 0.1, 1 };
	size_t i;

	(void)state;
	for (i = 0; i < LEN(late); i++) {
		double t, before;
		struct filter f = settled(50, 0, &t, 2);
		struct sample s = honest(t += 64, 0, late[i], 0);

		before = wrong(&f, t, 0);
		assert_int_equal(filter_learn(&f, &s), FILTER_USED);
		assert_true(fabs(wrong(&f, t, 0) - before) < 30e-6);
	}
}

static void
jump_is_believed_at_the_fourth_sample(void **state)
{
	static const double jump[] = { 60, -60, 0.05, -3600 };
	size_t i;

	(void)state;
	for (i = 0; i < LEN(jump); i++) {
		double t;
		struct filter f = settled(50, 10 * PPM, &t, 3);
		int n;

		for (n = 1; n <= 4; n++) {
			struct sample s = honest(t += 2, 10 * PPM, 0, 0);

			s.ahead += llrint(jump[i] * 1e9);
			assert_int_equal(filter_learn(&f, &s), n < 4 ?
			    FILTER_STRANGE : FILTER_USED);
		}
		assert_true(fabs(wrong(&f, t, 10 * PPM) - jump[i]) < 1e-3);
		assert_true(fabs(f.f - 10 * PPM) < 1 * PPM);
	}
}

/* The server's clock jumps between the first few samples.  No clock's frequency
 * explains it, so the frequency is what it was, however soon it happens. */
static void
jump_among_the_first_samples_is_no_frequency(void **state)
{
	static const double jump[] = { 5e-3, -50e-3, 2, -90, 1e6 };
	static const struct { double freq, sd; } known[] = {
		{ 0, 100 * PPM }, { 37 * PPM, 1 * PPM }
	};
	size_t i, k;
	int first, n;

	(void)state;
	for (i = 0; i < LEN(jump); i++)
		for (first = 1; first < 6; first++)
			for (k = 0; k < LEN(known); k++) {
				uint64_t seed = i;
				struct filter f;
				double t = 0, after = 0;

				filter_reset(&f, known[k].freq, known[k].sd);
				for (n = 0; n < 40; n++) {
					struct sample s = jittery(t,
					    37 * PPM, &seed);

					s.delay -= 0.98 * DELAY;	/* LAN */
					if (n >= first)
						s.ahead += llrint(
						    jump[i] * 1e9);
					(void)filter_learn(&f, &s);
					assert_true(fabs(f.f) <
					    0.9 * FREQ_USUAL);
					if (n >= first + 8)
						after = fmax(after, fabs(f.f -
						    37 * PPM));
					t += filter_interval(&f, 2, 4, 64);
				}
				assert_true(after < 100 * PPM);
				assert_true(fabs(f.f - 37 * PPM) < 5 * PPM);
				assert_true(fabs(wrong(&f, t, 37 * PPM) -
				    jump[i]) < 1e-3);
			}
}

/* Among few samples, one more than were learnt is a majority. */
static void
few_samples_are_outvoted_by_one_more(void **state)
{
	int known, n;

	(void)state;
	for (known = 1; known < 6; known++) {
		int most = known < 4 ? known + 1 : 4;
		struct filter f;

		filter_reset(&f, 0, 100 * PPM);
		for (n = 0; n < known + most; n++) {
			struct sample s = honest(2 * n, 0, 0, 0);

			s.ahead += n >= known ? S : 0;
			assert_int_equal(filter_learn(&f, &s),
			    n < known ? FILTER_USED :
			    n < known + most - 1 ? FILTER_STRANGE :
			    FILTER_USED);
		}
		assert_int_equal(f.samples, 1);
	}
}

static void
clock_of_1000_ppm_is_believed_in_the_end(void **state)
{
	static const double freq[] = { 1000 * PPM, -1000 * PPM, 4000 * PPM };
	static const double known[] = { 100 * PPM, 1 * PPM };
	size_t i, k;

	(void)state;
	for (i = 0; i < LEN(freq); i++)
		for (k = 0; k < LEN(known); k++) {
			uint64_t seed = 30 + i;
			double t = 0, interval = 2;
			struct filter f;

			filter_reset(&f, 0, known[k]);
			while (t < 300) {
				struct sample s = jittery(t, freq[i], &seed);

				(void)filter_learn(&f, &s);
				interval = filter_interval(&f, interval, 64,
				    64);
				t += interval;
			}
			assert_true(fabs(f.f - freq[i]) < 2 * PPM);
		}
}

static void
single_strange_sample_is_forgotten(void **state)
{
	double t;
	struct filter f = settled(50, 0, &t, 4);
	int i;

	(void)state;
	for (i = 0; i < 10; i++) {
		struct sample s = honest(t += 2, 0, 0, 0);

		s.ahead += i % 3 == 0 ? S : 0;
		assert_int_equal(filter_learn(&f, &s), i % 3 == 0 ?
		    FILTER_STRANGE : FILTER_USED);
	}
	assert_true(fabs(wrong(&f, t, 0)) < 100e-6);
}

static void
follows_a_frequency_step_in_three_samples(void **state)
{
	double t, at;
	struct filter f = settled(200, 0, &t, 5);
	uint64_t seed = 6;
	int i;

	(void)state;
	at = t;
	for (i = 0; i < 3; i++) {
		struct sample s = jittery(t += 64, 0, &seed);

		s.ahead += llrint(20 * PPM * (t - at) * 1e9);
		(void)filter_learn(&f, &s);
	}
	assert_true(fabs(f.f - 20 * PPM) < 4 * PPM);
}

static void
longer_route_is_taken_after_a_while(void **state)
{
	double t;
	struct filter f = settled(100, 0, &t, 7);
	uint64_t seed = 8;
	int i;

	(void)state;
	for (i = 0; i < 40; i++) {
		struct sample s = jittery(t += 64, 0, &seed);

		s.delay += 4e-3;
		(void)filter_learn(&f, &s);
		if (i < 15)
			assert_true(filter_least(&f) < DELAY + 1e-3);
	}
	assert_true(filter_least(&f) >= DELAY + 4e-3 - 1e-9);
}

static void
queue_of_ten_minutes_is_no_route(void **state)
{
	double t;
	struct filter f = settled(100, 0, &t, 7);
	uint64_t seed = 8;
	int i;

	(void)state;
	for (i = 0; i < 100; i++) {	/* asked every 6 s meanwhile */
		struct sample s = jittery(t += 6, 0, &seed);

		s.delay += 4e-3;
		(void)filter_learn(&f, &s);
	}
	assert_true(filter_least(&f) < DELAY + 1e-3);
}

static void
shorter_route_is_taken_at_once(void **state)
{
	double t;
	struct filter f = settled(100, 0, &t, 9);
	struct sample s = honest(t + 64, 0, 0, 0);

	(void)state;
	s.delay -= 4e-3;
	(void)filter_learn(&f, &s);
	assert_true(fabs(filter_least(&f) - (DELAY - 4e-3)) < 1e-8);
}

static void
standing_queue_that_goes_is_forgotten(void **state)
{
	double t;
	struct filter f = settled(100, 0, &t, 9);
	uint64_t seed = 20;
	int i;

	(void)state;
	for (i = 0; i < 150; i++) {	/* long enough for a new route */
		struct sample s = jittery(t += 64, 0, &seed);

		s.delay += 0.4;
		s.ahead += 200000000;
		(void)filter_learn(&f, &s);
	}
	assert_true(fabs(wrong(&f, t, 0)) > 0.1);
	for (i = 0; i < 4; i++) {
		struct sample s = jittery(t += 2, 0, &seed);

		(void)filter_learn(&f, &s);
	}
	assert_true(fabs(wrong(&f, t, 0)) < 1e-3);
}

static void
no_frequency_is_beyond_the_limit(void **state)
{
	struct filter f;
	struct estimate e;
	struct sample s = honest(0, 0, 0, 0);
	int i;

	(void)state;
	filter_reset(&f, 1, 1);
	for (i = 0; i < 20; i++) {
		s = honest(2 * i, 0, 0, 0);
		s.ahead += i * 200000000 * S;	/* 127 years in 40 s */
		(void)filter_learn(&f, &s);
		assert_true(filter_estimate(&f, s.raw + 1000 * S, &e));
		assert_true(fabs(e.freq) <= FREQ_FAR);
		assert_true(e.freq_sd < 2 * FREQ_FAR);
	}
}

static void
queues_on_one_way_are_recognised(void **state)
{
	struct filter f;
	uint64_t seed = 10;
	double t = 0, sum = 0;
	int i;

	(void)state;
	filter_reset(&f, 0, 100 * PPM);
	for (i = 0; i < 300; i++) {
		struct sample s = honest(t = 64.0 * i, 0,
		    -2e-3 * log(uniform(&seed)),
		    -20e-6 * log(uniform(&seed)));

		(void)filter_learn(&f, &s);
		if (i >= 100)
			sum += wrong(&f, t, 0) / 200;
	}
	/* the mean delay alone would make it a millisecond */
	assert_true(fabs(sum) < 40e-6);
}

/* ----------------------------------------------------------------- intervals */

static void
intervals_begin_at_2_s_and_double(void **state)
{
	static const double expected[] = { 2, 2, 2, 4, 8, 16 };
	struct filter f;
	double t = 0, interval = 2;
	size_t i;

	(void)state;
	filter_reset(&f, 0, 100 * PPM);
	for (i = 0; i < LEN(expected); i++) {
		struct sample s = honest(t, 0, i % 2 ? 4e-3 : 3e-3, 1e-3);

		(void)filter_learn(&f, &s);
		interval = filter_interval(&f, interval, 64, 1024);
		assert_true(fabs(interval - expected[i]) < 1e-9);
		t += interval;
	}
}

static void
known_frequency_needs_no_doubling(void **state)
{
	struct filter f;
	double interval = 2;
	int i;

	(void)state;
	filter_reset(&f, 0, 1 * PPM);
	for (i = 0; i < 4; i++) {
		struct sample s = honest(interval * i, 0, 0, 0);

		(void)filter_learn(&f, &s);
		interval = filter_interval(&f, 2, 64, 1024);
	}
	assert_true(interval >= 64);
}

static void
intervals_stay_within_what_is_asked_for(void **state)
{
	static const struct { double least, most; } range[] = {
		{ 64, 1024 }, { 64, 64 }, { 16, 16 }, { 1024, 4096 }
	};
	double t;
	struct filter f = settled(100, 0, &t, 11);
	size_t i;

	(void)state;
	for (i = 0; i < LEN(range); i++) {
		double x = filter_interval(&f, range[i].most, range[i].least,
		    range[i].most);

		assert_true(x >= range[i].least && x <= range[i].most);
	}
}

static void
strange_sample_asks_again_in_2_s(void **state)
{
	double t;
	struct filter f = settled(50, 0, &t, 12);
	struct sample s = honest(t + 64, 0, 0, 0);

	(void)state;
	s.ahead += S;
	assert_int_equal(filter_learn(&f, &s), FILTER_STRANGE);
	assert_true(filter_interval(&f, 64, 64, 1024) <= 2);
}

static void
little_influence_is_asked_for_seldom(void **state)
{
	static const struct { double share, least; } table[] = {
		{ 1, 64 }, { 0.66, 64 }, { 0.5, 81 }, { 0.25, 163 },
		{ 0.01, 384 }
	};
	double t;
	struct filter f = settled(100, 0, &t, 13);
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		filter_share(&f, table[i].share);
		assert_true(filter_interval(&f, 1024, 64, 1024) >=
		    table[i].least);
		assert_true(filter_interval(&f, 1024, 64, 64) <= 64);
	}
}

/* ---------------------------------------------------------------- warm starts */

/* Queues of one exchange on a LAN of 100 us, as a busy machine has them. */
static void
busy(int kind, int n, double *out, double *back, uint64_t *seed)
{
	static double queue;

	*out = -20e-6 * log(uniform(seed));
	*back = -20e-6 * log(uniform(seed));
	if (n == 0)
		queue = -3e-3 * log(uniform(seed));
	switch (kind) {
	case 0:				/* jitter */
		*out *= 10, *back *= 10;
		break;
	case 1:				/* one queue for all of them */
		*out += queue + 10 * *back;
		break;
	case 2:				/* the scheduler, each way */
		*out += uniform(seed) < 0.5 ? 50 * *back : 0;
		*back -= uniform(seed) < 0.5 ? 1e-3 * log(uniform(seed)) : 0;
		break;
	default:			/* the delay does not show it */
		*out = 2e-3 * uniform(seed);
		*back = 2e-3 - *out;
	}
}

static void
noisy_first_samples_do_not_move_a_known_frequency(void **state)
{
	int kind, run, n, far, wild;

	(void)state;
	for (kind = 0; kind < 4; kind++) {
		for (run = far = wild = 0; run < 2000; run++) {
			uint64_t seed = 1000 * run + kind;
			double most = 0;
			struct filter f;

			filter_reset(&f, 7.25 * PPM, 1 * PPM);
			for (n = 0; n < 4; n++) {
				double out, back;
				struct sample s;

				busy(kind, n, &out, &back, &seed);
				s = honest(2 * n, 7.25 * PPM, out, back);
				s.delay -= 0.99 * DELAY;
				(void)filter_learn(&f, &s);
				most = fmax(most, fabs(f.f - 7.25 * PPM));
			}
			far += most > 1 * PPM;
			wild += most > 2 * PPM;
		}
		/* 1 sd, which four samples in 6 s cannot improve, and 2 */
		assert_true(far < 20);
		assert_true(wild < 5);
	}
}

/* The queue of the first samples goes: their place was wrong, not their
 * frequency. */
static void
queue_that_goes_is_no_frequency(void **state)
{
	static const double queue[] = { 1e-3, 20e-3, 0.4 };
	size_t i;
	int n;

	(void)state;
	for (i = 0; i < LEN(queue); i++) {
		uint64_t seed = 40 + i;
		struct filter f;
		double t = 0;

		filter_reset(&f, 0, 1 * PPM);
		for (n = 0; n < 8; n++) {
			struct sample s = jittery(t = 2 * n, 0, &seed);

			s.delay -= 0.98 * DELAY;
			if (n < 4) {
				s.delay += queue[i];
				s.ahead += llrint(queue[i] / 2 * 1e9);
			}
			assert_int_equal(filter_learn(&f, &s), FILTER_USED);
			assert_true(fabs(f.f) < 1 * PPM);
		}
		assert_true(fabs(wrong(&f, t, 0)) < 500e-6);
	}
}

/* --------------------------------------------------------------------- joint */

static void
joint_filter_learns_what_servers_differ_by(void **state)
{
	struct filter a, b, joint;
	struct estimate e;
	uint64_t seed = 14;
	double t = 0;
	int i;

	(void)state;
	filter_reset(&a, 0, 100 * PPM);
	filter_reset(&b, 0, 100 * PPM);
	filter_reset(&joint, 0, 100 * PPM);
	filter_share(&a, 0.5);
	filter_share(&b, 0.5);
	for (i = 0; i < 200; i++) {
		struct filter *one = i % 2 ? &a : &b;
		struct sample s = jittery(t = 32.0 * i, 15 * PPM, &seed);

		if (one == &b)
			s.ahead += 3000000;	/* 3 ms */
		(void)filter_learn(one, &s);
		filter_join(&joint, one, &s);
	}
	assert_true(fabs(b.bias - a.bias - 3e-3) < 100e-6);
	assert_true(filter_estimate(&joint, T0 + (int64_t)t * S, &e));
	assert_true(fabs(e.freq - 15 * PPM) < 0.2 * PPM);
	assert_int_equal(joint.samples, 200);
}

static void
sample_is_joined_once(void **state)
{
	struct filter f, joint;
	struct sample s = honest(0, 0, 0, 0);

	(void)state;
	filter_reset(&f, 0, 100 * PPM);
	filter_reset(&joint, 0, 100 * PPM);
	(void)filter_learn(&f, &s);
	filter_join(&joint, &f, &s);
	filter_join(&joint, &f, &s);
	assert_int_equal(joint.samples, 1);
}

static void
a_bias_has_a_zero_that_can_be_moved(void **state)
{
	struct filter f, joint;
	struct sample s = honest(0, 0, 0, 0);
	double bias;

	(void)state;
	filter_reset(&f, 0, 100 * PPM);
	filter_reset(&joint, 0, 100 * PPM);
	assert_false(filter_bias(&f, &bias));
	(void)filter_learn(&f, &s);
	filter_join(&joint, &f, &s);
	assert_true(filter_bias(&f, &bias));
	assert_true(fabs(bias) < 1e-9);
	filter_anchor(&f, 2e-3);
	assert_true(filter_bias(&f, &bias));
	assert_true(fabs(bias + 2e-3) < 1e-9);
	filter_leave(&f);
	assert_false(filter_bias(&f, &bias));
}

static void
shift_moves_the_time(void **state)
{
	double t, before;
	struct filter f = settled(50, 0, &t, 15);

	(void)state;
	before = wrong(&f, t, 0);
	filter_shift(&f, -S);
	assert_true(fabs(wrong(&f, t, 0) - before + 1) < 1e-8);
}

/* ------------------------------------------------------------------ anything */

static void
survives_any_samples(void **state)
{
	static const double sizes[] = { 0, 1e-9, 1e-6, 1e-3, 1, 8 };
	struct filter f;
	struct estimate e;
	uint64_t seed = 16;
	int64_t raw = T0;
	int i;

	(void)state;
	filter_reset(&f, 0, 100 * PPM);
	for (i = 0; i < 20000; i++) {
		double size = sizes[(int)(uniform(&seed) * (double)LEN(sizes))];
		struct sample s = {
			.raw = raw += (int64_t)(uniform(&seed) * 1e12 *
			    (uniform(&seed) < 0.1)),
			.ahead = AHEAD + (int64_t)((uniform(&seed) - 0.5) *
			    1e9 * (uniform(&seed) < 0.01 ? 1e9 : size)),
			.delay = size * uniform(&seed),
			.precision = uniform(&seed) < 0.5 ? 0 : 1e-6
		};
		double interval;

		(void)filter_learn(&f, &s);
		assert_true(filter_estimate(&f, raw, &e));
		assert_true(isfinite(e.sd) && e.sd >= 0);
		assert_true(isfinite(e.freq) && isfinite(e.freq_sd));
		interval = filter_interval(&f, 64, 64, 1024);
		assert_true(interval >= 2 && interval <= 1024);
	}
}

/* A tiny delay after a long silence: what was expected is a million times as
 * uncertain as what is learnt. */
static void
long_silence_leaves_no_negative_variance(void **state)
{
	static const double delay[] = { 1e-7, 1e-6, 10e-6, 100e-6 };
	static const double hours[] = { 0.5, 2, 8, 24, 168, 20000 };
	static const double off[] = { 0, 1, 100, -5e6 };
	static const int before[] = { 1, 2, 3, 8 };
	static const double sd[] = { 100e-6, 1e-3, 29e-3 };
	uint64_t seed = 17;
	int i, k;

	(void)state;
	for (i = 0; i < 40000; i++) {
		double d = delay[i % 4], t = 0;
		int n = before[i / 4 % 4];
		struct filter f;

		filter_reset(&f, 0, sd[i / 16 % 3]);
		for (k = 0; k <= n; k++) {
			struct sample s;
			struct estimate e;

			t += k == n ? 3600 * hours[i / 48 % 6] *
				(0.9 + 0.2 * uniform(&seed)) : 2;
			s = honest(t, 0, 0, 0);
			s.delay = d;
			s.precision = 5e-8;
			s.ahead += llrint(((uniform(&seed) - 0.5) * d +
			    (k == n ? off[i / 288 % 4] : 0)) * 1e9);
			(void)filter_learn(&f, &s);
			assert_true(filter_estimate(&f, s.raw + 30000, &e));
			assert_true(e.sd > 0 && e.sd < 1e9);
			assert_true(e.freq_sd >= 0 && e.freq_sd < 2 * FREQ_FAR);
		}
	}
}

static void
years_of_raw_time_cost_no_precision(void **state)
{
	struct filter f;
	double t = 0;
	int i;

	(void)state;
	filter_reset(&f, 0, 100 * PPM);
	for (i = 0; i < 3000; i++) {	/* 97 years at 100 ppm */
		struct sample s = honest(t = 1024000.0 * i, 100 * PPM, 0, 0);

		(void)filter_learn(&f, &s);
	}
	assert_true(fabs(wrong(&f, t, 100 * PPM)) < 10e-6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_nothing_to_say_without_samples),
		cmocka_unit_test(first_sample_is_the_time),
		cmocka_unit_test(learns_the_frequency),
		cmocka_unit_test(error_is_within_its_own_estimate),
		cmocka_unit_test(uncertainty_grows_with_age),
		cmocka_unit_test(late_packet_hardly_counts),
		cmocka_unit_test(jump_is_believed_at_the_fourth_sample),
		cmocka_unit_test(jump_among_the_first_samples_is_no_frequency),
		cmocka_unit_test(few_samples_are_outvoted_by_one_more),
		cmocka_unit_test(clock_of_1000_ppm_is_believed_in_the_end),
		cmocka_unit_test(single_strange_sample_is_forgotten),
		cmocka_unit_test(follows_a_frequency_step_in_three_samples),
		cmocka_unit_test(longer_route_is_taken_after_a_while),
		cmocka_unit_test(queue_of_ten_minutes_is_no_route),
		cmocka_unit_test(shorter_route_is_taken_at_once),
		cmocka_unit_test(standing_queue_that_goes_is_forgotten),
		cmocka_unit_test(no_frequency_is_beyond_the_limit),
		cmocka_unit_test(queues_on_one_way_are_recognised),
		cmocka_unit_test(intervals_begin_at_2_s_and_double),
		cmocka_unit_test(known_frequency_needs_no_doubling),
		cmocka_unit_test(intervals_stay_within_what_is_asked_for),
		cmocka_unit_test(strange_sample_asks_again_in_2_s),
		cmocka_unit_test(little_influence_is_asked_for_seldom),
		cmocka_unit_test(
		    noisy_first_samples_do_not_move_a_known_frequency),
		cmocka_unit_test(queue_that_goes_is_no_frequency),
		cmocka_unit_test(joint_filter_learns_what_servers_differ_by),
		cmocka_unit_test(sample_is_joined_once),
		cmocka_unit_test(a_bias_has_a_zero_that_can_be_moved),
		cmocka_unit_test(shift_moves_the_time),
		cmocka_unit_test(survives_any_samples),
		cmocka_unit_test(long_silence_leaves_no_negative_variance),
		cmocka_unit_test(years_of_raw_time_cost_no_precision),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
