/*
 * hasten.c - a library to preload: time passes HASTEN times as fast for a
 * dynamic program, which so goes through hours in a minute or two.
 *
 * Its clocks run faster from the moment it starts, its waits are as much
 * shorter.  For what does not measure time against others: states in which
 * nobody says what time it is.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { CLOCKS = 16 };

static double factor = 1;
static int64_t base[CLOCKS];

static int64_t
now(clockid_t id)
{
	struct timespec t;

	if (syscall(SYS_clock_gettime, id, &t) < 0)
		return -1;
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

__attribute__((constructor)) static void
begin(void)
{
	const char *wanted = getenv("HASTEN");
	int i;

	if (wanted != NULL)
		factor = atof(wanted);
	for (i = 0; i < CLOCKS; i++)
		base[i] = now(i);
}

int
clock_gettime(clockid_t id, struct timespec *t)
{
	int64_t ns = now(id);

	if (ns < 0)
		return -1;
	if (id >= 0 && id < CLOCKS)
		ns = base[id] + (int64_t)((double)(ns - base[id]) * factor);
	t->tv_sec = ns / 1000000000;
	t->tv_nsec = ns % 1000000000;
	return 0;
}

int
poll(struct pollfd *p, nfds_t n, int ms)
{
	int64_t ns = (int64_t)(ms * 1e6 / factor);
	struct timespec t = { ns / 1000000000, ns % 1000000000 };

	return ppoll(p, n, ms < 0 ? NULL : &t, NULL);
}
