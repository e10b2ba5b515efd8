/*
 * fuzz.h - what every fuzzer begins with: libFuzzer's entry, a promise that ends
 * the run when it is broken, and bytes to be taken one by one.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* CHECK(promise), or CHECK(promise, format, ...) to see values as well. */
#define CHECK(held, ...) \
	do { \
		if (!(held)) { \
			(void)fprintf(stderr, "not so: %s, %s:%d ", #held, \
			    __FILE__, __LINE__); \
			(void)fprintf(stderr, "" __VA_ARGS__); \
			(void)fputc('\n', stderr); \
			abort(); \
		} \
	} while (0)

/* What is left of the input.  Behind its end all bytes are 0. */
static const uint8_t *in;
static size_t left;

static inline uint8_t
byte(void)
{
	if (left == 0)
		return 0;
	left--;
	return *in++;
}

#endif
