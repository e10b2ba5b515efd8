/*
 * siv.c - AEAD_AES_SIV_CMAC_256 (RFC 5297), made of AES-CMAC and counter mode.
 *
 * The tag is a MAC of all that is sealed, and also the initial vector.  So a
 * nonce that is used twice tells only that the same was sealed twice.
 */
#include "core/siv.h"
#include "core/cmac.h"
#include "core/wipe.h"

#include <string.h>

static void
add(uint8_t *to, const uint8_t *block)
{
	for (int i = 0; i < CMAC_SIZE; i++)
		to[i] ^= block[i];
}

/* S2V, RFC 5297 §2.4.  data is changed meanwhile. */
static void
authenticate(const uint8_t *key, const struct siv_piece *piece, int pieces,
    uint8_t *data, size_t size, uint8_t tag[static SIV_TAG])
{
	br_aes_ct64_ctr_keys aes;
	uint8_t sum[CMAC_SIZE] = { 0 }, block[CMAC_SIZE];

	br_aes_ct64_ctr_init(&aes, key, SIV_KEY / 2);
	cmac(&aes, sum, sizeof(sum), sum);
	for (; pieces > 0; pieces--, piece++) {
		cmac_double(sum);
		cmac(&aes, piece->bytes, piece->size, block);
		add(sum, block);
	}
	if (size >= CMAC_SIZE) {
		add(data + size - CMAC_SIZE, sum);
		cmac(&aes, data, size, tag);
		add(data + size - CMAC_SIZE, sum);
	} else {
		cmac_double(sum);
		for (size_t i = 0; i < size; i++)
			sum[i] ^= data[i];
		sum[size] ^= 0x80;
		cmac(&aes, sum, sizeof(sum), tag);
	}
	secret_wipe(&aes, sizeof(aes));
}

/* Encryption and decryption are the same.  Two bits of the tag are cleared
 * (RFC 5297 §2.6), so that a counter of 32 bits never overflows. */
static void
encrypt(const uint8_t *key, const uint8_t *tag, uint8_t *data, size_t size)
{
	br_aes_ct64_ctr_keys aes;
	uint8_t iv[SIV_TAG];

	memcpy(iv, tag, sizeof(iv));
	iv[8] &= 0x7f;
	iv[12] &= 0x7f;
	br_aes_ct64_ctr_init(&aes, key + SIV_KEY / 2, SIV_KEY / 2);
	(void)br_aes_ct64_ctr_run(&aes, iv,
	    (uint32_t)iv[12] << 24 | (uint32_t)iv[13] << 16 |
		(uint32_t)iv[14] << 8 | iv[15],
	    data, size);
	secret_wipe(&aes, sizeof(aes));
}

void
siv_seal(const uint8_t key[static SIV_KEY], const struct siv_piece *piece,
    int pieces, uint8_t *data, size_t size, uint8_t tag[static SIV_TAG])
{
	authenticate(key, piece, pieces, data, size, tag);
	encrypt(key, tag, data, size);
}

bool
siv_open(const uint8_t key[static SIV_KEY], const struct siv_piece *piece,
    int pieces, uint8_t *data, size_t size, const uint8_t tag[static SIV_TAG])
{
	uint8_t expected[SIV_TAG];

	encrypt(key, tag, data, size);
	authenticate(key, piece, pieces, data, size, expected);
	if (secret_same(expected, tag, SIV_TAG))
		return true;
	secret_wipe(data, size);
	return false;
}
