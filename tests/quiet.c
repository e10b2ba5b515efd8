/*
 * quiet.c - stands for sys/log.c in tests and fuzzers: a line goes nowhere, and
 * a room that gives up ends the run.  A test that looks at lines has functions
 * of its own, which win over these.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sys/log.h"

__attribute__((weak)) void
log_line(enum log_class class, const char *format, ...)
{
	(void)class;
	(void)format;
}

__attribute__((weak)) void
fatal(const char *format, ...)
{
	(void)fprintf(stderr, "fatal: %s\n", format);
	abort();
}
