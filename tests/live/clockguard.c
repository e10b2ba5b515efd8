/*
 * clockguard - run a command whose clock calls are answered here.
 *
 *   clockguard [-amnK] [-e ERRNO] [-E ERRNO] [-f PPM] [-g FILE] [-l LOG]
 *       [-o SECONDS] [-p DIRECTORY] [-r ROOT] [-w PPM] COMMAND ARGUMENT...
 *
 * A seccomp filter hands clock_settime, settimeofday, adjtimex and
 * clock_adjtime of the command and its children to a supervisor, which writes
 * each attempt to LOG and answers it from a pretended kernel clock; nothing
 * reaches the real one.  CAP_SYS_TIME is given up besides.  This works for
 * static binaries, which a preloaded library cannot reach.
 *
 * With -m the wall clock moves as it was told: the vDSO is hidden from the
 * command, so that reading CLOCK_REALTIME is a system call, too, and answered
 * with the pretended time.  CLOCK_MONOTONIC_RAW is the machine's own; the
 * kernel's stamps of packets, which would show its wall clock, are refused.
 *
 *   -a  log also calls that only read
 *   -e  writes fail with this errno (number); -E  reads fail as well
 *   -g  grant writes until this file is there, for what -e is then
 *   -f  frequency in force at start, ppm; -K  and the clock is synchronised
 *   -n  only give up the capability and note the start: calls are refused by
 *       the kernel itself
 *   -o  pretended wall clock minus the machine's at start, s (implies -m)
 *   -p  answer the ioctls that read /dev/ptpN (which can be any character
 *       device) by what the file of that name in DIRECTORY says: "WAYS OFFSET
 *       RATE WIDTH".  WAYS: 1 plain, 2 extended, 4 precise, or a sum; OFFSET: of
 *       the machine's clock, s; RATE: 1e6 times what the device gains in a
 *       second of the guard's life; WIDTH: of the bracket, ns.  OFFSET may be
 *       "=TIME", at which the device stands still.  Without the file there is
 *       no device
 *   -r  chroot before the command starts
 *   -w  the pretended clock's own frequency error, ppm (implies -m)
 *
 * The command keeps the process id that was started; the supervisor is no
 * child of it.  LOG holds one JSON object a line.  The first is {"exec": ns,
 * "zero": ns, "real": ns}: the monotonic clock just before execve, the same
 * where "t" of the others begins, and the machine's wall clock.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/ptp_clock.h>
#include <linux/seccomp.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS 1000000000LL

#if defined(__x86_64__)
#define AUDIT_HERE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define AUDIT_HERE AUDIT_ARCH_AARCH64
#else
#error "name this machine's AUDIT_ARCH"
#endif

/* The pretended kernel clock. */
struct pretended {
	struct timex t;			/* as adjtimex(2) shows it */
	int64_t raw, real;		/* the wall clock at a moment, ns */
	int64_t at;			/* CLOCK_MONOTONIC at the last turn */
	double phase;			/* ns that the PLL still has to add */
	double rest;			/* of real, below 1 ns */
	double error;			/* the oscillator's, a ratio */
};

static bool all, moving, only_note;
static int write_errno, read_errno, log_fd = -1;
static const char *until_there, *devices;
static int64_t started;
static struct pretended clk;

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "clockguard: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static int64_t
now(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * NS + t.tv_nsec;
}

/* Move the pretended clock to the present. */
static void
turn(void)
{
	int64_t raw = now(CLOCK_MONOTONIC_RAW);
	double s = (double)(raw - clk.raw) / NS, rate, add, left;

	rate = clk.error + (double)clk.t.freq / 65536e6 +
	    (double)(clk.t.tick - 10000) * 1e-4;
	left = clk.phase * pow(1 - pow(2, -2 - (double)clk.t.constant), s);
	add = s * rate * NS + clk.phase - left + clk.rest;
	clk.phase = fabs(left) < 1 ? 0 : left;
	clk.rest = add - floor(add);
	clk.real += raw - clk.raw + (int64_t)floor(add);
	clk.raw = raw;
	/* adjtimex(2): the kernel's bound grows by 500 ppm up to 16 s. */
	clk.t.maxerror += (long)(s * 500);
	if (clk.t.maxerror >= 16000000) {
		clk.t.maxerror = 16000000;
		clk.t.status |= STA_UNSYNC;
	}
}

static void
step(int64_t ns)
{
	clk.real += ns;
	clk.phase = 0;
	clk.t.status |= STA_UNSYNC;
	clk.t.maxerror = clk.t.esterror = 16000000;
}

/* Obey an adjtimex(2) call; the step it contains is returned. */
static int64_t
adjust(struct timex *t)
{
	int64_t ns = 0;
	unsigned modes = t->modes;

	if (modes & ADJ_SETOFFSET) {
		ns = t->time.tv_sec * NS + (modes & ADJ_NANO ?
		    t->time.tv_usec : t->time.tv_usec * 1000);
		step(ns);
	}
	if (modes & ADJ_STATUS) {
		clk.t.status = (clk.t.status & 0xff00) | (t->status & 0xff);
		if (!(clk.t.status & STA_PLL))
			clk.t.status &= ~STA_NANO;
	}
	if (modes & ADJ_NANO)
		clk.t.status |= STA_NANO;
	if (modes & ADJ_MICRO)
		clk.t.status &= ~STA_NANO;
	if (modes & ADJ_FREQUENCY)
		clk.t.freq = t->freq < -32768000 ? -32768000 :
		    t->freq > 32768000 ? 32768000 : t->freq;
	if (modes & ADJ_MAXERROR)
		clk.t.maxerror = t->maxerror;
	if (modes & ADJ_ESTERROR)
		clk.t.esterror = t->esterror;
	if (modes & ADJ_TIMECONST)
		clk.t.constant = t->constant < 0 ? 0 :
		    t->constant > 10 ? 10 : t->constant;
	if (modes & ADJ_OFFSET && clk.t.status & STA_PLL) {
		clk.phase = (double)t->offset *
		    (clk.t.status & STA_NANO ? 1 : 1000);
		if (fabs(clk.phase) > 0.5 * NS)
			clk.phase = copysign(0.5 * NS, clk.phase);
	}
	if (modes & ADJ_TICK)
		clk.t.tick = t->tick;
	if (modes & ADJ_TAI)
		clk.t.tai = (int)t->constant;
	return ns;
}

/* What adjtimex(2) writes back. */
static int
show(struct timex *t)
{
	unsigned modes = t->modes;
	int64_t sub = clk.real % NS;

	*t = clk.t;
	t->modes = modes;
	t->offset = (long)(clk.t.status & STA_NANO ? clk.phase :
	    clk.phase / 1000);
	if (modes == ADJ_OFFSET_SS_READ)
		t->offset = 0;		/* of adjtime(3), which is not obeyed */
	t->time.tv_sec = clk.real / NS;
	t->time.tv_usec = clk.t.status & STA_NANO ? sub : sub / 1000;
	return clk.t.status & STA_UNSYNC ? TIME_ERROR : TIME_OK;
}

static void
note(const char *call, int pid, int error, int64_t stepped,
    const struct timex *t)
{
	dprintf(log_fd, "{\"t\": %" PRId64 ", \"call\": \"%s\", \"pid\": %d, "
	    "\"errno\": %d, \"step\": %" PRId64 ", \"modes\": %u, "
	    "\"status\": %d, \"freq\": %ld, \"offset\": %ld, "
	    "\"constant\": %ld, \"maxerror\": %ld, \"esterror\": %ld, "
	    "\"tick\": %ld}\n",
	    now(CLOCK_MONOTONIC) - started, call, pid, error, stepped,
	    t->modes, t->status, t->freq, t->offset, t->constant, t->maxerror,
	    t->esterror, t->tick);
}

static bool
peek(int pid, uint64_t at, void *to, size_t size)
{
	struct iovec here = { to, size }, there = { (void *)at, size };

	return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

static bool
poke(int pid, uint64_t at, const void *from, size_t size)
{
	struct iovec here = { (void *)from, size }, there = { (void *)at, size };

	return process_vm_writev(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

/* What a device shows, as told by its file; -errno if that is missing. */
struct device {
	int ways;
	double offset, rate;
	long width;
	bool frozen;
};

static int
device(int pid, int fd, struct device *d)
{
	char link[64], path[256], offset[64];
	ssize_t n;
	FILE *f;
	int got;

	snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, fd);
	n = readlink(link, path, sizeof path - 1);
	if (n <= 0)
		return -EBADF;
	path[n] = 0;
	snprintf(link, sizeof link, "%s", strrchr(path, '/') + 1);
	snprintf(path, sizeof path, "%s/%s", devices, link);
	f = fopen(path, "r");
	if (f == NULL)
		return -ENODEV;
	got = fscanf(f, "%d %63s %lf %ld", &d->ways, offset, &d->rate,
	    &d->width);
	fclose(f);
	if (got != 4)
		return -EIO;
	d->frozen = *offset == '=';
	d->offset = strtod(offset + d->frozen, NULL);
	return 0;
}

static struct ptp_clock_time
ptp_time(int64_t ns)
{
	return (struct ptp_clock_time){ .sec = ns / NS,
		.nsec = (unsigned)(ns % NS) };
}

/* Answer an ioctl that reads a device. */
static int
sense(int pid, const uint64_t arg[6])
{
	union {
		struct ptp_sys_offset plain;
		struct ptp_sys_offset_extended extended;
		struct ptp_sys_offset_precise precise;
	} u;
	struct device d;
	unsigned request = (unsigned)arg[1], i;
	int error = device(pid, (int)arg[0], &d);
	int way = request == PTP_SYS_OFFSET ? 1 :
	    request == PTP_SYS_OFFSET_EXTENDED ? 2 : 4;
	size_t size = way == 1 ? sizeof u.plain : way == 2 ?
	    sizeof u.extended : sizeof u.precise;
	int64_t raw, real, shown;

	if (error != 0)
		return error;
	if (!(d.ways & way))
		return -EOPNOTSUPP;
	if (!peek(pid, arg[2], &u, size))
		return -EFAULT;
	turn();
	raw = clk.raw;
	real = moving ? clk.real : now(CLOCK_REALTIME);
	shown = d.frozen ? (int64_t)(d.offset * NS) :
	    now(CLOCK_REALTIME) + (int64_t)(d.offset * NS +
		d.rate * 1e-6 * (double)(now(CLOCK_MONOTONIC) - started));
	if (way == 4) {
		u.precise.device = ptp_time(shown);
		u.precise.sys_realtime = ptp_time(real);
		u.precise.sys_monoraw = ptp_time(raw);
	} else if (u.plain.n_samples > PTP_MAX_SAMPLES)
		return -EINVAL;
	else {
		/* The middle one is the closest; the others are skewed. */
		unsigned middle = u.plain.n_samples / 2;
		int64_t at = real - d.width / 2 - 100 * d.width * middle;

		for (i = 0; i < u.plain.n_samples; i++) {
			struct ptp_clock_time *t = way == 1 ?
			    &u.plain.ts[2 * i] : u.extended.ts[i];

			t[0] = ptp_time(at);
			t[1] = ptp_time(shown);
			at += i == middle ? d.width : 100 * d.width;
			t[2] = ptp_time(at);
		}
	}
	return poke(pid, arg[2], &u, size) ? 0 : -EFAULT;
}

/* Answer one call: its result, or -errno. */
static int
answer(int pid, int nr, const uint64_t arg[6])
{
	struct timex t;
	struct timespec ts;
	struct timeval tv;
	int64_t ns = 0;
	uint64_t at;
	bool writes;
	int error;

	turn();
	memset(&t, 0, sizeof t);
	switch (nr) {
	case SYS_ioctl:
		return sense(pid, arg);
	case SYS_clock_gettime:
		ts.tv_sec = clk.real / NS;
		ts.tv_nsec = clk.real % NS;
		return poke(pid, arg[1], &ts, sizeof ts) ? 0 : -EFAULT;
	case SYS_gettimeofday:
		tv.tv_sec = clk.real / NS;
		tv.tv_usec = clk.real % NS / 1000;
		return arg[0] == 0 || poke(pid, arg[0], &tv, sizeof tv) ? 0 :
		    -EFAULT;
	case SYS_clock_settime:
		if (!peek(pid, arg[1], &ts, sizeof ts))
			return -EFAULT;
		ns = ts.tv_sec * NS + ts.tv_nsec - clk.real;
		note("clock_settime", pid, write_errno, ns, &t);
		if (write_errno != 0)
			return -write_errno;
		step(ns);
		return 0;
	case SYS_settimeofday:
		if (!peek(pid, arg[0], &tv, sizeof tv))
			return -EFAULT;
		ns = tv.tv_sec * NS + tv.tv_usec * 1000 - clk.real;
		note("settimeofday", pid, write_errno, ns, &t);
		if (write_errno != 0)
			return -write_errno;
		step(ns);
		return 0;
	}
	at = nr == SYS_clock_adjtime ? arg[1] : arg[0];
	if (!peek(pid, at, &t, sizeof t))
		return -EFAULT;
	/* ADJ_OFFSET_SS_READ and 0 only read. */
	writes = t.modes != 0 && t.modes != ADJ_OFFSET_SS_READ;
	error = !writes ? read_errno :
	    until_there != NULL && access(until_there, F_OK) < 0 ? 0 :
	    write_errno;
	if (error == 0 && t.modes & ADJ_SETOFFSET)
		ns = t.time.tv_sec * NS + (t.modes & ADJ_NANO ?
		    t.time.tv_usec : t.time.tv_usec * 1000);
	if (writes || all)
		note(nr == SYS_adjtimex ? "adjtimex" : "clock_adjtime", pid,
		    error, ns, &t);
	if (error != 0)
		return -error;
	if (writes && t.modes != ADJ_OFFSET_SINGLESHOT)
		adjust(&t);
	error = show(&t);
	return poke(pid, at, &t, sizeof t) ? error : -EFAULT;
}

static void
serve(int listener)
{
	struct seccomp_notif_sizes sizes;
	struct seccomp_notif *ask;
	struct seccomp_notif_resp *reply;
	struct pollfd p = { .fd = listener, .events = POLLIN };
	int result;

	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == -1)
		die("seccomp sizes");
	ask = malloc(sizes.seccomp_notif);
	reply = malloc(sizes.seccomp_notif_resp);
	/* A reading of the clock waits for this, so it is short. */
	setpriority(PRIO_PROCESS, 0, -20);
	if (ask == NULL || reply == NULL)
		die("malloc");
	for (;;) {
		if (poll(&p, 1, -1) == -1 && errno != EINTR)
			die("poll");
		if (p.revents & POLLHUP)
			_exit(0);	/* the last process with the filter is gone */
		if (!(p.revents & POLLIN))
			continue;
		memset(ask, 0, sizes.seccomp_notif);
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, ask) == -1)
			continue;
		result = answer((int)ask->pid, ask->data.nr,
		    (const uint64_t *)ask->data.args);
		memset(reply, 0, sizes.seccomp_notif_resp);
		reply->id = ask->id;
		reply->error = result < 0 ? result : 0;
		reply->val = result < 0 ? 0 : result;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, reply);
	}
}

/* Wait for the command's execve and take the vDSO out of its auxiliary
 * vector, so that clock_gettime(2) is a system call again. */
static void
hide_vdso(int pid)
{
	struct iovec v;
	uint64_t at, word[2];
	int status;
#if defined(__x86_64__)
	struct user_regs_struct regs;
#else
	struct user_pt_regs regs;
#endif

	for (;;) {
		if (waitpid(pid, &status, __WALL) == -1)
			die("waitpid");
		if (!WIFSTOPPED(status))
			_exit(0);
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
			break;
		ptrace(PTRACE_CONT, pid, 0, 0);
	}
	v.iov_base = &regs;
	v.iov_len = sizeof regs;
	if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &v) == -1)
		die("ptrace regs");
#if defined(__x86_64__)
	at = regs.rsp;
#else
	at = regs.sp;
#endif
	if (!peek(pid, at, word, 8))
		die("stack");
	at += 8 * (word[0] + 2);		/* argc, argv, NULL */
	do {
		if (!peek(pid, at, word, 8))
			die("environment");
		at += 8;
	} while (word[0] != 0);
	for (;; at += 16) {
		if (!peek(pid, at, word, 16))
			die("auxiliary vector");
		if (word[0] == AT_NULL)
			break;
		if (word[0] == AT_SYSINFO_EHDR) {
			word[0] = AT_IGNORE;
			if (!poke(pid, at, word, 8))
				die("auxiliary vector");
		}
	}
	ptrace(PTRACE_DETACH, pid, 0, 0);
}

/* Where a jump of the filter goes; filled in when its length is known. */
enum { HAND_OVER = 0xff, REFUSE = 0xfe, ALLOW = 0xfd };

static uint8_t
distance(uint8_t to, unsigned short from, unsigned short length)
{
	return to < ALLOW ? to : (uint8_t)(length - 1 - (HAND_OVER - to) -
	    from - 1);
}

/* From now on this process finds a kernel without Landlock and filters. */
static void
refuse_sandbox(void)
{
	enum { LANDLOCK_CREATE_RULESET = 444 };
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LANDLOCK_CREATE_RULESET,
		    0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof f / sizeof *f, f };

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
		die("seccomp");
}

/* A filter that hands over the calls of interest; the listener is returned. */
static int
install_filter(void)
{
	/* SO_TIMESTAMP, _NS and _ING, old and new */
	static const unsigned stamps[] = { 29, 35, 37, 63, 64, 65 };
	static const unsigned writing[] = {
		SYS_clock_settime, SYS_settimeofday, SYS_adjtimex,
		SYS_clock_adjtime
	};
	struct sock_filter f[48];
	struct sock_fprog program = { .filter = f };
	unsigned short i, n = 0;
	int fd;

#define LOAD(field) f[n++] = (struct sock_filter)BPF_STMT( \
	BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value, yes, no) f[n++] = (struct sock_filter)BPF_JUMP( \
	BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define RETURN(value) f[n++] = (struct sock_filter)BPF_STMT( \
	BPF_RET | BPF_K, value)
	LOAD(arch);
	IS(AUDIT_HERE, 1, 0);
	RETURN(SECCOMP_RET_KILL_PROCESS);
	LOAD(nr);
	for (i = 0; i < sizeof writing / sizeof *writing; i++)
		IS(writing[i], HAND_OVER, 0);
	if (devices != NULL) {
		IS(SYS_ioctl, 0, 5);
		LOAD(args[1]);
		IS(PTP_SYS_OFFSET, HAND_OVER, 0);
		IS(PTP_SYS_OFFSET_EXTENDED, HAND_OVER, 0);
		IS((unsigned)PTP_SYS_OFFSET_PRECISE, HAND_OVER, 0);
		LOAD(nr);
	}
	if (moving) {
		IS(SYS_gettimeofday, HAND_OVER, 0);
		IS(SYS_clock_gettime, 0, 3);
		LOAD(args[0]);
		IS(CLOCK_REALTIME, HAND_OVER, 0);
		IS(CLOCK_REALTIME_COARSE, HAND_OVER, ALLOW);
		/* The kernel's stamps would show the machine's clock. */
		IS(SYS_setsockopt, 0, ALLOW);
		LOAD(args[1]);
		IS(SOL_SOCKET, 0, ALLOW);
		LOAD(args[2]);
		for (i = 0; i < sizeof stamps / sizeof *stamps; i++)
			IS(stamps[i], REFUSE, 0);
	}
	RETURN(SECCOMP_RET_ALLOW);
	RETURN(SECCOMP_RET_ERRNO | ENOPROTOOPT);
	RETURN(SECCOMP_RET_USER_NOTIF);
#undef LOAD
#undef IS
#undef RETURN
	for (i = 0; i < n; i++)
		if (BPF_CLASS(f[i].code) == BPF_JMP) {
			f[i].jt = distance(f[i].jt, i, n);
			f[i].jf = distance(f[i].jf, i, n);
		}
	program.len = n;
	fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (fd == -1)
		die("seccomp");
	return fd;
}

static void
give_up_sys_time(void)
{
	struct __user_cap_header_struct head = {
		_LINUX_CAPABILITY_VERSION_3, 0
	};
	struct __user_cap_data_struct set[2];

	/* It fails without CAP_SETPCAP; then there is nothing to give up. */
	(void)prctl(PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0);
	if (syscall(SYS_capget, &head, set) == -1)
		die("capget");
	set[0].effective &= ~(1u << CAP_SYS_TIME);
	set[0].permitted &= ~(1u << CAP_SYS_TIME);
	set[0].inheritable &= ~(1u << CAP_SYS_TIME);
	if (syscall(SYS_capset, &head, set) == -1)
		die("capset");
}

static void
pass(int socket, int fd)
{
	char byte = 0;
	struct iovec v = { &byte, 1 };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof control
	};

	memset(&control, 0, sizeof control);
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
	if (sendmsg(socket, &m, 0) != 1)
		die("sendmsg");
}

static int
take(int socket)
{
	char byte;
	struct iovec v = { &byte, 1 };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof control
	};
	int fd;

	if (recvmsg(socket, &m, MSG_CMSG_CLOEXEC) != 1)
		_exit(125);
	memcpy(&fd, CMSG_DATA(&control.head), sizeof fd);
	return fd;
}

/* Never returns: the process that answers. */
static _Noreturn void
supervise(int socket, int pid)
{
	int listener, null = open("/dev/null", O_RDWR);
	char byte;

	if (setsid() == -1)
		die("setsid");
	if (null != -1) {
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
	}
	signal(SIGPIPE, SIG_IGN);
	/* Its child must have been reaped before, or SIGCHLD would stop it. */
	if (read(socket, &byte, 1) != 1)
		_exit(125);
	if (moving && ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEEXEC) == -1)
		_exit(125);
	if (write(socket, "", 1) != 1)
		_exit(125);
	listener = take(socket);
	close(socket);
	if (moving)
		hide_vdso(pid);
	serve(listener);
	_exit(0);
}

static double
number(const char *text)
{
	char *end;
	double d = strtod(text, &end);

	if (*text == 0 || *end != 0) {
		fprintf(stderr, "clockguard: not a number: %s\n", text);
		_exit(125);
	}
	return d;
}

int
main(int argc, char **argv)
{
	const char *log = "/dev/null", *root = NULL;
	double offset = 0;
	int c, pair[2], listener;
	pid_t pid, self = getpid();
	char byte;

	clk.t.tick = 10000;
	clk.t.status = STA_UNSYNC;
	clk.t.maxerror = clk.t.esterror = 16000000;
	clk.t.constant = 2;
	clk.t.precision = 1;
	clk.t.tolerance = 32768000;
	while ((c = getopt(argc, argv, "+aKmne:E:f:g:l:o:p:r:w:")) != -1)
		switch (c) {
		case 'a':
			all = true;
			break;
		case 'K':
			clk.t.status = STA_PLL | STA_FREQHOLD;
			clk.t.maxerror = clk.t.esterror = 1000;
			break;
		case 'm':
			moving = true;
			break;
		case 'n':
			only_note = true;
			break;
		case 'e':
			write_errno = (int)number(optarg);
			break;
		case 'E':
			read_errno = write_errno = (int)number(optarg);
			break;
		case 'f':
			clk.t.freq = (long)(number(optarg) * 65536);
			break;
		case 'g':
			until_there = optarg;
			break;
		case 'l':
			log = optarg;
			break;
		case 'o':
			offset = number(optarg);
			moving = true;
			break;
		case 'p':
			devices = optarg;
			break;
		case 'r':
			root = optarg;
			break;
		case 'w':
			clk.error = number(optarg) * 1e-6;
			moving = true;
			break;
		default:
			return 125;
		}
	argv += optind;
	if (*argv == NULL)
		return 125;

	log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (log_fd == -1)
		die(log);
	give_up_sys_time();
	clk.raw = now(CLOCK_MONOTONIC_RAW);
	clk.real = now(CLOCK_REALTIME) + (int64_t)(offset * NS);
	started = now(CLOCK_MONOTONIC);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		die("socketpair");

	pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0) {
		if (fork() != 0)
			_exit(0);
		close(pair[0]);
		supervise(pair[1], self);
	}
	close(pair[1]);
	if (waitpid(pid, NULL, 0) == -1 || write(pair[0], "", 1) != 1 ||
	    read(pair[0], &byte, 1) != 1)
		die("supervisor");
	if (root != NULL && (chroot(root) == -1 || chdir("/") == -1))
		die(root);
	if (!only_note) {
		listener = install_filter();
		pass(pair[0], listener);
		close(listener);
	}
	close(pair[0]);
	/* The supervisor's idea of "started" is older by the forks: times in
	 * the log count from there, so it is what the first line says. */
	dprintf(log_fd, "{\"exec\": %" PRId64 ", \"zero\": %" PRId64 ", "
	    "\"real\": %" PRId64 "}\n", now(CLOCK_MONOTONIC), started,
	    now(CLOCK_REALTIME));
	if (getenv("NO_SANDBOX") != NULL)
		refuse_sandbox();
	execv(*argv, argv);
	die(*argv);
}
