/*
 * confidence.c - which frequency may be ordered, and which one is left when
 * nobody is believed.
 */
#include "core/confidence.h"
#include "core/constraint.h"
#include "core/filter.h"
#include "core/select.h"
#include "tests/test.h"

#define NS(x) ((int64_t)((x) * 1e9))

/* The majority reports this frequency at second t. */
static bool
vote(struct confidence *c, double t, double ppm, const struct bound *b)
{
	struct verdict v = {
		.raw = NS(t), .freq = ppm * PPM, .freq_sd = 0.1 * PPM
	};

	return confidence_vote(c, &v, b);
}

/* Elections each 60 s from second a to second b. */
static void
votes(struct confidence *c, double a, double b, double ppm,
    const struct bound *bound)
{
	for (; a <= b; a += 60)
		(void)vote(c, a, ppm, bound);
}

/* The frequency, in ppm, that is left at second t of one of so many ppm. */
static double
left(struct confidence *c, double ppm, double t)
{
	return confidence_fallback(c, ppm * PPM, NS(t)) / PPM;
}

static const struct bound none = { .wanted = false };

/* What the constraints said at second t, when the raw clock was so far behind. */
static struct bound
said(double t, double behind)
{
	return (struct bound){ .votes = 1,
		.wanted = true,
		.made = NS(t),
		.ahead = NS(behind),
		.width = 0.5 };
}

static void
a_crystal_s_frequency_is_granted_at_once(void **state)
{
	struct confidence c;

	(void)state;
	confidence_start(&c, 0, false, 0);
	assert_false(vote(&c, 1, 499, &none));
	assert_true(confidence_most(&c) == FREQ_USUAL);
	/* A frequency that a crystal can need is no reason to grant more,
	 * however long it lasts. */
	votes(&c, 60, 1200, FREQ_USUAL / PPM, &none);
	assert_true(confidence_most(&c) == FREQ_USUAL);
}

static void
more_takes_ten_minutes_of_a_majority(void **state)
{
	struct confidence c;

	(void)state;
	confidence_start(&c, 0, false, 0);
	votes(&c, 60, 600, 1000, &none);
	assert_true(confidence_most(&c) == FREQ_USUAL);
	/* Where no constraint is configured, there is none to ask. */
	assert_false(vote(&c, 660, 1000, &none));
	assert_true(confidence_most(&c) == FREQ_FAR);
	/* When the majority wants an ordinary frequency again, the limit is
	 * back at once. */
	(void)vote(&c, 780, 400, &none);
	assert_true(confidence_most(&c) == FREQ_USUAL);
}

static void
an_election_that_fails_begins_the_ten_minutes_anew(void **state)
{
	struct confidence c;

	(void)state;
	confidence_start(&c, 0, false, 0);
	votes(&c, 60, 600, 1000, &none);
	confidence_doubt(&c);
	votes(&c, 660, 1200, 1000, &none);
	assert_true(confidence_most(&c) == FREQ_USUAL);
	votes(&c, 1260, 1320, 1000, &none);
	assert_true(confidence_most(&c) == FREQ_FAR);
	/* What was granted survives a vote that fails. */
	confidence_doubt(&c);
	assert_true(confidence_most(&c) == FREQ_FAR);
}

static void
constraints_must_be_asked_again_before_more_is_granted(void **state)
{
	struct confidence c;
	struct bound b = said(0, 0);

	(void)state;
	confidence_start(&c, 0, false, 0);
	votes(&c, 60, 660, 3000, &b);
	assert_true(confidence_most(&c) == FREQ_USUAL);
	assert_true(vote(&c, 720, 3000, &b));
	b = said(725, 725 * 3000e-6);
	assert_false(vote(&c, 730, 3000, &b));
	assert_true(confidence_most(&c) == FREQ_FAR);
}

static void
constraints_that_contradict_grant_nothing(void **state)
{
	struct confidence c;
	struct bound b = said(0, 0);

	(void)state;
	confidence_start(&c, 0, false, 0);
	votes(&c, 60, 720, 3000, &b);
	b = said(725, 0); /* 2.2 s of liars */
	/* They have just answered, so they are not asked again at once. */
	assert_false(vote(&c, 730, 3000, &b));
	votes(&c, 790, 7200, 3000, &b);
	assert_true(confidence_most(&c) == FREQ_USUAL);
}

static void
an_answer_of_hours_ago_does_not_tell_where_it_began(void **state)
{
	struct confidence c;
	struct bound b = said(0, 0);

	(void)state;
	confidence_start(&c, 0, false, 0);
	assert_true(vote(&c, 7200, 1000, &b));
	b = said(7079, 0);	/* An answer may be two minutes old. */
	assert_true(vote(&c, 7201, 1000, &b));
	b = said(7081, 0);
	assert_false(vote(&c, 7205, 1000, &b));
}

static void
without_any_answer_of_the_constraints_nothing_more_is_granted(void **state)
{
	struct confidence c;
	const struct bound b = { .wanted = true };

	(void)state;
	confidence_start(&c, 0, false, 0);
	votes(&c, 60, 86400, 1000, &b);
	assert_true(confidence_most(&c) == FREQ_USUAL);
}

static void
a_record_of_a_far_frequency_is_believed_at_the_start(void **state)
{
	static const struct {
		double freq;
		bool known;
		double most;
	} table[] = {
		{ 1000 * PPM, true, FREQ_FAR },
		{ -1000 * PPM, true, FREQ_FAR },
		{ 1000 * PPM, false, FREQ_USUAL },
		{ FREQ_USUAL, true, FREQ_USUAL },
		{ 12 * PPM, true, FREQ_USUAL },
	};
	struct confidence c;
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		confidence_start(&c, table[i].freq, table[i].known, 0);
		assert_true(confidence_most(&c) == table[i].most);
		/* A gap takes nothing away. */
		confidence_gap(&c);
		assert_true(confidence_most(&c) == table[i].most);
	}
}

static void
an_hour_of_a_majority_confirms(void **state)
{
	struct confidence c;

	(void)state;
	confidence_start(&c, 0, false, 0);
	votes(&c, 60, 3000, 30, &none);
	assert_false(c.known);
	votes(&c, 3060, 3700, 30, &none);
	assert_true(c.known);
	assert_true(fabs(left(&c, 300, 3700) - 30) < 3);
}

static void
what_minutes_have_taught_is_not_what_is_left(void **state)
{
	struct confidence c;

	(void)state;
	confidence_start(&c, 0, false, 0);
	votes(&c, 60, 7200, 30, &none);
	votes(&c, 7260, 10200, 330, &none); /* 49 minutes */
	assert_true(fabs(left(&c, 330, 10200) - 30) < 4);
}

static void
a_frequency_that_wanders_with_the_room_stays_confirmed(void **state)
{
	struct confidence c;
	double t;

	(void)state;
	confidence_start(&c, 0, false, 0);
	for (t = 60; t < 86400; t += 60)
		(void)vote(&c, t, 30 + 5 * sin(t / 13750), &none);
	/* What the room's temperature did since is kept. */
	t = 30 + 5 * sin(t / 13750);
	assert_true(fabs(left(&c, t, 86400) - t) < 0.001);
}

static void
what_nothing_has_confirmed_stays_within_a_crystal_s_tolerance(void **state)
{
	struct confidence c;

	(void)state;
	confidence_start(&c, 0, false, 0);
	(void)vote(&c, 60, 400, &none);
	assert_true(fabs(left(&c, 400, 700) - 100) < 0.001);
	assert_true(fabs(left(&c, 40, 700) - 40) < 0.001);
	assert_true(fabs(left(&c, -400, 700) + 100) < 0.001);
}

static void
the_drift_file_is_what_is_left_of_a_first_hour(void **state)
{
	struct confidence c;

	(void)state;
	confidence_start(&c, 12 * PPM, true, 0);
	votes(&c, 60, 1800, 200, &none);
	assert_true(fabs(left(&c, 200, 1800) - 12) < 3);
}

static void
constraints_that_contradict_confirm_nothing(void **state)
{
	struct confidence c;
	struct bound b = said(0, 0);

	(void)state;
	confidence_start(&c, 0, true, 0);
	votes(&c, 60, 3000, 400, &b);
	b = said(3000, 0); /* 1.2 s of liars */
	votes(&c, 3060, 6000, 400, &b);
	assert_true(fabs(left(&c, 400, 6000)) < 4);
}

/* Such a bound has no votes, and constraint_bound says that it was made now. */
static void
a_bound_that_is_lost_contradicts_nothing(void **state)
{
	const struct bound lost = { .wanted = true, .made = NS(3000) };
	struct confidence c;
	struct bound b = said(60, 60 * 400e-6);

	(void)state;
	confidence_start(&c, 0, false, 0);
	votes(&c, 60, 2940, 400, &b);
	votes(&c, 3000, 3660, 400, &lost);
	assert_true(c.known);
}

static void
a_leap_second_is_no_contradiction(void **state)
{
	struct confidence c;
	struct bound b = said(0, 0);

	(void)state;
	confidence_start(&c, 0, false, 0);
	votes(&c, 60, 660, 1000, &b);
	confidence_leapt(&c, -NS_PER_S);
	b = said(725, 725 * 1000e-6 - 1);
	(void)vote(&c, 730, 1000, &b);
	assert_true(confidence_most(&c) == FREQ_FAR);
	/* It does not take away what an hour confirms either. */
	votes(&c, 790, 3720, 1000, &b);
	assert_true(c.known);
}

static void
a_far_frequency_that_was_confirmed_stays_when_all_are_silent(void **state)
{
	struct confidence c;

	(void)state;
	confidence_start(&c, 0, false, 0);
	votes(&c, 60, 7200, 1000, &none);
	assert_true(fabs(left(&c, 1000, 7800) - 1000) < 3);
	assert_true(confidence_most(&c) == FREQ_FAR);
	/* A suspend does not change the oscillator either. */
	confidence_gap(&c);
	assert_true(confidence_most(&c) == FREQ_FAR);
}

static void
a_far_frequency_that_was_granted_in_minutes_does_not(void **state)
{
	struct confidence c;

	(void)state;
	confidence_start(&c, 0, false, 0);
	votes(&c, 60, 7200, 30, &none);
	votes(&c, 7260, 9000, 1000, &none);
	assert_true(confidence_most(&c) == FREQ_FAR);
	assert_true(fabs(left(&c, 1000, 9600) - 30) < 4);
	assert_true(confidence_most(&c) == FREQ_USUAL);
}

/* Constraints that disagree after ten minutes vouch for nothing. */
static void
a_bound_that_is_lost_grants_nothing(void **state)
{
	const struct bound lost = { .wanted = true, .made = NS(1720) };
	struct confidence c;
	struct bound b = said(1000, 3);

	(void)state;
	confidence_start(&c, 0, false, 0);
	votes(&c, 1060, 1660, 3000, &b);
	assert_true(vote(&c, 1720, 3000, &lost));
	assert_true(confidence_most(&c) == FREQ_USUAL);
}

/* The majority wants a far frequency from second "since" on.  The constraints
 * say what agrees with it at seconds "first" and "second".  Then the majority
 * votes at "at". */
static void
both_majority_and_answers_must_span_ten_minutes(void **state)
{
	static const struct {
		double since, first, second, at;
		bool ask, granted;
	} table[] = {
		{ 1100, 1000, 1650, 1699, false, false },
		{ 1100, 1000, 1650, 1700, false, true },
		{ 1100, 1150, 1749, 1749, false, false },
		{ 1100, 1150, 1749, 1750, true, false },
		{ 1100, 1150, 1750, 1750, false, true },
	};
	struct bound b;
	struct confidence c;
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		confidence_start(&c, 0, false, 0);
		b = (struct bound){ .wanted = true };
		if (table[i].first > table[i].since)
			assert_true(vote(&c, table[i].since, 3000, &b));
		b = said(table[i].first, table[i].first * 3000e-6);
		(void)vote(&c, fmax(table[i].since, table[i].first), 3000, &b);
		b = said(table[i].second, table[i].second * 3000e-6);
		if (vote(&c, table[i].at, 3000, &b) != table[i].ask ||
		    (confidence_most(&c) == FREQ_FAR) != table[i].granted)
			fail_msg("row %zu", i);
	}
}

static void
what_was_granted_is_not_asked_for_again(void **state)
{
	const struct bound lost = { .wanted = true };
	struct confidence c;
	struct bound b = said(0, 0);

	(void)state;
	confidence_start(&c, 0, false, 0);
	votes(&c, 60, 660, 3000, &b);
	b = said(725, 725 * 3000e-6);
	(void)vote(&c, 730, 3000, &b);
	assert_true(confidence_most(&c) == FREQ_FAR);
	assert_false(vote(&c, 790, 3000, &lost));
	assert_true(confidence_most(&c) == FREQ_FAR);
}

/* Each answer may be wrong by half a second. */
static void
answers_contradict_beyond_what_both_may_be_wrong_by(void **state)
{
	static const struct {
		double moved; /* s, at a frequency of 0 */
		bool confirmed;
	} table[] = { { 0, true }, { 1, true }, { -1, true }, { 1.001, false },
		{ -1.001, false } };
	struct confidence c;
	struct bound b;
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		confidence_start(&c, 50 * PPM, false, 0);
		b = said(0, 0);
		(void)vote(&c, 60, 0, &b);
		b = said(3000, table[i].moved);
		votes(&c, 3000, 3660, 0, &b);
		assert_int_equal(c.known, table[i].confirmed);
	}
}

static void
only_what_is_well_known_and_granted_is_confirmed(void **state)
{
	static const struct {
		double freq, freq_sd;
		bool confirmed;
	} table[] = {
		{ 30 * PPM, 1 * PPM, true }, { 30 * PPM, 1.1 * PPM, false },
		{ FREQ_USUAL, 1 * PPM, true },
		/* No constraint has answered, so this is not granted. */
		{ 1000 * PPM, 0.1 * PPM, false },
	};
	const struct bound b = { .wanted = true };
	struct confidence c;
	struct verdict v;
	size_t i;
	double t;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		confidence_start(&c, 0, false, 0);
		for (t = 60; t < 7200; t += 60) {
			v = (struct verdict){ .raw = NS(t),
			    .freq = table[i].freq,
			    .freq_sd = table[i].freq_sd };
			(void)confidence_vote(&c, &v, &b);
		}
		assert_int_equal(c.known, table[i].confirmed);
	}
}

static void
a_frequency_that_moves_begins_its_hour_anew(void **state)
{
	static const struct {
		double moved, sd; /* ppm */
		bool confirmed;
	} table[] = {
		{ 4.2, 0.1, true }, { 4.4, 0.1, false },
		{ 6.6, 0.9, true }, { 6.8, 0.9, false },
	};
	struct confidence c;
	struct verdict v;
	size_t i;
	double t;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		confidence_start(&c, 0, false, 0);
		votes(&c, 60, 1800, 30, &none);
		for (t = 1860; t <= 3660; t += 60) {
			v = (struct verdict){ .raw = NS(t),
			    .freq = (30 + table[i].moved) * PPM,
			    .freq_sd = table[i].sd * PPM };
			(void)confidence_vote(&c, &v, &none);
		}
		assert_int_equal(c.known, table[i].confirmed);
	}
}

/* 400 ppm are 0.36 s in the 15 minutes between two answers, and 1.4 s in an
 * hour. */
static void
the_answers_of_a_whole_hour_are_compared(void **state)
{
	static const struct {
		double first; /* s: of the constraints' answers */
		double ppm;   /* what they say */
		bool confirmed;
	} table[] = {
		{ 0, 400, true }, { 0, 0, false },
		{ 300, 400, true }, { 300, 0, false },
	};
	struct bound b;
	struct confidence c;
	size_t i;
	double t;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		confidence_start(&c, 0, false, 0);
		b = (struct bound){ .wanted = true };
		votes(&c, 60, table[i].first, 400, &b);
		for (t = table[i].first; t < 3900; t += 900) {
			b = said(t, t * table[i].ppm * PPM);
			votes(&c, t + 60, t + 900, 400, &b);
		}
		assert_int_equal(c.known, table[i].confirmed);
	}
}

static void
what_is_left_is_as_near_as_temperature_allows(void **state)
{
	static const struct {
		double hours;	/* since it was confirmed at 30 ppm */
		double most;	/* ppm */
	} table[] = { { 0, 32 }, { 1, 33 }, { 10, 42 }, { 15, 47 },
		{ 1000, 47 } };
	struct confidence c;
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		confidence_start(&c, 30 * PPM, true, 0);
		assert_true(fabs(left(&c, 300, table[i].hours * 3600) -
		    table[i].most) < 0.001);
		assert_true(fabs(left(&c, -300, table[i].hours * 3600) -
		    (60 - table[i].most)) < 0.001);
	}
}

static void
tells_that_nobody_is_believed_until_the_next_vote(void **state)
{
	struct confidence c;

	(void)state;
	confidence_start(&c, 0, false, 0);
	assert_false(c.fell_back);
	(void)left(&c, 30, 60);
	assert_true(c.fell_back);
	(void)vote(&c, 120, 30, &none);
	assert_false(c.fell_back);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crystal_s_frequency_is_granted_at_once),
		cmocka_unit_test(more_takes_ten_minutes_of_a_majority),
		cmocka_unit_test(
		    an_election_that_fails_begins_the_ten_minutes_anew),
		cmocka_unit_test(
		    constraints_must_be_asked_again_before_more_is_granted),
		cmocka_unit_test(constraints_that_contradict_grant_nothing),
		cmocka_unit_test(
		    an_answer_of_hours_ago_does_not_tell_where_it_began),
		cmocka_unit_test(
		    without_any_answer_of_the_constraints_nothing_more_is_granted),
		cmocka_unit_test(
		    a_record_of_a_far_frequency_is_believed_at_the_start),
		cmocka_unit_test(an_hour_of_a_majority_confirms),
		cmocka_unit_test(what_minutes_have_taught_is_not_what_is_left),
		cmocka_unit_test(
		    a_frequency_that_wanders_with_the_room_stays_confirmed),
		cmocka_unit_test(
		    what_nothing_has_confirmed_stays_within_a_crystal_s_tolerance),
		cmocka_unit_test(
		    the_drift_file_is_what_is_left_of_a_first_hour),
		cmocka_unit_test(constraints_that_contradict_confirm_nothing),
		cmocka_unit_test(a_bound_that_is_lost_contradicts_nothing),
		cmocka_unit_test(a_leap_second_is_no_contradiction),
		cmocka_unit_test(
		    a_far_frequency_that_was_confirmed_stays_when_all_are_silent),
		cmocka_unit_test(
		    a_far_frequency_that_was_granted_in_minutes_does_not),
		cmocka_unit_test(a_bound_that_is_lost_grants_nothing),
		cmocka_unit_test(
		    both_majority_and_answers_must_span_ten_minutes),
		cmocka_unit_test(what_was_granted_is_not_asked_for_again),
		cmocka_unit_test(
		    answers_contradict_beyond_what_both_may_be_wrong_by),
		cmocka_unit_test(
		    only_what_is_well_known_and_granted_is_confirmed),
		cmocka_unit_test(a_frequency_that_moves_begins_its_hour_anew),
		cmocka_unit_test(the_answers_of_a_whole_hour_are_compared),
		cmocka_unit_test(what_is_left_is_as_near_as_temperature_allows),
		cmocka_unit_test(
		    tells_that_nobody_is_believed_until_the_next_vote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
