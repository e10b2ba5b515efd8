/*
 * steer.c - from samples to the kernel clock: holds the election, decides the
 * set at start and the answer to a disruption, passes orders on, keeps the
 * drift file; with what is worth a line of log.
 *
 * What the servers together mean is select.c's business, what the kernel is
 * told discipline.c's, how it is told clock.c's.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "steer.h"
#include "clock.h"
#include "core/address.h"
#include "core/calendar.h"
#include "core/calm.h"
#include "core/conf.h"
#include "core/confidence.h"
#include "core/constraint.h"
#include "core/discipline.h"
#include "core/filter.h"
#include "core/instant.h"
#include "core/ntp.h"
#include "core/select.h"
#include "core/source.h"
#include "daemon.h"
#include "constraints.h"
#include "peers.h"
#include "serve/status.h"
#include "sys/instant.h"
#include "sys/log.h"
#include "sys/net.h"
#include "sys/refid.h"
#include "sys/sandbox.h"
#include "sys/state.h"

#define AUTO_LEAST 60.0	      /* s: OpenNTPD's automatic rule sets from here */
#define SLEW_MOST 600.0	      /* s: larger offsets are not slewed for days */
#define LOG_OFFSET 0.032      /* s: OpenNTPD's LOG_NEGLIGIBLE_ADJTIME */
#define LOG_FREQ 0.05e-6      /* ratio: its LOG_NEGLIGIBLE_ADJFREQ */
#define LOG_OFFSET_EVERY 60.0 /* s between lines that say the same */
#define LOG_FREQ_EVERY 1800.0 /* s between such lines */
#define SYNCED_WITHIN 1e-3    /* s, plus the path: within it we become synced */
/* s, plus the path: beyond it we are synced no longer (RFC 5905's step
 * threshold). */
#define UNSYNCED_BEYOND 0.128
#define SILENT_POLLS 3	  /* longest polls without any reply: unsynced */
#define SILENT_LEAST 60.0 /* s, where polls are short: retries first */
/* s: a jump of real against raw that no slew of ours explains. */
#define FOREIGN_LEAST 0.1
#define SLEW_RATE 0.15 /* of ours, at most, with a margin */
/* Ratio: what else may move the clock than our last orders, where the kernel tells
 * of steps. */
#define TOLD_RATE 1e-4
#define STEP_EVERY 60.0	       /* s between steps; doubles, at most an hour */
#define DRIFT_EVERY 3600.0     /* s between writes of the drift file */
#define DRIFT_CHANGE 0.01e-6   /* ratio worth writing */
#define DRIFT_SD 1e-6	       /* frequency known to this is worth writing */
#define DAY (86400 * NS_PER_S) /* of UTC, without its leap second */
#define LEAP_WITHIN 0.5	       /* s: a jump this close to a second is one */
/* s at start that a server whose root is near enough is waited for. */
#define FAR_WAIT 5.0
/* s that a common jump of all servers must last before the clock follows it: a
 * path that lies, or a provider's fault, seldom stays so for minutes. */
#define JUMP_WAIT 300.0
/* s without a verdict, or so many polls of the system source if that is longer:
 * from then on nobody is believed any longer. */
#define HOLD_AFTER 600.0
#define HOLD_POLLS 3.0
/* s: constraints that were asked anew so short a time ago vouch for a set. */
#define ANEW_WITHIN 900.0
/* Ratio: two records of a frequency beyond FREQ_USUAL that agree so well are two
 * witnesses of it. */
#define WITNESS_WITHIN 100e-6

enum { SILENT_TOLD = 8 }; /* requests without reply: some minutes of silence */

/* -------------------------------------------------------------- the verdict */

/* Sources that stand for election, and how many could have. */
struct electorate {
	int n;	      /* candidates */
	int counted;  /* sources that can be asked */
	int fresh;    /* of those: heard since the disruption */
	int broken;   /* outside of the constraint */
	int sound;    /* candidates whose last reply was inside */
	bool trusted; /* one of the candidates is */
};

static void
gather_candidates(struct daemon *d, int64_t raw, struct electorate *e)
{
	int i;

	memset(e, 0, sizeof *e);
	for (i = 0; i < d->peers.sources; i++) {
		struct source *s = &d->peers.source[i];
		struct candidate *c = &d->candidate[e->n];
		bool outside = s->selected < SELECT_OUTLIER;
		enum bound_said said;

		s->selected = SELECT_NONE;
		if (s->state == SOURCE_UNRESOLVED)
			continue;
		e->broken += s->said == SAID_BOUND;
		if (s->first_sent != 0 && !s->unreachable &&
		    s->state != SOURCE_STOPPED)
			e->counted++;
		if (!source_candidate(s, raw, c))
			continue;
		said = bound_check(&d->constraints.bound, c->raw, c->ahead);
		if (said != BOUND_OK && !(s->trusted && said != BOUND_BUILD))
			continue;
		e->fresh += d->fight || s->sample.raw > d->disrupted;
		e->trusted |= s->trusted;
		e->sound += s->said != SAID_BOUND;
		c->index = i;
		c->outside = outside;
		c->filter = &s->filter;
		c->sample = &s->sample;
		c->refid = refid_of(&s->address);
		e->n++;
	}
}

static void
name_falsetickers(struct daemon *d, const struct electorate *e)
{
	char text[ADDRESS_TEXT];
	int i;

	for (i = 0; i < e->n; i++) {
		struct candidate *c = &d->candidate[i];
		struct source *s = &d->peers.source[c->index];

		if (c->said == SELECT_FALSE && !s->named)
			log_line(LOG_CLASS_INFO,
			    "peer %s is a falseticker: %fs apart from the majority",
			    net_text(&s->address, text),
			    seconds(c->ahead - d->verdict.ahead));
		s->named = c->said == SELECT_FALSE;
	}
}

/* Sources that disagree set nothing and are named, once. */
static void
name_disagreeing(struct daemon *d, const struct electorate *e)
{
	char a[ADDRESS_TEXT], b[ADDRESS_TEXT];
	const struct candidate *c = d->candidate;

	if (e->n < 2 || d->no_majority_said)
		return;
	d->no_majority_said = true;
	log_line(LOG_CLASS_WARN,
	    "no majority: %d of %d peers agree; %s and %s are %fs apart",
	    d->verdict.agree, d->verdict.of,
	    net_text(&d->peers.source[c[0].index].address, a),
	    net_text(&d->peers.source[c[1].index].address, b),
	    seconds(c[1].ahead - c[0].ahead));
}

/* Give orders to the kernel; what it refuses is said once. */
static bool
obey(struct daemon *d, const struct orders *o)
{
	if (clock_obey(&d->clock, o) == 0)
		return true;
	if (d->clock.error == EINVAL) { /* the order's fault, not the right's */
		if (!d->refused_said)
			log_line(LOG_CLASS_WARN, "adjtimex failed: %s",
			    strerror(d->clock.error));
		d->refused_said = true;
		return false;
	}
	/* learnt at start that it may: a right taken away stays away */
	clock_denied(&d->clock);
	log_line(LOG_CLASS_CLOCK,
	    "adjtimex failed: %s: only measuring from now on; %s",
	    strerror(d->clock.error), d->clock.remedy);
	return false;
}

static void
log_set(const struct instant *now, double offset)
{
	char text[CALENDAR_TEXT];

	log_line(LOG_CLASS_STATE, "set local clock to %s (offset %fs)",
	    calendar_text(now->real / NS_PER_S, CALENDAR_LOG, text), offset);
}

/* Step by the verdict's word; false if that may not be. */
static bool
step(struct daemon *d, const struct instant *now)
{
	struct orders o = discipline_step(&d->disc, now);

	if (!obey(d, &o) || d->clock.permission != CLOCK_MAY)
		return false;
	d->seen = clock_read();
	d->last_step = seconds(o.step);
	if (now->raw > later(d->step_next, d->step_wait))
		d->step_wait = 0; /* that was long ago */
	d->step_wait = fmin(3600, fmax(STEP_EVERY, 2 * d->step_wait));
	d->step_next = later(now->raw, d->step_wait);
	discipline_stepped(&d->disc);
	log_set(&d->seen, seconds(o.step));
	return true;
}

/* The set at start, when enough has been heard: true when it is decided. */
static bool
set_at_start(
    struct daemon *d, const struct electorate *e, const struct instant *now)
{
	double offset = seconds(discipline_offset(&d->disc, now));
	double waited = seconds(now->raw - d->peers.first_sent);
	bool own_error = fabs(offset) <= d->verdict.path;

	if (!select_first(e->counted, e->n, d->verdict.agree, waited) ||
	    (waited < SET_NAMES && peers_names_open(&d->peers)))
		return false;
	if (d->setting == SETTING_AUTO &&
	    (offset < AUTO_LEAST || (d->constraints.bound.votes == 0 && !e->trusted))) {
		if (d->constraints.bound.votes > 0 || e->trusted)
			log_line(LOG_CLASS_INFO,
			    "cancel settime because offset is negative or close enough");
		d->setting = SETTING_DONE;
		return true;
	}
	d->status = own_error || step(d, now) ? 0 : 2;
	d->setting = SETTING_DONE;
	return true;
}

/* Have the servers spoken since the disruption?  As at start: the first reply
 * may be a liar's. */
static bool
have_spoken(const struct daemon *d, const struct electorate *e,
    const struct instant *now)
{
	double waited =
	    d->fight ? HUGE_VAL : seconds(now->raw - d->disrupted);

	return select_first(e->counted, e->fresh, d->verdict.agree, waited);
}

static void
end_disruption(struct daemon *d)
{
	d->disrupted = 0;
	d->fight = false;
}

/* Did something happen here that a step may answer: a suspend, a foreign step?
 * It vouches for as much as it may have put the clock wrong by. */
static void
answer_disruption(struct daemon *d, const struct instant *now)
{
	double offset = seconds(discipline_offset(&d->disc, now));

	if (d->disrupted == 0)
		return;
	if (fabs(offset) <= fmax(d->verdict.path, FOREIGN_LEAST / 2) ||
	    fabs(offset) > d->explained + SLEW_MOST) {
		end_disruption(d);
		return;
	}
	/* A fight with another program is not answered blow by blow: it is
	 * slewed, and what is left then is stepped when it may be. */
	if (now->raw < d->step_next) {
		if (!d->fight)
			log_line(LOG_CLASS_WARN,
			    "clock is off by %fs again: is another program setting it? Slewing",
			    offset);
		d->fight = true;
		return;
	}
	(void)step(d, now);
	end_disruption(d);
}

/* --------------------------------------------------------- what is doubted */

/* The clock was right, and now all servers together say that it is not, though
 * nothing happened here that explains it.  Whoever forwards their packets can make
 * them say so.  Such a jump is waited out, for as long as the clock was right
 * before, JUMP_WAIT at most, and then until a reply says so again.  True while
 * that lasts. */
static bool
waits_for_jump(struct daemon *d, const struct instant *now)
{
	double offset = seconds(discipline_offset(&d->disc, now));
	double may = d->disc.path + UNSYNCED_BEYOND + d->explained +
	    confidence_most(&d->freq) * seconds(now->raw - d->right_at);
	double wait = fmin(JUMP_WAIT, seconds(d->right_at - d->right_first));

	if (d->right_at == 0 || d->disrupted != 0)
		return false;
	if (fabs(offset) <= may)
		return false;
	/* While the jump is slewed it becomes smaller; anything else is another
	 * jump. */
	if (d->jump_until != 0 &&
	    (now->raw < d->jump_until ?
		    fabs(offset - d->jump) <= may :
		    fabs(offset - d->jump / 2) <= fabs(d->jump) / 2 + may)) {
		return d->disc.heard < d->jump_until;
	}
	d->jump = offset;
	d->jump_until = later(now->raw, wait);
	log_line(LOG_CLASS_CLOCK,
	    d->clock.permission != CLOCK_MAY || fabs(offset) > SLEW_MOST ?
		"time jumped against %d of %d peers by %fs" :
		"time jumped against %d of %d peers by %fs: corrected if it lasts for %.0fs",
	    d->verdict.agree, d->verdict.of, offset, wait);
	(void)constraints_again(&d->constraints, now->raw);
	return true;
}

/* Is the time that of a server that needs no constraint? */
static bool
trusts(const struct daemon *d)
{
	int i;

	for (i = 0; i < d->peers.sources; i++)
		if (d->peers.source[i].trusted &&
		    d->peers.source[i].selected >= SELECT_USED)
			return true;
	return false;
}

/* Do the constraints say that the system clock is wrong, whatever the servers say?
 * Then they are asked anew; if they still say so, they vouch for the rules of the
 * start. */
static void
check_constraint(struct daemon *d, const struct instant *now)
{
	int64_t ahead = now->real - now->raw;
	bool old = d->constraints.anew_at == 0 ||
	    seconds(now->raw - d->constraints.anew_at) > ANEW_WITHIN;

	if (d->setting != SETTING_DONE) {
		if (!d->outside_set || !old)
			return;
		/* nobody has set it: that needs new evidence by now */
		d->setting = SETTING_DONE;
		d->outside_set = false;
	}
	if (d->constraints.bound.votes == 0 || trusts(d) ||
	    bound_check(&d->constraints.bound, now->raw, ahead) == BOUND_OK) {
		d->outside = 0;
		d->outside_set = false;
		return;
	}
	if (d->outside == 0) {
		d->outside = now->raw;
		log_line(LOG_CLASS_CLOCK,
		    "clock is off by about %.0fs by the constraints",
		    seconds(d->constraints.bound.ahead - ahead));
	}
	if (old && !d->outside_set)
		(void)constraints_again(&d->constraints, now->raw);
	if (d->outside_set || old || d->constraints.bound.made < d->constraints.anew_at ||
	    now->raw < d->step_next)
		return;
	d->outside_set = true;
	d->setting =
	    d->opt.set == SET_ALWAYS ? SETTING_ALWAYS : SETTING_AUTO;
	end_disruption(d);
	peers_again(&d->peers, now->raw);
	d->dirty = true;
}

/* Nobody vouches for the frequency any longer?  Then it is not kept for ever. */
static void
check_frequency(struct daemon *d, const struct instant *now)
{
	double silent = seconds(now->raw - d->disc.heard);
	double freq, old = discipline_freq(&d->disc);
	struct orders o = { .act = true, .leap = d->disc.leap };

	if (d->disc.heard == 0 || d->freq.fell_back ||
	    d->setting != SETTING_DONE ||
	    silent < fmax(HOLD_AFTER, HOLD_POLLS * d->disc.interval))
		return;
	freq = confidence_fallback(&d->freq, old, now->raw);
	discipline_hold(&d->disc, freq, d->freq.known ? DRIFT_SD : 0, now);
	discipline_limit(&d->disc, confidence_most(&d->freq));
	/* at once, since nothing may be slewed while a jump is doubted */
	o.freq = freq;
	o.max_error = discipline_bound(&d->disc, now);
	o.est_error = d->disc.sd;
	o.synced = d->synced;
	(void)obey(d, &o);
	if (fabs(freq - old) >= LOG_FREQ)
		log_line(LOG_CLASS_STATE,
		    "no majority for %.0fs: the frequency returns to the last confirmed one",
		    silent);
}

/* An offset that may not be stepped and would be slewed for days. */
static bool
is_too_far(struct daemon *d, const struct instant *now)
{
	double offset = seconds(discipline_offset(&d->disc, now));

	if (fabs(offset) <= SLEW_MOST) {
		d->far_said = false;
		return false;
	}
	if (!d->far_said && d->clock.permission == CLOCK_MAY) {
		log_line(LOG_CLASS_CLOCK,
		    d->opt.set == SET_ALWAYS ?
			"clock is off by %fs, too far to slew: restart to set it" :
			"clock is off by %fs, too far to slew: restart with -s to set it",
		    offset);
		clock_unsync(&d->clock);
	} else if (!d->far_said)
		log_line(LOG_CLASS_CLOCK, "clock is off by %fs", offset);
	d->far_said = true;
	return true;
}

/* Put those who were refused for their root distance alone into d->candidate;
 * returns how many. */
static int
gather_far(struct daemon *d, int64_t raw)
{
	int i, n = 0;

	for (i = 0; i < d->peers.sources; i++) {
		struct candidate *c = &d->candidate[n];
		enum bound_said said;

		if (!source_resort(&d->peers.source[i], raw, c))
			continue;
		said = bound_check(&d->constraints.bound, c->raw, c->ahead);
		if (said != BOUND_OK && (!c->trusted || said == BOUND_BUILD))
			continue;
		c->index = i;
		c->freq = d->disc.freq;
		n++;
	}
	return n;
}

/* No server answers whose root is near enough.  May the clock be set at start by
 * those whose root is too far?  Only by a majority of all servers, silent ones
 * included, and only where the clock is wrong by more than even they can be.  They
 * are forgotten after that: the clock is not steered by them. */
static void
set_by_far(struct daemon *d, int counted, const struct instant *now)
{
	double waited = seconds(now->raw - d->peers.first_sent);
	int n = gather_far(d, now->raw);
	char text[ADDRESS_TEXT];
	struct verdict v;

	if (waited < FAR_WAIT || peers_names_open(&d->peers) ||
	    !select_vote(d->candidate, n, &v) ||
	    v.agree * 2 <= counted ||
	    fabs(seconds(v.ahead - (now->real - now->raw))) <= v.distance)
		return;
	v.leap = LEAP_NONE;
	d->verdict = v;
	log_line(LOG_CLASS_CLOCK,
	    "no peer is near enough to its root: setting the clock by %s, which may be off by %.0fs",
	    net_text(&d->peers.source[v.system].address, text), v.distance);
	discipline_learn_time(&d->disc, &v);
	d->status = step(d, now) ? 0 : 2;
	d->setting = SETTING_DONE;
	discipline_forget(&d->disc);
	clock_unsync(&d->clock);
}

/* All that is known of the time is put together anew. */
static void
elect(struct daemon *d, const struct instant *now)
{
	struct electorate e;
	struct verdict v;
	int i;

	d->dirty = false;
	gather_candidates(d, now->raw, &e);
	/* not when the first to answer is the only one yet */
	if (e.sound == 0 &&
	    select_first(e.counted, e.broken, e.broken,
		seconds(now->raw - d->peers.first_sent)))
		constraints_broken(&d->constraints, now->raw);
	if (e.n == 0 && d->setting == SETTING_ALWAYS) {
		set_by_far(d, e.counted, now);
		if (d->setting == SETTING_DONE)
			return;
	}
	d->elected = select_vote(d->candidate, e.n, &v);
	/* Without a majority the last verdict stands (what we serve, the leap
	 * second), only the votes are news. */
	d->verdict.agree = v.agree;
	d->verdict.of = v.of;
	for (i = 0; i < e.n; i++) {
		const struct candidate *c = &d->candidate[i];

		d->peers.source[c->index].selected = c->said;
	}
	if (!d->elected) {
		confidence_doubt(&d->freq);
		name_disagreeing(d, &e);
		return;
	}
	/* Nobody was believed for a long time: the same old samples are no
	 * news. */
	if (d->freq.fell_back && v.heard <= d->disc.heard)
		return;
	d->verdict = v;
	d->no_majority_said = false;
	/* Leap seconds come at the end of a month (RFC 5905 §7.3, ITU-R TF.460);
	 * the kernel would insert one at any midnight. */
	if (!calendar_last_day(now->real / NS_PER_S))
		d->verdict.leap = LEAP_NONE;
	name_falsetickers(d, &e);
	select_join(&d->disc.joint, d->candidate, e.n, &d->verdict);
	if (d->verdict.heard > d->disc.heard &&
	    confidence_vote(&d->freq, &d->verdict, &d->constraints.bound))
		(void)constraints_again(&d->constraints, now->raw);
	discipline_limit(&d->disc, confidence_most(&d->freq));
	discipline_learn(
	    &d->disc, &d->verdict, d->peers.source[d->verdict.system].interval);
	if (d->setting != SETTING_DONE && !set_at_start(d, &e, now))
		discipline_rest(&d->disc); /* no slewing before that */
	else if (d->disrupted != 0 && !have_spoken(d, &e, now))
		discipline_rest(&d->disc);
	else
		answer_disruption(d, now);
}

/* ---------------------------------------------------------------- the clock */

static void
log_orders(struct daemon *d, const struct orders *o, int64_t raw)
{
	double offset = seconds(o->phase);
	bool news = fabs(offset) >= LOG_OFFSET &&
	    (fabs(offset - d->offset_logged) >= LOG_OFFSET ||
		raw >= d->offset_logged_at);

	/* Each reply renews the order: said again when it is another one. */
	log_line(news ? LOG_CLASS_INFO : LOG_CLASS_DETAIL,
	    "adjusting local clock by %fs", offset);
	if (news) {
		d->offset_logged = offset;
		d->offset_logged_at = later(raw, LOG_OFFSET_EVERY);
	}
	if ((fabs(o->freq) > CLOCK_FREQ_MOST) != d->tick_said) {
		d->tick_said = !d->tick_said;
		log_line(LOG_CLASS_INFO,
		    d->tick_said ?
			"clock frequency of %fppm is beyond 500ppm: set by the length of the tick" :
			"clock frequency of %fppm is within 500ppm again",
		    o->freq * 1e6);
	}
	if (fabs(o->freq - d->freq_logged) < LOG_FREQ ||
	    raw < d->freq_logged_at)
		return;
	log_line(LOG_CLASS_INFO, "adjusting clock frequency by %f to %fppm%s",
	    (o->freq - d->freq_logged) * 1e6, o->freq * 1e6,
	    d->drift_known ? "" : " (no drift file)");
	d->freq_logged = o->freq;
	d->freq_logged_at = later(raw, LOG_FREQ_EVERY);
}

/* Synced or not: the supervisor is told when it changes, the log by tell_sync. */
static void
say_synced(struct daemon *d, bool synced, const char *text)
{
	char state[80];

	d->synced = synced;
	d->sync_text = text;
	if (!synced)
		clock_unsync(&d->clock);
	(void)snprintf(state, sizeof state, "STATUS=%s", text);
	notify_supervisor(state);
}

static void
track_sync(struct daemon *d, const struct instant *now)
{
	double offset = fabs(seconds(discipline_offset(&d->disc, now)));
	double silent = seconds(now->raw - d->peers.last_heard);
	/* replies without a majority are no time either */
	bool stale =
	    d->disc.have && seconds(now->raw - d->disc.raw) > d->silent_most;

	/* Nobody can vouch for a clock that we should keep right and may not set.
	 * With -x that is what was asked for. */
	if (d->clock.permission == CLOCK_DENIED) {
		if (d->synced)
			say_synced(d, false, "clock is now unsynced");
		return;
	}
	if (d->synced && silent > d->silent_most)
		say_synced(
		    d, false, "clock is now unsynced due to lack of replies");
	else if (d->synced && (stale || d->outside != 0))
		say_synced(d, false, "clock is now unsynced");
	if (!d->disc.have || d->setting != SETTING_DONE)
		return;
	if (d->synced && offset > d->disc.path + UNSYNCED_BEYOND)
		say_synced(d, false, "clock is now unsynced");
	else if (!d->synced && silent < d->silent_most && !stale &&
	    d->outside == 0 && offset <= d->disc.path + SYNCED_WITHIN)
		say_synced(d, true, "clock is now synced");
	if (!d->synced)
		return;
	d->last_sync = d->disc.raw + (now->real - now->raw);
	if (d->right_at == 0)
		d->right_first = now->raw;
	d->right_at = now->raw;
	if (d->jump_until > now->raw)
		log_line(LOG_CLASS_STATE, "the jump of the peers is over");
	d->jump_until = 0;
	if (d->disrupted == 0)
		d->explained = 0;
}

/* Say whether the clock is synced; if that comes and goes, say it rarely, and then
 * what is true at that moment. */
static void
tell_sync(struct daemon *d, int64_t raw)
{
	struct said *s = &d->sync_said;

	if (d->sync_text == NULL || !said_news(s, d->synced ? 1 : 2, raw))
		return;
	if (s->held == 0)
		log_line(LOG_CLASS_STATE, "%s", d->sync_text);
	else
		log_line(LOG_CLASS_STATE, "%s, after %u changes not told",
		    d->sync_text, s->held);
}

/* Sources with an address, those that answer, and those that are silent. */
struct answering {
	int of, heard, silent;
};

static struct answering
who_answers(const struct daemon *d)
{
	struct answering a = { 0, 0, 0 };
	int i;

	for (i = 0; i < d->peers.sources; i++) {
		const struct source *s = &d->peers.source[i];

		a.of += s->state != SOURCE_UNRESOLVED;
		a.heard += s->reach != 0;
		a.silent += s->silent >= SILENT_TOLD;
	}
	return a;
}

/* Say once an hour what is not well and stays so. */
static void
tell_still(struct daemon *d, int64_t raw)
{
	struct answering a = who_answers(d);
	bool denied = d->clock.permission == CLOCK_DENIED;
	char waiting[WAITING_TEXT];
	double s;

	constraints_waiting(&d->constraints, waiting, sizeof waiting);
	(void)said_news(&d->still, !d->synced ? 1 :
		waiting[0] != '\0' ? 2 : denied ? 3 : a.silent > 0 ? 4 : 0, raw);
	if (!said_still(&d->still, raw, &s))
		return;
	log_line(d->still.state < 4 ? LOG_CLASS_STATE : LOG_CLASS_DEBUG,
	    "for %.0f h: clock %s, %d of %d peers give the time%s%s%s%s%s", s / 3600,
	    d->synced ? "synced" : "unsynced", a.heard, a.of,
	    a.of == 0 ? ", no name resolved" : "",
	    d->synced || !d->far_said ? "" :
		d->opt.set == SET_ALWAYS ?
		", too far to slew: restart to set it" :
		", too far to slew: restart with -s to set it",
	    denied ? ", only measuring" : "", waiting[0] != '\0' ? "; " : "",
	    waiting);
}

static void
steer(struct daemon *d, const struct instant *now)
{
	struct orders o;

	if (d->setting != SETTING_DONE || now->raw < d->disc.due)
		return;
	if (waits_for_jump(d, now)) {
		discipline_rest(&d->disc); /* until the next reply */
		return;
	}
	if (is_too_far(d, now)) {
		discipline_rest(&d->disc);
		return;
	}
	if (d->clock.permission != CLOCK_MAY) {
		/* nor watch over a slew each second */
		discipline_rest(&d->disc);
		return;
	}
	o = discipline_turn(&d->disc, now);
	if (!o.act)
		return;
	o.synced = d->synced;
	log_orders(d, &o, now->raw);
	(void)obey(d, &o);
}

static void
save_drift(struct daemon *d, int64_t raw)
{
	double freq = discipline_freq(&d->disc);

	if (!d->disc.have || d->clock.permission != CLOCK_MAY || !d->synced ||
	    raw < d->drift_due || d->disc.freq_sd > DRIFT_SD ||
	    fabs(freq - d->drift_saved) < DRIFT_CHANGE)
		return;
	/* Beyond what a crystal can need, one server is no witness. */
	if (fabs(freq) > FREQ_USUAL &&
	    !(d->freq.far && (d->constraints.bound.votes > 0 || d->verdict.agree > 1)))
		return;
	d->drift_due = later(raw, DRIFT_EVERY);
	if (drift_write(d->drift_path, freq) < 0) {
		if (!d->drift_failed)
			log_line(
			    d->drift_missing ? LOG_CLASS_DEBUG : LOG_CLASS_WARN,
			    "can't write %s: %s", d->drift_path,
			    strerror(errno));
		d->drift_failed = true;
		return;
	}
	if (d->drift_missing)
		log_line(LOG_CLASS_INFO, "creating new %s", d->drift_path);
	d->drift_missing = d->drift_failed = false;
	d->drift_known = true;
	d->drift_saved = freq;
}

/* Three longest polls without any reply are no clock that is known. */
static double
silent_most(const struct conf *conf)
{
	double most = 0;
	int i;

	for (i = 0; i < conf->servers; i++)
		most = fmax(most,
		    conf->server[i].poll_most > 0 ? conf->server[i].poll_most :
						    SOURCE_POLL_MOST);
	return fmax(SILENT_LEAST, SILENT_POLLS * most);
}

static void
say_unbelieved(double freq, double instead)
{
	log_line(LOG_CLASS_WARN,
	    "a clock frequency of %fppm is not believed without a second witness: beginning with %fppm",
	    freq * 1e6, instead * 1e6);
}

/* The part of a frequency to begin with that is believed.  Beyond what a crystal
 * needs that takes two records which agree, the kernel's and the drift file's
 * (known); the log says so where it is cut. */
static double
believable(double freq, bool known)
{
	double most = known ? FREQ_FAR : FREQ_USUAL;
	double most_of_it = fmax(-most, fmin(most, freq));

	if (fabs(freq) > most)
		say_unbelieved(freq, most_of_it);
	return most_of_it;
}

/* What the drift file holds, 0 if nothing; why is said unless it is usual. */
static double
known_drift(struct daemon *d)
{
	double freq = 0;

	if (drift_read(d->drift_path, &freq) == 0) {
		d->drift_known = true;
		d->drift_saved = freq;
	} else if (errno == ENODATA)
		log_line(LOG_CLASS_WARN, "%s is empty", d->drift_path);
	else if (errno == EINVAL)
		log_line(LOG_CLASS_WARN,
		    "%s holds no frequency in ppm: ignored", d->drift_path);
	else if (errno == ENOENT || errno == ENOTDIR)
		d->drift_missing = true; /* as at each first start */
	else
		log_line(LOG_CLASS_DEBUG, "no drift file %s: %s", d->drift_path,
		    strerror(errno));
	return freq;
}

/* What the frequency is to begin with: a disciplined kernel's, then the drift
 * file's. */
void
steer_start(struct daemon *d)
{
	struct clock_kernel k = { 0 };
	bool kernel = clock_kernel(&k), known;
	double freq, drift;

	d->candidate =
	    calloc((size_t)d->peers.sources + 1, sizeof *d->candidate);
	if (d->candidate == NULL)
		fatal("ntpd: out of memory");
	d->silent_most = silent_most(&d->conf);
	d->drift_path = d->conf.driftfile ? d->conf.driftfile : DRIFT_PATH;
	d->drift_saved = HUGE_VAL;
	freq = known_drift(d);
	if (kernel)
		d->clock.last.freq = k.freq;
	known = d->drift_known;
	drift = freq;
	if (kernel && k.synced && k.freq != 0) {
		log_line(start_class(d),
		    "adjtimex returns frequency of %fppm", k.freq * 1e6);
		freq = k.freq;
		known = fabs(freq) <= FREQ_USUAL ||
		    (known && fabs(freq - drift) <= WITNESS_WITHIN);
		if (!known && d->drift_known && fabs(drift) <= FREQ_USUAL) {
			say_unbelieved(freq, drift);
			freq = drift;
			known = true;
		}
	} else {
		known &= fabs(freq) <= FREQ_USUAL;
		if (!d->drift_known)
			freq = d->clock.last.freq;
	}
	freq = believable(freq, known);
	if (d->clock.permission == CLOCK_MAY && !(kernel && k.synced))
		log_line(start_class(d),
		    "adjtimex adjusted frequency by %fppm", freq * 1e6);
	discipline_start(&d->disc, freq, known);
	confidence_start(&d->freq, d->disc.freq, known, d->began);
	discipline_limit(&d->disc, confidence_most(&d->freq));
	if (!d->opt.once)
		clock_begin(&d->clock, freq);
	d->freq_logged = freq;
}

/* ------------------------------------------------------------- disruptions */

/* Raw time stood still while the machine slept: all samples are void. */
static void
notice_sleep(struct daemon *d, const struct instant *now)
{
	double slept = clock_slept(&d->clock);

	if (slept <= 0)
		return;
	log_line(LOG_CLASS_INFO,
	    "machine slept for %.1fs: asking all peers again",
	    slept);
	d->disrupted = now->raw;
	d->explained += slept;
	d->seen = *now; /* the real clock went on: nobody set it */
	discipline_forget(&d->disc);
	confidence_gap(&d->freq);
	constraints_forget(&d->constraints, now->raw);
	d->elected = false;
	d->synced = false;
	said_well(&d->sync_said); /* it is told again when it is */
	d->sync_text = NULL;
	peers_forget(&d->peers, now->raw);
}

/* The kernel inserted or deleted the leap second that the servers announced.
 * Their time did the same, so all that is known moves with it, and the kernel
 * must be told that it is over (it would not arm another one before). */
static bool
notice_leap(struct daemon *d, const struct instant *now, double moved)
{
	int64_t midnight = (d->seen.real / DAY + 1) * DAY;
	int64_t ns = d->disc.leap == LEAP_INSERT ? -NS_PER_S : NS_PER_S;

	if ((d->disc.leap != LEAP_INSERT && d->disc.leap != LEAP_DELETE) ||
	    fabs(moved - seconds(ns)) > LEAP_WITHIN ||
	    now->real < midnight - NS_PER_S)
		return false;
	peers_leapt(&d->peers, ns);
	discipline_leapt(&d->disc, ns);
	d->verdict.leap = LEAP_NONE;
	constraints_leapt(&d->constraints, ns);
	confidence_leapt(&d->freq, ns);
	d->dirty = true;
	log_line(
	    LOG_CLASS_INFO, "leap second %s", ns < 0 ? "inserted" : "deleted");
	return true;
}

/* The system clock moved against the raw clock as no slew can. */
static void
notice_foreign_step(struct daemon *d, const struct instant *now)
{
	double moved =
	    seconds((now->real - now->raw) - (d->seen.real - d->seen.raw));
	double dt = seconds(now->raw - d->seen.raw);
	bool told = clock_was_set(&d->clock);
	bool leapt = notice_leap(d, now, moved);

	d->seen = *now;
	if (leapt)
		return;
	if (fabs(moved - d->clock.last.freq * dt) <= FOREIGN_LEAST +
		(told ? fabs(seconds(d->clock.last.phase)) + TOLD_RATE * dt :
			SLEW_RATE * dt)) {
		/* PLL and status were reset */
		if (told && d->clock.given && d->setting == SETTING_DONE)
			discipline_again(&d->disc);
		return;
	}
	d->clock.foreign++;
	/* until it is answered, the next ones are no news */
	log_line(d->disrupted != 0 ? LOG_CLASS_DEBUG : LOG_CLASS_WARN,
	    "something else set the clock by %fs", moved);
	if (d->setting != SETTING_DONE)
		return;
	d->disrupted = now->raw;
	d->explained += fabs(moved);
	peers_again(&d->peers, now->raw);
}

/* ---------------------------------------------------------------- the whole */

void
steer_notice(struct daemon *d, const struct instant *now)
{
	notice_sleep(d, now);
	notice_foreign_step(d, now);
}

void
steer_turn(struct daemon *d, const struct instant *now)
{
	check_constraint(d, now);
	if (d->dirty)
		elect(d, now);
	track_sync(d, now);
	check_frequency(d, now);
	steer(d, now);
	tell_sync(d, now->raw);
	tell_still(d, now->raw);
	save_drift(d, now->raw);
}

void
steer_end(struct daemon *d, const struct instant *now)
{
	d->drift_due = now->raw;
	save_drift(d, now->raw);
	clock_end(&d->clock);
}
