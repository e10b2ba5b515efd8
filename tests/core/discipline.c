/*
 * discipline.c - what discipline.c promises: what the kernel is told, and
 * how wrong the clock may be.
 */
#include "core/discipline.h"
#include "core/filter.h"
#include "core/ntp.h"
#include "core/select.h"
#include "tests/test.h"

#define RAW (5000 * S)
#define REAL (1790000000 * S + 300000000)	/* 0.3 s into a second */

static const struct instant start = { RAW, REAL };

/* A verdict that the clock is behind by "by" seconds. */
static struct verdict
behind(double by)
{
	return (struct verdict){
		.raw = RAW, .heard = RAW,
		.ahead = REAL - RAW + llrint(by * 1e9),
		.sd = 20e-6, .distance = 5e-3, .freq = 37 * PPM,
		.freq_sd = 0.1 * PPM, .samples = 1 << 30, .stratum = 2
	};
}

static struct discipline
learnt(double by, double interval)
{
	struct discipline d;
	struct verdict v = behind(by);

	discipline_start(&d, 0, false);
	discipline_learn(&d, &v, interval);
	return d;
}

/* t seconds later, when the clock has gained so much against the raw one. */
static struct instant
after(double t, double gained)
{
	return (struct instant){ RAW + llrint(t * 1e9),
	    REAL + llrint((t + gained) * 1e9) };
}

static bool
near(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

static void
knows_nothing_at_start(void **state)
{
	struct discipline d;

	(void)state;
	discipline_start(&d, 0, false);
	assert_false(discipline_turn(&d, &start).act);
	assert_true(discipline_offset(&d, &start) == 0);
	assert_true(isinf(discipline_bound(&d, &start)));
	assert_true(d.due == NEVER);
}

static void
start_frequency_is_kept_if_known(void **state)
{
	struct discipline d;

	(void)state;
	discipline_start(&d, 47 * PPM, true);
	assert_true(near(d.freq, 47 * PPM) && d.freq_sd <= 1 * PPM);
	/* an unsynchronised kernel may have it from a predecessor, or not */
	discipline_start(&d, 47 * PPM, false);
	assert_true(near(d.freq, 47 * PPM) && d.freq_sd >= 100 * PPM);
	discipline_start(&d, 100e-6, false);
	assert_true(near(d.freq, 100 * PPM));
	discipline_start(&d, 101 * PPM, false);
	assert_true(near(d.freq, 0));
	discipline_start(&d, 470 * PPM, false);
	assert_true(near(d.freq, 0) && d.freq_sd >= 100 * PPM);
}

static void
noise_is_slewed_slowly(void **state)
{
	static const struct { double interval; int constant; } table[] = {
		{ 16, 4 }, { 64, 4 }, { 128, 5 }, { 256, 6 }, { 1024, 8 },
		{ 4096, 10 }, { 131072, 10 }
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct discipline d = learnt(50e-6, table[i].interval);
		struct orders o = discipline_turn(&d, &start);

		assert_true(o.act && o.synced && o.step == 0);
		assert_int_equal(o.constant, table[i].constant);
		assert_true(o.phase == 80000);	/* 1.6 times as much */
		assert_true(near(o.freq, 37 * PPM));
		assert_true(d.due == NEVER);	/* sleeps until the next */
	}
}

static void
orders_are_given_once(void **state)
{
	struct discipline d = learnt(50e-6, 64);

	(void)state;
	assert_true(discipline_turn(&d, &start).act);
	assert_false(discipline_turn(&d, &start).act);
}

static void
more_than_noise_is_slewed_fast_and_awake(void **state)
{
	struct discipline d = learnt(-0.9e-3, 64);
	struct orders o = discipline_turn(&d, &start);
	struct instant now = start;
	int wakes = 0;

	(void)state;
	assert_int_equal(o.constant, 2);
	assert_true(o.phase == -900000);
	while (d.due != NEVER) {
		/* 5 ms after the next full second of the real clock, and then
		 * after each fourth one */
		assert_true((REAL + d.due - RAW) % S == 5000000);
		assert_true(d.due > now.raw &&
		    d.due <= now.raw + (wakes == 0 ? 2 : 5) * S);
		now = after((double)(d.due - RAW) * 1e-9, 0);
		assert_false(discipline_turn(&d, &now).act);
		assert_true(++wakes < 60);
	}
	assert_in_range(wakes, 12, 14);
	/* three time constants */
	assert_true(now.raw >= start.raw + 48 * S);
	assert_true(now.raw < start.raw + 52 * S);
}

static void
nothing_is_ordered_before_it_is_due(void **state)
{
	static const double offset[] = { 50e-6, 10e-3, 1.5 };
	size_t i;

	(void)state;
	for (i = 0; i < LEN(offset); i++) {
		struct discipline d = learnt(offset[i], 64);
		int64_t due;

		(void)discipline_turn(&d, &start);
		due = d.due;
		assert_false(discipline_turn(&d, &start).act);
		assert_true(d.due == due);
	}
}

/* Noise reaches to four standard deviations, which are 20 us of the offset and
 * 0.1 ppm of the frequency. */
static void
noise_grows_with_the_age_of_the_estimate(void **state)
{
	static const struct {
		double age, offset;
		int constant;
	} table[] = {
		{ 0, 70e-6, 4 }, { 0, 90e-6, 2 }, { 0, -90e-6, 2 },
		{ 1000, 400e-6, 4 }, { 1000, 420e-6, 2 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct discipline d = learnt(table[i].offset, 64);
		struct instant now = after(table[i].age,
		    37 * PPM * table[i].age);

		assert_int_equal(discipline_turn(&d, &now).constant,
		    table[i].constant);
	}
}

/* With the fastest constant and the largest phase that the kernel takes, the
 * clock runs 8 % faster or slower. */
static void
more_than_a_millisecond_is_slewed_fastest(void **state)
{
	static const struct {
		double offset;
		int constant;
	} table[] = { { 0.9e-3, 2 }, { -0.9e-3, 2 }, { 1.1e-3, 0 },
		{ -1.1e-3, 0 }, { 0.33, 0 }, { -0.33, 0 } };
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct discipline d = learnt(table[i].offset, 64);
		struct orders o = discipline_turn(&d, &start);

		assert_int_equal(o.constant, table[i].constant);
		assert_true(llabs(o.phase) <= 320000000);
	}
}

/* An only reply that was under way for six seconds must not move the clock by
 * a second before the next one arrives. */
static void
an_offset_within_the_noise_is_slewed_slowly(void **state)
{
	struct discipline d = learnt(0, 64);
	struct verdict v = behind(1.4);
	struct orders o;

	(void)state;
	v.sd = 1.5;
	discipline_learn(&d, &v, 64);
	o = discipline_turn(&d, &start);
	assert_int_equal(o.constant, 4);
	assert_true(o.phase == 320000000);
}

static void
next_verdict_ends_being_awake(void **state)
{
	struct discipline d = learnt(10e-3, 64);
	struct verdict v = behind(0);
	struct instant now;

	(void)state;
	(void)discipline_turn(&d, &start);
	assert_true(d.due != NEVER);
	discipline_learn(&d, &v, 64);
	assert_true(discipline_turn(&d, &start).act);
	/* One more wake-up is due.  It makes the kernel do its sums, and so
	 * end what it still takes off in this second. */
	assert_true(d.due > RAW && d.due < RAW + 2 * S);
	now = after((double)(d.due - RAW) * 1e-9, 0);
	assert_false(discipline_turn(&d, &now).act);
	assert_true(d.due == NEVER);
}

static void
large_offset_is_aimed_anew_each_second(void **state)
{
	struct discipline d = learnt(1.5, 64);
	double left = 1.5, gained = 0, share = 0, rest = 0;
	int turns = 0;
	struct instant now = start;

	(void)state;
	for (;;) {
		struct orders o = discipline_turn(&d, &now);

		assert_true(o.act && turns++ < 100);
		if (o.constant != 0)
			break;
		assert_true(o.phase == (left > 0.32 ? 320000000 :
		    llrint(left * 1e9)));
		assert_true(d.due != NEVER && d.due <= now.raw + 2 * S);
		/* what the kernel makes of it: a quarter in each second */
		rest = (double)o.phase * 1e-9;
		share = rest / 4;
		gained += share;
		now = after((double)(d.due - RAW) * 1e-9, gained);
		left = (double)discipline_offset(&d, &now) * 1e-9;
	}
	assert_true(fabs(left) < 1e-3);
	assert_in_range(turns, 20, 60);
}

static void
offset_follows_frequency_and_clock(void **state)
{
	struct discipline d = learnt(0, 64);
	struct instant now = after(100, 0);

	(void)state;
	/* undisciplined for 100 s at 37 ppm */
	assert_true(llabs(discipline_offset(&d, &now) - 3700000) < 10);
	now = after(100, 3700e-6);
	assert_true(llabs(discipline_offset(&d, &now)) < 10);
	now = after(100, -60);
	assert_true(llabs(discipline_offset(&d, &now) - 60003700000) < 100);
}

static void
frequency_is_ordered_within_the_limit(void **state)
{
	static const struct { double freq, most, ordered; } table[] = {
		{ 37 * PPM, FREQ_USUAL, 37 * PPM },
		{ 712 * PPM, FREQ_USUAL, 500 * PPM },
		{ -5000 * PPM, FREQ_USUAL, -500 * PPM },
		{ 712 * PPM, FREQ_FAR, 712 * PPM },
		{ -0.1, FREQ_FAR, -5000 * PPM },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct verdict v = behind(0);
		struct discipline d;
		struct instant now = after(1000, 0);

		discipline_start(&d, 0, false);
		assert_true(near(d.freq_most, FREQ_USUAL));
		discipline_limit(&d, table[i].most);
		v.freq = table[i].freq;
		discipline_learn(&d, &v, 64);
		assert_true(near(discipline_freq(&d), table[i].ordered));
		/* The offset is foretold with the limited frequency, however
		 * long nobody answers.  The bound grows by the difference to
		 * the estimate. */
		assert_true(llabs(discipline_offset(&d, &now) -
		    llrint(table[i].ordered * 1e12)) < 10);
		assert_true(discipline_growth(&d) >=
		    fabs(table[i].freq - table[i].ordered));
		assert_true(near(discipline_turn(&d, &start).freq,
		    table[i].ordered));
	}
}

static void
bound_holds_distance_offset_and_drift(void **state)
{
	struct discipline d = learnt(2e-3, 64);
	struct instant now = after(100, 3.7e-3 + 2e-3);
	struct orders o;
	double growth = discipline_growth(&d);

	(void)state;
	assert_true(fabs(discipline_bound(&d, &start) - 7e-3) < 1e-8);
	assert_true(growth > 0.5 * PPM && growth < 2 * PPM);
	/* the offset is slewed, but 100 s have passed */
	assert_true(discipline_bound(&d, &now) >= 5e-3 + 100 * growth);
	assert_true(discipline_bound(&d, &now) <= 5e-3 + 110 * growth);
	o = discipline_turn(&d, &start);
	assert_true(fabs(o.max_error - 7e-3) < 1e-8);
	assert_true(o.est_error >= 2e-3 && o.est_error < 2.2e-3);
}

static void
a_frequency_that_is_given_up_may_have_been_right(void **state)
{
	struct discipline d = learnt(2e-3, 64);
	struct instant now = after(600, 37 * PPM * 600);
	int64_t ahead = discipline_offset(&d, &now) + now.real - now.raw;
	double freq = d.freq + 200 * PPM;

	(void)state;
	discipline_hold(&d, freq, 0, &now);
	/* At this moment nothing changes; later the bound covers both. */
	assert_true(llabs(discipline_offset(&d, &now) + now.real - now.raw -
	    ahead) < 1000);
	assert_true(discipline_growth(&d) >= 200 * PPM);
	assert_true(discipline_growth(&d) < 250 * PPM);
	assert_true(d.due == d.raw);
	/* After a gap there is nothing to slew, but there is a frequency. */
	discipline_forget(&d);
	discipline_hold(&d, 0, 0, &now);
	assert_true(d.freq == 0 && d.due == NEVER);
	assert_true(discipline_bound(&d, &now) == HUGE_VAL);
}

/* Standard deviations are too small by up to 16 divided by the samples. */
static void
few_samples_are_doubted(void **state)
{
	static const struct {
		int samples;
		double doubt;
	} table[] = { { 0, 7 }, { 1, 7 }, { 4, 7 }, { 28, 1 },
		{ 1 << 30, 0 } };
	struct discipline d;
	struct verdict v;
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		v = behind(0);
		v.samples = table[i].samples;
		v.path = 3e-3;
		discipline_start(&d, 0, false);
		discipline_learn(&d, &v, 64);
		assert_true(fabs(d.freq_sd -
		    v.freq_sd * (1 + table[i].doubt)) < 1e-12);
		assert_true(near(d.path, v.path + v.sd * table[i].doubt));
		assert_true(near(discipline_bound(&d, &start),
		    v.distance + v.sd * table[i].doubt));
	}
}

static void
bound_of_an_outage_reaches_phi(void **state)
{
	struct discipline d = learnt(0, 64);
	double t, last = 0;

	(void)state;
	for (t = 64; t < 1e6; t *= 2) {
		struct instant now = after(t, 37 * PPM * t);
		double rate = (discipline_bound(&d, &now) - 5e-3) / t;

		assert_true(rate >= last - 1e-9);	/* less certain only */
		last = rate;
	}
	assert_true(last > 15 * PPM && last < 17 * PPM);
}

static void
election_without_news_makes_nothing_surer(void **state)
{
	struct discipline d = learnt(0, 64);
	struct verdict v = behind(0);
	struct instant now = after(600, 37 * PPM * 600);
	double before = discipline_bound(&d, &now);

	(void)state;
	v.raw = now.raw;
	v.ahead = now.real - now.raw;
	discipline_learn(&d, &v, 64);
	assert_true(discipline_bound(&d, &now) >= before - 1e-9);
}

static void
forgets_all_but_the_frequency(void **state)
{
	struct discipline d = learnt(1, 64);

	(void)state;
	(void)discipline_turn(&d, &start);
	discipline_forget(&d);
	assert_true(near(d.freq, 37 * PPM));
	assert_true(discipline_offset(&d, &start) == 0);
	assert_true(isinf(discipline_bound(&d, &start)));
	assert_false(discipline_turn(&d, &start).act);
	assert_true(d.due == NEVER);
	assert_int_equal(d.joint.samples, 0);
}

static void
step_leaves_nothing_to_slew(void **state)
{
	struct discipline d = learnt(1000, 64);
	struct verdict v = behind(10e-3);
	struct instant now;

	(void)state;
	(void)discipline_turn(&d, &start);
	assert_true(d.due != NEVER);
	discipline_stepped(&d);
	now = after(1, 1000 + 37 * PPM);
	assert_false(discipline_turn(&d, &now).act);
	assert_true(llabs(discipline_offset(&d, &now)) < 10);
	/* The next offset is not aimed at as the large one was: it is within
	 * the noise. */
	v.ahead += 1000 * S;
	v.sd = 1;
	discipline_learn(&d, &v, 64);
	assert_int_equal(discipline_turn(&d, &now).constant, 4);
}

static void
a_step_is_the_whole_offset_and_no_slew(void **state)
{
	struct discipline d = learnt(1000, 64);
	struct orders o = discipline_step(&d, &start);

	(void)state;
	assert_true(o.act && o.synced);
	assert_true(llabs(o.step - 1000 * S) < 10);
	assert_int_equal(o.phase, 0);
	assert_true(near(o.freq, 37 * PPM));
	/* what is stepped away is no error any longer */
	assert_true(near(o.max_error, d.distance));
	assert_true(near(o.est_error, 20e-6));
	assert_int_equal(o.leap, LEAP_NONE);
}

static void
orders_rest_and_are_given_again(void **state)
{
	struct discipline d = learnt(0.1, 64);
	struct instant now = after(100, 100 * 37 * PPM);

	(void)state;
	discipline_rest(&d);
	assert_false(discipline_turn(&d, &now).act);
	discipline_again(&d);
	assert_true(discipline_turn(&d, &now).act);
	/* without an estimate there is nothing to give */
	discipline_forget(&d);
	discipline_again(&d);
	assert_false(discipline_turn(&d, &now).act);
}

static void
a_leap_moves_the_time_and_is_over(void **state)
{
	struct discipline d;
	struct verdict v = behind(0);

	(void)state;
	discipline_start(&d, 0, false);
	v.leap = LEAP_INSERT;
	discipline_learn(&d, &v, 64);
	discipline_leapt(&d, -S);
	assert_true(llabs(discipline_offset(&d, &start) + S) < 10);
	assert_int_equal(discipline_turn(&d, &start).leap, LEAP_NONE);
}

static void
a_verdicts_time_alone_leaves_the_frequency(void **state)
{
	struct discipline d;
	struct verdict v = behind(1);

	(void)state;
	discipline_start(&d, 50 * PPM, true);
	discipline_learn_time(&d, &v);
	assert_true(llabs(discipline_offset(&d, &start) - S) < 10);
	assert_true(near(d.freq, 50 * PPM));
	assert_true(near(d.freq_sd, 1 * PPM));
}

static void
leap_is_passed_on(void **state)
{
	static const uint8_t leap[] = { LEAP_NONE, LEAP_INSERT, LEAP_DELETE };
	size_t i;

	(void)state;
	for (i = 0; i < LEN(leap); i++) {
		struct discipline d;
		struct verdict v = behind(0);

		discipline_start(&d, 0, false);
		v.leap = leap[i];
		discipline_learn(&d, &v, 64);
		assert_int_equal(discipline_turn(&d, &start).leap, leap[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_nothing_at_start),
		cmocka_unit_test(start_frequency_is_kept_if_known),
		cmocka_unit_test(noise_is_slewed_slowly),
		cmocka_unit_test(orders_are_given_once),
		cmocka_unit_test(more_than_noise_is_slewed_fast_and_awake),
		cmocka_unit_test(nothing_is_ordered_before_it_is_due),
		cmocka_unit_test(noise_grows_with_the_age_of_the_estimate),
		cmocka_unit_test(
		    more_than_a_millisecond_is_slewed_fastest),
		cmocka_unit_test(an_offset_within_the_noise_is_slewed_slowly),
		cmocka_unit_test(next_verdict_ends_being_awake),
		cmocka_unit_test(large_offset_is_aimed_anew_each_second),
		cmocka_unit_test(offset_follows_frequency_and_clock),
		cmocka_unit_test(frequency_is_ordered_within_the_limit),
		cmocka_unit_test(bound_holds_distance_offset_and_drift),
		cmocka_unit_test(
		    a_frequency_that_is_given_up_may_have_been_right),
		cmocka_unit_test(few_samples_are_doubted),
		cmocka_unit_test(bound_of_an_outage_reaches_phi),
		cmocka_unit_test(election_without_news_makes_nothing_surer),
		cmocka_unit_test(forgets_all_but_the_frequency),
		cmocka_unit_test(step_leaves_nothing_to_slew),
		cmocka_unit_test(a_step_is_the_whole_offset_and_no_slew),
		cmocka_unit_test(orders_rest_and_are_given_again),
		cmocka_unit_test(a_leap_moves_the_time_and_is_over),
		cmocka_unit_test(a_verdicts_time_alone_leaves_the_frequency),
		cmocka_unit_test(leap_is_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
