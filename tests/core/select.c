/*
 * select.c - what select.c promises: a minority never decides, and the
 * rest is weighed by how near it is.
 */
#include "core/conf.h"
#include "core/filter.h"
#include "core/ntp.h"
#include "core/select.h"
#include "core/source.h"
#include "tests/test.h"

#define RAW (5000 * S)
#define AHEAD (1790000000 * S)
#define MS 1e-3

/* A server whose clock is off by "off", give or take distance (both s). */
static struct candidate
at(double off, double distance)
{
	return (struct candidate){
		.raw = RAW, .ahead = AHEAD + llrint(off * 1e9),
		.sd = distance / 100, .freq_sd = 0.1 * PPM,
		.distance = distance, .delay = 2 * distance, .weight = 1,
		.stratum = 1, .samples = 10
	};
}

static double
off(const struct verdict *v)
{
	return (double)(v->ahead - AHEAD) * 1e-9;
}

static bool
vote(struct candidate c[], int n, struct verdict *v)
{
	int i;

	for (i = 0; i < n; i++)
		c[i].index = i;
	return select_vote(c, n, v);
}

static void
nobody_elects_nobody(void **state)
{
	struct verdict v;

	(void)state;
	assert_false(select_vote(NULL, 0, &v));
	assert_int_equal(v.agree, 0);
	assert_int_equal(v.of, 0);
}

static void
one_server_is_believed(void **state)
{
	struct candidate c[] = { at(0.25, 5 * MS) };
	struct verdict v;

	(void)state;
	assert_true(vote(c, 1, &v));
	assert_int_equal(c[0].said, SELECT_SYSTEM);
	assert_true(fabs(off(&v) - 0.25) < 1e-9);
	assert_true(fabs(v.distance - 5 * MS) < 1e-9);
	assert_int_equal(v.stratum, 2);
}

/* A root distance widens what may be true, not what our own clock may be off
 * by: the path stays what the best servers' paths are. */
static void
the_path_is_not_the_root_distance(void **state)
{
	struct candidate c[] = { at(0, 10), at(0.5, 10), at(-0.2, 0.5) };
	struct verdict v;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		c[i].sd = 10e-6;
		c[i].path = i == 2 ? 5 * MS : 1 * MS;
	}
	assert_true(vote(c, 1, &v));
	assert_true(v.distance > 9.9);
	assert_true(fabs(v.path - 1 * MS) < 1e-6);
	assert_true(vote(c, 3, &v));
	assert_true(v.path > 1 * MS && v.path <= 5 * MS);
	c[0].path = 20; /* never more than the truth may be away */
	assert_true(vote(c, 1, &v));
	assert_true(v.path <= v.distance);
}

/* Offsets in units of the distance; what is expected of each. */
static void
majority_decides(void **state)
{
	enum { F = SELECT_FALSE, U = SELECT_USED, N = SELECT_NONE };
	static const struct {
		int n, agree;
		double off[5];
		int said[5];		/* SYSTEM counts as USED */
	} table[] = {
		{ 2, 2, { 0, 1 }, { U, U } },
		{ 2, 2, { 0, 2 }, { U, U } },		/* just touch */
		{ 2, 2, { 2, 0 }, { U, U } },
		{ 2, 1, { 0, 2.01 }, { N, N } },	/* disagree */
		{ 3, 2, { 0, 1, 100 }, { U, U, F } },
		{ 3, 2, { -100, 0, 1 }, { F, U, U } },
		{ 3, 1, { 0, 10, 20 }, { N, N, N } },
		{ 4, 3, { 0, 1, 100, 0.5 }, { U, U, F, U } },
		{ 4, 2, { 0, 1, 100, 101 }, { N, N, N, N } },
		{ 5, 3, { 0, 0, 0, 50, 50 }, { U, U, U, F, F } },
		{ 5, 3, { 50, 50, 0, 0, 0 }, { F, F, U, U, U } },
	};
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct candidate c[5];
		struct verdict v;

		for (k = 0; k < table[i].n; k++)
			c[k] = at(table[i].off[k] * MS, 1 * MS);
		assert_int_equal(vote(c, table[i].n, &v),
		    table[i].agree * 2 > table[i].n);
		assert_int_equal(v.agree, table[i].agree);
		assert_int_equal(v.of, table[i].n);
		for (k = 0; k < table[i].n; k++) {
			int said = c[k].said == SELECT_SYSTEM ? U :
			    (int)c[k].said;

			assert_int_equal(said, table[i].said[k]);
		}
	}
}

static void
order_does_not_matter(void **state)
{
	static const int order[][4] = {
		{ 0, 1, 2, 3 }, { 3, 2, 1, 0 }, { 2, 0, 3, 1 }, { 1, 3, 0, 2 }
	};
	struct candidate base[] = { at(0, 5 * MS), at(1 * MS, 10 * MS),
	    at(1, 15 * MS), at(-2 * MS, 20 * MS) };
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < LEN(order); i++) {
		struct candidate c[4];
		struct verdict v;

		for (k = 0; k < 4; k++)
			c[k] = base[order[i][k]];
		assert_true(vote(c, 4, &v));
		assert_true(fabs(off(&v) - 2 * MS / 21) < 1e-8);
		assert_int_equal(order[i][v.system], 0);
	}
}

static void
equal_crowds_are_told_apart_by_their_weight(void **state)
{
	/* b agrees with a and with c, which disagree: the nearer pair wins */
	struct candidate c[] = { at(0, 1 * MS), at(1.5 * MS, 1 * MS),
	    at(3.4 * MS, 1.2 * MS) };
	struct verdict v;

	(void)state;
	assert_true(vote(c, 3, &v));
	assert_int_equal(c[2].said, SELECT_FALSE);
	c[0].distance = 1.2 * MS, c[2].distance = 1 * MS;
	assert_true(vote(c, 3, &v));
	assert_int_equal(c[0].said, SELECT_FALSE);
}

static void
weight_is_one_over_distance_squared(void **state)
{
	struct candidate c[] = { at(0, 10 * MS), at(10 * MS, 20 * MS) };
	struct verdict v;

	(void)state;
	assert_true(vote(c, 2, &v));
	assert_true(fabs(off(&v) - 10 * MS / 5) < 1e-8);
	/* the configuration's weight multiplies it */
	c[1].weight = 4;
	assert_true(vote(c, 2, &v));
	assert_true(fabs(off(&v) - 10 * MS / 2) < 1e-8);
}

static void
lower_stratum_counts_more(void **state)
{
	struct candidate c[] = { at(0, 1 * MS), at(1 * MS, 1 * MS) };
	struct verdict v;

	(void)state;
	c[0].stratum = 3;
	c[1].stratum = 2;
	assert_true(vote(c, 2, &v));
	assert_true(fabs(off(&v) - 0.8 * MS) < 1e-8);
	assert_int_equal(v.system, 1);
	assert_int_equal(v.stratum, 3);
}

static void
frequency_that_stands_apart_is_left_out(void **state)
{
	struct candidate c[] = { at(0, 5 * MS), at(0, 5 * MS), at(1 * MS, 5 * MS) };
	struct verdict v;

	(void)state;
	c[2].freq = 20 * PPM;
	assert_true(vote(c, 3, &v));
	assert_int_equal(c[2].said, SELECT_OUTLIER);
	assert_true(fabs(off(&v)) < 1e-9);
	/* uncertain ones may differ */
	c[2].freq_sd = 10 * PPM;
	assert_true(vote(c, 3, &v));
	assert_int_equal(c[2].said, SELECT_USED);
	/* of two, nobody knows which one is right */
	c[1].freq = 20 * PPM;
	assert_true(vote(c, 2, &v));
	assert_true(c[0].said >= SELECT_USED && c[1].said >= SELECT_USED);
}

/* The frequencies have 0.1 ppm of deviation, so what is within 1.5 ppm of the
 * median agrees.  Nobody knows which one of two camps is right. */
static void
frequencies_are_judged_by_their_median(void **state)
{
	enum { O = SELECT_OUTLIER, U = SELECT_USED };
	static const struct {
		int n;
		double ppm[6];
		int said[6];		/* SELECT_SYSTEM counts as U */
	} table[] = {
		{ 3, { 0, 1, 30 }, { U, U, O } },
		{ 3, { 30, 0, 1 }, { O, U, U } },
		{ 3, { 0, 30, 1 }, { U, O, U } },
		{ 3, { 1, 0, -30 }, { U, U, O } },
		{ 3, { 0, 0, 1.6 }, { U, U, O } },
		{ 3, { 0, 0, 1.4 }, { U, U, U } },
		/* The median of an even number is between the two in the
		 * middle. */
		{ 6, { 0, 0, 0, 2.8, 2.8, 30 }, { U, U, U, U, U, O } },
		/* Half of all are a camp. */
		{ 4, { -5, 0, 0, 20 }, { U, U, U, U } },
		{ 5, { -5, 0, 0, 0, 20 }, { O, U, U, U, O } },
	};
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct candidate c[6];
		struct verdict v;

		for (k = 0; k < table[i].n; k++) {
			c[k] = at(0, 5 * MS);
			c[k].freq = table[i].ppm[k] * PPM;
		}
		assert_true(vote(c, table[i].n, &v));
		for (k = 0; k < table[i].n; k++) {
			int said = c[k].said == SELECT_SYSTEM ? U :
			    (int)c[k].said;

			if (said != table[i].said[k])
				fail_msg("row %zu, server %d", i, k);
		}
	}
}

/* What lies behind the last candidate is none, whatever was said of it. */
static void
only_n_candidates_take_part(void **state)
{
	static const enum select_said before[] = {
		SELECT_NONE, SELECT_FALSE, SELECT_OUTLIER, SELECT_USED
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(before); i++) {
		struct candidate c[] = { at(0, 5 * MS), at(0, 5 * MS),
		    at(0, 5 * MS), at(3 * MS, 20 * MS) };
		struct verdict v;

		c[3].weight = 1000;
		c[2].freq = 1.6 * PPM;		/* stands apart */
		c[3].freq = 30 * PPM;
		c[3].leap = LEAP_INSERT;
		c[3].heard = RAW;
		c[3].said = before[i];
		assert_true(vote(c, 3, &v));
		assert_int_equal(v.of, 3);
		assert_true(off(&v) == 0 && v.freq == 0 && v.heard == 0);
		assert_int_equal(v.system, 0);
		assert_int_equal(c[2].said, SELECT_OUTLIER);
		assert_int_equal(c[3].said, before[i]);
		/* The same holds where all of two camps are used. */
		c[0].freq = -30 * PPM;
		assert_true(vote(c, 3, &v));
		assert_int_equal(c[0].said, SELECT_SYSTEM);
		assert_int_equal(c[3].said, before[i]);
	}
}

static void
frequencies_count_by_how_sure_they_are(void **state)
{
	struct candidate c[] = { at(0, 5 * MS), at(0, 5 * MS) };
	struct verdict v;

	(void)state;
	c[0].freq = 10 * PPM;
	c[0].freq_sd = 0.2 * PPM;
	c[1].freq_sd = 0.1 * PPM;
	assert_true(vote(c, 2, &v));
	assert_true(fabs(v.freq - 2 * PPM) < 1e-12);
	assert_true(fabs(v.freq_sd - 0.1 * PPM / sqrt(1.25)) < 1e-12);
	c[0].freq_sd = 0;
	assert_true(vote(c, 2, &v));
	assert_true(fabs(v.freq - 10 * PPM) < 1e-12);
}

static void
doubt_widens_the_interval_and_takes_no_weight(void **state)
{
	struct candidate c[] = { at(0, 5 * MS), at(12 * MS, 5 * MS) };
	struct verdict v;

	(void)state;
	assert_false(vote(c, 2, &v));
	c[1].doubt = 4 * MS;
	assert_true(vote(c, 2, &v));
	assert_true(fabs(off(&v) - 6 * MS) < 1e-6);
}

/* A liar that shows long delays agrees with everybody, and is near by. */
static void
doubt_beyond_the_distance_takes_weight(void **state)
{
	struct candidate c[] = { at(0, 2 * MS), at(0, 2 * MS), at(0, 2 * MS),
	    at(5, 4 * MS) };
	struct verdict v;

	(void)state;
	c[3].doubt = 6;
	assert_true(vote(c, 4, &v));
	assert_true(fabs(off(&v)) < 1e-6);
}

/* Our oscillator has changed; samples from before do not show it yet. */
static void
our_own_change_makes_no_falseticker(void **state)
{
	static const double ppm[] = { 15, -15, 50 };
	size_t i, k;

	(void)state;
	for (i = 0; i < LEN(ppm); i++) {
		struct candidate c[4];
		struct verdict v;

		for (k = 0; k < LEN(c); k++) {
			/* the first has just been asked, the others not yet */
			c[k] = at(ppm[i] * PPM * 16 * (double)k, 0.1 * MS);
			c[k].heard = RAW - (int64_t)(16 * k) * S;
		}
		assert_true(vote(c, 4, &v));
		for (k = 0; k < LEN(c); k++)
			assert_true(c[k].said >= SELECT_OUTLIER);
		/* samples of the same age are worth the same */
		for (k = 0; k < LEN(c); k++)
			c[k].heard = RAW;
		assert_false(vote(c, 4, &v));
	}
}

static void
our_own_change_may_divide_them_in_halves(void **state)
{
	struct candidate c[4];
	struct verdict v;
	int k;

	(void)state;
	for (k = 0; k < 4; k++) {
		c[k] = at(k < 2 ? 0 : 50 * PPM * 16, 0.1 * MS);
		c[k].heard = k < 2 ? RAW : RAW - 16 * S;
	}
	assert_true(vote(c, 4, &v));
	assert_int_equal(v.agree, 4);
}

/* Nor is it used: a near liar with a short interval would have all the weight. */
static void
falseticker_has_no_benefit_of_the_doubt(void **state)
{
	struct candidate c[4];
	struct verdict v;
	int k;

	(void)state;
	for (k = 0; k < 4; k++) {
		c[k] = at(k == 0 ? 2 * MS : 0, k == 0 ? 0.01 * MS : 0.1 * MS);
		c[k].heard = k == 0 ? RAW : RAW - 64 * S;
	}
	assert_true(vote(c, 4, &v));
	assert_int_equal(v.agree, 3);
	assert_int_equal(c[0].said, SELECT_OUTLIER);
	assert_true(fabs(off(&v)) < 1e-9);
	assert_true(v.distance < 0.2 * MS);
	c[0].outside = true;
	assert_true(vote(c, 4, &v));
	assert_int_equal(c[0].said, SELECT_FALSE);
}

static void
two_camps_of_frequencies_leave_nobody_out(void **state)
{
	struct candidate c[] = { at(0, 5 * MS), at(0, 5 * MS), at(0, 5 * MS),
	    at(0, 5 * MS) };
	struct verdict v;
	int i;

	(void)state;
	/* the median lies between them, far from all */
	c[2].freq = c[3].freq = 20 * PPM;
	assert_true(vote(c, 4, &v));
	for (i = 0; i < 4; i++)
		assert_true(c[i].said >= SELECT_USED);
	assert_true(fabs(v.freq - 10 * PPM) < 1e-9);
}

static void
leap_is_announced_by_a_majority_of_the_used(void **state)
{
	/* the fourth is a falseticker */
	static const struct { int leap[4]; int expected; } table[] = {
		{ { 0, 0, 0, 0 }, LEAP_NONE },
		{ { 1, 0, 0, 0 }, LEAP_NONE },
		{ { 1, 0, 0, 1 }, LEAP_NONE },
		{ { 1, 1, 0, 0 }, LEAP_INSERT },
		{ { 1, 1, 1, 0 }, LEAP_INSERT },
		{ { 2, 2, 2, 1 }, LEAP_DELETE },
		{ { 1, 2, 0, 2 }, LEAP_NONE },
	};
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct candidate c[4];
		struct verdict v;

		for (k = 0; k < 4; k++) {
			c[k] = at(k == 3 ? 1 : 0, 5 * MS);
			c[k].leap = (uint8_t)table[i].leap[k];
		}
		assert_true(vote(c, 4, &v));
		assert_int_equal(v.leap, table[i].expected);
	}
}

static void
half_of_the_used_announce_no_leap(void **state)
{
	static const int leap[][4] = { { 1, 1, 0, 0 }, { 2, 2, 0, 0 },
		{ 1, 1, 2, 2 } };
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < LEN(leap); i++) {
		struct candidate c[4];
		struct verdict v;

		for (k = 0; k < 4; k++) {
			c[k] = at(0, 5 * MS);
			c[k].leap = (uint8_t)leap[i][k];
		}
		assert_true(vote(c, 4, &v));
		assert_int_equal(v.leap, LEAP_NONE);
	}
}

static void
result_names_the_best_one(void **state)
{
	struct candidate c[] = { at(0, 20 * MS), at(0, 5 * MS) };
	struct verdict v;

	(void)state;
	c[1].refid = 0xc0000201;
	c[1].root_delay = 30 * MS;
	c[1].root_dispersion = 2 * MS;
	c[1].samples = 7;
	assert_true(vote(c, 2, &v));
	assert_int_equal(v.system, 1);
	assert_int_equal(c[1].said, SELECT_SYSTEM);
	assert_int_equal(c[0].said, SELECT_USED);
	assert_int_equal(v.refid, 0xc0000201);
	assert_int_equal(v.samples, 7);
	assert_true(fabs(v.root_delay - 40 * MS) < 1e-9);
	assert_true(fabs(v.root_dispersion - (2 * MS + 2 * v.sd)) < 1e-9);
	/* The distance from the result to the best one's time is added. */
	c[0].ahead += 17 * S / 1000;
	assert_true(vote(c, 2, &v));
	assert_true(fabs(off(&v) - 1 * MS) < 1e-9);
	assert_true(fabs(v.root_dispersion - (3 * MS + 2 * v.sd)) < 1e-9);
}

static void
distance_reaches_to_the_ends_of_what_all_agree_on(void **state)
{
	/* The first two are the second candidate's, the others are the ends
	 * of what both have in common; all are in ms. */
	static const struct {
		double off, distance, low, high;
	} table[] = {
		{ 8, 10, -2, 10 }, { -8, 10, -10, 2 },
		{ 8, 20, -10, 10 }, { -8, 20, -10, 10 },
	};
	struct candidate c[2];
	struct verdict v;
	size_t i;
	double x;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		c[0] = at(0, 10 * MS);
		c[1] = at(table[i].off * MS, table[i].distance * MS);
		assert_true(vote(c, 2, &v));
		x = off(&v);
		assert_true(fabs(v.distance - fmax(table[i].high * MS - x,
		    x - table[i].low * MS)) < 1e-8);
	}
	/* The distance is never less than the noise. */
	c[0].sd = c[1].sd = 20 * MS;
	assert_true(vote(c, 2, &v));
	assert_true(v.distance >= 79 * MS);
}

static void
numbers_that_are_none_do_not_stand(void **state)
{
	static const double bad[] = { NAN, INFINITY, -INFINITY, -1, 1e9,
		1e300 };
	struct candidate zero = at(0, 5 * MS);
	struct verdict v;
	size_t i, field;

	(void)state;
	for (i = 0; i < LEN(bad); i++)
		for (field = 0; field < 4; field++) {
			struct candidate c[] = { at(1, 1 * MS), at(0, 5 * MS),
			    at(1 * MS, 5 * MS) };
			double *of[] = { &c[0].distance, &c[0].doubt,
			    &c[0].sd, &c[0].freq_sd };

			*of[field] = bad[i];
			/* If it stands alone, nobody is elected. */
			assert_false(vote(c, 1, &v));
			assert_int_equal(v.of, 0);
			/* Beside others it is not counted. */
			assert_true(vote(c, 3, &v));
			assert_int_equal(v.of, 2);
			assert_int_equal(c[0].said, SELECT_NONE);
			assert_true(fabs(off(&v)) < 1 * MS);
			assert_true(isfinite(v.distance) && v.sd >= 0);
		}
	/* Nobody knows the time exactly, so a distance of zero is wrong. */
	zero.distance = 0;
	assert_false(vote(&zero, 1, &v));
}

static void
thousands_of_candidates_are_no_problem(void **state)
{
	struct candidate *c = calloc(SOURCES_MAX, sizeof *c);
	struct verdict v;
	int i;

	(void)state;
	assert_non_null(c);
	for (i = 0; i < SOURCES_MAX; i++)
		c[i] = at(i % 2 ? 0.1 * i : (i % 7) * 0.1 * MS, 5 * MS);
	c[1] = at(0, 5 * MS);
	assert_true(vote(c, SOURCES_MAX, &v));
	assert_int_equal(v.agree, SOURCES_MAX / 2 + 1);
	free(c);
}

static void
first_set_waits_for_enough_answers(void **state)
{
	static const struct {
		int counted, answered, agree;
		double waited;
		bool may;
	} table[] = {
		{ 0, 0, 0, 10, false },
		{ 1, 0, 0, 10, false },
		{ 1, 1, 1, 0, true },
		{ 2, 1, 1, 0, false },	/* all of two */
		{ 2, 1, 1, 2.49, false },
		{ 2, 1, 1, 2.5, true },
		{ 2, 2, 2, 0, true },
		{ 2, 2, 1, 10, false },	/* disagree */
		{ 3, 1, 1, 0, false },
		{ 3, 2, 2, 0, true },
		{ 3, 3, 1, 10, false },
		{ 3, 3, 2, 0, true },
		{ 4, 2, 2, 0, false },	/* half is not more than half */
		{ 4, 2, 2, 3, true },
		{ 4, 3, 2, 0, false },	/* the last one may decide */
		{ 4, 3, 2, 2.5, true },
		{ 4, 3, 3, 0, true },
		{ 5, 3, 2, 0, false },	/* two liars came first */
		{ 5, 4, 3, 0, true },
		{ 4, 4, 2, 10, false },
		{ 8, 5, 3, 0, false },
		{ 8, 5, 3, 2.5, true },
		{ 8, 5, 5, 0, true },
		{ 8, 1, 1, 3, true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++)
		assert_int_equal(select_first(table[i].counted,
		    table[i].answered, table[i].agree, table[i].waited),
		    table[i].may);
}

/* --------------------------------------------------------------------- joint */

/* A server of the joint filter's tests.  It is a falseticker if its distance
 * excludes what the majority agrees on. */
struct member {
	double offset, distance; /* s */
};

/* Hold an election.  The interval must stay where it was, and the weighted mean
 * of the biases of those that are used must be zero. */
static void
join(struct filter *joint, struct candidate c[], int n, struct verdict *v)
{
	struct verdict before;
	double sum = 0, w = 0;
	int i;

	assert_true(select_vote(c, n, v));
	before = *v;
	select_join(joint, c, n, v);
	assert_true(fabs(v->distance - before.distance -
	    fabs((double)(v->ahead - before.ahead)) * 1e-9) < 1e-12);
	for (i = 0; i < n; i++)
		if (c[i].said >= SELECT_USED && c[i].filter->joined > 0) {
			w += 1 / (c[i].distance * c[i].distance);
			sum += c[i].filter->bias / (c[i].distance *
			    c[i].distance);
		}
	assert_true(w == 0 || fabs(sum / w) < 1e-9);
}

/* Each of n servers is asked every 64 s.  *v is the joint verdict of the last
 * election. */
static void
run_joint(struct filter *joint, struct filter f[], const struct member m[],
    int n, int rounds, struct verdict *v)
{
	struct sample s[4];
	struct candidate c[4];
	struct estimate e;
	int i, k;

	filter_reset(joint, 0, 100 * PPM);
	for (i = 0; i < n; i++)
		filter_reset(&f[i], 0, 100 * PPM);
	for (k = 0; k < rounds * n; k++) {
		int64_t raw = RAW + k * 64 * S / n;

		i = k % n;
		s[i] = (struct sample){ .raw = raw,
		    .ahead = AHEAD + llrint(m[i].offset * 1e9),
		    .delay = 10 * MS + (k % 5) * 0.1 * MS, .precision = 1e-7 };
		(void)filter_learn(&f[i], &s[i]);
		if (k < n)
			continue;
		for (i = 0; i < n; i++) {
			assert_true(filter_estimate(&f[i], raw, &e));
			c[i] = at(0, m[i].distance);
			c[i].index = i;
			c[i].raw = raw;
			c[i].ahead = e.ahead;
			c[i].sd = e.sd;
			c[i].freq = e.freq;
			c[i].freq_sd = e.freq_sd;
			c[i].filter = &f[i];
			c[i].sample = &s[i];
		}
		join(joint, c, n, v);
	}
}

static void
joint_time_is_the_weighted_mean(void **state)
{
	static const struct {
		struct member m[4];
		int n;
		double mean;
	} table[] = {
		{ { { 1 * MS, 5 * MS }, { -2 * MS, 5 * MS },
		    { 4 * MS, 5 * MS } }, 3, 1 * MS },
		{ { { 4 * MS, 5 * MS }, { 1 * MS, 5 * MS },
		    { -2 * MS, 5 * MS } }, 3, 1 * MS },
		{ { { 0, 10 * MS }, { 5 * MS, 5 * MS } }, 2, 4 * MS },
		/* A falseticker has no part in it. */
		{ { { 1, 1 * MS }, { 4 * MS, 5 * MS }, { 1 * MS, 5 * MS },
		    { -2 * MS, 5 * MS } }, 4, 1 * MS },
	};
	struct filter f[4], joint;
	struct verdict v;
	size_t i;
	int k, n;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		n = table[i].n;
		run_joint(&joint, f, table[i].m, n, 100, &v);
		if (fabs(off(&v) - table[i].mean) > 100e-6)
			fail_msg("row %zu: %g", i, off(&v));
		assert_true(v.sd < 100e-6);
		for (k = 0; k < n; k++) {
			if (table[i].m[k].offset > 0.5) {
				assert_int_equal(f[k].joined, 0);
				continue;
			}
			assert_true(f[k].joined > 0);
			assert_true(fabs(f[k].bias -
			    (table[i].m[k].offset - table[i].mean)) < 100e-6);
		}
	}
}

static void
joint_of_one_is_that_one(void **state)
{
	static const struct member m[] = { { 2 * MS, 5 * MS } };
	struct filter f, joint;
	struct verdict v;

	(void)state;
	run_joint(&joint, &f, m, 1, 100, &v);
	assert_true(fabs(off(&v) - 2 * MS) < 20e-6);
	assert_true(fabs(f.bias) < 1e-9);
}

static void
who_is_a_falseticker_now_has_no_say_in_the_mean(void **state)
{
	static const struct member m[] = { { 4 * MS, 5 * MS },
		{ 1 * MS, 5 * MS }, { -2 * MS, 5 * MS } };
	struct candidate c[] = { at(1, 5 * MS), at(0, 5 * MS), at(0, 5 * MS) };
	struct sample s[3];
	struct filter f[3], joint;
	struct verdict v;
	int i;

	(void)state;
	run_joint(&joint, f, m, 3, 100, &v);
	for (i = 0; i < 3; i++) {
		s[i] = (struct sample){ .raw = f[i].joined_at };
		c[i].raw = f[2].joined_at;
		c[i].filter = &f[i];
		c[i].sample = &s[i];
	}
	join(&joint, c, 3, &v);
	assert_int_equal(c[0].said, SELECT_FALSE);
	assert_true(fabs(f[1].bias + f[2].bias) < 1e-9);
	assert_true(fabs(f[0].bias - f[1].bias - 3 * MS) < 100e-6);
}

/* The share is the part that its weight has of all weights.  A falseticker is
 * asked as one of n. */
static void
each_has_its_share_of_the_work(void **state)
{
	static const struct member m[] = { { 0, 5 * MS }, { 1 * MS, 10 * MS },
		{ 1 * MS, 10 * MS }, { 1, 5 * MS } };
	static const double share[] = { 4 / 6., 1 / 6., 1 / 6., 1 / 4. };
	struct filter f[4], joint;
	struct verdict v;
	size_t i;

	(void)state;
	run_joint(&joint, f, m, 4, 20, &v);
	for (i = 0; i < LEN(share); i++)
		assert_true(fabs(f[i].share - share[i]) < 1e-9);
}

/* Both servers have a deviation of 1 ms and a distance of 5 ms.  The joint
 * filter's own deviation is some us. */
static void
joint_filter_that_lost_its_way_begins_again(void **state)
{
	static const struct member m[] = { { 0, 5 * MS }, { 0, 5 * MS } };
	static const struct {
		double lost; /* s */
		bool anew;
	} table[] = {
		{ 1, true }, { -1, true }, { 4.5 * MS, true },
		{ -4.5 * MS, true }, { 3.5 * MS, false }, { -3.5 * MS, false },
	};
	struct filter f[2], joint;
	struct verdict v;
	double before;
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct candidate c[] = { at(0, 5 * MS), at(0, 5 * MS) };
		struct sample s, t;

		run_joint(&joint, f, m, 2, 50, &v);
		filter_shift(&joint, llrint(table[i].lost * 1e9));
		s = (struct sample){ .raw = f[0].joined_at };
		t = (struct sample){ .raw = f[1].joined_at };
		c[0].filter = &f[0], c[0].sample = &s;
		c[1].filter = &f[1], c[1].sample = &t;
		c[0].raw = c[1].raw = f[1].joined_at;
		c[0].sd = c[1].sd = 1 * MS;
		assert_true(vote(c, 2, &v));
		before = off(&v);
		join(&joint, c, 2, &v);
		assert_int_equal(joint.samples == 0, table[i].anew);
		if (!table[i].anew)
			continue;
		assert_true(fabs(off(&v) - before) < 1e-9);
		/* The samples that it has had are no new ones. */
		join(&joint, c, 2, &v);
		assert_int_equal(joint.samples, 0);
		assert_true(isfinite(f[0].bias) && isfinite(f[1].bias));
		assert_true(fabs(off(&v) - before) < 1e-9);
	}
}

/* A sensor that nobody trusts: precise, of stratum 0, and without a vote. */
static struct candidate
follower(double off)
{
	struct candidate c = at(off, 0.1 * MS);

	c.follows = true;
	c.stratum = 0;
	return c;
}

static void
those_without_a_vote_elect_nobody(void **state)
{
	struct candidate c[] = { follower(0), follower(0), follower(0) };
	struct candidate d[] = { at(0, 5 * MS), follower(1), follower(1),
		follower(1), follower(1) };
	struct candidate e[] = { at(0, 5 * MS), at(1, 5 * MS), follower(1),
		follower(1) };
	struct verdict v;
	int i;

	(void)state;
	assert_false(vote(c, 3, &v));
	assert_int_equal(v.of, 0);
	/* Four that say the same do not outvote one server. */
	assert_true(vote(d, 5, &v));
	assert_int_equal(v.agree, 1);
	assert_int_equal(v.of, 1);
	assert_true(fabs(off(&v)) < 1e-9);
	for (i = 1; i < 5; i++)
		assert_int_equal(d[i].said, SELECT_FALSE);
	/* Nor do they decide between two. */
	assert_false(vote(e, 4, &v));
	assert_int_equal(v.of, 2);
}

/* They are used where they agree, but the bound is the servers' own. */
static void
those_without_a_vote_are_used_while_they_agree(void **state)
{
	struct candidate c[] = { at(0, 5 * MS), at(1 * MS, 5 * MS),
		follower(2 * MS), follower(9 * MS) };
	struct candidate d[] = { at(0, 5 * MS), at(1 * MS, 5 * MS) };
	struct verdict v, alone;

	(void)state;
	assert_true(vote(d, 2, &alone));
	assert_true(vote(c, 4, &v));
	assert_int_equal(v.agree, 2);
	assert_int_equal(v.of, 2);
	assert_int_equal(c[2].said, SELECT_USED);
	assert_int_equal(c[3].said, SELECT_FALSE);
	assert_true(fabs(off(&v) - 2 * MS) < 0.01 * MS);
	assert_true(v.distance >= 5 * MS);
	assert_int_equal(v.stratum, 2); /* they are not whom clients follow */
	/* A clock that nobody steers has another frequency. */
	c[2].freq = 20 * PPM;
	assert_true(vote(c, 4, &v));
	assert_int_equal(c[2].said, SELECT_OUTLIER);
	assert_true(fabs(off(&v) - off(&alone)) < 1e-9);
	assert_true(fabs(v.distance - alone.distance) < 1e-9);
	/* While the servers do not know theirs, that says nothing. */
	c[0].freq_sd = 50 * PPM;
	assert_true(vote(c, 4, &v));
	assert_int_equal(c[2].said, SELECT_USED);
}

/* One that proves who it is. */
static struct candidate
authentic(double off, double distance)
{
	struct candidate c = at(off, distance);

	c.authentic = true;
	return c;
}

/* Offsets in units of the distance, and who is authentic (bits, from the first
 * one); what is expected of each.  0 in "of" means that all vote. */
static void
authentic_ones_bound_the_others(void **state)
{
	enum { F = SELECT_FALSE, U = SELECT_USED, N = SELECT_NONE,
		O = SELECT_OUTLIER };
	static const struct {
		int n, authentic, agree, of;
		double off[6];
		int said[6]; /* SYSTEM counts as USED */
	} table[] = {
		/* However many they are. */
		{ 6, 1, 1, 1, { 0, 3, 3, 3, 3, 3 }, { U, F, F, F, F, F } },
		{ 6, 32, 1, 1, { 3, 3, 3, 3, 3, 0 }, { F, F, F, F, F, U } },
		{ 4, 1, 1, 1, { 0, 0.5, -0.5, 9 }, { U, U, U, F } },
		{ 4, 3, 2, 2, { 0, 1, 0.5, 3.5 }, { U, U, U, F } },
		/* They may be right, but do not pull the time out. */
		{ 3, 1, 1, 1, { 0, 1.5, -1.5 }, { U, O, O } },
		/* A majority decides among the authentic ones. */
		{ 5, 7, 2, 3, { 0, 0.1, 9, 9, 9 }, { U, U, F, F, F } },
		{ 6, 15, 3, 4, { 0, 9, 0.1, 0.2, 9, 9 },
		    { U, F, U, U, F, F } },
		/* If there is none, the others are asked as well. */
		{ 5, 3, 4, 5, { 0, 9, 0.1, 0.2, 0.3 }, { U, F, U, U, U } },
		{ 5, 3, 4, 5, { 9, 0, 9, 9, 9 }, { U, F, U, U, U } },
		{ 4, 3, 2, 4, { 0, 9, 0.1, 9.1 }, { N, N, N, N } },
		{ 2, 3, 1, 2, { 0, 9 }, { N, N } },
	};

	(void)state;
	for (size_t i = 0; i < LEN(table); i++) {
		struct candidate c[6];
		struct verdict v;
		int k, all;

		for (k = 0; k < table[i].n; k++) {
			c[k] = at(table[i].off[k] * MS, 1 * MS);
			c[k].authentic = table[i].authentic >> k & 1;
		}
		all = table[i].of == table[i].n && table[i].n > 1;
		assert_int_equal(vote(c, table[i].n, &v),
		    table[i].agree * 2 > table[i].of);
		assert_int_equal(v.agree, table[i].agree);
		assert_int_equal(v.of, table[i].of);
		assert_int_equal(v.authentic, !all);
		for (k = 0; k < table[i].n; k++) {
			int said = c[k].said == SELECT_SYSTEM ? U :
			    (int)c[k].said;

			if (said != table[i].said[k])
				fail_msg("row %zu: %d is %d", i, k, said);
			if (!all)
				assert_int_equal(c[k].votes, c[k].authentic);
		}
	}
}

/* What is told of the error is what the authentic ones say, and so is whom
 * clients are told. */
static void
others_make_authentic_time_no_surer(void **state)
{
	struct candidate c[] = { authentic(0, 10 * MS), at(9 * MS, 0.01 * MS),
	    at(9 * MS, 0.01 * MS), at(20 * MS, 11 * MS) };
	struct candidate d[] = { authentic(0, 10 * MS) };
	struct verdict v, alone;

	(void)state;
	c[0].stratum = 3;
	c[0].refid = 7;
	assert_true(vote(d, 1, &alone));
	assert_true(vote(c, 4, &v));
	assert_int_equal(c[0].said, SELECT_SYSTEM);
	assert_int_equal(v.stratum, 4);
	assert_int_equal(v.refid, 7);
	assert_int_equal(c[1].said, SELECT_USED);
	assert_true(off(&v) > 8 * MS && off(&v) < 10 * MS);
	assert_true(v.distance >= alone.distance);
	/* It cannot be pulled out, by whatever weight. */
	c[1].ahead = c[2].ahead = AHEAD + llrint(10.005 * MS * 1e9);
	assert_true(vote(c, 4, &v));
	assert_int_equal(c[1].said, SELECT_OUTLIER);
	assert_true(fabs(off(&v)) < 1e-9);
	/* Nor can its frequency. */
	c[1].ahead = AHEAD;
	c[1].freq = 3 * PPM;
	assert_true(vote(c, 4, &v));
	assert_int_equal(c[1].said, SELECT_OUTLIER);
	assert_true(fabs(v.freq) < 1e-12);
}

/* Else three liars within the bound would have the kernel insert a second. */
static void
a_leap_is_announced_by_who_has_a_vote(void **state)
{
	struct candidate c[] = { authentic(0, 1 * MS), at(0, 1 * MS),
		at(0, 1 * MS), at(0, 1 * MS) };
	struct verdict v;

	(void)state;
	for (int k = 1; k < 4; k++)
		c[k].leap = LEAP_INSERT;
	assert_true(select_vote(c, 4, &v));
	assert_int_equal(c[1].said, SELECT_USED);
	assert_int_equal(v.leap, LEAP_NONE);
	c[0].leap = LEAP_INSERT;
	c[1].leap = c[2].leap = c[3].leap = LEAP_NONE;
	assert_true(select_vote(c, 4, &v));
	assert_int_equal(v.leap, LEAP_INSERT);
}

/* Numbers that are none, and those who only follow, are no authentic time. */
static void
authentic_ones_must_stand_to_bound_others(void **state)
{
	struct candidate c[] = { authentic(0, HUGE_VAL), at(1, 1 * MS),
	    at(1, 1 * MS) };
	struct candidate d[] = { authentic(0, 1 * MS), at(1, 1 * MS) };
	struct verdict v;

	(void)state;
	assert_true(vote(c, 3, &v));
	assert_false(v.authentic);
	assert_int_equal(v.agree, 2);
	assert_int_equal(c[0].said, SELECT_NONE);
	d[0].follows = true;
	assert_true(vote(d, 2, &v));
	assert_false(v.authentic);
	assert_int_equal(d[0].said, SELECT_FALSE);
}

/* Our oscillator may have changed since the older of two samples. */
static void
our_own_change_makes_no_falseticker_of_others(void **state)
{
	struct candidate c[] = { authentic(0, 1 * MS), at(20 * MS, 1 * MS) };
	struct verdict v;

	(void)state;
	c[0].heard = RAW;
	c[1].heard = RAW - 1000 * S;
	assert_true(vote(c, 2, &v));
	assert_int_equal(c[1].said, SELECT_OUTLIER);
	c[1].heard = RAW - 100 * S;
	assert_true(vote(c, 2, &v));
	assert_int_equal(c[1].said, SELECT_FALSE);
	/* One that is younger is not held to a narrower interval. */
	c[1] = at(1.9 * MS, 1 * MS);
	c[1].heard = RAW + 1000 * S;
	assert_true(vote(c, 2, &v));
	assert_int_equal(c[1].said, SELECT_OUTLIER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_elects_nobody),
		cmocka_unit_test(one_server_is_believed),
		cmocka_unit_test(the_path_is_not_the_root_distance),
		cmocka_unit_test(majority_decides),
		cmocka_unit_test(order_does_not_matter),
		cmocka_unit_test(equal_crowds_are_told_apart_by_their_weight),
		cmocka_unit_test(weight_is_one_over_distance_squared),
		cmocka_unit_test(lower_stratum_counts_more),
		cmocka_unit_test(frequency_that_stands_apart_is_left_out),
		cmocka_unit_test(frequencies_are_judged_by_their_median),
		cmocka_unit_test(only_n_candidates_take_part),
		cmocka_unit_test(frequencies_count_by_how_sure_they_are),
		cmocka_unit_test(doubt_widens_the_interval_and_takes_no_weight),
		cmocka_unit_test(doubt_beyond_the_distance_takes_weight),
		cmocka_unit_test(our_own_change_makes_no_falseticker),
		cmocka_unit_test(our_own_change_may_divide_them_in_halves),
		cmocka_unit_test(falseticker_has_no_benefit_of_the_doubt),
		cmocka_unit_test(two_camps_of_frequencies_leave_nobody_out),
		cmocka_unit_test(leap_is_announced_by_a_majority_of_the_used),
		cmocka_unit_test(half_of_the_used_announce_no_leap),
		cmocka_unit_test(result_names_the_best_one),
		cmocka_unit_test(
		    distance_reaches_to_the_ends_of_what_all_agree_on),
		cmocka_unit_test(numbers_that_are_none_do_not_stand),
		cmocka_unit_test(thousands_of_candidates_are_no_problem),
		cmocka_unit_test(first_set_waits_for_enough_answers),
		cmocka_unit_test(joint_time_is_the_weighted_mean),
		cmocka_unit_test(joint_of_one_is_that_one),
		cmocka_unit_test(
		    who_is_a_falseticker_now_has_no_say_in_the_mean),
		cmocka_unit_test(each_has_its_share_of_the_work),
		cmocka_unit_test(those_without_a_vote_elect_nobody),
		cmocka_unit_test(
		    those_without_a_vote_are_used_while_they_agree),
		cmocka_unit_test(joint_filter_that_lost_its_way_begins_again),
		cmocka_unit_test(authentic_ones_bound_the_others),
		cmocka_unit_test(others_make_authentic_time_no_surer),
		cmocka_unit_test(a_leap_is_announced_by_who_has_a_vote),
		cmocka_unit_test(authentic_ones_must_stand_to_bound_others),
		cmocka_unit_test(
		    our_own_change_makes_no_falseticker_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
