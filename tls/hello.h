/*
 * hello.h - the first messages: what is offered, and what the server chooses.
 */
#ifndef HELLO_H
#define HELLO_H

#include "tls/exchange.h"
#include "tls/message.h"
#include "tls/signature.h"

enum {
	HELLO_RANDOM = 32, /* bytes of the random numbers of both */
	COOKIE_MOST = 1024 /* bytes; honest servers send 30 to 300 */
};

/* What we say, in both hellos if a retry is requested. */
struct hello_ours {
	/* The caller's. */
	const char *name; /* the server's; NULL: none is sent */
	const char *alpn; /* the one protocol that is offered, or NULL */
	uint16_t least;	  /* TLS_1_2, or TLS_1_3 to refuse the former */

	/* Public. */
	uint8_t random[HELLO_RANDOM];
	/* Private. */
	uint8_t session[HELLO_RANDOM];
	uint8_t cookie[COOKIE_MOST]; /* of a request to retry */
	size_t cookie_size;
	bool retried;
};

/* What the server says. */
struct hello_theirs {
	/* Public. */
	uint8_t random[HELLO_RANDOM];
	bool retry;		   /* it is a request to retry */
	bool extended;		   /* extended master secret, RFC 7627 */
	bool alpn;		   /* the protocol is confirmed */
	uint16_t group;		   /* of its share; 0 if there is none */
	uint8_t point[POINT_MOST]; /* the share */
	size_t size;		   /* its bytes */
	/* Private. */
	bool versions, cookie; /* it has these extensions */
	uint32_t seen;	       /* a bit for each one that came */
};

/* Make the random numbers of our hello, which is otherwise set by the caller. */
void hello_begin(struct hello_ours *, struct messages *);

/* Send our hello with this share. */
void hello_send(
    struct messages *, const struct hello_ours *, const struct exchange *);

/* Read the server's, and tell the records which suite it has chosen. */
void hello_read(
    struct messages *, struct hello_ours *, struct hello_theirs *);

/* After a request to retry: check it, and send the second hello.  digest is
 * that of the first one. */
void hello_retry(struct messages *, struct hello_ours *,
    const struct hello_theirs *, struct exchange *, const uint8_t *digest);

/* Read the extensions that TLS 1.3 encrypts, a whole message. */
void hello_encrypted(
    struct messages *, struct hello_ours *, struct hello_theirs *);

#endif
