/*
 * shake.c - a TLS client for one connection: TLS 1.3 (RFC 8446) and TLS 1.2
 * (RFC 5246) from the same first message.
 *
 * Each version's handshake is code without jumps: what comes in another order
 * than it is written here cannot be accepted.  A fault ends it by making every
 * further message empty, so only what would compute for long, or reads what may
 * not be there, looks at the fault first.
 *
 * This room decides nothing about certificates.  It hands them to a checker,
 * and gets a key or none.
 */
#include "tls/shake.h"
#include "tls/signature.h"

#include <string.h>

enum { MAC_1_2 = 12 };	   /* bytes of Finished, RFC 5246 §7.4.9 */
enum { MASTER_1_2 = 48 };  /* bytes of the master secret, §8.1 */
enum { SIGNATURE_SCHEMES = 13 }; /* an extension, RFC 8446 §4.2.3 */
enum { NAMED_CURVE = 3 };  /* how a group is given, RFC 8422 §5.4 */
enum { PARAMS_MOST = 4 + POINT_MOST }; /* of a ServerKeyExchange */
/* Messages behind the handshake.  Honest servers send a few tickets.  A
 * KeyUpdate costs new keys and an answer, and without a limit these would keep
 * a child busy. */
enum { LATER_MOST = 100 };

static bool
failed(const struct shake *t)
{
	return t->messages.records.fault != FAULT_NONE;
}

static void
fail(struct shake *t, enum fault fault)
{
	record_fail(&t->messages.records, fault);
}

static const br_hash_class *
hash_of(const struct shake *t)
{
	return secret_hash(t->messages.records.suite->hash);
}

/* ---------------------------------------------------- for both versions */

/* Hand one certificate to the checker. */
static void
read_certificate(struct shake *t)
{
	struct messages *m = &t->messages;
	const br_x509_class **x = t->x509;
	size_t outer = message_enter(m, 3);
	uint8_t bytes[512];

	(*x)->start_cert(x, (uint32_t)message_left(m));
	while (message_left(m) > 0) {
		size_t n = message_left(m);

		if (n > sizeof(bytes))
			n = sizeof(bytes);
		message_take(m, bytes, n);
		if (!failed(t))
			(*x)->append(x, bytes, n);
	}
	message_leave(m, outer);
	if (!failed(t))
		(*x)->end_cert(x);
}

/* Read what is left of a Certificate message.  Returns the key of a path that
 * is trusted, or NULL after a fault. */
static const br_x509_pkey *
read_path(struct shake *t)
{
	struct messages *m = &t->messages;
	const br_x509_class **x = t->x509;
	bool new = m->records.suite->version == TLS_1_3;
	const br_x509_pkey *key;
	unsigned usages = 0;
	size_t list, outer;

	if (new && message_number(m, 1) != 0)
		fail(t, FAULT_FORM); /* the context of a request of ours */
	(*x)->start_chain(x, t->hello.name);
	list = message_enter(m, 3);
	while (message_left(m) > 0) {
		read_certificate(t);
		if (!new)
			continue;
		outer = message_enter(m, 2);
		if (message_left(m) > 0)
			fail(t, FAULT_EXTENSION); /* none was asked for */
		message_leave(m, outer);
	}
	message_leave(m, list);
	message_end(m);
	if (failed(t))
		return NULL;
	t->x509_error = (*x)->end_chain(x);
	key = t->x509_error == 0 ? (*x)->get_pkey(x, &usages) : NULL;
	if (t->x509_error != 0)
		fail(t, FAULT_CERTIFICATE);
	else if (key == NULL || (usages & BR_KEYTYPE_SIGN) == 0)
		fail(t, FAULT_KEY_USE);
	return failed(t) ? NULL : key;
}

/* Read a signature, the end of the message, and check it. */
static void
read_signature(struct shake *t, const br_x509_pkey *key, const uint8_t *bytes,
    size_t size)
{
	struct messages *m = &t->messages;
	struct signature s;
	size_t outer;

	s.scheme = (uint16_t)message_number(m, 2);
	outer = message_enter(m, 2);
	s.size = message_rest(m, s.bytes, sizeof(s.bytes));
	message_leave(m, outer);
	message_end(m);
	if (!failed(t))
		fail(t, signature_check(&s, m->records.suite->version, key,
			    bytes, size));
}

/* Read Finished, which must say that both have seen the same messages. */
static void
read_finished(struct shake *t, const uint8_t *mac, size_t size)
{
	struct messages *m = &t->messages;
	uint8_t said[DIGEST_MOST];

	message_expect(m, MESSAGE_FINISHED);
	if (message_rest(m, said, sizeof(said)) != size)
		fail(t, FAULT_FORM);
	message_end(m);
	if (!failed(t) && !secret_same(said, mac, size))
		fail(t, FAULT_FINISHED);
	record_border(&m->records);
}

static void
send_finished(struct shake *t, const uint8_t *mac, size_t size)
{
	struct writer w;

	message_begin(&w, MESSAGE_FINISHED);
	message_put_bytes(&w, mac, size);
	message_send(&t->messages, &w);
}

/* In TLS 1.2 it is the border of the keys.  In 1.3 it only pleases middleboxes
 * (RFC 8446 §D.4), and is sent once, before our second message. */
static void
send_change(struct shake *t)
{
	static const uint8_t one = 1;

	record_send(&t->messages.records, RECORD_CIPHER, &one, 1);
}

/* If the server asked for a certificate, say that there is none. */
static void
send_no_certificate(struct shake *t)
{
	bool new = t->messages.records.suite->version == TLS_1_3;
	struct writer w;

	if (!t->asked)
		return;
	message_begin(&w, MESSAGE_CERTIFICATE);
	if (new) {
		message_put(&w, (uint32_t)t->context_size, 1);
		message_put_bytes(&w, t->context, t->context_size);
	}
	message_put(&w, 0, 3);
	message_send(&t->messages, &w);
}

/* Read the message after which the server has said enough, and before which it
 * may ask for a certificate.  Returns its type. */
static uint8_t
read_request(struct shake *t)
{
	struct messages *m = &t->messages;
	uint8_t type = message_next(m);
	size_t outer, extension;
	bool schemes = false;

	if (type != MESSAGE_CERTIFICATE_REQUEST)
		return type;
	t->asked = true;
	if (m->records.suite->version == TLS_1_3) {
		outer = message_enter(m, 1);
		t->context_size =
		    message_rest(m, t->context, sizeof(t->context));
		message_leave(m, outer);
		/* We have no certificate whatever the rest wants, but it must
		 * be well formed and name signatures, RFC 8446 §4.3.2. */
		outer = message_enter(m, 2);
		while (message_left(m) > 0) {
			schemes |= message_number(m, 2) == SIGNATURE_SCHEMES;
			extension = message_enter(m, 2);
			message_skip(m);
			message_leave(m, extension);
		}
		message_leave(m, outer);
		if (!schemes)
			fail(t, FAULT_FORM);
	} else
		message_skip(m);
	message_end(m);
	return message_next(m);
}

/* -------------------------------------------------------------- TLS 1.3 */

/* Derive-Secret of all messages so far. */
static void
derive(
    const struct shake *t, const uint8_t *secret, const char *label, uint8_t *out)
{
	uint8_t digest[DIGEST_MOST];

	(void)message_digest(&t->messages, hash_of(t), digest);
	secret_derive(hash_of(t), secret, label, digest, out);
}

/* What stands in Finished of the side with this secret, §4.4.4. */
static void
finished_1_3(const struct shake *t, const uint8_t *secret, uint8_t *mac)
{
	const br_hash_class *h = hash_of(t);
	uint8_t key[SECRET_MOST], digest[DIGEST_MOST];

	(void)message_digest(&t->messages, h, digest);
	secret_expand(h, secret, "finished", NULL, 0, key, secret_size(h));
	secret_mac(h, key, digest, secret_size(h), mac);
	secret_wipe(key, sizeof(key));
}

/* Agree on a secret, and protect with it what the server sends from now on.
 * Makes the secret of the stage "master", and that of our own messages. */
static void
agree_1_3(struct shake *t, uint8_t *master, uint8_t *client)
{
	static const uint8_t zeros[SECRET_MOST];
	struct records *r = &t->messages.records;
	struct hello_theirs *h = &t->theirs;
	const br_hash_class *hash = hash_of(t);
	uint8_t server[SECRET_MOST];
	size_t size;

	record_border(r);
	if (h->group == 0)
		fail(t, FAULT_NO_SHARE);
	else if (h->group != t->exchange.group)
		fail(t, FAULT_GROUP);
	if (failed(t))
		return;
	size = exchange_end(&t->exchange, h->point, h->size, r);
	if (size == 0)
		return;
	/* Without an earlier key the stage "early" is made of zeros. */
	secret_mac(hash, zeros, zeros, secret_size(hash), master);
	secret_next(hash, master, h->point, size);
	derive(t, master, "c hs traffic", client);
	derive(t, master, "s hs traffic", server);
	record_secret(r, &r->in, server);
	secret_next(hash, master, zeros, secret_size(hash));
	secret_wipe(h->point, sizeof(h->point));
	secret_wipe(server, sizeof(server));
}

/* The server signs all messages so far, §4.4.3. */
static void
verify_1_3(struct shake *t, const br_x509_pkey *key)
{
	static const char label[] = "TLS 1.3, server CertificateVerify";
	uint8_t content[64 + sizeof(label) + DIGEST_MOST];
	size_t size = 64 + sizeof(label); /* with its zero byte */

	memset(content, ' ', 64);
	memcpy(content + 64, label, sizeof(label));
	size += message_digest(&t->messages, hash_of(t), content + size);
	message_expect(&t->messages, MESSAGE_CERTIFICATE_VERIFY);
	read_signature(t, key, content, size);
}

/* Send our last messages, and take the keys for content into use. */
static void
finish_1_3(struct shake *t, uint8_t *master, const uint8_t *client)
{
	struct records *r = &t->messages.records;
	uint8_t mac[SECRET_MOST], server_next[SECRET_MOST],
	    client_next[SECRET_MOST];

	/* These secrets know of the server's messages only, §7.1. */
	derive(t, master, "s ap traffic", server_next);
	derive(t, master, "c ap traffic", client_next);
	derive(t, master, "exp master", t->exporter);
	if (!t->hello.retried)
		send_change(t);
	record_secret(r, &r->out, client);
	send_no_certificate(t);
	finished_1_3(t, client, mac);
	send_finished(t, mac, secret_size(hash_of(t)));
	record_secret(r, &r->in, server_next);
	record_secret(r, &r->out, client_next);
	secret_wipe(server_next, sizeof(server_next));
	secret_wipe(client_next, sizeof(client_next));
}

static void
shake_1_3(struct shake *t)
{
	struct messages *m = &t->messages;
	uint8_t master[SECRET_MOST], client[SECRET_MOST], mac[SECRET_MOST];
	const br_x509_pkey *key;

	agree_1_3(t, master, client);
	if (failed(t))
		return;
	hello_encrypted(m, &t->hello, &t->theirs);
	if (read_request(t) != MESSAGE_CERTIFICATE)
		fail(t, FAULT_ORDER);
	key = read_path(t);
	if (key != NULL)
		verify_1_3(t, key);
	finished_1_3(t, m->records.in.secret, mac);
	read_finished(t, mac, secret_size(hash_of(t)));
	if (!failed(t))
		finish_1_3(t, master, client);
	secret_wipe(master, sizeof(master));
	secret_wipe(client, sizeof(client));
}

/* New keys, §4.6.3: the server's, and if it wants that also ours. */
static void
update(struct shake *t)
{
	static const uint8_t answer[5] = { MESSAGE_KEY_UPDATE, 0, 0, 1, 0 };
	struct messages *m = &t->messages;
	struct records *r = &m->records;
	uint32_t wanted = message_number(m, 1);

	message_end(m);
	record_border(r);
	if (wanted > 1)
		fail(t, FAULT_ANSWER);
	if (failed(t))
		return;
	record_update(r, &r->in);
	if (wanted == 0)
		return;
	record_send(r, RECORD_HANDSHAKE, answer, sizeof(answer));
	record_update(r, &r->out);
}

/* -------------------------------------------------------------- TLS 1.2 */

static void
prf(const struct shake *t, const uint8_t *secret, size_t secret_size_,
    const char *label, const br_tls_prf_seed_chunk seed[2], uint8_t *out,
    size_t size)
{
	(t->messages.records.suite->hash == br_sha256_ID ? br_tls12_sha256_prf :
							    br_tls12_sha384_prf)(
	    out, size, secret, secret_size_, label, 2, seed);
}

/* What stands in Finished, RFC 5246 §7.4.9. */
static void
finished_1_2(const struct shake *t, const uint8_t *master, const char *label,
    uint8_t *mac)
{
	uint8_t digest[DIGEST_MOST];
	br_tls_prf_seed_chunk seed[2] = { { digest,
	    message_digest(&t->messages, hash_of(t), digest) } };

	prf(t, master, MASTER_1_2, label, seed, mac, MAC_1_2);
}

/* Read the server's share, and its signature of that and of both random
 * numbers. */
static void
read_exchange(struct shake *t, const br_x509_pkey *key)
{
	struct messages *m = &t->messages;
	struct hello_theirs *h = &t->theirs;
	uint8_t content[2 * HELLO_RANDOM + PARAMS_MOST], *at = content;
	size_t outer;

	message_expect(m, MESSAGE_SERVER_EXCHANGE);
	if (message_number(m, 1) != NAMED_CURVE)
		fail(t, FAULT_GROUP);
	h->group = (uint16_t)message_number(m, 2);
	if (!exchange_knows(h->group))
		fail(t, FAULT_GROUP);
	outer = message_enter(m, 1);
	h->size = message_rest(m, h->point, sizeof(h->point));
	message_leave(m, outer);
	memcpy(at, t->hello.random, HELLO_RANDOM);
	memcpy(at + HELLO_RANDOM, h->random, HELLO_RANDOM);
	at += 2 * HELLO_RANDOM;
	*at++ = NAMED_CURVE;
	*at++ = (uint8_t)(h->group >> 8);
	*at++ = (uint8_t)h->group;
	*at++ = (uint8_t)h->size;
	if (failed(t))
		return;
	memcpy(at, h->point, h->size);
	read_signature(
	    t, key, content, (size_t)(at - content) + h->size);
}

/* Make the master secret, of both random numbers, or where the server can do
 * that, of all messages (RFC 7627).  Then the keys of both directions. */
static void
make_keys(struct shake *t, const uint8_t *shared, size_t size, uint8_t *master)
{
	struct records *r = &t->messages.records;
	size_t key = suite_key_size(r->suite);
	size_t nonce = r->suite->cipher == CIPHER_CHACHA ? SUITE_NONCE : 4;
	uint8_t block[2 * (SUITE_KEY_MOST + SUITE_NONCE)], digest[DIGEST_MOST];
	const br_tls_prf_seed_chunk ours = { t->hello.random, HELLO_RANDOM },
				    theirs = { t->theirs.random, HELLO_RANDOM };
	br_tls_prf_seed_chunk seed[2] = { ours, theirs };

	if (t->theirs.extended) {
		seed[0].data = digest;
		seed[0].len =
		    message_digest(&t->messages, hash_of(t), digest);
		seed[1].len = 0;
	}
	prf(t, shared, size,
	    t->theirs.extended ? "extended master secret" : "master secret",
	    seed, master, MASTER_1_2);
	seed[0] = theirs;
	seed[1] = ours;
	prf(t, master, MASTER_1_2, "key expansion", seed, block,
	    2 * (key + nonce));
	send_change(t);
	record_keys(r, &r->out, block, block + 2 * key, nonce);
	/* Those of the server wait for its ChangeCipherSpec. */
	record_keys(
	    r, &r->in, block + key, block + 2 * key + nonce, nonce);
	r->in.on = false;
	secret_wipe(block, sizeof(block));
}

/* Send our share, and take the keys into use. */
static void
answer_1_2(struct shake *t, uint8_t *master)
{
	struct messages *m = &t->messages;
	struct hello_theirs *h = &t->theirs;
	struct writer w;
	size_t outer, size;

	send_no_certificate(t);
	exchange_begin(&t->exchange, h->group, &m->records);
	if (failed(t))
		return;
	message_begin(&w, MESSAGE_CLIENT_EXCHANGE);
	outer = message_open(&w, 1);
	message_put_bytes(&w, t->exchange.point, t->exchange.size);
	message_close(&w, outer, 1);
	size = exchange_end(&t->exchange, h->point, h->size, &m->records);
	if (size == 0)
		return;
	message_send(m, &w);
	make_keys(t, h->point, size, master);
	secret_wipe(h->point, sizeof(h->point));
}

static void
shake_1_2(struct shake *t)
{
	struct messages *m = &t->messages;
	struct records *r = &m->records;
	uint8_t master[MASTER_1_2], mac[MAC_1_2];
	const br_x509_pkey *key;

	message_expect(m, MESSAGE_CERTIFICATE);
	key = read_path(t);
	if (key == NULL)
		return;
	if (key->key_type != r->suite->signer)
		fail(t, FAULT_KEY_TYPE);
	read_exchange(t, key);
	if (read_request(t) != MESSAGE_HELLO_DONE)
		fail(t, FAULT_ORDER);
	message_end(m);
	record_border(r);
	if (failed(t))
		return;
	answer_1_2(t, master);
	if (failed(t)) {
		secret_wipe(master, sizeof(master));
		return;
	}
	finished_1_2(t, master, "client finished", mac);
	send_finished(t, mac, MAC_1_2);
	if (record_next(r) != RECORD_CIPHER || r->size != 1 ||
	    r->bytes[r->at] != 1)
		fail(t, FAULT_RECORD);
	r->size = 0;
	r->in.on = true;
	finished_1_2(t, master, "server finished", mac);
	read_finished(t, mac, MAC_1_2);
	secret_wipe(master, sizeof(master));
}

/* ----------------------------------------------------------- the caller's */

bool
shake_hands(struct shake *t, const struct record_io *io)
{
	struct messages *m = &t->messages;
	uint8_t digest[2][DIGEST_MOST];

	message_start(m, io);
	t->x509_error = 0;
	t->asked = false;
	t->later = 0;
	hello_begin(&t->hello, m);
	exchange_begin(&t->exchange, GROUP_X25519, &m->records);
	if (failed(t))
		return false;
	hello_send(m, &t->hello, &t->exchange);
	/* Which hash a retry wants is not known yet. */
	(void)message_digest(m, &br_sha256_vtable, digest[0]);
	(void)message_digest(m, &br_sha384_vtable, digest[1]);
	hello_read(m, &t->hello, &t->theirs);
	if (t->theirs.retry && !failed(t)) {
		send_change(t);
		hello_retry(m, &t->hello, &t->theirs, &t->exchange,
		    digest[m->records.suite->hash == br_sha384_ID]);
		hello_read(m, &t->hello, &t->theirs);
	}
	if (failed(t))
		return false;
	if (m->records.suite->version == TLS_1_3)
		shake_1_3(t);
	else
		shake_1_2(t);
	record_done(&m->records);
	return !failed(t);
}

bool
shake_send(struct shake *t, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	while (size > 0 && !failed(t)) {
		size_t n = size < RECORD_OUT ? size : RECORD_OUT;

		record_send(&t->messages.records, RECORD_CONTENT, at, n);
		at += n;
		size -= n;
	}
	return !failed(t);
}

/* Read a message that comes after the handshake. */
static void
read_later(struct shake *t)
{
	struct messages *m = &t->messages;
	uint8_t type = message_next(m);

	if (++t->later > LATER_MOST)
		fail(t, FAULT_MANY);
	if (m->records.suite->version == TLS_1_3 && type == MESSAGE_TICKET)
		message_skip(m);
	else if (m->records.suite->version == TLS_1_3 &&
	    type == MESSAGE_KEY_UPDATE) {
		update(t);
		return;
	} else if (m->records.suite->version == TLS_1_3 ||
	    type != MESSAGE_HELLO_REQUEST)
		fail(t, FAULT_ORDER);
	/* A HelloRequest asks for a new handshake, and may be ignored (RFC 5246
	 * §7.4.1.1). */
	message_end(m);
}

size_t
shake_receive(struct shake *t, const uint8_t **bytes)
{
	struct records *r = &t->messages.records;

	r->size = 0;
	while (!failed(t)) {
		enum record_type type = record_next(r);
		size_t size = r->size;

		if (type == RECORD_CONTENT) {
			*bytes = r->bytes + r->at;
			r->size = 0;
			return size;
		}
		if (type != RECORD_HANDSHAKE)
			fail(t, FAULT_RECORD);
		while (r->size > 0 && !failed(t))
			read_later(t);
	}
	return 0;
}

void
shake_export(const struct shake *t, const char *label, const void *context,
    size_t context_size, uint8_t *out, size_t size)
{
	const br_hash_class *h = hash_of(t);
	uint8_t digest[DIGEST_MOST], secret[SECRET_MOST];

	secret_digest(h, NULL, 0, digest);
	secret_derive(h, t->exporter, label, digest, secret);
	secret_digest(h, context, context_size, digest);
	secret_expand(
	    h, secret, "exporter", digest, secret_size(h), out, size);
	secret_wipe(secret, sizeof(secret));
}

void
shake_end(struct shake *t)
{
	struct records *r = &t->messages.records;

	/* The peer learns that nothing is missing at the end, RFC 8446 §6.1.
	 * Without keys the next record would not be protected. */
	record_close(r);
	secret_wipe(&r->out, sizeof(r->out));
	secret_wipe(&r->in, sizeof(r->in));
	secret_wipe(t->exporter, sizeof(t->exporter));
	/* These are left of a handshake that failed. */
	secret_wipe(t->exchange.scalar, sizeof(t->exchange.scalar));
	secret_wipe(t->theirs.point, sizeof(t->theirs.point));
}
