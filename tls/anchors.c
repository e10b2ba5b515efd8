/*
 * anchors.c - trust anchors: packed, unpacked, and read from PEM files.
 *
 * Anchors are kept in a packed form, both those that are built in (mkroots.c
 * makes them) and those of a cafile.  Numbers have their highest byte first:
 *	2	the number of anchors
 *	3	the size of all names (the DER of the subjects) together
 *	3	the size of the same names as runs, then the runs:
 *		0..127: so many bytes and one more follow
 *		128..255: copy (value - 124) bytes; the next two bytes say from
 *		how far back
 * and then for each anchor:
 *	2	the size of its name, which is the next one of all names
 *	1	ANCHOR_CA | PLAIN_EXPONENT | the curve, which is 0 for RSA
 *	2	the size of the key, then the key: n (RSA) or q (curve)
 *	1	the size of the exponent, then e (RSA without PLAIN_EXPONENT)
 * Anchors are sorted and have no duplicates, so that equal anchors give equal
 * bytes.  Names repeat each other: 14 KB of them become 5 KB of runs.  Only
 * mkroots.c takes the time to find the repetitions; the names of a cafile are
 * stored as they are.
 */
#include "tls/anchors.h"
#include "sys/file.h"
#include "sys/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	CERTIFICATE_MAX = 32768, /* bytes of an anchor's certificate */
	SUBJECT_MAX = 4096,	 /* bytes of an anchor's name */
	FILE_MAX = 4 << 20,	 /* bytes; Debian's bundle has 225 thousand */
	PLAIN_EXPONENT = 0x40	 /* 65537, as nearly all have */
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

size_t
anchors_names(struct der *from, uint8_t *names, size_t room)
{
	size_t size = take_number(from, 3), runs = take_number(from, 3);
	struct der run = { take(from, runs), runs };
	size_t have = 0, n, back;

	if (size > room)
		fatal("anchors: names are too long");
	while (have < size) {
		n = take_number(&run, 1);
		back = 0;
		if (n < 128)
			n++;
		else {
			n -= 124;
			back = take_number(&run, 2);
			if (back == 0 || back > have)
				fatal("anchors: packed names are broken");
		}
		if (n > size - have)
			fatal("anchors: packed names are broken");
		if (back == 0)
			memcpy(names + have, take(&run, n), n);
		for (size_t i = 0; back > 0 && i < n; i++)
			names[have + i] = names[have + i - back];
		have += n;
	}
	return size;
}

size_t
anchors_unpack(const struct trust_roots *roots,
    br_x509_trust_anchor anchor[static ANCHORS_MAX],
    uint8_t names[static ANCHORS_NAMES_MAX])
{
	static unsigned char plain[] = { 1, 0, 1 };
	struct der from = { roots->packed, roots->size }, name;
	size_t count = take_number(&from, 2), kind;

	name.at = names;
	name.left = anchors_names(&from, names, ANCHORS_NAMES_MAX);
	if (count > ANCHORS_MAX)
		fatal("anchors: too many anchors");
	for (size_t i = 0; i < count; i++) {
		br_x509_trust_anchor *a = &anchor[i];

		a->dn.len = take_number(&from, 2);
		a->dn.data = take_bytes(&name, a->dn.len);
		kind = take_number(&from, 1);
		a->flags = kind & ANCHOR_CA ? BR_X509_TA_CA : 0;
		if ((kind & ~(size_t)(ANCHOR_CA | PLAIN_EXPONENT)) == 0) {
			br_rsa_public_key *rsa = &a->pkey.key.rsa;

			a->pkey.key_type = BR_KEYTYPE_RSA;
			rsa->nlen = take_number(&from, 2);
			rsa->n = take_bytes(&from, rsa->nlen);
			rsa->e = plain;
			rsa->elen = sizeof(plain);
			if ((kind & PLAIN_EXPONENT) == 0) {
				rsa->elen = take_number(&from, 1);
				rsa->e = take_bytes(&from, rsa->elen);
			}
		} else {
			br_ec_public_key *ec = &a->pkey.key.ec;

			a->pkey.key_type = BR_KEYTYPE_EC;
			ec->curve = (int)kind & ~ANCHOR_CA;
			ec->qlen = take_number(&from, 2);
			ec->q = take_bytes(&from, ec->qlen);
		}
	}
	return count;
}

/* --------------------------------------------------------------- PEM files */

/* One anchor: its name, and then the rest of its packed form. */
struct root {
	size_t name_size, size; /* of the name; of all */
	uint8_t bytes[];
};

struct loader {
	struct root *root[ANCHORS_MAX];
	int roots, bad; /* bad: certificates that cannot be used */
	size_t names;	/* bytes of all names */
	int64_t newest, expire;
	const char *error;
	uint8_t der[CERTIFICATE_MAX];
	size_t size; /* larger than the buffer: it was too large */
	uint8_t dn[SUBJECT_MAX];
	size_t dn_size; /* likewise */
};

static void
append_der(void *context, const void *bytes, size_t size)
{
	struct loader *l = context;

	if (l->size <= sizeof(l->der) && size <= sizeof(l->der) - l->size)
		memcpy(l->der + l->size, bytes, size);
	l->size += size;
}

static void
append_dn(void *context, const void *bytes, size_t size)
{
	struct loader *l = context;

	if (l->dn_size <= sizeof(l->dn) && size <= sizeof(l->dn) - l->dn_size)
		memcpy(l->dn + l->dn_size, bytes, size);
	l->dn_size += size;
}

static uint8_t *
put(uint8_t *at, size_t value, int bytes)
{
	while (bytes-- > 0)
		*at++ = (uint8_t)(value >> (8 * bytes));
	return at;
}

static uint8_t *
put_bytes(uint8_t *at, const void *bytes, size_t size)
{
	memcpy(at, bytes, size);
	return at + size;
}

static struct root *
pack(const struct loader *l, const br_x509_pkey *key, bool ca)
{
	const br_rsa_public_key *rsa = &key->key.rsa;
	const br_ec_public_key *ec = &key->key.ec;
	bool is_rsa = key->key_type == BR_KEYTYPE_RSA;
	bool plain =
	    is_rsa && rsa->elen == 3 && memcmp(rsa->e, "\1\0\1", 3) == 0;
	size_t size = l->dn_size + 2 + 1 + 2 +
	    (!is_rsa ? ec->qlen : rsa->nlen + (plain ? 0 : 1 + rsa->elen));
	struct root *root;
	uint8_t *at;

	if (is_rsa && rsa->elen > 255)
		return NULL;
	root = malloc(sizeof(*root) + size);
	if (root == NULL)
		return NULL;
	root->name_size = l->dn_size;
	root->size = size;
	at = put_bytes(root->bytes, l->dn, l->dn_size);
	at = put(at, l->dn_size, 2);
	at = put(at,
	    (size_t)((ca ? ANCHOR_CA : 0) | (plain ? PLAIN_EXPONENT : 0) |
		(is_rsa ? 0 : ec->curve)),
	    1);
	if (is_rsa)
		at = put_bytes(put(at, rsa->nlen, 2), rsa->n, rsa->nlen);
	else
		put_bytes(put(at, ec->qlen, 2), ec->q, ec->qlen);
	if (is_rsa && !plain)
		put_bytes(put(at, rsa->elen, 1), rsa->e, rsa->elen);
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
	l->names += root->name_size;
}

/* The certificate in l->der is complete: make an anchor of it. */
static void
add(struct loader *l)
{
	br_x509_decoder_context decoder;
	struct der_facts facts;
	br_x509_pkey *key = NULL;
	struct root *root;

	l->dn_size = 0;
	if (l->size <= sizeof(l->der) &&
	    der_walk(l->der, l->size, (struct der){ 0 }, &facts)) {
		br_x509_decoder_init(&decoder, append_dn, l);
		br_x509_decoder_push(&decoder, l->der, l->size);
		key = br_x509_decoder_get_pkey(&decoder);
	}
	if (key == NULL || l->dn_size > sizeof(l->dn)) {
		l->bad++;
		return;
	}
	if (l->roots == ANCHORS_MAX ||
	    l->names + l->dn_size > ANCHORS_NAMES_MAX) {
		l->error = "too many certificates";
		return;
	}
	root = pack(l, key, br_x509_decoder_isCA(&decoder) != 0);
	if (root == NULL) {
		l->error = "out of memory";
		return;
	}
	insert(l, root);
	if (facts.not_before > l->newest)
		l->newest = facts.not_before;
	if (facts.not_after < l->expire)
		l->expire = facts.not_after;
}

/* BearSSL's decoder finds nothing where lines end in CR LF, or behind a byte
 * order mark.  So CR and the mark are removed, and the last line gets its
 * end. */
static size_t
clean(uint8_t *text, size_t size)
{
	size_t from = 0, to = 0;

	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		from = 3;
	for (; from < size; from++)
		if (text[from] != '\r')
			text[to++] = text[from];
	text[to++] = '\n';
	return to;
}

static void
read_objects(struct loader *l, const uint8_t *text, size_t size)
{
	br_pem_decoder_context pem;
	bool inside = false, wanted = false;
	const char *name;
	size_t n;

	br_pem_decoder_init(&pem);
	while (size > 0 && l->error == NULL) {
		n = br_pem_decoder_push(&pem, text, size);
		text += n;
		size -= n;
		switch (br_pem_decoder_event(&pem)) {
		case BR_PEM_BEGIN_OBJ:
			name = br_pem_decoder_name(&pem);
			inside = true;
			wanted = strcmp(name, "CERTIFICATE") == 0 ||
			    strcmp(name, "X509 CERTIFICATE") == 0;
			br_pem_decoder_setdest(
			    &pem, wanted ? append_der : NULL, l);
			l->size = 0;
			break;
		case BR_PEM_END_OBJ:
			inside = false;
			if (wanted)
				add(l);
			break;
		case BR_PEM_ERROR: l->error = "malformed PEM"; break;
		default:
			if (n == 0)
				l->error = "malformed PEM";
			break;
		}
	}
	if (inside && l->error == NULL)
		l->error = "ends inside a PEM object";
}

/* Pack the row of anchors into one piece of memory. */
static bool
join(const struct loader *l, struct trust_roots *roots)
{
	size_t size = 2 + 3 + 3;
	uint8_t *packed, *at, *runs;

	for (int i = 0; i < l->roots; i++)
		size += l->root[i]->size + l->root[i]->name_size / 128 + 1;
	packed = malloc(size);
	if (packed == NULL)
		return false;
	at = put(put(packed, (size_t)l->roots, 2), l->names, 3);
	runs = at;
	at += 3;
	for (int i = 0; i < l->roots; i++)
		for (size_t n, k = 0; k < l->root[i]->name_size; k += n) {
			n = l->root[i]->name_size - k;
			n = n < 128 ? n : 128;
			at = put_bytes(
			    put(at, n - 1, 1), l->root[i]->bytes + k, n);
		}
	(void)put(runs, (size_t)(at - runs) - 3, 3);
	for (int i = 0; i < l->roots; i++)
		at = put_bytes(at, l->root[i]->bytes + l->root[i]->name_size,
		    l->root[i]->size - l->root[i]->name_size);
	*roots = (struct trust_roots){ .packed = packed,
		.size = (size_t)(at - packed),
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
	read_objects(l, text, clean(text, size));
	if (l->error == NULL && l->roots == 0)
		l->error = l->bad > 0 ? "no usable certificate" :
					"no certificate (PEM is expected)";
	if (l->error == NULL && !join(l, roots))
		l->error = "out of memory";
	for (int i = 0; i < l->roots; i++)
		free(l->root[i]);
	error = l->error;
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
