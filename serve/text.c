/*
 * text.c - words and numbers written into a buffer.
 *
 * What does not fit is still counted, so that the size of a text can be known
 * before there is memory for it.
 */
#include "serve/text.h"
#include "core/instant.h"

#include <math.h>
#include <string.h>

enum {
	DIGITS_MAX = 20,		     /* of 2^64 */
	NUMBER_MAX = 1 + DIGITS_MAX + 1 + 15 /* sign, point, decimals */
};

void
text_bytes(struct text *t, const char *bytes, size_t n)
{
	if (t->used < t->size)
		memcpy(t->out + t->used, bytes,
		    n < t->size - t->used ? n : t->size - t->used);
	t->used += n;
}

void
text_put(struct text *t, const char *s)
{
	text_bytes(t, s, strlen(s));
}

void
text_char(struct text *t, char c)
{
	text_bytes(t, &c, 1);
}

void
text_clean(struct text *t, const char *s)
{
	for (; *s != '\0'; s++)
		text_char(t, *s >= ' ' && *s < 0x7f ? *s : '?');
}

void
text_quoted(struct text *t, const char *s)
{
	text_char(t, '"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			text_char(t, '\\');
		text_char(t, *s >= ' ' && *s < 0x7f ? *s : '?');
	}
	text_char(t, '"');
}

/* Blanks up to the width that a text of n characters lacks. */
static void
pad(struct text *t, int width, size_t n)
{
	while (width-- > (int)n)
		text_char(t, ' ');
}

/* Write the digits of v, at least n of them, so that they end at end.  Returns
 * where they begin. */
static char *
digits(char *end, uint64_t v, int n)
{
	for (; v != 0 || n > 0; v /= 10, n--)
		*--end = (char)('0' + v % 10);
	return end;
}

void
text_count(struct text *t, uint64_t v, int width)
{
	char buf[DIGITS_MAX], *at = digits(buf + sizeof buf, v, 1);
	size_t n = (size_t)(buf + sizeof buf - at);

	pad(t, width, n);
	text_bytes(t, at, n);
}

void
text_int(struct text *t, int64_t v)
{
	if (v < 0)
		text_char(t, '-');
	text_count(t, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 1);
}

void
text_real(struct text *t, double v, int decimals, int width)
{
	char buf[NUMBER_MAX], *end = buf + sizeof buf, *at = end;
	double size = fabs(v), unit = 1, part;
	uint64_t whole;

	for (int i = 0; i < decimals; i++)
		unit *= 10;
	whole = size < 0x1p64 ? (uint64_t)size : UINT64_MAX;
	part = whole < 1ULL << 53 ? rint((size - (double)whole) * unit) : 0;
	if (part >= unit) {
		part = 0;
		whole++;
	}
	if (decimals > 0) {
		at = digits(at, (uint64_t)part, decimals);
		*--at = '.';
	}
	at = digits(at, whole, 1);
	if (signbit(v))
		*--at = '-';
	pad(t, width, (size_t)(end - at));
	text_bytes(t, at, (size_t)(end - at));
}

void
text_value(struct text *t, double v, int decimals)
{
	char buf[NUMBER_MAX];
	struct text number = { buf, sizeof buf, 0 };

	text_real(&number, v, decimals, 0);
	while (buf[number.used - 1] == '0')
		number.used--;
	if (buf[number.used - 1] == '.')
		number.used--;
	if (number.used == 2 && buf[0] == '-' && buf[1] == '0')
		text_char(t, '0'); /* a small number was rounded to -0 */
	else
		text_bytes(t, buf, number.used);
}

void
text_time(struct text *t, int64_t ns)
{
	char buf[DIGITS_MAX];
	uint64_t n = ns > 0 ? (uint64_t)ns : 0;

	text_count(t, n / NS_PER_S, 1);
	text_char(t, '.');
	text_bytes(t, digits(buf + sizeof buf, n % NS_PER_S, 9), 9);
}
