/*
 * calls.h - what each role is expected to be allowed.
 */
#ifndef CALLS_H
#define CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "sys/seccomp.h"

enum { ARGS = 6, GOOD_MOST = 24 };

/* A call that is allowed to the roles of a mask (1 << role), whatever its
 * arguments are; or, with "may", only with some arguments.  Those with which the
 * program calls it stand in "good" for every role that has them. */
struct call {
	const char *name;
	unsigned number, roles;
	bool (*may)(enum seccomp_role, const uint32_t a[ARGS]);
	struct good {
		unsigned roles;
		uint32_t a[ARGS];
	} good[GOOD_MOST];
};

/* The lists of this machine's architecture and of arm64; they end with a call
 * that has no name. */
extern const struct call here_calls[], arm64_calls[];

#endif
