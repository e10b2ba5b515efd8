/*
 * secret.h - secrets made of secrets: hashes, MACs and the key schedule.
 */
#ifndef SECRET_H
#define SECRET_H

#include "core/wipe.h"

#include <bearssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SECRET_MOST = 48, /* bytes of a secret: those of SHA-384 */
	DIGEST_MOST = 64, /* bytes of a digest: those of SHA-512 */
	LABEL_MOST = 40	  /* bytes of a label; NTS has one of 30 */
};

/* The hash of that number, which is one of br_sha256_ID, br_sha384_ID and
 * br_sha512_ID; and the bytes of its digest. */
const br_hash_class *secret_hash(int id);
size_t secret_size(const br_hash_class *);

/* The digest of size bytes. */
void secret_digest(
    const br_hash_class *, const void *bytes, size_t size, uint8_t *digest);

/* The HMAC of size bytes (RFC 2104), which is also HKDF-Extract (RFC 5869),
 * where the key is the salt.  Key and result are as long as a digest. */
void secret_mac(const br_hash_class *, const uint8_t *key, const void *bytes,
    size_t size, uint8_t *mac);

/* HKDF-Expand-Label (RFC 8446 §7.1).  The secret is as long as a digest, the
 * context at most as long as one, and size, which is what is wanted, too. */
void secret_expand(const br_hash_class *, const uint8_t *secret,
    const char *label, const uint8_t *context, size_t context_size,
    uint8_t *out, size_t size);

/* The same with a digest as context and a secret as result, which may stand in
 * the place of the old one: Derive-Secret. */
void secret_derive(const br_hash_class *, const uint8_t *secret,
    const char *label, const uint8_t *digest, uint8_t *out);

/* The next of the stages early, handshake and master, in the place of the one
 * before: HKDF-Extract of its "derived" with the input of that stage. */
void secret_next(const br_hash_class *, uint8_t *secret, const uint8_t *input,
    size_t size);

#endif
