/*
 * ntp.h - the pure floor: packets, sources, constraints, selection, discipline.
 *
 * Nothing declared here reads a clock, opens, sends, allocates, logs or exits.
 * Time and random numbers come in as arguments, decisions go out as values.
 *
 * Points in time are int64_t nanoseconds named after their clock: raw is
 * CLOCK_MONOTONIC_RAW, real is CLOCK_REALTIME (since 1970).  Lengths are double
 * seconds; frequencies are plain ratios (1e-6 is one ppm), positive when the
 * raw clock must be sped up to agree.
 */
#ifndef NTP_H
#define NTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_S 1000000000LL
#define NEVER INT64_MAX /* a time that does not come */

enum {
	NTP_SIZE = 48, /* RFC 5905 §7.3, without extensions */
	NTP_PORT = 123,
	POOL_MAX = 8,	   /* members of one "servers" line */
	SOURCES_MAX = 4096 /* of all lines together */
};

/* A numeric address; family 0 is "none", 4 uses bytes[0..3], 6 all sixteen. */
struct address {
	uint8_t family;
	uint8_t bytes[16];
	uint32_t scope; /* interface of a link-local address */
};

/* One reading of both clocks. */
struct instant {
	int64_t raw, real;
};

/* ------------------------------------------------------------------ ntp.c */

enum ntp_mode { MODE_ACTIVE = 1, MODE_PASSIVE, MODE_CLIENT, MODE_SERVER };
enum ntp_leap { LEAP_NONE, LEAP_INSERT, LEAP_DELETE, LEAP_ALARM };

struct ntp_packet {
	uint8_t leap, version, mode, stratum;
	int8_t poll, precision; /* log2 seconds */
	double root_delay, root_dispersion;
	uint32_t refid; /* first byte on the wire is highest */
	uint64_t reference, origin, receive, transmit; /* 32.32 of an era */
};

/* What this host says of itself when it serves time; see ntp_answer. */
struct serving {
	uint8_t leap, stratum; /* LEAP_ALARM and 0: unsynchronised */
	int8_t precision;
	uint32_t refid;
	double root_delay, root_dispersion; /* the latter at raw, in seconds */
	double growth;			    /* of the dispersion, a ratio */
	int64_t raw, reference; /* when that held; last update (real) */
};

/* Why a request gets no answer. */
enum ntp_refusal {
	ANSWERED,
	REFUSED_LENGTH,
	REFUSED_MODE,
	REFUSED_VERSION,
	NTP_REFUSALS
};

/* Bytes to fields; false if size is below NTP_SIZE.  Trailing bytes are not
 * looked at. */
bool ntp_parse(const uint8_t *bytes, size_t size, struct ntp_packet *);

/* Fields to bytes; root delay and dispersion are rounded up and clamped. */
void ntp_format(const struct ntp_packet *, uint8_t out[static NTP_SIZE]);

/* A client's request that tells nothing but its nonce (RFC 9109 §3 and
 * draft-ietf-ntp-data-minimization). */
void ntp_query(uint64_t nonce, uint8_t out[static NTP_SIZE]);

/* The nonce of a request. */
uint64_t ntp_nonce(const uint8_t request[static NTP_SIZE]);

/* The NTP stamp that lies within 68 years of pivot, in ns since 1970, and the
 * way back.  RFC 5905 §6: the era is not on the wire. */
int64_t ntp_to_real(uint64_t stamp, int64_t pivot);
uint64_t ntp_from_real(int64_t real);

/* The reply to a client's request: ANSWERED and NTP_SIZE bytes in out, or the
 * reason for silence.  size is the length on the wire (a longer datagram is
 * answered with NTP_SIZE bytes; extension fields and MACs come in words of four
 * octets, so any other length is refused).  Only the first NTP_SIZE bytes are
 * read.  now_raw is used for the dispersion's growth; a reference of 0 is sent
 * as 0.  out may be request itself. */
enum ntp_refusal ntp_answer(const uint8_t *request, size_t size,
    const struct serving *, int64_t received_real, int64_t now_raw,
    int64_t transmit_real, uint8_t out[static NTP_SIZE]);

extern const char *const ntp_refusal_words[NTP_REFUSALS];

/* ------------------------------------------------------------- calendar.c */

enum calendar_form {
	CALENDAR_LOG,	 /* Tue Mar  3 20:18:48 UTC 2020 */
	CALENDAR_HTTP,	 /* Tue, 03 Mar 2020 20:18:48 GMT */
	CALENDAR_SYSLOG, /* Mar  3 20:18:48 (RFC 3164 §4.1.2) */
	CALENDAR_DAY,	 /* 2020-03-03 */
	CALENDAR_TIME	 /* 2020-03-03 20:18:48 UTC */
};
enum { CALENDAR_TEXT = 64 };

/* Seconds since 1970 as text of that form, in UTC; returns out. */
const char *calendar_text(
    int64_t seconds, enum calendar_form, char out[static CALENDAR_TEXT]);

/* --------------------------------------------------------------- filter.c */

/* One exchange with a server, on the raw axis: at raw (its middle) the
 * server's clock was "ahead" of CLOCK_MONOTONIC_RAW by that many ns. */
struct sample {
	int64_t raw, ahead;
	double delay;	  /* round trip without the server's part */
	double error;	  /* server's root delay/2 + dispersion */
	double precision; /* noise of the stamps themselves, s */
};

enum {
	FILTER_WANDERS = 7,
	FILTER_SHAPES = 5,
	FILTER_MODELS = FILTER_WANDERS * FILTER_SHAPES,
	FILTER_DELAYS = 64,
	FILTER_GROUP = 8,
	FILTER_GROUPS = 64
};

struct filter_model {
	double x, f;	   /* offset, frequency: source - raw */
	double xx, xf, ff; /* their covariance */
	double fit;	   /* log likelihood, forgetting */
};

/* One source's clock against the raw clock.  It is filter.c's, and others may
 * read samples; select.c alone also keeps the mean of the biases at zero, and
 * sets joined to 0 when the joint filter begins again. */
struct filter {
	int samples;		    /* learnt since the last start */
	int64_t raw0, ahead0;	    /* origin of the doubles below */
	double at, good;	    /* s since raw0: of the last sample, and
				       of the last one that was learnt */
	double freq0, ff0;	    /* known of the frequency beforehand */
	double x, f, xx, xf, ff, q; /* mixture of the models at "at" */
	struct filter_model model[FILTER_MODELS];
	float delay[FILTER_DELAYS], low[FILTER_GROUPS], least;
	double excess, drop, usual;
	int64_t short_at; /* raw of the last short delay */
	int delays, strange;
	double share;	       /* of all influence, see filter_share */
	double bias, bias_var; /* s: against the joint filter */
	int joined;	       /* samples that filter has from here */
	int64_t joined_at;     /* raw of the last */
};

/* Ratios.  No crystal and no virtual machine's counter is further off than
 * FREQ_USUAL, RFC 5905 §7.2's MAXFREQ.  What is further off than FREQ_FAR is no
 * clock any more. */
#define FREQ_USUAL 500e-6
#define FREQ_FAR 5000e-6

#define FILTER_POLL_MOST 1024.0 /* s: longest interval nobody configured */

/* What one source says of the time, moved to raw. */
struct estimate {
	int64_t raw, ahead;
	double sd; /* of ahead, s */
	double freq, freq_sd;
};

enum filter_said { FILTER_USED, FILTER_STRANGE, FILTER_RESTARTED };

/* Forget everything; freq is where the next start begins (0 and 100e-6 when
 * nothing is known, the drift file's value and 1e-6 when it is).  Both are cut
 * at FREQ_FAR. */
void filter_reset(struct filter *, double freq, double freq_sd);

/* The time scale itself moved by so many ns (a leap second, the mean of the
 * joint filter's biases): what is known moves with it. */
void filter_shift(struct filter *, int64_t ns);

/* Learn one sample.  FILTER_STRANGE: it fits nothing known and is held back;
 * ask again soon (2 s).  FILTER_RESTARTED: it was the last of a row of such,
 * the filter has begun again there. */
enum filter_said filter_learn(struct filter *, const struct sample *);

/* The estimate at raw (not before the last sample); false without samples. */
bool filter_estimate(const struct filter *, int64_t raw, struct estimate *);

/* Least delay in memory, and what it may be too long by, s. */
double filter_least(const struct filter *);
double filter_spread(const struct filter *);

/* Give the newest sample of a source, which its own filter has learnt, to the
 * joint filter of all: less the source's bias, which is learnt from the two
 * filters' difference. */
void filter_join(struct filter *joint, struct filter *, const struct sample *);

/* What part of all influence this source has: 1 for the only one.  Those that
 * have little are asked less often. */
void filter_share(struct filter *, double share);

/* Seconds until the next sample is wanted, within [least, most], less right
 * after a start.  previous is the last interval (at most doubled at a time). */
double filter_interval(
    const struct filter *, double previous, double least, double most);

/* --------------------------------------------------------------- select.c */

enum select_said {
	SELECT_NONE,	/* took no part */
	SELECT_FALSE,	/* outside of the majority's interval */
	SELECT_OUTLIER, /* inside, but its frequency stands apart; or outside,
			   and our own oscillator may be the reason */
	SELECT_USED,
	SELECT_SYSTEM, /* used, and the best one */
	SELECT_SAYS
};
extern const char *const select_words[SELECT_SAYS];

/* One source as it stands for election; all at the same raw time. */
struct candidate {
	int index; /* the caller's, given back in verdict */
	int64_t raw, ahead;
	int64_t heard; /* raw: of its newest sample */
	double sd, freq, freq_sd;
	double distance; /* half width of its interval: delay/2 + root delay/2
			    + dispersions + noise + how far it is outside of the
			    newest sample's own interval */
	double doubt;	 /* added to distance for the vote, but not for the
			    weight: uncertainty that says nothing about this
			    path */
	double path;	 /* distance without the server's own root distance */
	double delay, root_delay, root_dispersion; /* root_*: server's own */
	int weight; /* 1..10, multiplies its influence */
	bool trusted;
	bool outside; /* it was no part of the last majority, or there was
			 none */
	uint8_t stratum, leap;
	uint32_t refid; /* that names this server to our clients */
	int samples;
	struct filter *filter;	     /* the caller's, for select_join */
	const struct sample *sample; /* its newest */
	enum select_said said;	     /* out */
};

struct verdict {
	int64_t raw, ahead; /* the agreed time, as in struct sample */
	int64_t heard;	    /* raw: of the newest sample in it */
	double sd;	    /* of ahead: noise */
	double distance;    /* bound of ahead's error */
	double path;	    /* of distance, what the way to the servers
			       explains: an offset beyond it is our clock's */
	double freq, freq_sd;
	int agree, of; /* votes inside the interval, of all */
	int system;    /* index of the best candidate */
	int samples;   /* of the system source */
	double root_delay, root_dispersion; /* ours, through the best one */
	uint8_t stratum, leap; /* leap by majority; ours, so best + 1 */
	uint32_t refid;
};

/* The intersection of the candidates' intervals (RFC 5905 §11.2.1, one vote
 * each) that holds more than half of them, and within it the combination.
 * Fills said of every candidate; one whose numbers are not finite and positive
 * does not stand (SELECT_NONE, and not counted).  False: no majority, and the
 * verdict has agree and of only. */
bool select_vote(struct candidate[], int n, struct verdict *);

/* After a vote that succeeded: all used sources watch one oscillator, so their
 * samples go to one filter, each less its server's bias; what that says of the
 * time and the frequency replaces the verdict's. */
void
select_join(struct filter *joint, struct candidate[], int n, struct verdict *);

/* May the clock be set at start?  counted: sources that can be asked (their
 * connect succeeded), answered: of those, agree: in the majority; waited:
 * seconds since the first request.  More than half of counted must have
 * answered and agree (both of two); from 2.5 s on the majority is over those
 * that answered. */
bool select_first(int counted, int answered, int agree, double waited);

/* ----------------------------------------------------------- discipline.c */

/* What is to be done to the kernel clock: one adjtimex(2) call. */
struct orders {
	bool act;		     /* false: nothing to do */
	int64_t step;		     /* ns to add at once, 0: no step */
	double freq;		     /* ratio, may exceed 500e-6 */
	int64_t phase;		     /* ns to slew by the kernel's PLL */
	int constant;		     /* its time constant, 0..10 */
	double max_error, est_error; /* s, for maxerror and esterror */
	uint8_t leap;		     /* LEAP_NONE, _INSERT or _DELETE */
	bool synced;		     /* clear STA_UNSYNC */
};

struct discipline {
	bool have;	    /* there is an estimate */
	int64_t raw, ahead; /* the estimate and when it held */
	int64_t heard;	    /* raw: of the newest sample in it */
	double sd, distance, path; /* as in struct verdict */
	double freq, freq_sd;
	double freq_most;    /* no order and no forecast goes beyond it */
	struct filter joint; /* for select_join */
	int64_t due;	     /* raw: when to be called again */
	int64_t awake_until; /* raw: extra wake-ups until then */
	double interval;     /* s, poll of the system source */
	uint8_t leap;
	bool slewing; /* a large offset is being slewed */
};

/* freq is the kernel's or the drift file's; known says whether anything vouches
 * for it.  An unknown one may still be a predecessor's: it is where the estimate
 * begins, if a crystal can need it, with a crystal's uncertainty. */
void discipline_start(struct discipline *, double freq, bool known);

/* From now on no order and no forecast goes beyond freq_most (a ratio):
 * FREQ_USUAL at the start, FREQ_FAR when confidence_most grants it.  If the
 * estimate is beyond, the rest shows as an offset at each reply, which is slewed,
 * and the bound grows faster. */
void discipline_limit(struct discipline *, double freq_most);

/* The frequency that may be ordered: the estimate within that limit. */
double discipline_freq(const struct discipline *);

/* Take a verdict; interval is the poll interval of its system source. */
void
discipline_learn(struct discipline *, const struct verdict *, double interval);

/* What the kernel clock should be told at this instant.  Called after a
 * discipline_learn and when raw reaches due.  Never orders a step: those are
 * decided by the caller with discipline_offset. */
struct orders discipline_turn(struct discipline *, const struct instant *);

/* Time had a gap (suspend) or must not be trusted: keep the frequency, forget
 * the rest. */
void discipline_forget(struct discipline *);

/* Nobody is believed any longer: go on at this frequency (a ratio) from now on;
 * new orders are due at once.  freq_sd is what it may be wrong by; 0: no more
 * than the present one.  The bound grows by what it differs from the estimate,
 * since either may be the truth. */
void discipline_hold(struct discipline *, double freq, double freq_sd,
    const struct instant *now);

/* The caller has stepped the clock by the estimate: nothing is left to slew. */
void discipline_stepped(struct discipline *);

/* ns the system clock should gain at that instant; 0 without an estimate. */
int64_t discipline_offset(const struct discipline *, const struct instant *);

/* Bound of the system clock's error at that instant, s: the verdict's
 * distance, grown by what the frequency may be wrong by since, plus the offset
 * still to be slewed.  HUGE_VAL without an estimate. */
double discipline_bound(const struct discipline *, const struct instant *);

/* How fast that bound grows without new samples: a ratio. */
double discipline_growth(const struct discipline *);

/* ------------------------------------------------------------------ calm.c */

/* How often something may be done: "most" times at once, then once in "every"
 * seconds.  All zero at first.  pace_next is the raw time from when on it may be
 * done again; pace_take notes that it is done now. */
struct pace {
	int64_t full; /* raw: when all of "most" are free again */
};
int64_t pace_next(const struct pace *, int most, double every);
void pace_take(struct pace *, int64_t raw, double every);

/* One subject of the log: a server, a constraint, the clock.  State 0 is well,
 * others are the caller's.  All zero at first. */
struct said {
	int state, told;  /* at the last look; in the last line */
	int64_t since;	  /* raw: of that state */
	int64_t told_at;  /* raw: of that line */
	unsigned changes; /* since that line */
	unsigned held;	  /* of those before that line, not told */
	struct pace pace;
};
#define SAID_STILL 3600.0 /* s: a state that stays is told so often */

/* Look at the state: true if it is to be told now, because it differs from what
 * was told last and this subject has not said too much.  To be called again
 * while that lasts: what is held back now is told later, if it still holds. */
bool said_news(struct said *, int state, int64_t raw);

/* All is well, which is not worth a line. */
void said_well(struct said *);

/* True once an hour while the state is not 0: it has "lasted" so many s. */
bool said_still(struct said *, int64_t raw, double *lasted);

/* The budget of all lines: 60 in the first five minutes, then 12 an hour, of
 * which debug lines leave some to news, and both to the hourly state. */
enum calm_rank { CALM_DEBUG, CALM_NEWS, CALM_STATE };
enum {
	CALM_KINDS = 96, /* kinds of lines that are told apart */
	CALM_LINES = 12	 /* in an hour */
};
struct calm {
	bool on, started;    /* began; the first five minutes are over */
	int64_t began, note; /* raw; when held lines are told */
	int lines;	     /* in the first five minutes */
	unsigned held;	     /* since the last note */
	int64_t at[CALM_LINES]; /* raw: of the last lines; 0: none */
	int next;		/* of them: the oldest */
	struct calm_kind {
		const void *is; /* the format's address tells kinds apart */
		int lines;
		struct pace pace;
	} kind[CALM_KINDS];
};

/* The budget begins; before that everything may be said. */
void calm_start(struct calm *, int64_t raw);

/* May this line be written?  Counts it either way. */
bool calm_may(struct calm *, const void *kind, enum calm_rank, int64_t raw);

/* How many lines were held back, when it is time to say so (once an hour, and
 * that line may be written now); else 0.  calm_due: when to ask, or NEVER. */
unsigned calm_held(struct calm *, int64_t raw);
int64_t calm_due(const struct calm *);

/* ----------------------------------------------------------- constraint.c */

/*
 * How the loop uses this room.  One struct constraint per line of the
 * configuration; c.due (raw) says when constraint_turn wants to be called.
 *
 *	constraint_start	once, and for new lines of a reload
 *	constraint_turn		when due, until it says CONSTRAINT_REST:
 *	    CONSTRAINT_RESOLVE	look the host up; then constraint_resolved
 *	    CONSTRAINT_ASK	start a child for c.vote[*index].address; then
 *				constraint_reply, _failed or _busy with index
 *	constraint_bound	after any of these, and at the time it returns
 *	constraint_reset	when every source breaks the bound, or the
 *				answers disagree
 *	constraint_forget	for each, when the raw clock had a gap
 *	constraint_hurry	for each, when the network may be well again
 *
 * Where it takes a random number, that is in [0, 1).
 */
enum {
	CONSTRAINT_ADDRESSES = 8,
	CONSTRAINTS_MAX = 64,
	CONSTRAINT_REASON = 160
};

enum constraint_want { CONSTRAINT_REST, CONSTRAINT_RESOLVE, CONSTRAINT_ASK };

/* One answer: at raw the server's clock was "ahead" of the raw clock. */
struct constraint_answer {
	int64_t raw, ahead;
	double error; /* half width at raw, s */
};

/* One address of a line. */
struct constraint_vote {
	struct address address;
	bool asked; /* a question is under way */
	bool stale; /* ... but its answer will be void */
	bool tried; /* in this round */
	bool have;  /* the answer below, since the last lookup */
	struct constraint_answer answer;
};

/* One "constraint" or "constraints" line.  Fields below "life" are
 * constraint.c's; the last group may be read for status. */
struct constraint {
	/* who: set by constraint_start */
	int line;   /* index into the configuration's */
	bool pool;  /* "constraints": every address votes */
	bool fixed; /* addresses known; never looked up */
	/* s, between tries in vain, the caller's to set; 0: 900 */
	double retry_most;

	/* life */
	bool resolving, round;
	bool resolve; /* the next round begins with a lookup */
	bool settled; /* the first round is over */
	int addresses;
	struct constraint_vote vote[CONSTRAINT_ADDRESSES];
	struct constraint_answer kept[CONSTRAINT_ADDRESSES]; /* former */
	int keeps;
	int64_t begun;	    /* raw: first question; NEVER: not yet */
	int64_t next;	    /* raw: of the next round */
	int64_t refresh;    /* raw: when answers are to be renewed */
	int64_t second;	    /* raw: when the next address may be asked
					   though the last is silent */
	int64_t reset;	    /* raw: last constraint_reset, or NEVER */
	int tries, lookups; /* in a row without success */
	struct pace hurried; /* of constraint_hurry that had an effect */

	/* for the loop and for status */
	int64_t due; /* raw: call constraint_turn then */
	char reason
	    [CONSTRAINT_REASON]; /* of the last failure, "" after success */
	uint64_t queries, failures;
	bool answered; /* since the start or a gap, as follows: */
	struct address last_address;
	struct constraint_answer last;
	bool stored; /* likewise, but the answer came out of a cache: */
	struct constraint_answer store;
};

/* What the HTTPS servers' dates say of the time: at raw their median was
 * "ahead" of the raw clock.  votes 0: no bound. */
struct bound {
	int votes;
	int64_t raw, ahead;
	int64_t made;	  /* raw: of the (older) answer in the middle */
	double error;	  /* half width at raw, s; grows with age */
	double width;	  /* s: the part of it that is the answers' own error */
	int64_t earliest; /* real: never before this (build date) */
	bool wanted;	  /* constraints are configured */
	int answers;	  /* more than votes: some disagree */
	bool asking;	  /* some are being asked */
	bool tried;	  /* each has had a try since the start or a gap */
	bool stored;	  /* made of caches' answers, as there are no others */
};

enum bound_said { BOUND_OK, BOUND_BROKEN, BOUND_MISSING, BOUND_BUILD };

/* Is a server that is "ahead" at raw inside the bound?  BOUND_MISSING: none
 * yet, though wanted; BOUND_BUILD: before the build date. */
enum bound_said bound_check(const struct bound *, int64_t raw, int64_t ahead);

/* Its half width at raw, s. */
double bound_error(const struct bound *, int64_t raw);

/* Begin; due at raw.  n addresses (at most CONSTRAINT_ADDRESSES) if the host is
 * numeric or addresses follow the URL, n 0 if the host is to be looked up. */
void constraint_start(struct constraint *, int line, bool pool,
    const struct address[], int n, int64_t raw);

/* What it wants at raw.  Call again until CONSTRAINT_REST. */
enum constraint_want
constraint_turn(struct constraint *, int64_t raw, int *index);

/* The lookup's result, in the resolver's order; n 0: it failed, and reason
 * (copied) says why. */
void constraint_resolved(struct constraint *, const struct address[], int n,
    const char *reason, int64_t raw, double random);

/* The server at vote[index] gave an answer.  False: it is void, asked before
 * the raw clock had a gap; the address is asked again. */
bool constraint_reply(struct constraint *, int index,
    const struct constraint_answer *, int64_t raw, double random);

/* It gave none; reason is copied.  Returns the seconds to the next question of
 * this line: 0 when another address is asked at once. */
double constraint_failed(struct constraint *, int index, const char *reason,
    int64_t raw, double random);

/* What it gave came out of a cache (constraint_failed is to follow): the time is
 * somewhere in the answer's width, which is the answer's age.  That makes a bound
 * only while no constraint has anything better. */
void constraint_stored(
    struct constraint *, int index, const struct constraint_answer *);

/* The child for vote[index], or the lookup (index -1), could not be started now:
 * in a second.  reason is copied; NULL: only the table is full. */
void constraint_busy(
    struct constraint *, int index, const char *reason, int64_t raw);

/* All answers are void, ask at once. */
void constraint_forget(struct constraint *, int64_t raw);

/* The network is back or another one: ask now, if it has been failing. */
void constraint_hurry(struct constraint *, int64_t raw);

/* Every source breaks the bound, or the answers disagree: ask all again, but at
 * most once in 15 minutes.  What they said counts until they have answered.
 * True if that was done ("Reset constraint info"). */
bool constraint_reset(struct constraint[], int n, int64_t raw);

/* The bound of all answers at raw; touches all but earliest.  Returns when it
 * should be asked for again though nothing happens (raw), or NEVER. */
int64_t
constraint_bound(const struct constraint[], int n, int64_t raw, struct bound *);

/* While the bound is missing: the line whose answer is waited for (its reason
 * may still be ""), or NULL if all have answered, but disagree. */
const struct constraint *constraint_blamed(const struct constraint[], int n);

/* ----------------------------------------------------------- confidence.c */

/* Which frequency (ratio) the clock may run at, and which one it returns to.
 * All fields are confidence.c's; known, far and fell_back may be read. */
struct confidence {
	double confirmed;	  /* the last one that was */
	int64_t confirmed_at;	  /* raw */
	bool known;		  /* it was; else it is only the first one */
	double trial;		  /* the one that is being confirmed */
	int64_t trial_since;	  /* raw; 0: none */
	struct bound trial_begin; /* what the constraints said then */
	int64_t beyond_since;	  /* raw: the majority wants more than
					   FREQ_USUAL since then; 0: it does not */
	struct bound begin;	  /* what the constraints said then */
	bool far;		  /* up to FREQ_FAR is granted */
	bool fell_back;		  /* nobody was believed since the last vote */
};

/* Begin with this frequency; known: the kernel or the drift file vouches for
 * it. */
void confidence_start(
    struct confidence *, double freq, bool known, int64_t raw);

/* An election succeeded.  True: the constraints must be asked anew before the
 * frequency that it found can be granted. */
bool confidence_vote(
    struct confidence *, const struct verdict *, const struct bound *);

/* An election failed: the ten minutes for a frequency beyond FREQ_USUAL begin
 * anew, but one that has been granted stays. */
void confidence_doubt(struct confidence *);

/* The raw clock had a gap: answers from before it tell nothing of its speed.  What
 * was granted without being confirmed begins anew. */
void confidence_gap(struct confidence *);

/* A leap second moved the servers' time by so many ns. */
void confidence_leapt(struct confidence *, int64_t ns);

/* What may be ordered at most: FREQ_USUAL or FREQ_FAR. */
double confidence_most(const struct confidence *);

/* Nobody is believed any longer: the frequency to go on with, which is as near to
 * freq as what was confirmed vouches for.  What was granted without being
 * confirmed, or was being confirmed, begins anew. */
double confidence_fallback(struct confidence *, double freq, int64_t raw);

/* ------------------------------------------------------------------ http.c */

enum {
	HTTP_HEAD_MAX = 8192,	  /* bytes of headers, as OpenNTPD */
	HTTP_AGE_MOST = 366 * 86400 /* s: older than any cache keeps (RFC 9111
				       has one year) */
};

enum http_said {
	HTTP_MORE, /* good so far, read on */
	HTTP_DATE,
	HTTP_ALIEN,	/* does not begin with HTTP/1. */
	HTTP_NONE,	/* the headers end without a Date */
	HTTP_MALFORMED, /* a Date, but not an IMF-fixdate */
	HTTP_LONG,	/* HTTP_HEAD_MAX bytes without a Date */
	HTTP_NUL,
	HTTP_STORED,	/* a cache's: its Date is of some time ago */
	HTTP_SAYS
};
extern const char *const http_words[HTTP_SAYS];

struct tm;

/* Seconds since 1970 of a UTC date between the years 1 and 9999; false if
 * there is no such day or time.  Second 60 is the next minute's 0. */
bool http_seconds(const struct tm *, int64_t *seconds);

/* An IMF-fixdate (RFC 9110 §5.6.7) of exactly size bytes, 1970 to 2261, whose
 * weekday is right. */
bool http_date(const char *text, size_t size, int64_t *real);

/* What the headers say of the time. */
struct http_time {
	int64_t real; /* the Date */
	size_t dated; /* bytes up to the end of its line; 0: none yet */
	int64_t age;  /* s in a cache; -1: not said */
	bool hit;     /* a cache says that it had the answer */
	bool stale;   /* a warning says so, whatever the age */
};

/* Read the beginning of an answer, all that has come so far.  HTTP_DATE when the
 * headers are complete, or as long as may be, and nothing in them says that a
 * cache had the answer: the lines come in any order.  dated is set sooner, so
 * that the caller can note when the Date came. */
enum http_said http_head(const char *bytes, size_t size, struct http_time *);

/* The HEAD request, which forbids caches to answer.  Its size, or 0 if it does
 * not fit, or if host or path hold what cannot be sent. */
size_t http_request(const char *host, uint16_t port, const char *path,
    char *out, size_t capacity);

/* --------------------------------------------------------------- source.c */

/* Times in ns of one exchange: sent and got on the raw axis. */
struct stamps {
	int64_t sent, got;
	double precision; /* s: uncertainty of the two */
};

enum source_state {
	SOURCE_UNRESOLVED, /* no address */
	SOURCE_IDLE,	   /* waits for its next request */
	SOURCE_WAITING,	   /* a request is under way */
	SOURCE_STOPPED,	   /* told to stop: until names are resolved */
	SOURCE_STATES
};

enum { SOURCE_RECENT = 8 };

enum source_want { WANT_NOTHING, WANT_SEND, WANT_TIMEOUT };

/* What became of a reply; the first that applies. */
enum source_said {
	SAID_ACCEPTED,
	SAID_SHORT,	/* below 48 bytes */
	SAID_ORIGIN,	/* not an answer to our request */
	SAID_DUPLICATE, /* nothing was asked */
	SAID_MODE,
	SAID_VERSION,
	SAID_RATE,
	SAID_DENY, /* kiss-o'-death with the right origin */
	SAID_KISS, /* another kiss */
	SAID_ALARM,
	SAID_STRATUM,
	SAID_STAMPS, /* zero, or transmit before receive */
	SAID_DELAY,  /* negative, or too long */
	SAID_ROOT,   /* root delay or dispersion not sane */
	SAID_BUILD,  /* date before the build */
	SAID_BOUND,  /* outside of the constraint */
	SAID_SELF,   /* none: the request came to ourselves */
	SAID_LOOP,   /* it follows us (RFC 5905 §A.5.5.1: refid) */
	SAID_SAYS
};
extern const char *const source_words[SAID_SAYS];

struct source {
	/* who: set by the owner */
	int line; /* index into the configuration's servers */
	bool in_use, trusted;
	int weight;
	double poll_least, poll_most; /* s */
	double distance_most;	      /* s: of its root; 0: the default */
	struct address address;	      /* family 0: none */
	/* Silent ones take turns: how many there are (0: one), and where this
	 * one stands among them, in [0, 1). */
	int crowd;
	double phase;

	/* the exchange */
	enum source_state state;
	int64_t due;	    /* raw: next request or time-out */
	int64_t first_sent; /* raw: of this address, 0: never */
	int64_t sent;	    /* raw: last request */
	uint64_t nonce;
	double interval;  /* s: the poll interval asked for */
	double slowest;	  /* s: floor after KoD RATE */
	int patient;	  /* good replies since then or its halving */
	int burst;	  /* quick exchanges still to make */
	int silent;	  /* requests in a row without reply, or failed */
	int failed;	  /* of these: could not be sent */
	struct pace pace; /* of requests since the last good reply */
	int moves;	  /* to other addresses since that reply */
	bool explained;	  /* why this request got no reply is known */
	int denied;	  /* DENY or RSTR in a row */
	uint8_t reach;	  /* last eight requests, newest lowest */
	int trust;	  /* 0..10, as OpenNTPD shows it; valid from 6 */
	bool unreachable; /* connect or send failed on this address, which
			     never answered, or it fails for minutes */
	bool loops;	  /* it follows us: not used while it does */
	struct sample far; /* the last one that was refused for its root
			      distance; raw 0: none since a good reply */

	/* what it said last */
	enum source_said said;
	double refused; /* what was wrong with it: its delay or root distance
			   in s, or stratum */
	struct ntp_packet last;
	struct sample sample;
	enum select_said selected;
	double recent_delay[SOURCE_RECENT]; /* last ones, for ntpctl */
	int jitter_head;		    /* exchanges in the above */
	bool named;	   /* the log has called it a falseticker */
	int doubted;	   /* polls in a row as such, or outside of the bound */
	bool far_said;	   /* the log has said that it is too far from its
			      root */
	struct filter filter;
	uint64_t requests, replies, rejected[SAID_SAYS];
};

enum { TRUST_START = 2, TRUST_VALID = 6, TRUST_MAX = 10 };

/* Begin with this address; the first request is due after delay seconds. */
void source_start(struct source *, const struct address *, int64_t raw,
    double delay, double freq, double freq_sd);

/* What it wants at raw: WANT_SEND (then call source_sent or source_failed) or
 * WANT_TIMEOUT (a request went unanswered; state is updated already).
 * starting: the clock is not synchronised yet, so ask again soon.  random is
 * in [0, 1). */
enum source_want
source_turn(struct source *, int64_t raw, bool starting, double random);

/* The request with this nonce has left. */
void source_sent(struct source *, int64_t raw, uint64_t nonce, bool starting);

/* connect or send failed: this address cannot be reached at present. */
void source_failed(struct source *, int64_t raw, bool starting, double random);

/* It could not be asked for a reason that is not its own (no descriptor, no
 * buffer): later. */
void source_delayed(struct source *, int64_t raw, double random);

/* What a reply is judged by, beside itself. */
struct judgement {
	const struct bound *bound; /* constraint; also the earliest date */
	int64_t pivot;		   /* real: era of the stamps */
	double random;		   /* [0, 1) */
	const uint32_t *ours; /* reference ids that name this host to others,
				 the caller's */
	int count;	      /* of them */
};

/* A datagram came.  What is not SAID_ACCEPTED, _RATE, _DENY, _BOUND or _LOOP
 * leaves everything as it was, but for the counters.  See RFC 5905 §8. */
enum source_said source_reply(struct source *, const uint8_t *bytes,
    size_t size, const struct stamps *, const struct judgement *);

/* The request that is under way came to this daemon itself: this is no source of
 * time.  It is not asked again until names are resolved.  True if that is news. */
bool source_self(struct source *);

/* Its candidacy at raw; false if it has nothing to say. */
bool source_candidate(const struct source *, int64_t raw, struct candidate *);

/* Its candidacy at raw by a sample that was refused for its root distance alone.
 * That is better than nothing where the clock is to be set and nobody else is
 * there.  False: there is none of the last minute. */
bool source_resort(const struct source *, int64_t raw, struct candidate *);

/* The root distance up to which it is used, s. */
double source_distance_most(const struct source *);

/* Time had a gap: samples are void, ask at once. */
void source_forget(struct source *, int64_t raw, double freq, double freq_sd);

/* Ask soon, with a burst, but keep the samples: the system clock was set. */
void source_hurry(struct source *, int64_t raw);

/* How many requests have been used up of those that it may be sent at once while
 * it does not answer; below 0: none. */
double source_spent(const struct source *, int64_t raw);

/* Another server's reply tells that the network is back: ask at once if this one
 * was silent. */
void source_nudge(struct source *, int64_t raw);

/* Its name was resolved anew and this is still its address: ask again, if it was
 * told to stop (else false). */
bool source_resume(struct source *, int64_t raw, double freq, double freq_sd);

/* A leap second moved the server's time by so many ns; it is announced no
 * longer. */
void source_leapt(struct source *, int64_t ns);

/* Root mean square of the last delays above their least, s (ntpctl). */
double source_jitter(const struct source *);

/* The pivot of the era of NTP stamps: real while synchronised, else a date near
 * the build that allows for 68 years either way. */
int64_t source_pivot(bool synced, int64_t real, int64_t build);

/* One "server" or "servers" line: which addresses its name has and when to
 * look it up again.  The sources that belong to it are a slice of the
 * caller's array: one for server, POOL_MAX for servers. */
struct line {
	bool pool, numeric;
	bool looking;	    /* a lookup is under way */
	int64_t lookup_due; /* raw */
	int64_t asked;	    /* raw: when the last lookup began; the
					   caller's to set */
	int failures;	    /* lookups in a row */
	int questions;	    /* queries that the last lookup cost; the
					   caller's to set */
	int looks;	    /* that succeeded, but its sources are dead */
	int tries;	    /* moves since the last lookup */
	bool hurried;	    /* the network changed during a lookup */
	int used, room;	    /* of its places, after the last lookup */
	int lean;	    /* lookups in a row that filled none */
	int crowd;	    /* names that are looked up; 0: one */
	struct pace pace;   /* of lookups */
	struct address found[POOL_MAX];
	int founds, next; /* next: of found, to be tried by server */
};

/* Is a lookup due?  Also when the line's sources are silent or stopped. */
bool line_turn(struct line *, const struct source *slice, int n, int64_t raw,
    bool starting);

/* The lookup's answer: n addresses, 0 if it failed. */
void line_found(
    struct line *, const struct address *, int n, int64_t raw, bool starting);

/* The addresses have been given to the line's sources: while places are free,
 * the next lookup is due after 1, 2, 4 ... minutes, though at least daily. */
void
line_settled(struct line *, const struct source *slice, int n, int64_t raw);

/* The network changed: look the name up now, or in a second if that has just been
 * done.  A lookup that is under way is repeated if it fails. */
void line_hurry(struct line *, int64_t raw);

/* Did the last lookup find this address? */
bool line_offers(const struct line *, const struct address *);

/* Of a line without any source of its own: the source of another line (one of
 * "all") that has the first address which the lookup found, or NULL. */
const struct source *
line_shares(const struct line *, const struct source *all, int count);

/* Was it a falseticker, or outside of the constraints' bound, at eight polls in
 * a row?  Then it makes room if its name has another address. */
bool source_doubted(const struct source *);

/* The address a source of this line should go to now, or NULL: it keeps the
 * one it has.  all is the whole array of sources: no address is used twice. */
const struct address *line_replace(
    struct line *, const struct source *, const struct source *all, int count);

/* Start a source at the address that line_replace gave. */
void source_move(struct source *, struct line *, const struct address *,
    int64_t raw, bool starting, double freq, double freq_sd);

static inline bool
source_valid(const struct source *s)
{
	return s->trust >= TRUST_VALID;
}

#endif
