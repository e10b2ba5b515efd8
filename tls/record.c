/*
 * record.c - the record layer of TLS, for both versions (RFC 8446 §5, RFC 5246
 * §6, RFC 5288, RFC 7905).
 *
 * It cuts bytes into records, protects and unprotects these, and reads alerts.
 * The first fault stays: then nothing is received any more, so that every loop
 * above ends without looking at each result.
 *
 * This room does not know what the messages say, and reaches the network only
 * through the functions that it is given.
 */
#include "tls/record.h"

#include <string.h>

enum { CLOSE_NOTIFY = 0, USER_CANCELED = 90 }; /* alerts, RFC 8446 §6 */
enum { WARNING = 1, FATAL };

enum {
	COUNTED = 8, /* bytes of a record's number in nonces and before tags */
	/* Records without content in a row.  Honest servers send a few at most,
	 * and without a limit these would keep a child busy. */
	IDLE_MOST = 32
};

/* F(words, alert), in the order of enum fault. */
#define FACTS(F)                                                               \
	F("", 0)                                                               \
	F("the connection failed", 0)                                          \
	F("connection closed by the server", 0)                                \
	F("server sent an alert", 0)                                           \
	F("no random numbers", 80)                                             \
	F("message of ours is too long", 80)                                   \
	F("no TLS", 50)                                                        \
	F("server speaks neither TLS 1.2 nor TLS 1.3", 70)                     \
	F("server does not speak TLS 1.3", 70)                                 \
	F("certificate refused", 42)                                           \
	F("certificate's key is not for signing", 43)                          \
	F("server's signature is wrong", 51)                                   \
	F("record or message is too long", 22)                                 \
	F("record is not protected", 10)                                       \
	F("record was changed on the way", 20)                                 \
	F("empty records", 10)                                                 \
	F("unexpected record", 10)                                             \
	F("unexpected message", 10)                                            \
	F("message where keys change", 10)                                     \
	F("too many messages", 10)                                             \
	F("malformed message", 50)                                             \
	F("cipher suite was not offered", 47)                                  \
	F("wrong session", 47)                                                 \
	F("unexpected extension", 110)                                         \
	F("extension in the wrong message", 47)                                \
	F("answer to what was not offered", 47)                                \
	F("forced back to TLS 1.2 on the way", 47)                             \
	F("retry without need", 47)                                            \
	F("no key share", 109)                                                 \
	F("curve was not offered", 47)                                         \
	F("key share is no point of its curve", 47)                            \
	F("signature of a kind that was not offered", 47)                      \
	F("certificate does not fit the cipher suite", 47)                     \
	F("wrong Finished: messages were changed on the way", 51)
#define WORDS(words, alert) words "\0"
#define ALERT(words, alert) alert,

const char fault_words[] = FACTS(WORDS);
const uint8_t fault_alerts[FAULTS] = { FACTS(ALERT) };

static bool
is_1_3(const struct records *r)
{
	return r->suite != NULL && r->suite->version == TLS_1_3;
}

/* With the GCM of TLS 1.2 each record carries a part of its nonce (RFC 5288
 * §3), for which the record's number is taken. */
static size_t
carried(const struct records *r)
{
	return is_1_3(r) || r->suite->cipher == CIPHER_CHACHA ? 0 : COUNTED;
}

/* What is needed to protect one record or to undo that, kept together. */
struct protection {
	struct suite_seal seal;
	uint8_t nonce[SUITE_NONCE];
	uint8_t beside[COUNTED + RECORD_HEAD];
};

/* Prepare it for the next record of a direction.  head has RECORD_HEAD bytes,
 * nonce the part that the record carries, or is NULL, and size counts what is
 * encrypted. */
static void
prepare(const struct records *r, struct record_way *w, struct protection *p,
    const uint8_t *head, const uint8_t *nonce, size_t size)
{
	uint8_t *part = p->nonce + SUITE_NONCE - COUNTED;

	memcpy(p->nonce, w->nonce, SUITE_NONCE);
	memcpy(p->beside + COUNTED, head, RECORD_HEAD);
	for (int i = 0; i < COUNTED; i++) {
		p->beside[i] = (uint8_t)(w->number >> (56 - 8 * i));
		part[i] = nonce != NULL ? nonce[i] : part[i] ^ p->beside[i];
	}
	p->seal = (struct suite_seal){ r->suite, w->key, p->nonce, p->beside,
		sizeof(p->beside) };
	if (is_1_3(r)) {
		p->seal.beside += COUNTED;
		p->seal.beside_size -= COUNTED;
	} else {
		/* RFC 5246 §6.2.3.3 wants the size before encryption. */
		p->beside[COUNTED + 3] = (uint8_t)(size >> 8);
		p->beside[COUNTED + 4] = (uint8_t)size;
	}
	w->number++;
}

/* Send a record; false if the caller's function could not. */
static bool
put(struct records *r, enum record_type type, const void *bytes, size_t size)
{
	struct protection p;
	uint8_t *head = r->sending, *at = head + RECORD_HEAD;
	bool on = r->out.on, hidden = on && is_1_3(r);
	size_t nonce = on ? carried(r) : 0;
	size_t length = nonce + size + hidden + (on ? SUITE_TAG : 0);

	head[0] = hidden ? RECORD_CONTENT : (uint8_t)type;
	head[1] = 3;
	/* Old servers want 3.1 before the first hello, RFC 8446 §5.1. */
	head[2] = r->suite == NULL && type == RECORD_HANDSHAKE ? 1 : 3;
	head[3] = (uint8_t)(length >> 8);
	head[4] = (uint8_t)length;
	for (size_t i = 0; i < nonce; i++)
		*at++ = (uint8_t)(r->out.number >> (56 - 8 * i));
	memcpy(at, bytes, size);
	if (hidden)
		at[size++] = (uint8_t)type;
	if (on) {
		prepare(r, &r->out, &p, head,
		    nonce > 0 ? head + RECORD_HEAD : NULL, size);
		suite_seal(&p.seal, at, size, at + size);
	}
	return r->io->send(r->io->of, head, RECORD_HEAD + length);
}

void
record_fail(struct records *r, enum fault fault)
{
	uint8_t alert[2] = { FATAL, fault_alerts[fault] };

	if (r->fault != FAULT_NONE)
		return;
	r->fault = fault;
	if (alert[1] != 0)
		(void)put(r, RECORD_ALERT, alert, sizeof(alert));
}

void
record_send(
    struct records *r, enum record_type type, const void *bytes, size_t size)
{
	if (r->fault != FAULT_NONE)
		return;
	if (size > RECORD_OUT)
		record_fail(r, FAULT_OURS);
	else if (!put(r, type, bytes, size))
		record_fail(r, FAULT_IO);
}

bool
record_random(struct records *r, uint8_t *bytes, size_t size)
{
	if (!r->io->random(r->io->of, bytes, size))
		record_fail(r, FAULT_RANDOM);
	return r->fault == FAULT_NONE;
}

/* Receive exactly so many bytes; false after a fault. */
static bool
fill(struct records *r, uint8_t *to, size_t size)
{
	while (size > 0 && r->fault == FAULT_NONE) {
		size_t n = r->io->receive(r->io->of, to, size);

		if (n == 0)
			record_fail(r, FAULT_IO);
		to += n;
		size -= n;
	}
	return r->fault == FAULT_NONE;
}

/* Undo the protection of a record with so many bytes.  Returns what it really
 * is. */
static uint8_t
unprotect(struct records *r, uint8_t type, size_t length)
{
	struct protection p;
	size_t nonce = carried(r);
	uint8_t *at = r->bytes + RECORD_HEAD + nonce;
	bool hidden = is_1_3(r);

	if (length < nonce + SUITE_TAG || (hidden && type != RECORD_CONTENT)) {
		record_fail(r, FAULT_BARE);
		return RECORD_NONE;
	}
	r->at = RECORD_HEAD + nonce;
	r->size = length - nonce - SUITE_TAG;
	prepare(r, &r->in, &p, r->bytes,
	    nonce > 0 ? r->bytes + RECORD_HEAD : NULL, r->size);
	if (!suite_open(&p.seal, at, r->size, at + r->size)) {
		record_fail(r, FAULT_CHANGED);
		return RECORD_NONE;
	}
	if (r->size > RECORD_MOST + (size_t)hidden)
		record_fail(r, FAULT_LONG);
	if (!hidden)
		return type;
	/* The type is behind the content, and zeros may be behind it, §5.4. */
	while (r->size > 0 && at[r->size - 1] == 0)
		r->size--;
	if (r->size == 0) {
		record_fail(r, FAULT_RECORD);
		return RECORD_NONE;
	}
	return at[--r->size];
}

/* A ChangeCipherSpec means nothing in TLS 1.3, where it may stand between the
 * first hello and Finished for the sake of middleboxes (§5).  In TLS 1.2, which
 * is not known before the server's hello, it must not come that early. */
static void
drop_change(struct records *r)
{
	if (r->size != 1 || r->bytes[r->at] != 1 || r->done)
		record_fail(r, FAULT_RECORD);
	if (r->suite == NULL)
		r->changed = true;
	r->size = 0;
}

static void
take_alert(struct records *r)
{
	uint8_t level = r->bytes[r->at], alert = r->bytes[r->at + 1];

	if (r->size != 2) {
		record_fail(r, FAULT_FORM);
		return;
	}
	r->size = 0;
	if (alert == CLOSE_NOTIFY) {
		record_fail(r, FAULT_CLOSED);
		return;
	}
	/* TLS 1.3 has no other warnings, §6. */
	if (alert == USER_CANCELED || (level == WARNING && !is_1_3(r)))
		return;
	r->alert = alert;
	record_fail(r, FAULT_ALERT);
}

/* Receive a record, whatever is in it: its type, and where its bytes are. */
static uint8_t
get(struct records *r)
{
	uint8_t *head = r->bytes, type;
	size_t length;

	r->at = RECORD_HEAD;
	r->size = 0;
	if (!fill(r, head, RECORD_HEAD))
		return RECORD_NONE;
	type = head[0];
	length = (size_t)head[3] << 8 | head[4];
	if (type < RECORD_CIPHER || type > RECORD_CONTENT || head[1] != 3)
		record_fail(r, FAULT_NO_TLS);
	else if (length > RECORD_MOST + (r->in.on ? RECORD_EXPANDED : 0))
		record_fail(r, FAULT_LONG);
	if (!fill(r, head + RECORD_HEAD, length))
		return RECORD_NONE;
	r->size = length;
	if (type == RECORD_CIPHER && (r->suite == NULL || is_1_3(r))) {
		drop_change(r);
		return RECORD_CIPHER;
	}
	if (r->in.on)
		return unprotect(r, type, length);
	if (type == RECORD_CONTENT)
		record_fail(r, FAULT_BARE);
	return type;
}

enum record_type
record_next(struct records *r)
{
	while (r->fault == FAULT_NONE) {
		uint8_t type = get(r);

		if (r->fault != FAULT_NONE)
			break;
		if (type == RECORD_ALERT)
			take_alert(r);
		else if (r->size > 0) {
			r->idle = 0;
			return type;
		} else if (type == RECORD_HANDSHAKE)
			record_fail(r, FAULT_EMPTY); /* §5.1 */
		if (++r->idle > IDLE_MOST)
			record_fail(r, FAULT_EMPTY);
	}
	r->size = 0;
	return RECORD_NONE;
}

void
record_border(struct records *r)
{
	if (r->size > 0)
		record_fail(r, FAULT_BORDER);
}

void
record_begin(struct records *r, const struct record_io *io)
{
	memset(r, 0, offsetof(struct records, sending));
	r->io = io;
}

void
record_suite(struct records *r, const struct suite *s)
{
	r->suite = s;
	if (r->changed && s->version == TLS_1_2)
		record_fail(r, FAULT_RECORD);
}

void
record_keys(struct records *r, struct record_way *w, const uint8_t *key,
    const uint8_t *nonce, size_t nonce_size)
{
	memcpy(w->key, key, suite_key_size(r->suite));
	memcpy(w->nonce, nonce, nonce_size);
	w->number = 0;
	w->on = true;
}

void
record_secret(struct records *r, struct record_way *w, const uint8_t *secret)
{
	const br_hash_class *h = secret_hash(r->suite->hash);

	memmove(w->secret, secret, secret_size(h));
	secret_expand(h, w->secret, "key", NULL, 0, w->key,
	    suite_key_size(r->suite));
	secret_expand(h, w->secret, "iv", NULL, 0, w->nonce, SUITE_NONCE);
	w->number = 0;
	w->on = true;
}

void
record_update(struct records *r, struct record_way *w)
{
	const br_hash_class *h = secret_hash(r->suite->hash);

	secret_expand(h, w->secret, "traffic upd", NULL, 0, w->secret,
	    secret_size(h));
	record_secret(r, w, w->secret);
}

void
record_done(struct records *r)
{
	r->done = true;
}

void
record_close(struct records *r)
{
	static const uint8_t alert[2] = { WARNING, CLOSE_NOTIFY };

	if (r->done)
		record_send(r, RECORD_ALERT, alert, sizeof(alert));
	record_fail(r, FAULT_CLOSED);
}
