/*
 * cmac.c - what cmac.c promises: the MACs of RFC 4493 §4, and with a key of 32
 * bytes those of NIST SP 800-38B.
 */
#include "core/cmac.h"
#include "tests/test.h"

#define MESSAGE \
	"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51" \
	"30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"

static void
assert_macs(const char *const *expected, const char *text)
{
	static const size_t sizes[] = { 0, 16, 40, 64 };
	uint8_t key[32], message[64], mac[CMAC_SIZE], wanted[CMAC_SIZE];
	br_aes_ct64_ctr_keys aes;

	br_aes_ct64_ctr_init(&aes, key, unhex(text, key));
	(void)unhex(MESSAGE, message);
	for (size_t i = 0; i < LEN(sizes); i++) {
		(void)unhex(expected[i], wanted);
		cmac(&aes, message, sizes[i], mac);
		assert_memory_equal(mac, wanted, CMAC_SIZE);
	}
}

static void
macs_are_those_of_the_standards(void **state)
{
	static const char *const aes128[] = {
		"bb1d6929e95937287fa37d129b756746",
		"070a16b46b4d4144f79bdd9dd04a287c",
		"dfa66747de9ae63030ca32611497c827",
		"51f0bebf7e3b9d92fc49741779363cfe"
	};
	static const char *const aes256[] = {
		"028962f61b7bf89efc6b551f4667d983",
		"28a7023f452e8f82bd4bf28d8c37c35c",
		"aaf3d8f1de5640c232f5b169b9c911e6",
		"e1992190549f6ed5696a2c056c315410"
	};

	(void)state;
	assert_macs(aes128, "2b7e151628aed2a6abf7158809cf4f3c");
	assert_macs(aes256, "603deb1015ca71be2b73aef0857d7781"
			    "1f352c073b6108d72d9810a30914dff4");
}

/* The MAC may stand in the place of the message. */
static void
mac_may_replace_the_message(void **state)
{
	uint8_t bytes[CMAC_SIZE] = { 1, 2, 3 }, mac[CMAC_SIZE];
	br_aes_ct64_ctr_keys aes;

	(void)state;
	br_aes_ct64_ctr_init(&aes, bytes, 16);
	cmac(&aes, bytes, sizeof bytes, mac);
	cmac(&aes, bytes, sizeof bytes, bytes);
	assert_memory_equal(bytes, mac, CMAC_SIZE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(macs_are_those_of_the_standards),
		cmocka_unit_test(mac_may_replace_the_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
