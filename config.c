/*
 * config.c - the text of ntpd.conf(5) becomes a struct conf, or messages.
 *
 * There is one short function for each statement.  It looks at one token after
 * the other. lex.c knows what a token is, and remembers when one was wrong.
 *
 * This room does nothing but allocate memory.  Whether a file exists or a name
 * resolves is found out by those who use them.
 */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "core/constraint.h"
#include "core/ntp.h"
#include "core/nts.h"
#include "core/wipe.h"

enum { NAME_LENGTH = 253 }; /* of a host name as text: RFC 1035 §2.3.4 */

#define PORT_RANGE "port must be between 1 and 65535"

/* A number has limits, and there are words for one that is not within them. */
struct range {
	int least, most;
	char words[66];
};
static const struct range
	weight = { 1, 10, "weight must be between 1 and 10" },
	stratum = { 1, 15, "stratum must be between 1 and 15" },
	correction = { -127000000, 127000000,
	    "correction must be between -127000000 and 127000000 microseconds" },
	error_range = { 1, 1000000,
	    "error must be between 1 and 1000000 microseconds" },
	distance = { 1, DISTANCE_MOST,
	    "maxdistance must be between 1 and 86400 seconds" },
	port_range = { 1, UINT16_MAX, PORT_RANGE },
	key_range = { 1, INT32_MAX,
	    "a key's number must be between 1 and 2147483647" },
	rate_range = { 1, LIMIT_MOST,
	    "rate must be between 1 and 1000000 requests per second" },
	burst_range = { 1, LIMIT_MOST,
	    "burst must be between 1 and 1000000 requests" };

struct parser {
	struct lex *lex;
	struct conf *conf;
	int first;  /* the line in which the statement begins */
	bool ports; /* a port can be given, as "port N" */
	struct address from4, from6; /* "query from" in force */
};

/* Keep a copy, which config_free frees. */
static char *
keep(struct parser *p, const char *s)
{
	char **slot =
	    lex_append(p->lex, &p->conf->text, &p->conf->texts, sizeof(*slot));

	return slot == NULL ? NULL : (*slot = lex_copy(p->lex, s));
}

/* ------------------------------------------------------ parts of statements */

/* Append an element to one of the arrays of struct conf, as lex_append does.
 * NULL if there are as many as there may be, which is an error. */
static void *
add(struct parser *p, void *array, int *count, int most, size_t size)
{
	if (*count < most)
		return lex_append(p->lex, array, count, size);
	lex_wrong(p->lex, "too many of these statements", NULL);
	return NULL;
}

static bool
more(const struct parser *p)
{
	return p->lex->kind != LEX_END && p->lex->kind != LEX_BAD;
}

/* Is it a name or a path?  It may not be one of OpenNTPD's keywords unless it
 * is in quotes.  Our own keywords are not refused, so that hosts with these
 * names need no quotes that they did not need before. */
static bool
is_text(const struct parser *p)
{
	static const char reserved[] =
	    " constraint constraints correction "
	    "from listen on query refid rtable sensor server servers stratum "
	    "trusted weight ";
	const char *at = reserved;
	size_t n = strlen(p->lex->word);

	if (p->lex->kind != LEX_WORD || n == 0)
		return p->lex->kind == LEX_STRING && n > 0;
	while ((at = strstr(at + 1, p->lex->word)) != NULL)
		if (at[-1] == ' ' && at[n] == ' ')
			return false;
	return true;
}

/* Is the token this keyword? Then go on behind it. */
static bool
take(struct parser *p, const char *keyword)
{
	if (p->lex->kind != LEX_WORD || strcmp(p->lex->word, keyword) != 0)
		return false;
	/* What follows may be a secret, even if its number was forgotten. */
	if (strcmp(keyword, "key") == 0)
		p->lex->secret = true;
	lex_advance(p->lex);
	return true;
}

static void
need(struct parser *p, const char *keyword)
{
	if (!take(p, keyword))
		lex_expected(p->lex, keyword);
}

static void
need_number(struct parser *p, const struct range *r, int *value)
{
	if (p->lex->kind != LEX_NUMBER)
		lex_expected(p->lex, "a number");
	else if (p->lex->number < r->least || p->lex->number > r->most)
		lex_wrong(p->lex, r->words, NULL);
	else
		*value = (int)p->lex->number;
	lex_advance(p->lex);
}

static char *
need_text(struct parser *p, const char *what)
{
	char *text = NULL;

	if (!is_text(p))
		lex_expected(p->lex, what);
	else
		text = keep(p, p->lex->word);
	lex_advance(p->lex);
	return text;
}

/* Is this HOST:PORT or [HOST]:PORT, as many programs take it?  Then *port is
 * where the port begins, and the result is the length of what is before the
 * colon.  Otherwise it is -1. */
static int
host_with_port(const char *s, const char **port)
{
	const char *colon = strrchr(s, ':');
	size_t n = colon == NULL ? 0 : (size_t)(colon - s);

	if (colon == NULL || !lex_is_digit(colon[1]) ||
	    colon[1 + strspn(colon + 1, "0123456789")] != '\0' ||
	    (*s == '[' ? n < 3 || s[n - 1] != ']' : strcspn(s, ":") != n))
		return -1;
	*port = colon + 1;
	return (int)n;
}

/* Say that the word has a colon but is no address.  A server's name may be
 * all that a resolver might know, as with OpenNTPD, but not a listener's. */
static void
say_no_address(struct parser *p, bool server)
{
	const char *port, *host = p->lex->word;
	int n = host_with_port(p->lex->word, &port);
	bool brackets = n > 0 && *host == '[';

	if (n < 0 || n > LEX_FOUND || (n == 0 && !p->ports))
		lex_say(p->lex, true,
		    "\"%.*s\" is no address, taken as a host name (a port cannot be given)",
		    LEX_FOUND, p->lex->word);
	else if (p->ports)
		lex_say(p->lex, false,
		    "\"%.*s\" is no address: write \"metrics on %.*s port %.5s\"",
		    LEX_FOUND, p->lex->word, n == 0 ? 1 : n - 2 * brackets,
		    n == 0 ? "*" : host + brackets, port);
	else
		lex_say(p->lex, server,
		    "\"%.*s\" is no address: write \"%.*s\", the port is always 123",
		    LEX_FOUND, p->lex->word, n - 2 * brackets, host + brackets);
}

/* Is the text printable, without blanks, and at most so long? */
static bool
is_plain(const char *s, size_t most)
{
	size_t n = 0;

	while (s[n] > ' ' && s[n] <= '~')
		n++;
	return s[n] == '\0' && n <= most;
}

/* What a resolver may be asked for. */
static bool
is_name(const char *s)
{
	return *s != '\0' && is_plain(s, NAME_LENGTH) && strcmp(s, "*") != 0;
}

/* The address must be that of one host, which can be asked. */
static void
need_usable(struct parser *p, const struct address *a)
{
	const char *fault = a->family != 0 ? address_unusable(a) : NULL;

	if (fault != NULL && p->lex->kind != LEX_BAD)
		lex_say(p->lex, false,
		    "\"%.*s\" is %s, expected that of one server, or its name",
		    LEX_FOUND, p->lex->word, fault);
}

/* Take a host as it is written.  It may be "*" if any is not NULL. */
static char *
need_host(struct parser *p, bool *any, struct address *address)
{
	bool star = strcmp(p->lex->word, "*") == 0;

	if (any != NULL)
		*any = star;
	if ((p->lex->kind == LEX_STRING || is_text(p)) &&
	    !is_name(p->lex->word) && (any == NULL || !star))
		lex_wrong(p->lex, "IPv4 or IPv6 address or hostname expected", NULL);
	else if (is_text(p) && address_parse(p->lex->word, address)) {
		if (any == NULL)
			need_usable(p, address);
	} else if (is_text(p) && strchr(p->lex->word, ':') != NULL &&
	    strchr(p->lex->word, '%') == NULL)
		say_no_address(p, any == NULL);
	return need_text(p,
	    *p->lex->word == '[' ? "an address or host name, IPv6 without brackets" :
			      "an address or host name");
}

/* -------------------------------------------------------------- statements */

#define URL_FORM                                                               \
	"\"https://HOST[:PORT][/PATH]\" in quotes, "                           \
	"a host name or an address"

/* "nts" may name the port of the key exchange. */
static void
nts(struct parser *p, struct conf_server *server)
{
	int port = NTS_PORT;

	server->nts = true;
	if (take(p, "port"))
		need_number(p, &port_range, &port);
	server->nts_port = (uint16_t)port;
}

static void
key(struct parser *p, struct key *k)
{
	int id = 0;

	need_number(p, &key_range, &id);
	*k = (struct key){ .id = (uint32_t)id, .line = p->first };
	if (!is_text(p) || *p->lex->word == '/') {
		k->path = need_text(p, "a key or a path in quotes");
		return;
	}
	if (!key_read(p->lex->word, strlen(p->lex->word), k))
		lex_wrong(p->lex,
		    "a key must be 32 or 64 hexadecimal digits, or the path of a file with them",
		    NULL);
	lex_advance(p->lex);
}

/* Do both have the same file, or the same digits? */
static bool
is_same_key(const struct key *a, const struct key *b)
{
	return a->path != NULL && b->path != NULL ?
	    strcmp(a->path, b->path) == 0 :
	    a->path == b->path && a->size == b->size &&
		memcmp(a->secret, b->secret, a->size) == 0;
}

/* MIN..MAX is one word to lex.c. */
static void
poll_range(struct parser *p, struct conf_server *server)
{
	const char *s = p->lex->word;
	int64_t least = lex_digits(&s, POLL_MOST), most = -1;

	if (strncmp(s, "..", 2) == 0) {
		s += 2;
		most = lex_digits(&s, POLL_MOST);
	}
	if (p->lex->kind != LEX_WORD || least < POLL_LEAST || most < least ||
	    *s != '\0')
		lex_wrong(p->lex, "poll must be MIN..MAX, between 4 and 131072 seconds",
		    NULL);
	server->poll_least = (double)least;
	server->poll_most = (double)most;
	lex_advance(p->lex);
}

static void
server(struct parser *p, bool pool)
{
	struct conf *c = p->conf;
	struct conf_server *s;
	int most = 0;

	s = add(p, &c->server, &c->servers, SOURCES_MAX, sizeof(*s));
	if (s == NULL)
		return;
	s->pool = pool;
	s->weight = 1;
	s->from4 = p->from4;
	s->from6 = p->from6;
	s->line = p->first;
	s->name = need_host(p, NULL, &s->address);
	while (more(p)) {
		if (take(p, "trusted"))
			s->trusted = true;
		else if (take(p, "interleaved"))
			s->interleaved = true;
		else if (take(p, "weight"))
			need_number(p, &weight, &s->weight);
		else if (take(p, "poll"))
			poll_range(p, s);
		else if (take(p, "nts"))
			nts(p, s);
		else if (take(p, "key"))
			key(p, &s->key);
		else if (take(p, "maxdistance")) {
			need_number(p, &distance, &most);
			s->distance_most = most;
		} else
			lex_expected(p->lex,
			    "weight, trusted, poll, maxdistance, interleaved, nts, key or end of line");
	}
	if (s->nts && s->key.id != 0 && p->lex->kind != LEX_BAD)
		lex_say(p->lex, false, "nts and key exclude each other");
}

static void
sensor(struct parser *p)
{
	struct conf *c = p->conf;
	struct conf_sensor *s;

	s = add(p, &c->sensor, &c->sensors, SENSORS_MAX, sizeof(*s));
	if (s == NULL)
		return;
	s->weight = s->stratum = 1;
	s->error = SENSOR_ERROR;
	s->line = p->first;
	s->device = need_text(p, "a device");
	while (more(p)) {
		if (take(p, "trusted"))
			s->trusted = true;
		else if (take(p, "weight"))
			need_number(p, &weight, &s->weight);
		else if (take(p, "stratum"))
			need_number(p, &stratum, &s->stratum);
		else if (take(p, "correction"))
			need_number(p, &correction, &s->correction);
		else if (take(p, "error"))
			need_number(p, &error_range, &s->error);
		else if (take(p, "tai"))
			s->tai = true;
		else if (take(p, "refid")) {
			if ((p->lex->kind == LEX_STRING &&
				*p->lex->word == '\0') ||
			    (is_text(p) && strlen(p->lex->word) > 4))
				lex_wrong(
				    p->lex, "refid must be 1 to 4 characters", NULL);
			else if (is_text(p))
				strcpy(s->refid, p->lex->word);
			else
				lex_expected(p->lex, "1 to 4 characters");
			lex_advance(p->lex);
		} else
			lex_expected(p->lex,
			    "correction, error, refid, stratum, tai, trusted, weight or end of line");
	}
}

/* Is it a name whose labels are not empty, or an address?  A name may end with
 * one dot, which is cut off since it is in no certificate. */
static bool
url_host(char *host, struct address *numeric, bool *rooted)
{
	size_t n = strlen(host);

	*rooted = n > 1 && host[n - 1] == '.';
	if (*rooted)
		host[--n] = '\0';
	if (address_parse(host, numeric))
		return true;
	return is_name(host) && strpbrk(host, ":%?#@[]\\\"'<>") == NULL &&
	    host[0] != '.' && host[n - 1] != '.' && strstr(host, "..") == NULL;
}

/* Take [https://]HOST[:PORT][/PATH]; an IPv6 address needs brackets only where
 * a port follows. host, which holds the whole of it, is cut down to the host. */
static void
url(struct parser *p, struct conf_constraint *c, char *host)
{
	char *path, *port;
	const char *s;
	int64_t value = 443;
	bool fits;

	if (strncmp(host, "https://", 8) == 0)
		memmove(host, host + 8, strlen(host + 8) + 1);
	else if (strstr(host, "://") != NULL)
		lex_wrong(p->lex, "only https is possible", URL_FORM);

	path = host + strcspn(host, "/");
	fits = is_plain(path, URL_PATH_MAX) && strchr(path, '#') == NULL;
	c->path = keep(p, *path == '/' ? path : "/");
	*path = '\0';

	port = strrchr(host, ':');
	if (*host == '[' && (s = strchr(host, ']')) != NULL) {
		port = host + (s - host);
		*port++ = '\0';
		memmove(host, host + 1, strlen(host));
		fits &= address_parse(host, &c->numeric) &&
		    strchr(host, ':') != NULL &&
		    (*port == ':' || *port == '\0');
	} else if (address_parse(host, &c->numeric))
		port = NULL;
	if (port != NULL && *port == ':') {
		*port++ = '\0';
		s = port;
		value = lex_digits(&s, UINT16_MAX);
		if (value < 1)
			lex_wrong(p->lex,
			    port[strspn(port, "0123456789")] == '\0' &&
				    *port != '\0' ?
				PORT_RANGE :
				"syntax error",
			    URL_FORM);
		fits &= *s == '\0';
	}
	c->port = (uint16_t)value;
	if (!url_host(host, &c->numeric, &c->rooted) || !fits)
		lex_expected(p->lex, URL_FORM);
	else
		need_usable(p, &c->numeric);
}

static void
constraint(struct parser *p, bool pool)
{
	struct conf *conf = p->conf;
	struct conf_constraint *c;

	need(p, "from");
	c = add(p, &conf->constraint, &conf->constraints, CONSTRAINTS_MAX,
	    sizeof(*c));
	if (c == NULL)
		return;
	c->pool = pool;
	c->line = p->first;
	if (!pool && take(p, "sensor")) {
		c->sensor = true;
		c->host = need_text(p, "a device");
		return;
	}
	if (is_text(p) && strcmp(p->lex->word, "*") == 0)
		lex_wrong(p->lex, "IPv4 or IPv6 address or hostname expected", NULL);
	else if (!is_text(p))
		lex_expected(p->lex, URL_FORM);
	else if ((c->host = keep(p, p->lex->word)) != NULL)
		url(p, c, c->host);
	lex_advance(p->lex);
	while (more(p)) {
		if (take(p, "timekeeping")) {
			c->timekeeping = true;
			continue;
		}
		if (pool)
			break;
		if (c->addresses == CONSTRAINT_ADDRESSES)
			lex_wrong(p->lex, "too many addresses, at most 8", NULL);
		else if (p->lex->kind == LEX_NUMBER || p->lex->kind == LEX_OTHER)
			lex_expected(p->lex, "an address or end of line");
		else if (!address_parse(p->lex->word, &c->address[c->addresses]))
			lex_wrong(p->lex, "url can only be followed by IP addresses",
			    NULL);
		else
			need_usable(p, &c->address[c->addresses++]);
		lex_advance(p->lex);
	}
}

/* Take what "listen on" and "metrics on" have in common. */
static struct conf_listen *
on(struct parser *p, struct conf_listen **array, int *count)
{
	struct conf_listen *l;

	need(p, "on");
	l = add(p, array, count, LISTENS_MAX, sizeof(*l));
	if (l == NULL)
		return NULL;
	l->line = p->first;
	l->name = need_host(p, &l->any, &l->address);
	return l;
}

/* Any number is accepted, as OpenNTPD does on Linux, where it has no effect. */
static void
routing_table(struct parser *p)
{
	if (p->lex->kind != LEX_NUMBER)
		lex_expected(p->lex, "a number");
	else if (p->lex->number != 0)
		lex_say(p->lex, true,
		    "rtable %lld has no effect, Linux cannot choose a socket's routing table",
		    (long long)p->lex->number);
	lex_advance(p->lex);
}

/* All listeners have the same keys, so one number has one key. */
static void
listen_key(struct parser *p)
{
	struct conf *c = p->conf;
	struct key *k = add(p, &c->key, &c->keys, KEYS_MAX, sizeof(*k)), *other;

	if (k == NULL)
		return;
	key(p, k);
	for (other = c->key; other < k; other++)
		if (other->id == k->id && !is_same_key(other, k) &&
		    p->lex->kind != LEX_BAD)
			lex_say(p->lex, false,
			    "key %u is another one in line %d", k->id,
			    other->line);
}

static void
listen_on(struct parser *p)
{
	struct conf_listen *l = on(p, &p->conf->listen, &p->conf->listens);

	if (l == NULL)
		return;
	l->port = NTP_PORT;
	while (more(p))
		if (take(p, "rtable"))
			routing_table(p);
		else if (take(p, "key"))
			listen_key(p);
		else
			lex_expected(p->lex, "key, rtable or end of line");
}

static void
metrics_on(struct parser *p)
{
	struct conf_listen *l;
	int port = METRICS_PORT;

	p->ports = true;
	l = on(p, &p->conf->metrics, &p->conf->metricses);
	if (l == NULL)
		return;
	while (more(p))
		if (take(p, "port"))
			need_number(p, &port_range, &port);
		else
			lex_expected(p->lex, "port or end of line");
	l->port = (uint16_t)port;
}

static void
query_from(struct parser *p)
{
	struct address a = { 0 };

	need(p, "from");
	if (!is_text(p))
		lex_expected(p->lex, "an address");
	else if (!address_parse(p->lex->word, &a))
		lex_say(p->lex, false, "invalid IPv4 or IPv6 address: %.*s",
		    LEX_FOUND, p->lex->word);
	if (a.family == 4)
		p->from4 = a;
	else
		p->from6 = a;
	lex_advance(p->lex);
}

/* Take ADDRESS[/BITS], and clear the bits behind these. */
static void
network(struct parser *p, struct conf_allow *out)
{
	struct address *a = &out->network;
	char *slash = strchr(p->lex->word, '/');
	const char *s = "";
	int i, size, mapped;
	bool fits;

	if (slash != NULL)
		*slash = '\0';
	fits = is_text(p) && address_parse(p->lex->word, a) && a->scope == 0;
	out->bits = size = a->family == 4 ? 32 : 128;
	/* The bits of a mapped address are counted from the first of 128. */
	mapped = size == 32 && strchr(p->lex->word, ':') != NULL ? 96 : 0;
	if (slash != NULL) {
		*slash = '/';
		s = slash + 1;
		out->bits = (int)lex_digits(&s, size + mapped) - mapped;
	}
	if (!fits || out->bits < 0 || *s != '\0') {
		lex_expected(p->lex, "ADDRESS[/BITS]");
		return;
	}
	for (i = out->bits; i < size; i++)
		a->bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	lex_advance(p->lex);
}

static void
allow_from(struct parser *p)
{
	struct conf *c = p->conf;
	struct conf_allow *a;

	p->lex->slashes = true;
	need(p, "from");
	do {
		a = add(p, &c->allow, &c->allows, ALLOWS_MAX, sizeof(*a));
		if (a == NULL)
			return;
		network(p, a);
		if (p->lex->kind == LEX_OTHER && *p->lex->word == ',') {
			lex_advance(p->lex);
			if (p->lex->kind == LEX_END)
				lex_expected(p->lex, "ADDRESS[/BITS]");
		}
	} while (more(p));
}

static void
limit(struct parser *p)
{
	int rate = LIMIT_RATE, burst;

	need(p, "rate");
	need_number(p, &rate_range, &rate);
	burst = rate > LIMIT_MOST / LIMIT_SECONDS ? LIMIT_MOST :
						    rate * LIMIT_SECONDS;
	if (take(p, "burst"))
		need_number(p, &burst_range, &burst);
	else if (more(p))
		lex_expected(p->lex, "burst or end of line");
	p->conf->limit_rate = rate;
	p->conf->limit_burst = burst;
}

/* Take digits, perhaps with a point between them.  There are no more than a
 * double holds exactly, so that the one division rounds as strtod(3) would. */
static void
ready(struct parser *p)
{
	const char *s;
	double value = 0, scale = 0;

	need(p, "within");
	for (s = p->lex->word; lex_is_digit(*s) ||
	     (*s == '.' && scale == 0 && lex_is_digit(s[1])); s++)
		if (*s == '.')
			scale = 1;
		else {
			value = 10 * value + (*s - '0');
			scale *= 10;
		}
	if (scale > 1)
		value /= scale;
	if (p->lex->kind != LEX_NUMBER && p->lex->kind != LEX_WORD)
		lex_expected(p->lex, "a number");
	else if (*s != '\0' || s - p->lex->word > 15 || value < 1e-6 ||
	    value > 86400)
		lex_wrong(p->lex,
		    "ready within must be between 0.000001 and 86400 seconds",
		    NULL);
	p->conf->ready_within = value;
	lex_advance(p->lex);
}

static void
clock_owner(struct parser *p)
{
	need(p, "owner");
	if (take(p, "yield"))
		p->conf->owner = OWNER_YIELD;
	else if (take(p, "ignore"))
		p->conf->owner = OWNER_IGNORE;
	else if (take(p, "fight"))
		p->conf->owner = OWNER_FIGHT;
	else
		lex_expected(p->lex, "yield, ignore or fight");
}

/* Take a name or the number of a uid. */
static void
user(struct parser *p)
{
	p->conf->user_line = p->first;
	if (p->lex->kind == LEX_NUMBER && p->lex->number >= 0) {
		p->conf->user = keep(p, p->lex->word);
		lex_advance(p->lex);
	} else
		p->conf->user = need_text(p, "a user's name or number");
}

static void
statement(struct parser *p)
{
	struct conf *c = p->conf;

	p->ports = p->lex->secret = false;
	p->first = p->lex->token.line;
	if (take(p, "server"))
		server(p, false);
	else if (take(p, "servers"))
		server(p, true);
	else if (take(p, "constraint"))
		constraint(p, false);
	else if (take(p, "constraints"))
		constraint(p, true);
	else if (take(p, "listen"))
		listen_on(p);
	else if (take(p, "query"))
		query_from(p);
	else if (take(p, "sensor"))
		sensor(p);
	else if (take(p, "driftfile"))
		c->driftfile = need_text(p, "a path in quotes");
	else if (take(p, "cafile")) {
		c->cafile = need_text(p, "a path in quotes");
		c->cafile_line = p->first;
	} else if (take(p, "user"))
		user(p);
	else if (take(p, "strict"))
		c->strict = true;
	else if (take(p, "allow"))
		allow_from(p);
	else if (take(p, "limit"))
		limit(p);
	else if (take(p, "metrics"))
		metrics_on(p);
	else if (take(p, "ready"))
		ready(p);
	else if (take(p, "clock"))
		clock_owner(p);
	else if (take(p, "nts")) {
		need(p, "require");
		c->nts_require = true;
	} else if (take(p, "clockbound")) {
		need(p, "on");
		c->clockbound = more(p) ? need_text(p, "a path in quotes") :
					  CLOCKBOUND_PATH;
	} else if (more(p))
		lex_expected(p->lex,
		    "server, servers, constraint, constraints, listen, query, sensor, driftfile, cafile, allow, limit, metrics, ready, clock, clockbound, nts, user or strict");
	if (more(p))
		lex_expected(p->lex, "end of line");
}

/* Is there a server that authenticates what it says? */
static bool
is_any_authentic(const struct conf *conf)
{
	for (int i = 0; i < conf->servers; i++)
		if (conf->server[i].nts || conf->server[i].key.id != 0)
			return true;
	return false;
}

bool
config_parse(const char *text, size_t size, struct conf *conf,
    struct conf_messages *messages)
{
	struct lex lex;
	struct parser p = { .lex = &lex, .conf = conf };

	memset(conf, 0, sizeof(*conf));
	conf->ready_within = 1;
	conf->limit_rate = LIMIT_RATE;
	conf->limit_burst = LIMIT_RATE * LIMIT_SECONDS;
	lex_begin(&lex, text, size, messages);
	while (lex_statement(&lex)) {
		statement(&p);
		lex_skip(&lex);
	}
	if (messages->errors == 0 && conf->servers == 0 && conf->sensors == 0)
		lex_warn(&lex, "no servers configured");
	else if (messages->errors == 0 && conf->nts_require &&
	    !is_any_authentic(conf))
		lex_warn(&lex,
		    "\"nts require\", but no server has \"nts\" or \"key\": none is used");
	secret_wipe(&lex, sizeof lex);
	return messages->errors == 0;
}

/* Copy a string, which config_free frees.  NULL stays NULL. */
static char *
retain(struct conf *c, const char *s, bool *good)
{
	char **all, *copy;

	if (s == NULL)
		return NULL;
	all = realloc(c->text, (size_t)(c->texts + 1) * sizeof *all);
	if (all != NULL)
		c->text = all;
	copy = all != NULL ? malloc(strlen(s) + 1) : NULL;
	if (copy == NULL) {
		*good = false;
		return NULL;
	}
	return c->text[c->texts++] = strcpy(copy, s);
}

/* Put a copy of an array in the place of another one. */
static void
retain_array(void *array, int *count, const void *from, int n, size_t size,
    bool *good)
{
	void *copy = calloc((size_t)n + 1, size);

	if (copy == NULL) {
		*good = false;
		return;
	}
	if (n > 0)
		memcpy(copy, from, (size_t)n * size);
	free(*(void **)array);
	*(void **)array = copy;
	*count = n;
}

bool
config_retain(struct conf *c, const struct conf *from, unsigned parts)
{
	bool good = true;
	int i;

	if (parts & CONF_USER)
		c->user = retain(c, from->user, &good);
	if (parts & CONF_STRICT)
		c->strict = from->strict;
	if (parts & CONF_DRIFTFILE)
		c->driftfile = retain(c, from->driftfile, &good);
	if (parts & CONF_CLOCKBOUND)
		c->clockbound = retain(c, from->clockbound, &good);
	if (parts & CONF_CAFILE)
		c->cafile = retain(c, from->cafile, &good);
	if (parts & CONF_LISTEN) /* it is missing only where there was none */
		c->listens = 0;
	if (parts & CONF_SENSORS) {
		retain_array(&c->sensor, &c->sensors, from->sensor,
		    from->sensors, sizeof *c->sensor, &good);
		for (i = 0; good && i < c->sensors; i++)
			c->sensor[i].device =
			    retain(c, c->sensor[i].device, &good);
	}
	if (parts & CONF_CONSTRAINTS) {
		retain_array(&c->constraint, &c->constraints, from->constraint,
		    from->constraints, sizeof *c->constraint, &good);
		for (i = 0; good && i < c->constraints; i++) {
			struct conf_constraint *k = &c->constraint[i];

			k->host = retain(c, k->host, &good);
			k->path = retain(c, k->path, &good);
		}
	}
	if (parts & CONF_METRICS) {
		retain_array(&c->metrics, &c->metricses, from->metrics,
		    from->metricses, sizeof *c->metrics, &good);
		for (i = 0; good && i < c->metricses; i++)
			c->metrics[i].name =
			    retain(c, c->metrics[i].name, &good);
	}
	return good;
}

void
config_free(struct conf *conf)
{
	while (conf->texts > 0)
		free(conf->text[--conf->texts]);
	free(conf->text);
	for (int i = 0; i < conf->servers; i++)
		secret_wipe(&conf->server[i].key, sizeof *conf->key);
	free(conf->server);
	if (conf->keys > 0)
		secret_wipe(conf->key, (size_t)conf->keys * sizeof *conf->key);
	free(conf->key);
	free(conf->sensor);
	free(conf->constraint);
	free(conf->listen);
	free(conf->metrics);
	free(conf->allow);
	memset(conf, 0, sizeof(*conf));
}

void
config_free_messages(struct conf_messages *messages)
{
	while (messages->count > 0)
		free(messages->message[--messages->count].text);
	free(messages->message);
	memset(messages, 0, sizeof(*messages));
}
