/*
 * servers.c - those whom the daemon asks: NTP servers, name servers and HTTPS
 * servers.  The latter two are asked by children, whose answers are made here.
 */
#include <arpa/inet.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/ntp.h"
#include "sys/dns.h"
#include "tests/whole/world.h"
#include "tls.h"

#define ERA 2208988800LL /* s from 1900 to 1970 */

/* ------------------------------------------------------------- NTP servers */

static void
put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static void
put_short(uint8_t *p, double s)
{
	put32(p, (uint32_t)(s * 65536 + 0.5));
}

void
put_time(uint8_t *p, int64_t real)
{
	int64_t s = real / NS_PER_S, rest = real % NS_PER_S;

	if (rest < 0) {
		rest += NS_PER_S;
		s--;
	}
	put32(p, (uint32_t)(s + ERA));
	put32(p + 4, (uint32_t)((rest << 32) / NS_PER_S));
}

/* What the server's clock shows at a moment of true time. */
static int64_t
shows(const struct ntp_server *s, double in)
{
	return true_real() +
	    ns(in + s->offset + s->drift * seconds(w->t));
}

static void
make_reply(const struct ntp_server *s, double in, const uint8_t *asked, uint8_t *p)
{
	memset(p, 0, 48);
	p[0] = (uint8_t)((s->alarm ? 3 : 0) << 6 | 4 << 3 | 4);
	p[1] = s->kiss[0] ? 0 : s->stratum;
	p[2] = asked[2];
	p[3] = (uint8_t)-20;
	put_short(p + 4, s->root_delay);
	put_short(p + 8, s->root_dispersion);
	memcpy(p + 12, s->kiss[0] ? s->kiss : "GPS", s->kiss[0] ? 4 : 3);
	put_time(p + 16, shows(s, in - 10));
	memcpy(p + 24, asked + 40, 8);
	put_time(p + 32, shows(s, in));
	put_time(p + 40, shows(s, in + 20e-6));
}

uint8_t *
event_bytes(const struct event *e)
{
	return w->wire[e - w->event];
}

struct event *
datagram(int fd, double s)
{
	struct event *e = event_add(s, EVENT_DATAGRAM);

	e->fd = fd;
	e->born = w->fd[fd].born;
	return e;
}

/* What strangers send who do not know the request, and what others break. */
static void
add_junk(int fd, const uint8_t *reply, double s)
{
	struct event *e = datagram(fd, s * uniform());
	int k = (int)(random_word() % 6);

	memcpy(event_bytes(e), reply, 48);
	e->size = 48;
	if (k == 0)
		e->size = 0; /* an ICMP error */
	else if (k == 1)
		e->size = (int)(1 + random_word() % 47);
	else
		put_time(event_bytes(e) + 24, (int64_t)(random_word() >> 2));
	if (k == 2)
		put_time(event_bytes(e) + 40, true_real() + ns(between(-9, 9)));
	if (k == 3)
		event_bytes(e)[1] = 0;
}

void
server_asked(int i, int fd, const uint8_t *bytes, size_t size)
{
	const struct ntp_server *s = &w->server[i];
	double up = s->up + exponential(s->jitter);
	double down = s->down + exponential(s->jitter);
	struct event *e;
	uint8_t reply[48];

	make_reply(s, up, bytes, reply);
	if (size > 48) {
		struct trip trip = { .up = up, .down = down,
			.lost = w->outage || s->silent || chance(s->loss) };

		nts_asked(i, fd, bytes, size, &trip, reply);
		return;
	}
	if (chance(0.02))
		add_junk(fd, reply, up + down);
	if (w->outage || s->silent || chance(s->loss))
		return;
	e = datagram(fd, up + down + 20e-6);
	e->size = chance(0.05) ? 68 : 48;
	memcpy(event_bytes(e), reply, 48);
	if (chance(0.01)) { /* the same once more */
		struct event *twin = datagram(fd, up + down + uniform());

		twin->size = 48;
		memcpy(event_bytes(twin), reply, 48);
	}
}

/* ----------------------------------------------------------------- children */

void
child_asks(const struct helper_job *job, struct child *c)
{
	c->kind = job->kind;
	c->size = job->size;
	c->seconds = job->seconds;
	if (job->kind == HELPER_NTS)
		keys_asked(job->question, c);
	else if (job->kind == HELPER_HTTPS) {
		const struct tls_question *q = job->question;

		(void)snprintf(c->name, sizeof c->name, "%s", q->host);
		c->synced = q->synced;
	} else {
		const struct dns_question *q = job->question;

		(void)snprintf(c->name, sizeof c->name, "%s", q->name);
	}
}

void
child_begins(int i)
{
	const struct child *c = &w->child[i];
	double s = exponential(c->kind >= HELPER_HTTPS ? 0.1 : 0.02);
	struct event *e;

	if (c->kind == HELPER_NTS)
		keys_begin(c);
	if (c->kind == HELPER_NTS	? w->no_keys :
		c->kind == HELPER_HTTPS ? w->no_https : w->no_names)
		s = chance(0.5) ? c->seconds + 1 : s; /* its own alarm(2) */
	e = event_add(s + 0.002, EVENT_CHILD);
	e->child = i;
	e->born = c->born;
}

void
child_ends(struct child *c, int status)
{
	c->status = status;
	c->state = CHILD_ENDED;
	w->pending |= 1ULL << SIGCHLD;
}

const char *const server_names[SERVERS] = { "one", "two", "three", "four",
	"five", "six", "seven", "eight" };

/* "one.example" is server 1 and so on; "pool.example" is all of them. */
static void
look_up(struct child *c)
{
	const char *const *names = server_names;
	struct dns_answer a = { .questions = 2 };
	int i;

	(void)snprintf(a.reason, sizeof a.reason, "no name server answers");
	for (i = 0; i < w->plan.servers && !w->no_names; i++) {
		size_t n = strlen(names[i]);
		struct address *to = &a.address[a.addresses];

		if (strncmp(c->name, "pool.", 5) != 0 &&
		    strncmp(c->name, "https", 5) != 0 &&
		    (strncmp(c->name, names[i], n) != 0 || c->name[n] != '.'))
			continue;
		if (a.addresses == POOL_MAX)
			break;
		to->family = w->server[i].v6 ? 6 : 4;
		to->bytes[0] = w->server[i].v6 ? 0xfd : 10;
		to->bytes[w->server[i].v6 ? 15 : 3] = (uint8_t)(i + 1);
		a.addresses++;
	}
	memcpy(c->answer, &a, sizeof a);
}

/* "https1.example" tells the truth, "httpsx.example" does not. */
static void
ask_https(struct child *c)
{
	double trip = exponential(0.05), lie = 0;
	struct tls_answer a = { .said = TLS_DATE, .raw = w->raw,
		.real = w->real, .error = 0.5 + trip / 2 };

	if (w->no_https) {
		a.said = TLS_CONNECT;
		(void)snprintf(a.reason, sizeof a.reason, "timed out");
	} else if (c->name[5] == 'x')
		lie = 86400 * 300;
	a.date = (true_real() - ns(trip / 2) + ns(lie)) / NS_PER_S * NS_PER_S;
	memcpy(c->answer, &a, sizeof a);
}

void
child_done(struct child *c)
{
	double luck = uniform();

	memset(c->answer, 0, sizeof c->answer);
	if (c->kind == HELPER_NTS)
		keys_done(c);
	else if (c->kind == HELPER_HTTPS)
		ask_https(c);
	else
		look_up(c);
	if (luck < 0.005 || w->killed) { /* out of memory: killed in the middle */
		c->size /= 2;
		child_ends(c, SIGKILL);
		return;
	}
	child_ends(c, luck < 0.01 ? 1 << 8 : 0);
}
