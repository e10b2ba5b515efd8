/*
 * word.c - what word.c promises, and that each row of words has as many as its
 * enum has values: else its last word would be another one.
 */
#include "core/http.h"
#include "core/ntp.h"
#include "core/nts.h"
#include "core/resolv.h"
#include "core/select.h"
#include "core/sensor.h"
#include "core/source.h"
#include "core/word.h"
#include "serve/serve.h"
#include "tests/test.h"
#include "tls.h"

static void
words_are_found_by_number(void **state)
{
	static const char row[] = "zero\0\0two";

	(void)state;
	assert_string_equal(word_at(row, 0), "zero");
	assert_string_equal(word_at(row, 1), "");
	assert_string_equal(word_at(row, 2), "two");
}

static void
each_row_ends_with_the_word_of_the_last_value(void **state)
{
	(void)state;
	assert_string_equal(word_at(source_words, SAID_DATES),
	    "outside of its certificate's dates");
	assert_string_equal(word_at(source_words, SAID_DENY), "kiss DENY");
	assert_string_equal(word_at(select_words, SELECT_SYSTEM), "system");
	assert_string_equal(
	    word_at(sensor_words, SENSOR_BOUND), "constraint check failed");
	assert_string_equal(word_at(http_words, HTTP_GAVE_UP),
	    "server gave up before the request came (status 408)");
	assert_string_equal(word_at(resolv_words, RESOLV_FOREIGN), "nothing");
	assert_string_equal(word_at(resolv_words, RESOLV_RCODE),
	    "an unknown error");
	assert_string_equal(
	    word_at(nts_words, NTS_FORGED), "changed on the way");
	assert_string_equal(word_at(ntp_refusal_words, REFUSED_VERSION),
	    "version");
	assert_string_equal(word_at(serve_words, DROP_KEY), "key");
	assert_string_equal(word_at(tls_words, TLS_STORED), "stored date");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_found_by_number),
		cmocka_unit_test(each_row_ends_with_the_word_of_the_last_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
