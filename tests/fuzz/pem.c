/*
 * pem.c - whatever a cafile holds: anchors or a message, and anchors that
 * anchors.c itself can unpack.
 */
#include "core/address.h"
#include "tests/fuzz/fuzz.h"
#include "tls/anchors.h"
#include "tls/trust.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct address nobody = { 0 };
	struct trust_roots roots;
	uint8_t *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	if (anchors_pem(text, size, &roots) == NULL) {
		if (roots.count < 1 || roots.size < 8)
			abort();
		(void)trust_begin(&roots, "www.example.com", &nobody);
		free((void *)(uintptr_t)roots.packed);
	}
	free(text);
	return 0;
}
