/*
 * sensors.c - what stays of the hardware clocks when the configuration is read
 * again.
 *
 * The machine has one device, which is right.
 */
#include <errno.h>
#include <math.h>

#include "core/build.h"
#include "sensors.h"
#include "tests/test.h"

#define TRUTH (1900000000LL * S) /* real time at raw 0 */

static int64_t raw;
static struct conf_sensor line;
static struct conf conf = { .sensor = &line, .sensors = 1 };
static struct bound bound;
static struct sensors all;

void
log_line(enum log_class class, const char *format, ...)
{
	(void)class;
	(void)format;
}

int
phc_open(struct phc *p, int n)
{
	*p = (struct phc){ .device = "ptp0", .fd = -1, .bound = -1 };
	errno = ENOENT;
	return n == 0 ? 0 : -1;
}

void
phc_close(struct phc *p)
{
	(void)p;
}

int
phc_read(struct phc *p, struct sensed *r)
{
	(void)p;
	*r = (struct sensed){ .raw = raw, .time = TRUTH + raw, .error = NAN };
	return 0;
}

int
phc_tai(void)
{
	return TAI_AHEAD;
}

static void
read_for(double s)
{
	for (int64_t end = later(raw, s); raw < end; raw = later(raw, 1))
		sensors_turn(&all, raw);
}

/* A trusted device has been read for long. */
static void
begin(void)
{
	raw = 5000 * S;
	memset(&all, 0, sizeof all);
	line = (struct conf_sensor){ .device = "ptp0", .error = SENSOR_ERROR,
		.weight = 1, .stratum = 1, .trusted = true };
	all.conf = &conf;
	bound.earliest = EARLIEST;
	all.bound = &bound;
	all.told.freq_sd = 1e-6;
	all.told.known.error = HUGE_VAL;
	sensors_open(&all, raw);
	assert_int_equal(all.sensors, 1);
	read_for(100);
	assert_true(all.source[0].replies > 3);
}

static void
another_correction_is_no_jump_of_the_time(void **state)
{
	(void)state;
	begin();
	line.correction = 3000000;
	sensors_reload(&all, raw);
	read_for(100);
	assert_true(all.wish.jumped == 0);
	assert_int_equal(all.source[0].sample.ahead, TRUTH + 3 * S);
}

static void
another_time_scale_is_no_jump_of_the_time(void **state)
{
	(void)state;
	begin();
	line.tai = true;
	sensors_reload(&all, raw);
	read_for(100);
	assert_true(all.wish.jumped == 0);
	assert_int_equal(all.source[0].sample.ahead, TRUTH - TAI_AHEAD * S);
}

static void
a_device_that_stays_as_it_was_keeps_its_samples(void **state)
{
	struct filter filter;

	(void)state;
	begin();
	filter = all.source[0].filter;
	line.weight = 2;
	sensors_reload(&all, raw);
	assert_memory_equal(&all.source[0].filter, &filter, sizeof filter);
	assert_true(all.source[0].weight == 2);
	assert_true(all.source[0].reach != 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_correction_is_no_jump_of_the_time),
		cmocka_unit_test(another_time_scale_is_no_jump_of_the_time),
		cmocka_unit_test(
		    a_device_that_stays_as_it_was_keeps_its_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
