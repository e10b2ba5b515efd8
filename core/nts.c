/*
 * nts.c - the bytes of Network Time Security (RFC 8915) for a client.
 *
 * A key exchange over TLS brings two keys and some cookies.  Each request shows
 * one cookie, in which the server finds the keys again that it does not store.
 * The reply brings a new one, encrypted, so that nobody who looks on can tell
 * which requests come from the same host.  That is why a cookie is used once.
 *
 * What is wrong in any way is refused as a whole, and changes nothing.
 */
#include "core/nts.h"
#include "core/ntp.h"
#include "core/siv.h"

#include <string.h>

enum { /* records, RFC 8915 §4.1; the highest bit says "critical" */
	RECORD_END,
	RECORD_PROTOCOL,
	RECORD_ERROR,
	RECORD_WARNING,
	RECORD_AEAD,
	RECORD_COOKIE,
	RECORD_SERVER,
	RECORD_PORT,
	CRITICAL = 0x8000
};

enum { /* fields, RFC 8915 §5 */
	FIELD_UID = 0x0104,
	FIELD_COOKIE = 0x0204,
	FIELD_PLACEHOLDER = 0x0304,
	FIELD_AUTHENTICATOR = 0x0404,
	KISS_NTSN = 0x4e54534e /* "NTSN", RFC 8915 §5.7 */
};

enum {
	NTPV4 = 0,
	AES_SIV_CMAC_256 = 15, /* the number of RFC 5116's registry */
	HEAD = 4,	  /* bytes of type and length, and of two lengths */
	FIELD_LEAST = 16, /* bytes, RFC 7822 §3 */
	SEAL = HEAD + HEAD + NTS_NONCE + SIV_TAG /* of our authenticator */
};

_Static_assert(NTP_SIZE + HEAD + NTS_UID +
	    (1 + NTS_PLACEHOLDERS) * (HEAD + NTS_COOKIE_MOST) + SEAL <=
	NTS_PACKET_MOST - 40 - 8, "the longest request with IPv6 and UDP");

/* In the order of enum nts_said. */
const char nts_words[] =
    "accepted\0"
    "server ended the answer early\0"
    "malformed\0"
    "server sent an error\0"
    "server sent a warning that is not known\0"
    "server demands what is not known\0"
    "server does not offer NTPv4; use another\0"
    "server does not offer AES-SIV-CMAC-256; use another\0"
    "server gave no cookie that fits; use another\0"
    "not the reply to the last request\0"
    "server no longer knows the keys\0"
    "not authenticated\0"
    "changed on the way";

static unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint8_t *
put_head(uint8_t *p, unsigned first, size_t second)
{
	*p++ = (uint8_t)(first >> 8);
	*p++ = (uint8_t)first;
	*p++ = (uint8_t)(second >> 8);
	*p++ = (uint8_t)second;
	return p;
}

static size_t
padded(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

/* Cookies that are too many or too long are of no use, but no mistake. */
static void
keep_cookie(struct nts *n, const uint8_t *bytes, size_t size)
{
	if (size == 0 || size > NTS_COOKIE_MOST || n->cookies == NTS_COOKIES)
		return;
	memcpy(n->cookie[n->cookies], bytes, size);
	n->size[n->cookies++] = (uint16_t)size;
}

size_t
nts_ask(uint8_t out[static NTS_REQUEST_MOST])
{
	static const uint8_t request[] = { 0x80, RECORD_PROTOCOL, 0, 2, 0,
		NTPV4, 0x80, RECORD_AEAD, 0, 2, 0, AES_SIV_CMAC_256, 0x80,
		RECORD_END, 0, 0 };

	memcpy(out, request, sizeof(request));
	return sizeof(request);
}

/* Text that may be looked up and logged. */
static bool
keep_server(struct nts_grant *g, const uint8_t *bytes, size_t size)
{
	if (size == 0 || size > NTS_SERVER_MOST || g->server[0] != '\0')
		return false;
	for (size_t i = 0; i < size; i++)
		if (bytes[i] <= ' ' || bytes[i] > '~')
			return false;
	memcpy(g->server, bytes, size);
	return true;
}

/* What the records said until now; each may be there once. */
struct heard {
	bool protocol, aead, port;
};

/* Look at one record other than the end.  NTS_OK: go on. */
static enum nts_said
record(struct nts_grant *g, struct heard *heard, unsigned type,
    const uint8_t *body, size_t size)
{
	unsigned value = size == 2 ? get16(body) : UINT16_MAX;

	switch (type & ~(unsigned)CRITICAL) {
	case RECORD_PROTOCOL:
		if (!(type & CRITICAL) || heard->protocol || value != NTPV4)
			return NTS_PROTOCOL;
		heard->protocol = true;
		return NTS_OK;
	case RECORD_AEAD:
		if (heard->aead || value != AES_SIV_CMAC_256)
			return NTS_AEAD;
		heard->aead = true;
		return NTS_OK;
	case RECORD_ERROR: return NTS_ERROR;
	case RECORD_WARNING: return NTS_WARNING;
	case RECORD_COOKIE: keep_cookie(&g->nts, body, size); return NTS_OK;
	case RECORD_SERVER:
		return keep_server(g, body, size) ? NTS_OK : NTS_MALFORMED;
	case RECORD_PORT:
		if (heard->port || size != 2 || value == 0)
			return NTS_MALFORMED;
		heard->port = true;
		g->port = (uint16_t)value;
		return NTS_OK;
	default: return type & CRITICAL ? NTS_CRITICAL : NTS_OK;
	}
}

enum nts_said
nts_answer(const uint8_t *bytes, size_t size, struct nts_grant *g, int *code)
{
	struct heard heard = { .protocol = false };
	enum nts_said said;

	memset(g, 0, sizeof(*g));
	g->port = NTP_PORT;
	*code = -1;
	while (size >= HEAD) {
		unsigned type = get16(bytes), length = get16(bytes + 2);

		if (length > size - HEAD)
			return NTS_MORE;
		bytes += HEAD;
		size -= HEAD + length;
		if (type == (CRITICAL | RECORD_END))
			return length != 0 || size != 0 ? NTS_MALFORMED :
			    !heard.protocol		? NTS_PROTOCOL :
			    !heard.aead			? NTS_AEAD :
			    g->nts.cookies == 0		? NTS_COOKIELESS :
							  NTS_OK;
		if (type == RECORD_END)
			return NTS_MALFORMED;
		said = record(g, &heard, type, bytes, length);
		if (said == NTS_CRITICAL)
			*code = (int)(type & ~(unsigned)CRITICAL);
		if ((said == NTS_ERROR || said == NTS_WARNING) && length == 2)
			*code = (int)get16(bytes);
		if (said != NTS_OK)
			return said;
		bytes += length;
	}
	return NTS_MORE;
}

/* Without bytes these are zero. */
static uint8_t *
put_field(uint8_t *p, unsigned type, const uint8_t *bytes, size_t size)
{
	size_t room = padded(size);

	if (room < FIELD_LEAST - HEAD)
		room = FIELD_LEAST - HEAD;
	p = put_head(p, type, HEAD + room);
	memset(p, 0, room);
	if (bytes != NULL)
		memcpy(p, bytes, size);
	return p + room;
}

size_t
nts_request(struct nts *n, int most,
    const uint8_t random[static NTS_UID + NTS_NONCE],
    uint8_t packet[static NTS_PACKET_MOST])
{
	uint8_t *p = packet + NTP_SIZE, tag[SIV_TAG];
	const uint8_t *nonce = random + NTS_UID;
	struct siv_piece pieces[] = { { packet, 0 }, { nonce, NTS_NONCE } };
	size_t cookie = n->size[0];

	if (n->cookies == 0)
		return 0;
	n->asked = true;
	memcpy(n->uid, random, NTS_UID);
	p = put_field(p, FIELD_UID, n->uid, NTS_UID);
	p = put_field(p, FIELD_COOKIE, n->cookie[0], cookie);
	n->cookies--;
	memmove(n->cookie[0], n->cookie[1], sizeof(n->cookie[0]) * n->cookies);
	memmove(&n->size[0], &n->size[1], sizeof(n->size[0]) * n->cookies);

	/* The reply brings one cookie for the one that is used, and one for
	 * each placeholder, which is as long, so that a reply is never longer
	 * than its request. */
	for (int i = 0; i < most && i < NTS_PLACEHOLDERS &&
	     n->cookies + 1 + i < NTS_COOKIES;
	     i++)
		p = put_field(p, FIELD_PLACEHOLDER, NULL, cookie);
	pieces[0].size = (size_t)(p - packet);
	siv_seal(n->c2s, pieces, 2, NULL, 0, tag);
	p = put_head(p, FIELD_AUTHENTICATOR, SEAL);
	p = put_head(p, NTS_NONCE, SIV_TAG);
	memcpy(p, nonce, NTS_NONCE);
	memcpy(p + NTS_NONCE, tag, SIV_TAG);
	return (size_t)(p - packet) + NTS_NONCE + SIV_TAG;
}

/* Keep the cookies of what was sealed: all or none. */
static enum nts_said
keep_cookies(struct nts *n, const uint8_t *p, size_t size)
{
	int before = n->cookies;

	while (size > 0) {
		size_t length = size < HEAD ? 0 : get16(p + 2);

		if (length < HEAD || length % 4 != 0 || length > size) {
			n->cookies = before;
			return NTS_MALFORMED;
		}
		if (get16(p) == FIELD_COOKIE)
			keep_cookie(n, p + HEAD, length - HEAD);
		p += length;
		size -= length;
	}
	n->asked = false;
	return NTS_OK;
}

/* Open the authenticator, whose body has size bytes, and which stands for all
 * of the packet before it. */
static enum nts_said
open_seal(
    struct nts *n, const uint8_t *packet, const uint8_t *body, size_t size)
{
	uint8_t scratch[NTS_PACKET_MOST];
	size_t nonce = get16(body), sealed = get16(body + 2);
	const struct siv_piece pieces[] = {
		{ packet, (size_t)(body - HEAD - packet) },
		{ body + HEAD, nonce }
	};
	const uint8_t *tag;

	if (nonce == 0 || sealed < SIV_TAG ||
	    padded(nonce) + padded(sealed) > size - HEAD)
		return NTS_MALFORMED;
	tag = body + HEAD + padded(nonce);
	sealed -= SIV_TAG;
	memcpy(scratch, tag + SIV_TAG, sealed);
	if (!siv_open(n->s2c, pieces, 2, scratch, sealed, tag))
		return NTS_FORGED;
	return keep_cookies(n, scratch, sealed);
}

enum nts_said
nts_reply(struct nts *n, const uint8_t *packet, size_t size)
{
	struct ntp_packet header;
	bool ours = false;

	if (size < NTP_SIZE || size > NTS_PACKET_MOST || size % 4 != 0)
		return NTS_MALFORMED;
	/* What follows the authenticator is nobody's, and is not read. */
	for (size_t at = NTP_SIZE; at < size;) {
		const uint8_t *field = packet + at;
		unsigned type = get16(field), length = get16(field + 2);

		if (length < FIELD_LEAST || length % 4 != 0 ||
		    length > size - at)
			return NTS_MALFORMED;
		if (type == FIELD_UID) {
			if (ours)
				return NTS_MALFORMED;
			if (!n->asked || length != HEAD + NTS_UID ||
			    memcmp(field + HEAD, n->uid, NTS_UID) != 0)
				return NTS_STRANGE;
			ours = true;
		} else if (type == FIELD_AUTHENTICATOR && ours)
			return open_seal(
			    n, packet, field + HEAD, length - HEAD);
		at += length;
	}
	if (!ours)
		return NTS_STRANGE;
	(void)ntp_parse(packet, size, &header);
	return header.mode == MODE_SERVER && header.stratum == 0 &&
		header.refid == KISS_NTSN ?
	    NTS_NAK :
	    NTS_BARE;
}
