/*
 * source.c - one server: when to ask it, whether to believe a reply, and what
 * its recent samples say.
 *
 * A reply is checked as RFC 5905 §8 says.  The first check is whether it
 * answers our request at all: it must come to the connected socket of that
 * request and return its 64 random bits.  A datagram that fails a check leaves
 * the request waiting, so that forged ones cost nothing to the good reply that
 * follows them.
 *
 * Two things differ from RFC 5905.  A request does not contain the local time,
 * but a random transmit stamp.  And the arithmetic with the four stamps is
 * done on CLOCK_MONOTONIC_RAW, so that no step and no slew of the system clock
 * ever touches a sample.
 */
#include <math.h>
#include <string.h>

#include "core/source.h"

#define BURST 4	      /* quick exchanges at start: enough for trust */
#define BURST_GAP 2.0 /* s between them */
#define NUDGE_GAP 1.0 /* s: no nudge, nor anything else, asks sooner again */
/* This part of an interval is added at random.  A fleet of machines must not
 * march in step, nor ask sooner than the interval. */
#define JITTER 0.01
/* A request may come sooner by this part of the interval if that saves a
 * wake-up. */
#define EARLY 0.25
/* This part of the wait is taken away at random where a single server does not
 * answer, because many machines may have started together.  Several servers
 * are spread by their phase instead. */
#define RETRY_JITTER 0.1
#define WAIT 4.0       /* s for a reply; a later one says nothing useful */
#define WAIT_START 2.0 /* s: the same while starting, */
#define WAIT_LONG 8.0  /* s: and at every third request, if replies are late */
#define RETRY 20.0     /* s after a lost reply; doubles up to the interval */
#define DELAYED 15.0 /* s: the wait for a descriptor or buffer */
#define RATE_LEAST 128.0 /* s: interval after kiss code RATE (RFC 5905 §7.4) */
#define RATE_MOST 2048.0 /* s: packets must not make an idle hour */
#define RATE_FORGET 8	 /* good replies, after which it is asked faster */
#define ROOT_MOST 16.0	 /* s: MAXDISP of RFC 5905 §7.2, unless "maxdistance" */
#define RESORT_AGE 60.0	 /* s: a refused reply that is older says nothing */
#define RESORT_FREQ 100e-6 /* ratio: it says nothing of the frequency */
#define DELAY_MOST 8.0	 /* s: a longer round trip is no reading of a clock */
/* In 2^-32 s: one microsecond.  Servers fill the bits below their precision at
 * random (RFC 5905 §6), so that a fast one may transmit "before" it has
 * received. */
#define STAMP_FUZZ 4295
#define PHI 15e-6	     /* ratio: of any oscillator, RFC 5905 §7.2 */
#define OVERDUE 1.5	     /* intervals: a reply that is older is missing */
#define DELAY_SLACK 1e-6     /* s: two clocks may round so on a short path */
#define DOUBTED 8	 /* polls as a falseticker: another may do better */
/* s: after QUICK_MOST of them, intervals below the shortest one come once in
 * so many of that.  Learning a clock takes twenty, and a jump as many.  One that
 * no filter can follow would take 43 200 a day. */
#define QUICK_EVERY 2
/* s: the longest time between tries of an address that cannot be reached and
 * never answered. */
#define UNHEARD_MOST 1024.0

/* Requests in a row that may ask about the same reply.  RFC 9769 §2 wants a
 * limit, since what they measure is as old as that reply. */
#define WEAVE_MOST 4

/* A server that does not answer is sent ASK_MOST requests at once, then one in
 * ASK_EVERY.  That makes fifteen in the first 300 s, whatever hurries them. */
enum {
	START_QUICK = 3,  /* lost requests are repeated at once */
	ASK_MOST = 9,	  /* requests at once, to one that does not answer */
	QUICK_MOST = 64,  /* see QUICK_EVERY */
	FAILED_MOVE = 8	  /* failures (some minutes): leave the address */
};

/* In the order of enum source_said. */
const char source_words[] =
    "accepted\0"
    "short\0"
    "origin\0"
    "duplicate\0"
    "mode\0"
    "version\0"
    "kiss RATE\0"
    "kiss DENY\0"
    "KoD\0"
    "alarm\0"
    "stratum\0"
    "timestamps\0"
    "delay\0"
    "root distance\0"
    "date before the build\0"
    "constraint check failed\0"
    "this daemon itself\0"
    "follows us\0"
    "outside of its certificate's dates";

static double
jittered(double seconds, double random)
{
	return seconds * (1 + JITTER * random);
}

/* The shortest and the longest interval: what the line asks for, and the
 * server's own wish to be asked less. */
static double
interval_least(const struct source *s)
{
	return fmax(s->poll_least > 0 ? s->poll_least : SOURCE_POLL_LEAST,
	    s->slowest);
}

static double
interval_most(const struct source *s)
{
	return fmax(s->poll_most > 0 ? s->poll_most : SOURCE_POLL_MOST,
	    interval_least(s));
}

void
source_limit(struct source *s)
{
	double least = interval_least(s), most = interval_most(s);

	if (s->burst > 0) /* its quick interval is not meant */
		return;
	s->interval = fmax(least, fmin(most, s->interval));
	if (s->state == SOURCE_IDLE && s->silent == 0 && s->sent != 0)
		s->due = sooner(s->due, later(s->sent, most));
}

void
source_start(struct source *s, const struct address *address, int64_t raw,
    double delay, double freq, double freq_sd)
{
	s->address = *address;
	s->state = SOURCE_IDLE;
	s->due = later(raw, delay);
	s->first_sent = s->sent = 0;
	s->nonce = 0;
	s->interval = BURST_GAP;
	s->slowest = 0;
	s->burst = BURST;
	s->patient = s->silent = s->failed = s->jitter_head = s->doubted = 0;
	s->reach = 0;
	s->trust = TRUST_START;
	s->unreachable = s->loops = s->far_said = s->named = s->woven = false;
	s->said = SAID_ACCEPTED;
	s->selected = SELECT_NONE;
	memset(&s->last, 0, sizeof s->last);
	memset(&s->sample, 0, sizeof s->sample);
	memset(&s->far, 0, sizeof s->far);
	filter_reset(&s->filter, freq, freq_sd);
}

/* The least time between requests to a server that does not answer, s. */
static double
ask_every(const struct source *s)
{
	return pace_crowded(s->crowd, ASK_EVERY, CROWD_EVERY);
}

/* Seconds between requests while starting, after the first quick ones.  The
 * servers of a crowd take turns, so that one of them is asked soon after the
 * network is back. */
static double
start_gap(const struct source *s, double random)
{
	int n = s->crowd > 1 ? s->crowd : 1;
	double gap = s->silent < START_TRIES ?
	    fmin(RETRY_START * n, ask_every(s)) :
	    pace_crowded(n, RETRY_LATER, CROWD_EVERY);

	if (s->silent == START_QUICK + 1)
		return gap * s->phase;
	return gap * (1 - (n > 1 ? JITTER : RETRY_JITTER) * random);
}

/* Raw time of the next try after "silent" lost requests. */
static int64_t
retry_at(const struct source *s, int64_t raw, bool starting, double random)
{
	int n = s->silent < 6 ? s->silent : 6;
	int64_t at;

	if (!starting)
		/* A burst that never came to its end has left its quick
		 * interval, which is too short here. */
		return later(raw,
		    jittered(fmin(fmax(s->interval, interval_least(s)),
				 RETRY * (double)(1 << n) / 2),
			random));
	if (s->silent <= START_QUICK)
		return later(raw, s->silent < START_QUICK ? 0 : 1);
	at = later(s->sent, start_gap(s, random));
	return at > raw ? at : raw;
}

/* Has it been asked too often without an answer?  Then it waits.  In a crowd
 * each one waits a bit longer than the one before it, so that one of them is
 * asked soon whenever the network is back. */
static bool
is_hurried(struct source *s, int64_t raw, double random)
{
	double every = ask_every(s);
	int64_t next = pace_next(&s->pace, ASK_MOST, every);

	if (raw >= next)
		return false;
	s->due = later(
	    next, every * (s->crowd > 1 ? s->phase : RETRY_JITTER * random));
	return true;
}

enum source_want
source_turn(struct source *s, int64_t raw, bool starting, double random)
{
	if (s->state == SOURCE_UNRESOLVED || s->state == SOURCE_STOPPED ||
	    raw < s->due)
		return WANT_NOTHING;
	if (s->state == SOURCE_IDLE)
		return is_hurried(s, raw, random) ? WANT_NOTHING : WANT_SEND;
	s->state = SOURCE_IDLE;
	s->silent++;
	s->lost++;
	s->reach = (uint8_t)(s->reach << 1);
	if (s->silent >= SILENT_MOVE && s->trust >= TRUST_VALID)
		s->trust /= 2;
	s->due = retry_at(s, raw, starting, random);
	return WANT_TIMEOUT;
}

void
source_query(const struct source *s, uint64_t nonce, uint8_t out[static NTP_SIZE])
{
	ntp_query(nonce, out);
	if (!s->interleaved || s->burst > 0 || s->silent >= WEAVE_MOST ||
	    s->last.receive == 0)
		return;
	ntp_put(out, NTP_ORIGIN, s->last.receive);
	/* The origin of the reply is this value or the nonce, which tells its
	 * mode. */
	ntp_put(out, NTP_RECEIVE, ~nonce);
}

void
source_sent(struct source *s, int64_t raw, uint64_t nonce, bool starting)
{
	double wait = !starting ? WAIT :
	    s->silent % 3 == 2	? WAIT_LONG :
				  WAIT_START;

	s->state = SOURCE_WAITING;
	s->sent = raw;
	if (s->first_sent == 0)
		s->first_sent = raw;
	s->nonce = nonce;
	s->due = later(raw, wait);
	s->unreachable = s->explained = false;
	s->requests++;
	if (s->selected == SELECT_FALSE || s->said == SAID_BOUND ||
	    s->said == SAID_DATES)
		s->doubted++;
	else if (s->selected != SELECT_NONE) /* no majority: says nothing */
		s->doubted = 0;
	pace_take(&s->pace, raw, ask_every(s));
}

double
source_retry(const struct source *s, bool starting)
{
	double wait = (double)(1 << (s->silent < 10 ? s->silent : 10));
	double most = s->last.stratum == 0 ? UNHEARD_MOST : s->interval;

	if (starting)
		most = s->silent < 2 * START_TRIES ?
		    RETRY_START :
		    pace_crowded(s->crowd, RETRY_LATER, CROWD_EVERY);
	return fmin(wait, starting ? most : fmax(most, SOURCE_POLL_LEAST));
}

void
source_failed(struct source *s, int64_t raw, bool starting, double random)
{
	s->state = SOURCE_IDLE;
	s->silent++;
	s->failed++;
	/* A cable or a moment without a route is no reason to leave an address
	 * that worked, nor to forget what its filter learnt. */
	s->unreachable = s->last.stratum == 0 || s->failed >= FAILED_MOVE;
	s->reach = (uint8_t)(s->reach << 1);
	s->due = later(raw, jittered(source_retry(s, starting), random));
}

void
source_delayed(struct source *s, int64_t raw, double random)
{
	s->state = SOURCE_IDLE;
	s->due = later(raw, jittered(DELAYED, random));
}

/* Raw time from which on it may be asked again.  On another host the raw clock may
 * even have gone back. */
static int64_t
soon(const struct source *s, int64_t raw)
{
	int64_t at = later(s->sent, NUDGE_GAP);

	return s->sent != 0 && raw >= s->sent && raw < at ? at : raw;
}

void
source_waits(struct source *s, int64_t due)
{
	if (s->state == SOURCE_WAITING)
		s->state = SOURCE_IDLE;
	if (s->state == SOURCE_IDLE)
		s->due = soon(s, due);
}

/* It is not asked again until its name has been looked up anew. */
static void
stop(struct source *s)
{
	s->state = SOURCE_STOPPED;
	s->denied++;
	s->due = NEVER;
	s->reach = 0;
	s->trust = TRUST_START;
}

/* A kiss-o'-death (RFC 5905 §7.4) that answers this very request. */
static enum source_said
kissed(struct source *s, const struct ntp_packet *p, int64_t raw, double random)
{
	if (p->refid == 0x52415445) { /* RATE */
		s->slowest = fmax(RATE_LEAST,
		    fmin(RATE_MOST, 2 * fmax(s->interval, s->slowest)));
		s->patient = 0;
		s->interval = fmax(s->interval, s->slowest);
		s->burst = 0;
		s->state = SOURCE_IDLE;
		s->due = later(raw, jittered(s->interval, random));
		return SAID_RATE;
	}
	if (p->refid == 0x44454e59 || p->refid == 0x52535452) { /* DENY RSTR */
		stop(s);
		return SAID_DENY;
	}
	/* The stratum of a server that is not synchronised is 0 as well. */
	return p->leap == LEAP_ALARM ? SAID_ALARM : SAID_KISS;
}

double
source_distance_most(const struct source *s)
{
	return s->distance_most > 0 ? s->distance_most : ROOT_MOST;
}

/* Everything that can be wrong with a reply to our request, before its time is
 * looked at.  "of" is the reply whose time it tells. */
static enum source_said
check_header(const struct source *s, const struct ntp_packet *p,
    const struct ntp_packet *of)
{
	if (p->mode != MODE_SERVER)
		return SAID_MODE;
	if (p->version < 1 || p->version > 4)
		return SAID_VERSION;
	if (p->stratum == 0)
		return SAID_KISS;
	if (p->leap == LEAP_ALARM)
		return SAID_ALARM;
	if (p->stratum > 15)
		return SAID_STRATUM;
	if (of->receive == 0 || of->transmit == 0 ||
	    (int64_t)(of->transmit - of->receive) < -STAMP_FUZZ)
		return SAID_STAMPS;
	if (p->root_delay / 2 + p->root_dispersion >= source_distance_most(s))
		return SAID_ROOT;
	return SAID_ACCEPTED;
}

/* Does the server follow us? (The reference id of a stratum 1 server is not an
 * address, but four letters such as "GPS".) */
static bool
is_loop(const struct ntp_packet *p, const struct judgement *j)
{
	for (int i = 0; i < j->count && p->stratum > 1; i++)
		if (p->refid == j->ours[i])
			return true;
	return false;
}

/* A good answer that is not believed ends the exchange.  The server may do
 * better at the next one. */
static void
disbelieve(struct source *s, int64_t raw, double random)
{
	s->state = SOURCE_IDLE;
	s->reach = (uint8_t)(s->reach << 1);
	s->interval = fmax(s->interval, interval_least(s));
	s->due = later(raw, jittered(s->interval, random));
}

/* The offset and delay of RFC 5905 §8, made of the four stamps on the raw
 * axis.  Points in time are whole ns. */
static enum source_said
measure(const struct ntp_packet *p, const struct stamps *t,
    const struct judgement *j, struct sample *out)
{
	int64_t received = ntp_to_real(p->receive, j->pivot);
	int64_t transmitted = ntp_to_real(p->transmit, j->pivot);
	int64_t held = transmitted - received, trip = t->got - t->sent;

	if (received < j->bound->earliest)
		return SAID_BUILD;
	out->delay = (double)(trip - held) / (double)NS_PER_S;
	if (out->delay < -(DELAY_SLACK + 2 * t->precision) ||
	    out->delay > DELAY_MOST)
		return SAID_DELAY;
	out->delay = fmax(out->delay, t->precision);
	out->raw = t->sent + trip / 2;
	out->ahead = received + held / 2 - out->raw;
	out->error = p->root_delay / 2 + p->root_dispersion;
	out->precision = t->precision +
	    (p->precision < 0 && p->precision > -32 ? ldexp(1, p->precision) :
						      0);
	return SAID_ACCEPTED;
}

/* An exchange has ended with an answer: set the time of the next one. */
static void
schedule(struct source *s, int64_t raw, double random)
{
	double least = interval_least(s), most = interval_most(s);

	if (s->burst > 0)
		s->burst--;
	/* A filter that knows little, or has met a strange sample, wants short
	 * intervals, but that is not for a server that asked for longer ones. */
	s->interval = fmax(s->slowest,
	    s->burst > 0 ?
		BURST_GAP :
		filter_interval(&s->filter, s->interval, least, most));
	if (s->burst == 0 && s->interval < least &&
	    !pace_may(&s->quick, raw, QUICK_MOST, QUICK_EVERY * least))
		s->interval = least;
	s->due = later(raw, jittered(s->interval, random));
}

/* A datagram, as far as it could be read and measured. */
struct reply {
	bool whole, woven;
	struct ntp_packet p;
	struct sample sample;
};

/* The certificates hold at no other time, so they cannot prove one. */
static bool
is_undated(const struct sample *m, const struct judgement *j)
{
	int64_t when = (m->raw + m->ahead) / NS_PER_S;

	return j->until != 0 && (when < j->from || when > j->until);
}

/* What a datagram is worth, in the words of source_reply. r->sample is filled
 * if it got that far.  A reply of interleaved mode tells when the last one
 * really left, so what is measured is the exchange of that one. */
static enum source_said
judge(struct source *s, struct reply *r, const struct stamps *t,
    const struct judgement *j)
{
	const struct ntp_packet *p = &r->p;
	struct ntp_packet of = r->p;
	enum source_said said, measured;

	r->woven = p->origin == ~s->nonce;
	if (r->woven) {
		of = s->last;
		of.transmit = p->transmit;
	}
	if (!r->whole)
		said = SAID_SHORT;
	else if (s->state != SOURCE_WAITING)
		said = SAID_DUPLICATE;
	else if (p->origin != s->nonce && !r->woven)
		said = SAID_ORIGIN;
	else
		said = check_header(s, p, &of);
	if (said == SAID_KISS)
		said = kissed(s, p, t->got, j->random);
	if (said != SAID_ACCEPTED && said != SAID_ROOT)
		return said;
	measured = measure(&of, r->woven ? &s->at : t, j, &r->sample);
	if (measured != SAID_ACCEPTED)
		return measured;
	if (is_loop(p, j)) {
		said = SAID_LOOP;
		s->loops = true;
		s->trust = TRUST_START;
	} else if (is_undated(&r->sample, j))
		said = SAID_DATES;
	else if (!s->trusted &&
	    bound_check(j->bound, r->sample.raw, r->sample.ahead) ==
		BOUND_BROKEN)
		said = SAID_BOUND;
	else
		return said;
	disbelieve(s, t->got, j->random);
	return said;
}

/* A good answer: count it, and learn from it.  Of an exchange that was measured
 * in basic mode nothing more is learnt, or it would count twice. */
static void
accept(struct source *s, const struct sample *sample, const struct stamps *t,
    double random)
{
	s->replies++;
	s->said = SAID_ACCEPTED;
	s->state = SOURCE_IDLE;
	s->silent = s->failed = s->denied = s->moves = s->lost = 0;
	s->pace.full = 0;
	s->loops = false;
	s->far.raw = 0;
	s->far_said = false;
	s->reach = (uint8_t)(s->reach << 1 | 1);
	if (s->trust < TRUST_MAX)
		s->trust++;
	s->at = *t;
	if (!s->woven || sample->raw != s->sample.raw) {
		s->sample = *sample;
		s->recent_delay[s->jitter_head++ % SOURCE_RECENT] =
		    sample->delay;
		if (filter_learn(&s->filter, sample) == FILTER_USED)
			s->learnt = sample->raw;
	}
	schedule(s, t->got, random);
}

void
source_sensed(struct source *s, const struct sample *sample, double random)
{
	s->requests++;
	if (s->first_sent == 0)
		s->first_sent = sample->raw;
	s->last.root_dispersion = sample->error;
	accept(s, sample, &(struct stamps){ .got = sample->raw }, random);
}

void
source_unsensed(struct source *s, enum source_said said, int64_t raw)
{
	s->requests++;
	s->said = said;
	s->silent++;
	s->reach = (uint8_t)(s->reach << 1);
	s->interval = fmin(2 * s->interval, interval_most(s));
	s->due = later(raw, s->interval);
}

enum source_said
source_reply(struct source *s, const uint8_t *bytes, size_t size,
    const struct stamps *t, const struct judgement *j)
{
	struct reply r = { 0 };
	enum source_said said;

	r.whole = ntp_parse(bytes, size, &r.p);
	said = judge(s, &r, t, j);
	if (said != SAID_ORIGIN && said != SAID_DUPLICATE)
		s->said = said;
	s->explained |= said != SAID_ORIGIN && said != SAID_DUPLICATE &&
	    said != SAID_SHORT;
	if (said != SAID_ACCEPTED) {
		s->refused = said == SAID_STRATUM ? r.p.stratum :
		    said == SAID_ROOT		  ? r.sample.error :
						    r.sample.delay;
		s->rejected[said]++;
		if (said == SAID_ROOT) { /* it may be better than nothing */
			s->far = r.sample;
			if (s->filter.samples == 0) {
				s->last = r.p;
				s->last.receive = 0;
			}
		}
		return said;
	}
	if (s->slowest > 0 && ++s->patient >= RATE_FORGET) {
		s->patient = 0;
		s->slowest = s->slowest > RATE_LEAST ? s->slowest / 2 : 0;
	}
	s->last = r.p;
	s->woven = r.woven;
	accept(s, &r.sample, t, j->random);
	return SAID_ACCEPTED;
}

bool
source_self(struct source *s)
{
	bool news = s->denied == 0;

	stop(s);
	s->said = SAID_SELF;
	s->rejected[SAID_SELF]++;
	return news;
}

/* How far the estimate is outside of the newest sample's own interval, s.
 * That interval holds the truth if the server is honest, whatever the filter
 * still thinks. */
static double
beside(const struct source *s, const struct estimate *e)
{
	double age = (double)(e->raw - s->sample.raw) * 1e-9;
	double apart =
	    (double)(e->ahead - s->sample.ahead) * 1e-9 - e->freq * age;
	double half = (s->sample.delay - filter_least(&s->filter)) / 2;

	return fmax(0, fabs(apart) - half);
}

/* Two things make the interval wider although the path is the same: the least
 * delay may not be the least one yet, and while replies are missing, our
 * oscillator may do what it likes. */
static double
doubt(const struct source *s, const struct estimate *e)
{
	double age = (double)(e->raw - s->at.got) * 1e-9;

	return filter_spread(&s->filter) / 2 +
	    PHI * fmax(0, age - OVERDUE * s->interval);
}

bool
source_candidate(const struct source *s, int64_t raw, struct candidate *c)
{
	struct estimate e;

	if (s->reach == 0 || s->loops || s->state == SOURCE_STOPPED ||
	    !filter_estimate(&s->filter, raw, &e))
		return false;
	memset(c, 0, sizeof *c);
	c->raw = e.raw;
	c->ahead = e.ahead;
	c->heard = s->learnt;
	c->sd = e.sd;
	c->freq = e.freq;
	c->freq_sd = e.freq_sd;
	c->delay = filter_least(&s->filter);
	c->path = c->delay / 2 + 2 * e.sd;
	c->distance = c->path + beside(s, &e) + s->sample.error;
	if (s->device != NULL) /* it has no other way to the true time */
		c->path += s->sample.error;
	c->doubt = doubt(s, &e);
	c->root_delay = s->last.root_delay;
	c->root_dispersion = s->last.root_dispersion;
	c->weight = s->weight;
	c->trusted = s->trusted;
	c->authentic = s->authentic;
	c->follows = s->follows;
	c->stratum = s->last.stratum;
	c->leap = s->last.leap;
	c->samples = s->filter.samples;
	return isfinite(c->distance + c->doubt + c->freq + c->freq_sd);
}

bool
source_resort(const struct source *s, int64_t raw, struct candidate *c)
{
	if (s->far.raw == 0 || s->loops || s->state == SOURCE_STOPPED ||
	    raw > later(s->far.raw, RESORT_AGE))
		return false;
	*c = (struct candidate){
		.raw = raw,
		.ahead = s->far.ahead,
		.heard = s->far.raw,
		.sd = s->far.precision,
		.freq_sd = RESORT_FREQ,
		.delay = s->far.delay,
		.path = s->far.delay / 2,
		.distance = s->far.delay / 2 + s->far.error,
		.root_delay = s->last.root_delay,
		.root_dispersion = s->last.root_dispersion,
		.weight = s->weight,
		.trusted = s->trusted,
		.authentic = s->authentic,
		.stratum = s->last.stratum,
		.leap = s->last.leap,
		.samples = 1,
	};
	return true;
}

void
source_forget(struct source *s, int64_t raw, double freq, double freq_sd)
{
	if (s->state == SOURCE_UNRESOLVED || s->state == SOURCE_STOPPED)
		return;
	filter_reset(&s->filter, freq, freq_sd);
	s->far.raw = 0;
	s->last.receive = 0; /* its stamps are void, too */
	s->state = SOURCE_IDLE;
	s->burst = BURST;
	s->interval = BURST_GAP;
	s->silent = s->failed = 0;
	s->pace.full = 0; /* the network may be another one */
	s->reach = 0;
	s->jitter_head = 0;
	s->due = soon(s, raw);
}

void
source_hurry(struct source *s, int64_t raw)
{
	if (s->state == SOURCE_UNRESOLVED || s->state == SOURCE_STOPPED)
		return;
	/* It is asked no faster than at the start, however often the clock is
	 * set. */
	s->due = raw;
	if (s->sent != 0 && raw < later(s->sent, BURST_GAP))
		s->due = later(s->sent, BURST_GAP);
	s->state = SOURCE_IDLE;
	s->burst = BURST / 2;
	s->silent = s->failed = 0;
}

void
source_early(struct source *s, int64_t raw)
{
	double least = fmax((1 - EARLY) * s->interval, interval_least(s));

	if (s->state == SOURCE_IDLE && s->silent == 0 && s->burst == 0 &&
	    s->sent != 0 && raw < s->due && raw >= later(s->sent, least))
		s->due = raw;
}

double
source_spent(const struct source *s, int64_t raw)
{
	return (double)(s->pace.full - raw) * 1e-9 / ask_every(s);
}

void
source_renew(struct source *s)
{
	s->pace.full = 0;
}

void
source_nudge(struct source *s, int64_t raw)
{
	if ((s->state != SOURCE_IDLE && s->state != SOURCE_WAITING) ||
	    s->silent == 0)
		return;
	s->silent = s->failed = 0;
	s->last.receive = 0; /* it may be hours old, which silent told */
	s->due = sooner(s->due, soon(s, raw));
}

bool
source_resume(struct source *s, int64_t raw, double freq, double freq_sd)
{
	struct address same_one = s->address;

	if (s->state != SOURCE_STOPPED)
		return false;
	/* The lookup may have begun before the server said that. */
	source_start(s, &same_one, soon(s, raw), 0, freq, freq_sd);
	return true;
}

void
source_leapt(struct source *s, int64_t ns)
{
	filter_shift(&s->filter, ns);
	s->sample.ahead += ns;
	s->last.leap = LEAP_NONE;
	s->last.receive = 0; /* it was before the leap second */
}

double
source_jitter(const struct source *s)
{
	int n = s->jitter_head < SOURCE_RECENT ? s->jitter_head : SOURCE_RECENT;
	double least = HUGE_VAL, sum = 0;

	for (int i = 0; i < n; i++)
		least = fmin(least, s->recent_delay[i]);
	for (int i = 0; i < n; i++)
		sum +=
		    (s->recent_delay[i] - least) * (s->recent_delay[i] - least);
	return n ? sqrt(sum / n) : 0;
}

bool
source_valid(const struct source *s)
{
	return s->trust >= TRUST_VALID;
}

bool
source_doubted(const struct source *s)
{
	return s->doubted >= DOUBTED;
}

void
source_move(struct source *s, const struct address *to, int of, int64_t due,
    double freq, double freq_sd)
{
	int silent = s->silent, failed = s->failed;

	if (s->moves++ < of)
		s->pace.full = 0;
	source_start(s, to, due, 0, freq, freq_sd);
	s->silent = silent;
	s->failed = failed;
	s->denied = 0;
}
