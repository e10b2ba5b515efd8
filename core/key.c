/*
 * key.c - symmetric keys of NTP, with AES-CMAC (RFC 8573).
 *
 * Behind its header a packet carries the number of a key and the MAC of the
 * header (RFC 5905 §7.3).  What is that long is a MAC and no extension field
 * (RFC 7822 §7.5).
 */
#include "core/key.h"
#include "core/wipe.h"

#include <string.h>

static int
digit(uint8_t c)
{
	int letter = (c | 32) - 'a';

	return c >= '0' && c <= '9'    ? c - '0' :
	    letter >= 0 && letter <= 5 ? letter + 10 :
					 -1;
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

bool
key_read(const char *text, size_t size, struct key *k)
{
	while (size > 0 && is_space(text[size - 1]))
		size--;
	while (size > 0 && is_space(*text)) {
		text++;
		size--;
	}
	if (size > 4 && memcmp(text, "HEX:", 4) == 0) {
		text += 4;
		size -= 4;
	}
	if (size != KEY_MOST && size != 2 * KEY_MOST)
		return false;
	k->size = (uint8_t)(size / 2);
	for (size_t i = 0; i < size; i += 2) {
		int high = digit((uint8_t)text[i]);
		int low = digit((uint8_t)text[i + 1]);

		if (high < 0 || low < 0)
			return false;
		k->secret[i / 2] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static void
mac_of(const struct key *k, const uint8_t *packet, uint8_t mac[static KEY_MAC])
{
	br_aes_ct64_ctr_keys aes;

	for (int i = 0; i < 4; i++)
		mac[i] = (uint8_t)(k->id >> (24 - 8 * i));
	br_aes_ct64_ctr_init(&aes, k->secret, k->size);
	cmac(&aes, packet, NTP_SIZE, mac + 4);
	secret_wipe(&aes, sizeof(aes));
}

void
key_sign(const struct key *k, uint8_t packet[static KEY_PACKET])
{
	mac_of(k, packet, packet + NTP_SIZE);
}

const struct key *
key_of(const struct key *k, int n, const uint8_t packet[static KEY_PACKET])
{
	const uint8_t *said = packet + NTP_SIZE;
	uint8_t mac[KEY_MAC];

	for (; n > 0; n--, k++) {
		if (k->id !=
		    ((uint32_t)said[0] << 24 | (uint32_t)said[1] << 16 |
			(uint32_t)said[2] << 8 | said[3]))
			continue;
		mac_of(k, packet, mac);
		return secret_same(mac, said, KEY_MAC) ? k : NULL;
	}
	return NULL;
}
