/*
 * build.h - which program this is.
 */
#ifndef BUILD_H
#define BUILD_H

#include "core/instant.h"

#define VERSION "0.1.0"

/* s since 1970: SOURCE_DATE_EPOCH.  The Makefile generates the file that
 * defines it. */
extern const int64_t build_epoch;
/* ns since 1970: no date before this is believed.  It is a day before the
 * build, since the clock of the building machine may be ahead. */
#define EARLIEST ((build_epoch - 86400LL) * NS_PER_S)

#endif
