/*
 * exchange.c - the key exchange over X25519 (RFC 7748) and the curves of NIST.
 *
 * BearSSL's small generic code does the work.  Its faster code for two of the
 * curves is 11 KB larger, and saves 1 ms of a connection.
 */
#include "tls/exchange.h"

#include <string.h>

const uint16_t exchange_groups[GROUPS] = { GROUP_X25519, GROUP_P256, GROUP_P384,
	GROUP_P521 };

/* BearSSL numbers the curves like TLS. */
_Static_assert(GROUP_X25519 == BR_EC_curve25519, "number of a curve");
_Static_assert(GROUP_P256 == BR_EC_secp256r1, "number of a curve");

bool
exchange_knows(uint16_t group)
{
	for (int i = 0; i < GROUPS; i++)
		if (exchange_groups[i] == group)
			return true;
	return false;
}

static const br_ec_impl *
curve_of(uint16_t group)
{
	return group == GROUP_X25519 ? &br_ec_c25519_i31 : &br_ec_prime_i31;
}

void
exchange_begin(struct exchange *e, uint16_t group, struct records *r)
{
	const br_ec_impl *c = curve_of(group);
	size_t size;
	const uint8_t *order = c->order(group, &size);

	if (!record_random(r, e->scalar, size))
		return;
	/* A key is a number below the order that is not zero, its highest byte
	 * in front.  With X25519 any bytes are one. */
	if (group != GROUP_X25519) {
		e->scalar[0] &= order[0] >> 1;
		e->scalar[size - 1] |= 1;
	}
	e->group = group;
	e->size = c->mulgen(e->point, e->scalar, size, group);
}

size_t
exchange_end(struct exchange *e, uint8_t point[POINT_MOST], size_t size,
    struct records *r)
{
	const br_ec_impl *c = curve_of(e->group);
	size_t scalar_size, x, x_size;
	uint8_t bits = 0;
	uint32_t good;

	(void)c->order(e->group, &scalar_size);
	x = c->xoff(e->group, &x_size);
	/* Multiplication refuses what is not on a curve of NIST. */
	good = size == e->size &&
	    c->mul(point, size, e->scalar, scalar_size, e->group);
	secret_wipe(e->scalar, sizeof(e->scalar));
	memmove(point, point + x, x_size);
	/* Some points of X25519 lead to zero whatever our key is, RFC 8446
	 * §7.4.2. */
	for (size_t i = 0; i < x_size; i++)
		bits |= point[i];
	if (good != 0 && bits != 0)
		return x_size;
	record_fail(r, FAULT_SHARE);
	return 0;
}
