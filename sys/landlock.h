/*
 * landlock.h - which files, TCP ports and processes a process can still reach,
 * as far as the kernel's Landlock knows them (landlock(7)).
 *
 * Rules only name what stays allowed, and hold for all that the process starts.
 * A second set, as a child has it, can only take away more.  What is open
 * already stays usable.
 */
#ifndef LANDLOCK_H
#define LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* The highest ABI whose rights this room knows.  ABI 7 has only switches for
 * the audit log beside them. */
enum { LANDLOCK_KNOWN = 6 };

/* What a rule allows.  The first two are for a path that is no directory, the
 * others for a directory. */
enum landlock_access {
	LANDLOCK_READ_FILE,  /* to read it */
	LANDLOCK_WRITE_FILE, /* to read, write and empty it, not to create it */
	LANDLOCK_READ_BELOW, /* to read all files below */
	LANDLOCK_LIST_BELOW, /* to read and list all below; sanitizers need that
				of /proc */
	LANDLOCK_STATE,	     /* to read, write, create, rename and remove files
				below */
	LANDLOCK_REMOVE	     /* to remove files and sockets below */
};

enum landlock_door { LANDLOCK_BIND, LANDLOCK_CONNECT };

/* Sockets of the abstract namespace that others have made, from ABI 6 on.  They
 * are needed where NOTIFY_SOCKET begins with "@". */
enum landlock_abstract { LANDLOCK_ABSTRACT_REFUSED, LANDLOCK_ABSTRACT_ALLOWED };

enum { LANDLOCK_RULES = 48, LANDLOCK_PORTS = 160 };

/* A set of rules that is being made, and afterwards what it allows.  A rule
 * beyond the table's end is in force, but not remembered. */
struct landlock {
	int fd;
	int abi; /* of the kernel, LANDLOCK_KNOWN at most */
	struct landlock_rule {
		uint64_t device, inode, rights;
	} rule[LANDLOCK_RULES];
	uint32_t port[LANDLOCK_PORTS]; /* with the door above its 16 bits */
	int rules, ports;
};

/* What a set of rules refuses unless a rule allows it, with the kernel's bits:
 * its struct landlock_ruleset_attr. */
struct landlock_handled {
	uint64_t files, ports, scopes;
};

/* Pure: what is refused with this ABI, and the rights that a rule can give
 * there to a path (0: none, because the kind of path is wrong). */
struct landlock_handled landlock_handled(int abi, enum landlock_abstract);
uint64_t landlock_rights(int abi, enum landlock_access, bool directory);

/* Begin a set of rules, by which all is refused.  False with errno: the kernel
 * has no Landlock, or it is switched off or refused by a seccomp filter. */
bool landlock_begin(struct landlock *, enum landlock_abstract);

/* Allow access to what the path leads to now; links are followed.  There is no
 * rule if nothing is there, or if it is of the wrong kind.  A rule of a file
 * ends when another file is renamed over it; one of a directory also holds for
 * files that come later, and for what is mounted on them. */
void landlock_path(struct landlock *, const char *path, enum landlock_access);

/* Allow a TCP port, from ABI 4 on.  Before, all are. */
void landlock_port(struct landlock *, uint16_t port, enum landlock_door);

/* Do the rules of this set allow it?  For LANDLOCK_STATE the path is that of a
 * directory.  A path on which there are links may be refused though its file may
 * be reached. */
bool landlock_allows(const struct landlock *, const char *path,
    enum landlock_access);
bool landlock_allows_port(
    const struct landlock *, uint16_t port, enum landlock_door);

/* Put the rules in force, for ever.  The caller has set no_new_privs.  The ABI
 * whose rights are in force, or 0 with errno if the kernel refuses. */
int landlock_end(struct landlock *);

#endif
