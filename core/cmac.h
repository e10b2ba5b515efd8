/*
 * cmac.h - AES-CMAC (RFC 4493).
 */
#ifndef CMAC_H
#define CMAC_H

#include <bearssl.h>
#include <stddef.h>
#include <stdint.h>

enum { CMAC_SIZE = 16 };

/* The MAC of size bytes.  br_aes_ct64_ctr_init has made the key of 16 or 32
 * bytes, and secret_wipe ends it. */
void cmac(const br_aes_ct64_ctr_keys *, const uint8_t *bytes, size_t size,
    uint8_t mac[static CMAC_SIZE]);

/* Multiply by x in GF(2^128), which makes subkeys: "dbl" of RFC 5297 §2.3. */
void cmac_double(uint8_t block[static CMAC_SIZE]);

#endif
