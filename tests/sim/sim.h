/*
 * sim.h - a world for the pure rooms: oscillator, kernel clock, network and
 * servers, all from one seed.  A scenario states what differs from a quiet
 * machine with one honest server.
 */
#ifndef SIM_H
#define SIM_H

#include "core/discipline.h"
#include "core/edge.h"
#include "core/select.h"
#include "core/source.h"

enum { SERVERS_MAX = 8 };

/* From second "from" to "to", this is added. */
struct spell {
	double from, to, value;
};

struct server {
	double up, down;		/* s, least one-way delays */
	double jitter_up, jitter_down;	/* s, mean of the exponential part */
	double normal;			/* s, sd of noise the delay hides */
	bool tails;			/* a tenth late by 3 ms, 1 % by 30 ms */
	double queue, lasts;		/* s: mean of a queue for both ways, in
					   which all requests of so many s wait */
	double out, give;		/* share of it on the way out, +- give */
	double loss;			/* share lost, each way */
	double offset, freq;		/* of the server's clock */
	int stratum;			/* 0 means 1 */
	double root_delay, root_dispersion;
	int leap;
	struct spell slow_up, slow_down;	/* s of delay */
	struct spell slower_down;	/* s: as much from "to" on, growing */
	double detour_every, detour;	/* s: half of the time, way back */
	struct spell gone;		/* value 1: no answer */
	double gone_every, gone_for;	/* s: outages, again and again */
	struct spell wrong;		/* s that the server's clock is off */
	double members;			/* HTTPS: machines behind its address
					   differ by up to this, s */
	double cached;			/* HTTPS: share of answers that come
					   out of a cache, and say so */
};

struct scenario {
	const char *name, *about;
	double offset, freq, wander;	/* s, ratio, ratio per sqrt(s) */
	double drift;			/* drift file's value; 0: none */
	double asymmetry;		/* paths differ by up to this share */
	int seconds, from, to;		/* length, and what is measured */
	struct spell freq_step;		/* ratio, ramps up within a second */
	struct spell wander_more;	/* ratio per sqrt(s) */
	int jumps_every;		/* s, between jumps of the ... */
	double jumps;			/* ... frequency, up or down: ratio */
	double sine, period;		/* ratio and s: temperature */
	int jump_at;			/* somebody sets the clock ... */
	double jump;			/* ... by so many s */
	int sleep_at;			/* suspend: raw stands still for ... */
	double sleep;			/* ... s; real is 0.4 s late afterwards */
	int pause_at;			/* the machine stands still: raw and real */
	double pause;			/* ... lose so many s, nobody says so */
	int64_t start;			/* real ns at the start; 0: 2033 */
	double late;			/* s: the processor is only ours at
					   every full second plus this much */
	bool https;			/* UDP is blocked: the servers' dates */
	bool no_stamps;			/* receive stamps are our own */
	bool idle;			/* kernel sums only when we wake it */
	double poll_least, poll_most;
	bool dishonest;			/* the bound may be wrong */
	bool no_set;			/* nothing may be set, ever */
	double rms_most, max_most;	/* s: -c; 0: 10 ms at any time */
	double bound_most;		/* of the best source's root distance;
					   0: 3, negative: anything */
	double order_most;		/* frequency ordered at any time; 0: any */
	double freq_most;		/* rms of the frequency's error; 0: any */
	bool all_true;			/* no server is ever a falseticker */
	int reached_within;		/* s from "from": below 1 ms for good */
	struct server server[SERVERS_MAX];	/* up 0: no more */
};

extern const struct scenario scenarios[];
extern const int scenario_count;

#endif
