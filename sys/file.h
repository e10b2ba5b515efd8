/*
 * file.h - small files, read and written as a whole.
 *
 * Whoever may write in a directory must not choose what is read or overwritten
 * there, nor stop the program: no function here waits for a FIFO, and those for
 * files of our own do not follow a link.
 */
#ifndef FILE_H
#define FILE_H

#include <signal.h>
#include <stddef.h>

/* A whole file of at most "most" bytes, in memory that the caller frees and that
 * has room for one byte more.  Links are followed.  Where quit is not NULL the
 * file may be standard input or a descriptor that whoever started us has opened,
 * such as a pipe: signals are let in while it is waited for, until *quit is set.
 * NULL with errno; EISDIR, EINVAL: it is no regular file; EFBIG: it is larger;
 * EINTR: *quit was set. */
void *file_read(const char *path, size_t most,
    const volatile sig_atomic_t *quit, size_t *size);

/* The first bytes of a regular file, as text.  0, or -1 with errno; EINVAL: it
 * is no regular file; ELOOP: it is a link, which is not followed. */
int file_text(const char *path, char *text, size_t size);

/* Write a file atomically (temporary file, fsync, rename; in place where a rename
 * is refused).  0, or -1 with errno. */
int file_write(const char *path, const char *text, size_t size);

/* Open a file for writing, new or emptied, without following a link.  The
 * descriptor, which is the caller's to close, or -1 with errno; EINVAL: it is no
 * regular file, or has a second name (a hard link). */
int file_create(const char *path);

#endif
