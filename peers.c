/*
 * peers.c - the servers of the configuration.
 *
 * This room looks up their names, asks their sources, takes the replies, and
 * logs what is worth a line.  It owns the sockets.  What a reply means and when
 * the next request is due source.c decides; which address to ask, line.c.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peers.h"
#include "core/build.h"
#include "core/calendar.h"
#include "core/wipe.h"
#include "core/word.h"
#include "sys/dns.h"
#include "sys/instant.h"
#include "sys/net.h"
#include "sys/refid.h"
#include "tls.h"

/* Lookups in a row, 1, 2, 4 ... minutes apart, that filled no place of a pool.
 * After so many the pool is taken to have no more addresses, and changes of the
 * network are no longer listened to for its sake. */
#define LEAN_MOST 7
/* s: all servers may be asked again AGAIN_AT_ONCE times, and after that once in
 * AGAIN_EVERY.  Each server gets three requests then, so where there are many
 * of them they wait for AGAIN_CROWD each: that makes 8600 requests a day. */
#define AGAIN_EVERY 120.0
#define AGAIN_CROWD 30.0
enum { AGAIN_AT_ONCE = 8 };
/* s for each server: the shortest time after which another change of the
 * network lets the silent ones be asked as often as at the start.  That makes
 * 2600 requests a day. */
#define ANEW_EVERY 300.0
/* Requests used up (source_spent) from which on that is needed. */
#define ANEW_USED 4
/* s: a server that comes and goes makes the others hurry once in this time. */
#define HURRY_EVERY 15.0
/* s until a line is looked up that a reload has brought.  Its server may have
 * been asked just before the line went away, and comes back. */
#define ADDED_WAIT 1.0
/* s of root distance: a server beyond it is used only where "maxdistance"
 * allows it, and the log says so. */
#define DISTANCE_USUAL 16.0

/* Why requests of a source are in vain, where that is no errno. */
enum { WRONG_SILENT = 10000, WRONG_KEYS, WRONG_MAC, WRONG_PROOF = 11000,
	WRONG_REPLY = 12000 };

static void
close_exchange(struct peers *p, int i)
{
	if (p->fd[i] >= 0)
		(void)close(p->fd[i]);
	p->fd[i] = -1;
}

/* Whole seconds to the next query; one that is due is sent within a second. */
static int
next_query(const struct source *s, int64_t raw)
{
	return s->due == NEVER ? 0 : (int)lrint(fmax(1, seconds(s->due - raw)));
}

/* The keys and cookies of a source, or NULL: it needs none. */
static struct jar *
jar_of(const struct peers *p, int i)
{
	return p->conf->server[p->source[i].line].nts ? &p->jar[i] : NULL;
}

/* The name of a source's line. */
static const char *
name_of(const struct peers *p, int i)
{
	return p->conf->server[p->source[i].line].name;
}

/* Say that a source is not trusted any more. */
static void
say_invalid(const struct source *s)
{
	char text[ADDRESS_TEXT];

	log_line(LOG_CLASS_INFO, "peer %s now invalid",
	    net_text(&s->address, text));
}

/* Take the options of a line. */
static void
configure(struct source *s, const struct conf_server *c, int line)
{
	s->line = line;
	s->trusted = c->trusted;
	s->authentic = c->nts || c->key.id != 0;
	s->interleaved = c->interleaved;
	s->weight = c->weight;
	s->poll_least = c->poll_least;
	s->poll_most = c->poll_most;
	s->distance_most = c->distance_most;
}

/* Make it a source without an address. */
static void
clear_source(struct peers *p, int i, int line)
{
	p->fd[i] = -1;
	p->source[i] = (struct source){
		.state = SOURCE_UNRESOLVED, .due = NEVER, .trust = TRUST_START,
	};
	configure(&p->source[i], &p->conf->server[line], line);
}

/* Source i has its address now.  If another one has it as well, source i is one
 * that must prove what it says, and the other one gives the address up. */
static void
claim(struct peers *p, int i)
{
	const struct source *s = &p->source[i];

	for (int k = 0; k < p->sources; k++) {
		struct source *o = &p->source[k];

		if (k == i || o->state == SOURCE_UNRESOLVED ||
		    !address_equal(&o->address, &s->address))
			continue;
		if (source_valid(o))
			say_invalid(o);
		close_exchange(p, k);
		clear_source(p, k, o->line);
		p->wish.elect = true;
	}
}

/* Move a source to another address, if its line has one for it. */
static void
settle_address(struct peers *p, int i, int64_t raw)
{
	struct source *s = &p->source[i];
	struct line *l = &p->line[s->line];
	struct jar *jar = jar_of(p, i);
	const struct address *to;
	char text[ADDRESS_TEXT];
	double wait;
	bool left;
	int j;

	if (jar != NULL && jar->asking) /* what comes of it is not known yet */
		return;
	to = line_replace(l, s, p->source, p->sources);
	if (to == NULL)
		return;
	if (l->pool && s->state != SOURCE_UNRESOLVED)
		log_line(LOG_CLASS_DEBUG, "Adding address %s to %s",
		    net_text(to, text), p->conf->server[s->line].name);
	if (source_valid(s))
		say_invalid(s);
	close_exchange(p, i);
	said_well(&p->said[i]);
	left = s->state != SOURCE_UNRESOLVED;
	wait = line_wait(l, s, p->told.starting);
	if (jar != NULL)
		jar_start(jar, raw,
		    wait > 0 ? -1 : jar_wait(i, fraction(net_random())));
	source_move(s, to, l->founds, later(raw, wait), p->told.freq,
	    p->told.freq_sd);
	claim(p, i);
	/* Another line may have waited for the address that is free now. */
	for (j = 0; (left || s->authentic) && j < p->sources; j++)
		if (p->source[j].state == SOURCE_UNRESOLVED &&
		    p->source[j].line != s->line)
			settle_address(p, j, raw);
}

/* In which of three rounds this source is settled after a lookup.  Sources at
 * an address that the name no longer has come first, then those without one.
 * The addresses that are left over may replace other members of the pool. */
static int
turn_of(const struct line *l, const struct source *s)
{
	return s->state == SOURCE_UNRESOLVED ? 1 :
	    line_offers(l, &s->address)	     ? 2 :
					       0;
}

/* The line's name has been looked up: it has so many addresses. */
static void
settle_line(struct peers *p, int line, int n, int64_t raw)
{
	struct line *l = &p->line[line];
	int i, k, first = p->slice[line], end = p->slice[line + 1];

	for (k = 0; k < 3; k++)
		for (i = first; i < end; i++)
			if (turn_of(l, &p->source[i]) == k)
				settle_address(p, i, raw);
	if (n == 0)
		return;
	for (i = first; i < end; i++)
		(void)source_resume(
		    &p->source[i], raw, p->told.freq, p->told.freq_sd);
	line_settled(l, &p->source[first], end - first, raw);
}

/* Is it the machine that lacks something for a moment? */
static bool
is_local(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS ||
	    error == ENOMEM || error == EAGAIN || error == EINTR;
}

/* Does this error hold for a whole family?  Then one line is enough for it. */
static bool
is_of_family(int error)
{
	return is_local(error) || error == ENETUNREACH || error == ENETDOWN ||
	    error == EADDRNOTAVAIL || error == EAFNOSUPPORT;
}

/* connect(2) or send(2) has failed.  That is a debug line only, since another
 * address of the same name may be better. */
static void
unreachable(struct peers *p, int i, int64_t raw, int error)
{
	struct source *s = &p->source[i];
	struct jar *jar = jar_of(p, i);
	char text[ADDRESS_TEXT];

	close_exchange(p, i);
	if (is_local(error))
		source_delayed(s, raw, fraction(net_random()));
	else
		source_failed(s, raw, p->told.starting, fraction(net_random()));
	/* Another exchange may lead to an address that there is a way to. */
	if (s->unreachable && jar != NULL && jar->address.family != 0 &&
	    !jar->asking)
		jar_start(jar, raw, -1);
	if (said_news(is_of_family(error) ? &p->family[s->address.family == 6] :
					    &p->said[i],
		error, raw))
		log_line(LOG_CLASS_DEBUG,
		    "failed to send query to %s, next query %ds: %s",
		    net_text(&s->address, text), next_query(s, raw),
		    strerror(error));
	settle_address(p, i, raw);
}

/* ---------------------------------------------------------------------- NTS */

/* Is an exchange of keys under way with an address of this line? */
static bool
is_exchanging(const struct peers *p, int line)
{
	int i;

	for (i = p->slice[line]; i < p->slice[line + 1]; i++)
		if (p->jar[i].asking)
			return true;
	return false;
}

/* A child may have ended: exchanges that wait for it, or for another one of
 * their line, may begin. */
static void
resume_exchanges(struct peers *p, int64_t raw)
{
	for (int i = 0; i < p->sources; i++) {
		struct source *s = &p->source[i];

		if (s->due == NEVER && jar_of(p, i) != NULL &&
		    jar_wants(&p->jar[i], raw) && !is_exchanging(p, s->line) &&
		    helper_free(p->helpers))
			source_waits(s, raw);
	}
}

/* What made exchanges fail may be over: begin those that are put off. */
static void
hurry_keys(struct peers *p, int64_t raw)
{
	for (int i = 0; i < p->sources; i++) {
		struct jar *jar = jar_of(p, i);

		if (jar == NULL)
			continue;
		jar_hurry(jar, raw);
		if (!jar_ready(jar) && jar_wants(jar, raw))
			source_waits(&p->source[i], raw);
	}
}

/* There are no keys, and the reason is in the jar: say so, and perhaps try
 * another address. */
static void
keyless(struct peers *p, int i, int64_t raw)
{
	struct source *s = &p->source[i];
	struct jar *jar = &p->jar[i];
	char text[ADDRESS_TEXT];

	if (said_news(&jar->said, WRONG_KEYS, raw))
		log_line(LOG_CLASS_WARN,
		    "nts key exchange with %s (%s) failed: %s, next try %.0fs",
		    net_text(&s->address, text), name_of(p, i), jar->reason,
		    seconds(jar->due - raw));
	if (s->state != SOURCE_IDLE) /* it is asked with the cookies it has */
		return;
	if (jar_ready(jar))
		source_waits(s, raw);
	else {
		source_failed(s, raw, p->told.starting, 0);
		source_waits(s, jar->due);
		settle_address(p, i, raw);
	}
}

/* Let a child exchange keys with the source's address, and the request wait for
 * it. */
static void
exchange(struct peers *p, int i, int64_t raw)
{
	struct source *s = &p->source[i];
	struct jar *jar = &p->jar[i];
	const struct conf_server *c = &p->conf->server[s->line];
	struct tls_question question = {
		.host = c->name, .port = c->nts_port, .numeric = c->address,
		.address = s->address, .synced = p->told.synced,
		.roots = p->told.roots,
	};
	struct helper_job job = {
		.kind = HELPER_NTS, .owner = i, .port = c->nts_port,
		.seconds = TLS_PATIENCE + 1,
		.work = tls_exchange, .question = &question,
		.size = sizeof(struct tls_keys),
	};
	int error = 0;

	source_waits(s, NEVER); /* until this, or another child, has ended */
	s->unreachable = false; /* so that the election waits for it */
	if (is_exchanging(p, s->line) ||
	    (helper_start(p->helpers, &job, raw) < 0 &&
		(error = errno) == EBUSY))
		return;
	jar_asked(jar, raw);
	if (error == 0)
		return;
	(void)snprintf(jar->reason, sizeof jar->reason,
	    "cannot start a child: %s", strerror(error));
	jar_failed(jar, raw, fraction(net_random()));
	keyless(p, i, raw);
}

/* There are keys, so ask. */
static void
keyed(struct peers *p, int i, int64_t raw)
{
	struct jar *jar = &p->jar[i];
	char text[ADDRESS_TEXT];

	log_line(jar->good == 1 || jar->said.state != 0 ? LOG_CLASS_INFO :
							  LOG_CLASS_DEBUG,
	    "nts key exchange with %s (%s) done: %d cookies",
	    net_text(&p->source[i].address, text), name_of(p, i),
	    jar->nts.cookies);
	said_well(&jar->said);
	close_exchange(p, i);
	source_waits(&p->source[i], raw);
}

/* NTP goes to another host than the keys came from: find it. */
static void
follow(struct peers *p, int i, int64_t raw)
{
	struct jar *jar = &p->jar[i];
	/* Each exchange looks the name up once, so that their number counts the
	 * tries of dns.h. */
	struct dns_question question = { jar->server,
		p->told.starting ? (int)jar->exchanges - 1 : 0, true };
	struct helper_job job = {
		.kind = HELPER_NTS_NAME, .owner = i,
		.seconds = DNS_PATIENCE + 1,
		.work = dns_ask, .question = &question,
		.size = sizeof(struct dns_answer),
	};

	source_waits(&p->source[i], NEVER);
	if (helper_start(p->helpers, &job, raw) == 0)
		return;
	(void)snprintf(jar->reason, sizeof jar->reason,
	    "its NTP server's name cannot be looked up: %s", strerror(errno));
	jar_found(jar, NULL, 0);
	keyless(p, i, raw);
}

void
peers_led(struct peers *p, const struct helper_result *r, int64_t raw)
{
	struct jar *jar = &p->jar[r->owner];
	struct dns_answer a;

	dns_take(r, jar->server, true, &a);
	if (a.addresses == 0)
		(void)snprintf(jar->reason, sizeof jar->reason,
		    "could not resolve \"%.60s\", where its NTP is: %.55s",
		    jar->server, a.reason);
	jar_found(jar, a.address, a.addresses);
	if (a.addresses == 0)
		keyless(p, r->owner, raw);
	else
		keyed(p, r->owner, raw);
	p->wish.elect |= p->told.unset;
}

void
peers_keyed(struct peers *p, struct helper_result *r, int64_t raw)
{
	struct jar *jar = &p->jar[r->owner];
	double random = fraction(net_random());
	struct tls_keys k;
	bool good;

	memcpy(&k, r->answer, sizeof k);
	good = r->ok && tls_keys_sane(&k) && k.ok;
	if (good)
		jar_granted(jar, &k.grant, k.from, k.until, raw, random);
	else {
		(void)snprintf(jar->reason, sizeof jar->reason, "%.*s",
		    JAR_REASON - 1,
		    r->ok && k.ok  ? "its child has told nonsense" :
			r->ok	       ? k.reason :
			r->signal != 0 ? "its child was killed" :
					 "no answer in time");
		jar_failed(jar, raw, random);
	}
	secret_wipe(&k, sizeof k);
	secret_wipe(r->answer, sizeof k);
	if (!good)
		keyless(p, r->owner, raw);
	else if (jar->asking) /* so there is one more child */
		follow(p, r->owner, raw);
	else
		keyed(p, r->owner, raw);
	p->wish.elect |= p->told.unset;
}

/* Make the request provable.  Its size, or 0: it waits for keys. */
static size_t
seal(struct peers *p, int i, uint8_t packet[static NTS_PACKET_MOST],
    int64_t raw)
{
	struct jar *jar = &p->jar[i];
	uint8_t random[NTS_UID + NTS_NONCE];
	size_t at;

	if (jar_wants(jar, raw)) {
		exchange(p, i, raw);
		return 0;
	}
	if (!jar_ready(jar)) {
		source_waits(&p->source[i], jar->asking ? NEVER : jar->due);
		return 0;
	}
	for (at = 0; at < sizeof random; at += sizeof(uint64_t)) {
		uint64_t bits = net_random();

		memcpy(random + at, &bits, sizeof bits);
	}
	jar_sent(jar);
	/* Some networks drop large packets of NTP.  So after a loss no more
	 * cookies are asked for, and then one more each time. */
	return nts_request(&jar->nts, jar->heard, random, packet);
}

/* Was the MAC of this reply made with the source's key, if it has one?  Anybody
 * can send a reply without it, so such a reply changes nothing. */
static bool
is_signed(
    struct peers *p, int i, const uint8_t *packet, size_t size, int64_t raw)
{
	struct source *s = &p->source[i];
	const struct key *k = &p->conf->server[s->line].key;
	char text[ADDRESS_TEXT];

	if (k->id == 0 || (size == KEY_PACKET && key_of(k, 1, packet) != NULL))
		return true;
	/* Key 0 and no MAC means that (RFC 5905 §9.2). */
	if (said_news(&p->said[i], WRONG_MAC, raw))
		log_line(LOG_CLASS_INFO,
		    size == NTP_SIZE + 4 ?
			"reply from %s: it refuses key %u" :
			"reply from %s: without the MAC of key %u, not used",
		    net_text(&s->address, text), k->id);
	s->explained = true;
	return false;
}

/* Is this what the source has sent?  Anybody could send what is not, so it
 * changes nothing.  If it is, it may be the first to be judged by the dates of
 * the certificates. */
static bool
is_proven(struct peers *p, int i, const uint8_t *packet, size_t size,
    struct judgement *j, int64_t raw)
{
	struct jar *jar = jar_of(p, i);
	enum nts_said said;
	char text[ADDRESS_TEXT];

	if (jar == NULL)
		return is_signed(p, i, packet, size, raw);
	said = nts_reply(&jar->nts, packet, size);
	jar_heard(jar, said);
	p->source[i].explained |= said != NTS_OK;
	if (said != NTS_OK &&
	    said_news(&p->said[i], WRONG_PROOF + (int)said, raw))
		log_line(LOG_CLASS_DEBUG, "reply from %s: %s, not used",
		    net_text(&p->source[i].address, text),
		    word_at(nts_words, said));
	j->from = jar->from;
	j->until = jar->proven ? 0 : jar->until;
	return said == NTS_OK;
}

/* ------------------------------------------------------------------ asking */

static void
ask(struct peers *p, int i, int64_t raw)
{
	struct source *s = &p->source[i];
	const struct conf_server *c = &p->conf->server[s->line];
	const struct jar *jar = jar_of(p, i);
	const struct address *to = jar != NULL && jar->address.family != 0 ?
	    &jar->address : &s->address;
	uint8_t bytes[NTS_PACKET_MOST];
	uint64_t nonce = net_random();
	size_t size = NTP_SIZE;
	int64_t sent;

	close_exchange(p, i);
	/* Where there is no way to the server, no exchange is tried either. */
	p->fd[i] = net_ask(to,
	    jar != NULL && jar->port != 0 ? jar->port : NTP_PORT,
	    to->family == 4 ? &c->from4 : &c->from6);
	source_query(s, nonce, bytes);
	if (jar != NULL && p->fd[i] >= 0 &&
	    (size = seal(p, i, bytes, raw)) == 0) {
		close_exchange(p, i);
		return;
	}
	if (c->key.id != 0) {
		key_sign(&c->key, bytes);
		size = KEY_PACKET;
	}
	if (p->fd[i] < 0 || net_send(p->fd[i], bytes, size, &sent) < 0) {
		unreachable(p, i, raw, errno);
		return;
	}
	source_sent(s, sent, nonce, p->told.starting);
	said_well(&p->family[s->address.family == 6]);
	serve_asks(p->server, nonce);
	if (p->first_sent == 0)
		p->first_sent = sent;
}

/* If the only answer was refused for its root distance, say so once. */
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
turn_source(struct peers *p, int i, int64_t raw)
{
	struct source *s = &p->source[i];
	bool was_valid = source_valid(s);
	char text[ADDRESS_TEXT];

	if (raw < s->due) /* so no random number, a system call, is needed */
		return;
	switch (source_turn(s, raw, p->told.starting, fraction(net_random()))) {
	case WANT_NOTHING: return;
	case WANT_SEND:
		if (source_doubted(s))
			settle_address(p, i, raw);
		if (raw >= s->due)
			ask(p, i, raw);
		return;
	case WANT_TIMEOUT:
		close_exchange(p, i);
		(void)net_text(&s->address, text);
		if (!s->explained && said_news(&p->said[i], WRONG_SILENT, raw))
			log_line(LOG_CLASS_DEBUG,
			    "no reply from %s received in time, next query %ds",
			    text, next_query(s, raw));
		if (was_valid && !source_valid(s))
			say_invalid(s);
		say_far(s, text);
		settle_address(p, i, raw);
		p->wish.elect = true;
	}
}

/* ------------------------------------------------------------------- names */

static void
look_up(struct peers *p, int line, int64_t raw)
{
	const struct conf_server *c = &p->conf->server[line];
	struct line *l = &p->line[line];
	struct dns_question question = { c->name, l->failures,
		p->told.starting };
	struct helper_job job = {
		.kind = HELPER_NAME, .owner = line,
		.seconds = DNS_PATIENCE + 1,
		.work = dns_ask, .question = &question,
		.size = sizeof(struct dns_answer),
	};

	if (l->numeric) {
		l->asked = raw;
		line_found(l, &c->address, 1, raw, p->told.starting);
		settle_line(p, line, 1, raw);
		return;
	}
	if (helper_start(p->helpers, &job, raw) < 0) {
		if (errno == EBUSY) { /* others have all the children now */
			line_busy(l, raw);
			return;
		}
		if (l->failures == 0)
			log_line(LOG_CLASS_WARN, "could not resolve \"%s\": %s",
			    c->name, strerror(errno));
		line_found(l, NULL, 0, raw, p->told.starting);
		settle_line(p, line, 0, raw);
		return;
	}
	l->looking = true;
	l->asked = raw;
	p->turn = line + 1;
	log_line(l->founds == 0 && l->failures == 0 ? p->start :
						      LOG_CLASS_DETAIL,
	    "trying to resolve %s", c->name);
}

void
peers_named(struct peers *p, const struct helper_result *r, int64_t raw)
{
	const struct conf_server *c = &p->conf->server[r->owner];
	struct line *l = &p->line[r->owner];
	struct dns_answer answer;

	dns_take(r, c->name, l->failures == 0, &answer);
	if (answer.addresses == 0 && l->failures == 0)
		log_line(LOG_CLASS_WARN, "could not resolve \"%s\": %s",
		    c->name, answer.reason);
	log_line(l->founds == 0 && l->failures == 0 ? p->start :
						      LOG_CLASS_DETAIL,
	    answer.addresses == 0 ? "resolve %s done: %d (%s)" :
				    "resolve %s done: %d",
	    c->name, answer.addresses, answer.reason);
	if (answer.questions > 0) /* else its child was killed, or died */
		l->questions = answer.questions;
	if (answer.addresses > 0)
		p->last_named = raw;
	line_found(l, answer.address, answer.addresses, raw, p->told.starting);
	settle_line(p, r->owner, answer.addresses, raw);
	/* The set at start may have waited for this name. */
	p->wish.elect |= p->told.unset;
}

/* ----------------------------------------------------------------- replies */

/* Say that the certificates of a source do not hold at the time it tells. */
static void
say_undated(const struct peers *p, int i)
{
	const struct jar *jar = &p->jar[i];
	char address[ADDRESS_TEXT], from[CALENDAR_TEXT], until[CALENDAR_TEXT];

	log_line(LOG_CLASS_WARN,
	    "reply from %s: its time is outside of its certificate's dates, %s to %s",
	    net_text(&p->source[i].address, address),
	    calendar_text(jar->from, CALENDAR_DAY, from),
	    calendar_text(jar->until, CALENDAR_DAY, until));
}

/* Say why the last reply of a source was refused. */
static void
log_refusal(const struct source *s, enum source_said said, int next)
{
	char text[ADDRESS_TEXT];

	(void)net_text(&s->address, text);
	switch (said) {
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
	case SAID_STRATUM:
	case SAID_ROOT:
		log_line(LOG_CLASS_DEBUG,
		    said == SAID_ROOT ?
			"reply from %s: root distance %.3fs, next query %ds" :
			"reply from %s: not synced (stratum %.0f), next query %ds",
		    text, s->refused, next);
		return;
	case SAID_DELAY:
		log_line(LOG_CLASS_DEBUG,
		    "reply from %s: %sdelay %fs, next query %ds", text,
		    s->refused < 0 ? "negative " : "", s->refused, next);
		return;
	case SAID_SHORT:
		log_line(
		    LOG_CLASS_DEBUG, "malformed packet received from %s", text);
		return;
	default:
		log_line(LOG_CLASS_DEBUG,
		    said == SAID_ALARM || said == SAID_KISS ?
			"reply from %s: not synced (%s), next query %ds" :
			"reply from %s: %s, next query %ds",
		    text, word_at(source_words, said), next);
	}
}

static void
log_reply(
    struct peers *p, int i, enum source_said said, const struct instant *now)
{
	const struct source *s = &p->source[i];
	int next = next_query(s, now->raw);
	char text[ADDRESS_TEXT];

	if (said == SAID_ACCEPTED) {
		said_well(&p->said[i]);
		log_line(LOG_CLASS_REPLY,
		    "reply from %s: offset %f delay %f, next query %ds",
		    net_text(&s->address, text),
		    seconds(s->sample.ahead - (now->real - now->raw)),
		    s->sample.delay, next);
		return;
	}
	/* Anybody can send the first two.  The same again is no event. */
	if (said == SAID_ORIGIN || said == SAID_DUPLICATE ||
	    !said_news(&p->said[i], WRONG_REPLY + (int)said, now->raw))
		return;
	if (said == SAID_DATES)
		say_undated(p, i);
	else
		log_refusal(s, said, next);
}

/* A server that was silent answers.  What kept its replies from us may have
 * kept others' away too, so ask the silent ones, and the constraints. */
static void
hurry_silent(struct peers *p, int64_t raw)
{
	int i;

	for (i = 0; i < p->sources; i++)
		source_nudge(&p->source[i], raw);
	hurry_keys(p, raw);
	p->wish.hurry = true;
	p->hurry_next = later(raw, HURRY_EVERY);
}

/* A reply came.  The time that we wait for other servers begins with the first
 * request that is answered, or it would be over at once after an outage.  And
 * the other servers are asked now, not only when their next try is due. */
static void
heard(struct peers *p, int i, int64_t raw, bool was_silent)
{
	if (jar_of(p, i) != NULL)
		jar_proved(&p->jar[i]);
	if (!p->answered)
		p->first_sent = p->source[i].sent;
	p->answered = true;
	if (p->last_heard == 0 || (was_silent && raw >= p->hurry_next))
		hurry_silent(p, raw);
	p->last_heard = raw;
}

/* The reference ids by which those who follow us may name us: of the addresses
 * that we listen on, and of the one by which this server knows us.  There are
 * none if we do not serve. */
static int
our_names(const struct peers *p, int i, uint32_t refid[], int max)
{
	const struct address *peer = &p->source[i].address;
	bool loopback = serve_loopback(peer);
	int n = serve_ours(p->server, loopback, refid, max - 1);
	struct address a;

	if (p->server->listening->count[LISTEN_NTP] > 0 && !loopback &&
	    net_local(p->fd[i], &a) && !address_equal(&a, peer))
		refid[n++] = refid_of(&a);
	return n;
}

/* Nothing could be read from the socket of source i. */
static void
say_unreceived(struct peers *p, int i, int error, int64_t raw)
{
	struct source *s = &p->source[i];
	char text[ADDRESS_TEXT];

	if (error == EAGAIN || error == EINTR)
		return;
	if (said_news(&p->said[i], error, raw))
		log_line(s->silent == 0 && s->replies > 0 ? LOG_CLASS_WARN :
							    LOG_CLASS_DEBUG,
		    "recvmsg %s: %s", net_text(&s->address, text),
		    strerror(error));
	s->explained = true;
}

void
peers_reply(struct peers *p, int i)
{
	struct source *s = &p->source[i];
	uint8_t bytes[NTS_PACKET_MOST]; /* the rest of a datagram is cut off */
	bool was_valid = source_valid(s), was_silent = s->silent > 0, loops;
	uint32_t ours[LISTEN_NTP_MOST + SERVE_AT + 1];
	struct judgement j = { .bound = &p->told.bound, .ours = ours };
	struct stamps t = { .sent = s->sent };
	enum source_said said;
	struct instant now;
	char text[ADDRESS_TEXT];
	ssize_t size;

	size = net_receive(p->fd[i], bytes, sizeof bytes, &t);
	now = clock_read();
	if (size < 0) {
		say_unreceived(p, i, errno, now.raw);
		return; /* an ICMP error is no answer: go on waiting */
	}
	if (!is_proven(p, i, bytes, (size_t)size, &j, now.raw))
		return;
	j.pivot = ntp_pivot(p->told.synced, now.real, build_epoch * NS_PER_S);
	j.random = fraction(net_random());
	j.count = our_names(p, i, ours, LISTEN_NTP_MOST + SERVE_AT + 1);
	t.precision += p->precision;
	loops = s->loops;
	said = source_reply(s, bytes, (size_t)size, &t, &j);
	log_reply(p, i, said, &now);
	if (s->loops && !loops)
		log_line(LOG_CLASS_INFO,
		    "peer %s follows us: not used while it does",
		    net_text(&s->address, text));
	if (s->state != SOURCE_WAITING)
		close_exchange(p, i);
	if (was_valid && !source_valid(s))
		say_invalid(s);
	if (said == SAID_DENY) /* another address may be better */
		settle_address(p, i, now.raw);
	if (said != SAID_ACCEPTED) {
		p->wish.elect |= said == SAID_BOUND || said == SAID_DENY ||
		    said == SAID_LOOP || said == SAID_ROOT ||
		    said == SAID_DATES;
		return;
	}
	heard(p, i, now.raw, was_silent);
	p->wish.elect = true;
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
peers_echoed(struct peers *p, int64_t raw)
{
	char text[ADDRESS_TEXT];
	int i;

	for (i = 0; i < p->sources; i++) {
		struct source *s = &p->source[i];

		/* Who has seen a request can send it to our server.  So for one
		 * that has to prove what it says, this means nothing. */
		if (s->state != SOURCE_WAITING || s->authentic ||
		    !serve_echoed(p->server, s->nonce))
			continue;
		if (source_valid(s))
			say_invalid(s);
		log_line(source_self(s) ? LOG_CLASS_WARN : LOG_CLASS_DETAIL,
		    "peer %s is this daemon itself: not used",
		    net_text(&s->address, text));
		close_exchange(p, i);
		settle_address(p, i, raw);
		p->wish.elect = true;
	}
}

/* --------------------------------------------------------------- the whole */

/* May another lookup fill a place of this line? */
static bool
has_room(const struct line *l)
{
	return l->room > 0 && l->lean < LEAN_MOST;
}

bool
peers_well(const struct peers *p)
{
	int i;

	for (i = 0; i < p->conf->servers; i++)
		if (p->line[i].founds == 0 || has_room(&p->line[i]))
			return false;
	for (i = 0; i < p->sources; i++)
		if (p->source[i].silent > 0)
			return false;
	return p->told.synced &&
	    (p->told.bound.votes > 0 || !p->told.bound.wanted);
}

/* Has a silent server had most of the requests that it may get at once? */
static bool
is_spent(const struct peers *p, int64_t raw)
{
	int i;

	for (i = 0; i < p->sources; i++)
		if (p->source[i].silent > 0 &&
		    source_spent(&p->source[i], raw) > ANEW_USED)
			return true;
	return false;
}

/* The network changed: look up at once the names that have failed, and those
 * that may have more addresses. */
static void
hurry_names(struct peers *p, int64_t raw)
{
	int i;

	for (i = 0; i < p->conf->servers; i++)
		if (p->line[i].failures > 0 || has_room(&p->line[i]) ||
		    p->line[i].looking)
			line_hurry(&p->line[i], raw);
	p->wish.names = true;
}

void
peers_anew(struct peers *p, int64_t raw)
{
	int i;

	if (peers_well(p))
		return;
	if (is_spent(p, raw) && raw >= p->anew_next) {
		p->anew_next = later(raw, ANEW_EVERY * fmax(1, p->sources));
		for (i = 0; i < p->sources; i++)
			source_renew(&p->source[i]);
		for (i = 0; i < p->conf->servers; i++)
			line_renew(&p->line[i]);
	}
	hurry_names(p, raw);
	hurry_silent(p, raw);
}

/* s from one time that all are asked to the next, when that is done often. */
static double
again_every(const struct peers *p)
{
	return fmax(AGAIN_EVERY, AGAIN_CROWD * p->sources);
}

void
peers_again(struct peers *p, int64_t raw)
{
	int i;

	/* The samples are still good when the clock was set.  So if somebody
	 * sets it all the time, they need not be renewed each time. */
	if (!pace_may(&p->again, raw, AGAIN_AT_ONCE, again_every(p)))
		return;
	for (i = 0; i < p->sources; i++) {
		close_exchange(p, i);
		source_hurry(&p->source[i], raw);
	}
	hurry_keys(p, raw);
}

void
peers_early(struct peers *p, int64_t raw)
{
	int i, next = -1;

	for (i = 0; i < p->sources; i++)
		if (p->source[i].state == SOURCE_IDLE &&
		    (next < 0 || p->source[i].due < p->source[next].due))
			next = i;
	if (next >= 0)
		source_early(&p->source[next], raw);
}

void
peers_forget(struct peers *p, int64_t raw)
{
	int i;

	pace_take(&p->again, raw, again_every(p));
	hurry_names(p, raw); /* the network may be another one */
	p->first_sent = 0;
	p->answered = false;
	for (i = 0; i < p->sources; i++) {
		close_exchange(p, i);
		source_forget(
		    &p->source[i], raw, p->told.freq, p->told.freq_sd);
	}
	hurry_keys(p, raw);
}

void
peers_leapt(struct peers *p, int64_t ns)
{
	int i;

	for (i = 0; i < p->sources; i++)
		source_leapt(&p->source[i], ns);
}

void
peers_elected(struct peers *p, const struct candidate c[], int n)
{
	int i;

	for (i = 0; i < p->sources; i++)
		p->source[i].selected = SELECT_NONE;
	for (i = 0; i < n; i++)
		if (c[i].index < p->sources) /* else it is a sensor */
			p->source[c[i].index].selected = c[i].said;
}

void
peers_called(struct peers *p, const struct candidate c[], int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (c[i].index < p->sources)
			p->source[c[i].index].named =
			    c[i].said == SELECT_FALSE;
}

bool
peers_names_open(const struct peers *p)
{
	int i;

	for (i = 0; i < p->conf->servers; i++)
		if (p->line[i].founds == 0 && p->line[i].failures == 0)
			return true;
	return false;
}

bool
peers_all_heard(const struct peers *p)
{
	const struct source *s = p->source;

	for (int i = 0; i < p->sources; i++, s++)
		if (s->state == SOURCE_UNRESOLVED ? p->slice[s->line] == i :
						    s->replies == 0)
			return false;
	return true;
}

/* Why a source brings no authenticated time: its exchange of keys fails, or
 * what comes after that does. */
static const char *
fault_of(const struct peers *p, int i)
{
	const struct source *s = &p->source[i];
	const struct jar *jar = &p->jar[i];
	int proof = p->said[i].state - WRONG_PROOF;

	if (jar->reason[0] != '\0')
		return jar->reason;
	if (jar->good == 0)
		return "there was none yet";
	if (s->said != SAID_ACCEPTED && jar->lost == 0)
		return word_at(source_words, s->said);
	if (proof == NTS_NAK)
		return word_at(nts_words, NTS_NAK);
	if (proof > 0 && proof < NTS_SAYS)
		return "something on the way answers NTP in its place";
	for (i = 0; i < p->sources; i++)
		if (p->source[i].reach != 0)
			return "no NTP reply comes, large packets may be dropped";
	return "no NTP reply comes, UDP 123 may be filtered";
}

void
peers_unauthentic(const struct peers *p, char *text, size_t size)
{
	const struct jar *jar;
	int of = -1;

	*text = '\0';
	for (int i = p->sources - 1; i >= 0; i--) {
		const struct source *s = &p->source[i];

		if (!s->authentic)
			continue;
		if (s->reach != 0)
			return;
		if (of < 0 || s->state != SOURCE_UNRESOLVED)
			of = i;
	}
	if (of < 0)
		return;
	jar = jar_of(p, of);
	if (p->source[of].state == SOURCE_UNRESOLVED || jar == NULL)
		(void)snprintf(text, size,
		    jar == NULL ? "no authenticated reply from %s" :
				  "no address known of %s",
		    name_of(p, of));
	else
		(void)snprintf(text, size,
		    jar->good > 0 && jar->reason[0] == '\0' ?
			"key exchange with %.70s succeeds, but %s" :
			"key exchange with %.70s fails: %.100s",
		    name_of(p, of), fault_of(p, of));
}

int64_t
peers_keys_due(const struct peers *p)
{
	int64_t due = NEVER;

	for (int i = 0; i < p->sources; i++) {
		const struct source *s = &p->source[i];
		const struct jar *jar = jar_of(p, i);

		/* A place of a pool that has fewer addresses is none. */
		if (!s->authentic || (s->state == SOURCE_UNRESOLVED &&
					 p->line[s->line].founds > 0))
			continue;
		if (jar == NULL || jar->asking || jar->nts.cookies > 0 ||
		    jar->reason[0] == '\0')
			return 0;
		due = sooner(due, jar->due);
	}
	return due;
}

/* Allocate n sources.  False with errno. */
static bool
make_sources(struct peers *p, int n)
{
	int i, j;
	bool nts = false;

	if (n > SOURCES_MAX) {
		errno = E2BIG;
		return false;
	}
	p->sources = n;
	p->source = calloc((size_t)n + 1, sizeof *p->source);
	p->fd = calloc((size_t)n + 1, sizeof *p->fd);
	p->said = calloc((size_t)n + 1, sizeof *p->said);
	for (i = 0; i < p->conf->servers; i++)
		nts |= p->conf->server[i].nts;
	p->jars = nts ? n : 1;
	p->jar = calloc((size_t)p->jars, sizeof *p->jar);
	if (p->source == NULL || p->fd == NULL || p->said == NULL ||
	    p->jar == NULL)
		return false;
	for (i = 0; i < p->conf->servers; i++)
		for (j = p->slice[i]; j < p->slice[i + 1]; j++)
			clear_source(p, j, i);
	return true;
}

bool
peers_make(struct peers *p, int64_t raw)
{
	int i, n = 0, names = 0;

	p->line = calloc((size_t)p->conf->servers + 1, sizeof *p->line);
	p->slice = calloc((size_t)p->conf->servers + 1, sizeof *p->slice);
	if (p->line == NULL || p->slice == NULL)
		return false;
	for (i = 0; i < p->conf->servers; i++) {
		p->line[i].pool = p->conf->server[i].pool;
		p->line[i].numeric = p->conf->server[i].address.family != 0;
		names += !p->line[i].numeric;
		p->slice[i] = n;
		n += p->line[i].pool && !p->line[i].numeric ? POOL_MAX : 1;
	}
	p->slice[p->conf->servers] = n;
	for (i = 0; i < p->conf->servers; i++)
		p->line[i].crowd = names;
	p->turned = fraction(net_random());
	p->anew_next = later(raw, ANEW_EVERY);
	return make_sources(p, n);
}

void
peers_unmake(struct peers *p)
{
	free(p->line);
	free(p->slice);
	free(p->source);
	free(p->fd);
	free(p->said);
	if (p->jar != NULL)
		secret_wipe(p->jar, (size_t)p->jars * sizeof *p->jar);
	free(p->jar);
}

/* All sources that have an address share the requests that may be in vain: tell
 * each how many there are, and which place it has among them. */
static void
take_turns(struct peers *p)
{
	int i, n = 0, k = 0;

	for (i = 0; i < p->sources; i++)
		n += p->source[i].state != SOURCE_UNRESOLVED;
	for (i = 0; i < p->sources; i++) {
		if (p->source[i].state == SOURCE_UNRESOLVED)
			continue;
		p->source[i].crowd = n;
		p->source[i].phase = p->turned + (double)k++ / n;
		p->source[i].phase -= p->source[i].phase >= 1;
	}
}

void
peers_turn(struct peers *p, const struct instant *now)
{
	int i, k, first = p->turn;

	/* Round robin: every name gets its turn when children are scarce. */
	for (k = 0; k < p->conf->servers; k++) {
		i = (first + k) % p->conf->servers;
		if (line_turn(&p->line[i], &p->source[p->slice[i]],
			p->slice[i + 1] - p->slice[i], now->raw,
			p->told.starting))
			look_up(p, i, now->raw);
	}
	take_turns(p);
	resume_exchanges(p, now->raw);
	for (i = 0; i < p->sources; i++)
		turn_source(p, i, now->raw);
}

int64_t
peers_due(const struct peers *p)
{
	int64_t due = NEVER;
	int i;

	for (i = 0; i < p->sources; i++)
		if (p->source[i].state != SOURCE_UNRESOLVED)
			due = sooner(due, p->source[i].due);
	for (i = 0; i < p->conf->servers; i++)
		if (!p->line[i].looking)
			due = sooner(due, p->line[i].lookup_due);
	return due;
}

/* ----------------------------------------------------------- read it again */

/* Let a source of the new configuration be what one of the old was.  Its own
 * line tells its options. */
static void
take_over(struct peers *next, int i, struct peers *p, int old, int to[])
{
	struct source *s = &next->source[i];
	int line = s->line;

	*s = p->source[old];
	configure(s, &next->conf->server[line], line);
	source_limit(s);
	next->fd[i] = p->fd[old];
	next->said[i] = p->said[old];
	if (jar_of(p, old) != NULL) {
		next->jar[i] = p->jar[old];
		secret_wipe(&p->jar[old], sizeof p->jar[old]);
	}
	p->fd[old] = -1;
	to[old] = i;
}

/* Line i of the new configuration has the name that line "old" had.  If it is a
 * pool now, or no longer, its name is looked up for the places that are free. */
static void
keep_line(struct peers *next, int i, struct peers *p, int old, int to[])
{
	struct line *l = &next->line[i];
	int n = next->slice[i + 1] - next->slice[i], crowd = l->crowd, k;

	if (l->pool == p->line[old].pool) {
		*l = p->line[old];
		l->crowd = crowd;
	}
	for (k = 0; k < n && k < p->slice[old + 1] - p->slice[old]; k++)
		take_over(next, next->slice[i] + k, p, p->slice[old] + k, to);
}

/* May a source of line a become one of line b?  Not if only one of them has to
 * prove its replies: the samples of the other one are not proven. */
static bool
is_alike(const struct conf_server *a, const struct conf_server *b)
{
	return a->nts == b->nts && a->nts_port == b->nts_port &&
	    (a->key.id != 0) == (b->key.id != 0);
}

/* Find the line of each name again.  Most files change in one place, so the
 * search begins behind the last line that was found.  lines[] becomes the new
 * number of each old line whose lookup may go on, and -1 for the others. */
static void
keep_lines(struct peers *next, struct peers *p, int lines[], int to[],
    int64_t raw)
{
	const int n = p->conf->servers;
	int i, k, old = 0;

	for (i = 0; i < n; i++)
		lines[i] = -1;
	for (i = 0; i < next->conf->servers; i++) {
		next->line[i].lookup_due = later(raw, ADDED_WAIT);
		for (k = 0; k < n; k++, old = (old + 1) % n)
			if (lines[old] < 0 &&
			    is_alike(&next->conf->server[i],
				&p->conf->server[old]) &&
			    strcmp(next->conf->server[i].name,
				p->conf->server[old].name) == 0) {
				keep_line(next, i, p, old, to);
				lines[old] = i;
				break;
			}
	}
	for (i = 0; i < n; i++)
		if (lines[i] >= 0 &&
		    next->line[lines[i]].pool != p->line[i].pool)
			lines[i] = -1;
}

/* A source whose line is gone may have the address of another line, which could
 * not have it before, or has it in other words. */
static void
keep_address(struct peers *next, struct peers *p, int old, int to[])
{
	const struct address *a = &p->source[old].address;
	int i;

	for (i = 0; i < next->sources; i++) {
		int line = next->source[i].line;

		if (next->source[i].state == SOURCE_UNRESOLVED &&
		    is_alike(&next->conf->server[line],
			&p->conf->server[p->source[old].line]) &&
		    (address_equal(&next->conf->server[line].address, a) ||
			line_offers(&next->line[line], a))) {
			take_over(next, i, p, old, to);
			return;
		}
	}
}

/* Put next's arrays in the place of ours.  Nothing else of it is used. */
static void
swap_arrays(struct peers *p, struct peers *next)
{
	struct peers was = *p;

	p->conf = next->conf;
	p->line = next->line;
	p->slice = next->slice;
	p->source = next->source;
	p->sources = next->sources;
	p->fd = next->fd;
	p->said = next->said;
	p->jar = next->jar;
	p->jars = next->jars;
	next->line = was.line;
	next->slice = was.slice;
	next->source = was.source;
	next->sources = was.sources;
	next->fd = was.fd;
	next->said = was.said;
	next->jar = was.jar;
	next->jars = was.jars;
}

void
peers_reload(struct peers *p, struct peers *next, int to[], int64_t raw)
{
	int *lines = to + p->sources, i; /* each line has a source at least */
	bool heard = false; /* one that stays was */

	for (i = 0; i < p->sources; i++)
		to[i] = -1;
	keep_lines(next, p, lines, to, raw);
	for (i = 0; i < p->sources; i++)
		if (to[i] < 0 && p->source[i].state != SOURCE_UNRESOLVED)
			keep_address(next, p, i, to);
	for (i = 0; i < p->sources; i++) {
		heard |= to[i] >= 0 && p->source[i].replies > 0;
		close_exchange(p, i);
	}
	if (!heard) { /* the wait for a majority begins anew */
		p->first_sent = 0;
		p->answered = false;
	}
	helper_renumber(p->helpers, HELPER_NAME, lines, 1);
	helper_renumber(p->helpers, HELPER_NTS, to, 1);
	helper_renumber(p->helpers, HELPER_NTS_NAME, to, 1);
	swap_arrays(p, next);
	p->turn = 0;
	for (i = 0; i < p->sources; i++)
		if (p->source[i].state == SOURCE_UNRESOLVED)
			settle_address(p, i, raw);
	hurry_keys(p, raw); /* somebody may have mended something else, too */
	p->wish.elect = true;
}

/* ------------------------------------------------------------------- shown */

/* The source because of whose address this one has none, or NULL. */
static const struct source *
shared_by(const struct peers *p, const struct source *s)
{
	return s->state != SOURCE_UNRESOLVED ? NULL :
	    line_shares(&p->line[s->line], p->source, p->sources);
}

static void
show_source(const struct peers *p, int i, const struct instant *now,
    struct status_source *out)
{
	const struct source *s = &p->source[i], *other = shared_by(p, s);
	const struct conf_server *c = &p->conf->server[s->line];
	const struct jar *jar = jar_of(p, i);
	struct candidate e;

	*out = (struct status_source){
		.name = c->name, .pool = c->pool, .trusted = s->trusted,
		.woven = s->woven,
		.valid = source_valid(s), .weight = s->weight,
		.system = s->selected == SELECT_SYSTEM,
		.trust = s->trust, .stratum = s->last.stratum,
		.leap = s->said == SAID_ALARM ? LEAP_ALARM : s->last.leap,
		.reach = s->reach, .state = s->state,
		.selected = s->selected, .said = s->said,
		.next = s->due == NEVER ? NAN :
					  fmax(0, seconds(s->due - now->raw)),
		.poll = s->interval, .offset = NAN, .delay = NAN,
		.jitter = NAN, .distance = NAN, .authentic = s->authentic,
		.nts_age = NAN, .nts_exchanges = NAN, .nts_failures = NAN,
		.nts_naks = NAN, .nts_cookies = NAN, .nts_expire = NAN,
		.nts_reason = "",
		.root_delay = s->last.root_delay,
		.root_dispersion = s->last.root_dispersion,
		.requests = s->requests, .replies = s->replies,
		.rejected = s->rejected,
	};
	if (jar != NULL) {
		if (jar->good > 0) {
			out->nts_age = seconds(now->raw - jar->done);
			out->nts_expire = (double)jar->until;
		}
		out->nts_exchanges = (double)jar->exchanges;
		out->nts_failures =
		    (double)(jar->exchanges - jar->good - jar->asking);
		out->nts_naks = (double)jar->naks;
		out->nts_cookies = jar->nts.cookies;
		out->nts_reason = jar->reason;
	}
	if (s->state != SOURCE_UNRESOLVED)
		(void)net_text(&s->address, out->address);
	else if (other != NULL)
		(void)net_text(&other->address, out->same_as);
	if (source_candidate(s, now->raw, &e)) {
		out->offset = seconds(e.ahead - (now->real - now->raw));
		out->delay = e.delay;
		out->jitter = source_jitter(s);
		out->distance = e.distance;
	}
}

/* An address that has several names is one source.  Its other names are put
 * behind all sources, and are not counted. */
void
peers_show(const struct peers *p, const struct instant *now,
    struct status_source source[], struct status *s)
{
	int i, shared;

	s->source = source;
	s->selected_words = select_words;
	s->said_words = source_words;
	for (shared = 0; shared < 2; shared++)
		for (i = 0; i < p->sources; i++) {
			const struct source *o = &p->source[i];

			/* Free places of a pool are not shown. */
			if ((o->state == SOURCE_UNRESOLVED &&
				i > p->slice[o->line]) ||
			    (shared_by(p, o) != NULL) != shared)
				continue;
			show_source(p, i, now, &source[s->sources + s->shared]);
			if (shared)
				s->shared++;
			else
				s->sources_valid += source[s->sources++].valid;
		}
}
