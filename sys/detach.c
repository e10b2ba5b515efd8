/*
 * detach.c - becoming a daemon, in two steps.
 *
 * There are two because children die with the process that started them, while
 * -s leaves the terminal late.  So the fork comes before any child, and the
 * caller waits for the second step, or for the status of a start that failed.
 *
 * The directory stays the same, as OpenNTPD's does, since the names of files
 * may be relative.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/detach.h"
#include "sys/file.h"
#include "sys/log.h"

/* An image without anything else may lack /dev/null, but it has a directory. */
static int
open_nothing(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	return fd >= 0 ? fd : open("/", O_RDONLY | O_CLOEXEC);
}

void
detach_descriptors(void)
{
	int fd;

	do
		fd = open_nothing();
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		(void)close(fd);
}

void
detach_pid(struct detach *d, const char *path)
{
	char text[16];
	int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	d->pid = file_keep(path);
	if (d->pid < 0 && (errno == EINVAL || errno == ELOOP))
		fatal("can't write pid file %s: it must be a regular file, no link",
		    path);
	if (d->pid < 0 || ftruncate(d->pid, 0) < 0 ||
	    write(d->pid, text, (size_t)n) != n)
		fatal("can't write pid file %s: %s", path, strerror(errno));
}

void
detach_forget(const struct detach *d, const char *path)
{
	if (d->pid >= 0 && unlink(path) < 0)
		(void)!ftruncate(d->pid, 0);
}

void
detach_follow(const struct detach *d)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	if (getppid() != d->parent) /* it died before that call */
		_exit(1);
}

void
detach_begin(struct detach *d)
{
	pid_t caller = getpid(), pid;
	int ready[2], status = 0;
	sigset_t none;
	ssize_t n;
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		fatal("ntpd: fork: %s", strerror(errno));
	if (pid == 0) {
		(void)close(ready[0]);
		*d = (struct detach){ ready[1], caller, open_nothing(), -1 };
		detach_follow(d);
		return;
	}
	(void)close(ready[1]);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGINT, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	while ((n = read(ready[0], &byte, 1)) < 0 && errno == EINTR)
		;
	if (n == 1)
		_exit(0);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

void
detach_end(const struct detach *d)
{
	(void)prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	(void)setsid();
	for (int i = 0; i <= STDERR_FILENO && d->nothing >= 0; i++)
		(void)dup2(d->nothing, i);
	if (d->nothing >= 0)
		(void)close(d->nothing);
	log_start(true);
	(void)!write(d->caller, "", 1); /* the caller may be gone */
	(void)close(d->caller);
}
