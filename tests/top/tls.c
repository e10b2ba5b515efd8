/*
 * tls.c - what tls.c promises the parent: a child's answer is looked at like a
 * stranger's.  What it makes of servers is in tests/tls-cases.
 */
#include "core/constraint.h"
#include "tests/test.h"
#include "tls.h"

static const struct tls_answer good = {
	.said = TLS_DATE, .raw = 105 * S, .real = 1790000000 * S,
	.date = 1790000001 * S, .error = 0.75
};

static bool
sane(struct tls_answer a)
{
	return tls_sane(&a, 100 * S, 106 * S);
}

static void
good_answer_is_taken(void **state)
{
	struct constraint_answer c = tls_constraint_answer(&good);

	(void)state;
	assert_true(sane(good));
	assert_int_equal(c.raw, 105 * S);
	assert_int_equal(c.ahead, 1790000001 * S + 3 * S / 4 - 105 * S);
	assert_true(c.error == 0.75);
}

#define BAD(field, value) \
	do { \
		struct tls_answer a = good; \
\
		a.field = value; \
		if (sane(a)) \
			fail_msg("%s = %s", #field, #value); \
	} while (0)

static void
impossible_answers_are_refused(void **state)
{
	(void)state;
	BAD(said, TLS_SAYS);
	BAD(said, (enum tls_said)-1);
	BAD(raw, 100 * S - 1);		/* before it was asked */
	BAD(raw, 106 * S + 1);		/* later than now */
	BAD(date, -1);
	BAD(date, INT64_MAX);		/* no room for the error */
	BAD(real, INT64_MIN);		/* nor for a difference */
	BAD(error, 0.49);
	BAD(error, 11);
	BAD(error, NAN);
	BAD(error, INFINITY);
}

/* A cache's answer is as wide as it is old; without an age it is none. */
static void
stored_answers_are_as_wide_as_old(void **state)
{
	struct tls_answer a = good;

	(void)state;
	a.said = TLS_STORED;
	a.error = 43200;
	assert_true(sane(a));
	a.error = 0;
	a.date = -1;
	assert_true(sane(a));
	a = good;
	a.said = TLS_STORED;
	a.error = 20000000;
	assert_false(sane(a));
	a.error = NAN;
	assert_false(sane(a));
	a.error = 43200;
	a.date = INT64_MAX - 43200 * NS_PER_S;
	assert_false(sane(a));
}

static void
reason_is_text(void **state)
{
	struct tls_answer a = { .said = TLS_READ };

	(void)state;
	memset(a.reason, 'x', sizeof a.reason);
	a.reason[0] = '\n';
	a.reason[1] = '\x1b';
	a.reason[2] = '\xff';
	assert_true(tls_sane(&a, 0, 0));
	assert_int_equal(strlen(a.reason), sizeof a.reason - 1);
	assert_memory_equal(a.reason, "???x", 4);
}

static struct tls_keys
keys(void)
{
	struct tls_keys k = { .ok = true, .from = 1, .until = 2 };

	k.grant.port = 123;
	k.grant.nts.cookies = NTS_COOKIES;
	for (int i = 0; i < NTS_COOKIES; i++)
		k.grant.nts.size[i] = (uint16_t)(i + 1);
	(void)strcpy(k.grant.server, "ntp.example.com");
	return k;
}

static void
good_keys_are_taken(void **state)
{
	struct tls_keys k = keys();

	(void)state;
	assert_true(tls_keys_sane(&k) && k.ok);
	memset(k.grant.server, 'a', NTS_SERVER_MOST);
	k.grant.nts.size[7] = NTS_COOKIE_MOST;
	k.grant.nts.cookies = 1;
	k.grant.nts.size[1] = 9999; /* of a cookie that is not there */
	assert_true(tls_keys_sane(&k) && k.ok);
	k = keys();
	k.grant.server[0] = '\0';
	assert_true(tls_keys_sane(&k) && k.ok);
}

#define BAD_KEYS(change) \
	do { \
		struct tls_keys k = keys(); \
\
		change; \
		if (tls_keys_sane(&k)) \
			fail_msg("%s", #change); \
	} while (0)

static void
impossible_keys_are_refused(void **state)
{
	(void)state;
	BAD_KEYS(memset(&k.ok, 2, 1));
	BAD_KEYS(k.grant.port = 0);
	BAD_KEYS(k.grant.nts.cookies = 0);
	BAD_KEYS(k.grant.nts.cookies = NTS_COOKIES + 1);
	BAD_KEYS(k.grant.nts.cookies = INT32_MIN);
	BAD_KEYS(k.grant.nts.cookies = INT32_MAX);
	BAD_KEYS(k.grant.nts.size[7] = NTS_COOKIE_MOST + 1);
	BAD_KEYS(k.grant.nts.size[0] = 0);
	BAD_KEYS(memset(k.grant.server, 'a', sizeof k.grant.server));
	BAD_KEYS(k.grant.server[3] = '\n');
	BAD_KEYS(k.grant.server[3] = ' ');
	BAD_KEYS(k.grant.server[3] = '\x9b');
}

/* Nothing else of it matters, and its reason is text. */
static void
failed_exchange_is_taken(void **state)
{
	struct tls_keys k;

	(void)state;
	memset(&k, 0xff, sizeof k);
	memset(&k.ok, 0, 1);
	assert_true(tls_keys_sane(&k));
	assert_false(k.ok);
	assert_int_equal(strspn(k.reason, "?"), sizeof k.reason - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_answer_is_taken),
		cmocka_unit_test(impossible_answers_are_refused),
		cmocka_unit_test(stored_answers_are_as_wide_as_old),
		cmocka_unit_test(reason_is_text),
		cmocka_unit_test(good_keys_are_taken),
		cmocka_unit_test(impossible_keys_are_refused),
		cmocka_unit_test(failed_exchange_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
