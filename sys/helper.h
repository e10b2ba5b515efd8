/*
 * helper.h - children, each for one question.
 */
#ifndef HELPER_H
#define HELPER_H

#include "core/conf.h"
#include "core/instant.h"
#include "core/jar.h"

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

enum {
	HELPERS_MAX = 16,
	HELPER_ANSWER = 2816 /* bytes: struct tls_keys, and below PIPE_BUF */
};
enum helper_kind {
	HELPER_NAME,
	HELPER_CONSTRAINT_NAME,
	HELPER_LISTEN_NAME,
	HELPER_NTS_NAME,
	HELPER_HTTPS, /* from here on TLS */
	HELPER_NTS
};

/* One question for a child: what it is about (owner is the caller's index), how
 * long it may take, and the function that answers it in the child.  The child
 * has a copy of the question, so that it needs to live only until helper_start
 * returns. */
struct helper_job {
	enum helper_kind kind;
	int owner;
	uint16_t port; /* that TLS connects to */
	double seconds;
	void (*work)(const void *question, void *answer);
	const void *question;
	size_t size; /* of the answer, <= HELPER_ANSWER */
};

/* What became of the question. */
struct helper_result {
	enum helper_kind kind;
	int owner;
	bool ok;    /* the answer is complete */
	bool late;  /* the child was killed at its deadline */
	int signal; /* it ended the child before its answer; or 0 */
	_Alignas(16) unsigned char answer[HELPER_ANSWER];
};

struct helper {
	enum helper_kind kind;
	int owner;
	pid_t pid;	  /* 0: it has been reaped */
	int fd;		  /* 0: the slot is free; no pipe of ours has that */
	int status;	  /* of waitpid(2), once it has been reaped */
	int64_t deadline; /* raw */
	size_t size;	  /* of the answer */
};

/* The slots must be all zero at first.  The rest is the caller's, and says where
 * secrets are, which each child wipes in its own memory.  So no question may
 * point into these arrays; it may point to strings that they name. */
struct helpers {
	struct helper slot[HELPERS_MAX];
	const struct conf *conf; /* servers and keys; NULL: there are none */
	struct jar *jar;
	int jars;
};

/* Start a child.  0, or -1 with errno; EBUSY: no slot is free.  Some slots are
 * kept for name lookups, so TLS gets EBUSY sooner. */
int helper_start(struct helpers *, const struct helper_job *, int64_t raw);

/* Would TLS get a slot now?  If not, a child that ends makes one free. */
bool helper_free(const struct helpers *);

/* helper_watch writes the descriptors to wait for, and returns how many they
 * are.  helper_due is the raw time of the next deadline, or NEVER if there are
 * no children. */
int helper_watch(const struct helpers *, struct pollfd *, int room);
int64_t helper_due(const struct helpers *);

/* The result of the next child that has finished, or that was late and is
 * killed.  False if there is none: each turn calls it until then.  Then nothing
 * is left in the result, where there may have been keys. */
bool helper_next(struct helpers *, int64_t raw, struct helper_result *);

/* Take the exit status of every child that has ended.  As process 1 we get
 * those of strangers as well. */
void helper_reap(struct helpers *);

/* Who asks has new numbers: the owner of a question of this kind, which was
 * i * each + k, becomes to[i] * each + k.  Where to[i] is -1 nobody wants the
 * answer any more: the child is killed, and its answer is never seen. */
void helper_renumber(
    struct helpers *, enum helper_kind, const int to[], int each);

/* Kill the children that still run. */
void helper_end(struct helpers *);

#endif
