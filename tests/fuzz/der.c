/*
 * der.c - whatever is sent as a certificate: trust_walk stays inside, and
 * what it says does not depend on bytes that are not there.
 *
 * The corpus begins with the roots of the bundle and mutates them.
 */
#include <stdlib.h>
#include <string.h>

#include "sys/log.h"
#include "tls/trust.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

void
fatal(const char *format, ...)
{
	(void)format;
	abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t ip[16] = { 9, 9, 9, 9 };
	struct trust_facts a, b;
	uint8_t *exact = malloc(size + 1);
	bool good;

	if (exact == NULL)
		return 0;
	memcpy(exact, data, size);
	good = trust_walk(exact, size, ip, 4, &a);
	/* a valid one has no valid beginning, and no valid continuation */
	exact[size] = 0;
	if (good && trust_walk(exact, size + 1, ip, 4, &b))
		abort();
	if (good && size > 0 && trust_walk(exact, size - 1, ip, 4, &b))
		abort();
	if (trust_walk(data, size, ip, 16, &b) != good)
		abort();
	if (good && (a.not_before != b.not_before ||
	    a.not_after != b.not_after || a.no_server != b.no_server ||
	    a.name_constraints != b.name_constraints))
		abort();
	free(exact);
	return 0;
}
