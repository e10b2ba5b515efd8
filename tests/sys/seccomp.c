/*
 * seccomp.c - what seccomp.c promises: each role may make the calls that it
 * needs and no others, on every architecture, and a refused call is counted and
 * ends nothing.
 *
 * The filters are those of the static program, for this machine and for arm64.
 * An interpreter runs them over all numbers of calls; tests/sys/seccomp/calls.c
 * has what is expected, by name.  The last tests install the filter of this
 * machine for real, in a child, and try what is forbidden there.  Nothing that
 * they try would do harm if it succeeded.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sys/seccomp/calls.h"
#include "tests/test.h"

#define ROLES 3

enum {
	NUMBERS = 1024,	    /* more than any architecture has */
	X32 = 0x40000000,   /* the bit of x32's numbers */
	HOT = 16,	    /* instructions up to what serving needs */
	RANDOM = 20000	    /* tries with arguments at random, per call */
};

int here_program(enum seccomp_role, struct sock_filter *, int room);
int arm64_program(enum seccomp_role, struct sock_filter *, int room);
bool here_install(enum seccomp_role);
void here_refused(struct seccomp_refused *);

#ifdef __x86_64__
#define HERE AUDIT_ARCH_X86_64
#define OTHER AUDIT_ARCH_AARCH64
#else
#define HERE AUDIT_ARCH_AARCH64
#define OTHER AUDIT_ARCH_X86_64
#endif

static const struct variant {
	const char *name;
	uint32_t arch, other;
	int (*program)(enum seccomp_role, struct sock_filter *, int room);
	const struct call *calls;
} variants[] = {
	{ "here", HERE, OTHER, here_program, here_calls },
	{ "arm64", AUDIT_ARCH_AARCH64, AUDIT_ARCH_X86_64, arm64_program,
	    arm64_calls },
};

static const char *const role_words[ROLES] = { "daemon", "DNS", "HTTPS" };

/* ------------------------------------------------------------ the interpreter */

static struct {
	struct sock_filter code[SECCOMP_MOST];
	int size;
	int steps; /* of the last run */
} filter;

static void
compile(const struct variant *v, enum seccomp_role role)
{
	filter.size = v->program(role, filter.code, SECCOMP_MOST);
	assert_in_range(filter.size, 1, SECCOMP_MOST);
}

/* What the kernel would do: the value of BPF_RET. */
static uint32_t
run(const struct seccomp_data *data)
{
	uint32_t a = 0;
	int at = 0;

	for (filter.steps = 1;; filter.steps++) {
		const struct sock_filter *f = &filter.code[at++];

		assert_true(at <= filter.size);
		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(f->k % 4 == 0 && f->k < sizeof *data);
			memcpy(&a, (const char *)data + f->k, sizeof a);
			break;
		case BPF_ALU | BPF_AND | BPF_K: a &= f->k; break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			at += a == f->k ? f->jt : f->jf;
			break;
		case BPF_RET | BPF_K: return f->k;
		default: fail_msg("instruction %#x", f->code);
		}
	}
}

/* The filter allows the call or refuses it by SIGSYS; there is nothing else, and
 * above all nothing that kills. */
static bool
allows(uint32_t arch, unsigned number, const uint32_t a[ARGS])
{
	struct seccomp_data data = { .nr = (int)number, .arch = arch };
	uint32_t said;

	for (int i = 0; i < ARGS; i++)
		data.args[i] = a[i];
	said = run(&data);
	assert_true(said == SECCOMP_RET_ALLOW || said == SECCOMP_RET_TRAP);
	return said == SECCOMP_RET_ALLOW;
}

/* ----------------------------------------------------------------- arguments */

/* Values that mean something to some call, and their neighbours: all bits one by
 * one, small numbers, and the arguments of the program itself. */
static uint32_t pool[2048];
static int pool_size;

static void
add(uint32_t value)
{
	assert_true(pool_size < (int)LEN(pool));
	pool[pool_size++] = value;
}

static void
fill_pool(const struct call *calls)
{
	static const uint32_t others[] = { 0xffffffff, 0xfffffffe, 0x7fffffff,
		0644, 0755, 04755, 0x5412 /* TIOCSTI */, 0x8927, 0x8914,
		0x4004743f, 1030, 1033, 0x59616d61, 0x01200011,
		AF_UNIX | 1 << 31, SIGKILL | 1 << 8 };

	pool_size = 0;
	for (uint32_t i = 0; i < 80; i++)
		add(i);
	for (int i = 7; i < 32; i++)
		add(1u << i);
	for (size_t i = 0; i < LEN(others); i++)
		add(others[i]);
	for (; calls->name != NULL; calls++)
		for (int i = 0; i < GOOD_MOST; i++)
			for (int k = 0; k < ARGS; k++)
				if (calls->good[i].a[k] >= 80)
					add(calls->good[i].a[k]);
}

static void
compare(const struct variant *v, enum seccomp_role role, const struct call *c,
    const uint32_t a[ARGS])
{
	bool may = (c->roles & 1u << role) != 0 &&
	    (c->may == NULL || c->may(role, a));

	if (allows(v->arch, c->number, a) != may)
		fail_msg("%s, %s: %s (%u) with %#x, %#x, %#x, %#x is %s",
		    v->name, role_words[role], c->name, c->number, a[0], a[1],
		    a[2], a[3], may ? "refused" : "allowed");
}

/* Change one argument of a call that is good, to every value there is, and flip
 * every bit. */
static void
compare_neighbours(const struct variant *v, enum seccomp_role role,
    const struct call *c, const uint32_t good[ARGS])
{
	uint32_t a[ARGS];

	memcpy(a, good, sizeof a);
	for (int k = 0; k < ARGS; k++) {
		for (int i = 0; i < pool_size; i++) {
			a[k] = pool[i];
			compare(v, role, c, a);
		}
		for (int bit = 0; bit < 32; bit++) {
			a[k] = good[k] ^ 1u << bit;
			compare(v, role, c, a);
		}
		a[k] = good[k];
	}
}

static void
compare_random(const struct variant *v, enum seccomp_role role,
    const struct call *c, uint64_t *seed)
{
	uint32_t a[ARGS];

	for (int i = 0; i < RANDOM; i++) {
		for (int k = 0; k < ARGS; k++)
			a[k] = pool[(int)(uniform(seed) * pool_size)];
		compare(v, role, c, a);
	}
}

/* --------------------------------------------------------------- the promises */

static const struct call *
expected(const struct variant *v, unsigned number)
{
	const struct call *c = v->calls;

	while (c->name != NULL && c->number != number)
		c++;
	return c->name != NULL ? c : NULL;
}

static void
every_role_may_call_what_is_expected_and_nothing_else(void **state)
{
	static const uint32_t some[][ARGS] = { { 0 }, { 1, 1, 1, 1, 1, 1 },
		{ 2, 2 }, { 0, 0, 0, MSG_NOSIGNAL }, { 0, SIGKILL },
		{ -1u, -1u, -1u, -1u, -1u, -1u } };

	(void)state;
	for (const struct variant *v = variants;
	     v < variants + LEN(variants); v++)
		for (enum seccomp_role role = 0; role < ROLES; role++) {
			compile(v, role);
			for (unsigned n = 0; n < NUMBERS; n++) {
				const struct call nobody = { "an unnamed call",
					n, 0, NULL, { { 0, { 0 } } } };
				const struct call *c = expected(v, n);

				for (size_t i = 0; i < LEN(some); i++)
					compare(v, role, c ? c : &nobody,
					    some[i]);
			}
		}
}

/* Whatever the arguments are: a filter that compares the number of a call with
 * no other number can allow no other call. */
static void
no_filter_knows_the_number_of_another_call(void **state)
{
	(void)state;
	for (const struct variant *v = variants;
	     v < variants + LEN(variants); v++)
		for (enum seccomp_role role = 0; role < ROLES; role++) {
			bool number = false;

			compile(v, role);
			for (int i = 0; i < filter.size; i++) {
				const struct sock_filter *f = &filter.code[i];
				const struct call *c;

				if (BPF_CLASS(f->code) == BPF_LD)
					number = f->k ==
					    offsetof(struct seccomp_data, nr);
				if (BPF_CLASS(f->code) != BPF_JMP || !number)
					continue;
				c = expected(v, f->k);
				if (c == NULL || !(c->roles & 1u << role))
					fail_msg("%s, %s: call %u", v->name,
					    role_words[role], f->k);
			}
		}
}

static void
arguments_are_looked_at_where_they_matter(void **state)
{
	uint64_t seed = 11;

	(void)state;
	for (const struct variant *v = variants;
	     v < variants + LEN(variants); v++) {
		fill_pool(v->calls);
		for (enum seccomp_role role = 0; role < ROLES; role++) {
			compile(v, role);
			for (const struct call *c = v->calls; c->name; c++) {
				if (c->may == NULL)
					continue;
				compare_random(v, role, c, &seed);
				for (int i = 0; i < GOOD_MOST; i++)
					if (c->good[i].roles != 0)
						compare_neighbours(v, role, c,
						    c->good[i].a);
			}
		}
	}
}

static void
what_the_program_does_is_allowed(void **state)
{
	(void)state;
	for (const struct variant *v = variants;
	     v < variants + LEN(variants); v++)
		for (enum seccomp_role role = 0; role < ROLES; role++) {
			compile(v, role);
			for (const struct call *c = v->calls; c->name; c++)
				for (int i = 0; i < GOOD_MOST; i++)
					if ((c->good[i].roles & 1u << role) &&
					    !allows(v->arch, c->number,
						c->good[i].a))
						fail_msg("%s, %s: %s, %d",
						    v->name, role_words[role],
						    c->name, i);
		}
}

/* Else its own filter would promise what the daemon's refuses. */
static void
a_child_may_nothing_that_the_daemon_may_not(void **state)
{
	(void)state;
	for (const struct variant *v = variants;
	     v < variants + LEN(variants); v++) {
		compile(v, SECCOMP_DAEMON);
		for (const struct call *c = v->calls; c->name; c++)
			for (int i = 0; i < GOOD_MOST; i++) {
				const uint32_t *a = c->good[i].a;

				if (c->may == NULL || c->good[i].roles != 0)
					assert_true(
					    allows(v->arch, c->number, a));
			}
	}
}

static void
numbers_of_other_architectures_are_refused(void **state)
{
	static const uint32_t none[ARGS] = { 0 };

	(void)state;
	for (const struct variant *v = variants;
	     v < variants + LEN(variants); v++) {
		const uint32_t arches[] = { v->other, AUDIT_ARCH_I386,
			AUDIT_ARCH_ARM, AUDIT_ARCH_RISCV64, 0 };

		for (enum seccomp_role role = 0; role < ROLES; role++) {
			compile(v, role);
			for (unsigned n = 0; n < NUMBERS; n++) {
				for (size_t i = 0; i < LEN(arches); i++)
					assert_false(
					    allows(arches[i], n, none));
				assert_false(allows(v->arch, n | X32, none));
				assert_false(allows(v->arch, n | 1u << 31,
				    none));
			}
		}
	}
}

static void
what_serving_needs_is_found_soon(void **state)
{
	static const char *const hot[] = { "ppoll", "clock_gettime", "recvmmsg",
		"sendmmsg", "recvmsg" };
	static const uint32_t none[ARGS] = { 0 };

	(void)state;
	for (const struct variant *v = variants;
	     v < variants + LEN(variants); v++) {
		compile(v, SECCOMP_DAEMON);
		for (size_t i = 0; i < LEN(hot); i++) {
			const struct call *c = v->calls;

			while (strcmp(c->name, hot[i]) != 0)
				c++;
			assert_true(allows(v->arch, c->number, none));
			assert_in_range(filter.steps, 1, HOT);
		}
	}
}

static void
a_program_without_room_is_none(void **state)
{
	struct sock_filter code[SECCOMP_MOST];
	int size = here_program(SECCOMP_DAEMON, code, SECCOMP_MOST);

	(void)state;
	for (int room = 0; room < size; room++)
		assert_int_equal(here_program(SECCOMP_DAEMON, code, room), 0);
	assert_int_equal(here_program(SECCOMP_DAEMON, code, size), size);
}

/* ------------------------------------------------------------------ for real */

enum {
	DAEMON = 1 << SECCOMP_DAEMON,
	CHILDREN = 1 << SECCOMP_DNS | 1 << SECCOMP_HTTPS,
	HTTPS = 1 << SECCOMP_HTTPS,
	ALL = DAEMON | CHILDREN
};

#define NEW_USER 0x10000000 /* CLONE_NEWUSER */
#define PATH(text) (long)(text)

/* Calls that are refused to these roles.  If one came through, it would fail for
 * another reason, or do nothing that outlives the test's child. */
static const struct attempt {
	const char *what;
	int roles;
	long number, a[ARGS];
} attempts[] = {
	{ "exec", ALL, SYS_execve, { PATH("/nonexistent") } },
	{ "execveat", ALL, SYS_execveat, { -1, PATH("/nonexistent") } },
	{ "signal to the parent", ALL, SYS_kill, { 1, SIGCONT } },
	{ "kill in a child", CHILDREN, SYS_kill, { 0x3fffffff, SIGKILL } },
	{ "signal to a group", ALL, SYS_kill, { -0x3fffffff, SIGKILL } },
	{ "tgkill", ALL, SYS_tgkill, { 0x3fffffff, 0x3fffffff, SIGKILL } },
	{ "tkill", ALL, SYS_tkill, { 0x3fffffff, SIGKILL } },
	{ "sigqueue", ALL, SYS_rt_sigqueueinfo, { 0x3fffffff, SIGKILL } },
	{ "ptrace", ALL, SYS_ptrace, { 0 } },
	{ "mount", ALL, SYS_mount, { 0, PATH("/nonexistent") } },
	{ "umount", ALL, SYS_umount2, { PATH("/nonexistent") } },
	{ "pivot_root", ALL, SYS_pivot_root, { PATH("/nonexistent") } },
	{ "open_tree", ALL, 428, { -1, PATH("/nonexistent") } },
	{ "fsopen", ALL, 430, { PATH("nothing") } },
	{ "chroot", ALL, SYS_chroot, { PATH("/nonexistent") } },
	{ "unshare", ALL, SYS_unshare, { NEW_USER } },
	{ "setns", ALL, SYS_setns, { -1 } },
	{ "io_uring", ALL, 425, { 0 } },
	{ "netlink", ALL, SYS_socket, { AF_NETLINK, SOCK_RAW } },
	{ "packet socket", ALL, SYS_socket, { AF_PACKET, SOCK_RAW } },
	{ "vsock", ALL, SYS_socket, { AF_VSOCK, SOCK_STREAM } },
	{ "AF_ALG", ALL, SYS_socket, { AF_ALG, SOCK_SEQPACKET } },
	{ "raw IPv4", ALL, SYS_socket, { AF_INET, SOCK_RAW, IPPROTO_ICMP } },
	{ "raw IPv6", ALL, SYS_socket, { AF_INET6, SOCK_RAW, IPPROTO_ICMPV6 } },
	{ "ping", ALL, SYS_socket, { AF_INET, SOCK_DGRAM, IPPROTO_ICMP } },
	{ "SCTP", ALL, SYS_socket, { AF_INET, SOCK_STREAM, IPPROTO_SCTP } },
	{ "MPTCP", ALL, SYS_socket, { AF_INET, SOCK_STREAM, 262 } },
	{ "Unix stream", ALL, SYS_socket, { AF_UNIX, SOCK_STREAM } },
	{ "Unix datagram", CHILDREN, SYS_socket, { AF_UNIX, SOCK_DGRAM } },
	{ "UDP for HTTPS", HTTPS, SYS_socket, { AF_INET, SOCK_DGRAM } },
	{ "socketpair", ALL, SYS_socketpair, { AF_UNIX, SOCK_STREAM } },
	{ "bind in a child", CHILDREN, SYS_bind, { -1 } },
	{ "listen in a child", CHILDREN, SYS_listen, { -1 } },
	{ "accept in a child", CHILDREN, SYS_accept4, { -1 } },
	{ "fast open", ALL, SYS_sendto, { -1, 0, 0, MSG_FASTOPEN } },
	{ "socket filter", ALL, SYS_setsockopt,
	    { -1, SOL_SOCKET, SO_ATTACH_FILTER } },
	{ "netfilter", ALL, SYS_setsockopt, { -1, IPPROTO_IP, 64 } },
	{ "keyctl", ALL, SYS_keyctl, { 0 } },
	{ "add_key", ALL, SYS_add_key, { 0 } },
	{ "request_key", ALL, SYS_request_key, { 0 } },
	{ "bpf", ALL, SYS_bpf, { 0 } },
	{ "perf_event_open", ALL, SYS_perf_event_open, { 0, 0, -1, -1 } },
	{ "userfaultfd", ALL, SYS_userfaultfd, { 0 } },
	{ "clock_settime", ALL, SYS_clock_settime, { 0 } },
	{ "clock_adjtime", ALL, SYS_clock_adjtime, { 0 } },
	{ "settimeofday", ALL, SYS_settimeofday, { 0 } },
	{ "adjtimex in a child", CHILDREN, SYS_adjtimex, { 0 } },
	{ "executable memory", ALL, SYS_mmap, { 0, 4096,
	    PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
	    -1 } },
	{ "mprotect to executable", ALL, SYS_mprotect,
	    { 0, 0, PROT_READ | PROT_EXEC } },
	{ "pkey_mprotect", ALL, SYS_pkey_mprotect, { 0, 0, PROT_EXEC, -1 } },
	{ "memory in a child", CHILDREN, SYS_mmap, { 0, 0, PROT_READ } },
	{ "memfd_create", ALL, SYS_memfd_create, { 0 } },
	{ "shmget", ALL, SYS_shmget, { 0, 0, 0 } },
	{ "process_vm_readv", ALL, SYS_process_vm_readv, { 1 } },
	{ "process_vm_writev", ALL, SYS_process_vm_writev, { 1 } },
	{ "pidfd_open", ALL, 434, { -1 } },
	{ "pidfd_send_signal", ALL, 424, { -1 } },
	{ "pidfd_getfd", ALL, 438, { -1 } },
	{ "kcmp", ALL, SYS_kcmp, { 1, 1 } },
	{ "fork in a child", CHILDREN, SYS_clone, { SIGCHLD } },
	{ "thread", ALL, SYS_clone, { 0x00010f00 /* CLONE_THREAD ... */ } },
	{ "clone3", ALL, 435, { 0 } },
	{ "new file", ALL, SYS_openat, { AT_FDCWD, PATH("/nonexistent/a"),
	    O_WRONLY | O_CREAT | O_TRUNC, 0644 } },
	{ "a directory's file", ALL, SYS_openat, { -1, PATH("x"), O_RDONLY } },
	{ "openat2", ALL, 437, { AT_FDCWD, PATH("/nonexistent") } },
	{ "open by handle", ALL, SYS_open_by_handle_at, { -1 } },
	{ "mkdir", ALL, SYS_mkdirat, { -1, PATH("x") } },
	{ "mknod", ALL, SYS_mknodat, { -1, PATH("x") } },
	{ "symlink", ALL, SYS_symlinkat, { PATH("x"), -1, PATH("x") } },
	{ "link", ALL, SYS_linkat, { -1, PATH("x"), -1, PATH("x") } },
	{ "chmod", ALL, SYS_fchmodat, { -1, PATH("x") } },
	{ "chown", ALL, SYS_fchownat, { -1, PATH("x") } },
	{ "fchmod", ALL, SYS_fchmod, { -1 } },
	{ "directory", ALL, SYS_getdents64, { -1 } },
	{ "chdir", ALL, SYS_chdir, { PATH("/nonexistent") } },
	{ "setxattr", ALL, SYS_setxattr, { PATH("/nonexistent") } },
	{ "fanotify", ALL, SYS_fanotify_init, { -1 } },
	{ "inotify", ALL, SYS_inotify_init1, { -1 } },
	{ "setuid", ALL, SYS_setuid, { -1 } },
	{ "setresuid", ALL, SYS_setresuid, { -1, -1, -1 } },
	{ "setgroups", ALL, SYS_setgroups, { -1 } },
	{ "capset in a child", CHILDREN, SYS_capset, { 0 } },
	{ "no death with the parent", CHILDREN, SYS_prctl,
	    { PR_SET_PDEATHSIG, 0 } },
	{ "dumpable", ALL, SYS_prctl, { PR_SET_DUMPABLE, 1 } },
	{ "ambient capability", ALL, SYS_prctl, { PR_CAP_AMBIENT, 1 } },
	{ "keepcaps", ALL, SYS_prctl, { PR_SET_KEEPCAPS, 0 } },
	{ "strict seccomp", ALL, SYS_prctl, { PR_SET_SECCOMP, -1 } },
	{ "seccomp listener", ALL, SYS_seccomp,
	    { SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER } },
	{ "seccomp in a child", CHILDREN, SYS_seccomp,
	    { SECCOMP_SET_MODE_FILTER } },
	{ "limits of others", ALL, SYS_prlimit64, { 1 } },
	{ "limits in a child", CHILDREN, SYS_prlimit64, { 0 } },
	{ "priority", ALL, SYS_setpriority, { 0, 0, 0 } },
	{ "real-time priority", ALL, SYS_sched_setscheduler, { 0, -1 } },
	{ "timer in a child", CHILDREN, SYS_setitimer, { 0 } },
	{ "handler in a child", CHILDREN, SYS_rt_sigaction, { SIGSYS } },
	{ "mask in a child", CHILDREN, SYS_rt_sigprocmask, { 0 } },
	{ "session in a child", CHILDREN, SYS_setsid, { 0 } },
	{ "file for HTTPS", HTTPS, SYS_openat,
	    { AT_FDCWD, PATH("/etc/hosts"), O_RDONLY | O_CLOEXEC } },
	{ "typing for the user", ALL, SYS_ioctl, { -1, TIOCSTI } },
	{ "module", ALL, SYS_init_module, { 0 } },
	{ "module file", ALL, SYS_finit_module, { -1 } },
	{ "kexec", ALL, SYS_kexec_load, { 0, 0, 0, -1 } },
	{ "reboot", ALL, SYS_reboot, { 0 } },
	{ "swap", ALL, SYS_swapon, { PATH("/nonexistent") } },
	{ "kernel log", ALL, SYS_syslog, { -1 } },
	{ "host name", ALL, SYS_sethostname, { 0, -1 } },
	{ "personality", ALL, SYS_personality, { -1 } },
	{ "quota", ALL, SYS_quotactl, { -1 } },
	{ "timer", ALL, SYS_timer_create, { -1 } },
	{ "epoll", ALL, SYS_epoll_create1, { -1 } },
	{ "a call of the future", ALL, 1000, { 0 } },
	{ "a call of no number", ALL, -1, { 0 } },
#ifdef __x86_64__
	{ "open for writing", ALL, SYS_open,
	    { PATH("/nonexistent/a"), O_WRONLY | O_CREAT | O_TRUNC, 0644 } },
	{ "open of a setuid file", ALL, SYS_open, { PATH("/nonexistent/a"),
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 04755 } },
	{ "fork in a child", CHILDREN, SYS_fork, { 0 } },
	{ "vfork", ALL, SYS_clone, { 0x4100 /* CLONE_VM | CLONE_VFORK */ } },
	{ "x32", ALL, X32 | SYS_getpid, { 0 } },
	{ "x32's exec", ALL, X32 | 520, { 0 } },
	{ "ioperm", ALL, SYS_ioperm, { 0 } },
	{ "iopl", ALL, SYS_iopl, { -1 } },
	{ "modify_ldt", ALL, SYS_modify_ldt, { -1 } },
	{ "arch_prctl", ALL, SYS_arch_prctl, { -1 } },
#endif
};

/* What the child with the filter reports, in memory that it shares with us. */
static struct report {
	bool installed, through;
	long rc[LEN(attempts)];	     /* what the calls returned, or -errno */
	unsigned long count[LEN(attempts)]; /* refusals after each */
	unsigned long daemon, children;
	int last;
} *report;

static unsigned long
counted(enum seccomp_role role)
{
	struct seccomp_refused r;

	here_refused(&r);
	return role == SECCOMP_DAEMON ? r.daemon : r.children;
}

static void
try_all(enum seccomp_role role)
{
	char byte;

	for (size_t i = 0; i < LEN(attempts); i++) {
		const struct attempt *t = &attempts[i];

		if ((t->roles & 1 << role) == 0)
			continue;
		report->rc[i] = syscall(t->number, t->a[0], t->a[1], t->a[2],
		    t->a[3], t->a[4], t->a[5]);
		if (report->rc[i] == -1)
			report->rc[i] = -errno;
		report->count[i] = counted(role);
	}
	report->through = syscall(SYS_getrandom, &byte, 1, 0) == 1;
}

/* Only what the filter allows may be called here.  glibc's fork(3) has flags
 * that musl's has not. */
static _Noreturn void
role_process(enum seccomp_role role)
{
	struct seccomp_refused r;
	int status;
	long pid = 0;

	report->installed = here_install(SECCOMP_DAEMON);
	if (role != SECCOMP_DAEMON) {
#ifdef SYS_fork
		pid = syscall(SYS_fork);
#else
		pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
		if (pid == 0)
			report->installed &= here_install(role);
	}
	if (pid == 0)
		try_all(role);
	else
		(void)syscall(SYS_wait4, pid, &status, 0, NULL);
	if (role == SECCOMP_DAEMON || pid != 0) {
		here_refused(&r);
		report->daemon = r.daemon;
		report->children = r.children;
		report->last = r.last;
	}
	(void)syscall(SYS_exit_group, 0);
	abort();
}

/* As in the daemon all signals are blocked. */
static void
run_role(enum seccomp_role role)
{
	sigset_t all;
	int status;
	pid_t pid;

	memset(report, 0, sizeof *report);
	pid = fork();
	if (pid == 0) {
		(void)sigfillset(&all);
		(void)sigprocmask(SIG_BLOCK, &all, NULL);
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		role_process(role);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(report->installed);
	assert_true(report->through);
}

static void
check_role(enum seccomp_role role)
{
	unsigned long tried = 0;
	long last = 0;

	run_role(role);
	for (size_t i = 0; i < LEN(attempts); i++) {
		if ((attempts[i].roles & 1 << role) == 0)
			continue;
		if (report->rc[i] != -EPERM || report->count[i] != ++tried)
			fail_msg("%s: %s: result %ld, %lu of %lu counted",
			    role_words[role], attempts[i].what, report->rc[i],
			    report->count[i], tried);
		last = attempts[i].number;
	}
	assert_true(tried > 50);
	assert_int_equal(report->daemon, role == SECCOMP_DAEMON ? tried : 0);
	assert_int_equal(report->children, role != SECCOMP_DAEMON ? tried : 0);
	assert_int_equal(report->last, (int)last);
}

static void
what_is_forbidden_to_the_daemon_fails_and_is_counted(void **state)
{
	(void)state;
	check_role(SECCOMP_DAEMON);
}

static void
what_is_forbidden_to_a_lookup_fails_and_is_counted(void **state)
{
	(void)state;
	check_role(SECCOMP_DNS);
}

static void
what_is_forbidden_to_a_question_over_tls_fails_and_is_counted(void **state)
{
	(void)state;
	check_role(SECCOMP_HTTPS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_role_may_call_what_is_expected_and_nothing_else),
		cmocka_unit_test(no_filter_knows_the_number_of_another_call),
		cmocka_unit_test(arguments_are_looked_at_where_they_matter),
		cmocka_unit_test(what_the_program_does_is_allowed),
		cmocka_unit_test(a_child_may_nothing_that_the_daemon_may_not),
		cmocka_unit_test(numbers_of_other_architectures_are_refused),
		cmocka_unit_test(what_serving_needs_is_found_soon),
		cmocka_unit_test(a_program_without_room_is_none),
		cmocka_unit_test(
		    what_is_forbidden_to_the_daemon_fails_and_is_counted),
		cmocka_unit_test(
		    what_is_forbidden_to_a_lookup_fails_and_is_counted),
		cmocka_unit_test(
		    what_is_forbidden_to_a_question_over_tls_fails_and_is_counted),
	};

	report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(report != MAP_FAILED);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
