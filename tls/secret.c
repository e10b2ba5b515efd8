/*
 * secret.c - secrets made of secrets: hashes, MACs and the key schedule of TLS
 * 1.3 (RFC 8446 §7.1).
 *
 * Nothing that is expanded here is longer than a digest.  So the first block of
 * HKDF-Expand is enough, which is one HMAC.
 */
#include "tls/secret.h"

#include <string.h>

const br_hash_class *
secret_hash(int id)
{
	return id == br_sha256_ID ? &br_sha256_vtable :
	    id == br_sha384_ID	  ? &br_sha384_vtable :
				    &br_sha512_vtable;
}

size_t
secret_size(const br_hash_class *h)
{
	return h->desc >> BR_HASHDESC_OUT_OFF & BR_HASHDESC_OUT_MASK;
}

void
secret_digest(
    const br_hash_class *h, const void *bytes, size_t size, uint8_t *digest)
{
	br_hash_compat_context c;

	h->init(&c.vtable);
	h->update(&c.vtable, bytes, size);
	h->out(&c.vtable, digest);
}

/* Compute an HMAC of which only the first bytes are wanted. */
static void
mac(const br_hash_class *h, const uint8_t *key, const void *bytes, size_t size,
    uint8_t *out, size_t wanted)
{
	br_hmac_key_context k;
	br_hmac_context c;

	br_hmac_key_init(&k, h, key, secret_size(h));
	br_hmac_init(&c, &k, wanted);
	br_hmac_update(&c, bytes, size);
	(void)br_hmac_out(&c, out);
	secret_wipe(&k, sizeof(k));
	secret_wipe(&c, sizeof(c));
}

void
secret_mac(const br_hash_class *h, const uint8_t *key, const void *bytes,
    size_t size, uint8_t *out)
{
	mac(h, key, bytes, size, out, 0);
}

void
secret_expand(const br_hash_class *h, const uint8_t *secret, const char *label,
    const uint8_t *context, size_t context_size, uint8_t *out, size_t size)
{
	static const char prefix[6] = "tls13 ";
	uint8_t info[2 + 1 + sizeof(prefix) + LABEL_MOST + 1 + DIGEST_MOST + 1];
	size_t at = 0, label_size = strlen(label);

	info[at++] = 0;
	info[at++] = (uint8_t)size;
	info[at++] = (uint8_t)(sizeof(prefix) + label_size);
	memcpy(info + at, prefix, sizeof(prefix));
	at += sizeof(prefix);
	memcpy(info + at, label, label_size);
	at += label_size;
	info[at++] = (uint8_t)context_size;
	if (context_size > 0)
		memcpy(info + at, context, context_size);
	at += context_size;
	info[at++] = 1; /* the number of the block, RFC 5869 §2.3 */
	mac(h, secret, info, at, out, size);
}

void
secret_derive(const br_hash_class *h, const uint8_t *secret, const char *label,
    const uint8_t *digest, uint8_t *out)
{
	secret_expand(h, secret, label, digest, secret_size(h), out,
	    secret_size(h));
}

void
secret_next(
    const br_hash_class *h, uint8_t *secret, const uint8_t *input, size_t size)
{
	uint8_t nothing[DIGEST_MOST], salt[SECRET_MOST];

	secret_digest(h, NULL, 0, nothing);
	secret_derive(h, secret, "derived", nothing, salt);
	mac(h, salt, input, size, secret, 0);
	secret_wipe(salt, sizeof(salt));
}
