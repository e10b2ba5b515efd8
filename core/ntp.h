/*
 * ntp.h - NTP packets.
 */
#ifndef NTP_H
#define NTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NTP_SIZE = 48, /* RFC 5905 §7.3, without extensions */
	NTP_PORT = 123
};

enum ntp_mode { MODE_ACTIVE = 1, MODE_PASSIVE, MODE_CLIENT, MODE_SERVER };
/* Where the stamps stand in a packet (RFC 5905 fig. 8). */
enum ntp_stamp { NTP_ORIGIN = 24, NTP_RECEIVE = 32, NTP_TRANSMIT = 40 };
enum ntp_leap { LEAP_NONE, LEAP_INSERT, LEAP_DELETE, LEAP_ALARM };

struct ntp_packet {
	uint8_t leap, version, mode, stratum;
	int8_t poll, precision; /* log2 seconds */
	double root_delay, root_dispersion;
	uint32_t refid; /* first byte on the wire is highest */
	uint64_t reference, origin, receive, transmit; /* 32.32 of an era */
};

/* What this host says of itself when it serves time; see ntp_answer. */
struct serving {
	uint8_t leap, stratum; /* LEAP_ALARM and 0: unsynchronised */
	int8_t precision;
	uint32_t refid;
	double root_delay, root_dispersion; /* the latter at raw, in seconds */
	double growth;			    /* of the dispersion, a ratio */
	int64_t raw, reference; /* when that held; last update (real) */
};

/* Why a request gets no answer. */
enum ntp_refusal {
	ANSWERED,
	REFUSED_LENGTH,
	REFUSED_MODE,
	REFUSED_VERSION,
	NTP_REFUSALS
};

/* Turn bytes into fields; false if size is below NTP_SIZE.  Trailing bytes are
 * not looked at. */
bool ntp_parse(const uint8_t *bytes, size_t size, struct ntp_packet *);

/* Turn fields into bytes.  Root delay and dispersion are rounded up and
 * clamped. */
void ntp_format(const struct ntp_packet *, uint8_t out[static NTP_SIZE]);

/* A client's request that tells nothing but its nonce, as
 * draft-ietf-ntp-data-minimization wants it. */
void ntp_query(uint64_t nonce, uint8_t out[static NTP_SIZE]);

/* Read or write one of the stamps of a packet. */
uint64_t ntp_get(const uint8_t packet[static NTP_SIZE], enum ntp_stamp);
void ntp_put(uint8_t packet[static NTP_SIZE], enum ntp_stamp, uint64_t value);

/* The time of an NTP stamp within 68 years of pivot, in ns since 1970, and the
 * way back, which is never 0 or 1.  The era is not on the wire (RFC 5905
 * §6). */
int64_t ntp_to_real(uint64_t stamp, int64_t pivot);
uint64_t ntp_from_real(int64_t real);

/* The pivot for ntp_to_real: real while the clock is synchronised, otherwise
 * real cut to the fifty years after the build. */
int64_t ntp_pivot(bool synced, int64_t real, int64_t build);

/* The reply to a client's request: ANSWERED and NTP_SIZE bytes in out, or the
 * reason for silence.  size is the length on the wire: a longer datagram is
 * answered with NTP_SIZE bytes.  Extension fields and MACs come in words of
 * four octets, so any other length is refused.  Only the first NTP_SIZE bytes
 * are read.  now_raw is used for the growth of the dispersion; a reference of 0
 * is sent as 0.  out may be request itself.  The last bit of a receive stamp is
 * 1, and that of a transmit stamp is 0: a client that sends us a stamp of ours
 * back as the origin shows by that bit which one it is. */
enum ntp_refusal ntp_answer(const uint8_t *request, size_t size,
    const struct serving *, int64_t received_real, int64_t now_raw,
    int64_t transmit_real, uint8_t out[static NTP_SIZE]);

extern const char ntp_refusal_words[]; /* for word_at: NTP_REFUSALS of them */

#endif
