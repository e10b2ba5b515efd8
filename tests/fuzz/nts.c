/*
 * nts.c - whatever an NTS server sends: records of the key exchange, and
 * replies.  What is refused changes nothing, and no size is above its bound.
 *
 * The first byte tells what the rest is: an answer, a reply, the fields of a
 * reply behind the right identifier, or what such a reply has sealed with the
 * right key, so that all parsers are reached.
 */
#include "core/ntp.h"
#include "core/nts.h"
#include "core/siv.h"
#include "tests/fuzz/fuzz.h"

static struct nts
asked(int cookies)
{
	static const uint8_t random[NTS_UID + NTS_NONCE] = { 1, 2, 3 };
	uint8_t packet[NTS_PACKET_MOST] = { 0x23 };
	struct nts n = { .cookies = cookies, .s2c = { 9, 9, 9 } };

	for (int i = 0; i < cookies; i++)
		n.size[i] = 100;
	CHECK(nts_request(&n, NTS_COOKIES, random, packet) >= 228);
	return n;
}

static void
check_jar(const struct nts *n)
{
	CHECK(n->cookies >= 0 && n->cookies <= NTS_COOKIES);
	for (int i = 0; i < n->cookies; i++)
		CHECK(n->size[i] > 0 && n->size[i] <= NTS_COOKIE_MOST);
}

static void
check_answer(const uint8_t *bytes, size_t size)
{
	struct nts_grant g;
	int code;
	enum nts_said said = nts_answer(bytes, size, &g, &code);

	CHECK(said < NTS_SAYS && code >= -1 && code <= 65535);
	CHECK(memchr(g.server, '\0', sizeof g.server) != NULL);
	check_jar(&g.nts);
	if (said == NTS_OK)
		CHECK(g.nts.cookies > 0 && g.port > 0);
}

static enum nts_said
check_reply(const uint8_t *bytes, size_t size, int cookies)
{
	struct nts n = asked(cookies), before = n;
	enum nts_said said = nts_reply(&n, bytes, size);

	CHECK(said < NTS_SAYS);
	check_jar(&n);
	CHECK(n.cookies >= before.cookies && n.asked == (said != NTS_OK));
	if (said == NTS_OK) {
		CHECK(nts_reply(&n, bytes, size) == NTS_STRANGE);
		return said;
	}
	CHECK(n.cookies == before.cookies);
	CHECK(memcmp(n.cookie, before.cookie,
		  sizeof n.cookie[0] * (size_t)n.cookies) == 0);
	CHECK(memcmp(n.uid, before.uid, NTS_UID) == 0);
	return said;
}

/* The header and the identifier of a reply; returns their size. */
static size_t
begin(uint8_t *packet)
{
	const struct nts n = asked(1);

	memset(packet, 0, NTP_SIZE);
	packet[0] = 0x24;
	memcpy(packet + NTP_SIZE, "\1\4\0\44", 4);
	memcpy(packet + NTP_SIZE + 4, n.uid, NTS_UID);
	return NTP_SIZE + 4 + NTS_UID;
}

static void
check_sealed(const uint8_t *bytes, size_t size, int cookies)
{
	uint8_t packet[NTS_PACKET_MOST];
	size_t at = begin(packet), room = (size + 3) & ~(size_t)3;
	struct nts n = asked(1);
	const struct siv_piece pieces[] = { { packet, at },
		{ packet + at + 8, NTS_NONCE } };
	enum nts_said said;

	if (at + 8 + NTS_NONCE + SIV_TAG + room > sizeof packet)
		return;
	memset(packet + at, 0, sizeof packet - at);
	packet[at] = packet[at + 1] = 4;
	packet[at + 2] = (uint8_t)((8 + NTS_NONCE + SIV_TAG + room) >> 8);
	packet[at + 3] = (uint8_t)(8 + NTS_NONCE + SIV_TAG + room);
	packet[at + 5] = NTS_NONCE;
	packet[at + 6] = (uint8_t)((SIV_TAG + size) >> 8);
	packet[at + 7] = (uint8_t)(SIV_TAG + size);
	memcpy(packet + at + 8 + NTS_NONCE + SIV_TAG, bytes, size);
	siv_seal(n.s2c, pieces, 2, packet + at + 8 + NTS_NONCE + SIV_TAG, size,
	    packet + at + 8 + NTS_NONCE);
	said = check_reply(
	    packet, at + 8 + NTS_NONCE + SIV_TAG + room, cookies);
	CHECK(said == NTS_OK || said == NTS_MALFORMED);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t packet[NTS_PACKET_MOST], *exact;
	int cookies;
	size_t at;

	if (size == 0)
		return 0;
	cookies = 1 + data[0] / 4 % NTS_COOKIES;
	/* A copy of the exact length shows a read past its end. */
	exact = malloc(size);
	if (exact == NULL)
		return 0;
	memcpy(exact, data + 1, size - 1);
	switch (data[0] % 4) {
	case 0: check_answer(exact, size - 1); break;
	case 1: check_sealed(exact, size - 1, cookies); break;
	case 2: (void)check_reply(exact, size - 1, cookies); break;
	default:
		at = begin(packet);
		if (size - 1 <= sizeof packet - at) {
			memcpy(packet + at, exact, size - 1);
			(void)check_reply(packet, at + size - 1, cookies);
		}
	}
	free(exact);
	return 0;
}
