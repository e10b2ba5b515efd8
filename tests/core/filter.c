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

/* ---------------------------------------------------------------- intervals */

static void
intervals_begin_at_2_s_and_grow_by_a_fifth(void **state)
{
	static const double expected[] = { 2, 2, 2, 2.4, 2.88, 3.456 };
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

/* -------------------------------------------------------------- warm starts */

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

/* -------------------------------------------------------------------- joint */

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

/* ----------------------------------------------------------------- anything */

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

/* ----------------------------------------------- against other calculations */

/* These are the shapes of delays and the wanders of docs/discipline.md. */
static const struct {
	double out, floor, least;
} shapes[FILTER_SHAPES] = {
	{ 0.5, 0.0075, 0.4 }, { 0.5, 0.1, 0.4 }, { 0.02, 0.0075, 0.3 },
	{ 0.98, 0.0075, 0.3 }, { -1, 0, 0 }, { 0, 0.2, 0.4 }
};

static double
wander(int model)
{
	return pow(10, -20 + model % FILTER_WANDERS);
}

/* Integrate a normal density that is tilted by exp(tilt (z - x)) from a to b,
 * by Simpson's rule.  Returns the logarithm of its mass; *m and *v become its
 * mean and its variance. */
static double
truncated(double mean, double var, double tilt, double x, double a, double b,
    double *m, double *v)
{
	enum { STEPS = 400 };
	double sd = sqrt(var), top = -HUGE_VAL, sum = 0, sum1 = 0, sum2 = 0;
	double z[STEPS + 1], g[STEPS + 1], peak = mean + tilt * var, w;
	int i;

	/* Go only where there is something. */
	peak = fmax(a, fmin(b, peak));
	a = fmax(a, peak - 9 * sd);
	b = fmin(b, peak + 9 * sd);
	for (i = 0; i <= STEPS; i++) {
		z[i] = a + (b - a) * i / STEPS;
		g[i] = tilt * (z[i] - x) -
		    (z[i] - mean) * (z[i] - mean) / (2 * var);
		top = fmax(top, g[i]);
	}
	for (i = 0; i <= STEPS; i++) {
		w = (i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2) *
		    exp(g[i] - top);
		sum += w;
		sum1 += w * (z[i] - peak);
		sum2 += w * (z[i] - peak) * (z[i] - peak);
	}
	*m = peak + sum1 / sum;
	*v = sum2 / sum - sum1 / sum * (sum1 / sum);
	return top + log(sum * (b - a) / (3 * STEPS)) -
	    log(2 * M_PI * var) / 2;
}

/* How late is a sample for this filter, which has just remembered its delay? */
struct late {
	double excess, spread, usual, drop;
	double slope, stray;	/* of the line that samples lie on */
};

/* The line comes from the sums that the filter had before this sample: they
 * are those of a regression that is drawn to zero. */
static struct late
lateness(const struct filter_lean *l, const struct filter *f,
    const struct sample *s)
{
	struct late late = { .excess = fmax(0, s->delay - (double)f->least),
		.spread = filter_spread(f), .usual = fmax(f->excess, 1e-7),
		.drop = f->drop };
	double w = l->w > 0 ? l->w : 1, e = late.excess, rest;
	double ee = l->ee - l->e * l->e / w, er = l->er - l->e * l->r / w;

	late.slope = fmax(-0.5, fmin(0.5, er / (ee + 1)));
	rest = l->rr - l->r * l->r / w - 2 * late.slope * er +
	    late.slope * late.slope * (ee + 1);
	rest = sqrt((fmax(0, rest) + 4 * 0.29 * 0.29) / (l->n + 4));
	rest = fmax(0.03, fmin(0.13, rest));
	late.stray = rest * sqrt(pow(0.3 * late.usual, 2) +
	    e * e * (1 + 1 / (ee + 1)));
	return late;
}

/* Take the model t seconds further. */
static void
foretell(struct filter_model *m, double t, double q, double drop)
{
	m->x += m->f * t;
	m->xx += 2 * t * m->xf + t * t * m->ff + q * t * t * t / 3 +
	    drop * drop / 12;
	m->xf += t * m->ff + q * t * t / 2;
	m->ff += q * t;
}

/* Bayes' theorem teaches one model.  Returns the sample's log likelihood.
 * *within becomes how far the formulas of filter.c may be off, which are
 * rougher where the interval is four deviations away from what was expected. */
static double
bayes(struct filter_model *m, int i, double x, const struct sample *s,
    const struct late *late, double *within)
{
	double usual = late->usual, beyond = fmax(0, late->excess - 4 * usual);
	double noise = fmax(1e-7, s->precision) +
	    shapes[i / FILTER_WANDERS].floor * usual + 0.03 * beyond;
	double excess = fmax(late->excess + shapes[i / FILTER_WANDERS].least *
	    late->spread, 0.01 * usual);
	double out = shapes[i / FILTER_WANDERS].out, back, mean, var, fit, a;
	bool line = out < 0 && beyond <= 0;
	double all = m->xx + noise * noise +
	    (line ? late->stray * late->stray : 0);

	*within = 1e-3;
	if (line)
		x -= late->slope * late->excess;
	if (out <= 0 && beyond <= 0) {
		/* The delay, which is the sum of two, says nothing of the
		 * offset. */
		mean = x;
		var = 0;
		fit = log(4 * excess / (usual * usual)) - 2 * excess / usual -
		    log(2 * M_PI * all) / 2 -
		    (x - m->x) * (x - m->x) / (2 * all);
	} else {
		out = (out > 0 && beyond <= 0 ? out : 0.5) * usual;
		back = usual - out;
		a = m->x + (1 / out - 1 / back) * all;
		if (fabs(x - a) - excess / 2 > 3.99 * sqrt(all))
			*within = 0.25;
		fit = truncated(m->x, all, 1 / out - 1 / back, x,
		    x - excess / 2, x + excess / 2, &mean, &var) -
		    excess / 2 * (1 / out + 1 / back) - log(out * back);
	}
	mean -= m->x;
	a = m->xf;
	m->x += m->xx / all * mean;
	m->f = fmax(-FREQ_FAR, fmin(FREQ_FAR, m->f + a / all * mean));
	m->xf -= a * m->xx / all * (1 - var / all);
	m->ff -= a * a / all * (1 - var / all);
	m->xx -= m->xx * m->xx / all * (1 - var / all);
	return fit;
}

static bool
alike(double a, double b, double scale)
{
	return fabs(a - b) <= scale + 1e-30;
}

/* The models after a sample must follow from those before it. */
static void
assert_learnt(const struct filter *before, const struct filter *f,
    const struct sample *s, const struct late *late)
{
	double x = (double)(s->ahead - f->ahead0) * 1e-9;
	double t = (double)(s->raw - f->raw0) * 1e-9 - before->at;
	struct filter_model m[FILTER_MODELS];
	double fit[FILTER_MODELS], top = -HUGE_VAL, best = -HUGE_VAL;
	double within[FILTER_MODELS], w;
	int i;

	for (i = 0; i < FILTER_MODELS; i++) {
		m[i] = before->model[i];
		foretell(&m[i], t, wander(i), late->drop);
		fit[i] = bayes(&m[i], i, x, s, late, &within[i]);
		top = fmax(top, fit[i]);
	}
	for (i = 0; i < FILTER_MODELS; i++) {
		/* A heavy tail judges no model. */
		if (late->excess <= 4 * late->usual)
			m[i].fit = 0.98 * m[i].fit + fmax(fit[i] - top, -12.5);
		best = fmax(best, m[i].fit);
	}
	for (i = 0; i < FILTER_MODELS; i++) {
		const struct filter_model *got = &f->model[i];

		if (m[i].fit < best - 9.9) /* It follows the best one. */
			continue;
		w = within[i];
		if (!alike(got->x, m[i].x, w * sqrt(m[i].xx)) ||
		    !alike(got->f, m[i].f, w * sqrt(m[i].ff)) ||
		    !alike(got->xx, m[i].xx, w * m[i].xx) ||
		    !alike(got->xf, m[i].xf, w * sqrt(m[i].xx * m[i].ff)) ||
		    !alike(got->ff, m[i].ff, w * m[i].ff) ||
		    !alike(got->fit, m[i].fit, fmin(10 * w, 0.2)))
			fail_msg("sample %d, model %d: %g %g, %g %g, %g %g, "
			    "%g %g, %g %g, %g %g", f->samples, i, got->x,
			    m[i].x, got->f, m[i].f, got->xx, m[i].xx, got->xf,
			    m[i].xf, got->ff, m[i].ff, got->fit, m[i].fit);
	}
}

/* The filter must have the mean and the covariance of its models' mixture. */
static void
assert_mixed(const struct filter *f)
{
	double w[FILTER_MODELS], best = -HUGE_VAL, sum = 0, x = 0, freq = 0;
	double xx = 0, xf = 0, ff = 0, q = 0;
	const struct filter_model *m = f->model;
	int i;

	for (i = 0; i < FILTER_MODELS; i++)
		best = fmax(best, m[i].fit);
	for (i = 0; i < FILTER_MODELS; i++)
		sum += w[i] = exp(m[i].fit - best);
	for (i = 0; i < FILTER_MODELS; i++) {
		x += w[i] / sum * m[i].x;
		freq += w[i] / sum * m[i].f;
	}
	for (i = 0; i < FILTER_MODELS; i++) {
		xx += w[i] / sum * (m[i].xx + (m[i].x - x) * (m[i].x - x));
		xf += w[i] / sum * (m[i].xf + (m[i].x - x) * (m[i].f - freq));
		ff += w[i] / sum * (m[i].ff + (m[i].f - freq) *
		    (m[i].f - freq));
		q += w[i] / sum * wander(i);
	}
	assert_true(fabs(f->x - x) <= 1e-9 * sqrt(xx));
	assert_true(fabs(f->f - freq) <= 1e-9 * sqrt(ff));
	assert_true(fabs(f->xx - xx) <= 1e-9 * xx);
	assert_true(fabs(f->xf - xf) <= 1e-9 * sqrt(xx * ff));
	assert_true(fabs(f->ff - ff) <= 1e-9 * ff);
	assert_true(fabs(f->q - q) <= 1e-9 * q);
}

/* Each row is a network of another kind: it has how much of a queue is on the
 * way out, and how many of the packets are far too late. */
static void
each_model_learns_what_bayes_theorem_says(void **state)
{
	static const struct {
		double out, late, freq_sd, poll;
	} table[] = {
		{ 0.5, 0, 100 * PPM, 16 }, { 0.5, 0.1, 1 * PPM, 64 },
		{ 0.02, 0, 1 * PPM, 256 }, { 0.98, 0.02, 1 * PPM, 64 },
		/* The second sample comes so late that its interval is far
		 * narrower than what was expected. */
		{ 0.5, 0, 100 * PPM, 40000 },
	};
	size_t k;
	int n;

	(void)state;
	for (k = 0; k < LEN(table); k++) {
		uint64_t seed = 77 + k;
		struct filter f, before;
		double usual = 0;

		filter_reset(&f, 0, table[k].freq_sd);
		for (n = 0; n < 80; n++) {
			double t = table[k].poll * n;
			double queue = -2 * JITTER * log(uniform(&seed));
			double part = table[k].out == 0.5 ? uniform(&seed) :
			    table[k].out;
			struct sample s;
			struct late late;

			if (uniform(&seed) < table[k].late)
				queue += 50 * JITTER;
			s = honest(t, 10 * PPM, queue * part,
			    queue * (1 - part));
			s.precision = n % 2 ? 1e-8 : 3e-6;
			before = f;
			assert_int_equal(filter_learn(&f, &s), FILTER_USED);
			late = lateness(&before.lean, &f, &s);
			if (n > 0)
				assert_learnt(&before, &f, &s, &late);
			assert_mixed(&f);
			/* This is the usual variance; among the first eight it
			 * is that of the last one. */
			usual += (n < 8 ? 1 : 0.1) * (log(f.xx) - usual);
			assert_true(fabs(f.usual - usual) < 1e-9);
		}
	}
}

/* A sample is strange beyond 10 standard deviations of each model's interval,
 * or beyond 5 among the first four samples and after another strange one. */
static bool
is_strange(const struct filter *before, const struct filter *f,
    const struct sample *s)
{
	double t = (double)(s->raw - f->raw0) * 1e-9 - before->at;
	double x = (double)(s->ahead - f->ahead0) * 1e-9;
	double sds = before->strange > 0 || before->samples < 4 ? 5 : 10;
	int i;

	for (i = 0; i < FILTER_MODELS; i++) {
		struct filter_model m = before->model[i];
		double usual = fmax(f->excess, 1e-7), off, noise;

		foretell(&m, t, wander(i), f->drop);
		off = fabs(x - m.x) - (fmax(0, s->delay - (double)f->least) +
		    shapes[i / FILTER_WANDERS].least * filter_spread(f)) / 2;
		noise = fmax(1e-7, s->precision) +
		    shapes[i / FILTER_WANDERS].floor * usual;
		if (off < sds * sqrt(m.xx + noise * noise))
			return false;
	}
	return true;
}

static void
a_sample_is_strange_beyond_ten_deviations(void **state)
{
	int run, n;

	(void)state;
	for (run = 0; run < 300; run++) {
		uint64_t seed = (uint64_t)run;
		double t = 0, off;
		struct filter f, before;

		filter_reset(&f, 0, 20 * PPM);
		for (n = 0; n < 3 + run % 13; n++, t += 16) {
			struct sample s = jittery(t, 0, &seed);

			(void)filter_learn(&f, &s);
		}
		for (n = 0; n < 2; n++, t += 2) {
			struct sample s = jittery(t, 0, &seed);
			bool strange;

			off = (8 + 8 * uniform(&seed)) * sqrt(f.xx);
			s.ahead += llrint(off * 1e9);
			before = f;
			strange = filter_learn(&f, &s) != FILTER_USED;
			/* After a row of them the filter begins anew. */
			if (f.samples < before.samples)
				break;
			assert_int_equal(strange, is_strange(&before, &f, &s));
		}
	}
}

/* What looks like a jump, after a row of strange samples, may also have been a
 * frequency. */
static void
a_new_beginning_is_as_unsure_as_the_jump(void **state)
{
	static const struct {
		int known;	/* samples before it; few teach nothing */
		double jump;
	} table[] = {
		{ 15, 5e-3 }, { 15, 1 }, { 16, 5e-3 }, { 16, 1 }, { 50, -5e-3 },
		{ 50, -90 },
	};
	size_t i;
	int n;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		uint64_t seed = i;
		double t = 0, rate, ff, expected, x;
		struct filter f, before;
		struct sample s;

		filter_reset(&f, 3 * PPM, 2 * PPM);
		for (n = 0; n < table[i].known; n++, t += 64) {
			s = jittery(t, 5 * PPM, &seed);
			assert_int_equal(filter_learn(&f, &s), FILTER_USED);
		}
		for (n = 0; n < 4; n++, t += 2) {
			s = jittery(t, 5 * PPM, &seed);
			s.ahead += llrint(table[i].jump * 1e9);
			before = f;
			assert_int_equal(filter_learn(&f, &s), n < 3 ?
			    FILTER_STRANGE : FILTER_USED);
		}
		x = (double)(s.ahead - f.ahead0) * 1e-9;
		assert_int_equal(f.samples, 1);
		assert_true(fabs(f.x - x) < 1e-9);
		expected = pow(fmax(f.excess, 1e-7), 2) +
		    pow(fmax(0, s.delay - (double)f.least), 2);
		assert_true(fabs(f.xx - expected) < 1e-9 * expected);
		/* The last good sample was 70 s ago. */
		rate = fabs(x - (before.x + 2 * before.f)) / 70;
		if (table[i].known < 16) {
			assert_true(fabs(f.f - 3 * PPM) < 1e-15);
			rate += fabs(before.f - 3 * PPM);
			ff = 4 * PPM * PPM;
		} else {
			assert_true(fabs(f.f - before.f) < 1e-12);
			ff = 100 * PPM * PPM;
		}
		if (fabs(table[i].jump) < 0.3)
			ff += rate * rate;
		assert_true(fabs(f.ff - ff) < 1e-6 * ff);
	}
}

/* The filter remembers the least of the last 512 delays, and by what the median
 * of 64 exceeds their least.  Of few samples it is supposed that they jitter by
 * three tenths, or by half of that where the frequency is known. */
static void
delays_are_remembered_as_they_came(void **state)
{
	static double delay[1300];
	int run, n, k, from;

	(void)state;
	for (run = 0; run < 3; run++) {
		uint64_t seed = 5 + (uint64_t)run;
		double share = run == 0 ? 0.15 : 0.3;
		struct filter f;

		filter_reset(&f, 0, run == 0 ? 1 * PPM : 2 * PPM);
		for (n = 0; n < (int)LEN(delay); n++) {
			struct sample s = jittery(16.0 * n, 0, &seed);
			double least, sorted[64], excess, few;
			int many = n + 1 < 64 ? n + 1 : 64, i;

			/* It shrinks and grows a bit, without a new route. */
			s.delay += JITTER * 0.5 * sin(n / 300.0 + run);
			delay[n] = s.delay;
			least = n > 0 ? (double)f.least : 0;
			(void)filter_learn(&f, &s);
			if (f.delays != n + 1)
				fail_msg("seed has a new route at %d", n);
			assert_true(fabs(f.drop - (n > 0 ?
			    fmax(0, least - s.delay) : 0)) < 1e-8);
			/* There are 63 whole groups of eight and the present
			 * one. */
			from = n / 8 < 64 ? 0 : (n / 8 - 63) * 8;
			for (least = 1, k = from; k <= n; k++)
				least = fmin(least, delay[k]);
			assert_true(fabs((double)f.least - least) < 1e-8);
			for (k = 0; k < many; k++) {
				double d = delay[n - k];

				for (i = k; i > 0 && sorted[i - 1] > d; i--)
					sorted[i] = sorted[i - 1];
				sorted[i] = d;
			}
			few = fmin(1, 4.0 / many);
			excess = fmax(sorted[many / 2] - sorted[0],
			    few * few * (20e-6 + share * sorted[0]));
			assert_true(fabs(f.excess - excess) < 1e-8);
			k = n + 1 < 512 ? n + 1 : 512;
			assert_true(fabs(filter_spread(&f) - f.excess *
			    (1 / sqrt(k) + 6.0 / k)) < 1e-12);
		}
	}
}

static void
a_frequency_is_taken_within_the_limit(void **state)
{
	static const struct {
		double freq, sd, f, ff;
	} table[] = {
		{ 37 * PPM, 2 * PPM, 37 * PPM, 4e-12 },
		{ 0.1, 2 * PPM, 5000 * PPM, 4e-12 },
		{ -0.1, 2 * PPM, -5000 * PPM, 4e-12 },
		{ 0, 1, 0, 25e-6 },
	};
	struct sample s = honest(0, 0, 0, 0);
	struct filter f;
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		filter_reset(&f, table[i].freq, table[i].sd);
		assert_true(f.freq0 == table[i].f && f.share == 1);
		s.precision = 1e-3;
		(void)filter_learn(&f, &s);
		assert_true(fabs(f.f - table[i].f) < 1e-15);
		assert_true(fabs(f.ff - table[i].ff) < 1e-9 * table[i].ff);
		/* The offset is as unsure as a quarter of the delay and as
		 * the stamps. */
		assert_true(fabs(f.xx - (DELAY * DELAY / 16 + 1e-6 + 1e-14)) <
		    1e-12);
	}
}

/* The offset's variance grows with that of the frequency, which grows with its
 * wander. */
static void
an_estimate_between_samples_is_what_the_model_foretells(void **state)
{
	static const double age[] = { 0, 1, 64, 1000 };
	struct estimate e;
	double t;
	struct filter f = settled(50, 7 * PPM, &t, 9);
	size_t i;

	(void)state;
	for (i = 0; i < LEN(age); i++) {
		int64_t raw = f.raw0 + llrint((f.at + age[i]) * 1e9);
		double a = age[i];

		assert_true(filter_estimate(&f, raw, &e));
		assert_true(e.raw == raw);
		assert_true(llabs(e.ahead - f.ahead0 -
		    llrint((f.x + f.f * a) * 1e9)) <= 1);
		assert_true(fabs(e.sd * e.sd - (f.xx + 2 * a * f.xf +
		    a * a * f.ff + f.q * a * a * a / 3)) < 1e-9 * e.sd * e.sd);
		assert_true(fabs(e.freq_sd * e.freq_sd - (f.ff + f.q * a)) <
		    1e-9 * e.freq_sd * e.freq_sd);
		assert_true(e.freq == f.f);
	}
	/* Nothing is known of the time before the last sample. */
	assert_true(filter_estimate(&f, f.raw0, &e));
	assert_true(llabs(e.ahead - f.ahead0 - llrint(f.x * 1e9)) <= 1);
}

/* After n samples of 10 ms, with a jitter of up to 20 us, comes one that is
 * shorter by so many seconds. */
static void
a_shorter_route_begins_a_new_memory(void **state)
{
	static const struct {
		int n;
		double shorter;
		bool anew;
	} table[] = {
		/* Among the first sixteen it must be half as long. */
		{ 1, 4.9e-3, false }, { 1, 5.1e-3, true },
		{ 15, 4.9e-3, false }, { 15, 5.1e-3, true },
		/* Later it must be shorter by 1.5 medians of the excess. */
		{ 16, 1e-3, true }, { 60, 1e-3, true }, { 60, 1e-6, false },
	};
	size_t i;
	int n;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct filter f;
		struct sample s;

		filter_reset(&f, 0, 1 * PPM);
		for (n = 0; n < table[i].n; n++) {
			s = honest(16 * n, 0, (n % 3) * 10e-6, 0);
			(void)filter_learn(&f, &s);
		}
		s = honest(16 * n, 0, 0, 0);
		s.delay -= table[i].shorter;
		(void)filter_learn(&f, &s);
		assert_int_equal(f.delays, table[i].anew ? 1 : table[i].n + 1);
		assert_true(fabs((double)f.least - s.delay) < 1e-8);
	}
}

/* When a longer route has been noticed, no delay of the shorter one is left. */
static void
a_longer_route_leaves_nothing_of_the_shorter_one(void **state)
{
	int start, n, k;

	(void)state;
	for (start = 64; start < 200; start += 17) {
		uint64_t seed = (uint64_t)start;
		struct filter f;
		double t = 0;

		filter_reset(&f, 0, 1 * PPM);
		for (n = 0; n < start; n++, t += 64) {
			struct sample s = jittery(t, 0, &seed);

			(void)filter_learn(&f, &s);
		}
		for (n = 0; (double)f.least < 2 * DELAY; n++, t += 64) {
			struct sample s = jittery(t, 0, &seed);

			s.delay += 2 * DELAY;
			(void)filter_learn(&f, &s);
			assert_true(n < 200);
		}
		/* It takes sixteen in a row, of a quarter of an hour at
		 * least. */
		assert_in_range(n, 16, 20);
		for (k = 0; k < FILTER_DELAYS; k++)
			assert_true(f.delay[k] >= f.least);
		for (k = 0; k < FILTER_GROUPS; k++)
			assert_true(f.low[k] >= f.least);
	}
}

/* The filter's forecast has a deviation of freq_sd times the age.  The table
 * has which interval it wants between 64 and 1024 s. */
static void
the_interval_is_as_long_as_the_forecast_is_good(void **state)
{
	static const struct {
		double freq_sd, usual, share, wanted;
	} table[] = {
		/* The forecast may reach 0.7 of the usual deviation, or 2 us
		 * if that is more. */
		{ 1e-8, 1e-6, 1, 128 }, { 1e-8, 2e-6, 1, 128 },
		{ 1e-8, 4e-6, 1, 256 }, { 1e-8, 10e-6, 1, 512 },
		{ 1e-8, 20e-6, 1, 1024 },
		/* It may not exceed 1 ms. */
		{ 1e-6, 1, 1, 512 },
		/* The interval is never below the least one, which is for an
		 * influence of 2/3. */
		{ 1e-3, 1e-6, 1, 64 }, { 1e-3, 1e-6, 0.66, 64 },
		{ 1e-3, 1e-6, 0.33, 128 }, { 1e-3, 1e-6, 0.11, 384 },
		{ 1e-3, 1e-6, 0.01, 384 },
	};
	struct filter f;
	size_t i;
	double t;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		f = settled(20, 0, &t, 1);
		f.xx = f.xf = f.q = 0;
		f.ff = table[i].freq_sd * table[i].freq_sd;
		f.usual = 2 * log(table[i].usual);
		filter_share(&f, table[i].share);
		t = filter_interval(&f, 1024, 64, 1024);
		if (fabs(t - table[i].wanted) > 1e-9)
			fail_msg("row %zu: %g s", i, t);
		/* It is at most twice the last one, or longer by a fifth
		 * while the frequency is not known. */
		assert_true(filter_interval(&f, 100, 64, 1024) ==
		    fmin(t, f.ff < 4e-12 ? 200 : 120));
	}
}

static double
ahead_of(const struct filter *f, const struct filter *joint, int64_t raw)
{
	struct estimate own, all;

	assert_true(filter_estimate(f, raw, &own));
	assert_true(filter_estimate(joint, raw, &all));
	return (double)(own.ahead - all.ahead) * 1e-9;
}

/* The bias is learnt by a Kalman filter of one value, from what the two filters
 * differ by, which is as sure as the server's own one.  A delay that is the
 * shortest yet makes it less sure.  The joint filter learns the sample less the
 * bias, whose variance is noise to it, but for the part that this server has
 * taught it. */
static void
a_bias_is_learnt_as_it_is_known(void **state)
{
	struct filter joint, f[2], before, joint_before;
	uint64_t seed = 11;
	struct late late;
	double var, rate, bias;
	int n;

	(void)state;
	filter_reset(&joint, 0, 100 * PPM);
	filter_reset(&f[0], 0, 100 * PPM);
	filter_reset(&f[1], 0, 100 * PPM);
	filter_share(&f[0], 0.8);
	filter_share(&f[1], 0.2);
	for (n = 0; n < 400; n++) {
		struct filter *own = &f[n % 2];
		struct sample s = jittery(16 * n, 5 * PPM, &seed);

		s.ahead += n % 2 ? 3000000 : 0;
		s.delay -= n < 30 ? n * 10e-6 : 300e-6;
		assert_int_equal(filter_learn(own, &s), FILTER_USED);
		before = *own;
		joint_before = joint;
		filter_join(&joint, own, &s);
		assert_int_equal(own->joined, before.joined + 1);
		assert_true(own->joined_at == s.raw);
		if (before.joined == 0)
			continue;
		var = before.bias_var + own->drop * own->drop / 12;
		rate = fmax(1 / 64., var / (var + own->xx));
		bias = before.bias + rate * (ahead_of(own, &joint, s.raw) -
		    before.bias);
		assert_true(fabs(own->bias - bias) < 2e-9);
		assert_true(fabs(own->bias_var - rate * own->xx) <
		    1e-9 * own->xx);
		late = lateness(&own->lean, own, &s);
		late.drop *= own->share;
		s.ahead -= llrint(before.bias * 1e9);
		s.precision += (1 - own->share) * sqrt(var);
		assert_learnt(&joint_before, &joint, &s, &late);
	}
	assert_true(fabs(f[1].bias - f[0].bias - 3e-3) < 100e-6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bias_is_learnt_as_it_is_known),
		cmocka_unit_test(a_shorter_route_begins_a_new_memory),
		cmocka_unit_test(
		    a_longer_route_leaves_nothing_of_the_shorter_one),
		cmocka_unit_test(
		    the_interval_is_as_long_as_the_forecast_is_good),
		cmocka_unit_test(each_model_learns_what_bayes_theorem_says),
		cmocka_unit_test(a_sample_is_strange_beyond_ten_deviations),
		cmocka_unit_test(a_new_beginning_is_as_unsure_as_the_jump),
		cmocka_unit_test(delays_are_remembered_as_they_came),
		cmocka_unit_test(a_frequency_is_taken_within_the_limit),
		cmocka_unit_test(
		    an_estimate_between_samples_is_what_the_model_foretells),
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
		cmocka_unit_test(
		    intervals_begin_at_2_s_and_grow_by_a_fifth),
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
