/*
 * address.c - numeric addresses: read, compared, judged.
 */
#include "core/address.h"
#include "tests/test.h"

static struct address
address(const char *text)
{
	struct address a;

	if (!address_parse(text, &a))
		fail_msg("%s is no address", text);
	return a;
}

static void
reads_numeric_addresses(void **state)
{
	static const struct {
		const char *text;
		struct address address;
	} table[] = {
		{ "0.0.0.0", { 4, { 0 }, 0 } },
		{ "192.0.2.1", { 4, { 192, 0, 2, 1 }, 0 } },
		{ "255.255.255.255", { 4, { 255, 255, 255, 255 }, 0 } },
		{ "::", { 6, { 0 }, 0 } },
		{ "::1", { 6, { [15] = 1 }, 0 } },
		{ "1::", { 6, { 0, 1 }, 0 } },
		{ "2001:db8::a:B", { 6, { 0x20, 0x01, 0x0d, 0xb8,
		    [13] = 0xa, [15] = 0xb }, 0 } },
		{ "1:2:3:4:5:6:7:8", { 6, { 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6,
		    0, 7, 0, 8 }, 0 } },
		{ "1:2:3:4:5:6:7::", { 6, { 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6,
		    0, 7 }, 0 } },
		{ "::ffff:192.0.2.1", { 4, { 192, 0, 2, 1 },
		    0 } },
		{ "1:2:3:4:5:6:192.0.2.1", { 6, { 0, 1, 0, 2, 0, 3, 0, 4, 0, 5,
		    0, 6, 192, 0, 2, 1 }, 0 } },
		{ "fe80::1%2", { 6, { 0xfe, 0x80, [15] = 1 }, 2 } },
		{ "fe80::%4294967295", { 6, { 0xfe, 0x80 }, UINT32_MAX } },
	};
	struct address a;
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		memset(&a, 0xff, sizeof(a));
		if (!address_parse(table[i].text, &a))
			fail_msg("%s", table[i].text);
		assert_int_equal(a.family, table[i].address.family);
		assert_memory_equal(a.bytes, table[i].address.bytes, 16);
		assert_int_equal(a.scope, table[i].address.scope);
	}
}

static void
takes_nothing_else_for_an_address(void **state)
{
	static const char *const table[] = {
		"", " ", ".", ":", "*", "localhost", "1", "1.2", "1.2.3",
		"1.2.3.", "1.2.3.4.", "1.2.3.4.5", ".1.2.3.4", "1..3.4",
		"256.0.0.1", "1.2.3.256", "1.2.3.-4", "1.2.3.+4", "01.2.3.4",
		"1.2.3.04", "0x1.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4%1",
		"1.2.3.4/8", "1.2.3.4:5", "1.2.3.99999999999999999999",
		":::", "1:::2", ":1", "1:", "1::2::3", "::1::", "1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9", "::1:2:3:4:5:6:7:8", "12345::", "g::",
		"::1.2.3", "::1.2.3.256", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4",
		"[::1]", "::1 ", "::1%", "::1%0", "::1%eth0", "::1%1x",
		"::1%-1", "::1%4294967296", "::1%1%2", "%1", "::1/128",
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
	};
	struct address a, before;
	size_t i;

	(void)state;
	memset(&a, 0x55, sizeof(a));
	before = a;
	for (i = 0; i < LEN(table); i++) {
		if (address_parse(table[i], &a))
			fail_msg("%s", table[i]);
		assert_memory_equal(&a, &before, sizeof(a));
	}
}

/* One host must not have two addresses here. */
static void
a_mapped_address_is_its_ipv4_address(void **state)
{
	struct address a = { 6, { [10] = 0xff, 0xff, 192, 0, 2, 1 }, 7 };
	struct address b = { 6, { [9] = 1, 0xff, 0xff, 192, 0, 2, 1 }, 7 };
	struct address four = address("192.0.2.1"), before = b;

	(void)state;
	address_unmap(&a);
	assert_true(address_equal(&a, &four));
	address_unmap(&b);
	assert_memory_equal(&b, &before, sizeof b);
}

static void
tells_addresses_apart(void **state)
{
	static const char *const table[] = {
		"192.0.2.1", "192.0.2.2", "193.0.2.1", "0.0.0.0", "::",
		"2001:db8::1", "2001:db8::2", "2001:db9::1", "fe80::1",
		"fe80::1%2", "fe80::1%3",
	};
	size_t i, k;

	(void)state;
	for (i = 0; i < LEN(table); i++)
		for (k = 0; k < LEN(table); k++) {
			struct address a = address(table[i]);
			struct address b = address(table[k]);

			if (address_equal(&a, &b) != (i == k))
				fail_msg("%s and %s", table[i], table[k]);
		}
}

/* What lies behind the four bytes of an IPv4 address is no part of it. */
static void
compares_only_what_the_family_uses(void **state)
{
	struct address a = address("192.0.2.1"), b = a;

	(void)state;
	b.bytes[4] = b.bytes[15] = 1;
	assert_true(address_equal(&a, &b));
}

static void
knows_what_is_in_a_network(void **state)
{
	static const struct {
		const char *address, *network;
		int bits;
		bool in;
	} table[] = {
		{ "192.0.2.1", "192.0.2.0", 24, true },
		{ "192.0.3.1", "192.0.2.0", 24, false },
		{ "192.0.3.1", "192.0.2.0", 23, true },
		{ "192.0.2.128", "192.0.2.128", 25, true },
		{ "192.0.2.127", "192.0.2.128", 25, false },
		{ "192.0.2.1", "192.0.2.1", 32, true },
		{ "192.0.2.2", "192.0.2.1", 32, false },
		{ "192.0.2.1", "0.0.0.0", 0, true },
		{ "192.0.2.1", "::", 0, false },
		{ "2001:db8::1", "2001:db8::", 32, true },
		{ "2001:db9::1", "2001:db8::", 32, false },
		{ "2001:db9::1", "2001:db8::", 31, true },
		{ "2001:db8::1", "2001:db8::1", 128, true },
		{ "2001:db8::2", "2001:db8::1", 128, false },
		{ "2001:db8::1", "::", 0, true },
		{ "2001:db8::1", "0.0.0.0", 0, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct address a = address(table[i].address);
		struct address network = address(table[i].network);

		if (address_in(&a, &network, table[i].bits) != table[i].in)
			fail_msg("%s in %s/%d", table[i].address,
			    table[i].network, table[i].bits);
	}
}

static void
says_why_an_address_is_no_hosts(void **state)
{
	static const struct {
		const char *address, *why;
	} table[] = {
		{ "0.0.0.0", "the wildcard address" },
		{ "::", "the wildcard address" },
		{ "255.255.255.255", "the broadcast address" },
		{ "224.0.0.0", "a multicast address" },
		{ "239.255.255.255", "a multicast address" },
		{ "ff02::101", "a multicast address" },
		{ "0.0.0.1", NULL },
		{ "1.0.0.0", NULL },
		{ "223.255.255.255", NULL },
		{ "240.0.0.0", NULL },
		{ "255.255.255.254", NULL },
		{ "::1", NULL },
		{ "1::", NULL },
		{ "fe80::1", NULL },
		{ "ff00::", "a multicast address" },
		{ "feff::1", NULL },
		{ "ff:ff::", NULL },
		{ "e000::1", NULL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LEN(table); i++) {
		struct address a = address(table[i].address);
		const char *why = address_unusable(&a);

		if (table[i].why == NULL ? why != NULL :
		    why == NULL || strcmp(why, table[i].why) != 0)
			fail_msg("%s: %s", table[i].address,
			    why == NULL ? "usable" : why);
		assert_int_equal(address_wild(&a), i < 2);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_numeric_addresses),
		cmocka_unit_test(takes_nothing_else_for_an_address),
		cmocka_unit_test(a_mapped_address_is_its_ipv4_address),
		cmocka_unit_test(tells_addresses_apart),
		cmocka_unit_test(compares_only_what_the_family_uses),
		cmocka_unit_test(knows_what_is_in_a_network),
		cmocka_unit_test(says_why_an_address_is_no_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
