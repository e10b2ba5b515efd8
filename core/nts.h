/*
 * nts.h - the bytes of Network Time Security (RFC 8915) for a client: records
 * of the key exchange, and extension fields of NTP packets.
 */
#ifndef NTS_H
#define NTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NTS_COOKIES = 8,       /* that are kept, RFC 8915 §5.7 */
	/* In a request at most.  RFC 8915 §5.7 allows seven, but each costs 6 us
	 * when the request is made and 8 us when the reply is read, which shall
	 * take 50 us each, and some networks drop large packets of NTP. */
	NTS_PLACEHOLDERS = 3,
	NTS_COOKIE_MOST = 256, /* bytes; servers are known to send 100 to 200 */
	NTS_KEY = 32,
	NTS_UID = 32,	       /* the least, RFC 8915 §5.3 */
	NTS_NONCE = 16,	       /* the least, RFC 8915 §5.6 */
	NTS_REQUEST_MOST = 32, /* bytes of our request for keys */
	/* Bytes of an answer that are read: eight of the longest cookies need
	 * 2080, and a name 257. */
	NTS_ANSWER_MOST = 4096,
	NTS_PACKET_MOST = 1280, /* bytes of NTP with fields */
	NTS_PORT = 4460,	/* of the key exchange */
	NTS_SERVER_MOST = 253	/* bytes of a name, RFC 1035 */
};

/* The keys of one source, the cookies that are left, the oldest first, and the
 * request that is under way.  Whoever owns it ends it with secret_wipe. */
struct nts {
	uint8_t c2s[NTS_KEY], s2c[NTS_KEY];
	uint8_t cookie[NTS_COOKIES][NTS_COOKIE_MOST];
	uint16_t size[NTS_COOKIES]; /* bytes of each */
	int cookies;		    /* 0: new ones must be exchanged */
	bool asked;		    /* uid waits for its reply */
	uint8_t uid[NTS_UID];
};

/* What a key exchange brings. */
struct nts_grant {
	struct nts nts;			  /* without keys, which TLS exports */
	char server[NTS_SERVER_MOST + 1]; /* "": the one that was asked */
	uint16_t port;			  /* of NTP */
};

enum nts_said {
	NTS_OK,
	NTS_MORE,      /* the answer is not complete yet */
	NTS_MALFORMED, /* records or fields */
	NTS_ERROR,     /* the server says so; *code is its number */
	NTS_WARNING,
	NTS_CRITICAL, /* a record that must be known, but is not: *code */
	NTS_PROTOCOL,
	NTS_AEAD,
	NTS_COOKIELESS,
	NTS_STRANGE, /* no reply to this request */
	NTS_NAK,     /* the cookie is no longer known; anybody can say so */
	NTS_BARE,    /* without authenticator */
	NTS_FORGED,
	NTS_SAYS
};
/* Each as the reason of a log line: the cause, and the remedy if it is
 * known. */
extern const char nts_words[]; /* for word_at: NTS_SAYS of them */

/* Our request for keys: NTPv4 with AEAD_AES_SIV_CMAC_256.  Returns its size. */
size_t nts_ask(uint8_t out[static NTS_REQUEST_MOST]);

/* What the size bytes say that have come so far.  Only after NTS_OK the grant
 * holds: cookies that fit, server and port.  *code is -1 where no number is to
 * be told. */
enum nts_said
nts_answer(const uint8_t *bytes, size_t size, struct nts_grant *, int *code);

/* Make a request of the NTP header in packet: take the oldest cookie out, and
 * ask for one in its place and for those that are missing, but for no more of
 * these than "most" and NTS_PLACEHOLDERS.  Returns its size, or 0 without a
 * cookie.  With its IP header no request is longer than 1212 bytes; every path
 * of IPv6 must carry 1280 (RFC 8200 §5). */
size_t
nts_request(struct nts *, int most,
    const uint8_t random[static NTS_UID + NTS_NONCE],
    uint8_t packet[static NTS_PACKET_MOST]);

/* Check what seems to be the reply.  NTS_OK: its header is the server's, and
 * its cookies were kept; the same reply a second time is NTS_STRANGE.  After
 * all others nothing has changed.  The header is not looked at but for the kiss
 * code, since core/source.c does that. */
enum nts_said nts_reply(struct nts *, const uint8_t *packet, size_t size);

#endif
