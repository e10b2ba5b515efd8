/*
 * wipe.c - secrets are compared without a trace, and wiped.
 *
 * Whatever has keys needs both functions: TLS, NTS and symmetric keys.
 */
#include "core/wipe.h"

bool
secret_same(const uint8_t *a, const uint8_t *b, size_t size)
{
	uint8_t differing = 0;

	while (size-- > 0)
		differing |= *a++ ^ *b++;
	return differing == 0;
}

void
secret_wipe(void *bytes, size_t size)
{
	volatile uint8_t *at = bytes;

	while (size-- > 0)
		*at++ = 0;
}
