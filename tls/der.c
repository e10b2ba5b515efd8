/*
 * der.c - reads those parts of a certificate that the TLS engine does not tell
 * us: its dates, its names, some of its extensions, and where its key is.
 *
 * Only what certificates hold is accepted, and only in the one encoding that
 * DER allows.  Signatures, and whether a path has the right names and rights,
 * are left to the engine.
 */
#include "tls/der.h"
#include "core/calendar.h"

#include <string.h>
#include <time.h>

bool
der_take(struct der *from, uint8_t tag, struct der *inner)
{
	size_t length, bytes, i;

	if (from->left < 2 || from->at[0] != tag || (tag & 0x1f) == 0x1f)
		return false;
	length = from->at[1];
	i = 2;
	if (length >= 0x80) {
		bytes = length - 0x80;
		if (bytes < 1 || bytes > 3 || from->left < 2 + bytes)
			return false;
		for (length = 0; i < 2 + bytes; i++)
			length = length << 8 | from->at[i];
		if (length < 0x80 || length >> (8 * (bytes - 1)) == 0)
			return false;
	}
	if (length > from->left - i)
		return false;
	inner->at = from->at + i;
	inner->left = length;
	from->at += i + length;
	from->left -= i + length;
	return true;
}

static bool
next_is(const struct der *d, uint8_t tag)
{
	return d->left > 0 && d->at[0] == tag;
}

static bool
equals(const struct der *d, const uint8_t *bytes, size_t size)
{
	return d->left == size && memcmp(d->at, bytes, size) == 0;
}

/* Read a UTCTime or a GeneralizedTime in the form of RFC 5280 §4.1.2.5. */
static bool
read_time(struct der *from, int64_t *seconds)
{
	bool utc = next_is(from, 0x17);
	struct tm tm = { 0 };
	int field[7], fields = utc ? 6 : 7;
	struct der text;

	if (!der_take(from, utc ? 0x17 : 0x18, &text) ||
	    text.left != (size_t)fields * 2 + 1 ||
	    text.at[text.left - 1] != 'Z')
		return false;
	for (int i = 0; i < fields; i++) {
		uint8_t tens = text.at[2 * i], ones = text.at[2 * i + 1];

		if (tens < '0' || tens > '9' || ones < '0' || ones > '9')
			return false;
		field[7 - fields + i] = (tens - '0') * 10 + ones - '0';
	}
	if (utc)
		field[0] = field[1] < 50 ? 20 : 19;
	tm.tm_year = field[0] * 100 + field[1] - 1900;
	tm.tm_mon = field[2] - 1;
	tm.tm_mday = field[3];
	tm.tm_hour = field[4];
	tm.tm_min = field[5];
	tm.tm_sec = field[6];
	return tm.tm_year >= 50 && calendar_seconds(&tm, seconds);
}

/* Take an element that has this tag, with its header. */
static bool
take_whole(struct der *from, uint8_t tag, struct der *whole)
{
	struct der inner;

	whole->at = from->at;
	if (!der_take(from, tag, &inner))
		return false;
	whole->left = (size_t)(from->at - whole->at);
	return true;
}

/* RFC 5280 §4.2.1.9: may the certificate issue others? */
static bool
read_ca(struct der value, struct der_facts *facts)
{
	struct der list, ca;

	if (!der_take(&value, 0x30, &list) || value.left != 0)
		return false;
	facts->ca = der_take(&list, 0x01, &ca) && ca.left == 1 && ca.at[0] != 0;
	return true;
}

/* RFC 5280 §4.2.1.12: may the key be used by a TLS server? */
static bool
read_key_usage(struct der value, struct der_facts *facts)
{
	static const uint8_t server[] = { 0x2b, 6, 1, 5, 5, 7, 3, 1 };
	static const uint8_t any[] = { 0x55, 0x1d, 0x25, 0 };
	struct der list, purpose;

	if (!der_take(&value, 0x30, &list) || value.left != 0)
		return false;
	facts->no_server = true;
	while (list.left > 0) {
		if (!der_take(&list, 0x06, &purpose))
			return false;
		if (equals(&purpose, server, sizeof(server)) ||
		    equals(&purpose, any, sizeof(any)))
			facts->no_server = false;
	}
	return true;
}

/* RFC 5280 §4.2.1.6: is the address among the names?  All its bytes must be
 * equal. */
static bool
read_names(struct der value, struct der ip, struct der_facts *facts)
{
	struct der list, name;

	if (!der_take(&value, 0x30, &list) || value.left != 0)
		return false;
	while (list.left > 0) {
		uint8_t tag = list.at[0];

		if (!der_take(&list, tag, &name))
			return false;
		if (tag == 0x87 && ip.left > 0 && equals(&name, ip.at, ip.left))
			facts->has_address = true;
	}
	return true;
}

static bool
read_extensions(struct der list, struct der ip, struct der_facts *facts)
{
	static const uint8_t names[] = { 0x55, 0x1d, 0x11 };
	static const uint8_t basic[] = { 0x55, 0x1d, 0x13 };
	static const uint8_t constraints[] = { 0x55, 0x1d, 0x1e };
	static const uint8_t usage[] = { 0x55, 0x1d, 0x25 };
	struct der extension, oid, critical, value;
	bool seen_names = false, seen_usage = false;

	while (list.left > 0) {
		if (!der_take(&list, 0x30, &extension) ||
		    !der_take(&extension, 0x06, &oid) ||
		    (next_is(&extension, 0x01) &&
			!der_take(&extension, 0x01, &critical)) ||
		    !der_take(&extension, 0x04, &value) || extension.left != 0)
			return false;
		if (equals(&oid, names, sizeof(names))) {
			if (seen_names || !read_names(value, ip, facts))
				return false;
			seen_names = true;
		} else if (equals(&oid, usage, sizeof(usage))) {
			if (seen_usage || !read_key_usage(value, facts))
				return false;
			seen_usage = true;
		} else if (equals(&oid, basic, sizeof(basic))) {
			if (!read_ca(value, facts))
				return false;
		} else if (equals(&oid, constraints, sizeof(constraints)))
			facts->name_constraints = true;
	}
	return true;
}

bool
der_walk(const uint8_t *bytes, size_t size, struct der ip,
    struct der_facts *facts)
{
	struct der all = { bytes, size }, certificate, tbs, skip, dates, outer,
		   list;

	memset(facts, 0, sizeof(*facts));
	if (!der_take(&all, 0x30, &certificate) || all.left != 0 ||
	    !der_take(&certificate, 0x30, &tbs) ||
	    !der_take(&certificate, 0x30, &skip) || /* algorithm */
	    !der_take(&certificate, 0x03, &skip) || /* signature */
	    certificate.left != 0 ||
	    (next_is(&tbs, 0xa0) && !der_take(&tbs, 0xa0, &skip)) ||
	    !der_take(&tbs, 0x02, &skip) || /* serial number */
	    !der_take(&tbs, 0x30, &skip) || /* algorithm */
	    !take_whole(&tbs, 0x30, &facts->issuer) ||
	    !der_take(&tbs, 0x30, &dates) ||
	    !take_whole(&tbs, 0x30, &facts->subject) ||
	    !der_take(&tbs, 0x30, &facts->key) ||
	    !read_time(&dates, &facts->not_before) ||
	    !read_time(&dates, &facts->not_after) || dates.left != 0)
		return false;
	/* These are unique identifiers, which nobody uses. */
	if ((next_is(&tbs, 0x81) && !der_take(&tbs, 0x81, &skip)) ||
	    (next_is(&tbs, 0x82) && !der_take(&tbs, 0x82, &skip)))
		return false;
	if (tbs.left == 0)
		return true;
	return der_take(&tbs, 0xa3, &outer) && tbs.left == 0 &&
	    der_take(&outer, 0x30, &list) && outer.left == 0 &&
	    read_extensions(list, ip, facts);
}
