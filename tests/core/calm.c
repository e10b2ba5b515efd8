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
		cmocka_unit_test(a_pace_lets_a_few_pass_and_then_one_in_a_while)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
