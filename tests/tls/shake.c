/*
 * shake.c - what shake.c and hello.c promise: they shake hands with an honest
 * server of either version, and with no other one.
 *
 * The server is here.  It writes what an honest one would, with the rooms of
 * the program, which the vectors of RFC 8448 and the servers of
 * tests/tls-cases have proved, and then does one thing wrong.
 */
#include "tests/test.h"
#include "core/word.h"
#include "tls/shake.h"
#include "tls/signature.h"

static const char said[] = "HTTP/1.1 200 OK\r\n";

struct server;

/* What is no message, but is taken for one by the evil: ChangeCipherSpec of TLS
 * 1.2, and content. */
enum { CHANGE = 254, BEHIND = 255 };

/* One way to go wrong. */
struct evil {
	const char *name;
	uint16_t version;
	enum fault fault; /* FAULT_NONE: it does no harm */
	int type;	  /* before this message is sent, */
	void (*edit)(struct server *, struct writer *); /* this is done */
};

/* And how an honest server may differ from others. */
struct server {
	uint16_t suite, group;
	bool cookie;	     /* retries with a cookie */
	bool request;	     /* asks for a certificate */
	bool plain_master;   /* has no extended master secret */
	size_t fragment;     /* bytes of a record; 0: a message each */
	size_t segment;	     /* bytes that the network delivers at once */
	const struct evil *evil;

	int step;
	struct messages m; /* of its side */
	uint8_t client_random[32], random[32], session[32];
	uint8_t share[POINT_MOST];
	size_t share_size;
	bool extended, alpn;
	uint8_t master[SECRET_MOST], client[SECRET_MOST], shared[POINT_MOST];
	struct exchange exchange;
};

static struct server server;
static struct shake client;

/* Both directions. */
static struct pipe_ {
	uint8_t bytes[400000];
	size_t size, at;
} to_client, to_server;
static size_t cut_at, flip_at; /* bytes of the server's; SIZE_MAX: none */

static uint64_t seed;

static bool
dice(void *of, uint8_t *bytes, size_t size)
{
	(void)of;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(uniform(&seed) * 256);
	return true;
}

static bool
put(void *of, const uint8_t *bytes, size_t size)
{
	struct pipe_ *p = of;

	assert_true(p->size + size <= sizeof p->bytes);
	memcpy(p->bytes + p->size, bytes, size);
	p->size += size;
	return true;
}

static size_t
get(struct pipe_ *p, uint8_t *bytes, size_t size)
{
	if (size > p->size - p->at)
		size = p->size - p->at;
	memcpy(bytes, p->bytes + p->at, size);
	p->at += size;
	return size;
}

static void go_on(struct server *);

static size_t
client_receives(void *of, uint8_t *bytes, size_t size)
{
	(void)of;
	if (to_client.at == to_client.size)
		go_on(&server);
	if (to_client.size > cut_at)
		to_client.size = to_client.at > cut_at ? to_client.at : cut_at;
	if (to_client.size > flip_at) {
		to_client.bytes[flip_at] ^= (uint8_t)(1 << flip_at % 8);
		flip_at = SIZE_MAX;
	}
	if (server.segment > 0 && size > server.segment)
		size = server.segment;
	return get(&to_client, bytes, size);
}

static size_t
server_receives(void *of, uint8_t *bytes, size_t size)
{
	(void)of;
	return get(&to_server, bytes, size);
}

static bool
client_sends(void *of, const uint8_t *bytes, size_t size)
{
	(void)of;
	return put(&to_server, bytes, size);
}

static bool
server_sends(void *of, const uint8_t *bytes, size_t size)
{
	(void)of;
	return put(&to_client, bytes, size);
}

static const struct record_io client_io = { NULL, client_receives, client_sends,
	dice };
static const struct record_io server_io = { NULL, server_receives, server_sends,
	dice };

/* ----------------------------------------------- the server's certificate */

/* Its key is this number, on the curve P-256. */
static uint8_t private_key[32] = { [31] = 9 }, public_key[65];
static br_x509_pkey known_key;
static unsigned verdict, usages;
static size_t certificate_bytes;

static void
start_chain(const br_x509_class **x, const char *name)
{
	(void)x;
	(void)name;
	certificate_bytes = 0;
}

static void
start_cert(const br_x509_class **x, uint32_t size)
{
	(void)x;
	(void)size;
}

static void
append(const br_x509_class **x, const unsigned char *bytes, size_t size)
{
	(void)x;
	(void)bytes;
	certificate_bytes += size;
}

static void
end_cert(const br_x509_class **x)
{
	(void)x;
}

static unsigned
end_chain(const br_x509_class **x)
{
	(void)x;
	return verdict;
}

static const br_x509_pkey *
get_pkey(const br_x509_class *const *x, unsigned *u)
{
	(void)x;
	*u = usages;
	return &known_key;
}

static const br_x509_class checker = { 0, start_chain, start_cert, append,
	end_cert, end_chain, get_pkey };

/* --------------------------------------------------------- honest messages */

/* Send a message, after the evil has had its way with it.  One of no bytes is
 * not sent. */
static void
send(struct server *s, struct writer *w)
{
	struct records *r = &s->m.records;

	if (s->evil != NULL && s->evil->type == w->bytes[0])
		s->evil->edit(s, w);
	if (w->size == 0)
		return;
	message_close(w, 4, 3);
	br_multihash_update(&s->m.hashes, w->bytes, w->size);
	for (size_t at = 0; at < w->size;) {
		size_t n = s->fragment > 0 && s->fragment < w->size - at ?
		    s->fragment :
		    w->size - at;

		record_send(r, RECORD_HANDSHAKE, w->bytes + at, n);
		at += n;
	}
}

static void
read_client_hello(struct server *s)
{
	struct messages *m = &s->m;
	size_t outer;

	message_expect(m, MESSAGE_CLIENT_HELLO);
	assert_int_equal(message_number(m, 2), TLS_1_2);
	message_take(m, s->client_random, 32);
	outer = message_enter(m, 1);
	assert_int_equal(message_rest(m, s->session, 32), 32);
	message_leave(m, outer);
	outer = message_enter(m, 2);
	message_skip(m);
	message_leave(m, outer);
	assert_int_equal(message_number(m, 2), 0x100);
	outer = message_enter(m, 2);
	s->share_size = 0;
	s->extended = s->alpn = false;
	while (message_left(m) > 0) {
		uint32_t type = message_number(m, 2);
		size_t in = message_enter(m, 2), list;

		s->extended |= type == 23;
		s->alpn |= type == 16;
		if (type == 51) {
			list = message_enter(m, 2);
			if (message_number(m, 2) == s->group) {
				size_t share = message_enter(m, 2);

				s->share_size = message_rest(
				    m, s->share, sizeof s->share);
				message_leave(m, share);
			}
			message_skip(m);
			message_leave(m, list);
		}
		message_skip(m);
		message_leave(m, in);
	}
	message_leave(m, outer);
	message_end(m);
	assert_int_equal(m->records.fault, FAULT_NONE);
}

/* Write a hello up to its extensions.  Returns where those begin. */
static size_t
begin_hello(struct server *s, struct writer *w, bool echo)
{
	message_begin(w, MESSAGE_SERVER_HELLO);
	message_put(w, TLS_1_2, 2);
	message_put_bytes(w, s->random, 32);
	message_put(w, echo ? 32 : 0, 1);
	message_put_bytes(w, s->session, echo ? 32 : 0);
	message_put(w, s->suite, 2);
	message_put(w, 0, 1);
	return message_open(w, 2);
}

static void
send_retry(struct server *s)
{
	static const char *const text = "HelloRetryRequest";
	uint8_t digest[64];
	struct writer w;
	size_t list;

	(void)message_digest(&s->m, secret_hash(suite_find(s->suite)->hash),
	    digest);
	s->m.had = 0;
	message_restart(&s->m, secret_hash(suite_find(s->suite)->hash), digest);
	secret_digest(&br_sha256_vtable, text, strlen(text), s->random);
	list = begin_hello(s, &w, true);
	message_put(&w, 43, 2);
	message_put(&w, 2, 2);
	message_put(&w, TLS_1_3, 2);
	if (s->group != GROUP_X25519) {
		message_put(&w, 51, 2);
		message_put(&w, 2, 2);
		message_put(&w, s->group, 2);
	}
	if (s->cookie) {
		message_put(&w, 44, 2);
		message_put(&w, 7, 2);
		message_put(&w, 5, 2);
		message_put_bytes(&w, "biscu", 5);
	}
	message_close(&w, list, 2);
	send(s, &w);
	record_suite(&s->m.records, suite_find(s->suite));
	(void)dice(NULL, s->random, 32);
}

static void
send_hello(struct server *s)
{
	bool new = suite_find(s->suite)->version == TLS_1_3;
	struct records *r = &s->m.records;
	struct writer w;
	size_t list = begin_hello(s, &w, new), share;

	exchange_begin(&s->exchange, s->group, r);
	if (new) {
		message_put(&w, 43, 2);
		message_put(&w, 2, 2);
		message_put(&w, TLS_1_3, 2);
		message_put(&w, 51, 2);
		share = message_open(&w, 2);
		message_put(&w, s->group, 2);
		message_put(&w, (uint32_t)s->exchange.size, 2);
		message_put_bytes(&w, s->exchange.point, s->exchange.size);
		message_close(&w, share, 2);
	} else {
		message_put(&w, 0xff01, 2);
		message_put(&w, 0x000100, 3);
		if (!s->plain_master) {
			message_put(&w, 23, 2);
			message_put(&w, 0, 2);
		}
	}
	message_close(&w, list, 2);
	send(s, &w);
	record_suite(r, suite_find(s->suite));
}

static void
send_certificate(struct server *s)
{
	bool new = s->m.records.suite->version == TLS_1_3;
	struct writer w;
	size_t list;

	message_begin(&w, MESSAGE_CERTIFICATE);
	if (new)
		message_put(&w, 0, 1);
	list = message_open(&w, 3);
	message_put(&w, 1000, 3);
	for (int i = 0; i < 1000; i++)
		message_put(&w, (uint32_t)i, 1);
	if (new)
		message_put(&w, 0, 2);
	message_close(&w, list, 3);
	send(s, &w);
}

static void
send_request(struct server *s)
{
	struct writer w;

	if (!s->request)
		return;
	message_begin(&w, MESSAGE_CERTIFICATE_REQUEST);
	if (s->m.records.suite->version == TLS_1_3)
		message_put_bytes(&w, "\3abc\0\xc\0\15\0\4\0\2\4\3\0\x2f\0\0", 18);
	else
		message_put_bytes(&w, "\1\100\0\2\4\3\0\0", 8);
	send(s, &w);
}

/* Write a signature of these bytes. */
static void
put_signature(struct writer *w, const uint8_t *bytes, size_t size)
{
	br_ec_private_key key = { BR_EC_secp256r1, private_key, 32 };
	uint8_t digest[32], signature[80];
	size_t n;

	secret_digest(&br_sha256_vtable, bytes, size, digest);
	n = br_ecdsa_i31_sign_asn1(&br_ec_prime_i31, &br_sha256_vtable, digest,
	    &key, signature);
	message_put(w, 0x0403, 2);
	message_put(w, (uint32_t)n, 2);
	message_put_bytes(w, signature, n);
}

static const br_hash_class *
hash_of(struct server *s)
{
	return secret_hash(s->m.records.suite->hash);
}

static size_t
finished(struct server *s, const uint8_t *secret, uint8_t *mac)
{
	const br_hash_class *h = hash_of(s);
	uint8_t key[64], digest[64];
	size_t n = message_digest(&s->m, h, digest);

	secret_expand(h, secret, "finished", NULL, 0, key, n);
	secret_mac(h, key, digest, n, mac);
	return n;
}

static void
derive(struct server *s, const char *label, uint8_t *out)
{
	uint8_t digest[64];

	(void)message_digest(&s->m, hash_of(s), digest);
	secret_derive(hash_of(s), s->master, label, digest, out);
}

static void
flight_1_3(struct server *s)
{
	static const uint8_t zeros[48];
	struct records *r = &s->m.records;
	const br_hash_class *h;
	uint8_t secret[48], mac[64];
	uint8_t content[64 + 34 + 64] = { 0 };
	struct writer w;
	size_t n;

	send_hello(s);
	h = hash_of(s);
	record_send(r, RECORD_CIPHER, "\1", 1);
	memcpy(s->shared, s->share, s->share_size);
	n = exchange_end(&s->exchange, s->shared, s->share_size, r);
	assert_true(n > 0);
	secret_mac(h, zeros, zeros, secret_size(h), s->master);
	secret_next(h, s->master, s->shared, n);
	derive(s, "c hs traffic", s->client);
	derive(s, "s hs traffic", secret);
	record_secret(r, &r->out, secret);
	record_secret(r, &r->in, s->client);
	secret_next(h, s->master, zeros, secret_size(h));
	message_begin(&w, MESSAGE_ENCRYPTED_EXTENSIONS);
	n = message_open(&w, 2);
	if (s->alpn)
		message_put_bytes(&w, "\0\20\0\12\0\10\7ntske/1", 14);
	message_close(&w, n, 2);
	send(s, &w);
	send_request(s);
	send_certificate(s);
	memset(content, ' ', 64);
	memcpy(content + 64, "TLS 1.3, server CertificateVerify", 34);
	n = message_digest(&s->m, h, content + 98);
	message_begin(&w, MESSAGE_CERTIFICATE_VERIFY);
	put_signature(&w, content, 98 + n);
	send(s, &w);
	n = finished(s, r->out.secret, mac);
	message_begin(&w, MESSAGE_FINISHED);
	message_put_bytes(&w, mac, n);
	send(s, &w);
	derive(s, "s ap traffic", secret);
	record_secret(r, &r->out, secret);
	derive(s, "exp master", secret);
	derive(s, "c ap traffic", s->shared);
	memcpy(s->master, secret, 48); /* the exporter's, from now on */
}

static void
flight_1_2(struct server *s)
{
	uint8_t content[64 + 4 + POINT_MOST];
	struct writer w;
	size_t n;

	send_hello(s);
	send_certificate(s);
	memcpy(content, s->client_random, 32);
	memcpy(content + 32, s->random, 32);
	n = s->exchange.size;
	content[64] = 3;
	content[65] = 0;
	content[66] = (uint8_t)s->group;
	content[67] = (uint8_t)n;
	memcpy(content + 68, s->exchange.point, n);
	message_begin(&w, MESSAGE_SERVER_EXCHANGE);
	message_put_bytes(&w, content + 64, 4 + n);
	put_signature(&w, content, 68 + n);
	send(s, &w);
	send_request(s);
	message_begin(&w, MESSAGE_HELLO_DONE);
	send(s, &w);
}

/* Read the certificate that the client does not have. */
static void
read_no_certificate(struct server *s)
{
	uint8_t bytes[8];

	if (!s->request)
		return;
	message_expect(&s->m, MESSAGE_CERTIFICATE);
	if (s->m.records.suite->version == TLS_1_3) {
		assert_int_equal(message_rest(&s->m, bytes, 8), 7);
		assert_memory_equal(bytes, "\3abc\0\0\0", 7);
	} else {
		assert_int_equal(message_rest(&s->m, bytes, 8), 3);
		assert_memory_equal(bytes, "\0\0\0", 3);
	}
	message_end(&s->m);
}

/* The client's last message must be this, or the server ends it. */
static void
read_finished(struct server *s, const uint8_t *mac, size_t size)
{
	uint8_t theirs[64];

	message_expect(&s->m, MESSAGE_FINISHED);
	if (message_rest(&s->m, theirs, 64) != size ||
	    memcmp(theirs, mac, size) != 0)
		record_fail(&s->m.records, FAULT_FINISHED);
	message_end(&s->m);
}

static void
end_1_3(struct server *s)
{
	struct records *r = &s->m.records;
	uint8_t mac[64];
	size_t n;

	read_no_certificate(s);
	n = finished(s, s->client, mac);
	read_finished(s, mac, n);
	record_secret(r, &r->in, s->shared);
}

static void
prf(struct server *s, const uint8_t *secret, size_t secret_length,
    const char *label, const void *a, size_t a_size, const void *b,
    size_t b_size, uint8_t *out, size_t size)
{
	br_tls_prf_seed_chunk seeds[2] = { { a, a_size }, { b, b_size } };

	(s->m.records.suite->hash == br_sha256_ID ? br_tls12_sha256_prf :
						    br_tls12_sha384_prf)(
	    out, size, secret, secret_length, label, 2, seeds);
}

static void
end_1_2(struct server *s)
{
	struct records *r = &s->m.records;
	size_t key = suite_key_size(r->suite), n, point;
	size_t nonce = r->suite->cipher == CIPHER_CHACHA ? 12 : 4;
	uint8_t digest[64], block[88], mac[12];
	struct writer w;

	read_no_certificate(s);
	message_expect(&s->m, MESSAGE_CLIENT_EXCHANGE);
	point = message_enter(&s->m, 1);
	n = message_rest(&s->m, s->shared, sizeof s->shared);
	message_leave(&s->m, point);
	message_end(&s->m);
	n = exchange_end(&s->exchange, s->shared, n, r);
	point = message_digest(&s->m, hash_of(s), digest);
	if (s->plain_master)
		prf(s, s->shared, n, "master secret", s->client_random, 32,
		    s->random, 32, s->master, 48);
	else
		prf(s, s->shared, n, "extended master secret", digest, point,
		    NULL, 0, s->master, 48);
	prf(s, s->master, 48, "key expansion", s->random, 32, s->client_random,
	    32, block, 2 * (key + nonce));
	assert_int_equal(record_next(r), RECORD_CIPHER);
	r->size = 0;
	record_keys(r, &r->in, block, block + 2 * key, nonce);
	prf(s, s->master, 48, "client finished", digest, point, NULL, 0, mac,
	    12);
	read_finished(s, mac, 12);
	point = message_digest(&s->m, hash_of(s), digest);
	prf(s, s->master, 48, "server finished", digest, point, NULL, 0, mac,
	    12);
	message_begin(&w, MESSAGE_FINISHED);
	message_put_bytes(&w, mac, 12);
	if (s->evil == NULL || s->evil->type != CHANGE)
		record_send(r, RECORD_CIPHER, "\1", 1);
	else
		s->evil->edit(s, &w);
	record_keys(r, &r->out, block + key, block + 2 * key + nonce, nonce);
	send(s, &w);
}

static void
end_of_handshake(struct server *s)
{
	if (suite_find(s->suite)->version == TLS_1_3)
		end_1_3(s);
	else
		end_1_2(s);
}

static void
send_content(struct server *s)
{
	struct records *r = &s->m.records;
	size_t n = s->fragment > 0 ? s->fragment : sizeof said - 1;
	struct writer w = { .size = 0 };

	if (s->evil != NULL && s->evil->type == BEHIND)
		s->evil->edit(s, &w);
	for (size_t at = 0; at < sizeof said - 1; at += n)
		record_send(r, RECORD_CONTENT, said + at,
		    n < sizeof said - 1 - at ? n : sizeof said - 1 - at);
	record_send(r, RECORD_ALERT, "\1\0", 2);
}

/* The client wants to read something.  Do the next step. */
static void
go_on(struct server *s)
{
	bool new = suite_find(s->suite)->version == TLS_1_3;

	switch (s->step++) {
	case 0:
		read_client_hello(s);
		if (new && (s->cookie || s->share_size == 0)) {
			send_retry(s);
			break;
		}
		s->step++;
		if (new)
			flight_1_3(s);
		else
			flight_1_2(s);
		break;
	case 1:
		read_client_hello(s);
		flight_1_3(s);
		break;
	case 2:
		if (to_server.at == to_server.size)
			break; /* it waits for us */
		end_of_handshake(s);
		if (new)
			send_content(s);
		break;
	case 3:
		if (!new)
			send_content(s);
		break;
	default: break;
	}
}

/* Begin a connection to the server as it is set. */
static void
connect_to(void)
{
	static const br_x509_class *x = &checker;

	seed = 7;
	to_client.size = to_client.at = to_server.size = to_server.at = 0;
	cut_at = flip_at = SIZE_MAX;
	server.step = 0;
	message_start(&server.m, &server_io);
	(void)dice(NULL, server.random, 32);
	memset(&client, 0, sizeof client);
	known_key.key_type = BR_KEYTYPE_EC;
	known_key.key.ec.curve = BR_EC_secp256r1;
	known_key.key.ec.q = public_key;
	known_key.key.ec.qlen = br_ec_prime_i31.mulgen(
	    public_key, private_key, 32, BR_EC_secp256r1);
	verdict = 0;
	usages = BR_KEYTYPE_SIGN;
	client.x509 = &x;
	client.hello.name = "www.example.com";
	client.hello.least = TLS_1_2;
}

static enum fault
shake(void)
{
	(void)shake_hands(&client, &client_io);
	return client.messages.records.fault;
}

/* Read all content.  Returns the fault at its end. */
static enum fault
read_all(size_t *size)
{
	const uint8_t *bytes;
	char text[100];
	size_t n;

	*size = 0;
	while ((n = shake_receive(&client, &bytes)) > 0) {
		assert_true(*size + n < sizeof text);
		memcpy(text + *size, bytes, n);
		*size += n;
	}
	assert_memory_equal(text, said, *size);
	return client.messages.records.fault;
}

/* The whole of an honest connection. */
static void
assert_good(void)
{
	size_t size;

	connect_to();
	assert_int_equal(shake(), FAULT_NONE);
	assert_int_equal(client.messages.records.suite->number, server.suite);
	assert_int_equal(server.m.records.fault, FAULT_NONE);
	assert_int_equal(certificate_bytes, 1000);
	assert_true(shake_send(&client, "HEAD", 4));
	assert_int_equal(read_all(&size), FAULT_CLOSED);
	assert_int_equal(size, sizeof said - 1);
	assert_int_equal(server.m.records.fault, FAULT_NONE);
}

static void
every_suite_and_curve_is_spoken(void **state)
{
	(void)state;
	for (int i = 0; i < SUITES; i++)
		for (int k = 0; k < GROUPS; k++) {
			if (suites[i].signer == BR_KEYTYPE_RSA ||
			    (k > 1 && i % 3 != 0))
				continue;
			server = (struct server){ .suite = suites[i].number,
				.group = exchange_groups[k] };
			assert_good();
			assert_int_equal(client.theirs.extended,
			    suites[i].version == TLS_1_2);
		}
}

static void
servers_may_differ(void **state)
{
	static const size_t sizes[] = { 0, 1, 3, 100 };
	static const uint16_t numbers[] = { 0x1301, 0x1302, 0xc02b, 0xcca9 };

	(void)state;
	for (size_t i = 0; i < LEN(numbers); i++)
		for (size_t k = 0; k < LEN(sizes); k++) {
			server = (struct server){ .suite = numbers[i],
				.group = GROUP_X25519, .fragment = sizes[k],
				.segment = sizes[LEN(sizes) - 1 - k],
				.cookie = k % 2 == 1, .request = k % 2 == 0,
				.plain_master = k % 2 == 1 };
			assert_good();
			assert_int_equal(client.asked, server.request);
		}
}

/* Without a group in the request to retry, the share stays the same, and all
 * else, too. */
static void
second_hello_differs_by_its_cookie_only(void **state)
{
	size_t first, second;

	(void)state;
	server = (struct server){ .suite = 0x1301, .group = GROUP_X25519,
		.cookie = true };
	assert_good();
	first = 5 + ((size_t)to_server.bytes[3] << 8 | to_server.bytes[4]);
	assert_memory_equal(to_server.bytes + first, "\x14\3\3\0\1\1", 6);
	second = (size_t)to_server.bytes[first + 9] << 8 |
	    to_server.bytes[first + 10];
	assert_int_equal(second, first - 5 + 4 + 2 + 5);
	assert_int_equal(to_server.bytes[2], 1);
	assert_int_equal(to_server.bytes[first + 8], 3);
	assert_memory_equal(to_server.bytes + first + 6 + 5 + second - 42,
	    to_server.bytes + first - 42, 42);
}

static void
keys_are_exported(void **state)
{
	static const char label[] = "EXPORTER-network-time-security";
	static const uint8_t context[5] = { 0, 0, 0, 15, 0 };
	const br_hash_class *h = &br_sha256_vtable;
	uint8_t digest[32], secret[32], expected[32], got[32];

	(void)state;
	server = (struct server){ .suite = 0x1301, .group = GROUP_X25519 };
	connect_to();
	client.hello.alpn = "ntske/1";
	client.hello.least = TLS_1_3;
	assert_int_equal(shake(), FAULT_NONE);
	assert_true(client.theirs.alpn);
	secret_digest(h, NULL, 0, digest);
	secret_derive(h, server.master, label, digest, secret);
	secret_digest(h, context, sizeof context, digest);
	secret_expand(h, secret, "exporter", digest, 32, expected, 32);
	shake_export(&client, label, context, sizeof context, got, sizeof got);
	assert_memory_equal(got, expected, 32);
	shake_end(&client);
	for (size_t i = 0; i < sizeof client.exporter; i++)
		assert_int_equal(client.exporter[i], 0);
}

/* Also of a handshake that did not come to its end. */
static void
no_key_is_kept(void **state)
{
	static const size_t cuts[] = { 3, SIZE_MAX };
	static const uint8_t zeros[sizeof(struct exchange)];

	(void)state;
	for (size_t i = 0; i < LEN(cuts); i++) {
		server = (struct server){ .group = GROUP_X25519,
			.suite = 0x1301 };
		connect_to();
		cut_at = cuts[i];
		assert_int_equal(shake(), i == 0 ? FAULT_IO : FAULT_NONE);
		shake_end(&client);
		assert_memory_equal(client.exchange.scalar, zeros,
		    sizeof client.exchange.scalar);
		assert_memory_equal(client.theirs.point, zeros,
		    sizeof client.theirs.point);
		assert_memory_equal(client.messages.records.in.secret, zeros,
		    sizeof client.messages.records.in.secret);
	}
}

/* So the server knows that the answer was not cut (RFC 8446 §6.1).  After a
 * fault it has been told another reason. */
static void
good_end_is_told(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		server = (struct server){ .group = GROUP_X25519,
			.suite = i % 2 ? 0xc02b : 0x1301 };
		connect_to();
		assert_int_equal(shake(), FAULT_NONE);
		go_on(&server);
		if (i < 2)
			assert_true(shake_send(&client, "HEAD", 4));
		else
			record_fail(&client.messages.records, FAULT_FORM);
		shake_end(&client);
		if (i < 2)
			assert_int_equal(record_next(&server.m.records),
			    RECORD_CONTENT);
		server.m.records.size = 0;
		assert_int_equal(record_next(&server.m.records), RECORD_NONE);
		assert_int_equal(server.m.records.fault,
		    i < 2 ? FAULT_CLOSED : FAULT_ALERT);
		assert_int_equal(to_server.at, to_server.size);
	}
	/* Before there are keys, nothing is. */
	memset(&client, 0, sizeof client);
	shake_end(&client);
}

/* Without keys whatever is sent could be read by everybody. */
static void
nothing_is_sent_without_keys(void **state)
{
	const uint8_t *bytes;
	size_t size;

	(void)state;
	for (int old = 0; old < 2; old++) {
		server = (struct server){ .group = GROUP_X25519,
			.suite = old ? 0xc02b : 0x1301 };
		connect_to();
		assert_int_equal(shake(), FAULT_NONE);
		shake_end(&client);
		size = to_server.size;
		assert_false(shake_send(&client, "HEAD", 4));
		assert_int_equal(shake_receive(&client, &bytes), 0);
		assert_int_equal(to_server.size, size);
	}
}

/* ------------------------------------------------------------------- evil */

/* Where things stand in a hello with a session, and with none. */
enum { VERSION_AT = 4, RANDOM_AT = 6, SESSION_AT = 38, SUITE_AT = 71,
	LIST_AT = 74, SHARE_AT = 82, OLD_LIST_AT = 42 };

static void
raw(struct server *s, const void *bytes, size_t size)
{
	(void)s;
	(void)put(&to_client, bytes, size);
}

static void
nothing(struct server *s, struct writer *w)
{
	(void)s;
	(void)w;
}

static void
drop(struct server *s, struct writer *w)
{
	(void)s;
	w->size = 0;
}

static void
twice(struct server *s, struct writer *w)
{
	const struct evil *evil = s->evil;

	s->evil = NULL;
	send(s, w);
	s->evil = evil;
}

static void
longer(struct server *s, struct writer *w)
{
	(void)s;
	message_put(w, 0, 1);
}

static void
shorter(struct server *s, struct writer *w)
{
	(void)s;
	w->size--;
}

static void
flip_end(struct server *s, struct writer *w)
{
	(void)s;
	w->bytes[w->size - 1] ^= 1;
}

/* Part of the next message is in the same record. */
static void
cross(struct server *s, struct writer *w)
{
	message_close(w, 4, 3);
	br_multihash_update(&s->m.hashes, w->bytes, w->size);
	message_put(w, MESSAGE_ENCRYPTED_EXTENSIONS, 1);
	record_send(&s->m.records, RECORD_HANDSHAKE, w->bytes, w->size);
	w->size = 0;
}

/* Put something else in front. */
static void
before(struct server *s, int type, const void *bytes, size_t size)
{
	const struct evil *evil = s->evil;
	struct writer w;

	message_begin(&w, (enum message_type)type);
	message_put_bytes(&w, bytes, size);
	s->evil = NULL;
	send(s, &w);
	s->evil = evil;
}

#define BEFORE(name, type, text) \
	static void name(struct server *s, struct writer *w) \
	{ \
		(void)w; \
		before(s, type, text, sizeof(text) - 1); \
	}
BEFORE(ticket_first, MESSAGE_TICKET, "\0\0\0\1\0\0\0\1\0\0\1x\0\0")
BEFORE(update_first, MESSAGE_KEY_UPDATE, "\0")
BEFORE(request_first, MESSAGE_CERTIFICATE_REQUEST, "\0\0\0")
BEFORE(empty_request_first, MESSAGE_CERTIFICATE_REQUEST, "")
BEFORE(request_without_schemes_first, MESSAGE_CERTIFICATE_REQUEST,
    "\0\0\4\0\x2f\0\0")
BEFORE(request_cut_first, MESSAGE_CERTIFICATE_REQUEST, "\0\0\4\0\15\0\4")
BEFORE(long_request_first, MESSAGE_CERTIFICATE_REQUEST,
    "\0\0\x8\0\15\0\4\0\2\4\3x")
BEFORE(hello_request_first, MESSAGE_HELLO_REQUEST, "")
BEFORE(long_hello_request_first, MESSAGE_HELLO_REQUEST, "x")
BEFORE(client_hello_first, MESSAGE_CLIENT_HELLO, "\3\3")
BEFORE(server_hello_first, MESSAGE_SERVER_HELLO, "\3\3")
BEFORE(status_first, 22, "\1\0\0\1x")
BEFORE(end_of_early_data_first, 5, "")
BEFORE(unknown_first, 99, "")
BEFORE(finished_first, MESSAGE_FINISHED, "123456789012")

/* Change a byte, or all of these. */
#define SET(name, at, text) \
	static void name(struct server *s, struct writer *w) \
	{ \
		(void)s; \
		memcpy(w->bytes + (at), text, sizeof(text) - 1); \
	}
SET(says_1_1, VERSION_AT, "\3\2")
SET(says_1_3, VERSION_AT, "\3\4")
SET(chooses_1_2_in_extension, LIST_AT + 6, "\3\3")
SET(chooses_draft, LIST_AT + 6, "\177\34")
SET(other_session, SESSION_AT + 1, "12345678")
SET(suite_ccm, SUITE_AT, "\x13\x04")
SET(suite_of_1_2, SUITE_AT, "\xc0\x2b")
SET(suite_sha384, SUITE_AT, "\x13\x02")
SET(suite_of_1_3_in_1_2, SUITE_AT - 32, "\x13\x01")
SET(suite_cbc, SUITE_AT - 32, "\xc0\x09")
SET(suite_of_rsa, SUITE_AT - 32, "\xc0\x2f")
SET(compresses, SUITE_AT + 2, "\1")
SET(compresses_in_1_2, SUITE_AT + 2 - 32, "\1")
SET(share_of_x448, SHARE_AT + 4, "\0\x1e")
SET(share_of_p256, SHARE_AT + 4, "\0\x17")
SET(point_is_zero, SHARE_AT + 8, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")
SET(share_is_longer_than_it_is, SHARE_AT + 7, "\x21")
SET(sentinel_1, RANDOM_AT + 24, "DOWNGRD\1")
SET(sentinel_0, RANDOM_AT + 24, "DOWNGRD\0")
SET(sentinel_2, RANDOM_AT + 24, "DOWNGRD\2")
SET(renegotiates, OLD_LIST_AT + 6, "\1")
SET(has_context, 4, "\1")
SET(scheme_pkcs1, 4, "\4\1")
SET(scheme_pss, 4, "\x08\x04")
SET(scheme_p384, 4, "\5\3")
SET(scheme_sha1, 4, "\2\3")
SET(scheme_ed25519, 4, "\x08\x07")
SET(curve_by_hand, 4, "\1")
SET(curve_x448, 5, "\0\x1e")
SET(other_point, 9, "abc")
SET(scheme_sha1_in_1_2, 40, "\2\3")
SET(retry_for_x25519, SHARE_AT + 4, "\0\x1d")
SET(retry_for_x448, SHARE_AT + 4, "\0\x1e")

/* Add an extension to a hello, whose list of extensions is there. */
static void
add_extension(struct writer *w, size_t list, uint16_t type, const void *bytes,
    size_t size)
{
	message_put(w, type, 2);
	message_put(w, (uint32_t)size, 2);
	message_put_bytes(w, bytes, size);
	message_close(w, list + 2, 2);
}

#define EXTEND(name, list, type, text) \
	static void name(struct server *s, struct writer *w) \
	{ \
		(void)s; \
		add_extension(w, list, type, text, sizeof(text) - 1); \
	}
EXTEND(with_heartbeat, LIST_AT, 15, "\1")
EXTEND(with_cookie, LIST_AT, 44, "\0\1x")
EXTEND(with_empty_cookie, LIST_AT, 44, "\0\0")
EXTEND(with_master, LIST_AT, 23, "")
EXTEND(with_psk, LIST_AT, 41, "\0\0")
EXTEND(with_name, LIST_AT, 0, "")
EXTEND(with_versions_again, LIST_AT, 43, "\3\4")
EXTEND(old_with_ticket, OLD_LIST_AT, 35, "")
EXTEND(old_with_heartbeat, OLD_LIST_AT, 15, "\1")
EXTEND(old_with_versions, OLD_LIST_AT, 43, "\3\3")
EXTEND(old_with_share, OLD_LIST_AT, 51, "\0\x1d\0\1x")
EXTEND(old_with_master_again, OLD_LIST_AT, 23, "")
EXTEND(old_with_groups, OLD_LIST_AT, 10, "\0\2\0\x1d")
EXTEND(old_with_formats, OLD_LIST_AT, 11, "\1\0")
EXTEND(old_with_name, OLD_LIST_AT, 0, "")
EXTEND(old_with_long_name, OLD_LIST_AT, 0, "x")
EXTEND(old_with_protocol, OLD_LIST_AT, 16, "\0\3\2h2")
EXTEND(encrypted_name, 4, 0, "")
EXTEND(encrypted_groups, 4, 10, "\0\2\0\x1d")
EXTEND(encrypted_early_data, 4, 42, "")
EXTEND(encrypted_limit, 4, 28, "\x40\1")
EXTEND(encrypted_share, 4, 51, "\0\x1d")
EXTEND(encrypted_formats, 4, 11, "\1\0")
EXTEND(encrypted_protocol, 4, 16, "\0\3\2h2")

static void
without_share(struct server *s, struct writer *w)
{
	(void)s;
	w->size = SHARE_AT;
	message_close(w, LIST_AT + 2, 2);
}

static void
without_extensions(struct server *s, struct writer *w)
{
	(void)s;
	w->size = OLD_LIST_AT;
	s->plain_master = true;
}

static void
short_session(struct server *s, struct writer *w)
{
	(void)s;
	w->bytes[SESSION_AT] = 31;
	memmove(w->bytes + SUITE_AT - 1, w->bytes + SUITE_AT,
	    w->size-- - SUITE_AT);
}

static void
continued_session(struct server *s, struct writer *w)
{
	memmove(w->bytes + SUITE_AT, w->bytes + SESSION_AT + 1,
	    w->size - SESSION_AT - 1);
	w->size += 32;
	w->bytes[SESSION_AT] = 32;
	memcpy(w->bytes + SESSION_AT + 1, s->session, 32);
}

static void
entry_with_extension(struct server *s, struct writer *w)
{
	(void)s;
	w->size -= 2;
	message_put(w, 5, 2); /* of one status_request */
	message_put_bytes(w, "\0\5\0\1x", 5);
	message_close(w, 8, 3);
}

/* Sign as a client would. */
static void
signs_as_client(struct server *s, struct writer *w)
{
	uint8_t content[64 + 34 + 64];
	size_t n;

	memset(content, ' ', 64);
	memcpy(content + 64, "TLS 1.3, client CertificateVerify", 34);
	n = message_digest(&s->m, hash_of(s), content + 98);
	w->size = 4;
	put_signature(w, content, 98 + n);
}

/* Sign a share that is no point of the curve. */
static void
signs_bad_point(struct server *s, struct writer *w)
{
	uint8_t content[64 + 36] = { 0 };

	memcpy(content, s->client_random, 32);
	memcpy(content + 32, s->random, 32);
	memcpy(content + 64, "\3\0\x1d\x20", 4);
	w->size = 4;
	message_put_bytes(w, content + 64, 36);
	put_signature(w, content, 100);
}

/* A second request to retry, where the hello should be. */
static void
retry_again(struct server *s, struct writer *w)
{
	(void)s;
	secret_digest(&br_sha256_vtable, "HelloRetryRequest", 17,
	    w->bytes + RANDOM_AT);
}

/* These want to be in the second hello only. */
static bool
is_retry(const struct writer *w)
{
	return w->bytes[RANDOM_AT] == 0xcf && w->bytes[RANDOM_AT + 1] == 0x21;
}

static void
other_suite_after_retry(struct server *s, struct writer *w)
{
	if (!is_retry(w))
		suite_sha384(s, w);
}

static void
old_after_retry(struct server *s, struct writer *w)
{
	if (is_retry(w))
		return;
	suite_of_1_2(s, w);
	w->size = LIST_AT;
}

static void
other_group_after_retry(struct server *s, struct writer *w)
{
	(void)s;
	if (!is_retry(w))
		memcpy(w->bytes + SHARE_AT + 4, "\0\x1d", 2);
}

static void
retry_for_nothing(struct server *s, struct writer *w)
{
	if (is_retry(w))
		without_share(s, w);
}

static void
retry_in_1_2(struct server *s, struct writer *w)
{
	if (!is_retry(w))
		return;
	(void)s;
	w->size = LIST_AT;
}

static void
empty_cookie_in_retry(struct server *s, struct writer *w)
{
	if (is_retry(w))
		with_empty_cookie(s, w);
}

static void
cookie_in_retry(struct server *s, struct writer *w)
{
	if (is_retry(w))
		with_cookie(s, w);
}

static void
long_cookie_in_retry(struct server *s, struct writer *w)
{
	uint8_t bytes[COOKIE_MOST + 3] = { (COOKIE_MOST + 1) >> 8, 1 };

	(void)s;
	if (is_retry(w))
		add_extension(w, LIST_AT, 44, bytes, sizeof bytes);
}

/* ------------------------------------------------- evil with whole records */

static void
change_first(struct server *s, struct writer *w)
{
	(void)w;
	raw(s, "\x14\3\3\0\1\1", 6);
}

static void
changes_33_times_first(struct server *s, struct writer *w)
{
	for (int i = 0; i < 33; i++)
		change_first(s, w);
}

static void
clear_alert_first(struct server *s, struct writer *w)
{
	(void)w;
	raw(s, "\x15\3\3\0\2\2\x28", 7);
}

static void
warning_first(struct server *s, struct writer *w)
{
	(void)w;
	record_send(&s->m.records, RECORD_ALERT, "\1\x70", 2);
}

static void
cancel_first(struct server *s, struct writer *w)
{
	(void)w;
	record_send(&s->m.records, RECORD_ALERT, "\1\x5a", 2);
}

static void
clear_content_first(struct server *s, struct writer *w)
{
	(void)w;
	raw(s, "\x17\3\3\0\2hi", 7);
}

static void
content_first(struct server *s, struct writer *w)
{
	(void)w;
	record_send(&s->m.records, RECORD_CONTENT, "hi", 2);
}

static void
empty_content_first(struct server *s, struct writer *w)
{
	(void)w;
	for (int i = 0; i < 20; i++)
		record_send(&s->m.records, RECORD_CONTENT, "", 0);
}

static void
much_empty_content_first(struct server *s, struct writer *w)
{
	empty_content_first(s, w);
	empty_content_first(s, w);
}

static void
empty_handshake_first(struct server *s, struct writer *w)
{
	(void)w;
	record_send(&s->m.records, RECORD_HANDSHAKE, "", 0);
}

static void
record_of_type_99_first(struct server *s, struct writer *w)
{
	(void)w;
	record_send(&s->m.records, (enum record_type)99, "x", 1);
}

static void
record_of_zeros_first(struct server *s, struct writer *w)
{
	(void)w;
	record_send(&s->m.records, RECORD_NONE, "\0\0\0", 3);
}

static void
sealed_change_first(struct server *s, struct writer *w)
{
	(void)w;
	record_send(&s->m.records, RECORD_CIPHER, "\1", 1);
}

static void
garbage_first(struct server *s, struct writer *w)
{
	static const uint8_t zeros[100] = { 0x17, 3, 3, 0, 95 };

	(void)w;
	raw(s, zeros, sizeof zeros);
}

static void
long_change(struct server *s, struct writer *w)
{
	(void)w;
	raw(s, "\x14\3\3\0\2\1\1", 7);
}

static void
two_changes(struct server *s, struct writer *w)
{
	change_first(s, w);
	change_first(s, w);
}

static void
clear_finished(struct server *s, struct writer *w)
{
	s->m.records.out.on = false;
	message_close(w, 4, 3);
	record_send(&s->m.records, RECORD_HANDSHAKE, w->bytes, w->size);
	w->size = 0;
}

static void
half_a_ticket(struct server *s, struct writer *w)
{
	(void)w;
	record_send(&s->m.records, RECORD_HANDSHAKE, "\4\0\0\4ab", 6);
}

static void
long_ticket(struct server *s, struct writer *w)
{
	static const uint8_t zeros[1000];

	(void)w;
	record_send(&s->m.records, RECORD_HANDSHAKE, "\4\0\xea\x60", 4);
	for (int i = 0; i < 60; i++)
		record_send(
		    &s->m.records, RECORD_HANDSHAKE, zeros, sizeof zeros);
}

/* Nobody sends so much, and it need not come for the fault to be found. */
static void
endless_ticket(struct server *s, struct writer *w)
{
	(void)w;
	record_send(&s->m.records, RECORD_HANDSHAKE, "\4\4\0\1", 4);
}

static void
endless_certificate(struct server *s, struct writer *w)
{
	record_send(&s->m.records, RECORD_HANDSHAKE, "\xb\4\0\1", 4);
	w->size = 0;
}

static void
forty_tickets(struct server *s, struct writer *w)
{
	for (int i = 0; i < 40; i++)
		ticket_first(s, w);
}

static void
hundreds(struct server *s, int type, const char *bytes, size_t size)
{
	for (int i = 0; i < 200; i++) {
		before(s, type, bytes, size);
		if (type == MESSAGE_KEY_UPDATE)
			record_update(&s->m.records, &s->m.records.out);
	}
}

static void
hundreds_of_tickets(struct server *s, struct writer *w)
{
	(void)w;
	hundreds(s, MESSAGE_TICKET, "\0\0\0\1\0\0\0\1\0\0\1x\0\0", 14);
}

static void
hundreds_of_new_keys(struct server *s, struct writer *w)
{
	(void)w;
	hundreds(s, MESSAGE_KEY_UPDATE, "\1", 1);
}

static void
hundreds_of_hello_requests(struct server *s, struct writer *w)
{
	(void)w;
	hundreds(s, MESSAGE_HELLO_REQUEST, "", 0);
}

static void
new_keys(struct server *s, struct writer *w)
{
	update_first(s, w);
	record_update(&s->m.records, &s->m.records.out);
}

static void
new_keys_and_old_ones_used(struct server *s, struct writer *w)
{
	update_first(s, w);
}

static void
new_keys_for_both(struct server *s, struct writer *w)
{
	struct records *r = &s->m.records;

	(void)w;
	for (int i = 0; i < 3; i++) {
		before(s, MESSAGE_KEY_UPDATE, "\1", 1);
		record_update(r, &r->out);
	}
}

BEFORE(unknown_update_first, MESSAGE_KEY_UPDATE, "\2")
BEFORE(long_update_first, MESSAGE_KEY_UPDATE, "\0\0")
BEFORE(empty_update_first, MESSAGE_KEY_UPDATE, "")

static void
update_and_ticket_in_one(struct server *s, struct writer *w)
{
	(void)w;
	record_send(&s->m.records, RECORD_HANDSHAKE,
	    "\x18\0\0\1\0\4\0\0\0", 9);
}

static const struct evil evils[] = {
#define E(function, type, fault) \
	{ #function " before " #type, TLS_1_3, fault, type, function }
	E(says_1_1, MESSAGE_SERVER_HELLO, FAULT_VERSION),
	E(says_1_3, MESSAGE_SERVER_HELLO, FAULT_VERSION),
	E(chooses_1_2_in_extension, MESSAGE_SERVER_HELLO, FAULT_ANSWER),
	E(chooses_draft, MESSAGE_SERVER_HELLO, FAULT_ANSWER),
	E(other_session, MESSAGE_SERVER_HELLO, FAULT_SESSION),
	E(short_session, MESSAGE_SERVER_HELLO, FAULT_SESSION),
	E(suite_ccm, MESSAGE_SERVER_HELLO, FAULT_SUITE),
	E(suite_of_1_2, MESSAGE_SERVER_HELLO, FAULT_SUITE),
	E(compresses, MESSAGE_SERVER_HELLO, FAULT_ANSWER),
	E(share_of_x448, MESSAGE_SERVER_HELLO, FAULT_GROUP),
	E(share_of_p256, MESSAGE_SERVER_HELLO, FAULT_GROUP),
	E(point_is_zero, MESSAGE_SERVER_HELLO, FAULT_SHARE),
	E(share_is_longer_than_it_is, MESSAGE_SERVER_HELLO, FAULT_FORM),
	E(without_share, MESSAGE_SERVER_HELLO, FAULT_NO_SHARE),
	E(with_heartbeat, MESSAGE_SERVER_HELLO, FAULT_EXTENSION),
	E(with_psk, MESSAGE_SERVER_HELLO, FAULT_EXTENSION),
	E(with_versions_again, MESSAGE_SERVER_HELLO, FAULT_EXTENSION),
	E(with_cookie, MESSAGE_SERVER_HELLO, FAULT_PLACE),
	E(with_master, MESSAGE_SERVER_HELLO, FAULT_PLACE),
	E(with_name, MESSAGE_SERVER_HELLO, FAULT_PLACE),
	E(longer, MESSAGE_SERVER_HELLO, FAULT_FORM),
	E(shorter, MESSAGE_SERVER_HELLO, FAULT_FORM),
	E(twice, MESSAGE_SERVER_HELLO, FAULT_BARE),
	E(drop, MESSAGE_SERVER_HELLO, FAULT_BARE),
	E(cross, MESSAGE_SERVER_HELLO, FAULT_BORDER),
	E(ticket_first, MESSAGE_SERVER_HELLO, FAULT_ORDER),
	E(hello_request_first, MESSAGE_SERVER_HELLO, FAULT_ORDER),
	E(client_hello_first, MESSAGE_SERVER_HELLO, FAULT_ORDER),
	E(clear_content_first, MESSAGE_SERVER_HELLO, FAULT_BARE),
	E(warning_first, MESSAGE_SERVER_HELLO, FAULT_CLOSED),
	E(clear_alert_first, MESSAGE_SERVER_HELLO, FAULT_ALERT),
	E(change_first, MESSAGE_SERVER_HELLO, FAULT_CLOSED),
	E(changes_33_times_first, MESSAGE_SERVER_HELLO, FAULT_EMPTY),

	E(drop, MESSAGE_ENCRYPTED_EXTENSIONS, FAULT_ORDER),
	E(twice, MESSAGE_ENCRYPTED_EXTENSIONS, FAULT_ORDER),
	E(longer, MESSAGE_ENCRYPTED_EXTENSIONS, FAULT_FORM),
	E(shorter, MESSAGE_ENCRYPTED_EXTENSIONS, FAULT_FORM),
	E(finished_first, MESSAGE_ENCRYPTED_EXTENSIONS, FAULT_ORDER),
	E(encrypted_name, MESSAGE_ENCRYPTED_EXTENSIONS, FAULT_CLOSED),
	E(encrypted_groups, MESSAGE_ENCRYPTED_EXTENSIONS, FAULT_CLOSED),
	E(encrypted_early_data, MESSAGE_ENCRYPTED_EXTENSIONS, FAULT_EXTENSION),
	E(encrypted_limit, MESSAGE_ENCRYPTED_EXTENSIONS, FAULT_EXTENSION),
	E(encrypted_share, MESSAGE_ENCRYPTED_EXTENSIONS, FAULT_EXTENSION),
	E(encrypted_formats, MESSAGE_ENCRYPTED_EXTENSIONS, FAULT_PLACE),
	E(encrypted_protocol, MESSAGE_ENCRYPTED_EXTENSIONS, FAULT_ANSWER),
	E(clear_alert_first, MESSAGE_ENCRYPTED_EXTENSIONS, FAULT_BARE),
	E(garbage_first, MESSAGE_ENCRYPTED_EXTENSIONS, FAULT_CHANGED),
	E(content_first, MESSAGE_ENCRYPTED_EXTENSIONS, FAULT_RECORD),
	E(warning_first, MESSAGE_ENCRYPTED_EXTENSIONS, FAULT_ALERT),
	E(cancel_first, MESSAGE_ENCRYPTED_EXTENSIONS, FAULT_CLOSED),

	E(drop, MESSAGE_CERTIFICATE, FAULT_ORDER),
	E(twice, MESSAGE_CERTIFICATE, FAULT_ORDER),
	E(longer, MESSAGE_CERTIFICATE, FAULT_FORM),
	E(shorter, MESSAGE_CERTIFICATE, FAULT_FORM),
	E(has_context, MESSAGE_CERTIFICATE, FAULT_FORM),
	E(entry_with_extension, MESSAGE_CERTIFICATE, FAULT_EXTENSION),
	E(status_first, MESSAGE_CERTIFICATE, FAULT_ORDER),
	E(end_of_early_data_first, MESSAGE_CERTIFICATE, FAULT_ORDER),

	E(drop, MESSAGE_CERTIFICATE_VERIFY, FAULT_ORDER),
	E(twice, MESSAGE_CERTIFICATE_VERIFY, FAULT_ORDER),
	E(longer, MESSAGE_CERTIFICATE_VERIFY, FAULT_FORM),
	E(flip_end, MESSAGE_CERTIFICATE_VERIFY, FAULT_SIGNATURE),
	E(signs_as_client, MESSAGE_CERTIFICATE_VERIFY, FAULT_SIGNATURE),
	E(scheme_pkcs1, MESSAGE_CERTIFICATE_VERIFY, FAULT_SCHEME),
	E(scheme_pss, MESSAGE_CERTIFICATE_VERIFY, FAULT_SCHEME),
	E(scheme_p384, MESSAGE_CERTIFICATE_VERIFY, FAULT_SCHEME),
	E(scheme_sha1, MESSAGE_CERTIFICATE_VERIFY, FAULT_SCHEME),
	E(scheme_ed25519, MESSAGE_CERTIFICATE_VERIFY, FAULT_SCHEME),
	E(request_first, MESSAGE_CERTIFICATE_VERIFY, FAULT_ORDER),
	E(request_first, MESSAGE_CERTIFICATE, FAULT_FORM),
	E(empty_request_first, MESSAGE_CERTIFICATE, FAULT_FORM),
	E(request_without_schemes_first, MESSAGE_CERTIFICATE, FAULT_FORM),
	E(request_cut_first, MESSAGE_CERTIFICATE, FAULT_FORM),
	E(long_request_first, MESSAGE_CERTIFICATE, FAULT_FORM),

	E(drop, MESSAGE_FINISHED, FAULT_IO),
	E(flip_end, MESSAGE_FINISHED, FAULT_FINISHED),
	E(longer, MESSAGE_FINISHED, FAULT_FORM),
	E(shorter, MESSAGE_FINISHED, FAULT_FORM),
	E(twice, MESSAGE_FINISHED, FAULT_CHANGED),
	E(cross, MESSAGE_FINISHED, FAULT_BORDER),
	E(ticket_first, MESSAGE_FINISHED, FAULT_ORDER),
	E(update_first, MESSAGE_FINISHED, FAULT_ORDER),
	E(content_first, MESSAGE_FINISHED, FAULT_RECORD),
	E(sealed_change_first, MESSAGE_FINISHED, FAULT_RECORD),
	E(empty_handshake_first, MESSAGE_FINISHED, FAULT_EMPTY),
	E(change_first, MESSAGE_FINISHED, FAULT_CLOSED),

	E(ticket_first, BEHIND, FAULT_CLOSED),
	E(forty_tickets, BEHIND, FAULT_CLOSED),
	E(hundreds_of_tickets, BEHIND, FAULT_MANY),
	E(hundreds_of_new_keys, BEHIND, FAULT_MANY),
	E(long_ticket, BEHIND, FAULT_CLOSED),
	E(endless_ticket, BEHIND, FAULT_LONG),
	E(half_a_ticket, BEHIND, FAULT_RECORD),
	E(new_keys, BEHIND, FAULT_CLOSED),
	E(new_keys_for_both, BEHIND, FAULT_CLOSED),
	E(new_keys_and_old_ones_used, BEHIND, FAULT_CHANGED),
	E(unknown_update_first, BEHIND, FAULT_ANSWER),
	E(long_update_first, BEHIND, FAULT_FORM),
	E(empty_update_first, BEHIND, FAULT_FORM),
	E(update_and_ticket_in_one, BEHIND, FAULT_BORDER),
	E(request_first, BEHIND, FAULT_ORDER),
	E(hello_request_first, BEHIND, FAULT_ORDER),
	E(server_hello_first, BEHIND, FAULT_ORDER),
	E(finished_first, BEHIND, FAULT_ORDER),
	E(unknown_first, BEHIND, FAULT_ORDER),
	E(change_first, BEHIND, FAULT_RECORD),
	E(clear_alert_first, BEHIND, FAULT_BARE),
	E(clear_content_first, BEHIND, FAULT_BARE),
	E(garbage_first, BEHIND, FAULT_CHANGED),
	E(warning_first, BEHIND, FAULT_ALERT),
	E(empty_content_first, BEHIND, FAULT_CLOSED),
	E(much_empty_content_first, BEHIND, FAULT_EMPTY),
	E(record_of_type_99_first, BEHIND, FAULT_RECORD),
	E(record_of_zeros_first, BEHIND, FAULT_RECORD),
#undef E
#define E(function, type, fault) \
	{ #function " before " #type, TLS_1_2, fault, type, function }
	E(says_1_1, MESSAGE_SERVER_HELLO, FAULT_VERSION),
	E(sentinel_1, MESSAGE_SERVER_HELLO, FAULT_DOWNGRADE),
	E(sentinel_0, MESSAGE_SERVER_HELLO, FAULT_DOWNGRADE),
	E(sentinel_2, MESSAGE_SERVER_HELLO, FAULT_SIGNATURE),
	E(continued_session, MESSAGE_SERVER_HELLO, FAULT_SESSION),
	E(suite_of_1_3_in_1_2, MESSAGE_SERVER_HELLO, FAULT_SUITE),
	E(suite_cbc, MESSAGE_SERVER_HELLO, FAULT_SUITE),
	E(suite_of_rsa, MESSAGE_SERVER_HELLO, FAULT_KEY_TYPE),
	E(compresses_in_1_2, MESSAGE_SERVER_HELLO, FAULT_ANSWER),
	E(renegotiates, MESSAGE_SERVER_HELLO, FAULT_ANSWER),
	E(old_with_ticket, MESSAGE_SERVER_HELLO, FAULT_EXTENSION),
	E(old_with_heartbeat, MESSAGE_SERVER_HELLO, FAULT_EXTENSION),
	E(old_with_master_again, MESSAGE_SERVER_HELLO, FAULT_EXTENSION),
	E(old_with_versions, MESSAGE_SERVER_HELLO, FAULT_ANSWER),
	E(old_with_share, MESSAGE_SERVER_HELLO, FAULT_PLACE),
	E(old_with_protocol, MESSAGE_SERVER_HELLO, FAULT_ANSWER),
	E(old_with_long_name, MESSAGE_SERVER_HELLO, FAULT_FORM),
	E(old_with_name, MESSAGE_SERVER_HELLO, FAULT_CLOSED),
	E(old_with_groups, MESSAGE_SERVER_HELLO, FAULT_CLOSED),
	E(old_with_formats, MESSAGE_SERVER_HELLO, FAULT_CLOSED),
	E(without_extensions, MESSAGE_SERVER_HELLO, FAULT_CLOSED),
	E(longer, MESSAGE_SERVER_HELLO, FAULT_FORM),
	E(twice, MESSAGE_SERVER_HELLO, FAULT_ORDER),
	E(change_first, MESSAGE_SERVER_HELLO, FAULT_RECORD),
	E(warning_first, MESSAGE_SERVER_HELLO, FAULT_CLOSED),

	E(drop, MESSAGE_CERTIFICATE, FAULT_ORDER),
	E(twice, MESSAGE_CERTIFICATE, FAULT_ORDER),
	E(longer, MESSAGE_CERTIFICATE, FAULT_FORM),
	E(endless_certificate, MESSAGE_CERTIFICATE, FAULT_LONG),
	E(status_first, MESSAGE_SERVER_EXCHANGE, FAULT_ORDER),
	E(drop, MESSAGE_SERVER_EXCHANGE, FAULT_ORDER),
	E(twice, MESSAGE_SERVER_EXCHANGE, FAULT_ORDER),
	E(longer, MESSAGE_SERVER_EXCHANGE, FAULT_FORM),
	E(flip_end, MESSAGE_SERVER_EXCHANGE, FAULT_SIGNATURE),
	E(curve_by_hand, MESSAGE_SERVER_EXCHANGE, FAULT_GROUP),
	E(curve_x448, MESSAGE_SERVER_EXCHANGE, FAULT_GROUP),
	E(other_point, MESSAGE_SERVER_EXCHANGE, FAULT_SIGNATURE),
	E(signs_bad_point, MESSAGE_SERVER_EXCHANGE, FAULT_SHARE),
	E(scheme_sha1_in_1_2, MESSAGE_SERVER_EXCHANGE, FAULT_SCHEME),
	E(change_first, MESSAGE_SERVER_EXCHANGE, FAULT_RECORD),
	E(request_first, MESSAGE_SERVER_EXCHANGE, FAULT_ORDER),
	E(ticket_first, MESSAGE_HELLO_DONE, FAULT_ORDER),
	E(longer, MESSAGE_HELLO_DONE, FAULT_FORM),
	E(drop, MESSAGE_HELLO_DONE, FAULT_IO),
	E(cross, MESSAGE_HELLO_DONE, FAULT_BORDER),
	E(content_first, MESSAGE_HELLO_DONE, FAULT_BARE),

	E(nothing, CHANGE, FAULT_RECORD), /* it is missing */
	E(long_change, CHANGE, FAULT_RECORD),
	E(two_changes, CHANGE, FAULT_BARE),
	E(ticket_first, CHANGE, FAULT_RECORD),
	E(clear_finished, MESSAGE_FINISHED, FAULT_BARE),
	E(flip_end, MESSAGE_FINISHED, FAULT_FINISHED),
	E(longer, MESSAGE_FINISHED, FAULT_FORM),
	E(shorter, MESSAGE_FINISHED, FAULT_FORM),
	E(cross, MESSAGE_FINISHED, FAULT_BORDER),
	E(twice, MESSAGE_FINISHED, FAULT_ORDER),
	E(content_first, MESSAGE_FINISHED, FAULT_RECORD),

	E(hello_request_first, BEHIND, FAULT_CLOSED),
	E(hundreds_of_hello_requests, BEHIND, FAULT_MANY),
	E(long_hello_request_first, BEHIND, FAULT_FORM),
	E(server_hello_first, BEHIND, FAULT_ORDER),
	E(ticket_first, BEHIND, FAULT_ORDER),
	E(update_first, BEHIND, FAULT_ORDER),
	E(sealed_change_first, BEHIND, FAULT_RECORD),
	E(change_first, BEHIND, FAULT_BARE),
	E(clear_content_first, BEHIND, FAULT_BARE),
	E(garbage_first, BEHIND, FAULT_CHANGED),
	E(warning_first, BEHIND, FAULT_CLOSED),
	E(much_empty_content_first, BEHIND, FAULT_EMPTY),
#undef E
};

/* With a server that wants P-256. */
static const struct evil retries[] = {
#define E(function, fault) \
	{ #function, TLS_1_3, fault, MESSAGE_SERVER_HELLO, function }
	E(nothing, FAULT_CLOSED),
	E(retry_for_x25519, FAULT_RETRY),
	E(retry_for_x448, FAULT_GROUP),
	E(retry_for_nothing, FAULT_RETRY),
	E(retry_again, FAULT_FORM),
	E(retry_in_1_2, FAULT_SUITE),
	E(other_suite_after_retry, FAULT_SUITE),
	E(old_after_retry, FAULT_SUITE),
	E(other_group_after_retry, FAULT_GROUP),
	E(empty_cookie_in_retry, FAULT_CLOSED),
	E(cookie_in_retry, FAULT_CLOSED),
	E(long_cookie_in_retry, FAULT_FORM),
	E(with_heartbeat, FAULT_EXTENSION),
	E(with_name, FAULT_PLACE),
	E(other_session, FAULT_SESSION),
	E(longer, FAULT_FORM),
	E(cross, FAULT_BORDER),
	E(twice, FAULT_ORDER),
	E(change_first, FAULT_CLOSED),
#undef E
};

/* The server goes wrong, and this must be noticed. */
static void
assert_noticed(const struct evil *e)
{
	enum fault fault;
	size_t size = 0;

	server.evil = e;
	connect_to();
	fault = shake();
	if (fault == FAULT_NONE) {
		(void)shake_send(&client, "HEAD", 4);
		fault = read_all(&size);
	}
	if (fault != e->fault)
		fail_msg("%s: %s", e->name, word_at(fault_words, fault));
	if (fault != FAULT_CLOSED && size != 0)
		fail_msg("%s: content was read", e->name);
}

static void
what_goes_wrong_is_noticed(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(evils); i++) {
		server = (struct server){ .group = GROUP_X25519,
			.suite = evils[i].version == TLS_1_3 ? 0x1301 :
							       0xc02b };
		assert_noticed(&evils[i]);
	}
}

static void
retry_that_goes_wrong_is_noticed(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(retries); i++) {
		server = (struct server){ .group = GROUP_P256,
			.suite = 0x1301 };
		assert_noticed(&retries[i]);
	}
}

/* Our last message must not tell a server that the path is good, if not. */
static void
checker_decides(void **state)
{
	static const uint16_t numbers[] = { 0x1301, 0xc02b };

	(void)state;
	for (size_t i = 0; i < LEN(numbers); i++) {
		server = (struct server){ .suite = numbers[i],
			.group = GROUP_X25519 };
		connect_to();
		verdict = BR_ERR_X509_NOT_TRUSTED;
		assert_int_equal(shake(), FAULT_CERTIFICATE);
		assert_int_equal(client.x509_error, BR_ERR_X509_NOT_TRUSTED);
		connect_to();
		usages = BR_KEYTYPE_KEYX;
		assert_int_equal(shake(), FAULT_KEY_USE);
	}
}

static void
whoever_wants_1_3_gets_nothing_less(void **state)
{
	(void)state;
	server = (struct server){ .suite = 0xc02b, .group = GROUP_X25519,
		.plain_master = true };
	connect_to();
	client.hello.least = TLS_1_3;
	assert_int_equal(shake(), FAULT_OLD);
}

/* The whole flight as it would be without a cut or a flip. */
static size_t
record_flight(uint16_t suite, uint8_t *bytes)
{
	server = (struct server){ .suite = suite, .group = GROUP_X25519 };
	connect_to();
	assert_int_equal(shake(), FAULT_NONE);
	memcpy(bytes, to_client.bytes, to_client.size);
	return to_client.size;
}

static void
cut_anywhere_it_is_no_connection(void **state)
{
	static uint8_t flight[8192];
	static const uint16_t numbers[] = { 0x1303, 0xc02b };

	(void)state;
	for (size_t i = 0; i < LEN(numbers); i++) {
		size_t size = record_flight(numbers[i], flight);

		for (size_t n = 1; n < size; n += n < 200 ? 3 : 29) {
			connect_to();
			cut_at = n;
			assert_int_equal(shake(), FAULT_IO);
		}
	}
}

/* Is this byte the second half of the version of a record that is not
 * protected? It is of no account to us. */
static bool
is_free(const uint8_t *flight, size_t n)
{
	size_t at = 0;

	while (at + 2 < n)
		at += 5 + ((size_t)flight[at + 3] << 8 | flight[at + 4]);
	return at + 2 == n && flight[at] != RECORD_CONTENT;
}

static void
flipped_anywhere_it_is_no_connection(void **state)
{
	static uint8_t flight[8192];
	static const uint16_t numbers[] = { 0x1303, 0xc02b };

	(void)state;
	for (size_t i = 0; i < LEN(numbers); i++) {
		size_t size = record_flight(numbers[i], flight);

		for (size_t n = 0; n < size; n += n < 150 ? 1 : 13) {
			enum fault fault;

			connect_to();
			flip_at = n;
			fault = shake();
			if (fault == FAULT_NONE && !is_free(flight, n))
				fail_msg("byte %zu of %04x", n, numbers[i]);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_suite_and_curve_is_spoken),
		cmocka_unit_test(servers_may_differ),
		cmocka_unit_test(second_hello_differs_by_its_cookie_only),
		cmocka_unit_test(keys_are_exported),
		cmocka_unit_test(no_key_is_kept),
		cmocka_unit_test(good_end_is_told),
		cmocka_unit_test(nothing_is_sent_without_keys),
		cmocka_unit_test(what_goes_wrong_is_noticed),
		cmocka_unit_test(retry_that_goes_wrong_is_noticed),
		cmocka_unit_test(checker_decides),
		cmocka_unit_test(whoever_wants_1_3_gets_nothing_less),
		cmocka_unit_test(cut_anywhere_it_is_no_connection),
		cmocka_unit_test(flipped_anywhere_it_is_no_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
