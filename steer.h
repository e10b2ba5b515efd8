/*
 * steer.h - what the clock is told.
 */
#ifndef STEER_H
#define STEER_H

#include "clock.h"
#include "core/confidence.h"
#include "serve/status.h"
#include "sys/log.h"
#include "sys/machine.h"

/* Whether the clock is still to be set at start: if it is far behind and
 * somebody vouches for that, in any case (-s), or no longer. */
enum setting { SETTING_AUTO, SETTING_ALWAYS, SETTING_DONE };

/* What the other owners know.  The loop keeps it up to date. */
struct steer_told {
	int64_t first_sent; /* raw: of the first request that was answered */
	int64_t last_heard; /* raw: of the last accepted reply; 0: never */
	int64_t online;	    /* raw: when DNS or HTTPS last answered; 0: never */
	bool names_open;    /* nobody has answered for some name yet */
	enum machine_said machine; /* what has happened to it since the last
				      turn */
	struct bound bound; /* what the constraints say */
	const struct verdict *kept; /* what those that keep the time say; NULL:
				       they do not */
	int64_t anew_at;    /* raw: they were last asked anew; 0: never */
	char waiting[WAITING_TEXT]; /* for which constraint we wait, or "" */
	char unauthentic[UNAUTHENTIC_TEXT]; /* why no reply is authenticated, if
					   some should be */
	int64_t keys_due;   /* raw: see peers_keys_due */
};

/* What the other owners shall do.  The loop sees to it, and clears it. */
struct steer_wishes {
	bool elected; /* candidate[] holds what the vote made of the sources */
	bool called;  /* ... and the log has named the falsetickers */
	bool again;   /* ask all servers again */
	bool early;   /* a request that is due soon may be sent now */
	bool forget;  /* all answers are void: the raw clock had a gap */
	int64_t leapt; /* ns: a leap second moved everybody's time */
	enum {
		CONSTRAINTS_REST,
		CONSTRAINTS_AGAIN, /* ask them anew */
		CONSTRAINTS_BROKEN /* the same: every server breaks the bound */
	} constraints;
};

/* From samples to the kernel's clock.  The first group is set before
 * steer_start.  Of the rest setting, over, status, synced, elected, disc,
 * candidate and stood may be read. */
struct steer {
	const struct conf *conf;
	struct clock *clock;
	/* Servers, and behind them sensors: an index counts over both.  They
	 * are only read; but select_join writes to their filters. */
	struct source *source;
	int sources;
	struct source *sensor;
	int sensors;
	bool always;	      /* set the clock at start in any case: -s */
	bool once;	      /* ... and then end: -q */
	enum log_class start; /* of what is said while it starts */

	struct steer_told told;
	struct steer_wishes wish;

	struct discipline disc;
	struct verdict verdict;
	struct candidate *candidate;
	int stood;    /* candidates of the last election */
	bool elected; /* that had a majority */
	bool news;    /* an election is due */
	struct confidence freq; /* which frequency was confirmed */
	struct instant seen;	/* of the last turn */

	int64_t began; /* raw */
	enum setting setting;
	bool warm;  /* the kernel's clock was disciplined at the start */
	bool over;  /* the time for a set at start is over, */
	bool missed; /* and the clock was not set */
	int status; /* exit status of -q */

	bool synced;
	const char *sync_text; /* of the last change; NULL: none yet */
	double silent_most;    /* s without a reply: unsynced */
	unsigned gaps;	       /* all samples have become void so often */
	int64_t last_sync;     /* real */
	int64_t right_first;   /* raw: when the clock was first right */
	int64_t right_at;      /* raw: when it was last right; 0: never */

	int authentics; /* lines of servers whose replies are authenticated */

	int keepers;	 /* lines of constraints with "timekeeping" */
	bool keeping;	 /* no server tells the time: those are wanted */
	int64_t kept;	 /* raw: of their last verdict; 0: the clock follows
			    servers, or nobody */
	int64_t kept_heard; /* raw: of the newest answer in it */
	bool kept_learnt;   /* the estimate is theirs, not the servers' */

	int64_t disrupted;   /* raw: the last local event; 0: none */
	int64_t spoken;	     /* raw: of the first reply after one */
	bool fight;	     /* it came again before a step was permitted */
	double explained;    /* s: how wrong local events can have made the
				clock since it was last right */
	bool behind;	     /* they can have put it behind by any time */
	uint64_t disruptions[DISRUPTIONS];
	struct pace moves;   /* of the machine, to other hosts or times */
	double jump;	     /* s: all servers jumped by that */
	int64_t jump_until;  /* raw: we wait so long; 0: there is none */
	int64_t outside;     /* raw: since then the constraints say that the
				clock is wrong; 0: they do not */
	bool outside_set;    /* therefore it may be set as at the start */
	int64_t step_next;   /* raw: no other step before */
	double step_wait;    /* s: between the last step and that */
	double last_step;    /* s */

	double offset_logged;	  /* s */
	int64_t offset_logged_at; /* raw: may be said again */
	double freq_logged;
	int64_t freq_logged_at; /* raw: may be said again */
	bool far_said, no_majority_said, tick_said, refused_said;

	const char *drift_path;
	double drift_saved;
	int64_t drift_due; /* raw */
	bool drift_known, drift_missing, drift_failed;
};

/* Begin with the frequency of a kernel that is disciplined, else with that of
 * the drift file.  Exits without memory. */
void steer_start(struct steer *, const struct instant *);

/* The configuration is another one, and so are the sources: "source" and
 * "sources", with room for as many candidates, and for the sensors, which stay
 * (calloc(3); the former ones are freed).  to[i] is the new number of the one
 * that was i, or -1.  What is known of the clock stays; an election is due. */
void steer_reload(struct steer *, const struct conf *, struct source *source,
    int sources, struct candidate *, const int to[]);

/* Did the machine sleep, did somebody else set the clock? */
void steer_notice(struct steer *, const struct instant *);

/* A trusted sensor says that the time jumped by so many seconds: the machine
 * was stopped, and its raw clock did not notice. */
void steer_jumped(struct steer *, double jump, int64_t raw);

/* Something new is known: hold an election in the next turn. */
void steer_elect(struct steer *);

/* Source or sensor i of both. */
struct source *steer_source(const struct steer *, int i);

/* The name of a source for the log: its device, or its address in text. */
const char *steer_name(const struct source *, char text[static ADDRESS_TEXT]);

/* s without any reply after which the clock is not known to be right any more.
 * The server that we follow may want fewer requests than the configuration does
 * (kiss code RATE). */
double steer_patience(const struct steer *);

/* Hold an election if there is something new; set or slew the clock.  steer_due
 * is the raw time when that is to be done again. */
void steer_turn(struct steer *, const struct instant *);
int64_t steer_due(const struct steer *);

/* Write the drift file, if it is time for that. */
void steer_save(struct steer *, int64_t raw);

/* Leave the kernel's clock in good order. */
void steer_end(struct steer *, const struct instant *);

#endif
