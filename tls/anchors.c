/*
 * anchors.c - trust anchors: packed, found, and read from PEM files.
 *
 * Anchors are kept in a packed form, both those that are built in (mkroots.c
 * makes them) and those of a cafile.  Numbers have their highest byte first:
 *	2	the number of anchors
 * and then for each anchor:
 *	4	the first bytes of the SHA-256 of its name (the subject's DER)
 *	1	ANCHOR_CA | PLAIN_EXPONENT | the curve, which is 0 for RSA
 *	2	the size of the key, then the key: n (RSA) or q (curve)
 *	1	the size of the exponent, then e (RSA without PLAIN_EXPONENT)
 * Anchors are sorted and have no duplicates, so that equal anchors give equal
 * bytes.
 *
 * A name only tells which keys are worth a try.  It is the key that vouches for
 * a certificate: another name of the same hash does no harm.
 */
#include "tls/anchors.h"
#include "sys/file.h"
#include "sys/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	FILE_MAX = 4 << 20,   /* bytes; Debian's bundle has 225 thousand */
	PLAIN_EXPONENT = 0x40 /* 65537, as nearly all have */
};

/* Read from the packed form.  We have written it ourselves, so it cannot be
 * cut. */
static const uint8_t *
take(struct der *from, size_t size)
{
	const uint8_t *bytes = from->at;

	if (from->left < size)
		fatal("anchors: packed anchors are cut");
	from->at += size;
	from->left -= size;
	return bytes;
}

static size_t
take_number(struct der *from, size_t bytes)
{
	const uint8_t *at = take(from, bytes);
	size_t value = 0;

	while (bytes-- > 0)
		value = value << 8 | *at++;
	return value;
}

/* BearSSL's pointers are not const, although it changes nothing behind them. */
static unsigned char *
take_bytes(struct der *from, size_t size)
{
	return (unsigned char *)(uintptr_t)take(from, size);
}

static void
hash_name(const struct der *name, uint8_t hash[static 32])
{
	br_sha256_context sha;

	br_sha256_init(&sha);
	br_sha256_update(&sha, name->at, name->left);
	br_sha256_out(&sha, hash);
}

/* Take the next anchor's key; returns its flags for BearSSL. */
static unsigned
take_key(struct der *from, br_x509_pkey *key)
{
	static unsigned char plain[] = { 1, 0, 1 };
	size_t kind = take_number(from, 1), size = take_number(from, 2);
	unsigned char *bytes = take_bytes(from, size);

	if ((kind & ~(size_t)(ANCHOR_CA | PLAIN_EXPONENT)) == 0) {
		key->key_type = BR_KEYTYPE_RSA;
		key->key.rsa = (br_rsa_public_key){ bytes, size, plain,
			sizeof(plain) };
		if ((kind & PLAIN_EXPONENT) == 0) {
			key->key.rsa.elen = take_number(from, 1);
			key->key.rsa.e = take_bytes(from, key->key.rsa.elen);
		}
	} else {
		key->key_type = BR_KEYTYPE_EC;
		key->key.ec = (br_ec_public_key){ (int)kind & ~ANCHOR_CA, bytes,
			size };
	}
	return kind & ANCHOR_CA ? BR_X509_TA_CA : 0;
}

size_t
anchors_find(const struct trust_roots *roots, const struct der_facts *facts,
    br_x509_trust_anchor anchor[static ANCHORS_MAX])
{
	struct der from = { roots->packed, roots->size };
	size_t count = take_number(&from, 2);
	size_t found = 0;
	uint8_t issuer[32], subject[32];
	const uint8_t *hash;

	hash_name(&facts->issuer, issuer);
	hash_name(&facts->subject, subject);
	for (; count > 0 && found < ANCHORS_MAX; count--) {
		br_x509_trust_anchor *a = &anchor[found];
		bool ca;

		hash = take(&from, ANCHOR_NAME);
		a->flags = take_key(&from, &a->pkey);
		ca = a->flags != 0;
		if (memcmp(hash, ca ? issuer : subject, ANCHOR_NAME) != 0)
			continue;
		a->dn.data = (unsigned char *)(uintptr_t)(
		    ca ? facts->issuer.at : facts->subject.at);
		a->dn.len = ca ? facts->issuer.left : facts->subject.left;
		found++;
	}
	return found;
}

/* --------------------------------------------------------------- PEM files */

/* One anchor in packed form. */
struct root {
	size_t size;
	uint8_t bytes[];
};

struct loader {
	struct root *root[ANCHORS_MAX];
	int roots, bad; /* bad: certificates that cannot be used */
	int64_t newest, expire;
};

/* Take the first bytes, if they are these. */
#define BEGINS(from, bytes) begins(from, bytes, sizeof(bytes) - 1)
static bool
begins(struct der *from, const char *bytes, size_t size)
{
	if (from->left < size || memcmp(from->at, bytes, size) != 0)
		return false;
	(void)take(from, size);
	return true;
}

/* What has been decoded of a text in base64. */
struct decoder {
	uint8_t *to;
	size_t size;
	unsigned bits, count; /* bits that do not fill a byte yet: "count" */
	bool end;	      /* its padding was seen */
};

static bool
decode(struct decoder *d, struct der line)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *digit;

	for (; line.left > 0; line.at++, line.left--) {
		if (*line.at == '\r' || *line.at == ' ' || *line.at == '\t')
			continue;
		if (*line.at == '=') {
			d->end = true;
			continue;
		}
		digit = memchr(digits, *line.at, 64);
		if (digit == NULL || d->end)
			return false;
		d->bits = d->bits << 6 | (unsigned)(digit - digits);
		d->count += 6;
		if (d->count >= 8) {
			d->count -= 8;
			d->to[d->size++] = (uint8_t)(d->bits >> d->count);
		}
	}
	return true;
}

/* Take the next line, without its end; false if there is none. */
static bool
take_line(struct der *text, struct der *line)
{
	const uint8_t *end = memchr(text->at, '\n', text->left);

	if (text->left == 0)
		return false;
	line->at = text->at;
	line->left = end != NULL ? (size_t)(end - text->at) : text->left;
	(void)take(text, line->left + (end != NULL));
	return true;
}

bool
anchors_next(struct der *text, struct der *certificate, const char **error)
{
	struct decoder d = { .to = NULL };
	struct der line;
	bool inside = false;

	*error = NULL;
	while (take_line(text, &line)) {
		const uint8_t *begin = line.at;

		if (BEGINS(&line, "-----BEGIN ")) {
			if (inside) {
				*error = "malformed PEM";
				return false;
			}
			inside = true;
			(void)BEGINS(&line, "X509 ");
			/* It is decoded in its place, where it is shorter. */
			if (BEGINS(&line, "CERTIFICATE-----"))
				d.to = (uint8_t *)(uintptr_t)begin;
		} else if (BEGINS(&line, "-----END ")) {
			inside = false;
			if (d.to == NULL)
				continue;
			certificate->at = d.to;
			certificate->left = d.size;
			return true;
		} else if (d.to != NULL && !decode(&d, line)) {
			*error = "malformed PEM";
			return false;
		}
	}
	if (inside)
		*error = "ends inside a PEM object";
	return false;
}

static uint8_t *
put(uint8_t *at, size_t value, int bytes)
{
	while (bytes-- > 0)
		*at++ = (uint8_t)(value >> (8 * bytes));
	return at;
}

static uint8_t *
put_bytes(uint8_t *at, const struct der *bytes)
{
	memcpy(at, bytes->at, bytes->left);
	return at + bytes->left;
}

/* Take an INTEGER that is not negative, without its leading zeros. */
static bool
take_integer(struct der *from, struct der *value)
{
	if (!der_take(from, 0x02, value))
		return false;
	while (value->left > 0 && value->at[0] == 0)
		(void)take(value, 1);
	return value->left > 0;
}

/* A key, and which kind of a packed anchor it is. */
struct key {
	unsigned kind;
	struct der bytes, exponent; /* exponent: of RSA, unless it is plain */
};

static bool
read_rsa(struct der bits, struct key *key)
{
	struct der pair;

	key->kind = 0;
	if (!der_take(&bits, 0x30, &pair) ||
	    !take_integer(&pair, &key->bytes) ||
	    !take_integer(&pair, &key->exponent) ||
	    key->exponent.left > UINT8_MAX || pair.left != 0)
		return false;
	if (key->exponent.left == 3 && BEGINS(&key->exponent, "\1\0\1"))
		key->kind = PLAIN_EXPONENT;
	return true;
}

/* Read what a subjectPublicKeyInfo holds (RFC 3279 §2.3, RFC 5480 §2). */
static bool
read_key(struct der info, struct key *key)
{
	struct der algorithm, bits;

	*key = (struct key){ .kind = 0 };
	if (!der_take(&info, 0x30, &algorithm) ||
	    !der_take(&info, 0x03, &bits) || info.left != 0 ||
	    !BEGINS(&bits, "\0") || bits.left > UINT16_MAX)
		return false;
	if (BEGINS(&algorithm, "\6\x09\x2a\x86\x48\x86\xf7\x0d\1\1\1"))
		return read_rsa(bits, key);
	if (!BEGINS(&algorithm, "\6\7\x2a\x86\x48\xce\x3d\2\1"))
		return false;
	key->bytes = bits;
	if (BEGINS(&algorithm, "\6\x08\x2a\x86\x48\xce\x3d\3\1\7"))
		key->kind = BR_EC_secp256r1;
	else if (BEGINS(&algorithm, "\6\5\x2b\x81\4\0\x22"))
		key->kind = BR_EC_secp384r1;
	else if (BEGINS(&algorithm, "\6\5\x2b\x81\4\0\x23"))
		key->kind = BR_EC_secp521r1;
	return key->kind != 0;
}

static struct root *
pack(const struct der_facts *facts, const struct key *key)
{
	struct root *root = malloc(sizeof(*root) + ANCHOR_NAME + 4 +
	    key->bytes.left + key->exponent.left);
	uint8_t hash[32], *at;

	if (root == NULL)
		return NULL;
	hash_name(&facts->subject, hash);
	at = put_bytes(root->bytes, &(struct der){ hash, ANCHOR_NAME });
	at = put(at, key->kind | (facts->ca ? ANCHOR_CA : 0), 1);
	at = put_bytes(put(at, key->bytes.left, 2), &key->bytes);
	if (key->kind == 0)
		at = put_bytes(put(at, key->exponent.left, 1), &key->exponent);
	root->size = (size_t)(at - root->bytes);
	return root;
}

static int
compare(const struct root *a, const struct root *b)
{
	int order =
	    memcmp(a->bytes, b->bytes, a->size < b->size ? a->size : b->size);

	return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

/* Put an anchor into its place in the row, which is sorted.  One that is there
 * already is dropped. */
static void
insert(struct loader *l, struct root *root)
{
	int at = l->roots, order = -1;

	while (at > 0 && (order = compare(root, l->root[at - 1])) < 0)
		at--;
	if (at > 0 && order == 0) {
		free(root);
		return;
	}
	memmove(&l->root[at + 1], &l->root[at],
	    (size_t)(l->roots - at) * sizeof(l->root[0]));
	l->root[at] = root;
	l->roots++;
}

/* Read all certificates of a text; returns what is wrong, or NULL. */
static const char *
read_all(struct loader *l, struct der text)
{
	static const struct der nobody;
	struct der certificate;
	struct der_facts facts;
	struct key key;
	struct root *root;
	const char *error;

	(void)BEGINS(&text, "\xef\xbb\xbf"); /* a byte order mark */
	while (anchors_next(&text, &certificate, &error)) {
		if (!der_walk(certificate.at, certificate.left, nobody,
			&facts) ||
		    !read_key(facts.key, &key)) {
			l->bad++;
			continue;
		}
		if (l->roots == ANCHORS_MAX)
			return "too many certificates";
		root = pack(&facts, &key);
		if (root == NULL)
			return "out of memory";
		insert(l, root);
		if (facts.not_before > l->newest)
			l->newest = facts.not_before;
		if (facts.not_after < l->expire)
			l->expire = facts.not_after;
	}
	if (error == NULL && l->roots == 0)
		return l->bad > 0 ? "no usable certificate" :
				    "no certificate (PEM is expected)";
	return error;
}

/* Pack the row of anchors into one piece of memory. */
static bool
join(const struct loader *l, struct trust_roots *roots)
{
	size_t size = 2;
	uint8_t *packed, *at;

	for (int i = 0; i < l->roots; i++)
		size += l->root[i]->size;
	packed = malloc(size);
	if (packed == NULL)
		return false;
	at = put(packed, (size_t)l->roots, 2);
	for (int i = 0; i < l->roots; i++)
		at = put_bytes(at,
		    &(struct der){ l->root[i]->bytes, l->root[i]->size });
	*roots = (struct trust_roots){ .packed = packed,
		.size = size,
		.count = l->roots,
		.skipped = l->bad,
		.newest = l->newest,
		.expire = l->expire,
		.bundle = "" };
	return true;
}

const char *
anchors_pem(uint8_t *text, size_t size, struct trust_roots *roots)
{
	struct loader *l = calloc(1, sizeof(*l));
	const char *error;

	if (l == NULL)
		return "out of memory";
	l->newest = INT64_MIN;
	l->expire = INT64_MAX;
	error = read_all(l, (struct der){ text, size });
	if (error == NULL && !join(l, roots))
		error = "out of memory";
	for (int i = 0; i < l->roots; i++)
		free(l->root[i]);
	free(l);
	return error;
}

const char *
anchors_file(const char *path, struct trust_roots *roots)
{
	size_t size;
	uint8_t *text = file_read(path, FILE_MAX, NULL, &size);
	const char *error;

	if (text == NULL)
		switch (errno) {
		case EISDIR:
		case EINVAL: return "not a regular file";
		case EFBIG: return "file too large";
		case ENOMEM: return "out of memory";
		default: return strerror(errno);
		}
	error = anchors_pem(text, size, roots);
	free(text);
	return error;
}
