/*
 * ntpd.c - the start, the loop, and what the owners tell each other.
 *
 * A turn lets each room do what is due.  Then the loop waits for the
 * descriptors of all of them, and what has come is handed to its owner.  Only
 * this room knows more than one owner; it decides nothing about the time.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "core/build.h"
#include "core/calendar.h"
#include "core/wipe.h"
#include "core/word.h"
#include "ntpd.h"
#include "serve/control.h"
#include "serve/ctl.h"
#include "sys/clockbound.h"
#include "sys/detach.h"
#include "sys/dns.h"
#include "sys/file.h"
#include "sys/instant.h"
#include "sys/keys.h"
#include "sys/link.h"
#include "sys/machine.h"
#include "sys/os.h"
#include "sys/state.h"
#include "sys/watch.h"
#include "tell.h"

#define CONF_PATH "/etc/ntpd.conf"

/* ns to wait when the kernel refuses to watch the descriptors. */
#define REFUSED_WAIT (NS_PER_S / 10)

enum {
	SIGNAL_ROUNDS = 64,  /* turns after which signals are let in, if they
				were not while it waited */
	CONF_MOST = 4 << 20, /* bytes: an endless file is an error */
	OTHER_DESCRIPTORS = 16 + HELPERS_MAX + LISTEN_NTP_MOST + CONTROL_WATCHED
};

struct options {
	bool foreground, check, once, measure, always;
	int verbose;
	const char *conf, *pid;
};

/* The descriptors to wait for, room by room. */
struct watch {
	struct pollfd *p;
	int *source; /* whose the first "sources" entries are */
	int sources, n;
	int helpers, served, controlled; /* how many these rooms have */
	int link, conf; /* their entries, or -1 */
	int machine, machines; /* the first entry, and how many */
};

/* Where the configuration comes from, and what became of it. */
struct origin {
	const char *name;     /* for messages */
	bool built_in;	      /* there was no file: it is the one compiled in */
	struct watched file;  /* it is read again when it changes */
	uint64_t sum;	      /* of the bytes that were read last */
	uint64_t beside;      /* keys_sum, before the other files were read */
	int64_t read;	      /* raw: when they were last good */
	char why[CONSTRAINTS_WHY]; /* why the last ones were refused, or "" */
	struct said said;     /* 1: they were */
	unsigned later;	      /* parts that take effect after a restart */
	bool appeared;	      /* so does a file that was not there */
};

/* All that the daemon knows.  No other room can reach it. */
struct daemon {
	struct options opt;
	struct conf conf;
	uid_t uid; /* of "user" in the configuration */
	gid_t gid;
	struct origin origin;
	struct watch watch;

	struct peers peers;
	struct sensors sensors;
	struct constraints constraints;
	struct steer steer;
	struct tell tell;
	struct clock clock;
	struct helpers helpers;
	struct link link;
	struct machine machine;
	struct clockbound clockbound;
	struct server server;
	struct control control;
	struct listening listening;

	struct sandbox sandbox;	   /* what was reached */
	struct seccomp_refused refused; /* as last told */
	struct detach detach;
	bool quit, daemon; /* it is to end; it has left the terminal */
};

static volatile sig_atomic_t got_quit, got_child, got_reload;

/* -------------------------------------------------------- the owners' talk */

/* What servers and sensors say of the time, or else the constraints. */
static struct known
known_time(const struct constraints *c, const struct steer *s)
{
	const struct bound *b = &c->bound;

	if (s->disc.have)
		return (struct known){ s->disc.ahead, s->disc.distance };
	return (struct known){ b->ahead, b->votes > 0 ? b->width : HUGE_VAL };
}

/* Answer those constraints that ask a sensor. */
static void
answer_sensed(struct sensors *n, struct constraints *c, int64_t raw)
{
	struct constraint_answer a;
	int i;

	for (i = 0; i < c->conf->constraints; i++)
		if (c->conf->constraint[i].sensor &&
		    c->constraint[i].vote[0].asked)
			constraints_sensed(c, i,
			    sensors_bound(n, c->conf->constraint[i].host, &a),
			    &a, raw);
}

void
tell(struct peers *p, struct sensors *n, struct constraints *c,
    struct steer *s)
{
	bool unset = s->setting != SETTING_DONE;

	p->told.unset = unset;
	p->told.starting = c->told.starting = unset || !s->disc.have;
	p->told.synced = c->told.synced = s->synced;
	c->told.keep = s->keeping;
	c->told.freq = discipline_freq(&s->disc);
	c->told.growth = discipline_growth(&s->disc);
	s->told.kept = c->keeper != NULL && c->keeper->have ?
	    &c->keeper->verdict :
	    NULL;
	p->told.freq = n->told.freq = s->disc.freq;
	p->told.freq_sd = n->told.freq_sd = s->disc.freq_sd;
	p->told.bound = s->told.bound = c->bound;
	p->told.roots = c->roots;
	n->told.known = known_time(c, s);
	s->told.first_sent = p->first_sent;
	s->told.last_heard = p->last_heard > n->last_heard ? p->last_heard :
							    n->last_heard;
	s->told.online =
	    c->heard > p->last_named ? c->heard : p->last_named;
	s->told.names_open = unset && peers_names_open(p);
	s->told.anew_at = c->anew_at;
	peers_unauthentic(p, s->told.unauthentic, sizeof s->told.unauthentic);
	s->told.keys_due = peers_keys_due(p);
	p->helpers->conf = p->conf;
	p->helpers->jar = p->jar;
	p->helpers->jars = p->jars;
	constraints_waiting(c, s->told.waiting, sizeof s->told.waiting);
}

bool
grant(struct peers *p, struct sensors *n, struct constraints *c,
    struct steer *s, int64_t raw)
{
	bool names;

	if (c->wish.sensed)
		answer_sensed(n, c, raw);
	if (n->wish.jumped != 0)
		steer_jumped(s, n->wish.jumped, raw);
	if (s->wish.elected) {
		peers_elected(p, s->candidate, s->stood);
		sensors_elected(n, s->candidate, s->stood, p->sources);
	}
	if (s->wish.called) {
		peers_called(p, s->candidate, s->stood);
		sensors_called(n, s->candidate, s->stood, p->sources);
	}
	if (s->wish.leapt != 0) {
		peers_leapt(p, s->wish.leapt);
		sensors_leapt(n, s->wish.leapt);
		constraints_leapt(c, s->wish.leapt);
	}
	if (s->wish.forget) {
		tell(p, n, c, s); /* of a frequency that is less sure now */
		constraints_forget(c, raw);
		/* A sensor's jump may be its own, and then no time has passed:
		 * no server is asked twice in a second. */
		peers_forget(p, later(raw, n->wish.jumped != 0 ? 1 : 0));
		sensors_forget(n, raw);
	}
	if (s->wish.constraints == CONSTRAINTS_AGAIN)
		(void)constraints_again(c, raw);
	if (s->wish.constraints == CONSTRAINTS_BROKEN)
		constraints_broken(c, raw);
	if (p->wish.hurry)
		constraints_hurry(c, raw);
	if (s->wish.early)
		peers_early(p, raw);
	if (s->wish.again || c->wish.again) {
		peers_again(p, raw);
		sensors_again(n, raw);
	}
	if (p->wish.elect || n->wish.elect || c->wish.elect)
		steer_elect(s);
	names = p->wish.names;
	p->wish = (struct peers_wishes){ 0 };
	n->wish = (struct sensors_wishes){ 0 };
	c->wish = (struct constraints_wishes){ 0 };
	s->wish = (struct steer_wishes){ 0 };
	tell(p, n, c, s);
	return names;
}

/* See to the owners' wishes, one of which concerns the names to listen on. */
static void
fulfil(struct daemon *d, int64_t raw)
{
	if (grant(&d->peers, &d->sensors, &d->constraints, &d->steer, raw))
		listen_hurry(&d->listening, raw);
}

/* ----------------------------------------------------------------- the loop */

static void
take_answers(struct daemon *d, int64_t raw)
{
	struct helper_result r;

	if (got_child) {
		got_child = 0;
		helper_reap(&d->helpers);
	}
	while (helper_next(&d->helpers, raw, &r)) {
		switch (r.kind) {
		case HELPER_NAME: peers_named(&d->peers, &r, raw); break;
		case HELPER_CONSTRAINT_NAME:
			constraints_named(&d->constraints, &r, raw);
			break;
		case HELPER_LISTEN_NAME:
			listen_named(&d->listening, &r, raw);
			break;
		case HELPER_NTS: peers_keyed(&d->peers, &r, raw); break;
		case HELPER_NTS_NAME:
			peers_led(&d->peers, &r, raw);
			break;
		case HELPER_HTTPS:
			/* The answer may be younger than this turn. */
			constraints_answered(
			    &d->constraints, &r, clock_read().raw);
			break;
		}
		fulfil(d, raw);
	}
}

/* As in OpenNTPD 6.2, -d is enough to see replies; details need -v -v. */
static enum log_class
log_class_wanted(const struct daemon *d)
{
	if (d->opt.verbose >= 2)
		return LOG_CLASS_DETAIL;
	return d->opt.foreground ? LOG_CLASS_DEBUG : LOG_CLASS_INFO;
}

/* Leave the terminal, unless that is not wanted or done already. */
static void
detach(struct daemon *d)
{
	if (d->opt.foreground || d->daemon)
		return;
	detach_end(&d->detach);
	d->daemon = true;
}

/* Say which system call the sandbox has refused.  Either the program was taken
 * over, or its C library needs a call that is not in the table. */
static void
tell_refused(struct daemon *d)
{
	struct seccomp_refused r;

	seccomp_refused(&r);
	if (r.daemon + r.children == d->refused.daemon + d->refused.children)
		return;
	log_line(LOG_CLASS_WARN,
	    "the sandbox refused system call %d of %s: please report it",
	    r.last, r.daemon != d->refused.daemon ? "the daemon" : "a child");
	d->refused = r;
}

/* ------------------------------------------------------- the configuration */

/* Why the configuration's file cannot be read.  It may be a link, as that of a
 * ConfigMap is, but not one to a FIFO or device that somebody planted. */
static const char *
unreadable(int error)
{
	switch (error) {
	case EISDIR:
		return "is a directory, not a configuration file (a container engine makes one when the mount's source is missing)";
	case EINVAL: return "not a regular file";
	case EINTR: return "interrupted";
	case EFBIG: return "larger than 4194304 bytes";
	default: return strerror(error);
	}
}

/* Log what the parser has to say, and keep the first error. */
static void
say_messages(struct origin *o, struct conf_messages *m)
{
	int i, errors = 0;

	for (i = 0; i < m->count; i++) {
		const struct conf_message *one = &m->message[i];

		if (!one->warning && errors++ == 0)
			(void)snprintf(o->why, sizeof o->why, "%s:%d:%d: %s",
			    o->name, one->line, one->column, one->text);
		log_line(LOG_CLASS_WARN, "%s:%d:%d: %s%s", o->name, one->line,
		    one->column, one->warning ? "warning: " : "", one->text);
	}
	if (m->errors > errors)
		log_line(LOG_CLASS_WARN, "%s: out of memory", o->name);
	if (m->errors > errors && errors == 0)
		(void)snprintf(
		    o->why, sizeof o->why, "%s: out of memory", o->name);
	config_free_messages(m);
}

/* A number for the bytes of a file, by which a change is noticed (FNV-1a). */
static uint64_t
sum_of(const char *text, size_t size)
{
	uint64_t sum = 0xcbf29ce484222325;

	for (size_t i = 0; text != NULL && i < size; i++)
		sum = (sum ^ (uint8_t)text[i]) * 0x100000001b3;
	return sum;
}

/* The configuration's file, if it has one that can be read again. */
static const char *
conf_file(const struct daemon *d)
{
	const char *name = d->origin.name;

	return *name == '(' || strncmp(name, "/dev/", 5) == 0 ? NULL : name;
}

/* Each source that waits for a reply has a socket. */
static void
allow_descriptors(int n)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= (rlim_t)n)
		return;
	r.rlim_cur = r.rlim_max < (rlim_t)n ? r.rlim_max : (rlim_t)n;
	(void)setrlimit(RLIMIT_NOFILE, &r); /* if not, some are asked later */
}

static bool
waits_make(struct watch *w, int sources)
{
	memset(w, 0, sizeof *w);
	w->p = calloc((size_t)sources + 3 + HELPERS_MAX + LISTEN_NTP_MOST +
		CONTROL_WATCHED + MACHINE_WATCHED, sizeof *w->p);
	w->source = calloc((size_t)sources + 1, sizeof *w->source);
	return w->p != NULL && w->source != NULL;
}

static void
waits_unmake(struct watch *w)
{
	free(w->p);
	free(w->source);
}

/* What a new configuration needs before it can take the place of the old one.
 * Afterwards it holds what is to be freed. */
struct renewal {
	struct conf conf;
	unsigned later;
	struct peers peers;
	struct constraints constraints;
	struct watch watch;
	struct candidate *candidate;
	int *to; /* the new numbers of the sources */
};

/* Make it all.  False: why says what is wrong. */
static bool
prepare(struct daemon *d, struct renewal *r, int64_t raw)
{
	char *why = d->origin.why;
	bool made;

	r->later = sandbox_later(&d->sandbox, &d->conf, &r->conf);
	r->peers.conf = r->constraints.conf = &r->conf;
	r->constraints.conf_name = d->origin.name;
	made = config_retain(&r->conf, &d->conf, r->later) &&
	    peers_make(&r->peers, raw) &&
	    constraints_make(&r->constraints, raw) &&
	    waits_make(&r->watch, r->peers.sources) &&
	    (r->candidate = calloc((size_t)r->peers.sources +
			d->sensors.sensors + 1, sizeof *r->candidate)) != NULL &&
	    (r->to = calloc(2 * (size_t)d->peers.sources + 1,
		 sizeof *r->to)) != NULL;
	if (made) {
		d->origin.beside = keys_sum(&r->conf);
		return constraints_load_roots(
			   &r->constraints, &d->constraints, why) &&
		    keys_load(&r->conf, d->origin.name, why,
			sizeof d->origin.why);
	}
	(void)snprintf(why, sizeof d->origin.why,
	    errno == E2BIG ? "%s: more than 4096 servers" :
			     "%s: out of memory",
	    d->origin.name);
	return false;
}

/* Put a good configuration in force.  False without memory. */
static bool
renew(struct daemon *d, struct renewal *r, int64_t raw)
{
	struct conf old = d->conf;
	struct watch watch = d->watch;

	if (!listen_reload(&d->listening, &r->conf, &d->helpers, raw)) {
		(void)snprintf(d->origin.why, sizeof d->origin.why,
		    "%s: out of memory", d->origin.name);
		return false;
	}
	/* The owners find the old one at another place, and the new one at the
	 * place that they know, as the sandbox does. */
	d->conf = r->conf;
	r->conf = old;
	d->peers.conf = d->constraints.conf = &r->conf;
	r->peers.conf = r->constraints.conf = &d->conf;
	peers_reload(&d->peers, &r->peers, r->to, raw);
	constraints_reload(&d->constraints, &r->constraints, raw);
	steer_reload(&d->steer, &d->conf, d->peers.source, d->peers.sources,
	    r->candidate, r->to);
	sensors_reload(&d->sensors, raw);
	serve_reload(&d->server, &d->conf);
	clock_reload(&d->clock, d->conf.owner);
	d->watch = r->watch;
	r->watch = watch;
	r->candidate = NULL;
	allow_descriptors(d->peers.sources + OTHER_DESCRIPTORS);
	return true;
}

/* Free what is not needed any more: the old one, or a new one that is bad. */
static void
discard(struct daemon *d, struct renewal *r)
{
	peers_unmake(&r->peers);
	constraints_unmake(&r->constraints, &d->constraints);
	waits_unmake(&r->watch);
	free(r->candidate);
	free(r->to);
	config_free(&r->conf);
}

/* The parts of enum conf_part in words, one behind the other. */
static const char part_words[] = "user\0strict\0driftfile\0cafile\0constraint\0"
				 "metrics on\0listen on\0sensor\0nts port\0"
				 "clockbound";
/* All of them, with ", " in place of each NUL but the last. */
_Static_assert(sizeof part_words + CONF_PARTS - 1 <=
	sizeof ((struct status *)0)->conf_later, "they are cut off");

/* Say once of each part that it takes effect after a restart. */
static void
say_later(struct origin *o, unsigned later)
{
	for (int i = 0; i < CONF_PARTS; i++)
		if (later & ~o->later & 1u << i)
			log_line(LOG_CLASS_WARN,
			    "%s: %s takes effect after a restart", o->name,
			    word_at(part_words, i));
	o->later = later;
}

/* There is no file, or none that could be read again. */
static void
reload_none(struct origin *o, enum watch_said said)
{
	bool there = o->built_in && o->file.seen.error == 0;

	if (there && (!o->appeared || said == WATCH_ASKED))
		log_line(LOG_CLASS_WARN, "%s takes effect after a restart",
		    CONF_PATH);
	else if (said == WATCH_ASKED)
		log_line(LOG_CLASS_INFO, "configuration %s: it cannot be read again",
		    o->name);
	o->appeared = there;
}

static void
say_refused(const struct origin *o)
{
	log_line(LOG_CLASS_WARN,
	    "%s: refused, the former configuration stays in force", o->name);
}

/* Put the text of the file in force, if it is good.  If only something beside it
 * is missing, as memory or the file of the roots, it is to be read again, and
 * that is told once. */
static void
take_text(struct daemon *d, const char *text, size_t size, bool same,
    int64_t raw)
{
	struct origin *o = &d->origin;
	struct renewal r = { 0 };
	struct conf_messages m;
	char before[CONSTRAINTS_WHY];
	bool parsed, good;

	(void)strcpy(before, o->why);
	o->why[0] = '\0';
	parsed = config_parse(text, size, &r.conf, &m);
	say_messages(o, &m);
	good = parsed && prepare(d, &r, raw) && renew(d, &r, raw);
	if (good) {
		log_line(LOG_CLASS_INFO,
		    same ? "%s: read again, unchanged" : "%s: read again",
		    o->name);
		say_later(o, r.later);
		o->read = raw;
	} else if (!parsed)
		say_refused(o);
	else {
		o->sum = ~o->sum;
		if (strcmp(before, o->why) != 0) {
			log_line(LOG_CLASS_WARN, "%s", o->why);
			say_refused(o);
		}
	}
	discard(d, &r);
}

/* Is this perhaps half of a file?  That is not to be judged yet. */
static bool
may_be_half(const char *text, size_t size)
{
	struct conf_messages m;
	struct conf conf;
	bool good;

	if (text == NULL || size == 0)
		return true;
	good = config_parse(text, size, &conf, &m);
	config_free_messages(&m);
	config_free(&conf);
	return !good;
}

/* Free the text of a configuration, which may have keys. */
static void
forget(char *text, size_t size)
{
	if (text != NULL)
		secret_wipe(text, size);
	free(text);
}

static void
reload(struct daemon *d, enum watch_said said, int64_t raw)
{
	struct origin *o = &d->origin;
	size_t size = 0;
	char *text = file_read(o->name, CONF_MOST, NULL, &size);
	uint64_t sum = text != NULL ? sum_of(text, size) : (uint64_t)errno;
	uint64_t beside = keys_sum(&d->conf);
	bool asked = said == WATCH_ASKED;
	bool same = sum == o->sum && beside == o->beside;
	bool half = !asked && !same && !o->file.doubted &&
	    may_be_half(text, size);

	if (!half && (asked || !same)) { /* else only its times have changed */
		o->sum = sum;
		o->beside = beside;
		if (text != NULL)
			take_text(d, text, size, same, raw);
		else {
			(void)snprintf(o->why, sizeof o->why, "%s: %s",
			    o->name, unreadable((int)sum));
			log_line(LOG_CLASS_WARN, "%s", o->why);
			say_refused(o);
		}
	}
	if (half || text == NULL || o->sum != sum)
		watch_doubt(&o->file, raw);
	else
		o->file.doubted = false;
	forget(text, size);
}

/* See to the file of the configuration. */
static void
reload_turn(struct daemon *d, int64_t raw)
{
	struct origin *o = &d->origin;
	enum watch_said said;
	double lasted;

	if (d->opt.once)
		return;
	if (got_reload) {
		got_reload = 0;
		watch_ask(&o->file);
	}
	said = watch_turn(&o->file, raw);
	if (said != WATCH_REST && conf_file(d) == NULL)
		reload_none(o, said);
	else if (said != WATCH_REST) {
		raw = clock_read().raw;
		reload(d, said, raw);
		watch_rest(&o->file, raw, clock_read().raw);
	}
	(void)said_news(&o->said, o->why[0] != '\0', raw);
	if (said_still(&o->said, raw, &lasted))
		log_line(LOG_CLASS_STATE,
		    "for %.0f h: the configuration is refused: %s",
		    lasted / 3600, o->why);
}

/* Has each server and each constraint said something? */
static bool
all_heard(const struct daemon *d)
{
	int i = d->conf.constraints;

	while (i > 0 && d->constraints.constraint[i - 1].answered)
		i--;
	return i == 0 && peers_all_heard(&d->peers);
}

/* -q has done its work; with -v it then waits for the others, too. */
static bool
is_over(const struct daemon *d)
{
	return d->opt.once &&
	    (d->steer.over ||
		(d->steer.setting == SETTING_DONE &&
		    (d->opt.verbose == 0 || all_heard(d))));
}

/* Tell programs how wrong the clock can be. */
static void
promise(struct daemon *d)
{
	struct clockbound_promise p;
	struct instant now;

	if (!d->clockbound.open)
		return;
	now = clock_read();
	tell_programs(&d->steer, &now, &p);
	p.vmclock = d->machine.known;
	if (p.vmclock)
		p.marker = d->machine.disruption;
	clockbound_write(&d->clockbound, &p, now.raw);
}

static void
turn(struct daemon *d, const struct instant *now)
{
	d->steer.told.machine = machine_look(&d->machine);
	steer_notice(&d->steer, now);
	fulfil(d, now->raw);
	reload_turn(d, now->raw);
	fulfil(d, now->raw);
	take_answers(d, now->raw);
	if (link_changed(&d->link, now->raw))
		peers_anew(&d->peers, now->raw);
	fulfil(d, now->raw);
	sensors_turn(&d->sensors, now->raw);
	fulfil(d, now->raw);
	constraints_turn(&d->constraints, now);
	fulfil(d, now->raw);
	peers_turn(&d->peers, now);
	fulfil(d, now->raw);
	listen_turn(&d->listening, &d->helpers, now->raw);
	steer_turn(&d->steer, now);
	fulfil(d, now->raw);
	/* Before the log and the disk, for which it might have to wait. */
	promise(d);
	tell_log(&d->tell, &d->steer, now);
	steer_save(&d->steer, now->raw);
	tell_refused(d);
	log_turn(now->raw);
	if (is_over(d))
		d->quit = true;
	if (!d->quit && (d->steer.setting != SETTING_ALWAYS || d->steer.over))
		detach(d);
}

/* Raw time of the next thing to do. */
static int64_t
next_due(const struct daemon *d)
{
	int64_t due = sooner(steer_due(&d->steer), helper_due(&d->helpers));

	due = sooner(due, peers_due(&d->peers));
	due = sooner(due, sensors_due(&d->sensors));
	due = sooner(due, constraints_due(&d->constraints));
	due = sooner(due, listen_due(&d->listening));
	due = sooner(due, control_due(&d->control));
	due = sooner(due, clockbound_due(&d->clockbound));
	due = sooner(due, log_due());
	due = sooner(due, watch_due(&d->origin.file));
	return sooner(due, d->link.due);
}

/* ns to wait, on the clock that poll(2) uses.  That clock runs at the speed
 * that we gave it, and to wake up too early would be a wake-up in vain. */
static int64_t
wait_ns(const struct daemon *d, const struct instant *now)
{
	const int64_t slack = 20000; /* ns: rounding */
	int64_t due = next_due(d);

	if (due == NEVER)
		return NEVER;
	if (due <= now->raw)
		return 0;
	return (int64_t)((double)(due - now->raw) *
		   (1 + fmax(0, d->clock.last.freq))) +
	    slack;
}


/* Collect the descriptors that all rooms wait for. */
static void
gather(const struct daemon *d, struct watch *w)
{
	int i;

	w->sources = 0;
	for (i = 0; i < d->peers.sources; i++)
		if (d->peers.fd[i] >= 0) {
			w->source[w->sources] = i;
			w->p[w->sources++] =
			    (struct pollfd){ d->peers.fd[i], POLLIN, 0 };
		}
	w->n = w->sources;
	w->served = listen_watch(
	    &d->listening, LISTEN_NTP, w->p + w->n, LISTEN_NTP_MOST);
	w->n += w->served;
	w->controlled =
	    control_watch(&d->control, w->p + w->n, CONTROL_WATCHED);
	w->n += w->controlled;
	w->helpers = helper_watch(&d->helpers, w->p + w->n, HELPERS_MAX);
	w->n += w->helpers;
	w->link = w->conf = -1;
	if (watch_listens(&d->origin.file)) {
		w->conf = w->n;
		w->p[w->n++] =
		    (struct pollfd){ d->origin.file.fd, POLLIN, 0 };
	}
	if (d->link.fd >= 0 && !peers_well(&d->peers)) {
		w->link = w->n;
		w->p[w->n++] = (struct pollfd){ d->link.fd, POLLIN, 0 };
	}
	w->machine = w->n;
	w->machines = machine_watch(&d->machine, w->p + w->n);
	w->n += w->machines;
	if (d->clock.timer >= 0)
		w->p[w->n++] = (struct pollfd){ d->clock.timer, POLLIN, 0 };
}

/* Fill in the part of the status that is about the configuration's file. */
static void
show_origin(const struct daemon *d, const struct instant *now, struct status *s)
{
	size_t used = 0;

	s->conf_good = d->origin.why[0] == '\0';
	s->conf_why = d->origin.why;
	s->conf_read = now->real - (now->raw - d->origin.read);
	s->conf_restart = d->origin.later != 0 || d->origin.appeared;
	if (d->origin.appeared)
		(void)snprintf(s->conf_later, sizeof s->conf_later, "%s",
		    CONF_PATH);
	for (int i = 0; i < CONF_PARTS; i++)
		if (d->origin.later & 1u << i)
			used += (size_t)snprintf(s->conf_later + used,
			    sizeof s->conf_later - used, "%s%s",
			    used > 0 ? ", " : "",
			    word_at(part_words, i));
}

/* -q -v: show what was found of the network.  One call writes all of it, unless
 * a disk is full; then nothing else can be done. */
static void
show_screen(const struct status *s)
{
	size_t size = status_render(VIEW_SCREEN, s, NULL, 0);
	char *text = malloc(size);

	if (text != NULL) {
		(void)status_render(VIEW_SCREEN, s, text, size);
		(void)write(STDOUT_FILENO, text, size);
	}
	free(text);
}

/* Answer those who asked with what each room shows, if memory allows it. */
static void
answer_control(struct daemon *d, const struct instant *now)
{
	int listeners = d->listening.listeners + d->listening.lines;
	struct status_source *source;
	struct status_sensor *sensor;
	struct status_constraint *constraint;
	struct status_listener *listener;
	struct status s = { 0 };

	/* One piece of memory for all of them, in which each row begins where the
	 * one before it ends. */
	_Static_assert(_Alignof(struct status_sensor) <=
		_Alignof(struct status_source) &&
	    _Alignof(struct status_constraint) <=
		_Alignof(struct status_sensor) &&
	    _Alignof(struct status_listener) <=
		_Alignof(struct status_constraint),
	    "no row needs more alignment than the one before it");
	source = calloc(1, sizeof *source * (size_t)d->peers.sources +
		sizeof *sensor * (size_t)d->sensors.sensors +
		sizeof *constraint * (size_t)d->conf.constraints +
		sizeof *listener * (size_t)listeners + 1);
	if (source != NULL) {
		sensor = (void *)(source + d->peers.sources);
		constraint = (void *)(sensor + d->sensors.sensors);
		listener = (void *)(constraint + d->conf.constraints);
		s.listener = listener;
		peers_show(&d->peers, now, source, &s);
		sensors_show(&d->sensors, now, sensor, &s);
		constraints_show(&d->constraints, now, constraint, &s);
		s.listeners = listen_status(
		    &d->listening, LISTEN_NTP, listener, listeners);
		s.listeners += listen_status(&d->listening, LISTEN_METRICS,
		    listener + s.listeners, listeners - s.listeners);
		s.server = d->server.counters;
		s.dropped_words = serve_words;
		sandbox_text(&d->sandbox, s.sandbox);
		show_origin(d, now, &s);
		s.refused = d->refused.daemon + d->refused.children;
		tell_status(&d->tell, &d->steer, now, &s);
		if (d->opt.once)
			show_screen(&s);
		else
			control_answer(&d->control, &s, now->raw);
	}
	free(source);
}

/* Hand what has come to its owner.  The next turn looks at the clock's timer
 * and at the children's answers. */
static void
deliver(struct daemon *d, struct watch *w)
{
	const struct pollfd *p = w->p;
	struct serving serving;
	struct instant now;
	int i;

	for (i = 0; i < w->sources; i++)
		if (p[i].revents != 0 && d->peers.fd[w->source[i]] == p[i].fd)
			peers_reply(&d->peers, w->source[i]);
	p += w->sources;
	now = clock_read();
	fulfil(d, now.raw);
	if (d->listening.count[LISTEN_NTP] > 0) {
		tell_clients(&d->steer, &now, &serving);
		serve_deliver(&d->server, p, w->served, &serving);
		if (serve_echo(&d->server))
			peers_echoed(&d->peers, now.raw);
	}
	now = clock_read();
	if (control_deliver(
		&d->control, p + w->served, w->controlled, now.raw))
		answer_control(d, &now);
	if (w->link >= 0 && w->p[w->link].revents != 0)
		link_read(&d->link, clock_read().raw);
	for (i = 0; i < w->machines; i++)
		if (w->p[w->machine + i].revents != 0)
			machine_read(&d->machine);
	if (w->conf >= 0 && w->p[w->conf].revents != 0)
		watch_told(&d->origin.file, now.raw);
}

static void
on_signal(int sig)
{
	if (sig == SIGCHLD)
		got_child = 1;
	else if (sig == SIGHUP)
		got_reload = 1;
	else
		got_quit = 1;
}

static void
catch_signals(void)
{
	static const int caught[] = { SIGTERM, SIGINT, SIGCHLD, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal };
	size_t i;

	(void)sigfillset(&sa.sa_mask);
	for (i = 0; i < sizeof caught / sizeof *caught; i++)
		(void)sigaction(caught[i], &sa, NULL);
	sa.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &sa, NULL);
	(void)sigaction(SIGUSR1, &sa, NULL);
	(void)sigaction(SIGUSR2, &sa, NULL);
}

static int
run(struct daemon *d)
{
	struct watch *w = &d->watch;
	struct instant now;
	unsigned rounds = 0;
	int i;

	if (d->steer.setting != SETTING_ALWAYS)
		detach(d);
	log_line(LOG_CLASS_INFO, "ntp engine ready");
	notify_supervisor(d->clock.permission == CLOCK_DENIED ?
		"READY=1\nSTATUS=only measuring, see the log" :
		"READY=1\nSTATUS=clock not yet synced");
	while (!got_quit && !d->quit) {
		now = clock_read();
		turn(d, &now);
		if (d->quit)
			break;
		gather(d, w);
		if (wait_for(w->p, w->n, wait_ns(d, &now)) < 0) {
			/* There is no memory, or RLIMIT_NOFILE was lowered.
			 * Signals must be let in all the same, and this must
			 * not become a busy loop. */
			if (errno != EINTR)
				(void)wait_for(NULL, 0, REFUSED_WAIT);
			for (i = 0; i < w->n; i++)
				w->p[i].revents = 0;
		}
		/* ppoll(2) lets signals in only if no descriptor is ready,
		 * which may never be while others flood us with requests. */
		if (++rounds % SIGNAL_ROUNDS == 0)
			(void)wait_for(NULL, 0, 0);
		deliver(d, w);
	}
	notify_supervisor("STOPPING=1");
	helper_end(&d->helpers);
	now = clock_read();
	if (d->opt.once && d->opt.verbose > 0)
		answer_control(d, &now);
	steer_end(&d->steer, &now);
	control_close(&d->control);
	listen_close(&d->listening);
	log_calm(false);
	if (!d->opt.once) {
		log_line(LOG_CLASS_INFO, "ntp engine exiting");
		log_line(LOG_CLASS_INFO, "Terminating");
	}
	detach_forget(&d->detach, d->opt.pid);
	waits_unmake(w);
	return d->opt.once ? d->steer.status : 0;
}

/* ---------------------------------------------------------------- the start */

static void
usage(FILE *to)
{
	(void)fputs("usage: ntpd [-dhnqSsVvx] [-f file] [-p file]\n", to);
}

static void
help(void)
{
	usage(stdout);
	(void)fputs(
	    "  -d       stay in the foreground, log to stderr with replies\n"
	    "  -f file  configuration (default $NTP_CONF_FILE, else " CONF_PATH
	    ",\n           else the one compiled in)\n"
	    "  -h       this\n"
	    "  -n       check the configuration and exit\n"
	    "  -p file  write the process id there once a daemon\n"
	    "  -q       set or verify the clock once and exit: 0 done,\n"
	    "           1 no majority in 15 s, 2 not permitted\n"
	    "  -s       set the clock at start, by the majority's word\n"
	    "  -S       do not (cancels -s)\n"
	    "  -v       with -n or -q: say more; twice: all messages\n"
	    "  -V       version and build date\n"
	    "  -x       measure only, never touch the clock\n"
	    "ntpctl shows the state of a running daemon\n",
	    stdout);
}

static void
version(void)
{
	char text[CALENDAR_TEXT], newest[CALENDAR_TEXT];

	(void)printf("ntpd %s, built %s\n%s\n", build_version,
	    calendar_text(build_epoch, CALENDAR_DAY, text), build_linked);
	(void)printf("%d CA roots of bundle %s, the newest of %s, the first expires %s\n",
	    trust_built_in.count, trust_built_in.bundle,
	    calendar_text(trust_built_in.newest, CALENDAR_DAY, newest),
	    calendar_text(trust_built_in.expire, CALENDAR_DAY, text));
}

/* Say which option was not understood, and what would be, in the words of
 * glibc's getopt(3).  Of a long option getopt(3) knows only the second dash. */
static _Noreturn void
wrong_option(int c, const char *word)
{
	if (c == ':')
		(void)fprintf(stderr,
		    "ntpd: option requires an argument -- '%c', a file\n",
		    optopt);
	else if (optopt == '-')
		(void)fprintf(stderr,
		    "ntpd: unrecognized option '%s', -h lists all\n", word);
	else
		(void)fprintf(stderr,
		    "ntpd: invalid option -- '%c', -h lists all\n", optopt);
	usage(stderr);
	exit(1);
}

static _Noreturn void
wrong_word(const char *word)
{
	(void)fprintf(stderr,
	    ctl_shows(word) ?
		"ntpd: '%s' is what ntpctl shows of the daemon that runs\n" :
		"ntpd: '%s' is no option; servers stand in the configuration, see -f\n",
	    word);
	usage(stderr);
	exit(1);
}

static void
parse_options(int argc, char **argv, struct options *o)
{
	const char *word = "";
	int c, i;

	/* The long options come first, since getopt(3) knows none. */
	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0)
			help();
		else if (strcmp(argv[i], "--version") == 0)
			version();
		else
			continue;
		exit(0);
	}
	opterr = 0;
	while (word = optind < argc ? argv[optind] : "",
	    (c = getopt(argc, argv, ":df:hnp:qSsVvx")) != -1)
		switch (c) {
		case 'd': o->foreground = true; break;
		case 'f':
			o->conf = strcmp(optarg, "-") == 0 ? "/dev/stdin" :
							     optarg;
			break;
		case 'h': help(); exit(0);
		case 'n': o->check = true; break;
		case 'p': o->pid = optarg; break;
		case 'q': o->once = true; break;
		case 'S': o->always = false; break;
		case 's': o->always = true; break;
		case 'V': version(); exit(0);
		case 'v': o->verbose++; break;
		case 'x': o->measure = true; break;
		default: wrong_option(c, word);
		}
	if (optind < argc)
		wrong_word(argv[optind]);
	o->always |= o->once;
	if (o->once || getpid() == 1 || access("/dev/log", F_OK) < 0)
		o->foreground = true;
}

static const char default_conf[] =
#include "default_conf.h"
    ;

/* Find out which configuration there is, and take it.  Exits with a message if
 * it cannot be had, or has mistakes. */
static void
load_conf(struct daemon *d)
{
	const char *path = d->opt.conf, *env = secure_getenv("NTP_CONF_FILE");
	struct origin *o = &d->origin;
	struct conf_messages m;
	char *text;
	size_t size;
	bool good;

	if (path == NULL && env != NULL && *env != '\0')
		path = env;
	o->name = path != NULL ? path : CONF_PATH;
	text = file_read(o->name, CONF_MOST, &got_quit, &size);
	if (text == NULL &&
	    (path != NULL || (errno != ENOENT && errno != ENOTDIR)))
		fatal("%s: %s", o->name, unreadable(errno));
	if (text == NULL) {
		o->name = "(compiled in)";
		o->built_in = true;
		size = sizeof default_conf - 1;
	}
	good = config_parse(
	    text != NULL ? text : default_conf, size, &d->conf, &m);
	if (good && !d->opt.check && d->opt.verbose < 2)
		log_calm(true);
	say_messages(o, &m);
	if (!good)
		exit(1);
	o->beside = keys_sum(&d->conf);
	if (!keys_load(&d->conf, o->name, o->why, sizeof o->why))
		fatal("%s", o->why);
	o->sum = sum_of(text, size);
	forget(text, size);
	o->why[0] = '\0';
	if (d->conf.user != NULL &&
	    !rights_ids(d->conf.user, &d->uid, &d->gid))
		fatal("%s:%d: no user %s in /etc/passwd; a number would be below 2147483648",
		    o->name, d->conf.user_line, d->conf.user);
}

static void
say_permission(const struct daemon *d)
{
	if (d->clock.permission == CLOCK_DENIED && d->conf.strict &&
	    !d->opt.once)
		fatal("adjtimex failed: %s: the configuration says strict; %s",
		    strerror(d->clock.error), d->clock.remedy);
	if (d->clock.permission == CLOCK_DENIED)
		log_line(LOG_CLASS_WARN,
		    "adjtimex failed: %s: only measuring, the clock is left alone; %s",
		    strerror(d->clock.error), d->clock.remedy);
	else if (d->clock.permission == CLOCK_MEASURE)
		log_line(LOG_CLASS_INFO,
		    "only measuring, the clock is left alone (-x)");
}

/* Are we called as "ntpctl", or as "ntpd ctl"? */
static bool
is_ctl(int *argc, char ***argv)
{
	const char *name = *argc > 0 ? strrchr((*argv)[0], '/') : NULL;

	name = name != NULL ? name + 1 : *argc > 0 ? (*argv)[0] : "";
	if (strcmp(name, "ntpctl") == 0)
		return true;
	if (*argc < 2 || strcmp((*argv)[1], "ctl") != 0)
		return false;
	(*argc)--;
	(*argv)++;
	return true;
}

/* The control socket, the listeners of metrics and of the NTP server, the page
 * for programs. */
static void
open_doors(struct daemon *d, int64_t raw)
{
	enum control_said said;

	serve_start(&d->server, &d->conf, &d->listening);
	control_start(&d->control, &d->listening);
	if (d->opt.once)
		return;
	said = control_open(&d->control);
	if (said == CONTROL_BUSY && d->clock.permission == CLOCK_MAY)
		fatal("ntpd already running: it answers at %s", d->control.at);
	if (said != CONTROL_OPEN)
		log_line(LOG_CLASS_DEBUG, "no control socket %s: %s",
		    d->control.at,
		    said == CONTROL_BUSY ? "another ntpd answers there" :
					   strerror(errno));
	listen_open(&d->listening, &d->conf, raw);
	/* A second daemon only measures: the page is not its own. */
	if (d->conf.clockbound != NULL && said != CONTROL_BUSY &&
	    !clockbound_open(&d->clockbound, d->conf.clockbound))
		log_line(LOG_CLASS_WARN,
		    errno == EAGAIN ?
			"no clockbound page %s: %s: another ntpd writes it" :
			"no clockbound page %s: %s; its directory must exist and be writable",
		    d->conf.clockbound, strerror(errno));
}

/* Become the user of the configuration, if it names one. */
static void
change_user(const struct daemon *d)
{
	if (d->conf.user == NULL)
		return;
	control_give(&d->control, d->uid, d->gid);
	if (!rights_become(d->uid, d->gid)) {
		int error = errno;

		detach_forget(&d->detach, d->opt.pid);
		fatal("%s:%d: can't become user %s: %s (it needs CAP_SETUID and CAP_SETGID)",
		    d->origin.name, d->conf.user_line, d->conf.user,
		    strerror(error));
	}
	if (!d->opt.foreground && !d->opt.check)
		detach_follow(&d->detach);
}

/* All that needs more rights is done: give them up. */
static void
enter_sandbox(struct daemon *d)
{
	const struct sandbox_files files = {
		.conf = conf_file(d),
		.drift = drift_path(&d->conf),
		.pid = d->detach.pid >= 0 ? d->opt.pid : NULL,
		.control = control_path(),
	};
	char text[SANDBOX_TEXT];

	change_user(d);
	sandbox_daemon(&d->conf, &files, &d->sandbox);
	sandbox_text(&d->sandbox, text);
	log_line(LOG_CLASS_DETAIL, "sandbox: %s", text);
}

/* Lend the owners what they work with. */
static void
lend(struct daemon *d)
{
	/* OpenNTPD 6.2 shows these lines with -d only if there is -s too. */
	enum log_class start =
	    d->opt.always ? LOG_CLASS_DEBUG : LOG_CLASS_DETAIL;

	d->peers.conf = d->constraints.conf = d->steer.conf = &d->conf;
	d->sensors.conf = &d->conf;
	d->sensors.bound = &d->constraints.bound;
	d->peers.conf_name = d->constraints.conf_name = d->origin.name;
	d->peers.helpers = d->constraints.helpers = &d->helpers;
	d->peers.server = &d->server;
	d->peers.start = d->steer.start = start;
	d->steer.clock = &d->clock;
	d->steer.always = d->opt.always;
	d->steer.once = d->opt.once;
}

static void
make_owners(struct daemon *d, const struct instant *now)
{
	if (!peers_make(&d->peers, now->raw) ||
	    !constraints_make(&d->constraints, now->raw) ||
	    !waits_make(&d->watch, d->peers.sources))
		fatal(errno == E2BIG ? "%s: more than 4096 servers" :
				       "%s: out of memory",
		    d->origin.name);
	d->peers.precision = d->clock.precision;
	d->steer.source = d->peers.source;
	d->steer.sources = d->peers.sources;
	sensors_open(&d->sensors, now->raw);
	d->steer.sensor = d->sensors.source;
	d->steer.sensors = d->sensors.sensors;
	steer_start(&d->steer, now);
	tell(&d->peers, &d->sensors, &d->constraints, &d->steer);
	/* What was not known yet when the sensors were opened. */
	sensors_forget(&d->sensors, now->raw);
	allow_descriptors(d->peers.sources + OTHER_DESCRIPTORS);
	d->origin.read = now->raw;
	/* With -q nobody reads it again, so that nothing may be due. */
	watch_open(&d->origin.file,
	    d->opt.once		  ? NULL :
		d->origin.built_in ? CONF_PATH :
				     conf_file(d),
	    &d->conf, now->raw);
}

/* Say what the configuration makes the program do. */
static void
explain(const struct conf *c)
{
	bool authentic = false;

	for (const struct conf_server *s = c->server;
	    s < c->server + c->servers; s++) {
		authentic |= s->nts || s->key.id != 0;
		log_line(LOG_CLASS_INFO, "asks %s%s every %.0f to %.0f s%s%s",
		    s->pool ? "pool " : "", s->name,
		    s->poll_least > 0 ? s->poll_least : SOURCE_POLL_LEAST,
		    s->poll_most > 0 ? s->poll_most : SOURCE_POLL_MOST,
		    s->nts ? ", nts" : s->key.id != 0 ? ", key" : "",
		    s->trusted ? ", trusted" : "");
	}
	for (int i = 0; i < c->sensors; i++)
		log_line(LOG_CLASS_INFO, "reads sensor %s%s",
		    c->sensor[i].device, c->sensor[i].trusted ? ", trusted" :
								"");
	for (int i = 0; i < c->constraints; i++)
		log_line(LOG_CLASS_INFO, "asks constraint %s%s",
		    c->constraint[i].host, c->constraint[i].timekeeping ?
			", which keeps the time if no server does" : "");
	log_line(LOG_CLASS_INFO, "%s what servers say",
	    c->constraints == 0 ?
		(authentic ? "those with nts or a key bound" :
			     "nothing (no constraint, nts or key) bounds") :
		authentic ? "constraints and those with nts or a key bound" :
			    "constraints bound");
	for (int i = 0; i < c->listens; i++)
		log_line(LOG_CLASS_INFO, "serves the time on %s",
		    c->listen[i].name);
	for (int i = 0; i < c->metricses; i++)
		log_line(LOG_CLASS_INFO, "serves metrics on %s port %d",
		    c->metrics[i].name, c->metrics[i].port);
}

/* -n: the configuration is good.  With -v say what the program could do here:
 * it tries, and so the sandbox is what a daemon would get, and what would end
 * its start ends this.  Then say what it would do. */
static int
check(struct daemon *d)
{
	(void)fputs("configuration OK\n", stderr);
	if (d->opt.verbose == 0)
		return 0;
	log_level(LOG_CLASS_DETAIL);
	clock_start(&d->clock, d->opt.measure, d->conf.owner);
	if (d->clock.permission == CLOCK_MAY)
		log_line(LOG_CLASS_INFO, "the clock may be set");
	say_permission(d);
	d->detach.pid = -1;
	enter_sandbox(d);
	explain(&d->conf);
	return 0;
}

int
main(int argc, char **argv)
{
	static struct daemon daemon;
	struct daemon *d = &daemon;
	char why[CONSTRAINTS_WHY];
	struct instant now;
	const char *at;
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	if (is_ctl(&argc, &argv)) {
		(void)sigprocmask(SIG_UNBLOCK, &all, NULL);
		return ctl_main(argc, argv);
	}
	detach_descriptors();
	catch_signals();
	parse_options(argc, argv, &d->opt);
	log_start(false);
	load_conf(d);
	lend(d);
	if (!constraints_load_roots(&d->constraints, NULL, why))
		fatal("%s", why);
	if (d->opt.check)
		return check(d);
	d->detach.pid = -1;
	if (!d->opt.foreground)
		detach_begin(&d->detach);
	log_level(log_class_wanted(d));
	sandbox_start();
	(void)setpriority(PRIO_PROCESS, 0, -20); /* nice to have */
	/* A second one would set the clock while the first steers it. */
	if (d->opt.once && !d->opt.measure && ctl_daemon_runs(&at))
		fatal("ntpd already running: it answers at %s; ask it with ntpctl, or stop it before -q",
		    at);
	clock_start(&d->clock, d->opt.measure, d->conf.owner);
	if (getauxval(AT_SECURE) != 0) /* as secure_getenv(3) has it */
		log_line(LOG_CLASS_INFO,
		    "the program's file has a privilege of its own: the environment is not looked at");
	say_permission(d);
	now = clock_read();
	make_owners(d, &now);
	open_doors(d, now.raw);
	link_open(&d->link);
	machine_open(&d->machine, VMCLOCK);
	if (!d->opt.foreground && d->opt.pid != NULL)
		detach_pid(&d->detach, d->opt.pid);
	enter_sandbox(d);
	return run(d);
}
