/*
 * instant.c - what instant.c promises: both clocks of a pair are read at one time.
 */
#include "sys/instant.h"
#include "tests/test.h"

static void
a_timespec_is_nanoseconds(void **state)
{
	const struct timespec t = { 1790000000, 999999999 };

	(void)state;
	assert_int_equal(nanoseconds(&t), 1790000000999999999);
}

static void
both_clocks_are_read_at_one_time(void **state)
{
	int64_t real = clock_now(CLOCK_REALTIME);
	int64_t raw = clock_now(CLOCK_MONOTONIC_RAW);
	struct instant now = clock_read();

	(void)state;
	assert_true(now.raw >= raw && now.raw <= clock_now(CLOCK_MONOTONIC_RAW));
	assert_true(now.real >= real && now.real <= clock_now(CLOCK_REALTIME));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timespec_is_nanoseconds),
		cmocka_unit_test(both_clocks_are_read_at_one_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
