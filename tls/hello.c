/*
 * hello.c - the first messages: what is offered, and what the server chooses
 * (RFC 8446 §4.1 and §4.2, RFC 5246 §7.4.1).
 *
 * One hello offers TLS 1.3 and 1.2.  It has a share of X25519 only, since a key
 * of another curve costs 1 ms and more, and a server that wants one asks for
 * it, at the price of a round trip.  There are no earlier keys (PSK), hence no
 * early data, and no compression.
 */
#include "tls/hello.h"

#include <string.h>

/* Extensions, of RFC 8446 §4.2 unless another is named. */
enum {
	SERVER_NAME = 0,    /* RFC 6066 §3 */
	SUPPORTED_GROUPS = 10,
	POINT_FORMATS = 11, /* RFC 8422 §5.1.2 */
	ALGORITHMS = 13,
	PROTOCOL = 16,	    /* RFC 7301 */
	EXTENDED_MASTER = 23, /* RFC 7627 */
	VERSIONS = 43,
	COOKIE = 44,
	KEY_SHARE = 51,
	RENEGOTIATION = 0xff01 /* RFC 5746 */
};

/* In which message of the server's an extension may stand.  What is not in the
 * table was not offered. */
enum { IN_HELLO_1_2 = 1, IN_HELLO_1_3 = 2, IN_RETRY = 4, IN_ENCRYPTED = 8 };
static const struct {
	uint16_t type;
	uint8_t where;
} places[] = {
	{ SERVER_NAME, IN_HELLO_1_2 | IN_ENCRYPTED },
	/* Some servers of TLS 1.2 send their groups, which RFC 8422 does not
	 * allow, but which does no harm. */
	{ SUPPORTED_GROUPS, IN_HELLO_1_2 | IN_ENCRYPTED },
	{ POINT_FORMATS, IN_HELLO_1_2 },
	{ PROTOCOL, IN_HELLO_1_2 | IN_ENCRYPTED },
	{ EXTENDED_MASTER, IN_HELLO_1_2 },
	{ VERSIONS, IN_HELLO_1_3 | IN_RETRY },
	{ COOKIE, IN_RETRY },
	{ KEY_SHARE, IN_HELLO_1_3 | IN_RETRY },
	{ RENEGOTIATION, IN_HELLO_1_2 },
};
enum { PLACES = sizeof(places) / sizeof(places[0]) };

/* The random number of a request to retry, RFC 8446 §4.1.3: SHA-256 of
 * "HelloRetryRequest". */
static const uint8_t retry_random[HELLO_RANDOM] = { 0xcf, 0x21, 0xad, 0x74, 0xe5,
	0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
	0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8,
	0xa8, 0x33, 0x9c };

/* A server that knows TLS 1.3 ends its random number of TLS 1.2 by this and 1,
 * that of an older one by this and 0 (§4.1.3).  Seen by a client of TLS 1.3,
 * somebody on the way has changed the hello. */
static const char downgraded[] = "DOWNGRD";

void
hello_begin(struct hello_ours *o, struct messages *m)
{
	o->cookie_size = 0;
	o->retried = false;
	(void)(record_random(&m->records, o->random, sizeof(o->random)) &&
	    record_random(&m->records, o->session, sizeof(o->session)));
}

/* --------------------------------------------------------------------- ours */

/* Write a list of numbers as an extension. */
static void
put_list(
    struct writer *w, uint16_t type, const uint16_t *list, size_t count)
{
	size_t whole, inner;

	message_put(w, type, 2);
	whole = message_open(w, 2);
	inner = message_open(w, 2);
	for (size_t i = 0; i < count; i++)
		message_put(w, list[i], 2);
	message_close(w, inner, 2);
	message_close(w, whole, 2);
}

/* Write a text as an extension that is a list with one entry: its kind, unless
 * it is -1, and its size of so many bytes in front. */
static void
put_text(
    struct writer *w, uint16_t type, int kind, int bytes, const char *text)
{
	size_t whole, list, entry;

	if (text == NULL)
		return;
	message_put(w, type, 2);
	whole = message_open(w, 2);
	list = message_open(w, 2);
	if (kind != -1)
		message_put(w, (uint32_t)kind, 1);
	entry = message_open(w, bytes);
	message_put_bytes(w, text, strlen(text));
	message_close(w, entry, bytes);
	message_close(w, list, 2);
	message_close(w, whole, 2);
}

/* Write what only servers of TLS 1.2 read. */
static void
put_old(struct writer *w)
{
	static const uint8_t bytes[] = {
		0, POINT_FORMATS, 0, 2, 1, 0, /* not compressed */
		0, EXTENDED_MASTER, 0, 0,
		RENEGOTIATION >> 8, RENEGOTIATION & 0xff, 0, 1, 0, /* none */
	};

	message_put_bytes(w, bytes, sizeof(bytes));
}

static void
put_versions(struct writer *w, bool old)
{
	size_t whole, list;

	message_put(w, VERSIONS, 2);
	whole = message_open(w, 2);
	list = message_open(w, 1);
	message_put(w, TLS_1_3, 2);
	if (old)
		message_put(w, TLS_1_2, 2);
	message_close(w, list, 1);
	message_close(w, whole, 2);
}

static void
put_cookie(struct writer *w, const struct hello_ours *o)
{
	if (o->cookie_size == 0)
		return;
	message_put(w, COOKIE, 2);
	message_put(w, (uint32_t)o->cookie_size + 2, 2);
	message_put(w, (uint32_t)o->cookie_size, 2);
	message_put_bytes(w, o->cookie, o->cookie_size);
}

static void
put_share(struct writer *w, const struct exchange *e)
{
	size_t whole, list, share;

	message_put(w, KEY_SHARE, 2);
	whole = message_open(w, 2);
	list = message_open(w, 2);
	message_put(w, e->group, 2);
	share = message_open(w, 2);
	message_put_bytes(w, e->point, e->size);
	message_close(w, share, 2);
	message_close(w, list, 2);
	message_close(w, whole, 2);
}

void
hello_send(struct messages *m, const struct hello_ours *o,
    const struct exchange *e)
{
	bool old = o->least < TLS_1_3;
	struct writer w;
	size_t list;

	message_begin(&w, MESSAGE_CLIENT_HELLO);
	message_put(&w, TLS_1_2, 2);
	message_put_bytes(&w, o->random, HELLO_RANDOM);
	/* TLS 1.3 looks like a resumed session to middleboxes, §D.4. */
	message_put(&w, HELLO_RANDOM, 1);
	message_put_bytes(&w, o->session, HELLO_RANDOM);
	list = message_open(&w, 2);
	for (int i = 0; i < SUITES; i++)
		if (old || suites[i].version == TLS_1_3)
			message_put(&w, suites[i].number, 2);
	message_close(&w, list, 2);
	message_put(&w, 0x0100, 2); /* one way of compression: none */
	list = message_open(&w, 2);
	put_text(&w, SERVER_NAME, 0, 2, o->name);
	put_list(&w, SUPPORTED_GROUPS, exchange_groups, GROUPS);
	put_list(&w, ALGORITHMS, signature_schemes, SCHEMES);
	put_text(&w, PROTOCOL, -1, 1, o->alpn);
	if (old)
		put_old(&w);
	put_versions(&w, old);
	put_cookie(&w, o);
	put_share(&w, e);
	message_close(&w, list, 2);
	message_send(m, &w);
}

/* ------------------------------------------------------------------- theirs */

static void
read_protocol(
    struct messages *m, const struct hello_ours *o, struct hello_theirs *h)
{
	size_t list = message_enter(m, 2), entry = message_enter(m, 1);
	const char *text = o->alpn != NULL ? o->alpn : "";
	bool same = *text != '\0';

	while (message_left(m) > 0)
		if (message_number(m, 1) != (uint8_t)*text || *text == '\0')
			same = false;
		else
			text++;
	message_leave(m, entry);
	message_leave(m, list);
	if (!same || *text != '\0')
		record_fail(&m->records, FAULT_ANSWER);
	h->alpn = true;
}

static void
read_share(struct messages *m, struct hello_theirs *h)
{
	size_t outer;

	h->group = (uint16_t)message_number(m, 2);
	if (!exchange_knows(h->group))
		record_fail(&m->records, FAULT_GROUP);
	if (h->retry)
		return; /* it only names a group */
	outer = message_enter(m, 2);
	h->size = message_rest(m, h->point, sizeof(h->point));
	message_leave(m, outer);
}

/* Read what is in the extension of that type. */
static void
read_inside(struct messages *m, uint16_t type, struct hello_ours *o,
    struct hello_theirs *h)
{
	size_t outer;

	switch (type) {
	case SERVER_NAME:
		if (o->name == NULL)
			record_fail(&m->records, FAULT_EXTENSION);
		break; /* and it must be empty */
	case PROTOCOL: read_protocol(m, o, h); break;
	case EXTENDED_MASTER: h->extended = true; break;
	case VERSIONS:
		h->versions = true;
		if (message_number(m, 2) != TLS_1_3)
			record_fail(&m->records, FAULT_ANSWER);
		break;
	case COOKIE:
		outer = message_enter(m, 2);
		o->cookie_size = message_rest(m, o->cookie, COOKIE_MOST);
		h->cookie = o->cookie_size > 0;
		message_leave(m, outer);
		break;
	case KEY_SHARE: read_share(m, h); break;
	case RENEGOTIATION:
		if (message_number(m, 1) != 0)
			record_fail(&m->records, FAULT_ANSWER);
		break;
	default: message_skip(m);
	}
}

/* Read a list of extensions.  Returns in which messages all may stand. */
static uint8_t
read_extensions(
    struct messages *m, struct hello_ours *o, struct hello_theirs *h)
{
	size_t list = message_enter(m, 2);
	uint8_t where = 0xff;

	while (message_left(m) > 0) {
		uint16_t type = (uint16_t)message_number(m, 2);
		size_t outer = message_enter(m, 2);
		int i = 0;

		while (i < PLACES && places[i].type != type)
			i++;
		if (i == PLACES || (h->seen & 1u << i) != 0) {
			record_fail(&m->records, FAULT_EXTENSION);
			break;
		}
		h->seen |= 1u << i;
		where &= places[i].where;
		read_inside(m, type, o, h);
		message_leave(m, outer);
	}
	message_leave(m, list);
	return where;
}

/* Is what the server chose among what was offered? */
static enum fault
judge(const struct records *r, const struct hello_ours *o,
    const struct hello_theirs *h, const struct suite *s, uint8_t where)
{
	if (s == NULL ||
	    s->version != (h->versions ? TLS_1_3 : TLS_1_2) ||
	    (o->retried && s != r->suite))
		return FAULT_SUITE;
	if ((where & (h->retry	    ? IN_RETRY :
			    h->versions ? IN_HELLO_1_3 :
					  IN_HELLO_1_2)) == 0)
		return FAULT_PLACE;
	if (h->retry && (!h->versions || o->retried))
		return FAULT_ORDER;
	if (h->versions)
		return FAULT_NONE;
	if (o->least == TLS_1_3)
		return FAULT_OLD;
	return memcmp(h->random + HELLO_RANDOM - 8, downgraded, 7) == 0 &&
		    h->random[HELLO_RANDOM - 1] <= 1 ?
	    FAULT_DOWNGRADE :
	    FAULT_NONE;
}

void
hello_read(
    struct messages *m, struct hello_ours *o, struct hello_theirs *h)
{
	struct records *r = &m->records;
	uint8_t session[HELLO_RANDOM], where = 0xff;
	const struct suite *s;
	size_t outer, size;
	enum fault fault;
	bool same;

	memset(h, 0, sizeof(*h));
	message_expect(m, MESSAGE_SERVER_HELLO);
	if (message_number(m, 2) != TLS_1_2)
		record_fail(r, FAULT_VERSION);
	message_take(m, h->random, sizeof(h->random));
	h->retry = memcmp(h->random, retry_random, HELLO_RANDOM) == 0;
	outer = message_enter(m, 1);
	size = message_rest(m, session, sizeof(session));
	message_leave(m, outer);
	s = suite_find((uint16_t)message_number(m, 2));
	if (message_number(m, 1) != 0)
		record_fail(r, FAULT_ANSWER); /* compression */
	if (message_left(m) > 0)
		where = read_extensions(m, o, h);
	message_end(m);
	if (r->fault != FAULT_NONE)
		return;
	fault = judge(r, o, h, s, where);
	/* TLS 1.3 repeats our session; 1.2 would continue one that we do not
	 * have. */
	same = size == sizeof(session) &&
	    memcmp(session, o->session, sizeof(session)) == 0;
	if (fault == FAULT_NONE && same != h->versions)
		fault = FAULT_SESSION;
	if (fault == FAULT_NONE)
		record_suite(r, s);
	else
		record_fail(r, fault);
}

void
hello_retry(struct messages *m, struct hello_ours *o,
    const struct hello_theirs *h, struct exchange *e, const uint8_t *digest)
{
	struct records *r = &m->records;

	/* It must change something, §4.1.4. */
	if (h->group == 0 ? !h->cookie : h->group == e->group)
		record_fail(r, FAULT_RETRY);
	record_border(r);
	if (r->fault != FAULT_NONE)
		return;
	message_restart(m, secret_hash(r->suite->hash), digest);
	o->retried = true;
	if (h->group != 0)
		exchange_begin(e, h->group, r);
	hello_send(m, o, e);
}

void
hello_encrypted(
    struct messages *m, struct hello_ours *o, struct hello_theirs *h)
{
	message_expect(m, MESSAGE_ENCRYPTED_EXTENSIONS);
	if ((read_extensions(m, o, h) & IN_ENCRYPTED) == 0)
		record_fail(&m->records, FAULT_PLACE);
	message_end(m);
}
