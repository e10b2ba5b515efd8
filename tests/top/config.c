/*
 * config.c - what config.c promises to the other rooms: the defaults, and
 * messages that can be found.  The language itself is tested by files, see
 * test_conf.py.
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
		cmocka_unit_test_teardown(forgets_the_text, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
