/*
 * status.c - what status.c promises: OpenNTPD's layout to the byte, JSON
 * and metrics that machines take.
 */
#include <time.h>

#include "core/conf.h"
#include "core/constraint.h"
#include "core/ntp.h"
#include "core/select.h"
#include "core/source.h"
#include "serve/serve.h"
#include "serve/status.h"
#include "sys/sandbox.h"
#include "tests/blank.h"
#include "tests/test.h"


static const char selected_words[] =
    "none\0false\0outlier\0used\0system";
static const char dropped_words[] =
    "length\0mode\0version\0address\0access\0rate\0send\0own\0key";
static char said_words[4 * SAID_SAYS];	/* see main */
static uint64_t rejected[SAID_SAYS];

/* A text as long as the answer. */
static char *
render(enum status_view view, const struct status *s)
{
	size_t n = status_render(view, s, NULL, 0);
	char *text = malloc(n + 1);

	assert_non_null(text);
	assert_int_equal(status_render(view, s, text, n), n);
	text[n] = '\0';
	assert_int_equal(strlen(text), n);
	return text;
}

static void
assert_view(enum status_view view, const struct status *s, const char *want)
{
	char *text = render(view, s);

	assert_string_equal(text, want);
	free(text);
}

static int
count(const char *text, const char *part)
{
	int n = 0;

	for (; (text = strstr(text, part)) != NULL; text++)
		n++;
	return n;
}

static void
assert_has(const char *text, const char *part, int times)
{
	if (count(text, part) != times)
		fail_msg("%d times, not %d: %s\n%s", count(text, part), times,
		    part, text);
}

static struct status_source
source(const char *address, const char *name)
{
	struct status_source s = {
		BLANK_SOURCE, .weight = 1, .trust = 10, .valid = true, .stratum = 2,
		.reach = 0xff, .state = SOURCE_IDLE, .selected = SELECT_USED,
		.next = 19, .poll = 31, .offset = 0.002513, .delay = 0.000265,
		.jitter = 0.000198, .requests = 12, .replies = 11,
		.rejected = rejected, .nts_age = NAN, .nts_exchanges = NAN,
		.nts_failures = NAN, .nts_naks = NAN, .nts_cookies = NAN,
		.nts_expire = NAN
	};

	strcpy(s.address, address);
	s.name = name;
	return s;
}

static struct status
status(void)
{
	return (struct status){
		BLANK_STATUS, .real = 1700000000123456789, .version = "0.1.0",
		.build = 1600000000, .uptime = 12.5, .ready_within = 1,
		.bound = HUGE_VAL, .leap = LEAP_ALARM,
		.bound_offset = NAN, .bound_error = NAN, .bound_age = NAN,
		.permission = CLOCK_MAY,
		.sandbox = "caps seccomp landlock 6", .refused = 3,
		.conf_good = true, .conf_read = 1600000000 * S,
		.selected_words = selected_words,
		.said_words = said_words, .dropped_words = dropped_words
	};
}

/* ------------------------------------------------------------------ ntpctl */

/* The second line, which OpenNTPD does not have. */
static const char *
with_sandbox(const char *line)
{
	static char text[512];

	(void)snprintf(
	    text, sizeof text, "%ssandbox: caps seccomp landlock 6\n", line);
	return text;
}

static void
status_line_is_that_of_openntpd(void **state)
{
	static const struct {
		int sources, valid, constraints, errors;
		bool known, synced;
		double bound_offset, offset;
		const char *want;
	} rows[] = {
		{ 0, 0, 0, 0, false, false, 0, 0,
		    "no peers and no sensors configured\nclock unsynced\n" },
		{ 4, 4, 0, 0, false, true, 0, 0,
		    "4/4 peers valid, clock synced, stratum 3\n" },
		{ 7, 4, 1, 0, true, false, -0.25, -0.110914,
		    "4/7 peers valid, constraint offset -1s, clock unsynced, "
		    "clock offset is -110.914ms\n" },
		{ 1, 0, 2, 3, true, false, 119.9, 0,
		    "0/1 peers valid, constraint offset 119s (3 errors), "
		    "clock unsynced\n" },
		{ 1, 1, 2, 2, false, true, 0, 0.5, "1/1 peers valid, "
		    "constraints configured but none available, "
		    "clock synced, stratum 3\n" },
		{ 1, 1, 1, 0, true, true, 0, 0, "1/1 peers valid, "
		    "constraint offset 0s, clock synced, stratum 3\n" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct status s = status();

		s.sources = rows[i].sources;
		s.sources_valid = rows[i].valid;
		s.constraints = rows[i].constraints;
		s.constraint_errors = rows[i].errors;
		s.bound_known = rows[i].known;
		s.bound_offset = rows[i].bound_offset;
		s.synced = rows[i].synced;
		s.offset = rows[i].offset;
		s.stratum = 3;
		assert_view(VIEW_STATUS, &s, with_sandbox(rows[i].want));
	}
}

/* The view has the words so many times. */
static void
assert_shows(
    enum status_view view, const struct status *s, const char *words, int n)
{
	char *text = render(view, s);

	assert_has(text, words, n);
	free(text);
}

/* A configuration that was refused, and one that waits for a restart, are told
 * behind what OpenNTPD says, and change nothing else. */
static void
a_refused_configuration_is_told_in_each_view(void **state)
{
	struct status s = status();

	(void)state;
	s.sources = s.sources_valid = 0;
	s.ready = s.synced = true;
	s.bound = 0.0002;
	s.conf_good = false;
	s.conf_why = "/etc/ntpd.conf:3:7: syntax\terror";
	assert_shows(VIEW_STATUS, &s,
	    "\nsandbox: caps seccomp landlock 6\nconfiguration "
	    "refused: /etc/ntpd.conf:3:7: syntax?error\n", 1);
	assert_shows(VIEW_STATUS, &s, "restart", 0);
	assert_shows(VIEW_ALL, &s,
	    "\nconfiguration refused: /etc/ntpd.conf:3:7: ", 1);
	assert_shows(
	    VIEW_READY, &s, "ready: error bound 0.000200s, stratum ", 1);
	assert_shows(VIEW_READY, &s,
	    "; configuration refused: /etc/ntpd.conf:3:7: ", 1);
	assert_shows(VIEW_METRICS, &s,
	    "\nntpd_config_last_reload_successful 0\n", 1);
	s.conf_good = true;
	s.conf_restart = true;
	strcpy(s.conf_later, "user, strict");
	assert_shows(VIEW_STATUS, &s, "refused", 0);
	assert_shows(VIEW_STATUS, &s,
	    "\ntakes effect after a restart: user, strict\n", 1);
	assert_shows(VIEW_METRICS, &s, "\nntpd_config_restart_needed 1\n", 1);
	assert_shows(VIEW_JSON, &s,
	    "\n\"config_after_restart\": \"user, strict\",\n", 1);
}

/* A daemon that may not set the clock does not call it synchronised. */
static void
without_the_right_the_status_line_says_so(void **state)
{
	struct status s = status();

	(void)state;
	s.sources = s.sources_valid = 4;
	s.offset = -0.25;
	s.permission = CLOCK_DENIED;
	strcpy(s.not_ready, "only measuring: so: do this");
	assert_view(VIEW_STATUS, &s, with_sandbox(
	    "4/4 peers valid, clock unsynced, only measuring: so: do this\n"));
	assert_view(VIEW_READY, &s, "not ready: only measuring: so: do this\n");
}

/* Four servers keep the clock right. */
static struct status
synced(void)
{
	struct status s = status();

	s.sources = s.sources_valid = 4;
	s.synced = s.ready = true;
	s.stratum = 3;
	s.bound = 0.25;
	return s;
}

/* While another program keeps it right, that is said with it. */
static void
a_clock_that_another_keeps_right_is_ready_and_says_whose_it_is(void **state)
{
	struct status s = synced();

	(void)state;
	s.permission = CLOCK_YIELDED;
	strcpy(s.permission_text, "chronyd: stop it");
	assert_view(VIEW_STATUS, &s, with_sandbox("4/4 peers valid, clock "
	    "synced, stratum 3, only measuring: chronyd: stop it\n"));
	assert_view(VIEW_READY, &s, "ready: error bound 0.250000s, stratum 3; "
	    "only measuring: chronyd: stop it\n");
	s.synced = s.ready = false;
	strcpy(s.not_ready, "only measuring: chronyd: stop it");
	assert_view(VIEW_STATUS, &s, with_sandbox("4/4 peers valid, clock "
	    "unsynced, only measuring: chronyd: stop it\n"));
}

/* Whether the time is authenticated is told where servers are to do that. */
static void
whether_the_time_is_authenticated_is_told(void **state)
{
	struct status_source all[4] = { 0 };
	struct status s = synced();

	(void)state;
	assert_shows(VIEW_STATUS, &s, "authenticated", 0);
	assert_shows(VIEW_READY, &s, "authenticated", 0);
	s.authentics = 2;
	s.authentic = true;
	s.source = all;
	assert_view(VIEW_STATUS, &s, with_sandbox("4/4 peers valid, clock "
	    "synced, stratum 3, authenticated\n"));
	assert_view(VIEW_READY, &s,
	    "ready: error bound 0.250000s, stratum 3, authenticated\n");
	assert_shows(VIEW_STATUS_JSON, &s, "\n\"authenticated\": true,\n", 1);
	assert_shows(VIEW_METRICS, &s, "\nntpd_clock_authenticated 1\n", 1);
	assert_shows(VIEW_METRICS, &s, "\nntpd_sources_authentic 2\n", 1);
	s.authentic = false;
	s.unauthentic = "key exchange with a.example fails: refused";
	assert_view(VIEW_STATUS, &s, with_sandbox("4/4 peers valid, clock "
	    "synced, stratum 3, not authenticated: key exchange with "
	    "a.example fails: refused\n"));
	assert_view(VIEW_READY, &s, "ready: error bound 0.250000s, stratum 3, "
	    "not authenticated: key exchange with a.example fails: refused\n");
	assert_shows(VIEW_STATUS_JSON, &s, "\n\"not_authenticated\": \"key "
	    "exchange with a.example fails: refused\",\n", 1);
	assert_shows(VIEW_METRICS, &s, "\nntpd_clock_authenticated 0\n", 1);
	s.synced = false;
	assert_view(VIEW_STATUS, &s, with_sandbox("4/4 peers valid, clock "
	    "unsynced, not authenticated: key exchange with a.example "
	    "fails: refused\n"));
	/* HTTPS is authenticated, too. */
	s.synced = s.by_https = true;
	assert_shows(VIEW_STATUS, &s, "authenticated", 0);
}

static void
a_source_with_nts_shows_its_keys_and_others_do_not(void **state)
{
	struct status_source all[] = { source("192.0.2.1", "a.example"),
		source("192.0.2.2", "b.example"),
		source("192.0.2.3", "c.example") };
	struct status s = status();

	(void)state;
	s.source = all;
	s.sources = 3;
	for (int i = 0; i < 2; i++) {
		all[i].authentic = true;
		all[i].nts_exchanges = 3;
		all[i].nts_failures = all[i].nts_naks = 0;
		all[i].nts_cookies = i == 0 ? 8 : 0;
		all[i].nts_expire = 1800000000;
	}
	all[0].nts_age = 12.5;
	all[0].woven = true;
	all[1].valid = false;
	all[1].nts_reason = "connect: refused";
	assert_shows(VIEW_PEERS, &s, "0.198ms  authenticated\n", 1);
	assert_shows(VIEW_PEERS, &s, "0.198ms\n", 1);
	assert_shows(VIEW_PEERS, &s,
	    "---- peer not valid ---- (key exchange: connect: refused)\n", 1);
	assert_shows(VIEW_PEERS_JSON, &s, "\"nts_age\": 12.5, "
	    "\"nts_exchanges\": 3, \"nts_failures\": 0, \"nts_naks\": 0, "
	    "\"nts_cookies\": 8, \"nts_certificate_expire\": 1800000000, "
	    "\"nts_error\": \"\"}", 1);
	assert_shows(VIEW_PEERS_JSON, &s, "\"nts_cookies\": null, ", 1);
	assert_shows(VIEW_PEERS_JSON, &s, "\"interleaved\": true, ", 1);
	assert_shows(VIEW_PEERS_JSON, &s, "\"interleaved\": false, ", 2);
	assert_shows(VIEW_METRICS, &s, "\nntpd_source_nts_cookies{", 2);
	assert_shows(VIEW_METRICS, &s, "\nntpd_source_nts_age_seconds{address="
	    "\"192.0.2.1\",name=\"a.example\"} 12.5\n", 1);
	assert_shows(VIEW_METRICS, &s, "\nntpd_source_nts_age_seconds{", 1);
	assert_shows(VIEW_METRICS, &s, "\nntpd_source_nts_exchanges_total{", 2);
	assert_shows(VIEW_METRICS, &s, "\nntpd_source_authenticated{", 3);
}

static void
peers_are_those_of_openntpd(void **state)
{
	struct status_source all[5] = {
		source("192.0.2.1", "pool.ntp.org"),
		source("192.0.2.2", "pool.ntp.org"),
		source("192.0.2.3", "192.0.2.3"),
		source("", "time.example"),
		source("2001:db8:1111:2222:3333:4444:5555:6666",
		    "a-name-that-makes-the-line-longer-than-it-may-be.example")
	};
	struct status s = status();

	(void)state;
	all[0].pool = all[0].system = all[1].pool = true;
	all[1].trust = 9;
	all[1].next = 23.4;
	all[1].poll = 31.5;
	all[1].offset = -0.339561;
	all[1].delay = 0.016934;
	all[1].jitter = 0.027352;
	all[2].valid = all[3].valid = false;
	all[2].trust = all[3].trust = 2;
	all[2].stratum = all[3].stratum = 0;
	all[2].next = 260;
	all[2].poll = 300;
	all[3].next = -3;		/* overdue */
	all[3].poll = NAN;
	all[4].weight = 10;
	all[4].stratum = 15;
	all[4].next = all[4].poll = 12345;
	all[4].offset = -12345678.9;
	s.source = all;
	s.sources = 5;
	assert_view(VIEW_PEERS, &s,
	    "peer\n"
	    "   wt tl st  next  poll          offset       delay      jitter\n"
	    "192.0.2.1 from pool pool.ntp.org\n"
	    " *  1 10  2   19s   31s         2.513ms     0.265ms     0.198ms\n"
	    "192.0.2.2 from pool pool.ntp.org\n"
	    "    1  9  2   23s   32s      -339.561ms    16.934ms    27.352ms\n"
	    "192.0.2.3 \n"
	    "    1  2  -  260s  300s             ---- peer not valid ----\n"
	    "not resolved time.example\n"
	    "    1  2  -    0s    0s             ---- peer not valid ----\n"
	    "2001:db8:1111:2222:3333:4444:5555:6666 "
	    "a-name-that-makes-the-line-longer-than-i\n"
	    "   10 10 15 12345s 12345s  -12345678900.000ms     0.265ms     "
	    "0.198ms\n");
}

/* Where waiting does not help, the line of the server ends with the reason. */
static void
who_is_no_source_is_shown_with_the_reason(void **state)
{
	static const enum source_said reasons[] = {
		SAID_SELF, SAID_LOOP, SAID_ROOT
	};
	struct status_source one = source("192.0.2.1", "192.0.2.1");
	struct status s = status();
	char wanted[80], *text;

	(void)state;
	one.valid = false;
	s.source = &one;
	s.sources = 1;
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		one.said = reasons[i];
		(void)snprintf(wanted, sizeof wanted,
		    "---- peer not valid ---- (r%d)\n", reasons[i]);
		text = render(VIEW_PEERS, &s);
		assert_has(text, wanted, 1);
		free(text);
	}
}

static void
one_address_under_two_names_is_one_peer(void **state)
{
	struct status_source all[2] = { source("192.0.2.1", "a.example"),
		source("", "b.example") };
	struct status s = status();
	char *text;

	(void)state;
	strcpy(all[1].same_as, "192.0.2.1");
	all[1].valid = false;
	all[1].trust = 2;
	all[1].stratum = 0;
	s.source = all;
	s.sources = s.sources_valid = 1;
	s.shared = 1;
	s.synced = true;
	s.stratum = 3;
	assert_view(VIEW_STATUS, &s,
	    with_sandbox("1/1 peers valid, clock synced, stratum 3\n"));
	assert_view(VIEW_PEERS, &s,
	    "peer\n"
	    "   wt tl st  next  poll          offset       delay      jitter\n"
	    "192.0.2.1 a.example\n"
	    "    1 10  2   19s   31s         2.513ms     0.265ms     0.198ms\n"
	    "same as 192.0.2.1 b.example\n"
	    "    1  2  -   19s   31s             ---- counted there ----\n");
	text = render(VIEW_JSON, &s);
	assert_has(text, "\"sources_known\": 1,", 1);
	assert_has(text, "{\"name\": \"b.example\", \"address\": \"\", "
			 "\"same_as\": \"192.0.2.1\", ", 1);
	free(text);
}

static void
all_is_that_of_openntpd(void **state)
{
	struct status_source one = source("192.0.2.1", "192.0.2.1");
	struct status s = status();

	(void)state;
	assert_view(VIEW_ALL, &s,
	    "no peers and no sensors configured\nclock unsynced\n");
	assert_view(VIEW_PEERS, &s, "no peers configured\n");
	assert_view(VIEW_SENSORS, &s, "no sensors configured\n");
	one.system = true;
	s.source = &one;
	s.sources = s.sources_valid = 1;
	s.synced = true;
	s.stratum = 3;
	assert_view(VIEW_ALL, &s,
	    "1/1 peers valid, clock synced, stratum 3\n"
	    "\n"
	    "peer\n"
	    "   wt tl st  next  poll          offset       delay      jitter\n"
	    "192.0.2.1 \n"
	    " *  1 10  2   19s   31s         2.513ms     0.265ms     "
	    "0.198ms\n");
}

static void
the_screen_says_of_each_what_it_is_and_what_is_wrong(void **state)
{
	struct status_source all[] = {
		source("192.0.2.1", "pool.example"),
		source("192.0.2.2", "b.example"),
		source("192.0.2.3", "192.0.2.3"),
		source("192.0.2.4", "d.example"),
		source("192.0.2.5", "e.example"),
		source("192.0.2.6", "f.example"),
		source("", "g.example"),
		source("192.0.2.8", "h.example"),
		source("", "i.example"),
	};
	struct status_sensor sensor = { .device = "ptp0", .clock = "KVM",
		.valid = true, .selected = SELECT_NONE, .offset = -3e-6,
		.delay = 1e-6, .stratum = 1, .said = "good" };
	struct status_constraint constraint[] = {
		{ .host = "www.example", .address = "192.0.2.80",
		    .answered = true, .offset = -0.3, .reason = "" },
		{ .host = "w.example", .offset = NAN, .reason = "refused" },
		{ .host = "v.example", .offset = NAN, .reason = "" },
	};
	struct status s = synced();

	(void)state;
	s.bound = 0.0008;
	s.source = all;
	s.sources = 8;
	s.shared = 1;
	all[0].pool = true;
	all[0].selected = SELECT_SYSTEM;
	all[1].authentic = all[2].authentic = all[7].authentic = true;
	all[1].nts_exchanges = 1;
	all[1].delay = 0;
	all[2].selected = SELECT_FALSE;
	all[2].offset = -31234.5;
	for (int i = 3; i < 9; i++) {
		all[i].valid = false;
		all[i].offset = all[i].delay = NAN;
		all[i].stratum = all[i].reach = 0;
	}
	all[3].requests = all[3].replies + 1; /* silent */
	all[4].requests = 1; /* it waits for the first reply */
	all[4].replies = 0;
	all[4].state = SOURCE_WAITING;
	all[5].said = SAID_DENY;
	all[1].leap = LEAP_INSERT;
	all[2].leap = LEAP_DELETE;
	all[5].leap = LEAP_ALARM;
	all[7].nts_exchanges = 1;
	all[7].nts_reason = "refused";
	strcpy(all[8].same_as, "192.0.2.1");
	s.sensor = &sensor;
	s.sensors = 1;
	s.constraint = constraint;
	s.constraints = 3;
	assert_view(VIEW_SCREEN, &s,
	    "+ clock synchronised, ready: error bound 0.000800s, stratum 3\n"
	    "\n"
	    "  state         offset     delay stratum  source\n"
	    "+ followed       2.5ms   265.0us     2  pool pool.example "
	    "192.0.2.1\n"
	    "+ agrees         2.5ms     0.0us     2  b.example 192.0.2.2, NTS, "
	    "leap insert\n"
	    "! disagrees -31234.5s    265.0us     2  192.0.2.3, key, leap "
	    "delete\n"
	    "! silent                                d.example 192.0.2.4\n"
	    "  waits                                 e.example 192.0.2.5\n"
	    "! failed                                f.example 192.0.2.6, leap "
	    "unsynchronised: r7\n"
	    "! failed                                g.example: no address "
	    "known\n"
	    "! failed                                h.example 192.0.2.8, NTS: "
	    "refused\n"
	    "  unused                                i.example 192.0.2.1: its "
	    "address is listed already\n"
	    "  unused        -3.0us     1.0us     1  sensor ptp0 KVM\n"
	    "+ answers     -300.0ms                  https://www.example "
	    "192.0.2.80\n"
	    "! failed                                https://w.example: "
	    "refused\n"
	    "  waits                                 https://v.example\n");
}

/* What is wrong stands in lines of its own, whole. */
static void
the_screen_begins_with_what_is_wrong(void **state)
{
	struct status s = status();

	(void)state;
	strcpy(s.not_ready, "no usable time: no reply from any peer");
	s.conf_good = false;
	s.conf_why = "/etc/ntpd.conf:3:7: syntax error";
	assert_shows(VIEW_SCREEN, &s,
	    "! clock not synchronised, not ready: no usable time: no reply "
	    "from any peer\n! configuration refused: /etc/ntpd.conf:3:7: "
	    "syntax error\n\n", 1);
	s.conf_good = true;
	s.synced = s.ready = true;
	s.stratum = 3;
	s.bound = 0.5;
	s.permission = CLOCK_YIELDED;
	memset(s.permission_text, 'x', sizeof s.permission_text - 1);
	assert_shows(VIEW_SCREEN, &s,
	    "+ clock synchronised, ready: error bound 0.500000s, stratum "
	    "3\n! only measuring: xxx", 1);
	assert_shows(VIEW_SCREEN, &s, s.permission_text, 1);
	s.ready = false;
	strcpy(s.not_ready, "error bound 2.0s exceeds 1.0s");
	assert_shows(VIEW_SCREEN, &s,
	    "! clock synchronised, not ready: error bound 2.0s exceeds "
	    "1.0s\n", 1);
}

static void
ready_is_one_short_line(void **state)
{
	struct status s = status();
	char *text;

	(void)state;
	assert_view(VIEW_READY, &s, "not ready: clock is unsynced\n");
	strcpy(s.not_ready, "no\nreply from 4 sources");
	assert_view(VIEW_READY, &s, "not ready: no?reply from 4 sources\n");
	memset(s.not_ready, 'x', sizeof s.not_ready - 1);
	text = render(VIEW_READY, &s);
	assert_int_equal(strlen(text), STATUS_LINE + 1);
	assert_true(text[STATUS_LINE] == '\n');
	free(text);
	/* No word is cut, since half of it would be another word. */
	memset(s.not_ready, 0, sizeof s.not_ready);
	for (int i = 0; i < 40; i++)
		strcat(s.not_ready, "ten bytes ");
	text = render(VIEW_READY, &s);
	assert_true(strlen(text) <= STATUS_LINE + 1);
	assert_true(strlen(text) > STATUS_LINE - 8);
	assert_true(strcmp(strrchr(text, ' '), " ten\n") == 0 ||
	    strcmp(strrchr(text, ' '), " bytes\n") == 0);
	free(text);
	s.ready = true;
	s.bound = 0.0123456;
	s.stratum = 3;
	assert_view(VIEW_READY, &s,
	    "ready: error bound 0.012346s, stratum 3\n");
	s.bound = 1e300;
	text = render(VIEW_READY, &s);
	assert_true(strlen(text) <= STATUS_LINE + 1);
	free(text);
	assert_view(VIEW_LIVE, NULL, "live\n");
}

static void
what_does_not_fit_is_cut_and_counted(void **state)
{
	struct status_source all[2] = {
		source("192.0.2.1", "a"), source("192.0.2.2", "b")
	};
	struct status s = status();

	(void)state;
	s.source = all;
	s.sources = 2;
	for (int view = 0; view < STATUS_VIEWS; view++) {
		char *whole = render((enum status_view)view, &s);
		size_t n = strlen(whole);

		for (size_t size = 0; size <= n; size++) {
			char *part = malloc(size + 1);

			part[size] = '#';
			assert_int_equal(status_render((enum status_view)view,
			    &s, part, size), n);
			assert_memory_equal(part, whole, size);
			assert_true(part[size] == '#');
			free(part);
		}
		free(whole);
	}
}

/* -------------------------------------------------------------------- JSON */

static void
json_has_what_status_has(void **state)
{
	struct status_source one = source("192.0.2.1", "quo\"te\\\n\x80");
	struct status_constraint constraint = {
		.host = "www.example", .address = "192.0.2.9",
		.answered = true, .age = 3, .offset = -0.5, .queries = 1,
		.reason = ""
	};
	struct status_listener listener = {
		.address = "::1", .service = "metrics", .reason = "gone"
	};
	struct status s = status();
	char *text;

	(void)state;
	s.source = &one;
	s.sources = 1;
	s.constraint = &constraint;
	s.constraints = 1;
	s.listener = &listener;
	s.listeners = 1;
	s.freq = -12.345678e-6;
	s.freq_sd = NAN;
	s.offset = -0.0000005;
	s.last_step = -1e-10;
	s.root_delay = -0.0;
	s.server.dropped[DROP_MODE] = 7;
	s.disruptions[DISRUPTION_RESTORED] = 2;
	strcpy(s.permission_text, "add the capability");
	text = render(VIEW_JSON, &s);
	assert_has(text, "{\n\"time\": 1700000000.123456789,\n", 1);
	assert_has(text, "\n\"version\": \"0.1.0\",\n", 1);
	assert_has(text, "\n\"synced\": false,\n", 1);
	assert_has(text, "\n\"leap\": \"unsynchronised\",\n", 1);
	assert_has(text, "\n\"error_bound\": null,\n", 1);
	assert_has(text, "\n\"frequency\": -0.000012345678,\n", 1);
	assert_has(text, "\n\"frequency_error\": null,\n", 1);
	assert_has(text, "\n\"offset\": -0.0000005,\n", 1);
	assert_has(text, "\n\"last_step\": 0,\n", 1);
	assert_has(text, "\n\"root_delay\": 0,\n", 1);
	assert_has(text, "\n\"permission\": \"granted\",\n", 1);
	assert_has(text, "\n\"permission_text\": \"add the capability\",\n", 1);
	assert_has(text, "\n\"sandbox\": \"caps seccomp landlock 6\",\n", 1);
	assert_has(text, "\n\"refused_calls\": 3,\n", 1);
	assert_has(text, "\n\"config_good\": true,\n\"config_time\": "
	    "1600000000.000000000,\n\"config_error\": \"\",\n", 1);
	assert_has(text, "\n\"constraint_age\": null,\n", 1);
	assert_has(text, "\"server_dropped\": {\"length\": 0, \"mode\": 7, ", 1);
	assert_has(text,
	    "\"disruptions\": {\"slept\": 0, \"set\": 0, \"moved\": 0, \"restored\": 2, \"jumped\": 0}",
	    1);
	assert_has(text, "{\"name\": \"quo\\\"te\\\\??\", \"address\": "
	    "\"192.0.2.1\", \"same_as\": \"\", \"pool\": false,", 1);
	assert_has(text, "\"state\": \"idle\", \"selected\": \"used\", "
	    "\"last_reply\": \"r0\", \"next\": 19, \"poll\": 31, "
	    "\"offset\": 0.002513,", 1);
	assert_has(text, "\"rejected\": {\"r1\": 0, ", 1);
	/* There is no comma behind the last one. */
	assert_has(text, ", }", 0);
	assert_has(text, "\"own\": 0, \"key\": 0}", 1);
	assert_has(text, "\n  {\"host\": \"www.example\", \"address\": "
	    "\"192.0.2.9\", \"answered\": true, \"age\": 3, \"offset\": -0.5, "
	    "\"queries\": 1, \"failures\": 0, \"reason\": \"\"}", 1);
	assert_has(text, "\n  {\"address\": \"::1\", \"service\": \"metrics\", "
	    "\"bound\": false, \"reason\": \"gone\"}", 1);
	free(text);
	assert_view(VIEW_SENSORS_JSON, &s, "{\n\"sensors\": []\n}\n");
	s.sources = 0;
	assert_view(VIEW_PEERS_JSON, &s, "{\n\"sources\": []\n}\n");
}

/* A number outside of the table of words shows nothing, and is not read. */
static void
unknown_words_are_null(void **state)
{
	struct status_source one = source("192.0.2.1", "a");
	struct status s = status();
	char *text;

	(void)state;
	one.state = (enum source_state)99;
	one.selected = (enum select_said)-1;
	one.rejected = NULL;
	s.source = &one;
	s.sources = 1;
	s.leap = 77;
	text = render(VIEW_JSON, &s);
	assert_has(text, "\"state\": null, \"selected\": null", 1);
	assert_has(text, "\"leap\": null", 1);
	assert_has(text, "\"rejected\": {}", 1);
	free(text);
	text = render(VIEW_METRICS, &s);
	assert_has(text, "ntpd_source_state{", SOURCE_STATES);
	assert_has(text, "ntpd_source_rejected_total{", 0);
	free(text);
}

/* ----------------------------------------------------------------- metrics */

static void
metrics_say_what_status_says(void **state)
{
	struct status_source one = source("192.0.2.1", "pool \"x\"");
	struct status s = status();
	char *text;

	(void)state;
	one.reach = 0x13;
	one.jitter = NAN;
	rejected[15] = 5;
	s.source = &one;
	s.sources = 1;
	s.synced = true;
	s.leap = LEAP_INSERT;
	s.steps = 1ULL << 63;
	s.last_sync = 1700000000000000001;
	s.permission = CLOCK_DENIED;
	strcpy(s.permission_text, "run it so");
	s.server.dropped[DROP_RATE] = 9;
	s.disruptions[DISRUPTION_SLEEP] = 4;
	text = render(VIEW_METRICS, &s);
	assert_has(text, "# HELP ntpd_build_info ", 1);
	assert_has(text, "# TYPE ntpd_build_info gauge\n"
	    "ntpd_build_info{version=\"0.1.0\"} 1\n", 1);
	assert_has(text, "\n# TYPE ntpd_clock_synced gauge\n"
	    "ntpd_clock_synced 1\n", 1);
	assert_has(text, "\nntpd_leap{leap=\"insert\"} 1\n", 1);
	assert_has(text, "\nntpd_leap{leap=\"none\"} 0\n", 1);
	assert_has(text, "\n# TYPE ntpd_clock_steps_total counter\n"
	    "ntpd_clock_steps_total 9223372036854775808\n", 1);
	assert_has(text, "\nntpd_clock_error_bound_seconds +Inf\n", 1);
	assert_has(text, "\nntpd_constraint_median_age_seconds", 0);
	assert_has(text, "\nntpd_last_sync_timestamp_seconds "
	    "1700000000.000000001\n", 1);
	assert_has(text, "\nntpd_clock_permission{permission=\"denied\"} 1\n",
	    1);
	assert_has(text, "\nntpd_clock_remedy_info{clock_remedy=\"run it "
	    "so\"} 1\n", 1);
	assert_has(text, "\nntpd_sandbox_info{sandbox=\"caps seccomp "
	    "landlock 6\"} 1\n", 1);
	assert_has(text, "\nntpd_refused_calls_total 3\n", 1);
	assert_has(text, "\nntpd_server_dropped_total{reason=\"rate\"} 9\n", 1);
	assert_has(
	    text, "\nntpd_clock_disruptions_total{kind=\"slept\"} 4\n", 1);
	assert_has(text, "\nntpd_config_last_reload_successful 1\n", 1);
	assert_has(text, "\nntpd_config_last_reload_success_timestamp_seconds "
	    "1600000000.000000000\n", 1);
	assert_has(text, "\nntpd_config_restart_needed 0\n", 1);
	assert_has(text, "\nntpd_source_offset_seconds{address=\"192.0.2.1\","
	    "name=\"pool \\\"x\\\"\"} 0.002513\n", 1);
	assert_has(text, "ntpd_source_jitter_seconds{", 0);
	assert_has(text, "\nntpd_source_reachability_ratio{address="
	    "\"192.0.2.1\",name=\"pool \\\"x\\\"\"} 0.375\n", 1);
	assert_has(text, "\",state=\"system\"} 0\n", 1);
	assert_has(text, "\",reason=\"r15\"} 5\n", 1);
	assert_has(text, "# EOF", 0);
	assert_has(text, "# HELP ", count(text, "# TYPE "));
	free(text);
	rejected[15] = 0;

	text = render(VIEW_OPENMETRICS, &s);
	assert_has(text, "# TYPE ntpd_build info\n"
	    "ntpd_build_info{version=\"0.1.0\"} 1\n", 1);
	assert_has(text, "\n# TYPE ntpd_clock_steps counter\n"
	    "ntpd_clock_steps_total 9223372036854775808\n", 1);
	assert_string_equal(text + strlen(text) - 7, "\n# EOF\n");
	free(text);
}

/* The same labels twice would make the whole scrape void. */
static void
no_series_comes_twice(void **state)
{
	struct status_source all[5] = {
		source("192.0.2.1", "a"), source("192.0.2.1", "a"),
		source("192.0.2.1", "b"), source("", "c"), source("", "c")
	};
	struct status s = status();
	char *text;

	(void)state;
	s.source = all;
	s.sources = 5;
	text = render(VIEW_METRICS, &s);
	assert_has(text, "ntpd_source_valid{address=\"192.0.2.1\",name=\"a\"}",
	    1);
	assert_has(text, "ntpd_source_valid{", 2);
	assert_has(text, "\nntpd_sources 5\n", 1);
	free(text);
	s.sources = 0;
	text = render(VIEW_METRICS, &s);
	assert_has(text, "ntpd_source_", 0);
	free(text);
}

/* By host alone: one that never answered has no address, but has failed. */
static void
constraints_go_by_host(void **state)
{
	struct status_constraint all[3] = {
		{ .host = "a.example", .address = "192.0.2.9",
		    .answered = true, .age = 60, .offset = -0.3, .queries = 2,
		    .reason = "" },
		{ .host = "b.example", .age = NAN, .offset = NAN,
		    .queries = 7, .failures = 7, .reason = "refused" },
		{ .host = "a.example", .age = NAN, .offset = NAN,
		    .queries = 1, .failures = 1, .reason = "late" }
	};
	struct status s = status();
	char *text;

	(void)state;
	s.constraint = all;
	s.constraints = 3;
	text = render(VIEW_METRICS, &s);
	assert_has(text, "\nntpd_constraint_answered{host=\"a.example\"} 1\n",
	    1);
	assert_has(text, "\nntpd_constraint_answered{host=\"b.example\"} 0\n",
	    1);
	assert_has(text, "\nntpd_constraint_failures_total"
	    "{host=\"b.example\"} 7\n", 1);
	assert_has(text, "\nntpd_constraint_answered{", 2);
	assert_has(text, "\nntpd_constraint_age_seconds{", 1);
	free(text);
}

static void
series_are_bounded(void **state)
{
	static struct status_source many[SOURCES_MAX];
	struct status s = status();
	char address[32], *text;

	(void)state;
	for (int i = 0; i < SOURCES_MAX; i++) {
		snprintf(address, sizeof address, "10.0.%d.%d", i / 256,
		    i % 256);
		many[i] = source(address, "many");
	}
	s.source = many;
	s.sources = SOURCES_MAX;
	text = render(VIEW_METRICS, &s);
	assert_has(text, "ntpd_source_valid{", STATUS_METRIC_SOURCES);
	assert_has(text, "\nntpd_sources 4096\n", 1);
	free(text);
	/* those without an address take no place */
	for (int i = 0; i < SOURCES_MAX - 3; i++)
		many[i].address[0] = '\0';
	text = render(VIEW_METRICS, &s);
	assert_has(text, "ntpd_source_valid{", 3);
	assert_has(text, "ntpd_source_valid{address=\"10.0.15.255\"", 1);
	free(text);
	text = render(VIEW_PEERS, &s);
	assert_has(text, "many\n", SOURCES_MAX);
	free(text);
}

/* -------------------------------------------------------- numbers and words */

/* This field of the clock has this value in JSON. */
static void
assert_member(const struct status *s, const char *name, const char *want)
{
	char line[128], *text = render(VIEW_STATUS_JSON, s);

	(void)snprintf(line, sizeof line, "\n\"%s\": %s,\n", name, want);
	assert_has(text, line, 1);
	free(text);
}

/* text.c has what numbers look like; here is which of them have how many
 * decimals. */
static void
numbers_have_nine_or_fifteen_decimals_or_are_null(void **state)
{
	static const struct {
		double value;
		const char *offset, *frequency;
	} table[] = {
		{ 0, "0", "0" }, { -20, "-20", "-20" },
		{ 4e-10, "0", "0.0000000004" },
		{ -4e-10, "0", "-0.0000000004" },
		{ 0.9999999996, "1", "0.9999999996" },
		{ HUGE_VAL, "null", "null" }, { NAN, "null", "null" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(table); i++) {
		struct status s = status();

		s.offset = s.freq = table[i].value;
		assert_member(&s, "offset", table[i].offset);
		assert_member(&s, "frequency", table[i].frequency);
	}
}

static void
points_in_time_have_nine_decimals_but_the_build_none(void **state)
{
	struct status s = status();

	(void)state;
	s.last_sync = 1;
	s.build = -5;
	assert_member(&s, "last_sync", "0.000000001");
	assert_member(&s, "build", "-5");
}

static void
each_state_has_its_word(void **state)
{
	static const char *const leap[] = { "none", "insert", "delete",
		"unsynchronised" };
	static const char *const permission[] = { "granted", "denied",
		"measuring", "yielded" };
	static const char *const states[] = { "unresolved", "idle", "waiting",
		"stopped" };
	struct status_source one = source("192.0.2.1", "a");
	struct status s = status();
	char want[64], *text;

	(void)state;
	s.source = &one;
	s.sources = 1;
	for (size_t i = 0; i < LEN(leap); i++) {
		s.leap = (uint8_t)i;
		(void)snprintf(want, sizeof want, "\"%s\"", leap[i]);
		assert_member(&s, "leap", want);
	}
	for (size_t i = 0; i < LEN(permission); i++) {
		s.permission = (enum clock_permission)i;
		(void)snprintf(want, sizeof want, "\"%s\"", permission[i]);
		assert_member(&s, "permission", want);
	}
	text = render(VIEW_METRICS, &s);
	assert_has(text, "\nntpd_leap{", LEN(leap));
	assert_has(text, "\nntpd_clock_permission{", LEN(permission));
	assert_has(text, "\nntpd_source_state{", LEN(states));
	free(text);
	for (size_t i = 0; i < LEN(states); i++) {
		one.state = (enum source_state)i;
		text = render(VIEW_METRICS, &s);
		for (size_t k = 0; k < LEN(states); k++) {
			(void)snprintf(want, sizeof want,
			    "\",state=\"%s\"} %d\n", states[k], k == i);
			/* No other metric has such a state. */
			assert_has(text, want, 1);
		}
		free(text);
	}
}

static void
what_is_not_printable_becomes_a_question_mark(void **state)
{
	struct status_source one = source("192.0.2.1", "a ~\x7f\x1f\xff");
	struct status s = status();
	char *text;

	(void)state;
	s.source = &one;
	s.sources = 1;
	text = render(VIEW_PEERS, &s);
	assert_has(text, "192.0.2.1 a ~???\n", 1);
	free(text);
	text = render(VIEW_PEERS_JSON, &s);
	assert_has(text, "\"name\": \"a ~???\",", 1);
	free(text);
}

static void
reachability_is_the_part_of_eight(void **state)
{
	static const struct {
		int reach;
		const char *want;
	} table[] = { { 0, "} 0\n" }, { 1, "} 0.125\n" }, { 0x80, "} 0.125\n" },
		{ 0x55, "} 0.5\n" }, { 0xff, "} 1\n" } };
	struct status_source one = source("192.0.2.1", "a");
	struct status s = status();
	char *text, *at;

	(void)state;
	s.source = &one;
	s.sources = 1;
	for (size_t i = 0; i < LEN(table); i++) {
		one.reach = table[i].reach;
		text = render(VIEW_METRICS, &s);
		at = strstr(text, "\nntpd_source_reachability_ratio{");
		assert_non_null(at);
		assert_ptr_equal(strstr(at, "} "), strstr(at, table[i].want));
		free(text);
	}
}

/* Each family has one HELP and one TYPE, which are followed by its samples and
 * by no others. */
static void
metrics_are_families(void **state)
{
	static const struct {
		enum status_view view;
		const char *counter, *info;
	} table[] = { { VIEW_METRICS, "", "" },
		{ VIEW_OPENMETRICS, "_total", "_info" } };
	struct status_source one = source("192.0.2.1", "a");
	struct status_constraint constraint = {
		.host = "b", .reason = "", .age = NAN };
	struct status_listener listener = { .address = "::1", .service = "x" };
	struct status s = status();

	(void)state;
	s.source = &one;
	s.constraint = &constraint;
	s.listener = &listener;
	s.sources = s.constraints = s.listeners = 1;
	s.bound_offset = s.bound_error = s.bound_age = 0;
	for (size_t i = 0; i < LEN(table); i++) {
		char *text = render(table[i].view, &s), *line, *rest = text;
		char name[80], type[16], sample[100], help[100] = "";
		int families = 0, samples_ = 0;

		sample[0] = '\0';
		while ((line = strtok_r(rest, "\n", &rest)) != NULL) {
			if (strcmp(line, "# EOF") == 0)
				break;
			if (strncmp(line, "# HELP ", 7) == 0) {
				assert_true(families == 0 || samples_ > 0);
				assert_int_equal(sscanf(line,
				    "# HELP %79s", help), 1);
				continue;
			}
			if (sscanf(line, "# TYPE %79s %15s", name, type) == 2) {
				assert_string_equal(name, help);
				/* The samples of the last family begin with
				 * "sample". */
				assert_true(strcmp(sample, name) != 0);
				(void)snprintf(sample, sizeof sample, "%s%s",
				    name, strcmp(type, "counter") == 0 ?
				    table[i].counter :
				    strcmp(type, "info") == 0 ? table[i].info :
				    "");
				families++;
				samples_ = 0;
				continue;
			}
			if (strncmp(line, sample, strlen(sample)) != 0 ||
			    strchr("{ ", line[strlen(sample)]) == NULL)
				fail_msg("%s below %s", line, name);
			samples_++;
		}
		assert_in_range(families, 45, 65);
		free(text);
	}
}

static void
each_view_has_its_type(void **state)
{
	static const struct {
		enum status_view view;
		const char *type;
	} table[] = {
		{ VIEW_STATUS, "text/plain; charset=utf-8" },
		{ VIEW_PEERS, "text/plain; charset=utf-8" },
		{ VIEW_READY, "text/plain; charset=utf-8" },
		{ VIEW_LIVE, "text/plain; charset=utf-8" },
		{ VIEW_STATUS_JSON, "application/json" },
		{ VIEW_PEERS_JSON, "application/json" },
		{ VIEW_SENSORS_JSON, "application/json" },
		{ VIEW_JSON, "application/json" },
		{ VIEW_METRICS, "text/plain; version=0.0.4; charset=utf-8" },
		{ VIEW_OPENMETRICS,
		    "application/openmetrics-text; version=1.0.0; "
		    "charset=utf-8" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(table); i++)
		assert_string_equal(status_type(table[i].view), table[i].type);
}

static void
a_line_that_just_fits_is_whole(void **state)
{
	static const struct {
		size_t word, last; /* bytes of the two words of a reason */
		size_t line;	   /* bytes that are shown, with "not ready: " */
	} table[] = {
		{ 100, STATUS_LINE - 112, STATUS_LINE },
		{ 100, STATUS_LINE - 111, 111 },
		{ STATUS_LINE - 11, 1, STATUS_LINE },
		{ STATUS_LINE - 10, 1, STATUS_LINE },
		/* A blank at the middle or behind it is a place to cut. */
		{ STATUS_LINE / 2 - 10, STATUS_LINE, STATUS_LINE / 2 + 1 },
		{ STATUS_LINE / 2 - 11, STATUS_LINE, STATUS_LINE / 2 },
		{ STATUS_LINE / 2 - 12, STATUS_LINE, STATUS_LINE },
	};

	(void)state;
	for (size_t i = 0; i < LEN(table); i++) {
		struct status s = status();
		char *text;

		assert_true(table[i].word + table[i].last + 1 <
		    sizeof s.not_ready);
		memset(s.not_ready, 'x', table[i].word + table[i].last + 1);
		s.not_ready[table[i].word] = ' ';
		text = render(VIEW_READY, &s);
		if (strlen(text) != table[i].line + 1)
			fail_msg("row %zu: %zu", i, strlen(text) - 1);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_line_is_that_of_openntpd),
		cmocka_unit_test(a_refused_configuration_is_told_in_each_view),
		cmocka_unit_test(without_the_right_the_status_line_says_so),
		cmocka_unit_test(
		    a_clock_that_another_keeps_right_is_ready_and_says_whose_it_is),
		cmocka_unit_test(whether_the_time_is_authenticated_is_told),
		cmocka_unit_test(
		    a_source_with_nts_shows_its_keys_and_others_do_not),
		cmocka_unit_test(peers_are_those_of_openntpd),
		cmocka_unit_test(one_address_under_two_names_is_one_peer),
		cmocka_unit_test(who_is_no_source_is_shown_with_the_reason),
		cmocka_unit_test(all_is_that_of_openntpd),
		cmocka_unit_test(
		    the_screen_says_of_each_what_it_is_and_what_is_wrong),
		cmocka_unit_test(the_screen_begins_with_what_is_wrong),
		cmocka_unit_test(ready_is_one_short_line),
		cmocka_unit_test(what_does_not_fit_is_cut_and_counted),
		cmocka_unit_test(json_has_what_status_has),
		cmocka_unit_test(unknown_words_are_null),
		cmocka_unit_test(metrics_say_what_status_says),
		cmocka_unit_test(no_series_comes_twice),
		cmocka_unit_test(constraints_go_by_host),
		cmocka_unit_test(series_are_bounded),
		cmocka_unit_test(
		    numbers_have_nine_or_fifteen_decimals_or_are_null),
		cmocka_unit_test(
		    points_in_time_have_nine_decimals_but_the_build_none),
		cmocka_unit_test(each_state_has_its_word),
		cmocka_unit_test(what_is_not_printable_becomes_a_question_mark),
		cmocka_unit_test(reachability_is_the_part_of_eight),
		cmocka_unit_test(metrics_are_families),
		cmocka_unit_test(each_view_has_its_type),
		cmocka_unit_test(a_line_that_just_fits_is_whole),
	};

	for (int i = 0, used = 0; i < SAID_SAYS; i++)
		used += snprintf(said_words + used,
		    sizeof said_words - (size_t)used, "r%d", i) + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
