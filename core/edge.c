/*
 * edge.c - the time, found at the edges of HTTPS servers' seconds.
 *
 * A Date is a whole second, so one answer tells the time to a second and the
 * round trip.  But each answer says in which interval the server's clock was,
 * and all of these hold at once.  If a request arrives just when the server's
 * second is expected to change, its answer cuts what is left of the interval in
 * half.  After six such requests the interval is about as wide as the round
 * trip of request and answer, which is its limit.
 *
 * What is sought are two numbers: by how much the server is ahead of the raw
 * clock, and how fast that changes.  Each answer rules out what lies on the
 * wrong side of two straight lines in the plane of these two.  What remains is
 * a convex polygon; its width is the bound of the time's error, and its height
 * that of the frequency's.  It is computed from the kept answers whenever it is
 * needed, some times an hour.
 *
 * Answers that contradict each other, as those of several machines behind one
 * address may, are all given the least slack with which they agree.  If that is
 * too much, the older ones are forgotten.  Several servers vote as NTP servers
 * do (select.c), so that one may be off by a second or cut its fractions in
 * another way.
 */
#include "core/edge.h"
#include "core/instant.h"
#include "core/ntp.h"

#include <math.h>
#include <string.h>

/* s: what a web server's clock is trusted to be right by, since it does not
 * say.  Most follow NTP. */
static const double SERVER = 0.02;
/* s: the first slack that is tried, and one that is too much. */
static const double SLACK = 0.01, SLACK_MOST = 0.4;
/* s: added if no second server agrees.  Some servers round to the nearest
 * second, and some take their Date from a timer. */
static const double ALONE = 0.5;
/* Ratio: the frequency may have been another one while older answers were
 * made; for an answer of four hours ago that makes 14 ms. */
static const double WANDER = 1e-6;
/* s: who has been silent for longer has no vote. */
static const double FRESH = 7200;
/* s: from request to request, and the same at the first start, which is over
 * after START. */
static const double EVERY = 200, START_EVERY = 5, START_LATER = 40,
	     START = 900;
/* s: the longest time between two, while other constraints fail and are asked
 * again and again.  It lets eight that are renewed have their share of an
 * hour. */
static const double SELDOM = 1500;
/* In sd of the discipline's: the half of an interval of frequencies. */
static const double FREQ_SDS = 3, NOISE_SDS = 4;

enum {
	START_QUICK = 6, /* requests to each server at the first start: so many
			    halve a second to some 15 ms, */
	START_EACH = 9,	 /* and so many in all, some of which are lost */
	STRATUM = 14,	 /* of the servers, so that ours is 15 */
	MANY = 1000,	 /* samples: the discipline shall not wait for more */
	CORNERS = 4 + 2 * EDGE_ANSWERS /* each answer's two lines add one each */
};

/* A point: by how much the server is ahead of the reference (s), and the
 * frequency (a ratio). */
struct point {
	double ahead, freq;
};

struct polygon {
	struct point at[CORNERS];
	int n;
};

/* What the polygon says of the time. */
struct guess {
	int64_t ahead;
	double error, freq, freq_error; /* errors are half widths */
};

/* Keep the points where sign * (ahead + t * freq) is at most "most". */
static void
cut(struct polygon *p, double sign, double t, double most)
{
	struct polygon in = *p;

	p->n = 0;
	for (int i = 0; i < in.n; i++) {
		struct point a = in.at[i], b = in.at[(i + 1) % in.n];
		double x = sign * (a.ahead + t * a.freq) - most;
		double y = sign * (b.ahead + t * b.freq) - most;
		double s = x / (x - y); /* used only if they differ in sign */

		if (x <= 0 && p->n < CORNERS)
			p->at[p->n++] = a;
		if ((x < 0) != (y < 0) && x - y != 0 && s > 0 && s < 1 &&
		    p->n < CORNERS)
			p->at[p->n++] = (struct point){
				a.ahead + s * (b.ahead - a.ahead),
				a.freq + s * (b.freq - a.freq) };
	}
}

/* What the answers from "first" on leave, at raw and relative to the newest
 * one's "ahead".  That is nothing if they contradict each other by more than the
 * slack. */
static void
draw(struct polygon *p, const struct edge *e, int first, double slack,
    int64_t raw)
{
	const struct constraint_answer *last = &e->answer[e->answers - 1];
	double low = e->freq - e->spread, high = e->freq + e->spread;
	double since = fabs(seconds(raw - last->raw));
	double wide = last->error + slack +
	    since * (WANDER + fabs(e->freq) + e->spread);

	*p = (struct polygon){ { { -wide, low }, { wide, low }, { wide, high },
				   { -wide, high } }, 4 };
	for (int i = e->answers - 1; i >= first; i--) {
		const struct constraint_answer *a = &e->answer[i];
		double t = seconds(a->raw - raw);
		double x = seconds(a->ahead - last->ahead);
		double half = a->error + slack + WANDER * fabs(t);

		cut(p, 1, t, x + half);
		cut(p, -1, t, half - x);
	}
}

static struct guess
guess(const struct edge *e, int64_t raw)
{
	struct polygon p;
	struct point low, high;

	draw(&p, e, 0, e->slack, raw);
	if (p.n == 0) /* by rounding */
		draw(&p, e, e->answers - 1, e->slack, raw);
	low = high = p.at[0];
	for (int i = 1; i < p.n; i++) {
		low.ahead = fmin(low.ahead, p.at[i].ahead);
		low.freq = fmin(low.freq, p.at[i].freq);
		high.ahead = fmax(high.ahead, p.at[i].ahead);
		high.freq = fmax(high.freq, p.at[i].freq);
	}
	return (struct guess){
		e->answer[e->answers - 1].ahead +
		    ns((low.ahead + high.ahead) / 2),
		(high.ahead - low.ahead) / 2 + e->slack,
		(low.freq + high.freq) / 2, (high.freq - low.freq) / 2,
	};
}

void
edge_start(struct edge *e, double freq, double spread)
{
	*e = (struct edge){ .freq = freq, .spread = spread };
}

void
edge_take(struct edge *e, const struct constraint_answer *a)
{
	struct polygon p;
	int first = 0;

	if (e->answers == EDGE_ANSWERS)
		memmove(e->answer, e->answer + 1,
		    (size_t)--e->answers * sizeof *e->answer);
	e->answer[e->answers++] = *a;
	for (e->slack = 0;; e->slack = fmax(SLACK, 2 * e->slack)) {
		if (e->slack > SLACK_MOST) {
			first = (first + e->answers) / 2;
			e->slack = 0;
		}
		draw(&p, e, first, e->slack, a->raw);
		if (p.n > 0 || first == e->answers - 1)
			break;
	}
	e->answers -= first;
	memmove(e->answer, e->answer + first,
	    (size_t)e->answers * sizeof *e->answer);
}

int64_t
edge_aim(const struct edge *e, int64_t from)
{
	double trip = HUGE_VAL;
	struct guess g;
	int64_t past;

	if (e->answers == 0)
		return from;
	/* The width of an answer is a second and the round trip. */
	for (int i = 0; i < e->answers; i++)
		trip = fmin(trip, 2 * e->answer[i].error - 1);
	g = guess(e, from);
	past = (from + g.ahead + ns(fmax(0, trip) / 2)) % NS_PER_S;
	return from + (NS_PER_S - past) % NS_PER_S;
}

/* Is it still the first start, with its quick requests? */
static bool
starts(const struct edges *all, int64_t raw)
{
	return all->asked < START_EACH * all->n &&
	    (all->begun == 0 || seconds(raw - all->begun) < START);
}

int
edges_turn(struct edges *all, int64_t raw)
{
	if (all->n == 0 || raw < all->due)
		return -1;
	if (all->begun == 0)
		all->begun = raw;
	all->last = raw;
	all->due = later(raw,
	    !starts(all, raw)			? EVERY :
		all->asked < START_QUICK * all->n ? START_EVERY :
						    START_LATER);
	return all->asked++ % all->n;
}

void
edges_asked(struct edges *all, int64_t raw)
{
	if (!starts(all, raw))
		all->due = sooner(
		    later(all->due > raw ? all->due : raw, EVERY),
		    later(all->last, SELDOM));
}

/* How many of the intervals hold this place (s from the first one)? */
static int
held(const struct candidate c[], int n, double place)
{
	int count = 0;

	for (int i = 0; i < n; i++)
		count += fabs(seconds(c[i].ahead - c[0].ahead) - place) <=
		    c[i].distance * (1 + 1e-9);
	return count;
}

/* How far the time can be from the verdict's.  What all that agree have in
 * common would be too narrow: while intervals are wide, one of them may be a
 * liar's.  The truth is where more than half of all are. */
static double
distance(const struct candidate c[], int n, int of, const struct verdict *v)
{
	double at = seconds(v->ahead - c[0].ahead), most = v->distance;

	for (int i = 0; i < 2 * n; i++) {
		const struct candidate *one = &c[i / 2];
		double place = seconds(one->ahead - c[0].ahead) +
		    (i % 2 ? one->distance : -one->distance);

		if (held(c, n, place) * 2 > of)
			most = fmax(most, fabs(place - at));
	}
	return most;
}

bool
edges_vote(const struct edges *all, int64_t raw, struct verdict *v)
{
	struct candidate c[EDGES];
	int n = 0, of = 0;

	for (int i = 0; i < all->n; i++) {
		const struct edge *e = &all->edge[i];
		struct guess g;
		int64_t heard;

		of += !e->failed;
		if (e->answers == 0)
			continue;
		heard = e->answer[e->answers - 1].raw;
		if (seconds(raw - heard) > FRESH)
			continue;
		of += e->failed;
		g = guess(e, raw);
		/* "outside", because older answers need no wider interval: what
		 * the oscillator can have done since is in it. */
		c[n++] = (struct candidate){
			.index = i, .raw = raw, .ahead = g.ahead,
			.heard = heard, .sd = g.error / NOISE_SDS,
			.freq = g.freq, .freq_sd = g.freq_error / FREQ_SDS,
			.distance = g.error + SERVER, .path = g.error + SERVER,
			.weight = 1, .outside = true, .stratum = STRATUM,
			.leap = LEAP_NONE, .samples = MANY,
		};
	}
	if (!select_vote(c, n, v) || v->agree * 2 <= of)
		return false;
	v->of = of;
	v->distance = distance(c, n, of, v);
	if (v->agree == 1)
		v->distance += ALONE;
	v->path = v->distance;
	return true;
}
