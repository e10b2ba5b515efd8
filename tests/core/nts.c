/*
 * nts.c - what nts.c promises: records of the key exchange, and packets.
 *
 * The packets are one exchange that another implementation computed from the
 * keys of RFC 8448's first handshake.
 */
#include "core/nts.h"
#include "core/ntp.h"
#include "core/siv.h"
#include "core/word.h"
#include "tests/test.h"

#define C2S \
	"a13e39b71e9fc6b9fb9dce07c875729db3e7cedb16e78803e1787e892214860a"

#define S2C \
	"94f74cb9d67a64aaca9e9d69ab1d53cb2ef555b47893f2fd8386af52b9a5fa81"

#define UID_TEXT \
	"404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"

#define COOKIE_TEXT \
	"030e19242f3a45505b66717c87929da8b3bec9d4dfeaf5000b16212c37424d58" \
	"636e79848f9aa5b0bbc6d1dce7f2fd08131e29343f4a55606b76818c97a2adb8" \
	"c3ced9e4effa05101b26313c47525d68737e89949faab5c0cbd6e1ecf7020d18" \
	"232e3944"

#define REQUEST \
	"2300062000000000000000000000000000000000000000000000000000000000" \
	"00000000000000000123456789abcdef01040024404142434445464748494a4b" \
	"4c4d4e4f505152535455565758595a5b5c5d5e5f02040068030e19242f3a4550" \
	"5b66717c87929da8b3bec9d4dfeaf5000b16212c37424d58636e79848f9aa5b0" \
	"bbc6d1dce7f2fd08131e29343f4a55606b76818c97a2adb8c3ced9e4effa0510" \
	"1b26313c47525d68737e89949faab5c0cbd6e1ecf7020d18232e394403040068" \
	"0000000000000000000000000000000000000000000000000000000000000000" \
	"0000000000000000000000000000000000000000000000000000000000000000" \
	"0000000000000000000000000000000000000000000000000000000000000000" \
	"000000000404002800100010a0a1a2a3a4a5a6a7a8a9aaabacadaeaf9c016bd5" \
	"ca1481b56ac5752953aa6431"

#define RESPONSE \
	"240106e70000001000000020474e5353e8c3a000000000000123456789abcdef" \
	"e8c3a00011111111e8c3a0002222222201040024404142434445464748494a4b" \
	"4c4d4e4f505152535455565758595a5b5c5d5e5f040400f8001000e0c0c1c2c3" \
	"c4c5c6c7c8c9cacbcccdcecf3cf2448e4137ede04af73079680c6392fcbb05cf" \
	"c029e3cb4b7c73d44a4e27fd01a2536e8aee6b052048b8b83547d7877163a8c3" \
	"d8b279fe07bbe099d6148a2ad1a8b51a4f3b8139b1aa73de640c757d6b794fc3" \
	"f6bb86f643eca24f938c989fe0f2555e7ddd593e8ad7c149f2366ec14669a34c" \
	"98358f824f22b88c266601d78f65219761f661e1976e9a7010495229806073ff" \
	"2ced79ea5234c6e8f5acf018c96de60caaee0c2c6d51176a506608a4cede813c" \
	"11f54951476a70199257a61940a0305c38c118758c6aa886df89429146677e63" \
	"d1c10c82c87cf8371da18999"

#define NAK \
	"e40006e700000000000000004e54534e00000000000000000123456789abcdef" \
	"0000000000000000000000000000000001040024404142434445464748494a4b" \
	"4c4d4e4f505152535455565758595a5b5c5d5e5f"

enum { HEAD = 4, UID = 0x0104, COOKIE = 0x0204, SEAL = 0x0404 };

/* Bytes that grow: records, fields, packets. */
struct bytes {
	uint8_t at[8192];
	size_t size;
};

static void
add(struct bytes *b, const void *bytes, size_t size)
{
	assert_true(b->size + size <= sizeof b->at);
	if (size > 0)
		memcpy(b->at + b->size, bytes, size);
	b->size += size;
}

static void
add16(struct bytes *b, unsigned value)
{
	add(b, (uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

/* A record or field whose length is told as it is wanted. */
static void
add_as(struct bytes *b, unsigned type, size_t told, const void *body, size_t size)
{
	add16(b, type);
	add16(b, (unsigned)told);
	add(b, body, size);
}

static void
add_record(struct bytes *b, unsigned type, const void *body, size_t size)
{
	add_as(b, type, size, body, size);
}

static void
add_field(struct bytes *b, unsigned type, const void *body, size_t size)
{
	add_as(b, type, size + HEAD, body, size);
}

/* ------------------------------------------------------------ key exchange */

enum { PROTOCOL = 0x8001, ERROR = 0x8002, WARNING = 0x8003, AEAD = 0x8004,
	NEW_COOKIE = 5, SERVER = 0x8006, PORT = 0x8007, END = 0x8000 };

static const uint8_t zeros[4096];

static void
add_value(struct bytes *b, unsigned type, unsigned value)
{
	add_record(b, type,
	    (uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

/* An answer's beginning, to which the cookies and the end are missing. */
static struct bytes
begun(void)
{
	struct bytes b = { .size = 0 };

	add_value(&b, PROTOCOL, 0);
	add_value(&b, AEAD, 15);
	return b;
}

static void
add_cookies(struct bytes *b, int count, size_t size)
{
	uint8_t cookie[512];

	for (int i = 0; i < count; i++) {
		memset(cookie, i + 1, sizeof cookie);
		add_record(b, NEW_COOKIE, cookie, size);
	}
}

static struct nts_grant granted;
static int code;

/* What is said when one record with this body is added to a good answer. */
static enum nts_said
with(unsigned type, const void *body, size_t size)
{
	struct bytes b = begun();

	add_record(&b, type, body, size);
	add_cookies(&b, 8, 100);
	add_record(&b, END, NULL, 0);
	return nts_answer(b.at, b.size, &granted, &code);
}

static void
question_is_that_of_the_rfc(void **state)
{
	uint8_t out[NTS_REQUEST_MOST], wanted[16];

	(void)state;
	(void)unhex("80010002000080040002000f80000000", wanted);
	assert_int_equal(nts_ask(out), 16);
	assert_memory_equal(out, wanted, 16);
}

static void
answer_brings_cookies_server_and_port(void **state)
{
	struct bytes b = begun();

	(void)state;
	add_cookies(&b, 8, 100);
	add_record(&b, SERVER, "ntp.example", 11);
	add_value(&b, PORT, 4242);
	add_record(&b, END, NULL, 0);
	assert_int_equal(nts_answer(b.at, b.size, &granted, &code), NTS_OK);
	assert_int_equal(granted.nts.cookies, 8);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(granted.nts.size[i], 100);
		assert_int_equal(granted.nts.cookie[i][99], i + 1);
	}
	assert_string_equal(granted.server, "ntp.example");
	assert_int_equal(granted.port, 4242);
	assert_int_equal(code, -1);
}

static void
without_records_the_asked_server_and_port_123_count(void **state)
{
	(void)state;
	assert_int_equal(with(0x4001, "xyz", 3), NTS_OK);
	assert_string_equal(granted.server, "");
	assert_int_equal(granted.port, 123);
}

/* All beginnings of a good answer ask for more, as TLS cuts where it likes. */
static void
answer_that_is_cut_asks_for_more(void **state)
{
	struct bytes b = begun();

	(void)state;
	add_cookies(&b, 2, 100);
	add_record(&b, SERVER, "ntp.example", 11);
	add_record(&b, END, NULL, 0);
	for (size_t size = 0; size < b.size; size++) {
		uint8_t *exact = malloc(size + 1);

		assert_non_null(exact);
		memcpy(exact, b.at, size);
		assert_int_equal(
		    nts_answer(exact, size, &granted, &code), NTS_MORE);
		free(exact);
	}
}

static void
what_is_unknown_counts_only_if_critical(void **state)
{
	(void)state;
	assert_int_equal(with(0x4001, "xyz", 3), NTS_OK);
	assert_int_equal(with(0x0008, NULL, 0), NTS_OK);
	assert_int_equal(with(0xc001, "xyz", 3), NTS_CRITICAL);
	assert_int_equal(code, 0x4001);
}

static void
errors_and_warnings_end_it_with_their_number(void **state)
{
	(void)state;
	assert_int_equal(with(ERROR, "\0\1", 2), NTS_ERROR);
	assert_int_equal(code, 1);
	assert_int_equal(with(ERROR & 0x7fff, "\1\2", 2), NTS_ERROR);
	assert_int_equal(code, 258);
	assert_int_equal(with(ERROR, "\0", 1), NTS_ERROR);
	assert_int_equal(code, -1);
	assert_int_equal(with(WARNING, "\0\7", 2), NTS_WARNING);
	assert_int_equal(code, 7);
	assert_int_equal(with(WARNING, NULL, 0), NTS_WARNING);
	assert_int_equal(code, -1);
}

static void
only_ntp_4_with_our_algorithm_is_taken(void **state)
{
	static const struct {
		unsigned type;
		const char *body;
		size_t size;
		enum nts_said said;
	} bad[] = {
		{ PROTOCOL, "\0\0", 2, NTS_PROTOCOL }, /* a second time */
		{ AEAD, "\0\17", 2, NTS_AEAD },
		{ AEAD, "\0\36", 2, NTS_AEAD },
	}, alone[] = {
		{ PROTOCOL, "", 0, NTS_PROTOCOL },
		{ PROTOCOL, "\0\1", 2, NTS_PROTOCOL },
		{ PROTOCOL, "\0\0\0\1", 4, NTS_PROTOCOL },
		{ PROTOCOL, "\0", 1, NTS_PROTOCOL },
		{ PROTOCOL & 0x7fff, "\0\0", 2, NTS_PROTOCOL },
		{ PROTOCOL, "\0\0", 2, NTS_AEAD }, /* which is missing */
		{ AEAD, "\0\17", 2, NTS_PROTOCOL },
		{ AEAD, "", 0, NTS_AEAD },
		{ AEAD, "\0\21", 2, NTS_AEAD },
		{ AEAD, "\0\17\0\36", 4, NTS_AEAD },
	};

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++)
		assert_int_equal(
		    with(bad[i].type, bad[i].body, bad[i].size), bad[i].said);
	for (size_t i = 0; i < LEN(alone); i++) {
		struct bytes b = { .size = 0 };

		add_record(&b, alone[i].type, alone[i].body, alone[i].size);
		add_cookies(&b, 1, 100);
		add_record(&b, END, NULL, 0);
		assert_int_equal(nts_answer(b.at, b.size, &granted, &code),
		    alone[i].said);
	}
}

static void
odd_servers_and_ports_are_refused(void **state)
{
	char name[NTS_SERVER_MOST + 2];

	(void)state;
	memset(name, 'a', sizeof name);
	assert_int_equal(with(SERVER, name, NTS_SERVER_MOST), NTS_OK);
	assert_int_equal(strlen(granted.server), NTS_SERVER_MOST);
	assert_int_equal(with(SERVER, name, sizeof name - 1), NTS_MALFORMED);
	assert_int_equal(with(SERVER, NULL, 0), NTS_MALFORMED);
	assert_int_equal(with(SERVER, "a b", 3), NTS_MALFORMED);
	assert_int_equal(with(SERVER, "a\nb", 3), NTS_MALFORMED);
	assert_int_equal(with(SERVER, "a\0b", 3), NTS_MALFORMED);
	assert_int_equal(with(SERVER, "a\x7f", 2), NTS_MALFORMED);
	assert_int_equal(with(SERVER, "a\xc3\xa4", 3), NTS_MALFORMED);
	assert_int_equal(with(PORT, "\0\1", 2), NTS_OK);
	assert_int_equal(granted.port, 1);
	assert_int_equal(with(PORT, "\xff\xff", 2), NTS_OK);
	assert_int_equal(granted.port, 65535);
	assert_int_equal(with(PORT, "\0\0", 2), NTS_MALFORMED);
	assert_int_equal(with(PORT, "\0", 1), NTS_MALFORMED);
	assert_int_equal(with(PORT, "\0\1\2", 3), NTS_MALFORMED);
}

static void
server_and_port_may_be_told_once(void **state)
{
	struct bytes server = begun(), port = begun();

	(void)state;
	for (int i = 0; i < 2; i++) {
		add_record(&server, SERVER, "ntp.example", 11);
		add_value(&port, PORT, 123);
	}
	assert_int_equal(nts_answer(server.at, server.size, &granted, &code),
	    NTS_MALFORMED);
	assert_int_equal(
	    nts_answer(port.at, port.size, &granted, &code), NTS_MALFORMED);
}

static void
end_is_the_end(void **state)
{
	static const struct {
		unsigned type;
		size_t body, behind;
		enum nts_said said;
	} ends[] = {
		{ END, 0, 0, NTS_OK }, { END, 0, 1, NTS_MALFORMED },
		{ END, 0, 4, NTS_MALFORMED }, { END, 2, 0, NTS_MALFORMED },
		{ END & 0x7fff, 0, 0, NTS_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < LEN(ends); i++) {
		struct bytes b = begun();

		add_cookies(&b, 1, 100);
		add_record(&b, ends[i].type, zeros, ends[i].body);
		add(&b, zeros, ends[i].behind);
		assert_int_equal(nts_answer(b.at, b.size, &granted, &code),
		    ends[i].said);
	}
}

/* How many of eight cookies of this size are kept. */
static int
kept(int count, size_t size)
{
	struct bytes b = begun();
	enum nts_said said;

	add_cookies(&b, count, size);
	add_record(&b, END, NULL, 0);
	said = nts_answer(b.at, b.size, &granted, &code);
	assert_int_equal(
	    said, granted.nts.cookies > 0 ? NTS_OK : NTS_COOKIELESS);
	return granted.nts.cookies;
}

static void
cookies_that_fit_are_kept(void **state)
{
	(void)state;
	assert_int_equal(kept(8, 100), 8);
	assert_int_equal(kept(8, 101), 8);
	assert_int_equal(kept(8, 104), 8);
	assert_int_equal(kept(8, 200), 8);
	assert_int_equal(kept(8, 256), 8);
	assert_int_equal(kept(1, 1), 1);
	assert_int_equal(kept(12, 100), 8);
	assert_int_equal(kept(8, 257), 0);
	assert_int_equal(kept(8, 0), 0);
	assert_int_equal(kept(0, 100), 0);
}

/* ----------------------------------------------------------------- packets */

/* The keys of the example, and so many cookies of that size. */
static struct nts
jar(int cookies, size_t size)
{
	struct nts n = { .cookies = cookies };

	(void)unhex(C2S, n.c2s);
	(void)unhex(S2C, n.s2c);
	for (int i = 0; i < cookies; i++) {
		n.size[i] = (uint16_t)size;
		memset(n.cookie[i], i + 1, size);
	}
	return n;
}

static const uint8_t *
random_bytes(void)
{
	static uint8_t bytes[NTS_UID + NTS_NONCE];

	(void)unhex(UID_TEXT "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf", bytes);
	return bytes;
}

/* The request of the example, for which one more cookie is missing. */
static struct nts
asked(void)
{
	struct nts n = jar(7, 100);
	uint8_t packet[NTS_PACKET_MOST] = { 0x23, 0, 6, 0x20 };

	(void)unhex("0123456789abcdef", packet + 40);
	(void)unhex(COOKIE_TEXT, n.cookie[0]);
	assert_int_not_equal(nts_request(&n, NTS_COOKIES, random_bytes(), packet), 0);
	return n;
}

static void
request_is_that_of_the_example(void **state)
{
	struct nts n = jar(7, 100);
	uint8_t packet[NTS_PACKET_MOST] = { 0x23, 0, 6, 0x20 };
	uint8_t wanted[NTS_PACKET_MOST];
	size_t size = unhex(REQUEST, wanted);

	(void)state;
	(void)unhex("0123456789abcdef", packet + 40);
	(void)unhex(COOKIE_TEXT, n.cookie[0]);
	assert_int_equal(nts_request(&n, NTS_COOKIES, random_bytes(), packet), size);
	assert_memory_equal(packet, wanted, size);
	assert_int_equal(n.cookies, 6);
}

/* The cookie that a request shows, and how many placeholders as long as it. */
static int
shown(const uint8_t *packet, size_t size, size_t *cookie, int *placeholders)
{
	int first = -1;

	*placeholders = 0;
	for (size_t at = NTP_SIZE; at < size;) {
		unsigned type = packet[at] << 8 | packet[at + 1];
		size_t length = packet[at + 2] << 8 | packet[at + 3];

		assert_true(length >= 16 && length % 4 == 0);
		if (type == COOKIE) {
			assert_int_equal(first, -1);
			first = packet[at + 4];
			*cookie = length;
		} else if (type == 0x0304) {
			assert_int_equal(length, *cookie);
			++*placeholders;
		}
		at += length;
		assert_true(at <= size);
	}
	return first;
}

/* The oldest goes first, so that none is older than eight requests. */
static void
each_cookie_is_shown_once(void **state)
{
	struct nts n = jar(8, 100);
	uint8_t packet[NTS_PACKET_MOST] = { 0x23 };
	size_t size, cookie;
	int placeholders;

	(void)state;
	for (int i = 0; i < 8; i++) {
		size = nts_request(&n, NTS_COOKIES, random_bytes(), packet);
		assert_int_equal(
		    shown(packet, size, &cookie, &placeholders), i + 1);
		assert_int_equal(placeholders, i < 3 ? i : 3);
		assert_int_equal(size, 228 + 104 * placeholders);
		assert_int_equal(n.cookies, 7 - i);
	}
	assert_int_equal(nts_request(&n, NTS_COOKIES, random_bytes(), packet), 0);
}

static void
no_more_are_asked_for_than_may_be(void **state)
{
	uint8_t packet[NTS_PACKET_MOST] = { 0x23 };

	(void)state;
	for (int most = 0; most <= 7; most++) {
		struct nts n = jar(4, 100);
		size_t cookie;
		int placeholders;

		(void)shown(packet,
		    nts_request(&n, most, random_bytes(), packet), &cookie,
		    &placeholders);
		assert_int_equal(placeholders, most < 3 ? most : 3);
	}
}

/* A server may make its cookies longer from one reply to the next. */
static void
each_cookie_keeps_its_size(void **state)
{
	struct nts n = jar(8, 100);
	uint8_t packet[NTS_PACKET_MOST] = { 0x23 };
	size_t size, cookie = 0;
	int placeholders;

	(void)state;
	for (int i = 0; i < 8; i++)
		n.size[i] = (uint16_t)(16 + 4 * i);
	for (int i = 0; i < 8; i++) {
		size = nts_request(&n, NTS_COOKIES, random_bytes(), packet);
		assert_int_equal(
		    shown(packet, size, &cookie, &placeholders), i + 1);
		assert_int_equal(cookie, HEAD + 16 + 4 * i);
	}
}

/* Not even placeholders for the longest cookies do. */
static void
placeholders_lift_no_packet_above_what_paths_carry(void **state)
{
	static const struct {
		size_t cookie, field;
	} shapes[] = { { 1, 16 }, { 12, 16 }, { 13, 20 }, { 100, 104 },
		{ 101, 108 }, { 104, 108 }, { 200, 204 }, { 256, 260 } };

	(void)state;
	for (size_t i = 0; i < LEN(shapes); i++) {
		struct nts n = jar(1, shapes[i].cookie);
		uint8_t packet[NTS_PACKET_MOST];
		size_t size, cookie = 0;
		int placeholders;

		memset(packet, 0xff, sizeof packet);
		size = nts_request(&n, NTS_COOKIES, random_bytes(), packet);
		assert_true(size <= 1280 - 40 - 8);
		assert_int_equal(size, 48 + 36 + 40 + 4 * shapes[i].field);
		assert_int_equal(shown(packet, size, &cookie, &placeholders), 1);
		assert_int_equal(cookie, shapes[i].field);
		assert_int_equal(placeholders, 3);
		/* A cookie that does not end with its field is padded. */
		for (size_t j = shapes[i].cookie + 4; j < cookie; j++)
			assert_int_equal(packet[48 + 36 + j], 0);
	}
}

static void
assert_unchanged(const struct nts *a, const struct nts *b)
{
	assert_int_equal(a->cookies, b->cookies);
	assert_int_equal(a->asked, b->asked);
	for (int i = 0; i < a->cookies; i++) {
		assert_int_equal(a->size[i], b->size[i]);
		assert_memory_equal(a->cookie[i], b->cookie[i], a->size[i]);
	}
	assert_memory_equal(a->uid, b->uid, NTS_UID);
	assert_memory_equal(a->c2s, b->c2s, 2 * NTS_KEY);
}

/* A reply that is refused changes nothing.  A copy of the exact length shows a
 * read past its end. */
static void
assert_refused(const uint8_t *packet, size_t size, enum nts_said said)
{
	struct nts n = asked(), before = n;
	uint8_t *exact = malloc(size + 1);

	assert_non_null(exact);
	memcpy(exact, packet, size);
	assert_int_equal(nts_reply(&n, exact, size), said);
	assert_unchanged(&n, &before);
	free(exact);
}

static void
reply_brings_two_cookies_and_counts_once(void **state)
{
	struct nts n = asked(), before;
	uint8_t packet[NTS_PACKET_MOST];
	size_t size = unhex(RESPONSE, packet);

	(void)state;
	assert_int_equal(nts_reply(&n, packet, size), NTS_OK);
	assert_int_equal(n.cookies, 8);
	assert_int_equal(n.size[6], 100);
	assert_int_equal(n.cookie[6][0], 1);
	assert_int_equal(n.cookie[6][1], 0x0e);
	assert_int_equal(n.cookie[7][0], 2);
	assert_int_equal(n.cookie[7][1], 0x0f);
	before = n;
	assert_int_equal(nts_reply(&n, packet, size), NTS_STRANGE);
	assert_unchanged(&n, &before);
}

static void
changed_bit_or_length_is_refused(void **state)
{
	uint8_t packet[NTS_PACKET_MOST] = { 0 };
	size_t size = unhex(RESPONSE, packet);

	(void)state;
	for (size_t bit = 0; bit < size * 8; bit++) {
		struct nts n = asked(), before = n;

		packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(nts_reply(&n, packet, size), NTS_OK);
		assert_unchanged(&n, &before);
		packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t cut = 0; cut < size; cut++) {
		struct nts n = asked(), before = n;
		uint8_t *exact = malloc(cut + 1);

		assert_non_null(exact);
		memcpy(exact, packet, cut);
		assert_int_not_equal(nts_reply(&n, exact, cut), NTS_OK);
		assert_unchanged(&n, &before);
		free(exact);
	}
	for (size_t more = 1; more < 4; more++)
		assert_refused(packet, size + more, NTS_MALFORMED);
}

static void
reply_to_another_request_is_strange(void **state)
{
	struct nts n = jar(8, 100), before;
	uint8_t packet[NTS_PACKET_MOST], other[NTS_UID + NTS_NONCE] = { 1 };
	uint8_t request[NTS_PACKET_MOST] = { 0x23 };
	size_t size = unhex(RESPONSE, packet);

	(void)state;
	/* Even all zeros are no identifier before the first request. */
	before = n;
	assert_int_equal(nts_reply(&n, packet, size), NTS_STRANGE);
	memset(packet + NTP_SIZE + HEAD, 0, NTS_UID);
	assert_int_equal(nts_reply(&n, packet, size), NTS_STRANGE);
	assert_unchanged(&n, &before);
	/* The last request counts, not the one before it. */
	size = unhex(RESPONSE, packet);
	n = asked();
	assert_int_not_equal(nts_request(&n, NTS_COOKIES, other, request), 0);
	before = n;
	assert_int_equal(nts_reply(&n, packet, size), NTS_STRANGE);
	assert_unchanged(&n, &before);
}

static void
nak_needs_the_identifier_of_the_request(void **state)
{
	uint8_t packet[NTS_PACKET_MOST];
	size_t size = unhex(NAK, packet);
	struct nts n = asked();

	(void)state;
	assert_refused(packet, size, NTS_NAK);
	packet[48 + 4 + 31] ^= 1;
	assert_refused(packet, size, NTS_STRANGE);
	assert_refused(packet, NTP_SIZE, NTS_STRANGE);
	packet[48 + 4 + 31] ^= 1;
	packet[1] = 1;
	assert_refused(packet, size, NTS_BARE);
	packet[1] = 0;
	packet[0] = 0xe3; /* a client's mode */
	assert_refused(packet, size, NTS_BARE);
	packet[0] = 0xe4;
	memcpy(packet + 12, "RATE", 4);
	assert_refused(packet, size, NTS_BARE);
	memcpy(packet + 12, "DENY", 4);
	assert_refused(packet, size, NTS_BARE);
	/* After the true reply it is too late. */
	memcpy(packet + 12, "NTSN", 4);
	n.asked = false;
	assert_int_equal(nts_reply(&n, packet, size), NTS_STRANGE);
}

/* A reply that begins as the server's would. */
static struct bytes
reply(void)
{
	struct bytes b = { .size = 0 };
	uint8_t header[NTP_SIZE] = { 0x24, 1 }, uid[NTS_UID];

	(void)unhex(UID_TEXT, uid);
	add(&b, header, sizeof header);
	add_field(&b, UID, uid, sizeof uid);
	return b;
}

/* Seal all that is there, with a nonce of this size, and these fields inside.
 * longer: zeros behind them within the field. */
static void
seal(struct bytes *b, size_t nonce, const struct bytes *inside, size_t longer)
{
	struct nts n = jar(0, 0);
	uint8_t number[64] = { 7, 7, 7 }, data[1280], tag[SIV_TAG];
	const struct siv_piece pieces[] = { { b->at, b->size },
		{ number, nonce } };
	size_t room = (nonce + 3) & ~(size_t)3;
	size_t filled = (inside->size + 3) & ~(size_t)3;

	memset(data, 0, sizeof data);
	memcpy(data, inside->at, inside->size);
	assert_true(filled <= sizeof data);
	siv_seal(n.s2c, pieces, 2, data, inside->size, tag);
	add16(b, SEAL);
	add16(b, (unsigned)(8 + room + SIV_TAG + filled + longer));
	add16(b, (unsigned)nonce);
	add16(b, (unsigned)(SIV_TAG + inside->size));
	add(b, number, room);
	add(b, tag, SIV_TAG);
	add(b, data, filled);
	add(b, zeros, longer);
}

/* Is the reply with these fields inside accepted?  Then so many cookies are
 * there afterwards. */
static void
assert_sealed(const struct bytes *inside, size_t nonce, size_t longer, int cookies)
{
	struct bytes b = reply();
	struct nts n = asked();

	seal(&b, nonce, inside, longer);
	assert_int_equal(nts_reply(&n, b.at, b.size), NTS_OK);
	assert_int_equal(n.cookies, cookies);
	assert_false(n.asked);
}

static void
cookies_come_from_inside_only(void **state)
{
	struct bytes inside = { .size = 0 }, b = reply();
	struct nts n = asked();
	size_t whole;

	(void)state;
	/* One before the seal and one behind it, both in the clear. */
	add_field(&b, COOKIE, zeros, 100);
	seal(&b, 16, &inside, 0);
	whole = b.size;
	add_field(&b, COOKIE, zeros, 100);
	assert_int_equal(nts_reply(&n, b.at, b.size), NTS_OK);
	assert_int_equal(n.cookies, 6);
	/* Behind the seal may be anything: it is not read. */
	n = asked();
	memset(b.at + whole, 0xff, 104);
	assert_int_equal(nts_reply(&n, b.at, b.size), NTS_OK);
}

static void
inside_are_cookies_and_what_is_not_known(void **state)
{
	struct bytes inside = { .size = 0 };

	(void)state;
	assert_sealed(&inside, 16, 0, 6);
	add_field(&inside, 0x4404, NULL, 0); /* 4 bytes are enough inside */
	add_field(&inside, UID, zeros, 32);
	add_field(&inside, SEAL, zeros, 32);
	assert_sealed(&inside, 16, 0, 6);
	add_field(&inside, COOKIE, NULL, 0);
	add_field(&inside, COOKIE, zeros, 260);
	assert_sealed(&inside, 16, 0, 6);
	add_field(&inside, COOKIE, zeros, 256);
	assert_sealed(&inside, 16, 0, 7);
	add_field(&inside, COOKIE, zeros, 100);
	add_field(&inside, COOKIE, zeros, 100);
	assert_sealed(&inside, 16, 0, 8);
}

static void
nonces_and_padding_of_any_size_are_read(void **state)
{
	struct bytes inside = { .size = 0 };

	(void)state;
	add_field(&inside, COOKIE, zeros, 100);
	assert_sealed(&inside, 1, 0, 7);
	assert_sealed(&inside, 12, 0, 7);
	assert_sealed(&inside, 15, 0, 7);
	assert_sealed(&inside, 32, 0, 7);
	assert_sealed(&inside, 16, 20, 7);
}

static void
broken_fields_inside_bring_nothing(void **state)
{
	static const struct {
		size_t told, size;
	} broken[] = { { 0, 12 }, { 3, 12 }, { 17, 16 }, { 18, 16 }, { 20, 12 },
		{ 65532, 12 }, { 16, 13 }, { 16, 15 }, { 17, 13 } };

	(void)state;
	for (size_t i = 0; i < LEN(broken); i++) {
		struct bytes inside = { .size = 0 }, b = reply();

		add_field(&inside, COOKIE, zeros, 100);
		add_as(&inside, COOKIE, broken[i].told, zeros, broken[i].size);
		seal(&b, 16, &inside, 0);
		assert_refused(b.at, b.size, NTS_MALFORMED);
	}
}

/* In place of the seal, or before it. */
static void
broken_fields_are_refused(void **state)
{
	static const struct {
		size_t told, size;
	} broken[] = { { 0, 28 }, { 1, 28 }, { 4, 0 }, { 12, 8 }, { 17, 28 },
		{ 18, 28 }, { 36, 28 }, { 65532, 28 }, { 65535, 28 } };
	struct bytes inside = { .size = 0 };

	(void)state;
	for (size_t i = 0; i < LEN(broken); i++)
		for (unsigned type = 0; type < 2; type++) {
			struct bytes b = reply();

			add_as(&b, type == 0 ? 0x2104 : SEAL, broken[i].told,
			    zeros, broken[i].size);
			seal(&b, 16, &inside, 0);
			assert_refused(b.at, b.size, NTS_MALFORMED);
		}
	/* Two of an odd size do not make it good. */
	for (size_t told = 17; told < 20; told++) {
		struct bytes b = reply();

		add_as(&b, 0x2104, told, zeros, told - HEAD);
		add_as(&b, 0x2104, 40 - told, zeros, 40 - told - HEAD);
		seal(&b, 16, &inside, 0);
		assert_refused(b.at, b.size, NTS_MALFORMED);
	}
}

static void
broken_seals_are_refused(void **state)
{
	static const struct {
		unsigned nonce, sealed;
		enum nts_said said;
	} broken[] = {
		{ 0, 16, NTS_MALFORMED }, { 16, 0, NTS_MALFORMED },
		{ 16, 15, NTS_MALFORMED }, { 16, 17, NTS_MALFORMED },
		{ 17, 16, NTS_MALFORMED }, { 65535, 16, NTS_MALFORMED },
		{ 16, 65535, NTS_MALFORMED }, { 65535, 65535, NTS_MALFORMED },
		{ 16, 16, NTS_FORGED }, { 12, 20, NTS_FORGED },
	};

	(void)state;
	for (size_t i = 0; i < LEN(broken); i++) {
		struct bytes b = reply();

		add16(&b, SEAL);
		add16(&b, 8 + 16 + 16);
		add16(&b, broken[i].nonce);
		add16(&b, broken[i].sealed);
		add(&b, zeros, 32);
		assert_refused(b.at, b.size, broken[i].said);
	}
}

static void
identifier_is_there_once_and_whole(void **state)
{
	struct bytes inside = { .size = 0 }, b = reply();
	uint8_t uid[NTS_UID + 4] = { 0 };

	(void)state;
	(void)unhex(UID_TEXT, uid);
	add_field(&b, UID, uid, NTS_UID);
	seal(&b, 16, &inside, 0);
	assert_refused(b.at, b.size, NTS_MALFORMED);
	b.size = NTP_SIZE;
	add_field(&b, UID, uid, NTS_UID - 4);
	seal(&b, 16, &inside, 0);
	assert_refused(b.at, b.size, NTS_STRANGE);
	b.size = NTP_SIZE;
	add_field(&b, UID, uid, NTS_UID + 4);
	seal(&b, 16, &inside, 0);
	assert_refused(b.at, b.size, NTS_STRANGE);
	b.size = NTP_SIZE;
	seal(&b, 16, &inside, 0);
	assert_refused(b.at, b.size, NTS_STRANGE);
	/* Behind the seal nothing vouches for it. */
	add_field(&b, UID, uid, NTS_UID);
	assert_refused(b.at, b.size, NTS_BARE);
}

static void
sizes_are_within_bounds(void **state)
{
	struct bytes inside = { .size = 0 }, b = reply();
	struct nts n = asked();

	(void)state;
	for (size_t size = 0; size < NTP_SIZE; size++)
		assert_refused(b.at, size, NTS_MALFORMED);
	add_field(&b, 0x2104, zeros, 1280 - b.size - 40 - 4);
	seal(&b, 16, &inside, 0);
	assert_int_equal(b.size, NTS_PACKET_MOST);
	assert_int_equal(nts_reply(&n, b.at, b.size), NTS_OK);
	assert_refused(b.at, b.size + 4, NTS_MALFORMED);
}

static void
every_answer_has_words(void **state)
{
	(void)state;
	for (int i = 0; i < NTS_SAYS; i++)
		assert_non_null(word_at(nts_words, i));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(question_is_that_of_the_rfc),
		cmocka_unit_test(answer_brings_cookies_server_and_port),
		cmocka_unit_test(without_records_the_asked_server_and_port_123_count),
		cmocka_unit_test(answer_that_is_cut_asks_for_more),
		cmocka_unit_test(what_is_unknown_counts_only_if_critical),
		cmocka_unit_test(errors_and_warnings_end_it_with_their_number),
		cmocka_unit_test(only_ntp_4_with_our_algorithm_is_taken),
		cmocka_unit_test(odd_servers_and_ports_are_refused),
		cmocka_unit_test(server_and_port_may_be_told_once),
		cmocka_unit_test(end_is_the_end),
		cmocka_unit_test(cookies_that_fit_are_kept),
		cmocka_unit_test(request_is_that_of_the_example),
		cmocka_unit_test(each_cookie_is_shown_once),
		cmocka_unit_test(each_cookie_keeps_its_size),
		cmocka_unit_test(no_more_are_asked_for_than_may_be),
		cmocka_unit_test(placeholders_lift_no_packet_above_what_paths_carry),
		cmocka_unit_test(reply_brings_two_cookies_and_counts_once),
		cmocka_unit_test(changed_bit_or_length_is_refused),
		cmocka_unit_test(reply_to_another_request_is_strange),
		cmocka_unit_test(nak_needs_the_identifier_of_the_request),
		cmocka_unit_test(cookies_come_from_inside_only),
		cmocka_unit_test(inside_are_cookies_and_what_is_not_known),
		cmocka_unit_test(nonces_and_padding_of_any_size_are_read),
		cmocka_unit_test(broken_fields_inside_bring_nothing),
		cmocka_unit_test(broken_fields_are_refused),
		cmocka_unit_test(broken_seals_are_refused),
		cmocka_unit_test(identifier_is_there_once_and_whole),
		cmocka_unit_test(sizes_are_within_bounds),
		cmocka_unit_test(every_answer_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
