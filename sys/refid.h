/*
 * refid.h - reference ids, by which NTP servers name whom they follow.
 */
#ifndef REFID_H
#define REFID_H

#include "core/address.h"

/* The reference id that stands for this address: an IPv4 address itself, or the
 * first four bytes of the MD5 of an IPv6 address (RFC 5905 §7.3). */
uint32_t refid_of(const struct address *);

#endif
