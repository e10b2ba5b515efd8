/*
 * machine.c - chance, the clocks of the simulated machine and its kernel's
 * adjtimex(2), and events in the order of their time.
 */
#include <errno.h>
#include <linux/ptp_clock.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/whole/world.h"

#define TICK 10000.0
#define CHUNK (8 * NS_PER_S)
#define PHASE_LIMIT 16000000 /* us: NTP_PHASE_LIMIT of the kernel */

uint64_t
random_word(void)
{
	uint64_t z = w->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

double
uniform(void)
{
	return ((double)(random_word() >> 11) + 0.5) * 0x1p-53;
}

double
between(double a, double b)
{
	return a + (b - a) * uniform();
}

double
exponential(double mean)
{
	return -mean * log(uniform());
}

double
normal(void)
{
	return sqrt(-2 * log(uniform())) * cos(2 * 3.14159265358979 * uniform());
}

bool
chance(double p)
{
	return uniform() < p;
}

void
aside(void)
{
	uint64_t now = w->random;

	w->random = w->other_random;
	w->other_random = now;
}

int64_t
true_real(void)
{
	return w->utc + w->t;
}

double
clock_error(void)
{
	return seconds(w->real - true_real());
}

/* ratio: how much faster than the raw clock the kernel's runs */
static double
ordered(void)
{
	return (double)w->kernel.freq / 65536e6 +
	    ((double)w->kernel.tick - TICK) * 1e-4;
}

static int64_t
whole(double ns, double *rest)
{
	double all = ns + *rest, n = floor(all);

	*rest = all - n;
	return (int64_t)n;
}

static void
pass_chunk(int64_t ns)
{
	double raw = (double)ns * w->osc, s = (double)ns / 1e9, moved = 0;
	int64_t extra;

	/* The PLL takes 2^-(2 + constant) of what is left each second. */
	if (fabs(w->phase) >= 1) {
		moved = -w->phase *
		    expm1(s * log1p(-pow(2, -2 - (double)w->kernel.constant)));
		w->phase -= moved;
	} else
		w->phase = 0;
	extra = ns + whole(raw, &w->rest[0]);
	w->raw += extra;
	ns = extra + whole((double)extra * ordered() + moved, &w->rest[1]);
	w->mono += ns;
	w->boot += ns;
	w->real += ns;
	w->grown += s * 500;
	if (w->grown >= 1) {
		w->kernel.maxerror += (long)w->grown;
		w->grown -= floor(w->grown);
	}
	if (w->kernel.maxerror >= PHASE_LIMIT) {
		w->kernel.maxerror = PHASE_LIMIT;
		w->kernel.status |= STA_UNSYNC;
	}
}

void
pass(int64_t ns)
{
	for (; ns > 0; ns -= CHUNK) {
		w->t += ns < CHUNK ? ns : CHUNK;
		pass_chunk(ns < CHUNK ? ns : CHUNK);
		if (w->t - w->wandered < NS_PER_S)
			continue;
		w->osc += w->plan.wander *
		    sqrt(seconds(w->t - w->wandered)) * normal();
		w->wandered = w->t;
	}
	CHECK(w->stop_at == 0 || w->t < w->stop_at + 2 * NS_PER_S,
	    "SIGTERM has not ended it within 2 s");
}

static void
step(int64_t ns)
{
	w->real += ns;
	w->phase = 0;
	w->was_set = true;
	w->kernel.status |= STA_UNSYNC;
	w->kernel.maxerror = w->kernel.esterror = PHASE_LIMIT;
}

void
machine_sleeps(double s)
{
	w->t += ns(s);
	w->boot += ns(s);
	w->real += ns(s);
	w->wandered = w->t;
	w->moved = w->mono;
	rival_unseen();
}

void
machine_set(double s)
{
	step(ns(s));
	w->moved = w->mono;
	rival_wrote_now();
	rival_joined();
}

/* Its host stops it for a while, and then an agent sets its clock. */
void
machine_stops(double s)
{
	w->t += ns(s);
	w->wandered = w->t;
	machine_set(s);
}

/* The machine has just booted: its clock comes from the hardware's. */
void
machine_begins(void)
{
	memset(&w->kernel, 0, sizeof w->kernel);
	w->kernel.tick = (long)TICK;
	w->kernel.status = STA_UNSYNC;
	w->kernel.maxerror = w->kernel.esterror = PHASE_LIMIT;
	w->kernel.constant = 2;
	w->raw = w->mono = w->boot = ns(between(3, 30));
	w->moved = 0;
	w->phase = 0;
	w->other.here = false;
}

/* The table of ntpd(8) "What sets the clock". */
static void
check_step(double by)
{
	double was = clock_error();
	bool start = !w->start_used &&
	    (w->plan.set ||
		((w->plan.constraints > 0 || is_nts()) && by >= 60 &&
		    w->t - w->ready_at < ns(20)));
	bool local = w->explained > 0 && fabs(by) <= w->explained + 601;
	bool bound = w->plan.trusted ||
	    (w->plan.constraints > 0 && fabs(was) > 100);

	CHECK(start || local || bound,
	    "a step of %f s without evidence (the clock was %f s off)", by, was);
	CHECK(w->steps == 0 || w->t - w->stepped_at >= ns(59.9),
	    "a step of %f s only %f s after another", by,
	    seconds(w->t - w->stepped_at));
	CHECK(!w->plan.honest || w->t < w->trusted_from ||
		fabs(was + by) < 1.5,
	    "a step of %f s from %f s to a wrong time", by, was);
	w->start_used = true;
	w->explained = 0;
	w->steps++;
	w->stepped_at = w->t;
}

static void
check_orders(const struct timex *t)
{
	const int known = STA_PLL | STA_FREQHOLD | STA_UNSYNC | STA_INS |
	    STA_DEL | STA_NANO;
	double freq = (double)t->freq / 65536e6 + (t->modes & ADJ_TICK ?
		((double)t->tick - TICK) * 1e-4 : 0);

	if (t->modes & ADJ_FREQUENCY)
		CHECK(fabs(freq) <= 5000.1 * PPM, "a frequency of %g", freq);
	if (t->modes & ADJ_STATUS)
		CHECK((t->status & ~(known | w->kernel.status)) == 0,
		    "a status of %x", (unsigned)t->status);
	if (t->modes & ADJ_OFFSET && t->modes != ADJ_OFFSET_SINGLESHOT)
		CHECK(labs(t->offset) <= 500000000, "a phase of %ld ns",
		    t->offset);
	if (t->modes & ADJ_MAXERROR)
		CHECK(t->maxerror >= 0 && t->esterror >= 0, "an error of %ld us",
		    t->maxerror);
}

void
machine_obey(const struct timex *t)
{
	const unsigned modes = t->modes;

	if (modes & ADJ_STATUS)
		w->kernel.status = (w->kernel.status & STA_NANO) |
		    (t->status & ~STA_NANO);
	if (modes & ADJ_NANO)
		w->kernel.status |= STA_NANO;
	if (modes & ADJ_FREQUENCY)
		w->kernel.freq = t->freq;
	if (modes & ADJ_TICK)
		w->kernel.tick = t->tick;
	if (modes & ADJ_MAXERROR)
		w->kernel.maxerror = t->maxerror;
	if (modes & ADJ_ESTERROR)
		w->kernel.esterror = t->esterror;
	if (modes & ADJ_TIMECONST)
		w->kernel.constant = t->constant;
	if (modes & ADJ_OFFSET)
		w->phase = (double)t->offset * (modes & ADJ_NANO ? 1 : 1000);
}

int
machine_adjust(struct timex *t)
{
	const unsigned modes = t->modes;

	if (modes == ADJ_OFFSET_SS_READ) { /* nobody calls adjtime(3) */
		t->offset = 0;
		return TIME_OK;
	}
	if (modes != 0 && w->no_clock) {
		w->denied = true;
		errno = EPERM;
		return -1;
	}
	check_orders(t);
	if (modes == ADJ_OFFSET_SINGLESHOT)
		return TIME_OK;
	if (modes & ADJ_SETOFFSET) {
		int64_t by = t->time.tv_sec * NS_PER_S +
		    t->time.tv_usec * (modes & ADJ_NANO ? 1 : 1000);

		check_step(seconds(by));
		step(by);
	}
	if (modes != 0)
		rival_ours();
	if (modes & ADJ_MAXERROR)
		w->ours_is_last = true;
	machine_obey(t);
	*t = w->kernel;
	t->modes = modes;
	t->offset = (long)w->phase / (w->kernel.status & STA_NANO ? 1 : 1000);
	t->time.tv_sec = w->real / NS_PER_S;
	t->time.tv_usec = w->real % NS_PER_S;
	return w->kernel.status & STA_UNSYNC ? TIME_ERROR : TIME_OK;
}

static struct ptp_clock_time
ptp_time(int64_t at)
{
	return (struct ptp_clock_time){ .sec = at / NS_PER_S,
		.nsec = (uint32_t)(at % NS_PER_S) };
}

/* The hardware clock is read, in the way that its driver knows. */
int
machine_device(unsigned long request, void *to)
{
	static const unsigned long ways[] = { PTP_SYS_OFFSET_PRECISE,
		PTP_SYS_OFFSET_EXTENDED, PTP_SYS_OFFSET };
	struct ptp_sys_offset_precise *precise = to;
	struct ptp_sys_offset_extended *close = to;
	struct ptp_sys_offset *plain = to;
	unsigned n = close->n_samples; /* the first member of both */
	int64_t wrong = ns(w->device);

	if (request != ways[w->plan.way]) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (request == PTP_SYS_OFFSET_PRECISE) {
		precise->device = ptp_time(true_real() + wrong);
		precise->sys_realtime = ptp_time(w->real);
		precise->sys_monoraw = ptp_time(w->raw);
		return 0;
	}
	for (unsigned i = 0; i < n; i++) {
		struct ptp_clock_time *t = request == PTP_SYS_OFFSET ?
		    &plain->ts[2 * i] : close->ts[i];

		t[0] = ptp_time(w->real);
		pass((int64_t)(1000 * exponential(2)));
		t[1] = ptp_time(true_real() + wrong);
		pass((int64_t)(1000 * exponential(2)));
		t[2] = ptp_time(w->real);
	}
	return 0;
}

struct event *
event_add(double s, enum event_kind kind)
{
	int i;

	for (i = 0; i < EVENTS; i++)
		if (w->event[i].at == 0) {
			w->event[i] = (struct event){
				.at = w->t + ns(s) + 1, .kind = kind
			};
			if (w->events <= i)
				w->events = i + 1;
			return &w->event[i];
		}
	broken("the world has no room for another event");
}

struct event *
event_next(void)
{
	struct event *next = NULL;
	int i;

	while (w->events > 0 && w->event[w->events - 1].at == 0)
		w->events--;
	for (i = 0; i < w->events; i++)
		if (w->event[i].at != 0 &&
		    (next == NULL || w->event[i].at < next->at))
			next = &w->event[i];
	return next;
}
