/*
 * source.c - when a server is asked, and what is believed of its replies.
 */
#include "core/address.h"
#include "core/select.h"
#include "core/word.h"
#include "tests/core/exchange.h"

static void
believes_a_good_reply(void **state)
{
	struct source s = waiting();
	struct ntp_packet p = good();

	(void)state;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	assert_int_equal(s.state, SOURCE_IDLE);
	assert_int_equal(s.reach, 1);
	assert_true(fabs(s.sample.delay - 0.020) < 1e-8);
	assert_true(llabs(s.sample.ahead - (NOW - RAW0)) < 5);
	assert_true(fabs(s.sample.error - 0.007) < 1e-4);
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_DUPLICATE);
}

static void
missing_replies_make_the_interval_wider(void **state)
{
	struct source s = waiting();
	struct ntp_packet p = good();
	struct candidate soon, late, later;

	(void)state;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	s.interval = 64;
	assert_true(source_candidate(&s, s.at.got, &soon));
	assert_true(source_candidate(&s, s.at.got + 96 * NS_PER_S, &late));
	assert_true(source_candidate(&s, s.at.got + 196 * NS_PER_S, &later));
	assert_true(soon.doubt > 0 && fabs(late.doubt - soon.doubt) < 1e-9);
	assert_true(fabs(later.doubt - late.doubt - 100 * 15e-6) < 1e-9);
}

static void
an_estimate_beside_the_newest_sample_is_far(void **state)
{
	struct source s = waiting();
	struct ntp_packet p = good();
	struct candidate in, out;

	(void)state;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	assert_true(source_candidate(&s, s.sample.raw, &in));
	s.sample.ahead += NS_PER_S;	/* strange, so it is not learnt */
	assert_true(source_candidate(&s, s.sample.raw, &out));
	assert_true(fabs(out.distance - in.distance - 1) < 1e-6);
	/* The path stays what it is, since a path that could be so long would
	 * explain any offset. */
	assert_true(fabs(out.path - in.path) < 1e-6);
}

static void
trailing_bytes_change_nothing(void **state)
{
	struct source a = waiting(), b = waiting();
	struct ntp_packet p = good();

	(void)state;
	assert_int_equal(answer(&a, &p, NTP_SIZE), SAID_ACCEPTED);
	assert_int_equal(answer(&b, &p, NTP_SIZE + 68), SAID_ACCEPTED);
	assert_true(a.sample.ahead == b.sample.ahead && a.due == b.due);
}

#define CHANGED(field, value, expected) \
	{ #field " = " #value, offsetof(struct ntp_packet, field), \
	sizeof ((struct ntp_packet *)0)->field, (uint64_t)(value), expected }
static const struct {
	const char *what;
	size_t at, size;
	uint64_t value;
	enum source_said said;
} refused[] = {
	CHANGED(origin, NONCE + 1, SAID_ORIGIN),
	CHANGED(origin, 0, SAID_ORIGIN),
	CHANGED(mode, MODE_CLIENT, SAID_MODE),
	CHANGED(mode, MODE_PASSIVE, SAID_MODE),
	CHANGED(mode, 6, SAID_MODE),
	CHANGED(version, 0, SAID_VERSION),
	CHANGED(version, 5, SAID_VERSION),
	CHANGED(leap, LEAP_ALARM, SAID_ALARM),
	CHANGED(stratum, 0, SAID_KISS),
	CHANGED(stratum, 16, SAID_STRATUM),
	CHANGED(stratum, 255, SAID_STRATUM),
	CHANGED(receive, 0, SAID_STAMPS),
	CHANGED(transmit, 0, SAID_STAMPS)
};

static void
a_refused_reply_leaves_the_request_waiting(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < LEN(refused); i++) {
		struct source s = waiting();
		struct ntp_packet p = good(), bad = p;
		int64_t due = s.due;

		memcpy((char *)&bad + refused[i].at, &refused[i].value,
		    refused[i].size);		/* little-endian machines */
		if (answer(&s, &bad, NTP_SIZE) != refused[i].said)
			fail_msg("%s", refused[i].what);
		assert_int_equal(s.state, SOURCE_WAITING);
		assert_int_equal(s.trust, TRUST_START);
		assert_int_equal(s.reach, 0);
		assert_true(s.due == due);
		assert_int_equal(s.filter.samples, 0);
		assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	}
}

static void
refuses_impossible_times(void **state)
{
	struct source s = waiting();
	struct ntp_packet p = good();

	(void)state;
	p.transmit = p.receive - (1u << 30);	/* a quarter of a second */
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_STAMPS);
	p = good();
	p.transmit = ntp_from_real(NOW + 50000000);	/* held 40 of 21 ms */
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_DELAY);
	p = good();
	p.root_delay = 33;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ROOT);
	p = good();
	p.receive = p.transmit = ntp_from_real(BUILD - NS_PER_S);
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_BUILD);
	p = good();
	assert_int_equal(answer(&s, &p, NTP_SIZE - 1), SAID_SHORT);
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
}

/* Too far from its root: refused, but it is an answer, and may have to do where
 * nobody else is. */
static void
a_far_server_is_refused_unless_allowed(void **state)
{
	struct source s = waiting();
	struct ntp_packet p = good();
	struct candidate c;

	(void)state;
	p.root_delay = 1;
	p.root_dispersion = 300;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ROOT);
	assert_int_equal(s.state, SOURCE_WAITING);
	assert_true(fabs(s.refused - 300.5) < 0.01);
	assert_int_equal(s.filter.samples, 0);
	assert_int_equal(s.reach, 0);
	assert_false(source_candidate(&s, s.far.raw, &c));
	assert_true(source_resort(&s, s.far.raw + NS_PER_S, &c));
	assert_true(llabs(c.ahead - (NOW - RAW0)) < 5);
	assert_true(fabs(c.distance - 300.51) < 0.01 && c.path < 0.011);
	/* not for ever */
	assert_false(source_resort(&s, s.far.raw + 61 * NS_PER_S, &c));
	p = good();
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	assert_false(source_resort(&s, s.sample.raw, &c));

	s = waiting();
	s.distance_most = 600;
	p.root_dispersion = 300;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	assert_true(source_candidate(&s, s.sample.raw, &c));
	assert_true(c.distance > 300 && c.path < 0.02);
	s = waiting();
	s.distance_most = 1; /* the limit may also be below the default */
	p.root_dispersion = 1;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ROOT);
}

/* A server outside of the constraint, or our own, is no last resort either. */
static void
no_liar_is_a_resort(void **state)
{
	static const uint32_t ours[] = { 0x0a000001 };
	struct bound tight = { .wanted = true, .votes = 1, .raw = RAW0,
	    .ahead = NOW - RAW0 + 4000 * NS_PER_S, .error = 120 };
	struct source s = waiting();
	struct ntp_packet p = good();
	struct stamps t = { .sent = s.sent, .got = s.sent + 21000000 };
	struct judgement j = { .bound = &tight, .pivot = NOW, .random = 0.5 };
	struct candidate c;
	uint8_t bytes[NTP_SIZE];

	(void)state;
	p.root_dispersion = 300;
	ntp_format(&p, bytes);
	assert_int_equal(source_reply(&s, bytes, sizeof bytes, &t, &j),
	    SAID_BOUND);
	assert_false(source_resort(&s, t.got, &c));
	s = waiting();
	j.bound = &bound;
	j.ours = ours;
	j.count = 1;
	assert_int_equal(source_reply(&s, bytes, sizeof bytes, &t, &j),
	    SAID_LOOP);
	assert_false(source_resort(&s, t.got, &c));
}

static void
tells_what_was_wrong_in_numbers(void **state)
{
	struct source s = waiting();
	struct ntp_packet p = good();
	struct stamps t = { .sent = s.sent, .got = s.sent + 9 * NS_PER_S };
	struct judgement j = { .bound = &bound, .pivot = NOW };
	uint8_t bytes[NTP_SIZE];

	(void)state;
	p.transmit = ntp_from_real(NOW + 50000000);	/* held 40 of 21 ms */
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_DELAY);
	assert_true(fabs(s.refused + 0.019) < 1e-8);
	p = good();
	ntp_format(&p, bytes);
	assert_int_equal(
	    source_reply(&s, bytes, sizeof bytes, &t, &j), SAID_DELAY);
	assert_true(fabs(s.refused - 8.999) < 1e-8);
	p.stratum = 16;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_STRATUM);
	assert_true(s.refused == 16);
}

static void
kiss_rate_slows_down(void **state)
{
	struct source s = waiting();
	struct ntp_packet p = good(), kiss = p;

	(void)state;
	kiss.stratum = 0;
	kiss.refid = 0x52415445;
	assert_int_equal(answer(&s, &kiss, NTP_SIZE), SAID_RATE);
	assert_int_equal(s.state, SOURCE_IDLE);
	assert_true(s.due - RAW0 > 120 * NS_PER_S);
	assert_true(s.due - RAW0 < 300 * NS_PER_S);
	/* After a good reply it is still asked more slowly. */
	source_sent(&s, s.due, NONCE, false);
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	assert_true(s.interval >= 128);
}

/* However often it is said, the server is asked within the hour; and it is
 * forgotten by and by when it is not said again. */
static void
kiss_rate_is_no_banishment(void **state)
{
	struct source s = waiting();
	struct ntp_packet p = good(), kiss = p;
	int64_t began = s.sent;
	int i;

	(void)state;
	kiss.stratum = 0;
	kiss.refid = 0x52415445;
	for (i = 0; i < 10; i++) {
		assert_int_equal(answer(&s, &kiss, NTP_SIZE), SAID_RATE);
		assert_true(s.due - s.sent < 3600 * NS_PER_S);
		source_sent(&s, s.due, NONCE, false);
	}
	for (i = 0; i < 8 * 6 && s.slowest > 0; i++) {
		p.receive = ntp_from_real(NOW + (s.sent - began) + 10000000);
		p.transmit = ntp_from_real(NOW + (s.sent - began) + 11000000);
		assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
		source_sent(&s, s.due, NONCE, false);
	}
	assert_true(s.slowest == 0);
}

static void
the_constraint_holds_but_not_for_trusted(void **state)
{
	struct bound before = bound;
	struct source s = waiting(), t = waiting();
	struct ntp_packet p = good();

	(void)state;
	bound.wanted = true;
	bound.votes = 1;
	bound.raw = RAW0;
	bound.ahead = NOW - RAW0 + 3600 * NS_PER_S;
	bound.error = 120;
	t.trusted = true;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_BOUND);
	assert_int_equal(s.filter.samples, 0);
	assert_int_equal(answer(&t, &p, NTP_SIZE), SAID_ACCEPTED);
	bound = before;
}

static void
whoever_sets_the_clock_again_and_again_causes_no_storm(void **state)
{
	struct source s = waiting();
	int64_t raw;
	int asked = 0;

	(void)state;
	for (raw = RAW0; raw < RAW0 + 20 * NS_PER_S; raw += NS_PER_S / 5) {
		source_hurry(&s, raw);
		if (source_turn(&s, raw, false, 0.5) == WANT_SEND) {
			source_sent(&s, raw, NONCE, false);
			asked++;
		}
	}
	assert_in_range(asked, 5, 10);
}

/* The raw second from which on a source asked at RAW0 may be asked early; 0:
 * from none. */
static int
early_from(double interval, double poll_least, int silent)
{
	struct source s = { .poll_least = poll_least };
	int i;

	source_start(&s, &here, RAW0, 0, 0, 1e-4);
	for (i = 0; i < interval; i++) {
		s.sent = RAW0;
		s.interval = interval;
		s.due = later(RAW0, interval);
		s.burst = 0;
		s.silent = silent;
		source_early(&s, RAW0 + i * NS_PER_S);
		if (s.due == RAW0 + i * NS_PER_S)
			return i;
		assert_true(s.due == later(RAW0, interval));
	}
	return 0;
}

static void
a_request_comes_early_by_a_quarter_of_its_poll_at_most(void **state)
{
	(void)state;
	assert_int_equal(early_from(160, 0, 0), 120);
	assert_int_equal(early_from(1024, 0, 0), 768);
	assert_int_equal(early_from(72, 0, 0), 64);
	assert_int_equal(early_from(64, 0, 0), 0);
	assert_int_equal(early_from(16, 4, 0), 12);
	assert_int_equal(early_from(256, 250, 0), 250);
	assert_int_equal(early_from(160, 0, 1), 0);	/* it is silent */
}

static void
a_network_that_is_back_is_used_at_once(void **state)
{
	struct source s = { 0 };
	int64_t raw = RAW0, before;
	int i;

	(void)state;
	source_start(&s, &here, raw, 0, 0, 1e-4);
	before = s.due;
	source_nudge(&s, raw);		/* was not asked yet */
	assert_true(s.due == before);
	for (i = 0; i < 11; i++, raw = s.due)
		if (source_turn(&s, raw, true, 0.5) == WANT_SEND)
			source_sent(&s, raw, NONCE, true);
	assert_int_equal(s.state, SOURCE_WAITING);
	raw = s.sent + NS_PER_S / 2;
	source_nudge(&s, raw);
	assert_true(s.due == s.sent + NS_PER_S);
	raw = s.due;
	assert_int_equal(source_turn(&s, raw, true, 0.5), WANT_TIMEOUT);
	assert_int_equal(source_turn(&s, raw, true, 0.5), WANT_SEND);
}

static void
an_address_without_a_route_is_tried_less_and_less(void **state)
{
	struct source s = { 0 };
	int64_t raw = RAW0;
	int tries = 0;

	(void)state;
	source_start(&s, &here, raw, 0, 0, 1e-4);
	for (; raw < RAW0 + 7200 * NS_PER_S; raw = s.due) {
		assert_int_equal(source_turn(&s, raw, false, 0.5), WANT_SEND);
		source_failed(&s, raw, false, 0.5);
		tries++;
	}
	assert_in_range(tries, 8, 18);
}

/* Lost replies: how often is it asked in the first minute and in an hour? */
static int
asked_while_silent(bool starting, double interval, double seconds,
    double *longest)
{
	struct source s = { 0 };
	int64_t raw = RAW0, last = 0, end = raw + (int64_t)(seconds * 1e9);
	int asked = 0;

	source_start(&s, &here, raw, 0, 0, 100e-6);
	if (interval > 0)
		s.interval = interval;
	for (*longest = 0; raw < end; raw = s.due)
		if (source_turn(&s, raw, starting, 0.5) == WANT_SEND) {
			if (last != 0) {
				assert_true(raw - last >= NS_PER_S);
				*longest = fmax(*longest,
				    (double)(raw - last) / 1e9);
			}
			last = raw;
			source_sent(&s, raw, NONCE, starting);
			asked++;
		}
	return asked;
}

/* Its reference id is one of ours: it has its time from us. */
static void
who_follows_us_is_no_source(void **state)
{
	static const uint32_t ours[] = { 0x0a000001, 0x0a000002 };
	struct source s = waiting();
	struct ntp_packet p = good();
	struct stamps t = { .sent = s.sent, .got = s.sent + 21000000 };
	struct judgement j = { .bound = &bound, .pivot = NOW, .random = 0.5,
	    .ours = ours, .count = 2 };
	struct candidate c;
	uint8_t bytes[NTP_SIZE];

	(void)state;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	assert_true(source_candidate(&s, s.sample.raw, &c));
	s.state = SOURCE_WAITING;
	p.refid = ours[1];
	ntp_format(&p, bytes);
	assert_int_equal(source_reply(&s, bytes, sizeof bytes, &t, &j),
	    SAID_LOOP);
	/* At once, since its samples may have been ours all the time. */
	assert_false(source_candidate(&s, s.sample.raw, &c));
	assert_int_equal(s.state, SOURCE_IDLE);
	assert_int_equal(s.replies, 1);
	assert_true(s.due >= t.got + 60 * NS_PER_S);

	s.state = SOURCE_WAITING;
	p.refid = 0x0a000003;
	ntp_format(&p, bytes);
	assert_int_equal(source_reply(&s, bytes, sizeof bytes, &t, &j),
	    SAID_ACCEPTED);
	assert_true(source_candidate(&s, s.sample.raw, &c));

	s.state = SOURCE_WAITING;
	p.refid = ours[0];	/* a name of four letters, not an address */
	p.stratum = 1;
	ntp_format(&p, bytes);
	assert_int_equal(source_reply(&s, bytes, sizeof bytes, &t, &j),
	    SAID_ACCEPTED);
}

static void
we_are_no_source_of_ours(void **state)
{
	struct source s = waiting();

	(void)state;
	assert_true(source_self(&s));
	assert_int_equal(s.state, SOURCE_STOPPED);
	assert_int_equal(s.said, SAID_SELF);
	assert_int_equal(source_turn(&s, RAW0 + 9999 * NS_PER_S, true, 0.5),
	    WANT_NOTHING);
	/* It is asked again when its name has been resolved, since addresses
	 * move.  That it is ourselves once more is no news. */
	assert_true(source_resume(&s, RAW0 + 900 * NS_PER_S, 0, 100e-6));
	assert_false(source_self(&s));
}

static void
a_silent_server_is_asked_soon_and_not_too_often(void **state)
{
	double longest;

	(void)state;
	assert_in_range(asked_while_silent(true, 64, 60, &longest), 6, 15);
	assert_true(longest < 15);
	assert_in_range(asked_while_silent(false, 64, 3600, &longest), 40, 70);
	assert_true(longest < 64 * 1.1 + 5);
	/* The same holds for one that never answered. */
	assert_in_range(asked_while_silent(false, 0, 3600, &longest), 40, 70);
}

/* Requests to n servers, none of which answers, in so many seconds; whatever
 * else hurries them each "nudged" seconds.  Notes the longest time in which no
 * one was asked, and the most that one was asked. */
struct crowd {
	int n, nudged;
	bool starting;
	double seconds;
	/* out */
	int asked, most;
	double longest;
};

static void
nobody_answers(struct crowd *c)
{
	struct source *s = calloc((size_t)c->n, sizeof *s);
	int64_t end = RAW0 + (int64_t)(c->seconds * 1e9), raw, last = RAW0;
	double turned = rand() / (RAND_MAX + 1.0);
	int i;

	assert_non_null(s);
	for (i = 0; i < c->n; i++) {
		s[i].crowd = c->n;
		s[i].phase = fmod((double)i / c->n + turned, 1);
		source_start(&s[i], &here, RAW0, 0, 0, 1e-4);
	}
	c->asked = c->most = 0;
	c->longest = 0;
	for (raw = RAW0; raw < end; raw += NS_PER_S / 4)
		for (i = 0; i < c->n; i++) {
			if (c->nudged > 0 &&
			    (raw - RAW0) % (c->nudged * NS_PER_S) == 0)
				source_nudge(&s[i], raw);
			if (source_turn(&s[i], raw, c->starting,
				rand() / (RAND_MAX + 1.0)) != WANT_SEND)
				continue;
			source_sent(&s[i], raw, NONCE, c->starting);
			c->longest =
			    fmax(c->longest, (double)(raw - last) / 1e9);
			last = raw;
			c->asked++;
		}
	for (i = 0; i < c->n; i++)
		c->most = (int)s[i].requests > c->most ? (int)s[i].requests :
							  c->most;
	free(s);
}

static void
five_minutes_without_an_answer_are_fifteen_requests(void **state)
{
	static const int crowds[] = { 1, 2, 3, 4, 8, 64 };
	struct crowd c = { .starting = true, .seconds = 300 };
	size_t i;

	(void)state;
	for (i = 0; i < LEN(crowds); i++)
		for (c.nudged = 0; c.nudged < 40; c.nudged += 3) {
			c.n = crowds[i];
			nobody_answers(&c);
			assert_in_range(c.most, 4, 15);
		}
}

/* One of several is asked each 15 s or sooner, when they take turns; a single
 * one for as long as its fifteen requests allow. */
static void
a_network_that_comes_back_is_noticed_soon(void **state)
{
	struct crowd c = { .starting = true, .seconds = 300 };

	(void)state;
	srand(1);
	for (c.n = 2; c.n <= 64; c.n++) {
		nobody_answers(&c);
		assert_true(c.longest <= 15);
	}
	c.n = 1;
	c.seconds = 95;
	nobody_answers(&c);
	assert_true(c.longest <= 15);
	c.seconds = 4 * 3600;
	nobody_answers(&c);
	assert_true(c.longest <= 64.5);
}

static void
a_day_without_an_answer_is_no_storm(void **state)
{
	static const int crowds[] = { 1, 4, 8, 64 };
	struct crowd c = { .seconds = 86400 };
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < LEN(crowds); i++)
		for (k = 0; k < 4; k++) {
			c.n = crowds[i];
			c.starting = k % 2;
			c.nudged = k / 2 * 15;
			nobody_answers(&c);
			assert_in_range(c.asked, 50, 9999);
		}
}

static void
a_refused_reply_explains_why_there_is_no_other(void **state)
{
	struct source s = waiting();
	struct ntp_packet p = good();

	(void)state;
	assert_false(s.explained);
	p.origin++;
	(void)answer(&s, &p, NTP_SIZE);
	assert_false(s.explained);
	p = good();
	p.leap = LEAP_ALARM;
	(void)answer(&s, &p, NTP_SIZE);
	assert_true(s.explained);
	source_sent(&s, s.due, NONCE, true);
	assert_false(s.explained);
}

/* Answers until the interval stays; what it was after each, in whole seconds. */
static void
intervals(double freq_sd, int out[static 12])
{
	struct source s = { .weight = 1 };
	struct ntp_packet p;
	int64_t at = RAW0;
	int i;

	source_start(&s, &here, RAW0, 0, 0, freq_sd);
	for (i = 0; i < 12; i++) {
		assert_int_equal(source_turn(&s, at, i < 4, 0.5), WANT_SEND);
		source_sent(&s, at, NONCE, i < 4);
		p = good();
		p.receive = ntp_from_real(NOW + (at - RAW0) + 10000000);
		p.transmit = ntp_from_real(NOW + (at - RAW0) + 11000000);
		assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
		assert_int_equal(source_valid(&s), i >= 3);
		out[i] = (int)lrint(s.interval);
		at = s.due;
	}
}

static void
four_quick_exchanges_then_slowly(void **state)
{
	int t[12], i;

	(void)state;
	intervals(1e-6, t);
	for (i = 0; i < 12; i++)
		if (i < 3)
			assert_int_equal(t[i], 2);
		else
			assert_true(t[i] >= 64);
}

/* An interval of 64 s costs a millisecond for each 16 ppm that is unknown. */
static void
with_an_unknown_frequency_intervals_grow_by_a_fifth(void **state)
{
	int t[12], i;

	(void)state;
	intervals(100e-6, t);
	for (i = 0; i < 3; i++)
		assert_int_equal(t[i], 2);
	for (; i < 12; i++)	/* 2.4 s to 10 s, and up to 1 % more */
		assert_in_range(t[i], (int)(2 * pow(1.2, i - 2) - 0.5),
		    (int)(2 * pow(1.2, i - 2) * 1.02 + 1));
}

static void
a_new_network_allows_as_many_requests_as_at_first(void **state)
{
	struct source s = waiting();

	(void)state;
	assert_true(source_spent(&s, RAW0) > 0);
	source_renew(&s);
	assert_true(source_spent(&s, RAW0) <= 0);
}

/* ----------------------------------------------------- in numbers, at edges */

static bool
near(double a, double b)
{
	return fabs(a - b) < 1e-8;
}

static void
a_good_reply_ends_all_that_was_wrong(void **state)
{
	struct source s = waiting();
	struct ntp_packet p = good();
	int i;

	(void)state;
	s.silent = 5;
	s.failed = 4;
	s.denied = 3;
	s.moves = 2;
	s.pace.full = RAW0 + 400 * NS_PER_S;
	s.loops = s.far_said = true;
	s.far.raw = RAW0;
	s.reach = 0x81;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	assert_int_equal(s.silent + s.failed + s.denied + s.moves, 0);
	assert_true(s.pace.full == 0 && s.far.raw == 0);
	assert_false(s.loops || s.far_said);
	assert_int_equal(s.reach, 0x03);
	assert_true(s.explained);
	assert_int_equal(s.said, SAID_ACCEPTED);
	assert_int_equal(s.replies, 1);
	assert_int_equal(s.last.refid, 0x0a000001);
	assert_int_equal(s.trust, TRUST_START + 1);
	for (i = 0; i < 12; i++) {
		source_sent(&s, s.due, NONCE, false);
		assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	}
	assert_int_equal(s.trust, TRUST_MAX);
	assert_int_equal(s.reach, 0xff);
}

/* Only the counters tell of all that was refused; "said" tells why the last one
 * was. */
static void
counts_what_it_refused(void **state)
{
	struct source s = waiting();
	struct ntp_packet p = good();

	(void)state;
	p.origin++;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ORIGIN);
	assert_int_equal(s.rejected[SAID_ORIGIN], 1);
	/* A stranger's words are not kept. */
	assert_int_equal(s.said, SAID_ACCEPTED);
	p = good();
	assert_int_equal(answer(&s, &p, NTP_SIZE - 1), SAID_SHORT);
	assert_int_equal(s.said, SAID_SHORT);
	assert_false(s.explained);
	p.leap = LEAP_ALARM;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ALARM);
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ALARM);
	assert_int_equal(s.rejected[SAID_ALARM], 2);
	assert_int_equal(s.said, SAID_ALARM);
	assert_int_equal(s.replies, 0);
	p = good();
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_DUPLICATE);
	assert_int_equal(s.said, SAID_ACCEPTED);
	assert_int_equal(s.rejected[SAID_DUPLICATE], 1);
}

static void
the_header_is_judged_at_its_edges(void **state)
{
	static const struct {
		int version, stratum;
		double root_delay, root_dispersion;
		int64_t held; /* 2^-32 s, from receive to transmit */
		enum source_said said;
	} table[] = {
		{ 1, 1, 0, 0, 0, SAID_ACCEPTED },
		{ 4, 15, 0, 0, 0, SAID_ACCEPTED },
		{ 0, 1, 0, 0, 0, SAID_VERSION },
		{ 5, 1, 0, 0, 0, SAID_VERSION },
		{ 4, 16, 0, 0, 0, SAID_STRATUM },
		{ 4, 1, 31, 0.499, 0, SAID_ACCEPTED },
		/* MAXDISP of RFC 5905 §7.2 is 16 s. */
		{ 4, 1, 31, 0.5, 0, SAID_ROOT },
		{ 4, 1, 0, 15.999, 0, SAID_ACCEPTED },
		{ 4, 1, 0, 16, 0, SAID_ROOT },
		/* A microsecond may be noise. */
		{ 4, 1, 0, 0, -4295, SAID_ACCEPTED },
		{ 4, 1, 0, 0, -4296, SAID_STAMPS },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct source s = waiting();
		struct ntp_packet p = good();

		p.version = (uint8_t)table[i].version;
		p.stratum = (uint8_t)table[i].stratum;
		p.root_delay = table[i].root_delay;
		p.root_dispersion = table[i].root_dispersion;
		p.transmit = p.receive + (uint64_t)table[i].held;
		if (answer(&s, &p, NTP_SIZE) != table[i].said)
			fail_msg("row %zu: %s", i, word_at(source_words, s.said));
	}
}

/* The server held the request for 1 ms.  Our stamps are good to so many seconds
 * of precision. */
static void
the_delay_is_judged_at_its_edges(void **state)
{
	static const struct {
		double trip, precision, delay;
		enum source_said said;
	} table[] = {
		{ 0.0010, 0, 0, SAID_ACCEPTED },
		{ 0.0010, 1e-4, 1e-4, SAID_ACCEPTED },
		{ 0.0009991, 0, 0, SAID_ACCEPTED },
		{ 0.0009989, 0, 0, SAID_DELAY },
		{ 0.0007992, 1e-4, 1e-4, SAID_ACCEPTED },
		{ 0.0007988, 1e-4, 0, SAID_DELAY },
		{ 8.0009, 0, 7.9999, SAID_ACCEPTED },
		{ 8.0011, 0, 0, SAID_DELAY },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct source s = waiting();
		struct ntp_packet p = good();
		struct stamps t = { .sent = s.sent,
			.got = s.sent + llrint(table[i].trip * 1e9),
			.precision = table[i].precision };
		struct judgement j = { .bound = &bound, .pivot = NOW };
		uint8_t bytes[NTP_SIZE];

		ntp_format(&p, bytes);
		if (source_reply(&s, bytes, sizeof bytes, &t, &j) !=
		    table[i].said)
			fail_msg("row %zu: %s", i, word_at(source_words, s.said));
		if (table[i].said == SAID_ACCEPTED)
			assert_true(near(s.sample.delay, table[i].delay));
	}
}

/* The sample is of the middle of the exchange; the time for which the server
 * held the request is no part of its delay. */
static void
a_sample_is_what_rfc_5905_says(void **state)
{
	static const struct {
		int precision;	/* the server's, log2 s */
		double noise;	/* s, beside the 1 us of our own stamps */
	} table[] = {
		{ -20, 0x1p-20 }, { -1, 0.5 }, { -31, 0x1p-31 },
		{ 0, 0 }, { 1, 0 }, { -32, 0 }, { -128, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct source s = waiting();
		struct ntp_packet p = good();
		struct stamps t = { .sent = s.sent, .got = s.sent + 41000000,
			.precision = 1e-6 };
		struct judgement j = { .bound = &bound, .pivot = NOW };
		uint8_t bytes[NTP_SIZE];

		p.precision = (int8_t)table[i].precision;
		p.root_delay = 0.5;
		p.root_dispersion = 0.25;
		p.transmit = ntp_from_real(NOW + 15000000);
		ntp_format(&p, bytes);
		assert_int_equal(source_reply(&s, bytes, sizeof bytes, &t, &j),
		    SAID_ACCEPTED);
		assert_true(s.sample.raw == s.sent + 20500000);
		assert_true(llabs(s.sample.ahead -
		    (NOW + 12500000 - s.sample.raw)) <= 1);
		assert_true(near(s.sample.delay, 0.036));
		assert_true(s.sample.error == 0.5);
		assert_true(fabs(s.sample.precision -
		    (1e-6 + table[i].noise)) < 1e-15);
	}
}

static void
dates_from_the_build_on_are_believed(void **state)
{
	struct source s = waiting();
	struct ntp_packet p = good();

	(void)state;
	p.receive = p.transmit = ntp_from_real(BUILD) - 8;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_BUILD);
	p.receive = p.transmit = ntp_from_real(BUILD);
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
}

static void
waits_for_a_reply(void **state)
{
	static const struct {
		bool starting;
		int silent;
		double wait; /* s */
	} table[] = {
		{ false, 0, 4 }, { false, 1, 4 }, { false, 2, 4 },
		/* While starting, each third request waits longer, for replies
		 * that are late. */
		{ true, 0, 2 }, { true, 1, 2 }, { true, 2, 8 }, { true, 3, 2 },
		{ true, 4, 2 }, { true, 5, 8 }, { true, 6, 2 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct source s = { 0 };

		source_start(&s, &here, RAW0, 0, 0, 1e-4);
		s.silent = table[i].silent;
		s.explained = s.unreachable = true;
		source_sent(&s, RAW0, NONCE, table[i].starting);
		assert_true(near(seconds(s.due - RAW0), table[i].wait));
		assert_int_equal(s.state, SOURCE_WAITING);
		assert_int_equal(s.requests, 1);
		assert_false(s.explained || s.unreachable);
		/* It is still known when this address was first asked. */
		source_sent(&s, RAW0 + NS_PER_S, NONCE, table[i].starting);
		assert_true(s.first_sent == RAW0);
		assert_true(s.sent == RAW0 + NS_PER_S);
		assert_int_equal(s.requests, 2);
	}
}

/* The table has the seconds from the end of a lost request to the next one.  Up
 * to 1 % more is random, or up to 10 % less while starting. */
static void
waits_after_each_silence(void **state)
{
	static const struct {
		bool starting;
		int silent, crowd; /* silent counts this one as well */
		double phase, interval, random, wait;
	} table[] = {
		{ false, 1, 0, 0, 1024, 0, 20 },
		{ false, 2, 0, 0, 1024, 0, 40 },
		{ false, 3, 0, 0, 1024, 0, 80 },
		{ false, 5, 0, 0, 1024, 0, 320 },
		{ false, 6, 0, 0, 1024, 0, 640 },
		{ false, 7, 0, 0, 1024, 0, 640 },
		/* It does not exceed the interval, but that of a burst does
		 * not count. */
		{ false, 9, 0, 0, 100, 0, 100 },
		{ false, 9, 0, 0, 2, 0, 64 },
		{ false, 1, 0, 0, 1024, 0.5, 20.1 },
		/* While starting it is asked twice at once, once after a
		 * second, then every 14 s from the request that was lost. */
		{ true, 1, 0, 0, 2, 0.5, 0 },
		{ true, 2, 0, 0, 2, 0.5, 0 },
		{ true, 3, 0, 0, 2, 0.5, 1 },
		{ true, 4, 0, 0.5, 2, 0, 7 - 2 },
		{ true, 5, 0, 0.5, 2, 0, 14 - 2 },
		{ true, 5, 0, 0.5, 2, 0.5, 13.3 - 2 },
		{ true, 14, 0, 0.5, 2, 0, 14 - 2 },
		{ true, 15, 0, 0.5, 2, 0, 64 - 2 },
		/* Each of two is asked every 28 s, one of ten every 12 s. */
		{ true, 5, 2, 0.5, 2, 0, 28 - 2 },
		{ true, 5, 2, 0.5, 2, 0.5, 27.86 - 2 },
		{ true, 5, 10, 0.5, 2, 0, 120 - 2 },
		{ true, 15, 10, 0.5, 2, 0, 120 - 2 },
		{ true, 4, 10, 0.25, 2, 0, 30 - 2 },
		/* The next request is not in the past. */
		{ true, 4, 10, 0, 2, 0, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct source s = waiting();
		int64_t raw = RAW0 + 2 * NS_PER_S;

		s.silent = table[i].silent - 1;
		s.crowd = table[i].crowd;
		s.phase = table[i].phase;
		s.interval = table[i].interval;
		s.due = raw;
		assert_int_equal(source_turn(&s, raw - 1, table[i].starting,
		    table[i].random), WANT_NOTHING);
		assert_int_equal(source_turn(&s, raw, table[i].starting,
		    table[i].random), WANT_TIMEOUT);
		assert_int_equal(s.state, SOURCE_IDLE);
		assert_int_equal(s.silent, table[i].silent);
		if (!near(seconds(s.due - raw), table[i].wait))
			fail_msg("row %zu: %g s", i, seconds(s.due - raw));
	}
}

static void
silence_takes_reach_and_then_trust(void **state)
{
	static const struct {
		int silent, trust, left; /* silent counts this one as well */
	} table[] = {
		{ 1, 10, 10 }, { 2, 10, 5 }, { 3, 6, 3 }, { 3, 5, 5 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct source s = waiting();

		s.silent = table[i].silent - 1;
		s.trust = table[i].trust;
		s.reach = 0xff;
		assert_int_equal(source_turn(&s, s.due, false, 0),
		    WANT_TIMEOUT);
		assert_int_equal(s.reach, 0xfe);
		assert_int_equal(s.trust, table[i].left);
	}
}

/* Nine requests may leave at once, then one in 44 s.  One of a crowd is asked
 * every 12 s. */
static void
who_does_not_answer_is_asked_nine_times_at_once(void **state)
{
	static const struct {
		int crowd;
		double phase, random, every, late;
	} table[] = {
		{ 0, 0, 0, 44, 0 }, { 1, 0.5, 0, 44, 0 },
		{ 0, 0, 0.5, 44, 2.2 }, { 2, 0.5, 0, 44, 22 },
		{ 4, 0.25, 0.9, 48, 12 }, { 10, 0, 0.9, 120, 0 },
	};
	size_t i;
	int n;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct source s = { 0 };

		source_start(&s, &here, RAW0, 0, 0, 1e-4);
		s.crowd = table[i].crowd;
		s.phase = table[i].phase;
		assert_true(source_spent(&s, RAW0) < 0);
		for (n = 0; n < 9; n++) {
			s.state = SOURCE_IDLE;
			s.due = RAW0;
			assert_int_equal(source_turn(&s, RAW0, true,
			    table[i].random), WANT_SEND);
			source_sent(&s, RAW0, NONCE, true);
			assert_true(near(source_spent(&s, RAW0), n + 1));
		}
		s.state = SOURCE_IDLE;
		s.due = RAW0;
		assert_int_equal(source_turn(&s, RAW0, true, table[i].random),
		    WANT_NOTHING);
		assert_true(near(seconds(s.due - RAW0),
		    table[i].every + table[i].late));
		assert_int_equal(source_turn(&s,
		    RAW0 + llrint(table[i].every * 1e9) - 1, true, 0),
		    WANT_NOTHING);
		s.due = RAW0;
		assert_int_equal(source_turn(&s,
		    RAW0 + llrint(table[i].every * 1e9), true, 0), WANT_SEND);
	}
}

/* connect or send has failed so often in a row.  "answered" says whether the
 * server has ever given a reply. */
static void
waits_after_each_failure(void **state)
{
	static const struct {
		bool starting, answered;
		int silent, crowd; /* silent counts this one as well */
		double interval, random, wait;
	} table[] = {
		{ false, false, 1, 0, 64, 0, 2 },
		{ false, false, 2, 0, 64, 0, 4 },
		{ false, false, 9, 0, 64, 0, 512 },
		{ false, false, 10, 0, 64, 0, 1024 },
		{ false, false, 11, 0, 64, 0, 1024 },
		{ false, false, 1, 0, 64, 0.5, 2.01 },
		{ false, true, 6, 0, 256, 0, 64 },
		{ false, true, 9, 0, 256, 0, 256 },
		{ false, true, 9, 0, 2, 0, 64 },
		{ false, true, 12, 0, 4096, 0, 1024 },
		{ true, false, 3, 0, 64, 0, 8 },
		{ true, false, 4, 0, 64, 0, 14 },
		{ true, false, 29, 0, 64, 0, 14 },
		{ true, false, 30, 0, 64, 0, 64 },
		{ true, false, 30, 8, 64, 0, 96 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct source s = { 0 };

		source_start(&s, &here, RAW0, 0, 0, 1e-4);
		s.last.stratum = table[i].answered ? 2 : 0;
		s.silent = table[i].silent - 1;
		s.crowd = table[i].crowd;
		s.interval = table[i].interval;
		s.reach = 0xff;
		source_failed(&s, RAW0, table[i].starting, table[i].random);
		if (!near(seconds(s.due - RAW0), table[i].wait))
			fail_msg("row %zu: %g s", i, seconds(s.due - RAW0));
		assert_int_equal(s.state, SOURCE_IDLE);
		assert_int_equal(s.silent, table[i].silent);
		assert_int_equal(s.failed, 1);
		assert_int_equal(s.reach, 0xfe);
		/* One that worked is not given up for a moment's failure. */
		assert_int_equal(s.unreachable, !table[i].answered);
		s.failed = 7;
		source_failed(&s, RAW0, table[i].starting, 0);
		assert_true(s.unreachable);
	}
}

static void
kiss_rate_doubles_and_is_forgotten_by_halves(void **state)
{
	static const double slower[] = { 128, 256, 512, 1024, 2048, 2048 };
	static const double faster[] = { 1024, 512, 256, 128, 0 };
	struct source s = waiting();
	struct ntp_packet kiss = good(), p;
	int64_t began = s.sent;
	size_t i;
	int n;

	(void)state;
	kiss.stratum = 0;
	kiss.refid = 0x52415445;
	for (i = 0; i < LEN(slower); i++) {
		assert_int_equal(answer(&s, &kiss, NTP_SIZE), SAID_RATE);
		assert_int_equal(s.state, SOURCE_IDLE);
		assert_int_equal(s.burst, 0);
		assert_true(s.slowest == slower[i]);
		assert_true(s.interval == slower[i]);
		/* Half of the 1 % that is random is in it. */
		assert_true(fabs(seconds(s.due - s.sent - 21000000) -
		    slower[i] * 1.005) < 1e-6);
		source_sent(&s, s.due, NONCE, false);
	}
	for (i = 0; i < LEN(faster); i++)
		for (n = 1; n <= 8; n++) {
			double before = s.slowest;

			p = good();
			p.receive = ntp_from_real(
			    NOW + (s.sent - began) + 10000000);
			p.transmit = ntp_from_real(
			    NOW + (s.sent - began) + 11000000);
			assert_int_equal(answer(&s, &p, NTP_SIZE),
			    SAID_ACCEPTED);
			assert_true(s.slowest == (n < 8 ? before : faster[i]));
			assert_true(s.interval >= s.slowest);
			source_sent(&s, s.due, NONCE, false);
		}
}

static void
kisses_are_told_apart(void **state)
{
	static const struct {
		const char *code;
		uint8_t leap;
		enum source_said said;
		enum source_state after;
	} table[] = {
		{ "RATE", LEAP_ALARM, SAID_RATE, SOURCE_IDLE },
		{ "DENY", LEAP_ALARM, SAID_DENY, SOURCE_STOPPED },
		{ "RSTR", LEAP_NONE, SAID_DENY, SOURCE_STOPPED },
		{ "INIT", LEAP_NONE, SAID_KISS, SOURCE_WAITING },
		{ "INIT", LEAP_ALARM, SAID_ALARM, SOURCE_WAITING },
		{ "rate", LEAP_NONE, SAID_KISS, SOURCE_WAITING },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		const unsigned char *c = (const unsigned char *)table[i].code;
		struct source s = waiting();
		struct ntp_packet p = good();

		s.trust = 7;
		s.reach = 0xff;
		p.stratum = 0;
		p.leap = table[i].leap;
		p.refid = (uint32_t)c[0] << 24 | (uint32_t)c[1] << 16 |
		    (uint32_t)c[2] << 8 | c[3];
		assert_int_equal(answer(&s, &p, NTP_SIZE), table[i].said);
		assert_int_equal(s.state, table[i].after);
		if (s.state != SOURCE_STOPPED)
			continue;
		assert_int_equal(s.denied, 1);
		assert_int_equal(s.reach, 0);
		assert_int_equal(s.trust, TRUST_START);
		assert_true(s.due == NEVER);
	}
}

/* The range is that of "poll", or from 64 to 1024 s by default. */
static void
intervals_keep_to_the_poll_range(void **state)
{
	static const struct {
		double least, most; /* s; 0: not given */
		double from, to;
	} table[] = {
		{ 0, 0, 64, 1024 }, { 16, 0, 16, 1024 }, { 0, 128, 64, 128 },
		{ 256, 256, 256, 256 }, { 0, 32, 64, 64 }, { 4, 8, 4, 8 },
	};
	size_t i;
	int n;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct source s = waiting();
		struct ntp_packet p;
		int64_t began = s.sent;
		double low = HUGE_VAL, high = 0;

		s.poll_least = table[i].least;
		s.poll_most = table[i].most;
		for (n = 0; n < 60; n++) {
			p = good();
			p.receive = ntp_from_real(
			    NOW + (s.sent - began) + 10000000);
			p.transmit = ntp_from_real(
			    NOW + (s.sent - began) + 11000000);
			assert_int_equal(answer(&s, &p, NTP_SIZE),
			    SAID_ACCEPTED);
			if (n > 16) {
				low = fmin(low, s.interval);
				high = fmax(high, s.interval);
			}
			source_sent(&s, s.due, NONCE, false);
		}
		if (low < table[i].from || high > table[i].to)
			fail_msg("row %zu: %g to %g s", i, low, high);
	}
}

static void
who_is_not_believed_is_asked_as_usual(void **state)
{
	static const uint32_t ours[] = { 0x0a000001 };
	struct source s = waiting();
	struct ntp_packet p = good();
	struct stamps t = { .sent = s.sent, .got = s.sent + 21000000 };
	struct judgement j = { .bound = &bound, .pivot = NOW, .ours = ours,
		.count = 1 };
	uint8_t bytes[NTP_SIZE];

	(void)state;
	s.reach = 0x81;
	s.trust = 8;
	ntp_format(&p, bytes);
	assert_int_equal(source_reply(&s, bytes, sizeof bytes, &t, &j),
	    SAID_LOOP);
	assert_int_equal(s.reach, 0x02);
	assert_int_equal(s.trust, TRUST_START);
	assert_true(s.loops);
	assert_true(near(seconds(s.due - t.got), 64));
	assert_int_equal(s.rejected[SAID_LOOP], 1);
	s.state = SOURCE_WAITING;
	s.interval = 200;
	assert_int_equal(source_reply(&s, bytes, sizeof bytes, &t, &j),
	    SAID_LOOP);
	assert_true(near(seconds(s.due - t.got), 200));
}

static void
a_candidate_is_its_server_s_last_reply(void **state)
{
	struct source s = waiting();
	struct ntp_packet p = good();
	struct candidate c;

	(void)state;
	p.leap = LEAP_DELETE;
	p.root_delay = 0.5;
	p.root_dispersion = 0.25;
	s.weight = 7;
	s.trusted = true;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	assert_true(source_candidate(&s, s.sample.raw, &c));
	assert_true(c.raw == s.sample.raw && c.heard == s.sample.raw);
	assert_int_equal(c.weight, 7);
	assert_true(c.trusted);
	assert_int_equal(c.leap, LEAP_DELETE);
	assert_int_equal(c.stratum, 2);
	assert_int_equal(c.samples, 1);
	assert_true(c.root_delay == 0.5 && c.root_dispersion == 0.25);
	assert_true(near(c.delay, 0.020));
	assert_true(near(c.path, 0.010 + 2 * c.sd));
	assert_true(near(c.distance, c.path + 0.5));
	assert_true(fabs(c.doubt - filter_spread(&s.filter) / 2) < 1e-15);
}

/* A clock that runs on at the known frequency is where it is expected to be. */
static void
an_estimate_is_not_beside_its_sample_by_age_alone(void **state)
{
	struct source s = { .weight = 1 };
	struct ntp_packet p = good();
	struct candidate c;

	(void)state;
	source_start(&s, &here, RAW0, 0, 50e-6, 1e-6);
	source_sent(&s, RAW0, NONCE, true);
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	assert_true(source_candidate(&s, s.sample.raw + 1000 * NS_PER_S, &c));
	assert_true(near(c.distance, c.path + s.sample.error));
}

static void
a_new_address_begins_with_nothing_known(void **state)
{
	struct source s;

	(void)state;
	memset(&s, 0x55, sizeof s);
	source_start(&s, &here, RAW0, 3, 20e-6, 1e-6);
	assert_memory_equal(&s.address, &here, sizeof here);
	assert_int_equal(s.state, SOURCE_IDLE);
	assert_true(near(seconds(s.due - RAW0), 3));
	assert_true(s.first_sent == 0 && s.sent == 0 && s.far.raw == 0);
	assert_true(s.interval == 2 && s.slowest == 0);
	assert_int_equal(s.burst, 4);
	assert_int_equal(s.silent + s.failed + s.patient + s.reach, 0);
	assert_int_equal(s.trust, TRUST_START);
	assert_false(s.unreachable || s.loops || s.far_said || s.named);
	assert_int_equal(s.said, SAID_ACCEPTED);
	assert_int_equal(s.selected, SELECT_NONE);
	assert_int_equal(s.doubted + s.jitter_head + s.last.stratum, 0);
	assert_int_equal(s.filter.samples, 0);
	assert_true(s.filter.freq0 == 20e-6);
}

static void
each_state_wants_what_it_says(void **state)
{
	static const enum source_want wants[SOURCE_STATES] = {
		[SOURCE_UNRESOLVED] = WANT_NOTHING, [SOURCE_IDLE] = WANT_SEND,
		[SOURCE_WAITING] = WANT_TIMEOUT, [SOURCE_STOPPED] = WANT_NOTHING
	};
	int i;

	(void)state;
	for (i = 0; i < SOURCE_STATES; i++) {
		struct source s = waiting();

		s.state = (enum source_state)i;
		s.due = RAW0;
		assert_int_equal(source_turn(&s, RAW0, false, 0), wants[i]);
	}
}

/* The present interval is doubled, not the shortest one. */
static void
kiss_rate_doubles_the_present_interval(void **state)
{
	struct source s = waiting();
	struct ntp_packet kiss = good();

	(void)state;
	kiss.stratum = 0;
	kiss.refid = 0x52415445;
	s.interval = 512;
	assert_int_equal(answer(&s, &kiss, NTP_SIZE), SAID_RATE);
	assert_true(s.slowest == 1024 && s.interval == 1024);
}

static void
who_has_nothing_to_say_is_no_candidate(void **state)
{
	enum { AS_IT_IS, UNREACHED, LOOPS, STOPPED, FORGOT, CASES };
	struct ntp_packet p = good();
	struct candidate c;
	int i;

	(void)state;
	for (i = 0; i < CASES; i++) {
		struct source s = waiting();

		assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
		s.far = s.sample;
		s.loops = i == LOOPS;
		if (i == UNREACHED)
			s.reach = 0;
		if (i == STOPPED)
			s.state = SOURCE_STOPPED;
		if (i == FORGOT)
			source_forget(&s, s.sample.raw, 0, 1e-4);
		assert_int_equal(source_candidate(&s, s.sample.raw, &c),
		    i == AS_IT_IS);
		assert_int_equal(source_resort(&s, s.sample.raw, &c),
		    i == AS_IT_IS || i == UNREACHED);
	}
}

static void
a_resort_is_the_reply_that_was_too_far(void **state)
{
	struct source s = waiting();
	struct ntp_packet p = good();
	struct candidate c;
	int64_t raw;

	(void)state;
	p.root_delay = 1;
	p.root_dispersion = 300;
	p.leap = LEAP_INSERT;
	p.stratum = 9;
	s.weight = 7;
	s.trusted = true;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ROOT);
	raw = s.far.raw + 60 * NS_PER_S;
	assert_true(source_resort(&s, raw, &c));
	assert_true(c.raw == raw && c.heard == s.far.raw);
	assert_true(c.ahead == s.far.ahead);
	assert_true(c.sd == s.far.precision && c.freq == 0);
	assert_true(c.freq_sd == 100e-6);
	assert_true(near(c.delay, 0.020) && near(c.path, 0.010));
	assert_true(near(c.distance, 0.010 + 300.5));
	assert_true(c.root_delay == 1 && c.root_dispersion == 300);
	assert_int_equal(c.weight, 7);
	assert_true(c.trusted);
	assert_int_equal(c.stratum, 9);
	assert_int_equal(c.leap, LEAP_INSERT);
	assert_int_equal(c.samples, 1);
	/* The minute is over. */
	assert_false(source_resort(&s, raw + 1, &c));
}

/* The estimate is so many seconds apart from the sample.  The sample's own
 * interval reaches to half of what its delay is above the least. */
static void
only_what_is_beside_the_sample_s_interval_counts(void **state)
{
	static const struct {
		double apart, late, added;
	} table[] = {
		{ 0, 0, 0 }, { 0.003, 0, 0.003 }, { -0.003, 0, 0.003 },
		{ 0.003, 0.004, 0.001 }, { 0.003, 0.006, 0 },
		{ 0.003, 0.010, 0 },
	};
	struct ntp_packet p = good();
	struct candidate in, c;
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct source s = waiting();

		assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
		assert_true(source_candidate(&s, s.sample.raw, &in));
		s.sample.ahead += llrint(table[i].apart * 1e9);
		s.sample.delay += table[i].late;
		assert_true(source_candidate(&s, s.sample.raw, &c));
		assert_true(fabs(c.distance - in.distance -
		    table[i].added) < 1e-7);
	}
}

static void
a_gap_of_time_voids_the_samples(void **state)
{
	static const struct {
		enum source_state before;
		bool asked;
	} table[] = {
		{ SOURCE_IDLE, true }, { SOURCE_WAITING, true },
		{ SOURCE_UNRESOLVED, false }, { SOURCE_STOPPED, false },
	};
	int64_t raw = RAW0 + 900 * NS_PER_S;
	struct ntp_packet p = good();
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct source s = waiting();

		assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
		s.state = table[i].before;
		s.silent = 3;
		s.failed = 2;
		s.burst = 0;
		s.interval = 512;
		s.due = NEVER;
		s.pace.full = NEVER / 2;
		source_forget(&s, raw, 20e-6, 1e-6);
		if (!table[i].asked) {
			assert_int_equal(s.state, table[i].before);
			assert_true(s.due == NEVER && s.reach == 1);
			assert_int_equal(s.filter.samples, 1);
			continue;
		}
		assert_int_equal(s.state, SOURCE_IDLE);
		assert_true(s.due == raw && s.pace.full == 0);
		assert_int_equal(s.burst, 4);
		assert_true(s.interval == 2);
		assert_int_equal(s.silent + s.failed + s.reach, 0);
		assert_int_equal(s.filter.samples, 0);
		assert_true(s.filter.freq0 == 20e-6);
		assert_true(source_jitter(&s) == 0);
	}
}

static void
keys_that_come_soon_ask_no_server_twice_within_a_second(void **state)
{
	struct source s = waiting();

	(void)state;
	source_waits(&s, NEVER);
	assert_true(s.state == SOURCE_IDLE && s.due == NEVER);
	source_waits(&s, RAW0 + S / 4);
	assert_true(s.due == RAW0 + S);
	source_waits(&s, RAW0 + 3 * S / 2);
	assert_true(s.due == RAW0 + 3 * S / 2);
	s.sent = 0; /* the first request waits for nothing */
	source_waits(&s, S / 4);
	assert_true(s.due == S / 4);
}

static void
a_gap_in_the_raw_clock_asks_no_server_twice_within_a_second(void **state)
{
	struct source s = waiting();

	(void)state;
	source_forget(&s, RAW0 + S / 4, 0, 1e-6);
	assert_true(s.due == RAW0 + S);
	source_forget(&s, RAW0 + 3 * S / 2, 0, 1e-6);
	assert_true(s.due == RAW0 + 3 * S / 2);
	source_forget(&s, RAW0 - 3600 * S, 0, 1e-6);
	assert_true(s.due == RAW0 - 3600 * S);
}

/* The table has the seconds from the last request to the hurry, and to the next
 * request. */
static void
a_hurry_is_a_burst_at_the_start_s_pace(void **state)
{
	static const struct {
		enum source_state before;
		bool asked;
		double then, due;
	} table[] = {
		{ SOURCE_IDLE, true, 100, 100 },
		{ SOURCE_IDLE, true, 2, 2 },
		{ SOURCE_IDLE, true, 0.5, 2 },
		{ SOURCE_WAITING, true, 1, 2 },
		{ SOURCE_UNRESOLVED, false, 1, 0 },
		{ SOURCE_STOPPED, false, 1, 0 },
	};
	struct source never = { 0 };
	struct ntp_packet p = good();
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct source s = waiting();

		assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
		s.state = table[i].before;
		s.silent = 3;
		s.failed = 2;
		s.burst = 0;
		s.due = NEVER;
		source_hurry(&s, s.sent + llrint(table[i].then * 1e9));
		assert_int_equal(s.filter.samples, 1);
		if (!table[i].asked) {
			assert_int_equal(s.state, table[i].before);
			assert_true(s.due == NEVER && s.silent == 3);
			continue;
		}
		assert_int_equal(s.state, SOURCE_IDLE);
		assert_true(near(seconds(s.due - s.sent), table[i].due));
		assert_int_equal(s.burst, 2);
		assert_int_equal(s.silent + s.failed, 0);
	}
	source_start(&never, &here, NS_PER_S, 9, 0, 1e-4);
	/* This is a second after the machine began. */
	source_hurry(&never, NS_PER_S);
	assert_true(never.due == NS_PER_S);
}

/* The table has the seconds from the last request to the nudge, to the time at
 * which the next one was due, and to that at which it is due now. */
static void
a_nudge_asks_who_was_silent(void **state)
{
	static const struct {
		enum source_state before;
		int silent;
		double then, due, at;
	} table[] = {
		/* It is not asked twice in a second. */
		{ SOURCE_IDLE, 1, 0.25, 60, 1 },
		{ SOURCE_IDLE, 1, 5, 60, 5 },
		{ SOURCE_WAITING, 9, 5, 60, 5 },
		/* What is due sooner stays so. */
		{ SOURCE_IDLE, 1, 0.25, 0.5, 0.5 },
		{ SOURCE_IDLE, 0, 5, 60, 60 },
		{ SOURCE_STOPPED, 1, 5, 60, 60 },
		{ SOURCE_UNRESOLVED, 1, 5, 60, 60 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct source s = waiting();

		s.state = table[i].before;
		s.silent = s.failed = table[i].silent;
		s.due = s.sent + llrint(table[i].due * 1e9);
		source_nudge(&s, s.sent + llrint(table[i].then * 1e9));
		assert_true(near(seconds(s.due - s.sent), table[i].at));
		assert_int_equal(s.silent,
		    table[i].at == 60 ? table[i].silent : 0);
	}
}

static void
jitter_is_of_the_last_eight_delays(void **state)
{
	static const struct {
		int n;
		double delay[10]; /* ms */
		double jitter;	  /* ms */
	} table[] = {
		{ 0, { 0 }, 0 },
		{ 1, { 20 }, 0 },
		{ 2, { 20, 24 }, 2.8284271247461903 },
		{ 3, { 23, 20, 24 }, 2.8867513459481287 },
		{ 10, { 5, 99, 20, 20, 20, 20, 20, 20, 20, 28 },
		    2.8284271247461903 },
	};
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct source s = waiting();
		struct ntp_packet p = good();
		struct judgement j = { .bound = &bound, .pivot = NOW };
		uint8_t bytes[NTP_SIZE];

		ntp_format(&p, bytes);
		for (k = 0; k < table[i].n; k++) {
			struct stamps t = { .sent = s.sent, .got = s.sent +
				llrint((table[i].delay[k] + 1) * 1e6) };

			assert_int_equal(source_reply(&s, bytes, sizeof bytes,
			    &t, &j), SAID_ACCEPTED);
			s.state = SOURCE_WAITING;
		}
		assert_true(fabs(source_jitter(&s) * 1e3 -
		    table[i].jitter) < 1e-6);
	}
}

static void
a_leap_second_moves_what_is_known(void **state)
{
	struct source s = waiting();
	struct ntp_packet p = good();
	struct candidate before, c;

	(void)state;
	p.leap = LEAP_INSERT;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	assert_true(source_candidate(&s, s.sample.raw, &before));
	source_leapt(&s, -NS_PER_S);
	assert_true(source_candidate(&s, s.sample.raw, &c));
	assert_true(c.ahead == before.ahead - NS_PER_S);
	assert_true(near(c.distance, before.distance));
	assert_int_equal(c.leap, LEAP_NONE);
}

static void
a_move_keeps_what_is_known_of_the_line(void **state)
{
	struct source s = waiting();
	int i;

	(void)state;
	s.silent = 5;
	s.failed = 3;
	s.denied = 2;
	for (i = 0; i < 3; i++) {
		s.pace.full = RAW0 + 9 * NS_PER_S;
		source_move(&s, &there, 2, RAW0 + i, 20e-6, 1e-6);
		assert_int_equal(s.silent, 5);
		assert_int_equal(s.failed, 3);
		assert_int_equal(s.denied, 0);
		/* Each of the two addresses has its own requests at once, but
		 * only once. */
		assert_int_equal(s.pace.full == 0, i < 2);
		assert_true(s.due == RAW0 + i);
	}
	assert_true(s.filter.freq0 == 20e-6);
	assert_memory_equal(&s.address, &there, sizeof there);
}

/* ----- interleaved mode: a reply tells when the one before it left */

/* Send the next request, seconds after the last one.  The server holds it for
 * 1 ms, which its basic replies say, but really 3 ms.  True: it asks in
 * interleaved mode. */
static bool
asks(struct source *s, double seconds, struct ntp_packet *request,
    struct ntp_packet *reply)
{
	int64_t raw = later(s->sent == 0 ? RAW0 : s->sent, seconds);
	uint64_t nonce = NONCE + (uint64_t)raw;
	uint8_t bytes[NTP_SIZE];

	source_query(s, nonce, bytes);
	assert_true(ntp_parse(bytes, sizeof bytes, request));
	assert_true(request->transmit == nonce && request->reference == 0);
	assert_int_equal(bytes[0], 4 << 3 | MODE_CLIENT);
	source_sent(s, raw, nonce, false);
	*reply = good();
	reply->origin = nonce;
	reply->receive = ntp_from_real(NOW + raw - RAW0 + 10000000) | 1;
	reply->transmit = ntp_from_real(NOW + raw - RAW0 + 11000000);
	if (request->origin == 0)
		return false;
	assert_true(request->receive != nonce && request->receive != 0);
	return true;
}

/* When the reply to the request sent at raw really left. */
static uint64_t
left_at(int64_t raw)
{
	return ntp_from_real(NOW + raw - RAW0 + 13000000);
}

/* A source after its burst, whose last exchange was in basic mode. */
static struct source
interleaved(void)
{
	struct source s = { .weight = 1, .interleaved = true };
	struct ntp_packet q, p;

	source_start(&s, &here, RAW0, 0, 0, 100e-6);
	for (int i = 0; i < 4; i++) {
		assert_false(asks(&s, 2, &q, &p));
		assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	}
	assert_int_equal(s.filter.samples, 4);
	assert_false(s.woven);
	return s;
}

static void
only_interleaved_lines_ask_so(void **state)
{
	struct source s = interleaved();
	struct ntp_packet q, p;

	(void)state;
	s.interleaved = false;
	assert_false(asks(&s, 64, &q, &p));
	assert_true(q.origin == 0 && q.receive == 0);
	s.interleaved = true;
	assert_true(asks(&s, 64, &q, &p));
	assert_true(q.origin == s.last.receive);
}

static void
an_interleaved_reply_measures_the_exchange_before(void **state)
{
	struct source s = interleaved();
	struct ntp_packet q, p;
	int64_t before;

	(void)state;
	/* The last one of the burst has been measured: it counts once. */
	before = s.sent;
	assert_true(asks(&s, 64, &q, &p));
	p.origin = q.receive;
	p.transmit = left_at(before);
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	assert_true(s.woven);
	assert_int_equal(s.filter.samples, 4);
	assert_true(s.sample.raw == before + 10500000);
	assert_int_equal(s.reach, 0x1f);

	before = s.sent;
	assert_true(asks(&s, 64, &q, &p));
	p.origin = q.receive;
	p.transmit = left_at(before);
	p.root_dispersion = 3;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	assert_int_equal(s.filter.samples, 5);
	assert_true(s.sample.raw == before + 10500000);
	assert_true(fabs(s.sample.delay - 0.018) < 1e-8);
	assert_true(llabs(s.sample.ahead - (NOW - RAW0 + 1000000)) < 5);
	/* and has the error of that exchange */
	assert_true(fabs(s.sample.error - 0.007) < 1e-4);
}

static void
a_basic_reply_to_an_interleaved_request_is_measured_itself(void **state)
{
	struct source s = interleaved();
	struct ntp_packet q, p;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_true(asks(&s, 64, &q, &p));
		assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
		assert_false(s.woven);
		assert_int_equal(s.filter.samples, 5 + i);
		assert_true(s.sample.raw == s.sent + 10500000);
		assert_true(fabs(s.sample.delay - 0.020) < 1e-8);
	}
}

static void
four_lost_replies_end_interleaved_mode(void **state)
{
	struct source s = interleaved();
	struct ntp_packet q, p;
	int64_t before = s.sent;
	uint64_t receive = s.last.receive;

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_true(asks(&s, 64, &q, &p));
		assert_true(q.origin == receive);
		assert_int_equal(
		    source_turn(&s, s.due, false, 0), WANT_TIMEOUT);
	}
	assert_false(asks(&s, 64, &q, &p));
	assert_int_equal(source_turn(&s, s.due, false, 0), WANT_TIMEOUT);
	/* A reply to one of them may come; then it is as ever. */
	s.silent = 1;
	assert_true(asks(&s, 64, &q, &p));
	p.origin = q.receive;
	p.transmit = left_at(before);
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	assert_true(asks(&s, 64, &q, &p));
	assert_true(q.origin != receive);
}

static void
impossible_interleaved_stamps_are_refused(void **state)
{
	struct source s = interleaved();
	struct ntp_packet q, p;
	int64_t before = s.sent;
	uint64_t last = s.last.receive;

	(void)state;
	assert_true(asks(&s, 64, &q, &p));
	p.origin = q.receive;		/* but its own transmit stamp: 64 s */
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_DELAY);
	p.transmit = last - (1u << 30);
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_STAMPS);
	p.transmit = 0;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_STAMPS);
	p.transmit = left_at(before);
	p.origin++;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ORIGIN);
	p.origin--;
	p.leap = LEAP_ALARM;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ALARM);
	assert_int_equal(s.state, SOURCE_WAITING);
	assert_true(s.last.receive == last);
	p.leap = LEAP_NONE;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
}

/* An exchange from before it has other clocks. */
static void
a_gap_or_a_leap_second_ends_interleaved_mode(void **state)
{
	struct source s = interleaved();
	struct ntp_packet q, p;

	(void)state;
	source_leapt(&s, -NS_PER_S);
	assert_false(asks(&s, 64, &q, &p));
	/* and nobody can pretend that there is one */
	p.origin = ~s.nonce;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_STAMPS);
	p.origin = s.nonce;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	assert_true(asks(&s, 64, &q, &p));
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);

	source_forget(&s, s.sent + NS_PER_S, 0, 1e-6);
	s.burst = 0;
	assert_false(asks(&s, 64, &q, &p));
	p.root_dispersion = 20;		/* only a last resort */
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ROOT);
	assert_false(asks(&s, 64, &q, &p));
	p.origin = ~s.nonce;
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_STAMPS);
	source_start(&s, &there, s.sent, 0, 0, 1e-6);
	s.burst = 0;
	assert_false(asks(&s, 64, &q, &p));
}

/* The network may have been away for hours, and what was before says nothing
 * new. */
static void
an_outage_ends_interleaved_mode(void **state)
{
	struct source s = interleaved();
	struct ntp_packet q, p;

	(void)state;
	assert_true(asks(&s, 64, &q, &p));
	p.origin = q.receive;
	p.transmit = left_at(s.sent - 64 * NS_PER_S);
	assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	source_nudge(&s, s.sent + 64 * NS_PER_S); /* it is not silent */
	assert_true(asks(&s, 64, &q, &p));
	assert_int_equal(source_turn(&s, s.due, false, 0), WANT_TIMEOUT);
	source_nudge(&s, s.sent + 7200 * NS_PER_S);
	assert_false(asks(&s, 7200, &q, &p));
	assert_true(s.woven);
	source_start(&s, &there, s.sent, 0, 0, 1e-6);
	assert_false(s.woven);
}

/* The sample is one interval old, but no reply is missing. */
static void
interleaved_mode_does_not_make_the_interval_wider(void **state)
{
	struct source s = interleaved();
	struct candidate soon, late;
	struct ntp_packet q, p;

	(void)state;
	for (int i = 0; i < 2; i++) {
		int64_t before = s.sent;

		assert_true(asks(&s, 64, &q, &p));
		p.origin = q.receive;
		p.transmit = left_at(before);
		assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
	}
	s.interval = 64;
	assert_true(source_candidate(&s, later(s.at.got, 0), &soon));
	assert_true(source_candidate(&s, later(s.at.got, 96), &late));
	assert_true(fabs(late.doubt - soon.doubt) < 1e-9);
	assert_true(source_candidate(&s, later(s.at.got, 106), &late));
	assert_true(fabs(late.doubt - soon.doubt - 10 * 15e-6) < 1e-9);
}

/* The requests of a day to a server that is off by this at t seconds. */
static uint64_t
asked_in_a_day(double (*off)(double t))
{
	struct source s = { .weight = 1 };
	int64_t raw = RAW0;

	source_start(&s, &here, raw, 0, 0, 1e-4);
	while (raw < RAW0 + 86400 * NS_PER_S) {
		struct ntp_packet p = good();
		double t = (double)(raw - RAW0) / 1e9;

		assert_int_equal(source_turn(&s, raw, false, 0.5), WANT_SEND);
		source_sent(&s, raw, NONCE, false);
		p.receive = ntp_from_real(
		    NOW + (raw - RAW0) + llrint((off(t) + 0.01) * 1e9));
		p.transmit = p.receive + 4294967; /* 1 ms */
		assert_int_equal(answer(&s, &p, NTP_SIZE), SAID_ACCEPTED);
		raw = s.due;
	}
	return s.requests;
}

static double
off_by_chance(double t)
{
	(void)t;
	return rand() / (RAND_MAX + 1.0);
}

static double
a_tenth_too_fast(double t)
{
	return t / 10;
}

static double
one_of_two_machines(double t)
{
	return off_by_chance(t) < 0.5 ? 0 : 0.1;
}

/* It may as well be our own clock that nobody can follow. */
static void
a_time_that_no_filter_follows_is_no_storm(void **state)
{
	(void)state;
	assert_in_range(asked_in_a_day(off_by_chance), 1000, 2400);
	assert_in_range(asked_in_a_day(a_tenth_too_fast), 1000, 2400);
	assert_in_range(asked_in_a_day(one_of_two_machines), 1000, 2400);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(believes_a_good_reply),
		cmocka_unit_test(missing_replies_make_the_interval_wider),
		cmocka_unit_test(an_estimate_beside_the_newest_sample_is_far),
		cmocka_unit_test(trailing_bytes_change_nothing),
		cmocka_unit_test(a_refused_reply_leaves_the_request_waiting),
		cmocka_unit_test(refuses_impossible_times),
		cmocka_unit_test(a_far_server_is_refused_unless_allowed),
		cmocka_unit_test(no_liar_is_a_resort),
		cmocka_unit_test(tells_what_was_wrong_in_numbers),
		cmocka_unit_test(kiss_rate_slows_down),
		cmocka_unit_test(kiss_rate_is_no_banishment),
		cmocka_unit_test(whoever_sets_the_clock_again_and_again_causes_no_storm),
		cmocka_unit_test(
		    a_request_comes_early_by_a_quarter_of_its_poll_at_most),
		cmocka_unit_test(a_network_that_is_back_is_used_at_once),
		cmocka_unit_test(an_address_without_a_route_is_tried_less_and_less),
		cmocka_unit_test(the_constraint_holds_but_not_for_trusted),
		cmocka_unit_test(a_silent_server_is_asked_soon_and_not_too_often),
		cmocka_unit_test(a_refused_reply_explains_why_there_is_no_other),
		cmocka_unit_test(four_quick_exchanges_then_slowly),
		cmocka_unit_test(who_follows_us_is_no_source),
		cmocka_unit_test(we_are_no_source_of_ours),
		cmocka_unit_test(
		    with_an_unknown_frequency_intervals_grow_by_a_fifth),
		cmocka_unit_test(
		    a_new_network_allows_as_many_requests_as_at_first),
		cmocka_unit_test(a_good_reply_ends_all_that_was_wrong),
		cmocka_unit_test(counts_what_it_refused),
		cmocka_unit_test(the_header_is_judged_at_its_edges),
		cmocka_unit_test(the_delay_is_judged_at_its_edges),
		cmocka_unit_test(a_sample_is_what_rfc_5905_says),
		cmocka_unit_test(dates_from_the_build_on_are_believed),
		cmocka_unit_test(waits_for_a_reply),
		cmocka_unit_test(waits_after_each_silence),
		cmocka_unit_test(silence_takes_reach_and_then_trust),
		cmocka_unit_test(
		    who_does_not_answer_is_asked_nine_times_at_once),
		cmocka_unit_test(waits_after_each_failure),
		cmocka_unit_test(kiss_rate_doubles_and_is_forgotten_by_halves),
		cmocka_unit_test(kisses_are_told_apart),
		cmocka_unit_test(intervals_keep_to_the_poll_range),
		cmocka_unit_test(who_is_not_believed_is_asked_as_usual),
		cmocka_unit_test(a_candidate_is_its_server_s_last_reply),
		cmocka_unit_test(
		    an_estimate_is_not_beside_its_sample_by_age_alone),
		cmocka_unit_test(a_new_address_begins_with_nothing_known),
		cmocka_unit_test(each_state_wants_what_it_says),
		cmocka_unit_test(kiss_rate_doubles_the_present_interval),
		cmocka_unit_test(who_has_nothing_to_say_is_no_candidate),
		cmocka_unit_test(a_resort_is_the_reply_that_was_too_far),
		cmocka_unit_test(
		    only_what_is_beside_the_sample_s_interval_counts),
		cmocka_unit_test(a_gap_of_time_voids_the_samples),
		cmocka_unit_test(a_hurry_is_a_burst_at_the_start_s_pace),
		cmocka_unit_test(
		    keys_that_come_soon_ask_no_server_twice_within_a_second),
		cmocka_unit_test(
		    a_gap_in_the_raw_clock_asks_no_server_twice_within_a_second),
		cmocka_unit_test(a_nudge_asks_who_was_silent),
		cmocka_unit_test(jitter_is_of_the_last_eight_delays),
		cmocka_unit_test(a_leap_second_moves_what_is_known),
		cmocka_unit_test(a_move_keeps_what_is_known_of_the_line),
		cmocka_unit_test(only_interleaved_lines_ask_so),
		cmocka_unit_test(
		    an_interleaved_reply_measures_the_exchange_before),
		cmocka_unit_test(
		    a_basic_reply_to_an_interleaved_request_is_measured_itself),
		cmocka_unit_test(four_lost_replies_end_interleaved_mode),
		cmocka_unit_test(impossible_interleaved_stamps_are_refused),
		cmocka_unit_test(a_gap_or_a_leap_second_ends_interleaved_mode),
		cmocka_unit_test(an_outage_ends_interleaved_mode),
		cmocka_unit_test(
		    interleaved_mode_does_not_make_the_interval_wider),
		/* Those that take long are the last. */
		cmocka_unit_test(
		    five_minutes_without_an_answer_are_fifteen_requests),
		cmocka_unit_test(a_network_that_comes_back_is_noticed_soon),
		cmocka_unit_test(a_day_without_an_answer_is_no_storm),
		cmocka_unit_test(a_time_that_no_filter_follows_is_no_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
