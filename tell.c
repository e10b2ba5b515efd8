/*
 * tell.c - what is told of the clock: to the log, in the status, to clients
 * and programs.
 *
 * This room decides nothing.  It puts into words and numbers what steer.c has
 * decided, and remembers what it has said.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tell.h"
#include "core/build.h"
#include "core/word.h"
#include "sys/log.h"
#include "sys/net.h"

/* s without an answer of theirs, after which the log says so: one that restarts,
 * or a link that comes up late, would have brought one by then. */
#define AUTHENTIC_LOST 60.0
/* Requests without a reply: some minutes of silence. */
enum { SILENT_TOLD = 8 };
/* s of silence after which a firewall is suspected: a server that is only
 * starting, or a link that comes up late, would have answered by then. */
#define FILTERED_AFTER 60.0
enum { FILTERED_LOST = 3 }; /* requests in a row: chance does not lose those */
/* s: if our bound is wider, no client should follow us, unless "ready within"
 * is wider still.  RFC 5905's MAXDIST is 1.5, which includes what the client
 * adds. */
#define SERVE_BOUND 1.0
/* The deepest stratum of a clock that is synchronised (RFC 5905 §7.3).  If the
 * server is that deep already, ours is the same, as OpenNTPD's. */
#define STRATUM_MOST 15
/* s: a stratum that does not grow cannot end a ring of servers that follow each
 * other at STRATUM_MOST.  The dispersion ends it: there it doubles and grows by
 * this with each server, and is too wide at the third. */
#define DEEP 0.25
/* The "ready within" that we advise, as a multiple of the present bound,
 * because the bound grows a little between two replies. */
#define READY_ROOM 1.25

static const char filtered_text[] =
    "no reply from any server; UDP 123 may be filtered";

/* ------------------------------------------------------- what is not well */

/* How many sources have an address, how many of them have ever sent anything,
 * how many answer, how many have been silent for long, and to how many the
 * requests go out but are lost. */
struct answering {
	int of, ever, heard, silent, lost;
};

static struct answering
who_answers(const struct steer *st)
{
	struct answering a = { 0 };
	int i;

	for (i = 0; i < st->sources; i++) {
		const struct source *s = &st->source[i];

		a.of += s->state != SOURCE_UNRESOLVED;
		a.ever += s->replies > 0 || s->said != SAID_ACCEPTED;
		a.heard += s->reach != 0;
		a.silent += s->silent >= SILENT_TOLD;
		a.lost += s->lost >= FILTERED_LOST && s->failed == 0;
	}
	return a;
}

/* Do servers that authenticate their replies say what the time is? */
static bool
is_authentic(const struct steer *st)
{
	return st->elected && st->kept == 0 && st->verdict.authentic;
}

/* Why they do not, although there are such. */
static const char *
unauthentic(const struct steer *st)
{
	for (int i = 0; i < st->sources; i++)
		if (st->source[i].authentic && st->source[i].reach != 0)
			return st->source[i].said == SAID_BOUND ?
			    "authenticated servers contradict the constraints" :
			    "authenticated servers disagree";
	return st->told.unauthentic;
}

/* Why there is no verdict, if no constraint is the reason. */
static const char *
undecided(const struct tell *t, const struct steer *st)
{
	const char *said = "no reply from any peer";
	int i;

	for (i = 0; i < st->sources; i++)
		if (st->source[i].said != SAID_ACCEPTED)
			said = word_at(source_words, st->source[i].said);
	return st->told.unauthentic[0] != '\0' ? st->told.unauthentic :
	    t->filtered ? filtered_text :
	    st->conf->servers == 0 ?
			      (st->sensors == 0 ? "no peers configured" :
						  "no good reading of a sensor") :
	    who_answers(st).of == 0   ? "no address known of any peer" :
					said;
}

/* Write why the time is not known: what is waited for, or what is wrong. */
static void
put_unknown(const struct tell *t, const struct steer *st,
    const struct instant *now, char *text, size_t size)
{
	const struct verdict *v = &st->verdict;
	double silent = seconds(now->raw - st->told.last_heard);

	if (st->told.waiting[0] != '\0')
		(void)snprintf(text, size, "%.256s%s%s", st->told.waiting,
		    st->told.unauthentic[0] != '\0' ? "; " : "",
		    st->told.unauthentic);
	else if (st->outside != 0)
		(void)snprintf(text, size,
		    "clock is off by about %.0fs by the constraints",
		    seconds(st->told.bound.ahead - (now->real - now->raw)));
	else if (st->kept == 0 && st->told.last_heard != 0 &&
	    silent > steer_patience(st))
		(void)snprintf(text, size, "no reply for %.0fs%s", silent,
		    t->filtered ? "; UDP 123 may be filtered" : "");
	else if (st->elected || st->kept != 0)
		(void)snprintf(text, size,
		    !st->far_said ? "clock is off by %.6fs" :
			st->always ?
			"clock is off by %.6fs, too far to slew: restart to set it" :
			"clock is off by %.6fs, too far to slew: restart with -s to set it",
		    seconds(discipline_offset(&st->disc, now)));
	else if (v->of > 0 && v->agree * 2 <= v->of)
		(void)snprintf(text, size, "no majority: %d of %d peers agree",
		    v->agree, v->of);
	else
		(void)snprintf(text, size, "no usable time: %s", undecided(t, st));
}

/* ------------------------------------------------------------------ the log */

/* Say whether the clock is synced.  If that changes often, say it rarely, and
 * then what is true at that moment. */
static void
tell_sync(struct tell *t, const struct steer *st, int64_t raw)
{
	struct said *s = &t->sync;

	if (t->gaps != st->gaps)
		said_well(s); /* the next change is told in any case */
	t->gaps = st->gaps;
	if (st->sync_text == NULL || !said_news(s, st->synced ? 1 : 2, raw))
		return;
	if (s->held == 0)
		log_line(LOG_CLASS_STATE, "%s", st->sync_text);
	else
		log_line(LOG_CLASS_STATE, "%s, after %u changes not told",
		    st->sync_text, s->held);
}

/* Nobody answers, although requests can be sent and the network works for DNS
 * or HTTPS.  Then a firewall is the likely reason, which nothing else would
 * tell the user.  Say so once, until a server is heard again. */
static void
tell_filtered(struct tell *t, const struct steer *st, int64_t raw)
{
	struct answering a = who_answers(st);
	int64_t last = st->told.last_heard;
	bool never = last == 0, was = t->filtered;

	t->filtered = a.heard == 0 && a.lost > 0 && !(never && a.ever > 0) &&
	    st->told.online > last &&
	    seconds(raw - (never ? st->told.first_sent : last)) >=
		FILTERED_AFTER;
	if (t->filtered && !was && !t->filtered_said) {
		t->filtered_said = true;
		log_line(LOG_CLASS_CLOCK, "%s", filtered_text);
	}
	if (a.heard > 0)
		t->filtered_said = false;
}

/* Say so when they have not for a while, and when they do again. */
static void
tell_authentic(struct tell *t, const struct steer *st, int64_t raw)
{
	bool is = is_authentic(st);
	int64_t since;

	if (is || st->authentics == 0)
		t->authentic_at = raw;
	if (st->authentics == 0) {
		said_well(&t->authentic);
		return;
	}
	since = t->authentic_at > st->began ? t->authentic_at : st->began;
	if (!is && raw < later(since, AUTHENTIC_LOST))
		return;
	if (said_news(&t->authentic, !is, raw))
		log_line(LOG_CLASS_CLOCK,
		    is ? "time is authenticated again" :
			"time is not authenticated: %s",
		    unauthentic(st));
}

/* Say once an hour what has been wrong for that long. */
static void
tell_still(struct tell *t, const struct steer *st, int64_t raw)
{
	struct answering a = who_answers(st);
	bool denied = st->clock->permission == CLOCK_DENIED ||
	    st->clock->permission == CLOCK_YIELDED;
	const char *waiting = st->told.waiting;
	bool lost = st->authentics > 0 && !is_authentic(st);
	double s;

	(void)said_news(&t->still,
	    !st->synced		    ? 1 :
		waiting[0] != '\0' ? 2 :
		denied		    ? 3 :
		lost		    ? 4 :
		a.silent > 0	    ? 5 :
				      0,
	    raw);
	if (!said_still(&t->still, raw, &s))
		return;
	log_line(t->still.state < 5 ? LOG_CLASS_STATE : LOG_CLASS_DEBUG,
	    "for %.0f h: clock %s, %d of %d peers give the time%s%s%s%s%s%s",
	    s / 3600,
	    st->synced ? "synced" : "unsynced", a.heard, a.of,
	    a.of == 0 ? ", no name resolved" : "",
	    st->synced || !st->far_said ? "" :
		st->always ? ", too far to slew: restart to set it" :
			     ", too far to slew: restart with -s to set it",
	    lost ? ", not authenticated" : "",
	    denied ? ", only measuring" : "", waiting[0] != '\0' ? "; " : "",
	    waiting);
}

/* The start is over, and the clock was not set.  OpenNTPD's words are used if
 * they are true: nobody has answered, and the clock will not be set.  With -s
 * the clock is set as soon as possible, and the line says what prevents it. */
static void
tell_missed(struct tell *t, const struct steer *st, const struct instant *now)
{
	struct answering a = who_answers(st);
	bool silent = a.of > 0 && a.ever == 0;
	bool later_on = st->always && !st->once &&
	    st->clock->permission == CLOCK_MAY;
	char why[480];

	if (!st->missed || t->missed)
		return;
	t->missed = true;
	put_unknown(t, st, now, why, sizeof why);
	if (silent &&
	    (st->always || st->conf->constraints > 0))
		log_line(LOG_CLASS_CLOCK,
		    st->once ?
			"no reply received in time" :
			later_on ?
			"no reply received in time: the clock will be set when the servers answer" :
			"no reply received in time, skipping initial time setting");
	else if (!silent && st->always &&
	    st->setting != SETTING_DONE) /* or it was set in this turn */
		log_line(LOG_CLASS_CLOCK,
		    st->once ? "clock neither set nor found right in time: %s" :
			later_on ? "clock is not set yet: %s" :
				   "skipping initial time setting: %s",
		    why);
}

void
tell_log(struct tell *t, const struct steer *st, const struct instant *now)
{
	tell_missed(t, st, now);
	tell_sync(t, st, now->raw);
	tell_filtered(t, st, now->raw);
	tell_authentic(t, st, now->raw);
	tell_still(t, st, now->raw);
}

/* ---------------------------------------------------------------- the status */

/* The stratum that clients are told, and that is shown. */
static uint8_t
told_stratum(const struct steer *st)
{
	return st->kept == 0 && st->verdict.stratum < STRATUM_MOST ?
	    st->verdict.stratum :
						   STRATUM_MOST;
}

static double
told_dispersion(const struct steer *st, double bound)
{
	/* Clients compute with half of the delay plus the dispersion, so these
	 * together must cover our whole bound, however it is divided. */
	double s = fmax(
	    st->verdict.root_dispersion, bound - st->verdict.root_delay / 2);

	return st->verdict.stratum > STRATUM_MOST ? DEEP + 2 * s : s;
}

static void
show_ready(const struct tell *t, const struct steer *st,
    const struct instant *now, struct status *s)
{
	char *out = s->not_ready;
	size_t size = sizeof s->not_ready;

	s->ready_within = st->conf->ready_within;
	s->ready = s->synced && s->bound < s->ready_within &&
	    s->permission != CLOCK_DENIED;
	if (s->ready)
		return;
	if (s->permission == CLOCK_DENIED)
		(void)snprintf(out, size, "only measuring: %s: %s",
		    strerror(st->clock->error), s->permission_text);
	else if (s->permission == CLOCK_YIELDED && !s->synced)
		(void)snprintf(out, size, "only measuring: %s",
		    s->permission_text);
	else if (s->synced && s->bound >= 1 &&
	    st->disc.distance - st->disc.path > s->bound / 2)
		(void)snprintf(out, size,
		    "error bound %.1fs, the servers' own: set \"ready within %.0f\"",
		    s->bound, ceil(s->bound * READY_ROOM));
	else if (s->synced)
		(void)snprintf(out, size, "error bound %.6fs exceeds %.6fs",
		    s->bound, s->ready_within);
	else
		put_unknown(t, st, now, out, size);
}

void
tell_status(const struct tell *t, const struct steer *st,
    const struct instant *now, struct status *s)
{
	char refid[ADDRESS_TEXT];

	s->real = now->real;
	s->uptime = seconds(now->raw - st->began);
	s->version = build_version;
	s->build = build_epoch;
	s->synced = st->synced;
	s->stratum = st->synced ? told_stratum(st) : 0;
	s->leap = st->synced ? st->disc.leap : LEAP_ALARM;
	s->by_https = st->synced && st->kept != 0;
	if (st->elected && st->kept == 0)
		(void)snprintf(s->refid, sizeof s->refid, "%s",
		    steer_name(steer_source(st, st->verdict.system), refid));
	s->offset = seconds(discipline_offset(&st->disc, now));
	s->bound = discipline_bound(&st->disc, now);
	s->freq = st->disc.freq;
	s->freq_sd = st->disc.freq_sd;
	s->root_delay = st->kept != 0 ? 0 : st->verdict.root_delay;
	s->root_dispersion = st->kept != 0 ? s->bound :
	    st->synced			   ? told_dispersion(st, s->bound) : 0;
	s->last_sync = st->last_sync;
	s->steps = st->clock->steps;
	s->foreign_sets = st->disruptions[DISRUPTION_SET];
	memcpy(s->disruptions, st->disruptions, sizeof s->disruptions);
	s->filtered = t->filtered;
	s->authentics = st->authentics;
	s->authentic = is_authentic(st);
	s->unauthentic =
	    st->authentics == 0 || s->authentic ? "" : unauthentic(st);
	s->foreign_writes = st->clock->rival.seen;
	s->last_step = st->last_step;
	s->permission = st->clock->permission;
	(void)snprintf(s->permission_text, sizeof s->permission_text, "%s",
	    s->permission == CLOCK_MEASURE ? "measure only (-x)" :
		s->permission == CLOCK_MAY ? "" :
					     st->clock->remedy);
	show_ready(t, st, now, s);
}

/* --------------------------------------------------------------- the clients */

/* The least power of two, as its exponent, that is not below x > 0. */
static int8_t
log2_above(double x)
{
	int exponent;

	return (int8_t)(frexp(x, &exponent) == 0.5 ? exponent - 1 : exponent);
}

void
tell_clients(
    const struct steer *st, const struct instant *now, struct serving *out)
{
	double bound = discipline_bound(&st->disc, now);
	double dispersion = told_dispersion(st, bound);
	double most = fmax(SERVE_BOUND, st->conf->ready_within);
	bool deep = st->verdict.stratum > STRATUM_MOST;

	*out = (struct serving){
		.precision = log2_above(st->clock->precision),
		.leap = LEAP_ALARM, .raw = now->raw, .reference = st->last_sync,
	};
	/* What constraints keep is for this machine alone. */
	if (!st->synced || st->kept != 0 || bound > most ||
	    (deep && dispersion > most))
		return;
	out->leap = st->verdict.leap;
	out->stratum = told_stratum(st);
	out->refid = st->verdict.refid;
	out->root_delay = st->verdict.root_delay;
	out->root_dispersion = dispersion;
	out->growth = discipline_growth(&st->disc);
}

/* -------------------------------------------------------------- the programs */

/* What programs of this machine are told of the clock.  While somebody else
 * steers it, we do not know how it will run until the next promise.  Without
 * replies the bound holds and grows, if the clock was right before and no
 * constraint contradicts it. */
static enum clockbound_status
promised(const struct steer *st)
{
	return st->clock->permission != CLOCK_MAY ? CLOCKBOUND_UNKNOWN :
	    st->synced				  ? CLOCKBOUND_SYNCHRONIZED :
	    st->disrupted != 0			  ? CLOCKBOUND_DISRUPTED :
	    !st->disc.have && st->warm		  ? CLOCKBOUND_KEPT :
	    st->right_at != 0 && st->outside == 0 ? CLOCKBOUND_FREE_RUNNING :
						    CLOCKBOUND_UNKNOWN;
}

void
tell_programs(const struct steer *st, const struct instant *now,
    struct clockbound_promise *p)
{
	p->status = promised(st);
	p->bound = discipline_bound(&st->disc, now);
	/* What the frequency may change by grows with time.  This is the secant
	 * of what comes of it until the promise is void. */
	p->growth = discipline_growth(&st->disc) + FREQ_AGING *
		(2 * seconds(now->raw - st->disc.heard) + CLOCKBOUND_VALID);
	p->marker = 0;
	for (int i = 0; i < DISRUPTIONS; i++)
		p->marker += st->disruptions[i];
}
