/*
 * text.h - words and numbers written into a buffer.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Text is written as far as it fits, without a final NUL, and counted in any
 * case: used may become larger than size. */
struct text {
	char *out;
	size_t size, used;
};

void text_bytes(struct text *, const char *bytes, size_t n);
void text_put(struct text *, const char *);
void text_char(struct text *, char);

/* Text from outside.  What is no printable ASCII becomes '?'. */
void text_clean(struct text *, const char *);

/* The same in quotes, fit for JSON and for labels of metrics: they escape
 * quotes and backslashes alike. */
void text_quoted(struct text *, const char *);

/* Decimal numbers; blanks come before what is shorter than width. */
void text_count(struct text *, uint64_t, int width);
void text_int(struct text *, int64_t);

/* As printf's "%width.decimalsf", with at most 15 decimals.  The number is
 * finite. If it is 2^64 or more, it is written as 2^64 - 1. */
void text_real(struct text *, double, int decimals, int width);

/* A number for machines: without zeros at the end of its decimals. */
void text_value(struct text *, double, int decimals);

/* Nanoseconds as seconds with nine decimals; 0 if negative. */
void text_time(struct text *, int64_t ns);

#endif
