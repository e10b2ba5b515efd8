/*
 * dates.c - the constraints of the configuration: their hosts looked up, their
 * HTTPS servers asked in children, their answers taken; with what is worth a
 * line of log.
 *
 * When to ask and what the answers mean is constraint.c's business, how to ask
 * tls.c's.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dates.h"
#include "core/address.h"
#include "core/build.h"
#include "core/calm.h"
#include "core/conf.h"
#include "core/constraint.h"
#include "core/instant.h"
#include "daemon.h"
#include "peers.h"
#include "serve/status.h"
#include "sys/dns.h"
#include "sys/helper.h"
#include "sys/log.h"
#include "sys/net.h"
#include "tls.h"

/* between tries to ask again constraints that disagree; constraint_reset lets
 * one in 15 minutes pass */
#define DISAGREE_SECONDS 60.0
/* s, the longest time between tries in vain: usually as OpenNTPD's, and while the
 * time is not known. */
#define RETRY_MOST 900.0
#define RETRY_STARTING 256.0
/* s between questions in vain to all addresses together: 3300 a day. */
#define RETRY_EVERY 26.0

/* Of dates_said: the host has no address. */
enum { WRONG_NAME = -1 };

/* A child's owner number: line and address in one. */
static int
owner(int line, int index)
{
	return line * CONSTRAINT_ADDRESSES + index;
}

void
dates_make(struct daemon *d, int64_t raw)
{
	int i, n = d->conf.constraints;

	d->constraint = calloc((size_t)n + 1, sizeof *d->constraint);
	d->asked =
	    calloc((size_t)n * CONSTRAINT_ADDRESSES + 1, sizeof *d->asked);
	d->dates_said = calloc((size_t)n + 1, sizeof *d->dates_said);
	if (d->constraint == NULL || d->asked == NULL || d->dates_said == NULL)
		fatal("ntpd: out of memory for %d constraints", n);
	for (i = 0; i < n; i++) {
		const struct conf_constraint *c = &d->conf.constraint[i];

		const struct address *known = c->address;
		int count = c->addresses;

		if (count == 0 && c->numeric.family != 0) {
			known = &c->numeric;
			count = 1;
		}
		constraint_start(
		    &d->constraint[i], i, c->pool, known, count, raw);
	}
	d->bound.wanted = n > 0;
	d->bound_due = NEVER;
}

void
dates_waiting(const struct daemon *d, char *text, size_t size)
{
	const struct constraint *c;

	text[0] = '\0';
	if (!d->bound.wanted || d->bound.votes > 0)
		return;
	c = constraint_blamed(d->constraint, d->conf.constraints);
	if (c == NULL)
		(void)snprintf(text, size,
		    "constraints disagree: %d answers without a majority",
		    d->bound.answers);
	else
		(void)snprintf(text, size, "waiting for constraint: %s: %s",
		    d->conf.constraint[c->line].host,
		    c->reason[0] ? c->reason : "no answer yet");
}

/* Said once, when every constraint has had its try: that one host cannot be
 * reached, as IPv6 where there is none, is no news while others can. */
static void
say_waiting(struct daemon *d)
{
	char text[WAITING_TEXT];

	if (d->waiting_said || !d->bound.wanted)
		return;
	d->waiting_said = true;
	dates_waiting(d, text, sizeof text);
	log_line(LOG_CLASS_INFO, "%s", text);
}

/* The bound after something changed. */
static void
renew_bound(struct daemon *d, int64_t raw)
{
	struct bound old = d->bound;

	d->bound_due = constraint_bound(
	    d->constraint, d->conf.constraints, raw, &d->bound);
	if (old.votes != d->bound.votes || old.ahead != d->bound.ahead)
		d->dirty = true;
	if (d->bound.votes > 0) {
		if (d->bound.stored && !(old.stored && old.votes > 0))
			log_line(LOG_CLASS_WARN,
			    "all constraints answer out of caches: the bound is %.0fs wide",
			    2 * bound_error(&d->bound, raw));
		d->waiting_said = false;
		/* those who broke the old one are asked again */
		if (d->bound_broken &&
		    bound_check(&old, raw, d->bound.ahead) != BOUND_OK) {
			d->bound_broken = false;
			peers_again(&d->peers, raw);
		}
		return;
	}
	if (!d->bound.tried || (d->bound.answers > 0 && d->bound.asking))
		return;
	say_waiting(d);
	if (d->bound.answers > 0) { /* no majority: time may bring one */
		dates_broken(d, raw);
		d->bound_due = later(raw, DISAGREE_SECONDS);
	}
}

/* No child now: soon, when others are through; or without memory or processes,
 * which is worth saying. */
static void
busy(struct daemon *d, int line, int index, int64_t raw)
{
	char reason[CONSTRAINT_REASON];
	bool full = errno == EBUSY;

	(void)snprintf(
	    reason, sizeof reason, "cannot start a child: %s", strerror(errno));
	constraint_busy(&d->constraint[line], index, full ? NULL : reason, raw);
	renew_bound(d, raw);
}

static void
look_up(struct daemon *d, int line, int64_t raw)
{
	const struct conf_constraint *c = &d->conf.constraint[line];
	char name[NAME_MAX_TEXT];
	struct dns_question question = { name, d->constraint[line].lookups };
	struct helper_job job = {
		.kind = HELPER_CONSTRAINT_NAME,
		.owner = line,
		.seconds = DNS_PATIENCE + 1,
		.work = dns_ask,
		.question = &question,
		.size = sizeof(struct dns_answer),
	};

	(void)snprintf(
	    name, sizeof name, "%s%s", c->host, c->rooted ? "." : "");
	if (helper_start(&d->helpers, &job, raw) < 0)
		busy(d, line, -1, raw);
}

void
dates_named(struct daemon *d, const struct helper_result *r, int64_t raw)
{
	struct dns_answer answer;
	char reason[CONSTRAINT_REASON];

	dns_take(r, d->conf.constraint[r->owner].host,
	    d->constraint[r->owner].lookups == 0, &answer);
	(void)snprintf(reason, sizeof reason, "name lookup failed: %s",
	    answer.reason);
	constraint_resolved(&d->constraint[r->owner], answer.address,
	    answer.addresses, reason, raw, fraction(net_random()));
	if (answer.addresses == 0 &&
	    said_news(&d->dates_said[r->owner], WRONG_NAME, raw))
		log_line(LOG_CLASS_DEBUG, "%s: %s",
		    d->conf.constraint[r->owner].host, reason);
	renew_bound(d, raw);
}

static void
ask(struct daemon *d, int line, int index, int64_t raw)
{
	const struct conf_constraint *conf = &d->conf.constraint[line];
	struct constraint *c = &d->constraint[line];
	struct tls_question question = {
		.host = conf->host,
		.path = conf->path,
		.port = conf->port,
		.numeric = conf->numeric,
		.address = c->vote[index].address,
		.earliest = EARLIEST,
		.synced = d->synced,
		.roots = d->roots,
	};
	struct helper_job job = {
		.kind = HELPER_HTTPS,
		.owner = owner(line, index),
		.seconds = TLS_PATIENCE + 1,
		.work = tls_ask,
		.question = &question,
		.size = sizeof(struct tls_answer),
	};
	char text[ADDRESS_TEXT];

	d->asked[owner(line, index)] = raw;
	if (helper_start(&d->helpers, &job, raw) < 0) {
		busy(d, line, index, raw);
		return;
	}
	/* Tries in vain are soon no news any more. */
	log_line(c->tries < 2 ? LOG_CLASS_DEBUG : LOG_CLASS_DETAIL,
	    "constraint request to %s", net_text(&question.address, text));
}

/* A number for each reason: the same reason again is a condition, not an event.
 * Its digits do not count, since some reasons end with the time or the age of the
 * answer. */
static int
wrong(const struct tls_answer *a)
{
	const bool dated = a->said == TLS_EARLY || a->said == TLS_LATE ||
	    a->said == TLS_BUILD || a->said == TLS_STORED;
	unsigned hash = (unsigned)a->said;
	const char *p;

	for (p = a->reason; *p != '\0' && !dated; p++)
		if (*p < '0' || *p > '9')
			hash = hash * 31 + (unsigned char)*p;
	return (int)(hash >> 1) + 1;
}

static void
failed(struct daemon *d, int line, int index, const struct tls_answer *a,
    int64_t raw)
{
	struct constraint *c = &d->constraint[line];
	bool news = said_news(&d->dates_said[line], wrong(a), raw);
	double next;
	char text[ADDRESS_TEXT];

	log_line(!news			   ? LOG_CLASS_DETAIL :
		a->said == TLS_CONNECT ? LOG_CLASS_DEBUG :
					 LOG_CLASS_WARN,
	    "%s: %s (%s): %s", tls_words[a->said],
	    net_text(&c->vote[index].address, text),
	    d->conf.constraint[line].host, a->reason);
	next =
	    constraint_failed(c, index, a->reason, raw, fraction(net_random()));
	if (next > 0)
		log_line(c->tries <= 1 ? LOG_CLASS_DEBUG : LOG_CLASS_DETAIL,
		    "no constraint reply from %s received in time, next query %ds",
		    text, (int)lrint(next));
}

void
dates_answered(struct daemon *d, const struct helper_result *r, int64_t raw)
{
	int line = r->owner / CONSTRAINT_ADDRESSES;
	int index = r->owner % CONSTRAINT_ADDRESSES;
	struct constraint *c = &d->constraint[line];
	struct constraint_answer answer;
	struct tls_answer a = { .said = TLS_READ };
	char text[ADDRESS_TEXT];

	if (r->ok)
		memcpy(&a, r->answer, sizeof a);
	if (!r->ok || !tls_sane(&a, d->asked[r->owner], raw)) {
		memset(&a, 0, sizeof a);
		a.said = TLS_READ;
		(void)snprintf(a.reason, sizeof a.reason, "%s",
		    r->late	  ? "no answer in time" :
			r->signal ? "the child that asked was killed" :
				    "the child that asked gave no answer");
		if (r->signal != 0)
			log_line(LOG_CLASS_WARN,
			    "constraint %s; terminated with signal %d",
			    net_text(&c->vote[index].address, text), r->signal);
	}
	if (a.said != TLS_DATE) {
		if (a.said == TLS_STORED && a.error > 0) {
			answer = tls_constraint_answer(&a);
			constraint_stored(c, index, &answer);
		}
		failed(d, line, index, &a, raw);
	} else {
		said_well(&d->dates_said[line]);
		log_line(LOG_CLASS_INFO, "constraint reply from %s: offset %f",
		    net_text(&c->vote[index].address, text),
		    seconds(a.date - a.real));
		answer = tls_constraint_answer(&a);
		(void)constraint_reply(
		    c, index, &answer, raw, fraction(net_random()));
	}
	renew_bound(d, raw);
}

void
dates_turn(struct daemon *d, const struct instant *now)
{
	enum constraint_want want;
	int i, index, all = 0;
	double most = d->peers.told.starting ? RETRY_STARTING : RETRY_MOST;

	for (i = 0; i < d->conf.constraints; i++)
		all += d->constraint[i].addresses;
	for (i = 0; i < d->conf.constraints; i++)
		d->constraint[i].retry_most = fmax(most, RETRY_EVERY * all);
	for (i = 0; i < d->conf.constraints; i++)
		while (now->raw >= d->constraint[i].due &&
		    (want = constraint_turn(&d->constraint[i], now->raw,
			 &index)) != CONSTRAINT_REST) {
			if (want == CONSTRAINT_RESOLVE)
				look_up(d, i, now->raw);
			else
				ask(d, i, index, now->raw);
		}
	if (d->conf.constraints > 0 && now->raw >= d->bound_due)
		renew_bound(d, now->raw);
}

int64_t
dates_due(const struct daemon *d)
{
	int64_t due = d->bound_due;
	int i;

	for (i = 0; i < d->conf.constraints; i++)
		due = sooner(due, d->constraint[i].due);
	return due;
}

bool
dates_again(struct daemon *d, int64_t raw)
{
	if (!constraint_reset(d->constraint, d->conf.constraints, raw))
		return false;
	d->anew_at = raw;
	log_line(LOG_CLASS_DEBUG, "Reset constraint info");
	return true;
}

void
dates_hurry(struct daemon *d, int64_t raw)
{
	int i;

	for (i = 0; i < d->conf.constraints; i++)
		constraint_hurry(&d->constraint[i], raw);
}

void
dates_broken(struct daemon *d, int64_t raw)
{
	if (dates_again(d, raw))
		d->bound_broken = true;
}

void
dates_forget(struct daemon *d, int64_t raw)
{
	int i;

	for (i = 0; i < d->conf.constraints; i++)
		constraint_forget(&d->constraint[i], raw);
	d->anew_at = raw;
	renew_bound(d, raw);
}
