/*
 * shake.c - whatever a server sends instead of TLS: the client stays inside its
 * buffers, comes to an end, and gives no content without a handshake.
 *
 * Cryptography is taken out: nothing is encrypted, tags are zeros that nobody
 * looks at, and whatever is compared is equal.  So changed bytes reach all of
 * the parsers.  The first byte of the input chooses what the client wants; the
 * others come from the server.
 */
#include "tests/fuzz/fuzz.h"
#include "tls/shake.h"
#include "tls/signature.h"

void __wrap_suite_seal(
    const struct suite_seal *, uint8_t *, size_t, uint8_t *);
bool __wrap_suite_open(
    const struct suite_seal *, uint8_t *, size_t, const uint8_t *);
void __wrap_exchange_begin(struct exchange *, uint16_t, struct records *);
size_t __wrap_exchange_end(
    struct exchange *, uint8_t *, size_t, struct records *);
enum fault __wrap_signature_check(const struct signature *, uint16_t,
    const br_x509_pkey *, const uint8_t *, size_t);
bool __wrap_secret_same(const uint8_t *, const uint8_t *, size_t);

static struct shake t;
static size_t segment; /* bytes that come at once; 0: all */
static size_t sent, certified;

void
__wrap_suite_seal(
    const struct suite_seal *s, uint8_t *bytes, size_t size, uint8_t *tag)
{
	CHECK(s->suite != NULL && bytes + size == tag);
	memset(tag, 0, SUITE_TAG);
}

bool
__wrap_suite_open(const struct suite_seal *s, uint8_t *bytes, size_t size,
    const uint8_t *tag)
{
	CHECK(s->suite != NULL && bytes + size == tag);
	CHECK(bytes >= t.messages.records.bytes + 5 &&
	    tag + SUITE_TAG <= t.messages.records.bytes +
		    sizeof t.messages.records.bytes);
	return true;
}

void
__wrap_exchange_begin(struct exchange *e, uint16_t group, struct records *r)
{
	(void)r;
	CHECK(exchange_knows(group));
	e->group = group;
	e->size = group == GROUP_X25519 ? 32 : 65;
	memset(e->point, 4, e->size);
}

size_t
__wrap_exchange_end(
    struct exchange *e, uint8_t *point, size_t size, struct records *r)
{
	(void)point;
	CHECK(size <= POINT_MOST);
	if (size == e->size)
		return 32;
	record_fail(r, FAULT_SHARE);
	return 0;
}

enum fault
__wrap_signature_check(const struct signature *s, uint16_t version,
    const br_x509_pkey *key, const uint8_t *bytes, size_t size)
{
	CHECK(version == TLS_1_2 || version == TLS_1_3);
	CHECK(key != NULL && s->size <= SIGNATURE_MOST && size > 64);
	CHECK(certified > 0 && bytes != NULL);
	return s->scheme == 0 ? FAULT_SCHEME : FAULT_NONE;
}

bool
__wrap_secret_same(const uint8_t *a, const uint8_t *b, size_t size)
{
	(void)a;
	(void)b;
	CHECK(size <= DIGEST_MOST);
	return true;
}

/* ------------------------------------------------------ the certificate */

static size_t announced;
static br_x509_pkey key;

static void
start_chain(const br_x509_class **x, const char *name)
{
	(void)x;
	(void)name;
	certified = 0;
}

static void
start_cert(const br_x509_class **x, uint32_t size)
{
	(void)x;
	announced = size;
}

static void
append(const br_x509_class **x, const unsigned char *bytes, size_t size)
{
	(void)x;
	(void)bytes;
	CHECK(size > 0 && size <= announced);
	announced -= size;
}

static void
end_cert(const br_x509_class **x)
{
	(void)x;
	CHECK(announced == 0);
	certified++;
}

static unsigned
end_chain(const br_x509_class **x)
{
	(void)x;
	return certified == 0 ? BR_ERR_X509_EMPTY_CHAIN : 0;
}

static const br_x509_pkey *
get_pkey(const br_x509_class *const *x, unsigned *usages)
{
	(void)x;
	*usages = BR_KEYTYPE_SIGN;
	return &key;
}

static const br_x509_class checker = { 0, start_chain, start_cert, append,
	end_cert, end_chain, get_pkey };

/* ------------------------------------------------------ the network */

static size_t
receive(void *of, uint8_t *bytes, size_t size)
{
	(void)of;
	CHECK(t.messages.records.fault == FAULT_NONE && size > 0);
	if (size > left)
		size = left;
	if (segment > 0 && size > segment)
		size = segment;
	memcpy(bytes, in, size);
	in += size;
	left -= size;
	return size;
}

static bool
give(void *of, const uint8_t *bytes, size_t size)
{
	(void)of;
	(void)bytes;
	CHECK(size >= 6 && size <= sizeof t.messages.records.sending);
	sent += size;
	return true;
}

static bool
dice(void *of, uint8_t *bytes, size_t size)
{
	(void)of;
	memset(bytes, 0, size);
	return true;
}

static const struct record_io io = { NULL, receive, give, dice };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const br_x509_class *x = &checker;
	const uint8_t *bytes;
	size_t total = size, content = 0, n;
	uint8_t options;
	bool good;

	in = data;
	left = size;
	options = byte();
	memset(&t, 0, sizeof t);
	sent = certified = 0;
	segment = options >> 6;
	key.key_type = options & 1 ? BR_KEYTYPE_RSA : BR_KEYTYPE_EC;
	t.hello.name = options & 2 ? NULL : "a.example";
	t.hello.alpn = options & 4 ? "ntske/1" : NULL;
	t.hello.least = options & 8 ? TLS_1_3 : TLS_1_2;
	t.x509 = &x;
	good = shake_hands(&t, &io);
	CHECK(good == (t.messages.records.fault == FAULT_NONE));
	CHECK(!good || certified > 0);
	CHECK(sent > 100); /* at least the hello */
	if (good)
		(void)shake_send(&t, data, size);
	while ((n = shake_receive(&t, &bytes)) > 0) {
		CHECK(good);
		CHECK(bytes >= t.messages.records.bytes &&
		    bytes + n <= t.messages.records.bytes +
			    sizeof t.messages.records.bytes);
		CHECK(n <= RECORD_MOST);
		content += n;
	}
	CHECK(content <= total);
	CHECK(t.messages.records.fault != FAULT_NONE);
	CHECK(t.messages.records.fault < FAULTS);
	n = sent;
	CHECK(!shake_send(&t, "x", 1) && sent == n);
	shake_end(&t);
	return 0;
}
