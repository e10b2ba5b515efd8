/*
 * config.c - the text of ntpd.conf(5) becomes a struct conf, or messages.
 *
 * A lexer that looks one token ahead and one small function for each statement;
 * no grammar file, since every statement fits on a line and begins with its own
 * word.  The lexical rules are OpenNTPD's, so that its files mean the same here,
 * with three kindnesses: CRLF is a line end, the last line needs none, and a
 * UTF-8 byte order mark in front is skipped.
 *
 * The first mistake of a line is reported, OpenNTPD's words first, then what
 * was found and what would have been right; parsing goes on at the next line.
 * The time spent is linear in the size of the text, whatever it holds.
 *
 * This room only allocates.  It opens nothing: that a file named here exists, or
 * a host name resolves, is found out by those who use it.
 */
#include <stdlib.h>
#include <string.h>

#include "conf.h"

enum {
	WORD_SIZE = 8096,	/* bytes of a word with its NUL, as OpenNTPD's */
	NAME_MAX_LENGTH = 253,	/* of a host name in text: RFC 1035 §2.3.4 */
	FOUND_MAX = 60,		/* bytes of a word that a message repeats */
	MESSAGES_MAX = 1000,	/* then give up: a file of junk must not eat the
				   memory of a small container */
	TEXT_END = -1
};

enum kind {
	END,			/* of the line */
	WORD,			/* bare; may be a keyword */
	STRING,			/* in quotes; never a keyword */
	NUMBER,
	OTHER,			/* a byte that begins no word */
	BAD			/* reported already */
};

struct place {
	const char *at;
	int line, column;
};

struct token {
	enum kind kind;
	struct place place;
	int byte;		/* of OTHER */
	int64_t number;
	char text[WORD_SIZE];
};

struct parser {
	struct place here, before;	/* before: the byte that came last */
	const char *end;
	struct token token;
	bool slashes;		/* words may hold "/": only in our own statements */
	bool rewound;		/* see string */
	bool stop;		/* no memory, or too many messages */
	struct address from4, from6;
	struct conf *conf;
	struct conf_messages *messages;
};

/* ---------------------------------------------------------------- messages */

struct text {
	size_t length;
	char bytes[512];
};

/* What is not printable ASCII becomes "?": the text goes to terminals. */
static void
add(struct text *t, const char *s)
{
	for (; *s != '\0' && t->length < sizeof(t->bytes) - 1; s++)
		t->bytes[t->length++] = *s < ' ' || *s > '~' ? '?' : *s;
	t->bytes[t->length] = '\0';
}

static void
add_quoted(struct text *t, const char *s)
{
	char part[FOUND_MAX + 1];
	size_t length = strlen(s);

	if (length > FOUND_MAX)
		length = FOUND_MAX;
	memcpy(part, s, length);
	part[length] = '\0';
	add(t, "\"");
	add(t, part);
	add(t, s[length] == '\0' ? "\"" : "...\"");
}

static void
add_found(struct text *t, const struct token *token)
{
	static const char hex[] = "0123456789abcdef";
	char byte[] = "byte 0x..", glyph[] = ".";

	if (token->kind == END) {
		add(t, "end of line");
	} else if (token->kind != OTHER) {
		add_quoted(t, token->text);
	} else if (token->byte == '\0') {
		add(t, "a NUL byte");
	} else if (token->byte > ' ' && token->byte <= '~') {
		glyph[0] = (char)token->byte;
		add_quoted(t, glyph);
	} else {
		byte[7] = hex[token->byte >> 4 & 15];
		byte[8] = hex[token->byte & 15];
		add(t, byte);
	}
}

static void *
no_memory(struct parser *p)
{
	p->messages->errors++;
	p->stop = true;
	return NULL;
}

/* A zeroed element at the end of an array that has room for the next power of
 * two; NULL without memory. */
static void *
append(struct parser *p, void *array, int *count, size_t size)
{
	size_t n = (size_t)*count;
	char *old, *new;

	memcpy(&old, array, sizeof(old));
	if ((n & (n - 1)) == 0) {	/* 0 or a power of two: full */
		new = realloc(old, (n == 0 ? 1 : 2 * n) * size);
		if (new == NULL)
			return no_memory(p);
		memcpy(array, &new, sizeof(new));
		old = new;
	}
	++*count;
	return memset(old + n * size, 0, size);
}

/* A copy that conf owns; NULL without memory. */
static char *
keep(struct parser *p, const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = malloc(size);

	return copy == NULL ? no_memory(p) : memcpy(copy, s, size);
}

/* A message about the present token. */
static void
say(struct parser *p, bool warning, const struct text *t)
{
	struct conf_messages *all = p->messages;
	struct conf_message *m;

	if (all->count >= MESSAGES_MAX && warning)
		return;
	m = append(p, &all->message, &all->count, sizeof(*m));
	if (m == NULL)
		return;
	m->line = p->token.place.line;
	m->column = p->token.place.column;
	m->warning = warning;
	if (!warning)
		all->errors++;
	if (all->count > MESSAGES_MAX)
		p->stop = true;
	m->text = keep(p, p->stop ? "too many errors" : t->bytes);
	if (m->text == NULL)
		all->count--;
}

/* An error: these words, what was found, and if not NULL what was expected.
 * Always false. */
static bool
wrong(struct parser *p, const char *words, const char *expected)
{
	struct text t = { 0 };

	if (p->token.kind == BAD)
		return false;
	add(&t, words);
	add(&t, ": found ");
	add_found(&t, &p->token);
	if (expected != NULL) {
		add(&t, ", expected ");
		add(&t, expected);
	}
	say(p, false, &t);
	return false;
}

static bool
expected(struct parser *p, const char *what)
{
	return wrong(p, "syntax error", what);
}

/* An error of the lexer, which leaves nothing to parse. */
static void
broken(struct parser *p, const char *words)
{
	struct text t = { 0 };

	add(&t, words);
	say(p, false, &t);
	p->token.kind = BAD;
}

/* ----------------------------------------------------------- small parsers */

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

/* No leading zeros: some would read them as octal. */
static bool
address4(const char **s, uint8_t out[static 4])
{
	int64_t value;
	int i;

	for (i = 0; i < 4; i++) {
		if (i > 0 && *(*s)++ != '.')
			return false;
		if (**s == '0' && is_digit((*s)[1]))
			return false;
		if ((value = digits(s, 255)) < 0)
			return false;
		out[i] = (uint8_t)value;
	}
	return true;
}

/* One to four hexadecimal digits, or -1. */
static int
group6(const char **s)
{
	int i, value = 0;

	for (i = 0; i < 4; i++, ++*s) {
		if (is_digit(**s))
			value = value * 16 + **s - '0';
		else if (is_letter(**s) && (**s | 32) <= 'f')
			value = value * 16 + (**s | 32) - 'a' + 10;
		else
			break;
	}
	return i == 0 ? -1 : value;
}

/* RFC 4291 §2.2, all three forms; with a numeric scope (RFC 4007 §11). */
static bool
address6(const char *s, struct address *a)
{
	const char *start;
	int64_t scope = 0;
	int gap = -1, n = 0, value;

	if (*s == ':' && *++s != ':')
		return false;
	for (;;) {
		if (*s == ':') {	/* the second of two */
			if (gap >= 0)
				return false;
			gap = n;
			s++;
			if (*s == '\0' || *s == '%')
				break;
		}
		start = s;
		if (n == 16 || (value = group6(&s)) < 0)
			return false;
		if (*s == '.') {
			if (n > 12 || !address4(&start, a->bytes + n))
				return false;
			n += 4;
			s = start;
			break;
		}
		a->bytes[n++] = (uint8_t)(value >> 8);
		a->bytes[n++] = (uint8_t)value;
		if (*s != ':')
			break;
		s++;
	}
	if (*s == '%') {
		s++;
		if ((scope = digits(&s, UINT32_MAX)) <= 0)
			return false;
	}
	if (*s != '\0' || (gap < 0 ? n != 16 : n > 14))
		return false;
	if (gap >= 0) {
		memmove(a->bytes + 16 - (n - gap), a->bytes + gap,
		    (size_t)(n - gap));
		memset(a->bytes + gap, 0, (size_t)(16 - n));
	}
	a->scope = (uint32_t)scope;
	return true;
}

bool
config_address(const char *text, struct address *out)
{
	struct address a = { 0 };
	const char *s = text;

	if (address4(&s, a.bytes) && *s == '\0') {
		a.family = 4;
	} else {
		memset(a.bytes, 0, sizeof(a.bytes));
		if (!address6(text, &a))
			return false;
		a.family = 6;
	}
	*out = a;
	return true;
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
unget(struct parser *p)
{
	p->here = p->before;
}

static void
skip_line(struct parser *p)
{
	int c = p->token.kind == END ? '\n' : ' ';

	while (c != '\n' && c != TEXT_END)
		c = get(p);
}

/* As in OpenNTPD a word may hold a quote, or a ";", but none of these. */
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

/* The rest of a quoted string.  It may go on over the end of the line, so a
 * forgotten quote swallows what follows: then go on behind the line where it
 * began, to find the other mistakes too; but only once, or text could be made
 * to be read again and again. */
static void
string(struct parser *p, int quote)
{
	struct place start = p->here, before;
	struct token *t = &p->token;
	size_t n = 0;
	int c;

	for (;;) {
		before = p->here;
		c = get_raw(p);
		if (c == TEXT_END || n == sizeof(t->text) - 1)
			break;
		if (c == quote) {
			t->text[n] = '\0';
			t->kind = STRING;
			return;
		}
		if (c == '\0') {
			t->kind = OTHER;
			t->byte = c;
			t->place = before;
			return;
		}
		if (c == '\\') {
			before = p->here;
			c = get_raw(p);
			if (c != quote && c != ' ' && c != '\t' && c != '\n') {
				p->here = before;
				c = '\\';
			}
		}
		if (c != '\n')
			t->text[n++] = (char)c;
	}
	broken(p, c == TEXT_END ?
	    "reached end of file while parsing quoted string" :
	    "string too long");
	if (!p->rewound)
		p->here = start;
	p->rewound = true;
}

static void
number(struct parser *p)
{
	struct token *t = &p->token;
	bool negative = t->text[0] == '-';
	const char *s = t->text + negative;
	struct text text = { 0 };

	if (s[strspn(s, "0123456789")] != '\0' || *s == '\0')
		return;
	t->kind = NUMBER;
	t->number = digits(&s, INT64_MAX);
	if (t->number < 0) {
		add_quoted(&text, t->text);
		add(&text, negative ? " invalid number: too small" :
		    " invalid number: too large");
		broken(p, text.bytes);
	}
	if (negative)
		t->number = -t->number;
}

static void
word(struct parser *p, int c)
{
	struct token *t = &p->token;
	size_t n = 0;

	for (; in_word(p, c); c = get(p)) {
		if (n == sizeof(t->text) - 1) {
			broken(p, "string too long");
			return;
		}
		t->text[n++] = (char)c;
	}
	unget(p);
	t->text[n] = '\0';
	t->kind = WORD;
	number(p);
}

/* Read the next token. */
static void
advance(struct parser *p)
{
	struct token *t = &p->token;
	int c;

	do
		c = get(p);
	while (c == ' ' || c == '\t');
	if (c == '#')
		do
			c = get(p);
		while (c != '\n' && c != TEXT_END && c != '\0');
	t->place = p->before;
	t->text[0] = '\0';
	if (c == '\n' || c == TEXT_END) {
		t->kind = END;
	} else if (c == '"' || c == '\'') {
		string(p, c);
	} else if (begins_word(p, c)) {
		word(p, c);
	} else {
		t->kind = OTHER;
		t->byte = c;
	}
}

/* ------------------------------------------------------- parts of statements */

/* OpenNTPD's keywords.  Ours are not among them, so that hosts with these names
 * need no quotes that they did not need before. */
static bool
is_reserved(const struct token *t)
{
	static const char words[] = " constraint constraints correction from "
	    "listen on query refid rtable sensor server servers stratum "
	    "trusted weight ";
	const char *at = words;
	size_t n = strlen(t->text);

	if (t->kind != WORD)
		return false;
	while ((at = strstr(at + 1, t->text)) != NULL)
		if (at[-1] == ' ' && at[n] == ' ')
			return true;
	return false;
}

static bool
is_text(const struct token *t)
{
	return t->kind == STRING || (t->kind == WORD && !is_reserved(t));
}

static bool
is_end(const struct parser *p)
{
	return p->token.kind == END;
}

/* Go on behind this keyword if it is there. */
static bool
take(struct parser *p, const char *keyword)
{
	if (p->token.kind != WORD || strcmp(p->token.text, keyword) != 0)
		return false;
	advance(p);
	return true;
}

static bool
need(struct parser *p, const char *keyword)
{
	struct text t = { 0 };

	if (take(p, keyword))
		return true;
	add_quoted(&t, keyword);
	return expected(p, t.bytes);
}

static bool
need_end(struct parser *p)
{
	return is_end(p) || expected(p, "end of line");
}

static bool
need_number(struct parser *p, int least, int most, int *value,
    const char *range)
{
	const struct token *t = &p->token;

	if (t->kind != NUMBER)
		return expected(p, "a number");
	if (t->number < least || t->number > most)
		return wrong(p, range, NULL);
	*value = (int)t->number;
	advance(p);
	return true;
}

/* Digits, or digits "." digits; no more than a double holds exactly, so that
 * the one division rounds as strtod(3) would. */
static bool
need_decimal(struct parser *p, double least, double most, double *value,
    const char *range)
{
	const char *s = p->token.text;
	double v = 0, scale = 1;
	int n = 0;
	bool point = false;

	if (p->token.kind != NUMBER && p->token.kind != WORD)
		return expected(p, "a number");
	for (; is_digit(*s) || (*s == '.' && !point && n > 0); s++) {
		if (*s == '.') {
			point = true;
			continue;
		}
		v = 10 * v + (*s - '0');
		if (point)
			scale *= 10;
		n++;
	}
	if (*s != '\0' || s == p->token.text || s[-1] == '.' || n > 15)
		return wrong(p, range, NULL);
	v /= scale;
	if (v < least || v > most)
		return wrong(p, range, NULL);
	*value = v;
	advance(p);
	return true;
}

/* Something that a resolver may be asked for: printable, no blanks. */
static bool
is_name(const char *s)
{
	size_t n = strlen(s), i;

	for (i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	return n > 0 && n <= NAME_MAX_LENGTH && strcmp(s, "*") != 0;
}

/* A name or address, kept as it is written. */
static bool
need_host(struct parser *p, bool may_be_any, char **name,
    struct address *address)
{
	const char *s = p->token.text;
	struct text t = { 0 };

	if (!is_text(&p->token))
		return expected(p, "an address or host name");
	if (!is_name(s) && !(may_be_any && strcmp(s, "*") == 0))
		return wrong(p, "IPv4 or IPv6 address or hostname expected",
		    NULL);
	if (!config_address(s, address) && strchr(s, ':') != NULL &&
	    strchr(s, '%') == NULL) {
		add_quoted(&t, s);
		add(&t, " is no address, taken as a host name (a port cannot"
		    " be given)");
		say(p, true, &t);
	}
	if ((*name = keep(p, s)) == NULL)
		return false;
	advance(p);
	return true;
}

/* "path": the later one wins. */
static bool
need_path(struct parser *p, char **path)
{
	if (!is_text(&p->token) || p->token.text[0] == '\0')
		return expected(p, "a path");
	free(*path);
	if ((*path = keep(p, p->token.text)) == NULL)
		return false;
	advance(p);
	return need_end(p);
}

/* poll MIN..MAX: one word to the lexer. */
static bool
need_poll(struct parser *p, struct conf_server *server)
{
	const char *s = p->token.text;
	int64_t least, most = -1;

	least = digits(&s, POLL_MOST);
	if (strncmp(s, "..", 2) == 0) {
		s += 2;
		most = digits(&s, POLL_MOST);
	}
	if (p->token.kind != WORD || least < POLL_LEAST || most < least ||
	    *s != '\0')
		return wrong(p, "poll must be MIN..MAX, between 4 and 131072"
		    " seconds", NULL);
	server->poll_least = (double)least;
	server->poll_most = (double)most;
	advance(p);
	return true;
}

/* -------------------------------------------------------------- statements */

#define WEIGHT_RANGE "weight must be between 1 and 10"
#define URL_FORM "\"https://HOST[:PORT][/PATH]\" in quotes, " \
	"a host name or an address"

static bool
server(struct parser *p, bool pool)
{
	struct conf *c = p->conf;
	struct conf_server *s;
	int line = p->token.place.line;

	if (c->servers == SOURCES_MAX)
		return wrong(p, "too many servers, at most 4096", NULL);
	if ((s = append(p, &c->server, &c->servers, sizeof(*s))) == NULL)
		return false;
	s->pool = pool;
	s->weight = 1;
	s->from4 = p->from4;
	s->from6 = p->from6;
	s->line = line;
	if (!need_host(p, false, &s->name, &s->address))
		return false;
	while (!is_end(p)) {
		if (take(p, "trusted")) {
			s->trusted = true;
		} else if (take(p, "weight")) {
			if (!need_number(p, 1, 10, &s->weight, WEIGHT_RANGE))
				return false;
		} else if (take(p, "poll")) {
			if (!need_poll(p, s))
				return false;
		} else {
			return expected(p,
			    "weight, trusted, poll or end of line");
		}
	}
	return true;
}

static bool
server_one(struct parser *p)
{
	return server(p, false);
}

static bool
server_pool(struct parser *p)
{
	return server(p, true);
}

static bool
sensor_option(struct parser *p, struct conf_sensor *s)
{
	const char *text = p->token.text;

	if (take(p, "trusted")) {
		s->trusted = true;
		return true;
	}
	if (take(p, "weight"))
		return need_number(p, 1, 10, &s->weight, WEIGHT_RANGE);
	if (take(p, "stratum"))
		return need_number(p, 1, 15, &s->stratum,
		    "stratum must be between 1 and 15");
	if (take(p, "correction"))
		return need_number(p, -127000000, 127000000, &s->correction,
		    "correction must be between -127000000 and 127000000 "
		    "microseconds");
	if (!take(p, "refid"))
		return expected(p, "correction, refid, stratum, weight, "
		    "trusted or end of line");
	if (!is_text(&p->token))
		return expected(p, "1 to 4 characters");
	if (text[0] == '\0' || strlen(text) >= sizeof(s->refid))
		return wrong(p, "refid must be 1 to 4 characters", NULL);
	memcpy(s->refid, text, strlen(text) + 1);
	advance(p);
	return true;
}

static bool
sensor(struct parser *p)
{
	struct conf *c = p->conf;
	struct conf_sensor *s;
	int line = p->token.place.line;

	if (c->sensors == SENSORS_MAX)
		return wrong(p, "too many sensors, at most 64", NULL);
	if ((s = append(p, &c->sensor, &c->sensors, sizeof(*s))) == NULL)
		return false;
	s->weight = 1;
	s->stratum = 1;
	s->line = line;
	if (!is_text(&p->token) || p->token.text[0] == '\0')
		return expected(p, "a device");
	if ((s->device = keep(p, p->token.text)) == NULL)
		return false;
	advance(p);
	while (!is_end(p))
		if (!sensor_option(p, s))
			return false;
	return true;
}

/* A host that can be asked by HTTPS: an address, or a name whose labels are not
 * empty.  One dot at the end of a name is removed (it stands in no
 * certificate). */
static bool
url_host(char *host, struct address *numeric)
{
	size_t n = strlen(host);

	if (config_address(host, numeric))
		return true;
	if (n > 1 && host[n - 1] == '.')
		host[--n] = '\0';
	return is_name(host) && strpbrk(host, ":%?#@[]\\\"'<>") == NULL &&
	    host[0] != '.' && host[n - 1] != '.' && strstr(host, "..") == NULL;
}

static bool
url_path(const char *path)
{
	const char *s;

	for (s = path; *s != '\0'; s++)
		if (*s <= ' ' || *s > '~' || *s == '#')
			return false;
	return s - path <= URL_PATH_MAX;
}

/* [https://]HOST[:PORT][/PATH], where an IPv6 address needs brackets only if a
 * port follows. */
static bool
url(struct parser *p, struct conf_constraint *c)
{
	static const char scheme[] = "https://";
	struct address whole;
	const char *s;
	char *host, *path, *port;
	int64_t value;
	size_t i = 0;

	if (!is_text(&p->token))
		return expected(p, URL_FORM);
	if (strcmp(p->token.text, "*") == 0)
		return wrong(p, "IPv4 or IPv6 address or hostname expected",
		    NULL);
	if ((c->host = keep(p, p->token.text)) == NULL)
		return false;
	host = c->host;
	while (i < sizeof(scheme) - 1 && (host[i] == scheme[i] ||
	    (is_letter(host[i]) && (host[i] | 32) == scheme[i])))
		i++;
	if (i == sizeof(scheme) - 1)
		memmove(host, host + i, strlen(host + i) + 1);
	else if (strstr(host, "://") != NULL)
		return wrong(p, "only https is possible", URL_FORM);

	if ((path = strchr(host, '/')) == NULL)
		path = host + strlen(host);
	if (!url_path(path))
		return expected(p, URL_FORM);
	if ((c->path = keep(p, *path == '/' ? path : "/")) == NULL)
		return false;
	*path = '\0';

	port = NULL;
	if (*host == '[' && (port = strchr(host, ']')) != NULL) {
		*port++ = '\0';
		memmove(host, host + 1, (size_t)(port - host - 1));
		if (!config_address(host, &whole) || whole.family != 6 ||
		    (*port != ':' && *port != '\0'))
			return expected(p, URL_FORM);
	} else if (!config_address(host, &whole)) {
		port = strrchr(host, ':');
	}
	c->port = 443;
	if (port != NULL && *port == ':') {
		*port++ = '\0';
		s = port;
		value = digits(&s, INT64_MAX);
		if (*port == '\0' || *s != '\0')
			return expected(p, URL_FORM);
		if (value < 1 || value > 65535)
			return wrong(p, "port must be between 1 and 65535",
			    NULL);
		c->port = (uint16_t)value;
	}
	if (!url_host(host, &c->numeric))
		return expected(p, URL_FORM);
	advance(p);
	return true;
}

static bool
constraint(struct parser *p, bool pool)
{
	struct conf *conf = p->conf;
	struct conf_constraint *c;
	int line = p->token.place.line;

	if (!need(p, "from"))
		return false;
	if (conf->constraints == CONSTRAINTS_MAX)
		return wrong(p, "too many constraints, at most 64", NULL);
	c = append(p, &conf->constraint, &conf->constraints, sizeof(*c));
	if (c == NULL)
		return false;
	c->pool = pool;
	c->line = line;
	if (!url(p, c))
		return false;
	if (pool)
		return need_end(p);
	while (!is_end(p)) {
		if (p->token.kind != WORD && p->token.kind != STRING)
			return expected(p, "an address or end of line");
		if (c->addresses == CONSTRAINT_ADDRESSES)
			return wrong(p, "too many addresses, at most 8", NULL);
		if (!config_address(p->token.text, &c->address[c->addresses]))
			return wrong(p, "url can only be followed by IP "
			    "addresses", NULL);
		c->addresses++;
		advance(p);
	}
	return true;
}

static bool
constraint_one(struct parser *p)
{
	return constraint(p, false);
}

static bool
constraint_pool(struct parser *p)
{
	return constraint(p, true);
}

/* ... on ADDRESS [WORD N] */
static bool
on(struct parser *p, struct conf_listen **array, int *count, uint16_t port)
{
	struct conf_listen *l;
	int line = p->token.place.line, value = port;
	bool listen = port == NTP_PORT;

	if (!need(p, "on"))
		return false;
	if (*count == LISTENS_MAX)
		return wrong(p, "too many addresses, at most 64", NULL);
	if ((l = append(p, array, count, sizeof(*l))) == NULL)
		return false;
	l->line = line;
	if (!need_host(p, true, &l->name, &l->address))
		return false;
	l->any = strcmp(l->name, "*") == 0;
	while (!is_end(p)) {
		if (!take(p, listen ? "rtable" : "port"))
			return expected(p, listen ? "rtable or end of line" :
			    "port or end of line");
		if (listen ? !need_number(p, 0, 0, &(int){ 0 }, "rtable must "
		    "be 0, Linux cannot choose a routing table for a socket") :
		    !need_number(p, 1, 65535, &value,
		    "port must be between 1 and 65535"))
			return false;
	}
	l->port = (uint16_t)value;
	return true;
}

static bool
listen_on(struct parser *p)
{
	return on(p, &p->conf->listen, &p->conf->listens, NTP_PORT);
}

static bool
metrics_on(struct parser *p)
{
	return on(p, &p->conf->metrics, &p->conf->metricses, METRICS_PORT);
}

static bool
query_from(struct parser *p)
{
	struct address a;
	struct text t = { 0 };

	if (!need(p, "from"))
		return false;
	if (!is_text(&p->token))
		return expected(p, "an address");
	if (!config_address(p->token.text, &a)) {
		add(&t, "invalid IPv4 or IPv6 address: ");
		add_quoted(&t, p->token.text);
		say(p, false, &t);
		return false;
	}
	if (a.family == 4)
		p->from4 = a;
	else
		p->from6 = a;
	advance(p);
	return need_end(p);
}

/* ADDRESS[/BITS]; bits of the host are cleared, with a warning. */
static bool
network(struct parser *p, struct conf_allow *out)
{
	static const char form[] = "ADDRESS[/BITS]";
	struct address *a = &out->network;
	char text[64];
	const char *s = "";
	size_t n = strcspn(p->token.text, "/");
	int64_t bits;
	int i;
	uint8_t mask;
	bool cleared = false;
	struct text t = { 0 };

	if (!is_text(&p->token) || n >= sizeof(text))
		return expected(p, form);
	memcpy(text, p->token.text, n);
	text[n] = '\0';
	if (!config_address(text, a) || a->scope != 0)
		return expected(p, form);
	out->bits = a->family == 4 ? 32 : 128;
	if (p->token.text[n] == '/') {
		s = p->token.text + n + 1;
		if ((bits = digits(&s, out->bits)) < 0 || *s != '\0')
			return expected(p, form);
		out->bits = (int)bits;
	}
	for (i = 0; i < (a->family == 4 ? 4 : 16); i++) {
		mask = out->bits >= 8 * (i + 1) ? 0xff : out->bits <= 8 * i ?
		    0 : (uint8_t)(0xff << (8 * (i + 1) - out->bits));
		cleared |= (a->bytes[i] & ~mask) != 0;
		a->bytes[i] &= mask;
	}
	if (cleared) {
		add_quoted(&t, p->token.text);
		add(&t, " is not the first address of its network");
		say(p, true, &t);
	}
	advance(p);
	return true;
}

static bool
allow_from(struct parser *p)
{
	struct conf *c = p->conf;
	struct conf_allow *a;

	if (!need(p, "from"))
		return false;
	do {
		if (c->allows == ALLOWS_MAX)
			return wrong(p, "too many networks, at most 1024",
			    NULL);
		a = append(p, &c->allow, &c->allows, sizeof(*a));
		if (a == NULL || !network(p, a))
			return false;
		if (p->token.kind == OTHER && p->token.byte == ',') {
			advance(p);
			if (is_end(p))
				return expected(p, "ADDRESS[/BITS]");
		}
	} while (!is_end(p));
	return true;
}

static bool
limit(struct parser *p)
{
	double rate, burst;

	if (!need(p, "rate") || !need_decimal(p, 0.1, LIMIT_MOST, &rate,
	    "rate must be between 0.1 and 1000000 requests per second"))
		return false;
	burst = rate * LIMIT_SECONDS;
	burst = burst < 1 ? 1 : burst > LIMIT_MOST ? LIMIT_MOST : burst;
	p->conf->limit_rate = rate;
	p->conf->limit_burst = (int)burst;
	if (is_end(p))
		return true;
	if (!take(p, "burst"))
		return expected(p, "burst or end of line");
	return need_number(p, 1, LIMIT_MOST, &p->conf->limit_burst,
	    "burst must be between 1 and 1000000 requests") && need_end(p);
}

static bool
ready(struct parser *p)
{
	return need(p, "within") && need_decimal(p, 1e-6, 86400,
	    &p->conf->ready_within,
	    "ready within must be between 0.000001 and 86400 seconds") &&
	    need_end(p);
}

static bool
driftfile(struct parser *p)
{
	return need_path(p, &p->conf->driftfile);
}

static bool
cafile(struct parser *p)
{
	p->conf->cafile_line = p->token.place.line;
	return need_path(p, &p->conf->cafile);
}

static bool
statement(struct parser *p)
{
	static const struct {
		const char *word;
		bool slashes;
		bool (*parse)(struct parser *);
	} table[] = {
		{ "server", false, server_one },
		{ "servers", false, server_pool },
		{ "constraint", false, constraint_one },
		{ "constraints", false, constraint_pool },
		{ "listen", false, listen_on },
		{ "query", false, query_from },
		{ "sensor", false, sensor },
		{ "driftfile", true, driftfile },
		{ "cafile", true, cafile },
		{ "allow", true, allow_from },
		{ "limit", false, limit },
		{ "metrics", false, metrics_on },
		{ "ready", false, ready }
	};
	size_t i;

	p->slashes = false;
	advance(p);
	if (is_end(p))
		return true;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (p->token.kind != WORD ||
		    strcmp(p->token.text, table[i].word) != 0)
			continue;
		p->slashes = table[i].slashes;
		advance(p);
		return table[i].parse(p);
	}
	return expected(p, "server, servers, constraint, constraints, listen, "
	    "query, sensor, driftfile, cafile, allow, limit, metrics or "
	    "ready");
}

/* ------------------------------------------------------------------ public */

bool
config_parse(const char *text, size_t size, struct conf *conf,
    struct conf_messages *messages)
{
	struct parser p;
	struct text none = { 0 };

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

	while (p.here.at != p.end && !p.stop)
		if (!statement(&p))
			skip_line(&p);

	if (messages->errors == 0 && conf->servers == 0) {
		p.token.place.line = p.token.place.column = 1;
		add(&none, "no servers configured");
		say(&p, true, &none);
	}
	return messages->errors == 0;
}

void
config_free(struct conf *conf)
{
	int i;

	for (i = 0; i < conf->servers; i++)
		free(conf->server[i].name);
	for (i = 0; i < conf->sensors; i++)
		free(conf->sensor[i].device);
	for (i = 0; i < conf->constraints; i++) {
		free(conf->constraint[i].host);
		free(conf->constraint[i].path);
	}
	for (i = 0; i < conf->listens; i++)
		free(conf->listen[i].name);
	for (i = 0; i < conf->metricses; i++)
		free(conf->metrics[i].name);
	free(conf->server);
	free(conf->sensor);
	free(conf->constraint);
	free(conf->listen);
	free(conf->metrics);
	free(conf->allow);
	free(conf->driftfile);
	free(conf->cafile);
	memset(conf, 0, sizeof(*conf));
}

void
config_free_messages(struct conf_messages *messages)
{
	int i;

	for (i = 0; i < messages->count; i++)
		free(messages->message[i].text);
	free(messages->message);
	memset(messages, 0, sizeof(*messages));
}
