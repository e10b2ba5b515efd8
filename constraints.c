/*
 * constraints.c - the HTTPS servers of the configuration.
 *
 * This room looks up their names, has children ask them, takes the answers, and
 * logs what is worth a line.  When to ask and what the answers mean is
 * constraint.c's business, how to ask tls.c's.  While no NTP server answers, it
 * also has some of them asked at the edges of their seconds (edge.c).
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "constraints.h"
#include "core/build.h"
#include "core/word.h"
#include "sys/dns.h"
#include "sys/log.h"
#include "sys/net.h"
#include "tls.h"

/* s between tries to ask constraints that disagree again.  constraint_reset
 * lets one try in 15 minutes pass. */
#define DISAGREE_SECONDS 60.0
/* s: the longest time between tries in vain while the time is not known. */
#define RETRY_STARTING 256.0
/* s between questions in vain to all addresses together: 3300 a day. */
#define RETRY_EVERY 26.0

/* s before a request at the edge of a second: its handshake is over by then. */
#define HANDSHAKE 1.5
/* s until the servers that keep the time are looked for again. */
#define PLACE_EVERY 5.0
/* Ratio: what temperature may change the frequency by while it is kept. */
#define WARMTH 5e-6

/* What is wrong with a constraint, for the log: its host has no address. */
enum { WRONG_NAME = -1 };

/* The number by which a child's answer finds its line and address. */
static int
owner(int line, int index)
{
	return line * CONSTRAINT_ADDRESSES + index;
}

/* The file of the roots: that of cafile, or of SSL_CERT_FILE, or NULL.  The
 * variable is often set for other programs.  Reading the file takes 70 ms and
 * 200 KB, so it is done only if a server with a certificate is asked. */
static const char *
roots_path(const struct constraints *all)
{
	const char *path = all->conf->cafile;
	bool needed = all->conf->constraints > 0;

	for (int i = 0; i < all->conf->servers; i++)
		needed |= all->conf->server[i].nts;
	if (path == NULL && needed)
		path = secure_getenv("SSL_CERT_FILE");
	return path == NULL || *path == '\0' ? NULL : path;
}

/* Have the roots been read from the same file, which has not changed? */
static bool
has_roots(const struct constraints *before, const char *path,
    const struct file_mark *mark)
{
	const char *old = before != NULL ? roots_path(before) : NULL;

	return old != NULL && strcmp(old, path) == 0 &&
	    file_same(&before->roots_mark, mark);
}

bool
constraints_load_roots(struct constraints *all,
    const struct constraints *before, char why[static CONSTRAINTS_WHY])
{
	const char *path = roots_path(all), *error;

	all->roots = &trust_built_in;
	if (path == NULL)
		return true;
	all->roots = &all->own_roots;
	file_mark(path, &all->roots_mark);
	if (has_roots(before, path, &all->roots_mark)) {
		all->own_roots = before->own_roots;
		return true;
	}
	error = anchors_file(path, &all->own_roots);
	if (error != NULL && all->conf->cafile != NULL)
		(void)snprintf(why, CONSTRAINTS_WHY, "%s:%d: cafile \"%s\": %s",
		    all->conf_name, all->conf->cafile_line, path, error);
	else if (error != NULL)
		(void)snprintf(why, CONSTRAINTS_WHY, "SSL_CERT_FILE %s: %s",
		    path, error);
	else if (all->own_roots.skipped > 0)
		log_line(LOG_CLASS_WARN,
		    "%s: %d of %d certificates skipped: malformed, or their key is not supported",
		    path, all->own_roots.skipped,
		    all->own_roots.skipped + all->own_roots.count);
	return error == NULL;
}

bool
constraints_make(struct constraints *all, int64_t raw)
{
	int i, n = all->conf->constraints;

	all->constraint = calloc((size_t)n + 1, sizeof *all->constraint);
	all->asked =
	    calloc((size_t)n * CONSTRAINT_ADDRESSES + 1, sizeof *all->asked);
	all->said = calloc((size_t)n + 1, sizeof *all->said);
	if (all->constraint == NULL || all->asked == NULL || all->said == NULL)
		return false;
	for (i = 0; i < n; i++)
		constraint_start(&all->constraint[i],
		    &all->conf->constraint[i], i, raw);
	for (i = 0; i < n && all->keeper == NULL; i++)
		if (all->conf->constraint[i].timekeeping &&
		    (all->keeper = calloc(1, sizeof *all->keeper)) == NULL)
			return false;
	all->bound.earliest = EARLIEST;
	all->bound.wanted = n > 0;
	all->bound_due = NEVER;
	return true;
}

void
constraints_waiting(const struct constraints *all, char *text, size_t size)
{
	const struct constraint *c;

	text[0] = '\0';
	if (!all->bound.wanted || all->bound.votes > 0)
		return;
	c = constraint_blamed(all->constraint, all->conf->constraints);
	if (c == NULL)
		(void)snprintf(text, size,
		    "constraints disagree: %d answers without a majority",
		    all->bound.answers);
	else
		(void)snprintf(text, size, "waiting for constraint: %s: %s",
		    all->conf->constraint[c->line].host,
		    c->reason[0] ? c->reason : "no answer yet");
}

/* Something has changed: compute the bound anew. */
static void
renew_bound(struct constraints *all, int64_t raw)
{
	struct bound old = all->bound;
	char text[WAITING_TEXT];

	all->bound_due = constraint_bound(
	    all->constraint, all->conf->constraints, raw, &all->bound);
	if (old.votes != all->bound.votes || old.ahead != all->bound.ahead)
		all->wish.elect = true;
	if (all->bound.votes > 0) {
		if (all->bound.stored && !(old.stored && old.votes > 0))
			log_line(LOG_CLASS_WARN,
			    "all constraints answer out of caches: the bound is %.0fs wide",
			    2 * bound_error(&all->bound, raw));
		all->waiting_said = false;
		/* Those servers that broke the old bound may keep this one. */
		if (all->broken &&
		    bound_check(&old, raw, all->bound.ahead) != BOUND_OK) {
			all->broken = false;
			all->wish.again = true;
		}
		return;
	}
	if (!all->bound.tried || (all->bound.answers > 0 && all->bound.asking))
		return;
	/* Say it once, when all were tried.  A single host that cannot be
	 * reached, as without IPv6, is no news while others can. */
	if (!all->waiting_said && all->bound.wanted) {
		all->waiting_said = true;
		constraints_waiting(all, text, sizeof text);
		log_line(LOG_CLASS_INFO, "%s", text);
	}
	if (all->bound.answers > 0) { /* no majority; later there may be one */
		constraints_broken(all, raw);
		all->bound_due = later(raw, DISAGREE_SECONDS);
	}
}

/* No child could be started.  If all are busy, one will be free soon.  If the
 * machine has no memory or no processes left, that is a reason to show. */
static void
busy(struct constraints *all, int line, int index, int64_t raw)
{
	char reason[CONSTRAINT_REASON];
	bool full = errno == EBUSY;

	(void)snprintf(
	    reason, sizeof reason, "cannot start a child: %s", strerror(errno));
	constraint_busy(
	    &all->constraint[line], index, full ? NULL : reason, raw);
	renew_bound(all, raw);
}

static void
look_up(struct constraints *all, int line, int64_t raw)
{
	const struct conf_constraint *c = &all->conf->constraint[line];
	char name[NAME_MAX_TEXT];
	struct dns_question question = { name, all->constraint[line].lookups,
		all->told.starting };
	struct helper_job job = {
		.kind = HELPER_CONSTRAINT_NAME, .owner = line,
		.seconds = DNS_PATIENCE + 1,
		.work = dns_ask, .question = &question,
		.size = sizeof(struct dns_answer),
	};

	(void)snprintf(
	    name, sizeof name, "%s%s", c->host, c->rooted ? "." : "");
	if (helper_start(all->helpers, &job, raw) < 0)
		busy(all, line, -1, raw);
}

void
constraints_named(
    struct constraints *all, const struct helper_result *r, int64_t raw)
{
	struct dns_answer answer;
	char reason[CONSTRAINT_REASON];

	dns_take(r, all->conf->constraint[r->owner].host,
	    all->constraint[r->owner].lookups == 0, &answer);
	(void)snprintf(reason, sizeof reason, "name lookup failed: %s",
	    answer.reason);
	constraint_resolved(&all->constraint[r->owner], answer.address,
	    answer.addresses, reason, raw, fraction(net_random()));
	if (answer.addresses == 0 &&
	    said_news(&all->said[r->owner], WRONG_NAME, raw))
		log_line(LOG_CLASS_DEBUG, "%s: %s",
		    all->conf->constraint[r->owner].host, reason);
	renew_bound(all, raw);
}

/* Have a child ask the host of that line at this address, at once or when the
 * aim says.  0, or -1 with errno. */
static int
start_child(struct constraints *all, int line, int owner,
    const struct address *address, int64_t aim, int64_t raw)
{
	const struct conf_constraint *conf = &all->conf->constraint[line];
	struct tls_question question = {
		.host = conf->host, .path = conf->path,
		.port = conf->port, .numeric = conf->numeric,
		.address = *address, .aim = aim,
		.earliest = EARLIEST, .synced = all->told.synced,
		.roots = all->roots,
	};
	struct helper_job job = {
		.kind = HELPER_HTTPS, .owner = owner, .port = conf->port,
		.seconds = TLS_PATIENCE + 1,
		.work = tls_ask, .question = &question,
		.size = sizeof(struct tls_answer),
	};

	return helper_start(all->helpers, &job, raw);
}

static void
ask(struct constraints *all, int line, int index, int64_t raw)
{
	struct constraint *c = &all->constraint[line];
	const struct address *address = &c->vote[index].address;
	char text[ADDRESS_TEXT];

	if (all->conf->constraint[line].sensor) { /* no child is needed */
		all->wish.sensed = true;
		return;
	}
	all->asked[owner(line, index)] = raw;
	if (start_child(all, line, owner(line, index), address, 0, raw) < 0) {
		busy(all, line, index, raw);
		return;
	}
	if (all->keeper != NULL)
		edges_asked(&all->keeper->edges, raw);
	/* After a few tries in vain, another one is no news. */
	log_line(c->tries < 2 ? LOG_CLASS_DEBUG : LOG_CLASS_DETAIL,
	    "constraint request to %s", net_text(address, text));
}

/* A number for each reason, so that none is said again and again.  Digits do
 * not count, since some reasons end with the time or the age of the answer. */
static int
wrong(const struct tls_answer *a)
{
	const bool dated = a->said == TLS_EARLY || a->said == TLS_LATE ||
	    a->said == TLS_BUILD || a->said == TLS_STORED;
	unsigned hash = (unsigned)a->said;
	const char *p;

	for (p = a->reason; *p != '\0' && !dated; p++)
		if (*p < '0' || *p > '9')
			hash = hash * 31 + (unsigned char)*p;
	return (int)(hash >> 1) + 1;
}

static void
failed(struct constraints *all, int owner, const struct tls_answer *a,
    int64_t raw)
{
	int line = owner / CONSTRAINT_ADDRESSES;
	int index = owner % CONSTRAINT_ADDRESSES;
	struct constraint *c = &all->constraint[line];
	bool news = said_news(&all->said[line], wrong(a), raw);
	double next;
	char text[ADDRESS_TEXT];

	log_line(!news			   ? LOG_CLASS_DETAIL :
		a->said == TLS_CONNECT ? LOG_CLASS_DEBUG :
					 LOG_CLASS_WARN,
	    "%s: %s (%s): %s", word_at(tls_words, a->said),
	    net_text(&c->vote[index].address, text),
	    all->conf->constraint[line].host, a->reason);
	next =
	    constraint_failed(c, index, a->reason, raw, fraction(net_random()));
	if (next > 0)
		log_line(c->tries <= 1 ? LOG_CLASS_DEBUG : LOG_CLASS_DETAIL,
		    "no constraint reply from %s received in time, next query %ds",
		    text, (int)lrint(next));
}

/* ------------------------------------------------------ keeping the time */

/* Where the answers of this address belong, or -1.  For a "constraint" all
 * addresses of its host are one server. */
static int
place_of(const struct constraints *all, int line, const struct address *a)
{
	const struct keeper *k = all->keeper;

	for (int i = 0; k != NULL && i < k->edges.n; i++)
		if (k->place[i].line == line &&
		    (!all->conf->constraint[line].pool ||
			address_equal(a, &k->place[i].address)))
			return i;
	return -1;
}

/* Let a server keep the time: the next free place is for it.  What it said last
 * counts. */
static void
take_place(struct constraints *all, int line, int index)
{
	struct keeper *k = all->keeper;
	const struct constraint *c = &all->constraint[line];
	const struct constraint_vote *v = &c->vote[index];
	bool last = c->answered && (!c->pool ||
	    address_equal(&v->address, &c->last_address));
	struct edge *e = &k->edges.edge[k->edges.n];

	k->place[k->edges.n++] = (struct constraint_place){ .line = line,
		.address = last ? c->last_address : v->address };
	edge_start(e, all->told.freq, all->told.growth + WARMTH);
	if (last || v->have)
		edge_take(e, last ? &c->last : &v->answer);
}

/* Find servers for the places that are free: first one of each line, then more
 * of those that have several. */
static void
take_places(struct constraints *all)
{
	const struct conf *conf = all->conf;

	for (int index = 0; index < CONSTRAINT_ADDRESSES; index++)
		for (int i = 0; i < conf->constraints; i++) {
			const struct constraint *c = &all->constraint[i];

			if (conf->constraint[i].timekeeping &&
			    all->keeper->edges.n < EDGES &&
			    index < (c->pool || c->addresses == 0 ?
					    c->addresses : 1) &&
			    place_of(all, i, &c->vote[index].address) < 0)
				take_place(all, i, index);
		}
}

static void
ask_edge(struct constraints *all, int i, int64_t raw)
{
	struct keeper *k = all->keeper;
	const struct edge *e = &k->edges.edge[i];
	struct constraint_place *p = &k->place[i];
	int64_t aim = e->answers == 0 ? 0 : edge_aim(e, later(raw, HANDSHAKE));
	int number = owner(all->conf->constraints, i);

	p->asked = raw;
	if (start_child(all, p->line, number, &p->address, aim, raw) < 0) {
		p->asked = 0;
		k->edges.due = later(raw, 1);
	}
}

static void
answered_edge(struct constraints *all, int i, const struct tls_answer *a,
    int64_t raw)
{
	struct keeper *k = all->keeper;
	struct constraint_place *p = &k->place[i];
	const struct constraint *c = &all->constraint[p->line];
	struct constraint_answer answer;
	char text[ADDRESS_TEXT];

	k->edges.edge[i].failed = a->said != TLS_DATE;
	log_line(LOG_CLASS_DETAIL, "%s: %s (%s): %s", word_at(tls_words, a->said),
	    net_text(&p->address, text), all->conf->constraint[p->line].host,
	    a->reason);
	if (a->said == TLS_DATE) {
		all->heard = raw;
		answer = tls_constraint_answer(a);
		edge_take(&k->edges.edge[i], &answer);
		k->have = edges_vote(&k->edges, raw, &k->verdict);
	} else if (!c->pool && c->addresses > 0)
		p->address = c->vote[++p->moves % c->addresses].address;
}

static void
keep_turn(struct constraints *all, int64_t raw)
{
	struct keeper *k = all->keeper;
	int i;

	if (k == NULL || !all->told.keep) {
		if (k != NULL)
			k->kept = k->have = false;
		return;
	}
	if (!k->kept) { /* what is known begins with this moment */
		k->edges.n = 0;
		k->edges.due = raw;
		k->kept = true;
	}
	if (raw < k->edges.due)
		return;
	take_places(all);
	i = edges_turn(&k->edges, raw);
	if (i >= 0)
		ask_edge(all, i, raw);
	else
		k->edges.due = later(raw, PLACE_EVERY);
	k->have = edges_vote(&k->edges, raw, &k->verdict);
}

/* ----------------------------------------------------------------- answers */

/* Take what a child has said, if it can be true. */
static void
read_answer(const struct helper_result *r, int64_t asked, int64_t raw,
    struct tls_answer *a)
{
	if (r->ok)
		memcpy(a, r->answer, sizeof *a);
	if (r->ok && tls_sane(a, asked, raw))
		return;
	*a = (struct tls_answer){ .said = TLS_READ };
	(void)snprintf(a->reason, sizeof a->reason, "%s",
	    r->late	  ? "no answer in time" :
		r->signal ? "the child that asked was killed" :
			    "the child that asked gave no answer");
}

void
constraints_answered(
    struct constraints *all, const struct helper_result *r, int64_t raw)
{
	int line = r->owner / CONSTRAINT_ADDRESSES;
	int index = r->owner % CONSTRAINT_ADDRESSES;
	struct constraint *c = &all->constraint[line];
	struct constraint_answer answer;
	struct tls_answer a;
	char text[ADDRESS_TEXT];
	int64_t asked;
	int place;

	if (line >= all->conf->constraints) {
		asked = all->keeper->place[index].asked;
		all->keeper->place[index].asked = 0;
		read_answer(r, asked, raw, &a);
		if (asked != 0) /* it is still the place that asked */
			answered_edge(all, index, &a, raw);
		return;
	}
	read_answer(r, all->asked[r->owner], raw, &a);
	if (r->signal != 0)
		log_line(LOG_CLASS_WARN,
		    "constraint %s; terminated with signal %d",
		    net_text(&c->vote[index].address, text), r->signal);
	if (a.said != TLS_DATE) {
		if (a.said == TLS_STORED && a.error > 0) {
			answer = tls_constraint_answer(&a);
			constraint_stored(c, index, &answer);
		}
		failed(all, r->owner, &a, raw);
	} else {
		said_well(&all->said[line]);
		all->heard = raw;
		log_line(LOG_CLASS_INFO, "constraint reply from %s: offset %f",
		    net_text(&c->vote[index].address, text),
		    seconds(a.date - a.real));
		answer = tls_constraint_answer(&a);
		place = place_of(all, line, &c->vote[index].address);
		if (constraint_reply(c, index, &answer, raw,
			fraction(net_random())) && place >= 0)
			edge_take(&all->keeper->edges.edge[place], &answer);
	}
	renew_bound(all, raw);
}

void
constraints_sensed(struct constraints *all, int i, const char *reason,
    const struct constraint_answer *answer, int64_t raw)
{
	const char *host = all->conf->constraint[i].host;
	double random = fraction(net_random());

	if (reason == NULL) {
		said_well(&all->said[i]);
		log_line(LOG_CLASS_DEBUG, "constraint reply from sensor %s",
		    host);
		(void)constraint_reply(
		    &all->constraint[i], 0, answer, raw, random);
	} else {
		if (said_news(&all->said[i], 1, raw))
			log_line(LOG_CLASS_WARN,
			    "no constraint reply from sensor %s: %s", host,
			    reason);
		(void)constraint_failed(
		    &all->constraint[i], 0, reason, raw, random);
	}
	renew_bound(all, raw);
}

void
constraints_turn(struct constraints *all, const struct instant *now)
{
	enum constraint_want want;
	int i, index, n = 0;
	double most =
	    all->told.starting ? RETRY_STARTING : CONSTRAINT_RETRY_MOST;

	for (i = 0; i < all->conf->constraints; i++)
		n += all->constraint[i].addresses;
	for (i = 0; i < all->conf->constraints; i++)
		all->constraint[i].retry_most = fmax(most, RETRY_EVERY * n);
	for (i = 0; i < all->conf->constraints; i++)
		while (now->raw >= all->constraint[i].due &&
		    (want = constraint_turn(&all->constraint[i], now->raw,
			 &index)) != CONSTRAINT_REST) {
			if (want == CONSTRAINT_RESOLVE)
				look_up(all, i, now->raw);
			else
				ask(all, i, index, now->raw);
		}
	if (all->conf->constraints > 0 && now->raw >= all->bound_due)
		renew_bound(all, now->raw);
	keep_turn(all, now->raw);
}

int64_t
constraints_due(const struct constraints *all)
{
	int64_t due = all->bound_due;
	int i;

	for (i = 0; i < all->conf->constraints; i++)
		due = sooner(due, all->constraint[i].due);
	if (all->keeper != NULL && all->told.keep)
		due = sooner(due, all->keeper->edges.due);
	return due;
}

bool
constraints_again(struct constraints *all, int64_t raw)
{
	if (!constraint_reset(all->constraint, all->conf->constraints, raw))
		return false;
	all->anew_at = raw;
	log_line(LOG_CLASS_DEBUG, "Reset constraint info");
	return true;
}

void
constraints_hurry(struct constraints *all, int64_t raw)
{
	int i;

	for (i = 0; i < all->conf->constraints; i++)
		constraint_hurry(&all->constraint[i], raw);
}

void
constraints_broken(struct constraints *all, int64_t raw)
{
	all->broken |= constraints_again(all, raw);
}

void
constraints_leapt(struct constraints *all, int64_t ns)
{
	all->bound.ahead += ns;
	if (all->keeper != NULL)
		all->keeper->kept = all->keeper->have = false;
}

void
constraints_forget(struct constraints *all, int64_t raw)
{
	int i;

	for (i = 0; i < all->conf->constraints; i++)
		constraint_forget(&all->constraint[i], raw);
	all->anew_at = raw;
	if (all->keeper != NULL)
		all->keeper->kept = all->keeper->have = false;
	renew_bound(all, raw);
}

/* ------------------------------------------------------------ read it again */

/* Do both lines ask the same servers in the same way? */
static bool
is_same(const struct conf_constraint *a, const struct conf_constraint *b)
{
	bool same = a->sensor == b->sensor && a->pool == b->pool &&
	    a->port == b->port && a->rooted == b->rooted &&
	    a->addresses == b->addresses &&
	    address_equal(&a->numeric, &b->numeric) &&
	    strcmp(a->host, b->host) == 0 &&
	    (a->sensor || strcmp(a->path, b->path) == 0);

	for (int i = 0; same && i < a->addresses; i++)
		same = address_equal(&a->address[i], &b->address[i]);
	return same;
}

/* Let line i of the new configuration be what line "old" was. */
static void
take_over(struct constraints *next, int i, const struct constraints *all,
    int old)
{
	next->constraint[i] = all->constraint[old];
	next->constraint[i].line = i;
	next->said[i] = all->said[old];
	memcpy(&next->asked[owner(i, 0)], &all->asked[owner(old, 0)],
	    CONSTRAINT_ADDRESSES * sizeof *all->asked);
}

/* Those that keep the time go on with it if all of them still shall.  Otherwise
 * they begin anew, with what each has said last. */
static void
keep_places(
    struct constraints *next, const struct constraints *all, int to[])
{
	const struct keeper *k = all->keeper;
	int i;

	if (k == NULL || next->keeper == NULL)
		return;
	*next->keeper = *k;
	for (i = 0; i < k->edges.n; i++) {
		int line = to[k->place[i].line];

		next->keeper->place[i].line = line;
		if (line < 0 || !next->conf->constraint[line].timekeeping) {
			memset(next->keeper, 0, sizeof *k);
			return;
		}
	}
	/* The children that they have asked: see owner. */
	to[all->conf->constraints] = next->conf->constraints;
}

void
constraints_reload(
    struct constraints *all, struct constraints *next, int64_t raw)
{
	const struct constraints was = *all;
	int to[CONSTRAINTS_MAX + 1], i, k, n = next->conf->constraints;
	int stay = 0;

	memset(to, -1, sizeof to);
	for (i = 0; i < n; i++)
		for (k = 0; k < was.conf->constraints; k++)
			if (to[k] < 0 && is_same(&next->conf->constraint[i],
					     &was.conf->constraint[k])) {
				to[k] = i;
				take_over(next, i, &was, k);
				stay++;
				break;
			}
	keep_places(next, &was, to);
	helper_renumber(all->helpers, HELPER_CONSTRAINT_NAME, to, 1);
	helper_renumber(all->helpers, HELPER_HTTPS, to, CONSTRAINT_ADDRESSES);
	all->conf = next->conf;
	all->constraint = next->constraint;
	all->asked = next->asked;
	all->said = next->said;
	all->keeper = next->keeper;
	all->own_roots = next->own_roots;
	all->roots_mark = next->roots_mark;
	all->roots = next->roots == &next->own_roots ? &all->own_roots :
						       next->roots;
	next->constraint = was.constraint;
	next->asked = was.asked;
	next->said = was.said;
	next->keeper = was.keeper;
	next->own_roots = was.own_roots;
	if (stay < n || stay < was.conf->constraints)
		all->waiting_said = false;
	renew_bound(all, raw);
}

void
constraints_unmake(struct constraints *all, const struct constraints *other)
{
	free(all->constraint);
	free(all->asked);
	free(all->said);
	free(all->keeper);
	if (all->own_roots.packed != other->own_roots.packed)
		free((void *)(uintptr_t)all->own_roots.packed);
}

/* ------------------------------------------------------------------- shown */

static void
show_constraint(const struct constraints *all, int i, const struct instant *now,
    struct status_constraint *out)
{
	const struct constraint *c = &all->constraint[i];

	*out = (struct status_constraint){
		.host = all->conf->constraint[i].host, .reason = c->reason,
		.answered = c->answered, .age = NAN, .offset = NAN,
		.queries = c->queries, .failures = c->failures,
	};
	if (c->answered) {
		if (!all->conf->constraint[i].sensor)
			(void)net_text(&c->last_address, out->address);
		out->age = seconds(now->raw - c->last.raw);
		out->offset = seconds(c->last.ahead - (now->real - now->raw));
	}
}

void
constraints_show(const struct constraints *all, const struct instant *now,
    struct status_constraint constraint[], struct status *s)
{
	const struct bound *b = &all->bound;
	int i;

	s->constraint = constraint;
	s->constraints = all->conf->constraints;
	for (i = 0; i < s->constraints; i++) {
		show_constraint(all, i, now, &constraint[i]);
		s->constraint_errors += constraint[i].reason[0] != '\0';
	}
	s->bound_offset = s->bound_error = s->bound_age = NAN;
	s->bound_known = b->votes > 0;
	if (s->bound_known) {
		s->bound_offset = seconds(b->ahead - (now->real - now->raw));
		s->bound_error = bound_error(b, now->raw);
		s->bound_age = seconds(now->raw - b->made);
	}
	constraints_waiting(all, s->waiting, sizeof s->waiting);
	s->roots = all->roots->count;
	s->roots_expire = all->roots->expire;
}
