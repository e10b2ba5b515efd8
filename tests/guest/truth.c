/*
 * truth.c - true time inside a QEMU guest, and NTP servers that tell it.
 *
 * The guest's oscillator is CLOCK_MONOTONIC_RAW, which nothing steers.  True
 * time is defined from it: a start, a constant frequency error and a sine, so
 * that the clock under test has something to correct.  This program answers
 * NTP requests by that time, with delays, loss and lies as its script says,
 * and prints how far CLOCK_REALTIME is from the truth.  It never writes a
 * clock, except for "step", which plays the stranger who does.
 *
 *	truth serve FILE	servers and looks, until the script's end
 *	truth until T		sleep until that time of the test
 *	truth look FILE		one look
 *	truth tag WORD		copy standard input, each line with WORD and time
 *	truth step SECONDS	somebody else sets the clock
 *	truth set SECONDS	likewise, to this time (since 1970)
 *
 * The time of the test, t, begins ORIGIN seconds after the guest's raw clock,
 * when it has booted for certain; that makes every run of a test the same.
 *
 * The script, one statement a line:
 *
 *	start SECONDS		true time at t = 0, since 1970
 *	ppm F			the truth is faster than raw by F ppm
 *	sine F PERIOD		and by F sin(2 pi t / PERIOD) more
 *	leap AT			a second is inserted before true time AT
 *	skip AT BY		at t = AT the truth moves by so many seconds more
 *				than the kernel knows: a sleep it has misjudged
 *	seed N			of the random numbers
 *	look STEP FROM TO	print the clock's error every STEP seconds
 *	end T			print the sums and return
 *	server ADDRESS KEY VALUE ...
 *	during FROM TO ADDRESS KEY VALUE	("all" for every server)
 *
 * with the keys
 *
 *	up, down	one-way delays to and from the server, s
 *	jitter		mean of an exponential part of each, s
 *	loss		share of requests that get no answer
 *	offset, drift	the server's own error, s, and its growth, s/s
 *	dead		1: no answer at all
 *	kiss		reference id of a kiss-o'-death, four letters
 *	leap		leap indicator
 *	stratum, rootdelay, rootdisp
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define NS 1000000000LL
#define ORIGIN (10 * NS)		/* raw time of t = 0; booting takes 3 s */
#define SPIN_NS 100000			/* wake this much early, then spin */
#define ERA_1900 2208988800LL		/* s from 1900 to 1970 */

enum { SERVERS = 16, WINDOWS = 2048, LOOKS = 16, REPLIES = 256, SIZE = 48 };

struct nature {				/* a server at some moment */
	double up, down, jitter, loss, offset, drift, dead;
	double leap, stratum, rootdelay, rootdisp;
	char kiss[5];
};

struct server {
	char name[64];
	int fd;
	struct nature nature;
	uint64_t requests, answers;
};

struct window {
	double from, to;
	int server;			/* -1: all */
	char key[16], value[32];
};

struct look {
	double step, from, to, next;
};

struct reply {
	int64_t due;			/* raw; 0: free */
	int server;
	struct sockaddr_in to;
	uint8_t bytes[SIZE];
};

struct script {
	int64_t start;			/* ns since 1970 */
	double ppm, sine, period;
	int64_t leap;			/* ns since 1970, 0: none */
	double skip_at, skip_by;
	double end;
	struct server server[SERVERS];
	int servers;
	struct window window[WINDOWS];
	int windows;
	struct look look[LOOKS];
	int looks;
	uint64_t random;
};

/* The sums over all looks. */
struct sums {
	uint64_t looks, beyond;		/* beyond: error above maxerror */
	double worst;
};

static struct script script;
static struct reply reply[REPLIES];
static struct sums sums;

_Noreturn static void
die(const char *what)
{
	printf("X %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t
read_clock(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) == -1)
		die("clock_gettime");
	return ts.tv_sec * NS + ts.tv_nsec;
}

static int64_t
raw_now(void)
{
	return read_clock(CLOCK_MONOTONIC_RAW);
}

static double
test_time(int64_t raw)
{
	return (double)(raw - ORIGIN) / 1e9;
}

/* The truth's frequency against the raw clock. */
static double
true_freq(int64_t raw)
{
	double f = script.ppm;

	if (script.period > 0)
		f += script.sine *
		    sin(2 * M_PI * test_time(raw) / script.period);
	return f * 1e-6;
}

/* What the machine slept, which the raw clock does not know. */
static int64_t
asleep(void)
{
	int64_t ns = read_clock(CLOCK_BOOTTIME) - read_clock(CLOCK_MONOTONIC);

	return ns > NS / 10 ? ns : 0;	/* less is the time between the two */
}

static int64_t
true_time(int64_t raw)
{
	double t = test_time(raw), ahead = script.ppm * 1e-6 * t;
	int64_t ns;

	if (script.period > 0) {
		double w = 2 * M_PI / script.period;

		ahead += script.sine * 1e-6 / w * (1 - cos(w * t));
	}
	if (script.skip_by != 0 && t >= script.skip_at)
		ahead += script.skip_by;
	ns = script.start + (raw - ORIGIN) + asleep() + llround(ahead * 1e9);
	if (script.leap != 0 && ns >= script.leap)
		ns -= NS;
	return ns;
}

/* xorshift64*: small, and the same everywhere. */
static double
random_unit(void)
{
	uint64_t x = script.random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	script.random = x;
	return (double)((x * 0x2545F4914F6CDD1DULL) >> 11) * 0x1p-53;
}

static double
random_exponential(void)
{
	return -log(1 - random_unit());
}

/* ----------------------------------------------------------------- script */

static bool
set_key(struct nature *n, const char *key, const char *value)
{
	const struct { const char *name; double *at; } table[] = {
		{ "up", &n->up }, { "down", &n->down },
		{ "jitter", &n->jitter }, { "loss", &n->loss },
		{ "offset", &n->offset }, { "drift", &n->drift },
		{ "dead", &n->dead }, { "leap", &n->leap },
		{ "stratum", &n->stratum }, { "rootdelay", &n->rootdelay },
		{ "rootdisp", &n->rootdisp },
	};

	if (strcmp(key, "kiss") == 0) {
		snprintf(n->kiss, sizeof(n->kiss), "%.4s", value);
		return true;
	}
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(key, table[i].name) == 0) {
			*table[i].at = atof(value);
			return true;
		}
	}
	return false;
}

static int
find_server(const char *name)
{
	for (int i = 0; i < script.servers; i++) {
		if (strcmp(script.server[i].name, name) == 0)
			return i;
	}
	return -1;
}

static bool
add_server(char *rest)
{
	struct server *s = &script.server[script.servers];
	char *name = strtok(rest, " \n"), *key, *value;

	if (name == NULL || script.servers == SERVERS)
		return false;
	script.servers++;
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->nature = (struct nature){ .stratum = 1, .rootdelay = 0.0005,
	    .rootdisp = 0.0005 };
	while ((key = strtok(NULL, " \n")) != NULL) {
		value = strtok(NULL, " \n");
		if (value == NULL || !set_key(&s->nature, key, value))
			return false;
	}
	return true;
}

static bool
add_window(const char *rest)
{
	struct window *w = &script.window[script.windows];
	struct nature scratch;
	char name[64];

	if (script.windows == WINDOWS || sscanf(rest, "%lf %lf %63s %15s %31s",
	    &w->from, &w->to, name, w->key, w->value) != 5)
		return false;
	script.windows++;
	w->server = find_server(name);
	return (w->server != -1 || strcmp(name, "all") == 0) &&
	    set_key(&scratch, w->key, w->value);
}

static bool
add_look(const char *rest)
{
	struct look *l = &script.look[script.looks];

	if (script.looks == LOOKS ||
	    sscanf(rest, "%lf %lf %lf", &l->step, &l->from, &l->to) != 3)
		return false;
	script.looks++;
	l->next = l->from;
	return true;
}

static bool
statement(char *line)
{
	double a, b;

	if (line[0] == '\n' || line[0] == '#')
		return true;
	if (strncmp(line, "server ", 7) == 0)
		return add_server(line + 7);
	if (strncmp(line, "during ", 7) == 0)
		return add_window(line + 7);
	if (strncmp(line, "look ", 5) == 0)
		return add_look(line + 5);
	if (sscanf(line, "sine %lf %lf", &a, &b) == 2) {
		script.sine = a;
		script.period = b;
	} else if (sscanf(line, "skip %lf %lf", &a, &b) == 2) {
		script.skip_at = a;
		script.skip_by = b;
	} else if (sscanf(line, "start %lf", &a) == 1)
		script.start = (int64_t)(a * 1000) * (NS / 1000);
	else if (sscanf(line, "leap %lf", &a) == 1)
		script.leap = (int64_t)a * NS;
	else if (sscanf(line, "ppm %lf", &a) == 1)
		script.ppm = a;
	else if (sscanf(line, "seed %lf", &a) == 1)
		script.random += (uint64_t)a * 0x9E3779B97F4A7C15ULL;
	else if (sscanf(line, "end %lf", &a) == 1)
		script.end = a;
	else
		return false;
	return true;
}

static void
read_script(const char *path)
{
	char line[512], copy[512];
	FILE *f = fopen(path, "r");

	if (f == NULL)
		die(path);
	script.random = 0x853C49E6748FEA9BULL;
	while (fgets(line, sizeof(line), f) != NULL) {
		memcpy(copy, line, sizeof(copy));
		if (!statement(copy)) {
			printf("X bad statement: %s", line);
			exit(1);
		}
	}
	fclose(f);
}

/* ---------------------------------------------------------------- servers */

static void
open_server(struct server *s)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_port = htons(123) };

	if (inet_pton(AF_INET, s->name, &sin.sin_addr) != 1)
		die(s->name);
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (s->fd == -1 || bind(s->fd, (void *)&sin, sizeof(sin)) == -1)
		die(s->name);
}

/* What the server does at t: its line, then all windows that hold t. */
static struct nature
nature_at(int server, double t)
{
	struct nature n = script.server[server].nature;

	for (int i = 0; i < script.windows; i++) {
		const struct window *w = &script.window[i];

		if ((w->server == -1 || w->server == server) &&
		    t >= w->from && t < w->to)
			(void)set_key(&n, w->key, w->value);
	}
	return n;
}

static void
put32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, 4);
}

/* ns since 1970 to 32.32 of an era (RFC 5905 section 6). */
static void
put_stamp(uint8_t *p, int64_t ns)
{
	put32(p, (uint32_t)(ns / NS + ERA_1900));
	put32(p + 4, (uint32_t)(((unsigned __int128)(uint64_t)(ns % NS) << 32) /
	    NS));
}

static int64_t
server_time(const struct nature *n, int64_t raw)
{
	double off = n->offset + n->drift * test_time(raw);

	return true_time(raw) + llround(off * 1e9);
}

static void
fill(uint8_t *out, const uint8_t *query, const struct nature *n,
    int64_t arrived, int64_t left)
{
	memset(out, 0, SIZE);
	out[0] = (uint8_t)((int)n->leap << 6 | (query[0] & 0x38) | 4);
	out[1] = (uint8_t)n->stratum;
	out[2] = query[2];
	out[3] = (uint8_t)-23;
	put32(out + 4, (uint32_t)llround(n->rootdelay * 65536));
	put32(out + 8, (uint32_t)llround(n->rootdisp * 65536));
	memcpy(out + 12, n->stratum > 1 ? "\x0a\x63\xff\x01" : "TRUE", 4);
	put_stamp(out + 16, server_time(n, arrived) - 8 * NS);
	memcpy(out + 24, query + 40, 8);
	put_stamp(out + 32, server_time(n, arrived));
	put_stamp(out + 40, server_time(n, left));
	if (n->kiss[0] != '\0') {
		out[0] |= 0xc0;
		out[1] = 0;
		memcpy(out + 12, n->kiss, 4);
	}
}

/* A request came at raw: decide its fate now, and send a reply when due. */
static void
take(int server, const uint8_t *query, const struct sockaddr_in *from,
    int64_t raw)
{
	struct nature n = nature_at(server, test_time(raw));
	/* These are drawn always, so that a change of one server does not
	 * change the others. */
	double lost = random_unit();
	int64_t up = llround((n.up + n.jitter * random_exponential()) * 1e9);
	int64_t down = llround((n.down + n.jitter * random_exponential()) *
	    1e9);
	int64_t work = 20000;		/* ns, a busy server's reply */

	script.server[server].requests++;
	if (n.dead != 0 || lost < n.loss)
		return;
	for (int i = 0; i < REPLIES; i++) {
		struct reply *r = &reply[i];

		if (r->due != 0)
			continue;
		r->due = raw + up + work + down;
		r->server = server;
		r->to = *from;
		fill(r->bytes, query, &n, raw + up, raw + up + work);
		script.server[server].answers++;
		return;
	}
	printf("X too many replies under way\n");
}

static void
receive(int server)
{
	uint8_t bytes[512];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(script.server[server].fd, bytes, sizeof(bytes), 0,
	    (void *)&from, &len)) >= 0) {
		if (n >= SIZE && (bytes[0] & 7) == 3)
			take(server, bytes, &from, raw_now());
		len = sizeof(from);
	}
}

static void
send_due(void)
{
	for (int i = 0; i < REPLIES; i++) {
		struct reply *r = &reply[i];

		if (r->due == 0 || raw_now() < r->due)
			continue;
		(void)sendto(script.server[r->server].fd, r->bytes, SIZE, 0,
		    (void *)&r->to, sizeof(r->to));
		r->due = 0;
	}
}

/* ------------------------------------------------------------------ looks */

/* CLOCK_REALTIME minus the truth, from the closest of a few readings. */
static double
clock_error(int64_t *when)
{
	int64_t best = INT64_MAX, before, real, after, error = 0;

	*when = 0;
	for (int i = 0; i < 5; i++) {
		before = raw_now();
		real = read_clock(CLOCK_REALTIME);
		after = raw_now();
		if (after - before >= best)
			continue;
		best = after - before;
		*when = before + best / 2;
		error = real - true_time(*when);
	}
	return (double)error / 1e9;
}

static void
look(void)
{
	struct timex tx = { .modes = 0 };
	uint64_t requests = 0, answers = 0;
	int64_t raw;
	double error = clock_error(&raw), unit;
	int rc = adjtimex(&tx);

	for (int i = 0; i < script.servers; i++) {
		requests += script.server[i].requests;
		answers += script.server[i].answers;
	}
	unit = tx.status & STA_NANO ? 1e-9 : 1e-6;
	sums.looks++;
	if (fabs(error) > sums.worst)
		sums.worst = fabs(error);
	if (fabs(error) * 1e6 > (double)tx.maxerror)
		sums.beyond++;
	printf("T t=%.3f err=%.9f rc=%d status=%d maxerror=%.6f esterror=%.6f "
	    "freq=%.6f tick=%ld offset=%.9f constant=%ld tai=%d want=%.6f "
	    "requests=%llu answers=%llu real=%lld.%09ld asked=",
	    test_time(raw), error, rc, tx.status, (double)tx.maxerror * 1e-6,
	    (double)tx.esterror * 1e-6, (double)tx.freq / 65536, tx.tick,
	    (double)tx.offset * unit, tx.constant, tx.tai,
	    true_freq(raw) * 1e6, (unsigned long long)requests,
	    (unsigned long long)answers, (long long)tx.time.tv_sec,
	    tx.status & STA_NANO ? tx.time.tv_usec : tx.time.tv_usec * 1000);
	for (int i = 0; i < script.servers; i++)
		printf("%llu,", (unsigned long long)script.server[i].requests);
	printf("\n");
	fflush(stdout);
}

static void
looks_due(double t)
{
	bool due = false;

	for (int i = 0; i < script.looks; i++) {
		struct look *l = &script.look[i];

		if (l->next > l->to || t < l->next)
			continue;
		while (l->next <= t)
			l->next += l->step;
		due = true;
	}
	if (due)
		look();
}

/* ------------------------------------------------------------------- loop */

static int64_t
next_due(void)
{
	double t = script.end;
	int64_t due;

	for (int i = 0; i < script.looks; i++) {
		if (script.look[i].next <= script.look[i].to)
			t = fmin(t, script.look[i].next);
	}
	due = ORIGIN + llround(t * 1e9);
	for (int i = 0; i < REPLIES; i++) {
		if (reply[i].due != 0 && reply[i].due < due)
			due = reply[i].due;
	}
	return due;
}

/* Wait for a request, or until raw is due.  There is no timer on the raw
 * clock; the one there is may be slewed, so come early, and spin at the end. */
static void
wait_until(int64_t due)
{
	struct pollfd pfd[SERVERS];
	struct timespec ts;
	int64_t left = due - raw_now();

	for (int i = 0; i < script.servers; i++)
		pfd[i] = (struct pollfd){ .fd = script.server[i].fd,
		    .events = POLLIN };
	left -= SPIN_NS + left / 1000;
	if (left < 0)
		left = 0;
	ts.tv_sec = left / NS;
	ts.tv_nsec = left % NS;
	if (ppoll(pfd, (nfds_t)script.servers, &ts, NULL) <= 0)
		return;
	for (int i = 0; i < script.servers; i++) {
		if (pfd[i].revents != 0)
			receive(i);
	}
}

static int
serve(const char *path)
{
	read_script(path);
	for (int i = 0; i < script.servers; i++)
		open_server(&script.server[i]);
	for (;;) {
		double t = test_time(raw_now());

		if (t >= script.end)
			break;
		looks_due(t);
		send_due();
		wait_until(next_due());
	}
	printf("E looks=%llu beyond=%llu worst=%.9f\n",
	    (unsigned long long)sums.looks, (unsigned long long)sums.beyond,
	    sums.worst);
	return 0;
}

/* ----------------------------------------------------------- other verbs */

static int
until(double t)
{
	int64_t due = ORIGIN + llround(t * 1e9), left;
	struct timespec ts;

	if (raw_now() > due) {
		printf("X late: t=%.3f has passed\n", t);
		return 1;
	}
	while ((left = due - raw_now()) > 0) {
		left = left > SPIN_NS ? left - left / 1000 : left;
		ts.tv_sec = left / NS;
		ts.tv_nsec = left % NS;
		(void)nanosleep(&ts, NULL);
	}
	return 0;
}

static int
tag(const char *word)
{
	char line[4096];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		printf("%s t=%.3f %s\n", word, test_time(raw_now()), line);
		fflush(stdout);
	}
	return 0;
}

static int
step(double seconds)
{
	int64_t real = read_clock(CLOCK_REALTIME) + llround(seconds * 1e9);
	struct timespec ts = { .tv_sec = real / NS, .tv_nsec = real % NS };

	if (clock_settime(CLOCK_REALTIME, &ts) == -1)
		die("clock_settime");
	printf("P t=%.3f stepped by %.6f\n", test_time(raw_now()), seconds);
	return 0;
}

static int
set(double seconds)
{
	return step(seconds - (double)read_clock(CLOCK_REALTIME) / 1e9);
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	if (argc == 3 && strcmp(argv[1], "until") == 0)
		return until(atof(argv[2]));
	if (argc == 3 && strcmp(argv[1], "look") == 0) {
		read_script(argv[2]);
		look();
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "tag") == 0)
		return tag(argv[2]);
	if (argc == 3 && strcmp(argv[1], "step") == 0)
		return step(atof(argv[2]));
	if (argc == 3 && strcmp(argv[1], "set") == 0)
		return set(atof(argv[2]));
	fprintf(stderr, "usage: truth serve|until|look|tag|step|set ARGUMENT\n");
	return 1;
}
