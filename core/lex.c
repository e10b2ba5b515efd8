/*
 * lex.c - the text of ntpd.conf(5) becomes tokens.
 *
 * The rules are OpenNTPD's, so that its files mean the same here.  This room
 * is kinder in three points: CRLF ends a line, the last line needs no end, and
 * a UTF-8 byte order mark at the beginning is skipped.
 *
 * The first mistake of a line is reported: OpenNTPD's words first, then what
 * was found and what would have been right.  The time spent is linear in the
 * size of the text, whatever it holds.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/lex.h"
#include "core/wipe.h"

enum {
	MESSAGES_MAX = 1000, /* then it gives up: a file of junk must not
				eat the memory of a small container */
	REWINDS_MAX = 16,    /* see lex_skip */
	HIDDEN_LEAST = 24,   /* hexadecimal digits in a row: a key has 32, and
				one with a mistake has fewer */
	TEXT_END = -1
};

/* ------------------------------------------------------------------ memory */

static void *
no_memory(struct lex *l)
{
	l->messages->errors++;
	l->kind = LEX_BAD;
	l->stop = true;
	return NULL;
}

/* The array always has room for a power of two of them. */
void *
lex_append(struct lex *l, void *array, int *count, size_t size)
{
	size_t n = (size_t)*count;
	char *base, *old;

	memcpy(&base, array, sizeof(base));
	if ((n & (n - 1)) == 0) {
		old = base;
		base = malloc((n == 0 ? 1 : 2 * n) * size);
		if (base == NULL)
			return no_memory(l);
		if (n > 0) {
			memcpy(base, old, n * size);
			secret_wipe(old, n * size); /* it may have had keys */
		}
		free(old);
		memcpy(array, &base, sizeof(base));
	}
	++*count;
	return memset(base + n * size, 0, size);
}

char *
lex_copy(struct lex *l, const char *s)
{
	size_t size = strlen(s) + 1;
	char *new = malloc(size);

	return new == NULL ? no_memory(l) : memcpy(new, s, size);
}

/* ---------------------------------------------------------------- messages */

/* Make a message fit for terminals and logs.  What is not printable ASCII
 * becomes "?".  A key may stand in the place of another word by mistake, so each
 * of its digits becomes "*". */
static void
make_safe(char *s)
{
	size_t n;

	for (; *s != '\0'; s++) {
		n = strspn(s, "0123456789abcdefABCDEF");
		if (n >= HIDDEN_LEAST)
			memset(s, '*', n);
		else if (*s < ' ' || *s > '~')
			*s = '?';
	}
}

/* Where a string before the token goes on over the end of its line, its quote
 * was probably forgotten.  Then the message names the place of that string. */
void
lex_say(struct lex *l, bool warning, const char *format, ...)
{
	struct conf_messages *all = l->messages;
	struct conf_message *m;
	bool full = all->count == MESSAGES_MAX;
	bool behind = l->quote.at != NULL && l->quote.line < l->token.line;
	char said[512];
	va_list args;

	if (warning && full)
		return;
	m = lex_append(l, &all->message, &all->count, sizeof(*m));
	if (m == NULL)
		return;
	va_start(args, format);
	(void)vsnprintf(
	    said, sizeof(said), full ? "too many errors" : format, args);
	va_end(args);
	if (behind && !full)
		strncat(said, " (behind a string over several lines)",
		    sizeof(said) - strlen(said) - 1);
	make_safe(said);
	m->line = behind ? l->quote.line : l->token.line;
	m->column = behind ? l->quote.column - 1 : l->token.column;
	m->warning = warning;
	m->text = lex_copy(l, said);
	if (m->text == NULL)
		all->count--;
	else if (!warning)
		all->errors++;
	if (!warning)
		l->kind = LEX_BAD;
	l->stop |= full;
}

void
lex_wrong(struct lex *l, const char *words, const char *expected)
{
	char found[LEX_FOUND + 10];
	unsigned char c = (unsigned char)*l->word;

	if (l->kind == LEX_BAD)
		return;
	make_safe(l->word); /* before it is cut: half a key is too much */
	if (l->kind == LEX_END)
		strcpy(found, "end of line");
	else if (l->kind == LEX_OTHER && c == '\0')
		strcpy(found, "a NUL byte");
	else if (l->kind == LEX_OTHER && (c <= ' ' || c > '~'))
		(void)snprintf(found, sizeof(found), "byte 0x%02x", c);
	else if (l->secret)
		strcpy(found, "what is not repeated here");
	else
		(void)snprintf(found, sizeof(found), "\"%.*s%s\"", LEX_FOUND,
		    l->word, strlen(l->word) > LEX_FOUND ? "..." : "");
	lex_say(l, false, "%s: found %s%s%s", words, found,
	    expected == NULL ? "" : ", expected ",
	    expected == NULL ? "" : expected);
}

void
lex_expected(struct lex *l, const char *what)
{
	lex_wrong(l, "syntax error", what);
}

void
lex_warn(struct lex *l, const char *words)
{
	l->quote.at = NULL;
	l->token.line = l->token.column = 1;
	lex_say(l, true, "%s", words);
}

/* ------------------------------------------------------------------- tokens */

bool
lex_is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(int c)
{
	return (c | 32) >= 'a' && (c | 32) <= 'z';
}

int64_t
lex_digits(const char **s, int64_t most)
{
	int64_t value = 0;

	if (!lex_is_digit(**s))
		return -1;
	for (; lex_is_digit(**s); ++*s) {
		if (value > (most - (**s - '0')) / 10)
			return -1;
		value = 10 * value + (**s - '0');
	}
	return value;
}

/* The next byte, or TEXT_END. A CR is only seen if it does not end a line. */
static int
get_raw(struct lex *l)
{
	int c;

	if (l->here.at == l->end)
		return TEXT_END;
	c = (unsigned char)*l->here.at++;
	l->here.column++;
	if (c == '\r' && (l->here.at == l->end || *l->here.at == '\n')) {
		c = '\n';
		if (l->here.at != l->end)
			l->here.at++;
	}
	if (c == '\n') {
		l->here.line++;
		l->here.column = 1;
	}
	return c;
}

/* The next byte outside of quotes, where a backslash joins lines or vanishes. */
static int
get(struct lex *l)
{
	int c;

	do {
		l->before = l->here;
		if ((c = get_raw(l)) != '\\')
			return c;
		c = get_raw(l);
	} while (c == '\n');
	return c;
}

static bool
in_word(const struct lex *l, int c)
{
	if (c == '/')
		return l->slashes;
	return c > ' ' && c <= '~' && strchr("(){}<>!=#,", c) == NULL;
}

static bool
begins_word(const struct lex *l, int c)
{
	return lex_is_digit(c) || is_letter(c) || c == ':' || c == '_' ||
	    c == '*' || c == '-' || (c == '/' && l->slashes);
}

/* Read the rest of a string in quotes. Ends of lines in it vanish. */
static void
string(struct lex *l, int quote)
{
	size_t n = 0;
	int c;

	l->quote = l->here;
	for (;;) {
		l->before = l->here;
		c = get_raw(l);
		if (c == quote) {
			l->kind = LEX_STRING;
			break;
		}
		if (c == '\0') {
			l->token = l->before;
			l->kind = LEX_OTHER;
			n = 0;
			break;
		}
		if (c == TEXT_END) {
			lex_say(l, false,
			    "reached end of file while parsing quoted string");
			return;
		}
		if (c == '\\') {
			l->before = l->here;
			c = get_raw(l);
			if (c != quote && c != ' ' && c != '\t' && c != '\n') {
				l->here = l->before;
				c = '\\';
			}
		}
		if (c == '\n')
			continue;
		if (n == LEX_WORD_SIZE - 1) {
			lex_say(l, false, "string too long");
			return;
		}
		l->word[n++] = (char)c;
	}
	l->word[n] = '\0';
}

static void
bare_word(struct lex *l, int c)
{
	const char *s = l->word;
	size_t n = 0;

	for (; in_word(l, c); c = get(l)) {
		if (n == LEX_WORD_SIZE - 1) {
			lex_say(l, false, "string too long");
			return;
		}
		l->word[n++] = (char)c;
	}
	l->here = l->before;
	l->word[n] = '\0';

	s += *s == '-';
	/* A secret may consist of digits alone. */
	if (*s == '\0' || s[strspn(s, "0123456789")] != '\0' ||
	    (l->secret && n > 10)) {
		l->kind = *l->word == '-' ? LEX_OTHER : LEX_WORD;
		return;
	}
	l->kind = LEX_NUMBER;
	l->number = lex_digits(&s, INT64_MAX);
	if (l->number < 0)
		lex_say(l, false, "\"%.*s\" invalid number: %s", LEX_FOUND,
		    l->word, *l->word == '-' ? "too small" : "too large");
	else if (*l->word == '-')
		l->number = -l->number;
}

void
lex_advance(struct lex *l)
{
	int c;

	if (l->kind == LEX_BAD)
		return;
	do
		c = get(l);
	while (c == ' ' || c == '\t');
	if (c == '#')
		do
			c = get(l);
		while (c != '\n' && c != TEXT_END && c != '\0');
	l->token = l->before;
	if (c == '\n' || c == TEXT_END) {
		l->here = l->before;
		l->kind = LEX_END;
	} else if (c == '"' || c == '\'') {
		string(l, c);
	} else if (begins_word(l, c)) {
		bare_word(l, c);
	} else {
		l->word[0] = (char)c;
		l->word[1] = '\0';
		l->kind = LEX_OTHER;
	}
}

void
lex_begin(struct lex *l, const char *text, size_t size,
    struct conf_messages *messages)
{
	memset(messages, 0, sizeof(*messages));
	*l = (struct lex){ .messages = messages,
		.here = { .at = text, .line = 1, .column = 1 },
		.end = text + size };
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		l->here.at += 3;
}

bool
lex_statement(struct lex *l)
{
	if (l->here.at == l->end || l->stop)
		return false;
	l->kind = LEX_END;
	l->slashes = false;
	l->quote.at = NULL;
	lex_advance(l);
	return true;
}

/* A string may go on over the end of a line, so a forgotten quote swallows
 * what follows.  After an error in such a statement this goes on behind the
 * line where the string began, to find the other mistakes as well.  It does
 * not do so too often, or a text could be made that is read again and again. */
void
lex_skip(struct lex *l)
{
	int c;

	if (l->kind == LEX_BAD && l->quote.at != NULL &&
	    l->quote.line != l->here.line && l->rewinds++ < REWINDS_MAX)
		l->here = l->quote;
	do
		c = get(l);
	while (c != '\n' && c != TEXT_END);
}
