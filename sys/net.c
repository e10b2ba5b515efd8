/*
 * net.c - UDP sockets for requests.  Each question has a connected socket of
 * its own, so that its source port is as new as its nonce (RFC 9109), and so
 * that the kernel drops what comes from elsewhere.
 *
 * Stamps come from the kernel on CLOCK_REALTIME and are moved to the raw axis
 * at once.  Where there is none (simulators, emulators), the reading after the
 * receive call takes its place, and the one before the call that sends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "sys/net.h"
#include "sys/instant.h"

/* s: the noise of a reading after the call, when the kernel gives no stamp.  It
 * does not say how late the reading may be: that shows in the delay, by which
 * the filter judges. */
#define UNSTAMPED 1e-6

uint64_t
net_random(void)
{
	static uint64_t fallback;
	struct instant now;
	uint64_t bits;

	if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) == sizeof bits)
		return bits;
	now = clock_read();
	fallback = (fallback ^ (uint64_t)now.raw) * 0x9e3779b97f4a7c15u +
	    (uint64_t)now.real;
	return fallback;
}

socklen_t
net_sockaddr(
    const struct address *a, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof *out);
	if (a->family == 4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, a->bytes, 4);
		return sizeof *in;
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	in6->sin6_scope_id = a->scope;
	memcpy(&in6->sin6_addr, a->bytes, 16);
	return sizeof *in6;
}

bool
net_address(const struct sockaddr *from, struct address *a)
{
	memset(a, 0, sizeof *a);
	if (from->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)from;

		a->family = 4;
		memcpy(a->bytes, &in->sin_addr, 4);
		return true;
	}
	if (from->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 =
		    (const struct sockaddr_in6 *)from;

		a->family = 6;
		a->scope = in6->sin6_scope_id;
		memcpy(a->bytes, &in6->sin6_addr, 16);
		return true;
	}
	return false;
}

const char *
net_text(const struct address *a, char text[static ADDRESS_TEXT])
{
	char name[IF_NAMESIZE];
	size_t n;

	if (a->family == 0)
		return strcpy(text, "(unknown)");
	(void)inet_ntop(
	    a->family == 4 ? AF_INET : AF_INET6, a->bytes, text, ADDRESS_TEXT);
	if (a->scope != 0) {
		n = strlen(text);
		if (if_indextoname(a->scope, name) == NULL)
			(void)snprintf(name, sizeof name, "%u", a->scope);
		(void)snprintf(text + n, ADDRESS_TEXT - n, "%%%s", name);
	}
	return text;
}

int
net_undo(int fd)
{
	int error = errno;

	(void)close(fd); /* nothing was written */
	errno = error;
	return -1;
}

int
net_socket(int domain, int type)
{
	/* The type is bare, since the simulator knows no flags in it. */
	int fd = socket(domain, type, 0), flags;

	if (fd < 0)
		return -1;
	flags = fcntl(fd, F_GETFL);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || flags < 0 ||
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return net_undo(fd);
	return fd;
}

int
net_ask(const struct address *to, uint16_t port, const struct address *from)
{
	int domain = to->family == 4 ? AF_INET : AF_INET6, on = 1, tos = NET_EF;
	int left = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY;
	int fd = net_socket(domain, SOCK_DGRAM);
	struct sockaddr_storage ss;
	socklen_t len;

	if (fd < 0)
		return -1;
	/* A socket without these works as well: it has no stamps, no
	 * priority. */
	(void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &left, sizeof left);
	if (to->family == 4)
		(void)setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
	else
		(void)setsockopt(
		    fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
	if (from->family == to->family) {
		len = net_sockaddr(from, 0, &ss);
		if (bind(fd, (struct sockaddr *)&ss, len) < 0)
			return net_undo(fd);
	}
	len = net_sockaddr(to, port, &ss);
	return connect(fd, (struct sockaddr *)&ss, len) < 0 ? net_undo(fd) : fd;
}

bool
net_local(int fd, struct address *a)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;

	return getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
	    net_address((struct sockaddr *)&ss, a);
}

/* The kernel's stamp of a message, on the real axis, or 0 if there is none. */
static int64_t
kernel_stamp(struct msghdr *m)
{
	struct cmsghdr *c;
	struct timespec t;

	for (c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SO_TIMESTAMPNS) {
			memcpy(&t, CMSG_DATA(c), sizeof t);
			return nanoseconds(&t);
		}
	return 0;
}

/* See net_receive; with MSG_ERRQUEUE it is what we sent, and when that left. */
static ssize_t
take(int fd, int flags, uint8_t *bytes, size_t capacity, struct stamps *t)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(struct timespec)) + 64];
	} control;
	struct iovec iov = { bytes, capacity };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control,
	};
	ssize_t size = recvmsg(fd, &m, flags);
	struct instant now;
	int64_t stamp;

	if (size < 0)
		return -1;
	now = clock_read();
	stamp = kernel_stamp(&m);
	t->got = now.raw - (now.real - stamp);
	t->precision = 0;
	/* If somebody has set the clock since the stamp, it is of no use. */
	if (stamp == 0 || t->got < t->sent || t->got > now.raw) {
		t->got = now.raw;
		t->precision =
		    stamp == 0 ? UNSTAMPED : seconds(now.raw - t->sent);
	}
	return size;
}

int
net_send(int fd, const uint8_t *bytes, size_t size, int64_t *sent_raw)
{
	struct stamps t = { .sent = clock_now(CLOCK_MONOTONIC_RAW) };

	*sent_raw = t.sent;
	if (send(fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size)
		return -1;
	if (take(fd, MSG_ERRQUEUE, NULL, 0, &t) >= 0 && t.precision == 0)
		*sent_raw = t.got;
	return 0;
}

ssize_t
net_receive(int fd, uint8_t *bytes, size_t capacity, struct stamps *t)
{
	ssize_t size = take(fd, 0, bytes, capacity, t);

	/* It may be a late transmit stamp that woke us.  Nobody needs it now,
	 * but it must go, or it would wake us again. */
	if (size < 0 && errno == EAGAIN)
		(void)take(fd, MSG_ERRQUEUE, NULL, 0, t);
	return size;
}
