/*
 * clockbound.h - the page in which programs find how wrong the clock can be.
 *
 * It has the layout that AWS ClockBound's clients of version 2 map: version 2
 * of its "Shared Memory Protocol", which its docs/PROTOCOL.md describes.
 */
#ifndef CLOCKBOUND_H
#define CLOCKBOUND_H

#include <stdbool.h>
#include <stdint.h>

/* s: how long the last promise stands if nobody renews it.  A restart takes
 * less.  Later another program may have set the clock, which nobody would
 * notice. */
#define CLOCKBOUND_VALID 60

/* What the page says of the clock; the numbers are ClockBound's, but for the
 * last one. */
enum clockbound_status {
	CLOCKBOUND_UNKNOWN,
	CLOCKBOUND_SYNCHRONIZED,
	CLOCKBOUND_FREE_RUNNING, /* the bound holds, but nobody tells the time */
	CLOCKBOUND_DISRUPTED,
	CLOCKBOUND_KEPT /* nothing is known yet, and nothing contradicts what
			   the page says from before our start */
};

/* What is promised of the clock at one moment. */
struct clockbound_promise {
	enum clockbound_status status;
	double bound;	 /* s: how wrong the clock may be */
	double growth;	 /* a ratio: how fast that grows within
			    CLOCKBOUND_VALID */
	uint64_t marker; /* it changes with every disruption */
	bool vmclock;	 /* it is that of the hypervisor's page, with which
			    clients are to compare it */
};

/* The page, by its offsets in the file: native byte order, no padding. */
struct clockbound_page {
	uint32_t magic[2];
	uint32_t size; /* bytes */
	uint16_t version, generation; /* odd: somebody writes; 0: not begun */
	int64_t as_of[2], void_after[2]; /* s, ns of CLOCK_MONOTONIC_COARSE */
	int64_t bound;			 /* ns, at as_of */
	uint64_t marker;
	uint32_t drift; /* ppb: how fast the bound grows */
	int32_t status;
	uint8_t vmclock, unused[7];
};

/* It must be all zero at first.  "open" may be read. */
struct clockbound {
	bool open;
	int fd;
	bool kept;  /* it is a predecessor's, of this boot */
	int64_t at; /* raw: we wrote it last; 0: we have not */
	struct clockbound_page page; /* what it says */
};

/* Open the page of that path, or make it.  What a predecessor has written stays
 * until it is written over.  False with errno: there is none; EAGAIN: another
 * daemon writes it. */
bool clockbound_open(struct clockbound *, const char *path);

/* Write that promise, which is made at this moment, raw.  Nothing is written
 * while the status is CLOCKBOUND_KEPT and a predecessor's promise is there;
 * without one that status is written as CLOCKBOUND_UNKNOWN.  If a write fails,
 * the page stays as one that is being written. */
void clockbound_write(
    struct clockbound *, const struct clockbound_promise *, int64_t raw);

/* Raw time of the next write, or NEVER. */
int64_t clockbound_due(const struct clockbound *);

#endif
