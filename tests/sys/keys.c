/*
 * keys.c - what keys.c promises: keys come from files, and are never told.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "sys/keys.h"
#include "tests/parse.h"

#define SECRET "5ec2e75ec2e75ec2e75ec2e75ec2e71c"

static char path[] = "/tmp/ntpd-key-XXXXXX", text[256], why[400];
static struct conf conf;

static int
setup(void **state)
{
	int fd;

	(void)state;
	(void)strcpy(path + strlen(path) - 6, "XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)snprintf(text, sizeof text,
	    "server a\nserver b key 1 \"%s\"\nlisten on * key 2 \"" SECRET
	    "\" key 3 \"%s\"\n", path, path);
	parse(text, &conf);
	why[0] = '\0';
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	config_free(&conf);
	(void)unlink(path);
	return 0;
}

static void
write_key(const char *s)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	(void)fputs(s, f);
	assert_int_equal(fclose(f), 0);
}

static bool
loads(void)
{
	return keys_load(&conf, "/etc/x.conf", why, sizeof why);
}

static void
files_fill_all_their_keys(void **state)
{
	uint8_t secret[16];

	(void)state;
	(void)unhex(SECRET, secret);
	write_key(SECRET "\n");
	assert_true(loads());
	assert_int_equal(conf.server[0].key.size, 0);
	assert_memory_equal(conf.server[1].key.secret, secret, 16);
	assert_memory_equal(conf.key[0].secret, secret, 16);
	assert_memory_equal(conf.key[1].secret, secret, 16);
	assert_int_equal(conf.key[1].size, 16);
	assert_null(keys_file(&conf, 0));
	assert_string_equal(keys_file(&conf, 1), path);
	assert_null(keys_file(&conf, 2));
	assert_string_equal(keys_file(&conf, 3), path);
}

static void
bad_file_is_named_with_line_and_remedy(void **state)
{
	(void)state;
	write_key(SECRET "5ec2e7");
	assert_false(loads());
	assert_non_null(strstr(why, "/etc/x.conf:2: key file /tmp/ntpd-key-"));
	assert_non_null(strstr(why, "openssl rand -hex 16"));
	assert_null(strstr(why, "5ec2"));
	assert_int_equal(truncate(path, KEY_TEXT + 1), 0);
	assert_false(loads());
	assert_non_null(strstr(why, "larger than 1024 bytes"));
	assert_int_equal(unlink(path), 0);
	assert_false(loads());
	assert_non_null(strstr(why, "No such file"));
	assert_int_equal(mkdir(path, 0700), 0);
	assert_false(loads());
	assert_int_equal(rmdir(path), 0);
}

/* They are not read: what is in them is no business of this. */
static void
sum_tells_that_a_file_has_changed(void **state)
{
	struct conf others = conf;
	uint64_t first, second, none;

	(void)state;
	write_key(SECRET "\n");
	first = keys_sum(&conf);
	assert_true(keys_sum(&conf) == first);
	write_key(SECRET "5ec2e7");
	second = keys_sum(&conf);
	assert_false(second == first);
	assert_int_equal(unlink(path), 0);
	none = keys_sum(&conf);
	assert_false(none == second);
	assert_true(keys_sum(&conf) == none);
	others.cafile = "/etc/passwd";
	assert_false(keys_sum(&others) == none);
}

static void
each_file_beside_the_configuration_is_told_once(void **state)
{
	static const char lines[] = "server a key 1 \"/1\"\n"
				    "server b key 1 \"/1\"\nserver c\n"
				    "listen on * key 2 \"/2\"\n";
	struct conf c;

	(void)state;
	assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
	parse(lines, &c);
	assert_string_equal(keys_beside(&c, 0), "/1");
	assert_null(keys_beside(&c, 1));
	assert_null(keys_beside(&c, 2));
	assert_string_equal(keys_beside(&c, 3), "/2");
	assert_null(keys_beside(&c, 4));
	assert_int_equal(setenv("SSL_CERT_FILE", "/env", 1), 0);
	assert_string_equal(keys_beside(&c, 4), "/env");
	c.cafile = "/ca";
	assert_string_equal(keys_beside(&c, 4), "/ca");
	assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
	config_free(&c);
}

int
main(void)
{
#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		FILE_TEST(files_fill_all_their_keys),
		FILE_TEST(bad_file_is_named_with_line_and_remedy),
		FILE_TEST(sum_tells_that_a_file_has_changed),
		FILE_TEST(each_file_beside_the_configuration_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
