/*
 * state.c - what state.c promises: the frequency comes back, and what is no
 * frequency of a clock is refused.
 */
#include <errno.h>
#include <unistd.h>

#include "sys/file.h"
#include "sys/state.h"
#include "tests/test.h"

static char path[64];

static int
enter(void **state)
{
	(void)state;
	strcpy(path, "/tmp/ntpd-state-XXXXXX");
	return mkdtemp(path) == NULL || chdir(path) != 0;
}

static int
leave(void **state)
{
	(void)state;
	(void)remove("drift");
	return chdir("/") != 0 || rmdir(path) != 0;
}

static void
a_frequency_comes_back(void **state)
{
	char text[64];
	double freq = 0;

	(void)state;
	assert_int_equal(drift_write("drift", -12.345e-6), 0);
	assert_int_equal(file_text("drift", text, sizeof text), 0);
	assert_string_equal(text, "-12.345\n");
	assert_int_equal(drift_read("drift", &freq), 0);
	assert_true(fabs(freq + 12.345e-6) < 1e-12);
}

/* 0: it is read, in ppm; else errno. */
static const struct {
	const char *text;
	int error;
	double ppm;
} files[] = {
	{ "12.345\n", 0, 12.345 },
	{ "-0.5", 0, -0.5 },
	{ " \t+7 \r\n", 0, 7 },
	{ ".25\n", 0, 0.25 },
	{ "100000", 0, 1e5 },
	{ "100000.1", EINVAL, 0 },
	{ "-100000.1", EINVAL, 0 },
	{ "", ENODATA, 0 },
	{ " \n", ENODATA, 0 },
	{ "-", EINVAL, 0 },
	{ ".", EINVAL, 0 },
	{ "1.2.3", EINVAL, 0 },
	{ "1e3", EINVAL, 0 },
	{ "nan", EINVAL, 0 },
	{ "12 ppm", EINVAL, 0 },
};

static void
only_a_frequency_is_read(void **state)
{
	double freq;
	size_t i;

	(void)state;
	for (i = 0; i < LEN(files); i++) {
		const char *text = files[i].text;

		assert_int_equal(file_write("drift", text, strlen(text)), 0);
		errno = 0;
		if ((drift_read("drift", &freq) == 0) != (files[i].error == 0) ||
		    errno != files[i].error)
			fail_msg("'%s'", text);
		if (errno == 0 && fabs(freq * 1e6 - files[i].ppm) > 1e-9)
			fail_msg("'%s' is %f", text, freq * 1e6);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_frequency_comes_back, enter, leave),
		cmocka_unit_test_setup_teardown(
		    only_a_frequency_is_read, enter, leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
