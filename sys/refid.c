/*
 * refid.c - reference ids, by which NTP servers name whom they follow.
 *
 * This room stands apart from net.c because it needs a hash function, and most of
 * those who use net.c do not.
 */
#include <bearssl.h>

#include "sys/refid.h"

uint32_t
refid_of(const struct address *a)
{
	uint8_t digest[br_md5_SIZE];
	const uint8_t *p = a->bytes;
	br_md5_context md5;

	if (a->family == 6) {
		br_md5_init(&md5);
		br_md5_update(&md5, a->bytes, sizeof a->bytes);
		br_md5_out(&md5, digest);
		p = digest;
	}
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}
