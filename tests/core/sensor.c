/*
 * sensor.c - which readings of a hardware clock are believed, in which time
 * scale they are, and which clock a name means.
 */
#include "core/sensor.h"
#include "tests/test.h"

#define RAW (5000 * S)
#define NOW (1795000000 * S)
#define BUILD (1790000000 * S)

static const struct bound bound = { .earliest = BUILD };

static struct sensor
fresh(void)
{
	return (struct sensor){ .error = 0.005,
		.last = { .raw = INT64_MIN / 2 } };
}

/* A reading that is "off" by so many seconds, t seconds later. */
static struct sensed
reading(double off, double t)
{
	return (struct sensed){ .raw = RAW + ns(t), .time = NOW + ns(t + off),
		.width = 1e-6, .error = NAN };
}

static enum sensor_said
judge(struct sensor *s, struct sensed r, struct sample *out)
{
	return sensor_judge(s, &r, &bound, false, out);
}

static void
a_reading_is_a_sample_of_utc(void **state)
{
	struct sensor s = fresh();
	struct sample out;
	struct sensed r = reading(0, 0);

	(void)state;
	s.correction = 70000000;
	assert_int_equal(judge(&s, r, &out), SENSOR_GOOD);
	assert_int_equal(out.raw, RAW);
	assert_int_equal(out.ahead, NOW - RAW + 70000000);
	assert_true(out.delay == 1e-6 && out.error == 0.005);
	s.tai = 37;
	r = reading(37, 1);
	r.error = 30e-6; /* the device knows better */
	assert_int_equal(judge(&s, r, &out), SENSOR_GOOD);
	assert_int_equal(out.ahead, NOW - RAW + 70000000);
	assert_true(out.error == 30e-6);
	assert_int_equal(s.readings, 2);
	assert_int_equal(s.failures, 0);
}

static void
nonsense_is_no_sample(void **state)
{
	struct sensor s = fresh();
	struct sample out;
	struct sensed r;

	(void)state;
	assert_int_equal(sensor_judge(&s, NULL, &bound, false, &out),
	    SENSOR_UNREAD);
	r = reading(0, 0);
	r.time = 3 * S; /* 1970, where a card begins that nobody sets */
	assert_int_equal(judge(&s, r, &out), SENSOR_BUILD);
	r.time = INT64_MAX;
	assert_int_equal(judge(&s, r, &out), SENSOR_BUILD);
	r.time = INT64_MIN;
	assert_int_equal(judge(&s, r, &out), SENSOR_BUILD);
	r = reading(0, 0);
	r.width = 0.2; /* interrupted */
	assert_int_equal(judge(&s, r, &out), SENSOR_WIDE);
	r.width = NAN;
	assert_int_equal(judge(&s, r, &out), SENSOR_WIDE);
	r.width = -1;
	assert_int_equal(judge(&s, r, &out), SENSOR_WIDE);
	r = reading(0, 0);
	r.error = 2; /* it admits too much */
	assert_int_equal(judge(&s, r, &out), SENSOR_WIDE);
	s.tai = 37; /* with the correction it is before the build */
	r.error = NAN;
	r.time = BUILD + 10 * S;
	assert_int_equal(judge(&s, r, &out), SENSOR_BUILD);
	assert_int_equal(s.failures, s.readings);
}

static void
a_clock_that_stands_still_is_frozen(void **state)
{
	struct sensor s = fresh();
	struct sample out;

	(void)state;
	assert_int_equal(judge(&s, reading(0, 0), &out), SENSOR_GOOD);
	assert_int_equal(judge(&s, reading(-4, 4), &out), SENSOR_FROZEN);
	assert_int_equal(judge(&s, reading(-8, 8), &out), SENSOR_FROZEN);
	assert_int_equal(judge(&s, reading(0, 12), &out), SENSOR_GOOD);
	/* Two readings may follow each other at once. */
	assert_int_equal(judge(&s, reading(-1e-5, 12 + 1e-5), &out),
	    SENSOR_GOOD);
}

static void
constraints_judge_it_unless_it_is_trusted(void **state)
{
	struct sensor s = fresh();
	struct bound b = { .earliest = BUILD, .wanted = true, .votes = 1,
		.raw = RAW, .ahead = NOW - RAW, .error = 120 };
	struct sensed r = reading(300, 0);
	struct sample out;

	(void)state;
	assert_int_equal(sensor_judge(&s, &r, &b, false, &out), SENSOR_BOUND);
	r.raw++;
	assert_int_equal(sensor_judge(&s, &r, &b, true, &out), SENSOR_GOOD);
	r = reading(100, 1);
	assert_int_equal(sensor_judge(&s, &r, &b, false, &out), SENSOR_GOOD);
}

static void
tai_is_told_by_what_else_is_known(void **state)
{
	struct sensor s = fresh();
	struct known k = { NOW - RAW, HUGE_VAL };
	struct sensed r = reading(37.01, 0);

	(void)state;
	assert_false(sensor_scale(&s, &r, &k, 37)); /* nothing is known */
	k.error = 20; /* too little is */
	assert_false(sensor_scale(&s, &r, &k, 37));
	k.error = 0.5;
	assert_true(sensor_scale(&s, &r, &k, 37));
	assert_int_equal(s.tai, 37);
	assert_false(sensor_scale(&s, &r, &k, 37)); /* no news */
	r = reading(20, 1); /* it is neither: leave it */
	assert_false(sensor_scale(&s, &r, &k, 37));
	assert_int_equal(s.tai, 37);
	r = reading(-0.2, 2);
	assert_true(sensor_scale(&s, &r, &k, 37));
	assert_int_equal(s.tai, 0);
	/* What the configuration says is not asked again. */
	s.tai_told = true;
	s.tai = 37;
	assert_false(sensor_scale(&s, &r, &k, 37));
	assert_int_equal(s.tai, 37);
}

static void
a_jump_is_more_than_any_clock_drifts(void **state)
{
	struct source s = { .weight = 1, .poll_least = 4, .poll_most = 16 };
	struct sample sample = { .raw = RAW, .ahead = NOW - RAW,
		.delay = 1e-6, .error = 0.005 };
	int i;

	(void)state;
	source_start(&s, &(struct address){ 0 }, RAW, 0, 0, 100e-6);
	assert_true(sensor_jump(&s, &sample) == 0); /* the first one */
	for (i = 0; i < 5; i++) {
		sample.raw = RAW + i * 4 * S;
		source_sensed(&s, &sample, 0.5);
	}
	assert_true(s.due - sample.raw >= 4 * S);
	assert_true(s.due - sample.raw <= 17 * S);
	sample.raw += 16 * S;
	sample.ahead += S / 2;
	assert_true(sensor_jump(&s, &sample) == 0);
	sample.ahead += 7200 * S;
	assert_true(fabs(sensor_jump(&s, &sample) - 7200.5) < 0.1);
	sample.ahead -= 14400 * S;
	assert_true(fabs(sensor_jump(&s, &sample) + 7199.5) < 0.1);
}

static void
a_sensor_that_cannot_be_read_is_asked_less_and_is_no_candidate(void **state)
{
	struct source s = { .weight = 1, .poll_least = 4, .poll_most = 16 };
	struct sample sample = { .raw = RAW, .ahead = NOW - RAW,
		.delay = 1e-6, .error = 0.005 };
	struct candidate c;
	int i;

	(void)state;
	source_start(&s, &(struct address){ 0 }, RAW, 0, 0, 100e-6);
	source_sensed(&s, &sample, 0.5);
	assert_true(source_candidate(&s, RAW, &c));
	assert_true(c.distance >= 0.005 && c.stratum == 0);
	for (i = 0; i < 8; i++)
		source_unsensed(&s, SAID_ALARM, s.due);
	assert_true(s.interval == 16);
	assert_false(source_candidate(&s, s.due, &c));
}

static void
names_mean_devices_or_clocks(void **state)
{
	static const char kvm[] = "KVM virtual PTP";
	(void)state;

	assert_true(sensor_named("ptp0", "ptp0", kvm));
	assert_true(sensor_named("/dev/ptp0", "ptp0", ""));
	assert_false(sensor_named("ptp1", "ptp0", kvm));
	assert_false(sensor_named("ptp1", "ptp10", kvm));
	assert_true(sensor_named("KVM virtual PTP", "ptp0", kvm));
	assert_true(sensor_named("ptp_kvm", "ptp0", kvm));
	assert_true(sensor_named("kvm", "ptp0", kvm));
	assert_true(sensor_named("hyperv", "ptp3", "hyperv"));
	assert_true(sensor_named("/dev/ptp_hyperv", "ptp3", "hyperv"));
	assert_true(sensor_named("ena", "ptp0", "ena-ptp-05"));
	assert_true(sensor_named("/dev/ptp_ena", "ptp0", "ena-ptp-05"));
	assert_true(sensor_named("ptp_vmw", "ptp0", "ptp_vmw"));
	assert_true(sensor_named("vmclock", "ptp0", "vmclock0"));
	assert_false(sensor_named("hyperv", "ptp0", kvm));
	assert_false(sensor_named("nmea0", "ptp0", ""));
	assert_false(sensor_named("ptp_", "ptp0", kvm));
	assert_false(sensor_named("KVM virtual PTP 2", "ptp0", kvm));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reading_is_a_sample_of_utc),
		cmocka_unit_test(nonsense_is_no_sample),
		cmocka_unit_test(a_clock_that_stands_still_is_frozen),
		cmocka_unit_test(constraints_judge_it_unless_it_is_trusted),
		cmocka_unit_test(tai_is_told_by_what_else_is_known),
		cmocka_unit_test(a_jump_is_more_than_any_clock_drifts),
		cmocka_unit_test(
		    a_sensor_that_cannot_be_read_is_asked_less_and_is_no_candidate),
		cmocka_unit_test(names_mean_devices_or_clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
