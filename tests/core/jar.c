/*
 * jar.c - when keys are exchanged anew, and how rarely.
 */
#include "core/jar.h"
#include "tests/test.h"

#define DAY 86400.0

/* What an exchange brings: so many cookies, and where NTP is. */
static struct nts_grant
grant(const char *server)
{
	struct nts_grant g = { .port = 123 };

	g.nts.cookies = NTS_COOKIES;
	(void)snprintf(g.server, sizeof g.server, "%s", server);
	return g;
}

/* A jar with cookies, at 100 s. */
static struct jar
full(void)
{
	struct nts_grant g = grant("");
	struct jar j = { 0 };

	jar_start(&j, 100 * S, 0);
	assert_true(jar_wants(&j, 100 * S) && !jar_ready(&j));
	jar_asked(&j, 100 * S);
	assert_false(jar_wants(&j, 100 * S));
	jar_granted(&j, &g, 5, 6, 100 * S, 0);
	assert_true(jar_ready(&j) && !j.proven);
	return j;
}

static void
a_full_jar_is_not_renewed(void **state)
{
	struct jar j = full();

	(void)state;
	jar_sent(&j);
	jar_heard(&j, NTS_OK);
	assert_false(jar_wants(&j, later(100 * S, 100 * DAY)));
}

static void
an_empty_jar_is_renewed(void **state)
{
	struct jar j = full();

	(void)state;
	j.nts.cookies = 0;
	assert_false(jar_wants(&j, 110 * S - 1));
	assert_true(jar_wants(&j, 110 * S));
	assert_false(jar_ready(&j));
}

/* Anybody can send one, but not keep the good reply away. */
static void
nak_counts_unless_a_good_reply_comes(void **state)
{
	struct jar j = full();

	(void)state;
	jar_sent(&j);
	jar_heard(&j, NTS_NAK);
	jar_heard(&j, NTS_OK);
	assert_false(jar_wants(&j, 200 * S));
	jar_sent(&j);
	jar_heard(&j, NTS_NAK);
	assert_true(jar_wants(&j, 200 * S));
	assert_true(jar_ready(&j)); /* until the exchange has succeeded */
	assert_int_equal(j.naks, 2);
}

/* NTPsec does not answer if it does not know the cookie. */
static void
silence_is_taken_for_an_unknown_cookie(void **state)
{
	struct jar j = full();

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_false(jar_wants(&j, 200 * S));
		jar_sent(&j);
		jar_heard(&j, NTS_FORGED);
	}
	assert_true(jar_wants(&j, 200 * S));
	jar_heard(&j, NTS_OK);
	assert_false(jar_wants(&j, 200 * S));
	assert_int_equal(j.forged, 4);
}

/* Whoever sends a NAK for each request, and lets only each second reply through,
 * causes four exchanges at once and then one in two hours.  Those of a jar that
 * was empty do not count. */
static void
naks_of_strangers_cause_few_exchanges(void **state)
{
	struct nts_grant g = grant("");
	struct jar j = full();
	int64_t raw = 0;
	int n = 0;

	(void)state;
	for (int i = 0; i < 8; i++) {
		j.nts.cookies = 0;
		raw = j.due;
		assert_true(jar_wants(&j, raw));
		jar_asked(&j, raw);
		jar_granted(&j, &g, 5, 6, raw, 0);
	}
	raw = later(raw, DAY);
	for (int i = 0; i < 1350; i++) { /* a day */
		raw = later(raw, 64);
		if (jar_wants(&j, raw)) {
			jar_asked(&j, raw);
			jar_granted(&j, &g, 5, 6, raw, 0);
			n++;
		}
		jar_sent(&j);
		jar_heard(&j, NTS_NAK);
		if (i % 2 != 0)
			jar_heard(&j, NTS_OK);
	}
	assert_in_range(n, 15, 16);
}

/* What was said of the last server, which may still have been looked up, says
 * nothing of this one. */
static void
another_server_begins_with_nothing(void **state)
{
	struct nts_grant g = grant("ntp.example");
	struct jar j = full();

	(void)state;
	jar_proved(&j);
	jar_granted(&j, &g, 5, 6, 100 * S, 0);
	assert_true(j.asking && !j.proven);
	jar_proved(&j);
	for (int i = 0; i < 4; i++)
		jar_sent(&j);
	jar_heard(&j, NTS_NAK);
	jar_start(&j, 200 * S, 0);
	assert_false(j.asking || j.nak || j.proven);
	assert_int_equal(j.lost, 0);
	assert_string_equal(j.server, "");
	assert_true(jar_wants(&j, 200 * S));
}

/* 10, 15, 22.5 ... seconds, but at most five days. */
static void
tries_in_vain_grow_rare(void **state)
{
	struct jar j = { 0 };
	double wait, want = 10;
	int64_t raw = S;
	int n;

	(void)state;
	jar_start(&j, raw, 0);
	for (n = 0; n < 100; n++) {
		assert_true(jar_wants(&j, raw));
		jar_asked(&j, raw);
		jar_failed(&j, raw, n % 2 ? 0.999 : 0);
		wait = seconds(j.due - raw);
		assert_true(wait >= want - 1e-6 && wait <= 1.25 * want);
		assert_false(jar_wants(&j, j.due - 1));
		raw = j.due;
		want = fmin(432000 / 1.25, want * 1.5);
		want = n >= 27 ? 432000 : want;
	}
	assert_int_equal(j.exchanges, 100);
}

/* A server whose exchange succeeds, but whose NTP does not come through, is not
 * asked for keys more often than one whose exchange fails. */
static void
only_an_authentic_reply_ends_the_waits(void **state)
{
	struct nts_grant g = grant("");
	struct jar j = { 0 };
	int64_t raw = S;

	(void)state;
	jar_start(&j, raw, 0);
	for (int n = 0; n < 10; n++) {
		jar_asked(&j, raw);
		jar_granted(&j, &g, 1, 2, raw, 0);
		for (; j.nts.cookies > 0; j.nts.cookies--)
			jar_sent(&j);
		raw = j.due;
		assert_true(jar_wants(&j, raw));
	}
	assert_true(raw > 1000 * S);
	jar_asked(&j, raw);
	jar_granted(&j, &g, 1, 2, raw, 0);
	jar_sent(&j);
	jar_heard(&j, NTS_OK);
	j.nts.cookies = 0;
	raw = j.due;
	jar_asked(&j, raw);
	jar_failed(&j, raw, 0);
	assert_true(j.due == raw + 10 * S);
}

static void
another_address_is_tried_at_once(void **state)
{
	struct jar j = full();
	struct address a = { .family = 4 };

	(void)state;
	j.address = a;
	jar_asked(&j, 200 * S);
	jar_failed(&j, 200 * S, 0);
	jar_start(&j, 200 * S, 0);
	assert_true(jar_wants(&j, 200 * S));
	assert_int_equal(j.nts.cookies, 0);
	assert_int_equal(j.address.family, 0);
	/* When all addresses have been tried, it waits. */
	jar_asked(&j, 200 * S);
	jar_failed(&j, 200 * S, 0);
	jar_start(&j, 200 * S, -1);
	assert_false(jar_wants(&j, 222 * S));
	assert_true(jar_wants(&j, 223 * S));
}

static void
ntp_goes_where_the_exchange_says(void **state)
{
	struct nts_grant g = grant("192.0.2.7");
	struct address found[2] = { { .family = 4, .bytes = { 1 } },
		{ .family = 4, .bytes = { 2 } } };
	struct jar j = { 0 };

	(void)state;
	jar_start(&j, S, 0);
	jar_asked(&j, S);
	g.port = 1123;
	jar_granted(&j, &g, 1, 2, S, 0);
	assert_true(jar_ready(&j));
	assert_int_equal(j.address.bytes[3], 7);
	assert_int_equal(j.port, 1123);
	/* A name is to be looked up first. */
	g = grant("ntp.example");
	jar_asked(&j, S);
	jar_granted(&j, &g, 1, 2, S, 0);
	assert_string_equal(j.server, "ntp.example");
	assert_false(jar_ready(&j) || jar_wants(&j, 999 * S));
	jar_found(&j, found, 2);
	assert_true(jar_ready(&j));
	assert_int_equal(j.address.bytes[0], 1);
	jar_asked(&j, S);
	jar_granted(&j, &g, 1, 2, S, 0);
	/* Meanwhile an old cookie may have brought a reply. */
	jar_heard(&j, NTS_OK);
	jar_found(&j, found, 2);
	assert_true(jar_ready(&j) && j.address.bytes[0] >= 1);
	j.nts.cookies = 0;
	jar_asked(&j, 20 * S);
	jar_granted(&j, &g, 1, 2, 20 * S, 0);
	jar_found(&j, NULL, 0);
	assert_false(jar_ready(&j));
	assert_true(jar_wants(&j, 999 * S));
}

/* No address of one host: then the one that was asked will do. */
static void
odd_addresses_of_ntp_are_not_used(void **state)
{
	static const char *const odd[] = { "0.0.0.0", "224.0.0.1", "::",
		"255.255.255.255" };

	(void)state;
	for (size_t i = 0; i < LEN(odd); i++) {
		struct nts_grant g = grant(odd[i]);
		struct jar j = { 0 };

		jar_asked(&j, S);
		jar_granted(&j, &g, 1, 2, S, 0);
		assert_int_equal(j.address.family, 0);
		assert_true(jar_ready(&j));
	}
}

/* A hundred machines start at once and find no server; then it comes back. */
static void
a_fleet_spreads_its_exchanges(void **state)
{
	static struct jar fleet[100];
	static int begun[4000]; /* in each tenth of a second */
	uint64_t seed = 7;
	int most = 0;

	(void)state;
	for (size_t i = 0; i < LEN(fleet); i++)
		jar_start(&fleet[i], 0, jar_wait(2, uniform(&seed)));
	for (int t = 0; t < 4000; t++) {
		int64_t raw = later(0, t / 10.0);

		for (size_t i = 0; i < LEN(fleet); i++)
			if (jar_wants(&fleet[i], raw)) {
				jar_asked(&fleet[i], raw);
				jar_failed(&fleet[i], raw, uniform(&seed));
				begun[t]++;
			}
		most = begun[t] > most ? begun[t] : most;
		if (t > 1000) /* three minutes: they are far apart */
			assert_true(begun[t] <= 6);
	}
	assert_true(most <= 20);
	/* The clock does not wait for that. */
	assert_true(jar_wait(0, 0.9) == 0 && jar_wait(1, 0.9) == 0);
	assert_true(jar_wait(2, 0.9) == 1.8);
}

static void
a_new_network_is_tried_now_but_not_all_the_time(void **state)
{
	struct jar j = { 0 };
	int64_t raw = S;
	int n = 0;

	(void)state;
	jar_start(&j, raw, 0);
	for (int i = 0; i < 20; i++) {
		jar_asked(&j, raw);
		jar_failed(&j, raw, 0);
		raw = j.due;
	}
	for (int i = 0; i < 8640; i++) { /* a cable that is loose for a day */
		raw = later(raw, 10);
		jar_hurry(&j, raw);
		if (jar_wants(&j, raw)) {
			jar_asked(&j, raw);
			jar_failed(&j, raw, 0);
			n++;
		}
	}
	assert_in_range(n, 90, 110);
	/* One that works is left alone. */
	j = full();
	jar_sent(&j);
	jar_heard(&j, NTS_OK);
	jar_hurry(&j, 105 * S);
	assert_true(j.due == 110 * S);
}

/* 30 days on a link that loses a fifth of all packets, with a server that has
 * new keys every day and is restarted without them each week. */
static void
a_month_of_losses_needs_few_exchanges(void **state)
{
	struct nts_grant g = grant("");
	struct jar j = { 0 };
	uint64_t seed = 11;
	int64_t raw, day = 0;
	int replies = 0, polls = 0;
	bool known = false;

	(void)state;
	jar_start(&j, 0, 0);
	for (raw = 0; raw < later(0, 30 * DAY); raw = later(raw, 256), polls++) {
		if (raw / (int64_t)(7 * DAY * S) != day) {
			day = raw / (int64_t)(7 * DAY * S);
			known = false;
		}
		if (jar_wants(&j, raw)) {
			jar_asked(&j, raw);
			if (uniform(&seed) < 0.2)
				jar_failed(&j, raw, uniform(&seed));
			else {
				jar_granted(&j, &g, 1, 2, raw, uniform(&seed));
				known = true;
			}
		}
		if (!jar_ready(&j))
			continue;
		j.nts.cookies--;
		jar_sent(&j);
		if (uniform(&seed) < 0.2 || uniform(&seed) < 0.2)
			continue;
		jar_heard(&j, known ? NTS_OK : NTS_NAK);
		replies += known;
		if (known)
			j.nts.cookies = NTS_COOKIES;
	}
	assert_true(replies > polls * 6 / 10);
	/* A third is lost, so four in a row are one in 60 requests. */
	assert_in_range(j.exchanges, 5, polls / 50);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_jar_is_not_renewed),
		cmocka_unit_test(an_empty_jar_is_renewed),
		cmocka_unit_test(nak_counts_unless_a_good_reply_comes),
		cmocka_unit_test(silence_is_taken_for_an_unknown_cookie),
		cmocka_unit_test(naks_of_strangers_cause_few_exchanges),
		cmocka_unit_test(another_server_begins_with_nothing),
		cmocka_unit_test(tries_in_vain_grow_rare),
		cmocka_unit_test(only_an_authentic_reply_ends_the_waits),
		cmocka_unit_test(another_address_is_tried_at_once),
		cmocka_unit_test(ntp_goes_where_the_exchange_says),
		cmocka_unit_test(odd_addresses_of_ntp_are_not_used),
		cmocka_unit_test(a_fleet_spreads_its_exchanges),
		cmocka_unit_test(a_new_network_is_tried_now_but_not_all_the_time),
		cmocka_unit_test(a_month_of_losses_needs_few_exchanges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
