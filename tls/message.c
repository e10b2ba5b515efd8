/*
 * message.c - handshake messages: read out of records, and written into them.
 *
 * A message is read piece by piece while its records come, so it needs no
 * buffer, however long it is.  Vectors lie within each other, and the reader
 * knows where the inmost one ends.  So no parser can read too much, and one
 * that reads too little is noticed.
 */
#include "tls/message.h"

#include <string.h>

enum {
	HEAD = 4,	    /* bytes before a message: type and size */
	MESSAGE_HASH = 254, /* the type that stands for a hash, §4.4.1 */
	/* Bytes of a message.  Path and names of authorities have 64 KB each at
	 * most; without a limit 16 MB would keep a child busy. */
	MESSAGE_MOST = 1 << 18
};

void
message_start(struct messages *m, const struct record_io *io)
{
	record_begin(&m->records, io);
	br_multihash_zero(&m->hashes);
	br_multihash_setimpl(&m->hashes, br_sha256_ID, &br_sha256_vtable);
	br_multihash_setimpl(&m->hashes, br_sha384_ID, &br_sha384_vtable);
	br_multihash_init(&m->hashes);
	m->left = m->bound = m->had = 0;
}

size_t
message_digest(
    const struct messages *m, const br_hash_class *h, uint8_t *digest)
{
	return br_multihash_out(&m->hashes,
	    h->desc >> BR_HASHDESC_ID_OFF & BR_HASHDESC_ID_MASK, digest);
}

void
message_restart(
    struct messages *m, const br_hash_class *h, const uint8_t *digest)
{
	uint8_t head[HEAD] = { MESSAGE_HASH, 0, 0, (uint8_t)secret_size(h) };

	if (m->had > MESSAGE_KEPT) {
		record_fail(&m->records, FAULT_FORM);
		return;
	}
	br_multihash_init(&m->hashes);
	br_multihash_update(&m->hashes, head, sizeof(head));
	br_multihash_update(&m->hashes, digest, secret_size(h));
	br_multihash_update(&m->hashes, m->kept, m->had);
}

/* ----------------------------------------------------------------- reading */

/* Note bytes that were read, for the digest, the reader and a retry. */
static void
note(struct messages *m, const uint8_t *bytes, size_t size, uint8_t *to)
{
	br_multihash_update(&m->hashes, bytes, size);
	if (to != NULL)
		memcpy(to, bytes, size);
	if (m->had < MESSAGE_KEPT)
		memcpy(m->kept + m->had, bytes,
		    size < MESSAGE_KEPT - m->had ? size :
						   MESSAGE_KEPT - m->had);
	m->had += size;
}

void
message_take(struct messages *m, uint8_t *to, size_t size)
{
	struct records *r = &m->records;

	if (size > m->left - m->bound) {
		record_fail(r, FAULT_FORM);
		return;
	}
	m->left -= size;
	while (size > 0 && r->fault == FAULT_NONE) {
		size_t n;

		if (r->size == 0 && record_next(r) != RECORD_HANDSHAKE) {
			record_fail(r, FAULT_RECORD);
			return;
		}
		n = size < r->size ? size : r->size;
		note(m, r->bytes + r->at, n, to);
		if (to != NULL)
			to += n;
		r->at += n;
		r->size -= n;
		size -= n;
	}
}

uint32_t
message_number(struct messages *m, int bytes)
{
	uint8_t b[3];
	uint32_t value = 0;

	message_take(m, b, (size_t)bytes);
	if (m->records.fault != FAULT_NONE)
		return 0;
	for (int i = 0; i < bytes; i++)
		value = value << 8 | b[i];
	return value;
}

size_t
message_enter(struct messages *m, int bytes)
{
	size_t outer = m->bound, size = message_number(m, bytes);

	if (size > m->left - outer)
		record_fail(&m->records, FAULT_FORM);
	else
		m->bound = m->left - size;
	return outer;
}

void
message_leave(struct messages *m, size_t outer)
{
	if (m->left != m->bound)
		record_fail(&m->records, FAULT_FORM);
	m->bound = outer;
}

size_t
message_left(const struct messages *m)
{
	return m->records.fault == FAULT_NONE ? m->left - m->bound : 0;
}

size_t
message_rest(struct messages *m, uint8_t *to, size_t room)
{
	size_t size = message_left(m);

	if (size > room) {
		record_fail(&m->records, FAULT_FORM);
		return 0;
	}
	message_take(m, to, size);
	return size;
}

void
message_skip(struct messages *m)
{
	message_take(m, NULL, message_left(m));
}

uint8_t
message_next(struct messages *m)
{
	uint8_t type;

	m->left = HEAD;
	m->bound = m->had = 0;
	type = (uint8_t)message_number(m, 1);
	m->left = message_number(m, HEAD - 1);
	if (m->left > MESSAGE_MOST)
		record_fail(&m->records, FAULT_LONG);
	return type;
}

void
message_expect(struct messages *m, enum message_type type)
{
	if (message_next(m) != type)
		record_fail(&m->records, FAULT_ORDER);
}

void
message_end(struct messages *m)
{
	message_leave(m, 0);
}

/* ----------------------------------------------------------------- writing */

void
message_put(struct writer *w, uint32_t value, int bytes)
{
	while (bytes-- > 0 && w->size < sizeof(w->bytes))
		w->bytes[w->size++] = (uint8_t)(value >> 8 * bytes);
}

void
message_put_bytes(struct writer *w, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	while (size-- > 0)
		message_put(w, *at++, 1);
}

void
message_begin(struct writer *w, enum message_type type)
{
	w->size = 0;
	message_put(w, type, 1);
	(void)message_open(w, HEAD - 1);
}

size_t
message_open(struct writer *w, int bytes)
{
	message_put(w, 0, bytes);
	return w->size;
}

void
message_close(struct writer *w, size_t start, int bytes)
{
	size_t end = w->size;

	w->size = start - (size_t)bytes;
	message_put(w, (uint32_t)(end - start), bytes);
	w->size = end;
}

void
message_send(struct messages *m, struct writer *w)
{
	message_close(w, HEAD, HEAD - 1);
	br_multihash_update(&m->hashes, w->bytes, w->size);
	record_send(&m->records, RECORD_HANDSHAKE, w->bytes, w->size);
}
