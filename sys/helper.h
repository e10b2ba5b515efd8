/*
 * helper.h - children, each for one question.
 */
#ifndef HELPER_H
#define HELPER_H

#include "core/instant.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { HELPERS_MAX = 16, HELPER_ANSWER = 512 };
enum helper_kind {
	HELPER_NAME,
	HELPER_CONSTRAINT_NAME,
	HELPER_LISTEN_NAME,
	HELPER_HTTPS
};

/* One question for a child: what it is about (owner is the caller's index),
 * how long it may take, and the function that answers it there.  question is
 * read after the fork, so it needs to live only until helper_start returns. */
struct helper_job {
	enum helper_kind kind;
	int owner;
	double seconds;
	void (*work)(const void *question, void *answer);
	const void *question;
	size_t size; /* of the answer, <= HELPER_ANSWER */
};

/* What became of it. */
struct helper_result {
	enum helper_kind kind;
	int owner;
	bool ok;    /* the answer is whole */
	bool late;  /* killed at its deadline */
	int signal; /* it died of this one, or 0 */
	_Alignas(16) unsigned char answer[HELPER_ANSWER];
};

struct helper {
	pid_t pid;	  /* 0: reaped already */
	int fd;		  /* 0, never ours: the slot is free */
	int status;	  /* of waitpid, once reaped */
	int64_t deadline; /* raw */
	size_t got, size;
	struct helper_result result;
};

/* All zero at first.  Leave it untouched until then: pages of bss that nobody
 * touches cost no memory (9 KB). */
struct helpers {
	struct helper slot[HELPERS_MAX];
};

/* Start a child; 0, or -1 with errno (EBUSY: all slots are taken, some of which
 * HTTPS leaves to name lookups). */
int helper_start(struct helpers *, const struct helper_job *, int64_t raw);

/* Descriptors to wait for; returns how many were added.  And the next
 * deadline, NEVER without children. */
int helper_watch(const struct helpers *, struct pollfd *, int room);
int64_t helper_due(const struct helpers *);

/* The next child that is through, or late and killed; false if none is.
 * Call until false, once a turn. */
bool helper_next(struct helpers *, int64_t raw, struct helper_result *);

/* Take the exit status of every child that ended, ours or (as process 1)
 * strangers'. */
void helper_reap(struct helpers *);

/* Kill what is still running. */
void helper_end(struct helpers *);

#endif
