/*
 * word.h - words in a row, found by number.
 */
#ifndef WORD_H
#define WORD_H

/* Word i, from 0 on, of a row of words with a NUL behind each.  The row must
 * have more than i words.  It is static memory, as the row is. */
const char *word_at(const char *row, int i);

#endif
