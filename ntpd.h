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
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

#define VERSION "0.1.0"
#define CONF_PATH "/etc/ntpd.conf"
#define DRIFT_PATH "/var/db/ntpd.drift"
#define CONTROL_PATH "/var/run/ntpd.sock"
#define CONTROL_ABSTRACT "ntpd.sock" /* name in the abstract namespace */

/* SOURCE_DATE_EPOCH, s since 1970; the Makefile generates its file. */
extern const int64_t build_epoch;
/* No date before this is believed: the build machine's clock may be ahead. */
#define EARLIEST ((build_epoch - 86400LL) * NS_PER_S)

enum { ADDRESS_TEXT = 64 }; /* of an address, scope included */

/* --------------------------------------------------------------------- log.c */

enum log_class {
	LOG_CLASS_CLOCK, /* a warning about the clock itself: never crowded
			    out by others */
	LOG_CLASS_WARN,	 /* syslog warning */
	LOG_CLASS_STATE, /* info that is never crowded out by others */
	LOG_CLASS_INFO,
	LOG_CLASS_REPLY, /* debug line of an accepted reply: no budget */
	LOG_CLASS_DEBUG, /* shown with -d or -vv */
	LOG_CLASS_DETAIL /* shown with -vv only */
};

/* One event, one line; what is not printable ASCII in it becomes '?', since a
 * terminal may take bytes from 0x80 on for control characters.  errno is kept.
 * A stderr that breaks is ignored. */
void log_line(enum log_class, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Show classes up to this one; begin with stderr or syslog.  On a stderr that
 * JOURNAL_STREAM says is the journal's, lines begin with their priority, "<4>"
 * (sd-daemon(3)). */
void log_level(enum log_class);
void log_start(bool to_syslog);

/* From now on lines have a budget (calm.c), or none any longer.  log_turn says
 * what was held back, when log_due says so. */
void log_calm(bool on);
void log_turn(int64_t raw);
int64_t log_due(void);

/* Tell the supervisor, if one gave us NOTIFY_SOCKET (systemd's Type=notify):
 * "READY=1", "STATUS=words", "STOPPING=1", joined by newlines. */
void notify_supervisor(const char *state);

/* An impossible state of our own: the room's name and what broke; exits 1. */
_Noreturn void
fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ------------------------------------------------------------------- clock.c */

enum clock_permission {
	CLOCK_MAY,    /* a write succeeded */
	CLOCK_DENIED, /* EPERM, ENOSYS ... */
	CLOCK_MEASURE /* -x: not asked for */
};

/* What its frequency word holds; clock_obey sets the tick for what is beyond. */
#define CLOCK_FREQ_MOST 500e-6

/* What the kernel says of its clock; see adjtimex(2). */
struct clock_kernel {
	double freq; /* ratio, tick included */
	bool synced; /* STA_UNSYNC is off */
};

struct clock {
	enum clock_permission permission;
	int error;	    /* errno of the refused write */
	char remedy[128];   /* for it, see clock_denied */
	struct orders last; /* carried out last; before, its freq is
					   the kernel's */
	bool given;	    /* there were any */
	int64_t slept;	    /* BOOTTIME - MONOTONIC at last look */
	bool has_boottime;
	int timer;		 /* cancel-on-set timerfd, or -1 */
	double precision;	 /* s, of reading the clocks */
	uint64_t steps, foreign; /* ours; somebody else's */
};

/* Both clocks, read close together (best of a few tries). */
struct instant clock_read(void);

/* Open the cancel-on-set timer, measure the precision; then, unless measure
 * only, learn by one harmless write whether time may be set. */
void clock_start(struct clock *, bool measure);

/* Read the kernel's state; false with errno if even that is refused. */
bool clock_kernel(struct clock_kernel *);

/* Carry out orders (one adjtimex(2) call); 0, or -1 with errno.  In measure
 * or denied mode nothing is done and 0 is returned. */
int clock_obey(struct clock *, const struct orders *);

/* A write was refused (its errno is in error): from now on only measure.  Looks
 * once where we run, and puts the remedy that fits there into remedy, one line. */
void clock_denied(struct clock *);

/* Before the first orders: end what a predecessor is still slewing and set the
 * frequency. */
void clock_begin(struct clock *, double freq);

/* Tell the kernel that the clock is not synchronised any longer. */
void clock_unsync(const struct clock *);

/* Seconds the machine slept since the last call (0: none). */
double clock_slept(struct clock *);

/* The timer fired: true if somebody else set the clock. */
bool clock_was_set(struct clock *);

/* End a slew that is under way; the frequency stays, and so does a leap second
 * that is due. */
void clock_end(struct clock *);

/* Open a file for writing, new or emptied, without following a link: whoever may
 * write in the directory must not choose what is overwritten.  The descriptor,
 * which is the caller's to close, or -1 with errno; EINVAL: it is no regular
 * file, or has a second name (a hard link). */
int file_create(const char *path);

/* The drift file's ppm as a ratio in *freq.  0, or -1 with errno: ENODATA: it is
 * empty; EINVAL: it holds no number, or is no regular file; ELOOP: it is a link,
 * which is not followed. */
int drift_read(const char *path, double *freq);
/* Write it atomically (temporary file, fsync, rename; in place where a rename
 * is refused).  0, or -1 with errno. */
int drift_write(const char *path, double freq);

/* --------------------------------------------------------------------- net.c */

/* A connected UDP socket to port 123 of address; fresh source port, kernel
 * receive stamps, DSCP EF, non-blocking.  from: local address or family 0.
 * -1 with errno. */
int net_ask(const struct address *to, const struct address *from);

/* The local address of such a socket; false if it has none. */
bool net_local(int fd, struct address *);

/* Send NTP_SIZE bytes; the time is read right before.  0 or -1 with errno. */
int net_send(int fd, const uint8_t bytes[static NTP_SIZE], int64_t *sent_raw);

/* Receive one datagram.  Its size (cut to the buffer; > capacity tells the
 * length on the wire), or -1 with errno.  *got is on the raw axis, from the
 * kernel's stamp where that lies between sent and now. */
ssize_t net_receive(int fd, uint8_t *bytes, size_t capacity, int64_t sent_raw,
    int64_t *got_raw, double *precision);

/* Random bits that never wait for a kernel still gathering them, and a number
 * in [0, 1) made of such. */
uint64_t net_random(void);
double fraction(uint64_t bits);

/* Numeric text of an address, as OpenNTPD prints it. */
const char *net_text(const struct address *, char text[static ADDRESS_TEXT]);

/* The way to struct sockaddr and back. */
socklen_t
net_sockaddr(const struct address *, uint16_t port, struct sockaddr_storage *);
bool net_address(const struct sockaddr *, struct address *);

/* A non-blocking, close-on-exec socket made from a bare type; -1 with errno. */
int net_socket(int domain, int type);

/* Is there a line of "*" or of the wildcard of its family ("0.0.0.0", "::"),
 * beside whose socket this address cannot be bound, nor need be? */
bool net_covered(
    const struct conf_listen[], int n, const struct address *, uint16_t port);

/* -------------------------------------------------------------------- wait.c */

/* Wait until one of n descriptors is ready or ns nanoseconds have passed
 * (NEVER: for ever); signals arrive only in here.  As ppoll(2). */
int wait_for(struct pollfd *, int n, int64_t ns);

/* A timer that is cancelled when somebody sets CLOCK_REALTIME: make it (-1:
 * none here), arm it, ask and rearm. */
int wait_timer(void);
int wait_arm(int fd);
bool wait_cancelled(int fd);

/* Send n messages, as sendmmsg(2): how many were, or -1 with errno. */
int wait_send(int fd, struct mmsghdr *, unsigned n);

/* -------------------------------------------------------------------- link.c */

/* Hears of links and addresses that come and go. */
struct link {
	int fd;	     /* -1: cannot be heard here */
	int64_t due;  /* raw: a change is to be told; NEVER: there is none */
	int64_t next; /* raw: no change is told before */
};

/* Begin to listen.  Where that is refused nothing is said, and fd is -1. */
void link_open(struct link *);

/* The descriptor is ready. */
void link_read(struct link *, int64_t raw);

/* Is it time to ask anew?  A second after a change, at most each 15 s. */
bool link_changed(struct link *, int64_t raw);

/* ----------------------------------------------------------------- sandbox.c */

/* The daemon: raise what a file capability permits, gain nothing more. */
void sandbox_daemon(void);

/* A child: no capability at all, small limits (processor time 3 s, 64 MB, few
 * descriptors, no file written, no process, no core), no priority above others.
 * Its descriptors are closed already. */
void sandbox_child(void);

/* Does this process hold CAP_SYS_TIME, and could root hold it here (the
 * bounding set)?  Only to word a remedy. */
bool sandbox_may_set_time(void);
bool sandbox_could_set_time(void);

/* A listening socket, of the server or of the metrics, as status shows it. */
struct status_listener {
	char address[ADDRESS_TEXT];
	const char *service; /* "ntp" or "metrics" */
	bool bound;	     /* else it is being retried */
	char reason[64];
};

/* ------------------------------------------------------------------- serve.c */

/* Why a request got no reply. */
enum serve_drop {
	DROP_LENGTH,
	DROP_MODE,
	DROP_VERSION, /* as enum ntp_refusal */
	DROP_ADDRESS, /* to a group address, or from port 0 */
	DROP_ACCESS,  /* "allow from" does not name it */
	DROP_RATE,    /* its network asks too much */
	DROP_SEND,    /* the kernel refused the reply */
	DROP_OWN,     /* our own request came back to us */
	DROPS	      /* their number, and: not dropped */
};
extern const char *const serve_words[DROPS];

struct server_counters {
	uint64_t requests, replies, dropped[DROPS];
};

enum {
	SERVE_LISTENERS = 128, /* sockets of all "listen on" together */
	SERVE_RETRY = 30,      /* s between tries to bind */
	SERVE_OWN = 256, /* requests of ours remembered, a power of two */
	SERVE_AT = 8,	 /* addresses remembered that "*" was asked at */
	RATE_SETS = 256,
	RATE_WAYS = 4 /* networks remembered: see serve.c */
};

/* One socket to be, or being, listened on. */
struct listener {
	struct address address; /* all zero bytes: any of its family */
	bool any;
	int fd;	    /* -1: not bound */
	int error;  /* errno of the last try, 0: none yet */
	int listen; /* its line: index into conf.listen */
	uint16_t port;
	int64_t retry; /* raw; NEVER while bound */
};

/* A network's token bucket: the raw time at which it will be full again. */
struct rate_entry {
	uint64_t network; /* 0: free */
	int64_t full;
};

struct rate_table {
	int64_t interval, allowance; /* ns: of one request, of a burst */
	uint64_t seed[2];
	struct rate_entry set[RATE_SETS][RATE_WAYS];
};

/* All of it zero before the first serve_open. */
struct server {
	const struct conf *conf;
	struct listener listener[SERVE_LISTENERS];
	int listeners;
	bool crowded;	       /* that there are too many was said */
	int64_t trusted_from;  /* real: no receive stamp before this */
	int64_t ahead, looked; /* real - raw, and when (raw) */
	struct rate_table rate;
	struct server_counters counters;
	uint64_t own[SERVE_OWN]; /* by their last bits; 0: none */
	bool back[SERVE_OWN];	 /* ... and it came back */
	bool echo;		 /* some did since serve_echoed was asked */
	struct address at[SERVE_AT];
	unsigned ats; /* written there, ever */
};

/* Make the sockets agree with the configuration: at start, and again after a
 * reload, when sockets that are still wanted stay open.  Numeric addresses and
 * "*" are bound at once; what cannot be bound is logged and tried again.  conf
 * is kept until the next call; the one before must still be there during it. */
void serve_open(struct server *, const struct conf *, int64_t raw);

/* The addresses of conf.listen[listen], whose name was looked up; replaces what
 * it had before unless n is 0. */
void serve_resolved(
    struct server *, int listen, const struct address[], int n, int64_t raw);

/* Try again what is due; serve_due: when (raw), or NEVER. */
void serve_turn(struct server *, int64_t raw);
int64_t serve_due(const struct server *);

/* The descriptors to wait for, at most max; returns how many. */
int serve_watch(const struct server *, struct pollfd[], int max);

/* Answer what came on those of p that are ready, for a few milliseconds at
 * most: what is left is ready at the next turn.  To be called each turn, with
 * none ready too, because it watches for a clock that was set. */
void serve_deliver(
    struct server *, const struct pollfd p[], int n, const struct serving *);

/* One entry for each socket, and one for each name without an address. */
struct status_listener;
int serve_status(const struct server *, struct status_listener *, int max);

void serve_close(struct server *);

/* What names this address to clients: itself, or the first four bytes of the
 * MD5 of an IPv6 address (RFC 5905 §7.3). */
uint32_t serve_refid(const struct address *);

/* A request with this nonce leaves.  Nobody can guess it, so a request that comes
 * to us with it came from us. */
void serve_asks(struct server *, uint64_t nonce);

/* Has the request with this nonce come back to us? */
bool serve_echoed(const struct server *, uint64_t nonce);

/* The reference ids that name us to those who follow us: of the addresses that
 * are listened on, or at which "*" was asked lately.  Returns how many were
 * written, at most max.  Every host has loopback addresses: they count only if
 * loopback is true. */
int serve_ours(
    const struct server *, bool loopback, uint32_t refid[], int max);

/* 127.0.0.0/8 or ::1? */
bool serve_loopback(const struct address *);

/* The parts that decide, apart for their tests.  Is the network of this address
 * (its /24 or /56) within its rate at raw?  Counts the request.  Loopback
 * always is. */
void serve_rate_set(struct rate_table *, double rate, int burst);
bool serve_rate(struct rate_table *, const struct address *, int64_t raw);

/* Does the list hold the address?  An empty one holds all. */
bool serve_allowed(const struct conf_allow[], int n, const struct address *);

/* ------------------------------------------------------------------- trust.c */

enum {
	TRUST_ANCHORS_MAX = 512,
	TRUST_NAMES_MAX = 65536, /* bytes of all anchors' names */
	TRUST_CA = 0x80,	 /* in a packed anchor: it may issue certificates */
	TRUST_FILE_MAX = 4 << 20 /* bytes; Debian's bundle has 225 thousand */
};

/* Trust anchors in packed form, see trust.c. */
struct trust_roots {
	const uint8_t *packed;
	size_t size;
	int count, skipped; /* skipped: certificates of no use */
	int64_t newest;	    /* s since 1970: latest notBefore */
	int64_t expire;	    /* s since 1970: earliest notAfter */
	const char *bundle; /* name or date of the bundle, or "" */
};

/* The anchors built in; generated by mkroots.c. */
extern const struct trust_roots trust_built_in;

/* Certificates of a PEM file or text (overwritten; room for one byte more than
 * size) into *roots, which trust_free empties.  NULL, or what is wrong, without
 * the file's name.  One that does not decode is skipped; one that is not a CA's
 * is trusted directly. */
const char *trust_file(const char *path, struct trust_roots *);
const char *trust_pem(uint8_t *text, size_t size, struct trust_roots *);
void trust_free(struct trust_roots *);

/* What is left to read of some bytes. */
struct der {
	const uint8_t *at;
	size_t left;
};

/* The names of packed anchors, past whose count *from stands, into names;
 * returns their size.  For mkroots.c. */
size_t trust_names(struct der *from, uint8_t *names, size_t room);

/* What trust.c itself reads from a certificate. */
struct trust_facts {
	int64_t not_before, not_after; /* s since 1970 */
	bool no_server;		       /* extended key usage without servers */
	bool name_constraints;
	bool has_address; /* names the address asked for */
};

/* Walk over a certificate's DER; false if it is malformed. */
bool trust_walk(const uint8_t *der, size_t size, const uint8_t *ip,
    size_t ip_size, struct trust_facts *);

/* The checker of one certificate path, for a TLS engine (a pointer to BearSSL's
 * br_x509_class *).  Either name is a DNS name or numeric an address (family
 * not 0).  There is one such checker, used in a child. */
const struct br_x509_class_ **trust_begin(const struct trust_roots *,
    const char *name, const struct address *numeric);

/* After a good path: seconds since 1970 within which all of it holds. */
void trust_window(int64_t *not_before, int64_t *not_after);

/* What the engine's error code, or what the path was refused for, means; NULL
 * if it has nothing to do with certificates. */
const char *trust_words(int code);

/* --------------------------------------------------------------------- tls.c */

/* Seconds for connect, handshake and headers together.  The parent ends the
 * child a second later. */
enum { TLS_PATIENCE = 10, TLS_REASON = 160 };

/* What became of a question.  The log line of a failure is OpenNTPD's,
 * "%s: %s (%s): %s" of tls_words[said], address, host, reason; at class debug
 * for TLS_CONNECT and warn for the others. */
enum tls_said {
	TLS_DATE,
	TLS_CONNECT,   /* no connection */
	TLS_HANDSHAKE, /* TLS or the certificates failed */
	TLS_EARLY,
	TLS_LATE, /* certificate's dates */
	TLS_READ, /* no complete answer */
	TLS_FORMAT,
	TLS_LENGTH, /* the answer has no date of use */
	TLS_BUILD,  /* a date before the build */
	TLS_STORED, /* a cache's answer: the date is of some time ago; error
		       then includes half of its age, or is 0 where the age is
		       not known */
	TLS_SAYS
};
extern const char *const tls_words[TLS_SAYS];

struct tls_question {
	const char *host, *path; /* as in struct conf_constraint */
	uint16_t port;
	struct address numeric; /* if the host is one, else family 0 */
	struct address address; /* to connect to */
	int64_t earliest;	/* real: no date before it is taken */
	bool synced;		/* the system clock is right: certificates
					   must be valid by it as well */
	const struct trust_roots *roots;
};

struct tls_answer {
	enum tls_said said;
	int64_t raw, real;	 /* when the Date line was complete */
	int64_t date;		 /* real: what it said, a whole second */
	double error;		 /* s: half width, half of the Age
				    included; see tls_constraint_answer */
	char reason[TLS_REASON]; /* of a failure: likely cause, remedy */
};

/* Ask one server: a struct tls_question becomes a struct tls_answer.  Work for
 * a child (struct helper_job); blocks up to TLS_PATIENCE, leaves its state
 * behind. */
void tls_ask(const void *question, void *answer);

/* Is this what a child can have sent that was asked at raw "asked", now being
 * "now"?  Ends reason with a zero byte and cleans it. */
bool tls_sane(struct tls_answer *, int64_t asked, int64_t now);

/* As constraint_reply wants it.  The Date is cut to its second and was made
 * between our sending and the reading of the line, so at raw the server's clock
 * was between date and date + 1 s + round trip (and the answer's Age): the
 * middle is date + error, with error half of that. */
struct constraint_answer tls_constraint_answer(const struct tls_answer *);

/* ------------------------------------------------------------------ helper.c */

enum {
	NAME_MAX_TEXT = 256,
	WAITING_TEXT = 480 /* "waiting for constraint: HOST: reason" */
};

enum { HELPERS_MAX = 16, HELPERS_NAMES = 4, HELPER_ANSWER = 512 };
enum helper_kind {
	HELPER_NAME,
	HELPER_CONSTRAINT_NAME,
	HELPER_LISTEN_NAME,
	HELPER_HTTPS
};

/* One question for a child: what it is about (owner is the caller's index),
 * how long it may take, and the function that answers it there.  question is
 * read after the fork, so it needs to live only until helper_start returns. */
struct helper_job {
	enum helper_kind kind;
	int owner;
	double seconds;
	void (*work)(const void *question, void *answer);
	const void *question;
	size_t size; /* of the answer, <= HELPER_ANSWER */
};

/* What became of it. */
struct helper_result {
	enum helper_kind kind;
	int owner;
	bool ok;    /* the answer is whole */
	bool late;  /* killed at its deadline */
	int signal; /* it died of this one, or 0 */
	_Alignas(16) unsigned char answer[HELPER_ANSWER];
};

struct helper {
	pid_t pid;	  /* 0: reaped already */
	int fd;		  /* 0, never ours: the slot is free */
	int status;	  /* of waitpid, once reaped */
	int64_t deadline; /* raw */
	size_t got, size;
	struct helper_result result;
};

/* All zero at first.  Leave it untouched until then: pages of bss that nobody
 * touches cost no memory (9 KB). */
struct helpers {
	struct helper slot[HELPERS_MAX];
};

/* Start a child; 0, or -1 with errno (EBUSY: all slots are taken, some of which
 * HTTPS leaves to name lookups). */
int helper_start(struct helpers *, const struct helper_job *, int64_t raw);

/* Descriptors to wait for; returns how many were added.  And the next
 * deadline, NEVER without children. */
int helper_watch(const struct helpers *, struct pollfd *, int room);
int64_t helper_due(const struct helpers *);

/* The next child that is through, or late and killed; false if none is.
 * Call until false, once a turn. */
bool helper_next(struct helpers *, int64_t raw, struct helper_result *);

/* Take the exit status of every child that ended, ours or (as process 1)
 * strangers'. */
void helper_reap(struct helpers *);

/* Kill what is still running. */
void helper_end(struct helpers *);

/* -------------------------------------------------------------------- dns.c */

/* s of a lookup: a name server that needs 7 s can still be heard, also behind a
 * search list.  The parent ends the child a second later. */
enum { DNS_PATIENCE = 20, DNS_REASON = 120 };

/* A name to be looked up, and how often that has failed: from the second time on
 * the name servers are spared. */
struct dns_question {
	const char *name;
	int failures;
};

/* The answer to a name lookup. */
struct dns_answer {
	int addresses; /* 0: none, and reason says why */
	int questions; /* sent to name servers */
	struct address address[POOL_MAX];
	char reason[DNS_REASON];
};

/* Look up a host name: numeric, in /etc/hosts, by DNS.  Work for a child (struct
 * helper_job, whose question is a struct dns_question); blocks up to DNS_PATIENCE,
 * leaves its state behind. */
void dns_ask(const void *question, void *answer);

/* What a child has answered, checked like a stranger's packet, into *answer.
 * Addresses that are no single host's are left out, and one line about name says
 * so: of class debug if it is news, of class detail if the name failed before. */
void dns_take(const struct helper_result *, const char *name, bool news,
    struct dns_answer *answer);

/* ------------------------------------------------- status.c: what is shown */

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

enum {
	REQUEST_LINE = 256, /* longest request line */
	REQUEST_MAX = 8192  /* request line and headers */
};

/* A HTTP/1.x request being read; all zero at first.  Public once code is set:
 * code, head, view. */
struct status_request {
	int code;	       /* HTTP status; 0: not complete */
	bool head;	       /* HEAD: the caller wants no body */
	enum status_view view; /* if code is 200 */

	bool named, old, open; /* request line seen; 1.0; OpenMetrics */
	int later, hosts;      /* refusal to come; Host lines */
	unsigned used, taken;  /* bytes of the line, of all */
	char line[REQUEST_LINE];
};

/* Take the next bytes of a request.  The result is code: 0 asks for more, 200
 * is a request for view, the rest are refusals.  Bytes behind the end of the
 * request are not looked at. */
int status_request(struct status_request *, const char *bytes, size_t size);

/* --------------------------------------------------------------- control.c */

enum {
	CONTROL_CONNECTIONS = 16, /* served at once, */
	CONTROL_LOCAL = 4,	  /* of which these are the local socket's */
	CONTROL_LISTENERS = 8,	  /* addresses of "metrics on" */
	/* descriptors control_watch may add */
	CONTROL_WATCHED = 1 + CONTROL_LISTENERS + CONTROL_CONNECTIONS
};

enum control_said {
	CONTROL_OPEN,
	CONTROL_BUSY,  /* another daemon answers there */
	CONTROL_FAILED /* errno says why */
};

struct control_listener {
	struct address address; /* family 0: slot is free */
	uint16_t port;
	bool any;
	int line;      /* -1, or index of the line with its name */
	int fd;	       /* -1: not bound */
	int error;     /* errno of the last attempt */
	int64_t retry; /* raw */
};

struct control_connection {
	enum {
		CONNECTION_FREE,
		CONNECTION_READS,
		CONNECTION_ASKED,
		CONNECTION_WRITES,
		CONNECTION_LINGERS
	} state;
	int fd;
	int64_t since; /* raw: accepted, or some of its answer was taken */
	int64_t due;   /* raw: given up unless it goes on until then, */
	int64_t end;   /* ... and then: of an answer */
	char *answer;  /* head and body; malloc */
	size_t size, sent;
	int queued; /* bytes of it that the kernel still had at "since" */
	struct status_request request;
};

/* The control socket and the metrics listeners; private to control.c. */
struct control {
	int fd; /* control socket, -1: none */
	bool abstract;
	int64_t paused; /* raw: no accept before; 0: not so */
	struct control_listener listener[CONTROL_LISTENERS];
	struct control_connection connection[CONTROL_CONNECTIONS];
};

/* Where the control socket is: $NTP_CONTROL_SOCKET or CONTROL_PATH.  This and
 * every other variable is as good as not there where the program's file gives
 * privilege (AT_SECURE): whoever starts it must not say where it writes. */
const char *control_path(void);

/* May a socket of the abstract namespace be used?  Only where the network
 * namespace is known not to be the host's, where any user could own the name. */
bool control_abstract(void);

/* Open the control socket.  BUSY and FAILED leave it closed, the rest of
 * control works. */
enum control_said control_open(struct control *);

/* Make the metrics listeners agree with the configuration, at start and after
 * a reload; numeric ones and "*" that are wanted still stay open.  Those of
 * names are closed: they wait for control_resolved. */
void control_metrics(struct control *, const struct conf *, int64_t raw);

/* The addresses of conf.metrics[line], whose name was looked up; replaces what
 * it had before unless n is 0. */
void control_resolved(struct control *, const struct conf *, int line,
    const struct address[], int n, int64_t raw);

/* The descriptors to wait for, at most max; returns how many. */
int control_watch(const struct control *, struct pollfd *, int max);

/* When control_deliver must be called though nothing happened: NEVER if never. */
int64_t control_due(const struct control *);

/* Accept, read, write, retry binds, drop the slow.  True if somebody waits for
 * control_answer. */
bool
control_deliver(struct control *, const struct pollfd *, int n, int64_t raw);

/* Answer those who asked. */
void control_answer(struct control *, const struct status *, int64_t raw);

/* How the metrics listeners fare; returns how many. */
int
control_listeners(const struct control *, struct status_listener *, int max);

/* Close everything and remove the socket. */
void control_close(struct control *);

/* ------------------------------------------------------------------- ctl.c */

/* The ntpctl program; returns its exit status. */
int ctl_main(int argc, char **argv);

/* Is this a word that ntpctl would show something for? */
bool ctl_shows(const char *word);

/* Does a daemon answer at the control socket? */
bool ctl_daemon_runs(void);

/* --------------------------------------------------- ntpd.c: the daemon itself */

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

	struct line *line; /* one a conf.server */
	int *slice;	   /* its first source; [servers] is the end */
	int line_turn;	   /* whose lookup comes first */
	struct source *source;
	int *fd;    /* of the request under way, or -1 */
	struct said *said; /* what is wrong with it, for the log: an errno, or
			      one of peers.c's numbers */
	struct said family[2]; /* errno of the sends by IPv4, and by IPv6 */
	double turned;	       /* [0, 1): this machine's place in its fleet */
	int sources;
	struct candidate *candidate;

	struct constraint *constraint; /* one a conf.constraint */
	int64_t *asked;		       /* raw, of each address's question */
	const struct trust_roots *roots;
	struct trust_roots own_roots; /* of cafile */
	struct bound bound;
	int64_t bound_due; /* raw: to be computed anew */
	bool bound_broken; /* by all sources: constraints were reset */
	bool waiting_said;
	struct said *dates_said; /* what is wrong with each constraint */

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
	int64_t first_sent; /* raw: of the first request that was
					   answered; while none is: of the first */
	bool synced;
	const char *sync_text; /* of the last change, NULL: none yet */
	struct said sync_said; /* 1 synced, 2 not */
	struct said still;     /* what is not well: see steer.c */
	struct pace again;  /* of peers_again */
	int64_t anew_next;  /* raw: silent ones get no new requests before */
	int64_t hurry_next; /* raw: silent ones are not hurried before */
	int64_t last_heard;	  /* raw: last accepted reply */
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
	int64_t anew_at;	  /* raw: constraints were last asked anew, with
				     a reason; 0: never */
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
	bool quit, daemon; /* to end; in the background */
	int ready;	   /* pipe to the caller who waits for that */
};

static inline double
seconds(int64_t ns)
{
	return (double)ns / (double)NS_PER_S;
}

static inline int64_t
later(int64_t raw, double s)
{
	return raw + (int64_t)(s * (double)NS_PER_S);
}

static inline int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The class of what OpenNTPD 6.2 shows with -d -s while it starts. */
static inline enum log_class
start_class(const struct daemon *d)
{
	return d->opt.set == SET_ALWAYS ? LOG_CLASS_DEBUG : LOG_CLASS_DETAIL;
}

/* ------------------------------------------------------------------ peers.c */

/* Lines and sources as the configuration says; exits without memory. */
void peers_make(struct daemon *);

/* Look up and ask what is due; raw time when it is to be called again. */
void peers_turn(struct daemon *, const struct instant *);
int64_t peers_due(const struct daemon *);

/* A datagram waits on the socket of source i; a name has been looked up. */
void peers_reply(struct daemon *, int i);
void peers_named(struct daemon *, const struct helper_result *, int64_t raw);

/* The network changed: look up at once the names that have failed, those that have
 * fewer addresses than places, and those that are listened on. */
void peers_names(struct daemon *, int64_t raw);

/* Does each server answer and each name resolve, and is the time known? */
bool peers_well(const struct daemon *);

/* The network may be another one: ask the servers that are silent, look up the
 * names that have no answer.  Does nothing while peers_well. */
void peers_anew(struct daemon *, int64_t raw);

/* Requests of ours came back to our own server: those sources are no sources of
 * time. */
void peers_echoed(struct daemon *, int64_t raw);

/* Ask every source at once; forget: what they said is void.  Without forget it
 * does nothing when that has been done too often of late. */
void peers_again(struct daemon *, int64_t raw, bool forget);

/* Nobody has said yet what the time is, or the clock is still to be set. */
bool peers_starting(const struct daemon *);

/* There is somebody to be asked, and nobody has answered in whatever way. */
bool peers_silent(const struct daemon *);

/* ------------------------------------------------------------------ dates.c */

/* Constraints as the configuration says; exits without memory. */
void dates_make(struct daemon *, int64_t raw);

/* Look up and ask what is due; raw time when it is to be called again. */
void dates_turn(struct daemon *, const struct instant *);
int64_t dates_due(const struct daemon *);

/* A child has answered: a host's addresses, a server's date. */
void dates_named(struct daemon *, const struct helper_result *, int64_t raw);
void dates_answered(struct daemon *, const struct helper_result *, int64_t raw);

/* Ask all constraints anew, for a reason: false if that was done less than a
 * quarter of an hour ago.  What they said counts until they have answered. */
bool dates_again(struct daemon *, int64_t raw);

/* The network may be well again: ask those that failed. */
void dates_hurry(struct daemon *, int64_t raw);

/* Every source breaks the bound. */
void dates_broken(struct daemon *, int64_t raw);

/* The raw clock had a gap: all answers are void. */
void dates_forget(struct daemon *, int64_t raw);

/* "waiting for constraint: HOST: reason", or "". */
void dates_waiting(const struct daemon *, char *text, size_t size);

/* ---------------------------------------------------------------- publish.c */

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

/* ------------------------------------------------------------------ steer.c */

/* The frequency to begin with. */
void steer_start(struct daemon *);

/* Did the machine sleep, did somebody else set the clock? */
void steer_notice(struct daemon *, const struct instant *);

/* Elect when there is something new, set or slew the clock, say what changed,
 * keep the drift file. */
void steer_turn(struct daemon *, const struct instant *);

/* Leave the kernel clock in good order. */
void steer_end(struct daemon *, const struct instant *);

#endif
