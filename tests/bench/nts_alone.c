/*
 * nts_alone.c - what the rooms of NTS cost: processor time to make a request,
 * and to check its reply, as the program is built.
 *
 * The bar is 50 us for each.  The best of many rounds counts, since the machine
 * may be busy.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/ntp.h"
#include "core/nts.h"
#include "core/siv.h"

enum { ROUNDS = 200, TURNS = 50, COOKIE = 100 };
#define BAR 50e-6 /* s */

static double
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Requests of a jar that lacks this many cookies; returns seconds for one. */
static double
requests(int lacking)
{
	static const uint8_t random[NTS_UID + NTS_NONCE];
	uint8_t packet[NTS_PACKET_MOST] = { 0 };
	double best = 1, begun;

	for (int i = 0; i < ROUNDS; i++) {
		begun = now();
		for (int j = 0; j < TURNS; j++) {
			struct nts n = { .cookies = NTS_COOKIES - lacking,
				.size = { COOKIE } };

			(void)nts_request(&n, NTS_COOKIES, random, packet);
		}
		begun = (now() - begun) / TURNS;
		if (begun < best)
			best = begun;
	}
	return best;
}

/* A server's reply that brings cookies; returns its size. */
static size_t
reply(struct nts *n, int cookies, uint8_t packet[static NTS_PACKET_MOST])
{
	size_t at = NTP_SIZE + 4 + NTS_UID, size = (size_t)cookies * (COOKIE + 4);
	size_t told = 8 + NTS_NONCE + SIV_TAG + size;
	struct siv_piece pieces[] = { { packet, at },
		{ packet + at + 8, NTS_NONCE } };
	uint8_t *inside = packet + at + 8 + NTS_NONCE + SIV_TAG;

	memset(packet, 0, NTS_PACKET_MOST);
	memcpy(packet + NTP_SIZE, "\1\4\0\44", 4);
	memcpy(packet + at, "\4\4", 2);
	packet[at + 2] = (uint8_t)(told >> 8);
	packet[at + 3] = (uint8_t)told;
	packet[at + 5] = NTS_NONCE;
	packet[at + 6] = (uint8_t)((SIV_TAG + size) >> 8);
	packet[at + 7] = (uint8_t)(SIV_TAG + size);
	for (int i = 0; i < cookies; i++)
		memcpy(inside + i * (COOKIE + 4), "\2\4\0\150", 4);
	siv_seal(n->s2c, pieces, 2, inside, size, inside - SIV_TAG);
	return at + told;
}

/* Replies with this many cookies; returns seconds for one, or 1 s if it was
 * refused. */
static double
replies(int cookies)
{
	uint8_t packet[NTS_PACKET_MOST];
	struct nts n = { .asked = true };
	size_t size = reply(&n, cookies, packet);
	double best = 1, begun;

	for (int i = 0; i < ROUNDS; i++) {
		begun = now();
		for (int j = 0; j < TURNS; j++) {
			n.cookies = 0;
			n.asked = true;
			if (nts_reply(&n, packet, size) != NTS_OK)
				return 1;
		}
		begun = (now() - begun) / TURNS;
		if (begun < best)
			best = begun;
	}
	return best;
}

static int
show(const char *what, double seconds)
{
	(void)printf("nts: %s %.1f us, %.2f of the bar\n", what, seconds * 1e6,
	    seconds / BAR);
	return seconds <= BAR ? 0 : 1;
}

int
main(void)
{
	int missed = show("request with one cookie", requests(1));

	missed |= show("request that lacks all", requests(NTS_COOKIES - 1));
	missed |= show("reply with one cookie", replies(1));
	missed |= show("reply to that", replies(1 + NTS_PLACEHOLDERS));
	return missed;
}
