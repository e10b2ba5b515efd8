/*
 * connection.c - control.c's connections and listen.c's listeners, with every
 * system call answered by the fuzzer: reads and writes of any length, errors, no
 * memory, listeners that come and go, names that are resolved anew, time.
 *
 * Promises: no descriptor is used or closed after it was closed, and none is
 * left at the end; the same holds for memory. What is sent is the beginning of
 * exactly one well-formed answer. Every connection has a time at which it ends,
 * and for a client that takes nothing it is a second or two away.
 *
 * The linker's --wrap (tests.mk) brings the calls here, and those of the
 * fuzzer's own runtime as well: descriptors below FIRST are the runtime's.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/address.h"
#include "core/conf.h"
#include "core/instant.h"
#include "core/select.h"
#include "core/source.h"
#include "serve/control.h"
#include "serve/listen.h"
#include "serve/serve.h"
#include "serve/status.h"
#include "sys/dns.h"
#include "sys/helper.h"
#include "tests/blank.h"
#include "tests/fuzz/fuzz.h"

enum { FIRST = 1000, FDS = 64 };

/* What the peer of a descriptor has received. */
struct end {
	bool open, listens, shut;
	char head[400];
	size_t sent;
};

static struct end ends[FDS];
static int allocated;
static bool inside; /* a call of the room is under way */

/* In so many of 256 cases a call fails, for any reason. */
static bool
fails(int share)
{
	static const int reasons[] = { EAGAIN, EINTR, ECONNRESET, EPIPE, ENOMEM,
		ENOBUFS, EMFILE, ENFILE, ECONNABORTED, EPERM, EINVAL, EACCES,
		EADDRINUSE, EAFNOSUPPORT, ENOENT, ECONNREFUSED };

	if (byte() >= share)
		return false;
	errno = reasons[byte() % 16];
	return true;
}

static struct end *
end_of(int fd)
{
	CHECK(fd >= FIRST && fd < FIRST + FDS && ends[fd - FIRST].open);
	return &ends[fd - FIRST];
}

static int
open_end(void)
{
	int i;

	for (i = 0; i < FDS; i++)
		if (!ends[i].open) {
			memset(&ends[i], 0, sizeof ends[i]);
			ends[i].open = true;
			return FIRST + i;
		}
	errno = EMFILE;
	return -1;
}

/* -------------------------------------------------------------- the system */

int __real_close(int);
void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void __real_free(void *);
int __wrap_close(int);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void __wrap_free(void *);
ssize_t __wrap_recv(int, void *, size_t, int);
ssize_t __wrap_send(int, const void *, size_t, int);
int __wrap_accept4(int, struct sockaddr *, socklen_t *, int);
int __wrap_shutdown(int, int);
int __wrap_getsockopt(int, int, int, void *, socklen_t *);
int __wrap_setsockopt(int, int, int, const void *, socklen_t);
int __wrap_bind(int, const struct sockaddr *, socklen_t);
int __wrap_listen(int, int);
int __wrap_connect(int, const struct sockaddr *, socklen_t);
int __wrap_ioctl(int, unsigned long, ...);
int __wrap_net_socket(int, int);
int __wrap_unlink(const char *);
int __wrap_mkdir(const char *, mode_t);
int __wrap_lstat(const char *, struct stat *);

int
__wrap_close(int fd)
{
	if (!inside && fd < FIRST)
		return __real_close(fd);
	end_of(fd)->open = false;
	return 0;
}

void *
__wrap_malloc(size_t size)
{
	if (!inside)
		return __real_malloc(size);
	if (fails(8))
		return NULL;
	allocated++;
	return __real_malloc(size);
}

/* Only at the start, which fails without. */
void *
__wrap_calloc(size_t n, size_t size)
{
	allocated += inside;
	return __real_calloc(n, size);
}

void
__wrap_free(void *p)
{
	if (inside && p != NULL)
		allocated--;
	__real_free(p);
}

ssize_t
__wrap_recv(int fd, void *bytes, size_t size, int flags)
{
	static const char *const requests[] = {
		"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /healthz HTTP/1.0\r\n\r\n",
		"HEAD /status HTTP/1.1\r\nHost: b\r\n\r\n",
		"GET /readyz HTTP/1.1\r\nHost: c\r\n\r\n",
		"GET /ntpctl/all HTTP/1.0\n\n", "POST / HTTP/1.1\r\n\r\n",
		"\r\n", "X"
	};
	uint8_t kind = byte();
	size_t n, i;

	(void)end_of(fd);
	(void)flags;
	if (kind < 60) {
		errno = EAGAIN;
		return -1;
	}
	if (fails(10))
		return -1;
	if (kind < 80)
		return 0;
	if (kind < 160) {
		n = strlen(requests[kind % 8]);
		memcpy(bytes, requests[kind % 8], n);
		return (ssize_t)n;
	}
	n = 1 + byte() * (size_t)(kind & 1 ? 4 : 1);
	n = n < size ? n : size;
	for (i = 0; i < n; i++)
		((char *)bytes)[i] = i < 4 ? (char)byte() : 'a';
	return (ssize_t)n;
}

ssize_t
__wrap_send(int fd, const void *bytes, size_t size, int flags)
{
	struct end *e = end_of(fd);
	uint8_t kind = byte();
	size_t n = kind < 120 ? size : 1 + kind % 200, i;

	CHECK((flags & MSG_NOSIGNAL) != 0 && !e->shut && size > 0);
	if (kind < 60) {
		errno = EAGAIN;
		return -1;
	}
	if (kind < 66 && fails(256))
		return -1;
	n = n < size ? n : size;
	for (i = 0; i < n; i++, e->sent++)
		if (e->sent < sizeof e->head - 1)
			e->head[e->sent] = ((const char *)bytes)[i];
	return (ssize_t)n;
}

/* The answer is out: it must be whole, with its body or (for HEAD) without. */
static void
check_answer(const struct end *e)
{
	const char *head_end = strstr(e->head, "\r\n\r\n");
	const char *length = strstr(e->head, "\r\nContent-Length: ");
	size_t head, body;

	CHECK(strncmp(e->head, "HTTP/1.1 ", 9) == 0);
	CHECK(head_end != NULL && length != NULL && length < head_end);
	head = (size_t)(head_end + 4 - e->head);
	body = strtoul(length + 18, NULL, 10);
	CHECK(e->sent == head || e->sent == head + body);
}

int
__wrap_shutdown(int fd, int how)
{
	struct end *e = end_of(fd);

	(void)how;
	if (fails(20))
		return -1;
	e->shut = true;
	check_answer(e);
	return 0;
}

int
__wrap_accept4(int fd, struct sockaddr *from, socklen_t *size, int flags)
{
	(void)from;
	(void)size;
	CHECK(end_of(fd)->listens);
	CHECK((flags & SOCK_NONBLOCK) != 0 && (flags & SOCK_CLOEXEC) != 0);
	return fails(60) ? -1 : open_end();
}

int
__wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
	(void)end_of(fd);
	(void)level;
	(void)name;
	(void)size;
	if (fails(30))
		return -1;
	((struct ucred *)value)->uid = byte() < 128 ? 0 : 4711;
	return 0;
}

int
__wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
	(void)end_of(fd);
	(void)level;
	(void)name;
	(void)value;
	(void)n;
	return fails(20) ? -1 : 0;
}

int
__wrap_bind(int fd, const struct sockaddr *to, socklen_t size)
{
	(void)end_of(fd);
	CHECK(size >= sizeof to->sa_family);
	CHECK(to->sa_family == AF_UNIX || to->sa_family == AF_INET ||
	    to->sa_family == AF_INET6);
	return fails(60) ? -1 : 0;
}

int
__wrap_listen(int fd, int backlog)
{
	(void)backlog;
	end_of(fd)->listens = true;
	return fails(20) ? -1 : 0;
}

int
__wrap_connect(int fd, const struct sockaddr *to, socklen_t size)
{
	(void)end_of(fd);
	(void)to;
	(void)size;
	errno = ENOENT;
	return byte() < 200 || fails(256) ? -1 : 0;
}

/* TIOCOUTQ: any number. */
int
__wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;

	(void)end_of(fd);
	(void)request;
	if (fails(20))
		return -1;
	va_start(args, request);
	*va_arg(args, int *) = (int)(int8_t)byte() * 1000;
	va_end(args);
	return 0;
}

int
__wrap_net_socket(int domain, int type)
{
	(void)domain;
	(void)type;
	return fails(20) ? -1 : open_end();
}

int
__wrap_unlink(const char *path)
{
	(void)path;
	return fails(128) ? -1 : 0;
}

int
__wrap_mkdir(const char *path, mode_t mode)
{
	(void)path;
	(void)mode;
	return fails(128) ? -1 : 0;
}

int
__wrap_lstat(const char *path, struct stat *st)
{
	(void)path;
	memset(st, 0, sizeof *st);
	st->st_mode = byte() < 128 ? S_IFSOCK : S_IFREG;
	return fails(128) ? -1 : 0;
}

/* ------------------------------------------------- rooms that are not there */

/* No lookup is started, and any addresses may be its answer. */
static struct dns_answer answer;

int
helper_start(struct helpers *h, const struct helper_job *job, int64_t raw)
{
	(void)h;
	(void)job;
	(void)raw;
	return fails(128) ? -1 : 0;
}

void
helper_renumber(
    struct helpers *h, enum helper_kind kind, const int to[], int each)
{
	(void)h;
	(void)kind;
	(void)to;
	(void)each;
}

void
dns_ask(const void *question, void *out)
{
	(void)question;
	(void)out;
}

void
dns_take(const struct helper_result *r, const char *name, bool news,
    struct dns_answer *out)
{
	(void)r;
	(void)name;
	(void)news;
	*out = answer;
}

/* ------------------------------------------------------------------ one run */

static void
made_up(struct status *s)
{
	static char words[2 * (SELECT_SAYS + SAID_SAYS + DROPS)];
	static const uint64_t rejected[SAID_SAYS];
	static struct status_source source = { BLANK_SOURCE, .name = "n",
		.address = "192.0.2.1",
		.rejected = rejected };
	size_t i;

	for (i = 0; i < sizeof words; i += 2)
		words[i] = 'w';
	*s = (struct status){ BLANK_STATUS, .version = "v" };
	s->conf_good = byte() % 2 != 0;
	s->conf_why = s->conf_good ? "" : "1:1: syntax error";
	s->selected_words = s->said_words = s->dropped_words = words;
	s->source = &source;
	s->sources = byte() % 2;
	s->synced = true;
}

/* A name was looked up: it has some addresses of those that dns_take passes. */
static void
resolve(struct listening *listening, int64_t raw)
{
	struct helper_result r = { .owner = 1 };
	int i;

	memset(&answer, 0, sizeof answer);
	answer.addresses = byte() % (POOL_MAX + 1);
	for (i = 0; i < answer.addresses; i++) {
		answer.address[i].family = byte() % 4 != 0 ? 4 : 6;
		answer.address[i].bytes[0] = byte() % 4;
	}
	if (listening->lines > 1)
		listen_named(listening, &r, raw);
}

/* As many places as there are, no address twice, all watched that are open. */
static void
check_listeners(const struct listening *s, int64_t raw)
{
	int i, j, n = 0;

	CHECK(s->count[LISTEN_METRICS] <= LISTEN_METRICS_MOST);
	CHECK(s->count[LISTEN_NTP] <= LISTEN_NTP_MOST);
	CHECK(s->count[LISTEN_NTP] + s->count[LISTEN_METRICS] == s->listeners);
	for (i = 0; i < s->listeners; i++) {
		const struct listener *l = &s->listener[i];

		n += l->service == LISTEN_METRICS;
		CHECK(l->fd >= 0 ? l->retry == NEVER : l->retry > raw);
		CHECK(l->fd < 0 || end_of(l->fd)->open);
		for (j = 0; j < i; j++)
			CHECK(l->service != s->listener[j].service ||
			    l->port != s->listener[j].port ||
			    !address_equal(
				&l->address, &s->listener[j].address));
	}
	CHECK(n == s->count[LISTEN_METRICS]);
}

static void
check_connections(const struct control *control, int64_t raw)
{
	const struct control_connection *c;
	int i;

	for (i = 0; i < CONTROL_CONNECTIONS; i++) {
		c = &control->connection[i];
		if (c->state == CONNECTION_FREE) {
			CHECK(c->answer == NULL);
			continue;
		}
		(void)end_of(c->fd);
		CHECK(c->due > raw && c->due - raw <= 10 * NS_PER_S);
		CHECK(c->state != CONNECTION_WRITES ||
		    c->due - raw <= NS_PER_S);
		CHECK(control_due(control) <= c->due);
	}
}

static void
one_turn(struct control *control, struct listening *listening, struct status *s,
    int64_t raw)
{
	struct pollfd p[CONTROL_WATCHED];
	int i, n;

	listen_turn(listening, NULL, raw);
	check_listeners(listening, raw);
	n = control_watch(control, p, CONTROL_WATCHED);
	for (i = 0; i < n; i++) {
		uint8_t kind = byte();

		(void)end_of(p[i].fd);
		p[i].revents = kind < 140 ? p[i].events :
		    kind < 150		  ? POLLHUP :
		    kind < 160		  ? POLLERR :
					    0;
	}
	if (control_deliver(control, p, n, raw) && byte() > 10) {
		s->ready = byte() & 1;
		control_answer(control, s, raw);
	}
	check_connections(control, raw);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct control control;
	static struct listening listening;
	struct conf_listen lines[] = {
		{ .name = (char *)(uintptr_t)"*", .any = true, .port = 9559 },
		{ .name = (char *)(uintptr_t)"n", .port = 9560 },
		{ .name = (char *)(uintptr_t)"1.2.3.4",
		    .address = { .family = 4, .bytes = { 1, 2, 3, 4 } },
		    .port = 9559 },
	};
	struct conf conf = { .metrics = lines, .listen = lines };
	struct status s;
	int64_t raw = 1000;
	int i;

	in = data;
	left = size;
	memset(ends, 0, sizeof ends);
	allocated = 0;
	made_up(&s);
	inside = true;
	control_start(&control, &listening);
	(void)control_open(&control);
	conf.metricses = byte() % 4;
	conf.listens = byte() % 4;
	listen_open(&listening, &conf, raw);
	while (left > 0) {
		raw += (int64_t)1 << (byte() % 36);
		switch (byte() % 8) {
		case 0:
			conf.metricses = byte() % 4;
			conf.listens = byte() % 4;
			listen_open(&listening, &conf, raw);
			break;
		case 1: resolve(&listening, raw); break;
		default: break;
		}
		one_turn(&control, &listening, &s, raw);
	}
	control_close(&control);
	listen_close(&listening);
	inside = false;
	for (i = 0; i < FDS; i++)
		CHECK(!ends[i].open);
	CHECK(allocated == 0);
	return 0;
}
