/*
 * tls.c - what tls.c promises the parent: a child's answer is looked at
 * like a stranger's.
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_answer_is_taken),
		cmocka_unit_test(impossible_answers_are_refused),
		cmocka_unit_test(stored_answers_are_as_wide_as_old),
		cmocka_unit_test(reason_is_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
