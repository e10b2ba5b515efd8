/*
 * dates.h - the constraints of the configuration.
 */
#ifndef DATES_H
#define DATES_H

#include "core/instant.h"
#include "daemon.h"
#include "sys/helper.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Constraints as the configuration says; exits without memory. */
void dates_make(struct daemon *, int64_t raw);

/* Look up and ask what is due; raw time when it is to be called again. */
void dates_turn(struct daemon *, const struct instant *);
int64_t dates_due(const struct daemon *);

/* A child has answered: a host's addresses, a server's date. */
void dates_named(struct daemon *, const struct helper_result *, int64_t raw);
void dates_answered(struct daemon *, const struct helper_result *, int64_t raw);

/* Ask all constraints anew, for a reason: false if that was done less than a
 * quarter of an hour ago.  What they said counts until they have answered. */
bool dates_again(struct daemon *, int64_t raw);

/* The network may be well again: ask those that failed. */
void dates_hurry(struct daemon *, int64_t raw);

/* Every source breaks the bound. */
void dates_broken(struct daemon *, int64_t raw);

/* The raw clock had a gap: all answers are void. */
void dates_forget(struct daemon *, int64_t raw);

/* "waiting for constraint: HOST: reason", or "". */
void dates_waiting(const struct daemon *, char *text, size_t size);

#endif
