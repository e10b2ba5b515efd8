/*
 * clock.c - the only room that can change time.
 *
 * Everything goes through adjtimex(2), one call for each order: step
 * (ADJ_SETOFFSET), frequency, phase (the kernel's PLL with STA_FREQHOLD, so
 * that a slew ends by itself when we die), maxerror and esterror.  One system
 * call is also what every container runtime's seccomp profile has a rule for.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "core/discipline.h"
#include "core/filter.h"
#include "core/instant.h"
#include "core/ntp.h"
#include "sys/instant.h"
#include "sys/log.h"
#include "sys/os.h"
#include "sys/sandbox.h"

#define SCALED_PPM 65536e6	    /* timex.freq per unit ratio: 2^-16 ppm */
#define TICK_NORMAL 10000	    /* us per tick at USER_HZ 100 */
#define TICK_STEP 100e-6	    /* ratio of one us of tick */
#define TICK_MOST 1000		    /* the kernel allows 9000 to 11000 */
#define ERROR_MOST 16.0		    /* s: the kernel cuts maxerror there */
#define SLEPT_LEAST (NS_PER_S / 10) /* ns; no machine sleeps for less */

/* Seconds of a span of readings: the noise of one. */
static double
reading_noise(void)
{
	struct timespec a, b;
	int64_t least = NS_PER_S;
	int i;

	for (i = 0; i < 8; i++) {
		(void)clock_gettime(CLOCK_REALTIME, &a);
		(void)clock_gettime(CLOCK_REALTIME, &b);
		if (nanoseconds(&b) - nanoseconds(&a) < least)
			least = nanoseconds(&b) - nanoseconds(&a);
	}
	return (double)(least < 1 ? 1 : least) / (double)NS_PER_S;
}

void
clock_start(struct clock *c, bool measure)
{
	struct timex t = { 0 };
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC_RAW, &ts) < 0 ||
	    clock_gettime(CLOCK_REALTIME, &ts) < 0)
		fatal("clock: the clocks cannot be read");
	memset(c, 0, sizeof *c);
	c->precision = reading_noise();
	c->timer = wait_timer();
	if (c->timer >= 0 && wait_arm(c->timer) < 0) {
		(void)close(c->timer);
		c->timer = -1;
	}
	(void)clock_slept(c);
	c->permission = CLOCK_MEASURE;
	if (measure)
		return;
	/* Write back the status just read: changes nothing, but asks for the
	 * right.  The read-only bits are ignored by the kernel. */
	if (adjtimex(&t) >= 0) {
		t.modes = ADJ_STATUS;
		if (adjtimex(&t) >= 0) {
			c->permission = CLOCK_MAY;
			return;
		}
	}
	c->error = errno;
	clock_denied(c);
}

bool
clock_kernel(struct clock_kernel *k)
{
	struct timex t = { 0 };

	if (adjtimex(&t) < 0)
		return false;
	/* The kernel keeps the tick within a tenth of its normal; 0 is what a
	 * seccomp profile leaves that answers in the kernel's place. */
	if (labs(t.tick - TICK_NORMAL) > TICK_NORMAL / 10) {
		errno = ENOSYS;
		return false;
	}
	k->freq = (double)t.freq / SCALED_PPM +
	    (double)(t.tick - TICK_NORMAL) * TICK_STEP;
	k->synced = (t.status & STA_UNSYNC) == 0;
	return true;
}

static long
microseconds(double error)
{
	return lrint(fmin(ERROR_MOST, fmax(0, error)) * 1e6);
}

/* The PLL without its frequency part, and the leap second that is due. */
static int
usual_status(uint8_t leap)
{
	return STA_PLL | STA_FREQHOLD |
	    (leap == LEAP_INSERT	? STA_INS :
		    leap == LEAP_DELETE ? STA_DEL :
					  0);
}

/* ADJ_SETOFFSET wants the fraction between 0 and 1 s. */
static void
set_offset(struct timex *t, int64_t ns)
{
	int64_t s = ns / NS_PER_S, rest = ns % NS_PER_S;

	if (rest < 0) {
		rest += NS_PER_S;
		s--;
	}
	t->time.tv_sec = s;
	t->time.tv_usec = (long)rest; /* ns, by ADJ_NANO */
	t->modes |= ADJ_SETOFFSET;
}

/* The frequency word holds 500 ppm; what is beyond goes to the tick. */
static void
set_frequency(struct timex *t, double freq)
{
	long ticks = 0;

	/* Whatever the caller wants, no order goes beyond what a clock can
	 * need. */
	freq = fmax(-FREQ_FAR, fmin(FREQ_FAR, freq));
	if (fabs(freq) > CLOCK_FREQ_MOST) {
		ticks = lrint(freq / TICK_STEP);
		ticks = ticks > TICK_MOST ? TICK_MOST :
		    ticks < -TICK_MOST	  ? -TICK_MOST :
					    ticks;
		freq -= (double)ticks * TICK_STEP;
	}
	t->tick = TICK_NORMAL + ticks;
	t->freq = lrint(
	    fmax(-CLOCK_FREQ_MOST, fmin(CLOCK_FREQ_MOST, freq)) * SCALED_PPM);
	t->modes |= ADJ_FREQUENCY | ADJ_TICK;
}

int
clock_obey(struct clock *c, const struct orders *o)
{
	struct timex t = { .modes = ADJ_NANO | ADJ_STATUS };

	if (c->permission != CLOCK_MAY)
		return 0;
	if (o->step != 0)
		set_offset(&t, o->step);
	set_frequency(&t, o->freq);
	t.modes |= ADJ_OFFSET | ADJ_TIMECONST;
	t.offset = (long)o->phase;
	t.constant = o->constant;
	t.status = usual_status(o->leap);
	if (o->synced) {
		t.modes |= ADJ_MAXERROR | ADJ_ESTERROR;
		t.maxerror = microseconds(o->max_error);
		t.esterror = microseconds(o->est_error);
	} else
		t.status |= STA_UNSYNC;
	if (adjtimex(&t) < 0) {
		c->error = errno;
		return -1;
	}
	/* A step with a leap second armed loses it: it must be off for a
	 * second, or STA_PLL be taken off and put back. */
	if (o->step != 0 && o->leap != LEAP_NONE) {
		struct timex again = t;

		again.modes = ADJ_STATUS;
		again.status = 0;
		(void)adjtimex(&again);
		again.modes = ADJ_STATUS | ADJ_NANO;
		again.status = t.status;
		(void)adjtimex(&again);
	}
	if (o->step != 0) {
		c->steps++;
		(void)clock_was_set(c); /* our own: not a foreign one */
	}
	c->last = *o;
	c->given = true;
	return 0;
}

double
clock_slept(struct clock *c)
{
	struct timespec before, boot, after;
	int64_t slept, last = c->slept;
	bool first = !c->has_boottime;

	/* Both advance together but while the machine sleeps. */
	if (clock_gettime(CLOCK_MONOTONIC, &before) < 0 ||
	    clock_gettime(CLOCK_BOOTTIME, &boot) < 0 ||
	    clock_gettime(CLOCK_MONOTONIC, &after) < 0)
		return 0;
	/* We were off the processor amid these readings: they tell nothing. */
	if (nanoseconds(&after) - nanoseconds(&before) > SLEPT_LEAST / 2)
		return 0;
	slept = nanoseconds(&boot) - nanoseconds(&before);
	if (!first && slept - last <= SLEPT_LEAST)
		return 0;
	c->has_boottime = true;
	c->slept = slept;
	return first ? 0 : (double)(slept - last) / (double)NS_PER_S;
}

bool
clock_was_set(struct clock *c)
{
	if (c->timer < 0 || !wait_cancelled(c->timer))
		return false;
	(void)wait_arm(c->timer);
	return true;
}

void
clock_begin(struct clock *c, double freq)
{
	/* adjtime(3)'s slew is apart from the PLL's, and goes on for hours */
	struct timex left = { .modes = ADJ_OFFSET_SINGLESHOT };
	struct timex t = { .modes = ADJ_NANO | ADJ_STATUS | ADJ_OFFSET };
	struct clock_kernel k;

	if (c->permission != CLOCK_MAY || !clock_kernel(&k))
		return;
	(void)adjtimex(&left);
	set_frequency(&t, freq);
	t.status = usual_status(LEAP_NONE) | (k.synced ? 0 : STA_UNSYNC);
	if (adjtimex(&t) >= 0)
		c->last.freq = freq;
}

void
clock_unsync(const struct clock *c)
{
	struct timex t = {
		.modes = ADJ_STATUS,
		.status = usual_status(c->last.leap) | STA_UNSYNC,
	};

	if (c->permission == CLOCK_MAY && c->given)
		(void)adjtimex(&t); /* obeyed before; else it shows then */
}

void
clock_end(struct clock *c)
{
	struct timex t = {
		.modes = ADJ_OFFSET | ADJ_NANO | ADJ_STATUS,
		.status = usual_status(c->last.leap),
	};
	struct clock_kernel k;

	if (c->permission != CLOCK_MAY || !c->given || !clock_kernel(&k))
		return;
	if (!k.synced)
		t.status |= STA_UNSYNC;
	(void)adjtimex(&t);
}

/* ----------------------------------------------------------- the remedy */

enum { ANY_NAMES = 1 << 30 };

/* Is this a regular file with so many names at most?  Else false with EINVAL: a
 * device or FIFO would not end, and a file that has a second name may be somebody
 * else's. */
static bool
is_plain(int fd, int names)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	if (S_ISREG(st.st_mode) && st.st_nlink <= (nlink_t)names)
		return true;
	errno = EINVAL;
	return false;
}

/* Close the descriptor and keep errno; returns -1. */
static int
fail(int fd)
{
	int error = errno;

	(void)close(fd);
	errno = error;
	return -1;
}

/* The first bytes of a small file, as text; false if it cannot be read. */
static bool
slurp(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return false;
	n = is_plain(fd, ANY_NAMES) ? read(fd, text, size - 1) : -1;
	(void)fail(fd);
	if (n < 0)
		return false;
	text[n] = '\0';
	return true;
}

/* In a user namespace other than the initial one the clock cannot be set,
 * whatever the capabilities say (user_namespaces(7)). */
enum user_namespace {
	NAMESPACE_FIRST,
	NAMESPACE_OTHER, /* with the same ids */
	NAMESPACE_MAPPED /* rootless, hostUsers: false: root is another there */
};

static enum user_namespace
user_namespace(void)
{
	char map[64];
	unsigned long inside, outside, count;
	char *p = map;

	if (!slurp("/proc/self/uid_map", map, sizeof map))
		return NAMESPACE_FIRST;
	inside = strtoul(p, &p, 10);
	outside = strtoul(p, &p, 10);
	count = strtoul(p, &p, 10);
	if (inside != outside || count == 0)
		return NAMESPACE_MAPPED;
	return inside != 0 || count < 4294967295UL ? NAMESPACE_OTHER :
						      NAMESPACE_FIRST;
}

/* Where we run, as far as anything tells. */
enum place {
	PLACE_MACHINE,
	PLACE_UNIT, /* a service of systemd's, on a machine */
	PLACE_KUBERNETES,
	PLACE_PODMAN, /* gives capabilities to other uids than 0 as well */
	PLACE_CONTAINER
};

/* Docker and podman leave a file in the root.  Other containers are known by our
 * being process 1, or by a root without any init.  Those that are like machines
 * (LXC, nspawn) are called machines: docker's remedy is none for them.  The
 * terminals of a desktop inherit the environment of a unit; so a stderr that is a
 * terminal is no unit's. */
static enum place
where(void)
{
	if (getenv("KUBERNETES_SERVICE_HOST") != NULL)
		return PLACE_KUBERNETES;
	if (access("/run/.containerenv", F_OK) == 0)
		return PLACE_PODMAN;
	if (access("/.dockerenv", F_OK) == 0 || getpid() == 1 ||
	    (access("/sbin/init", F_OK) < 0 &&
		access("/run/systemd/system", F_OK) < 0))
		return PLACE_CONTAINER;
	if (getenv("INVOCATION_ID") != NULL && !isatty(STDERR_FILENO))
		return PLACE_UNIT;
	return PLACE_MACHINE;
}

/* What gives the capability where not even root could have it. */
static const char *
remedy_of_bounds(enum place place, bool root)
{
	switch (place) {
	case PLACE_KUBERNETES:
		return root ?
		    "add SYS_TIME to securityContext.capabilities.add" :
		    "add SYS_TIME to securityContext.capabilities.add and run as uid 0";
	case PLACE_PODMAN: return "run the container with --cap-add SYS_TIME";
	case PLACE_CONTAINER:
		return root ?
		    "run the container with --cap-add SYS_TIME" :
		    "run the container with --cap-add SYS_TIME and as uid 0";
	case PLACE_UNIT:
		return root ?
		    "add CAP_SYS_TIME to the unit's CapabilityBoundingSet=, without ProtectClock=" :
		    "add CAP_SYS_TIME to the unit's CapabilityBoundingSet= and AmbientCapabilities=";
	default:
		return root ?
		    "root has no CAP_SYS_TIME here: start ntpd from where it has" :
		    "run as root or with CAP_SYS_TIME";
	}
}

/* What gives the capability to a process that lacks it although root could have
 * it; NULL: only another uid does. */
static const char *
remedy_of_uid(enum place place, bool root)
{
	if (root)
		return "CAP_SYS_TIME was dropped before the start: keep it";
	if (place == PLACE_MACHINE)
		return "run as root or with CAP_SYS_TIME";
	if (place == PLACE_UNIT)
		return "add AmbientCapabilities=CAP_SYS_TIME to the unit";
	return NULL;
}

void
clock_denied(struct clock *c)
{
	enum user_namespace users = user_namespace();
	enum place place = where();
	bool may = sandbox_may_set_time(), root = geteuid() == 0;
	const char *what;

	c->permission = CLOCK_DENIED;
	if (users == NAMESPACE_MAPPED || (may && users == NAMESPACE_OTHER))
		what = place == PLACE_KUBERNETES ?
		    "a user namespace (hostUsers: false) cannot set the clock: leave hostUsers unset" :
		    "a user namespace (rootless) cannot set the clock: run it in the host's";
	else if (may)
		what = place == PLACE_UNIT ?
		    "CAP_SYS_TIME is there, so the unit forbids adjtimex: allow @clock in SystemCallFilter=" :
		    "CAP_SYS_TIME is there, so a seccomp profile forbids adjtimex: allow it";
	else if (!sandbox_could_set_time())
		what = remedy_of_bounds(place, root);
	else
		what = remedy_of_uid(place, root);
	if (what != NULL)
		(void)snprintf(c->remedy, sizeof c->remedy, "%s", what);
	else
		(void)snprintf(c->remedy, sizeof c->remedy,
		    "uid %u gets no capability from this runtime: run as uid 0",
		    geteuid());
}

/* ------------------------------------------------------------ drift file */

/* "-12.345" and white space around; strtod(3) would be 6 KB of the binary. */
static bool
decimal(const char *p, double *value)
{
	double scale = 1, sign = 1;
	bool point = false, digits = false;

	p += strspn(p, " \t\r\n");
	if (*p == '-' || *p == '+')
		sign = *p++ == '-' ? -1 : 1;
	for (*value = 0; (*p >= '0' && *p <= '9') || (*p == '.' && !point);
	     p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		digits = true;
		*value = *value * 10 + (*p - '0');
		scale *= point ? 10 : 1;
	}
	*value *= sign / scale;
	return digits && p[strspn(p, " \t\r\n")] == '\0';
}

int
drift_read(const char *path, double *freq)
{
	char text[64];
	double ppm;

	if (!slurp(path, text, sizeof text))
		return -1;
	if (text[strspn(text, " \t\r\n")] == '\0') {
		errno = ENODATA;
		return -1;
	}
	if (!decimal(text, &ppm) || fabs(ppm) > 1e6 * TICK_STEP * TICK_MOST) {
		errno = EINVAL;
		return -1;
	}
	*freq = ppm / 1e6;
	return 0;
}

static int
write_all(int fd, const char *text, size_t n)
{
	if (write(fd, text, n) != (ssize_t)n || fsync(fd) < 0)
		return -1;
	return 0;
}

int
drift_write(const char *path, double freq)
{
	char text[32], temporary[PATH_MAX];
	int n = snprintf(text, sizeof text, "%.3f\n", freq * 1e6), fd;

	if (snprintf(temporary, sizeof temporary, "%s.new", path) >=
	    (int)sizeof temporary) {
		errno = ENAMETOOLONG;
		return -1;
	}
	/* A file of this name was left by a crash, or planted: nothing is ever
	 * written to it. */
	(void)unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd >= 0) {
		if (write_all(fd, text, (size_t)n) == 0 && close(fd) == 0) {
			if (rename(temporary, path) == 0)
				return 0;
		} else
			(void)close(fd);
		(void)unlink(temporary);
	}
	/* A bind-mounted file, or a directory we may not write to: in place. */
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -1;
	if (!is_plain(fd, 1) || write_all(fd, text, (size_t)n) < 0 ||
	    ftruncate(fd, n) < 0)
		return fail(fd);
	return close(fd);
}

int
file_create(const char *path)
{
	int fd = open(path,
	    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);

	if (fd < 0)
		return -1;
	return is_plain(fd, 1) && ftruncate(fd, 0) == 0 ? fd : fail(fd);
}
