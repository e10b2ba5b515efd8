/*
 * os.c - waiting for descriptors or a time, with signals let in only there.
 * The simulator build links tests/clknetsim/sim-os.c in its place.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "sys/os.h"
#include "core/instant.h"

int
wait_for(struct pollfd *p, int n, int64_t ns)
{
	struct timespec t = { .tv_sec = ns / NS_PER_S,
		.tv_nsec = ns % NS_PER_S };
	sigset_t none;

	(void)sigemptyset(&none);
	return ppoll(p, (nfds_t)n, ns == NEVER ? NULL : &t, &none);
}

int
wait_timer(void)
{
	return timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
}

int
wait_arm(int fd)
{
	/* Never fires for its time (2^31 s after the epoch of int64 s would be
	 * refused): what matters is the cancellation. */
	const struct itimerspec far = { .it_value = { .tv_sec = 1LL << 33 } };

	return timerfd_settime(
	    fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL);
}

bool
wait_cancelled(int fd)
{
	uint64_t fired;

	return read(fd, &fired, sizeof fired) < 0 && errno == ECANCELED;
}

/* musl's sendmmsg(3) is a loop over sendmsg(2), because the kernel's struct
 * msghdr has longer members than the C library's where int is shorter than
 * long.  The difference is padding: the caller keeps it zero. */
int
wait_send(int fd, struct mmsghdr *m, unsigned n)
{
	return (int)syscall(SYS_sendmmsg, fd, m, n, 0);
}
