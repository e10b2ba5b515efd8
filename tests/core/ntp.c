/*
 * ntp.c - what ntp.c promises: every field, every edge of an era, every
 * reason for silence.
 */
#include "core/ntp.h"
#include "core/word.h"
#include "tests/test.h"


static const uint8_t wire[NTP_SIZE] = {
	0x5c, 0x02, 0xfa, 0xe9,			/* leap 1, version 3, mode 4 */
	0x00, 0x01, 0x80, 0x00,			/* 1.5 s */
	0x00, 0x00, 0x00, 0x01,			/* one unit */
	0xc0, 0x00, 0x02, 0x01,
	0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
	0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18,
	0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28,
	0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
};

static void
parses_every_field(void **state)
{
	struct ntp_packet p;

	(void)state;
	assert_true(ntp_parse(wire, sizeof wire, &p));
	assert_int_equal(p.leap, LEAP_INSERT);
	assert_int_equal(p.version, 3);
	assert_int_equal(p.mode, MODE_SERVER);
	assert_int_equal(p.stratum, 2);
	assert_int_equal(p.poll, -6);
	assert_int_equal(p.precision, -23);
	assert_true(p.root_delay == 1.5);
	assert_true(p.root_dispersion == 1.0 / 65536);
	assert_int_equal(p.refid, 0xc0000201);
	assert_true(p.reference == 0x0102030405060708);
	assert_true(p.origin == 0x1112131415161718);
	assert_true(p.receive == 0x2122232425262728);
	assert_true(p.transmit == 0xf1f2f3f4f5f6f7f8);
}

static void
formats_what_it_parsed(void **state)
{
	uint8_t bytes[NTP_SIZE], back[NTP_SIZE];
	struct ntp_packet p;
	uint32_t x = 20200303;

	(void)state;
	for (int n = 0; n < 100000; n++) {
		for (size_t i = 0; i < NTP_SIZE; i++) {
			x = x * 1664525 + 1013904223;
			bytes[i] = (uint8_t)(x >> 24);
		}
		memset(back, 0x55, sizeof back);
		assert_true(ntp_parse(bytes, sizeof bytes, &p));
		ntp_format(&p, back);
		assert_memory_equal(bytes, back, NTP_SIZE);
	}
	assert_true(ntp_parse(wire, sizeof wire, &p));
	ntp_format(&p, back);
	assert_memory_equal(wire, back, NTP_SIZE);
}

static void
refuses_to_parse_less_than_a_header(void **state)
{
	struct ntp_packet p;

	(void)state;
	for (size_t size = 0; size < NTP_SIZE; size++)
		assert_false(ntp_parse(wire, size, &p));
	assert_true(ntp_parse(wire, NTP_SIZE + 1, &p));
}

static uint32_t
short_on_wire(double s)
{
	struct ntp_packet p = { .root_delay = s, .root_dispersion = s };
	uint8_t b[NTP_SIZE];

	ntp_format(&p, b);
	assert_memory_equal(b + 4, b + 8, 4);
	return (uint32_t)b[4] << 24 | (uint32_t)b[5] << 16 |
	    (uint32_t)b[6] << 8 | b[7];
}

static void
rounds_short_format_up_and_clamps_it(void **state)
{
	static const struct {
		double s;
		uint32_t wire;
	} row[] = {
		{ 0, 0 },
		{ -1, 0 },
		{ -INFINITY, 0 },
		{ 1e-12, 1 },
		{ 1.0 / 65536, 1 },
		{ 1.0000001 / 65536, 2 },
		{ 0.5, 0x8000 },
		{ 1, 0x10000 },
		{ 1.00001, 0x10001 },
		{ 65535, 0xffff0000 },
		{ 65535 + 65535.0 / 65536, 0xffffffff },
		{ 65535.99999, 0xffffffff },
		{ 65536, 0xffffffff },
		{ 1e30, 0xffffffff },
		{ INFINITY, 0xffffffff },
		{ NAN, 0xffffffff },
	};

	(void)state;
	for (size_t i = 0; i < LEN(row); i++)
		assert_int_equal(short_on_wire(row[i].s), row[i].wire);
}

static void
query_tells_nothing_but_its_nonce(void **state)
{
	uint8_t b[NTP_SIZE], expected[NTP_SIZE] = { 0x23,
	    [40] = 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0 };

	(void)state;
	memset(b, 0xff, sizeof b);
	ntp_query(0x123456789abcdef0, b);
	assert_memory_equal(b, expected, NTP_SIZE);
}


/* Unix seconds of the dates below were worked out with date -u -d. */
static const struct {
	uint64_t stamp;
	int64_t real;			/* s since 1970 */
} date[] = {
	{ 0x83aa7e8000000000, 0 },		/* 1970-01-01 */
	{ 0xe8000000ULL << 32, 1683325312 },	/* 2023-05-05 */
	{ 0xffffffffULL << 32, 2085978495 },	/* 2036-02-07 06:28:15 */
	{ 2, 2085978496 },			/* era 1; see ntp_from_real */
	{ 1ULL << 32, 2085978497 },
	{ 0x787e9e00ULL << 32, 4107542400 },	/* 2100-03-01, no leap day */
	{ 0x03aa7e7fULL << 32, 2147483647 },	/* 2038-01-19 03:14:07 */
	{ 0x03aa7e80ULL << 32, 2147483648 },
	{ 0x83aa7e7fULL << 32, 4294967295 },	/* 2106-02-07 06:28:15 */
	{ 0x83aa7e80ULL << 32, 4294967296 },
	{ 0x80000000ULL << 32, 4233462144 },	/* 2104-02-26 09:42:24 */
};

static void
resolves_eras_near_the_pivot(void **state)
{
	/* A pivot must bridge sixty-eight years less a day. */
	static const int64_t far = (1LL << 31) - 86400;
	static const int64_t away[] = { 0, 1, -1, 86400, -86400, far, -far,
	    (1LL << 31) - 1, -(1LL << 31) };

	(void)state;
	for (size_t i = 0; i < LEN(date); i++)
		for (size_t j = 0; j < LEN(away); j++)
			assert_true(ntp_to_real(date[i].stamp,
			    (date[i].real - away[j]) * S) == date[i].real * S);
}

static void
names_each_date_as_the_rfc_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(date); i++)
		assert_true(ntp_from_real(date[i].real * S) == date[i].stamp);
	/* RFC 5905 fig. 4: the first day of the Unix era, the last of era 0,
	 * and 1900 itself. */
	assert_true(ntp_from_real(0) >> 32 == 2208988800);
	assert_true(ntp_from_real(2085978495 * S + 999999999) ==
	    0xfffffffffffffffb);
	assert_true(ntp_from_real(-2208988800 * S) == 2);
}

static void
takes_the_other_era_when_the_pivot_is_there(void **state)
{
	static const int64_t era = 1LL << 32;
	static const int64_t built = 1700000000;	/* 2023 */

	(void)state;
	/* A client of 2023 that hears a stamp of 1970 takes it for 2106 only
	 * if that is nearer. */
	assert_true(ntp_to_real(0x83aa7e80ULL << 32, built * S) == 0);
	assert_true(ntp_to_real(0x83aa7e80ULL << 32, 2200000000 * S) ==
	    era * S);
	/* The era changes half an era from the pivot, to the second. */
	assert_true(ntp_to_real(ntp_from_real((built + era / 2 - 1) * S),
	    built * S) == (built + era / 2 - 1) * S);
	assert_true(ntp_to_real(ntp_from_real((built + era / 2) * S),
	    built * S) == (built - era / 2) * S);
}

static void
the_pivot_spans_every_date_of_this_binarys_life(void **state)
{
	const int64_t year = 31556952LL * NS_PER_S;
	const int64_t build = 1790000000LL * NS_PER_S;
	static const int clock_says[] = { 1970, 2000, 2020, 2030, 2060, 2099 };
	static const int truth[] = { 2027, 2036, 2040, 2060, 2090 };
	size_t i, j;

	(void)state;
	for (i = 0; i < LEN(clock_says); i++)
		for (j = 0; j < LEN(truth); j++) {
			int64_t real = (clock_says[i] - 1970) * year;
			int64_t true_time = (truth[j] - 1970) * year;
			int64_t pivot = ntp_pivot(false, real, build);
			int64_t got = ntp_to_real(ntp_from_real(true_time), pivot);

			assert_true(llabs(got - true_time) < 10);
		}
	assert_true(ntp_pivot(true, 200 * year, build) == 200 * year);
}

static void
the_pivot_is_within_fifty_years_of_the_build(void **state)
{
	const int64_t fifty = 50 * 31556952LL * NS_PER_S;
	const int64_t build = 1790000000LL * NS_PER_S;
	const struct {
		bool synced;
		int64_t real, pivot;
	} table[] = {
		{ true, 0, 0 }, { true, build + 2 * fifty, build + 2 * fifty },
		{ false, 0, build }, { false, build - 1, build },
		{ false, build + 1, build + 1 },
		{ false, build + fifty - 1, build + fifty - 1 },
		{ false, build + fifty + 1, build + fifty },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++)
		assert_true(ntp_pivot(table[i].synced, table[i].real,
		    build) == table[i].pivot);
}

static void
keeps_every_nanosecond(void **state)
{
	static const int64_t second[] = { 0, 1, -1, 1583266728, 2085978495,
	    2085978496, 2147483648, 4233462144, 4294967296, -1000000000 };

	(void)state;
	for (size_t i = 0; i < LEN(second); i++)
		for (int64_t ns = 0; ns < S; ns += ns < 2000 ||
		    ns > S - 2000 ? 1 : 9973) {
			int64_t real = second[i] * S + ns;

			if (ntp_to_real(ntp_from_real(real), real) != real)
				fail_msg("%lld", (long long)real);
		}
}

static void
rounds_fractions_to_the_nearest_nanosecond(void **state)
{
	(void)state;
	assert_true(ntp_to_real(0x83aa7e8000000002, 0) == 0);
	assert_true(ntp_to_real(0x83aa7e8000000003, 0) == 1);
	assert_true(ntp_to_real(0x83aa7e8080000000, 0) == S / 2);
	assert_true(ntp_to_real(0x83aa7e80ffffffff, 0) == S);
	assert_true(ntp_to_real(0x83aa7e7fffffffff, 0) == 0);
}

static void
is_stable_at_the_ends_of_time(void **state)
{
	static const int64_t end[] = { INT64_MAX, INT64_MIN, INT64_MAX - 1 };

	(void)state;
	for (size_t i = 0; i < LEN(end); i++)
		for (uint64_t top = 0; top < 256; top++) {
			int64_t t = ntp_to_real(top << 56, end[i]);

			/* What is far away stays far away, and on its side. */
			assert_true(end[i] > 0 ? t > INT64_MAX / 2 :
			    t < INT64_MIN / 2);
		}
	/* The last second, of which int64_t holds a part, does not wrap. */
	assert_true(ntp_to_real(ntp_from_real(INT64_MAX) | UINT32_MAX,
	    INT64_MAX) > INT64_MAX - S);
	assert_true(ntp_from_real(INT64_MAX) != 0);
	assert_true(ntp_from_real(INT64_MIN) != 0);
}

static const struct serving serving = {
	.leap = LEAP_DELETE, .stratum = 3, .precision = -24,
	.refid = 0xc0000207, .root_delay = 0.25, .root_dispersion = 0.5,
	.growth = 15e-6, .raw = 100 * S, .reference = 1583266728 * S
};

#define RECEIVED (1583266800 * S + 500000000)
#define SENT (1583266800 * S + 500001000)

static void
answers_with_every_field(void **state)
{
	uint8_t request[NTP_SIZE], b[NTP_SIZE];
	struct ntp_packet p;

	(void)state;
	for (size_t i = 0; i < NTP_SIZE; i++)
		request[i] = (uint8_t)(0x80 + i);
	request[0] = LEAP_ALARM << 6 | 4 << 3 | MODE_CLIENT;
	request[2] = 10;
	assert_int_equal(ntp_answer(request, sizeof request, &serving,
	    RECEIVED, 100 * S, SENT, b), ANSWERED);
	assert_true(ntp_parse(b, sizeof b, &p));
	assert_int_equal(p.leap, LEAP_DELETE);
	assert_int_equal(p.version, 4);
	assert_int_equal(p.mode, MODE_SERVER);
	assert_int_equal(p.stratum, 3);
	assert_int_equal(p.poll, 10);
	assert_int_equal(p.precision, -24);
	assert_true(p.root_delay == 0.25);
	assert_true(p.root_dispersion == 0.5);
	assert_int_equal(p.refid, 0xc0000207);
	assert_memory_equal(b + 24, request + 40, 8);
	assert_true(ntp_to_real(p.reference, SENT) == 1583266728 * S);
	assert_true(ntp_to_real(p.receive, SENT) == RECEIVED);
	assert_true(ntp_to_real(p.transmit, SENT) == SENT);
}

/* By the last bit; neither is ever zero. */
static void
receive_and_transmit_stamps_are_told_apart(void **state)
{
	uint8_t request[NTP_SIZE] = { 4 << 3 | MODE_CLIENT }, b[NTP_SIZE];
	int64_t at[] = { SENT, SENT + 1, SENT + 2, SENT + 3,
		2085978496 * S, 2085978496 * S + 1 };

	(void)state;
	for (size_t i = 0; i < LEN(at); i++) {
		uint64_t receive, transmit;

		assert_int_equal(ntp_answer(request, sizeof request, &serving,
		    at[i], 100 * S, at[i], b), ANSWERED);
		receive = ntp_get(b, NTP_RECEIVE);
		transmit = ntp_get(b, NTP_TRANSMIT);
		assert_int_equal(receive & 1, 1);
		assert_int_equal(transmit & 1, 0);
		assert_true(transmit != 0);
		assert_true(llabs(ntp_to_real(receive, SENT) - at[i]) <= 1);
		assert_true(llabs(ntp_to_real(transmit, SENT) - at[i]) <= 1);
	}
}

static void
a_stamp_is_written_where_it_is_read(void **state)
{
	uint8_t b[NTP_SIZE] = { 4 << 3 | MODE_SERVER };
	struct ntp_packet p;

	(void)state;
	ntp_put(b, NTP_ORIGIN, 0x1112131415161718);
	ntp_put(b, NTP_RECEIVE, 0x2122232425262728);
	ntp_put(b, NTP_TRANSMIT, 0x3132333435363738);
	assert_true(ntp_parse(b, sizeof b, &p));
	assert_true(p.origin == 0x1112131415161718);
	assert_true(p.receive == 0x2122232425262728);
	assert_true(p.transmit == 0x3132333435363738 && p.reference == 0);
	assert_true(ntp_get(b, NTP_RECEIVE) == p.receive);
}

static enum ntp_refusal
try(uint8_t flags, size_t size, struct ntp_packet *p)
{
	uint8_t request[NTP_SIZE] = { flags }, b[NTP_SIZE];
	enum ntp_refusal why;

	memset(b, 0xee, sizeof b);
	why = ntp_answer(request, size, &serving, RECEIVED, 100 * S, SENT, b);
	if (why == ANSWERED)
		assert_true(ntp_parse(b, sizeof b, p));
	else
		for (size_t i = 0; i < sizeof b; i++)
			assert_int_equal(b[i], 0xee);
	return why;
}

static void
answers_clients_and_peers_of_versions_one_to_four(void **state)
{
	struct ntp_packet p;

	(void)state;
	for (unsigned leap = 0; leap < 4; leap++)
		for (unsigned version = 0; version < 8; version++)
			for (unsigned mode = 0; mode < 8; mode++) {
				enum ntp_refusal why = try((uint8_t)(leap << 6 |
				    version << 3 | mode), NTP_SIZE, &p);

				if (mode != 1 && mode != 3) {
					assert_int_equal(why, REFUSED_MODE);
					continue;
				}
				if (version < 1 || version > 4) {
					assert_int_equal(why, REFUSED_VERSION);
					continue;
				}
				assert_int_equal(why, ANSWERED);
				assert_int_equal(p.version, version);
				assert_int_equal(p.mode, mode + 1);
			}
}

static void
answers_only_lengths_that_a_client_can_send(void **state)
{
	struct ntp_packet p;

	(void)state;
	for (size_t size = 0; size < 2000; size++)
		assert_int_equal(try(0x23, size, &p),
		    size >= NTP_SIZE && size % 4 == 0 ?
		    ANSWERED : REFUSED_LENGTH);
}

static void
grows_dispersion_with_age_and_never_says_zero(void **state)
{
	static const struct {
		double dispersion, growth;
		double age, expected;	/* s */
	} row[] = {
		{ 0.5, 15e-6, 0, 0.5 },
		{ 0.5, 15e-6, 1000, 0.515 },
		{ 0.5, 15e-6, -1000, 0.5 },	/* not back into the past */
		{ 0, 0, 0, 1.0 / 65536 },
		{ -1, 0, 0, 1.0 / 65536 },
		{ INFINITY, 0, 0, 65536 - 1.0 / 65536 },
		{ NAN, 0, 0, 65536 - 1.0 / 65536 },
		{ 1, 1, 1e6, 65536 - 1.0 / 65536 },
	};
	uint8_t request[NTP_SIZE] = { 0x23 }, b[NTP_SIZE];
	struct ntp_packet p;

	(void)state;
	for (size_t i = 0; i < LEN(row); i++) {
		struct serving s = serving;

		s.root_dispersion = row[i].dispersion;
		s.growth = row[i].growth;
		assert_int_equal(ntp_answer(request, sizeof request, &s,
		    RECEIVED, s.raw + (int64_t)(row[i].age * S), SENT, b),
		    ANSWERED);
		assert_true(ntp_parse(b, sizeof b, &p));
		assert_true(p.root_dispersion >= row[i].expected - 1e-9);
		assert_true(p.root_dispersion <= row[i].expected + 2.0 / 65536);
	}
}

static void
unsynchronised_says_alarm_and_is_no_kiss(void **state)
{
	static const struct serving lost = { .leap = LEAP_ALARM,
	    .precision = -24, .root_dispersion = 1 };
	uint8_t request[NTP_SIZE] = { 0x23 }, b[NTP_SIZE];
	struct ntp_packet p;

	(void)state;
	assert_int_equal(ntp_answer(request, sizeof request, &lost, RECEIVED,
	    100 * S, SENT, b), ANSWERED);
	assert_true(ntp_parse(b, sizeof b, &p));
	assert_int_equal(p.leap, LEAP_ALARM);
	assert_int_equal(p.stratum, 0);
	assert_int_equal(p.refid, 0);	/* a kiss has four letters here */
	assert_true(p.reference == 0);
	assert_true(p.receive != 0 && p.transmit != 0);
}

static void
answers_in_place(void **state)
{
	uint8_t request[NTP_SIZE], b[NTP_SIZE];

	(void)state;
	memcpy(request, wire, sizeof request);
	request[0] = 0x1b;
	assert_int_equal(ntp_answer(request, sizeof request, &serving,
	    RECEIVED, 100 * S, SENT, b), ANSWERED);
	assert_int_equal(ntp_answer(request, sizeof request, &serving,
	    RECEIVED, 100 * S, SENT, request), ANSWERED);
	assert_memory_equal(request, b, NTP_SIZE);
}

static void
has_a_word_for_every_refusal(void **state)
{
	(void)state;
	for (int i = 0; i < NTP_REFUSALS; i++) {
		assert_non_null(word_at(ntp_refusal_words, i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(word_at(ntp_refusal_words, i),
			    word_at(ntp_refusal_words, j));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_every_field),
		cmocka_unit_test(formats_what_it_parsed),
		cmocka_unit_test(refuses_to_parse_less_than_a_header),
		cmocka_unit_test(rounds_short_format_up_and_clamps_it),
		cmocka_unit_test(query_tells_nothing_but_its_nonce),
		cmocka_unit_test(resolves_eras_near_the_pivot),
		cmocka_unit_test(names_each_date_as_the_rfc_does),
		cmocka_unit_test(takes_the_other_era_when_the_pivot_is_there),
		cmocka_unit_test(
		    the_pivot_spans_every_date_of_this_binarys_life),
		cmocka_unit_test(the_pivot_is_within_fifty_years_of_the_build),
		cmocka_unit_test(keeps_every_nanosecond),
		cmocka_unit_test(rounds_fractions_to_the_nearest_nanosecond),
		cmocka_unit_test(is_stable_at_the_ends_of_time),
		cmocka_unit_test(answers_with_every_field),
		cmocka_unit_test(receive_and_transmit_stamps_are_told_apart),
		cmocka_unit_test(a_stamp_is_written_where_it_is_read),
		cmocka_unit_test(
		    answers_clients_and_peers_of_versions_one_to_four),
		cmocka_unit_test(answers_only_lengths_that_a_client_can_send),
		cmocka_unit_test(grows_dispersion_with_age_and_never_says_zero),
		cmocka_unit_test(unsynchronised_says_alarm_and_is_no_kiss),
		cmocka_unit_test(answers_in_place),
		cmocka_unit_test(has_a_word_for_every_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
