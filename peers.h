/*
 * peers.h - the servers of the configuration.
 */
#ifndef PEERS_H
#define PEERS_H

#include "core/jar.h"
#include "core/line.h"
#include "serve/status.h"
#include "sys/helper.h"
#include "sys/log.h"

/* What the other owners know.  The loop keeps it up to date. */
struct peers_told {
	bool unset;	      /* the clock is still to be set at start */
	bool starting;	      /* that, or nobody has told the time yet */
	bool synced;	      /* the clock is right */
	double freq, freq_sd; /* ratios: what a new filter begins with */
	struct bound bound;   /* what the constraints say */
	const struct trust_roots *roots; /* of certificates */
};

/* What the other owners shall do.  The loop sees to it, and clears it. */
struct peers_wishes {
	bool elect; /* something new is known: hold an election */
	bool hurry; /* the network may be well again: ask the constraints */
	bool names; /* it may be another one: look up the names to listen on */
};

/* The servers of the configuration.  The first group is set before peers_make.
 * Of the rest line, source, jar, fd, first_sent, last_heard and last_named may
 * be read. */
struct peers {
	const struct conf *conf;
	const char *conf_name; /* for messages */
	struct helpers *helpers;
	struct server *server; /* knows our own requests when they come back,
				  and our reference ids */
	double precision;      /* s, of reading the clocks */
	enum log_class start;  /* of lines about the first lookups of names */

	struct peers_told told;
	struct peers_wishes wish;

	struct line *line; /* one for each conf.server */
	int *slice;	   /* its first source; [servers] is the end */
	int turn;	   /* the line whose lookup comes first */
	struct source *source;
	int sources;
	int *fd;	   /* each source's socket of the request that is
			      under way, or -1 */
	struct said *said; /* what is wrong with the source, for the log: an
			      errno, or one of peers.c's own numbers */
	struct jar *jar;   /* each source's keys and cookies, if any line has
			      nts; only those of such lines are used */
	int jars;	   /* how many there are */
	struct said family[2]; /* errno of the sends by IPv4, and by IPv6 */
	double turned; /* in [0, 1): this machine's place in its fleet */

	int64_t first_sent; /* raw: of the first request that was answered;
			       while there is none: of the first request.
			       peers_forget lets it begin anew */
	bool answered;	    /* one was, since the start or peers_forget */
	int64_t last_heard; /* raw: of the last accepted reply; 0: never */
	int64_t last_named; /* raw: a name was last found; 0: never */
	struct pace again;  /* of peers_again */
	int64_t anew_next;  /* raw: before that, a change of the network lets
			       silent servers have no more requests */
	int64_t hurry_next; /* raw: before that, a server that is heard again
			       does not hurry the others */
};

/* Make lines and sources as the configuration says.  False with errno; E2BIG:
 * they are more than SOURCES_MAX. */
bool peers_make(struct peers *, int64_t raw);

/* "next" was made of the configuration that takes the place of the one in force,
 * which still exists.  A server whose name or address stays keeps its samples,
 * its request that is under way and its counters, and gets the options that it
 * has now; lookups of names that stay go on.  to[i] becomes the new number of
 * source i, or -1; it has room for twice as many numbers, which are needed here.
 * Afterwards next has what is to be freed by peers_unmake. */
void peers_reload(
    struct peers *, struct peers *next, int to[], int64_t raw);
void peers_unmake(struct peers *);

/* Look up names and ask servers that are due.  peers_due is the raw time when
 * that is to be done again. */
void peers_turn(struct peers *, const struct instant *);
int64_t peers_due(const struct peers *);

/* peers_reply: a datagram has come to the socket of source i.  peers_named: a
 * child has looked up a name. */
void peers_reply(struct peers *, int i);
void peers_named(struct peers *, const struct helper_result *, int64_t raw);

/* peers_keyed: a child has exchanged keys with a server; its answer is wiped, so
 * that the next child does not have it.  peers_led: one has looked up where that
 * server's NTP is. */
void peers_keyed(struct peers *, struct helper_result *, int64_t raw);
void peers_led(struct peers *, const struct helper_result *, int64_t raw);

/* Does each server answer and each name resolve, and is the time known? */
bool peers_well(const struct peers *);

/* The network may be another one: ask the servers that are silent, and look up
 * the names that have no answer.  Does nothing while peers_well. */
void peers_anew(struct peers *, int64_t raw);

/* Requests of ours came back to our own server: those sources are no sources of
 * time. */
void peers_echoed(struct peers *, int64_t raw);

/* We are awake for another reason: ask the source that is next now, if it is
 * due soon. */
void peers_early(struct peers *, int64_t raw);

/* Ask every source at once.  If that has been done often of late, do
 * nothing. */
void peers_again(struct peers *, int64_t raw);

/* The raw clock had a gap, so what the sources said is void.  They are asked at
 * once, and the wait for a majority begins anew. */
void peers_forget(struct peers *, int64_t raw);

/* A leap second moved the servers' time by so many ns. */
void peers_leapt(struct peers *, int64_t ns);

/* peers_elected: an election said this of the n sources that stood for it.
 * peers_called: the log has called those that lost falsetickers. */
void peers_elected(struct peers *, const struct candidate[], int n);
void peers_called(struct peers *, const struct candidate[], int n);

/* Is there a name that nobody has answered for yet? */
bool peers_names_open(const struct peers *);

/* Has each name an address, and each address replied? */
bool peers_all_heard(const struct peers *);

/* Write why no server proves who it is, although some should: which step of the
 * way to it fails.  "" if one does, or none is to. */
void peers_unauthentic(const struct peers *, char *text, size_t size);

/* Raw time of the next exchange of keys, if all servers that prove who they are
 * wait for one after a failure; 0 if one of them may answer now; NEVER if there
 * is no such server. */
int64_t peers_keys_due(const struct peers *);

/* Fill in the part of the status that is about servers.  source has room for
 * all of them, and is kept by the status. */
void peers_show(const struct peers *, const struct instant *,
    struct status_source source[], struct status *);

#endif
