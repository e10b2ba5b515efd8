/*
 * clock.c - who steers the clock when the configuration is read again.
 */
#include "clock.h"
#include "tests/test.h"

static struct clock stood_down;

static void
begin(void)
{
	stood_down = (struct clock){ .permission = CLOCK_YIELDED,
		.rival = { .owner = OWNER_YIELD, .yielded = true } };
}

/* What the other program has set is then answered as when it is gone. */
static void
who_need_not_yield_any_more_comes_back(void **state)
{
	static const enum clock_owner owner[] = { OWNER_IGNORE, OWNER_FIGHT };

	(void)state;
	for (size_t i = 0; i < LEN(owner); i++) {
		begin();
		clock_reload(&stood_down, owner[i]);
		assert_int_equal(stood_down.permission, CLOCK_MAY);
		assert_int_equal(stood_down.news, RIVAL_IS_GONE);
		assert_false(stood_down.rival.yielded);
	}
}

static void
who_shall_still_yield_does(void **state)
{
	(void)state;
	begin();
	clock_reload(&stood_down, OWNER_YIELD);
	assert_int_equal(stood_down.permission, CLOCK_YIELDED);
	assert_int_equal(stood_down.news, RIVAL_QUIET);
	assert_true(stood_down.rival.yielded);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_need_not_yield_any_more_comes_back),
		cmocka_unit_test(who_shall_still_yield_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
