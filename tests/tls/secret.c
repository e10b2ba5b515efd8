/*
 * secret.c - what secret.c and message.c promise together: the key schedule
 * of RFC 8446, by the handshakes of RFC 8448.
 */
#include "tests/tls/rfc8448.h"
#include "tls/secret.h"

static const br_hash_class *const sha256 = &br_sha256_vtable;

/* The digest of some of the messages. */
static void
digest_of(const char *const *names, uint8_t *digest)
{
	uint8_t bytes[8192];
	size_t size = 0;

	for (; *names != NULL; names++)
		size += rfc(*names, bytes + size);
	secret_digest(sha256, bytes, size, digest);
}

static void
assert_derived(const uint8_t *secret, const char *label,
    const char *const *messages, const char *name)
{
	uint8_t digest[32], out[32];

	digest_of(messages, digest);
	secret_derive(sha256, secret, label, digest, out);
	assert_rfc(name, out, sizeof out);
}

static void
stages_follow_each_other(void **state)
{
	static const char *const hellos[] = { "client_hello", "server_hello",
		NULL };
	static const char *const all[] = { "client_hello", "server_hello",
		"encrypted_extensions", "certificate", "certificate_verify",
		"server_finished", NULL };
	uint8_t zeros[32] = { 0 }, secret[32], shared[32];

	(void)state;
	secret_mac(sha256, zeros, zeros, sizeof zeros, secret);
	assert_rfc("early_secret", secret, sizeof secret);
	assert_int_equal(rfc("shared_secret", shared), 32);
	secret_next(sha256, secret, shared, sizeof shared);
	assert_rfc("handshake_secret", secret, sizeof secret);
	assert_derived(secret, "c hs traffic", hellos, "c_hs_traffic");
	assert_derived(secret, "s hs traffic", hellos, "s_hs_traffic");
	secret_next(sha256, secret, zeros, sizeof zeros);
	assert_rfc("master_secret", secret, sizeof secret);
	assert_derived(secret, "c ap traffic", all, "c_ap_traffic");
	assert_derived(secret, "s ap traffic", all, "s_ap_traffic");
	assert_derived(secret, "exp master", all, "exporter_master");
}

static void
keys_come_of_secrets(void **state)
{
	static const struct {
		const char *secret, *key, *iv;
	} ways[] = { { "s_hs_traffic", "s_hs_key", "s_hs_iv" },
		{ "c_hs_traffic", "c_hs_key", "c_hs_iv" },
		{ "s_ap_traffic", "s_ap_key", "s_ap_iv" },
		{ "c_ap_traffic", "c_ap_key", "c_ap_iv" } };
	uint8_t secret[32], key[16], iv[12];

	(void)state;
	for (size_t i = 0; i < LEN(ways); i++) {
		(void)rfc(ways[i].secret, secret);
		secret_expand(sha256, secret, "key", NULL, 0, key, 16);
		assert_rfc(ways[i].key, key, 16);
		secret_expand(sha256, secret, "iv", NULL, 0, iv, 12);
		assert_rfc(ways[i].iv, iv, 12);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stages_follow_each_other),
		cmocka_unit_test(keys_come_of_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
