/*
 * whole.c - the whole daemon in a simulated world: what must always be true.
 *
 *	whole [-gv] [-d DAYS] [-n SEEDS] [SEED]
 *
 * Each seed is a world of a few simulated hours with its own troubles: calls
 * that fail, servers that lie or are silent, a machine that sleeps, a clock that
 * others set, a network that is gone, restarts, crashes and losses of power.
 * The daemon is all of its rooms but for those of its children; below them is
 * calls.c in place of the C library.  Promises, checked all the time:
 *	- it never ends unasked, and within two seconds when it is asked;
 *	- each step of the clock has its evidence by ntpd(8) "What sets the
 *	  clock", none comes within a minute of another, and while most servers
 *	  are honest each leads to the right time;
 *	- no order goes beyond what a clock can need;
 *	- while it calls the clock synchronised and most servers are honest, the
 *	  clock is within the bound that it shows, and within the kernel's;
 *	- the log keeps its budget, and the servers are not asked too often;
 *	- beside another program that steers the clock it stands down, names it,
 *	  and comes back: see rivals.c;
 *	- of servers that must prove who they are, nothing that they have not
 *	  sealed is believed: see nts.c;
 *	- memory and descriptors do not grow, and nothing is left open;
 *	- the loop does not turn without a reason;
 *	- after an hour and a half without trouble the clock is synchronised;
 *	- a month fills no more than 300 KB of the log.
 * A seed that fails is printed with the command that repeats it.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/discipline.h"
#include "tell.h"
#include "tests/whole/calls.h"
#include "tests/whole/world.h"

struct world *w;
bool verbose;
static double days; /* -d: of each world, with a trouble each hour */
static bool debugger; /* -g: what breaks waits for one */

/* Bytes of the log in a month, with a restart every day. */
#define LOG_MONTH 300e3

/* Real seconds that a life may take: more is a loop without calls. */
enum { LIFE_SECONDS = 30 };
/* So often the start may fail in a row.  The supervisor waits longer and longer,
 * five minutes at most. */
enum { STARTS = 200 };
/* One of so many seeds may be outside of the bound, if it has one server. */
enum { OUTSIDE_SEEDS = 1000 };

void
broken(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(w->ended, sizeof w->ended, format, args);
	va_end(args);
	if (debugger) {
		(void)dprintf(2, "%s: gdb -p %d\n", w->ended,
		    (int)__real_getpid());
		(void)pause();
	}
	_exit(LIFE_BROKEN);
}

unsigned
__wrap_alarm(unsigned s)
{
	(void)s;
	return 0;
}

/* Is this bound true?  docs/limits.md: with a single server it can be too small
 * for some time, if the route of its first samples tells nothing of the later
 * ones.  Such a seed is counted, and few may be so; twice the bound is the most
 * then.  No other one may be outside at all. */
bool
is_bound(double wrong, double bound)
{
	if (fabs(wrong) <= bound)
		return true;
	if (w->plan.servers_most > 1 || fabs(wrong) > 2 * bound)
		return false;
	w->outside = true;
	return true;
}

/* The end of a turn: what the daemon says of itself is compared with the
 * truth. */
void
__wrap_tell_log(
    struct tell *t, const struct steer *st, const struct instant *now)
{
	double bound = discipline_bound(&st->disc, now);
	double wrong = clock_error();
	bool promised = w->plan.honest && w->t >= w->trusted_from;

	__real_tell_log(t, st, now);
	rival_judge(st->clock);
	nts_judge(st);
	w->synced = st->synced;
	w->bound = bound;
	w->offset = wrong;
	if (!promised)
		return;
	if (st->synced)
		CHECK(is_bound(wrong, bound),
		    "synchronised, but %f s off; the bound is %f s", wrong,
		    bound);
	if ((w->kernel.status & STA_UNSYNC) == 0 && st->synced &&
	    st->clock->given && w->ours_is_last)
		CHECK(is_bound(wrong, (double)w->kernel.maxerror / 1e6 + 1e-4),
		    "%f s off; the kernel's bound is %ld us", wrong,
		    w->kernel.maxerror);
}

static int
live(void)
{
	char name[] = "ntpd", file[] = "-f", path[] = "/etc/ntpd.conf";
	char debug[] = "-d", set[] = "-s";
	char *args[8] = { name, file, path };
	int n = 3;

	life_begins();
	if (!w->plan.syslog)
		args[n++] = debug;
	if (w->plan.set)
		args[n++] = set;
	(void)__real_alarm(debugger ? 0 : LIFE_SECONDS);
	optind = 1;
	return ntpd_main(n, args);
}

/* Has the last part, without trouble, made all well? */
static void
judge_end(void)
{
	if (w->log_bytes > LOG_MONTH * fmax(1, days / 30))
		(void)snprintf(w->ended, sizeof w->ended,
		    "a log of %.0f bytes", w->log_bytes);
	if (fabs(w->calm_error) > 200)
		return; /* it may be slewed for hours, or be too far for that */
	if (!w->synced || fabs(clock_error()) > 0.2)
		(void)snprintf(w->ended, sizeof w->ended,
		    "all was well for long, and it is %s: off by %f s",
		    w->synced ? "synced" : "not synced", clock_error());
	else if (!w->authentic && is_nts())
		(void)snprintf(w->ended, sizeof w->ended,
		    "all was well for long, and it is not authenticated");
}

/* What became of a life.  True if the world goes on. */
static bool
judge(int status)
{
	int code = WEXITSTATUS(status);

	if (WIFSIGNALED(status))
		(void)snprintf(w->ended, sizeof w->ended, "signal %d",
		    WTERMSIG(status));
	else if (code == LIFE_BROKEN || code == LIFE_CRASHED)
		;
	else if (w->asked_to_end && code != 0)
		(void)snprintf(w->ended, sizeof w->ended,
		    "SIGTERM ended it with status %d", code);
	else if (!w->asked_to_end && w->ready)
		(void)snprintf(w->ended, sizeof w->ended,
		    "it has ended unasked, with status %d", code);
	else if (!w->ready && code != LIFE_CRASHED && !w->asked_to_end &&
	    ++w->unready > STARTS)
		(void)snprintf(w->ended, sizeof w->ended,
		    "it did not start %d times", STARTS);
	if (w->ready)
		w->unready = 0;
	if (w->ended[0] == '\0' && w->over)
		judge_end();
	return w->ended[0] == '\0' && !w->over;
}

static bool
run_seed(uint64_t seed)
{
	int status;
	pid_t pid;

	plot_make(seed, days);
	do {
		w->stop_at = 0;
		pass(ns(w->unready == 0 ? 1 : fmin(300, 10 * w->unready)));
		pid = __real_fork();
		if (pid == 0)
			_exit(live());
		if (pid < 0 || __real_waitpid(pid, &status, 0) < 0) {
			perror("whole");
			abort();
		}
		/* Who finds that it does not start looks at the
		 * configuration. */
		if (w->unready > 2)
			write_conf(false);
	} while (judge(status));
	return w->ended[0] == '\0';
}

static void
report(const char *program)
{
	const struct plan *p = &w->plan;
	unsigned i, n = w->lines < LINES ? w->lines : LINES;

	(void)printf("seed %llu: %s\n", (unsigned long long)p->seed, w->ended);
	(void)printf("  at %.3f s, life %u, %s%s%s, %d servers (%d lie), %d constraints\n",
	    seconds(w->t), w->lives, p->honest ? "honest" : "hostile",
	    p->set ? ", -s" : "", p->syslog ? ", daemon" : "", p->servers,
	    p->liars, p->constraints);
	print_faults();
	for (i = 0; i < n && !verbose; i++)
		(void)printf("  %s\n", w->line[(w->lines - n + i) % LINES]);
	(void)printf("repeat it with: %s -v %llu\n", program,
	    (unsigned long long)p->seed);
}

int
main(int argc, char **argv)
{
	unsigned long seeds = 1, first = 1, i, bad = 0, outside = 0;
	unsigned long lives = 0, turns = 0, requests = 0, checks = 0;
	double hours = 0;
	int c;

	while ((c = getopt(argc, argv, "d:gn:v")) != -1)
		switch (c) {
		case 'd': days = (double)strtoul(optarg, NULL, 10); break;
		case 'g': debugger = true; break;
		case 'n': seeds = strtoul(optarg, NULL, 10); break;
		case 'v': verbose = true; break;
		default: return 1;
		}
	if (optind < argc)
		first = strtoul(argv[optind], NULL, 10);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	w = mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (w == MAP_FAILED) {
		perror("whole");
		return 1;
	}
	for (i = 0; i < seeds; i++) {
		if (!run_seed(first + i)) {
			report(argv[0]);
			bad++;
		}
		outside += w->outside;
		lives += w->lives;
		turns += w->all_turns;
		requests += w->all_requests;
		checks += w->checks;
		hours += seconds(w->t) / 3600;
	}
	(void)printf("%lu seeds of a single server were outside of the bound\n",
	    outside);
	if (outside > 1 + seeds / OUTSIDE_SEEDS) {
		(void)printf("those are too many\n");
		bad++;
	}
	(void)printf("%lu seeds, %lu failed: %.0f hours, %lu lives, %lu turns, %lu requests, %lu checks\n",
	    seeds, bad, hours, lives, turns, requests, checks);
	return bad > 0;
}
