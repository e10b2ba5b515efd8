/*
 * key.c - what key.c promises: MACs behind packets, and keys as text.
 */
#include "core/key.h"
#include "tests/test.h"

#define HEX "2b7e151628aed2a6abf7158809cf4f3c"

static bool
reads(const char *text, struct key *k)
{
	return key_read(text, strlen(text), k);
}

static void
key_is_hexadecimal(void **state)
{
	static const char *const bad[] = { "", "2b", HEX "0", HEX "00",
		HEX HEX "00", "2b7e151628aed2a6abf7158809cf4f3", "HEX:", "HEX:2b",
		"hex:" HEX, HEX " " HEX, "2b7e151628aed2a6abf7158809cf4f3g",
		"2b7e151628aed2a6abf7158809cf4f3@", "0x7e151628aed2a6abf7158809cf4f3c",
		"2b7e151628aed2a6 abf7158809cf4f3", HEX "\n" HEX "\n" HEX };
	struct key k = { .id = 7 }, other = { .id = 7 };
	uint8_t secret[32];

	(void)state;
	(void)unhex(HEX, secret);
	(void)unhex(HEX, secret + 16);
	assert_true(reads(HEX, &k));
	assert_int_equal(k.size, 16);
	assert_memory_equal(k.secret, secret, 16);
	assert_true(reads(" \t\r\nHEX:2B7E151628AED2A6ABF7158809CF4F3C\r\n", &other));
	assert_memory_equal(&k, &other, sizeof k);
	assert_true(reads(HEX HEX "\n", &k));
	assert_int_equal(k.size, 32);
	assert_memory_equal(k.secret, secret, 32);
	assert_int_equal(k.id, 7);
	for (size_t i = 0; i < LEN(bad); i++)
		assert_false(reads(bad[i], &k));
	assert_false(key_read(HEX "\0", sizeof HEX, &k));
}

/* The MAC is that of RFC 4493's key, computed with another implementation. */
static void
mac_covers_the_header(void **state)
{
	uint8_t packet[KEY_PACKET] = { 0x23 }, wanted[KEY_MAC];
	struct key k = { .id = 0x01020304 };

	(void)state;
	assert_true(reads(HEX, &k));
	for (size_t i = 0; i < NTP_SIZE; i++)
		packet[i] = (uint8_t)i;
	key_sign(&k, packet);
	(void)unhex("01020304" "b46dd8856c4fee713a9243e917f1fdb7", wanted);
	assert_memory_equal(packet + NTP_SIZE, wanted, KEY_MAC);
	assert_true(reads(HEX HEX, &k));
	key_sign(&k, packet);
	(void)unhex("01020304" "2c196580ebaff3d0cf7334234e049173", wanted);
	assert_memory_equal(packet + NTP_SIZE, wanted, KEY_MAC);
}

static void
changed_bit_is_nobodys(void **state)
{
	struct key k[3] = { { .id = 1 }, { .id = 70000 }, { .id = 3 } };
	uint8_t packet[KEY_PACKET] = { 0x24, 1 };

	(void)state;
	assert_true(reads(HEX, &k[0]) && reads(HEX, &k[1]) &&
	    reads(HEX HEX, &k[2]));
	for (int i = 0; i < 3; i++) {
		key_sign(&k[i], packet);
		assert_ptr_equal(key_of(k, 3, packet), &k[i]);
		assert_null(key_of(k, i, packet));
		for (int bit = 0; bit < KEY_PACKET * 8; bit++) {
			packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_null(key_of(&k[i], 1, packet));
			packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
	k[1].secret[15] ^= 1;
	key_sign(&k[1], packet);
	k[1].secret[15] ^= 1;
	assert_null(key_of(k, 3, packet));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_is_hexadecimal),
		cmocka_unit_test(mac_covers_the_header),
		cmocka_unit_test(changed_bit_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
