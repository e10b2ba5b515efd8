/*
 * edge.c - what edge.c promises: the edges of the seconds are found with few
 * requests, and the truth is inside of what is said.  Whole days, and the
 * clock that follows, are in tests/sim ("https").
 */
#include "core/edge.h"
#include "core/ntp.h"
#include "tests/test.h"

#define RAW (86400 * S)
#define AHEAD (1790000000 * S + 123456789)
#define MS 1e-3

/* What a server answers to a request that is sent at raw, if its clock is
 * "wrong" by so much and the ways there and back take so long (all s). */
static struct constraint_answer
ask(int64_t raw, double freq, double wrong, double up, double down)
{
	int64_t there = raw + ns(up), got = there + ns(down);
	int64_t clock = there + AHEAD + ns(wrong) +
	    llrint(freq * (double)(there - RAW));
	struct constraint_answer a = { .raw = got,
		.error = 0.5 + seconds(got - raw) / 2 };

	a.ahead = clock - clock % S + ns(a.error) - got;
	return a;
}

/* By how much the verdict is wrong, s. */
static double
off(const struct verdict *v, double freq)
{
	return seconds(v->ahead - AHEAD) - freq * seconds(v->raw - RAW);
}

/* Ask one server n times, each time at the edge, "every" s apart.  Returns the
 * raw time after the last answer. */
static int64_t
bisect(struct edge *e, int n, double every, double freq, double wrong)
{
	int64_t raw = RAW;
	struct constraint_answer a = { 0 };

	while (n-- > 0) {
		a = ask(edge_aim(e, raw), freq, wrong, 10 * MS, 10 * MS);
		edge_take(e, &a);
		raw += ns(every);
	}
	return a.raw;
}

static struct edges
servers(int n, double freq, double spread)
{
	struct edges all = { .n = n };

	for (int i = 0; i < n; i++)
		edge_start(&all.edge[i], freq, spread);
	return all;
}

static void
one_answer_tells_the_time_to_a_second(void **state)
{
	struct edges all = servers(2, 0, 100 * PPM);
	struct verdict v;
	int64_t raw = bisect(&all.edge[0], 1, 5, 0, 0);

	(void)state;
	assert_false(edges_vote(&all, raw, &v)); /* one of two */
	raw = bisect(&all.edge[1], 1, 5, 0, 0);
	assert_true(edges_vote(&all, raw, &v));
	assert_true(fabs(off(&v, 0)) < v.distance);
	assert_true(v.distance > 0.5 && v.distance < 1.1);
	assert_int_equal(v.stratum, 15);
}

static void
seven_requests_find_the_edge(void **state)
{
	struct edges all = servers(2, 0, 100 * PPM);
	struct verdict v;
	int64_t raw;

	(void)state;
	(void)bisect(&all.edge[0], 7, 5, 20 * PPM, 3 * MS);
	raw = bisect(&all.edge[1], 7, 5, 20 * PPM, -3 * MS);
	assert_true(edges_vote(&all, raw, &v));
	assert_true(fabs(off(&v, 20 * PPM)) < 20 * MS);
	assert_true(v.distance < 60 * MS);
}

static void
hours_tell_the_frequency(void **state)
{
	struct edges all = servers(1, 0, 300 * PPM);
	struct verdict v;
	int64_t raw = bisect(&all.edge[0], 24, 400, 80 * PPM, 0);

	(void)state;
	assert_true(edges_vote(&all, raw, &v));
	assert_true(fabs(v.freq - 80 * PPM) < 5 * PPM);
	assert_true(3 * v.freq_sd >= fabs(v.freq - 80 * PPM));
}

static void
a_server_alone_may_cut_its_seconds_otherwise(void **state)
{
	struct edges all = servers(1, 0, 10 * PPM);
	struct verdict v;
	int64_t raw = bisect(&all.edge[0], 10, 5, 0, 0.5);

	(void)state;
	assert_true(edges_vote(&all, raw, &v));
	assert_int_equal(v.agree, 1);
	assert_true(fabs(off(&v, 0)) < v.distance && v.distance < 0.6);
}

/* From the first answers on, when all intervals are wide and a liar's overlaps
 * the honest ones. */
static void
a_minority_moves_neither_time_nor_bound(void **state)
{
	static const double lies[] = { 1, -1, 0.5, -0.5, 0.1, -0.2, 3600, -1e8 };

	(void)state;
	for (size_t l = 0; l < LEN(lies); l++)
		for (int n = 1; n < 12; n++) {
			struct edges all = servers(3, 0, 10 * PPM);
			struct verdict v;
			int64_t raw;

			(void)bisect(&all.edge[0], n, 5, 0, 2 * MS);
			(void)bisect(&all.edge[1], n, 5, 0, lies[l]);
			raw = bisect(&all.edge[2], n, 5, 0, -2 * MS);
			assert_true(edges_vote(&all, raw, &v));
			assert_true(fabs(off(&v, 0)) < v.distance);
		}
}

static void
two_that_disagree_tell_nothing(void **state)
{
	struct edges all = servers(2, 0, 10 * PPM);
	struct verdict v;
	int64_t raw;

	(void)state;
	(void)bisect(&all.edge[0], 8, 5, 0, 0);
	raw = bisect(&all.edge[1], 8, 5, 0, 0.5);
	assert_false(edges_vote(&all, raw, &v));
}

/* Those that have not been heard yet count against a majority, those that
 * failed do not. */
static void
the_majority_is_of_those_that_can_answer(void **state)
{
	struct edges all = servers(3, 0, 10 * PPM);
	struct verdict v;
	int64_t raw = bisect(&all.edge[0], 8, 5, 0, 0);

	(void)state;
	assert_false(edges_vote(&all, raw, &v));
	all.edge[1].failed = all.edge[2].failed = true;
	assert_true(edges_vote(&all, raw, &v));
	/* What it said is too old after two hours. */
	assert_false(edges_vote(&all, raw + 7201 * S, &v));
}

static void
machines_behind_one_address_may_differ(void **state)
{
	struct edges all = servers(1, 0, 10 * PPM);
	struct constraint_answer a = { 0 };
	struct verdict v;
	int64_t raw = RAW;

	(void)state;
	for (int i = 0; i < 40; i++, raw += 60 * S) {
		a = ask(edge_aim(&all.edge[0], raw), 0,
		    i % 2 ? 40 * MS : -40 * MS, 5 * MS, 5 * MS);
		edge_take(&all.edge[0], &a);
	}
	assert_true(all.edge[0].answers > 8);
	assert_true(edges_vote(&all, a.raw, &v));
	assert_true(fabs(off(&v, 0)) < 40 * MS);
}

static void
a_server_that_was_set_is_believed_anew(void **state)
{
	struct edges all = servers(1, 0, 10 * PPM);
	struct constraint_answer a = { 0 };
	struct verdict v;
	int64_t raw = bisect(&all.edge[0], 12, 60, 0, 30);

	(void)state;
	for (int i = 0; i < 9; i++) {
		raw += 60 * S;
		a = ask(edge_aim(&all.edge[0], raw), 0, 0, 5 * MS, 5 * MS);
		edge_take(&all.edge[0], &a);
	}
	assert_true(edges_vote(&all, a.raw, &v));
	assert_true(fabs(off(&v, 0)) < 20 * MS);
}

/* Whatever the answers are, nothing is NaN, and no index is out of range. */
static void
any_answers_do_no_harm(void **state)
{
	uint64_t seed = 20261127;
	struct verdict v;

	(void)state;
	for (int run = 0; run < 200; run++) {
		struct edges all = servers(EDGES, 0, 300 * PPM);
		int64_t raw = RAW;

		for (int i = 0; i < 200; i++) {
			struct edge *e = &all.edge[i % EDGES];
			struct constraint_answer a = {
				.error = 0.5 + 5 * uniform(&seed),
				.raw = raw += ns(1000 * uniform(&seed)),
				.ahead = AHEAD +
				    ns((uniform(&seed) - 0.5) *
					pow(10, 9 * uniform(&seed) - 3))
			};
			int64_t aim;

			edge_take(e, &a);
			aim = edge_aim(e, raw);
			assert_true(aim >= raw && aim <= raw + S);
			if (edges_vote(&all, raw, &v))
				assert_true(isfinite(v.distance) &&
				    v.distance > 0 && isfinite(v.freq) &&
				    isfinite(v.freq_sd) && isfinite(v.sd));
		}
	}
}

static void
twenty_requests_an_hour(void **state)
{
	struct edges all = servers(3, 0, 10 * PPM);
	int start = 0, hour = 0;

	(void)state;
	assert_int_equal(edges_turn(&(struct edges){ 0 }, RAW), -1);
	for (int t = 0; t < 900 + 3600; t++)
		if (edges_turn(&all, RAW + t * S) >= 0) {
			start += t < 900;
			hour += t >= 900;
		}
	assert_in_range(start, 24, 30);
	assert_in_range(hour, 17, 20);
	/* An hour in which others ask as well. */
	hour = 0;
	for (int t = 4500; t < 8100; t++) {
		if (t % 300 == 0) {
			edges_asked(&all, RAW + t * S);
			hour++;
		}
		hour += edges_turn(&all, RAW + t * S) >= 0;
	}
	assert_in_range(hour, 17, 20);
	/* Eight at once are renewed; then others fail without end. */
	hour = 8;
	for (int i = 0; i < 8; i++)
		edges_asked(&all, RAW + 8100 * S);
	for (int t = 8100; t < 11700; t++)
		hour += edges_turn(&all, RAW + t * S) >= 0;
	assert_in_range(hour, 17, 20);
	hour = 0;
	for (int t = 11700; t < 15300; t++) {
		if (t % 60 == 0)
			edges_asked(&all, RAW + t * S);
		hour += edges_turn(&all, RAW + t * S) >= 0;
	}
	assert_in_range(hour, 2, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_answer_tells_the_time_to_a_second),
		cmocka_unit_test(seven_requests_find_the_edge),
		cmocka_unit_test(hours_tell_the_frequency),
		cmocka_unit_test(a_server_alone_may_cut_its_seconds_otherwise),
		cmocka_unit_test(a_minority_moves_neither_time_nor_bound),
		cmocka_unit_test(two_that_disagree_tell_nothing),
		cmocka_unit_test(the_majority_is_of_those_that_can_answer),
		cmocka_unit_test(machines_behind_one_address_may_differ),
		cmocka_unit_test(a_server_that_was_set_is_believed_anew),
		cmocka_unit_test(any_answers_do_no_harm),
		cmocka_unit_test(twenty_requests_an_hour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
