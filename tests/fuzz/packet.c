/*
 * packet.c - any bytes as a request to our server, any bytes as a reply
 * to our client.
 *
 * The first 16 bytes are the circumstances: the clocks, the pivot, and whether
 * the reply shall carry the nonce that was asked with and stamps of today,
 * which no fuzzer would guess.  The rest is the datagram.
 */
#include <math.h>

#include "core/address.h"
#include "core/constraint.h"
#include "core/instant.h"
#include "core/ntp.h"
#include "core/source.h"
#include "core/word.h"
#include "tests/fuzz/fuzz.h"

#define NONCE 0x0123456789abcdefULL

static uint64_t
distance(uint64_t a, uint64_t b)
{
	return a - b < b - a ? a - b : b - a;
}

static void
fuzz_fields(const uint8_t *bytes, size_t size)
{
	uint8_t back[NTP_SIZE];
	struct ntp_packet p;

	CHECK(ntp_parse(bytes, size, &p) == (size >= NTP_SIZE));
	if (size < NTP_SIZE)
		return;
	ntp_format(&p, back);
	CHECK(memcmp(back, bytes, NTP_SIZE) == 0);
}

static void
fuzz_stamp(uint64_t stamp, int64_t pivot)
{
	int64_t real = ntp_to_real(stamp, pivot), away;

	if (real == INT64_MAX || real == INT64_MIN)
		return;
	/* That is 2^31 s and the pivot's own fraction of a second. */
	if (!__builtin_sub_overflow(real, pivot, &away))
		CHECK(away / NS_PER_S >= -(1LL << 31) - 1 &&
		    away / NS_PER_S <= (1LL << 31) + 1);
	/* Half a nanosecond is 2.2 units, and rounding down is one more. */
	CHECK(stamp == 0 || distance(ntp_from_real(real), stamp) <= 4);
	if (real < INT64_MAX / 2 && real > INT64_MIN / 2)
		CHECK(ntp_to_real(ntp_from_real(real), real) == real ||
		    stamp == 0);
}

static void
fuzz_request(const uint8_t *bytes, size_t size, int64_t received, double growth)
{
	const struct serving serving = {
		.leap = LEAP_INSERT, .stratum = 2, .precision = -20,
		.refid = 0x7f000001, .root_delay = 0.5, .root_dispersion = 0.25,
		.growth = growth, .raw = 1000, .reference = received - 1
	};
	uint8_t out[NTP_SIZE], untouched[NTP_SIZE];
	enum ntp_refusal why;
	struct ntp_packet p;

	memset(out, 0xa5, sizeof out);
	memset(untouched, 0xa5, sizeof untouched);
	why = ntp_answer(bytes, size, &serving, received, NS_PER_S,
	    received + 1000, out);
	CHECK(why < NTP_REFUSALS);
	if (why != ANSWERED) {
		CHECK(memcmp(out, untouched, sizeof out) == 0);
		return;
	}
	CHECK(size >= NTP_SIZE && ntp_parse(out, sizeof out, &p));
	CHECK(p.mode == MODE_SERVER || p.mode == MODE_PASSIVE);
	CHECK(p.version >= 1 && p.version <= 4 && p.stratum == 2);
	CHECK(memcmp(out + 24, bytes + 40, 8) == 0);
	CHECK(p.receive == (ntp_from_real(received) | 1));
	CHECK((p.transmit & 1) == 0 && p.transmit != 0);
	CHECK(p.root_dispersion > 0);
	/* An answer must not be a request, or two servers would never stop. */
	CHECK(ntp_answer(out, sizeof out, &serving, received, NS_PER_S,
	    received, untouched) == REFUSED_MODE);
}

static void
put(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (56 - 8 * i));
}

/* A refused reply must change nothing but counters and the reason. */
static bool
is_same(struct source a, struct source b)
{
	memset(a.rejected, 0, sizeof a.rejected);
	memset(b.rejected, 0, sizeof b.rejected);
	a.said = b.said;
	a.refused = b.refused;
	a.explained = b.explained;
	return memcmp(&a, &b, sizeof a) == 0;
}

static void
fuzz_reply(const uint8_t *bytes, size_t size, int64_t pivot, int64_t took,
    bool guessed, bool today)
{
	static const struct address address = { .family = 4,
	    .bytes = { 192, 0, 2, 1 } };
	const struct bound bound = { .earliest = 0 };
	const struct judgement judgement = { .bound = &bound, .pivot = pivot,
	    .random = 0.5 };
	const struct stamps stamps = { .sent = 100 * NS_PER_S,
	    .got = 100 * NS_PER_S + took };
	static struct source s, before;
	uint8_t packet[2048], nonce[8];
	enum source_said said;
	bool woven;

	if (size > sizeof packet)
		size = sizeof packet;
	memcpy(packet, bytes, size);
	if (guessed && size >= NTP_SIZE)
		put(packet + 24, NONCE);
	if (today && size >= NTP_SIZE) {
		put(packet + 32, ntp_from_real(pivot));
		put(packet + 40, ntp_from_real(pivot) + (packet[40] << 16));
	}
	/* libFuzzer looks at comparisons, and so it guesses in the end. */
	put(nonce, NONCE);
	guessed = size >= NTP_SIZE && memcmp(packet + 24, nonce, 8) == 0;
	put(nonce, ~NONCE); /* in interleaved mode */
	woven = size >= NTP_SIZE && memcmp(packet + 24, nonce, 8) == 0;

	memset(&s, 0, sizeof s);
	s.poll_least = 16;
	s.poll_most = 1024;
	s.weight = 1;
	source_start(&s, &address, stamps.sent, 0, 0, 1e-4);
	(void)source_turn(&s, stamps.sent, true, 0.5);
	source_sent(&s, stamps.sent, NONCE, true);
	if (woven) { /* there was a reply half a minute ago */
		s.at.sent = 70 * NS_PER_S;
		s.at.got = s.at.sent + took;
		s.last.receive = ntp_from_real(pivot - 30 * NS_PER_S);
		guessed = true;
	}
	before = s;
	said = source_reply(&s, packet, size, &stamps, &judgement);
	CHECK(said < SAID_SAYS && word_at(source_words, said) != NULL);
	switch (said) {
	case SAID_ACCEPTED:
		CHECK(guessed && (packet[0] & 7) == MODE_SERVER);
		CHECK(packet[0] >> 6 != LEAP_ALARM);
		CHECK(packet[1] >= 1 && packet[1] <= 15);
		CHECK(isfinite(s.sample.delay) && s.sample.delay >= 0);
		CHECK(isfinite(s.sample.error) && s.sample.error >= 0);
		CHECK(isfinite(s.interval) && s.interval > 0);
		/* A replay changes nothing. */
		before = s;
		CHECK(source_reply(&s, packet, size, &stamps, &judgement) !=
		    SAID_ACCEPTED);
		CHECK(is_same(s, before));
		break;
	case SAID_RATE:
	case SAID_DENY:
		CHECK(guessed && packet[1] == 0);
		break;
	case SAID_BOUND:
		CHECK(guessed);
		break;
	case SAID_ROOT: /* kept as a last resort, and nothing else */
		CHECK(guessed && isfinite(s.far.delay) &&
		    isfinite(s.far.error) && s.far.error >= 0);
		s.far = before.far;
		s.last = before.last; /* it has no other */
		CHECK(is_same(s, before));
		break;
	default:
		CHECK(is_same(s, before));
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t pivot, other;
	uint64_t stamp;

	if (size < 16)
		return 0;
	memcpy(&pivot, data, 8);
	memcpy(&other, data + 8, 8);
	data += 16;
	size -= 16;
	fuzz_fields(data, size);
	if (size >= 8) {
		memcpy(&stamp, data, 8);
		fuzz_stamp(stamp, pivot);
	}
	fuzz_request(data, size, pivot / 2, (double)other * 1e-18);
	/* Round trips are up to 4 s, the pivot is between 1900 and 2116. */
	fuzz_reply(data, size, pivot / 4, (other >> 32) & 0xffffffff,
	    other & 1, other & 2);
	return 0;
}
