/*
 * config.c - what config.c promises to the other rooms: the defaults, and
 * messages that can be found; and the limits of the language.  What its
 * statements mean is tested by files, see conf.sh and test_conf.py.
 */
#include "config.h"
#include "core/conf.h"
#include "tests/test.h"

static struct conf conf;
static struct conf_messages messages;

static bool
parse(const char *text)
{
	return config_parse(text, strlen(text), &conf, &messages);
}

static int
release(void **state)
{
	(void)state;
	config_free(&conf);
	config_free_messages(&messages);
	return 0;
}

/* ntpd.conf(5) names them. */
static void
has_the_manuals_defaults(void **state)
{
	(void)state;
	assert_true(parse("server a\nmetrics on *\nlisten on *\n"
	    "constraint from a\n"));
	assert_int_equal(conf.server[0].weight, 1);
	assert_true(conf.server[0].poll_least == 0);
	assert_true(conf.server[0].poll_most == 0);
	assert_int_equal(conf.metrics[0].port, 9559);
	assert_int_equal(conf.listen[0].port, 123);
	assert_int_equal(conf.constraint[0].port, 443);
	assert_string_equal(conf.constraint[0].path, "/");
	assert_true(conf.ready_within == 1);
	assert_true(conf.limit_rate == 10000);
	assert_int_equal(conf.limit_burst, 40000);
	assert_null(conf.driftfile);
	assert_null(conf.cafile);
	assert_int_equal(conf.allows, 0);
	assert_int_equal(messages.count, 0);
}

static void
burst_follows_rate(void **state)
{
	static const struct {
		const char *text;
		double rate;
		int burst;
	} table[] = {
		{ "limit rate 1", 1, 4 },
		{ "limit rate 250000", 250000, 1000000 },
		{ "limit rate 250001", 250001, 1000000 },
		{ "limit rate 7 burst 1", 7, 1 },
		{ "limit rate 7 burst 1\nlimit rate 9", 9, 36 },
	};
	size_t i;

	for (i = 0; i < LEN(table); i++) {
		assert_true(parse(table[i].text));
		assert_true(conf.limit_rate == table[i].rate);
		assert_int_equal(conf.limit_burst, table[i].burst);
		(void)release(state);
	}
}

static void
reads_decimals_as_the_compiler_does(void **state)
{
	static const struct {
		const char *text;
		double value;
	} table[] = {
		{ "ready within 0.1", 0.1 },
		{ "ready within 0.3", 0.3 },
		{ "ready within 123.456", 123.456 },
		{ "ready within 0.0010000000001", 0.0010000000001 },
		{ "ready within 00005.50000", 5.5 },
		{ "ready within 7", 7 },
	};
	size_t i;

	for (i = 0; i < LEN(table); i++) {
		assert_true(parse(table[i].text));
		assert_true(conf.ready_within == table[i].value);
		(void)release(state);
	}
}

static void
places_messages(void **state)
{
	(void)state;
	assert_false(parse("server 1:2\n\n\t server a  weight\t11 \n"
	    "server b\nx"));
	assert_int_equal(messages.count, 3);
	assert_int_equal(messages.errors, 2);
	assert_true(messages.message[0].warning);
	assert_int_equal(messages.message[0].line, 1);
	assert_int_equal(messages.message[0].column, 8);
	assert_false(messages.message[1].warning);
	assert_int_equal(messages.message[1].line, 3);
	assert_int_equal(messages.message[1].column, 20);
	assert_string_equal(messages.message[1].text,
	    "weight must be between 1 and 10: found \"11\"");
	assert_int_equal(messages.message[2].line, 5);
	assert_int_equal(messages.message[2].column, 1);
}

static void
does_not_read_beyond_the_text(void **state)
{
	static const char text[] = "server a\nserver b weight 2\nserver c";
	size_t size;

	for (size = 0; size < sizeof(text); size++) {
		(void)config_parse(text, size, &conf, &messages);
		(void)release(state);
	}
	/* The end of the text ends a number as well. */
	assert_true(config_parse("server a weight 10", 17, &conf, &messages));
	assert_int_equal(conf.server[0].weight, 1);
}

static void
takes_no_text_at_all(void **state)
{
	(void)state;
	assert_true(config_parse("", 0, &conf, &messages));
	assert_int_equal(messages.count, 1);
	assert_true(messages.message[0].warning);
	assert_string_equal(messages.message[0].text, "no servers configured");
	config_free_messages(&messages);
	config_free(&conf);
	assert_true(config_parse(NULL, 0, &conf, &messages));
	assert_int_equal(messages.count, 1);
}

/* Each part alone: it is that of the other one, and the rest is not. */
static void
parts_of_another_one_are_retained(void **state)
{
	static const char old[] = "user a\nstrict\ndriftfile \"/d\"\ncafile "
	    "\"/c\"\nconstraint from \"https://h:444/p\" 10.0.0.1\n"
	    "metrics on 127.0.0.1 port 4\nmetrics on m.example\n"
	    "clockbound on\n";
	struct conf from;

	for (unsigned part = 1; part < 1u << CONF_PARTS; part <<= 1) {
		assert_true(config_parse(old, strlen(old), &from, &messages));
		config_free_messages(&messages);
		assert_true(parse("server s\nlisten on *\n"));
		assert_true(config_retain(&conf, &from, part));
		config_free(&from); /* they are copies */
		assert_int_equal(conf.servers, 1);
		assert_int_equal(conf.user != NULL, part == CONF_USER);
		assert_int_equal(conf.strict, part == CONF_STRICT);
		assert_int_equal(
		    conf.driftfile != NULL, part == CONF_DRIFTFILE);
		assert_int_equal(conf.cafile != NULL, part == CONF_CAFILE);
		assert_int_equal(
		    conf.clockbound != NULL, part == CONF_CLOCKBOUND);
		assert_int_equal(
		    conf.constraints, part == CONF_CONSTRAINTS ? 1 : 0);
		assert_int_equal(conf.metricses, part == CONF_METRICS ? 2 : 0);
		assert_int_equal(conf.listens, part == CONF_LISTEN ? 0 : 1);
		if (part == CONF_CONSTRAINTS) {
			assert_string_equal(conf.constraint[0].host, "h");
			assert_string_equal(conf.constraint[0].path, "/p");
			assert_int_equal(conf.constraint[0].port, 444);
			assert_int_equal(conf.constraint[0].addresses, 1);
		}
		if (part == CONF_METRICS)
			assert_string_equal(conf.metrics[1].name, "m.example");
		(void)release(state);
	}
}

static void
may_be_freed_twice(void **state)
{
	assert_true(parse("server a\n"));
	(void)release(state);
	assert_int_equal(conf.servers, 0);
	assert_int_equal(messages.count, 0);
	(void)release(state);
}

static void
forgets_the_text(void **state)
{
	char text[] = "server a\nconstraint from \"https://b/c\"\n"
	    "driftfile \"d\"\nmetrics on e\n";

	(void)state;
	assert_true(parse(text));
	memset(text, 'x', sizeof(text) - 1);
	assert_string_equal(conf.server[0].name, "a");
	assert_string_equal(conf.constraint[0].host, "b");
	assert_string_equal(conf.constraint[0].path, "/c");
	assert_string_equal(conf.driftfile, "d");
	assert_string_equal(conf.metrics[0].name, "e");
}

/* Parse a text that is made of a format and a word of so many letters. */
static bool
parse_long(const char *format, size_t letters)
{
	static char text[12000], word[9000];

	memset(word, 'a', letters);
	word[letters] = '\0';
	(void)snprintf(text, sizeof text, format, word);
	return parse(text);
}

static void
words_and_names_end_at_their_limits(void **state)
{
	static const struct {
		const char *format;
		size_t most;
		const char *said; /* how the message about one more begins */
	} table[] = {
		{ "server x\nsensor %s\n", 8095, "string too long" },
		{ "server x\nsensor \"%s\"\n", 8095, "string too long" },
		{ "server x\nsensor '%s'", 8095, "string too long" },
		{ "server %s", 253, "IPv4 or IPv6 address or hostname" },
		{ "listen on %s\n", 253, "IPv4 or IPv6 address or hostname" },
		{ "constraint from %s\n", 253, "syntax error" },
		{ "constraint from \"https://%s:5/\"\n", 253, "syntax error" },
		/* The "/" before it is the first of 1023 bytes. */
		{ "constraint from \"https://a/%s\"\n", 1022, "syntax error" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		if (!parse_long(table[i].format, table[i].most))
			fail_msg("%s: %s", table[i].format,
			    messages.message[0].text);
		(void)release(state);
		if (parse_long(table[i].format, table[i].most + 1))
			fail_msg("%s", table[i].format);
		assert_int_equal(messages.errors, 1);
		if (messages.message[0].warning ||
		    strncmp(messages.message[0].text, table[i].said,
			strlen(table[i].said)) != 0)
			fail_msg("%s: %s", table[i].format,
			    messages.message[0].text);
		(void)release(state);
	}
}

static void
takes_so_many_statements_and_no_more(void **state)
{
	static const struct {
		const char *line;
		int most;
	} table[] = {
		{ "server a\n", 4096 }, { "servers 192.0.2.1\n", 4096 },
		{ "sensor a\n", 64 }, { "constraint from a\n", 64 },
		{ "constraints from a\n", 64 }, { "listen on a\n", 64 },
		{ "metrics on a\n", 64 }, { "allow from ::1\n", 1024 },
	};
	static char text[4097 * 24];
	size_t i;
	int n;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		size_t size = strlen(table[i].line);

		for (n = 0; n <= table[i].most; n++)
			memcpy(text + size * (size_t)n, table[i].line, size);
		assert_true(config_parse(text, size * (size_t)table[i].most,
		    &conf, &messages));
		assert_int_equal(conf.servers + conf.sensors +
		    conf.constraints + conf.listens + conf.metricses +
		    conf.allows, table[i].most);
		(void)release(state);
		assert_false(config_parse(text, size * (size_t)n, &conf,
		    &messages));
		assert_int_equal(messages.errors, 1);
		assert_int_equal(messages.message[0].line, n);
		assert_non_null(strstr(messages.message[0].text,
		    "too many of these statements"));
		(void)release(state);
	}
}

static void
takes_any_number_of_statements_that_replace_each_other(void **state)
{
	static const char line[] = "query from ::1\ndriftfile \"/a\"\n"
	    "cafile \"/b\"\nready within 1\nlimit rate 5\n";
	static char text[5000 * sizeof line];
	size_t n;

	(void)state;
	for (n = 0; n < 5000; n++)
		memcpy(text + n * strlen(line), line, strlen(line));
	memcpy(text + n * strlen(line), "server a\n", 9);
	assert_true(config_parse(text, n * strlen(line) + 9, &conf, &messages));
	assert_int_equal(messages.count, 0);
}

static void
says_a_thousand_things_and_no_more(void **state)
{
	static const struct {
		const char *line;
		int lines, count, errors;
		const char *last;
	} table[] = {
		{ "x\n", 1000, 1000, 1000, "syntax error: found \"x\"" },
		{ "x\n", 2000, 1001, 1001, "too many errors" },
		{ "server a:b:c\n", 2000, 1000, 0, "\"a:b:c\" is no address" },
	};
	static char text[2000 * 16];
	size_t i;
	int n;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		size_t size = strlen(table[i].line);
		const struct conf_message *last;

		for (n = 0; n < table[i].lines; n++)
			memcpy(text + size * (size_t)n, table[i].line, size);
		assert_int_equal(config_parse(text, size * (size_t)n, &conf,
		    &messages), table[i].errors == 0);
		assert_int_equal(messages.count, table[i].count);
		assert_int_equal(messages.errors, table[i].errors);
		last = &messages.message[messages.count - 1];
		assert_int_equal(last->line, messages.count);
		assert_int_equal(strncmp(last->text, table[i].last,
		    strlen(table[i].last)), 0);
		(void)release(state);
	}
}

/* Each byte is tried at the beginning of a bare word and within one. */
static void
words_hold_what_the_manual_says(void **state)
{
	static const char begin[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_*";
	static const char apart[] = "(){}<>!=/,";
	char text[] = "server ?a\n", inside[] = "server a?b\n";
	int c;

	(void)state;
	for (c = 1; c < 256; c++) {
		if (strchr("\\\"'\n \t", c) == NULL) {
			text[7] = (char)c;
			if (parse(text) != (strchr(begin, c) != NULL))
				fail_msg("at the beginning: byte %d", c);
			(void)release(state);
		}
		if (strchr("\\\n", c) != NULL)
			continue;
		inside[8] = (char)c;
		/* Blanks and quotes begin another word, which is an error.
		 * A "#" is either in the word or begins a comment. */
		if (parse(inside) != (c > ' ' && c < 0x7f &&
		    strchr(apart, c) == NULL))
			fail_msg("inside: byte %d", c);
		(void)release(state);
	}
}

/* A byte that begins no word is named, but not shown if a terminal might obey
 * it. */
static void
names_the_byte_that_begins_no_word(void **state)
{
	char text[] = "?\n", want[80];
	int c;

	(void)state;
	for (c = 0; c < 256; c++) {
		if (c < 128 && (strchr("\\\"'#\n \t\r:_*-", c) != NULL ||
		    (c >= '0' && c <= '9') || ((c | 32) >= 'a' &&
		    (c | 32) <= 'z')) && c != '\0')
			continue;
		text[0] = (char)c;
		assert_false(config_parse(text, 2, &conf, &messages));
		if (c == 0)
			strcpy(want, "syntax error: found a NUL byte, ");
		else
			(void)snprintf(want, sizeof want, c > ' ' && c < 0x7f ?
			    "syntax error: found \"%c\", " :
			    "syntax error: found byte 0x%02x, ", c);
		if (strncmp(messages.message[0].text, want,
		    strlen(want)) != 0)
			fail_msg("byte %d: %s", c, messages.message[0].text);
		(void)release(state);
	}
}

static void
hosts_of_constraints_may_end_with_a_dot(void **state)
{
	static const struct {
		const char *text, *host; /* NULL: an error */
		bool rooted;
	} table[] = {
		{ "constraint from \"https://a.b/\"", "a.b", false },
		{ "constraint from \"https://a.b./\"", "a.b", true },
		{ "constraint from a.", "a", true },
		{ "constraint from \"https://./\"", NULL, false },
		{ "constraint from \"https://a../\"", NULL, false },
		{ "constraint from \"https://.a/\"", NULL, false },
		{ "constraint from \"https://a..b/\"", NULL, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		if (parse(table[i].text) != (table[i].host != NULL))
			fail_msg("%s", table[i].text);
		if (table[i].host != NULL) {
			assert_string_equal(conf.constraint[0].host,
			    table[i].host);
			assert_int_equal(conf.constraint[0].rooted,
			    table[i].rooted);
		}
		(void)release(state);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(has_the_manuals_defaults, release),
		cmocka_unit_test_teardown(burst_follows_rate, release),
		cmocka_unit_test_teardown(reads_decimals_as_the_compiler_does,
		    release),
		cmocka_unit_test_teardown(places_messages, release),
		cmocka_unit_test_teardown(does_not_read_beyond_the_text,
		    release),
		cmocka_unit_test_teardown(takes_no_text_at_all, release),
		cmocka_unit_test_teardown(may_be_freed_twice, release),
		cmocka_unit_test_teardown(parts_of_another_one_are_retained, release),
		cmocka_unit_test_teardown(forgets_the_text, release),
		cmocka_unit_test_teardown(words_and_names_end_at_their_limits,
		    release),
		cmocka_unit_test_teardown(takes_so_many_statements_and_no_more,
		    release),
		cmocka_unit_test_teardown(
		    takes_any_number_of_statements_that_replace_each_other,
		    release),
		cmocka_unit_test_teardown(says_a_thousand_things_and_no_more,
		    release),
		cmocka_unit_test_teardown(words_hold_what_the_manual_says,
		    release),
		cmocka_unit_test_teardown(names_the_byte_that_begins_no_word,
		    release),
		cmocka_unit_test_teardown(
		    hosts_of_constraints_may_end_with_a_dot, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
