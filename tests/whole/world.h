/*
 * world.h - the simulated machine and network around the whole daemon.
 *
 * The daemon's own main runs in a process of its own, a life.  All calls that
 * it makes of the C library are answered by calls.c.  The world is memory that
 * the lives of one seed share, so it goes on when a life ends: a restart is
 * another fork(2) of a program that was never started before.
 *
 * Time is simulated.  It passes by a few microseconds in each call, and in
 * ppoll(2) until the next event.  Everything random comes from the seed.
 */
#ifndef WORLD_H
#define WORLD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/timex.h>

#include "core/instant.h"
#include "core/rival.h"
#include "sys/helper.h"

#define PPM 1e-6

enum {
	FDS = 96,	 /* descriptors of a life */
	FILES = 12,
	FILE_BYTES = 4096,
	EVENTS = 512,
	SERVERS = 8,
	REQUESTS = 80,	 /* to a server in five minutes: five starts of 15 in
			    their first minutes, as one life has them */
	CHILDREN = 64,
	QUEUE = 4,	 /* datagrams that wait at a socket */
	DATAGRAM = 1280, /* bytes */
	GRANTS = 64,	 /* of keys, that servers remember */
	COOKIES = 1 << 19, /* whose use is counted */
	EXCHANGES = 25,	 /* of keys with a server in an hour: 13 by the growing
			    time between them, twelve that are hurried */
	NAME = 108,
	LINES = 40,	 /* of the log that a failure shows */
	LINE_BYTES = 400
};

#define PAGE "/page" /* of "clockbound on" */

/* ------------------------------------------------------------------- faults */

/* What can fail.  faults.c knows with which errors. */
enum call {
	CALL_ACCEPT, CALL_ADJTIMEX, CALL_BIND, CALL_CLOSE, CALL_CONNECT,
	CALL_DEVICE, CALL_FCNTL, CALL_FORK, CALL_FSTAT, CALL_FSYNC, CALL_GETRANDOM,
	CALL_GETSOCKNAME, CALL_GETSOCKOPT, CALL_KILL, CALL_LISTEN, CALL_LOG,
	CALL_MALLOC, CALL_MKDIR, CALL_OPEN, CALL_PIPE, CALL_POLL, CALL_PPOLL,
	CALL_READ, CALL_READ_PIPE, CALL_RECV, CALL_RECVMMSG, CALL_RECVMSG,
	CALL_RENAME, CALL_SEND, CALL_SEND_STREAM, CALL_SENDMMSG,
	CALL_SETSOCKOPT, CALL_SHUTDOWN, CALL_SOCKET, CALL_TIMERFD,
	CALL_TRUNCATE, CALL_UNLINK, CALL_WAITPID, CALL_WRITE, CALLS
};

struct fault {
	int64_t until; /* ns of true time; 0: none */
	double rate;   /* how often it happens, of 1 */
	int error;     /* errno; 0: the call does a part of its work */
};

/* ---------------------------------------------------------------- the world */

enum event_kind {
	EVENT_DATAGRAM, /* comes to a socket */
	EVENT_CHILD,	/* a child is done with its question */
	EVENT_PLOT,	/* something happens to the world */
	EVENT_ASK,	/* a client asks us for time or status */
	EVENT_RIVAL,	/* another program steers the clock, too */
	EVENT_STOP	/* the supervisor wants the daemon to end */
};

struct event {
	int64_t at; /* ns of true time; 0: this place is free */
	enum event_kind kind;
	int fd, child;
	uint32_t born; /* of the descriptor; another one has another number */
	int size;      /* of the datagram; 0: an ICMP error */
	bool sealed;   /* by a server of NTS; its bytes are in world.wire */
};

enum fd_kind {
	FD_FREE, FD_FILE, FD_NOTHING, FD_STREAM, FD_DATAGRAM, FD_LOCAL,
	FD_LISTEN, FD_CONNECTION, FD_PIPE_READ, FD_PIPE_WRITE, FD_TIMER,
	FD_NETLINK, FD_SERVE, FD_DEVICE
};

struct packet {
	int size; /* 0: an error of the network */
	int64_t stamp;
	bool sealed;
};

struct descriptor {
	enum fd_kind kind;
	uint32_t born;
	int flags, file, at, child;
	bool closed, stamps; /* at the other end; SO_TIMESTAMPNS */
	bool stuck;	     /* the client reads nothing */
	int server;	     /* that it is connected to, or -1 */
	int waiting;	     /* connections, changes of the link */
	int64_t opened;
	struct packet queue[QUEUE];
	int queued;
};

struct file {
	char name[NAME];
	bool is_socket, safe; /* safe: a loss of power keeps it */
	int size;
	char bytes[FILE_BYTES];
};

struct ntp_server {
	bool v6, silent, lies, alarm;
	double offset;	     /* s: how wrong it is */
	double drift;	     /* ratio: and how fast that grows */
	double up, down, jitter, loss, root_delay, root_dispersion; /* s */
	uint8_t stratum;
	char kiss[5];	     /* or "" */
	uint32_t epoch;	     /* of its keys of NTS: older cookies are void, */
	bool mute;	     /* and it does not say so */
	int64_t sent[REQUESTS]; /* the last ones to it, ns of true time */
	unsigned requests;
};

enum child_state { CHILD_FREE, CHILD_RUNS, CHILD_ENDED };

struct child {
	enum child_state state;
	int status, read_fd, owner;
	enum helper_kind kind;
	char name[64];
	bool synced;
	uint32_t born;
	double seconds;	  /* that it may take */
	int server;	  /* that exchanges keys, or -1 */
	size_t size, got; /* of the answer; taken by the daemon */
	unsigned char answer[HELPER_ANSWER];
};

/* Keys that a server of NTS gave. */
struct grant {
	int server;
	uint32_t number, epoch;
	uint8_t c2s[32], s2c[32];
};

/* The last reply of such a one. */
struct past {
	size_t size;
	uint8_t bytes[DATAGRAM];
};

/* How a datagram and its reply travel: s, and whether they arrive. */
struct trip {
	double up, down;
	bool lost;
};

/* What is the same for the whole seed. */
struct plan {
	uint64_t seed;
	bool honest;  /* most servers tell the truth at any time */
	bool set;     /* -s */
	bool syslog;  /* a daemon, else -d */
	bool names, serves, poll_short;
	bool edits;   /* most troubles are edits of the configuration */
	bool device;  /* there is a hardware clock, */
	int way;      /* which is read by one of the three ways; */
	bool sensor, trusted; /* so says the configuration */
	int servers, liars, constraints; /* of the configuration */
	int servers_most;
	double seconds, quiet; /* s with troubles, and s without them after that */
	double every;	       /* s between two troubles */
	double wander;	       /* ratio for a root of a second */
	enum rival_who rival;  /* who steers the clock, too, at times */
	unsigned nts;	       /* bits: servers that are to be authenticated */
	bool require;	       /* "nts require" */
};

/* Another program that steers the clock. */
struct other {
	bool here, told, down; /* it has told its status; the daemon stands down */
	int way, status_each;
	double every;	  /* s between two writes */
	int writes;	  /* its, since it came */
	int answered;	  /* the last of them that the daemon answered, */
	int ours;	  /* and how many were */
	int hits;	  /* of its: those that the daemon must count */
	int64_t hit_at;	  /* raw: the last of these */
	int64_t leaves;	  /* true time */
	int64_t wrote, before; /* raw: its last writes that could be seen */
	int64_t since;	  /* raw: they can be seen again */
	double longest;	  /* s: between two of them */
};

struct world {
	struct plan plan;
	uint64_t random, other_random; /* see aside() */
	int64_t t, utc; /* ns: true time of this world; its date at 0 */

	/* The machine's clocks. */
	int64_t raw, mono, boot, real; /* ns */
	double rest[2];		       /* ns below one, of raw and of real */
	double osc;		       /* ratio: raw against true time */
	int64_t wandered;
	struct timex kernel;
	double phase; /* ns that are still to be slewed */
	double grown; /* us below one, of maxerror */
	bool was_set; /* cancels the timer */
	int64_t moved; /* ns of mono: somebody else set the clock, or it slept */

	struct fault fault[CALLS];
	uint64_t called[CALLS], failed[CALLS];
	bool no_clock, read_only, full, no_network, no_names, no_https,
	    outage, /* no server answers */
	    kissed, /* one has said RATE or DENY */
	    killed, /* children are, at the memory limit */
	    vanished, /* the hardware clock is */
	    no_keys,  /* nobody exchanges keys */
	    attacked, /* somebody is on the way to all servers of NTS, */
	    large_lost; /* or drops large packets */
	double device; /* s: how wrong the hardware clock is */
	int slow;   /* 50: the program has 20 ms of processor time a second */
	double late; /* s: how late the program is woken */

	struct file file[FILES];
	struct ntp_server server[SERVERS];
	struct other other;
	struct event event[EVENTS];
	int events; /* behind it no place is taken */
	/* The bytes of datagrams on their way, and of those that wait. */
	uint8_t wire[EVENTS][DATAGRAM], inbox[FDS][QUEUE][DATAGRAM];

	struct grant grant[GRANTS];
	struct past past[SERVERS];
	uint32_t grants, cookies;
	uint8_t used[COOKIES / 8]; /* bits: cookies */
	int64_t exchange[SERVERS][EXCHANGES];
	unsigned exchanges[SERVERS];
	bool authentic;	 /* the daemon calls the time so */
	unsigned sealed; /* replies */

	/* The present life. */
	struct descriptor fd[FDS];
	struct child child[CHILDREN];
	uint32_t born;
	int limit;	       /* RLIMIT_NOFILE */
	int fork_child;	       /* the next fork is a helper's: its child */
	bool forked;	       /* it has become a daemon */
	bool ready, asked_to_end, calm, over;
	uint64_t pending;      /* signals */
	int64_t life_began, ready_at, stop_at, life_raw;
	int lines_start;       /* of the log */
	int64_t line_at[12];   /* raw: of the last lines */
	int next_line;
	long blocks, bytes, base_blocks, base_bytes; /* allocated */
	/* Lines of the configuration, by the memory that they take: now, at
	 * the start of this life, and the most that are in force or edited. */
	int conf_lines, base_lines, lines_most;
	int base_fds, most_fds;
	unsigned turns, events_come, second_turns, second_events;
	int64_t second;
	unsigned steps;
	bool denied; /* it was told that it may not set the clock */
	int64_t stepped_at;
	bool start_used;

	/* Of the whole seed. */
	double explained; /* s: what sleeps and foreign sets explain */
	int64_t trusted_from; /* true time: before it nothing is promised */
	bool synced;
	bool ours_is_last; /* of the writes to the kernel */
	bool outside; /* of the bound, once: see is_bound */
	double bound, offset;
	double calm_error; /* s: of the clock, when the troubles ended */
	double log_bytes; /* but for the reply lines of -d */
	unsigned lives, unready, all_turns, all_requests, plots, checks;
	char line[LINES][LINE_BYTES];
	unsigned lines;
	char ended[256]; /* what broke */
};

extern struct world *w;
extern bool verbose;

/* ------------------------------------------------------------------- random */

uint64_t random_word(void);
double uniform(void); /* (0, 1) */
double between(double, double);
double exponential(double mean);
double normal(void);
bool chance(double);

/* What was added later draws between two calls of this, from a stream of its
 * own, so that the other worlds of the same seeds stay as they are. */
void aside(void);

/* -------------------------------------------------------------------- time */

/* The date of true time; how wrong the machine's clock is, s. */
int64_t true_real(void);
double clock_error(void);

/* So many ns of true time pass. */
void pass(int64_t ns);

/* The machine sleeps; somebody else moves the clock; the power fails. */
void machine_sleeps(double s);
void machine_set(double s);
void machine_stops(double s);
void machine_begins(void);

int machine_adjust(struct timex *);
void machine_obey(const struct timex *); /* whoever writes this */
int machine_device(unsigned long request, void *to);

struct event *event_add(double s, enum event_kind);
struct event *event_next(void);

/* ----------------------------------------------------------------- the parts */

/* world.c: servers, names, HTTPS. */
extern const char *const server_names[SERVERS];
void server_asked(int server, int fd, const uint8_t *bytes, size_t size);
struct event *datagram(int fd, double s);
uint8_t *event_bytes(const struct event *);
void put_time(uint8_t *, int64_t real);
void child_asks(const struct helper_job *, struct child *);
void child_begins(int child);
void child_done(struct child *);
void child_ends(struct child *, int status);

/* plot.c */
void plot_make(uint64_t seed, double days); /* 0: some hours */
void plot_happens(void);
void plot_calm(void);
void print_faults(void); /* those that last */
void write_conf(bool mistake);
bool is_nts(void); /* does the configuration want proof? */

/* nts.c */
struct steer;
struct tls_question;
extern bool nts_sealed;
void keys_asked(const struct tls_question *, struct child *);
void keys_begin(const struct child *);
void keys_done(struct child *);
void nts_asked(int server, int fd, const uint8_t *bytes, size_t size,
    const struct trip *, uint8_t *header);
void nts_judge(const struct steer *);

/* rivals.c */
struct clock;
void rival_begins(void);
void rival_happens(void);
void rival_unknown(void);
void rival_unseen(void);
void rival_joined(void);
void rival_wrote_now(void);
void rival_ours(void);
void rival_judge(const struct clock *);

/* calls.c */
void event_come(struct event *);
void life_begins(void);
struct file *file_find(const char *name);
struct file *file_make(const char *name);

/* whole.c: something is broken; the life ends at once. */
_Noreturn void broken(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
bool is_bound(double wrong, double bound);
#define CHECK(is, ...) ((is) ? (void)w->checks++ : broken(__VA_ARGS__))

enum { LIFE_BROKEN = 77, LIFE_CRASHED = 78 };

/* The daemon's main. */
int ntpd_main(int, char **);

#endif
