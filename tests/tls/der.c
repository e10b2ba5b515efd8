/*
 * der.c - what der_walk promises: it reads of a certificate what the
 * engine does not, and takes nothing that is not exactly a certificate.
 *
 * Certificates are built here, byte by byte; their keys and signatures are
 * empty, since the walk does not look at them.
 */
#include "tests/test.h"
#include "tls/der.h"


struct bytes {
	uint8_t at[70000];
	size_t size;
};

/* Put a tag and a length before what is there. */
static void
wrap(struct bytes *b, int tag)
{
	uint8_t head[5];
	size_t n = b->size, h = 0;

	head[h++] = (uint8_t)tag;
	if (n >= 0x10000)
		head[h++] = 0x83, head[h++] = (uint8_t)(n >> 16);
	else if (n >= 0x100)
		head[h++] = 0x82;
	else if (n >= 0x80)
		head[h++] = 0x81;
	if (n >= 0x100)
		head[h++] = (uint8_t)(n >> 8);
	head[h++] = (uint8_t)n;
	memmove(b->at + h, b->at, n);
	memcpy(b->at, head, h);
	b->size += h;
}

static void
add(struct bytes *b, const void *data, size_t size)
{
	assert_true(b->size + size <= sizeof b->at);
	memcpy(b->at + b->size, data, size);
	b->size += size;
}

static void
add_element(struct bytes *b, int tag, const void *data, size_t size)
{
	struct bytes *e = calloc(1, sizeof *e);

	assert_non_null(e);
	add(e, data, size);
	wrap(e, tag);
	add(b, e->at, e->size);
	free(e);
}

static void
add_time(struct bytes *b, const char *text)
{
	add_element(b, strlen(text) == 15 ? 0x18 : 0x17, text, strlen(text));
}

/* A certificate valid between the two, with extensions (NULL: none). */
static struct bytes *
certificate(const char *from, const char *to, const struct bytes *extensions)
{
	struct bytes *c = calloc(1, sizeof *c), *e = calloc(1, sizeof *e);
	struct bytes *dates = calloc(1, sizeof *dates);

	assert_true(c != NULL && dates != NULL && e != NULL);
	add_element(c, 0xa0, "\2\1\2", 3);
	add_element(c, 0x02, "\1", 1);
	add_element(c, 0x30, "", 0);
	add_element(c, 0x30, "issuer", 6);
	add_time(dates, from);
	add_time(dates, to);
	wrap(dates, 0x30);
	add(c, dates->at, dates->size);
	add_element(c, 0x30, "subject", 7);
	add_element(c, 0x30, "key", 3);
	if (extensions != NULL) {
		add(e, extensions->at, extensions->size);
		wrap(e, 0x30);
		wrap(e, 0xa3);
		add(c, e->at, e->size);
	}
	wrap(c, 0x30);
	add_element(c, 0x30, "", 0);
	add_element(c, 0x03, "", 0);
	wrap(c, 0x30);
	free(dates);
	free(e);
	return c;
}

static const struct der none; /* no address is asked for */

static bool
walk(struct bytes *c, struct der_facts *f)
{
	static const uint8_t ip[4] = { 9, 9, 9, 9 };
	bool good = der_walk(c->at, c->size, (struct der){ ip, sizeof ip }, f);

	free(c);
	return good;
}

#define LATER "301231235959Z"

static void
test_names_key_and_rights_of_a_certificate(void **state)
{
	/* basicConstraints with CA true, false, absent, and cut. */
	static const struct {
		const char *value;
		size_t size;
		bool good, ca;
	} rights[] = { { "\x30\3\1\1\xff", 5, true, true },
		{ "\x30\6\1\1\xff\2\1\3", 8, true, true },
		{ "\x30\3\1\1\0", 5, true, false },
		{ "\x30\0", 2, true, false },
		{ "\x30\3\1\1", 4, false, false } };

	(void)state;
	for (size_t i = 0; i < sizeof rights / sizeof *rights; i++) {
		struct bytes *e = calloc(1, sizeof *e), *c;
		struct der_facts f;

		assert_non_null(e);
		add_element(e, 0x06, "\x55\x1d\x13", 3);
		add_element(e, 0x04, rights[i].value, rights[i].size);
		wrap(e, 0x30);
		c = certificate("260101000000Z", LATER, e);
		assert_true(der_walk(c->at, c->size, none, &f) ==
		    rights[i].good);
		if (rights[i].good) {
			assert_true(f.ca == rights[i].ca);
			assert_int_equal(f.issuer.left, 8);
			assert_memory_equal(f.issuer.at, "\x30\6issuer", 8);
			assert_int_equal(f.subject.left, 9);
			assert_memory_equal(f.subject.at, "\x30\7subject", 9);
			assert_int_equal(f.key.left, 3);
			assert_memory_equal(f.key.at, "key", 3);
		}
		free(c);
		free(e);
	}
}

/* seconds -1: refused */
static const struct {
	const char *text;
	int64_t seconds;
} times[] = {
	{ "260101000000Z", 1767225600 },
	{ "490101000000Z", 2493072000 },
	{ "500101000000Z", -631152000 },	/* 1950, RFC 5280 */
	{ "991231235959Z", 946684799 },
	{ "20500101000000Z", 2524608000 },
	{ "99991231235959Z", 253402300799 },
	{ "19500101000000Z", -631152000 },
	{ "20240229000000Z", 1709164800 },
	{ "19491231235959Z", -1 },
	{ "00000101000000Z", -1 },		/* BearSSL's "now" */
	{ "20230229000000Z", -1 },
	{ "20231301000000Z", -1 },
	{ "20230001000000Z", -1 },
	{ "20230101240000Z", -1 },
	{ "20230101006000Z", -1 },
	{ "20230101000061Z", -1 },
	{ "2601010000Z", -1 },
	{ "260101000000", -1 },
	{ "260101000000+0100", -1 },
	{ "20260101000000.5Z", -1 },
	{ "2601010000/0Z", -1 },
	{ "2601010000:0Z", -1 },
	{ "", -1 },
};

static void
reads_dates(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(times); i++) {
		struct der_facts f;
		bool good = walk(certificate(times[i].text, LATER, NULL), &f);

		if (good != (times[i].seconds != -1))
			fail_msg("%s", times[i].text);
		if (good)
			assert_int_equal(f.not_before, times[i].seconds);
		good = walk(certificate("260101000000Z", times[i].text, NULL),
		    &f);
		assert_int_equal(good, times[i].seconds != -1);
		if (good)
			assert_int_equal(f.not_after, times[i].seconds);
	}
}

#define OID(last) "\x06\x03\x55\x1d" last
#define USAGE OID("\x25")
#define NAMES OID("\x11")
#define CONSTRAINTS OID("\x1e")
#define CRITICAL "\x01\x01\xff"
#define SERVER "\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01"
#define CLIENT "\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02"
#define ANY "\x06\x04\x55\x1d\x25\x00"

/* Contents of the extensions: good, no_server, name_constraints, has_address */
static const struct {
	const char *bytes;
	size_t size;
	bool good, no_server, constraints, address;
} extensions[] = {
#define E(s) s, sizeof(s) - 1
	{ E(""), true, false, false, false },
	{ E("\x30\x13" USAGE "\x04\x0c\x30\x0a" SERVER), true, 0, 0, 0 },
	{ E("\x30\x13" USAGE "\x04\x0c\x30\x0a" CLIENT), true, 1, 0, 0 },
	{ E("\x30\x1d" USAGE "\x04\x16\x30\x14" CLIENT SERVER), true, 0, 0, 0 },
	{ E("\x30\x0f" USAGE "\x04\x08\x30\x06" ANY), true, 0, 0, 0 },
	{ E("\x30\x09" USAGE "\x04\x02\x30\x00"), true, 1, 0, 0 },
	{ E("\x30\x16" USAGE CRITICAL "\x04\x0c\x30\x0a" CLIENT), true, 1, 0,
	    0 },
	/* It stands there twice: which one counts? */
	{ E("\x30\x13" USAGE "\x04\x0c\x30\x0a" CLIENT
	    "\x30\x13" USAGE "\x04\x0c\x30\x0a" SERVER), false, 0, 0, 0 },
	{ E("\x30\x14" USAGE "\x04\x0d\x30\x0a" SERVER "\0"), false, 0, 0, 0 },
	{ E("\x30\x0b" USAGE "\x04\x04\x30\x02\x05\0"), false, 0, 0, 0 },
	{ E("\x30\x09" CONSTRAINTS "\x04\x02\x30\x00"), true, 0, 1, 0 },
	{ E("\x30\x07" CONSTRAINTS "\x04\x00"), true, 0, 1, 0 },
	{ E("\x30\x0f" NAMES "\x04\x08\x30\x06\x87\x04\x09\x09\x09\x09"), true,
	    0, 0, 1 },
	{ E("\x30\x0f" NAMES "\x04\x08\x30\x06\x87\x04\x09\x09\x09\x0a"), true,
	    0, 0, 0 },
	{ E("\x30\x15" NAMES "\x04\x0e\x30\x0c\x87\x04\x09\x09\x09\x0a"
	    "\x87\x04\x09\x09\x09\x09"), true, 0, 0, 1 },
	/* as a DNS name, too short, with a mask */
	{ E("\x30\x0f" NAMES "\x04\x08\x30\x06\x82\x04\x09\x09\x09\x09"), true,
	    0, 0, 0 },
	{ E("\x30\x0e" NAMES "\x04\x07\x30\x05\x87\x03\x09\x09\x09"), true, 0,
	    0, 0 },
	{ E("\x30\x13" NAMES "\x04\x0c\x30\x0a\x87\x08\x09\x09\x09\x09"
	    "\xff\xff\xff\xff"), true, 0, 0, 0 },
	{ E("\x30\x0f" NAMES "\x04\x08\x30\x06\x87\x05\x09\x09\x09\x09"),
	    false, 0, 0, 0 },
	{ E("\x30\x09" NAMES "\x04\x02\x30\x00\x30\x09" NAMES
	    "\x04\x02\x30\x00"), false, 0, 0, 0 },
	/* an unknown one, whatever it holds */
	{ E("\x30\x09" OID("\x63") "\x04\x02\xff\xff"), true, 0, 0, 0 },
	{ E("\x30\x0a" OID("\x63") "\x04\x02\xff\xff\0"), false, 0, 0, 0 },
	{ E("\x30\x05" OID("\x63")), false, 0, 0, 0 },
	{ E("\x30\x00"), false, 0, 0, 0 },
	{ E("\x31\x09" OID("\x63") "\x04\x02\xff\xff"), false, 0, 0, 0 },
#undef E
};

static void
reads_extensions(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(extensions); i++) {
		struct bytes *e = calloc(1, sizeof *e);
		struct der_facts f;
		bool good;

		assert_non_null(e);
		add(e, extensions[i].bytes, extensions[i].size);
		good = walk(certificate("260101000000Z", LATER, e), &f);
		free(e);
		if (good != extensions[i].good)
			fail_msg("%zu", i);
		if (good && (f.no_server != extensions[i].no_server ||
		    f.name_constraints != extensions[i].constraints ||
		    f.has_address != extensions[i].address))
			fail_msg("%zu: %d %d %d", i, f.no_server,
			    f.name_constraints, f.has_address);
	}
}

static void
reads_lengths_of_up_to_three_bytes(void **state)
{
	static const size_t sizes[] = { 0, 100, 127, 128, 200, 255, 256, 5000,
	    65000 };

	(void)state;
	for (size_t i = 0; i < LEN(sizes); i++) {
		struct bytes *e = calloc(1, sizeof *e);
		struct bytes *value = calloc(1, sizeof *value);
		struct der_facts f;

		assert_true(e != NULL && value != NULL);
		value->size = sizes[i];
		wrap(value, 0x04);
		add(e, OID("\x63"), 5);
		add(e, value->at, value->size);
		wrap(e, 0x30);
		assert_true(walk(certificate("260101000000Z", LATER, e), &f));
		free(value);
		free(e);
	}
}

/* Every shortened, lengthened, or otherwise encoded form of a good one. */
static void
takes_only_a_whole_certificate(void **state)
{
	struct bytes *c = certificate("260101000000Z", LATER, NULL);
	struct der_facts f;
	uint8_t *copy;

	(void)state;
	assert_true(der_walk(c->at, c->size, none, &f));
	for (size_t n = 0; n < c->size; n++) {
		copy = malloc(n + 1);
		assert_non_null(copy);
		memcpy(copy, c->at, n);
		copy = realloc(copy, n > 0 ? n : 1);
		assert_false(der_walk(copy, n, none, &f));
		free(copy);
	}
	assert_false(der_walk(c->at, c->size + 1, none, &f));

	/* the outer length in a longer form than it needs, or indefinite */
	assert_int_equal(c->at[0], 0x30);
	assert_true(c->at[1] < 0x80);
	copy = malloc(c->size + 3);
	assert_non_null(copy);
	copy[0] = 0x30;
	copy[1] = 0x81;
	memcpy(copy + 2, c->at + 1, c->size - 1);
	assert_false(der_walk(copy, c->size + 1, none, &f));
	copy[1] = 0x82;
	copy[2] = 0;
	memcpy(copy + 3, c->at + 1, c->size - 1);
	assert_false(der_walk(copy, c->size + 2, none, &f));
	copy[1] = 0x80;
	memcpy(copy + 2, c->at + 2, c->size - 2);
	copy[c->size] = copy[c->size + 1] = 0;
	assert_false(der_walk(copy, c->size + 2, none, &f));
	free(copy);
	free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_key_and_rights_of_a_certificate),
		cmocka_unit_test(reads_dates),
		cmocka_unit_test(reads_extensions),
		cmocka_unit_test(reads_lengths_of_up_to_three_bytes),
		cmocka_unit_test(takes_only_a_whole_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
