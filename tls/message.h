/*
 * message.h - handshake messages: read out of records, and written into them.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "tls/record.h"

/* Types of messages, RFC 8446 §4 and RFC 5246 §7.4. */
enum message_type {
	MESSAGE_HELLO_REQUEST = 0,
	MESSAGE_CLIENT_HELLO = 1,
	MESSAGE_SERVER_HELLO = 2,
	MESSAGE_TICKET = 4,
	MESSAGE_ENCRYPTED_EXTENSIONS = 8,
	MESSAGE_CERTIFICATE = 11,
	MESSAGE_SERVER_EXCHANGE = 12,
	MESSAGE_CERTIFICATE_REQUEST = 13,
	MESSAGE_HELLO_DONE = 14,
	MESSAGE_CERTIFICATE_VERIFY = 15,
	MESSAGE_CLIENT_EXCHANGE = 16,
	MESSAGE_FINISHED = 20,
	MESSAGE_KEY_UPDATE = 24
};

enum {
	/* Bytes of the longest request to retry: it may have a cookie. */
	MESSAGE_KEPT = 2048
};

/* The messages of a connection.  After a fault of its records every number that
 * is read is 0, and nothing is left to read. */
struct messages {
	/* Public. */
	struct records records;

	/* Private. */
	br_multihash_context hashes; /* of all messages so far */
	size_t left, bound; /* of the present one: bytes to read, and how many
			       of these are behind the vector being read */
	size_t had;	    /* bytes of it that were read */
	uint8_t kept[MESSAGE_KEPT]; /* the first of them */
};

void message_start(struct messages *, const struct record_io *);

/* The digest of all messages so far; its size. */
size_t message_digest(
    const struct messages *, const br_hash_class *, uint8_t *digest);

/* Begin the digest again, after a request to retry (RFC 8446 §4.4.1): with this
 * digest of the first hello, and the message that was read last. */
void message_restart(
    struct messages *, const br_hash_class *, const uint8_t *digest);

/* ----------------------------------------------------------------- reading */

/* Begin to read the next message.  Returns its type. */
uint8_t message_next(struct messages *);

/* The same, where only one type may come. */
void message_expect(struct messages *, enum message_type);

/* End it.  A fault, if not all of it was read. */
void message_end(struct messages *);

/* Read bytes; to may be NULL.  Read a number of so many bytes, at most 3. */
void message_take(struct messages *, uint8_t *to, size_t size);
uint32_t message_number(struct messages *, int bytes);

/* Enter a vector whose size is a number of so many bytes.  Until it is left,
 * nothing is read beyond its end, and it must be read up to there.  Returns
 * what message_leave wants. */
size_t message_enter(struct messages *, int bytes);
void message_leave(struct messages *, size_t outer);

/* How much is left of the vector; 0 after a fault. */
size_t message_left(const struct messages *);

/* Read what is left of it into at most "room" bytes; its size.  Skip it. */
size_t message_rest(struct messages *, uint8_t *to, size_t room);
void message_skip(struct messages *);

/* ----------------------------------------------------------------- writing */

/* One message.  What does not fit is cut, and message_send makes it a fault. */
struct writer {
	uint8_t bytes[RECORD_OUT + 1];
	size_t size;
};

void message_begin(struct writer *, enum message_type);
void message_put(struct writer *, uint32_t value, int bytes);
void message_put_bytes(struct writer *, const void *bytes, size_t size);

/* Begin and end what has its size, a number of so many bytes, in front.  The
 * first function returns what the second wants. */
size_t message_open(struct writer *, int bytes);
void message_close(struct writer *, size_t start, int bytes);

/* Write the size of the message, and send it. */
void message_send(struct messages *, struct writer *);

#endif
