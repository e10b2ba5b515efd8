/*
 * exchange.c - what exchange.c promises: both sides get the same secret, and
 * points that would give none are refused.
 */
#include "tests/tls/rfc8448.h"
#include "tls/exchange.h"

/* Random bytes of a fixed stream, or those of the RFC. */
static uint64_t seed = 1;
static const char *chosen;

static size_t
receive(void *of, uint8_t *bytes, size_t size)
{
	(void)of;
	(void)bytes;
	(void)size;
	return 0;
}

static bool
give(void *of, const uint8_t *bytes, size_t size)
{
	(void)of;
	(void)bytes;
	(void)size;
	return true;
}

static bool
dice(void *of, uint8_t *bytes, size_t size)
{
	(void)of;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(uniform(&seed) * 256);
	if (chosen != NULL)
		assert_int_equal(size, rfc(chosen, bytes));
	return true;
}

static bool
no_dice(void *of, uint8_t *bytes, size_t size)
{
	(void)of;
	(void)bytes;
	(void)size;
	return false;
}

static const struct record_io io = { NULL, receive, give, dice };

static void
both_sides_agree(void **state)
{
	(void)state;
	for (int i = 0; i < GROUPS; i++) {
		struct exchange a, b;
		uint8_t to_a[POINT_MOST], to_b[POINT_MOST];
		static struct records r;
		size_t size;

		record_begin(&r, &io);
		exchange_begin(&a, exchange_groups[i], &r);
		exchange_begin(&b, exchange_groups[i], &r);
		memcpy(to_a, b.point, b.size);
		memcpy(to_b, a.point, a.size);
		size = exchange_end(&a, to_a, b.size, &r);
		assert_true(size >= 32 && size <= 66);
		assert_int_equal(exchange_end(&b, to_b, a.size, &r), size);
		assert_memory_equal(to_a, to_b, size);
		assert_int_equal(r.fault, FAULT_NONE);
		for (size_t k = 0; k < sizeof a.scalar; k++)
			assert_int_equal(a.scalar[k], 0);
	}
}

static void
x25519_is_that_of_the_rfc(void **state)
{
	static struct records r;
	struct exchange e;
	uint8_t point[POINT_MOST];

	(void)state;
	record_begin(&r, &io);
	chosen = "client_x25519_private";
	exchange_begin(&e, GROUP_X25519, &r);
	chosen = NULL;
	assert_rfc("client_x25519_public", e.point, e.size);
	(void)rfc("server_x25519_public", point);
	assert_int_equal(exchange_end(&e, point, 32, &r), 32);
	assert_rfc("shared_secret", point, 32);
}

/* Ask with a point of theirs; it must be refused. */
static void
refuse(uint16_t group, const uint8_t *their, size_t size)
{
	static struct records r;
	struct exchange e;
	uint8_t point[POINT_MOST] = { 0 };

	record_begin(&r, &io);
	exchange_begin(&e, group, &r);
	memcpy(point, their, size);
	assert_int_equal(exchange_end(&e, point, size, &r), 0);
	assert_int_equal(r.fault, FAULT_SHARE);
}

static void
wrong_points_are_refused(void **state)
{
	/* Points of low order, which make every key's secret zero (RFC 7748
	 * §6.1): 0, 1, and p - 1. */
	uint8_t low[3][32] = { { 0 }, { 1 } }, point[POINT_MOST];

	(void)state;
	memset(low[2], 0xff, 32);
	low[2][0] = 0xec;
	low[2][31] = 0x7f;
	for (size_t i = 0; i < LEN(low); i++)
		refuse(GROUP_X25519, low[i], 32);
	for (int i = 0; i < GROUPS; i++) {
		static struct records r;
		struct exchange e;

		record_begin(&r, &io);
		exchange_begin(&e, exchange_groups[i], &r);
		refuse(e.group, e.point, e.size - 1);
		refuse(e.group, e.point, 0);
		memcpy(point, e.point, e.size);
		if (e.size < POINT_MOST) {
			point[e.size] = 0;
			refuse(e.group, point, e.size + 1);
		}
		if (e.group == GROUP_X25519)
			continue;
		point[e.size - 1] ^= 1; /* no longer on the curve */
		refuse(e.group, point, e.size);
		point[e.size - 1] ^= 1;
		point[0] = 2; /* compressed */
		refuse(e.group, point, e.size);
		memset(point, 0, sizeof point); /* infinity */
		refuse(e.group, point, e.size);
		refuse(e.group, point, 1);
	}
}

static void
without_random_numbers_there_is_no_key(void **state)
{
	static const struct record_io none = { NULL, receive, give, no_dice };
	static struct records r;
	struct exchange e;

	(void)state;
	record_begin(&r, &none);
	exchange_begin(&e, GROUP_X25519, &r);
	assert_int_equal(r.fault, FAULT_RANDOM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_agree),
		cmocka_unit_test(x25519_is_that_of_the_rfc),
		cmocka_unit_test(wrong_points_are_refused),
		cmocka_unit_test(without_random_numbers_there_is_no_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
