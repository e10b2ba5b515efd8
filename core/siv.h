/*
 * siv.h - AEAD_AES_SIV_CMAC_256 (RFC 5297), which NTS must have.
 */
#ifndef SIV_H
#define SIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIV_KEY = 32, SIV_TAG = 16 };

/* Bytes that are authenticated, but not encrypted.  There may be several
 * pieces; a nonce is the last of them. */
struct siv_piece {
	const uint8_t *bytes;
	size_t size;
};

/* Encrypt size bytes in place; the tag comes out. */
void siv_seal(const uint8_t key[static SIV_KEY], const struct siv_piece *,
    int pieces, uint8_t *data, size_t size, uint8_t tag[static SIV_TAG]);

/* Decrypt size bytes in place.  False: something was changed on the way, and
 * the bytes are zero now. */
bool siv_open(const uint8_t key[static SIV_KEY], const struct siv_piece *,
    int pieces, uint8_t *data, size_t size, const uint8_t tag[static SIV_TAG]);

#endif
