/*
 * source.c - when a server is asked, and what is believed of its replies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/address.h"
#include "core/constraint.h"
#include "core/instant.h"
#include "core/ntp.h"
#include "core/select.h"
#include "core/source.h"

#define BUILD (1790000000LL * NS_PER_S)
#define NOW (1795000000LL * NS_PER_S)
#define RAW0 (5000 * NS_PER_S)
#define NONCE 0x1122334455667788u
#define LEN(a) (sizeof (a) / sizeof (a)[0])

static const struct address here = { .family = 4, .bytes = { 192, 0, 2, 1 } };
static const struct address there = { .family = 4, .bytes = { 192, 0, 2, 2 } };
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
	s.sample.ahead += NS_PER_S;	/* strange: not learnt */
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
	p.transmit = p.receive - (1u << 30);		/* a quarter second */
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

/* What is outside of the constraint, or our own, is no resort either. */
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
	/* at once: its samples may have been ours all the time */
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

/* A lookup that nobody answers takes 10 s.  Whenever the name server is there again
 * within two minutes, it is asked within 15 s. */
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

/* What is ours does not speak against an address that worked. */
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

/* A minute of 64 s costs a millisecond for each 16 ppm of ignorance. */
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
	source_move(&s, &l, to, raw, true, 0, 1e-4);
	assert_true(s.due == raw);
	source_failed(&s, raw, true, 0.5);
	to = line_replace(&l, &s, &s, 1);
	assert_memory_equal(to, &there, sizeof there);
	source_move(&s, &l, to, raw, true, 0, 1e-4);
	assert_true(s.due == raw);		/* the other at once */
	source_failed(&s, raw, true, 0.5);
	to = line_replace(&l, &s, &s, 1);
	source_move(&s, &l, to, raw, true, 0, 1e-4);
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
	/* ... but when that moves away the other takes its place */
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
	assert_true(next_lookup(&l, all, 1, &raw) == 86400);
	assert_true(next_lookup(&l, all, 1, &raw) == 86400);
	/* it grows, so it may go on doing so; until it is full */
	assert_true(next_lookup(&l, all, 3, &raw) == 60);
	assert_true(next_lookup(&l, all, 3, &raw) == 120);
	assert_true(next_lookup(&l, all, POOL_MAX, &raw) == 86400);
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
	/* what has no name never is */
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
the_pivot_spans_every_date_of_this_binarys_life(void **state)
{
	const int64_t year = 31556952LL * NS_PER_S;
	static const int clock_says[] = { 1970, 2000, 2020, 2030, 2060, 2099 };
	static const int truth[] = { 2027, 2036, 2040, 2060, 2090 };
	size_t i, j;

	(void)state;
	for (i = 0; i < LEN(clock_says); i++)
		for (j = 0; j < LEN(truth); j++) {
			int64_t real = (clock_says[i] - 1970) * year;
			int64_t true_time = (truth[j] - 1970) * year;
			int64_t pivot = source_pivot(false, real, BUILD);
			int64_t got = ntp_to_real(ntp_from_real(true_time), pivot);

			assert_true(llabs(got - true_time) < 10);
		}
	assert_true(source_pivot(true, 200 * year, BUILD) == 200 * year);
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
		cmocka_unit_test(kiss_deny_stops_until_resolved),
		cmocka_unit_test(a_denied_server_is_asked_again_with_its_name),
		cmocka_unit_test(a_silent_name_is_looked_up_less_and_less),
		cmocka_unit_test(whoever_sets_the_clock_again_and_again_causes_no_storm),
		cmocka_unit_test(a_network_that_is_back_is_used_at_once),
		cmocka_unit_test(an_address_without_a_route_is_tried_less_and_less),
		cmocka_unit_test(the_constraint_holds_but_not_for_trusted),
		cmocka_unit_test(a_silent_server_is_asked_soon_and_not_too_often),
		cmocka_unit_test(
		    five_minutes_without_an_answer_are_fifteen_requests),
		cmocka_unit_test(a_network_that_comes_back_is_noticed_soon),
		cmocka_unit_test(a_day_without_an_answer_is_no_storm),
		cmocka_unit_test(failed_lookups_are_no_storm),
		cmocka_unit_test(a_silent_name_server_is_asked_each_15_s),
		cmocka_unit_test(a_moment_without_a_route_costs_no_filter),
		cmocka_unit_test(without_descriptors_a_server_only_waits),
		cmocka_unit_test(a_refused_reply_explains_why_there_is_no_other),
		cmocka_unit_test(four_quick_exchanges_then_slowly),
		cmocka_unit_test(who_follows_us_is_no_source),
		cmocka_unit_test(we_are_no_source_of_ours),
		cmocka_unit_test(
		    with_an_unknown_frequency_the_interval_doubles_to_64),
		cmocka_unit_test(an_unreachable_address_gives_way),
		cmocka_unit_test(the_same_address_is_one_source),
		cmocka_unit_test(lookups_grow_apart),
		cmocka_unit_test(a_name_with_free_places_is_looked_up_again),
		cmocka_unit_test(a_network_that_changes_hurries_lookups),
		cmocka_unit_test(a_liar_makes_room_after_eight_polls),
		cmocka_unit_test(the_pivot_spans_every_date_of_this_binarys_life)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
