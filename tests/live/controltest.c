/*
 * controltest.c - control.c in a loop of its own, with a made-up struct status.
 * Called as ntpctl, it is ctl.c.  test_control.py uses it.
 *
 * usage: controltest [-u] [-b] [-n sources] [-m address,port]...
 *   -u  unsynced and not ready
 *   -n  that many sources, 4 without
 *   -m  listen for metrics there
 *   -b  clear the busy word: go on though somebody answers at the socket
 *
 * Time is a variable here: deadlines pass when SIGUSR1 (3 s) and SIGUSR2 (30 s)
 * say so.  On stdout, one line each: what control_open said, then "ready", and
 * after each of the signals "now SECONDS, N watched, T turns of the loop".
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/address.h"
#include "core/build.h"
#include "core/conf.h"
#include "core/constraint.h"
#include "core/instant.h"
#include "core/ntp.h"
#include "core/select.h"
#include "core/source.h"
#include "serve/control.h"
#include "serve/ctl.h"
#include "serve/listen.h"
#include "serve/serve.h"
#include "serve/status.h"
#include "sys/sandbox.h"
#include "tests/blank.h"

static volatile sig_atomic_t passed, quit;

static void
on_signal(int sig)
{
	if (sig == SIGTERM)
		quit = 1;
	else
		passed += sig == SIGUSR1 ? 3 : 30;
}

static struct status *
made_up(int sources, bool unsynced)
{
	static struct status s;
	static uint64_t rejected[SAID_SAYS];
	static struct status_constraint constraint = {
		.host = "www.example", .address = "192.0.2.9",
		.answered = true, .age = 60, .offset = -0.3, .queries = 2,
		.failures = 1, .reason = "connect: Connection refused"
	};
	struct status_source *all = calloc((size_t)sources + 1, sizeof *all);

	if (all == NULL)
		exit(1);
	for (int i = 0; i < sources; i++) {
		all[i] = (struct status_source){
			BLANK_SOURCE, .name = "pool.example", .pool = true, .weight = 1,
			.trust = 10, .valid = true, .stratum = 2,
			.reach = 0xff, .state = SOURCE_IDLE,
			.selected = i == 0 ? SELECT_SYSTEM : SELECT_USED,
			.system = i == 0, .next = 19, .poll = 31,
			.offset = 0.0025, .delay = 0.0003, .jitter = 0.0002,
			.distance = 0.004, .requests = 10, .replies = 9,
			.rejected = rejected,
			.nts_age = 900, .nts_exchanges = 2, .nts_failures = 1,
			.nts_naks = 0, .nts_cookies = 8,
			.nts_expire = 1800000000
		};
		snprintf(all[i].address, sizeof all[i].address, "10.%d.%d.%d",
		    i / 65536, i / 256 % 256, i % 256);
	}
	s = (struct status){
		BLANK_STATUS, .real = 1700000000123456789, .uptime = 100,
		.version = build_version, .build = 1600000000, .synced = !unsynced,
		.conf_good = true,
		.stratum = 3, .offset = -0.000012, .bound = 0.0123,
		.freq = -12.3e-6, .freq_sd = 1e-8, .root_delay = 0.01,
		.root_dispersion = 0.002, .last_sync = 1699999999000000000,
		.steps = 1, .last_step = -0.3, .permission = CLOCK_MAY,
		.sandbox = "caps seccomp landlock 6",
		.source = all, .sources = sources, .sources_valid = sources,
		.constraint = &constraint, .constraints = 1,
		.bound_known = true, .bound_offset = -0.3, .bound_error = 1,
		.bound_age = 60, .ready_within = 1, .ready = !unsynced,
		.roots = 140, .roots_expire = 1800000000,
		.selected_words = select_words, .said_words = source_words,
		.dropped_words = serve_words
	};
	if (unsynced) {
		s.stratum = 0;
		s.leap = LEAP_ALARM;
		s.bound = HUGE_VAL;
		snprintf(s.not_ready, sizeof s.not_ready, "no majority: 1 of "
		    "%d sources agree", sources);
	}
	return &s;
}

static void
listen_on(struct conf *conf, struct conf_listen *m, char *text)
{
	char *comma = strchr(text, ',');

	if (comma == NULL)
		exit(1);
	*comma = '\0';
	m->port = (uint16_t)atoi(comma + 1);
	m->name = text;
	m->any = strcmp(text, "*") == 0;
	if (!m->any && !address_parse(text, &m->address))
		exit(1);
	conf->metricses++;
}

static int
watch(const struct control *control, struct pollfd *pfd)
{
	return control_watch(control, pfd, CONTROL_WATCHED);
}

static void
loop(struct control *control, struct listening *listening, struct status *s)
{
	struct pollfd pfd[CONTROL_WATCHED];
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t all, open;
	int64_t now = 1;
	int n, turns = 0;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &open);
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	puts("ready");
	fflush(stdout);
	while (!quit) {
		struct timespec none = { 0, 0 };

		turns++;
		n = watch(control, pfd);
		if (ppoll(pfd, (nfds_t)n,
		    sooner(control_due(control), listen_due(listening)) <= now ?
		    &none : NULL, &open) == -1) {
			if (errno != EINTR)
				exit(1);
			for (int i = 0; i < n; i++)
				pfd[i].revents = 0;
		}
		now += passed * NS_PER_S;
		listen_turn(listening, NULL, now); /* there are no names */
		s->listener = NULL;
		if (control_deliver(control, pfd, n, now)) {
			static struct status_listener l[LISTEN_METRICS_MOST];

			s->listener = l;
			s->listeners = listen_status(listening, LISTEN_METRICS,
			    l, LISTEN_METRICS_MOST);
			control_answer(control, s, now);
		}
		if (passed != 0) {
			printf("now %lld, %d watched, %d turns\n",
			    (long long)(now / NS_PER_S), watch(control, pfd),
			    turns);
			fflush(stdout);
			passed = 0;
		}
	}
}

int
main(int argc, char **argv)
{
	static struct control control;
	static struct listening listening;
	static struct conf_listen metrics[LISTEN_METRICS_MOST + 1];
	struct conf conf = { .metrics = metrics };
	const char *name = strrchr(argv[0], '/');
	bool unsynced = false, anyway = false;
	int c, sources = 4;
	enum control_said open;

	if (strcmp(name != NULL ? name + 1 : argv[0], "ntpctl") == 0)
		return ctl_main(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	while ((c = getopt(argc, argv, "bm:n:u")) != -1)
		switch (c) {
		case 'b':
			anyway = true;
			break;
		case 'm':
			if (conf.metricses > LISTEN_METRICS_MOST)
				return 1;
			listen_on(&conf, &metrics[conf.metricses], optarg);
			break;
		case 'n':
			sources = atoi(optarg);
			break;
		case 'u':
			unsynced = true;
			break;
		default:
			return 1;
		}
	control_start(&control, &listening);
	open = control_open(&control);
	printf("%s\n", open == CONTROL_BUSY ? "busy" : open == CONTROL_FAILED ?
	    strerror(errno) : control.abstract ? "abstract" : "open");
	fflush(stdout);
	if (open == CONTROL_BUSY && !anyway)
		return 1;
	listen_open(&listening, &conf, 1);
	loop(&control, &listening, made_up(sources, unsynced));
	control_close(&control);
	listen_close(&listening);
	return 0;
}
