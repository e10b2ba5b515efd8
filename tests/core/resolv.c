/*
 * resolv.c - files, bytes, and who is asked what and when: whole lookups
 * with name servers that answer by a table, in simulated time.
 */
#include "core/address.h"
#include "core/resolv.h"
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

/* A x AAAA: whatever one half says, the other's answer is used. */
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

/* ... does not hold up a search list for long, nor is it a reason to go on
 * when the first candidate is good */
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
	/* cut anywhere it is never read beyond its end */
	for (i = 0; i < size; i++)
		(void)resolv_answer(message, i, q, n, &f);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
