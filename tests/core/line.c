/*
 * line.c - when a name is looked up, and who goes to which of its addresses.
 */
#include "core/address.h"
#include "core/line.h"
#include "core/select.h"
#include "tests/core/exchange.h"

static void
kiss_deny_stops_until_resolved(void **state)
{
	struct source s = waiting();
	struct ntp_packet kiss = good();
	struct line l = { .founds = 2, .found = { here, there } };
	const struct address *to;

	(void)state;
	kiss.stratum = 0;
	kiss.refid = 0x44454e59;
	kiss.origin = NONCE ^ 1;
	assert_int_equal(answer(&s, &kiss, NTP_SIZE), SAID_ORIGIN);
	kiss.origin = NONCE;
	assert_int_equal(answer(&s, &kiss, NTP_SIZE), SAID_DENY);
	assert_int_equal(source_turn(&s, RAW0 + 100000 * NS_PER_S, false, 0),
	    WANT_NOTHING);
	to = line_replace(&l, &s, &s, 1);
	assert_non_null(to);
	assert_memory_equal(to, &there, sizeof there);
}

static void
a_denied_server_is_asked_again_with_its_name(void **state)
{
	struct source s = waiting();
	struct ntp_packet kiss = good(), p = good();
	struct line l = { .asked = RAW0 };
	int64_t raw = RAW0, end = RAW0 + 86400 * NS_PER_S;
	int asked = 0;

	(void)state;
	kiss.stratum = 0;
	kiss.refid = 0x44454e59;
	assert_false(source_resume(&s, raw, 0, 1e-4));
	line_found(&l, &here, 1, raw, false);
	for (; raw < end; raw += 60 * NS_PER_S) {
		if (s.state == SOURCE_WAITING)
			assert_int_equal(answer(&s, &kiss, NTP_SIZE), SAID_DENY);
		if (line_turn(&l, &s, 1, raw, false)) {
			l.asked = raw;
			line_found(&l, &here, 1, raw, false);
			assert_null(line_replace(&l, &s, &s, 1));
			assert_true(source_resume(&s, raw, 0, 1e-4));
		}
		if (source_turn(&s, raw, false, 0.5) == WANT_SEND) {
			source_sent(&s, raw, NONCE, false);
			/* never an idle hour because of one packet */
			if (++asked == 1)
				assert_true(raw - RAW0 <= 900 * NS_PER_S);
		}
	}
	assert_in_range(asked, 4, 12);
	if (s.state == SOURCE_STOPPED)
		assert_true(source_resume(&s, raw, 0, 1e-4));
	source_sent(&s, raw, NONCE, false);
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	assert_int_equal(s.denied, 0);
}

/* Its name was last looked up long before that. */
static void
a_denied_server_is_not_asked_again_at_once(void **state)
{
	int64_t denied = RAW0 + 50000 * NS_PER_S;
	struct source s = { .state = SOURCE_STOPPED, .denied = 1,
		.sent = denied };
	struct line l = { .numeric = true, .asked = RAW0,
		.lookup_due = RAW0 + 86400 * NS_PER_S };

	(void)state;
	assert_false(line_turn(&l, &s, 1, denied, false));
	assert_false(line_turn(&l, &s, 1, denied + 899 * NS_PER_S, false));
	assert_true(line_turn(&l, &s, 1, denied + 900 * NS_PER_S, false));
}

/* The lookup that resumes it was already under way. */
static void
a_denied_server_has_a_second_of_rest(void **state)
{
	struct source s = waiting();
	struct ntp_packet kiss = good();

	(void)state;
	kiss.stratum = 0;
	kiss.refid = 0x44454e59;
	assert_int_equal(answer(&s, &kiss, NTP_SIZE), SAID_DENY);
	assert_true(source_resume(&s, s.sent + NS_PER_S / 10, 0, 1e-4));
	assert_true(s.due >= s.sent + NS_PER_S);
}

static void
a_silent_name_is_looked_up_less_and_less(void **state)
{
	struct source s = { .state = SOURCE_UNRESOLVED };
	struct line l = { .numeric = false };
	int64_t raw = RAW0;
	int looks[2] = { 0, 0 }, hour;

	(void)state;
	source_start(&s, &here, raw, 0, 0, 1e-4);
	for (hour = 0; hour < 2; hour++)
		for (; raw < RAW0 + (hour + 1) * 3600 * NS_PER_S; raw += NS_PER_S) {
			if (line_turn(&l, &s, 1, raw, false)) {
				l.asked = raw;
				line_found(&l, &here, 1, raw, false);
				looks[hour]++;
			}
			if (source_turn(&s, raw, false, 0.5) == WANT_SEND)
				source_sent(&s, raw, NONCE, false);
		}
	assert_in_range(looks[0], 4, 10);
	assert_in_range(looks[1], 2, 5);
	/* an address is not a name */
	l.numeric = true;
	l.lookup_due = raw + 86400 * NS_PER_S;
	assert_false(line_turn(&l, &s, 1, raw + 3600 * NS_PER_S, false));
	assert_true(l.lookup_due == raw + 86400 * NS_PER_S);
}

/* In a pod each of four names costs eight queries: of three search domains and of
 * the name itself, for both families.  Nothing answers by NTP there. */
static void
names_of_silent_servers_are_no_storm(void **state)
{
	struct source s = { .state = SOURCE_UNRESOLVED };
	struct line l = { .crowd = 4, .questions = 8 };
	int64_t raw = RAW0;
	int looks = 0, early = 0;

	(void)state;
	source_start(&s, &here, raw, 0, 0, 1e-4);
	for (; raw < RAW0 + 86400 * NS_PER_S; raw += NS_PER_S) {
		if (line_turn(&l, &s, 1, raw, true)) {
			l.asked = raw;
			line_found(&l, &here, 1, raw, true);
			looks++;
			early += raw < RAW0 + 600 * NS_PER_S;
		}
		if (source_turn(&s, raw, true, 0.5) == WANT_SEND)
			source_sent(&s, raw, NONCE, true);
	}
	assert_in_range(early, 4, 8);
	assert_in_range(looks * l.crowd * l.questions, 2000, 8800);
}

static void
failed_lookups_are_no_storm(void **state)
{
	static const double takes[] = { 0, 0.01, 6, 10, 20 };
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < LEN(takes); i++)
		for (k = 0; k < 4; k++) {
			struct source s = { 0 };
			struct line l = { .crowd = 8 };
			int64_t raw = RAW0, begun = 0;
			int early = 0, looks = 0;

			for (; raw < RAW0 + 86400 * NS_PER_S;
			    raw += NS_PER_S / 2) {
				if (k / 2 > 0 &&
				    (raw - RAW0) % (15 * NS_PER_S) == 0)
					line_hurry(&l, raw);
				if (begun != 0 && raw - begun >= takes[i] * 1e9) {
					line_found(&l, NULL, 0, raw, k % 2);
					begun = 0;
				} else if (line_turn(&l, &s, 1, raw, k % 2)) {
					begun = l.asked = raw;
					l.looking = true;
					looks++;
					early += raw - RAW0 < 300 * NS_PER_S;
				}
			}
			assert_in_range(early, 5, 15);
			assert_in_range(looks, 90, 2000);
		}
}

/* A lookup that nobody answers takes 10 s.  Whenever the name server is there
 * again within two minutes, it is asked within 15 s. */
static void
a_silent_name_server_is_asked_each_15_s(void **state)
{
	struct source s = { 0 };
	struct line l = { .crowd = 1, .questions = 2 };
	int64_t raw = RAW0, begun = NEVER;

	(void)state;
	for (; raw < RAW0 + 120 * NS_PER_S; raw += NS_PER_S / 2) {
		if (l.looking && raw - l.asked >= 10 * NS_PER_S)
			line_found(&l, NULL, 0, raw, true);
		if (line_turn(&l, &s, 1, raw, true)) {
			if (begun != NEVER)
				assert_in_range(
				    raw - begun, NS_PER_S, 15 * NS_PER_S);
			begun = l.asked = raw;
			l.looking = true;
		}
	}
	assert_true(raw - begun <= 15 * NS_PER_S);
}

/* That a request could not leave says nothing against an address that
 * worked. */
static void
a_moment_without_a_route_costs_no_filter(void **state)
{
	struct line l = { .founds = 2, .found = { here, there } };
	struct source s = waiting();
	struct ntp_packet p = good();
	int64_t raw;
	int i;

	(void)state;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	for (i = 0, raw = s.due; i < 7; i++, raw = s.due) {
		assert_int_equal(source_turn(&s, raw, false, 0.5), WANT_SEND);
		source_failed(&s, raw, false, 0.5);
		assert_null(line_replace(&l, &s, &s, 1));
	}
	assert_int_equal(s.filter.samples, 1);
	/* it lasts */
	assert_true(raw - RAW0 > 60 * NS_PER_S);
	(void)source_turn(&s, raw, false, 0.5);
	source_failed(&s, raw, false, 0.5);
	assert_non_null(line_replace(&l, &s, &s, 1));
}

static void
without_descriptors_a_server_only_waits(void **state)
{
	struct line l = { .founds = 2, .found = { here, there } };
	struct source s = waiting();
	struct ntp_packet p = good();
	int64_t raw;
	int i;

	(void)state;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	for (i = 0, raw = s.due; i < 500; i++, raw = s.due) {
		assert_int_equal(source_turn(&s, raw, false, 0.5), WANT_SEND);
		source_delayed(&s, raw, 0.5);
		assert_true(s.due - raw <= 16 * NS_PER_S);
		assert_null(line_replace(&l, &s, &s, 1));
	}
	assert_int_equal(s.reach, 1);
	assert_int_equal(s.silent, 0);
}

static void
move(struct source *s, struct line *l, const struct address *to, int64_t raw)
{
	source_move(s, to, l->founds, later(raw, line_wait(l, s, true)), 0, 1e-4);
}

static void
an_unreachable_address_gives_way(void **state)
{
	struct line l = { .founds = 2, .found = { here, there } };
	struct source s = { 0 };
	const struct address *to;
	int64_t raw = RAW0;

	(void)state;
	s.state = SOURCE_UNRESOLVED;
	to = line_replace(&l, &s, &s, 1);
	assert_memory_equal(to, &here, sizeof here);
	move(&s, &l, to, raw);
	assert_true(s.due == raw);
	source_failed(&s, raw, true, 0.5);
	to = line_replace(&l, &s, &s, 1);
	assert_memory_equal(to, &there, sizeof there);
	move(&s, &l, to, raw);
	assert_true(s.due == raw);		/* the other at once */
	source_failed(&s, raw, true, 0.5);
	to = line_replace(&l, &s, &s, 1);
	move(&s, &l, to, raw);
	assert_true(s.due >= raw + NS_PER_S);	/* but not round and round */
}

static void
the_same_address_is_one_source(void **state)
{
	struct source all[2] = { { 0 } };
	struct line a = { .founds = 1, .found = { here } };
	struct line b = { .founds = 1, .found = { here } };

	(void)state;
	all[0].state = all[1].state = SOURCE_UNRESOLVED;
	source_start(&all[0], line_replace(&a, &all[0], all, 2), RAW0, 0, 0, 1);
	assert_null(line_replace(&b, &all[1], all, 2));
	assert_ptr_equal(line_shares(&b, all, 2), &all[0]);
	/* When that one moves away, the other one takes its place. */
	source_start(&all[0], &there, RAW0, 0, 0, 1);
	assert_non_null(line_replace(&b, &all[1], all, 2));
	assert_null(line_shares(&b, all, 2));
}

/* A name's lookups while n of its places are taken. */
static double
next_lookup(struct line *l, struct source all[static POOL_MAX], int n,
    int64_t *raw)
{
	int i;

	for (i = 0; i < POOL_MAX; i++)
		all[i].state = i < n ? SOURCE_IDLE : SOURCE_UNRESOLVED;
	l->asked = *raw;
	line_found(l, &here, 1, *raw, false);
	line_settled(l, all, POOL_MAX, *raw);
	*raw = l->lookup_due;
	assert_false(line_turn(l, all, POOL_MAX, *raw - 1, false));
	assert_true(line_turn(l, all, POOL_MAX, *raw, false));
	return (double)(*raw - l->asked) / NS_PER_S;
}

static void
a_name_with_free_places_is_looked_up_again(void **state)
{
	struct source all[POOL_MAX] = { { 0 } };
	struct line l = { .pool = true };
	int64_t raw = RAW0;
	double minutes;

	(void)state;
	for (minutes = 1; minutes < 1440; minutes *= 2)
		assert_true(next_lookup(&l, all, 1, &raw) == minutes * 60);
	for (minutes = 0; minutes < 100 * 1440; minutes += 1440)
		assert_true(next_lookup(&l, all, 1, &raw) <= 86400);
	assert_true(l.lean < 18);
	/* it grows, so it may go on doing so; until it is full */
	assert_true(next_lookup(&l, all, 3, &raw) == 60);
	assert_true(next_lookup(&l, all, 3, &raw) == 120);
	assert_true(next_lookup(&l, all, POOL_MAX, &raw) == 86400);
}

/* While a node starts, its network changes all the time.  What is looked up for
 * that reason says nothing of how long the name takes to grow. */
static void
lookups_between_do_not_make_a_name_wait(void **state)
{
	struct source all[POOL_MAX] = { { 0 } };
	struct line l = { .pool = true };
	int64_t raw = RAW0, due;
	int i;

	(void)state;
	assert_true(next_lookup(&l, all, 1, &raw) == 60);
	due = raw + 120 * NS_PER_S;
	assert_true(next_lookup(&l, all, 1, &raw) == 120);
	raw -= 120 * NS_PER_S;
	for (i = 0; i < 10; i++, raw += 10 * NS_PER_S) {
		line_found(&l, &here, 1, raw, false);
		line_settled(&l, all, POOL_MAX, raw);
		assert_true(l.lookup_due == due);
	}
}

static void
a_network_that_changes_hurries_lookups(void **state)
{
	struct line l = { .lookup_due = RAW0 + 900 * NS_PER_S, .asked = RAW0 };
	int64_t raw = RAW0 + 5 * NS_PER_S;

	(void)state;
	line_hurry(&l, raw);
	assert_true(l.lookup_due == raw);
	/* but not twice within a second */
	l.lookup_due = raw + 900 * NS_PER_S;
	l.asked = raw;
	line_hurry(&l, raw + NS_PER_S / 4);
	assert_true(l.lookup_due == raw + NS_PER_S);
	/* one under way that fails is repeated, one that succeeds is not */
	l.looking = true;
	line_hurry(&l, raw);
	line_found(&l, NULL, 0, raw + NS_PER_S, false);
	assert_true(l.lookup_due == raw + 2 * NS_PER_S);
	line_found(&l, NULL, 0, raw + NS_PER_S, false);
	assert_true(l.lookup_due > raw + 10 * NS_PER_S);
	l.looking = true;
	line_hurry(&l, raw);
	line_found(&l, &here, 1, raw, false);
	assert_true(l.lookup_due > raw + 10 * NS_PER_S);
	/* A numeric address is never looked up. */
	l = (struct line){ .numeric = true, .lookup_due = raw + 5 };
	line_hurry(&l, raw);
	assert_true(l.lookup_due == raw + 5);
	l = (struct line){ .lookup_due = NEVER };
	line_hurry(&l, raw);
	assert_true(l.lookup_due == NEVER);
}

/* So many polls at which it was selected like that. */
static void
polls(struct source *s, int n, enum select_said selected, enum source_said said)
{
	for (; n > 0; n--) {
		s->selected = selected;
		s->said = said;
		source_sent(s, RAW0, 1, false);
		s->state = SOURCE_IDLE;
		s->silent = 0;
	}
}

static void
a_liar_makes_room_after_eight_polls(void **state)
{
	static const enum source_said said[] = { SAID_ACCEPTED, SAID_BOUND };
	struct line l = { .pool = true, .founds = 2, .found = { here, there } };
	struct source s = { 0 };
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		enum select_said bad =
		    said[i] == SAID_BOUND ? SELECT_NONE : SELECT_FALSE;

		source_start(&s, &here, RAW0, 0, 0, 1);
		polls(&s, 7, bad, said[i]);
		assert_null(line_replace(&l, &s, &s, 1));
		polls(&s, 1, SELECT_USED, SAID_ACCEPTED); /* forgiven */
		polls(&s, 7, bad, said[i]);
		polls(&s, 9, SELECT_NONE, SAID_ACCEPTED); /* no majority */
		assert_null(line_replace(&l, &s, &s, 1));
		polls(&s, 1, bad, said[i]);
		assert_true(source_doubted(&s));
		assert_memory_equal(
		    line_replace(&l, &s, &s, 1), &there, sizeof there);
		l.founds = 1; /* no other: it stays, the name is asked for */
		assert_null(line_replace(&l, &s, &s, 1));
		l.asked = RAW0;
		l.lookup_due = RAW0 + 86400 * NS_PER_S;
		assert_false(line_turn(&l, &s, 1, RAW0 + NS_PER_S, true));
		assert_true(
		    line_turn(&l, &s, 1, RAW0 + 3600 * NS_PER_S, false));
		l.founds = 2;
	}
	source_start(&s, &there, RAW0, 0, 0, 1);
	assert_false(source_doubted(&s));
}

static void
lookups_grow_apart(void **state)
{
	static const double wanted[] = { 1, 2, 4, 8, 14, 14 };
	struct line l = { 0 };
	int64_t raw = RAW0, before;
	size_t i;

	(void)state;
	for (i = 0; i < LEN(wanted); i++) {
		line_found(&l, NULL, 0, raw, true);
		assert_true(l.lookup_due - raw ==
		    (int64_t)(wanted[i] * NS_PER_S));
		raw = l.lookup_due;
	}
	for (i = 0, before = 0; i < 12; i++) {
		line_found(&l, NULL, 0, raw, false);
		assert_true(l.lookup_due - raw >= before);
		assert_true(l.lookup_due - raw <= 900 * NS_PER_S);
		before = l.lookup_due - raw;
		raw = l.lookup_due;
	}
	line_found(&l, &here, 1, raw, false);
	assert_true(l.lookup_due - raw <= 86400 * NS_PER_S);
}

static void
a_new_network_allows_as_many_lookups_as_at_first(void **state)
{
	struct line l = { 0 };
	int i;

	(void)state;
	for (i = 0; i < 8; i++)
		line_found(&l, NULL, 0, RAW0, true);
	l.lookup_due = RAW0;
	assert_false(line_turn(&l, NULL, 0, RAW0, true));
	line_renew(&l);
	l.lookup_due = RAW0;
	assert_true(line_turn(&l, NULL, 0, RAW0, true));
}

static void
a_name_waits_half_a_second_for_a_child(void **state)
{
	struct line l = { 0 };

	(void)state;
	line_busy(&l, RAW0);
	assert_false(line_turn(&l, NULL, 0, RAW0 + 499000000, true));
	assert_true(line_turn(&l, NULL, 0, RAW0 + 500000000, true));
}

static bool
near(double a, double b)
{
	return fabs(a - b) < 1e-8;
}

/* The table has the seconds from one lookup to the next of a name whose first
 * source is as the row says; if n is 2, its other one answers.  A wait of
 * 0 stands for the daily lookup. */
static void
a_name_is_looked_up_again_where_its_source_is_dead(void **state)
{
	enum { IDLE = SOURCE_IDLE, GONE = SOURCE_STOPPED };
	static const struct {
		const char *what;
		bool starting, numeric;
		int n, looks, state, silent, denied, doubted;
		double wait;
	} table[] = {
		{ "it answers", false, false, 1, 0, IDLE, 3, 0, 7, 0 },
		{ "four silences", false, false, 1, 0, IDLE, 4, 0, 0, 60 },
		{ "starting", true, false, 1, 0, IDLE, 4, 0, 0, 15 },
		{ "once more", false, false, 1, 1, IDLE, 4, 0, 0, 120 },
		{ "four times", false, false, 1, 4, IDLE, 4, 0, 0, 960 },
		{ "no less", false, false, 1, 5, IDLE, 4, 0, 0, 960 },
		{ "starting", true, false, 1, 4, IDLE, 4, 0, 0, 240 },
		{ "one of two", false, false, 2, 0, IDLE, 4, 0, 0, 600 },
		{ "doubted", false, false, 1, 0, IDLE, 0, 0, 8, 60 },
		{ "doubted", true, false, 1, 0, IDLE, 0, 0, 8, 60 },
		{ "denied", false, false, 1, 0, GONE, 0, 1, 0, 900 },
		{ "twice", false, false, 1, 0, GONE, 0, 2, 0, 1800 },
		{ "five times", false, false, 1, 3, GONE, 0, 5, 0, 14400 },
		{ "six times", false, false, 1, 0, GONE, 0, 6, 0, 14400 },
		{ "denied, starting", true, false, 1, 0, GONE, 0, 1, 0, 15 },
		{ "twice", true, false, 1, 0, GONE, 0, 2, 0, 1800 },
		{ "a silent address", false, true, 1, 0, IDLE, 9, 0, 9, 0 },
		{ "an address", false, true, 1, 0, GONE, 0, 1, 0, 900 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct source s[] = { { 0 },
			{ .state = SOURCE_IDLE },
			{ .state = SOURCE_STOPPED } };
		struct line l = { .numeric = table[i].numeric,
			.looks = table[i].looks, .asked = RAW0,
			.lookup_due = RAW0 + 86400 * NS_PER_S };

		s[0].state = (enum source_state)table[i].state;
		s[0].silent = table[i].silent;
		s[0].denied = table[i].denied;
		s[0].doubted = table[i].doubted;
		(void)line_turn(&l, s, table[i].n, RAW0, table[i].starting);
		if (!near(seconds(l.lookup_due - RAW0),
		    table[i].wait > 0 ? table[i].wait : 86400))
			fail_msg("%s (%zu): %g s", table[i].what, i,
			    seconds(l.lookup_due - RAW0));
	}
}

static void
places_without_a_source_ask_for_no_lookup(void **state)
{
	struct source s[] = { { .state = SOURCE_IDLE, .silent = 4 },
	    { .state = SOURCE_UNRESOLVED }, { .state = SOURCE_UNRESOLVED } };
	struct line l = { .asked = RAW0, .looks = 3,
	    .lookup_due = RAW0 + 86400 * NS_PER_S };

	(void)state;
	/* All that are used are dead, so it does not take ten times as
	 * long. */
	assert_false(line_turn(&l, s, 3, RAW0, false));
	assert_true(near(seconds(l.lookup_due - RAW0), 480));
	/* One that answers lets the waits begin anew. */
	s[0].silent = 0;
	assert_false(line_turn(&l, s, 3, RAW0, false));
	assert_int_equal(l.looks, 0);
	/* Nothing changes after a lookup that failed, nor while one is under
	 * way. */
	s[0].silent = 4;
	l.lookup_due = RAW0 + 900 * NS_PER_S;
	l.failures = 1;
	assert_false(line_turn(&l, s, 3, RAW0, false));
	assert_true(near(seconds(l.lookup_due - RAW0), 900));
	l.lookup_due = RAW0;
	l.looking = true;
	assert_false(line_turn(&l, s, 3, RAW0, false));
	l.looking = false;
	assert_true(line_turn(&l, s, 3, RAW0, false));
}

/* Eight lookups may begin at once, then one in 44 s. */
static void
a_name_is_looked_up_eight_times_at_once(void **state)
{
	struct line l = { .asked = RAW0 }, address = { .numeric = true };
	int i;

	(void)state;
	for (i = 0; i < 8; i++) {
		l.lookup_due = RAW0;
		assert_true(line_turn(&l, NULL, 0, RAW0, false));
		line_found(&l, NULL, 0, RAW0, false);
	}
	l.lookup_due = RAW0;
	assert_false(line_turn(&l, NULL, 0, RAW0, false));
	assert_true(near(seconds(l.lookup_due - RAW0), 44));
	assert_true(line_turn(&l, NULL, 0, l.lookup_due, false));
	/* An address costs no lookup. */
	for (i = 0; i < 20; i++) {
		address.lookup_due = RAW0;
		assert_true(line_turn(&address, NULL, 0, RAW0, false));
		line_found(&address, &here, 1, RAW0, false);
	}
}

/* The table has the seconds from the beginning of a lookup that failed, which
 * lasted so long, to the next one.  "failures" counts this one as well. */
static void
a_lookup_that_failed_is_repeated(void **state)
{
	static const struct {
		bool starting;
		int failures, crowd, questions;
		double lasted, wait;
	} table[] = {
		{ false, 1, 0, 0, 0, 15 }, { false, 2, 0, 0, 0, 30 },
		{ false, 6, 0, 0, 0, 480 }, { false, 7, 0, 0, 0, 900 },
		{ false, 20, 0, 0, 0, 900 },
		{ true, 1, 0, 0, 0, 1 }, { true, 4, 0, 0, 0, 8 },
		{ true, 5, 0, 0, 0, 14 }, { true, 15, 0, 0, 0, 14 },
		{ true, 16, 0, 0, 0, 64 }, { true, 16, 5, 0, 0, 64 },
		{ true, 16, 8, 0, 0, 96 }, { true, 16, 8, 2, 0, 160 },
		{ true, 16, 0, 7, 0, 70 }, { true, 16, 1, 7, 0, 70 },
		{ true, 16, 2, 7, 0, 140 },
		/* A name server that was silent for long is asked again at
		 * once, but later if that took longer than any lookup does. */
		{ true, 1, 0, 0, 10, 10 }, { false, 1, 0, 0, 24.9, 24.9 },
		{ false, 1, 0, 0, 25, 40 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct line l = { .looking = true, .asked = RAW0,
			.failures = table[i].failures - 1,
			.crowd = table[i].crowd,
			.questions = table[i].questions, .looks = 2 };

		line_found(&l, NULL, 0, RAW0 + llrint(table[i].lasted * 1e9),
		    table[i].starting);
		if (!near(seconds(l.lookup_due - RAW0), table[i].wait))
			fail_msg("row %zu: %g s", i,
			    seconds(l.lookup_due - RAW0));
		assert_false(l.looking);
		assert_int_equal(l.failures, table[i].failures);
		/* An earlier success still counts. */
		assert_int_equal(l.looks, 2);
	}
}

static void
a_lookup_that_succeeded_holds_for_a_day(void **state)
{
	struct address many[POOL_MAX + 2];
	struct line l = { .looking = true, .failures = 3, .tries = 2, .next = 5,
	    .hurried = true, .asked = RAW0 };
	int i;

	(void)state;
	for (i = 0; i < POOL_MAX + 2; i++) {
		many[i] = here;
		many[i].bytes[3] = (uint8_t)(10 + i);
	}
	line_found(&l, many, POOL_MAX + 2, RAW0, true);
	assert_true(near(seconds(l.lookup_due - RAW0), 86400));
	assert_int_equal(l.founds, POOL_MAX);
	assert_int_equal(l.failures + l.tries + l.next, 0);
	assert_int_equal(l.looks, 1);
	assert_false(l.looking || l.hurried);
	for (i = 0; i < POOL_MAX; i++)
		assert_true(line_offers(&l, &many[i]));
	assert_false(line_offers(&l, &many[POOL_MAX]));
	/* What a later one does not find is offered no longer. */
	line_found(&l, many, 2, RAW0, true);
	assert_true(line_offers(&l, &many[1]));
	assert_false(line_offers(&l, &many[2]));
}

static void
what_lies_behind_a_slice_is_not_of_the_line(void **state)
{
	struct source s[] = { { .state = SOURCE_IDLE },
		{ .state = SOURCE_UNRESOLVED },
		{ .state = SOURCE_IDLE } };
	struct line l = { .founds = 1, .found = { there } };

	(void)state;
	s[0].address = here;
	s[2].address = there;
	line_settled(&l, s, 2, RAW0);
	assert_int_equal(l.used, 1);
	assert_int_equal(l.room, 1);
	assert_null(line_shares(&l, s, 2));
	assert_ptr_equal(line_shares(&l, s, 3), &s[2]);
}

/* Requests that got no reply count, but those that could not leave do not. */
static void
an_address_is_left_when_it_does_not_answer(void **state)
{
	static const struct {
		bool pool;
		int silent, failed;
		enum source_state state;
		bool left;
	} table[] = {
		{ false, 1, 0, SOURCE_IDLE, false },
		{ false, 2, 0, SOURCE_IDLE, true },
		{ false, 2, 0, SOURCE_WAITING, false },
		{ false, 3, 2, SOURCE_IDLE, false },
		{ false, 4, 2, SOURCE_IDLE, true },
		{ true, 3, 0, SOURCE_IDLE, false },
		{ true, 4, 0, SOURCE_IDLE, true },
		{ true, 0, 0, SOURCE_STOPPED, true },
		{ true, 0, 0, SOURCE_UNRESOLVED, true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct line l = { .pool = table[i].pool, .founds = 2,
			.found = { here, there } };
		struct source s = waiting();

		s.state = table[i].state;
		s.silent = table[i].silent;
		s.failed = table[i].failed;
		s.lost = s.silent - s.failed;
		assert_int_equal(line_replace(&l, &s, &s, 1) != NULL,
		    table[i].left);
	}
}

/* On a host of containers the network changes all the time, and each change asks
 * the silent servers at once. */
static void
a_dead_address_is_left_while_the_network_changes(void **state)
{
	static const int every[] = { 15, 20, 30, 45, 60, 100 };
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < LEN(every); i++)
		for (k = 0; k < 4; k++) {
			struct source s = waiting();
			struct line l = { .founds = 2, .found = { here, there },
				.pool = k % 2, .lookup_due = NEVER };
			struct ntp_packet p = good();
			int64_t raw = RAW0;
			bool left = false, looked = false;

			assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
			s.burst = 0;
			for (; raw < RAW0 + 1800 * NS_PER_S; raw += NS_PER_S) {
				if ((raw - RAW0) % (every[i] * NS_PER_S) == 0)
					source_nudge(&s, raw);
				if (source_turn(&s, raw, k / 2, 0.5) == WANT_SEND)
					source_sent(&s, raw, NONCE, k / 2);
				left |= line_replace(&l, &s, &s, 1) != NULL;
				looked |= line_turn(&l, &s, 1, raw, k / 2);
			}
			assert_true(left && looked);
		}
}

/* Its name has no other address, and costs what one in a pod does.  It is no
 * storm of lookups there. */
static void
a_dead_name_is_no_storm_while_the_network_changes(void **state)
{
	(void)state;
	for (int starting = 0; starting < 2; starting++)
		for (int every = 15; every <= 120; every *= 2) {
			struct source s = { .state = SOURCE_UNRESOLVED };
			struct line l = { .crowd = 4, .questions = 8 };
			int64_t raw = RAW0;
			int looks = 0;

			source_start(&s, &here, raw, 0, 0, 1e-4);
			for (; raw < RAW0 + 86400 * NS_PER_S; raw += NS_PER_S) {
				if ((raw - RAW0) % (every * NS_PER_S) == 0)
					source_nudge(&s, raw);
				if (line_turn(&l, &s, 1, raw, starting)) {
					l.asked = raw;
					line_found(&l, &here, 1, raw, starting);
					looks++;
				}
				if (source_turn(&s, raw, starting, 0.5) == WANT_SEND)
					source_sent(&s, raw, NONCE, starting);
			}
			assert_in_range(looks * l.crowd * l.questions, 2000, 8800);
		}
}

static void
addresses_are_tried_in_turn(void **state)
{
	static const struct address third = { 4, { 192, 0, 2, 3 }, 0 };
	struct line l = { .founds = 3, .found = { here, there, third } };
	struct source all[2] = { { 0 }, { 0 } };
	const struct address *to;
	int i;

	(void)state;
	all[0].state = all[1].state = SOURCE_UNRESOLVED;
	for (i = 0; i < 6; i++) {
		to = line_replace(&l, &all[0], all, 2);
		assert_ptr_equal(to, &l.found[i % 3]);
		move(&all[0], &l, to, RAW0);
		all[0].silent = all[0].lost = 2;
		/* Each is tried at once, then the first one as if it did not
		 * answer. */
		assert_true(near(seconds(all[0].due - RAW0), i == 3 ? 4 : 0));
	}
	/* An address that another source has is left out. */
	source_start(&all[1], &here, RAW0, 0, 0, 1e-4);
	assert_ptr_equal(line_replace(&l, &all[0], all, 2), &l.found[1]);
}

static void
a_move_waits_after_each_round_of_the_addresses(void **state)
{
	struct line l = { .founds = 2, .found = { here, there } };
	struct source s = waiting();
	int i;

	(void)state;
	s.silent = 5;
	for (i = 0; i < 4; i++)
		assert_true(near(line_wait(&l, &s, false), i % 2 ? 32 : 0));
	/* One that has no address yet does not wait. */
	s.state = SOURCE_UNRESOLVED;
	for (i = 0; i < 4; i++)
		assert_true(line_wait(&l, &s, false) == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kiss_deny_stops_until_resolved),
		cmocka_unit_test(a_denied_server_is_asked_again_with_its_name),
		cmocka_unit_test(a_denied_server_is_not_asked_again_at_once),
		cmocka_unit_test(a_denied_server_has_a_second_of_rest),
		cmocka_unit_test(a_silent_name_is_looked_up_less_and_less),
		cmocka_unit_test(a_silent_name_server_is_asked_each_15_s),
		cmocka_unit_test(a_moment_without_a_route_costs_no_filter),
		cmocka_unit_test(without_descriptors_a_server_only_waits),
		cmocka_unit_test(an_unreachable_address_gives_way),
		cmocka_unit_test(the_same_address_is_one_source),
		cmocka_unit_test(a_name_with_free_places_is_looked_up_again),
		cmocka_unit_test(lookups_between_do_not_make_a_name_wait),
		cmocka_unit_test(a_network_that_changes_hurries_lookups),
		cmocka_unit_test(a_liar_makes_room_after_eight_polls),
		cmocka_unit_test(lookups_grow_apart),
		cmocka_unit_test(
		    a_new_network_allows_as_many_lookups_as_at_first),
		cmocka_unit_test(a_name_waits_half_a_second_for_a_child),
		cmocka_unit_test(
		    a_name_is_looked_up_again_where_its_source_is_dead),
		cmocka_unit_test(places_without_a_source_ask_for_no_lookup),
		cmocka_unit_test(a_name_is_looked_up_eight_times_at_once),
		cmocka_unit_test(a_lookup_that_failed_is_repeated),
		cmocka_unit_test(a_lookup_that_succeeded_holds_for_a_day),
		cmocka_unit_test(what_lies_behind_a_slice_is_not_of_the_line),
		cmocka_unit_test(an_address_is_left_when_it_does_not_answer),
		cmocka_unit_test(
		    a_dead_address_is_left_while_the_network_changes),
		cmocka_unit_test(addresses_are_tried_in_turn),
		cmocka_unit_test(
		    a_move_waits_after_each_round_of_the_addresses),
		/* Those that take long are the last. */
		cmocka_unit_test(names_of_silent_servers_are_no_storm),
		cmocka_unit_test(
		    a_dead_name_is_no_storm_while_the_network_changes),
		cmocka_unit_test(failed_lookups_are_no_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
