/*
 * trust.h - whom to believe: the checks of a certificate path.
 */
#ifndef TRUST_H
#define TRUST_H

#include "core/address.h"

struct trust_roots;

/* Begin to check a certificate path.  Returns the checker for a TLS engine,
 * which is a pointer to BearSSL's br_x509_class *.  Either name is a DNS name,
 * or numeric is an address (whose family is not 0).  There is one checker in a
 * process, since it runs in a child. */
const struct br_x509_class_ **trust_begin(const struct trust_roots *,
    const char *name, const struct address *numeric);

/* After a good path: the window in which all of it holds, in s since 1970. */
void trust_window(int64_t *not_before, int64_t *not_after);

/* Why the path was refused, here or by the engine with this error code.  NULL
 * if the code has nothing to do with certificates. */
const char *trust_words(int code);

#endif
