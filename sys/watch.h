/*
 * watch.h - the configuration's file, which is read again when it, or one that
 * is read together with it, has changed.
 */
#ifndef WATCH_H
#define WATCH_H

#include "core/calm.h"
#include "core/conf.h"
#include "sys/file.h"

enum watch_said {
	WATCH_REST,    /* there is nothing to do */
	WATCH_CHANGED, /* it has changed, and has stayed so for a second */
	WATCH_ASKED    /* watch_ask wants it read in any case */
};

/* Private, but for doubted, which is the caller's; seen, which tells whether
 * there is a file; and fd, which may be polled while watch_listens. */
struct watched {
	const char *path; /* NULL: it cannot be read again */
	const struct conf *conf; /* what it said; keys_beside has the others */
	int fd;		  /* of inotify; -1: there is none */
	bool deaf;	  /* inotify does not tell of every change */
	bool told;	  /* it has told of one since the last look */
	bool asked;
	bool doubted; /* what was read was bad, and may have been half of it */
	struct file_mark read, seen; /* when it was read; when last looked at */
	struct pace vain;	     /* of looks that found nothing */
	int64_t due;		     /* raw: look then; NEVER: when told */
	int64_t looked;		     /* raw: of the last look */
	int64_t rest;		     /* raw: it is not read before that */
};

/* Begin to watch the file that was read lately, and those that conf names.
 * conf is where the configuration in force always is.  Files that it names only
 * later are looked at when the loop wakes up, and every half minute once one has
 * changed.  The path is not copied; NULL: there is none, and only watch_ask has
 * an effect.  To be called before the sandbox is entered. */
void watch_open(struct watched *, const char *path, const struct conf *conf,
    int64_t raw);

/* The file shall be read again, changed or not. */
void watch_ask(struct watched *);

/* May fd be polled now?  When it is ready, call watch_told. */
bool watch_listens(const struct watched *);
void watch_told(struct watched *, int64_t raw);

/* Shall the file be read now?  It may have the same bytes as before.  To be
 * called each turn, since a look costs no wake-up then; watch_due is the raw
 * time when it must be called. */
enum watch_said watch_turn(struct watched *, int64_t raw);
int64_t watch_due(const struct watched *);

/* What was read is bad.  If it was half written, the rest will come: the file
 * is to be read again in some seconds, changed or not, and if it was doubted
 * before, every half minute. */
void watch_doubt(struct watched *, int64_t raw);

/* Reading the file took from begun until raw.  Rest for a multiple of that, so
 * that a storm of signals or changes takes little processor time. */
void watch_rest(struct watched *, int64_t begun, int64_t raw);

#endif
