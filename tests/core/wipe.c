/*
 * wipe.c - what wipe.c promises: equal is what is equal, and wiped is zero.
 */
#include "core/wipe.h"
#include "tests/test.h"

static void
equal_is_only_what_is_equal(void **state)
{
	uint8_t a[16] = "abcdefghijklmno", b[16];

	(void)state;
	memcpy(b, a, sizeof b);
	assert_true(secret_same(a, b, sizeof a));
	for (int bit = 0; bit < 128; bit++) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(secret_same(a, b, sizeof a));
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void
wiped_is_zero(void **state)
{
	uint8_t a[9] = "12345678";

	(void)state;
	secret_wipe(a + 1, 7);
	assert_memory_equal(a, "1\0\0\0\0\0\0\0", 9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_is_only_what_is_equal),
		cmocka_unit_test(wiped_is_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
