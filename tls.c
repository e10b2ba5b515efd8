/*
 * tls.c - one question over TLS; runs in a child only.
 *
 * For a date it connects, shakes hands, sends a HEAD request, reads up to the
 * Date header, and compares that date with those of the certificates.  For the
 * keys of NTS it sends the request of nts.c, and reads the cookies.  shake.c
 * speaks TLS; it is given functions to send and receive over a non-blocking
 * socket, so that one absolute deadline holds, however slowly the bytes come.
 *
 * Certificates belong to trust.c, requests and answers to http.c and nts.c.
 */
#include "tls.h"
#include "core/calendar.h"
#include "core/http.h"
#include "core/word.h"
#include "sys/helper.h"
#include "sys/instant.h"
#include "sys/net.h"
#include "tls/shake.h"
#include "tls/trust.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* In the order of enum tls_said. */
const char tls_words[] =
    "constraint reply\0"
    "tls connect failed\0"
    "tls write failed\0"
    "tls certificate not yet valid\0"
    "tls certificate expired\0"
    "tls read failed\0"
    "unsupported date format\0"
    "maximum length exceeded\0"
    "date before the build of this program\0"
    "stored date";

enum {
	NAME_MOST = 253,    /* bytes of a DNS name, RFC 1035 §2.3.4 */
	QUESTION_MAX = 9000 /* bytes; a word of ntpd.conf has at most 8096 */
};

/* One process asks one question, so one connection is enough.  It has 43 KB,
 * most of them for one record of the server's, the request and the headers. */
static struct {
	const struct tls_question *question;
	struct tls_answer *answer; /* to the question for a date */
	bool keys;		   /* the question is one for keys */
	char host[NAME_MOST + 1]; /* without a last dot or a scope */
	int fd;
	int64_t deadline; /* CLOCK_MONOTONIC, ns */
	const char *stage;     /* what is done now, for messages */
	enum tls_said failure; /* what a failure of it is */
	enum tls_said said;    /* how it ended */
	char reason[TLS_REASON];
	uint8_t first[8];      /* the first bytes that the server sent */
	size_t firsts;
	size_t have;
	char request[QUESTION_MAX];
	struct shake shake;
	char head[HTTP_HEAD_MAX];
} connection;

/* Say how it ended.  Returns false, which callers then return themselves. */
static bool __attribute__((format(printf, 2, 3)))
ended(enum tls_said said, const char *format, ...)
{
	va_list ap;

	connection.said = said;
	va_start(ap, format);
	(void)vsnprintf(
	    connection.reason, sizeof(connection.reason), format, ap);
	va_end(ap);
	return false;
}

/* ------------------------------------------------------------- connection */

/* Wait until the socket is ready; false at the deadline. */
static bool
wait_until(short events)
{
	struct pollfd pfd = { .fd = connection.fd, .events = events };
	int64_t left;
	int n;

	do {
		left = connection.deadline - clock_now(CLOCK_MONOTONIC);
		if (left <= 0)
			return false;
		n = poll(&pfd, 1, (int)(left / 1000000) + 1);
	} while (n == 0 || (n == -1 && errno == EINTR));
	return true; /* an error will show in the next call */
}

static bool
open_connection(void)
{
	const struct tls_question *q = connection.question;
	struct sockaddr_storage to;
	int one = 1, error = 0;
	socklen_t size = net_sockaddr(&q->address, q->port, &to),
		  error_size = sizeof(error);

	connection.fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connection.fd == -1 ||
	    fcntl(connection.fd, F_SETFL, O_NONBLOCK) == -1)
		return ended(TLS_CONNECT, "socket: %s", strerror(errno));
	/* The client's last messages are sent by several writes, so Nagle's
	 * algorithm and delayed ACKs would cost 40 ms.  Nothing else fails
	 * without this option. */
	(void)setsockopt(
	    connection.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(connection.fd, (struct sockaddr *)&to, size) == -1)
		error = errno;
	if (error == EINPROGRESS) {
		if (!wait_until(POLLOUT))
			return ended(TLS_CONNECT,
			    "connect: no answer in %d s (is TCP port %d blocked?)",
			    TLS_PATIENCE, q->port);
		if (getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error,
			&error_size) == -1)
			error = errno;
	}
	if (error == ECONNREFUSED)
		return ended(TLS_CONNECT,
		    "connect: %s (nothing listens on TCP port %d, or a firewall refuses it)",
		    strerror(error), q->port);
	return error == 0 ||
	    ended(TLS_CONNECT, "connect: %s", strerror(error));
}

/* ------------------------------------------------------------------- shake */

/* Is the deadline over? Then say so. */
static bool
spent(void)
{
	return clock_now(CLOCK_MONOTONIC) >= connection.deadline &&
	    !ended(connection.failure, "%s not finished in %d s",
		connection.stage, TLS_PATIENCE);
}

/* Receive what the server has sent: struct record_io.  Notes the first
 * bytes. */
static size_t
receive(void *of, uint8_t *bytes, size_t size)
{
	(void)of;
	while (!spent()) {
		ssize_t n = recv(connection.fd, bytes, size, 0);

		for (ssize_t i = 0; i < n &&
		     connection.firsts < sizeof(connection.first);
		     i++)
			connection.first[connection.firsts++] = bytes[i];
		if (n > 0)
			return (size_t)n;
		if (n == 0) {
			(void)ended(connection.failure,
			    "%s: connection closed by the server",
			    connection.stage);
			return 0;
		}
		if (errno == EAGAIN)
			(void)wait_until(POLLIN);
		else if (errno != EINTR) {
			(void)ended(connection.failure, "%s: %s",
			    connection.stage, strerror(errno));
			return 0;
		}
	}
	return 0;
}

/* Send all bytes: struct record_io. */
static bool
give(void *of, const uint8_t *bytes, size_t size)
{
	(void)of;
	while (size > 0 && !spent()) {
		ssize_t n = send(connection.fd, bytes, size, MSG_NOSIGNAL);

		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
		} else if (n == -1 && errno == EAGAIN)
			(void)wait_until(POLLOUT);
		else if (n == -1 && (errno == EPIPE || errno == ECONNRESET))
			return true; /* an alert may tell why */
		else if (n == -1 && errno != EINTR)
			return ended(connection.failure, "%s: %s",
			    connection.stage, strerror(errno));
	}
	return size == 0;
}

/* Make random bytes: struct record_io. */
static bool
dice(void *of, uint8_t *bytes, size_t size)
{
	(void)of;
	return getrandom(bytes, size, 0) == (ssize_t)size;
}

static const struct record_io io = { NULL, receive, give, dice };

/* Does the server not begin with a TLS record? */
static bool
speaks_no_tls(void)
{
	return connection.firsts >= 2 &&
	    (connection.first[0] < RECORD_CIPHER ||
		connection.first[0] > RECORD_CONTENT ||
		connection.first[1] != 3);
}

/* Another service than key exchanges answers. */
static bool
no_exchange(void)
{
	return ended(TLS_HANDSHAKE,
	    "server on TCP port %d speaks TLS, but has no keys for NTS (is it an HTTPS server?)",
	    connection.question->port);
}

/* The server sent an alert: say what it means.  Their numbers are those of RFC
 * 8446 §6. */
static bool
alerted(int alert)
{
	const struct records *r = &connection.shake.messages.records;
	enum tls_said said = connection.failure;

	/* 70 is protocol_version; many servers send 40, handshake_failure, in
	 * its place.  Later in the handshake both mean something else. */
	if (r->suite == NULL && alert == 70)
		return ended(said,
		    "server refuses %sTLS 1.3 (alert 70): it is too old; use another",
		    connection.keys ? "" : "TLS 1.2 and ");
	if (r->suite == NULL && alert == 40)
		return ended(said,
		    "server refuses what is offered (alert 40): %sTLS 1.3, ECDSA or RSA certificates; it is too old or too strict; use another",
		    connection.keys ? "" : "TLS 1.2 with ECDHE, ");
	/* no_application_protocol, RFC 7301 §3.2 */
	if (alert == 120)
		return no_exchange();
	/* In TLS 1.3 certificate_required comes behind the handshake. */
	if (alert == 116)
		said = TLS_HANDSHAKE;
	return ended(said, "server sent TLS alert %d%s", alert,
	    alert == 40 || alert == 116 ?
		" (does it want a certificate of ours?)" :
		"");
}

/* The connection has failed: say why, as far as it is known. */
static bool
shake_failed(void)
{
	const struct records *r = &connection.shake.messages.records;
	bool numeric = connection.question->numeric.family != 0;
	enum tls_said said = connection.failure;
	const char *words;

	if (speaks_no_tls())
		return ended(said, "no TLS on port %d%s",
		    connection.question->port,
		    memcmp(connection.first, "HTTP", 4) == 0 ||
			    memcmp(connection.first, "<", 1) == 0 ?
			", but plain HTTP" :
			"");
	switch (r->fault) {
	case FAULT_IO: return false; /* receive or give has said it */
	case FAULT_ALERT: return alerted(r->alert);
	case FAULT_CLOSED:
		return ended(said, "%s: %s", connection.stage,
		    word_at(fault_words, FAULT_CLOSED));
	case FAULT_CERTIFICATE:
		if (connection.shake.x509_error == BR_ERR_X509_BAD_SERVER_NAME)
			return ended(said,
			    "%s `%s' not present in server certificate%s",
			    numeric ? "address" : "name", connection.host,
			    numeric ? " (configure its name instead)" : "");
		words = trust_words((int)connection.shake.x509_error);
		return ended(said, "%s",
		    words != NULL ? words : "certificate refused");
	default:
		return ended(said, "%s%s",
		    r->fault >= FAULT_BROKEN ? "TLS protocol error: " : "",
		    word_at(fault_words, (int)r->fault));
	}
}

static bool
shake(void)
{
	const struct tls_question *q = connection.question;
	struct shake *t = &connection.shake;

	/* RFC 6066 §3: an address is never sent as a name. */
	t->hello.name = q->numeric.family == 0 ? connection.host : NULL;
	t->hello.alpn = connection.keys ? "ntske/1" : NULL;
	t->hello.least = connection.keys ? TLS_1_3 : TLS_1_2;
	t->x509 = trust_begin(q->roots, t->hello.name, &q->numeric);
	connection.stage = "handshake";
	connection.failure = TLS_HANDSHAKE;
	return shake_hands(t, &io) || shake_failed();
}

/* ------------------------------------------------------- question, answer */

/* Wait for the moment to send, or for the next whole second after it if the
 * handshake took too long. */
static void
wait_for_aim(int64_t aim)
{
	int64_t left = (aim - clock_now(CLOCK_MONOTONIC_RAW)) % NS_PER_S;

	if (aim != 0)
		(void)poll(NULL, 0,
		    (int)((left < 0 ? left + NS_PER_S : left) / 1000000));
}

/* Shake hands and send the request.  At the raw time *sent the server cannot
 * have it yet. */
static bool
send_request(int64_t *sent)
{
	const struct tls_question *q = connection.question;
	size_t left = http_request(connection.host, q->port, q->path,
	    connection.request, sizeof(connection.request));

	if (left == 0)
		return ended(TLS_HANDSHAKE,
		    "path cannot be sent: too long, or not printable ASCII without blanks");
	if (!shake())
		return false;
	wait_for_aim(q->aim);
	*sent = clock_now(CLOCK_MONOTONIC_RAW);
	return shake_send(&connection.shake, connection.request, left) ||
	    shake_failed();
}

/* Say why the headers give no date, or that the answer comes out of a cache. */
static bool
undated(enum http_said said, const struct http_time *t)
{
	if (said == HTTP_STORED && t->age > 0)
		return ended(TLS_STORED, "%s (Age %lld)", word_at(http_words, said),
		    (long long)t->age);
	return ended(said == HTTP_LONG	   ? TLS_LENGTH :
		said == HTTP_STORED	   ? TLS_STORED :
		said == HTTP_ALIEN ||
			said == HTTP_NUL ||
			said == HTTP_GAVE_UP ? TLS_READ :
					     TLS_FORMAT,
	    "%s", word_at(http_words, said));
}

/* Read until http_head can decide.  The time is taken when the Date line is
 * complete, because the lines behind it may come late. */
static bool
read_date(void)
{
	struct tls_answer *a = connection.answer;
	enum http_said said = HTTP_MORE;
	struct http_time t;
	size_t dated = 0;

	connection.stage = "headers";
	connection.failure = TLS_READ;
	while (said == HTTP_MORE) {
		size_t room = sizeof(connection.head) - connection.have;
		const uint8_t *bytes;
		size_t size = shake_receive(&connection.shake, &bytes);
		int64_t raw, real;

		if (size == 0)
			return shake_failed();
		if (size > room)
			size = room;
		memcpy(connection.head + connection.have, bytes, size);
		connection.have += size;
		raw = clock_now(CLOCK_MONOTONIC_RAW);
		real = clock_now(CLOCK_REALTIME);
		said = http_head(connection.head, connection.have, &t);
		if (t.dated != dated) {
			a->raw = raw;
			a->real = real;
			dated = t.dated;
		}
	}
	if (said != HTTP_DATE)
		(void)undated(said, &t);
	if (said != HTTP_DATE &&
	    (said != HTTP_STORED || t.age <= 0 ||
		t.real > INT64_MAX - HTTP_AGE_MOST * NS_PER_S))
		return false; /* the last one: the sum would not fit */
	/* A cache may have kept the Date, or made a new one.  So the date may
	 * be as old as Age says, or not old at all. */
	a->date = t.real;
	a->error = t.hit ? (double)(t.age + 1) / 2 :
	    t.age > 0	 ? (double)t.age / 2 :
			   0;
	return true;
}

/* Do the certificates of the path hold at that time? */
static bool
hold_at(int64_t seconds)
{
	int64_t from, to;
	char limit[CALENDAR_TEXT], then[CALENDAR_TEXT];

	trust_window(&from, &to);
	(void)calendar_text(seconds, CALENDAR_TIME, then);
	if (seconds < from)
		return ended(TLS_EARLY, "%snot before %s, now %s",
		    connection.keys ? "certificate is not valid yet: " : "",
		    calendar_text(from, CALENDAR_TIME, limit), then);
	return seconds <= to ||
	    ended(TLS_LATE, "%snot after %s, now %s",
		connection.keys ? "certificate has expired: " : "",
		calendar_text(to, CALENDAR_TIME, limit), then);
}

static bool
believe_date(void)
{
	const struct tls_question *q = connection.question;
	const struct tls_answer *a = connection.answer;
	/* So far the error is half of the age. */
	int64_t date = a->date + (int64_t)(a->error * 2e9);
	char then[CALENDAR_TEXT];

	if (!hold_at(date / NS_PER_S) ||
	    (q->synced && !hold_at(a->real / NS_PER_S)))
		return false;
	return date >= q->earliest ||
	    ended(TLS_BUILD, "server says %s",
		calendar_text(date / NS_PER_S, CALENDAR_TIME, then));
}

/* Write the host as certificates and headers have it.  What is no name, or
 * looks like an address, must not reach BearSSL, which would compare it as
 * text, or not at all. */
static bool
prepare_host(void)
{
	const struct tls_question *q = connection.question;
	bool numeric = q->numeric.family != 0;
	size_t size = numeric ? strcspn(q->host, "%") : strlen(q->host);
	uint8_t bytes[16];

	if (!numeric && size > 1 && q->host[size - 1] == '.')
		size--;
	if (size == 0 || size >= sizeof(connection.host))
		return ended(TLS_CONNECT, "host name is empty or too long");
	memcpy(connection.host, q->host, size);
	connection.host[size] = '\0';
	if (numeric)
		return true;
	if (strspn(connection.host,
		"abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != size)
		return ended(TLS_CONNECT,
		    "not a host name (international ones are written as xn--...)");
	if (inet_pton(AF_INET, connection.host, bytes) == 1)
		return ended(TLS_CONNECT, "host name is an address");
	return true;
}

/* Begin a connection. */
static bool
begin(const struct tls_question *q, bool keys)
{
	connection.question = q;
	connection.keys = keys;
	connection.fd = -1;
	connection.firsts = connection.have = 0;
	connection.said = TLS_DATE; /* ended() changes that */
	connection.reason[0] = '\0';
	connection.deadline =
	    clock_now(CLOCK_MONOTONIC) + TLS_PATIENCE * NS_PER_S;
	return prepare_host() && open_connection();
}

/* Say how it ended.  Then end it; what fails now does not matter any more. */
static enum tls_said
end(char reason[static TLS_REASON])
{
	enum tls_said said = connection.said;

	memcpy(reason, connection.reason, TLS_REASON);
	shake_end(&connection.shake);
	if (connection.fd != -1)
		(void)close(connection.fd);
	return said;
}

void
tls_ask(const void *question, void *out)
{
	struct tls_answer *answer = out;
	int64_t sent = 0;

	memset(answer, 0, sizeof(*answer));
	connection.answer = answer;
	if (begin(question, false) && send_request(&sent) && read_date() &&
	    believe_date())
		answer->error += 0.5 + (double)(answer->raw - sent) / 2e9;
	else
		answer->error = 0;
	answer->said = end(answer->reason);
}

/* ---------------------------------------------------------- keys for NTS */

/* Say why the answer brings no keys. */
static bool
ungranted(enum nts_said said, int code)
{
	static const char *const errors[] = { ": it does not know a record",
		": bad request", ": it has a problem of its own" };

	if (code < 0)
		return ended(TLS_READ, "%s", word_at(nts_words, said));
	return ended(TLS_READ, "%s (number %d%s)", word_at(nts_words, said), code,
	    said == NTS_ERROR && code < 3 ? errors[code] : "");
}

/* Send the request, and read until the answer ends. */
static bool
read_grant(struct nts_grant *grant)
{
	uint8_t request[NTS_REQUEST_MOST];
	enum nts_said said = NTS_MORE;
	const uint8_t *bytes;
	size_t size;
	int code;

	connection.stage = "answer";
	connection.failure = TLS_READ;
	if (!shake_send(&connection.shake, request, nts_ask(request)))
		return shake_failed();
	while (said == NTS_MORE) {
		size = shake_receive(&connection.shake, &bytes);
		if (size == 0)
			return shake_failed();
		if (size > NTS_ANSWER_MOST - connection.have)
			return ended(TLS_LENGTH,
			    "answer is longer than %d bytes", NTS_ANSWER_MOST);
		memcpy(connection.head + connection.have, bytes, size);
		connection.have += size;
		said = nts_answer((const uint8_t *)connection.head,
		    connection.have, grant, &code);
	}
	return said == NTS_OK || ungranted(said, code);
}

/* Both sides make the keys out of those of the connection, RFC 8915 §5.1. */
static void
export_keys(struct nts *nts)
{
	/* NTPv4, the number of the AEAD, from the client or to it. */
	static const uint8_t context[2][5] = { { 0, 0, 0, 15, 0 },
		{ 0, 0, 0, 15, 1 } };

	for (int i = 0; i < 2; i++)
		shake_export(&connection.shake,
		    "EXPORTER-network-time-security", context[i],
		    sizeof(context[i]), i == 0 ? nts->c2s : nts->s2c, NTS_KEY);
}

void
tls_exchange(const void *question, void *out)
{
	const struct tls_question *q = question;
	struct tls_keys *keys = out;

	_Static_assert(sizeof(*keys) <= HELPER_ANSWER, "fits into the pipe");
	_Static_assert(
	    (int)NTS_ANSWER_MOST <= (int)HTTP_HEAD_MAX, "fits into head");
	memset(keys, 0, sizeof(*keys));
	keys->ok = begin(q, true) && shake() &&
	    (connection.shake.theirs.alpn || no_exchange()) &&
	    (!q->synced ||
		hold_at(clock_now(CLOCK_REALTIME) / NS_PER_S)) &&
	    read_grant(&keys->grant);
	if (keys->ok) {
		export_keys(&keys->grant.nts);
		trust_window(&keys->from, &keys->until);
	} else
		memset(&keys->grant, 0, sizeof(keys->grant));
	(void)end(keys->reason);
}

/* ---------------------------------------------------------- for the parent */

/* A child may send any bytes as its reason. */
static void
clean(char reason[static TLS_REASON])
{
	reason[TLS_REASON - 1] = '\0';
	for (char *c = reason; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

bool
tls_sane(struct tls_answer *a, int64_t asked, int64_t at)
{
	clean(a->reason);
	if ((unsigned)a->said >= TLS_SAYS)
		return false;
	if (a->said != TLS_DATE && (a->said != TLS_STORED || a->error == 0))
		return true;
	/* Both dates are such that their sums and differences fit. */
	return a->raw >= asked && a->raw <= at && a->real >= 0 &&
	    a->date >= 0 &&
	    a->date <= INT64_MAX - (HTTP_AGE_MOST + TLS_PATIENCE) * NS_PER_S &&
	    a->error >= 0.5 &&
	    a->error <= 0.5 + TLS_PATIENCE +
		    (a->said == TLS_STORED ? HTTP_AGE_MOST / 2 : 0);
}

struct constraint_answer
tls_constraint_answer(const struct tls_answer *a)
{
	return (struct constraint_answer){ .raw = a->raw,
		.ahead = a->date + (int64_t)(a->error * 1e9) - a->raw,
		.error = a->error };
}

bool
tls_keys_sane(struct tls_keys *k)
{
	struct nts_grant *g = &k->grant;
	unsigned char ok;

	clean(k->reason);
	memcpy(&ok, &k->ok, 1); /* which any byte may be */
	k->ok = ok == 1;
	g->nts.asked = false;
	if (ok == 0)
		return true;
	for (int i = 0; i < NTS_COOKIES; i++)
		if (i < g->nts.cookies &&
		    (g->nts.size[i] == 0 || g->nts.size[i] > NTS_COOKIE_MOST))
			return false;
	for (const char *c = g->server; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~' || c == g->server + NTS_SERVER_MOST)
			return false;
	return k->ok && g->port != 0 && g->nts.cookies >= 1 &&
	    g->nts.cookies <= NTS_COOKIES;
}
