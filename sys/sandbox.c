/*
 * sandbox.c - what each role may still do: the daemon and its children.
 *
 * It uses the plain system calls of capabilities(7).  The program may run as
 * any uid, with the rights that the container runtime has left it.  If these do
 * not suffice to set the clock, this room finds out what would.
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

static struct __user_cap_header_struct header = {
	.version = _LINUX_CAPABILITY_VERSION_3,
};

static bool
get(struct __user_cap_data_struct data[2])
{
	return syscall(SYS_capget, &header, data) == 0;
}

static bool
set(const struct __user_cap_data_struct data[2])
{
	return syscall(SYS_capset, &header, data) == 0;
}

extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* Make relocated constants read-only (PT_GNU_RELRO).  In a dynamic program the
 * loader does that; a static one has none. */
static void
protect_relocated(void)
{
	uintptr_t base = (uintptr_t)&__ehdr_start, page, from, to;
	const ElfW(Phdr) *p = (const void *)(base + __ehdr_start.e_phoff);

	if (__ehdr_start.e_type != ET_DYN) /* no offsets, but addresses */
		return;
	page = (uintptr_t)getpagesize();
	for (int i = 0; i < __ehdr_start.e_phnum; i++) {
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
	/* A file capability "+p" is only permitted to a uid other than 0.  The
	 * program must make it effective.  If that fails, the first write to
	 * the clock will show it. */
	if (get(data) &&
	    (data[0].permitted & wanted & ~data[0].effective) != 0) {
		data[0].effective |= data[0].permitted & wanted;
		(void)set(data);
	}
	/* Nothing that we start needs more rights than we have. */
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* What a child can use at most.  A question takes 20 to 100 ms of processor
 * time, and ten times that on a slow machine; a hostile server must not be able
 * to take more.  A child has its pipe, a file and some sockets open; a lookup
 * needs 102 sockets if it asks three silent servers for 17 candidates of a
 * name.  It writes no file and starts no process (but the kernel does not limit
 * the processes of root).  In a daemon of 4000 servers a child has 14 MB. */
static const struct limit {
	int which;
	struct rlimit value; /* soft and hard */
} child_limits[] = {
	{ RLIMIT_CPU, { 3, 4 } }, /* s until SIGXCPU, and until SIGKILL */
	{ RLIMIT_NOFILE, { 112, 112 } },
	{ RLIMIT_FSIZE, { 0, 0 } },
	{ RLIMIT_NPROC, { 0, 0 } },
	{ RLIMIT_CORE, { 0, 0 } },
#ifndef __SANITIZE_ADDRESS__ /* ASan maps terabytes */
	{ RLIMIT_AS, { 64 << 20, 64 << 20 } },
#endif
};

static void
limit_child(void)
{
	const size_t n = sizeof child_limits / sizeof *child_limits;

	/* One is refused only where the limit is lower already. */
	for (size_t i = 0; i < n; i++)
		(void)setrlimit(child_limits[i].which, &child_limits[i].value);
	/* Only the daemon needs its priority of -20, to keep the time.  If
	 * somebody has made it nice, its children stay as nice. */
	if (getpriority(PRIO_PROCESS, 0) < 0)
		(void)setpriority(PRIO_PROCESS, 0, 0);
}

void
sandbox_child(void)
{
	const struct __user_cap_data_struct none[2] = { { 0 } };

	limit_child();
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)set(none);
}

/* ----------------------------------------------------------- the remedy */

/* In a user namespace other than the first one nobody can set the clock,
 * whatever the capabilities say (user_namespaces(7)). */
enum user_namespace {
	NAMESPACE_FIRST,
	NAMESPACE_OTHER, /* another one, with the same ids */
	NAMESPACE_MAPPED /* root is somebody else outside: rootless containers,
			    and pods with hostUsers: false */
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

/* Where we run, as far as can be found out. */
enum place {
	PLACE_MACHINE,
	PLACE_UNIT, /* a service of systemd on a machine */
	PLACE_KUBERNETES,
	PLACE_PODMAN, /* it gives capabilities also to other uids than 0 */
	PLACE_CONTAINER
};

/* Docker and podman leave a file in the root.  In other containers we are
 * process 1, or there is no init.  Containers that are like machines (LXC,
 * nspawn) count as machines, since docker's remedy would not help there.  The
 * terminals of a desktop inherit the environment of a unit, so in a unit
 * standard error is no terminal. */
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

/* What gives the capability to a process in a place where not even root has
 * it. */
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

/* What gives the capability to a process in a place where root could have it.
 * NULL: nothing but another uid. */
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

void
sandbox_remedy(char *text, size_t size)
{
	enum user_namespace users = user_namespace();
	enum place place = where();
	struct __user_cap_data_struct data[2];
	bool root = geteuid() == 0, may = get(data) &&
	    (data[0].effective & 1u << CAP_SYS_TIME) != 0;
	const char *what;

	if (users == NAMESPACE_MAPPED || (may && users == NAMESPACE_OTHER))
		what = place == PLACE_KUBERNETES ?
		    "a user namespace (hostUsers: false) cannot set the clock: leave hostUsers unset" :
		    "a user namespace (rootless) cannot set the clock: run it in the host's";
	else if (may)
		what = place == PLACE_UNIT ?
		    "CAP_SYS_TIME is there, so the unit forbids adjtimex: allow @clock in SystemCallFilter=" :
		    "CAP_SYS_TIME is there, so a seccomp profile forbids adjtimex: allow it";
	else if (prctl(PR_CAPBSET_READ, CAP_SYS_TIME, 0, 0, 0) != 1)
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
