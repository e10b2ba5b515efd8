/*
 * lex.c - what the text of ntpd.conf(5) is made of.  What its statements mean,
 * and all messages, are tested by files: see test_conf.py.
 */
#include "core/lex.h"
#include "tests/test.h"

static struct lex lex;
static struct conf_messages messages;

static bool
begin(const char *text)
{
	lex_begin(&lex, text, strlen(text), &messages);
	return lex_statement(&lex);
}

static int
release(void **state)
{
	(void)state;
	while (messages.count > 0)
		free(messages.message[--messages.count].text);
	free(messages.message);
	memset(&messages, 0, sizeof messages);
	return 0;
}

static void
tells_tokens_apart(void **state)
{
	static const struct {
		const char *text;
		enum lex_kind kind;
		const char *word;
	} table[] = {
		{ "", LEX_END, NULL },
		{ "# server", LEX_END, NULL },
		{ "server", LEX_WORD, "server" },
		{ "ser\\\nver", LEX_WORD, "server" },
		{ "\xef\xbb\xbfserver", LEX_WORD, "server" },
		{ "\"server\"", LEX_STRING, "server" },
		{ "'a \"b\"'", LEX_STRING, "a \"b\"" },
		{ "\"a\nb\"", LEX_STRING, "ab" },
		{ "\"a\\\"b\\c\"", LEX_STRING, "a\"b\\c" },
		{ "17", LEX_NUMBER, "17" },
		{ "-17", LEX_NUMBER, "-17" },
		{ "17s", LEX_WORD, "17s" },
		{ "-", LEX_OTHER, "-" },
		{ "/etc", LEX_OTHER, "/" },
		{ "{", LEX_OTHER, "{" },
		{ "\"open", LEX_BAD, NULL },
		{ "9223372036854775808", LEX_BAD, NULL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		/* an empty text has no statement, and no other fails to begin */
		assert_int_equal(begin(table[i].text), *table[i].text != '\0');
		if (lex.kind != table[i].kind ||
		    (table[i].word != NULL &&
			strcmp(lex.word, table[i].word) != 0))
			fail_msg("%s: %d, \"%s\"", table[i].text, lex.kind,
			    lex.word);
		assert_int_equal(messages.errors, lex.kind == LEX_BAD);
		(void)release(NULL);
	}
}

static void
numbers_reach_64_bits(void **state)
{
	(void)state;
	assert_true(begin("9223372036854775807 -9223372036854775807"));
	assert_true(lex.number == INT64_MAX);
	lex_advance(&lex);
	assert_true(lex.number == -INT64_MAX);
}

static void
a_slash_belongs_to_words_where_it_is_allowed(void **state)
{
	(void)state;
	assert_true(begin("from 192.0.2.0/24\na/b"));
	lex.slashes = true;
	lex_advance(&lex);
	assert_string_equal(lex.word, "192.0.2.0/24");
	lex_skip(&lex);
	/* the next statement must allow it for itself */
	assert_true(lex_statement(&lex));
	assert_string_equal(lex.word, "a");
}

static void
tells_line_and_column(void **state)
{
	(void)state;
	assert_true(begin("a\r\n\t b c"));
	lex_skip(&lex);
	assert_true(lex_statement(&lex));
	assert_string_equal(lex.word, "b");
	lex_expected(&lex, "something else");
	/* the line says nothing more */
	lex_expected(&lex, "something else");
	lex_advance(&lex);
	assert_int_equal(lex.kind, LEX_BAD);
	assert_int_equal(messages.count, 1);
	assert_int_equal(messages.message[0].line, 2);
	assert_int_equal(messages.message[0].column, 3);
	assert_string_equal(messages.message[0].text,
	    "syntax error: found \"b\", expected something else");
	lex_skip(&lex);
	assert_false(lex_statement(&lex));
}

/* A quote that was forgotten swallows the next line, which is read again. */
static void
goes_on_behind_the_line_of_an_open_quote(void **state)
{
	(void)state;
	assert_true(begin("a \"b\nc d\ne \"f"));
	lex_advance(&lex);
	lex_advance(&lex);
	assert_string_equal(lex.word, "f");
	lex_expected(&lex, "end of line");
	assert_int_equal(messages.message[0].line, 1);
	assert_int_equal(messages.message[0].column, 3);
	lex_skip(&lex);
	assert_true(lex_statement(&lex));
	assert_string_equal(lex.word, "c");
	assert_int_equal(lex.token.line, 2);
}

static void
reads_numbers_up_to_a_limit(void **state)
{
	const char *s = "65535.";

	(void)state;
	assert_true(lex_digits(&s, 65535) == 65535);
	assert_int_equal(*s, '.');
	assert_true(lex_digits(&s, 65535) == -1);
	s = "65536";
	assert_true(lex_digits(&s, 65535) == -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_tokens_apart),
		cmocka_unit_test(numbers_reach_64_bits),
		cmocka_unit_test(a_slash_belongs_to_words_where_it_is_allowed),
		cmocka_unit_test_teardown(tells_line_and_column, release),
		cmocka_unit_test_teardown(
		    goes_on_behind_the_line_of_an_open_quote, release),
		cmocka_unit_test(reads_numbers_up_to_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
