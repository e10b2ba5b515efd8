/*
 * state.h - what outlives the daemon: the drift file.
 */
#ifndef STATE_H
#define STATE_H

#define DRIFT_PATH "/var/db/ntpd.drift"

/* The drift file's ppm as a ratio in *freq.  0, or -1 with errno: ENODATA: it is
 * empty; EINVAL: it holds no number that a clock can have, or is no regular file;
 * ELOOP: it is a link, which is not followed. */
int drift_read(const char *path, double *freq);

/* Write it atomically; see file_write.  0, or -1 with errno. */
int drift_write(const char *path, double freq);

#endif
