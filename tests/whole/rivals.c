/*
 * rivals.c - another program that steers the same clock, and what the daemon does
 * about it.  It comes and goes, slews the clock to the right time, and never sets
 * it.  How it writes is how the sources of these programs call adjtimex(2).
 *
 * What is checked, by ntpd(8) "Another program":
 *	- its name is right;
 *	- the daemon stands down after the third write, and writes nothing then;
 *	- it steers again when the other one has been silent for so long as the
 *	  manual says.
 */
#include <math.h>
#include <stdio.h>

#include "clock.h"
#include "core/word.h"
#include "tests/whole/world.h"

/* s: two looks are less apart, so that writes which are further apart are two
 * for it; and so late may a loop be that is woken late. */
#define LOOKS 120.0
#define LATE 60.0
#define ALONE 600.0
#define ALONE_MOST 7200.0
/* Writes that are seen before we stand down, and then answered by ours. */
enum { HITS = 3 };

enum { TICK = 10000 };
/* Ratio: phc2sys slews by so much at most. */
#define PHC2SYS_MOST 50e-3

static const struct clock *clock_of; /* this life's */

/* ratio: what makes the kernel's clock as fast as true time */
static double
ideal(void)
{
	return 1 / (1 + w->osc) - 1;
}

static void
set_frequency(double freq)
{
	struct timex t = { .modes = ADJ_FREQUENCY | ADJ_TICK };

	t.tick = TICK + lrint(freq * 1e4);
	t.freq = lrint((freq - (double)(t.tick - TICK) * 1e-4) * 65536e6);
	machine_obey(&t);
}

static double
limited(double v, double most)
{
	return fmax(-most, fmin(most, v));
}

/* It writes something that only a program of its kind does.  It must be named by
 * that if the daemon can compare this with what stood there before. */
static void
tells(struct other *o)
{
	o->told |= clock_of != NULL && clock_of->rival.known;
}

/* chronyd: a frequency for each part of a slew; with each reply its status too.
 * Without rtcsync it says that the clock is not synchronised. */
static void
chronyd_writes(struct other *o, double wrong)
{
	struct timex t = {
		.modes = ADJ_STATUS | ADJ_ESTERROR | ADJ_MAXERROR,
		.status = o->way & 1 ? STA_UNSYNC : 0,
		.esterror = 20 + (long)(1000 * uniform()),
		.maxerror = 2000 + (long)(1000 * uniform()),
	};

	set_frequency(ideal() - limited(wrong / (2 * o->every), 83e-3));
	if (o->writes % o->status_each != 1)
		return;
	machine_obey(&t);
	tells(o);
}

/* systemd-timesyncd: the kernel's PLL, at each reply, and more and more rarely. */
static void
timesyncd_writes(struct other *o, double wrong)
{
	struct timex t = {
		.modes = ADJ_STATUS | ADJ_NANO | ADJ_OFFSET | ADJ_TIMECONST |
		    ADJ_MAXERROR | ADJ_ESTERROR,
		.status = STA_PLL,
		.offset = (long)(-1e9 * limited(wrong, 0.4)),
		.constant = (long)log2(o->every) - 4,
	};

	machine_obey(&t);
	/* The PLL learns the frequency, too. */
	w->kernel.freq += lrint(0.5 * (ideal() * 65536e6 -
	    (double)w->kernel.freq));
	tells(o);
	o->every = fmin(2048, 2 * o->every);
}

/* phc2sys: a frequency each second, and that the clock is synchronised.  While the
 * frequency stands at its limit, it could be OpenNTPD as well. */
static void
phc2sys_writes(struct other *o, double wrong)
{
	struct timex t = { .modes = ADJ_STATUS | ADJ_MAXERROR };
	double slew = limited(0.3 * wrong, PHC2SYS_MOST);

	set_frequency(ideal() - slew);
	if (o->way & 1) /* that is older, or not locked */
		return;
	machine_obey(&t);
	tells(o);
	if (fabs(slew) >= PHC2SYS_MOST)
		o->told = false;
}

/* The machine slept, or its clock was set, or the kernel cannot be read: what was
 * written just before cannot be seen any more. */
void
rival_unseen(void)
{
	w->other.since = w->raw;
	w->other.wrote = w->other.before;
	w->other.told = false;
	w->other.hits = w->other.ours = 0;
	clock_of = NULL; /* until its next turn */
}

/* Somebody sets the clock.  The daemon sees that also while it cannot read what the
 * kernel holds, and counts it as a write of the other one. */
void
rival_joined(void)
{
	struct other *o = &w->other;

	if (o->wrote != 0)
		o->longest = fmax(o->longest, seconds(w->raw - o->wrote));
	rival_unseen();
}

static bool
is_blind(void)
{
	return w->fault[CALL_ADJTIMEX].until > w->t || w->no_clock;
}

/* Something is written that the daemon shall see. */
void
rival_wrote_now(void)
{
	struct other *o = &w->other;

	w->ours_is_last = false;
	o->writes++;
	if (is_blind()) {
		rival_unseen();
		return;
	}
	if (o->wrote != 0)
		o->longest = fmax(o->longest, seconds(w->raw - o->wrote));
	o->before = o->wrote;
	o->wrote = w->raw;
	if (o->hits == 0 || seconds(w->raw - o->hit_at) > LOOKS) {
		o->hits++;
		o->hit_at = w->raw;
	}
}

static void
writes(struct other *o)
{
	double wrong = clock_error() + 20e-6 * normal();

	rival_wrote_now();
	switch (w->plan.rival) {
	case RIVAL_CHRONYD: chronyd_writes(o, wrong); break;
	case RIVAL_TIMESYNCD: timesyncd_writes(o, wrong); break;
	default: phc2sys_writes(o, wrong);
	}
}

static void
comes(struct other *o)
{
	struct timex off = { .modes = ADJ_STATUS, .status = STA_UNSYNC };

	o->here = true;
	o->told = false;
	o->writes = o->answered = o->ours = o->hits = 0;
	o->since = w->raw;
	o->leaves = w->t + ns(60 + exponential(1800));
	o->way = (int)(random_word() % 8);
	o->every = w->plan.rival == RIVAL_CHRONYD ? 1 << 2 * (o->way & 3) :
	    w->plan.rival == RIVAL_TIMESYNCD	  ? 32 : 1;
	o->status_each = 2 + (int)(random_word() % 3);
	if (w->plan.rival == RIVAL_CHRONYD)
		machine_obey(&off); /* it uses no PLL */
}

/* The last slew ends. */
static void
goes(struct other *o)
{
	o->here = false;
	set_frequency(ideal());
	rival_wrote_now();
}

void
rival_happens(void)
{
	struct other *o = &w->other;

	aside();
	if (o->here && (w->calm || w->t >= o->leaves))
		goes(o);
	else if (!o->here && !w->calm)
		comes(o);
	if (o->here) {
		writes(o);
		(void)event_add(o->every, EVENT_RIVAL);
	} else if (!w->calm)
		(void)event_add(exponential(2400), EVENT_RIVAL);
	aside();
}

void
rival_begins(void)
{
	aside();
	if (w->plan.rival != RIVAL_NONE)
		(void)event_add(exponential(1200), EVENT_RIVAL);
	aside();
}

/* A life begins, which knows of nobody. */
void
rival_unknown(void)
{
	rival_unseen();
	w->other.longest = 0;
	w->other.wrote = w->other.before = 0;
	w->other.down = false;
}

/* The daemon writes.  If both write by turns, each makes the other one's work
 * void. */
void
rival_ours(void)
{
	struct other *o = &w->other;

	CHECK(clock_of == NULL || clock_of->permission != CLOCK_YIELDED,
	    "it writes, although it stands down");
	if (!o->here || clock_of == NULL || o->answered == o->writes)
		return;
	o->answered = o->writes;
	o->ours++;
	CHECK(o->ours <= HITS, "%d writes of another program were answered",
	    o->ours);
}

static void
check_name(const struct other *o, enum rival_who who)
{
	CHECK(who == w->plan.rival || !o->told,
	    "%s is called %s", rival_name(w->plan.rival), rival_name(who));
}

/* A turn has ended. */
void
rival_judge(const struct clock *c)
{
	struct other *o = &w->other;
	bool down = c->permission == CLOCK_YIELDED, blind = is_blind();
	int64_t quiet = o->wrote > o->since ? o->wrote : o->since;
	double alone = fmax(ALONE, fmin(ALONE_MOST, 3 * (o->longest + LOOKS)));

	if (blind)
		rival_unseen();
	clock_of = c;
	if (w->plan.rival == RIVAL_NONE)
		return;
	if (down && !o->down)
		check_name(o, c->rival.who);
	if (o->down && !down) /* from now on its first write is enough */
		o->hits = HITS - 1;
	o->down = down;
	if (o->here && o->hits >= HITS && c->permission == CLOCK_MAY)
		CHECK(o->hits == HITS && seconds(w->raw - o->hit_at) < LOOKS,
		    "%s steers for %f s, and it does not stand down",
		    rival_name(w->plan.rival), seconds(w->raw - o->since));
	if (down && !blind)
		CHECK(seconds(w->raw - quiet) < alone + LOOKS + LATE,
		    "nobody else has written for %f s, and it stands down",
		    seconds(w->raw - quiet));
}
