/*
 * suite.h - the cipher suites, and the protection that they give to a record.
 */
#ifndef SUITE_H
#define SUITE_H

#include <bearssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The versions of TLS, as they are written in messages. */
enum { TLS_1_2 = 0x0303, TLS_1_3 = 0x0304 };

enum cipher { CIPHER_AES_128, CIPHER_AES_256, CIPHER_CHACHA };

enum {
	SUITE_KEY_MOST = 32, /* bytes of the longest key */
	SUITE_NONCE = 12,    /* bytes of every nonce, RFC 5116 §5 */
	SUITE_TAG = 16	     /* bytes that are added to what is protected */
};

struct suite {
	uint16_t number, version;
	uint8_t cipher; /* an enum cipher */
	uint8_t hash;	/* br_sha256_ID or br_sha384_ID */
	uint8_t signer; /* BR_KEYTYPE_..., which TLS 1.2 names in its suites */
};

/* The suites that are offered, in the order of preference. */
enum { SUITES = 9 };
extern const struct suite suites[SUITES];

/* The suite of that number; NULL if it is not offered. */
const struct suite *suite_find(uint16_t number);

/* The bytes of its key. */
size_t suite_key_size(const struct suite *);

/* What is needed to protect some bytes: a key, a nonce that was never used with
 * it, and what is vouched for beside the bytes themselves. */
struct suite_seal {
	const struct suite *suite;
	const uint8_t *key, *nonce, *beside;
	size_t beside_size;
};

/* Encrypt size bytes in place, and write the tag of SUITE_TAG bytes. */
void suite_seal(const struct suite_seal *, uint8_t *bytes, size_t size,
    uint8_t *tag);

/* Decrypt size bytes in place.  False if they, their tag or what stands beside
 * them were changed; then the bytes mean nothing. */
bool suite_open(const struct suite_seal *, uint8_t *bytes, size_t size,
    const uint8_t *tag);

#endif
