/*
 * test.h - what every unit test begins with: cmocka and the headers that it
 * needs, those of the C library that nearly all tests use, and a few helpers.
 */
#ifndef TEST_H
#define TEST_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/instant.h"

#define LEN(a) (sizeof (a) / sizeof (a)[0])
#define S NS_PER_S			/* a second of a clock, in nanoseconds */
#define PPM 1e-6

/* The next number of (0, 1) by splitmix64.  Any seed is good; a test names its
 * seed, so that it can be repeated. */
static inline double
uniform(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return ((double)((z ^ z >> 31) >> 11) + 0.5) * 0x1p-53;
}

/* The bytes of hexadecimal text; returns how many. */
static inline size_t
unhex(const char *text, uint8_t *bytes)
{
	unsigned byte;
	size_t n;

	for (n = 0; sscanf(text + 2 * n, "%2x", &byte) == 1; n++)
		bytes[n] = (uint8_t)byte;
	return n;
}

#endif
