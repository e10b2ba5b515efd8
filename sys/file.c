/*
 * file.c - small files, read and written as a whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/file.h"

enum { ANY_NAMES = 1 << 30 };

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

static int
write_all(int fd, const char *text, size_t n)
{
	if (write(fd, text, n) != (ssize_t)n || fsync(fd) < 0)
		return -1;
	return 0;
}

int
file_write(const char *path, const char *text, size_t size)
{
	char temporary[PATH_MAX];
	int fd;

	if (snprintf(temporary, sizeof temporary, "%s.new", path) >=
	    (int)sizeof temporary) {
		errno = ENAMETOOLONG;
		return -1;
	}
	/* A file of this name was left by a crash, or planted: nothing is ever
	 * written to it. */
	(void)unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd >= 0) {
		if (write_all(fd, text, size) == 0 && close(fd) == 0) {
			if (rename(temporary, path) == 0)
				return 0;
		} else
			(void)close(fd);
		(void)unlink(temporary);
	}
	/* A bind-mounted file, or a directory we may not write to: in place. */
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -1;
	if (!is_plain(fd, 1) || write_all(fd, text, size) < 0 ||
	    ftruncate(fd, (off_t)size) < 0)
		return fail(fd);
	return close(fd);
}

int
file_create(const char *path)
{
	int fd = open(path,
	    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);

	if (fd < 0)
		return -1;
	return is_plain(fd, 1) && ftruncate(fd, 0) == 0 ? fd : fail(fd);
}
