/*
 * sandbox.c - what each role may still do: the daemon and its children.
 *
 * Capabilities are handled by the plain system calls of capabilities(7): the
 * program runs as any uid, with whatever the container runtime left it.  Where
 * that is not enough to set the clock, this room finds out what would be.
 */
#include <link.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/sandbox.h"
#include "sys/file.h"

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

/* ----------------------------------------------------------- the remedy */

/* In a user namespace other than the initial one the clock cannot be set,
 * whatever the capabilities say (user_namespaces(7)). */
enum user_namespace {
	NAMESPACE_FIRST,
	NAMESPACE_OTHER, /* with the same ids */
	NAMESPACE_MAPPED /* rootless, hostUsers: false: root is another there */
};

static enum user_namespace
user_namespace(void)
{
	char map[64];
	unsigned long inside, outside, count;
	char *p = map;

	if (file_text("/proc/self/uid_map", map, sizeof map) < 0)
		return NAMESPACE_FIRST;
	inside = strtoul(p, &p, 10);
	outside = strtoul(p, &p, 10);
	count = strtoul(p, &p, 10);
	if (inside != outside || count == 0)
		return NAMESPACE_MAPPED;
	return inside != 0 || count < 4294967295UL ? NAMESPACE_OTHER :
						      NAMESPACE_FIRST;
}

/* Where we run, as far as anything tells. */
enum place {
	PLACE_MACHINE,
	PLACE_UNIT, /* a service of systemd's, on a machine */
	PLACE_KUBERNETES,
	PLACE_PODMAN, /* gives capabilities to other uids than 0 as well */
	PLACE_CONTAINER
};

/* Docker and podman leave a file in the root.  Other containers are known by our
 * being process 1, or by a root without any init.  Those that are like machines
 * (LXC, nspawn) are called machines: docker's remedy is none for them.  The
 * terminals of a desktop inherit the environment of a unit; so a stderr that is a
 * terminal is no unit's. */
static enum place
where(void)
{
	if (getenv("KUBERNETES_SERVICE_HOST") != NULL)
		return PLACE_KUBERNETES;
	if (access("/run/.containerenv", F_OK) == 0)
		return PLACE_PODMAN;
	if (access("/.dockerenv", F_OK) == 0 || getpid() == 1 ||
	    (access("/sbin/init", F_OK) < 0 &&
		access("/run/systemd/system", F_OK) < 0))
		return PLACE_CONTAINER;
	if (getenv("INVOCATION_ID") != NULL && !isatty(STDERR_FILENO))
		return PLACE_UNIT;
	return PLACE_MACHINE;
}

/* What gives the capability where not even root could have it. */
static const char *
remedy_of_bounds(enum place place, bool root)
{
	switch (place) {
	case PLACE_KUBERNETES:
		return root ?
		    "add SYS_TIME to securityContext.capabilities.add" :
		    "add SYS_TIME to securityContext.capabilities.add and run as uid 0";
	case PLACE_PODMAN: return "run the container with --cap-add SYS_TIME";
	case PLACE_CONTAINER:
		return root ?
		    "run the container with --cap-add SYS_TIME" :
		    "run the container with --cap-add SYS_TIME and as uid 0";
	case PLACE_UNIT:
		return root ?
		    "add CAP_SYS_TIME to the unit's CapabilityBoundingSet=, without ProtectClock=" :
		    "add CAP_SYS_TIME to the unit's CapabilityBoundingSet= and AmbientCapabilities=";
	default:
		return root ?
		    "root has no CAP_SYS_TIME here: start ntpd from where it has" :
		    "run as root or with CAP_SYS_TIME";
	}
}

/* What gives the capability to a process that lacks it although root could have
 * it; NULL: only another uid does. */
static const char *
remedy_of_uid(enum place place, bool root)
{
	if (root)
		return "CAP_SYS_TIME was dropped before the start: keep it";
	if (place == PLACE_MACHINE)
		return "run as root or with CAP_SYS_TIME";
	if (place == PLACE_UNIT)
		return "add AmbientCapabilities=CAP_SYS_TIME to the unit";
	return NULL;
}

static bool
may_set_time(void)
{
	struct __user_cap_data_struct data[2];

	return get(data) && (data[0].effective & 1u << CAP_SYS_TIME) != 0;
}

/* Could root hold it here (the bounding set)? */
static bool
could_set_time(void)
{
	return prctl(PR_CAPBSET_READ, CAP_SYS_TIME, 0, 0, 0) == 1;
}

void
sandbox_remedy(char *text, size_t size)
{
	enum user_namespace users = user_namespace();
	enum place place = where();
	bool may = may_set_time(), root = geteuid() == 0;
	const char *what;

	if (users == NAMESPACE_MAPPED || (may && users == NAMESPACE_OTHER))
		what = place == PLACE_KUBERNETES ?
		    "a user namespace (hostUsers: false) cannot set the clock: leave hostUsers unset" :
		    "a user namespace (rootless) cannot set the clock: run it in the host's";
	else if (may)
		what = place == PLACE_UNIT ?
		    "CAP_SYS_TIME is there, so the unit forbids adjtimex: allow @clock in SystemCallFilter=" :
		    "CAP_SYS_TIME is there, so a seccomp profile forbids adjtimex: allow it";
	else if (!could_set_time())
		what = remedy_of_bounds(place, root);
	else
		what = remedy_of_uid(place, root);
	if (what != NULL)
		(void)snprintf(text, size, "%s", what);
	else
		(void)snprintf(text, size,
		    "uid %u gets no capability from this runtime: run as uid 0",
		    geteuid());
}
