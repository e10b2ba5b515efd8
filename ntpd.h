/*
 * ntpd.h - the effects floor: clocks, sockets, children, status, the loop.
 */
#ifndef NTPD_H
#define NTPD_H

#include "conf.h"
#include "ntp.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#define VERSION "0.1.0"
#define CONF_PATH "/etc/ntpd.conf"
#define DRIFT_PATH "/var/db/ntpd.drift"
#define CONTROL_DIR "/var/run"
#define CONTROL_PATH "/var/run/ntpd.sock"
#define CONTROL_ABSTRACT "ntpd.sock"	/* name in the abstract namespace */

/* Set by the Makefile: seconds since 1970, SOURCE_DATE_EPOCH. */
#ifndef BUILD_EPOCH
#error "BUILD_EPOCH is not defined; build with make"
#endif
/* No date before this is believed: the build machine's clock may be ahead. */
#define EARLIEST ((BUILD_EPOCH - 86400LL) * NS_PER_S)

enum { ADDRESS_TEXT = 64 };		/* of an address, scope included */

/* ----------------------------------------------------------------- log, ntpd.c */

enum log_class {
	LOG_CLASS_WARN,			/* syslog err */
	LOG_CLASS_INFO,
	LOG_CLASS_DEBUG,		/* shown with -d or -vv */
	LOG_CLASS_DETAIL		/* shown with -vv only */
};

/* One event, one line; control characters in it become '?'.  errno is kept.
 * A stderr that breaks is ignored. */
void log_line(enum log_class, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* An impossible state of our own: the room's name and what broke; exits 1. */
_Noreturn void fatal(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* ------------------------------------------------------------------- clock.c */

enum clock_permission {
	CLOCK_MAY,			/* a write succeeded */
	CLOCK_DENIED,			/* EPERM, ENOSYS ... */
	CLOCK_MEASURE			/* -x: not asked for */
};

/* What the kernel says of its clock; see adjtimex(2). */
struct clock_kernel {
	double freq;			/* ratio, tick included */
	bool synced;			/* STA_UNSYNC is off */
	double max_error, est_error;	/* s */
	int64_t offset;			/* ns still being slewed */
	int tai;
};

struct clock {
	enum clock_permission permission;
	int error;			/* errno of the refused write */
	struct orders last;		/* carried out last */
	bool given;			/* there were any */
	int64_t slept;			/* BOOTTIME - MONOTONIC at last look */
	bool has_boottime;
	int timer;			/* cancel-on-set timerfd, or -1 */
	double precision;		/* s, of reading the clocks */
	uint64_t steps, foreign;	/* ours; somebody else's */
};

/* Both clocks, read close together (best of a few tries). */
struct instant clock_read(void);

/* Open the cancel-on-set timer, measure the precision; then, unless measure
 * only, learn by one harmless write whether time may be set. */
void clock_start(struct clock *, bool measure);

/* Read the kernel's state; false if even that is refused. */
bool clock_kernel(struct clock_kernel *);

/* Carry out orders (one adjtimex(2) call); 0, or -1 with errno.  In measure
 * or denied mode nothing is done and 0 is returned. */
int clock_obey(struct clock *, const struct orders *);

/* The remedy for a refused write, one line, by what /proc/self tells. */
void clock_remedy(const struct clock *, char *text, size_t size);

/* Seconds the machine slept since the last call (0: none). */
double clock_slept(struct clock *);

/* The timer fired: true if somebody else set the clock. */
bool clock_was_set(struct clock *);

/* End a slew that is under way; the frequency stays. */
void clock_end(struct clock *);

/* The drift file: ppm in *freq as a ratio.  Reasons of failure are errno;
 * EINVAL: holds no number (ENODATA: empty). */
int drift_read(const char *path, double *freq);
/* Written atomically (temporary file, fsync, rename; in place where a rename
 * is refused).  0, or -1 with errno. */
int drift_write(const char *path, double freq);

/* --------------------------------------------------------------------- net.c */

/* A connected UDP socket to port 123 of address; fresh source port, kernel
 * receive stamps, DSCP EF, non-blocking.  from: local address or family 0.
 * -1 with errno. */
int net_ask(const struct address *to, const struct address *from);

/* Send NTP_SIZE bytes; the time is read right before.  0 or -1 with errno. */
int net_send(int fd, const uint8_t bytes[static NTP_SIZE], int64_t *sent_raw);

/* Receive one datagram.  Its size (cut to the buffer; > capacity tells the
 * length on the wire), or -1 with errno.  *got is on the raw axis, from the
 * kernel's stamp where that lies between sent and now. */
ssize_t net_receive(int fd, uint8_t *bytes, size_t capacity, int64_t sent_raw,
    int64_t *got_raw, double *precision);

/* Numeric text of an address, as OpenNTPD prints it. */
const char *net_text(const struct address *, char text[static ADDRESS_TEXT]);
bool net_same(const struct address *, const struct address *);

/* The way to struct sockaddr and back. */
socklen_t net_sockaddr(const struct address *, uint16_t port,
    struct sockaddr_storage *);
bool net_address(const struct sockaddr *, struct address *);

/* ------------------------------------------------------------------- serve.c */

enum serve_drop {
	DROP_SHORT, DROP_MODE, DROP_VERSION, DROP_ACCESS, DROP_RATE, DROP_SEND,
	DROPS
};
extern const char *const serve_words[DROPS];

struct server_counters {
	uint64_t requests, replies, dropped[DROPS];
};

struct server;				/* sockets, rate table; serve.c's own */

/* --------------------------------------------------------------------- tls.c */

/* (filled by the room's owner: tls_ask, tls_roots_file, tls_roots_info) */

/* ------------------------------------------------------------------ helper.c */

enum { NAME_MAX_TEXT = 256 };

enum helper_kind { HELPER_DNS, HELPER_HTTPS };

/* The answer to a name lookup. */
struct dns_answer {
	int status;			/* 0, or an EAI_ code of getaddrinfo(3) */
	int addresses;
	struct address address[POOL_MAX];
};

/* ------------------------------------------------------- control.c: status */

/* One source as status shows it. */
struct status_source {
	char address[ADDRESS_TEXT];	/* "" while not resolved */
	char name[NAME_MAX_TEXT];	/* as configured */
	bool pool, trusted, valid, system;
	int weight, trust, stratum, reach;
	const char *state;		/* one word: unresolved idle waiting stopped */
	const char *selected;		/* a select_words entry */
	const char *reason;		/* last refusal, a source_words entry, or "" */
	double next, poll;		/* s */
	double offset, delay, jitter;	/* s; offset: of the system clock */
	double distance, root_delay, root_dispersion;
	uint64_t requests, replies;
	const uint64_t *rejected;	/* [SAID_SAYS], names in source_words */
};

struct status_constraint {
	char host[NAME_MAX_TEXT];
	char address[ADDRESS_TEXT];
	bool answered;
	double age, offset;		/* s since the answer; Date - local */
	char reason[160];		/* of the last failure, or "" */
	uint64_t queries, failures;
};

struct status_listener {
	char address[ADDRESS_TEXT];
	bool bound;			/* else it is being retried */
	char reason[64];
};

/* All that is known from outside; published once a turn, read by control.c.
 * Pointers are into the daemon and valid until the next turn. */
struct status {
	int64_t real, raw;		/* when this was published */
	double uptime;
	const char *version;
	int64_t build;			/* s since 1970 */

	bool synced;
	uint8_t stratum, leap;
	char refid[ADDRESS_TEXT];	/* address of the system source, or "" */
	double offset;			/* still to be slewed, s */
	double bound;			/* of the clock's error, s; HUGE_VAL: none */
	double freq, freq_sd;		/* ratios */
	double root_delay, root_dispersion;
	int64_t last_sync;		/* real ns, 0: never */
	uint64_t steps, foreign_sets;
	double last_step;		/* s */

	enum clock_permission permission;
	char permission_text[200];	/* the remedy, "" if it may */

	const struct status_source *source;
	int sources, sources_valid;
	const struct status_constraint *constraint;
	int constraints, constraint_errors;
	bool bound_known;		/* constraint median exists */
	double bound_offset, bound_error, bound_age;	/* s */
	char waiting[200];		/* "waiting for constraint: HOST: reason" or "" */
	const struct status_listener *listener;
	int listeners;
	struct server_counters server;

	double ready_within;		/* s */
	bool ready;			/* synced and bound below ready_within */
	char not_ready[80];		/* the reason, or "" */
	int roots;			/* CA roots in force */
	int64_t roots_expire;		/* s since 1970, earliest */
	int reload;			/* 0 never, 1 good, -1 refused */
	char reload_text[160];
};

#endif
