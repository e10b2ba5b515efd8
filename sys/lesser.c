/*
 * lesser.c - smaller stand-ins for functions of musl, in the static program.
 *
 * The linker takes these before it looks into libc.a.  musl's functions serve
 * everybody, and so they are large: printf(3) knows wide characters and long
 * doubles, exp() and log() have tables for the last bit, locks are for threads.
 * Those here do what this program and the rest of libc.a ask for, in a tenth of
 * the 28 KB.  Above each stands what it leaves out.  tests/sys/lesser.c
 * compares them with the C library of the machine.
 *
 * This file is compiled with -fno-builtin.  Otherwise the compiler would make
 * of a function a call of that function itself.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	DECIMALS_MOST = 22, /* four words of a fraction are exact so far */
	NUMBER_MOST = 20,   /* digits of 2^64 */
	LINE_MOST = 2048,   /* bytes of one printf() */
	GROWTH = 65536 /* bytes: the heap grows by so many, and whatever is as
			* large gets pages of its own, which can be returned */
};

/* -------------------------------------------------------------- formatting */

/* Where the text goes, and the values that are still to be printed. */
struct out {
	char *at;
	size_t room, size; /* size: of the whole text, also if it has no room */
	va_list values;
};

/* What stands between % and the conversion. */
struct form {
	bool zeros;
	int longs, width, digits; /* digits: -1 if there are none */
};

static void
put(struct out *o, const char *bytes, size_t n)
{
	for (; n > 0; n--, o->size++, bytes++)
		if (o->size < o->room)
			o->at[o->size] = *bytes;
}

static void
put_padded(struct out *o, const struct form *f, bool minus, const char *bytes,
    size_t n)
{
	int fill = f->width - (int)n - minus;

	for (; !f->zeros && fill > 0; fill--)
		put(o, " ", 1);
	put(o, "-", minus ? 1 : 0);
	for (; fill > 0; fill--)
		put(o, "0", 1);
	put(o, bytes, n);
}

static const char hex_digits[] = "0123456789abcdef";

/* Write the digits in front of "end"; returns where they begin. */
static char *
digits_of(uint64_t value, unsigned base, char *end)
{
	do
		*--end = hex_digits[value % base];
	while ((value /= base) > 0);
	return end;
}

/* Write the first n decimals of a fraction; true if the rest is to be rounded
 * up.  Halves are rounded to even.  If n is 0, "odd" says what the digit before
 * is. */
static bool
decimals_of(double fraction, char *at, int n, bool odd)
{
	uint32_t word[4], rest;
	uint64_t v;

	/* 128 bits hold all bits of a double that 22 decimals can show. */
	for (int i = 0; i < 4; i++) {
		fraction *= 0x1p32;
		word[i] = (uint32_t)fraction;
		fraction -= word[i];
	}
	for (; n > 0; n--) {
		v = 0;
		for (int i = 3; i >= 0; i--) {
			v += word[i] * (uint64_t)10;
			word[i] = (uint32_t)v;
			v >>= 32;
		}
		*at++ = (char)('0' + v);
		odd = v & 1;
	}
	rest = (word[0] & 0x7fffffff) | word[1] | word[2] | word[3];
	return word[0] >> 31 != 0 && (rest != 0 || odd);
}

/* The result is rounded exactly.  From 2^64 on a number is "inf". */
static void
put_float(struct out *o, struct form *f, double value)
{
	char text[NUMBER_MOST + 1 + DECIMALS_MOST], *end = text + NUMBER_MOST;
	double size = fabs(value);
	uint64_t whole;
	int n = f->digits;
	char *at;
	bool up;

	if (!(size < 0x1p64)) {
		f->zeros = false;
		put_padded(o, f, signbit(value) != 0,
		    isnan(value) ? "nan" : "inf", 3);
		return;
	}
	n = n < 0 ? 6 : n > DECIMALS_MOST ? DECIMALS_MOST : n;
	whole = (uint64_t)size;
	if (n > 0)
		*end++ = '.';
	up = decimals_of(size - (double)whole, end, n, whole & 1);
	end += n;
	for (at = end; up && at > end - n;)
		if (*--at == '9') {
			*at = '0';
		} else {
			++*at;
			up = false;
		}
	at = digits_of(whole + up, 10, text + NUMBER_MOST);
	put_padded(o, f, signbit(value) != 0, at, (size_t)(end - at));
}

static void
put_number(struct out *o, const struct form *f, char kind)
{
	char text[NUMBER_MOST], *end = text + sizeof text, *at;
	long long value;
	bool minus;

	if (f->longs > 1)
		value = va_arg(o->values, long long);
	else if (f->longs > 0)
		value = va_arg(o->values, long);
	else
		value = va_arg(o->values, int);
	if (kind != 'd' && f->longs == 0)
		value = (unsigned)value;
	else if (kind != 'd' && f->longs == 1)
		value = (long long)(unsigned long)value;
	minus = kind == 'd' && value < 0;
	at = digits_of(minus ? 0 - (uint64_t)value : (uint64_t)value,
	    kind == 'x' ? 16 : 10, end);
	put_padded(o, f, minus, at, (size_t)(end - at));
}

/* Read digits or an asterisk; returns what follows them. */
static const char *
read_size(const char *at, struct out *o, int *size)
{
	*size = 0;
	if (*at == '*') {
		*size = va_arg(o->values, int);
		return at + 1;
	}
	while (*at >= '0' && *at <= '9')
		*size = *size * 10 + (*at++ - '0');
	return at;
}

/* Print the value of the conversion that stands behind a %.  Returns what
 * follows it, or NULL if it is unknown. */
static const char *
put_value(const char *at, struct out *o)
{
	struct form f = { .zeros = *at == '0', .digits = -1 };
	const char *text;
	char c;

	at = read_size(at, o, &f.width);
	if (*at == '.')
		at = read_size(at + 1, o, &f.digits);
	for (; *at == 'l' || *at == 'z'; at++) /* a size_t is as a long */
		f.longs++;
	switch (*at) {
	case '%': put(o, at, 1); break;
	case 'c':
		c = (char)va_arg(o->values, int);
		put_padded(o, &f, false, &c, 1);
		break;
	case 's':
		text = va_arg(o->values, const char *);
		if (text == NULL) /* our own mistake must not end the program */
			text = "(null)";
		put_padded(o, &f, false, text,
		    f.digits < 0 ? strlen(text) :
				   strnlen(text, (size_t)f.digits));
		break;
	case 'd':
	case 'u':
	case 'x': put_number(o, &f, *at); break;
	case 'f': put_float(o, &f, va_arg(o->values, double)); break;
	default: return NULL;
	}
	return at + 1;
}

/* Knows %c %d %f %s %u %x %%, with zeros, width, precision, l, ll and z.  From
 * another conversion on, the format is printed as it stands. */
int
vsnprintf(char *restrict at, size_t room, const char *restrict format,
    va_list values)
{
	struct out o = { .at = at, .room = room };
	const char *rest = format;

	va_copy(o.values, values);
	while (rest != NULL && *format != '\0') {
		if (*format == '%')
			rest = put_value(format + 1, &o);
		else
			put(&o, rest++, 1);
		format = rest != NULL ? rest : format;
	}
	put(&o, format, strlen(format)); /* it is empty if all was known */
	va_end(o.values);
	if (room > 0)
		at[o.size < room ? o.size : room - 1] = '\0';
	return (int)o.size;
}

/* A text longer than LINE_MOST is cut. */
int
vfprintf(FILE *restrict to, const char *restrict format, va_list values)
{
	char line[LINE_MOST];
	int n = vsnprintf(line, sizeof line, format, values);
	size_t size = n < LINE_MOST ? (size_t)n : LINE_MOST - 1;

	return fwrite(line, 1, size, to) == size ? n : -1;
}

/* -------------------------------------------------------------- mathematics */

/* Both are right to some units in the last place, where musl's are right to
 * half a unit.  A result that would be subnormal is 0. */
double
exp(double x)
{
	return x < 0 ? 1 / (expm1(-x) + 1) : expm1(x) + 1;
}

double
log(double x)
{
	int exponent = 0;

	if (x < 0)
		return NAN;
	if (x > 0 && x < INFINITY)
		x = frexp(x, &exponent);
	if (x < M_SQRT1_2) { /* near 1, where log1p() is at its best */
		x *= 2;
		exponent--;
	}
	return exponent * M_LN2 + log1p(x - 1);
}

/* For numbers whose squares are numbers. */
double
hypot(double x, double y)
{
	return sqrt(x * x + y * y);
}

/* Right to 1e-11 of the result: a series near 0 (DLMF 7.6.2), and elsewhere a
 * continued fraction (DLMF 7.9.1).  From 27 on, it is 0. */
double
erfc(double x)
{
	double size = fabs(x), square = x * x, term = 1, sum = 0, tail = 0;

	if (size < 2.5) {
		for (int n = 1; n < 80; n++) {
			sum += term;
			term *= 2 * square / (2 * n + 1);
		}
		return 1 - M_2_SQRTPI * x * exp(-square) * sum;
	}
	for (int n = 60; n > 0; n--)
		tail = n / (2 * (size + tail));
	sum = M_2_SQRTPI / 2 * exp(-square) / (size + tail);
	return x < 0 ? 2 - sum : sum;
}

/* ------------------------------------------------------------ memory and text */

/* What stands in front of memory that was asked for.  Free pieces are a list in
 * the order of their addresses; "next" of a used one is not read. */
struct piece {
	size_t size; /* bytes, with this header: a multiple of its size */
	struct piece *next;
} __attribute__((aligned(16)));

static struct piece *heap;

/* Put a piece among the free ones, and join it with its neighbours.  The
 * program ends if a part of it is free already. */
static void
put_piece(struct piece *p)
{
	struct piece *before = NULL, *after = heap;

	for (; after != NULL && after < p; after = after->next)
		before = after;
	if ((before != NULL && (char *)before + before->size > (char *)p) ||
	    (after != NULL && (char *)p + p->size > (char *)after))
		abort();
	p->next = after;
	if (before == NULL)
		heap = p;
	else if ((char *)before + before->size == (char *)p) {
		before->size += p->size;
		before->next = after;
		p = before;
	} else
		before->next = p;
	if ((char *)p + p->size == (char *)after) {
		p->size += after->size;
		p->next = after->next;
	}
}

/* There is little memory to give, and little of it is given back, so that the
 * first piece that is large enough will do. */
void *
malloc(size_t size)
{
	struct piece **at = &heap, *p;

	if (size > PTRDIFF_MAX - GROWTH) {
		errno = ENOMEM;
		return NULL;
	}
	size = (size + 2 * sizeof *p - 1) / sizeof *p * sizeof *p;
	while (size < GROWTH && *at != NULL && (*at)->size < size)
		at = &(*at)->next;
	if (size >= GROWTH || *at == NULL) {
		p = mmap(NULL, size < GROWTH ? GROWTH : size,
		    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return NULL;
		p->size = size;
		if (size >= GROWTH)
			return p + 1;
		p->size = GROWTH;
		put_piece(p);
		return malloc(size - sizeof *p);
	}
	p = *at;
	if (p->size == size)
		*at = p->next;
	else { /* the end of it is taken, so that its place in the list stays */
		p->size -= size;
		p = (struct piece *)(void *)((char *)p + p->size);
		p->size = size;
	}
	return p + 1;
}

void
free(void *at)
{
	struct piece *p;

	if (at == NULL)
		return;
	p = (struct piece *)at - 1;
	if (p->size < GROWTH)
		put_piece(p);
	else
		(void)munmap(p, p->size);
}

/* Only what is not zero is written: untouched pages cost no memory. */
void *
calloc(size_t count, size_t size)
{
	size_t all = size > 0 && count > SIZE_MAX / size ? SIZE_MAX :
							  count * size;
	char *at = malloc(all);

	for (size_t i = 0; at != NULL && i < all; i++)
		if (at[i] != 0)
			at[i] = 0;
	return at;
}

void *
realloc(void *at, size_t size)
{
	const struct piece *p;
	char *new = malloc(size);

	if (at == NULL || new == NULL)
		return new;
	p = (const struct piece *)at - 1;
	if (size > p->size - sizeof *p)
		size = p->size - sizeof *p;
	memcpy(new, at, size);
	free(at);
	return new;
}

/* Shell's sort. */
void
qsort(void *base, size_t count, size_t size,
    int (*order)(const void *, const void *))
{
	char *row = base, *a, *b, byte;

	for (size_t gap = count / 2; gap > 0; gap /= 2)
		for (size_t i = gap; i < count; i++)
			for (size_t k = i; k >= gap; k -= gap) {
				b = row + k * size;
				a = b - gap * size;
				if (order(a, b) <= 0)
					break;
				for (size_t n = 0; n < size; n++) {
					byte = a[n];
					a[n] = b[n];
					b[n] = byte;
				}
			}
}

char *
strstr(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (; strncmp(text, word, n) != 0; text++)
		if (*text == '\0')
			return NULL;
	return (char *)(uintptr_t)text;
}

/* The value of a hexadecimal digit; 16: it is none. */
static unsigned
digit_of(char c)
{
	const char *at = strchr(hex_digits, c | (c >= 'A' ? 32 : 0));

	return c == '\0' || at == NULL ? 16 : (unsigned)(at - hex_digits);
}

/* Knows the bases 8, 10 and 16.  With base 0 the beginning of the digits tells
 * it. */
unsigned long
strtoul(const char *restrict text, char **restrict end, int base)
{
	const char *at = text + strspn(text, " \t\n\v\f\r");
	unsigned long value = 0, digit;
	bool minus = *at == '-', any = false, large = false;
	unsigned radix;

	if (minus || *at == '+')
		at++;
	if ((base == 0 || base == 16) && at[0] == '0' && (at[1] | 32) == 'x' &&
	    digit_of(at[2]) < 16) {
		base = 16;
		at += 2;
	}
	radix = base != 0 ? (unsigned)base : *at == '0' ? 8 : 10;
	for (; (digit = digit_of(*at)) < radix; at++) {
		any = true;
		large = large || value > (ULONG_MAX - digit) / radix;
		value = value * radix + digit;
	}
	if (end != NULL)
		*end = (char *)(uintptr_t)(any ? at : text);
	if (large) {
		errno = ERANGE;
		return ULONG_MAX;
	}
	return minus ? -value : value;
}

/* ----------------------------------------------------------------- options */

int optind = 1, opterr, optopt;
char *optarg;

/* Says nothing itself, knows only options of one byte, and stops at the first
 * word that is none. */
int
getopt(int count, char *const word[], const char *options)
{
	static int at = 1; /* the next byte in its word */
	const char *known;
	char *now;

	if (optind >= count || word[optind][0] != '-' ||
	    word[optind][1] == '\0')
		return -1;
	now = word[optind];
	if (strcmp(now, "--") == 0) {
		optind++;
		return -1;
	}
	optopt = (unsigned char)now[at++];
	known = optopt == ':' ? NULL : strchr(options, optopt);
	optarg = NULL;
	if (now[at] == '\0' || (known != NULL && known[1] == ':')) {
		optarg = now + at;
		at = 1;
		optind++;
	}
	if (known == NULL)
		return '?';
	if (known[1] == ':' && *optarg == '\0') {
		if (optind == count)
			return ':';
		optarg = word[optind++];
	}
	return optopt;
}

/* ----------------------------------------------------------------- processes */

/* There is one thread, so that fork(2) has no locks to care for, and
 * setrlimit(2) no other threads. */
pid_t
fork(void)
{
	return _Fork();
}

int
setrlimit(int which, const struct rlimit *limit)
{
	return prlimit(0, which, limit, NULL);
}
