/*
 * steer.c - from samples to the kernel's clock.
 *
 * This room holds the elections, decides whether the clock is set at start and
 * what answers a disruption, passes orders on, keeps the drift file, and logs
 * what is worth a line.  What the servers together mean select.c decides, what
 * the kernel is told discipline.c, and how it is told clock.c.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "steer.h"
#include "core/calendar.h"
#include "sys/instant.h"
#include "sys/net.h"
#include "sys/refid.h"
#include "sys/state.h"

/* s after which the start is over, "skipping initial time setting". */
#define SET_WAIT 15.0
/* s after the first request for which we wait for lookups of names. */
#define SET_NAMES 1.0
/* s after the first request: until then a clock that the kernel calls right is
 * not moved by fewer than a majority of all servers.  A program that is started
 * again and again lives shorter than that, and the clock is synced within ten
 * seconds also where most servers are dead. */
#define WARM_WAIT 8.0
/* s after the first answer, at the start and after a disruption: until then
 * servers that authenticate their answers are waited for.  A key exchange takes
 * less than a second where it is not blocked; this is longer than two that are
 * lost.  A failed one is tried again after more than that. */
#define AUTHENTIC_WAIT 8.0
/* s after the first answer to a disruption: until then servers are waited for
 * that could not be asked, because a descriptor or a buffer was missing.  They
 * are tried again after 15 s.  The one that could be asked may be the only
 * liar. */
#define UNASKED_WAIT 20.0
/* s: without -s the clock is set if it is behind by more, as by OpenNTPD. */
#define AUTO_LEAST 60.0
/* s: a larger offset is not slewed, since that would take days. */
#define SLEW_MOST 600.0
/* s and ratio: smaller changes are not worth a line.  They are OpenNTPD's
 * LOG_NEGLIGIBLE_ADJTIME and LOG_NEGLIGIBLE_ADJFREQ. */
#define LOG_OFFSET 0.032
#define LOG_FREQ 0.05e-6
/* s between two lines about the offset, or about the frequency. */
#define LOG_OFFSET_EVERY 60.0
#define LOG_FREQ_EVERY 1800.0
/* s, to which the path is added: we become synced within the first, and
 * unsynced beyond the second, which is RFC 5905's step threshold. */
#define SYNCED_WITHIN 1e-3
#define UNSYNCED_BEYOND 0.128
/* We become unsynced when no reply has come for so many of the longest polls,
 * but not in less than SILENT_LEAST s, so that there is time to try again. */
#define SILENT_POLLS 3
#define SILENT_LEAST 60.0
/* s: the least jump of real time against raw time that is somebody's step. */
#define FOREIGN_LEAST 0.1
/* Ratio: how fast the clock moves at most while we slew it, with a margin. */
#define SLEW_RATE 0.15
/* Ratio: the same beside our last orders, where the kernel tells of steps. */
#define TOLD_RATE 1e-4
/* s between two steps.  It doubles with each step, up to an hour. */
#define STEP_EVERY 60.0
/* A machine is hardly ever moved or restored as often as this: so many times at
 * once, and once in so many s.  What a hypervisor says beyond that is counted
 * only, since each time all servers and constraints are asked. */
enum { MOVES_AT_ONCE = 8 };
#define MOVES_EVERY 450.0
/* Ratio: on another host the counter may run by so much faster or slower, which
 * is the tolerance that the kernel's vmclock-abi.h names. */
#define COUNTER_SD 50e-6
/* The drift file is written once in so many s, if the frequency has changed by
 * so much (a ratio) and is known to within so much. */
#define DRIFT_EVERY 3600.0
#define DRIFT_CHANGE 0.01e-6
#define DRIFT_SD 1e-6
#define DAY (86400 * NS_PER_S) /* ns of UTC's day, without a leap second */
/* s: a jump that differs from a second by less is a leap second. */
#define LEAP_WITHIN 0.5
/* s without a server that tells the time after which, at the start, constraints
 * keep it, if they are to. */
#define KEEP_AFTER 60.0
/* s: beyond this, answers of HTTPS servers keep nothing.  They come every few
 * minutes. */
#define KEEP_SILENT 3600.0
/* s: the pace of the slew while they keep the time. */
#define KEEP_INTERVAL 200.0
/* s at start for which we wait for a server whose root is near enough. */
#define FAR_WAIT 5.0
/* s that a common jump of all servers must last before the clock follows it.  A
 * path that lies, or a provider's fault, seldom stays for minutes. */
#define JUMP_WAIT 300.0
/* s without a verdict, or polls of the system source if that is longer, after
 * which nobody is believed any more. */
#define HOLD_AFTER 600.0
#define HOLD_POLLS 3.0
/* s: to set the clock, constraints must have been asked anew within this. */
#define ANEW_WITHIN 900.0
/* Ratio: two records beyond FREQ_USUAL are two witnesses within this. */
#define WITNESS_WITHIN 100e-6
/* Ratio: a frequency that is known no better than this is a guess.  It is not
 * left to the next start, which would believe it. */
#define GUESS_SD 5e-6
/* Ratio: so little is what a mark (core/rival.h) makes of 0, which nobody has
 * learnt. */
#define NO_FREQ 0.01e-6

/* -------------------------------------------------------------- the verdict */

/* Sources that stand for election, and how many could have.  Sensors that have
 * no vote are candidates only. */
struct electorate {
	int n; /* candidates */
	/* Of all, and of the authentic ones. */
	struct turnout {
		int lines;   /* of the configuration */
		int counted; /* sources that can be asked */
		int voters;  /* candidates that have a vote */
		int fresh;   /* of these: heard since the disruption */
	} of[2];
	bool unasked; /* one was not asked since the disruption */
	int broken;   /* sources outside of the constraints' bound */
	int sound;  /* candidates whose last reply was inside */
	int agree;  /* of the majority: heard since the disruption */
	bool trusted; /* one of the majority is */
	bool vouch;   /* ... or may have the clock set: it is not only of
			 sensors that nobody trusts */
};

struct source *
steer_source(const struct steer *st, int i)
{
	return i < st->sources ? &st->source[i] : &st->sensor[i - st->sources];
}

const char *
steer_name(const struct source *s, char text[static ADDRESS_TEXT])
{
	return s->device != NULL ? s->device : net_text(&s->address, text);
}

/* Wish that the constraints are asked anew.  The first reason in a turn counts,
 * since they are not asked twice in a quarter of an hour. */
static void
ask_constraints(struct steer *st, int how)
{
	if (st->wish.constraints == CONSTRAINTS_REST)
		st->wish.constraints = how;
}

/* May this one say what the time is?  Where some servers authenticate their
 * replies, the others may only as long as constraints bound what they say, or
 * the configuration trusts them.  Otherwise they are used where they agree with
 * those who may. */
static bool
may_vote(const struct steer *st, const struct candidate *c)
{
	return !c->follows &&
	    (c->authentic || c->trusted || st->authentics == 0 ||
		st->told.bound.votes > 0);
}

/* May it take part at all? */
static bool
is_admitted(const struct steer *st, const struct candidate *c)
{
	enum bound_said said =
	    bound_check(&st->told.bound, c->raw, c->ahead);

	return said == BOUND_OK || (c->trusted && said != BOUND_BUILD) ||
	    (st->authentics > 0 && said == BOUND_MISSING);
}

static void
gather_candidates(struct steer *st, int64_t raw, struct electorate *e)
{
	int i, k;

	memset(e, 0, sizeof *e);
	e->of[false].lines = st->conf->servers;
	e->of[true].lines = st->authentics;
	for (i = 0; i < st->sources + st->sensors; i++) {
		struct source *s = steer_source(st, i);
		struct candidate *c = &st->candidate[e->n];

		if (s->state == SOURCE_UNRESOLVED ||
		    (st->conf->nts_require && !s->authentic &&
			s->device == NULL))
			continue;
		e->broken += s->said == SAID_BOUND && !s->follows;
		e->unasked |= s->state == SOURCE_IDLE && s->first_sent != 0 &&
		    !s->unreachable && s->device == NULL &&
		    s->sent < st->disrupted;
		/* One whose keys are still exchanged has been asked, too. */
		for (k = 0; k <= s->authentic; k++)
			e->of[k].counted +=
			    (s->first_sent != 0 || s->authentic) &&
			    !s->unreachable && !s->follows &&
			    s->state != SOURCE_STOPPED;
		if (!source_candidate(s, raw, c) || !is_admitted(st, c))
			continue;
		c->follows = !may_vote(st, c);
		c->index = i;
		c->fresh = st->fight || c->heard >= st->disrupted;
		c->outside = s->selected < SELECT_OUTLIER;
		c->filter = &s->filter;
		c->sample = &s->sample;
		c->refid =
		    s->device != NULL ? s->refid : refid_of(&s->address);
		e->n++;
		for (k = 0; k <= s->authentic && !c->follows; k++) {
			e->of[k].voters++;
			e->of[k].fresh += c->fresh;
		}
		e->sound += !c->follows && s->said != SAID_BOUND;
	}
}

/* Who of the majority vouches for it?  Those who contradict it do not. */
static void
find_vouchers(const struct steer *st, struct electorate *e)
{
	int i;

	for (i = 0; i < e->n; i++) {
		const struct candidate *c = &st->candidate[i];

		if (c->said < SELECT_USED || !c->votes)
			continue;
		e->agree += c->fresh;
		e->trusted |= c->trusted;
		e->vouch |= c->trusted || c->index < st->sources;
	}
}

static void
name_falsetickers(struct steer *st, const struct electorate *e)
{
	char text[ADDRESS_TEXT];
	int i;

	for (i = 0; i < e->n; i++) {
		const struct candidate *c = &st->candidate[i];
		const struct source *s = steer_source(st, c->index);

		if (c->said == SELECT_FALSE && !s->named)
			log_line(LOG_CLASS_INFO,
			    s->device != NULL ?
				"sensor %s is a falseticker: %fs apart from the majority" :
				"peer %s is a falseticker: %fs apart from the majority",
			    steer_name(s, text),
			    seconds(c->ahead - st->verdict.ahead));
	}
	st->wish.called = true;
}

/* Servers that disagree leave the clock alone.  Name two of them, once. */
static void
name_disagreeing(struct steer *st, const struct electorate *e)
{
	char a[ADDRESS_TEXT], b[ADDRESS_TEXT];
	const struct candidate *c = st->candidate;

	if (e->of[false].voters < 2 || st->no_majority_said)
		return;
	st->no_majority_said = true;
	log_line(LOG_CLASS_WARN,
	    "no majority: %d of %d peers agree; %s and %s are %fs apart",
	    st->verdict.agree, st->verdict.of,
	    steer_name(steer_source(st, c[0].index), a),
	    steer_name(steer_source(st, c[1].index), b),
	    seconds(c[1].ahead - c[0].ahead));
}

/* Give orders to the kernel.  If it refuses them, say so once. */
static bool
obey(struct steer *st, const struct orders *o)
{
	if (clock_obey(st->clock, o) == 0)
		return true;
	if (st->clock->error != EINVAL) {
		/* At the start we had the right.  If it was taken away, it will
		 * not come back. */
		clock_denied(st->clock);
		log_line(LOG_CLASS_CLOCK,
		    "adjtimex failed: %s: only measuring from now on; %s",
		    strerror(st->clock->error), st->clock->remedy);
	} else if (!st->refused_said) { /* no right is missing */
		log_line(LOG_CLASS_WARN, "adjtimex failed: %s",
		    strerror(st->clock->error));
		st->refused_said = true;
	}
	return false;
}

/* Step the clock as the verdict says.  False if that is not permitted. */
static bool
step(struct steer *st, const struct instant *now)
{
	struct orders o = discipline_step(&st->disc, now);
	char text[CALENDAR_TEXT];

	if (!obey(st, &o) || st->clock->permission != CLOCK_MAY) {
		discipline_rest(&st->disc); /* until the next reply */
		return false;
	}
	st->seen = clock_read();
	st->last_step = seconds(o.step);
	if (now->raw > later(st->step_next, st->step_wait))
		st->step_wait = 0; /* the last step was long ago */
	st->step_wait = fmin(3600, fmax(STEP_EVERY, 2 * st->step_wait));
	st->step_next = later(now->raw, st->step_wait);
	discipline_stepped(&st->disc);
	log_line(LOG_CLASS_STATE, "set local clock to %s (offset %fs)",
	    calendar_text(st->seen.real / NS_PER_S, CALENDAR_LOG, text),
	    st->last_step);
	return true;
}

/* Does a trusted sensor belong to the majority, which was read since the last
 * disruption?  Then nobody needs to be waited for. */
static bool
is_sensed(const struct steer *st)
{
	int i;

	for (i = 0; i < st->stood; i++)
		if (st->candidate[i].said >= SELECT_USED &&
		    st->candidate[i].index >= st->sources &&
		    st->candidate[i].trusted && st->candidate[i].fresh)
			return true;
	return false;
}

/* Does a server belong to it, or are there none? */
static bool
is_heard(const struct steer *st)
{
	int i;

	for (i = 0; i < st->stood; i++)
		if (st->candidate[i].said >= SELECT_USED &&
		    st->candidate[i].index < st->sources)
			return true;
	return st->conf->servers == 0;
}

/* Have more than half of these servers answered, and do so many agree?  A name
 * whose addresses are not known yet counts as one. */
static bool
is_full_majority(const struct turnout *t, int agree)
{
	return agree * 2 > (t->counted > t->lines ? t->counted : t->lines);
}

/* Is it too early to do without servers that authenticate their replies, where
 * there are such?  Else whoever answers sooner would set the clock.  But if all
 * exchanges have failed, and will not be tried again meanwhile, there is nothing
 * to wait for. */
static bool
awaits_authentic(const struct steer *st, bool authentic, double waited)
{
	return st->authentics > 0 && !authentic && waited < AUTHENTIC_WAIT &&
	    st->told.keys_due < later(st->seen.raw, AUTHENTIC_WAIT - waited);
}

/* Have enough answered to decide about the set at start?  What the kernel calls
 * right is moved by a majority of all servers.  If there is none, the majority
 * of those who answer may slew it after a while, and set it when the start is
 * over. */
static bool
may_decide(const struct steer *st, const struct electorate *e, double offset,
    double waited)
{
	const struct verdict *v = &st->verdict;
	const struct turnout *t = &e->of[v->authentic];

	if (is_sensed(st))
		return true;
	if (!select_first(t->counted, t->voters, v->agree, waited) ||
	    awaits_authentic(st, v->authentic, waited) ||
	    (waited < SET_NAMES && st->told.names_open))
		return false;
	return !st->warm || is_full_majority(t, v->agree) ||
	    waited >= (fabs(offset) > SLEW_MOST ? SET_WAIT : WARM_WAIT);
}

/* When enough has been heard, decide whether the clock is set at start, and set
 * it.  One that was right before the start is only set if it cannot be slewed:
 * so a program that is restarted again and again does not set it each time.
 * False if it is not decided yet. */
static bool
set_at_start(
    struct steer *st, const struct electorate *e, const struct instant *now)
{
	double offset = seconds(discipline_offset(&st->disc, now));
	double waited = seconds(now->raw - st->told.first_sent);
	bool vouched = st->told.bound.votes > 0 || e->trusted ||
	    st->verdict.authentic;
	bool own_error = fabs(offset) <= st->verdict.path;
	bool slewed =
	    st->warm && fabs(offset) <= SLEW_MOST && !is_sensed(st);

	if (!may_decide(st, e, offset, waited))
		return false;
	if (!e->vouch && !own_error)
		log_line(LOG_CLASS_INFO,
		    "the clock is not set: no sensor is \"trusted\"");
	else if (st->setting == SETTING_ALWAYS && slewed && !own_error)
		log_line(LOG_CLASS_INFO,
		    "cancel settime: an offset of %fs is slewed, since the kernel's clock was synchronised",
		    offset);
	else if (!slewed &&
	    (st->setting == SETTING_ALWAYS ||
		(vouched && offset >= AUTO_LEAST)))
		st->status = own_error || step(st, now) ? 0 : 2;
	else if (vouched)
		log_line(LOG_CLASS_INFO,
		    "cancel settime because offset is negative or close enough");
	st->setting = SETTING_DONE;
	return true;
}

/* Have enough servers answered since the disruption?  The rule is that of the
 * start, since the first reply may be a liar's, also when it comes after an
 * outage: the wait for the others begins with it. */
static bool
have_spoken(
    struct steer *st, const struct electorate *e, const struct instant *now)
{
	const struct verdict *v = &st->verdict;
	const struct turnout *t = &e->of[v->authentic];
	double waited;

	if (st->spoken < st->disrupted && e->of[false].fresh > 0)
		st->spoken = now->raw;
	waited = st->fight		   ? HUGE_VAL :
	    st->spoken < st->disrupted ? 0 :
					 seconds(now->raw - st->spoken);
	if (is_sensed(st))
		return true;
	/* No limit holds a step then, so more servers must agree. */
	if (awaits_authentic(st, v->authentic, waited) ||
	    (((st->behind && waited < SET_WAIT) ||
		 (e->unasked && waited < UNASKED_WAIT)) &&
		!is_full_majority(t, e->agree)))
		return false;
	/* If only others have answered, they agree with what was authenticated
	 * before. */
	return select_first(t->counted, t->fresh, e->agree, waited) ||
	    (v->authentic && waited >= AUTHENTIC_WAIT);
}

/* Can local events have made the clock wrong by that, give or take what a slew
 * can mend?  A snapshot may be of any age, but not of the future. */
static bool
is_explained(const struct steer *st, double offset)
{
	return fabs(offset) <= st->explained + SLEW_MOST ||
	    (st->behind && offset > 0);
}

/* Something happened here that may be answered by a step: the machine slept or
 * was moved, or somebody else set the clock.  It explains an offset as large as
 * that event can have caused, but no larger one. */
static void
answer_disruption(struct steer *st, const struct electorate *e,
    const struct instant *now)
{
	double offset = seconds(discipline_offset(&st->disc, now));
	bool explained = e->vouch &&
	    fabs(offset) > fmax(st->disc.path, FOREIGN_LEAST / 2) &&
	    is_explained(st, offset);

	if (st->disrupted == 0)
		return;
	/* If another program sets the clock all the time, do not set it back
	 * each time.  Slew, and step when the next step is permitted. */
	if (explained && now->raw < st->step_next) {
		if (!st->fight)
			log_line(LOG_CLASS_WARN,
			    "clock is off by %fs again: is another program setting it? Slewing",
			    offset);
		st->fight = true;
		return;
	}
	if (explained && step(st, now))
		st->behind = false; /* it explains one step */
	/* What only a sensor has said, servers may still contradict. */
	if (!is_heard(st))
		return;
	st->disrupted = 0;
	st->fight = false;
}

/* --------------------------------------------------------- what is doubted */

/* The clock was right, and now all servers say that it is not, though nothing
 * has happened here that explains it.  Whoever forwards their packets can make
 * them say so.  Therefore we wait for as long as the clock was right before,
 * but at most JUMP_WAIT, and then for a reply that says so again. */
static bool
waits_for_jump(struct steer *st, const struct instant *now)
{
	double offset = seconds(discipline_offset(&st->disc, now));
	/* A clock may have drifted since it was right, but a reply shows that
	 * only if it came later. */
	double may = st->disc.path + UNSYNCED_BEYOND + st->explained +
	    confidence_most(&st->freq) *
		fmax(0, seconds(st->disc.heard - st->right_at));
	double wait = fmin(JUMP_WAIT, seconds(st->right_at - st->right_first));

	if (st->right_at == 0 || st->disrupted != 0 || fabs(offset) <= may ||
	    (st->behind && offset > 0))
		return false;
	/* A slew makes the jump smaller.  Any other change is another jump. */
	if (st->jump_until != 0 &&
	    (now->raw < st->jump_until ?
		    fabs(offset - st->jump) <= may :
		    fabs(offset - st->jump / 2) <= fabs(st->jump) / 2 + may))
		return st->disc.heard < st->jump_until;
	st->jump = offset;
	st->jump_until = later(now->raw, wait);
	log_line(LOG_CLASS_CLOCK,
	    st->clock->permission != CLOCK_MAY || fabs(offset) > SLEW_MOST ?
		"time jumped against %d of %d peers by %fs" :
		"time jumped against %d of %d peers by %fs: corrected if it lasts for %.0fs",
	    st->verdict.agree, st->verdict.of, offset, wait);
	ask_constraints(st, CONSTRAINTS_AGAIN);
	return true;
}

/* Does the majority include a server that needs no constraint? */
static bool
trusts(const struct steer *st)
{
	int i;

	for (i = 0; i < st->sources + st->sensors; i++)
		if (steer_source(st, i)->trusted &&
		    steer_source(st, i)->selected >= SELECT_USED)
			return true;
	return false;
}

/* If the constraints say that the clock is wrong, ask them anew.  If they still
 * say so, the clock may be set as at the start. */
static void
check_constraint(struct steer *st, const struct instant *now)
{
	int64_t ahead = now->real - now->raw;
	bool old = st->told.anew_at == 0 ||
	    seconds(now->raw - st->told.anew_at) > ANEW_WITHIN;

	if (st->setting != SETTING_DONE) {
		if (!st->outside_set || !old)
			return;
		/* Nobody has set the clock while the bound was new. */
		st->setting = SETTING_DONE;
		st->outside_set = false;
	}
	/* What has just happened here is answered by a rule of its own. */
	if (st->told.bound.votes == 0 || st->disrupted != 0 || trusts(st) ||
	    bound_check(&st->told.bound, now->raw, ahead) == BOUND_OK) {
		st->outside = 0;
		st->outside_set = false;
		return;
	}
	if (st->outside == 0) {
		st->outside = now->raw;
		log_line(LOG_CLASS_CLOCK,
		    "clock is off by about %.0fs by the constraints",
		    seconds(st->told.bound.ahead - ahead));
	}
	if (old && !st->outside_set)
		ask_constraints(st, CONSTRAINTS_AGAIN);
	/* Those that keep the time would only use up what servers may do, and
	 * while another program steers nothing is set. */
	if (st->outside_set || old || st->kept != 0 ||
	    st->clock->permission == CLOCK_YIELDED ||
	    st->told.bound.made < st->told.anew_at || now->raw < st->step_next)
		return;
	st->outside_set = true;
	st->warm = false; /* it was not right after all */
	st->setting = st->always ? SETTING_ALWAYS : SETTING_AUTO;
	discipline_rest(&st->disc); /* a slew that is due would never begin */
	st->disrupted = 0;
	st->fight = false;
	st->wish.again = true;
	st->news = true;
}

/* If nobody has vouched for the frequency for long, use a confirmed one. */
static void
check_frequency(struct steer *st, const struct instant *now)
{
	double silent = seconds(now->raw - st->disc.heard);
	double freq, old = discipline_freq(&st->disc);
	struct orders o = { .act = true, .leap = st->disc.leap };

	if (st->disc.heard == 0 || st->freq.fell_back ||
	    st->setting != SETTING_DONE ||
	    silent < fmax(HOLD_AFTER, HOLD_POLLS * st->disc.interval))
		return;
	freq = confidence_fallback(&st->freq, old, now->raw);
	discipline_hold(&st->disc, freq, st->freq.known ? DRIFT_SD : 0, now);
	discipline_limit(&st->disc, confidence_most(&st->freq));
	/* Order it now: while a jump is doubted, steer gives no orders. */
	o.freq = freq;
	o.max_error = discipline_bound(&st->disc, now);
	o.est_error = st->disc.sd;
	o.synced = st->synced;
	(void)obey(st, &o);
	if (fabs(freq - old) >= LOG_FREQ)
		log_line(LOG_CLASS_STATE,
		    "no majority for %.0fs: the frequency returns to the last confirmed one",
		    silent);
}

/* May the offset not be stepped, and would it be slewed for days? */
static bool
is_too_far(struct steer *st, const struct instant *now)
{
	double offset = seconds(discipline_offset(&st->disc, now));

	if (fabs(offset) <= SLEW_MOST) {
		st->far_said = false;
		return false;
	}
	if (!st->far_said) {
		log_line(LOG_CLASS_CLOCK,
		    st->clock->permission != CLOCK_MAY ?
			"clock is off by %fs" :
			st->always ?
			"clock is off by %fs, too far to slew: restart to set it" :
			"clock is off by %fs, too far to slew: restart with -s to set it",
		    offset);
		clock_unsync(st->clock);
	}
	st->far_said = true;
	return true;
}

/* Put those sources into st->candidate that were refused for nothing but their
 * root distance.  Returns how many there are. */
static int
gather_far(struct steer *st, int64_t raw)
{
	int i, n = 0;

	for (i = 0; i < st->sources; i++) {
		struct candidate *c = &st->candidate[n];

		if ((st->conf->nts_require && !st->source[i].authentic) ||
		    !source_resort(&st->source[i], raw, c) ||
		    !is_admitted(st, c))
			continue;
		c->follows = !may_vote(st, c);
		c->index = i;
		c->freq = st->disc.freq;
		n++;
	}
	return n;
}

/* No server answers whose root is near enough.  Those whose root is too far may
 * set the clock at start if they are a majority of all servers, silent ones
 * included, and if the clock is wrong by more than they themselves can be.
 * After that they are forgotten: they do not steer the clock. */
static void
set_by_far(
    struct steer *st, const struct electorate *e, const struct instant *now)
{
	double waited = seconds(now->raw - st->told.first_sent);
	int n = gather_far(st, now->raw);
	char text[ADDRESS_TEXT];
	struct verdict v;

	if (waited < FAR_WAIT || st->told.names_open ||
	    !select_vote(st->candidate, n, &v) ||
	    awaits_authentic(st, v.authentic, waited) ||
	    v.agree * 2 <= e->of[v.authentic].counted ||
	    (st->warm && waited < SET_WAIT &&
		!is_full_majority(&e->of[v.authentic], v.agree)) ||
	    fabs(seconds(v.ahead - (now->real - now->raw))) <=
		(st->warm ? SLEW_MOST : v.distance))
		return;
	v.leap = LEAP_NONE;
	st->verdict = v;
	log_line(LOG_CLASS_CLOCK,
	    "no peer is near enough to its root: setting the clock by %s, which may be off by %.0fs",
	    steer_name(steer_source(st, v.system), text), v.distance);
	discipline_learn_time(&st->disc, &v);
	st->status = step(st, now) ? 0 : 2;
	st->setting = SETTING_DONE;
	discipline_forget(&st->disc);
	clock_unsync(st->clock);
}

/* A majority says so. */
static void
take_verdict(
    struct steer *st, const struct verdict *v, const struct instant *now)
{
	if (st->kept != 0)
		log_line(LOG_CLASS_STATE, "servers keep the time again");
	st->kept = st->kept_heard = 0;
	st->kept_learnt = false;
	/* What was right by the word of others is no reason to wait. */
	if (v->authentic && !st->verdict.authentic)
		st->right_at = st->jump_until = 0;
	st->verdict = *v;
	st->no_majority_said = false;
	/* Leap seconds come at the end of a month only (RFC 5905 §7.3, ITU-R
	 * TF.460), but the kernel would insert one at any midnight. */
	if (!calendar_last_day(now->real / NS_PER_S))
		st->verdict.leap = LEAP_NONE;
}

/* Find out anew what the sources together say of the time. */
static void
elect(struct steer *st, const struct instant *now)
{
	struct electorate e;
	struct verdict v;

	st->news = false;
	gather_candidates(st, now->raw, &e);
	st->stood = e.n;
	st->wish.elected = true;
	/* One server outside is not enough while others may still answer. */
	if (e.sound == 0 &&
	    select_first(e.of[false].counted, e.broken, e.broken,
		seconds(now->raw - st->told.first_sent)))
		ask_constraints(st, CONSTRAINTS_BROKEN);
	if (e.of[false].voters == 0 && st->setting == SETTING_ALWAYS) {
		set_by_far(st, &e, now);
		if (st->setting == SETTING_DONE)
			return;
	}
	st->elected = select_vote(st->candidate, e.n, &v);
	/* Without a majority the last verdict stays: it is what we serve, and
	 * it knows of a leap second.  Only the votes are new. */
	st->verdict.agree = v.agree;
	st->verdict.of = v.of;
	if (!st->elected) {
		confidence_doubt(&st->freq);
		name_disagreeing(st, &e);
		return;
	}
	/* After a fallback, or while constraints keep the time, a majority of
	 * the same old samples is too little. */
	if ((st->freq.fell_back || st->kept != 0) && v.heard <= st->disc.heard)
		return;
	take_verdict(st, &v, now);
	find_vouchers(st, &e);
	name_falsetickers(st, &e);
	select_join(&st->disc.joint, st->candidate, e.n, &st->verdict);
	if (st->verdict.heard > st->disc.heard &&
	    confidence_vote(&st->freq, &st->verdict, &st->told.bound))
		ask_constraints(st, CONSTRAINTS_AGAIN);
	discipline_limit(&st->disc, confidence_most(&st->freq));
	discipline_learn(&st->disc, &st->verdict,
	    steer_source(st, st->verdict.system)->interval);
	if ((st->setting != SETTING_DONE && !set_at_start(st, &e, now)) ||
	    (st->disrupted != 0 && !have_spoken(st, &e, now)))
		discipline_rest(&st->disc); /* do not slew before that */
	else
		answer_disruption(st, &e, now);
}

/* ------------------------------------------------------ kept by constraints */

/* Raw time from which on constraints keep the time, unless a server tells it.
 * If servers have told it, that is before their silence would make the clock
 * unsynced. */
static int64_t
keep_from(const struct steer *st)
{
	if (st->keepers == 0)
		return NEVER;
	return st->verdict.heard == 0 ?
	    later(st->began, KEEP_AFTER) :
	    later(st->verdict.heard, st->silent_most / 2);
}

/* With -s the clock may still be set once, as at the start: if more than half
 * of all "timekeeping" lines say that it is wrong by more than a slew can mend.
 * That is for machines without a battery, and the least that helps them. */
static void
set_by_kept(struct steer *st, const struct instant *now)
{
	double offset = seconds(discipline_offset(&st->disc, now));

	if (st->setting == SETTING_ALWAYS && !st->outside_set &&
	    st->told.kept->agree * 2 > st->keepers && fabs(offset) > SLEW_MOST)
		st->status = step(st, now) ? 0 : 2;
	st->setting = SETTING_DONE;
	st->outside_set = false; /* servers may still set it */
}

/* While no server tells the time, follow what the constraints say of it, if
 * that is surer than what the servers have left behind, or contradicts it. */
static void
keep(struct steer *st, const struct instant *now)
{
	const struct verdict *v = st->told.kept;
	double offset = seconds(discipline_offset(&st->disc, now));
	double sure = discipline_bound(&st->disc, now) - fabs(offset);

	st->keeping = now->raw >= keep_from(st);
	if (!st->keeping || v == NULL || v->raw <= st->kept ||
	    bound_check(&st->told.bound, v->raw, v->ahead) != BOUND_OK)
		return;
	if (st->kept == 0)
		log_line(LOG_CLASS_STATE,
		    "no server tells the time: constraints keep it, %d of %d agree",
		    v->agree, v->of);
	st->kept = v->raw;
	st->kept_heard = v->heard;
	st->kept_learnt |= v->distance < sure ||
	    fabs(seconds(v->ahead - (now->real - now->raw)) - offset) >
		v->distance + sure;
	/* What has happened here is known by now, and they only slew.  What they
	 * cannot mend is left to servers. */
	if (st->disrupted != 0 && v->heard >= st->disrupted &&
	    fabs(seconds(v->ahead - (now->real - now->raw))) <= SLEW_MOST) {
		st->disrupted = 0;
		discipline_again(&st->disc);
	}
	if (!st->kept_learnt && st->setting == SETTING_DONE)
		return;
	/* Dates know the time too coarsely for the rules of a jump: servers
	 * that come back are not to wait. */
	st->right_at = st->jump_until = 0;
	if (v->freq_sd < st->disc.freq_sd)
		discipline_learn(&st->disc, v, KEEP_INTERVAL);
	else
		discipline_learn_time(&st->disc, v);
	if (st->setting != SETTING_DONE)
		set_by_kept(st, now);
}

/* ---------------------------------------------------------------- the clock */

static void
log_orders(struct steer *st, const struct orders *o, int64_t raw)
{
	double offset = seconds(o->phase);
	bool news = fabs(offset) >= LOG_OFFSET &&
	    (fabs(offset - st->offset_logged) >= LOG_OFFSET ||
		raw >= st->offset_logged_at);

	/* Each reply renews the order, which is news only if it has changed. */
	log_line(news ? LOG_CLASS_INFO : LOG_CLASS_DETAIL,
	    "adjusting local clock by %fs", offset);
	if (news) {
		st->offset_logged = offset;
		st->offset_logged_at = later(raw, LOG_OFFSET_EVERY);
	}
	if ((fabs(o->freq) > CLOCK_FREQ_MOST) != st->tick_said) {
		st->tick_said = !st->tick_said;
		log_line(LOG_CLASS_INFO,
		    st->tick_said ?
			"clock frequency of %fppm is beyond 500ppm: set by the length of the tick" :
			"clock frequency of %fppm is within 500ppm again",
		    o->freq * 1e6);
	}
	if (fabs(o->freq - st->freq_logged) < LOG_FREQ ||
	    raw < st->freq_logged_at)
		return;
	log_line(LOG_CLASS_INFO, "adjusting clock frequency by %f to %fppm%s",
	    (o->freq - st->freq_logged) * 1e6, o->freq * 1e6,
	    st->drift_known ? "" : " (no drift file)");
	st->freq_logged = o->freq;
	st->freq_logged_at = later(raw, LOG_FREQ_EVERY);
}

/* The clock becomes synced or unsynced.  The log is told by tell_sync. */
static void
say_synced(struct steer *st, bool synced, const char *text)
{
	char state[80];

	st->synced = synced;
	st->sync_text = text;
	if (!synced)
		clock_unsync(st->clock);
	(void)snprintf(state, sizeof state, "STATUS=%s", text);
	notify_supervisor(state);
}

double
steer_patience(const struct steer *st)
{
	return fmax(st->silent_most, SILENT_POLLS * st->disc.interval);
}

static void
track_sync(struct steer *st, const struct instant *now)
{
	double offset = fabs(seconds(discipline_offset(&st->disc, now)));
	bool kept = st->kept != 0;
	double most = kept ? KEEP_SILENT : steer_patience(st);
	/* An answer that is strange to what was known ends no silence: the
	 * clock may be what is wrong. */
	double silent = seconds(now->raw - (kept ? st->kept_heard :
	    st->synced ? st->told.last_heard : st->disc.heard));
	/* Replies without a majority tell no time either. */
	bool stale = st->disc.have &&
	    seconds(now->raw - (kept ? st->kept_heard : st->disc.raw)) > most;

	/* If we should keep the clock right but are not permitted to, nobody
	 * can vouch for it.  With -x this is what the user wants. */
	bool denied = st->clock->permission == CLOCK_DENIED;
	bool steered = st->disc.have && st->setting == SETTING_DONE;
	bool lost = denied || stale || st->outside != 0 ||
	    (steered && offset > st->disc.path + UNSYNCED_BEYOND);

	if (st->synced && silent > most && !denied)
		say_synced(
		    st, false, "clock is now unsynced due to lack of replies");
	else if (st->synced && lost)
		say_synced(st, false, "clock is now unsynced");
	else if (!st->synced && steered && !lost && silent < most &&
	    (st->disrupted == 0 || st->fight || is_sensed(st)) &&
	    offset <= st->disc.path + SYNCED_WITHIN)
		say_synced(st, true,
		    kept ? "clock is now synced by constraints" :
			   "clock is now synced");
	if (!st->synced || !steered)
		return;
	st->last_sync = st->disc.raw + (now->real - now->raw);
	if (st->kept_learnt)
		return;
	if (st->right_at == 0)
		st->right_first = now->raw;
	st->right_at = now->raw;
	if (st->jump_until > now->raw)
		log_line(LOG_CLASS_STATE, "the jump of the peers is over");
	st->jump_until = 0;
	if (st->disrupted == 0) {
		st->explained = 0;
		st->behind = false;
	}
}

static void
steer(struct steer *st, const struct instant *now)
{
	struct orders o;

	if (st->setting != SETTING_DONE || now->raw < st->disc.due)
		return;
	if (st->clock->permission == CLOCK_YIELDED ||
	    waits_for_jump(st, now) || is_too_far(st, now) ||
	    st->clock->permission != CLOCK_MAY) {
		/* No slew is to be watched each second: await a reply. */
		discipline_rest(&st->disc);
		return;
	}
	o = discipline_turn(&st->disc, now);
	if (!o.act)
		return;
	o.synced = st->synced;
	log_orders(st, &o, now->raw);
	(void)obey(st, &o);
}

/* A container has no directory for the drift file, or may not write it.  That
 * is worth no warning. */
static bool
is_usual(int error)
{
	return error == ENOENT || error == ENOTDIR || error == EROFS;
}

void
steer_save(struct steer *st, int64_t raw)
{
	double freq = discipline_freq(&st->disc);

	if (!st->disc.have || st->clock->permission != CLOCK_MAY ||
	    !st->synced || raw < st->drift_due || st->disc.freq_sd > DRIFT_SD ||
	    fabs(freq - st->drift_saved) < DRIFT_CHANGE)
		return;
	/* For a frequency that no crystal needs, one server is not enough. */
	if (fabs(freq) > FREQ_USUAL &&
	    !(st->freq.far &&
		(st->told.bound.votes > 0 || st->verdict.agree > 1)))
		return;
	st->drift_due = later(raw, DRIFT_EVERY);
	if (drift_write(st->drift_path, freq) < 0) {
		if (!st->drift_failed)
			log_line(st->drift_missing && is_usual(errno) ?
				LOG_CLASS_DEBUG :
				LOG_CLASS_WARN,
			    "can't write %s: %s", st->drift_path,
			    strerror(errno));
		st->drift_failed = true;
		return;
	}
	if (st->drift_missing)
		log_line(LOG_CLASS_INFO, "creating new %s", st->drift_path);
	st->drift_missing = st->drift_failed = false;
	st->drift_known = true;
	st->drift_saved = freq;
}

/* ---------------------------------------------------------------- the start */

/* s without any reply after which the clock is no longer known to be right. */
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

/* Take from the configuration what does not change between two readings. */
static void
use_conf(struct steer *st, const struct conf *conf)
{
	int i;

	st->conf = conf;
	st->silent_most = silent_most(conf);
	st->drift_path = drift_path(conf);
	st->keepers = st->authentics = 0;
	for (i = 0; i < conf->servers; i++)
		st->authentics += conf->server[i].nts ||
		    conf->server[i].key.id != 0;
	for (i = 0; i < conf->constraints; i++)
		st->keepers += conf->constraint[i].timekeeping;
}

static void
say_unbelieved(double freq, double instead)
{
	log_line(LOG_CLASS_WARN,
	    "a clock frequency of %fppm is not believed without a second witness: beginning with %fppm",
	    freq * 1e6, instead * 1e6);
}

/* How much of this frequency is believed at the start.  One that no crystal
 * needs is believed only if it is known: if the kernel and the drift file agree
 * on it.  The log says so if it is cut. */
static double
believable(double freq, bool known)
{
	double most = known ? FREQ_FAR : FREQ_USUAL;
	double most_of_it = fmax(-most, fmin(most, freq));

	if (fabs(freq) > most)
		say_unbelieved(freq, most_of_it);
	return most_of_it;
}

/* The frequency in the drift file, or 0.  Unless that is usual, say why. */
static double
known_drift(struct steer *st)
{
	double freq = 0;

	if (drift_read(st->drift_path, &freq) == 0) {
		st->drift_known = true;
		st->drift_saved = freq;
	} else if (errno == ENODATA)
		log_line(LOG_CLASS_WARN, "%s is empty", st->drift_path);
	else if (errno == EINVAL)
		log_line(LOG_CLASS_WARN,
		    "%s holds no frequency in ppm: ignored", st->drift_path);
	else if (errno == ENOENT || errno == ENOTDIR)
		st->drift_missing = true; /* this is the first start */
	else
		log_line(LOG_CLASS_DEBUG, "no drift file %s: %s", st->drift_path,
		    strerror(errno));
	return freq;
}

void
steer_start(struct steer *st, const struct instant *now)
{
	struct clock_kernel k = { 0 };
	bool kernel = clock_kernel(&k), known;
	double freq, drift;

	st->seen = *now;
	st->began = now->raw;
	st->setting = st->always ? SETTING_ALWAYS : SETTING_AUTO;
	/* With -q nobody is there to slew it. */
	st->warm = kernel && k.synced && !st->once;
	st->status = 1;
	st->candidate = calloc(
	    (size_t)st->sources + st->sensors + 1, sizeof *st->candidate);
	if (st->candidate == NULL)
		fatal("ntpd: out of memory");
	use_conf(st, st->conf);
	st->drift_saved = HUGE_VAL;
	drift = freq = known_drift(st);
	known = st->drift_known;
	if (kernel && k.synced && fabs(k.freq) > NO_FREQ) {
		log_line(st->start,
		    "adjtimex returns frequency of %fppm", k.freq * 1e6);
		freq = k.freq;
		known = fabs(freq) <= FREQ_USUAL ||
		    (known && fabs(freq - drift) <= WITNESS_WITHIN);
		if (!known && st->drift_known && fabs(drift) <= FREQ_USUAL) {
			say_unbelieved(freq, drift);
			freq = drift;
			known = true;
		}
	} else {
		known &= fabs(freq) <= FREQ_USUAL;
		if (!st->drift_known)
			freq = k.freq;
	}
	freq = believable(freq, known);
	if (st->clock->permission == CLOCK_MAY && !(kernel && k.synced))
		log_line(st->start,
		    "adjtimex adjusted frequency by %fppm", freq * 1e6);
	discipline_start(&st->disc, freq, known);
	confidence_start(&st->freq, st->disc.freq, known, st->began);
	discipline_limit(&st->disc, confidence_most(&st->freq));
	if (!st->once)
		clock_begin(st->clock, freq);
	st->freq_logged = freq;
}

void
steer_reload(struct steer *st, const struct conf *conf, struct source *source,
    int sources, struct candidate *candidate, const int to[])
{
	int system = st->verdict.system;

	system = system < st->sources ? to[system] :
					system - st->sources + sources;
	st->elected = st->elected && system >= 0;
	st->verdict.system = st->elected ? system : 0;
	free(st->candidate);
	st->candidate = candidate;
	st->stood = 0;
	st->source = source;
	st->sources = sources;
	if (strcmp(drift_path(conf), st->drift_path) != 0) {
		st->drift_saved = HUGE_VAL; /* write the new one soon */
		st->drift_due = 0;
		st->drift_missing = st->drift_failed = false;
	}
	use_conf(st, conf);
	st->news = true;
}

/* ------------------------------------------------------------- disruptions */

/* Something happened here.  It has a rule of its own, so that of a start, which
 * constraints have called for, does not apply any more. */
static void
leave_start(struct steer *st)
{
	if (!st->outside_set)
		return;
	st->setting = SETTING_DONE;
	st->outside_set = false;
}

/* Raw time had a gap that may have been so long: all samples are void, and
 * nobody knows the time. */
static void
forget(struct steer *st, double gap, int64_t raw)
{
	leave_start(st);
	st->disrupted = raw;
	st->fight = false; /* samples from before it are void */
	st->explained += gap;
	st->warm = false;
	discipline_forget(&st->disc);
	confidence_gap(&st->freq);
	st->elected = false;
	say_synced(st, false, "clock is now unsynced");
	st->sync_text = NULL;
	st->gaps++;
	st->wish.forget = true;
}

void
steer_jumped(struct steer *st, double jump, int64_t raw)
{
	st->disruptions[DISRUPTION_JUMPED]++;
	log_line(LOG_CLASS_INFO,
	    "time jumped by %fs against a trusted sensor: asking all peers again",
	    jump);
	forget(st, fabs(jump), raw);
}

/* Raw time stood still while the machine slept, so all samples are void. */
static void
notice_sleep(struct steer *st, const struct instant *now)
{
	double slept = clock_slept(st->clock);

	if (slept <= 0)
		return;
	st->disruptions[DISRUPTION_SLEEP]++;
	log_line(LOG_CLASS_INFO,
	    "machine slept for %.1fs: asking all peers again", slept);
	st->seen = *now; /* the real clock went on, but nobody set it */
	forget(st, slept, now->raw);
}

/* Was the machine moved to another host, or restored from a snapshot?  Nobody
 * tells how old that is, and the counter may be another one. */
static void
notice_move(struct steer *st, const struct instant *now)
{
	bool restored = st->told.machine == MACHINE_RESTORED;

	if (st->told.machine == MACHINE_SAME)
		return;
	st->told.machine = MACHINE_SAME;
	st->disruptions[restored ? DISRUPTION_RESTORED : DISRUPTION_MOVED]++;
	if (!pace_may(&st->moves, now->raw, MOVES_AT_ONCE, MOVES_EVERY))
		return;
	log_line(LOG_CLASS_INFO,
	    restored ?
		"machine was restored from a snapshot: asking all peers again" :
		"machine was moved to another host: asking all peers again");
	st->seen = *now;
	forget(st, 0, now->raw);
	st->behind = true;
	st->step_next = now->raw; /* a step before the snapshot counts no more */
	discipline_hold(
	    &st->disc, discipline_freq(&st->disc), COUNTER_SD, now);
	confidence_start(&st->freq, st->disc.freq, false, now->raw);
	discipline_limit(&st->disc, confidence_most(&st->freq));
}

/* Has the kernel inserted or deleted the leap second that the servers
 * announced?  Their time did the same, so all that is known moves with it.  The
 * kernel must be told that it is over, or it would not take the next one. */
static bool
notice_leap(struct steer *st, const struct instant *now, double moved)
{
	int64_t midnight = (st->seen.real / DAY + 1) * DAY;
	int64_t ns = st->disc.leap == LEAP_INSERT ? -NS_PER_S : NS_PER_S;

	if ((st->disc.leap != LEAP_INSERT && st->disc.leap != LEAP_DELETE) ||
	    fabs(moved - seconds(ns)) > LEAP_WITHIN ||
	    now->real < midnight - NS_PER_S)
		return false;
	st->wish.leapt = ns;
	discipline_leapt(&st->disc, ns);
	st->verdict.leap = LEAP_NONE;
	confidence_leapt(&st->freq, ns);
	st->news = true;
	log_line(
	    LOG_CLASS_INFO, "leap second %s", ns < 0 ? "inserted" : "deleted");
	return true;
}

/* Has the system clock moved against the raw clock as no slew can move it? */
static void
notice_foreign_step(struct steer *st, const struct instant *now)
{
	double moved =
	    seconds((now->real - now->raw) - (st->seen.real - st->seen.raw));
	double dt = seconds(now->raw - st->seen.raw);
	bool told = clock_was_set(st->clock);
	bool leapt = notice_leap(st, now, moved);

	st->seen = *now;
	if (leapt)
		return;
	if (fabs(moved - st->clock->last.freq * dt) <= FOREIGN_LEAST +
		(told ? fabs(seconds(st->clock->last.phase)) + TOLD_RATE * dt :
			SLEW_RATE * dt)) {
		/* The step has reset the kernel's PLL and status. */
		if (told && st->clock->given && st->setting == SETTING_DONE)
			discipline_again(&st->disc);
		return;
	}
	st->disruptions[DISRUPTION_SET]++;
	st->warm = false;
	/* Until we have answered it, further steps are no news. */
	log_line(st->disrupted != 0 || st->clock->permission == CLOCK_YIELDED ?
		LOG_CLASS_DEBUG : LOG_CLASS_WARN,
	    "something else set the clock by %fs", moved);
	leave_start(st);
	if (st->setting != SETTING_DONE)
		return;
	st->explained += fabs(moved);
	if (st->clock->permission == CLOCK_YIELDED)
		return;
	if (st->synced)
		say_synced(st, false, "clock is now unsynced");
	st->fight &= st->disrupted != 0;
	st->disrupted = now->raw;
	st->wish.again = true;
	ask_constraints(st, CONSTRAINTS_AGAIN);
}

/* Another program steers the clock as well: stand down to measuring, or come
 * back when it is gone.  If it has set the clock meanwhile, that is answered
 * then as any such event is. */
static void
notice_rival(struct steer *st, const struct instant *now)
{
	/* We woke up for this.  A request that leaves at the same time saves
	 * the next wake-up. */
	bool woken = now->raw >= clock_due(st->clock);
	enum rival_news news = clock_news(st->clock, now->raw);
	bool wrong = st->explained > 0 || st->behind;

	st->wish.early |= woken;
	if (news == RIVAL_QUIET)
		return;
	if (news == RIVAL_STEERS)
		log_line(LOG_CLASS_CLOCK,
		    st->clock->permission == CLOCK_YIELDED ?
			"only measuring: %s" :
			"%s (clock owner fight: going on)",
		    st->clock->remedy);
	if (st->clock->permission == CLOCK_YIELDED)
		st->disrupted = st->jump_until = 0;
	if (news == RIVAL_IS_GONE) {
		log_line(LOG_CLASS_STATE,
		    st->conf->owner == OWNER_YIELD ?
			"no other program steers the clock any more: steering it again" :
			"steering the clock again, by the word \"clock owner\"");
		st->right_at = 0; /* where the clock is now is no jump */
		st->wish.again = wrong;
		st->disrupted = wrong ? now->raw : 0;
	}
	/* Our orders are lost; but what was set is answered by servers first. */
	if (st->setting == SETTING_DONE && st->disrupted == 0)
		discipline_again(&st->disc);
}

/* --------------------------------------------------------- the set at start */

static void
turn_setting(struct steer *st, const struct instant *now)
{
	double waited = seconds(now->raw - st->began);

	if (st->told.first_sent != 0 && st->setting != SETTING_DONE &&
	    seconds(now->raw - st->told.first_sent) >= SET_NAMES && !st->over)
		st->news |= st->disc.have;
	if (waited < SET_WAIT || st->over)
		return;
	st->over = true;
	if (st->setting == SETTING_DONE)
		return;
	st->missed = true;
	if (!st->once && st->setting == SETTING_AUTO) {
		st->setting = SETTING_DONE;
		st->news = true; /* from now on the clock may be slewed */
	}
}

/* The raw time at which those who have answered are enough to set the clock. */
static int64_t
next_set(const struct steer *st)
{
	int64_t names = later(st->told.first_sent, SET_NAMES);
	int64_t first = later(st->told.first_sent, FIRST_WAIT);
	int64_t warm = later(st->told.first_sent, WARM_WAIT);
	int64_t authentic = later(st->told.first_sent, AUTHENTIC_WAIT);

	return st->seen.raw < names	      ? names :
	    st->seen.raw < first	      ? first :
	    st->warm && st->seen.raw < warm ? warm :
	    st->authentics > 0 && st->seen.raw < authentic ?
					      authentic :
					      NEVER;
}

/* ---------------------------------------------------------------- the whole */

void
steer_notice(struct steer *st, const struct instant *now)
{
	notice_sleep(st, now);
	notice_move(st, now);
	notice_foreign_step(st, now);
	notice_rival(st, now);
}

void
steer_elect(struct steer *st)
{
	st->news = true;
}

void
steer_turn(struct steer *st, const struct instant *now)
{
	turn_setting(st, now);
	check_constraint(st, now);
	if (st->news)
		elect(st, now);
	keep(st, now);
	track_sync(st, now);
	check_frequency(st, now);
	steer(st, now);
}

int64_t
steer_due(const struct steer *st)
{
	int64_t due = sooner(st->disc.due, clock_due(st->clock));

	if (!st->keeping)
		due = sooner(due, keep_from(st));
	if (st->over || (st->setting == SETTING_DONE && !st->once))
		return due;
	due = sooner(due, later(st->began, SET_WAIT));
	if (st->told.first_sent != 0 && st->disc.have)
		due = sooner(due, next_set(st));
	return due;
}

void
steer_end(struct steer *st, const struct instant *now)
{
	st->drift_due = now->raw;
	steer_save(st, now->raw);
	if (st->clock->given && !st->freq.known &&
	    st->disc.freq_sd > GUESS_SD)
		clock_begin(st->clock, st->freq.confirmed);
	clock_end(st->clock);
}
