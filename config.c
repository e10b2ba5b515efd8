/*
 * config.c - the text of ntpd.conf(5) becomes a struct conf, or messages.
 *
 * A lexer that looks one token ahead and one short function for each statement.
 * The lexical rules are OpenNTPD's, so that its files mean the same here, with
 * three kindnesses: CRLF ends a line, the last line needs no end, and a UTF-8
 * byte order mark in front is skipped.
 *
 * The first mistake of a line is reported, OpenNTPD's words first, then what
 * was found and what would have been right.  The token becomes BAD with that
 * and stays so until the line is skipped: whatever looks at it then does nothing
 * and says nothing, so that statements need not ask after each of their parts.
 *
 * The time spent is linear in the size of the text, whatever it holds.  This
 * room only allocates.  Whether a file exists or a name resolves is found out
 * by those who use them.
 */
#include <sys/socket.h>

#include <arpa/inet.h>

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "core/address.h"
#include "core/conf.h"
#include "core/constraint.h"
#include "core/ntp.h"
#include "core/source.h"

enum {
	WORD_SIZE = 8096,    /* bytes of a word with its NUL, as OpenNTPD's */
	NAME_LENGTH = 253,   /* of a host name as text: RFC 1035 §2.3.4 */
	FOUND_LENGTH = 60,   /* of a word, as far as a message repeats it */
	MESSAGES_MAX = 1000, /* then give up: a file of junk must not eat the
				   memory of a small container */
	REWINDS_MAX = 16,    /* see config_parse */
	TEXT_END = -1
};

enum kind {
	END,	/* of the line; not read over */
	WORD,	/* bare; may be a keyword */
	STRING, /* in quotes; never a keyword */
	NUMBER,
	OTHER, /* a byte that begins no word */
	BAD    /* reported */
};

struct place {
	const char *at;
	int line, column; /* from 1; a column is a byte */
};

struct parser {
	const char *end;
	struct place here;
	struct place before; /* the byte that was read last */
	struct place quote;  /* where the line's last string began, if any */
	int rewinds;
	bool slashes; /* words may hold "/" */
	bool ports;   /* a port can be given, as "port N" */
	bool stop;    /* no memory, or too many messages */

	/* The token that is looked at, and the line its statement begins in. */
	enum kind kind;
	struct place token;
	int first;
	int64_t number;
	char word[WORD_SIZE]; /* the byte, if kind is OTHER */

	struct address from4, from6;
	struct conf *conf;
	struct conf_messages *messages;
};

static void wrong(struct parser *, const char *, const char *);

/* ------------------------------------------------------------------ memory */

static void *
no_memory(struct parser *p)
{
	p->messages->errors++;
	p->kind = BAD;
	p->stop = true;
	return NULL;
}

/* A zeroed element at the end of an array that always has room for a power of
 * two of them; NULL without memory, or beyond most. */
static void *
append(struct parser *p, void *array, int *count, size_t size, int most)
{
	size_t n = (size_t)*count;
	char *base;

	if (*count == most) {
		wrong(p, "too many of these statements", NULL);
		return NULL;
	}
	memcpy(&base, array, sizeof(base));
	if ((n & (n - 1)) == 0) {
		base = realloc(base, (n == 0 ? 1 : 2 * n) * size);
		if (base == NULL)
			return no_memory(p);
		memcpy(array, &base, sizeof(base));
	}
	++*count;
	return memset(base + n * size, 0, size);
}

static char *
copy(struct parser *p, const char *s)
{
	size_t size = strlen(s) + 1;
	char *new = malloc(size);

	return new == NULL ? no_memory(p) : memcpy(new, s, size);
}

/* A copy that config_free frees. */
static char *
keep(struct parser *p, const char *s)
{
	char **slot =
	    append(p, &p->conf->text, &p->conf->texts, sizeof(*slot), INT_MAX);

	return slot == NULL ? NULL : (*slot = copy(p, s));
}

/* ---------------------------------------------------------------- messages */

/* About the token; an error makes it BAD.  Where a string before it goes on
 * over the end of its line, the likely mistake is that its quote was forgotten:
 * then the place is that string.  What is not printable ASCII becomes "?":
 * messages go to terminals. */
static void say(struct parser *, bool warning, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
say(struct parser *p, bool warning, const char *format, ...)
{
	struct conf_messages *all = p->messages;
	struct conf_message *m;
	bool full = all->count == MESSAGES_MAX;
	bool behind = p->quote.at != NULL && p->quote.line < p->token.line;
	char said[512], *s;
	va_list args;

	if (warning && full)
		return;
	m = append(p, &all->message, &all->count, sizeof(*m), INT_MAX);
	if (m == NULL)
		return;
	va_start(args, format);
	(void)vsnprintf(
	    said, sizeof(said), full ? "too many errors" : format, args);
	va_end(args);
	if (behind && !full)
		strncat(said, " (behind a string over several lines)",
		    sizeof(said) - strlen(said) - 1);
	for (s = said; *s != '\0'; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
	m->line = behind ? p->quote.line : p->token.line;
	m->column = behind ? p->quote.column - 1 : p->token.column;
	m->warning = warning;
	m->text = copy(p, said);
	if (m->text == NULL)
		all->count--;
	else if (!warning)
		all->errors++;
	if (!warning)
		p->kind = BAD;
	p->stop |= full;
}

/* An error: these words, then what was found and, if given, was expected. */
static void
wrong(struct parser *p, const char *words, const char *expected)
{
	char found[FOUND_LENGTH + 10];
	unsigned char c = (unsigned char)*p->word;

	if (p->kind == BAD)
		return;
	if (p->kind == END)
		strcpy(found, "end of line");
	else if (p->kind == OTHER && c == '\0')
		strcpy(found, "a NUL byte");
	else if (p->kind == OTHER && (c <= ' ' || c > '~'))
		(void)snprintf(found, sizeof(found), "byte 0x%02x", c);
	else
		(void)snprintf(found, sizeof(found), "\"%.*s%s\"", FOUND_LENGTH,
		    p->word, strlen(p->word) > FOUND_LENGTH ? "..." : "");
	say(p, false, "%s: found %s%s%s", words, found,
	    expected == NULL ? "" : ", expected ",
	    expected == NULL ? "" : expected);
}

static void
expected(struct parser *p, const char *what)
{
	wrong(p, "syntax error", what);
}

/* ------------------------------------------------------------------- bytes */

static bool
is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(int c)
{
	return (c | 32) >= 'a' && (c | 32) <= 'z';
}

/* Digits at *s, which moves behind them; -1 if there are none or they exceed
 * most. */
static int64_t
digits(const char **s, int64_t most)
{
	int64_t value = 0;

	if (!is_digit(**s))
		return -1;
	for (; is_digit(**s); ++*s) {
		if (value > (most - (**s - '0')) / 10)
			return -1;
		value = 10 * value + (**s - '0');
	}
	return value;
}

/* ------------------------------------------------------------------- lexer */

/* The next byte, or TEXT_END.  A CR is only seen if it ends no line. */
static int
get_raw(struct parser *p)
{
	int c;

	if (p->here.at == p->end)
		return TEXT_END;
	c = (unsigned char)*p->here.at++;
	p->here.column++;
	if (c == '\r' && (p->here.at == p->end || *p->here.at == '\n')) {
		c = '\n';
		if (p->here.at != p->end)
			p->here.at++;
	}
	if (c == '\n') {
		p->here.line++;
		p->here.column = 1;
	}
	return c;
}

/* The same outside of quotes: a backslash joins lines, or goes away. */
static int
get(struct parser *p)
{
	int c;

	do {
		p->before = p->here;
		if ((c = get_raw(p)) != '\\')
			return c;
		c = get_raw(p);
	} while (c == '\n');
	return c;
}

static void
skip_line(struct parser *p)
{
	int c;

	do
		c = get(p);
	while (c != '\n' && c != TEXT_END);
}

static bool
in_word(const struct parser *p, int c)
{
	if (c == '/')
		return p->slashes;
	return c > ' ' && c <= '~' && strchr("(){}<>!=#,", c) == NULL;
}

static bool
begins_word(const struct parser *p, int c)
{
	return is_digit(c) || is_letter(c) || c == ':' || c == '_' ||
	    c == '*' || c == '-' || (c == '/' && p->slashes);
}

/* The rest of a string in quotes; ends of lines in it vanish. */
static void
string(struct parser *p, int quote)
{
	size_t n = 0;
	int c;

	p->quote = p->here;
	for (;;) {
		p->before = p->here;
		c = get_raw(p);
		if (c == quote) {
			p->kind = STRING;
			break;
		}
		if (c == '\0') {
			p->token = p->before;
			p->kind = OTHER;
			n = 0;
			break;
		}
		if (c == TEXT_END) {
			say(p, false,
			    "reached end of file while parsing quoted string");
			return;
		}
		if (c == '\\') {
			p->before = p->here;
			c = get_raw(p);
			if (c != quote && c != ' ' && c != '\t' && c != '\n') {
				p->here = p->before;
				c = '\\';
			}
		}
		if (c == '\n')
			continue;
		if (n == WORD_SIZE - 1) {
			say(p, false, "string too long");
			return;
		}
		p->word[n++] = (char)c;
	}
	p->word[n] = '\0';
}

static void
bare_word(struct parser *p, int c)
{
	const char *s = p->word;
	size_t n = 0;

	for (; in_word(p, c); c = get(p)) {
		if (n == WORD_SIZE - 1) {
			say(p, false, "string too long");
			return;
		}
		p->word[n++] = (char)c;
	}
	p->here = p->before;
	p->word[n] = '\0';

	s += *s == '-';
	if (*s == '\0' || s[strspn(s, "0123456789")] != '\0') {
		p->kind = *p->word == '-' ? OTHER : WORD;
		return;
	}
	p->kind = NUMBER;
	p->number = digits(&s, INT64_MAX);
	if (p->number < 0)
		say(p, false, "\"%.*s\" invalid number: %s", FOUND_LENGTH,
		    p->word, *p->word == '-' ? "too small" : "too large");
	else if (*p->word == '-')
		p->number = -p->number;
}

/* Look at the next token. */
static void
advance(struct parser *p)
{
	int c;

	if (p->kind == BAD)
		return;
	do
		c = get(p);
	while (c == ' ' || c == '\t');
	if (c == '#')
		do
			c = get(p);
		while (c != '\n' && c != TEXT_END && c != '\0');
	p->token = p->before;
	if (c == '\n' || c == TEXT_END) {
		p->here = p->before;
		p->kind = END;
	} else if (c == '"' || c == '\'') {
		string(p, c);
	} else if (begins_word(p, c)) {
		bare_word(p, c);
	} else {
		p->word[0] = (char)c;
		p->word[1] = '\0';
		p->kind = OTHER;
	}
}

/* ------------------------------------------------------ parts of statements */

static bool
more(const struct parser *p)
{
	return p->kind != END && p->kind != BAD;
}

/* A name or path, which may not be one of OpenNTPD's keywords unless in quotes.
 * Our own keywords are not refused, so that hosts with these names need no
 * quotes that they did not need before. */
static bool
is_text(const struct parser *p)
{
	static const char reserved[] =
	    " constraint constraints correction "
	    "from listen on query refid rtable sensor server servers stratum "
	    "trusted weight ";
	const char *at = reserved;
	size_t n = strlen(p->word);

	if (p->kind != WORD || n == 0)
		return p->kind == STRING && n > 0;
	while ((at = strstr(at + 1, p->word)) != NULL)
		if (at[-1] == ' ' && at[n] == ' ')
			return false;
	return true;
}

/* Go on behind this keyword if it is there. */
static bool
take(struct parser *p, const char *keyword)
{
	if (p->kind != WORD || strcmp(p->word, keyword) != 0)
		return false;
	advance(p);
	return true;
}

static void
need(struct parser *p, const char *keyword)
{
	if (!take(p, keyword))
		expected(p, keyword);
}

static void
need_number(
    struct parser *p, int least, int most, int *value, const char *range)
{
	if (p->kind != NUMBER)
		expected(p, "a number");
	else if (p->number < least || p->number > most)
		wrong(p, range, NULL);
	else
		*value = (int)p->number;
	advance(p);
}

static char *
need_text(struct parser *p, const char *what)
{
	char *text = NULL;

	if (!is_text(p))
		expected(p, what);
	else
		text = keep(p, p->word);
	advance(p);
	return text;
}

/* Is this HOST:PORT or [HOST]:PORT, as many programs take it?  Then *port is where
 * the port begins, and the result is the length of what is before its colon; else
 * -1. */
static int
host_with_port(const char *s, const char **port)
{
	const char *colon = strrchr(s, ':');
	size_t n = colon == NULL ? 0 : (size_t)(colon - s);

	if (colon == NULL || !is_digit(colon[1]) ||
	    colon[1 + strspn(colon + 1, "0123456789")] != '\0' ||
	    (*s == '[' ? n < 3 || s[n - 1] != ']' : strcspn(s, ":") != n))
		return -1;
	*port = colon + 1;
	return (int)n;
}

/* The word has a colon but is no address.  The name of a server may be anything that
 * a resolver might know, as with OpenNTPD; what is listened on may not. */
static void
say_no_address(struct parser *p, bool server)
{
	const char *port, *host = p->word;
	int n = host_with_port(p->word, &port);
	bool brackets = n > 0 && *host == '[';

	if (n < 0 || n > FOUND_LENGTH || (n == 0 && !p->ports))
		say(p, true,
		    "\"%.*s\" is no address, taken as a host name (a port cannot be given)",
		    FOUND_LENGTH, p->word);
	else if (p->ports)
		say(p, false,
		    "\"%.*s\" is no address: write \"metrics on %.*s port %.5s\"",
		    FOUND_LENGTH, p->word, n == 0 ? 1 : n - 2 * brackets,
		    n == 0 ? "*" : host + brackets, port);
	else
		say(p, server,
		    "\"%.*s\" is no address: write \"%.*s\", the port is always 123",
		    FOUND_LENGTH, p->word, n - 2 * brackets, host + brackets);
}

/* What a resolver may be asked for: printable, no blanks. */
static bool
is_name(const char *s)
{
	size_t n = 0;

	while (s[n] > ' ' && s[n] <= '~')
		n++;
	return n > 0 && s[n] == '\0' && n <= NAME_LENGTH && strcmp(s, "*") != 0;
}

/* The address must be that of one host, which can be asked. */
static void
need_usable(struct parser *p, const struct address *a)
{
	const char *fault = a->family != 0 ? address_unusable(a) : NULL;

	if (fault != NULL && p->kind != BAD)
		say(p, false,
		    "\"%.*s\" is %s, expected that of one server, or its name",
		    FOUND_LENGTH, p->word, fault);
}

/* A host as it is written; any: NULL for a server's, which cannot be "*". */
static char *
need_host(struct parser *p, bool *any, struct address *address)
{
	bool star = strcmp(p->word, "*") == 0;

	if (any != NULL)
		*any = star;
	if ((p->kind == STRING || is_text(p)) && !is_name(p->word) &&
	    (any == NULL || !star)) {
		wrong(p, "IPv4 or IPv6 address or hostname expected", NULL);
	} else if (is_text(p) && address_parse(p->word, address)) {
		if (any == NULL)
			need_usable(p, address);
	} else if (is_text(p) && strchr(p->word, ':') != NULL &&
	    strchr(p->word, '%') == NULL) {
		say_no_address(p, any == NULL);
	}
	return need_text(p,
	    *p->word == '[' ? "an address or host name, IPv6 without brackets" :
			      "an address or host name");
}

/* -------------------------------------------------------------- statements */

#define WEIGHT_RANGE "weight must be between 1 and 10"
#define PORT_RANGE "port must be between 1 and 65535"
#define URL_FORM                                                               \
	"\"https://HOST[:PORT][/PATH]\" in quotes, "                           \
	"a host name or an address"

/* MIN..MAX is one word to the lexer. */
static void
poll_range(struct parser *p, struct conf_server *server)
{
	const char *s = p->word;
	int64_t least, most = -1;

	least = digits(&s, POLL_MOST);
	if (strncmp(s, "..", 2) == 0) {
		s += 2;
		most = digits(&s, POLL_MOST);
	}
	if (p->kind != WORD || least < POLL_LEAST || most < least || *s != '\0')
		wrong(p, "poll must be MIN..MAX, between 4 and 131072 seconds",
		    NULL);
	server->poll_least = (double)least;
	server->poll_most = (double)most;
	advance(p);
}

static void
server(struct parser *p, bool pool)
{
	struct conf *c = p->conf;
	struct conf_server *s;
	int distance = 0;

	s = append(p, &c->server, &c->servers, sizeof(*s), SOURCES_MAX);
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
		else if (take(p, "weight"))
			need_number(p, 1, 10, &s->weight, WEIGHT_RANGE);
		else if (take(p, "poll"))
			poll_range(p, s);
		else if (take(p, "maxdistance")) {
			need_number(p, 1, DISTANCE_MOST, &distance,
			    "maxdistance must be between 1 and 86400 seconds");
			s->distance_most = distance;
		} else
			expected(p,
			    "weight, trusted, poll, maxdistance or end of line");
	}
}

static void
sensor(struct parser *p)
{
	struct conf *c = p->conf;
	struct conf_sensor *s;

	s = append(p, &c->sensor, &c->sensors, sizeof(*s), SENSORS_MAX);
	if (s == NULL)
		return;
	s->weight = 1;
	s->stratum = 1;
	s->line = p->first;
	s->device = need_text(p, "a device");
	while (more(p)) {
		if (take(p, "trusted")) {
			s->trusted = true;
		} else if (take(p, "weight")) {
			need_number(p, 1, 10, &s->weight, WEIGHT_RANGE);
		} else if (take(p, "stratum")) {
			need_number(p, 1, 15, &s->stratum,
			    "stratum must be between 1 and 15");
		} else if (take(p, "correction")) {
			need_number(p, -127000000, 127000000, &s->correction,
			    "correction must be between -127000000 and 127000000 microseconds");
		} else if (take(p, "refid")) {
			if ((p->kind == STRING && *p->word == '\0') ||
			    (is_text(p) && strlen(p->word) > 4))
				wrong(
				    p, "refid must be 1 to 4 characters", NULL);
			else if (is_text(p))
				strcpy(s->refid, p->word);
			else
				expected(p, "1 to 4 characters");
			advance(p);
		} else {
			expected(p,
			    "correction, refid, stratum, weight, trusted or end of line");
		}
	}
}

/* A name whose labels are not empty; it may end with one dot, which is cut off
 * since it is in no certificate.  Or an address. */
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

static bool
url_path(const char *s)
{
	size_t n = 0;

	while (s[n] > ' ' && s[n] <= '~' && s[n] != '#')
		n++;
	return s[n] == '\0' && n <= URL_PATH_MAX;
}

/* [https://]HOST[:PORT][/PATH]; an IPv6 address needs brackets only where a
 * port follows.  host, the whole of it, is cut down to the host. */
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
		wrong(p, "only https is possible", URL_FORM);

	path = host + strcspn(host, "/");
	fits = url_path(path);
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
	} else if (address_parse(host, &c->numeric)) {
		port = NULL;
	}
	if (port != NULL && *port == ':') {
		*port++ = '\0';
		s = port;
		value = digits(&s, UINT16_MAX);
		if (value < 1)
			wrong(p,
			    port[strspn(port, "0123456789")] == '\0' &&
				    *port != '\0' ?
				PORT_RANGE :
				"syntax error",
			    URL_FORM);
		fits &= *s == '\0';
	}
	c->port = (uint16_t)value;
	if (!url_host(host, &c->numeric, &c->rooted) || !fits)
		expected(p, URL_FORM);
	else
		need_usable(p, &c->numeric);
}

static void
constraint(struct parser *p, bool pool)
{
	struct conf *conf = p->conf;
	struct conf_constraint *c;

	need(p, "from");
	c = append(p, &conf->constraint, &conf->constraints, sizeof(*c),
	    CONSTRAINTS_MAX);
	if (c == NULL)
		return;
	c->pool = pool;
	c->line = p->first;
	if (is_text(p) && strcmp(p->word, "*") == 0)
		wrong(p, "IPv4 or IPv6 address or hostname expected", NULL);
	else if (!is_text(p))
		expected(p, URL_FORM);
	else if ((c->host = keep(p, p->word)) != NULL)
		url(p, c, c->host);
	advance(p);
	while (more(p) && !pool) {
		if (c->addresses == CONSTRAINT_ADDRESSES)
			wrong(p, "too many addresses, at most 8", NULL);
		else if (p->kind == NUMBER || p->kind == OTHER)
			expected(p, "an address or end of line");
		else if (!address_parse(p->word, &c->address[c->addresses]))
			wrong(p, "url can only be followed by IP addresses",
			    NULL);
		else
			need_usable(p, &c->address[c->addresses++]);
		advance(p);
	}
}

/* The common part of "listen on" and "metrics on". */
static struct conf_listen *
on(struct parser *p, struct conf_listen **array, int *count)
{
	struct conf_listen *l;

	need(p, "on");
	if ((l = append(p, array, count, sizeof(*l), LISTENS_MAX)) == NULL)
		return NULL;
	l->line = p->first;
	l->name = need_host(p, &l->any, &l->address);
	return l;
}

/* Any number is accepted, as OpenNTPD does on Linux, where it has no effect. */
static void
routing_table(struct parser *p)
{
	if (p->kind != NUMBER)
		expected(p, "a number");
	else if (p->number != 0)
		say(p, true,
		    "rtable %lld has no effect, Linux cannot choose a socket's routing table",
		    (long long)p->number);
	advance(p);
}

static void
listen_on(struct parser *p)
{
	struct conf_listen *l = on(p, &p->conf->listen, &p->conf->listens);

	if (l == NULL)
		return;
	l->port = NTP_PORT;
	while (more(p)) {
		if (take(p, "rtable"))
			routing_table(p);
		else
			expected(p, "rtable or end of line");
	}
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
	while (more(p)) {
		if (take(p, "port"))
			need_number(p, 1, UINT16_MAX, &port, PORT_RANGE);
		else
			expected(p, "port or end of line");
	}
	l->port = (uint16_t)port;
}

static void
query_from(struct parser *p)
{
	struct address a = { 0 };

	need(p, "from");
	if (!is_text(p)) {
		expected(p, "an address");
	} else if (!address_parse(p->word, &a)) {
		say(p, false, "invalid IPv4 or IPv6 address: %.*s",
		    FOUND_LENGTH, p->word);
	}
	if (a.family == 4)
		p->from4 = a;
	else
		p->from6 = a;
	advance(p);
}

/* ADDRESS[/BITS]; the bits behind these are cleared. */
static void
network(struct parser *p, struct conf_allow *out)
{
	struct address *a = &out->network;
	char *slash = strchr(p->word, '/');
	const char *s = "";
	int i, size, mapped;
	bool fits;

	if (slash != NULL)
		*slash = '\0';
	fits = is_text(p) && address_parse(p->word, a) && a->scope == 0;
	out->bits = size = a->family == 4 ? 32 : 128;
	/* The bits of a mapped address are counted from the begin of all 128. */
	mapped = size == 32 && strchr(p->word, ':') != NULL ? 96 : 0;
	if (slash != NULL) {
		*slash = '/';
		s = slash + 1;
		out->bits = (int)digits(&s, size + mapped) - mapped;
	}
	if (!fits || out->bits < 0 || *s != '\0') {
		expected(p, "ADDRESS[/BITS]");
		return;
	}
	for (i = out->bits; i < size; i++)
		a->bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	advance(p);
}

static void
allow_from(struct parser *p)
{
	struct conf *c = p->conf;
	struct conf_allow *a;

	p->slashes = true;
	need(p, "from");
	do {
		a = append(p, &c->allow, &c->allows, sizeof(*a), ALLOWS_MAX);
		if (a == NULL)
			return;
		network(p, a);
		if (p->kind == OTHER && *p->word == ',') {
			advance(p);
			if (p->kind == END)
				expected(p, "ADDRESS[/BITS]");
		}
	} while (more(p));
}

static void
limit(struct parser *p)
{
	int rate = LIMIT_RATE, burst;

	need(p, "rate");
	need_number(p, 1, LIMIT_MOST, &rate,
	    "rate must be between 1 and 1000000 requests per second");
	burst = rate > LIMIT_MOST / LIMIT_SECONDS ? LIMIT_MOST :
						    rate * LIMIT_SECONDS;
	if (take(p, "burst"))
		need_number(p, 1, LIMIT_MOST, &burst,
		    "burst must be between 1 and 1000000 requests");
	else if (more(p))
		expected(p, "burst or end of line");
	p->conf->limit_rate = rate;
	p->conf->limit_burst = burst;
}

/* Digits, perhaps with a point between them; no more than a double holds
 * exactly, so that the one division rounds as strtod(3) would. */
static void
ready(struct parser *p)
{
	const char *s;
	double value = 0, scale = 0;

	need(p, "within");
	for (s = p->word;
	     is_digit(*s) || (*s == '.' && scale == 0 && is_digit(s[1])); s++) {
		if (*s == '.') {
			scale = 1;
		} else {
			value = 10 * value + (*s - '0');
			scale *= 10;
		}
	}
	if (scale > 1)
		value /= scale;
	if (p->kind != NUMBER && p->kind != WORD)
		expected(p, "a number");
	else if (*s != '\0' || s - p->word > 15 || value < 1e-6 ||
	    value > 86400)
		wrong(p,
		    "ready within must be between 0.000001 and 86400 seconds",
		    NULL);
	p->conf->ready_within = value;
	advance(p);
}

static void
statement(struct parser *p)
{
	struct conf *c = p->conf;

	p->kind = END;
	p->slashes = false;
	p->ports = false;
	p->quote.at = NULL;
	advance(p);
	p->first = p->token.line;
	if (take(p, "server")) {
		server(p, false);
	} else if (take(p, "servers")) {
		server(p, true);
	} else if (take(p, "constraint")) {
		constraint(p, false);
	} else if (take(p, "constraints")) {
		constraint(p, true);
	} else if (take(p, "listen")) {
		listen_on(p);
	} else if (take(p, "query")) {
		query_from(p);
	} else if (take(p, "sensor")) {
		sensor(p);
	} else if (take(p, "driftfile")) {
		c->driftfile = need_text(p, "a path in quotes");
	} else if (take(p, "cafile")) {
		c->cafile = need_text(p, "a path in quotes");
		c->cafile_line = p->first;
	} else if (take(p, "allow")) {
		allow_from(p);
	} else if (take(p, "limit")) {
		limit(p);
	} else if (take(p, "metrics")) {
		metrics_on(p);
	} else if (take(p, "ready")) {
		ready(p);
	} else if (more(p)) {
		expected(p,
		    "server, servers, constraint, constraints, listen, query, sensor, driftfile, cafile, allow, limit, metrics or ready");
	}
	if (more(p))
		expected(p, "end of line");
}

/* A string may go on over the end of a line, so a forgotten quote swallows what
 * follows.  After an error in such a statement go on behind the line where the
 * string began, to find the other mistakes as well; but not so often that text
 * could be made to be read again and again. */
bool
config_parse(const char *text, size_t size, struct conf *conf,
    struct conf_messages *messages)
{
	struct parser p;

	memset(conf, 0, sizeof(*conf));
	memset(messages, 0, sizeof(*messages));
	memset(&p, 0, sizeof(p));
	conf->ready_within = 1;
	conf->limit_rate = LIMIT_RATE;
	conf->limit_burst = LIMIT_RATE * LIMIT_SECONDS;
	p.conf = conf;
	p.messages = messages;
	p.here.at = text;
	p.here.line = p.here.column = 1;
	p.end = text + size;
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		p.here.at += 3;

	while (p.here.at != p.end && !p.stop) {
		statement(&p);
		if (p.kind == BAD && p.quote.at != NULL &&
		    p.quote.line != p.here.line && p.rewinds++ < REWINDS_MAX)
			p.here = p.quote;
		skip_line(&p);
	}
	if (messages->errors == 0 && conf->servers == 0) {
		p.quote.at = NULL;
		p.token.line = p.token.column = 1;
		say(&p, true, "no servers configured");
	}
	return messages->errors == 0;
}

void
config_free(struct conf *conf)
{
	while (conf->texts > 0)
		free(conf->text[--conf->texts]);
	free(conf->text);
	free(conf->server);
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
