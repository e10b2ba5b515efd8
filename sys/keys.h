/*
 * keys.h - the files of symmetric keys, and which others the configuration
 * needs.
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

/* The i-th of the files that are read together with the configuration: those of
 * keys, and behind these, as number servers + keys, that of CA certificates.
 * NULL: there is none, or it is the one before. */
const char *keys_beside(const struct conf *, int i);

/* A number for the state of all these files, by which a change is noticed.
 * They are not read. */
uint64_t keys_sum(const struct conf *);

#endif
