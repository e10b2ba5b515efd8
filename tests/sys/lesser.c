/*
 * lesser.c - the stand-ins for functions of libc against the machine's own.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

/* They are compiled into the test under names of their own. */
extern int lesser_optind, lesser_opterr, lesser_optopt;
extern char *lesser_optarg;
int lesser_getopt(int, char *const[], const char *);
double lesser_hypot(double, double);
double lesser_erfc(double);
void *lesser_malloc(size_t);
void lesser_free(void *);
void *lesser_calloc(size_t, size_t);
void *lesser_realloc(void *, size_t);
int lesser_vsnprintf(char *restrict, size_t, const char *restrict, va_list);
int lesser_vfprintf(FILE *restrict, const char *restrict, va_list);
double lesser_exp(double);
double lesser_log(double);
void lesser_qsort(void *, size_t, size_t, int (*)(const void *, const void *));
char *lesser_strstr(const char *, const char *);
unsigned long lesser_strtoul(const char *restrict, char **restrict, int);
pid_t lesser_fork(void);
int lesser_setrlimit(int, const struct rlimit *);

#define optind lesser_optind
#define opterr lesser_opterr
#define optopt lesser_optopt
#define optarg lesser_optarg
#define getopt lesser_getopt
#define hypot lesser_hypot
#define erfc lesser_erfc
#define malloc lesser_malloc
#define free lesser_free
#define calloc lesser_calloc
#define realloc lesser_realloc
#define vsnprintf lesser_vsnprintf
#define vfprintf lesser_vfprintf
#define exp lesser_exp
#define log lesser_log
#define qsort lesser_qsort
#define strstr lesser_strstr
#define strtoul lesser_strtoul
#define fork lesser_fork
#define setrlimit lesser_setrlimit
#include "sys/lesser.c"
#undef optind
#undef opterr
#undef optopt
#undef optarg
#undef getopt
#undef hypot
#undef erfc
#undef malloc
#undef free
#undef calloc
#undef realloc
#undef vsnprintf
#undef vfprintf
#undef exp
#undef log
#undef qsort
#undef strstr
#undef strtoul
#undef fork
#undef setrlimit

/* The numbers are the same every time. */
static uint64_t
chance(void)
{
	static uint64_t state = 1;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Of all sizes. */
static double
some_number(void)
{
	double x = (double)(chance() >> 11) * 0x1p-53;

	return ldexp(chance() & 1 ? -x : x, (int)(chance() % 130) - 66);
}

__attribute__((format(printf, 1, 2))) static void
same(const char *format, ...)
{
	char ours[256], theirs[256];
	va_list ap;
	int n, m;

	for (size_t room = 0; room <= sizeof ours;
	     room += room < 12 ? 1 : sizeof ours - 12) {
		memset(ours, 'x', sizeof ours);
		memset(theirs, 'x', sizeof theirs);
		va_start(ap, format);
		n = lesser_vsnprintf(ours, room, format, ap);
		va_end(ap);
		va_start(ap, format);
		m = vsnprintf(theirs, room, format, ap);
		va_end(ap);
		assert_int_equal(n, m);
		assert_memory_equal(ours, theirs, sizeof ours);
	}
}

static void
test_formats_words_as_libc(void **state)
{
	const char *volatile nothing = NULL;

	(void)state;
	same("%s", "");
	same("a %s b", nothing);
	same("a %s, 100%% of %s", "b", "c");
	same("%.3s|%.0s|%.*s|%5s|%2s", "Monday", "x", 2, "abc", "ab", "long");
	same("%c%c", 'a', '\n');
}

static void
test_formats_integers_as_libc(void **state)
{
	static const long long n[] = { 0, 1, -1, 9, 10, 99, -100, INT_MAX,
		INT_MIN, UINT_MAX, LLONG_MAX, LLONG_MIN };

	(void)state;
	for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
		same("%d %u %x", (int)n[i], (unsigned)n[i], (unsigned)n[i]);
		same("%02d %2d %04d %02x %*d", (int)n[i], (int)n[i], (int)n[i],
		    (unsigned)n[i], 7, (int)n[i]);
		same("%ld %lu %zu %lx", (long)n[i], (unsigned long)n[i],
		    (size_t)n[i], (unsigned long)n[i]);
		same("%lld %llu %04lld", n[i], (unsigned long long)n[i], n[i]);
	}
}

static void
test_formats_floats_as_libc(void **state)
{
	static const double n[] = { 0, -0., 0.5, 1.5, 2.5, -0.5, 0.25, 0.75,
		0.125, 0.375, 9.5, 99.5, 0.9999995, 0.99999949999, 999999.9999999,
		0x1p-1074, 1e-300, 5e-7, 0.0000005, 4.9999999e-7, 1e15, 0x1p53,
		0x1.fffffffffffffp63, 123456.7890125, INFINITY, -INFINITY, NAN };
	double x;

	(void)state;
	for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
		x = n[i];
		same("%f %.0f %.1f %.2f %.3f %.22f %9.3f %09.3f", x, x, x, x, x,
		    x, x, x);
	}
	for (int i = 0; i < 20000; i++) {
		x = some_number();
		if (fabs(x) < 0x1p64)
			same("%f %.*f", x, (int)(chance() % 23), x);
		/* many of which lie just between two decimals */
		x = (double)(int)(chance() % 200001 - 100000) / 64;
		same("%.0f %.1f %.2f %.3f %f", x, x, x, x, x);
	}
}

static int
print(const char *format, ...)
{
	char text[64];
	va_list ap;
	int n;

	va_start(ap, format);
	n = lesser_vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	assert_string_equal(text, "1 %g %d\n");
	return n;
}

static void
test_prints_unknown_conversions_as_they_stand(void **state)
{
	(void)state;
	assert_int_equal(print("%d %g %d\n", 1, 2.0, 3), 8);
}

static void
print_to(FILE *to, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	assert_true(lesser_vfprintf(to, format, ap) >= 0);
	va_end(ap);
}

static void
test_prints_to_a_stream(void **state)
{
	char text[2 * LINE_MOST] = "";
	FILE *to = fmemopen(text, sizeof text, "w");

	(void)state;
	assert_non_null(to);
	print_to(to, "%s %d\n", "line", 1);
	print_to(to, "%*s", LINE_MOST, "cut");
	assert_int_equal(fclose(to), 0);
	assert_memory_equal(text, "line 1\n   ", 10);
	assert_int_equal(strlen(text), 7 + LINE_MOST - 1);
}

/* They differ by at most four units in the last place. */
static void
near(double ours, double theirs)
{
	if (isnan(theirs))
		assert_true(isnan(ours));
	else if (isinf(theirs))
		assert_true(ours == theirs);
	else
		assert_true(
		    fabs(ours - theirs) <= 4 * 0x1p-52 * fabs(theirs) + 1e-307);
}

static void
test_computes_as_libc(void **state)
{
	static const double n[] = { 0, -0., 1, -1, INFINITY, -INFINITY, NAN,
		0x1p-1074, 0x1p-1022, 0x1.fffffffffffffp1023, 709.78, 710, -708,
		-745, -800, 0.70710678118654752, 0.7071067811865476, 0.5,
		1 + 0x1p-52, 1 - 0x1p-53 };
	double x;

	(void)state;
	for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
		near(lesser_exp(n[i]), exp(n[i]));
		near(lesser_log(n[i]), log(n[i]));
	}
	for (int i = 0; i < 100000; i++) {
		x = some_number();
		near(lesser_exp(x), exp(x));
		near(lesser_log(x), log(x));
		near(lesser_log(1 + x * 0x1p-64), log(1 + x * 0x1p-64));
		near(lesser_exp(x * 0x1p-56), exp(x * 0x1p-56));
	}
}

static void
test_computes_probabilities_and_lengths(void **state)
{
	(void)state;
	for (int i = -40000; i <= 40000; i++) {
		double x = i / 1000., theirs = erfc(x);

		assert_true(fabs(lesser_erfc(x) - theirs) <=
		    1e-11 * theirs + 1e-300);
	}
	assert_true(lesser_erfc(INFINITY) == 0 && lesser_erfc(-INFINITY) == 2);
	assert_true(isnan(lesser_erfc(NAN)));
	for (int i = 0; i < 10000; i++) {
		double x = some_number(), y = some_number();

		near(lesser_hypot(x, y), hypot(x, y));
	}
}

/* Both read the same words; glibc needs the plus to stop at the first other
 * word. */
static void
test_reads_options_as_libc(void **state)
{
	static char *lines[][8] = {
		{ "x" }, { "x", "-d" }, { "x", "-dS", "-f", "file", "more" },
		{ "x", "-dffile", "-S" }, { "x", "-f" }, { "x", "-df" },
		{ "x", "-S", "--", "-d" }, { "x", "-", "-d" },
		{ "x", "word", "-d" }, { "x", "-q", "-dqS", "-d" },
		{ "x", "-:", "-d:" }, { "x", "-f", "-d", "-S" },
		{ "x", "-f", "", "-S" }, { "x", "-d-" }, { "x", "" },
		{ "x", "-f", "--", "--" } };

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		int count = 0, ours, theirs;

		while (lines[i][count] != NULL)
			count++;
		optind = 0; /* glibc begins anew */
		lesser_optind = 1;
		do {
			theirs = getopt(count, lines[i], "+:dSf:");
			ours = lesser_getopt(count, lines[i], ":dSf:");
			assert_int_equal(ours, theirs);
			if (ours == '?' || ours == ':')
				assert_int_equal(lesser_optopt, optopt);
			if (ours == 'f')
				assert_ptr_equal(lesser_optarg, optarg);
		} while (ours != -1);
		assert_int_equal(lesser_optind, optind);
	}
}

enum { SHELF = 200 };

/* What a random walk has in its hands; every byte of one is the same. */
static struct {
	uint8_t *at, byte;
	size_t size;
} shelf[SHELF];

/* Takes, grows and returns memory.  All sizes occur, small ones more often. */
static void
walk(int steps)
{
	for (int i = 0; i < steps; i++) {
		size_t k = chance() % SHELF;
		size_t size = chance() % (1u << chance() % 19);
		uint8_t *old = shelf[k].at, *new;

		for (size_t n = 0; old != NULL && n < shelf[k].size; n++)
			assert_int_equal(old[n], shelf[k].byte);
		if (old != NULL && chance() % 2 == 0) {
			lesser_free(old);
			shelf[k].at = NULL;
			continue;
		}
		if (old == NULL && chance() % 2 == 0) {
			new = lesser_calloc(size / 8, 8);
			for (size_t n = 0; n < size / 8 * 8; n++)
				assert_int_equal(new[n], 0);
		} else {
			new = lesser_realloc(old, size);
			for (size_t n = 0; old != NULL && n < size &&
			     n < shelf[k].size; n++)
				assert_int_equal(new[n], shelf[k].byte);
		}
		assert_non_null(new);
		assert_int_equal((uintptr_t)new % 16, 0);
		shelf[k].at = new;
		shelf[k].size = size / 8 * 8;
		shelf[k].byte = (uint8_t)chance();
		memset(new, shelf[k].byte, shelf[k].size);
	}
}

/* The bytes of all free pieces. */
static size_t
free_bytes(void)
{
	size_t sum = 0;

	for (const struct piece *p = heap; p != NULL; p = p->next) {
		assert_true(p->next == NULL ||
		    (const char *)p + p->size < (const char *)p->next);
		sum += p->size;
	}
	return sum;
}

static void
test_memory_is_given_and_taken_back(void **state)
{
	size_t all = 0;

	(void)state;
	for (int i = 0; i < 20; i++) {
		walk(2000);
		for (size_t k = 0; k < SHELF; k++) {
			lesser_free(shelf[k].at);
			shelf[k].at = NULL;
		}
		/* No byte is lost, and the heap is as large as its most. */
		assert_true(free_bytes() % GROWTH == 0);
		assert_true(i < 10 || free_bytes() <= all + 4 * GROWTH);
		all = i < 10 ? free_bytes() : all;
	}
}

static void
test_too_much_memory_is_refused(void **state)
{
	volatile size_t much = SIZE_MAX;

	(void)state;
	for (int i = 0; i < 4; i++, much /= 2) {
		errno = 0;
		assert_null(lesser_malloc(much));
		assert_int_equal(errno, ENOMEM);
	}
	assert_null(lesser_calloc(SIZE_MAX / 2, 3));
	lesser_free(NULL);
}

static void
test_memory_returned_twice_ends_the_program(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		void *at = lesser_malloc(100);

		lesser_free(at);
		lesser_free(at);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
test_sorts(void **state)
{
	double ours[300], theirs[300];

	(void)state;
	for (size_t n = 0; n <= 300; n++) {
		for (size_t i = 0; i < n; i++)
			ours[i] = theirs[i] = (double)(chance() % 100);
		lesser_qsort(ours, n, sizeof *ours, by_size);
		qsort(theirs, n, sizeof *theirs, by_size);
		assert_memory_equal(ours, theirs, n * sizeof *ours);
	}
}

static void
test_finds_words_as_libc(void **state)
{
	static const char *const text[] = { "", "a", "ab", "aab", "aaab",
		"abab", "x\r\n\r\ny", "\r\n\r" };

	(void)state;
	for (size_t i = 0; i < sizeof text / sizeof *text; i++)
		for (size_t k = 0; k < sizeof text / sizeof *text; k++)
			assert_ptr_equal(lesser_strstr(text[i], text[k]),
			    strstr(text[i], text[k]));
}

static void
test_reads_numbers_as_libc(void **state)
{
	static const char *const text[] = { "", "0", "12 34", " \t\n7x", "+5",
		"-5", "- 5", "+", "-", "x", "0x10", "0XfFg", "0x", "0xg",
		"0", "08", "007", "a", "\xe1", "18446744073709551615",
		"18446744073709551616",
		"-18446744073709551616",
		"99999999999999999999999", "4294967295", "4294967296" };
	static const int bases[] = { 0, 8, 10, 16 };
	char *end, *their_end;
	unsigned long n, theirs;
	int error, base;

	(void)state;
	for (size_t i = 0; i < 4 * sizeof text / sizeof *text; i++) {
		const char *t = text[i / 4];

		base = bases[i % 4];
		errno = 0;
		n = lesser_strtoul(t, &end, base);
		error = errno;
		errno = 0;
		theirs = strtoul(t, &their_end, base);
		assert_true(n == theirs);
		assert_ptr_equal(end, their_end);
		assert_int_equal(error == ERANGE, errno == ERANGE);
		assert_true(lesser_strtoul(t, NULL, base) == theirs);
	}
}

static void
test_forks_and_limits(void **state)
{
	struct rlimit less = { 100, 200 }, now;
	int status;
	pid_t child;

	(void)state;
	child = lesser_fork();
	if (child == 0)
		_exit(lesser_setrlimit(RLIMIT_NOFILE, &less) == 0 &&
			    getrlimit(RLIMIT_NOFILE, &now) == 0 &&
			    now.rlim_cur == 100 && now.rlim_max == 200 ?
			7 :
			1);
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats_words_as_libc),
		cmocka_unit_test(test_formats_integers_as_libc),
		cmocka_unit_test(test_formats_floats_as_libc),
		cmocka_unit_test(test_prints_unknown_conversions_as_they_stand),
		cmocka_unit_test(test_prints_to_a_stream),
		cmocka_unit_test(test_computes_as_libc),
		cmocka_unit_test(test_computes_probabilities_and_lengths),
		cmocka_unit_test(test_reads_options_as_libc),
		cmocka_unit_test(test_memory_is_given_and_taken_back),
		cmocka_unit_test(test_too_much_memory_is_refused),
		cmocka_unit_test(test_memory_returned_twice_ends_the_program),
		cmocka_unit_test(test_sorts),
		cmocka_unit_test(test_finds_words_as_libc),
		cmocka_unit_test(test_reads_numbers_as_libc),
		cmocka_unit_test(test_forks_and_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
