/*
 * address.h - a numeric address.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdint.h>

enum {
	ADDRESS_TEXT = 64, /* bytes of an address's text, scope included */
	POOL_MAX = 8	   /* members of one "servers" line */
};

/* A numeric address; family 0 is "none", 4 uses bytes[0..3], 6 all sixteen. */
struct address {
	uint8_t family;
	uint8_t bytes[16];
	uint32_t scope; /* interface of a link-local address */
};

#endif
