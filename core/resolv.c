/*
 * resolv.c - looking up a name: what resolv.conf(5) and hosts(5) say, the
 * queries and answers of RFC 1035 as bytes, and what to ask next.
 *
 * It takes the place of getaddrinfo(3), because that of the static C library
 * gives up a name when one of its two halves (A, AAAA) fails or when a search
 * domain fails, and before musl 1.2.4 it never asks by TCP.  Here no failure
 * hides a good answer: not a failure of the other half, of another search
 * domain, or of another name server.
 *
 * The candidates of a name are asked for in their order; a silent one does not
 * hold up the next.  Both halves of a candidate are asked for at once, first
 * of one name server.  The others follow when it says no or is slow.  EDNS is
 * not used: many middle boxes refuse it, and few answers need more than 512
 * bytes.  Those come by TCP.
 *
 * This room never touches a socket, a file or a clock.
 */
#include <string.h>

#include "core/resolv.h"
#include "core/instant.h"

enum {
	TYPE_A = 1,
	TYPE_CNAME = 5,
	TYPE_AAAA = 28,
	CLASS_IN = 1,
	HEADER = 12,	/* bytes before the question */
	LABEL = 63,	/* bytes, RFC 1035 §2.3.4 */
	ALIASES = 16,	/* followed in one answer; other resolvers take 8 to 16 */
	NDOTS_MOST = 15, /* as in resolv.conf(5) */
	SENDS = 2,	/* of one query to a silent server, within SILENCE */
	FULL_EVERY = 4	/* one of so many failed lookups asks for all at once */
};

/* All times here are in ns.  A resolver that needs 7 s (a slow link, or a
 * forwarder that tries a dead server first) must still be heard. */
#define MS 1000000LL
/* A candidate may be silent for so long before the next one is asked for; less
 * if one server said no and another is silent. */
#define STALL (1000 * MS)
#define DOUBT (500 * MS)
/* A silent candidate keeps the good answer of a later one from counting for so
 * long; less if some servers said no. */
#define HOLD (3000 * MS)
#define HOLD_DOUBT (1000 * MS)
#define GRACE (500 * MS)     /* the wait for the other half of a good answer */
/* The other half is waited for this much longer while this host has no way to
 * any address of the good one. */
#define DISTANT (4500 * MS)
#define STAGGER (1000 * MS)  /* until another server is asked as well */
/* The time between two queries to a silent server stays within these limits,
 * whatever resolv.conf(5) says. */
#define AGAIN_LEAST (1000 * MS)
#define AGAIN_MOST (5000 * MS)
#define SILENCE (10000 * MS) /* after that a candidate is given up */

/* In the order of enum resolv_said. */
const char resolv_words[] =
    "no answer\0"
    "found\0"
    "no answer by TCP\0"
    "no address\0"
    "NXDOMAIN\0"
    "FORMERR\0"
    "SERVFAIL\0"
    "NOTIMP\0"
    "REFUSED\0"
    "an unknown error\0"
    "a malformed answer\0"
    "no connection\0"
    "nothing";

/* ------------------------------------------------------------------ texts */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Are these the same name? A dot at the end makes no difference here. */
static bool
same_name(const char *a, size_t n, const char *name)
{
	size_t i, size = strlen(name);

	n -= n > 0 && a[n - 1] == '.';
	size -= size > 0 && name[size - 1] == '.';
	for (i = 0; i < n && i < size; i++)
		if (lower(a[i]) != lower(name[i]))
			return false;
	return n == size;
}

/* Find the next word of a line: where it begins, and its length in *n (0:
 * there is none).  *at moves behind it. */
static const char *
word(const char **at, const char *end, size_t *n)
{
	const char *begin;

	while (*at < end && is_blank(**at))
		(*at)++;
	begin = *at;
	while (*at < end && !is_blank(**at))
		(*at)++;
	*n = (size_t)(*at - begin);
	return begin;
}

static bool
is_word(const char *w, size_t n, const char *s)
{
	return n == strlen(s) && memcmp(w, s, n) == 0;
}

/* The value of "name:N", but at most "most"; -1 if the word is not that. */
static int
value_of(const char *w, size_t n, const char *name, int most)
{
	size_t size = strlen(name);
	int value = 0;

	if (n <= size || memcmp(w, name, size) != 0)
		return -1;
	for (; size < n; size++) {
		if (w[size] < '0' || w[size] > '9')
			return -1;
		value = 10 * value + (w[size] - '0');
		if (value > most)
			value = most;
	}
	return value;
}

static void
copy(char *out, const char *w, size_t n)
{
	memcpy(out, w, n);
	out[n] = '\0';
}

/* Is it an address, perhaps with the name of an interface, which only the
 * system knows? */
static bool
is_numeric(const char *w, size_t n)
{
	char text[ADDRESS_TEXT];
	struct address a;

	if (n == 0 || n >= sizeof text)
		return false;
	copy(text, w, n);
	text[strcspn(text, "%")] = '\0';
	return address_parse(text, &a);
}

static void
option(struct resolv_conf *c, const char *w, size_t n)
{
	int value;

	if ((value = value_of(w, n, "ndots:", NDOTS_MOST)) >= 0)
		c->ndots = value;
	if ((value = value_of(w, n, "timeout:", 30)) >= 0)
		c->timeout = value;
	if ((value = value_of(w, n, "attempts:", 5)) >= 0)
		c->attempts = value;
	c->rotate |= is_word(w, n, "rotate");
	c->tcp |= is_word(w, n, "use-vc");
}

static void
conf_line(struct resolv_conf *c, const char *at, const char *end)
{
	size_t n, size;
	const char *key = word(&at, end, &n), *w;
	bool search = is_word(key, n, "search") || is_word(key, n, "domain");

	if (is_word(key, n, "nameserver")) {
		w = word(&at, end, &size);
		if (c->servers < RESOLV_SERVERS && is_numeric(w, size))
			copy(c->server[c->servers++], w, size);
		return;
	}
	if (search)
		c->searches = 0; /* the last line of these counts */
	else if (!is_word(key, n, "options"))
		return;
	while (w = word(&at, end, &size),
	    size > 0 && *w != '#' && *w != ';') {
		if (!search)
			option(c, w, size);
		else if (size < RESOLV_NAME && c->searches < RESOLV_NAMES - 1)
			copy(c->search[c->searches++], w, size);
	}
}

void
resolv_conf(const char *text, size_t size, struct resolv_conf *c)
{
	const char *end = text + size, *line = text, *stop;

	*c = (struct resolv_conf){ .ndots = 1, .timeout = 5, .attempts = 2 };
	for (; line < end; line = stop + 1) {
		stop = memchr(line, '\n', (size_t)(end - line));
		if (stop == NULL)
			stop = end;
		conf_line(c, line, stop);
	}
	c->named = c->servers > 0;
	if (!c->named)
		strcpy(c->server[c->servers++], "127.0.0.1");
}

bool
resolv_hosts(const char *line, size_t size, const char *name,
    char address[static ADDRESS_TEXT])
{
	const char *comment = memchr(line, '#', size);
	const char *end = comment != NULL ? comment : line + size, *a, *w;
	size_t n, length;

	a = word(&line, end, &length);
	if (length == 0 || length >= ADDRESS_TEXT)
		return false;
	while (w = word(&line, end, &n), n > 0)
		if (same_name(w, n, name)) {
			copy(address, a, length);
			return true;
		}
	return false;
}

const char *
resolv_fault(const char *name)
{
	size_t n = 0, label = 0;
	bool odd = false;

	for (; name[n] != '\0'; n++) {
		char c = lower(name[n]);

		if ((unsigned char)c >= 0x80)
			return "not a host name: write its international letters as xn--...";
		odd |= !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '-' || c == '_' || c == '.');
		label = c == '.' ? 0 : label + 1;
		if (label > LABEL)
			return "not a host name: more than 63 bytes between two dots";
		if (c == '.' && (n == 0 || name[n - 1] == '.'))
			return "not a host name: nothing before a dot";
	}
	if (odd || n == 0)
		return "not a host name: letters, digits, '-', '_' and '.' only";
	return n - (name[n - 1] == '.') >= RESOLV_NAME ?
	    "not a host name: more than 253 bytes" :
	    NULL;
}

bool
resolv_localhost(const char *name)
{
	const char local[] = "localhost";
	const size_t size = sizeof local - 1;
	size_t n = strlen(name);

	n -= n > 0 && name[n - 1] == '.';
	return n >= size && same_name(name + n - size, size, local) &&
	    (n == size || name[n - size - 1] == '.');
}

/* ------------------------------------------------------------------ bytes */

static unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint8_t *
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

size_t
resolv_query(
    const char *name, int half, uint16_t id, uint8_t out[static RESOLV_QUERY])
{
	uint8_t *p = put16(out, id), *length;

	p = put16(p, 0x0100); /* a standard query, recursion desired */
	p = put16(p, 1);
	memset(p, 0, 6);
	p += 6;
	while (*name != '\0' && *name != '.') {
		for (length = p++; *name != '\0' && *name != '.'; name++)
			*p++ = (uint8_t)*name;
		*length = (uint8_t)(p - length - 1);
		name += *name == '.';
	}
	*p++ = 0;
	p = put16(p, half == 0 ? TYPE_A : TYPE_AAAA);
	p = put16(p, CLASS_IN);
	return (size_t)(p - out);
}

/* A message that is being read. */
struct reader {
	const uint8_t *bytes;
	size_t size, at;
};

/* Read the name at r->at, in small letters and without compression, in the
 * form of the wire.  Returns its length, or 0 if it is malformed.  This ends,
 * because a pointer must go back, and what lies between two pointers adds to a
 * name of limited length. */
static size_t
read_name(struct reader *r, uint8_t out[static 255])
{
	size_t at = r->at, n = 0;
	bool jumped = false;
	unsigned c, i;

	for (;;) {
		if (at >= r->size)
			return 0;
		c = r->bytes[at];
		if ((c & 0xc0) == 0xc0) {
			if (at + 1 >= r->size)
				return 0;
			if (!jumped)
				r->at = at + 2;
			jumped = true;
			i = get16(r->bytes + at) & 0x3fff;
			if (i >= at)
				return 0;
			at = i;
			continue;
		}
		if (c > LABEL || at + c >= r->size || n + c + 1 > 255)
			return 0;
		out[n++] = (uint8_t)c;
		for (i = 1; i <= c; i++)
			out[n++] = (uint8_t)lower((char)r->bytes[at + i]);
		at += c + 1;
		if (c == 0)
			break;
	}
	if (!jumped)
		r->at = at;
	return n;
}

/* One resource record. Its data is a view of the message. */
struct record {
	uint8_t owner[255];
	size_t owner_size;
	unsigned type, class;
	struct reader data; /* begins there; the message before it is kept */
	size_t data_size;
};

static bool
read_record(struct reader *r, struct record *out)
{
	const uint8_t *p;

	out->owner_size = read_name(r, out->owner);
	if (out->owner_size == 0 || r->size - r->at < 10)
		return false;
	p = r->bytes + r->at;
	out->type = get16(p);
	out->class = get16(p + 2);
	out->data_size = get16(p + 8);
	r->at += 10;
	if (r->size - r->at < out->data_size)
		return false;
	out->data = (struct reader){ r->bytes, r->at + out->data_size, r->at };
	r->at += out->data_size;
	return true;
}

static void
add_address(struct resolv_found *found, const struct record *r)
{
	struct address *a = &found->address[found->addresses];

	if (found->addresses == POOL_MAX)
		return;
	memset(a, 0, sizeof *a);
	a->family = r->data_size == 4 ? 4 : 6;
	memcpy(a->bytes, r->data.bytes + r->data.at, r->data_size);
	address_unmap(a);
	found->addresses++;
}

/* The addresses of one type that are looked for in an answer section. */
struct search {
	unsigned records, type;
	uint8_t owner[255]; /* whose addresses */
	size_t size;	    /* of that name */
	bool malformed;	    /* something was */
	struct resolv_found *found;
};

/* Add the addresses of the owner, whose records may come in any order.  True
 * if the owner is an alias: then the name that it stands for replaces it. */
static bool
look_through(struct search *s, struct reader r)
{
	unsigned records = s->records;
	uint8_t next[255];
	size_t next_size = 0;
	struct record one;

	for (; records > 0; records--) {
		if (!read_record(&r, &one)) {
			s->malformed = true;
			break;
		}
		if (one.class != CLASS_IN || one.owner_size != s->size ||
		    memcmp(one.owner, s->owner, s->size) != 0)
			continue;
		if (one.type == s->type &&
		    one.data_size == (s->type == TYPE_A ? 4 : 16))
			add_address(s->found, &one);
		else if (one.type == TYPE_CNAME && next_size == 0)
			next_size = read_name(&one.data, next);
	}
	if (next_size == 0)
		return false;
	memcpy(s->owner, next, next_size);
	s->size = next_size;
	return true;
}

static enum resolv_said
said_by_rcode(unsigned rcode)
{
	static const enum resolv_said said[] = { RESOLV_FOUND, RESOLV_FORMERR,
		RESOLV_SERVFAIL, RESOLV_NXDOMAIN, RESOLV_NOTIMP, RESOLV_REFUSED };

	return rcode < sizeof said / sizeof *said ? said[rcode] : RESOLV_RCODE;
}

enum resolv_said
resolv_answer(const uint8_t *bytes, size_t size, const uint8_t *query,
    size_t query_size, struct resolv_found *found)
{
	struct reader r = { bytes, size, HEADER };
	struct reader q = { query, query_size, HEADER };
	struct search s = { .type = get16(query + query_size - 4),
		.found = found };
	uint8_t asked[255];
	enum resolv_said said;
	bool cut;

	memset(found, 0, sizeof *found);
	/* It must have the query's id and be an answer to a standard query. */
	if (size < HEADER || memcmp(bytes, query, 2) != 0 ||
	    (bytes[2] & 0xf8) != 0x80)
		return RESOLV_FOREIGN;
	cut = bytes[2] & 0x02;
	said = said_by_rcode(bytes[3] & 0x0f);
	/* A server that does not understand the question may leave it out. */
	if (get16(bytes + 4) == 0 && said != RESOLV_FOUND &&
	    said != RESOLV_NXDOMAIN)
		return said;
	s.size = read_name(&q, asked);
	if (get16(bytes + 4) != 1 || read_name(&r, s.owner) != s.size ||
	    memcmp(s.owner, asked, s.size) != 0 || r.size - r.at < 4 ||
	    memcmp(bytes + r.at, query + q.at, 4) != 0)
		return RESOLV_FOREIGN;
	if (said != RESOLV_FOUND)
		return said;
	r.at += 4;
	s.records = get16(bytes + 6);
	for (int i = 0; i < ALIASES && found->addresses == 0; i++)
		if (!look_through(&s, r))
			break;
	if (cut)
		return RESOLV_CUT;
	return found->addresses > 0 ? RESOLV_FOUND :
	    s.malformed		    ? RESOLV_MALFORMED :
				      RESOLV_NODATA;
}

/* -------------------------------------------------------------- candidates */

static void
add_name(struct resolv *r, const char *name, const char *domain)
{
	struct resolv_name *n = &r->name[r->names];
	size_t size = strlen(name), more = strlen(domain);

	if (size + more + (more > 0) >= sizeof n->text)
		return; /* too long to be asked for */
	memset(n, 0, sizeof *n);
	n->begun = n->good = NEVER;
	copy(n->text, name, size);
	if (more > 0) {
		n->text[size] = '.';
		copy(n->text + size + 1, domain, more);
	}
	if (resolv_fault(n->text) == NULL)
		r->names++;
}

void
resolv_begin(struct resolv *r, const struct resolv_conf *c, const char *name,
    int failures, int64_t now)
{
	size_t size = strlen(name);
	char text[RESOLV_NAME];
	int i, dots = 0;
	bool rooted = name[size - 1] == '.';

	r->names = 0;
	r->servers = c->servers;
	r->sends = failures == 0 ? SENDS : 1;
	r->turns = failures % FULL_EVERY != 0;
	r->began = now;
	r->again = c->timeout * 1000 * MS / (c->attempts > 0 ? c->attempts : 1);
	r->again = r->again < AGAIN_LEAST ? AGAIN_LEAST :
	    r->again > AGAIN_MOST	  ? AGAIN_MOST :
					    r->again;
	copy(text, name, size - rooted);
	for (i = 0; text[i] != '\0'; i++)
		dots += text[i] == '.';
	if (rooted || dots >= c->ndots)
		add_name(r, text, "");
	for (i = 0; i < c->searches && !rooted; i++)
		if (strcmp(c->search[i], ".") != 0)
			add_name(r, text, c->search[i]);
	if (!rooted && dots < c->ndots)
		add_name(r, text, "");
}

static bool
has_addresses(const struct resolv_name *n)
{
	return n->good != NEVER;
}

/* Has a server said that this half of the name has no address? */
static bool
is_denied(const struct resolv *r, const struct resolv_name *n, int half)
{
	for (int i = 0; i < r->servers; i++)
		if (n->probe[half][i].said == RESOLV_NODATA ||
		    n->probe[half][i].said == RESOLV_NXDOMAIN)
			return true;
	return false;
}

/* Is there nothing more to be learnt of this half? */
static bool
is_closed(const struct resolv *r, const struct resolv_name *n, int half)
{
	bool all = true;

	for (int i = 0; i < r->servers; i++) {
		enum resolv_said said = n->probe[half][i].said;

		if (said == RESOLV_FOUND)
			return true;
		all &= said != RESOLV_SILENT && said != RESOLV_CUT;
	}
	return all;
}

/* Is there nothing more to be learnt of the whole name? */
static bool
is_over(const struct resolv *r, const struct resolv_name *n, int64_t now)
{
	return now >= n->begun + SILENCE ||
	    (is_closed(r, n, 0) && is_closed(r, n, 1));
}

/* Is each half closed, or denied by at least one server? */
static bool
is_doubtful(const struct resolv *r, const struct resolv_name *n)
{
	return (is_denied(r, n, 0) || is_closed(r, n, 0)) &&
	    (is_denied(r, n, 1) || is_closed(r, n, 1));
}

/* -------------------------------------------------------- what comes next */

/* Begin with the candidates whose time has come.  Returns when the time of the
 * next one comes. */
static int64_t
begin_names(struct resolv *r, int64_t now)
{
	int64_t due = now;

	for (int i = 0; i < r->names; i++) {
		struct resolv_name *n = &r->name[i];

		if (n->begun == NEVER) {
			if (now < due)
				return due;
			n->begun = now;
		}
		if (has_addresses(n))
			return NEVER;
		due = is_over(r, n, now) ? now :
		    n->begun +
			(is_doubtful(r, n) ? DOUBT :
				r->turns   ? SILENCE :
					     STALL);
	}
	return NEVER;
}

/* The first candidate whose addresses count, or NULL.  *due says when to look
 * again, and *open whether some candidate may still get an answer. */
static const struct resolv_name *
winner(const struct resolv *r, int64_t now, int64_t *due, bool *open)
{
	*due = NEVER;
	*open = false;
	for (int i = 0; i < r->names; i++) {
		const struct resolv_name *n = &r->name[i];
		int64_t hold;

		if (n->begun != NEVER && !has_addresses(n) &&
		    is_over(r, n, now))
			continue;
		*open = true;
		if (n->begun == NEVER)
			continue;
		if (has_addresses(n)) {
			if (is_doubtful(r, n) || now >= n->good + GRACE)
				return n;
			*due = sooner(*due, n->good + GRACE);
			return NULL;
		}
		*due = sooner(*due, n->begun + SILENCE);
		hold = n->begun + (is_doubtful(r, n) ? HOLD_DOUBT : HOLD);
		if (now < hold) {
			*due = sooner(*due, hold);
			return NULL;
		}
	}
	return NULL;
}

/* When is this server to be asked for that half? */
static int64_t
probe_due(const struct resolv *r, const struct resolv_step *step, int64_t now)
{
	const struct resolv_name *n = &r->name[step->name];
	int half = step->half, server = step->server;
	const struct resolv_probe *p = n->probe[half];
	bool asked = true;

	if (p[server].sends > 0)
		return p[server].sends < r->sends ? p[server].sent + r->again :
						   NEVER;
	/* Where the other half is good, the word of one server about this half
	 * is enough. */
	if (server > 0 && has_addresses(n) && is_denied(r, n, half))
		return NEVER;
	for (int i = 0; i < server; i++)
		asked &= p[i].said != RESOLV_SILENT && p[i].said != RESOLV_CUT;
	/* It is usual that one half has no address.  So first wait and see
	 * whether the other half is good. */
	if (asked && is_denied(r, n, half) && !is_denied(r, n, !half) &&
	    !is_closed(r, n, !half))
		asked = false;
	return asked ? now : n->begun + server * STAGGER;
}

/* Returns now, with the first query that is due in *step; or when the next one
 * is due, and then *step is of no use. */
static int64_t
next_probe(struct resolv *r, int64_t now, struct resolv_step *step)
{
	int64_t due = NEVER, at;

	for (int i = 0; i < r->names; i++) {
		struct resolv_name *n = &r->name[i];

		if (n->begun == NEVER || is_over(r, n, now))
			continue;
		for (int k = 0; k < RESOLV_HALVES * r->servers; k++) {
			int half = k % RESOLV_HALVES, s = k / RESOLV_HALVES;

			if (is_closed(r, n, half) ||
			    n->probe[half][s].said != RESOLV_SILENT)
				continue;
			*step = (struct resolv_step){ i, half, s, now };
			at = probe_due(r, step, now);
			if (at <= now)
				return now;
			due = sooner(due, at);
		}
	}
	return due;
}

enum resolv_want
resolv_next(struct resolv *r, int64_t now, struct resolv_step *step)
{
	int64_t end = r->began + RESOLV_PATIENCE * NS_PER_S, start, hold, ask;
	struct resolv_probe *p;
	bool open;

	start = begin_names(r, now);
	if (winner(r, now, &hold, &open) != NULL || !open || now >= end)
		return RESOLV_DONE;
	ask = next_probe(r, now, step);
	if (ask <= now) {
		p = &r->name[step->name].probe[step->half][step->server];
		p->sends++;
		p->sent = now;
		return RESOLV_ASK;
	}
	step->due = sooner(sooner(start, hold), sooner(ask, end));
	return RESOLV_WAIT;
}

void
resolv_heard(struct resolv *r, const struct resolv_step *step,
    enum resolv_said said, const struct resolv_found *found, int64_t now)
{
	struct resolv_name *n = &r->name[step->name];

	n->probe[step->half][step->server].said = said;
	if ((said != RESOLV_FOUND && said != RESOLV_CUT) ||
	    found->addresses == 0)
		return;
	/* What comes by TCP replaces what was cut. */
	n->found[step->half] = *found;
	n->good = sooner(n->good, now + (found->distant ? DISTANT : 0));
}

const struct resolv_name *
resolv_result(const struct resolv *r, struct resolv_step *why)
{
	/* A failure is told by the best that any server knew of the name
	 * itself, which is the shortest candidate. */
	static const uint8_t rank[RESOLV_SAYS] = {
		[RESOLV_SILENT] = 1, [RESOLV_BROKEN] = 2, [RESOLV_CUT] = 3,
		[RESOLV_MALFORMED] = 4, [RESOLV_RCODE] = 4, [RESOLV_FORMERR] = 5,
		[RESOLV_NOTIMP] = 5, [RESOLV_REFUSED] = 5, [RESOLV_SERVFAIL] = 6,
		[RESOLV_NXDOMAIN] = 7, [RESOLV_NODATA] = 8,
	};
	int i, half, s, best = 0;

	for (i = 0; i < r->names; i++)
		if (has_addresses(&r->name[i]))
			return &r->name[i];
	memset(why, 0, sizeof *why);
	for (i = 0; i < r->names; i++)
		if (strlen(r->name[i].text) < strlen(r->name[why->name].text))
			why->name = i;
	for (half = 0; half < RESOLV_HALVES; half++)
		for (s = 0; s < r->servers; s++) {
			const struct resolv_probe *p =
			    &r->name[why->name].probe[half][s];

			if (p->sends > 0 && rank[p->said] > best) {
				best = rank[p->said];
				why->half = half;
				why->server = s;
			}
		}
	return NULL;
}
