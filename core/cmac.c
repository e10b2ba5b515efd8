/*
 * cmac.c - AES-CMAC (RFC 4493).
 *
 * BearSSL has no function for one block of AES, but its counter mode, which TLS
 * needs anyway, gives that: the key stream for 16 zero bytes is the block that
 * is made of initial vector and counter, encrypted.
 */
#include "core/cmac.h"

#include <string.h>

static void
encrypt(const br_aes_ct64_ctr_keys *key, uint8_t block[static CMAC_SIZE])
{
	uint8_t in[CMAC_SIZE];

	memcpy(in, block, CMAC_SIZE);
	memset(block, 0, CMAC_SIZE);
	(void)br_aes_ct64_ctr_run(key, in,
	    (uint32_t)in[12] << 24 | (uint32_t)in[13] << 16 |
		(uint32_t)in[14] << 8 | in[15],
	    block, CMAC_SIZE);
}

void
cmac_double(uint8_t block[static CMAC_SIZE])
{
	uint8_t carry = block[0] >> 7;

	for (int i = 0; i < CMAC_SIZE - 1; i++)
		block[i] = (uint8_t)(block[i] << 1 | block[i + 1] >> 7);
	/* The polynomial is x^128 + x^7 + x^2 + x + 1. */
	block[CMAC_SIZE - 1] =
	    (uint8_t)(block[CMAC_SIZE - 1] << 1 ^ (0x87 & -carry));
}

void
cmac(const br_aes_ct64_ctr_keys *key, const uint8_t *bytes, size_t size,
    uint8_t mac[static CMAC_SIZE])
{
	uint8_t subkey[CMAC_SIZE] = { 0 }, sum[CMAC_SIZE] = { 0 };

	encrypt(key, subkey);
	cmac_double(subkey);
	for (; size > CMAC_SIZE; size -= CMAC_SIZE) {
		for (int i = 0; i < CMAC_SIZE; i++)
			sum[i] ^= *bytes++;
		encrypt(key, sum);
	}
	for (size_t i = 0; i < size; i++)
		sum[i] ^= bytes[i];
	if (size < CMAC_SIZE) {
		sum[size] ^= 0x80;
		cmac_double(subkey);
	}
	for (int i = 0; i < CMAC_SIZE; i++)
		sum[i] ^= subkey[i];
	encrypt(key, sum);
	memcpy(mac, sum, CMAC_SIZE);
}
