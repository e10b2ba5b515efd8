/*
 * file.c - what file.c promises: a file comes back as it was written, and nothing
 * that somebody planted is followed, overwritten or waited for.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/file.h"
#include "tests/test.h"

static char directory[64];

/* Each test has an empty directory for the current one. */
static int
enter(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/ntpd-file-XXXXXX");
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

/* Write it all, and read it again. */
static void
a_file_is_replaced(void **state)
{
	char got[64];

	(void)state;
	assert_int_equal(file_write("drift", "-12.345\n", 8), 0);
	assert_int_equal(file_text("drift", got, sizeof got), 0);
	assert_string_equal(got, "-12.345\n");
	assert_int_equal(file_text("drift", got, 4), 0);
	assert_string_equal(got, "-12");
	/* It replaces one that is there, beside what a crash left. */
	put("drift.new", "half");
	assert_int_equal(file_write("drift", "1.000\n", 6), 0);
	holds("drift", "1.000\n");
	assert_int_equal(access("drift.new", F_OK), -1);
}

static void
a_planted_link_is_not_followed(void **state)
{
	struct stat st;
	char got[64];

	(void)state;
	put("victim", "7.000\n");
	assert_int_equal(symlink("victim", "drift"), 0);
	assert_int_equal(symlink("victim", "drift.new"), 0);
	assert_int_equal(file_text("drift", got, sizeof got), -1);
	assert_int_equal(file_write("drift", "1.000\n", 6), 0);
	holds("victim", "7.000\n");
	assert_int_equal(lstat("drift", &st), 0);
	assert_true(S_ISREG(st.st_mode));
	/* another name of the same file */
	assert_int_equal(link("victim", "drift.new"), 0);
	assert_int_equal(file_write("drift", "2.000\n", 6), 0);
	holds("victim", "7.000\n");
	holds("drift", "2.000\n");
}

static void
a_fifo_is_not_waited_for(void **state)
{
	char got[64];

	(void)state;
	assert_int_equal(mkfifo("drift", 0644), 0);
	assert_int_equal(mkfifo("drift.new", 0644), 0);
	errno = 0;
	assert_int_equal(file_text("drift", got, sizeof got), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(file_write("drift", "1.000\n", 6), 0);
	holds("drift", "1.000\n");
}

/* Where the directory is not ours to write, as beside a bind-mounted file, the
 * file is written in place.  Links are not followed there either. */
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
	assert_int_equal(file_write("d/drift", "1.000\n", 6), 0);
	(void)seteuid(0);
	holds("d/drift", "1.000\n");

	assert_int_equal(chmod("d", 0755), 0);
	assert_int_equal(remove("d/drift"), 0);
	assert_int_equal(symlink("../victim", "d/drift"), 0);
	assert_int_equal(chmod("d", 0555), 0);
	(void)seteuid(65534);
	assert_int_equal(file_write("d/drift", "1.000\n", 6), -1);
	(void)seteuid(0);
	holds("victim", "7.000\n");
}

/* What file_read says of a file, as errno has it. */
static int
refusal(const char *path, size_t most, const volatile sig_atomic_t *quit)
{
	size_t size;
	char *text = file_read(path, most, quit, &size);

	free(text);
	return text != NULL ? 0 : errno;
}

static void
a_whole_file_comes_back(void **state)
{
	size_t size;
	char *text;

	(void)state;
	put("victim", "server a.test");
	assert_int_equal(symlink("victim", "drift"), 0);
	text = file_read("drift", 13, NULL, &size);
	assert_non_null(text);
	assert_int_equal(size, 13);
	assert_memory_equal(text, "server a.test", 13);
	text[13] = '\0'; /* there is room for one byte more */
	free(text);
	assert_int_equal(refusal("drift", 12, NULL), EFBIG);
	put("victim", "");
	assert_int_equal(refusal("drift", 12, NULL), 0);
}

static void
what_is_no_regular_file_is_not_read(void **state)
{
	static const volatile sig_atomic_t never;

	(void)state;
	assert_int_equal(mkfifo("drift", 0644), 0);
	assert_int_equal(refusal("drift", 99, NULL), EINVAL);
	assert_int_equal(refusal("drift", 99, &never), EINVAL);
	assert_int_equal(refusal("/dev/null", 99, &never), EINVAL);
	assert_int_equal(refusal(".", 99, &never), EISDIR);
	assert_int_equal(refusal("victim", 99, &never), ENOENT);
}

static void
a_pipe_that_the_caller_opened_is_read(void **state)
{
	volatile sig_atomic_t quit = 0;
	char path[32], *text;
	size_t size;
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	(void)snprintf(path, sizeof path, "/dev/fd/%d", pipes[0]);
	assert_int_equal(refusal(path, 99, NULL), EINVAL);
	assert_int_equal(write(pipes[1], "servers", 7), 7);
	quit = 1;
	assert_int_equal(refusal(path, 99, &quit), EINTR);
	quit = 0;
	(void)close(pipes[1]);
	text = file_read(path, 99, &quit, &size);
	assert_non_null(text);
	assert_int_equal(size, 7);
	assert_memory_equal(text, "servers", 7);
	free(text);
	(void)close(pipes[0]);

	assert_int_equal(pipe(pipes), 0);
	(void)snprintf(path, sizeof path, "/dev/fd/%d", pipes[0]);
	assert_int_equal(write(pipes[1], "servers", 7), 7);
	assert_int_equal(refusal(path, 6, &quit), EFBIG); /* it never ends */
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

static void
a_file_that_is_kept_is_a_new_or_a_regular_one(void **state)
{
	int fd;

	(void)state;
	fd = file_keep("drift");
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "1\n", 2), 2);
	(void)close(fd);
	fd = file_keep("drift"); /* what another start has left */
	assert_true(fd >= 0);
	(void)close(fd);
	holds("drift", "1\n");

	put("victim", "7.000\n");
	assert_int_equal(remove("drift"), 0);
	assert_int_equal(symlink("victim", "drift"), 0);
	assert_int_equal(file_keep("drift"), -1);
	assert_int_equal(remove("drift"), 0);
	assert_int_equal(link("victim", "drift"), 0);
	assert_int_equal(file_keep("drift"), -1);
	assert_int_equal(errno, EINVAL);
	holds("victim", "7.000\n");
	assert_int_equal(remove("drift"), 0);
	assert_int_equal(mkfifo("drift", 0644), 0);
	assert_int_equal(file_keep("drift"), -1);
	assert_int_equal(file_keep("/dev/null"), -1);
	assert_int_equal(errno, EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_replaced),
		TEST(a_planted_link_is_not_followed),
		TEST(a_fifo_is_not_waited_for),
		TEST(a_file_is_written_in_place_where_it_must),
		TEST(a_whole_file_comes_back),
		TEST(what_is_no_regular_file_is_not_read),
		TEST(a_pipe_that_the_caller_opened_is_read),
		TEST(a_file_that_is_kept_is_a_new_or_a_regular_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
