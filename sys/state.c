/*
 * state.c - what outlives the daemon: the drift file, one number of ppm as other
 * NTP daemons write it.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sys/state.h"
#include "sys/file.h"

#define DRIFT_MOST 0.1 /* ratio: a tenth, as far as the kernel's tick goes */

/* "-12.345" and white space around; strtod(3) would be 6 KB of the binary. */
static bool
decimal(const char *p, double *value)
{
	double scale = 1, sign = 1;
	bool point = false, digits = false;

	p += strspn(p, " \t\r\n");
	if (*p == '-' || *p == '+')
		sign = *p++ == '-' ? -1 : 1;
	for (*value = 0; (*p >= '0' && *p <= '9') || (*p == '.' && !point);
	     p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		digits = true;
		*value = *value * 10 + (*p - '0');
		scale *= point ? 10 : 1;
	}
	*value *= sign / scale;
	return digits && p[strspn(p, " \t\r\n")] == '\0';
}

const char *
drift_path(const struct conf *conf)
{
	return conf->driftfile != NULL ? conf->driftfile : DRIFT_PATH;
}

int
drift_read(const char *path, double *freq)
{
	char text[64];
	double ppm;

	if (file_text(path, text, sizeof text) < 0)
		return -1;
	if (!decimal(text, &ppm) || fabs(ppm) > 1e6 * DRIFT_MOST) {
		errno = text[strspn(text, " \t\r\n")] == '\0' ? ENODATA :
								EINVAL;
		return -1;
	}
	*freq = ppm / 1e6;
	return 0;
}

int
drift_write(const char *path, double freq)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%.3f\n", freq * 1e6);

	return file_write(path, text, (size_t)n);
}
