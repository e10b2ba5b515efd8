/*
 * exchange.h - the key exchange: a point of ours, one of theirs, one secret.
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "tls/record.h"

/* The groups that are offered, which are curves (RFC 8446 §4.2.7). */
enum { GROUP_P256 = 23, GROUP_P384, GROUP_P521, GROUP_X25519 = 29, GROUPS = 4 };
extern const uint16_t exchange_groups[GROUPS];

enum {
	POINT_MOST = 133, /* bytes of a point: those of P-521 */
	SCALAR_MOST = 66
};

struct exchange {
	/* Public. */
	uint16_t group;
	uint8_t point[POINT_MOST]; /* ours, to be sent */
	size_t size;		   /* of the point, in bytes */
	/* Private. */
	uint8_t scalar[SCALAR_MOST]; /* the key that belongs to it */
};

/* Is the group one that was offered? */
bool exchange_knows(uint16_t group);

/* Make a key and a point of that group; a fault of the records without random
 * numbers. */
void exchange_begin(struct exchange *, uint16_t group, struct records *);

/* Replace their point by the secret that both have now, and forget our key.
 * Returns the size of the secret, or 0 and a fault if theirs is no good point
 * of the group. */
size_t exchange_end(struct exchange *, uint8_t point[POINT_MOST], size_t size,
    struct records *);

#endif
