/*
 * trust.h - whom to believe: the checks of a certificate path.
 */
#ifndef TRUST_H
#define TRUST_H

#include "core/address.h"

#include <stdint.h>

struct trust_roots;

/* The checker of one certificate path, for a TLS engine (a pointer to BearSSL's
 * br_x509_class *).  Either name is a DNS name or numeric an address (family
 * not 0).  There is one such checker, used in a child. */
const struct br_x509_class_ **trust_begin(const struct trust_roots *,
    const char *name, const struct address *numeric);

/* After a good path: seconds since 1970 within which all of it holds. */
void trust_window(int64_t *not_before, int64_t *not_after);

/* What the engine's error code, or what the path was refused for, means; NULL
 * if it has nothing to do with certificates. */
const char *trust_words(int code);

#endif
