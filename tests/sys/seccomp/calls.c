/*
 * calls.c - which calls each role is expected to be allowed, by name, with the
 * arguments of the static program.  It is compiled for several architectures:
 * asm/unistd.h has their numbers.
 *
 * It is written from what the program does, not from the room's table.  So a
 * call that is added there by mistake is missed here.
 */
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/ptp_clock.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/sys/seccomp/calls.h"

enum {
	DAEMON = 1 << SECCOMP_DAEMON,
	DNS = 1 << SECCOMP_DNS,
	HTTPS = 1 << SECCOMP_HTTPS,
	NAMES = DAEMON | DNS,
	ALL = NAMES | HTTPS
};

#ifdef __NR_open
enum { FLAGS = 1 }; /* which argument they are */
#define OPEN(flags, mode) { 0, (flags) | O_LARGEFILE, mode }
#else
enum { FLAGS = 2 };
#define OPEN(flags, mode) { (uint32_t)AT_FDCWD, 0, (flags) | O_LARGEFILE, mode }
#endif

static bool
socket_may(enum seccomp_role role, const uint32_t a[ARGS])
{
	uint32_t type = a[1] & ~(uint32_t)(SOCK_CLOEXEC | SOCK_NONBLOCK);
	bool inet = a[0] == AF_INET || a[0] == AF_INET6;

	if (a[2] != 0)
		return false;
	if (inet && type == SOCK_STREAM)
		return true;
	if (type != SOCK_DGRAM || role == SECCOMP_HTTPS)
		return false;
	return inet || (a[0] == AF_UNIX && role == SECCOMP_DAEMON);
}

static bool
setsockopt_may(enum seccomp_role role, const uint32_t a[ARGS])
{
	uint32_t name = a[2];

	if (role == SECCOMP_DNS)
		return a[1] == SOL_SOCKET && name == SO_RCVLOWAT;
	if (role == SECCOMP_HTTPS)
		return a[1] == IPPROTO_TCP && name == TCP_NODELAY;
	switch (a[1]) {
	case SOL_SOCKET:
		return name == SO_TIMESTAMPNS || name == SO_TIMESTAMPING ||
		    name == SO_RCVBUF ||
		    name == SO_SNDBUF || name == SO_REUSEADDR ||
		    name == SO_RCVLOWAT;
	case IPPROTO_IP: return name == IP_TOS || name == IP_PKTINFO;
	case IPPROTO_IPV6:
		return name == IPV6_TCLASS || name == IPV6_V6ONLY ||
		    name == IPV6_RECVPKTINFO || name == IPV6_FREEBIND;
	case IPPROTO_TCP:
		return name == TCP_DEFER_ACCEPT || name == TCP_NODELAY;
	default: return false;
	}
}

static bool
getsockopt_may(enum seccomp_role role, const uint32_t a[ARGS])
{
	return a[1] == SOL_SOCKET && (a[2] == SO_ERROR ||
	    (a[2] == SO_PEERCRED && role == SECCOMP_DAEMON));
}

static bool
ioctl_may(enum seccomp_role role, const uint32_t a[ARGS])
{
	if (role == SECCOMP_DNS)
		return a[1] == SIOCGIFINDEX;
	return a[1] == SIOCGIFINDEX || a[1] == SIOCGIFNAME ||
	    a[1] == TIOCOUTQ ||
	    (role == SECCOMP_DAEMON && (a[1] == PTP_SYS_OFFSET ||
		a[1] == PTP_SYS_OFFSET_EXTENDED ||
		a[1] == PTP_SYS_OFFSET_PRECISE));
}

static bool
fcntl_may(enum seccomp_role role, const uint32_t a[ARGS])
{
	switch (a[1]) {
	case F_SETFL: return true;
	case F_GETFL:
	case F_SETFD: return role != SECCOMP_HTTPS;
	case F_DUPFD_CLOEXEC: return role == SECCOMP_DAEMON;
	default: return false;
	}
}

static bool
open_may(enum seccomp_role role, const uint32_t a[ARGS])
{
	const uint32_t safely = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	uint32_t flags = a[FLAGS] & ~(uint32_t)O_LARGEFILE;

	if ((flags & ~safely) == O_RDONLY)
		return true;
	if (role != SECCOMP_DAEMON)
		return false;
	if (flags == (O_PATH | O_CLOEXEC) ||
	    flags == (O_WRONLY | safely))
		return true;
	return a[FLAGS + 1] == 0644 &&
	    flags == (O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC);
}

static bool
prctl_may(enum seccomp_role role, const uint32_t a[ARGS])
{
	(void)role;
	return a[0] == PR_SET_PDEATHSIG || a[0] == PR_SET_NO_NEW_PRIVS ||
	    (a[0] == PR_SET_DUMPABLE && a[1] == 0);
}

static bool
sendmmsg_may(enum seccomp_role role, const uint32_t a[ARGS])
{
	return role == SECCOMP_DAEMON && a[3] == 0; /* not MSG_FASTOPEN */
}

static bool
sendto_may(enum seccomp_role role, const uint32_t a[ARGS])
{
	(void)role;
	return a[3] == MSG_NOSIGNAL;
}

static bool
not_executable(enum seccomp_role role, const uint32_t a[ARGS])
{
	(void)role;
	return (a[2] & PROT_EXEC) == 0;
}

static bool
kill_may(enum seccomp_role role, const uint32_t a[ARGS])
{
	(void)role;
	return a[1] == SIGKILL && a[0] < 0x80000000u;
}

/* What concerns this process alone has 0 first; ITIMER_REAL, too, is 0. */
static bool
first_is_zero(enum seccomp_role role, const uint32_t a[ARGS])
{
	(void)role;
	return a[0] == 0;
}

static bool
seccomp_may(enum seccomp_role role, const uint32_t a[ARGS])
{
	(void)role;
	return a[0] == SECCOMP_SET_MODE_FILTER && a[1] == 0;
}

#ifndef __NR_fork
static bool
clone_may(enum seccomp_role role, const uint32_t a[ARGS])
{
	(void)role;
	return a[0] == SIGCHLD;
}

static bool
unlinkat_may(enum seccomp_role role, const uint32_t a[ARGS])
{
	(void)role;
	return a[2] == 0;
}
#endif

#define FREE(name, roles) { #name, __NR_##name, roles, NULL, { { 0, { 0 } } } }

const struct call seccomp_calls[] = {
	FREE(accept4, DAEMON),
	FREE(adjtimex, DAEMON),
	FREE(bind, DAEMON),
	FREE(capget, DAEMON),
	FREE(capset, DAEMON),
	FREE(clock_gettime, ALL),
	FREE(close, ALL),
	FREE(close_range, DAEMON),
	FREE(connect, ALL),
	FREE(exit_group, ALL),
	FREE(fstat, DAEMON),
	FREE(fsync, DAEMON),
	FREE(ftruncate, DAEMON),
	FREE(geteuid, DAEMON),
	FREE(getpid, DAEMON),
	FREE(getppid, DAEMON),
	FREE(getrandom, ALL),
	FREE(getsockname, DAEMON),
	FREE(gettid, DAEMON),
	FREE(landlock_add_rule, DAEMON),
	FREE(landlock_create_ruleset, DAEMON),
	FREE(landlock_restrict_self, DAEMON),
	FREE(listen, DAEMON),
	FREE(munmap, DAEMON),
	FREE(nanosleep, DAEMON),
	FREE(pipe2, DAEMON),
	FREE(ppoll, ALL),
	FREE(pread64, DAEMON), FREE(pwrite64, DAEMON),
	FREE(read, NAMES),
	FREE(recvfrom, ALL),
	FREE(recvmmsg, DAEMON),
	FREE(recvmsg, DAEMON),
	FREE(restart_syscall, ALL),
	FREE(rt_sigaction, DAEMON),
	FREE(rt_sigprocmask, DAEMON),
	FREE(rt_sigreturn, ALL),
	FREE(set_tid_address, DAEMON),
	FREE(setsid, DAEMON),
	FREE(shutdown, DAEMON),
	FREE(timerfd_settime, DAEMON),
	FREE(wait4, DAEMON),
	FREE(write, ALL),
#ifdef __NR_open
	FREE(dup2, DAEMON),
	FREE(fork, DAEMON),
	FREE(poll, ALL),
	FREE(rename, DAEMON),
	FREE(unlink, DAEMON),
	{ "open", __NR_open,
#else
	FREE(dup3, DAEMON),
	FREE(renameat, DAEMON),
	{ "clone", __NR_clone, DAEMON, clone_may, { { DAEMON, { SIGCHLD } } } },
	{ "unlinkat", __NR_unlinkat, DAEMON, unlinkat_may,
	    { { DAEMON, { (uint32_t)AT_FDCWD } } } },
	{ "openat", __NR_openat,
#endif
	    NAMES, open_may, {
	    { NAMES, OPEN(O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0) },
	    { NAMES, OPEN(O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0) },
	    { NAMES, OPEN(O_RDONLY, 0) },
	    { DAEMON, OPEN(O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644) },
	    { DAEMON, OPEN(O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0) },
	    { DAEMON, OPEN(O_PATH | O_CLOEXEC, 0) } } },
	{ "socket", __NR_socket, ALL, socket_may, {
	    { NAMES, { AF_INET, SOCK_DGRAM } },
	    { NAMES, { AF_INET6, SOCK_DGRAM } },
	    { NAMES, { AF_INET, SOCK_STREAM } },
	    { NAMES, { AF_INET6, SOCK_STREAM } },
	    { DAEMON | HTTPS, { AF_INET, SOCK_STREAM | SOCK_CLOEXEC } },
	    { DAEMON | HTTPS, { AF_INET6, SOCK_STREAM | SOCK_CLOEXEC } },
	    { DAEMON, { AF_UNIX, SOCK_DGRAM } },
	    { DAEMON, { AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC } },
	    { DAEMON, { AF_UNIX,
		SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK } } } },
	{ "setsockopt", __NR_setsockopt, ALL, setsockopt_may, {
	    { DAEMON, { 3, SOL_SOCKET, SO_TIMESTAMPNS } },
	    { DAEMON, { 3, SOL_SOCKET, SO_TIMESTAMPING } },
	    { DAEMON, { 3, SOL_SOCKET, SO_RCVBUF } },
	    { DAEMON, { 3, SOL_SOCKET, SO_SNDBUF } },
	    { DAEMON, { 3, SOL_SOCKET, SO_REUSEADDR } },
	    { DAEMON, { 3, IPPROTO_IP, IP_TOS } },
	    { DAEMON, { 3, IPPROTO_IP, IP_PKTINFO } },
	    { DAEMON, { 3, IPPROTO_IPV6, IPV6_TCLASS } },
	    { DAEMON, { 3, IPPROTO_IPV6, IPV6_V6ONLY } },
	    { DAEMON, { 3, IPPROTO_IPV6, IPV6_RECVPKTINFO } },
	    { DAEMON, { 3, IPPROTO_IPV6, IPV6_FREEBIND } },
	    { DAEMON, { 3, IPPROTO_TCP, TCP_DEFER_ACCEPT } },
	    { NAMES, { 3, SOL_SOCKET, SO_RCVLOWAT } },
	    { DAEMON | HTTPS, { 3, IPPROTO_TCP, TCP_NODELAY } } } },
	{ "getsockopt", __NR_getsockopt, ALL, getsockopt_may, {
	    { DAEMON, { 3, SOL_SOCKET, SO_PEERCRED } },
	    { ALL, { 3, SOL_SOCKET, SO_ERROR } } } },
	{ "ioctl", __NR_ioctl, NAMES, ioctl_may, {
	    { DAEMON, { 3, TIOCOUTQ } },
	    { DAEMON, { 3, SIOCGIFNAME } },
	    { DAEMON, { 3, PTP_SYS_OFFSET } },
	    { DAEMON, { 3, PTP_SYS_OFFSET_EXTENDED } },
	    { DAEMON, { 3, PTP_SYS_OFFSET_PRECISE } },
	    { NAMES, { 3, SIOCGIFINDEX } } } },
	{ "fcntl", __NR_fcntl, ALL, fcntl_may, {
	    { NAMES, { 3, F_GETFL } },
	    { NAMES, { 3, F_SETFD, FD_CLOEXEC } },
	    { ALL, { 3, F_SETFL, O_NONBLOCK | O_LARGEFILE } },
	    { DAEMON, { 0, F_DUPFD_CLOEXEC, 0 } } } },
	{ "sendmmsg", __NR_sendmmsg, DAEMON, sendmmsg_may, {
	    { DAEMON, { 3, 0x1000, 1, 0 } } } },
	{ "sendto", __NR_sendto, ALL, sendto_may, {
	    { ALL, { 3, 0, 48, MSG_NOSIGNAL } } } },
	{ "mmap", __NR_mmap, DAEMON, not_executable, {
	    { DAEMON, { 0, 4096, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS } },
	    { DAEMON, { 0, 4096, PROT_NONE } } } },
	{ "kill", __NR_kill, DAEMON, kill_may, {
	    { DAEMON, { 77, SIGKILL } } } },
	{ "prctl", __NR_prctl, DAEMON, prctl_may, {
	    { DAEMON, { PR_SET_PDEATHSIG, SIGKILL } },
	    { DAEMON, { PR_SET_PDEATHSIG, 0 } },
	    { DAEMON, { PR_SET_NO_NEW_PRIVS, 1 } },
	    { DAEMON, { PR_SET_DUMPABLE, 0 } } } },
	{ "prlimit64", __NR_prlimit64, DAEMON, first_is_zero, {
	    { DAEMON, { 0, RLIMIT_NOFILE } } } },
	{ "setitimer", __NR_setitimer, DAEMON, first_is_zero, {
	    { DAEMON, { ITIMER_REAL } } } },
	{ "seccomp", __NR_seccomp, DAEMON, seccomp_may, {
	    { DAEMON, { SECCOMP_SET_MODE_FILTER, 0 } } } },
	{ NULL, 0, 0, NULL, { { 0, { 0 } } } },
};
