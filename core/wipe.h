/*
 * wipe.h - secrets are compared without a trace, and wiped.
 */
#ifndef WIPE_H
#define WIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Are both equal? The answer always takes the same time, because an attacker
 * who measures it could guess the right bytes one after the other. */
bool secret_same(const uint8_t *, const uint8_t *, size_t size);

/* Overwrite what is no longer needed, so that no later fault can tell it. */
void secret_wipe(void *, size_t size);

#endif
