/*
 * keys.h - the files of symmetric keys.
 */
#ifndef KEYS_H
#define KEYS_H

#include "core/conf.h"

/* The file of the i-th key of the configuration, or NULL: its digits stand in
 * the configuration.  There are as many as servers and keys. */
const char *keys_file(const struct conf *, int i);

/* Read the files of all keys into the configuration.  False: why, of size
 * bytes, says what is wrong with one, and the remedy.  The log warns of a file
 * that everybody may read. */
bool keys_load(
    struct conf *, const char *conf_name, char *why, size_t size);

/* A number for what the files hold now, by which a change is noticed. */
uint64_t keys_sum(const struct conf *);

#endif
