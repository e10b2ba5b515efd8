/*
 * taken.c - the daemon as if strangers had taken over one of its roles.
 *
 * It is linked into the static program with --wrap.  Where the role named by
 * $TAKEN does its work, it tries what a stranger would: each attempt must fail,
 * and the program must go on.  What succeeded stands in the log.  Nothing that
 * is tried does harm in the test's namespaces.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sys/log.h"

enum { DAEMON = 1, CHILD = 2, BOTH = 3 };

static char page[4096] __attribute__((aligned(4096)));

static long
call(long number, long a, long b, long c)
{
	return syscall(number, a, b, c, 0, 0, 0);
}

static long
file(const char *path, int flags)
{
	return open(path, flags, 0644);
}

/* A file of the test's directory, where the daemon's own files are. */
static const char *
beside(const char *name)
{
	static char path[256];
	const char *place = getenv("TAKEN_PLACE");

	(void)snprintf(path, sizeof path, "%s/%s", place, name);
	return path;
}

static long
tcp(bool listens, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		return -1;
	if (!listens) /* nobody is there, but the way is free */
		return connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ||
			errno == ECONNREFUSED ? 0 : -1;
	return bind(fd, (struct sockaddr *)&to, sizeof to) | listen(fd, 1);
}

/* Connect by sending, which Landlock does not see. */
static long
fast_open(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(8081),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct iovec bytes = { page, 1 };
	struct mmsghdr m = { { .msg_name = &to, .msg_namelen = sizeof to,
		.msg_iov = &bytes, .msg_iovlen = 1 }, 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	const int flags = MSG_FASTOPEN | MSG_NOSIGNAL;
	long sent;

	if (fd < 0)
		return -1;
	sent = syscall(SYS_sendmmsg, fd, &m, 1, flags);
	return sent > 0 || errno == ECONNREFUSED ? 0 :
		sendto(fd, page, 1, flags, (struct sockaddr *)&to, sizeof to);
}

static long
control_socket(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(to.sun_path, sizeof to.sun_path, "%s",
	    getenv("NTP_CONTROL_SOCKET"));
	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&to, sizeof to);
}

static long
capability(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { { 0 } };

	data[0].effective = data[0].permitted = 1u << CAP_SYS_ADMIN;
	return syscall(SYS_capset, &head, data);
}

static long
process(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}

static long
program(void)
{
	return call(SYS_execve, (long)"/bin/true",
	    (long)(char *[]){ "true", NULL }, (long)(char *[]){ NULL });
}

static long
limits(void)
{
	struct rlimit r = { 0, 0 };

	return setrlimit(RLIMIT_CORE, &r);
}

static long
status(void)
{
	struct timex t = { .modes = ADJ_STATUS };

	return adjtimex(&t);
}

static long
realtime(long number)
{
	struct timex t = { 0 };

	return call(number, CLOCK_REALTIME, (long)&t, 0);
}

/* Shared by the daemon and its children. */
static struct taken {
	int tried, over, told;
	char done[1024]; /* what succeeded */
} *taken;

static void
note(const char *what, long result)
{
	taken->tried++;
	if (result < 0)
		return;
	(void)strcat(taken->done, ", ");
	(void)strncat(taken->done, what,
	    sizeof taken->done - strlen(taken->done) - 3);
}

#define TRY(roles, what, attempt) \
	do \
		if ((role & (roles)) != 0) \
			note(what, attempt); \
	while (0)

/* Calls that nobody here needs; the arguments do no harm. */
static void
try_calls(int role)
{
	TRY(BOTH, "mount", mount("x", "/", "tmpfs", 0, NULL));
	TRY(BOTH, "umount", umount2("/proc", MNT_DETACH));
	TRY(BOTH, "chroot", chroot("/"));
	TRY(BOTH, "unshare a user namespace", unshare(CLONE_NEWUSER));
	TRY(BOTH, "unshare the network", unshare(CLONE_NEWNET));
	TRY(BOTH, "setns", setns(0, 0));
	TRY(BOTH, "io_uring_setup", call(SYS_io_uring_setup, 4, (long)page, 0));
	TRY(BOTH, "bpf", call(SYS_bpf, 5, (long)page, 48));
	TRY(BOTH, "perf_event_open", call(SYS_perf_event_open, (long)page, 0, -1));
	TRY(BOTH, "userfaultfd", call(SYS_userfaultfd, 1, 0, 0));
	TRY(BOTH, "add_key",
	    syscall(SYS_add_key, "user", "x", "y", 1, -3));
	TRY(BOTH, "keyctl", call(SYS_keyctl, 0, -3, 1));
	TRY(BOTH, "memfd_create", call(SYS_memfd_create, (long)"x", 0, 0));
	TRY(BOTH, "clock_settime", realtime(SYS_clock_settime));
	TRY(BOTH, "clock_adjtime", realtime(SYS_clock_adjtime));
	TRY(BOTH, "settimeofday", call(SYS_settimeofday, (long)page, 0, 0));
	TRY(BOTH, "pidfd_open", call(SYS_pidfd_open, getppid(), 0, 0));
	TRY(BOTH, "process_vm_writev",
	    call(SYS_process_vm_writev, getppid(), (long)page, 0));
	TRY(BOTH, "ptrace", ptrace(PTRACE_SEIZE, getppid(), 0, 0));
	TRY(BOTH, "sethostname", sethostname("x", 1));
	TRY(BOTH, "a module", call(SYS_init_module, (long)page, 0, 0));
	TRY(BOTH, "fanotify_init", call(SYS_fanotify_init, 0, 0, 0));
	TRY(BOTH, "setuid", call(SYS_setuid, 0, 0, 0));
	TRY(BOTH, "another program", program());
	TRY(BOTH, "more rights", capability());
	TRY(BOTH, "mmap code", mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
	TRY(BOTH, "mprotect code",
	    mprotect(page, sizeof page, PROT_READ | PROT_EXEC));
}

static void
try_sockets(int role)
{
	TRY(BOTH, "netlink", socket(AF_NETLINK, SOCK_RAW, 0));
	TRY(BOTH, "packets", socket(AF_PACKET, SOCK_RAW, 0));
	TRY(BOTH, "raw IP", socket(AF_INET, SOCK_RAW, 1));
	TRY(BOTH, "AF_ALG", socket(38, SOCK_SEQPACKET, 0));
	TRY(BOTH, "vsock", socket(40, SOCK_STREAM, 0));
	TRY(BOTH, "MPTCP", socket(AF_INET, SOCK_STREAM, 262));
	TRY(BOTH, "the control socket", control_socket());
	TRY(BOTH, "listen at another port", tcp(true, 8080));
	TRY(BOTH, "connect to another port", tcp(false, 8081));
	TRY(BOTH, "connect by sending", fast_open());
}

static void
try_files(int role)
{
	TRY(BOTH, "a new file in the root", file("/taken", O_WRONLY | O_CREAT));
	TRY(BOTH, "write /etc/hosts", file("/etc/hosts", O_WRONLY));
	TRY(BOTH, "write the configuration", file(beside("conf1"), O_WRONLY));
	TRY(BOTH, "a program's directory", file("/bin", O_RDONLY));
	TRY(BOTH, "a file elsewhere", file("/usr/bin/env", O_RDONLY));
	TRY(BOTH, "the memory of others", file("/proc/1/mem", O_RDWR));
	TRY(BOTH, "its own memory", file("/proc/self/mem", O_RDWR));
	TRY(BOTH, "mkdir", mkdir("/taken", 0755));
	TRY(BOTH, "chmod", chmod("/etc/hosts", 0666));
	TRY(BOTH, "link", link("/etc/hosts", "/etc/taken"));
	TRY(CHILD, "write the drift file", file(beside("state/drift"),
	    O_WRONLY));
	TRY(CHILD, "remove the drift file", unlink(beside("state/drift")));
	TRY(CHILD, "read the configuration", file(beside("conf1"), O_RDONLY));
	TRY(CHILD, "read the passwords", file("/etc/shadow", O_RDONLY));
	TRY(CHILD, "read users", file("/etc/passwd", O_RDONLY));
}

static void
try_processes(int role)
{
	TRY(CHILD, "adjtimex", status());
	TRY(CHILD, "fork", process());
	TRY(CHILD, "signal the daemon", kill(getppid(), 0));
	TRY(CHILD, "wake the daemon", kill(getppid(), SIGCONT));
	TRY(CHILD, "kill", kill(getppid(), SIGKILL));
	TRY(DAEMON, "signal others", kill(getppid(), SIGCONT));
	TRY(DAEMON, "kill a group", kill(-getppid(), SIGKILL));
	TRY(CHILD, "limits", limits());
	TRY(CHILD, "outlive the daemon",
	    prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0));
	TRY(BOTH, "priority", setpriority(PRIO_PROCESS, 0, 0));
	TRY(BOTH, "dumpable", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	TRY(CHILD, "setsid", setsid());
	TRY(CHILD, "the alarm",
	    (long)call(SYS_setitimer, ITIMER_REAL, (long)page, 0));
}

static void
try_all(int role)
{
	try_calls(role);
	try_sockets(role);
	try_files(role);
	try_processes(role);
	taken->over = 1;
}

/* ---------------------------------------------------- where they are tried */

static bool
is_role(const char *role)
{
	const char *wanted = getenv("TAKEN");

	return taken != NULL && !taken->over && wanted != NULL &&
	    strcmp(wanted, role) == 0;
}

__attribute__((constructor)) static void
share(void)
{
	taken = mmap(NULL, sizeof *taken, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

void __real_dns_ask(const void *, void *);
void __wrap_dns_ask(const void *, void *);
void __real_tls_ask(const void *, void *);
void __wrap_tls_ask(const void *, void *);
void __real_tls_exchange(const void *, void *);
void __wrap_tls_exchange(const void *, void *);
void __real_log_turn(int64_t);
void __wrap_log_turn(int64_t);

void
__wrap_dns_ask(const void *question, void *answer)
{
	if (is_role("dns"))
		try_all(CHILD);
	__real_dns_ask(question, answer);
}

void
__wrap_tls_ask(const void *question, void *answer)
{
	if (is_role("https"))
		try_all(CHILD);
	__real_tls_ask(question, answer);
}

void
__wrap_tls_exchange(const void *question, void *answer)
{
	if (is_role("nts"))
		try_all(CHILD);
	__real_tls_exchange(question, answer);
}

/* Each turn of the daemon ends with this. */
void
__wrap_log_turn(int64_t raw)
{
	if (is_role("daemon"))
		try_all(DAEMON);
	if (taken->over && !taken->told) {
		taken->told = 1;
		log_line(LOG_CLASS_WARN, "taken over: %d tried, done: %s",
		    taken->tried,
		    taken->done[0] != '\0' ? taken->done + 2 : "nothing");
	}
	__real_log_turn(raw);
}
