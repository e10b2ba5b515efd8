/*
 * ntp.c - forty-eight bytes and what they mean.
 *
 * It turns packets into fields and back, and NTP time into nanoseconds and
 * back.  It makes the request that we send, and the reply that a client's
 * request deserves.  It owns nothing.
 *
 * NTP counts seconds since 1900 in 32 bits (RFC 5905 §6), so each stamp recurs
 * every 136 years, for the first time on 2036-02-07 at 06:28:16.  The era is
 * not on the wire. ntp_to_real takes the one nearest to a pivot; everything
 * else here is arithmetic modulo 2^64, which has no edges.
 */
#include "core/ntp.h"
#include "core/instant.h"

#include <string.h>

/* Seconds from 1900 to 1970: 70 years with 17 leap days (RFC 5905 fig. 4). */
#define EPOCH 2208988800LL

/* One unit of the short format, NTP's 16.16 seconds (RFC 5905 §6). */
#define SHORT_UNIT (1.0 / 65536)

/* Offsets into the header (RFC 5905 fig. 8). */
enum {
	AT_FLAGS,
	AT_STRATUM,
	AT_POLL,
	AT_PRECISION,
	AT_ROOT_DELAY,
	AT_ROOT_DISPERSION = 8,
	AT_REFID = 12,
	AT_REFERENCE = 16
};

/* In the order of enum ntp_refusal. */
const char ntp_refusal_words[] =
    "answered\0"
    "length\0"
    "mode\0"
    "version";

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

static uint64_t
get64(const uint8_t *p)
{
	return (uint64_t)get32(p) << 32 | get32(p + 4);
}

static void
put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static void
put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)(v >> 32));
	put32(p + 4, (uint32_t)v);
}

/* Make it 16.16, never less than s: a bound must not be rounded down.  What is
 * not a number, or more than the format can hold, becomes the largest value. */
static uint32_t
put_short(double s)
{
	double units = s / SHORT_UNIT;
	uint32_t whole;

	if (units <= 0)
		return 0;
	if (!(units < UINT32_MAX))
		return UINT32_MAX;
	whole = (uint32_t)units;
	return whole < units ? whole + 1 : whole;
}

bool
ntp_parse(const uint8_t *bytes, size_t size, struct ntp_packet *p)
{
	if (size < NTP_SIZE)
		return false;
	p->leap = bytes[AT_FLAGS] >> 6;
	p->version = bytes[AT_FLAGS] >> 3 & 7;
	p->mode = bytes[AT_FLAGS] & 7;
	p->stratum = bytes[AT_STRATUM];
	p->poll = (int8_t)bytes[AT_POLL];
	p->precision = (int8_t)bytes[AT_PRECISION];
	p->root_delay = get32(bytes + AT_ROOT_DELAY) * SHORT_UNIT;
	p->root_dispersion = get32(bytes + AT_ROOT_DISPERSION) * SHORT_UNIT;
	p->refid = get32(bytes + AT_REFID);
	p->reference = get64(bytes + AT_REFERENCE);
	p->origin = get64(bytes + NTP_ORIGIN);
	p->receive = get64(bytes + NTP_RECEIVE);
	p->transmit = get64(bytes + NTP_TRANSMIT);
	return true;
}

void
ntp_format(const struct ntp_packet *p, uint8_t out[static NTP_SIZE])
{
	out[AT_FLAGS] =
	    (uint8_t)(p->leap << 6 | (p->version & 7) << 3 | (p->mode & 7));
	out[AT_STRATUM] = p->stratum;
	out[AT_POLL] = (uint8_t)p->poll;
	out[AT_PRECISION] = (uint8_t)p->precision;
	put32(out + AT_ROOT_DELAY, put_short(p->root_delay));
	put32(out + AT_ROOT_DISPERSION, put_short(p->root_dispersion));
	put32(out + AT_REFID, p->refid);
	put64(out + AT_REFERENCE, p->reference);
	put64(out + NTP_ORIGIN, p->origin);
	put64(out + NTP_RECEIVE, p->receive);
	put64(out + NTP_TRANSMIT, p->transmit);
}

void
ntp_query(uint64_t nonce, uint8_t out[static NTP_SIZE])
{
	memset(out, 0, NTP_SIZE);
	out[AT_FLAGS] = 4 << 3 | MODE_CLIENT;
	put64(out + NTP_TRANSMIT, nonce);
}

uint64_t
ntp_get(const uint8_t packet[static NTP_SIZE], enum ntp_stamp at)
{
	return get64(packet + at);
}

void
ntp_put(uint8_t packet[static NTP_SIZE], enum ntp_stamp at, uint64_t value)
{
	put64(packet + at, value);
}

int64_t
ntp_to_real(uint64_t stamp, int64_t pivot)
{
	int64_t seconds = pivot / NS_PER_S + EPOCH, ns;

	/* Go from the pivot to the stamp, the short way round. */
	seconds += (int32_t)((uint32_t)(stamp >> 32) - (uint32_t)seconds);
	seconds -= EPOCH;
	ns = (int64_t)(((stamp & UINT32_MAX) * NS_PER_S + (1ULL << 31)) >> 32);

	/* int64_t ends two hundred years from here.  A time that is so far off
	 * is wrong in any case, but it must not become a small one. */
	if (seconds >= INT64_MAX / NS_PER_S)
		return INT64_MAX;
	if (seconds <= INT64_MIN / NS_PER_S)
		return INT64_MIN;
	return seconds * NS_PER_S + ns;
}

int64_t
ntp_pivot(bool synced, int64_t real, int64_t build)
{
	/* A clock that was not set may show any date.  It is trusted only for
	 * the fifty years after the build: the 68 years before and after those
	 * hold every true date of this binary's life. */
	const int64_t fifty_years = 50 * 31556952LL * NS_PER_S;

	if (synced)
		return real;
	if (real < build)
		return build;
	return real < build + fifty_years ? real : build + fifty_years;
}

uint64_t
ntp_from_real(int64_t real)
{
	int64_t seconds = real / NS_PER_S, ns = real % NS_PER_S;
	uint64_t stamp;

	if (ns < 0) {
		ns += NS_PER_S;
		seconds--;
	}
	/* This rounds down, by less than a quarter of a nanosecond. */
	stamp =
	    (uint64_t)(seconds + EPOCH) << 32 | ((uint64_t)ns << 32) / NS_PER_S;

	/* Zero means "unknown" (RFC 5905 §6), and it is also the first instant
	 * of each era.  So that one is named by an instant after it, which is
	 * not zero without its last bit either. */
	return stamp < 2 ? 2 : stamp;
}

/* The reply has no room for what follows the header (extension fields and
 * MACs, RFC 7822).  A client that insists on these will not like the reply.
 * But all of them come in words of four octets, so any other length is noise. */
static enum ntp_refusal
refusal(const uint8_t *request, size_t size)
{
	uint8_t mode, version;

	if (size < NTP_SIZE || size % 4 != 0)
		return REFUSED_LENGTH;
	mode = request[AT_FLAGS] & 7;
	if (mode != MODE_CLIENT && mode != MODE_ACTIVE)
		return REFUSED_MODE;
	version = request[AT_FLAGS] >> 3 & 7;
	if (version < 1 || version > 4)
		return REFUSED_VERSION;
	return ANSWERED;
}

enum ntp_refusal
ntp_answer(const uint8_t *request, size_t size, const struct serving *serving,
    int64_t received_real, int64_t now_raw, int64_t transmit_real,
    uint8_t out[static NTP_SIZE])
{
	enum ntp_refusal why = refusal(request, size);
	struct ntp_packet p;
	double age;

	if (why != ANSWERED)
		return why;

	p.leap = serving->leap;
	p.version = request[AT_FLAGS] >> 3 & 7;
	p.mode =
	    (request[AT_FLAGS] & 7) == MODE_CLIENT ? MODE_SERVER : MODE_PASSIVE;
	p.stratum = serving->stratum;
	p.poll = (int8_t)request[AT_POLL];
	p.precision = serving->precision;
	p.refid = serving->refid;
	p.root_delay = serving->root_delay;

	/* No time is exact, so the dispersion is at least one unit. */
	age = (double)(now_raw - serving->raw) / NS_PER_S;
	p.root_dispersion =
	    serving->root_dispersion + (age > 0 ? age * serving->growth : 0);
	if (p.root_dispersion < SHORT_UNIT)
		p.root_dispersion = SHORT_UNIT;

	p.reference =
	    serving->reference == 0 ? 0 : ntp_from_real(serving->reference);
	p.origin = get64(request + NTP_TRANSMIT);
	p.receive = ntp_from_real(received_real) | 1;
	p.transmit = ntp_from_real(transmit_real) & ~1ULL;
	ntp_format(&p, out);
	return ANSWERED;
}
