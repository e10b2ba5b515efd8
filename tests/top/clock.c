/*
 * clock.c - who steers the clock when the configuration is read again, or when
 * the kernel cannot be read.
 */
#include <errno.h>
#include <sys/timex.h>

#include "clock.h"
#include "tests/test.h"

static struct timex kernel = { .tick = 10000 };
static bool unreadable; /* after the next write */
static int refusals;

/* In place of the C library's. */
int
adjtimex(struct timex *t)
{
	if (t->modes == ADJ_OFFSET_SS_READ || t->modes == 0) {
		if (refusals > 0) {
			refusals--;
			errno = EINVAL;
			return -1;
		}
		*t = kernel;
		t->offset = 0;
		return TIME_OK;
	}
	refusals = unreadable;
	kernel = *t;
	return TIME_OK;
}

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

/* What we wrote ourselves is not another's, although it could not be read. */
static void
orders_that_cannot_be_read_back_are_ours(void **state)
{
	struct clock c = { .permission = CLOCK_MAY };
	struct orders o = { .synced = true, .constant = 4 };

	(void)state;
	rival_start(&c.rival, OWNER_YIELD, 0, 0);
	for (int i = 0; i < 9; i++) {
		unreadable = i == 5;
		o.est_error = 1e-4 * i;
		assert_int_equal(clock_obey(&c, &o), 0);
		assert_int_equal(
		    clock_news(&c, c.rival.last.raw + 11 * NS_PER_S),
		    RIVAL_QUIET);
	}
	assert_int_equal(c.rival.seen, 0);
	kernel.freq++;
	assert_int_equal(clock_news(&c, c.rival.last.raw + 11 * NS_PER_S),
	    RIVAL_WROTE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_need_not_yield_any_more_comes_back),
		cmocka_unit_test(who_shall_still_yield_does),
		cmocka_unit_test(orders_that_cannot_be_read_back_are_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
