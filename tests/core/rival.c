/*
 * rival.c - another program that steers the clock is noticed, named, and left
 * alone; and one that does not is not suspected.
 */
#include <sys/timex.h>

#include "core/rival.h"
#include "tests/test.h"

#define RAW0 (100 * S)
#define MINUTE 60
#define HOUR 3600

/* ----------------------------------------------------- a kernel that is fake */

static struct words kernel;

/* Let the time pass in steps of a second, as the kernel's sums do. */
static void
pass(int s)
{
	for (; s > 0; s--) {
		long share = kernel.offset >> (2 + kernel.constant);

		kernel.raw += S;
		kernel.offset -= kernel.offset > 0 && share == 0 ? 1 : share;
		kernel.left -= kernel.left > 500  ? 500 :
		    kernel.left < -500		  ? -500 :
						    kernel.left;
		kernel.max_error += 500;
		if (kernel.max_error >= 16000000) {
			kernel.max_error = 16000000;
			kernel.status |= STA_UNSYNC;
		}
	}
}

/* adjtimex(2), as far as it concerns us. */
static void
adjust(const struct timex *t)
{
	unsigned modes = t->modes;

	if (modes == ADJ_OFFSET_SINGLESHOT) {
		kernel.left = t->offset;
		return;
	}
	if (modes & ADJ_SETOFFSET) {
		kernel.offset = 0;
		kernel.status |= STA_UNSYNC;
		kernel.max_error = kernel.est_error = 16000000;
	}
	if (modes & ADJ_STATUS) {
		kernel.status = (kernel.status & STA_NANO) | t->status;
		if (!(kernel.status & STA_PLL))
			kernel.status &= ~STA_NANO;
	}
	if (modes & ADJ_NANO)
		kernel.status |= STA_NANO;
	if (modes & ADJ_MICRO)
		kernel.status &= ~STA_NANO;
	if (modes & ADJ_FREQUENCY)
		kernel.freq = t->freq;
	if (modes & ADJ_MAXERROR)
		kernel.max_error = t->maxerror;
	if (modes & ADJ_ESTERROR)
		kernel.est_error = t->esterror;
	if (modes & ADJ_TIMECONST)
		kernel.constant = t->constant;
	if (modes & ADJ_OFFSET && kernel.status & STA_PLL)
		kernel.offset = t->offset;
	if (modes & ADJ_TICK)
		kernel.tick = t->tick;
}

/* ------------------------------------------------ those who write, and how */

/* Our own orders. */
static void
order(struct rival *r)
{
	static long est;

	est = est % 900 + 7;
	adjust(&(struct timex){
	    .modes = ADJ_NANO | ADJ_STATUS | ADJ_FREQUENCY | ADJ_TICK |
		ADJ_OFFSET | ADJ_TIMECONST | ADJ_MAXERROR | ADJ_ESTERROR,
	    .status = STA_PLL | STA_FREQHOLD, .tick = 10000, .constant = 4,
	    .freq = rival_mark(r, 37 << 16, kernel.raw), .offset = 200000,
	    .maxerror = 20000, .esterror = est });
	rival_wrote(r, &kernel);
}

static void
chronyd(void)
{
	static long est;

	est = est % 900 + 31;
	adjust(&(struct timex){ .modes = ADJ_TICK | ADJ_FREQUENCY,
	    .tick = 10000, .freq = (36 << 16) + est });
	adjust(&(struct timex){ .modes = ADJ_STATUS | ADJ_ESTERROR | ADJ_MAXERROR,
	    .esterror = est, .maxerror = 31000 });
}

static void
chronyd_without_rtcsync(void)
{
	adjust(&(struct timex){ .modes = ADJ_STATUS | ADJ_ESTERROR | ADJ_MAXERROR,
	    .status = STA_UNSYNC, .esterror = 16000000, .maxerror = 16000000 });
}

static void
timesyncd(void)
{
	adjust(&(struct timex){
	    .modes = ADJ_STATUS | ADJ_NANO | ADJ_OFFSET | ADJ_TIMECONST |
		ADJ_MAXERROR | ADJ_ESTERROR,
	    .status = STA_PLL, .offset = 310000, .constant = 5 });
}

static void
ntp_org(void)
{
	adjust(&(struct timex){
	    .modes = ADJ_NANO | ADJ_OFFSET | ADJ_MAXERROR | ADJ_ESTERROR |
		ADJ_STATUS | ADJ_TIMECONST,
	    .status = STA_PLL, .offset = -90000, .constant = 6,
	    .maxerror = 41000, .esterror = 55 });
}

static void
openntpd(void)
{
	adjust(&(struct timex){ .modes = ADJ_OFFSET_SINGLESHOT, .offset = 3000 });
	adjust(&(struct timex){ .modes = ADJ_STATUS | ADJ_MAXERROR });
}

static void
busybox(void)
{
	adjust(&(struct timex){
	    .modes = ADJ_OFFSET | ADJ_STATUS | ADJ_TIMECONST | ADJ_MICRO |
		ADJ_MAXERROR | ADJ_ESTERROR,
	    .status = STA_PLL, .offset = 400, .constant = 6,
	    .maxerror = 3000, .esterror = 70 });
}

static void
adjtime_alone(void)
{
	adjust(&(struct timex){ .modes = ADJ_OFFSET_SINGLESHOT,
	    .offset = 90000 });
}

static void
phc2sys(void)
{
	static long freq;

	freq = freq % 5000 + 17;
	adjust(&(struct timex){ .modes = ADJ_FREQUENCY, .freq = freq });
}

/* Once its servo is locked. */
static void
phc2sys_locked(void)
{
	phc2sys();
	adjust(&(struct timex){ .modes = ADJ_STATUS | ADJ_MAXERROR });
}

static void
tick_of_vmware(void)
{
	adjust(&(struct timex){ .modes = ADJ_TICK, .tick = 10003 });
}

static void
pll_of_vmware(void)
{
	adjust(&(struct timex){ .modes = ADJ_OFFSET | ADJ_MAXERROR |
		ADJ_ESTERROR, .offset = 900 });
}

static void
date_s(void)
{
	adjust(&(struct timex){ .modes = ADJ_SETOFFSET });
}

/* Another one as we, that is this old. */
static double twins_age;
static void
twin(void)
{
	struct rival r;

	rival_start(&r, OWNER_YIELD, 0, kernel.raw - ns(twins_age));
	order(&r);
}

/* --------------------------------------------------------------- the units */

static struct rival rival;

/* We have run for a time, and have just given orders. */
static void
begin(enum clock_owner owner, double age)
{
	kernel = (struct words){ .raw = RAW0, .tick = 10000 };
	rival_start(&rival, owner, 12345, RAW0 - ns(age));
	order(&rival);
}

static void
a_kernel_left_alone_is_no_rival(void **state)
{
	int i;

	(void)state;
	begin(OWNER_YIELD, 0);
	for (i = 0; i < 40 * HOUR; i += MINUTE) {
		assert_int_equal(rival_look(&rival, &kernel), RIVAL_QUIET);
		pass(MINUTE);
	}
	assert_true(kernel.status & STA_UNSYNC);
	assert_int_equal(kernel.max_error, 16000000);
	for (i = 0; i < 500; i++) {
		pass(i);
		assert_int_equal(rival_look(&rival, &kernel), RIVAL_QUIET);
		order(&rival);
	}
	assert_int_equal(rival.seen, 0);
}

static void
a_kernel_that_does_not_widen_its_bound_is_no_rival(void **state)
{
	(void)state;
	begin(OWNER_YIELD, 0);
	kernel.raw += HOUR * S;
	assert_int_equal(rival_look(&rival, &kernel), RIVAL_QUIET);
}

static void
a_slewed_clock_may_count_its_seconds_faster(void **state)
{
	(void)state;
	begin(OWNER_YIELD, 0);
	pass(1000);
	kernel.max_error += 80 * 500;	/* 8 % faster */
	assert_int_equal(rival_look(&rival, &kernel), RIVAL_QUIET);
	kernel.max_error += 200 * 500;
	assert_int_equal(rival_look(&rival, &kernel), RIVAL_WROTE);
}

static void
a_sleep_is_no_rival(void **state)
{
	(void)state;
	begin(OWNER_YIELD, 0);
	date_s();
	rival_forget(&rival, kernel.raw);
	assert_int_equal(rival_look(&rival, &kernel), RIVAL_QUIET);
	assert_int_equal(rival_look(&rival, &kernel), RIVAL_QUIET);
}

static const struct {
	void (*write)(void);
	enum rival_who who;
} writers[] = {
	{ chronyd, RIVAL_CHRONYD },
	{ chronyd_without_rtcsync, RIVAL_CHRONYD },
	{ timesyncd, RIVAL_TIMESYNCD },
	{ ntp_org, RIVAL_NTPD },
	{ openntpd, RIVAL_OPENNTPD },
	{ busybox, RIVAL_BUSYBOX },
	{ adjtime_alone, RIVAL_OTHER },
	{ phc2sys, RIVAL_OTHER },
	{ phc2sys_locked, RIVAL_OTHER },
	{ tick_of_vmware, RIVAL_OTHER },
	{ pll_of_vmware, RIVAL_VMWARE },
	{ date_s, RIVAL_STEP },
	{ twin, RIVAL_TWIN },
};

static void
each_writer_is_named_by_what_it_writes(void **state)
{
	(void)state;
	twins_age = HOUR;
	for (size_t i = 0; i < LEN(writers); i++) {
		begin(OWNER_YIELD, 10);
		pass(40);
		writers[i].write();
		pass(20);
		assert_int_equal(rival_changed(&rival.last, &kernel),
		    writers[i].who);
	}
}

static void
every_rival_has_a_name_and_a_remedy(void **state)
{
	int who;

	(void)state;
	for (who = RIVAL_CHRONYD; who <= RIVAL_HYPERV; who++) {
		char text[192];		/* struct clock has this for a remedy */

		assert_true(strlen(rival_name(who)) > 5);
		assert_true(strlen(rival_stop(who)) > 5);
		assert_in_range(snprintf(text, sizeof text,
		    "another program (probably %s) steers the clock: %s",
		    rival_name(who), rival_stop(who)), 60, sizeof text - 1);
	}
	assert_string_equal(rival_name(RIVAL_HYPERV), "Hyper-V's host");
	assert_non_null(strstr(rival_stop(RIVAL_HYPERV), "Synchronization"));
}

/* Look as the daemon does, and renew the orders that were lost.  Returns the
 * seconds after which the news came; 0: it did not come in that time. */
static int
until(enum rival_news news, int most, void (*write)(void), int every)
{
	int s;

	for (s = 1; s <= most; s++) {
		pass(1);
		if (write != NULL && s % every == 0)
			write();
		if (kernel.raw >= rival_due(&rival)) {
			enum rival_news got = rival_look(&rival, &kernel);

			if (got == news)
				return s;
			if (got == RIVAL_WROTE)
				order(&rival);
		}
	}
	return 0;
}

static void
a_write_is_seen_within_two_minutes(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(writers); i++) {
		if (writers[i].write == adjtime_alone)
			continue;	/* it may be over before we look */
		begin(OWNER_YIELD, 10);
		pass(3);
		writers[i].write();
		assert_in_range(until(RIVAL_WROTE, HOUR, NULL, 0), 1, 120);
	}
}

static void
one_write_of_an_administrator_is_corrected_and_forgotten(void **state)
{
	(void)state;
	begin(OWNER_YIELD, 10);
	for (int i = 0; i < 20; i++) {
		date_s();
		assert_int_equal(
		    until(RIVAL_STEERS, 2 * HOUR + 120, NULL, 0), 0);
		assert_int_equal(rival.seen, i + 1);
	}
}

static void
three_writes_are_enough(void **state)
{
	(void)state;
	twins_age = 24 * HOUR;
	for (size_t i = 0; i < LEN(writers); i++) {
		begin(OWNER_YIELD, HOUR);
		assert_in_range(until(RIVAL_STEERS, HOUR, writers[i].write, 64),
		    3 * 64 - 1, 7 * MINUTE);
		assert_true(rival.yielded);
		assert_int_equal(rival.seen, 3);
		assert_int_equal(rival.who, writers[i].who);
	}
}

/* chronyd's status comes with its replies; between them it slews by frequency,
 * and that may be the write after which we stand down. */
static void
who_wrote_more_once_is_named_by_that(void **state)
{
	static void (*const between[])(void) = { phc2sys, date_s };

	(void)state;
	for (size_t i = 0; i < LEN(between); i++) {
		begin(OWNER_YIELD, HOUR);
		rival.tools = RIVAL_VMWARE;
		assert_true(until(RIVAL_WROTE, HOUR, between[i], 64) > 0);
		order(&rival);
		assert_true(until(RIVAL_WROTE, HOUR, chronyd, 64) > 0);
		order(&rival);
		assert_true(until(RIVAL_STEERS, HOUR, between[i], 64) > 0);
		assert_int_equal(rival.who, RIVAL_CHRONYD);
		/* Hours later it may be another one. */
		assert_true(until(RIVAL_IS_GONE, HOUR, NULL, 0) > 0);
		assert_int_equal(until(RIVAL_WROTE, 3 * HOUR, NULL, 0), 0);
		order(&rival);
		assert_true(until(RIVAL_STEERS, HOUR, between[i], 64) > 0);
		assert_int_equal(rival.who, RIVAL_VMWARE);
	}
}

/* What chronyd has told before stands in the kernel until our next orders. */
static void
a_slew_of_chronyd_is_not_openntpds(void **state)
{
	(void)state;
	begin(OWNER_YIELD, HOUR);
	assert_true(until(RIVAL_WROTE, HOUR, chronyd, 64) > 0);
	assert_true(until(RIVAL_WROTE, HOUR, phc2sys, 64) > 0);
	assert_true(until(RIVAL_STEERS, HOUR, phc2sys, 64) > 0);
	assert_int_equal(rival.who, RIVAL_CHRONYD);
}

/* It leaves STA_FREQHOLD as the other one had it. */
static void
a_step_after_timesyncd_is_not_ntpds(void **state)
{
	(void)state;
	begin(OWNER_YIELD, HOUR);
	assert_true(until(RIVAL_WROTE, HOUR, timesyncd, 64) > 0);
	assert_true(until(RIVAL_WROTE, HOUR, timesyncd, 64) > 0);
	assert_true(until(RIVAL_STEERS, HOUR, date_s, 64) > 0);
	assert_int_equal(rival.who, RIVAL_TIMESYNCD);
}

static void
the_hypervisor_is_named_if_its_tools_may_be_it(void **state)
{
	(void)state;
	begin(OWNER_YIELD, HOUR);
	rival.tools = RIVAL_VIRTUALBOX;
	assert_true(until(RIVAL_STEERS, HOUR, date_s, 64) > 0);
	assert_int_equal(rival.who, RIVAL_VIRTUALBOX);
	begin(OWNER_YIELD, HOUR);
	rival.tools = RIVAL_VIRTUALBOX;
	assert_true(until(RIVAL_STEERS, HOUR, chronyd, 64) > 0);
	assert_int_equal(rival.who, RIVAL_CHRONYD);
}

static void
ten_minutes_alone_bring_us_back(void **state)
{
	(void)state;
	begin(OWNER_YIELD, HOUR);
	assert_true(until(RIVAL_STEERS, HOUR, chronyd, 64) > 0);
	assert_int_equal(until(RIVAL_IS_GONE, 24 * HOUR, chronyd, 64), 0);
	assert_true(rival.yielded);
	assert_in_range(until(RIVAL_IS_GONE, HOUR, NULL, 0), 600 - 110, 720);
	assert_false(rival.yielded);
	order(&rival);
	/* If it comes again, its first write is enough. */
	chronyd();
	assert_in_range(until(RIVAL_STEERS, HOUR, NULL, 0), 1, 120);
}

/* How often the log says something in the second day beside such a writer. */
static int
lines_in_a_day(double least, double most, uint64_t seed)
{
	int64_t write = kernel.raw;
	int lines = 0;
	double every = least;

	for (int s = 0; s < 48 * HOUR; s++) {
		pass(1);
		if (kernel.raw >= write) {
			timesyncd();
			/* It doubles its interval, or has any. */
			every = seed == 0 ? fmin(most, 2 * every) :
			    least + (most - least) * uniform(&seed);
			write = later(kernel.raw, every);
		}
		if (kernel.raw < rival_due(&rival))
			continue;
		switch (rival_look(&rival, &kernel)) {
		case RIVAL_WROTE:
			order(&rival);
			break;
		case RIVAL_STEERS:
			lines += s >= 24 * HOUR;
			break;
		case RIVAL_IS_GONE:
			lines += s >= 24 * HOUR;
			order(&rival);
			break;
		case RIVAL_QUIET:
			break;
		}
	}
	return lines;
}

static void
no_rhythm_makes_us_take_turns(void **state)
{
	(void)state;
	begin(OWNER_YIELD, HOUR);
	assert_int_equal(lines_in_a_day(32, 2048, 0), 0);
	assert_true(rival.yielded);
	for (uint64_t seed = 1; seed <= 20; seed++) {
		begin(OWNER_YIELD, HOUR);
		assert_in_range(lines_in_a_day(30, 2048, seed), 0, 2);
		assert_true(rival.yielded);
		begin(OWNER_YIELD, HOUR);
		assert_in_range(lines_in_a_day(HOUR, 3 * HOUR, seed), 0, 24);
	}
}

static void
who_fights_says_so_once_and_goes_on(void **state)
{
	(void)state;
	begin(OWNER_FIGHT, HOUR);
	assert_true(until(RIVAL_STEERS, HOUR, chronyd, 64) > 0);
	assert_false(rival.yielded);
	assert_int_equal(rival.who, RIVAL_CHRONYD);
	assert_int_equal(until(RIVAL_STEERS, 48 * HOUR, chronyd, 64), 0);
	assert_true(rival.seen > 2000);
	/* When it comes again after hours, that is news. */
	assert_int_equal(until(RIVAL_STEERS, 3 * HOUR, NULL, 0), 0);
	assert_true(until(RIVAL_STEERS, HOUR, chronyd, 64) > 0);
}

static void
who_ignores_does_not_even_look(void **state)
{
	(void)state;
	begin(OWNER_IGNORE, HOUR);
	assert_int_equal(rival_due(&rival), NEVER);
	assert_false(rival_may_look(&rival, NEVER));
	for (int i = 0; i < 10; i++) {
		chronyd();
		assert_int_equal(rival_look(&rival, &kernel), RIVAL_QUIET);
	}
	assert_int_equal(rival.seen, 0);
}

static void
a_mark_changes_the_frequency_by_nothing_that_counts(void **state)
{
	struct rival r;
	long freq, last = -1;

	(void)state;
	rival_start(&r, OWNER_YIELD, 0, 0);
	for (double age = 0; age < 0x1p31; age = age * 1.3 + 0.5) {
		long got = 0;

		for (freq = -32768000; freq <= 32768000; freq += 77777) {
			got = rival_mark(&r, freq, ns(age));
			assert_in_range(labs(got - freq), 0, 128);
		}
		assert_true((got & RIVAL_MARK) > last);
		last = got & RIVAL_MARK;
	}
}

/* ------------------------------------------------------- two as we are */

/* Two daemons without any other talk than the kernel.  At first each gives an
 * order every few seconds, then at each reply. */
struct two {
	struct rival rival;
	int64_t born, next;
	double every, most;
	int yields, returns;
} two[2];

static void
live(struct two *d)
{
	enum rival_news news = RIVAL_QUIET;
	bool due = kernel.raw >= d->next;

	if (kernel.raw < d->born)
		return;
	if (kernel.raw == d->born)
		rival_wrote(&d->rival, &kernel);
	if (!due && kernel.raw < rival_due(&d->rival))
		return;
	if (due) {
		d->next = later(kernel.raw, d->every);
		d->every = fmin(d->most, 1.2 * d->every);
	}
	news = rival_look(&d->rival, &kernel);
	d->yields += news == RIVAL_STEERS;
	d->returns += news == RIVAL_IS_GONE;
	if (!d->rival.yielded && (due || news != RIVAL_QUIET))
		order(&d->rival);
}

static void
make_two(double apart, double most, uint64_t *seed)
{
	kernel = (struct words){ .raw = RAW0, .tick = 10000 };
	for (int i = 0; i < 2; i++) {
		struct two *d = &two[i];

		*d = (struct two){
			.born = RAW0 + 10 * S +
			    (int64_t)(i * apart + 0.9 * uniform(seed)) * S,
			.every = 2 + 4 * uniform(seed),
			.most = 64 + (most - 64) * uniform(seed),
		};
		rival_start(&d->rival, OWNER_YIELD,
		    (uint32_t)(uniform(seed) * 0x1p32), d->born);
		d->next = later(d->born, 3 * uniform(seed));
	}
}

static void
live_both(int s)
{
	for (; s > 0; s--) {
		pass(1);
		live(&two[0]);
		live(&two[1]);
	}
}

static void
of_two_the_younger_stands_down_and_never_the_older(void **state)
{
	static const int apart[] = { 60, 300, 1000, HOUR, 24 * HOUR };
	uint64_t seed;

	(void)state;
	for (size_t i = 0; i < LEN(apart); i++)
		for (seed = 1; seed <= 40; seed++) {
			uint64_t s = seed;

			make_two(apart[i], 1024, &s);
			live_both(apart[i] + 15 * MINUTE);
			if (two[0].rival.yielded || !two[1].rival.yielded)
				fail_msg("%d s apart, seed %d: %d %d",
				    apart[i], (int)seed, two[0].rival.yielded,
				    two[1].rival.yielded);
			live_both(6 * HOUR);
			assert_int_equal(two[0].yields, 0);
			assert_int_equal(two[1].yields, 1);
			assert_true(two[1].rival.yielded);
		}
}

static void
of_two_of_the_same_age_one_goes_on(void **state)
{
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= 300; seed++) {
		uint64_t s = seed;

		make_two(0, 300, &s);
		live_both(4 * HOUR);
		if (two[0].rival.yielded == two[1].rival.yielded)
			fail_msg("seed %d: both alike after 4 h", (int)seed);
		two[0].yields = two[1].yields = 0;
		live_both(6 * HOUR);
		assert_int_equal(two[0].yields + two[1].yields, 0);
	}
}

static void
if_the_older_ends_the_younger_takes_over(void **state)
{
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= 40; seed++) {
		uint64_t s = seed;

		make_two(300, 300, &s);
		live_both(HOUR);
		assert_true(two[1].rival.yielded);
		two[0].born = NEVER;
		live_both(45 * MINUTE);
		assert_false(two[1].rival.yielded);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_left_alone_is_no_rival),
		cmocka_unit_test(
		    a_kernel_that_does_not_widen_its_bound_is_no_rival),
		cmocka_unit_test(a_slewed_clock_may_count_its_seconds_faster),
		cmocka_unit_test(a_sleep_is_no_rival),
		cmocka_unit_test(each_writer_is_named_by_what_it_writes),
		cmocka_unit_test(every_rival_has_a_name_and_a_remedy),
		cmocka_unit_test(a_write_is_seen_within_two_minutes),
		cmocka_unit_test(
		    one_write_of_an_administrator_is_corrected_and_forgotten),
		cmocka_unit_test(three_writes_are_enough),
		cmocka_unit_test(who_wrote_more_once_is_named_by_that),
		cmocka_unit_test(a_slew_of_chronyd_is_not_openntpds),
		cmocka_unit_test(a_step_after_timesyncd_is_not_ntpds),
		cmocka_unit_test(the_hypervisor_is_named_if_its_tools_may_be_it),
		cmocka_unit_test(ten_minutes_alone_bring_us_back),
		cmocka_unit_test(no_rhythm_makes_us_take_turns),
		cmocka_unit_test(who_fights_says_so_once_and_goes_on),
		cmocka_unit_test(who_ignores_does_not_even_look),
		cmocka_unit_test(
		    a_mark_changes_the_frequency_by_nothing_that_counts),
		cmocka_unit_test(
		    of_two_the_younger_stands_down_and_never_the_older),
		cmocka_unit_test(of_two_of_the_same_age_one_goes_on),
		cmocka_unit_test(if_the_older_ends_the_younger_takes_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
