/*
 * record.h - the record layer of TLS, for both versions.
 */
#ifndef RECORD_H
#define RECORD_H

#include "tls/secret.h"
#include "tls/suite.h"

/* What can end a connection. */
enum fault {
	FAULT_NONE,
	FAULT_IO,     /* receive or send gave up, and knows why */
	FAULT_CLOSED, /* the server said that it is done */
	FAULT_ALERT,  /* it sent an alert; see the field of that name */
	FAULT_RANDOM, /* there are no random numbers */
	FAULT_OURS,   /* a message of ours is too long */
	FAULT_NO_TLS, /* what came is no record */
	FAULT_VERSION,
	FAULT_OLD,
	FAULT_CERTIFICATE, /* the checker of certificates refused the path */
	FAULT_KEY_USE,	   /* or its key is not for signing */
	FAULT_SIGNATURE,
	/* From here on the server breaks the protocol. */
	FAULT_BROKEN,
	FAULT_LONG = FAULT_BROKEN,
	FAULT_BARE,
	FAULT_CHANGED,
	FAULT_EMPTY,
	FAULT_RECORD,
	FAULT_ORDER,
	FAULT_BORDER,
	FAULT_MANY,
	FAULT_FORM,
	FAULT_SUITE,
	FAULT_SESSION,
	FAULT_EXTENSION,
	FAULT_PLACE,
	FAULT_ANSWER,
	FAULT_DOWNGRADE,
	FAULT_RETRY,
	FAULT_NO_SHARE,
	FAULT_GROUP,
	FAULT_SHARE,
	FAULT_SCHEME,
	FAULT_KEY_TYPE,
	FAULT_FINISHED,
	FAULTS
};

/* Their words for the log, for word_at, and the alerts that tell the server
 * (RFC 8446 §6); 0 if it is not told. */
extern const char fault_words[];
extern const uint8_t fault_alerts[FAULTS];

/* How bytes come and go.  of is handed to each function. */
struct record_io {
	void *of;
	/* Receive at least one byte and at most size.  0: there will be none. */
	size_t (*receive)(void *of, uint8_t *bytes, size_t size);
	/* Send all bytes, unless this returns false. */
	bool (*send)(void *of, const uint8_t *bytes, size_t size);
	/* Make random bytes, unless this returns false. */
	bool (*random)(void *of, uint8_t *bytes, size_t size);
};

enum record_type { RECORD_NONE, RECORD_CIPHER = 20, RECORD_ALERT,
	RECORD_HANDSHAKE, RECORD_CONTENT };

enum {
	RECORD_HEAD = 5,
	RECORD_MOST = 16384,	/* bytes of content, RFC 8446 §5.1 */
	RECORD_EXPANDED = 256,	/* by which protection may lengthen it, §5.2 */
	RECORD_OUT = 2048	/* bytes of content of a record of ours */
};

/* The protection of one direction. */
struct record_way {
	bool on;
	uint8_t secret[SECRET_MOST]; /* of TLS 1.3, for its KeyUpdate */
	uint8_t key[SUITE_KEY_MOST], nonce[SUITE_NONCE];
	uint64_t number; /* of the next record */
};

struct records {
	/* Public. */
	enum fault fault;	   /* the first one; nothing is sent or received
				      any more */
	uint8_t alert;		   /* that was received, if that is the fault */
	const struct suite *suite; /* NULL until the server has chosen */
	size_t at, size;	   /* what is left of the last record: bytes[at]
				      and so on; reading moves both */

	/* Private, but for bytes.  That comes last, and most records are short:
	 * the pages behind them are never touched and cost no memory. */
	const struct record_io *io;
	bool done;    /* the handshake is */
	bool changed; /* ChangeCipherSpec came before the server's hello */
	int idle;     /* records with nothing in them, one after the other */
	struct record_way out, in;
	uint8_t sending[RECORD_HEAD + RECORD_OUT + 1 + 8 + SUITE_TAG];
	uint8_t bytes[RECORD_HEAD + RECORD_MOST + RECORD_EXPANDED];
};

/* Begin a connection.  The functions of io must last as long as it does. */
void record_begin(struct records *, const struct record_io *);

/* End it for a reason, which is told to the server.  Only the first counts. */
void record_fail(struct records *, enum fault);

/* Random bytes of the caller's; a fault if there are none. */
bool record_random(struct records *, uint8_t *bytes, size_t size);

/* The server has chosen this suite, and the version with it. */
void record_suite(struct records *, const struct suite *);

/* Send at most RECORD_OUT bytes as one record. */
void record_send(
    struct records *, enum record_type, const void *bytes, size_t size);

/* Receive the next record that has something in it, and undo its protection.
 * Alerts are dealt with here.  RECORD_NONE after a fault. */
enum record_type record_next(struct records *);

/* Keys change now, so no byte may be left of the last record (RFC 8446 §5.1):
 * a message would stand on both sides. */
void record_border(struct records *);

/* From the next record on one direction is protected: in TLS 1.3 with keys made
 * of the secret, in TLS 1.2 with these. */
void record_secret(
    struct records *, struct record_way *, const uint8_t *secret);
void record_keys(struct records *, struct record_way *, const uint8_t *key,
    const uint8_t *nonce, size_t nonce_size);

/* The same in TLS 1.3 with the secret that follows the present one. */
void record_update(struct records *, struct record_way *);

/* The handshake is done. */
void record_done(struct records *);

/* Nothing is sent or received any more, and if the handshake was done without a
 * fault, the server is told that. */
void record_close(struct records *);

#endif
