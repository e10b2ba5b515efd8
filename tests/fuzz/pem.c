/*
 * pem.c - whatever a cafile holds: anchors or a message, and anchors that
 * anchors.c itself can read.
 */
#include "tests/fuzz/fuzz.h"
#include "tls/anchors.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct der_facts facts;
	static br_x509_trust_anchor anchor[ANCHORS_MAX];
	struct trust_roots roots;
	uint8_t *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	if (anchors_pem(text, size, &roots) == NULL) {
		if (roots.count < 1 || roots.size < 9)
			abort();
		anchors_find(&roots, &facts, anchor);
		free((void *)(uintptr_t)roots.packed);
	}
	free(text);
	return 0;
}
