/*
 * word.c - words in a row, found by number.
 *
 * The words for the values of an enum stand behind each other in one string, in
 * the order of the enum.  In a table of pointers each would cost 32 bytes more,
 * since the program is position-independent: every pointer would be relocated
 * at every start.
 */
#include "core/word.h"

#include <string.h>

const char *
word_at(const char *row, int i)
{
	while (i-- > 0)
		row += strlen(row) + 1;
	return row;
}
