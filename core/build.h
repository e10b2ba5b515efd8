/*
 * build.h - which program this is.
 */
#ifndef BUILD_H
#define BUILD_H

#include "core/instant.h"

#include <stdint.h>

#define VERSION "0.1.0"

/* SOURCE_DATE_EPOCH, s since 1970; the Makefile generates its file. */
extern const int64_t build_epoch;
/* No date before this is believed: the build machine's clock may be ahead. */
#define EARLIEST ((build_epoch - 86400LL) * NS_PER_S)

#endif
