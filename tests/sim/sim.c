/*
 * sim.c - days of a clock in milliseconds: the real pure rooms (source, filter,
 * select, discipline, ntp) in a simulated world.
 *
 *	sim [-c] [-n seeds] [-f first] [-r] [scenario ...]
 *
 * prints one line per scenario; -c checks the promises too and exits 1 when one
 * is broken; -r prints every run (scenario, seed, figures) for comparisons.
 *
 * True time is int64_t ns since the start.  raw and real are kept as what they
 * are ahead of true time, in s.  The kernel does what adjtimex(2) with STA_PLL
 * and STA_FREQHOLD does; with "idle" it does its sums only when somebody wakes,
 * while the clock goes on with the share of the second in which it fell asleep.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim.h"

#define MAY_2033 (2000000000LL * NS_PER_S)

/* ------------------------------------------------------------------ chance */

struct chance {
	uint64_t state;
};

/* splitmix64 needs few multiplications a number, and any seed is good. */
static uint64_t
bits(struct chance *c)
{
	uint64_t z = c->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static double
uniform(struct chance *c)		/* (0, 1) */
{
	return ((double)(bits(c) >> 11) + 0.5) * 0x1p-53;
}

static double
exponential(struct chance *c)
{
	return -log(uniform(c));
}

static double
normal(struct chance *c)
{
	double r = sqrt(-2 * log(uniform(c)));

	return r * cos(2 * M_PI * uniform(c));
}

/* ------------------------------------------------------------------- world */

struct packet {
	struct constraint_answer date;	/* of an HTTPS server */
	bool under_way;
	int64_t arrival;		/* true */
	int64_t stamp;			/* raw, when it arrived */
	uint8_t bytes[NTP_SIZE];
	uint64_t nonce;
};

struct world {
	const struct scenario *s;
	struct chance oscillator, network, client;
	int servers;
	double up[SERVERS_MAX], down[SERVERS_MAX];
	double queued[SERVERS_MAX], until[SERVERS_MAX];	/* s; true time, s */
	struct packet packet[SERVERS_MAX];

	int64_t now;			/* true */
	double freq;			/* of the oscillator */
	double walk;
	double raw_ahead, real_ahead;	/* of true time, s */
	int64_t epoch;			/* real at true time 0 */

	double word;			/* kernel's frequency */
	double rest, share;		/* s to slew; s per second now */
	int constant, missed;		/* seconds the idle kernel slept */
};

static double
during(const struct spell *p, double t)
{
	return t >= p->from && t < p->to ? p->value : 0;
}

static struct instant
read_clocks(const struct world *w)
{
	/* raw may start anywhere; here a day after boot */
	return (struct instant){
		.raw = w->now + llrint(w->raw_ahead * 1e9) + 86400 * NS_PER_S,
		.real = w->epoch + w->now + llrint(w->real_ahead * 1e9)
	};
}

static void
advance(struct world *w, int64_t to)
{
	double t = (double)(to - w->now) * 1e-9;

	w->raw_ahead += w->freq * t;
	w->real_ahead += ((1 + w->freq) * (1 + w->word) - 1 + w->share) * t;
	w->now = to;
}

/* The true time at which the raw clock will show raw, at most "most". */
static int64_t
when(const struct world *w, int64_t raw, int64_t most)
{
	struct instant i = read_clocks(w);
	double wait;

	if (raw == NEVER)
		return most;
	wait = (double)(raw - i.raw) / (1 + w->freq);
	if (wait >= (double)(most - w->now))
		return most;
	return w->now + (wait < 0 ? 0 : (int64_t)ceil(wait));
}

/* One second of the kernel's phase-locked loop. */
static void
kernel_second(struct world *w)
{
	w->share = ldexp(w->rest, -(2 + w->constant));
	w->rest -= w->share;
}

/* An idle kernel that is woken catches up on what it has missed. */
static void
kernel_wake(struct world *w)
{
	for (; w->missed > 0; w->missed--)
		kernel_second(w);
}

static void
kernel_obey(struct world *w, const struct orders *o)
{
	if (!o->act)
		return;
	w->word = o->freq;
	w->rest = (double)o->phase * 1e-9;
	w->constant = o->constant;
}

static void
kernel_step(struct world *w, int64_t by)
{
	w->real_ahead += (double)by * 1e-9;
	w->rest = 0;
}

/* Each full second of true time: temperature, wander, the scenario's events. */
static void
world_second(struct world *w)
{
	const struct scenario *s = w->s;
	double t = (double)(w->now / NS_PER_S);

	w->walk += (s->wander + during(&s->wander_more, t)) *
	    normal(&w->oscillator);
	if (s->jumps_every > 0 && w->now / NS_PER_S % s->jumps_every == 0)
		w->walk += uniform(&w->oscillator) < 0.5 ? -s->jumps : s->jumps;
	w->freq = s->freq + w->walk + during(&s->freq_step, t) +
	    s->sine * (s->period > 0 ? sin(2 * M_PI * t / s->period) : 0);
	if (!s->idle || w->missed > 100) {
		kernel_wake(w);
		kernel_second(w);
	} else
		w->missed++;
}

static double
delay(struct world *w, const struct server *v, double least, double jitter,
    const struct spell *slow)
{
	struct chance *c = &w->network;
	double d = least + jitter * exponential(c) + v->normal * normal(c) +
	    during(slow, (double)w->now * 1e-9);

	if (v->tails && uniform(c) < 0.1)
		d += 3e-3 * exponential(c);
	if (v->tails && uniform(c) < 0.01)
		d += 30e-3 * exponential(c);
	return d;
}

/* By how much the route has become longer, slowly or from time to time. */
static double
detour(const struct spell *slowly, double period, double by, double t)
{
	double share = slowly->to > slowly->from ?
	    (t - slowly->from) / (slowly->to - slowly->from) : 0;

	return slowly->value * fmax(0, fmin(1, share)) +
	    (period > 0 && fmod(t, period) >= period / 2 ? by : 0);
}

/* What server i's clock shows at true time t. */
static int64_t
server_clock(const struct world *w, int i, int64_t t)
{
	const struct server *v = &w->s->server[i];
	double at = (double)t * 1e-9;

	return w->epoch + t + llrint((v->offset + v->freq * at +
	    during(&v->wrong, at)) * 1e9);
}

/* Wait in the queue that both ways share.  Returns its length, s; *out becomes
 * the share of it on the way out. */
static double
wait_in_queue(struct world *w, int i, double t, double *out)
{
	const struct server *v = &w->s->server[i];

	if (v->queue <= 0)
		return 0;
	if (t >= w->until[i]) {
		w->queued[i] = v->queue * exponential(&w->network);
		w->until[i] = t + v->lasts;
	}
	*out = v->out + v->give * (2 * uniform(&w->network) - 1);
	return w->queued[i];
}

/* A request leaves; its reply will arrive, or will be lost. */
static void
send_request(struct world *w, int i, uint64_t nonce)
{
	const struct server *v = &w->s->server[i];
	double t = (double)w->now * 1e-9;
	double part = 0, queue = wait_in_queue(w, i, t, &part);
	double up = delay(w, v, w->up[i], v->jitter_up, &v->slow_up) +
	    part * queue;
	double down = delay(w, v, w->down[i], v->jitter_down, &v->slow_down) +
	    detour(&v->slower_down, v->detour_every, v->detour, t) +
	    (1 - part) * queue;
	double out = uniform(&w->network), back = uniform(&w->network);
	int64_t there = w->now + (int64_t)(up * 1e9), held = 20000;
	struct ntp_packet p = {
		.version = 4, .mode = MODE_SERVER, .leap = (uint8_t)v->leap,
		.stratum = (uint8_t)(v->stratum ? v->stratum : 1),
		.precision = -25, .poll = 6, .refid = 0x47505300,
		.root_delay = v->root_delay,
		.root_dispersion = v->root_dispersion, .origin = nonce,
		.receive = ntp_from_real(server_clock(w, i, there)),
		.transmit = ntp_from_real(server_clock(w, i, there + held))
	};
	struct packet *k = &w->packet[i];

	p.reference = p.receive;
	if (out < v->loss || back < v->loss || during(&v->gone, t) > 0 ||
	    (v->gone_every > 0 &&
	    fmod(t, v->gone_every) >= v->gone_every - v->gone_for))
		return;
	ntp_format(&p, k->bytes);
	k->arrival = there + held + (int64_t)(down * 1e9);
	k->nonce = nonce;
	k->under_way = true;
}

static void
world_start(struct world *w, const struct scenario *s, int seed)
{
	struct chance c = { (uint64_t)seed * 7919 };
	int i;

	memset(w, 0, sizeof *w);
	w->s = s;
	w->oscillator.state = bits(&c);
	w->network.state = bits(&c);
	w->client.state = bits(&c);
	w->epoch = s->start ? s->start : MAY_2033;
	w->real_ahead = s->offset;
	w->freq = s->freq;
	for (i = 0; i < SERVERS_MAX && s->server[i].up > 0; i++) {
		double skew = s->asymmetry * (2 * uniform(&c) - 1);

		w->up[i] = s->server[i].up * (1 + skew);
		w->down[i] = s->server[i].down * (1 - skew);
	}
	w->servers = i;
}

/* ------------------------------------------------------------------ client */

/* From here on stands what peers.c, steer.c and the loop do with the pure
 * rooms, without the log. */
struct client {
	struct source source[SERVERS_MAX];
	struct discipline discipline;
	struct bound bound;
	struct edges edges;
	int n;
	int requests, aimed;		/* to HTTPS servers; to whom the */
	int64_t aim;			/* ... next one goes, then (raw) */
	bool synced, may_step;
	bool dirty;			/* something is new: hold an election */
	int steps;
	int falsetickers;		/* in all elections; 1 more if none won */
	double waited_from;
	double majority_from;		/* s: 0, not yet */
};

static void
step(struct world *w, struct client *c)
{
	struct instant now = read_clocks(w);

	kernel_step(w, discipline_offset(&c->discipline, &now));
	c->steps++;
}

static void
obey(struct world *w, struct client *c)
{
	struct instant now = read_clocks(w);
	struct orders o = discipline_turn(&c->discipline, &now);

	kernel_obey(w, &o);
}

static void
vote(struct world *w, struct client *c)
{
	struct candidate candidate[SERVERS_MAX];
	struct instant now = read_clocks(w);
	struct verdict v;
	int i, n = 0, asked = 0;
	bool agreed, outside;

	c->dirty = false;
	for (i = 0; i < c->n; i++) {
		asked += c->source[i].first_sent > 0;
		outside = c->source[i].selected < SELECT_OUTLIER;
		c->source[i].selected = SELECT_NONE;
		if (!source_candidate(&c->source[i], now.raw, &candidate[n]))
			continue;
		candidate[n].outside = outside;
		candidate[n].filter = &c->source[i].filter;
		candidate[n].sample = &c->source[i].sample;
		candidate[n++].index = i;
	}
	agreed = select_vote(candidate, n, &v);
	for (i = 0; i < n; i++) {
		c->source[candidate[i].index].selected = candidate[i].said;
		c->falsetickers += candidate[i].said == SELECT_FALSE;
	}
	c->falsetickers += c->synced && n > 0 && !agreed;
	if (!agreed)
		return;
	if (c->may_step && !select_first(asked, n, v.agree,
	    (double)w->now * 1e-9 - c->waited_from))
		return;
	if (c->majority_from == 0)
		c->majority_from = (double)w->now * 1e-9;
	if ((double)w->now * 1e-9 - c->majority_from >= 600)
		discipline_limit(&c->discipline, FREQ_FAR);
	select_join(&c->discipline.joint, candidate, n, &v);
	discipline_learn(&c->discipline, &v,
	    c->source[v.system].interval);
	now = read_clocks(w);
	if (c->may_step && fabs((double)discipline_offset(&c->discipline,
	    &now)) * 1e-9 > v.distance)
		step(w, c);
	c->may_step = false;
	c->synced = true;
	obey(w, c);
}

static void
receive(struct world *w, struct client *c, int i)
{
	struct packet *k = &w->packet[i];
	struct instant now = read_clocks(w);
	struct stamps t = { .sent = c->source[i].sent, .got = k->stamp,
	    .precision = 1e-7 };
	struct judgement j = { .bound = &c->bound, .pivot = now.real,
	    .random = uniform(&w->client) };

	if (w->s->no_stamps)
		t.got = now.raw;
	j.pivot = ntp_pivot(c->synced, now.real, c->bound.earliest);
	k->under_way = false;
	k->stamp = 0;
	if (source_reply(&c->source[i], k->bytes, NTP_SIZE, &t, &j) ==
	    SAID_ACCEPTED)
		c->dirty = true;
}

static void
ask(struct world *w, struct client *c, int i)
{
	uint64_t nonce = bits(&w->client);
	struct instant now = read_clocks(w);

	source_sent(&c->source[i], now.raw, nonce, !c->synced);
	/* A throttled process may lose the processor right here. */
	if (w->s->late > 0 && uniform(&w->client) < 0.02)
		advance(w, (w->now / NS_PER_S + 1) * NS_PER_S - 1);
	w->packet[i].under_way = false;
	w->packet[i].stamp = 0;
	send_request(w, i, nonce);
}

/* Ask HTTPS server i for its date, as a child does that has shaken hands and
 * waits for the moment.  The request arrives, the server cuts its time to whole
 * seconds, the answer comes back. */
static void
send_https(struct world *w, int i)
{
	const struct server *v = &w->s->server[i];
	struct packet *k = &w->packet[i];
	int64_t sent, there, got, date;
	double held = 0.002 + 0.01 * exponential(&w->network);

	sent = read_clocks(w).raw;
	there = w->now + (int64_t)(1e9 *
	    (delay(w, v, w->up[i], v->jitter_up, &v->slow_up) + held / 2));
	date = server_clock(w, i, there) +
	    llrint(v->members * (2 * uniform(&w->network) - 1) * 1e9);
	date -= date % NS_PER_S;
	k->arrival = there + (int64_t)(1e9 * (held / 2 +
	    delay(w, v, w->down[i], v->jitter_down, &v->slow_down)));
	got = sent + (int64_t)((double)(k->arrival - w->now) * (1 + w->freq));
	k->date = (struct constraint_answer){ .raw = got,
	    .error = 0.5 + (double)(got - sent) / 2e9 };
	k->date.ahead = date + (int64_t)(k->date.error * 1e9) - got;
	/* A Date of some time ago is refused, as http.c's test shows. */
	k->under_way = uniform(&w->network) >= v->cached &&
	    during(&v->gone, (double)w->now * 1e-9) == 0;
}

/* What constraints.c and steer.c do while they keep the time. */
static void
https_turn(struct world *w, struct client *c)
{
	struct instant now = read_clocks(w);
	struct verdict v;
	int i = edges_turn(&c->edges, now.raw);

	if (i >= 0) {
		c->aim = edge_aim(&c->edges.edge[i], now.raw);
		c->aimed = i;
	}
	if (now.raw >= c->aim) {
		c->requests++;
		c->aim = NEVER;
		send_https(w, c->aimed);
	}
	for (i = 0; i < w->servers; i++)
		if (w->packet[i].stamp != 0) {
			w->packet[i].stamp = 0;
			edge_take(&c->edges.edge[i], &w->packet[i].date);
			c->dirty = true;
		}
	now = read_clocks(w);
	if (c->dirty && edges_vote(&c->edges, now.raw, &v)) {
		discipline_learn(&c->discipline, &v, 200);
		c->synced = true;
	}
	c->dirty = false;
	if (now.raw >= c->discipline.due)
		obey(w, c);
}

static void
client_turn(struct world *w, struct client *c)
{
	struct instant now = read_clocks(w);
	int i;

	kernel_wake(w);
	if (w->s->https) {
		https_turn(w, c);
		return;
	}
	for (i = 0; i < c->n; i++) {
		if (w->packet[i].stamp != 0)
			receive(w, c, i);
		switch (source_turn(&c->source[i], now.raw, !c->synced,
		    uniform(&w->client))) {
		case WANT_SEND: ask(w, c, i); break;
		case WANT_TIMEOUT: c->dirty = true; break;
		case WANT_NOTHING: break;
		}
	}
	if (c->dirty)
		vote(w, c);
	now = read_clocks(w);
	if (now.raw >= c->discipline.due)
		obey(w, c);
}

static int64_t
client_due(const struct client *c)
{
	int64_t due = c->discipline.due;
	int i;

	if (c->edges.n > 0)
		return sooner(sooner(due, c->aim), c->edges.due);

	for (i = 0; i < c->n; i++)
		if (c->source[i].due < due)
			due = c->source[i].due;
	return due;
}

static void
client_start(struct world *w, struct client *c)
{
	struct address a = { .family = 4 };
	struct instant now = read_clocks(w);
	bool known = w->s->drift < 0 || w->s->drift > 0;
	int i;

	memset(c, 0, sizeof *c);
	c->n = w->servers;
	c->may_step = true;
	c->bound.earliest = w->epoch - 86400 * 365 * NS_PER_S;
	discipline_start(&c->discipline, w->s->drift, known);
	w->word = w->s->drift;
	if (w->s->https) {
		c->edges.n = w->servers;
		c->aim = NEVER;
		for (i = 0; i < w->servers; i++)
			edge_start(&c->edges.edge[i], c->discipline.freq,
			    discipline_growth(&c->discipline) + 5e-6);
		c->n = 0;
		return;
	}
	for (i = 0; i < c->n; i++) {
		c->source[i].weight = 1;
		c->source[i].poll_least = w->s->poll_least;
		c->source[i].poll_most = w->s->poll_most;
		a.bytes[3] = (uint8_t)(i + 1);
		source_start(&c->source[i], &a, now.raw, 0.01 * i,
		    c->discipline.freq, c->discipline.freq_sd);
	}
}

/* The daemon noticed a gap in time: the machine was suspended. */
static void
client_gap(struct world *w, struct client *c)
{
	struct instant now = read_clocks(w);
	int i;

	discipline_forget(&c->discipline);
	for (i = 0; i < c->n; i++) {
		w->packet[i].under_way = false;
		w->packet[i].stamp = 0;
		source_forget(&c->source[i], now.raw, c->discipline.freq,
		    c->discipline.freq_sd);
	}
	c->may_step = true;
	c->waited_from = (double)w->now * 1e-9;
}

/* ----------------------------------------------------------------- figures */

struct figures {
	double rms, p95, max, freq;	/* of the window */
	double requests;		/* an hour */
	double outside;			/* share of seconds outside the bound */
	double bound;			/* largest bound, of what the best
					   source's root distance is */
	double below;			/* last second above 1 ms, from "from" */
	double order;			/* largest frequency ordered, from the
					   start on */
	int steps, wakes, falsetickers;
	bool set, never;		/* in every run, in no run */
};

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Root distance of the best source as the network has it. */
static double
best_distance(const struct world *w)
{
	double best = HUGE_VAL;
	int i;

	for (i = 0; i < w->servers; i++) {
		const struct server *v = &w->s->server[i];

		best = fmin(best, (w->up[i] + w->down[i]) / 2 +
		    v->root_delay / 2 + v->root_dispersion);
	}
	return best;
}

/* Everything that happens within one second. */
static void
run_second(struct world *w, struct client *c, int64_t end, struct figures *f)
{
	for (;;) {
		int64_t next = when(w, client_due(c), end);
		int i, first = -1;

		for (i = 0; i < w->servers; i++)
			if (w->packet[i].under_way &&
			    w->packet[i].arrival < next) {
				next = w->packet[i].arrival;
				first = i;
			}
		if (next >= end)
			break;
		if (next > w->now)
			advance(w, next);
		if (first >= 0) {	/* the kernel stamps it */
			w->packet[first].under_way = false;
			w->packet[first].stamp = read_clocks(w).raw;
		}
		if (w->s->late > 0) {	/* we see it when we may run */
			int64_t into = w->now % NS_PER_S;

			if (into > (int64_t)(w->s->late * 1e9))
				break;
		}
		f->wakes++;
		client_turn(w, c);
	}
	advance(w, end);
	/* These were due while another process had the processor. */
	if (w->s->late > 0) {
		client_turn(w, c);
		f->wakes++;
	}
}

static struct figures
run(const struct scenario *s, int seed)
{
	static struct world w;
	static struct client c;
	struct figures f = { 0 };
	double *size = calloc((size_t)s->seconds, sizeof *size);
	double sum = 0, fsum = 0, distance, before;
	int t, n = 0, synced = 0, i, last = -1;

	if (size == NULL)
		exit(2);
	world_start(&w, s, seed);
	client_start(&w, &c);
	distance = best_distance(&w);
	for (t = 0; t < s->seconds; t++) {
		double error, bound;
		struct instant now;

		world_second(&w);
		if (s->jump_at > 0 && t == s->jump_at) {
			w.real_ahead += s->jump;
			w.rest = 0;
			now = read_clocks(&w);
			/* The cancel-on-set timer tells the daemon. */
			if (llabs(discipline_offset(&c.discipline, &now)) >
			    NS_PER_S / 2) {
				step(&w, &c);
				obey(&w, &c);
			}
		}
		if (s->sleep_at > 0 && t == s->sleep_at) {
			w.raw_ahead -= s->sleep;
			w.real_ahead -= 0.4;
			client_gap(&w, &c);
		}
		if (s->pause_at > 0 && t == s->pause_at) {
			w.raw_ahead -= s->pause;
			w.real_ahead -= s->pause;
		}
		before = w.real_ahead;
		run_second(&w, &c, (int64_t)(t + 1) * NS_PER_S, &f);
		now = read_clocks(&w);
		f.order = fmax(f.order, fabs(w.word));
		error = w.real_ahead;
		if (c.synced && c.discipline.have) {
			synced++;
			bound = discipline_bound(&c.discipline, &now);
			f.outside += fabs(error) > bound;
			if (t >= s->from && t < s->to)
				f.bound = fmax(f.bound, bound / distance);
		}
		if (t < s->from || t >= s->to)
			continue;
		size[n++] = fabs(error);
		sum += error * error;
		fsum += (error - before) * (error - before);
		if (fabs(error) > 1e-3)
			last = t - s->from;
	}
	qsort(size, (size_t)n, sizeof *size, ascending);
	f.rms = sqrt(sum / n);
	f.freq = sqrt(fsum / n);
	f.p95 = size[n * 95 / 100];
	f.max = size[n - 1];
	f.requests = (double)c.requests * 3600 / s->seconds;
	for (i = 0; i < c.n; i++)
		f.requests += (double)c.source[i].requests * 3600 / s->seconds;
	f.outside /= synced ? synced : 1;
	f.below = last + 1;
	f.steps = c.steps;
	f.falsetickers = c.falsetickers;
	f.set = c.synced;
	f.never = !c.synced && c.steps == 0;
	free(size);
	return f;
}

/* ------------------------------------------------------------------ report */

/* Over the seeds: the rms of rms and frequency, the largest of the rest. */
static struct figures
run_all(const struct scenario *s, int first, int seeds, bool each)
{
	struct figures all = { .set = true, .never = true };
	int i;

	for (i = first; i < first + seeds; i++) {
		struct figures f = run(s, i);

		if (each)
			printf("run %s %d %.4g %.4g %.4g %.4g %.4g %g %d\n",
			    s->name, i, f.rms, f.p95, f.max, f.freq,
			    f.requests, f.below, f.falsetickers);
		all.rms += f.rms * f.rms / seeds;
		all.freq += f.freq * f.freq / seeds;
		all.p95 = fmax(all.p95, f.p95);
		all.max = fmax(all.max, f.max);
		all.order = fmax(all.order, f.order);
		all.requests += f.requests / seeds;
		all.outside = fmax(all.outside, f.outside);
		all.bound = fmax(all.bound, f.bound);
		all.below = fmax(all.below, f.below);
		if (f.steps > all.steps)
			all.steps = f.steps;
		all.wakes += f.wakes;
		all.falsetickers += f.falsetickers;
		all.set &= f.set;
		all.never &= f.never;
	}
	all.rms = sqrt(all.rms);
	all.freq = sqrt(all.freq);
	return all;
}

static const char *
time_text(double s, char text[static 16])
{
	if (s >= 1)
		snprintf(text, 16, "%.3g s", s);
	else if (s >= 1e-3)
		snprintf(text, 16, "%.3g ms", s * 1e3);
	else
		snprintf(text, 16, "%.3g us", s * 1e6);
	return text;
}

static int
complain(const char *name, const char *what, double is, double most)
{
	printf("    %s: %s is %g, promised %g\n", name, what, is, most);
	return 1;
}

static int
check(const struct scenario *s, const struct figures *f)
{
	int bad = 0;

	if (s->no_set && !f->never)
		return complain(s->name, "clock was set", 1, 0);
	if (s->no_set)
		return 0;
	if (!f->set)
		bad += complain(s->name, "never synchronised", 1, 0);
	if (s->rms_most > 0 && f->rms > s->rms_most)
		bad += complain(s->name, "rms", f->rms, s->rms_most);
	if (f->max > (s->max_most > 0 ? s->max_most : 10e-3) &&
	    s->reached_within == 0)
		bad += complain(s->name, "max", f->max, s->max_most > 0 ?
		    s->max_most : 10e-3);
	if (s->reached_within > 0 && f->below > s->reached_within)
		bad += complain(s->name, "s until below 1 ms", f->below,
		    s->reached_within);
	if (s->order_most > 0 && f->order > s->order_most)
		bad += complain(s->name, "frequency ordered", f->order,
		    s->order_most);
	if (s->all_true && f->falsetickers > 0)
		bad += complain(s->name, "falsetickers", f->falsetickers, 0);
	if (s->freq_most > 0 && f->freq > s->freq_most)
		bad += complain(s->name, "error of the frequency", f->freq,
		    s->freq_most);
	if (s->bound_most >= 0 && f->bound >
	    (s->bound_most > 0 ? s->bound_most : 3))
		bad += complain(s->name, "bound", f->bound, s->bound_most > 0 ?
		    s->bound_most : 3);
	if (!s->dishonest && f->outside > 0)
		bad += complain(s->name, "share outside of the bound",
		    f->outside, 0);
	return bad;
}

static bool
wanted(const char *name, char **names, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return n == 0;
}

int
main(int argc, char **argv)
{
	bool checking = false, each = false;
	int seeds = 3, first = 1, bad = 0, i, opt;
	char a[16], b[16], c[16];

	while ((opt = getopt(argc, argv, "cn:f:r")) != -1)
		switch (opt) {
		case 'c': checking = true; break;
		case 'n': seeds = atoi(optarg); break;
		case 'f': first = atoi(optarg); break;
		case 'r': each = true; break;
		default: return 2;
		}
	if (seeds < 1)
		return 2;
	printf("seeds %d to %d; rms over them, else the worst\n"
	    "%-10s %9s %9s %9s %9s %6s %6s %8s  %s\n", first,
	    first + seeds - 1, "scenario", "rms", "95 %", "max", "freq ppm",
	    "req/h", "bound", "outside", "what");
	for (i = 0; i < scenario_count; i++) {
		const struct scenario *s = &scenarios[i];
		struct figures f;

		if (!wanted(s->name, argv + optind, argc - optind))
			continue;
		f = run_all(s, first, seeds, each);
		printf("%-10s %9s %9s %9s %9.3g %6.1f %6.2f %8.2g  %s\n",
		    s->name, time_text(f.rms, a), time_text(f.p95, b),
		    time_text(f.max, c), f.freq * 1e6, f.requests, f.bound,
		    f.outside, s->about);
		if (checking)
			bad += check(s, &f);
	}
	if (checking)
		printf(bad ? "%d promises broken\n" : "all promises hold\n",
		    bad);
	return bad > 0;
}
