/*
 * line.c - one name of the configuration: when to look it up, and which of its
 * sources asks which of its addresses.
 *
 * The sources of a line are a slice of all sources.  This room only reads
 * them; their owner moves them to the addresses that it proposes.
 */
#include <math.h>
#include <string.h>

#include "core/line.h"
#include "core/resolv.h"

#define SILENT_LOOKUP 4	     /* lost replies before a name is looked up again */
#define LOOKUP_DAILY 86400.0 /* s: each name is looked up at least so often */
#define LOOKUP_AGAIN 15.0    /* s: after a failed lookup; doubles */
#define LOOKUP_MOST 900.0    /* s: but at most this */
/* s: the least time between lookups of a name whose servers are silent;
 * doubles four times. */
#define LOOKUP_SILENT 60.0
#define LOOKUP_STARTING 15.0 /* s: the same while starting */
#define LOOKUP_QUESTION 10.0 /* s: for each query of it, so at most 8640 a day */
/* s: until the lookup after kiss code DENY or RSTR; doubles.  One packet must
 * not make an idle hour. */
#define LOOKUP_DENIED 900.0
/* s: until a name with free places is looked up again; doubles.  A service has
 * few addresses while its cluster starts. */
#define LOOKUP_ROOM 60.0
#define LOOKUP_BUSY 0.5 /* s: until a child may be free */
#define LOOKUP_HURRY 1.0 /* s: between two lookups at least, whatever happens */

enum {
	LOOKUP_AT_ONCE = 8, /* lookups, then one in ASK_EVERY */
	LOOKUP_LONGEST = RESOLV_PATIENCE + 5 /* s, with its child's start */
};

/* s: from the beginning of one failed lookup to the next, while starting. */
static const double lookup_start[] = { 1, 2, 4, 8, RETRY_START };

/* Seconds between two lookups while this source is dead or doubted, or 0.  What
 * was lost before the network changed counts: where that happens all the time,
 * the lookups would begin anew each time. */
static double
lookup_wait(const struct line *l, const struct source *s, bool starting)
{
	int n = l->looks < 4 ? l->looks : 4, d = s->denied < 5 ? s->denied : 5;
	bool dead = s->silent >= SILENT_LOOKUP || s->lost >= SILENT_LOOKUP;
	double wait = starting && dead ? LOOKUP_STARTING : LOOKUP_SILENT;

	if (s->state == SOURCE_STOPPED)
		return starting && d <= 1 ?
		    LOOKUP_STARTING :
		    LOOKUP_DENIED / 2 * (double)(1 << d);
	if (l->numeric || !(dead || source_doubted(s)))
		return 0;
	wait *= (double)(1 << n);
	return n < 4 ? wait :
		       pace_crowded(l->crowd, wait, LOOKUP_QUESTION * l->questions);
}

bool
line_turn(struct line *l, const struct source *slice, int n, int64_t raw,
    bool starting)
{
	int dead = 0, used = 0;
	int64_t next, all_dead = NEVER, one_dead = NEVER, from;
	double wait;

	if (l->looking)
		return false;
	for (int i = 0; i < n; i++) {
		used += slice[i].state != SOURCE_UNRESOLVED;
		if ((wait = lookup_wait(l, &slice[i], starting)) <= 0)
			continue;
		dead++;
		/* The last lookup may be long ago: one that was told to stop is
		 * not asked again at once. */
		from = slice[i].state == SOURCE_STOPPED &&
			slice[i].sent > l->asked ? slice[i].sent : l->asked;
		all_dead = sooner(all_dead, later(from, wait));
		one_dead = sooner(one_dead, later(from, 10 * wait));
	}
	if (dead == 0)
		l->looks = 0;
	else if (l->failures == 0)
		/* It is looked up sooner than once a day, but not in a storm. */
		l->lookup_due = sooner(
		    l->lookup_due, dead == used ? all_dead : one_dead);
	if (raw < l->lookup_due)
		return false;
	next = pace_next(&l->pace, LOOKUP_AT_ONCE, ASK_EVERY);
	if (raw < next) {
		l->lookup_due = next;
		return false;
	}
	return true;
}

void
line_found(struct line *l, const struct address *found, int n, int64_t raw,
    bool starting)
{
	int last = (int)(sizeof lookup_start / sizeof *lookup_start) - 1, f;
	double wait;

	l->looking = false;
	if (!l->numeric)
		pace_take(&l->pace, raw, ASK_EVERY);
	if (n > 0) {
		l->founds = n < POOL_MAX ? n : POOL_MAX;
		memcpy(l->found, found, (size_t)l->founds * sizeof *found);
		l->next = 0;
		l->failures = l->tries = 0;
		l->looks++;
		l->lookup_due = later(raw, LOOKUP_DAILY);
		l->hurried = false;
		return;
	}
	f = l->failures++;
	wait = !starting ? fmin(LOOKUP_MOST,
			       LOOKUP_AGAIN * (double)(1 << (f < 6 ? f : 6))) :
	    f < START_TRIES ? lookup_start[f < last ? f : last] :
			      pace_crowded(l->crowd, RETRY_LATER,
				  fmax(CROWD_EVERY,
				      LOOKUP_QUESTION * l->questions));
	/* This counts from the beginning of the lookup, so that a silent name
	 * server is asked again within 15 s. */
	l->lookup_due = later(
	    raw - l->asked < LOOKUP_LONGEST * NS_PER_S ? l->asked : raw, wait);
	l->lookup_due = raw > l->lookup_due ? raw : l->lookup_due;
	if (l->hurried) /* the network changed since it began */
		l->lookup_due = later(raw, LOOKUP_HURRY);
	l->hurried = false;
}

void
line_settled(struct line *l, const struct source *slice, int n, int64_t raw)
{
	int i, used = 0, before = l->used;

	for (i = 0; i < n; i++)
		used += slice[i].state != SOURCE_UNRESOLVED;
	l->used = used;
	l->room = n - used;
	/* Lookups for other reasons, as when the network changes, come between. */
	if (used > before || raw >= l->room_due) {
		l->lean = used > before ? 0 : l->lean + 1;
		/* This would take 100 years to overflow. */
		l->room_due = later(raw, LOOKUP_ROOM * (double)(1 << l->lean));
	}
	if (l->room > 0)
		l->lookup_due = sooner(l->lookup_due, l->room_due);
}

void
line_hurry(struct line *l, int64_t raw)
{
	int64_t soon = later(l->asked, LOOKUP_HURRY);

	if (l->looking)
		l->hurried = true;
	else if (!l->numeric && l->lookup_due != NEVER)
		l->lookup_due =
		    sooner(l->lookup_due, soon > raw ? soon : raw);
}

void
line_renew(struct line *l)
{
	l->pace.full = 0;
}

void
line_busy(struct line *l, int64_t raw)
{
	l->lookup_due = later(raw, LOOKUP_BUSY);
}

bool
line_offers(const struct line *l, const struct address *a)
{
	for (int i = 0; i < l->founds; i++)
		if (address_equal(&l->found[i], a))
			return true;
	return false;
}

/* One that authenticates itself does not wait for one that does not: the same
 * server is asked once, and then with proof. */
static const struct source *
taken_by(const struct address *a, const struct source *but,
    const struct source *all, int count)
{
	for (int i = 0; i < count; i++)
		if (&all[i] != but && all[i].state != SOURCE_UNRESOLVED &&
		    (but == NULL || all[i].authentic >= but->authentic) &&
		    address_equal(&all[i].address, a))
			return &all[i];
	return NULL;
}

const struct source *
line_shares(
    const struct line *l, const struct source *all, int count)
{
	return l->founds > 0 ? taken_by(&l->found[0], NULL, all, count) : NULL;
}

/* May the source go to another address?  Only requests that left and got no
 * reply speak against the present one, and more of them if another one costs an
 * exchange of keys. */
static bool
may_leave(const struct line *l, const struct source *s)
{
	return s->state == SOURCE_UNRESOLVED || s->state == SOURCE_STOPPED ||
	    s->unreachable ||
	    (s->silent > s->failed &&
		s->lost >= (l->pool || s->authentic ? SILENT_LOOKUP :
						      SILENT_MOVE));
}

const struct address *
line_replace(
    struct line *l, const struct source *s, const struct source *all, int count)
{
	if (s->state == SOURCE_WAITING ||
	    !(may_leave(l, s) || source_doubted(s)))
		return NULL;
	for (int i = 0; i < l->founds; i++) {
		struct address *a = &l->found[(l->next + i) % l->founds];

		if ((s->state != SOURCE_UNRESOLVED &&
			address_equal(a, &s->address)) ||
		    taken_by(a, s, all, count) != NULL)
			continue;
		l->next = (l->next + i + 1) % l->founds;
		return a;
	}
	return NULL;
}

double
line_wait(struct line *l, const struct source *s, bool starting)
{
	/* Each address is tried once at once, then no faster than one address
	 * is retried. */
	return s->state != SOURCE_UNRESOLVED && ++l->tries % l->founds == 0 ?
	    source_retry(s, starting) :
	    0;
}
