/*
 * lex.h - the words of ntpd.conf(5), and messages about them.
 *
 * The reader looks at one token.  After an error that token is LEX_BAD, and
 * whatever looks at it then does nothing and says nothing, until lex_skip goes
 * on behind the line.  So statements need not ask after each of their parts.
 */
#ifndef LEX_H
#define LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One message about the text: an error or a warning. */
struct conf_message {
	int line, column; /* from 1 */
	bool warning;
	char *text;
};

struct conf_messages {
	struct conf_message *message;
	int count, errors;
};

enum {
	LEX_WORD_SIZE = 8096, /* bytes of a word with its NUL, as OpenNTPD's */
	LEX_FOUND = 60	      /* of a word, as far as a message repeats it */
};

enum lex_kind {
	LEX_END,    /* of the line; not read over */
	LEX_WORD,   /* bare; may be a keyword */
	LEX_STRING, /* in quotes; never a keyword */
	LEX_NUMBER,
	LEX_OTHER, /* a byte that begins no word */
	LEX_BAD	   /* reported */
};

struct lex_place {
	const char *at;
	int line, column; /* from 1; a column is a byte */
};

/* All fields are lex.c's.  Others may read the token, and set "slashes" and
 * "secret". */
struct lex {
	/* the token that is looked at */
	enum lex_kind kind;
	struct lex_place token;
	int64_t number;
	char word[LEX_WORD_SIZE]; /* the byte, if kind is LEX_OTHER */

	bool slashes; /* words may hold "/" */
	bool secret;  /* no message repeats a word */
	bool stop;    /* no memory, or too many messages */
	int rewinds;
	const char *end;
	struct lex_place here;
	struct lex_place before; /* the byte that was read last */
	struct lex_place quote;	 /* where the line's last string began */
	struct conf_messages *messages;
};

/* Begin to read size bytes of text.  Messages go to *messages.  Its memory is
 * the caller's, as is that of lex_append and lex_copy. */
void lex_begin(
    struct lex *, const char *text, size_t size, struct conf_messages *);

/* Look at the first token of the next statement.  False: there is none. */
bool lex_statement(struct lex *);

/* Look at the next token of the statement. */
void lex_advance(struct lex *);

/* Go on behind the statement, whatever is left of it. */
void lex_skip(struct lex *);

/* Say something about the token; an error makes it LEX_BAD.  lex_wrong adds
 * what was found and what was expected, unless that is NULL; if the token is
 * LEX_BAD already, it says nothing.  lex_expected says the usual "syntax
 * error". */
void lex_say(struct lex *, bool warning, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void lex_wrong(struct lex *, const char *words, const char *expected);
void lex_expected(struct lex *, const char *what);

/* A warning about the text as a whole. */
void lex_warn(struct lex *, const char *words);

/* Add a zeroed element of that size at the end of an array, to whose pointer
 * "array" points.  NULL without memory: then reading stops. */
void *lex_append(struct lex *, void *array, int *count, size_t size);

/* A copy of a string, or NULL without memory. */
char *lex_copy(struct lex *, const char *);

/* Read the number at *s, which moves behind its digits.  -1: there are none, or
 * it exceeds most. */
int64_t lex_digits(const char **s, int64_t most);
bool lex_is_digit(int c);

#endif
