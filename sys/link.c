/*
 * link.c - tells when the network may have become another one, because a link
 * or an address came or went.
 *
 * A netlink socket costs nothing while nothing happens.  Where it is refused
 * (in a sandbox, in the simulator) the servers are found by asking them again
 * and again.  On a node with hundreds of containers something changes all day.
 * So the caller is told only when a burst is over, and not more often than
 * every 15 s.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "sys/link.h"
#include "sys/net.h"

#define SETTLED 1.0 /* s after a change: an address comes after its link */
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
	if (l->fd >= 0 && bind(l->fd, (struct sockaddr *)&me, sizeof me) < 0)
		l->fd = net_undo(l->fd);
}

/* It does not matter what has changed.  So it does not matter either if
 * messages were lost (ENOBUFS). */
void
link_read(struct link *l, int64_t raw)
{
	char bytes[512];
	ssize_t n;

	for (int i = 0; i < 64; i++) {
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
