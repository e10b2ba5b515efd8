/*
 * watch.c - what watch.c promises: each way to change a file is noticed, at once
 * where inotify tells of it and else within half a minute; a file that is being
 * written is left alone; and neither a busy directory nor a storm of signals
 * costs much.
 *
 * Files and inotify are real, and time is a variable.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/os.h"
#include "sys/watch.h"
#include "tests/test.h"

static char directory[64];
static struct watched w;
static int64_t now;
static bool no_inotify;
static char key_file[96], ca_file[96];
static struct conf_server server;
static struct conf conf;

/* These stand for os.c, and a kernel without inotify. */
int
wait_changes(void)
{
	return no_inotify ? -1 : inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

int
wait_for(struct pollfd *p, int n, int64_t ns)
{
	(void)p;
	(void)n;
	(void)ns;
	return 0;
}

static void
put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	size_t n = strlen(text);

	assert_true(fd >= 0 && write(fd, text, n) == (ssize_t)n);
	(void)close(fd);
}

static int
enter(void **state)
{
	(void)state;
	now = 1000 * S;
	no_inotify = false;
	strcpy(directory, "/tmp/ntpd-watch-XXXXXX");
	memset(&conf, 0, sizeof conf);
	return mkdtemp(directory) == NULL || chdir(directory) != 0;
}

static int
leave(void **state)
{
	char command[128];

	(void)state;
	if (w.fd >= 0)
		(void)close(w.fd);
	(void)snprintf(command, sizeof command, "rm -rf %s", directory);
	return chdir("/") != 0 || system(command) != 0;
}

static bool
hears(void)
{
	struct pollfd p = { w.fd, POLLIN, 0 };

	return watch_listens(&w) && poll(&p, 1, 0) == 1;
}

/* Let so many seconds pass, as a loop does that has nothing else to do.  How
 * often has it found that the file is to be read, and how often did it wake up
 * at all? */
static int changed, woken;

static void
pass(double seconds)
{
	int64_t end = later(now, seconds);

	for (changed = woken = 0;; woken++) {
		if (hears())
			watch_told(&w, now);
		else if (watch_due(&w) <= end)
			now = watch_due(&w) > now ? watch_due(&w) : now;
		else
			break;
		changed += watch_turn(&w, now) != WATCH_REST;
	}
	now = end;
}

/* Begin to watch a file, as it is now. */
static void
begin(const char *path)
{
	watch_open(&w, path, &conf, now);
	assert_int_equal(watch_turn(&w, now), WATCH_REST);
	pass(3); /* it is read once more */
	assert_int_equal(changed, 1);
}

/* The file was changed: that is found once, and soon. */
static void
is_noticed(void)
{
	pass(3);
	assert_int_equal(changed, 1);
	pass(100);
	assert_int_equal(changed, 0);
	assert_int_equal(woken, 0);
}

static void
each_way_to_change_a_file_is_noticed(void **state)
{
	(void)state;
	put("conf", "a");
	begin("conf");
	pass(100);
	assert_int_equal(changed, 0);
	assert_int_equal(woken, 0);
	put("conf", "b");
	is_noticed();
	put("new", "c");
	assert_int_equal(rename("new", "conf"), 0);
	is_noticed();
	assert_int_equal(unlink("conf"), 0);
	is_noticed();
	put("conf", "d");
	is_noticed();
	/* also when it becomes a link, */
	assert_int_equal(mkdir("else", 0755), 0);
	put("else/conf", "e");
	assert_int_equal(symlink("else/conf", "new"), 0);
	assert_int_equal(rename("new", "conf"), 0);
	is_noticed();
}

static void
links_are_followed_to_the_file(void **state)
{
	(void)state;
	assert_int_equal(mkdir("else", 0755), 0);
	assert_int_equal(mkdir("far", 0755), 0);
	put("far/real", "a");
	assert_int_equal(symlink("../far/real", "else/link"), 0);
	assert_int_equal(symlink("else/link", "conf"), 0);
	begin("conf");
	put("far/real", "b");
	is_noticed();
	put("far/new", "c");
	assert_int_equal(rename("far/new", "far/real"), 0);
	is_noticed();
	put("else/new", "d");
	assert_int_equal(rename("else/new", "else/link"), 0);
	is_noticed();
}

/* The kubelet makes a new directory and renames one link (atomic_writer.go). */
static void
the_links_of_a_config_map_are_followed(void **state)
{
	(void)state;
	assert_int_equal(mkdir("..1", 0755), 0);
	put("..1/conf", "a");
	assert_int_equal(symlink("..1", "..data"), 0);
	assert_int_equal(symlink("..data/conf", "conf"), 0);
	begin("conf");
	for (int i = 0; i < 3; i++) {
		char name[8], file[16];

		(void)snprintf(name, sizeof name, "..%d", i + 2);
		(void)snprintf(file, sizeof file, "%s/conf", name);
		assert_int_equal(mkdir(name, 0755), 0);
		put(file, "b");
		assert_int_equal(symlink(name, "..data_tmp"), 0);
		assert_int_equal(rename("..data_tmp", "..data"), 0);
		is_noticed();
	}
}

/* A server has a key in the file "keys/key", and there is a "ca/ca". */
static void
name_others(void)
{
	(void)snprintf(key_file, sizeof key_file, "%s/keys/key", directory);
	(void)snprintf(ca_file, sizeof ca_file, "%s/ca/ca", directory);
	server.key.id = 1;
	server.key.path = key_file;
	conf = (struct conf){ .server = &server, .servers = 1,
		.cafile = ca_file };
	assert_int_equal(mkdir("keys", 0755), 0);
	assert_int_equal(mkdir("ca", 0755), 0);
	put("ca/ca", "a");
}

/* A Secret of Kubernetes has a volume of its own. */
static void
files_beside_it_are_noticed_as_well(void **state)
{
	(void)state;
	name_others();
	assert_int_equal(mkdir("keys/..1", 0755), 0);
	put("keys/..1/key", "a");
	assert_int_equal(symlink("..1", "keys/..data"), 0);
	assert_int_equal(symlink("..data/key", "keys/key"), 0);
	put("conf", "a");
	begin("conf");
	put("ca/ca", "b");
	is_noticed();
	put("keys/..1/key", "b");
	is_noticed();
	assert_int_equal(mkdir("keys/..2", 0755), 0);
	put("keys/..2/key", "b");
	assert_int_equal(symlink("..2", "keys/new"), 0);
	assert_int_equal(rename("keys/new", "keys/..data"), 0);
	is_noticed();
	put("conf", "b");
	is_noticed();
	assert_int_equal(unlink("ca/ca"), 0);
	is_noticed();
}

/* The directory of such a file was not watched before the sandbox was entered. */
static void
a_file_that_is_named_later_is_found_when_the_loop_wakes_up(void **state)
{
	struct conf later_one;

	(void)state;
	name_others();
	put("keys/key", "a");
	later_one = conf;
	memset(&conf, 0, sizeof conf);
	put("conf", "a");
	begin("conf");
	conf = later_one;
	now = later(now, 31);
	assert_int_equal(watch_turn(&w, now), WATCH_REST);
	pass(2);
	assert_int_equal(changed, 1);
	put("keys/key", "b");
	pass(32);
	assert_int_equal(changed, 1);
}

static void
a_file_that_is_being_written_is_left_alone(void **state)
{
	(void)state;
	put("conf", "a");
	begin("conf");
	for (int i = 1; i < 10; i++) {
		char text[16];

		memset(text, 'x', sizeof text);
		text[i] = '\0';
		put("conf", text);
		pass(0.9);
		assert_int_equal(changed, 0);
	}
	pass(3);
	assert_int_equal(changed, 1);
}

/* Without inotify, or where it does not tell, as in a network's file system. */
static void
without_inotify_a_look_every_half_minute_finds_it(void **state)
{
	(void)state;
	no_inotify = true;
	put("conf", "a");
	begin("conf");
	assert_false(watch_listens(&w));
	pass(3000);
	assert_in_range(woken, 99, 101);
	put("conf", "bb");
	pass(32);
	assert_int_equal(changed, 1);
}

static void
what_inotify_does_not_tell_is_found_when_the_loop_wakes_up(void **state)
{
	(void)state;
	assert_int_equal(mkdir("else", 0755), 0);
	put("conf", "a");
	put("else/conf", "b");
	begin("conf");
	/* Its directory is not watched, since no link led there. */
	assert_int_equal(symlink("else/conf", "new"), 0);
	assert_int_equal(rename("new", "conf"), 0);
	is_noticed();
	put("else/conf", "cc");
	now = later(now, 31);
	assert_int_equal(watch_turn(&w, now), WATCH_REST);
	now = later(now, 1);
	assert_int_equal(watch_turn(&w, now), WATCH_CHANGED);
	/* From then on inotify is not relied on. */
	put("else/conf", "ddd");
	pass(32);
	assert_int_equal(changed, 1);
}

static void
a_busy_directory_wakes_the_loop_rarely(void **state)
{
	int all = 0;

	(void)state;
	put("conf", "a");
	begin("conf");
	for (int i = 0; i < 3000; i++) {
		put("other", "x");
		pass(0.1);
		all += woken;
		assert_int_equal(changed, 0);
	}
	assert_in_range(all, 1, 80);
	/* The file is still found. */
	put("conf", "b");
	pass(31);
	assert_int_equal(changed, 1);
}

static void
what_is_asked_for_is_read_changed_or_not(void **state)
{
	(void)state;
	put("conf", "a");
	begin("conf");
	watch_ask(&w);
	assert_true(watch_due(&w) <= now);
	assert_int_equal(watch_turn(&w, now), WATCH_ASKED);
	assert_int_equal(watch_turn(&w, now), WATCH_REST);
	/* Somebody may just have been writing, so it is read once more. */
	pass(100);
	assert_int_equal(changed, 1);
	/* even if there is no file */
	(void)close(w.fd);
	watch_open(&w, NULL, &conf, now);
	assert_int_equal(watch_turn(&w, now), WATCH_REST);
	assert_true(watch_due(&w) == NEVER);
	watch_ask(&w);
	assert_int_equal(watch_turn(&w, now), WATCH_ASKED);
}

static void
a_storm_of_signals_takes_a_twentieth_of_a_processor(void **state)
{
	int reads = 0;
	int64_t end;

	(void)state;
	put("conf", "a");
	begin("conf");
	for (end = later(now, 10); now < end; now = later(now, 0.001)) {
		watch_ask(&w);
		if (watch_turn(&w, now) == WATCH_REST)
			continue;
		watch_rest(&w, now, now + S / 100); /* it took 10 ms */
		now += S / 100;
		reads++;
	}
	assert_in_range(reads, 45, 50);
}

static void
a_doubtful_file_is_read_once_more(void **state)
{
	(void)state;
	put("conf", "a");
	begin("conf");
	put("conf", "half");
	pass(3);
	assert_int_equal(changed, 1);
	watch_doubt(&w, now);
	pass(4.9);
	assert_int_equal(changed, 0);
	pass(0.2);
	assert_int_equal(changed, 1);
	pass(100);
	assert_int_equal(changed, 0);
	/* and if it lasts, every half minute */
	watch_doubt(&w, now);
	pass(29.9);
	assert_int_equal(changed, 0);
	pass(0.2);
	assert_int_equal(changed, 1);
}

static void
a_change_between_reading_and_watching_is_found(void **state)
{
	(void)state;
	put("conf", "a");
	watch_open(&w, "conf", &conf, now);
	put("conf", "b"); /* the same size, and perhaps the same times */
	pass(3);
	assert_int_equal(changed, 1);
}

int
main(void)
{
#define WATCH_TEST(f) cmocka_unit_test_setup_teardown(f, enter, leave)
	const struct CMUnitTest tests[] = {
		WATCH_TEST(each_way_to_change_a_file_is_noticed),
		WATCH_TEST(links_are_followed_to_the_file),
		WATCH_TEST(the_links_of_a_config_map_are_followed),
		WATCH_TEST(files_beside_it_are_noticed_as_well),
		WATCH_TEST(
		    a_file_that_is_named_later_is_found_when_the_loop_wakes_up),
		WATCH_TEST(a_file_that_is_being_written_is_left_alone),
		WATCH_TEST(without_inotify_a_look_every_half_minute_finds_it),
		WATCH_TEST(
		    what_inotify_does_not_tell_is_found_when_the_loop_wakes_up),
		WATCH_TEST(a_busy_directory_wakes_the_loop_rarely),
		WATCH_TEST(what_is_asked_for_is_read_changed_or_not),
		WATCH_TEST(a_storm_of_signals_takes_a_twentieth_of_a_processor),
		WATCH_TEST(a_doubtful_file_is_read_once_more),
		WATCH_TEST(a_change_between_reading_and_watching_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
