/*
 * sim-os.c - waiting in the simulator, which knows poll(2) only, and where
 * time passes in it alone.  It has no cancel-on-set timer, so a comparison of
 * the clocks shows a foreign step, at least once a second.
 */
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "core/instant.h"
#include "sys/os.h"

int
wait_for(struct pollfd *p, int n, int64_t ns)
{
	sigset_t all, none;
	int ms = ns < NS_PER_S ? (int)((ns + 999999) / 1000000) : 1000, got;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, &all);
	got = poll(p, (nfds_t)n, ms);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	return got;
}

int
wait_timer(void)
{
	return -1;
}

int
wait_arm(int fd)
{
	(void)fd;
	return 0;
}

bool
wait_cancelled(int fd)
{
	(void)fd;
	return false;
}

int
wait_changes(void)
{
	return -1;
}

/* They are sent one by one, since the simulator does not know sendmmsg(2). */
int
wait_send(int fd, struct mmsghdr *m, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (sendmsg(fd, &m[i].msg_hdr, 0) < 0)
			break;
	return i == 0 && n > 0 ? -1 : (int)i;
}
