/*
 * phc.c - how a hardware clock is read: the best way that the driver knows, and
 * the closest of five readings.  The test's ioctl(2) takes the place of the C
 * library's, so no device is needed.
 */
#include <errno.h>
#include <linux/ptp_clock.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "sys/instant.h"
#include "sys/phc.h"
#include "tests/test.h"

enum { PRECISE = 1, EXTENDED = 2, PLAIN = 4 };

/* What the device does. */
static struct {
	int ways;   /* that it knows */
	int asked;  /* ioctls so far */
	long width; /* ns: of the closest reading, the third of five */
	int64_t ahead; /* of the system clock, ns */
	int64_t odd;   /* s that it shows in any case; 0: the time */
	bool backwards;
} dev;

static struct ptp_clock_time
at(int64_t ns)
{
	return (struct ptp_clock_time){ .sec = ns / S,
		.nsec = (unsigned)(ns % S) };
}

/* Five readings, of which only the third is true. */
static void
fill(struct ptp_clock_time *t, int stride)
{
	int64_t now = clock_now(CLOCK_REALTIME);
	int64_t from = now - 200 * dev.width;

	for (int i = 0; i < 5; i++, t += stride) {
		int64_t width = i == 2 ? dev.width : 100 * dev.width;

		if (dev.backwards)
			width = -width;
		t[0] = at(from);
		t[1] = at(i == 2 ? from + width / 2 + dev.ahead : 12345 * S);
		t[2] = at(from += width);
	}
}

int ioctl(int fd, unsigned long request, ...);

int
ioctl(int fd, unsigned long request, ...)
{
	struct ptp_sys_offset_precise *p;
	va_list list;
	void *out;

	(void)fd;
	va_start(list, request);
	out = va_arg(list, void *);
	va_end(list);
	dev.asked++;
	switch (request) {
	case PTP_SYS_OFFSET_PRECISE:
		if (!(dev.ways & PRECISE))
			break;
		p = out;
		p->sys_monoraw = at(clock_now(CLOCK_MONOTONIC_RAW));
		p->device = at(clock_now(CLOCK_REALTIME) + dev.ahead);
		if (dev.odd != 0)
			p->device.sec = dev.odd;
		return 0;
	case PTP_SYS_OFFSET_EXTENDED:
		if (!(dev.ways & EXTENDED))
			break;
		assert_int_equal(*(unsigned *)out, 5);
		fill(((struct ptp_sys_offset_extended *)out)->ts[0], 3);
		return 0;
	case PTP_SYS_OFFSET:
		if (!(dev.ways & PLAIN))
			break;
		assert_int_equal(*(unsigned *)out, 5);
		fill(((struct ptp_sys_offset *)out)->ts, 2);
		return 0;
	default: fail_msg("ioctl %#lx", request);
	}
	errno = EOPNOTSUPP;
	return -1;
}

/* The error of a reading, s. */
static double
error_of(const struct sensed *r)
{
	struct instant now = clock_read();

	return seconds((r->time - r->raw) - (now.real - now.raw) - dev.ahead);
}

static void
each_way_gives_the_same_time(void **state)
{
	static const int ways[] = { PRECISE, EXTENDED, PLAIN };
	struct sensed r;

	(void)state;
	for (size_t i = 0; i < LEN(ways); i++) {
		struct phc p = { .fd = 3, .bound = -1 };

		memset(&dev, 0, sizeof dev);
		dev.ways = ways[i];
		dev.width = 1000;
		dev.ahead = 7200 * S;
		assert_int_equal(phc_read(&p, &r), 0);
		assert_true(fabs(error_of(&r)) < 0.05); /* a busy machine */
		assert_true(isnan(r.error));
		assert_int_equal(dev.asked, i + 1);
		/* The way that worked is tried first from then on. */
		assert_int_equal(phc_read(&p, &r), 0);
		assert_int_equal(dev.asked, i + 2);
	}
}

static void
a_time_that_fits_no_number_is_the_largest(void **state)
{
	static const int64_t odd[] = { INT64_MAX, INT64_MIN, -1, 9223372036 };
	struct phc p = { .fd = 3, .bound = -1 };
	struct sensed r;

	(void)state;
	for (size_t i = 0; i < LEN(odd); i++) {
		memset(&dev, 0, sizeof dev);
		dev.ways = PRECISE;
		dev.odd = odd[i];
		assert_int_equal(phc_read(&p, &r), 0);
		assert_true(r.time == INT64_MAX);
	}
}

static void
the_closest_of_five_counts_and_tells_the_width(void **state)
{
	struct phc p = { .fd = 3, .bound = -1 };
	struct sensed r;

	(void)state;
	memset(&dev, 0, sizeof dev);
	dev.ways = PLAIN | EXTENDED;
	dev.width = 4000;
	assert_int_equal(phc_read(&p, &r), 0);
	/* Nobody sets the clock here, but it may be slewed. */
	assert_true(r.width >= 4e-6 && r.width < 1e-3);
}

static void
a_device_that_fails_is_no_reading(void **state)
{
	struct phc p = { .fd = 3, .bound = -1 };
	struct sensed r;

	(void)state;
	memset(&dev, 0, sizeof dev);
	assert_int_equal(phc_read(&p, &r), -1);
	assert_int_equal(dev.asked, 3);
	dev.ways = PLAIN | EXTENDED;
	dev.width = 1000;
	dev.backwards = true; /* the clock was set meanwhile */
	assert_int_equal(phc_read(&p, &r), -1);
}

/* The file of the error bound is read anew each time, from its beginning. */
static void
the_error_bound_is_that_of_the_file(void **state)
{
	static const struct {
		const char *text;
		double error; /* s; -1: it is not known */
	} cases[] = {
		{ "21500\n", 21.5e-6 }, { "0\n", 0 }, { "", -1 }, { "x\n", -1 },
		{ "4294967295\n", -1 }, { "99999999999999999999999\n", -1 },
	};
	char path[] = "/tmp/phc-XXXXXX";
	struct phc p = { .fd = 3, .bound = mkstemp(path) };
	struct sensed r;

	(void)state;
	assert_true(p.bound >= 0);
	(void)unlink(path);
	memset(&dev, 0, sizeof dev);
	dev.ways = PRECISE;
	for (size_t i = 0; i < LEN(cases); i++) {
		size_t n = strlen(cases[i].text);

		assert_int_equal(ftruncate(p.bound, 0), 0);
		assert_int_equal(pwrite(p.bound, cases[i].text, n, 0), n);
		assert_int_equal(phc_read(&p, &r), 0);
		if (cases[i].error < 0)
			assert_true(isnan(r.error));
		else
			assert_true(fabs(r.error - cases[i].error) < 1e-12);
	}
	(void)close(p.bound);
}

static void
tai_is_ahead_by_37_or_more(void **state)
{
	(void)state;
	assert_in_range(phc_tai(), TAI_AHEAD, TAI_MOST);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_gives_the_same_time),
		cmocka_unit_test(a_time_that_fits_no_number_is_the_largest),
		cmocka_unit_test(the_closest_of_five_counts_and_tells_the_width),
		cmocka_unit_test(a_device_that_fails_is_no_reading),
		cmocka_unit_test(the_error_bound_is_that_of_the_file),
		cmocka_unit_test(tai_is_ahead_by_37_or_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
