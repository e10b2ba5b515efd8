/*
 * peers.c - the servers of the configuration: their names looked up, their
 * sources asked, their replies taken; with what is worth a line of log.
 *
 * What a reply means is source.c's business; here are sockets, children and
 * words.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peers.h"
#include "clock.h"
#include "core/address.h"
#include "core/build.h"
#include "core/calm.h"
#include "core/conf.h"
#include "core/filter.h"
#include "core/instant.h"
#include "core/ntp.h"
#include "core/line.h"
#include "core/source.h"
#include "daemon.h"
#include "dates.h"
#include "serve/serve.h"
#include "sys/dns.h"
#include "sys/helper.h"
#include "sys/instant.h"
#include "sys/log.h"
#include "sys/net.h"
#include "sys/refid.h"

/* Lookups in a row, 1, 2, 4 ... minutes apart, that filled no place of a pool.
 * From then on the pool is taken to be as large as it gets, so that changes of the
 * network need not be heard for it. */
#define LEAN_MOST 7
/* s: everybody may be asked again AGAIN_AT_ONCE times, then once in this time.
 * Many servers get three requests each at every such time: AGAIN_CROWD for each
 * server keeps that at 8600 requests a day. */
#define AGAIN_EVERY 120.0
#define AGAIN_CROWD 30.0
enum { AGAIN_AT_ONCE = 8 };
/* s: a changed network may give silent servers all their requests anew, once in
 * this time for each server: 2600 requests a day. */
#define ANEW_EVERY 300.0
#define ANEW_USED 4 /* of source_spent: from then on that is worth it */
/* s: a server that comes and goes hurries the others no more often than this. */
#define HURRY_EVERY 15.0
/* s of root distance: a server beyond it is used only where "maxdistance" says so,
 * and the log tells. */
#define DISTANCE_USUAL 16.0

/* Why the requests of a source come to nothing, beside an errno. */
enum { WRONG_SILENT = 10000, WRONG_REPLY };

/* The system clock's offset to a source's sample, as OpenNTPD shows it. */
static double
shown_offset(const struct sample *s, const struct instant *now)
{
	return seconds(s->ahead - (now->real - now->raw));
}

bool
peers_starting(const struct daemon *d)
{
	return d->setting != SETTING_DONE || !d->disc.have;
}

bool
peers_silent(const struct daemon *d)
{
	int i, known = 0;

	for (i = 0; i < d->sources; i++) {
		known += d->source[i].state != SOURCE_UNRESOLVED;
		if (d->source[i].replies > 0 ||
		    d->source[i].said != SAID_ACCEPTED)
			return false;
	}
	return known > 0;
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

/* Whole seconds to the next query: what is due now is asked within one. */
static int
next_query(const struct source *s, int64_t raw)
{
	return s->due == NEVER ? 0 : (int)lrint(fmax(1, seconds(s->due - raw)));
}

/* Put a source of this line where it should be, if that is elsewhere. */
static void
settle_address(struct daemon *d, int i, int64_t raw)
{
	struct line *l = &d->line[line_of(d, i)];
	struct source *s = &d->source[i];
	const struct address *to;
	char text[ADDRESS_TEXT];
	bool left;
	int j;

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
	said_well(&d->said[i]);
	left = s->state != SOURCE_UNRESOLVED;
	source_move(s, to, l->founds,
	    later(raw, line_wait(l, s, peers_starting(d))), d->disc.freq,
	    d->disc.freq_sd);
	/* another line may have waited for the address that it leaves */
	for (j = 0; left && j < d->sources; j++)
		if (d->source[j].state == SOURCE_UNRESOLVED &&
		    d->source[j].line != s->line)
			settle_address(d, j, raw);
}

/* When this source is settled after a lookup: first those at an address that the
 * name has no longer, then free places; what remains may replace other members. */
static int
turn_of(const struct line *l, const struct source *s)
{
	return s->state == SOURCE_UNRESOLVED ? 1 :
	    line_offers(l, &s->address)	     ? 2 :
					       0;
}

/* The line's name has been looked up: these are its addresses. */
static void
settle_line(
    struct daemon *d, int line, const struct address *found, int n, int64_t raw)
{
	struct line *l = &d->line[line];
	int i, k, first = d->slice[line], end = d->slice[line + 1];

	line_found(l, found, n, raw, peers_starting(d));
	for (k = 0; k < 3; k++)
		for (i = first; i < end; i++)
			if (turn_of(l, &d->source[i]) == k)
				settle_address(d, i, raw);
	if (n == 0)
		return;
	for (i = first; i < end; i++)
		(void)source_resume(
		    &d->source[i], raw, d->disc.freq, d->disc.freq_sd);
	line_settled(l, &d->source[first], end - first, raw);
}

/* A line about this source, unless it was said before or too often. */
static bool
is_news(struct daemon *d, int i, int wrong, int64_t raw)
{
	return said_news(&d->said[i], wrong, raw);
}

/* Does the machine lack something for a moment? */
static bool
is_local(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS ||
	    error == ENOMEM || error == EAGAIN || error == EINTR;
}

/* Do all addresses of a family lack it?  Then one line tells it for all. */
static bool
is_of_family(int error)
{
	return is_local(error) || error == ENETUNREACH || error == ENETDOWN ||
	    error == EADDRNOTAVAIL || error == EAFNOSUPPORT;
}

/* connect(2) or send(2) said no.  Quiet: another address may do. */
static void
unreachable(struct daemon *d, int i, int64_t raw, int error)
{
	struct source *s = &d->source[i];
	char text[ADDRESS_TEXT];

	close_exchange(d, i);
	if (is_local(error))
		source_delayed(s, raw, fraction(net_random()));
	else
		source_failed(
		    s, raw, peers_starting(d), fraction(net_random()));
	if (is_of_family(error) ?
		said_news(&d->family[s->address.family == 6], error, raw) :
		is_news(d, i, error, raw))
		log_line(LOG_CLASS_DEBUG,
		    "failed to send query to %s, next query %ds: %s",
		    net_text(&s->address, text), next_query(s, raw),
		    strerror(error));
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
	uint64_t nonce = net_random();
	int64_t sent;

	close_exchange(d, i);
	d->fd[i] = net_ask(&s->address, from);
	ntp_query(nonce, bytes);
	if (d->fd[i] < 0 || net_send(d->fd[i], bytes, &sent) < 0) {
		unreachable(d, i, raw, errno);
		return;
	}
	source_sent(s, sent, nonce, peers_starting(d));
	said_well(&d->family[s->address.family == 6]);
	serve_asks(&d->server, nonce);
	if (d->first_sent == 0)
		d->first_sent = sent;
}

/* The only answer was refused for its root distance: that is said once. */
static void
say_far(struct source *s, const char *text)
{
	if (s->far_said || s->far.raw < s->sent)
		return;
	s->far_said = true;
	log_line(LOG_CLASS_INFO,
	    "peer %s may be off by %.0fs itself: not used beyond %.0fs, unless \"maxdistance\" allows it",
	    text, s->far.error, source_distance_most(s));
}

static void
turn_source(struct daemon *d, int i, int64_t raw)
{
	struct source *s = &d->source[i];
	bool was_valid = source_valid(s);
	char text[ADDRESS_TEXT];

	if (raw < s->due) /* no system call for random bits */
		return;
	switch (
	    source_turn(s, raw, peers_starting(d), fraction(net_random()))) {
	case WANT_NOTHING: return;
	case WANT_SEND:
		if (source_doubted(s))
			settle_address(d, i, raw);
		if (raw >= s->due)
			ask(d, i, raw);
		return;
	case WANT_TIMEOUT:
		close_exchange(d, i);
		(void)net_text(&s->address, text);
		if (!s->explained && is_news(d, i, WRONG_SILENT, raw))
			log_line(LOG_CLASS_DEBUG,
			    "no reply from %s received in time, next query %ds",
			    text, next_query(s, raw));
		if (was_valid && !source_valid(s))
			log_line(LOG_CLASS_INFO, "peer %s now invalid", text);
		say_far(s, text);
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
	struct dns_question question = { c->name, l->failures };
	struct helper_job job = {
		.kind = HELPER_NAME,
		.owner = line,
		.seconds = DNS_PATIENCE + 1,
		.work = dns_ask,
		.question = &question,
		.size = sizeof(struct dns_answer),
	};

	if (l->numeric) {
		l->asked = raw;
		settle_line(d, line, &c->address, 1, raw);
		return;
	}
	if (helper_start(&d->helpers, &job, raw) < 0) {
		if (errno == EBUSY) { /* soon: others are at it */
			l->lookup_due = later(raw, 0.5);
			return;
		}
		if (l->failures == 0)
			log_line(LOG_CLASS_WARN, "could not resolve \"%s\": %s",
			    c->name, strerror(errno));
		settle_line(d, line, NULL, 0, raw);
		return;
	}
	l->looking = true;
	l->asked = raw;
	d->line_turn = line + 1;
	log_line(l->founds == 0 && l->failures == 0 ? start_class(d) :
						      LOG_CLASS_DETAIL,
	    "trying to resolve %s", c->name);
}

void
peers_named(struct daemon *d, const struct helper_result *r, int64_t raw)
{
	const struct conf_server *c = &d->conf.server[r->owner];
	struct line *l = &d->line[r->owner];
	struct dns_answer answer;

	dns_take(r, c->name, l->failures == 0, &answer);
	if (answer.addresses == 0 && l->failures == 0)
		log_line(LOG_CLASS_WARN, "could not resolve \"%s\": %s",
		    c->name, answer.reason);
	log_line(l->founds == 0 && l->failures == 0 ? start_class(d) :
						      LOG_CLASS_DETAIL,
	    answer.addresses == 0 ? "resolve %s done: %d (%s)" :
				    "resolve %s done: %d",
	    c->name, answer.addresses, answer.reason);
	l->questions = answer.questions;
	settle_line(d, r->owner, answer.address, answer.addresses, raw);
	d->dirty |= d->setting != SETTING_DONE; /* it was waited for */
}

/* ----------------------------------------------------------------- replies */

static void
log_reply(
    struct daemon *d, int i, enum source_said said, const struct instant *now)
{
	const struct source *s = &d->source[i];
	int next = next_query(s, now->raw);
	char text[ADDRESS_TEXT];

	if (said == SAID_ACCEPTED)
		said_well(&d->said[i]);
	else if (said == SAID_ORIGIN || said == SAID_DUPLICATE ||
	    !is_news(d, i, WRONG_REPLY + (int)said, now->raw))
		return; /* anybody can send these; the same again is no event */
	(void)net_text(&s->address, text);
	switch (said) {
	case SAID_ACCEPTED:
		log_line(LOG_CLASS_REPLY,
		    "reply from %s: offset %f delay %f, next query %ds",
		    text, shown_offset(&s->sample, now), s->sample.delay, next);
		return;
	case SAID_BOUND:
		log_line(s->trust > 0 ? LOG_CLASS_INFO : LOG_CLASS_DEBUG,
		    "reply from %s: constraint check failed", text);
		return;
	case SAID_RATE:
		log_line(LOG_CLASS_INFO,
		    "reply from %s: not synced (KoD RATE), next query %ds",
		    text, next);
		return;
	case SAID_DENY:
		log_line(LOG_CLASS_INFO,
		    "reply from %s: not synced (KoD DENY), no query until names are resolved anew",
		    text);
		return;
	case SAID_ALARM:
	case SAID_KISS:
		log_line(LOG_CLASS_DEBUG,
		    "reply from %s: not synced (%s), next query %ds",
		    text, source_words[said], next);
		return;
	case SAID_STRATUM:
		log_line(LOG_CLASS_DEBUG,
		    "reply from %s: not synced (stratum %.0f), next query %ds",
		    text, s->refused, next);
		return;
	case SAID_DELAY:
		log_line(LOG_CLASS_DEBUG,
		    "reply from %s: %sdelay %fs, next query %ds", text,
		    s->refused < 0 ? "negative " : "", s->refused, next);
		return;
	case SAID_ROOT:
		log_line(LOG_CLASS_DEBUG,
		    "reply from %s: root distance %.3fs, next query %ds", text,
		    s->refused, next);
		return;
	case SAID_SHORT:
		log_line(
		    LOG_CLASS_DEBUG, "malformed packet received from %s", text);
		return;
	default:
		log_line(LOG_CLASS_DEBUG, "reply from %s: %s, next query %ds",
		    text, source_words[said], next);
	}
}

/* A server that was silent answers: what kept it from us may have kept away the
 * others, and the constraints, as well. */
static void
hurry_silent(struct daemon *d, int64_t raw)
{
	int i;

	for (i = 0; i < d->sources; i++)
		source_nudge(&d->source[i], raw);
	dates_hurry(d, raw);
	d->hurry_next = later(raw, HURRY_EVERY);
}

/* A reply came.  The wait for the other servers begins with the first one that is
 * heard: after an outage it must not be over already.  And the others are asked at
 * once, not only when their next try is due. */
static void
heard(struct daemon *d, int64_t sent, int64_t raw, bool was_silent)
{
	if (d->last_heard == 0)
		d->first_sent = sent;
	if (d->last_heard == 0 || (was_silent && raw >= d->hurry_next))
		hurry_silent(d, raw);
	d->last_heard = raw;
}

/* What those who follow us call us, if anybody can: the addresses that are listened
 * on, and the one by which this server knows us. */
static int
our_names(const struct daemon *d, int i, uint32_t refid[], int max)
{
	const struct address *peer = &d->source[i].address;
	bool loopback = serve_loopback(peer);
	int n = serve_ours(&d->server, loopback, refid, max - 1);
	struct address a;

	if (d->server.listeners > 0 && !loopback && net_local(d->fd[i], &a) &&
	    !address_equal(&a, peer))
		refid[n++] = refid_of(&a);
	return n;
}

/* Nothing could be read from the socket of source i. */
static void
say_unreceived(struct daemon *d, int i, int error, int64_t raw)
{
	struct source *s = &d->source[i];
	char text[ADDRESS_TEXT];

	if (error == EAGAIN || error == EINTR)
		return;
	if (is_news(d, i, error, raw))
		log_line(s->silent == 0 && s->replies > 0 ? LOG_CLASS_WARN :
							    LOG_CLASS_DEBUG,
		    "recvmsg %s: %s", net_text(&s->address, text),
		    strerror(error));
	s->explained = true;
}

void
peers_reply(struct daemon *d, int i)
{
	struct source *s = &d->source[i];
	uint8_t bytes[NTP_SIZE + 20]; /* the rest of a datagram is cut off */
	bool was_valid = source_valid(s), was_silent = s->silent > 0, loops;
	uint32_t ours[SERVE_LISTENERS + SERVE_AT + 1];
	struct judgement j = { .bound = &d->bound, .ours = ours };
	struct stamps t = { .sent = s->sent };
	enum source_said said;
	struct instant now;
	char text[ADDRESS_TEXT];
	ssize_t size;

	size = net_receive(
	    d->fd[i], bytes, sizeof bytes, s->sent, &t.got, &t.precision);
	now = clock_read();
	if (size < 0) {
		say_unreceived(d, i, errno, now.raw);
		return; /* an ICMP error is no answer: wait on */
	}
	j.pivot = source_pivot(d->synced, now.real, build_epoch * NS_PER_S);
	j.random = fraction(net_random());
	j.count = our_names(d, i, ours, SERVE_LISTENERS + SERVE_AT + 1);
	t.precision += d->clock.precision;
	loops = s->loops;
	said = source_reply(s, bytes, (size_t)size, &t, &j);
	log_reply(d, i, said, &now);
	if (s->loops && !loops)
		log_line(LOG_CLASS_INFO,
		    "peer %s follows us: not used while it does",
		    net_text(&s->address, text));
	if (s->state != SOURCE_WAITING)
		close_exchange(d, i);
	if (was_valid && !source_valid(s))
		log_line(LOG_CLASS_INFO, "peer %s now invalid",
		    net_text(&s->address, text));
	if (said == SAID_DENY) /* another address may do, at once */
		settle_address(d, i, now.raw);
	if (said != SAID_ACCEPTED) {
		d->dirty |= said == SAID_BOUND || said == SAID_DENY ||
		    said == SAID_LOOP || said == SAID_ROOT;
		return;
	}
	heard(d, t.sent, now.raw, was_silent);
	d->dirty = true;
	if (!was_valid && source_valid(s)) {
		log_line(LOG_CLASS_INFO, "peer %s now valid",
		    net_text(&s->address, text));
		if (s->sample.error >= DISTANCE_USUAL)
			log_line(LOG_CLASS_INFO,
			    "peer %s may be off by %.0fs itself: used, as \"maxdistance\" allows it",
			    text, s->sample.error);
	}
}

void
peers_echoed(struct daemon *d, int64_t raw)
{
	char text[ADDRESS_TEXT];
	int i;

	for (i = 0; i < d->sources; i++) {
		struct source *s = &d->source[i];

		if (s->state != SOURCE_WAITING ||
		    !serve_echoed(&d->server, s->nonce))
			continue;
		if (source_valid(s))
			log_line(LOG_CLASS_INFO, "peer %s now invalid",
			    net_text(&s->address, text));
		log_line(source_self(s) ? LOG_CLASS_WARN : LOG_CLASS_DETAIL,
		    "peer %s is this daemon itself: not used",
		    net_text(&s->address, text));
		close_exchange(d, i);
		settle_address(d, i, raw);
		d->dirty = true;
	}
	d->server.echo = false;
}

/* --------------------------------------------------------------- the whole */

bool
peers_well(const struct daemon *d)
{
	int i;

	for (i = 0; i < d->conf.servers; i++)
		if (d->line[i].founds == 0 ||
		    (d->line[i].room > 0 && d->line[i].lean < LEAN_MOST))
			return false;
	for (i = 0; i < d->sources; i++)
		if (d->source[i].silent > 0)
			return false;
	return d->synced && (d->bound.votes > 0 || !d->bound.wanted);
}

/* Has a silent server used up most of the requests that it may get at once? */
static bool
is_spent(const struct daemon *d, int64_t raw)
{
	int i;

	for (i = 0; i < d->sources; i++)
		if (d->source[i].silent > 0 &&
		    source_spent(&d->source[i], raw) > ANEW_USED)
			return true;
	return false;
}

void
peers_names(struct daemon *d, int64_t raw)
{
	int i;

	for (i = 0; i < d->conf.servers; i++)
		if (d->line[i].failures > 0 || d->line[i].room > 0 ||
		    d->line[i].looking)
			line_hurry(&d->line[i], raw);
	for (i = 0; i < d->conf.listens + d->conf.metricses; i++)
		line_hurry(&d->listen_line[i], raw);
}

void
peers_anew(struct daemon *d, int64_t raw)
{
	int i;

	if (peers_well(d))
		return;
	if (is_spent(d, raw) && raw >= d->anew_next) {
		d->anew_next = later(raw, ANEW_EVERY * fmax(1, d->sources));
		for (i = 0; i < d->sources; i++)
			d->source[i].pace.full = 0;
		for (i = 0; i < d->conf.servers; i++)
			d->line[i].pace.full = 0;
	}
	peers_names(d, raw);
	hurry_silent(d, raw);
}

void
peers_again(struct daemon *d, int64_t raw, bool forget)
{
	double every = fmax(AGAIN_EVERY, AGAIN_CROWD * d->sources);
	int i;

	/* Samples outlive a set clock.  If somebody sets it all the time, they
	 * are renewed at once for a while, and then at their usual pace. */
	if (!forget && raw < pace_next(&d->again, AGAIN_AT_ONCE, every))
		return;
	pace_take(&d->again, raw, every);
	if (forget) /* the machine slept: the network may be another one */
		peers_names(d, raw);
	for (i = 0; i < d->sources; i++) {
		struct source *s = &d->source[i];

		close_exchange(d, i);
		if (forget)
			source_forget(s, raw, d->disc.freq, d->disc.freq_sd);
		else
			source_hurry(s, raw);
	}
}

void
peers_make(struct daemon *d)
{
	int i, j, n = 0, names = 0;

	d->line = calloc((size_t)d->conf.servers + 1, sizeof *d->line);
	d->slice = calloc((size_t)d->conf.servers + 1, sizeof *d->slice);
	if (d->line == NULL || d->slice == NULL)
		fatal("ntpd: out of memory");
	for (i = 0; i < d->conf.servers; i++) {
		d->line[i].pool = d->conf.server[i].pool;
		d->line[i].numeric = d->conf.server[i].address.family != 0;
		names += !d->line[i].numeric;
		d->slice[i] = n;
		n += d->line[i].pool && !d->line[i].numeric ? POOL_MAX : 1;
	}
	d->slice[d->conf.servers] = n;
	for (i = 0; i < d->conf.servers; i++)
		d->line[i].crowd = names;
	d->turned = fraction(net_random());
	d->anew_next = later(d->began, ANEW_EVERY);
	if (n > SOURCES_MAX)
		fatal("%s: more than %d servers", d->conf_name, SOURCES_MAX);
	d->sources = n;
	d->source = calloc((size_t)n + 1, sizeof *d->source);
	d->fd = calloc((size_t)n + 1, sizeof *d->fd);
	d->said = calloc((size_t)n + 1, sizeof *d->said);
	d->candidate = calloc((size_t)n + 1, sizeof *d->candidate);
	if (d->source == NULL || d->fd == NULL || d->said == NULL ||
	    d->candidate == NULL)
		fatal("ntpd: out of memory for %d servers", n);
	for (i = 0; i < d->conf.servers; i++)
		for (j = d->slice[i]; j < d->slice[i + 1]; j++) {
			const struct conf_server *c = &d->conf.server[i];

			d->fd[j] = -1;
			d->source[j] = (struct source){
				.line = i,
				.trusted = c->trusted,
				.weight = c->weight,
				.poll_least = c->poll_least,
				.poll_most = c->poll_most,
				.distance_most = c->distance_most,
				.state = SOURCE_UNRESOLVED,
				.due = NEVER,
				.trust = TRUST_START,
			};
		}
}

/* All sources that have an address share the requests that may be made in vain. */
static void
take_turns(struct daemon *d)
{
	int i, n = 0, k = 0;

	for (i = 0; i < d->sources; i++)
		n += d->source[i].state != SOURCE_UNRESOLVED;
	for (i = 0; i < d->sources; i++) {
		if (d->source[i].state == SOURCE_UNRESOLVED)
			continue;
		d->source[i].crowd = n;
		d->source[i].phase = d->turned + (double)k++ / n;
		d->source[i].phase -= d->source[i].phase >= 1;
	}
}

void
peers_turn(struct daemon *d, const struct instant *now)
{
	int i, k, first = d->line_turn;

	/* behind the last one that was looked up: when children are scarce all
	 * names have their turn */
	for (k = 0; k < d->conf.servers; k++) {
		i = (first + k) % d->conf.servers;
		if (line_turn(&d->line[i], &d->source[d->slice[i]],
			d->slice[i + 1] - d->slice[i], now->raw,
			peers_starting(d)))
			look_up(d, i, now->raw);
	}
	take_turns(d);
	for (i = 0; i < d->sources; i++)
		turn_source(d, i, now->raw);
}

int64_t
peers_due(const struct daemon *d)
{
	int64_t due = NEVER;
	int i;

	for (i = 0; i < d->sources; i++)
		if (d->source[i].state != SOURCE_UNRESOLVED)
			due = sooner(due, d->source[i].due);
	for (i = 0; i < d->conf.servers; i++)
		if (!d->line[i].looking)
			due = sooner(due, d->line[i].lookup_due);
	return due;
}
