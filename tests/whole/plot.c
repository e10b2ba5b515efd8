/*
 * plot.c - what a seed is made of: a machine, its servers, a configuration, and
 * the troubles that come to them.  The last part of a seed is without trouble,
 * so that it shows whether the daemon has recovered.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/build.h"
#include "tests/whole/world.h"

#define HOUR 3600.0
/* s: 2028-03-01.  It does not depend on the build, so a seed stays the same. */
#define BEGIN 1835481600
/* s: so long after a lie of the majority nothing is promised: as long as it
 * takes until no sample from then counts. */
#define LIE_LASTS (3 * HOUR)
/* So many of the worlds have servers of NTS. */
#define NTS_WORLDS 0.1

/* ------------------------------------------------------------------- faults */

static const struct {
	enum call call;
	const char *name;
	int errors[6]; /* -1 is the end; 0: a part of the work is done */
} ways[] = {
	{ CALL_ACCEPT, "accept", { EMFILE, ENFILE, ECONNABORTED, EINTR, ENOMEM, -1 } },
	{ CALL_ADJTIMEX, "adjtimex", { EINVAL, -1 } },
	{ CALL_BIND, "bind", { EADDRINUSE, EACCES, EADDRNOTAVAIL, ENOMEM, -1 } },
	{ CALL_CLOSE, "close", { EINTR, EIO, -1 } },
	{ CALL_CONNECT, "connect", { ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EPERM,
		EAGAIN, -1 } },
	{ CALL_DEVICE, "device", { EAGAIN, EBUSY, EIO, -1 } },
	{ CALL_FCNTL, "fcntl", { EMFILE, -1 } },
	{ CALL_FORK, "fork", { EAGAIN, ENOMEM, -1 } },
	{ CALL_FSTAT, "fstat", { EIO, -1 } },
	{ CALL_FSYNC, "fsync", { EIO, ENOSPC, EROFS, -1 } },
	{ CALL_GETRANDOM, "getrandom", { EAGAIN, ENOSYS, EINTR, 0, -1 } },
	{ CALL_GETSOCKNAME, "getsockname", { ENOBUFS, -1 } },
	{ CALL_GETSOCKOPT, "getsockopt", { ENOBUFS, -1 } },
	{ CALL_KILL, "kill", { EPERM, ESRCH, -1 } },
	{ CALL_LISTEN, "listen", { EADDRINUSE, -1 } },
	{ CALL_LOG, "log", { EAGAIN, EPIPE, ENOSPC, EINTR, 0, -1 } },
	{ CALL_MALLOC, "malloc", { ENOMEM, -1 } },
	{ CALL_OPEN, "open", { EMFILE, ENFILE, EACCES, EINTR, ENOMEM, -1 } },
	{ CALL_PIPE, "pipe", { EMFILE, ENFILE, -1 } },
	{ CALL_POLL, "poll", { EINTR, ENOMEM, 0, -1 } },
	{ CALL_PPOLL, "ppoll", { EINTR, ENOMEM, EINVAL, -1 } },
	{ CALL_READ, "read", { EINTR, EIO, 0, -1 } },
	{ CALL_READ_PIPE, "read pipe", { EINTR, EAGAIN, 0, -1 } },
	{ CALL_RECV, "recv", { ECONNRESET, EINTR, ENOBUFS, ENOMEM, -1 } },
	{ CALL_RECVMMSG, "recvmmsg", { EINTR, ENOMEM, ECONNREFUSED, -1 } },
	{ CALL_RECVMSG, "recvmsg", { EINTR, EAGAIN, ECONNREFUSED, ENOMEM, ENOBUFS, -1 } },
	{ CALL_RENAME, "rename", { EBUSY, EACCES, EXDEV, ENOSPC, -1 } },
	{ CALL_SEND, "send", { ENOBUFS, EPERM, EINTR, EAGAIN, ECONNREFUSED, -1 } },
	{ CALL_SEND_STREAM, "send stream", { EAGAIN, EPIPE, ECONNRESET, 0, -1 } },
	{ CALL_SENDMMSG, "sendmmsg", { EINTR, EPERM, ENOBUFS, EAGAIN, -1 } },
	{ CALL_SETSOCKOPT, "setsockopt", { ENOPROTOOPT, ENOMEM, -1 } },
	{ CALL_SHUTDOWN, "shutdown", { ENOTCONN, -1 } },
	{ CALL_SOCKET, "socket", { EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES, -1 } },
	{ CALL_TRUNCATE, "truncate", { EIO, -1 } },
	{ CALL_UNLINK, "unlink", { EBUSY, EACCES, -1 } },
	{ CALL_WAITPID, "waitpid", { EINTR, -1 } },
	{ CALL_WRITE, "write", { ENOSPC, EIO, EINTR, 0, -1 } },
};

void
print_faults(void)
{
	unsigned i;

	for (i = 0; i < sizeof ways / sizeof *ways; i++) {
		const struct fault *f = &w->fault[ways[i].call];

		if (f->until > w->t)
			(void)printf("  %s fails, %.2f of the calls: %s\n",
			    ways[i].name, f->rate,
			    f->error ? strerror(f->error) : "in part");
	}
}

/* ------------------------------------------------------------------ troubles */

/* The majority is no longer to be trusted, or cannot be told from liars. */
static void
taint(double s)
{
	int64_t until = w->t + ns(s + LIE_LASTS);

	if (w->trusted_from < until)
		w->trusted_from = until;
}

static void
begin_fault(void)
{
	const int *errors;
	enum call call;
	int n = 0;

	n = (int)(random_word() % (sizeof ways / sizeof *ways));
	call = ways[n].call;
	errors = ways[n].errors;
	for (n = 0; n < 6 && errors[n] >= 0; n++)
		;
	w->fault[call] = (struct fault){
		.until = w->t + ns(exponential(900)),
		.rate = between(0.01, 0.6),
		.error = errors[random_word() % (unsigned)n],
	};
	/* These do not come each time, or nobody could wait or receive. */
	if (w->fault[call].error != EINTR && w->fault[call].error != EAGAIN &&
	    call != CALL_RECVMSG && call != CALL_RECVMMSG &&
	    call != CALL_RECV && chance(0.5))
		w->fault[call].rate = 1;
	/* The majority of the answers is what counts, and now they may be a
	 * liar's. */
	if (w->plan.liars > 0 && (call == CALL_CONNECT || call == CALL_SEND ||
		call == CALL_SOCKET || call == CALL_RECVMSG ||
		call == CALL_FCNTL || call == CALL_BIND || call == CALL_FORK ||
		call == CALL_PIPE))
		taint(seconds(w->fault[call].until - w->t));
}

static void
set_lie(struct ntp_server *s)
{
	static const double lies[] = { 0.3, 3, 30, 700, 9000, 4e6 };

	s->offset = lies[random_word() % 6] * (chance(0.5) ? 1 : -1);
	/* It goes away from the truth: nobody can tell who lies if a liar comes
	 * near to it. */
	s->drift = chance(0.3) ? copysign(between(0, 600) * PPM, s->offset) : 0;
}

/* In an honest seed those that tell the truth are silent all together only, so
 * that liars do not become the majority. */
static void
trouble_servers(void)
{
	struct ntp_server *s = &w->server[random_word() % (unsigned)w->plan.servers];

	switch (random_word() % 6) {
	case 0:
		w->outage = !w->outage;
		break;
	case 1:
		if (!w->plan.honest || s->lies || w->plan.liars == 0)
			s->silent = !s->silent;
		break;
	case 2:
		if (!w->plan.honest || s->lies || w->plan.liars == 0)
			s->alarm = !s->alarm;
		break;
	case 3:
		w->kissed = true;
		if (!w->plan.honest || s->lies || w->plan.liars == 0)
			(void)snprintf(s->kiss, sizeof s->kiss, "%s",
			    s->kiss[0] ? "" : chance(0.5) ? "RATE" : "DENY");
		break;
	case 4: s->up = exponential(0.03); break;
	default:
		if (!w->plan.honest && chance(0.2)) {
			w->device = chance(0.5) ? 0 : between(-5000, 5000);
			taint(0);
			break;
		}
		if (w->plan.honest && !s->lies)
			break;
		set_lie(s);
		if (chance(0.3))
			s->offset = s->drift = 0;
		if (!w->plan.honest)
			taint(0);
	}
}

static void
trouble_clock(void)
{
	double s;
	bool stops;

	if (chance(0.5)) {
		s = exponential(chance(0.5) ? 30 : 3 * HOUR) + 0.2;
		w->explained += s;
		aside();
		stops = chance(0.3);
		aside();
		if (stops)
			machine_stops(s);
		else
			machine_sleeps(s);
		return;
	}
	s = (chance(0.5) ? 1 : -1) *
	    (0.3 + exponential(chance(0.5) ? 3 : 20000));
	if (w->real + ns(s) < 0)
		return;
	w->explained += fabs(s);
	machine_set(s);
}

static void
trouble_power(void)
{
	int i;

	for (i = 0; i < FILES; i++)
		if (w->file[i].name[0] != '\0' && !w->file[i].safe &&
		    !w->file[i].is_socket)
			w->file[i].size = 0;
	machine_begins();
	w->real = true_real() + ns(between(-2, 2) * exponential(3));
	_exit(LIFE_CRASHED);
}

static void
trouble_place(void)
{
	switch (random_word() % 10) {
	case 9: w->vanished = !w->vanished; break;
	case 7: w->slow = w->slow > 1 ? 1 : 50; break;
	case 8: w->killed = !w->killed; break;
	case 0: w->no_network = !w->no_network; break;
	case 1: w->no_names = !w->no_names; break;
	case 2: w->no_https = !w->no_https; break;
	case 3: w->read_only = !w->read_only; break;
	case 4: w->full = !w->full; break;
	case 5: w->late = w->late > 0 ? 0 : exponential(0.3); break;
	default: w->limit = w->limit < FDS ? FDS : 12 + (int)(random_word() % 8);
	}
}

/* Somebody edits the configuration and sends SIGHUP, or only one of both.  What
 * remains is used: a third of the edits has a mistake, and is refused. */
static void
trouble_conf(void)
{
	struct plan *p = &w->plan;

	switch (random_word() % 6) {
	case 5: p->sensor = !p->sensor; break;
	case 0:
		/* Those that lie come first, and stay the minority. */
		p->servers = 2 * p->liars + 1;
		p->servers += (int)(random_word() %
		    (unsigned)(p->servers_most - p->servers + 1));
		break;
	case 1: p->constraints = (int)(random_word() % 4); break;
	case 2: p->serves = !p->serves; break;
	case 3: p->poll_short = !p->poll_short; break;
	default: p->names = !p->names;
	}
	write_conf(chance(0.3));
	if (chance(0.8))
		w->pending |= 1ULL << SIGHUP;
}

static void
trouble_nts(void)
{
	struct ntp_server *s = &w->server[random_word() % (unsigned)w->plan.servers];

	switch (random_word() % 6) {
	case 0: w->no_keys = !w->no_keys; break;
	case 1: w->attacked = !w->attacked; break;
	case 2: w->large_lost = !w->large_lost; break;
	case 3: /* a line has the word, or has it no more */
		if (w->plan.liars > 0 || w->plan.require)
			return;
		w->plan.nts ^= 1U << random_word() % (unsigned)w->plan.servers_most;
		write_conf(false);
		w->pending |= 1ULL << SIGHUP;
		break;
	default: /* its keys are new */
		s->epoch++;
		s->mute = chance(0.5);
	}
}

static void
ask_to_end(void)
{
	(void)event_add(0, EVENT_STOP);
}

void
plot_happens(void)
{
	w->plots++;
	if (w->calm) {
		w->over = true;
		ask_to_end();
		return;
	}
	if (seconds(w->t) > w->plan.seconds) {
		plot_calm();
		return;
	}
	(void)event_add(exponential(w->plan.every), EVENT_PLOT);
	if (chance(0.3))
		(void)event_add(1, EVENT_ASK);
	if (w->plan.nts != 0 && chance(0.3)) {
		trouble_nts();
		return;
	}
	if (w->plan.edits && chance(0.7)) {
		trouble_conf();
		return;
	}
	switch (random_word() % 20) {
	case 0: case 1: case 2: case 3: case 4: case 5: begin_fault(); break;
	case 6: case 7: case 8: case 9: trouble_servers(); break;
	case 10: case 11: trouble_clock(); break;
	case 12: case 13: case 14: trouble_place(); break;
	case 15:
		if (chance(0.7))
			trouble_conf();
		else
			w->pending |= 1ULL << (chance(0.5) ? SIGHUP : SIGCHLD);
		break;
	case 16: ask_to_end(); break;
	case 17: chance(0.5) ? trouble_power() : _exit(LIFE_CRASHED); break;
	case 18: w->no_clock = chance(0.2); break;
	default: (void)event_add(0, EVENT_ASK);
	}
}

/* All is well from now on; the daemon begins anew if it has lost its right. */
void
plot_calm(void)
{
	int i;

	memset(w->fault, 0, sizeof w->fault);
	for (i = 0; i < w->plan.servers; i++) {
		struct ntp_server *s = &w->server[i];

		s->silent = s->alarm = false;
		s->kiss[0] = '\0';
		if (!w->plan.honest)
			s->offset = s->drift = 0;
	}
	w->read_only = w->full = w->no_network = w->no_names = w->no_https =
	    false;
	w->no_keys = w->attacked = w->large_lost = false;
	w->late = 0;
	w->slow = 1;
	w->outage = w->killed = w->vanished = false;
	if (!w->plan.honest)
		w->device = 0;
	w->calm_error = clock_error();
	w->limit = FDS;
	write_conf(false);
	w->pending |= 1ULL << SIGHUP;
	if (w->no_clock || w->denied)
		ask_to_end();
	w->no_clock = false;
	w->calm = true;
	if (w->plan.rival != RIVAL_NONE)
		rival_happens(); /* it goes */
	/* After RATE a server is asked rarely, for its next replies. */
	(void)event_add(w->plan.quiet * (w->kissed ? 4 : 1), EVENT_PLOT);
}

/* ----------------------------------------------------------------- the begin */

static void
make_server(struct ntp_server *s, bool lies)
{
	s->v6 = chance(0.2);
	s->up = exponential(0.02);
	s->down = exponential(0.02);
	s->jitter = exponential(0.002);
	s->loss = w->plan.liars > 0 || chance(0.5) ? 0 : between(0, 0.15);
	s->stratum = (uint8_t)(1 + random_word() % 4);
	s->root_delay = exponential(0.01);
	s->root_dispersion = 0.001 + exponential(0.01);
	s->offset = between(-1, 1) * (s->root_dispersion - 0.0005);
	s->lies = lies;
	if (lies)
		set_lie(s);
}

static bool
is_pool(void)
{
	return w->plan.names && w->plan.servers > 3;
}

bool
is_nts(void)
{
	return (w->plan.nts &
		   (is_pool() ? 1 : (1U << w->plan.servers) - 1)) != 0;
}

/* One with a mistake is refused, whatever stands before that. */
void
write_conf(bool mistake)
{
	const char *const *names = server_names;
	struct file *f = file_find("/etc/ntpd.conf");
	char *p;
	int i;

	if (f == NULL)
		f = file_make("/etc/ntpd.conf");
	p = f->bytes;
	f->safe = true;
	if (is_pool())
		p += sprintf(p, "servers pool.example%s\n",
		    w->plan.nts & 1 ? " nts" : "");
	else
		for (i = 0; i < w->plan.servers; i++)
			p += w->plan.names ?
			    sprintf(p, "server %s.example", names[i]) :
			    sprintf(p, w->server[i].v6 ? "server fd00::%d" :
				"server 10.0.0.%d", i + 1),
			    p += sprintf(p, "%s%s\n",
				w->plan.poll_short ? " poll 8..64" : "",
				w->plan.nts >> i & 1 ? " nts" : "");
	if (w->plan.require && is_nts())
		p += sprintf(p, "nts require\n");
	for (i = 0; i < w->plan.constraints; i++)
		p += sprintf(p, "constraint from \"https%c.example\"\n",
		    i == 2 ? 'x' : '1' + i);
	if (w->plan.seed & 1)
		p += sprintf(p, "clockbound on \"%s\"\n", PAGE);
	if (w->plan.serves)
		p += sprintf(p, "listen on *\nmetrics on 127.0.0.1\n");
	if (w->plan.sensor)
		p += sprintf(p, "sensor \"ptp0\"%s\n",
		    w->plan.trusted ? " trusted" : "");
	if (mistake)
		p += sprintf(p, "sever 10.0.0.1\n");
	f->size = (int)(p - f->bytes);
	/* Lines that are new begin to exchange keys anew. */
	memset(w->exchange, 0, sizeof w->exchange);
	w->conf_lines = w->plan.constraints; /* they take twice as much */
	for (i = 0; i < f->size; i++)
		w->conf_lines += f->bytes[i] == '\n';
	if (w->lines_most < w->conf_lines)
		w->lines_most = w->conf_lines;
}

static double
start_offset(void)
{
	static const double far[] = { 0.005, 0.3, 5, 200, 5000, 4e5, 3e7 };

	return far[random_word() % 7] * between(-1, 1);
}

/* What the worlds of older programs do not have. */
static void
plot_more(struct plan *p)
{
	static const enum rival_who rivals[] = { RIVAL_CHRONYD, RIVAL_CHRONYD,
		RIVAL_TIMESYNCD, RIVAL_OTHER };

	w->other_random = ~p->seed;
	aside();
	if (chance(0.15))
		p->rival = rivals[random_word() % 4];
	if (p->rival == RIVAL_TIMESYNCD) /* see ntpd(8) */
		p->quiet += 2 * HOUR;
	if (chance(NTS_WORLDS)) {
		/* If some lie, a liar that proves who it is outweighs others
		 * that do not. */
		p->nts = p->liars > 0 ? ~0U : 1U << random_word() % 8 |
			(unsigned)random_word() % 256;
		p->require = chance(0.2);
		write_conf(false);
	}
	aside();
	rival_begins();
}

void
plot_make(uint64_t seed, double days)
{
	struct plan *p = &w->plan;
	struct file *f;
	double hours;
	int i;

	memset(w, 0, sizeof *w);
	w->random = seed;
	p->seed = seed;
	p->honest = chance(0.6);
	p->set = chance(0.6);
	p->syslog = chance(0.3);
	p->names = chance(0.4);
	p->serves = chance(0.3);
	p->poll_short = chance(0.3);
	p->edits = chance(0.15);
	p->servers = 1 + (int)(random_word() % 7);
	p->servers_most = p->servers;
	p->liars = p->servers < 3 || chance(0.5) ? 0 :
	    1 + (int)(random_word() % (unsigned)((p->servers - 1) / 2));
	p->constraints = chance(0.5) ? 0 : 1 + (int)(random_word() % 3);
	p->wander = pow(10, between(-11, -8.5));
	hours = between(0.2, 2.5);
	p->quiet = 1.5 * HOUR;
	p->seconds = hours * HOUR;
	p->every = chance(0.2) ? 20 : exponential(600) + 30;
	if (p->edits) /* by hand */
		p->every += 120;
	if (days > 0) {
		p->seconds = days * 24 * HOUR;
		p->every = HOUR;
		p->names |= chance(0.5);
	}
	p->device = chance(0.4);
	p->way = (int)(random_word() % 3);
	p->sensor = chance(p->device ? 0.7 : 0.1);
	p->trusted = p->device && chance(0.3);
	w->utc = (BEGIN + (int64_t)between(0, 2e8)) * NS_PER_S;
	CHECK(build_epoch < BEGIN, "the program was built after 2028");
	w->osc = between(-80, 80) * PPM;
	w->limit = FDS;
	w->slow = 1;
	for (i = 0; i < p->servers; i++)
		make_server(&w->server[i], i < p->liars);
	machine_begins();
	w->real = w->utc + ns(start_offset());
	f = file_make("/sys/class/ptp/ptp0/clock_name");
	f->size = sprintf(f->bytes, "KVM virtual PTP\n");
	f->safe = true;
	write_conf(false);
	(void)event_add(exponential(p->every), EVENT_PLOT);
	plot_more(p);
}
