/*
 * der.h - what one certificate's DER says.
 */
#ifndef DER_H
#define DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is left to read of some bytes. */
struct der {
	const uint8_t *at;
	size_t left;
};

/* Take the next element, whose contents are then in *inner.  False if there is
 * none that has this tag; then nothing is taken.  Only what certificates hold
 * is accepted: tags of one byte, and definite lengths of at most three bytes in
 * their shortest form (X.690 §10.1). */
bool der_take(struct der *from, uint8_t tag, struct der *inner);

/* What is read from a certificate. */
struct der_facts {
	int64_t not_before, not_after; /* s since 1970 */
	struct der issuer, subject;    /* names, as whole elements */
	struct der key; /* contents of the subjectPublicKeyInfo */
	bool ca;	/* it may issue certificates */
	bool no_server; /* its extended key usage does not name servers */
	bool name_constraints;
	bool has_address; /* it names the address asked for */
};

/* Read a whole certificate; false if it is malformed.  ip is the address asked
 * for, and has no bytes if a name was asked for.  The names and the key point
 * into the certificate. */
bool der_walk(
    const uint8_t *der, size_t size, struct der ip, struct der_facts *);

#endif
