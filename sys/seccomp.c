/*
 * seccomp.c - which system calls each role may use: one table for all roles and
 * architectures, a compiler that makes a filter of it, and a count of what was
 * refused.
 *
 * A filter sees the number of a call and its arguments, but nothing that they
 * point to.  So it knows which kinds of sockets and files there may be; which
 * ports and paths is the matter of other means.  What the table does not name
 * fails with EPERM, and so do the calls of future kernels.
 *
 * The kernel reports a refused call by SIGSYS.  The handler counts it and gives
 * the call its result, so that nothing ends because of it.
 *
 * The table and the compiler are pure.  Tests compile this file again with the
 * numbers of other architectures: SECCOMP_ARCH names one, SECCOMP_MUSL asks for
 * the static program's table although the C library is another one.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/ptp_clock.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "sys/seccomp.h"

/* The architecture as the kernel reports it, and the register in which a call
 * finds its result. */
#if defined __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#define RESULT(context) (context)->uc_mcontext.gregs[REG_RAX]
#elif defined __aarch64__
#define ARCH AUDIT_ARCH_AARCH64
#define RESULT(context) (context)->uc_mcontext.regs[0]
#elif defined __riscv && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#define RESULT(context) (context)->uc_mcontext.__gregs[10]
#elif defined __arm__
#define ARCH AUDIT_ARCH_ARM
#define RESULT(context) (context)->uc_mcontext.arm_r0
#else
#define ARCH 0 /* there is no filter */
#define RESULT(context) errno
#endif
#ifndef SECCOMP_ARCH
#define SECCOMP_ARCH ARCH
#endif

#ifdef __has_feature /* clang; gcc defines the other one itself */
#if __has_feature(address_sanitizer) && !defined __SANITIZE_ADDRESS__
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifdef __NR_mmap2 /* armv7: musl calls these in place of the old ones */
#undef __NR_fcntl
#define __NR_fcntl __NR_fcntl64
#define __NR_mmap __NR_mmap2
#endif

/* ----------------------------------------------------------------- the table */

/* The roles that may use a call.  A child is held to the daemon's filter as
 * well, so whatever a child may the daemon may, too. */
enum {
	D = 1 << SECCOMP_DAEMON,
	N = 1 << SECCOMP_DNS | D,
	H = 1 << SECCOMP_HTTPS | D,
	A = N | H
};

/* A call that a role may use if those bits of an argument that are in the mask
 * have the value.  A rule without roles adds a condition to the one above it.
 * Of arguments only the lower 32 bits count, as they do for the kernel in all
 * calls that are named here. */
struct rule {
	uint16_t call;
	uint8_t roles : 4, arg : 4;
	uint8_t mask; /* which one of those below; NONE: no condition */
	uint32_t value;
};

/* The masks.  "But" leaves out what may be set or not. */
enum { NONE, ANY, BUT_KIND, BUT_SIX, BUT_LARGE, BUT_SAFE, CODE, GROUP };
#define SAFELY (O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) /* as file.c opens */
static const uint32_t masks[] = {
	[ANY] = 0xffffffff,
	[BUT_KIND] = ~(uint32_t)(SOCK_CLOEXEC | SOCK_NONBLOCK),
	[BUT_SIX] = ~(uint32_t)(AF_INET ^ AF_INET6), /* their difference */
	[BUT_LARGE] = ~(uint32_t)O_LARGEFILE,
	[BUT_SAFE] = ~(uint32_t)(O_LARGEFILE | SAFELY),
	[CODE] = PROT_EXEC,
	[GROUP] = 1u << 31, /* the sign of a process id */
};

#define CALL(roles, name) { __NR_##name, roles, 0, NONE, 0 }
#define ONLY(roles, name, arg, mask, value) \
	{ __NR_##name, roles, arg, mask, (uint32_t)(value) }
#define AND(arg, mask, value) { 0, 0, arg, mask, (uint32_t)(value) }
#define SOCKET(roles, mask, domain, type) \
	ONLY(roles, socket, 0, mask, domain), AND(1, BUT_KIND, type), \
	    AND(2, ANY, 0)
#define OPTION(roles, level, name) \
	ONLY(roles, setsockopt, 1, ANY, level), AND(2, ANY, name)
#define ASK(roles, name) \
	ONLY(roles, getsockopt, 1, ANY, SOL_SOCKET), AND(2, ANY, name)
#if defined __NR_open && (!defined __GLIBC__ || defined SECCOMP_MUSL)
#define OPEN(roles, mask, flags) ONLY(roles, open, 1, mask, flags)
#define MODE AND(2, ANY, 0644)
#else
#define OPEN(roles, mask, flags) ONLY(roles, openat, 2, mask, flags)
#define MODE AND(3, ANY, 0644)
#endif

/* Behind each line is who needs it.  What is used most stands first. */
static const struct rule table[] = {
#if defined __SANITIZE_ADDRESS__ && !defined SECCOMP_MUSL /* for tests */
	CALL(A, brk), CALL(A, clone), CALL(A, clock_nanosleep), CALL(A, exit),
	CALL(A, fstat), CALL(A, futex), CALL(A, getdents64), CALL(A, getpid),
	CALL(A, gettid), CALL(A, madvise), CALL(A, mmap), CALL(A, mprotect),
	CALL(A, mremap), CALL(A, munmap), CALL(A, newfstatat), CALL(A, openat),
	CALL(A, prctl), CALL(A, prlimit64), CALL(A, ptrace), CALL(A, read),
	CALL(A, readlinkat), CALL(A, rt_sigaction), CALL(A, rt_sigprocmask),
	CALL(A, sched_yield), CALL(A, set_robust_list), CALL(A, sigaltstack),
	CALL(A, wait4), CALL(A, lseek), CALL(A, sysinfo),
	ONLY(D, clock_adjtime, 0, ANY, CLOCK_REALTIME),	/* its adjtimex(3) */
#ifdef __NR_open
	CALL(A, alarm), CALL(A, readlink), CALL(A, open), CALL(A, getdents),
#endif
#endif
	CALL(A, ppoll),					/* loop; poll(3) */
	CALL(A, clock_gettime),				/* without a vDSO */
	CALL(D, recvmmsg),				/* serve */
	ONLY(D, sendmmsg, 3, ANY, 0),			/* likewise */
	CALL(D, recvmsg), CALL(A, connect),		/* net; dns, tls, log */
	CALL(N, read), CALL(A, write), CALL(A, close),	/* files, pipes */
	CALL(A, recvfrom), CALL(A, getrandom),		/* control; dns, tls */
	CALL(D, adjtimex), CALL(D, timerfd_settime),	/* clock */
	CALL(D, accept4), CALL(D, shutdown),		/* control */
	CALL(D, geteuid), CALL(D, getpid),		/* control, helper */
	CALL(D, bind), CALL(D, listen),			/* net, listen */
	CALL(D, getsockname),				/* net_local */
	CALL(A, rt_sigreturn), CALL(A, exit_group),
	CALL(A, restart_syscall),			/* after SIGSTOP */
	ONLY(A, sendto, 3, ANY, MSG_NOSIGNAL),		/* not MSG_FASTOPEN */

	SOCKET(N, BUT_SIX, AF_INET, SOCK_DGRAM),	/* net, listen; dns */
	SOCKET(A, BUT_SIX, AF_INET, SOCK_STREAM),	/* listen; dns, tls */
	SOCKET(D, ANY, AF_UNIX, SOCK_DGRAM),		/* log, net_text */
	OPTION(D, SOL_SOCKET, SO_TIMESTAMPNS),		/* net, listen */
	OPTION(D, SOL_SOCKET, SO_TIMESTAMPING),		/* net */
	OPTION(D, SOL_SOCKET, SO_RCVBUF), OPTION(D, SOL_SOCKET, SO_SNDBUF),
	OPTION(D, SOL_SOCKET, SO_REUSEADDR),		/* listen */
	OPTION(D, IPPROTO_TCP, TCP_DEFER_ACCEPT),	/* listen */
	OPTION(D, IPPROTO_IP, IP_TOS), OPTION(D, IPPROTO_IP, IP_PKTINFO),
	OPTION(D, IPPROTO_IPV6, IPV6_TCLASS),		/* net, listen */
	OPTION(D, IPPROTO_IPV6, IPV6_RECVPKTINFO),	/* listen */
	OPTION(D, IPPROTO_IPV6, IPV6_V6ONLY),		/* listen */
	OPTION(D, IPPROTO_IPV6, IPV6_FREEBIND),		/* listen */
	OPTION(N, SOL_SOCKET, SO_RCVLOWAT),		/* dns */
	OPTION(H, IPPROTO_TCP, TCP_NODELAY),		/* tls */
	ASK(D, SO_PEERCRED), ASK(A, SO_ERROR),		/* control; dns, tls */
	ONLY(D, ioctl, 1, ANY, TIOCOUTQ),		/* control */
	ONLY(D, ioctl, 1, ANY, SIOCGIFNAME),		/* net_text */
	ONLY(D, ioctl, 1, ANY, PTP_SYS_OFFSET),		/* phc */
	ONLY(D, ioctl, 1, ANY, PTP_SYS_OFFSET_EXTENDED),
	ONLY(D, ioctl, 1, ANY, PTP_SYS_OFFSET_PRECISE),
	CALL(D, pread64), CALL(D, pwrite64),		/* phc; clockbound */
	ONLY(N, ioctl, 1, ANY, SIOCGIFINDEX),		/* dns */
	ONLY(N, fcntl, 1, ANY, F_GETFL), ONLY(N, fcntl, 1, ANY, F_SETFD),
	ONLY(A, fcntl, 1, ANY, F_SETFL),		/* net_socket; tls */
	ONLY(D, fcntl, 1, ANY, F_DUPFD_CLOEXEC),	/* file_read */

	OPEN(N, BUT_SAFE, O_RDONLY),			/* file; dns */
	OPEN(D, BUT_LARGE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC), MODE,
	OPEN(D, BUT_LARGE, O_WRONLY | SAFELY),		/* file_write: both */
	OPEN(D, BUT_LARGE, O_PATH | O_CLOEXEC),		/* a child's Landlock */
	CALL(D, fstat), CALL(D, fsync), CALL(D, ftruncate), /* file */
	CALL(D, munmap), ONLY(D, mmap, 2, CODE, 0),	/* malloc(3) */
	CALL(D, setsid),				/* detach_end */
	CALL(D, pipe2), CALL(D, wait4), CALL(D, nanosleep), /* helper */
	ONLY(D, kill, 1, ANY, SIGKILL), AND(0, GROUP, 0), /* no group */

	/* A child before it has its own filter: fork(3), helper, sandbox. */
	CALL(D, gettid), CALL(D, set_tid_address),	/* musl 1.2.3, 1.2.5 */
	CALL(D, rt_sigprocmask), CALL(D, rt_sigaction),
	CALL(D, getppid), CALL(D, close_range),
	ONLY(D, setitimer, 0, ANY, ITIMER_REAL),	/* alarm(3) */
	ONLY(D, prlimit64, 0, ANY, 0),			/* of this process */
	ONLY(D, prctl, 0, ANY, PR_SET_PDEATHSIG),	/* also detach_end */
	ONLY(D, prctl, 0, ANY, PR_SET_NO_NEW_PRIVS),
	ONLY(D, prctl, 0, ANY, PR_SET_DUMPABLE), AND(1, ANY, 0),
	CALL(D, capget), CALL(D, capset), CALL(D, landlock_create_ruleset),
	CALL(D, landlock_add_rule), CALL(D, landlock_restrict_self),
	ONLY(D, seccomp, 0, ANY, SECCOMP_SET_MODE_FILTER), AND(1, ANY, 0),

#ifdef __NR_open /* x86-64, armv7 */
	CALL(A, poll), CALL(D, dup2), CALL(D, fork), /* log; helper, detach */
	CALL(D, unlink), CALL(D, rename),		/* file, the end */
#else /* arm64, riscv64: the same */
	CALL(D, dup3), ONLY(D, clone, 0, ANY, SIGCHLD),
	ONLY(D, unlinkat, 2, ANY, 0),			/* not rmdir(2) */
#ifdef __NR_renameat
	CALL(D, renameat),
#else
	ONLY(D, renameat2, 4, ANY, 0),
#endif
#endif
#ifdef __NR_mmap2 /* armv7: wide fields and times, and the end of handlers */
	CALL(D, statx), CALL(D, ftruncate64), CALL(D, geteuid32),
	CALL(A, clock_gettime64), CALL(A, ppoll_time64), CALL(A, sigreturn),
	CALL(D, recvmmsg_time64), CALL(D, timerfd_settime64),
	CALL(D, clock_nanosleep_time64),
	ONLY(D, clock_adjtime64, 0, ANY, CLOCK_REALTIME),
#endif
};

/* -------------------------------------------------------------- the compiler */

enum {
	RULES = sizeof table / sizeof *table,
	LOAD = BPF_LD | BPF_W | BPF_ABS,
	EQUAL = BPF_JMP | BPF_JEQ | BPF_K,
	RETURN = BPF_RET | BPF_K
};

struct program {
	struct sock_filter *out;
	int room, size;
};

static void
put(struct program *p, uint16_t code, size_t k)
{
	if (p->size < p->room)
		p->out[p->size] = (struct sock_filter){ .code = code,
			.k = (uint32_t)k };
	p->size++;
}

/* The rule ends here.  If a comparison since its first instruction fails, the
 * next rule is tried. */
static void
end_rule(struct program *p, int first)
{
	put(p, RETURN, SECCOMP_RET_ALLOW);
	for (int i = first; i < p->size && i < p->room; i++)
		if (p->out[i].code == EQUAL)
			p->out[i].jf = (uint8_t)(p->size - i - 1);
}

int
seccomp_program(enum seccomp_role role, struct sock_filter *out, int room)
{
	struct program p = { out, room, 0 };
	bool on = false, loaded = false; /* "loaded": the number of the call */
	int first = 0;

	put(&p, LOAD, offsetof(struct seccomp_data, arch));
	put(&p, EQUAL, SECCOMP_ARCH);
	put(&p, RETURN, SECCOMP_RET_TRAP);
	for (const struct rule *r = table; r < table + RULES; r++) {
		if (r->roles != 0 && (on = r->roles >> role & 1)) {
			if (!loaded)
				put(&p, LOAD,
				    offsetof(struct seccomp_data, nr));
			loaded = true;
			first = p.size;
			put(&p, EQUAL, r->call); /* x32 has a bit more */
		}
		if (!on)
			continue;
		if (r->mask != NONE) {
			put(&p, LOAD, offsetof(struct seccomp_data, args) +
				r->arg * sizeof(uint64_t));
			if (r->mask != ANY)
				put(&p, BPF_ALU | BPF_AND | BPF_K,
				    masks[r->mask]);
			put(&p, EQUAL, r->value);
			loaded = false;
		}
		if (r + 1 == table + RULES || r[1].roles != 0)
			end_rule(&p, first);
	}
	put(&p, RETURN, SECCOMP_RET_TRAP);
	if (SECCOMP_ARCH == 0 || p.size > room)
		return 0;
	out[1].jt = 1;
	return p.size;
}

/* ----------------------------------------------------------- what is refused */

enum { BY_FILTER = 1 }; /* SYS_SECCOMP of asm-generic/siginfo.h */

static bool in_child;
static unsigned long own; /* the daemon's */
/* The children's count is in a page that they share with the daemon. */
static struct shared {
	unsigned long calls;
	int last;
} nowhere, *shared = &nowhere;

static void
on_refused(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	if (info->si_code != BY_FILTER)
		return; /* somebody has sent the signal */
	(void)__atomic_fetch_add(
	    in_child ? &shared->calls : &own, 1, __ATOMIC_RELAXED);
	shared->last = info->si_syscall;
	RESULT((ucontext_t *)context) = -EPERM;
}

/* Make ready to count.  False: that is not possible. */
static bool
catch_refused(void)
{
	struct sigaction sa = { .sa_sigaction = on_refused,
		.sa_flags = SA_SIGINFO };
	sigset_t only;
	void *page = MAP_FAILED;

	if (shared == &nowhere)
		page = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page != MAP_FAILED)
		shared = page;
	(void)sigfillset(&sa.sa_mask);
	(void)sigemptyset(&only);
	(void)sigaddset(&only, SIGSYS);
	return sigaction(SIGSYS, &sa, NULL) == 0 &&
	    sigprocmask(SIG_UNBLOCK, &only, NULL) == 0;
}

bool
seccomp_install(enum seccomp_role role)
{
	struct sock_filter program[SECCOMP_MOST];
	int n = seccomp_program(role, program, SECCOMP_MOST);
	struct sock_fprog all = { (unsigned short)n, program };

	in_child = role != SECCOMP_DAEMON;
	if (!catch_refused())
		for (int i = 0; i < n; i++)
			if (program[i].code == RETURN &&
			    program[i].k == SECCOMP_RET_TRAP)
				program[i].k = SECCOMP_RET_ERRNO | EPERM;
	errno = ENOSYS;
	return n > 0 && syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0,
			    &all) == 0;
}

void
seccomp_refused(struct seccomp_refused *out)
{
	*out = (struct seccomp_refused){ own, shared->calls, shared->last };
}
