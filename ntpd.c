/*
 * ntpd.c - options, the daemon's one struct, the loop, and every decision that
 * is worth a line in the log.
 *
 * A turn asks the rooms what is due and carries it out; then the loop waits
 * for what they wait for, and bytes become events.  Nothing here does NTP
 * arithmetic: what a reply means is source.c's, what the servers together mean
 * select.c's, what the kernel is told discipline.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ntpd.h"

#define DNS_SECONDS 6.0		/* for one name lookup */
#define SET_WAIT 15.0		/* s until "skipping initial time setting" */
#define SET_FIRST 2.5		/* s: as in select_first */
#define AUTO_LEAST 60.0		/* s: OpenNTPD's automatic rule sets from here */
#define SLEW_MOST 600.0		/* s: larger offsets are not slewed for days */
#define LOG_OFFSET 0.032	/* s: OpenNTPD's LOG_NEGLIGIBLE_ADJTIME */
#define LOG_FREQ 0.05e-6	/* ratio: its LOG_NEGLIGIBLE_ADJFREQ */
#define LOG_FREQ_EVERY 900.0	/* s between such lines */
#define SYNCED_WITHIN 1e-3	/* s, plus the distance: then we are synced */
#define UNSYNCED_BEYOND 0.128	/* s, plus the distance: then no longer
				   (RFC 5905's step threshold) */
#define SILENT_MOST 3072.0	/* s without any reply: three longest polls */
#define FOREIGN_LEAST 0.1	/* s: a jump of real against raw that no slew
				   of ours explains */
#define SLEW_RATE 0.15		/* of ours, at most, with a margin */
#define STEP_EVERY 60.0		/* s between steps; doubles, at most an hour */
#define DRIFT_EVERY 3600.0	/* s between writes of the drift file */
#define DRIFT_CHANGE 0.01e-6	/* ratio worth writing */
#define DRIFT_SD 1e-6		/* frequency known to this is worth writing */
#define RESTART_AGE 60.0	/* s: filters restarted together within it */

enum { CONF_MOST = 4 << 20 };	/* bytes: an endless file is an error */

struct options {
	bool foreground, check, once, measure;
	enum { SET_AUTO, SET_ALWAYS } set;
	int verbose;
	const char *conf, *pid;
};

/* Whether the clock is still to be set at start. */
enum setting { SETTING_AUTO, SETTING_ALWAYS, SETTING_DONE };

struct daemon {
	struct options opt;
	struct conf conf;
	const char *conf_name;		/* for messages */

	struct line *line;		/* one a conf.server */
	int *slice;			/* its first source; [servers] is the end */
	struct source *source;
	int *fd;			/* of the request under way, or -1 */
	int *error;			/* errno logged last for it, 0: none */
	int sources, sharing;
	struct candidate *candidate;

	struct bound bound;
	struct discipline disc;
	struct verdict verdict;
	bool elected, dirty;		/* verdict holds; new samples came */
	struct clock clock;
	struct helpers helpers;

	enum setting setting;
	bool set_line;			/* "skipping" was said */
	int64_t began, first_sent;	/* raw */
	bool synced;
	int64_t last_heard;		/* raw: last accepted reply */
	int64_t last_sync;		/* real */
	int64_t disrupted;		/* raw, 0: no */
	int64_t step_next;		/* raw: no other step before */
	double step_wait;		/* s */
	struct instant seen;		/* of the last turn */
	double freq_logged;
	int64_t freq_logged_at;		/* raw */
	bool far_said, no_majority_said;
	double last_step;		/* s */

	const char *drift_path;
	double drift_saved;
	int64_t drift_due;
	bool drift_known, drift_missing, drift_failed;

	int status;			/* exit status of -q */
	bool quit, daemon;		/* to end; in the background */
};

static volatile sig_atomic_t got_quit, got_child;

static double
seconds(int64_t ns)
{
	return (double)ns / (double)NS_PER_S;
}

static int64_t
later(int64_t raw, double s)
{
	return raw + (int64_t)(s * (double)NS_PER_S);
}

/* Random bits: never waits for a kernel that has not gathered enough yet. */
static uint64_t
random_bits(void)
{
	static uint64_t fallback;
	struct instant now;
	uint64_t bits;

	if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) == sizeof bits)
		return bits;
	now = clock_read();
	fallback = (fallback ^ (uint64_t)now.raw) * 0x9e3779b97f4a7c15u +
	    (uint64_t)now.real;
	return fallback;
}

/* [0, 1), from bits. */
static double
fraction(uint64_t bits)
{
	return (double)(bits >> 11) * 0x1p-53;
}

/* The system clock's offset to a source's sample, as OpenNTPD shows it. */
static double
shown_offset(const struct sample *s, const struct instant *now)
{
	return seconds(s->ahead - (now->real - now->raw));
}

/* ----------------------------------------------------------- asking servers */

static bool
is_starting(const struct daemon *d)
{
	return d->setting != SETTING_DONE || !d->disc.have;
}

static int
line_of(const struct daemon *d, int i)
{
	return d->source[i].line;
}

static void
close_exchange(struct daemon *d, int i)
{
	if (d->fd[i] >= 0)
		(void)close(d->fd[i]);
	d->fd[i] = -1;
}

static int
next_query(const struct source *s, int64_t raw)
{
	return s->due == NEVER ? 0 : (int)lrint(fmax(0, seconds(s->due - raw)));
}

/* Put a source of this line where it should be, if that is elsewhere. */
static void
settle_address(struct daemon *d, int i, int64_t raw)
{
	struct line *l = &d->line[line_of(d, i)];
	struct source *s = &d->source[i];
	const struct address *to;
	char text[ADDRESS_TEXT];

	to = line_replace(l, s, d->source, d->sources);
	if (to == NULL)
		return;
	if (l->pool && s->state != SOURCE_UNRESOLVED)
		log_line(LOG_CLASS_DEBUG, "Adding address %s to %s",
		    net_text(to, text), d->conf.server[s->line].name);
	if (source_valid(s))
		log_line(LOG_CLASS_INFO, "peer %s now invalid",
		    net_text(&s->address, text));
	close_exchange(d, i);
	d->error[i] = 0;
	source_move(s, l, to, raw, is_starting(d), d->disc.freq,
	    d->disc.freq_sd);
}

static void
settle_line(struct daemon *d, int line, int64_t raw)
{
	int i;

	for (i = d->slice[line]; i < d->slice[line + 1]; i++)
		settle_address(d, i, raw);
}

/* connect(2) or send(2) said no.  Quiet: another address may do. */
static void
unreachable(struct daemon *d, int i, int64_t raw, int error)
{
	struct source *s = &d->source[i];
	char text[ADDRESS_TEXT];

	close_exchange(d, i);
	source_failed(s, raw, is_starting(d), fraction(random_bits()));
	if (error != d->error[i])
		log_line(LOG_CLASS_DEBUG, "failed to send query to %s, next query %ds: %s",
		    net_text(&s->address, text), next_query(s, raw),
		    strerror(error));
	d->error[i] = error;
	settle_address(d, i, raw);
}

static void
ask(struct daemon *d, int i, int64_t raw)
{
	struct source *s = &d->source[i];
	const struct conf_server *c = &d->conf.server[s->line];
	const struct address *from =
	    s->address.family == 4 ? &c->from4 : &c->from6;
	uint8_t bytes[NTP_SIZE];
	uint64_t nonce = random_bits();
	int64_t sent;

	close_exchange(d, i);
	d->fd[i] = net_ask(&s->address, from);
	ntp_query(nonce, bytes);
	if (d->fd[i] < 0 || net_send(d->fd[i], bytes, &sent) < 0) {
		unreachable(d, i, raw, errno);
		return;
	}
	source_sent(s, sent, nonce, is_starting(d));
	if (d->first_sent == 0)
		d->first_sent = sent;
}

static void
turn_source(struct daemon *d, int i, int64_t raw)
{
	struct source *s = &d->source[i];
	bool was_valid = source_valid(s);
	char text[ADDRESS_TEXT];

	switch (source_turn(s, raw, is_starting(d), fraction(random_bits()))) {
	case WANT_NOTHING:
		return;
	case WANT_SEND:
		ask(d, i, raw);
		return;
	case WANT_TIMEOUT:
		close_exchange(d, i);
		log_line(LOG_CLASS_DEBUG, "no reply from %s received in time, "
		    "next query %ds", net_text(&s->address, text),
		    next_query(s, raw));
		if (was_valid && !source_valid(s))
			log_line(LOG_CLASS_INFO, "peer %s now invalid", text);
		settle_address(d, i, raw);
		d->dirty = true;
	}
}

/* ------------------------------------------------------------------- names */

static void
look_up(struct daemon *d, int line, int64_t raw)
{
	const struct conf_server *c = &d->conf.server[line];
	struct line *l = &d->line[line];
	struct helper_job job = {
		.kind = HELPER_NAME, .owner = line, .seconds = DNS_SECONDS,
		.work = dns_ask, .question = c->name,
		.size = sizeof(struct dns_answer)
	};

	if (l->numeric) {
		line_found(l, &c->address, 1, raw, is_starting(d));
		settle_line(d, line, raw);
		return;
	}
	if (helper_start(&d->helpers, &job, raw) < 0) {
		if (errno == EAGAIN)		/* soon: others are at it */
			l->lookup_due = later(raw, 0.5);
		else
			line_found(l, NULL, 0, raw, is_starting(d));
		return;
	}
	l->looking = true;
	log_line(LOG_CLASS_DETAIL, "trying to resolve %s", c->name);
}

static void
name_answered(struct daemon *d, const struct helper_result *r, int64_t raw)
{
	const struct conf_server *c = &d->conf.server[r->owner];
	struct line *l = &d->line[r->owner];
	struct dns_answer answer = { .status = EAI_AGAIN };

	if (r->ok)
		memcpy(&answer, r->answer, sizeof answer);
	if (answer.addresses < 0 || answer.addresses > POOL_MAX)
		answer.addresses = 0;
	if (answer.addresses == 0 && l->failures == 0)
		log_line(LOG_CLASS_WARN, "could not resolve \"%s\": %s", c->name,
		    r->late ? "no answer in time" :
		    answer.status ? gai_strerror(answer.status) : "no address");
	log_line(LOG_CLASS_DETAIL, "resolve %s done: %d", c->name,
	    answer.addresses);
	line_found(l, answer.address, answer.addresses, raw, is_starting(d));
	settle_line(d, r->owner, raw);
}

/* ----------------------------------------------------------------- replies */

static void
log_reply(const struct daemon *d, const struct source *s,
    enum source_said said, const struct instant *now)
{
	int next = next_query(s, now->raw);
	char text[ADDRESS_TEXT];

	(void)net_text(&s->address, text);
	switch (said) {
	case SAID_ACCEPTED:
		log_line(LOG_CLASS_DEBUG, "reply from %s: offset %f delay %f, "
		    "next query %ds", text, shown_offset(&s->sample, now),
		    s->sample.delay, next);
		return;
	case SAID_BOUND:
		log_line(s->trust > 0 ? LOG_CLASS_INFO : LOG_CLASS_DEBUG,
		    "reply from %s: constraint check failed", text);
		return;
	case SAID_RATE:
	case SAID_DENY:
		log_line(LOG_CLASS_INFO, "reply from %s: not synced (KoD %s), "
		    "next query %ds", text, said == SAID_RATE ? "RATE" : "DENY",
		    next);
		return;
	case SAID_ALARM:
	case SAID_KISS:
		log_line(LOG_CLASS_DEBUG, "reply from %s: not synced (%s), "
		    "next query %ds", text, source_words[said], next);
		return;
	case SAID_SHORT:
		log_line(LOG_CLASS_DEBUG, "malformed packet received from %s",
		    text);
		return;
	case SAID_ORIGIN:
	case SAID_DUPLICATE:
		return;			/* anybody can send these */
	default:
		log_line(LOG_CLASS_DEBUG, "reply from %s: %s, next query %ds",
		    text, source_words[said], next);
	}
	(void)d;
}

static void
reply(struct daemon *d, int i)
{
	struct source *s = &d->source[i];
	uint8_t bytes[NTP_SIZE + 20];	/* the rest of a datagram is cut off */
	bool was_valid = source_valid(s);
	struct judgement j = { .bound = &d->bound, .sharing = d->sharing };
	struct stamps t = { .sent = s->sent };
	enum source_said said;
	struct instant now;
	char text[ADDRESS_TEXT];
	ssize_t size;
	int error;

	size = net_receive(d->fd[i], bytes, sizeof bytes, s->sent, &t.got,
	    &t.precision);
	now = clock_read();
	if (size < 0) {
		error = errno;
		if (error == EAGAIN || error == EINTR)
			return;
		if (error != d->error[i])
			log_line(d->error[i] == 0 && s->replies > 0 ?
			    LOG_CLASS_WARN : LOG_CLASS_DEBUG, "recvmsg %s: %s",
			    net_text(&s->address, text), strerror(error));
		d->error[i] = error;
		return;		/* an ICMP error is no answer: wait on */
	}
	j.pivot = source_pivot(d->synced, now.real, BUILD_EPOCH * NS_PER_S);
	j.random = fraction(random_bits());
	t.precision += d->clock.precision;
	said = source_reply(s, bytes, (size_t)size, &t, &j);
	log_reply(d, s, said, &now);
	if (s->state != SOURCE_WAITING)
		close_exchange(d, i);
	if (said != SAID_ACCEPTED) {
		d->dirty |= said == SAID_BOUND;
		return;
	}
	d->error[i] = 0;
	d->last_heard = now.raw;
	d->dirty = true;
	if (!was_valid && source_valid(s))
		log_line(LOG_CLASS_INFO, "peer %s now valid",
		    net_text(&s->address, text));
}

/* -------------------------------------------------------------- the verdict */

/* Sources that stand for election, and how many could have. */
struct electorate {
	int n;				/* candidates */
	int counted;			/* sources that can be asked */
	int answered, fresh;		/* of those: since the start; since the
					   disruption */
	bool trusted;			/* one of the candidates is */
};

static void
gather_candidates(struct daemon *d, int64_t raw, struct electorate *e)
{
	int i;

	memset(e, 0, sizeof *e);
	for (i = 0; i < d->sources; i++) {
		struct source *s = &d->source[i];
		struct candidate *c = &d->candidate[e->n];
		enum bound_said said;

		s->selected = SELECT_NONE;
		if (!s->in_use || s->state == SOURCE_UNRESOLVED)
			continue;
		if (s->first_sent != 0 && !s->unreachable &&
		    s->state != SOURCE_STOPPED)
			e->counted++;
		if (!source_candidate(s, raw, c))
			continue;
		e->answered++;
		said = bound_check(&d->bound, c->raw, c->ahead);
		if (said != BOUND_OK && !(s->trusted && said != BOUND_BUILD))
			continue;
		e->fresh += s->sample.raw > d->disrupted;
		e->trusted |= s->trusted;
		c->index = i;
		c->refid = serve_refid(&s->address);
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
		struct source *s = &d->source[c->index];

		if (c->said == SELECT_FALSE && !s->named)
			log_line(LOG_CLASS_INFO, "peer %s is a falseticker: "
			    "%fs apart from the majority",
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
	log_line(LOG_CLASS_WARN, "no majority: %d of %d peers agree; %s and %s "
	    "are %fs apart", d->verdict.agree, d->verdict.of,
	    net_text(&d->source[c[0].index].address, a),
	    net_text(&d->source[c[1].index].address, b),
	    seconds(c[1].ahead - c[0].ahead));
}

static void
remember_restarts(struct daemon *d, const struct electorate *e, int64_t raw)
{
	int i, restarted = 0;

	for (i = 0; i < e->n; i++) {
		const struct source *s = &d->source[d->candidate[i].index];

		restarted += (d->candidate[i].said == SELECT_USED ||
		    d->candidate[i].said == SELECT_SYSTEM) &&
		    s->restarted != 0 &&
		    seconds(raw - s->restarted) < RESTART_AGE;
	}
	/* All of several servers cannot have jumped alike: our raw clock has
	 * (a restored snapshot, a paused machine). */
	if (restarted >= 2 && restarted * 2 > d->verdict.agree &&
	    d->disrupted == 0) {
		log_line(LOG_CLASS_INFO, "time jumped against %d of %d peers",
		    restarted, d->verdict.of);
		d->disrupted = 1;	/* their samples are fresh enough */
	}
}

static void log_set(const struct daemon *, const struct instant *, double);

/* Give orders to the kernel; what it refuses is said once. */
static bool
obey(struct daemon *d, const struct orders *o)
{
	if (clock_obey(&d->clock, o) == 0)
		return true;
	log_line(LOG_CLASS_WARN, "adjtimex failed: %s",
	    strerror(d->clock.error));
	/* learnt at start that it may: a right taken away stays away */
	d->clock.permission = CLOCK_DENIED;
	return false;
}

/* Step by the verdict's word. */
static void
step(struct daemon *d, const struct instant *now)
{
	struct orders o = discipline_turn(&d->disc, now);
	int64_t offset = discipline_offset(&d->disc, now);

	o.act = true;
	o.step = offset;
	o.phase = 0;
	o.freq = d->disc.freq;
	o.max_error = d->verdict.distance;
	o.est_error = d->verdict.sd;
	o.leap = d->verdict.leap;
	o.synced = true;
	if (!obey(d, &o) || d->clock.permission != CLOCK_MAY)
		return;
	d->seen = clock_read();
	d->last_step = seconds(offset);
	d->step_wait = fmin(3600, fmax(STEP_EVERY, 2 * d->step_wait));
	d->step_next = later(now->raw, d->step_wait);
	discipline_stepped(&d->disc);
	log_set(d, &d->seen, seconds(offset));
}

static void
log_set(const struct daemon *d, const struct instant *now, double offset)
{
	time_t t = (time_t)(now->real / NS_PER_S);
	char text[64];
	struct tm tm;

	(void)d;
	if (localtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof text, "%a %b %e %H:%M:%S %Z %Y", &tm) == 0)
		text[0] = '\0';
	log_line(LOG_CLASS_INFO, "set local clock to %s (offset %fs)", text,
	    offset);
}

/* The set at start, when enough has been heard: true when it is decided. */
static bool
set_at_start(struct daemon *d, const struct electorate *e,
    const struct instant *now)
{
	double offset = seconds(discipline_offset(&d->disc, now));
	double waited = seconds(now->raw - d->first_sent);
	bool own_error = fabs(offset) <= d->verdict.distance;

	if (!select_first(e->counted, e->n, d->verdict.agree, waited))
		return false;
	if (d->setting == SETTING_AUTO && offset < AUTO_LEAST) {
		if (d->bound.votes > 0 || e->trusted)
			log_line(LOG_CLASS_INFO, "cancel settime because "
			    "offset is negative or close enough");
		d->setting = SETTING_DONE;
		return true;
	}
	d->setting = SETTING_DONE;
	d->status = 0;
	if (own_error)
		return true;
	if (d->clock.permission != CLOCK_MAY)
		d->status = 2;
	step(d, now);
	return true;
}

/* Did something happen that a step may answer (reliability: suspend, restored
 * snapshot, foreign step), and have the servers spoken since? */
static void
answer_disruption(struct daemon *d, const struct electorate *e,
    const struct instant *now)
{
	double offset = seconds(discipline_offset(&d->disc, now));

	if (d->disrupted == 0 || e->fresh * 2 <= d->verdict.of ||
	    d->verdict.agree * 2 <= d->verdict.of)
		return;
	d->disrupted = 0;
	if (fabs(offset) <= fmax(d->verdict.distance, FOREIGN_LEAST / 2))
		return;
	if (now->raw < d->step_next) {
		log_line(LOG_CLASS_WARN, "clock is off by %fs again: is another "
		    "program setting it? Slewing", offset);
		return;
	}
	step(d, now);
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
	if (!d->far_said)
		log_line(LOG_CLASS_WARN, "clock is off by %fs, too far to slew: "
		    "restart with -s to set it", offset);
	d->far_said = true;
	return true;
}

/* All that is known of the time is put together anew. */
static void
elect(struct daemon *d, const struct instant *now)
{
	struct electorate e;
	int i;

	d->dirty = false;
	gather_candidates(d, now->raw, &e);
	d->elected = select_vote(d->candidate, e.n, &d->verdict);
	d->sharing = 0;
	for (i = 0; i < e.n; i++) {
		const struct candidate *c = &d->candidate[i];

		d->source[c->index].selected = c->said;
		d->sharing += c->said == SELECT_USED ||
		    c->said == SELECT_SYSTEM;
	}
	if (!d->elected) {
		name_disagreeing(d, &e);
		return;
	}
	d->no_majority_said = false;
	name_falsetickers(d, &e);
	remember_restarts(d, &e, now->raw);
	discipline_learn(&d->disc, &d->verdict,
	    d->source[d->verdict.system].interval);
	if (d->setting != SETTING_DONE && !set_at_start(d, &e, now))
		d->disc.due = NEVER;	/* no slewing before that */
	else
		answer_disruption(d, &e, now);
}

/* ---------------------------------------------------------------- the clock */

static void
log_orders(struct daemon *d, const struct orders *o, int64_t raw)
{
	double offset = seconds(o->phase);

	log_line(fabs(offset) >= LOG_OFFSET ? LOG_CLASS_INFO : LOG_CLASS_DETAIL,
	    "adjusting local clock by %fs", offset);
	if (fabs(o->freq - d->freq_logged) < LOG_FREQ ||
	    raw < d->freq_logged_at)
		return;
	log_line(LOG_CLASS_INFO, "adjusting clock frequency by %f to %fppm%s",
	    (o->freq - d->freq_logged) * 1e6, o->freq * 1e6,
	    d->drift_known ? "" : " (no drift file)");
	d->freq_logged = o->freq;
	d->freq_logged_at = later(raw, LOG_FREQ_EVERY);
}

static void
track_sync(struct daemon *d, const struct instant *now)
{
	double offset = fabs(seconds(discipline_offset(&d->disc, now)));
	double silent = seconds(now->raw - d->last_heard);

	if (d->synced && silent > SILENT_MOST) {
		d->synced = false;
		log_line(LOG_CLASS_INFO,
		    "clock is now unsynced due to lack of replies");
	}
	if (!d->disc.have || d->setting != SETTING_DONE)
		return;
	if (d->synced && offset > d->disc.distance + UNSYNCED_BEYOND) {
		d->synced = false;
		log_line(LOG_CLASS_INFO, "clock is now unsynced");
	} else if (!d->synced && silent < SILENT_MOST &&
	    offset <= d->disc.distance + SYNCED_WITHIN) {
		d->synced = true;
		log_line(LOG_CLASS_INFO, "clock is now synced");
	}
	if (d->synced)
		d->last_sync = d->disc.raw + (now->real - now->raw);
}

static void
steer(struct daemon *d, const struct instant *now)
{
	struct orders o;

	if (d->setting != SETTING_DONE || now->raw < d->disc.due)
		return;
	if (is_too_far(d, now)) {
		d->disc.due = NEVER;
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
	if (!d->disc.have || d->clock.permission != CLOCK_MAY || !d->synced ||
	    raw < d->drift_due || d->disc.freq_sd > DRIFT_SD ||
	    fabs(d->disc.freq - d->drift_saved) < DRIFT_CHANGE)
		return;
	d->drift_due = later(raw, DRIFT_EVERY);
	if (drift_write(d->drift_path, d->disc.freq) < 0) {
		if (!d->drift_failed)
			log_line(d->drift_missing ? LOG_CLASS_DEBUG :
			    LOG_CLASS_WARN, "can't write %s: %s", d->drift_path,
			    strerror(errno));
		d->drift_failed = true;
		return;
	}
	if (d->drift_missing)
		log_line(LOG_CLASS_WARN, "creating new %s", d->drift_path);
	d->drift_missing = d->drift_failed = false;
	d->drift_known = true;
	d->drift_saved = d->disc.freq;
}

/* What the frequency is to begin with: a disciplined kernel's, then the drift
 * file's. */
static void
start_frequency(struct daemon *d)
{
	struct clock_kernel k = { 0 };
	bool kernel = clock_kernel(&k);
	double freq = 0;

	d->drift_path = d->conf.driftfile ? d->conf.driftfile : DRIFT_PATH;
	d->drift_saved = HUGE_VAL;
	if (drift_read(d->drift_path, &freq) == 0) {
		d->drift_known = true;
		d->drift_saved = freq;
	} else if (errno == ENODATA)
		log_line(LOG_CLASS_WARN, "%s is empty", d->drift_path);
	else if (errno == EINVAL)
		log_line(LOG_CLASS_WARN, "%s holds no frequency in ppm: ignored",
		    d->drift_path);
	else {
		d->drift_missing = errno == ENOENT || errno == ENOTDIR;
		log_line(LOG_CLASS_DEBUG, "no drift file %s: %s", d->drift_path,
		    strerror(errno));
	}
	if (kernel && k.synced && k.freq != 0) {
		log_line(LOG_CLASS_DETAIL, "adjtimex returns frequency of %fppm",
		    k.freq * 1e6);
		freq = k.freq;
		discipline_start(&d->disc, freq, true);
	} else {
		discipline_start(&d->disc, freq, d->drift_known);
		if (d->clock.permission == CLOCK_MAY)
			log_line(LOG_CLASS_DETAIL,
			    "adjtimex adjusted frequency by %fppm", freq * 1e6);
	}
	d->freq_logged = freq;
}

/* ------------------------------------------------------------- disruptions */

static void
ask_all_again(struct daemon *d, int64_t raw, bool forget)
{
	int i;

	for (i = 0; i < d->sources; i++) {
		struct source *s = &d->source[i];

		close_exchange(d, i);
		if (forget)
			source_forget(s, raw, d->disc.freq, d->disc.freq_sd);
		else
			source_hurry(s, raw);
	}
}

/* Raw time stood still while the machine slept: all samples are void. */
static void
notice_sleep(struct daemon *d, const struct instant *now)
{
	double slept = clock_slept(&d->clock);

	if (slept <= 0)
		return;
	log_line(LOG_CLASS_INFO, "machine slept for %.1fs: asking all peers "
	    "again", slept);
	d->disrupted = now->raw;
	discipline_forget(&d->disc);
	d->elected = false;
	d->synced = false;
	ask_all_again(d, now->raw, true);
}

/* The system clock moved against the raw clock as no slew can. */
static void
notice_foreign_step(struct daemon *d, const struct instant *now)
{
	double moved = seconds((now->real - now->raw) -
	    (d->seen.real - d->seen.raw));
	double dt = seconds(now->raw - d->seen.raw);
	bool told = clock_was_set(&d->clock);

	d->seen = *now;
	if (fabs(moved) <= FOREIGN_LEAST + SLEW_RATE * dt) {
		if (told && d->clock.given)	/* PLL and status were reset */
			d->disc.due = d->disc.have ? d->disc.raw : NEVER;
		return;
	}
	d->clock.foreign++;
	log_line(LOG_CLASS_WARN, "something else set the clock by %fs", moved);
	if (d->setting != SETTING_DONE)
		return;
	d->disrupted = now->raw;
	ask_all_again(d, now->raw, false);
}

/* ----------------------------------------------------------------- the loop */

static void daemonise(struct daemon *);

static void
turn_setting(struct daemon *d, const struct instant *now)
{
	double waited = seconds(now->raw - d->began);

	if (d->first_sent != 0 && d->setting != SETTING_DONE &&
	    seconds(now->raw - d->first_sent) >= SET_FIRST && !d->set_line)
		d->dirty |= d->disc.have;
	if (waited < SET_WAIT || d->set_line)
		return;
	d->set_line = true;
	if (d->opt.once) {
		d->quit = true;
		return;
	}
	if (d->setting == SETTING_ALWAYS)
		log_line(LOG_CLASS_WARN, "no reply received in time, skipping "
		    "initial time setting");
	else if (d->setting == SETTING_AUTO)
		d->setting = SETTING_DONE;
}

static void
take_answers(struct daemon *d, int64_t raw)
{
	struct helper_result r;

	if (got_child) {
		got_child = 0;
		helper_reap(&d->helpers);
	}
	while (helper_next(&d->helpers, raw, &r))
		switch (r.kind) {
		case HELPER_NAME:
			name_answered(d, &r, raw);
			break;
		default:
			break;
		}
}

static void
turn(struct daemon *d, const struct instant *now)
{
	int i;

	notice_sleep(d, now);
	notice_foreign_step(d, now);
	take_answers(d, now->raw);
	for (i = 0; i < d->conf.servers; i++)
		if (line_turn(&d->line[i], &d->source[d->slice[i]],
		    d->slice[i + 1] - d->slice[i], now->raw, is_starting(d)))
			look_up(d, i, now->raw);
	for (i = 0; i < d->sources; i++)
		if (d->source[i].in_use)
			turn_source(d, i, now->raw);
	turn_setting(d, now);
	if (d->dirty)
		elect(d, now);
	track_sync(d, now);
	steer(d, now);
	save_drift(d, now->raw);
	if (d->setting == SETTING_DONE && d->opt.once)
		d->quit = true;
	if (!d->quit && !d->opt.foreground &&
	    (d->setting != SETTING_ALWAYS || d->set_line))
		daemonise(d);
}

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Raw time of the next thing to do. */
static int64_t
next_due(const struct daemon *d)
{
	int64_t due = sooner(d->disc.due, helper_due(&d->helpers));
	int i;

	for (i = 0; i < d->sources; i++)
		if (d->source[i].in_use &&
		    d->source[i].state != SOURCE_UNRESOLVED)
			due = sooner(due, d->source[i].due);
	for (i = 0; i < d->conf.servers; i++)
		if (!d->line[i].looking)
			due = sooner(due, d->line[i].lookup_due);
	if (!d->set_line && d->setting != SETTING_DONE) {
		due = sooner(due, later(d->began, SET_WAIT));
		if (d->first_sent != 0 && d->disc.have &&
		    d->seen.raw < later(d->first_sent, SET_FIRST))
			due = sooner(due, later(d->first_sent, SET_FIRST));
	}
	return due;
}

/* ns to wait, on the clock that poll(2) uses: it runs at the speed we gave it,
 * and waking too early would be a wake-up for nothing. */
static int64_t
wait_ns(const struct daemon *d, const struct instant *now)
{
	const int64_t slack = 20000;		/* ns: rounding */
	int64_t due = next_due(d);

	if (due == NEVER)
		return NEVER;
	if (due <= now->raw)
		return 0;
	return (int64_t)((double)(due - now->raw) *
	    (1 + fmax(0, d->clock.given ? d->clock.last.freq : 0))) + slack;
}

enum watch_owner { WATCH_CLOCK, WATCH_SOURCE, WATCH_HELPERS };

/* Who waits for a descriptor. */
struct watch {
	enum watch_owner owner;
	int index;
};

static int
gather(struct daemon *d, struct pollfd *p, struct watch *w)
{
	int i, n = 0, more;

	if (d->clock.timer >= 0) {
		w[n] = (struct watch){ WATCH_CLOCK, 0 };
		p[n++] = (struct pollfd){ d->clock.timer, POLLIN, 0 };
	}
	for (i = 0; i < d->sources; i++)
		if (d->fd[i] >= 0) {
			w[n] = (struct watch){ WATCH_SOURCE, i };
			p[n++] = (struct pollfd){ d->fd[i], POLLIN, 0 };
		}
	more = helper_watch(&d->helpers, p + n, HELPERS_MAX);
	for (i = 0; i < more; i++)
		w[n + i] = (struct watch){ WATCH_HELPERS, 0 };
	return n + more;
}

static void
deliver(struct daemon *d, const struct pollfd *p, const struct watch *w, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (p[i].revents != 0 && w[i].owner == WATCH_SOURCE &&
		    d->fd[w[i].index] == p[i].fd)
			reply(d, w[i].index);
	/* the rest is looked at in the next turn */
}

static void
on_signal(int sig)
{
	if (sig == SIGCHLD)
		got_child = 1;
	else if (sig != SIGHUP)
		got_quit = 1;
}

static void
catch_signals(void)
{
	static const int caught[] = { SIGTERM, SIGINT, SIGCHLD, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal };
	size_t i;

	(void)sigfillset(&sa.sa_mask);
	for (i = 0; i < sizeof caught / sizeof *caught; i++)
		(void)sigaction(caught[i], &sa, NULL);
	sa.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &sa, NULL);
	(void)sigaction(SIGUSR1, &sa, NULL);
	(void)sigaction(SIGUSR2, &sa, NULL);
}

static int
run(struct daemon *d)
{
	size_t room = (size_t)d->sources + HELPERS_MAX + 1;
	struct pollfd *p = calloc(room, sizeof *p);
	struct watch *w = calloc(room, sizeof *w);
	struct instant now;
	int n;

	if (p == NULL || w == NULL)
		fatal("ntpd: out of memory");
	d->seen = clock_read();
	d->began = d->seen.raw;
	log_line(LOG_CLASS_INFO, "ntp engine ready");
	while (!got_quit && !d->quit) {
		now = clock_read();
		turn(d, &now);
		if (d->quit)
			break;
		n = gather(d, p, w);
		if (wait_for(p, n, wait_ns(d, &now)) > 0)
			deliver(d, p, w, n);
	}
	helper_end(&d->helpers);
	now = clock_read();
	d->drift_due = now.raw;
	save_drift(d, now.raw);
	clock_end(&d->clock);
	if (!d->opt.once) {
		log_line(LOG_CLASS_INFO, "ntp engine exiting");
		log_line(LOG_CLASS_INFO, "Terminating");
	}
	if (d->opt.pid != NULL && d->daemon)
		(void)unlink(d->opt.pid);
	free(p);
	free(w);
	return d->opt.once ? d->status : 0;
}

/* ------------------------------------------------------------------ the start */

static void
usage(FILE *to)
{
	(void)fputs("usage: ntpd [-dnqSsVvx] [-f file] [-p file]\n", to);
}

static void
help(void)
{
	usage(stdout);
	(void)fputs(
	    "  -d       stay in the foreground, log to stderr with replies\n"
	    "  -f file  configuration (default $NTP_CONF_FILE, else "
	    CONF_PATH ",\n           else the one compiled in)\n"
	    "  -n       check the configuration and exit\n"
	    "  -p file  write the process id there once a daemon\n"
	    "  -q       set or verify the clock once and exit: 0 done,\n"
	    "           1 no majority in 15 s, 2 not permitted\n"
	    "  -s       set the clock at start, by the majority's word\n"
	    "  -S       do not (cancels -s)\n"
	    "  -v       more messages; all of them with -v -v\n"
	    "  -V       version and build date\n"
	    "  -x       measure only, never touch the clock\n"
	    "ntpctl shows the state of a running daemon\n", stdout);
}

static void
version(void)
{
	time_t built = BUILD_EPOCH;
	char text[32];
	struct tm tm;

	(void)gmtime_r(&built, &tm);
	(void)strftime(text, sizeof text, "%Y-%m-%d", &tm);
	(void)printf("ntpd %s, built %s\n", VERSION, text);
}

static void
parse_options(int argc, char **argv, struct options *o)
{
	int c;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		help();
		exit(0);
	}
	while ((c = getopt(argc, argv, "df:np:qSsVvx")) != -1)
		switch (c) {
		case 'd': o->foreground = true; break;
		case 'f': o->conf = optarg; break;
		case 'n': o->check = true; break;
		case 'p': o->pid = optarg; break;
		case 'q': o->once = true; break;
		case 'S': o->set = SET_AUTO; break;
		case 's': o->set = SET_ALWAYS; break;
		case 'V': version(); exit(0);
		case 'v': o->verbose++; break;
		case 'x': o->measure = true; break;
		default: usage(stderr); exit(1);
		}
	if (optind != argc) {
		usage(stderr);
		exit(1);
	}
	if (o->once)
		o->set = SET_ALWAYS;
	if (o->once || getpid() == 1 || access("/dev/log", F_OK) < 0)
		o->foreground = true;
}

static const char default_conf[] =
#include "default_conf.h"
    ;

/* The text of the configuration; exits with a message if it cannot be had. */
static char *
read_conf(const char *path, bool must, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char *text;
	ssize_t n = 0;

	if (fd < 0) {
		if (!must && (errno == ENOENT || errno == ENOTDIR))
			return NULL;
		fatal("%s: %s", path, strerror(errno));
	}
	if (fstat(fd, &st) < 0)
		fatal("%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		fatal("%s: is a directory, not a configuration file (a "
		    "container engine makes one when the mount's source is "
		    "missing)", path);
	if (!S_ISREG(st.st_mode))
		fatal("%s: not a regular file", path);
	if (st.st_size > CONF_MOST)
		fatal("%s: larger than %d bytes", path, CONF_MOST);
	text = malloc((size_t)st.st_size + 1);
	if (text == NULL)
		fatal("%s: %s", path, strerror(errno));
	*size = 0;
	while (*size < (size_t)st.st_size &&
	    (n = read(fd, text + *size, (size_t)st.st_size - *size)) > 0)
		*size += (size_t)n;
	if (n < 0)
		fatal("%s: %s", path, strerror(errno));
	(void)close(fd);
	return text;
}

static void
load_conf(struct daemon *d)
{
	const char *path = d->opt.conf, *env = getenv("NTP_CONF_FILE");
	struct conf_messages m;
	bool good;
	size_t size;
	char *text;
	int i;

	if (path == NULL && env != NULL && *env != '\0')
		path = env;
	d->conf_name = path != NULL ? path : CONF_PATH;
	text = read_conf(d->conf_name, path != NULL, &size);
	if (text == NULL) {
		d->conf_name = "(compiled in)";
		good = config_parse(default_conf, sizeof default_conf - 1,
		    &d->conf, &m);
	} else
		good = config_parse(text, size, &d->conf, &m);
	for (i = 0; i < m.count; i++)
		log_line(LOG_CLASS_WARN, "%s:%d:%d: %s", d->conf_name,
		    m.message[i].line, m.message[i].column, m.message[i].text);
	config_free_messages(&m);
	free(text);
	if (!good)
		exit(1);
}

static void
make_sources(struct daemon *d)
{
	int i, j, n = 0;

	d->line = calloc((size_t)d->conf.servers + 1, sizeof *d->line);
	d->slice = calloc((size_t)d->conf.servers + 1, sizeof *d->slice);
	if (d->line == NULL || d->slice == NULL)
		fatal("ntpd: out of memory");
	for (i = 0; i < d->conf.servers; i++) {
		d->line[i].pool = d->conf.server[i].pool;
		d->line[i].numeric = d->conf.server[i].address.family != 0;
		d->slice[i] = n;
		n += d->line[i].pool && !d->line[i].numeric ? POOL_MAX : 1;
	}
	d->slice[d->conf.servers] = n;
	if (n > SOURCES_MAX)
		fatal("%s: more than %d servers", d->conf_name, SOURCES_MAX);
	d->sources = n;
	d->source = calloc((size_t)n + 1, sizeof *d->source);
	d->fd = calloc((size_t)n + 1, sizeof *d->fd);
	d->error = calloc((size_t)n + 1, sizeof *d->error);
	d->candidate = calloc((size_t)n + 1, sizeof *d->candidate);
	if (d->source == NULL || d->fd == NULL || d->error == NULL ||
	    d->candidate == NULL)
		fatal("ntpd: out of memory for %d servers", n);
	for (i = 0; i < d->conf.servers; i++)
		for (j = d->slice[i]; j < d->slice[i + 1]; j++) {
			const struct conf_server *c = &d->conf.server[i];

			d->fd[j] = -1;
			d->source[j] = (struct source){
				.line = i, .in_use = true,
				.trusted = c->trusted, .weight = c->weight,
				.poll_least = c->poll_least,
				.poll_most = c->poll_most,
				.state = SOURCE_UNRESOLVED, .due = NEVER,
				.trust = TRUST_START
			};
		}
}

/* Descriptors 0 to 2 must be taken, lest a socket become stderr; a scratch
 * image may have no /dev/null, but every root has a directory. */
static void
fill_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			fd = open("/", O_RDONLY);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		(void)close(fd);
}

static void
write_pid(const char *path)
{
	char text[16];
	int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, (size_t)n) != n)
		fatal("can't write pid file %s: %s", path, strerror(errno));
	(void)close(fd);
}

static void
daemonise(struct daemon *d)
{
	int fd, i;

	switch (fork()) {
	case -1:
		fatal("ntpd: fork: %s", strerror(errno));
	case 0:
		break;
	default:
		_exit(0);
	}
	(void)setsid();
	(void)chdir("/");
	fd = open("/dev/null", O_RDWR);
	if (fd < 0)
		fd = open("/", O_RDONLY);
	for (i = 0; i <= STDERR_FILENO && fd >= 0; i++)
		(void)dup2(fd, i);
	if (fd > STDERR_FILENO)
		(void)close(fd);
	log_start(true);
	d->opt.foreground = true;		/* this is done */
	d->daemon = true;
	if (d->opt.pid != NULL)
		write_pid(d->opt.pid);
}

static void
say_permission(const struct daemon *d)
{
	char remedy[200];

	clock_remedy(&d->clock, remedy, sizeof remedy);
	if (d->clock.permission == CLOCK_DENIED)
		log_line(LOG_CLASS_WARN, "adjtimex failed: %s: only measuring, "
		    "the clock is left alone; %s", strerror(d->clock.error),
		    remedy);
	else if (d->clock.permission == CLOCK_MEASURE)
		log_line(LOG_CLASS_INFO, "only measuring, the clock is left "
		    "alone (-x)");
}

int
main(int argc, char **argv)
{
	static struct daemon daemon;
	struct daemon *d = &daemon;
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	fill_standard_descriptors();
	catch_signals();
	parse_options(argc, argv, &d->opt);
	log_start(false);
	load_conf(d);
	if (d->opt.check) {
		(void)fputs("configuration OK\n", stderr);
		return 0;
	}
	log_level(d->opt.verbose >= 2 || (d->opt.foreground &&
	    d->opt.set == SET_ALWAYS) ? LOG_CLASS_DETAIL :
	    d->opt.foreground ? LOG_CLASS_DEBUG : LOG_CLASS_INFO);
	sandbox_daemon();
	(void)setpriority(PRIO_PROCESS, 0, -20);	/* nice to have */
	clock_start(&d->clock, d->opt.measure);
	say_permission(d);
	d->bound.earliest = EARLIEST;
	d->setting = d->opt.set == SET_ALWAYS ? SETTING_ALWAYS : SETTING_AUTO;
	d->status = 1;
	start_frequency(d);
	make_sources(d);
	helper_init(&d->helpers);
	return run(d);
}
