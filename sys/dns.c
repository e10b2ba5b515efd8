/*
 * dns.c - the names of hosts become addresses.  A child asks, by sockets of its
 * own, and the daemon checks what the child says.
 *
 * resolv.c knows what to ask and what the answers mean.  Each query has a
 * connected socket of its own, so that source port and id are random (RFC 5452)
 * and the kernel drops what comes from elsewhere.  Times are those of
 * CLOCK_MONOTONIC, so that no wait becomes longer or shorter when the clock is
 * set.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sys/dns.h"
#include "core/word.h"
#include "sys/instant.h"
#include "sys/log.h"
#include "sys/net.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define HOSTS "/etc/hosts"

enum {
	PORT = 53,
	/* Bytes of a message, enough for some 500 addresses.  A longer one is
	 * read as far as it fits. */
	MESSAGE = 16384,
	QUERIES = RESOLV_NAMES * RESOLV_HALVES * RESOLV_SERVERS,
	DNS_QUESTIONS = QUERIES * 3, /* that a lookup can send */
	UNCHECKED = 0x10 /* CD in the fourth byte (RFC 4035 §3.2.2) */
};

/* A query is not asked yet, is asked by UDP, or by TCP, whose connection is
 * being made or read. */
enum stage { STAGE_NONE, STAGE_UDP, STAGE_CONNECTS, STAGE_READS };

struct query {
	enum stage stage;
	int fd;
	uint16_t id;
};

/* One process looks up one name, so there is one state. */
static struct {
	struct resolv_conf conf;
	uint8_t flags; /* UNCHECKED, or 0 */
	int unread; /* errno of that file; 0: it was read, or is missing */
	struct address server[RESOLV_SERVERS];
	int first; /* the server to begin with, for "rotate" */
	int error[RESOLV_SERVERS]; /* errno of a broken socket */
	struct resolv table;
	struct query query[RESOLV_NAMES][RESOLV_HALVES][RESOLV_SERVERS];
	uint8_t bytes[MESSAGE + 2]; /* of a message, or of a file */
	struct pollfd watch[QUERIES];
	struct resolv_step watched[QUERIES];
	struct address found[2 * POOL_MAX]; /* of both families */
	int founds;
} lookup;

/* -------------------------------------------------------------- addresses */

/* As if_nametoindex(3), which would open a socket of AF_UNIX.  This child may
 * not have one, since it could reach other programs by it. */
static uint32_t
index_of(const char *interface)
{
	struct ifreq r = { 0 };
	int fd = net_socket(AF_INET, SOCK_DGRAM);
	bool good;

	if (fd < 0)
		return 0;
	(void)snprintf(r.ifr_name, sizeof r.ifr_name, "%s", interface);
	good = ioctl(fd, SIOCGIFINDEX, &r) == 0;
	(void)close(fd);
	return good ? (uint32_t)r.ifr_ifindex : 0;
}

/* Is it a numeric address?  It may have the name of an interface, and the short
 * and padded forms of inet_aton(3), which other programs take as well. */
static bool
numeric(const char *text, struct address *a)
{
	char part[ADDRESS_TEXT];
	size_t n = strcspn(text, "%");
	struct in_addr in;

	if (address_parse(text, a))
		return true;
	if (inet_aton(text, &in) != 0) {
		*a = (struct address){ .family = 4 };
		memcpy(a->bytes, &in, 4);
		return true;
	}
	if (text[n] == '\0' || n >= sizeof part)
		return false;
	memcpy(part, text, n);
	part[n] = '\0';
	if (!address_parse(part, a) || a->family != 6)
		return false;
	a->scope = index_of(text + n + 1);
	return a->scope != 0;
}

static void
add(const struct address *a)
{
	for (int i = 0; i < lookup.founds; i++)
		if (address_equal(a, &lookup.found[i]))
			return;
	if (lookup.founds < 2 * POOL_MAX)
		lookup.found[lookup.founds++] = *a;
}

/* Does this host have a route to the address? */
static bool
has_route(const struct address *a)
{
	struct sockaddr_storage ss;
	socklen_t size = net_sockaddr(a, NTP_PORT, &ss);
	int fd = net_socket(ss.ss_family, SOCK_DGRAM);
	bool good;

	if (fd < 0)
		return false;
	good = connect(fd, (struct sockaddr *)&ss, size) == 0;
	(void)close(fd);
	return good;
}

/* Hand over the addresses, the two families in turns, so that neither is lost
 * when there are more than POOL_MAX.  Each family keeps the order in which it
 * came, since servers spread their load by that.  IPv6 comes first, but not the
 * addresses of a private network (RFC 6724 §2.1 has IPv4 before ULA).  Those
 * that this host has no route to come last. */
static void
hand_over(struct dns_answer *out)
{
	int rank[2 * POOL_MAX], seen[2] = { 0 }, i, least, best;

	for (i = 0; i < lookup.founds; i++) {
		const struct address *a = &lookup.found[i];
		bool six = a->family == 6, private = (a->bytes[0] & 0xfe) == 0xfc;

		rank[i] = 3 * seen[six]++ + (six ? 2 * private : 1);
		if (!has_route(a))
			rank[i] += 1000;
	}
	while (out->addresses < POOL_MAX && out->addresses < lookup.founds) {
		for (i = 0, best = -1, least = 10000; i < lookup.founds; i++)
			if (rank[i] < least)
				least = rank[best = i];
		out->address[out->addresses++] = lookup.found[best];
		rank[best] = 10000;
	}
}

/* ------------------------------------------------------------------ files */

/* Take the addresses of all lines of /etc/hosts that name the host. */
static void
look_into_hosts(const char *name)
{
	int fd = open(HOSTS, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = (char *)lookup.bytes, *line, *stop, address[ADDRESS_TEXT];
	size_t have = 0;
	struct address a;
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = read(fd, text + have, MESSAGE - have)) > 0 || have > 0) {
		/* The last line may have no end.  A line that is too long is
		 * cut. */
		if (n <= 0)
			text[have++] = '\n';
		else
			have += (size_t)n;
		if (have == MESSAGE && memchr(text, '\n', have) == NULL)
			text[have - 1] = '\n';
		for (line = text; (stop = memchr(line, '\n',
				       (size_t)(text + have - line))) != NULL;
		     line = stop + 1)
			if (resolv_hosts(
				line, (size_t)(stop - line), name, address) &&
			    numeric(address, &a))
				add(&a);
		have = (size_t)(text + have - line);
		memmove(text, line, have);
	}
	(void)close(fd);
}

static void
read_conf(void)
{
	int fd = open(RESOLV_CONF, O_RDONLY | O_CLOEXEC | O_NONBLOCK), i;
	size_t have = 0;
	ssize_t n;

	lookup.unread = fd < 0 && errno != ENOENT ? errno : 0;
	while (fd >= 0 && have < MESSAGE &&
	    (n = read(fd, lookup.bytes + have, MESSAGE - have)) > 0)
		have += (size_t)n;
	if (fd >= 0)
		(void)close(fd);
	resolv_conf((char *)lookup.bytes, have, &lookup.conf);
	if (lookup.conf.rotate)
		lookup.first =
		    (int)(net_random() % (unsigned)lookup.conf.servers);
	for (i = 0; i < lookup.conf.servers; i++)
		if (!numeric(lookup.conf.server[i], &lookup.server[i]))
			lookup.server[i].family = 0; /* no such interface */
}

/* ---------------------------------------------------------------- queries */

static struct query *
query_of(const struct resolv_step *s)
{
	return &lookup.query[s->name][s->half][s->server];
}

static int
server_of(const struct resolv_step *s)
{
	return (s->server + lookup.first) % lookup.conf.servers;
}

static void
end_query(const struct resolv_step *s)
{
	struct query *q = query_of(s);

	if (q->stage != STAGE_NONE)
		(void)close(q->fd);
	q->stage = STAGE_NONE;
}

static void
heard(const struct resolv_step *s, enum resolv_said said,
    const struct resolv_found *found)
{
	end_query(s);
	resolv_heard(
	    &lookup.table, s, said, found, clock_now(CLOCK_MONOTONIC));
}

/* Does this host have no route to any of them?  Then others are waited for as
 * well: these may be IPv6 addresses on a host without IPv6. */
static bool
is_distant(const struct resolv_found *found)
{
	for (int i = 0; i < found->addresses; i++)
		if (has_route(&found->address[i]))
			return false;
	return true;
}

static void
broken(const struct resolv_step *s, int error)
{
	lookup.error[s->server] = error;
	heard(s, RESOLV_BROKEN, NULL);
}

/* Open a socket that is connected to the server; by TCP it may still be
 * connecting.  False with errno. */
static bool
open_query(const struct resolv_step *s, int type)
{
	const struct address *to = &lookup.server[server_of(s)];
	struct query *q = query_of(s);
	struct sockaddr_storage ss;
	socklen_t size = net_sockaddr(to, PORT, &ss);

	if (to->family == 0) {
		errno = ENODEV;
		return false;
	}
	q->fd = net_socket(ss.ss_family, type);
	if (q->fd < 0)
		return false;
	if (connect(q->fd, (struct sockaddr *)&ss, size) < 0 &&
	    errno != EINPROGRESS) {
		(void)net_undo(q->fd);
		return false;
	}
	q->id = (uint16_t)net_random();
	q->stage = type == SOCK_DGRAM ? STAGE_UDP : STAGE_CONNECTS;
	return true;
}

/* Make the bytes of a query.  Two bytes with their number stand before them,
 * which TCP needs.  Returns the number. */
static size_t
make_query(const struct resolv_step *s, uint8_t out[static 2 + RESOLV_QUERY])
{
	size_t n = resolv_query(lookup.table.name[s->name].text, s->half,
	    query_of(s)->id, out + 2);

	out[2 + 3] |= lookup.flags;
	out[0] = (uint8_t)(n >> 8);
	out[1] = (uint8_t)n;
	return n;
}

/* Ask a query, or ask it again because there was no answer. */
static void
ask(const struct resolv_step *s)
{
	struct query *q = query_of(s);
	uint8_t bytes[2 + RESOLV_QUERY];

	if (q->stage == STAGE_NONE &&
	    !open_query(s, lookup.conf.tcp ? SOCK_STREAM : SOCK_DGRAM)) {
		broken(s, errno);
		return;
	}
	if (q->stage != STAGE_UDP)
		return; /* TCP sends again by itself */
	if (send(q->fd, bytes + 2, make_query(s, bytes), MSG_NOSIGNAL) < 0 &&
	    errno != EAGAIN && errno != ENOBUFS)
		broken(s, errno);
}

/* A whole message has come. */
static void
take(const struct resolv_step *s, const uint8_t *message, size_t size)
{
	bool tcp = query_of(s)->stage != STAGE_UDP;
	uint8_t bytes[2 + RESOLV_QUERY];
	size_t n = make_query(s, bytes);
	struct resolv_found found;
	enum resolv_said said =
	    resolv_answer(message, size, bytes + 2, n, &found);

	if (said == RESOLV_FOREIGN && !tcp)
		return;
	if (said == RESOLV_CUT && tcp) /* there is no way to get more */
		said = found.addresses > 0 ? RESOLV_FOUND : RESOLV_MALFORMED;
	if (said == RESOLV_FOREIGN)
		said = RESOLV_MALFORMED;
	found.distant = is_distant(&found);
	heard(s, said, &found);
	if (said == RESOLV_CUT && !open_query(s, SOCK_STREAM))
		broken(s, errno);
}

static void
read_udp(const struct resolv_step *s)
{
	ssize_t n = recv(query_of(s)->fd, lookup.bytes, MESSAGE, 0);

	if (n >= 0)
		take(s, lookup.bytes, (size_t)n);
	else if (errno != EAGAIN && errno != EINTR)
		broken(s, errno);
}

static void
send_tcp(const struct resolv_step *s)
{
	struct query *q = query_of(s);
	uint8_t bytes[2 + RESOLV_QUERY];
	size_t n = make_query(s, bytes) + 2;
	int error = 0;
	socklen_t size = sizeof error;

	if (getsockopt(q->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error == 0 && send(q->fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
		error = errno;
	if (error != 0)
		broken(s, error);
	else
		q->stage = STAGE_READS;
}

/* The message stays in the kernel until it is complete.  The low-water mark
 * makes the socket ready only with that many bytes, or when the connection has
 * ended. */
static void
read_tcp(const struct resolv_step *s, bool ended)
{
	struct query *q = query_of(s);
	ssize_t n = recv(q->fd, lookup.bytes, MESSAGE + 2, MSG_PEEK);
	int want = 2;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n >= 2)
		want += lookup.bytes[0] << 8 | lookup.bytes[1];
	if (want > MESSAGE + 2)
		want = MESSAGE + 2;
	if (n >= 2 && n >= want)
		take(s, lookup.bytes + 2, (size_t)want - 2);
	else if (n <= 0 || ended)
		broken(s, n < 0 ? errno : ECONNRESET);
	else if (setsockopt(q->fd, SOL_SOCKET, SO_RCVLOWAT, &want,
		     sizeof want) < 0)
		broken(s, errno);
}

/* Wait for answers until that time, and take them. */
static void
wait_until(int64_t due)
{
	int64_t left = due - clock_now(CLOCK_MONOTONIC);
	struct resolv_step s = { 0 };
	int i, n = 0;

	for (i = 0; i < QUERIES; i++) {
		const struct query *q = &lookup.query[0][0][0] + i;

		s.server = i % RESOLV_SERVERS;
		s.half = i / RESOLV_SERVERS % RESOLV_HALVES;
		s.name = i / RESOLV_SERVERS / RESOLV_HALVES;
		if (q->stage == STAGE_NONE)
			continue;
		lookup.watched[n] = s;
		lookup.watch[n++] = (struct pollfd){ q->fd,
			q->stage == STAGE_CONNECTS ? POLLOUT :
						     POLLIN | POLLRDHUP,
			0 };
	}
	if (poll(lookup.watch, (nfds_t)n,
		left < 0 ? 0 : (int)(left / 1000000) + 1) <= 0)
		return;
	for (i = 0; i < n; i++) {
		const struct resolv_step *w = &lookup.watched[i];

		if (lookup.watch[i].revents == 0)
			continue;
		switch (query_of(w)->stage) {
		case STAGE_UDP: read_udp(w); break;
		case STAGE_CONNECTS: send_tcp(w); break;
		case STAGE_READS:
			read_tcp(w,
			    lookup.watch[i].revents & (POLLRDHUP | POLLHUP));
			break;
		case STAGE_NONE: break;
		}
	}
}

/* Say in words what DNS said.  The words before the colon are those of the C
 * library, since people search logs for them. */
static void
say_failure(const struct resolv_step *why, char reason[static DNS_REASON])
{
	const char *server = lookup.conf.server[server_of(why)];
	enum resolv_said said = lookup.table.name[why->name]
				    .probe[why->half][why->server]
				    .said;
	char none[80] = "";

	if (!lookup.conf.named)
		(void)snprintf(none, sizeof none, " (%s%s%s)", RESOLV_CONF,
		    lookup.unread != 0 ? ": " : " names no server",
		    lookup.unread != 0 ? strerror(lookup.unread) : "");

	if (said == RESOLV_BROKEN)
		(void)snprintf(reason, DNS_REASON, "Try again: %s: %s%s",
		    server, strerror(lookup.error[why->server]), none);
	else
		(void)snprintf(reason, DNS_REASON, "%s: %s from %s%s",
		    said == RESOLV_NXDOMAIN	? "Name does not resolve" :
			said == RESOLV_NODATA ? "Name has no usable address" :
						"Try again",
		    word_at(resolv_words, said), server, none);
}

static void
ask_dns(const struct dns_question *q, struct dns_answer *out)
{
	struct resolv *r = &lookup.table;
	const struct resolv_name *best;
	struct resolv_step step;
	enum resolv_want want;

	read_conf();
	lookup.flags = q->starting && q->failures % 2 != 0 ? UNCHECKED : 0;
	resolv_begin(r, &lookup.conf, q->name, q->failures,
	    clock_now(CLOCK_MONOTONIC));
	while ((want = resolv_next(r, clock_now(CLOCK_MONOTONIC), &step)) !=
	    RESOLV_DONE)
		if (want == RESOLV_ASK) {
			out->questions++;
			ask(&step);
		} else
			wait_until(step.due);
	best = resolv_result(r, &step);
	if (best == NULL)
		say_failure(&step, out->reason);
	else
		for (int half = 0; half < RESOLV_HALVES; half++)
			for (int i = 0; i < best->found[half].addresses; i++)
				add(&best->found[half].address[i]);
}

void
dns_ask(const void *question, void *answer)
{
	static const struct address four = { .family = 4,
		.bytes = { 127, 0, 0, 1 } };
	static const struct address six = { .family = 6, .bytes = { [15] = 1 } };
	const struct dns_question *q = question;
	const char *name = q->name, *fault;
	struct dns_answer *out = answer;
	struct address a;

	if (numeric(name, &a))
		add(&a);
	else if (strchr(name, '%') != NULL)
		(void)snprintf(out->reason, DNS_REASON, "no such interface");
	else
		look_into_hosts(name);
	if (lookup.founds == 0 && out->reason[0] == '\0') {
		if ((fault = resolv_fault(name)) != NULL)
			(void)snprintf(out->reason, DNS_REASON, "%s", fault);
		else if (resolv_localhost(name)) {
			add(&four);
			if (has_route(&six)) /* not every host has IPv6 */
				add(&six);
		} else
			ask_dns(q, out);
	}
	hand_over(out);
}

void
dns_take(const struct helper_result *r, const char *name, bool news,
    struct dns_answer *out)
{
	struct dns_answer a;
	const char *fault;
	char text[ADDRESS_TEXT];
	int i, ignored = 0;

	memset(out, 0, sizeof *out);
	if (!r->ok) {
		(void)snprintf(out->reason, DNS_REASON, "%s",
		    r->late ? "Try again: no answer in time" :
			      "Try again: the child that asked gave no answer");
		return;
	}
	memcpy(&a, r->answer, sizeof a);
	out->questions = a.questions < 0 || a.questions > DNS_QUESTIONS ?
	    DNS_QUESTIONS :
	    a.questions;
	a.reason[DNS_REASON - 1] = '\0';
	for (i = 0; a.reason[i] != '\0'; i++)
		out->reason[i] =
		    (char)(a.reason[i] < ' ' || a.reason[i] > '~' ?
			    '?' :
			    a.reason[i]);
	for (i = 0; i < a.addresses && i < POOL_MAX; i++) {
		struct address *one = &a.address[i];

		if (one->family != 4 && one->family != 6)
			continue;
		address_unmap(one);
		/* The kernel ignores bytes behind an IPv4 address, and the
		 * scope of an address that is not link-local.  So they are
		 * cleared, or one server could become two. */
		if (one->family == 4)
			memset(one->bytes + 4, 0, sizeof one->bytes - 4);
		if (one->family == 4 || one->bytes[0] != 0xfe ||
		    one->bytes[1] >> 6 != 2)
			one->scope = 0;
		fault = address_unusable(one);
		if (fault == NULL)
			out->address[out->addresses++] = *one;
		else if (ignored++ == 0)
			(void)snprintf(out->reason, DNS_REASON, "%s is %s",
			    net_text(one, text), fault);
	}
	if (ignored > 0)
		log_line(news ? LOG_CLASS_DEBUG : LOG_CLASS_DETAIL,
		    "%s: %d of %d addresses ignored: %s", name, ignored,
		    ignored + out->addresses, out->reason);
	if (out->addresses == 0 && out->reason[0] == '\0')
		(void)snprintf(out->reason, DNS_REASON, "no address");
}
