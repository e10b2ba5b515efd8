/*
 * os.c - system calls that the simulator does not have: waiting for descriptors
 * or a time, which alone lets signals in, a timer, and sending many messages at
 * once.  The simulator's build links tests/clknetsim/sim-os.c in place of this
 * room.
 */
#include <errno.h>
#include <signal.h>
#include <sys/inotify.h>
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
		.tv_nsec = (long)(ns % NS_PER_S) };
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
	/* It is armed for the year 2242, so that only the cancellation can
	 * fire. */
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

int
wait_changes(void)
{
	return inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

/* musl's sendmmsg(3) is a loop over sendmsg(2), because two members of the
 * kernel's struct msghdr are of type long, and those of the C library's are
 * int. Where long is longer the difference is padding, which the caller keeps
 * zero. */
int
wait_send(int fd, struct mmsghdr *m, unsigned n)
{
	return (int)syscall(SYS_sendmmsg, fd, m, n, 0);
}
