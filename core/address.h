/*
 * address.h - a numeric address: as text, compared, in a network.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
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

/* Read a numeric IPv4 or IPv6 address.  False: it is none, and *out is as it
 * was.  A scope must be a number too ("fe80::1%2"): "fe80::1%eth0" is a name,
 * which the child that looks up names resolves without asking anybody.  A
 * mapped address becomes the IPv4 address that it stands for. */
bool address_parse(const char *text, struct address *out);

/* An IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) becomes the IPv4 address.
 * Otherwise one host would have two addresses here. */
void address_unmap(struct address *);

/* Are these two the same address, on the same interface? */
bool address_equal(const struct address *, const struct address *);

/* Is it in the network that consists of the first "bits" bits of "network"? */
bool address_in(
    const struct address *, const struct address *network, int bits);

/* Is it the wildcard address of its family, "0.0.0.0" or "::"? */
bool address_wild(const struct address *);

/* Why this cannot be the address of a single host ("the wildcard address"), or
 * NULL if it can. */
const char *address_unusable(const struct address *);

#endif
