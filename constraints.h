/*
 * constraints.h - the HTTPS servers of the configuration.
 */
#ifndef CONSTRAINTS_H
#define CONSTRAINTS_H

#include "core/edge.h"
#include "serve/status.h"
#include "sys/file.h"
#include "sys/helper.h"
#include "tls/anchors.h"

/* What the other owners know.  The loop keeps it up to date. */
struct constraints_told {
	bool starting; /* the time is not known yet */
	bool synced;   /* the clock is right */
	bool keep;     /* no server answers: "timekeeping" ones keep the time */
	double freq, growth; /* ratios: the clock's frequency, its error */
};

/* What the other owners shall do.  The loop sees to it, and clears it. */
struct constraints_wishes {
	bool elect; /* the bound is another one: hold an election */
	bool again; /* ask the servers that broke the old bound again */
	bool sensed; /* constraints_sensed, for each sensor that was asked */
};

/* Those of them that keep the time while no server answers. */
struct keeper {
	struct edges edges;
	struct constraint_place {
		int line;		/* in conf.constraint */
		struct address address; /* that is asked */
		int moves;		/* from one address to the next */
		int64_t asked;		/* raw; 0: no question is under way */
	} place[EDGES];
	bool kept;	/* told.keep of the last turn */
	bool have;	/* they have a majority: */
	struct verdict verdict;
};

/* The HTTPS servers of the configuration.  The first group is set before
 * constraints_load_roots.  Of the rest bound, anew_at, heard and keeper's
 * verdict may be read. */
struct constraints {
	const struct conf *conf;
	const char *conf_name; /* for messages */
	struct helpers *helpers;

	struct constraints_told told;
	struct constraints_wishes wish;

	const struct trust_roots *roots; /* that certificates must lead to */
	struct trust_roots own_roots;	 /* those of a file */
	struct file_mark roots_mark;	 /* that file, when it was read */
	struct constraint *constraint; /* one for each conf.constraint */
	int64_t *asked;	   /* raw: when each address was asked */
	struct said *said; /* what is wrong with each constraint */
	struct keeper *keeper; /* NULL: none is to keep the time */
	struct bound bound;
	int64_t bound_due; /* raw: it is to be computed anew */
	int64_t anew_at;   /* raw: all were last asked anew, with a reason; 0:
			      never */
	int64_t heard;	   /* raw: an HTTPS server last answered; 0: never */
	bool broken;	   /* by all servers: then all were asked anew */
	bool waiting_said; /* the log has told what is waited for */
};

enum { CONSTRAINTS_WHY = 400 }; /* bytes of a reason */

/* Take the roots by which HTTPS servers are judged: those of cafile, else those
 * of SSL_CERT_FILE, else those that are built in.  If those in force before
 * (NULL: none) came from the same file, and it has not changed, they are shared.
 * False if they cannot be read; why says so for the log. */
bool constraints_load_roots(struct constraints *,
    const struct constraints *before, char why[static CONSTRAINTS_WHY]);

/* Make constraints as the configuration says.  False without memory. */
bool constraints_make(struct constraints *, int64_t raw);

/* "next" was made of the configuration that takes the place of the one in force.
 * Lines that stay keep their answers, and children that ask for them go on.  All
 * others are forgotten.  Afterwards next has what is to be freed. */
void constraints_reload(
    struct constraints *, struct constraints *next, int64_t raw);

/* Free what constraints_make and constraints_load_roots have made, but not the
 * roots that the other one has too. */
void constraints_unmake(struct constraints *, const struct constraints *other);

/* Look up names and ask constraints that are due.  constraints_due is the raw
 * time when that is to be done again. */
void constraints_turn(struct constraints *, const struct instant *);
int64_t constraints_due(const struct constraints *);

/* A child has answered, with a host's addresses or with a server's date. */
void constraints_named(
    struct constraints *, const struct helper_result *, int64_t raw);
void constraints_answered(
    struct constraints *, const struct helper_result *, int64_t raw);

/* What a sensor says, which is line i's host; a reason says why nothing. */
void constraints_sensed(struct constraints *, int i, const char *reason,
    const struct constraint_answer *, int64_t raw);

/* Ask all constraints anew, since there is a reason to.  False if that was done
 * less than a quarter of an hour ago.  What they said counts until they have
 * answered. */
bool constraints_again(struct constraints *, int64_t raw);

/* The same, because every server breaks the bound. */
void constraints_broken(struct constraints *, int64_t raw);

/* The network may be well again: ask those that failed. */
void constraints_hurry(struct constraints *, int64_t raw);

/* The raw clock had a gap: all answers are void. */
void constraints_forget(struct constraints *, int64_t raw);

/* A leap second moved everybody's time by so many ns. */
void constraints_leapt(struct constraints *, int64_t ns);

/* "waiting for constraint: HOST: reason", or "". */
void constraints_waiting(const struct constraints *, char *text, size_t size);

/* Fill in the part of the status that is about constraints.  constraint has
 * room for all of them, and is kept by the status. */
void constraints_show(const struct constraints *, const struct instant *,
    struct status_constraint constraint[], struct status *);

#endif
