/*
 * clockbound.c - what sys/clockbound.c promises, told by a reader that knows
 * nothing but the published layout (ClockBound's docs/PROTOCOL.md, version 2) and
 * how a client of that version reckons.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deploy/extras/clockbound.h"
#include "sys/clockbound.h"
#include "sys/instant.h"
#include "tests/test.h"

/* Where PROTOCOL.md has them. */
enum { MAGIC = 0, SEGMENT = 8, VERSION = 12, GENERATION = 14, AS_OF = 16,
	VOID_AFTER = 32, BOUND = 48, MARKER = 56, DRIFT = 64, STATUS = 68,
	SUPPORT = 72, WHOLE = 80 };

static char directory[] = "/tmp/clockbound-XXXXXX";
static char path[64];
static int64_t coarse; /* ns: CLOCK_MONOTONIC_COARSE */
static struct clockbound c;
static const uint8_t *page; /* as a client has mapped it */

int64_t
clock_now(clockid_t clock)
{
	assert_int_equal(clock, CLOCK_MONOTONIC_COARSE);
	return coarse;
}

static uint64_t
get(int at, int size)
{
	uint64_t v64;
	uint32_t v32;
	uint16_t v16;

	memcpy(&v64, page + at, sizeof v64);
	memcpy(&v32, page + at, sizeof v32);
	memcpy(&v16, page + at, sizeof v16);
	return size == 8 ? v64 : size == 4 ? v32 : size == 2 ? v16 : page[at];
}

static void
map(void)
{
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	page = mmap(NULL, WHOLE, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(page != MAP_FAILED);
	(void)close(fd);
}

/* What a client of version 2 makes of it: the status; and how wrong the clock
 * may be now, in ns. */
static int
read_by_client(int64_t *bound)
{
	int64_t as_of = (int64_t)get(AS_OF, 8) * S + (int64_t)get(AS_OF + 8, 8);
	int64_t until = (int64_t)get(VOID_AFTER, 8) * S +
	    (int64_t)get(VOID_AFTER + 8, 8);
	int status = (int)get(STATUS, 4);

	assert_memory_equal(page + MAGIC, "\x4e\x5a\x4d\x41\0\x02\x42\x43", 8);
	assert_true(get(SEGMENT, 4) >= WHOLE);
	assert_int_equal(get(VERSION, 2), 2);
	assert_int_not_equal(get(GENERATION, 2), 0);
	assert_int_equal(get(GENERATION, 2) & 1, 0);
	assert_true(get(DRIFT, 4) < 1000000000);
	assert_true(coarse >= as_of); /* else a "causality breach" */
	*bound = (int64_t)get(BOUND, 8) +
	    (int64_t)((double)(coarse - as_of) * 1e-9 * (double)get(DRIFT, 4));
	if (status != 1 && status != 2)
		return status;
	return coarse < as_of + 5 * S ? status : coarse < until ? 2 : 0;
}

static int
enter(void **state)
{
	(void)state;
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof path, "%s/shm0", directory);
	coarse = 50 * S;
	memset(&c, 0, sizeof c);
	page = NULL;
	return 0;
}

static int
leave(void **state)
{
	(void)state;
	if (page != NULL)
		(void)munmap((void *)page, WHOLE);
	if (c.open)
		(void)close(c.fd);
	(void)unlink(path);
	return rmdir(directory);
}

static void
begin(void)
{
	assert_true(clockbound_open(&c, path));
	map();
}

static void
promise(enum clockbound_status status, double bound, double growth)
{
	const struct clockbound_promise p = { .status = status, .bound = bound,
		.growth = growth, .marker = 7 };

	clockbound_write(&c, &p, coarse + 3 * S);
}

static void
a_client_finds_the_bound_and_how_it_grows(void **state)
{
	int64_t bound;

	(void)state;
	begin();
	promise(CLOCKBOUND_SYNCHRONIZED, 0.0012, 2 * PPM);
	assert_int_equal(read_by_client(&bound), 1);
	assert_in_range(bound, 1200000, 1200002);
	assert_int_equal(get(MARKER, 8), 7);
	assert_int_equal(get(SUPPORT, 1), 0);
	coarse += 4 * S;
	assert_int_equal(read_by_client(&bound), 1);
	assert_in_range(bound, 1208000, 1208006);
	/* It is to be renewed before this becomes "free running". */
	assert_int_equal(clockbound_due(&c), 57 * S);
	coarse += S;
	assert_int_equal(read_by_client(&bound), 2);
	coarse += 54 * S;
	assert_int_equal(read_by_client(&bound), 2);
	coarse += 1 * S;
	assert_int_equal(read_by_client(&bound), 0);
	promise(CLOCKBOUND_SYNCHRONIZED, 0.5, 0);
	assert_int_equal(read_by_client(&bound), 1);
	assert_in_range(bound, 500000000, 500000001);
}

static void
what_is_not_known_is_told_as_a_bound_that_excludes_nothing(void **state)
{
	int64_t bound;

	(void)state;
	begin();
	promise(CLOCKBOUND_UNKNOWN, HUGE_VAL, 1e-3);
	assert_int_equal(read_by_client(&bound), 0);
	assert_true(bound > 900000000 * S);
	/* A client that subtracts it from today's time stays above zero. */
	assert_true(bound < 1000000001 * S);
	promise(CLOCKBOUND_DISRUPTED, HUGE_VAL, 1e-3);
	assert_int_equal(read_by_client(&bound), 3);
	/* Nothing is kept any more. */
	promise(CLOCKBOUND_KEPT, HUGE_VAL, 1e-3);
	assert_int_equal(read_by_client(&bound), 0);
}

static void
a_page_is_not_begun_before_the_first_promise(void **state)
{
	struct stat st;
	mode_t mask = umask(077); /* as some services have it */

	(void)state;
	begin();
	(void)umask(mask);
	assert_int_equal(get(GENERATION, 2), 0);
	assert_int_equal(clockbound_due(&c), NEVER);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(st.st_size, WHOLE);
}

/* The header for programs in C reckons likewise, by the real clocks. */
static void
the_header_for_programs_reads_the_page(void **state)
{
	const struct bound_page *p;
	int64_t from, to, real;

	(void)state;
	assert_null(bound_open(path));
	coarse = bound_clock(CLOCK_MONOTONIC_COARSE);
	begin();
	p = bound_open(path);
	assert_non_null(p);
	assert_int_equal(bound_now(p, &from, &to), BOUND_UNKNOWN);
	promise(CLOCKBOUND_SYNCHRONIZED, 0.001, PPM);
	real = bound_clock(CLOCK_REALTIME);
	assert_int_equal(bound_now(p, &from, &to), BOUND_SYNCHRONIZED);
	assert_true(from >= real - 2000000 && from <= to - 2000000);
	assert_true(to - from < 3000000);
	coarse -= 6 * S;
	promise(CLOCKBOUND_SYNCHRONIZED, 0.001, PPM);
	assert_int_equal(bound_now(p, &from, &to), BOUND_FREE_RUNNING);
	assert_true(to - from >= 2012000);
	coarse -= 60 * S;
	promise(CLOCKBOUND_SYNCHRONIZED, 0.001, PPM);
	assert_int_equal(bound_now(p, &from, &to), BOUND_UNKNOWN);
	promise(CLOCKBOUND_DISRUPTED, 0.001, PPM);
	assert_int_equal(bound_now(p, &from, &to), BOUND_DISRUPTED);
	(void)munmap((void *)p, sizeof *p);
}

static void
the_generation_is_never_zero_again(void **state)
{
	int64_t bound, before = 0;

	(void)state;
	begin();
	for (int i = 0; i < 1 << 15; i++) {
		promise(CLOCKBOUND_SYNCHRONIZED, 0.1, 0);
		assert_int_equal(read_by_client(&bound), 1);
		assert_true((int64_t)get(GENERATION, 2) != before);
		before = (int64_t)get(GENERATION, 2);
	}
	assert_int_equal(before, 2);
}

/* A daemon has promised something and has ended; this is the next one, and
 * CLOCK_MONOTONIC_COARSE shows that. */
static void
restart_at(int64_t now)
{
	begin();
	promise(CLOCKBOUND_SYNCHRONIZED, 0.001, PPM);
	(void)close(c.fd);
	memset(&c, 0, sizeof c);
	coarse = now;
	assert_true(clockbound_open(&c, path));
}

static void
what_a_predecessor_promised_stays_until_more_is_known(void **state)
{
	int64_t bound;

	(void)state;
	restart_at(52 * S);
	assert_int_equal(read_by_client(&bound), 1); /* by the old mapping */
	promise(CLOCKBOUND_KEPT, HUGE_VAL, 0);
	assert_int_equal(clockbound_due(&c), NEVER); /* nothing is renewed */
	assert_int_equal(read_by_client(&bound), 1);
	assert_in_range(bound, 1002000, 1002004);
	promise(CLOCKBOUND_SYNCHRONIZED, 0.002, PPM);
	assert_int_equal(read_by_client(&bound), 1);
	assert_in_range(bound, 2000000, 2000002);
}

static void
a_page_of_another_boot_promises_nothing(void **state)
{
	int64_t bound;

	(void)state;
	restart_at(20 * S);
	assert_int_equal(get(GENERATION, 2), 0); /* clients keep what they had */
	promise(CLOCKBOUND_KEPT, HUGE_VAL, 0);
	assert_int_equal(read_by_client(&bound), 0);
}

static void
a_page_that_somebody_cut_off_is_whole_again_after_a_write(void **state)
{
	int64_t bound;

	(void)state;
	begin();
	promise(CLOCKBOUND_SYNCHRONIZED, 0.001, PPM);
	assert_int_equal(truncate(path, 0), 0);
	promise(CLOCKBOUND_SYNCHRONIZED, 0.003, PPM);
	assert_int_equal(read_by_client(&bound), 1);
	assert_in_range(bound, 3000000, 3000002);
}

static void
the_hypervisors_marker_is_to_be_compared_only_where_it_is(void **state)
{
	const struct clockbound_promise p = { .marker = 1ull << 63 | 5,
		.vmclock = true, .status = CLOCKBOUND_SYNCHRONIZED };

	(void)state;
	begin();
	clockbound_write(&c, &p, coarse);
	assert_true(get(MARKER, 8) == (1ull << 63 | 5));
	assert_int_equal(get(SUPPORT, 1), 1);
	for (int i = SUPPORT + 1; i < WHOLE; i++)
		assert_int_equal(page[i], 0);
}

/* The other daemon has another control socket.  A lock knows who opened the file,
 * not which process that was. */
static void
a_page_that_another_daemon_writes_is_left_alone(void **state)
{
	struct clockbound second = { 0 };
	int64_t bound;

	(void)state;
	begin();
	promise(CLOCKBOUND_SYNCHRONIZED, 0.001, PPM);
	assert_false(clockbound_open(&second, path));
	assert_int_equal(errno, EAGAIN);
	assert_false(second.open);
	assert_int_equal(read_by_client(&bound), 1);
	(void)close(c.fd);
	assert_true(clockbound_open(&second, path));
	c = second; /* to be closed */
}

/* Who may only read could otherwise take the page from everybody. */
static void
a_lock_of_a_reader_keeps_no_daemon_out(void **state)
{
	struct flock lock = { .l_type = F_RDLCK };
	int fd;

	(void)state;
	begin();
	(void)close(c.fd);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	assert_true(clockbound_open(&c, path));
	(void)close(fd);
}

static void
what_is_no_page_is_left_alone(void **state)
{
	int64_t bound;
	FILE *f;

	(void)state;
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_false(clockbound_open(&c, path));
	assert_int_equal(errno, ELOOP);
	assert_false(c.open);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0644), 0);
	assert_false(clockbound_open(&c, path));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(unlink(path), 0);
	assert_false(clockbound_open(&c, "/nonexistent/shm0"));
	assert_int_equal(errno, ENOENT);
	/* Any bytes are not a predecessor's page. */
	f = fopen(path, "w");
	assert_non_null(f);
	for (int i = 0; i < 2 * WHOLE; i++)
		(void)fputc('A' + i % 26, f);
	assert_int_equal(fclose(f), 0);
	begin();
	promise(CLOCKBOUND_KEPT, HUGE_VAL, 0);
	assert_int_equal(read_by_client(&bound), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_client_finds_the_bound_and_how_it_grows),
		TEST(what_is_not_known_is_told_as_a_bound_that_excludes_nothing),
		TEST(a_page_is_not_begun_before_the_first_promise),
		TEST(the_header_for_programs_reads_the_page),
		TEST(the_generation_is_never_zero_again),
		TEST(what_a_predecessor_promised_stays_until_more_is_known),
		TEST(a_page_of_another_boot_promises_nothing),
		TEST(a_page_that_somebody_cut_off_is_whole_again_after_a_write),
		TEST(the_hypervisors_marker_is_to_be_compared_only_where_it_is),
		TEST(a_page_that_another_daemon_writes_is_left_alone),
		TEST(a_lock_of_a_reader_keeps_no_daemon_out),
		TEST(what_is_no_page_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
