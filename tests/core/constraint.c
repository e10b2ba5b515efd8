/*
 * constraint.c - what constraint.c promises: who is asked when, and what
 * the answers allow.
 */
#include "core/address.h"
#include "core/constraint.h"
#include "tests/test.h"

#define T0 (1000 * S)			/* raw, when a test begins */
#define AHEAD (1790000000 * S)		/* of true time before the raw clock */

static const struct address v4a = { 4, { 192, 0, 2, 1 }, 0 };
static const struct address v4b = { 4, { 192, 0, 2, 2 }, 0 };
static const struct address v4c = { 4, { 192, 0, 2, 3 }, 0 };
static const struct address v6a = { 6, { 0x20, 1, 13, 0xb8, [15] = 1 }, 0 };
static const struct address v6b = { 6, { 0x20, 1, 13, 0xb8, [15] = 2 }, 0 };

static struct constraint
with(bool pool, const struct address *addresses, int n)
{
	struct conf_constraint conf = { .pool = pool, .addresses = n };
	struct constraint c;

	if (n > 0)
		memcpy(conf.address, addresses, (size_t)n * sizeof *addresses);
	constraint_start(&c, &conf, 3, T0);
	return c;
}

static int
must_ask(struct constraint *c, int64_t raw)
{
	int i = -1;

	assert_true(c->due <= raw);
	assert_int_equal(constraint_turn(c, raw, &i), CONSTRAINT_ASK);
	return i;
}

static void
must_rest(struct constraint *c, int64_t raw)
{
	int i = -1;

	assert_int_equal(constraint_turn(c, raw, &i), CONSTRAINT_REST);
	assert_true(c->due > raw);
}

static struct constraint_answer
says(int64_t raw, double off)
{
	return (struct constraint_answer){ raw, AHEAD + (int64_t)(off * 1e9),
	    0.5 };
}

static void
answers(struct constraint *c, int i, int64_t raw, double off)
{
	struct constraint_answer a = says(raw, off);

	assert_true(constraint_reply(c, i, &a, raw, 0.5));
}

static struct bound
bound_of(const struct constraint *c, int n, int64_t raw)
{
	struct bound b = { .earliest = 0 };

	(void)constraint_bound(c, n, raw, &b);
	return b;
}

/* A line with one numeric address that has answered. */
static struct constraint
answered(const struct address *address, double off)
{
	struct constraint c = with(false, address, 1);

	answers(&c, must_ask(&c, T0), T0, off);
	return c;
}

/* ------------------------------------------------------------ one line */

static void
numeric_host_is_asked_without_lookup(void **state)
{
	struct constraint c = with(false, &v4a, 1);

	(void)state;
	assert_int_equal(c.line, 3);
	assert_int_equal(must_ask(&c, T0), 0);
	assert_true(address_equal(&c.vote[0].address, &v4a));
	must_rest(&c, T0);
	assert_int_equal(c.due, NEVER);		/* a child is under way */
	assert_int_equal(c.queries, 1);
}

static void
named_host_is_looked_up_first(void **state)
{
	struct constraint c = with(false, NULL, 0);
	int i;

	(void)state;
	assert_int_equal(constraint_turn(&c, T0, &i), CONSTRAINT_RESOLVE);
	must_rest(&c, T0 + 5 * S);
	constraint_resolved(&c, &v4a, 1, NULL, T0 + 5 * S, 0);
	assert_int_equal(must_ask(&c, T0 + 5 * S), 0);
}

static void
families_take_turns(void **state)
{
	const struct address found[] = { v6a, v6b, v4a, v4b };
	const struct address *want[] = { &v6a, &v4a, &v6b, &v4b };
	struct constraint c = with(true, NULL, 0);
	int i;

	(void)state;
	assert_int_equal(constraint_turn(&c, T0, &i), CONSTRAINT_RESOLVE);
	constraint_resolved(&c, found, 4, NULL, T0, 0);
	for (int k = 0; k < 4; k++)
		assert_true(address_equal(&c.vote[must_ask(&c, T0)].address, want[k]));
}

static void
same_address_twice_is_one(void **state)
{
	const struct address found[] = { v4a, v4b, v4a };
	struct constraint c = with(true, NULL, 0);
	int i;

	(void)state;
	assert_int_equal(constraint_turn(&c, T0, &i), CONSTRAINT_RESOLVE);
	constraint_resolved(&c, found, 3, NULL, T0, 0);
	assert_int_equal(c.addresses, 2);
}

static void
address_that_fails_costs_nothing(void **state)
{
	const struct address both[] = { v6a, v4a };
	struct constraint c = with(false, both, 2);

	(void)state;
	assert_int_equal(must_ask(&c, T0), 0);
	must_rest(&c, T0);
	assert_true(constraint_failed(&c, 0, "connect: x", T0 + 1000, 0) == 0);
	assert_int_equal(must_ask(&c, T0 + 1000), 1);
	answers(&c, 1, T0 + S, 0);
	assert_true(address_equal(&c.last_address, &v4a));
	assert_string_equal(c.reason, "");
	assert_int_equal(bound_of(&c, 1, T0 + S).votes, 1);
}

static void
silent_address_costs_a_second(void **state)
{
	const struct address both[] = { v6a, v4a };
	struct constraint c = with(false, both, 2);

	(void)state;
	assert_int_equal(must_ask(&c, T0), 0);
	must_rest(&c, T0 + S - 1);
	assert_int_equal(c.due, T0 + S);
	assert_int_equal(must_ask(&c, T0 + S), 1);
	answers(&c, 1, T0 + 2 * S, 0);
	assert_int_equal(bound_of(&c, 1, T0 + 2 * S).votes, 1);
	/* When the silent one fails at last, that changes nothing. */
	must_rest(&c, T0 + 2 * S);
	(void)constraint_failed(&c, 0, "timeout", T0 + 10 * S, 0);
	assert_string_equal(c.reason, "");
	must_rest(&c, T0 + 10 * S);
	assert_true(c.due > T0 + 3600 * S);
	assert_int_equal(bound_of(&c, 1, T0 + 10 * S).votes, 1);
}

static void
second_answer_of_a_single_line_is_no_second_vote(void **state)
{
	const struct address both[] = { v6a, v4a };
	struct constraint c = with(false, both, 2);

	(void)state;
	(void)must_ask(&c, T0);
	(void)must_ask(&c, T0 + S);
	answers(&c, 1, T0 + 2 * S, 0);
	answers(&c, 0, T0 + 3 * S, 0);
	assert_int_equal(bound_of(&c, 1, T0 + 3 * S).answers, 1);
}

static void
retry_begins_at_15_s_and_grows_to_900(void **state)
{
	struct constraint c = with(false, &v4a, 1);
	int64_t raw = T0;
	double last = 0, wait;

	(void)state;
	for (int n = 0; n < 30; n++) {
		(void)must_ask(&c, raw);
		wait = constraint_failed(&c, 0, "no", raw, 0);
		assert_int_equal(c.due, raw + (int64_t)(wait * 1e9));
		assert_true(wait >= last);
		if (n < 10)
			assert_true(wait == 15);
		must_rest(&c, c.due - 1);
		last = wait;
		raw = c.due;
	}
	assert_true(last == 900);
	/* The wait grows no further; a random part keeps hosts apart. */
	(void)must_ask(&c, raw);
	wait = constraint_failed(&c, 0, "no", raw, 0.999);
	assert_true(wait > 900 && wait <= 990);
	/* a success resets the waits */
	raw = c.due;
	(void)must_ask(&c, raw);
	answers(&c, 0, raw, 0);
	raw = c.due;
	(void)must_ask(&c, raw);
	assert_true(constraint_failed(&c, 0, "no", raw, 0) == 15);
}

/* The table has the seconds that follow the nth question and the nth lookup in
 * vain. */
static void
tries_in_vain_double_from_the_twelfth_on(void **state)
{
	static const struct {
		int nth;
		double most, question, lookup;
	} table[] = {
		{ 1, 0, 15, 1 }, { 9, 0, 15, 8 }, { 10, 0, 15, 15 },
		{ 11, 0, 15, 30 }, { 12, 0, 30, 60 }, { 13, 0, 60, 120 },
		{ 15, 0, 240, 480 }, { 16, 0, 480, 900 }, { 17, 0, 900, 900 },
		{ 60, 0, 900, 900 }, { 1, 60, 15, 1 }, { 13, 60, 60, 60 },
		{ 60, 60, 60, 60 }, { 60, 7200, 7200, 7200 },
	};
	size_t i;
	int n, index;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct constraint c = with(false, &v4a, 1);
		struct constraint named = with(false, NULL, 0);
		double wait = 0;
		int64_t raw = T0, begun = T0;

		c.retry_most = named.retry_most = table[i].most;
		for (n = 0; n < table[i].nth; n++, raw = c.due) {
			(void)must_ask(&c, raw);
			wait = constraint_failed(&c, 0, "no", raw, 0);
		}
		if (wait != table[i].question)
			fail_msg("row %zu: %g s", i, wait);
		for (n = 0, raw = T0; n < table[i].nth; n++, raw = named.due) {
			assert_int_equal(constraint_turn(&named, raw, &index),
			    CONSTRAINT_RESOLVE);
			constraint_resolved(&named, NULL, 0, "no", raw, 0);
			begun = raw;
		}
		wait = (double)(raw - begun) / S;
		if (wait != table[i].lookup)
			fail_msg("row %zu: lookup %g s", i, wait);
	}
}

/* Questions and lookups in vain, in so many seconds, though it is hurried each
 * hurry seconds. */
static int
asked_in_vain(bool name, double takes, double seconds, int hurry)
{
	struct constraint c = name ? with(false, NULL, 0) : with(false, &v4a, 1);
	int64_t raw = T0, begun = 0;
	int asked = 0, i = 0;

	for (; raw < T0 + (int64_t)(seconds * 1e9); raw += S / 4) {
		if (hurry > 0 && (raw - T0) % (hurry * S) == 0)
			constraint_hurry(&c, raw);
		if (begun != 0 && raw - begun < (int64_t)(takes * 1e9))
			continue;
		if (begun != 0 && name)
			constraint_resolved(&c, NULL, 0, "no", raw, 0.5);
		else if (begun != 0)
			(void)constraint_failed(&c, i, "no", raw, 0.5);
		begun = 0;
		if (constraint_turn(&c, raw, &i) != CONSTRAINT_REST) {
			asked++;
			begun = raw;
		}
	}
	return asked;
}

static void
asking_in_vain_is_no_storm(void **state)
{
	int k;

	(void)state;
	for (k = 0; k < 16; k++) {
		bool name = k & 1, slow = k & 2;
		int hurry = (k & 4) ? 15 : (k & 8) ? 100 : 0;

		assert_in_range(
		    asked_in_vain(name, slow ? 6 : 0, 300, 0), 5, 15);
		assert_in_range(
		    asked_in_vain(name, slow ? 6 : 0, 300, hurry), 5, 15);
		assert_in_range(
		    asked_in_vain(name, slow ? 6 : 0, 86400, hurry), 50, 1500);
	}
}

static void
one_that_failed_is_asked_when_the_network_is_back(void **state)
{
	struct constraint c = with(false, &v4a, 1);
	int64_t raw = T0;
	int i;

	(void)state;
	constraint_hurry(&c, raw);
	for (int n = 0; n < 30; n++) {
		assert_int_equal(constraint_turn(&c, raw, &i), CONSTRAINT_ASK);
		(void)constraint_failed(&c, i, "no", raw, 0.5);
		raw = c.due;
	}
	raw += S - 900 * S;
	constraint_hurry(&c, raw);
	assert_int_equal(constraint_turn(&c, raw, &i), CONSTRAINT_ASK);
}

static void
a_hurry_is_for_those_whose_waits_have_grown(void **state)
{
	static const struct {
		bool name;
		int failed;
		bool hurried;
	} table[] = {
		{ false, 0, false }, { false, 10, false }, { false, 11, true },
		{ true, 9, false }, { true, 10, true },
	};
	size_t i;
	int n, index;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct constraint c = table[i].name ? with(false, NULL, 0) :
		    with(false, &v4a, 1);
		int64_t raw = T0, due;

		for (n = 0; n < table[i].failed; n++, raw = c.due) {
			assert_int_not_equal(constraint_turn(&c, raw, &index),
			    CONSTRAINT_REST);
			if (table[i].name)
				constraint_resolved(&c, NULL, 0, "no", raw, 0);
			else
				(void)constraint_failed(&c, 0, "no", raw, 0);
		}
		due = c.due;
		constraint_hurry(&c, due - S);
		assert_int_equal(c.due != due, table[i].hurried);
		if (!table[i].hurried)
			continue;
		assert_true(c.due == due - S);
		/* It has no effect while an answer is awaited, and has one
		 * only once in ten minutes. */
		(void)constraint_turn(&c, c.due, &index);
		constraint_hurry(&c, due);
		assert_true(c.due == NEVER);
		for (n = 0; n < 5; n++) {
			if (table[i].name)
				constraint_resolved(&c, NULL, 0, "no", due, 0);
			else
				(void)constraint_failed(&c, 0, "no", due, 0);
			(void)constraint_turn(&c, c.due, &index);
		}
		if (table[i].name)
			constraint_resolved(&c, NULL, 0, "no", due, 0);
		else
			(void)constraint_failed(&c, 0, "no", due, 0);
		constraint_hurry(&c, due + 599 * S - 1);
		assert_true(c.due == due + 480 * S || c.due == due + 900 * S);
		constraint_hurry(&c, due - S + 600 * S);
		assert_true(c.due <= due - S + 600 * S);
	}
}

static void
failed_lookup_is_tried_again_soon(void **state)
{
	static const double wait[] = { 1, 2, 4, 8, 8, 8 };
	struct constraint c = with(false, NULL, 0);
	int64_t raw = T0;
	int i;

	(void)state;
	for (size_t n = 0; n < 60; n++) {
		assert_int_equal(constraint_turn(&c, raw, &i),
		    CONSTRAINT_RESOLVE);
		constraint_resolved(&c, NULL, 0, "no such name", raw, 0);
		if (n < LEN(wait))
			assert_int_equal(c.due, raw + (int64_t)(wait[n] * 1e9));
		assert_true(c.due <= raw + 900 * S);
		raw = c.due;
	}
	assert_string_equal(c.reason, "no such name");
	assert_true(raw > T0 + 3600 * S);	/* it did grow */
	/* a success resets the waits */
	assert_int_equal(constraint_turn(&c, raw, &i), CONSTRAINT_RESOLVE);
	constraint_resolved(&c, &v4a, 1, NULL, raw, 0);
	answers(&c, must_ask(&c, raw), raw, 0);
	raw = c.due;
	assert_int_equal(constraint_turn(&c, raw, &i), CONSTRAINT_RESOLVE);
	constraint_resolved(&c, NULL, 0, "no such name", raw, 0);
	assert_int_equal(c.due, raw + S);
}

static void
answers_are_renewed(void **state)
{
	struct constraint c = answered(&v4a, 0);
	int64_t least, most;

	(void)state;
	assert_true(c.due >= T0 + 5 * 3600 * S);
	assert_true(c.due <= T0 + 7 * 3600 * S);
	/* hosts that started together drift apart */
	c = with(false, &v4a, 1);
	(void)must_ask(&c, T0);
	(void)constraint_reply(&c, 0, &(struct constraint_answer){ T0, AHEAD,
	    0.5 }, T0, 0);
	least = c.due;
	c = with(false, &v4a, 1);
	(void)must_ask(&c, T0);
	(void)constraint_reply(&c, 0, &(struct constraint_answer){ T0, AHEAD,
	    0.5 }, T0, 0.999);
	most = c.due;
	assert_true(most - least > 3600 * S);
}

static void
name_is_looked_up_again_to_renew(void **state)
{
	struct constraint c = with(false, NULL, 0);
	int64_t raw = T0;
	int i;

	(void)state;
	assert_int_equal(constraint_turn(&c, raw, &i), CONSTRAINT_RESOLVE);
	constraint_resolved(&c, &v4a, 1, NULL, raw, 0);
	answers(&c, must_ask(&c, raw), raw, 0);
	raw = c.due;
	assert_int_equal(constraint_turn(&c, raw, &i), CONSTRAINT_RESOLVE);
	/* neither that nor a new address that fails takes the bound away */
	assert_int_equal(bound_of(&c, 1, raw).votes, 1);
	constraint_resolved(&c, &v4b, 1, NULL, raw, 0);
	assert_int_equal(bound_of(&c, 1, raw).votes, 1);
	(void)must_ask(&c, raw);
	(void)constraint_failed(&c, 0, "no", raw, 0);
	assert_int_equal(bound_of(&c, 1, raw).votes, 1);
	/* a new answer takes the place of the old one */
	raw = c.due;
	assert_int_equal(constraint_turn(&c, raw, &i), CONSTRAINT_RESOLVE);
	constraint_resolved(&c, &v4b, 1, NULL, raw, 0);
	answers(&c, must_ask(&c, raw), raw, 7);
	assert_int_equal(bound_of(&c, 1, raw).answers, 1);
	assert_int_equal(bound_of(&c, 1, raw).ahead, AHEAD + 7 * S);
}

static void
child_that_cannot_start_is_tried_in_a_second(void **state)
{
	struct constraint c = with(false, &v4a, 1);

	(void)state;
	(void)must_ask(&c, T0);
	constraint_busy(&c, 0, NULL, T0);
	assert_int_equal(c.queries, 0);
	must_rest(&c, T0);
	assert_int_equal(c.due, T0 + S);
	assert_int_equal(must_ask(&c, T0 + S), 0);
	assert_int_equal(c.failures, 0);
	assert_string_equal(c.reason, "");
	constraint_busy(&c, 0, "no memory", T0 + S);
	assert_string_equal(c.reason, "no memory");
}

/* Its addresses stay known, and what was asked before a gap is over. */
static void
child_that_cannot_start_costs_no_lookup_nor_an_answer(void **state)
{
	struct constraint c = with(false, NULL, 0);
	int i;

	(void)state;
	assert_int_equal(constraint_turn(&c, T0, &i), CONSTRAINT_RESOLVE);
	constraint_resolved(&c, &v4a, 1, NULL, T0, 0);
	(void)must_ask(&c, T0);
	constraint_busy(&c, 0, NULL, T0);
	assert_int_equal(must_ask(&c, T0 + S), 0);
	constraint_forget(&c, T0 + 2 * S);
	constraint_busy(&c, 0, NULL, T0 + 2 * S);
	assert_int_equal(must_ask(&c, T0 + 3 * S), 0);
	answers(&c, 0, T0 + 3 * S, 0);
}

/* The table of children is full for a moment, but memory may lack for long. */
static void
who_cannot_be_asked_at_all_is_not_waited_for(void **state)
{
	static const char *const reason[] = { NULL, "no memory" };
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct constraint c[2] = { with(false, &v4a, 1),
			answered(&v4b, 0) };

		(void)must_ask(&c[0], T0);
		constraint_busy(&c[0], 0, reason[i], T0);
		assert_int_equal(bound_of(c, 2, T0).votes, i);
	}
}

static void
lookup_that_cannot_start_is_no_failed_one(void **state)
{
	struct constraint c[2];
	int i;

	(void)state;
	c[0] = with(false, NULL, 0);
	assert_int_equal(constraint_turn(&c[0], T0, &i), CONSTRAINT_RESOLVE);
	constraint_busy(&c[0], -1, NULL, T0);
	must_rest(&c[0], T0);
	assert_int_equal(c[0].due, T0 + S);
	assert_int_equal(c[0].failures, 0);
	/* This one has not been asked yet, so the other one alone is no
	 * bound. */
	c[1] = answered(&v4b, 9999);
	assert_int_equal(bound_of(c, 2, T0).votes, 0);
	assert_int_equal(constraint_turn(&c[0], T0 + S, &i),
	    CONSTRAINT_RESOLVE);
}

static void
long_reason_is_cut(void **state)
{
	struct constraint c = with(false, &v4a, 1);
	char long_[500];

	(void)state;
	memset(long_, 'x', sizeof long_ - 1);
	long_[sizeof long_ - 1] = '\0';
	(void)must_ask(&c, T0);
	(void)constraint_failed(&c, 0, long_, T0, 0);
	assert_int_equal(strlen(c.reason), CONSTRAINT_REASON - 1);
}

/* ---------------------------------------------------------------- pools */

static void
pool_asks_all_at_once_and_all_vote(void **state)
{
	const struct address three[] = { v4a, v4b, v4c };
	struct constraint c = with(true, three, 3);

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(must_ask(&c, T0), i);
	must_rest(&c, T0);
	for (int i = 0; i < 3; i++)
		answers(&c, i, T0 + S, i);
	assert_int_equal(bound_of(&c, 1, T0 + S).votes, 3);
	assert_int_equal(bound_of(&c, 1, T0 + S).ahead, AHEAD + S);
	assert_true(c.due > T0 + 3600 * S);
}

static void
pool_asks_again_only_whom_it_lacks(void **state)
{
	const struct address three[] = { v4a, v4b, v4c };
	struct constraint c = with(true, three, 3);
	int64_t late;

	(void)state;
	for (int i = 0; i < 3; i++)
		(void)must_ask(&c, T0);
	answers(&c, 0, T0, 0);
	assert_true(constraint_failed(&c, 1, "no", T0, 0) == 0);
	answers(&c, 2, T0, 0);
	assert_in_range(c.due, T0 + 15 * S, T0 + 17 * S);
	assert_int_equal(must_ask(&c, T0 + 17 * S), 1);
	must_rest(&c, T0 + 17 * S);
	assert_int_equal(bound_of(&c, 1, T0 + 17 * S).votes, 2);
	(void)constraint_failed(&c, 1, "no", T0 + 17 * S, 0);
	late = T0 + 5 * 3600 * S;
	assert_int_equal(must_ask(&c, late), 1);
	answers(&c, 1, late, 0);
	assert_int_equal(bound_of(&c, 1, late).votes, 3);
	/* all are renewed by the age of the first answer */
	assert_true(c.due <= T0 + 7 * 3600 * S);
	for (int i = 0; i < 3; i++)
		assert_int_equal(must_ask(&c, c.due), i);
}

static void
former_votes_count_until_the_round_is_over(void **state)
{
	const struct address three[] = { v4a, v4b, v4c };
	struct constraint c = with(true, three, 3);
	int64_t raw;

	(void)state;
	for (int i = 0; i < 3; i++)
		(void)must_ask(&c, T0);
	for (int i = 0; i < 3; i++)
		answers(&c, i, T0, 0);
	raw = c.due;
	for (int i = 0; i < 3; i++)
		(void)must_ask(&c, raw);
	answers(&c, 0, raw, 9999);		/* the fastest is a liar */
	assert_int_equal(bound_of(&c, 1, raw).votes, 3);
	assert_int_equal(bound_of(&c, 1, raw).ahead, AHEAD);
	answers(&c, 1, raw, 1);
	answers(&c, 2, raw, 1);
	assert_int_equal(bound_of(&c, 1, raw).votes, 2);
	assert_int_equal(bound_of(&c, 1, raw).ahead, AHEAD + S);
}

/* The name is asked for when the answers are renewed, whoever has failed. */
static void
pool_that_lacks_one_is_looked_up_again_to_renew(void **state)
{
	const struct address two[] = { v4a, v4b };
	struct constraint c = with(true, NULL, 0);
	int i;

	(void)state;
	assert_int_equal(constraint_turn(&c, T0, &i), CONSTRAINT_RESOLVE);
	constraint_resolved(&c, two, 2, NULL, T0, 0);
	(void)must_ask(&c, T0);
	(void)must_ask(&c, T0);
	answers(&c, 0, T0, 0);
	(void)constraint_failed(&c, 1, "no", T0, 0);
	while (c.due < c.refresh) {
		int64_t raw = c.due;

		assert_int_equal(must_ask(&c, raw), 1);
		(void)constraint_failed(&c, 1, "no", raw, 0);
	}
	assert_true(c.due == c.refresh);
	assert_int_equal(constraint_turn(&c, c.due, &i), CONSTRAINT_RESOLVE);
}

/* A turn that comes late, when the answers are too old, asks every address. */
static void
pool_that_is_asked_late_renews_all(void **state)
{
	const struct address two[] = { v4a, v4b };
	struct constraint c = with(true, two, 2);

	(void)state;
	(void)must_ask(&c, T0);
	(void)must_ask(&c, T0);
	answers(&c, 0, T0, 0);
	(void)constraint_failed(&c, 1, "no", T0, 0);
	assert_true(c.due < c.refresh);
	assert_int_equal(must_ask(&c, c.refresh), 0);
	assert_int_equal(must_ask(&c, c.refresh), 1);
}

/* An answer whose bytes are all different from zero. */
static struct constraint_answer
odd(int64_t raw, int i)
{
	return (struct constraint_answer){ raw + 0x0101010101LL * (i + 1),
	    AHEAD + i * 0x01010101LL, 0.1 * (i + 1) };
}

static void
pool_has_room_for_eight(void **state)
{
	struct address found[CONSTRAINT_ADDRESSES + 1];
	struct constraint c = with(true, NULL, 0);
	struct constraint_answer a;
	int64_t raw = T0;
	int i, k, round;

	(void)state;
	for (i = 0; i <= CONSTRAINT_ADDRESSES; i++) {
		found[i] = v4a;
		found[i].bytes[3] = (uint8_t)(100 + i);
	}
	for (round = 0; round < 3; round++) {
		assert_int_equal(constraint_turn(&c, raw, &k),
		    CONSTRAINT_RESOLVE);
		constraint_resolved(&c, found, CONSTRAINT_ADDRESSES + 1, NULL,
		    raw, 0);
		for (i = 0; i < CONSTRAINT_ADDRESSES; i++)
			assert_int_equal(must_ask(&c, raw), i);
		must_rest(&c, raw);
		for (i = 0; i < CONSTRAINT_ADDRESSES; i++) {
			a = odd(raw, i);
			assert_true(constraint_reply(&c, i, &a, raw, 0.5));
			/* The former ones count until the last one is there. */
			if (round > 0 && i < CONSTRAINT_ADDRESSES - 1)
				assert_int_equal(bound_of(&c, 1, raw).answers,
				    CONSTRAINT_ADDRESSES);
		}
		assert_int_equal(bound_of(&c, 1, raw).votes,
		    CONSTRAINT_ADDRESSES);
		assert_true(c.due == c.refresh);
		raw = c.due;
	}
	constraint_forget(&c, raw);
	assert_int_equal(bound_of(&c, 1, raw).answers, 0);
	assert_true(c.due == raw);
}

static void
addresses_are_the_same_in_all_their_parts(void **state)
{
	static const struct {
		struct address a, b;
		int n;
	} table[] = {
		{ { 4, { 1, 2, 3, 4 }, 0 }, { 4, { 1, 2, 3, 4 }, 0 }, 1 },
		{ { 4, { 1, 2, 3, 4 }, 0 }, { 4, { 1, 2, 3, 5 }, 0 }, 2 },
		/* Four bytes of an IPv4 address count. */
		{ { 4, { 1, 2, 3, 4, 5 }, 0 }, { 4, { 1, 2, 3, 4, 6 }, 0 }, 1 },
		{ { 4, { 1, 2, 3, 4 }, 0 }, { 6, { 1, 2, 3, 4 }, 0 }, 2 },
		{ { 6, { [15] = 1 }, 0 }, { 6, { [15] = 2 }, 0 }, 2 },
		{ { 6, { [15] = 1 }, 1 }, { 6, { [15] = 1 }, 2 }, 2 },
		{ { 6, { [15] = 1 }, 2 }, { 6, { [15] = 1 }, 2 }, 1 },
	};
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		const struct address found[] = { table[i].a, table[i].b };
		struct constraint c = with(true, NULL, 0);

		assert_int_equal(constraint_turn(&c, T0, &k),
		    CONSTRAINT_RESOLVE);
		constraint_resolved(&c, found, 2, NULL, T0, 0);
		assert_int_equal(c.addresses, table[i].n);
	}
}

/* ---------------------------------------------------------------- bound */

/* The bound is the middle of two answers, and as wide as the less exact one
 * allows. */
static void
bound_of_two_holds_what_both_may_be_wrong_by(void **state)
{
	static const struct {
		double error[2], off[2], wide, width;
	} table[] = {
		{ { 0.5, 0.5 }, { 0, 0 }, 120.5, 0.5 },
		{ { 0.5, 7 }, { 0, 10 }, 127, 12 },
		{ { 7, 0.5 }, { 0, 10 }, 127, 12 },
		{ { 7, 0.5 }, { 10, 0 }, 127, 12 },
	};
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct constraint c[2] = { with(false, &v4a, 1),
			with(false, &v4b, 1) };
		struct constraint_answer a;
		struct bound b;

		for (k = 0; k < 2; k++) {
			a = says(T0, table[i].off[k]);
			a.error = table[i].error[k];
			(void)must_ask(&c[k], T0);
			(void)constraint_reply(&c[k], 0, &a, T0, 0.5);
		}
		b = bound_of(c, 2, T0);
		assert_int_equal(b.votes, 2);
		assert_true(fabs(b.error - table[i].wide) < 1e-9);
		assert_true(fabs(b.width - table[i].width) < 1e-9);
	}
}

/* A line has one vote, however many addresses it has.  Here two of three lines
 * have answered. */
static void
more_than_half_of_the_lines_are_enough(void **state)
{
	const struct address many[] = { v6a, v6b, v4c };
	struct constraint c[3] = { answered(&v4a, 0), answered(&v4b, 0),
		with(false, many, 3) };

	(void)state;
	(void)must_ask(&c[2], T0);
	assert_int_equal(bound_of(c, 3, T0).votes, 2);
}

static void
margin_is_120_s_both_ways(void **state)
{
	struct constraint c = answered(&v4a, 0);
	struct bound b = bound_of(&c, 1, T0);

	(void)state;
	assert_true(b.wanted);
	assert_true(fabs(b.error - 120.5) < 1e-9);
	assert_int_equal(bound_check(&b, T0, AHEAD + 120 * S), BOUND_OK);
	assert_int_equal(bound_check(&b, T0, AHEAD - 120 * S), BOUND_OK);
	assert_int_equal(bound_check(&b, T0, AHEAD + 1205 * S / 10), BOUND_OK);
	assert_int_equal(bound_check(&b, T0, AHEAD - 1205 * S / 10), BOUND_OK);
	assert_int_equal(bound_check(&b, T0, AHEAD + 121 * S), BOUND_BROKEN);
	assert_int_equal(bound_check(&b, T0, AHEAD - 121 * S), BOUND_BROKEN);
	/* liars may say anything */
	assert_int_equal(bound_check(&b, T0, INT64_MAX - T0), BOUND_BROKEN);
	assert_int_equal(bound_check(&b, T0, INT64_MIN / 2), BOUND_BUILD);
}

static void
bound_widens_by_500_ppm(void **state)
{
	struct constraint c = answered(&v4a, 0);
	struct bound b = bound_of(&c, 1, T0), later;
	int64_t day = 86400 * S;

	(void)state;
	later = bound_of(&c, 1, T0 + day);
	assert_true(fabs(later.error - (120.5 + 43.2)) < 1e-6);
	assert_true(fabs(bound_error(&b, T0 + day) - later.error) < 1e-6);
	/* The bound is the same whether it was asked for before or now. */
	assert_int_equal(bound_check(&b, T0 + day, AHEAD + 163 * S), BOUND_OK);
	assert_int_equal(bound_check(&later, T0 + day, AHEAD + 163 * S),
	    BOUND_OK);
	assert_int_equal(bound_check(&b, T0 + day, AHEAD + 164 * S),
	    BOUND_BROKEN);
	assert_int_equal(bound_check(&later, T0 + day, AHEAD + 164 * S),
	    BOUND_BROKEN);
}

static void
bound_is_as_old_as_its_answer(void **state)
{
	struct constraint c[2];
	struct bound b;

	(void)state;
	c[0] = answered(&v4a, 0);
	c[1] = with(false, &v4b, 1);
	(void)constraint_failed(&c[1], must_ask(&c[1], T0), "no", T0, 0);
	b = bound_of(c, 2, T0 + 99 * S);
	assert_int_equal(b.made, T0);
	/* of two in the middle, the older one */
	answers(&c[1], must_ask(&c[1], T0 + 99 * S), T0 + 99 * S, 1);
	b = bound_of(c, 2, T0 + 100 * S);
	assert_int_equal(b.made, T0);
	answers(&c[0], must_ask(&c[0], c[0].due), T0 + 200 * S, 0);
	b = bound_of(c, 2, T0 + 201 * S);
	assert_int_equal(b.made, T0 + 99 * S);
}

static void
no_date_before_the_build(void **state)
{
	struct bound b = { .earliest = AHEAD + T0 };

	(void)state;
	assert_int_equal(bound_check(&b, T0, AHEAD), BOUND_OK);
	assert_int_equal(bound_check(&b, T0, AHEAD - S), BOUND_BUILD);
	assert_int_equal(bound_check(&b, T0 + 2 * S, AHEAD - S), BOUND_OK);
}

static void
bound_is_wanted_where_constraints_are(void **state)
{
	struct constraint c = with(false, &v4a, 1);
	struct bound b = bound_of(NULL, 0, T0);

	(void)state;
	assert_int_equal(bound_check(&b, T0, AHEAD), BOUND_OK);
	b = bound_of(&c, 1, T0);
	assert_int_equal(bound_check(&b, T0, AHEAD), BOUND_MISSING);
	(void)must_ask(&c, T0);
	(void)constraint_failed(&c, 0, "no", T0, 0);
	b = bound_of(&c, 1, T0);
	assert_int_equal(bound_check(&b, T0, AHEAD), BOUND_MISSING);
}

static void
name_that_does_not_resolve_fails_closed(void **state)
{
	struct constraint c = with(false, NULL, 0);
	struct bound b;
	int i;

	(void)state;
	(void)constraint_turn(&c, T0, &i);
	constraint_resolved(&c, NULL, 0, "no such name", T0, 0);
	b = bound_of(&c, 1, T0 + 86400 * S);
	assert_int_equal(bound_check(&b, T0, AHEAD), BOUND_MISSING);
}

/* Answers, in seconds; what the bound is then; agreeing votes. */
static const struct {
	double off[5];
	int n;
	double median;
	int votes;
} medians[] = {
	{ { 0 }, 1, 0, 1 },
	{ { 3, 1 }, 2, 2, 2 },
	{ { 3, 1, 2 }, 3, 2, 3 },
	{ { 0, 0, 99999 }, 3, 0, 2 },
	{ { -99999, 0, 1 }, 3, 0, 2 },
	{ { 0, 99999 }, 2, 0, 0 },		/* whom to believe? */
	{ { 0, 0, 99999, 99999 }, 4, 0, 0 },
	{ { 0, 0, 1, 99999 }, 4, 0.5, 3 },
	{ { 0, 5000, 99999 }, 3, 0, 0 },
	{ { 0, 1, 2, 99999, 99999 }, 5, 2, 3 },
	{ { 0, 0, -99999, 99999, 77777 }, 5, 0, 0 },
	{ { 0, 100, -100 }, 3, 0, 3 },
	{ { -1000, 0, 10, 1000 }, 4, 0, 0 },	/* Two are only half. */
	/* Each may be wrong by half a second of its own beside the 120 s. */
	{ { 0, 241 }, 2, 120.5, 2 },
	{ { 0, 241.1 }, 2, 0, 0 },
};

static void
bound_is_the_median_of_a_majority(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(medians); i++) {
		struct constraint c[5];
		struct bound b;

		for (int k = 0; k < medians[i].n; k++)
			c[k] = answered(&v4a, medians[i].off[k]);
		b = bound_of(c, medians[i].n, T0);
		if (b.votes != medians[i].votes)
			fail_msg("%zu: %d votes", i, b.votes);
		assert_int_equal(b.answers, medians[i].n);
		if (b.votes > 0 && b.ahead !=
		    AHEAD + (int64_t)(medians[i].median * 1e9))
			fail_msg("%zu: %f", i, (double)(b.ahead - AHEAD) / 1e9);
		if (b.votes == 0)
			assert_int_equal(bound_check(&b, T0, AHEAD),
			    BOUND_MISSING);
	}
}

static void
fastest_liar_is_no_median(void **state)
{
	struct constraint c[3];
	struct bound b;
	int64_t again;

	(void)state;
	for (int i = 0; i < 3; i++) {
		c[i] = with(false, &v4a, 1);
		(void)must_ask(&c[i], T0);
	}
	answers(&c[0], 0, T0 + 1000, 99999);
	again = constraint_bound(c, 3, T0 + 1000, &b);
	assert_int_equal(b.votes, 0);
	assert_int_equal(again, T0 + 5 * S / 2);
	answers(&c[1], 0, T0 + 2000, 0);
	answers(&c[2], 0, T0 + 3000, 0);
	(void)constraint_bound(c, 3, T0 + 3000, &b);
	assert_int_equal(b.votes, 2);
	assert_int_equal(b.ahead, AHEAD);
}

static void
silent_ones_are_waited_for_2_5_s(void **state)
{
	struct constraint c[3];
	struct bound b;

	(void)state;
	for (int i = 0; i < 3; i++) {
		c[i] = with(false, &v4a, 1);
		(void)must_ask(&c[i], T0);
	}
	answers(&c[0], 0, T0 + S, 0);
	(void)constraint_bound(c, 3, T0 + 5 * S / 2 - 1, &b);
	assert_int_equal(b.votes, 0);
	assert_int_equal(constraint_bound(c, 3, T0 + 5 * S / 2, &b), NEVER);
	assert_int_equal(b.votes, 1);
	/* half is not more than half */
	assert_int_equal(bound_of(c, 2, T0 + S).votes, 0);
	assert_int_equal(bound_of(c, 1, T0 + S).votes, 1);
}

static void
failed_ones_are_not_waited_for(void **state)
{
	struct constraint c[3];
	int i;

	(void)state;
	c[0] = with(false, &v4a, 1);
	c[1] = with(false, &v6a, 1);
	c[2] = with(false, NULL, 0);
	answers(&c[0], must_ask(&c[0], T0), T0, 0);
	(void)constraint_failed(&c[1], must_ask(&c[1], T0), "no", T0, 0);
	assert_int_equal(bound_of(c, 3, T0).votes, 0);
	(void)constraint_turn(&c[2], T0, &i);
	constraint_resolved(&c[2], NULL, 0, "no", T0, 0);
	assert_int_equal(bound_of(c, 3, T0).votes, 1);
}

static void
waits_for_the_one_that_has_something_to_say(void **state)
{
	struct constraint c[3];

	(void)state;
	c[0] = answered(&v4a, 0);
	c[1] = with(false, &v4b, 1);
	c[2] = with(false, &v4c, 1);
	assert_ptr_equal(constraint_blamed(c, 3), &c[1]);
	(void)constraint_failed(&c[2], must_ask(&c[2], T0), "no", T0, 0);
	assert_ptr_equal(constraint_blamed(c, 3), &c[2]);
	assert_string_equal(constraint_blamed(c, 3)->reason, "no");
	assert_null(constraint_blamed(c, 1));
}

/* -------------------------------------------------------- gap and reset */

static void
gap_voids_the_bound_and_asks_at_once(void **state)
{
	const struct address two[] = { v4a, v4b };
	struct constraint c = with(true, two, 2);
	struct constraint_answer late;

	(void)state;
	answers(&c, must_ask(&c, T0), T0, 0);
	(void)must_ask(&c, T0);			/* still under way */
	constraint_forget(&c, T0 + S);
	assert_int_equal(bound_of(&c, 1, T0 + S).answers, 0);
	must_rest(&c, T0 + S);
	/* what was asked before the gap is not believed, but asked again */
	late = says(T0 + S, 0);
	assert_false(constraint_reply(&c, 1, &late, T0 + S, 0));
	assert_int_equal(bound_of(&c, 1, T0 + S).answers, 0);
	answers(&c, must_ask(&c, T0 + S), T0 + S, 0);
	answers(&c, must_ask(&c, T0 + S), T0 + S, 0);
	assert_int_equal(bound_of(&c, 1, T0 + S).votes, 2);
}

static void
answer_from_before_a_gap_is_not_shown(void **state)
{
	struct constraint c = answered(&v4a, 0);

	(void)state;
	assert_true(c.answered);
	constraint_forget(&c, T0 + S);
	assert_false(c.answered);
	answers(&c, must_ask(&c, T0 + S), T0 + S, 0);
	assert_true(c.answered);
}

static void
gap_during_a_lookup(void **state)
{
	struct constraint c = with(false, NULL, 0);
	int i;

	(void)state;
	assert_int_equal(constraint_turn(&c, T0, &i), CONSTRAINT_RESOLVE);
	constraint_forget(&c, T0);
	must_rest(&c, T0);
	constraint_resolved(&c, &v4a, 1, NULL, T0, 0);
	answers(&c, must_ask(&c, T0), T0, 0);
	assert_int_equal(bound_of(&c, 1, T0).votes, 1);
}

static void
failure_from_before_a_gap_is_none(void **state)
{
	struct constraint c = with(false, &v4a, 1);

	(void)state;
	(void)must_ask(&c, T0);
	constraint_forget(&c, T0);
	(void)constraint_failed(&c, 0, "timeout", T0, 0);
	assert_int_equal(c.failures, 0);
	assert_string_equal(c.reason, "");
	assert_int_equal(must_ask(&c, T0), 0);
}

static void
reset_asks_all_again_but_not_often(void **state)
{
	struct constraint c[2];

	(void)state;
	c[0] = answered(&v4a, 0);
	c[1] = answered(&v4b, 0);
	assert_true(constraint_reset(c, 2, T0 + S));
	/* what is known stands until there is something new */
	assert_int_equal(bound_of(c, 2, T0 + S).votes, 2);
	(void)constraint_failed(&c[0], must_ask(&c[0], T0 + S), "no", T0 + S,
	    0);
	assert_int_equal(bound_of(c, 2, T0 + S).votes, 2);
	answers(&c[0], must_ask(&c[0], T0 + 16 * S), T0 + 16 * S, 5);
	assert_int_equal(bound_of(c, 2, T0 + 16 * S).ahead,
	    AHEAD + 5 * S / 2);
	answers(&c[1], must_ask(&c[1], T0 + 17 * S), T0 + 17 * S, 5);
	assert_int_equal(bound_of(c, 2, T0 + 17 * S).ahead, AHEAD + 5 * S);
	assert_false(constraint_reset(c, 2, T0 + 900 * S));
	assert_int_equal(bound_of(c, 2, T0 + 900 * S).votes, 2);
	assert_true(c[0].due > T0 + 3600 * S);
	assert_true(constraint_reset(c, 2, T0 + 901 * S));
	assert_false(constraint_reset(c, 0, T0 + 9999 * S));
}

static void
reset_looks_the_name_up_again(void **state)
{
	struct constraint c = with(false, NULL, 0);
	int i;

	(void)state;
	assert_int_equal(constraint_turn(&c, T0, &i), CONSTRAINT_RESOLVE);
	constraint_resolved(&c, &v4a, 1, NULL, T0, 0);
	answers(&c, must_ask(&c, T0), T0, 9999);
	assert_false(bound_of(&c, 1, T0).asking);
	assert_true(constraint_reset(&c, 1, T0 + S));
	assert_int_equal(constraint_turn(&c, T0 + S, &i), CONSTRAINT_RESOLVE);
	assert_true(bound_of(&c, 1, T0 + S).asking);
	constraint_resolved(&c, &v4b, 1, NULL, T0 + S, 0);
	assert_true(bound_of(&c, 1, T0 + S).asking);
	answers(&c, must_ask(&c, T0 + S), T0 + S, 0);
	assert_int_equal(bound_of(&c, 1, T0 + S).ahead, AHEAD);
	assert_false(bound_of(&c, 1, T0 + S).asking);
}

static void
reset_does_not_hurry_who_never_answers(void **state)
{
	struct constraint c = with(false, &v4a, 1);
	int64_t raw = T0;
	double last = 0;

	(void)state;
	for (int n = 0; n < 14; n++) {
		(void)must_ask(&c, raw);
		last = constraint_failed(&c, 0, "no", raw, 0);
		raw = c.due;
	}
	assert_true(last > 15);
	raw -= S;
	assert_true(constraint_reset(&c, 1, raw));
	(void)must_ask(&c, raw);
	assert_true(constraint_failed(&c, 0, "no", raw, 0) > last);
}

/* A server that is being asked already is not asked twice. */
static void
reset_during_a_round(void **state)
{
	const struct address both[] = { v4a, v4b };
	struct constraint c = with(true, both, 2);

	(void)state;
	answers(&c, must_ask(&c, T0), T0, 0);
	(void)must_ask(&c, T0);
	assert_true(constraint_reset(&c, 1, T0 + S));
	must_rest(&c, T0 + S);
	assert_int_equal(c.due, NEVER);
	answers(&c, 1, T0 + 2 * S, 0);
	must_rest(&c, T0 + 2 * S);
	assert_true(c.due > T0 + 3600 * S);
}

/* Anything in any order: never two questions to one address, no question while
 * a lookup runs, and always something due or under way. */
static void
survives_any_order_of_events(void **state)
{
	static const struct address some[] = {
		{ 4, { 1 }, 0 }, { 6, { 1 }, 0 }, { 4, { 2 }, 0 },
		{ 6, { 2 }, 0 }, { 4, { 3 }, 0 }
	};
	uint64_t random = 88172645463325252u;

	(void)state;
	for (int run = 0; run < 400; run++) {
		struct constraint c = with(run & 1, some, run & 2 ? 3 : 0);
		bool asked[CONSTRAINT_ADDRESSES] = { false };
		bool resolving = false;
		int64_t raw = T0;
		int under_way = 0, i = 0;
		struct bound b;

		for (int step = 0; step < 500; step++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			i = (int)(random >> 8) % CONSTRAINT_ADDRESSES;
			i = i < 0 ? -i : i;
			switch (random % 8) {
			case 0: case 1: case 2:
				if (c.due != NEVER && c.due > raw)
					raw = c.due;
				switch (constraint_turn(&c, raw, &i)) {
				case CONSTRAINT_RESOLVE:
					assert_false(resolving);
					assert_int_equal(under_way, 0);
					resolving = true;
					break;
				case CONSTRAINT_ASK:
					assert_false(resolving);
					assert_false(asked[i]);
					assert_in_range(i, 0, c.addresses - 1);
					asked[i] = true;
					under_way++;
					break;
				case CONSTRAINT_REST:
					break;
				}
				break;
			case 3:
				if (!resolving)
					break;
				resolving = false;
				if ((random >> 30) % 4 == 0) {
					constraint_busy(&c, -1, "no", raw);
					break;
				}
				constraint_resolved(&c, some,
				    (int)(random >> 20 & 7) % 6, "none", raw,
				    0.5);
				break;
			case 4:
				if (!asked[i])
					break;
				asked[i] = false;
				under_way--;
				(void)constraint_reply(&c, i,
				    &(struct constraint_answer){ raw, AHEAD,
				    0.5 }, raw, 0.5);
				break;
			case 5:
				if (!asked[i])
					break;
				asked[i] = false;
				under_way--;
				assert_true(constraint_failed(&c, i, "no", raw,
				    0.5) >= 0);
				break;
			case 6:
				if (!asked[i] || (random >> 30) % 4 != 0)
					break;
				asked[i] = false;
				under_way--;
				constraint_busy(&c, i, NULL, raw);
				break;
			case 7:
				if ((random >> 30) % 16 == 0)
					constraint_forget(&c, raw);
				else if ((random >> 30) % 16 == 1)
					(void)constraint_reset(&c, 1, raw);
				break;
			}
			assert_true(resolving || under_way > 0 ||
			    c.due != NEVER);
			(void)constraint_bound(&c, 1, raw, &b);
			assert_in_range(b.answers, 0, CONSTRAINT_ADDRESSES);
			assert_true(b.votes == 0 || b.ahead == AHEAD);
		}
	}
}

/* An answer of a cache bounds by its age while there is no better one. */
static void
a_stored_answer_is_the_last_resort(void **state)
{
	struct constraint c[2] = { with(false, &v4a, 1), with(false, &v4b, 1) };
	struct constraint_answer day = says(T0, 0), month = day;
	struct bound b;

	(void)state;
	day.error = 43200;
	month.error = 30 * 43200.0;
	assert_int_equal(must_ask(&c[0], T0), 0);
	assert_int_equal(must_ask(&c[1], T0), 0);
	constraint_stored(&c[0], 0, &day);
	(void)constraint_failed(&c[0], 0, "from a cache", T0, 0.5);
	b = bound_of(c, 2, T0);
	assert_int_equal(b.votes, 0);	/* another is still being asked */
	constraint_stored(&c[1], 0, &month);
	(void)constraint_failed(&c[1], 0, "from a cache", T0, 0.5);
	b = bound_of(c, 2, T0);
	assert_true(b.votes == 1 && b.stored);
	assert_true(fabs(b.error - 43320) < 1e-6);
	assert_int_equal(bound_check(&b, T0, AHEAD + 43000 * S), BOUND_OK);
	assert_int_equal(bound_check(&b, T0, AHEAD - 43400 * S), BOUND_BROKEN);

	assert_int_equal(must_ask(&c[1], T0 + 20 * S), 0);
	answers(&c[1], 0, T0 + 20 * S, 0);
	b = bound_of(c, 2, T0 + 20 * S);
	assert_true(b.votes == 1 && !b.stored && b.error < 121);

	constraint_forget(&c[0], T0 + 30 * S);
	constraint_forget(&c[1], T0 + 30 * S);
	b = bound_of(c, 2, T0 + 30 * S);
	assert_int_equal(b.votes, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    child_that_cannot_start_costs_no_lookup_nor_an_answer),
		cmocka_unit_test(who_cannot_be_asked_at_all_is_not_waited_for),
		cmocka_unit_test(tries_in_vain_double_from_the_twelfth_on),
		cmocka_unit_test(a_hurry_is_for_those_whose_waits_have_grown),
		cmocka_unit_test(
		    pool_that_lacks_one_is_looked_up_again_to_renew),
		cmocka_unit_test(pool_that_is_asked_late_renews_all),
		cmocka_unit_test(pool_has_room_for_eight),
		cmocka_unit_test(addresses_are_the_same_in_all_their_parts),
		cmocka_unit_test(bound_of_two_holds_what_both_may_be_wrong_by),
		cmocka_unit_test(more_than_half_of_the_lines_are_enough),
		cmocka_unit_test(numeric_host_is_asked_without_lookup),
		cmocka_unit_test(named_host_is_looked_up_first),
		cmocka_unit_test(families_take_turns),
		cmocka_unit_test(same_address_twice_is_one),
		cmocka_unit_test(address_that_fails_costs_nothing),
		cmocka_unit_test(silent_address_costs_a_second),
		cmocka_unit_test(
		    second_answer_of_a_single_line_is_no_second_vote),
		cmocka_unit_test(retry_begins_at_15_s_and_grows_to_900),
		cmocka_unit_test(failed_lookup_is_tried_again_soon),
		cmocka_unit_test(asking_in_vain_is_no_storm),
		cmocka_unit_test(one_that_failed_is_asked_when_the_network_is_back),
		cmocka_unit_test(answers_are_renewed),
		cmocka_unit_test(name_is_looked_up_again_to_renew),
		cmocka_unit_test(child_that_cannot_start_is_tried_in_a_second),
		cmocka_unit_test(lookup_that_cannot_start_is_no_failed_one),
		cmocka_unit_test(long_reason_is_cut),
		cmocka_unit_test(pool_asks_all_at_once_and_all_vote),
		cmocka_unit_test(pool_asks_again_only_whom_it_lacks),
		cmocka_unit_test(former_votes_count_until_the_round_is_over),
		cmocka_unit_test(margin_is_120_s_both_ways),
		cmocka_unit_test(bound_widens_by_500_ppm),
		cmocka_unit_test(bound_is_as_old_as_its_answer),
		cmocka_unit_test(no_date_before_the_build),
		cmocka_unit_test(bound_is_wanted_where_constraints_are),
		cmocka_unit_test(name_that_does_not_resolve_fails_closed),
		cmocka_unit_test(bound_is_the_median_of_a_majority),
		cmocka_unit_test(fastest_liar_is_no_median),
		cmocka_unit_test(silent_ones_are_waited_for_2_5_s),
		cmocka_unit_test(failed_ones_are_not_waited_for),
		cmocka_unit_test(waits_for_the_one_that_has_something_to_say),
		cmocka_unit_test(gap_voids_the_bound_and_asks_at_once),
		cmocka_unit_test(answer_from_before_a_gap_is_not_shown),
		cmocka_unit_test(gap_during_a_lookup),
		cmocka_unit_test(failure_from_before_a_gap_is_none),
		cmocka_unit_test(reset_asks_all_again_but_not_often),
		cmocka_unit_test(reset_looks_the_name_up_again),
		cmocka_unit_test(reset_does_not_hurry_who_never_answers),
		cmocka_unit_test(reset_during_a_round),
		cmocka_unit_test(a_stored_answer_is_the_last_resort),
		cmocka_unit_test(survives_any_order_of_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
