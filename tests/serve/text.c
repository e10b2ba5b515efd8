/*
 * text.c - words and numbers in a buffer.
 */
#include "serve/text.h"
#include "tests/test.h"

static char buf[64];

static struct text
empty(void)
{
	memset(buf, 0, sizeof buf);
	return (struct text){ buf, sizeof buf - 1, 0 };
}

/* The C library is the judge of the rounding, where it is not a tie. */
static void
numbers_are_those_of_printf(void **state)
{
	uint32_t x = 20200303;

	(void)state;
	for (int n = 0; n < 100000; n++) {
		struct text t = empty();
		char want[64];
		double v;

		x = x * 1664525 + 1013904223;
		v = ldexp((double)(int32_t)x, -(int)(x >> 9 & 63));
		if (fabs(fabs(v * 1e3 - trunc(v * 1e3)) - 0.5) < 1e-3)
			continue;
		snprintf(want, sizeof want, "%12.3f", v);
		text_real(&t, v, 3, 12);
		assert_string_equal(buf, want);
		assert_int_equal(t.used, strlen(want));
	}
}

static void
numbers_at_their_ends(void **state)
{
	static const struct {
		double v;
		int decimals, width;
		const char *want;
	} row[] = {
		{ 0, 0, 0, "0" },
		{ -0.0, 3, 0, "-0.000" },
		{ 0.9996, 3, 0, "1.000" },
		{ 1e-15, 15, 0, "0.000000000000001" },
		{ 123, 0, 5, "  123" },
		{ 12345, 0, 3, "12345" },
		{ 0x1p53, 2, 0, "9007199254740992.00" },
		{ 0x1p64, 1, 0, "18446744073709551615.0" },
		{ -1e300, 0, 0, "-18446744073709551615" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(row); i++) {
		struct text t = empty();

		text_real(&t, row[i].v, row[i].decimals, row[i].width);
		assert_string_equal(buf, row[i].want);
	}
}

static void
values_have_no_zeros_at_their_end(void **state)
{
	static const struct {
		double v;
		int decimals;
		const char *want;
	} row[] = {
		{ 0, 9, "0" },
		{ -0.0, 9, "0" },
		{ -1e-10, 9, "0" },
		{ 1.5, 9, "1.5" },
		{ 100, 9, "100" },
		{ -0.0000005, 9, "-0.0000005" },
		{ 0.375, 3, "0.375" },
		{ 1, 9, "1" },
		{ -20, 9, "-20" },
		{ 0.125, 9, "0.125" },
		{ -0.125, 9, "-0.125" },
		{ 4e-10, 9, "0" },
		{ 6e-10, 9, "0.000000001" },
		{ -4e-10, 9, "0" },
		{ 0.9999999996, 9, "1" },
		{ 19.9999999996, 9, "20" },
		{ 4e-10, 15, "0.0000000004" },
		{ 0.9999999996, 15, "0.9999999996" },
		{ 19.9999999996, 15, "19.9999999996" },
		{ 9007199254740991, 15, "9007199254740991" },
		{ 4503599627370495.5, 9, "4503599627370495.5" },
		{ 4503599627370495.5, 15, "4503599627370495.5" },
		{ 0x1p53, 15, "9007199254740992" },
		{ 0x1p63, 15, "9223372036854775808" },
		{ 0x1p64, 9, "18446744073709551615" },
		{ 0x1p64, 15, "18446744073709551615" },
		{ -1e300, 9, "-18446744073709551615" },
		{ -1e300, 15, "-18446744073709551615" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(row); i++) {
		struct text t = empty();

		text_value(&t, row[i].v, row[i].decimals);
		assert_string_equal(buf, row[i].want);
	}
}

static void
whole_numbers_have_all_their_digits(void **state)
{
	struct text t = empty();

	(void)state;
	text_count(&t, UINT64_MAX, 22);
	text_char(&t, ' ');
	text_int(&t, INT64_MIN);
	assert_string_equal(
	    buf, "  18446744073709551615 -9223372036854775808");
	t = empty();
	text_int(&t, INT64_MAX);
	text_char(&t, ' ');
	text_int(&t, -5);
	text_char(&t, ' ');
	text_int(&t, 10);
	text_char(&t, ' ');
	text_int(&t, 0);
	assert_string_equal(buf, "9223372036854775807 -5 10 0");
	t = empty();
	text_time(&t, 1700000000000000001);
	text_char(&t, ' ');
	text_time(&t, -1);
	text_char(&t, ' ');
	text_count(&t, 0, 1);
	assert_string_equal(buf, "1700000000.000000001 0.000000000 0");
}

static void
points_in_time_have_nine_decimals(void **state)
{
	static const struct {
		int64_t ns;
		const char *want;
	} row[] = {
		{ 0, "0.000000000" },
		{ 1, "0.000000001" },
		{ 999999999, "0.999999999" },
		{ 1000000000, "1.000000000" },
		{ INT64_MAX, "9223372036.854775807" },
		{ -1, "0.000000000" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(row); i++) {
		struct text t = empty();

		text_time(&t, row[i].ns);
		assert_string_equal(buf, row[i].want);
	}
}

static void
text_from_outside_stays_in_its_place(void **state)
{
	struct text t = empty();

	(void)state;
	text_clean(&t, "a\n\x1b\x7f\x80~ \"\\");
	text_put(&t, "|");
	text_quoted(&t, "a\n\x1b\x7f\x80~ \"\\");
	assert_string_equal(buf, "a????~ \"\\|\"a????~ \\\"\\\\\"");
}

static void
what_does_not_fit_is_counted(void **state)
{
	char small[4] = "....";
	struct text t = { small, 3, 0 }, none = { NULL, 0, 0 };

	(void)state;
	text_put(&t, "ab");
	text_put(&t, "cdef");
	text_char(&t, 'g');
	assert_memory_equal(small, "abc.", 4);
	assert_int_equal(t.used, 7);
	text_count(&none, 12345, 1);
	assert_int_equal(none.used, 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_those_of_printf),
		cmocka_unit_test(numbers_at_their_ends),
		cmocka_unit_test(values_have_no_zeros_at_their_end),
		cmocka_unit_test(whole_numbers_have_all_their_digits),
		cmocka_unit_test(points_in_time_have_nine_decimals),
		cmocka_unit_test(text_from_outside_stays_in_its_place),
		cmocka_unit_test(what_does_not_fit_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
