/*
 * file.c - small files, read and written as a whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/file.h"
#include "core/instant.h"
#include "sys/os.h"

enum {
	ANY_NAMES = 1 << 30,
	LINK_MOST = 512 /* bytes: a longer link is not followed */
};

/* Is this a regular file with so many names at most?  Else false with EINVAL: a
 * device or FIFO would not end, and a file that has a second name may be somebody
 * else's. */
static bool
is_plain(int fd, int names)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	if (S_ISREG(st.st_mode) && st.st_nlink <= (nlink_t)names)
		return true;
	errno = EINVAL;
	return false;
}

/* Close the descriptor and keep errno; returns -1. */
static int
fail(int fd)
{
	int error = errno;

	(void)close(fd);
	errno = error;
	return -1;
}

/* Did whoever started us open the file?  Then it may be a pipe. */
static bool
is_inherited(const char *path)
{
	return strcmp(path, "/dev/stdin") == 0 ||
	    strncmp(path, "/dev/fd/", 8) == 0;
}

/* Why a file cannot be read as a whole, as errno has it; 0 if it can. */
static int
unfit(int fd, bool inherited, size_t most, struct stat *st)
{
	if (fstat(fd, st) < 0)
		return errno;
	if (S_ISDIR(st->st_mode))
		return EISDIR;
	if (S_ISREG(st->st_mode))
		return st->st_size > (off_t)most ? EFBIG : 0;
	return inherited ? 0 : EINVAL;
}

void *
file_read(const char *path, size_t most, const volatile sig_atomic_t *quit,
    size_t *size)
{
	struct pollfd p = { .events = POLLIN };
	size_t room = most + 1;
	char *text = NULL;
	struct stat st;
	ssize_t n;
	int error;

	/* Standard input is taken as it is, since its path may be missing in an
	 * image, or belong to another user. */
	p.fd = strcmp(path, "/dev/stdin") == 0 ?
	    fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) :
	    open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (p.fd < 0)
		return NULL;
	error = unfit(p.fd, quit != NULL && is_inherited(path), most, &st);
	if (error == 0 && S_ISREG(st.st_mode))
		room = (size_t)st.st_size + 1;
	if (error == 0 && (text = malloc(room + 1)) == NULL)
		error = errno;
	for (*size = 0; error == 0 && *size < room;) {
		if (quit != NULL) /* a pipe is waited for, and signals are let in */
			(void)wait_for(&p, 1, NEVER);
		if (quit != NULL && *quit)
			error = EINTR;
		else if ((n = read(p.fd, text + *size, room - *size)) == 0)
			break;
		else if (n > 0)
			*size += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			error = errno;
	}
	if (error == 0 && *size > most)
		error = EFBIG;
	(void)close(p.fd);
	if (error == 0)
		return text;
	free(text);
	errno = error;
	return NULL;
}

int
file_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = is_plain(fd, ANY_NAMES) ? read(fd, text, size - 1) : -1;
	(void)fail(fd);
	if (n < 0)
		return -1;
	text[n] = '\0';
	return 0;
}

void
file_mark(const char *path, struct file_mark *m)
{
	/* The sandbox knows these two calls, but not stat(2). */
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	memset(m, 0, sizeof *m);
	if (fd < 0 || fstat(fd, &st) < 0)
		m->error = errno;
	else
		*m = (struct file_mark){
			.device = st.st_dev, .inode = st.st_ino,
			.size = st.st_size,
			.modified = st.st_mtim.tv_sec * NS_PER_S +
			    st.st_mtim.tv_nsec,
			.changed = st.st_ctim.tv_sec * NS_PER_S +
			    st.st_ctim.tv_nsec,
		};
	if (fd >= 0)
		(void)close(fd);
}

bool
file_same(const struct file_mark *a, const struct file_mark *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

bool
file_follow(char path[static PATH_MAX])
{
	char link[LINK_MOST], *name = strrchr(path, '/');
	ssize_t n = readlink(path, link, sizeof link);
	size_t room;

	if (n < 0 || n == sizeof link)
		return false;
	/* A relative one takes the place of the file's name. */
	name = *link == '/' || name == NULL ? path : name + 1;
	room = PATH_MAX - (size_t)(name - path);
	return snprintf(name, room, "%.*s", (int)n, link) < (int)room;
}

static int
write_all(int fd, const char *text, size_t n)
{
	return write(fd, text, n) == (ssize_t)n && fsync(fd) == 0 ? 0 : -1;
}

int
file_write(const char *path, const char *text, size_t size)
{
	char temporary[PATH_MAX];
	int fd, error;

	if (snprintf(temporary, sizeof temporary, "%s.new", path) >=
	    (int)sizeof temporary) {
		errno = ENAMETOOLONG;
		return -1;
	}
	/* A file of this name was left by a crash, or planted: nothing is ever
	 * written to it. */
	(void)unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	error = errno;
	if (fd >= 0) {
		bool written = write_all(fd, text, size) == 0;

		error = errno;
		(void)close(fd); /* it is closed in any case, and once only */
		if (written) {
			if (rename(temporary, path) == 0)
				return 0;
			error = errno;
		}
		(void)unlink(temporary);
	}
	/* A bind-mounted file, or a directory we may not write to: in place. */
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) {
		if (errno == ENOENT) /* why it could not be created */
			errno = error;
		return -1;
	}
	if (!is_plain(fd, 1) || write_all(fd, text, size) < 0 ||
	    ftruncate(fd, (off_t)size) < 0)
		return fail(fd);
	return close(fd);
}

int
file_keep(const char *path)
{
	mode_t mask = umask(022); /* cannot fail */
	int fd = open(path,
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);

	(void)umask(mask);
	return fd < 0 || is_plain(fd, 1) ? fd : fail(fd);
}
