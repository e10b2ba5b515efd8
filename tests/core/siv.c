/*
 * siv.c - what siv.c promises: the examples of RFC 5297, the shapes that NTS
 * has, and that nothing changed is opened.
 */
#include "core/siv.h"
#include "tests/test.h"

/* Both examples of RFC 5297, appendix A. */
static const struct {
	const char *key, *piece[3], *plain, *tag, *cipher;
} examples[] = {
	{ "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
	    { "101112131415161718191a1b1c1d1e1f2021222324252627" },
	    "112233445566778899aabbccddee", "85632d07c6e8f37f950acd320a2ecc93",
	    "40c02b9690c4dc04daef7f6afe5c" },
	{ "7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f",
	    { "00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa9988"
	      "7766554433221100",
		"102030405060708090a0", "09f911029d74e35bd84156c5635688c0" },
	    "7468697320697320736f6d6520706c61696e7465787420746f20656e63727970"
	    "74207573696e67205349562d414553",
	    "7bdb6e3b432667eb06f4d14bff2fbd0f",
	    "cb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3f748ba8af829"
	    "ea64ad544a272e9c485b62a3fd5c0d" },
};

/* Shapes that packets of NTS have, computed with another implementation.  Of
 * the bytes that are encrypted only the last, at most 16, are here. */
static const struct {
	size_t piece, nonce, plain;
	const char *tag, *last;
} shapes[] = {
	{ 48, 16, 16, "f0a553164efb3108a098af84d053dc91",
	    "cc2074f79d7766d6d58fbdfc52b3e555" },
	{ 228, 16, 104, "0f63af1306d07c3cc15d57d5dc0e7c28",
	    "5fe2cf10550b7fceb147bccbf9112061" },
	{ 100, 16, 832, "a80ef4f63a1a99b4217c7b589aad5cc3",
	    "3120336d3bae60e2982c5a2c765da626" },
	{ 0, 16, 15, "eec4254d6f7d9bca1d021eecf6338bb0",
	    "96a4c710759fd0f61e0a9ff8e21dce" },
	{ 16, 12, 17, "3f7774db6d197ad8191652a9b049b2c9",
	    "95271925530844e2177005f6af0e9d04" },
	{ 1, 1, 1, "3dac6585f33d3de55f4cf13283097f16", "79" },
};

static void
examples_of_the_rfc_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(examples); i++) {
		uint8_t key[SIV_KEY], tag[SIV_TAG], wanted[64], data[64], ad[3][64];
		struct siv_piece pieces[3];
		size_t size = unhex(examples[i].plain, data);
		int n;

		(void)unhex(examples[i].key, key);
		for (n = 0; n < 3 && examples[i].piece[n] != NULL; n++)
			pieces[n] = (struct siv_piece){ ad[n],
				unhex(examples[i].piece[n], ad[n]) };
		siv_seal(key, pieces, n, data, size, tag);
		assert_int_equal(unhex(examples[i].tag, wanted), SIV_TAG);
		assert_memory_equal(tag, wanted, SIV_TAG);
		assert_int_equal(unhex(examples[i].cipher, wanted), size);
		assert_memory_equal(data, wanted, size);
		assert_true(siv_open(key, pieces, n, data, size, tag));
		(void)unhex(examples[i].plain, wanted);
		assert_memory_equal(data, wanted, size);
	}
}

static void
fill(uint8_t *bytes, size_t size, size_t first, unsigned step)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(first + i * step);
}

static void
shapes_of_nts_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(shapes); i++) {
		uint8_t key[SIV_KEY], tag[SIV_TAG], wanted[16];
		uint8_t piece[256], nonce[16], data[832], plain[832];
		const struct siv_piece pieces[] = { { piece, shapes[i].piece },
			{ nonce, shapes[i].nonce } };
		size_t size = shapes[i].plain, last;

		fill(key, sizeof key, 0, 1);
		fill(piece, sizeof piece, shapes[i].piece, 7);
		fill(nonce, sizeof nonce, 1, 5);
		fill(data, sizeof data, 2, 3);
		memcpy(plain, data, sizeof plain);
		siv_seal(key, pieces, 2, data, size, tag);
		(void)unhex(shapes[i].tag, wanted);
		assert_memory_equal(tag, wanted, SIV_TAG);
		last = unhex(shapes[i].last, wanted);
		assert_memory_equal(data + size - last, wanted, last);
		assert_true(siv_open(key, pieces, 2, data, size, tag));
		assert_memory_equal(data, plain, sizeof data);
	}
}

/* A request of NTS encrypts nothing. */
static void
nothing_can_be_sealed(void **state)
{
	uint8_t key[SIV_KEY], piece[64], nonce[16], tag[SIV_TAG], wanted[16];
	const struct siv_piece pieces[] = { { piece, 64 }, { nonce, 16 } };

	(void)state;
	fill(key, sizeof key, 0, 1);
	fill(piece, sizeof piece, 0, 1);
	fill(nonce, sizeof nonce, 100, 1);
	siv_seal(key, pieces, 2, NULL, 0, tag);
	(void)unhex("76e372c50a771d4002498c08b709f1b0", wanted);
	assert_memory_equal(tag, wanted, SIV_TAG);
	assert_true(siv_open(key, pieces, 2, NULL, 0, tag));
	for (int bit = 0; bit < SIV_TAG * 8; bit++) {
		tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(siv_open(key, pieces, 2, NULL, 0, tag));
		tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	nonce[0]++;
	assert_false(siv_open(key, pieces, 2, NULL, 0, tag));
}

/* Key, piece, nonce, data and tag lie behind each other. */
static void
changed_bit_opens_nothing(void **state)
{
	enum { PIECE = SIV_KEY, NONCE = PIECE + 20, DATA = NONCE + 16,
		TAG = DATA + 24, ALL = TAG + SIV_TAG };
	static const uint8_t zeros[24];
	uint8_t good[ALL], bad[ALL];
	const struct siv_piece sealed[] = { { good + PIECE, 20 },
		{ good + NONCE, 16 } };
	const struct siv_piece opened[] = { { bad + PIECE, 20 },
		{ bad + NONCE, 16 } };

	(void)state;
	fill(good, ALL, 9, 11);
	siv_seal(good, sealed, 2, good + DATA, 24, good + TAG);
	for (int bit = 0; bit < ALL * 8; bit++) {
		memcpy(bad, good, ALL);
		bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(
		    siv_open(bad, opened, 2, bad + DATA, 24, bad + TAG));
		assert_memory_equal(bad + DATA, zeros, 24);
	}
	memcpy(bad, good, ALL);
	assert_true(siv_open(bad, opened, 2, bad + DATA, 24, bad + TAG));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_the_rfc_hold),
		cmocka_unit_test(shapes_of_nts_hold),
		cmocka_unit_test(nothing_can_be_sealed),
		cmocka_unit_test(changed_bit_opens_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
