/*
 * state.h - the drift file, which outlives the daemon.
 */
#ifndef STATE_H
#define STATE_H

#define DRIFT_PATH "/var/db/ntpd.drift"

/* Read the drift file; *freq becomes its ppm as a ratio.  0, or -1 with errno.
 * ENODATA: it is empty; EINVAL: it holds no number that a clock can have, or is
 * no regular file; ELOOP: it is a link, which is not followed. */
int drift_read(const char *path, double *freq);

/* Write the drift file atomically; see file_write.  0, or -1 with errno. */
int drift_write(const char *path, double freq);

#endif
