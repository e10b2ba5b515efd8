/*
 * resolv.c - files, bytes, and who is asked what and when: whole lookups
 * with name servers that answer by a table, in simulated time.
 */
#include "core/address.h"
#include "core/resolv.h"
#include "core/word.h"
#include "tests/test.h"

#define MS 1000000LL
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

/* ------------------------------------------------------------ whole lookups */

/* short, for the tables */
#define GOOD RESOLV_FOUND
#define NX RESOLV_NXDOMAIN
#define NODATA RESOLV_NODATA
#define SERVFAIL RESOLV_SERVFAIL
#define REFUSED RESOLV_REFUSED
#define NOTIMP RESOLV_NOTIMP
#define FORMERR RESOLV_FORMERR
#define SILENT RESOLV_SILENT
#define CUT RESOLV_CUT
#define BROKEN RESOLV_BROKEN
#define MALFORMED RESOLV_MALFORMED

/* What is said after so many ms of a name, both halves of which may differ, by
 * a server (-1: by each).  The first rule that fits holds; else NXDOMAIN after
 * one ms. */
struct rule {
	const char *name; /* NULL: all */
	int server;
	enum resolv_said said[2];
	int ms[2];
};

/* the half whose addresses have no way to them, or -1 */
static int distant = -1;
/* of the name, so far */
static int failures;

/* How a lookup ended. */
struct outcome {
	char name[RESOLV_NAME]; /* that counts, or "" */
	int four, six;		/* addresses */
	int ms, queries;
	enum resolv_said why;
};

struct event {
	int64_t at;
	struct resolv_step step;
	enum resolv_said said;
};

static const struct rule *
rule_for(const struct rule *r, int n, const char *name, int server)
{
	static const struct rule none = { .said = { NX, NX }, .ms = { 1, 1 } };

	for (; n > 0; n--, r++)
		if ((r->name == NULL || strcmp(r->name, name) == 0) &&
		    (r->server < 0 || r->server == server))
			return r;
	return &none;
}

static struct outcome
look_up(const char *conf, const char *name, const struct rule *rules, int n)
{
	static struct event event[1000];
	static struct resolv r;
	struct resolv_found found = { .addresses = 1 };
	struct outcome out = { 0 };
	const struct resolv_name *best;
	int64_t now = 5 * MS, next;
	struct resolv_conf c;
	struct resolv_step step;
	enum resolv_want want;
	int events = 0, i;

	resolv_conf(conf, strlen(conf), &c);
	resolv_begin(&r, &c, name, failures, now);
	while ((want = resolv_next(&r, now, &step)) != RESOLV_DONE) {
		const struct rule *rule;

		if (want == RESOLV_ASK) {
			out.queries++;
			rule = rule_for(rules, n, r.name[step.name].text,
			    step.server);
			if (rule->said[step.half] == SILENT)
				continue;
			assert_true(events < COUNT(event));
			event[events++] = (struct event){
				now + rule->ms[step.half] * MS, step,
				rule->said[step.half] };
			continue;
		}
		assert_true(step.due > now); /* no busy loop */
		next = step.due;
		for (i = 0; i < events; i++)
			if (event[i].at < next)
				next = event[i].at;
		now = next;
		for (i = 0; i < events; i++)
			if (event[i].at <= now) {
				/* Only a good answer has one. */
				found.addresses = event[i].said == GOOD;
				found.address[0].family =
				    event[i].step.half == 0 ? 4 : 6;
				found.distant = event[i].step.half == distant;
				resolv_heard(&r, &event[i].step, event[i].said,
				    &found, now);
				event[i].at = NEVER;
			}
	}
	out.ms = (int)((now - 5 * MS) / MS);
	best = resolv_result(&r, &step);
	if (best != NULL) {
		strcpy(out.name, best->text);
		out.four = best->found[0].addresses;
		out.six = best->found[1].addresses;
	} else
		out.why = r.name[step.name].probe[step.half][step.server].said;
	return out;
}

#define ONE "nameserver 10.0.0.1\n"
#define TWO ONE "nameserver 10.0.0.2\n"
#define POD ONE                                                                \
	"search ntp.svc.cluster.local svc.cluster.local cluster.local "        \
	"corp.example\noptions ndots:5\n"

/* Whatever one half (A or AAAA) says, the good answer of the other is used. */
static void
a_good_half_is_used(void **state)
{
	static const enum resolv_said bad[] = { NX, NODATA, SERVFAIL, REFUSED,
		NOTIMP, FORMERR, RESOLV_RCODE, MALFORMED, BROKEN, SILENT };
	int i, half;

	(void)state;
	for (i = 0; i < COUNT(bad); i++)
		for (half = 0; half < 2; half++) {
			struct rule r = { "a.test", -1, { GOOD, GOOD },
				{ 20, 20 } };
			struct outcome o;

			r.said[half] = bad[i];
			r.ms[half] = 1; /* sooner than the good one */
			o = look_up(ONE, "a.test", &r, 1);
			assert_string_equal(o.name, "a.test");
			assert_int_equal(o.four, half == 1);
			assert_int_equal(o.six, half == 0);
			/* at once, or after a short grace */
			assert_in_range(
			    o.ms, 20, bad[i] == SILENT ? 1000 : 20);
			r.ms[half] = 40; /* later */
			o = look_up(ONE, "a.test", &r, 1);
			assert_int_equal(o.four + o.six, 1);
			assert_in_range(o.ms, 20, bad[i] == SILENT ? 1000 : 40);
		}
}

static void
both_halves_are_taken_when_they_come(void **state)
{
	static const struct rule near = { NULL, -1, { GOOD, GOOD }, { 5, 300 } },
		slow = { NULL, -1, { GOOD, GOOD }, { 7000, 7100 } };
	struct outcome o = look_up(ONE, "a.test", &near, 1);

	(void)state;
	assert_int_equal(o.four, 1);
	assert_int_equal(o.six, 1);
	assert_int_equal(o.queries, 2);
	o = look_up(ONE, "a.test", &slow, 1); /* the resolver takes 7 s */
	assert_int_equal(o.four, 1);
	assert_int_equal(o.six, 1);
}

/* An AAAA that comes first, on a host without IPv6, is not all there is. */
static void
addresses_without_a_way_are_not_enough(void **state)
{
	struct rule r = { NULL, -1, { GOOD, GOOD }, { 3000, 5 } };
	struct outcome o;

	(void)state;
	distant = 1;
	o = look_up(ONE, "a.test", &r, 1);
	assert_int_equal(o.four, 1);
	assert_int_equal(o.ms, 3000);
	r.said[0] = SILENT; /* they are better than none */
	o = look_up(ONE, "a.test", &r, 1);
	assert_int_equal(o.six, 1);
	assert_in_range(o.ms, 5000, 6000);
	r.said[0] = NODATA;
	o = look_up(ONE, "a.test", &r, 1);
	distant = -1;
	assert_int_equal(o.six, 1);
	assert_int_equal(o.ms, 3000);
}

/* An outage must not make a storm of a pod's six candidates. */
static void
name_servers_are_spared_once_a_name_failed(void **state)
{
	static const int most[] = { 30, 4, 4, 4, 10 };
	struct rule silent = { NULL, -1, { SILENT, SILENT }, { 0, 0 } };
	struct rule good = { "a.test", -1, { GOOD, NODATA }, { 5, 5 } };
	struct outcome o;

	(void)state;
	for (failures = 0; failures < COUNT(most); failures++) {
		o = look_up(POD, "a.test", &silent, 1);
		assert_in_range(o.queries, 2, most[failures]);
		assert_in_range(o.ms, 0, 20000);
		/* a server that answers is asked as before */
		o = look_up(POD, "a.test", &good, 1);
		assert_string_equal(o.name, "a.test");
		assert_in_range(o.ms, 0, 20);
		assert_int_equal(o.queries, 10);
	}
	failures = 0;
}

/* What a name says in both halves, without addresses anywhere. */
static void
a_failure_ends_and_tells_why(void **state)
{
	static const struct {
		enum resolv_said said;
		int ms_most;
	} each[] = { { NX, 10 }, { NODATA, 10 }, { SERVFAIL, 10 },
		{ REFUSED, 10 }, { BROKEN, 10 }, { MALFORMED, 10 },
		{ SILENT, 10000 } };
	int i;

	(void)state;
	for (i = 0; i < COUNT(each); i++) {
		struct rule r = { NULL, -1, { each[i].said, each[i].said },
			{ 1, 1 } };
		struct outcome o = look_up(ONE, "a.test", &r, 1);

		assert_string_equal(o.name, "");
		assert_int_equal(o.why, each[i].said);
		assert_in_range(o.ms, 0, each[i].ms_most);
		assert_in_range(o.queries, 2, 6);
		/* and a pod's five candidates within DNS_PATIENCE */
		o = look_up(POD, "a.test", &r, 1);
		assert_string_equal(o.name, "");
		assert_int_equal(o.why, each[i].said);
		assert_in_range(o.ms, 0, 20000);
		assert_in_range(o.queries, 10, 30);
	}
}

/* The absolute name is found whatever a search domain says. */
static void
a_search_domain_hides_nothing(void **state)
{
	static const enum resolv_said bad[] = { NX, NODATA, SERVFAIL, REFUSED,
		NOTIMP, FORMERR, MALFORMED, BROKEN, SILENT };
	int i, half;

	(void)state;
	for (i = 0; i < COUNT(bad); i++)
		for (half = 0; half < 3; half++) {
			struct rule r[2] = {
				{ "pool.ntp.org", -1, { GOOD, NODATA }, { 5, 5 } },
				{ "pool.ntp.org.corp.example", -1, { NX, NX },
				    { 1, 1 } } };
			struct outcome o;

			if (half != 1)
				r[1].said[0] = bad[i];
			if (half != 0)
				r[1].said[1] = bad[i];
			o = look_up(POD, "pool.ntp.org", r, 2);
			assert_string_equal(o.name, "pool.ntp.org");
			assert_in_range(o.ms, 5, bad[i] == SILENT ? 5000 : 100);
		}
}

static void
a_slow_resolver_is_waited_for_behind_a_search_list(void **state)
{
	static const struct rule r[] = {
		{ "pool.ntp.org", -1, { GOOD, GOOD }, { 7000, 7000 } },
		{ NULL, -1, { NX, NX }, { 7000, 7000 } } };
	struct outcome o = look_up(POD, "pool.ntp.org", r, 2);

	(void)state;
	assert_string_equal(o.name, "pool.ntp.org");
	assert_in_range(o.ms, 7000, 14000);
}

static void
of_two_candidates_the_first_counts(void **state)
{
	/* the search list's, though the absolute name is there sooner */
	static const struct rule r[] = {
		{ "ntp.corp.example", -1, { GOOD, NODATA }, { 1800, 5 } },
		{ "ntp", -1, { GOOD, NODATA }, { 1, 1 } } };
	struct outcome o =
	    look_up(ONE "search corp.example\n", "ntp", r, 2);

	(void)state;
	assert_string_equal(o.name, "ntp.corp.example");
	/* with dots enough the name itself */
	o = look_up(ONE "search corp.example\noptions ndots:0\n", "ntp", r, 2);
	assert_string_equal(o.name, "ntp");
}

/* One of two servers is good, in whatever place. */
static void
a_name_server_hides_nothing(void **state)
{
	static const enum resolv_said bad[] = { NX, NODATA, SERVFAIL, REFUSED,
		NOTIMP, FORMERR, MALFORMED, BROKEN, SILENT, CUT };
	int i, good;

	(void)state;
	for (i = 0; i < COUNT(bad); i++)
		for (good = 0; good < 2; good++) {
			struct rule r[2] = {
				{ NULL, good, { GOOD, NODATA }, { 5, 5 } },
				{ NULL, !good, { bad[i], bad[i] }, { 1, 1 } } };
			struct outcome o = look_up(TWO, "a.test", r, 2);

			assert_string_equal(o.name, "a.test");
			assert_int_equal(o.four, 1);
			assert_in_range(o.ms, 5, 2000);
		}
}

static void
a_good_server_alone_is_asked(void **state)
{
	static const struct rule r = { NULL, -1, { GOOD, NODATA }, { 5, 1 } };
	struct outcome o = look_up(TWO, "a.test", &r, 1);

	(void)state;
	assert_int_equal(o.queries, 2);
	assert_int_equal(o.ms, 5);
}

/* A silent server does not hold up a search list for long, nor is it a reason
 * to go on when the first candidate is good. */
static void
a_dead_second_server_costs_little(void **state)
{
	static const struct rule r[] = {
		{ NULL, 1, { SILENT, SILENT }, { 0, 0 } },
		{ "pool.ntp.org", 0, { GOOD, GOOD }, { 5, 5 } } };
	struct outcome o = look_up(
	    POD "nameserver 10.0.0.2\n", "pool.ntp.org", r, 2);

	(void)state;
	assert_string_equal(o.name, "pool.ntp.org");
	assert_in_range(o.ms, 5, 4000);
}

/* --------------------------------------------------------- times and places */

/* These are whole lookups to the millisecond.  The numbers are the constants of
 * resolv.c. */
static void
each_wait_is_as_long_as_it_is_said_to_be(void **state)
{
	static const struct {
		const char *what, *conf, *name;
		struct rule rule[3];
		int rules;
		const char *found;
		int ms, queries;
	} table[] = {
		{ "the other half has half a second", ONE, "a.test",
		    { { NULL, -1, { GOOD, SILENT }, { 5, 0 } } }, 1,
		    "a.test", 505, 2 },
		{ "or as long as it needs less", ONE, "a.test",
		    { { NULL, -1, { GOOD, GOOD }, { 5, 504 } } }, 1,
		    "a.test", 504, 2 },
		{ "a second server is asked after a second", TWO, "a.test",
		    { { NULL, 0, { SILENT, SILENT }, { 0, 0 } },
			{ NULL, 1, { GOOD, GOOD }, { 5, 5 } } }, 2,
		    "a.test", 1005, 4 },
		{ "or at once when the first one cannot", TWO, "a.test",
		    { { NULL, 0, { SERVFAIL, SERVFAIL }, { 20, 20 } },
			{ NULL, 1, { GOOD, GOOD }, { 5, 5 } } }, 2,
		    "a.test", 25, 4 },
		{ "a third one a second later", TWO "nameserver 10.0.0.3\n",
		    "a.test", { { NULL, 2, { GOOD, GOOD }, { 5, 5 } },
			{ NULL, -1, { SILENT, SILENT }, { 0, 0 } } }, 2,
		    "a.test", 2005, 6 },
		{ "a silent candidate holds for three seconds",
		    ONE "search x\n", "a", { { "a.x", -1, { SILENT, SILENT },
			{ 0, 0 } }, { "a", -1, { GOOD, GOOD }, { 5, 5 } } }, 2,
		    "a", 3000, 6 },
		{ "the next one is asked after a second", ONE "search x\n", "a",
		    { { "a.x", -1, { NX, NX }, { 1500, 1500 } },
			{ "a", -1, { GOOD, GOOD }, { 700, 700 } } }, 2,
		    "a", 1700, 4 },
		{ "after half a second where another server said no",
		    TWO "search x\n", "a", { { "a.x", 0, { NX, NX }, { 1, 1 } },
			{ "a.x", 1, { SILENT, SILENT }, { 0, 0 } },
			{ "a", 0, { GOOD, GOOD }, { 600, 600 } } }, 3,
		    "a", 1100, 6 },
		{ "that holds for one second", TWO "search x\n", "a",
		    { { "a.x", 0, { NX, NX }, { 1, 1 } },
			{ "a.x", 1, { SILENT, SILENT }, { 0, 0 } },
			{ "a", 0, { GOOD, GOOD }, { 5, 5 } } }, 3,
		    "a", 1000, 6 },
		{ "ten seconds are given to silence", ONE, "a.test",
		    { { NULL, -1, { SILENT, SILENT }, { 0, 0 } } }, 1,
		    "", 10000, 4 },
		{ "an answer after that is none", ONE, "a.test",
		    { { NULL, -1, { GOOD, GOOD }, { 10001, 10001 } } }, 1,
		    "", 10000, 4 },
		{ "five candidates one second apart", POD, "a",
		    { { NULL, -1, { SILENT, SILENT }, { 0, 0 } } }, 1,
		    "", 14000, 20 },
		{ "a no to one half waits for the other half", TWO, "a.test",
		    { { NULL, 0, { NODATA, GOOD }, { 5, 30 } } }, 1,
		    "a.test", 30, 2 },
		{ "a no is asked of the second server as well", TWO, "a.test",
		    { { NULL, 0, { NX, NX }, { 5, 5 } },
			{ NULL, 1, { GOOD, GOOD }, { 5, 5 } } }, 2,
		    "a.test", 10, 4 },
	};
	int i;

	(void)state;
	for (i = 0; i < COUNT(table); i++) {
		struct outcome o = look_up(table[i].conf, table[i].name,
		    table[i].rule, table[i].rules);

		if (strcmp(o.name, table[i].found) != 0 ||
		    o.ms != table[i].ms || o.queries != table[i].queries)
			fail_msg("%s: \"%s\" after %d ms, %d queries",
			    table[i].what, o.name, o.ms, o.queries);
	}
}

/* The table has when the queries of one half are sent while all servers are
 * silent. */
static void
silent_servers_are_asked_twice(void **state)
{
	static const struct {
		const char *conf;
		int failures, n;
		struct { int ms, server; } sent[6];
	} table[] = {
		{ ONE, 0, 2, { { 0, 0 }, { 2500, 0 } } },
		{ ONE "options timeout:1 attempts:5\n", 0, 2,
		    { { 0, 0 }, { 1000, 0 } } },
		{ ONE "options timeout:3 attempts:1\n", 0, 2,
		    { { 0, 0 }, { 3000, 0 } } },
		{ ONE "options timeout:3 attempts:0\n", 0, 2,
		    { { 0, 0 }, { 3000, 0 } } },
		{ ONE "options timeout:30 attempts:1\n", 0, 2,
		    { { 0, 0 }, { 5000, 0 } } },
		{ TWO, 0, 4, { { 0, 0 }, { 1000, 1 }, { 2500, 0 },
		    { 3500, 1 } } },
		/* After a failure each is asked once only. */
		{ TWO, 1, 2, { { 0, 0 }, { 1000, 1 } } },
		{ TWO, 4, 2, { { 0, 0 }, { 1000, 1 } } },
	};
	struct resolv_conf c;
	struct resolv_step step;
	struct resolv r;
	enum resolv_want want;
	int64_t now;
	int i, n;

	(void)state;
	for (i = 0; i < COUNT(table); i++) {
		resolv_conf(table[i].conf, strlen(table[i].conf), &c);
		resolv_begin(&r, &c, "a.test", table[i].failures, 7 * MS);
		for (n = 0, now = 7 * MS;
		    (want = resolv_next(&r, now, &step)) != RESOLV_DONE;) {
			if (want == RESOLV_WAIT) {
				now = step.due;
				continue;
			}
			if (step.half != 0)
				continue;
			assert_true(n < table[i].n);
			assert_int_equal((now - 7 * MS) / MS,
			    table[i].sent[n].ms);
			assert_int_equal(step.server, table[i].sent[n].server);
			n++;
		}
		assert_int_equal(n, table[i].n);
		assert_true(now == (7 + 10000) * MS);
	}
}

/* After a failure a candidate is asked for when the one before it has ended,
 * but each fourth time all are asked for at once. */
static void
candidates_take_turns_after_a_failure(void **state)
{
	static const struct {
		int failures, ms, queries;
	} table[] = { { 0, 14000, 20 }, { 1, 20000, 4 }, { 3, 20000, 4 },
		{ 4, 14000, 10 }, { 5, 20000, 4 }, { 8, 14000, 10 } };
	static const struct rule silent = { NULL, -1, { SILENT, SILENT },
		{ 0, 0 } };
	int i;

	(void)state;
	for (i = 0; i < COUNT(table); i++) {
		struct outcome o;

		failures = table[i].failures;
		o = look_up(POD, "a", &silent, 1);
		failures = 0;
		assert_int_equal(o.ms, table[i].ms);
		assert_int_equal(o.queries, table[i].queries);
	}
}

/* It is the best that any server knew of the last candidate; if two knew as
 * much, the first counts. */
static void
the_best_of_failures_is_told(void **state)
{
	static const struct {
		enum resolv_said said;
		int rank;
	} all[] = {
		{ SILENT, 1 }, { BROKEN, 2 }, { CUT, 3 }, { MALFORMED, 4 },
		{ RESOLV_RCODE, 4 }, { FORMERR, 5 }, { NOTIMP, 5 },
		{ REFUSED, 5 }, { SERVFAIL, 6 }, { NX, 7 }, { NODATA, 8 },
	};
	int i, k;

	(void)state;
	for (i = 0; i < COUNT(all); i++)
		for (k = 0; k < COUNT(all); k++) {
			struct rule r[] = {
				{ "a.x", -1, { NODATA, NODATA }, { 1, 1 } },
				{ NULL, 0, { all[i].said, all[i].said },
				    { 1, 1 } },
				{ NULL, 1, { all[k].said, all[k].said },
				    { 1, 1 } } };
			struct outcome o;

			o = look_up(TWO "search x\n", "a", r, 3);
			assert_string_equal(o.name, "");
			if (o.why != (all[k].rank > all[i].rank ?
			    all[k].said : all[i].said))
				fail_msg("%s and %s: %s",
				    word_at(resolv_words, all[i].said),
				    word_at(resolv_words, all[k].said),
				    word_at(resolv_words, o.why));
		}
}

static void
resolv_conf_keeps_to_its_limits(void **state)
{
	char text[9000], domain[300];
	struct resolv_conf c;
	int i;

	(void)state;
	/* It takes sixteen domains, which have less than 254 bytes each. */
	memset(domain, 'd', sizeof domain);
	domain[254] = '\0';
	sprintf(text, "search %s ", domain);
	for (i = 0; i < 20; i++)
		sprintf(text + strlen(text), "d%d ", i);
	resolv_conf(text, strlen(text), &c);
	assert_int_equal(c.searches, 16);
	assert_string_equal(c.search[0], "d0");
	assert_string_equal(c.search[15], "d15");
	sprintf(text, "search %.253s\n", domain);
	resolv_conf(text, strlen(text), &c);
	assert_int_equal(c.searches, 1);
	assert_int_equal(strlen(c.search[0]), 253);
	/* It takes addresses of less than 64 bytes. */
	sprintf(text, "nameserver fe80::1%%%.56s\nnameserver fe80::1%%%.55s\n",
	    domain, domain);
	resolv_conf(text, strlen(text), &c);
	assert_int_equal(c.servers, 1);
	assert_int_equal(strlen(c.server[0]), 63);
}

static void
resolv_conf_reads_options_and_comments(void **state)
{
	static const struct {
		const char *text;
		int ndots, timeout, attempts, searches;
		bool rotate, tcp;
	} table[] = {
		{ "", 1, 5, 2, 0, false, false },
		{ "options rotate\n", 1, 5, 2, 0, true, false },
		{ "options use-vc\n", 1, 5, 2, 0, false, true },
		{ "options rotates use-v\n", 1, 5, 2, 0, false, false },
		{ "options ndots:15 timeout:30 attempts:5\n", 15, 30, 5, 0,
		    false, false },
		{ "options ndots:16 timeout:31 attempts:6\n", 15, 30, 5, 0,
		    false, false },
		{ "options ndots:0 timeout:0 attempts:0\n", 0, 0, 0, 0, false,
		    false },
		{ "options ndots: timeout:1s attempts:/ ndots:9:\n", 1, 5, 2, 0,
		    false, false },
		{ "options timeout:9 attempts:3", 1, 9, 3, 0, false, false },
		{ "options ndots:10 timeout:21\n", 10, 21, 2, 0, false, false },
		{ "options # rotate\noptions ;use-vc\n", 1, 5, 2, 0, false,
		    false },
		{ "search a b # c\n", 1, 5, 2, 2, false, false },
		{ "search a ;b c\n", 1, 5, 2, 1, false, false },
		{ "search a b\ndomain c\n", 1, 5, 2, 1, false, false },
		{ "sortlist a b\nsearch\ta\r\n", 1, 5, 2, 1, false, false },
		{ "search a\nsearch\n", 1, 5, 2, 0, false, false },
	};
	struct resolv_conf c;
	int i;

	(void)state;
	for (i = 0; i < COUNT(table); i++) {
		resolv_conf(table[i].text, strlen(table[i].text), &c);
		if (c.ndots != table[i].ndots ||
		    c.timeout != table[i].timeout ||
		    c.attempts != table[i].attempts ||
		    c.searches != table[i].searches ||
		    c.rotate != table[i].rotate || c.tcp != table[i].tcp)
			fail_msg("%s", table[i].text);
	}
}

static void
a_host_name_has_letters_digits_and_three_signs(void **state)
{
	char name[] = "a?b";
	int c;

	(void)state;
	for (c = 1; c < 128; c++) {
		bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';

		name[1] = (char)c;
		assert_int_equal(resolv_fault(name) == NULL, good);
	}
}

static void
hosts_have_addresses_of_limited_length(void **state)
{
	char line[100], address[ADDRESS_TEXT];

	(void)state;
	memset(line, '1', sizeof line);
	memcpy(line + 63, " time.test", 11);
	assert_true(resolv_hosts(line, 73, "time.test", address));
	assert_int_equal(strlen(address), 63);
	line[63] = '1';
	memcpy(line + 64, " time.test", 11);
	assert_false(resolv_hosts(line, 74, "time.test", address));
	/* A longer or a shorter name is another one. */
	assert_false(resolv_hosts("::1 time.testx time.tes", 23, "time.test",
	    address));
	/* A dot at the end of either makes no difference. */
	assert_true(resolv_hosts("::1 time.test", 13, "time.test.", address));
	assert_true(resolv_hosts("::1 time.test.", 14, "time.test", address));
}

/* -------------------------------------------------------------------- files */

static void
reads_resolv_conf(void **state)
{
	const char text[] = "# comment\n; another\n"
			    "nameserver 10.0.0.1 # ours\r\n"
			    "\tnameserver fe80::1%eth0\n"
			    "nameserver example.com\nnameserver\n"
			    "domain old.example\n"
			    "search a.example  b.example. # c\n"
			    "options ndots:5 timeout:1 attempts:3 rotate\n"
			    "options use-vc ndots:x edns0\n"
			    "nameserver ::ffff:10.0.0.2\nnameserver 10.0.0.9";
	struct resolv_conf c;

	(void)state;
	resolv_conf(text, sizeof text - 1, &c);
	assert_int_equal(c.servers, 3);
	assert_true(c.named);
	assert_string_equal(c.server[0], "10.0.0.1");
	assert_string_equal(c.server[1], "fe80::1%eth0");
	assert_string_equal(c.server[2], "::ffff:10.0.0.2");
	assert_int_equal(c.searches, 2);
	assert_string_equal(c.search[0], "a.example");
	assert_string_equal(c.search[1], "b.example.");
	assert_int_equal(c.ndots, 5);
	assert_int_equal(c.timeout, 1);
	assert_int_equal(c.attempts, 3);
	assert_true(c.rotate);
	assert_true(c.tcp);
	resolv_conf("", 0, &c); /* no such file */
	assert_int_equal(c.servers, 1);
	assert_false(c.named);
	assert_string_equal(c.server[0], "127.0.0.1");
	assert_int_equal(c.ndots, 1);
	resolv_conf("options ndots:99999999999999\n", 29, &c);
	assert_int_equal(c.ndots, 15);
}

static void
reads_hosts(void **state)
{
	static const struct {
		const char *line, *address;
	} each[] = { { "10.0.0.1 time.test", "10.0.0.1" },
		{ "10.0.0.1\tother  TIME.test\t# x", "10.0.0.1" },
		{ "  fe80::1%eth0 time.test.", "fe80::1%eth0" },
		{ "10.0.0.1 other # time.test", NULL },
		{ "#10.0.0.1 time.test", NULL },
		{ "10.0.0.1 time.test.example", NULL },
		{ "time.test", NULL }, { "", NULL } };
	char address[ADDRESS_TEXT];
	int i;

	(void)state;
	for (i = 0; i < COUNT(each); i++) {
		bool found = resolv_hosts(each[i].line, strlen(each[i].line),
		    "time.test", address);

		assert_int_equal(found, each[i].address != NULL);
		if (found)
			assert_string_equal(address, each[i].address);
	}
}

static void
knows_what_can_be_asked(void **state)
{
	static const char *const good[] = { "a", "a.", "time.example.com",
		"_ntp._udp.example", "1.pool.ntp.org", "xn--bcher-kva.example" };
	static const struct {
		const char *name, *words;
	} bad[] = { { "b\xc3\xbc"
		      "cher.example",
			"xn--" },
		{ "a\x80", "xn--" },
		{ ".", "before a dot" }, { "a..b", "before a dot" },
		{ ".a", "before a dot" }, { "a b", "letters" },
		{ "192.0.2.1:123", "letters" }, { "", "letters" } };
	char name[300];
	int i;

	(void)state;
	for (i = 0; i < COUNT(good); i++)
		assert_null(resolv_fault(good[i]));
	for (i = 0; i < COUNT(bad); i++) {
		assert_non_null(resolv_fault(bad[i].name));
		assert_non_null(strstr(resolv_fault(bad[i].name), bad[i].words));
	}
	memset(name, 'a', 63);
	strcpy(name + 63, ".b");
	assert_null(resolv_fault(name));
	memset(name, 'a', 64);
	strcpy(name + 64, ".b");
	assert_non_null(resolv_fault(name));
	for (i = 0; i < 254; i++)
		name[i] = i % 2 ? '.' : 'a';
	strcpy(name + 253, ""); /* 253 bytes */
	assert_null(resolv_fault(name));
	strcpy(name + 253, ".");
	assert_null(resolv_fault(name));
	strcpy(name + 253, ".a");
	assert_non_null(resolv_fault(name));
}

static void
localhost_needs_nobody(void **state)
{
	static const char *const local[] = { "localhost", "LocalHost.",
		"a.localhost", "a.b.localhost." };
	static const char *const other[] = { "localhost.example", "xlocalhost",
		"local", "" };
	int i;

	(void)state;
	for (i = 0; i < COUNT(local); i++)
		assert_true(resolv_localhost(local[i]));
	for (i = 0; i < COUNT(other); i++)
		assert_false(resolv_localhost(other[i]));
}

static void
candidates_follow_search_and_ndots(void **state)
{
	static const struct {
		const char *conf, *name, *all;
	} each[] = {
		{ "", "ntp", "ntp" },
		{ "search a b\n", "ntp", "ntp.a ntp.b ntp" },
		{ "search a b\n", "ntp.x", "ntp.x ntp.x.a ntp.x.b" },
		{ "search a\noptions ndots:2\n", "ntp.x", "ntp.x.a ntp.x" },
		{ "search a\noptions ndots:5\n", "ntp.x.", "ntp.x" },
		{ "search a.\n", "ntp", "ntp.a. ntp" },
		{ "search . \n", "ntp", "ntp" },
		{ "search -- a..b \x81 c\n", "n", "n.-- n.c n" },
		{ "domain a\n", "ntp", "ntp.a ntp" },
	};
	char name[RESOLV_NAME], conf[64], all[600];
	struct resolv_conf c;
	struct resolv r;
	int i, k;

	(void)state;
	for (i = 0; i < COUNT(each); i++) {
		resolv_conf(each[i].conf, strlen(each[i].conf), &c);
		resolv_begin(&r, &c, each[i].name, 0, 0);
		all[0] = '\0';
		for (k = 0; k < r.names; k++) {
			strcat(all, k ? " " : "");
			strcat(all, r.name[k].text);
		}
		assert_string_equal(all, each[i].all);
	}
	/* the longest name has no room for a domain, but is asked for */
	for (i = 0; i < 253; i++)
		name[i] = i % 2 ? '.' : 'a';
	name[253] = '\0';
	strcpy(conf, "search example\noptions ndots:15\n");
	resolv_conf(conf, strlen(conf), &c);
	resolv_begin(&r, &c, name, 0, 0);
	assert_int_equal(r.names, 1);
	assert_string_equal(r.name[0].text, name);
}

/* -------------------------------------------------------------------- bytes */

/* An answer put together: the query's id and question, then records. */
static uint8_t message[2048];
static size_t size;

static void
put(const void *bytes, size_t n)
{
	memcpy(message + size, bytes, n);
	size += n;
}

static size_t
begin(const char *name, int half, int records, uint8_t query[RESOLV_QUERY])
{
	size_t n = resolv_query(name, half, 0x1234, query);

	size = 0;
	put(query, n);
	message[2] = 0x81;
	message[3] = 0x80;
	message[7] = (uint8_t)records;
	return n;
}

/* A record of a name on the wire ("\1a\0", "\xc0\x0c"). */
static void
record(const char *owner, size_t n, int type, const void *data, int data_size)
{
	uint8_t fixed[10] = { 0, (uint8_t)type, 0, 1, 0, 0, 0, 60, 0,
		(uint8_t)data_size };

	put(owner, n);
	put(fixed, sizeof fixed);
	put(data, (size_t)data_size);
}

#define ASKED "\xc0\x0c", 2

static void
makes_a_query(void **state)
{
	static const uint8_t wire[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0"
				      "\4time\4Test\0\0\x1c\0\1";
	uint8_t out[RESOLV_QUERY];

	(void)state;
	assert_int_equal(
	    resolv_query("time.Test.", 1, 0x1234, out), sizeof wire - 1);
	assert_memory_equal(out, wire, sizeof wire - 1);
}

static void
finds_addresses(void **state)
{
	uint8_t q[RESOLV_QUERY];
	uint8_t six[16] = { 0x20, 1, [15] = 9 }, mapped[16] = { [10] = 255, 255,
		192, 0, 2, 3 };
	struct resolv_found f;
	size_t n = begin("time.test", 0, 3, q);

	(void)state;
	record(ASKED, 1, "\xc0\0\2\1", 4);
	record("\4TIME\4test\0", 11, 1, "\xc0\0\2\2", 4);
	record("\5other\0", 7, 1, "\xc0\0\2\3", 4); /* not its own */
	assert_int_equal(
	    resolv_answer(message, size, q, n, &f), RESOLV_FOUND);
	assert_int_equal(f.addresses, 2);
	assert_int_equal(f.address[1].family, 4);
	assert_int_equal(f.address[1].bytes[3], 2);

	n = begin("time.test", 1, 2, q);
	record(ASKED, 28, six, 16);
	record(ASKED, 28, mapped, 16);
	assert_int_equal(
	    resolv_answer(message, size, q, n, &f), RESOLV_FOUND);
	assert_int_equal(f.addresses, 2);
	assert_memory_equal(f.address[0].bytes, six, 16);
	assert_int_equal(f.address[1].family, 4); /* what it stands for */
	assert_memory_equal(f.address[1].bytes, mapped + 12, 4);

	/* more than there is room for */
	n = begin("time.test", 0, 20, q);
	for (int i = 0; i < 20; i++)
		record(ASKED, 1, "\xc0\0\2\1", 4);
	assert_int_equal(
	    resolv_answer(message, size, q, n, &f), RESOLV_FOUND);
	assert_int_equal(f.addresses, POOL_MAX);
}

static void
follows_aliases(void **state)
{
	uint8_t q[RESOLV_QUERY];
	struct resolv_found f;
	size_t n = begin("a.t", 0, 3, q);

	(void)state;
	/* a -> b -> c, the last one first */
	record("\1c\0", 3, 1, "\xc0\0\2\1", 4);
	record("\1b\0", 3, 5, "\1c\0", 3);
	record(ASKED, 5, "\1b\0", 3);
	assert_int_equal(
	    resolv_answer(message, size, q, n, &f), RESOLV_FOUND);
	assert_int_equal(f.addresses, 1);
	/* a -> b -> a */
	n = begin("a.t", 0, 2, q);
	record("\1b\0", 3, 5, "\xc0\x0c", 2);
	record(ASKED, 5, "\1b\0", 3);
	assert_int_equal(
	    resolv_answer(message, size, q, n, &f), RESOLV_NODATA);
	/* an alias whose addresses are not there */
	n = begin("a.t", 0, 1, q);
	record(ASKED, 5, "\1b\0", 3);
	assert_int_equal(
	    resolv_answer(message, size, q, n, &f), RESOLV_NODATA);
}

static void
ignores_what_answers_another_query(void **state)
{
	uint8_t q[RESOLV_QUERY];
	struct resolv_found f;
	size_t n = begin("a.t", 0, 1, q);

	(void)state;
	record(ASKED, 1, "\xc0\0\2\1", 4);
#define SAYS() resolv_answer(message, size, q, n, &f)
	assert_int_equal(SAYS(), RESOLV_FOUND);
	message[1] ^= 1; /* id */
	assert_int_equal(SAYS(), RESOLV_FOREIGN);
	message[1] ^= 1;
	message[2] ^= 0x80; /* a query */
	assert_int_equal(SAYS(), RESOLV_FOREIGN);
	message[2] ^= 0x80 | 0x08; /* it is of another kind */
	assert_int_equal(SAYS(), RESOLV_FOREIGN);
	message[2] ^= 0x08;
	message[13] ^= 1; /* name */
	assert_int_equal(SAYS(), RESOLV_FOREIGN);
	message[13] ^= 1 ^ 0x20; /* its case may differ */
	assert_int_equal(SAYS(), RESOLV_FOUND);
	message[n - 3] ^= 1; /* type */
	assert_int_equal(SAYS(), RESOLV_FOREIGN);
	message[n - 3] ^= 1;
	message[5] = 2; /* two questions */
	assert_int_equal(SAYS(), RESOLV_FOREIGN);
	message[5] = 0; /* without the question it may be anybody's */
	assert_int_equal(SAYS(), RESOLV_FOREIGN);
	message[3] |= 1; /* FORMERR: the server did not understand it */
	assert_int_equal(SAYS(), RESOLV_FORMERR);
	assert_int_equal(resolv_answer(message, 12, q, n, &f), RESOLV_FORMERR);
	assert_int_equal(resolv_answer(message, 11, q, n, &f), RESOLV_FOREIGN);
	assert_int_equal(resolv_answer(message, 0, q, n, &f), RESOLV_FOREIGN);
}

static void
knows_refusals(void **state)
{
	static const enum resolv_said said[16] = { RESOLV_NODATA,
		RESOLV_FORMERR, RESOLV_SERVFAIL, RESOLV_NXDOMAIN, RESOLV_NOTIMP,
		RESOLV_REFUSED };
	uint8_t q[RESOLV_QUERY];
	struct resolv_found f;
	size_t n = begin("a.t", 0, 0, q);
	int i;

	(void)state;
	for (i = 0; i < 16; i++) {
		message[3] = (uint8_t)(0x80 | i);
		assert_int_equal(SAYS(),
		    i == 0 || said[i] != 0 ? said[i] : RESOLV_RCODE);
	}
}

static void
a_cut_answer_is_cut(void **state)
{
	uint8_t q[RESOLV_QUERY];
	struct resolv_found f;
	size_t n = begin("a.t", 0, 0, q);

	(void)state;
	message[2] |= 2;
	assert_int_equal(SAYS(), RESOLV_CUT);
	assert_int_equal(f.addresses, 0);
	n = begin("a.t", 0, 2, q); /* one of two, within a record */
	record(ASKED, 1, "\xc0\0\2\1", 4);
	put("\xc0\x0c\0\1\0", 5);
	message[2] |= 2;
	assert_int_equal(SAYS(), RESOLV_CUT);
	assert_int_equal(f.addresses, 1);
}

static void
malformed_answers_end(void **state)
{
	static const struct {
		const char *owner;
		size_t n;
	} bad[] = {
		{ "\xc0\x15", 2 },	 /* to itself */
		{ "\xc0\xff", 2 },	 /* forward */
		{ "\1x\xc0\x15", 4 },	 /* a loop that grows */
		{ "\x40x", 2 },		 /* a kind of label that is none */
		{ "\x3fx", 2 },		 /* beyond the end */
		{ "\xc0", 1 },
		{ "", 0 },
	};
	uint8_t q[RESOLV_QUERY];
	struct resolv_found f;
	size_t n, i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		n = begin("a.t", 0, 1, q);
		assert_int_equal(n, 0x15);
		put(bad[i].owner, bad[i].n);
		assert_int_equal(SAYS(), RESOLV_MALFORMED);
	}
	/* a good record before is not lost; of a wrong size it is not taken */
	n = begin("a.t", 0, 3, q);
	record(ASKED, 1, "\xc0\0\2\1\1", 5);
	record(ASKED, 1, "\xc0\0\2\1", 4);
	assert_int_equal(SAYS(), RESOLV_FOUND);
	assert_int_equal(f.addresses, 1);
	/* Wherever it is cut, it is not read beyond its end.  Without the whole
	 * question it answers nothing; without all records it is malformed. */
	for (i = 0; i < size; i++)
		assert_int_equal(resolv_answer(message, i, q, n, &f),
		    i < n ? RESOLV_FOREIGN : RESOLV_MALFORMED);
}

static void
follows_fifteen_aliases(void **state)
{
	int aliases, i;

	(void)state;
	for (aliases = 1; aliases < 20; aliases++) {
		uint8_t q[RESOLV_QUERY];
		struct resolv_found f;
		char owner[] = "\1?", next[] = "\1?";
		size_t n = begin("A", 0, aliases + 1, q);

		/* A is an alias of B, which is one of C, and so on. */
		for (i = 0; i < aliases; i++) {
			owner[1] = (char)('A' + i);
			next[1] = (char)('A' + i + 1);
			record(owner, 3, 5, next, 3);
		}
		record(next, 3, 1, "\xc0\0\2\1", 4);
		assert_int_equal(SAYS(),
		    aliases <= 15 ? RESOLV_FOUND : RESOLV_NODATA);
	}
}

/* The last two bytes of a message may be a pointer. */
static void
names_may_end_with_the_message(void **state)
{
	uint8_t q[RESOLV_QUERY];
	struct resolv_found f;
	size_t n = begin("a.t", 0, 2, q);

	(void)state;
	record("\1b\1t\0", 5, 1, "\xc0\0\2\1", 4);
	record(ASKED, 5, "\1b\xc0\x0e", 4);
	assert_int_equal(SAYS(), RESOLV_FOUND);
	assert_int_equal(f.addresses, 1);
	size--;
	message[size - 4] = 3;	/* The alias has half of the pointer only. */
	assert_int_equal(SAYS(), RESOLV_NODATA);
}

static void
names_on_the_wire_keep_to_their_limits(void **state)
{
	static const struct {
		int kind;   /* the two highest bits of the last label */
		int labels; /* of 63 bytes, before that */
		int length; /* of the last label */
		enum resolv_said said;
	} table[] = {
		{ 0, 3, 60, RESOLV_NODATA },
		{ 0, 3, 61, RESOLV_NODATA },	/* 255 bytes */
		{ 0, 3, 62, RESOLV_MALFORMED },
		{ 0, 4, 1, RESOLV_MALFORMED },
		{ 0x40, 0, 10, RESOLV_MALFORMED },
		{ 0x80, 0, 10, RESOLV_MALFORMED },
	};
	uint8_t q[RESOLV_QUERY], fixed[10] = { 0, 1, 0, 1 };
	struct resolv_found f;
	size_t n;
	int i, k;

	(void)state;
	for (i = 0; i < COUNT(table); i++) {
		n = begin("a.t", 0, 1, q);
		for (k = 0; k <= table[i].labels; k++) {
			uint8_t label[64];

			memset(label, 'x', sizeof label);
			label[0] = k < table[i].labels ? 63 :
			    (uint8_t)(table[i].kind | table[i].length);
			put(label, 1u + (label[0] & 63));
		}
		put("", 1);
		put(fixed, sizeof fixed);
		/* Leave room for as long a label as it could be. */
		memset(message + size, 0, 300);
		if (table[i].kind != 0)
			size += 300;
		assert_int_equal(SAYS(), table[i].said);
	}
}

/* Records of other types and of any length lie between those that are looked
 * for. */
static void
other_records_are_passed_over(void **state)
{
	static const uint8_t long_[300], head[] = { 0xc0, 0x0c, 1, 1, 0, 1, 0,
		0, 0, 60, 300 >> 8, 300 & 255 };
	uint8_t q[RESOLV_QUERY];
	struct resolv_found f;
	size_t n = begin("a.t", 0, 2, q);

	(void)state;
	put(head, sizeof head);		/* of type 257 */
	put(long_, sizeof long_);
	record(ASKED, 1, "\xc0\0\2\1", 4);
	assert_int_equal(SAYS(), RESOLV_FOUND);
	assert_int_equal(f.addresses, 1);
	/* What would be a name in an alias is none in a text record. */
	n = begin("a.t", 0, 2, q);
	record(ASKED, 16, "\1b\0", 3);
	record("\1b\0", 3, 1, "\xc0\0\2\1", 4);
	assert_int_equal(SAYS(), RESOLV_NODATA);
	/* The first of two aliases is followed. */
	n = begin("a.t", 0, 3, q);
	record(ASKED, 5, "\1b\0", 3);
	record(ASKED, 5, "\1c\0", 3);
	record("\1c\0", 3, 1, "\xc0\0\2\1", 4);
	assert_int_equal(SAYS(), RESOLV_NODATA);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_half_is_used),
		cmocka_unit_test(both_halves_are_taken_when_they_come),
		cmocka_unit_test(addresses_without_a_way_are_not_enough),
		cmocka_unit_test(name_servers_are_spared_once_a_name_failed),
		cmocka_unit_test(a_failure_ends_and_tells_why),
		cmocka_unit_test(a_search_domain_hides_nothing),
		cmocka_unit_test(
		    a_slow_resolver_is_waited_for_behind_a_search_list),
		cmocka_unit_test(of_two_candidates_the_first_counts),
		cmocka_unit_test(a_name_server_hides_nothing),
		cmocka_unit_test(a_good_server_alone_is_asked),
		cmocka_unit_test(a_dead_second_server_costs_little),
		cmocka_unit_test(reads_resolv_conf),
		cmocka_unit_test(reads_hosts),
		cmocka_unit_test(knows_what_can_be_asked),
		cmocka_unit_test(localhost_needs_nobody),
		cmocka_unit_test(candidates_follow_search_and_ndots),
		cmocka_unit_test(makes_a_query),
		cmocka_unit_test(finds_addresses),
		cmocka_unit_test(follows_aliases),
		cmocka_unit_test(ignores_what_answers_another_query),
		cmocka_unit_test(knows_refusals),
		cmocka_unit_test(a_cut_answer_is_cut),
		cmocka_unit_test(malformed_answers_end),
		cmocka_unit_test(other_records_are_passed_over),
		cmocka_unit_test(each_wait_is_as_long_as_it_is_said_to_be),
		cmocka_unit_test(silent_servers_are_asked_twice),
		cmocka_unit_test(candidates_take_turns_after_a_failure),
		cmocka_unit_test(the_best_of_failures_is_told),
		cmocka_unit_test(resolv_conf_keeps_to_its_limits),
		cmocka_unit_test(resolv_conf_reads_options_and_comments),
		cmocka_unit_test(
		    a_host_name_has_letters_digits_and_three_signs),
		cmocka_unit_test(hosts_have_addresses_of_limited_length),
		cmocka_unit_test(follows_fifteen_aliases),
		cmocka_unit_test(names_may_end_with_the_message),
		cmocka_unit_test(names_on_the_wire_keep_to_their_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
