/*
 * state.h - the drift file, which outlives the daemon.
 */
#ifndef STATE_H
#define STATE_H

#include "core/conf.h"

#define DRIFT_PATH "/var/db/ntpd.drift"

/* The drift file of this configuration: its own, or the default. */
const char *drift_path(const struct conf *);

/* Read the drift file; *freq becomes its ppm as a ratio.  0, or -1 with errno.
 * ENODATA: it is empty; EINVAL: it holds no number that a clock can have, or is
 * no regular file; ELOOP: it is a link, which is not followed. */
int drift_read(const char *path, double *freq);

/* Write the drift file atomically; see file_write.  0, or -1 with errno. */
int drift_write(const char *path, double freq);

#endif
