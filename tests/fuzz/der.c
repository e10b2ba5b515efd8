/*
 * der.c - whatever is sent as a certificate: der_walk stays inside, and
 * what it says does not depend on bytes that are not there.
 *
 * The corpus begins with the roots of the bundle and mutates them.
 */
#include "tests/fuzz/fuzz.h"
#include "tls/der.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t ip[16] = { 9, 9, 9, 9 };
	const struct der four = { ip, 4 }, sixteen = { ip, 16 };
	struct der_facts a, b;
	uint8_t *exact = malloc(size + 1);
	bool good;

	if (exact == NULL)
		return 0;
	memcpy(exact, data, size);
	good = der_walk(exact, size, four, &a);
	/* With a byte more or less, a valid one is no longer valid. */
	exact[size] = 0;
	if (good && der_walk(exact, size + 1, four, &b))
		abort();
	if (good && size > 0 && der_walk(exact, size - 1, four, &b))
		abort();
	if (der_walk(data, size, sixteen, &b) != good)
		abort();
	if (good && (a.not_before != b.not_before ||
	    a.not_after != b.not_after || a.no_server != b.no_server ||
	    a.name_constraints != b.name_constraints))
		abort();
	free(exact);
	return 0;
}
