/*
 * listen.c - the sockets of "listen on" and "metrics on".
 *
 * It owns the listeners of both services, and the lookups of the names in their
 * lines.  What comes in by a listener is the matter of serve.c and control.c.
 *
 * "*" is one socket for each family.  No other address of that family can be
 * bound beside it, nor need be, and interfaces and addresses may come and go.
 * An NTP socket of "*" is told the address that was asked (IP_PKTINFO) and
 * answers from it; a socket of a single address needs neither.  An address that
 * cannot be bound is tried again, since it may come later.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serve/listen.h"
#include "core/line.h"
#include "sys/dns.h"
#include "sys/log.h"
#include "sys/net.h"

enum {
	NTP_RETRY = 30, /* s between tries to bind */
	METRICS_RETRY = 15,
	/* Bytes of the queue of an NTP socket.  It holds the few hundred
	 * requests of a busy moment.  This is the default of the kernel's limit
	 * (net.core.rmem_max); the kernel doubles what is asked for. */
	QUEUE = 212992,
	/* Bytes that a client over TCP can hold in the kernel by not reading.
	 * A container is charged for them.  The answer of most hosts fits: it
	 * has 20 KB for 4 to 8 sources. */
	SEND_BUFFER = 32768,
	BACKLOG = 64, /* connections that wait to be accepted */
	DEFER = 2     /* s that a new connection may say nothing */
};

static const struct {
	char name[8];
	int most, retry;
} services[LISTEN_SERVICES] = {
	[LISTEN_NTP] = { "ntp", LISTEN_NTP_MOST, NTP_RETRY },
	[LISTEN_METRICS] = { "metrics", LISTEN_METRICS_MOST, METRICS_RETRY },
};

/* One line of the configuration. */
struct listen_line {
	const struct conf_listen *conf;
	enum listen_service service;
	struct line name; /* its lookups, if it is a name */
};

static bool
is_name(const struct conf_listen *c)
{
	return !c->any && c->address.family == 0;
}

/* ----- sockets */

/* Only IP_PKTINFO for "*" must succeed.  Without the other options an NTP
 * socket serves as well, only less exactly. */
static int
prepare_ntp(int fd, const struct address *a)
{
	const int on = 1, tos = NET_EF, queue = QUEUE;

	(void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof queue);
	if (a->family == 4) {
		(void)setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
		return !address_wild(a) ? 0 :
		    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
	}
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
	if (!address_wild(a))
		return 0;
	/* An address may be ours by a local route alone.  It can be asked, but
	 * IPv6 does not let us answer from it without this option. */
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on);
	return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
}

/* Connections inherit what is set here.  DEFER_ACCEPT keeps those that say
 * nothing in the kernel; where it is refused, they are merely dropped later. */
static void
prepare_metrics(int fd)
{
	const int on = 1, defer = DEFER, send = SEND_BUFFER;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	(void)setsockopt(
	    fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof defer);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof send);
}

/* V6ONLY, because the wildcard of IPv6 would take the port of IPv4 as well. */
static int
open_socket(const struct listener *l)
{
	bool tcp = l->service == LISTEN_METRICS;
	struct sockaddr_storage ss;
	socklen_t size = net_sockaddr(&l->address, l->port, &ss);
	int fd = net_socket(ss.ss_family, tcp ? SOCK_STREAM : SOCK_DGRAM);
	const int on = 1;

	if (fd < 0)
		return -1;
	if (tcp)
		prepare_metrics(fd);
	if ((l->address.family == 6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on)) ||
	    (!tcp && prepare_ntp(fd, &l->address) < 0) ||
	    bind(fd, (struct sockaddr *)&ss, size) < 0 ||
	    (tcp && listen(fd, BACKLOG) < 0))
		return net_undo(fd);
	return fd;
}

/* What the operator can do about it. */
static const char *
remedy(int error)
{
	switch (error) {
	case EADDRINUSE:
		return " (is another time daemon running, chronyd perhaps?)";
	case EACCES:
	case EPERM: return " (port 123 needs CAP_NET_BIND_SERVICE)";
	default: return "";
	}
}

static void
say_bound(const struct listener *l)
{
	char text[ADDRESS_TEXT];

	(void)net_text(&l->address, text);
	if (l->service == LISTEN_METRICS)
		log_line(
		    LOG_CLASS_INFO, "metrics on %s port %d", text, l->port);
	else /* OpenNTPD's line has a second field, which is empty on Linux */
		log_line(LOG_CLASS_INFO, "listening on %s ", text);
}

/* A failure of metrics is logged only if it is new and will be tried again. */
static void
say_failed(const struct listener *l, enum log_class class)
{
	char text[ADDRESS_TEXT];

	(void)net_text(&l->address, text);
	if (l->service == LISTEN_NTP)
		log_line(class, "bind on %s failed, %s: %s%s", text,
		    l->retry == NEVER ? "skipping" : "retrying",
		    strerror(l->error), remedy(l->error));
	else if (class == LOG_CLASS_WARN)
		log_line(class, "metrics on %s port %d: %s, retrying", text,
		    l->port, strerror(l->error));
}

static void
try_bind(struct listener *l, int64_t raw)
{
	int before = l->error;

	l->fd = open_socket(l);
	l->error = l->fd < 0 ? errno : 0;
	l->retry = NEVER;
	if (l->fd >= 0)
		say_bound(l);
	else if (l->any &&
	    (l->error == EAFNOSUPPORT || l->error == EADDRNOTAVAIL))
		/* "*" works without a family that the kernel does not have, and
		 * the family will not come by itself. */
		say_failed(l, LOG_CLASS_DEBUG);
	else {
		l->retry = raw + services[l->service].retry * NS_PER_S;
		say_failed(l,
		    l->error == before ? LOG_CLASS_DETAIL : LOG_CLASS_WARN);
	}
}

static void
bind_due(struct listening *s, int64_t raw)
{
	for (int i = 0; i < s->listeners; i++)
		if (s->listener[i].fd < 0 && s->listener[i].retry <= raw)
			try_bind(&s->listener[i], raw);
}

/* ----- which there are */

/* Is there a line of "*", or of the wildcard of the address's family?  Then
 * the address belongs to that line's socket, and cannot be bound beside it. */
static bool
is_covered(const struct listening *s, const struct listen_line *line,
    const struct address *a)
{
	const struct listen_line *other;

	for (other = s->line; other < s->line + s->lines; other++)
		if (other->service == line->service &&
		    other->conf->port == line->conf->port &&
		    (other->conf->any ||
			(!address_wild(a) &&
			    other->conf->address.family == a->family &&
			    address_wild(&other->conf->address))))
			return true;
	return false;
}

static void
say_crowded(struct listening *s, enum listen_service service)
{
	if (!s->crowded[service])
		log_line(LOG_CLASS_WARN,
		    service == LISTEN_NTP ?
			"more than %d addresses to listen on, ignoring the rest" :
			"metrics: more than %d addresses",
		    services[service].most);
	s->crowded[service] = true;
}

/* A line wants a listener.  If there is one already, it remains that of the
 * line which wanted it first. */
static void
want(struct listening *s, int line, const struct address *a, int64_t raw)
{
	const struct conf_listen *c = s->line[line].conf;
	enum listen_service service = s->line[line].service;
	struct listener *l;

	if (!c->any && is_covered(s, &s->line[line], a))
		return;
	for (l = s->listener; l < s->listener + s->listeners; l++)
		if (l->service == service && l->port == c->port &&
		    address_equal(&l->address, a)) {
			l->any = c->any;
			if (l->line < 0)
				l->line = line;
			return;
		}
	if (s->count[service] == services[service].most) {
		say_crowded(s, service);
		return;
	}
	s->count[service]++;
	s->listener[s->listeners++] = (struct listener){
		.service = service,
		.address = *a,
		.port = c->port,
		.any = c->any,
		.line = line,
		.fd = -1,
		.retry = raw,
	};
}

/* Close the listeners that no line wants any more. */
static void
sweep(struct listening *s)
{
	int i, kept = 0;

	for (i = 0; i < s->listeners; i++) {
		if (s->listener[i].line >= 0) {
			s->listener[kept++] = s->listener[i];
			continue;
		}
		if (s->listener[i].fd >= 0)
			(void)close(s->listener[i].fd);
		s->count[s->listener[i].service]--;
	}
	s->listeners = kept;
	memset(s->crowded, 0, sizeof s->crowded);
}

static void
want_numeric(struct listening *s, int line, int64_t raw)
{
	const struct conf_listen *c = s->line[line].conf;

	if (c->any) {
		want(s, line, &(struct address){ .family = 4 }, raw);
		want(s, line, &(struct address){ .family = 6 }, raw);
	} else
		want(s, line, &c->address, raw);
}

/* The lines of a configuration, none of which has been looked up yet. */
static struct listen_line *
lines_of(const struct conf *conf)
{
	int n = conf->metricses + conf->listens;
	struct listen_line *line = calloc((size_t)n + 1, sizeof *line);

	for (int i = 0; i < n && line != NULL; i++) {
		bool ntp = i >= conf->metricses;

		line[i].service = ntp ? LISTEN_NTP : LISTEN_METRICS;
		line[i].conf = ntp ? &conf->listen[i - conf->metricses] :
				     &conf->metrics[i];
		if (!is_name(line[i].conf))
			line[i].name.lookup_due = NEVER;
	}
	return line;
}

/* Find the line of the same name and port that no other line has found, or
 * -1. */
static int
same_name(const struct listening *s, const struct listen_line *line,
    const int to[])
{
	const struct listen_line *o;
	int i;

	for (i = 0; i < s->lines; i++) {
		o = &s->line[i];
		if (to[i] < 0 && is_name(line->conf) && is_name(o->conf) &&
		    o->service == line->service &&
		    o->conf->port == line->conf->port &&
		    strcmp(o->conf->name, line->conf->name) == 0)
			return i;
	}
	return -1;
}

/* The lines are new ones: find out which of them want which listeners.  to[]
 * tells which number an old line has now.  Addresses that are written come
 * first, so that they stay when a name loses them. */
static void
want_anew(struct listening *s, const int to[], int64_t raw)
{
	int was[LISTENERS_MOST], i, k, before = s->listeners;

	for (i = 0; i < before; i++) {
		struct listener *l = &s->listener[i];

		was[i] = l->line < 0 || l->any ? -1 : to[l->line];
		l->line = -1;
	}
	for (i = 0; i < s->lines; i++)
		if (!is_name(s->line[i].conf))
			want_numeric(s, i, raw);
	for (i = 0; i < before; i++) {
		struct listener *l = &s->listener[i];

		if (l->line < 0 && was[i] >= 0 &&
		    !is_covered(s, &s->line[was[i]], &l->address))
			l->line = was[i];
	}
	sweep(s);
	for (i = 0; i < s->lines; i++)
		for (k = 0; k < s->line[i].name.founds; k++)
			want(s, i, &s->line[i].name.found[k], raw);
	bind_due(s, raw);
}

bool
listen_reload(struct listening *s, const struct conf *conf,
    struct helpers *helpers, int64_t raw)
{
	int to[2 * LISTENS_MAX], n = conf->metricses + conf->listens, i, old;
	struct listen_line *line = lines_of(conf);

	if (line == NULL)
		return false;
	memset(to, -1, sizeof to);
	for (i = 0; i < n; i++)
		if ((old = same_name(s, &line[i], to)) >= 0) {
			to[old] = i;
			line[i].name = s->line[old].name;
		}
	if (helpers != NULL) /* it is NULL at the start */
		helper_renumber(helpers, HELPER_LISTEN_NAME, to, 1);
	free(s->line);
	s->line = line;
	s->lines = n;
	want_anew(s, to, raw);
	return true;
}

void
listen_open(struct listening *s, const struct conf *conf, int64_t raw)
{
	if (!listen_reload(s, conf, NULL, raw))
		fatal("listen: out of memory");
}

/* ----- names */

static void
look_up(struct listening *s, int i, struct helpers *helpers, int64_t raw)
{
	struct line *l = &s->line[i].name;
	struct dns_question question = { s->line[i].conf->name, l->failures,
		false };
	struct helper_job job = {
		.kind = HELPER_LISTEN_NAME,
		.owner = i,
		.seconds = DNS_PATIENCE + 1,
		.work = dns_ask,
		.question = &question,
		.size = sizeof(struct dns_answer),
	};

	if (helper_start(helpers, &job, raw) == 0) {
		l->looking = true;
		l->asked = raw;
	} else if (errno == EBUSY) /* others are being looked up first */
		line_busy(l, raw);
	else
		line_found(l, NULL, 0, raw, false);
}

void
listen_turn(struct listening *s, struct helpers *helpers, int64_t raw)
{
	for (int i = 0; i < s->lines; i++)
		if (line_turn(&s->line[i].name, NULL, 0, raw, false))
			look_up(s, i, helpers, raw);
	bind_due(s, raw);
}

/* Put the addresses that were found in the place of those that the name had.
 * The old ones go first, so that there is room. */
static void
replace(struct listening *s, int line, const struct dns_answer *found,
    int64_t raw)
{
	struct listener *l;
	int i;

	for (l = s->listener; l < s->listener + s->listeners; l++) {
		for (i = 0; i < found->addresses &&
		     !address_equal(&found->address[i], &l->address);
		     i++)
			;
		if (l->line == line && i == found->addresses)
			l->line = -1;
	}
	sweep(s);
	for (i = 0; i < found->addresses; i++)
		want(s, line, &found->address[i], raw);
	bind_due(s, raw);
}

void
listen_named(struct listening *s, const struct helper_result *r, int64_t raw)
{
	struct line *l = &s->line[r->owner].name;
	const char *name = s->line[r->owner].conf->name;
	struct dns_answer found;

	dns_take(r, name, l->failures == 0, &found);
	if (found.addresses == 0 && l->failures == 0)
		log_line(LOG_CLASS_WARN, "could not resolve \"%s\": %s", name,
		    found.reason);
	line_found(l, found.address, found.addresses, raw, false);
	if (found.addresses > 0)
		replace(s, r->owner, &found, raw);
}

void
listen_hurry(struct listening *s, int64_t raw)
{
	for (int i = 0; i < s->lines; i++)
		line_hurry(&s->line[i].name, raw);
}

/* ----- the loop */

int64_t
listen_due(const struct listening *s)
{
	int64_t due = NEVER;

	for (int i = 0; i < s->lines; i++)
		if (!s->line[i].name.looking)
			due = sooner(due, s->line[i].name.lookup_due);
	for (int i = 0; i < s->listeners; i++)
		due = sooner(due, s->listener[i].retry);
	return due;
}

int
listen_watch(const struct listening *s, enum listen_service service,
    struct pollfd p[], int max)
{
	int i, n = 0;

	for (i = 0; i < s->listeners && n < max; i++)
		if (s->listener[i].service == service && s->listener[i].fd >= 0)
			p[n++] = (struct pollfd){ .fd = s->listener[i].fd,
				.events = POLLIN };
	return n;
}

static void
show(const struct listener *l, struct status_listener *out)
{
	*out = (struct status_listener){ .service = services[l->service].name,
		.bound = l->fd >= 0 };
	(void)net_text(&l->address, out->address);
	if (l->error != 0)
		(void)snprintf(
		    out->reason, sizeof out->reason, "%s", strerror(l->error));
}

/* Is this the line of a name without any listener?  A listener of "*" counts as
 * the name's. */
static bool
lacks_address(const struct listening *s, int line)
{
	const struct listener *l;

	for (l = s->listener; l < s->listener + s->listeners; l++)
		if (l->line == line || (l->service == LISTEN_NTP && l->any))
			return false;
	return is_name(s->line[line].conf);
}

int
listen_status(const struct listening *s, enum listen_service service,
    struct status_listener out[], int max)
{
	const struct listener *l;
	int i, n = 0;

	for (l = s->listener; l < s->listener + s->listeners && n < max; l++)
		/* "*" lacks nothing without a family that is not there. */
		if (l->service == service && (l->fd >= 0 || l->retry != NEVER))
			show(l, &out[n++]);
	for (i = 0; i < s->lines && service == LISTEN_NTP && n < max; i++) {
		if (s->line[i].service != service || !lacks_address(s, i))
			continue;
		out[n] = (struct status_listener){
			.service = services[service].name,
			.reason = "not resolved"
		};
		(void)snprintf(out[n].address, sizeof out[n].address, "%s",
		    s->line[i].conf->name);
		n++;
	}
	return n;
}

void
listen_close(struct listening *s)
{
	for (int i = 0; i < s->listeners; i++)
		s->listener[i].line = -1;
	sweep(s);
	free(s->line);
	s->line = NULL;
	s->lines = 0;
}
