/*
 * status.h - what is shown of the daemon.
 */
#ifndef STATUS_H
#define STATUS_H

#include "core/source.h"
#include "serve/serve.h"
#include "sys/rights.h"
#include "sys/sandbox.h"

enum {
	WAITING_TEXT = 480,    /* "waiting for constraint: HOST: reason" */
	UNAUTHENTIC_TEXT = 200 /* "key exchange with HOST fails: reason" */
};

/* A double that is not known is NAN.  JSON shows it as null; text and metrics
 * leave it out. */

/* One source as status shows it. */
struct status_source {
	char address[ADDRESS_TEXT]; /* "" while not resolved */
	char same_as[ADDRESS_TEXT]; /* its address, if another source has it */
	const char *name;	    /* as configured */
	bool pool, trusted, authentic, woven, valid, system;
	int weight, trust, stratum, reach;
	uint8_t leap; /* what it announces; LEAP_ALARM: it is unsynchronised */
	enum source_state state;
	enum select_said selected;
	enum source_said said;	      /* of the last reply */
	double next;		      /* s until the next request */
	double poll;		      /* s between two requests */
	double offset, delay, jitter; /* s; offset: source - system clock */
	double distance, root_delay, root_dispersion;
	uint64_t requests, replies;
	const uint64_t *rejected; /* [SAID_SAYS] */
	/* Of NTS, all NAN if it has none: s since the last exchange of keys;
	 * exchanges, those that failed, and NAKs; cookies; when the
	 * certificates expire, s since 1970. */
	double nts_age, nts_exchanges, nts_failures, nts_naks, nts_cookies;
	double nts_expire;
	const char *nts_reason; /* why the last exchange failed, or "" */
};

/* One sensor. */
struct status_sensor {
	const char *device, *clock; /* "ptp0"; what its driver calls it */
	const char *refid;
	bool trusted, votes, valid, system;
	int weight, stratum;
	enum select_said selected;
	const char *said; /* what became of the last reading */
	double next, poll; /* s until the next reading, and between two */
	double offset, delay, distance, correction; /* s */
	int tai; /* s by which it is ahead of UTC */
	uint64_t readings, failures;
};

struct status_constraint {
	const char *host;
	char address[ADDRESS_TEXT];
	bool answered;
	double age, offset; /* s: since the answer; its date - our clock */
	const char *reason; /* of the last failure, or "" */
	uint64_t queries, failures;
};

/* What can make the clock wrong at once. */
enum disruption {
	DISRUPTION_SLEEP,
	DISRUPTION_SET, /* another program set the clock */
	DISRUPTION_MOVED,
	DISRUPTION_RESTORED,
	DISRUPTION_JUMPED, /* a trusted sensor says so */
	DISRUPTIONS
};

/* All that others may know of the daemon.  It is filled when somebody asks; its
 * pointers are valid until the next turn. */
struct status {
	int64_t real; /* when this was filled */
	double uptime; /* s */
	const char *version;
	int64_t build; /* s since 1970 */

	bool synced;
	bool by_https; /* and by constraints, while no server tells the time */
	int authentics; /* lines of servers that authenticate their replies */
	bool authentic; /* these say what the time is */
	const char *unauthentic; /* why they do not, or "" */
	uint8_t stratum, leap;
	char refid[ADDRESS_TEXT]; /* address of the system source, or "" */
	double offset;		  /* s: still to be slewed */
	double bound;		  /* s: of the clock's error; HUGE_VAL: none */
	double freq, freq_sd;	  /* ratios */
	double root_delay, root_dispersion;
	int64_t last_sync; /* real ns, 0: never */
	uint64_t steps, foreign_sets, foreign_writes;
	double last_step; /* s */
	uint64_t disruptions[DISRUPTIONS];

	enum clock_permission permission;
	char permission_text[200]; /* the remedy, or "" if it may be set */
	char sandbox[SANDBOX_TEXT]; /* what was reached, in words */
	uint64_t refused;	    /* system calls that it refused */

	bool conf_good;	       /* the last try to read the configuration was */
	int64_t conf_read;     /* real: of the last good one */
	const char *conf_why;  /* why the last one was refused, or "" */
	char conf_later[104];  /* what takes effect after a restart, or "" */
	bool conf_restart;     /* there is something of that kind */

	const struct status_source *source;
	int sources, sources_valid;
	int shared; /* entries behind these: names whose address another
		       source has */
	const struct status_sensor *sensor;
	int sensors, sensors_valid;
	const struct status_constraint *constraint;
	int constraints, constraint_errors;
	bool bound_known; /* the constraints have a median */
	double bound_offset, bound_error, bound_age; /* s */
	char waiting[WAITING_TEXT]; /* or "" */
	const struct status_listener *listener;
	int listeners;
	struct server_counters server;

	double ready_within;  /* s */
	bool filtered;	      /* UDP 123 seems to be: only DNS, HTTPS work */
	bool ready;	      /* synced, and the bound is below ready_within */
	char not_ready[480];  /* the reason, or "" */
	int roots;	      /* CA roots that constraints are judged by */
	int64_t roots_expire; /* s since 1970: the first of them expires */

	/* Words of other rooms, for word_at.  status.c is pure, and so may
	 * not reach those that are not. */
	const char *selected_words; /* SELECT_SAYS of them */
	const char *said_words;	    /* SAID_SAYS */
	const char *dropped_words;  /* DROPS */
};

/* The ways to look at a struct status. */
enum status_view {
	VIEW_STATUS,
	VIEW_PEERS,
	VIEW_SENSORS,
	VIEW_ALL, /* the four up to here look like OpenNTPD's ntpctl */
	VIEW_STATUS_JSON,
	VIEW_PEERS_JSON,
	VIEW_SENSORS_JSON,
	VIEW_JSON,
	VIEW_METRICS, /* Prometheus text 0.0.4 */
	VIEW_READY,	  /* one line, for probes */
	VIEW_LIVE,	  /* likewise */
	VIEW_SCREEN, /* all of it, for somebody who has not read the manual */
	VIEW_OPENMETRICS, /* /metrics, for clients that accept it */
	STATUS_VIEWS
};

enum {
	/* Sources with metrics of their own.  Each has 37 time
	 * series, and one with NTS six more. */
	STATUS_METRIC_SOURCES = 64,
	/* Characters of the longest line of VIEW_READY, which is cut between
	 * words.  Kubernetes and docker show it, and it fits into a line of a
	 * wide terminal. */
	STATUS_LINE = 200
};

/* Write what fits of the view's text, without a final NUL.  Returns the length
 * of the whole text, as snprintf(3) does.  VIEW_LIVE needs no status. */
size_t
status_render(enum status_view, const struct status *, char *out, size_t size);

/* The view's media type, and its path in a request (NULL for
 * VIEW_OPENMETRICS). */
const char *status_type(enum status_view);
const char *status_path(enum status_view);

#endif
