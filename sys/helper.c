/*
 * helper.c - children with one question each: they send one answer of fixed
 * size over a pipe, have a deadline, and have no rights.
 *
 * Name lookups and TLS block, and they parse what strangers send.  In a child
 * they can neither stop the loop nor reach the clock.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/wipe.h"
#include "sys/helper.h"
#include "sys/log.h"
#include "sys/sandbox.h"

#ifndef SYS_close_range
#define SYS_close_range 436 /* Linux 5.9, every architecture */
#endif

enum {
	NAMES_LEAST = 4,      /* slots that TLS leaves to name lookups */
	CLOSE_MOST = 1 << 14, /* the daemon has fewer descriptors */
	BROKEN_MS = 20	      /* that a dying child needs to become a zombie */
};

/* Close this descriptor and all above it. */
static void
close_from(int first)
{
	struct rlimit r;
	int fd;

	if (syscall(SYS_close_range, first, ~0u, 0) == 0 ||
	    getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	/* The kernel or a seccomp profile is older than that call.  The limit
	 * may be 2^30, and to try them all would take minutes. */
	for (fd = first; fd < CLOSE_MOST && (rlim_t)fd < r.rlim_cur; fd++)
		(void)close(fd);
}

/* In the child: wipe the keys of all servers and clients.  Nothing else is
 * overwritten, since each page that a child changes is copied for it. */
static void
forget_secrets(const struct helpers *h)
{
	const struct conf *c = h->conf;

	if (c == NULL)
		return;
	for (int i = 0; i < c->servers; i++)
		if (c->server[i].key.id != 0)
			secret_wipe(&c->server[i].key, sizeof(struct key));
	secret_wipe(c->key, (size_t)c->keys * sizeof *c->key);
	secret_wipe(h->jar, (size_t)h->jars * sizeof *h->jar);
}

/* In the child: wipe the secrets that it does not need, find the answer, write
 * it, end.  The pipe becomes descriptor 0, and all others are closed. */
_Noreturn static void
child(const struct helpers *h, const struct helper_job *job, int out,
    pid_t parent)
{
	_Alignas(16) unsigned char answer[HELPER_ANSWER] = { 0 };
	struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t none;

	forget_secrets(h);
	for (int i = 1; i < NSIG; i++)
		if (i != SIGSYS) /* which is the filter's: seccomp.c */
			(void)sigaction(i, &usual, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent) /* the parent died before that call */
		_exit(1);
	/* If the parent hangs, the child ends a second after its deadline. */
	(void)alarm((unsigned)job->seconds + 1);
	if (out != 0 && dup2(out, 0) < 0)
		_exit(1);
	close_from(1);
	sandbox_child(
	    job->kind >= HELPER_HTTPS ? SECCOMP_HTTPS : SECCOMP_DNS, job->port);
	job->work(job->question, answer);
	_exit(write(0, answer, job->size) == (ssize_t)job->size ? 0 : 1);
}

/* The number of a free slot for such a question, or -1. */
static int
find_slot(const struct helpers *h, enum helper_kind kind)
{
	int at = -1, n = kind >= HELPER_HTTPS ? NAMES_LEAST : 0;

	for (int i = 0; i < HELPERS_MAX; i++)
		if (h->slot[i].fd == 0 && n-- <= 0)
			at = i;
	return at;
}

bool
helper_free(const struct helpers *h)
{
	return find_slot(h, HELPER_HTTPS) >= 0;
}

int
helper_start(struct helpers *h, const struct helper_job *job, int64_t raw)
{
	pid_t parent = getpid();
	struct helper *s;
	int i, pipes[2], error;

	if (job->size > HELPER_ANSWER)
		fatal("helper: an answer of %zu bytes", job->size);
	i = find_slot(h, job->kind);
	if (i < 0) {
		errno = EBUSY;
		return -1;
	}
	s = &h->slot[i];
	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	memset(s, 0, sizeof *s);
	s->pid = fork();
	if (s->pid == 0)
		child(h, job, pipes[1], parent);
	error = errno;
	(void)close(pipes[1]);
	if (s->pid < 0) {
		(void)close(pipes[0]);
		errno = error;
		return -1;
	}
	s->fd = pipes[0];
	s->size = job->size;
	s->deadline = later(raw, job->seconds);
	s->kind = job->kind;
	s->owner = job->owner;
	return 0;
}

int
helper_watch(const struct helpers *h, struct pollfd *p, int room)
{
	int i, n = 0;

	for (i = 0; i < HELPERS_MAX && n < room; i++)
		if (h->slot[i].fd != 0)
			p[n++] = (struct pollfd){ h->slot[i].fd, POLLIN, 0 };
	return n;
}

int64_t
helper_due(const struct helpers *h)
{
	int64_t due = NEVER;

	for (int i = 0; i < HELPERS_MAX; i++)
		if (h->slot[i].fd != 0)
			due = sooner(due, h->slot[i].deadline);
	return due;
}

/* Read the answer.  True when the child has no more to say.  It writes all at
 * once, and so few bytes are never divided by the pipe (pipe(7), PIPE_BUF). */
static bool
is_through(const struct helper *s, struct helper_result *out)
{
	ssize_t n;

	do
		n = read(s->fd, out->answer, s->size);
	while (n < 0 && errno == EINTR);
	out->ok = n == (ssize_t)s->size;
	return n >= 0 || errno != EAGAIN;
}

static bool
has_ended(struct helper *s)
{
	if (s->pid != 0 && waitpid(s->pid, &s->status, WNOHANG) == s->pid)
		s->pid = 0;
	return s->pid == 0;
}

/* Give the slot back.  A child that still runs is killed: its answer is there
 * or its time is over, and nobody needs what it would do now.  If the answer is
 * not complete, the child is waited for, since its pipe ends a moment before it
 * can be reaped. */
static void
release(struct helper *s, struct helper_result *out)
{
	bool broken = !out->ok && !out->late;
	int ms = broken ? BROKEN_MS : 0;

	if (!has_ended(s))
		(void)kill(s->pid, SIGKILL);
	for (; ms > 0 && !has_ended(s); ms--)
		(void)usleep(1000);
	(void)close(s->fd);
	s->fd = 0;
	out->kind = s->kind;
	out->owner = s->owner;
	if (s->pid == 0 && broken && WIFSIGNALED(s->status))
		out->signal = WTERMSIG(s->status);
}

bool
helper_next(struct helpers *h, int64_t raw, struct helper_result *out)
{
	memset(out, 0, sizeof *out);
	for (int i = 0; i < HELPERS_MAX; i++) {
		struct helper *s = &h->slot[i];

		if (s->fd == 0)
			continue;
		out->late = !is_through(s, out);
		if (out->late && raw < s->deadline)
			continue;
		release(s, out);
		return true;
	}
	out->late = false;
	return false;
}

void
helper_reap(struct helpers *h)
{
	int i, status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (i = 0; i < HELPERS_MAX; i++)
			if (h->slot[i].fd != 0 && h->slot[i].pid == pid) {
				h->slot[i].pid = 0;
				h->slot[i].status = status;
			}
}

void
helper_renumber(
    struct helpers *h, enum helper_kind kind, const int to[], int each)
{
	for (int i = 0; i < HELPERS_MAX; i++) {
		struct helper *s = &h->slot[i];
		int *owner = &s->owner;

		if (s->fd == 0 || s->kind != kind)
			continue;
		if (to[*owner / each] >= 0) {
			*owner += (to[*owner / each] - *owner / each) * each;
			continue;
		}
		if (s->pid != 0)
			(void)kill(s->pid, SIGKILL); /* helper_reap follows */
		(void)close(s->fd);
		s->fd = 0;
	}
}

void
helper_end(struct helpers *h)
{
	for (int i = 0; i < HELPERS_MAX; i++)
		if (h->slot[i].fd != 0 && h->slot[i].pid != 0)
			(void)kill(h->slot[i].pid, SIGKILL);
}
