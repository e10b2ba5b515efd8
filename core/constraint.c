/*
 * constraint.c - when to ask HTTPS servers for the date, and the bound that
 * their answers make.
 *
 * A line of the configuration is asked in rounds: its host is looked up, then
 * its addresses are asked.  With "constraints" all addresses are asked at
 * once, and every one votes.  With "constraint" they are asked one after the
 * other until one answers, while families take turns (RFC 8305 §4); the next
 * is asked as soon as one fails, or when it has been silent for a second.  A
 * round without an answer is repeated after 15 s, later more rarely.  Answers
 * are renewed a few times a day.  The former ones count until a round has
 * brought new ones, so that a failing network takes no bound away.
 *
 * Everything is kept on the raw clock, so that no step of the system clock
 * moves the bound.
 *
 * This differs from OpenNTPD in five points.  The bound is the median only if
 * more than half of the answers agree with it; with two answers, one liar
 * could move OpenNTPD's where it likes.  The first answer is no median yet
 * while others are still expected.  A name that does not resolve counts as
 * unanswered.  Answers age.  An address that cannot be reached does not cost
 * 900 s.
 */
#include "core/constraint.h"
#include "core/filter.h"
#include "core/instant.h"

#include <math.h>
#include <string.h>

/* Seconds unless said otherwise. */
#define MARGIN 120.0	     /* around the median, as in OpenNTPD */
#define REFRESH (6 * 3600.0) /* FREQ_USUAL makes 11 s then, MARGIN / 11 */
#define RETRY_FIRST 15.0     /* after a round without an answer */
#define RETRY_LOOKUP 8.0     /* at most, for the first lookups; one takes 6 s */
#define HURRY_EVERY 600.0    /* one hurry in this time, after HURRIES */
#define SILENCE 1.0	     /* until the next address is asked as well */
#define BUSY 1.0	     /* until a child is started that could not be */
#define RESET_LEAST 900.0    /* between two resets */
/* Half width: a bound of a week to each side still keeps a false year out.  A
 * wider one is of no use. */
#define STORED_MOST (7 * 86400.0)

/* A network that comes up late is found soon: so many rounds are 15 s apart
 * before their intervals grow, and so many lookups 1, 2, 4, 8, 8 ... s.  Both
 * make fifteen in five minutes at most.  A hurry gives one more try at this
 * pace. */
enum { ROUNDS_PATIENT = 10, LOOKUPS_PATIENT = 9, HURRIES = 1 };

/* The half width of an answer at another time than its own, since the raw
 * clock may run wrong by FREQ_USUAL. */
static double
aged(const struct constraint_answer *a, int64_t raw)
{
	return a->error + FREQ_USUAL * fabs((double)raw - (double)a->raw) / 1e9;
}

static void
keep_reason(struct constraint *c, const char *reason)
{
	size_t n = strlen(reason);

	if (n >= sizeof(c->reason))
		n = sizeof(c->reason) - 1;
	memcpy(c->reason, reason, n);
	c->reason[n] = '\0';
}

static int
under_way(const struct constraint *c)
{
	int n = 0;

	for (int i = 0; i < c->addresses; i++)
		n += c->vote[i].asked;
	return n;
}

/* The first address that was not tried in this round, or -1. */
static int
untried(const struct constraint *c)
{
	for (int i = 0; i < c->addresses; i++)
		if (!c->vote[i].tried && !c->vote[i].asked)
			return i;
	return -1;
}

static int
fresh(const struct constraint *c)
{
	int n = 0;

	for (int i = 0; i < c->addresses; i++)
		n += c->vote[i].have;
	return n;
}

/* Put the answers aside. They count until a round has brought new ones. */
static void
keep_answers(struct constraint *c)
{
	if (fresh(c) > 0)
		c->keeps = 0;
	for (int i = 0; i < c->addresses; i++) {
		if (c->vote[i].have)
			c->kept[c->keeps++] = c->vote[i].answer;
		c->vote[i].have = false;
	}
}

/* Seconds until the next try, after so many failed ones. */
static double
retry(const struct constraint *c, int tries, int patient, double random)
{
	double seconds = RETRY_FIRST;
	double most = c->retry_most > 0 ? c->retry_most : CONSTRAINT_RETRY_MOST;

	for (int i = patient; i < tries && seconds < most; i++)
		seconds *= 2;
	return fmin(seconds, most) * (1 + 0.1 * random);
}

static double
retry_lookup(const struct constraint *c, int tries, double random)
{
	double seconds = 1;

	if (tries >= LOOKUPS_PATIENT)
		return retry(c, tries, LOOKUPS_PATIENT, random);
	for (int i = 0; i < tries && seconds < RETRY_LOOKUP; i++)
		seconds *= 2;
	return fmin(seconds, RETRY_LOOKUP);
}

/* Find out when constraint_turn has something to do. */
static void
plan(struct constraint *c, int64_t raw)
{
	if (c->resolving)
		c->due = NEVER;
	else if (!c->round)
		c->due = under_way(c) > 0 ? NEVER : c->next;
	else if (untried(c) < 0)
		c->due = NEVER;
	else
		c->due = c->pool || under_way(c) == 0 ? raw : c->second;
}

/* The round is over when nobody is left to be asked.  A single line ends it
 * with the first answer, whoever is still silent. */
static void
finish(struct constraint *c, int64_t raw, double random)
{
	int have = fresh(c);

	if (!c->round ||
	    ((c->pool || have == 0) && (under_way(c) > 0 || untried(c) >= 0)))
		return;
	c->round = false;
	c->settled = true;
	if (have > 0)
		c->keeps = 0;
	if (have > 0 && (!c->pool || have == c->addresses)) {
		c->tries = 0;
		c->next = c->refresh;
	} else
		c->next = later(
		    raw, retry(c, c->tries++, ROUNDS_PATIENT, random));
	/* A pool of which some addresses answered asks the others again, but
	 * looks its name up only when it refreshes. */
	c->resolve = have == 0 || c->next >= c->refresh;
	if (have > 0)
		c->next = sooner(c->next, c->refresh);
}

static void
begin_round(struct constraint *c, int64_t raw)
{
	if (c->resolve || fresh(c) == 0 || raw >= c->refresh)
		keep_answers(c);
	for (int i = 0; i < c->addresses; i++)
		c->vote[i].tried = c->vote[i].have;
	c->round = true;
	c->resolve = false;
}

void
constraint_start(struct constraint *c, const struct conf_constraint *conf,
    int line, int64_t raw)
{
	memset(c, 0, sizeof(*c));
	c->line = line;
	c->pool = conf->pool;
	c->resolve = true;
	for (int i = 0; i < conf->addresses; i++)
		c->vote[c->addresses++].address = conf->address[i];
	if (c->addresses == 0 && (conf->numeric.family != 0 || conf->sensor))
		c->vote[c->addresses++].address = conf->numeric;
	c->fixed = c->addresses > 0;
	c->begun = c->reset = NEVER;
	c->next = c->due = raw;
}

enum constraint_want
constraint_turn(struct constraint *c, int64_t raw, int *index)
{
	int i;

	plan(c, raw);
	if (raw < c->due)
		return CONSTRAINT_REST;
	if (!c->round) {
		if (c->resolve && !c->fixed) {
			c->resolving = true;
			c->due = NEVER;
			return CONSTRAINT_RESOLVE;
		}
		begin_round(c, raw);
	}
	i = untried(c);
	if (i < 0) {
		plan(c, raw);
		return CONSTRAINT_REST;
	}
	c->vote[i].asked = c->vote[i].tried = true;
	c->second = later(raw, SILENCE);
	if (c->begun == NEVER)
		c->begun = raw;
	c->queries++;
	plan(c, raw);
	*index = i;
	return CONSTRAINT_ASK;
}

/* Keep the resolver's order, but let families take turns. */
static int
interleave(const struct address in[], int n, struct address out[])
{
	bool used[CONSTRAINT_ADDRESSES] = { false };
	uint8_t last = 0;
	int count = 0;

	if (n > CONSTRAINT_ADDRESSES)
		n = CONSTRAINT_ADDRESSES;
	while (count < n) {
		int best = -1;

		for (int i = n - 1; i >= 0; i--)
			if (!used[i] &&
			    (best < 0 || in[i].family != last ||
				in[best].family == last))
				best = i;
		used[best] = true;
		last = in[best].family;
		out[count++] = in[best];
	}
	return count;
}

void
constraint_resolved(struct constraint *c, const struct address found[], int n,
    const char *reason, int64_t raw, double random)
{
	struct address order[CONSTRAINT_ADDRESSES];

	c->resolving = false;
	if (n <= 0) {
		keep_reason(c, reason);
		c->failures++;
		c->settled = true;
		c->next = later(raw, retry_lookup(c, c->lookups++, random));
		plan(c, raw);
		return;
	}
	c->lookups = 0;
	n = interleave(found, n, order);
	keep_answers(c);
	c->addresses = 0;
	for (int i = 0; i < n; i++) {
		bool twice = false;

		for (int k = 0; k < c->addresses; k++)
			twice |= address_equal(&order[i], &c->vote[k].address);
		if (twice)
			continue;
		memset(&c->vote[c->addresses], 0, sizeof(c->vote[0]));
		c->vote[c->addresses++].address = order[i];
	}
	begin_round(c, raw);
	plan(c, raw);
}

bool
constraint_reply(struct constraint *c, int index,
    const struct constraint_answer *answer, int64_t raw, double random)
{
	struct constraint_vote *v = &c->vote[index];
	bool renew = !c->pool || fresh(c) == 0;

	v->asked = false;
	if (v->stale) {
		v->stale = v->tried = false;
		plan(c, raw);
		return false;
	}
	if (!c->pool)
		for (int i = 0; i < c->addresses; i++)
			c->vote[i].have = false;
	v->have = true;
	v->answer = *answer;
	c->answered = true;
	c->last = *answer;
	c->last_address = v->address;
	c->reason[0] = '\0';
	if (renew)
		c->refresh = later(raw, REFRESH * (0.9 + 0.2 * random));
	finish(c, raw, random);
	plan(c, raw);
	return true;
}

double
constraint_failed(struct constraint *c, int index, const char *reason,
    int64_t raw, double random)
{
	struct constraint_vote *v = &c->vote[index];

	v->asked = false;
	if (v->stale) {
		v->stale = v->tried = false;
	} else {
		c->failures++;
		/* A single line needs no other answer once one address has
		 * given it. */
		if (c->pool || fresh(c) == 0)
			keep_reason(c, reason);
	}
	finish(c, raw, random);
	plan(c, raw);
	return !c->round && c->next > raw ? (double)(c->next - raw) / 1e9 : 0;
}

void
constraint_stored(
    struct constraint *c, int index, const struct constraint_answer *answer)
{
	if (c->vote[index].stale || answer->error > STORED_MOST)
		return;
	c->stored = true;
	c->store = *answer;
}

void
constraint_busy(
    struct constraint *c, int index, const char *reason, int64_t raw)
{
	if (reason != NULL) {
		keep_reason(c, reason);
		c->settled = true;
	}
	if (index < 0) {
		c->resolving = false;
	} else {
		c->vote[index].asked = c->vote[index].tried = false;
		c->vote[index].stale = false;
		c->queries--;
		/* The round begins again where it was, and its answers are
		 * kept. */
		c->round = false;
		c->resolve = false;
	}
	c->next = later(raw, BUSY);
	plan(c, raw);
}

void
constraint_forget(struct constraint *c, int64_t raw)
{
	for (int i = 0; i < c->addresses; i++) {
		c->vote[i].have = false;
		c->vote[i].stale = c->vote[i].asked;
	}
	c->keeps = 0;
	c->answered = c->stored = false;
	c->round = c->settled = false;
	c->resolve = true;
	c->begun = NEVER;
	c->tries = c->lookups = 0;
	c->next = c->refresh = raw;
	plan(c, raw);
}

void
constraint_hurry(struct constraint *c, int64_t raw)
{
	if (c->resolving || c->round ||
	    (c->tries <= ROUNDS_PATIENT && c->lookups <= LOOKUPS_PATIENT) ||
	    !pace_may(&c->hurried, raw, HURRIES, HURRY_EVERY))
		return;
	if (c->tries > ROUNDS_PATIENT)
		c->tries = ROUNDS_PATIENT;
	if (c->lookups > LOOKUPS_PATIENT)
		c->lookups = LOOKUPS_PATIENT;
	c->next = c->next < raw ? c->next : raw;
	plan(c, raw);
}

bool
constraint_reset(struct constraint c[], int n, int64_t raw)
{
	for (int i = 0; i < n; i++)
		if (c[i].reset != NEVER && raw - c[i].reset < ns(RESET_LEAST))
			return false;
	for (int i = 0; i < n; i++) {
		c[i].reset = raw;
		c[i].resolve = true;
		c[i].next = raw;
		plan(&c[i], raw);
	}
	return n > 0;
}

/* Add an answer to "at" others, which are sorted by what they say. */
static void
insert(struct constraint_answer all[], int at, const struct constraint_answer *a)
{
	for (; at > 0 && all[at - 1].ahead > a->ahead; at--)
		all[at] = all[at - 1];
	all[at] = *a;
}

/* Collect all answers that count, sorted by what they say. */
static int
gather(const struct constraint c[], int n, struct constraint_answer out[])
{
	int count = 0;

	for (int i = 0; i < n; i++) {
		bool new = fresh(&c[i]) > 0 && (!c[i].round || c[i].keeps == 0);
		int of = new ? c[i].addresses : c[i].keeps;

		for (int k = 0; k < of; k++)
			if (!new || c[i].vote[k].have)
				insert(out, count++,
				    new ? &c[i].vote[k].answer :
					  &c[i].kept[k]);
	}
	return count;
}

/* Collect the answers that came out of caches, one of each line. */
static int
gather_stored(
    const struct constraint c[], int n, struct constraint_answer out[])
{
	int count = 0;

	for (int i = 0; i < n; i++)
		if (c[i].stored)
			insert(out, count++, &c[i].store);
	return count;
}

/* When has the first round gone far enough for a median?  At once if more than
 * half of what is configured has answered or each has had its try; otherwise
 * when it is no use to wait longer for silent ones. */
static int64_t
ripe_at(const struct constraint c[], int n, int answers)
{
	int64_t begun = NEVER;
	bool settled = true;
	int of = 0;

	for (int i = 0; i < n; i++) {
		of += c[i].pool && c[i].addresses > 0 ? c[i].addresses : 1;
		settled &= c[i].settled;
		if (c[i].begun < begun)
			begun = c[i].begun;
	}
	if (settled || answers * 2 > of)
		return INT64_MIN;
	return begun == NEVER ? NEVER : later(begun, FIRST_WAIT);
}

int64_t
constraint_bound(
    const struct constraint c[], int n, int64_t raw, struct bound *bound)
{
	struct constraint_answer all[CONSTRAINTS_MAX * CONSTRAINT_ADDRESSES];
	struct constraint_answer low, high;
	int64_t until;
	int count, agree = 0;

	if (n > CONSTRAINTS_MAX)
		n = CONSTRAINTS_MAX;
	*bound = (struct bound){ .raw = raw, .made = raw,
		.earliest = bound->earliest,
		.wanted = n > 0, .tried = true };
	for (int i = 0; i < n; i++) {
		bound->asking |= c[i].resolving || c[i].round;
		bound->tried &= c[i].settled;
	}
	count = gather(c, n, all);
	bound->stored = count == 0 && bound->tried;
	if (bound->stored)
		count = gather_stored(c, n, all);
	bound->answers = count;
	until = count == 0 ? NEVER : ripe_at(c, n, count);
	if (raw < until)
		return until;

	low = all[(count - 1) / 2];
	high = all[count / 2];
	bound->ahead = low.ahead + (high.ahead - low.ahead) / 2;
	bound->made = low.raw < high.raw ? low.raw : high.raw;
	bound->error = MARGIN + fmax(aged(&low, raw), aged(&high, raw));
	bound->width = fmax(low.error, high.error) +
	    (double)(high.ahead - low.ahead) / 2e9;
	for (int i = 0; i < count; i++)
		agree +=
		    fabs((double)all[i].ahead - (double)bound->ahead) / 1e9 <=
		    MARGIN + aged(&all[i], raw);
	if (agree * 2 > count)
		bound->votes = agree;
	return NEVER;
}

const struct constraint *
constraint_blamed(const struct constraint c[], int n)
{
	const struct constraint *silent = NULL;

	/* A line that has failed has more to say than one that is still
	 * silent. */
	for (int i = 0; i < n; i++)
		if (fresh(&c[i]) == 0 && c[i].keeps == 0 &&
		    (silent == NULL ||
			(silent->reason[0] == '\0' && c[i].reason[0] != '\0')))
			silent = &c[i];
	return silent;
}

double
bound_error(const struct bound *bound, int64_t raw)
{
	return bound->error +
	    FREQ_USUAL * fabs((double)raw - (double)bound->raw) / 1e9;
}

enum bound_said
bound_check(const struct bound *bound, int64_t raw, int64_t ahead)
{
	/* "earliest" is a real time, so it is compared with the server's real
	 * time, ahead + raw.  As doubles, since the difference to a liar's
	 * time may not fit an integer. */
	if ((double)ahead + (double)raw < (double)bound->earliest)
		return BOUND_BUILD;
	if (!bound->wanted)
		return BOUND_OK;
	if (bound->votes == 0)
		return BOUND_MISSING;
	return fabs((double)ahead - (double)bound->ahead) / 1e9 <=
		bound_error(bound, raw) ?
	    BOUND_OK :
	    BOUND_BROKEN;
}
