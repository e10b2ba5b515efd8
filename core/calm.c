/*
 * calm.c - budgets: how often something may be asked, and how much may be
 * said.
 *
 * A pace lets a few pass at once, and then one in a while.  What is said about
 * one subject has such a pace, and so has each kind of log line.  All lines
 * together have a budget as the last resort, which counts what it holds back.
 *
 * This room itself never says anything.
 */
#include <math.h>
#include <string.h>

#include "core/calm.h"
#include "core/instant.h"

/* A state that comes and goes may say SAID_MOST lines at once, then one in
 * SAID_EVERY.  Together with the hourly line about a state that stays, this is
 * the manual's "a few times an hour". */
enum { SAID_MOST = 3 };
#define SAID_EVERY 1800.0 /* s */

/* The budget of the log. The start is worth more: 60 lines in five minutes. */
#define START 300.0 /* s */
enum {
	START_DEBUG = 30, /* no debug line after so many lines, */
	START_NEWS = 56,  /* no news after so many, */
	START_MOST = 60,  /* and nothing at all after so many */
	START_KIND = 40	  /* of one kind: so many servers can be named */
};
/* From then on there are 12 lines in any hour. */
#define HOUR 3600.0 /* s */
enum {
	HOUR_DEBUG = 4, /* no debug line when there were so many, */
	HOUR_NEWS = 8,	/* and no news when there were so many */
	HOUR_MOST = CALM_LINES
};
/* Of one kind of lines four pass at once, then one in 1200 s. */
enum { KIND_MOST = 4 };
#define KIND_EVERY 1200.0 /* s */

int64_t
pace_next(const struct pace *p, int most, double every)
{
	return p->full - (most - 1) * ns(every);
}

void
pace_take(struct pace *p, int64_t raw, double every)
{
	p->full = (p->full > raw ? p->full : raw) + ns(every);
}

bool
pace_may(struct pace *p, int64_t raw, int most, double every)
{
	bool may = raw >= pace_next(p, most, every);

	if (may)
		pace_take(p, raw, every);
	return may;
}

double
pace_crowded(int crowd, double least, double each)
{
	return fmax(least, each * (crowd > 1 ? crowd : 1));
}

bool
said_news(struct said *s, int state, int64_t raw)
{
	if (state != s->state) {
		s->state = state;
		s->since = raw;
		s->changes++;
	}
	if (state == s->told ||
	    !pace_may(&s->pace, raw, SAID_MOST, SAID_EVERY))
		return false;
	s->told = state;
	s->told_at = raw;
	s->held = s->changes - 1; /* it differs from what was told */
	s->changes = 0;
	return true;
}

void
said_well(struct said *s)
{
	s->state = s->told = 0;
	s->changes = 0;
}

bool
said_still(struct said *s, int64_t raw, double *lasted)
{
	if (s->state == 0 || raw - s->told_at < ns(SAID_STILL) ||
	    raw - s->since < ns(SAID_STILL))
		return false;
	s->told_at = raw;
	*lasted = (double)(raw - s->since) / 1e9;
	return true;
}

/* Find the line's kind.  Those that the table has no room for share its last
 * place. */
static struct calm_kind *
find_kind(struct calm *c, const void *kind)
{
	int i;

	for (i = 0; i < CALM_KINDS - 1; i++) {
		if (c->kind[i].is == NULL)
			c->kind[i].is = kind;
		if (c->kind[i].is == kind)
			break;
	}
	return &c->kind[i];
}

/* The start is over. What was said in it counts for the hours that follow. */
static void
end_start(struct calm *c)
{
	int64_t raw = c->began + ns(START);

	c->started = true;
	for (int i = 0; i < CALM_KINDS; i++)
		c->kind[i].pace.full = raw +
		    (c->kind[i].lines < KIND_MOST ? c->kind[i].lines :
						    KIND_MOST) *
			ns(KIND_EVERY);
}

void
calm_start(struct calm *c, int64_t raw)
{
	memset(c, 0, sizeof *c);
	c->on = true;
	c->began = raw;
	c->note = raw + ns(START);
}

static bool
may_at_start(struct calm *c, struct calm_kind *k, enum calm_rank rank)
{
	static const int most[] = { START_DEBUG, START_NEWS, START_MOST };

	if (c->lines >= most[rank] ||
	    (rank != CALM_STATE && k->lines >= START_KIND))
		return false;
	c->lines++;
	k->lines++;
	return true;
}

/* How many lines were written in the hour before raw. */
static int
written(const struct calm *c, int64_t raw)
{
	int i, n = 0;

	for (i = 0; i < CALM_LINES; i++)
		n += c->at[i] != 0 && raw - c->at[i] < ns(HOUR);
	return n;
}

static bool
may_later(
    struct calm *c, struct calm_kind *k, enum calm_rank rank, int64_t raw)
{
	static const int most[] = { HOUR_DEBUG, HOUR_NEWS, HOUR_MOST };

	if (written(c, raw) >= most[rank] ||
	    (rank != CALM_STATE &&
		raw < pace_next(&k->pace, KIND_MOST, KIND_EVERY)))
		return false;
	c->at[c->next] = raw;
	c->next = (c->next + 1) % CALM_LINES;
	pace_take(&k->pace, raw, KIND_EVERY);
	return true;
}

bool
calm_may(struct calm *c, const void *kind, enum calm_rank rank, int64_t raw)
{
	struct calm_kind *k = find_kind(c, kind);

	if (!c->on)
		return true;
	if (!c->started && raw - c->began >= ns(START))
		end_start(c);
	if (c->started ? may_later(c, k, rank, raw) : may_at_start(c, k, rank))
		return true;
	c->held++;
	return false;
}

unsigned
calm_held(struct calm *c, int64_t raw)
{
	unsigned held = c->held;

	if (raw < calm_due(c))
		return 0;
	if (!calm_may(c, c, CALM_STATE, raw)) {
		c->held = held; /* this line itself is not counted */
		c->note = c->at[c->next] + ns(HOUR); /* the oldest */
		return 0;
	}
	c->note = raw + ns(SAID_STILL);
	c->held = 0;
	return held;
}

int64_t
calm_due(const struct calm *c)
{
	return c->on && c->held > 0 ? c->note : NEVER;
}
