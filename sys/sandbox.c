/*
 * sandbox.c - what each role may still do: the daemon and its children.
 *
 * Four fences, each of which holds where the others are missing: capabilities
 * (rights.c), files and ports (landlock.c), system calls (seccomp.c), and, for
 * children, resource limits.
 */
#include <link.h>
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/nts.h"
#include "sys/file.h"
#include "sys/keys.h"
#include "sys/landlock.h"
#include "sys/rights.h"
#include "sys/sandbox.h"
#include "sys/state.h"

enum {
	DNS_PORT = 53 /* by TCP, for long answers (RFC 7766) */
};

extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* Only the daemon needs its priority, to keep the time.  The kernel takes it
 * from children when they begin, so that none has to be allowed the call.  If
 * somebody has made the daemon nice, its children stay as nice. */
static void
keep_priority(void)
{
	struct sched_param same;
	long policy = syscall(SYS_sched_getscheduler, 0);

	if (policy >= 0 && syscall(SYS_sched_getparam, 0, &same) == 0)
		(void)syscall(SYS_sched_setscheduler, 0,
		    policy | SCHED_RESET_ON_FORK, &same);
}

/* In a dynamic program the loader makes relocated constants read-only
 * (PT_GNU_RELRO); a static one has none. */
static void
seal_constants(void)
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
sandbox_start(void)
{
	seal_constants();
	keep_priority();
}

/* What a child can use at most.  A question takes 20 to 100 ms of processor
 * time, and ten times that on a slow machine; a hostile server must not be able
 * to take more.  A child has its pipe, a file and some sockets open; a lookup
 * needs 102 sockets if it asks three silent servers for 17 candidates of a
 * name.  It writes no file and starts no process (root's processes are not
 * limited here, but by seccomp).  In a daemon of 4000 servers a child has 14 MB. */
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
}

/* ----------------------------------------------------------- the daemon */

/* Directories that the whole system uses: a file that is made there, or is
 * missing there, changes other programs.  Two NUL bytes end such a list. */
static const char theirs[] = "/\0/etc\0/run\0/usr\0/usr/lib\0/usr/bin\0/var\0"
			     "/var/lib\0/root\0/home\0/dev\0/tmp\0/boot\0";
/* Where the links of resolv.conf lead to, also when one is made later. */
static const char resolvers[] = "/run/systemd/resolve\0/run/NetworkManager\0"
				"/run/resolvconf\0/run/connman\0/run/netconfig\0";

/* Is this one of a list of directories, by whatever name? */
static bool
is_among(const char *place, const char *list)
{
	struct stat a, b;

	if (stat(place, &a) < 0)
		return false;
	for (; *list != '\0'; list += strlen(list) + 1)
		if (stat(list, &b) == 0 && a.st_dev == b.st_dev &&
		    a.st_ino == b.st_ino)
			return true;
	return false;
}

/* Make of a path that of its directory. */
static void
cut(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash == NULL)
		(void)strcpy(path, ".");
	else
		slash[slash == path] = '\0';
}

static bool
differ(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a != b : strcmp(a, b) != 0;
}

/* Let a file be read, now and when another one has taken its place: it, and what
 * is below its directory unless that is the root directory.  If the directory is
 * missing, because the system is still starting, what is below the one above it.
 * The file may be a link, as resolv.conf often is: then the same where it leads
 * to. */
static void
may_read(struct landlock *l, const char *path)
{
	char at[PATH_MAX], place[PATH_MAX];
	bool more = path != NULL && *path != '\0' &&
	    snprintf(at, sizeof at, "%s", path) < (int)sizeof at;

	for (int i = 0; i < FILE_LINKS && more; i++) {
		bool missing;

		landlock_path(l, at, LANDLOCK_READ_FILE);
		cut(strcpy(place, at));
		missing = access(place, F_OK) < 0;
		if (missing)
			cut(place);
		if (!is_among(place, missing ? theirs : "/\0"))
			landlock_path(l, place, LANDLOCK_READ_BELOW);
		more = file_follow(at);
	}
}

/* Let files be made or removed beside this one.  False in a directory that the
 * whole system uses: whoever may change one file there may change all. */
static bool
may_change(struct landlock *l, const char *path, enum landlock_access access)
{
	char at[PATH_MAX];

	if (path == NULL || strlen(path) >= sizeof at)
		return false;
	cut(strcpy(at, path));
	if (is_among(at, theirs))
		return false;
	landlock_path(l, at, access);
	return true;
}

static void
restrict_files(struct landlock *l, const struct conf *conf,
    const struct sandbox_files *files)
{
	const char *r;

#ifdef __SANITIZE_ADDRESS__ /* leaks are looked for in /proc at the end */
	landlock_path(l, "/proc", LANDLOCK_LIST_BELOW);
#endif
	may_read(l, files->conf);
	for (int i = 0; i <= conf->servers + conf->keys; i++)
		may_read(l, keys_beside(conf, i));
	may_read(l, secure_getenv("SSL_CERT_FILE"));
	may_read(l, "/etc/resolv.conf");
	may_read(l, "/etc/hosts");
	for (r = resolvers; *r != '\0'; r += strlen(r) + 1)
		landlock_path(l, r, LANDLOCK_READ_BELOW);
	if (!may_change(l, files->drift, LANDLOCK_STATE)) /* it alone */
		landlock_path(l, files->drift, LANDLOCK_WRITE_FILE);
	(void)may_change(l, files->pid, LANDLOCK_REMOVE);
	(void)may_change(l, files->control, LANDLOCK_REMOVE);
}

/* A port below 1024 may be bound later, when its address comes. */
static bool
needs_low_port(const struct conf *conf)
{
	for (int i = 0; i < conf->metricses; i++)
		if (conf->metrics[i].port < IPPORT_RESERVED)
			return true;
	return conf->listens > 0;
}

/* May a program without capabilities bind ports below 1024, as in the containers
 * of many engines? */
static bool
are_low_ports_free(void)
{
	char text[16];

	return file_text("/proc/sys/net/ipv4/ip_unprivileged_port_start", text,
		   sizeof text) == 0 && strcmp(text, "0\n") == 0;
}

void
sandbox_daemon(const struct conf *conf, const struct sandbox_files *files,
    struct sandbox *reached)
{
	const char *notify = secure_getenv("NOTIFY_SOCKET");
	struct landlock *l = &reached->rules;

	reached->low = needs_low_port(conf) || are_low_ports_free();
	reached->caps = rights_drop(needs_low_port(conf));
#ifndef __SANITIZE_ADDRESS__ /* it traces itself, to find leaks */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
	if (landlock_begin(l, notify != NULL && *notify == '@' ?
			LANDLOCK_ABSTRACT_ALLOWED :
			LANDLOCK_ABSTRACT_REFUSED)) {
		restrict_files(l, conf, files);
		landlock_port(l, DNS_PORT, LANDLOCK_CONNECT);
		for (int i = 0; i < conf->constraints; i++)
			landlock_port(l, conf->constraint[i].port,
			    LANDLOCK_CONNECT);
		/* The usual port is free, so that "nts" may come later. */
		landlock_port(l, NTS_PORT, LANDLOCK_CONNECT);
		for (int i = 0; i < conf->servers; i++)
			if (conf->server[i].nts)
				landlock_port(l, conf->server[i].nts_port,
				    LANDLOCK_CONNECT);
		for (int i = 0; i < conf->metricses; i++)
			landlock_port(
			    l, conf->metrics[i].port, LANDLOCK_BIND);
		reached->landlock = landlock_end(l);
	}
	reached->seccomp = seccomp_install(SECCOMP_DAEMON);
}

/* ------------------------------------------------ what it permits later on */

static bool
may_reach_port(const struct sandbox *s, uint16_t port, enum landlock_door door)
{
	return (door == LANDLOCK_CONNECT || port >= IPPORT_RESERVED ||
		   s->low) &&
	    (s->landlock == 0 || landlock_allows_port(&s->rules, port, door));
}

static bool
may_reach_file(
    const struct sandbox *s, const char *path, enum landlock_access access)
{
	return s->landlock == 0 || landlock_allows(&s->rules, path, access);
}

/* Has a device been opened at the start, since a line in force names it, or
 * names all? */
static bool
is_open(const struct conf *now, const char *device)
{
	for (int i = 0; i < now->sensors; i++)
		if (*now->sensor[i].device == '*' ||
		    strcmp(now->sensor[i].device, device) == 0)
			return true;
	for (int i = 0; i < now->constraints; i++)
		if (now->constraint[i].sensor &&
		    strcmp(now->constraint[i].host, device) == 0)
			return true;
	return false;
}

unsigned
sandbox_later(
    const struct sandbox *s, const struct conf *now, const struct conf *next)
{
	unsigned later = 0;

	if (differ(now->user, next->user))
		later |= CONF_USER;
	if (now->strict != next->strict)
		later |= CONF_STRICT;
	if (differ(drift_path(now), drift_path(next)) &&
	    !may_reach_file(s, drift_path(next), LANDLOCK_WRITE_FILE))
		later |= CONF_DRIFTFILE;
	if (differ(now->clockbound, next->clockbound))
		later |= CONF_CLOCKBOUND;
	if (next->cafile != NULL && differ(now->cafile, next->cafile) &&
	    !may_reach_file(s, next->cafile, LANDLOCK_READ_FILE))
		later |= CONF_CAFILE;
	for (int i = 0; i < next->constraints; i++)
		if (next->constraint[i].sensor ?
			    !is_open(now, next->constraint[i].host) :
			    !may_reach_port(s, next->constraint[i].port,
				LANDLOCK_CONNECT))
			later |= CONF_CONSTRAINTS;
	for (int i = 0; i < next->servers; i++)
		if (next->server[i].nts &&
		    !may_reach_port(s, next->server[i].nts_port,
			LANDLOCK_CONNECT))
			later |= CONF_NTS_PORT;
	for (int i = 0; i < next->metricses; i++)
		if (!may_reach_port(s, next->metrics[i].port, LANDLOCK_BIND))
			later |= CONF_METRICS;
	if (next->listens > 0 && !s->low)
		later |= CONF_LISTEN;
	for (int i = 0; i < next->sensors; i++)
		if (!is_open(now, next->sensor[i].device))
			later |= CONF_SENSORS;
	return later;
}

void
sandbox_child(enum seccomp_role role, uint16_t port)
{
	struct landlock l;

	limit_child();
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	rights_drop_all();
	if (landlock_begin(&l, LANDLOCK_ABSTRACT_REFUSED)) {
		if (role == SECCOMP_DNS) {
			landlock_path(&l, "/etc/hosts", LANDLOCK_READ_FILE);
			landlock_path(
			    &l, "/etc/resolv.conf", LANDLOCK_READ_FILE);
		}
		landlock_port(&l, role == SECCOMP_DNS ? DNS_PORT : port,
		    LANDLOCK_CONNECT);
		(void)landlock_end(&l);
	}
	(void)seccomp_install(role);
}

void
sandbox_text(const struct sandbox *s, char text[static SANDBOX_TEXT])
{
	int n = snprintf(text, SANDBOX_TEXT, "%s%s", s->caps ? "caps " : "",
	    s->seccomp ? "seccomp " : "");

	if (s->landlock > 0)
		(void)snprintf(text + n, SANDBOX_TEXT - (size_t)n,
		    "landlock %d", s->landlock);
	else if (n > 0)
		text[n - 1] = '\0';
	else
		(void)strcpy(text, "none");
}
