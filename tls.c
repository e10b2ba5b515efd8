/*
 * tls.c - one HTTPS question over BearSSL; runs in a child only.
 *
 * It connects, shakes hands in TLS 1.2, sends a HEAD request, reads up to the
 * Date header, and compares that date with those of the certificates.  The
 * engine is driven by hand over a non-blocking socket, so that one absolute
 * deadline holds, however slowly the bytes come.
 *
 * Only the sound parts of TLS are offered: ECDHE with AES-GCM or
 * ChaCha20-Poly1305 and SHA-2.  BearSSL's portable constant-time code is named
 * function by function, because its ready-made sets would link 12 to 30 KB
 * more.
 *
 * Certificates belong to trust.c, requests and headers to http.c.  So a later
 * version of TLS can stand beside this one and use both.
 */
#include "tls.h"
#include "core/calendar.h"
#include "core/http.h"
#include "sys/instant.h"
#include "sys/net.h"
#include "tls/trust.h"

#include <arpa/inet.h>
#include <bearssl.h>
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

const char *const tls_words[TLS_SAYS] = {
	[TLS_DATE] = "constraint reply",
	[TLS_CONNECT] = "tls connect failed",
	[TLS_HANDSHAKE] = "tls write failed",
	[TLS_EARLY] = "tls certificate not yet valid",
	[TLS_LATE] = "tls certificate expired",
	[TLS_READ] = "tls read failed",
	[TLS_FORMAT] = "unsupported date format",
	[TLS_LENGTH] = "maximum length exceeded",
	[TLS_BUILD] = "date before the build of this program",
	[TLS_STORED] = "stored date",
};

enum {
	NAME_MOST = 253,    /* bytes of a DNS name, RFC 1035 §2.3.4 */
	QUESTION_MAX = 9000 /* bytes; a word of ntpd.conf has at most 8096 */
};

/* One process asks one question, so one connection is enough.  It has 38 KB,
 * most of them for the engine's buffers of one record each way. */
static struct {
	const struct tls_question *question;
	struct tls_answer *answer;
	char host[NAME_MOST + 1]; /* without a last dot or a scope */
	int fd;
	int64_t deadline; /* CLOCK_MONOTONIC, ns */
	br_ssl_client_context client;
	unsigned char buffer[BR_SSL_BUFSIZE_BIDI];
	uint8_t first[8]; /* the first bytes that the server sent */
	size_t firsts;
	char head[HTTP_HEAD_MAX];
	size_t have;
	char request[QUESTION_MAX];
} connection;

static br_ssl_engine_context *const engine = &connection.client.eng;

/* Say how it ended.  Returns false, which callers then return themselves. */
static bool __attribute__((format(printf, 2, 3)))
ended(enum tls_said said, const char *format, ...)
{
	struct tls_answer *a = connection.answer;
	va_list ap;

	a->said = said;
	va_start(ap, format);
	(void)vsnprintf(a->reason, sizeof(a->reason), format, ap);
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
			    "connect: no answer in %d s (is port %d blocked?)",
			    TLS_PATIENCE, q->port);
		if (getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error,
			&error_size) == -1)
			error = errno;
	}
	return error == 0 ||
	    ended(TLS_CONNECT, "connect: %s", strerror(error));
}

/* ----------------------------------------------------------------- engine */

/* The curves for the key exchange: NIST's and X25519, both from BearSSL's small
 * generic code.  BearSSL's own set of both, br_ec_all_m31, has faster code for
 * two curves.  That is 11 KB larger, and saves 1 ms of a question. */
static const br_ec_impl *
curves_of(int curve)
{
	return curve == BR_EC_curve25519 ? &br_ec_c25519_i31 : &br_ec_prime_i31;
}

static const unsigned char *
curves_generator(int curve, size_t *size)
{
	return curves_of(curve)->generator(curve, size);
}

static const unsigned char *
curves_order(int curve, size_t *size)
{
	return curves_of(curve)->order(curve, size);
}

static size_t
curves_xoff(int curve, size_t *size)
{
	return curves_of(curve)->xoff(curve, size);
}

static uint32_t
curves_mul(unsigned char *point, size_t point_size, const unsigned char *x,
    size_t x_size, int curve)
{
	return curves_of(curve)->mul(point, point_size, x, x_size, curve);
}

static size_t
curves_mulgen(
    unsigned char *point, const unsigned char *x, size_t x_size, int curve)
{
	return curves_of(curve)->mulgen(point, x, x_size, curve);
}

static uint32_t
curves_muladd(unsigned char *a, const unsigned char *b, size_t size,
    const unsigned char *x, size_t x_size, const unsigned char *y,
    size_t y_size, int curve)
{
	return curves_of(curve)->muladd(
	    a, b, size, x, x_size, y, y_size, curve);
}

static const br_ec_impl curves = {
	1u << BR_EC_secp256r1 | 1u << BR_EC_secp384r1 | 1u << BR_EC_secp521r1 |
	    1u << BR_EC_curve25519,
	curves_generator,
	curves_order,
	curves_xoff,
	curves_mul,
	curves_mulgen,
	curves_muladd,
};

static bool
start_engine(void)
{
	/* These are all suites of ECDHE with AEAD.  The certificate decides how
	 * the server signs. */
	static const uint16_t suites[] = {
		BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	};
	const struct tls_question *q = connection.question;
	const char *name = q->numeric.family == 0 ? connection.host : NULL;
	uint8_t seed[32];

	br_ssl_client_zero(&connection.client);
	br_ssl_engine_set_versions(engine, BR_TLS12, BR_TLS12);
	br_ssl_engine_set_suites(
	    engine, suites, sizeof(suites) / sizeof(suites[0]));
	br_ssl_engine_set_rsavrfy(engine, &br_rsa_i31_pkcs1_vrfy);
	br_ssl_engine_set_ec(engine, &curves);
	br_ssl_engine_set_ecdsa(engine, &br_ecdsa_i31_vrfy_asn1);
	br_ssl_engine_set_hash(engine, br_sha256_ID, &br_sha256_vtable);
	br_ssl_engine_set_hash(engine, br_sha384_ID, &br_sha384_vtable);
	br_ssl_engine_set_hash(engine, br_sha512_ID, &br_sha512_vtable);
	br_ssl_engine_set_prf_sha256(engine, &br_tls12_sha256_prf);
	br_ssl_engine_set_prf_sha384(engine, &br_tls12_sha384_prf);
	br_ssl_engine_set_gcm(
	    engine, &br_sslrec_in_gcm_vtable, &br_sslrec_out_gcm_vtable);
	br_ssl_engine_set_aes_ctr(engine, &br_aes_ct64_ctr_vtable);
	br_ssl_engine_set_ghash(engine, &br_ghash_ctmul64);
	br_ssl_engine_set_chapol(
	    engine, &br_sslrec_in_chapol_vtable, &br_sslrec_out_chapol_vtable);
	br_ssl_engine_set_chacha20(engine, &br_chacha20_ct_run);
	br_ssl_engine_set_poly1305(engine, &br_poly1305_ctmul_run);
	br_ssl_engine_set_x509(
	    engine, trust_begin(q->roots, name, &q->numeric));
	br_ssl_engine_set_buffer(
	    engine, connection.buffer, sizeof(connection.buffer), 1);
	br_ssl_engine_add_flags(engine, BR_OPT_NO_RENEGOTIATION);

	/* The engine also tries RDRAND or /dev/urandom.  This seed is enough
	 * where both are missing, or RDRAND is broken. */
	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return ended(TLS_HANDSHAKE, "getrandom: %s", strerror(errno));
	br_ssl_engine_inject_entropy(engine, seed, sizeof(seed));
	/* RFC 6066 §3: an address is never sent as a name. */
	if (!br_ssl_client_reset(&connection.client, name, 0))
		return ended(TLS_HANDSHAKE, "TLS cannot start (error %d)",
		    br_ssl_engine_last_error(engine));
	return true;
}

/* Does the server not begin with a TLS record? */
static bool
speaks_no_tls(void)
{
	return connection.firsts >= 2 &&
	    (connection.first[0] < 20 || connection.first[0] > 23 ||
		connection.first[1] != 3);
}

/* The engine gave up: say why, as far as it is known. */
static bool
engine_failed(enum tls_said said)
{
	int code = br_ssl_engine_last_error(engine);
	const char *words = trust_words(code);

	if (speaks_no_tls())
		return ended(said, "no TLS on port %d%s",
		    connection.question->port,
		    memcmp(connection.first, "HTTP", 4) == 0 ||
			    memcmp(connection.first, "<", 1) == 0 ?
			", but plain HTTP" :
			"");
	if (code == BR_ERR_X509_BAD_SERVER_NAME)
		return ended(said, "%s `%s' not present in server certificate",
		    connection.question->numeric.family == 0 ? "name" :
							       "address",
		    connection.host);
	if (words != NULL)
		return ended(said, "%s", words);
	/* 70 is protocol_version; GnuTLS sends 40, handshake_failure, in its
	 * place.  Later in the handshake both mean something else. */
	if ((code == BR_ERR_RECV_FATAL_ALERT + 70 ||
		code == BR_ERR_RECV_FATAL_ALERT + 40) &&
	    br_ssl_engine_get_version(engine) == 0)
		return ended(said,
		    "server refuses TLS 1.2 with ECDHE (alert %d): it is too old, or TLS 1.3-only; use another",
		    code - BR_ERR_RECV_FATAL_ALERT);
	if (code >= BR_ERR_RECV_FATAL_ALERT && code < BR_ERR_SEND_FATAL_ALERT)
		return ended(said, "server sent TLS alert %d%s",
		    code - BR_ERR_RECV_FATAL_ALERT,
		    code == BR_ERR_RECV_FATAL_ALERT + 40 ?
			" (does it want a certificate of ours?)" :
			"");
	if (code == BR_ERR_UNSUPPORTED_VERSION || code == BR_ERR_BAD_VERSION)
		return ended(said, "server does not speak TLS 1.2");
	if (code == BR_ERR_BAD_SIGNATURE)
		return ended(said, "server's signature is wrong");
	if (code == BR_ERR_WRONG_KEY_USAGE)
		return ended(said, "certificate's key is not for signing");
	if (code == BR_ERR_OK)
		return ended(said, "connection closed by the server");
	return ended(said, "TLS protocol error %d", code);
}

/* Read once what the server has for the engine. */
static bool
take(enum tls_said said, const char *stage)
{
	size_t size, i;
	unsigned char *bytes = br_ssl_engine_recvrec_buf(engine, &size);
	ssize_t n = recv(connection.fd, bytes, size, 0);

	if (n > 0) {
		for (i = 0; i < (size_t)n &&
		     connection.firsts < sizeof(connection.first);
		     i++)
			connection.first[connection.firsts++] = bytes[i];
		br_ssl_engine_recvrec_ack(engine, (size_t)n);
	} else if (n == 0)
		return speaks_no_tls() ?
		    engine_failed(said) :
		    ended(said, "%s: connection closed by the server", stage);
	else if (errno == EAGAIN)
		(void)wait_until(POLLIN);
	else if (errno != EINTR)
		return ended(said, "%s: %s", stage, strerror(errno));
	return true;
}

/* Write once what the engine has for the server. */
static bool
give(enum tls_said said, const char *stage)
{
	size_t size;
	unsigned char *bytes = br_ssl_engine_sendrec_buf(engine, &size);
	ssize_t n = send(connection.fd, bytes, size, MSG_NOSIGNAL);

	if (n > 0)
		br_ssl_engine_sendrec_ack(engine, (size_t)n);
	else if (n == -1 && errno == EAGAIN)
		(void)wait_until(POLLOUT); /* the caller looks at the time */
	else if (n == -1 && (errno == EPIPE || errno == ECONNRESET))
		return take(said, stage); /* an alert may tell why */
	else if (n == -1 && errno != EINTR)
		return ended(said, "%s: %s", stage, strerror(errno));
	return true;
}

/* Send and receive until the engine is in one of the wanted states. */
static bool
drive(unsigned want, enum tls_said said, const char *stage)
{
	for (;;) {
		unsigned state = br_ssl_engine_current_state(engine);

		if (state & BR_SSL_CLOSED)
			return engine_failed(said);
		if (state & want)
			return true;
		if (clock_now(CLOCK_MONOTONIC) >= connection.deadline)
			return ended(said, "%s not finished in %d s", stage,
			    TLS_PATIENCE);
		if (!(state & BR_SSL_SENDREC ? give(said, stage) :
					       take(said, stage)))
			return false;
	}
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

/* Send the request.  At the raw time *sent the server cannot have it yet. */
static bool
send_request(int64_t *sent)
{
	const struct tls_question *q = connection.question;
	size_t left = http_request(connection.host, q->port, q->path,
	    connection.request, sizeof(connection.request));
	const char *at = connection.request;

	if (left == 0)
		return ended(TLS_HANDSHAKE,
		    "path cannot be sent: too long, or not printable ASCII without blanks");
	if (!drive(BR_SSL_SENDAPP, TLS_HANDSHAKE, "handshake"))
		return false;
	wait_for_aim(q->aim);
	while (left > 0) {
		size_t room;
		unsigned char *to;

		if (!drive(BR_SSL_SENDAPP, TLS_HANDSHAKE, "handshake"))
			return false;
		to = br_ssl_engine_sendapp_buf(engine, &room);
		if (room > left)
			room = left;
		memcpy(to, at, room);
		br_ssl_engine_sendapp_ack(engine, room);
		at += room;
		left -= room;
	}
	br_ssl_engine_flush(engine, 0);
	*sent = clock_now(CLOCK_MONOTONIC_RAW);
	return true;
}

/* Say why the headers give no date, or that the answer comes out of a cache. */
static bool
undated(enum http_said said, const struct http_time *t)
{
	if (said == HTTP_STORED && t->age > 0)
		return ended(TLS_STORED, "%s (Age %lld)", http_words[said],
		    (long long)t->age);
	return ended(said == HTTP_LONG		       ? TLS_LENGTH :
		said == HTTP_ALIEN || said == HTTP_NUL ? TLS_READ :
		said == HTTP_STORED		       ? TLS_STORED :
							 TLS_FORMAT,
	    "%s", http_words[said]);
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

	while (said == HTTP_MORE) {
		size_t size, room = sizeof(connection.head) - connection.have;
		unsigned char *bytes;
		int64_t raw, real;

		if (!drive(BR_SSL_RECVAPP, TLS_READ, "headers"))
			return false;
		bytes = br_ssl_engine_recvapp_buf(engine, &size);
		if (size > room)
			size = room;
		memcpy(connection.head + connection.have, bytes, size);
		connection.have += size;
		br_ssl_engine_recvapp_ack(engine, size);
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
		return ended(TLS_EARLY, "not before %s, now %s",
		    calendar_text(from, CALENDAR_TIME, limit), then);
	return seconds <= to ||
	    ended(TLS_LATE, "not after %s, now %s",
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

void
tls_ask(const void *question, void *out)
{
	struct tls_answer *answer = out;
	int64_t sent = 0;

	memset(answer, 0, sizeof(*answer));
	answer->said = TLS_DATE; /* ended() changes that */
	connection.question = question;
	connection.answer = answer;
	connection.fd = -1;
	connection.firsts = connection.have = 0;
	connection.deadline =
	    clock_now(CLOCK_MONOTONIC) + TLS_PATIENCE * NS_PER_S;
	if (prepare_host() && open_connection() && start_engine() &&
	    send_request(&sent) && read_date() && believe_date())
		answer->error += 0.5 + (double)(answer->raw - sent) / 2e9;
	else
		answer->error = 0;
	if (connection.fd != -1)
		(void)close(connection.fd); /* the process ends anyway */
}

/* ---------------------------------------------------------- for the parent */

bool
tls_sane(struct tls_answer *a, int64_t asked, int64_t at)
{
	a->reason[sizeof(a->reason) - 1] = '\0';
	for (char *c = a->reason; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
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
