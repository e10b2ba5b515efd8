/*
 * filter.h - one server's clock against the raw clock.
 */
#ifndef FILTER_H
#define FILTER_H

#include <stdbool.h>
#include <stdint.h>

/* One exchange with a server, on the raw axis: at raw, its middle, the
 * server's clock was "ahead" of CLOCK_MONOTONIC_RAW by so many ns. */
struct sample {
	int64_t raw, ahead;
	double delay;	  /* s: round trip without the server's part */
	double error;	  /* s: the server's root delay/2 + dispersion */
	double precision; /* s: noise of the stamps themselves */
};

enum {
	FILTER_WANDERS = 7, /* how much an oscillator may wander */
	FILTER_SHAPES = 6,  /* how the delays of a path may be distributed */
	FILTER_MODELS = FILTER_WANDERS * FILTER_SHAPES,
	FILTER_DELAYS = 64, /* the last delays, of which the median is taken */
	FILTER_GROUP = 8,   /* delays of which only the least is remembered */
	FILTER_GROUPS = 64  /* so many of these: 512 delays */
};

struct filter_model {
	double x, f;	   /* offset, frequency: source - raw */
	double xx, xf, ff; /* their covariance */
	double fit;	   /* log likelihood of the recent samples */
};

/* How the offsets of recent samples went with their excess delay e: the sums of
 * a weighted regression of r, what they were off the forecast. */
struct filter_lean {
	double n, w, e, r, ee, er, rr;
};

/* One source's clock against the raw clock.  It is filter.c's; others may read
 * samples. */
struct filter {
	int samples;		    /* learnt since the last start */
	int64_t raw0, ahead0;	    /* origin of the doubles below */
	double at, good;	    /* s since raw0: of the last sample, and
				       of the last one that was learnt */
	double freq0, ff0;	    /* the frequency that was known before */
	double x, f, xx, xf, ff, q; /* mixture of the models at "at" */
	struct filter_model model[FILTER_MODELS];
	float delay[FILTER_DELAYS], low[FILTER_GROUPS], least;
	double excess;	  /* s: median of the delays above the least one */
	double before;	  /* s: that of the last route; 0: not known */
	double drop;	  /* s: the last delay was below the least by that */
	struct filter_lean lean;
	double usual;	  /* logarithm of the usual variance */
	int64_t short_at; /* raw: of the last short delay */
	int delays;	  /* since the path was last taken for a new one */
	int strange;	  /* strange samples in a row */
	double share;	       /* of all influence, see filter_share */
	double bias, bias_var; /* s: against the joint filter */
	int joined;	       /* samples which that filter has from here */
	int64_t joined_at;     /* raw: of the last one */
};

/* Ratios.  No crystal and no virtual machine's counter is further off than
 * FREQ_USUAL, which is MAXFREQ of RFC 5905 §7.2.  What is further off than
 * FREQ_FAR is no clock any more. */
#define FREQ_USUAL 500e-6
#define FREQ_FAR 5000e-6
/* A ratio per second, and a ratio: a room that becomes warmer or colder may
 * change the frequency by 1 ppm in each hour, up to PHI of RFC 5905 §7.2. */
#define FREQ_AGING (1e-6 / 3600)
#define FREQ_AGING_MOST 15e-6

/* What one source says of the time at raw. */
struct estimate {
	int64_t raw, ahead;
	double sd; /* of ahead, s */
	double freq, freq_sd;
};

enum filter_said { FILTER_USED, FILTER_STRANGE };

/* Forget everything.  freq is where the next start begins: 0 and 100e-6 when
 * nothing is known, the drift file's value and 1e-6 when it is.  Both are cut
 * at FREQ_FAR. */
void filter_reset(struct filter *, double freq, double freq_sd);

/* The time scale itself moved by so many ns (a leap second, or the mean of the
 * joint filter's biases): what is known moves with it. */
void filter_shift(struct filter *, int64_t ns);

/* Learn one sample.  FILTER_STRANGE: it fits nothing that is known and is held
 * back, so ask again soon (2 s).  After a row of such samples the filter
 * begins again with the last one. */
enum filter_said filter_learn(struct filter *, const struct sample *);

/* The estimate at raw, which is not before the last sample; false without
 * samples. */
bool filter_estimate(const struct filter *, int64_t raw, struct estimate *);

/* The least delay that is remembered, and what it may be too long by, s. */
double filter_least(const struct filter *);
double filter_spread(const struct filter *);

/* Give the newest sample of a source, which its own filter has learnt, to the
 * joint filter of all sources, less the source's bias.  The difference of the
 * two filters teaches that bias. */
void filter_join(struct filter *joint, struct filter *, const struct sample *);

/* The joint filter begins again: it has nothing from this source yet. */
void filter_leave(struct filter *);

/* The source's bias against the joint filter, s.  False: that filter has
 * nothing from it. */
bool filter_bias(const struct filter *, double *bias);

/* From now on this bias is measured from another zero, which lies so many s
 * further ahead. */
void filter_anchor(struct filter *, double zero);

/* Tell what part of all influence this source has: 1 for the only one.
 * Sources that have little are asked less often. */
void filter_share(struct filter *, double share);

/* Seconds until the next sample is wanted: within [least, most], but less
 * right after a start.  previous is the last interval, which is at most
 * doubled. */
double filter_interval(
    const struct filter *, double previous, double least, double most);

#endif
