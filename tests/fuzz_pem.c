/*
 * fuzz_pem.c - whatever a cafile holds: anchors or a message, and anchors that
 * trust.c itself can unpack.
 */
#include <stdlib.h>
#include <string.h>

#include "ntpd.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

void
fatal(const char *format, ...)
{
	(void)format;
	abort();
}

static bool
load(const uint8_t *data, size_t size, bool strict, struct trust_roots *roots)
{
	uint8_t *text = malloc(size + 1);
	const char *error;

	if (text == NULL)
		return false;
	memcpy(text, data, size);
	error = trust_pem(text, size, strict, 0, roots);
	free(text);
	if (error == NULL && (roots->count < 1 || roots->size < 8))
		abort();
	return error == NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct address nobody = { 0 };
	struct trust_roots lax, strict;
	bool good = load(data, size, false, &lax);

	if (load(data, size, true, &strict)) {
		if (!good || strict.size != lax.size ||
		    memcmp(strict.packed, lax.packed, lax.size) != 0)
			abort();
		trust_free(&strict);
	}
	if (good) {
		(void)trust_begin(&lax, "www.example.com", &nobody);
		trust_free(&lax);
	}
	return 0;
}
