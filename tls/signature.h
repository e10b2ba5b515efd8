/*
 * signature.h - is it the server's signature?
 */
#ifndef SIGNATURE_H
#define SIGNATURE_H

#include "tls/record.h"

/* The schemes that are offered (RFC 8446 §4.2.3). */
enum { SCHEMES = 9 };
extern const uint16_t signature_schemes[SCHEMES];

enum { SIGNATURE_MOST = 512 }; /* bytes: RSA of 4096 bits */

struct signature {
	uint16_t scheme;
	uint8_t bytes[SIGNATURE_MOST];
	size_t size;
};

/* Did the owner of the key sign these bytes? If not, FAULT_SCHEME or
 * FAULT_SIGNATURE, else FAULT_NONE.  The version decides which schemes are
 * good. */
enum fault signature_check(const struct signature *, uint16_t version,
    const br_x509_pkey *, const uint8_t *bytes, size_t size);

/* RSASSA-PSS-VERIFY (RFC 8017 §8.1.2) with a salt as long as the digest. */
bool signature_pss(const struct signature *, const br_rsa_public_key *,
    const br_hash_class *, const uint8_t *digest);

#endif
