/*
 * landlock.c - which files, TCP ports and processes a process can still reach.
 *
 * It uses the plain system calls of landlock(7).  All that the kernel's ABI can
 * refuse is refused, and rules then allow single paths and ports.  A kernel
 * that knows less refuses less; nothing else depends on it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/file.h"
#include "sys/landlock.h"

/* Linux 5.13, the same numbers on every architecture. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

/* These are the numbers of linux/landlock.h, whose own names depend on the age
 * of that file. */
enum { ASK_VERSION = 1 };	       /* LANDLOCK_CREATE_RULESET_VERSION */
enum { RULE_PATH = 1, RULE_PORT = 2 }; /* enum landlock_rule_type */
enum {
	/* LANDLOCK_ACCESS_FS_...: bits 0 to 12 are of ABI 1.  They are also
	 * execute, remove_dir, and make_ char, dir, sock, fifo, block and sym,
	 * which no rule gives. */
	FS_FIRST = (1 << 13) - 1,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_REG = 1 << 8,
	FS_REFER = 1 << 13,	/* ABI 2; refused without it as well */
	FS_TRUNCATE = 1 << 14,	/* ABI 3 */
	FS_IOCTL_DEV = 1 << 15, /* ABI 5 */
	/* LANDLOCK_ACCESS_NET_..., ABI 4 */
	NET_BIND_TCP = 1 << 0,
	NET_CONNECT_TCP = 1 << 1,
	/* LANDLOCK_SCOPE_..., ABI 6 */
	SCOPE_ABSTRACT = 1 << 0,
	SCOPE_SIGNAL = 1 << 1
};

/* To rename a file within its directory takes no right to refer. */
static const struct {
	uint16_t rights;
	bool directory;
} rules[] = {
	[LANDLOCK_READ_FILE] = { FS_READ_FILE, false },
	[LANDLOCK_WRITE_FILE] = { FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE,
	    false },
	[LANDLOCK_READ_BELOW] = { FS_READ_FILE, true },
	[LANDLOCK_LIST_BELOW] = { FS_READ_FILE | FS_READ_DIR, true },
	[LANDLOCK_STATE] = { FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE |
		FS_MAKE_REG | FS_REMOVE_FILE,
	    true },
	[LANDLOCK_REMOVE] = { FS_REMOVE_FILE, true },
};

struct landlock_handled
landlock_handled(int abi, enum landlock_abstract abstract)
{
	struct landlock_handled h = { .files = abi >= 1 ? FS_FIRST : 0 };

	if (abi >= 2)
		h.files |= FS_REFER;
	if (abi >= 3)
		h.files |= FS_TRUNCATE;
	if (abi >= 4)
		h.ports = NET_BIND_TCP | NET_CONNECT_TCP;
	if (abi >= 5)
		h.files |= FS_IOCTL_DEV;
	if (abi >= 6)
		h.scopes = abstract == LANDLOCK_ABSTRACT_REFUSED ?
		    SCOPE_SIGNAL | SCOPE_ABSTRACT :
		    SCOPE_SIGNAL;
	return h;
}

uint64_t
landlock_rights(int abi, enum landlock_access access, bool directory)
{
	if (rules[access].directory != directory)
		return 0;
	return rules[access].rights &
	    landlock_handled(abi, LANDLOCK_ABSTRACT_REFUSED).files;
}

bool
landlock_begin(struct landlock *l, enum landlock_abstract abstract)
{
	struct landlock_handled h;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_VERSION);

	l->fd = -1;
	l->rules = l->ports = 0;
	l->abi = abi < LANDLOCK_KNOWN ? (int)abi : LANDLOCK_KNOWN;
	if (abi < 1)
		return false;
	/* An older kernel has a shorter struct, and takes a longer one if the
	 * rest is zero. */
	h = landlock_handled(l->abi, abstract);
	l->fd = (int)syscall(SYS_landlock_create_ruleset, &h, sizeof h, 0);
	return l->fd >= 0;
}

void
landlock_path(struct landlock *l, const char *path, enum landlock_access access)
{
	struct __attribute__((packed)) {
		uint64_t rights;
		int32_t parent;
	} rule = { .parent = open(path, O_PATH | O_CLOEXEC) };
	struct stat st;

	if (rule.parent < 0)
		return;
	if (fstat(rule.parent, &st) == 0)
		rule.rights =
		    landlock_rights(l->abi, access, S_ISDIR(st.st_mode));
	/* If it is refused, the path cannot be reached. */
	if (rule.rights != 0 && syscall(SYS_landlock_add_rule, l->fd, RULE_PATH,
				    &rule, 0) == 0 &&
	    l->rules < LANDLOCK_RULES)
		l->rule[l->rules++] = (struct landlock_rule){ st.st_dev,
			st.st_ino, rule.rights };
	(void)close(rule.parent);
}

bool
landlock_allows_port(
    const struct landlock *l, uint16_t port, enum landlock_door door)
{
	for (int i = 0; i < l->ports; i++)
		if (l->port[i] == (port | (uint32_t)door << 16))
			return true;
	return l->abi < 4;
}

void
landlock_port(struct landlock *l, uint16_t port, enum landlock_door door)
{
	const struct {
		uint64_t rights, port;
	} rule = { door == LANDLOCK_BIND ? NET_BIND_TCP : NET_CONNECT_TCP,
		port };

	if (!landlock_allows_port(l, port, door) &&
	    syscall(SYS_landlock_add_rule, l->fd, RULE_PORT, &rule, 0) == 0 &&
	    l->ports < LANDLOCK_PORTS)
		l->port[l->ports++] = port | (uint32_t)door << 16;
}

/* The directory that holds the path, or the one above a directory.  False if
 * that does not fit. */
static bool
above(char path[static PATH_MAX], bool file)
{
	char *slash = strrchr(path, '/');
	size_t n = strlen(path);

	if (file && slash != NULL)
		slash[1] = '\0';
	else if (file)
		strcpy(path, ".");
	else if (n + 4 <= PATH_MAX)
		strcpy(path + n, "/..");
	return file || n + 4 <= PATH_MAX;
}

bool
landlock_allows(
    const struct landlock *l, const char *path, enum landlock_access access)
{
	const uint64_t want = rules[access].rights &
	    landlock_handled(l->abi, LANDLOCK_ABSTRACT_REFUSED).files;
	struct file_mark here, last = { 0 };
	bool file = !rules[access].directory;
	char at[PATH_MAX];

	if (snprintf(at, sizeof at, "%s", path) >= (int)sizeof at)
		return false;
	/* The root directory is above itself. */
	for (;; last = here, file = false) {
		file_mark(at, &here);
		if (here.error == 0 && file_same(&here, &last))
			return false;
		for (int i = 0; i < l->rules && here.error == 0; i++)
			if (l->rule[i].device == here.device &&
			    l->rule[i].inode == here.inode &&
			    (l->rule[i].rights & want) == want)
				return true;
		if ((here.error != 0 && !file) || !above(at, file))
			return false;
	}
}

int
landlock_end(struct landlock *l)
{
	bool done = syscall(SYS_landlock_restrict_self, l->fd, 0) == 0;
	int error = errno;

	(void)close(l->fd);
	l->fd = -1;
	errno = error;
	return done ? l->abi : 0;
}
