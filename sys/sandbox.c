/*
 * sandbox.c - what each role may still do: the daemon and its children.
 *
 * Capabilities are handled by the plain system calls of capabilities(7): the
 * program runs as any uid, with whatever the container runtime left it.
 */
#include <link.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/sandbox.h"

static bool
get(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};

	return syscall(SYS_capget, &header, data) == 0;
}

static bool
set(const struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};

	return syscall(SYS_capset, &header, data) == 0;
}

extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* A static program has no loader that makes its relocated constants read-only
 * (PT_GNU_RELRO); what libc's start leaves undone is done here. */
static void
protect_relocated(void)
{
	uintptr_t base = (uintptr_t)&__ehdr_start, page, from, to;
	const ElfW(Phdr) *p = (const void *)(base + __ehdr_start.e_phoff);
	int i;

	if (__ehdr_start.e_type != ET_DYN) /* addresses are not offsets */
		return;
	page = (uintptr_t)getpagesize();
	for (i = 0; i < __ehdr_start.e_phnum; i++) {
		if (p[i].p_type != PT_GNU_RELRO)
			continue;
		from = (base + p[i].p_vaddr) & -page;
		to = (base + p[i].p_vaddr + p[i].p_memsz) & -page;
		if (to > from)
			(void)mprotect((void *)from, to - from, PROT_READ);
	}
}

void
sandbox_daemon(void)
{
	const uint32_t wanted = 1u << CAP_SYS_TIME | 1u << CAP_NET_BIND_SERVICE;
	struct __user_cap_data_struct data[2];

	protect_relocated();
	/* A file capability "+p" makes a non-root uid's set permitted only;
	 * raising it is ours to do.  Failure shows in the first clock write. */
	if (get(data) &&
	    (data[0].permitted & wanted & ~data[0].effective) != 0) {
		data[0].effective |= data[0].permitted & wanted;
		(void)set(data);
	}
	/* nothing we start needs to gain rights */
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* What a child can use up at most.  A question costs 20 to 100 ms of processor
 * time; a slow machine may need ten times that, and a hostile server must not
 * be able to take more.  A child has its pipe, a file and some sockets open: 102
 * for a lookup, if 17 candidates of a name are asked for at three silent servers.
 * It writes no file and starts nothing (though the kernel does not hold root to a
 * number of processes).  It is 14 MB large in a daemon of 4000 servers. */
static const struct limit {
	int which;
	rlim_t soft, hard;
} child_limits[] = {
	{ RLIMIT_CPU, 3, 4 }, /* s: SIGXCPU, then SIGKILL */
	{ RLIMIT_NOFILE, 112, 112 },
	{ RLIMIT_FSIZE, 0, 0 },
	{ RLIMIT_NPROC, 0, 0 },
	{ RLIMIT_CORE, 0, 0 },
#ifndef __SANITIZE_ADDRESS__ /* ASan maps terabytes */
	{ RLIMIT_AS, 64 << 20, 64 << 20 },
#endif
};

static void
limit_child(void)
{
	const size_t n = sizeof child_limits / sizeof *child_limits;
	struct rlimit r;
	size_t i;

	for (i = 0; i < n; i++) {
		r.rlim_cur = child_limits[i].soft;
		r.rlim_max = child_limits[i].hard;
		/* refused only where there is a lower one */
		(void)setrlimit(child_limits[i].which, &r);
	}
	/* The daemon's priority of -20 is for keeping time only.  If somebody
	 * has made the daemon nice, its children stay so. */
	if (getpriority(PRIO_PROCESS, 0) < 0)
		(void)setpriority(PRIO_PROCESS, 0, 0);
}

void
sandbox_child(void)
{
	const struct __user_cap_data_struct none[2] = { { 0, 0, 0 },
		{ 0, 0, 0 } };

	limit_child();
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)set(none);
}

bool
sandbox_may_set_time(void)
{
	struct __user_cap_data_struct data[2];

	return get(data) && (data[0].effective & 1u << CAP_SYS_TIME) != 0;
}

bool
sandbox_could_set_time(void)
{
	return prctl(PR_CAPBSET_READ, CAP_SYS_TIME, 0, 0, 0) == 1;
}
