/*
 * signature.c - what signature.c promises: it believes the owner of the key
 * and nobody else, in the schemes that were offered.
 *
 * That of RFC 8448 is of a key of 1024 bits.  The other keys and signatures
 * were made for this test, of sizes around a whole byte.
 */
#include "tests/tls/rfc8448.h"
#include "tls/exchange.h"
#include "tls/signature.h"

struct pss {
	uint16_t scheme;
	const char *modulus, *signature;
};

/* Each signs "TLS". */
static const struct pss good[] = {
	{ 0x0804,
	    "c4b8b3ead7e53c53fae4d905a9a7412ca28966e04d43be0207de6e7b44d3e9aae9"
	    "795b847fd29bbafc3ad9eaad95ca68a7b6da080c39d08a90483ca7fb5b135a0d8e"
	    "a2bf767fddd15413229e4da694d2991ece033e18b65ac5b785c0dbbc9c12eb6124"
	    "3d2efd93e657bfbe0945b335331855f4f7d0c27f15005bc934d3ceae5b69130a72"
	    "694e4e413ee9f98efe0d780aed09ad6fe3a6096ba4448488fddf3e87ef3d17a1f1"
	    "01de096d067a7ccb3e6fb11880e780b5348fefb45dbb86321dc00a379519a25cf3"
	    "46089fa7a2a6f889fa02d40edfc1dc3cc570447c3c52b4b3563b1ef7a3a1736ab4"
	    "16ad20b717ceb4c8d7d631df153624a3a813e04be72d9e6667",
	    "5e2789eb0b8f0c481a4bedebeb21fef0ac2ee044e9336e1b05924817e5cee7029c"
	    "f5ce457bad48e70d96ad7a7e6469e78daf356367bd82ed69475fec416e3bceb432"
	    "982dc2e7b8dc0da567a2091cacc4a96ff6619ee432f90c0a8f8ee799d6d28697cb"
	    "91399866f9bcbfb020b55dbf5d67a5b31055a1c26c9dab93d746becaf32ca60399"
	    "d769aa34997011b7372a90ab74c0985796ebc8b97c52b2d45236129ce2dfbab41e"
	    "1ece099891d6bcfeeed71b558145d7a00c0c511792edf5b22d9ed5ef7deb9de2da"
	    "5666eb1f54e36dfb6f009363f99163ebae99a8f655455ab9ae296cad411fd25a82"
	    "d5ed31d89ab84065c5a06185a85c2ee93381f468fef0c9dd9b" },
	{ 0x0805,
	    "00bee83e7d13a1c0e391a35320ee20ed98d72fff752f7e09943de5c9ef2f668c9e"
	    "3dfdfa2b4d44cb9e20cf0e339bb600a9d04448a04a075515919d934665a62eedb8"
	    "fb664ef64d1a116d050c8e6635d57ee1c6b906b2792627023659116c4db6aa6064"
	    "34656724692287be0ee9ad7a1307da1ff0398e5e1b450e6bf45219f205ff48e9b9"
	    "54395a93b33fccebb482e9eb6d374bf728adec886dd8bea7a609a29e76b5818595"
	    "f4788a3f065fe4572fd688891e6c3c50087a326bd21aeed6546701235bb0c1984d"
	    "4144a7f89c4385929ff8d51da8212a3366a44dac09aa3b5d53131e91672613174c"
	    "07098936e47bff70fed0803568d04d3cc12c44c216e0f2c5bd63",
	    "b04edf6724c373ba5c9201c908dc2c93901a354cefc2a889c4b25e22192bfec7b7"
	    "46c0e6160b4948d4119bec4f2179325f030fcaab81c562246f0683fe644b911869"
	    "440bad4c9f413ea6e266fa7a53a683f451367a3ce8a96edbca5b150ed10dbe0d81"
	    "6ff3dfe04d6cf4de24d9b5d65e09065950e57d79706bbc8b70d618afa0f5ddd04b"
	    "e38ff67c5fa1b9c5017ec967c42a42ca6852ba862ca117973570df33d194e185f9"
	    "95721e2b9b9ea376399358ed02f52809f39c176ea55e44b5eb7a84899a5538d5c8"
	    "b3cfb5fe3020138c00854b846c10af0f5fba2b6a0cef5e1bcd3572f5ce04b68aca"
	    "d47a607590b4f639bc06cbb89665f164fd236ae6a98e0d0f97" },
	{ 0x0806,
	    "2a137edb313d31b99df98ce76bf9fefb9d771a353016af10a2c70ebabed25ace98"
	    "33f319a5ee8baf8a7a9e58b73ed003a32baa36d51a4817e7c2c8736badb909152e"
	    "b6f6873996d2c8761fb79c4fbefe23f82ead9aeefcf3951d0e38d96e04d2ec5091"
	    "8bf9653b17bd58e6ce290fe8771c13095c7fcd4950eb62ed5d2ba63e0f94ab40ff"
	    "f583d55281e1818ce4030a4d3a957254177f772c3cc51fd8a859fa9bc4d136b481"
	    "e944430e3b737ae00bfd4dede352ed86c98841d31522d6e8638496625784731690"
	    "c10e57d40636ca72f2819f9a98c7c9e47ded25af752afe788a79f0fbc23556221e"
	    "f4445bd79158ee1ac0df7c3d12ed2aca441a1735296ee96f60a9",
	    "01f17ecdcb99515d90ed27c8f1029c7c94415311e929bba8d8c70b0ffddaf17d95"
	    "691a90b567a90b9f7d10975a21467dce93880a195f2e35d5bf51d42d2fd91363f3"
	    "ff342fee880281c7700a93e27c771690c621ca7d63b1d537b8798b67e66e414ad8"
	    "dfa3a0930fb59c4c16ae081c4257151964bab3b34a12369cedc5a86bcb1049b42e"
	    "bdfc5bae7ea3b50de62ec98d4f493ca307ee61b7a258be5fc9d266ea32d7ede60d"
	    "2903eb577f355b5622dea094b5514035d593a0f57f209d6fa284ff6b39991634dd"
	    "b64058b55a7f6e14f96be2356b2c988b4f1a78dcd1caca41def6d008a2ff7cf0a1"
	    "abc37ff8e237b7af5aec5344008220e59c222678d4e3774ba0a3" },
	{ 0x0804,
	    "8f6c12fd8ebb8f8ec801355d582a77d8a8bb9c65618021bea8e097a946f0812355"
	    "e723aad5e48111fbf41f90d3a1c29082a4d02484c1d850d04f6e47a67d09a08640"
	    "f90489df8d601524845549091699b212f415a2924e4b9a2c934e6c0f5839eeda12"
	    "b964c9579f04879a04553597837e13c3eb575d3806518477cb03e453b4f8de3477"
	    "84765edd60d501d65f8070ecb4b2f37c7727ef4360f145d63a6b998b9579d93155"
	    "beea3f178a118fb4ddb03ea5b87300c773742fb92fbc1da4fafb6485fc20796a34"
	    "35d8aa0a64eb0ab383506c9ba067759082b0a623801eab7aec50884c1884b5c757"
	    "901e002e078a5eb9ed9c808018e45f0036c1ec3dc022afb10bdb",
	    "21049baa0ba974455ebf35d4fb7b6cb6064f545f1bd21221244bfdf1f3cd10b6a7"
	    "eda8f280f77b5dc3f5b3a08f0f1959f811c4440e2310f0759127b3890aa9d8fd8c"
	    "412fb75a66f8039e66a62e702d7b4aed851ab0501ceddfd51b8188e2a9b9de93a2"
	    "0e6ea2cf948785a154f76941da91b2d80cfeec869d62322e6ff2bc213aab81de3a"
	    "075c2bbd1ef3d44044b2c72a7aa805438dd2a0da01acafb055994338e608f3441d"
	    "49e3ed2adf8deaaff4109b4fb4bbb94b8fed956c418c906c24177fd6d8363f9e5d"
	    "4b2a574f59ff4a79a51fdd93a637eb6732d76425043183fe8f951feceeef6d4068"
	    "b62585d959355717173dd2eb232317508b1464d185fe851bbb8a" },
};

/* Its salt has 20 bytes instead of 32. */
static const struct pss short_salt = { 0x0804,
	    "a99340af23923e322714f080e6ad8c6be4b85fbb293346a374bc658515e64776b8"
	    "e1ddb56831a37a37f23b6c5b0b9e08b18bc0244cf16c53e42ff078f2224e1dea9c"
	    "c12a62f89779e4c392fa9ed1b4c1bbfb237eca4c01df718f2fe6b00631c98fdfd0"
	    "0091db6f5a36d7543bfb9d3474ef6acd30323abc4c1891070a1b8a016b7ab10bf7"
	    "2db72f3cd2ebc77394002a8b060adfbf31acf684e45585476b5233cf37565e6ee8"
	    "b76094d32dd3aab98eada0e438411001335a5a69355f8e963bc317b0dbc007fdff"
	    "2e0012152e039d73ee6c4448497325ee84ac1f14abd557aef8fefe79f194e6555d"
	    "1887a10e916db322ef49877b6be0a0382ab67a663388a57e33",
	    "2dc3d6b7aa0129d0736b19bb8b8f3098c6ee51f1259c6647ac04b0daa79bb69509"
	    "7dc2ae6021e2a0431994285a99e4763c3a5387faf379477b69c8e89e8691cfcc28"
	    "a1966b9d91fd413ca9e6a373a043e4fff66e414823b3ac4f1869723d625bf827cf"
	    "27b59d9da8b72235088db220dc587b62d7327df87dd48ec3d93cb816234cdbf782"
	    "7e3516a7b68919d79f05d664c22f82b90368148cfa1e312d7f51ec4c62a704fdf9"
	    "7570a3eab2e3502aa0e89c5c8827f76afeecd65991267c5213de245dcdc907dec4"
	    "254f641cf10942526e6e6060297fe6ee16c417cb6cc20111d09b442bbdf7b94334"
	    "c1c546d9fcf0d152deb372be7dc28b64c317e89f529e4ebf76" };

static uint8_t modulus[600], exponent[3] = { 1, 0, 1 };

static br_x509_pkey
key_of(const char *hex)
{
	br_x509_pkey key = { .key_type = BR_KEYTYPE_RSA };

	key.key.rsa.n = modulus;
	key.key.rsa.nlen = unhex(hex, modulus);
	key.key.rsa.e = exponent;
	key.key.rsa.elen = sizeof exponent;
	return key;
}

static enum fault
check(const br_x509_pkey *key, const struct signature *s)
{
	return signature_check(s, TLS_1_3, key, (const uint8_t *)"TLS", 3);
}

static void
pss_is_believed_at_every_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(good); i++) {
		br_x509_pkey key = key_of(good[i].modulus);
		struct signature s = { .scheme = good[i].scheme };

		s.size = unhex(good[i].signature, s.bytes);
		assert_int_equal(check(&key, &s), FAULT_NONE);
		/* A number may have zeros in front. */
		memmove(modulus + 3, modulus, key.key.rsa.nlen);
		memset(modulus, 0, 3);
		key.key.rsa.nlen += 3;
		assert_int_equal(check(&key, &s), FAULT_NONE);
	}
}

static void
changed_pss_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(good); i++) {
		br_x509_pkey key = key_of(good[i].modulus);
		struct signature s = { .scheme = good[i].scheme };

		s.size = unhex(good[i].signature, s.bytes);
		for (size_t k = 0; k < s.size; k += 7) {
			s.bytes[k] ^= (uint8_t)(1 << k % 8);
			assert_int_equal(
			    check(&key, &s), FAULT_SIGNATURE);
			s.bytes[k] ^= (uint8_t)(1 << k % 8);
		}
		s.size--;
		assert_int_equal(check(&key, &s), FAULT_SIGNATURE);
		s.size += 2;
		assert_int_equal(check(&key, &s), FAULT_SIGNATURE);
		s.size = 0;
		assert_int_equal(check(&key, &s), FAULT_SIGNATURE);
		s.size = unhex(good[i].signature, s.bytes);
		s.scheme = s.scheme == 0x0804 ? 0x0805 : 0x0804;
		assert_int_equal(check(&key, &s), FAULT_SIGNATURE);
	}
}

static void
salt_of_another_length_is_refused(void **state)
{
	br_x509_pkey key = key_of(short_salt.modulus);
	struct signature s = { .scheme = short_salt.scheme };

	(void)state;
	s.size = unhex(short_salt.signature, s.bytes);
	assert_int_equal(check(&key, &s), FAULT_SIGNATURE);
}

static void
that_of_the_rfc_is_believed(void **state)
{
	uint8_t content[256], digest[32];
	br_x509_pkey key = { .key_type = BR_KEYTYPE_RSA };
	struct signature s = { .scheme = 0x0804 };
	size_t size;

	(void)state;
	key.key.rsa.n = modulus;
	key.key.rsa.nlen = rfc("rsa_n", modulus);
	key.key.rsa.e = exponent;
	key.key.rsa.elen = sizeof exponent;
	size = rfc("certificate_verify", s.bytes) - 8;
	memmove(s.bytes, s.bytes + 8, size);
	s.size = size;
	size = rfc("verify_content", content);
	assert_int_equal(signature_check(&s, TLS_1_3, &key, content, size),
	    FAULT_NONE);
	secret_digest(&br_sha256_vtable, content, size, digest);
	assert_true(signature_pss(&s, &key.key.rsa, &br_sha256_vtable, digest));
	digest[0] ^= 1;
	assert_false(
	    signature_pss(&s, &key.key.rsa, &br_sha256_vtable, digest));
	/* A key that is too short for the digest must not be read beyond. */
	key.key.rsa.nlen = s.size = 66;
	assert_false(
	    signature_pss(&s, &key.key.rsa, &br_sha256_vtable, digest));
}

/* A signature by P-256, P-384 or P-521 with the hash of a scheme. */
static void
sign(int curve, uint16_t scheme, struct signature *s, br_x509_pkey *key)
{
	static uint8_t scalar[66] = { [31] = 7 }, point[133];
	br_ec_private_key private = { curve, scalar, 32 };
	uint8_t digest[64];
	const br_hash_class *h = secret_hash((scheme >> 8));

	memset(key, 0, sizeof *key);
	key->key_type = BR_KEYTYPE_EC;
	key->key.ec.curve = curve;
	key->key.ec.q = point;
	key->key.ec.qlen =
	    br_ec_prime_i31.mulgen(point, scalar, 32, curve);
	secret_digest(h, "TLS", 3, digest);
	s->scheme = scheme;
	s->size = br_ecdsa_i31_sign_asn1(
	    &br_ec_prime_i31, h, digest, &private, s->bytes);
	assert_true(s->size > 0);
}

static void
ecdsa_has_its_curve_in_1_3_only(void **state)
{
	(void)state;
	for (int curve = GROUP_P256; curve <= GROUP_P521; curve++)
		for (uint16_t scheme = 0x0403; scheme <= 0x0603;
		     scheme += 0x100) {
			struct signature s;
			br_x509_pkey key;
			bool fits = curve - GROUP_P256 == (scheme >> 8) - 4;

			sign(curve, scheme, &s, &key);
			assert_int_equal(signature_check(&s, TLS_1_2, &key,
			    (const uint8_t *)"TLS", 3), FAULT_NONE);
			assert_int_equal(signature_check(&s, TLS_1_3, &key,
			    (const uint8_t *)"TLS", 3),
			    fits ? FAULT_NONE : FAULT_SCHEME);
			assert_int_equal(signature_check(&s, TLS_1_2, &key,
			    (const uint8_t *)"TLs", 3), FAULT_SIGNATURE);
			s.size = 0;
			assert_int_equal(signature_check(&s, TLS_1_2, &key,
			    (const uint8_t *)"TLS", 3), FAULT_SIGNATURE);
		}
}

static void
schemes_that_were_not_offered_are_refused(void **state)
{
	(void)state;
	for (unsigned scheme = 0; scheme < 0x10000; scheme++) {
		struct signature s = { .scheme = (uint16_t)scheme };
		br_x509_pkey rsa = key_of(good[0].modulus), ec;
		bool known = false, pkcs1 = (scheme & 0xff) == 1;

		for (int i = 0; i < SCHEMES; i++)
			known |= signature_schemes[i] == scheme;
		if (!known || pkcs1)
			assert_int_equal(signature_check(&s, TLS_1_3, &rsa,
			    NULL, 0), FAULT_SCHEME);
		if (known)
			continue;
		memset(&ec, 0, sizeof ec);
		ec.key_type = BR_KEYTYPE_EC;
		assert_int_equal(signature_check(&s, TLS_1_2, &ec, NULL, 0),
		    FAULT_SCHEME);
		assert_int_equal(signature_check(&s, TLS_1_2, &rsa, NULL, 0),
		    FAULT_SCHEME);
	}
}

/* The key is of the other kind. */
static void
scheme_must_fit_the_key(void **state)
{
	struct signature s;
	br_x509_pkey key, rsa;

	(void)state;
	sign(GROUP_P256, 0x0403, &s, &key);
	rsa = key_of(good[0].modulus);
	assert_int_equal(signature_check(&s, TLS_1_2, &rsa,
	    (const uint8_t *)"TLS", 3), FAULT_SCHEME);
	s.scheme = 0x0401;
	assert_int_equal(signature_check(&s, TLS_1_2, &key,
	    (const uint8_t *)"TLS", 3), FAULT_SCHEME);
	s.scheme = 0x0804;
	assert_int_equal(signature_check(&s, TLS_1_3, &key,
	    (const uint8_t *)"TLS", 3), FAULT_SCHEME);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pss_is_believed_at_every_size),
		cmocka_unit_test(changed_pss_is_refused),
		cmocka_unit_test(salt_of_another_length_is_refused),
		cmocka_unit_test(that_of_the_rfc_is_believed),
		cmocka_unit_test(ecdsa_has_its_curve_in_1_3_only),
		cmocka_unit_test(schemes_that_were_not_offered_are_refused),
		cmocka_unit_test(scheme_must_fit_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
