/*
 * status.h - what is shown of the daemon.
 */
#ifndef STATUS_H
#define STATUS_H

#include "core/address.h"
#include "core/constraint.h"
#include "core/instant.h"
#include "core/select.h"
#include "core/source.h"
#include "serve/listen.h"
#include "serve/serve.h"
#include "sys/sandbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WAITING_TEXT = 480 }; /* "waiting for constraint: HOST: reason" */

/* A double that is not known is NAN: shown as null in JSON, left out of text
 * and metrics. */

/* One source as status shows it. */
struct status_source {
	char address[ADDRESS_TEXT]; /* "" while not resolved */
	char same_as[ADDRESS_TEXT]; /* its address, if another source has it */
	const char *name;	    /* as configured */
	bool pool, trusted, valid, system;
	int weight, trust, stratum, reach;
	enum source_state state;
	enum select_said selected;
	enum source_said said;	      /* of the last reply */
	double next, poll;	      /* s */
	double offset, delay, jitter; /* s; offset: source - system clock */
	double distance, root_delay, root_dispersion;
	uint64_t requests, replies;
	const uint64_t *rejected; /* [SAID_SAYS] */
};

struct status_constraint {
	const char *host;
	char address[ADDRESS_TEXT];
	bool answered;
	double age, offset; /* s since the answer; Date - local */
	const char *reason; /* of the last failure, or "" */
	uint64_t queries, failures;
};

/* All that is known from outside; published once a turn, read by status.c.
 * Pointers are into the daemon and valid until the next turn. */
struct status {
	int64_t real; /* when this was published */
	double uptime;
	const char *version;
	int64_t build; /* s since 1970 */

	bool synced;
	uint8_t stratum, leap;
	char refid[ADDRESS_TEXT]; /* address of the system source, or "" */
	double offset;		  /* still to be slewed, s */
	double bound;		  /* of the clock's error, s; HUGE_VAL: none */
	double freq, freq_sd;	  /* ratios */
	double root_delay, root_dispersion;
	int64_t last_sync; /* real ns, 0: never */
	uint64_t steps, foreign_sets;
	double last_step; /* s */

	enum clock_permission permission;
	char permission_text[200]; /* the remedy, "" if it may */

	const struct status_source *source;
	int sources, sources_valid;
	int shared; /* more of them behind these: names of the same addresses */
	const struct status_constraint *constraint;
	int constraints, constraint_errors;
	bool bound_known; /* constraint median exists */
	double bound_offset, bound_error, bound_age; /* s */
	char waiting[WAITING_TEXT]; /* or "" */
	const struct status_listener *listener;
	int listeners;
	struct server_counters server;

	double ready_within;  /* s */
	bool ready;	      /* synced and bound below ready_within */
	char not_ready[480];  /* the reason, or "" */
	int roots;	      /* CA roots in force */
	int64_t roots_expire; /* s since 1970, earliest */

	/* the tables of words of the rooms, so that status.c stands alone */
	const char *const *selected_words; /* [SELECT_SAYS] */
	const char *const *said_words;	   /* [SAID_SAYS] */
	const char *const *dropped_words;  /* [DROPS] */
};

/* The ways to look at a struct status. */
enum status_view {
	VIEW_STATUS,
	VIEW_PEERS,
	VIEW_SENSORS,
	VIEW_ALL, /* as OpenNTPD */
	VIEW_STATUS_JSON,
	VIEW_PEERS_JSON,
	VIEW_SENSORS_JSON,
	VIEW_JSON,
	VIEW_METRICS, /* Prometheus text 0.0.4 */
	VIEW_READY,
	VIEW_LIVE,	  /* one line each */
	VIEW_OPENMETRICS, /* has no path: /metrics by Accept */
	STATUS_VIEWS
};

enum {
	STATUS_METRIC_SOURCES = 64, /* sources with metrics of their own */
	/* Longest line of VIEW_READY: what Kubernetes and docker show of a
	 * probe on one line of a wide terminal.  Cut between words. */
	STATUS_LINE = 200
};

/* The view's text; writes what fits of it (no final NUL) and returns its whole
 * length, as snprintf(3) does.  Only VIEW_LIVE may do without a status. */
size_t
status_render(enum status_view, const struct status *, char *out, size_t size);

/* Its media type, and its path in a request (NULL for VIEW_OPENMETRICS). */
const char *status_type(enum status_view);
const char *status_path(enum status_view);

#endif
