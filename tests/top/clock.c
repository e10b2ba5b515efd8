/*
 * clock.c - what file.c and state.c promise: the frequency comes back, and
 * nothing that somebody planted is followed, overwritten or waited for.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/file.h"
#include "sys/state.h"
#include "tests/test.h"

static char directory[64];

/* Each test has an empty directory for the current one. */
static int
enter(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/ntpd-drift-XXXXXX");
	return mkdtemp(directory) == NULL || chdir(directory) != 0;
}

static int
leave(void **state)
{
	static const char *const names[] = { "drift", "drift.new", "victim",
		"d/drift", "d" };
	size_t i;

	(void)state;
	(void)chmod("d", 0755);
	for (i = 0; i < sizeof names / sizeof *names; i++)
		(void)remove(names[i]);
	return chdir("/") != 0 || rmdir(directory) != 0;
}

static void
put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	size_t n = strlen(text);

	assert_true(fd >= 0 && write(fd, text, n) == (ssize_t)n);
	(void)close(fd);
}

static void
holds(const char *name, const char *text)
{
	char got[64] = "";
	int fd = open(name, O_RDONLY);

	assert_true(fd >= 0 && read(fd, got, sizeof got - 1) >= 0);
	(void)close(fd);
	assert_string_equal(got, text);
}

static void
a_frequency_comes_back(void **state)
{
	double freq = 0;

	(void)state;
	assert_int_equal(drift_write("drift", -12.345e-6), 0);
	holds("drift", "-12.345\n");
	assert_int_equal(drift_read("drift", &freq), 0);
	assert_true(fabs(freq + 12.345e-6) < 1e-12);
	/* over one that is there, beside what a crash left */
	put("drift.new", "half");
	assert_int_equal(drift_write("drift", 1e-6), 0);
	holds("drift", "1.000\n");
	assert_int_equal(access("drift.new", F_OK), -1);
}

static void
a_planted_link_is_not_followed(void **state)
{
	struct stat st;
	double freq;

	(void)state;
	put("victim", "7.000\n");
	assert_int_equal(symlink("victim", "drift"), 0);
	assert_int_equal(symlink("victim", "drift.new"), 0);
	assert_int_equal(drift_read("drift", &freq), -1);
	assert_int_equal(drift_write("drift", 1e-6), 0);
	holds("victim", "7.000\n");
	assert_int_equal(lstat("drift", &st), 0);
	assert_true(S_ISREG(st.st_mode));
	/* another name of the same file */
	assert_int_equal(link("victim", "drift.new"), 0);
	assert_int_equal(drift_write("drift", 2e-6), 0);
	holds("victim", "7.000\n");
	holds("drift", "2.000\n");
}

static void
a_fifo_is_not_waited_for(void **state)
{
	double freq;

	(void)state;
	assert_int_equal(mkfifo("drift", 0644), 0);
	assert_int_equal(mkfifo("drift.new", 0644), 0);
	errno = 0;
	assert_int_equal(drift_read("drift", &freq), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(drift_write("drift", 1e-6), 0);
	holds("drift", "1.000\n");
}

/* Where the directory is not ours to write, as beside a bind-mounted file, the
 * file is written in place; links stay as unloved there. */
static void
a_file_is_written_in_place_where_it_must(void **state)
{
	(void)state;
	if (geteuid() == 0 && seteuid(65534) != 0)
		skip();
	(void)seteuid(0);
	put("victim", "7.000\n");
	assert_int_equal(chmod(directory, 0755), 0);
	assert_int_equal(mkdir("d", 0755), 0);
	put("d/drift", "123456.789\n");
	assert_int_equal(chmod("d/drift", 0666), 0);
	assert_int_equal(chmod("victim", 0666), 0);
	assert_int_equal(chmod("d", 0555), 0);
	(void)seteuid(65534);
	assert_int_equal(drift_write("d/drift", 1e-6), 0);
	(void)seteuid(0);
	holds("d/drift", "1.000\n");

	assert_int_equal(chmod("d", 0755), 0);
	assert_int_equal(remove("d/drift"), 0);
	assert_int_equal(symlink("../victim", "d/drift"), 0);
	assert_int_equal(chmod("d", 0555), 0);
	(void)seteuid(65534);
	assert_int_equal(drift_write("d/drift", 1e-6), -1);
	(void)seteuid(0);
	holds("victim", "7.000\n");
}

static void
a_pid_file_is_a_new_or_a_regular_one(void **state)
{
	int fd;

	(void)state;
	fd = file_create("drift");
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "1\n", 2), 2);
	(void)close(fd);
	fd = file_create("drift"); /* what another start has left */
	assert_true(fd >= 0);
	(void)close(fd);
	holds("drift", "");

	put("victim", "7.000\n");
	assert_int_equal(remove("drift"), 0);
	assert_int_equal(symlink("victim", "drift"), 0);
	assert_int_equal(file_create("drift"), -1);
	assert_int_equal(remove("drift"), 0);
	assert_int_equal(link("victim", "drift"), 0);
	assert_int_equal(file_create("drift"), -1);
	assert_int_equal(errno, EINVAL);
	holds("victim", "7.000\n");
	assert_int_equal(remove("drift"), 0);
	assert_int_equal(mkfifo("drift", 0644), 0);
	assert_int_equal(file_create("drift"), -1);
	assert_int_equal(file_create("/dev/null"), -1);
	assert_int_equal(errno, EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_frequency_comes_back),
		TEST(a_planted_link_is_not_followed),
		TEST(a_fifo_is_not_waited_for),
		TEST(a_file_is_written_in_place_where_it_must),
		TEST(a_pid_file_is_a_new_or_a_regular_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
