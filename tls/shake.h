/*
 * shake.h - a TLS client for one connection: its handshake, and what follows.
 */
#ifndef SHAKE_H
#define SHAKE_H

#include "tls/hello.h"

struct shake {
	/* The caller's, zero where it does not matter. */
	struct hello_ours hello;   /* name, protocol, least version */
	const br_x509_class **x509; /* it checks the certificates */

	/* Public, after shake_hands. */
	unsigned x509_error; /* why the path was refused; 0: it was not */
	bool asked;	     /* the server has asked for a certificate of ours */
	struct hello_theirs theirs;

	/* Private. */
	struct exchange exchange;
	uint8_t exporter[SECRET_MOST]; /* exporter_master_secret of TLS 1.3 */
	uint8_t context[255];	       /* of the server's certificate request */
	size_t context_size;
	int later; /* messages behind the handshake so far */

	/* Public, after shake_hands: the fault, the received alert and the suite
	 * are in messages.records. */
	struct messages messages;
};

/* Shake hands; false after a fault.  io must last until the end. */
bool shake_hands(struct shake *, const struct record_io *);

/* Send; false after a fault. */
bool shake_send(struct shake *, const void *bytes, size_t size);

/* Receive some bytes, which are good until the next call.  Returns how many; 0
 * after a fault, of which FAULT_CLOSED is the good end. */
size_t shake_receive(struct shake *, const uint8_t **bytes);

/* Make keys for another protocol out of those of this connection (RFC 8446
 * §7.5), which must speak TLS 1.3.  size is at most that of a digest. */
void shake_export(const struct shake *, const char *label, const void *context,
    size_t context_size, uint8_t *out, size_t size);

/* Tell the server that this is the end, if the handshake was done and nothing
 * failed.  Then forget all keys.  Nothing is sent or received any more. */
void shake_end(struct shake *);

#endif
