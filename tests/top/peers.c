/*
 * peers.c - what stays of the servers, and what changes, when the configuration
 * is read again.
 *
 * The sources are as they would be after some time: each has an address, a
 * socket, samples and counters that tell which one it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "peers.h"
#include "tests/parse.h"

static struct conf before, after;
static struct peers peers, next;
static struct helpers helpers;
static struct server server;
static int to[2 * 64];

static struct address
address_of(int i)
{
	return (struct address){ .family = 4, .bytes = { 10, 1, 0, (uint8_t)i } };
}

/* Every name has been found, and every source has been asked: number i is at
 * 10.1.0.i and has had 100 + i replies. */
static void
begin(const char *text)
{
	parse(text, &before);
	memset(&peers, 0, sizeof peers);
	memset(&helpers, 0, sizeof helpers);
	peers.conf = &before;
	peers.helpers = &helpers;
	peers.server = &server;
	assert_true(peers_make(&peers, S));
	for (int i = 0; i < peers.sources; i++) {
		struct source *s = &peers.source[i];
		struct line *l = &peers.line[s->line];
		struct address a = address_of(i);

		source_start(s, &a, S, 0, 0, 1e-6);
		s->burst = 0;
		s->interval = 500;
		s->sent = 1000 * S;
		s->due = 1500 * S;
		s->trust = TRUST_MAX;
		s->replies = 100 + (uint64_t)i;
		s->filter.samples = 1 + i;
		peers.fd[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		l->found[l->founds++] = a;
		l->lookup_due = 9000 * S;
	}
}

static void
reload(const char *text)
{
	parse(text, &after);
	memset(&next, 0, sizeof next);
	next.conf = &after;
	assert_true(peers_make(&next, 1100 * S));
	peers_reload(&peers, &next, to, 1100 * S);
	assert_ptr_equal(peers.conf, &after);
}

static int
end(void **state)
{
	(void)state;
	for (int i = 0; i < peers.sources; i++)
		if (peers.fd[i] >= 0)
			(void)close(peers.fd[i]);
	peers_unmake(&peers);
	peers_unmake(&next);
	config_free(&before);
	config_free(&after);
	return 0;
}

/* Which source each one was before, as "1 - 0". */
static const char *
were(void)
{
	static char text[256];

	text[0] = '\0';
	for (int i = 0; i < peers.sources; i++)
		(void)snprintf(text + strlen(text),
		    sizeof text - strlen(text), "%s%.*d%s", i ? " " : "",
		    peers.source[i].replies != 0,
		    peers.source[i].replies == 0 ?
			0 :
			(int)peers.source[i].replies - 100,
		    peers.source[i].replies == 0 ? "-" : "");
	return text;
}

static void
servers_that_stay_are_found_again(void **state)
{
	static const struct {
		const char *before, *after, *were;
	} table[] = {
		{ "server a\nserver b\n", "server a\nserver b\n", "0 1" },
		{ "server a\nserver b\n", "server b\nserver a\n", "1 0" },
		{ "server a\nserver b\nserver c\n", "server c\nserver x\n"
		  "server a\n", "2 - 0" },
		{ "server a\nserver b\n", "", "" },
		{ "", "server a\n", "-" },
		{ "server a\n", "server a\nserver a\n", "0 -" },
		{ "server a\nserver a\n", "server a\n", "0" },
		{ "servers p\nserver a\n", "server a\nservers p\n",
		  "8 0 1 2 3 4 5 6 7" },
		{ "servers p\n", "server p\n", "0" },
		{ "server p\n", "servers p\n", "0 - - - - - - -" },
		/* by its number, and by a number instead of a name */
		{ "server 10.1.0.0\n", "server 10.1.0.0\n", "0" },
		{ "server a\nserver b\n", "server 10.1.0.1\n", "1" },
		{ "server 10.1.0.0\n", "server 10.1.0.9\n", "-" },
		/* in the midst of it a pool loses its place */
		{ "server a\nservers p\nserver b\n", "server b\nserver "
		  "10.1.0.3\nserver a\n", "9 3 0" },
		/* what came without a key proves nothing */
		{ "server a\n", "server a key 1 \"/k\"\n", "-" },
		{ "server 10.1.0.0 key 1 \"/k\"\n", "server a\n", "-" },
		{ "server a key 1 \"/k\"\n", "server a key 2 \"/l\"\n", "0" },
		/* options make no other server of it */
		{ "server a weight 3 trusted poll 16..64 maxdistance 5\n",
		  "query from 127.0.0.1\nserver a\n", "0" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(table); i++) {
		begin(table[i].before);
		reload(table[i].after);
		assert_string_equal(were(), table[i].were);
		(void)end(NULL);
	}
}

/* The request under way, the samples, the counters: all but the options. */
static void
a_server_that_stays_keeps_all_but_its_options(void **state)
{
	struct source s;
	int fd, gone;

	(void)state;
	begin("server a weight 2\nserver b\n");
	fd = peers.fd[1];
	gone = peers.fd[0];
	s = peers.source[1];
	reload("server x\nserver b weight 9 trusted maxdistance 7\n");
	assert_int_equal(to[0], -1);
	assert_int_equal(to[1], 1);
	assert_int_equal(peers.fd[1], fd);
	assert_int_equal(peers.fd[0], -1);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	assert_int_equal(fcntl(gone, F_GETFD), -1);
	assert_int_equal(peers.source[1].weight, 9);
	assert_true(peers.source[1].trusted);
	assert_true(peers.source[1].distance_most == 7);
	s.weight = 9;
	s.trusted = true;
	s.distance_most = 7;
	assert_memory_equal(&peers.source[1], &s, sizeof s);
}

static void
a_shorter_poll_is_obeyed_at_once(void **state)
{
	(void)state;
	begin("server a\nserver b\n");
	reload("server a poll 16..64\nserver b poll 1000..2000\n");
	assert_true(peers.source[0].interval == 64);
	assert_true(peers.source[0].due == 1064 * S);
	assert_true(peers.source[1].interval == 1000);
	assert_true(peers.source[1].due == 1500 * S);
}

/* A server that was asked just before its line went away may come back. */
static void
a_new_line_waits_for_a_second(void **state)
{
	(void)state;
	begin("server a\n");
	reload("server a\nserver b\nserver 10.1.0.9\n");
	assert_true(peers.line[0].lookup_due == 9000 * S);
	assert_true(peers.line[1].lookup_due == 1101 * S);
	assert_true(peers.line[2].lookup_due == 1101 * S);
}

/* Those who have answered are enough after a while.  If all are new, that while
 * begins anew, or the first of them would set the clock alone. */
static void
the_wait_for_a_majority_begins_anew_with_new_servers(void **state)
{
	(void)state;
	begin("server a\nserver b\n");
	peers.first_sent = 50 * S;
	peers.answered = true;
	reload("server b\nserver c\n");
	assert_true(peers.first_sent == 50 * S && peers.answered);
	(void)end(NULL);
	begin("server a\nserver b\n");
	peers.first_sent = 50 * S;
	peers.answered = true;
	reload("server c\nserver d\n");
	assert_true(peers.first_sent == 0 && !peers.answered);
}

/* A child that looks up a name: its answer finds the name's line by number. */
static void
look_up(int slot, int line)
{
	peers.line[line].looking = true;
	helpers.slot[slot].fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	helpers.slot[slot].kind = HELPER_NAME;
	helpers.slot[slot].owner = line;
}

static void
lookups_go_on_only_for_names_that_stay(void **state)
{
	(void)state;
	begin("server a\nserver b\nservers p\n");
	for (int i = 0; i < 3; i++)
		look_up(i, i);
	reload("server p\nserver x\nserver b\n");
	/* a is gone, and p's child was to find the members of a pool. */
	assert_int_equal(helpers.slot[0].fd, 0);
	assert_int_equal(helpers.slot[2].fd, 0);
	assert_int_equal(helpers.slot[1].owner, 2);
	assert_true(peers.line[2].looking);
	assert_false(peers.line[0].looking);
	assert_false(peers.line[1].looking);
	(void)close(helpers.slot[1].fd);
}

/* Two names had one address, so that only the first was asked. */
static void
another_name_of_the_address_takes_its_source_over(void **state)
{
	(void)state;
	begin("server a\nserver b\n");
	peers.line[1].found[0] = address_of(0);
	peers.source[1].state = SOURCE_UNRESOLVED;
	peers.source[1].replies = 0;
	reload("server b\n");
	assert_string_equal(were(), "0");
	assert_int_equal(to[0], 0);
}

/* Links come and go all day on a host of containers, and where there is no IPv6
 * some servers are never reached.  A pool that was looked up often enough has no
 * more addresses. */
static void
a_pool_without_more_addresses_is_left_alone(void **state)
{
	(void)state;
	begin("servers p\nserver a\nserver b\n");
	memset(&next, 0, sizeof next); /* there is no reload */
	peers.source[7].state = SOURCE_UNRESOLVED;
	peers.line[0].room = 1;
	peers.line[0].lean = 7;
	peers.source[8].silent = 9;
	peers.line[2].founds = 0;
	peers.line[2].failures = 3;
	peers_anew(&peers, 1100 * S);
	assert_true(peers.line[0].lookup_due == 9000 * S);
	assert_true(peers.line[1].lookup_due == 9000 * S);
	assert_true(peers.line[2].lookup_due == 1100 * S);
	peers.line[0].lean = 6;
	peers_anew(&peers, 1200 * S);
	assert_true(peers.line[0].lookup_due == 1200 * S);
}

static void
too_many_servers_are_an_error(void **state)
{
	static char text[2048 * 16];
	size_t used = 0;

	(void)state;
	for (int i = 0; i < 1025; i++)
		used += (size_t)snprintf(text + used, sizeof text - used,
		    "servers n%d\n", i);
	begin("server a\n");
	parse(text, &after);
	memset(&next, 0, sizeof next);
	next.conf = &after;
	errno = 0;
	assert_false(peers_make(&next, S));
	assert_int_equal(errno, E2BIG);
	assert_string_equal(were(), "0");
}

int
main(void)
{
#define PEERS_TEST(f) cmocka_unit_test_teardown(f, end)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_that_stay_are_found_again),
		PEERS_TEST(a_server_that_stays_keeps_all_but_its_options),
		PEERS_TEST(a_shorter_poll_is_obeyed_at_once),
		PEERS_TEST(a_new_line_waits_for_a_second),
		PEERS_TEST(
		    the_wait_for_a_majority_begins_anew_with_new_servers),
		PEERS_TEST(lookups_go_on_only_for_names_that_stay),
		PEERS_TEST(another_name_of_the_address_takes_its_source_over),
		PEERS_TEST(a_pool_without_more_addresses_is_left_alone),
		PEERS_TEST(too_many_servers_are_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
