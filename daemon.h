/*
 * daemon.h - the daemon's one struct.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include "clock.h"
#include "constraints.h"
#include "core/calm.h"
#include "core/conf.h"
#include "core/confidence.h"
#include "core/constraint.h"
#include "core/discipline.h"
#include "core/instant.h"
#include "core/ntp.h"
#include "core/select.h"
#include "core/line.h"
#include "core/source.h"
#include "peers.h"
#include "serve/control.h"
#include "serve/serve.h"
#include "serve/status.h"
#include "sys/helper.h"
#include "sys/link.h"
#include "sys/log.h"
#include "tls/anchors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_PATH "/etc/ntpd.conf"

struct options {
	bool foreground, check, once, measure;
	enum { SET_AUTO, SET_ALWAYS } set;
	int verbose;
	const char *conf, *pid;
};

/* Whether the clock is still to be set at start; and s after the first request
 * for which names that are being looked up are waited for. */
enum setting { SETTING_AUTO, SETTING_ALWAYS, SETTING_DONE };
#define SET_NAMES 1.0

struct daemon {
	struct options opt;
	struct conf conf;
	const char *conf_name; /* for messages */

	struct peers peers;
	struct candidate *candidate;

	struct constraints constraints;

	struct discipline disc;
	struct verdict verdict;
	bool elected, dirty; /* verdict holds; new samples came */
	struct clock clock;
	struct helpers helpers;
	struct link link;
	struct server server;
	struct control control;
	struct line *listen_line; /* names of listen on, then metrics on */

	enum setting setting;
	bool set_line;	    /* "skipping" was said */
	int64_t began;	    /* raw */
	bool synced;
	const char *sync_text; /* of the last change, NULL: none yet */
	struct said sync_said; /* 1 synced, 2 not */
	struct said still;     /* what is not well: see steer.c */
	double silent_most;	  /* s without one: unsynced */
	int64_t last_sync;	  /* real */
	int64_t disrupted;	  /* raw: a local event, 0: none */
	bool fight;		  /* the event came again so soon that the clock
				     may not be stepped yet */
	double explained;	  /* s: by so much local events may have put the
				     clock wrong since it was last right */
	int64_t right_first;	  /* raw: the clock was first seen right then */
	int64_t right_at;	  /* raw: and last; 0: never */
	double jump;		  /* s: all servers jumped by that */
	int64_t jump_until;	  /* raw: the jump is waited out until then; 0:
				     there is none */
	int64_t outside;	  /* raw: since then the constraints say that
				     the clock is wrong; 0: they do not */
	bool outside_set;	  /* the rules of the start were applied to that */
	struct confidence freq;	  /* which frequency was confirmed */
	int64_t step_next;	  /* raw: no other step before */
	double step_wait;	  /* s */
	struct instant seen;	  /* of the last turn */
	double offset_logged;	  /* s */
	int64_t offset_logged_at; /* raw: may be said again */
	double freq_logged;
	int64_t freq_logged_at; /* raw */
	bool far_said, no_majority_said, tick_said, refused_said;
	double last_step; /* s */

	const char *drift_path;
	double drift_saved;
	int64_t drift_due;
	bool drift_known, drift_missing, drift_failed;

	int status;	   /* exit status of -q */
	bool quit, daemon; /* to end; detached */
	int ready;	   /* of detach_begin */
};

/* The class of what OpenNTPD 6.2 shows with -d -s while it starts. */
static inline enum log_class
start_class(const struct daemon *d)
{
	return d->opt.set == SET_ALWAYS ? LOG_CLASS_DEBUG : LOG_CLASS_DETAIL;
}

/* Tell the owners what others know; fulfil what they wish of others. */
void tell(struct daemon *);
void grant(struct daemon *, int64_t raw);

/* All that is known, for control.c; publish_free gives its tables back.  False
 * without memory. */
bool
publish_status(const struct daemon *, const struct instant *, struct status *);
void publish_free(struct status *);

/* Why the time is not known: what is waited for, or what is wrong with the
 * answers. */
void publish_unknown(
    const struct daemon *, const struct instant *, char *text, size_t size);

/* What NTP clients are told. */
void publish_serving(
    const struct daemon *, const struct instant *, struct serving *);

#endif
