/*
 * rights.c - what this process may do, and what would let it set the clock.
 *
 * It uses the plain system calls of capabilities(7).  The program may run as
 * any uid, with the rights that the container runtime has left it.  If these do
 * not suffice to set the clock, this room finds out what would.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sys/file.h"
#include "sys/rights.h"

/* The C library's calls change all threads, of which there is one here; that
 * would be 2 KB.  On armv7 the plain names belong to ids of 16 bits. */
#ifdef SYS_setresuid32
#undef SYS_setgroups
#undef SYS_setresgid
#undef SYS_setresuid
#define SYS_setgroups SYS_setgroups32
#define SYS_setresgid SYS_setresgid32
#define SYS_setresuid SYS_setresuid32
#endif

#define SYS_TIME (1u << CAP_SYS_TIME)
#define BIND (1u << CAP_NET_BIND_SERVICE)
/* The inodes of the machine's own namespaces are the same in every kernel
 * (PROC_PID_INIT_INO, PROC_UTS_INIT_INO). */
#define MACHINE_PIDS "pid:[4026531836]"
#define MACHINE_NAMES "uts:[4026531838]"

enum {
	CAPABILITIES = 64,    /* that two words can hold */
	PASSWD_MOST = 1 << 20 /* bytes */
};

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

/* ----------------------------------------------------------- what there is */

static enum rights_users
users(void)
{
	char map[64];
	unsigned long inside, outside, count;
	char *p = map;

	if (file_text("/proc/self/uid_map", map, sizeof map) < 0)
		return USERS_FIRST;
	inside = strtoul(p, &p, 10);
	outside = strtoul(p, &p, 10);
	count = strtoul(p, &p, 10);
	if (inside != outside || count == 0)
		return USERS_MAPPED;
	return inside != 0 || count < 4294967295UL ? USERS_OTHER : USERS_FIRST;
}

static bool
leads_to(const char *link, const char *want)
{
	char name[sizeof MACHINE_PIDS];

	return readlink(link, name, sizeof name) == sizeof name - 1 &&
	    memcmp(name, want, sizeof name - 1) == 0;
}

/* Are the processes and the host's name those of the machine?  No container is
 * like that, but small virtual machines are, also where ntpd is process 1, or
 * where their files were those of a container.  False if it cannot be seen. */
static bool
is_machine(void)
{
	return leads_to("/proc/self/ns/pid", MACHINE_PIDS) &&
	    leads_to("/proc/self/ns/uts", MACHINE_NAMES);
}

/* Docker and podman leave a file in the root.  In other containers we are
 * process 1, or there is no init.  Containers that are like machines (LXC,
 * nspawn) count as machines, since docker's remedy would not help there.  The
 * terminals of a desktop inherit the environment of a unit, so in a unit
 * standard error is no terminal. */
static enum rights_place
place(void)
{
	if (getenv("KUBERNETES_SERVICE_HOST") != NULL)
		return PLACE_KUBERNETES;
	if (!is_machine()) {
		if (access("/run/.containerenv", F_OK) == 0)
			return PLACE_PODMAN;
		if (access("/.dockerenv", F_OK) == 0 || getpid() == 1 ||
		    (access("/sbin/init", F_OK) < 0 &&
			access("/run/systemd/system", F_OK) < 0))
			return PLACE_CONTAINER;
	}
	if (getenv("INVOCATION_ID") != NULL && !isatty(STDERR_FILENO))
		return PLACE_UNIT;
	return PLACE_MACHINE;
}

/* Has the program's file CAP_SYS_TIME, and did the kernel not give it because
 * of no_new_privs?  (cap_from_disk: the second word is what is permitted.) */
static bool
is_barred(void)
{
	uint32_t words[6] = { 0 };

	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 &&
	    getxattr("/proc/self/exe", "security.capability", words,
		sizeof words) > 0 &&
	    (words[1] & SYS_TIME) != 0;
}

void
rights_look(struct rights *r)
{
	const uint32_t wanted = SYS_TIME | BIND;
	struct __user_cap_data_struct data[2];
	bool known = get(data);

	/* The kernel makes a file capability "+p" only permitted.  If it cannot
	 * be made effective, the first write to the clock will show it. */
	if (known && (data[0].permitted & wanted & ~data[0].effective) != 0) {
		data[0].effective |= data[0].permitted & wanted;
		(void)set(data);
		known = get(data);
	}
	r->uid = geteuid();
	r->may = known && (data[0].effective & SYS_TIME) != 0;
	r->could = prctl(PR_CAPBSET_READ, CAP_SYS_TIME, 0, 0, 0) == 1;
	r->filtered = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0;
	r->barred = is_barred();
	r->users = users();
	r->place = place();
}

/* ------------------------------------------------------------- the remedy */

/* What gives the capability to a process in a place where not even root has
 * it. */
static const char *
remedy_of_bounds(enum rights_place place, bool root)
{
	switch (place) {
	case PLACE_KUBERNETES:
		return "add SYS_TIME to securityContext.capabilities.add";
	case PLACE_PODMAN:
	case PLACE_CONTAINER:
		return "run the container with --cap-add SYS_TIME";
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
remedy_of_uid(const struct rights *r)
{
	if (r->uid == 0)
		return "CAP_SYS_TIME was dropped before the start: keep it";
	if (r->place == PLACE_UNIT)
		return "add AmbientCapabilities=CAP_SYS_TIME to the unit";
	if (r->barred && r->place == PLACE_KUBERNETES)
		return "no_new_privs bars the program's file capability: set allowPrivilegeEscalation: true, or run as uid 0";
	if (r->barred)
		return "no_new_privs bars the program's file capability: start without no-new-privileges, or as uid 0";
	if (r->place == PLACE_MACHINE)
		return "run as root or with CAP_SYS_TIME";
	return NULL;
}

/* The capability is there, and the write was refused all the same: by whom, and
 * what helps. */
static const char *
remedy_of_filter(const struct rights *r)
{
	if (!r->filtered)
		return "CAP_SYS_TIME is there, so a security module (AppArmor, SELinux) forbids adjtimex: allow it";
	return r->place == PLACE_UNIT ?
	    "CAP_SYS_TIME is there, so the unit forbids adjtimex: allow @clock in SystemCallFilter=" :
	    "CAP_SYS_TIME is there, so a seccomp profile forbids adjtimex: allow it";
}

void
rights_remedy(const struct rights *r, char *text, size_t size)
{
	const bool root = r->uid == 0;
	const char *what, *after = "";

	if (r->users == USERS_MAPPED || (r->may && r->users == USERS_OTHER))
		what = r->place == PLACE_KUBERNETES ?
		    "a user namespace (hostUsers: false) cannot set the clock: leave hostUsers unset" :
		    "a user namespace (rootless) cannot set the clock: run it in the host's";
	else if (r->may)
		what = remedy_of_filter(r);
	else if (!r->could) {
		what = remedy_of_bounds(r->place, root);
		if (!root && r->place == PLACE_KUBERNETES)
			after = " and run as uid 0";
		else if (!root && r->place == PLACE_CONTAINER)
			after = " and as uid 0"; /* podman needs no such */
	} else
		what = remedy_of_uid(r);
	if (what != NULL)
		(void)snprintf(text, size, "%s%s", what, after);
	else
		(void)snprintf(text, size,
		    "uid %u gets no capability from this runtime: run as uid 0",
		    r->uid);
}

/* -------------------------------------------------------- another user, less */

/* Digits alone, as far as 2^31: the highest ids mean "no id" (chown(2)). */
static bool
number(const char *text, unsigned long *value)
{
	char *end;

	*value = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' &&
	    *value <= 0x7fffffff;
}

/* Field i of a line of passwd(5), as a number. */
static bool
field(const char *line, int i, unsigned long *value)
{
	char *end;

	for (; i > 0; i--) {
		line += strcspn(line, ":\n");
		if (*line++ != ':')
			return false;
	}
	*value = strtoul(line, &end, 10);
	return end > line && *end == ':' && *value <= 0x7fffffff;
}

bool
rights_ids(const char *user, uid_t *uid, gid_t *gid)
{
	unsigned long want, u, g;
	bool numeric = number(user, &want), found = false;
	size_t size, n = strlen(user);
	char *text = file_read("/etc/passwd", PASSWD_MOST, NULL, &size);
	char *line = text;

	if (text != NULL)
		text[size] = '\0';
	for (; line != NULL && *line != '\0' && !found;
	     line += strcspn(line, "\n"), line += *line == '\n')
		found = field(line, 2, &u) && field(line, 3, &g) &&
		    (numeric ? u == want :
			       strcspn(line, ":\n") == n &&
				   memcmp(line, user, n) == 0);
	free(text);
	if (!found && !numeric)
		return false;
	*uid = (uid_t)(found ? u : want);
	*gid = (gid_t)(found ? g : want);
	return true;
}

bool
rights_become(uid_t uid, gid_t gid)
{
	struct __user_cap_data_struct data[2];

	if (geteuid() == uid && getuid() == uid)
		return true;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_setgroups, 0, NULL) < 0 ||
	    syscall(SYS_setresgid, gid, gid, gid) < 0 ||
	    syscall(SYS_setresuid, uid, uid, uid) < 0 || !get(data))
		return false;
	/* They are still permitted, but no longer effective. */
	data[0].effective = data[0].permitted;
	data[1].effective = data[1].permitted;
	return set(data);
}

bool
rights_drop(bool serves)
{
	const uint32_t keep = SYS_TIME | (serves ? BIND : 0);
	struct __user_cap_data_struct data[2];
	bool less;

	/* The bounding set and the bits need CAP_SETPCAP.  Where it is missing,
	 * they stay as they are.  Then too no capability comes back, since only
	 * another program could bring it, and with PR_SET_NO_NEW_PRIVS it does
	 * not. */
	for (int i = 0; i < CAPABILITIES; i++)
		if (i > 31 || (keep & 1u << i) == 0)
			(void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	(void)prctl(PR_SET_SECUREBITS,
	    SECBIT_NOROOT | SECBIT_NO_SETUID_FIXUP |
		SECBIT_NO_CAP_AMBIENT_RAISE | SECURE_ALL_LOCKS,
	    0, 0, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!get(data))
		return false;
	data[0].permitted &= keep;
	data[1].permitted = 0;
	data[0].effective = data[0].permitted;
	data[1].effective = 0;
	data[0].inheritable = data[1].inheritable = 0;
	less = set(data);
	return less && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

void
rights_drop_all(void)
{
	const struct __user_cap_data_struct none[2] = { { 0 } };

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)set(none);
}
