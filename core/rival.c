/*
 * rival.c - does another program steer the clock?
 *
 * Whatever stands in the kernel after our own write changes by itself in few
 * ways: a slew becomes less, and maxerror grows until the kernel declares the
 * clock unsynchronised.  Any other change is a write of somebody else, and what
 * was written tells who it may be, since each daemon has its own habits.
 *
 * One such write may be an administrator's.  Three in two hours are another
 * program that steers.  Two that steer make the clock worse than either alone,
 * so we stand down, and steer again when the other one has been silent for ten
 * minutes and for three times as long as it ever was.  Writers such as
 * systemd-timesyncd double their silence up to 34 minutes.  Without that rule
 * the two would take turns for ever.
 *
 * The other one may be another process of this program.  Then the younger one
 * must stand down, and only that one.  Therefore the lowest bits of the
 * frequency word say how old its writer is.  Of two that are equally old one
 * has more patience by chance.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>

#include "core/instant.h"
#include "core/word.h"
#include "core/rival.h"

/* Writes of others after which we stand down.  One may be an administrator's,
 * and the second one a correction of it. */
enum { HITS = 3 };
/* The same for one as we that is younger, and so should stand down itself; if
 * it does not, it was told to fight. */
enum { HITS_YOUNGER = 24 };
/* Two of the same age differ by up to so many more. */
enum { LUCK = 8 };
/* s of silence after which we come back at least, or times of the longest
 * silence so far, up to a limit; the limit is also when writes are
 * forgotten. */
#define ALONE 600.0
/* s of silence of one as we are, which writes at each reply, so at least once in
 * 1024 s; and chance adds up to ALONE, so that two who stood down for each other
 * do not come back at once. */
#define ALONE_TWIN 1200.0
#define ALONE_TIMES 3
#define FORGET 7200.0
/* s between two looks: at most, so that a write is seen within two minutes; for
 * a while after a write that was seen; and at least, for those that cost no
 * wake-up. */
#define LOOK_MOST 110.0
#define LOOK_SOON 20.0
#define LOOK_SOON_FOR 300.0
#define LOOK_LEAST 10.0
/* The marks of an age: so many for each doubling make 248 of 2^31 s. */
#define MARKS 8
/* us: the kernel's limit of maxerror and esterror, which a step sets. */
#define ERROR_MOST 16000000
/* us: maxerror grows by so much each second; and of s by so many and by this
 * part of the time the count of seconds may be wrong during a slew. */
#define ERROR_GROWTH 500
#define SECONDS_SLACK 3
#define SECONDS_PART 0.125

/* Those bits of the status that only a writer changes. */
enum {
	WRITTEN = STA_PLL | STA_FLL | STA_INS | STA_DEL | STA_FREQHOLD |
	    STA_NANO
};

/* Both in the order of enum rival_who.  A table of pointers would be relocated
 * at each start. */
static const char names[] = "\0"
	"chronyd\0"
	"systemd-timesyncd\0"
	"ntpd of NTPsec or ntp.org\0"
	"OpenNTPD\0"
	"ntpd of busybox\0"
	"another ntpd as this one\0"
	"phc2sys or a hypervisor's tools\0"
	"a hypervisor's tools or a job that sets the time\0"
	"VMware's tools\0"
	"VirtualBox's guest additions\0"
	"Hyper-V's host";

#define DISABLE "systemctl disable --now "
static const char stops[] = "\0"
	DISABLE "chrony || " DISABLE "chronyd\0"
	DISABLE "systemd-timesyncd\0"
	DISABLE "ntpsec || " DISABLE "ntpd\0"
	DISABLE "openntpd\0"
	"stop it, as with killall ntpd\0"
	"run one on each machine\0"
	"stop it\0"
	"stop it\0"
	"vmware-toolbox-cmd timesync disable\0"
	"VBoxService --disable-timesync\0"
	"switch off its service Time Synchronization";

const char *
rival_name(enum rival_who who)
{
	return word_at(names, (int)who);
}

const char *
rival_stop(enum rival_who who)
{
	return word_at(stops, (int)who);
}

/* Has a slew become other than less? */
static bool
slew_changed(long old, long now)
{
	return labs(now) > labs(old) + 1 || (now > 1 && old < 0) ||
	    (now < -1 && old > 0);
}

/* Has the bound become other than wider?  A kernel that does not widen it, as
 * of a simulator, is no rival. */
static bool
bound_changed(const struct words *old, const struct words *now)
{
	double dt = seconds(now->raw - old->raw);
	double most = (double)old->max_error +
	    ERROR_GROWTH * (SECONDS_SLACK + (1 + SECONDS_PART) * dt);

	return now->max_error < old->max_error ||
	    (double)now->max_error > most;
}

static bool
unsynced_early(const struct words *old, const struct words *now)
{
	return (now->status & ~old->status & STA_UNSYNC) != 0 &&
	    now->max_error < ERROR_MOST;
}

/* The kernel declares the clock unsynchronised; nobody else declares that it
 * is synchronised again. */
static bool
sync_changed(const struct words *old, const struct words *now)
{
	return (old->status & ~now->status & STA_UNSYNC) != 0 ||
	    unsynced_early(old, now);
}

/* Who writes such words?  What follows is how the sources of these programs
 * call adjtimex(2).  We ourselves set STA_PLL, STA_FREQHOLD and ADJ_NANO. */
static enum rival_who
fingerprint(const struct words *old, const struct words *now)
{
	bool estimated = now->est_error != old->est_error;

	/* chronyd takes STA_PLL away at its start and slews by frequency;
	 * OpenNTPD and phc2sys write a status of 0 and never an esterror, but
	 * phc2sys writes a frequency each time. */
	if ((now->status & STA_PLL) == 0)
		return estimated	       ? RIVAL_CHRONYD :
		    now->freq != old->freq ? RIVAL_OTHER :
					     RIVAL_OPENNTPD;
	if ((now->status & STA_NANO) == 0)
		return RIVAL_BUSYBOX;
	if (estimated && now->est_error >= ERROR_MOST &&
	    now->max_error >= ERROR_MOST)
		return RIVAL_STEP;
	/* timesyncd writes 0 for what it does not know. */
	if ((now->status & STA_FREQHOLD) == 0)
		return now->est_error == 0 ? RIVAL_TIMESYNCD : RIVAL_NTPD;
	if (estimated && now->est_error == 0)
		return RIVAL_VMWARE;
	return estimated ? RIVAL_TWIN : RIVAL_OTHER;
}

/* A frequency or a time alone is what many write, also between their other
 * writes, as chronyd does. */
static bool
anybody(enum rival_who who)
{
	return who == RIVAL_NONE || who == RIVAL_OTHER || who == RIVAL_STEP;
}

enum rival_who
rival_changed(const struct words *old, const struct words *now)
{
	if (((old->status ^ now->status) & WRITTEN) == 0 &&
	    !sync_changed(old, now) && now->freq == old->freq &&
	    now->tick == old->tick && now->constant == old->constant &&
	    now->est_error == old->est_error && !bound_changed(old, now) &&
	    !slew_changed(old->offset, now->offset) &&
	    !slew_changed(old->left, now->left))
		return RIVAL_NONE;
	return fingerprint(old, now);
}

static long
mark_at(const struct rival *r, int64_t raw)
{
	double age = fmax(0, seconds(raw - r->began));

	return lrint(fmin(RIVAL_MARK, MARKS * M_LOG2E * log(1 + age)));
}

long
rival_mark(const struct rival *r, long freq, int64_t raw)
{
	long more = (mark_at(r, raw) - freq) & RIVAL_MARK;

	return freq + (more > RIVAL_MARK / 2 ? more - RIVAL_MARK - 1 : more);
}

/* How many writes are a reason to stand down?  The mark was written at some
 * time since the last look. */
static int
enough(const struct rival *r, enum rival_who who, const struct words *now)
{
	long theirs = now->freq & RIVAL_MARK;

	if (who != RIVAL_TWIN || theirs > mark_at(r, now->raw) + 1)
		return HITS;
	if (theirs < mark_at(r, r->last.raw) - 1)
		return HITS_YOUNGER;
	return HITS + (int)(r->luck >> 16) % LUCK;
}

/* The next random number; Knuth's multiplier. */
static void
draw(struct rival *r)
{
	r->luck = r->luck * 1664525 + 1013904223;
}

/* s of silence that are enough to come back. */
static double
alone(const struct rival *r)
{
	double least = r->who == RIVAL_TWIN ?
	    ALONE_TWIN + ALONE * (r->luck >> 16) / 65536 : ALONE;

	return fmax(least, fmin(FORGET, ALONE_TIMES * r->longest));
}

/* Somebody else has written. */
static enum rival_news
hit(struct rival *r, enum rival_who who, const struct words *now)
{
	double silent = seconds(now->raw - r->hit_at);
	int most = enough(r, who, now);

	r->seen++;
	if (r->hit_at == 0 ||
	    seconds(now->raw - (r->hit_at > r->back_at ?
		r->hit_at : r->back_at)) > FORGET) {
		r->hits = 0;
		r->who = RIVAL_NONE;
		r->longest = 0;
		r->back_at = 0;
		r->said = false;
	} else if (r->yielded || r->back_at != 0)
		r->longest = fmax(r->longest, silent);
	r->hit_at = now->raw;
	if (r->yielded)
		return RIVAL_QUIET;
	if (!anybody(who) || anybody(r->who))
		r->who = who;
	if (++r->hits < most || r->said)
		return RIVAL_WROTE;
	if (anybody(r->who) && r->tools != RIVAL_NONE)
		r->who = r->tools;
	r->said = r->owner == OWNER_FIGHT;
	r->yielded = r->owner == OWNER_YIELD;
	draw(r);
	return RIVAL_STEERS;
}

enum rival_news
rival_look(struct rival *r, const struct words *now)
{
	enum rival_news news = RIVAL_QUIET;
	enum rival_who who =
	    r->known ? rival_changed(&r->last, now) : RIVAL_NONE;

	if (r->owner == OWNER_IGNORE)
		return RIVAL_QUIET;
	if (who != RIVAL_NONE)
		news = hit(r, who, now);
	else if (r->yielded && seconds(now->raw - r->hit_at) >= alone(r)) {
		/* If it comes again, its first write is enough. */
		r->yielded = false;
		r->hits = HITS - 1;
		r->back_at = now->raw;
		news = RIVAL_IS_GONE;
	}
	rival_wrote(r, now);
	return news;
}

void
rival_start(struct rival *r, enum clock_owner owner, uint32_t luck, int64_t raw)
{
	*r = (struct rival){ .owner = owner, .luck = luck, .began = raw };
}

void
rival_wrote(struct rival *r, const struct words *now)
{
	r->last = *now;
	r->known = true;
}

void
rival_forget(struct rival *r, int64_t raw)
{
	r->last.raw = raw;
	r->known = false;
}

int64_t
rival_due(const struct rival *r)
{
	bool soon = r->hit_at != 0 && !r->yielded &&
	    seconds(r->last.raw - r->hit_at) < LOOK_SOON_FOR;

	if (r->owner == OWNER_IGNORE)
		return NEVER;
	return later(r->last.raw, soon ? LOOK_SOON : LOOK_MOST);
}

bool
rival_may_look(const struct rival *r, int64_t raw)
{
	return r->owner != OWNER_IGNORE &&
	    raw >= later(r->last.raw, LOOK_LEAST);
}
