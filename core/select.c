/*
 * select.c - many servers, one time.
 *
 * Each server is taken for an interval in which the true time lies if the
 * server is honest: its estimate, give or take half of the round trip to the
 * root, dispersions and noise.  The largest set of intervals that have a point
 * in common must be more than half of all (Marzullo's algorithm, RFC 5905
 * §11.2.1).  The RFC also counts midpoints; that is not done here, since these
 * intervals are narrow.  A server inside whose frequency stands apart from the
 * others' is left out as well, because it is on its way out.
 *
 * Whoever forwards packets can speak for any number of servers, but not for one
 * that authenticates its replies.  So if some do, these vote alone, and the
 * others are only used where they lie within what these have in common.
 *
 * The rest are averaged with the weight 1/distance^2.  With several servers
 * most of the error is the asymmetry of paths, which grows with their length.
 * This weight is the best there is against that without knowing how asymmetric
 * they are.
 */
#include <math.h>
#include <stdlib.h>

#include "core/select.h"
#include "core/calm.h"
#include "core/conf.h"
#include "core/instant.h"
#include "core/ntp.h"

/* In the order of enum select_said. */
const char select_words[] =
    "unused\0"
    "falseticker\0"
    "outlier\0"
    "used\0"
    "system";

/* s: one stratum more counts like so much more distance (chrony's
 * stratumweight). */
static const double STRATUM = 1e-3;
/* Two frequencies agree if they differ by less than so many sd and this ratio
 * together. */
static const double FREQ_SDS = 5, FREQ_APART = 1e-6;
/* The joint filter has lost its way and begins again when it and the plain
 * combination are this many sd apart, or further than the time can be wrong. */
static const double JOINT_SDS = 4;
/* The half width of the result is at least so many sd of its noise. */
static const double NOISE_SDS = 4;
/* Ratio: our oscillator may change by so much between the newest samples of
 * two servers, which then disagree although both are right.  A virtual machine
 * may be migrated, and two crystals differ by that much. */
static const double CHANGED = 50e-6;
/* s: a wider interval says nothing of the time, and its square must not
 * overflow. */
static const double WIDEST = 1e9;

enum { FEW = 32 }; /* candidates: most configurations have no more */

/* The place where an interval begins (side 1) or ends (-1). */
struct edge {
	double at, weight;
	int side;
};

/* What a vote needs to sort: two edges and one frequency of each candidate. */
struct room {
	struct edge *edge;
	double *freq;
};

/* At the same place beginnings come first, so that touching intervals agree. */
static int
by_place(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	if (x->at < y->at || x->at > y->at)
		return x->at < y->at ? -1 : 1;
	return y->side - x->side;
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* How far a candidate is from the first one, s. */
static double
place(const struct candidate *c, const struct candidate *first)
{
	return (double)(c->ahead - first->ahead) * 1e-9;
}

/* May it vote?  NaN and infinity would make a majority of nobody. */
static bool
stands(const struct candidate *c)
{
	return c->distance > 0 && c->distance < WIDEST && c->doubt >= 0 &&
	    c->doubt < WIDEST && c->sd >= 0 && c->sd < WIDEST &&
	    isfinite(c->freq) && c->freq_sd >= 0 && c->freq_sd < WIDEST;
}

/* Raw time of the newest sample of all.  The intervals of candidates whose
 * samples are older are widened by half().  If somebody was outside at the
 * last vote it is NEVER, which widens none: otherwise a falseticker would
 * agree whenever the others' samples are older than its own. */
static int64_t
newest_of(const struct candidate c[], int n)
{
	int64_t newest = INT64_MIN;

	for (int i = 0; i < n; i++) {
		if (!c[i].votes)
			continue;
		if (c[i].outside)
			return NEVER;
		if (c[i].heard > newest)
			newest = c[i].heard;
	}
	return newest != INT64_MIN ? newest : NEVER; /* nobody votes */
}

/* The place that most intervals have in common.  Those whose newest sample is
 * older than "newest" are made wider, unless it is NEVER. */
struct crowd {
	int64_t newest;
	double low, high; /* s, from the first candidate */
	int agree;
};

/* Half the width of a candidate's interval, s. */
static double
half(const struct candidate *c, int64_t newest)
{
	double since = newest == NEVER ? 0 : (double)(newest - c->heard) * 1e-9;

	return c->distance + c->doubt + CHANGED * fmax(0, since);
}

/* The lowest stratum of those who vote. */
static int
least_stratum(const struct candidate c[], int n)
{
	int least = 255, i;

	for (i = 0; i < n; i++)
		if (c[i].votes && c[i].stratum < least)
			least = c[i].stratum;
	return least;
}

/* The distance that makes the weight, together with what the stratum adds;
 * least is the lowest stratum of all.  Doubt does not make the weight smaller
 * unless it exceeds the distance: a candidate that agrees with all only
 * because it is unsure must not pull them away. */
static double
score(const struct candidate *c, int least)
{
	return fmax(c->distance, c->doubt) +
	    STRATUM * fmax(0, c->stratum - least);
}

static double
weight(const struct candidate *c, int least)
{
	double d = fmax(1e-9, score(c, least));

	return c->weight / (d * d);
}

/* Find the place that most intervals have in common; of several such, the one
 * with the most weight. */
static struct crowd
intersect(
    const struct candidate c[], int n, struct edge edge[], int64_t newest)
{
	struct crowd best = { .newest = newest };
	double sum = 0, heaviest = 0;
	int least = least_stratum(c, n), count = 0, edges = 0, i;

	for (i = 0; i < n; i++) {
		double x = place(&c[i], c), w = weight(&c[i], least);
		double wide = half(&c[i], newest);

		if (!c[i].votes)
			continue;
		edge[edges++] = (struct edge){ x - wide, w, 1 };
		edge[edges++] = (struct edge){ x + wide, w, -1 };
	}
	qsort(edge, (size_t)edges, sizeof(*edge), by_place);
	for (i = 0; i < edges; i++) {
		count += edge[i].side;
		sum += edge[i].side * edge[i].weight;
		if (edge[i].side > 0 &&
		    (count > best.agree ||
			(count == best.agree && sum > heaviest))) {
			best.agree = count;
			heaviest = sum;
			best.low = edge[i].at;
			best.high = edge[i + 1].at; /* an end must follow */
		}
	}
	return best;
}

static bool
agrees(const struct candidate *c, const struct candidate *first,
    const struct crowd *crowd)
{
	double x = place(c, first), wide = half(c, crowd->newest);

	return x - wide <= crowd->low && x + wide >= crowd->high;
}

/* May one that has no vote be right if those who have one are? */
static bool
overlaps(const struct candidate *c, const struct candidate *first,
    const struct crowd *crowd)
{
	double x = place(c, first), wide = half(c, crowd->newest);

	return x - wide <= crowd->high && x + wide >= crowd->low;
}

static double
median_freq(const struct candidate c[], int n, double freq[])
{
	int i, count = 0;

	for (i = 0; i < n; i++)
		if (c[i].said == SELECT_USED)
			freq[count++] = c[i].freq;
	qsort(freq, (size_t)count, sizeof(*freq), ascending);
	return (freq[(count - 1) / 2] + freq[count / 2]) / 2;
}

/* Is its own best guess where those lie who have a vote? */
static bool
is_within(const struct candidate *c, const struct candidate *first,
    const struct crowd *crowd)
{
	double x = place(c, first);

	return x >= crowd->low && x <= crowd->high;
}

/* Mark the candidates outside of the common place, and those with a strange
 * frequency. */
static void
judge(struct candidate c[], int n, const struct crowd *crowd, double freq[])
{
	int agree = crowd->agree, i, apart = 0;
	double middle;

	for (i = 0; i < n; i++)
		if (c[i].votes)
			c[i].said = agrees(&c[i], c, crowd) ? SELECT_USED :
							      SELECT_FALSE;
	if (agree < 3)
		return;
	middle = median_freq(c, n, freq);
	for (i = 0; i < n; i++)
		if (c[i].said == SELECT_USED &&
		    fabs(c[i].freq - middle) >
			FREQ_SDS * c[i].freq_sd + FREQ_APART) {
			c[i].said = SELECT_OUTLIER;
			apart++;
		}
	/* If these are half or more, there are two camps, and nobody knows
	 * which one is right. */
	for (i = 0; i < n && apart * 2 >= agree; i++)
		if (c[i].said == SELECT_OUTLIER)
			c[i].said = SELECT_USED;
}

/* Use those who have no vote where time and frequency agree with the others'.
 * A clock that nobody steers may show the right time by chance, but it will not
 * have the right frequency.  And one that claims to be precise must not pull
 * the time out of what is authenticated.  Where our own oscillator may be the
 * reason that one is outside, it is not called false. */
static void
let_follow(struct candidate c[], int n, const struct crowd *crowd,
    const struct crowd *wide, double freq[], bool authentic)
{
	double middle = median_freq(c, n, freq), sd = 0;

	for (int i = 0; i < n; i++)
		if (c[i].said == SELECT_USED)
			sd = fmax(sd, c[i].freq_sd);
	for (int i = 0; i < n; i++) {
		if (!stands(&c[i]) || c[i].votes)
			continue;
		c[i].said = !overlaps(&c[i], c, crowd) ?
		    (overlaps(&c[i], c, wide) ? SELECT_OUTLIER :
						SELECT_FALSE) :
		    fabs(c[i].freq - middle) >
				FREQ_SDS * hypot(sd, c[i].freq_sd) +
				    FREQ_APART ||
			    (authentic && !is_within(&c[i], c, crowd)) ?
						SELECT_OUTLIER :
						SELECT_USED;
	}
}

/* The weighted mean of those that are used. */
static void
combine(const struct candidate c[], int n, int least, struct verdict *v)
{
	double w, x = 0, var = 0, f = 0, wx = 0, wf = 0, wff = 0, path = 0;
	int i, votes = 0, insert = 0, delete = 0;

	for (i = 0; i < n; i++) {
		if (c[i].said != SELECT_USED)
			continue;
		if (c[i].heard > v->heard)
			v->heard = c[i].heard;
		votes += c[i].votes;
		insert += c[i].votes && c[i].leap == LEAP_INSERT;
		delete += c[i].votes && c[i].leap == LEAP_DELETE;
		w = weight(&c[i], least);
		wx += w;
		x += w * place(&c[i], c);
		var += w * c[i].sd * c[i].sd;
		path += w * c[i].path;
		w = 1 / fmax(1e-24, c[i].freq_sd * c[i].freq_sd);
		wf += w;
		f += w * c[i].freq;
		wff += w * w * c[i].freq_sd * c[i].freq_sd;
	}
	v->raw = c->raw;
	v->ahead = c->ahead + llrint(x / wx * 1e9);
	/* The noise of the servers is not independent, since it is that of one
	 * oscillator.  So it is not divided by the square root of n. */
	v->sd = sqrt(var / wx);
	v->path = path / wx;
	v->freq = f / wf;
	v->freq_sd = sqrt(wff) / wf;
	v->leap = insert * 2 > votes ? LEAP_INSERT :
	    delete *2 > votes	     ? LEAP_DELETE :
				      LEAP_NONE;
}

/* The best candidate gives its name, stratum and root distance to our clients.
 * It is one that has a vote.  Somebody is used, since outliers are never half of
 * those that agree. */
static void
crown(struct candidate c[], int n, int least, struct verdict *v)
{
	struct candidate *best = c;

	for (int i = 0; i < n; i++)
		if (c[i].said == SELECT_USED && c[i].votes &&
		    (best->said != SELECT_USED || !best->votes ||
			weight(&c[i], least) > weight(best, least)))
			best = &c[i];
	best->said = SELECT_SYSTEM;
	v->system = best->index;
	v->samples = best->samples;
	v->stratum = (uint8_t)(best->stratum + 1);
	v->refid = best->refid;
	v->root_delay = best->root_delay + best->delay;
	v->root_dispersion = best->root_dispersion + 2 * v->sd +
	    fabs((double)(v->ahead - best->ahead) * 1e-9);
}

/* Give the vote to all, or to the authentic ones alone, and find the place that
 * more than half of them have in common.  In *wide the intervals are widened by
 * what our own oscillator may have changed. */
static bool
poll(struct candidate c[], int n, const struct room *room, bool authentic,
    struct crowd *crowd, struct crowd *wide, struct verdict *v)
{
	*v = (struct verdict){ .authentic = authentic };
	for (int i = 0; i < n; i++) {
		c[i].said = SELECT_NONE;
		c[i].votes = stands(&c[i]) && !c[i].follows &&
		    (c[i].authentic || !authentic);
		v->of += c[i].votes;
	}
	*crowd = intersect(c, n, room->edge, NEVER);
	*wide = intersect(c, n, room->edge, newest_of(c, n));
	if (crowd->agree * 2 <= v->of)
		*crowd = *wide;
	v->agree = crowd->agree;
	return v->agree * 2 > v->of;
}

static bool
vote(struct candidate c[], int n, const struct room *room, struct verdict *v)
{
	struct crowd crowd, wide;
	int least, i;
	double x;

	if (!poll(c, n, room, true, &crowd, &wide, v) &&
	    !poll(c, n, room, false, &crowd, &wide, v))
		return false;
	judge(c, n, &crowd, room->freq);
	/* If a change of our own oscillator may be the reason, the candidate
	 * is not used, but it is not called false either. */
	for (i = 0; i < n; i++)
		if (c[i].said == SELECT_FALSE && agrees(&c[i], c, &wide))
			c[i].said = SELECT_OUTLIER;
	let_follow(c, n, &crowd, &wide, room->freq, v->authentic);
	least = least_stratum(c, n);
	combine(c, n, least, v);
	crown(c, n, least, v);
	/* The truth is in what all of them have in common. */
	x = (double)(v->ahead - c->ahead) * 1e-9;
	v->distance =
	    fmax(fmax(crowd.high - x, x - crowd.low), NOISE_SDS * v->sd);
	v->path = fmin(v->distance, fmax(v->path, NOISE_SDS * v->sd));
	return true;
}

/* Room for the most candidates that may ever be takes 230 KB, and stack pages
 * that were used once stay resident.  So the usual handful has a smaller frame
 * of its own. */
__attribute__((noinline)) static bool
vote_few(struct candidate c[], int n, struct verdict *v)
{
	struct edge edge[2 * FEW];
	double freq[FEW];

	return vote(c, n, &(struct room){ edge, freq }, v);
}

__attribute__((noinline)) static bool
vote_many(struct candidate c[], int n, struct verdict *v)
{
	struct edge edge[2 * SOURCES_MAX];
	double freq[SOURCES_MAX];

	return vote(c, n, &(struct room){ edge, freq }, v);
}

bool
select_vote(struct candidate c[], int n, struct verdict *v)
{
	return n <= FEW ? vote_few(c, n, v) : vote_many(c, n, v);
}

/* Move the time so that the weighted mean of the biases is zero: what servers
 * differ by says nothing of where the truth is. */
static void
anchor(struct filter *joint, const struct candidate c[], int n, int least)
{
	double sum = 0, mean = 0, bias, w;

	for (int i = 0; i < n; i++) {
		if (c[i].said < SELECT_USED ||
		    !filter_bias(c[i].filter, &bias))
			continue;
		w = weight(&c[i], least);
		sum += w;
		mean += w * bias;
	}
	if (sum <= 0)
		return;
	mean /= sum;
	for (int i = 0; i < n; i++)
		filter_anchor(c[i].filter, mean);
	filter_shift(joint, llrint(mean * 1e9));
}

void
select_join(
    struct filter *joint, struct candidate c[], int n, struct verdict *v)
{
	int least = least_stratum(c, n), i;
	struct estimate e;
	double sum = 0;

	for (i = 0; i < n; i++) {
		if (c[i].said >= SELECT_USED)
			sum += weight(&c[i], least);
		if (joint->samples == 0)
			filter_leave(c[i].filter);
	}
	for (i = 0; i < n; i++)
		filter_share(c[i].filter,
		    c[i].said >= SELECT_USED ? weight(&c[i], least) / sum :
					       1.0 / n);
	for (i = 0; i < n; i++)
		if (c[i].said >= SELECT_USED)
			filter_join(joint, c[i].filter, c[i].sample);
	anchor(joint, c, n, least);
	if (!filter_estimate(joint, v->raw, &e))
		return;
	if (fabs((double)(e.ahead - v->ahead)) * 1e-9 >
	    fmin(v->distance, JOINT_SDS * hypot(e.sd, v->sd))) {
		filter_reset(joint, v->freq, v->freq_sd);
		return;
	}
	/* The interval stays where it is, although the time moves in it. */
	v->distance += fabs((double)(e.ahead - v->ahead)) * 1e-9;
	v->ahead = e.ahead;
	v->sd = e.sd;
	v->freq = e.freq;
	v->freq_sd = e.freq_sd;
}

bool
select_first(int counted, int answered, int agree, double waited)
{
	if (answered < 1)
		return false;
	if (waited >= FIRST_WAIT)
		return agree * 2 > answered;
	/* Servers that are still silent may be the honest ones: of five, the
	 * first three answers can come from two liars. */
	return answered * 2 > counted && agree * 2 > counted;
}
