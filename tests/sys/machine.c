/*
 * machine.c - what sys/machine.c promises, with a file in place of the device.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/machine.h"
#include "tests/test.h"

/* Where the counters are, as the kernel's linux/vmclock-abi.h has it. */
enum { SIZE = 4, VERSION = 8, SEQUENCE = 12, DISRUPTION = 16, FLAGS = 24,
	GENERATION = 104, WHOLE = 112 };
enum { WITH_GENERATION = 256, NOTIFIES = 512 };

static char path[] = "/tmp/machine-XXXXXX";
static uint8_t *page;
static struct machine m;

static void
put32(int at, uint32_t v)
{
	memcpy(page + at, &v, sizeof v);
}

static void
put64(int at, uint64_t v)
{
	memcpy(page + at, &v, sizeof v);
}

/* A hypervisor that keeps the generation. */
static int
make(void **state)
{
	int fd;

	(void)state;
	strcpy(path + strlen(path) - 6, "XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, getpagesize()), 0);
	page = mmap(NULL, (size_t)getpagesize(), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	assert_true(page != MAP_FAILED);
	close(fd);
	memcpy(page, "VCLK", 4);
	put32(SIZE, WHOLE);
	page[VERSION] = 1;
	put64(DISRUPTION, 7);
	put64(FLAGS, WITH_GENERATION);
	put64(GENERATION, 40);
	return 0;
}

static int
unmake(void **state)
{
	(void)state;
	if (m.device >= 0)
		close(m.device);
	if (m.uevents >= 0)
		close(m.uevents);
	munmap(page, (size_t)getpagesize());
	unlink(path);
	return 0;
}

static void
each_event_is_told_once(void **state)
{
	(void)state;
	machine_open(&m, path);
	assert_int_equal(machine_look(&m), MACHINE_SAME);
	put64(DISRUPTION, 8);
	assert_int_equal(machine_look(&m), MACHINE_MOVED);
	assert_int_equal(machine_look(&m), MACHINE_SAME);
	put64(DISRUPTION, 9);
	put64(GENERATION, 41);
	assert_int_equal(machine_look(&m), MACHINE_RESTORED);
	assert_int_equal(machine_look(&m), MACHINE_SAME);
	put64(GENERATION, 3); /* any other value is a new one */
	assert_int_equal(machine_look(&m), MACHINE_RESTORED);
	assert_int_equal(m.uevents, -1); /* each would come twice */
}

static void
what_was_before_the_start_is_no_event(void **state)
{
	(void)state;
	put32(SEQUENCE, 1); /* the hypervisor is just writing */
	machine_open(&m, path);
	put64(DISRUPTION, 8);
	put32(SEQUENCE, 2);
	assert_int_equal(machine_look(&m), MACHINE_SAME);
}

static void
a_page_that_is_being_written_is_read_later(void **state)
{
	(void)state;
	machine_open(&m, path);
	put32(SEQUENCE, 1);
	put64(DISRUPTION, 8);
	assert_int_equal(machine_look(&m), MACHINE_SAME);
	put32(SEQUENCE, 2);
	assert_int_equal(machine_look(&m), MACHINE_MOVED);
}

static void
a_generation_that_is_not_there_is_not_read(void **state)
{
	(void)state;
	put64(FLAGS, 0);
	machine_open(&m, path);
	put64(GENERATION, 41);
	assert_int_equal(machine_look(&m), MACHINE_SAME);
	unmake(state);
	make(state);
	put32(SIZE, GENERATION); /* the struct ends before it */
	machine_open(&m, path);
	put64(GENERATION, 41);
	assert_int_equal(machine_look(&m), MACHINE_SAME);
}

static void
what_is_no_such_device_is_left_alone(void **state)
{
	static const struct {
		int at;
		uint8_t byte;
	} wrong[] = { { 0, 'X' }, { VERSION, 2 } };

	(void)state;
	for (size_t i = 0; i < LEN(wrong); i++) {
		page[wrong[i].at] = wrong[i].byte;
		machine_open(&m, path);
		assert_null(m.page);
		assert_int_equal(m.device, -1);
		unmake(state);
		make(state);
	}
	assert_int_equal(truncate(path, 100), 0); /* shorter than the struct */
	machine_open(&m, path);
	assert_null(m.page);
	unmake(state);
	make(state);
	machine_open(&m, "/tmp"); /* a directory, and nothing at all */
	assert_null(m.page);
	machine_open(&m, "/nonexistent/vmclock0");
	assert_null(m.page);
	assert_int_equal(machine_look(&m), MACHINE_SAME);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0); /* nobody waits for it */
	machine_open(&m, path);
	assert_null(m.page);
}

static void
a_device_is_waited_for_if_it_notifies(void **state)
{
	struct pollfd p[MACHINE_WATCHED];

	(void)state;
	machine_open(&m, path);
	assert_int_equal(machine_watch(&m, p), 0);
	unmake(state);
	make(state);
	put64(FLAGS, WITH_GENERATION | NOTIFIES);
	machine_open(&m, path);
	assert_int_equal(machine_watch(&m, p), 1);
	assert_int_equal(p[0].events, POLLIN);
}

/* A file is always ready, as the device is on a kernel that cannot wait. */
static void
a_device_that_is_ready_without_news_is_waited_for_no_longer(void **state)
{
	struct pollfd p[MACHINE_WATCHED];
	int i;

	(void)state;
	put64(FLAGS, WITH_GENERATION | NOTIFIES);
	machine_open(&m, path);
	for (i = 0; i < 10; i++) { /* with news it is */
		put64(DISRUPTION, 100 + (uint64_t)i);
		machine_read(&m);
		machine_read(&m);
		assert_int_equal(machine_look(&m), MACHINE_MOVED);
	}
	assert_int_equal(machine_watch(&m, p), 1);
	for (i = 0; i < 100 && machine_watch(&m, p) == 1; i++)
		machine_read(&m);
	assert_in_range(i, 8, 32);
	put64(GENERATION, 41); /* but it is looked at */
	assert_int_equal(machine_look(&m), MACHINE_RESTORED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_event_is_told_once),
		TEST(what_was_before_the_start_is_no_event),
		TEST(a_page_that_is_being_written_is_read_later),
		TEST(a_generation_that_is_not_there_is_not_read),
		TEST(what_is_no_such_device_is_left_alone),
		TEST(a_device_is_waited_for_if_it_notifies),
		TEST(a_device_that_is_ready_without_news_is_waited_for_no_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
