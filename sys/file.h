/*
 * file.h - small files, read and written as a whole.
 *
 * Somebody else who may write in a directory must not choose which file is read
 * or overwritten, and must not stop the program.  So no function waits for a
 * FIFO, and those for the daemon's own files do not follow links.
 */
#ifndef FILE_H
#define FILE_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What tells one state of a file from another.  It has no padding. */
struct file_mark {
	int64_t error; /* errno, if it cannot be looked at; else 0 and: */
	uint64_t device, inode;
	int64_t size, modified, changed; /* the last two: real, ns */
};

/* Read a whole file of at most "most" bytes.  The caller frees the memory,
 * which has room for one byte more.  Links are followed.  If quit is not NULL,
 * the file may also be a pipe that whoever started us has opened ("/dev/stdin",
 * "/dev/fd/3").  Signals are let in while the pipe is waited for, and *quit
 * ends that.  NULL with errno if it fails; EISDIR and EINVAL: it is no regular
 * file; EFBIG: it is larger; EINTR: *quit was set. */
void *file_read(const char *path, size_t most,
    const volatile sig_atomic_t *quit, size_t *size);

/* Look at what the path leads to, without opening it for reading. */
void file_mark(const char *path, struct file_mark *);
bool file_same(const struct file_mark *, const struct file_mark *);

/* If the path is a link, put the path that it leads to in its place, by one
 * step.  False: it is none, or the result would be too long.  Links can form a
 * circle, so a caller takes FILE_LINKS steps at most. */
enum { FILE_LINKS = 8 };
bool file_follow(char path[static PATH_MAX]);

/* Read the first bytes of a regular file, as text.  0, or -1 with errno;
 * EINVAL: it is no regular file; ELOOP: it is a link. */
int file_text(const char *path, char *text, size_t size);

/* Write a file atomically: as a temporary file that is then renamed.  Where
 * that is refused the file is written in place.  0, or -1 with errno. */
int file_write(const char *path, const char *text, size_t size);

/* Open a file for reading and writing.  Where it is missing it is created, so
 * that everybody can read it; it is never emptied.  Returns a descriptor, which
 * the caller closes, or -1 with errno; EINVAL: it is no regular file, or has a
 * second name (a hard link); ELOOP: it is a link. */
int file_keep(const char *path);

#endif
