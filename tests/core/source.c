/*
 * source.c - when a server is asked, and what is believed of its replies.
 */
#include "core/address.h"
#include "core/constraint.h"
#include "core/ntp.h"
#include "core/select.h"
#include "core/source.h"
#include "tests/test.h"

#define BUILD (1790000000LL * NS_PER_S)
#define NOW (1795000000LL * NS_PER_S)
#define RAW0 (5000 * NS_PER_S)
#define NONCE 0x1122334455667788u

static const struct address here = { .family = 4, .bytes = { 192, 0, 2, 1 } };
static struct bound bound = { .earliest = BUILD };

/* A source whose request left at RAW0. */
static struct source
waiting(void)
{
	struct source s = { .weight = 1 };

	source_start(&s, &here, RAW0, 0, 0, 100e-6);
	assert_int_equal(source_turn(&s, RAW0, true, 0.5), WANT_SEND);
	source_sent(&s, RAW0, NONCE, true);
	return s;
}

/* The good answer to it: 10 ms each way, 1 ms in the server. */
static struct ntp_packet
good(void)
{
	return (struct ntp_packet){
		.version = 4, .mode = MODE_SERVER, .stratum = 2,
		.precision = -20, .root_delay = 0.01, .root_dispersion = 0.002,
		.refid = 0x0a000001, .origin = NONCE,
		.receive = ntp_from_real(NOW + 10000000),
		.transmit = ntp_from_real(NOW + 11000000)
	};
}

static enum source_said
answer(struct source *s, const struct ntp_packet *p, size_t size)
{
	struct stamps t = { .sent = s->sent, .got = s->sent + 21000000 };
	struct judgement j = {
		.bound = &bound, .pivot = NOW, .random = 0.5
	};
	uint8_t bytes[NTP_SIZE + 100] = { 0 };

	ntp_format(p, bytes);
	return source_reply(s, bytes, size, &t, &j);
}

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
	assert_true(source_candidate(&s, s.sample.raw, &soon));
	assert_true(source_candidate(&s, s.sample.raw + 96 * NS_PER_S, &late));
	assert_true(
	    source_candidate(&s, s.sample.raw + 196 * NS_PER_S, &later));
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
	/* nor is that a path's fault, which would explain any offset */
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
	s.distance_most = 1; /* or less than by default */
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
	/* never an idle hour, however often it says so */
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
	/* looked at again with its name, since addresses move; no news then */
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
	/* also one that never answered */
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
with_an_unknown_frequency_the_interval_doubles_to_64(void **state)
{
	static const int wanted[] = { 2, 2, 2, 4, 8, 16, 32, 64 };
	int t[12], i;

	(void)state;
	intervals(100e-6, t);
	for (i = 0; i < 8; i++)
		assert_int_equal(t[i], wanted[i]);
	for (; i < 12; i++)
		assert_true(t[i] >= 64);
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
		cmocka_unit_test(a_network_that_is_back_is_used_at_once),
		cmocka_unit_test(an_address_without_a_route_is_tried_less_and_less),
		cmocka_unit_test(the_constraint_holds_but_not_for_trusted),
		cmocka_unit_test(a_silent_server_is_asked_soon_and_not_too_often),
		cmocka_unit_test(
		    five_minutes_without_an_answer_are_fifteen_requests),
		cmocka_unit_test(a_network_that_comes_back_is_noticed_soon),
		cmocka_unit_test(a_day_without_an_answer_is_no_storm),
		cmocka_unit_test(a_refused_reply_explains_why_there_is_no_other),
		cmocka_unit_test(four_quick_exchanges_then_slowly),
		cmocka_unit_test(who_follows_us_is_no_source),
		cmocka_unit_test(we_are_no_source_of_ours),
		cmocka_unit_test(
		    with_an_unknown_frequency_the_interval_doubles_to_64),
		cmocka_unit_test(
		    a_new_network_allows_as_many_requests_as_at_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
