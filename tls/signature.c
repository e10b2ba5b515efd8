/*
 * signature.c - is it the server's signature? ECDSA, RSA-PSS, and for TLS 1.2
 * RSA PKCS#1.
 *
 * BearSSL 0.6 has no RSA-PSS, so it is here, on top of the public operation of
 * RSA.  All of this is public, so nothing needs to take the same time.
 */
#include "tls/signature.h"
#include "tls/exchange.h"

#include <string.h>

/* PKCS#1 is offered for certificates and TLS 1.2 only. */
const uint16_t signature_schemes[SCHEMES] = { 0x0403, 0x0503, 0x0603, 0x0804,
	0x0805, 0x0806, 0x0401, 0x0501, 0x0601 };

enum family { ECDSA, PSS, PKCS1 };

enum { PSS_ZEROS = 8, PSS_END = 0xbc };

/* Take apart a scheme; false if it was not offered.  Both columns of hashes
 * begin with SHA-256 at 4. */
static bool
read_scheme(uint16_t scheme, enum family *family, int *hash)
{
	int high = scheme >> 8, low = scheme & 0xff;

	*family = high == 8 ? PSS : low == 3 ? ECDSA : PKCS1;
	*hash = (high == 8 ? low : high) - 4;
	for (int i = 0; i < SCHEMES; i++)
		if (signature_schemes[i] == scheme)
			return true;
	return false;
}

/* Remove the mask of MGF1 (RFC 8017 §B.2.1), which is made of a digest.  Fewer
 * than 256 digests are needed. */
static void
unmask(const br_hash_class *h, const uint8_t *digest, uint8_t *bytes,
    size_t size)
{
	uint8_t seed[DIGEST_MOST + 4], mask[DIGEST_MOST];
	size_t n = secret_size(h);

	memcpy(seed, digest, n);
	memset(seed + n, 0, 4);
	for (size_t i = 0; i < size; i++) {
		if (i % n == 0) {
			seed[n + 3] = (uint8_t)(i / n);
			secret_digest(h, seed, n + 4, mask);
		}
		bytes[i] ^= mask[i % n];
	}
}

/* Is it an encoded digest (RFC 8017 §9.1.2)? em has size bytes, of which unused
 * bits in front must be 0. */
static bool
encodes(const br_hash_class *h, const uint8_t *digest, uint8_t *em,
    size_t size, int unused)
{
	size_t n = secret_size(h), data = size - n - 1, salt = data - n;
	uint8_t front = (uint8_t)(0xff >> unused), expected[DIGEST_MOST];
	uint8_t signed_[PSS_ZEROS + 2 * DIGEST_MOST] = { 0 };

	if (em[size - 1] != PSS_END || (em[0] & ~front) != 0)
		return false;
	unmask(h, em + data, em, data);
	em[0] &= front;
	for (size_t i = 0; i < salt; i++)
		if (em[i] != (i == salt - 1))
			return false;
	memcpy(signed_ + PSS_ZEROS, digest, n);
	memcpy(signed_ + PSS_ZEROS + n, em + salt, n);
	secret_digest(h, signed_, PSS_ZEROS + 2 * n, expected);
	return memcmp(expected, em + data, n) == 0;
}

bool
signature_pss(const struct signature *s, const br_rsa_public_key *key,
    const br_hash_class *h, const uint8_t *digest)
{
	uint8_t em[SIGNATURE_MOST];
	const uint8_t *n = key->n;
	size_t size = key->nlen;
	int unused = 1; /* bits: the code has one less than the modulus */

	while (size > 0 && *n == 0) {
		n++;
		size--;
	}
	if (size != s->size || size > sizeof(em) ||
	    size < 2 * secret_size(h) + 3)
		return false;
	memcpy(em, s->bytes, size);
	if (!br_rsa_i31_public(em, size, key))
		return false;
	for (int top = *n; top < 0x80; top <<= 1)
		unused++;
	if (unused < 8)
		return encodes(h, digest, em, size, unused);
	/* The modulus begins with a bit alone: then the code has no bit in the
	 * first byte. */
	return em[0] == 0 && encodes(h, digest, em + 1, size - 1, 0);
}

enum fault
signature_check(const struct signature *s, uint16_t version,
    const br_x509_pkey *key, const uint8_t *bytes, size_t size)
{
	static const unsigned char *const oids[] = { BR_HASH_OID_SHA256,
		BR_HASH_OID_SHA384, BR_HASH_OID_SHA512 };
	const br_hash_class *h;
	enum family family;
	int hash;
	uint8_t digest[DIGEST_MOST], said[DIGEST_MOST];
	bool good;

	if (!read_scheme(s->scheme, &family, &hash) ||
	    (version == TLS_1_3 && family == PKCS1) ||
	    (family == ECDSA) != (key->key_type == BR_KEYTYPE_EC))
		return FAULT_SCHEME;
	/* In TLS 1.3 each scheme of ECDSA has its curve. */
	if (version == TLS_1_3 && family == ECDSA &&
	    key->key.ec.curve != GROUP_P256 + hash)
		return FAULT_SCHEME;
	h = secret_hash(br_sha256_ID + hash);
	secret_digest(h, bytes, size, digest);
	if (family == ECDSA)
		good = br_ecdsa_i31_vrfy_asn1(&br_ec_prime_i31, digest,
		    secret_size(h), &key->key.ec, s->bytes, s->size);
	else if (family == PSS)
		good = signature_pss(s, &key->key.rsa, h, digest);
	else
		good = br_rsa_i31_pkcs1_vrfy(s->bytes, s->size, oids[hash],
			   secret_size(h), &key->key.rsa, said) &&
		    memcmp(said, digest, secret_size(h)) == 0;
	return good ? FAULT_NONE : FAULT_SIGNATURE;
}
