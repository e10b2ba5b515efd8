/*
 * address.c - numeric addresses: read from text, compared, judged.
 *
 * An address has one form only.  An IPv4 address that came inside of an IPv6
 * address is taken out of it, so that comparing two addresses tells whether
 * they are the same host.  The way back to text is net_text's.
 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "core/address.h"

/* Bytes of an address that its family uses. */
static size_t
size_of(const struct address *a)
{
	return a->family == 4 ? 4 : sizeof a->bytes;
}

/* The number of an interface, or 0 if the text is none. */
static uint32_t
scope_number(const char *text)
{
	uint64_t value = 0;

	for (; *text >= '0' && *text <= '9' && value <= UINT32_MAX; text++)
		value = 10 * value + (uint64_t)(*text - '0');
	return *text == '\0' && value <= UINT32_MAX ? (uint32_t)value : 0;
}

bool
address_parse(const char *text, struct address *out)
{
	struct address a = { .family = 4 };
	char part[INET6_ADDRSTRLEN];
	size_t n = strcspn(text, "%");

	if (inet_pton(AF_INET, text, a.bytes) != 1) {
		if (n >= sizeof part)
			return false;
		memcpy(part, text, n);
		part[n] = '\0';
		a.family = 6;
		if (inet_pton(AF_INET6, part, a.bytes) != 1)
			return false;
		if (text[n] == '%' &&
		    (a.scope = scope_number(text + n + 1)) == 0)
			return false;
	}
	address_unmap(&a);
	*out = a;
	return true;
}

void
address_unmap(struct address *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };

	if (a->family != 6 || memcmp(a->bytes, mapped, sizeof mapped) != 0)
		return;
	a->family = 4;
	a->scope = 0;
	memmove(a->bytes, a->bytes + 12, 4);
	memset(a->bytes + 4, 0, 12);
}

bool
address_equal(const struct address *a, const struct address *b)
{
	return a->family == b->family && a->scope == b->scope &&
	    memcmp(a->bytes, b->bytes, size_of(a)) == 0;
}

bool
address_in(const struct address *a, const struct address *network, int bits)
{
	size_t whole = (size_t)bits / 8;
	int rest = bits % 8;

	return a->family == network->family &&
	    memcmp(a->bytes, network->bytes, whole) == 0 &&
	    (rest == 0 ||
		(a->bytes[whole] ^ network->bytes[whole]) >> (8 - rest) == 0);
}

bool
address_wild(const struct address *a)
{
	static const uint8_t zero[sizeof a->bytes];

	return memcmp(a->bytes, zero, size_of(a)) == 0;
}

const char *
address_unusable(const struct address *a)
{
	static const uint8_t ones[4] = { 255, 255, 255, 255 };

	if (address_wild(a))
		return "the wildcard address";
	if (a->family == 4 && memcmp(a->bytes, ones, sizeof ones) == 0)
		return "the broadcast address";
	if (a->family == 4 ? a->bytes[0] >> 4 == 14 : a->bytes[0] == 255)
		return "a multicast address";
	return NULL;
}
