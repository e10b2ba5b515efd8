/*
 * link.c - tells that the network may be another one: a link or an address came
 * or went.
 *
 * A netlink socket hears of it at no cost while nothing happens.  Where it is
 * refused (a sandbox, the simulator) the network is found by asking, as before.
 * On a node with hundreds of containers something changes all day: the caller
 * is told once a burst is over, and no more often than it can bear.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/link.h"
#include "core/instant.h"
#include "sys/net.h"

#define SETTLED 1.0 /* s after a change: an address follows its link */
#define EVERY 15.0  /* s between two tellings */

void
link_open(struct link *l)
{
	struct sockaddr_nl me = {
		.nl_family = AF_NETLINK,
		.nl_groups =
		    RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};

	l->due = NEVER;
	l->next = INT64_MIN;
	l->fd = net_socket(AF_NETLINK, SOCK_RAW);
	if (l->fd >= 0 && bind(l->fd, (struct sockaddr *)&me, sizeof me) < 0) {
		(void)close(l->fd);
		l->fd = -1;
	}
}

/* What it is does not matter, and so neither does what was lost (ENOBUFS). */
void
link_read(struct link *l, int64_t raw)
{
	char bytes[512];
	ssize_t n;
	int i;

	for (i = 0; i < 64; i++) {
		n = recv(l->fd, bytes, sizeof bytes, MSG_TRUNC);
		if (n < 0 && errno != ENOBUFS && errno != EINTR)
			break;
	}
	if (l->due == NEVER)
		l->due = later(raw, SETTLED);
	if (l->due < l->next)
		l->due = l->next;
}

bool
link_changed(struct link *l, int64_t raw)
{
	if (raw < l->due)
		return false;
	l->due = NEVER;
	l->next = later(raw, EVERY);
	return true;
}
