/*
 * clock.c - the only room that can change time.
 *
 * Everything goes through adjtimex(2), with one call for each order: the step
 * (ADJ_SETOFFSET), the frequency, the phase, maxerror and esterror.  The phase
 * is given to the kernel's PLL with STA_FREQHOLD, so that a slew ends by itself
 * if we die.  The seccomp profiles of all container runtimes know this call.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "core/ntp.h"
#include "sys/instant.h"
#include "sys/log.h"
#include "sys/os.h"

#define SCALED_PPM 65536e6	    /* timex.freq is in units of 2^-16 ppm */
#define TICK_NORMAL 10000	    /* us per tick at USER_HZ 100 */
#define TICK_STEP 100e-6	    /* ratio of one us of tick */
#define TICK_MOST 1000		    /* the kernel allows 9000 to 11000 */
#define ERROR_MOST 16.0		    /* s: the kernel knows no larger maxerror */
#define SLEPT_LEAST (NS_PER_S / 10) /* ns; no machine sleeps shorter */

/* The noise of a reading: how long one takes, in s. */
static double
reading_noise(void)
{
	struct timespec a, b;
	int64_t least = NS_PER_S;
	int i;

	for (i = 0; i < 8; i++) {
		(void)clock_gettime(CLOCK_REALTIME, &a);
		(void)clock_gettime(CLOCK_REALTIME, &b);
		if (nanoseconds(&b) - nanoseconds(&a) < least)
			least = nanoseconds(&b) - nanoseconds(&a);
	}
	return seconds(least < 1 ? 1 : least);
}

/* The kernel's tick is always within a tenth of the normal one.  It is 0 if a
 * seccomp profile has answered in the kernel's place. */
static bool
is_tick(long tick)
{
	return labs(tick - TICK_NORMAL) <= TICK_NORMAL / 10;
}

/* Read what stands in the kernel.  False if that is refused or makes no
 * sense. */
static bool
read_words(struct words *w)
{
	/* The first of them tells what adjtime(3) has left in place of what the
	 * PLL has. */
	struct timex left = { .modes = ADJ_OFFSET_SS_READ }, t = { 0 };

	if (adjtimex(&left) < 0 || adjtimex(&t) < 0 || !is_tick(t.tick))
		return false;
	*w = (struct words){
		.raw = clock_read().raw, .freq = t.freq, .tick = t.tick,
		.constant = t.constant, .offset = t.offset, .left = left.offset,
		.max_error = t.maxerror, .est_error = t.esterror,
		.status = t.status,
	};
	return true;
}

/* Is it worth looking who else writes? */
static bool
watches(const struct clock *c)
{
	return c->rival.owner != OWNER_IGNORE &&
	    (c->permission == CLOCK_MAY || c->permission == CLOCK_YIELDED);
}

/* Read them for the rival.  If that fails, what stands there now may be our own
 * writing, and is not to be compared with what stood there before. */
static bool
watched(struct clock *c, struct words *w)
{
	if (watches(c) && read_words(w))
		return true;
	rival_forget(&c->rival, clock_read().raw);
	return false;
}

/* See whether somebody else has written.  True if we may write. */
static bool
look(struct clock *c)
{
	enum rival_news news;
	struct words w;

	if (watched(c, &w)) {
		news = rival_look(&c->rival, &w);
		if (news > c->news)
			c->news = news;
		c->permission = c->rival.yielded ? CLOCK_YIELDED : CLOCK_MAY;
	}
	return c->permission == CLOCK_MAY;
}

/* Keep what stands in the kernel now, since we wrote it. */
static void
wrote(struct clock *c)
{
	struct words w;

	if (watched(c, &w))
		rival_wrote(&c->rival, &w);
}

void
clock_denied(struct clock *c)
{
	c->permission = CLOCK_DENIED;
	rights_remedy(&c->rights, c->remedy, sizeof c->remedy);
}

/* Which hypervisor do we run on?  The names are those of the drivers that its
 * tools need. */
static enum rival_who
hypervisor(void)
{
	return access("/sys/module/vmw_vmci", F_OK) == 0	? RIVAL_VMWARE :
	    access("/sys/module/vboxguest", F_OK) == 0	? RIVAL_VIRTUALBOX :
	    access("/sys/module/hv_utils", F_OK) == 0	? RIVAL_HYPERV :
							  RIVAL_NONE;
}

void
clock_start(struct clock *c, bool measure, enum clock_owner owner)
{
	struct clock_kernel k;
	struct timex t = { 0 };
	struct timespec ts;
	uint32_t luck = 0;

	if (clock_gettime(CLOCK_MONOTONIC_RAW, &ts) < 0 ||
	    clock_gettime(CLOCK_REALTIME, &ts) < 0)
		fatal("clock: the clocks cannot be read");
	memset(c, 0, sizeof *c);
	rights_look(&c->rights);
	(void)getrandom(&luck, sizeof luck, GRND_NONBLOCK);
	rival_start(&c->rival, owner, luck, clock_read().raw);
	c->rival.tools = hypervisor();
	c->precision = reading_noise();
	c->timer = wait_timer();
	if (c->timer >= 0 && wait_arm(c->timer) < 0) {
		(void)close(c->timer);
		c->timer = -1;
	}
	(void)clock_slept(c);
	if (clock_kernel(&k))
		c->last.freq = k.freq;
	c->permission = CLOCK_MEASURE;
	if (measure)
		return;
	/* Write back the status that was read.  That changes nothing, but it
	 * needs the right.  The kernel ignores the bits that are read-only. */
	if (adjtimex(&t) >= 0) {
		t.modes = ADJ_STATUS;
		if (adjtimex(&t) >= 0) {
			c->permission = CLOCK_MAY;
			wrote(c);
			return;
		}
	}
	c->error = errno;
	clock_denied(c);
}

void
clock_reload(struct clock *c, enum clock_owner owner)
{
	enum rival_who tools = c->rival.tools;

	if (owner == c->rival.owner)
		return;
	rival_start(&c->rival, owner, c->rival.luck, clock_read().raw);
	c->rival.tools = tools;
	if (c->permission != CLOCK_YIELDED)
		return;
	c->permission = CLOCK_MAY;
	c->news = RIVAL_IS_GONE; /* what it has set is answered */
}

bool
clock_kernel(struct clock_kernel *k)
{
	struct timex t = { 0 };

	if (adjtimex(&t) < 0)
		return false;
	if (!is_tick(t.tick)) {
		errno = ENOSYS;
		return false;
	}
	k->freq = (double)t.freq / SCALED_PPM +
	    (double)(t.tick - TICK_NORMAL) * TICK_STEP;
	k->synced =
	    (t.status & STA_UNSYNC) == 0 && t.maxerror < ERROR_MOST * 1e6;
	return true;
}

static long
microseconds(double error)
{
	return lrint(fmin(ERROR_MOST, fmax(0, error)) * 1e6);
}

/* The PLL runs without its frequency part.  A leap second may be due. */
static int
usual_status(uint8_t leap)
{
	return STA_PLL | STA_FREQHOLD |
	    (leap == LEAP_INSERT	? STA_INS :
		    leap == LEAP_DELETE ? STA_DEL :
					  0);
}

/* ADJ_SETOFFSET wants a fraction between 0 and 1 s, also of negative steps. */
static void
set_offset(struct timex *t, int64_t ns)
{
	int64_t s = ns / NS_PER_S, rest = ns % NS_PER_S;

	if (rest < 0) {
		rest += NS_PER_S;
		s--;
	}
	t->time.tv_sec = s;
	t->time.tv_usec = (long)rest; /* ADJ_NANO makes it ns */
	t->modes |= ADJ_SETOFFSET;
}

/* The frequency word holds 500 ppm.  The tick takes what is beyond. */
static void
set_frequency(const struct clock *c, struct timex *t, double freq)
{
	long ticks = 0;

	/* Whatever the caller wants, no order exceeds what a clock can need. */
	freq = fmax(-FREQ_FAR, fmin(FREQ_FAR, freq));
	if (fabs(freq) > CLOCK_FREQ_MOST) {
		ticks = lrint(freq / TICK_STEP);
		ticks = ticks > TICK_MOST ? TICK_MOST :
		    ticks < -TICK_MOST	  ? -TICK_MOST :
					    ticks;
		freq -= (double)ticks * TICK_STEP;
	}
	t->tick = TICK_NORMAL + ticks;
	t->freq = rival_mark(&c->rival,
	    lrint(fmax(-CLOCK_FREQ_MOST, fmin(CLOCK_FREQ_MOST, freq)) *
		SCALED_PPM),
	    clock_read().raw);
	t->modes |= ADJ_FREQUENCY | ADJ_TICK;
}

int
clock_obey(struct clock *c, const struct orders *o)
{
	struct timex t = { .modes = ADJ_NANO | ADJ_STATUS };

	if (!look(c))
		return 0;
	if (o->step != 0)
		set_offset(&t, o->step);
	set_frequency(c, &t, o->freq);
	t.modes |= ADJ_OFFSET | ADJ_TIMECONST;
	t.offset = (long)o->phase;
	t.constant = o->constant;
	t.status = usual_status(o->leap);
	if (o->synced) {
		t.modes |= ADJ_MAXERROR | ADJ_ESTERROR;
		t.maxerror = microseconds(o->max_error);
		t.esterror = microseconds(o->est_error);
	} else
		t.status |= STA_UNSYNC;
	if (adjtimex(&t) < 0) {
		c->error = errno;
		return -1;
	}
	/* A step makes the kernel forget a leap second that is due.  To arm it
	 * again, STA_PLL must be taken away and put back. */
	if (o->step != 0 && o->leap != LEAP_NONE) {
		struct timex again = t;

		again.modes = ADJ_STATUS;
		again.status = 0;
		(void)adjtimex(&again);
		again.modes = ADJ_STATUS | ADJ_NANO;
		again.status = t.status;
		(void)adjtimex(&again);
	}
	if (o->step != 0) {
		c->steps++;
		(void)clock_was_set(c); /* it was our own step */
	}
	wrote(c);
	c->last = *o;
	c->given = true;
	return 0;
}

enum rival_news
clock_news(struct clock *c, int64_t raw)
{
	enum rival_news news;

	if (rival_may_look(&c->rival, raw))
		(void)look(c);
	news = c->news;
	c->news = RIVAL_QUIET;
	if (news == RIVAL_STEERS)
		(void)snprintf(c->remedy, sizeof c->remedy,
		    "another program (probably %s) steers the clock: %s",
		    rival_name(c->rival.who), rival_stop(c->rival.who));
	return news;
}

int64_t
clock_due(const struct clock *c)
{
	return watches(c) ? rival_due(&c->rival) : NEVER;
}

double
clock_slept(struct clock *c)
{
	struct timespec before, boot, after;
	int64_t slept, last = c->slept;
	bool first = !c->has_boottime;

	/* Only while the machine sleeps, these clocks do not advance alike. */
	if (clock_gettime(CLOCK_MONOTONIC, &before) < 0 ||
	    clock_gettime(CLOCK_BOOTTIME, &boot) < 0 ||
	    clock_gettime(CLOCK_MONOTONIC, &after) < 0)
		return 0;
	/* Other programs ran in between, so the readings are of no use. */
	if (nanoseconds(&after) - nanoseconds(&before) > SLEPT_LEAST / 2)
		return 0;
	slept = nanoseconds(&boot) - nanoseconds(&before);
	if (!first && slept - last <= SLEPT_LEAST)
		return 0;
	rival_forget(&c->rival, clock_read().raw);
	c->has_boottime = true;
	c->slept = slept;
	return first ? 0 : seconds(slept - last);
}

bool
clock_was_set(struct clock *c)
{
	if (c->timer < 0 || !wait_cancelled(c->timer))
		return false;
	(void)wait_arm(c->timer);
	return true;
}

void
clock_begin(struct clock *c, double freq)
{
	/* The slew of adjtime(3) is not the PLL's, and may last for hours. */
	struct timex left = { .modes = ADJ_OFFSET_SINGLESHOT };
	struct timex t = { .modes = ADJ_NANO | ADJ_STATUS | ADJ_OFFSET };
	struct clock_kernel k;

	if (!look(c) || !clock_kernel(&k))
		return;
	(void)adjtimex(&left);
	set_frequency(c, &t, freq);
	t.status = usual_status(LEAP_NONE) | (k.synced ? 0 : STA_UNSYNC);
	if (adjtimex(&t) >= 0)
		c->last.freq = freq;
	wrote(c);
}

void
clock_unsync(struct clock *c)
{
	struct timex t = {
		.modes = ADJ_STATUS,
		.status = usual_status(c->last.leap) | STA_UNSYNC,
	};

	if (!look(c))
		return;
	(void)adjtimex(&t); /* a refusal shows in the next orders */
	wrote(c);
}

void
clock_end(struct clock *c)
{
	struct timex t = {
		.modes = ADJ_OFFSET | ADJ_NANO | ADJ_STATUS,
		.status = usual_status(c->last.leap),
	};
	struct clock_kernel k;

	if (!c->given || !look(c) || !clock_kernel(&k))
		return;
	if (!k.synced)
		t.status |= STA_UNSYNC;
	(void)adjtimex(&t);
}
