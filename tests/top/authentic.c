/*
 * authentic.c - peers.c with servers of NTS that are pretended: what they send is
 * sealed with real keys, and what strangers send is not.
 *
 * The rooms that are replaced: sys/net.c, sys/instant.c, sys/log.c and the calls
 * of sys/helper.c.  Time passes from one event to the next.
 */
#include <errno.h>

#include "core/build.h"
#include "core/siv.h"
#include "peers.h"
#include "sys/dns.h"
#include "sys/instant.h"
#include "sys/net.h"
#include "tests/parse.h"
#include "tls.h"

#define DAY 86400.0
#define MINUTE 60.0
#define TRIP 0.02 /* s */

enum {
	PACKETS = 64, CHILDREN = 16, FIRST_FD = 5000, COOKIE = 100,
	SERIALS = 1 << 17, LINES = 64
};

/* ------------------------------------------------------------------ the world */

static struct {
	struct instant now;
	double loss;	/* of each packet */
	int largest;	/* bytes that come through; 0: all do */
	uint64_t seed;
	bool strangers; /* they send what they can, before each reply */
	uint8_t no_way; /* to the NTP server whose address ends in this */
	int no_child;	/* errno: none can be had */
	double lives;	/* s that each child needs; 0: 0.05 */
	bool expired;	/* signatures of names are, by our wrong clock */
	struct {
		int fd; /* 0: none */
		int64_t at;
		size_t size;
		uint8_t bytes[NTS_PACKET_MOST];
	} packet[PACKETS];
	struct {
		bool used;
		int64_t at;
		struct helper_result r;
	} child[CHILDREN];
	int most_children;
	int turns;
	int fds;
	struct address to[1024]; /* of each socket, going round */
	uint16_t port[1024];
	uint8_t old[NTS_PACKET_MOST]; /* an old reply */
	size_t old_size;
	char line[LINES][256];
	int lines, loud; /* lines that were logged; those above debug */
} world;

static struct {
	int epoch;	  /* of its keys; it knows the last one as well */
	bool mute;	  /* it is silent if it does not know the cookie */
	bool plain;	  /* its packets have no proof */
	bool deaf;	  /* no NTP */
	bool forgets;	  /* its cookies at once */
	uint8_t refuses;  /* the address that ends in this fails exchanges */
	bool fails;	  /* all do */
	double wrong;	  /* s */
	int64_t from, until;
	const char *server;
	uint16_t port;
	unsigned serial, asked, unknown;
	uint8_t seen[SERIALS / 8];
	int kiss;	  /* so many of its good replies are DENY */
} nts;

static struct conf conf, after;
static struct peers peers, next;
static struct helpers helpers;
static struct server server;
static struct listening listening;

static const uint8_t c2s[NTS_KEY] = { 1, 2, 3 }, s2c[NTS_KEY] = { 4, 5, 6 };

int64_t
clock_now(clockid_t id)
{
	return id == CLOCK_REALTIME ? world.now.real : world.now.raw;
}

struct instant
clock_read(void)
{
	return world.now;
}

void
log_line(enum log_class class, const char *format, ...)
{
	va_list ap;

	world.loud += class < LOG_CLASS_REPLY;
	va_start(ap, format);
	(void)vsnprintf(
	    world.line[world.lines++ % LINES], sizeof *world.line, format, ap);
	va_end(ap);
}

static int
said(const char *words)
{
	int n = 0;

	for (int i = 0; i < LINES && i < world.lines; i++)
		n += strstr(world.line[i], words) != NULL;
	return n;
}

uint64_t
net_random(void)
{
	return (uint64_t)(uniform(&world.seed) * 0x1p32) << 32 ^
	    (uint64_t)(uniform(&world.seed) * 0x1p32);
}

socklen_t
net_sockaddr(const struct address *a, uint16_t port, struct sockaddr_storage *s)
{
	(void)a;
	(void)port;
	(void)s;
	return 0;
}

bool
net_address(const struct sockaddr *s, struct address *a)
{
	(void)s;
	(void)a;
	return false;
}

const char *
net_text(const struct address *a, char text[static ADDRESS_TEXT])
{
	(void)snprintf(text, ADDRESS_TEXT, "%d.%d.%d.%d", a->bytes[0],
	    a->bytes[1], a->bytes[2], a->bytes[3]);
	return text;
}

int
net_undo(int fd)
{
	return fd < 0 ? fd : -1;
}

int
net_socket(int domain, int type)
{
	return domain + type < 0 ? 0 : -1;
}

bool
net_local(int fd, struct address *a)
{
	(void)fd;
	(void)a;
	return false;
}

int
net_ask(const struct address *to, uint16_t port, const struct address *from)
{
	int n = world.fds++;

	(void)from;
	if (to->bytes[1] == 1 && to->bytes[3] == world.no_way) {
		errno = ENETUNREACH;
		return -1;
	}
	world.to[n % 1024] = *to;
	world.port[n % 1024] = port;
	return FIRST_FD + n;
}

/* ------------------------------------------------------------------ the server */

static int
put(uint8_t *to, int at, unsigned type, const void *body, int size)
{
	to[at] = (uint8_t)(type >> 8);
	to[at + 1] = (uint8_t)type;
	to[at + 2] = (uint8_t)((size + 4) >> 8);
	to[at + 3] = (uint8_t)(size + 4);
	if (size > 0)
		memcpy(to + at + 4, body, (size_t)size);
	return at + 4 + size;
}

static void
bake(uint8_t cookie[static COOKIE])
{
	memset(cookie, 0, COOKIE);
	cookie[0] = (uint8_t)nts.epoch;
	memcpy(cookie + 1, &nts.serial, sizeof nts.serial);
	nts.serial++;
	assert_true(nts.serial < SERIALS);
}

static void
send_later(int fd, const uint8_t *bytes, int size, double wait)
{
	if (uniform(&world.seed) < world.loss ||
	    (world.largest > 0 && size > world.largest))
		return;
	for (int i = 0; i < PACKETS; i++)
		if (world.packet[i].fd == 0) {
			world.packet[i].fd = fd;
			world.packet[i].at = later(world.now.raw, wait);
			world.packet[i].size = (size_t)size;
			memcpy(world.packet[i].bytes, bytes, (size_t)size);
			return;
		}
}

/* What anybody on the way can send: the time an hour off, with no proof, with a
 * wrong one and with an old one; kiss codes, NAK among them. */
static void
strangers_send(int fd, const uint8_t *reply, int size)
{
	static const char codes[3][5] = { "NTSN", "DENY", "RATE" };
	uint8_t evil[NTS_PACKET_MOST];

	send_later(fd, world.old, (int)world.old_size, TRIP * 0.1);
	memcpy(evil, reply, (size_t)size);
	evil[34]++; /* of the receive stamp */
	evil[42]++;
	send_later(fd, evil, NTP_SIZE, TRIP * 0.2);
	send_later(fd, evil, size, TRIP * 0.3);
	for (int i = 0; i < 3; i++) {
		memcpy(evil, reply, (size_t)size);
		evil[1] = 0;
		memcpy(evil + 12, codes[i], 4);
		send_later(fd, evil, NTP_SIZE + 36, TRIP * 0.4);
		send_later(fd, evil, NTP_SIZE, TRIP * 0.4);
	}
	memcpy(world.old, reply, (size_t)size);
	world.old_size = (size_t)size;
}

/* Read a request: its identifier, cookie and how many cookies it wants.  False
 * if it is not sealed with the keys. */
static bool
is_sealed(const uint8_t *p, int size, const uint8_t **uid,
    const uint8_t **cookie, int *wanted)
{
	uint8_t none[1], tag[SIV_TAG];
	int at = NTP_SIZE, n;

	for (*wanted = 0; at < size; at += n) {
		n = p[at + 2] << 8 | p[at + 3];
		assert_true(n >= 16 && n % 4 == 0 && at + n <= size);
		switch (p[at] << 8 | p[at + 1]) {
		case 0x104: *uid = p + at + 4; break;
		case 0x204: *cookie = p + at + 4; /* fall through */
		case 0x304: ++*wanted; break;
		case 0x404:
			memcpy(tag, p + at + 8 + NTS_NONCE, SIV_TAG);
			return siv_open(c2s, (struct siv_piece[]){
				{ p, (size_t)at },
				{ p + at + 8, NTS_NONCE } }, 2, none, 0, tag);
		}
	}
	return false;
}

static int
seal(uint8_t *p, int at, int cookies)
{
	uint8_t body[NTS_PACKET_MOST] = { 0, NTS_NONCE };
	uint8_t *inside = body + 4 + NTS_NONCE + SIV_TAG, cookie[COOKIE];
	int n = 0;

	for (; cookies > 0; cookies--) {
		bake(cookie);
		n = put(inside, n, 0x204, cookie, COOKIE);
	}
	body[2] = (uint8_t)((n + SIV_TAG) >> 8);
	body[3] = (uint8_t)(n + SIV_TAG);
	body[4] = (uint8_t)(nts.serial * 7);
	memcpy(body + 5, &nts.serial, 4);
	siv_seal(s2c, (struct siv_piece[]){ { p, (size_t)at },
	    { body + 4, NTS_NONCE } }, 2, inside, (size_t)n,
	    body + 4 + NTS_NONCE);
	return put(p, at, 0x404, body, 4 + NTS_NONCE + SIV_TAG + n);
}

/* A request has come to the server. */
static void
answer(int fd, const uint8_t *request, int size)
{
	int64_t when = later(world.now.real, TRIP / 2 + nts.wrong);
	struct ntp_packet p = { .version = 4, .mode = MODE_SERVER, .stratum = 2,
		.precision = -20, .origin = ntp_get(request, NTP_TRANSMIT),
		.receive = ntp_from_real(when), .transmit = ntp_from_real(when) };
	const uint8_t *uid = NULL, *cookie = NULL;
	uint8_t reply[NTS_PACKET_MOST];
	unsigned serial;
	int at = NTP_SIZE, wanted;

	nts.asked++;
	assert_true(size <= NTS_PACKET_MOST);
	if (size == NTP_SIZE) { /* of a line without nts */
		ntp_format(&p, reply);
		send_later(fd, reply, size, TRIP);
		return;
	}
	assert_true(is_sealed(request, size, &uid, &cookie, &wanted));
	memcpy(&serial, cookie + 1, sizeof serial);
	assert_false(nts.seen[serial / 8] >> serial % 8 & 1); /* never twice */
	nts.seen[serial / 8] |= (uint8_t)(1 << serial % 8);
	if (nts.kiss > 0) {
		p.stratum = 0;
		p.refid = 0x44454e59;
		nts.kiss--;
	}
	ntp_format(&p, reply);
	at = put(reply, at, 0x104, uid, NTS_UID);
	if (nts.forgets || nts.epoch - cookie[0] > 1) {
		nts.unknown++;
		reply[1] = 0;
		memcpy(reply + 12, "NTSN", 4);
		if (nts.mute)
			return;
	} else if (nts.plain)
		at = NTP_SIZE;
	else
		at = seal(reply, at, wanted);
	if (world.strangers)
		strangers_send(fd, reply, at);
	assert_true(at <= size || nts.plain); /* no more than was asked with */
	/* Some come late, behind a later one. */
	send_later(fd, reply, at,
	    uniform(&world.seed) < world.loss / 10 ? 6 : TRIP);
}

int
net_send(int fd, const uint8_t *bytes, size_t size, int64_t *sent)
{
	*sent = world.now.raw;
	if (!nts.deaf && uniform(&world.seed) >= world.loss &&
	    (world.largest == 0 || (int)size <= world.largest))
		answer(fd, bytes, (int)size);
	return 0;
}

ssize_t
net_receive(int fd, uint8_t *bytes, size_t capacity, struct stamps *t)
{
	for (int i = 0; i < PACKETS; i++)
		if (world.packet[i].fd == fd &&
		    world.packet[i].at <= world.now.raw) {
			size_t n = world.packet[i].size;

			world.packet[i].fd = 0;
			n = n < capacity ? n : capacity;
			memcpy(bytes, world.packet[i].bytes, n);
			t->got = world.now.raw;
			return (ssize_t)n;
		}
	errno = EAGAIN;
	return -1;
}

/* ------------------------------------------------------------------- children */

static void
exchange_keys(const struct tls_question *q, struct helper_result *r)
{
	struct tls_keys k = { .ok = true, .from = nts.from, .until = nts.until };
	struct nts_grant *g = &k.grant;

	if (nts.fails || q->address.bytes[3] == nts.refuses) {
		k.ok = false;
		(void)snprintf(k.reason, sizeof k.reason, "refused");
	}
	memcpy(g->nts.c2s, c2s, NTS_KEY);
	memcpy(g->nts.s2c, s2c, NTS_KEY);
	for (; g->nts.cookies < NTS_COOKIES; g->nts.cookies++) {
		g->nts.size[g->nts.cookies] = COOKIE;
		bake(g->nts.cookie[g->nts.cookies]);
	}
	g->port = nts.port != 0 ? nts.port : NTP_PORT;
	if (nts.server != NULL)
		(void)snprintf(g->server, sizeof g->server, "%s", nts.server);
	memcpy(r->answer, &k, sizeof k);
}

int
helper_start(struct helpers *h, const struct helper_job *job, int64_t raw)
{
	int i, used = 0;

	(void)h;
	/* A child has a copy of the memory, from which the jars are wiped. */
	for (i = 0; i < CHILDREN; i++)
		assert_true(world.child[i].used ||
		    memmem(world.child[i].r.answer, HELPER_ANSWER, c2s,
			sizeof c2s) == NULL);
	if (world.no_child != 0) {
		errno = world.no_child;
		return -1;
	}
	for (i = 0; i < CHILDREN && world.child[i].used; i++)
		used++;
	if (i == CHILDREN) {
		errno = EBUSY;
		return -1;
	}
	world.most_children =
	    used + 1 > world.most_children ? used + 1 : world.most_children;
	world.child[i].used = true;
	world.child[i].at =
	    later(raw, world.lives > 0 ? world.lives : 0.05);
	world.child[i].r = (struct helper_result){
		.kind = job->kind, .owner = job->owner, .ok = true
	};
	if (job->kind == HELPER_NTS)
		exchange_keys(job->question, &world.child[i].r);
	else {
		const struct dns_question *q = job->question;
		bool unchecked = q->starting && q->failures % 2 != 0;
		struct dns_answer a = { .addresses =
			world.expired && !unchecked &&
				job->kind == HELPER_NTS_NAME ? 0 : 3,
			.questions = 1 };

		for (int k = 0; k < 3; k++)
			a.address[k] = (struct address){ .family = 4,
				.bytes = { 10, strcmp(q->name, "time") != 0, 0,
				    (uint8_t)(k + 1) } };
		memcpy(world.child[i].r.answer, &a, sizeof a);
	}
	return 0;
}

bool
helper_free(const struct helpers *h)
{
	(void)h;
	for (int i = 0; i < CHILDREN && world.no_child == 0; i++)
		if (!world.child[i].used)
			return true;
	return false;
}

void
helper_renumber(
    struct helpers *h, enum helper_kind kind, const int to[], int each)
{
	(void)h;
	for (int i = 0; i < CHILDREN; i++)
		if (world.child[i].used && world.child[i].r.kind == kind) {
			assert_int_equal(each, 1);
			world.child[i].r.owner = to[world.child[i].r.owner];
			world.child[i].used = world.child[i].r.owner >= 0;
		}
}

/* ------------------------------------------------------------------ the passing */

static void
begin(const char *text)
{
	memset(&world, 0, sizeof world);
	memset(&nts, 0, sizeof nts);
	memset(&peers, 0, sizeof peers);
	memset(&next, 0, sizeof next);
	world.seed = 1;
	world.now.raw = 100 * S;
	world.now.real = (build_epoch + 1000000) * S;
	nts.until = build_epoch + 10000000;
	parse(text, &conf);
	server.listening = &listening;
	peers.conf = &conf;
	peers.helpers = &helpers;
	peers.server = &server;
	peers.start = LOG_CLASS_DETAIL;
	peers.told.starting = peers.told.unset = true;
	peers.told.freq_sd = 1e-6;
	assert_true(peers_make(&peers, world.now.raw));
}

static int
end(void **state)
{
	(void)state;
	peers_unmake(&peers);
	peers_unmake(&next);
	config_free(&conf);
	config_free(&after);
	return 0;
}

static void
deliver(void)
{
	for (int i = 0; i < PACKETS; i++)
		for (int k = 0; k < peers.sources && world.packet[i].fd != 0 &&
		     world.packet[i].at <= world.now.raw; k++)
			if (peers.fd[k] == world.packet[i].fd)
				peers_reply(&peers, k);
	for (int i = 0; i < PACKETS; i++)
		if (world.packet[i].at <= world.now.raw)
			world.packet[i].fd = 0; /* nobody waits for it */
	for (int i = 0; i < CHILDREN; i++) {
		if (!world.child[i].used || world.child[i].at > world.now.raw)
			continue;
		world.child[i].used = false;
		switch (world.child[i].r.kind) {
		case HELPER_NTS:
			peers_keyed(&peers, &world.child[i].r, world.now.raw);
			break;
		case HELPER_NTS_NAME:
			peers_led(&peers, &world.child[i].r, world.now.raw);
			break;
		default:
			peers_named(&peers, &world.child[i].r, world.now.raw);
		}
	}
}

/* No source has ever learnt another time than the true one. */
static void
assert_true_time(void)
{
	for (int i = 0; i < peers.sources; i++)
		if (peers.source[i].replies > 0)
			assert_true(fabs(seconds(peers.source[i].sample.ahead -
			    (world.now.real - world.now.raw))) <= TRIP);
}

static void
pass(double s)
{
	int64_t until = later(world.now.raw, s), at;

	while (world.now.raw < until) {
		world.turns++;
		peers_turn(&peers, &world.now);
		at = sooner(until, peers_due(&peers));
		for (int i = 0; i < PACKETS; i++)
			if (world.packet[i].fd != 0)
				at = sooner(at, world.packet[i].at);
		for (int i = 0; i < CHILDREN; i++)
			if (world.child[i].used)
				at = sooner(at, world.child[i].at);
		at = at > world.now.raw ? at : world.now.raw + 1;
		world.now.real += at - world.now.raw;
		world.now.raw = at;
		deliver();
		peers.told.starting = peers.told.unset = peers.last_heard == 0;
		peers.told.synced = peers.last_heard != 0;
		if (nts.wrong == 0)
			assert_true_time();
	}
}

static void
reload(const char *text)
{
	static int to[2 * 64];
	struct conf old;

	parse(text, &after);
	next.conf = &after;
	assert_true(peers_make(&next, world.now.raw));
	peers_reload(&peers, &next, to, world.now.raw);
	old = conf;
	conf = after;
	after = old;
	peers.conf = &conf;
}

/* --------------------------------------------------------------- the promises */

static void
time_is_there_after_one_exchange(void **state)
{
	(void)state;
	begin("server 10.0.0.1 nts poll 512..1024\n");
	pass(0.1);
	assert_int_equal(peers.source[0].replies, 1);
	assert_true(peers.source[0].authentic);
	assert_int_equal(said("nts key exchange with 10.0.0.1 (10.0.0.1) done: 8 cookies"),
	    1);
	pass(30 * DAY);
	assert_int_equal(peers.jar[0].exchanges, 1);
	assert_int_equal(peers.jar[0].nts.cookies, NTS_COOKIES);
	assert_int_equal(peers.source[0].requests, peers.source[0].replies);
}

/* Loss, reordering, new keys each day, a restart without them each week; and
 * strangers, who send replays, time without proof, and a NAK for each request. */
static void
bad_month(bool strangers)
{
	const struct source *s;

	begin("server 10.0.0.1 nts poll 2048..4096\n");
	world.loss = 0.2;
	world.strangers = strangers;
	for (int day = 0; day < 30; day++) {
		pass(DAY);
		nts.epoch += day % 7 == 6 ? 2 : 1;
		nts.mute = day > 15;
	}
	s = peers.source;
	assert_true(s->replies > s->requests * 5 / 10);
	/* A third is lost, so four in a row are one in 60 requests.  Strangers
	 * may cause one in two hours. */
	assert_in_range(peers.jar->exchanges, 5,
	    strangers ? 30 * 12 + 10 : s->requests / 30 + 10);
	assert_true(peers.jar->naks > 0);
	assert_int_equal(peers.jar->forged > 0, strangers);
	assert_true(nts.unknown > 0);
	(void)end(NULL);
}

static void
a_bad_month_has_no_storm_and_no_wrong_time(void **state)
{
	(void)state;
	bad_month(false);
	bad_month(true);
}

/* It says so, or it is silent as NTPsec is. */
static void
server_that_lost_its_keys_is_found_again(void **state)
{
	(void)state;
	for (int mute = 0; mute < 2; mute++) {
		begin("server 10.0.0.1 nts poll 64..64\n");
		pass(3600);
		assert_int_equal(peers.jar[0].exchanges, 1);
		nts.epoch += 2;
		nts.mute = mute;
		pass(mute ? 8 * MINUTE : 3 * MINUTE);
		assert_int_equal(peers.jar[0].exchanges, 2);
		assert_true(peers.source[0].silent == 0);
		(void)end(NULL);
	}
}

static void
what_is_not_proven_changes_nothing(void **state)
{
	(void)state;
	begin("server 10.0.0.1 nts\n");
	nts.plain = world.strangers = true;
	pass(3600);
	assert_true(nts.asked > 8);
	assert_int_equal(peers.source[0].replies, 0);
	assert_int_equal(peers.source[0].last.stratum, 0);
	for (int i = 0; i < SAID_SAYS; i++)
		assert_int_equal(peers.source[0].rejected[i], 0);
	assert_true(peers.last_heard == 0);
	assert_int_equal(world.loud, 1); /* the exchange */
	assert_in_range(peers.jar[0].exchanges, 5, 14);
}

/* Who sees a request may send it to our own server, which only looks as if we
 * asked ourselves. */
static void
a_request_that_comes_back_changes_nothing(void **state)
{
	(void)state;
	begin("server 10.0.0.1 nts\nserver 10.0.0.2\n"
	      "server 10.0.0.3 key 1 \"5ec2e75ec2e75ec2e75ec2e75ec2e71c\"\n");
	nts.deaf = true;
	pass(1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(peers.source[i].state, SOURCE_WAITING);
		server.back[peers.source[i].nonce % SERVE_OWN] = true;
	}
	peers_echoed(&peers, world.now.raw);
	memset(&server.back, 0, sizeof server.back);
	assert_int_equal(peers.source[0].state, SOURCE_WAITING);
	assert_int_equal(peers.source[1].state, SOURCE_STOPPED);
	assert_int_equal(peers.source[2].state, SOURCE_WAITING);
}

/* A kiss code that is proven is obeyed. */
static void
proven_kiss_counts(void **state)
{
	(void)state;
	begin("server 10.0.0.1 nts\n");
	nts.kiss = 1;
	pass(1);
	assert_int_equal(peers.source[0].rejected[SAID_DENY], 1);
	assert_int_equal(peers.source[0].state, SOURCE_STOPPED);
}

static void
certificates_must_hold_at_the_time_that_is_told(void **state)
{
	(void)state;
	begin("server 10.0.0.1 nts poll 512..1024\n");
	nts.from = build_epoch + 2000000;
	nts.until = nts.from + 100000;
	pass(600);
	assert_int_equal(peers.source[0].replies, 0);
	assert_true(peers.source[0].rejected[SAID_DATES] > 1);
	assert_int_equal(said("outside of its certificate's dates"), 1);
	assert_int_equal(peers.jar[0].exchanges, 1);
	/* In a week they do, and later they need not. */
	pass(1000000);
	assert_true(peers.source[0].replies > 0);
	pass(1000000);
	assert_int_equal(peers.source[0].silent, 0);
	assert_true(peers.source[0].said == SAID_ACCEPTED);
}

static void
a_failed_exchange_leads_to_another_address(void **state)
{
	(void)state;
	begin("server time nts\n");
	nts.refuses = 1;
	pass(10);
	assert_int_equal(peers.source[0].address.bytes[3], 2);
	assert_true(peers.source[0].replies > 0);
	assert_int_equal(said("nts key exchange with 10.0.0.1 (time) failed: refused, next try 1"),
	    1);
	(void)end(NULL);
	/* Of a pool all are tried, one after the other. */
	begin("servers time nts\n");
	nts.refuses = 2;
	pass(10);
	assert_int_equal(world.most_children, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(peers.source[i].replies > 0,
		    peers.source[i].address.bytes[3] != 2);
}

static void
exchanges_that_fail_grow_rare_and_quiet(void **state)
{
	(void)state;
	begin("servers time nts\n");
	nts.fails = true;
	pass(DAY);
	assert_int_equal(nts.asked, 0);
	for (int i = 0; i < 3; i++)
		assert_in_range(peers.jar[i].exchanges, 10, 22);
	assert_in_range(world.loud, 3, 3 * 26);
	/* A new network is tried at once. */
	nts.fails = false;
	peers_anew(&peers, world.now.raw);
	pass(1);
	assert_true(peers.source[0].replies > 0);
}

/* Whatever tells that things may be better now: sleep, a new configuration, or a
 * clock that was set. */
static void
keys_are_exchanged_when_the_world_has_changed(void **state)
{
	static const char text[] = "servers time nts\nserver 10.0.0.9 nts\n";

	(void)state;
	for (int event = 0; event < 4; event++) {
		begin(text);
		nts.fails = true;
		pass(DAY);
		if (event == 3) { /* sleep, and later the network */
			peers_forget(&peers, world.now.raw);
			pass(MINUTE);
		}
		nts.fails = false;
		if (event == 0)
			peers_forget(&peers, world.now.raw);
		else if (event == 1)
			reload(text);
		else if (event == 2)
			peers_again(&peers, world.now.raw);
		else
			peers_anew(&peers, world.now.raw);
		pass(3);
		assert_true(peers.source[0].replies > 0);
		assert_true(peers.source[8].replies > 0);
		(void)end(NULL);
	}
	/* That is no way to make us ask all the time. */
	begin(text);
	nts.fails = true;
	pass(DAY);
	for (int i = 0; i < 1000; i++) {
		peers_forget(&peers, world.now.raw);
		peers_anew(&peers, world.now.raw);
		peers_again(&peers, world.now.raw);
		pass(1);
	}
	assert_in_range(peers.jar[0].exchanges, 10, 33);
}

/* Packets that are too large for the way: the exchange is not repeated all the
 * time. */
static void
lost_packets_do_not_make_a_storm(void **state)
{
	(void)state;
	begin("server 10.0.0.1 nts\n");
	nts.deaf = true;
	pass(DAY);
	assert_in_range(peers.jar[0].exchanges, 5, 22);
	assert_true(peers.jar[0].nts.cookies >= 0 && peers.jar[0].lost > 0);
}

/* A request with a placeholder for each missing cookie is larger than one
 * without, so after a loss it might be lost again, for ever. */
static void
a_loss_does_not_cut_off_who_is_behind_a_narrow_way(void **state)
{
	const struct source *s;

	(void)state;
	for (int placeholders = 0; placeholders < 3; placeholders++) {
		begin("server 10.0.0.1 nts poll 64..64\n");
		world.largest = 228 + 104 * placeholders;
		pass(MINUTE);
		nts.deaf = true;
		while (peers.jar[0].nts.cookies > 6)
			pass(10);
		nts.deaf = false;
		pass(DAY);
		s = peers.source;
		assert_true(s->replies > s->requests - 20);
		/* Where one more is too much, the cookies run out once. */
		assert_in_range(
		    peers.jar[0].exchanges, 1, placeholders == 0 ? 2 : 1);
		(void)end(NULL);
	}
}

/* Most ways are not narrow. */
static void
the_jar_is_full_again_soon_after_losses(void **state)
{
	(void)state;
	begin("server 10.0.0.1 nts poll 64..64\n");
	pass(3600);
	nts.deaf = true;
	while (peers.jar[0].nts.cookies > 5)
		pass(10);
	nts.deaf = false;
	for (int i = 0; i < 10 && peers.jar[0].nts.cookies < 8; i++)
		pass(MINUTE);
	assert_int_equal(peers.jar[0].nts.cookies, 8);
	assert_int_equal(peers.jar[0].exchanges, 1);
}

/* Each reply brings a few cookies more than were used. */
static void
the_last_cookie_fills_the_jar(void **state)
{
	unsigned before;

	(void)state;
	begin("server 10.0.0.1 nts poll 64..64\n");
	pass(3600);
	nts.deaf = nts.fails = true;
	while (peers.jar[0].nts.cookies > 1)
		pass(1);
	nts.deaf = false;
	before = peers.source[0].replies;
	while (peers.jar[0].nts.cookies < 8)
		pass(1);
	assert_in_range(peers.source[0].replies - before, 1, 6);
	assert_int_equal(peers.jar[0].good, 1);
}

/* Then four in a row are often lost, and few replies may bring more than they
 * cost. */
static void
half_of_the_replies_are_enough(void **state)
{
	const struct source *s;

	(void)state;
	begin("server 10.0.0.1 nts poll 64..64\n");
	s = peers.source;
	world.loss = 0.3;
	pass(5 * DAY);
	s = peers.source;
	assert_true(s->replies > s->requests * 4 / 10);
	assert_in_range(peers.jar->exchanges, 30, s->requests / 20);
}

static void
ntp_is_asked_where_the_exchange_says(void **state)
{
	int n;

	(void)state;
	begin("server 10.0.0.1 nts\n");
	nts.server = "192.0.2.9";
	nts.port = 1123;
	pass(5);
	n = (world.fds - 1) % 1024;
	assert_int_equal(world.to[n].bytes[3], 9);
	assert_int_equal(world.port[n], 1123);
	assert_int_equal(peers.source[0].address.bytes[3], 1);
	assert_true(peers.source[0].replies > 0);
	(void)end(NULL);
	begin("server 10.0.0.1 nts\n");
	nts.server = "ntp.example";
	pass(5);
	assert_int_equal(world.to[(world.fds - 1) % 1024].bytes[1], 1);
	assert_true(peers.source[0].replies > 0);
}

/* A name server of this machine takes all signatures for expired. */
static void
a_wrong_clock_hides_no_ntp_server(void **state)
{
	(void)state;
	begin("server 10.0.0.1 nts\n");
	nts.server = "ntp.example";
	world.expired = true;
	pass(5 * MINUTE);
	assert_true(peers.source[0].replies > 0);
}

/* The server's name has addresses of both families, and we have one of them. */
static void
ntp_server_without_a_way_is_left(void **state)
{
	(void)state;
	begin("server 10.0.0.1 nts\n");
	nts.server = "ntp.example";
	world.no_way = 2;
	pass(MINUTE);
	assert_int_equal(world.to[(world.fds - 1) % 1024].bytes[3], 3);
	assert_true(peers.source[0].replies > 0);
	assert_int_equal(peers.jar[0].exchanges, 2);
}

/* The machine may have no more processes. */
static void
children_that_cannot_start_are_tried_rarely(void **state)
{
	(void)state;
	begin("server 10.0.0.1 nts\n");
	world.no_child = EAGAIN;
	pass(DAY);
	assert_in_range(world.turns, 10, 100);
	assert_int_equal(world.loud, 1);
	world.no_child = EBUSY; /* that is over soon */
	peers_anew(&peers, world.now.raw);
	pass(1);
	world.no_child = 0;
	pass(1);
	assert_true(peers.source[0].replies > 0);
}

/* Where port 4460 is silent, each child needs ten seconds.  Those who wait for
 * one sleep, and have their turn when one ends. */
static void
many_exchanges_that_take_long_do_not_wake_the_loop(void **state)
{
	static char text[64 * 32];
	unsigned exchanges = 0;

	(void)state;
	for (int i = 0; i < 40; i++)
		(void)snprintf(text + strlen(text), 32,
		    "server 10.0.0.%d nts\n", i + 1);
	begin(text);
	world.lives = 10;
	nts.fails = true;
	pass(31);
	for (int i = 0; i < 40; i++) {
		assert_in_range(peers.jar[i].exchanges, 1, 3);
		exchanges += (unsigned)peers.jar[i].exchanges;
	}
	assert_in_range(world.turns, exchanges, 3 * exchanges);
	assert_int_equal(world.most_children, CHILDREN);
	nts.fails = false;
	pass(300);
	for (int i = 0; i < 40; i++)
		assert_true(peers.source[i].replies > 0);
}

/* Or the first one to have keys would set the clock alone, and it may lie. */
static void
who_exchanges_again_is_waited_for(void **state)
{
	(void)state;
	begin("servers time nts\nserver 10.0.0.9 nts\n");
	nts.fails = true;
	pass(DAY);
	for (int i = 0; i < 3; i++)
		assert_true(peers.source[i].unreachable);
	nts.fails = false;
	world.lives = 1;
	peers_anew(&peers, world.now.raw);
	pass(1.5);
	assert_true(peers.source[0].replies > 0);
	assert_true(peers.source[1].replies == 0);
	for (int i = 0; i < 3; i++)
		assert_false(peers.source[i].unreachable);
}

/* Whoever lists a server twice, means that it shall be authenticated. */
static void
the_line_with_nts_has_the_address(void **state)
{
	(void)state;
	begin("server 10.0.0.1\nserver 10.0.0.1 nts\n");
	pass(MINUTE);
	assert_int_equal(peers.source[0].state, SOURCE_UNRESOLVED);
	assert_true(peers.source[1].replies > 0);
	(void)end(NULL);
	begin("servers time\nserver time nts\nserver 10.0.0.2 nts\n");
	pass(MINUTE);
	for (int i = 0; i < peers.sources; i++)
		if (peers.source[i].authentic)
			assert_true(peers.source[i].replies > 0);
	/* One more address is left for the pool. */
	assert_true(peers.source[0].state + peers.source[1].state +
		peers.source[2].state > 0);
	(void)end(NULL);
	begin("server 10.0.0.1\n");
	pass(MINUTE);
	reload("server 10.0.0.1\nserver 10.0.0.1 nts\n");
	pass(MINUTE);
	assert_true(peers.source[1].replies > 0);
}

static void
cookies_survive_sleep_and_reload(void **state)
{
	(void)state;
	begin("server 10.0.0.1 nts\nserver 10.0.0.2\n");
	pass(60);
	assert_int_equal(peers.jar[0].exchanges, 1);
	reload("server 10.0.0.9\nserver 10.0.0.1 nts weight 2\n");
	pass(60);
	assert_int_equal(peers.jar[1].exchanges, 1);
	peers_forget(&peers, world.now.raw);
	pass(60);
	assert_int_equal(peers.jar[1].exchanges, 1);
	assert_true(peers.source[1].reach == 0xff || peers.source[1].reach > 1);
}

/* What was not proven is not proven by a word in the configuration. */
static void
a_line_that_gets_nts_begins_anew(void **state)
{
	(void)state;
	begin("server 10.0.0.1 nts\nserver 10.0.0.2 nts port 1\n");
	pass(60);
	assert_true(peers.source[0].replies > 0);
	reload("server 10.0.0.1\nserver 10.0.0.2 nts port 2\n");
	assert_int_equal(peers.source[0].replies, 0);
	assert_int_equal(peers.source[1].replies, 0);
	assert_false(peers.source[0].authentic);
	assert_true(peers.source[1].authentic);
}

/* What stands where it is asked why the time is not authenticated. */
static void
assert_why(const char *words)
{
	char text[UNAUTHENTIC_TEXT];

	peers_unauthentic(&peers, text, sizeof text);
	if (*words == '\0' ? *text != '\0' : strstr(text, words) == NULL)
		fail_msg("%s", text);
}

/* The exchange of keys and NTP go different ways, either of which may be
 * blocked. */
static void
the_way_that_fails_is_named(void **state)
{
	static const char alone[] = "server 10.0.0.1 nts poll 64..64\n",
			  beside[] = "server 10.0.0.1 nts poll 64..64\n"
				     "server 10.0.0.2\n";

	(void)state;
	begin("server 10.0.0.2\n");
	pass(1);
	assert_why(""); /* none is to be authenticated */
	(void)end(NULL);
	begin(alone);
	nts.fails = true;
	pass(0.001);
	assert_why("key exchange with 10.0.0.1 fails: there was none yet");
	pass(60);
	assert_why("key exchange with 10.0.0.1 fails: refused");
	nts.fails = false;
	pass(60);
	assert_why("");
	nts.deaf = true;
	pass(DAY);
	assert_why("key exchange with 10.0.0.1 succeeds, but no NTP reply "
		   "comes, UDP 123 may be filtered");
	(void)end(NULL);
	begin(alone);
	nts.plain = true;
	pass(60);
	assert_why("succeeds, but something on the way answers NTP");
	/* What it did once is not why there is no reply now. */
	nts.plain = false;
	pass(120);
	assert_why("");
	nts.deaf = true;
	while (peers.source[0].reach != 0)
		pass(60);
	assert_why("no NTP reply comes, UDP 123 may be filtered");
	(void)end(NULL);
	begin(alone);
	nts.forgets = true; /* as another host does that has not the keys */
	pass(60);
	assert_why("succeeds, but server no longer knows the keys");
	(void)end(NULL);
	begin(alone);
	nts.until = nts.from = build_epoch;
	pass(60);
	assert_why("succeeds, but outside of its certificate's dates");
	(void)end(NULL);
	begin("server time nts\n");
	assert_why("no address known of time");
	(void)end(NULL);
	begin(beside);
	nts.plain = nts.deaf = true;
	pass(60);
	peers.source[1].reach = 1; /* it answers: its packets are small */
	assert_why("no NTP reply comes, large packets may be dropped");
}

/* How long it makes no sense to wait for an authenticated reply. */
static void
it_is_told_when_keys_may_come(void **state)
{
	(void)state;
	begin("server 10.0.0.2\nserver 10.0.0.3\n");
	assert_true(peers_keys_due(&peers) == NEVER);
	(void)end(NULL);
	begin("servers time nts\nserver 10.0.0.9 nts\n");
	assert_true(peers_keys_due(&peers) == 0); /* an unknown address */
	nts.refuses = 9;
	nts.fails = true;
	pass(0.05);
	assert_true(peers_keys_due(&peers) == 0); /* some are under way */
	pass(3);
	assert_in_range(peers_keys_due(&peers), later(world.now.raw, 5),
	    later(world.now.raw, 13));
	nts.fails = false;
	pass(12);
	assert_true(peers.source[0].replies > 0);
	assert_true(peers_keys_due(&peers) == 0);
	(void)end(NULL);
	begin("server 10.0.0.9 nts\n"
	      "server 10.0.0.3 key 1 \"5ec2e75ec2e75ec2e75ec2e75ec2e71c\"\n");
	nts.fails = nts.deaf = true;
	pass(3);
	assert_true(peers_keys_due(&peers) == 0);
}

static void
the_state_of_the_keys_is_shown(void **state)
{
	struct status_source out[2];
	struct status s = { 0 };

	(void)state;
	begin("server 10.0.0.1 nts poll 64..64\nserver 10.0.0.2\n");
	nts.fails = true;
	pass(5);
	peers_show(&peers, &world.now, out, &s);
	assert_int_equal(s.sources, 2);
	assert_true(out[0].authentic && !out[1].authentic);
	assert_true(out[0].nts_exchanges == 1 && out[0].nts_failures == 1);
	assert_true(isnan(out[0].nts_age) && isnan(out[0].nts_expire));
	assert_true(out[0].nts_cookies == 0);
	assert_string_equal(out[0].nts_reason, "refused");
	assert_true(isnan(out[1].nts_exchanges) && isnan(out[1].nts_cookies));
	nts.fails = false;
	pass(60);
	s = (struct status){ 0 };
	peers_show(&peers, &world.now, out, &s);
	assert_true(out[0].nts_exchanges == 2 && out[0].nts_failures == 1);
	assert_true(out[0].nts_age > 40 && out[0].nts_age < 60);
	assert_true(out[0].nts_expire == (double)nts.until);
	assert_true(out[0].nts_cookies == 8);
	assert_string_equal(out[0].nts_reason, "");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_way_that_fails_is_named, end),
		cmocka_unit_test_teardown(it_is_told_when_keys_may_come, end),
		cmocka_unit_test_teardown(the_state_of_the_keys_is_shown, end),
		cmocka_unit_test_teardown(time_is_there_after_one_exchange, end),
		cmocka_unit_test_teardown(
		    a_bad_month_has_no_storm_and_no_wrong_time, NULL),
		cmocka_unit_test_teardown(
		    server_that_lost_its_keys_is_found_again, NULL),
		cmocka_unit_test_teardown(what_is_not_proven_changes_nothing, end),
		cmocka_unit_test_teardown(
		    a_request_that_comes_back_changes_nothing, end),
		cmocka_unit_test_teardown(proven_kiss_counts, end),
		cmocka_unit_test_teardown(
		    certificates_must_hold_at_the_time_that_is_told, end),
		cmocka_unit_test_teardown(
		    a_failed_exchange_leads_to_another_address, end),
		cmocka_unit_test_teardown(
		    exchanges_that_fail_grow_rare_and_quiet, end),
		cmocka_unit_test_teardown(
		    keys_are_exchanged_when_the_world_has_changed, end),
		cmocka_unit_test_teardown(lost_packets_do_not_make_a_storm, end),
		cmocka_unit_test_teardown(
		    a_loss_does_not_cut_off_who_is_behind_a_narrow_way, NULL),
		cmocka_unit_test_teardown(
		    the_jar_is_full_again_soon_after_losses, end),
		cmocka_unit_test_teardown(the_last_cookie_fills_the_jar, end),
		cmocka_unit_test_teardown(half_of_the_replies_are_enough, end),
		cmocka_unit_test_teardown(
		    ntp_is_asked_where_the_exchange_says, end),
		cmocka_unit_test_teardown(a_wrong_clock_hides_no_ntp_server, end),
		cmocka_unit_test_teardown(ntp_server_without_a_way_is_left, end),
		cmocka_unit_test_teardown(
		    children_that_cannot_start_are_tried_rarely, end),
		cmocka_unit_test_teardown(
		    many_exchanges_that_take_long_do_not_wake_the_loop, end),
		cmocka_unit_test_teardown(who_exchanges_again_is_waited_for, end),
		cmocka_unit_test_teardown(the_line_with_nts_has_the_address, end),
		cmocka_unit_test_teardown(cookies_survive_sleep_and_reload, end),
		cmocka_unit_test_teardown(a_line_that_gets_nts_begins_anew, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
