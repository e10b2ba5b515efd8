/*
 * exchange.h - a request that is under way, and the good answer to it.
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "core/constraint.h"
#include "core/ntp.h"
#include "core/source.h"
#include "tests/test.h"

#define BUILD (1790000000LL * NS_PER_S)
#define NOW (1795000000LL * NS_PER_S)
#define RAW0 (5000 * NS_PER_S)
#define NONCE 0x1122334455667788u

static const struct address here = { .family = 4, .bytes = { 192, 0, 2, 1 } };
static const struct address there = { .family = 4, .bytes = { 192, 0, 2, 2 } };
static struct bound bound = { .earliest = BUILD };

/* A source whose request left at RAW0. */
static struct source
waiting(void)
{
	struct source s = { .weight = 1 };

	source_start(&s, &here, RAW0, 0, 0, 100e-6);
	assert_int_equal(source_turn(&s, RAW0, true, 0.5), WANT_SEND);
	source_sent(&s, RAW0, NONCE, true);
	return s;
}

/* The good answer to it: 10 ms each way, 1 ms in the server. */
static struct ntp_packet
good(void)
{
	return (struct ntp_packet){
		.version = 4, .mode = MODE_SERVER, .stratum = 2,
		.precision = -20, .root_delay = 0.01, .root_dispersion = 0.002,
		.refid = 0x0a000001, .origin = NONCE,
		.receive = ntp_from_real(NOW + 10000000),
		.transmit = ntp_from_real(NOW + 11000000)
	};
}

static enum source_said
answer(struct source *s, const struct ntp_packet *p, size_t size)
{
	struct stamps t = { .sent = s->sent, .got = s->sent + 21000000 };
	struct judgement j = {
		.bound = &bound, .pivot = NOW, .random = 0.5
	};
	uint8_t bytes[NTP_SIZE + 100] = { 0 };

	ntp_format(p, bytes);
	return source_reply(s, bytes, size, &t, &j);
}

#endif
