/*
 * file.h - small files, read and written as a whole.
 *
 * Whoever may write in a directory must not choose what is read or overwritten:
 * no function here follows a link that somebody planted, or waits for a FIFO.
 */
#ifndef FILE_H
#define FILE_H

#include <stddef.h>

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
