/*
 * suite.c - the cipher suites, and the protection that they give to a record.
 *
 * Only the sound ones are offered: AES-GCM and ChaCha20-Poly1305, in TLS 1.2
 * with a key exchange over elliptic curves (RFC 8446 §B.4, RFC 5289, RFC 7905).
 * ChaCha20 comes first, because it is fast without help of the processor.
 * BearSSL's portable constant-time code does the work.
 */
#include "tls/suite.h"
#include "tls/secret.h"

const struct suite suites[SUITES] = {
	{ 0x1303, TLS_1_3, CIPHER_CHACHA, br_sha256_ID, 0 },
	{ 0x1301, TLS_1_3, CIPHER_AES_128, br_sha256_ID, 0 },
	{ 0x1302, TLS_1_3, CIPHER_AES_256, br_sha384_ID, 0 },
	{ 0xcca9, TLS_1_2, CIPHER_CHACHA, br_sha256_ID, BR_KEYTYPE_EC },
	{ 0xcca8, TLS_1_2, CIPHER_CHACHA, br_sha256_ID, BR_KEYTYPE_RSA },
	{ 0xc02b, TLS_1_2, CIPHER_AES_128, br_sha256_ID, BR_KEYTYPE_EC },
	{ 0xc02f, TLS_1_2, CIPHER_AES_128, br_sha256_ID, BR_KEYTYPE_RSA },
	{ 0xc02c, TLS_1_2, CIPHER_AES_256, br_sha384_ID, BR_KEYTYPE_EC },
	{ 0xc030, TLS_1_2, CIPHER_AES_256, br_sha384_ID, BR_KEYTYPE_RSA },
};

const struct suite *
suite_find(uint16_t number)
{
	for (int i = 0; i < SUITES; i++)
		if (suites[i].number == number)
			return &suites[i];
	return NULL;
}

size_t
suite_key_size(const struct suite *s)
{
	return s->cipher == CIPHER_AES_128 ? 16 : 32;
}

/* Encrypt (1) or decrypt (0), and compute the tag. */
static void
run(const struct suite_seal *s, uint8_t *bytes, size_t size, uint8_t *tag,
    int encrypt)
{
	br_aes_ct64_ctr_keys aes;
	br_gcm_context gcm;

	if (s->suite->cipher == CIPHER_CHACHA) {
		br_poly1305_ctmul_run(s->key, s->nonce, bytes, size, s->beside,
		    s->beside_size, tag, br_chacha20_ct_run, encrypt);
		return;
	}
	br_aes_ct64_ctr_init(&aes, s->key, suite_key_size(s->suite));
	br_gcm_init(&gcm, &aes.vtable, br_ghash_ctmul64);
	br_gcm_reset(&gcm, s->nonce, SUITE_NONCE);
	br_gcm_aad_inject(&gcm, s->beside, s->beside_size);
	br_gcm_flip(&gcm);
	br_gcm_run(&gcm, encrypt, bytes, size);
	br_gcm_get_tag(&gcm, tag);
	secret_wipe(&aes, sizeof(aes));
	secret_wipe(&gcm, sizeof(gcm));
}

void
suite_seal(
    const struct suite_seal *s, uint8_t *bytes, size_t size, uint8_t *tag)
{
	run(s, bytes, size, tag, 1);
}

bool
suite_open(
    const struct suite_seal *s, uint8_t *bytes, size_t size, const uint8_t *tag)
{
	uint8_t expected[SUITE_TAG];

	run(s, bytes, size, expected, 0);
	return secret_same(expected, tag, SUITE_TAG);
}
