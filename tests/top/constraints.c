/*
 * constraints.c - what stays of the HTTPS servers, and what changes, when the
 * configuration is read again.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "constraints.h"
#include "tests/parse.h"

static struct conf before, after;
static struct constraints all, next;
static struct helpers helpers;
static char why[CONSTRAINTS_WHY];

/* Each line has answered: number i says that the time is i seconds ahead. */
static void
begin(const char *text)
{
	parse(text, &before);
	memset(&all, 0, sizeof all);
	memset(&helpers, 0, sizeof helpers);
	all.conf = &before;
	all.conf_name = "before";
	all.helpers = &helpers;
	assert_true(constraints_load_roots(&all, NULL, why));
	assert_true(constraints_make(&all, S));
	for (int i = 0; i < before.constraints; i++) {
		struct constraint *c = &all.constraint[i];
		struct constraint_answer a = { 2 * S, i * S, 0.5 };
		int index;

		if (constraint_turn(c, 2 * S, &index) == CONSTRAINT_RESOLVE) {
			constraint_resolved(c,
			    &(struct address){ .family = 4, .bytes = { 10 } },
			    1, NULL, 2 * S, 0);
			assert_int_equal(constraint_turn(c, 2 * S, &index),
			    CONSTRAINT_ASK);
		}
		assert_true(constraint_reply(c, index, &a, 2 * S, 0));
		all.asked[i * CONSTRAINT_ADDRESSES] = 100 + i;
	}
}

static bool
reload(const char *text)
{
	parse(text, &after);
	memset(&next, 0, sizeof next);
	next.conf = &after;
	next.conf_name = "after";
	if (!constraints_load_roots(&next, &all, why) ||
	    !constraints_make(&next, 100 * S))
		return false;
	constraints_reload(&all, &next, 100 * S);
	assert_ptr_equal(all.conf, &after);
	return true;
}

static int
end(void **state)
{
	(void)state;
	constraints_unmake(&next, &all);
	memset(&next, 0, sizeof next);
	constraints_unmake(&all, &next);
	memset(&all, 0, sizeof all);
	config_free(&before);
	config_free(&after);
	return 0;
}

/* Which line each one was before, by its answer and by when it was asked. */
static const char *
were(void)
{
	static char text[128];

	text[0] = '\0';
	for (int i = 0; i < after.constraints; i++) {
		const struct constraint *c = &all.constraint[i];
		char one[16] = "-";

		assert_int_equal(c->line, i);
		if (c->answered) {
			(void)snprintf(one, sizeof one, "%d",
			    (int)(c->last.ahead / S));
			assert_int_equal(all.asked[i * CONSTRAINT_ADDRESSES],
			    100 + c->last.ahead / S);
		}
		(void)snprintf(text + strlen(text),
		    sizeof text - strlen(text), "%s%s", i ? " " : "", one);
	}
	return text;
}

static void
constraints_that_stay_keep_their_answers(void **state)
{
	static const struct {
		const char *before, *after, *were;
	} table[] = {
		{ "constraint from a\nconstraint from b\n",
		  "constraint from a\nconstraint from b\n", "0 1" },
		{ "constraint from a\nconstraint from b\n",
		  "constraint from c\nconstraint from b\nconstraint from a\n",
		  "- 1 0" },
		{ "constraint from a\n", "", "" },
		{ "", "constraint from a\n", "-" },
		{ "constraint from a\n",
		  "constraint from a\nconstraint from a\n", "0 -" },
		/* asked in another way, it is another one */
		{ "constraint from a\n", "constraints from a\n", "-" },
		{ "constraint from \"https://a/x\"\n",
		  "constraint from \"https://a/y\"\n", "-" },
		{ "constraint from \"https://a\"\n",
		  "constraint from \"https://a:444\"\n", "-" },
		{ "constraint from \"https://a\"\n",
		  "constraint from \"https://a.\"\n", "-" },
		{ "constraint from \"https://a\" 10.0.0.1\n",
		  "constraint from \"https://a\" 10.0.0.2\n", "-" },
		{ "constraint from \"https://a\" 10.0.0.1\n",
		  "server x\nconstraint from \"https://a\" 10.0.0.1\n", "0" },
		{ "constraint from \"10.0.0.1\"\n",
		  "constraint from \"10.0.0.1\"\n", "0" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(table); i++) {
		begin(table[i].before);
		assert_true(reload(table[i].after));
		assert_string_equal(were(), table[i].were);
		assert_int_equal(all.bound.wanted, after.constraints > 0);
		assert_int_equal(all.bound.votes > 0,
		    strpbrk(table[i].were, "0123456789") != NULL);
		(void)end(NULL);
	}
}

static void
ask(int slot, enum helper_kind kind, int owner)
{
	helpers.slot[slot].fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	helpers.slot[slot].kind = kind;
	helpers.slot[slot].owner = owner;
}

/* An answer for a line that is gone must not become another one's. */
static void
children_find_their_line_under_its_new_number(void **state)
{
	const int each = CONSTRAINT_ADDRESSES;

	(void)state;
	begin("constraint from a\nconstraints from b\nconstraint from c\n");
	ask(0, HELPER_HTTPS, 0 * each);
	ask(1, HELPER_HTTPS, 1 * each + 5);
	ask(2, HELPER_CONSTRAINT_NAME, 2);
	ask(3, HELPER_CONSTRAINT_NAME, 0);
	ask(4, HELPER_NAME, 1); /* this is not ours */
	assert_true(reload("constraint from c\nconstraint from x\n"
	    "constraints from b\n"));
	assert_int_equal(helpers.slot[0].fd, 0);
	assert_int_equal(helpers.slot[1].owner, 2 * each + 5);
	assert_int_equal(helpers.slot[2].owner, 0);
	assert_int_equal(helpers.slot[3].fd, 0);
	assert_int_equal(helpers.slot[4].owner, 1);
	(void)close(helpers.slot[1].fd);
	(void)close(helpers.slot[2].fd);
	(void)close(helpers.slot[4].fd);
}

static void
what_is_waited_for_is_told_anew_only_after_a_change(void **state)
{
	(void)state;
	begin("constraint from a\n");
	all.waiting_said = true;
	assert_true(reload("constraint from b\n"));
	assert_false(all.waiting_said);
	(void)end(NULL);
	begin("");
	all.waiting_said = true;
	assert_true(reload("server a\n"));
	assert_true(all.waiting_said);
}

/* The file of the roots is read when it is another one, or has changed. */
static void
roots_are_read_again_when_their_file_has_changed(void **state)
{
	static const char good[] = "/etc/ssl/certs/ca-certificates.crt";
	char text[256], path[] = "/tmp/ntpd-roots-XXXXXX";
	const uint8_t *packed;
	int fd = mkstemp(path), count;

	(void)state;
	(void)snprintf(text, sizeof text, "cp %s %s", good, path);
	if (access(good, R_OK) != 0 || fd < 0 || system(text) != 0)
		skip();
	(void)snprintf(text, sizeof text, "cafile \"%s\"\n", path);
	begin(text);
	packed = all.roots->packed;
	count = all.roots->count;
	assert_ptr_equal(all.roots, &all.own_roots);
	assert_true(reload(text));
	assert_ptr_equal(all.roots->packed, packed);
	constraints_unmake(&next, &all);
	config_free(&before);
	before = after;
	all.conf = &before;
	/* other times, other bytes */
	(void)snprintf(text + 128, sizeof text - 128,
	    "awk '/BEGIN/ { n++ } n < 9' %s > %s", good, path);
	assert_int_equal(system(text + 128), 0);
	assert_true(reload(text));
	assert_true(all.roots->count < count);
	assert_ptr_equal(all.roots, &all.own_roots);
	constraints_unmake(&next, &all);
	config_free(&before);
	before = after;
	all.conf = &before;
	/* a bad one changes nothing */
	count = all.roots->count;
	assert_int_equal(ftruncate(fd, 10), 0);
	assert_false(reload(text));
	assert_non_null(strstr(why, "after:1: cafile \"/tmp/ntpd-roots-"));
	assert_int_equal(all.roots->count, count);
	config_free(&after);
	constraints_unmake(&next, &all);
	/* and none is the built-in ones */
	assert_true(reload("server a\n"));
	assert_ptr_equal(all.roots, &trust_built_in);
	(void)close(fd);
	(void)unlink(path);
}

int
main(void)
{
#define CONSTRAINTS_TEST(f) cmocka_unit_test_teardown(f, end)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(constraints_that_stay_keep_their_answers),
		CONSTRAINTS_TEST(children_find_their_line_under_its_new_number),
		CONSTRAINTS_TEST(
		    what_is_waited_for_is_told_anew_only_after_a_change),
		CONSTRAINTS_TEST(
		    roots_are_read_again_when_their_file_has_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
