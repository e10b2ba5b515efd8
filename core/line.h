/*
 * line.h - one name of the configuration, and the addresses that it has.
 */
#ifndef LINE_H
#define LINE_H

#include "core/source.h"

/* One "server" or "servers" line: which addresses its name has, and when to
 * look it up again.  The sources that belong to it are a slice of the caller's
 * array: one for server, POOL_MAX for servers.  The fields are line.c's; the
 * caller sets pool, numeric, looking, asked, questions and crowd. */
struct line {
	bool pool, numeric;
	bool looking;	    /* a lookup is under way */
	int64_t lookup_due; /* raw */
	int64_t asked;	    /* raw: when the last lookup began */
	int failures;	    /* lookups in a row that failed */
	int questions;	    /* queries that the last lookup cost */
	int looks;	    /* lookups that succeeded, though its sources stayed
			       dead */
	int tries;	    /* moves since the last lookup */
	bool hurried;	    /* the network changed during a lookup */
	int used, room;	    /* its sources that have an address after the last
			       lookup, and those that have none */
	int lean;	    /* lookups in a row that filled no place, */
	int64_t room_due;   /* raw: and when the next one shall do so */
	int crowd;	    /* names that are looked up; 0: one */
	struct pace pace;   /* of lookups */
	struct address found[POOL_MAX];
	int founds, next; /* next: of those in found, to be tried */
};

/* Is a lookup due?  It may be because the line's sources are silent or
 * stopped. */
bool line_turn(struct line *, const struct source *slice, int n, int64_t raw,
    bool starting);

/* The answer of the lookup: n addresses, 0 if it failed. */
void line_found(
    struct line *, const struct address *, int n, int64_t raw, bool starting);

/* The addresses have been given to the line's sources.  While places are free,
 * the next lookup is due after 1, 2, 4 ... minutes, and at least daily. */
void
line_settled(struct line *, const struct source *slice, int n, int64_t raw);

/* The network changed: look the name up now, or in a second if that has just
 * been done.  A lookup that is under way is repeated if it fails. */
void line_hurry(struct line *, int64_t raw);

/* The network is another one: let the name be looked up as often as at
 * first. */
void line_renew(struct line *);

/* No child is free to look the name up: try again in half a second. */
void line_busy(struct line *, int64_t raw);

/* Did the last lookup find this address? */
bool line_offers(const struct line *, const struct address *);

/* For a line without any source of its own: the source of another line (one of
 * "all") that has the first address which the lookup found, or NULL. */
const struct source *
line_shares(const struct line *, const struct source *all, int count);

/* The address to which a source of this line should go now, or NULL: it keeps
 * the one that it has.  all is the whole array of sources, since no address is
 * used twice. */
const struct address *line_replace(
    struct line *, const struct source *, const struct source *all, int count);

/* Seconds until a source that moves so may ask its new address: none until all
 * addresses of the line have been tried once since the last lookup. */
double line_wait(struct line *, const struct source *, bool starting);

#endif
