/*
 * key.h - symmetric keys of NTP, with AES-CMAC (RFC 8573).
 */
#ifndef KEY_H
#define KEY_H

#include "core/cmac.h"
#include "core/ntp.h"

#include <stdbool.h>

enum {
	KEY_MOST = 32,			 /* bytes of a secret; or 16 */
	KEY_MAC = 4 + CMAC_SIZE,	 /* its number, and the MAC */
	KEY_PACKET = NTP_SIZE + KEY_MAC, /* bytes of a packet with a key */
	KEY_TEXT = 1024			 /* bytes at most of a file */
};

/* A secret that client and server share. */
struct key {
	uint32_t id;  /* by which both know it; 0: there is none */
	uint8_t size; /* 16 bytes for AES-128, 32 for AES-256 */
	uint8_t secret[KEY_MOST];
	char *path; /* of the file that holds it, or NULL */
	int line;   /* of the configuration */
};

/* Read 32 or 64 hexadecimal digits, perhaps with white space around them and
 * with chrony's "HEX:" in front, into size and secret.  False: that is no
 * key. */
bool key_read(const char *text, size_t size, struct key *);

/* Put number and MAC behind the header of a packet. */
void key_sign(const struct key *, uint8_t packet[static KEY_PACKET]);

/* Which of n keys has made number and MAC of this packet?  NULL: none. */
const struct key *
key_of(const struct key *, int n, const uint8_t packet[static KEY_PACKET]);

#endif
