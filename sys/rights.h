/*
 * rights.h - what this process may do, and what would let it set the clock.
 */
#ifndef RIGHTS_H
#define RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum clock_permission {
	CLOCK_MAY,    /* a write succeeded */
	CLOCK_DENIED, /* EPERM, ENOSYS ... */
	CLOCK_MEASURE, /* -x: not asked for */
	CLOCK_YIELDED /* it may be, but another program does */
};

/* In a user namespace other than the first one nobody can set the clock,
 * whatever the capabilities say (user_namespaces(7)). */
enum rights_users {
	USERS_FIRST,
	USERS_OTHER, /* another one, with the same ids */
	USERS_MAPPED /* root is somebody else outside: rootless containers,
			and pods with hostUsers: false */
};

/* Where we run, as far as can be found out. */
enum rights_place {
	PLACE_MACHINE, /* or a container that is like one (LXC, nspawn) */
	PLACE_UNIT,    /* a service of systemd on a machine */
	PLACE_KUBERNETES,
	PLACE_PODMAN, /* it gives capabilities also to other uids than 0 */
	PLACE_CONTAINER
};

/* What rights_look has seen. */
struct rights {
	uid_t uid;
	bool may;      /* CAP_SYS_TIME is effective */
	bool could;    /* it is in the bounding set, so root could have it */
	bool filtered; /* a seccomp filter was on before the program's own */
	bool barred;   /* the program's file has it, but no_new_privs was on */
	enum rights_users users;
	enum rights_place place;
};

/* Look once, at the start.  A capability that the program needs and that is
 * only permitted, as by a file capability "+p", becomes effective.  This opens
 * files, which later the sandbox forbids. */
void rights_look(struct rights *);

/* The clock could not be set: write in one line, of at most 128 bytes, what
 * would give this process the right in the place where it runs. */
void rights_remedy(const struct rights *, char *text, size_t size);

/* The ids of "user NAME|UID".  A number needs no entry in /etc/passwd; without
 * one the group has the same number.  False: there is no such name. */
bool rights_ids(const char *user, uid_t *uid, gid_t *gid);

/* Become this user and keep the capabilities that were permitted.  False with
 * errno. */
bool rights_become(uid_t, gid_t);

/* Give up all capabilities but CAP_SYS_TIME, and CAP_NET_BIND_SERVICE if ports
 * below 1024 are served, in all sets and for ever (capabilities(7)).  True if
 * no other is left. */
bool rights_drop(bool serves);

/* Give up all capabilities, in a child. */
void rights_drop_all(void);

#endif
