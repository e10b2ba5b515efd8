/*
 * calm.c - whatever happens, the log and the network stay quiet.
 */
#include "core/calm.h"
#include "tests/test.h"

#define RAW0 (5000 * NS_PER_S)
#define HOUR 3600

/* Lines of one run, and how many of them were written in each window. */
enum { MOST_LINES = 100000 };
static int64_t written[MOST_LINES];
static int lines;

static struct calm calm;

static void
say(int kind, enum calm_rank rank, int64_t raw)
{
	static const char kinds[200];

	if (calm_may(&calm, &kinds[kind], rank, raw))
		written[lines++] = raw;
	if (calm_held(&calm, raw) > 0)
		written[lines++] = raw;
}

/* Most lines in any window of so many seconds that begins later than from. */
static int
most_in(double seconds, double from)
{
	int i, j, most = 0;

	for (i = 0; i < lines; i++) {
		if ((double)(written[i] - RAW0) / 1e9 < from)
			continue;
		for (j = i; j < lines &&
		    (double)(written[j] - written[i]) / 1e9 < seconds; j++)
			;
		most = j - i > most ? j - i : most;
	}
	return most;
}

static void
begin(void)
{
	lines = 0;
	calm_start(&calm, RAW0);
}

static void
in_budget(void)
{
	int i = 0;

	while (i < lines && written[i] - RAW0 < 300 * NS_PER_S)
		i++;
	assert_in_range(i, 0, 60);
	assert_in_range(most_in(HOUR, 300), 0, 12);
}

/* Many kinds at once, each second, for four hours. */
static void
whatever_is_said_stays_in_the_budget(void **state)
{
	int kinds, t, k;

	(void)state;
	for (kinds = 1; kinds < 200; kinds = kinds * 3 + 1) {
		begin();
		for (t = 0; t < 4 * HOUR; t++)
			for (k = 0; k < kinds; k++)
				say(k, k % 3, RAW0 + t * NS_PER_S);
		in_budget();
		assert_in_range(lines, 20, 60 + 4 * 12);
	}
}

static void
random_storms_stay_in_the_budget(void **state)
{
	int run, t, n;

	(void)state;
	srand(1);
	for (run = 0; run < 50; run++) {
		begin();
		for (t = 0; t < 6 * HOUR; t += 1 + rand() % 600)
			for (n = rand() % 100; n > 0; n--)
				say(rand() % 100, rand() % 3,
				    RAW0 + t * NS_PER_S);
		in_budget();
	}
}

/* A kind that talks all the time takes no place from the others. */
static void
a_talkative_kind_leaves_room_for_news(void **state)
{
	int64_t raw = RAW0;

	(void)state;
	begin();
	for (; raw < RAW0 + 5 * HOUR * NS_PER_S; raw += NS_PER_S) {
		say(0, CALM_DEBUG, raw);
		say(1, CALM_DEBUG, raw);
		say(2, CALM_DEBUG, raw);
	}
	assert_true(calm_may(&calm, "news", CALM_NEWS, raw));
	for (; raw < RAW0 + 10 * HOUR * NS_PER_S; raw += NS_PER_S)
		say(3, CALM_NEWS, raw);
	assert_true(calm_may(&calm, "state", CALM_STATE, raw));
}

static void
a_rare_burst_of_news_is_shown_whole(void **state)
{
	int64_t raw = RAW0 + 48LL * HOUR * NS_PER_S;
	int i;

	(void)state;
	begin();
	say(0, CALM_NEWS, RAW0);
	for (i = 1; i < 7; i++)
		assert_true(calm_may(
		    &calm, (char *)&calm + i, CALM_NEWS, raw + i * NS_PER_S));
}

static void
what_is_held_back_is_counted_once_an_hour(void **state)
{
	unsigned told = 0, held = 0, n;
	int64_t raw = RAW0;
	int notes = 0;

	(void)state;
	begin();
	for (; raw < RAW0 + 3 * HOUR * NS_PER_S; raw += NS_PER_S) {
		held += !calm_may(&calm, "x", CALM_NEWS, raw);
		if ((n = calm_held(&calm, raw)) > 0) {
			assert_true(raw >= RAW0 + 300 * NS_PER_S);
			notes++;
			told += n;
		}
	}
	assert_in_range(notes, 3, 3);
	assert_true(told <= held && held - told < HOUR);
	assert_true(calm_due(&calm) != NEVER);
	begin();
	assert_true(calm_due(&calm) == NEVER);
	assert_int_equal(calm_held(&calm, RAW0 + HOUR * NS_PER_S), 0);
}

/* Whoever waits for calm_due must not be woken for nothing, nor count that. */
static void
a_note_that_may_not_be_written_is_due_later(void **state)
{
	int64_t raw = RAW0 + 301 * NS_PER_S;
	unsigned held = 0;
	int i;

	(void)state;
	begin();
	for (i = 0; i < 100; i++)
		held += !calm_may(&calm, "x", CALM_STATE, raw);
	for (i = 0; i < 1000; i++) {
		assert_int_equal(calm_held(&calm, raw), 0);
		assert_true(calm_due(&calm) > raw);
	}
	raw = calm_due(&calm);
	assert_int_equal(calm_held(&calm, raw), held);
}

static void
without_a_beginning_nothing_is_held_back(void **state)
{
	struct calm c = { 0 };
	int i;

	(void)state;
	for (i = 0; i < 1000; i++)
		assert_true(calm_may(&c, "x", CALM_DEBUG, RAW0));
}

static void
a_state_is_said_when_it_changes(void **state)
{
	struct said s = { 0 };

	(void)state;
	assert_false(said_news(&s, 0, RAW0));
	assert_true(said_news(&s, 1, RAW0));
	assert_false(said_news(&s, 1, RAW0 + 10 * NS_PER_S));
	assert_true(said_news(&s, 2, RAW0 + 20 * NS_PER_S));
	assert_false(said_news(&s, 2, RAW0 + 5000 * NS_PER_S));
	said_well(&s);
	assert_true(said_news(&s, 2, RAW0 + 5001 * NS_PER_S));
}

static void
a_state_that_stays_is_said_hourly_with_its_age(void **state)
{
	struct said s = { 0 };
	double lasted = 0;
	int t, told = 0;

	(void)state;
	(void)said_news(&s, 1, RAW0);
	for (t = 0; t < 10 * HOUR; t++)
		if (said_still(&s, RAW0 + t * NS_PER_S, &lasted)) {
			told++;
			assert_true(lasted >= told * HOUR &&
			    lasted < told * HOUR + 2);
		}
	assert_int_equal(told, 9);
	said_well(&s);
	assert_false(said_still(&s, RAW0 + 20LL * HOUR * NS_PER_S, &lasted));
}

/* It goes on and off each ten seconds for a day, and then stays on. */
static void
a_state_that_flaps_is_said_rarely_and_then_truly(void **state)
{
	struct said s = { 0 };
	int64_t raw = RAW0;
	int told = 0, t;

	(void)state;
	for (t = 0; t < 24 * HOUR; t += 10, raw += 10 * NS_PER_S)
		told += said_news(&s, 1 + t / 10 % 2, raw);
	assert_in_range(told, 10, 3 + 48);
	for (t = 0; t < HOUR; t++, raw += NS_PER_S)
		(void)said_news(&s, 2, raw);
	assert_int_equal(s.told, 2);
}

static void
a_pace_lets_a_few_pass_and_then_one_in_a_while(void **state)
{
	struct pace p = { 0 };
	int64_t raw;
	int n = 0;

	(void)state;
	for (raw = RAW0; raw < RAW0 + 1000 * NS_PER_S; raw += NS_PER_S / 10)
		if (raw >= pace_next(&p, 5, 100)) {
			pace_take(&p, raw, 100);
			n++;
		}
	assert_int_equal(n, 5 + 9);
}

/* May a line of kind i be said?  Each kind has an address of its own. */
static bool
may(int i, enum calm_rank rank, double t)
{
	static const char kinds[200];

	return calm_may(
	    &calm, &kinds[i], rank, RAW0 + (int64_t)(t * NS_PER_S));
}

/* The budget's sizes are those of the constants and of ntpd(8).  A row has how
 * many lines are written of 100 that are said at once, which are of many kinds
 * or of one. */
static void
each_rank_leaves_lines_to_the_next(void **state)
{
	static const struct {
		const char *what;
		double t; /* s after the begin */
		bool kinds;
		enum calm_rank rank;
		int lines;
	} table[] = {
		{ "start, debug", 1, true, CALM_DEBUG, 30 },
		{ "start, news", 1, true, CALM_NEWS, 56 },
		{ "start, news of one kind", 1, false, CALM_NEWS, 40 },
		{ "start, state", 1, true, CALM_STATE, 60 },
		{ "start, state of one kind", 1, false, CALM_STATE, 60 },
		{ "hour, debug", 7200, true, CALM_DEBUG, 4 },
		{ "hour, news", 7200, true, CALM_NEWS, 8 },
		{ "hour, news of one kind", 7200, false, CALM_NEWS, 4 },
		{ "hour, state", 7200, true, CALM_STATE, 12 },
		{ "hour, state of one kind", 7200, false, CALM_STATE, 12 },
	};
	size_t i;
	int k, n;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		begin();
		for (k = n = 0; k < 100; k++)
			n += may(table[i].kinds ? k % 90 : 0, table[i].rank,
			    table[i].t);
		if (n != table[i].lines)
			fail_msg("%s: %d lines", table[i].what, n);
	}
}

static void
the_start_lasts_five_minutes(void **state)
{
	int k;

	(void)state;
	begin();
	for (k = 0; k < 60; k++)
		assert_true(may(k, CALM_STATE, 1));
	assert_false(may(60, CALM_STATE, 299.9));
	assert_true(may(60, CALM_STATE, 300));
}

/* Four lines of one kind may be said at once, then one in 1200 s. */
static void
what_is_said_at_the_start_counts_for_the_hour(void **state)
{
	static const struct {
		int said;      /* lines in the first second */
		double t;      /* s after the begin */
		int may;
	} table[] = {
		{ 0, 301, 4 }, { 1, 301, 3 }, { 3, 301, 1 }, { 4, 301, 0 },
		{ 40, 301, 0 }, { 4, 1499, 0 }, { 4, 1500, 1 },
		{ 40, 2700, 2 },
	};
	size_t i;
	int n;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		begin();
		for (n = 0; n < table[i].said; n++)
			assert_true(may(0, CALM_NEWS, 1));
		for (n = 0; n < 8 && may(0, CALM_NEWS, table[i].t); n++)
			;
		assert_int_equal(n, table[i].may);
	}
}

/* The raw clock begins at zero when the machine does. */
static void
right_after_boot_the_budget_is_the_same(void **state)
{
	int k, n = 0;

	(void)state;
	calm_start(&calm, 1);
	for (k = 0; k < 20; k++)
		n += calm_may(&calm, "x", CALM_STATE, 301 * NS_PER_S);
	assert_int_equal(n, CALM_LINES);
}

/* Four lines of one kind may be written at once. */
static void
kinds_beyond_the_table_are_taken_for_one(void **state)
{
	int k;

	(void)state;
	begin();
	for (k = 0; k < CALM_KINDS - 1; k++)
		(void)may(k, CALM_DEBUG, 1);
	for (; k < CALM_KINDS + 3; k++)
		assert_true(may(k, CALM_NEWS, 7200));
	assert_false(may(k, CALM_NEWS, 7200));
	/* The last one that has a place has its own lines. */
	assert_true(may(CALM_KINDS - 2, CALM_NEWS, 7200));
}

static void
a_subject_says_three_lines_then_one_in_half_an_hour(void **state)
{
	static const struct {
		double t; /* s: the state changes here */
		bool told;
		unsigned held; /* changes before it that were not told */
	} table[] = {
		{ 0, true, 0 }, { 1, true, 0 }, { 2, true, 0 },
		{ 3, false, 0 }, { 1798, false, 0 }, { 1799, false, 0 },
		{ 1800, true, 3 }, { 1801, false, 3 }, { 3600, true, 1 },
	};
	struct said s = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		assert_int_equal(said_news(&s, 1 + (int)i,
		    RAW0 + (int64_t)(table[i].t * NS_PER_S)), table[i].told);
		assert_int_equal(s.held, table[i].held);
	}
}

/* The state was told an hour ago, but there was another one in between. */
static void
a_state_that_came_back_is_not_said_to_have_lasted(void **state)
{
	struct said s = { 0 };
	double lasted;
	int64_t raw;

	(void)state;
	for (raw = RAW0; raw < RAW0 + 3; raw++)
		assert_true(said_news(&s, raw % 2 == 0 ? 1 : 2, raw));
	assert_false(said_news(&s, 3, RAW0 + 1000 * NS_PER_S));
	assert_false(said_news(&s, s.told, RAW0 + 1700 * NS_PER_S));
	assert_false(said_still(&s, RAW0 + 5299 * NS_PER_S, &lasted));
	assert_true(said_still(&s, RAW0 + 5300 * NS_PER_S, &lasted));
	assert_true(lasted == HOUR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_is_said_stays_in_the_budget),
		cmocka_unit_test(random_storms_stay_in_the_budget),
		cmocka_unit_test(a_talkative_kind_leaves_room_for_news),
		cmocka_unit_test(a_rare_burst_of_news_is_shown_whole),
		cmocka_unit_test(what_is_held_back_is_counted_once_an_hour),
		cmocka_unit_test(a_note_that_may_not_be_written_is_due_later),
		cmocka_unit_test(without_a_beginning_nothing_is_held_back),
		cmocka_unit_test(a_state_is_said_when_it_changes),
		cmocka_unit_test(a_state_that_stays_is_said_hourly_with_its_age),
		cmocka_unit_test(a_state_that_flaps_is_said_rarely_and_then_truly),
		cmocka_unit_test(each_rank_leaves_lines_to_the_next),
		cmocka_unit_test(the_start_lasts_five_minutes),
		cmocka_unit_test(what_is_said_at_the_start_counts_for_the_hour),
		cmocka_unit_test(right_after_boot_the_budget_is_the_same),
		cmocka_unit_test(kinds_beyond_the_table_are_taken_for_one),
		cmocka_unit_test(
		    a_subject_says_three_lines_then_one_in_half_an_hour),
		cmocka_unit_test(
		    a_state_that_came_back_is_not_said_to_have_lasted),
		cmocka_unit_test(a_pace_lets_a_few_pass_and_then_one_in_a_while)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
