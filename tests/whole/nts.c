/*
 * nts.c - servers of NTS, and those who are between them and the daemon: key
 * exchanges that a child makes, cookies, sealed replies; keys that are lost,
 * packets that are changed, made up, sent again or dropped.
 *
 * What is checked:
 *	- a datagram that the server has not sealed for this request changes
 *	  nothing;
 *	- each cookie is used once, with the server that gave it, and each
 *	  request is sealed;
 *	- exchanges are rare, and one at a time for each server;
 *	- the time is called authenticated if it is, and only then.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/nts.h"
#include "core/siv.h"
#include "peers.h"
#include "steer.h"
#include "tests/whole/calls.h"
#include "tests/whole/world.h"
#include "tls.h"

enum {
	UID = 0x0104, COOKIE = 0x0204, PLACEHOLDER = 0x0304, SEAL = 0x0404,
	HEADER = 48, HEAD = 4, COOKIE_BYTES = 100, NONCE = 16
};
#define DAY 86400LL
/* s: so long after the last reply it may still count: eight requests. */
#define REACH (9 * 1100.0)

bool nts_sealed; /* the last datagram that was received is a server's */
static int64_t proved; /* raw: of the last such one in this life */

static unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint8_t *
put(uint8_t *p, size_t a, size_t b)
{
	p[0] = (uint8_t)(a >> 8);
	p[1] = (uint8_t)a;
	p[2] = (uint8_t)(b >> 8);
	p[3] = (uint8_t)b;
	return p + HEAD;
}

static void
fill(uint8_t *p, size_t size)
{
	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)random_word();
}

/* ----------------------------------------------------------- key exchanges */

/* The number of the grant, and that of the cookie. */
static void
make_cookie(uint32_t grant, uint8_t p[static COOKIE_BYTES])
{
	uint32_t v[2] = { grant, w->cookies++ };

	memset(p, 0x5a, COOKIE_BYTES);
	memcpy(p, v, sizeof v);
}

static void
grant_keys(struct nts_grant *g, int server)
{
	uint32_t number = w->grants++;
	struct grant *mine = &w->grant[number % GRANTS];
	int n = chance(0.8) ? NTS_COOKIES : 1 + (int)(random_word() % 8);

	*mine = (struct grant){ .server = server, .number = number,
		.epoch = w->server[server].epoch };
	fill(mine->c2s, sizeof mine->c2s);
	fill(mine->s2c, sizeof mine->s2c);
	memcpy(g->nts.c2s, mine->c2s, sizeof mine->c2s);
	memcpy(g->nts.s2c, mine->s2c, sizeof mine->s2c);
	for (; g->nts.cookies < n; g->nts.cookies++) {
		make_cookie(number, g->nts.cookie[g->nts.cookies]);
		g->nts.size[g->nts.cookies] = COOKIE_BYTES;
	}
	g->port = 123;
	if (chance(0.1)) /* where its NTP is */
		(void)snprintf(g->server, sizeof g->server, "%s.example",
		    server_names[server]);
}

void
keys_asked(const struct tls_question *q, struct child *c)
{
	int i = q->address.bytes[q->address.family == 6 ? 15 : 3] - 1;

	(void)snprintf(c->name, sizeof c->name, "%s", q->host);
	c->synced = q->synced;
	c->server = i >= 0 && i < w->plan.servers_most ? i : -1;
}

/* The exchange has begun. */
void
keys_begin(const struct child *c)
{
	int64_t *slot;
	int i;

	if (c->server < 0)
		return;
	for (i = 0; i < CHILDREN; i++)
		CHECK(&w->child[i] == c || w->child[i].state != CHILD_RUNS ||
			w->child[i].kind != HELPER_NTS ||
			w->fault[CALL_KILL].until > w->t ||
			strcmp(w->child[i].name, c->name) != 0,
		    "two exchanges at once of \"%s\"", c->name);
	if (verbose)
		(void)dprintf(2, "%12.3f exchange with %d\n", seconds(w->t),
		    c->server + 1);
	slot = &w->exchange[c->server][w->exchanges[c->server]++ %
	    EXCHANGES];
	CHECK(*slot == 0 || w->t - *slot > ns(3600),
	    "more than %d exchanges in an hour with server %d",
	    EXCHANGES, c->server);
	*slot = w->t;
}

void
keys_done(struct child *c)
{
	int64_t now = true_real() / NS_PER_S;
	struct tls_keys k = { .from = now - 30 * DAY, .until = now + 60 * DAY };
	int64_t here = w->real / NS_PER_S;

	if (c->server < 0 || w->outage || w->no_network || w->no_keys ||
	    w->server[c->server].silent)
		(void)snprintf(k.reason, sizeof k.reason, "timed out");
	else if (c->synced && (here < k.from || here > k.until))
		(void)snprintf(k.reason, sizeof k.reason,
		    "certificate is not valid now");
	else {
		grant_keys(&k.grant, c->server);
		k.ok = true;
	}
	memcpy(c->answer, &k, sizeof k);
}

/* ----------------------------------------------------------------- requests */

/* The fields of a request, as the daemon must have made it. */
struct request {
	const uint8_t *uid, *cookie, *seal;
	size_t cookie_size;
	int wanted; /* cookies */
};

static struct request
parse(const uint8_t *p, size_t size)
{
	struct request r = { .wanted = 1 };
	size_t at = HEADER;

	while (at < size) {
		unsigned type = get16(p + at), length = get16(p + at + 2);

		CHECK(r.seal == NULL && length >= 16 && length <= size - at,
		    "a request with a bad field %x of %u bytes", type, length);
		if (type == UID)
			r.uid = p + at + HEAD;
		else if (type == COOKIE)
			r.cookie = p + at + HEAD;
		else if (type == SEAL)
			r.seal = p + at;
		r.wanted += type == PLACEHOLDER;
		at += length;
	}
	CHECK(r.uid != NULL && r.cookie != NULL && r.seal != NULL,
	    "a request without uid, cookie or seal");
	CHECK(r.wanted <= NTS_COOKIES, "%d cookies are wanted", r.wanted);
	return r;
}

/* Whose cookie is this?  NULL: the server has lost its keys. */
static const struct grant *
recall(const struct request *r, int server)
{
	const struct grant *g;
	uint32_t v[2];

	memcpy(v, r->cookie, sizeof v);
	g = &w->grant[v[0] % GRANTS];
	CHECK(v[0] < w->grants && v[1] < w->cookies, "a cookie of nobody");
	if (v[1] < COOKIES) {
		CHECK((w->used[v[1] / 8] >> v[1] % 8 & 1) == 0,
		    "cookie %u is used twice", v[1]);
		w->used[v[1] / 8] |= (uint8_t)(1 << v[1] % 8);
	}
	if (g->number != v[0])
		return NULL;
	CHECK(g->server == server, "server %d gets a cookie of server %d",
	    server, g->server);
	return g->epoch == w->server[server].epoch ? g : NULL;
}

/* The reply's fields behind its header.  Without a grant it is a NAK. */
static size_t
seal_reply(const struct request *r, const struct grant *g, uint8_t *reply)
{
	uint8_t cookies[NTS_COOKIES * (HEAD + COOKIE_BYTES)], tag[SIV_TAG];
	uint8_t *p = reply + HEADER, *c = cookies, nonce[NONCE];
	struct siv_piece pieces[] = { { reply, 0 }, { nonce, NONCE } };
	size_t size;
	int i;

	p = put(p, UID, HEAD + NTS_UID);
	memcpy(p, r->uid, NTS_UID);
	p += NTS_UID;
	if (g == NULL) {
		reply[1] = 0;
		memcpy(reply + 12, "NTSN", 4);
		return (size_t)(p - reply);
	}
	for (i = 0; i < r->wanted; i++, c += COOKIE_BYTES) {
		c = put(c, COOKIE, HEAD + COOKIE_BYTES);
		make_cookie(g->number, c);
	}
	fill(nonce, sizeof nonce);
	pieces[0].size = (size_t)(p - reply);
	size = (size_t)(c - cookies);
	siv_seal(g->s2c, pieces, 2, cookies, size, tag);
	p = put(p, SEAL, HEAD + HEAD + NONCE + SIV_TAG + size);
	p = put(p, NONCE, SIV_TAG + size);
	memcpy(p, nonce, NONCE);
	memcpy(p + NONCE, tag, SIV_TAG);
	memcpy(p + NONCE + SIV_TAG, cookies, size);
	return (size_t)(p - reply) + NONCE + SIV_TAG + size;
}

/* ---------------------------------------------------------------- attackers */

static void
send_false(int fd, double s, const uint8_t *p, size_t size)
{
	struct event *e = datagram(fd, s);

	memcpy(event_bytes(e), p, size);
	e->size = (int)size;
}

/* Who sees the request and the reply sends something else, which is the first
 * to come.  Only the keys are not known. */
static void
attack(int server, int fd, double s, const uint8_t *reply, size_t size)
{
	uint8_t p[DATAGRAM];
	struct past *past = &w->past[server];
	double lie = between(-1, 1) * pow(10, between(-1, 6));

	memcpy(p, reply, size);
	switch (random_word() % 8) {
	case 0: /* another time, and the rest as it was */
		put_time(p + 32, true_real() + ns(lie));
		put_time(p + 40, true_real() + ns(lie));
		break;
	case 1: /* the same without fields */
		put_time(p + 32, true_real() + ns(lie));
		put_time(p + 40, true_real() + ns(lie));
		size = HEADER;
		break;
	case 2: /* ... or without the seal */
		put_time(p + 32, true_real() + ns(lie));
		put_time(p + 40, true_real() + ns(lie));
		size = HEADER + HEAD + NTS_UID;
		break;
	case 3:
	case 4:
		p[1] = 0;
		memcpy(p + 12, chance(0.5) ? "NTSN" : chance(0.5) ? "RATE" :
								   "DENY", 4);
		size = HEADER + HEAD + NTS_UID;
		break;
	case 5: /* an older one again */
		if (past->size == 0)
			return;
		size = past->size;
		memcpy(p, past->bytes, size);
		if (chance(0.5)) /* as if for this request */
			memcpy(p, reply, HEADER + HEAD + NTS_UID);
		break;
	case 6: size = 1 + random_word() % (size - 1); break;
	default:
		p[random_word() % size] ^= (uint8_t)(1 << random_word() % 8);
	}
	send_false(fd, s * uniform(), p, size);
}

void
nts_asked(int i, int fd, const uint8_t *bytes, size_t size,
    const struct trip *trip, uint8_t *reply)
{
	struct ntp_server *s = &w->server[i];
	struct request r = parse(bytes, size);
	const struct grant *g = recall(&r, i);
	uint8_t tag[SIV_TAG], whole[DATAGRAM];
	const struct siv_piece pieces[] = {
		{ bytes, (size_t)(r.seal - bytes) },
		{ r.seal + 2 * HEAD, NONCE }
	};
	struct event *e;
	size_t n;

	memcpy(tag, r.seal + 2 * HEAD + NONCE, SIV_TAG);
	CHECK(g == NULL || siv_open(g->c2s, pieces, 2, NULL, 0, tag),
	    "a request that is not sealed");
	memcpy(whole, reply, HEADER);
	n = seal_reply(&r, g, whole);
	CHECK(n <= size, "a reply of %zu bytes to %zu", n, size);
	if (w->attacked && chance(0.5))
		attack(i, fd, trip->up + trip->down, whole, n);
	if (trip->lost || (g == NULL && s->mute) ||
	    (w->attacked && chance(0.2)) || (w->large_lost && size > 400))
		return;
	e = datagram(fd, trip->up + trip->down + 20e-6);
	memcpy(event_bytes(e), whole, n);
	e->size = (int)n;
	e->sealed = g != NULL;
	memcpy(w->past[i].bytes, whole, n);
	w->past[i].size = n;
}

/* ----------------------------------------------------------------- promises */

void
__wrap_peers_reply(struct peers *p, int i)
{
	struct source *s = &p->source[i], was = *s;
	bool nts = p->conf->server[s->line].nts;
	struct nts keys = { .cookies = 0 };

	if (nts)
		keys = p->jar[i].nts;
	nts_sealed = false;
	__real_peers_reply(p, i);
	if (!nts)
		return;
	if (nts_sealed) {
		proved = w->raw;
		w->sealed++;
		return;
	}
	was.explained = s->explained;
	CHECK(memcmp(&was, s, sizeof was) == 0 &&
		memcmp(&keys, &p->jar[i].nts, sizeof keys) == 0,
	    "a datagram without a seal has changed server %d", i);
}

/* A turn has ended. */
void
nts_judge(const struct steer *st)
{
	w->authentic = st->elected && st->kept == 0 && st->verdict.authentic;
	if (w->plan.nts == 0)
		return;
	CHECK(!w->authentic ||
		(proved != 0 && seconds(w->raw - proved) < REACH),
	    "called authenticated, and nobody has proved it");
	CHECK(!st->conf->nts_require || !st->synced ||
		w->plan.constraints > 0 || w->plan.sensor || proved != 0,
	    "synchronised without proof");
}
