/*
 * sandbox.h - what each role may still do.
 *
 * Whoever takes over the daemon or a child by what the network sends finds
 * there: no capability but the clock's, no file but the few it needs, no other
 * program, no other kind of socket.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "core/conf.h"
#include "sys/landlock.h"
#include "sys/seccomp.h"

#include <stdbool.h>
#include <stddef.h>

/* What was reached.  An old kernel, or whoever started us, may refuse some. */
struct sandbox {
	bool caps;    /* no capability but those needed, and none to gain */
	bool seccomp; /* the filter of system calls is on */
	int landlock; /* the ABI of its rules, or 0 */
	bool low;     /* ports below 1024 may still be bound */
	struct landlock rules; /* in force if landlock is not 0 */
};

/* Files that the daemon uses later; NULL: there is none. */
struct sandbox_files {
	const char *conf;    /* it may be read again later */
	const char *drift;   /* it is written from time to time; not NULL */
	const char *pid;     /* it is removed at the end */
	const char *control; /* likewise */
};

enum { SANDBOX_TEXT = 40 }; /* bytes of what sandbox_text writes */

/* At the start: make relocated constants read-only, and let children begin
 * without this process's priority. */
void sandbox_start(void);

/* For the daemon, once its files and sockets are open: give up what it does not
 * need any more.  Children inherit this. */
void sandbox_daemon(
    const struct conf *, const struct sandbox_files *, struct sandbox *);

/* The configuration in force is to become another one.  Which of the parts (enum
 * conf_part) that differ does the sandbox not permit any more, or are only used
 * at the start? */
unsigned sandbox_later(
    const struct sandbox *, const struct conf *now, const struct conf *next);

/* For a child, which has closed its descriptors: no capability, only the files
 * and calls of its role, and small limits.  A child that speaks TLS connects to
 * this port alone, by TCP.  A child has 3 s of processor time, 64 MB and few
 * descriptors, and it can write no file, start no process and leave no core. */
void sandbox_child(enum seccomp_role, uint16_t port);

/* What was reached in words: "caps seccomp landlock 6"; "none". */
void sandbox_text(const struct sandbox *, char text[static SANDBOX_TEXT]);

#endif
