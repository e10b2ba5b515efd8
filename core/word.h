/*
 * word.h - words in a row, found by number.
 */
#ifndef WORD_H
#define WORD_H

/* Word i, from 0 on, of a row of words with a NUL behind each.  There must be
 * as many. */
const char *word_at(const char *row, int i);

#endif
