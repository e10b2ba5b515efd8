/*
 * trust.c - whom to believe: the checks of a certificate path, which do not
 * need to know what time it is.
 *
 * A path is checked by BearSSL's "minimal" engine: signatures, names of issuers
 * and subjects, CA flags, path lengths, key usage, critical extensions, the
 * name of the host.  That engine wants to know the time, but the time is what
 * we are about to ask for.  So this room stands before it.  Each certificate is
 * read once here, and then handed on with the clock set to the certificate's
 * own notBefore.  Then the engine never objects to the dates, and all its other
 * checks remain.  The dates are collected here, as one window in which every
 * certificate of the path holds.  The caller compares it with the Date that the
 * server sends.
 *
 * All certificates are held back until the chain is complete.  Whoever answers
 * could send a chain without end, and each signature costs processor time, so a
 * chain that is too long is refused before its first signature is checked.
 *
 * For each certificate the engine is given those anchors that could vouch for
 * it.  It compares their names once more, and verifies the signature with their
 * keys.
 *
 * The engine does not look at extendedKeyUsage, at name constraints that are
 * not critical, or at IP addresses.  der.c reads these, and this room judges
 * them.
 *
 * This room knows nothing of records and handshakes.  Whoever speaks with the
 * server (tls.c) gives it certificates and gets a key.
 */
#include "tls/trust.h"
#include "core/word.h"
#include "sys/log.h"
#include "tls/anchors.h"

#include <bearssl.h>
#include <string.h>

enum {
	/* For one path.  Servers send 2 to 5 certificates, of 1 to 8 KB. */
	CHAIN_MAX = 10,
	CHAIN_BYTES = 65536,
	RSA_LEAST = 256,  /* bytes: 2048 bits */
	EXPONENT_MOST = 8 /* bytes: 65537 and 3 are usual */
};

/* BearSSL counts days from the year 0; there are so many until 1970. */
#define DAYS_TO_1970 719528

/* Why this room itself refuses a path.  The engine has its own reasons. */
enum own_error { OWN_NONE, OWN_WALK, OWN_LONG, OWN_USAGE, OWN_CONSTRAINTS,
	OWN_ADDRESS, OWN_EXPONENT };

/* In the order of enum own_error. */
static const char own_words[] = "\0"
    "certificate is malformed\0"
    "server sent more than 10 certificates, or 64 KB of them\0"
    "certificate is not for TLS servers (extended key usage)\0"
    "certificate path has name constraints, which are not supported\0"
    "address not present in server certificate\0"
    "certificate path has an RSA exponent of more than 64 bits";

/* What the TLS engine is told.  It matters only that these are errors. */
static const unsigned own_codes[] = {
	[OWN_NONE] = 0,
	[OWN_WALK] = BR_ERR_X509_INVALID_VALUE,
	[OWN_LONG] = BR_ERR_X509_LIMIT_EXCEEDED,
	[OWN_USAGE] = BR_ERR_X509_FORBIDDEN_KEY_USAGE,
	[OWN_CONSTRAINTS] = BR_ERR_X509_CRITICAL_EXTENSION,
	[OWN_ADDRESS] = BR_ERR_X509_BAD_SERVER_NAME,
	[OWN_EXPONENT] = BR_ERR_X509_UNSUPPORTED,
};

struct path {
	const br_x509_class *vtable; /* must be first: BearSSL knows it */
	br_x509_minimal_context inner;
	const struct trust_roots *roots;
	const char *name; /* the DNS name; NULL if an address was asked for */
	uint8_t ip[16];	  /* that address */
	size_t ip_size;	  /* 0 if a name was asked for */

	enum own_error error;
	bool done;		       /* an anchor was reached */
	int64_t not_before, not_after; /* s: window of the path so far */
	bool has_address;
	int certificates;      /* sent so far */
	size_t end[CHAIN_MAX]; /* where each ends in der */
	size_t have;	       /* bytes in der */
	uint8_t der[CHAIN_BYTES];
	/* Those for the certificate that is being checked. */
	br_x509_trust_anchor anchor[ANCHORS_MAX];
};

static struct path *
path_of(const br_x509_class **context)
{
	return (struct path *)(void *)context;
}

static void
path_start_chain(const br_x509_class **context, const char *server_name)
{
	struct path *p = path_of(context);

	(void)server_name; /* ours comes from trust_begin, which checked it */
	p->error = OWN_NONE;
	p->done = p->has_address = false;
	p->certificates = 0;
	p->not_before = INT64_MIN;
	p->not_after = INT64_MAX;
	p->have = 0;
	p->inner.vtable->start_chain(&p->inner.vtable, p->name);
}

static void
path_start_cert(const br_x509_class **context, uint32_t length)
{
	struct path *p = path_of(context);

	if (p->certificates == CHAIN_MAX || length > sizeof(p->der) - p->have)
		p->error = OWN_LONG;
	else
		p->end[p->certificates++] = p->have + length;
}

static void
path_append(
    const br_x509_class **context, const unsigned char *bytes, size_t size)
{
	struct path *p = path_of(context);

	if (p->error != OWN_NONE || p->certificates == 0)
		return;
	if (size > p->end[p->certificates - 1] - p->have)
		size = p->end[p->certificates - 1] - p->have;
	memcpy(p->der + p->have, bytes, size);
	p->have += size;
}

static void
path_end_cert(const br_x509_class **context)
{
	struct path *p = path_of(context);

	if (p->error == OWN_NONE &&
	    (p->certificates == 0 || p->have != p->end[p->certificates - 1]))
		p->error = OWN_WALK;
}

/* Check the next certificate of the path.  The first is the server's own. */
static void
check(struct path *p, bool first, const uint8_t *der, size_t size)
{
	const br_x509_class **inner = &p->inner.vtable;
	struct der ip = { p->ip, p->ip_size };
	struct der_facts facts;
	int64_t day;

	p->error = !der_walk(der, size, ip, &facts) ? OWN_WALK :
	    facts.no_server			    ? OWN_USAGE :
	    facts.name_constraints		    ? OWN_CONSTRAINTS :
						      OWN_NONE;
	if (p->error != OWN_NONE)
		return;
	if (first)
		p->has_address = facts.has_address;

	p->inner.trust_anchors_num =
	    anchors_find(p->roots, &facts, p->anchor);
	day = facts.not_before / 86400 - (facts.not_before % 86400 < 0);
	br_x509_minimal_set_time(&p->inner, (uint32_t)(day + DAYS_TO_1970),
	    (uint32_t)(facts.not_before - day * 86400));
	(*inner)->start_cert(inner, (uint32_t)size);
	(*inner)->append(inner, der, size);
	(*inner)->end_cert(inner);

	if (facts.not_before > p->not_before)
		p->not_before = facts.not_before;
	if (facts.not_after < p->not_after)
		p->not_after = facts.not_after;
	/* The engine has a key as soon as an anchor vouches for the path.  What
	 * the server sends after that is no part of it. */
	p->done = (*inner)->get_pkey(inner, NULL) != NULL;
}

/* The longer the exponent, the longer verification takes, and the server
 * chooses it: one of 4096 bits costs 0.2 s instead of 1 ms. */
static void
check_exponent(struct path *p, const br_rsa_public_key *key)
{
	if (key->elen > EXPONENT_MOST)
		p->error = OWN_EXPONENT;
}

static unsigned
path_end_chain(const br_x509_class **context)
{
	struct path *p = path_of(context);
	const br_x509_pkey *key;
	unsigned code;
	size_t from = 0;

	for (int i = 0; i < p->certificates && !p->done && p->error == OWN_NONE;
	     i++) {
		check(p, i == 0, p->der + from, p->end[i] - from);
		from = p->end[i];
	}
	if (p->error != OWN_NONE)
		return own_codes[p->error];
	code = p->inner.vtable->end_chain(&p->inner.vtable);
	if (code != 0)
		return code;
	if (!p->done)
		return BR_ERR_X509_NOT_TRUSTED;
	/* The server's own key is used next, by whoever speaks with it. */
	key = p->inner.vtable->get_pkey(&p->inner.vtable, NULL);
	if (key->key_type == BR_KEYTYPE_RSA)
		check_exponent(p, &key->key.rsa);
	if (p->ip_size > 0 && !p->has_address)
		p->error = OWN_ADDRESS;
	return own_codes[p->error];
}

static const br_x509_pkey *
path_get_pkey(const br_x509_class *const *context, unsigned *usages)
{
	const struct path *p = (const struct path *)(const void *)context;

	if (p->error != OWN_NONE || !p->done)
		return NULL;
	return p->inner.vtable->get_pkey(&p->inner.vtable, usages);
}

static const br_x509_class path_class = { sizeof(struct path),
	path_start_chain, path_start_cert, path_append, path_end_cert,
	path_end_chain, path_get_pkey };

/* One process asks one question, so one path is enough. */
static struct path path;

static uint32_t
verify_rsa(const unsigned char *signature, size_t size,
    const unsigned char *hash_oid, size_t hash_size,
    const br_rsa_public_key *key, unsigned char *hash)
{
	check_exponent(&path, key);
	return path.error == OWN_NONE ?
	    br_rsa_i31_pkcs1_vrfy(
		signature, size, hash_oid, hash_size, key, hash) :
	    0;
}

const struct br_x509_class_ **
trust_begin(const struct trust_roots *roots, const char *name,
    const struct address *numeric)
{
	br_x509_minimal_context *x = &path.inner;

	/* Without a name BearSSL would check none, and accept every server. */
	if ((name == NULL || *name == '\0') == (numeric->family == 0))
		fatal("trust: neither name nor address, or both");
	memset(&path, 0, offsetof(struct path, der));
	path.vtable = &path_class;
	path.roots = roots;
	path.name = numeric->family == 0 ? name : NULL;
	path.ip_size = numeric->family == 0 ? 0 : numeric->family == 4 ? 4 : 16;
	memcpy(path.ip, numeric->bytes, path.ip_size);

	br_x509_minimal_init(x, &br_sha256_vtable, path.anchor, 0);
	br_x509_minimal_set_rsa(x, &verify_rsa);
	br_x509_minimal_set_ecdsa(x, &br_ec_prime_i31, &br_ecdsa_i31_vrfy_asn1);
	br_x509_minimal_set_hash(x, br_sha256_ID, &br_sha256_vtable);
	br_x509_minimal_set_hash(x, br_sha384_ID, &br_sha384_vtable);
	br_x509_minimal_set_hash(x, br_sha512_ID, &br_sha512_vtable);
	br_x509_minimal_set_minrsa(x, RSA_LEAST);
	return &path.vtable;
}

void
trust_window(int64_t *not_before, int64_t *not_after)
{
	*not_before = path.not_before;
	*not_after = path.not_after;
}

const char *
trust_words(int code)
{
	if (path.error != OWN_NONE)
		return word_at(own_words, (int)path.error);
	switch (code) {
	case BR_ERR_X509_EMPTY_CHAIN: return "server sent no certificate";
	case BR_ERR_X509_NOT_TRUSTED:
		return "certificate verification failed: unknown CA (name a private one with cafile), or the server does not send its intermediate";
	case BR_ERR_X509_DN_MISMATCH:
		return "certificate verification failed: issuer of one certificate is not the next one";
	case BR_ERR_X509_BAD_SERVER_NAME:
		return "name not present in server certificate";
	case BR_ERR_X509_EXPIRED: return "certificate ends before it begins";
	case BR_ERR_X509_CRITICAL_EXTENSION:
		return "certificate has an unknown critical extension";
	case BR_ERR_X509_NOT_CA:
		return "certificate of the path is not a CA's, or its path length is exceeded";
	case BR_ERR_X509_FORBIDDEN_KEY_USAGE:
		return "certificate's key usage forbids this use";
	case BR_ERR_X509_WEAK_PUBLIC_KEY:
		return "RSA key of less than 2048 bits";
	case BR_ERR_X509_BAD_SIGNATURE:
		return "certificate verification failed: wrong signature";
	case BR_ERR_X509_UNSUPPORTED:
	case BR_ERR_X509_WRONG_KEY_TYPE:
		return "certificate has an unsupported algorithm (supported: RSA PKCS#1 and ECDSA with SHA-2)";
	}
	return code >= BR_ERR_X509_OK && code <= BR_ERR_X509_NOT_TRUSTED ?
	    "certificate is malformed" :
	    NULL;
}
