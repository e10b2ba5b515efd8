/*
 * daemon.c - the whole daemon but for its loop and its system calls: peers,
 * constraints, steer and all pure rooms, fed with replies, children's answers,
 * errors, clocks that are set, sleeps and any lengths of time between.  What the
 * owners tell each other goes through ntpd.c's own functions.
 *
 * The clock here obeys: the frequency and the phase that were ordered move it.
 * Promises, checked at each order and after each turn:
 *	- whatever is ordered, shown or written is finite;
 *	- the frequency is never beyond FREQ_MOST, a phase within a third of a
 *	  second, a step never to before the build;
 *	- where constraints are wanted, only a trusted server leads outside of
 *	  them;
 *	- once the clock has been set, it is stepped only with evidence: the
 *	  machine slept or was moved, the clock was set by others, or a constraint
 *	  answered since;
 *	- views render to the length that they said.
 *
 * The rooms that are replaced: clock.c and log.c by those below, the calls of
 * net.c and helper.c that reach outside by the linker's --wrap (tests.mk).
 * VERBOSE=1 in the environment prints what is logged and ordered.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <time.h>

#include "clock.h"
#include "config.h"
#include "constraints.h"
#include "core/address.h"
#include "core/build.h"
#include "core/constraint.h"
#include "core/discipline.h"
#include "core/filter.h"
#include "core/instant.h"
#include "core/ntp.h"
#include "core/select.h"
#include "core/source.h"
#include "ntpd.h"
#include "peers.h"
#include "serve/control.h"
#include "serve/status.h"
#include "steer.h"
#include "sys/dns.h"
#include "sys/helper.h"
#include "sys/instant.h"
#include "sys/log.h"
#include "sys/sandbox.h"
#include "sys/state.h"
#include "tell.h"
#include "tests/blank.h"
#include "tests/fuzz/fuzz.h"
#include "tls.h"
#include "tls/anchors.h"

/* What no order goes beyond: what the rooms that decide promise. */
#ifdef FREQ_FAR
#define FREQ_MOST (FREQ_FAR * (1 + 1e-9))
#else
#define FREQ_MOST 0.1000001
#endif
#define PHASE_MOST 330000000 /* ns */
#define BUILD_MARGIN (20 * NS_PER_S)
/* s: beyond what a sleep or a foreign set explains, this may be stepped too */
#define STEP_BESIDE 601.0

/* The part of ntpd.c's struct daemon that is tested here. */
struct rooms {
	struct conf conf;
	struct clock clock;
	struct helpers helpers;
	struct listening listening;
	struct server server;
	struct control control;
	struct peers peers;
	struct sensors sensors;
	struct constraints constraints;
	struct steer steer;
	struct tell tell;
};

static struct rooms *rooms;
static struct instant now;
static bool verbose, any_trusted;

static struct {
	double freq, phase; /* ratio; s still to be slewed */
	int fails;	    /* errno of the next order, or 0 */
	double slept;	    /* s, to be told once */
	bool set;	    /* likewise */
	bool moved;	    /* a hypervisor has moved or restored the machine */
	int64_t evidence;   /* raw: the last of it, 0: none */
} world;

static struct {
	bool used;
	struct helper_job job;
} children[HELPERS_MAX];

static struct {
	const uint8_t *bytes;
	size_t size;
	int64_t got;
	double precision;
} datagram;

static uint64_t
word(void)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 8; i++)
		v = v << 8 | byte();
	return v;
}

/* ----------------------------------------------------- log.c and clock.c */

void
log_line(enum log_class class, const char *format, ...)
{
	char line[2048];
	va_list args;
	int n;

	(void)class;
	va_start(args, format);
	n = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	CHECK(n >= 0 && n < (int)sizeof line, "%s", format);
	CHECK(strstr(line, "nan") == NULL && strstr(line, "inf ") == NULL,
	    "%s", line);
	if (verbose)
		(void)fprintf(stderr, "%.3f %s\n", seconds(now.raw), line);
}

void
log_level(enum log_class most)
{
	(void)most;
}

void
log_start(bool to_syslog)
{
	(void)to_syslog;
}

void
log_calm(bool on)
{
	(void)on;
}

void
log_turn(int64_t raw)
{
	(void)raw;
}

int64_t
log_due(void)
{
	return NEVER;
}

void
notify_supervisor(const char *state)
{
	(void)state;
}

void
fatal(const char *format, ...)
{
	CHECK(false, "fatal: %s", format);
}

struct instant __wrap_clock_read(void);

struct instant
__wrap_clock_read(void)
{
	now.raw += 20;
	now.real += 20;
	return now;
}

void
clock_start(struct clock *c, bool measure, enum clock_owner owner)
{
	(void)c;
	(void)measure;
	(void)owner;
}

void
clock_reload(struct clock *c, enum clock_owner owner)
{
	(void)c;
	(void)owner;
}

enum rival_news
clock_news(struct clock *c, int64_t raw)
{
	enum rival_news news = c->news;

	(void)raw;
	c->news = RIVAL_QUIET;
	return news;
}

int64_t
clock_due(const struct clock *c)
{
	(void)c;
	return NEVER;
}

bool
clock_kernel(struct clock_kernel *k)
{
	memset(k, 0, sizeof *k);
	k->freq = world.freq;
	return true;
}

void
clock_denied(struct clock *c)
{
	c->permission = CLOCK_DENIED;
}

static void
check_freq(double freq)
{
	CHECK(isfinite(freq) && fabs(freq) <= FREQ_MOST, "%g", freq);
}

void
clock_begin(struct clock *c, double freq)
{
	check_freq(freq);
	c->last.freq = world.freq = freq;
}

void
clock_unsync(struct clock *c)
{
	(void)c;
}

double
clock_slept(struct clock *c)
{
	double slept = world.slept;

	(void)c;
	world.slept = 0;
	return slept;
}

bool
clock_was_set(struct clock *c)
{
	bool set = world.set;

	(void)c;
	world.set = false;
	return set;
}

void
clock_end(struct clock *c)
{
	(void)c;
	world.phase = 0;
}

const char *
drift_path(const struct conf *conf)
{
	return conf->driftfile;
}

int
drift_read(const char *path, double *freq)
{
	(void)path;
	(void)freq;
	errno = ENOENT;
	return -1;
}

int
drift_write(const char *path, double freq)
{
	(void)path;
	check_freq(freq);
	return 0;
}

static void
check_step(int64_t step)
{
	const struct rooms *d = rooms;
	const struct bound *b = &d->constraints.bound;
	int64_t ahead = now.real + step - now.raw;
	double beside = fabs(seconds(ahead) - seconds(b->ahead));

	CHECK(now.real + step >= b->earliest - BUILD_MARGIN, "%g",
	    seconds(now.real + step));
	/* by the rules of the start, or for something that happened here, and
	 * then only by as much as that explains */
	CHECK(d->steer.setting != SETTING_DONE ||
		(d->steer.disrupted != 0 && world.evidence != 0 &&
		    (fabs(seconds(step)) <= d->steer.explained + STEP_BESIDE ||
			(world.moved && step > 0))),
	    "a step of %g s, disrupted %lld, evidence %lld, explained %g",
	    seconds(step), (long long)d->steer.disrupted,
	    (long long)world.evidence, d->steer.explained);
	if (!b->wanted || any_trusted)
		return;
	CHECK(b->votes > 0, "a step without a bound");
	CHECK(beside <= bound_error(b, now.raw) + d->steer.disc.distance + 1,
	    "a step to %g s beside the bound", beside);
}

int
clock_obey(struct clock *c, const struct orders *o)
{
	if (verbose)
		(void)fprintf(stderr,
		    "%.3f orders: step %g freq %g phase %g error %g\n",
		    seconds(now.raw), seconds(o->step), o->freq,
		    seconds(o->phase), o->max_error);
	check_freq(o->freq);
	CHECK(o->phase >= -PHASE_MOST && o->phase <= PHASE_MOST, "%lld",
	    (long long)o->phase);
	CHECK(o->max_error >= 0 && o->est_error >= 0, "%g %g", o->max_error,
	    o->est_error);
	CHECK(o->constant >= 0 && o->constant <= 10, "%d", o->constant);
	CHECK(o->leap <= LEAP_DELETE, "%d", o->leap);
	if (c->permission != CLOCK_MAY)
		return 0;
	if (world.fails != 0) {
		c->error = errno = world.fails;
		world.fails = 0;
		return -1;
	}
	if (o->step != 0) {
		check_step(o->step);
		now.real += o->step;
		c->steps++;
	}
	world.phase = seconds(o->phase);
	world.freq = o->freq;
	c->last = *o;
	c->given = true;
	return 0;
}

/* --------------------------------------------- what reaches outside elsewhere */

int __wrap_net_ask(
    const struct address *, uint16_t, const struct address *);
int __wrap_net_send(int, const uint8_t *, size_t, int64_t *);
ssize_t
__wrap_net_receive(int, uint8_t *, size_t, struct stamps *);
uint64_t __wrap_net_random(void);
int __wrap_close(int);
int __real_close(int);
int __wrap_helper_start(
    struct helpers *, const struct helper_job *, int64_t);
void __wrap_helper_reap(struct helpers *);

enum { FIRST_FD = 100000, FDS = 10000 };

int
__wrap_net_ask(
    const struct address *to, uint16_t port, const struct address *from)
{
	static int fds;

	(void)port;
	(void)from;
	CHECK(to->family == 4 || to->family == 6, "%d", to->family);
	if (byte() == 0x77) {
		errno = EMFILE;
		return -1;
	}
	return FIRST_FD + fds++ % FDS;
}

int
__wrap_close(int fd)
{
	return fd >= FIRST_FD && fd < FIRST_FD + FDS ? 0 : __real_close(fd);
}

int
__wrap_net_send(int fd, const uint8_t *bytes, size_t size, int64_t *sent)
{
	(void)fd;
	(void)bytes;
	(void)size;
	*sent = now.raw;
	if (byte() != 0x78)
		return 0;
	errno = ENETUNREACH;
	return -1;
}

ssize_t
__wrap_net_receive(
    int fd, uint8_t *bytes, size_t capacity, struct stamps *t)
{
	size_t n = datagram.size < capacity ? datagram.size : capacity;

	(void)fd;
	if (datagram.bytes == NULL) {
		errno = ECONNREFUSED;
		return -1;
	}
	memcpy(bytes, datagram.bytes, n);
	t->got = datagram.got;
	t->precision = datagram.precision;
	return (ssize_t)n;
}

static uint64_t seed;

uint64_t
__wrap_net_random(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return seed ^ seed >> 29;
}

int
__wrap_helper_start(
    struct helpers *h, const struct helper_job *job, int64_t raw)
{
	int i;

	(void)h;
	(void)raw;
	for (i = 0; i < HELPERS_MAX; i++)
		if (!children[i].used) {
			children[i].used = true;
			children[i].job = *job;
			return 0;
		}
	errno = EBUSY;
	return -1;
}

void
__wrap_helper_reap(struct helpers *h)
{
	(void)h;
}

/* ---------------------------------------------------------------- the events */

static int64_t
sum(int64_t a, int64_t b)
{
	int64_t c;

	return __builtin_add_overflow(a, b, &c) ? a : c;
}

/* A time that a stranger may name: often near to the right one. */
static int64_t
odd_time(int64_t near)
{
	static const double spans[] = { 0, 1e-3, 1, 60, 300, 86400 };
	uint8_t kind = byte();
	int64_t v = (int64_t)word();

	if (kind % 8 == 6)
		return v;
	if (kind % 8 == 7)
		return sum(near, v >> kind / 8);
	if (kind % 8 == 0)
		return near;
	return sum(near, v % (int64_t)(spans[kind % 8] * 1e9));
}

static void
odd_packet(const struct source *s, int64_t receive, struct ntp_packet *p)
{
	uint8_t kind = byte();
	int64_t transmit = receive;

	*p = (struct ntp_packet){ .version = 4,
		.mode = 4,
		.stratum = 1,
		.precision = -20 };
	if (kind & 1)
		p->root_delay = byte() / 4.0;
	if (kind & 2)
		p->root_dispersion = byte() / 8.0;
	if (kind & 4)
		p->precision = (int8_t)byte();
	if (kind & 8)
		p->stratum = byte() % 18;
	if (kind & 16)
		p->leap = byte() & 3;
	if (kind & 32)
		transmit = odd_time(receive);
	if (kind & 64)
		p->refid = byte() & 1 ? 0x52415445 : 0x44454e59; /* RATE, DENY */
	p->origin = s->nonce;
	if (kind & 128) { /* also one of interleaved mode */
		uint8_t other = byte();

		p->origin ^= other == 9 ? 1 : other & 1 ? ~0ULL : 0;
	}
	p->receive = ntp_from_real(receive);
	p->transmit = ntp_from_real(transmit);
}

/* As the loop does whenever an owner has done something. */
static void
talk(struct rooms *d, int64_t raw)
{
	(void)grant(&d->peers, &d->sensors, &d->constraints, &d->steer, raw);
}

/* The n-th of those that are so, or -1. */
static int
pick_open(const struct rooms *d, int nth)
{
	int i, n = 0;

	for (i = 0; i < d->peers.sources; i++)
		n += d->peers.fd[i] >= 0;
	if (n == 0)
		return -1;
	nth %= n;
	for (i = 0; d->peers.fd[i] < 0 || nth-- > 0; i++)
		;
	return i;
}

static void
a_reply(struct rooms *d)
{
	static const double trips[8] = { 1e-6, 1e-4, 1e-3, 0.02, 0.2, 1, 3.9,
		0 };
	static uint8_t bytes[80];
	int i = pick_open(d, byte()), k;
	uint8_t kind = byte();
	int64_t trip = (int64_t)(trips[kind & 7] * 1e9), sent;
	struct ntp_packet p;

	if (i < 0)
		return;
	sent = d->peers.source[i].sent;
	if (now.raw < sent + trip) {
		now.real += sent + trip - now.raw;
		now.raw = sent + trip;
	}
	datagram.got = sent + trip;
	datagram.precision = kind & 8 ? 1e-6 : kind & 16 ? 0.5 : 0;
	odd_packet(&d->peers.source[i],
	    odd_time(now.real - (now.raw - sent) + trip / 2), &p);
	ntp_format(&p, bytes);
	for (k = 0; (kind & 0xe0) == 0xe0 && k < 4; k++)
		bytes[byte() % NTP_SIZE] = byte();
	datagram.bytes = kind == 0xfe ? NULL : bytes;
	datagram.size = kind == 0xfd ? byte() % 60 : NTP_SIZE;
	peers_reply(&d->peers, i);
	talk(d, now.raw);
}

/* Not always what tls_ask says: a child may have been taken over. */
static void
odd_date(const struct rooms *d, int owner, uint8_t kind, unsigned char *answer)
{
	struct tls_answer a = { .said = TLS_DATE };
	uint64_t bits;

	if (kind & 8)
		a.said = (enum tls_said)byte();
	a.raw = d->constraints.asked[owner] + 1000;
	a.real = now.real;
	a.date = odd_time(now.real) / NS_PER_S * NS_PER_S;
	a.error = 0.5 + byte() / 30.0;
	if (kind & 16)
		a.raw = odd_time(now.raw);
	if (kind & 32) {
		bits = word();
		memcpy(&a.error, &bits, sizeof bits);
	}
	memset(a.reason, byte(), sizeof a.reason);
	memcpy(answer, &a, sizeof a);
}

/* Mostly good ones, so that requests are sent. */
static void
odd_keys(uint8_t kind, unsigned char *answer)
{
	static const char *const servers[4] = { "", "ntp.x", "10.0.0.7", "::1" };
	struct tls_keys k = { .ok = !(kind & 8), .until = INT64_MAX };

	k.grant.port = kind & 16 ? byte() : 123;
	k.grant.nts.cookies = kind & 32 ? (int)word() : byte() % 9;
	for (int i = 0; i < NTS_COOKIES; i++)
		k.grant.nts.size[i] = kind & 64 ? byte() * 2 : 100;
	(void)strcpy(k.grant.server, servers[byte() % 4]);
	memset(k.reason, byte() & ~0x20, sizeof k.reason);
	memcpy(answer, &k, sizeof k);
}

static void
odd_addresses(uint8_t kind, unsigned char *answer)
{
	struct dns_answer a = { .addresses = byte() % (POOL_MAX + 1) };
	int k;

	if (kind & 8)
		a.addresses = (int)word();
	for (k = 0; k < POOL_MAX; k++) {
		a.address[k].family = kind & 16 ? byte() : 4;
		a.address[k].bytes[0] = 10;
		a.address[k].bytes[3] = kind & 32 ? byte() : (uint8_t)(k + 1);
		if (a.address[k].family == 6)
			a.address[k].scope = byte() == 3 ? 1 : 0;
	}
	if (kind & 16)
		for (k = 0; k < 8; k++)
			a.reason[k] = (char)(byte() & ~0x20); /* no "nan" */
	memcpy(answer, &a, sizeof a);
}

static void
an_answer(struct rooms *d)
{
	struct helper_result r = { .ok = true };
	int i, n = 0, nth = byte();
	uint8_t kind = byte();
	size_t k;

	for (i = 0; i < HELPERS_MAX; i++)
		n += children[i].used;
	if (n == 0)
		return;
	nth %= n;
	for (i = 0; !children[i].used || nth-- > 0; i++)
		;
	children[i].used = false;
	r.kind = children[i].job.kind;
	r.owner = children[i].job.owner;
	r.ok = !(kind & 1);
	r.late = kind & 2;
	r.signal = kind & 4 ? 9 : 0;
	if (kind >= 0xe0)
		for (k = 0; k < HELPER_ANSWER; k += 1 + byte() % 32)
			r.answer[k] = byte();
	else if (r.kind == HELPER_HTTPS)
		odd_date(d, r.owner, kind, r.answer);
	else if (r.kind == HELPER_NTS)
		odd_keys(kind, r.answer);
	else
		odd_addresses(kind, r.answer);
	now.raw += 2000;
	now.real += 2000;
	if (r.kind == HELPER_NAME)
		peers_named(&d->peers, &r, now.raw);
	else if (r.kind == HELPER_NTS)
		peers_keyed(&d->peers, &r, now.raw);
	else if (r.kind == HELPER_NTS_NAME)
		peers_led(&d->peers, &r, now.raw);
	else if (r.kind == HELPER_CONSTRAINT_NAME)
		constraints_named(&d->constraints, &r, now.raw);
	else if (r.kind == HELPER_HTTPS) {
		constraints_answered(&d->constraints, &r, now.raw);
		world.evidence = now.raw;
	}
	talk(d, now.raw);
}

/* Time passes, and the clock does as it was told. */
static void
pass(int64_t ns)
{
	double t = seconds(ns), moved = world.phase * fmin(0.6, 0.08 * t);

	/* up to sixty years of running, and the year 2176 */
	if (now.raw > 2000000000LL * NS_PER_S ||
	    now.real > 6500000000LL * NS_PER_S) {
		left = 0;
		return;
	}
	now.raw += ns;
	now.real += ns + llrint(world.freq * (double)ns) + llrint(moved * 1e9);
	world.phase -= moved;
}

static void
until_due(const struct rooms *d)
{
	int64_t due = sooner(d->steer.disc.due, sooner(peers_due(&d->peers), constraints_due(&d->constraints)));

	if (due > now.raw && due - now.raw < (int64_t)1 << 52)
		pass(due - now.raw);
}

static void
the_machine(uint8_t kind)
{
	switch (kind) {
	case 0:
		now.real = odd_time(now.real);
		if (now.real < 0 || now.real > 6500000000LL * NS_PER_S)
			now.real = 2000000000LL * NS_PER_S;
		world.set = true;
		world.evidence = now.raw;
		break;
	case 1:
		world.slept = byte() + 0.2;
		now.real += (int64_t)(world.slept * 1e9);
		world.evidence = now.raw;
		break;
	case 4:
	case 5:
		rooms->steer.told.machine =
		    kind == 4 ? MACHINE_MOVED : MACHINE_RESTORED;
		now.real = odd_time(now.real);
		if (now.real < 0 || now.real > 6500000000LL * NS_PER_S)
			now.real = 2000000000LL * NS_PER_S;
		world.moved = true;
		world.evidence = now.raw;
		break;
	case 2: world.fails = EINVAL; break;
	case 3: world.fails = EPERM; break;
	default: break;
	}
}

/* ---------------------------------------------------------------- what is true */

static void
check_sources(const struct rooms *d)
{
	struct candidate c;
	int i;

	for (i = 0; i < d->peers.sources; i++) {
		if (!source_candidate(&d->peers.source[i], now.raw, &c))
			continue;
		CHECK(isfinite(c.sd) && isfinite(c.freq) && isfinite(c.freq_sd),
		    "sd %g freq %g %g", c.sd, c.freq, c.freq_sd);
		CHECK(c.distance >= 0 && isfinite(c.distance) &&
			c.doubt >= 0 && isfinite(c.doubt),
		    "distance %g doubt %g", c.distance, c.doubt);
		CHECK(d->peers.source[i].interval >= 1.9 &&
			d->peers.source[i].interval <= 131072 * 1.1,
		    "interval %g", d->peers.source[i].interval);
	}
}

static void
check_discipline(const struct rooms *d)
{
	double bound;

	if (!d->steer.disc.have)
		return;
	CHECK(isfinite(d->steer.disc.sd) && isfinite(d->steer.disc.freq) &&
		isfinite(d->steer.disc.freq_sd),
	    "sd %g freq %g %g", d->steer.disc.sd, d->steer.disc.freq, d->steer.disc.freq_sd);
	CHECK(d->steer.disc.distance >= 0 && isfinite(d->steer.disc.distance), "%g",
	    d->steer.disc.distance);
	bound = discipline_bound(&d->steer.disc, &now);
	CHECK(bound >= 0 && isfinite(bound), "%g", bound);
}

static void
turn(struct rooms *d)
{
	struct instant at = clock_read();

	steer_notice(&d->steer, &at);
	talk(d, at.raw);
	constraints_turn(&d->constraints, &at);
	talk(d, at.raw);
	peers_turn(&d->peers, &at);
	talk(d, at.raw);
	steer_turn(&d->steer, &at);
	talk(d, at.raw);
	tell_log(&d->tell, &d->steer, &at);
	steer_save(&d->steer, at.raw);
	check_sources(d);
	check_discipline(d);
}

static void
look(const struct rooms *d)
{
	static char out[200000];
	static struct status_source source[64];
	static struct status_constraint constraint[8];
	static struct status_listener listener[LISTENERS_MOST];
	struct instant at = clock_read();
	uint8_t question[NTP_SIZE], answer[NTP_SIZE];
	enum status_view view = (enum status_view)(byte() % STATUS_VIEWS);
	struct serving serving;
	struct status s;
	size_t n;

	s = (struct status){ BLANK_STATUS };
	peers_show(&d->peers, &at, source, &s);
	constraints_show(&d->constraints, &at, constraint, &s);
	s.listener = listener;
	s.listeners =
	    listen_status(&d->listening, LISTEN_NTP, listener, LISTENERS_MOST);
	s.server = d->server.counters;
	s.dropped_words = serve_words;
	s.conf_good = true;
	tell_status(&d->tell, &d->steer, &at, &s);
	n = status_render(view, &s, NULL, 0);
	CHECK(n == status_render(view, &s, out, sizeof out), "%zu", n);
	tell_clients(&d->steer, &at, &serving);
	CHECK(serving.root_dispersion >= 0 && serving.root_delay >= 0, "%g %g",
	    serving.root_dispersion, serving.root_delay);
	ntp_query(1, question);
	(void)ntp_answer(question, NTP_SIZE, &serving, at.real, at.raw, at.real,
	    answer);
}

/* ------------------------------------------------------------------ one run */

static const char *const configurations[] = {
	"server 10.0.0.1\nserver 10.0.0.2\nserver 10.0.0.3\n",
	"servers pool.x\nconstraint from \"https://c.x\"\n",
	"server 10.0.0.1\nserver a.x\nserver b.x poll 4..8\n"
	"constraints from \"https://c.x\"\nconstraint from \"9.9.9.9\"\n",
	"server 10.0.0.1 trusted\nservers pool.x weight 10\n"
	"constraint from \"https://c.x\" 10.9.9.1 10.9.9.2\n"
	"listen on 127.0.0.1\n",
	"server 10.0.0.1\n",
	"servers a.x\nservers b.x trusted poll 4..131072\n",
	"server 10.0.0.1 nts\nservers a.x nts\nserver b.x\n",
	"server 10.0.0.1 interleaved poll 4..8\nserver a.x interleaved\n",
};

static void
begin(struct rooms *d, uint8_t kind)
{
	const char *text = configurations[kind %
	    (sizeof configurations / sizeof *configurations)];
	struct conf_messages m;
	struct instant at;
	int i;

	any_trusted = strstr(text, "trusted") != NULL;
	now.raw = 100 * NS_PER_S;
	now.real = (build_epoch + 86400 * 30) * NS_PER_S;
	if (kind & 64)
		now.real = 5 * NS_PER_S; /* 1970 */
	if (kind & 128)
		now.real = 4000000000LL * NS_PER_S; /* 2096 */
	CHECK(config_parse(text, strlen(text), &d->conf, &m), "%s", text);
	config_free_messages(&m);
	d->clock.permission = CLOCK_MAY;
	d->clock.timer = -1;
	d->clock.precision = 1e-7;
	serve_start(&d->server, &d->conf, &d->listening);
	control_start(&d->control, &d->listening);
	d->peers.conf = d->constraints.conf = d->steer.conf = &d->conf;
	d->sensors.conf = &d->conf;
	d->sensors.bound = &d->constraints.bound;
	d->peers.helpers = d->constraints.helpers = &d->helpers;
	d->peers.server = &d->server;
	d->peers.precision = d->clock.precision;
	d->constraints.roots = &trust_built_in;
	d->steer.clock = &d->clock;
	d->steer.always = byte() & 1;
	at = clock_read();
	(void)peers_make(&d->peers, at.raw);
	d->steer.source = d->peers.source;
	d->steer.sources = d->peers.sources;
	steer_start(&d->steer, &at);
	(void)constraints_make(&d->constraints, at.raw);
	tell(&d->peers, &d->sensors, &d->constraints, &d->steer);
}

static void
end(struct rooms *d)
{
	peers_unmake(&d->peers);
	constraints_unmake(&d->constraints, &d->constraints);
	free(d->steer.candidate);
	config_free(&d->conf);
	free(d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rooms *d = calloc(1, sizeof *d);
	uint8_t kind;

	if (d == NULL)
		return 0;
	verbose = getenv("VERBOSE") != NULL;
	in = data;
	left = size;
	rooms = d;
	seed = 1;
	memset(&world, 0, sizeof world);
	memset(children, 0, sizeof children);
	begin(d, byte());
	while (left > 0) {
		kind = byte();
		switch (kind % 8) {
		case 0: pass((int64_t)1 << (10 + byte() % 40)); break;
		case 1: until_due(d); break;
		case 5: an_answer(d); break;
		case 6: look(d); break;
		case 7: the_machine(kind / 8 % 8); break;
		default:
			turn(d);
			a_reply(d);
		}
		turn(d);
	}
	end(d);
	return 0;
}
