/*
 * ceiling.c - what a server on this machine can do at best: three loops without
 * a daemon around them.  `make bench-server` states every server as a ratio of
 * the first.  Not servers to use.
 *
 *   ceiling echo  PORT   recvfrom and sendto; the bytes go back with only the
 *                        mode changed: the plain loop of the measure
 *   ceiling stamp PORT   recvmsg and sendmsg with a kernel stamp and the local
 *                        address: the least of a correct one-by-one server
 *   ceiling batch PORT   the same by recvmmsg and sendmmsg, 64 at once: the most
 *                        that plain sockets give a correct server
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { ROW = 64, SIZE = 48, ROOM = 128 };

static struct row {
	struct sockaddr_in from;
	struct iovec iov;
	_Alignas(16) uint8_t bytes[SIZE], control[ROOM];
} row[ROW];
static struct mmsghdr in[ROW], out[ROW];

static void
put_time(uint8_t *p, struct timespec t)
{
	uint32_t s = htonl((uint32_t)t.tv_sec + 2208988800u);
	uint32_t f = htonl((uint32_t)(((uint64_t)t.tv_nsec << 32) / 1000000000));

	memcpy(p, &s, 4);
	memcpy(p + 4, &f, 4);
}

static void
listen_row(struct row *r, struct mmsghdr *m)
{
	r->iov = (struct iovec){ r->bytes, SIZE };
	m->msg_hdr.msg_name = &r->from;
	m->msg_hdr.msg_namelen = sizeof r->from;
	m->msg_hdr.msg_iov = &r->iov;
	m->msg_hdr.msg_iovlen = 1;
	m->msg_hdr.msg_control = r->control;
	m->msg_hdr.msg_controllen = ROOM;
}

/* Make the reply; false if the request deserves none. */
static bool
answer_row(struct row *r, struct mmsghdr *m, struct mmsghdr *to)
{
	struct cmsghdr *local = NULL, *c = CMSG_FIRSTHDR(&m->msg_hdr);
	struct timespec got = { 0, 0 }, now;

	if (m->msg_len < SIZE || (r->bytes[0] & 7) != 3)
		return false;
	for (; c != NULL; c = CMSG_NXTHDR(&m->msg_hdr, c))
		if (c->cmsg_level == SOL_SOCKET)
			memcpy(&got, CMSG_DATA(c), sizeof got);
		else
			local = c;
	memcpy(r->bytes + 24, r->bytes + 40, 8);
	r->bytes[0] = (uint8_t)((r->bytes[0] & 0x38) | 4);
	r->bytes[1] = 2;
	put_time(r->bytes + 32, got);
	clock_gettime(CLOCK_REALTIME, &now);
	put_time(r->bytes + 40, now);

	to->msg_hdr.msg_name = &r->from;
	to->msg_hdr.msg_namelen = sizeof r->from;
	to->msg_hdr.msg_iov = &r->iov;
	to->msg_hdr.msg_iovlen = 1;
	if (local != NULL) {
		((struct in_pktinfo *)(void *)CMSG_DATA(local))->ipi_ifindex = 0;
		to->msg_hdr.msg_control = local;
		to->msg_hdr.msg_controllen = CMSG_SPACE(sizeof(struct in_pktinfo));
	}
	return true;
}

static void
echo(int fd)
{
	struct sockaddr_in from;
	uint8_t bytes[SIZE];

	for (;;) {
		socklen_t len = sizeof from;
		ssize_t n = recvfrom(fd, bytes, sizeof bytes, 0,
		    (struct sockaddr *)&from, &len);

		if (n < SIZE || (bytes[0] & 7) != 3)
			continue;
		bytes[0]++;
		memcpy(bytes + 24, bytes + 40, 8);
		sendto(fd, bytes, SIZE, 0, (struct sockaddr *)&from, len);
	}
}

static void
stamp(int fd)
{
	for (;;) {
		ssize_t n;

		listen_row(&row[0], &in[0]);
		n = recvmsg(fd, &in[0].msg_hdr, 0);
		if (n < 0)
			continue;
		in[0].msg_len = (unsigned)n;
		if (answer_row(&row[0], &in[0], &out[0]))
			sendmsg(fd, &out[0].msg_hdr, 0);
	}
}

static void
batch(int fd)
{
	for (;;) {
		int n, k = 0;

		for (int i = 0; i < ROW; i++)
			listen_row(&row[i], &in[i]);
		n = recvmmsg(fd, in, ROW, MSG_WAITFORONE, NULL);
		for (int i = 0; i < n; i++)
			if (answer_row(&row[i], &in[i], &out[k]))
				k++;
		if (k > 0)
			syscall(SYS_sendmmsg, fd, out, k, 0);
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_in me = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;

	if (argc != 3)
		return 2;
	me.sin_port = htons((uint16_t)atoi(argv[2]));
	if (bind(fd, (struct sockaddr *)&me, sizeof me) < 0) {
		perror("ceiling: bind");
		return 1;
	}
	if (strcmp(argv[1], "echo") == 0)
		echo(fd);
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
	setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
	if (strcmp(argv[1], "stamp") == 0)
		stamp(fd);
	if (strcmp(argv[1], "batch") == 0)
		batch(fd);
	return 2;
}
